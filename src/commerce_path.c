/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_codec.h"
#include "commerce_path.h"
#include "commerce_write.h"


static void commerce_path_start(commerce_path_t *key, commerce_str_t shop, char kind);
static void commerce_path_append(commerce_path_t *key, commerce_str_t text);
static void commerce_path_hex(commerce_path_t *key, uint64_t number, unsigned digits);
static void commerce_path_counted(commerce_path_t *key, unsigned campaign, commerce_count_t which,
    int32_t day, commerce_str_t name);
static void commerce_path_pair(commerce_path_t *key, commerce_str_t user, commerce_str_t order_key);


void
commerce_path_number(commerce_path_t *key, commerce_str_t shop, char kind, uint64_t number,
    unsigned digits)
{
    commerce_path_start(key, shop, kind);
    commerce_path_hex(key, number, digits);
}


void
commerce_path_text(commerce_path_t *key, commerce_str_t shop, char kind, commerce_str_t text)
{
    commerce_path_start(key, shop, kind);
    commerce_path_append(key, text);
}


void
commerce_path_coupon(commerce_path_t *key, commerce_str_t shop, unsigned campaign, uint32_t serial)
{
    commerce_path_start(key, shop, 'c');
    commerce_path_hex(key, campaign, 4);
    commerce_path_append(key, commerce_string("/"));
    commerce_path_hex(key, serial, 8);
}


void
commerce_path_counter(commerce_path_t *key, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, bool money, int32_t day, commerce_str_t name)
{
    static const char  uses[] = "tvdwgs";
    static const char  fen[] = "TVDWGS";

    commerce_path_start(key, shop, 'n');
    commerce_path_append(key, (commerce_str_t) { money ? &fen[which] : &uses[which], 1 });
    commerce_path_counted(key, campaign, which, day, name);
}


void
commerce_path_claims(commerce_path_t *key, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, int32_t day, commerce_str_t name)
{
    static const char  claims[] = "tvdwgs";

    commerce_path_start(key, shop, 'n');
    commerce_path_append(key, commerce_string("y"));
    commerce_path_append(key, (commerce_str_t) { &claims[which], 1 });
    commerce_path_counted(key, campaign, which, day, name);
}


static void
commerce_path_counted(commerce_path_t *key, unsigned campaign, commerce_count_t which, int32_t day,
    commerce_str_t name)
{
    commerce_path_append(key, commerce_string("/"));
    commerce_path_hex(key, campaign, 4);

    if (which == COMMERCE_COUNT_DAY || which == COMMERCE_COUNT_USER_DAY) {
        commerce_path_append(key, commerce_string("/"));
        commerce_path_hex(key, (uint32_t) day, 8);
    }

    if (which != COMMERCE_COUNT_TOTAL && which != COMMERCE_COUNT_DAY) {
        commerce_path_append(key, commerce_string("/"));
        commerce_path_append(key, name);
    }
}


void
commerce_path_claim(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t slot)
{
    if (slot.len == 0) {
        commerce_path_user(key, shop, 'y', user);
        key->bad = key->bad || user.len == 0;
        return;
    }

    commerce_path_start(key, shop, 'y');
    commerce_path_pair(key, user, slot);
}


void
commerce_path_order(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key)
{
    commerce_path_start(key, shop, 'o');
    commerce_path_pair(key, user, order_key);
}


void
commerce_path_splits(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key)
{
    commerce_path_start(key, shop, 't');
    commerce_path_pair(key, user, order_key);
}


void
commerce_path_user(commerce_path_t *key, commerce_str_t shop, char kind, commerce_str_t user)
{
    char  separator = COMMERCE_PATH_SEPARATOR;

    commerce_path_start(key, shop, kind);

    if (user.len != 0 && memchr(user.data, separator, user.len) != NULL) {
        key->bad = true;
        return;
    }

    commerce_path_append(key, user);
    commerce_path_append(key, (commerce_str_t) { &separator, 1 });
}


void
commerce_path_history(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_time_t at)
{
    commerce_path_user(key, shop, 'B', user);
    commerce_path_hex(key, at > 0 ? (uint64_t) at : 0, 16);
}


void
commerce_path_due(commerce_path_t *key, commerce_str_t shop, commerce_time_t due,
    commerce_str_t user, commerce_str_t order_key)
{
    commerce_path_start(key, shop, 'd');
    commerce_path_hex(key, due > 0 ? (uint64_t) due : 0, 16);
    commerce_path_append(key, commerce_string("/"));
    commerce_path_pair(key, user, order_key);
}


void
commerce_path_doubt(commerce_path_t *key, commerce_str_t shop, commerce_time_t since,
    commerce_str_t user, commerce_str_t order_key)
{
    commerce_path_start(key, shop, 'e');
    commerce_path_hex(key, since > 0 ? (uint64_t) since : 0, 16);
    commerce_path_append(key, commerce_string("/"));
    commerce_path_pair(key, user, order_key);
}


void
commerce_path_refund(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key, commerce_str_t number)
{
    char  separator = COMMERCE_PATH_SEPARATOR;

    commerce_path_start(key, shop, 'f');
    commerce_path_pair(key, user, order_key);
    commerce_path_append(key, (commerce_str_t) { &separator, 1 });
    commerce_path_append(key, number);
}


