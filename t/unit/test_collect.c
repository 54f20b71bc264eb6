/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention, a record at a time: a campaign is closed in a transaction of its own before any of its coupons goes, and
 * none goes unless that was applied.
 */

#include "tap.h"
#include "temp_store.h"
#include "commerce_collect.h"
#include "commerce_claim.h"
#include "commerce_path.h"


#define S    commerce_string
#define DAY  86400

#define DELETES  COMMERCE_OP_DELETE

static const commerce_str_t    shop = { "demo", 4 };
static const commerce_time_t   end = 1800000000;
static const commerce_retention_t  retention = { COMMERCE_FOREVER, COMMERCE_FOREVER, COMMERCE_FOREVER, 366 * DAY };

static commerce_event_source_t    source;
static commerce_heap_t           *heap;
static commerce_view_t           *view;
static commerce_reader_t          reader;
static commerce_txn_t             txn;
static commerce_ledger_t          ledger;
static commerce_time_t            now;
static commerce_collect_place_t   place;
static commerce_collected_t       collected;


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
finish(bool apply)
{
    commerce_txn_result_t  result;

    commerce_view_end(view);
    result = (apply && txn.count != 0) ? temp_store_apply(&txn) : COMMERCE_TXN_APPLIED;
    commerce_heap_destroy(heap);

    return result;
}


static unsigned
ops(commerce_op_kind_t kind)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < txn.count; i++) {
        n += txn.ops[i].kind == kind;
    }

    return n;
}


/* a campaign with a spent and a claimed coupon, or with a reserved one */

static void
make(unsigned number, const char *id, bool reserved)
{
    commerce_claim_t     claim = { number, COMMERCE_CODE_MINTED_MAX + 5, end - DAY };
    commerce_coupon_t    coupon = { .campaign = number, .serial = 1, .changed = end - DAY };
    commerce_campaign_t  campaign = {
        .number = number, .id = commerce_cstr(id), .fixed = 100, .until = end, .minted = 10, .enabled = true
    };

    begin();
    commerce_campaign_write(&txn, shop, &campaign, 0);

    coupon.state = reserved ? COMMERCE_COUPON_RESERVED : COMMERCE_COUPON_REDEEMED;
    coupon.used_by = S("u");
    coupon.order_user = reserved ? S("u") : S("");
    coupon.order_key = reserved ? S("k") : S("");
    commerce_coupon_write(&txn, shop, &coupon, 0);

    coupon = (commerce_coupon_t) { .campaign = number, .serial = COMMERCE_CODE_MINTED_MAX + 5, .changed = end - DAY,
                                   .claimed = end - DAY, .holder = S("u") };
    commerce_coupon_write(&txn, shop, &coupon, 0);
    commerce_claim_write(&txn, shop, S("u"), commerce_cstr(id), &claim);

    commerce_txn_add(&txn, commerce_counter_total(txn.arena, shop, number), 1, COMMERCE_FOREVER, 0);
    commerce_txn_add(&txn, commerce_counter_user(txn.arena, shop, number, S("u")), 1, COMMERCE_FOREVER, 0);

    is_int(finish(true), COMMERCE_TXN_APPLIED, "campaign %s", id);
}


static bool
there(unsigned campaign, uint32_t serial)
{
    bool               found;
    commerce_coupon_t  coupon;

    begin();
    found = commerce_coupon_read(&reader, campaign, serial, &coupon, NULL) == COMMERCE_OK;
    finish(false);

    return found;
}


static commerce_time_t
closed(unsigned campaign)
{
    commerce_campaign_t  found;

    begin();
    commerce_campaign_read(&reader, campaign, &found, NULL);
    finish(false);

    return found.closed;
}


/* a whole pass in steps; no step both closes and deletes, and each closes one campaign at most */

static void
pass(unsigned limit, bool closing)
{
    int       rc;
    bool      apart;
    unsigned  steps;

    memset(&place, 0, sizeof(place));
    apart = true;

    for (steps = 0; steps < 1000; steps++) {
        begin();
        rc = commerce_collect(&ledger, &retention, limit, &place, &collected);

        apart = apart && (collected.campaigns == 0 || (ops(DELETES) == 0 && collected.campaigns == 1));

        if (finish(closing || collected.campaigns == 0) != COMMERCE_TXN_APPLIED || rc != COMMERCE_OK) {
            break;
        }
    }

    is_int(rc, COMMERCE_ABSENT, "a pass of %u records a step", limit);
    ok(apart, "each closing in a transaction of its own");
}


