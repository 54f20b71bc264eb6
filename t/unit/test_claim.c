/*
 * Copyright (C) ngx_commerce authors
 *
 * Claims: serials, windows, and the ledger on a real store.
 */

#include "tap.h"
#include "temp_store.h"
#include "commerce_claim.h"

#define S(text)  commerce_string(text)
#define NOW      1800000000


static void test_serials(void);
static void test_open(void);
static void test_ledger(void);
static void test_conflicts(void);
static commerce_reason_t claim(const char *user, const char *key, uint32_t serial);
static void begin(void);
static commerce_txn_result_t end(void);


static commerce_campaign_t      drop;
static commerce_heap_t         *heap;
static commerce_view_t         *view;
static commerce_txn_t           txn;
static commerce_reader_t        reader;
static commerce_coupon_t        coupon;
static commerce_event_source_t  events;


int
main(void)
{
    drop = (commerce_campaign_t) {
        .number = 7, .id = S("drop"), .fixed = 100, .until = COMMERCE_FOREVER, .enabled = true,
        .claim = { .open = true, .limits = { 3, 1 }, .until = COMMERCE_FOREVER }
    };

    test_serials();
    test_open();

    temp_store_open();
    test_ledger();
    test_conflicts();
    temp_store_close();

    return done_testing();
}


static void
test_serials(void)
{
    uint32_t                         first, serial;
    unsigned                         i, wrong;
    static commerce_claim_serials_t  serials;

    first = commerce_claim_serial(&serials, S("demo"), 7, 0);
    is_int(first, COMMERCE_CODE_MINTED_MAX + 1, "the lowest of the upper half");

    for (wrong = 0, i = 1; i < COMMERCE_CLAIM_BLOCK; i++) {
        wrong += commerce_claim_serial(&serials, S("demo"), 7, 12345) != first + i;
    }

    is_int(wrong, 0, "a block is handed out one by one");

    serial = commerce_claim_serial(&serials, S("demo"), 7, UINT32_MAX);
    is_int(serial, COMMERCE_CODE_SERIAL_MAX - COMMERCE_CLAIM_BLOCK + 1, "the last block");
    is_int(commerce_claim_serial(&serials, S("demo"), 7, 0), serial + 1, "goes on");

    commerce_claim_missed(&serials, S("demo"), 7);
    is_int(commerce_claim_serial(&serials, S("demo"), 7, 2), first + 2 * COMMERCE_CLAIM_BLOCK,
           "one that is used is given up");
    is_int(commerce_claim_serial(&serials, S("other"), 7, 5), first + 5 * COMMERCE_CLAIM_BLOCK,
           "another shop has its own");
    is_int(commerce_claim_serial(&serials, S("demo"), 8, 6), first + 6 * COMMERCE_CLAIM_BLOCK,
           "another campaign, too");
    ok(!commerce_claim_serial_is(COMMERCE_CODE_MINTED_MAX) && commerce_claim_serial_is(first),
       "minted and claimed serials");
}


static void
test_open(void)
{
    commerce_coupon_t    c = { .claimed = NOW, .serial = 1U << 29, .campaign = 7, .holder = S("u") };
    commerce_campaign_t  k = drop;

    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(OK), "open");
    k.claim.from = NOW + 1;
    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(COUPON_NOT_STARTED), "a second early");
    k.claim.from = NOW;
    k.claim.until = NOW + 1;
    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(OK), "its only second");
    is_int(commerce_claim_open(&k, NOW + 1), COMMERCE_R(COUPON_EXPIRED), "over");
    k.claim.until = COMMERCE_FOREVER;
    k.until = NOW;
    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(COUPON_EXPIRED), "the campaign is over");
    k.enabled = false;
    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(COUPON_DISABLED), "disabled");
    k.claim.open = false;
    is_int(commerce_claim_open(&k, NOW), COMMERCE_R(COUPON_NOT_FOUND), "nothing to claim");

    /* what a claimed coupon is worth */

    k = drop;
    is_int(commerce_coupon_open(&k, &c, S("u"), NOW), COMMERCE_R(OK), "claimed, not minted");
    c.claimed = 0;
    is_int(commerce_coupon_open(&k, &c, S("u"), NOW), COMMERCE_R(COUPON_NOT_FOUND),
           "the same without a claim");
    c.claimed = NOW;
    c.expires = NOW + 10;
    ok(commerce_coupon_end(&k, &c) == NOW + 10, "its own end");
    is_int(commerce_coupon_open(&k, &c, S("u"), NOW + 9), COMMERCE_R(OK), "its last second");
    is_int(commerce_coupon_open(&k, &c, S("u"), NOW + 10), COMMERCE_R(COUPON_EXPIRED), "its end");
    k.until = NOW + 5;
    ok(commerce_coupon_end(&k, &c) == NOW + 5, "the campaign's end comes first");
}