void
commerce_path_waiting(commerce_path_t *key, commerce_str_t shop, char what, commerce_str_t name)
{
    char  kind[2] = { what, '/' };

    commerce_path_start(key, shop, 'Q');
    commerce_path_append(key, (commerce_str_t) { kind, sizeof(kind) });
    commerce_path_append(key, name);
}


void
commerce_path_waiting_order(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key)
{
    commerce_path_waiting(key, shop, 'o', commerce_string(""));
    commerce_path_pair(key, user, order_key);
}


commerce_str_t
commerce_path_keep(commerce_txn_t *txn, const commerce_path_t *key)
{
    commerce_str_t  kept;

    kept = key->bad ? (commerce_str_t) { NULL, 0 }
                    : commerce_copy(txn->arena, commerce_path_str(key));

    if (kept.len == 0) {
        txn->failed = true;
    }

    return kept;
}


int
commerce_path_get(commerce_reader_t *reader, const commerce_path_t *key, commerce_str_t *value,
    uint64_t *version)
{
    uint64_t  unused;

    if (version == NULL) {
        version = &unused;
    }

    *version = 0;

    if (key->bad) {
        return COMMERCE_ABSENT;
    }

    return commerce_view_get(reader->view, commerce_path_str(key), value, version);
}


void
commerce_path_put(commerce_txn_t *txn, const commerce_path_t *key, uint64_t version,
    commerce_str_t value)
{
    commerce_str_t  kept;

    kept = commerce_path_keep(txn, key);

    if (kept.len == 0 || value.data == NULL) {
        txn->failed = true;
        return;
    }

    commerce_txn_compare(txn, kept, version);
    commerce_txn_put(txn, kept, value);
    commerce_txn_format(txn, (uint8_t) value.data[0]);
}


int
commerce_path_find(commerce_reader_t *reader, char kind, commerce_str_t id, uint64_t *number)
{
    int                 rc;
    commerce_path_t      key;
    commerce_str_t      value;
    commerce_decoder_t  d;

    *number = 0;

    if (id.len == 0) {
        return COMMERCE_ABSENT;
    }

    commerce_path_text(&key, reader->shop, kind, id);

    rc = commerce_path_get(reader, &key, &value, NULL);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, value);
    *number = commerce_decode_varint(&d, UINT64_MAX);

    return commerce_decode_finish(&d);
}


void
commerce_path_index(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t id,
    uint64_t number, bool fresh)
{
    commerce_path_t      key;
    commerce_str_t      kept;
    commerce_encoder_t  e;

    commerce_path_text(&key, shop, kind, id);

    commerce_encode_start(&e, txn->arena, 1 + COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, number);

    if (fresh) {
        commerce_path_put(txn, &key, 0, commerce_encode_finish(&e));
        return;
    }

    kept = commerce_path_keep(txn, &key);

    if (e.failed) {
        txn->failed = true;

    } else if (kept.len != 0) {
        commerce_txn_put(txn, kept, commerce_encode_finish(&e));
    }
}


void
commerce_path_unindex(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t id)
{
    commerce_path_t  key;
    commerce_str_t  kept;

    commerce_path_text(&key, shop, kind, id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }
}


static void
commerce_path_start(commerce_path_t *key, commerce_str_t shop, char kind)
{
    char  *p;

    /* shops are short: what is not one has no records */

    if (shop.len == 0 || shop.len > COMMERCE_SHOP_MAX) {
        key->len = 0;
        key->bad = true;
        return;
    }

    memcpy(key->data, shop.data, shop.len);

    p = key->data + shop.len;
    p[0] = '/';
    p[1] = kind;
    p[2] = '/';

    key->len = shop.len + 3;
    key->bad = false;
}


static void
commerce_path_append(commerce_path_t *key, commerce_str_t text)
{
    if (key->bad || text.len > COMMERCE_KEY_MAX - key->len) {
        key->bad = true;
        return;
    }

    if (text.len != 0) {
        memcpy(key->data + key->len, text.data, text.len);
        key->len += text.len;
    }
}


static void
commerce_path_hex(commerce_path_t *key, uint64_t number, unsigned digits)
{
    /* a number that does not fit must not become another one's key */

    if (key->bad || digits > COMMERCE_KEY_MAX - key->len
        || (digits < 16 && number >> 4 * digits != 0))
    {
        key->bad = true;
        return;
    }

    number = htobe64(number << (64 - 4 * digits));

    commerce_hex((const uint8_t *) &number, digits / 2, key->data + key->len);
    key->len += digits;
}


/* two parts of any length: only the separator keeps ("a", "bc") and ("ab", "c") apart */

static void
commerce_path_pair(commerce_path_t *key, commerce_str_t user, commerce_str_t order_key)
{
    char  separator = COMMERCE_PATH_SEPARATOR;

    if ((user.len != 0 && memchr(user.data, separator, user.len) != NULL)
        || order_key.len == 0
        || memchr(order_key.data, separator, order_key.len) != NULL)
    {
        key->bad = true;
        return;
    }

    commerce_path_append(key, user);
    commerce_path_append(key, (commerce_str_t) { &separator, 1 });
    commerce_path_append(key, order_key);
}
