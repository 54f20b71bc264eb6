/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "tap.h"
#include "commerce_refund.h"


#define S  commerce_string

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

static commerce_heap_t    *heap;
static commerce_arena_t   *arena;
static commerce_line_t     lines[8];


static commerce_order_t
order(unsigned count, commerce_fen_t freight)
{
    unsigned          i;
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));
    o.user = S("u");
    o.key = S("k");
    o.state = COMMERCE_ORDER_PAID;
    o.paid = true;
    o.lines = lines;
    o.line_count = count;
    o.freight = freight;

    for (i = 0; i < count; i++) {
        o.payable += lines[i].amount - lines[i].discount;
    }

    return o;
}


static commerce_reason_t
refund(commerce_order_t *o, commerce_fen_t amount, commerce_fen_t freight, commerce_refund_line_t *named,
    unsigned count)
{
    commerce_reason_t  reason;
    commerce_refund_t  r = {
        .number = S("r"), .user = o->user, .key = o->key, .amount = amount, .freight = freight,
        .lines = named, .line_count = count
    };

    reason = commerce_refund_resolve(arena, o, &r);

    return reason == COMMERCE_R(OK) ? commerce_refund_add(arena, o, &r) : reason;
}


static void
is_lines(const commerce_order_t *o, const char *want, const char *name)
{
    char                text[256];
    size_t              n;
    unsigned            i;
    commerce_balance_t  b;

    commerce_refund_balance(o, &b);

    for (i = 0, n = 0; i < o->line_count; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%lld", i ? " " : "", (long long) b.net[i]);
    }

    is_str(((commerce_str_t) { text, n }), want, "%s", name);
}


static void
test_paid(void)
{
    commerce_order_t    o;
    commerce_balance_t  b;

    lines[0] = (commerce_line_t) { S("a"), 2, 1000, 100, -1, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("b"), 1, 500, 0, -1, { 0, 0 } };
    lines[2] = (commerce_line_t) { S("c"), 1, 100, 100, -1, { 0, 0 } };

    o = order(3, 50);
    is_lines(&o, "900 500 0", "amounts less discounts");
    commerce_refund_balance(&o, &b);
    is_int(b.goods, 1400, "the goods");
    is_int(b.total, 1450, "and the freight");
    ok(!b.full, "nothing was given back");

    o.payable = 1399;
    is_lines(&o, "899 500 0", "another amount of the backend's is spread");
    o.payable = -1;
    o.claimed = 1600;
    o.discount = 200;
    is_lines(&o, "900 500 0", "none: what the request came to");

    o.receipts = &(commerce_receipt_t) { S(""), S("t"), 1000, 1 };
    o.receipt_count = 1;
    is_lines(&o, "643 357 0", "less came than that: no more was paid");

    lines[1].amount = -1;
    o = order(3, 0);
    o.payable = 700;
    is_lines(&o, "-1 -1 -1", "a line without an amount: nobody knows");
    is_reason(refund(&o, 700, 0, NULL, 0), OK, "but the order's amount can be refunded");
    commerce_refund_balance(&o, &b);
    ok(b.full, "wholly");
    is_reason(refund(&o, 1, 0, NULL, 0), REFUND_EXCEEDS_ORDER, "and no more");
}


