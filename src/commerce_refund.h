/*
 * Copyright (C) ngx_commerce authors
 *
 * Refunds: what is given back of each line.  Pure: records are the ledger's.
 *
 * What a line brought is its amount less its discount; if the backend's amount is another one, that amount is
 * spread over the lines by these.  Refunds name lines (or SKUs), or only an amount.  All is cumulative, and what
 * comes out depends on the sums alone, so that the order of arrival does not matter:
 *   named     by line: the sum of what names it
 *   grouped   by an SKU that several lines have: the sum, spread over what these lines have left
 *   lineless  the sum, spread over what all lines have left; what is above that is of the rest: freight, and
 *             what was paid too much
 * Spread is by largest remainder, ties to the earlier line.  Adding a refund can move a fen from one line to
 * another: whoever adds up takes the totals, or all the changes.
 * A refund is taken if every sum stays within what there is, and refused as a whole otherwise.
 */

#ifndef COMMERCE_REFUND_H
#define COMMERCE_REFUND_H

#include "commerce_order.h"

#define COMMERCE_REFUND_PIECES  1000000     /* of a line, at most */

/* of a refund, as a notice tells it: one line */
typedef struct {
    commerce_str_t  sku;            /* empty: by number */
    unsigned        line;           /* from 1; 0: by SKU */
    commerce_fen_t  amount;
    int64_t         quantity;       /* pieces; 0 = not named */
} commerce_refund_line_t;

typedef struct {
    commerce_str_t           number;
    commerce_str_t           user, key;     /* the order's */
    commerce_fen_t           amount;        /* with freight; -1: all that is left */
    commerce_fen_t           freight;       /* of it */
    commerce_refund_line_t  *lines;         /* resolved: by number, ascending, each once */
    unsigned                 line_count;
    commerce_time_t          time;
    bool                     late;          /* after the order was settled */
} commerce_refund_t;

/* where the order stands, line by line; index: of the order's lines */
typedef struct {
    commerce_fen_t  paid[COMMERCE_LINES_MAX];       /* -1 = not known */
    commerce_fen_t  refunded[COMMERCE_LINES_MAX];
    commerce_fen_t  net[COMMERCE_LINES_MAX];        /* what the seller is paid for; 0 once the order is cancelled */
    commerce_fen_t  goods;          /* sum of paid; of an order without known lines its amount, -1 = not known */
    commerce_fen_t  total;          /* all that was paid, -1 = not known */
    commerce_fen_t  refunded_goods;
    commerce_fen_t  refunded_rest;
    bool            full;           /* all goods were given back */
} commerce_balance_t;

/* the order was paid (or some of it); lines of an order without known amounts have refunded as far as named */
void commerce_refund_balance(const commerce_order_t *order, commerce_balance_t *balance);

/*
 * The notice's lines, on the order's: by number, ascending, each once.  A line that the order does not have:
 * ORDER_MALFORMED; amounts that do not add up (amount, freight and lines): ORDER_MALFORMED; INTERNAL.
 * refund->lines and amount are replaced: amount becomes the whole of it, where lines alone were named.
 * Of an order that has no lines at all, the refund has none either.
 */
commerce_reason_t commerce_refund_resolve(commerce_arena_t *arena, const commerce_order_t *order, commerce_refund_t *refund);

/* the same content? */
bool commerce_refund_equal(const commerce_refund_t *a, const commerce_refund_t *b);

/*
 * Adds a resolved refund to the order's sums.  OK; REFUND_EXCEEDS_ORDER: order is as it was; INTERNAL.
 */
commerce_reason_t commerce_refund_add(commerce_arena_t *arena, commerce_order_t *order, const commerce_refund_t *refund);

#endif
