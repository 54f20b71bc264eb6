/*
 * Copyright (C) ngx_commerce authors
 *
 * Orders and coupons through their whole lives, on a real store.
 */

#include "tap.h"
#include "temp_store.h"
#include "commerce_ledger.h"
#include "commerce_rules.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

#define AUTUMN  1       /* 10 yuan off; 3 in all, 2 per user */
#define TENTH   2       /* 15 %, no limits */

static const commerce_str_t  shop = { "demo", 4 };

static commerce_event_source_t  source;
static commerce_heap_t         *heap;
static commerce_view_t         *view;
static commerce_reader_t        reader;
static commerce_txn_t           txn;
static commerce_ledger_t        ledger;
static commerce_time_t          now = 10000;

static char      events[65536];         /* what the last transactions told, one line each */
static uint64_t  told;

/* how the next order is opened */
static struct {
    bool                        redeem_on_paid;
    commerce_deadline_policy_t  unpaid, in_doubt;
} policy;


static void
begin(void)
{
    heap = commerce_heap_create();
    commerce_view_begin(temp_store, &view);
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };
    ledger = (commerce_ledger_t) { &reader, &txn, &source, now, now * 1000000 + 7 };
}


static void
collect(void)
{
    size_t           n;
    commerce_str_t   body;

    n = 0;
    events[0] = '\0';

    while (commerce_view_outbox(view, told, &told, &body) == COMMERCE_OK) {
        if (n + body.len + 2 < sizeof(events)) {
            memcpy(events + n, body.data, body.len);
            n += body.len;
            events[n++] = '\n';
            events[n] = '\0';
        }
    }
}


static commerce_txn_result_t
end(void)
{
    commerce_txn_result_t  result;

    commerce_view_end(view);
    result = (txn.count != 0 && !txn.failed) ? temp_store_apply(&txn) : COMMERCE_TXN_APPLIED;
    commerce_view_begin(temp_store, &view);
    collect();
    commerce_view_end(view);
    commerce_heap_destroy(heap);

    return result;
}


/* how many lines hold both texts */

static unsigned
says(const char *type, const char *text)
{
    char         name[64];
    unsigned     n;
    const char  *line, *stop, *a, *b;

    snprintf(name, sizeof(name), "\"type\":\"%s\"", type);

    for (n = 0, line = events; *line != '\0'; line = stop + 1) {
        stop = strchr(line, '\n');
        a = strstr(line, name);
        b = strstr(line, text);
        n += (a != NULL && a < stop && b != NULL && b < stop);
    }

    return n;
}


static unsigned
event_count(void)
{
    unsigned     n;
    const char  *p;

    for (n = 0, p = events; *p != '\0'; p++) {
        n += (*p == '\n');
    }

    return n;
}


static int64_t
counter(commerce_str_t key)
{
    int64_t           value;
    commerce_view_t  *v;

    value = INT64_MIN;

    if (commerce_view_begin(temp_store, &v) == COMMERCE_OK) {
        commerce_view_counter(v, key, &value);
        commerce_view_end(v);
    }

    return value;
}

#define total(campaign)  counter(campaign == AUTUMN ? S("demo/n/t/0001") : S("demo/n/t/0002"))
#define doubt()          counter(S("demo/n/doubt"))


static commerce_coupon_t
coupon(unsigned campaign, uint32_t serial)
{
    commerce_coupon_t  c;

    begin();
    commerce_coupon_read(&reader, campaign, serial, &c, NULL);
    c.holder = c.order_user = c.order_key = c.used_by = S("");
    end();

    return c;
}


static void
campaigns(void)
{
    commerce_campaign_t  autumn = {
        .number = AUTUMN, .id = S("autumn"), .fixed = 1000, .until = COMMERCE_FOREVER,
        .limits = { 3, 2 }, .enabled = true, .minted = 100
    };
    commerce_campaign_t  tenth = {
        .number = TENTH, .id = S("tenth"), .percent = 1500, .until = COMMERCE_FOREVER,
        .enabled = true,
        .minted = 100
    };

    begin();
    commerce_campaign_write(&txn, shop, &autumn, 0);
    commerce_campaign_write(&txn, shop, &tenth, 0);
    is_int(end(), COMMERCE_TXN_APPLIED, "two campaigns");
}


static commerce_reason_t
take(commerce_use_request_t *use, unsigned campaign, uint32_t serial, commerce_order_t *order)
{
    uint8_t           admits[4];
    commerce_facts_t  facts = { .user = order->user, .now = now };

    commerce_campaign_read(&reader, campaign, &use->campaign, NULL);
    commerce_coupon_read(&reader, campaign, serial, &use->coupon, &use->version);

    return commerce_coupon_check(&use->campaign, &use->coupon, &facts, order->lines,
                                 order->line_count, admits, &use->discount);
}


static commerce_order_t
new_order(const char *user, const char *key, commerce_line_t *lines)
{
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));

    lines[0] = (commerce_line_t) { S("A"), 1, 9999, 0, 0, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("B"), 2, 3333, 0, -1, { 0, 0 } };
    lines[2] = (commerce_line_t) { S("C"), 1, 1, 0, 0, { 0, 0 } };

    o.user = commerce_cstr(user);
    o.key = commerce_cstr(key);
    o.fingerprint[0] = (uint8_t) key[0];
    o.redeem_on_paid = policy.redeem_on_paid;
    o.unpaid = policy.unpaid;
    o.in_doubt = policy.in_doubt;
    o.in_flight_until = now + 75;
    o.deadline = now + 960;
    o.claimed = 13333;
    o.payable = -1;
    o.pseudonym = S("k1:buyer");
    o.policy = 42;
    o.reason = COMMERCE_R(ATTR_OK);
    o.lines = lines;
    o.line_count = 3;
    o.credits[0].source = COMMERCE_SOURCE_SHARE;
    o.credits[0].seller = 1;
    o.credits[0].seller_id = S("amy");
    o.credit_count = 1;

    return o;
}


/* opens an order with coupons: pairs of campaign and serial, ended by 0 */

