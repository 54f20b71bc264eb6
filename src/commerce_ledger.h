/*
 * Copyright (C) ngx_commerce authors
 *
 * The ledger turns decisions into one transaction: records, counters, indexes and the events that tell of
 * them, all or nothing.  Every change of money state in the project goes through these functions: order
 * requests, outcomes, confirm and cancel calls, the deadline sweep, the tool.
 *
 * They read through the reader and append to the transaction; nothing is applied here.  On a conflict the
 * caller starts again with a fresh view and an empty transaction.
 */

#ifndef COMMERCE_LEDGER_H
#define COMMERCE_LEDGER_H

#include "commerce_cart.h"
#include "commerce_event.h"
#include "commerce_record.h"

typedef struct {
    commerce_reader_t        *reader;
    commerce_txn_t           *txn;
    commerce_event_source_t  *events;
    commerce_time_t           now;
    int64_t                   now_us;       /* for events */
} commerce_ledger_t;

/* a coupon that an order request wants, judged by the rules */
typedef struct {
    commerce_campaign_t  campaign;
    commerce_coupon_t    coupon;            /* as read */
    uint64_t             version;
    commerce_fen_t       discount;          /* -1 = not known */
} commerce_use_request_t;

/*
 * Opens a new order (state pending) with its coupons reserved: order, coupons, limits, indexes, an event
 * coupon_reserve for each.  The order's coupons[] are set from uses.
 * Sets state, created, due, coupons and discount of the order, and its deadline if it has no coupons.
 * OK; COUPON_HELD_BY_OTHER_ORDER, COUPON_ALREADY_REDEEMED, COUPON_VOID, COUPON_DUPLICATE (one coupon twice);
 * ORDER_KEY_MALFORMED (key or user is no id), ORDER_MALFORMED (more than COMMERCE_LINES_MAX lines, a SKU that
 * is no id): what no later step could store or tell; the transaction is empty then.  INTERNAL: it must not be
 * applied.  *refused (may be NULL):
 * the index of the coupon.  Limits and budgets are checked when the transaction is applied: failed_tag is the
 * reason of the one that failed (commerce_count.h); COUPON_BUDGET_EXHAUSTED is returned where nobody can tell
 * what the use costs.
 */
commerce_reason_t commerce_ledger_open(commerce_ledger_t *ledger, commerce_order_t *order,
    const commerce_use_request_t *uses, unsigned count, unsigned *refused);

/*
 * Carts (commerce_cart.h).  order: with version 0 a new one, key, user, deadline and in_flight_until set;
 * else as it was read, with in_flight_until of this request.  All of them write the order, changed in place.
 *
 * apply: reserves the coupons (codes: as the buyer wrote them, one for each use) that the cart does not have
 * yet, all or nothing; reasons as open()'s, and COUPON_STACK_LIMIT beyond COMMERCE_COUPONS_MAX.
 * remove: the named ones (a set) stay reserved until settle().
 * settle: what the backend said to one of both; named: the coupons of that request.  A cart without coupons
 * is forgotten.  Returns commerce_cart_settle()'s reason, or INTERNAL.
 * Completing is commerce_ledger_reopen(), after the attribution was put into the order; or, when nothing was
 * applied, commerce_ledger_open().
 * complete: the backend made the order.  The answer's lines become the order's; coupons that it does not list
 * are released, the others' discounts computed on those lines and compared with the answer's; then as step()
 * with ACCEPTED.  Anything that differs, or that the rules do not allow, is AMOUNT_MISMATCH.
 */
commerce_reason_t commerce_ledger_cart_apply(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_use_request_t *uses, const commerce_str_t *codes, unsigned count, unsigned *refused);
commerce_reason_t commerce_ledger_cart_remove(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    unsigned named, commerce_time_t in_flight_until);
commerce_reason_t commerce_ledger_cart_settle(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_cart_step_t request, commerce_step_t outcome, const commerce_cart_coupon_t *named, unsigned count,
    const commerce_cart_answer_t *answer, commerce_str_t by);
commerce_reason_t commerce_ledger_cart_complete(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_answer_t *answer, const commerce_cart_answer_t *cart, commerce_str_t by);

/*
 * A retry whose outcome is open goes in flight again.  Its verdict will name the order's coupons again, so
 * that those which the deadline released are reserved anew, by the ordinary rules: enabled, in time, limits
 * (as in open).  The deadline is as far away as it was at first.
 * OK; COUPON_HELD_BY_OTHER_ORDER, COUPON_ALREADY_REDEEMED, COUPON_VOID, what commerce_coupon_open() says,
 * COUPON_DAY_NOT_ELIGIBLE, COUPON_BUDGET_EXHAUSTED, ORDER_REPLAY (its outcome is known), INTERNAL.
 */
