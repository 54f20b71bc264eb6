/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_payment.h"


static commerce_effect_t commerce_order_accept(commerce_order_t *order,
    const commerce_answer_t *answer);
static commerce_effect_t commerce_order_supplement(commerce_order_t *order,
    const commerce_answer_t *answer);
static commerce_effect_t commerce_order_refuse(commerce_order_t *order);
static commerce_effect_t commerce_order_back_to_cart(commerce_order_t *order);
static commerce_effect_t commerce_order_doubt(commerce_order_t *order);
static commerce_effect_t commerce_order_pay(commerce_order_t *order, commerce_time_t now);
static commerce_effect_t commerce_order_pay_part(commerce_order_t *order);
static commerce_effect_t commerce_order_cancel(commerce_order_t *order);
static commerce_effect_t commerce_order_approve(commerce_order_t *order);
static void commerce_order_grace(commerce_order_t *order, commerce_time_t now);
static commerce_effect_t commerce_order_refund(commerce_order_t *order);
static commerce_effect_t commerce_order_settle(commerce_order_t *order, commerce_time_t now);
static commerce_effect_t commerce_order_due_now(commerce_order_t *order, commerce_time_t now);
static commerce_effect_t commerce_order_due_cart(commerce_order_t *order, commerce_time_t now);
static commerce_effect_t commerce_order_compare(commerce_order_t *order,
    const commerce_answer_t *answer);
static bool commerce_order_agrees(const commerce_order_t *order);
static bool commerce_order_holds(const commerce_order_t *order);
static bool commerce_order_unsettled(const commerce_order_t *order);
static commerce_time_t commerce_order_due_next(const commerce_order_t *order,
    const commerce_effect_t *effect);
static commerce_effect_t commerce_order_nothing(commerce_reason_t reason);
static commerce_effect_t commerce_order_changed(commerce_coupons_effect_t coupons,
    commerce_reason_t reason);


const char *
commerce_order_state_name(commerce_order_state_t state)
{
    static const char *const  names[COMMERCE_ORDER_STATES] = {
        "pending", "unknown", "placed", "paid", "cancelled", "failed", "cart", "refunded", "settled"
    };

    return (unsigned) state < COMMERCE_ORDER_STATES ? names[state] : "unknown";
}


const char *
commerce_use_name(commerce_use_t use)
{
    static const char *const  names[COMMERCE_USES] = {
        "reserved", "redeemed", "released", "rolled_back", "lost"
    };

    return (unsigned) use < COMMERCE_USES ? names[use] : "unknown";
}


const char *
commerce_step_name(commerce_step_t step)
{
    static const char *const  names[COMMERCE_STEPS] = {
        "accepted", "refused", "unknown", "paid", "cancelled", "due", "approved", "partly_paid",
        "refunded", "settled"
    };

    return (unsigned) step < COMMERCE_STEPS ? names[step] : "unknown";
}


const commerce_credit_t *
commerce_order_winner(const commerce_order_t *order)
{
    int  credit;

    if (order->line_count == 0) {
        return (order->credit_count != 0 && !order->credits[0].contributor) ? &order->credits[0]
                                                                            : NULL;
    }

    credit = order->lines[0].credit;

    return (credit >= 0 && credit < (int) order->credit_count && credit < COMMERCE_CREDITS_MAX)
           ? &order->credits[credit] : NULL;
}


commerce_arrival_t
commerce_order_arrive(const commerce_order_t *existing,
    const uint8_t fingerprint[COMMERCE_FINGERPRINT], commerce_time_t now,
    commerce_reason_t *reason)
{
    *reason = COMMERCE_R(OK);

    if (existing == NULL) {
        return COMMERCE_ARRIVAL_NEW;
    }

    if (memcmp(existing->fingerprint, fingerprint, COMMERCE_FINGERPRINT) != 0) {
        *reason = COMMERCE_R(ORDER_KEY_REUSED);
        return COMMERCE_ARRIVAL_REFUSED;
    }

    switch (existing->state) {

    case COMMERCE_ORDER_PENDING:
        if (now < existing->in_flight_until) {
            *reason = COMMERCE_R(ORDER_IN_FLIGHT);
            return COMMERCE_ARRIVAL_REFUSED;
        }

        return COMMERCE_ARRIVAL_RETRY;

    case COMMERCE_ORDER_UNKNOWN:
        return COMMERCE_ARRIVAL_RETRY;

    case COMMERCE_ORDER_CART:

        /* its coupons are judged by a completion, which comes another way (commerce_cart_arrive) */

        *reason = COMMERCE_R(ORDER_KEY_REUSED);
        return COMMERCE_ARRIVAL_REFUSED;

    default:
        *reason = COMMERCE_R(ORDER_REPLAY);
        return COMMERCE_ARRIVAL_REPLAY;
    }
}


