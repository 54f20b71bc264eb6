/*
 * Copyright (C) ngx_commerce authors
 *
 * Attribution: whose sale is it.
 *
 * A touch tells that a seller, group, room or channel brought this buyer.  Its time is the first sight of
 * (buyer, touch) at the edge: sending a token again is no new touch.  Of several touches of one class the
 * latest counts; if that one names a seller who cannot be credited, the class gives no candidate.
 * One winner per order line, by the preset's order of classes; up to three contributors ride along.
 */

#ifndef COMMERCE_ATTRIBUTION_H
#define COMMERCE_ATTRIBUTION_H

#include "commerce_binding.h"

typedef enum {                          /* what can win, and under which name it stands in the log */
    COMMERCE_SOURCE_NONE,               /* house */
    COMMERCE_SOURCE_PROTECTED,          /* protected binding */
    COMMERCE_SOURCE_LIVE_ROOM,          /* attested live room or sharer, or our signed room token */
    COMMERCE_SOURCE_SHARE,              /* signed share */
    COMMERCE_SOURCE_PROMOTER,           /* coupon's promoter */
    COMMERCE_SOURCE_GROUP,
    COMMERCE_SOURCE_OPEN,               /* open binding */
    COMMERCE_SOURCE_CHANNEL,
    COMMERCE_SOURCE_PLAIN,              /* plain parameter: reported; wins and binds only where told to */
    COMMERCE_SOURCES
} commerce_source_t;

const char *commerce_source_name(commerce_source_t source);

typedef enum {
    COMMERCE_STRENGTH_PLAIN,            /* anyone can write it */
    COMMERCE_STRENGTH_SIGNED,           /* our MAC */
    COMMERCE_STRENGTH_ATTESTED          /* a platform or a trusted hop says so */
} commerce_strength_t;

const char *commerce_strength_name(commerce_strength_t strength);

/* one touch; also how a buyer's record remembers the last one per class */
typedef struct {
    commerce_source_t    source;        /* LIVE_ROOM, SHARE, GROUP, CHANNEL or PLAIN */
    commerce_strength_t  strength;
    uint64_t             digest;        /* names the touch in the buyer's memory */
    uint64_t             seller;        /* 0 = nobody */
    uint64_t             upline;        /* what the token claims; a hint */
    uint32_t             group, room, channel, landing;     /* 0 = none */
    commerce_time_t      first;         /* first sight */
    int64_t              lookback;      /* seconds for which it may win */
    commerce_field_t     field;         /* where the buyer was met, if somebody said so */
    commerce_origin_t    origin;        /* ... and whose traffic it was */
} commerce_touch_t;

/* where touches of a class are met when nobody said: shares and groups in private, live rooms in public */
commerce_field_t commerce_source_field(commerce_source_t source);
commerce_origin_t commerce_source_origin(commerce_source_t source);
commerce_field_t commerce_touch_field(const commerce_touch_t *touch);
commerce_origin_t commerce_touch_origin(const commerce_touch_t *touch);

#define COMMERCE_TOUCHES_MAX  8         /* in one request */
#define COMMERCE_SEEN_MAX    16         /* tokens remembered per buyer */

typedef struct {
    uint64_t         digest;
    commerce_time_t  first;
} commerce_seen_t;

/* what is remembered about a buyer */
typedef struct {
    commerce_str_t      pseudonym;      /* cached; its key id may be out of date */
    commerce_str_t      canonical;      /* this user is another name of that one, whose record counts; empty = none */
    commerce_binding_t  binding;
    commerce_touch_t    last[COMMERCE_SOURCES];     /* by source; source NONE = never */
    commerce_seen_t     seen[COMMERCE_SEEN_MAX];    /* sent last comes last, within 8 */
    unsigned            seen_count;
} commerce_buyer_t;

/*
 * Looks the touch up in the buyer's memory: sets touch->first to the remembered first sight, or to now and
 * remembers it (the oldest is forgotten).  True when this is its first sight.  An attested touch whose
 * lookback is over counts as new: it cannot be replayed by the buyer.
 */
bool commerce_buyer_sees(commerce_buyer_t *buyer, commerce_touch_t *touch, commerce_time_t now);

/* keeps the touch as the latest of its class unless a later one is there */
void commerce_buyer_remember(commerce_buyer_t *buyer, const commerce_touch_t *touch);

/* is the touch within its lookback? */
bool commerce_touch_live(const commerce_touch_t *touch, commerce_time_t now);

typedef enum {
    COMMERCE_PRIORITY_PROTECT_FIRST,
    COMMERCE_PRIORITY_TOUCH_FIRST,
    COMMERCE_PRIORITY_LIVE_FIRST,
    COMMERCE_PRIORITIES
} commerce_priority_t;

const char *commerce_priority_name(commerce_priority_t priority);

/* the classes in order, PROTECTED..PLAIN, ended by COMMERCE_SOURCE_NONE */
const commerce_source_t *commerce_priority_order(commerce_priority_t priority);

/*
 * An order of an operator's own: one class more at the end of `order`, which has room for COMMERCE_SOURCES.
 * Classes that are not in it win nothing.  COMMERCE_ERROR: there is no such class, COMMERCE_ABSENT: it is in
 * the order already.
 */
int commerce_priority_add(commerce_source_t *order, commerce_str_t name);

/* somebody who may win: one per class, but any number of promoters (in the request's order of coupons) */
typedef struct {
    commerce_source_t    source;
    commerce_touch_t     touch;         /* dimensions ride along; zero for bindings and promoters */
    commerce_person_t    seller;        /* number 0: unknown */
    const uint8_t       *lines;         /* promoters: per line, 1 = admits it; NULL = all lines */
    bool                 leaving;       /* credited though he left: his customers are not handed over yet */
} commerce_candidate_t;

#define COMMERCE_CANDIDATES_MAX  16
#define COMMERCE_CONTRIBUTORS     3

typedef struct {
    int                winner;          /* index of the candidate, -1 = house */
    bool               self;            /* the winner is the buyer: self_purchase applied */
    bool               upline;          /* ... by crediting the recruiter: candidate's seller.upline is tier 1 */
    commerce_reason_t  reason;          /* ATTR_OK, ATTR_DIRECT (nobody), SELF_PURCHASE */
    int                contributors[COMMERCE_CONTRIBUTORS];     /* -1 = none; distinct sellers, preset order */
} commerce_winner_t;

/*
 * The winner of one line, by an order of classes as above.  A candidate whose seller cannot be credited (commerce_person_judge, unless
 * leaving) is passed over.  buyer: the buyer's own person number; 0 = none.
 */
void commerce_attribution_winner(const commerce_source_t *order, commerce_self_purchase_t self_purchase,
    uint64_t buyer, const commerce_candidate_t *candidates, unsigned count, unsigned line,
    commerce_winner_t *winner);

/*
 * LATE_TOUCH: a rival's signed or plain touch first seen less than COMMERCE_LATE_TOUCH before the order.
 * binding: as it was before the touch; owner: of binding->owner.
 */
bool commerce_attribution_late(const commerce_binding_t *binding, const commerce_owner_t *owner,
    const commerce_touch_t *touch, commerce_time_t now);

#endif
