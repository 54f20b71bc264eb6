/*
 * Copyright (C) ngx_commerce authors
 *
 * The customer relation: every edge to the second, arithmetic without overflow, history of owners.
 */

#include "tap.h"
#include "commerce_binding.h"

#define DAY  INT64_C(86400)
#define T0   INT64_C(1790000000)
#define R    COMMERCE_R

#define NONE       COMMERCE_BINDING_NONE
#define PROTECTED  COMMERCE_BINDING_PROTECTED
#define OPEN       COMMERCE_BINDING_OPEN
#define EXPIRED    COMMERCE_BINDING_EXPIRED
#define FROZEN     COMMERCE_BINDING_FROZEN
#define PENDING    COMMERCE_BINDING_TRANSFER_PENDING

#define ANNA   11
#define BORIS  22
#define CHEN   33


static commerce_binding_policy_t
policy(int64_t validity, int64_t protect, bool renew)
{
    return (commerce_binding_policy_t) { .validity = validity, .protect = protect, .renew = renew };
}


static commerce_owner_t
owner(uint64_t number, commerce_owner_state_t state)
{
    commerce_owner_t  o;

    memset(&o, 0, sizeof(o));
    o.state = state;
    o.person.number = state == COMMERCE_OWNER_FREE ? 0 : number;

    return o;
}


/* the owner is active */

static commerce_reason_t
touch(commerce_binding_policy_t *p, commerce_binding_t *b, uint64_t seller, uint64_t buyer,
    commerce_time_t now)
{
    commerce_owner_t  o = owner(b->owner, COMMERCE_OWNER_ACTIVE);

    return commerce_binding_touch(p, b, &o, seller, buyer, false, now);
}


static commerce_binding_t
bound(int64_t validity, int64_t protect)
{
    commerce_binding_t         binding;
    commerce_binding_policy_t  p = policy(validity, protect, false);

    memset(&binding, 0, sizeof(binding));
    touch(&p, &binding, ANNA, 0, T0);

    return binding;
}


static void
test_states(void)
{
    size_t              i;
    commerce_binding_t  b;

    static const struct {
        int64_t                   validity, protect;
        commerce_time_t           now;
        commerce_binding_state_t  state;
    } cases[] = {
        { 30 * DAY, 7 * DAY, T0, PROTECTED },
        { 30 * DAY, 7 * DAY, T0 - 1, PROTECTED },               /* a clock behind the writer's */
        { 30 * DAY, 7 * DAY, T0 + 604799, PROTECTED },
        { 30 * DAY, 7 * DAY, T0 + 604800, OPEN },
        { 30 * DAY, 7 * DAY, T0 + 2591999, OPEN },
        { 30 * DAY, 7 * DAY, T0 + 2592000, EXPIRED },
        { 30 * DAY, 7 * DAY, COMMERCE_FOREVER, EXPIRED },
        { 30 * DAY, 30 * DAY, T0 + 2591999, PROTECTED },
        { 30 * DAY, 30 * DAY, T0 + 2592000, EXPIRED },
        { 30 * DAY, 0, T0, OPEN },
        { 30 * DAY, 0, T0 + 2592000, EXPIRED },
        { 1, 1, T0, PROTECTED },
        { 1, 1, T0 + 1, EXPIRED },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, T0, PROTECTED },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, COMMERCE_FOREVER, PROTECTED },
        { COMMERCE_FOREVER, 10, T0 + 9, PROTECTED },
        { COMMERCE_FOREVER, 10, T0 + 10, OPEN },
        { COMMERCE_FOREVER, 10, COMMERCE_FOREVER, OPEN },
        { COMMERCE_FOREVER - 1, COMMERCE_FOREVER - 1, COMMERCE_FOREVER, PROTECTED },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        b = bound(cases[i].validity, cases[i].protect);
        is_int(commerce_binding_state(&b, cases[i].now), cases[i].state, "state, case %zu", i);
    }

    memset(&b, 0, sizeof(b));
    is_int(commerce_binding_state(&b, 0), NONE, "zero record at 0: none");
    is_int(commerce_binding_state(&b, T0), NONE, "zero record: none");

    b = bound(30 * DAY, 7 * DAY);
    is_int(commerce_binding_end(&b), 1792592000, "end");
    is_int(commerce_binding_protected_until(&b), 1790604800, "protected until");
    b = bound(COMMERCE_FOREVER, COMMERCE_FOREVER);
    is_int(commerce_binding_end(&b), COMMERCE_FOREVER, "no end");
    is_int(commerce_binding_protected_until(&b), COMMERCE_FOREVER, "protected for ever");
    b = bound(COMMERCE_FOREVER - 5, COMMERCE_FOREVER - 5);
    is_int(commerce_binding_end(&b), COMMERCE_FOREVER, "end saturates");
    is_int(commerce_binding_protected_until(&b), COMMERCE_FOREVER, "protection saturates");
    b.start = b.renewed = INT64_MIN;
    b.validity = b.protect = INT64_MIN;
    is_int(commerce_binding_end(&b), INT64_MIN, "a broken record does not wrap");
    is_int(commerce_binding_state(&b, T0), EXPIRED, "a broken record is expired");

    is_str(commerce_cstr(commerce_binding_state_name(NONE)), "none", "name of none");
    is_str(commerce_cstr(commerce_binding_state_name(PROTECTED)), "protected", "name");
    is_str(commerce_cstr(commerce_binding_state_name(OPEN)), "open", "name");
    is_str(commerce_cstr(commerce_binding_state_name(EXPIRED)), "expired", "name");
    is_str(commerce_cstr(commerce_binding_state_name((commerce_binding_state_t) 99)), "unknown",
           "a state out of range has a name");
}


