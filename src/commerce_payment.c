/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_payment.h"


static commerce_reason_t commerce_payment_same(commerce_fen_t *known, commerce_fen_t amount);
static commerce_reason_t commerce_payment_unnumbered(commerce_payment_t *payment,
    commerce_fen_t amount);
static commerce_fen_t commerce_payment_share(const commerce_payment_t *payment,
    commerce_payment_order_t *place, const commerce_order_t *order);
static commerce_receipt_t *commerce_payment_receipt(const commerce_order_t *order,
    commerce_str_t payment, commerce_str_t transaction);
static commerce_receipt_t *commerce_payment_receipts(commerce_arena_t *arena,
    commerce_order_t *order, unsigned more);


commerce_reason_t
commerce_payment_add(commerce_arena_t *arena, commerce_payment_t *payment,
    commerce_str_t transaction, commerce_fen_t amount, commerce_time_t now)
{
    unsigned                 i, n;
    commerce_reason_t        reason;
    commerce_transaction_t  *t;

    n = payment->transaction_count;

    if (transaction.len == 0 && n != 0) {
        return commerce_payment_unnumbered(payment, amount);
    }

    for (i = 0; i < n; i++) {
        t = &payment->transactions[i];

        if (t->id.len != 0 && !commerce_equal(t->id, transaction)) {
            continue;
        }

        reason = commerce_payment_same(&t->amount, amount);

        if (reason != COMMERCE_R(TRANSACTION_REUSED) && t->id.len == 0) {
            t->id = transaction;
            return COMMERCE_R(OK);
        }

        return reason;
    }

    if (n == COMMERCE_TRANSACTIONS_MAX) {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    t = commerce_alloc(arena, (n + 1) * sizeof(commerce_transaction_t));
    if (t == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    if (n != 0) {
        memcpy(t, payment->transactions, n * sizeof(commerce_transaction_t));
    }

    t[n] = (commerce_transaction_t) { transaction, amount, now };

    payment->transactions = t;
    payment->transaction_count = n + 1;

    return COMMERCE_R(OK);
}


/* an amount that was not named before is news, another one than before is somebody's mistake */

static commerce_reason_t
commerce_payment_same(commerce_fen_t *known, commerce_fen_t amount)
{
    if (amount < 0 || *known == amount) {
        return COMMERCE_R(ORDER_REPLAY);
    }

    if (*known >= 0) {
        return COMMERCE_R(TRANSACTION_REUSED);
    }

    *known = amount;

    return COMMERCE_R(OK);
}


/* told of again, without a transaction's number this time: it can mean nothing but all that is known */

static commerce_reason_t
commerce_payment_unnumbered(commerce_payment_t *payment, commerce_fen_t amount)
{
    commerce_fen_t  brought;

    if (payment->transaction_count == 1) {
        return commerce_payment_same(&payment->transactions[0].amount, amount);
    }

    brought = commerce_payment_brought(payment);

    return (amount < 0 || brought < 0 || amount == brought) ? COMMERCE_R(ORDER_REPLAY)
                                                            : COMMERCE_R(TRANSACTION_REUSED);
}


commerce_payment_order_t *
commerce_payment_covers(const commerce_payment_t *payment, commerce_str_t user,
    commerce_str_t key)
{
    unsigned  i;

    for (i = 0; i < payment->order_count; i++) {
        if (commerce_equal(payment->orders[i].user, user)
            && commerce_equal(payment->orders[i].key, key))
        {
            return &payment->orders[i];
        }
    }

    return NULL;
}


commerce_payment_order_t *
commerce_payment_cover(commerce_arena_t *arena, commerce_payment_t *payment, commerce_str_t user,
    commerce_str_t key)
{
    unsigned                   n;
    commerce_payment_order_t  *place;

    place = commerce_payment_covers(payment, user, key);
    n = payment->order_count;

    if (place != NULL || n == COMMERCE_PAYMENT_ORDERS_MAX) {
        return place;
    }

    place = commerce_alloc(arena, (n + 1) * sizeof(commerce_payment_order_t));
    if (place == NULL) {
        return NULL;
    }

    if (n != 0) {
        memcpy(place, payment->orders, n * sizeof(commerce_payment_order_t));
    }

    place[n] = (commerce_payment_order_t) { user, key, 0 };

    payment->orders = place;
    payment->order_count = n + 1;

    return &place[n];
}


commerce_fen_t
commerce_payment_brought(const commerce_payment_t *payment)
{
    unsigned        i;
    commerce_fen_t  sum;

    sum = 0;

    for (i = 0; i < payment->transaction_count; i++) {
        if (payment->transactions[i].amount < 0) {
            return -1;
        }

        sum += payment->transactions[i].amount;
    }

    return sum;
}


commerce_reason_t
commerce_payment_give(commerce_arena_t *arena, commerce_payment_t *payment,
    commerce_payment_order_t *place, commerce_order_t *order, commerce_time_t now)
{
    commerce_fen_t           share;
    commerce_receipt_t      *receipt;
    commerce_transaction_t  *latest;

    if (payment->transaction_count == 0) {
        return COMMERCE_R(ORDER_REPLAY);
    }

    share = commerce_payment_share(payment, place, order);
    latest = &payment->transactions[payment->transaction_count - 1];
    receipt = commerce_payment_receipt(order, payment->id, commerce_string(""));

    if (receipt != NULL && receipt->amount == share
        && commerce_equal(receipt->transaction, latest->id))
    {
        return COMMERCE_R(ORDER_REPLAY);
    }

    if (receipt == NULL && order->receipt_count == COMMERCE_RECEIPTS_MAX) {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    if (commerce_payment_receipts(arena, order, receipt == NULL ? 1 : 0) == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    receipt = commerce_payment_receipt(order, payment->id, commerce_string(""));

    if (receipt == NULL) {
        receipt = &order->receipts[order->receipt_count++];
        receipt->payment = payment->id;
        receipt->time = now;

    } else if (receipt->amount != share) {
        receipt->time = now;
    }

    receipt->transaction = latest->id;
    receipt->amount = share;

    return COMMERCE_R(OK);
}


/* what the order has of the payment: what it needs, as far as the others left it, and for the last one the rest */

static commerce_fen_t
commerce_payment_share(const commerce_payment_t *payment, commerce_payment_order_t *place,
    const commerce_order_t *order)
{
    unsigned                   i;
    commerce_fen_t             left, need;
    const commerce_receipt_t  *receipt;

    left = commerce_payment_brought(payment);

    if (left < 0) {
        return -1;
    }

    for (i = 0; i < payment->order_count; i++) {
        left -= payment->orders[i].given;
    }

    need = commerce_payment_due(order) - place->given;

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];

        if (receipt->amount > 0 && !commerce_equal(receipt->payment, payment->id)) {
            need -= receipt->amount;
        }
    }

    if (need > left) {
        need = left;
    }

    if (need > 0) {
        place->given += need;
        left -= need;
    }

    return place == &payment->orders[payment->order_count - 1] ? place->given + left
                                                               : place->given;
}


commerce_reason_t
commerce_payment_receive(commerce_arena_t *arena, commerce_order_t *order,
    commerce_str_t transaction, commerce_fen_t amount, commerce_time_t now)
{
    commerce_fen_t       known;
    commerce_reason_t    reason;
    commerce_receipt_t  *receipt;

    receipt = commerce_payment_receipt(order, commerce_string(""), transaction);

    if (receipt != NULL) {
        known = receipt->amount;
        reason = commerce_payment_same(&known, amount);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        if (commerce_payment_receipts(arena, order, 0) == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        commerce_payment_receipt(order, commerce_string(""), transaction)->amount = known;

        return COMMERCE_R(OK);
    }

    if (order->receipt_count == COMMERCE_RECEIPTS_MAX) {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    if (commerce_payment_receipts(arena, order, 1) == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    order->receipts[order->receipt_count++] = (commerce_receipt_t) {
        commerce_string(""), transaction, amount, now
    };

    return COMMERCE_R(OK);
}


bool
commerce_payment_withdraw(commerce_arena_t *arena, commerce_order_t *order,
    commerce_str_t transaction, commerce_transaction_t *taken)
{
    size_t               after;
    commerce_receipt_t  *receipt;

    if (commerce_payment_receipt(order, commerce_string(""), transaction) == NULL
        || commerce_payment_receipts(arena, order, 0) == NULL)
    {
        return false;
    }

    receipt = commerce_payment_receipt(order, commerce_string(""), transaction);

    *taken = (commerce_transaction_t) { receipt->transaction, receipt->amount, receipt->time };

    after = (size_t) (order->receipts + order->receipt_count - receipt - 1);
    memmove(receipt, receipt + 1, after * sizeof(commerce_receipt_t));
    order->receipt_count--;

    return true;
}


/* of the payment, whichever transaction; or of the transaction that names no payment */

static commerce_receipt_t *
commerce_payment_receipt(const commerce_order_t *order, commerce_str_t payment,
    commerce_str_t transaction)
{
    unsigned             i;
    commerce_receipt_t  *receipt;

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];

        if (commerce_equal(receipt->payment, payment)
            && (payment.len != 0 || commerce_equal(receipt->transaction, transaction)))
        {
            return receipt;
        }
    }

    return NULL;
}


/* a list of the order's own to change, with room: others may still look at the old one */

static commerce_receipt_t *
commerce_payment_receipts(commerce_arena_t *arena, commerce_order_t *order, unsigned more)
{
    commerce_receipt_t  *receipts;

    receipts = commerce_alloc(arena,
                              (order->receipt_count + more + 1) * sizeof(commerce_receipt_t));

    if (receipts != NULL) {
        if (order->receipt_count != 0) {
            memcpy(receipts, order->receipts, order->receipt_count * sizeof(commerce_receipt_t));
        }

        order->receipts = receipts;
    }

    return receipts;
}


commerce_fen_t
commerce_payment_due(const commerce_order_t *order)
{
    if (order->payable >= 0) {
        return order->payable + order->freight;
    }

    if (order->claimed < 0 || order->discount < 0) {
        return -1;
    }

    return order->claimed > order->discount ? order->claimed - order->discount : 0;
}


commerce_fen_t
commerce_payment_received(const commerce_order_t *order)
{
    unsigned        i;
    commerce_fen_t  sum;

    sum = 0;

    for (i = 0; i < order->receipt_count; i++) {
        if (order->receipts[i].amount < 0) {
            return -1;
        }

        sum += order->receipts[i].amount;
    }

    return sum;
}


bool
commerce_payment_complete(const commerce_order_t *order)
{
    commerce_fen_t  due, received;

    if (order->receipt_count == 0) {
        return false;
    }

    due = commerce_payment_due(order);
    received = commerce_payment_received(order);

    return due < 0 || received < 0 || received >= due;
}


commerce_fen_t
commerce_payment_excess(const commerce_order_t *order)
{
    commerce_fen_t  due, received;

    if (order->payable < 0) {
        return 0;
    }

    due = commerce_payment_due(order);
    received = commerce_payment_received(order);

    return received > due ? received - due : 0;
}
