/*
 * Copyright (C) ngx_commerce authors
 *
 * Campaigns.
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_CAMPAIGN_OPEN     1        /* bits of the claim's flags */
#define COMMERCE_CAMPAIGN_QR       2

#define COMMERCE_CAMPAIGN_ENABLED  1
#define COMMERCE_CAMPAIGN_HOLDER   2
#define COMMERCE_CAMPAIGN_FLAGS    3


static int commerce_campaign_get(commerce_reader_t *reader, unsigned number,
    commerce_campaign_t *campaign, uint64_t *version);
static void commerce_campaign_decode_ids(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_ids_t *ids);
static bool commerce_campaign_storable(const commerce_campaign_t *campaign);
static void commerce_campaign_encode_ids(commerce_encoder_t *e, const commerce_ids_t *ids);
static void commerce_campaign_encode_rules(commerce_encoder_t *e,
    const commerce_campaign_t *campaign);
static void commerce_campaign_decode_rules(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign);
static void commerce_campaign_decode_hours(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign);
static void commerce_campaign_decode_steps(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign);
static size_t commerce_campaign_room(const commerce_campaign_t *campaign);
static void commerce_campaign_encode_limit(commerce_encoder_t *e, int64_t limit);
static int64_t commerce_campaign_decode_limit(commerce_decoder_t *d);
static void commerce_campaign_encode_counts(commerce_encoder_t *e,
    const commerce_campaign_t *campaign);
static void commerce_campaign_decode_counts(commerce_decoder_t *d, commerce_campaign_t *campaign);
static void commerce_campaign_encode_zone(commerce_encoder_t *e, const commerce_zone_t *zone);
static void commerce_campaign_decode_zone(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_zone_t *zone);
static int32_t commerce_campaign_decode_offset(commerce_decoder_t *d);
static void commerce_campaign_encode_claim(commerce_encoder_t *e,
    const commerce_campaign_t *campaign);
static void commerce_campaign_decode_claim(commerce_decoder_t *d, commerce_campaign_t *campaign);


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
    campaign->limits[COMMERCE_COUNT_TOTAL] = commerce_campaign_decode_limit(&d);
    campaign->limits[COMMERCE_COUNT_USER] = commerce_campaign_decode_limit(&d);
    campaign->promoter = commerce_decode_varint(&d, UINT64_MAX);
    campaign->promoter_id = commerce_decode_text(&d);
    campaign->minted = (uint32_t) commerce_decode_varint(&d,
                                                         COMMERCE_CODE_SERIAL_MAX + 1ULL);
    commerce_campaign_decode_ids(&d, arena, &campaign->scopes[COMMERCE_SCOPE_SKU]);

    if (d.format >= 2) {
        commerce_campaign_decode_counts(&d, campaign);
        commerce_campaign_decode_zone(&d, arena, &campaign->zone);
        commerce_campaign_decode_claim(&d, campaign);
        campaign->imported = commerce_decode_u8(&d, 1) != 0;
        commerce_campaign_decode_rules(&d, arena, campaign);
    }

    if (d.format >= 3) {
        campaign->closed = commerce_decode_signed(&d);
    }

    return commerce_decode_finish(&d);
}


static void
commerce_campaign_decode_ids(commerce_decoder_t *d, commerce_arena_t *arena, commerce_ids_t *ids)
{
    unsigned  i, count;

    count = (unsigned) commerce_decode_varint(d, COMMERCE_CAMPAIGN_IDS);

    if (count == 0) {
        return;
    }

    ids->ids = commerce_alloc(arena, count * sizeof(commerce_str_t));

    if (ids->ids == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        ids->ids[i] = commerce_decode_text(d);
    }

    ids->count = count;
}