commerce_effect_t
commerce_order_step(commerce_order_t *order, commerce_step_t step,
    const commerce_answer_t *answer, commerce_time_t now)
{
    unsigned           doubt;
    commerce_effect_t  effect;

    doubt = order->doubt;

    switch (step) {

    case COMMERCE_STEP_ACCEPTED:
        effect = commerce_order_accept(order, answer);
        break;

    case COMMERCE_STEP_REFUSED:
        effect = commerce_order_refuse(order);
        break;

    case COMMERCE_STEP_UNKNOWN:
        effect = commerce_order_doubt(order);
        break;

    case COMMERCE_STEP_PAID:
        effect = commerce_order_pay(order, now);
        break;

    case COMMERCE_STEP_PARTLY_PAID:
        effect = commerce_order_pay_part(order);
        break;

    case COMMERCE_STEP_CANCELLED:
        effect = commerce_order_cancel(order);
        break;

    case COMMERCE_STEP_REFUNDED:
        effect = commerce_order_refund(order);
        break;

    case COMMERCE_STEP_SETTLED:
        effect = commerce_order_settle(order, now);
        break;

    case COMMERCE_STEP_DUE:
        effect = commerce_order_due_now(order, now);
        break;

    case COMMERCE_STEP_APPROVED:
        effect = commerce_order_approve(order);
        break;

    default:
        effect = commerce_order_nothing(COMMERCE_R(INTERNAL));
    }

    if (effect.changed) {

        if (doubt != 0 && order->doubt == 0) {
            commerce_order_grace(order, now);
        }

        order->due = commerce_order_due_next(order, &effect);
    }

    return effect;
}


/* held while it was in doubt, an order would be past its time the moment that it is none: it gets as much again */

static void
commerce_order_grace(commerce_order_t *order, commerce_time_t now)
{
    if (order->deadline != COMMERCE_FOREVER && order->deadline > order->created
        && now >= order->deadline)
    {
        order->deadline += now - order->created;
        order->created = now;
    }
}


static commerce_effect_t
commerce_order_accept(commerce_order_t *order, const commerce_answer_t *answer)
{
    commerce_effect_t  effect;

    if (order->state != COMMERCE_ORDER_PENDING && order->state != COMMERCE_ORDER_UNKNOWN
        && order->state != COMMERCE_ORDER_CART)
    {
        return commerce_order_supplement(order, answer);
    }

    order->state = COMMERCE_ORDER_PLACED;
    order->doubt &= ~(unsigned) COMMERCE_DOUBT_UNKNOWN;

    if (answer != NULL) {
        if (answer->id.len != 0) {
            order->id = answer->id;
        }

        if (answer->payment.len != 0) {
            order->payment = answer->payment;
        }

        if (answer->payable >= 0) {
            order->payable = answer->payable;
            order->freight = answer->freight;
        }
    }

    effect = commerce_order_compare(order, answer);

    if (effect.reason == COMMERCE_R(OK) && !order->redeem_on_paid) {
        effect.coupons = COMMERCE_COUPONS_REDEEM;
    }

    return effect;
}


/* an answer to an order whose outcome is known: it may name what is still missing */