static void
test_lines(void)
{
    commerce_order_t        o, before;
    commerce_balance_t      b;
    commerce_refund_line_t  one = { S(""), 1, 300, 1 }, sku = { S("a"), 0, 300, 1 };
    commerce_refund_line_t  two[2] = { { S("b"), 0, 500, 0 }, { S(""), 1, 600, 1 } };
    commerce_refund_line_t  none = { S("z"), 0, 1, 0 }, zero = { S(""), 0, 1, 0 };

    lines[0] = (commerce_line_t) { S("a"), 2, 1000, 100, -1, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("b"), 1, 500, 0, -1, { 0, 0 } };

    o = order(2, 50);
    before = o;
    is_reason(refund(&o, -1, 0, &one, 1), OK, "by line");
    is_lines(&o, "600 500", "its own");
    ok(before.sale == NULL, "the old order is as it was");

    before = o;
    is_reason(refund(&o, 301, 0, &sku, 1), OK, "by SKU, with a fen of freight");
    is_lines(&o, "300 500", "the same line");
    is_int(before.sale[0].named, 300, "the old order is as it was");
    commerce_refund_balance(&o, &b);
    is_int(b.refunded_rest, 1, "freight");

    is_reason(refund(&o, -1, 0, two, 2), REFUND_EXCEEDS_ORDER, "above the line: refused as a whole");
    is_lines(&o, "300 500", "nothing of it happened");
    two[1].amount = 300;
    is_reason(refund(&o, -1, 0, two, 2), REFUND_EXCEEDS_ORDER, "a third piece of two");
    two[1].quantity = 0;
    is_reason(refund(&o, 700, 0, two, 2), ORDER_MALFORMED, "lines above the amount");
    is_reason(refund(&o, 900, 50, two, 2), ORDER_MALFORMED, "amounts that do not add up");
    is_reason(refund(&o, -1, 0, two, 2), OK, "what is left");
    commerce_refund_balance(&o, &b);
    ok(b.full, "all goods");
    is_int(b.refunded_goods, 1400, "they are");
    is_reason(refund(&o, 49, 0, NULL, 0), OK, "the freight");
    is_reason(refund(&o, 1, 0, NULL, 0), REFUND_EXCEEDS_ORDER, "no more");

    is_reason(refund(&o, -1, 0, &none, 1), ORDER_MALFORMED, "no such SKU");
    is_reason(refund(&o, -1, 0, &zero, 1), ORDER_MALFORMED, "no line at all");
    is_reason(refund(&o, 5, 6, NULL, 0), ORDER_MALFORMED, "freight above the amount");

    o = order(0, 50);
    o.payable = 500;
    is_reason(refund(&o, 330, 0, &sku, 1), OK, "an order whose lines nobody told: the sum counts");
    commerce_refund_balance(&o, &b);
    is_int(b.refunded_goods, 300, "of the goods");
    is_int(b.refunded_rest, 30, "and of the freight");
    is_reason(refund(&o, -1, 0, &sku, 1), REFUND_EXCEEDS_ORDER, "and it has an end");
    sku.amount = -1;
    is_reason(refund(&o, 1, 0, &sku, 1), ORDER_MALFORMED, "no line gives less than nothing");
}


static void
test_spread(void)
{
    commerce_order_t        o;
    commerce_refund_line_t  one = { S(""), 1, 100, 0 }, group = { S("b"), 0, 150, 0 };

    lines[0] = (commerce_line_t) { S("a"), 1, 100, 0, -1, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("b"), 1, 100, 0, -1, { 0, 0 } };
    lines[2] = (commerce_line_t) { S("b"), 1, 100, 0, -1, { 0, 0 } };

    o = order(3, 0);
    is_reason(refund(&o, 100, 0, NULL, 0), OK, "a third");
    is_lines(&o, "66 67 67", "ties go to the earlier line");
    is_reason(refund(&o, -1, 0, &one, 1), OK, "a line, wholly");
    is_lines(&o, "0 50 50", "the third is the others'");
    is_reason(refund(&o, -1, 0, &group, 1), REFUND_EXCEEDS_ORDER, "more than these two have left");
    group.amount = 99;
    is_reason(refund(&o, -1, 0, &group, 1), OK, "nearly all of both");
    is_lines(&o, "0 0 1", "a fen");
    is_reason(refund(&o, 1, 0, NULL, 0), OK, "the last one");
    is_lines(&o, "0 0 0", "nothing");

    o.state = COMMERCE_ORDER_CANCELLED;
    is_lines(&o, "0 0 0", "cancelled: nothing");
    o = order(3, 0);
    o.state = COMMERCE_ORDER_CANCELLED;
    is_lines(&o, "0 0 0", "cancelled, and nothing was given back yet: nothing is left either");
}


