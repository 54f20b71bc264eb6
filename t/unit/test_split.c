/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_split.h"


#define S  commerce_string

static commerce_heap_t    *heap;
static commerce_arena_t   *arena;
static commerce_person_t   people[64];      /* by number */
static bool                unreadable;

static const commerce_split_map_t  wechat = {
    .receivers = S("/receivers"), .account = S("/account"), .amount = S("/amount"), .number = S("/out_order_no"),
    .wechat = true
};

static const commerce_split_map_t  own = {
    .receivers = S("/pay"), .account = S("/who"), .amount = S("/fen"), .role = S("/as"), .number = S("/no"),
    .third = { S("/third_leader"), S("/pay/*/three_ratio") }, .third_count = 2
};


static int
get(void *data, uint64_t number, commerce_person_t *person)
{
    if (unreadable) {
        return COMMERCE_ERROR;
    }

    if (number == 0 || number >= 64 || people[number].number == 0) {
        return COMMERCE_ABSENT;
    }

    *person = people[number];

    return COMMERCE_OK;
}


static void
person(uint64_t number, const char *id, commerce_role_t role, uint64_t upline)
{
    people[number] = (commerce_person_t) {
        .number = number, .id = commerce_cstr(id), .role = role, .upline = upline
    };
}


static commerce_reason_t
read_as(const commerce_split_map_t *map, const char *json, commerce_split_t *split)
{
    commerce_json_t    *body = NULL;
    commerce_reason_t   reason;

    reason = commerce_json_parse(arena, commerce_cstr(json), &body);

    return reason == COMMERCE_R(OK) ? commerce_split_read(body, map, split) : reason;
}


