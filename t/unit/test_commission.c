/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "tap.h"
#include "commerce_record.h"


#define S  commerce_string

static commerce_heap_t   *heap;
static commerce_arena_t  *arena;
static char               said[4096];


static void
hear(void *data, const char *sentence)
{
    strncat(said, sentence, sizeof(said) - strlen(said) - 2);
    strncat(said, "\n", 2);
}


static int
parse(const char *json, commerce_commission_plan_t *plan)
{
    said[0] = '\0';
    return commerce_commission_parse(arena, commerce_cstr(json), plan, hear, NULL);
}


static void
test_refused(void)
{
    unsigned                    i;
    commerce_commission_plan_t  plan;

    static const struct {
        const char  *json, *says;
    } cases[] = {
        { "", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{\"rules\":[]}", "member \"v\" is missing" },
        { "{\"v\":2,\"rules\":[]}", "member \"v\" is 2; allowed is a whole number of the file's version from 1 to 1" },
        { "{\"v\":1}", "member \"rules\" is missing" },
        { "{\"v\":1,\"rules\":{}}", "member \"rules\" is an object; allowed is a list of at most 512 rules" },
        { "{\"v\":1,\"rules\":[7]}", "member \"rules/0\" is 7" },
        { "{\"v\":1,\"cap\":10001,\"rules\":[]}", "member \"cap\" is 10001; allowed is a whole number of basis points"
          " from 0 to 10000" },
        { "{\"v\":1,\"cap_over\":\"most\",\"rules\":[]}", "member \"cap_over\" is \"most\"; allowed is \"tiers\" or"
          " \"all\"" },
        { "{\"v\":1,\"rules\":[{\"tier1\":100}]}", "member \"rules/0/tier2\" is missing" },
        { "{\"v\":1,\"rules\":[{\"tier2\":100}]}", "member \"rules/0/tier1\" is missing" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1},{\"tier1\":\"1\",\"tier2\":1}]}",
          "member \"rules/1/tier1\" is \"1\"" },
        { "{\"v\":1,\"rules\":[{\"tier1\":-1,\"tier2\":1}]}", "member \"rules/0/tier1\" is -1" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1.5,\"tier2\":1}]}", "member \"rules/0/tier1\" is 1.5" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier1\":2,\"tier2\":1}]}", "member \"rules/0/tier1\" stands there twice" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1,\"tier3\":1}]}", "member \"rules/0/tier3\" is unknown" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1,\"sku\":[]}]}", "member \"rules/0/sku\" is a list of 0; allowed"
          " is a list of 1 to 256 ids" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1,\"sku\":\"A\"}]}", "member \"rules/0/sku\" is \"A\"" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1,\"group\":[1]}]}", "member \"rules/0/group\" is 1" },
        { "{\"v\":1,\"rules\":[{\"tier1\":1,\"tier2\":1,\"role\":[\"boss\"]}]}", "member \"rules/0/role\" is \"boss\"" },
        { "{\"v\":1,\"rules\":[{\"tier1\":2000,\"tier2\":1001}]}", "member \"rules/0\" pays tiers 1 and 2 3001 basis points"
          " together; the cap is 3000" },
        { "{\"v\":1,\"cap\":100,\"rules\":[{\"tier1\":10,\"tier2\":0},{\"tier1\":101,\"tier2\":0}]}",
          "member \"rules/1\" pays tiers 1 and 2 101 basis points together; the cap is 100" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(parse(cases[i].json, &plan), COMMERCE_ERROR, "refused: %s", cases[i].json);
        ok(strstr(said, cases[i].says) != NULL, "... and says why: %s", said);
    }

    is_int(parse("{\"v\":1,\"rules\":[{\"tier1\":2000,\"tier2\":1000}]}", &plan), COMMERCE_OK, "3000 of 3000");
    is_int(plan.cap, 3000, "the cap that nobody named");
}


static void
test_matches(void)
{
    unsigned                     i;
    commerce_line_t              lines[4];
    commerce_order_t             order;
    commerce_commission_plan_t   plan;
    commerce_commission_facts_t  facts;

    memset(&order, 0, sizeof(order));
    memset(lines, 0, sizeof(lines));
    memset(&facts, 0, sizeof(facts));

    order.lines = lines;
    order.line_count = 4;
    order.credit_count = 3;
    order.credits[0] = (commerce_credit_t) { .seller = 1, .seller_id = S("anna"), .group_id = S("g1") };
    order.credits[1] = (commerce_credit_t) { .seller = 2, .seller_id = S("lina") };
    order.credits[2] = (commerce_credit_t) { .source = COMMERCE_SOURCE_GROUP };     /* the house's */
    facts.roles[0] = S("koc");
    facts.roles[1] = S("guide");

    for (i = 0; i < 4; i++) {
        lines[i].sku = i == 0 ? S("A") : S("B");
        lines[i].credit = (int) i - 1 + (i == 0 ? 1 : 0);       /* 0, 0, 1, 2 */
    }

    is_int(parse("{\"v\":1,\"rules\":["
                 "{\"sku\":[\"A\",\"C\"],\"person\":[\"anna\"],\"tier1\":1,\"tier2\":2},"
                 "{\"sku\":[\"A\"],\"tier1\":3,\"tier2\":4},"
                 "{\"campaign\":[\"autumn\"],\"tier1\":5,\"tier2\":6},"
                 "{\"role\":[\"guide\"],\"tier1\":7,\"tier2\":8},"
                 "{\"group\":[\"g1\"],\"tier1\":9,\"tier2\":10}]}", &plan), COMMERCE_OK, "a plan");
    plan.version = 4;
    ok(commerce_commission_needs_role(&plan), "that asks for roles");

    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(order.terms.plan, 4, "the order remembers the plan's version");
    is_int(order.terms.cap, 3000, "and its cap");
    is_int(lines[0].rates.tier1, 1, "sku and person");
    is_int(lines[1].rates.tier1, 9, "group");
    is_int(lines[2].rates.tier2, 8, "role");
    is_int(lines[3].rates.tier1 + lines[3].rates.tier2, 0, "the house gets none");

    order.coupon_count = 1;
    order.coupons[0].campaign_id = S("autumn");
    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(lines[0].rates.tier1, 1, "the first rule wins");
    is_int(lines[2].rates.tier1, 5, "campaign");

    order.coupons[0].use = COMMERCE_USE_RELEASED;
    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(lines[2].rates.tier1, 7, "a coupon that was given back is none");

    order.terms.platform = S("wechat");
    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(lines[0].rates.tier1 + lines[0].rates.tier2, 0, "a platform pays");

    order.terms.double_pay = true;
    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(lines[0].rates.tier1, 1, "... and the shop as well");

    order.line_count = 0;
    commerce_commission_snapshot(&plan, &facts, &order);
    is_int(order.terms.rates.tier1, 9, "an order without lines");
}


static void
test_amounts(void)
{
    unsigned        i;
    commerce_fen_t  tier1, tier2;

    static const struct {
        unsigned        tier1, tier2, cap;
        commerce_fen_t  net, first, second;
    } cases[] = {
        { 1000, 500, 3000, 18800, 1880, 940 },
        { 1000, 500, 3000, 0, 0, 0 },
        { 1000, 500, 3000, 4, 0, 0 },                       /* 0.4, 0.2 */
        { 1000, 500, 3000, 5, 1, 0 },                       /* 0.5 up; 0.25; most 1.5 */
        { 1500, 1500, 3000, 5, 1, 0 },                      /* 0.75 up to 1 each, most 1: tier 2 gets what is left */
        { 1500, 1500, 3000, 7, 1, 1 },                      /* 1.05 each; most 2.1 */
        { 1500, 1500, 3000, 9, 1, 1 },                      /* 1.35 each; most 2.7 */
        { 3000, 0, 3000, 5, 1, 0 },                         /* 1.5 up, but most 1.5 down */
        { 5000, 5000, 10000, 3, 2, 1 },                     /* 1.5 each: nobody gets more than there is */
        { 10000, 0, 10000, COMMERCE_FEN_MAX, COMMERCE_FEN_MAX, 0 },
        { 3000, 3000, 6000, INT64_MAX, 2767011611056432742LL, 2767011611056432742LL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        commerce_commission_amounts(&(commerce_rates_t) { cases[i].tier1, cases[i].tier2 }, cases[i].cap, cases[i].net,
                                    &tier1, &tier2);
        is_int(tier1, cases[i].first, "%u of %lld", cases[i].tier1, (long long) cases[i].net);
        is_int(tier2, cases[i].second, "... and %u", cases[i].tier2);
    }
}


/* what partial refunds leave, in any order, is what one refund of the same would */

static void
test_refunds(void)
{
    unsigned                  i, k, n, round, order_of[6], count, wrong;
    commerce_fen_t            parts[6];
    commerce_line_t           lines[3];
    commerce_order_t          once, now;
    commerce_balance_t        balance;
    commerce_payee_t          a[COMMERCE_PAYEES_MAX], b[COMMERCE_PAYEES_MAX];
    commerce_refund_t         refund;
    commerce_refund_line_t    named;

    wrong = 0;
    srand(7);

    for (round = 0; round < 200; round++) {
        memset(&once, 0, sizeof(once));
        memset(lines, 0, sizeof(lines));
        once.lines = lines;
        once.line_count = 3;
        once.paid = true;
        once.state = COMMERCE_ORDER_PAID;
        once.terms.plan = 1;
        once.terms.cap = 3000;
        once.credit_count = 2;
        once.credits[0] = (commerce_credit_t) { .seller = 1, .seller_id = S("anna"), .tier2 = 3, .tier2_id = S("rosa") };
        once.credits[1] = (commerce_credit_t) { .seller = 2, .seller_id = S("lina") };

        for (i = 0; i < 3; i++) {
            lines[i].quantity = 1;
            lines[i].amount = 1 + rand() % 9999;
            lines[i].credit = (int) i - 1;
            lines[i].rates = (commerce_rates_t) { (unsigned) rand() % 2000, (unsigned) rand() % 1000 };
            once.payable += lines[i].amount;
        }

        for (i = 0; i < 6; i++) {
            parts[i] = 1 + rand() % (lines[i % 3].amount / 2 + 1);
            order_of[i] = i;
        }

        for (n = 0; n < 2; n++) {
            now = once;

            for (i = 5; i > 0; i--) {
                k = (unsigned) rand() % (i + 1);
                count = order_of[i];
                order_of[i] = order_of[k];
                order_of[k] = count;
            }

            for (i = 0; i < 6; i++) {
                named = (commerce_refund_line_t) { .line = order_of[i] % 3 + 1, .amount = parts[order_of[i]] };
                refund = (commerce_refund_t) { .number = S("r"), .amount = named.amount, .lines = &named,
                                               .line_count = 1 };

                if (named.amount * 2 > lines[order_of[i] % 3].amount) {
                    continue;               /* would not fit twice */
                }

                if (commerce_refund_resolve(arena, &now, &refund) != COMMERCE_R(OK)
                    || commerce_refund_add(arena, &now, &refund) != COMMERCE_R(OK))
                {
                    wrong++;
                }
            }

            commerce_refund_balance(&now, &balance);
            count = commerce_commission_payees(&now, &balance, n == 0 ? a : b);
        }

        for (i = 0; i < count; i++) {
            wrong += a[i].amount != b[i].amount || !commerce_equal(a[i].id, b[i].id) || a[i].tier != b[i].tier;
        }
    }

    is_int(wrong, 0, "200 orders: the order of refunds does not matter");
    is_int(count, 3, "seller, recruiter, the other seller");

    now.state = COMMERCE_ORDER_CANCELLED;
    commerce_refund_balance(&now, &balance);
    count = commerce_commission_payees(&now, &balance, a);

    for (i = 0, wrong = 0; i < count; i++) {
        wrong += a[i].amount != 0;
    }

    is_int(wrong, 0, "a cancelled order brings nobody anything");

    lines[1].amount = -1;
    now.state = COMMERCE_ORDER_PAID;
    now.sale = NULL;
    commerce_refund_balance(&now, &balance);
    (void) commerce_commission_payees(&now, &balance, a);
    is_int(a[0].amount, -1, "what a line brought is not known: nor is the commission");
}


static void
test_lint(void)
{
    commerce_commission_plan_t  plan;

    (void) parse("{\"v\":1,\"cap\":3001,\"rules\":["
                 "{\"sku\":[\"A\",\"B\"],\"tier1\":1,\"tier2\":2},"
                 "{\"sku\":[\"A\"],\"group\":[\"g\"],\"tier1\":1,\"tier2\":0},"
                 "{\"tier1\":1,\"tier2\":0},"
                 "{\"sku\":[\"C\"],\"tier1\":1,\"tier2\":0}]}", &plan);

    is_int(commerce_commission_lint(&plan, hear, NULL), 4, "four things are suspicious");
    ok(strstr(said, "\"cap\" is 3001") != NULL, "the cap");
    ok(strstr(said, "\"rules/1\" is never used: \"rules/0\"") != NULL, "a rule behind a wider one");
    ok(strstr(said, "\"rules/3\" is never used: \"rules/2\"") != NULL, "... behind one for all");
    ok(strstr(said, "\"rules/0\" pays who recruited the seller more") != NULL, "the recruiter gets more");

    (void) parse("{\"v\":1,\"rules\":[{\"sku\":[\"A\"],\"tier1\":1,\"tier2\":0},{\"tier1\":1,\"tier2\":0}]}", &plan);
    is_int(commerce_commission_lint(&plan, hear, NULL), 0, "nothing is");
}


/* the first record that a transaction puts */

static commerce_str_t
record(const commerce_txn_t *txn)
{
    unsigned  i;

    for (i = 0; !txn->failed && i < txn->count; i++) {
        if (txn->ops[i].kind == COMMERCE_OP_PUT) {
            return txn->ops[i].value;
        }
    }

    return S("");
}


static void
test_records(void)
{
    unsigned                    i;
    commerce_txn_t              txn;
    commerce_str_t              value, cut;
    commerce_line_t             lines[2];
    commerce_order_t            order, read;
    commerce_commission_plan_t  plan, again;

    (void) parse("{\"v\":1,\"cap\":2500,\"cap_over\":\"all\",\"rules\":["
                 "{\"sku\":[\"A\",\"B\"],\"campaign\":[\"c\"],\"group\":[\"g\"],\"person\":[\"p\"],"
                 "\"role\":[\"koc\"],\"tier1\":1000,\"tier2\":1500},{\"tier1\":0,\"tier2\":0}]}", &plan);
    plan.version = 300;

    commerce_txn_init(&txn, arena);
    commerce_commission_write(&txn, S("s"), &plan, 0);
    value = record(&txn);

    is_int(value.len != 0 ? value.data[0] : 0, 3, "a plan is of format 3");
    is_int(commerce_commission_decode(arena, value, &again), COMMERCE_OK, "it can be read");
    ok(again.version == 300 && commerce_commission_equal(&plan, &again), "and is the same");

    for (i = 0; i < value.len; i++) {
        cut = (commerce_str_t) { value.data, i };

        if (commerce_commission_decode(arena, cut, &again) == COMMERCE_OK) {
            break;
        }
    }

    is_int(i, (int64_t) value.len, "cut anywhere, it cannot");

    plan.rules[0].rates.tier2 = 1501;
    commerce_txn_init(&txn, arena);
    commerce_commission_write(&txn, S("s"), &plan, 0);
    is_int(commerce_commission_decode(arena, record(&txn), &again), COMMERCE_ERROR, "rates above the cap are not believed");

    memset(&order, 0, sizeof(order));
    memset(lines, 0, sizeof(lines));
    order.user = S("u");
    order.key = S("k");
    order.due = COMMERCE_FOREVER;
    order.lines = lines;
    order.line_count = 2;
    lines[0].credit = lines[1].credit = -1;

    commerce_txn_init(&txn, arena);
    commerce_order_write(&txn, S("s"), &order, 0, NULL);
    is_int(record(&txn).data[0], 1, "an order that no plan was there for is of format 1");

    order.terms = (commerce_terms_t) { .plan = 7, .cap = 2500, .cap_all = true, .rates = { 1, 2 } };
    lines[0].rates = (commerce_rates_t) { 1000, 500 };
    lines[1].rates = (commerce_rates_t) { 0, 10000 };

    commerce_txn_init(&txn, arena);
    commerce_order_write(&txn, S("s"), &order, 0, NULL);
    is_int(record(&txn).data[0], 3, "one with terms is of format 3");
    is_int(commerce_order_decode(arena, record(&txn), &read), COMMERCE_OK, "it can be read");
    ok(read.terms.plan == 7 && read.terms.cap == 2500 && read.terms.cap_all && !read.terms.double_pay
       && read.terms.platform.len == 0 && read.terms.rates.tier1 == 1 && read.terms.rates.tier2 == 2, "its terms");
    ok(read.lines[0].rates.tier1 == 1000 && read.lines[0].rates.tier2 == 500 && read.lines[1].rates.tier1 == 0
       && read.lines[1].rates.tier2 == 10000, "its lines' rates");

    order.terms = (commerce_terms_t) { .platform = S("wechat"), .double_pay = true };
    commerce_txn_init(&txn, arena);
    commerce_order_write(&txn, S("s"), &order, 0, NULL);
    is_int(commerce_order_decode(arena, record(&txn), &read), COMMERCE_OK, "a platform alone");
    ok(commerce_equal(read.terms.platform, S("wechat")) && read.terms.double_pay, "is kept");
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_refused();
    test_matches();
    test_amounts();
    test_refunds();
    test_lint();
    test_records();

    commerce_heap_destroy(heap);

    return done_testing();
}
