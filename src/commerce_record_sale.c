/*
 * Copyright (C) ngx_commerce authors
 *
 * Payments, transactions and refunds, and what an order's own record keeps of them.
 */

#include "commerce_path.h"
#include "commerce_record_sale.h"


#define COMMERCE_ORDER_REFUND_WHOLE  1      /* bits of flags bytes */
#define COMMERCE_REFUND_LATE         1

static int commerce_payment_decode(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_payment_t *payment);
static int commerce_payment_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    commerce_str_t payment, const commerce_order_t *order, commerce_str_t user);
static int commerce_transaction_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    commerce_str_t id, commerce_str_t user);
static int commerce_refunds_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, commerce_str_t user);
static int commerce_waiting_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, commerce_str_t user);
static void commerce_refund_index(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_refund_t *refund);


bool
commerce_order_sale_set(const commerce_order_t *order)
{
    return order->payment.len != 0 || order->freight != 0 || order->freeze_after != 0
           || order->freeze != 0 || order->settled != 0 || order->receipt_count != 0
           || order->refund_count != 0;
}


size_t
commerce_order_sale_room(const commerce_order_t *order)
{
    size_t    room;
    unsigned  i;

    room = 2 + 10 * COMMERCE_CODEC_VARINT + commerce_codec_room(order->payment);

    for (i = 0; i < order->receipt_count; i++) {
        room += 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(order->receipts[i].payment)
                + commerce_codec_room(order->receipts[i].transaction);
    }

    return room + (order->sale != NULL ? order->line_count * 4 * COMMERCE_CODEC_VARINT : 0);
}


void
commerce_order_encode_sale(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned                   i;
    const commerce_sale_t     *sale;
    const commerce_receipt_t  *receipt;

    commerce_encode_text(e, order->payment);
    commerce_encode_signed(e, order->freight);
    commerce_encode_signed(e, order->freeze_after);
    commerce_encode_signed(e, order->freeze);
    commerce_encode_signed(e, order->settled);
    commerce_encode_varint(e, order->receipt_count);

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];

        commerce_encode_text(e, receipt->payment);
        commerce_encode_text(e, receipt->transaction);
        commerce_encode_signed(e, receipt->amount);
        commerce_encode_signed(e, receipt->time);
    }

    commerce_encode_varint(e, order->refund_count);

    if (order->refund_count == 0) {
        return;
    }

    commerce_encode_u8(e, order->refund_whole ? COMMERCE_ORDER_REFUND_WHOLE : 0);
    commerce_encode_signed(e, order->refund_lineless);
    commerce_encode_signed(e, order->refund_rest);

    for (i = 0; i < order->line_count; i++) {
        sale = &order->sale[i];

        commerce_encode_signed(e, sale->paid);
        commerce_encode_signed(e, sale->named);
        commerce_encode_signed(e, sale->grouped);
        commerce_encode_signed(e, sale->quantity);
    }
}


void
commerce_order_decode_sale(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_order_t *order)
{
    unsigned             i, count;
    commerce_sale_t     *sale;
    commerce_receipt_t  *receipt;

    order->payment = commerce_decode_text(d);
    order->freight = commerce_decode_signed(d);
    order->freeze_after = commerce_decode_signed(d);
    order->freeze = commerce_decode_signed(d);
    order->settled = commerce_decode_signed(d);

    count = (unsigned) commerce_decode_varint(d, COMMERCE_RECEIPTS_MAX);

    order->receipts = commerce_alloc(arena, (count + 1) * sizeof(commerce_receipt_t));
    if (order->receipts == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        receipt = &order->receipts[i];

        receipt->payment = commerce_decode_text(d);
        receipt->transaction = commerce_decode_text(d);
        receipt->amount = commerce_decode_signed(d);
        receipt->time = commerce_decode_signed(d);
    }

    order->receipt_count = count;
    order->refund_count = (unsigned) commerce_decode_varint(d, UINT32_MAX);

    if (order->refund_count == 0) {
        return;
    }

    order->refund_whole = commerce_decode_u8(d, COMMERCE_ORDER_REFUND_WHOLE) != 0;
    order->refund_lineless = commerce_decode_signed(d);
    order->refund_rest = commerce_decode_signed(d);

    order->sale = commerce_alloc(arena, (order->line_count + 1) * sizeof(commerce_sale_t));
    if (order->sale == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < order->line_count; i++) {
        sale = &order->sale[i];

        sale->paid = commerce_decode_signed(d);
        sale->named = commerce_decode_signed(d);
        sale->grouped = commerce_decode_signed(d);
        sale->quantity = commerce_decode_signed(d);
    }
}