static void
test_touches(void)
{
    bool                       changes;
    size_t                     i;
    commerce_reason_t          reason;
    commerce_binding_t         b, old;
    commerce_binding_policy_t  p;

    static const struct {
        int64_t            validity, protect;
        bool               renew;
        uint64_t           seller, buyer;
        commerce_time_t    now;
        commerce_reason_t  reason;
    } cases[] = {
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0, R(PROTECT_HOLD) },
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0 - 1, R(PROTECT_HOLD) },
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0 + 7 * DAY - 1, R(PROTECT_HOLD) },
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0 + 7 * DAY, R(BIND_STOLEN) },
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0 + 30 * DAY - 1, R(BIND_STOLEN) },
        { 30 * DAY, 7 * DAY, false, BORIS, 0, T0 + 30 * DAY, R(BIND_NEW_AFTER_EXPIRY) },
        { 30 * DAY, 7 * DAY, false, ANNA, 0, T0 + 30 * DAY, R(BIND_NEW_AFTER_EXPIRY) },
        { 30 * DAY, 7 * DAY, false, ANNA, 0, T0 + 30 * DAY - 1, R(OK) },
        { 30 * DAY, 7 * DAY, true, ANNA, 0, T0 + 30 * DAY - 1, R(BIND_RENEW) },
        { 30 * DAY, 7 * DAY, true, ANNA, 0, T0 + 1, R(BIND_RENEW) },
        { 30 * DAY, 7 * DAY, true, ANNA, 0, T0, R(OK) },
        { 30 * DAY, 7 * DAY, true, ANNA, 0, T0 - 1, R(OK) },
        { 30 * DAY, 0, false, BORIS, 0, T0, R(BIND_STOLEN) },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, false, BORIS, 0, T0 + 9999 * DAY,
          R(SNATCH_FORBIDDEN) },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, false, BORIS, 0, COMMERCE_FOREVER,
          R(SNATCH_FORBIDDEN) },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, true, ANNA, 0, T0 + DAY, R(OK) },
        { COMMERCE_FOREVER, DAY, false, BORIS, 0, T0 + DAY - 1, R(PROTECT_HOLD) },
        { COMMERCE_FOREVER, DAY, false, BORIS, 0, T0 + DAY, R(BIND_STOLEN) },
        { DAY, COMMERCE_FOREVER, false, BORIS, 0, T0 + DAY - 1, R(SNATCH_FORBIDDEN) },
        { DAY, COMMERCE_FOREVER, false, BORIS, 0, T0 + DAY, R(BIND_NEW_AFTER_EXPIRY) },
        { 30 * DAY, 7 * DAY, false, BORIS, BORIS, T0 + 8 * DAY, R(SELF_BIND) },
        { 30 * DAY, 7 * DAY, false, BORIS, BORIS, T0 + 31 * DAY, R(SELF_BIND) },
        { 30 * DAY, 7 * DAY, true, ANNA, ANNA, T0 + DAY, R(SELF_BIND) },
        { 30 * DAY, 7 * DAY, false, BORIS, CHEN, T0 + 8 * DAY, R(BIND_STOLEN) },
        { 30 * DAY, 0, false, 0, 0, T0 + DAY, R(OWNER_UNKNOWN) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        b = old = bound(cases[i].validity, cases[i].protect);
        p = policy(cases[i].validity, cases[i].protect, cases[i].renew);

        reason = touch(&p, &b, cases[i].seller, cases[i].buyer, cases[i].now);

        changes = cases[i].reason == R(BIND_STOLEN) || cases[i].reason == R(BIND_RENEW)
                  || cases[i].reason == R(BIND_NEW_AFTER_EXPIRY);

        is_int(reason, cases[i].reason, "touch, case %zu: %s", i,
               commerce_reason(reason)->name.data);
        is_int(memcmp(&b, &old, sizeof(b)) != 0, changes, "touch, case %zu: changed or not", i);
        is_int(b.origin, ANNA, "touch, case %zu: the origin stays", i);
    }
}


