/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_cart.h"
#include "commerce_json.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define A  1U       /* the coupons of the cart */
#define B  2U
#define C  4U


static commerce_order_t
cart(unsigned fresh, unsigned open)
{
    unsigned          i;
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));

    o.user = S("u");
    o.key = S("cart");
    o.state = COMMERCE_ORDER_CART;
    o.cart = COMMERCE_CART_APPLY;
    o.in_flight_until = 1000;
    o.deadline = 2000;
    o.coupon_count = 3;
    o.fresh = fresh;
    o.open = open;

    for (i = 0; i < 3; i++) {
        o.coupons[i].campaign = i + 1;
        o.coupons[i].serial = 10 + i;
    }

    o.coupons[0].code = S("AAAA-BBBB");

    return o;
}


/* what one answer does: released, still fresh, still open, in doubt */

typedef struct {
    const char            *name;
    commerce_cart_step_t   request;
    commerce_step_t        outcome;
    unsigned               fresh, open, named;
    bool                   told;
    unsigned               listed;
    unsigned               released, fresh_after, open_after;
} settle_case_t;

#define APPLY     COMMERCE_CART_APPLY
#define REMOVE    COMMERCE_CART_REMOVE
#define ACCEPTED  COMMERCE_STEP_ACCEPTED
#define REFUSED   COMMERCE_STEP_REFUSED
#define UNKNOWN   COMMERCE_STEP_UNKNOWN

static const settle_case_t  cases[] = {
    { "applied and listed", APPLY, ACCEPTED, C, C, C, true, A|B|C, 0, 0, 0 },
    { "applied, not listed", APPLY, ACCEPTED, C, C, C, true, A|B, C, 0, 0 },
    { "applied, an answer without a list", APPLY, ACCEPTED, C, C, C, false, 0, 0, 0, 0 },
    { "two applied, one listed", APPLY, ACCEPTED, B|C, B|C, B|C, true, A|B, C, 0, 0 },
    { "applied again, not listed any more", APPLY, ACCEPTED, 0, A, A, true, B|C, A, 0, 0 },
    { "apply refused", APPLY, REFUSED, C, C, C, false, 0, C, 0, 0 },
    { "applied again and refused: it stays", APPLY, REFUSED, 0, A, A, false, 0, 0, 0, 0 },
    { "apply unknown", APPLY, UNKNOWN, C, C, C, false, 0, 0, C, C },
    { "an earlier unknown one is listed", APPLY, ACCEPTED, B|C, B|C, C, true, A|B|C, 0, 0, 0 },
    { "an earlier unknown one is not listed", APPLY, ACCEPTED, B|C, B|C, C, true, A|C, 0, B, B },
    { "an earlier unknown one and a refusal", APPLY, REFUSED, B|C, B|C, C, false, 0, C, B, B },
    { "removed", REMOVE, ACCEPTED, 0, A, A, true, B|C, A, 0, 0 },
    { "removed, an answer without a list", REMOVE, ACCEPTED, 0, A, A, false, 0, A, 0, 0 },
    { "removed, still listed", REMOVE, ACCEPTED, 0, A, A, true, A|B|C, 0, 0, 0 },
    { "an unknown one removed", REMOVE, ACCEPTED, A, A, A, true, B|C, A, 0, 0 },
    { "removal refused", REMOVE, REFUSED, 0, A, A, false, 0, 0, 0, 0 },
    { "removal of an unknown one refused", REMOVE, REFUSED, A, A, A, false, 0, 0, A, A },
    { "removal unknown", REMOVE, UNKNOWN, 0, A, A, false, 0, 0, 0, A }
};


static void
test_settle(void)
{
    unsigned                i;
    commerce_order_t        o;
    const settle_case_t    *c;
    commerce_cart_effect_t  e;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        o = cart(c->fresh, c->open);
        e = commerce_cart_settle(&o, c->request, c->outcome, c->named, c->told, c->listed);

        ok(e.changed, "%s: written", c->name);
        is_int(e.release, c->released, "%s: released", c->name);
        is_int(o.fresh, c->fresh_after, "%s: fresh", c->name);
        is_int(o.open, c->open_after, "%s: open", c->name);
        is_int(o.doubt, c->open_after != 0 ? COMMERCE_DOUBT_UNKNOWN : 0, "%s: doubt", c->name);
        is_int(o.cart, COMMERCE_CART_IDLE, "%s: idle", c->name);
    }

    o = cart(C, C);
    o.state = COMMERCE_ORDER_PLACED;
    e = commerce_cart_settle(&o, APPLY, REFUSED, C, false, 0);
    ok(!e.changed && e.release == 0, "an order is no cart any more: nothing");
}