static commerce_effect_t
commerce_order_supplement(commerce_order_t *order, const commerce_answer_t *answer)
{
    bool               named, settles;
    commerce_fen_t     payable;
    commerce_effect_t  effect;

    payable = order->payable;
    named = (answer != NULL && order->id.len == 0 && answer->id.len != 0);

    if (named) {
        order->id = answer->id;
    }

    if (answer != NULL && order->payment.len == 0 && answer->payment.len != 0) {
        order->payment = answer->payment;
        named = true;
    }

    if (order->state == COMMERCE_ORDER_CANCELLED) {
        effect = commerce_order_nothing(COMMERCE_R(ORDER_CLOSED));
        effect.changed = named;
        return effect;
    }

    if (answer == NULL || answer->payable < 0) {
        settles = false;

    } else if (order->doubt & COMMERCE_DOUBT_AMOUNT) {
        order->payable = answer->payable;
        settles = !answer->disputed && commerce_order_agrees(order);

        if (settles) {
            order->freight = answer->freight;

        } else {
            order->payable = payable;
        }

    } else {
        settles = (payable < 0);

        if (settles) {
            order->payable = answer->payable;
            order->freight = answer->freight;
        }
    }

    if (!settles) {
        return named ? commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK))
                     : commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    if ((order->doubt & COMMERCE_DOUBT_AMOUNT) == 0) {
        return commerce_order_compare(order, answer);
    }

    order->doubt &= ~(unsigned) COMMERCE_DOUBT_AMOUNT;

    return commerce_order_changed((order->paid || !order->redeem_on_paid)
                                  ? COMMERCE_COUPONS_REDEEM : COMMERCE_COUPONS_KEEP,
                                  COMMERCE_R(OK));
}


static commerce_effect_t
commerce_order_refuse(commerce_order_t *order)
{
    commerce_effect_t  effect;

    if (order->state != COMMERCE_ORDER_PENDING && order->state != COMMERCE_ORDER_UNKNOWN) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    if (order->cart != COMMERCE_CART_NONE) {
        return commerce_order_back_to_cart(order);
    }

    order->state = COMMERCE_ORDER_FAILED;
    order->doubt = 0;

    effect = commerce_order_changed(COMMERCE_COUPONS_RELEASE, COMMERCE_R(OK));
    effect.removed = true;

    return effect;
}


/* the backend's cart still carries the coupons: so does ours, until they are removed or the deadline comes */

static commerce_effect_t
commerce_order_back_to_cart(commerce_order_t *order)
{
    commerce_effect_t  effect;

    effect = commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK));

    if (order->coupon_count == 0) {
        order->state = COMMERCE_ORDER_FAILED;
        order->doubt = 0;
        effect.removed = true;
        return effect;
    }

    order->state = COMMERCE_ORDER_CART;
    order->cart = COMMERCE_CART_IDLE;
    order->doubt = order->open != 0 ? COMMERCE_DOUBT_UNKNOWN : 0;

    return effect;
}


static commerce_effect_t
commerce_order_doubt(commerce_order_t *order)
{
    if (order->state != COMMERCE_ORDER_PENDING) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    order->state = COMMERCE_ORDER_UNKNOWN;
    order->doubt |= COMMERCE_DOUBT_UNKNOWN;

    return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(COUPON_UNKNOWN_RESULT));
}


static commerce_effect_t
commerce_order_pay(commerce_order_t *order, commerce_time_t now)
{
    commerce_effect_t  effect;

    if (order->state == COMMERCE_ORDER_PAID || order->state == COMMERCE_ORDER_REFUNDED
        || order->state == COMMERCE_ORDER_SETTLED)
    {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    if (order->state == COMMERCE_ORDER_CANCELLED) {

        /* money came for an order that is closed: told once, somebody has to give it back */

        effect = commerce_order_nothing(COMMERCE_R(ORDER_CLOSED));
        effect.changed = !order->paid;
        order->paid = true;
        return effect;
    }

    order->state = COMMERCE_ORDER_PAID;
    order->paid = true;
    order->doubt &= ~(unsigned) COMMERCE_DOUBT_UNKNOWN;

    if (order->freeze_after != 0) {
        order->freeze = now + order->freeze_after;
    }

    if (order->doubt & COMMERCE_DOUBT_AMOUNT) {
        return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(AMOUNT_MISMATCH));
    }

    return commerce_order_changed(COMMERCE_COUPONS_REDEEM,
                                  commerce_payment_excess(order) > 0 ? COMMERCE_R(PAYMENT_EXCESS)
                                                                     : COMMERCE_R(OK));
}


