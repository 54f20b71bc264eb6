/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_rules.h"


static commerce_reason_t commerce_rules_open(const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, const commerce_facts_t *facts);
static bool commerce_rules_in(const commerce_campaign_t *campaign, commerce_scope_t scope,
    commerce_str_t id);
static bool commerce_rules_line(const commerce_campaign_t *campaign,
    const commerce_facts_t *facts, const commerce_line_t *lines, unsigned i);
static commerce_reason_t commerce_rules_scope(const commerce_campaign_t *campaign,
    const commerce_facts_t *facts);
static bool commerce_rules_quantity(const commerce_campaign_t *campaign,
    const commerce_line_t *lines, unsigned count, const uint8_t *admits);
static commerce_reason_t commerce_rules_unknown(const commerce_campaign_t *campaign);
static int commerce_rules_sums(const commerce_line_t *lines, unsigned count,
    const uint8_t *admits, commerce_fen_t *weights, commerce_fen_t *left, commerce_fen_t *whole);
static commerce_fen_t commerce_rules_worth(const commerce_campaign_t *campaign,
    commerce_fen_t sum);


commerce_reason_t
commerce_rules_admit(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    const commerce_facts_t *facts, const commerce_line_t *lines, unsigned count, uint8_t *admits)
{
    unsigned           i, admitted;
    commerce_reason_t  reason;

    if (count > COMMERCE_SPREAD_MAX) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_rules_open(campaign, coupon, facts);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    admitted = 0;

    for (i = 0; i < count; i++) {
        admits[i] = commerce_rules_line(campaign, facts, lines, i);
        admitted += admits[i];
    }

    /* without lines nothing proves that one of the campaign's goods is bought */

    if (admitted == 0
        && (count != 0 || campaign->scopes[COMMERCE_SCOPE_SKU].count != 0
            || campaign->scopes[COMMERCE_SCOPE_CATEGORY].count != 0))
    {
        return COMMERCE_R(COUPON_SKU_NOT_ELIGIBLE);
    }

    return COMMERCE_R(OK);
}


commerce_reason_t
commerce_rules_judge(const commerce_campaign_t *campaign, const commerce_facts_t *facts,
    commerce_line_t *lines, unsigned count, const uint8_t *admits, commerce_fen_t *discount)
{
    int                rc;
    unsigned           i;
    commerce_fen_t     sum, left, whole, worth;
    commerce_fen_t     weights[COMMERCE_SPREAD_MAX], parts[COMMERCE_SPREAD_MAX];
    commerce_reason_t  reason;

    *discount = -1;

    if (count > COMMERCE_SPREAD_MAX) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_rules_scope(campaign, facts);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_rules_quantity(campaign, lines, count, admits)) {
        return COMMERCE_R(COUPON_MIN_QTY);
    }

    rc = commerce_rules_sums(lines, count, admits, weights, &left, &whole);

    if (rc == COMMERCE_ABSENT) {
        return commerce_rules_unknown(campaign);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    sum = campaign->base_initial ? whole : left;

    if (sum < campaign->minimum_spend) {
        return COMMERCE_R(COUPON_MIN_SPEND);
    }

    worth = commerce_rules_worth(campaign, sum);

    if (worth < 0) {
        return COMMERCE_R(COUPON_MIN_SPEND);
    }

    if (worth > left) {
        worth = left;
    }

    if (commerce_amount_spread(worth, weights, parts, count) != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < count; i++) {
        lines[i].discount += parts[i];
    }

    *discount = worth;

    return COMMERCE_R(OK);
}