int
commerce_payment_read(commerce_reader_t *reader, commerce_str_t id, commerce_payment_t *payment,
    uint64_t *version)
{
    int                 rc;
    commerce_path_t     key;
    commerce_str_t      value;
    commerce_decoder_t  d;

    memset(payment, 0, sizeof(commerce_payment_t));

    commerce_path_text(&key, reader->shop, 'm', id);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, commerce_copy(reader->arena, value));

    rc = commerce_payment_decode(&d, reader->arena, payment);

    if (rc != COMMERCE_OK || !commerce_equal(payment->id, id)) {
        memset(payment, 0, sizeof(commerce_payment_t));
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_payment_decode(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_payment_t *payment)
{
    unsigned                   i;
    commerce_transaction_t    *transaction;
    commerce_payment_order_t  *order;

    payment->id = commerce_decode_text(d);
    payment->transaction_count = (unsigned) commerce_decode_varint(d, COMMERCE_TRANSACTIONS_MAX);
    payment->transactions = commerce_alloc(arena, (payment->transaction_count + 1)
                                                  * sizeof(commerce_transaction_t));
    if (payment->transactions == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < payment->transaction_count; i++) {
        transaction = &payment->transactions[i];

        transaction->id = commerce_decode_text(d);
        transaction->amount = commerce_decode_signed(d);
        transaction->time = commerce_decode_signed(d);
    }

    payment->order_count = (unsigned) commerce_decode_varint(d, COMMERCE_PAYMENT_ORDERS_MAX);
    payment->orders = commerce_alloc(arena, (payment->order_count + 1)
                                            * sizeof(commerce_payment_order_t));
    if (payment->orders == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < payment->order_count; i++) {
        order = &payment->orders[i];

        order->user = commerce_decode_text(d);
        order->key = commerce_decode_text(d);
        order->given = commerce_decode_signed(d);
    }

    return commerce_decode_finish(d);
}


void
commerce_payment_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_payment_t *payment, uint64_t version)
{
    size_t              room;
    unsigned            i;
    commerce_path_t     key;
    commerce_encoder_t  e;

    room = 1 + 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(payment->id);

    for (i = 0; i < payment->transaction_count; i++) {
        room += 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(payment->transactions[i].id);
    }

    for (i = 0; i < payment->order_count; i++) {
        room += COMMERCE_CODEC_VARINT + commerce_codec_room(payment->orders[i].user)
                + commerce_codec_room(payment->orders[i].key);
    }

    commerce_encode_start(&e, txn->arena, room);
    commerce_encode_format(&e, 2);
    commerce_encode_text(&e, payment->id);
    commerce_encode_varint(&e, payment->transaction_count);

    for (i = 0; i < payment->transaction_count; i++) {
        commerce_encode_text(&e, payment->transactions[i].id);
        commerce_encode_signed(&e, payment->transactions[i].amount);
        commerce_encode_signed(&e, payment->transactions[i].time);
    }

    commerce_encode_varint(&e, payment->order_count);

    for (i = 0; i < payment->order_count; i++) {
        commerce_encode_text(&e, payment->orders[i].user);
        commerce_encode_text(&e, payment->orders[i].key);
        commerce_encode_signed(&e, payment->orders[i].given);
    }

    commerce_path_text(&key, shop, 'm', payment->id);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


void
commerce_payment_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, uint64_t version)
{
    commerce_str_t   kept;
    commerce_path_t  key;

    commerce_path_text(&key, shop, 'm', id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


int
commerce_transaction_read(commerce_reader_t *reader, commerce_str_t id,
    commerce_transaction_owner_t *owner, uint64_t *version)
{
    int                 rc;
    commerce_path_t     key;
    commerce_str_t      value;
    commerce_decoder_t  d;

    memset(owner, 0, sizeof(commerce_transaction_owner_t));

    commerce_path_text(&key, reader->shop, 'M', id);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, commerce_copy(reader->arena, value));

    owner->payment = commerce_decode_text(&d);
    owner->user = commerce_decode_text(&d);
    owner->key = commerce_decode_text(&d);

    return commerce_decode_finish(&d);
}


void
commerce_transaction_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id,
    const commerce_transaction_owner_t *owner, uint64_t version)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    commerce_encode_start(&e, txn->arena, 1 + commerce_codec_room(owner->payment)
                                          + commerce_codec_room(owner->user)
                                          + commerce_codec_room(owner->key));
    commerce_encode_format(&e, 2);
    commerce_encode_text(&e, owner->payment);
    commerce_encode_text(&e, owner->user);
    commerce_encode_text(&e, owner->key);

    commerce_path_text(&key, shop, 'M', id);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


