/*
 * Copyright (C) ngx_commerce authors
 *
 * Conduct: what platforms forbid and what looks like it.  No reward for the act of sharing, no plug-ins, real
 * people.  Each is a flag of a request, named as its reason in the log; none of them stops a buyer's order.
 *
 *   SHARE_INCENTIVE   the act of sharing is rewarded: said when the token was issued, and by the token itself
 *   RECRUIT_VELOCITY  a seller recruits too many in a while, or has too many altogether
 *   BIND_VELOCITY     a seller binds too many buyers in a while; live rooms do not count
 *   TOUCH_FLOOD       too many touches by a seller in a while and not one order; or of a buyer before his order
 *   LATE_TOUCH        a rival's touch right before an order (commerce_attribution_late())
 *   RECIPROCAL        buyer and seller bring each other: the seller, or who stands above him, is the buyer's own
 *                     customer; or the buyer stands above the seller
 *   SELF_PURCHASE     the credited seller is the buyer, under whatever name
 *   DEV_VERSION       a development or trial build of a mini program
 *   CRAWLER           WeChat's indexing robot
 *   BOT_SUSPECT       says that it is what it cannot be (commerce_mini_program_robot())
 */

#ifndef COMMERCE_CONDUCT_H
#define COMMERCE_CONDUCT_H

#include "commerce_attribution.h"
#include "commerce_window.h"
#include "commerce_write.h"

typedef enum {                          /* the order in which they are told */
    COMMERCE_CONDUCT_SHARE_INCENTIVE,
    COMMERCE_CONDUCT_RECRUIT_VELOCITY,
    COMMERCE_CONDUCT_BIND_VELOCITY,
    COMMERCE_CONDUCT_TOUCH_FLOOD,
    COMMERCE_CONDUCT_LATE_TOUCH,
    COMMERCE_CONDUCT_RECIPROCAL,
    COMMERCE_CONDUCT_SELF_PURCHASE,
    COMMERCE_CONDUCT_DEV_VERSION,
    COMMERCE_CONDUCT_CRAWLER,
    COMMERCE_CONDUCT_BOT_SUSPECT,
    COMMERCE_CONDUCTS
} commerce_conduct_t;

/* sets of flags are numbers */
#define COMMERCE_CONDUCT_BIT(flag)  (1U << (flag))
#define COMMERCE_CONDUCT_ALL        ((1U << COMMERCE_CONDUCTS) - 1)
#define COMMERCE_CONDUCT_CLIENT                                                 \
    (COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_DEV_VERSION)                         \
     | COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_CRAWLER)                           \
     | COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_BOT_SUSPECT))

commerce_reason_t commerce_conduct_reason(commerce_conduct_t flag);

/* the reason's name, or in lower case, as configuration has it; COMMERCE_ERROR: there is no such flag */
int commerce_conduct_parse(commerce_str_t name, commerce_conduct_t *flag);

/* a member: list of the names; none where the set is empty */
void commerce_conduct_write(commerce_write_t *w, const char *name, unsigned set);

/* the names, comma separated; empty for no flag */
#define COMMERCE_CONDUCT_TEXT  160
commerce_str_t commerce_conduct_text(unsigned set, char out[COMMERCE_CONDUCT_TEXT]);

typedef enum {
    COMMERCE_CONDUCT_OFF,
    COMMERCE_CONDUCT_OBSERVE,
    COMMERCE_CONDUCT_DENY
} commerce_conduct_action_t;

/* limit 0: none */
typedef struct {
    commerce_conduct_action_t  actions[COMMERCE_CONDUCTS];
    commerce_rate_t            recruits;        /* of a seller, who join under him */
    uint32_t                   downlines;       /* ... altogether */
    commerce_rate_t            binds;           /* of a seller: buyers who become his */
    commerce_rate_t            touches;         /* of a seller: first sights */
    commerce_rate_t            buyer;           /* of a buyer: first sights before an order, at most COMMERCE_SEEN_MAX */
} commerce_conduct_policy_t;

/* everything observed; the rates of the README */
extern const commerce_conduct_policy_t  commerce_conduct_defaults;

/* one more is too many?  lately: in the rate's period before this one */
bool commerce_conduct_too_many(const commerce_rate_t *rate, uint32_t lately);

/* ... of touches by a seller: not if an order of his came of them */
bool commerce_conduct_flood(const commerce_conduct_policy_t *policy, uint32_t touches, uint32_t orders);

/* ... of recruits; downlines: he has already */
bool commerce_conduct_recruits(const commerce_conduct_policy_t *policy, uint32_t lately, int64_t downlines);

/* did the buyer meet too many touches, this request's among them, in the period that ends now? */
bool commerce_conduct_crowd(const commerce_conduct_policy_t *policy, const commerce_buyer_t *buyer,
    commerce_time_t now);

/* the reason of a binding by which a seller has one buyer more */
bool commerce_conduct_binds(commerce_reason_t reason);

/* who serves this person when he buys, under any of his names?  0 = nobody */
typedef uint64_t (*commerce_conduct_owner_t)(void *data, const commerce_person_t *person);

/*
 * RECIPROCAL: buyer is the buyer's own person number; 0 = he sells nothing, and it is not.  The walk up from the
 * seller ends after COMMERCE_CONDUCT_WALK persons, at the salaried (who stands above them did not recruit them) and
 * at whom get() does not give.
 */
#define COMMERCE_CONDUCT_WALK  8
bool commerce_conduct_reciprocal(const commerce_person_t *seller, uint64_t buyer, commerce_person_get_t get,
    commerce_conduct_owner_t owner, void *data);

#endif
