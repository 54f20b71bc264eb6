/*
 * Copyright (C) ngx_commerce authors
 *
 * What a use counts against, and that exactly this is given back: limits and budgets at their boundaries, on a
 * real store, through the ledger.
 */

#define _GNU_SOURCE         /* memmem */

#include "tap.h"
#include "temp_store.h"
#include "commerce_count.h"
#include "commerce_ledger.h"
#include "commerce_rules.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define HOUR  3600

static const commerce_str_t  shop = { "demo", 4 };

static commerce_event_source_t  source;
static commerce_heap_t         *heap;
static commerce_view_t         *view;
static commerce_reader_t        reader;
static commerce_txn_t           txn;
static commerce_ledger_t        ledger;
static commerce_time_t          now = 1800000000;   /* 2027-01-15T16:00:00+08:00 */

static commerce_campaign_t  campaign;               /* as the next case has it */
static unsigned             campaigns;              /* number of the last one */
static uint32_t             serial;

/* whose the next order is, and what it names */
static struct {
    const char      *group, *seller;
    commerce_fen_t   amount;
} next;


static void
begin(void)
{
    heap = commerce_heap_create();
    commerce_view_begin(temp_store, &view);
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };
    ledger = (commerce_ledger_t) { &reader, &txn, &source, now, now * 1000000 };
}


static commerce_txn_result_t
end(void)
{
    commerce_txn_result_t  result;

    commerce_view_end(view);
    result = (txn.count != 0 && !txn.failed) ? temp_store_apply(&txn) : COMMERCE_TXN_APPLIED;
    commerce_heap_destroy(heap);

    return result;
}


/* writes the campaign of a case: a new one, or the same again with other limits */

static void
put(bool fresh)
{
    uint64_t             version;
    static char          id[16];
    commerce_campaign_t  before;

    if (fresh) {
        campaigns++;
        serial = 0;
        snprintf(id, sizeof(id), "c%u", campaigns);
    }

    campaign.number = campaigns;
    campaign.id = commerce_cstr(id);
    campaign.until = COMMERCE_FOREVER;
    campaign.minted = 1000;
    campaign.enabled = true;
    commerce_zone_fixed(S("Asia/Shanghai"), &campaign.zone);

    begin();
    commerce_campaign_read(&reader, campaigns, &before, &version);
    commerce_campaign_write(&txn, shop, &campaign, version);

    if (end() != COMMERCE_TXN_APPLIED) {
        ok(false, "a campaign is written");
    }
}


static void
fresh(void)
{
    memset(&campaign, 0, sizeof(campaign));
    campaign.fixed = 1000;
    next.group = next.seller = "";
    next.amount = 5000;
}


/* every case has orders of its own */

static commerce_str_t
key_of(const char *key)
{
    static char  text[32];

    snprintf(text, sizeof(text), "c%u-%s", campaigns, key);

    return commerce_cstr(text);
}


/* an order of the user with a coupon nobody has used: OK, or why not */

static commerce_reason_t
order(const char *user, const char *key)
{
    int                     tag;
    uint8_t                 admits[1];
    commerce_line_t         line = { S("A"), 1, next.amount, 0, -1, { 0, 0 } };
    commerce_facts_t        facts = { .user = commerce_cstr(user), .now = now };
    commerce_order_t        o;
    commerce_reason_t       reason;
    commerce_use_request_t  use;
    commerce_txn_result_t   result;

    begin();

    memset(&o, 0, sizeof(o));
    o.user = commerce_cstr(user);
    o.key = key_of(key);
    o.redeem_on_paid = true;
    o.in_flight_until = now + 75;
    o.deadline = now + 960;
    o.claimed = next.amount;
    o.payable = -1;
    o.lines = &line;
    o.line_count = 1;

    if (*next.group != '\0' || *next.seller != '\0') {
        line.credit = 0;
        o.credits[0].source = COMMERCE_SOURCE_SHARE;
        o.credits[0].seller = 7;
        o.credits[0].seller_id = commerce_cstr(next.seller);
        o.credits[0].group_id = commerce_cstr(next.group);
        o.credit_count = 1;
    }

    commerce_campaign_read(&reader, campaigns, &use.campaign, NULL);
    commerce_coupon_read(&reader, campaigns, ++serial, &use.coupon, &use.version);

    reason = commerce_coupon_check(&use.campaign, &use.coupon, &facts, &line, 1, admits,
                                   &use.discount);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_ledger_open(&ledger, &o, &use, 1, NULL);
    }

    result = end();
    tag = txn.failed_tag;

    if (result != COMMERCE_TXN_APPLIED && result != COMMERCE_TXN_LIMIT) {
        ok(false, "the transaction of %s", key);
    }

    return result == COMMERCE_TXN_LIMIT ? (commerce_reason_t) tag : reason;
}


