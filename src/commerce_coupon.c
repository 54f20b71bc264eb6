/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_coupon.h"


static bool commerce_coupon_held_by(const commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key);
static void commerce_coupon_issue(commerce_coupon_t *coupon, commerce_time_t now);
static bool commerce_coupon_admits(const commerce_campaign_t *campaign, commerce_str_t sku);
static int commerce_coupon_remaining(const commerce_line_t *lines, unsigned count,
    const uint8_t *admits, commerce_fen_t *weights, commerce_fen_t *sum);
static commerce_fen_t commerce_coupon_worth(const commerce_campaign_t *campaign,
    commerce_fen_t sum);


const char *
commerce_coupon_state_name(commerce_coupon_state_t state)
{
    static const char *const  names[COMMERCE_COUPON_STATES] = {
        "issued", "reserved", "redeemed", "void"
    };

    return (unsigned) state < COMMERCE_COUPON_STATES ? names[state] : "unknown";
}


commerce_reason_t
commerce_coupon_check(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    commerce_str_t user, commerce_time_t now, commerce_line_t *lines, unsigned count,
    uint8_t *admits, commerce_fen_t *discount)
{
    int                rc;
    unsigned           i, admitted;
    commerce_fen_t     sum, worth;
    commerce_fen_t     weights[COMMERCE_SPREAD_MAX], parts[COMMERCE_SPREAD_MAX];
    commerce_reason_t  reason;

    *discount = -1;

    if (count > COMMERCE_SPREAD_MAX) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_coupon_open(campaign, coupon, user, now);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    admitted = 0;

    for (i = 0; i < count; i++) {
        admits[i] = commerce_coupon_admits(campaign, lines[i].sku);
        admitted += admits[i];
    }

    /* without lines nothing proves that one of the campaign's SKUs is bought */

    if (admitted == 0 && (count != 0 || campaign->sku_count != 0)) {
        return COMMERCE_R(COUPON_SKU_NOT_ELIGIBLE);
    }

    rc = commerce_coupon_remaining(lines, count, admits, weights, &sum);

    if (rc == COMMERCE_ABSENT || admitted == 0) {
        return campaign->minimum_spend > 0 ? COMMERCE_R(COUPON_MIN_SPEND) : COMMERCE_R(OK);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (sum < campaign->minimum_spend) {
        return COMMERCE_R(COUPON_MIN_SPEND);
    }

    worth = commerce_coupon_worth(campaign, sum);

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
commerce_coupon_reserve(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now)
{
    switch (coupon->state) {

    case COMMERCE_COUPON_ISSUED:
        coupon->state = COMMERCE_COUPON_RESERVED;
        coupon->order_user = order_user;
        coupon->order_key = order_key;
        coupon->used_by = order_user;
        coupon->changed = now;
        memset(&coupon->counted, 0, sizeof(commerce_counted_t));
        return COMMERCE_R(OK);

    case COMMERCE_COUPON_RESERVED:
        return commerce_coupon_held_by(coupon, order_user, order_key)
               ? COMMERCE_R(COUPON_IDEMPOTENT_REPLAY) : COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER);

    case COMMERCE_COUPON_REDEEMED:
        return commerce_coupon_held_by(coupon, order_user, order_key)
               ? COMMERCE_R(COUPON_IDEMPOTENT_REPLAY) : COMMERCE_R(COUPON_ALREADY_REDEEMED);

    default:
        return COMMERCE_R(COUPON_VOID);
    }
}


commerce_reason_t
commerce_coupon_redeem(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now)
{
    if (!commerce_coupon_held_by(coupon, order_user, order_key)) {
        return COMMERCE_R(COUPON_RESERVATION_LOST);
    }

    switch (coupon->state) {

    case COMMERCE_COUPON_RESERVED:
        coupon->state = COMMERCE_COUPON_REDEEMED;
        coupon->changed = now;
        return COMMERCE_R(OK);

    case COMMERCE_COUPON_REDEEMED:
        return COMMERCE_R(COUPON_IDEMPOTENT_REPLAY);

    default:
        return COMMERCE_R(COUPON_RESERVATION_LOST);
    }
}


commerce_reason_t
commerce_coupon_release(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now)
{
    if (coupon->state != COMMERCE_COUPON_RESERVED
        || !commerce_coupon_held_by(coupon, order_user, order_key))
    {
        return COMMERCE_R(COUPON_IDEMPOTENT_REPLAY);
    }

    commerce_coupon_issue(coupon, now);

    return COMMERCE_R(OK);
}


commerce_reason_t
commerce_coupon_rollback(commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key, commerce_time_t now)
{
    if (coupon->state != COMMERCE_COUPON_REDEEMED
        || !commerce_coupon_held_by(coupon, order_user, order_key))
    {
        return COMMERCE_R(COUPON_IDEMPOTENT_REPLAY);
    }

    commerce_coupon_issue(coupon, now);
    coupon->cycles++;

    return COMMERCE_R(OK);
}


static bool
commerce_coupon_held_by(const commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key)
{
    return commerce_equal(coupon->order_user, order_user)
           && commerce_equal(coupon->order_key, order_key);
}


static void
commerce_coupon_issue(commerce_coupon_t *coupon, commerce_time_t now)
{
    coupon->state = COMMERCE_COUPON_ISSUED;
    coupon->order_user = commerce_string("");
    coupon->order_key = commerce_string("");
    coupon->used_by = commerce_string("");
    coupon->changed = now;
    memset(&coupon->counted, 0, sizeof(commerce_counted_t));
}


/* whatever does not depend on the order's lines */

commerce_reason_t
commerce_coupon_open(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    commerce_str_t user, commerce_time_t now)
{
    if (!campaign->enabled) {
        return COMMERCE_R(COUPON_DISABLED);
    }

    if (coupon->serial >= campaign->minted && coupon->claimed == 0) {
        return COMMERCE_R(COUPON_NOT_FOUND);
    }

    if (now < campaign->from) {
        return COMMERCE_R(COUPON_NOT_STARTED);
    }

    if (now >= commerce_coupon_end(campaign, coupon)) {
        return COMMERCE_R(COUPON_EXPIRED);
    }

    /* a coupon that was given to somebody is his, whatever the campaign asks for */

    if (coupon->holder.len == 0) {
        return campaign->holder_required ? COMMERCE_R(COUPON_HOLDER_MISMATCH) : COMMERCE_R(OK);
    }

    return commerce_equal(coupon->holder, user) ? COMMERCE_R(OK)
                                                : COMMERCE_R(COUPON_HOLDER_MISMATCH);
}


commerce_time_t
commerce_coupon_end(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon)
{
    return coupon->expires != 0 && coupon->expires < campaign->until ? coupon->expires
                                                                     : campaign->until;
}


static bool
commerce_coupon_admits(const commerce_campaign_t *campaign, commerce_str_t sku)
{
    unsigned  i;

    if (campaign->sku_count == 0) {
        return true;
    }

    for (i = 0; i < campaign->sku_count; i++) {
        if (commerce_equal(campaign->skus[i], sku)) {
            return true;
        }
    }

    return false;
}


/* what earlier coupons left of the admitted lines; COMMERCE_ABSENT: one names no amount */

static int
commerce_coupon_remaining(const commerce_line_t *lines, unsigned count, const uint8_t *admits,
    commerce_fen_t *weights, commerce_fen_t *sum)
{
    unsigned  i;

    *sum = 0;

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

        if (lines[i].amount > lines[i].discount) {
            weights[i] = lines[i].amount - lines[i].discount;
            *sum += weights[i];
        }
    }

    return COMMERCE_OK;
}


static commerce_fen_t
commerce_coupon_worth(const commerce_campaign_t *campaign, commerce_fen_t sum)
{
    commerce_fen_t  worth;

    if (campaign->fixed > 0) {
        worth = campaign->fixed;

    } else {
        worth = commerce_amount_share(sum, campaign->percent);

        if (campaign->cap > 0 && worth > campaign->cap) {
            worth = campaign->cap;
        }
    }

    return worth < sum ? worth : sum;
}
