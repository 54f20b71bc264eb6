/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_count.h"


#define COMMERCE_COUNT_ALWAYS  (1U << COMMERCE_COUNT_TOTAL | 1U << COMMERCE_COUNT_USER)
#define COMMERCE_COUNT_DAYS    (1U << COMMERCE_COUNT_DAY | 1U << COMMERCE_COUNT_USER_DAY)


static unsigned commerce_count_limited(const int64_t limits[COMMERCE_COUNTS]);
static commerce_str_t commerce_count_of(const commerce_coupon_t *coupon, commerce_count_t which);


commerce_reason_t
commerce_count_begin(commerce_coupon_t *coupon, const commerce_campaign_t *campaign,
    const commerce_count_for_t *what, commerce_time_t now)
{
    unsigned             both;
    commerce_counted_t  *counted = &coupon->counted;

    memset(counted, 0, sizeof(commerce_counted_t));

    counted->uses = commerce_count_limited(campaign->limits) & ~COMMERCE_COUNT_ALWAYS;
    counted->money = commerce_count_limited(campaign->budgets);

    if (counted->money != 0) {
        counted->discount = what->discount >= 0 ? what->discount
                                                : commerce_campaign_maximum(campaign);

        if (counted->discount < 0) {
            return COMMERCE_R(COUPON_BUDGET_EXHAUSTED);
        }
    }

    /* only what is needed to find the counters again */

    both = counted->uses | counted->money;

    if (both & COMMERCE_COUNT_DAYS) {
        counted->day = commerce_zone_day(&campaign->zone, now);
    }

    if (both & 1U << COMMERCE_COUNT_GROUP) {
        counted->group = what->group;
    }

    if (both & 1U << COMMERCE_COUNT_SELLER) {
        counted->seller = what->seller;
    }

    return COMMERCE_R(OK);
}


unsigned
commerce_count_ops(commerce_arena_t *arena, commerce_str_t shop, const commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign, commerce_count_op_t ops[COMMERCE_COUNT_OPS])
{
    int64_t               n, limit;
    unsigned              i, count, which, set;
    commerce_count_op_t  *op;

    static const commerce_reason_t  reasons[COMMERCE_COUNTS] = {
        COMMERCE_R(COUPON_TOTAL_LIMIT),
        COMMERCE_R(COUPON_CUSTOMER_LIMIT),
        COMMERCE_R(COUPON_DAILY_LIMIT),
        COMMERCE_R(COUPON_CUSTOMER_DAILY_LIMIT),
        COMMERCE_R(COUPON_GROUP_LIMIT),
        COMMERCE_R(COUPON_SELLER_LIMIT)
    };

    count = 0;

    for (i = 0; i < COMMERCE_COUNT_OPS; i++) {
        which = i % COMMERCE_COUNTS;
        set = i == which ? coupon->counted.uses | COMMERCE_COUNT_ALWAYS : coupon->counted.money;
        n = i == which ? 1 : coupon->counted.discount;

        if ((set & 1U << which) == 0 || n == 0) {
            continue;
        }

        limit = 0;

        if (campaign != NULL) {
            limit = i == which ? campaign->limits[which] : campaign->budgets[which];
        }

        op = &ops[count++];

        op->key = commerce_counter_campaign(arena, shop, coupon->campaign, which, i != which,
                                            coupon->counted.day,
                                            commerce_count_of(coupon, which));
        op->n = n;
        op->cap = limit != 0 ? limit : COMMERCE_FOREVER;
        op->reason = i == which ? reasons[which] : COMMERCE_R(COUPON_BUDGET_EXHAUSTED);
    }

    return count;
}


static unsigned
commerce_count_limited(const int64_t limits[COMMERCE_COUNTS])
{
    unsigned  i, set;

    for (i = 0, set = 0; i < COMMERCE_COUNTS; i++) {
        if (limits[i] != 0) {
            set |= 1U << i;
        }
    }

    return set;
}


static commerce_str_t
commerce_count_of(const commerce_coupon_t *coupon, commerce_count_t which)
{
    switch (which) {

    case COMMERCE_COUNT_USER:
    case COMMERCE_COUNT_USER_DAY:
        return coupon->used_by;

    case COMMERCE_COUNT_GROUP:
        return coupon->counted.group;

    case COMMERCE_COUNT_SELLER:
        return coupon->counted.seller;

    default:
        return commerce_string("");
    }
}
