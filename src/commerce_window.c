/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_window.h"


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
