/*
 * Copyright (C) ngx_commerce authors
 *
 * An order at the edge: found by key (and later by the backend's id), scoped by shop and user.
 *
 *   pending --accepted--> placed --paid--> paid --freeze date | settle notice--> settled
 *      |  \--unknown----> unknown (in doubt) --accepted | refused | paid | cancelled-->
 *      |   \-refused----> the record is deleted: its key is free again
 *      paid, settled --all refunded--> refunded
 *      any ----cancelled--> cancelled
 *
 * The record snapshots winner, contributors and lineage at creation; nothing later re-evaluates them.
 * Steps say what must become of the order's coupons; commerce_ledger.h carries it out.
 */

#ifndef COMMERCE_ORDER_H
#define COMMERCE_ORDER_H

#include "commerce_attribution.h"
#include "commerce_coupon.h"

#define COMMERCE_LINES_MAX    128
#define COMMERCE_COUPONS_MAX    8
#define COMMERCE_CREDITS_MAX   12       /* a promoter per coupon, another winner, the contributors */
#define COMMERCE_FINGERPRINT   16

typedef enum {
    COMMERCE_ORDER_PENDING,     /* with the backend; in flight until in_flight_until */
    COMMERCE_ORDER_UNKNOWN,     /* in doubt: the backend may have it */
    COMMERCE_ORDER_PLACED,
    COMMERCE_ORDER_PAID,
    COMMERCE_ORDER_CANCELLED,
    COMMERCE_ORDER_FAILED,      /* refused: only in its event, the record is deleted */
    COMMERCE_ORDER_CART,        /* no order yet: a cart with coupons (commerce_cart.h) */
    COMMERCE_ORDER_REFUNDED,    /* whatever its lines brought was given back */
    COMMERCE_ORDER_SETTLED,     /* after-sale time is over */
    COMMERCE_ORDER_STATES
} commerce_order_state_t;

const char *commerce_order_state_name(commerce_order_state_t state);

/* a seller who is credited (some line's winner) or contributed */
typedef struct {
    commerce_source_t  source;
    uint64_t           seller;          /* numbers; 0 = house */
    uint64_t           tier2;
    commerce_str_t     seller_id, tier2_id;
    commerce_str_t     group_id, room_id;
    uint32_t           channel;
    commerce_str_t     channel_id;
    commerce_field_t   field;           /* where the buyer was met and whose traffic it was, if somebody said so: */
    commerce_origin_t  origin;          /* NONE is the source's own (commerce_source_field(), _origin()) */
    commerce_str_t     platform;
    commerce_time_t    touched;         /* first sight of the touch; 0 for bindings and promoters */
    bool               contributor;     /* did not win any line */
    bool               assist;          /* a contributor: the private touch before the public one that won */
} commerce_credit_t;

typedef enum {                          /* what the order did to one of its coupons */
    COMMERCE_USE_RESERVED,
    COMMERCE_USE_REDEEMED,
    COMMERCE_USE_RELEASED,
    COMMERCE_USE_ROLLED_BACK,
    COMMERCE_USE_LOST,                  /* the notice came, but another order had taken it */
    COMMERCE_USES
} commerce_use_t;

const char *commerce_use_name(commerce_use_t use);

typedef struct {
    unsigned        campaign;
    uint32_t        serial;
    commerce_str_t  campaign_id;
    commerce_fen_t  discount;           /* -1 = not known */
    commerce_use_t  use;
    commerce_str_t  code;               /* carts: as the buyer wrote it, for later verdicts; else empty */
} commerce_order_coupon_t;

#define COMMERCE_DOUBT_UNKNOWN   1      /* no certain answer from the backend */
#define COMMERCE_DOUBT_AMOUNT    2      /* AMOUNT_MISMATCH */

typedef enum {
    COMMERCE_POLICY_RELEASE,
    COMMERCE_POLICY_HOLD
} commerce_deadline_policy_t;

typedef enum {                          /* an order that grows from a cart: what of it is with the backend */
    COMMERCE_CART_NONE,                 /* no cart: one request says everything */
    COMMERCE_CART_IDLE,
    COMMERCE_CART_APPLY,
    COMMERCE_CART_REMOVE,
    COMMERCE_CART_COMPLETE,
    COMMERCE_CART_STEPS
} commerce_cart_step_t;

/* what one payment brought to the order */
typedef struct {
    commerce_str_t   payment;           /* the merchant's number; empty: a transaction that names none */
    commerce_str_t   transaction;       /* the platform's number, the latest; may be empty */
    commerce_fen_t   amount;            /* for this order; -1 = not named */
    commerce_time_t  time;
} commerce_receipt_t;

