/*
 * Copyright (C) ngx_commerce authors
 *
 * Binding: which seller serves this buyer (客户关系), for how long, and who may take him over.
 *
 *   none -> protected -> open -> expired
 *
 * Half-open intervals in UTC seconds: valid while start <= t < end, stealable when t >= start + protect.
 * The end is computed from the record, never swept; what it takes from the policy is kept with it, so a
 * policy change binds new bindings only.  start is not moved by a renewal, so protection is not renewed.
 *
 * What the owner is doing (commerce_owner.h) stands above the clock while the binding is valid:
 *
 *   frozen            suspended, within his grace: nobody takes the buyer over, nobody earns
 *   transfer_pending  left, his successor was asked: nobody takes the buyer over
 *   open              suspended, his grace is over: even if the clock says protected
 *   none              nobody serves the buyer: any seller may bind him, as one who is new
 */

#ifndef COMMERCE_BINDING_H
#define COMMERCE_BINDING_H

#include "commerce_owner.h"

#define COMMERCE_LATE_TOUCH  10         /* seconds: 13.3 of the semantics, LATE_TOUCH */

typedef enum {
    COMMERCE_SELF_HOUSE,        /* a buyer's own sale goes to the house */
    COMMERCE_SELF_UPLINE,       /* to his recruiter as tier 1 */
    COMMERCE_SELF_ALLOWED       /* to himself */
} commerce_self_purchase_t;

typedef struct {
    int64_t                   validity;     /* seconds, or COMMERCE_FOREVER */
    int64_t                   protect;      /* seconds; 0 = may be stolen at once; COMMERCE_FOREVER = never */
    int64_t                   order_extend; /* seconds from a paid order; 0 = an order extends nothing */
    bool                      renew;        /* a new touch of the owner's starts validity again */
    bool                      new_only;     /* a buyer who has ordered is bound to nobody new */
    commerce_self_purchase_t  self_purchase;
} commerce_binding_policy_t;

typedef struct {
    uint64_t         owner;         /* 0 = never bound, or given to the house */
    uint64_t         origin;        /* the first owner ever; never overwritten */
    uint64_t         previous;      /* the owner before this one; 0 = none */
    commerce_time_t  changed;       /* when owner became the owner; inheriting is no change */
    commerce_time_t  previous_end;  /* until when the previous binding was valid */
    commerce_time_t  previous_start;
    int64_t          previous_protect;
    commerce_time_t  start;
    commerce_time_t  renewed;       /* last renewal; = start before */
    int64_t          validity;      /* of the policy it was bound under */
    int64_t          protect;
    int64_t          order_extend;
    commerce_time_t  extended;      /* by a paid order, valid until then at least; 0 = by none */
} commerce_binding_t;

typedef enum {
    COMMERCE_BINDING_NONE,
    COMMERCE_BINDING_PROTECTED,
    COMMERCE_BINDING_OPEN,
    COMMERCE_BINDING_EXPIRED,
    COMMERCE_BINDING_FROZEN,
    COMMERCE_BINDING_TRANSFER_PENDING
} commerce_binding_state_t;

/* the first second at which it is no longer valid; COMMERCE_FOREVER */
commerce_time_t commerce_binding_end(const commerce_binding_t *binding);
commerce_time_t commerce_binding_protected_until(const commerce_binding_t *binding);

/* by the clock alone: none, protected, open, expired */
commerce_binding_state_t commerce_binding_state(const commerce_binding_t *binding, commerce_time_t now);

/* ... and by what the owner is doing.  owner: of binding->owner */
commerce_binding_state_t commerce_binding_held(const commerce_binding_t *binding,
    const commerce_owner_t *owner, commerce_time_t now);

const char *commerce_binding_state_name(commerce_binding_state_t state);

/*
 * A new touch by `seller` at `now` (the caller has made sure that it is a first sight, may bind, and that
 * the seller may be credited, and has called commerce_binding_inherit() before).  owner: of binding->owner.
 * buyer: the buyer's own person number.  customer: has he ordered before?  Changes *binding when the reason
 * is BIND_NEW, BIND_NEW_AFTER_EXPIRY, BIND_STOLEN or BIND_RENEW; otherwise OK (the owner's touch, nothing to
 * renew), PROTECT_HOLD, SNATCH_FORBIDDEN (protect = forever), SELF_BIND, KEEP_UPLINE (the same while another
 * seller's binding is protected), OWNER_FROZEN, TRANSFER_WAIT, NEW_USERS_ONLY.
 */
commerce_reason_t commerce_binding_touch(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    const commerce_owner_t *owner, uint64_t seller, uint64_t buyer, bool customer, commerce_time_t now);

/*
 * The touch at `now` that changed the owner was attested: it comes with an order by nature, so that LATE_TOUCH does
 * not hold orders of the next moment back, and they extend this owner's binding.
 */
void commerce_binding_attested(commerce_binding_t *binding, commerce_time_t now);

/*
 * A valid binding whose owner left is his successor's, clocks kept: BIND_INHERITED, *binding changed.  OK:
 * nothing to inherit.
 */
commerce_reason_t commerce_binding_inherit(commerce_binding_t *binding, const commerce_owner_t *owner,
    commerce_time_t now);

/*
 * An order of the buyer's, placed at `ordered`, was paid: BIND_ORDER_EXTEND and valid until ordered +
 * order_extend at least, if the order was placed under this owner's binding while it was valid; otherwise
 * OK, nothing changed.  An order that LATE_TOUCH decided on the binding before is not this owner's.
 */
commerce_reason_t commerce_binding_extend(commerce_binding_t *binding, commerce_time_t ordered);

/*
 * By an operator, at once, protected or not: BIND_ADMIN.  seller 0 gives the buyer to the house.  Orders
 * that are placed already keep their seller.
 */
commerce_reason_t commerce_binding_rebind(const commerce_binding_policy_t *policy,
    commerce_binding_t *binding, uint64_t seller, commerce_time_t now);

/*
 * Two buyers turn out to be one: the older valid binding stays, `kept` wins a tie.  *binding is the result.
 * MERGE_CONFLICT when both are valid and of different owners, otherwise OK.
 */
commerce_reason_t commerce_binding_merge(const commerce_binding_t *kept, const commerce_binding_t *other,
    commerce_time_t now, commerce_binding_t *binding);

/* the binding as it stood before its last change of owner, for orders that a late touch must not decide */
commerce_binding_t commerce_binding_before(const commerce_binding_t *binding);

/* protect <= validity unless validity is forever; for configuration */
bool commerce_binding_policy_valid(const commerce_binding_policy_t *policy);

#endif
