/*
 * Copyright (C) ngx_commerce authors
 *
 * Money that comes: for an order alone, or through a payment that covers several.
 */

#include "commerce_keyring.h"
#include "commerce_ledger_unit.h"


#define COMMERCE_LEDGER_PAYMENT_EVENT  512      /* a payment's own members but its number */
#define COMMERCE_LEDGER_PAYMENT_PART   128      /* the same of a transaction, an order */
#define COMMERCE_LEDGER_ESCAPE         6


static commerce_reason_t commerce_ledger_whose(commerce_ledger_unit_t *unit,
    const commerce_ledger_work_t *work, const commerce_ledger_transaction_t *transaction,
    commerce_str_t *payment);
static commerce_reason_t commerce_ledger_receive_alone(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, commerce_ledger_transaction_t *transaction,
    const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_receive_payment(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, commerce_ledger_payment_t *payment,
    commerce_ledger_transaction_t *transaction, const commerce_notice_t *notice);
static commerce_reason_t commerce_ledger_adopt(commerce_ledger_unit_t *unit,
    commerce_ledger_payment_t *payment, commerce_ledger_transaction_t *transaction,
    commerce_fen_t amount);
static bool commerce_ledger_place(commerce_ledger_unit_t *unit,
    commerce_ledger_payment_t *payment, const commerce_order_t *order);
static commerce_reason_t commerce_ledger_give(commerce_ledger_unit_t *unit,
    commerce_ledger_payment_t *payment);
static void commerce_ledger_join_named(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work, commerce_str_t payment, commerce_str_t transaction);
static size_t commerce_ledger_payment_event_size(const commerce_payment_t *payment);
static void commerce_ledger_payment_order(commerce_ledger_unit_t *unit, commerce_write_t *w,
    const commerce_payment_t *payment, const commerce_payment_order_t *place);
static void commerce_ledger_payment_fen(commerce_write_t *w, const char *name, commerce_fen_t fen);


commerce_reason_t
commerce_ledger_receive(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice)
{
    commerce_str_t                  id;
    commerce_effect_t               effect;
    commerce_reason_t               reason;
    commerce_ledger_payment_t      *payment;
    commerce_ledger_transaction_t  *transaction;

    id = notice->payment;
    transaction = NULL;

    if (notice->transaction.len != 0) {
        transaction = commerce_ledger_transaction(unit, notice->transaction);
        if (transaction == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        reason = commerce_ledger_whose(unit, work, transaction, &id);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    if (id.len != 0) {
        payment = commerce_ledger_payment(unit, id);

        return payment == NULL ? COMMERCE_R(INTERNAL)
               : commerce_ledger_receive_payment(unit, work, payment, transaction, notice);
    }

    if (work == NULL && transaction != NULL && transaction->known) {
        work = commerce_ledger_order(unit, transaction->owner.user, transaction->owner.key);
    }

    if (work == NULL) {
        return COMMERCE_R(ORDER_REPLAY);
    }

    if (transaction != NULL) {
        return commerce_ledger_receive_alone(unit, work, transaction, notice);
    }

    effect = commerce_ledger_move(work, COMMERCE_STEP_PAID, NULL, false);

    if (effect.changed) {
        commerce_ledger_join_order(unit, work);
    }

    return effect.changed ? COMMERCE_R(OK) : COMMERCE_R(ORDER_REPLAY);
}


/* a transaction that is known belongs to one payment, or to one order alone, for ever */

static commerce_reason_t
commerce_ledger_whose(commerce_ledger_unit_t *unit, const commerce_ledger_work_t *work,
    const commerce_ledger_transaction_t *transaction, commerce_str_t *payment)
{
    commerce_ledger_payment_t           *known;
    const commerce_transaction_owner_t  *owner = &transaction->owner;

    if (!transaction->known) {
        return COMMERCE_R(OK);
    }

    if (owner->payment.len == 0) {
        return payment->len != 0 || work == NULL
               || (commerce_equal(owner->user, work->order->user)
                   && commerce_equal(owner->key, work->order->key))
               ? COMMERCE_R(OK) : COMMERCE_R(TRANSACTION_REUSED);
    }

    if (payment->len != 0) {
        return commerce_equal(owner->payment, *payment) ? COMMERCE_R(OK)
                                                        : COMMERCE_R(TRANSACTION_REUSED);
    }

    *payment = owner->payment;
    known = commerce_ledger_payment(unit, owner->payment);

    if (known == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    return work == NULL
           || commerce_payment_covers(&known->payment, work->order->user, work->order->key) != NULL
           ? COMMERCE_R(OK) : COMMERCE_R(TRANSACTION_REUSED);
}


static commerce_reason_t
commerce_ledger_receive_alone(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    commerce_ledger_transaction_t *transaction, const commerce_notice_t *notice)
{
    bool               fresh;
    commerce_reason_t  reason;

    reason = commerce_payment_receive(unit->ledger->txn->arena, work->order, transaction->id,
                                      notice->amount, notice->time);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    fresh = !transaction->known;

    if (fresh) {
        transaction->owner.user = work->order->user;
        transaction->owner.key = work->order->key;
        transaction->known = true;
        transaction->dirty = true;
    }

    commerce_ledger_pay(unit, work);

    if (fresh) {
        commerce_ledger_join_named(unit, work, commerce_string(""), transaction->id);
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
commerce_ledger_receive_payment(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    commerce_ledger_payment_t *payment, commerce_ledger_transaction_t *transaction,
    const commerce_notice_t *notice)
{
    bool                      first, fresh;
    commerce_reason_t         reason, given;
    commerce_payment_t       *p = &payment->payment;
    commerce_ledger_work_t   *covered;

    first = (p->order_count == 0);
    fresh = (transaction != NULL && !transaction->known);

    /* refused is refused: nothing is changed before it is known that all of it can be */

    if (work != NULL && p->order_count + 2 > COMMERCE_PAYMENT_ORDERS_MAX
        && commerce_payment_covers(p, work->order->user, work->order->key) == NULL)
    {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    if (transaction != NULL && transaction->known && transaction->owner.payment.len == 0) {
        reason = commerce_ledger_adopt(unit, payment, transaction, notice->amount);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    reason = commerce_payment_add(unit->ledger->txn->arena, p, notice->transaction,
                                  notice->amount, notice->time);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(ORDER_REPLAY)) {
        return reason;
    }

    if (work != NULL && !commerce_ledger_place(unit, payment, work->order)) {
        return COMMERCE_R(INTERNAL);
    }

    payment->dirty = payment->dirty || reason == COMMERCE_R(OK);

    if (fresh) {
        transaction->owner.payment = p->id;
        transaction->known = true;
        transaction->dirty = true;
    }

    given = commerce_ledger_give(unit, payment);

    if (given != COMMERCE_R(OK)) {
        return given;
    }

    /* what waited for it is told to the order, if it is one order's */

    covered = work != NULL ? work
              : p->order_count == 1 ? commerce_ledger_order(unit, p->orders[0].user,
                                                            p->orders[0].key) : NULL;

    if (covered != NULL) {
        commerce_ledger_join_named(unit, covered, first ? p->id : commerce_string(""),
                                   fresh ? transaction->id : commerce_string(""));
    }

    return reason;
}


/* it was told of without its payment before: the order that it was for is one of the payment's */

static commerce_reason_t
commerce_ledger_adopt(commerce_ledger_unit_t *unit, commerce_ledger_payment_t *payment,
    commerce_ledger_transaction_t *transaction, commerce_fen_t amount)
{
    commerce_order_t         order;
    commerce_reason_t        reason;
    commerce_arena_t        *arena = unit->ledger->txn->arena;
    commerce_transaction_t   taken;
    commerce_ledger_work_t  *work;

    work = commerce_ledger_order(unit, transaction->owner.user, transaction->owner.key);
    if (work == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    order = *work->order;

    if (!commerce_payment_withdraw(arena, &order, transaction->id, &taken)) {
        return COMMERCE_R(INTERNAL);
    }

    if (amount >= 0 && taken.amount >= 0 && amount != taken.amount) {
        return COMMERCE_R(TRANSACTION_REUSED);
    }

    reason = commerce_payment_add(arena, &payment->payment, taken.id, taken.amount, taken.time);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(ORDER_REPLAY)) {
        return reason;
    }

    if (!commerce_ledger_place(unit, payment, work->order)) {
        return COMMERCE_R(INTERNAL);
    }

    *work->order = order;
    work->changed = true;
    payment->dirty = true;

    transaction->owner = (commerce_transaction_owner_t) {
        payment->payment.id, commerce_string(""), commerce_string("")
    };
    transaction->dirty = true;

    return COMMERCE_R(OK);
}


static bool
commerce_ledger_place(commerce_ledger_unit_t *unit, commerce_ledger_payment_t *payment,
    const commerce_order_t *order)
{
    unsigned  n;

    n = payment->payment.order_count;

    if (commerce_payment_cover(unit->ledger->txn->arena, &payment->payment, order->user,
                               order->key) == NULL)
    {
        return false;
    }

    payment->dirty = payment->dirty || payment->payment.order_count != n;

    return true;
}


/* each of the payment's orders gets its share; one whose record is gone keeps what it got */

static commerce_reason_t
commerce_ledger_give(commerce_ledger_unit_t *unit, commerce_ledger_payment_t *payment)
{
    unsigned                   i;
    commerce_fen_t             given;
    commerce_reason_t          reason;
    commerce_ledger_work_t    *work;
    commerce_payment_order_t  *place;

    for (i = 0; i < payment->payment.order_count; i++) {
        place = &payment->payment.orders[i];
        work = commerce_ledger_order(unit, place->user, place->key);

        if (work == NULL) {
            continue;
        }

        given = place->given;
        reason = commerce_payment_give(unit->ledger->txn->arena, &payment->payment, place,
                                       work->order, unit->ledger->now);

        payment->dirty = payment->dirty || place->given != given;

        if (reason == COMMERCE_R(OK)) {
            commerce_ledger_pay(unit, work);

        } else if (reason != COMMERCE_R(ORDER_REPLAY)) {
            return reason;
        }
    }

    return unit->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


void
commerce_ledger_cover(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    commerce_str_t id)
{
    bool                        first;
    commerce_ledger_payment_t  *payment;

    payment = commerce_ledger_payment(unit, id);

    if (payment == NULL) {
        unit->failed = true;
        return;
    }

    first = (payment->payment.order_count == 0);

    if (!commerce_ledger_place(unit, payment, work->order)) {
        commerce_ledger_order_event(work, "order", COMMERCE_R(NOTICE_LIMIT));
        commerce_ledger_note(work, COMMERCE_R(NOTICE_LIMIT));
        return;
    }

    if (commerce_ledger_give(unit, payment) == COMMERCE_R(NOTICE_LIMIT)) {
        commerce_ledger_note(work, COMMERCE_R(NOTICE_LIMIT));
    }

    if (first) {
        commerce_ledger_join_named(unit, work, id, commerce_string(""));
    }
}


void
commerce_ledger_pay(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work)
{
    commerce_effect_t   effect;
    commerce_reason_t   reason;
    commerce_order_t   *order = work->order;

    work->changed = true;

    switch (order->state) {

    case COMMERCE_ORDER_PAID:
    case COMMERCE_ORDER_REFUNDED:
    case COMMERCE_ORDER_SETTLED:
        if (commerce_payment_received(order) == commerce_payment_received(work->before)) {
            return;                 /* whose money it is, is all that is new */
        }

        reason = commerce_payment_excess(order) > 0 ? COMMERCE_R(PAYMENT_EXCESS)
                                                    : COMMERCE_R(OK);
        commerce_ledger_order_event(work, "order", reason);
        commerce_ledger_note(work, reason);
        return;

    case COMMERCE_ORDER_CANCELLED:
        effect = commerce_ledger_move(work, COMMERCE_STEP_PAID, NULL, false);

        if (!effect.changed) {
            commerce_ledger_order_event(work, "order", COMMERCE_R(ORDER_CLOSED));
        }

        break;

    default:
        if (!commerce_payment_complete(order)) {
            (void) commerce_ledger_move(work, COMMERCE_STEP_PARTLY_PAID, NULL, false);
            return;
        }

        (void) commerce_ledger_move(work, COMMERCE_STEP_PAID, NULL, false);
    }

    commerce_ledger_join_order(unit, work);
}


static void
commerce_ledger_join_named(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    commerce_str_t payment, commerce_str_t transaction)
{
    commerce_parked_for_t  what;

    memset(&what, 0, sizeof(commerce_parked_for_t));

    if (payment.len != 0) {
        what.kind = COMMERCE_PARKED_PAYMENT;
        what.name = payment;
        commerce_ledger_join(unit, work, &what);
    }

    if (transaction.len != 0) {
        what.kind = COMMERCE_PARKED_TRANSACTION;
        what.name = transaction;
        commerce_ledger_join(unit, work, &what);
    }
}


void
commerce_ledger_payment_event(commerce_ledger_unit_t *unit, const commerce_payment_t *payment)
{
    char                          *buffer;
    size_t                         size;
    unsigned                       i;
    commerce_str_t                 body;
    commerce_write_t               w;
    commerce_ledger_t             *ledger = unit->ledger;
    const commerce_transaction_t  *transaction;

    if (payment->transaction_count == 0) {
        return;
    }

    size = commerce_ledger_payment_event_size(payment);
    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        unit->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "payment", ledger->reader->shop,
                         ledger->now_us);
    commerce_write_text(&w, "payment", payment->id);
    commerce_write_open(&w, "transactions", '[');

    for (i = 0; i < payment->transaction_count; i++) {
        transaction = &payment->transactions[i];

        commerce_write_open(&w, NULL, '{');
        commerce_write_optional(&w, "transaction", transaction->id);
        commerce_ledger_payment_fen(&w, "amount", transaction->amount);
        commerce_write_int(&w, "time", transaction->time);
        commerce_write_close(&w, '}');
    }

    commerce_write_close(&w, ']');
    commerce_write_open(&w, "orders", '[');

    for (i = 0; i < payment->order_count; i++) {
        if (payment->orders[i].key.len != 0) {
            commerce_ledger_payment_order(unit, &w, payment, &payment->orders[i]);
        }
    }

    commerce_write_close(&w, ']');

    body = commerce_event_finish(&w);

    if (body.len == 0) {
        unit->failed = true;
        return;
    }

    commerce_txn_event(ledger->txn, body);
}


static size_t
commerce_ledger_payment_event_size(const commerce_payment_t *payment)
{
    size_t    size;
    unsigned  i;

    size = COMMERCE_LEDGER_PAYMENT_EVENT + COMMERCE_LEDGER_ESCAPE * payment->id.len;

    for (i = 0; i < payment->transaction_count; i++) {
        size += COMMERCE_LEDGER_PAYMENT_PART
                + COMMERCE_LEDGER_ESCAPE * payment->transactions[i].id.len;
    }

    for (i = 0; i < payment->order_count; i++) {
        size += COMMERCE_LEDGER_PAYMENT_PART + COMMERCE_LEDGER_ESCAPE
                * (payment->orders[i].key.len + COMMERCE_PSEUDONYM_SIZE);
    }

    return size;
}


/* one whose record is gone is told without its buyer: nobody finds it by him */

static void
commerce_ledger_payment_order(commerce_ledger_unit_t *unit, commerce_write_t *w,
    const commerce_payment_t *payment, const commerce_payment_order_t *place)
{
    unsigned                 i;
    commerce_ledger_work_t  *work;

    work = commerce_ledger_order(unit, place->user, place->key);

    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "order_key", place->key);

    if (work != NULL) {
        commerce_write_optional(w, "buyer", work->order->pseudonym);
    }

    commerce_write_int(w, "given", place->given);

    for (i = 0; work != NULL && i < work->order->receipt_count; i++) {
        if (commerce_equal(work->order->receipts[i].payment, payment->id)) {
            commerce_ledger_payment_fen(w, "received", work->order->receipts[i].amount);
        }
    }

    commerce_write_close(w, '}');
}


static void
commerce_ledger_payment_fen(commerce_write_t *w, const char *name, commerce_fen_t fen)
{
    if (fen < 0) {
        commerce_write_null(w, name);

    } else {
        commerce_write_int(w, name, fen);
    }
}
