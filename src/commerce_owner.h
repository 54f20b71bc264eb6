/*
 * Copyright (C) ngx_commerce authors
 *
 * Who serves a buyer whose binding names this owner, now: the owner himself while he is active, his
 * successor once he left.
 *
 *   active ----> the owner
 *   suspended -> frozen: earns nothing; his customers are not taken over for frozen_grace
 *   left ------> with a successor: pending for transfer_wait, then (or when accepted, at once) the
 *                successor, who may have left as well: COMMERCE_SUCCESSION people at most
 *                refused, full, no successor: free, the house serves him and any seller may bind him
 *   cleared ---> free
 *
 * Nothing is swept: all of it is computed from the directory when it is asked.
 */

#ifndef COMMERCE_OWNER_H
#define COMMERCE_OWNER_H

#include "commerce_directory.h"

#define COMMERCE_SUCCESSION  8

typedef struct {
    int64_t  transfer_wait;         /* seconds; silence is consent after them */
    int64_t  frozen_grace;          /* seconds, or COMMERCE_FOREVER */
} commerce_owner_policy_t;

typedef enum {
    COMMERCE_OWNER_FREE,            /* nobody */
    COMMERCE_OWNER_ACTIVE,          /* person */
    COMMERCE_OWNER_FROZEN,          /* person, suspended, within his grace */
    COMMERCE_OWNER_LAPSED,          /* person, suspended, his grace is over: keeps whom nobody takes */
    COMMERCE_OWNER_WAITING          /* person, who left; the successor was asked */
} commerce_owner_state_t;

typedef struct {
    commerce_owner_state_t  state;
    commerce_person_t       person;
    commerce_reason_t       reason; /* FREE: OWNER_UNKNOWN, OWNER_INACTIVE, TRANSFER_REFUSED, TRANSFER_FULL;
                                       FROZEN, LAPSED: OWNER_FROZEN; WAITING: TRANSFER_WAIT; ACTIVE: OK */
} commerce_owner_t;

/*
 * number: the binding's owner.  COMMERCE_OK, or COMMERCE_ERROR when a person cannot be read (*owner is FREE
 * then, and must not be used to bind).  A missing person, and a succession in a circle or longer than
 * COMMERCE_SUCCESSION, is FREE.  Strings live as long as those that get() hands out.
 */
int commerce_owner_find(const commerce_owner_policy_t *policy, uint64_t number, commerce_time_t now,
    commerce_person_get_t get, void *data, commerce_owner_t *owner);

#endif