commerce_reason_t commerce_ledger_reopen(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_time_t in_flight_until);

/*
 * One step of an order that was read with `version`.  Coupons are redeemed, released or rolled back with
 * their events (coupon_redeem, coupon_release, coupon_rollback), limits and the in-doubt counter follow, an
 * order event tells the new state (type "paid" for PAID, "order" otherwise).  ACCEPTED with an id or a payment
 * that notices wait for applies these too, in the same transaction.  PAID takes released coupons again if they are free (flag
 * BUDGET_EXCEEDED_BY_NOTICE when over a limit, COUPON_EXPIRED after the campaign's end), else the use is lost:
 * COUPON_RESERVATION_LOST.
 * An id that another order of the shop has already is not taken over: the order stands without one, its
 * event says ORDER_REPLAY.
 * order is changed in place.  Returns the step's reason (commerce_order.h), COUPON_RESERVATION_LOST or
 * INTERNAL; an empty transaction means that there is nothing to do.
 */
commerce_reason_t commerce_ledger_step(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_step_t step, const commerce_answer_t *answer);

/*
 * The same, of somebody who found out: by ("query", "tool", "reconcile") stands in the event that tells of
 * the end of a doubt as "resolved"; otherwise it is "answer", "notice" or "deadline", after the step.
 */
commerce_reason_t commerce_ledger_resolve(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_step_t step, const commerce_answer_t *answer, commerce_str_t by);

/* what a notice did to each order that it is about */
typedef struct {
    commerce_order_t   *order;          /* as it is now */
    commerce_reason_t   reason;
} commerce_told_t;

/*
 * A notice, by whatever it names (commerce_notice.h).  time is set to now.
 *   PAID       money is noted once; each order that it covers is paid or partly paid; without amount: paid
 *   CANCELLED, SETTLED  each order that it names makes the step
 *   REFUNDED   the order's sums; when all is given back, the order is refunded and its coupons are rolled back
 * What it tells of may not be there yet (no order of that id, a payment or transaction nobody told of, an order
 * that is not paid): then it is parked, and joined when it is.
 * OK, or what a step says (commerce_order.h), the first of several orders'; ORDER_REPLAY (nothing to do);
 * ORDER_UNKNOWN, ORDER_NOT_PAID (parked); PAYMENT_PARTIAL, PAYMENT_EXCESS, REFUND_AFTER_SETTLE;
 * COUPON_RESERVATION_LOST.  Refusals, with an empty transaction: ORDER_NOT_FOUND (no such key), ORDER_AMBIGUOUS (a
 * refund of a payment that covers several orders), ORDER_MALFORMED, TRANSACTION_REUSED, REFUND_KEY_REUSED,
 * REFUND_EXCEEDS_ORDER, NOTICE_LIMIT, ORDER_KEY_MALFORMED (it names nothing to go by, or no id); INTERNAL.
 * told, count: the orders; in the transaction's arena.
 */
commerce_reason_t commerce_ledger_notice(commerce_ledger_t *ledger, commerce_notice_t *notice,
    commerce_told_t **told, unsigned *count);

/*
 * A revision (commerce_revision.h) of an order that was read with `version`; order is changed in place.  OK never;
 * ATTR_LATE_REVISION, ATTR_ASSIST_ONLY; ATTR_AFTER_FREEZE (told of in the log, nothing else); with an empty transaction
 * ORDER_REPLAY, SELF_PURCHASE, NOTICE_LIMIT, ORDER_CLOSED; INTERNAL.
 */
commerce_reason_t commerce_ledger_revise(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_source_t *classes, const commerce_credit_t *credit, uint64_t buyer);

/*
 * A split that is on its way to a platform (commerce_split.h), of an order as it was read with this version.  OK and
 * SPLIT_REPLAY: it is written down that it goes on, with an event split_check; it must not go on before the transaction
 * was applied.  Else commerce_split_judge()'s reason, INTERNAL, and nothing was appended.
 */
commerce_reason_t commerce_ledger_split(commerce_ledger_t *ledger, const commerce_order_t *order, uint64_t version,
    commerce_split_t *split, const uint8_t content[COMMERCE_FINGERPRINT], bool pay_frozen,
    commerce_person_get_t get, void *data);

/*
 * A split was not carried out: it does not count any more; event split_release.  by: who says so (answer, tool).
 * tries: only if there were so many; 0: whatever there were.  OK, ORDER_NOT_FOUND (no such split), STORE_UNAVAILABLE.
 */
commerce_reason_t commerce_ledger_split_release(commerce_ledger_t *ledger, commerce_str_t user, commerce_str_t key,
    commerce_str_t number, unsigned tries, commerce_str_t by);

#endif
