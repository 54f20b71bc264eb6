/*
 * Copyright (C) ngx_commerce authors
 *
 * Guessing: how many wrong codes are too many.  What windows of failures (commerce_window.h) decide.
 */

#ifndef COMMERCE_GUESS_H
#define COMMERCE_GUESS_H

#include "commerce_reason.h"
#include "commerce_window.h"

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
