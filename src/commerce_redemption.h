/*
 * Copyright (C) ngx_commerce authors
 *
 * Redemption in a shop: a member of staff scans a holder's coupon and it is spent, without an order.
 *
 * The request's number names the redemption, in the whole shop and for as long as it is kept (commerce_collect.h):
 * repeated, it is answered as the first time and spends nothing; for another coupon it is refused.  Within a window the redemption can be
 * taken back under the same number; the next one of that coupon needs a number of its own.
 */

#ifndef COMMERCE_REDEMPTION_H
#define COMMERCE_REDEMPTION_H

#include "commerce_ledger.h"

/*
 * May this person redeem, and for which store?  told: the store of the request, as a trusted hop says; empty =
 * it says nothing.  OK, *store is told, or else the person's own (may be empty); COUPON_VERIFIER_NOT_ALLOWED (no
 * person, not active, or not on the payroll); COUPON_VERIFIER_STORE_MISMATCH (the person belongs to another store).
 */
commerce_reason_t commerce_verifier_judge(const commerce_person_t *person, commerce_str_t told, commerce_str_t *store);

typedef struct {
    commerce_str_t            number;
    const commerce_person_t  *verifier;     /* judged */
    commerce_str_t            store;        /* empty = none in particular */
    commerce_str_t            sku;          /* what it is used for; empty = not told */
    commerce_fen_t            amount;       /* of that; -1 = not told */
    commerce_str_t            pseudonym;    /* of the coupon's holder */
    commerce_str_t            seller;       /* id of who is credited: the campaign's promoter, or the holder's seller */
    bool                      dynamic;      /* the coupon was shown as a QR token ... */
    bool                      stale;        /* ... that was genuine, but its time is over: only a retry is answered */
} commerce_redemption_request_t;

/*
 * Redeems use->coupon (as read, with its campaign and version); use->discount is set.  Coupon, redemption,
 * counters and an event coupon_redeem.
 * OK; COUPON_IDEMPOTENT_REPLAY: done before under this number, nothing is written; *redemption either way.
 * COUPON_KEY_MISMATCH, COUPON_ALREADY_ROLLED_BACK (by number); COUPON_QR_EXPIRED, COUPON_QR_REQUIRED; the
 * reasons of commerce_coupon_check(), with COUPON_HOLDER_MISMATCH also for a coupon of nobody's where users have a
 * limit; COUPON_ALREADY_REDEEMED, COUPON_HELD_BY_OTHER_ORDER, COUPON_VOID, COUPON_BUDGET_EXHAUSTED;
 * ORDER_KEY_MALFORMED; INTERNAL.  Limits also as the failed_tag of the transaction.
 */
commerce_reason_t commerce_ledger_redeem_shop(commerce_ledger_t *ledger, commerce_use_request_t *use,
    const commerce_redemption_request_t *request, commerce_redemption_t *redemption);

/*
 * Takes a redemption back, as read with its version and its coupon: exactly that coupon, which lives on as long as
 * it would have.  window: seconds from the redemption.  Of request: verifier, store, pseudonym, seller.
 * OK; COUPON_IDEMPOTENT_REPLAY: it was taken back before, nothing is written.
 * COUPON_VERIFIER_STORE_MISMATCH (it was in another store), COUPON_ROLLBACK_WINDOW, COUPON_ROLLBACK_CYCLES,
 * COUPON_VOID (it was withdrawn meanwhile); INTERNAL,
 * also if the coupon is not redeemed by it.
 */
commerce_reason_t commerce_ledger_rollback_shop(commerce_ledger_t *ledger, const commerce_use_request_t *use,
    const commerce_redemption_request_t *request, int64_t window, commerce_redemption_t *redemption,
    uint64_t version);

#endif