static void
test_new(void)
{
    commerce_binding_t         b;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    memset(&b, 0, sizeof(b));
    is_int(touch(&p, &b, ANNA, ANNA, T0), R(SELF_BIND), "no binding to oneself");
    is_int(b.owner, 0, "... nothing bound");
    is_int(touch(&p, &b, ANNA, 0, T0), R(BIND_NEW), "new");
    is_int(b.owner, ANNA, "owner");
    is_int(b.origin, ANNA, "origin");
    is_int(b.previous, 0, "nobody before");
    is_int(b.changed, T0, "changed");
    is_int(b.start, T0, "start");
    is_int(b.renewed, T0, "renewed = start");
    is_int(b.validity, 30 * DAY, "validity of the policy");
    is_int(b.protect, 7 * DAY, "protection of the policy");

    /* a policy changed afterwards rules new bindings only */

    p = policy(2 * DAY, 0, true);
    is_int(touch(&p, &b, BORIS, 0, T0 + 7 * DAY - 1), R(PROTECT_HOLD),
           "protected by the policy it was bound under");
    is_int(touch(&p, &b, ANNA, 0, T0 + 6 * DAY), R(BIND_RENEW), "renewed");
    is_int(b.start, T0, "a renewal leaves the start");
    is_int(b.changed, T0, "... and the change of owner");
    is_int(b.previous, 0, "... and the owner before");
    is_int(commerce_binding_end(&b), T0 + 36 * DAY, "... and starts the old validity again");
    is_int(commerce_binding_protected_until(&b), T0 + 7 * DAY, "... but not the protection");
    is_int(touch(&p, &b, BORIS, 0, T0 + 7 * DAY), R(BIND_STOLEN), "stolen");
    is_int(b.validity, 2 * DAY, "the new owner comes under the new policy");
    is_int(b.protect, 0, "... in both");
}