static void
test_drop(void)
{
    commerce_order_t  o;

    o = cart(A|C, A|B|C);
    commerce_cart_drop(&o, B);

    is_int(o.coupon_count, 2, "two are left");
    is_int(o.coupons[1].campaign, 3, "the last moved up");
    is_int(o.fresh, A|B, "with its bit");
    is_int(o.open, A|B, "in both sets");

    commerce_cart_drop(&o, A|B);
    is_int(o.coupon_count, 0, "none is left");
    is_int(o.open, 0, "no bits either");
}


static void
test_find(void)
{
    commerce_order_t        o = cart(0, 0);
    commerce_cart_coupon_t  c = { .code = S("aaaabbbb") };

    is_int(commerce_cart_find(&o, &c), 0, "by its text, however it is typed");
    c.code = S("AAAA-BBB");
    is_int(commerce_cart_find(&o, &c), -1, "a shorter one is another");
    c.campaign = 2;
    c.serial = 11;
    is_int(commerce_cart_find(&o, &c), 1, "by campaign and serial");
    c.serial = 10;
    is_int(commerce_cart_find(&o, &c), -1, "both of them");

    c = (commerce_cart_coupon_t) { .code = S("") };
    is_int(commerce_cart_find(&o, &c), -1, "no code is not the one that has none");

    ok(commerce_cart_same_code(S("--"), S("")), "nothing but dashes is nothing");
    ok(!commerce_cart_same_code(S("a"), S("ab")), "a beginning is not the same");
}


static void
test_arrive(void)
{
    commerce_order_t   o = cart(0, 0);
    commerce_reason_t  reason;

    is_int(commerce_cart_arrive(NULL, APPLY, 0, &reason), COMMERCE_ARRIVAL_NEW, "no cart yet");
    is_int(commerce_cart_arrive(&o, APPLY, 999, &reason), COMMERCE_ARRIVAL_REFUSED, "busy");
    is_reason(reason, ORDER_IN_FLIGHT, "busy");
    is_int(commerce_cart_arrive(&o, COMMERCE_CART_COMPLETE, 1000, &reason), COMMERCE_ARRIVAL_NEW,
           "its time is over");
    o.cart = COMMERCE_CART_IDLE;
    is_int(commerce_cart_arrive(&o, REMOVE, 0, &reason), COMMERCE_ARRIVAL_NEW, "idle");

    o.state = COMMERCE_ORDER_UNKNOWN;
    is_int(commerce_cart_arrive(&o, APPLY, 2000, &reason), COMMERCE_ARRIVAL_REFUSED, "completing, in doubt");
    is_reason(reason, ORDER_IN_FLIGHT, "completing, in doubt");
    is_int(commerce_cart_arrive(&o, COMMERCE_CART_COMPLETE, 2000, &reason), COMMERCE_ARRIVAL_RETRY,
           "... completed again");

    o.state = COMMERCE_ORDER_PLACED;
    is_int(commerce_cart_arrive(&o, REMOVE, 2000, &reason), COMMERCE_ARRIVAL_REFUSED, "an order");
    is_reason(reason, ORDER_KEY_REUSED, "an order");
    is_int(commerce_cart_arrive(&o, COMMERCE_CART_COMPLETE, 2000, &reason), COMMERCE_ARRIVAL_REPLAY,
           "... completed again");

    o.cart = COMMERCE_CART_NONE;
    is_int(commerce_cart_arrive(&o, COMMERCE_CART_COMPLETE, 2000, &reason), COMMERCE_ARRIVAL_REPLAY,
           "... restored from the log");

    o.state = COMMERCE_ORDER_UNKNOWN;
    o.fingerprint[0] = 1;
    is_int(commerce_cart_arrive(&o, COMMERCE_CART_COMPLETE, 2000, &reason), COMMERCE_ARRIVAL_REFUSED,
           "an order that was no cart, in doubt");
    is_reason(reason, ORDER_KEY_REUSED, "no cart");
}


/* completion and the clock: steps of the order itself */

