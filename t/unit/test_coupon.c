/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_rules.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define FACTS(u, t)  (&(commerce_facts_t) { .user = S(u), .now = t })
#define SKUS(c)      c.scopes[COMMERCE_SCOPE_SKU]


static commerce_campaign_t
campaign(void)
{
    return (commerce_campaign_t) {
        .number = 1, .id = S("autumn"), .fixed = 1000, .from = 100, .until = 200,
        .enabled = true,
        .minted = 10
    };
}


static void
test_open(void)
{
    uint8_t              admits[1];
    commerce_fen_t       discount;
    commerce_line_t      line = { S("A"), 1, 5000, 0, -1, { 0, 0 } };
    commerce_coupon_t    coupon = { .campaign = 1, .serial = 3 };
    commerce_campaign_t  c = campaign();

#define CHECK(now)                                                              \
    (line.discount = 0,                                                         \
     commerce_coupon_check(&c, &coupon, FACTS("u1", now), &line, 1, admits, &discount))

    is_reason(CHECK(100), OK, "first second");
    is_int(discount, 1000, "discount");
    is_int(line.discount, 1000, "of the line");
    is_int(admits[0], 1, "admitted");
    is_reason(CHECK(199), OK, "last second");
    is_reason(CHECK(99), COUPON_NOT_STARTED, "a second early");
    is_int(discount, -1, "no discount");
    is_int(line.discount, 0, "line untouched");
    is_reason(CHECK(200), COUPON_EXPIRED, "until is the first dead second");

    coupon.serial = 10;
    is_reason(CHECK(150), COUPON_NOT_FOUND, "not minted");
    c.enabled = false;
    is_reason(CHECK(150), COUPON_DISABLED, "disabled goes first");
    coupon.serial = 9;
    c.enabled = true;
    is_reason(CHECK(150), OK, "the last one minted");

    c.holder_required = true;
    is_reason(CHECK(150), COUPON_HOLDER_MISMATCH, "nobody's coupon where a holder is required");
    coupon.holder = S("u2");
    is_reason(CHECK(150), COUPON_HOLDER_MISMATCH, "somebody else's");
    coupon.holder = S("u1");
    is_reason(CHECK(150), OK, "his own");
    c.holder_required = false;
    coupon.holder = S("u2");
    is_reason(CHECK(150), COUPON_HOLDER_MISMATCH, "given to somebody: his in any campaign");
}


static void
test_amounts(void)
{
    uint8_t              admits[3];
    commerce_fen_t       discount;
    commerce_coupon_t    coupon = { .campaign = 1 };
    commerce_campaign_t  c = campaign();

    commerce_line_t  lines[3] = {
        { S("A"), 1, 9999, 0, -1, { 0, 0 } }, { S("B"), 2, 3333, 0, -1, { 0, 0 } }, { S("C"), 1, 1, 0, -1, { 0, 0 } }
    };

    /* 15 % of 13333 = 1999.95, half up 2000; 1499.887 + 499.9625 + 0.15 by largest remainder */

    c.fixed = 0;
    c.percent = 1500;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount), OK,
              "percent");
    is_int(discount, 2000, "half up");
    is_int(lines[0].discount, 1500, "line 0");
    is_int(lines[1].discount, 500, "line 1");
    is_int(lines[2].discount, 0, "line 2");

    /* the second coupon: 15 % of 8499 + 2833 + 1 = 1699.95, capped */

    c.cap = 1600;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount), OK,
              "stacked");
    is_int(discount, 1600, "capped");
    is_int(lines[0].discount + lines[1].discount + lines[2].discount, 3600, "sum");

    /* the third takes more than is left of its lines */

    c.percent = c.cap = 0;
    c.fixed = 999999;
    SKUS(c) = (commerce_ids_t) { (commerce_str_t[]) { S("C"), S("B") }, 2 };
    discount = lines[0].discount;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount), OK,
              "fixed above the rest");
    is_int(lines[1].discount, 3333, "line 1 is free");
    is_int(lines[2].discount, 1, "line 2 is free");
    is_int(lines[0].discount, 2700, "line 0 was not admitted: 1500 + 1200");
    is_int(discount, 2434, "what was left: 3334 - 900");
    is_int(admits[0], 0, "admits A");
    is_int(admits[1] + admits[2], 2, "admits B and C");

    /* minimum spend counts what earlier coupons left of admitted lines */

    lines[1].discount = lines[2].discount = 0;
    c.minimum_spend = 3334;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount), OK,
              "exactly the minimum");
    lines[1].discount = 1;
    lines[2].discount = 0;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount),
              COUPON_MIN_SPEND, "a fen less");
    is_int(lines[1].discount, 1, "nothing taken");

    SKUS(c).ids = (commerce_str_t[]) { S("a"), S("") };
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 3, admits, &discount),
              COUPON_SKU_NOT_ELIGIBLE, "case matters");
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), NULL, 0, NULL, &discount),
              COUPON_SKU_NOT_ELIGIBLE, "no lines prove no SKU");
}


