/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_unit.h"
#include "commerce_rules.h"


static commerce_reason_t commerce_ledger_admit(const commerce_order_t *order,
    const commerce_use_request_t *uses, unsigned count, commerce_ledger_work_t *work,
    bool *counted, unsigned *refused, commerce_time_t now);
static void commerce_ledger_snapshot(commerce_order_t *order, const commerce_use_request_t *uses,
    unsigned count);
static commerce_reason_t commerce_ledger_retake(commerce_ledger_work_t *work, unsigned i,
    commerce_campaign_t *campaign);
static int commerce_ledger_answer(commerce_ledger_t *ledger, const commerce_order_t *order,
    const commerce_answer_t *answer, commerce_answer_t *usable, bool *taken);
static void commerce_ledger_answered(commerce_ledger_unit_t *unit,
    commerce_ledger_work_t *work);


commerce_reason_t
commerce_ledger_open(commerce_ledger_t *ledger, commerce_order_t *order,
    const commerce_use_request_t *uses, unsigned count, unsigned *refused)
{
    bool                    counted[COMMERCE_COUPONS_MAX];
    unsigned                i;
    commerce_reason_t       reason;
    commerce_ledger_work_t  work = { .ledger = ledger, .order = order };

    if (count > COMMERCE_COUPONS_MAX) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_ledger_sound(order);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = commerce_ledger_admit(order, uses, count, &work, counted, refused, ledger->now);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    order->state = COMMERCE_ORDER_PENDING;
    order->created = ledger->now;
    order->due = order->in_flight_until;

    commerce_ledger_snapshot(order, uses, count);
    commerce_ledger_terms(ledger, order, 0);

    for (i = 0; i < count; i++) {
        if (counted[i]) {
            commerce_ledger_count(ledger, &work.coupons[i], &uses[i].campaign);
        }

        commerce_ledger_coupon_event(&work, i, "coupon_reserve", uses[i].coupon.state,
                                     COMMERCE_COUPON_RESERVED, COMMERCE_R(OK));
    }

    commerce_ledger_store(&work);
    commerce_order_write(ledger->txn, ledger->reader->shop, order, 0, NULL);

    return commerce_ledger_result(&work, COMMERCE_R(OK));
}


/*
 * Could every later step be written, record and event?  Texts from outside that are no ids, or too
 * much of everything, must be refused now: a notice about this order cannot be.
 */

commerce_reason_t
commerce_ledger_sound(const commerce_order_t *order)
{
    unsigned                i;
    const commerce_line_t  *line;

    if (!commerce_id_valid(order->key)
        || (order->user.len != 0 && !commerce_id_valid(order->user)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (order->line_count > COMMERCE_LINES_MAX) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];

        if ((line->sku.len != 0 && !commerce_id_valid(line->sku))
            || line->amount > COMMERCE_FEN_MAX)
        {
            return COMMERCE_R(ORDER_MALFORMED);
        }
    }

    return COMMERCE_R(OK);
}


/* can every coupon be reserved?  Nothing is written before all of them can */

static commerce_reason_t
commerce_ledger_admit(const commerce_order_t *order, const commerce_use_request_t *uses,
    unsigned count, commerce_ledger_work_t *work, bool *counted, unsigned *refused,
    commerce_time_t now)
{
    unsigned            i, j;
    commerce_coupon_t  *coupon;
    commerce_reason_t   reason;

    for (i = 0; i < count; i++) {
        coupon = &work->coupons[i];
        *coupon = uses[i].coupon;

        for (j = 0; j < i; j++) {
            if (work->coupons[j].campaign == coupon->campaign
                && work->coupons[j].serial == coupon->serial)
            {
                break;
            }
        }

        reason = (j < i) ? COMMERCE_R(COUPON_DUPLICATE)
                         : commerce_coupon_reserve(coupon, order->user, order->key, now);

        /*
         * A reservation under this key without an order is taken over, as it was counted before; a
         * redemption under a key whose order is forgotten stays one.
         */

        if (reason == COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)) {
            reason = (coupon->state == COMMERCE_COUPON_REDEEMED)
                     ? COMMERCE_R(COUPON_ALREADY_REDEEMED) : COMMERCE_R(OK);
            counted[i] = false;

        } else {
            counted[i] = true;

            if (reason == COMMERCE_R(OK)) {
                reason = commerce_ledger_begin(order, coupon, &uses[i].campaign,
                                               uses[i].discount, now);
            }
        }

        if (reason != COMMERCE_R(OK)) {
            if (refused != NULL) {
                *refused = i;
            }

            return reason;
        }

        work->versions[i] = uses[i].version;
        work->loaded[i] = true;
        work->dirty[i] = true;
    }

    return COMMERCE_R(OK);
}


