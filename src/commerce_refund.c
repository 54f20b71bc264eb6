/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_amount.h"
#include "commerce_payment.h"
#include "commerce_refund.h"


static void commerce_refund_paid(const commerce_order_t *order, commerce_balance_t *balance);
static commerce_fen_t commerce_refund_weights(const commerce_order_t *order,
    commerce_fen_t *weights);
static void commerce_refund_groups(const commerce_order_t *order, const commerce_sale_t *sale,
    commerce_fen_t *left, commerce_balance_t *balance);
static unsigned commerce_refund_group(const commerce_order_t *order, unsigned first,
    bool group[COMMERCE_LINES_MAX]);
static commerce_reason_t commerce_refund_line(const commerce_order_t *order,
    const commerce_refund_line_t *named, commerce_refund_line_t *lines);
static commerce_reason_t commerce_refund_amounts(commerce_refund_t *refund);
static commerce_reason_t commerce_refund_unlined(commerce_refund_t *refund);
static bool commerce_refund_sound(const commerce_refund_line_t *named);
static bool commerce_refund_fits(const commerce_order_t *order);
static bool commerce_refund_line_fits(const commerce_order_t *order,
    const commerce_balance_t *balance, unsigned i, commerce_fen_t *named);


void
commerce_refund_balance(const commerce_order_t *order, commerce_balance_t *balance)
{
    bool            lines;
    unsigned        i;
    commerce_fen_t  goods, weights[COMMERCE_LINES_MAX], parts[COMMERCE_LINES_MAX];

    commerce_refund_paid(order, balance);

    lines = order->line_count != 0 && balance->paid[0] >= 0;
    balance->refunded_goods = 0;

    for (i = 0; i < order->line_count; i++) {
        balance->refunded[i] = order->sale != NULL ? order->sale[i].named : 0;
        weights[i] = lines ? balance->paid[i] - balance->refunded[i] : 0;
    }

    if (order->sale != NULL) {
        commerce_refund_groups(order, order->sale, lines ? weights : NULL, balance);
    }

    for (i = 0; i < order->line_count; i++) {
        balance->refunded_goods += balance->refunded[i];
    }

    /* what names no lines: goods first, the rest after them */

    goods = order->refund_lineless;

    if (balance->goods >= 0 && goods > balance->goods - balance->refunded_goods) {
        goods = balance->goods - balance->refunded_goods;
    }

    balance->refunded_goods += goods;
    balance->refunded_rest = order->refund_rest + order->refund_lineless - goods;

    if (lines && commerce_amount_spread(goods, weights, parts, order->line_count) == COMMERCE_OK) {
        for (i = 0; i < order->line_count; i++) {
            balance->refunded[i] += parts[i];
        }
    }

    if (order->refund_whole && balance->goods >= 0) {
        memcpy(balance->refunded, balance->paid, lines ? order->line_count * sizeof(*parts) : 0);
        balance->refunded_goods = balance->goods;
        balance->refunded_rest = balance->total - balance->goods;
    }

    balance->full = order->refund_count != 0
                    && (order->refund_whole
                        || (balance->goods >= 0 && balance->refunded_goods >= balance->goods));

    for (i = 0; i < order->line_count; i++) {
        balance->net[i] = order->state == COMMERCE_ORDER_CANCELLED ? 0
                          : lines ? balance->paid[i] - balance->refunded[i] : -1;
    }
}


/* paid[], goods, total */

static void
commerce_refund_paid(const commerce_order_t *order, commerce_balance_t *balance)
{
    unsigned        i;
    commerce_fen_t  sum, received, weights[COMMERCE_LINES_MAX];

    received = commerce_payment_received(order);
    balance->total = (order->receipt_count != 0 && received >= 0) ? received
                                                                  : commerce_payment_due(order);
    balance->goods = 0;

    if (order->sale != NULL && order->line_count != 0 && order->sale[0].paid >= 0) {
        for (i = 0; i < order->line_count; i++) {
            balance->paid[i] = order->sale[i].paid;
            balance->goods += balance->paid[i];
        }

        if (balance->total < balance->goods) {
            balance->total = balance->goods;
        }

        return;
    }

    sum = commerce_refund_weights(order, weights);

    balance->goods = order->payable >= 0 ? order->payable : sum;

    if (balance->goods < 0 && balance->total >= 0) {
        balance->goods = balance->total > order->freight ? balance->total - order->freight : 0;
    }

    if (balance->total >= 0 && balance->total < balance->goods) {
        balance->goods = balance->total;
    }

    if (sum < 0 || commerce_amount_spread(balance->goods, weights, balance->paid,
                                          order->line_count) != COMMERCE_OK)
    {
        for (i = 0; i < order->line_count; i++) {
            balance->paid[i] = -1;
        }
    }
}


/* the lines' amounts less their discounts, and their sum; -1: a line names none, or there are none */

