/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_unit.h"
#include "commerce_rules.h"


/* coupons on their way into a cart; arrays: per coupon of the order */
typedef struct {
    commerce_ledger_work_t         work;
    const commerce_use_request_t  *uses[COMMERCE_COUPONS_MAX];     /* NULL: it was there before */
    bool                           counted[COMMERCE_COUPONS_MAX];
    unsigned                       named;
} commerce_ledger_apply_t;


static commerce_reason_t commerce_ledger_cart_admit(commerce_ledger_apply_t *apply,
    const commerce_use_request_t *use, commerce_str_t code);
static void commerce_ledger_cart_start(commerce_ledger_t *ledger, commerce_order_t *order,
    commerce_cart_step_t request, unsigned named);
static void commerce_ledger_cart_release(commerce_ledger_work_t *work, unsigned set,
    commerce_reason_t reason);
static bool commerce_ledger_cart_foreign(commerce_ledger_work_t *work,
    const commerce_cart_answer_t *answer);
static bool commerce_ledger_cart_take(commerce_ledger_work_t *work,
    const commerce_cart_coupon_t *named);
static bool commerce_ledger_cart_rules(commerce_ledger_work_t *work,
    const commerce_cart_answer_t *answer);
static commerce_reason_t commerce_ledger_cart_judge(commerce_ledger_work_t *work, unsigned i,
    const commerce_cart_answer_t *answer, uint8_t *admits);
static commerce_reason_t commerce_ledger_cart_stack(commerce_ledger_apply_t *apply, unsigned i,
    const commerce_campaign_t *campaign);
static commerce_fen_t commerce_ledger_cart_amount(const commerce_order_t *order, unsigned i,
    const commerce_cart_answer_t *answer);