static void
test_read(void)
{
    unsigned           i;
    char               text[8192];
    size_t             n;
    commerce_split_t   split;

    static const struct {
        const char         *pay;
        commerce_reason_t   reason;
    } cases[] = {
        { "[{\"who\":\"a\",\"fen\":1}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":\"1\"}]", COMMERCE_R(OK) },
        { "[{\"who\":7,\"fen\":0}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":-0}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":1e2}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":1,\"three_ratio\":null}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":1,\"three_ratio\":0}]", COMMERCE_R(TIER3_PRESENT) },
        { "[{\"who\":\"a\",\"fen\":1}],\"third_leader\":0", COMMERCE_R(TIER3_PRESENT) },
        { "[{\"who\":\"a\",\"fen\":1}],\"third_leader\":null", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":1}],\"pay\":[]", COMMERCE_R(BODY_DUPLICATE_MEMBER) },
        { "[{\"who\":\"a\",\"fen\":1,\"fen\":2}]", COMMERCE_R(BODY_DUPLICATE_MEMBER) },
        { "[{\"who\":\"a\",\"fen\":1,\"Fen\":2}]", COMMERCE_R(BODY_DUPLICATE_MEMBER) },
        { "[{\"who\":\"a\",\"fen\":-1}]", COMMERCE_R(SPLIT_NEGATIVE) },
        { "[{\"who\":\"a\",\"fen\":\"-1\"}]", COMMERCE_R(SPLIT_NEGATIVE) },
        { "[{\"who\":\"a\",\"fen\":0.5}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\",\"fen\":\"\"}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\",\"fen\":\"0x1\"}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\",\"fen\":true}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\",\"fen\":null}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\"}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"\",\"fen\":1}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"fen\":1}]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[1]", COMMERCE_R(SPLIT_MALFORMED) },
        { "[]", COMMERCE_R(SPLIT_MALFORMED) },
        { "{}", COMMERCE_R(SPLIT_MALFORMED) },
        { "null", COMMERCE_R(SPLIT_MALFORMED) },
        { "[{\"who\":\"a\",\"fen\":100000000000000}]", COMMERCE_R(OK) },
        { "[{\"who\":\"a\",\"fen\":100000000000000},{\"who\":\"b\",\"fen\":1}]", COMMERCE_R(SPLIT_OVERFLOW) },
        { "[{\"who\":\"a\",\"fen\":100000000000001}]", COMMERCE_R(SPLIT_OVERFLOW) },
        { "[{\"who\":\"a\",\"fen\":9223372036854775808}]", COMMERCE_R(SPLIT_OVERFLOW) },
        { "[{\"who\":\"a\",\"fen\":18446744073709551617}]", COMMERCE_R(SPLIT_OVERFLOW) },
        { "[{\"who\":\"a\",\"fen\":1e300}]", COMMERCE_R(SPLIT_OVERFLOW) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "{\"no\":\"1\",\"pay\":%s}", cases[i].pay);
        is_int(read_as(&own, text, &split), cases[i].reason, "%s: %s", commerce_reason(cases[i].reason)->name.data,
               cases[i].pay);
    }

    is_int(read_as(&own, "[]", &split), COMMERCE_R(SPLIT_MALFORMED), "a list is no body");

    for (i = 50; i <= 51; i++) {
        n = (size_t) snprintf(text, sizeof(text), "{\"no\":\"1\",\"pay\":[{\"who\":\"m0\",\"fen\":1}");

        for (unsigned k = 1; k < i; k++) {
            n += (size_t) snprintf(text + n, sizeof(text) - n, ",{\"who\":\"m%u\",\"fen\":1}", k);
        }

        snprintf(text + n, sizeof(text) - n, "]}");
        is_int(read_as(&own, text, &split), i == 50 ? COMMERCE_R(OK) : COMMERCE_R(SPLIT_TOO_MANY_RECEIVERS),
               "%u receivers", i);
    }

    is_int(read_as(&wechat, "{\"out_order_no\":\"S1\",\"receivers\":["
                   "{\"type\":\"MERCHANT_ID\",\"account\":\"1900000109\",\"amount\":888,\"description\":\"x\"},"
                   "{\"type\":\"PERSONAL_OPENID\",\"account\":\"o1\",\"amount\":100},"
                   "{\"type\":\"PERSONAL_SUB_OPENID\",\"account\":\"o2\",\"amount\":12}]}", &split), COMMERCE_R(OK),
           "WeChat's");
    is_int(split.count, 3, "three receivers");
    is_int(split.amount, 1000, "their sum");
    ok(commerce_equal(split.receivers[0].role, S("merchant")), "a merchant");
    is_int(split.receivers[1].role.len, 0, "a person has no role");
    ok(commerce_equal(split.number, S("S1")), "its number");

    is_int(read_as(&own, "{\"pay\":[{\"who\":\"a\",\"fen\":1}]}", &split), COMMERCE_R(SPLIT_MALFORMED), "no number");
    is_int(read_as(&wechat, "{\"out_order_no\":\"1\",\"receivers\":[{\"type\":\"X\",\"account\":\"a\",\"amount\":1}]}", &split),
           COMMERCE_R(SPLIT_MALFORMED), "another type");
    is_int(split.receiver, 1, "the first one's");
}


/* an order of two lines by 1, whom 2 recruited: 10000 fen, paid */

static commerce_line_t   lines[2];
static commerce_order_t  order;


static void
sell(void)
{
    memset(&order, 0, sizeof(order));
    memset(lines, 0, sizeof(lines));

    lines[0] = (commerce_line_t) { .sku = S("A"), .quantity = 1, .amount = 9000 };
    lines[1] = (commerce_line_t) { .sku = S("B"), .quantity = 1, .amount = 1000 };

    order.lines = lines;
    order.line_count = 2;
    order.state = COMMERCE_ORDER_PAID;
    order.paid = true;
    order.claimed = 10000;
    order.payable = 10000;
    order.credit_count = 1;
    order.credits[0] = (commerce_credit_t) {
        .source = COMMERCE_SOURCE_SHARE, .seller = 1, .seller_id = S("p1"), .tier2 = 2, .tier2_id = S("p2")
    };

    memset(people, 0, sizeof(people));
    person(1, "p1", COMMERCE_ROLE_CUSTOMER, 2);
    person(2, "p2", COMMERCE_ROLE_KOC, 3);
    person(3, "p3", COMMERCE_ROLE_AGENCY, 4);
    person(4, "p4", COMMERCE_ROLE_GUIDE, 5);
    person(5, "p5", COMMERCE_ROLE_STAFF, 0);        /* the guide's superior: organisation */
    person(6, "p6", COMMERCE_ROLE_AGENCY, 0);
    person(7, "p7", COMMERCE_ROLE_DEALER, 0);
    person(8, "p8", COMMERCE_ROLE_KOC, 0);
}


