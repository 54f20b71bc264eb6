/*
 * Copyright (C) ngx_commerce authors
 *
 * Every rule on both sides of its boundary: one fen, one second, one piece.
 */

#include "tap.h"
#include "commerce_rules.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define NOW  1800000000     /* 2027-01-15T08:00:00Z, a Friday: 16:00 in Shanghai */

/* one order: up to three lines */
typedef struct {
    commerce_line_t   lines[3];
    unsigned          count;
    commerce_facts_t  facts;
    commerce_fen_t    discount;
} order_t;


static commerce_campaign_t
campaign(void)
{
    return (commerce_campaign_t) {
        .number = 1, .id = S("c"), .fixed = 100, .until = COMMERCE_FOREVER, .enabled = true,
        .minted = 10
    };
}


static order_t
order(commerce_fen_t a, commerce_fen_t b)
{
    return (order_t) {
        { { S("A"), 1, a, 0, -1, { 0, 0 } }, { S("B"), 2, b, 0, -1, { 0, 0 } } }, 2, { .user = S("u"), .now = NOW }, -1
    };
}


static commerce_reason_t
check(const commerce_campaign_t *c, order_t *o)
{
    uint8_t            admits[3];
    commerce_coupon_t  coupon = { .campaign = 1 };

    return commerce_coupon_check(c, &coupon, &o->facts, o->lines, o->count, admits, &o->discount);
}


/* a sum of two lines, and what the coupon takes off; -1: COUPON_MIN_SPEND */

