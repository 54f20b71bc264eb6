/*
 * Copyright (C) ngx_commerce authors
 *
 * Redemption in a shop: who may, and the ledger on a real store.
 */

#include "tap.h"
#include "temp_store.h"
#include "commerce_redemption.h"

#define S(text)  commerce_string(text)
#define NOW      1800000000


static void test_verifier(void);
static void test_redeem(void);
static void test_rollback(void);
static void test_race(void);
static void give(uint32_t serial);
static commerce_reason_t redeem(uint32_t serial, const char *number);
static commerce_reason_t rollback(const char *number, const char *store, commerce_time_t now);
static int64_t counter(commerce_str_t key);
static void begin(void);
static commerce_txn_result_t end(void);


static commerce_campaign_t            campaign;
static commerce_heap_t               *heap;
static commerce_view_t               *view;
static commerce_txn_t                 txn;
static commerce_reader_t              reader;
static commerce_event_source_t        events;
static commerce_person_t              clerk;
static commerce_redemption_t          redemption;
static commerce_redemption_request_t  request;


int
main(void)
{
    clerk = (commerce_person_t) {
        .number = 5, .id = S("clerk"), .role = COMMERCE_ROLE_CLERK, .store = S("north")
    };

    campaign = (commerce_campaign_t) {
        .number = 7, .id = S("drop"), .fixed = 100, .until = COMMERCE_FOREVER, .enabled = true,
        .minted = 100, .limits = { 3, 2 }
    };

    request = (commerce_redemption_request_t) {
        .verifier = &clerk, .store = S("north"), .amount = 5000, .pseudonym = S("0:x")
    };

    test_verifier();

    temp_store_open();
    test_redeem();
    test_rollback();
    test_race();
    temp_store_close();

    return done_testing();
}


static void
test_verifier(void)
{
    unsigned           role, allowed;
    commerce_str_t     store;
    commerce_person_t  p = clerk;

    is_int(commerce_verifier_judge(NULL, S(""), &store), COMMERCE_R(COUPON_VERIFIER_NOT_ALLOWED),
           "nobody");
    is_int(commerce_verifier_judge(&p, S(""), &store), COMMERCE_R(OK), "a clerk");
    is_str(store, "north", "at home");
    is_int(commerce_verifier_judge(&p, S("north"), &store), COMMERCE_R(OK), "told so");
    is_int(commerce_verifier_judge(&p, S("south"), &store),
           COMMERCE_R(COUPON_VERIFIER_STORE_MISMATCH), "elsewhere");
    p.store = S("");
    is_int(commerce_verifier_judge(&p, S("south"), &store), COMMERCE_R(OK), "one for all stores");
    is_str(store, "south", "in this");

    for (allowed = 0, role = 0; role < COMMERCE_ROLES; role++) {
        p.role = (commerce_role_t) role;
        allowed += commerce_verifier_judge(&p, S(""), &store) == COMMERCE_R(OK);
    }

    is_int(allowed, 4, "employee, guide, clerk and staff");

    p.role = COMMERCE_ROLE_STAFF;
    p.status = COMMERCE_PERSON_SUSPENDED;
    is_int(commerce_verifier_judge(&p, S(""), &store), COMMERCE_R(COUPON_VERIFIER_NOT_ALLOWED),
           "suspended");
    p.status = COMMERCE_PERSON_LEFT;
    is_int(commerce_verifier_judge(&p, S(""), &store), COMMERCE_R(COUPON_VERIFIER_NOT_ALLOWED),
           "left");
}


static void
test_redeem(void)
{
    give(1);
    give(2);
    give(3);
    give(4);

    is_int(redeem(1, "n1"), COMMERCE_R(OK), "redeem");
    is_int(redemption.discount, 100, "discount");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    is_int(redeem(1, "n1"), COMMERCE_R(COUPON_IDEMPOTENT_REPLAY), "again");
    is_int(txn.count, 0, "nothing to write");
    is_int(redemption.time, NOW, "as the first time");
    end();
    is_int(redeem(1, "n2"), COMMERCE_R(COUPON_ALREADY_REDEEMED), "another number");
    end();
    is_int(redeem(2, "n1"), COMMERCE_R(COUPON_KEY_MISMATCH), "another coupon");
    end();
    is_int(counter(S("demo/n/t/0007")), 1, "one use of the campaign");
    is_int(counter(S("demo/n/v/0007/ann")), 1, "of the holder's");

    request.stale = true;
    is_int(redeem(2, "n2"), COMMERCE_R(COUPON_QR_EXPIRED), "a token that is over");
    end();
    is_int(redeem(1, "n1"), COMMERCE_R(COUPON_IDEMPOTENT_REPLAY), "but a retry is answered");
    end();
    request.stale = false;

    campaign.qr_required = true;
    is_int(redeem(2, "n2"), COMMERCE_R(COUPON_QR_REQUIRED), "a static code");
    end();
    request.dynamic = true;
    is_int(redeem(2, "n2"), COMMERCE_R(OK), "a token");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    campaign.qr_required = false;

    is_int(redeem(3, "n3"), COMMERCE_R(OK), "the holder's third");
    is_int(end(), COMMERCE_TXN_LIMIT, "is one too many");
    is_int(txn.failed_tag, COMMERCE_R(COUPON_CUSTOMER_LIMIT), "for the holder");

    is_int(redeem(50, "n4"), COMMERCE_R(COUPON_HOLDER_MISMATCH), "nobody's, with a user's limit");
    end();
    is_int(redeem(100, "n4"), COMMERCE_R(COUPON_NOT_FOUND), "not minted");
    end();
    is_int(redeem(4, ""), COMMERCE_R(ORDER_KEY_MALFORMED), "no number");
    end();
}


