/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_coupons.h"
#include "commerce_redemption.h"
#include "commerce_rules.h"


#define COMMERCE_REDEMPTION_EVENT   1024    /* bytes of the event but its texts */
#define COMMERCE_REDEMPTION_ESCAPE  6       /* what one byte of a text can become */


static commerce_reason_t commerce_redemption_again(commerce_ledger_t *ledger,
    const commerce_coupon_t *coupon, commerce_str_t number, commerce_redemption_t *redemption);
static commerce_reason_t commerce_redemption_rules(commerce_ledger_t *ledger,
    commerce_use_request_t *use, const commerce_redemption_request_t *request);
static commerce_reason_t commerce_redemption_free(const commerce_coupon_t *coupon);
static void commerce_redemption_event(commerce_ledger_t *ledger, bool redeemed,
    const commerce_use_request_t *use, const commerce_redemption_request_t *request,
    const commerce_redemption_t *redemption);


commerce_reason_t
commerce_verifier_judge(const commerce_person_t *person, commerce_str_t told,
    commerce_str_t *store)
{
    *store = told;

    if (person == NULL || person->status != COMMERCE_PERSON_ACTIVE
        || !commerce_role_salaried(person->role))
    {
        return COMMERCE_R(COUPON_VERIFIER_NOT_ALLOWED);
    }

    if (told.len == 0) {
        *store = person->store;
        return COMMERCE_R(OK);
    }

    return person->store.len == 0 || commerce_equal(person->store, told)
           ? COMMERCE_R(OK) : COMMERCE_R(COUPON_VERIFIER_STORE_MISMATCH);
}


