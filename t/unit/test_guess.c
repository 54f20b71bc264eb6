/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_guess.h"


#define T0      1800000000000LL
#define MINUTE  60000


static void test_exact(void);
static void test_slots(void);
static void test_never_more(uint32_t limit, uint32_t period);
static void test_old_times(void);
static void test_clock_back(void);
static void test_full_since(void);
static void test_classes(void);
static void test_own(void);
static void test_shared(void);
static void test_typing(void);
static void fill(commerce_window_t *window, const commerce_rate_t *rate, int64_t now);


static const commerce_guess_limits_t  limits = { {
    { 5, MINUTE }, { 4, MINUTE }, { 60, MINUTE }, { 300, MINUTE }, { 1000, MINUTE }, { 20, MINUTE }
} };


int
main(void)
{
    test_exact();
    test_slots();
    test_never_more(1, 1000);
    test_never_more(5, MINUTE);
    test_never_more(COMMERCE_WINDOW_SLOTS, 7000);
    test_never_more(COMMERCE_WINDOW_SLOTS + 1, 7000);
    test_never_more(60, MINUTE);
    test_never_more(1000, COMMERCE_WINDOW_PERIOD);
    test_old_times();
    test_clock_back();
    test_full_since();
    test_classes();
    test_own();
    test_shared();
    test_typing();

    return done_testing();
}


static void
fill(commerce_window_t *window, const commerce_rate_t *rate, int64_t now)
{
    uint32_t  i;

    memset(window, 0, sizeof(commerce_window_t));

    for (i = 0; i < rate->limit; i++) {
        commerce_window_add(window, rate, now);
    }
}


static void
test_exact(void)
{
    int                i;
    commerce_rate_t    rate = { 5, MINUTE };
    commerce_window_t  window;

    is_int(sizeof(commerce_window_t), 72, "what a window needs");
    is_int(commerce_window_count(NULL, &rate, T0), 0, "no window: nothing");
    is_int(commerce_window_wait(NULL, &rate, T0), 0, "no window: room");

    memset(&window, 0, sizeof(window));

    for (i = 0; i < 5; i++) {
        is_int(commerce_window_wait(&window, &rate, T0 + i), 0, "room for failure %d", i + 1);
        ok(commerce_window_add(&window, &rate, T0 + i * 1000), "failure %d fits", i + 1);
    }

    is_int(commerce_window_count(&window, &rate, T0 + 4000), 5, "five count");
    is_int(commerce_window_wait(&window, &rate, T0 + 4000), MINUTE - 4000, "until the first one leaves");
    is_int(commerce_window_wait(&window, &rate, T0 + MINUTE - 1), 1, "a millisecond before");
    is_int(commerce_window_wait(&window, &rate, T0 + MINUTE), 0, "the first has left");
    is_int(commerce_window_count(&window, &rate, T0 + MINUTE), 4, "four count");
    is_int(commerce_window_count(&window, &rate, T0 + MINUTE + 3999), 1, "the last one counts");
    is_int(commerce_window_count(&window, &rate, T0 + MINUTE + 4000), 0, "none counts");

    ok(!commerce_window_add(&window, &rate, T0 + 5000), "one more does not fit");
    is_int(commerce_window_wait(&window, &rate, T0 + 5000), MINUTE - 4000, "and is waited for, too");
}


static void
test_slots(void)
{
    int64_t            wait;
    commerce_rate_t    rate = { 60, MINUTE };
    commerce_window_t  window;

    fill(&window, &rate, T0);

    is_int(commerce_window_count(&window, &rate, T0), 60, "sixty count");

    wait = commerce_window_wait(&window, &rate, T0);

    ok(wait >= MINUTE && wait <= MINUTE + MINUTE / 13 + 1, "as long as they have to, a slot more at most");
    is_int(commerce_window_wait(&window, &rate, T0 + wait - 1), 1, "a millisecond before");
    is_int(commerce_window_wait(&window, &rate, T0 + wait), 0, "in time");
    is_int(commerce_window_count(&window, &rate, T0 + MINUTE - 1), 60, "all count for the whole period");
    is_int(commerce_window_count(&window, &rate, T0 + wait), 0, "none after it");

    ok(!commerce_window_add(&window, &rate, T0 + 1000), "one more does not fit");
    is_int(commerce_window_count(&window, &rate, T0 + 1000), 61, "but counts");
}


/* whatever the pace: of what was let through, never more than the limit in any period */

