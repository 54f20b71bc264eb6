/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_cart.h"


static char commerce_cart_letter(commerce_str_t text, size_t *i);
static bool commerce_cart_told(const commerce_order_t *order);
static void commerce_cart_accepted(commerce_order_t *order, commerce_cart_step_t request,
    unsigned named, bool told, unsigned listed, commerce_cart_effect_t *effect);


bool
commerce_cart_same_code(commerce_str_t a, commerce_str_t b)
{
    char    x, y;
    size_t  i, k;

    i = 0;
    k = 0;

    do {
        x = commerce_cart_letter(a, &i);
        y = commerce_cart_letter(b, &k);

    } while (x == y && x != '\0');

    return x == y;
}


static char
commerce_cart_letter(commerce_str_t text, size_t *i)
{
    char  c;

    while (*i < text.len) {
        c = text.data[(*i)++];

        if (c != '-' && c != ' ') {
            return (c >= 'a' && c <= 'z') ? (char) (c - 'a' + 'A') : c;
        }
    }

    return '\0';
}


int
commerce_cart_find(const commerce_order_t *order, const commerce_cart_coupon_t *coupon)
{
    unsigned                        i;
    const commerce_order_coupon_t  *own;

    for (i = 0; i < order->coupon_count; i++) {
        own = &order->coupons[i];

        if ((coupon->campaign != 0 && coupon->campaign == own->campaign
             && coupon->serial == own->serial)
            || (coupon->code.len != 0 && commerce_cart_same_code(coupon->code, own->code)))
        {
            return (int) i;
        }
    }

    return -1;
}


unsigned
commerce_cart_set(const commerce_order_t *order, const commerce_cart_coupon_t *coupons,
    unsigned count)
{
    int       found;
    unsigned  i, set;

    set = 0;

    for (i = 0; i < count; i++) {
        found = commerce_cart_find(order, &coupons[i]);

        if (found >= 0) {
            set |= 1U << found;
        }
    }

    return set;
}


commerce_arrival_t
commerce_cart_arrive(const commerce_order_t *existing, commerce_cart_step_t step,
    commerce_time_t now, commerce_reason_t *reason)
{
    *reason = COMMERCE_R(OK);

    if (existing == NULL) {
        return COMMERCE_ARRIVAL_NEW;
    }

    if (existing->state == COMMERCE_ORDER_CART) {

        if (existing->cart != COMMERCE_CART_IDLE && now < existing->in_flight_until) {
            *reason = COMMERCE_R(ORDER_IN_FLIGHT);
            return COMMERCE_ARRIVAL_REFUSED;
        }

        return COMMERCE_ARRIVAL_NEW;
    }

    /* an order that was made another way, under a key that its buyer chose: a cart's answer says nothing of it */

    if (existing->cart == COMMERCE_CART_NONE && commerce_cart_told(existing)) {
        *reason = COMMERCE_R(ORDER_KEY_REUSED);
        return COMMERCE_ARRIVAL_REFUSED;
    }

    if (step == COMMERCE_CART_COMPLETE) {
        return commerce_order_arrive(existing, existing->fingerprint, now, reason);
    }

    /* a completion whose fate is open may still need its coupons */

    *reason = (existing->state == COMMERCE_ORDER_PENDING
               || existing->state == COMMERCE_ORDER_UNKNOWN)
              ? COMMERCE_R(ORDER_IN_FLIGHT) : COMMERCE_R(ORDER_KEY_REUSED);

    return COMMERCE_ARRIVAL_REFUSED;
}


/* one that was restored from the log has no fingerprint, nor does it tell whether it was a cart */

static bool
commerce_cart_told(const commerce_order_t *order)
{
    static const uint8_t  none[COMMERCE_FINGERPRINT];

    return memcmp(order->fingerprint, none, COMMERCE_FINGERPRINT) != 0;
}


commerce_cart_effect_t
commerce_cart_settle(commerce_order_t *order, commerce_cart_step_t request,
    commerce_step_t outcome, unsigned named, bool told, unsigned listed)
{
    commerce_cart_effect_t  effect = { .reason = COMMERCE_R(ORDER_REPLAY) };

    if (order->state != COMMERCE_ORDER_CART) {
        return effect;
    }

    effect.changed = true;
    effect.reason = COMMERCE_R(OK);
    order->cart = COMMERCE_CART_IDLE;

    switch (outcome) {

    case COMMERCE_STEP_ACCEPTED:
        commerce_cart_accepted(order, request, named, told, listed, &effect);
        break;

    case COMMERCE_STEP_REFUSED:

        if (request == COMMERCE_CART_APPLY) {
            effect.release = named & order->fresh;
            effect.reason = COMMERCE_R(COUPON_UPSTREAM_REJECTED);
            order->open &= ~named;
            order->fresh &= ~named;

        } else {
            order->open &= ~named | order->fresh;
        }

        break;

    default:
        effect.reason = COMMERCE_R(COUPON_UNKNOWN_RESULT);
    }

    if (order->open != 0) {
        order->doubt |= COMMERCE_DOUBT_UNKNOWN;

    } else {
        order->doubt &= ~(unsigned) COMMERCE_DOUBT_UNKNOWN;
    }

    return effect;
}


static void
commerce_cart_accepted(commerce_order_t *order, commerce_cart_step_t request, unsigned named,
    bool told, unsigned listed, commerce_cart_effect_t *effect)
{
    unsigned  confirmed;

    if (request == COMMERCE_CART_APPLY) {
        effect->release = told ? named & ~listed : 0;

        if (effect->release != 0) {
            effect->reason = COMMERCE_R(COUPON_UPSTREAM_REJECTED);
        }

    } else {
        effect->release = told ? named & ~listed : named;
    }

    /* earlier ones that are there were applied; earlier ones that are not may still come */

    confirmed = named | (told ? order->fresh & listed : 0);

    order->fresh &= ~confirmed;
    order->open &= ~confirmed;
}


void
commerce_cart_drop(commerce_order_t *order, unsigned set)
{
    unsigned  i, n, fresh, open;

    n = 0;
    fresh = 0;
    open = 0;

    for (i = 0; i < order->coupon_count; i++) {

        if (set & (1U << i)) {
            continue;
        }

        fresh |= ((order->fresh >> i) & 1) << n;
        open |= ((order->open >> i) & 1) << n;
        order->coupons[n++] = order->coupons[i];
    }

    order->coupon_count = n;
    order->fresh = fresh;
    order->open = open;
}


void
commerce_cart_lines(commerce_order_t *order, const commerce_cart_answer_t *answer)
{
    int       credit;
    unsigned  i;

    credit = (order->credit_count != 0 && !order->credits[0].contributor) ? 0 : -1;

    /* whoever tells no lines (a list of orders, a question about one) does not take away those that are known */

    if (answer->line_count != 0) {
        order->lines = answer->lines;
        order->line_count = answer->line_count;
    }

    order->claimed = order->line_count != 0 ? 0 : -1;

    for (i = 0; i < order->line_count; i++) {
        order->lines[i].credit = credit;
        order->lines[i].discount = 0;

        if (order->lines[i].amount < 0) {
            order->claimed = -1;

        } else if (order->claimed >= 0) {
            order->claimed += order->lines[i].amount;
        }
    }
}