/* some of the money: the backend has the order, and the deadline must not let its coupons go */

static commerce_effect_t
commerce_order_pay_part(commerce_order_t *order)
{
    if (order->state == COMMERCE_ORDER_PENDING || order->state == COMMERCE_ORDER_UNKNOWN) {
        order->state = COMMERCE_ORDER_PLACED;
        order->doubt &= ~(unsigned) COMMERCE_DOUBT_UNKNOWN;
    }

    return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(PAYMENT_PARTIAL));
}


static commerce_effect_t
commerce_order_cancel(commerce_order_t *order)
{
    if (order->state == COMMERCE_ORDER_CANCELLED) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    order->state = COMMERCE_ORDER_CANCELLED;
    order->doubt = 0;

    return commerce_order_changed(COMMERCE_COUPONS_RELEASE, COMMERCE_R(OK));
}


static commerce_effect_t
commerce_order_approve(commerce_order_t *order)
{
    if (order->state == COMMERCE_ORDER_CANCELLED) {
        return commerce_order_nothing(COMMERCE_R(ORDER_CLOSED));
    }

    if (order->doubt == 0 && order->state != COMMERCE_ORDER_PENDING) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    order->doubt = 0;
    order->fresh = 0;
    order->open = 0;

    if (order->state == COMMERCE_ORDER_CART) {
        order->cart = COMMERCE_CART_IDLE;
        return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK));
    }

    if (order->state == COMMERCE_ORDER_PENDING || order->state == COMMERCE_ORDER_UNKNOWN) {
        order->state = COMMERCE_ORDER_PLACED;
    }

    return commerce_order_changed((order->paid || !order->redeem_on_paid)
                                  ? COMMERCE_COUPONS_REDEEM : COMMERCE_COUPONS_KEEP,
                                  COMMERCE_R(OK));
}


static commerce_effect_t
commerce_order_refund(commerce_order_t *order)
{
    if (order->state == COMMERCE_ORDER_REFUNDED || order->state == COMMERCE_ORDER_CANCELLED) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    order->state = COMMERCE_ORDER_REFUNDED;
    order->doubt = 0;

    return commerce_order_changed(COMMERCE_COUPONS_RELEASE, COMMERCE_R(OK));
}


static commerce_effect_t
commerce_order_settle(commerce_order_t *order, commerce_time_t now)
{
    switch (order->state) {

    case COMMERCE_ORDER_PAID:
        order->state = COMMERCE_ORDER_SETTLED;
        order->settled = now;
        return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK));

    case COMMERCE_ORDER_REFUNDED:
    case COMMERCE_ORDER_SETTLED:
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));

    case COMMERCE_ORDER_CANCELLED:
        return commerce_order_nothing(COMMERCE_R(ORDER_CLOSED));

    default:
        return commerce_order_nothing(COMMERCE_R(ORDER_NOT_PAID));
    }
}


static commerce_effect_t
commerce_order_due_now(commerce_order_t *order, commerce_time_t now)
{
    commerce_effect_t           effect;
    commerce_deadline_policy_t  policy;

    if (order->state == COMMERCE_ORDER_PENDING) {
        return now < order->in_flight_until ? commerce_order_nothing(COMMERCE_R(ORDER_REPLAY))
                                            : commerce_order_doubt(order);
    }

    if (order->state == COMMERCE_ORDER_CART && order->cart != COMMERCE_CART_IDLE) {
        return commerce_order_due_cart(order, now);
    }

    if (order->state == COMMERCE_ORDER_PAID && order->freeze != 0 && now >= order->freeze) {
        return commerce_order_settle(order, now);
    }

    policy = order->doubt != 0 ? order->in_doubt : order->unpaid;

    if (now >= order->deadline
        && order->receipt_count == 0
        && policy == COMMERCE_POLICY_RELEASE
        && (order->state == COMMERCE_ORDER_UNKNOWN || order->state == COMMERCE_ORDER_PLACED
            || order->state == COMMERCE_ORDER_CART)
        && commerce_order_holds(order))
    {
        return commerce_order_changed(COMMERCE_COUPONS_RELEASE, COMMERCE_R(ORDER_DEADLINE));
    }

    /* nothing falls due: if the index says otherwise, it is put right */

    effect = commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    effect.changed = order->due != commerce_order_due_next(order, &effect);

    return effect;
}