void
commerce_campaign_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_campaign_t *campaign, uint64_t version)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    if (!commerce_campaign_storable(campaign)) {
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
    commerce_campaign_encode_limit(&e, campaign->limits[COMMERCE_COUNT_TOTAL]);
    commerce_campaign_encode_limit(&e, campaign->limits[COMMERCE_COUNT_USER]);
    commerce_encode_varint(&e, campaign->promoter);
    commerce_encode_text(&e, campaign->promoter_id);
    commerce_encode_varint(&e, campaign->minted);
    commerce_campaign_encode_ids(&e, &campaign->scopes[COMMERCE_SCOPE_SKU]);

    if (commerce_campaign_is_new(campaign) || campaign->closed != 0) {
        commerce_encode_format(&e, 2);
        commerce_campaign_encode_counts(&e, campaign);
        commerce_campaign_encode_zone(&e, &campaign->zone);
        commerce_campaign_encode_claim(&e, campaign);
        commerce_encode_u8(&e, campaign->imported);
        commerce_campaign_encode_rules(&e, campaign);
    }

    if (campaign->closed != 0) {
        commerce_encode_format(&e, 3);
        commerce_encode_signed(&e, campaign->closed);
    }

    commerce_path_number(&key, shop, 'k', campaign->number, 4);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
    commerce_path_index(txn, shop, 'K', campaign->id, campaign->number, version == 0);
}


/* what the decoder would refuse must not be written */

static bool
commerce_campaign_storable(const commerce_campaign_t *campaign)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        if (campaign->scopes[i].count > COMMERCE_CAMPAIGN_IDS) {
            return false;
        }
    }

    return campaign->number != 0 && campaign->number <= COMMERCE_CODE_CAMPAIGN_MAX
           && campaign->minted <= COMMERCE_CODE_SERIAL_MAX + 1ULL
           && campaign->percent <= 10000 && campaign->id.len != 0
           && campaign->step_count <= COMMERCE_CAMPAIGN_STEPS
           && campaign->hours_count <= COMMERCE_CAMPAIGN_HOURS
           && campaign->stack_limit <= COMMERCE_CAMPAIGN_STACK
           && campaign->zone.count <= COMMERCE_ZONE_CHANGES;
}


static size_t
commerce_campaign_room(const commerce_campaign_t *campaign)
{
    size_t    room;
    unsigned  i, k;

    room = 3 + (29 + 3 * COMMERCE_COUNTS + COMMERCE_SCOPES) * COMMERCE_CODEC_VARINT
           + commerce_codec_room(campaign->id) + commerce_codec_room(campaign->promoter_id)
           + commerce_codec_room(campaign->zone.name)
           + commerce_codec_room(campaign->stack_class)
           + (campaign->zone.count + campaign->step_count) * 2 * COMMERCE_CODEC_VARINT
           + campaign->hours_count * 3 * COMMERCE_CODEC_VARINT;

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        for (k = 0; k < campaign->scopes[i].count; k++) {
            room += commerce_codec_room(campaign->scopes[i].ids[k]);
        }
    }

    return room;
}


static void
commerce_campaign_encode_ids(commerce_encoder_t *e, const commerce_ids_t *ids)
{
    unsigned  i;

    commerce_encode_varint(e, ids->count);

    for (i = 0; i < ids->count; i++) {
        commerce_encode_text(e, ids->ids[i]);
    }
}


/* format 1 knows no limit as the largest number */

static void
commerce_campaign_encode_limit(commerce_encoder_t *e, int64_t limit)
{
    commerce_encode_signed(e, limit != 0 ? limit : COMMERCE_FOREVER);
}


static int64_t
commerce_campaign_decode_limit(commerce_decoder_t *d)
{
    int64_t  limit;

    limit = commerce_decode_signed(d);

    return limit != COMMERCE_FOREVER ? limit : 0;
}


static void
commerce_campaign_encode_counts(commerce_encoder_t *e, const commerce_campaign_t *campaign)
{
    unsigned  i;

    commerce_encode_u8(e, COMMERCE_COUNTS);

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        commerce_encode_varint(e, (uint64_t) campaign->limits[i]);
        commerce_encode_varint(e, (uint64_t) campaign->budgets[i]);
    }
}