static void
test_steps(void)
{
    commerce_order_t   o;
    commerce_answer_t  answer = { .payable = -1, .disputed = true };
    commerce_effect_t  e;

    o = cart(0, A);
    o.state = COMMERCE_ORDER_PENDING;
    e = commerce_order_step(&o, REFUSED, NULL, 1000);
    is_int(o.state, COMMERCE_ORDER_CART, "a completion that failed: a cart again");
    ok(e.changed && !e.removed && e.coupons == COMMERCE_COUPONS_KEEP, "... with its coupons");
    is_int(o.doubt, COMMERCE_DOUBT_UNKNOWN, "... and its doubt");

    o.state = COMMERCE_ORDER_PENDING;
    o.coupon_count = 0;
    e = commerce_order_step(&o, REFUSED, NULL, 1000);
    ok(e.removed, "without coupons it is forgotten");

    o = cart(0, 0);
    o.state = COMMERCE_ORDER_PENDING;
    e = commerce_order_step(&o, ACCEPTED, &answer, 1000);
    is_int(o.doubt, COMMERCE_DOUBT_AMOUNT, "a disputed answer is in doubt");
    is_int(e.coupons, COMMERCE_COUPONS_KEEP, "... and spends nothing");

    e = commerce_order_step(&o, COMMERCE_STEP_APPROVED, NULL, 1000);
    is_int(o.doubt, 0, "until somebody says that it stands");
    is_int(e.coupons, COMMERCE_COUPONS_REDEEM, "then it does");
    e = commerce_order_step(&o, COMMERCE_STEP_APPROVED, NULL, 1000);
    ok(!e.changed, "said again: nothing");

    o = cart(0, 0);
    o.state = COMMERCE_ORDER_UNKNOWN;
    o.doubt = COMMERCE_DOUBT_UNKNOWN;
    o.redeem_on_paid = true;
    o.created = 500;
    o.coupons[0].use = COMMERCE_USE_RESERVED;
    e = commerce_order_step(&o, COMMERCE_STEP_APPROVED, NULL, 5000);
    is_int(o.deadline, 6500, "a doubt that ends after the deadline: as much time again");
    is_int(o.due, 6500, "... and no release before");

    o = cart(C, C);
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 999);
    ok(!e.changed, "in flight: nothing is due");
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 1000);
    is_int(o.doubt, COMMERCE_DOUBT_UNKNOWN, "its time is over: in doubt");
    is_int(o.due, 2000, "looked at again at the deadline");
    o.in_doubt = COMMERCE_POLICY_HOLD;
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_int(e.coupons, COMMERCE_COUPONS_KEEP, "in_doubt=hold keeps the coupons");
    o.in_doubt = COMMERCE_POLICY_RELEASE;
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "in_doubt=release frees them");

    o = cart(0, 0);
    o.cart = COMMERCE_CART_IDLE;
    e = commerce_order_step(&o, COMMERCE_STEP_DUE, NULL, 2000);
    is_int(e.coupons, COMMERCE_COUPONS_RELEASE, "a cart that was left alone");
}


/* pointers with "*" */

static void
each(const char *text, const char *pointer, const char *want, bool want_told)
{
    bool                told;
    char                got[256] = "";
    unsigned            i, n;
    commerce_str_t      word;
    commerce_heap_t    *heap;
    commerce_json_t    *root, *found[4];
    commerce_reason_t   reason;

    heap = commerce_heap_create();
    reason = commerce_json_parse(commerce_heap_arena(heap), commerce_cstr(text), &root);
    is_reason(reason, OK, "%s", text);

    reason = commerce_json_each(root, commerce_cstr(pointer), found, 4, &n, &told);

    if (reason != COMMERCE_R(OK)) {
        snprintf(got, sizeof(got), "%.*s", (int) commerce_reason(reason)->name.len,
                 commerce_reason(reason)->name.data);
        n = 0;
    }

    for (i = 0; i < n; i++) {
        if (commerce_json_text(found[i], &word) == COMMERCE_R(OK)) {
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s ", (int) word.len, word.data);
        }
    }

    is_str(commerce_cstr(got), want, "%s in %s", pointer, text);
    is_int(told, want_told, "%s: told", pointer);
    commerce_heap_destroy(heap);
}


static void
test_each(void)
{
    each("{\"a\":[{\"c\":1},{\"c\":2},{}]}", "/a/*/c", "1 2 ", true);
    each("{\"a\":{\"x\":{\"c\":1},\"y\":{\"c\":2}}}", "/a/*/c", "1 2 ", true);
    each("{\"a\":[[1,2],[3]]}", "/a/*/*", "1 2 3 ", true);
    each("{\"a\":[]}", "/a/*/c", "", true);
    each("{\"b\":[]}", "/a/*/c", "", false);
    each("{\"a\":null}", "/a/*/c", "", false);
    each("{\"a\":{\"c\":5}}", "/a/c", "5 ", true);
    each("{\"a\":{}}", "/a/c", "", false);
    each("{\"a\":[1,2,3,4]}", "/a/*", "1 2 3 4 ", true);
    each("{\"a\":[1,2,3,4,5]}", "/a/*", "BODY_TOO_LARGE", true);
    each("{\"a\":\"text\"}", "/a/*/c", "BODY_MALFORMED", true);
    each("{\"a\":[{\"c\":1,\"c\":2}]}", "/a/*/c", "BODY_DUPLICATE_MEMBER", true);
    each("{\"a\":{\"*x\":7}}", "/a/*x", "7 ", true);

    ok(commerce_json_pointer_many(S("/a/*")) && commerce_json_pointer_many(S("/*/b")), "with a star");
    ok(!commerce_json_pointer_many(S("/a/*b")) && !commerce_json_pointer_many(S("/a")), "without");
}


int
main(void)
{
    test_settle();
    test_drop();
    test_find();
    test_arrive();
    test_steps();
    test_each();

    return done_testing();
}
