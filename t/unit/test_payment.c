/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_notice.h"
#include "commerce_payment.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

static commerce_heap_t   *heap;
static commerce_arena_t  *arena;


static commerce_order_t
order(const char *key, commerce_fen_t payable, commerce_fen_t freight)
{
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));
    o.user = S("u");
    o.key = commerce_cstr(key);
    o.state = COMMERCE_ORDER_PLACED;
    o.claimed = o.discount = -1;
    o.payable = payable;
    o.freight = freight;

    return o;
}


static commerce_reason_t
give(commerce_payment_t *payment, commerce_order_t *o)
{
    return commerce_payment_give(arena, payment, commerce_payment_covers(payment, o->user, o->key),
                                 o, 100);
}


static void
test_due(void)
{
    commerce_order_t  o;

    o = order("k", -1, 0);
    is_int(commerce_payment_due(&o), -1, "nobody has named an amount");
    o.claimed = 1000;
    o.discount = 100;
    is_int(commerce_payment_due(&o), 900, "what the request came to");
    o.discount = 1100;
    is_int(commerce_payment_due(&o), 0, "never below zero");
    o.payable = 850;
    o.freight = 50;
    is_int(commerce_payment_due(&o), 900, "the answer's, with freight");
    is_int(commerce_payment_received(&o), 0, "nothing came");
    ok(!commerce_payment_complete(&o), "and that is not enough");
    o.payable = o.freight = 0;
    ok(!commerce_payment_complete(&o), "not even for an order that costs nothing: somebody has to say so");
}


static void
test_alone(void)
{
    commerce_order_t        o, before;
    commerce_transaction_t  taken;

    o = order("k", 900, 100);
    before = o;

    is_reason(commerce_payment_receive(arena, &o, S("t1"), 400, 1), OK, "a part");
    is_int(before.receipt_count, 0, "whoever looks at the old order sees the old list");
    ok(!commerce_payment_complete(&o), "is a part");
    is_reason(commerce_payment_receive(arena, &o, S("t1"), 400, 2), ORDER_REPLAY, "again");
    is_reason(commerce_payment_receive(arena, &o, S("t1"), -1, 2), ORDER_REPLAY, "again, without its amount");
    is_reason(commerce_payment_receive(arena, &o, S("t1"), 401, 2), TRANSACTION_REUSED, "with another amount");
    is_reason(commerce_payment_receive(arena, &o, S("t2"), -1, 3), OK, "one that names no amount");
    is_int(commerce_payment_received(&o), -1, "nobody knows how much");
    ok(commerce_payment_complete(&o), "but it covers the order");
    is_int(commerce_payment_excess(&o), 0, "and is not too much");
    before = o;
    is_reason(commerce_payment_receive(arena, &o, S("t2"), 700, 4), OK, "its amount follows");
    is_int(before.receipts[1].amount, -1, "the old list stays");
    is_int(commerce_payment_received(&o), 1100, "now it is known");
    is_int(commerce_payment_excess(&o), 100, "and is too much");

    ok(commerce_payment_withdraw(arena, &o, S("t1"), &taken), "t1 turns out to be a payment's");
    ok(taken.amount == 400 && taken.time == 1 && commerce_equal(taken.id, S("t1")), "what it was");
    ok(o.receipt_count == 1 && commerce_equal(o.receipts[0].transaction, S("t2")), "the other stays");
    ok(!commerce_payment_withdraw(arena, &o, S("t1"), &taken), "once");
}


static void
test_transactions(void)
{
    unsigned            i;
    char                id[16];
    commerce_payment_t  p;

    memset(&p, 0, sizeof(p));
    p.id = S("p");

    is_reason(commerce_payment_add(arena, &p, S(""), 500, 1), OK, "without a number");
    is_reason(commerce_payment_add(arena, &p, S(""), 500, 1), ORDER_REPLAY, "again");
    is_reason(commerce_payment_add(arena, &p, S("t1"), 600, 1), TRANSACTION_REUSED, "the number comes with another amount");
    is_reason(commerce_payment_add(arena, &p, S("t1"), 500, 1), OK, "the number comes");
    is_int(p.transaction_count, 1, "it is the same money");
    is_reason(commerce_payment_add(arena, &p, S("t1"), -1, 1), ORDER_REPLAY, "again, without its amount");
    is_reason(commerce_payment_add(arena, &p, S("t2"), 300, 1), OK, "more money");
    is_int(commerce_payment_brought(&p), 800, "the sum");
    is_reason(commerce_payment_add(arena, &p, S(""), 800, 1), ORDER_REPLAY, "all of it, without a number");
    is_reason(commerce_payment_add(arena, &p, S(""), 801, 1), TRANSACTION_REUSED, "another sum");

    for (i = 2; i < COMMERCE_TRANSACTIONS_MAX; i++) {
        snprintf(id, sizeof(id), "x%u", i);
        commerce_payment_add(arena, &p, commerce_copy(arena, commerce_cstr(id)), 1, 1);
    }

    is_reason(commerce_payment_add(arena, &p, S("last"), 1, 1), NOTICE_LIMIT, "as many as there can be");
    is_int(p.transaction_count, COMMERCE_TRANSACTIONS_MAX, "and no more");
}


