/*
 * Copyright (C) ngx_commerce authors
 *
 * Campaigns, coupons, counters and parked notices.
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_CAMPAIGN_ENABLED  1
#define COMMERCE_CAMPAIGN_HOLDER   2
#define COMMERCE_CAMPAIGN_FLAGS    3


static int commerce_campaign_get(commerce_reader_t *reader, unsigned number,
    commerce_campaign_t *campaign, uint64_t *version);
static void commerce_campaign_decode_skus(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign);
static size_t commerce_campaign_room(const commerce_campaign_t *campaign);
static int commerce_coupon_get(commerce_reader_t *reader, unsigned campaign, uint32_t serial,
    commerce_coupon_t *coupon, uint64_t *version);
static commerce_str_t commerce_counter_key(commerce_arena_t *arena, const commerce_path_t *key);


int
commerce_campaign_read(commerce_reader_t *reader, unsigned number, commerce_campaign_t *campaign,
    uint64_t *version)
{
    int  rc;

    rc = commerce_campaign_get(reader, number, campaign, version);

    if (rc != COMMERCE_OK) {
        memset(campaign, 0, sizeof(commerce_campaign_t));
    }

    return rc;
}


static int
commerce_campaign_get(commerce_reader_t *reader, unsigned number, commerce_campaign_t *campaign,
    uint64_t *version)
{
    int             rc;
    commerce_path_t  key;
    commerce_str_t  value;

    commerce_path_number(&key, reader->shop, 'k', number, 4);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_campaign_decode(reader->arena, value, campaign);

    return (rc == COMMERCE_OK && campaign->number != number) ? COMMERCE_ERROR : rc;
}


int
commerce_campaign_find(commerce_reader_t *reader, commerce_str_t id,
    commerce_campaign_t *campaign, uint64_t *version)
{
    int       rc;
    uint64_t  number;

    memset(campaign, 0, sizeof(commerce_campaign_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, 'K', id, &number);

    if (rc == COMMERCE_OK) {
        rc = number <= COMMERCE_CODE_CAMPAIGN_MAX
             ? commerce_campaign_read(reader, (unsigned) number, campaign, version)
             : COMMERCE_ERROR;
    }

    return rc;
}


int
commerce_campaign_decode(commerce_arena_t *arena, commerce_str_t value,
    commerce_campaign_t *campaign)
{
    unsigned            flags;
    commerce_decoder_t  d;

    memset(campaign, 0, sizeof(commerce_campaign_t));

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    flags = commerce_decode_u8(&d, COMMERCE_CAMPAIGN_FLAGS);
    campaign->enabled = (flags & COMMERCE_CAMPAIGN_ENABLED) != 0;
    campaign->holder_required = (flags & COMMERCE_CAMPAIGN_HOLDER) != 0;

    campaign->number = (unsigned) commerce_decode_varint(&d, COMMERCE_CODE_CAMPAIGN_MAX);
    campaign->id = commerce_decode_text(&d);
    campaign->fixed = commerce_decode_signed(&d);
    campaign->percent = (unsigned) commerce_decode_varint(&d, 10000);
    campaign->cap = commerce_decode_signed(&d);
    campaign->from = commerce_decode_signed(&d);
    campaign->until = commerce_decode_signed(&d);
    campaign->minimum_spend = commerce_decode_signed(&d);
    campaign->total_limit = commerce_decode_signed(&d);
    campaign->user_limit = commerce_decode_signed(&d);
    campaign->promoter = commerce_decode_varint(&d, UINT64_MAX);
    campaign->promoter_id = commerce_decode_text(&d);
    campaign->minted = (uint32_t) commerce_decode_varint(&d,
                                                         COMMERCE_CODE_SERIAL_MAX + 1ULL);
    commerce_campaign_decode_skus(&d, arena, campaign);

    return commerce_decode_finish(&d);
}


static void
commerce_campaign_decode_skus(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign)
{
    unsigned  i, count;

    count = (unsigned) commerce_decode_varint(d, COMMERCE_CAMPAIGN_SKUS);

    if (count == 0) {
        return;
    }

    campaign->skus = commerce_alloc(arena, count * sizeof(commerce_str_t));

    if (campaign->skus == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        campaign->skus[i] = commerce_decode_text(d);
    }

    campaign->sku_count = count;
}


void
commerce_campaign_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_campaign_t *campaign, uint64_t version)
{
    unsigned            i;
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (campaign->number == 0 || campaign->number > COMMERCE_CODE_CAMPAIGN_MAX
        || campaign->minted > COMMERCE_CODE_SERIAL_MAX + 1ULL
        || campaign->percent > 10000
        || campaign->sku_count > COMMERCE_CAMPAIGN_SKUS || campaign->id.len == 0)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena, commerce_campaign_room(campaign));

    commerce_encode_u8(&e, (campaign->enabled ? COMMERCE_CAMPAIGN_ENABLED : 0)
                           | (campaign->holder_required ? COMMERCE_CAMPAIGN_HOLDER : 0));
    commerce_encode_varint(&e, campaign->number);
    commerce_encode_text(&e, campaign->id);
    commerce_encode_signed(&e, campaign->fixed);
    commerce_encode_varint(&e, campaign->percent);
    commerce_encode_signed(&e, campaign->cap);
    commerce_encode_signed(&e, campaign->from);
    commerce_encode_signed(&e, campaign->until);
    commerce_encode_signed(&e, campaign->minimum_spend);
    commerce_encode_signed(&e, campaign->total_limit);
    commerce_encode_signed(&e, campaign->user_limit);
    commerce_encode_varint(&e, campaign->promoter);
    commerce_encode_text(&e, campaign->promoter_id);
    commerce_encode_varint(&e, campaign->minted);
    commerce_encode_varint(&e, campaign->sku_count);

    for (i = 0; i < campaign->sku_count; i++) {
        commerce_encode_text(&e, campaign->skus[i]);
    }

    commerce_path_number(&key, shop, 'k', campaign->number, 4);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
    commerce_path_index(txn, shop, 'K', campaign->id, campaign->number, version == 0);
}


static size_t
commerce_campaign_room(const commerce_campaign_t *campaign)
{
    size_t    room;
    unsigned  i;

    room = 2 + 12 * COMMERCE_CODEC_VARINT + commerce_codec_room(campaign->id)
           + commerce_codec_room(campaign->promoter_id);

    for (i = 0; i < campaign->sku_count; i++) {
        room += commerce_codec_room(campaign->skus[i]);
    }

    return room;
}


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

    return commerce_decode_finish(&d);
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
                          2 + 4 * COMMERCE_CODEC_VARINT + commerce_codec_room(coupon->holder)
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

    commerce_path_coupon(&key, shop, coupon->campaign, coupon->serial);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


commerce_str_t
commerce_counter_total(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign)
{
    commerce_path_t  key;

    commerce_path_counter(&key, shop, 't', campaign, commerce_string(""));

    return commerce_counter_key(arena, &key);
}


commerce_str_t
commerce_counter_user(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_str_t user)
{
    commerce_path_t  key;

    commerce_path_counter(&key, shop, 'v', campaign, user);

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


int
commerce_parked_read(commerce_reader_t *reader, commerce_str_t id, commerce_parked_t *parked,
    uint64_t *version)
{
    int                 rc;
    commerce_path_t      key;
    commerce_str_t      value;
    commerce_parked_t   read;
    commerce_decoder_t  d;

    memset(parked, 0, sizeof(commerce_parked_t));

    commerce_path_text(&key, reader->shop, 'q', id);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, value);

    read.step = commerce_decode_u8(&d, COMMERCE_STEP_CANCELLED);
    read.time = commerce_decode_signed(&d);

    if (commerce_decode_finish(&d) != COMMERCE_OK
        || (read.step != COMMERCE_STEP_PAID && read.step != COMMERCE_STEP_CANCELLED))
    {
        return COMMERCE_ERROR;
    }

    *parked = read;

    return COMMERCE_OK;
}


void
commerce_parked_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id,
    const commerce_parked_t *parked, uint64_t version)
{
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (parked->step != COMMERCE_STEP_PAID && parked->step != COMMERCE_STEP_CANCELLED) {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena, 2 + COMMERCE_CODEC_VARINT);
    commerce_encode_u8(&e, parked->step);
    commerce_encode_signed(&e, parked->time);

    commerce_path_text(&key, shop, 'q', id);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


void
commerce_parked_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id,
    uint64_t version)
{
    commerce_path_t  key;
    commerce_str_t  kept;

    commerce_path_text(&key, shop, 'q', id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


void
commerce_parked_vacant(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id)
{
    commerce_path_t  key;
    commerce_str_t  kept;

    commerce_path_text(&key, shop, 'q', id);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, 0);
    }
}


commerce_str_t
commerce_record_prefix(commerce_arena_t *arena, commerce_str_t shop, char kind)
{
    commerce_path_t  key;

    commerce_path_text(&key, shop, kind, commerce_string(""));

    return commerce_counter_key(arena, &key);
}
