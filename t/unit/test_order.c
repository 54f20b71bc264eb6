/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_order.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define STEP(word)  commerce_order_step(&o, COMMERCE_STEP_##word, NULL, 1000)


static commerce_order_t
order(commerce_order_state_t state)
{
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));

    o.user = S("u");
    o.key = S("k");
    o.state = state;
    o.in_flight_until = 1000;
    o.deadline = 2000;
    o.due = 1000;
    o.redeem_on_paid = true;
    o.in_doubt = COMMERCE_POLICY_HOLD;
    o.claimed = 5000;
    o.discount = 1000;
    o.payable = -1;
    o.coupon_count = 1;
    o.coupons[0].discount = 1000;

    if (state == COMMERCE_ORDER_UNKNOWN) {
        o.doubt = COMMERCE_DOUBT_UNKNOWN;
        o.due = COMMERCE_FOREVER;
    }

    return o;
}


static commerce_effect_t
accept(commerce_order_t *o, commerce_str_t id, commerce_fen_t payable)
{
    commerce_answer_t  answer = { .id = id, .payable = payable };

    return commerce_order_step(o, COMMERCE_STEP_ACCEPTED, &answer, 1000);
}


static void
nothing(commerce_effect_t e, const char *reason, const char *what)
{
    ok(!e.changed && !e.removed && e.coupons == COMMERCE_COUPONS_KEEP, "%s: nothing", what);
    is_str(commerce_reason(e.reason)->name, reason, "%s: %s", what, reason);
}


static void
test_arrive(void)
{
    uint8_t            same[COMMERCE_FINGERPRINT] = { 0 }, other[COMMERCE_FINGERPRINT] = { 0 };
    commerce_order_t   o;
    commerce_reason_t  reason;

    other[15] = 1;
    o = order(COMMERCE_ORDER_PENDING);

    is_int(commerce_order_arrive(NULL, same, 999, &reason), COMMERCE_ARRIVAL_NEW, "new");
    is_reason(reason, OK, "new: ok");
    is_int(commerce_order_arrive(&o, same, 999, &reason), COMMERCE_ARRIVAL_REFUSED, "in flight");
    is_reason(reason, ORDER_IN_FLIGHT, "in flight");
    is_int(commerce_order_arrive(&o, same, 1000, &reason), COMMERCE_ARRIVAL_RETRY, "not any more");
    is_reason(reason, OK, "retry");
    is_int(commerce_order_arrive(&o, other, 1000, &reason), COMMERCE_ARRIVAL_REFUSED, "other");
    is_reason(reason, ORDER_KEY_REUSED, "fingerprint");

    o.state = COMMERCE_ORDER_UNKNOWN;
    is_int(commerce_order_arrive(&o, same, 999, &reason), COMMERCE_ARRIVAL_RETRY, "unknown");
    o.state = COMMERCE_ORDER_CART;
    is_int(commerce_order_arrive(&o, same, 999, &reason), COMMERCE_ARRIVAL_REFUSED,
           "a cart, whose coupons nobody has judged");
    is_reason(reason, ORDER_KEY_REUSED, "it has the key");

    for (o.state = COMMERCE_ORDER_PLACED; o.state <= COMMERCE_ORDER_CANCELLED; o.state++) {
        is_int(commerce_order_arrive(&o, same, 0, &reason), COMMERCE_ARRIVAL_REPLAY, "%s",
               commerce_order_state_name(o.state));
        is_reason(reason, ORDER_REPLAY, "replay");
    }

    is_int(commerce_order_arrive(&o, other, 0, &reason), COMMERCE_ARRIVAL_REFUSED, "key reused");
}


