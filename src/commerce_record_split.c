/*
 * Copyright (C) ngx_commerce authors
 *
 * What was split of an order: one record, beside the order's own.
 */

#include "commerce_codec.h"
#include "commerce_path.h"


static commerce_str_t commerce_splits_encode(commerce_txn_t *txn, const commerce_splits_t *splits);


int
commerce_splits_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key, commerce_splits_t *splits,
    uint64_t *version)
{
    int              rc;
    commerce_str_t   value;
    commerce_path_t  record;

    memset(splits, 0, sizeof(commerce_splits_t));

    commerce_path_splits(&record, reader->shop, user, key);

    rc = commerce_path_get(reader, &record, &value, version);

    return rc == COMMERCE_OK ? commerce_splits_decode(reader->arena, commerce_copy(reader->arena, value), splits) : rc;
}


int
commerce_splits_decode(commerce_arena_t *arena, commerce_str_t value, commerce_splits_t *splits)
{
    unsigned                i, k;
    const uint8_t          *content;
    commerce_decoder_t      d;
    commerce_split_past_t  *past;

    memset(splits, 0, sizeof(commerce_splits_t));

    commerce_decode_start(&d, value);
    splits->count = (unsigned) commerce_decode_varint(&d, COMMERCE_SPLITS_MAX);

    splits->past = commerce_alloc(arena, (splits->count + 1) * sizeof(commerce_split_past_t));
    if (splits->past == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < splits->count; i++) {
        past = &splits->past[i];

        past->number = commerce_decode_text(&d);
        content = commerce_decode_bytes(&d, COMMERCE_FINGERPRINT);

        if (content != NULL) {
            memcpy(past->content, content, COMMERCE_FINGERPRINT);
        }

        past->time = commerce_decode_signed(&d);
        past->tries = (unsigned) commerce_decode_varint(&d, UINT32_MAX);
        past->amount = commerce_decode_signed(&d);
        past->share_count = (unsigned) commerce_decode_varint(&d, COMMERCE_SPLIT_RECEIVERS_MAX);

        past->shares = commerce_alloc(arena, (past->share_count + 1) * sizeof(commerce_split_share_t));
        if (past->shares == NULL) {
            return COMMERCE_ERROR;
        }

        for (k = 0; k < past->share_count; k++) {
            past->shares[k].person = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
            past->shares[k].amount = commerce_decode_signed(&d);
        }
    }

    return commerce_decode_finish(&d);
}


void
commerce_splits_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, commerce_str_t key,
    const commerce_splits_t *splits, uint64_t version)
{
    commerce_str_t   kept;
    commerce_path_t  record;

    commerce_path_splits(&record, shop, user, key);

    if (splits->count != 0) {
        commerce_path_put(txn, &record, version, commerce_splits_encode(txn, splits));
        return;
    }

    kept = commerce_path_keep(txn, &record);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


static commerce_str_t
commerce_splits_encode(commerce_txn_t *txn, const commerce_splits_t *splits)
{
    size_t                        room;
    unsigned                      i, k;
    commerce_encoder_t            e;
    const commerce_split_past_t  *past;

    room = 1 + COMMERCE_CODEC_VARINT;

    for (i = 0; i < splits->count; i++) {
        past = &splits->past[i];
        room += commerce_codec_room(past->number) + COMMERCE_FINGERPRINT
                + (4 + 2 * past->share_count) * COMMERCE_CODEC_VARINT;
    }

    commerce_encode_start(&e, txn->arena, room);
    commerce_encode_varint(&e, splits->count);

    for (i = 0; i < splits->count; i++) {
        past = &splits->past[i];

        commerce_encode_text(&e, past->number);
        commerce_encode_bytes(&e, past->content, COMMERCE_FINGERPRINT);
        commerce_encode_signed(&e, past->time);
        commerce_encode_varint(&e, past->tries);
        commerce_encode_signed(&e, past->amount);
        commerce_encode_varint(&e, past->share_count);

        for (k = 0; k < past->share_count; k++) {
            commerce_encode_varint(&e, past->shares[k].person);
            commerce_encode_signed(&e, past->shares[k].amount);
        }
    }

    return commerce_encode_finish(&e);
}


int
commerce_splits_rename(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    commerce_str_t user)
{
    int                rc;
    uint64_t           version;
    commerce_splits_t  splits, none = { NULL, 0 };

    rc = commerce_splits_read(reader, order->user, order->key, &splits, &version);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_OK : rc;
    }

    commerce_splits_write(txn, reader->shop, user, order->key, &splits, 0);
    commerce_splits_write(txn, reader->shop, order->user, order->key, &none, version);

    return COMMERCE_OK;
}


void
commerce_splits_remove(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order)
{
    uint64_t           version;
    commerce_splits_t  splits;

    /* what cannot be read goes all the same */

    if (commerce_splits_read(reader, order->user, order->key, &splits, &version) != COMMERCE_ABSENT) {
        splits.count = 0;
        commerce_splits_write(txn, reader->shop, order->user, order->key, &splits, version);
    }
}