static void
test_ledger(void)
{
    uint32_t          s = COMMERCE_CODE_MINTED_MAX + 1;
    commerce_str_t    slot;
    commerce_claim_t  found;

    is_int(claim("ann", "", s), COMMERCE_R(OK), "ann");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    is_int(claim("ann", "", s + 1), COMMERCE_R(COUPON_IDEMPOTENT_REPLAY), "again");
    is_int(txn.count, 0, "nothing to write");
    is_int(coupon.serial, s, "the same coupon");
    ok(coupon.claimed == NOW && commerce_equal(coupon.holder, S("ann")), "hers");
    end();

    is_int(claim("ann", "k", s + 1), COMMERCE_R(COUPON_CUSTOMER_LIMIT), "another key");
    end();
    is_int(claim("ben", "k", s + 1), COMMERCE_R(OK), "ben");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");

    drop.number = 8;
    is_int(claim("ben", "k", s + 2), COMMERCE_R(COUPON_KEY_MISMATCH), "his key, another campaign");
    end();
    drop.number = 7;

    is_int(claim("cyd", "", s + 2), COMMERCE_R(OK), "cyd");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    is_int(claim("dan", "", s + 3), COMMERCE_R(COUPON_STOCK_EMPTY), "dan");
    end();

    begin();
    slot = S("");
    is_int(commerce_claim_next(&reader, S("ben"), &slot, &found), COMMERCE_OK, "ben's first");
    ok(found.serial == s + 1 && found.campaign == 7 && found.time == NOW, "is this");
    is_int(commerce_claim_next(&reader, S("ben"), &slot, &found), COMMERCE_ABSENT, "and only");
    slot = S("");
    is_int(commerce_claim_next(&reader, S("be"), &slot, &found), COMMERCE_ABSENT,
           "a shorter name has none of his");
    is_int(commerce_claim_next(&reader, S(""), &slot, &found), COMMERCE_ABSENT, "nor nobody");
    end();

    is_int(claim("", "", s + 4), COMMERCE_R(ORDER_KEY_MALFORMED), "nobody");
    end();
}


/* decided at once, on one view: what the store does with them, one after the other */

static void
test_conflicts(void)
{
    uint32_t               s = COMMERCE_CODE_MINTED_MAX + 1001;
    commerce_txn_t         one, two;
    commerce_heap_t       *kept;
    commerce_txn_result_t  result;

    drop.number = 9;
    drop.claim.limits[COMMERCE_COUNT_TOTAL] = 2;

    /* two users: no conflict */

    claim("u1", "", s);
    one = txn;
    kept = heap;
    commerce_view_end(view);
    claim("u2", "", s + 1);
    two = txn;
    commerce_view_end(view);
    is_int(temp_store_apply(&one), COMMERCE_TXN_APPLIED, "one user");
    is_int(temp_store_apply(&two), COMMERCE_TXN_APPLIED, "another who read the same");
    commerce_heap_destroy(heap);
    commerce_heap_destroy(kept);

    /* one user twice; one serial twice; one coupon left */

    drop.claim.limits[COMMERCE_COUNT_TOTAL] = 4;
    claim("u3", "", s + 2);
    one = txn;
    kept = heap;
    commerce_view_end(view);
    claim("u3", "", s + 3);
    two = txn;
    commerce_view_end(view);
    is_int(temp_store_apply(&one), COMMERCE_TXN_APPLIED, "a user");
    is_int(temp_store_apply(&two), COMMERCE_TXN_CONFLICT, "and he again: not a limit, to be told");
    commerce_heap_destroy(heap);
    commerce_heap_destroy(kept);

    claim("u4", "", s + 2);
    result = end();
    is_int(result, COMMERCE_TXN_CONFLICT, "a serial that somebody has");

    claim("u5", "", s + 4);
    one = txn;
    kept = heap;
    commerce_view_end(view);
    claim("u6", "", s + 5);
    two = txn;
    commerce_view_end(view);
    is_int(temp_store_apply(&one), COMMERCE_TXN_APPLIED, "the last of the stock");
    is_int(temp_store_apply(&two), COMMERCE_TXN_LIMIT, "who came at the same time");
    is_int(two.failed_tag, COMMERCE_R(COUPON_STOCK_EMPTY), "is told why");
    commerce_heap_destroy(heap);
    commerce_heap_destroy(kept);
}


static commerce_reason_t
claim(const char *user, const char *key, uint32_t serial)
{
    commerce_ledger_t         ledger = { &reader, &txn, &events, NOW, NOW * 1000000LL };
    commerce_claim_request_t  request = { .pseudonym = S("0:x") };

    begin();

    request.user = commerce_cstr(user);
    request.key = commerce_cstr(key);

    return commerce_ledger_claim(&ledger, &drop, &request, serial, &coupon);
}


static void
begin(void)
{
    heap = commerce_heap_create();

    if (heap == NULL || commerce_view_begin(temp_store, &view) != COMMERCE_OK) {
        printf("Bail out! no view\n");
        exit(1);
    }

    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), S("demo") };
    commerce_txn_init(&txn, commerce_heap_arena(heap));
}


static commerce_txn_result_t
end(void)
{
    commerce_txn_result_t  result;

    commerce_view_end(view);
    result = txn.count != 0 && !txn.failed ? temp_store_apply(&txn) : COMMERCE_TXN_APPLIED;
    commerce_heap_destroy(heap);

    return result;
}