commerce_reason_t
commerce_rules_stack(const commerce_campaign_t *campaign,
    const commerce_campaign_t *const *earlier, unsigned count)
{
    unsigned  i, limit;

    limit = campaign->stack_limit;

    for (i = 0; i < count; i++) {
        if (campaign->stack == COMMERCE_STACK_EXCLUSIVE
            || earlier[i]->stack == COMMERCE_STACK_EXCLUSIVE
            || (campaign->stack == COMMERCE_STACK_CLASS
                && earlier[i]->stack == COMMERCE_STACK_CLASS
                && commerce_equal(campaign->stack_class, earlier[i]->stack_class)))
        {
            return COMMERCE_R(COUPON_NOT_STACKABLE);
        }

        if (earlier[i]->stack_limit != 0 && (limit == 0 || earlier[i]->stack_limit < limit)) {
            limit = earlier[i]->stack_limit;
        }
    }

    return (limit != 0 && count + 1 > limit) ? COMMERCE_R(COUPON_STACK_LIMIT) : COMMERCE_R(OK);
}


bool
commerce_rules_on(const commerce_campaign_t *campaign, commerce_time_t now)
{
    unsigned                 i, day, second;
    const commerce_hours_t  *hours;

    if (campaign->hours_count == 0) {
        return true;
    }

    day = commerce_zone_weekday(&campaign->zone, now);
    second = commerce_zone_second(&campaign->zone, now);

    for (i = 0; i < campaign->hours_count; i++) {
        hours = &campaign->hours[i];

        if ((hours->days & 1U << day) && second >= hours->from * 60 && second < hours->until * 60) {
            return true;
        }
    }

    return false;
}


commerce_reason_t
commerce_coupon_check(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    const commerce_facts_t *facts, commerce_line_t *lines, unsigned count, uint8_t *admits,
    commerce_fen_t *discount)
{
    commerce_reason_t  reason;

    *discount = -1;

    reason = commerce_rules_admit(campaign, coupon, facts, lines, count, admits);

    return reason == COMMERCE_R(OK)
           ? commerce_rules_judge(campaign, facts, lines, count, admits, discount) : reason;
}


/* whatever depends neither on the order's lines nor on its winner */

static commerce_reason_t
commerce_rules_open(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    const commerce_facts_t *facts)
{
    commerce_reason_t  reason;

    reason = commerce_coupon_open(campaign, coupon, facts->user, facts->now);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_rules_on(campaign, facts->now)) {
        return COMMERCE_R(COUPON_DAY_NOT_ELIGIBLE);
    }

    if (!commerce_rules_in(campaign, COMMERCE_SCOPE_STORE, facts->store)) {
        return COMMERCE_R(COUPON_STORE_NOT_ELIGIBLE);
    }

    if (!commerce_rules_in(campaign, COMMERCE_SCOPE_LEVEL, facts->level)) {
        return COMMERCE_R(COUPON_MEMBER_LEVEL);
    }

    return (campaign->new_customers && !facts->new_customer)
           ? COMMERCE_R(COUPON_NEW_CUSTOMER_ONLY) : COMMERCE_R(OK);
}


static bool
commerce_rules_in(const commerce_campaign_t *campaign, commerce_scope_t scope, commerce_str_t id)
{
    return commerce_ids_admit(&campaign->scopes[scope], id);
}


static bool
commerce_rules_line(const commerce_campaign_t *campaign, const commerce_facts_t *facts,
    const commerce_line_t *lines, unsigned i)
{
    return commerce_rules_in(campaign, COMMERCE_SCOPE_SKU, lines[i].sku)
           && commerce_rules_in(campaign, COMMERCE_SCOPE_CATEGORY,
                                facts->categories != NULL ? facts->categories[i]
                                                          : commerce_string(""));
}