static commerce_reason_t
step(const char *user, const char *key, commerce_step_t what)
{
    uint64_t           version;
    commerce_order_t   o;
    commerce_answer_t  answer = { .id = S(""), .payable = -1 };
    commerce_reason_t  reason;

    begin();

    if (commerce_order_read(&reader, commerce_cstr(user), key_of(key), &o, &version)
        != COMMERCE_OK)
    {
        end();
        return COMMERCE_R(ORDER_UNKNOWN);
    }

    reason = commerce_ledger_step(&ledger, &o, version, what, &answer);

    if (end() != COMMERCE_TXN_APPLIED) {
        ok(false, "the transaction of %s %s", key, commerce_step_name(what));
    }

    return reason;
}


/* redemptions since the last call that passed a limit */

static unsigned
flagged(void)
{
    unsigned         n;
    commerce_str_t   body;
    static uint64_t  told;

    begin();

    for (n = 0; commerce_view_outbox(view, told, &told, &body) == COMMERCE_OK; /* void */ ) {
        n += memmem(body.data, body.len, "BUDGET_EXCEEDED_BY_NOTICE",
                    strlen("BUDGET_EXCEEDED_BY_NOTICE")) != NULL;
    }

    end();

    return n;
}


/* a counter of the case's campaign; -1: it was never written */

static int64_t
counter(commerce_count_t which, bool money, const char *name)
{
    int64_t         value;
    uint64_t        version;
    commerce_str_t  key, record;

    begin();

    key = commerce_counter_campaign(reader.arena, shop, campaigns, which, money,
                                    commerce_zone_day(&campaign.zone, now), commerce_cstr(name));

    value = commerce_view_get(view, key, &record, &version) == COMMERCE_OK ? 0 : -1;

    if (value == 0) {
        commerce_view_counter(view, key, &value);
    }

    end();

    return value;
}


/* every limit of one: the second use is refused, a use by another name is not */

static void
test_uses(void)
{
    unsigned  i;

    static const struct {
        commerce_count_t    which;
        const char         *reason;
        const char         *first[3], *same[3], *other[3];      /* user, group, seller */
    } cases[] = {
        { COMMERCE_COUNT_TOTAL, "COUPON_TOTAL_LIMIT",
          { "u1", "g1", "s1" }, { "u2", "g2", "s2" }, { NULL } },
        { COMMERCE_COUNT_USER, "COUPON_CUSTOMER_LIMIT",
          { "u1", "g1", "s1" }, { "u1", "g2", "s2" }, { "u2", "g1", "s1" } },
        { COMMERCE_COUNT_DAY, "COUPON_DAILY_LIMIT",
          { "u1", "g1", "s1" }, { "u2", "g2", "s2" }, { NULL } },
        { COMMERCE_COUNT_USER_DAY, "COUPON_CUSTOMER_DAILY_LIMIT",
          { "u1", "g1", "s1" }, { "u1", "g2", "s2" }, { "u2", "g1", "s1" } },
        { COMMERCE_COUNT_GROUP, "COUPON_GROUP_LIMIT",
          { "u1", "g1", "s1" }, { "u2", "g1", "s2" }, { "u2", "g2", "s1" } },
        { COMMERCE_COUNT_SELLER, "COUPON_SELLER_LIMIT",
          { "u1", "g1", "s1" }, { "u2", "g2", "s1" }, { "u2", "g1", "s2" } },
        { COMMERCE_COUNT_GROUP, "COUPON_GROUP_LIMIT",
          { "u1", "", "s1" }, { "u2", "", "s2" }, { "u2", "g2", "s1" } },
        { COMMERCE_COUNT_SELLER, "COUPON_SELLER_LIMIT",
          { "u1", "", "" }, { "u2", "", "" }, { "u2", "g1", "s2" } },
    };

#define AS(who)  (next.group = who[1], next.seller = who[2], who[0])

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh();
        campaign.limits[cases[i].which] = 1;
        put(true);

        is_reason(order(AS(cases[i].first), "k1"), OK, "%s %u: the first", cases[i].reason, i);
        is_str(commerce_reason(order(AS(cases[i].same), "k2"))->name, cases[i].reason,
               "%s %u: the second", cases[i].reason, i);

        if (cases[i].other[0] != NULL) {
            is_reason(order(AS(cases[i].other), "k3"), OK, "%s %u: by another", cases[i].reason, i);
        }

        is_reason(step(cases[i].first[0], "k1", COMMERCE_STEP_REFUSED), OK, "refused");
        is_reason(order(AS(cases[i].same), "k4"), OK, "%s %u: what was given back is free",
                  cases[i].reason, i);
        is_str(commerce_reason(order(AS(cases[i].same), "k5"))->name, cases[i].reason,
               "%s %u: and is taken", cases[i].reason, i);
    }
}