static void
test_whole(void)
{
    commerce_order_t    o;
    commerce_balance_t  b;

    lines[0] = (commerce_line_t) { S("a"), 1, 70, 0, -1, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("b"), 1, 30, 0, -1, { 0, 0 } };

    o = order(2, 10);
    is_reason(refund(&o, 40, 0, NULL, 0), OK, "a part");
    is_reason(refund(&o, -1, 0, NULL, 0), OK, "all that is left");
    commerce_refund_balance(&o, &b);
    ok(b.full && b.refunded_goods == 100 && b.refunded_rest == 10, "goods and freight");
    is_reason(refund(&o, 60, 0, NULL, 0), OK, "a part that was on its way");
    is_lines(&o, "0 0", "is part of it");
    is_reason(refund(&o, 11, 0, NULL, 0), REFUND_EXCEEDS_ORDER, "but the parts cannot be more than there was");
}


/* any order of arrival comes to the same, and no sum is ever above what there is */

static void
test_orders(void)
{
    unsigned                i, k, n, count, round, wrong;
    commerce_fen_t          amounts[12], left;
    unsigned                order_of[12], swap;
    commerce_order_t        a, b;
    commerce_balance_t      x, y;
    commerce_refund_line_t  named[12];

    srand(20261126);
    wrong = 0;

    for (round = 0; round < 2000; round++) {
        count = 1 + (unsigned) rand() % 6;

        for (i = 0; i < count; i++) {
            lines[i] = (commerce_line_t) {
                rand() % 3 ? commerce_string("x") : commerce_string("y"), 1, 1 + rand() % 500, 0, -1,
                { 0, 0 }
            };
        }

        a = order(count, 0);
        left = a.payable;

        /* amounts that fit, each of its own kind: without lines, by line, by SKU */

        for (n = 0; n < 10; n++) {
            amounts[n] = rand() % (left / 2 + 1);
            named[n] = (commerce_refund_line_t) { S(""), 0, amounts[n], 0 };

            if (rand() % 3 == 1) {
                named[n].line = 1 + (unsigned) rand() % count;

            } else if (rand() % 2) {
                named[n].sku = lines[(unsigned) rand() % count].sku;
            }

            k = (named[n].line != 0 || named[n].sku.len != 0);

            if (refund(&a, k ? -1 : amounts[n], 0, k ? &named[n] : NULL, k) != COMMERCE_R(OK)) {
                named[n].amount = -1;
                continue;
            }

            left -= amounts[n];
        }

        for (i = 0; i < n; i++) {
            order_of[i] = i;
        }

        for (i = n - 1; i > 0; i--) {
            k = (unsigned) rand() % (i + 1);
            swap = order_of[i];
            order_of[i] = order_of[k];
            order_of[k] = swap;
        }

        b = order(count, 0);

        for (i = 0; i < n; i++) {
            swap = order_of[i];
            k = (named[swap].line != 0 || named[swap].sku.len != 0);

            if (named[swap].amount >= 0
                && refund(&b, k ? -1 : amounts[swap], 0, k ? &named[swap] : NULL, k)
                   != COMMERCE_R(OK))
            {
                wrong++;
            }
        }

        commerce_refund_balance(&a, &x);
        commerce_refund_balance(&b, &y);

        for (i = 0; i < count; i++) {
            wrong += x.net[i] != y.net[i] || x.net[i] < 0 || x.refunded[i] < 0;
        }

        wrong += x.refunded_goods != a.payable - left;
    }

    is_int(wrong, 0, "2000 random sets of refunds, in two orders each");
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_paid();
    test_lines();
    test_spread();
    test_whole();
    test_orders();

    commerce_heap_destroy(heap);

    return done_testing();
}
