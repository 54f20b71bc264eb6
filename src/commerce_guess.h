/*
 * Copyright (C) ngx_commerce authors
 *
 * Guessing: how many wrong codes are too many.  Windows that count failures, and what they decide.  Pure: who
 * keeps the windows, where, and under which keys is the caller's business.
 *
 * A window slides.  Failures at t count while t <= now < t + period.
 *   limit up to COMMERCE_WINDOW_SLOTS   each failure's time is kept: exact to the millisecond
 *   above                               counted in slots of a 13th of the period: a failure may count up to one
 *                                       slot longer than the period, never shorter
 * So within any period no more than `limit` failures are let through, and no window needs more than 72 bytes.
 * A clock that goes back by more than a period empties the window; by less, it stands still.
 */

#ifndef COMMERCE_GUESS_H
#define COMMERCE_GUESS_H

#include "commerce_reason.h"

#define COMMERCE_WINDOW_SLOTS   14
#define COMMERCE_WINDOW_LIMIT   1000000
#define COMMERCE_WINDOW_PERIOD  86400000        /* ms: the longest */

typedef struct {
    uint32_t  limit;            /* failures in a period; 0 = counted, but never too many */
    uint32_t  period;           /* ms, 1000..COMMERCE_WINDOW_PERIOD */
} commerce_rate_t;

typedef struct {                /* zeroed: empty */
    int64_t   last;             /* ms, the newest failure */
    uint32_t  since;            /* UTC seconds: full from then on; 0 = it was not, when it was last added to */
    uint32_t  width;            /* ms of a slot; 0: slots are times, the newest first, 0 = none */
    uint32_t  slots[COMMERCE_WINDOW_SLOTS];
} commerce_window_t;

/* failures that count at now (ms); window may be NULL: none */
uint32_t commerce_window_count(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now);

/* ms until there is room again; 0: there is */
int64_t commerce_window_wait(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now);

/* one more; false if it was full already */
bool commerce_window_add(commerce_window_t *window, const commerce_rate_t *rate, int64_t now);


/* who and what failures are counted by */
typedef enum {
    COMMERCE_GUESS_USER,
    COMMERCE_GUESS_SESSION,
    COMMERCE_GUESS_ADDRESS,
    COMMERCE_GUESS_CAMPAIGN,
    COMMERCE_GUESS_BREAKER,     /* the whole shop */
    COMMERCE_GUESS_SOFT,        /* a user's typing errors and coupons that do not fit his order */
    COMMERCE_GUESS_KINDS
} commerce_guess_kind_t;

const char *commerce_guess_kind_name(commerce_guess_kind_t kind);

/*
 * Of a refused coupon:
 *   WRONG   what a guesser meets: forged or unknown
 *   OTHERS  a genuine one that is somebody else's, spent, or held by another.  Nobody guesses those, but a code
 *           that was shown to a thousand people is tried by a thousand: it counts for user and session alone
 *   TYPING  what a buyer meets: no code at all, or a genuine one whose rules refuse
 *   NONE    nothing that says anything about a code
 */
typedef enum {
    COMMERCE_GUESS_NONE,
    COMMERCE_GUESS_TYPING,
    COMMERCE_GUESS_OTHERS,
    COMMERCE_GUESS_WRONG
} commerce_guess_class_t;

commerce_guess_class_t commerce_guess_class(commerce_reason_t reason);

typedef struct {
    commerce_rate_t     rates[COMMERCE_GUESS_KINDS];
} commerce_guess_limits_t;

/* NULL: nothing was counted there yet, or there is no such key */
typedef struct {
    commerce_window_t  *windows[COMMERCE_GUESS_KINDS];
} commerce_guess_view_t;

/*
 * May a user try a code?  OK; RATE_USER, RATE_SESSION; and RATE_IP, RATE_PREFIX, GLOBAL_BREAKER unless his own
 * record is clean (no wrong code for COMMERCE_GUESS_CLEAN periods of the user's window): addresses, campaigns
 * and the shop are shared with whoever attacks them.  *wait: seconds until it is worth trying again, at least 1.
 */
#define COMMERCE_GUESS_CLEAN  10

commerce_reason_t commerce_guess_allowed(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view,
    int64_t now, int64_t *wait);

/* which windows a failure of this class counts in, as a bit set; the SOFT window is looked at, not changed */
unsigned commerce_guess_counts(const commerce_guess_limits_t *limits, const commerce_guess_view_t *view,
    commerce_guess_class_t class, int64_t now);

#endif