static void
test_rollback(void)
{
    unsigned  i, wrong;
    char      number[16];

    is_int(rollback("n1", "south", NOW), COMMERCE_R(COUPON_VERIFIER_STORE_MISMATCH), "elsewhere");
    end();
    is_int(rollback("n1", "north", NOW + 3600), COMMERCE_R(COUPON_ROLLBACK_WINDOW), "too late");
    end();
    is_int(rollback("n1", "north", NOW + 3599), COMMERCE_R(OK), "in the last second");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    is_int(counter(S("demo/n/t/0007")), 1, "the use is given back");
    is_int(counter(S("demo/n/v/0007/ann")), 1, "to the holder, too");
    is_int(rollback("n1", "", NOW), COMMERCE_R(COUPON_IDEMPOTENT_REPLAY), "again");
    is_int(txn.count, 0, "nothing to write");
    end();
    is_int(redeem(1, "n1"), COMMERCE_R(COUPON_ALREADY_ROLLED_BACK), "under the old number");
    end();

    for (wrong = 0, i = 2; i <= COMMERCE_COUPON_CYCLES; i++) {
        snprintf(number, sizeof(number), "c%u", i);
        wrong += redeem(1, number) != COMMERCE_R(OK) || end() != COMMERCE_TXN_APPLIED;
        wrong += rollback(number, "", NOW) != COMMERCE_R(OK) || end() != COMMERCE_TXN_APPLIED;
    }

    is_int(wrong, 0, "nine times more");
    is_int(redeem(1, "c11"), COMMERCE_R(OK), "the eleventh");
    is_int(end(), COMMERCE_TXN_APPLIED, "is written");
    is_int(rollback("c11", "", NOW), COMMERCE_R(COUPON_ROLLBACK_CYCLES), "stays");
    end();
}


static void
test_race(void)
{
    commerce_txn_t    one;
    commerce_heap_t  *kept;

    campaign.limits[COMMERCE_COUNT_USER] = 0;

    redeem(4, "r1");
    one = txn;
    kept = heap;
    commerce_view_end(view);
    redeem(4, "r2");
    commerce_view_end(view);
    is_int(temp_store_apply(&one), COMMERCE_TXN_APPLIED, "two tills: one");
    is_int(temp_store_apply(&txn), COMMERCE_TXN_CONFLICT, "the other decides again");
    commerce_heap_destroy(heap);
    commerce_heap_destroy(kept);
}


static void
give(uint32_t serial)
{
    commerce_coupon_t  coupon = { .campaign = 7, .serial = serial, .holder = S("ann") };

    begin();
    commerce_coupon_write(&txn, S("demo"), &coupon, 0);
    end();
}


static commerce_reason_t
redeem(uint32_t serial, const char *number)
{
    commerce_ledger_t       ledger = { &reader, &txn, &events, NOW, NOW * 1000000LL };
    commerce_use_request_t  use = { .campaign = campaign };

    begin();

    commerce_coupon_read(&reader, 7, serial, &use.coupon, &use.version);
    request.number = commerce_cstr(number);
    request.store = S("north");

    return commerce_ledger_redeem_shop(&ledger, &use, &request, &redemption);
}


static commerce_reason_t
rollback(const char *number, const char *store, commerce_time_t now)
{
    uint64_t                version;
    commerce_ledger_t       ledger = { &reader, &txn, &events, now, now * 1000000LL };
    commerce_use_request_t  use = { .campaign = campaign };

    begin();

    commerce_redemption_read(&reader, commerce_cstr(number), &redemption, &version);
    commerce_coupon_read(&reader, 7, redemption.serial, &use.coupon, &use.version);
    request.number = redemption.request;
    request.store = commerce_cstr(store);

    return commerce_ledger_rollback_shop(&ledger, &use, &request, 3600, &redemption, version);
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