commerce_reason_t
commerce_ledger_cart_apply(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_use_request_t *uses, const commerce_str_t *codes, unsigned count,
    unsigned *refused)
{
    unsigned                  i;
    commerce_order_t          before;
    commerce_reason_t         reason;
    commerce_ledger_apply_t   apply = { .work = { .ledger = ledger, .order = order } };
    commerce_ledger_work_t   *work = &apply.work;

    before = *order;
    reason = commerce_ledger_sound(order);

    for (i = 0; i < count && reason == COMMERCE_R(OK); i++) {
        *refused = i;
        reason = commerce_ledger_cart_admit(&apply, &uses[i], codes[i]);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    for (i = 0; i < order->coupon_count; i++) {

        if (apply.uses[i] == NULL) {
            continue;
        }

        if (apply.counted[i]) {
            commerce_ledger_count(ledger, &work->coupons[i], &apply.uses[i]->campaign);
        }

        commerce_ledger_coupon_event(work, i, "coupon_reserve", apply.uses[i]->coupon.state,
                                     COMMERCE_COUPON_RESERVED, COMMERCE_R(OK));
    }

    commerce_ledger_cart_start(ledger, order, COMMERCE_CART_APPLY, apply.named);
    commerce_ledger_store(work);
    commerce_order_write(ledger->txn, ledger->reader->shop, order, version,
                         version != 0 ? &before : NULL);

    return commerce_ledger_result(work, COMMERCE_R(OK));
}


/* one coupon into the cart; nothing is written before all of them are in */

static commerce_reason_t
commerce_ledger_cart_admit(commerce_ledger_apply_t *apply, const commerce_use_request_t *use,
    commerce_str_t code)
{
    int                       found;
    unsigned                  i;
    commerce_order_t         *order = apply->work.order;
    commerce_coupon_t        *coupon;
    commerce_reason_t         reason;
    commerce_cart_coupon_t    named = { .campaign = use->coupon.campaign, .serial = use->coupon.serial };
    commerce_order_coupon_t  *own;

    found = commerce_cart_find(order, &named);
    i = found < 0 ? order->coupon_count : (unsigned) found;

    if (i == COMMERCE_COUPONS_MAX) {
        return COMMERCE_R(COUPON_STACK_LIMIT);
    }

    if (apply->named & (1U << i)) {
        return COMMERCE_R(COUPON_DUPLICATE);
    }

    apply->named |= 1U << i;
    own = &order->coupons[i];

    if (found >= 0 && own->use == COMMERCE_USE_RESERVED) {
        return COMMERCE_R(OK);
    }

    reason = commerce_ledger_cart_stack(apply, i, &use->campaign);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    coupon = &apply->work.coupons[i];
    *coupon = use->coupon;

    reason = commerce_coupon_reserve(coupon, order->user, order->key, apply->work.ledger->now);

    /* a reservation under this key that no cart knows of is taken over, as it was counted before */

    if (reason == COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)) {
        reason = coupon->state == COMMERCE_COUPON_REDEEMED ? COMMERCE_R(COUPON_ALREADY_REDEEMED)
                                                           : COMMERCE_R(OK);
    } else if (reason == COMMERCE_R(OK)) {
        apply->counted[i] = true;
        reason = commerce_ledger_begin(order, coupon, &use->campaign, -1, apply->work.ledger->now);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    apply->uses[i] = use;
    apply->work.versions[i] = use->version;
    apply->work.loaded[i] = true;
    apply->work.dirty[i] = true;

    own->campaign = use->coupon.campaign;
    own->serial = use->coupon.serial;
    own->campaign_id = use->campaign.id;
    own->discount = -1;
    own->use = COMMERCE_USE_RESERVED;
    own->code = code;

    order->fresh |= 1U << i;

    if (found < 0) {
        order->coupon_count++;
    }

    return COMMERCE_R(OK);
}


/* does it go with what the cart carries? */

static commerce_reason_t
commerce_ledger_cart_stack(commerce_ledger_apply_t *apply, unsigned i,
    const commerce_campaign_t *campaign)
{
    unsigned                    k, n;
    commerce_order_t           *order = apply->work.order;
    commerce_campaign_t         campaigns[COMMERCE_COUPONS_MAX];
    const commerce_campaign_t  *earlier[COMMERCE_COUPONS_MAX];

    for (k = 0, n = 0; k < order->coupon_count; k++) {
        if (k == i || order->coupons[k].use != COMMERCE_USE_RESERVED) {
            continue;
        }

        if (commerce_campaign_read(apply->work.ledger->reader, order->coupons[k].campaign,
                                   &campaigns[n], NULL)
            == COMMERCE_ERROR)
        {
            return COMMERCE_R(INTERNAL);
        }

        earlier[n] = &campaigns[n];
        n++;
    }

    return commerce_rules_stack(campaign, earlier, n);
}


/* a request of the cart is with the backend; its deadline is as far away as it was at first */

static void
commerce_ledger_cart_start(commerce_ledger_t *ledger, commerce_order_t *order,
    commerce_cart_step_t request, unsigned named)
{
    if (ledger->now > order->created && order->deadline != COMMERCE_FOREVER) {
        order->deadline += ledger->now - order->created;
    }

    order->state = COMMERCE_ORDER_CART;
    order->cart = request;
    order->created = ledger->now;
    order->due = order->in_flight_until;
    order->open |= named;
}


commerce_reason_t
commerce_ledger_cart_remove(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    unsigned named, commerce_time_t in_flight_until)
{
    commerce_order_t  before;

    before = *order;

    order->in_flight_until = in_flight_until;
    commerce_ledger_cart_start(ledger, order, COMMERCE_CART_REMOVE, named);
    commerce_order_write(ledger->txn, ledger->reader->shop, order, version, &before);

    return ledger->txn->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(OK);
}


commerce_reason_t
commerce_ledger_cart_settle(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_cart_step_t request, commerce_step_t outcome, const commerce_cart_coupon_t *named,
    unsigned count, const commerce_cart_answer_t *answer, commerce_str_t by)
{
    unsigned                set, listed;
    commerce_order_t        before;
    commerce_cart_effect_t  effect;
    commerce_ledger_work_t  work = { .ledger = ledger, .order = order };

    before = *order;
    work.doubt = order->doubt;
    work.by = by.len != 0 ? by : commerce_string("answer");
    set = commerce_cart_set(order, named, count);
    listed = commerce_cart_set(order, answer->coupons, answer->coupon_count);

    effect = commerce_cart_settle(order, request, outcome, set, answer->told, listed);

    if (!effect.changed) {
        return effect.reason;
    }

    commerce_ledger_cart_release(&work, effect.release,
                                 request == COMMERCE_CART_APPLY
                                 ? COMMERCE_R(COUPON_UPSTREAM_REJECTED) : COMMERCE_R(OK));

    if (order->doubt != before.doubt) {
        commerce_ledger_order_event(&work, "order", effect.reason);
    }

    commerce_ledger_store(&work);
    commerce_cart_drop(order, effect.release);
    commerce_ledger_doubt(ledger, &before, order);

    if (order->coupon_count == 0) {
        commerce_order_remove(ledger->txn, ledger->reader->shop, &before, version);

    } else {
        order->due = commerce_order_due_again(order);
        commerce_order_write(ledger->txn, ledger->reader->shop, order, version, &before);
    }

    return commerce_ledger_result(&work, effect.reason);
}


static void
commerce_ledger_cart_release(commerce_ledger_work_t *work, unsigned set, commerce_reason_t reason)
{
    unsigned  i;

    for (i = 0; i < work->order->coupon_count; i++) {
        if (set & (1U << i)) {
            commerce_ledger_give_back(work, i, reason);
        }
    }
}


commerce_reason_t
commerce_ledger_cart_complete(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_answer_t *answer, const commerce_cart_answer_t *cart, commerce_str_t by)
{
    bool                    disputed;
    unsigned                gone;
    commerce_answer_t       judged;
    commerce_ledger_work_t  work = { .ledger = ledger, .order = order };

    judged = *answer;

    if (order->state != COMMERCE_ORDER_PENDING && order->state != COMMERCE_ORDER_UNKNOWN
        && order->state != COMMERCE_ORDER_CART && (order->doubt & COMMERCE_DOUBT_AMOUNT) == 0)
    {
        return commerce_ledger_resolve(ledger, order, version, COMMERCE_STEP_ACCEPTED, &judged, by);
    }

    /* the order was made without the coupons that it does not list: they are free */

    gone = cart->told ? (1U << order->coupon_count) - 1
                        - commerce_cart_set(order, cart->coupons, cart->coupon_count)
                      : 0;

    commerce_ledger_cart_release(&work, gone, COMMERCE_R(COUPON_UPSTREAM_REJECTED));
    disputed = commerce_ledger_cart_foreign(&work, cart);
    commerce_ledger_store(&work);
    commerce_cart_drop(order, gone);

    order->fresh = 0;
    order->open = 0;
    order->cart = COMMERCE_CART_IDLE;

    commerce_cart_lines(order, cart);
    work = (commerce_ledger_work_t) { .ledger = ledger, .order = order, .failed = work.failed };
    judged.disputed = commerce_ledger_cart_rules(&work, cart) || disputed;
    judged.judged = true;

    if (order->terms.plan != 0) {
        commerce_ledger_terms(ledger, order, order->terms.plan);    /* now that there are lines */
    }

    if (work.failed) {
        return COMMERCE_R(INTERNAL);
    }

    return commerce_ledger_resolve(ledger, order, version, COMMERCE_STEP_ACCEPTED, &judged, by);
}


/*
 * Coupons of this shop that the backend honoured although the cart had not reserved them came past the edge.
 * They are taken if they are free, so that nobody else gets them, and the order is in doubt.
 */

static bool
commerce_ledger_cart_foreign(commerce_ledger_work_t *work, const commerce_cart_answer_t *answer)
{
    bool      disputed;
    unsigned  i;

    disputed = false;

    for (i = 0; i < answer->coupon_count; i++) {

        if (answer->coupons[i].campaign != 0
            && commerce_cart_find(work->order, &answer->coupons[i]) < 0)
        {
            disputed = true;

            if (!commerce_ledger_cart_take(work, &answer->coupons[i])) {
                work->failed = true;
            }
        }
    }

    return disputed;
}


static bool
commerce_ledger_cart_take(commerce_ledger_work_t *work, const commerce_cart_coupon_t *named)
{
    int                       rc;
    unsigned                  i;
    commerce_order_t         *order = work->order;
    commerce_coupon_t        *coupon;
    commerce_campaign_t       campaign;
    commerce_order_coupon_t  *own;

    if (order->coupon_count == COMMERCE_COUPONS_MAX) {
        return true;
    }

    rc = commerce_campaign_read(work->ledger->reader, named->campaign, &campaign, NULL);
    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT;
    }

    i = order->coupon_count++;
    own = &order->coupons[i];

    own->campaign = named->campaign;
    own->serial = named->serial;
    own->campaign_id = campaign.id;
    own->discount = named->amount;
    own->use = COMMERCE_USE_LOST;
    own->code = named->code;

    coupon = commerce_ledger_load(work, i);
    if (coupon == NULL) {
        return false;
    }

    if (coupon->state == COMMERCE_COUPON_ISSUED
        && commerce_ledger_take_again(work, i) != COMMERCE_R(COUPON_RESERVATION_LOST))
    {
        own->use = COMMERCE_USE_RESERVED;
        work->dirty[i] = true;
        commerce_ledger_coupon_event(work, i, "coupon_reserve", COMMERCE_COUPON_ISSUED,
                                     COMMERCE_COUPON_RESERVED, COMMERCE_R(AMOUNT_MISMATCH));
    }

    return true;
}


