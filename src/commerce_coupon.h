/*
 * Copyright (C) ngx_commerce authors
 *
 * One coupon's life.  Whether it applies to an order: commerce_rules.h.
 *
 *   issued --reserve--> reserved --redeem--> redeemed --roll back--> issued
 *                          \------release------------------------------^
 *
 * A record exists once the coupon was touched (or claimed by or minted for a holder); before, a signed code below
 * the campaign's minted count is an issued coupon.  Every step is idempotent: the same order repeating it is
 * COUPON_IDEMPOTENT_REPLAY and changes nothing.
 */

#ifndef COMMERCE_COUPON_H
#define COMMERCE_COUPON_H

#include "commerce_campaign.h"

typedef enum {
    COMMERCE_COUPON_ISSUED,
    COMMERCE_COUPON_RESERVED,
    COMMERCE_COUPON_REDEEMED,
    COMMERCE_COUPON_STATE_VOID,
    COMMERCE_COUPON_STATES
} commerce_coupon_state_t;

#define COMMERCE_COUPON_CYCLES  10      /* times that one comes back after it was redeemed, by an order or in a shop */

const char *commerce_coupon_state_name(commerce_coupon_state_t state);

/*
 * What a use was counted against when it was reserved (commerce_count.h), so that giving it back gives back
 * exactly that, to the day it was reserved on, whatever became of the campaign.  The totals of campaign and
 * user are counted always; sets are of bits 1 << commerce_count_t.
 */
typedef struct {
    unsigned        uses;               /* counters of uses beside the totals of campaign and user */
    unsigned        money;              /* counters of discount */
    int32_t         day;                /* commerce_zone_day() */
    commerce_str_t  group, seller;      /* ids; empty = none */
    commerce_fen_t  discount;
} commerce_counted_t;

typedef struct {
    unsigned                 campaign;
    uint32_t                 serial;
    commerce_coupon_state_t  state;
    commerce_str_t           holder;        /* user; empty = nobody in particular */
    commerce_str_t           order_user;    /* which order has it: its key's scope ... */
    commerce_str_t           order_key;     /* ... and key; empty when issued */
    commerce_str_t           used_by;       /* user whose limit it counts against */
    commerce_time_t          changed;
    unsigned                 cycles;        /* times it was rolled back */
    commerce_counted_t       counted;       /* of the use at hand; zeroed when issued */
    commerce_time_t          claimed;       /* by its holder; 0 = minted */
    commerce_time_t          expires;       /* first dead second, beside the campaign's; 0 = none */
    uint64_t                 seller;        /* who was credited with its holder at the claim; 0 = nobody */
    commerce_str_t           request;       /* redeemed in a shop under this number; empty = not */
} commerce_coupon_t;

/* commission, in basis points: commerce_commission.h */
typedef struct {
    unsigned  tier1, tier2;
} commerce_rates_t;

/* a line of an order, as the rules see it */
typedef struct {
    commerce_str_t  sku;
    int64_t         quantity;
    commerce_fen_t  amount;             /* claimed total of the line; -1 = not named */
    commerce_fen_t  discount;           /* taken by coupons so far */
    int             credit;             /* index into the order's credits; -1 = house */
    commerce_rates_t  rates;            /* when the order was made */
} commerce_line_t;

/*
 * Is it a coupon that this user can use now?
 * OK, COUPON_DISABLED, COUPON_NOT_FOUND (serial neither minted nor claimed), COUPON_NOT_STARTED, COUPON_EXPIRED (also
 * whatever is of a closed campaign), COUPON_HOLDER_MISMATCH.
 */
commerce_reason_t commerce_coupon_open(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    commerce_str_t user, commerce_time_t now);

/* the first second in which the coupon is dead; COMMERCE_FOREVER: never */
commerce_time_t commerce_coupon_end(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon);

/*
 * Steps.  Each changes *coupon or says why not.
 *   reserve   OK; COUPON_IDEMPOTENT_REPLAY (this order has it, reserved or redeemed);
 *             COUPON_ALREADY_REDEEMED; COUPON_HELD_BY_OTHER_ORDER; COUPON_VOID
 *   redeem    OK; COUPON_IDEMPOTENT_REPLAY; COUPON_RESERVATION_LOST (issued, or another order has it)
 *   release   OK; COUPON_IDEMPOTENT_REPLAY (not this order's any more, or issued already)
 *   rollback  OK (redeemed by this order -> issued); COUPON_IDEMPOTENT_REPLAY; COUPON_ROLLBACK_CYCLES (it came back
 *             too often: it stays redeemed)
 */
commerce_reason_t commerce_coupon_reserve(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now);
commerce_reason_t commerce_coupon_redeem(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now);
commerce_reason_t commerce_coupon_release(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now);
commerce_reason_t commerce_coupon_rollback(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now);

#endif
