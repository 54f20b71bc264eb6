/*
 * Copyright (C) ngx_commerce authors
 *
 * Does a coupon apply to an order, and what is it worth?  Pure functions over a campaign, what is known of the
 * order, and its lines.
 *
 * They come in three steps, since some rules depend on whose the order is, and that on the promoters of the
 * coupons that apply:
 *   admit    before the winner is known: is it a coupon at all, now, for this user; which lines does it admit
 *   judge    the winner is known: scopes, minimum, discount; one coupon after the other, in the request's order
 *   stack    may it stand beside the coupons before it?
 */

#ifndef COMMERCE_RULES_H
#define COMMERCE_RULES_H

#include "commerce_coupon.h"

/* what is known about an order beside its lines.  Whatever the client says about himself is not */
typedef struct {
    commerce_str_t         user;            /* the verified buyer */
    commerce_time_t        now;
    commerce_str_t         store, level;    /* empty = not known */
    bool                   new_customer;    /* known to be one */
    commerce_str_t         seller, group, room;     /* of the order's winner; empty = none */
    uint32_t               channel;         /* 0 = none */
    const commerce_str_t  *categories;      /* of each line; NULL = not known */
} commerce_facts_t;

/*
 * Whatever does not depend on the winner.  admits (count entries) becomes 1 for the lines that the coupon admits.
 * OK, what commerce_coupon_open() says, COUPON_DAY_NOT_ELIGIBLE, COUPON_STORE_NOT_ELIGIBLE, COUPON_MEMBER_LEVEL,
 * COUPON_NEW_CUSTOMER_ONLY, COUPON_SKU_NOT_ELIGIBLE (no line).
 */
commerce_reason_t commerce_rules_admit(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    const commerce_facts_t *facts, const commerce_line_t *lines, unsigned count, uint8_t *admits);

/*
 * The rest.  Amounts: rules on money apply when the lines name theirs; else *discount is -1 (unknown), and what
 * nothing proves is refused: COUPON_MIN_SPEND for a minimum, thresholds and "every", COUPON_BUDGET_EXHAUSTED for
 * budgets where the discount has no bound (commerce_campaign_maximum()).
 * On OK with known amounts the discount is spread over what is left of the admitted lines (largest remainder, none
 * below zero) and added to their discount.
 * OK, COUPON_CHANNEL_NOT_ELIGIBLE, COUPON_LIVE_ROOM_ONLY, COUPON_GROUP_NOT_ELIGIBLE, COUPON_SELLER_NOT_ELIGIBLE,
 * COUPON_MIN_QTY, COUPON_MIN_SPEND, COUPON_BUDGET_EXHAUSTED.
 */
commerce_reason_t commerce_rules_judge(const commerce_campaign_t *campaign, const commerce_facts_t *facts,
    commerce_line_t *lines, unsigned count, const uint8_t *admits, commerce_fen_t *discount);

/*
 * May a coupon of this campaign join those that the order has already?
 * OK, COUPON_NOT_STACKABLE (one is exclusive, or of the same class), COUPON_STACK_LIMIT.
 */
commerce_reason_t commerce_rules_stack(const commerce_campaign_t *campaign,
    const commerce_campaign_t *const *earlier, unsigned count);

/* is the campaign on at this time of the day and week? */
bool commerce_rules_on(const commerce_campaign_t *campaign, commerce_time_t now);

/* admit, then judge: one coupon alone, for whoever knows the winner already */
commerce_reason_t commerce_coupon_check(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    const commerce_facts_t *facts, commerce_line_t *lines, unsigned count, uint8_t *admits,
    commerce_fen_t *discount);

#endif