static void
test_never_more(uint32_t limit, uint32_t period)
{
    static int64_t     passed[20000];
    int                i, n, i0;
    int64_t            now, waits;
    uint32_t           seed, most;
    commerce_rate_t    rate = { limit, period };
    commerce_window_t  window;

    memset(&window, 0, sizeof(window));
    seed = limit * 7919 + period;
    now = T0;
    most = 0;
    waits = 0;

    for (i = 0, i0 = 0, n = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        now += (seed >> 16) % (2 * period / limit / 3 + 2);

        if (commerce_window_wait(&window, &rate, now) == 0) {
            passed[n++] = now;
            commerce_window_add(&window, &rate, now);

            while (now - passed[i0] >= period) {
                i0++;
            }

            if ((uint32_t) (n - i0) > most) {
                most = (uint32_t) (n - i0);
            }

        } else {
            waits++;
        }
    }

    is_int(most, limit, "%u in %u ms: reached, never passed", limit, period);
    ok(waits > 0 && n > 1000, "some were let through, some not");
}


/* 49.7 days later the low bits of a time are the same */

static void
test_old_times(void)
{
    commerce_rate_t    rate = { 5, MINUTE };
    commerce_window_t  window;

    memset(&window, 0, sizeof(window));
    commerce_window_add(&window, &rate, T0);
    commerce_window_add(&window, &rate, T0 + (1LL << 32) - 1000);

    is_int(commerce_window_count(&window, &rate, T0 + (1LL << 32)), 1, "a time of 2^32 ms ago is old");

    fill(&window, &rate, T0);
    is_int(commerce_window_count(&window, &rate, T0 + (1LL << 32)), 0, "so is a whole window");

    fill(&window, &rate, 1LL << 41);        /* the low bits are zero, which marks an empty slot */
    is_int(commerce_window_count(&window, &rate, 1LL << 41), 5, "a time whose low bits are zero counts");
}


static void
test_clock_back(void)
{
    unsigned           i;
    commerce_window_t  window;
    commerce_rate_t    rates[] = { { 5, MINUTE }, { 60, MINUTE } };

    for (i = 0; i < 2; i++) {
        fill(&window, &rates[i], T0);

        ok(commerce_window_wait(&window, &rates[i], T0 - 1000) > MINUTE, "a second back: it stands still");
        is_int(commerce_window_count(&window, &rates[i], T0 - MINUTE), rates[i].limit, "a period back, too");
        is_int(commerce_window_count(&window, &rates[i], T0 - MINUTE - 1), 0, "more: it is empty");
        ok(commerce_window_add(&window, &rates[i], T0 - 86400000), "and begins anew");
        is_int(commerce_window_count(&window, &rates[i], T0 - 86400000), 1, "with one");
    }
}


static void
test_full_since(void)
{
    commerce_rate_t    rate = { 15, MINUTE };
    commerce_window_t  window;

    fill(&window, &rate, T0);
    is_int(window.since, T0 / 1000, "full since the one that filled it");
    commerce_window_add(&window, &rate, T0 + 30000);
    is_int(window.since, T0 / 1000, "more do not change that");
    commerce_window_add(&window, &rate, T0 + 2 * MINUTE);
    is_int(window.since, 0, "not full any more");
}


static void
test_classes(void)
{
    is_int(commerce_guess_class(COMMERCE_R(COUPON_NOT_FOUND)), COMMERCE_GUESS_WRONG, "unknown");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_BAD_SIGNATURE)), COMMERCE_GUESS_WRONG, "forged");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_HOLDER_MISMATCH)), COMMERCE_GUESS_OTHERS, "not yours");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_ALREADY_REDEEMED)), COMMERCE_GUESS_OTHERS, "redeemed");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER)), COMMERCE_GUESS_OTHERS, "held");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_MALFORMED)), COMMERCE_GUESS_TYPING, "malformed");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_EXPIRED)), COMMERCE_GUESS_TYPING, "expired");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_MIN_SPEND)), COMMERCE_GUESS_TYPING, "too cheap an order");
    is_int(commerce_guess_class(COMMERCE_R(COUPON_CUSTOMER_REQUIRED)), COMMERCE_GUESS_NONE, "nobody");
    is_int(commerce_guess_class(COMMERCE_R(STORE_UNAVAILABLE)), COMMERCE_GUESS_NONE, "no store");
    is_int(commerce_guess_class(COMMERCE_R(RATE_USER)), COMMERCE_GUESS_NONE, "limited");
    is_int(commerce_guess_class(COMMERCE_R(OK)), COMMERCE_GUESS_NONE, "fine");
}