static void
test_before(void)
{
    commerce_binding_t         b, before, anna;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    b = bound(30 * DAY, 7 * DAY);
    before = commerce_binding_before(&b);
    is_int(before.owner, 0, "before the first binding: none");
    is_int(commerce_binding_state(&before, T0), NONE, "... in state none");

    touch(&p, &b, ANNA, 0, T0 + 5 * DAY);
    anna = b;
    touch(&p, &b, BORIS, 0, T0 + 10 * DAY);
    is_int(b.owner, BORIS, "stolen by Boris");
    is_int(b.origin, ANNA, "the origin stays");
    is_int(b.previous, ANNA, "the owner before");
    is_int(b.changed, T0 + 10 * DAY, "when it changed");
    is_int(b.previous_start, T0, "start before");
    is_int(b.previous_end, T0 + 35 * DAY, "end before, renewal included");
    is_int(b.previous_protect, 7 * DAY, "protection before");

    before = commerce_binding_before(&b);
    is_int(before.owner, ANNA, "before: Anna");
    is_int(before.origin, ANNA, "before: origin");
    is_int(before.start, anna.start, "before: start");
    is_int(before.protect, anna.protect, "before: protection");
    is_int(before.previous, 0, "before: nothing is known further back");
    is_int(commerce_binding_end(&before), commerce_binding_end(&anna), "before: end");
    is_int(commerce_binding_state(&before, T0 + 10 * DAY), OPEN, "before: open");
    is_int(commerce_binding_state(&before, T0 + 35 * DAY - 1), OPEN, "before: last second");
    is_int(commerce_binding_state(&before, T0 + 35 * DAY), EXPIRED, "before: over");

    touch(&p, &b, BORIS, 0, T0 + 11 * DAY);
    is_int(b.previous, ANNA, "a renewal keeps the owner before");
    is_int(b.changed, T0 + 10 * DAY, "... and when it changed");

    is_int(touch(&p, &b, BORIS, 0, T0 + 90 * DAY), R(BIND_NEW_AFTER_EXPIRY),
           "the same owner after expiry");
    is_int(b.previous, ANNA, "... is no change of owner");
    is_int(b.start, T0 + 90 * DAY, "... but starts anew");

    is_int(touch(&p, &b, CHEN, 0, T0 + 120 * DAY), R(BIND_NEW_AFTER_EXPIRY),
           "another one after expiry");
    is_int(b.origin, ANNA, "the origin stays for ever");
    is_int(b.previous, BORIS, "Boris before");
    before = commerce_binding_before(&b);
    is_int(commerce_binding_state(&before, T0 + 120 * DAY), EXPIRED, "before: expired");
    is_int(commerce_binding_state(&before, T0 + 120 * DAY - 1), OPEN, "before: to the second");

    b = bound(COMMERCE_FOREVER, 0);
    touch(&p, &b, BORIS, 0, T0 + 1);
    before = commerce_binding_before(&b);
    is_int(b.previous_end, COMMERCE_FOREVER, "permanent before");
    is_int(commerce_binding_end(&before), COMMERCE_FOREVER, "before: permanent");
    is_int(commerce_binding_state(&before, COMMERCE_FOREVER), OPEN, "before: open for ever");

    b.previous_start = INT64_MIN;
    b.previous_end = INT64_MAX - 1;
    before = commerce_binding_before(&b);
    is_int(before.validity, COMMERCE_FOREVER, "a broken record does not wrap");
    b.previous_start = INT64_MAX;
    b.previous_end = INT64_MIN;
    before = commerce_binding_before(&b);
    is_int(before.validity, 0, "an end before the start was never valid");
}