static commerce_reason_t
commerce_rules_scope(const commerce_campaign_t *campaign, const commerce_facts_t *facts)
{
    char            buffer[20], *digits;
    commerce_str_t  channel;

    channel = commerce_string("");

    if (facts->channel != 0) {
        digits = commerce_digits(buffer + sizeof(buffer), facts->channel);
        channel = (commerce_str_t) { digits, (size_t) (buffer + sizeof(buffer) - digits) };
    }

    if (!commerce_rules_in(campaign, COMMERCE_SCOPE_CHANNEL, channel)) {
        return COMMERCE_R(COUPON_CHANNEL_NOT_ELIGIBLE);
    }

    if (!commerce_rules_in(campaign, COMMERCE_SCOPE_ROOM, facts->room)) {
        return COMMERCE_R(COUPON_LIVE_ROOM_ONLY);
    }

    if (!commerce_rules_in(campaign, COMMERCE_SCOPE_GROUP, facts->group)) {
        return COMMERCE_R(COUPON_GROUP_NOT_ELIGIBLE);
    }

    return commerce_rules_in(campaign, COMMERCE_SCOPE_SELLER, facts->seller)
           ? COMMERCE_R(OK) : COMMERCE_R(COUPON_SELLER_NOT_ELIGIBLE);
}


static bool
commerce_rules_quantity(const commerce_campaign_t *campaign, const commerce_line_t *lines,
    unsigned count, const uint8_t *admits)
{
    int64_t   pieces;
    unsigned  i;

    for (i = 0, pieces = 0; i < count && pieces < campaign->minimum_quantity; i++) {
        pieces += admits[i] ? lines[i].quantity : 0;
    }

    return pieces >= campaign->minimum_quantity;
}


/* the lines name no amounts: what would have to be proved by them? */

static commerce_reason_t
commerce_rules_unknown(const commerce_campaign_t *campaign)
{
    unsigned  i;

    if (campaign->minimum_spend > 0 || campaign->step_count > 0 || campaign->every.off > 0) {
        return COMMERCE_R(COUPON_MIN_SPEND);
    }

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        if (campaign->budgets[i] != 0 && commerce_campaign_maximum(campaign) < 0) {
            return COMMERCE_R(COUPON_BUDGET_EXHAUSTED);
        }
    }

    return COMMERCE_R(OK);
}


/*
 * What earlier coupons left of the admitted lines (weights, and their sum), and what there was at first;
 * COMMERCE_ABSENT: one names no amount, or there are none
 */

static int
commerce_rules_sums(const commerce_line_t *lines, unsigned count, const uint8_t *admits,
    commerce_fen_t *weights, commerce_fen_t *left, commerce_fen_t *whole)
{
    bool      any;
    unsigned  i;

    *left = 0;
    *whole = 0;
    any = false;

    for (i = 0; i < count; i++) {
        weights[i] = 0;

        if (!admits[i]) {
            continue;
        }

        if (lines[i].amount < 0) {
            return COMMERCE_ABSENT;
        }

        if (lines[i].discount < 0 || lines[i].amount > COMMERCE_FEN_MAX) {
            return COMMERCE_ERROR;
        }

        any = true;
        *whole += lines[i].amount;

        if (lines[i].amount > lines[i].discount) {
            weights[i] = lines[i].amount - lines[i].discount;
            *left += weights[i];
        }
    }

    return any ? COMMERCE_OK : COMMERCE_ABSENT;
}


/* of this sum, which it may exceed; -1: no threshold is reached */

static commerce_fen_t
commerce_rules_worth(const commerce_campaign_t *campaign, commerce_fen_t sum)
{
    unsigned        i;
    __int128        times;
    commerce_fen_t  worth;

    if (campaign->fixed > 0) {
        return campaign->fixed;
    }

    if (campaign->step_count > 0) {
        for (i = campaign->step_count; i > 0; i--) {
            if (sum >= campaign->steps[i - 1].minimum) {
                return campaign->steps[i - 1].off;
            }
        }

        return -1;
    }

    if (campaign->every.off > 0) {
        if (sum < campaign->every.minimum) {
            return -1;
        }

        times = (__int128) (sum / campaign->every.minimum) * campaign->every.off;
        worth = times > sum ? sum : (commerce_fen_t) times;

    } else {
        worth = commerce_amount_share(sum, campaign->percent);
    }

    return (campaign->cap > 0 && worth > campaign->cap) ? campaign->cap : worth;
}
