/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_guess.h"


#define COMMERCE_GUESS_BIT(kind)  (1U << COMMERCE_GUESS_##kind)


static bool commerce_guess_clean(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view,
    int64_t now);


static const char *const  commerce_guess_kind_names[COMMERCE_GUESS_KINDS] = {
    "user", "session", "address", "campaign", "breaker", "soft"
};


const char *
commerce_guess_kind_name(commerce_guess_kind_t kind)
{
    return commerce_guess_kind_names[kind];
}


commerce_guess_class_t
commerce_guess_class(commerce_reason_t reason)
{
    switch (reason) {

    case COMMERCE_R(COUPON_NOT_FOUND):
    case COMMERCE_R(COUPON_BAD_SIGNATURE):
        return COMMERCE_GUESS_WRONG;

    case COMMERCE_R(COUPON_HOLDER_MISMATCH):
    case COMMERCE_R(COUPON_ALREADY_REDEEMED):
    case COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER):
    case COMMERCE_R(COUPON_VOID):
        return COMMERCE_GUESS_OTHERS;

    default:
        return commerce_equal(commerce_reason(reason)->public_code, commerce_string("COUPON_NOT_USABLE"))
               ? COMMERCE_GUESS_TYPING : COMMERCE_GUESS_NONE;
    }
}


commerce_reason_t
commerce_guess_allowed(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view, int64_t now,
    int64_t *wait)
{
    static const struct {
        commerce_guess_kind_t  kind;
        commerce_reason_t      reason;
        bool                   shared;
    } order[] = {
        { COMMERCE_GUESS_USER,     COMMERCE_R(RATE_USER),      false },
        { COMMERCE_GUESS_SESSION,  COMMERCE_R(RATE_SESSION),   false },
        { COMMERCE_GUESS_ADDRESS,  COMMERCE_R(RATE_IP),        true },
        { COMMERCE_GUESS_CAMPAIGN, COMMERCE_R(RATE_PREFIX),    true },
        { COMMERCE_GUESS_BREAKER,  COMMERCE_R(GLOBAL_BREAKER), true }
    };

    int64_t   ms;
    unsigned  i;

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {

        ms = commerce_window_wait(view->windows[order[i].kind], &limits->rates[order[i].kind], now);

        if (ms > 0 && !(order[i].shared && commerce_guess_clean(limits, view, now))) {
            *wait = (ms + 999) / 1000;
            return order[i].reason;
        }
    }

    *wait = 0;

    return COMMERCE_R(OK);
}


unsigned
commerce_guess_counts(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view,
    commerce_guess_class_t class, int64_t now)
{
    const unsigned  own = COMMERCE_GUESS_BIT(USER) | COMMERCE_GUESS_BIT(SESSION);

    switch (class) {

    case COMMERCE_GUESS_WRONG:
        return own | COMMERCE_GUESS_BIT(ADDRESS) | COMMERCE_GUESS_BIT(CAMPAIGN) | COMMERCE_GUESS_BIT(BREAKER);

    case COMMERCE_GUESS_OTHERS:
        return own;

    case COMMERCE_GUESS_TYPING:
        return commerce_window_wait(view->windows[COMMERCE_GUESS_SOFT], &limits->rates[COMMERCE_GUESS_SOFT], now)
               ? own | COMMERCE_GUESS_BIT(ADDRESS) | COMMERCE_GUESS_BIT(SOFT) : COMMERCE_GUESS_BIT(SOFT);

    default:
        return 0;
    }
}


static bool
commerce_guess_clean(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view, int64_t now)
{
    int64_t                   memory;
    const commerce_window_t  *user;

    user = view->windows[COMMERCE_GUESS_USER];
    memory = COMMERCE_GUESS_CLEAN * (int64_t) limits->rates[COMMERCE_GUESS_USER].period;

    return user == NULL || user->last == 0 || now - user->last >= memory || user->last - now > memory;
}