static void
test_accepted(void)
{
    commerce_order_t   o;
    commerce_effect_t  e;

    o = order(COMMERCE_ORDER_PENDING);
    e = accept(&o, S("1001"), 4000);
    is_int(o.state, COMMERCE_ORDER_PLACED, "pending -> placed");
    ok(e.changed && e.coupons == COMMERCE_COUPONS_KEEP, "coupons wait for the payment");
    is_int(o.due, 2000, "due at the deadline");
    is_str(o.id, "1001", "id");
    is_int(o.payable, 4000, "payable");
    nothing(accept(&o, S("1001"), 4000), "ORDER_REPLAY", "accepted twice");
    nothing(accept(&o, S("1002"), 3999), "ORDER_REPLAY", "accepted with other facts");
    is_str(o.id, "1001", "the id stays");
    is_int(o.payable, 4000, "the amount stays");
    nothing(STEP(REFUSED), "ORDER_REPLAY", "refused after placed");
    nothing(STEP(UNKNOWN), "ORDER_REPLAY", "unknown after placed");

    o = order(COMMERCE_ORDER_PENDING);
    o.redeem_on_paid = false;
    e = accept(&o, S("1001"), 4000);
    is_int(e.coupons, COMMERCE_COUPONS_REDEEM, "on=order redeems");
    ok(o.due == COMMERCE_FOREVER, "never due");

    o = order(COMMERCE_ORDER_PENDING);
    o.redeem_on_paid = false;
    e = accept(&o, S(""), -1);
    is_int(e.coupons, COMMERCE_COUPONS_REDEEM, "no amount named: nothing differs");

    o = order(COMMERCE_ORDER_PENDING);
    e = commerce_order_step(&o, COMMERCE_STEP_ACCEPTED, NULL, 1000);
    ok(e.changed && o.state == COMMERCE_ORDER_PLACED, "an answer without facts");
    e = accept(&o, S("7"), -1);
    ok(e.changed, "the id comes later");
    is_str(o.id, "7", "id");
    e = accept(&o, S(""), 4000);
    ok(e.changed && e.reason == COMMERCE_R(OK), "the amount still later");
    is_int(o.due, 2000, "still due at the deadline");

    o = order(COMMERCE_ORDER_UNKNOWN);
    e = accept(&o, S("1"), 4000);
    is_int(o.state, COMMERCE_ORDER_PLACED, "unknown -> placed");
    is_int(o.doubt, 0, "no doubt any more");
    is_int(o.due, 2000, "due again");

    o = order(COMMERCE_ORDER_CANCELLED);
    o.due = COMMERCE_FOREVER;
    e = accept(&o, S("1"), 4000);
    ok(e.changed && o.state == COMMERCE_ORDER_CANCELLED, "the answer of a cancelled order");
    is_reason(e.reason, ORDER_CLOSED, "closed");
    is_str(o.id, "1", "its id is kept");
    nothing(accept(&o, S("1"), 4000), "ORDER_CLOSED", "again");
}


static void
test_mismatch(void)
{
    commerce_order_t   o;
    commerce_effect_t  e;

    o = order(COMMERCE_ORDER_PENDING);
    o.redeem_on_paid = false;
    e = accept(&o, S("1"), 4001);
    is_reason(e.reason, AMOUNT_MISMATCH, "a fen more");
    is_int(e.coupons, COMMERCE_COUPONS_KEEP, "coupons stay reserved");
    is_int(o.doubt, COMMERCE_DOUBT_AMOUNT, "in doubt");
    is_int(o.state, COMMERCE_ORDER_PLACED, "the order stands");
    ok(o.due == COMMERCE_FOREVER, "hold: never due");

    e = STEP(PAID);
    is_reason(e.reason, AMOUNT_MISMATCH, "a payment does not resolve it");
    is_int(e.coupons, COMMERCE_COUPONS_KEEP, "coupons stay");
    is_int(o.state, COMMERCE_ORDER_PAID, "paid");
    is_int(o.doubt, COMMERCE_DOUBT_AMOUNT, "still in doubt");
    nothing(accept(&o, S(""), 4001), "ORDER_REPLAY", "the same amount again");
    nothing(accept(&o, S(""), 4002), "ORDER_REPLAY", "another wrong one");
    is_int(o.payable, 4001, "is not taken over");
    e = accept(&o, S(""), 4000);
    is_int(e.coupons, COMMERCE_COUPONS_REDEEM, "the right amount resolves");
    is_int(o.doubt, 0, "no doubt");

    o = order(COMMERCE_ORDER_PENDING);
    accept(&o, S("1"), 3999);
    e = accept(&o, S(""), 4000);
    is_int(e.coupons, COMMERCE_COUPONS_KEEP, "resolved before the payment");
    is_int(o.due, 2000, "due at the deadline");

    o = order(COMMERCE_ORDER_PENDING);
    accept(&o, S("1"), 3999);
    e = STEP(CANCELLED);
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "cancelled releases");
    is_int(o.doubt, 0, "and resolves");

    o = order(COMMERCE_ORDER_PENDING);
    o.coupon_count = 0;
    o.discount = 0;
    e = accept(&o, S("1"), 3999);
    is_reason(e.reason, AMOUNT_MISMATCH, "without coupons it is flagged");
    is_int(o.doubt, 0, "nothing is in doubt");

    o = order(COMMERCE_ORDER_PENDING);
    o.claimed = -1;
    e = accept(&o, S("1"), 3999);
    is_reason(e.reason, OK, "nothing claimed");
    o = order(COMMERCE_ORDER_PENDING);
    o.discount = -1;
    e = accept(&o, S("1"), 3999);
    is_reason(e.reason, OK, "discount not known");

    o = order(COMMERCE_ORDER_PENDING);
    o.in_doubt = COMMERCE_POLICY_RELEASE;
    accept(&o, S("1"), 3999);
    is_int(o.due, 2000, "release: due at the deadline");
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "released then");
    is_int(o.doubt, COMMERCE_DOUBT_AMOUNT, "but listed");

    o = order(COMMERCE_ORDER_PENDING);
    o.in_doubt = COMMERCE_POLICY_RELEASE;
    accept(&o, S("1"), 3999);
    STEP(PAID);
    ok(o.due == COMMERCE_FOREVER, "a paid order's coupons are not for the clock");
}


