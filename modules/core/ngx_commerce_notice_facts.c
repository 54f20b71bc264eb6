/*
 * Copyright (C) ngx_commerce authors
 *
 * What a notice says, read for certain: a fact that the configuration names is there and sound, or the notice is
 * refused.  An amount that is not there must not become "all of it".
 */

#include "ngx_commerce_notice.h"


static commerce_reason_t ngx_commerce_notice_text(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_str_t *value);
static commerce_reason_t ngx_commerce_notice_amount(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_unit_t unit, commerce_fen_t *amount);
static commerce_reason_t ngx_commerce_notice_lines(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc,
    commerce_notice_t *notice);
static commerce_reason_t ngx_commerce_notice_line(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc,
    commerce_json_t *node, commerce_refund_line_t *line);
static commerce_reason_t ngx_commerce_notice_member(commerce_json_t *node, commerce_str_t pointer,
    commerce_str_t *text);
static commerce_reason_t ngx_commerce_notice_sound(ngx_commerce_notice_conf_t *nc, commerce_notice_t *notice);


commerce_reason_t
ngx_commerce_notice_facts(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc, commerce_notice_t *notice)
{
    ngx_uint_t          i;
    commerce_reason_t   reason;

    struct {
        ngx_commerce_source_t  *source;
        commerce_str_t         *value;
    } texts[] = {
        { &nc->id, &notice->id },
        { &nc->key, &notice->key },
        { &nc->user, &notice->user },
        { &nc->payment, &notice->payment },
        { &nc->transaction, &notice->transaction },
        { &nc->refund, &notice->refund }
    };

    ngx_memzero(notice, sizeof(commerce_notice_t));
    notice->kind = nc->step;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        reason = ngx_commerce_notice_text(c, texts[i].source, texts[i].value);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    reason = ngx_commerce_notice_amount(c, &nc->amount, nc->unit, &notice->amount);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_amount(c, &nc->freight, nc->unit, &notice->freight);
        notice->freight = ngx_max(notice->freight, 0);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_lines(c, nc, notice);
    }

    return reason == COMMERCE_R(OK) ? ngx_commerce_notice_sound(nc, notice) : reason;
}


/* an id, a key, a user, a number: one value, and a sound one; empty if it is not there */

static commerce_reason_t
ngx_commerce_notice_text(ngx_commerce_case_t *c, ngx_commerce_source_t *source, commerce_str_t *value)
{
    commerce_reason_t  reason;

    if (source->type == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_commerce_source_read(c, source, value);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)
        || (reason == COMMERCE_R(OK) && value->len && !commerce_id_valid(*value)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    return reason;
}


static commerce_reason_t
ngx_commerce_notice_amount(ngx_commerce_case_t *c, ngx_commerce_source_t *source, commerce_unit_t unit,
    commerce_fen_t *amount)
{
    bool               rounded;
    commerce_str_t     text;
    commerce_reason_t  reason;

    *amount = -1;

    if (source->type == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_commerce_source_read(c, source, &text);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (reason != COMMERCE_R(OK) || text.len == 0) {
        return reason;
    }

    if (commerce_amount_parse(text, unit, amount, &rounded) != COMMERCE_OK) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (rounded) {
        ngx_commerce_note_reason(c, COMMERCE_R(AMOUNT_ROUNDED));
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_notice_lines(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc, commerce_notice_t *notice)
{
    unsigned            i, n;
    commerce_json_t    *node, *item;
    commerce_reason_t   reason;

    if (nc->lines.data == NULL || c->body == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(c->body, nc->lines, &node);
    if (reason != COMMERCE_R(OK) || node == NULL) {
        return reason;
    }

    n = commerce_json_is_array(node) ? commerce_json_count(node) : COMMERCE_LINES_MAX + 1;

    if (n > COMMERCE_LINES_MAX) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    notice->lines = commerce_alloc(&c->arena, (n + 1) * sizeof(commerce_refund_line_t));
    if (notice->lines == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0, item = commerce_json_first(node); item; item = commerce_json_next(item), i++) {

        reason = ngx_commerce_notice_line(c, nc, item, &notice->lines[i]);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    notice->line_count = n;

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_notice_line(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc, commerce_json_t *node,
    commerce_refund_line_t *line)
{
    bool               rounded;
    uint64_t           n;
    commerce_str_t     amount, quantity, number;
    commerce_reason_t  reason;

    n = 0;
    number = commerce_string("");
    amount = commerce_string("");
    quantity = commerce_string("");

    reason = ngx_commerce_notice_member(node, nc->line_sku, &line->sku);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_member(node, nc->line_number, &number);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_member(node, nc->line_amount, &amount);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_member(node, nc->line_quantity, &quantity);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (nc->line_sku.data ? !commerce_id_valid(line->sku)
                          : commerce_parse_uint(number, COMMERCE_LINES_MAX, &n) != COMMERCE_OK || n == 0)
    {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    line->line = nc->line_sku.data ? 0 : (unsigned) n;

    if (commerce_amount_parse(amount, nc->unit, &line->amount, &rounded) != COMMERCE_OK) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (rounded) {
        ngx_commerce_note_reason(c, COMMERCE_R(AMOUNT_ROUNDED));
    }

    if (quantity.len) {
        if (commerce_parse_uint(quantity, COMMERCE_REFUND_PIECES, &n) != COMMERCE_OK) {
            return COMMERCE_R(ORDER_MALFORMED);
        }

        line->quantity = (int64_t) n;
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_notice_member(commerce_json_t *node, commerce_str_t pointer, commerce_str_t *text)
{
    commerce_json_t    *found;
    commerce_reason_t   reason;

    text->data = NULL;
    text->len = 0;

    if (pointer.data == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, pointer, &found);

    return reason != COMMERCE_R(OK) || found == NULL ? reason : commerce_json_text(found, text);
}


/* enough to find the order by, and of the money whatever the configuration promised */

static commerce_reason_t
ngx_commerce_notice_sound(ngx_commerce_notice_conf_t *nc, commerce_notice_t *notice)
{
    ngx_uint_t  found;

    found = notice->id.len || notice->key.len || notice->payment.len
            || (notice->transaction.len && nc->step != COMMERCE_STEP_PAID);

    if (!found || (nc->refund.type && notice->refund.len == 0)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (nc->step == COMMERCE_STEP_PAID) {

        /* an amount with nothing to know it again by would be paid once more by each repetition */

        return nc->amount.type == 0
               || (notice->amount >= 0 && (notice->payment.len || notice->transaction.len))
               ? COMMERCE_R(OK) : COMMERCE_R(ORDER_MALFORMED);
    }

    if (nc->step == COMMERCE_STEP_REFUNDED && (nc->amount.type || nc->lines.data)
        && notice->amount < 0 && notice->line_count == 0)
    {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    return COMMERCE_R(OK);
}
