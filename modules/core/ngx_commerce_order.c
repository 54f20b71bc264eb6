/*
 * Copyright (C) ngx_commerce authors
 *
 * Order requests, and the steps that orders make afterwards: outcomes, confirm and cancel calls, the sweep.
 */

#include "ngx_commerce_core.h"


typedef struct {                            /* commerce_order_confirm, commerce_order_cancel */
    commerce_step_t         step;
    ngx_commerce_source_t   id, key, user;
} ngx_commerce_notice_conf_t;

typedef struct {                            /* a step on its way */
    ngx_commerce_step_t     step;
    ngx_commerce_job_t     *job;
} ngx_commerce_step_job_t;


static commerce_reason_t ngx_commerce_order_key(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static commerce_reason_t ngx_commerce_order_lines(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static commerce_reason_t ngx_commerce_order_line(ngx_commerce_ctx_t *ctx, commerce_json_t *node,
    commerce_line_t *line);
static commerce_reason_t ngx_commerce_order_number(commerce_json_t *node, commerce_str_t pointer,
    commerce_str_t *text);
static commerce_reason_t ngx_commerce_order_fingerprint(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static commerce_reason_t ngx_commerce_order_new(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static ngx_uint_t ngx_commerce_order_uses(ngx_commerce_ctx_t *ctx, commerce_use_request_t *uses);
static commerce_reason_t ngx_commerce_order_again(ngx_commerce_ctx_t *ctx, commerce_order_t *existing,
    uint64_t version);
static commerce_reason_t ngx_commerce_coupons_judge(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_notice(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_commerce_notice_find(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc,
    commerce_order_t *order, uint64_t *version, commerce_str_t *id);
static commerce_reason_t ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_order_t *order,
    commerce_reason_t reason);
static ngx_int_t ngx_commerce_order_step_run(ngx_commerce_step_job_t *sj);
static void ngx_commerce_order_step_done(ngx_commerce_job_t *job);
static char *ngx_commerce_order_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *pointer);
static char *ngx_commerce_order_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc);
static ngx_commerce_order_conf_t *ngx_commerce_order_conf(ngx_conf_t *cf, ngx_commerce_loc_conf_t *lcf);
static char *ngx_commerce_order_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed);


commerce_reason_t
ngx_commerce_order_evaluate(ngx_commerce_ctx_t *ctx)
{
    int                   rc;
    uint64_t              version;
    commerce_reason_t     reason;
    commerce_order_t     *order, *existing;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    c->order = NULL;

    if (ctx->conf->order->reads_body && c->body == NULL) {
        reason = ngx_commerce_body_parse(ctx, ctx->conf->order->body);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    order = commerce_alloc(&c->arena, sizeof(commerce_order_t));
    existing = commerce_alloc(&c->arena, sizeof(commerce_order_t));

    if (order == NULL || existing == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = ngx_commerce_order_key(ctx, order);
    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_lines(ctx, order);
    }

    if (reason == COMMERCE_R(OK)) {
        c->order = order;           /* coupon codes need to know that there is one */
        reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CLIENT, NGX_COMMERCE_STAGE_CODES);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_fingerprint(ctx, order);
    }

    if (reason != COMMERCE_R(OK)) {
        c->order = NULL;
        return reason;
    }

    if (c->reader.view == NULL) {
        c->order = NULL;

        if (c->ncoupons) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        return ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    }

    rc = commerce_order_read(&c->reader, order->user, order->key, existing, &version);
    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    c->order_version = version;
    c->arrival = commerce_order_arrive(rc == COMMERCE_OK ? existing : NULL, order->fingerprint, c->now,
                                       &reason);

    switch (c->arrival) {

    case COMMERCE_ARRIVAL_REFUSED:
        c->order = NULL;
        return reason;

    case COMMERCE_ARRIVAL_NEW:
        return ngx_commerce_order_new(ctx, order);

    default:
        ngx_commerce_note_reason(c, reason);
        return ngx_commerce_order_again(ctx, existing, version);
    }
}


static commerce_reason_t
ngx_commerce_order_key(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    char                       *id;
    commerce_str_t              key;
    commerce_reason_t           reason;
    ngx_commerce_case_t        *c;
    ngx_commerce_order_conf_t  *oc;

    c = &ctx->c;
    oc = ctx->conf->order;

    order->user = c->verified ? c->user : commerce_string("");
    order->claimed = -1;
    order->payable = -1;
    order->discount = -1;
    order->created = c->now;
    order->in_flight_until = c->now + oc->in_flight;

    reason = ngx_commerce_source_read(c, &oc->key, &key);

    if (reason != COMMERCE_R(OK)) {
        return reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM) ? COMMERCE_R(ORDER_KEY_MALFORMED) : reason;
    }

    if (key.len && !commerce_id_valid(key)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (key.len == 0 && ctx->order_key.len == 0) {

        /* no key: followed under one of ours, but a retry cannot be known as one */

        id = commerce_alloc(&c->arena, COMMERCE_EVENT_ID);
        if (id == NULL
            || commerce_event_id(&ngx_commerce_worker->events, c->now_us, id) != COMMERCE_OK)
        {
            return COMMERCE_R(INTERNAL);
        }

        key = (commerce_str_t) { id, COMMERCE_EVENT_ID };
        ctx->keyless = 1;
    }

    if (key.len) {
        ctx->order_key = key;
    }

    order->key = ctx->order_key;

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_order_lines(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    unsigned                    i, n;
    commerce_json_t            *node, *item;
    commerce_reason_t           reason;
    ngx_commerce_case_t        *c;
    ngx_commerce_order_conf_t  *oc;

    c = &ctx->c;
    oc = ctx->conf->order;

    if (oc->lines.data == NULL || c->body == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(c->body, oc->lines, &node);
    if (reason != COMMERCE_R(OK) || node == NULL) {
        return reason;
    }

    if (!commerce_json_is_array(node)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    n = commerce_json_count(node);

    if (n > COMMERCE_LINES_MAX) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    order->lines = commerce_alloc(&c->arena, (n ? n : 1) * sizeof(commerce_line_t));
    if (order->lines == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    order->line_count = n;
    order->claimed = n ? 0 : -1;

    for (i = 0, item = commerce_json_first(node); item; item = commerce_json_next(item), i++) {

        reason = ngx_commerce_order_line(ctx, item, &order->lines[i]);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        if (order->lines[i].amount < 0) {
            order->claimed = -1;

        } else if (order->claimed >= 0) {
            order->claimed += order->lines[i].amount;
        }
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_order_line(ngx_commerce_ctx_t *ctx, commerce_json_t *node, commerce_line_t *line)
{
    bool                        rounded;
    uint64_t                    quantity;
    commerce_fen_t              price;
    commerce_str_t              text;
    commerce_reason_t           reason;
    ngx_commerce_order_conf_t  *oc;

    oc = ctx->conf->order;
    rounded = false;

    line->quantity = 1;
    line->amount = -1;
    line->credit = -1;

    reason = ngx_commerce_order_number(node, oc->line_id, &line->sku);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_id_valid(line->sku)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (oc->line_quantity.data) {
        reason = ngx_commerce_order_number(node, oc->line_quantity, &text);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        if (text.len) {
            if (commerce_parse_uint(text, 1000000, &quantity) != COMMERCE_OK || quantity == 0) {
                return COMMERCE_R(ORDER_MALFORMED);
            }

            line->quantity = (int64_t) quantity;
        }
    }

    reason = ngx_commerce_order_number(node, oc->line_amount.data ? oc->line_amount : oc->line_price, &text);
    if (reason != COMMERCE_R(OK) || text.len == 0) {
        return reason;
    }

    if (commerce_amount_parse(text, oc->unit, &price, &rounded) != COMMERCE_OK) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (rounded) {
        ngx_commerce_note_reason(&ctx->c, COMMERCE_R(AMOUNT_ROUNDED));
    }

    if (oc->line_amount.data) {
        line->amount = price;
        return COMMERCE_R(OK);
    }

    if (price > COMMERCE_FEN_MAX / line->quantity) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    line->amount = price * line->quantity;

    return COMMERCE_R(OK);
}


/* text of a member; empty if it is absent or not configured */

static commerce_reason_t
ngx_commerce_order_number(commerce_json_t *node, commerce_str_t pointer, commerce_str_t *text)
{
    commerce_json_t    *found;
    commerce_reason_t   reason;

    text->data = NULL;
    text->len = 0;

    if (pointer.data == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, pointer, &found);

    if (reason != COMMERCE_R(OK) || found == NULL) {
        return reason;
    }

    return commerce_json_text(found, text);
}


/* what the request itself names: user, lines, amounts, coupons */

static commerce_reason_t
ngx_commerce_order_fingerprint(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    char                 *buffer;
    size_t                size;
    int64_t               len;
    uint8_t               digest[32];
    unsigned              i;
    commerce_write_t      w;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    size = 256 + 6 * order->user.len;

    for (i = 0; i < order->line_count; i++) {
        size += 64 + 6 * order->lines[i].sku.len;
    }

    for (i = 0; i < c->ncoupons; i++) {
        size += 64 + 6 * c->coupons[i].text.len;
    }

    buffer = commerce_alloc(&c->arena, size);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '[');
    commerce_write_text(&w, NULL, order->user);

    for (i = 0; i < order->line_count; i++) {
        commerce_write_text(&w, NULL, order->lines[i].sku);
        commerce_write_int(&w, NULL, order->lines[i].quantity);
        commerce_write_int(&w, NULL, order->lines[i].amount);
    }

    commerce_write_bool(&w, NULL, true);

    for (i = 0; i < c->ncoupons; i++) {

        if (c->coupons[i].reason == COMMERCE_R(COUPON_MALFORMED)) {
            commerce_write_text(&w, NULL, c->coupons[i].text);
            continue;
        }

        commerce_write_int(&w, NULL, c->coupons[i].code.campaign);
        commerce_write_int(&w, NULL, c->coupons[i].code.serial);
    }

    commerce_write_close(&w, ']');
    len = commerce_write_finish(&w);

    if (len < 0
        || commerce_keyring_sha256(ctx->main->ring, buffer, (size_t) len, digest) != COMMERCE_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    ngx_memcpy(order->fingerprint, digest, COMMERCE_FINGERPRINT);

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_order_new(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    unsigned                  refused;
    ngx_uint_t                n;
    commerce_reason_t         reason;
    commerce_ledger_t         ledger;
    ngx_commerce_case_t      *c;
    commerce_use_request_t   *uses;

    c = &ctx->c;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_COUPONS, NGX_COMMERCE_STAGE_COUPONS);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_coupons_judge(ctx);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    order->pseudonym = c->user.len ? c->pseudonym : commerce_string("");
    order->policy = ctx->main->config;
    order->reason = c->attribution;
    order->redeem_on_paid = c->redeem_on_paid;
    order->unpaid = c->unpaid;
    order->in_doubt = c->in_doubt;
    order->deadline = c->ncoupons && c->deadline ? c->now + c->deadline : COMMERCE_FOREVER;
    order->credit_count = c->ncredits;
    ngx_memcpy(order->credits, c->credits, c->ncredits * sizeof(commerce_credit_t));

    uses = commerce_alloc(&c->arena, COMMERCE_COUPONS_MAX * sizeof(commerce_use_request_t));
    if (uses == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    n = ngx_commerce_order_uses(ctx, uses);

    ledger.reader = &c->reader;
    ledger.txn = c->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = c->now;
    ledger.now_us = c->now_us;

    return commerce_ledger_open(&ledger, order, uses, n, &refused);
}


/* the coupons that passed; their discounts make the order's */

static ngx_uint_t
ngx_commerce_order_uses(ngx_commerce_ctx_t *ctx, commerce_use_request_t *uses)
{
    ngx_uint_t            i, n;
    commerce_order_t     *order;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    order = c->order;
    order->discount = 0;

    for (i = 0, n = 0; i < c->ncoupons; i++) {

        if (c->coupons[i].reason != COMMERCE_R(OK)) {
            continue;
        }

        uses[n++] = c->coupons[i].use;

        if (c->coupons[i].use.discount < 0) {
            order->discount = -1;

        } else if (order->discount >= 0) {
            order->discount += c->coupons[i].use.discount;
        }
    }

    return n;
}


/* enforce: the first refused coupon refuses the order.  observe: noted, and the order goes on without it */

static commerce_reason_t
ngx_commerce_coupons_judge(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t            i;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    for (i = 0; i < c->ncoupons; i++) {

        if (ctx->over_limit != COMMERCE_R(OK)) {
            c->coupons[i].reason = ctx->over_limit;
        }

        if (ctx->keyless && c->coupons[i].reason == COMMERCE_R(OK)) {
            c->coupons[i].reason = COMMERCE_R(COUPON_ORDER_REQUIRED);
        }

        if (c->coupons[i].reason == COMMERCE_R(OK)) {
            continue;
        }

        if (c->mode == NGX_COMMERCE_ENFORCE) {
            return c->coupons[i].reason;
        }

        ngx_commerce_object(ctx, c->coupons[i].reason);
    }

    return COMMERCE_R(OK);
}


/* a retry: the record decides, not the request.  What it snapshotted goes into the verdict. */

static commerce_reason_t
ngx_commerce_order_again(ngx_commerce_ctx_t *ctx, commerce_order_t *existing, uint64_t version)
{
    commerce_ledger_t     ledger;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    c->order = existing;
    c->attribution = existing->reason;
    c->ncredits = existing->credit_count;
    ngx_memcpy(c->credits, existing->credits, existing->credit_count * sizeof(commerce_credit_t));

    c->pseudonym = existing->pseudonym;

    if (c->arrival != COMMERCE_ARRIVAL_RETRY) {
        return COMMERCE_R(OK);
    }

    ledger.reader = &c->reader;
    ledger.txn = c->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = c->now;
    ledger.now_us = c->now_us;

    return commerce_ledger_reopen(&ledger, existing, version, c->now + ctx->conf->order->in_flight);
}


/* confirm and cancel: the backend's own calls, by its order id or our key */

static commerce_reason_t
ngx_commerce_notice(ngx_commerce_case_t *c, void *conf)
{
    uint64_t                     version;
    commerce_str_t               id;
    commerce_order_t            *order;
    commerce_reason_t            reason;
    commerce_ledger_t            ledger;
    ngx_commerce_notice_conf_t  *nc = conf;

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    order = commerce_alloc(&c->arena, sizeof(commerce_order_t));
    if (order == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = ngx_commerce_notice_find(c, nc, order, &version, &id);

    ledger.reader = &c->reader;
    ledger.txn = c->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = c->now;
    ledger.now_us = c->now_us;

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_ledger_step(&ledger, order, version, nc->step, NULL);

    } else if (reason == COMMERCE_R(ORDER_UNKNOWN) && id.len) {
        order->key = id;
        reason = commerce_ledger_park(&ledger, id, nc->step);
        return reason == COMMERCE_R(INTERNAL)
               ? reason : ngx_commerce_notice_answer(c, NULL, COMMERCE_R(ORDER_UNKNOWN));
    }

    if (reason == COMMERCE_R(ORDER_UNKNOWN)) {
        return ngx_commerce_notice_answer(c, NULL, reason);
    }

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        return reason;
    }

    if (reason == COMMERCE_R(COUPON_RESERVATION_LOST)) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "commerce: a paid order's coupon had been released and is taken: order key \"%*s\"",
                      order->key.len, order->key.data);
    }

    return ngx_commerce_notice_answer(c, order, reason);
}


static commerce_reason_t
ngx_commerce_notice_find(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc, commerce_order_t *order,
    uint64_t *version, commerce_str_t *id)
{
    int                rc;
    commerce_str_t     key, user;
    commerce_reason_t  reason;

    *id = commerce_string("");
    user = commerce_string("");

    if (nc->id.type) {
        reason = ngx_commerce_source_read(c, &nc->id, id);

        if (reason != COMMERCE_R(OK) || !commerce_id_valid(*id)) {
            return COMMERCE_R(ORDER_KEY_MALFORMED);
        }

        rc = commerce_order_find(&c->reader, *id, order, version);

    } else {
        reason = ngx_commerce_source_read(c, &nc->key, &key);

        if (reason == COMMERCE_R(OK) && nc->user.type) {
            reason = ngx_commerce_source_read(c, &nc->user, &user);
        }

        if (reason != COMMERCE_R(OK) || !commerce_id_valid(key)
            || (user.len && !commerce_id_valid(user)))
        {
            return COMMERCE_R(ORDER_KEY_MALFORMED);
        }

        rc = commerce_order_read(&c->reader, user, key, order, version);
    }

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    return rc == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(ORDER_UNKNOWN);
}


static commerce_reason_t
ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_order_t *order, commerce_reason_t reason)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = commerce_alloc(&c->arena, 2048);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, 2048);
    commerce_write_open(&w, NULL, '{');

    if (order) {
        commerce_write_text(&w, "order", order->key);
        commerce_write_text(&w, "state", commerce_cstr(commerce_order_state_name(order->state)));
    }

    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return COMMERCE_R(INTERNAL);
    }

    c->noted = reason;
    c->answer = (commerce_str_t) { buffer, (size_t) len };
    c->status = commerce_reason(reason)->status;

    return COMMERCE_R(OK);
}


/* a step that no request waits for; strings are copied */

ngx_int_t
ngx_commerce_order_step(ngx_commerce_step_t *step)
{
    ngx_commerce_job_t       *job;
    ngx_commerce_step_job_t  *sj;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return NGX_ERROR;
    }

    sj = commerce_alloc(&job->arena, sizeof(ngx_commerce_step_job_t));
    if (sj == NULL) {
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    sj->step = *step;
    sj->step.shop = commerce_copy(&job->arena, step->shop);
    sj->step.user = commerce_copy(&job->arena, step->user);
    sj->step.key = commerce_copy(&job->arena, step->key);
    sj->step.answer.id = commerce_copy(&job->arena, step->answer.id);
    sj->job = job;

    return ngx_commerce_order_step_run(sj);
}


static ngx_int_t
ngx_commerce_order_step_run(ngx_commerce_step_job_t *sj)
{
    int                    rc;
    int64_t                now_us;
    uint64_t               version;
    commerce_order_t      *order;
    commerce_reader_t      reader;
    commerce_ledger_t      ledger;
    commerce_reason_t      reason;
    ngx_commerce_job_t    *job;

    job = sj->job;
    commerce_txn_init(&job->txn, &job->arena);

    order = commerce_alloc(&job->arena, sizeof(commerce_order_t));

    if (order == NULL
        || ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK)
    {
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    now_us = ngx_commerce_now_us();

    reader.arena = &job->arena;
    reader.shop = sj->step.shop;

    ledger.reader = &reader;
    ledger.txn = &job->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = now_us / 1000000;
    ledger.now_us = now_us;

    rc = commerce_order_read(&reader, sj->step.user, sj->step.key, order, &version);
    reason = COMMERCE_R(ORDER_UNKNOWN);

    if (rc == COMMERCE_OK) {
        reason = commerce_ledger_step(&ledger, order, version, sj->step.step, &sj->step.answer);
    }

    commerce_view_end(reader.view);

    if (rc == COMMERCE_ERROR || reason == COMMERCE_R(INTERNAL) || job->txn.failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: step \"%s\" of an order failed", commerce_step_name(sj->step.step));
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    if (reason == COMMERCE_R(AMOUNT_MISMATCH) || reason == COMMERCE_R(COUPON_RESERVATION_LOST)) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: %s: order key \"%*s\"", commerce_reason(reason)->name.data,
                      order->key.len, order->key.data);
    }

    ngx_commerce_count(reason);

    if (job->txn.count == 0) {
        ngx_commerce_job_free(job);
        return NGX_OK;
    }

    job->data = sj;
    job->patient = 1;
    job->done = ngx_commerce_order_step_done;

    if (ngx_commerce_job_submit(job) != NGX_OK) {
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what could not be written is found again: the sweep sees the order's in-flight time end */

static void
ngx_commerce_order_step_done(ngx_commerce_job_t *job)
{
    ngx_commerce_step_job_t  *sj = job->data;

    if (job->txn.result == COMMERCE_TXN_CONFLICT && ++sj->step.attempts < NGX_COMMERCE_ATTEMPTS * 2) {
        (void) ngx_commerce_order_step(&sj->step);
        return;
    }

    if (job->txn.result != COMMERCE_TXN_APPLIED) {
        ngx_log_error(NGX_LOG_WARN, ngx_commerce_worker->cycle->log, 0,
                      "commerce: step \"%s\" of an order was not written, the sweep will look at it",
                      commerce_step_name(sj->step.step));
    }
}


/* configuration */

static ngx_commerce_order_conf_t *
ngx_commerce_order_conf(ngx_conf_t *cf, ngx_commerce_loc_conf_t *lcf)
{
    if (lcf->order == NULL) {
        lcf->order = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_order_conf_t));
        if (lcf->order == NULL) {
            return NULL;
        }

        lcf->order_file = cf->conf_file->file.name.data;
        lcf->order_line = cf->conf_file->line;

        lcf->order->unit = COMMERCE_UNIT_FEN;
        lcf->order->in_flight = 75;
        lcf->order->body = 65536;
        lcf->order->success_status = NGX_HTTP_OK;
    }

    return lcf->order;
}


char *
ngx_commerce_order_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->order_set) {
        return "is duplicate";
    }

    oc->order_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_commerce_order_param(cf, &value[i], oc);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (oc->key.type == 0) {
        return "needs key=, for example key=$http_idempotency_key or key=json:/client_key";
    }

    oc->reads_body = (oc->key.type == NGX_COMMERCE_SOURCE_BODY || oc->lines.data);

    return NGX_CONF_OK;
}