static void
test_forms(void)
{
    unsigned             i;
    order_t              o;
    commerce_reason_t    reason;
    commerce_campaign_t  c;

    static commerce_step_off_t  steps[3] = { { 10000, 1000 }, { 20000, 2500 }, { 30000, 5000 } };

    static const struct {
        const char      *form;
        commerce_fen_t   fixed;
        unsigned         percent;
        commerce_fen_t   cap, minimum, off;
        unsigned         steps;
        commerce_fen_t   spend;             /* the campaign's minimum */
        commerce_fen_t   a, b, discount;    /* lines, and what comes of them */
    } cases[] = {
        { "fixed", 1000, 0, 0, 0, 0, 0, 0, 600, 401, 1000 },
        { "fixed, of just as much", 1000, 0, 0, 0, 0, 0, 0, 600, 400, 1000 },
        { "fixed, of a fen less", 1000, 0, 0, 0, 0, 0, 0, 600, 399, 999 },
        { "fixed, of nothing", 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
        { "fixed, a fen below the minimum", 1000, 0, 0, 0, 0, 0, 9900, 9000, 899, -1 },
        { "fixed, at the minimum", 1000, 0, 0, 0, 0, 0, 9900, 9000, 900, 1000 },

        { "percent, exact", 0, 1500, 0, 0, 0, 0, 0, 100, 100, 30 },
        { "percent, half a fen goes up", 0, 1500, 0, 0, 0, 0, 0, 100, 10, 17 },
        { "percent, less than half goes down", 0, 1500, 0, 0, 0, 0, 0, 100, 9, 16 },
        { "percent, of a fen", 0, 4999, 0, 0, 0, 0, 0, 1, 0, 0 },
        { "percent, of a fen", 0, 5000, 0, 0, 0, 0, 0, 1, 0, 1 },
        { "all of it", 0, 10000, 0, 0, 0, 0, 0, 1, 1, 2 },
        { "percent, a fen below the cap", 0, 1000, 100, 0, 0, 0, 0, 500, 494, 99 },
        { "percent, rounded up to the cap", 0, 1000, 100, 0, 0, 0, 0, 500, 495, 100 },
        { "percent, at the cap", 0, 1000, 100, 0, 0, 0, 0, 500, 500, 100 },
        { "percent, above the cap", 0, 1000, 100, 0, 0, 0, 0, 500, 510, 100 },
        { "percent, at the minimum", 0, 1000, 0, 0, 0, 0, 1000, 500, 500, 100 },
        { "percent, a fen below", 0, 1000, 0, 0, 0, 0, 1000, 500, 499, -1 },

        { "a fen below the first threshold", 0, 0, 0, 0, 0, 3, 0, 5000, 4999, -1 },
        { "at the first", 0, 0, 0, 0, 0, 3, 0, 5000, 5000, 1000 },
        { "a fen below the second", 0, 0, 0, 0, 0, 3, 0, 5000, 14999, 1000 },
        { "at the second", 0, 0, 0, 0, 0, 3, 0, 5000, 15000, 2500 },
        { "a fen below the third", 0, 0, 0, 0, 0, 3, 0, 5000, 24999, 2500 },
        { "at the third", 0, 0, 0, 0, 0, 3, 0, 5000, 25000, 5000 },
        { "far above", 0, 0, 0, 0, 0, 3, 0, 5000, 2500000, 5000 },
        { "a threshold, a minimum above it", 0, 0, 0, 0, 0, 3, 20001, 5000, 15000, -1 },

        { "every: a fen below", 0, 0, 0, 10000, 1000, 0, 0, 5000, 4999, -1 },
        { "every: once", 0, 0, 0, 10000, 1000, 0, 0, 5000, 5000, 1000 },
        { "every: once, a fen below twice", 0, 0, 0, 10000, 1000, 0, 0, 5000, 14999, 1000 },
        { "every: twice", 0, 0, 0, 10000, 1000, 0, 0, 5000, 15000, 2000 },
        { "every: capped", 0, 0, 2500, 10000, 1000, 0, 0, 5000, 25000, 2500 },
        { "every: at its cap", 0, 0, 3000, 10000, 1000, 0, 0, 5000, 25000, 3000 },
        { "every: more than there is", 0, 0, 0, 1, COMMERCE_FEN_MAX, 0, 0, COMMERCE_FEN_MAX,
          COMMERCE_FEN_MAX, 2 * COMMERCE_FEN_MAX }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = campaign();
        c.fixed = cases[i].fixed;
        c.percent = cases[i].percent;
        c.cap = cases[i].cap;
        c.every = (commerce_step_off_t) { cases[i].minimum, cases[i].off };
        c.steps = steps;
        c.step_count = cases[i].steps;
        c.minimum_spend = cases[i].spend;
        o = order(cases[i].a, cases[i].b);

        reason = check(&c, &o);

        is_str(commerce_reason(reason)->name, cases[i].discount < 0 ? "COUPON_MIN_SPEND" : "OK",
               "%s: %lld + %lld", cases[i].form, (long long) cases[i].a, (long long) cases[i].b);
        is_int(o.discount, cases[i].discount, "%s: discount", cases[i].form);
        is_int(o.lines[0].discount + o.lines[1].discount,
               cases[i].discount < 0 ? 0 : cases[i].discount, "%s: spread", cases[i].form);
        ok(o.lines[0].discount <= cases[i].a && o.lines[1].discount <= cases[i].b,
           "%s: no line below zero", cases[i].form);
    }
}


/* whatever the order of coupons, what is to be paid is never negative */

static void
test_negative(void)
{
    unsigned             i, k;
    order_t              o;
    commerce_fen_t       paid, taken;
    commerce_campaign_t  c;

    for (i = 0; i < 8; i++) {
        o = order(823, 1);
        taken = 0;

        for (k = 0; k < 5; k++) {
            c = campaign();
            c.fixed = 1000;
            c.base_initial = (i & 1) != 0;

            if (i & 2) {
                c.fixed = 0;
                c.percent = 9999;
            }

            if (i & 4) {
                c.fixed = c.percent = 0;
                c.every = (commerce_step_off_t) { 1, 2 };
                c.base_initial = true;
            }

            is_reason(check(&c, &o), OK, "coupon %u of kind %u", k, i);
            taken += o.discount;
        }

        paid = o.lines[0].amount + o.lines[1].amount - taken;
        ok(paid >= 0 && o.lines[0].discount <= 823 && o.lines[1].discount <= 1,
           "five coupons of kind %u leave %lld", i, (long long) paid);
        is_int(o.lines[0].discount + o.lines[1].discount, taken, "and the lines add up");
    }
}


/* base=initial: sums are of what there was, the discount of what is left */

static void
test_base(void)
{
    order_t              o;
    commerce_campaign_t  first, second;

    first = campaign();
    first.fixed = 5000;
    second = campaign();
    second.fixed = 0;
    second.percent = 1000;
    second.minimum_spend = 5001;

    o = order(6000, 4000);
    is_reason(check(&first, &o), OK, "50.00 off 100.00");
    is_reason(check(&second, &o), COUPON_MIN_SPEND, "what is left is a fen below the minimum");
    second.minimum_spend = 5000;
    is_reason(check(&second, &o), OK, "or at it");
    is_int(o.discount, 500, "10 %% of what is left");

    o = order(6000, 4000);
    second.base_initial = true;
    second.minimum_spend = 10001;
    is_reason(check(&first, &o), OK, "again");
    is_reason(check(&second, &o), COUPON_MIN_SPEND, "the whole is a fen below the minimum");
    second.minimum_spend = 10000;
    is_reason(check(&second, &o), OK, "or at it");
    is_int(o.discount, 1000, "10 %% of the whole");

    o = order(6000, 4000);
    first.fixed = 9001;
    is_reason(check(&first, &o), OK, "90.01 off");
    is_reason(check(&second, &o), OK, "10 %% of the whole is a fen more than is left");
    is_int(o.discount, 999, "which is all that is given");
}


static void
test_times(void)
{
    unsigned             i;
    order_t              o;
    commerce_campaign_t  c;

    static commerce_hours_t  office[] = { { 0x1f, 9 * 60, 18 * 60 }, { 0x40, 0, 24 * 60 } };

    static const struct {
        commerce_time_t  time;
        const char      *reason;
    } cases[] = {
        { NOW - 7 * 3600 - 1, "COUPON_DAY_NOT_ELIGIBLE" },      /* Friday, 08:59:59 */
        { NOW - 7 * 3600, "OK" },
        { NOW + 2 * 3600 - 1, "OK" },                           /* 17:59:59 */
        { NOW + 2 * 3600, "COUPON_DAY_NOT_ELIGIBLE" },
        { NOW + 86400, "COUPON_DAY_NOT_ELIGIBLE" },             /* Saturday */
        { NOW + 86400 + 8 * 3600 - 1, "COUPON_DAY_NOT_ELIGIBLE" },
        { NOW + 86400 + 8 * 3600, "OK" },                       /* Sunday, 00:00:00 */
        { NOW + 2 * 86400 + 8 * 3600 - 1, "OK" },               /* 23:59:59 */
        { NOW + 2 * 86400 + 8 * 3600, "COUPON_DAY_NOT_ELIGIBLE" }
    };

    c = campaign();
    c.from = NOW;
    c.until = NOW + 10;
    o = order(1000, 0);

    o.facts.now = NOW - 1;
    is_reason(check(&c, &o), COUPON_NOT_STARTED, "a second early");
    o.facts.now = NOW;
    is_reason(check(&c, &o), OK, "the first second");
    o.facts.now = NOW + 9;
    is_reason(check(&c, &o), OK, "the last second");
    o.facts.now = NOW + 10;
    is_reason(check(&c, &o), COUPON_EXPIRED, "the first dead second");

    c = campaign();
    commerce_zone_fixed(S("Asia/Shanghai"), &c.zone);
    c.hours = office;
    c.hours_count = 2;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        o = order(1000, 0);
        o.facts.now = cases[i].time;
        is_str(commerce_reason(check(&c, &o))->name, cases[i].reason, "hours %u", i);
    }
}


