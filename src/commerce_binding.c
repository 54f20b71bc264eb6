/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_binding.h"


static commerce_time_t commerce_binding_later(commerce_time_t time, int64_t seconds);
static commerce_reason_t commerce_binding_renew(const commerce_binding_policy_t *policy,
    commerce_binding_t *binding, commerce_time_t now);
static void commerce_binding_bind(const commerce_binding_policy_t *policy,
    commerce_binding_t *binding, uint64_t seller, commerce_time_t now);
static void commerce_binding_final(commerce_binding_t *binding, commerce_time_t now);
static bool commerce_binding_valid(const commerce_binding_t *binding, commerce_time_t now);


static const char *const  commerce_binding_states[] = {
    [COMMERCE_BINDING_NONE] = "none",
    [COMMERCE_BINDING_PROTECTED] = "protected",
    [COMMERCE_BINDING_OPEN] = "open",
    [COMMERCE_BINDING_EXPIRED] = "expired",
    [COMMERCE_BINDING_FROZEN] = "frozen",
    [COMMERCE_BINDING_TRANSFER_PENDING] = "transfer_pending",
};


commerce_time_t
commerce_binding_end(const commerce_binding_t *binding)
{
    commerce_time_t  from, end;

    from = binding->renewed > binding->start ? binding->renewed : binding->start;
    end = commerce_binding_later(from, binding->validity);

    return binding->extended != 0 && binding->extended > end ? binding->extended : end;
}


commerce_time_t
commerce_binding_protected_until(const commerce_binding_t *binding)
{
    return commerce_binding_later(binding->start, binding->protect);
}


/*
 * The start is not compared: a reader whose clock is a second behind the writer's would take the
 * binding for none and overwrite it, protected as it is.
 */

commerce_binding_state_t
commerce_binding_state(const commerce_binding_t *binding, commerce_time_t now)
{
    commerce_time_t  end, until;

    if (binding->owner == 0) {
        return COMMERCE_BINDING_NONE;
    }

    end = commerce_binding_end(binding);

    if (end != COMMERCE_FOREVER && now >= end) {
        return COMMERCE_BINDING_EXPIRED;
    }

    until = commerce_binding_protected_until(binding);

    if (until == COMMERCE_FOREVER || now < until) {
        return COMMERCE_BINDING_PROTECTED;
    }

    return COMMERCE_BINDING_OPEN;
}


commerce_binding_state_t
commerce_binding_held(const commerce_binding_t *binding, const commerce_owner_t *owner,
    commerce_time_t now)
{
    commerce_binding_state_t  state;

    state = commerce_binding_state(binding, now);

    if (state == COMMERCE_BINDING_NONE || state == COMMERCE_BINDING_EXPIRED) {
        return state;
    }

    switch (owner->state) {
    case COMMERCE_OWNER_ACTIVE:
        return state;
    case COMMERCE_OWNER_FROZEN:
        return COMMERCE_BINDING_FROZEN;
    case COMMERCE_OWNER_LAPSED:
        return COMMERCE_BINDING_OPEN;
    case COMMERCE_OWNER_WAITING:
        return COMMERCE_BINDING_TRANSFER_PENDING;
    default:
        return COMMERCE_BINDING_NONE;
    }
}


const char *
commerce_binding_state_name(commerce_binding_state_t state)
{
    return (unsigned) state <= COMMERCE_BINDING_TRANSFER_PENDING ? commerce_binding_states[state]
                                                                 : "unknown";
}


commerce_reason_t
commerce_binding_touch(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    const commerce_owner_t *owner, uint64_t seller, uint64_t buyer, bool customer,
    commerce_time_t now)
{
    commerce_reason_t         reason;
    commerce_binding_state_t  state;

    if (seller == 0) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    state = commerce_binding_held(binding, owner, now);

    if (seller == buyer) {
        return state == COMMERCE_BINDING_PROTECTED && binding->owner != buyer
               ? COMMERCE_R(KEEP_UPLINE) : COMMERCE_R(SELF_BIND);
    }

    switch (state) {

    case COMMERCE_BINDING_NONE:
        reason = COMMERCE_R(BIND_NEW);
        break;

    case COMMERCE_BINDING_EXPIRED:
        reason = COMMERCE_R(BIND_NEW_AFTER_EXPIRY);
        break;

    case COMMERCE_BINDING_FROZEN:
        return COMMERCE_R(OWNER_FROZEN);

    case COMMERCE_BINDING_TRANSFER_PENDING:
        return COMMERCE_R(TRANSFER_WAIT);

    case COMMERCE_BINDING_PROTECTED:

        if (seller == binding->owner) {
            return commerce_binding_renew(policy, binding, now);
        }

        return binding->protect == COMMERCE_FOREVER ? COMMERCE_R(SNATCH_FORBIDDEN)
                                                    : COMMERCE_R(PROTECT_HOLD);

    default:

        if (seller == binding->owner) {
            return commerce_binding_renew(policy, binding, now);
        }

        reason = COMMERCE_R(BIND_STOLEN);
        break;
    }

    if (policy->new_only && customer) {
        return COMMERCE_R(NEW_USERS_ONLY);
    }

    commerce_binding_bind(policy, binding, seller, now);

    /* whom nobody served was taken from nobody: an order in the same moment is the new owner's */

    if (state == COMMERCE_BINDING_NONE) {
        commerce_binding_final(binding, now);
    }

    return reason;
}


void
commerce_binding_attested(commerce_binding_t *binding, commerce_time_t now)
{
    if (binding->changed == now) {
        commerce_binding_final(binding, now);
    }
}


