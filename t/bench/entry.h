/*
 * Copyright (C) ngx_commerce authors
 *
 * The transactions that the gateway makes of an order, for programs that write without one: the order of a
 * bound buyer, without a body, with one coupon that is reserved when it is opened and redeemed when it is
 * accepted; three events.
 */

#ifndef BENCH_ENTRY_H
#define BENCH_ENTRY_H

#include "commerce_claim.h"
#include "commerce_ledger.h"
#include "store/commerce_log.h"

#define ENTRY_CAMPAIGN  1
#define ENTRY_CLAIMED   2
#define ENTRY_USERS     400

typedef struct {
    commerce_heap_t  *heap;             /* made by entry_open(), the caller destroys it */
    commerce_txn_t    open, accept;
} entry_t;

extern unsigned  entry_users;          /* who share the orders, one after the other */

/* of the i-th order */
void entry_names(unsigned i, char user[32], char key[64]);
void entry_order(commerce_order_t *order, commerce_time_t now);     /* all but these names */

/* the campaign whose coupons they are, and one to claim from, unless the store has them */
void entry_seed(commerce_store_t *store);

/* the i-th order, with the coupon of serial i; accept reads what open wrote, which must be applied by then */
void entry_open(commerce_store_t *store, entry_t *entry, unsigned i);
void entry_accept(commerce_store_t *store, entry_t *entry, unsigned i);

/* the claim of the i-th user, who has none: into open */
void entry_claim(commerce_store_t *store, entry_t *entry, unsigned i);

commerce_heap_t *entry_heap(void);
double entry_now(void);
void entry_fail(const char *what) __attribute__((noreturn));

#endif
