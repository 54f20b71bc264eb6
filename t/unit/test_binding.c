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

#define ANNA   11
#define BORIS  22
#define CHEN   33


static commerce_binding_policy_t
policy(int64_t validity, int64_t protect, bool renew)
{
    return (commerce_binding_policy_t) { validity, protect, renew, COMMERCE_SELF_HOUSE };
}


static commerce_binding_t
bound(int64_t validity, int64_t protect)
{
    commerce_binding_t         binding;
    commerce_binding_policy_t  p = policy(validity, protect, false);

    memset(&binding, 0, sizeof(binding));
    commerce_binding_touch(&p, &binding, ANNA, 0, T0);

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

        reason = commerce_binding_touch(&p, &b, cases[i].seller, cases[i].buyer, cases[i].now);

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
    is_int(commerce_binding_touch(&p, &b, ANNA, ANNA, T0), R(SELF_BIND), "no binding to oneself");
    is_int(b.owner, 0, "... nothing bound");
    is_int(commerce_binding_touch(&p, &b, ANNA, 0, T0), R(BIND_NEW), "new");
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
    is_int(commerce_binding_touch(&p, &b, BORIS, 0, T0 + 7 * DAY - 1), R(PROTECT_HOLD),
           "protected by the policy it was bound under");
    is_int(commerce_binding_touch(&p, &b, ANNA, 0, T0 + 6 * DAY), R(BIND_RENEW), "renewed");
    is_int(b.start, T0, "a renewal leaves the start");
    is_int(b.changed, T0, "... and the change of owner");
    is_int(b.previous, 0, "... and the owner before");
    is_int(commerce_binding_end(&b), T0 + 36 * DAY, "... and starts the old validity again");
    is_int(commerce_binding_protected_until(&b), T0 + 7 * DAY, "... but not the protection");
    is_int(commerce_binding_touch(&p, &b, BORIS, 0, T0 + 7 * DAY), R(BIND_STOLEN), "stolen");
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

    commerce_binding_touch(&p, &b, ANNA, 0, T0 + 5 * DAY);
    anna = b;
    commerce_binding_touch(&p, &b, BORIS, 0, T0 + 10 * DAY);
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

    commerce_binding_touch(&p, &b, BORIS, 0, T0 + 11 * DAY);
    is_int(b.previous, ANNA, "a renewal keeps the owner before");
    is_int(b.changed, T0 + 10 * DAY, "... and when it changed");

    is_int(commerce_binding_touch(&p, &b, BORIS, 0, T0 + 90 * DAY), R(BIND_NEW_AFTER_EXPIRY),
           "the same owner after expiry");
    is_int(b.previous, ANNA, "... is no change of owner");
    is_int(b.start, T0 + 90 * DAY, "... but starts anew");

    is_int(commerce_binding_touch(&p, &b, CHEN, 0, T0 + 120 * DAY), R(BIND_NEW_AFTER_EXPIRY),
           "another one after expiry");
    is_int(b.origin, ANNA, "the origin stays for ever");
    is_int(b.previous, BORIS, "Boris before");
    before = commerce_binding_before(&b);
    is_int(commerce_binding_state(&before, T0 + 120 * DAY), EXPIRED, "before: expired");
    is_int(commerce_binding_state(&before, T0 + 120 * DAY - 1), OPEN, "before: to the second");

    b = bound(COMMERCE_FOREVER, 0);
    commerce_binding_touch(&p, &b, BORIS, 0, T0 + 1);
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


int
main(void)
{
    test_states();
    test_touches();
    test_new();
    test_before();
    test_policy();

    return done_testing();
}
