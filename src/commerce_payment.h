/*
 * Copyright (C) ngx_commerce authors
 *
 * Payments and what they bring to orders.  Pure: records and transactions are the ledger's.
 *
 * Payment to order is n:m.  A payment has a number of the merchant's; its money comes in transactions, each
 * with a number of the platform's; it covers the orders that name it, in the order in which they did:
 *   brought = the sum of its transactions; each order gets what it is still due, as long as there is some left,
 *   and keeps it; what is left in the end (too much was paid, or an order has not named the payment yet) stands
 *   in the last order's receipt until another one comes.
 * A transaction that names no payment belongs to the one order that it was told of.
 * Money whose amount nobody names (-1) covers whatever it is for.
 */

#ifndef COMMERCE_PAYMENT_H
#define COMMERCE_PAYMENT_H

#include "commerce_order.h"

#define COMMERCE_RECEIPTS_MAX        32     /* of one order */
#define COMMERCE_TRANSACTIONS_MAX    32     /* of one payment */
#define COMMERCE_PAYMENT_ORDERS_MAX  64

typedef struct {
    commerce_str_t   id;            /* the platform's number; empty: it was told of without one */
    commerce_fen_t   amount;        /* -1 = not named */
    commerce_time_t  time;
} commerce_transaction_t;

typedef struct {
    commerce_str_t  user, key;      /* of the order; both empty: of one that was let go */
    commerce_fen_t  given;          /* what it got of the money, as far as it was due */
} commerce_payment_order_t;

typedef struct {
    commerce_str_t             id;
    commerce_transaction_t    *transactions;
    unsigned                   transaction_count;
    commerce_payment_order_t  *orders;
    unsigned                   order_count;
} commerce_payment_t;

/*
 * The money told of.  OK: it is new, or its amount is; ORDER_REPLAY: it was told of before; TRANSACTION_REUSED:
 * with another amount; NOTICE_LIMIT; INTERNAL (memory).  A payment told of without a transaction's number has
 * one, without number; the first number that comes is that one's.
 */
commerce_reason_t commerce_payment_add(commerce_arena_t *arena, commerce_payment_t *payment, commerce_str_t transaction,
    commerce_fen_t amount, commerce_time_t now);

/* the order's place in the payment: it is added if it has none.  NULL: NOTICE_LIMIT, or no memory */
commerce_payment_order_t *commerce_payment_cover(commerce_arena_t *arena, commerce_payment_t *payment,
    commerce_str_t user, commerce_str_t key);
commerce_payment_order_t *commerce_payment_covers(const commerce_payment_t *payment, commerce_str_t user,
    commerce_str_t key);

/* the sum of its transactions; -1: one names no amount */
commerce_fen_t commerce_payment_brought(const commerce_payment_t *payment);

/*
 * Gives the order its share of the payment's money: its receipt is set.  OK: it has another one than before;
 * ORDER_REPLAY: nothing new; NOTICE_LIMIT; INTERNAL.  To be called for all of a payment's orders, in their order,
 * when there is money or an order more.
 */
commerce_reason_t commerce_payment_give(commerce_arena_t *arena, commerce_payment_t *payment,
    commerce_payment_order_t *place, commerce_order_t *order, commerce_time_t now);

/* a transaction of no payment, for this order alone; as add() */
commerce_reason_t commerce_payment_receive(commerce_arena_t *arena, commerce_order_t *order, commerce_str_t transaction,
    commerce_fen_t amount, commerce_time_t now);

/* such a transaction turns out to be a payment's: its receipt is taken away; amount and time of it */
bool commerce_payment_withdraw(commerce_arena_t *arena, commerce_order_t *order, commerce_str_t transaction,
    commerce_transaction_t *taken);

/*
 * What an order has to bring, freight included: the answer's amount; before that, what the request itself came
 * to; -1: nobody has named one.
 */
commerce_fen_t commerce_payment_due(const commerce_order_t *order);

/* the sum of the receipts; 0: there are none; -1: one names no amount */
commerce_fen_t commerce_payment_received(const commerce_order_t *order);

/* do they cover what is due?  An order that nobody has named an amount for is covered by any */
bool commerce_payment_complete(const commerce_order_t *order);

/* what they bring above the amount that the answer named; 0 if it named none */
commerce_fen_t commerce_payment_excess(const commerce_order_t *order);

#endif