static void
test_policy(void)
{
    size_t                     i;
    commerce_binding_policy_t  p;

    static const struct {
        int64_t  validity, protect;
        bool     valid;
    } cases[] = {
        { 30 * DAY, 15 * DAY, true },
        { 30 * DAY, 30 * DAY, true },
        { 30 * DAY, 30 * DAY + 1, false },
        { 30 * DAY, 0, true },
        { 30 * DAY, COMMERCE_FOREVER, false },
        { COMMERCE_FOREVER, COMMERCE_FOREVER, true },
        { COMMERCE_FOREVER, 5, true },
        { COMMERCE_FOREVER, 0, true },
        { COMMERCE_FOREVER, -1, false },
        { 0, 0, false },
        { -1, 0, false },
        { 30 * DAY, -1, false },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p = policy(cases[i].validity, cases[i].protect, true);
        is_int(commerce_binding_policy_valid(&p), cases[i].valid, "policy, case %zu", i);
    }
}


/* what the owner does stands above the clock */

static void
test_owners(void)
{
    size_t                     i;
    commerce_owner_t           o;
    commerce_binding_t         b;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    static const struct {
        commerce_owner_state_t    state;
        commerce_time_t           now;
        commerce_binding_state_t  held;
        commerce_reason_t         rival, own;       /* a touch of somebody else's, of the owner's */
    } cases[] = {
        { COMMERCE_OWNER_ACTIVE, T0, PROTECTED, R(PROTECT_HOLD), R(OK) },
        { COMMERCE_OWNER_ACTIVE, T0 + 7 * DAY, OPEN, R(BIND_STOLEN), R(BIND_RENEW) },
        { COMMERCE_OWNER_FROZEN, T0, FROZEN, R(OWNER_FROZEN), R(OWNER_FROZEN) },
        { COMMERCE_OWNER_FROZEN, T0 + 30 * DAY - 1, FROZEN, R(OWNER_FROZEN), R(OWNER_FROZEN) },
        { COMMERCE_OWNER_FROZEN, T0 + 30 * DAY, EXPIRED, R(BIND_NEW_AFTER_EXPIRY),
          R(BIND_NEW_AFTER_EXPIRY) },
        { COMMERCE_OWNER_LAPSED, T0, OPEN, R(BIND_STOLEN), R(OK) },
        { COMMERCE_OWNER_WAITING, T0, PENDING, R(TRANSFER_WAIT), R(TRANSFER_WAIT) },
        { COMMERCE_OWNER_WAITING, T0 + 8 * DAY, PENDING, R(TRANSFER_WAIT), R(TRANSFER_WAIT) },
        { COMMERCE_OWNER_WAITING, T0 + 30 * DAY, EXPIRED, R(BIND_NEW_AFTER_EXPIRY),
          R(BIND_NEW_AFTER_EXPIRY) },
        { COMMERCE_OWNER_FREE, T0, NONE, R(BIND_NEW), R(BIND_NEW) },
        { COMMERCE_OWNER_FREE, T0 + 30 * DAY, EXPIRED, R(BIND_NEW_AFTER_EXPIRY),
          R(BIND_NEW_AFTER_EXPIRY) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        o = owner(ANNA, cases[i].state);

        b = bound(30 * DAY, 7 * DAY);
        is_int(commerce_binding_held(&b, &o, cases[i].now), cases[i].held, "held, case %zu", i);
        is_int(commerce_binding_touch(&p, &b, &o, BORIS, 0, false, cases[i].now), cases[i].rival,
               "held, case %zu: a rival", i);
        is_int(b.origin, ANNA, "held, case %zu: the origin stays", i);

        b = bound(30 * DAY, 7 * DAY);
        is_int(commerce_binding_touch(&p, &b, &o, ANNA, 0, false, cases[i].now), cases[i].own,
               "held, case %zu: the owner", i);
    }

    /* whom nobody served was not taken from anybody: LATE_TOUCH has nobody to protect */

    b = bound(30 * DAY, 7 * DAY);
    o = owner(ANNA, COMMERCE_OWNER_FREE);
    commerce_binding_touch(&p, &b, &o, BORIS, 0, false, T0 + DAY);
    b = commerce_binding_before(&b);
    is_int(commerce_binding_state(&b, T0 + DAY), EXPIRED, "free before: nobody's");

    is_str(commerce_cstr(commerce_binding_state_name(FROZEN)), "frozen", "name");
    is_str(commerce_cstr(commerce_binding_state_name(PENDING)), "transfer_pending", "name");
}


/* LATE_TOUCH does not hold back what a platform attests: not the order of the next moment, nor what it extends */

static void
test_attested(void)
{
    commerce_binding_t         b, before;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    p.order_extend = 60 * DAY;
    b = bound(30 * DAY, 7 * DAY);
    touch(&p, &b, BORIS, 0, T0 + 8 * DAY);
    before = commerce_binding_before(&b);
    is_int(commerce_binding_state(&before, T0 + 8 * DAY + 5), OPEN, "stolen: the order of the next moment is his before");
    is_int(commerce_binding_extend(&b, T0 + 8 * DAY + 5), R(OK), "... and extends nothing");
    commerce_binding_attested(&b, T0 + 8 * DAY + 1);
    before = commerce_binding_before(&b);
    is_int(commerce_binding_state(&before, T0 + 8 * DAY + 5), OPEN, "attested later: another touch");
    commerce_binding_attested(&b, T0 + 8 * DAY);
    before = commerce_binding_before(&b);
    is_int(before.owner, ANNA, "attested: the owner before is told");
    is_int(commerce_binding_state(&before, T0 + 8 * DAY + 5), EXPIRED, "... and decides nothing any more");
    is_int(commerce_binding_extend(&b, T0 + 8 * DAY + 5), R(BIND_ORDER_EXTEND), "... the order extends the new binding");
}


static void
test_self_and_new_only(void)
{
    commerce_owner_t           o = owner(ANNA, COMMERCE_OWNER_ACTIVE);
    commerce_binding_t         b;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    b = bound(30 * DAY, 7 * DAY);
    is_int(touch(&p, &b, BORIS, BORIS, T0 + DAY), R(KEEP_UPLINE),
           "a buyer who became a seller keeps who protects him");
    is_int(touch(&p, &b, BORIS, BORIS, T0 + 7 * DAY), R(SELF_BIND), "... no longer than that");
    is_int(b.owner, ANNA, "... and is not his own");

    p.new_only = true;

    is_int(commerce_binding_touch(&p, &b, &o, BORIS, 0, true, T0 + 8 * DAY), R(NEW_USERS_ONLY),
           "new_only: a customer is not taken over");
    is_int(commerce_binding_touch(&p, &b, &o, ANNA, 0, true, T0 + 8 * DAY), R(BIND_RENEW),
           "new_only: the owner's touch renews");
    is_int(commerce_binding_touch(&p, &b, &o, ANNA, 0, true, T0 + 38 * DAY), R(NEW_USERS_ONLY),
           "new_only: nor bound again after the end");
    is_int(commerce_binding_touch(&p, &b, &o, BORIS, 0, false, T0 + 38 * DAY),
           R(BIND_NEW_AFTER_EXPIRY), "new_only: who never ordered is");

    memset(&b, 0, sizeof(b));
    is_int(commerce_binding_touch(&p, &b, &o, ANNA, 0, true, T0), R(NEW_USERS_ONLY),
           "new_only: a customer is not bound for the first time");
    is_int(b.owner, 0, "... and stays nobody's");
}


static void
test_inherit(void)
{
    commerce_owner_t           o;
    commerce_binding_t         b;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    b = bound(30 * DAY, 7 * DAY);
    o = owner(ANNA, COMMERCE_OWNER_ACTIVE);
    is_int(commerce_binding_inherit(&b, &o, T0 + DAY), R(OK), "an active owner: nothing to inherit");

    o = owner(BORIS, COMMERCE_OWNER_ACTIVE);
    is_int(commerce_binding_inherit(&b, &o, T0 + DAY), R(BIND_INHERITED), "the successor inherits");
    is_int(b.owner, BORIS, "... the buyer");
    is_int(b.origin, ANNA, "... not the origin");
    is_int(b.start, T0, "... and the clocks");
    is_int(b.previous, 0, "no rival took anything");
    is_int(commerce_binding_state(&b, T0 + 7 * DAY - 1), PROTECTED, "protected as before");
    is_int(commerce_binding_end(&b), T0 + 30 * DAY, "valid as before");
    is_int(touch(&p, &b, BORIS, 0, T0 + 2 * DAY), R(BIND_RENEW), "the heir's touch renews");

    b = bound(30 * DAY, 7 * DAY);
    is_int(commerce_binding_inherit(&b, &o, T0 + 30 * DAY), R(OK), "an expired binding is nobody's to inherit");

    o = owner(0, COMMERCE_OWNER_FREE);
    is_int(commerce_binding_inherit(&b, &o, T0), R(OK), "nobody inherits nothing");

    memset(&b, 0, sizeof(b));
    o = owner(BORIS, COMMERCE_OWNER_ACTIVE);
    is_int(commerce_binding_inherit(&b, &o, T0), R(OK), "who was never bound has no heir");
}


static void
test_extend(void)
{
    size_t                     i;
    commerce_binding_t         b, old;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    static const struct {
        int64_t            extend;
        commerce_time_t    ordered;
        commerce_reason_t  reason;
        commerce_time_t    end;
    } cases[] = {
        { 0, T0 + DAY, R(OK), T0 + 30 * DAY },
        { 30 * DAY, T0, R(OK), T0 + 30 * DAY },
        { 30 * DAY, T0 + 1, R(BIND_ORDER_EXTEND), T0 + 30 * DAY + 1 },
        { 30 * DAY, T0 - 1, R(OK), T0 + 30 * DAY },
        { 30 * DAY, T0 + 30 * DAY - 1, R(BIND_ORDER_EXTEND), T0 + 60 * DAY - 1 },
        { 30 * DAY, T0 + 30 * DAY, R(OK), T0 + 30 * DAY },
        { 5 * DAY, T0 + DAY, R(OK), T0 + 30 * DAY },
        { 5 * DAY, T0 + 26 * DAY, R(BIND_ORDER_EXTEND), T0 + 31 * DAY },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        b = bound(30 * DAY, 7 * DAY);
        b.order_extend = cases[i].extend;
        is_int(commerce_binding_extend(&b, cases[i].ordered), cases[i].reason, "extend, case %zu", i);
        is_int(commerce_binding_end(&b), cases[i].end, "extend, case %zu: end", i);
        is_int(commerce_binding_protected_until(&b), T0 + 7 * DAY, "extend, case %zu: protection is not", i);
    }

    p.order_extend = 60 * DAY;

    b = bound(30 * DAY, 7 * DAY);
    is_int(b.order_extend, 0, "kept with the binding: a changed policy is for new ones");
    is_int(touch(&p, &b, BORIS, 0, T0 + 10 * DAY), R(BIND_STOLEN), "stolen");
    is_int(b.order_extend, 60 * DAY, "... under the new policy");

    old = b;
    is_int(commerce_binding_extend(&b, T0 + 9 * DAY), R(OK), "an order of the owner before extends nothing");
    is_int(commerce_binding_extend(&b, T0 + 10 * DAY + 9), R(OK), "nor one that a late touch did not decide");
    is_int(memcmp(&b, &old, sizeof(b)), 0, "... unchanged");
    is_int(commerce_binding_extend(&b, T0 + 10 * DAY + 10), R(BIND_ORDER_EXTEND), "the next one does");
    is_int(commerce_binding_end(&b), T0 + 70 * DAY + 10, "... from when it was placed");
    is_int(commerce_binding_extend(&b, T0 + 10 * DAY + 10), R(OK), "a notice that comes again extends nothing");
    is_int(touch(&p, &b, BORIS, 0, T0 + 20 * DAY), R(OK), "a renewal never shortens");
    is_int(touch(&p, &b, CHEN, 0, T0 + 20 * DAY), R(BIND_STOLEN), "an extension does not protect");
    is_int(b.extended, 0, "... and is not the next owner's");

    memset(&b, 0, sizeof(b));
    is_int(commerce_binding_extend(&b, T0), R(OK), "nobody's");
}


static void
test_rebind(void)
{
    commerce_binding_t         b, before;
    commerce_binding_policy_t  p = policy(10 * DAY, DAY, true);

    b = bound(COMMERCE_FOREVER, COMMERCE_FOREVER);
    is_int(commerce_binding_rebind(&p, &b, BORIS, T0 + DAY), R(BIND_ADMIN), "protected or not");
    is_int(b.owner, BORIS, "the owner");
    is_int(b.origin, ANNA, "the origin stays");
    is_int(b.previous, ANNA, "who was before");
    is_int(commerce_binding_end(&b), T0 + 11 * DAY, "a new start, under the policy given");
    before = commerce_binding_before(&b);
    is_int(commerce_binding_state(&before, T0 + DAY), EXPIRED, "no touch: it decides the next order");

    is_int(commerce_binding_rebind(&p, &b, 0, T0 + 2 * DAY), R(BIND_ADMIN), "to the house");
    is_int(commerce_binding_state(&b, T0 + 2 * DAY), NONE, "nobody's");
    is_int(b.origin, ANNA, "the origin stays");
    is_int(touch(&p, &b, CHEN, 0, T0 + 3 * DAY), R(BIND_NEW), "anybody may bind him");
    is_int(b.origin, ANNA, "the origin stays");
}


static void
test_merge(void)
{
    commerce_binding_t         a, b, m, none;
    commerce_binding_policy_t  p = policy(30 * DAY, 7 * DAY, true);

    memset(&none, 0, sizeof(none));
    a = bound(30 * DAY, 7 * DAY);
    b = none;
    touch(&p, &b, BORIS, 0, T0 + DAY);

    is_int(commerce_binding_merge(&a, &b, T0 + 2 * DAY, &m), R(MERGE_CONFLICT), "both valid");
    is_int(m.owner, ANNA, "the older stays");
    is_int(commerce_binding_merge(&b, &a, T0 + 2 * DAY, &m), R(MERGE_CONFLICT), "the other way round");
    is_int(m.owner, ANNA, "the same");
    is_int(commerce_binding_merge(&a, &b, T0 + 30 * DAY, &m), R(OK), "one has expired");
    is_int(m.owner, BORIS, "the valid one stays");
    is_int(commerce_binding_merge(&b, &a, T0 + 30 * DAY, &m), R(OK), "the other way round");
    is_int(m.owner, BORIS, "the same");
    is_int(commerce_binding_merge(&a, &b, T0 + 31 * DAY, &m), R(OK), "both have");
    is_int(m.owner, ANNA, "the kept name's");
    is_int(commerce_binding_merge(&none, &b, T0 + 99 * DAY, &m), R(OK), "only one was ever bound");
    is_int(m.owner, BORIS, "... its history stays");
    is_int(commerce_binding_merge(&none, &none, T0, &m), R(OK), "none was");
    is_int(m.owner, 0, "nobody's");

    b = none;
    touch(&p, &b, ANNA, 0, T0 - DAY);
    is_int(commerce_binding_merge(&a, &b, T0, &m), R(OK), "one owner: no conflict");
    is_int(m.start, T0 - DAY, "the older stays");

    b = none;
    touch(&p, &b, BORIS, 0, T0);
    is_int(commerce_binding_merge(&a, &b, T0, &m), R(MERGE_CONFLICT), "a tie");
    is_int(m.owner, ANNA, "is the kept name's");
}


int
main(void)
{
    test_states();
    test_touches();
    test_new();
    test_before();
    test_owners();
    test_self_and_new_only();
    test_inherit();
    test_extend();
    test_attested();
    test_rebind();
    test_merge();
    test_policy();

    return done_testing();
}