static void
test_refused_unknown(void)
{
    commerce_order_t   o;
    commerce_effect_t  e;

    o = order(COMMERCE_ORDER_PENDING);
    e = STEP(REFUSED);
    ok(e.removed && e.coupons == COMMERCE_COUPONS_RELEASE, "pending refused");
    is_str(commerce_cstr(commerce_order_state_name(o.state)), "failed", "failed");

    o = order(COMMERCE_ORDER_UNKNOWN);
    e = STEP(REFUSED);
    ok(e.removed && o.doubt == 0, "unknown refused");

    o = order(COMMERCE_ORDER_PAID);
    nothing(STEP(REFUSED), "ORDER_REPLAY", "paid refused");
    o = order(COMMERCE_ORDER_CANCELLED);
    nothing(STEP(REFUSED), "ORDER_REPLAY", "cancelled refused");

    o = order(COMMERCE_ORDER_PENDING);
    e = STEP(UNKNOWN);
    is_reason(e.reason, COUPON_UNKNOWN_RESULT, "unknown");
    is_int(o.state, COMMERCE_ORDER_UNKNOWN, "state");
    is_int(o.doubt, COMMERCE_DOUBT_UNKNOWN, "doubt");
    ok(o.due == COMMERCE_FOREVER, "hold: never due");
    nothing(STEP(UNKNOWN), "ORDER_REPLAY", "unknown twice");
    nothing(STEP(DUE), "ORDER_REPLAY", "hold: not due");

    o = order(COMMERCE_ORDER_PENDING);
    o.in_doubt = COMMERCE_POLICY_RELEASE;
    STEP(UNKNOWN);
    is_int(o.due, 2000, "release: due at the deadline");
    nothing(commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 1999), "ORDER_REPLAY",
            "a second early");
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_reason(e.reason, ORDER_DEADLINE, "released");
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "released");
    is_int(o.state, COMMERCE_ORDER_UNKNOWN, "still unknown");
    is_int(o.doubt, COMMERCE_DOUBT_UNKNOWN, "still listed");
    ok(o.due == COMMERCE_FOREVER, "never due again");

    o = order(COMMERCE_ORDER_PENDING);
    o.in_doubt = COMMERCE_POLICY_RELEASE;
    o.coupon_count = 0;
    STEP(UNKNOWN);
    ok(o.due == COMMERCE_FOREVER, "no coupons: never due");
}


