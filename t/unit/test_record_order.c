/*
 * Copyright (C) ngx_commerce authors
 */

#include "record_kit.h"


static bool
same_order(const commerce_order_t *a, const commerce_order_t *b)
{
    unsigned  i;
    bool      same;

    same = commerce_equal(a->user, b->user) && commerce_equal(a->key, b->key)
           && memcmp(a->fingerprint, b->fingerprint, 16) == 0 && a->state == b->state
           && a->doubt == b->doubt && a->redeem_on_paid == b->redeem_on_paid
           && a->paid == b->paid && a->unpaid == b->unpaid && a->in_doubt == b->in_doubt
           && a->created == b->created && a->in_flight_until == b->in_flight_until
           && a->deadline == b->deadline && a->due == b->due && commerce_equal(a->id, b->id)
           && a->claimed == b->claimed && a->discount == b->discount && a->payable == b->payable
           && commerce_equal(a->pseudonym, b->pseudonym) && a->policy == b->policy
           && a->reason == b->reason && a->line_count == b->line_count
           && a->credit_count == b->credit_count && a->coupon_count == b->coupon_count
           && a->cart == b->cart && a->shop_key == b->shop_key && a->fresh == b->fresh
           && a->open == b->open && a->conduct == b->conduct
           && a->conduct_denied == b->conduct_denied;

    for (i = 0; same && i < a->line_count; i++) {
        same = commerce_equal(a->lines[i].sku, b->lines[i].sku)
               && a->lines[i].quantity == b->lines[i].quantity
               && a->lines[i].amount == b->lines[i].amount
               && a->lines[i].discount == b->lines[i].discount
               && a->lines[i].credit == b->lines[i].credit;
    }

    for (i = 0; same && i < a->credit_count; i++) {
        same = a->credits[i].source == b->credits[i].source
               && a->credits[i].seller == b->credits[i].seller
               && a->credits[i].tier2 == b->credits[i].tier2
               && commerce_equal(a->credits[i].seller_id, b->credits[i].seller_id)
               && commerce_equal(a->credits[i].tier2_id, b->credits[i].tier2_id)
               && commerce_equal(a->credits[i].group_id, b->credits[i].group_id)
               && commerce_equal(a->credits[i].room_id, b->credits[i].room_id)
               && a->credits[i].channel == b->credits[i].channel
               && a->credits[i].touched == b->credits[i].touched
               && a->credits[i].contributor == b->credits[i].contributor;
    }

    for (i = 0; same && i < a->coupon_count; i++) {
        same = a->coupons[i].campaign == b->coupons[i].campaign
               && a->coupons[i].serial == b->coupons[i].serial
               && commerce_equal(a->coupons[i].campaign_id, b->coupons[i].campaign_id)
               && a->coupons[i].discount == b->coupons[i].discount
               && a->coupons[i].use == b->coupons[i].use
               && commerce_equal(a->coupons[i].code, b->coupons[i].code);
    }

    return same;
}


static void
test_order(void)
{
    uint64_t          version;
    commerce_line_t   lines[COMMERCE_LINES_MAX];
    commerce_order_t  o, r, moved;

    fill_order(&o, lines, COMMERCE_LINES_MAX);

    restart();
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the largest order");
    is_int(commerce_order_read(&reader, S("user"), S("key-1"), &r, &version), COMMERCE_OK, "read");
    ok(same_order(&o, &r), "as it was");
    is_int(commerce_order_find(&reader, S("2026-1"), &r, &version), COMMERCE_OK, "found by id");
    ok(same_order(&o, &r), "the same");
    is_int(commerce_order_find(&reader, S("2026-2"), &r, NULL), COMMERCE_ABSENT, "another id");
    is_int(commerce_order_find(&reader, S(""), &r, NULL), COMMERCE_ABSENT, "no id");
    is_int(commerce_order_read(&reader, S("user2"), S("key-1"), &r, NULL), COMMERCE_ABSENT,
           "another user's key");
    ok(stored('d', "00000000000007a8/user\x1fkey-1"), "due entry");

    restart();
    commerce_order_find(&reader, S("2026-1"), &r, &version);
    moved = r;
    moved.due = 3000;
    moved.id = S("2026-9");
    commerce_order_write(&txn, shop, &moved, version, &r);
    is_int(apply(), COMMERCE_TXN_APPLIED, "moved");
    ok(!stored('d', "00000000000007a8/user\x1fkey-1"), "old due entry is gone");
    ok(stored('d', "0000000000000bb8/user\x1fkey-1"), "new one is there");
    ok(!stored('i', "2026-1") && stored('i', "2026-9"), "so are the ids");

    restart();
    commerce_order_write(&txn, shop, &o, version, &o);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "a lost update is refused");

    restart();
    fill_order(&o, lines, 1);
    o.key = S("key-2");
    o.id = S("2026-9");
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "two orders cannot share an id");

    restart();
    o.lines[0].credit = 8;
    commerce_order_write(&txn, shop, &o, 0, NULL);
    ok(txn.failed, "a line's credit that is not there");

    restart();
    o.lines[0].credit = -1;
    o.state = COMMERCE_ORDER_FAILED;
    commerce_order_write(&txn, shop, &o, 0, NULL);
    ok(txn.failed, "a failed order is not kept");

    restart();
    commerce_order_find(&reader, S("2026-9"), &r, &version);
    commerce_order_remove(&txn, shop, &r, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "removed");
    ok(!stored('i', "2026-9") && !stored('d', "0000000000000bb8/user\x1fkey-1")
       && !stored('o', "user\x1fkey-1"), "nothing is left");
}