static const uint8_t      content[COMMERCE_FINGERPRINT];
static commerce_splits_t  past;         /* the order's other splits */

/* pay: pairs of a person's number (negative: a merchant whom nobody knows) and an amount, 0 at the end */

static commerce_reason_t
judge(bool pay_frozen, const commerce_fen_t *pay)
{
    static char          accounts[COMMERCE_SPLIT_RECEIVERS_MAX][8];
    commerce_split_t     split;

    memset(&split, 0, sizeof(split));

    for ( /* void */ ; pay[0] != 0; pay += 2, split.count++) {
        commerce_split_receiver_t  *receiver = &split.receivers[split.count];

        snprintf(accounts[split.count], sizeof(accounts[0]), "a%d", (int) pay[0]);
        receiver->account = commerce_cstr(accounts[split.count]);
        receiver->amount = pay[1];
        receiver->known = pay[0] > 0;
        split.amount += pay[1];

        if (receiver->known) {
            receiver->person = people[pay[0]];

        } else {
            receiver->role = S("merchant");
        }
    }

    split.number = S("s1");

    return commerce_split_judge(&split, content, &past, &order, pay_frozen, get, NULL);
}

#define JUDGE(...)  judge(false, (const commerce_fen_t[]) { __VA_ARGS__, 0, 0 })
#define PAYS(...)   judge(true, (const commerce_fen_t[]) { __VA_ARGS__, 0, 0 })


static void
test_payees(void)
{
    sell();

    is_int(JUDGE(1, 2000, 2, 1000, -1, 500, 6, 100, 7, 100), COMMERCE_R(OK), "five payees, one recruitment");
    is_int(JUDGE(5, 100), COMMERCE_R(OK), "salaried, above the salaried: organisation");
    is_int(JUDGE(3, 0), COMMERCE_R(TIER3_PRESENT), "third tier, of nothing, agency or not");
    is_int(JUDGE(4, 1), COMMERCE_R(TIER3_PRESENT), "fourth tier, salaried");
    is_int(JUDGE(8, 1), COMMERCE_R(SPLIT_PAYEE_UNDECLARED), "a seller of other sales");
    is_int(JUDGE(1, 1, 1, 1), COMMERCE_R(TIER_DUPLICATE_PAYEE), "tier 1 twice");
    is_int(JUDGE(-1, 1, -1, 1), COMMERCE_R(TIER_DUPLICATE_PAYEE), "an account twice");

    people[1].upline = 8;
    is_int(JUDGE(8, 1), COMMERCE_R(TIER3_PRESENT), "who recruited the seller since");
    is_int(JUDGE(2, 1), COMMERCE_R(OK), "the tier 2 of then is paid");
    is_int(JUDGE(3, 1), COMMERCE_R(TIER3_PRESENT), "... and nobody above him");

    sell();
    order.credits[0].contributor = true;
    is_int(JUDGE(1, 1), COMMERCE_R(SPLIT_PAYEE_UNDECLARED), "who only contributed");

    sell();
    people[1].status = COMMERCE_PERSON_SUSPENDED;
    is_int(JUDGE(1, 1), COMMERCE_R(TIER_FROZEN), "suspended");
    is_int(JUDGE(2, 1), COMMERCE_R(TIER_FROZEN), "tier 2 by him");
    is_int(PAYS(2, 1), COMMERCE_R(OK), "... is paid if the shop says so");
    is_int(PAYS(1, 1), COMMERCE_R(TIER_FROZEN), "... he is not");
    people[1].status = COMMERCE_PERSON_LEFT;
    is_int(JUDGE(1, 1), COMMERCE_R(OK), "who left gets what he earned");

    sell();
    person(3, "p3", COMMERCE_ROLE_KOC, 1);
    is_int(JUDGE(8, 1), COMMERCE_R(SPLIT_PAYEE_UNDECLARED), "a circle above ends");

    unreadable = true;
    is_int(JUDGE(8, 1), COMMERCE_R(STORE_UNAVAILABLE), "nobody can tell: closed");
    is_int(JUDGE(1, 1), COMMERCE_R(STORE_UNAVAILABLE), "nobody can tell who is suspended: closed");
    unreadable = false;
}