static void
test_unknown_amounts(void)
{
    uint8_t              admits[300];
    commerce_fen_t       discount;
    commerce_line_t      many[300];
    commerce_coupon_t    coupon = { .campaign = 1 };
    commerce_campaign_t  c = campaign();

    commerce_line_t  lines[2] = { { S("A"), 1, 5000, 0, -1, { 0, 0 } }, { S("B"), 1, -1, 0, -1, { 0, 0 } } };

    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 2, admits, &discount), OK,
              "one line names no amount");
    is_int(discount, -1, "discount is not known");
    is_int(lines[0].discount, 0, "nothing taken");

    SKUS(c).ids = (commerce_str_t[]) { S("A") };
    SKUS(c).count = 1;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 2, admits, &discount), OK,
              "that line is not admitted");
    is_int(discount, 1000, "known");

    c = campaign();
    c.minimum_spend = 1;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), lines, 2, admits, &discount),
              COUPON_MIN_SPEND, "nothing proves the minimum");
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), NULL, 0, NULL, &discount),
              COUPON_MIN_SPEND, "no lines either");
    c.minimum_spend = 0;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), NULL, 0, NULL, &discount), OK,
              "no lines");
    is_int(discount, -1, "no amount");

    memset(many, 0, sizeof(many));
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), many, 256, admits, &discount), OK,
              "256 lines of nothing");
    is_int(discount, 0, "are worth nothing");
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), many, 257, admits, &discount),
              INTERNAL, "257 lines");

    many[0].amount = COMMERCE_FEN_MAX + 1;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), many, 1, admits, &discount),
              INTERNAL, "an amount beyond the range");

    many[0].amount = 5;
    many[0].discount = 9;
    is_reason(commerce_coupon_check(&c, &coupon, FACTS("u", 150), many, 1, admits, &discount), OK,
              "a line below zero");
    is_int(many[0].discount, 9, "gives nothing more");
}


static void
test_steps(void)
{
    commerce_coupon_t  coupon = { .campaign = 1, .serial = 3 };

#define STEP(step, user, key)  commerce_coupon_##step(&coupon, S(user), S(key), 500)

    is_reason(STEP(release, "u", "k"), COUPON_IDEMPOTENT_REPLAY, "release of an issued one");
    is_reason(STEP(rollback, "u", "k"), COUPON_IDEMPOTENT_REPLAY, "rollback of an issued one");
    is_reason(STEP(redeem, "u", "k"), COUPON_RESERVATION_LOST, "redeem of an issued one");
    is_int(coupon.state, COMMERCE_COUPON_ISSUED, "issued");

    is_reason(STEP(reserve, "u", "k"), OK, "reserve");
    is_int(coupon.state, COMMERCE_COUPON_RESERVED, "reserved");
    is_str(coupon.order_key, "k", "by this order");
    is_str(coupon.used_by, "u", "counts for this user");
    is_int(coupon.changed, 500, "at this time");
    is_reason(STEP(reserve, "u", "k"), COUPON_IDEMPOTENT_REPLAY, "again");
    is_reason(STEP(reserve, "u", "k2"), COUPON_HELD_BY_OTHER_ORDER, "another key");
    is_reason(STEP(reserve, "u2", "k"), COUPON_HELD_BY_OTHER_ORDER, "another user's key");
    is_reason(STEP(release, "u", "k2"), COUPON_IDEMPOTENT_REPLAY, "release by another");
    is_reason(STEP(redeem, "u2", "k"), COUPON_RESERVATION_LOST, "redeem by another");
    is_reason(STEP(rollback, "u", "k"), COUPON_IDEMPOTENT_REPLAY, "rollback of a reserved one");
    is_int(coupon.state, COMMERCE_COUPON_RESERVED, "still reserved");

    is_reason(STEP(release, "u", "k"), OK, "release");
    is_int(coupon.state, COMMERCE_COUPON_ISSUED, "issued");
    is_int((int64_t) coupon.order_key.len + (int64_t) coupon.used_by.len, 0, "by nobody");
    is_int(coupon.cycles, 0, "a release is no cycle");

    STEP(reserve, "u2", "k");
    is_reason(STEP(redeem, "u2", "k"), OK, "redeem");
    is_reason(STEP(redeem, "u2", "k"), COUPON_IDEMPOTENT_REPLAY, "again");
    is_reason(STEP(reserve, "u2", "k"), COUPON_IDEMPOTENT_REPLAY, "reserve by the same");
    is_reason(STEP(reserve, "u", "k"), COUPON_ALREADY_REDEEMED, "reserve by another");
    is_reason(STEP(release, "u2", "k"), COUPON_IDEMPOTENT_REPLAY, "a redeemed one is not released");
    is_reason(STEP(rollback, "u", "k"), COUPON_IDEMPOTENT_REPLAY, "rollback by another");
    is_int(coupon.state, COMMERCE_COUPON_REDEEMED, "still redeemed");
    is_reason(STEP(rollback, "u2", "k"), OK, "rollback");
    is_int(coupon.cycles, 1, "one cycle");
    is_reason(STEP(rollback, "u2", "k"), COUPON_IDEMPOTENT_REPLAY, "again");
    is_int(coupon.cycles, 1, "still one");

    coupon.state = COMMERCE_COUPON_STATE_VOID;
    is_reason(STEP(reserve, "u", "k"), COUPON_VOID, "void");
    is_reason(STEP(redeem, "", ""), COUPON_RESERVATION_LOST, "void is nobody's");
    is_str(commerce_cstr(commerce_coupon_state_name(COMMERCE_COUPON_STATE_VOID)), "void", "name");
}


int
main(void)
{
    test_open();
    test_amounts();
    test_unknown_amounts();
    test_steps();

    return done_testing();
}
