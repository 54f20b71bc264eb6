/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_attribution.h"


/* where the search stands: a class of the preset and a candidate in the array */
typedef struct {
    const commerce_source_t     *source;
    const commerce_candidate_t  *candidates;
    unsigned                     count;
    unsigned                     next;
    unsigned                     left;      /* candidates whose class was not reached yet */
    unsigned                     line;
} commerce_search_t;


static bool commerce_touch_source(commerce_source_t source);
static int64_t commerce_touch_age(commerce_time_t first, commerce_time_t now);
static void commerce_buyer_forget(commerce_buyer_t *buyer, unsigned i);
static int commerce_attribution_next(commerce_search_t *search);
static bool commerce_attribution_self(commerce_self_purchase_t self_purchase,
    const commerce_person_t *seller, int candidate, commerce_winner_t *winner);
static void commerce_attribution_contributors(commerce_search_t *search,
    commerce_winner_t *winner);


static const char *const  commerce_sources[COMMERCE_SOURCES] = {
    [COMMERCE_SOURCE_NONE] = "house",
    [COMMERCE_SOURCE_PROTECTED] = "protected",
    [COMMERCE_SOURCE_LIVE_ROOM] = "live_room",
    [COMMERCE_SOURCE_SHARE] = "share",
    [COMMERCE_SOURCE_PROMOTER] = "promoter",
    [COMMERCE_SOURCE_GROUP] = "group",
    [COMMERCE_SOURCE_OPEN] = "open",
    [COMMERCE_SOURCE_CHANNEL] = "channel",
    [COMMERCE_SOURCE_PLAIN] = "plain",
};

static const char *const  commerce_strengths[] = {
    [COMMERCE_STRENGTH_PLAIN] = "plain",
    [COMMERCE_STRENGTH_SIGNED] = "signed",
    [COMMERCE_STRENGTH_ATTESTED] = "attested",
};

static const char *const  commerce_priorities[COMMERCE_PRIORITIES] = {
    [COMMERCE_PRIORITY_PROTECT_FIRST] = "protect_first",
    [COMMERCE_PRIORITY_TOUCH_FIRST] = "touch_first",
    [COMMERCE_PRIORITY_LIVE_FIRST] = "live_first",
};

static const commerce_source_t  commerce_orders[COMMERCE_PRIORITIES][COMMERCE_SOURCES] = {

    [COMMERCE_PRIORITY_PROTECT_FIRST] = {
        COMMERCE_SOURCE_PROTECTED,
        COMMERCE_SOURCE_LIVE_ROOM,
        COMMERCE_SOURCE_SHARE,
        COMMERCE_SOURCE_PROMOTER,
        COMMERCE_SOURCE_GROUP,
        COMMERCE_SOURCE_OPEN,
        COMMERCE_SOURCE_CHANNEL,
        COMMERCE_SOURCE_PLAIN,
        COMMERCE_SOURCE_NONE,
    },

    [COMMERCE_PRIORITY_TOUCH_FIRST] = {
        COMMERCE_SOURCE_LIVE_ROOM,
        COMMERCE_SOURCE_SHARE,
        COMMERCE_SOURCE_PROMOTER,
        COMMERCE_SOURCE_GROUP,
        COMMERCE_SOURCE_PROTECTED,
        COMMERCE_SOURCE_OPEN,
        COMMERCE_SOURCE_CHANNEL,
        COMMERCE_SOURCE_PLAIN,
        COMMERCE_SOURCE_NONE,
    },

    [COMMERCE_PRIORITY_LIVE_FIRST] = {
        COMMERCE_SOURCE_LIVE_ROOM,
        COMMERCE_SOURCE_PROTECTED,
        COMMERCE_SOURCE_SHARE,
        COMMERCE_SOURCE_PROMOTER,
        COMMERCE_SOURCE_GROUP,
        COMMERCE_SOURCE_OPEN,
        COMMERCE_SOURCE_CHANNEL,
        COMMERCE_SOURCE_PLAIN,
        COMMERCE_SOURCE_NONE,
    },
};


const char *
commerce_source_name(commerce_source_t source)
{
    return (unsigned) source < COMMERCE_SOURCES ? commerce_sources[source] : "unknown";
}


const char *
commerce_strength_name(commerce_strength_t strength)
{
    return (unsigned) strength <= COMMERCE_STRENGTH_ATTESTED ? commerce_strengths[strength]
                                                             : "unknown";
}


commerce_field_t
commerce_source_field(commerce_source_t source)
{
    switch (source) {
    case COMMERCE_SOURCE_SHARE:
    case COMMERCE_SOURCE_GROUP:
        return COMMERCE_FIELD_PRIVATE;
    case COMMERCE_SOURCE_LIVE_ROOM:
        return COMMERCE_FIELD_SOCIAL_MEDIA;
    default:
        return COMMERCE_FIELD_NONE;
    }
}