/* carts, keys of the shop's, and the index of orders in doubt */

static void
test_cart(void)
{
    uint64_t          version;
    commerce_str_t    place, user, key;
    commerce_line_t   lines[1];
    commerce_time_t   since;
    commerce_order_t  o, r, changed;

    fill_order(&o, lines, 1);
    o.key = S("cart-1");
    o.id = S("");
    o.state = COMMERCE_ORDER_CART;
    o.cart = COMMERCE_CART_REMOVE;
    o.shop_key = true;
    o.fresh = 5;
    o.open = 21;
    o.coupons[1].code = S("8001-0000-0000-MNS1-2GS6");

    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_ABSENT, "nobody's key");

    restart();
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a cart");
    is_int(commerce_order_read(&reader, o.user, o.key, &r, &version), COMMERCE_OK, "read");
    ok(same_order(&o, &r), "as it was");
    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_OK, "its key is somebody's");
    is_str(user, "user", "its user's");
    is_int(commerce_order_doubted(&reader, S(""), &place, &since, &user, &key), COMMERCE_OK, "in doubt");
    ok(since == 1000 && commerce_equal(key, o.key), "since when, and which");
    is_int(commerce_order_doubted(&reader, place, &place, &since, &user, &key), COMMERCE_ABSENT,
           "no other");

    restart();
    changed = o;
    changed.user = S("other");
    commerce_order_write(&txn, shop, &changed, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "a second user cannot have the key");

    restart();
    commerce_order_read(&reader, o.user, o.key, &r, &version);
    changed = r;
    changed.doubt = 0;
    commerce_order_write(&txn, shop, &changed, version, &r);
    is_int(apply(), COMMERCE_TXN_APPLIED, "no doubt any more");
    is_int(commerce_order_doubted(&reader, S(""), &place, &since, &user, &key), COMMERCE_ABSENT,
           "nothing in doubt");

    restart();
    commerce_order_read(&reader, o.user, o.key, &r, &version);
    commerce_order_remove(&txn, shop, &r, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "forgotten");
    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_ABSENT, "with its key");
}


static void
put_due(const char *key, commerce_time_t due)
{
    commerce_order_t  o;

    fill_order(&o, NULL, 0);
    o.key = commerce_copy(reader.arena, commerce_cstr(key));
    o.id = S("");
    o.due = due;
    commerce_order_write(&txn, shop, &o, 0, NULL);
}


