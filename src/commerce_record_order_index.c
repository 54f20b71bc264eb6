/*
 * Copyright (C) ngx_commerce authors
 *
 * The ways to an order: by the backend's id, by due time, by the shop's key; which are in doubt.
 */

#include "commerce_record_order.h"


#define COMMERCE_DUE_DIGITS  16


static int commerce_order_due_from(commerce_reader_t *reader, commerce_time_t now,
    commerce_str_t after, commerce_order_t *order, uint64_t *version);
static int commerce_order_due_parse(commerce_str_t rest, commerce_time_t *due,
    commerce_str_t *user, commerce_str_t *key);


void
commerce_order_repoint(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t name,
    commerce_str_t value)
{
    commerce_path_t  index;
    commerce_str_t   kept;

    commerce_path_text(&index, shop, kind, name);
    kept = commerce_path_keep(txn, &index);

    if (kept.len == 0 || value.data == NULL) {
        txn->failed = true;
        return;
    }

    commerce_txn_put(txn, kept, value);
}


void
commerce_order_move_due(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t   index;
    commerce_str_t   kept;
    commerce_time_t  from, to;

    from = before != NULL ? before->due : COMMERCE_FOREVER;
    to = order != NULL ? order->due : COMMERCE_FOREVER;

    if (from == to) {
        return;
    }

    if (from != COMMERCE_FOREVER) {
        commerce_path_due(&index, shop, from, before->user, before->key);
        commerce_order_delete(txn, &index);
    }

    if (to != COMMERCE_FOREVER) {
        commerce_path_due(&index, shop, to, order->user, order->key);
        kept = commerce_path_keep(txn, &index);

        if (kept.len != 0) {
            commerce_txn_put(txn, kept, commerce_string("\1"));
        }
    }
}


void
commerce_order_move_doubt(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t  index;
    commerce_str_t   kept;
    commerce_time_t  from, to;

    from = (before != NULL && before->doubt != 0) ? before->created : COMMERCE_FOREVER;
    to = (order != NULL && order->doubt != 0) ? order->created : COMMERCE_FOREVER;

    if (from == to) {
        return;
    }

    if (from != COMMERCE_FOREVER) {
        commerce_path_doubt(&index, shop, from, before->user, before->key);
        commerce_order_delete(txn, &index);
    }

    if (to != COMMERCE_FOREVER) {
        commerce_path_doubt(&index, shop, to, order->user, order->key);
        kept = commerce_path_keep(txn, &index);

        if (kept.len != 0) {
            commerce_txn_put(txn, kept, commerce_string("\1"));
        }
    }
}


/* a key of the shop's is the first user's who comes with it */

void
commerce_order_move_key(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    bool                from, to;
    commerce_path_t     index;
    commerce_encoder_t  e;

    from = before != NULL && before->shop_key;
    to = order != NULL && order->shop_key;

    if (from == to) {
        return;
    }

    commerce_path_text(&index, shop, 'h', from ? before->key : order->key);

    if (from) {
        commerce_order_delete(txn, &index);
        return;
    }

    commerce_encode_start(&e, txn->arena, 1 + commerce_codec_room(order->user));
    commerce_encode_text(&e, order->user);
    commerce_path_put(txn, &index, 0, commerce_encode_finish(&e));
}


void
commerce_order_list(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    uint64_t version)
{
    commerce_path_t  record, index;
    commerce_str_t   value;

    commerce_path_doubt(&index, reader->shop, order->created, order->user, order->key);

    if (order->doubt == 0 || commerce_path_get(reader, &index, &value, NULL) != COMMERCE_ABSENT) {
        return;
    }

    commerce_path_order(&record, reader->shop, order->user, order->key);
    commerce_txn_compare(txn, commerce_path_keep(txn, &record), version);
    commerce_txn_put(txn, commerce_path_keep(txn, &index), commerce_string("\1"));
}


int
commerce_order_key_user(commerce_reader_t *reader, commerce_str_t key, commerce_str_t *user)
{
    int                 rc;
    commerce_path_t     index;
    commerce_str_t      value;
    commerce_decoder_t  d;

    *user = commerce_string("");
    commerce_path_text(&index, reader->shop, 'h', key);

    rc = commerce_path_get(reader, &index, &value, NULL);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    value = commerce_copy(reader->arena, value);
    commerce_decode_start(&d, value);
    *user = commerce_decode_text(&d);

    return commerce_decode_finish(&d);
}


int
commerce_order_doubted(commerce_reader_t *reader, commerce_str_t after, commerce_str_t *place,
    commerce_time_t *since, commerce_str_t *user, commerce_str_t *key)
{
    int              rc;
    uint64_t         version;
    commerce_path_t  prefix;
    commerce_str_t   entry, rest, value;

    commerce_path_text(&prefix, reader->shop, 'e', commerce_string(""));

    for ( ;; ) {
        rc = commerce_view_next(reader->view, commerce_path_str(&prefix), after, &entry, &value,
                                &version);
        if (rc != COMMERCE_OK) {
            return rc;
        }

        rest.data = entry.data + prefix.len;
        rest.len = entry.len - prefix.len;
        after = entry;

        if (commerce_order_due_parse(rest, since, user, key) == COMMERCE_OK) {
            *place = entry;
            return COMMERCE_OK;
        }
    }
}


