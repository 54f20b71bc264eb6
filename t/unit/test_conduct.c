/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_conduct.h"


#define T0  1800000000LL

static void test_names(void);
static void test_text(void);
static void test_rates(void);
static void test_crowd(void);
static void test_binds(void);
static void test_reciprocal(void);
static int get_person(void *data, uint64_t number, commerce_person_t *person);
static uint64_t get_owner(void *data, const commerce_person_t *person);


/* 1 <- 2 <- 3, 4 alone, 5 an employee below 1; 6 is below himself */
static const commerce_person_t  people[] = {
    { .number = 0 },
    { .number = 1, .role = COMMERCE_ROLE_KOC },
    { .number = 2, .role = COMMERCE_ROLE_KOC, .upline = 1 },
    { .number = 3, .role = COMMERCE_ROLE_KOC, .upline = 2 },
    { .number = 4, .role = COMMERCE_ROLE_KOC },
    { .number = 5, .role = COMMERCE_ROLE_EMPLOYEE, .upline = 1 },
    { .number = 6, .role = COMMERCE_ROLE_KOC, .upline = 6 }
};

static unsigned  walked;


int
main(void)
{
    test_names();
    test_text();
    test_rates();
    test_crowd();
    test_binds();
    test_reciprocal();

    return done_testing();
}


static void
test_names(void)
{
    char                lower[64];
    size_t              k;
    unsigned            i;
    commerce_str_t      name;
    commerce_conduct_t  flag;

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        name = commerce_reason(commerce_conduct_reason(i))->name;

        ok(commerce_conduct_parse(name, &flag) == COMMERCE_OK && flag == i, "%s by its reason", name.data);

        for (k = 0; k < name.len; k++) {
            lower[k] = name.data[k] == '_' ? '_' : (char) (name.data[k] + 'a' - 'A');
        }

        ok(commerce_conduct_parse((commerce_str_t) { lower, name.len }, &flag) == COMMERCE_OK && flag == i,
           "%s in lower case", name.data);
        ok(commerce_conduct_parse((commerce_str_t) { lower, name.len - 1 }, &flag) == COMMERCE_ERROR,
           "%s but for a letter", name.data);
        ok(commerce_conduct_defaults.actions[i] == COMMERCE_CONDUCT_OBSERVE, "%s is observed", name.data);
    }

    ok(commerce_conduct_parse(commerce_string("ATTR_OK"), &flag) == COMMERCE_ERROR, "another reason");
    ok(commerce_conduct_parse(commerce_string(""), &flag) == COMMERCE_ERROR, "nothing");
}


static void
test_text(void)
{
    char              out[COMMERCE_CONDUCT_TEXT], buffer[1024];
    int64_t           len;
    commerce_str_t    text;
    commerce_write_t  w;

    text = commerce_conduct_text(COMMERCE_CONDUCT_ALL, out);
    ok(text.len <= COMMERCE_CONDUCT_TEXT, "all flags fit: %zu", text.len);

    text = commerce_conduct_text(0, out);
    ok(text.len == 0, "no flag");

    text = commerce_conduct_text(COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_CRAWLER)
                                 | COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_TOUCH_FLOOD), out);
    ok(commerce_equal(text, commerce_string("TOUCH_FLOOD,CRAWLER")), "two, in the order of the list");

    commerce_write_start(&w, buffer, sizeof(buffer));
    commerce_write_open(&w, NULL, '{');
    commerce_conduct_write(&w, "none", 0);
    commerce_conduct_write(&w, "two", COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_RECIPROCAL)
                                      | COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_BOT_SUSPECT));
    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    ok(len > 0 && commerce_equal((commerce_str_t) { buffer, (size_t) len },
                                 commerce_string("{\"two\":[\"RECIPROCAL\",\"BOT_SUSPECT\"]}")), "as a member");
}


