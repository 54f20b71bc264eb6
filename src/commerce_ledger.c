/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_coupons.h"
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
static commerce_effect_t commerce_ledger_move(commerce_ledger_work_t *work, commerce_step_t step,
    const commerce_answer_t *answer, bool taken);
static void commerce_ledger_join(commerce_ledger_work_t *work, const commerce_order_t *before,
    commerce_reason_t *reason);


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
    commerce_order_t        before;
    commerce_answer_t       usable;
    commerce_effect_t       effect;
    commerce_ledger_work_t  work = { .ledger = ledger, .order = order };

    before = *order;
    taken = false;
    work.by = by;

    if (step != COMMERCE_STEP_ACCEPTED) {
        answer = NULL;

    } else if (answer != NULL) {
        if (commerce_ledger_answer(ledger, order, answer, &usable, &taken) != COMMERCE_OK) {
            return COMMERCE_R(INTERNAL);
        }

        answer = &usable;
    }

    effect = commerce_ledger_move(&work, step, answer, taken);

    if (!effect.changed) {
        return effect.reason;
    }

    if (effect.removed) {
        commerce_order_remove(ledger->txn, ledger->reader->shop, &before, version);

    } else {
        commerce_ledger_join(&work, &before, &effect.reason);
        commerce_order_write(ledger->txn, ledger->reader->shop, order, version, &before);
    }

    commerce_ledger_doubt(ledger, &before, order);
    commerce_ledger_store(&work);

    return commerce_ledger_result(&work, work.lost ? COMMERCE_R(COUPON_RESERVATION_LOST)
                                                   : effect.reason);
}


commerce_reason_t
commerce_ledger_park(commerce_ledger_t *ledger, commerce_str_t id, commerce_step_t step)
{
    int                rc;
    uint64_t           version;
    commerce_parked_t  parked;

    if ((step != COMMERCE_STEP_PAID && step != COMMERCE_STEP_CANCELLED)
        || !commerce_id_valid(id))
    {
        return COMMERCE_R(INTERNAL);
    }

    rc = commerce_parked_read(ledger->reader, id, &parked, &version);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(INTERNAL);
    }

    if (rc == COMMERCE_OK && (parked.step == step || step == COMMERCE_STEP_PAID)) {
        return COMMERCE_R(ORDER_REPLAY);
    }

    parked.step = step;
    parked.time = ledger->now;

    /* the order may be placed at this very moment: then this must not be parked beside it */

    commerce_order_vacant(ledger->txn, ledger->reader->shop, id);
    commerce_parked_write(ledger->txn, ledger->reader->shop, id, &parked, version);

    return ledger->txn->failed ? COMMERCE_R(INTERNAL) : COMMERCE_R(ORDER_UNKNOWN);
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


/* one step with its coupons and events; the records are written later */

static commerce_effect_t
commerce_ledger_move(commerce_ledger_work_t *work, commerce_step_t step,
    const commerce_answer_t *answer, bool taken)
{
    commerce_effect_t  effect;
    commerce_reason_t  reason;

    work->doubt = work->order->doubt;
    effect = commerce_order_step(work->order, step, answer, work->ledger->now);

    if (!effect.changed) {
        return effect;
    }

    if (work->by.len == 0) {
        work->by = (step == COMMERCE_STEP_DUE) ? commerce_string("deadline")
                   : (step == COMMERCE_STEP_PAID || step == COMMERCE_STEP_CANCELLED)
                     ? commerce_string("notice") : commerce_string("answer");
    }

    reason = (step == COMMERCE_STEP_REFUSED) ? COMMERCE_R(COUPON_UPSTREAM_REJECTED)
             : (step == COMMERCE_STEP_DUE) ? COMMERCE_R(ORDER_DEADLINE) : COMMERCE_R(OK);

    work->lost = false;
    commerce_ledger_coupons(work, effect.coupons, reason);

    reason = work->lost ? COMMERCE_R(COUPON_RESERVATION_LOST) : effect.reason;

    if (taken && reason == COMMERCE_R(OK)) {
        reason = COMMERCE_R(ORDER_REPLAY);
    }

    commerce_ledger_order_event(work, step == COMMERCE_STEP_PAID ? "paid" : "order", reason);

    return effect;
}


/*
 * A notice may have come before the order had its id.  It is looked for exactly when the id is new,
 * and the transaction compares either way: a notice that is being parked now conflicts.
 */

static void
commerce_ledger_join(commerce_ledger_work_t *work, const commerce_order_t *before,
    commerce_reason_t *reason)
{
    int                 rc;
    bool                lost;
    uint64_t            version;
    commerce_effect_t   effect;
    commerce_parked_t   parked;
    commerce_ledger_t  *ledger = work->ledger;

    if (work->order->id.len == 0 || commerce_equal(before->id, work->order->id)) {
        return;
    }

    rc = commerce_parked_read(ledger->reader, work->order->id, &parked, &version);

    if (rc == COMMERCE_ERROR) {
        work->failed = true;
        return;
    }

    if (rc == COMMERCE_ABSENT) {
        commerce_parked_vacant(ledger->txn, ledger->reader->shop, work->order->id);
        return;
    }

    lost = work->lost;
    effect = commerce_ledger_move(work, parked.step, NULL, false);
    work->lost = work->lost || lost;

    if (*reason == COMMERCE_R(OK) && effect.reason != COMMERCE_R(ORDER_REPLAY)) {
        *reason = effect.reason;
    }

    commerce_parked_remove(ledger->txn, ledger->reader->shop, work->order->id, version);
}


void
commerce_ledger_doubt(commerce_ledger_t *ledger, const commerce_order_t *before,
    const commerce_order_t *order)
{
    int64_t  n;

    n = (order->doubt != 0) - (before->doubt != 0);

    if (n != 0) {
        commerce_txn_add(ledger->txn,
                         commerce_counter_doubt(ledger->txn->arena, ledger->reader->shop), n,
                         COMMERCE_FOREVER, 0);
    }
}


void
commerce_ledger_order_event(commerce_ledger_work_t *work, const char *type,
    commerce_reason_t reason)
{
    char               *buffer;
    size_t              size;
    commerce_write_t    w;
    commerce_ledger_t  *ledger = work->ledger;

    size = commerce_event_order_size(work->order);
    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        work->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, type, ledger->reader->shop,
                         ledger->now_us);
    commerce_event_write_order(&w, work->order);

    if (reason != COMMERCE_R(OK)) {
        commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    }

    if (work->doubt != 0 && work->order->doubt == 0) {
        commerce_write_text(&w, "resolved", work->by);
    }

    commerce_ledger_add_event(work, &w);
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
