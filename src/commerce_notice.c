/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_notice.h"


static commerce_reason_t commerce_notice_compare(commerce_notice_t *kept,
    const commerce_notice_t *notice, bool *changed);
static bool commerce_notice_lines_equal(const commerce_notice_t *a, const commerce_notice_t *b);
static unsigned commerce_notice_rank(commerce_step_t kind);


static const struct {
    commerce_step_t  kind;
    const char      *name;
} commerce_notice_steps[] = {
    { COMMERCE_STEP_PAID, "paid" },
    { COMMERCE_STEP_CANCELLED, "cancelled" },
    { COMMERCE_STEP_REFUNDED, "refunded" },
    { COMMERCE_STEP_SETTLED, "settled" }
};


const char *
commerce_notice_name(commerce_step_t kind)
{
    unsigned  i;

    for (i = 0; i < sizeof(commerce_notice_steps) / sizeof(commerce_notice_steps[0]); i++) {
        if (commerce_notice_steps[i].kind == kind) {
            return commerce_notice_steps[i].name;
        }
    }

    return NULL;
}


int
commerce_notice_parse(commerce_str_t name, commerce_step_t *kind)
{
    unsigned  i;

    for (i = 0; i < sizeof(commerce_notice_steps) / sizeof(commerce_notice_steps[0]); i++) {
        if (commerce_equal(name, commerce_cstr(commerce_notice_steps[i].name))) {
            *kind = commerce_notice_steps[i].kind;
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


commerce_reason_t
commerce_notice_park(commerce_arena_t *arena, commerce_parked_t *parked,
    const commerce_notice_t *notice)
{
    bool                changed;
    unsigned            i, n;
    commerce_reason_t   reason;
    commerce_notice_t  *notices;

    n = parked->count;

    notices = commerce_alloc(arena, (n + 1) * sizeof(commerce_notice_t));
    if (notices == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    if (n != 0) {
        memcpy(notices, parked->notices, n * sizeof(commerce_notice_t));
    }

    for (i = 0; i < n; i++) {
        changed = false;
        reason = commerce_notice_compare(&notices[i], notice, &changed);

        if (reason != COMMERCE_R(OK) || changed) {
            parked->notices = notices;
            return reason;
        }
    }

    if (n >= COMMERCE_PARKED_MAX) {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    for (i = n; i > 0 && commerce_notice_rank(notices[i - 1].kind)
                         > commerce_notice_rank(notice->kind); i--)
    {
        notices[i] = notices[i - 1];
    }

    notices[i] = *notice;

    parked->notices = notices;
    parked->count = n + 1;

    return COMMERCE_R(OK);
}


/* OK: another one; the same with an amount that was not named before: *changed */

static commerce_reason_t
commerce_notice_compare(commerce_notice_t *kept, const commerce_notice_t *notice, bool *changed)
{
    if (kept->kind != notice->kind) {
        return COMMERCE_R(OK);
    }

    switch (notice->kind) {

    case COMMERCE_STEP_REFUNDED:
        if (!commerce_equal(kept->refund, notice->refund)) {
            return COMMERCE_R(OK);
        }

        return kept->amount == notice->amount && kept->freight == notice->freight
               && commerce_notice_lines_equal(kept, notice)
               ? COMMERCE_R(ORDER_REPLAY) : COMMERCE_R(REFUND_KEY_REUSED);

    case COMMERCE_STEP_PAID:
        if (!commerce_equal(kept->transaction, notice->transaction)
            || (notice->transaction.len == 0 && !commerce_equal(kept->payment, notice->payment)))
        {
            return COMMERCE_R(OK);
        }

        if (kept->payment.len != 0 && notice->payment.len != 0
            && !commerce_equal(kept->payment, notice->payment))
        {
            return COMMERCE_R(TRANSACTION_REUSED);
        }

        if (kept->amount >= 0 && notice->amount >= 0 && kept->amount != notice->amount) {
            return COMMERCE_R(TRANSACTION_REUSED);
        }

        if (kept->amount < 0 && notice->amount >= 0) {
            kept->amount = notice->amount;
            *changed = true;
        }

        if (kept->payment.len == 0 && notice->payment.len != 0) {
            kept->payment = notice->payment;
            *changed = true;
        }

        return *changed ? COMMERCE_R(OK) : COMMERCE_R(ORDER_REPLAY);

    default:
        return COMMERCE_R(ORDER_REPLAY);
    }
}


static bool
commerce_notice_lines_equal(const commerce_notice_t *a, const commerce_notice_t *b)
{
    unsigned                       i;
    const commerce_refund_line_t  *p, *q;

    if (a->line_count != b->line_count) {
        return false;
    }

    for (i = 0; i < a->line_count; i++) {
        p = &a->lines[i];
        q = &b->lines[i];

        if (!commerce_equal(p->sku, q->sku) || p->line != q->line || p->amount != q->amount
            || p->quantity != q->quantity)
        {
            return false;
        }
    }

    return true;
}


/* whoever cancelled knows more than whoever paid; nothing is refunded or settled before it is paid */

static unsigned
commerce_notice_rank(commerce_step_t kind)
{
    switch (kind) {

    case COMMERCE_STEP_CANCELLED:
        return 0;

    case COMMERCE_STEP_PAID:
        return 1;

    case COMMERCE_STEP_REFUNDED:
        return 2;

    default:
        return 3;
    }
}