static commerce_fen_t
commerce_refund_weights(const commerce_order_t *order, commerce_fen_t *weights)
{
    unsigned                i;
    commerce_fen_t          sum;
    const commerce_line_t  *line;

    sum = order->line_count != 0 ? 0 : -1;

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];

        if (line->amount < 0) {
            return -1;
        }

        weights[i] = line->amount > line->discount ? line->amount - line->discount : 0;
        sum += weights[i];
    }

    return sum;
}


/* what names an SKU of several lines, spread over what these have left; without known amounts at the first one */

static void
commerce_refund_groups(const commerce_order_t *order, const commerce_sale_t *sale,
    commerce_fen_t *left, commerce_balance_t *balance)
{
    bool            group[COMMERCE_LINES_MAX];
    unsigned        i, j;
    commerce_fen_t  weights[COMMERCE_LINES_MAX], parts[COMMERCE_LINES_MAX];

    for (i = 0; i < order->line_count; i++) {
        if (sale[i].grouped == 0) {
            continue;
        }

        if (left == NULL) {
            balance->refunded[i] += sale[i].grouped;
            continue;
        }

        (void) commerce_refund_group(order, i, group);

        for (j = 0; j < order->line_count; j++) {
            weights[j] = group[j] ? left[j] : 0;
        }

        if (commerce_amount_spread(sale[i].grouped, weights, parts, order->line_count)
            != COMMERCE_OK)
        {
            continue;
        }

        for (j = 0; j < order->line_count; j++) {
            balance->refunded[j] += parts[j];
            left[j] -= parts[j];
        }
    }
}


/* the lines with the first one's SKU; how many */

static unsigned
commerce_refund_group(const commerce_order_t *order, unsigned first,
    bool group[COMMERCE_LINES_MAX])
{
    unsigned  i, n;

    for (i = 0, n = 0; i < order->line_count; i++) {
        group[i] = commerce_equal(order->lines[i].sku, order->lines[first].sku);
        n += group[i];
    }

    return n;
}


