/*
 * Copyright (C) ngx_commerce authors
 *
 * Coupons and counters.
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_COUNTED_ALL  ((1U << COMMERCE_COUNTS) - 1)


static int commerce_coupon_get(commerce_reader_t *reader, unsigned campaign, uint32_t serial,
    commerce_coupon_t *coupon, uint64_t *version);
static void commerce_coupon_decode_counted(commerce_decoder_t *d, commerce_counted_t *counted);
static commerce_str_t commerce_counter_key(commerce_arena_t *arena, const commerce_path_t *key);


int
commerce_coupon_read(commerce_reader_t *reader, unsigned campaign, uint32_t serial,
    commerce_coupon_t *coupon, uint64_t *version)
{
    int  rc;

    rc = commerce_coupon_get(reader, campaign, serial, coupon, version);

    if (rc != COMMERCE_OK) {
        memset(coupon, 0, sizeof(commerce_coupon_t));
    }

    /* one that was never touched has no record */

    if (rc == COMMERCE_ABSENT) {
        coupon->campaign = campaign;
        coupon->serial = serial;
    }

    return rc;
}


static int
commerce_coupon_get(commerce_reader_t *reader, unsigned campaign, uint32_t serial,
    commerce_coupon_t *coupon, uint64_t *version)
{
    int             rc;
    commerce_path_t  key;
    commerce_str_t  value;

    commerce_path_coupon(&key, reader->shop, campaign, serial);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_coupon_decode(reader->arena, value, coupon);

    return (rc == COMMERCE_OK && (coupon->campaign != campaign || coupon->serial != serial))
           ? COMMERCE_ERROR : rc;
}


int
commerce_coupon_decode(commerce_arena_t *arena, commerce_str_t value, commerce_coupon_t *coupon)
{
    commerce_decoder_t  d;

    memset(coupon, 0, sizeof(commerce_coupon_t));

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    coupon->campaign = (unsigned) commerce_decode_varint(&d, COMMERCE_CODE_CAMPAIGN_MAX);
    coupon->serial = (uint32_t) commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);
    coupon->state = commerce_decode_u8(&d, COMMERCE_COUPON_STATES - 1);
    coupon->holder = commerce_decode_text(&d);
    coupon->order_user = commerce_decode_text(&d);
    coupon->order_key = commerce_decode_text(&d);
    coupon->used_by = commerce_decode_text(&d);
    coupon->changed = commerce_decode_signed(&d);
    coupon->cycles = (unsigned) commerce_decode_varint(&d, UINT32_MAX);

    if (d.format >= 2) {
        commerce_coupon_decode_counted(&d, &coupon->counted);
        coupon->claimed = commerce_decode_signed(&d);
        coupon->expires = commerce_decode_signed(&d);
        coupon->seller = commerce_decode_varint(&d, UINT64_MAX);
        coupon->request = commerce_decode_text(&d);
    }

    return commerce_decode_finish(&d);
}


static void
commerce_coupon_decode_counted(commerce_decoder_t *d, commerce_counted_t *counted)
{
    counted->uses = (unsigned) commerce_decode_varint(d, COMMERCE_COUNTED_ALL);
    counted->money = (unsigned) commerce_decode_varint(d, COMMERCE_COUNTED_ALL);
    counted->day = (int32_t) commerce_decode_signed(d);
    counted->group = commerce_decode_text(d);
    counted->seller = commerce_decode_text(d);
    counted->discount = commerce_decode_signed(d);
}


void
commerce_coupon_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_coupon_t *coupon,
    uint64_t version)
{
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (coupon->campaign == 0 || coupon->campaign > COMMERCE_CODE_CAMPAIGN_MAX
        || coupon->serial > COMMERCE_CODE_SERIAL_MAX)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena,
                          2 + 11 * COMMERCE_CODEC_VARINT + commerce_codec_room(coupon->holder)
                          + commerce_codec_room(coupon->request)
                          + commerce_codec_room(coupon->counted.group)
                          + commerce_codec_room(coupon->counted.seller)
                          + commerce_codec_room(coupon->order_user)
                          + commerce_codec_room(coupon->order_key)
                          + commerce_codec_room(coupon->used_by));

    commerce_encode_varint(&e, coupon->campaign);
    commerce_encode_varint(&e, coupon->serial);
    commerce_encode_u8(&e, coupon->state);
    commerce_encode_text(&e, coupon->holder);
    commerce_encode_text(&e, coupon->order_user);
    commerce_encode_text(&e, coupon->order_key);
    commerce_encode_text(&e, coupon->used_by);
    commerce_encode_signed(&e, coupon->changed);
    commerce_encode_varint(&e, coupon->cycles);

    if (coupon->counted.uses != 0 || coupon->counted.money != 0 || coupon->claimed != 0
        || coupon->request.len != 0)
    {
        commerce_encode_format(&e, 2);
        commerce_encode_varint(&e, coupon->counted.uses);
        commerce_encode_varint(&e, coupon->counted.money);
        commerce_encode_signed(&e, coupon->counted.day);
        commerce_encode_text(&e, coupon->counted.group);
        commerce_encode_text(&e, coupon->counted.seller);
        commerce_encode_signed(&e, coupon->counted.discount);
        commerce_encode_signed(&e, coupon->claimed);
        commerce_encode_signed(&e, coupon->expires);
        commerce_encode_varint(&e, coupon->seller);
        commerce_encode_text(&e, coupon->request);
    }

    commerce_path_coupon(&key, shop, coupon->campaign, coupon->serial);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


commerce_str_t
commerce_counter_total(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign)
{
    return commerce_counter_campaign(arena, shop, campaign, COMMERCE_COUNT_TOTAL, false, 0,
                                     commerce_string(""));
}


commerce_str_t
commerce_counter_user(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_str_t user)
{
    return commerce_counter_campaign(arena, shop, campaign, COMMERCE_COUNT_USER, false, 0, user);
}


commerce_str_t
commerce_counter_campaign(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, bool money, int32_t day, commerce_str_t name)
{
    commerce_path_t  key;

    commerce_path_counter(&key, shop, campaign, which, money, day, name);

    return commerce_counter_key(arena, &key);
}


commerce_str_t
commerce_counter_doubt(commerce_arena_t *arena, commerce_str_t shop)
{
    commerce_path_t  key;

    commerce_path_text(&key, shop, 'n', commerce_string("doubt"));

    return commerce_counter_key(arena, &key);
}


/* an empty key makes the transaction that adds to it fail */

static commerce_str_t
commerce_counter_key(commerce_arena_t *arena, const commerce_path_t *key)
{
    return key->bad ? commerce_string("") : commerce_copy(arena, commerce_path_str(key));
}


commerce_str_t
commerce_record_prefix(commerce_arena_t *arena, commerce_str_t shop, char kind)
{
    commerce_path_t  key;

    commerce_path_text(&key, shop, kind, commerce_string(""));

    return commerce_counter_key(arena, &key);
}