commerce_origin_t
commerce_source_origin(commerce_source_t source)
{
    switch (source) {
    case COMMERCE_SOURCE_SHARE:
    case COMMERCE_SOURCE_GROUP:
        return COMMERCE_ORIGIN_PRIVATE;
    case COMMERCE_SOURCE_LIVE_ROOM:
        return COMMERCE_ORIGIN_PUBLIC;
    default:
        return COMMERCE_ORIGIN_NONE;
    }
}


commerce_field_t
commerce_touch_field(const commerce_touch_t *touch)
{
    return touch->field != COMMERCE_FIELD_NONE ? touch->field
                                               : commerce_source_field(touch->source);
}


commerce_origin_t
commerce_touch_origin(const commerce_touch_t *touch)
{
    return touch->origin != COMMERCE_ORIGIN_NONE ? touch->origin
                                                 : commerce_source_origin(touch->source);
}


bool
commerce_buyer_sees(commerce_buyer_t *buyer, commerce_touch_t *touch, commerce_time_t now)
{
    bool             known;
    unsigned         i;
    commerce_seen_t  seen;

    if (buyer->seen_count > COMMERCE_SEEN_MAX) {
        buyer->seen_count = COMMERCE_SEEN_MAX;
    }

    known = false;
    seen = (commerce_seen_t) { touch->digest, now };

    for (i = 0; i < buyer->seen_count; i++) {
        if (buyer->seen[i].digest == touch->digest) {
            known = true;
            break;
        }
    }

    if (known) {
        touch->first = buyer->seen[i].first;

        if (touch->strength == COMMERCE_STRENGTH_ATTESTED && !commerce_touch_live(touch, now)) {
            known = false;

        } else {
            seen = buyer->seen[i];

            /* a change is a durable write: one of the latest is in no danger of being forgotten */

            if (buyer->seen_count - i <= COMMERCE_SEEN_MAX / 2) {
                return false;
            }
        }

        commerce_buyer_forget(buyer, i);

    } else if (buyer->seen_count == COMMERCE_SEEN_MAX) {
        commerce_buyer_forget(buyer, 0);
    }

    /* the last tokens sent are kept: one that is sent over and over never becomes new */

    touch->first = seen.first;
    buyer->seen[buyer->seen_count++] = seen;

    return !known;
}


void
commerce_buyer_remember(commerce_buyer_t *buyer, const commerce_touch_t *touch)
{
    commerce_touch_t  *last;

    if (!commerce_touch_source(touch->source)) {
        return;
    }

    last = &buyer->last[touch->source];

    if (last->source == COMMERCE_SOURCE_NONE || touch->first >= last->first) {
        *last = *touch;
    }
}


bool
commerce_touch_live(const commerce_touch_t *touch, commerce_time_t now)
{
    if (touch->lookback == COMMERCE_FOREVER) {
        return true;
    }

    return commerce_touch_age(touch->first, now) < touch->lookback;
}


const char *
commerce_priority_name(commerce_priority_t priority)
{
    return (unsigned) priority < COMMERCE_PRIORITIES ? commerce_priorities[priority] : "unknown";
}


const commerce_source_t *
commerce_priority_order(commerce_priority_t priority)
{
    if ((unsigned) priority >= COMMERCE_PRIORITIES) {
        priority = COMMERCE_PRIORITY_PROTECT_FIRST;
    }

    return commerce_orders[priority];
}


int
commerce_priority_add(commerce_source_t *order, commerce_str_t name)
{
    unsigned           i;
    commerce_source_t  source;

    for (source = COMMERCE_SOURCE_NONE + 1; source < COMMERCE_SOURCES; source++) {
        if (commerce_equal(name, commerce_cstr(commerce_sources[source]))) {
            break;
        }
    }

    if (source == COMMERCE_SOURCES) {
        return COMMERCE_ERROR;
    }

    for (i = 0; order[i] != COMMERCE_SOURCE_NONE; i++) {
        if (order[i] == source) {
            return COMMERCE_ABSENT;
        }
    }

    order[i] = source;
    order[i + 1] = COMMERCE_SOURCE_NONE;

    return COMMERCE_OK;
}