void
commerce_transaction_compare(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id,
    uint64_t version)
{
    commerce_path_t  key;
    commerce_str_t   kept;

    commerce_path_text(&key, shop, 'M', id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
    }
}


void
commerce_transaction_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id)
{
    commerce_path_t  key;
    commerce_str_t   kept;

    commerce_path_text(&key, shop, 'M', id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }
}


int
commerce_refund_read(commerce_reader_t *reader, commerce_str_t number, commerce_refund_t *refund,
    uint64_t *version)
{
    int              rc;
    commerce_path_t  key;
    commerce_str_t   value;

    memset(refund, 0, sizeof(commerce_refund_t));

    commerce_path_text(&key, reader->shop, 'F', number);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_refund_decode(reader->arena, value, refund);

    return rc == COMMERCE_OK && commerce_equal(refund->number, number) ? COMMERCE_OK
                                                                       : COMMERCE_ERROR;
}


int
commerce_refund_decode(commerce_arena_t *arena, commerce_str_t value, commerce_refund_t *refund)
{
    unsigned                 i;
    commerce_decoder_t       d;
    commerce_refund_line_t  *line;

    memset(refund, 0, sizeof(commerce_refund_t));

    commerce_decode_start(&d, commerce_copy(arena, value));

    refund->number = commerce_decode_text(&d);
    refund->user = commerce_decode_text(&d);
    refund->key = commerce_decode_text(&d);
    refund->amount = commerce_decode_signed(&d);
    refund->freight = commerce_decode_signed(&d);
    refund->time = commerce_decode_signed(&d);
    refund->late = commerce_decode_u8(&d, COMMERCE_REFUND_LATE) != 0;
    refund->line_count = (unsigned) commerce_decode_varint(&d, 2 * COMMERCE_LINES_MAX);

    refund->lines = commerce_alloc(arena, (refund->line_count + 1)
                                          * sizeof(commerce_refund_line_t));
    if (refund->lines == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < refund->line_count; i++) {
        line = &refund->lines[i];

        line->sku = commerce_decode_text(&d);
        line->line = (unsigned) commerce_decode_varint(&d, COMMERCE_LINES_MAX);
        line->amount = commerce_decode_signed(&d);
        line->quantity = commerce_decode_signed(&d);
    }

    return commerce_decode_finish(&d);
}


void
commerce_refund_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_refund_t *refund,
    uint64_t version)
{
    size_t              room;
    unsigned            i;
    commerce_path_t     key;
    commerce_encoder_t  e;

    room = 2 + 4 * COMMERCE_CODEC_VARINT + commerce_codec_room(refund->number)
           + commerce_codec_room(refund->user) + commerce_codec_room(refund->key);

    for (i = 0; i < refund->line_count; i++) {
        room += 3 * COMMERCE_CODEC_VARINT + commerce_codec_room(refund->lines[i].sku);
    }

    commerce_encode_start(&e, txn->arena, room);
    commerce_encode_format(&e, 2);
    commerce_encode_text(&e, refund->number);
    commerce_encode_text(&e, refund->user);
    commerce_encode_text(&e, refund->key);
    commerce_encode_signed(&e, refund->amount);
    commerce_encode_signed(&e, refund->freight);
    commerce_encode_signed(&e, refund->time);
    commerce_encode_u8(&e, refund->late ? COMMERCE_REFUND_LATE : 0);
    commerce_encode_varint(&e, refund->line_count);

    for (i = 0; i < refund->line_count; i++) {
        commerce_encode_text(&e, refund->lines[i].sku);
        commerce_encode_varint(&e, refund->lines[i].line);
        commerce_encode_signed(&e, refund->lines[i].amount);
        commerce_encode_signed(&e, refund->lines[i].quantity);
    }

    commerce_path_text(&key, shop, 'F', refund->number);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));

    commerce_refund_index(txn, shop, refund);
}


static void
commerce_refund_index(commerce_txn_t *txn, commerce_str_t shop, const commerce_refund_t *refund)
{
    commerce_str_t   kept;
    commerce_path_t  key;

    commerce_path_refund(&key, shop, refund->user, refund->key, refund->number);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_put(txn, kept, commerce_string("\2"));
    }
}


