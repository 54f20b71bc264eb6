/*
 * Copyright (C) ngx_commerce authors
 *
 * What a use of a coupon counts against: uses and discount of the campaign, in all and by user, day, group
 * and seller.  Reservations count.
 *
 * Uses of campaign and user are counted always, for reports; any other counter only while the campaign
 * limits it: a limit that is added later counts from then on.  Which counters a use stands in is remembered in
 * the coupon (commerce_counted_t), and everything about them is made of that: adding, giving back, checking.
 *
 * An order whose discount is not known counts the most that the coupon can be worth
 * (commerce_campaign_maximum()) in the budgets; where there is no such bound it is refused.
 */

#ifndef COMMERCE_COUNT_H
#define COMMERCE_COUNT_H

#include "commerce_record.h"

/* whom and what a use is for; texts must live as long as the coupon that remembers them */
typedef struct {
    commerce_str_t  group, seller;      /* ids, of the order's winner; empty = none */
    commerce_fen_t  discount;           /* -1 = not known */
} commerce_count_for_t;

/*
 * Sets coupon->counted for a use that begins now; coupon->used_by is set already.
 * OK; COUPON_BUDGET_EXHAUSTED: the campaign has a budget and nobody can tell what this use may cost.
 */
commerce_reason_t commerce_count_begin(commerce_coupon_t *coupon, const commerce_campaign_t *campaign,
    const commerce_count_for_t *what, commerce_time_t now);

/* one counter that a use stands in */
typedef struct {
    commerce_str_t     key;             /* empty: could not be made, a transaction that adds to it fails */
    int64_t            n;               /* > 0: one use, or fen */
    int64_t            cap;             /* COMMERCE_FOREVER = none */
    commerce_reason_t  reason;          /* when n more would pass the cap */
} commerce_count_op_t;

#define COMMERCE_COUNT_OPS  (2 * COMMERCE_COUNTS)

/* the counters of a reserved or redeemed coupon; caps are the campaign's, or none (NULL).  How many */
unsigned commerce_count_ops(commerce_arena_t *arena, commerce_str_t shop, const commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign, commerce_count_op_t ops[COMMERCE_COUNT_OPS]);

#endif