commerce_reason_t
commerce_binding_inherit(commerce_binding_t *binding, const commerce_owner_t *owner,
    commerce_time_t now)
{
    if (owner->state == COMMERCE_OWNER_FREE || owner->person.number == binding->owner
        || !commerce_binding_valid(binding, now))
    {
        return COMMERCE_R(OK);
    }

    binding->owner = owner->person.number;

    return COMMERCE_R(BIND_INHERITED);
}


commerce_reason_t
commerce_binding_extend(commerce_binding_t *binding, commerce_time_t ordered)
{
    commerce_time_t  end, until;

    if (binding->owner == 0 || binding->order_extend <= 0) {
        return COMMERCE_R(OK);
    }

    end = commerce_binding_end(binding);

    if (ordered < binding->start || ordered < binding->changed || ordered >= end) {
        return COMMERCE_R(OK);
    }

    if (binding->previous != 0 && ordered < binding->previous_end
        && ordered - binding->changed < COMMERCE_LATE_TOUCH)
    {
        return COMMERCE_R(OK);
    }

    until = commerce_binding_later(ordered, binding->order_extend);

    if (until <= end) {
        return COMMERCE_R(OK);
    }

    binding->extended = until;

    return COMMERCE_R(BIND_ORDER_EXTEND);
}


commerce_reason_t
commerce_binding_rebind(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    uint64_t seller, commerce_time_t now)
{
    commerce_binding_bind(policy, binding, seller, now);

    /* this is no touch: it decides orders of the next moment, too */

    commerce_binding_final(binding, now);

    return COMMERCE_R(BIND_ADMIN);
}


commerce_reason_t
commerce_binding_merge(const commerce_binding_t *kept, const commerce_binding_t *other,
    commerce_time_t now, commerce_binding_t *binding)
{
    bool  kept_valid, other_valid;

    kept_valid = commerce_binding_valid(kept, now);
    other_valid = commerce_binding_valid(other, now);

    *binding = *kept;

    if (kept_valid && other_valid) {

        if (other->start < kept->start) {
            *binding = *other;
        }

        return kept->owner != other->owner ? COMMERCE_R(MERGE_CONFLICT) : COMMERCE_R(OK);
    }

    if (other_valid || (kept->owner == 0 && other->owner != 0)) {
        *binding = *other;
    }

    return COMMERCE_R(OK);
}


commerce_binding_t
commerce_binding_before(const commerce_binding_t *binding)
{
    commerce_binding_t  before;

    memset(&before, 0, sizeof(commerce_binding_t));

    if (binding->previous == 0) {
        return before;
    }

    before.owner = binding->previous;
    before.origin = binding->origin;
    before.changed = binding->previous_start;
    before.start = binding->previous_start;
    before.renewed = binding->previous_start;
    before.protect = binding->previous_protect;

    /* its renewals are folded into the validity */

    if (binding->previous_end <= binding->previous_start) {
        before.validity = 0;

    } else if (binding->previous_end == COMMERCE_FOREVER
               || __builtin_sub_overflow(binding->previous_end, binding->previous_start,
                                         &before.validity))
    {
        before.validity = COMMERCE_FOREVER;
    }

    return before;
}


bool
commerce_binding_policy_valid(const commerce_binding_policy_t *policy)
{
    if (policy->validity <= 0 || policy->protect < 0) {
        return false;
    }

    if (policy->order_extend < 0) {
        return false;
    }

    return policy->validity == COMMERCE_FOREVER || policy->protect <= policy->validity;
}


static commerce_time_t
commerce_binding_later(commerce_time_t time, int64_t seconds)
{
    commerce_time_t  later;

    if (seconds == COMMERCE_FOREVER) {
        return COMMERCE_FOREVER;
    }

    if (__builtin_add_overflow(time, seconds, &later)) {
        return seconds > 0 ? COMMERCE_FOREVER : INT64_MIN;
    }

    return later;
}


/* nothing to renew: not wanted, without end, or the end would not move */

static commerce_reason_t
commerce_binding_renew(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    commerce_time_t now)
{
    if (!policy->renew
        || commerce_binding_later(now, binding->validity) <= commerce_binding_end(binding))
    {
        return COMMERCE_R(OK);
    }

    binding->renewed = now;

    return COMMERCE_R(BIND_RENEW);
}


static void
commerce_binding_bind(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    uint64_t seller, commerce_time_t now)
{
    if (binding->owner != seller) {
        binding->previous = binding->owner;
        binding->previous_start = binding->start;
        binding->previous_end = commerce_binding_end(binding);
        binding->previous_protect = binding->protect;
        binding->changed = now;
    }

    if (binding->origin == 0) {
        binding->origin = seller;
    }

    binding->owner = seller;
    binding->start = now;
    binding->renewed = now;
    binding->validity = policy->validity;
    binding->protect = policy->protect;
    binding->order_extend = policy->order_extend;
    binding->extended = 0;
}


/* the binding before has ended: no order is decided on it any more */

static void
commerce_binding_final(commerce_binding_t *binding, commerce_time_t now)
{
    if (binding->previous_end > now) {
        binding->previous_end = now;
    }
}


static bool
commerce_binding_valid(const commerce_binding_t *binding, commerce_time_t now)
{
    commerce_binding_state_t  state;

    state = commerce_binding_state(binding, now);

    return state == COMMERCE_BINDING_PROTECTED || state == COMMERCE_BINDING_OPEN;
}
