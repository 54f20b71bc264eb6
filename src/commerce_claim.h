/*
 * Copyright (C) ngx_commerce authors
 *
 * Claiming: a user takes a coupon of his own out of a campaign's stock.
 *
 * Hundreds of users claim within one second, from one campaign.  Nothing that they write is theirs in common
 * but bounded counters, which the store adds up within a batch: so claims of different users never conflict.
 *
 *   serial   Claimed coupons have serials of the upper half, minted ones of the lower half.  A worker draws a
 *            block of COMMERCE_CLAIM_BLOCK serials at random and hands them out one by one.  The coupon's record
 *            is written only where none is yet, so that two workers who should ever draw one block cannot give
 *            one coupon twice: the second decides again.  Nothing is leased and nothing is to be recovered:
 *            what a dead worker has left of a block is never used, and the stock, which is a counter, does not
 *            know of it.
 *   genuine  A claimed coupon is known by its record; one of the upper half without a record does not exist,
 *            whatever its MAC says.
 *   slot     What makes a repeated request the same claim: the request's key; without one the campaign, if a
 *            user may have one coupon of it, or campaign and day, if he may have one a day; else each request
 *            is a claim of its own.  The slot's record is written in the same transaction, and is the index of
 *            the user's coupons.
 */

#ifndef COMMERCE_CLAIM_H
#define COMMERCE_CLAIM_H

#include "commerce_code.h"
#include "commerce_ledger.h"

#define COMMERCE_CLAIM_BLOCK      64
#define COMMERCE_CLAIM_CAMPAIGNS  256       /* of which a worker has a block at hand; a power of two */

/* blocks of one worker; zeroed at first */
typedef struct {
    uint64_t  owner;                        /* hash of shop and campaign; 0 = free */
    uint32_t  next;
    uint32_t  left;
} commerce_claim_block_t;

typedef struct {
    commerce_claim_block_t  blocks[COMMERCE_CLAIM_CAMPAIGNS];
} commerce_claim_serials_t;

/*
 * The next serial for this campaign; random: of what a new block is made, should one be needed.
 * commerce_claim_missed: what serial() gave was taken, the rest of its block is not used.
 */
uint32_t commerce_claim_serial(commerce_claim_serials_t *serials, commerce_str_t shop, unsigned campaign,
    uint32_t random);
void commerce_claim_missed(commerce_claim_serials_t *serials, commerce_str_t shop, unsigned campaign);

/* is this the serial of a claimed coupon, not of a minted one? */
static inline bool
commerce_claim_serial_is(uint32_t serial)
{
    return serial > COMMERCE_CODE_MINTED_MAX;
}

/*
 * Is the campaign open for claims?  OK, COUPON_NOT_FOUND (it has no "claim"), COUPON_DISABLED,
 * COUPON_NOT_STARTED (before claim/from), COUPON_EXPIRED (from claim/until on, when a coupon claimed now
 * could not be used any more, and of a closed campaign).
 */
commerce_reason_t commerce_claim_open(const commerce_campaign_t *campaign, commerce_time_t now);

typedef struct {
    commerce_str_t  user;                   /* verified */
    commerce_str_t  pseudonym;
    commerce_str_t  key;                    /* the request's own; empty = none */
    uint64_t        seller;                 /* who is credited with this user now; 0 = nobody */
    commerce_str_t  seller_id, group_id, room_id;
} commerce_claim_request_t;

/*
 * Claims: coupon, slot, counters and an event coupon_claim.  serial is taken from serials.
 * OK, *coupon is the new one; COUPON_IDEMPOTENT_REPLAY, *coupon is the one of the first time, whatever became
 * of it, and nothing is written.  What commerce_claim_open() says; COUPON_STOCK_EMPTY, COUPON_DAILY_LIMIT,
 * COUPON_CUSTOMER_LIMIT, COUPON_CUSTOMER_DAILY_LIMIT, COUPON_GROUP_LIMIT, also as the failed_tag of the
 * transaction; COUPON_KEY_MISMATCH: the key has claimed from another campaign; ORDER_KEY_MALFORMED; INTERNAL.
 */
commerce_reason_t commerce_ledger_claim(commerce_ledger_t *ledger, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, uint32_t serial, commerce_coupon_t *coupon);

/* writes a claim that an event tells of: coupon, slot and counters, whatever the limits are */
void commerce_claim_restore(commerce_txn_t *txn, commerce_str_t shop, const commerce_campaign_t *campaign,
    const commerce_claim_request_t *request, commerce_coupon_t *coupon);

#endif