static void
test_due(void)
{
    uint64_t          version;
    commerce_order_t  o, p;

    restart();
    put_due("c", 300);
    put_due("a", 200);
    put_due("b", 200);
    put_due("never", COMMERCE_FOREVER);
    commerce_txn_put(&txn, S("demo/d/0000000000000001/ghost\x1fx"), S("\1"));
    commerce_txn_put(&txn, S("demo/d/0000000000000002/nonsense"), S("\1"));
    commerce_txn_put(&txn, S("demo/d/zz"), S("\1"));
    commerce_txn_put(&txn, S("demo/o/user\x1f" "broken"), S("\1broken"));
    commerce_txn_put(&txn, S("demo/d/0000000000000fff/user\x1f" "broken"), S("\1"));
    commerce_txn_put(&txn, S("demo2/d/0000000000000001/u\x1fk"), S("\1"));
    is_int(apply(), COMMERCE_TXN_APPLIED, "orders with due times");

    is_int(commerce_order_due(&reader, 199, &o, &version), COMMERCE_ABSENT, "none due yet");
    is_int(commerce_order_due(&reader, 200, &o, &version), COMMERCE_OK, "one is");
    is_str(o.key, "a", "the first");
    is_int(commerce_order_due_after(&reader, 299, &o, &p, &version), COMMERCE_OK, "another");
    is_str(p.key, "b", "the second");
    is_int(commerce_order_due_after(&reader, 299, &p, &o, &version), COMMERCE_ABSENT, "no third");
    is_int(commerce_order_due_after(&reader, 300, &p, &o, &version), COMMERCE_OK, "a second later");
    is_str(o.key, "c", "the third");
    is_int(commerce_order_due_after(&reader, 9999, &o, &p, &version), COMMERCE_ERROR, "unreadable");
    is_str(p.key, "broken", "which one is told");
    is_int(commerce_order_due_after(&reader, 9999, &p, &o, &version), COMMERCE_ABSENT,
           "and what is behind it can be reached");
}


static void
test_parked(void)
{
    uint64_t                version;
    commerce_parked_t       p, q;
    commerce_notice_t       notices[3];
    commerce_parked_for_t   other, what = { COMMERCE_PARKED_ID, S("77"), S("") };
    commerce_refund_line_t  lines[2] = { { S("A"), 0, 300, 1 }, { S(""), 2, 5, 0 } };

    notices[0] = (commerce_notice_t) { .kind = COMMERCE_STEP_PAID, .time = 1234, .amount = -1 };
    notices[1] = (commerce_notice_t) {
        .kind = COMMERCE_STEP_PAID, .time = 1235, .id = S("77"), .payment = S("p"),
        .transaction = S("t"), .amount = 990
    };
    notices[2] = (commerce_notice_t) {
        .kind = COMMERCE_STEP_REFUNDED, .time = 1236, .amount = 310, .refund = S("r"),
        .freight = 5, .lines = lines, .line_count = 2
    };
    p = (commerce_parked_t) { notices, 1 };

    restart();
    commerce_parked_write(&txn, shop, &what, &p, 0);
    is_int(last_put("demo/q/").data[0], 1, "what names nothing else is of the first format");
    is_int(apply(), COMMERCE_TXN_APPLIED, "parked");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_OK, "read");
    ok(q.count == 1 && q.notices[0].kind == COMMERCE_STEP_PAID && q.notices[0].time == 1234
       && commerce_equal(q.notices[0].id, S("77")) && q.notices[0].amount == -1, "as it was");

    restart();
    commerce_parked_vacant(&txn, shop, &what);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "not vacant");
    restart();
    p.count = 3;
    commerce_parked_write(&txn, shop, &what, &p, version);
    is_int(last_put("demo/q/").data[0], 2, "facts need the second");
    is_int(apply(), COMMERCE_TXN_APPLIED, "three of them");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_OK, "read");
    ok(q.count == 3 && q.notices[1].amount == 990 && commerce_equal(q.notices[1].payment, S("p"))
       && commerce_equal(q.notices[1].transaction, S("t"))
       && commerce_equal(q.notices[2].refund, S("r")) && q.notices[2].freight == 5
       && q.notices[2].line_count == 2 && commerce_equal(q.notices[2].lines[0].sku, S("A"))
       && q.notices[2].lines[1].line == 2 && q.notices[2].lines[0].quantity == 1,
       "with all their facts");

    restart();
    commerce_parked_remove(&txn, shop, &what, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "removed");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_ABSENT, "gone");
    ok(q.count == 0, "and zeroed");

    is_int(commerce_parked_parse(S("o/u\x1fk"), &other), COMMERCE_OK, "for an order");
    ok(other.kind == COMMERCE_PARKED_ORDER && commerce_equal(other.user, S("u"))
       && commerce_equal(other.name, S("k")), "whose");
    is_int(commerce_parked_parse(S("t/x"), &other), COMMERCE_OK, "for a transaction");
    is_int(commerce_parked_parse(S("x/x"), &other), COMMERCE_ERROR, "for nothing");
    is_int(commerce_parked_parse(S("o/x"), &other), COMMERCE_ERROR, "for no order");
    ok(counter(commerce_counter_doubt(reader.arena, shop)) == 0, "no counter was touched");
}


int
main(void)
{
    static void (*const  tests[])(void) = {
        test_order,
        test_cart,
        test_due,
        test_parked
    };

    return record_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