/* budgets at one fen: 25.00 hold two uses of 10.00, and one of 5.00 */

static void
test_money(void)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        fresh();
        next.group = "g1";
        next.seller = "s1";
        campaign.budgets[i] = 2500;
        put(true);

        is_reason(order("u1", "k1"), OK, "budget %u: 10.00", i);
        is_reason(order("u1", "k2"), OK, "budget %u: 20.00", i);

        next.amount = 501;
        is_reason(order("u1", "k3"), COUPON_BUDGET_EXHAUSTED, "budget %u: 25.01", i);
        next.amount = 500;
        is_reason(order("u1", "k4"), OK, "budget %u: 25.00", i);
        next.amount = 1;
        is_reason(order("u1", "k5"), COUPON_BUDGET_EXHAUSTED, "budget %u: one fen more", i);
        next.amount = 0;
        is_reason(order("u1", "k6"), OK, "budget %u: nothing more", i);

        is_reason(step("u1", "k4", COMMERCE_STEP_REFUSED), OK, "refused");
        next.amount = 500;
        is_reason(order("u1", "k7"), OK, "budget %u: its 5.00 are back", i);
        next.amount = 1;
        is_reason(order("u1", "k8"), COUPON_BUDGET_EXHAUSTED, "budget %u: and gone", i);
    }
}


/* what no limit asks for is not written */

static void
test_unlimited(void)
{
    fresh();
    next.group = "g1";
    next.seller = "s1";
    put(true);

    is_reason(order("u1", "k1"), OK, "no limits at all");
    is_int(counter(COMMERCE_COUNT_TOTAL, false, ""), 1, "its uses are counted");
    is_int(counter(COMMERCE_COUNT_USER, false, "u1"), 1, "and those of the user");
    is_int(counter(COMMERCE_COUNT_DAY, false, ""), -1, "not the day's");
    is_int(counter(COMMERCE_COUNT_USER_DAY, false, "u1"), -1, "nor the user's of the day");
    is_int(counter(COMMERCE_COUNT_GROUP, false, "g1"), -1, "nor the group's");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), -1, "nor the seller's");
    is_int(counter(COMMERCE_COUNT_TOTAL, true, ""), -1, "nor money");
}


/* a day ends at midnight of the campaign's zone, and a use is given back to the day it was reserved on */

static void
test_days(void)
{
    commerce_time_t  midnight;

    fresh();
    campaign.limits[COMMERCE_COUNT_DAY] = 1;
    campaign.budgets[COMMERCE_COUNT_DAY] = 1000;
    put(true);

    midnight = now + 8 * HOUR;      /* 2027-01-16T00:00:00+08:00 */

    now = midnight - 1;
    is_reason(order("u1", "k1"), OK, "the last second of the day");
    is_reason(order("u2", "k2"), COUPON_DAILY_LIMIT, "its one use is gone");
    now = midnight;
    is_reason(order("u2", "k3"), OK, "the next second is another day");
    is_reason(order("u3", "k4"), COUPON_DAILY_LIMIT, "with one use, too");

    is_reason(step("u1", "k1", COMMERCE_STEP_CANCELLED), OK, "yesterday's order is cancelled");
    is_reason(order("u3", "k5"), COUPON_DAILY_LIMIT, "which makes no room today");
    now = midnight - 1;
    is_int(counter(COMMERCE_COUNT_DAY, false, ""), 0, "but yesterday");
    is_int(counter(COMMERCE_COUNT_DAY, true, ""), 0, "in money, too");
    is_reason(order("u3", "k6"), OK, "where it could be used");
    now = midnight - 8 * HOUR;
}


/* limits that come, go and change their names while a coupon is reserved */