static void
test_quantity(void)
{
    order_t              o;
    commerce_campaign_t  c;

    static commerce_str_t  b[] = { { "B", 1 } };

    c = campaign();
    c.minimum_quantity = 3;
    o = order(1000, 1000);
    is_reason(check(&c, &o), OK, "three pieces");
    c.minimum_quantity = 4;
    o = order(1000, 1000);
    is_reason(check(&c, &o), COUPON_MIN_QTY, "one is missing");
    c.scopes[COMMERCE_SCOPE_SKU] = (commerce_ids_t) { b, 1 };
    c.minimum_quantity = 2;
    is_reason(check(&c, &o), OK, "two of the admitted line");
    c.minimum_quantity = 3;
    is_reason(check(&c, &o), COUPON_MIN_QTY, "others do not count");

    o = order(-1, -1);
    c.minimum_quantity = 2;
    is_reason(check(&c, &o), OK, "pieces are known without amounts");
    o.count = 0;
    c.scopes[COMMERCE_SCOPE_SKU].count = 0;
    is_reason(check(&c, &o), COUPON_MIN_QTY, "without lines nothing proves them");
}


/* each list: an id in it, another, none */

static void
test_scopes(void)
{
    unsigned             i;
    order_t              o;
    commerce_str_t      *fact;
    commerce_campaign_t  c;

    static commerce_str_t     list[] = { { "x", 1 }, { "7", 1 } };
    static const char *const  reasons[COMMERCE_SCOPES] = {
        "COUPON_SKU_NOT_ELIGIBLE", "COUPON_SKU_NOT_ELIGIBLE", "COUPON_STORE_NOT_ELIGIBLE",
        "COUPON_CHANNEL_NOT_ELIGIBLE", "COUPON_LIVE_ROOM_ONLY", "COUPON_GROUP_NOT_ELIGIBLE",
        "COUPON_SELLER_NOT_ELIGIBLE", "COUPON_MEMBER_LEVEL"
    };

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        commerce_str_t  categories[2] = { S(""), S("") };

        c = campaign();
        c.scopes[i] = (commerce_ids_t) { list, 2 };
        o = order(1000, 1000);
        o.facts.categories = categories;

        fact = i == COMMERCE_SCOPE_SKU ? &o.lines[1].sku
               : i == COMMERCE_SCOPE_CATEGORY ? &categories[1]
               : i == COMMERCE_SCOPE_STORE ? &o.facts.store
               : i == COMMERCE_SCOPE_ROOM ? &o.facts.room
               : i == COMMERCE_SCOPE_GROUP ? &o.facts.group
               : i == COMMERCE_SCOPE_SELLER ? &o.facts.seller
               : i == COMMERCE_SCOPE_LEVEL ? &o.facts.level : NULL;

        is_str(commerce_reason(check(&c, &o))->name, reasons[i], "%s: none",
               commerce_scope_name(i));

        if (fact == NULL) {
            o.facts.channel = 8;

        } else {
            *fact = S("xx");
        }

        is_str(commerce_reason(check(&c, &o))->name, reasons[i], "%s: another",
               commerce_scope_name(i));

        if (fact == NULL) {
            o.facts.channel = 7;

        } else {
            *fact = S("7");
        }

        is_reason(check(&c, &o), OK, "%s: one of them", commerce_scope_name(i));
        is_int(o.discount, 100, "its discount");

        if (i <= COMMERCE_SCOPE_CATEGORY) {
            is_int(o.lines[0].discount, 0, "of the admitted line only");
        }
    }

    c = campaign();
    c.scopes[COMMERCE_SCOPE_SKU] = (commerce_ids_t) { list, 1 };
    c.scopes[COMMERCE_SCOPE_CATEGORY] = (commerce_ids_t) { list, 1 };
    o = order(1000, 1000);
    o.lines[0].sku = S("x");
    is_reason(check(&c, &o), COUPON_SKU_NOT_ELIGIBLE, "SKU and category must both fit");
    o.facts.categories = (commerce_str_t[]) { S("x"), S("x") };
    is_reason(check(&c, &o), OK, "as they do here");

    c = campaign();
    c.new_customers = true;
    o = order(1000, 0);
    is_reason(check(&c, &o), COUPON_NEW_CUSTOMER_ONLY, "nobody says that the customer is new");
    o.facts.new_customer = true;
    is_reason(check(&c, &o), OK, "somebody does");
}


