/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_owner.h"


static bool commerce_owner_settle(const commerce_owner_policy_t *policy, commerce_time_t now,
    commerce_owner_t *owner);
static bool commerce_owner_left(const commerce_owner_policy_t *policy, commerce_time_t now,
    commerce_owner_t *owner);
static bool commerce_owner_within(commerce_time_t since, int64_t seconds, commerce_time_t now);


int
commerce_owner_find(const commerce_owner_policy_t *policy, uint64_t number, commerce_time_t now,
    commerce_person_get_t get, void *data, commerce_owner_t *owner)
{
    int       rc;
    unsigned  i;

    memset(owner, 0, sizeof(commerce_owner_t));
    owner->reason = COMMERCE_R(OWNER_UNKNOWN);

    for (i = 0; i < COMMERCE_SUCCESSION && number != 0; i++) {

        rc = get(data, number, &owner->person);

        if (rc != COMMERCE_OK) {
            memset(&owner->person, 0, sizeof(commerce_person_t));
            owner->reason = COMMERCE_R(OWNER_UNKNOWN);
            return rc == COMMERCE_ABSENT ? COMMERCE_OK : COMMERCE_ERROR;
        }

        if (commerce_owner_settle(policy, now, owner)) {
            return COMMERCE_OK;
        }

        number = owner->person.successor;
    }

    memset(&owner->person, 0, sizeof(commerce_person_t));
    owner->state = COMMERCE_OWNER_FREE;

    return COMMERCE_OK;
}


/* false: his successor is next */

static bool
commerce_owner_settle(const commerce_owner_policy_t *policy, commerce_time_t now,
    commerce_owner_t *owner)
{
    switch (owner->person.status) {

    case COMMERCE_PERSON_ACTIVE:
        owner->state = COMMERCE_OWNER_ACTIVE;
        owner->reason = COMMERCE_R(OK);
        return true;

    case COMMERCE_PERSON_SUSPENDED:
        owner->state = commerce_owner_within(owner->person.since, policy->frozen_grace, now)
                       ? COMMERCE_OWNER_FROZEN : COMMERCE_OWNER_LAPSED;
        owner->reason = COMMERCE_R(OWNER_FROZEN);
        return true;

    case COMMERCE_PERSON_LEFT:
        return commerce_owner_left(policy, now, owner);

    default:
        /* a status that a newer version may have written serves nobody either */
        owner->state = COMMERCE_OWNER_FREE;
        owner->reason = COMMERCE_R(OWNER_INACTIVE);
        return true;
    }
}


static bool
commerce_owner_left(const commerce_owner_policy_t *policy, commerce_time_t now,
    commerce_owner_t *owner)
{
    owner->state = COMMERCE_OWNER_FREE;
    owner->reason = COMMERCE_R(OWNER_INACTIVE);

    if (owner->person.successor == 0) {
        return true;
    }

    switch (owner->person.transfer) {

    case COMMERCE_TRANSFER_ACCEPTED:
        return false;

    case COMMERCE_TRANSFER_REFUSED:
        owner->reason = COMMERCE_R(TRANSFER_REFUSED);
        return true;

    case COMMERCE_TRANSFER_FULL:
        owner->reason = COMMERCE_R(TRANSFER_FULL);
        return true;

    default:
        break;
    }

    if (!commerce_owner_within(owner->person.since, policy->transfer_wait, now)) {
        return false;
    }

    owner->state = COMMERCE_OWNER_WAITING;
    owner->reason = COMMERCE_R(TRANSFER_WAIT);

    return true;
}


/* is now before since + seconds? */

static bool
commerce_owner_within(commerce_time_t since, int64_t seconds, commerce_time_t now)
{
    commerce_time_t  until;

    if (seconds == COMMERCE_FOREVER || __builtin_add_overflow(since, seconds, &until)) {
        return true;
    }

    return now < until;
}