static void
test_rates(void)
{
    commerce_rate_t            off = { 0, 0 };
    commerce_conduct_policy_t  policy = commerce_conduct_defaults;

    ok(!commerce_conduct_too_many(&policy.binds, 149), "the 150th is not too many");
    ok(commerce_conduct_too_many(&policy.binds, 150), "the 151st is");
    ok(!commerce_conduct_too_many(&off, 1000000), "without a limit none is");

    ok(!commerce_conduct_flood(&policy, 599, 0), "600 touches are no flood");
    ok(commerce_conduct_flood(&policy, 600, 0), "one more is");
    ok(!commerce_conduct_flood(&policy, 600, 1), "not if an order came of them");

    ok(!commerce_conduct_recruits(&policy, 49, 4999), "the 50th of a day, the 5000th of all");
    ok(commerce_conduct_recruits(&policy, 50, 50), "the 51st of a day");
    ok(commerce_conduct_recruits(&policy, 0, 5000), "the 5001st of all");

    policy.downlines = 0;
    ok(!commerce_conduct_recruits(&policy, 0, 1000000), "without a limit there are never enough");
}


static void
test_crowd(void)
{
    unsigned                   i;
    commerce_buyer_t           buyer;
    commerce_conduct_policy_t  policy = commerce_conduct_defaults;

    memset(&buyer, 0, sizeof(commerce_buyer_t));
    policy.buyer = (commerce_rate_t) { 3, 60000 };

    for (i = 0; i < 3; i++) {
        buyer.seen[i].digest = i + 1;
        buyer.seen[i].first = T0 + i;
    }

    buyer.seen_count = 2;
    ok(!commerce_conduct_crowd(&policy, &buyer, T0 + 2), "two");
    buyer.seen_count = 3;
    ok(commerce_conduct_crowd(&policy, &buyer, T0 + 2), "three");
    ok(commerce_conduct_crowd(&policy, &buyer, T0 + 59), "within the minute");
    ok(!commerce_conduct_crowd(&policy, &buyer, T0 + 60), "a minute after the first");

    policy.buyer.limit = 0;
    ok(!commerce_conduct_crowd(&policy, &buyer, T0 + 2), "without a limit");
}


static void
test_binds(void)
{
    ok(commerce_conduct_binds(COMMERCE_R(BIND_NEW)), "a new buyer");
    ok(commerce_conduct_binds(COMMERCE_R(BIND_STOLEN)), "another's");
    ok(commerce_conduct_binds(COMMERCE_R(BIND_NEW_AFTER_EXPIRY)), "nobody's any more");
    ok(!commerce_conduct_binds(COMMERCE_R(BIND_RENEW)), "his own");
    ok(!commerce_conduct_binds(COMMERCE_R(PROTECT_HOLD)), "not bound");
}


static void
test_reciprocal(void)
{
    uint64_t  owners[8] = { 0 };

#define RECIPROCAL(seller, buyer)                                               \
    commerce_conduct_reciprocal(&people[seller], buyer, get_person, get_owner, owners)

    ok(!RECIPROCAL(4, 1), "strangers");
    ok(!RECIPROCAL(4, 0), "a buyer who sells nothing");
    ok(!RECIPROCAL(4, 4), "himself: another flag");

    owners[4] = 1;
    ok(RECIPROCAL(4, 1), "the seller is his customer");
    ok(!RECIPROCAL(4, 2), "... not another's");
    owners[4] = 0;

    ok(RECIPROCAL(3, 2), "he recruited the seller");
    ok(RECIPROCAL(3, 1), "... or who recruited him");
    ok(!RECIPROCAL(1, 3), "whom the seller recruited may buy from him");

    owners[1] = 4;
    ok(RECIPROCAL(3, 4), "who stands above the seller is his customer");
    ok(!RECIPROCAL(5, 4), "nobody recruited the salaried");
    owners[1] = 0;

    walked = 0;
    ok(!RECIPROCAL(6, 1), "a circle");
    ok(walked == COMMERCE_CONDUCT_WALK, "... ends: %u", walked);
}


static int
get_person(void *data, uint64_t number, commerce_person_t *person)
{
    if (number >= sizeof(people) / sizeof(people[0])) {
        return COMMERCE_ABSENT;
    }

    *person = people[number];

    return COMMERCE_OK;
}


static uint64_t
get_owner(void *data, const commerce_person_t *person)
{
    uint64_t  *owners = data;

    walked++;

    return owners[person->number];
}
