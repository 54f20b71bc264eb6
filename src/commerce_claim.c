/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdio.h>

#include "commerce_claim.h"


#define COMMERCE_CLAIM_BLOCKS  ((COMMERCE_CODE_MINTED_MAX + 1) / COMMERCE_CLAIM_BLOCK)
#define COMMERCE_CLAIM_EVENT   1024     /* bytes of the event but its texts */
#define COMMERCE_CLAIM_ESCAPE  6        /* what one byte of a text can become */
#define COMMERCE_CLAIM_SLOT    (COMMERCE_ID_MAX + 32)


static commerce_claim_block_t *commerce_claim_block(commerce_claim_serials_t *serials,
    commerce_str_t shop, unsigned campaign);
static commerce_str_t commerce_claim_slot(const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, uint32_t serial, commerce_time_t now,
    char slot[COMMERCE_CLAIM_SLOT]);
static commerce_reason_t commerce_claim_again(commerce_ledger_t *ledger, unsigned campaign,
    commerce_str_t user, commerce_str_t slot, commerce_coupon_t *coupon);
static commerce_reason_t commerce_claim_count(commerce_ledger_t *ledger,
    const commerce_campaign_t *campaign, const commerce_claim_request_t *request);
static void commerce_claim_event(commerce_ledger_t *ledger, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, const commerce_coupon_t *coupon);


uint32_t
commerce_claim_serial(commerce_claim_serials_t *serials, commerce_str_t shop, unsigned campaign,
    uint32_t random)
{
    commerce_claim_block_t  *block;

    block = commerce_claim_block(serials, shop, campaign);

    if (block->left == 0) {
        block->next = COMMERCE_CODE_MINTED_MAX + 1
                      + random % COMMERCE_CLAIM_BLOCKS * COMMERCE_CLAIM_BLOCK;
        block->left = COMMERCE_CLAIM_BLOCK;
    }

    block->left--;

    return block->next++;
}


void
commerce_claim_missed(commerce_claim_serials_t *serials, commerce_str_t shop, unsigned campaign)
{
    commerce_claim_block(serials, shop, campaign)->left = 0;
}


/* one that another campaign had: its block is forgotten */

static commerce_claim_block_t *
commerce_claim_block(commerce_claim_serials_t *serials, commerce_str_t shop, unsigned campaign)
{
    uint64_t                 owner;
    commerce_claim_block_t  *block;

    owner = commerce_hash(commerce_hash(COMMERCE_HASH_START, shop.data, shop.len), &campaign,
                          sizeof(campaign));

    block = &serials->blocks[(owner ^ owner >> 32) % COMMERCE_CLAIM_CAMPAIGNS];

    if (block->owner != owner) {
        block->owner = owner;
        block->left = 0;
    }

    return block;
}


commerce_reason_t
commerce_claim_open(const commerce_campaign_t *campaign, commerce_time_t now)
{
    const commerce_claim_rules_t  *claim = &campaign->claim;

    if (!claim->open) {
        return COMMERCE_R(COUPON_NOT_FOUND);
    }

    if (campaign->closed != 0) {
        return COMMERCE_R(COUPON_EXPIRED);
    }

    if (!campaign->enabled) {
        return COMMERCE_R(COUPON_DISABLED);
    }

    if (now < claim->from) {
        return COMMERCE_R(COUPON_NOT_STARTED);
    }

    /* nobody is given what he cannot use */

    if (now >= claim->until || now >= campaign->until
        || (claim->valid_for != 0 && campaign->from > now
            && campaign->from - now >= claim->valid_for))
    {
        return COMMERCE_R(COUPON_EXPIRED);
    }

    return COMMERCE_R(OK);
}


