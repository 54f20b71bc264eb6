/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_coupon.h"


static bool commerce_coupon_held_by(const commerce_coupon_t *coupon, commerce_str_t order_user,
    commerce_str_t order_key);
static void commerce_coupon_issue(commerce_coupon_t *coupon, commerce_time_t now);


const char *
commerce_coupon_state_name(commerce_coupon_state_t state)
{
    static const char *const  names[COMMERCE_COUPON_STATES] = {
        "issued", "reserved", "redeemed", "void"
    };

    return (unsigned) state < COMMERCE_COUPON_STATES ? names[state] : "unknown";
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

    if (coupon->cycles >= COMMERCE_COUPON_CYCLES) {
        return COMMERCE_R(COUPON_ROLLBACK_CYCLES);
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


commerce_reason_t
commerce_coupon_open(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    commerce_str_t user, commerce_time_t now)
{
    /* before all else: that there is no record says nothing any more */

    if (campaign->closed != 0) {
        return COMMERCE_R(COUPON_EXPIRED);
    }

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
