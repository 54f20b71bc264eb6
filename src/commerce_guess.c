/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_guess.h"


#define COMMERCE_GUESS_BIT(kind)  (1U << COMMERCE_GUESS_##kind)

/* slots that a whole period spans; one more holds the moment */
#define COMMERCE_WINDOW_SPAN      (COMMERCE_WINDOW_SLOTS - 1)


static uint32_t commerce_window_width(const commerce_rate_t *rate);
static bool commerce_window_stale(const commerce_window_t *window, const commerce_rate_t *rate,
    int64_t now);
static int64_t commerce_window_now(const commerce_window_t *window, int64_t now);
static unsigned commerce_window_times(const commerce_window_t *window, const commerce_rate_t *rate,
    int64_t now);
static uint32_t commerce_window_slot(const commerce_window_t *window, int64_t slot);
static void commerce_window_note(commerce_window_t *window, const commerce_rate_t *rate, int64_t now);
static bool commerce_guess_clean(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view,
    int64_t now);


static const char *const  commerce_guess_kind_names[COMMERCE_GUESS_KINDS] = {
    "user", "session", "address", "campaign", "breaker", "soft"
};


uint32_t
commerce_window_count(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    int64_t   slot, newest;
    uint32_t  sum;

    if (window == NULL || commerce_window_stale(window, rate, now)) {
        return 0;
    }

    now = commerce_window_now(window, now);

    if (window->width == 0) {
        return commerce_window_times(window, rate, now);
    }

    newest = window->last / window->width;
    sum = 0;

    for (slot = now / window->width - COMMERCE_WINDOW_SPAN; slot <= newest; slot++) {
        sum += commerce_window_slot(window, slot);
    }

    return sum;
}


int64_t
commerce_window_wait(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    int64_t   slot, then;
    uint32_t  count;

    count = commerce_window_count(window, rate, now);

    if (rate->limit == 0 || count < rate->limit) {
        return 0;
    }

    then = commerce_window_now(window, now);

    if (window->width == 0) {
        return rate->period - (uint32_t) ((uint32_t) then - window->slots[rate->limit - 1]) + (then - now);
    }

    /* slots leave one by one, the oldest first */

    for (slot = then / window->width - COMMERCE_WINDOW_SPAN; count >= rate->limit; slot++) {
        count -= commerce_window_slot(window, slot);
    }

    return (slot + COMMERCE_WINDOW_SPAN) * window->width - now;
}


bool
commerce_window_add(commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    uint32_t  count;

    if (commerce_window_stale(window, rate, now)) {
        memset(window, 0, sizeof(commerce_window_t));
        window->width = commerce_window_width(rate);
    }

    now = commerce_window_now(window, now);
    count = commerce_window_count(window, rate, now);

    commerce_window_note(window, rate, now);

    if (rate->limit == 0) {
        return true;
    }

    if (count < rate->limit) {
        window->since = count + 1 == rate->limit ? (uint32_t) (now / 1000) : 0;
        return true;
    }

    return false;
}


/* by times where they fit: a limit of 0 is asked for nothing but the newest */

static uint32_t
commerce_window_width(const commerce_rate_t *rate)
{
    return rate->limit <= COMMERCE_WINDOW_SLOTS
           ? 0 : (rate->period + COMMERCE_WINDOW_SPAN - 1) / COMMERCE_WINDOW_SPAN;
}


/* nothing in it counts any more; or it was kept for another rate; or the clock went back too far */

static bool
commerce_window_stale(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    return window->last == 0
           || window->width != commerce_window_width(rate)
           || now - window->last >= (int64_t) rate->period + window->width
           || window->last - now > (int64_t) rate->period;
}


static int64_t
commerce_window_now(const commerce_window_t *window, int64_t now)
{
    return window->last > now ? window->last : now;
}


/* times are the low bits of milliseconds: all are less than two periods old, or the window is stale */

static unsigned
commerce_window_times(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    unsigned  n;

    for (n = 0; n < COMMERCE_WINDOW_SLOTS && window->slots[n] != 0; n++) {

        if ((uint32_t) ((uint32_t) now - window->slots[n]) >= rate->period) {
            break;
        }
    }

    return n;
}


/* a slot that was not written since its place was another's is empty */

static uint32_t
commerce_window_slot(const commerce_window_t *window, int64_t slot)
{
    int64_t  newest;

    newest = window->last / window->width;

    return slot > newest || slot < newest - COMMERCE_WINDOW_SPAN || slot < 0
           ? 0 : window->slots[slot % COMMERCE_WINDOW_SLOTS];
}


static void
commerce_window_note(commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    int64_t   slot, newest;
    unsigned  n;
    uint32_t  low;

    if (window->width == 0) {
        n = commerce_window_times(window, rate, now);

        /* what is too old would look young again some day */
        memset(window->slots + n, 0, (COMMERCE_WINDOW_SLOTS - n) * sizeof(uint32_t));
        memmove(window->slots + 1, window->slots, (COMMERCE_WINDOW_SLOTS - 1) * sizeof(uint32_t));

        low = (uint32_t) now;
        window->slots[0] = low != 0 ? low : UINT32_MAX;

    } else {
        slot = now / window->width;
        newest = window->last / window->width;

        if (newest < slot - COMMERCE_WINDOW_SLOTS) {
            newest = slot - COMMERCE_WINDOW_SLOTS;
        }

        while (newest < slot) {
            window->slots[++newest % COMMERCE_WINDOW_SLOTS] = 0;
        }

        window->slots[slot % COMMERCE_WINDOW_SLOTS]++;
    }

    window->last = now;
}


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
