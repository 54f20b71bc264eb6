/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention of orders, their money, and what waits for them.
 */

#include "commerce_collect_kinds.h"
#include "commerce_path.h"


static int commerce_collect_order_all(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    uint64_t version);
static int commerce_collect_sale_ready(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order);
static int commerce_collect_payment_ready(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id);
static int commerce_collect_sale(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order);
static int commerce_collect_payment(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id,
    const commerce_order_t *order);
static bool commerce_collect_payment_needed(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_payment_t *payment);
static void commerce_collect_payment_remove(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_payment_t *payment, uint64_t version);
static int commerce_collect_refunds(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order);
static bool commerce_collect_order_over(const commerce_order_t *order);
static int commerce_collect_order_coupon(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, const commerce_order_coupon_t *use);


/* as old as the latest of those that wait there; for an order that is there they wait as long as it is */

int
commerce_collect_parked(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    char kind, commerce_str_t name)
{
    int                    rc;
    unsigned               i;
    uint64_t               version;
    commerce_order_t      *order;
    commerce_parked_t      parked;
    commerce_parked_for_t  what = { COMMERCE_PARKED_ID, name, commerce_string("") };

    if (kind == 'Q' && commerce_parked_parse(name, &what) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    rc = commerce_parked_read(reader, &what, &parked, &version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    for (i = 0; i < parked.count; i++) {
        if (!commerce_collect_over(parked.notices[i].time, kept, now)) {
            return COMMERCE_ABSENT;
        }
    }

    if (what.kind == COMMERCE_PARKED_ORDER) {
        order = commerce_alloc(txn->arena, sizeof(commerce_order_t));

        if (order == NULL || commerce_order_read(reader, what.user, what.name, order, NULL) != COMMERCE_ABSENT) {
            return COMMERCE_ABSENT;
        }
    }

    commerce_parked_remove(txn, reader->shop, &what, version);

    return COMMERCE_OK;
}


/* COMMERCE_OK: deleted; COMMERCE_ABSENT: it stays; COMMERCE_ERROR: it cannot be read, and stays; LATER */

int
commerce_collect_order(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    commerce_str_t value, uint64_t version)
{
    int                rc;
    commerce_txn_t     before;
    commerce_order_t  *order;

    order = commerce_alloc(txn->arena, sizeof(commerce_order_t));

    if (order == NULL || commerce_order_decode(txn->arena, value, order) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (order->doubt != 0) {
        commerce_order_list(reader, txn, order, version);
        return COMMERCE_ABSENT;
    }

    if (!commerce_collect_over(order->created, kept, now) || !commerce_collect_order_over(order)) {
        return COMMERCE_ABSENT;
    }

    before = *txn;
    rc = commerce_collect_order_all(reader, txn, order, version);

    if (rc != COMMERCE_OK) {
        *txn = before;
    }

    return rc;
}


/* together with what only this order needs; half of it must not be let go when the rest cannot be read */

static int
commerce_collect_order_all(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    uint64_t version)
{
    int       rc;
    unsigned  i;

    rc = commerce_collect_sale_ready(reader, txn, order);

    for (i = 0; rc == COMMERCE_OK && i < order->coupon_count; i++) {
        rc = commerce_collect_order_coupon(reader, txn, order, &order->coupons[i]);
    }

    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_order_remove(txn, reader->shop, order, version);
    commerce_splits_remove(reader, txn, order);

    rc = commerce_collect_sale(reader, txn, order);

    return rc == COMMERCE_OK ? commerce_collect_refunds(reader, txn, order) : rc;
}


/* its payments can be read, and no order before it in this transaction has one of them: one would undo the other */

static int
commerce_collect_sale_ready(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order)
{
    int       rc;
    unsigned  i;

    rc = order->payment.len != 0 ? commerce_collect_payment_ready(reader, txn, order->payment) : COMMERCE_OK;

    for (i = 0; rc == COMMERCE_OK && i < order->receipt_count; i++) {
        if (order->receipts[i].payment.len != 0) {
            rc = commerce_collect_payment_ready(reader, txn, order->receipts[i].payment);
        }
    }

    return rc;
}


static int
commerce_collect_payment_ready(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id)
{
    unsigned            i;
    commerce_path_t     key;
    commerce_payment_t  payment;

    commerce_path_text(&key, reader->shop, 'm', id);

    for (i = 0; i < txn->count; i++) {
        if (txn->ops[i].kind == COMMERCE_OP_COMPARE && commerce_equal(txn->ops[i].key, commerce_path_str(&key))) {
            return COMMERCE_COLLECT_LATER;
        }
    }

    return commerce_payment_read(reader, id, &payment, NULL) == COMMERCE_ERROR ? COMMERCE_ERROR : COMMERCE_OK;
}


/* its money, and what waits for it */

static int
commerce_collect_sale(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order)
{
    int                        rc;
    bool                       named;
    unsigned                   i;
    uint64_t                   version;
    commerce_parked_t          parked;
    const commerce_receipt_t  *receipt;
    commerce_parked_for_t      what = { COMMERCE_PARKED_ORDER, order->key, order->user };

    rc = COMMERCE_OK;
    named = (order->payment.len != 0);

    for (i = 0; rc == COMMERCE_OK && i < order->receipt_count; i++) {
        receipt = &order->receipts[i];
        named = named && !commerce_equal(receipt->payment, order->payment);

        if (receipt->payment.len != 0) {
            rc = commerce_collect_payment(reader, txn, receipt->payment, order);

        } else if (receipt->transaction.len != 0) {
            commerce_transaction_remove(txn, reader->shop, receipt->transaction);
        }
    }

    if (rc == COMMERCE_OK && named) {
        rc = commerce_collect_payment(reader, txn, order->payment, order);
    }

    if (rc == COMMERCE_OK && commerce_parked_read(reader, &what, &parked, &version) == COMMERCE_OK) {
        commerce_parked_remove(txn, reader->shop, &what, version);
    }

    return rc;
}


/* it goes with the last of its orders; until then it forgets which this one was, and not what it gave */

static int
commerce_collect_payment(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id,
    const commerce_order_t *order)
{
    int                        rc;
    uint64_t                   version;
    commerce_payment_t         payment;
    commerce_payment_order_t  *place;

    rc = commerce_payment_read(reader, id, &payment, &version);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
    }

    place = commerce_payment_covers(&payment, order->user, order->key);

    if (place != NULL) {
        place->user = place->key = commerce_string("");
    }

    if (!commerce_collect_payment_needed(reader, txn, &payment)) {
        commerce_collect_payment_remove(reader, txn, &payment, version);

    } else if (place != NULL) {
        commerce_payment_write(txn, reader->shop, &payment, version);
    }

    return COMMERCE_OK;
}


/* one that cannot be read is there */

static bool
commerce_collect_payment_needed(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_payment_t *payment)
{
    unsigned                         i;
    commerce_order_t                *order;
    const commerce_payment_order_t  *place;

    order = commerce_alloc(txn->arena, sizeof(commerce_order_t));

    if (order == NULL) {
        return true;
    }

    for (i = 0; i < payment->order_count; i++) {
        place = &payment->orders[i];

        if (place->key.len != 0
            && commerce_order_read(reader, place->user, place->key, order, NULL) != COMMERCE_ABSENT)
        {
            return true;
        }
    }

    return false;
}


static void
commerce_collect_payment_remove(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_payment_t *payment,
    uint64_t version)
{
    unsigned  i;

    for (i = 0; i < payment->transaction_count; i++) {
        if (payment->transactions[i].id.len != 0) {
            commerce_transaction_remove(txn, reader->shop, payment->transactions[i].id);
        }
    }

    commerce_payment_remove(txn, reader->shop, payment->id, version);
}


/* money whose order never came is as a notice that is parked */

int
commerce_collect_unnamed(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    commerce_str_t id)
{
    int                    rc;
    unsigned               i;
    uint64_t               version;
    commerce_parked_t      parked;
    commerce_payment_t     payment;
    commerce_parked_for_t  what = { COMMERCE_PARKED_PAYMENT, id, commerce_string("") };

    rc = commerce_payment_read(reader, id, &payment, &version);

    if (rc != COMMERCE_OK || payment.order_count != 0) {
        return rc != COMMERCE_OK ? rc : COMMERCE_ABSENT;
    }

    if (commerce_parked_read(reader, &what, &parked, NULL) != COMMERCE_ABSENT) {
        return COMMERCE_ABSENT;         /* in the next pass, when that has gone */
    }

    for (i = 0; i < payment.transaction_count; i++) {
        if (!commerce_collect_over(payment.transactions[i].time, kept, now)) {
            return COMMERCE_ABSENT;
        }
    }

    commerce_collect_payment_remove(reader, txn, &payment, version);

    return COMMERCE_OK;
}


static int
commerce_collect_refunds(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order)
{
    int                rc;
    commerce_str_t     after;
    commerce_refund_t  refund;

    for (after = commerce_string(""); ; after = refund.number) {
        rc = commerce_refund_next(reader, order->user, order->key, after, &refund);

        if (rc != COMMERCE_OK) {
            break;
        }

        commerce_refund_remove(txn, reader->shop, &refund);
    }

    return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
}


static bool
commerce_collect_order_over(const commerce_order_t *order)
{
    unsigned  i;

    if (order->doubt != 0 || order->due != COMMERCE_FOREVER
        || (order->state == COMMERCE_ORDER_PLACED && order->receipt_count != 0))
    {
        return false;
    }

    switch (order->state) {

    case COMMERCE_ORDER_PENDING:
    case COMMERCE_ORDER_UNKNOWN:
        return false;

    case COMMERCE_ORDER_CART:       /* nobody came back to it */
        if (order->receipt_count != 0) {
            return false;
        }

        break;

    default:
        break;
    }

    for (i = 0; i < order->coupon_count; i++) {
        if (order->coupons[i].use == COMMERCE_USE_RESERVED) {
            return false;
        }
    }

    return true;
}


/* spent is spent: the coupon stays so, of an order that has no name any more */

static int
commerce_collect_order_coupon(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, const commerce_order_coupon_t *use)
{
    int                rc;
    uint64_t           version;
    commerce_coupon_t  coupon;

    if (use->use != COMMERCE_USE_REDEEMED) {
        return COMMERCE_OK;
    }

    rc = commerce_coupon_read(reader, use->campaign, use->serial, &coupon, &version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    if (coupon.state == COMMERCE_COUPON_REDEEMED && commerce_equal(coupon.order_user, order->user)
        && commerce_equal(coupon.order_key, order->key))
    {
        coupon.order_user = commerce_string("");
        coupon.order_key = commerce_string("");
        commerce_coupon_write(txn, reader->shop, &coupon, version);
    }

    return COMMERCE_OK;
}
