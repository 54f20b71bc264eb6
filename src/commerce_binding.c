/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_binding.h"


static commerce_time_t commerce_binding_later(commerce_time_t time, int64_t seconds);
static commerce_reason_t commerce_binding_renew(const commerce_binding_policy_t *policy,
    commerce_binding_t *binding, commerce_time_t now);
static void commerce_binding_bind(const commerce_binding_policy_t *policy,
    commerce_binding_t *binding, uint64_t seller, commerce_time_t now);


static const char *const  commerce_binding_states[] = {
    [COMMERCE_BINDING_NONE] = "none",
    [COMMERCE_BINDING_PROTECTED] = "protected",
    [COMMERCE_BINDING_OPEN] = "open",
    [COMMERCE_BINDING_EXPIRED] = "expired",
};


commerce_time_t
commerce_binding_end(const commerce_binding_t *binding)
{
    commerce_time_t  from;

    from = binding->renewed > binding->start ? binding->renewed : binding->start;

    return commerce_binding_later(from, binding->validity);
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


const char *
commerce_binding_state_name(commerce_binding_state_t state)
{
    return (unsigned) state <= COMMERCE_BINDING_EXPIRED ? commerce_binding_states[state]
                                                        : "unknown";
}


commerce_reason_t
commerce_binding_touch(const commerce_binding_policy_t *policy, commerce_binding_t *binding,
    uint64_t seller, uint64_t buyer, commerce_time_t now)
{
    commerce_binding_state_t  state;

    if (seller == 0) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    if (seller == buyer) {
        return COMMERCE_R(SELF_BIND);
    }

    state = commerce_binding_state(binding, now);

    switch (state) {

    case COMMERCE_BINDING_NONE:
        commerce_binding_bind(policy, binding, seller, now);
        return COMMERCE_R(BIND_NEW);

    case COMMERCE_BINDING_EXPIRED:
        commerce_binding_bind(policy, binding, seller, now);
        return COMMERCE_R(BIND_NEW_AFTER_EXPIRY);

    default:
        break;
    }

    if (seller == binding->owner) {
        return commerce_binding_renew(policy, binding, now);
    }

    if (state == COMMERCE_BINDING_PROTECTED) {
        return binding->protect == COMMERCE_FOREVER ? COMMERCE_R(SNATCH_FORBIDDEN)
                                                    : COMMERCE_R(PROTECT_HOLD);
    }

    commerce_binding_bind(policy, binding, seller, now);

    return COMMERCE_R(BIND_STOLEN);
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
}
