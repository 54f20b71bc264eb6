/*
 * Copyright (C) ngx_commerce authors
 *
 * Carts: coupons are applied and removed by earlier requests, under the cart's id; the order request
 * (completing) has no body, and lines, coupons and amounts stand in its answer.
 *
 * The order's record begins as a cart (state COMMERCE_ORDER_CART) with the first coupon that is applied:
 *
 *   apply     reserves the named coupons before the backend sees the request; its answer confirms them
 *   remove    releases exactly the named coupons once the answer says that they are gone
 *   complete  the order: from here on the record is one like any other (commerce_order.h)
 *
 * One request of a cart is with the backend at a time (order->cart says which).  A request without a certain
 * answer leaves its coupons reserved and `open`, the cart in doubt; the next certain answer about the same
 * coupons resolves them, whatever the first request did (the backend applies and removes idempotently).
 * Sets of coupons are of 1 << (index in order->coupons).
 */

#ifndef COMMERCE_CART_H
#define COMMERCE_CART_H

#include "commerce_order.h"

/* a coupon as a request or an answer names it */
typedef struct {
    commerce_str_t  code;       /* as it is written there */
    unsigned        campaign;   /* 0: no coupon of this shop */
    uint32_t        serial;
    commerce_fen_t  amount;     /* answers: what the backend took off for it; -1 = not named */
} commerce_cart_coupon_t;

/* what an answer says about the cart, or about the order that it became */
typedef struct {
    bool                     told;          /* it lists the coupons: who is not listed is not in it */
    commerce_cart_coupon_t  *coupons;
    unsigned                 coupon_count;
    commerce_line_t         *lines;         /* complete: credit is set by commerce_cart_lines() */
    unsigned                 line_count;
    commerce_str_t          *categories;    /* of the lines; NULL: not configured */
} commerce_cart_answer_t;

/* equal but for case, "-" and spaces, as codes are typed */
bool commerce_cart_same_code(commerce_str_t a, commerce_str_t b);

/* which of the order's coupons is it?  Its index; -1 = none */
int commerce_cart_find(const commerce_order_t *order, const commerce_cart_coupon_t *coupon);

/* the set of the order's coupons among these */
unsigned commerce_cart_set(const commerce_order_t *order, const commerce_cart_coupon_t *coupons, unsigned count);

/*
 * What a request meets under the cart's key; existing may be NULL.  NEW: the step may go to the backend;
 * RETRY, REPLAY: of a completion, as commerce_order_arrive() says.
 * *reason: OK, ORDER_IN_FLIGHT, ORDER_REPLAY, ORDER_KEY_REUSED (apply or remove: it is an order already; or it
 * never was a cart).
 */
commerce_arrival_t commerce_cart_arrive(const commerce_order_t *existing, commerce_cart_step_t step,
    commerce_time_t now, commerce_reason_t *reason);

typedef struct {
    unsigned           release;     /* these coupons leave the cart */
    bool               changed;     /* the record must be written */
    commerce_reason_t  reason;      /* OK, COUPON_UPSTREAM_REJECTED, COUPON_UNKNOWN_RESULT, ORDER_REPLAY */
} commerce_cart_effect_t;

/*
 * The answer to applying or removing `named` coupons: ACCEPTED, REFUSED or UNKNOWN; listed: those that the
 * answer lists (told).
 *   ACCEPTED apply    listed (or, without a list, all named) are confirmed, the rest is released
 *   ACCEPTED remove   named ones are released unless they are listed still
 *   REFUSED  apply    named ones that were never confirmed are released
 *   REFUSED  remove   nothing
 *   UNKNOWN           everything stays, in doubt
 */
commerce_cart_effect_t commerce_cart_settle(commerce_order_t *order, commerce_cart_step_t request,
    commerce_step_t outcome, unsigned named, bool told, unsigned listed);

/* takes these coupons out of the order, and their bits out of its sets */
void commerce_cart_drop(commerce_order_t *order, unsigned set);

/*
 * The answer's lines become the order's, each credited to its winner: touches, bindings and promoters were
 * judged when it was completed, for all lines alike.  An answer without lines leaves those that are known.
 */
void commerce_cart_lines(commerce_order_t *order, const commerce_cart_answer_t *answer);

#endif