/* the rules on the lines as they are: discounts are ours, and the backend's must be the same */

static bool
commerce_ledger_cart_rules(commerce_ledger_work_t *work, const commerce_cart_answer_t *answer)
{
    bool                      disputed;
    uint8_t                   admits[COMMERCE_LINES_MAX];
    unsigned                  i;
    commerce_fen_t            named;
    commerce_order_t         *order = work->order;
    commerce_order_coupon_t  *own;

    disputed = false;
    order->discount = 0;

    for (i = 0; i < order->coupon_count; i++) {
        own = &order->coupons[i];
        named = commerce_ledger_cart_amount(order, i, answer);

        if (own->use != COMMERCE_USE_LOST
            && commerce_ledger_cart_judge(work, i, answer, admits) != COMMERCE_R(OK))
        {
            disputed = true;
            own->discount = named;
        }

        disputed |= (named >= 0 && own->discount >= 0 && named != own->discount);

        if (own->discount < 0 || order->discount < 0) {
            order->discount = -1;

        } else {
            order->discount += own->discount;
        }
    }

    return disputed;
}


/*
 * Whether it was enabled and in time, and the user in the right store and of the right level, was asked when it
 * was reserved
 */

static commerce_reason_t
commerce_ledger_cart_judge(commerce_ledger_work_t *work, unsigned i,
    const commerce_cart_answer_t *answer, uint8_t *admits)
{
    commerce_order_t         *order = work->order;
    commerce_facts_t          facts = { .user = order->user, .categories = answer->categories };
    commerce_coupon_t        *coupon;
    commerce_campaign_t       campaign;
    const commerce_credit_t  *winner;

    if (commerce_campaign_read(work->ledger->reader, order->coupons[i].campaign, &campaign, NULL)
        == COMMERCE_ERROR)
    {
        work->failed = true;
        return COMMERCE_R(INTERNAL);
    }

    coupon = commerce_ledger_load(work, i);
    if (coupon == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    campaign.enabled = true;
    campaign.new_customers = false;
    campaign.scopes[COMMERCE_SCOPE_STORE].count = 0;
    campaign.scopes[COMMERCE_SCOPE_LEVEL].count = 0;

    facts.now = coupon->state == COMMERCE_COUPON_RESERVED ? coupon->changed : work->ledger->now;
    winner = commerce_order_winner(order);

    if (winner != NULL) {
        facts.seller = winner->seller_id;
        facts.group = winner->group_id;
        facts.room = winner->room_id;
        facts.channel = winner->channel;
    }

    return commerce_coupon_check(&campaign, coupon, &facts, order->lines, order->line_count,
                                 admits, &order->coupons[i].discount);
}


/* what the answer took off for this coupon, all its entries together; -1 = it does not say */

static commerce_fen_t
commerce_ledger_cart_amount(const commerce_order_t *order, unsigned i,
    const commerce_cart_answer_t *answer)
{
    unsigned        k;
    commerce_fen_t  sum;

    sum = -1;

    for (k = 0; k < answer->coupon_count; k++) {
        if (answer->coupons[k].amount >= 0
            && commerce_cart_find(order, &answer->coupons[k]) == (int) i)
        {
            sum = (sum < 0 ? 0 : sum) + answer->coupons[k].amount;
        }
    }

    return sum;
}