/* what a line brought, and what was given back of it by refunds that name it */
typedef struct {
    commerce_fen_t  paid;               /* -1 = not known */
    commerce_fen_t  named;
    commerce_fen_t  grouped;            /* by refunds that name an SKU of several lines; at their first one */
    int64_t         quantity;           /* pieces, of both */
} commerce_sale_t;

/* what commissions of the order follow from, as it was when the order was made */
typedef struct {
    uint32_t          plan;             /* the plan's version; 0 = there was none */
    unsigned          cap;              /* basis points that tiers 1 and 2 get together at most */
    bool              cap_all;          /* ... and everybody else */
    commerce_rates_t  rates;            /* of an order without lines */
    commerce_str_t    platform;         /* pays a commission of its own; empty = none does */
    bool              double_pay;       /* ... and so does the shop */
} commerce_terms_t;

typedef struct {
    commerce_str_t           user;      /* scope of the key: the verified user; empty = unverified */
    commerce_str_t           key;
    uint8_t                  fingerprint[COMMERCE_FINGERPRINT];
    commerce_order_state_t   state;
    unsigned                 doubt;     /* COMMERCE_DOUBT_*; not 0 = in doubt */
    bool                     redeem_on_paid;
    bool                     paid;      /* a pay notice came, be it after the order was cancelled */
    commerce_deadline_policy_t  unpaid, in_doubt;   /* what the deadline does */
    commerce_time_t          created;
    commerce_time_t          in_flight_until;
    commerce_time_t          deadline;  /* of the reservations; COMMERCE_FOREVER if it has no coupons */
    commerce_time_t          due;       /* when the sweep looks at it next; COMMERCE_FOREVER = never */
    commerce_str_t           id;        /* the backend's; empty until the answer */
    commerce_fen_t           claimed;   /* sum of the lines, -1 = not named */
    commerce_fen_t           discount;  /* sum of coupons, -1 = not known */
    commerce_fen_t           payable;   /* the backend's, -1 = not named */
    commerce_str_t           pseudonym; /* of the buyer, as in the log */
    uint64_t                 policy;    /* hash of the configuration that decided */
    commerce_reason_t        reason;    /* of the attribution: ATTR_OK, ATTR_DIRECT, SELF_PURCHASE, ... */
    unsigned                 conduct;   /* flags of its request (commerce_conduct.h) */
    unsigned                 conduct_denied;    /* ... that the shop denies: on hold, somebody has to look at it */
    commerce_line_t         *lines;
    unsigned                 line_count;
    commerce_credit_t        credits[COMMERCE_CREDITS_MAX];
    unsigned                 credit_count;
    commerce_order_coupon_t  coupons[COMMERCE_COUPONS_MAX];
    unsigned                 coupon_count;
    commerce_cart_step_t     cart;
    bool                     shop_key;  /* scope=shop: the key is the shop's, the first user's order has it */
    unsigned                 fresh;     /* carts, sets of 1 << coupon: applied, never confirmed by the backend */
    unsigned                 open;      /* ... whose last request has no certain answer (fresh ones are) */

    /* payment and what follows; zero = nothing of it */
    commerce_str_t           payment;   /* the payment's number that the answer named */
    commerce_fen_t           freight;   /* beside payable */
    commerce_time_t          freeze_after;  /* seconds from payment to the freeze date; 0 = none */
    commerce_time_t          freeze;    /* the freeze date; 0 = none, or not paid yet */
    commerce_time_t          settled;   /* when after-sale time ended; 0 = it has not */
    commerce_receipt_t      *receipts;
    unsigned                 receipt_count;
    commerce_sale_t         *sale;      /* for each line, kept from the first refund on; NULL before */
    unsigned                 refund_count;
    bool                     refund_whole;      /* one was of all that is left */
    commerce_fen_t           refund_lineless;   /* what refunds gave back that name no lines ... */
    commerce_fen_t           refund_rest;       /* ... and of freight, where they say so */

    commerce_terms_t         terms;
    unsigned                 revision;      /* of its winners (commerce_revision.h); 0 = as it was made */
} commerce_order_t;

/* whose the order is: the first line's credit, without lines the first that won; NULL = house */
const commerce_credit_t *commerce_order_winner(const commerce_order_t *order);

/* what an order request meets under its key */
typedef enum {
    COMMERCE_ARRIVAL_NEW,
    COMMERCE_ARRIVAL_RETRY,             /* same fingerprint, outcome open: goes in flight again */
    COMMERCE_ARRIVAL_REPLAY,            /* same fingerprint, outcome known: forwarded, nothing written */
    COMMERCE_ARRIVAL_REFUSED
} commerce_arrival_t;

/* existing may be NULL.  *reason: OK, ORDER_REPLAY, ORDER_KEY_REUSED (also of a cart), ORDER_IN_FLIGHT */
commerce_arrival_t commerce_order_arrive(const commerce_order_t *existing,
    const uint8_t fingerprint[COMMERCE_FINGERPRINT], commerce_time_t now, commerce_reason_t *reason);

