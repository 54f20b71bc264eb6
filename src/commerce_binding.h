/*
 * Copyright (C) ngx_commerce authors
 *
 * Binding: which seller serves this buyer (客户关系), for how long, and who may take him over.
 *
 *   none -> protected -> open -> expired
 *
 * Half-open intervals in UTC seconds: valid while start <= t < end, stealable when t >= start + protect.
 * The end is computed from the record and the policy it was bound under, never swept; a policy change
 * binds new bindings only.  start is not moved by a renewal, so protection is not renewed either.
 */

#ifndef COMMERCE_BINDING_H
#define COMMERCE_BINDING_H

#include "commerce_directory.h"

typedef enum {
    COMMERCE_SELF_HOUSE,        /* a buyer's own sale goes to the house */
    COMMERCE_SELF_UPLINE,       /* to his recruiter as tier 1 */
    COMMERCE_SELF_ALLOWED       /* to himself */
} commerce_self_purchase_t;

typedef struct {
    int64_t                   validity;     /* seconds, or COMMERCE_FOREVER */
    int64_t                   protect;      /* seconds; 0 = may be stolen at once; COMMERCE_FOREVER = never */
    bool                      renew;        /* a new touch of the owner's starts validity again */
    commerce_self_purchase_t  self_purchase;
} commerce_binding_policy_t;

typedef struct {
    uint64_t         owner;         /* 0 = never bound */
    uint64_t         origin;        /* the first owner ever; never overwritten */
    uint64_t         previous;      /* the owner before this one; 0 = none */
    commerce_time_t  changed;       /* when owner became the owner */
    commerce_time_t  previous_end;  /* until when the previous binding was valid */
    commerce_time_t  previous_start;
    int64_t          previous_protect;
    commerce_time_t  start;
    commerce_time_t  renewed;       /* last renewal; = start before */
    int64_t          validity;      /* of the policy it was bound under */
    int64_t          protect;
} commerce_binding_t;

typedef enum {
    COMMERCE_BINDING_NONE,
    COMMERCE_BINDING_PROTECTED,
    COMMERCE_BINDING_OPEN,
    COMMERCE_BINDING_EXPIRED
} commerce_binding_state_t;

/* the first second at which it is no longer valid; COMMERCE_FOREVER */
commerce_time_t commerce_binding_end(const commerce_binding_t *binding);
commerce_time_t commerce_binding_protected_until(const commerce_binding_t *binding);
commerce_binding_state_t commerce_binding_state(const commerce_binding_t *binding, commerce_time_t now);
const char *commerce_binding_state_name(commerce_binding_state_t state);

/*
 * A new touch by `seller` at `now` (the caller has made sure that it is a first sight, may bind, and that
 * the seller may be credited).  buyer: the buyer's own person number.  Changes *binding when the reason is
 * BIND_NEW, BIND_NEW_AFTER_EXPIRY, BIND_STOLEN or BIND_RENEW; otherwise OK (the owner's touch, nothing to
 * renew), PROTECT_HOLD, SNATCH_FORBIDDEN (protect = forever), SELF_BIND.
 */
commerce_reason_t commerce_binding_touch(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    uint64_t seller, uint64_t buyer, commerce_time_t now);

/* the binding as it stood before its last change of owner, for orders that a late touch must not decide */
commerce_binding_t commerce_binding_before(const commerce_binding_t *binding);

/* protect <= validity unless validity is forever; for configuration */
bool commerce_binding_policy_valid(const commerce_binding_policy_t *policy);

#endif