commerce_reason_t
commerce_refund_resolve(commerce_arena_t *arena, const commerce_order_t *order,
    commerce_refund_t *refund)
{
    unsigned                 i, n;
    commerce_reason_t        reason;
    commerce_refund_line_t  *lines;

    if (refund->line_count == 0) {
        return commerce_refund_amounts(refund);
    }

    if (order->line_count == 0) {
        return commerce_refund_unlined(refund);
    }

    /* two places for each line: by its number, and as the first of its SKU's group */

    lines = commerce_alloc(arena, (2 * order->line_count + 1) * sizeof(commerce_refund_line_t));
    if (lines == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < refund->line_count; i++) {
        reason = commerce_refund_line(order, &refund->lines[i], lines);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    for (i = 0, n = 0; i < 2 * order->line_count; i++) {
        if (lines[i].line != 0) {
            lines[n++] = lines[i];
        }
    }

    refund->lines = lines;
    refund->line_count = n;

    return commerce_refund_amounts(refund);
}


/* of an order whose lines nobody told (its answer was lost, say) it is as good as one that names none */

static commerce_reason_t
commerce_refund_unlined(commerce_refund_t *refund)
{
    unsigned           i;
    commerce_reason_t  reason;

    for (i = 0; i < refund->line_count; i++) {
        if (!commerce_refund_sound(&refund->lines[i])) {
            return COMMERCE_R(ORDER_MALFORMED);
        }
    }

    reason = commerce_refund_amounts(refund);

    refund->lines = NULL;
    refund->line_count = 0;

    return reason;
}


static bool
commerce_refund_sound(const commerce_refund_line_t *named)
{
    return named->amount >= 0 && named->amount <= COMMERCE_FEN_MAX && named->quantity >= 0
           && named->quantity <= COMMERCE_REFUND_PIECES;
}


/* an SKU is kept only where it stands for several lines: with the first one's number */

static commerce_reason_t
commerce_refund_line(const commerce_order_t *order, const commerce_refund_line_t *named,
    commerce_refund_line_t *lines)
{
    bool                     group[COMMERCE_LINES_MAX], grouped;
    unsigned                 i;
    commerce_refund_line_t  *line;

    if (!commerce_refund_sound(named)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    grouped = false;
    i = named->line - 1;

    if (named->sku.len != 0) {
        for (i = 0; i < order->line_count; i++) {
            if (commerce_equal(order->lines[i].sku, named->sku)) {
                grouped = commerce_refund_group(order, i, group) > 1;
                break;
            }
        }
    }

    if (i >= order->line_count) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    line = &lines[2 * i + (grouped ? 1 : 0)];

    line->line = i + 1;
    line->sku = grouped ? order->lines[i].sku : commerce_string("");
    line->amount += named->amount;
    line->quantity += named->quantity;

    return line->amount > COMMERCE_FEN_MAX ? COMMERCE_R(ORDER_MALFORMED) : COMMERCE_R(OK);
}


/* amount = lines + freight; what an amount names above its lines is freight */

static commerce_reason_t
commerce_refund_amounts(commerce_refund_t *refund)
{
    unsigned        i;
    commerce_fen_t  sum;

    if (refund->freight < 0 || refund->freight > COMMERCE_FEN_MAX
        || refund->amount > COMMERCE_FEN_MAX)
    {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    sum = refund->freight;

    for (i = 0; i < refund->line_count; i++) {
        sum += refund->lines[i].amount;
    }

    if (refund->line_count == 0) {
        if (refund->amount < 0) {
            return refund->freight == 0 ? COMMERCE_R(OK) : COMMERCE_R(ORDER_MALFORMED);
        }

        return refund->amount >= sum ? COMMERCE_R(OK) : COMMERCE_R(ORDER_MALFORMED);
    }

    if (refund->amount < 0) {
        refund->amount = sum;
    }

    if (refund->amount < sum || (refund->amount > sum && refund->freight != 0)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    refund->freight += refund->amount - sum;

    return COMMERCE_R(OK);
}


bool
commerce_refund_equal(const commerce_refund_t *a, const commerce_refund_t *b)
{
    unsigned                       i;
    const commerce_refund_line_t  *p, *q;

    if (!commerce_equal(a->user, b->user) || !commerce_equal(a->key, b->key)
        || a->amount != b->amount || a->freight != b->freight || a->line_count != b->line_count)
    {
        return false;
    }

    for (i = 0; i < a->line_count; i++) {
        p = &a->lines[i];
        q = &b->lines[i];

        if (p->line != q->line || p->amount != q->amount || p->quantity != q->quantity
            || !commerce_equal(p->sku, q->sku))
        {
            return false;
        }
    }

    return true;
}


commerce_reason_t
commerce_refund_add(commerce_arena_t *arena, commerce_order_t *order,
    const commerce_refund_t *refund)
{
    unsigned                       i;
    commerce_order_t               before;
    commerce_sale_t               *sale;
    commerce_balance_t             balance;
    const commerce_refund_line_t  *line;

    before = *order;

    sale = commerce_alloc(arena, (order->line_count + 1) * sizeof(commerce_sale_t));
    if (sale == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    /* with the first refund it is settled what each line brought */

    commerce_refund_balance(order, &balance);

    for (i = 0; i < order->line_count; i++) {
        if (order->sale != NULL) {
            sale[i] = order->sale[i];
        }

        sale[i].paid = balance.paid[i];
    }

    order->sale = sale;
    order->refund_count++;

    if (refund->amount < 0) {
        order->refund_whole = true;

    } else {
        order->refund_rest += refund->freight;

        if (refund->line_count == 0) {
            order->refund_lineless += refund->amount - refund->freight;
        }
    }

    for (i = 0; i < refund->line_count; i++) {
        line = &refund->lines[i];

        *(line->sku.len != 0 ? &sale[line->line - 1].grouped : &sale[line->line - 1].named)
            += line->amount;
        sale[line->line - 1].quantity += line->quantity;
    }

    if (!commerce_refund_fits(order)) {
        *order = before;
        return COMMERCE_R(REFUND_EXCEEDS_ORDER);
    }

    return COMMERCE_R(OK);
}


/* is every sum within what there is?  Each bound is on a sum alone: which refund came first does not matter */

static bool
commerce_refund_fits(const commerce_order_t *order)
{
    unsigned            i;
    commerce_fen_t      named, rest;
    commerce_order_t    plain;
    commerce_balance_t  balance;

    plain = *order;
    plain.refund_whole = false;     /* it is of whatever is left: it cannot be too much */
    plain.refund_lineless = 0;
    plain.refund_rest = 0;

    commerce_refund_balance(&plain, &balance);

    if (balance.goods < 0) {
        return true;                /* nobody knows what was paid */
    }

    named = 0;

    for (i = 0; i < order->line_count; i++) {
        if (!commerce_refund_line_fits(order, &balance, i, &named)) {
            return false;
        }
    }

    if (named > balance.goods) {
        return false;
    }

    rest = order->refund_lineless - (balance.goods - named);

    return (rest > 0 ? rest : 0) + order->refund_rest <= balance.total - balance.goods;
}


static bool
commerce_refund_line_fits(const commerce_order_t *order, const commerce_balance_t *balance,
    unsigned i, commerce_fen_t *named)
{
    bool                    group[COMMERCE_LINES_MAX];
    unsigned                j;
    int64_t                 pieces;
    commerce_fen_t          left;
    const commerce_sale_t  *sale = &order->sale[i];

    *named += sale->named + sale->grouped;
    pieces = order->lines[i].quantity;

    if (balance->paid[i] >= 0 && sale->named > balance->paid[i]) {
        return false;
    }

    if (sale->grouped != 0) {
        (void) commerce_refund_group(order, i, group);
        left = 0;

        for (j = 0; j < order->line_count; j++) {
            if (group[j]) {
                left += balance->paid[j] - order->sale[j].named;
                pieces += j != i ? order->lines[j].quantity : 0;
            }
        }

        if (balance->paid[i] >= 0 && sale->grouped > left) {
            return false;
        }
    }

    return sale->quantity <= pieces;
}