static void
test_changes(void)
{
    fresh();
    next.group = "g1";
    next.seller = "s1";
    campaign.limits[COMMERCE_COUNT_GROUP] = 5;
    campaign.budgets[COMMERCE_COUNT_TOTAL] = 10000;
    put(true);

    is_reason(order("u1", "k1"), OK, "reserved");

    campaign.limits[COMMERCE_COUNT_GROUP] = 0;
    campaign.limits[COMMERCE_COUNT_SELLER] = 1;
    campaign.budgets[COMMERCE_COUNT_TOTAL] = 0;
    campaign.fixed = 3000;
    put(false);

    is_reason(order("u2", "k2"), OK, "a limit counts from when it is there");
    is_reason(order("u3", "k3"), COUPON_SELLER_LIMIT, "and holds");

    is_reason(step("u1", "k1", COMMERCE_STEP_REFUSED), OK, "the first is given back");
    is_int(counter(COMMERCE_COUNT_GROUP, false, "g1"), 0, "to the group that nobody limits now");
    is_int(counter(COMMERCE_COUNT_TOTAL, true, ""), 0, "the 10.00 that it was then");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), 1, "not to a seller it was not counted for");
    is_reason(order("u3", "k4"), COUPON_SELLER_LIMIT, "whose limit holds");
    is_int(counter(COMMERCE_COUNT_TOTAL, false, ""), 1, "one use in all");
}


/* an order without amounts: the most it can cost, or nothing is given */

static void
test_unknown(void)
{
    fresh();
    next.amount = -1;
    campaign.budgets[COMMERCE_COUNT_TOTAL] = 1999;
    put(true);

    is_reason(order("u1", "k1"), OK, "fixed: counts what it says");
    is_int(counter(COMMERCE_COUNT_TOTAL, true, ""), 1000, "10.00");
    is_reason(order("u1", "k2"), COUPON_BUDGET_EXHAUSTED, "19.99 hold it once");

    fresh();
    next.amount = -1;
    campaign.fixed = 0;
    campaign.percent = 1000;
    campaign.cap = 700;
    campaign.budgets[COMMERCE_COUNT_USER] = 700;
    put(true);

    is_reason(order("u1", "k1"), OK, "percent: counts its cap");
    is_int(counter(COMMERCE_COUNT_USER, true, "u1"), 700, "7.00");
    is_reason(order("u1", "k2"), COUPON_BUDGET_EXHAUSTED, "once");
    is_reason(order("u2", "k3"), OK, "and for another user");

    campaign.cap = 0;
    put(false);
    is_reason(order("u3", "k4"), COUPON_BUDGET_EXHAUSTED, "without a cap nobody can tell");
    next.amount = 100;
    is_reason(order("u3", "k5"), OK, "with amounts one can");
    campaign.budgets[COMMERCE_COUNT_USER] = 0;
    put(false);
    next.amount = -1;
    is_reason(order("u3", "k6"), OK, "without a budget one need not");
}


/* a notice about a released coupon: taken again whatever is full, told, and counted today */

static void
test_notice(void)
{
    unsigned          i;
    commerce_count_t  which;

    static const char *const  reasons[COMMERCE_COUNTS] = {
        "COUPON_TOTAL_LIMIT", "COUPON_CUSTOMER_LIMIT", "COUPON_DAILY_LIMIT",
        "COUPON_CUSTOMER_DAILY_LIMIT", "COUPON_GROUP_LIMIT", "COUPON_SELLER_LIMIT"
    };

    for (i = 0; i < 2 * COMMERCE_COUNTS; i++) {
        which = i % COMMERCE_COUNTS;

        fresh();
        next.group = "g1";
        next.seller = "s1";

        if (i < COMMERCE_COUNTS) {
            campaign.limits[which] = 1;

        } else {
            campaign.budgets[which] = 1999;
        }

        put(true);

        is_reason(order("u1", "k1"), OK, "%u: reserved", i);
        is_reason(step("u1", "k1", COMMERCE_STEP_ACCEPTED), OK, "%u: placed", i);
        now += 960;
        is_reason(step("u1", "k1", COMMERCE_STEP_DUE), ORDER_DEADLINE, "%u: released", i);
        is_reason(order("u1", "k2"), OK, "%u: another order has the use", i);
        is_reason(step("u1", "k1", COMMERCE_STEP_PAID), OK, "%u: paid", i);
        is_int(flagged(), 1, "%u: and told", i);
        is_int(counter(which, i >= COMMERCE_COUNTS, which == COMMERCE_COUNT_GROUP ? "g1"
                       : which == COMMERCE_COUNT_SELLER ? "s1" : "u1"),
               i < COMMERCE_COUNTS ? 2 : 2000, "%u: above the limit", i);
        is_str(commerce_reason(order("u1", "k3"))->name,
               i < COMMERCE_COUNTS ? reasons[which] : "COUPON_BUDGET_EXHAUSTED",
               "%u: which refuses the next", i);
        now -= 960;
    }
}


