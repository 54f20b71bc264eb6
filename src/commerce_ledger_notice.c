/*
 * Copyright (C) ngx_commerce authors
 *
 * Notices: whom they are about, what waits, and the joining of it.
 */

#include "commerce_ledger_unit.h"


static bool commerce_ledger_notice_sound(const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_hear(commerce_ledger_unit_t *unit,
    const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_hear_paid(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_named(commerce_ledger_unit_t *unit,
    const commerce_notice_t *notice, commerce_ledger_work_t **work);
static commerce_reason_t commerce_ledger_covered(commerce_ledger_unit_t *unit,
    const commerce_notice_t *notice, commerce_ledger_work_t **works, unsigned *count);
static commerce_reason_t commerce_ledger_apply(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_await(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_park(commerce_ledger_unit_t *unit,
    const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_keep(commerce_ledger_unit_t *unit,
    const commerce_parked_for_t *what, commerce_str_t buyer, const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_told(commerce_ledger_unit_t *unit,
    commerce_reason_t reason, commerce_told_t **told, unsigned *count);
static bool commerce_ledger_refused(commerce_reason_t reason);


commerce_reason_t
commerce_ledger_notice(commerce_ledger_t *ledger, commerce_notice_t *notice,
    commerce_told_t **told, unsigned *count)
{
    commerce_reason_t       reason, result;
    commerce_ledger_unit_t  unit;

    *told = NULL;
    *count = 0;

    if (!commerce_ledger_notice_sound(notice)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    notice->time = ledger->now;

    commerce_ledger_start(&unit, ledger);

    reason = commerce_ledger_hear(&unit, notice);

    if (!commerce_ledger_refused(reason)) {
        result = commerce_ledger_finish(&unit);
        reason = result == COMMERCE_R(OK) ? commerce_ledger_told(&unit, reason, told, count)
                                          : result;
    }

    if (commerce_ledger_refused(reason) && !ledger->txn->failed) {
        commerce_txn_init(ledger->txn, ledger->txn->arena);
    }

    return unit.failed ? COMMERCE_R(INTERNAL) : reason;
}


/* what could not be stored, found again or told must not be taken */

static bool
commerce_ledger_notice_sound(const commerce_notice_t *notice)
{
    unsigned              i;
    const commerce_str_t  texts[] = {
        notice->id, notice->user, notice->key, notice->payment, notice->transaction, notice->refund
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].len != 0 && !commerce_id_valid(texts[i])) {
            return false;
        }
    }

    for (i = 0; i < notice->line_count; i++) {
        if (notice->lines[i].sku.len != 0 && !commerce_id_valid(notice->lines[i].sku)) {
            return false;
        }
    }

    if (notice->id.len == 0 && notice->key.len == 0 && notice->payment.len == 0
        && notice->transaction.len == 0)
    {
        return false;
    }

    switch (notice->kind) {

    case COMMERCE_STEP_PAID:
        return notice->amount < 0 || notice->payment.len != 0 || notice->transaction.len != 0;

    case COMMERCE_STEP_REFUNDED:
        return notice->refund.len != 0 && notice->line_count <= COMMERCE_LINES_MAX;

    case COMMERCE_STEP_CANCELLED:
    case COMMERCE_STEP_SETTLED:
        return true;

    default:
        return false;
    }
}


static bool
commerce_ledger_refused(commerce_reason_t reason)
{
    return commerce_reason(reason)->class == COMMERCE_CLASS_DENY;
}


/* OK and ORDER_REPLAY: the orders' works say more; ORDER_UNKNOWN: it waits; or a refusal */

static commerce_reason_t
commerce_ledger_hear(commerce_ledger_unit_t *unit, const commerce_notice_t *notice)
{
    unsigned                 i, count;
    commerce_reason_t        reason;
    commerce_ledger_work_t  *work, *works[COMMERCE_PAYMENT_ORDERS_MAX];

    reason = commerce_ledger_named(unit, notice, &work);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (notice->kind == COMMERCE_STEP_PAID) {
        return commerce_ledger_hear_paid(unit, work, notice);
    }

    works[0] = work;
    count = (work != NULL);

    if (work == NULL) {
        reason = commerce_ledger_covered(unit, notice, works, &count);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    if (count == 0) {
        return commerce_ledger_park(unit, notice);
    }

    if (count > 1 && notice->kind == COMMERCE_STEP_REFUNDED) {
        return COMMERCE_R(ORDER_AMBIGUOUS);
    }

    for (i = 0; i < count; i++) {
        reason = commerce_ledger_apply(unit, works[i], notice);

        if (commerce_ledger_refused(reason)) {
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


/* the money is noted as soon as its payment is named, whoever it turns out to be for */

static commerce_reason_t
commerce_ledger_hear_paid(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice)
{
    commerce_reason_t  reason;

    if (work == NULL && notice->id.len != 0) {
        reason = commerce_ledger_park(unit, notice);

        if (commerce_ledger_refused(reason) || notice->payment.len == 0) {
            return reason;
        }
    }

    reason = commerce_ledger_receive(unit, work, notice);

    if (commerce_ledger_refused(reason)) {
        return reason;
    }

    if (unit->works == NULL && notice->payment.len == 0) {
        return COMMERCE_R(ORDER_NOT_FOUND);
    }

    return (unit->works == NULL || (work == NULL && notice->id.len != 0))
           ? COMMERCE_R(ORDER_UNKNOWN) : COMMERCE_R(OK);
}


/* by key or by id; *work NULL: not by these, or nobody has this id */

static commerce_reason_t
commerce_ledger_named(commerce_ledger_unit_t *unit, const commerce_notice_t *notice,
    commerce_ledger_work_t **work)
{
    int             rc;
    commerce_str_t  user, key;

    *work = NULL;

    if (notice->key.len != 0) {
        *work = commerce_ledger_order(unit, notice->user, notice->key);

        return *work != NULL ? COMMERCE_R(OK)
               : unit->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(ORDER_NOT_FOUND);
    }

    rc = commerce_order_owner(unit->ledger->reader, notice->id, &user, &key);

    if (rc == COMMERCE_OK) {
        *work = commerce_ledger_order(unit, user, key);
        rc = *work != NULL ? COMMERCE_OK : COMMERCE_ERROR;
    }

    return rc == COMMERCE_ERROR ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


/*
 * By payment or transaction.  Where an id is named that nobody has, the payment's only order may be meant, if
 * it has no id at all.
 */

static commerce_reason_t
commerce_ledger_covered(commerce_ledger_unit_t *unit, const commerce_notice_t *notice,
    commerce_ledger_work_t **works, unsigned *count)
{
    unsigned                        i;
    commerce_str_t                  id;
    commerce_payment_order_t        alone, *orders;
    commerce_ledger_work_t         *work;
    commerce_ledger_payment_t      *payment;
    commerce_ledger_transaction_t  *transaction;

    id = notice->payment;
    alone = (commerce_payment_order_t) { commerce_string(""), commerce_string(""), 0 };

    if (id.len == 0 && notice->transaction.len != 0) {
        transaction = commerce_ledger_transaction(unit, notice->transaction);
        if (transaction == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        id = transaction->owner.payment;
        alone.user = transaction->owner.user;
        alone.key = transaction->owner.key;
    }

    orders = &alone;
    *count = (alone.key.len != 0);

    if (id.len != 0) {
        payment = commerce_ledger_payment(unit, id);
        if (payment == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        orders = payment->payment.orders;
        *count = payment->payment.order_count;
    }

    for (i = 0; i < *count; i++) {
        works[i] = work = commerce_ledger_order(unit, orders[i].user, orders[i].key);

        if (work == NULL) {
            return unit->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(ORDER_NOT_FOUND);
        }
    }

    if (notice->id.len != 0 && (*count != 1 || works[0]->order->id.len != 0)) {
        *count = 0;
    }

    return COMMERCE_R(OK);
}


/* OK, ORDER_REPLAY, ORDER_NOT_PAID (it waits), or a refusal; the work's reason says more */

static commerce_reason_t
commerce_ledger_apply(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice)
{
    commerce_effect_t  effect;
    commerce_order_t  *order = work->order;

    switch (notice->kind) {

    case COMMERCE_STEP_PAID:
        return commerce_ledger_receive(unit, work, notice);

    case COMMERCE_STEP_CANCELLED:
        effect = commerce_ledger_move(work, COMMERCE_STEP_CANCELLED, NULL, false);

        if (effect.changed) {
            commerce_ledger_join_order(unit, work);
        }

        return COMMERCE_R(OK);

    case COMMERCE_STEP_REFUNDED:
        if (!order->paid
            && (order->state != COMMERCE_ORDER_CANCELLED || order->receipt_count == 0))
        {
            return commerce_ledger_await(unit, work, notice);
        }

        return commerce_ledger_refund(unit, work, notice);

    default:
        if (!order->paid && order->state != COMMERCE_ORDER_CANCELLED) {
            return commerce_ledger_await(unit, work, notice);
        }

        (void) commerce_ledger_move(work, COMMERCE_STEP_SETTLED, NULL, false);

        return COMMERCE_R(OK);
    }
}


/* for its payment; the order's record is written, too, so that whoever pays it now conflicts */

static commerce_reason_t
commerce_ledger_await(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice)
{
    commerce_reason_t      reason;
    commerce_parked_for_t  what;

    what.kind = COMMERCE_PARKED_ORDER;
    what.user = work->order->user;
    what.name = work->order->key;

    reason = commerce_ledger_keep(unit, &what, work->order->pseudonym, notice);

    if (commerce_ledger_refused(reason)) {
        return reason;
    }

    work->changed = work->changed || reason == COMMERCE_R(OK);
    commerce_ledger_note(work, COMMERCE_R(ORDER_NOT_PAID));

    return COMMERCE_R(ORDER_NOT_PAID);
}


/* for an order, a payment or a transaction that nobody knows */

static commerce_reason_t
commerce_ledger_park(commerce_ledger_unit_t *unit, const commerce_notice_t *notice)
{
    commerce_reason_t               reason;
    commerce_parked_for_t           what;
    commerce_ledger_payment_t      *payment;
    commerce_ledger_transaction_t  *transaction;

    memset(&what, 0, sizeof(commerce_parked_for_t));

    what.kind = notice->id.len != 0 ? COMMERCE_PARKED_ID
                : notice->payment.len != 0 ? COMMERCE_PARKED_PAYMENT : COMMERCE_PARKED_TRANSACTION;
    what.name = notice->id.len != 0 ? notice->id
                : notice->payment.len != 0 ? notice->payment : notice->transaction;

    reason = commerce_ledger_keep(unit, &what, commerce_string(""), notice);

    if (reason != COMMERCE_R(OK)) {
        return commerce_ledger_refused(reason) ? reason : COMMERCE_R(ORDER_UNKNOWN);
    }

    /* it may be turning up at this very moment: then this must not be parked beside it */

    switch (what.kind) {

    case COMMERCE_PARKED_ID:
        commerce_order_vacant(unit->ledger->txn, unit->ledger->reader->shop, what.name);
        break;

    case COMMERCE_PARKED_PAYMENT:
        payment = commerce_ledger_payment(unit, what.name);
        if (payment == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        payment->dirty = true;
        break;

    default:
        transaction = commerce_ledger_transaction(unit, what.name);
        if (transaction == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        commerce_transaction_compare(unit->ledger->txn, unit->ledger->reader->shop, what.name,
                                     transaction->version);
    }

    return COMMERCE_R(ORDER_UNKNOWN);
}


static commerce_reason_t
commerce_ledger_keep(commerce_ledger_unit_t *unit, const commerce_parked_for_t *what, commerce_str_t buyer,
    const commerce_notice_t *notice)
{
    commerce_reason_t          reason;
    commerce_ledger_parked_t  *parked;

    parked = commerce_ledger_parked(unit, what);
    if (parked == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_notice_park(unit->ledger->txn->arena, &parked->parked, notice);

    if (reason == COMMERCE_R(OK)) {
        if (!commerce_parked_fits(&parked->parked)) {
            return COMMERCE_R(NOTICE_LIMIT);
        }

        parked->dirty = true;
        commerce_ledger_parked_event(unit, what, buyer, notice, COMMERCE_LEDGER_PARKED);
    }

    return reason;
}


/*
 * The list is taken out first: what is refused, or has to go on waiting, goes back into it or into another.  A
 * refusal cannot be told to whoever sent the notice any more: it is told in the log, and the notice stays.
 */

void
commerce_ledger_join(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_parked_for_t *what)
{
    unsigned                   i;
    commerce_parked_t          waiting;
    commerce_reason_t          reason, told;
    commerce_ledger_parked_t  *parked;

    parked = commerce_ledger_parked(unit, what);

    if (parked == NULL) {
        unit->failed = true;
        return;
    }

    waiting = parked->parked;

    if (waiting.count == 0) {
        return;
    }

    memset(&parked->parked, 0, sizeof(commerce_parked_t));
    parked->dirty = true;
    commerce_ledger_parked_event(unit, what, work->order->pseudonym, NULL, COMMERCE_LEDGER_JOINED);

    for (i = 0; i < waiting.count; i++) {
        told = work->reason;
        reason = commerce_ledger_apply(unit, work, &waiting.notices[i]);

        if (commerce_ledger_refused(reason)) {
            unit->failed = unit->failed || reason == COMMERCE_R(INTERNAL);
            commerce_ledger_order_event(work, "order", reason);
            reason = commerce_ledger_await(unit, work, &waiting.notices[i]);
        }

        /* where no more may wait, the log is the only place left for it */

        if (commerce_ledger_refused(reason)) {
            unit->failed = unit->failed || reason == COMMERCE_R(INTERNAL);
            commerce_ledger_parked_event(unit, what, work->order->pseudonym, &waiting.notices[i], COMMERCE_LEDGER_DROPPED);
        }

        /* that it goes on waiting is no news of what made us look */

        if (reason == COMMERCE_R(ORDER_NOT_PAID)) {
            work->reason = told;
        }
    }
}


void
commerce_ledger_join_order(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work)
{
    commerce_parked_for_t  what;

    what.kind = COMMERCE_PARKED_ORDER;
    what.user = work->order->user;
    what.name = work->order->key;

    commerce_ledger_join(unit, work, &what);
}


/* the orders in the order in which they were met; the notice's reason is that of the first which says something */

static commerce_reason_t
commerce_ledger_told(commerce_ledger_unit_t *unit, commerce_reason_t reason,
    commerce_told_t **told, unsigned *count)
{
    unsigned                 i, n;
    commerce_ledger_work_t  *work, all;

    n = 0;

    for (work = unit->works; work != NULL; work = work->next) {
        n++;
    }

    *told = commerce_alloc(unit->ledger->txn->arena, (n + 1) * sizeof(commerce_told_t));
    if (*told == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    *count = n;
    all.reason = COMMERCE_R(ORDER_REPLAY);

    for (work = unit->works, i = n; work != NULL; work = work->next) {
        (*told)[--i].order = work->order;
        (*told)[i].reason = work->lost ? COMMERCE_R(COUPON_RESERVATION_LOST) : work->reason;
    }

    for (i = 0; i < n; i++) {
        commerce_ledger_note(&all, (*told)[i].reason);
    }

    return reason == COMMERCE_R(ORDER_UNKNOWN) ? reason : all.reason;
}
