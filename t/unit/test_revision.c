/*
 * Copyright (C) ngx_commerce authors
 *
 * Revisions: who wins which line of an order that was made already, until when, and how often.
 */

#include "tap.h"
#include "commerce_attribution.h"
#include "commerce_revision.h"

#define S    commerce_string
#define R    COMMERCE_R
#define NOW  INT64_C(1790000000)

#define TOUCH_FIRST    commerce_priority_order(COMMERCE_PRIORITY_TOUCH_FIRST)
#define PROTECT_FIRST  commerce_priority_order(COMMERCE_PRIORITY_PROTECT_FIRST)


static commerce_line_t  lines[3];


static commerce_credit_t
credit(commerce_source_t source, uint64_t seller, commerce_time_t touched)
{
    commerce_credit_t  c;

    memset(&c, 0, sizeof(c));
    c.source = source;
    c.seller = seller;
    c.seller_id = S("seller");
    c.touched = touched;

    return c;
}


/* three lines: of a protected binding's owner 1, of promoter 2, of the house */

static commerce_order_t
order(void)
{
    commerce_order_t  o;

    memset(&o, 0, sizeof(o));
    memset(lines, 0, sizeof(lines));
    o.state = COMMERCE_ORDER_PLACED;
    o.lines = lines;
    o.line_count = 3;
    o.credits[0] = credit(COMMERCE_SOURCE_PROTECTED, 1, 0);
    o.credits[1] = credit(COMMERCE_SOURCE_PROMOTER, 2, 0);
    o.credit_count = 2;
    lines[1].credit = 1;
    lines[2].credit = -1;

    return o;
}


static void
test_lines(void)
{
    commerce_order_t   o = order();
    commerce_credit_t  live = credit(COMMERCE_SOURCE_LIVE_ROOM, 3, NOW);

    is_int(commerce_revision_apply(PROTECT_FIRST, &o, &live, 0, NOW), R(ATTR_LATE_REVISION), "it wins some");
    ok(lines[0].credit == 0 && lines[1].credit == 2 && lines[2].credit == 2, "not the protected one's");
    ok(!o.credits[0].contributor && o.credits[1].contributor && !o.credits[2].contributor,
       "who has no line any more contributes");
    is_int(o.revision, 1, "the first");
    is_int(commerce_revision_apply(PROTECT_FIRST, &o, &live, 0, NOW), R(ORDER_REPLAY), "once more: nothing");
    is_int(o.revision, 1, "still the first");

    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(ATTR_LATE_REVISION), "by another order of classes");
    is_int(lines[0].credit, 2, "... that one, too");
    is_int(o.credit_count, 3, "each seller stands there once");

    live.seller = 4;
    live.touched = NOW - 1;
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(ATTR_ASSIST_ONLY), "of one class an earlier touch");
    live.seller = 5;
    live.touched = NOW + 1;
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(ATTR_LATE_REVISION), "... a later one");
    ok(lines[0].credit == 4 && lines[1].credit == 4 && lines[2].credit == 4, "wins them all");
    ok(o.credits[3].contributor && !o.credits[4].contributor, "the earlier one contributes");
}


static void
test_lineless(void)
{
    commerce_order_t   o = order();
    commerce_credit_t  live = credit(COMMERCE_SOURCE_LIVE_ROOM, 3, NOW);

    o.lines = NULL;
    o.line_count = 0;
    o.credits[1].contributor = true;

    is_int(commerce_revision_apply(PROTECT_FIRST, &o, &live, 0, NOW), R(ATTR_ASSIST_ONLY), "without lines: behind");
    is_int(commerce_order_winner(&o)->seller, 1, "the winner stays");
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(ATTR_LATE_REVISION), "before");
    is_int(commerce_order_winner(&o)->seller, 3, "the order's winner");
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(ORDER_REPLAY), "once more");

    o.credit_count = 0;
    o.revision = 0;
    is_int(commerce_revision_apply(PROTECT_FIRST, &o, &live, 0, NOW), R(ATTR_LATE_REVISION), "of the house");
    is_int(commerce_order_winner(&o)->seller, 3, "is the house's no more");
}


static void
test_limits(void)
{
    unsigned                  i;
    commerce_order_t          o;
    commerce_source_t         none[COMMERCE_SOURCES] = { COMMERCE_SOURCE_NONE };
    commerce_credit_t         live = credit(COMMERCE_SOURCE_LIVE_ROOM, 3, NOW);

    static const struct {
        commerce_order_state_t  state;
        commerce_time_t         freeze;
        commerce_reason_t       reason;
    } cases[] = {
        { COMMERCE_ORDER_PLACED, 0, R(ATTR_LATE_REVISION) },
        { COMMERCE_ORDER_PAID, NOW + 1, R(ATTR_LATE_REVISION) },
        { COMMERCE_ORDER_PAID, NOW, R(ATTR_AFTER_FREEZE) },
        { COMMERCE_ORDER_REFUNDED, NOW + 1, R(ATTR_LATE_REVISION) },
        { COMMERCE_ORDER_SETTLED, 0, R(ATTR_AFTER_FREEZE) },
        { COMMERCE_ORDER_CANCELLED, 0, R(ORDER_CLOSED) },
        { COMMERCE_ORDER_PENDING, 0, R(ORDER_CLOSED) },
        { COMMERCE_ORDER_UNKNOWN, 0, R(ORDER_CLOSED) },
        { COMMERCE_ORDER_CART, 0, R(ORDER_CLOSED) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        o = order();
        o.state = cases[i].state;
        o.freeze = cases[i].freeze;
        is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), cases[i].reason, "case %u", i);
        is_int(o.revision, cases[i].reason == R(ATTR_LATE_REVISION), "case %u: counted or not", i);
    }

    o = order();
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 3, NOW), R(SELF_PURCHASE), "the buyer himself");
    is_int(commerce_revision_apply(none, &o, &live, 0, NOW), R(ATTR_ASSIST_ONLY), "a class that wins nothing");

    o = order();
    o.revision = COMMERCE_REVISIONS_MAX;
    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(NOTICE_LIMIT), "no more revisions");

    o = order();

    for (i = 0; o.credit_count < COMMERCE_CREDITS_MAX; i++) {
        o.credits[o.credit_count++] = credit(COMMERCE_SOURCE_GROUP, 100 + i, 0);
    }

    is_int(commerce_revision_apply(TOUCH_FIRST, &o, &live, 0, NOW), R(NOTICE_LIMIT), "no place for a seller more");
    is_int(lines[0].credit, 0, "nothing was changed");
}


int
main(void)
{
    test_lines();
    test_lineless();
    test_limits();

    return done_testing();
}
