/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention: what nobody needs any more is deleted, a few records at a time.
 *
 *   order    made longer ago than `orders`, its outcome known, not in doubt, nothing of it reserved, nothing due.  A
 *            coupon that it redeemed stays redeemed, by an order that is not named any more.  A cart that nobody came
 *            back to goes, too, once its coupons were released.
 *   parked   notices for what never came, and payments that no order ever named, the latest older than `parked`
 *   buyer    whose binding ended, and who was last seen with a link, longer ago than `buyers`
 *   coupon   of a campaign that is closed: one that ended longer ago than `coupons`, and has coupon records, is closed
 *            for ever.  Then each goes that changed last longer ago than that, is not reserved, and was not spent by
 *            an order that is there still.  With it go its claim and its redemption, and of the campaign's counters
 *            all but the totals.
 *
 * An order's refunds, transactions and what waits for it go with it, a payment with the last order that it covers.
 *
 * A coupon without a record is one that was never touched, for everybody who reads the store.  So the campaign is closed
 * first, in a transaction that deletes nothing; whoever reads that a coupon is not there reads in the same view that its
 * campaign is closed (commerce_campaign.h), and nobody can open it again.  Codes made elsewhere stay known as the
 * coupons that they were: they can be imported into no other campaign.
 */

#ifndef COMMERCE_COLLECT_H
#define COMMERCE_COLLECT_H

#include "commerce_ledger.h"

typedef struct {                        /* seconds; COMMERCE_FOREVER = kept */
    int64_t  orders, parked, buyers, coupons;
} commerce_retention_t;

#define COMMERCE_RETENTION_DAY      86400
#define COMMERCE_RETENTION_ORDERS   (400 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_PARKED   (30 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_BUYERS   (400 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_COUPONS  (400 * COMMERCE_RETENTION_DAY)

/*
 * Shorter ones would forget what is still needed: refunds, retries; a link's first sight (400 days); what was redeemed
 * in a shop, which can be taken back for up to 366 days.
 */
#define COMMERCE_RETENTION_ORDERS_MIN  (30 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_PARKED_MIN  (1 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_BUYERS_MIN  (400 * COMMERCE_RETENTION_DAY)
#define COMMERCE_RETENTION_COUPONS_MIN (366 * COMMERCE_RETENTION_DAY)

typedef struct {
    uint64_t  looked;                   /* records */
    uint64_t  orders, parked, buyers;   /* deleted */
    uint64_t  campaigns;                /* closed */
    uint64_t  coupons, claims, redemptions, counters;       /* deleted; redemptions: that were taken back */
    uint64_t  unreadable;
} commerce_collected_t;

/* where a pass over one shop has come to; zeroed at its beginning */
typedef struct {
    unsigned  kind;
    char      after[COMMERCE_KEY_MAX + 1];
    size_t    len;
    bool      closed;                   /* a campaign is: its coupons are worth looking for */
} commerce_collect_place_t;

/*
 * Looks at the next `limit` records of the ledger's shop, and appends the deletion of those whose time is over; each is
 * compared with what was read.  *collected is what this call did.  COMMERCE_OK: go on from the place;
 * COMMERCE_ABSENT: the pass is over; COMMERCE_ERROR: the store cannot be read.
 */
int commerce_collect(commerce_ledger_t *ledger, const commerce_retention_t *retention, unsigned limit,
    commerce_collect_place_t *place, commerce_collected_t *collected);

/* adds the second to the first */
void commerce_collect_add(commerce_collected_t *sum, const commerce_collected_t *collected);

/* how much was done: records deleted, campaigns closed */
uint64_t commerce_collect_sum(const commerce_collected_t *collected);

/* an event "collect" that tells of a pass in which something was done */
void commerce_collect_event(commerce_ledger_t *ledger, const commerce_collected_t *sum);

#endif