static commerce_reason_t
place(const char *user, const char *key, const unsigned *pairs, commerce_txn_result_t *result)
{
    int                     tag;
    unsigned                n;
    commerce_line_t         lines[3];
    commerce_order_t        o;
    commerce_reason_t       reason;
    commerce_use_request_t  uses[4];

    begin();
    o = new_order(user, key, lines);

    for (n = 0, reason = COMMERCE_R(OK); pairs[2 * n] != 0 && reason == COMMERCE_R(OK); n++) {
        reason = take(&uses[n], pairs[2 * n], pairs[2 * n + 1], &o);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_ledger_open(&ledger, &o, uses, n, NULL);
    }

    *result = end();
    tag = txn.failed_tag;

    return (*result == COMMERCE_TXN_LIMIT) ? (commerce_reason_t) tag : reason;
}


static commerce_reason_t
step(const char *user, const char *key, commerce_step_t what, const char *id,
    commerce_fen_t payable)
{
    uint64_t           version;
    commerce_order_t   o;
    commerce_answer_t  answer = { .id = commerce_cstr(id), .payable = payable };
    commerce_reason_t  reason;

    begin();

    if (commerce_order_read(&reader, commerce_cstr(user), commerce_cstr(key), &o, &version)
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

#define ACCEPTED   COMMERCE_STEP_ACCEPTED
#define REFUSED    COMMERCE_STEP_REFUSED
#define UNKNOWN    COMMERCE_STEP_UNKNOWN
#define PAID       COMMERCE_STEP_PAID
#define CANCELLED  COMMERCE_STEP_CANCELLED
#define DUE        COMMERCE_STEP_DUE


static commerce_order_t
look(const char *user, const char *key)
{
    commerce_order_t  o;

    begin();

    if (commerce_order_read(&reader, commerce_cstr(user), commerce_cstr(key), &o, NULL)
        != COMMERCE_OK)
    {
        o.state = COMMERCE_ORDER_FAILED;
    }

    end();

    return o;
}


/* as many uses are counted as coupons are reserved or redeemed, and as many doubts as there are */

static void
invariant(const char *after)
{
    unsigned           i;
    int64_t            used[3] = { 0 }, users, in_doubt, value;
    uint64_t           version;
    commerce_str_t     prefix, key, record, last;
    commerce_order_t   o;
    commerce_coupon_t  c;

    begin();

    prefix = commerce_record_prefix(reader.arena, shop, 'c');

    for (last = S("");
         commerce_view_next(view, prefix, last, &key, &record, &version) == COMMERCE_OK;
         last = key)
    {
        if (commerce_coupon_decode(reader.arena, record, &c) != COMMERCE_OK) {
            ok(false, "an unreadable coupon");
            continue;
        }

        used[c.campaign] += c.state == COMMERCE_COUPON_RESERVED
                            || c.state == COMMERCE_COUPON_REDEEMED;

        if ((c.state == COMMERCE_COUPON_ISSUED) != (c.order_key.len == 0)) {
            ok(false, "a coupon's order and state differ");
        }
    }

    prefix = commerce_record_prefix(reader.arena, shop, 'o');
    in_doubt = 0;

    for (last = S("");
         commerce_view_next(view, prefix, last, &key, &record, &version) == COMMERCE_OK;
         last = key)
    {
        if (commerce_order_decode(reader.arena, record, &o) != COMMERCE_OK) {
            ok(false, "an unreadable order");
            continue;
        }

        in_doubt += o.doubt != 0;

        for (i = 0; i < o.coupon_count; i++) {
            commerce_coupon_read(&reader, o.coupons[i].campaign, o.coupons[i].serial, &c, NULL);

            if ((o.coupons[i].use == COMMERCE_USE_RESERVED)
                != (c.state == COMMERCE_COUPON_RESERVED && commerce_equal(c.order_key, o.key)
                    && commerce_equal(c.order_user, o.user))
                || (o.coupons[i].use == COMMERCE_USE_REDEEMED)
                   != (c.state == COMMERCE_COUPON_REDEEMED && commerce_equal(c.order_key, o.key)
                       && commerce_equal(c.order_user, o.user)))
            {
                ok(false, "order %.*s and its coupon differ", (int) o.key.len, o.key.data);
            }
        }
    }

    users = 0;

    for (i = AUTUMN; i <= TENTH; i++) {
        prefix = commerce_counter_user(reader.arena, shop, i, S(""));

        for (last = S("");
             commerce_view_next(view, prefix, last, &key, &record, &version) == COMMERCE_OK;
             last = key)
        {
            commerce_view_counter(view, key, &value);
            users += value;
        }
    }

    end();

    ok(total(AUTUMN) == used[AUTUMN] && total(TENTH) == used[TENTH]
       && users == used[AUTUMN] + used[TENTH],
       "%s: counters and coupons agree (%d + %d)", after, (int) used[AUTUMN], (int) used[TENTH]);
    is_int(doubt(), in_doubt, "%s: so do the orders in doubt", after);
}


#define PLACE(user, key, ...)                                                   \
    place(user, key, (unsigned[]) { __VA_ARGS__, 0 }, &result)


static void
test_amounts(void)
{
    commerce_order_t       o;
    commerce_txn_result_t  result;

    /*
     * 15 % of 133.33 is 19.9995, half up 20.00: 15.00 + 5.00 + 0.00 by largest remainder; then
     * 10.00 off 84.99 + 28.33 + 0.01: 7.50 + 2.50 + 0.00.  The backend has to ask for 103.33.
     */

    policy.redeem_on_paid = true;
    is_reason(PLACE("u1", "k1", TENTH, 1, AUTUMN, 1), OK, "an order with two coupons");
    is_int(result, COMMERCE_TXN_APPLIED, "applied");
    is_int(event_count(), 2, "two events");
    is_int(says("coupon_reserve", "\"campaign\":\"tenth\",\"serial\":1,\"order_key\":\"k1\","
                "\"buyer\":\"k1:buyer\",\"seller\":\"amy\",\"discount\":2000,"
                "\"from\":\"issued\",\"to\":\"reserved\",\"redeem_on\":\"paid\",\"deadline\":"), 1, "reserved: 20.00");
    is_int(says("coupon_reserve", "\"discount\":1000,"), 1, "reserved: 10.00");
    ok(strstr(events, "\"u1\"") == NULL, "no user in the log");

    o = look("u1", "k1");
    is_int(o.state, COMMERCE_ORDER_PENDING, "pending");
    is_int(o.discount, 3000, "30.00 in all");
    is_int(o.due, now + 75, "due when its flight is over");
    is_int(o.created, now, "created now");
    is_int(coupon(TENTH, 1).state, COMMERCE_COUPON_RESERVED, "reserved");
    is_int(total(AUTUMN), 1, "counted");
    is_int(counter(S("demo/n/v/0001/u1")), 1, "for the user too");
    invariant("reserved");

    is_reason(step("u1", "k1", ACCEPTED, "2026-1", 10333), OK, "the backend asks for 103.33");
    is_int(event_count(), 1, "one event");
    is_int(says("order", "\"order_key\":\"k1\",\"order_id\":\"2026-1\",\"state\":\"placed\","
                "\"buyer\":\"k1:buyer\",\"claimed\":13333,\"discount\":3000,\"payable\":10333,"
                "\"lines\":[{\"sku\":\"A\",\"quantity\":1,\"amount\":9999,\"discount\":2250,"
                "\"seller\":\"amy\",\"source\":\"share\"},{\"sku\":\"B\",\"quantity\":2,"
                "\"amount\":3333,\"discount\":750,\"source\":\"house\"},{\"sku\":\"C\","
                "\"quantity\":1,\"amount\":1,\"discount\":0,"), 1, "to the fen");
    is_int(look("u1", "k1").due, now + 960, "due at the deadline");
    is_reason(step("u1", "k1", ACCEPTED, "2026-1", 10333), ORDER_REPLAY, "again");
    is_int(event_count(), 0, "tells nothing");

    is_reason(step("u1", "k1", PAID, "", -1), OK, "paid");
    is_int(event_count(), 3, "three events");
    is_int(says("coupon_redeem", "\"from\":\"reserved\",\"to\":\"redeemed\",\"fp\""), 2,
           "redeemed");
    is_int(says("paid", "\"state\":\"paid\""), 1, "paid");
    is_int(says("paid", "\"use\":\"redeemed\""), 1, "with its coupons");
    is_int(total(AUTUMN), 1, "a redemption counts as the reservation did");
    is_reason(step("u1", "k1", PAID, "", -1), ORDER_REPLAY, "paid again");
    is_int(event_count(), 0, "tells nothing");
    is_reason(step("u1", "k1", REFUSED, "", -1), ORDER_REPLAY, "a failure after the payment");
    is_int(coupon(AUTUMN, 1).state, COMMERCE_COUPON_REDEEMED, "never releases");
    invariant("redeemed");

    is_reason(step("u1", "k1", CANCELLED, "", -1), OK, "cancelled");
    is_int(says("coupon_rollback", "\"from\":\"redeemed\",\"to\":\"issued\""), 2, "rolled back");
    is_int(says("order", "\"state\":\"cancelled\""), 1, "cancelled");
    is_int(says("order", "\"use\":\"rolled_back\""), 1, "with its coupons");
    is_int(total(AUTUMN), 0, "counter is back");
    is_int(counter(S("demo/n/v/0001/u1")), 0, "the user's too");
    is_int(coupon(AUTUMN, 1).state, COMMERCE_COUPON_ISSUED, "issued");
    is_int(coupon(AUTUMN, 1).cycles, 1, "one cycle");
    is_reason(step("u1", "k1", CANCELLED, "", -1), ORDER_REPLAY, "cancelled again");
    is_reason(step("u1", "k1", PAID, "", -1), ORDER_CLOSED, "the payment again");
    is_int(event_count(), 0, "tells nothing");
    invariant("rolled back");
}


static void
test_refused(void)
{
    unsigned                refused;
    commerce_line_t         lines[3];
    commerce_order_t        o;
    commerce_txn_result_t   result;
    commerce_use_request_t  uses[2];

    is_reason(PLACE("u1", "r1", AUTUMN, 1), OK, "an order");
    is_reason(PLACE("u2", "r2", AUTUMN, 1), COUPON_HELD_BY_OTHER_ORDER, "another with its coupon");
    is_int(event_count(), 0, "writes nothing");
    is_reason(PLACE("u2", "r1", AUTUMN, 1), COUPON_HELD_BY_OTHER_ORDER, "the same key of another");
    is_reason(step("u1", "r1", REFUSED, "", -1), OK, "refused");
    is_int(says("coupon_release", "\"reason\":\"COUPON_UPSTREAM_REJECTED\""), 1, "released");
    is_int(says("order", "\"state\":\"failed\""), 1, "failed");
    is_int(look("u1", "r1").state, COMMERCE_ORDER_FAILED, "its key is free again");
    is_int(total(AUTUMN), 0, "nothing counted");
    invariant("refused");

    is_reason(PLACE("u1", "r1", AUTUMN, 1), OK, "the same key once more");
    is_reason(step("u1", "r1", ACCEPTED, "r-1", -1), OK, "accepted");
    is_reason(step("u1", "r1", PAID, "", -1), OK, "paid");
    is_reason(PLACE("u2", "r2", AUTUMN, 1), COUPON_ALREADY_REDEEMED, "it is spent");
    is_reason(step("u1", "r1", CANCELLED, "", -1), OK, "cancelled");

    begin();
    o = new_order("u3", "r3", lines);
    take(&uses[0], AUTUMN, 7, &o);
    take(&uses[1], AUTUMN, 7, &o);
    refused = 9;
    is_reason(commerce_ledger_open(&ledger, &o, uses, 2, &refused), COUPON_DUPLICATE, "one twice");
    is_int(refused, 1, "the second");
    is_int(txn.count, 0, "nothing to apply");
    o.key = S("k\x1fk");
    is_reason(commerce_ledger_open(&ledger, &o, uses, 1, NULL), ORDER_KEY_MALFORMED, "a bad key");
    o.key = S("k");
    lines[0].sku = S("\377");
    is_reason(commerce_ledger_open(&ledger, &o, uses, 1, NULL), ORDER_MALFORMED, "a bad SKU");
    is_int(txn.count, 0, "nothing to apply");
    end();
}


static void
test_limits(void)
{
    commerce_txn_result_t  result;

    is_reason(PLACE("l1", "a", AUTUMN, 10, AUTUMN, 11), OK, "two of one campaign");
    is_int(total(AUTUMN), 2, "both count");
    is_reason(PLACE("l1", "b", AUTUMN, 12), COUPON_CUSTOMER_LIMIT, "a third of this user");
    is_int(total(AUTUMN), 2, "is not counted");
    is_int(coupon(AUTUMN, 12).state, COMMERCE_COUPON_ISSUED, "nor reserved");
    is_int(event_count(), 0, "nor told");
    is_reason(PLACE("l2", "a", AUTUMN, 13, AUTUMN, 14), COUPON_TOTAL_LIMIT, "two when one is left");
    is_reason(PLACE("l2", "a", AUTUMN, 13), OK, "one is left");
    is_reason(PLACE("l3", "a", AUTUMN, 14), COUPON_TOTAL_LIMIT, "none is left");
    is_reason(step("l1", "a", REFUSED, "", -1), OK, "two come back");
    is_int(total(AUTUMN), 1, "one is used");
    is_reason(PLACE("l3", "a", AUTUMN, 14), OK, "room again");
    invariant("limits");
    step("l2", "a", REFUSED, "", -1);
    step("l3", "a", REFUSED, "", -1);
    is_int(total(AUTUMN), 0, "all back");
}


static void
test_two_at_once(void)
{
    commerce_line_t         lines[3], others[3];
    commerce_txn_t          rival, *both[2] = { &txn, &rival };
    commerce_order_t        o, p;
    commerce_use_request_t  use;

    begin();
    o = new_order("t1", "k", lines);
    p = new_order("t2", "k", others);
    take(&use, TENTH, 50, &o);
    is_reason(commerce_ledger_open(&ledger, &o, &use, 1, NULL), OK, "one order");
    commerce_txn_init(&rival, reader.arena);
    ledger.txn = &rival;
    is_reason(commerce_ledger_open(&ledger, &p, &use, 1, NULL), OK, "another in the same moment");
    commerce_view_end(view);
    commerce_store_apply(temp_store, both, 2);
    is_int(txn.result, COMMERCE_TXN_APPLIED, "one gets the coupon");
    is_int(rival.result, COMMERCE_TXN_CONFLICT, "the other has to look again");
    commerce_view_begin(temp_store, &view);
    txn.count = 0;
    end();
    is_int(total(TENTH), 1, "counted once");
    step("t1", "k", REFUSED, "", -1);
    invariant("two at once");
}


static void
test_unknown(void)
{
    commerce_txn_result_t  result;

    policy.redeem_on_paid = false;
    policy.in_doubt = COMMERCE_POLICY_HOLD;

    is_reason(PLACE("u1", "n1", AUTUMN, 20), OK, "an order");
    is_reason(step("u1", "n1", UNKNOWN, "", -1), COUPON_UNKNOWN_RESULT, "nobody knows");
    is_int(says("order", "\"state\":\"unknown\""), 1, "unknown");
    is_int(says("order", "\"doubt\":[\"unknown\"]"), 1, "in doubt");
    is_int(doubt(), 1, "counted");
    is_reason(step("u1", "n1", UNKNOWN, "", -1), ORDER_REPLAY, "again");
    is_int(coupon(AUTUMN, 20).state, COMMERCE_COUPON_RESERVED, "stays reserved");
    now += 100000;
    is_reason(step("u1", "n1", DUE, "", -1), ORDER_REPLAY, "hold: for ever");
    is_reason(step("u1", "n1", ACCEPTED, "n-1", 12333), OK, "it was accepted");
    is_int(says("coupon_redeem", "\"serial\":20"), 1, "redeemed");
    is_int(doubt(), 0, "no doubt");
    is_int(coupon(AUTUMN, 20).state, COMMERCE_COUPON_REDEEMED, "redeemed");
    step("u1", "n1", CANCELLED, "", -1);

    is_reason(PLACE("u1", "n2", AUTUMN, 20), OK, "another");
    is_reason(step("u1", "n2", DUE, "", -1), ORDER_REPLAY, "in flight");
    now += 75;
    is_reason(step("u1", "n2", DUE, "", -1), COUPON_UNKNOWN_RESULT, "not any more");
    is_int(doubt(), 1, "in doubt");
    is_reason(step("u1", "n2", REFUSED, "", -1), OK, "it was refused");
    is_int(doubt(), 0, "no doubt");
    is_int(total(AUTUMN), 0, "no use");
    invariant("unknown");
}


static commerce_reason_t
retry(const char *user, const char *key, commerce_txn_result_t *result)
{
    int                tag;
    uint64_t           version;
    commerce_order_t   o;
    commerce_reason_t  reason;

    begin();
    commerce_order_read(&reader, commerce_cstr(user), commerce_cstr(key), &o, &version);
    reason = commerce_ledger_reopen(&ledger, &o, version, now + 75);
    *result = end();
    tag = txn.failed_tag;

    return (*result == COMMERCE_TXN_LIMIT) ? (commerce_reason_t) tag : reason;
}


static void
test_reopen(void)
{
    commerce_order_t       o;
    commerce_txn_result_t  result;

    policy.redeem_on_paid = true;
    policy.in_doubt = COMMERCE_POLICY_RELEASE;

    is_reason(PLACE("u1", "o1", AUTUMN, 30), OK, "an order");
    step("u1", "o1", UNKNOWN, "", -1);
    is_reason(retry("u1", "o1", &result), OK, "tried again");
    o = look("u1", "o1");
    ok(o.state == COMMERCE_ORDER_PENDING && o.due == now + 75, "in flight again");
    is_int(doubt(), 1, "and still in doubt");
    is_int(event_count(), 0, "its coupon never left it");
    invariant("reopened");

    step("u1", "o1", UNKNOWN, "", -1);
    now += 960;
    is_reason(step("u1", "o1", DUE, "", -1), ORDER_DEADLINE, "deadline");
    is_int(says("coupon_release", "\"reason\":\"ORDER_DEADLINE\""), 1, "released");
    is_int(doubt(), 1, "still listed");
    is_int(total(AUTUMN), 0, "use is back");
    invariant("released in doubt");

    is_reason(retry("u1", "o1", &result), OK, "tried again after that");
    is_int(says("coupon_reserve", "\"serial\":30"), 1, "reserved anew");
    is_int(total(AUTUMN), 1, "counted anew");
    o = look("u1", "o1");
    is_int(o.deadline, now + 960, "a new deadline");
    is_int(o.coupons[0].use, COMMERCE_USE_RESERVED, "reserved");
    invariant("reserved anew");

    step("u1", "o1", UNKNOWN, "", -1);
    now += 960;
    step("u1", "o1", DUE, "", -1);
    is_reason(PLACE("u2", "o2", AUTUMN, 30), OK, "somebody else takes it");
    is_reason(retry("u1", "o1", &result), COUPON_HELD_BY_OTHER_ORDER, "too late for a retry");
    is_int(look("u1", "o1").state, COMMERCE_ORDER_UNKNOWN, "nothing changed");
    step("u2", "o2", REFUSED, "", -1);

    PLACE("u3", "o3", AUTUMN, 31, AUTUMN, 32);
    PLACE("u4", "o4", AUTUMN, 33);
    is_reason(retry("u1", "o1", &result), COUPON_TOTAL_LIMIT, "limits hold for a retry");
    step("u3", "o3", REFUSED, "", -1);
    step("u4", "o4", REFUSED, "", -1);

    is_reason(step("u1", "o1", REFUSED, "", -1), OK, "refused in the end");
    is_int(event_count(), 1, "nothing was left to release");
    is_int(doubt(), 0, "no doubt");
    is_reason(PLACE("u1", "o5", AUTUMN, 30), OK, "one more");
    step("u1", "o5", ACCEPTED, "o-5", -1);
    is_reason(retry("u1", "o5", &result), ORDER_REPLAY, "its outcome is known");
    step("u1", "o5", CANCELLED, "", -1);
    invariant("retries");
}


static void
test_deadline(void)
{
    commerce_order_t       o, due;
    commerce_txn_result_t  result;

    policy.redeem_on_paid = true;
    policy.unpaid = COMMERCE_POLICY_RELEASE;

    is_reason(PLACE("u1", "d1", AUTUMN, 40, AUTUMN, 41), OK, "an order");
    step("u1", "d1", ACCEPTED, "d-1", -1);
    now += 959;
    begin();
    is_int(commerce_order_due(&reader, now, &due, NULL), COMMERCE_ABSENT, "not due");
    end();
    now += 1;
    begin();
    is_int(commerce_order_due(&reader, now, &due, NULL), COMMERCE_OK, "due");
    is_str(due.key, "d1", "this one");
    end();
    is_reason(step("u1", "d1", DUE, "", -1), ORDER_DEADLINE, "unpaid");
    is_int(says("coupon_release", "ORDER_DEADLINE"), 2, "released");
    o = look("u1", "d1");
    ok(o.state == COMMERCE_ORDER_PLACED && o.due == COMMERCE_FOREVER, "stays placed");
    is_int(total(AUTUMN), 0, "uses are back");
    begin();
    is_int(commerce_order_due(&reader, now + 99999, &due, NULL), COMMERCE_ABSENT, "never again");
    end();
    invariant("deadline");

    /* the notice comes: one is free, the budget (3) is used up by others, one was taken */

    is_reason(PLACE("u2", "d2", AUTUMN, 41), OK, "another takes the second");
    is_reason(PLACE("u3", "d3", AUTUMN, 42, AUTUMN, 43), OK, "and others the budget");
    is_reason(step("u1", "d1", PAID, "", -1), COUPON_RESERVATION_LOST, "a late payment");
    is_int(says("coupon_redeem", "\"serial\":40,"), 1, "takes the free one");
    is_int(says("coupon_redeem", "\"from\":\"issued\",\"to\":\"redeemed\","
                "\"reason\":\"BUDGET_EXCEEDED_BY_NOTICE\""), 1, "flagged");
    is_int(says("coupon_redeem", "\"serial\":41,"), 0, "not the one that another order has");
    is_int(says("paid", "\"serial\":41,\"discount\":1000,\"use\":\"lost\""), 1, "told");
    is_int(says("paid", "\"reason\":\"COUPON_RESERVATION_LOST\""), 1, "with an alarm");
    is_int(total(AUTUMN), 4, "the only way above the limit");
    is_int(coupon(AUTUMN, 41).state, COMMERCE_COUPON_RESERVED, "the other keeps it");
    invariant("late payment");
    is_reason(step("u1", "d1", PAID, "", -1), ORDER_REPLAY, "the same notice");

    is_reason(step("u1", "d1", CANCELLED, "", -1), OK, "cancelled");
    is_int(says("coupon_rollback", "\"serial\":40,"), 1, "rolls its own back");
    is_int(says("coupon_rollback", ""), 1, "only that");
    step("u2", "d2", REFUSED, "", -1);
    step("u3", "d3", REFUSED, "", -1);
    is_int(total(AUTUMN), 0, "all back");

    /* free and within the budget; then the second of two passes it */

    is_reason(PLACE("u1", "d4", AUTUMN, 44), OK, "an order");
    step("u1", "d4", ACCEPTED, "d-4", -1);
    now += 960;
    step("u1", "d4", DUE, "", -1);
    is_reason(step("u1", "d4", PAID, "", -1), OK, "a late payment");
    is_int(says("coupon_redeem", "\"to\":\"redeemed\",\"fp\""), 1, "not flagged");
    is_int(total(AUTUMN), 1, "counted again");
    step("u1", "d4", CANCELLED, "", -1);

    is_reason(PLACE("u1", "d5", AUTUMN, 45, AUTUMN, 46), OK, "two coupons");
    step("u1", "d5", ACCEPTED, "d-5", -1);
    now += 960;
    step("u1", "d5", DUE, "", -1);
    PLACE("u2", "d6", AUTUMN, 47, AUTUMN, 48);
    is_reason(step("u1", "d5", PAID, "", -1), OK, "a late payment with one use left");
    is_int(says("coupon_redeem", "\"serial\":45,"), 1, "first");
    is_int(says("coupon_redeem", "BUDGET_EXCEEDED_BY_NOTICE"), 1, "one of the two is flagged");
    is_int(total(AUTUMN), 4, "both count");
    invariant("budget");
    step("u1", "d5", CANCELLED, "", -1);
    step("u2", "d6", REFUSED, "", -1);

    /* one that was claimed, and whose own end has come */

    begin();
    commerce_coupon_write(&txn, shop, &(commerce_coupon_t) {
        .campaign = TENTH, .serial = 60, .holder = S("u1"), .claimed = now, .expires = now + 900
    }, 0);
    is_int(end(), COMMERCE_TXN_APPLIED, "a claimed coupon");

    is_reason(PLACE("u1", "d7", TENTH, 60), OK, "is used");
    step("u1", "d7", ACCEPTED, "d-7", -1);
    now += 960;
    step("u1", "d7", DUE, "", -1);
    is_reason(step("u1", "d7", PAID, "", -1), OK, "a payment after its end");
    is_int(says("coupon_redeem", "\"reason\":\"COUPON_EXPIRED\""), 1, "is flagged");
    step("u1", "d7", CANCELLED, "", -1);
}


static void
test_mismatch(void)
{
    commerce_txn_result_t  result;

    policy.redeem_on_paid = false;
    policy.in_doubt = COMMERCE_POLICY_HOLD;

    is_reason(PLACE("u1", "m1", AUTUMN, 60), OK, "an order");
    is_reason(step("u1", "m1", ACCEPTED, "m-1", 13333), AMOUNT_MISMATCH, "coupon not honoured");
    is_int(says("order", "\"state\":\"placed\""), 1, "the order stands");
    is_int(says("order", "\"doubt\":[\"amount\"]"), 1, "in doubt");
    is_int(says("order", "\"reason\":\"AMOUNT_MISMATCH\""), 1, "told");
    is_int(coupon(AUTUMN, 60).state, COMMERCE_COUPON_RESERVED, "reserved");
    is_int(doubt(), 1, "counted");
    is_reason(step("u1", "m1", PAID, "", -1), AMOUNT_MISMATCH, "a payment resolves nothing");
    is_int(doubt(), 1, "still in doubt");
    is_int(coupon(AUTUMN, 60).state, COMMERCE_COUPON_RESERVED, "still reserved");
    invariant("mismatch");
    is_reason(step("u1", "m1", ACCEPTED, "", 12333), OK, "the right amount does");
    is_int(says("coupon_redeem", "\"serial\":60"), 1, "redeemed");
    is_int(doubt(), 0, "no doubt");
    step("u1", "m1", CANCELLED, "", -1);

    is_reason(PLACE("u1", "m2", AUTUMN, 60), OK, "another");
    step("u1", "m2", ACCEPTED, "m-2", 1);
    is_reason(step("u1", "m2", CANCELLED, "", -1), OK, "cancelled");
    is_int(doubt(), 0, "no doubt");
    is_int(coupon(AUTUMN, 60).state, COMMERCE_COUPON_ISSUED, "free");
    invariant("mismatch resolved");
}


static commerce_reason_t
notice(const char *id, commerce_step_t what)
{
    unsigned            count;
    commerce_told_t    *all;
    commerce_reason_t   reason;
    commerce_notice_t   n = { .kind = what, .id = commerce_cstr(id), .amount = -1 };

    begin();
    reason = commerce_ledger_notice(&ledger, &n, &all, &count);

    if (end() != COMMERCE_TXN_APPLIED) {
        return COMMERCE_R(STORE_UNKNOWN);
    }

    return reason;
}


/* 64 notices wait for an order's payment already when one more turns up that waited for its id */

static void
test_dropped(void)
{
    char               number[16];
    unsigned           i, count;
    commerce_told_t   *all;
    commerce_notice_t  n = { .kind = COMMERCE_STEP_REFUNDED, .amount = 100, .user = S("u1"), .key = S("dropped-1") };
    commerce_txn_result_t  result;

    is_reason(PLACE("u1", "dropped-1", AUTUMN, 76), OK, "an order");

    for (i = 0; i < COMMERCE_PARKED_MAX; i++) {
        snprintf(number, sizeof(number), "r-%u", i);
        n.refund = commerce_cstr(number);
        begin();
        is_reason(commerce_ledger_notice(&ledger, &n, &all, &count), ORDER_NOT_PAID, "refund %u", i);
        end();
    }

    is_int(says("notice", "\"state\":\"parked\",\"waits_for\":\"order_key\",\"order_key\":\"dropped-1\""), 1, "it waits");
    is_int(says("notice", "\"refund\":\"r-63\",\"amount\":100"), 1, "... with what it told");

    n.refund = S("r-full");
    begin();
    is_reason(commerce_ledger_notice(&ledger, &n, &all, &count), NOTICE_LIMIT, "no more may wait");
    is_int(txn.count, 0, "nothing of it is written");
    end();

    n.user = n.key = S("");
    n.id = S("dropped-id");
    n.refund = S("r-late");
    begin();
    is_reason(commerce_ledger_notice(&ledger, &n, &all, &count), ORDER_UNKNOWN, "one waits for the order's id");
    end();

    is_reason(step("u1", "dropped-1", ACCEPTED, "dropped-id", -1), OK, "the answer names the id");
    is_int(says("notice", "\"state\":\"joined\",\"waits_for\":\"order_id\""), 1, "it is joined");
    is_int(says("notice", "\"state\":\"dropped\""), 1, "and cannot wait for the payment");
    is_int(says("notice", "\"refund\":\"r-late\""), 1, "the log has what it told");
    invariant("dropped");
    step("u1", "dropped-1", CANCELLED, "", -1);
}


static void
test_parked(void)
{
    unsigned               count;
    uint64_t               version;
    commerce_told_t       *all;
    commerce_order_t       o;
    commerce_notice_t      n = { .kind = PAID, .amount = -1 };
    commerce_answer_t      answer = { .id = S("p-9"), .payable = -1 };
    commerce_txn_t         rival, *both[2] = { &txn, &rival };
    commerce_txn_result_t  result;

    policy.redeem_on_paid = true;

    is_reason(PLACE("u1", "p1", AUTUMN, 70), OK, "an order");
    is_reason(notice("p-1", PAID), ORDER_UNKNOWN, "its payment comes first");
    is_reason(notice("p-1", PAID), ORDER_UNKNOWN, "twice");
    is_int(txn.count, 0, "nothing is written for that");
    is_reason(step("u1", "p1", ACCEPTED, "p-1", -1), OK, "then its answer");
    is_int(says("order", "\"state\":\"placed\""), 1, "placed");
    is_int(says("paid", "\"state\":\"paid\""), 1, "and paid");
    is_int(says("coupon_redeem", "\"serial\":70"), 1, "redeemed");
    is_int(look("u1", "p1").state, COMMERCE_ORDER_PAID, "paid");
    is_int(coupon(AUTUMN, 70).state, COMMERCE_COUPON_REDEEMED, "redeemed");
    is_reason(notice("p-1", PAID), ORDER_REPLAY, "once more, now that it has an order");
    is_reason(notice("p-1", CANCELLED), OK, "cancelled");

    /* both at once in one transaction: whoever cancelled is heard first, and the payment is not forgotten */

    policy.redeem_on_paid = false;
    is_reason(PLACE("u1", "p2", AUTUMN, 71), OK, "an order");
    notice("p-2", PAID);
    is_reason(notice("p-2", CANCELLED), ORDER_UNKNOWN, "a cancellation beside the payment");
    is_reason(notice("p-2", PAID), ORDER_UNKNOWN, "and the payment again");
    is_reason(step("u1", "p2", ACCEPTED, "p-2", -1), ORDER_CLOSED, "the answer");
    is_int(says("coupon_redeem", "\"serial\":71"), 1, "redeemed");
    is_int(says("coupon_rollback", "\"serial\":71"), 1, "and rolled back");
    is_int(says("paid", "\"reason\":\"ORDER_CLOSED\""), 1, "the money is told of");
    is_int(look("u1", "p2").state, COMMERCE_ORDER_CANCELLED, "cancelled");
    ok(look("u1", "p2").paid, "and paid");
    is_int(coupon(AUTUMN, 71).state, COMMERCE_COUPON_ISSUED, "issued");
    is_int(total(AUTUMN), 0, "counted up and down");
    invariant("parked");

    /* the notice and the answer in the same moment */

    is_reason(PLACE("u1", "p9", AUTUMN, 72), OK, "an order");
    begin();
    commerce_order_read(&reader, S("u1"), S("p9"), &o, &version);
    commerce_ledger_step(&ledger, &o, version, ACCEPTED, &answer);
    commerce_txn_init(&rival, reader.arena);
    ledger.txn = &rival;
    n.id = S("p-9");
    is_reason(commerce_ledger_notice(&ledger, &n, &all, &count), ORDER_UNKNOWN,
              "unknown just now");
    commerce_view_end(view);
    commerce_store_apply(temp_store, both, 2);
    is_int(txn.result, COMMERCE_TXN_APPLIED, "the answer is in");
    is_int(rival.result, COMMERCE_TXN_CONFLICT, "the notice has to look again");
    commerce_view_begin(temp_store, &view);
    txn.count = 0;
    end();
    step("u1", "p9", CANCELLED, "", -1);

    is_reason(PLACE("u1", "p8", AUTUMN, 72), OK, "the other way round");
    answer.id = S("p-8");
    begin();
    commerce_order_read(&reader, S("u1"), S("p8"), &o, &version);
    n.id = S("p-8");
    commerce_ledger_notice(&ledger, &n, &all, &count);
    commerce_txn_init(&rival, reader.arena);
    ledger.txn = &rival;
    commerce_ledger_step(&ledger, &o, version, ACCEPTED, &answer);
    commerce_view_end(view);
    commerce_store_apply(temp_store, both, 2);
    is_int(txn.result, COMMERCE_TXN_APPLIED, "the notice is parked");
    is_int(rival.result, COMMERCE_TXN_CONFLICT, "the answer has to look again");
    commerce_view_begin(temp_store, &view);
    txn.count = 0;
    end();
    step("u1", "p8", ACCEPTED, "p-8", -1);
    is_int(look("u1", "p8").state, COMMERCE_ORDER_PAID, "and finds it");
    step("u1", "p8", CANCELLED, "", -1);

    is_reason(notice("p\x1f", PAID), ORDER_KEY_MALFORMED, "a bad id");
    is_reason(notice("p-7", DUE), ORDER_KEY_MALFORMED, "no notice");
    is_reason(notice("", PAID), ORDER_KEY_MALFORMED, "nothing to go by");
    invariant("races");
}


static void
test_ids(void)
{
    commerce_order_t       o;
    commerce_txn_result_t  result;

    policy.redeem_on_paid = true;
    is_reason(PLACE("u1", "i1", TENTH, 80), OK, "an order");
    is_reason(PLACE("u2", "i2", TENTH, 81), OK, "another");
    step("u1", "i1", ACCEPTED, "same", -1);
    is_reason(step("u2", "i2", ACCEPTED, "same", -1), OK, "the backend names one id twice");
    is_int(says("order", "\"reason\":\"ORDER_REPLAY\""), 1, "told");
    is_int((int64_t) look("u2", "i2").id.len, 0, "the second stands without");
    begin();
    is_int(commerce_order_find(&reader, S("same"), &o, NULL), COMMERCE_OK, "the id finds");
    is_str(o.key, "i1", "the first");
    end();
    is_reason(step("u2", "i2", ACCEPTED, "own", -1), OK, "its own id later");
    is_int((int64_t) look("u2", "i2").id.len, 3, "is taken");
    is_reason(step("u1", "i1", CANCELLED, "", -1), OK, "cancelled");
    is_reason(step("u1", "i1", ACCEPTED, "same", -1), ORDER_CLOSED, "an answer after that");
    is_reason(step("u1", "i1", PAID, "", -1), ORDER_CLOSED, "a payment after that");
    is_int(says("paid", "\"reason\":\"ORDER_CLOSED\""), 1, "is told");
    is_reason(step("u1", "i1", PAID, "", -1), ORDER_CLOSED, "again");
    is_int(event_count(), 0, "once");
    is_int(coupon(TENTH, 80).state, COMMERCE_COUPON_ISSUED, "and takes nothing");

    is_reason(PLACE("", "i3", TENTH, 82), OK, "an order of nobody");
    is_reason(step("", "i3", PAID, "", -1), OK, "paid before any answer");
    is_int(coupon(TENTH, 82).state, COMMERCE_COUPON_REDEEMED, "redeemed");
    is_reason(step("", "i3", ACCEPTED, "i-3", -1), OK, "the answer brings the id");
    is_int(look("", "i3").state, COMMERCE_ORDER_PAID, "still paid");
    step("", "i3", CANCELLED, "", -1);
    step("u2", "i2", CANCELLED, "", -1);
    invariant("ids");
}


/* a reservation that outlived its order, and one spent under a key that was forgotten */

static void
test_orphans(void)
{
    commerce_coupon_t      c = { .campaign = TENTH, .serial = 90 };
    commerce_txn_result_t  result;

    begin();
    commerce_coupon_reserve(&c, S("u1"), S("x1"), now);
    commerce_coupon_write(&txn, shop, &c, 0);
    commerce_txn_add(&txn, S("demo/n/t/0002"), 1, COMMERCE_FOREVER, 0);
    commerce_txn_add(&txn, S("demo/n/v/0002/u1"), 1, COMMERCE_FOREVER, 0);
    c.serial = 91;
    commerce_coupon_redeem(&c, S("u1"), S("x1"), now);
    commerce_coupon_write(&txn, shop, &c, 0);
    commerce_txn_add(&txn, S("demo/n/t/0002"), 1, COMMERCE_FOREVER, 0);
    commerce_txn_add(&txn, S("demo/n/v/0002/u1"), 1, COMMERCE_FOREVER, 0);
    is_int(end(), COMMERCE_TXN_APPLIED, "two coupons without their order");

    is_reason(PLACE("u1", "x1", TENTH, 91), COUPON_ALREADY_REDEEMED, "spent is spent");
    is_reason(PLACE("u1", "x1", TENTH, 90), OK, "reserved is taken over");
    is_int(total(TENTH), 2, "without being counted twice");
    is_reason(step("u1", "x1", REFUSED, "", -1), OK, "and given back");
    is_int(total(TENTH), 1, "once");
    invariant("orphans");
}


/* any order of steps keeps the books */

static void
test_random(void)
{
    char                   key[8], user[8], id[16];
    unsigned               i, n, seed;
    commerce_txn_result_t  result;

    seed = 20261101;

    for (i = 0; i < 600; i++) {
        seed = seed * 1103515245 + 12345;
        n = seed >> 16;

        snprintf(user, sizeof(user), "z%u", n % 3);
        snprintf(key, sizeof(key), "z%u", (n >> 2) % 4);
        snprintf(id, sizeof(id), "z-%u", (n >> 3) % 6);

        switch ((n >> 5) % 9) {

        case 0:
        case 1:
            policy.redeem_on_paid = (n >> 9) & 1;
            policy.in_doubt = (n >> 10) & 1;
            policy.unpaid = (n >> 11) & 1;

            if (look(user, key).state == COMMERCE_ORDER_FAILED) {
                PLACE(user, key, AUTUMN, (n >> 7) % 4, TENTH, (n >> 8) % 3);
            }

            break;

        case 2:
            step(user, key, ACCEPTED, id, (n & 1) ? 10333 : (n & 2) ? -1 : 5);
            break;

        case 3:
            step(user, key, REFUSED, "", -1);
            break;

        case 4:
            step(user, key, UNKNOWN, "", -1);
            break;

        case 5:
            step(user, key, PAID, "", -1);
            break;

        case 6:
            step(user, key, CANCELLED, "", -1);
            break;

        case 7:
            step(user, key, DUE, "", -1);
            retry(user, key, &result);
            break;

        default:
            notice(id, (n & 1) ? PAID : CANCELLED);
            now += 400;
        }

        if (i % 100 == 99) {
            invariant("random steps");
        }
    }
}


/* a cart's answer honours a coupon that nobody had reserved, and the cancellation was there before it */

static void
test_honoured(void)
{
    uint64_t                version;
    commerce_line_t         lines[3];
    commerce_order_t        o;
    commerce_answer_t       answer = { .id = S("h-1"), .payable = -1 };
    commerce_cart_coupon_t  taken = { .campaign = TENTH, .serial = 90, .code = S("X"), .amount = -1 };
    commerce_cart_answer_t  cart = { .coupons = &taken, .coupon_count = 1, .told = true };

    begin();
    o = new_order("u1", "cart", lines);
    o.cart = COMMERCE_CART_COMPLETE;
    o.line_count = 0;
    is_reason(commerce_ledger_open(&ledger, &o, NULL, 0, NULL), OK, "a cart is completed");
    is_int(end(), COMMERCE_TXN_APPLIED, "applied");

    is_reason(notice("h-1", CANCELLED), ORDER_UNKNOWN, "its cancellation comes first");

    begin();
    is_int(commerce_order_read(&reader, S("u1"), S("cart"), &o, &version), COMMERCE_OK, "the cart");
    is_reason(commerce_ledger_cart_complete(&ledger, &o, version, &answer, &cart, S("")), AMOUNT_MISMATCH,
              "the answer honours a coupon of somebody else's");
    is_int(end(), COMMERCE_TXN_APPLIED, "applied");

    is_int(look("u1", "cart").state, COMMERCE_ORDER_CANCELLED, "cancelled");
    is_int(coupon(TENTH, 90).state, COMMERCE_COUPON_ISSUED, "what was taken and given back at once is free");
    invariant("taken and given back");
}


int
main(void)
{
    temp_store_open();

    campaigns();
    test_amounts();
    test_refused();
    test_limits();
    test_two_at_once();
    test_unknown();
    test_reopen();
    test_deadline();
    test_mismatch();
    test_dropped();
    test_parked();
    test_ids();
    test_orphans();
    test_honoured();
    test_random();

    temp_store_close();

    return done_testing();
}