commerce_reason_t
commerce_ledger_claim(commerce_ledger_t *ledger, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, uint32_t serial, commerce_coupon_t *coupon)
{
    char               buffer[COMMERCE_CLAIM_SLOT];
    commerce_str_t     slot;
    commerce_claim_t   claim = { campaign->number, serial, ledger->now };
    commerce_reason_t  reason;

    if (!commerce_id_valid(request->user)
        || (request->key.len != 0 && !commerce_id_valid(request->key)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    slot = commerce_claim_slot(campaign, request, serial, ledger->now, buffer);

    /* first of all: a retry has its answer also when the stock is gone, or the time over */

    reason = commerce_claim_again(ledger, campaign->number, request->user, slot, coupon);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_claim_open(campaign, ledger->now);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_claim_count(ledger, campaign, request);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    memset(coupon, 0, sizeof(commerce_coupon_t));

    coupon->campaign = campaign->number;
    coupon->serial = serial;
    coupon->holder = request->user;
    coupon->changed = ledger->now;
    coupon->claimed = ledger->now;
    coupon->seller = request->seller;

    if (campaign->claim.valid_for != 0) {
        coupon->expires = ledger->now + campaign->claim.valid_for;
    }

    commerce_coupon_write(ledger->txn, ledger->reader->shop, coupon, 0);
    commerce_claim_write(ledger->txn, ledger->reader->shop, request->user, slot, &claim);
    commerce_claim_event(ledger, campaign, request, coupon);

    return ledger->txn->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


void
commerce_claim_restore(commerce_txn_t *txn, commerce_str_t shop, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, commerce_coupon_t *coupon)
{
    char                    buffer[COMMERCE_CLAIM_SLOT];
    int32_t                 day;
    unsigned                which;
    commerce_str_t          slot;
    commerce_claim_t        claim = { campaign->number, coupon->serial, coupon->claimed };

    slot = commerce_claim_slot(campaign, request, coupon->serial, coupon->claimed, buffer);
    day = commerce_zone_day(&campaign->zone, coupon->claimed);

    for (which = 0; which < COMMERCE_COUNTS; which++) {
        if (campaign->claim.limits[which] != 0 || which == COMMERCE_COUNT_TOTAL) {
            commerce_txn_add(txn, commerce_counter_claims(txn->arena, shop, campaign->number, which, day,
                                                          which == COMMERCE_COUNT_GROUP
                                                          ? request->group_id : request->user),
                             1, COMMERCE_FOREVER, 0);
        }
    }

    commerce_coupon_write(txn, shop, coupon, 0);
    commerce_claim_write(txn, shop, request->user, slot, &claim);
}


/* the user's limit decides how many claims there can be: where there is one, it needs no name */

static commerce_str_t
commerce_claim_slot(const commerce_campaign_t *campaign, const commerce_claim_request_t *request,
    uint32_t serial, commerce_time_t now, char slot[COMMERCE_CLAIM_SLOT])
{
    int  n;

    if (request->key.len != 0) {
        n = snprintf(slot, COMMERCE_CLAIM_SLOT, "key/%.*s", (int) request->key.len,
                     request->key.data);

    } else if (campaign->claim.limits[COMMERCE_COUNT_USER] == 1) {
        n = snprintf(slot, COMMERCE_CLAIM_SLOT, "once/%04x", campaign->number);

    } else if (campaign->claim.limits[COMMERCE_COUNT_USER_DAY] == 1) {
        n = snprintf(slot, COMMERCE_CLAIM_SLOT, "day/%04x/%08x", campaign->number,
                     (unsigned) commerce_zone_day(&campaign->zone, now));

    } else {
        n = snprintf(slot, COMMERCE_CLAIM_SLOT, "each/%04x/%08x", campaign->number, serial);
    }

    return (commerce_str_t) { slot, (size_t) n };
}


static commerce_reason_t
commerce_claim_again(commerce_ledger_t *ledger, unsigned campaign, commerce_str_t user,
    commerce_str_t slot, commerce_coupon_t *coupon)
{
    int               rc;
    commerce_claim_t  claim;

    rc = commerce_claim_read(ledger->reader, user, slot, &claim);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(OK);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (claim.campaign != campaign) {
        return COMMERCE_R(COUPON_KEY_MISMATCH);
    }

    rc = commerce_coupon_read(ledger->reader, claim.campaign, claim.serial, coupon, NULL);

    return rc == COMMERCE_OK ? COMMERCE_R(COUPON_IDEMPOTENT_REPLAY) : COMMERCE_R(INTERNAL);
}


/*
 * The stock is always counted, any other only while the campaign limits it.  Whoever comes too late is told by
 * what can be read; the transaction decides among those who come at once.
 */

static commerce_reason_t
commerce_claim_count(commerce_ledger_t *ledger, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request)
{
    int32_t           day;
    int64_t           limit, value;
    unsigned          i;
    commerce_str_t    key;
    commerce_count_t  which;

    static const struct {
        commerce_count_t   which;
        commerce_reason_t  reason;
    } counts[] = {
        { COMMERCE_COUNT_USER, COMMERCE_R(COUPON_CUSTOMER_LIMIT) },
        { COMMERCE_COUNT_USER_DAY, COMMERCE_R(COUPON_CUSTOMER_DAILY_LIMIT) },
        { COMMERCE_COUNT_TOTAL, COMMERCE_R(COUPON_STOCK_EMPTY) },
        { COMMERCE_COUNT_DAY, COMMERCE_R(COUPON_DAILY_LIMIT) },
        { COMMERCE_COUNT_GROUP, COMMERCE_R(COUPON_GROUP_LIMIT) }
    };

    day = commerce_zone_day(&campaign->zone, ledger->now);

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        which = counts[i].which;
        limit = campaign->claim.limits[which];

        if (limit == 0 && which != COMMERCE_COUNT_TOTAL) {
            continue;
        }

        key = commerce_counter_claims(ledger->txn->arena, ledger->reader->shop, campaign->number,
                                      which, day, which == COMMERCE_COUNT_GROUP ? request->group_id
                                                                               : request->user);

        if (limit != 0) {
            if (commerce_view_counter(ledger->reader->view, key, &value) != COMMERCE_OK) {
                return COMMERCE_R(INTERNAL);
            }

            if (value >= limit) {
                return counts[i].reason;
            }
        }

        commerce_txn_add(ledger->txn, key, 1, limit != 0 ? limit : COMMERCE_FOREVER,
                         counts[i].reason);
    }

    return COMMERCE_R(OK);
}


static void
commerce_claim_event(commerce_ledger_t *ledger, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, const commerce_coupon_t *coupon)
{
    char              *buffer;
    size_t             size;
    commerce_str_t     body;
    commerce_time_t    end;
    commerce_write_t   w;

    size = COMMERCE_CLAIM_EVENT
           + COMMERCE_CLAIM_ESCAPE * (campaign->id.len + request->pseudonym.len
                                      + request->seller_id.len + request->group_id.len
                                      + request->room_id.len + request->key.len);

    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        ledger->txn->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "coupon_claim", ledger->reader->shop,
                         ledger->now_us);
    commerce_write_text(&w, "campaign", campaign->id);
    commerce_write_int(&w, "serial", coupon->serial);
    commerce_write_optional(&w, "key", request->key);
    commerce_write_text(&w, "buyer", request->pseudonym);
    commerce_write_optional(&w, "seller", request->seller_id);
    commerce_write_optional(&w, "group", request->group_id);
    commerce_write_optional(&w, "room", request->room_id);

    end = commerce_coupon_end(campaign, coupon);

    if (end != COMMERCE_FOREVER) {
        commerce_write_int(&w, "until", end);
    }

    body = commerce_event_finish(&w);

    if (body.len == 0) {
        ledger->txn->failed = true;
        return;
    }

    commerce_txn_event(ledger->txn, body);
}