commerce_reason_t
commerce_ledger_redeem_shop(commerce_ledger_t *ledger, commerce_use_request_t *use,
    const commerce_redemption_request_t *request, commerce_redemption_t *redemption)
{
    commerce_coupon_t     *coupon = &use->coupon;
    commerce_reason_t      reason;
    commerce_count_for_t   what;

    if (!commerce_id_valid(request->number)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    reason = commerce_redemption_again(ledger, coupon, request->number, redemption);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_redemption_rules(ledger, use, request);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    coupon->state = COMMERCE_COUPON_REDEEMED;
    coupon->request = request->number;
    coupon->used_by = coupon->holder;
    coupon->changed = ledger->now;

    what = (commerce_count_for_t) { commerce_string(""), request->seller, use->discount };

    reason = commerce_count_begin(coupon, &use->campaign, &what, ledger->now);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    *redemption = (commerce_redemption_t) {
        .request = request->number, .campaign = coupon->campaign, .serial = coupon->serial,
        .verifier = request->verifier->id, .store = request->store, .amount = request->amount,
        .discount = use->discount, .time = ledger->now
    };

    commerce_ledger_count(ledger, coupon, &use->campaign);
    commerce_coupon_write(ledger->txn, ledger->reader->shop, coupon, use->version);
    commerce_redemption_write(ledger->txn, ledger->reader->shop, redemption, 0);
    commerce_redemption_event(ledger, true, use, request, redemption);

    return ledger->txn->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


/* what was redeemed under this number: a retry must not depend on rules or time */

static commerce_reason_t
commerce_redemption_again(commerce_ledger_t *ledger, const commerce_coupon_t *coupon,
    commerce_str_t number, commerce_redemption_t *redemption)
{
    int  rc;

    rc = commerce_redemption_read(ledger->reader, number, redemption, NULL);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(OK);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (redemption->campaign != coupon->campaign || redemption->serial != coupon->serial) {
        return COMMERCE_R(COUPON_KEY_MISMATCH);
    }

    return redemption->rolled_back != 0 ? COMMERCE_R(COUPON_ALREADY_ROLLED_BACK)
                                        : COMMERCE_R(COUPON_IDEMPOTENT_REPLAY);
}


static commerce_reason_t
commerce_redemption_rules(commerce_ledger_t *ledger, commerce_use_request_t *use,
    const commerce_redemption_request_t *request)
{
    uint8_t             admits;
    commerce_line_t     line = { request->sku, 1, request->amount, 0, -1, { 0, 0 } };
    commerce_facts_t    facts = {
        .user = use->coupon.holder, .now = ledger->now, .store = request->store,
        .seller = request->seller
    };
    commerce_coupon_t  *coupon = &use->coupon;
    commerce_reason_t   reason;

    if (request->stale) {
        return COMMERCE_R(COUPON_QR_EXPIRED);
    }

    reason = commerce_redemption_free(coupon);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_coupon_check(&use->campaign, coupon, &facts, &line,
                                       request->sku.len != 0 || request->amount >= 0, &admits,
                                       &use->discount);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    /* whose use would it be? */

    if (coupon->holder.len == 0
        && (use->campaign.limits[COMMERCE_COUNT_USER] != 0
            || use->campaign.limits[COMMERCE_COUNT_USER_DAY] != 0))
    {
        return COMMERCE_R(COUPON_HOLDER_MISMATCH);
    }

    return use->campaign.qr_required && !request->dynamic ? COMMERCE_R(COUPON_QR_REQUIRED)
                                                          : COMMERCE_R(OK);
}


static commerce_reason_t
commerce_redemption_free(const commerce_coupon_t *coupon)
{
    switch (coupon->state) {

    case COMMERCE_COUPON_ISSUED:
        return COMMERCE_R(OK);

    case COMMERCE_COUPON_RESERVED:
        return COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER);

    case COMMERCE_COUPON_REDEEMED:
        return COMMERCE_R(COUPON_ALREADY_REDEEMED);

    default:
        return COMMERCE_R(COUPON_VOID);
    }
}


commerce_reason_t
commerce_ledger_rollback_shop(commerce_ledger_t *ledger, const commerce_use_request_t *use,
    const commerce_redemption_request_t *request, int64_t window,
    commerce_redemption_t *redemption, uint64_t version)
{
    commerce_coupon_t  coupon = use->coupon;

    if (request->store.len != 0 && redemption->store.len != 0
        && !commerce_equal(request->store, redemption->store))
    {
        return COMMERCE_R(COUPON_VERIFIER_STORE_MISMATCH);
    }

    if (redemption->rolled_back != 0) {
        return COMMERCE_R(COUPON_IDEMPOTENT_REPLAY);
    }

    if (coupon.state == COMMERCE_COUPON_STATE_VOID) {
        return COMMERCE_R(COUPON_VOID);
    }

    if (coupon.state != COMMERCE_COUPON_REDEEMED
        || !commerce_equal(coupon.request, redemption->request))
    {
        return COMMERCE_R(INTERNAL);
    }

    if (ledger->now - redemption->time >= window) {
        return COMMERCE_R(COUPON_ROLLBACK_WINDOW);
    }

    if (coupon.cycles >= COMMERCE_COUPON_CYCLES) {
        return COMMERCE_R(COUPON_ROLLBACK_CYCLES);
    }

    commerce_ledger_count_back(ledger, &coupon);

    coupon.state = COMMERCE_COUPON_ISSUED;
    coupon.request = commerce_string("");
    coupon.used_by = commerce_string("");
    coupon.changed = ledger->now;
    coupon.cycles++;
    memset(&coupon.counted, 0, sizeof(commerce_counted_t));

    redemption->rolled_back = ledger->now;

    commerce_coupon_write(ledger->txn, ledger->reader->shop, &coupon, use->version);
    commerce_redemption_write(ledger->txn, ledger->reader->shop, redemption, version);
    commerce_redemption_event(ledger, false, use, request, redemption);

    return ledger->txn->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


static void
commerce_redemption_event(commerce_ledger_t *ledger, bool redeemed,
    const commerce_use_request_t *use, const commerce_redemption_request_t *request,
    const commerce_redemption_t *redemption)
{
    char              *buffer;
    size_t             size;
    const char        *type;
    commerce_str_t     body;
    commerce_write_t   w;

    size = COMMERCE_REDEMPTION_EVENT
           + COMMERCE_REDEMPTION_ESCAPE
             * (use->campaign.id.len + redemption->request.len + request->verifier->id.len
                + request->store.len + request->pseudonym.len + request->seller.len);

    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        ledger->txn->failed = true;
        return;
    }

    type = redeemed ? "coupon_redeem" : "coupon_rollback";

    commerce_event_start(&w, buffer, size, ledger->events, type, ledger->reader->shop,
                         ledger->now_us);
    commerce_write_text(&w, "campaign", use->campaign.id);
    commerce_write_int(&w, "serial", redemption->serial);
    commerce_write_text(&w, "request", redemption->request);
    commerce_write_text(&w, "verifier", request->verifier->id);
    commerce_write_optional(&w, "store", request->store);

    if (redemption->amount >= 0) {
        commerce_write_int(&w, "amount", redemption->amount);
    }

    commerce_write_optional(&w, "buyer", request->pseudonym);
    commerce_write_optional(&w, "seller", request->seller);

    if (redemption->discount < 0) {
        commerce_write_null(&w, "discount");

    } else {
        commerce_write_int(&w, "discount", redemption->discount);
    }

    commerce_write_text(&w, "from", redeemed ? commerce_string("issued")
                                             : commerce_string("redeemed"));
    commerce_write_text(&w, "to", redeemed ? commerce_string("redeemed")
                                           : commerce_string("issued"));

    if (redeemed && commerce_equal(request->seller, request->verifier->id)) {
        commerce_write_text(&w, "reason", commerce_string("COUPON_VERIFIER_IS_SELLER"));
    }

    body = commerce_event_finish(&w);

    if (body.len == 0) {
        ledger->txn->failed = true;
        return;
    }

    commerce_txn_event(ledger->txn, body);
}