static void
test_own(void)
{
    int64_t                wait;
    commerce_window_t      user, session;
    commerce_guess_view_t  view = { { NULL } };

    is_int(commerce_guess_allowed(&limits, &view, T0, &wait), COMMERCE_R(OK), "nothing known: allowed");
    is_int(wait, 0, "at once");

    fill(&user, &limits.rates[COMMERCE_GUESS_USER], T0);
    view.windows[COMMERCE_GUESS_USER] = &user;

    is_int(commerce_guess_allowed(&limits, &view, T0 + 1, &wait), COMMERCE_R(RATE_USER), "too many of the user");
    is_int(wait, 60, "seconds to wait, rounded up");
    is_int(commerce_guess_allowed(&limits, &view, T0 + MINUTE, &wait), COMMERCE_R(OK), "until they are old");

    memset(&user, 0, sizeof(user));
    fill(&session, &limits.rates[COMMERCE_GUESS_SESSION], T0);
    view.windows[COMMERCE_GUESS_SESSION] = &session;

    is_int(commerce_guess_allowed(&limits, &view, T0, &wait), COMMERCE_R(RATE_SESSION),
           "too many of the session, whoever the user is");
}


/* shared windows stop only those who have guessed wrong themselves */

static void
test_shared(void)
{
    int64_t                wait;
    unsigned               i;
    commerce_window_t      user, shared;
    commerce_guess_view_t  view = { { NULL } };

    static const struct {
        commerce_guess_kind_t  kind;
        commerce_reason_t      reason;
    } kinds[] = {
        { COMMERCE_GUESS_ADDRESS, COMMERCE_R(RATE_IP) },
        { COMMERCE_GUESS_CAMPAIGN, COMMERCE_R(RATE_PREFIX) },
        { COMMERCE_GUESS_BREAKER, COMMERCE_R(GLOBAL_BREAKER) }
    };

    for (i = 0; i < 3; i++) {
        memset(&view, 0, sizeof(view));
        view.windows[kinds[i].kind] = &shared;
        fill(&shared, &limits.rates[kinds[i].kind], T0);

        is_int(commerce_guess_allowed(&limits, &view, T0, &wait), COMMERCE_R(OK), "a clean record passes");

        memset(&user, 0, sizeof(user));
        commerce_window_add(&user, &limits.rates[COMMERCE_GUESS_USER], T0 - 9 * MINUTE);
        view.windows[COMMERCE_GUESS_USER] = &user;

        is_int(commerce_guess_allowed(&limits, &view, T0, &wait), kinds[i].reason, "one wrong code: stopped");
        ok(wait >= 60 && wait <= 65, "for as long as the window says");
        is_int(commerce_guess_allowed(&limits, &view, T0 + MINUTE - 1, &wait), kinds[i].reason,
               "just before ten periods: stopped");
        is_int(commerce_guess_allowed(&limits, &view, T0 + MINUTE, &wait), COMMERCE_R(OK),
               "ten periods later: clean");
    }
}


static void
test_typing(void)
{
    unsigned               soft, own, all;
    commerce_window_t      window;
    commerce_guess_view_t  view = { { NULL } };

    soft = 1U << COMMERCE_GUESS_SOFT;
    own = 1U << COMMERCE_GUESS_USER | 1U << COMMERCE_GUESS_SESSION;
    all = own | 1U << COMMERCE_GUESS_ADDRESS | 1U << COMMERCE_GUESS_CAMPAIGN | 1U << COMMERCE_GUESS_BREAKER;

    is_int(commerce_guess_counts(&limits, &view, COMMERCE_GUESS_WRONG, T0), all, "a wrong code counts everywhere");
    is_int(commerce_guess_counts(&limits, &view, COMMERCE_GUESS_OTHERS, T0), own, "another's for the user alone");
    is_int(commerce_guess_counts(&limits, &view, COMMERCE_GUESS_TYPING, T0), soft, "a typing error apart");
    is_int(commerce_guess_counts(&limits, &view, COMMERCE_GUESS_NONE, T0), 0, "others not");

    fill(&window, &limits.rates[COMMERCE_GUESS_SOFT], T0);
    view.windows[COMMERCE_GUESS_SOFT] = &window;

    is_int(commerce_guess_counts(&limits, &view, COMMERCE_GUESS_TYPING, T0),
           soft | own | 1U << COMMERCE_GUESS_ADDRESS,
           "too many typing errors are wrong codes");
}
