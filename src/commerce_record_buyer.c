/*
 * Copyright (C) ngx_commerce authors
 *
 * The buyer's record.  A page view reads it, so its parts have fixed width and only those that
 * were ever touched are there:
 *
 *   format | parts | pseudonym | binding, 88 bytes | n, n * touch, 58 bytes | n, n * seen, 16 bytes
 *   format 3: | order_extend | extended | canonical
 *
 * The byte of a touch's strength holds where it was met as well: strength | origin << 2 | field << 4, the
 * latter two since format 3.
 */

#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_BUYER_BOUND    1           /* bit of parts: the binding follows */

#define COMMERCE_BUYER_BINDING  (11 * 8)
#define COMMERCE_BUYER_TOUCH    (2 + 5 * 8 + 4 * 4)
#define COMMERCE_BUYER_SEEN     (2 * 8)
#define COMMERCE_BUYER_EXTENSION  (2 * 8)
#define COMMERCE_BUYER_ROOM                                                     \
    (4 + COMMERCE_ID_MAX + COMMERCE_CODEC_VARINT + COMMERCE_BUYER_BINDING       \
     + COMMERCE_SOURCES * COMMERCE_BUYER_TOUCH                                  \
     + COMMERCE_SEEN_MAX * COMMERCE_BUYER_SEEN + COMMERCE_BUYER_EXTENSION           \
     + COMMERCE_ID_MAX + COMMERCE_CODEC_VARINT)


static int commerce_buyer_decode(commerce_arena_t *arena, commerce_str_t value,
    commerce_buyer_t *buyer);
static void commerce_buyer_decode_binding(commerce_decoder_t *d, commerce_binding_t *binding);
static void commerce_buyer_decode_extension(commerce_decoder_t *d, commerce_binding_t *binding);
static void commerce_buyer_decode_touches(commerce_decoder_t *d, commerce_buyer_t *buyer);
static void commerce_buyer_decode_seen(commerce_decoder_t *d, commerce_buyer_t *buyer);
static void commerce_buyer_encode_binding(commerce_encoder_t *e,
    const commerce_binding_t *binding);
static void commerce_buyer_encode_touches(commerce_encoder_t *e, const commerce_buyer_t *buyer);
static bool commerce_buyer_bound(const commerce_binding_t *binding);
static bool commerce_buyer_third(const commerce_buyer_t *buyer);


int
commerce_buyer_read(commerce_reader_t *reader, commerce_str_t user, commerce_buyer_t *buyer,
    uint64_t *version)
{
    int             rc;
    commerce_path_t  key;
    commerce_str_t  value;

    commerce_path_text(&key, reader->shop, 'b', user);

    rc = commerce_path_get(reader, &key, &value, version);

    if (rc == COMMERCE_OK) {
        rc = commerce_buyer_decode(reader->arena, value, buyer);
    }

    if (rc != COMMERCE_OK) {
        memset(buyer, 0, sizeof(commerce_buyer_t));
    }

    return rc;
}


int
commerce_buyer_resolve(commerce_reader_t *reader, commerce_str_t *user, commerce_buyer_t *buyer,
    uint64_t *version)
{
    int       rc;
    unsigned  i;

    for (i = 0; i < COMMERCE_ALIASES_MAX; i++) {

        rc = commerce_buyer_read(reader, *user, buyer, version);

        if (rc != COMMERCE_OK || buyer->canonical.len == 0) {
            return rc;
        }

        *user = buyer->canonical;
    }

    memset(buyer, 0, sizeof(commerce_buyer_t));

    return COMMERCE_ERROR;
}


int
commerce_buyer_ordered(commerce_reader_t *reader, commerce_str_t user)
{
    uint64_t         version;
    commerce_str_t   key, value;
    commerce_path_t  prefix;

    commerce_path_user(&prefix, reader->shop, 'o', user);

    if (prefix.bad) {
        return COMMERCE_ABSENT;
    }

    return commerce_view_next(reader->view, commerce_path_str(&prefix), commerce_string(""), &key, &value,
                              &version);
}