static void
commerce_campaign_decode_counts(commerce_decoder_t *d, commerce_campaign_t *campaign)
{
    unsigned  i, count;

    count = commerce_decode_u8(d, COMMERCE_COUNTS);

    for (i = 0; i < count; i++) {
        campaign->limits[i] = (int64_t) commerce_decode_varint(d, INT64_MAX);
        campaign->budgets[i] = (int64_t) commerce_decode_varint(d, INT64_MAX);
    }
}


static void
commerce_campaign_encode_zone(commerce_encoder_t *e, const commerce_zone_t *zone)
{
    unsigned  i;

    commerce_encode_text(e, zone->name);
    commerce_encode_signed(e, zone->offset);
    commerce_encode_varint(e, zone->count);

    for (i = 0; i < zone->count; i++) {
        commerce_encode_signed(e, zone->changes[i].from);
        commerce_encode_signed(e, zone->changes[i].offset);
    }
}


static void
commerce_campaign_decode_zone(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_zone_t *zone)
{
    unsigned  i, count;

    zone->name = commerce_decode_text(d);
    zone->offset = commerce_campaign_decode_offset(d);
    count = (unsigned) commerce_decode_varint(d, COMMERCE_ZONE_CHANGES);

    if (count == 0) {
        return;
    }

    zone->changes = commerce_alloc(arena, count * sizeof(commerce_zone_change_t));

    if (zone->changes == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        zone->changes[i].from = commerce_decode_signed(d);
        zone->changes[i].offset = commerce_campaign_decode_offset(d);
    }

    zone->count = count;
}


static int32_t
commerce_campaign_decode_offset(commerce_decoder_t *d)
{
    int64_t  offset;

    offset = commerce_decode_signed(d);

    if (offset < -COMMERCE_ZONE_OFFSET || offset > COMMERCE_ZONE_OFFSET) {
        d->failed = true;
        return 0;
    }

    return (int32_t) offset;
}


static void
commerce_campaign_encode_rules(commerce_encoder_t *e, const commerce_campaign_t *campaign)
{
    unsigned  i;

    commerce_encode_u8(e, campaign->step_count);

    for (i = 0; i < campaign->step_count; i++) {
        commerce_encode_varint(e, (uint64_t) campaign->steps[i].minimum);
        commerce_encode_varint(e, (uint64_t) campaign->steps[i].off);
    }

    commerce_encode_varint(e, (uint64_t) campaign->every.minimum);
    commerce_encode_varint(e, (uint64_t) campaign->every.off);

    commerce_encode_u8(e, campaign->hours_count);

    for (i = 0; i < campaign->hours_count; i++) {
        commerce_encode_varint(e, campaign->hours[i].days);
        commerce_encode_varint(e, campaign->hours[i].from);
        commerce_encode_varint(e, campaign->hours[i].until);
    }

    commerce_encode_varint(e, (uint64_t) campaign->minimum_quantity);
    commerce_encode_u8(e, COMMERCE_SCOPES);

    for (i = COMMERCE_SCOPE_SKU + 1; i < COMMERCE_SCOPES; i++) {
        commerce_campaign_encode_ids(e, &campaign->scopes[i]);
    }

    commerce_encode_u8(e, campaign->new_customers);
    commerce_encode_u8(e, campaign->stack);
    commerce_encode_text(e, campaign->stack_class);
    commerce_encode_u8(e, campaign->stack_limit);
    commerce_encode_u8(e, campaign->base_initial);
}


