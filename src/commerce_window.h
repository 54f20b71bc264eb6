/*
 * Copyright (C) ngx_commerce authors
 *
 * Windows: how many of something there were lately.  Pure: who keeps the windows, where, and under which keys is
 * the caller's business.
 *
 * A window slides.  What happened at t counts while t <= now < t + period.
 *   limit up to COMMERCE_WINDOW_SLOTS   each one's time is kept: exact to the millisecond
 *   above                               counted in slots of a 13th of the period: one may count up to one
 *                                       slot longer than the period, never shorter
 * So within any period no more than `limit` are let through, and no window needs more than 72 bytes.
 * A clock that goes back by more than a period empties the window; by less, it stands still.
 */

#ifndef COMMERCE_WINDOW_H
#define COMMERCE_WINDOW_H

#include "commerce.h"

#define COMMERCE_WINDOW_SLOTS   14
#define COMMERCE_WINDOW_LIMIT   1000000
#define COMMERCE_WINDOW_PERIOD  86400000        /* ms: the longest */

typedef struct {
    uint32_t  limit;            /* in a period; 0 = counted, but never too many */
    uint32_t  period;           /* ms, 1000..COMMERCE_WINDOW_PERIOD */
} commerce_rate_t;

typedef struct {                /* zeroed: empty */
    int64_t   last;             /* ms, the newest */
    uint32_t  since;            /* UTC seconds: full from then on; 0 = it was not, when it was last added to */
    uint32_t  width;            /* ms of a slot; 0: slots are times, the newest first, 0 = none */
    uint32_t  slots[COMMERCE_WINDOW_SLOTS];
} commerce_window_t;

/* how many count at now (ms); window may be NULL: none */
uint32_t commerce_window_count(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now);

/* ms until there is room again; 0: there is */
int64_t commerce_window_wait(const commerce_window_t *window, const commerce_rate_t *rate, int64_t now);

/* one more; false if it was full already */
bool commerce_window_add(commerce_window_t *window, const commerce_rate_t *rate, int64_t now);

#endif