void
commerce_buyer_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user,
    const commerce_buyer_t *buyer, uint64_t version)
{
    bool                bound;
    unsigned            i;
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (user.len == 0 || buyer->seen_count > COMMERCE_SEEN_MAX) {
        txn->failed = true;
        return;
    }

    bound = commerce_buyer_bound(&buyer->binding);

    commerce_encode_start(&e, txn->arena, COMMERCE_BUYER_ROOM);
    commerce_encode_u8(&e, bound ? COMMERCE_BUYER_BOUND : 0);
    commerce_encode_text(&e, buyer->pseudonym);

    if (bound) {
        commerce_buyer_encode_binding(&e, &buyer->binding);
    }

    commerce_buyer_encode_touches(&e, buyer);
    commerce_encode_u8(&e, buyer->seen_count);

    for (i = 0; i < buyer->seen_count; i++) {
        commerce_encode_u64(&e, buyer->seen[i].digest);
        commerce_encode_u64(&e, (uint64_t) buyer->seen[i].first);
    }

    if (commerce_buyer_third(buyer)) {
        commerce_encode_format(&e, 3);
        commerce_encode_u64(&e, (uint64_t) buyer->binding.order_extend);
        commerce_encode_u64(&e, (uint64_t) buyer->binding.extended);
        commerce_encode_text(&e, buyer->canonical);
    }

    commerce_path_text(&key, shop, 'b', user);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


void
commerce_buyer_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, uint64_t version)
{
    commerce_path_t  key;
    commerce_str_t   kept;

    commerce_path_text(&key, shop, 'b', user);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


static int
commerce_buyer_decode(commerce_arena_t *arena, commerce_str_t value, commerce_buyer_t *buyer)
{
    unsigned            parts;
    commerce_decoder_t  d;

    memset(buyer, 0, sizeof(commerce_buyer_t));

    commerce_decode_start(&d, value);

    parts = commerce_decode_u8(&d, COMMERCE_BUYER_BOUND);
    buyer->pseudonym = commerce_decode_text(&d);

    if (parts & COMMERCE_BUYER_BOUND) {
        commerce_buyer_decode_binding(&d, &buyer->binding);
    }

    commerce_buyer_decode_touches(&d, buyer);
    commerce_buyer_decode_seen(&d, buyer);

    if (d.format >= 3) {
        commerce_buyer_decode_extension(&d, &buyer->binding);
        buyer->canonical = commerce_decode_text(&d);
    }

    if (commerce_decode_finish(&d) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (buyer->pseudonym.len != 0) {
        buyer->pseudonym = commerce_copy(arena, buyer->pseudonym);
    }

    if (buyer->canonical.len != 0) {
        buyer->canonical = commerce_copy(arena, buyer->canonical);

        if (buyer->canonical.data == NULL) {
            return COMMERCE_ERROR;
        }
    }

    return buyer->pseudonym.data != NULL ? COMMERCE_OK : COMMERCE_ERROR;
}


static void
commerce_buyer_decode_binding(commerce_decoder_t *d, commerce_binding_t *binding)
{
    const uint8_t  *p;

    p = commerce_decode_bytes(d, COMMERCE_BUYER_BINDING);

    if (p == NULL) {
        return;
    }

    binding->owner = commerce_load_u64(p);
    binding->origin = commerce_load_u64(p + 8);
    binding->previous = commerce_load_u64(p + 16);
    binding->changed = (int64_t) commerce_load_u64(p + 24);
    binding->previous_end = (int64_t) commerce_load_u64(p + 32);
    binding->previous_start = (int64_t) commerce_load_u64(p + 40);
    binding->previous_protect = (int64_t) commerce_load_u64(p + 48);
    binding->start = (int64_t) commerce_load_u64(p + 56);
    binding->renewed = (int64_t) commerce_load_u64(p + 64);
    binding->validity = (int64_t) commerce_load_u64(p + 72);
    binding->protect = (int64_t) commerce_load_u64(p + 80);
}


static void
commerce_buyer_decode_extension(commerce_decoder_t *d, commerce_binding_t *binding)
{
    const uint8_t  *p;

    p = commerce_decode_bytes(d, COMMERCE_BUYER_EXTENSION);

    if (p == NULL) {
        return;
    }

    binding->order_extend = (int64_t) commerce_load_u64(p);
    binding->extended = (int64_t) commerce_load_u64(p + 8);
}


static void
commerce_buyer_encode_binding(commerce_encoder_t *e, const commerce_binding_t *binding)
{
    commerce_encode_u64(e, binding->owner);
    commerce_encode_u64(e, binding->origin);
    commerce_encode_u64(e, binding->previous);
    commerce_encode_u64(e, (uint64_t) binding->changed);
    commerce_encode_u64(e, (uint64_t) binding->previous_end);
    commerce_encode_u64(e, (uint64_t) binding->previous_start);
    commerce_encode_u64(e, (uint64_t) binding->previous_protect);
    commerce_encode_u64(e, (uint64_t) binding->start);
    commerce_encode_u64(e, (uint64_t) binding->renewed);
    commerce_encode_u64(e, (uint64_t) binding->validity);
    commerce_encode_u64(e, (uint64_t) binding->protect);
}


static void
commerce_buyer_decode_touches(commerce_decoder_t *d, commerce_buyer_t *buyer)
{
    unsigned           n;
    const uint8_t     *p;
    commerce_touch_t  *touch;

    for (n = commerce_decode_u8(d, COMMERCE_SOURCES - 1); n > 0; n--) {
        p = commerce_decode_bytes(d, COMMERCE_BUYER_TOUCH);

        if (p == NULL) {
            return;
        }

        if (p[0] == COMMERCE_SOURCE_NONE || p[0] >= COMMERCE_SOURCES
            || (p[1] & 3) > COMMERCE_STRENGTH_ATTESTED || (p[1] >> 2 & 3) >= COMMERCE_ORIGINS
            || p[1] >> 4 >= COMMERCE_FIELDS)
        {
            d->failed = true;
            return;
        }

        touch = &buyer->last[p[0]];

        touch->source = p[0];
        touch->strength = p[1] & 3;
        touch->origin = p[1] >> 2 & 3;
        touch->field = p[1] >> 4;
        touch->digest = commerce_load_u64(p + 2);
        touch->seller = commerce_load_u64(p + 10);
        touch->upline = commerce_load_u64(p + 18);
        touch->group = commerce_load_u32(p + 26);
        touch->room = commerce_load_u32(p + 30);
        touch->channel = commerce_load_u32(p + 34);
        touch->landing = commerce_load_u32(p + 38);
        touch->first = (int64_t) commerce_load_u64(p + 42);
        touch->lookback = (int64_t) commerce_load_u64(p + 50);
    }
}


static void
commerce_buyer_encode_touches(commerce_encoder_t *e, const commerce_buyer_t *buyer)
{
    unsigned                 i, n;
    const commerce_touch_t  *touch;

    n = 0;

    for (i = COMMERCE_SOURCE_NONE + 1; i < COMMERCE_SOURCES; i++) {
        n += (buyer->last[i].source != COMMERCE_SOURCE_NONE);
    }

    commerce_encode_u8(e, n);

    for (i = COMMERCE_SOURCE_NONE + 1; i < COMMERCE_SOURCES; i++) {
        touch = &buyer->last[i];

        if (touch->source == COMMERCE_SOURCE_NONE) {
            continue;
        }

        commerce_encode_u8(e, i);
        commerce_encode_u8(e, touch->strength | touch->origin << 2 | touch->field << 4);
        commerce_encode_u64(e, touch->digest);
        commerce_encode_u64(e, touch->seller);
        commerce_encode_u64(e, touch->upline);
        commerce_encode_u32(e, touch->group);
        commerce_encode_u32(e, touch->room);
        commerce_encode_u32(e, touch->channel);
        commerce_encode_u32(e, touch->landing);
        commerce_encode_u64(e, (uint64_t) touch->first);
        commerce_encode_u64(e, (uint64_t) touch->lookback);
    }
}


static void
commerce_buyer_decode_seen(commerce_decoder_t *d, commerce_buyer_t *buyer)
{
    unsigned        i, n;
    const uint8_t  *p;

    n = commerce_decode_u8(d, COMMERCE_SEEN_MAX);
    p = commerce_decode_bytes(d, n * COMMERCE_BUYER_SEEN);

    if (p == NULL) {
        return;
    }

    for (i = 0; i < n; i++, p += COMMERCE_BUYER_SEEN) {
        buyer->seen[i].digest = commerce_load_u64(p);
        buyer->seen[i].first = (int64_t) commerce_load_u64(p + 8);
    }

    buyer->seen_count = n;
}


static bool
commerce_buyer_bound(const commerce_binding_t *binding)
{
    return binding->owner != 0 || binding->origin != 0 || binding->previous != 0;
}


/* needs this buyer format 3? */

static bool
commerce_buyer_third(const commerce_buyer_t *buyer)
{
    unsigned  i;

    for (i = COMMERCE_SOURCE_NONE + 1; i < COMMERCE_SOURCES; i++) {
        if (buyer->last[i].source != COMMERCE_SOURCE_NONE
            && (buyer->last[i].field != COMMERCE_FIELD_NONE
                || buyer->last[i].origin != COMMERCE_ORIGIN_NONE))
        {
            return true;
        }
    }

    return buyer->binding.order_extend != 0 || buyer->binding.extended != 0 || buyer->canonical.len != 0;
}