static char *
ngx_commerce_order_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc)
{
    ssize_t    size;
    ngx_str_t  s;

    if (ngx_strncmp(word->data, "key=", 4) == 0) {
        s.data = word->data + 4;
        s.len = word->len - 4;
        return ngx_commerce_source_compile(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                           &oc->key);
    }

    if (ngx_strncmp(word->data, "lines=json:", 11) == 0) {
        return ngx_commerce_order_pointer(cf, word, 11, &oc->lines);
    }

    if (ngx_strncmp(word->data, "id=response:", 12) == 0) {
        return ngx_commerce_order_pointer(cf, word, 12, &oc->id);
    }

    if (ngx_strncmp(word->data, "payable=response:", 17) == 0) {
        return ngx_commerce_order_pointer(cf, word, 17, &oc->payable);
    }

    if (ngx_strncmp(word->data, "freight=response:", 17) == 0) {
        return ngx_commerce_order_pointer(cf, word, 17, &oc->freight);
    }

    if (ngx_strcmp(word->data, "unit=fen") == 0) {
        oc->unit = COMMERCE_UNIT_FEN;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "unit=yuan") == 0) {
        oc->unit = COMMERCE_UNIT_YUAN;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "in_flight=", 10) == 0) {
        s.data = word->data + 10;
        s.len = word->len - 10;
        oc->in_flight = ngx_parse_time(&s, 1);

        if (oc->in_flight != (time_t) NGX_ERROR && oc->in_flight > 0) {
            return NGX_CONF_OK;
        }
    }

    if (ngx_strncmp(word->data, "body=", 5) == 0) {
        s.data = word->data + 5;
        s.len = word->len - 5;
        size = ngx_parse_size(&s);

        if (size != NGX_ERROR && size >= 1024 && size <= 1048576) {
            oc->body = (size_t) size;
            return NGX_CONF_OK;
        }
    }

    return ngx_commerce_order_invalid(cf, word,
        "key=, lines=json:/p, id=response:/p, payable=response:/p, freight=response:/p, "
        "unit=fen|yuan, in_flight=time, body=size (1k to 1m)");
}