static void
commerce_campaign_decode_rules(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign)
{
    unsigned  i, count;

    commerce_campaign_decode_steps(d, arena, campaign);

    campaign->every.minimum = (commerce_fen_t) commerce_decode_varint(d, COMMERCE_FEN_MAX);
    campaign->every.off = (commerce_fen_t) commerce_decode_varint(d, COMMERCE_FEN_MAX);

    commerce_campaign_decode_hours(d, arena, campaign);

    campaign->minimum_quantity = (int64_t) commerce_decode_varint(d, INT64_MAX);
    count = commerce_decode_u8(d, COMMERCE_SCOPES);

    for (i = COMMERCE_SCOPE_SKU + 1; i < count; i++) {
        commerce_campaign_decode_ids(d, arena, &campaign->scopes[i]);
    }

    campaign->new_customers = commerce_decode_u8(d, 1) != 0;
    campaign->stack = commerce_decode_u8(d, COMMERCE_STACK_CLASS);
    campaign->stack_class = commerce_decode_text(d);
    campaign->stack_limit = commerce_decode_u8(d, COMMERCE_CAMPAIGN_STACK);
    campaign->base_initial = commerce_decode_u8(d, 1) != 0;

    /* rules divide by it */

    if (campaign->every.off != 0 && campaign->every.minimum == 0) {
        d->failed = true;
    }
}


static void
commerce_campaign_decode_steps(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign)
{
    unsigned  i, count;

    count = commerce_decode_u8(d, COMMERCE_CAMPAIGN_STEPS);

    if (count == 0) {
        return;
    }

    campaign->steps = commerce_alloc(arena, count * sizeof(commerce_step_off_t));

    if (campaign->steps == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        campaign->steps[i].minimum = (commerce_fen_t) commerce_decode_varint(d, COMMERCE_FEN_MAX);
        campaign->steps[i].off = (commerce_fen_t) commerce_decode_varint(d, COMMERCE_FEN_MAX);
    }

    campaign->step_count = count;
}


static void
commerce_campaign_decode_hours(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_campaign_t *campaign)
{
    unsigned  i, count;

    count = commerce_decode_u8(d, COMMERCE_CAMPAIGN_HOURS);

    if (count == 0) {
        return;
    }

    campaign->hours = commerce_alloc(arena, count * sizeof(commerce_hours_t));

    if (campaign->hours == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        campaign->hours[i].days = (unsigned) commerce_decode_varint(d, 0x7f);
        campaign->hours[i].from = (unsigned) commerce_decode_varint(d, 24 * 60);
        campaign->hours[i].until = (unsigned) commerce_decode_varint(d, 24 * 60);
    }

    campaign->hours_count = count;
}


static void
commerce_campaign_encode_claim(commerce_encoder_t *e, const commerce_campaign_t *campaign)
{
    unsigned                       i;
    const commerce_claim_rules_t  *claim = &campaign->claim;

    commerce_encode_u8(e, (claim->open ? COMMERCE_CAMPAIGN_OPEN : 0)
                          | (campaign->qr_required ? COMMERCE_CAMPAIGN_QR : 0));

    if (!claim->open) {
        return;
    }

    commerce_encode_u8(e, COMMERCE_COUNTS);

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        commerce_encode_varint(e, (uint64_t) claim->limits[i]);
    }

    commerce_encode_signed(e, claim->from);
    commerce_encode_signed(e, claim->until);
    commerce_encode_varint(e, (uint64_t) claim->valid_for);
}


static void
commerce_campaign_decode_claim(commerce_decoder_t *d, commerce_campaign_t *campaign)
{
    unsigned                 i, count, flags;
    commerce_claim_rules_t  *claim = &campaign->claim;

    flags = commerce_decode_u8(d, COMMERCE_CAMPAIGN_OPEN | COMMERCE_CAMPAIGN_QR);
    claim->open = (flags & COMMERCE_CAMPAIGN_OPEN) != 0;
    campaign->qr_required = (flags & COMMERCE_CAMPAIGN_QR) != 0;

    if (!claim->open) {
        return;
    }

    count = commerce_decode_u8(d, COMMERCE_COUNTS);

    for (i = 0; i < count; i++) {
        claim->limits[i] = (int64_t) commerce_decode_varint(d, INT64_MAX);
    }

    claim->from = commerce_decode_signed(d);
    claim->until = commerce_decode_signed(d);
    claim->valid_for = (int64_t) commerce_decode_varint(d, INT64_MAX);
}
