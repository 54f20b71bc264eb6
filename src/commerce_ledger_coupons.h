/*
 * Copyright (C) ngx_commerce authors
 *
 * What the ledger does to an order's coupons; for the ledger's own files only.
 *
 * A step may be followed by a parked notice in the same transaction, while the view still shows
 * what was before: coupons are changed in the work and written once, at the end.
 */

#ifndef COMMERCE_LEDGER_COUPONS_H
#define COMMERCE_LEDGER_COUPONS_H

#include "commerce_count.h"
#include "commerce_ledger.h"

/* one call's work; index: of the order's coupons */
typedef struct commerce_ledger_work_s  commerce_ledger_work_t;

struct commerce_ledger_work_s {
    commerce_ledger_t  *ledger;
    commerce_order_t   *order;
    commerce_coupon_t   coupons[COMMERCE_COUPONS_MAX];
    uint64_t            versions[COMMERCE_COUPONS_MAX];
    bool                loaded[COMMERCE_COUPONS_MAX];
    bool                dirty[COMMERCE_COUPONS_MAX];    /* store() writes it */
    unsigned            doubt;                          /* the order's before this step */
    commerce_str_t      by;                             /* who says so: for the event when the doubt ends */
    bool                lost;                           /* a use was lost */
    bool                failed;                         /* INTERNAL: nothing may be applied */

    /* of a unit (commerce_ledger_unit.h) */
    commerce_order_t        *before;    /* as it was read */
    uint64_t                 version;
    bool                     changed;   /* the record is written */
    bool                     removed;   /* ... or deleted */
    commerce_reason_t        reason;    /* what became of it */
    commerce_ledger_work_t  *next;
    commerce_ledger_work_t **all;       /* the orders of the same transaction; NULL: it has no others */
};

/* carries out what a step decided, with counters and events; reason: of releases */
void commerce_ledger_coupons(commerce_ledger_work_t *work, commerce_coupons_effect_t effect,
    commerce_reason_t reason);

/* one of them: released, or rolled back if it was redeemed */
void commerce_ledger_give_back(commerce_ledger_work_t *work, unsigned i, commerce_reason_t reason);

/*
 * Reserves a coupon that was loaded and is free, beyond all limits: the order was promised it, or has it already.
 * OK, BUDGET_EXCEEDED_BY_NOTICE, COUPON_EXPIRED: what to tell of it.  COUPON_RESERVATION_LOST: it was not reserved, its
 * campaign is closed.
 */
commerce_reason_t commerce_ledger_take_again(commerce_ledger_work_t *work, unsigned i);

/* the coupon's record in the work; NULL: unreadable */
commerce_coupon_t *commerce_ledger_load(commerce_ledger_work_t *work, unsigned i);

/* appends the changed coupons to the transaction */
void commerce_ledger_store(commerce_ledger_work_t *work);

/*
 * A use begins with this coupon's reservation: remembers what it counts against (commerce_count_begin), which is
 * the order's winner and this discount (-1 = not known).  Nothing is written.
 * OK, COUPON_BUDGET_EXHAUSTED.
 */
commerce_reason_t commerce_ledger_begin(const commerce_order_t *order, commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign, commerce_fen_t discount, commerce_time_t now);

/* counts the use that has begun, within the campaign's limits as the transaction is applied */
void commerce_ledger_count(commerce_ledger_t *ledger, const commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign);

/* the use has ended: gives back what it was counted against; coupon: as it was while reserved or redeemed */
void commerce_ledger_count_back(commerce_ledger_t *ledger, const commerce_coupon_t *coupon);

/* the discount of a coupon that the order has is known by now: budgets that counted the most it could be count this */
void commerce_ledger_recount(commerce_ledger_work_t *work, unsigned i, commerce_fen_t discount);

void commerce_ledger_coupon_event(commerce_ledger_work_t *work, unsigned i, const char *type,
    commerce_coupon_state_t from, commerce_coupon_state_t to, commerce_reason_t reason);

/* could every later step of this order be written?  OK, ORDER_KEY_MALFORMED, ORDER_MALFORMED */
commerce_reason_t commerce_ledger_sound(const commerce_order_t *order);

/* the counter of orders in doubt follows */
void commerce_ledger_doubt(commerce_ledger_t *ledger, const commerce_order_t *before,
    const commerce_order_t *order);

/* an event about the whole order, "order" or "paid" */
void commerce_ledger_order_event(commerce_ledger_work_t *work, const char *type, commerce_reason_t reason);

/* the reason, or INTERNAL: nobody may apply what is not whole */
commerce_reason_t commerce_ledger_result(commerce_ledger_work_t *work, commerce_reason_t reason);

/* finishes the body and adds it */
void commerce_ledger_add_event(commerce_ledger_work_t *work, commerce_write_t *w);

#endif
