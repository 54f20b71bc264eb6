/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_unit.h"


#define COMMERCE_LEDGER_REFUND_EVENT  512       /* a refund's own members but its number */
#define COMMERCE_LEDGER_REFUND_LINE   24
#define COMMERCE_LEDGER_REFUND_TOLD   128       /* of a line that was named */
#define COMMERCE_LEDGER_ESCAPE        6


static commerce_reason_t commerce_ledger_refund_known(commerce_ledger_unit_t *unit,
    const commerce_refund_t *refund);
static void commerce_ledger_refund_write(commerce_ledger_unit_t *unit,
    const commerce_refund_t *refund);
static void commerce_ledger_refund_event(commerce_ledger_work_t *work,
    const commerce_refund_t *refund, const commerce_balance_t *before,
    const commerce_balance_t *after);
static size_t commerce_ledger_refund_event_size(const commerce_order_t *order,
    const commerce_refund_t *refund);
static void commerce_ledger_refund_told(commerce_write_t *w, const commerce_refund_t *refund);


commerce_reason_t
commerce_ledger_refund(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice)
{
    commerce_effect_t    effect;
    commerce_reason_t    reason;
    commerce_balance_t   before, after;
    commerce_refund_t   *refund;
    commerce_arena_t    *arena = unit->ledger->txn->arena;

    refund = commerce_alloc(arena, sizeof(commerce_refund_t));
    if (refund == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    refund->number = notice->refund;
    refund->user = work->order->user;
    refund->key = work->order->key;
    refund->amount = notice->amount;
    refund->freight = notice->freight;
    refund->lines = notice->lines;
    refund->line_count = notice->line_count;
    refund->time = notice->time;
    refund->late = (work->order->settled != 0);

    reason = commerce_refund_resolve(arena, work->order, refund);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_ledger_refund_known(unit, refund);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    commerce_refund_balance(work->order, &before);

    reason = commerce_refund_add(arena, work->order, refund);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    commerce_refund_balance(work->order, &after);
    work->changed = true;

    if (after.full) {
        effect = commerce_order_step(work->order, COMMERCE_STEP_REFUNDED, NULL, unit->ledger->now);
        commerce_ledger_coupons(work, effect.coupons, COMMERCE_R(OK));
    }

    commerce_ledger_refund_event(work, refund, &before, &after);
    commerce_ledger_refund_write(unit, refund);

    commerce_ledger_note(work, refund->late ? COMMERCE_R(REFUND_AFTER_SETTLE) : COMMERCE_R(OK));

    return COMMERCE_R(OK);
}


/* a number stands for one refund, for ever */

static commerce_reason_t
commerce_ledger_refund_known(commerce_ledger_unit_t *unit, const commerce_refund_t *refund)
{
    int                              rc;
    commerce_refund_t                found;
    const commerce_refund_t         *known;
    const commerce_ledger_number_t  *number;

    known = NULL;

    for (number = unit->refunds; number != NULL; number = number->next) {
        if (commerce_equal(number->refund->number, refund->number)) {
            known = number->refund;
        }
    }

    if (known == NULL) {
        rc = commerce_refund_read(unit->ledger->reader, refund->number, &found, NULL);

        if (rc == COMMERCE_ABSENT) {
            return COMMERCE_R(OK);
        }

        if (rc != COMMERCE_OK) {
            return COMMERCE_R(INTERNAL);
        }

        known = &found;
    }

    return commerce_refund_equal(known, refund) ? COMMERCE_R(ORDER_REPLAY)
                                                : COMMERCE_R(REFUND_KEY_REUSED);
}


static void
commerce_ledger_refund_write(commerce_ledger_unit_t *unit, const commerce_refund_t *refund)
{
    commerce_ledger_number_t  *number;

    number = commerce_alloc(unit->ledger->txn->arena, sizeof(commerce_ledger_number_t));

    if (number == NULL) {
        unit->failed = true;
        return;
    }

    number->refund = refund;
    number->next = unit->refunds;
    unit->refunds = number;

    commerce_refund_write(unit->ledger->txn, unit->ledger->reader->shop, refund, 0);
}


/* the order as it is now, and what this refund changed: adding a part can move a fen between lines */

static void
commerce_ledger_refund_event(commerce_ledger_work_t *work, const commerce_refund_t *refund,
    const commerce_balance_t *before, const commerce_balance_t *after)
{
    char               *buffer;
    size_t              size;
    unsigned            i;
    commerce_write_t    w;
    commerce_order_t   *order = work->order;
    commerce_ledger_t  *ledger = work->ledger;

    size = commerce_ledger_refund_event_size(order, refund);
    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        work->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "refund", ledger->reader->shop,
                         ledger->now_us);
    commerce_event_write_order(&w, order);

    commerce_write_open(&w, "refund", '{');
    commerce_write_text(&w, "number", refund->number);

    if (refund->amount < 0 && after->goods < 0) {
        commerce_write_null(&w, "amount");

    } else {
        commerce_write_int(&w, "amount", after->refunded_goods - before->refunded_goods
                                         + after->refunded_rest - before->refunded_rest);
    }

    commerce_write_int(&w, "rest", after->refunded_rest - before->refunded_rest);

    if (order->line_count != 0) {
        commerce_write_open(&w, "lines", '[');

        for (i = 0; i < order->line_count; i++) {
            commerce_write_int(&w, NULL, after->refunded[i] - before->refunded[i]);
        }

        commerce_write_close(&w, ']');
    }

    commerce_event_write_reversal(&w, order, before, after);
    commerce_ledger_refund_told(&w, refund);
    commerce_write_close(&w, '}');

    if (refund->late) {
        commerce_write_text(&w, "reason", commerce_reason(COMMERCE_R(REFUND_AFTER_SETTLE))->name);
    }

    commerce_ledger_add_event(work, &w);
}


static size_t
commerce_ledger_refund_event_size(const commerce_order_t *order, const commerce_refund_t *refund)
{
    size_t    size;
    unsigned  i;

    size = commerce_event_order_size(order) + commerce_event_commission_size(order)
           + COMMERCE_LEDGER_REFUND_EVENT
           + COMMERCE_LEDGER_ESCAPE * refund->number.len
           + COMMERCE_LEDGER_REFUND_LINE * order->line_count;

    for (i = 0; i < refund->line_count; i++) {
        size += COMMERCE_LEDGER_REFUND_TOLD + COMMERCE_LEDGER_ESCAPE * refund->lines[i].sku.len;
    }

    return size;
}


/* as it was told, on the order's lines: what the record of the refund is made from again */

static void
commerce_ledger_refund_told(commerce_write_t *w, const commerce_refund_t *refund)
{
    unsigned                       i;
    const commerce_refund_line_t  *line;

    commerce_write_open(w, "told", '{');

    if (refund->amount < 0) {
        commerce_write_null(w, "amount");

    } else {
        commerce_write_int(w, "amount", refund->amount);
    }

    commerce_write_int(w, "freight", refund->freight);

    if (refund->line_count != 0) {
        commerce_write_open(w, "lines", '[');

        for (i = 0; i < refund->line_count; i++) {
            line = &refund->lines[i];

            commerce_write_open(w, NULL, '{');
            commerce_write_int(w, "line", line->line);
            commerce_write_optional(w, "sku", line->sku);
            commerce_write_int(w, "amount", line->amount);
            commerce_write_int(w, "quantity", line->quantity);
            commerce_write_close(w, '}');
        }

        commerce_write_close(w, ']');
    }

    commerce_write_close(w, '}');
}