static void
test_combined(void)
{
    commerce_order_t    a, b, c;
    commerce_payment_t  p;

    memset(&p, 0, sizeof(p));
    p.id = S("p");
    a = order("a", 100, 10);
    b = order("b", 200, 0);
    c = order("c", -1, 0);

    commerce_payment_cover(arena, &p, a.user, a.key);
    is_reason(give(&p, &a), ORDER_REPLAY, "no money yet");

    commerce_payment_add(arena, &p, S("t"), 300, 1);
    is_reason(give(&p, &a), OK, "the only order");
    is_int(commerce_payment_received(&a), 300, "has it all");
    is_int(commerce_payment_excess(&a), 190, "too much for it");
    is_reason(give(&p, &a), ORDER_REPLAY, "once");

    ok(commerce_payment_cover(arena, &p, b.user, b.key) != NULL, "a second order");
    ok(commerce_payment_cover(arena, &p, b.user, b.key) == &p.orders[1], "has one place");
    is_reason(give(&p, &a), OK, "the first one's changes");
    is_int(commerce_payment_received(&a), 110, "to what it is due");
    is_reason(give(&p, &b), OK, "the rest");
    is_int(commerce_payment_received(&b), 190, "is the other's");
    ok(!commerce_payment_complete(&b), "and too little");

    commerce_payment_add(arena, &p, S("t2"), 15, 1);
    is_reason(give(&p, &a), OK, "a new transaction shows");
    is_int(commerce_payment_received(&a), 110, "takes nothing more");
    give(&p, &b);
    is_int(commerce_payment_received(&b), 205, "the last one has what is left, too");
    is_int(commerce_payment_excess(&b), 5, "which is too much");

    a.payable = 500;
    give(&p, &a);
    is_int(commerce_payment_received(&a), 115, "what is due later takes what is left, never what another was given");
    give(&p, &b);
    is_int(commerce_payment_received(&b), 200, "so the other keeps its due");

    commerce_payment_cover(arena, &p, c.user, c.key);
    give(&p, &a);
    give(&p, &b);
    is_reason(give(&p, &c), OK, "an order of unknown amount");
    is_int(commerce_payment_received(&c), 0, "gets what is left: nothing");
    ok(commerce_payment_complete(&c), "and is paid");
}


static void
test_both_ways(void)
{
    commerce_order_t    o;
    commerce_payment_t  p, q;

    memset(&p, 0, sizeof(p));
    memset(&q, 0, sizeof(q));
    p.id = S("deposit");
    q.id = S("balance");
    o = order("o", 1000, 0);

    commerce_payment_cover(arena, &p, o.user, o.key);
    commerce_payment_cover(arena, &q, o.user, o.key);
    commerce_payment_add(arena, &p, S("t1"), 300, 1);
    commerce_payment_add(arena, &q, S("t2"), 700, 1);

    give(&p, &o);
    ok(!commerce_payment_complete(&o), "the deposit is not enough");
    give(&q, &o);
    ok(commerce_payment_complete(&o), "with the balance it is");
    is_int(commerce_payment_excess(&o), 0, "exactly");

    commerce_payment_add(arena, &q, S("t3"), -1, 1);
    give(&q, &o);
    is_int(commerce_payment_received(&o), -1, "money of unknown amount");
    ok(commerce_payment_complete(&o), "covers it");
}


static void
test_parking(void)
{
    unsigned           i;
    char               id[16];
    commerce_parked_t  parked = { NULL, 0 };
    commerce_notice_t  n = { .kind = COMMERCE_STEP_SETTLED, .amount = -1 };

    is_reason(commerce_notice_park(arena, &parked, &n), OK, "a settlement");
    is_reason(commerce_notice_park(arena, &parked, &n), ORDER_REPLAY, "twice");

    n.kind = COMMERCE_STEP_REFUNDED;
    n.refund = S("r1");
    n.amount = 5;
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "a refund");
    is_reason(commerce_notice_park(arena, &parked, &n), ORDER_REPLAY, "twice");
    n.amount = 6;
    is_reason(commerce_notice_park(arena, &parked, &n), REFUND_KEY_REUSED, "otherwise");
    n.refund = S("r2");
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "another refund");

    n = (commerce_notice_t) { .kind = COMMERCE_STEP_PAID, .transaction = S("t"), .amount = -1 };
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "a payment");
    n.amount = 7;
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "its amount");
    n.payment = S("p");
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "its number");
    is_reason(commerce_notice_park(arena, &parked, &n), ORDER_REPLAY, "nothing new");
    n.payment = S("q");
    is_reason(commerce_notice_park(arena, &parked, &n), TRANSACTION_REUSED, "another number");

    n = (commerce_notice_t) { .kind = COMMERCE_STEP_CANCELLED, .amount = -1 };
    is_reason(commerce_notice_park(arena, &parked, &n), OK, "a cancellation");

    is_int(parked.count, 5, "five wait");
    ok(parked.notices[0].kind == COMMERCE_STEP_CANCELLED && parked.notices[1].kind == COMMERCE_STEP_PAID
       && commerce_equal(parked.notices[2].refund, S("r1"))
       && commerce_equal(parked.notices[3].refund, S("r2"))
       && parked.notices[4].kind == COMMERCE_STEP_SETTLED, "in the order of joining");
    ok(parked.notices[1].amount == 7 && commerce_equal(parked.notices[1].payment, S("p")),
       "the payment with all that is known");

    n.kind = COMMERCE_STEP_REFUNDED;

    for (i = parked.count; i < COMMERCE_PARKED_MAX; i++) {
        snprintf(id, sizeof(id), "x%u", i);
        n.refund = commerce_copy(arena, commerce_cstr(id));
        commerce_notice_park(arena, &parked, &n);
    }

    n.refund = S("last");
    is_reason(commerce_notice_park(arena, &parked, &n), NOTICE_LIMIT, "as many as there can be");
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_due();
    test_alone();
    test_transactions();
    test_combined();
    test_both_ways();
    test_parking();

    commerce_heap_destroy(heap);

    return done_testing();
}
