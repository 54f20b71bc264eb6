/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_revision.h"


static commerce_reason_t commerce_revision_open(const commerce_order_t *order, commerce_time_t now);
static unsigned commerce_revision_rank(const commerce_source_t *classes, commerce_source_t source);
static bool commerce_revision_wins(const commerce_source_t *classes, const commerce_order_t *order, int credit,
    const commerce_credit_t *told);
static int commerce_revision_find(const commerce_order_t *order, const commerce_credit_t *told);
static unsigned commerce_revision_lines(const commerce_source_t *classes, commerce_order_t *order, int index);
static void commerce_revision_first(commerce_order_t *order, int index);
static void commerce_revision_contributors(commerce_order_t *order);


commerce_reason_t
commerce_revision_apply(const commerce_source_t *classes, commerce_order_t *order,
    const commerce_credit_t *credit, uint64_t buyer, commerce_time_t now)
{
    int                index;
    bool               fresh;
    unsigned           won;
    commerce_reason_t  reason;

    reason = commerce_revision_open(order, now);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (buyer != 0 && credit->seller == buyer) {
        return COMMERCE_R(SELF_PURCHASE);
    }

    index = commerce_revision_find(order, credit);
    fresh = (index < 0);

    if (order->revision == COMMERCE_REVISIONS_MAX || (fresh && order->credit_count == COMMERCE_CREDITS_MAX)) {
        return COMMERCE_R(NOTICE_LIMIT);
    }

    if (fresh) {
        index = (int) order->credit_count++;
        order->credits[index] = *credit;
        order->credits[index].contributor = true;
        order->credits[index].assist = false;
    }

    won = commerce_revision_lines(classes, order, index);

    if (won == 0 && !fresh) {
        return COMMERCE_R(ORDER_REPLAY);
    }

    commerce_revision_contributors(order);
    order->revision++;

    return won != 0 ? COMMERCE_R(ATTR_LATE_REVISION) : COMMERCE_R(ATTR_ASSIST_ONLY);
}


static commerce_reason_t
commerce_revision_open(const commerce_order_t *order, commerce_time_t now)
{
    switch (order->state) {

    case COMMERCE_ORDER_PLACED:
    case COMMERCE_ORDER_PAID:
    case COMMERCE_ORDER_REFUNDED:
        break;

    case COMMERCE_ORDER_SETTLED:
        return COMMERCE_R(ATTR_AFTER_FREEZE);

    default:
        return COMMERCE_R(ORDER_CLOSED);
    }

    return order->freeze != 0 && now >= order->freeze ? COMMERCE_R(ATTR_AFTER_FREEZE) : COMMERCE_R(OK);
}


/* of two that are not in the order of classes both come last */

static unsigned
commerce_revision_rank(const commerce_source_t *classes, commerce_source_t source)
{
    unsigned  i;

    for (i = 0; classes[i] != COMMERCE_SOURCE_NONE && classes[i] != source; i++) {
        /* void */
    }

    return i;
}


/* of one class the later touch counts, as it would have at first */

static bool
commerce_revision_wins(const commerce_source_t *classes, const commerce_order_t *order, int credit,
    const commerce_credit_t *told)
{
    unsigned                  mine, theirs;
    const commerce_credit_t  *winner;

    mine = commerce_revision_rank(classes, told->source);

    if (classes[mine] == COMMERCE_SOURCE_NONE) {
        return false;
    }

    if (credit < 0) {
        return true;                    /* the house's */
    }

    winner = &order->credits[credit];
    theirs = commerce_revision_rank(classes, winner->source);

    return mine < theirs || (mine == theirs && told->touched > winner->touched);
}


static int
commerce_revision_find(const commerce_order_t *order, const commerce_credit_t *told)
{
    unsigned  i;

    for (i = 0; i < order->credit_count; i++) {
        if (order->credits[i].seller == told->seller && order->credits[i].source == told->source
            && !order->credits[i].assist)
        {
            return (int) i;
        }
    }

    return -1;
}


/* how many lines it wins that another had; an order whose lines nobody told of counts as one */

static unsigned
commerce_revision_lines(const commerce_source_t *classes, commerce_order_t *order, int index)
{
    unsigned                  i, won;
    const commerce_credit_t  *winner, *told;

    told = &order->credits[index];

    if (order->line_count == 0) {
        winner = commerce_order_winner(order);

        if (winner == told || !commerce_revision_wins(classes, order,
                                                      winner != NULL ? (int) (winner - order->credits) : -1, told))
        {
            return 0;
        }

        commerce_revision_first(order, index);

        return 1;
    }

    won = 0;

    for (i = 0; i < order->line_count; i++) {

        if (order->lines[i].credit != index && commerce_revision_wins(classes, order, order->lines[i].credit, told)) {
            order->lines[i].credit = index;
            won++;
        }
    }

    return won;
}


/* without lines the first credit is the winner's */

static void
commerce_revision_first(commerce_order_t *order, int index)
{
    commerce_credit_t  first;

    first = order->credits[0];
    order->credits[0] = order->credits[index];
    order->credits[index] = first;

    order->credits[index].contributor = true;
    order->credits[0].contributor = false;
}


/* whoever has no line any more rides along */

static void
commerce_revision_contributors(commerce_order_t *order)
{
    unsigned  i, k;

    if (order->line_count == 0) {
        return;
    }

    for (i = 0; i < order->credit_count; i++) {

        if (order->credits[i].assist) {
            continue;
        }

        for (k = 0; k < order->line_count && order->lines[k].credit != (int) i; k++) {
            /* void */
        }

        order->credits[i].contributor = (k == order->line_count);
    }
}