static void
test_order(void)
{
    unsigned  limit;

    make(1, "one", false);
    make(2, "two", false);
    make(3, "held", true);

    now = end + 366 * DAY;
    pass(100, true);
    ok(closed(1) == 0 && there(1, 1), "not before the time is over");

    now++;

    /* a step of a hundred records sees nothing but what was there when it began */

    pass(100, false);
    ok(closed(1) == 0 && there(1, 1) && there(1, COMMERCE_CODE_MINTED_MAX + 5), "not closed: nothing goes");

    for (limit = 1; limit <= 2; limit++) {
        pass(limit, true);
        ok(closed(1) == now && closed(2) == now && closed(3) == now, "closed");
        ok(!there(1, 1) && !there(2, 1) && !there(1, COMMERCE_CODE_MINTED_MAX + 5), "and gone");
        ok(there(3, 1), "a reserved one stays");
        ok(!there(3, COMMERCE_CODE_MINTED_MAX + 5), "its neighbour does not");
    }
}


static void
test_counters(void)
{
    int64_t  total, user;

    begin();
    commerce_view_counter(view, commerce_counter_total(txn.arena, shop, 1), &total);
    commerce_view_counter(view, commerce_counter_user(txn.arena, shop, 1, S("u")), &user);
    finish(false);

    ok(total == 1 && user == 0, "a campaign's total stays, its users' go");
}


static void
test_unusable(void)
{
    commerce_coupon_t    coupon;
    commerce_campaign_t  campaign;

    begin();
    commerce_campaign_read(&reader, 1, &campaign, NULL);
    commerce_coupon_read(&reader, 1, 1, &coupon, NULL);
    finish(false);

    campaign.until = COMMERCE_FOREVER;      /* however it came to that */

    is_int(commerce_coupon_open(&campaign, &coupon, S("u"), now), COMMERCE_R(COUPON_EXPIRED), "a closed campaign's coupon");

    campaign.claim.open = true;
    campaign.claim.until = COMMERCE_FOREVER;
    is_int(commerce_claim_open(&campaign, now), COMMERCE_R(COUPON_EXPIRED), "nor is it claimed from");
}


/* an order whose money cannot be read stays as it is: nothing of it is let go */

static void
test_half_readable(void)
{
    unsigned                          count;
    commerce_path_t                   path;
    commerce_order_t                  order;
    static commerce_sale_t            sale;
    commerce_receipt_t                receipt = { .payment = S("p-1"), .amount = 100, .time = 1 };
    static const commerce_retention_t  orders = { 30 * DAY, COMMERCE_FOREVER, COMMERCE_FOREVER, COMMERCE_FOREVER };

    memset(&order, 0, sizeof(order));
    order.user = S("u");
    order.key = S("half");
    order.state = COMMERCE_ORDER_SETTLED;
    order.paid = true;
    order.created = end;
    order.due = COMMERCE_FOREVER;
    order.deadline = COMMERCE_FOREVER;
    order.settled = end;
    order.receipts = &receipt;
    order.receipt_count = 1;
    order.refund_count = 1;
    order.sale = &sale;

    begin();
    commerce_order_write(&txn, shop, &order, 0, NULL);
    commerce_path_refund(&path, shop, order.user, order.key, S("r-1"));
    commerce_txn_put(&txn, commerce_path_keep(&txn, &path), S("\1"));
    commerce_path_text(&path, shop, 'F', S("r-1"));
    commerce_txn_put(&txn, commerce_path_keep(&txn, &path), S("\377 no refund"));
    is_int(finish(true), COMMERCE_TXN_APPLIED, "an order with a refund that cannot be read");

    now = end + 100 * DAY;
    memset(&place, 0, sizeof(place));
    memset(&collected, 0, sizeof(collected));
    begin();
    count = txn.count;
    (void) commerce_collect(&ledger, &orders, 1000, &place, &collected);
    is_int(ops(DELETES), 0, "nothing of it is deleted");
    is_int(collected.orders, 0, "it is not counted");
    ok(txn.count >= count && !txn.failed, "the transaction can be applied");
    finish(false);
}


int
main(void)
{
    temp_store_open();

    test_order();
    test_counters();
    test_unusable();
    test_half_readable();

    temp_store_close();

    return done_testing();
}
