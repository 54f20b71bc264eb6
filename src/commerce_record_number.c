/*
 * Copyright (C) ngx_commerce authors
 *
 * The numbers that records of the directory get.
 */

#include "commerce_codec.h"
#include "commerce_path.h"


static commerce_op_t *commerce_number_taken(commerce_txn_t *txn, commerce_str_t key);


int
commerce_number_take(commerce_reader_t *reader, commerce_txn_t *txn, const char *kind,
    uint64_t max, uint64_t *number)
{
    int                 rc;
    uint64_t            version;
    commerce_op_t      *taken;
    commerce_path_t      key;
    commerce_str_t      value;
    commerce_decoder_t  d;
    commerce_encoder_t  e;

    *number = 1;

    commerce_path_text(&key, reader->shop, 's', commerce_cstr(kind));

    taken = commerce_number_taken(txn, commerce_path_str(&key));
    version = 0;

    if (taken != NULL) {
        value = taken->value;
        rc = COMMERCE_OK;

    } else {
        rc = commerce_path_get(reader, &key, &value, &version);
    }

    if (rc == COMMERCE_OK) {
        commerce_decode_start(&d, value);
        *number = commerce_decode_varint(&d, UINT64_MAX);
        rc = commerce_decode_finish(&d);
    }

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_ERROR;
    }

    if (*number > max) {
        return COMMERCE_ABSENT;
    }

    commerce_encode_start(&e, txn->arena, 1 + COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, *number + 1);
    value = commerce_encode_finish(&e);

    if (taken != NULL && value.data != NULL) {
        taken->value = value;

    } else {
        commerce_path_put(txn, &key, version, value);
    }

    return txn->failed ? COMMERCE_ERROR : COMMERCE_OK;
}


/* this transaction's own earlier take: the view does not show it yet */

static commerce_op_t *
commerce_number_taken(commerce_txn_t *txn, commerce_str_t key)
{
    unsigned  i;

    for (i = 0; i < txn->count; i++) {
        if (txn->ops[i].kind == COMMERCE_OP_PUT && commerce_equal(txn->ops[i].key, key)) {
            return &txn->ops[i];
        }
    }

    return NULL;
}