static void
test_stacking(void)
{
    commerce_campaign_t  any, exclusive, red, green, red2, two;

    any = exclusive = red = red2 = green = two = campaign();
    exclusive.stack = COMMERCE_STACK_EXCLUSIVE;
    red.stack = red2.stack = green.stack = COMMERCE_STACK_CLASS;
    red.stack_class = red2.stack_class = S("red");
    green.stack_class = S("green");
    two.stack_limit = 2;

#define STACK(c, ...)                                                           \
    commerce_rules_stack(&c, (const commerce_campaign_t *[]) { __VA_ARGS__ },   \
                         sizeof((const commerce_campaign_t *[]) { __VA_ARGS__ }) / sizeof(void *))

    is_reason(commerce_rules_stack(&exclusive, NULL, 0), OK, "exclusive, alone");
    is_reason(STACK(exclusive, &any), COUPON_NOT_STACKABLE, "exclusive, behind another");
    is_reason(STACK(any, &exclusive), COUPON_NOT_STACKABLE, "another behind an exclusive one");
    is_reason(STACK(any, &any), OK, "two of one campaign");
    is_reason(STACK(any, &any, &red, &green, &any), OK, "many");
    is_reason(STACK(red, &any, &red2), COUPON_NOT_STACKABLE, "two of one class");
    is_reason(STACK(red, &any, &green), OK, "two classes");
    is_reason(STACK(two, &any), OK, "the second of two");
    is_reason(STACK(two, &any, &any), COUPON_STACK_LIMIT, "the third");
    is_reason(STACK(any, &two), OK, "the second beside one that allows two");
    is_reason(STACK(any, &any, &two), COUPON_STACK_LIMIT, "the third");
    is_reason(STACK(red, &red2, &two, &any), COUPON_NOT_STACKABLE, "the class goes first");
}