static void
test_sums(void)
{
    commerce_sale_t  sale[2];

    sell();
    is_int(JUDGE(1, 2000, 2, 1000), COMMERCE_R(OK), "3000 basis points");
    is_int(JUDGE(1, 2000, 2, 1001), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "3001 of 10000");
    is_int(JUDGE(-1, 10000), COMMERCE_R(OK), "all of it");
    is_int(JUDGE(-1, 10001), COMMERCE_R(SPLIT_SUM_EXCEEDS_ORDER), "more than all of it");

    lines[1].credit = -1;
    is_int(JUDGE(1, 2700), COMMERCE_R(OK), "of the line that he sold");
    is_int(JUDGE(1, 2701), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... and not of the other");

    sell();
    order.paid = false;
    is_int(JUDGE(-1, 1), COMMERCE_R(SPLIT_NOT_PAID), "not paid");

    sell();
    order.state = COMMERCE_ORDER_CANCELLED;
    is_int(JUDGE(-1, 1), COMMERCE_R(SPLIT_AFTER_REFUND), "cancelled");

    sell();
    memset(sale, 0, sizeof(sale));
    sale[0] = (commerce_sale_t) { .paid = 9000, .named = 4000 };
    sale[1] = (commerce_sale_t) { .paid = 1000 };
    order.sale = sale;
    order.refund_count = 1;
    is_int(JUDGE(-1, 6000), COMMERCE_R(OK), "what a refund left");
    is_int(JUDGE(-1, 6001), COMMERCE_R(SPLIT_AFTER_REFUND), "... a fen more");
    is_int(JUDGE(1, 1800), COMMERCE_R(OK), "30 %% of what it left");
    is_int(JUDGE(1, 1801), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");

    sell();
    lines[0].amount = lines[1].amount = -1;
    order.claimed = order.payable = -1;
    is_int(JUDGE(-1, 1), COMMERCE_R(SPLIT_SUM_EXCEEDS_ORDER), "nobody knows what was paid");

    sell();
    order.terms = (commerce_terms_t) { .platform = S("douyin") };
    is_int(JUDGE(1, 1), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "a platform pays the commission");
    is_int(JUDGE(-1, 1), COMMERCE_R(OK), "... which is nothing to the merchant");
    order.terms.double_pay = true;
    is_int(JUDGE(1, 3000), COMMERCE_R(OK), "... and so does the shop");
}


static void
test_plan(void)
{
    sell();
    order.terms = (commerce_terms_t) { .plan = 1, .cap = 3000 };
    lines[0].rates = (commerce_rates_t) { .tier1 = 1000, .tier2 = 500 };
    lines[1].rates = (commerce_rates_t) { .tier1 = 2000, .tier2 = 0 };

    is_int(JUDGE(1, 1100, 2, 450), COMMERCE_R(OK), "each his own: 900 + 200, 450");
    is_int(JUDGE(1, 1101), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "tier 1 a fen more");
    is_int(JUDGE(1, 0, 2, 451), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "tier 2 a fen more");
    is_int(JUDGE(1, 1100, -1, 8900), COMMERCE_R(OK), "the others are not capped");

    order.terms.cap_all = true;
    is_int(JUDGE(1, 1100, -1, 1900), COMMERCE_R(OK), "all at the cap");
    is_int(JUDGE(1, 1100, -1, 1901), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");

    people[1].status = COMMERCE_PERSON_SUSPENDED;
    is_int(JUDGE(2, 0), COMMERCE_R(TIER_FROZEN), "nobody earns by a suspended seller");
    is_int(PAYS(2, 450), COMMERCE_R(OK), "... unless the shop says so");

    /* 2 sold the second line himself: he is tier 1 of it, and tier 2 of the first */

    sell();
    order.terms = (commerce_terms_t) { .plan = 1, .cap = 3000 };
    lines[0].rates = lines[1].rates = (commerce_rates_t) { .tier1 = 1000, .tier2 = 500 };
    lines[1].credit = 1;
    order.credit_count = 2;
    order.credits[1] = (commerce_credit_t) { .source = COMMERCE_SOURCE_SHARE, .seller = 2, .seller_id = S("p2") };

    is_int(JUDGE(2, 550), COMMERCE_R(OK), "in both tiers: 450 + 100");
    is_int(JUDGE(2, 551), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");

    people[1].status = COMMERCE_PERSON_SUSPENDED;
    is_int(JUDGE(2, 100), COMMERCE_R(OK), "what he sold himself, where tier 1 of the other line is suspended");
    is_int(JUDGE(2, 101), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");
}


static void
test_several(void)
{
    unsigned                i;
    uint8_t                 other[COMMERCE_FINGERPRINT] = { 1 };
    commerce_split_t        split;
    commerce_split_share_t  share = { 1, 600 };
    commerce_split_past_t   before[COMMERCE_SPLITS_MAX];

    memset(before, 0, sizeof(before));
    before[0] = (commerce_split_past_t) { .number = S("s0"), .tries = 1, .amount = 700, .shares = &share, .share_count = 1 };
    past = (commerce_splits_t) { before, 1 };

    sell();
    is_int(JUDGE(1, 2400), COMMERCE_R(OK), "without a plan: 30 %% less what he had");
    is_int(JUDGE(1, 2401), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");
    is_int(JUDGE(2, 2401), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... of all tiers");
    is_int(JUDGE(-1, 9300), COMMERCE_R(OK), "all that is left");
    is_int(JUDGE(-1, 9301), COMMERCE_R(SPLIT_SUM_EXCEEDS_ORDER), "... a fen more");

    order.terms = (commerce_terms_t) { .plan = 1, .cap = 3000, .cap_all = true };
    lines[0].rates = lines[1].rates = (commerce_rates_t) { .tier1 = 1000, .tier2 = 500 };
    is_int(JUDGE(1, 400, 2, 500), COMMERCE_R(OK), "a plan: his own less what he had");
    is_int(JUDGE(1, 401), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");
    is_int(JUDGE(-1, 2300), COMMERCE_R(OK), "the cap of all");
    is_int(JUDGE(-1, 2301), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... a fen more");

    /* the same number: judged as if it had not gone on */

    before[0].number = S("s1");
    is_int(JUDGE(1, 1000), COMMERCE_R(SPLIT_REPLAY), "sent again");
    is_int(JUDGE(1, 1001), COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP), "... is judged");
    memcpy(before[0].content, other, COMMERCE_FINGERPRINT);
    is_int(JUDGE(1, 1), COMMERCE_R(SPLIT_KEY_REUSED), "another content");

    /* what is added is found, counted and released */

    memset(&split, 0, sizeof(split));
    split.number = S("s2");
    split.count = 2;
    split.amount = 300;
    split.receivers[0] = (commerce_split_receiver_t) { .known = true, .person = people[6], .amount = 100 };
    split.receivers[1] = (commerce_split_receiver_t) { .known = true, .person = people[2], .amount = 200 };

    is_int(commerce_splits_add(arena, &past, &split, content, &order, 7), COMMERCE_OK, "added");
    is_int(past.count, 2, "two of them");
    is_int(past.past[1].share_count, 1, "of tiers alone");
    is_int(past.past[1].shares[0].person, 2, "whose it is");
    is_int(past.past[1].shares[0].amount, 200, "how much");
    is_int(commerce_splits_add(arena, &past, &split, content, &order, 8), COMMERCE_OK, "added again");
    is_int(past.count, 2, "still two");
    is_int(past.past[1].tries, 2, "tried twice");
    is_int(past.past[1].time, 7, "at first then");
    ok(commerce_splits_release(&past, S("s1")), "released");
    is_int(past.count, 1, "one is left");
    ok(commerce_equal(past.past[0].number, S("s2")), "the other one");
    ok(!commerce_splits_release(&past, S("s1")), "there is none any more");

    for (i = 0; i < COMMERCE_SPLITS_MAX; i++) {
        before[i] = (commerce_split_past_t) { .number = S("x"), .tries = 1 };
    }

    past = (commerce_splits_t) { before, COMMERCE_SPLITS_MAX };
    is_int(JUDGE(-1, 1), COMMERCE_R(SPLIT_LIMIT), "50 went on before");
    past.count--;
    is_int(JUDGE(-1, 1), COMMERCE_R(OK), "49");
    past.count = 0;
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_read();
    test_payees();
    test_sums();
    test_plan();
    test_several();

    commerce_heap_destroy(heap);

    return done_testing();
}