static void
test_paid_cancelled(void)
{
    commerce_order_t        o;
    commerce_effect_t       e;
    commerce_order_state_t  state;

    for (state = COMMERCE_ORDER_PENDING; state <= COMMERCE_ORDER_PLACED; state++) {
        o = order(state);
        e = STEP(PAID);
        ok(e.changed && e.coupons == COMMERCE_COUPONS_REDEEM && e.reason == COMMERCE_R(OK),
           "paid while %s", commerce_order_state_name(state));
        is_int(o.state, COMMERCE_ORDER_PAID, "paid");
        is_int(o.doubt, 0, "no doubt");
        ok(o.due == COMMERCE_FOREVER, "never due");
        nothing(STEP(PAID), "ORDER_REPLAY", "paid twice");
        nothing(STEP(UNKNOWN), "ORDER_REPLAY", "unknown after paid");
    }

    for (state = COMMERCE_ORDER_PENDING; state <= COMMERCE_ORDER_PAID; state++) {
        o = order(state);
        e = STEP(CANCELLED);
        ok(e.changed && e.coupons == COMMERCE_COUPONS_RELEASE && !e.removed,
           "cancelled while %s", commerce_order_state_name(state));
        ok(o.state == COMMERCE_ORDER_CANCELLED && o.due == COMMERCE_FOREVER && o.doubt == 0,
           "cancelled");
        nothing(STEP(CANCELLED), "ORDER_REPLAY", "cancelled twice");
        nothing(STEP(DUE), "ORDER_REPLAY", "never due");
    }

    o = order(COMMERCE_ORDER_PLACED);
    STEP(CANCELLED);
    e = STEP(PAID);
    is_reason(e.reason, ORDER_CLOSED, "paid after cancelled");
    ok(e.changed && e.coupons == COMMERCE_COUPONS_KEEP, "is told");
    is_int(o.state, COMMERCE_ORDER_CANCELLED, "and changes nothing");
    nothing(STEP(PAID), "ORDER_CLOSED", "told once");

    o = order(COMMERCE_ORDER_PLACED);
    STEP(PAID);
    STEP(CANCELLED);
    nothing(STEP(PAID), "ORDER_CLOSED", "the old payment repeated");

    /* the answer arrives after the payment */

    o = order(COMMERCE_ORDER_PENDING);
    STEP(PAID);
    o.coupons[0].use = COMMERCE_USE_REDEEMED;
    e = accept(&o, S("9"), 3999);
    ok(e.changed && o.state == COMMERCE_ORDER_PAID, "a late answer");
    is_reason(e.reason, AMOUNT_MISMATCH, "is compared");
    is_int(o.doubt, 0, "but the coupon is settled");
    is_str(o.id, "9", "id");
}


static void
test_due(void)
{
    commerce_order_t   o;
    commerce_effect_t  e;

    o = order(COMMERCE_ORDER_PENDING);
    nothing(commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 999), "ORDER_REPLAY", "in flight");
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 1000);
    is_reason(e.reason, COUPON_UNKNOWN_RESULT, "in-flight time is over");
    is_int(o.state, COMMERCE_ORDER_UNKNOWN, "unknown");

    o = order(COMMERCE_ORDER_PLACED);
    o.due = 2000;
    nothing(commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 1999), "ORDER_REPLAY",
            "a second early");
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_reason(e.reason, ORDER_DEADLINE, "deadline");
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "unpaid: released");
    is_int(o.state, COMMERCE_ORDER_PLACED, "still placed");
    is_int(o.doubt, 0, "not in doubt");
    ok(o.due == COMMERCE_FOREVER, "never due again");
    o.coupons[0].use = COMMERCE_USE_RELEASED;
    e = STEP(PAID);
    is_int(e.coupons, COMMERCE_COUPONS_REDEEM, "a late payment takes it again");

    o = order(COMMERCE_ORDER_PENDING);
    o.unpaid = COMMERCE_POLICY_HOLD;
    accept(&o, S("1"), 4000);
    ok(o.due == COMMERCE_FOREVER, "unpaid=hold: never due");

    o = order(COMMERCE_ORDER_PAID);
    o.due = 5;
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 3000);
    ok(e.changed && e.coupons == COMMERCE_COUPONS_KEEP && o.due == COMMERCE_FOREVER,
       "a wrong due time is put right");

    e = commerce_order_step(&o, (commerce_step_t) 99, NULL, 0);
    nothing(e, "INTERNAL", "no such step");
    is_str(commerce_cstr(commerce_step_name(COMMERCE_STEP_DUE)), "due", "step's name");
    is_str(commerce_cstr(commerce_use_name(COMMERCE_USE_ROLLED_BACK)), "rolled_back", "use's name");
}


int
main(void)
{
    test_arrive();
    test_accepted();
    test_mismatch();
    test_refused_unknown();
    test_paid_cancelled();
    test_due();

    return done_testing();
}