void
commerce_attribution_winner(const commerce_source_t *order, commerce_self_purchase_t self_purchase,
    uint64_t buyer, const commerce_candidate_t *candidates, unsigned count, unsigned line,
    commerce_winner_t *winner)
{
    int                i;
    unsigned           n;
    commerce_search_t  search;

    memset(winner, 0, sizeof(commerce_winner_t));
    winner->winner = -1;
    winner->reason = COMMERCE_R(ATTR_DIRECT);

    for (n = 0; n < COMMERCE_CONTRIBUTORS; n++) {
        winner->contributors[n] = -1;
    }

    search.source = order;
    search.candidates = candidates;
    search.count = count;
    search.next = 0;
    search.left = count;
    search.line = line;

    i = commerce_attribution_next(&search);
    if (i < 0) {
        return;
    }

    if (candidates[i].seller.number == buyer) {
        if (!commerce_attribution_self(self_purchase, &candidates[i].seller, i, winner)) {
            return;
        }

    } else {
        winner->winner = i;
        winner->reason = COMMERCE_R(ATTR_OK);
    }

    commerce_attribution_contributors(&search, winner);
}


bool
commerce_attribution_late(const commerce_binding_t *binding, const commerce_owner_t *owner,
    const commerce_touch_t *touch, commerce_time_t now)
{
    commerce_binding_state_t  state;

    if (touch->strength == COMMERCE_STRENGTH_ATTESTED || touch->seller == binding->owner
        || touch->seller == owner->person.number)
    {
        return false;
    }

    state = commerce_binding_held(binding, owner, now);

    if (state == COMMERCE_BINDING_NONE || state == COMMERCE_BINDING_EXPIRED) {
        return false;
    }

    return commerce_touch_age(touch->first, now) < COMMERCE_LATE_TOUCH;
}


static bool
commerce_touch_source(commerce_source_t source)
{
    switch (source) {
    case COMMERCE_SOURCE_LIVE_ROOM:
    case COMMERCE_SOURCE_SHARE:
    case COMMERCE_SOURCE_GROUP:
    case COMMERCE_SOURCE_CHANNEL:
    case COMMERCE_SOURCE_PLAIN:
        return true;
    default:
        return false;
    }
}


/* never negative: another worker's clock may be ahead */

static int64_t
commerce_touch_age(commerce_time_t first, commerce_time_t now)
{
    int64_t  age;

    if (first >= now) {
        return 0;
    }

    return __builtin_sub_overflow(now, first, &age) ? COMMERCE_FOREVER : age;
}


static void
commerce_buyer_forget(commerce_buyer_t *buyer, unsigned i)
{
    buyer->seen_count--;

    memmove(&buyer->seen[i], &buyer->seen[i + 1],
            (buyer->seen_count - i) * sizeof(commerce_seen_t));
}


/* the next candidate who can be credited for this line, in the preset's order; -1 at its end */

static int
commerce_attribution_next(commerce_search_t *search)
{
    unsigned                     i;
    const commerce_candidate_t  *candidate;

    for ( /* void */ ; *search->source != COMMERCE_SOURCE_NONE; search->source++) {

        if (search->left == 0) {
            break;
        }

        while (search->next < search->count) {
            i = search->next++;
            candidate = &search->candidates[i];

            if (candidate->source != *search->source) {
                continue;
            }

            search->left--;

            if (candidate->source == COMMERCE_SOURCE_PROMOTER && candidate->lines != NULL
                && candidate->lines[search->line] == 0)
            {
                continue;
            }

            if (candidate->leaving || commerce_person_judge(&candidate->seller) == COMMERCE_R(OK)) {
                return (int) i;
            }
        }

        search->next = 0;
    }

    return -1;
}


/* a buyer's own sale; false when it goes to the house, where nobody contributes */

static bool
commerce_attribution_self(commerce_self_purchase_t self_purchase, const commerce_person_t *seller,
    int candidate, commerce_winner_t *winner)
{
    winner->self = true;

    if (self_purchase == COMMERCE_SELF_ALLOWED) {
        winner->winner = candidate;
        winner->reason = COMMERCE_R(ATTR_OK);
        return true;
    }

    winner->reason = COMMERCE_R(SELF_PURCHASE);

    /* above the salaried there is organisation, no recruiter */

    if (self_purchase != COMMERCE_SELF_UPLINE || seller->upline == 0
        || seller->upline == seller->number || commerce_role_salaried(seller->role))
    {
        return false;
    }

    winner->winner = candidate;
    winner->upline = true;

    return true;
}


static void
commerce_attribution_contributors(commerce_search_t *search, commerce_winner_t *winner)
{
    int                       i;
    unsigned                  n, found;
    uint64_t                  number;
    const commerce_person_t  *credited;

    found = 0;
    credited = &search->candidates[winner->winner].seller;

    while (found < COMMERCE_CONTRIBUTORS) {
        i = commerce_attribution_next(search);
        if (i < 0) {
            return;
        }

        number = search->candidates[i].seller.number;

        if (number == credited->number || (winner->upline && number == credited->upline)) {
            continue;
        }

        for (n = 0; n < found; n++) {
            if (search->candidates[winner->contributors[n]].seller.number == number) {
                break;
            }
        }

        if (n == found) {
            winner->contributors[found++] = i;
        }
    }
}