typedef enum {
    COMMERCE_STEP_ACCEPTED,             /* the backend answered success */
    COMMERCE_STEP_REFUSED,              /* the backend definitely does not have the order */
    COMMERCE_STEP_UNKNOWN,              /* nobody can tell */
    COMMERCE_STEP_PAID,                 /* confirm call or pay notice */
    COMMERCE_STEP_CANCELLED,
    COMMERCE_STEP_DUE,                  /* the sweep: in-flight time, deadline or freeze date is over */
    COMMERCE_STEP_APPROVED,             /* an operator: the order stands as the backend has it */
    COMMERCE_STEP_PARTLY_PAID,          /* a pay notice that does not cover the order */
    COMMERCE_STEP_REFUNDED,             /* refunds gave back all that the lines brought */
    COMMERCE_STEP_SETTLED,              /* settle notice */
    COMMERCE_STEPS
} commerce_step_t;

const char *commerce_step_name(commerce_step_t step);

typedef enum {                          /* what becomes of the coupons */
    COMMERCE_COUPONS_KEEP,
    COMMERCE_COUPONS_REDEEM,
    COMMERCE_COUPONS_RELEASE,           /* reserved ones; redeemed ones are rolled back */
} commerce_coupons_effect_t;

typedef struct {
    commerce_coupons_effect_t  coupons;
    bool                       changed;     /* the record must be written, an order event logged */
    bool                       removed;     /* the record must be deleted (key free again) */
    commerce_reason_t          reason;      /* OK, ORDER_REPLAY (nothing to do), ORDER_CLOSED (cancelled before),
                                               AMOUNT_MISMATCH, COUPON_UNKNOWN_RESULT, ORDER_DEADLINE,
                                               PAYMENT_PARTIAL, PAYMENT_EXCESS, ORDER_NOT_PAID */
} commerce_effect_t;

typedef struct {
    commerce_str_t  id;                 /* ACCEPTED: the backend's id; may be empty */
    commerce_fen_t  payable;            /* ACCEPTED: -1 = not named */
    bool            disputed;           /* ACCEPTED: the backend honoured what the rules do not allow */
    commerce_fen_t  freight;            /* beside payable */
    commerce_str_t  payment;            /* the payment's number; may be empty */
    bool            judged;             /* ACCEPTED: the coupons' discounts are known only now */
} commerce_answer_t;

/*
 * Moves the order by one step; answer only for ACCEPTED.  Repeating a step changes nothing (ORDER_REPLAY).
 *   a failure answer (REFUSED) after placed, paid or cancelled never releases anything; one to a cart's
 *   completion makes it a cart again, with its coupons
 *   ACCEPTED and disputed: as with an amount that differs
 *   ACCEPTED with a payable that differs from claimed - discount: placed, coupons kept, DOUBT_AMOUNT (only
 *   while coupons are not settled: without any the order is flagged AMOUNT_MISMATCH and nothing is in doubt)
 *   ACCEPTED on placed or paid: supplies an id or payable that is still missing; a payable that now agrees
 *   resolves DOUBT_AMOUNT; on cancelled: ORDER_CLOSED, an id that is missing is taken over
 *   PAID on unknown or pending: resolves DOUBT_UNKNOWN, never DOUBT_AMOUNT; on cancelled: ORDER_CLOSED, flagged
 *   PAID with receipts above what is due: PAYMENT_EXCESS; sets the freeze date
 *   PARTLY_PAID on unknown or pending: placed, the doubt is resolved; the deadline releases nothing any more
 *   REFUNDED: refunded, coupons released; on cancelled: nothing (ORDER_REPLAY).  The caller has seen that it is full
 *   SETTLED on paid: settled; before: ORDER_NOT_PAID; on cancelled: ORDER_CLOSED
 *   CANCELLED resolves every doubt
 *   the end of a doubt after the deadline: the deadline is as far away again as it was at first
 *   APPROVED resolves every doubt: placed (or paid, or a cart) with the coupons it has; on cancelled: ORDER_CLOSED
 *   DUE: pending past in-flight -> unknown; placed and unpaid past deadline -> by `unpaid`; in doubt past
 *   deadline -> by `in_doubt` (hold: stays listed, never due again; release: the coupons are free, state and
 *   doubt stay, so that the order is still listed); paid past the freeze date -> settled.  A paid order's coupons are never released by the clock.
 */
commerce_effect_t commerce_order_step(commerce_order_t *order, commerce_step_t step,
    const commerce_answer_t *answer, commerce_time_t now);

/* when the sweep has to look at the order as it stands; step() sets it by itself */
commerce_time_t commerce_order_due_again(const commerce_order_t *order);

#endif
