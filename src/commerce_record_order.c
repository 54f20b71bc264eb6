/*
 * Copyright (C) ngx_commerce authors
 *
 * Orders: reading, writing, renaming and removing them, with all that leads to them.
 */

#include "commerce_record_order.h"


static int commerce_order_get(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version);


int
commerce_order_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version)
{
    int  rc;

    rc = commerce_order_get(reader, user, key, order, version);

    if (rc != COMMERCE_OK) {
        memset(order, 0, sizeof(commerce_order_t));
    }

    return rc;
}


static int
commerce_order_get(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version)
{
    int             rc;
    commerce_path_t  record;
    commerce_str_t  value;

    commerce_path_order(&record, reader->shop, user, key);

    rc = commerce_path_get(reader, &record, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_order_decode(reader->arena, value, order);

    if (rc == COMMERCE_OK
        && (!commerce_equal(order->user, user) || !commerce_equal(order->key, key)))
    {
        return COMMERCE_ERROR;
    }

    return rc;
}


int
commerce_order_find(commerce_reader_t *reader, commerce_str_t id, commerce_order_t *order,
    uint64_t *version)
{
    int             rc;
    commerce_str_t  user, key;

    memset(order, 0, sizeof(commerce_order_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_order_owner(reader, id, &user, &key);

    return rc == COMMERCE_OK ? commerce_order_read(reader, user, key, order, version) : rc;
}


int
commerce_order_owner(commerce_reader_t *reader, commerce_str_t id, commerce_str_t *user,
    commerce_str_t *key)
{
    int                 rc;
    commerce_path_t      record;
    commerce_str_t      value;
    commerce_decoder_t  d;

    *user = commerce_string("");
    *key = commerce_string("");

    if (id.len == 0) {
        return COMMERCE_ABSENT;
    }

    commerce_path_text(&record, reader->shop, 'i', id);

    rc = commerce_path_get(reader, &record, &value, NULL);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    value = commerce_copy(reader->arena, value);
    commerce_decode_start(&d, value);

    *user = commerce_decode_text(&d);
    *key = commerce_decode_text(&d);

    return commerce_decode_finish(&d);
}


void
commerce_order_vacant(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id)
{
    commerce_path_t  record;
    commerce_str_t  kept;

    commerce_path_text(&record, shop, 'i', id);
    kept = commerce_path_keep(txn, &record);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, 0);
    }
}


void
commerce_order_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *order,
    uint64_t version, const commerce_order_t *before)
{
    commerce_path_t  record;

    if (!commerce_order_storable(order)
        || (before != NULL && (!commerce_equal(before->user, order->user)
                               || !commerce_equal(before->key, order->key))))
    {
        txn->failed = true;
        return;
    }

    commerce_path_order(&record, shop, order->user, order->key);
    commerce_path_put(txn, &record, version, commerce_order_encode(txn->arena, order));

    commerce_order_move_due(txn, shop, before, order);
    commerce_order_move_doubt(txn, shop, before, order);
    commerce_order_move_id(txn, shop, before, order);
    commerce_order_move_key(txn, shop, before, order);
}


void
commerce_order_compare(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, commerce_str_t key,
    uint64_t version)
{
    commerce_str_t   kept;
    commerce_path_t  record;

    commerce_path_order(&record, shop, user, key);
    kept = commerce_path_keep(txn, &record);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
    }
}


void
commerce_order_rename(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    uint64_t version, commerce_str_t user)
{
    commerce_path_t      record;
    commerce_order_t     order;
    commerce_encoder_t   e;

    if (before->due != COMMERCE_FOREVER || before->doubt != 0) {
        txn->failed = true;             /* its other indexes would have to move, too */
        return;
    }

    order = *before;
    order.user = user;

    commerce_path_order(&record, shop, order.user, order.key);
    commerce_path_put(txn, &record, 0, commerce_order_encode(txn->arena, &order));

    commerce_path_order(&record, shop, before->user, before->key);
    commerce_txn_compare(txn, commerce_path_keep(txn, &record), version);
    commerce_order_delete(txn, &record);

    if (order.id.len != 0) {
        commerce_encode_start(&e, txn->arena,
                              1 + commerce_codec_room(order.user) + commerce_codec_room(order.key));
        commerce_encode_text(&e, order.user);
        commerce_encode_text(&e, order.key);
        commerce_order_repoint(txn, shop, 'i', order.id, commerce_encode_finish(&e));
    }

    if (order.shop_key) {
        commerce_encode_start(&e, txn->arena, 1 + commerce_codec_room(order.user));
        commerce_encode_text(&e, order.user);
        commerce_order_repoint(txn, shop, 'h', order.key, commerce_encode_finish(&e));
    }
}


void
commerce_order_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    uint64_t version)
{
    commerce_path_t  record;
    commerce_str_t  kept;

    commerce_path_order(&record, shop, before->user, before->key);
    kept = commerce_path_keep(txn, &record);

    if (kept.len == 0) {
        return;
    }

    commerce_txn_compare(txn, kept, version);
    commerce_txn_delete(txn, kept);

    commerce_order_move_due(txn, shop, before, NULL);
    commerce_order_move_doubt(txn, shop, before, NULL);
    commerce_order_move_id(txn, shop, before, NULL);
    commerce_order_move_key(txn, shop, before, NULL);
}