static char *
ngx_commerce_order_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"%V\", allowed: %s", word,
                       &((ngx_str_t *) cf->args->elts)[0], allowed);
    return NGX_CONF_ERROR;
}


static char *
ngx_commerce_order_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *pointer)
{
    pointer->data = (char *) word->data + prefix;
    pointer->len = word->len - prefix;

    if (pointer->len == 0 || !commerce_json_pointer_valid(*pointer)) {
        return ngx_commerce_order_invalid(cf, word, "a JSON pointer such as /member/0/member");
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_line_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    size_t                      prefix;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    commerce_str_t             *pointer;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->line_set) {
        return "is duplicate";
    }

    oc->line_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "id=", 3) == 0) {
            pointer = &oc->line_id;
            prefix = 3;

        } else if (ngx_strncmp(value[i].data, "qty=", 4) == 0) {
            pointer = &oc->line_quantity;
            prefix = 4;

        } else if (ngx_strncmp(value[i].data, "price=", 6) == 0) {
            pointer = &oc->line_price;
            prefix = 6;

        } else if (ngx_strncmp(value[i].data, "amount=", 7) == 0) {
            pointer = &oc->line_amount;
            prefix = 7;

        } else {
            return ngx_commerce_order_invalid(cf, &value[i], "id=/p, qty=/p, price=/p or amount=/p");
        }

        rv = ngx_commerce_order_pointer(cf, &value[i], prefix, pointer);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (oc->line_id.data == NULL) {
        return "needs id=/pointer";
    }

    if (oc->line_price.data && oc->line_amount.data) {
        return "takes price= (of one piece) or amount= (of the line), not both";
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_success_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                     *colon;
    ngx_int_t                   status;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->success_set) {
        return "is duplicate";
    }

    oc->success_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "status=", 7) == 0) {
            status = ngx_atoi(value[i].data + 7, value[i].len - 7);

            if (status >= 200 && status <= 299) {
                oc->success_status = (ngx_uint_t) status;
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "json=", 5) == 0) {
            colon = (u_char *) ngx_strchr(value[i].data, ':');

            if (colon) {
                oc->success_pointer.data = (char *) value[i].data + 5;
                oc->success_pointer.len = colon - value[i].data - 5;
                oc->success_word.data = (char *) colon + 1;
                oc->success_word.len = value[i].data + value[i].len - colon - 1;

                if (oc->success_pointer.len && commerce_json_pointer_valid(oc->success_pointer)) {
                    continue;
                }
            }
        }

        return ngx_commerce_order_invalid(cf, &value[i], "status=200..299, json=/pointer:word");
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_notice_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    size_t                       prefix;
    ngx_str_t                   *value, s;
    ngx_uint_t                   i;
    ngx_commerce_source_t       *source;
    ngx_commerce_notice_conf_t  *nc;

    nc = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_notice_conf_t));
    if (nc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    nc->step = ngx_strcmp(value[0].data, "commerce_order_confirm") == 0
               ? COMMERCE_STEP_PAID : COMMERCE_STEP_CANCELLED;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "id=", 3) == 0) {
            source = &nc->id;
            prefix = 3;

        } else if (ngx_strncmp(value[i].data, "key=", 4) == 0) {
            source = &nc->key;
            prefix = 4;

        } else if (ngx_strncmp(value[i].data, "user=", 5) == 0) {
            source = &nc->user;
            prefix = 5;

        } else {
            return ngx_commerce_order_invalid(cf, &value[i], "id=, or key= with user=");
        }

        s.data = value[i].data + prefix;
        s.len = value[i].len - prefix;

        rv = ngx_commerce_source_compile(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                         source);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if ((nc->id.type == 0) == (nc->key.type == 0)) {
        return "needs either id= or key=";
    }

    return ngx_commerce_action(cf, ngx_commerce_notice, nc) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}