void
commerce_refund_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_refund_t *refund)
{
    commerce_str_t   kept;
    commerce_path_t  record, entry;

    commerce_path_text(&record, shop, 'F', refund->number);
    kept = commerce_path_keep(txn, &record);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }

    commerce_path_refund(&entry, shop, refund->user, refund->key, refund->number);
    kept = commerce_path_keep(txn, &entry);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }
}


int
commerce_refund_next(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_str_t after, commerce_refund_t *refund)
{
    int              rc;
    uint64_t         version;
    commerce_str_t   found, value, number;
    commerce_path_t  prefix, from;

    memset(refund, 0, sizeof(commerce_refund_t));

    commerce_path_refund(&prefix, reader->shop, user, key, commerce_string(""));
    commerce_path_refund(&from, reader->shop, user, key, after);

    if (prefix.bad || from.bad) {
        return COMMERCE_ABSENT;
    }

    rc = commerce_view_next(reader->view, commerce_path_str(&prefix),
                            after.len != 0 ? commerce_path_str(&from) : commerce_string(""),
                            &found, &value, &version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    number.data = found.data + prefix.len;
    number.len = found.len - prefix.len;

    rc = commerce_refund_read(reader, number, refund, NULL);

    return rc == COMMERCE_ABSENT ? COMMERCE_ERROR : rc;
}


int
commerce_order_rename_sale(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, commerce_str_t user)
{
    int                        rc;
    bool                       named;
    unsigned                   i;
    const commerce_receipt_t  *receipt;

    named = (order->payment.len != 0);

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];
        named = named && !commerce_equal(receipt->payment, order->payment);

        rc = receipt->payment.len != 0
             ? commerce_payment_rename(reader, txn, receipt->payment, order, user)
             : commerce_transaction_rename(reader, txn, receipt->transaction, user);

        if (rc != COMMERCE_OK) {
            return rc;
        }
    }

    /* one that brought nothing yet */

    if (named && commerce_payment_rename(reader, txn, order->payment, order, user) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    rc = commerce_refunds_rename(reader, txn, order, user);

    if (rc == COMMERCE_OK) {
        rc = commerce_splits_rename(reader, txn, order, user);
    }

    return rc == COMMERCE_OK ? commerce_waiting_rename(reader, txn, order, user) : rc;
}


static int
commerce_payment_rename(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id,
    const commerce_order_t *order, commerce_str_t user)
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
        place->user = user;
        commerce_payment_write(txn, reader->shop, &payment, version);
    }

    return COMMERCE_OK;
}


static int
commerce_transaction_rename(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t id,
    commerce_str_t user)
{
    int                           rc;
    uint64_t                      version;
    commerce_transaction_owner_t  owner;

    rc = commerce_transaction_read(reader, id, &owner, &version);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
    }

    owner.user = user;
    commerce_transaction_write(txn, reader->shop, id, &owner, version);

    return COMMERCE_OK;
}


static int
commerce_refunds_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, commerce_str_t user)
{
    int                rc;
    uint64_t           version;
    commerce_str_t     kept, number;
    commerce_path_t    entry;
    commerce_refund_t  refund;

    for (number = commerce_string(""); ; number = refund.number) {
        rc = commerce_refund_next(reader, order->user, order->key, number, &refund);

        if (rc != COMMERCE_OK) {
            return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
        }

        rc = commerce_refund_read(reader, refund.number, &refund, &version);
        if (rc != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        commerce_path_refund(&entry, reader->shop, order->user, order->key, refund.number);
        kept = commerce_path_keep(txn, &entry);

        if (kept.len != 0) {
            commerce_txn_delete(txn, kept);
        }

        refund.user = user;
        commerce_refund_write(txn, reader->shop, &refund, version);
    }
}


static int
commerce_waiting_rename(commerce_reader_t *reader, commerce_txn_t *txn,
    const commerce_order_t *order, commerce_str_t user)
{
    int                    rc;
    uint64_t               version;
    commerce_parked_t      parked;
    commerce_parked_for_t  what = { COMMERCE_PARKED_ORDER, order->key, order->user };

    rc = commerce_parked_read(reader, &what, &parked, &version);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
    }

    commerce_parked_remove(txn, reader->shop, &what, version);
    what.user = user;
    commerce_parked_write(txn, reader->shop, &what, &parked, 0);

    return COMMERCE_OK;
}