static void
commerce_ledger_snapshot(commerce_order_t *order, const commerce_use_request_t *uses,
    unsigned count)
{
    unsigned                  i;
    commerce_order_coupon_t  *coupon;

    order->coupon_count = count;
    order->discount = 0;

    for (i = 0; i < count; i++) {
        coupon = &order->coupons[i];

        coupon->campaign = uses[i].coupon.campaign;
        coupon->serial = uses[i].coupon.serial;
        coupon->campaign_id = uses[i].campaign.id;
        coupon->discount = uses[i].discount;
        coupon->use = COMMERCE_USE_RESERVED;

        if (uses[i].discount < 0 || order->discount < 0) {
            order->discount = -1;

        } else {
            order->discount += uses[i].discount;
        }
    }

    if (count == 0) {
        order->deadline = COMMERCE_FOREVER;
    }
}


commerce_reason_t
commerce_ledger_reopen(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_time_t in_flight_until)
{
    unsigned                i;
    commerce_order_t        before;
    commerce_reason_t       reason;
    commerce_campaign_t     campaigns[COMMERCE_COUPONS_MAX];
    commerce_ledger_work_t  work = { .ledger = ledger, .order = order };

    if (order->state != COMMERCE_ORDER_PENDING && order->state != COMMERCE_ORDER_UNKNOWN
        && order->state != COMMERCE_ORDER_CART)
    {
        return COMMERCE_R(ORDER_REPLAY);
    }

    before = *order;

    for (i = 0; i < order->coupon_count; i++) {
        if (order->coupons[i].use == COMMERCE_USE_RESERVED) {
            continue;
        }

        reason = commerce_ledger_retake(&work, i, &campaigns[i]);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    for (i = 0; i < order->coupon_count; i++) {
        if (!work.dirty[i]) {
            continue;
        }

        commerce_ledger_count(ledger, &work.coupons[i], &campaigns[i]);
        order->coupons[i].use = COMMERCE_USE_RESERVED;
        commerce_ledger_coupon_event(&work, i, "coupon_reserve", COMMERCE_COUPON_ISSUED,
                                     COMMERCE_COUPON_RESERVED, COMMERCE_R(OK));
    }

    order->state = COMMERCE_ORDER_PENDING;
    order->cart = order->cart != COMMERCE_CART_NONE ? COMMERCE_CART_COMPLETE : COMMERCE_CART_NONE;
    order->in_flight_until = in_flight_until;
    order->due = in_flight_until;

    if (order->deadline != COMMERCE_FOREVER && order->deadline > order->created
        && ledger->now > order->created)
    {
        order->deadline += ledger->now - order->created;
        order->created = ledger->now;
    }

    if (before.state == COMMERCE_ORDER_CART) {
        order->created = ledger->now;       /* the cart is older than the order that it becomes */
        commerce_ledger_terms(ledger, order, 0);
    }

    commerce_ledger_store(&work);
    commerce_order_write(ledger->txn, ledger->reader->shop, order, version, &before);

    return commerce_ledger_result(&work, COMMERCE_R(OK));
}


/* reserves a released coupon again, as an order request would; only in the work */

static commerce_reason_t
commerce_ledger_retake(commerce_ledger_work_t *work, unsigned i, commerce_campaign_t *campaign)
{
    int                 rc;
    commerce_coupon_t  *coupon;
    commerce_reason_t   reason;

    rc = commerce_campaign_read(work->ledger->reader, work->order->coupons[i].campaign, campaign,
                                NULL);
    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_R(COUPON_NOT_FOUND) : COMMERCE_R(INTERNAL);
    }

    coupon = commerce_ledger_load(work, i);
    if (coupon == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    /* what the lines had to show was shown by the first try */

    reason = commerce_coupon_open(campaign, coupon, work->order->user, work->ledger->now);

    if (reason == COMMERCE_R(OK) && !commerce_rules_on(campaign, work->ledger->now)) {
        reason = COMMERCE_R(COUPON_DAY_NOT_ELIGIBLE);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = commerce_coupon_reserve(coupon, work->order->user, work->order->key,
                                     work->ledger->now);

    if (reason == COMMERCE_R(OK)) {
        work->dirty[i] = true;
        reason = commerce_ledger_begin(work->order, coupon, campaign,
                                       work->order->coupons[i].discount, work->ledger->now);

    } else if (reason == COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)) {

        /* the order says that it let the coupon go, the coupon that it did not */

        reason = COMMERCE_R(INTERNAL);
    }

    return reason;
}


commerce_reason_t
commerce_ledger_step(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_step_t step, const commerce_answer_t *answer)
{
    return commerce_ledger_resolve(ledger, order, version, step, answer, commerce_string(""));
}


commerce_reason_t
commerce_ledger_resolve(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_step_t step, const commerce_answer_t *answer, commerce_str_t by)
{
    bool                    taken;
    unsigned                i;
    commerce_order_t        before;
    commerce_answer_t       usable;
    commerce_effect_t       effect;
    commerce_reason_t       reason;
    commerce_ledger_unit_t  unit;
    commerce_ledger_work_t  work;

    taken = false;

    if (step != COMMERCE_STEP_ACCEPTED) {
        answer = NULL;

    } else if (answer != NULL) {
        if (commerce_ledger_answer(ledger, order, answer, &usable, &taken) != COMMERCE_OK) {
            return COMMERCE_R(INTERNAL);
        }

        answer = &usable;
    }

    commerce_ledger_start(&unit, ledger);
    commerce_ledger_attend(&unit, &work, order, &before, version);
    work.by = by;

    effect = commerce_ledger_move(&work, step, answer, taken);

    if (!effect.changed) {
        return effect.reason;
    }

    for (i = 0; answer != NULL && answer->judged && i < order->coupon_count; i++) {
        commerce_ledger_recount(&work, i, order->coupons[i].discount);
    }

    if (step == COMMERCE_STEP_ACCEPTED) {
        commerce_ledger_answered(&unit, &work);

    } else if (step == COMMERCE_STEP_PAID || step == COMMERCE_STEP_CANCELLED) {
        commerce_ledger_join_order(&unit, &work);
    }

    reason = commerce_ledger_finish(&unit);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    return work.lost ? COMMERCE_R(COUPON_RESERVATION_LOST) : work.reason;
}


/*
 * What came before the answer had named the order: notices about its id, money of its payment, money
 * that covers what it turns out to cost.  The transaction compares where nothing is found.
 */

static void
commerce_ledger_answered(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work)
{
    commerce_order_t       *order = work->order;
    commerce_parked_for_t   what;

    if (order->id.len != 0 && !commerce_equal(work->before->id, order->id)) {
        memset(&what, 0, sizeof(commerce_parked_for_t));
        what.kind = COMMERCE_PARKED_ID;
        what.name = order->id;

        commerce_ledger_join(unit, work, &what);
    }

    if (order->payment.len != 0 && !commerce_equal(work->before->payment, order->payment)) {
        commerce_ledger_cover(unit, work, order->payment);
    }

    if (order->state == COMMERCE_ORDER_PLACED && commerce_payment_complete(order)) {
        commerce_ledger_pay(unit, work);
    }
}


/* what of the answer the order can use: an id that is one, and that no other order has */

static int
commerce_ledger_answer(commerce_ledger_t *ledger, const commerce_order_t *order,
    const commerce_answer_t *answer, commerce_answer_t *usable, bool *taken)
{
    int             rc;
    commerce_str_t  user, key;

    *usable = *answer;

    if (!commerce_id_valid(answer->id)) {
        usable->id = commerce_string("");
    }

    if (!commerce_id_valid(answer->payment)) {
        usable->payment = commerce_string("");
    }

    if (usable->id.len == 0 || commerce_equal(usable->id, order->id)) {
        return COMMERCE_OK;
    }

    rc = commerce_order_owner(ledger->reader, usable->id, &user, &key);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_ERROR;
    }

    if (rc == COMMERCE_OK) {
        usable->id = commerce_string("");
        *taken = true;
    }

    return COMMERCE_OK;
}


/* nobody may apply what is not whole */

commerce_reason_t
commerce_ledger_result(commerce_ledger_work_t *work, commerce_reason_t reason)
{
    if (work->failed || work->ledger->txn->failed) {
        work->ledger->txn->failed = true;
        return COMMERCE_R(INTERNAL);
    }

    return reason;
}