/* coupons that were being applied or removed when the answer was lost stay reserved, in doubt */

static commerce_effect_t
commerce_order_due_cart(commerce_order_t *order, commerce_time_t now)
{
    if (now < order->in_flight_until) {
        return commerce_order_nothing(COMMERCE_R(ORDER_REPLAY));
    }

    order->cart = COMMERCE_CART_IDLE;

    if (order->open == 0) {
        return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK));
    }

    order->doubt |= COMMERCE_DOUBT_UNKNOWN;

    return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(COUPON_UNKNOWN_RESULT));
}


/* the answer's amount against what the edge expects; what is not named cannot differ */

static commerce_effect_t
commerce_order_compare(commerce_order_t *order, const commerce_answer_t *answer)
{
    if (commerce_order_agrees(order) && (answer == NULL || !answer->disputed)) {
        return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(OK));
    }

    if (commerce_order_unsettled(order)) {
        order->doubt |= COMMERCE_DOUBT_AMOUNT;
    }

    return commerce_order_changed(COMMERCE_COUPONS_KEEP, COMMERCE_R(AMOUNT_MISMATCH));
}


static bool
commerce_order_agrees(const commerce_order_t *order)
{
    return order->payable < 0 || order->claimed < 0 || order->discount < 0
           || order->payable == order->claimed - order->discount;
}


static bool
commerce_order_holds(const commerce_order_t *order)
{
    unsigned  i;

    for (i = 0; i < order->coupon_count; i++) {
        if (order->coupons[i].use == COMMERCE_USE_RESERVED) {
            return true;
        }
    }

    return false;
}


/* a later step could still redeem one of its coupons */

static bool
commerce_order_unsettled(const commerce_order_t *order)
{
    unsigned  i;

    for (i = 0; i < order->coupon_count; i++) {
        if (order->coupons[i].use == COMMERCE_USE_RESERVED
            || order->coupons[i].use == COMMERCE_USE_RELEASED)
        {
            return true;
        }
    }

    return false;
}


commerce_time_t
commerce_order_due_again(const commerce_order_t *order)
{
    commerce_effect_t  effect;

    effect = commerce_order_nothing(COMMERCE_R(OK));

    return commerce_order_due_next(order, &effect);
}


static commerce_time_t
commerce_order_due_next(const commerce_order_t *order, const commerce_effect_t *effect)
{
    commerce_deadline_policy_t  policy;

    if (order->state == COMMERCE_ORDER_PENDING
        || (order->state == COMMERCE_ORDER_CART && order->cart != COMMERCE_CART_IDLE))
    {
        return order->in_flight_until;
    }

    if (order->state == COMMERCE_ORDER_PAID && order->freeze != 0) {
        return order->freeze;
    }

    if ((order->state != COMMERCE_ORDER_UNKNOWN && order->state != COMMERCE_ORDER_PLACED
         && order->state != COMMERCE_ORDER_CART)
        || order->receipt_count != 0
        || effect->coupons != COMMERCE_COUPONS_KEEP
        || !commerce_order_holds(order))
    {
        return COMMERCE_FOREVER;
    }

    policy = order->doubt != 0 ? order->in_doubt : order->unpaid;

    return policy == COMMERCE_POLICY_RELEASE ? order->deadline : COMMERCE_FOREVER;
}


static commerce_effect_t
commerce_order_nothing(commerce_reason_t reason)
{
    return (commerce_effect_t) { COMMERCE_COUPONS_KEEP, false, false, reason };
}


static commerce_effect_t
commerce_order_changed(commerce_coupons_effect_t coupons, commerce_reason_t reason)
{
    return (commerce_effect_t) { coupons, true, false, reason };
}
