/*
 * Copyright (C) ngx_commerce authors
 *
 * Who served a buyer, one record for each change: beside the buyer's own, which every page view reads.
 *
 *   owner | previous | reason | source | start | end
 */

#include <stdlib.h>

#include "commerce_codec.h"
#include "commerce_path.h"

#define COMMERCE_HISTORY_PIECE  64      /* entries deleted by one transaction */


static int commerce_history_decode(commerce_str_t value, commerce_history_t *entry);


int
commerce_history_next(commerce_reader_t *reader, commerce_str_t user, commerce_time_t after,
    commerce_history_t *entry)
{
    int              rc;
    char             hex[17];
    uint64_t         version;
    commerce_str_t   key, value;
    commerce_path_t  prefix, last;

    memset(entry, 0, sizeof(commerce_history_t));

    commerce_path_user(&prefix, reader->shop, 'B', user);
    commerce_path_history(&last, reader->shop, user, after);

    if (prefix.bad || last.bad) {
        return COMMERCE_ABSENT;
    }

    rc = commerce_view_next(reader->view, commerce_path_str(&prefix),
                            after < 0 ? commerce_string("") : commerce_path_str(&last), &key, &value,
                            &version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    if (key.len < 16) {
        return COMMERCE_ERROR;
    }

    memcpy(hex, key.data + key.len - 16, 16);
    hex[16] = '\0';

    rc = commerce_history_decode(value, entry);
    entry->at = (commerce_time_t) strtoull(hex, NULL, 16);

    return rc;
}


static int
commerce_history_decode(commerce_str_t value, commerce_history_t *entry)
{
    commerce_decoder_t  d;

    commerce_decode_start(&d, value);

    entry->owner = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
    entry->previous = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
    entry->reason = commerce_reason_find(commerce_decode_text(&d));
    entry->source = commerce_decode_u8(&d, COMMERCE_SOURCES - 1);
    entry->start = commerce_decode_signed(&d);
    entry->end = commerce_decode_signed(&d);

    return commerce_decode_finish(&d);
}


/* of the oldest format: an older generation reads none of it, and must not be asked to make room for it */

void
commerce_history_add(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user,
    const commerce_history_t *entry)
{
    commerce_str_t      kept, value;
    commerce_path_t     key;
    commerce_encoder_t  e;

    commerce_encode_start(&e, txn->arena,
                          2 + 4 * COMMERCE_CODEC_VARINT
                          + commerce_codec_room(commerce_reason(entry->reason)->name));
    commerce_encode_varint(&e, entry->owner);
    commerce_encode_varint(&e, entry->previous);
    commerce_encode_text(&e, commerce_reason(entry->reason)->name);
    commerce_encode_u8(&e, entry->source);
    commerce_encode_signed(&e, entry->start);
    commerce_encode_signed(&e, entry->end);
    value = commerce_encode_finish(&e);

    commerce_path_history(&key, shop, user, entry->at);
    kept = commerce_path_keep(txn, &key);

    if (kept.len == 0 || value.data == NULL) {
        txn->failed = true;
        return;
    }

    commerce_txn_put(txn, kept, value);
}


int
commerce_history_remove(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t user,
    bool *whole)
{
    int                 rc;
    unsigned            i;
    commerce_str_t      kept;
    commerce_path_t     key;
    commerce_time_t     at;
    commerce_history_t  entry;

    at = -1;
    *whole = false;

    for (i = 0; i < COMMERCE_HISTORY_PIECE; i++) {
        rc = commerce_history_next(reader, user, at, &entry);

        if (rc == COMMERCE_ABSENT) {
            *whole = true;
            return COMMERCE_OK;
        }

        at = entry.at;          /* also of one that cannot be read */
        commerce_path_history(&key, reader->shop, user, at);
        kept = commerce_path_keep(txn, &key);

        if (kept.len == 0) {
            return COMMERCE_ERROR;
        }

        commerce_txn_delete(txn, kept);
    }

    return COMMERCE_OK;
}