/* lines that name no amounts */

static void
test_unknown(void)
{
    order_t              o;
    commerce_campaign_t  c;

    static commerce_step_off_t  steps[1] = { { 100, 10 } };

    o = order(1000, -1);

    c = campaign();
    is_reason(check(&c, &o), OK, "fixed");
    is_int(o.discount, -1, "not known");
    c.minimum_spend = 1;
    is_reason(check(&c, &o), COUPON_MIN_SPEND, "a minimum is not proved");
    c = campaign();
    c.fixed = 0;
    c.steps = steps;
    c.step_count = 1;
    is_reason(check(&c, &o), COUPON_MIN_SPEND, "nor a threshold");
    c.step_count = 0;
    c.every = steps[0];
    c.cap = 10;
    is_reason(check(&c, &o), COUPON_MIN_SPEND, "nor every");
    c.every.off = 0;
    c.percent = 100;
    c.budgets[COMMERCE_COUNT_SELLER] = 1;
    is_reason(check(&c, &o), OK, "a percentage with a cap and a budget");
    c.cap = 0;
    is_reason(check(&c, &o), COUPON_BUDGET_EXHAUSTED, "without a cap nobody can tell");
    c.budgets[COMMERCE_COUNT_SELLER] = 0;
    is_reason(check(&c, &o), OK, "nor need to, without a budget");
    is_int(o.lines[0].discount, 0, "no line was touched");
}


int
main(void)
{
    test_forms();
    test_negative();
    test_base();
    test_times();
    test_quantity();
    test_scopes();
    test_stacking();
    test_unknown();

    return done_testing();
}