/* rolled back and used again: the old count is gone, the new one is its own */

static void
test_again(void)
{
    fresh();
    next.seller = "s1";
    campaign.limits[COMMERCE_COUNT_SELLER] = 1;
    put(true);

    is_reason(order("u1", "k1"), OK, "reserved");
    is_reason(step("u1", "k1", COMMERCE_STEP_PAID), OK, "redeemed");
    is_reason(step("u1", "k1", COMMERCE_STEP_CANCELLED), OK, "rolled back");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), 0, "given back");

    serial--;
    next.seller = "s2";
    is_reason(order("u1", "k2"), OK, "the same coupon, for another seller");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), 0, "nothing of the first");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s2"), 1, "one of the second");
}


static commerce_reason_t
retry(const char *user, const char *key)
{
    uint64_t           version;
    commerce_order_t   o;
    commerce_reason_t  reason;

    begin();

    if (commerce_order_read(&reader, commerce_cstr(user), key_of(key), &o, &version)
        != COMMERCE_OK)
    {
        end();
        return COMMERCE_R(ORDER_UNKNOWN);
    }

    reason = commerce_ledger_reopen(&ledger, &o, version, now + 75);

    if (reason != COMMERCE_R(OK)) {
        commerce_txn_init(&txn, commerce_heap_arena(heap));
    }

    return end() == COMMERCE_TXN_APPLIED ? reason : COMMERCE_R(INTERNAL);
}


/*
 * A retry takes a released coupon again, counted anew, but does not revive one: neither after the campaign's end
 * or its own, nor outside the hours
 */

static void
test_retry(void)
{
    uint64_t                 version;
    commerce_time_t          start = now;
    commerce_coupon_t        coupon;
    static commerce_hours_t  hours[] = { { 0x7f, 0, 17 * 60 } };

    fresh();
    next.seller = "s1";
    campaign.hours = hours;
    campaign.hours_count = 1;
    campaign.limits[COMMERCE_COUNT_SELLER] = 1;
    put(true);

    is_reason(order("u1", "k1"), OK, "reserved at 16:00");
    is_reason(step("u1", "k1", COMMERCE_STEP_UNKNOWN), COUPON_UNKNOWN_RESULT, "in doubt");
    now = start + 960;
    is_reason(step("u1", "k1", COMMERCE_STEP_DUE), ORDER_DEADLINE, "released");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), 0, "and given back");
    now = start + HOUR;
    is_reason(retry("u1", "k1"), COUPON_DAY_NOT_ELIGIBLE, "17:00 is too late for a retry");
    now = start + HOUR - 1;
    is_reason(retry("u1", "k1"), OK, "a second before it is taken again");
    is_int(counter(COMMERCE_COUNT_SELLER, false, "s1"), 1, "and counted again");

    /* a coupon with an end of its own, as claimed ones have */

    now = start;
    fresh();
    put(true);
    begin();
    commerce_coupon_read(&reader, campaigns, 1, &coupon, &version);
    coupon.claimed = start;
    coupon.expires = start + 2000;
    commerce_coupon_write(&txn, shop, &coupon, version);
    end();

    is_reason(order("u1", "k1"), OK, "reserved");
    is_reason(step("u1", "k1", COMMERCE_STEP_UNKNOWN), COUPON_UNKNOWN_RESULT, "in doubt");
    now = start + 960;
    is_reason(step("u1", "k1", COMMERCE_STEP_DUE), ORDER_DEADLINE, "released");
    now = start + 2000;
    is_reason(retry("u1", "k1"), COUPON_EXPIRED, "its end is the end for a retry");
    now = start + 1999;
    is_reason(retry("u1", "k1"), OK, "a second before it is not");
    now = start;
}


int
main(void)
{
    temp_store_open();

    test_uses();
    test_money();
    test_unlimited();
    test_days();
    test_changes();
    test_unknown();
    test_notice();
    test_again();
    test_retry();

    temp_store_close();

    return done_testing();
}
