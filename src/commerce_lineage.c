/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_lineage.h"


#define COMMERCE_LINEAGE_CIRCULAR  1


typedef struct {
    commerce_person_get_t   get;
    void                   *data;
    uint64_t                stop;       /* meeting this person is a loop; 0 = nobody */
    unsigned                steps;      /* still allowed */
    unsigned                depth;      /* persons met */
} commerce_lineage_walk_t;


static uint64_t commerce_lineage_upline(const commerce_person_t *person);
static int commerce_lineage_climb(commerce_lineage_walk_t *walk, uint64_t number,
    commerce_person_t *person);
static int commerce_lineage_walk(commerce_lineage_walk_t *walk, const commerce_person_t *from);
static bool commerce_lineage_same(const commerce_person_t *a, const commerce_person_t *b);


void
commerce_lineage_of(const commerce_person_t *seller, uint64_t buyer, commerce_person_get_t get,
    void *data, commerce_lineage_t *lineage)
{
    int                      rc;
    commerce_person_t        recruiter;
    commerce_lineage_walk_t  walk;

    memset(lineage, 0, sizeof(commerce_lineage_t));
    lineage->reason = COMMERCE_R(OK);

    if (seller == NULL || seller->number == 0) {
        return;
    }

    lineage->seller = seller->number;
    lineage->depth = 1;

    if (commerce_lineage_upline(seller) == 0) {
        return;
    }

    walk = (commerce_lineage_walk_t) { get, data, seller->number, COMMERCE_LINEAGE_WALK, 1 };

    rc = commerce_lineage_climb(&walk, seller->upline, &recruiter);
    if (rc != COMMERCE_OK) {
        lineage->depth = walk.depth;
        lineage->reason = COMMERCE_R(TIER_UNVERIFIED);
        return;
    }

    rc = commerce_lineage_walk(&walk, &recruiter);
    lineage->depth = walk.depth;

    if (rc != COMMERCE_OK) {
        lineage->reason = COMMERCE_R(TIER_UNVERIFIED);

    } else if (commerce_lineage_upline(&recruiter) != 0) {
        lineage->reason = COMMERCE_R(LINEAGE_TRUNCATED);
    }

    /* in a circle nobody can tell who recruited whom, so that no second tier is paid from it */

    if (rc == COMMERCE_LINEAGE_CIRCULAR
        || commerce_person_judge(seller) != COMMERCE_R(OK)
        || commerce_person_judge(&recruiter) != COMMERCE_R(OK)
        || recruiter.number == buyer
        || commerce_lineage_same(seller, &recruiter))
    {
        return;
    }

    lineage->tier2 = recruiter.number;
    lineage->tier2_id = recruiter.id;
}


commerce_reason_t
commerce_lineage_join(commerce_tiers_t tiers, const commerce_person_t *person, bool has_downline,
    const commerce_person_t *parent, commerce_person_get_t get, void *data)
{
    int                      rc;
    commerce_reason_t        reason;
    commerce_lineage_walk_t  walk;

    reason = commerce_person_judge(parent);

    if (reason != COMMERCE_R(OK)) {
        return reason == COMMERCE_R(OWNER_UNKNOWN) ? COMMERCE_R(LINEAGE_UNKNOWN) : reason;
    }

    if (commerce_lineage_same(person, parent)) {
        return COMMERCE_R(TIER_SELF);
    }

    walk = (commerce_lineage_walk_t) { get, data, person->number, COMMERCE_LINEAGE_WALK, 1 };

    rc = commerce_lineage_walk(&walk, parent);

    if (rc == COMMERCE_LINEAGE_CIRCULAR) {
        return COMMERCE_R(LINEAGE_LOOP);
    }

    if (person->number != 0 && (person->upline != 0 || commerce_role_salaried(person->role))) {
        return COMMERCE_R(ALREADY_JOINED);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    /* whoever has downlines would push them to depth 3 even under a root */

    if (tiers != COMMERCE_TIERS_PAY && (walk.depth >= COMMERCE_TIERS || has_downline)) {
        return COMMERCE_R(TIER_DEPTH_EXCEEDED);
    }

    return COMMERCE_R(OK);
}


/* the recruiter; what is recorded above the salaried is organisation */

static uint64_t
commerce_lineage_upline(const commerce_person_t *person)
{
    return commerce_role_salaried(person->role) ? 0 : person->upline;
}


static int
commerce_lineage_climb(commerce_lineage_walk_t *walk, uint64_t number, commerce_person_t *person)
{
    int  rc;

    if (number == walk->stop || walk->steps == 0) {
        return COMMERCE_LINEAGE_CIRCULAR;
    }

    walk->steps--;
    memset(person, 0, sizeof(commerce_person_t));

    rc = walk->get(walk->data, number, person);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_ABSENT : COMMERCE_ERROR;
    }

    if (person->number != number) {
        return COMMERCE_ERROR;
    }

    walk->depth++;

    return COMMERCE_OK;
}


static int
commerce_lineage_walk(commerce_lineage_walk_t *walk, const commerce_person_t *from)
{
    int                rc;
    uint64_t           number;
    commerce_person_t  person;

    for (number = commerce_lineage_upline(from); number != 0;
         number = commerce_lineage_upline(&person))
    {
        rc = commerce_lineage_climb(walk, number, &person);
        if (rc != COMMERCE_OK) {
            return rc;
        }
    }

    return COMMERCE_OK;
}


/* two records of one human are one human; b is a known person */

static bool
commerce_lineage_same(const commerce_person_t *a, const commerce_person_t *b)
{
    if (a->number == b->number) {
        return true;
    }

    return a->user.len != 0 && commerce_equal(a->user, b->user);
}