/* an id that is new to the order must be new to the shop: two orders cannot share one */

void
commerce_order_move_id(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t      index;
    commerce_str_t      from, to;
    commerce_encoder_t  e;

    from = before != NULL ? before->id : commerce_string("");
    to = order != NULL ? order->id : commerce_string("");

    if (commerce_equal(from, to)) {
        return;
    }

    if (from.len != 0) {
        commerce_path_text(&index, shop, 'i', from);
        commerce_order_delete(txn, &index);
    }

    if (to.len != 0) {
        commerce_encode_start(&e, txn->arena,
                              1 + commerce_codec_room(order->user)
                              + commerce_codec_room(order->key));
        commerce_encode_text(&e, order->user);
        commerce_encode_text(&e, order->key);

        commerce_path_text(&index, shop, 'i', to);
        commerce_path_put(txn, &index, 0, commerce_encode_finish(&e));
    }
}


void
commerce_order_delete(commerce_txn_t *txn, const commerce_path_t *key)
{
    commerce_str_t  kept;

    kept = commerce_path_keep(txn, key);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }
}


int
commerce_order_due(commerce_reader_t *reader, commerce_time_t now, commerce_order_t *order,
    uint64_t *version)
{
    return commerce_order_due_from(reader, now, commerce_string(""), order, version);
}


int
commerce_order_due_after(commerce_reader_t *reader, commerce_time_t now,
    const commerce_order_t *after, commerce_order_t *order, uint64_t *version)
{
    commerce_path_t  index;

    commerce_path_due(&index, reader->shop, after->due, after->user, after->key);

    if (index.bad) {
        return COMMERCE_ERROR;
    }

    return commerce_order_due_from(reader, now, commerce_path_str(&index), order, version);
}


static int
commerce_order_due_from(commerce_reader_t *reader, commerce_time_t now, commerce_str_t after,
    commerce_order_t *order, uint64_t *version)
{
    int              rc;
    uint64_t         found;
    commerce_path_t   prefix;
    commerce_str_t   entry, rest, value, user, key;
    commerce_time_t  due;

    commerce_path_text(&prefix, reader->shop, 'd', commerce_string(""));

    for ( ;; ) {
        rc = commerce_view_next(reader->view, commerce_path_str(&prefix), after, &entry, &value,
                                &found);
        if (rc != COMMERCE_OK) {
            break;
        }

        rest.data = entry.data + prefix.len;
        rest.len = entry.len - prefix.len;

        /* an entry that leads nowhere must not hide those behind it */

        after = entry;

        if (commerce_order_due_parse(rest, &due, &user, &key) != COMMERCE_OK) {
            continue;
        }

        if (due > now) {
            rc = COMMERCE_ABSENT;
            break;
        }

        rc = commerce_order_read(reader, user, key, order, version);

        if (rc == COMMERCE_OK && (order->due > 0 ? order->due : 0) == due) {
            return COMMERCE_OK;
        }

        if (rc == COMMERCE_ERROR) {
            order->due = due;
            order->user = commerce_copy(reader->arena, user);
            order->key = commerce_copy(reader->arena, key);
            return COMMERCE_ERROR;
        }
    }

    memset(order, 0, sizeof(commerce_order_t));

    return rc;
}


static int
commerce_order_due_parse(commerce_str_t rest, commerce_time_t *due, commerce_str_t *user,
    commerce_str_t *key)
{
    char         c;
    size_t       i;
    uint64_t     time;
    const char  *separator;

    if (rest.len <= COMMERCE_DUE_DIGITS + 1 || rest.data[COMMERCE_DUE_DIGITS] != '/') {
        return COMMERCE_ERROR;
    }

    time = 0;

    for (i = 0; i < COMMERCE_DUE_DIGITS; i++) {
        c = rest.data[i];

        if (c >= '0' && c <= '9') {
            time = time << 4 | (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            time = time << 4 | (uint64_t) (c - 'a' + 10);

        } else {
            return COMMERCE_ERROR;
        }
    }

    rest.data += COMMERCE_DUE_DIGITS + 1;
    rest.len -= COMMERCE_DUE_DIGITS + 1;

    separator = memchr(rest.data, COMMERCE_PATH_SEPARATOR, rest.len);

    if (separator == NULL || time > INT64_MAX) {
        return COMMERCE_ERROR;
    }

    *due = (commerce_time_t) time;
    *user = (commerce_str_t) { rest.data, (size_t) (separator - rest.data) };
    *key = (commerce_str_t) { separator + 1, rest.len - user->len - 1 };

    return COMMERCE_OK;
}
