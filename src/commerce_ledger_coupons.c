/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_coupons.h"
#include "commerce_path.h"


#define COMMERCE_LEDGER_COUPON_EVENT  1024      /* bytes of a coupon event but its texts */
#define COMMERCE_LEDGER_ESCAPE        6         /* what one byte of a text can become */


static void commerce_ledger_redeem(commerce_ledger_work_t *work, unsigned i);
static bool commerce_ledger_take_over(commerce_ledger_work_t *work, unsigned i);
static int commerce_ledger_written(commerce_ledger_t *ledger, commerce_coupon_t *coupon);
static void commerce_ledger_add(commerce_ledger_t *ledger, const commerce_count_op_t *ops,
    unsigned count, int sign);
static bool commerce_ledger_full(commerce_ledger_t *ledger, const commerce_count_op_t *op);


void
commerce_ledger_coupons(commerce_ledger_work_t *work, commerce_coupons_effect_t effect,
    commerce_reason_t reason)
{
    unsigned  i;

    for (i = 0; i < work->order->coupon_count; i++) {
        switch (effect) {

        case COMMERCE_COUPONS_REDEEM:
            commerce_ledger_redeem(work, i);
            break;

        case COMMERCE_COUPONS_RELEASE:
            commerce_ledger_give_back(work, i, reason);
            break;

        default:
            break;
        }
    }
}


void
commerce_ledger_give_back(commerce_ledger_work_t *work, unsigned i, commerce_reason_t reason)
{
    bool                      redeemed;
    commerce_coupon_t         before, *coupon;
    commerce_reason_t         done;
    commerce_order_coupon_t  *use = &work->order->coupons[i];

    if (use->use != COMMERCE_USE_RESERVED && use->use != COMMERCE_USE_REDEEMED) {
        return;
    }

    coupon = commerce_ledger_load(work, i);
    if (coupon == NULL) {
        return;
    }

    redeemed = (use->use == COMMERCE_USE_REDEEMED);
    before = *coupon;

    done = redeemed ? commerce_coupon_rollback(coupon, work->order->user, work->order->key,
                                               work->ledger->now)
                    : commerce_coupon_release(coupon, work->order->user, work->order->key,
                                              work->ledger->now);

    if (done == COMMERCE_R(COUPON_ROLLBACK_CYCLES)) {
        commerce_ledger_coupon_event(work, i, "coupon_rollback", COMMERCE_COUPON_REDEEMED,
                                     COMMERCE_COUPON_REDEEMED, done);
        return;
    }

    use->use = redeemed ? COMMERCE_USE_ROLLED_BACK : COMMERCE_USE_RELEASED;

    if (done != COMMERCE_R(OK)) {
        return;
    }

    work->dirty[i] = true;
    commerce_ledger_count_back(work->ledger, &before);

    commerce_ledger_coupon_event(work, i, redeemed ? "coupon_rollback" : "coupon_release",
                                 redeemed ? COMMERCE_COUPON_REDEEMED : COMMERCE_COUPON_RESERVED,
                                 COMMERCE_COUPON_ISSUED, reason);
}


static void
commerce_ledger_redeem(commerce_ledger_work_t *work, unsigned i)
{
    commerce_coupon_t        *coupon;
    commerce_reason_t         flag;
    commerce_coupon_state_t   from;
    commerce_order_coupon_t  *use = &work->order->coupons[i];

    if (use->use != COMMERCE_USE_RESERVED && use->use != COMMERCE_USE_RELEASED) {
        return;
    }

    coupon = commerce_ledger_load(work, i);
    if (coupon == NULL) {
        return;
    }

    from = coupon->state;
    flag = COMMERCE_R(OK);

    if (from == COMMERCE_COUPON_ISSUED) {
        flag = commerce_ledger_take_again(work, i);
    }

    switch (commerce_coupon_redeem(coupon, work->order->user, work->order->key,
                                   work->ledger->now))
    {
    case COMMERCE_R(OK):
        work->dirty[i] = true;
        use->use = COMMERCE_USE_REDEEMED;
        commerce_ledger_coupon_event(work, i, "coupon_redeem", from, COMMERCE_COUPON_REDEEMED,
                                     flag);
        return;

    case COMMERCE_R(COUPON_IDEMPOTENT_REPLAY):
        use->use = COMMERCE_USE_REDEEMED;
        return;

    default:
        use->use = COMMERCE_USE_LOST;
        work->lost = true;
    }
}


/* the order exists and was promised the coupon: neither limit nor end stops it, both are told */

commerce_reason_t
commerce_ledger_take_again(commerce_ledger_work_t *work, unsigned i)
{
    int                    rc;
    bool                   full;
    unsigned               k, count;
    commerce_coupon_t     *coupon = &work->coupons[i];
    commerce_ledger_t     *ledger = work->ledger;
    commerce_campaign_t    campaign;
    commerce_count_op_t    ops[COMMERCE_COUNT_OPS];

    rc = commerce_campaign_read(ledger->reader, coupon->campaign, &campaign, NULL);

    if (rc == COMMERCE_ERROR) {
        work->failed = true;
    }

    /* it is free as far as is known, but another order may have spent it */

    if (rc == COMMERCE_OK && campaign.closed != 0) {
        return COMMERCE_R(COUPON_RESERVATION_LOST);
    }

    if (commerce_coupon_reserve(coupon, work->order->user, work->order->key, ledger->now)
        != COMMERCE_R(OK))
    {
        return COMMERCE_R(OK);
    }

    /* a budget that cannot tell what the use costs counts nothing for it, and is exceeded */

    full = rc == COMMERCE_OK
           && commerce_ledger_begin(work->order, coupon, &campaign,
                                    work->order->coupons[i].discount, ledger->now)
              != COMMERCE_R(OK);

    if (full) {
        coupon->counted.discount = 0;
    }

    count = commerce_count_ops(ledger->txn->arena, ledger->reader->shop, coupon,
                               rc == COMMERCE_OK ? &campaign : NULL, ops);

    for (k = 0; k < count; k++) {
        full = full || commerce_ledger_full(ledger, &ops[k]);
        ops[k].cap = COMMERCE_FOREVER;
    }

    commerce_ledger_add(ledger, ops, count, 1);

    if (full) {
        return COMMERCE_R(BUDGET_EXCEEDED_BY_NOTICE);
    }

    return (rc == COMMERCE_OK && ledger->now >= commerce_coupon_end(&campaign, coupon))
           ? COMMERCE_R(COUPON_EXPIRED) : COMMERCE_R(OK);
}


/* would it pass its cap, with what this transaction adds besides? */

static bool
commerce_ledger_full(commerce_ledger_t *ledger, const commerce_count_op_t *op)
{
    int64_t         value;
    unsigned        i;
    commerce_op_t  *other;

    if (op->cap == COMMERCE_FOREVER
        || commerce_view_counter(ledger->reader->view, op->key, &value) != COMMERCE_OK)
    {
        return false;
    }

    for (i = 0; i < ledger->txn->count; i++) {
        other = &ledger->txn->ops[i];

        if (other->kind == COMMERCE_OP_ADD && commerce_equal(other->key, op->key)) {
            value += other->n;
        }
    }

    return value > op->cap - op->n;
}


commerce_coupon_t *
commerce_ledger_load(commerce_ledger_work_t *work, unsigned i)
{
    int                             rc;
    commerce_coupon_t              *coupon = &work->coupons[i];
    const commerce_order_coupon_t  *use = &work->order->coupons[i];

    if (work->loaded[i]) {
        return coupon;
    }

    if (commerce_ledger_take_over(work, i)) {
        return coupon;
    }

    rc = commerce_coupon_read(work->ledger->reader, use->campaign, use->serial, coupon,
                              &work->versions[i]);

    if (rc != COMMERCE_ERROR) {
        rc = commerce_ledger_written(work->ledger, coupon);
    }

    if (rc == COMMERCE_ERROR) {
        work->failed = true;
        return NULL;
    }

    work->loaded[i] = true;

    return coupon;
}


/* an earlier part of this transaction has written it already: a cart's, before the order's own steps */

static int
commerce_ledger_written(commerce_ledger_t *ledger, commerce_coupon_t *coupon)
{
    unsigned              i;
    commerce_path_t       path;
    const commerce_op_t  *op;

    commerce_path_coupon(&path, ledger->reader->shop, coupon->campaign, coupon->serial);

    for (i = ledger->txn->count; i > 0; i--) {
        op = &ledger->txn->ops[i - 1];

        if (op->kind == COMMERCE_OP_PUT && commerce_equal(op->key, commerce_path_str(&path))) {
            return commerce_coupon_decode(ledger->txn->arena, op->value, coupon);
        }
    }

    return COMMERCE_OK;
}


/* another order of this transaction has changed it: the view still shows what it was before that */

static bool
commerce_ledger_take_over(commerce_ledger_work_t *work, unsigned i)
{
    unsigned                        k;
    commerce_ledger_work_t         *other;
    const commerce_order_coupon_t  *use = &work->order->coupons[i];

    for (other = work->all != NULL ? *work->all : NULL; other != NULL; other = other->next) {
        for (k = 0; k < other->order->coupon_count; k++) {
            if (other->dirty[k] && other->coupons[k].campaign == use->campaign
                && other->coupons[k].serial == use->serial)
            {
                work->coupons[i] = other->coupons[k];
                work->versions[i] = other->versions[k];
                work->loaded[i] = true;
                work->dirty[i] = true;
                other->dirty[k] = false;
                other->loaded[k] = false;

                return true;
            }
        }
    }

    return false;
}


void
commerce_ledger_store(commerce_ledger_work_t *work)
{
    unsigned  i;

    for (i = 0; i < work->order->coupon_count; i++) {
        if (work->dirty[i]) {
            commerce_coupon_write(work->ledger->txn, work->ledger->reader->shop,
                                  &work->coupons[i], work->versions[i]);
        }
    }
}


commerce_reason_t
commerce_ledger_begin(const commerce_order_t *order, commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign, commerce_fen_t discount, commerce_time_t now)
{
    commerce_count_for_t      what;
    const commerce_credit_t  *winner;

    winner = commerce_order_winner(order);

    what.group = winner != NULL ? winner->group_id : commerce_string("");
    what.seller = winner != NULL ? winner->seller_id : commerce_string("");
    what.discount = discount;

    return commerce_count_begin(coupon, campaign, &what, now);
}


void
commerce_ledger_count(commerce_ledger_t *ledger, const commerce_coupon_t *coupon,
    const commerce_campaign_t *campaign)
{
    unsigned             count;
    commerce_count_op_t  ops[COMMERCE_COUNT_OPS];

    count = commerce_count_ops(ledger->txn->arena, ledger->reader->shop, coupon, campaign, ops);
    commerce_ledger_add(ledger, ops, count, 1);
}


void
commerce_ledger_count_back(commerce_ledger_t *ledger, const commerce_coupon_t *coupon)
{
    unsigned             count;
    commerce_count_op_t  ops[COMMERCE_COUNT_OPS];

    count = commerce_count_ops(ledger->txn->arena, ledger->reader->shop, coupon, NULL, ops);
    commerce_ledger_add(ledger, ops, count, -1);
}


void
commerce_ledger_recount(commerce_ledger_work_t *work, unsigned i, commerce_fen_t discount)
{
    commerce_coupon_t              *coupon;
    const commerce_order_coupon_t  *use = &work->order->coupons[i];

    /* one that the order does not have (any more) may be another's */

    if (use->use != COMMERCE_USE_RESERVED && use->use != COMMERCE_USE_REDEEMED) {
        return;
    }

    coupon = commerce_ledger_load(work, i);

    if (coupon == NULL || coupon->counted.money == 0 || discount < 0
        || discount == coupon->counted.discount)
    {
        return;
    }

    commerce_ledger_count_back(work->ledger, coupon);
    coupon->counted.discount = discount;
    commerce_ledger_count(work->ledger, coupon, NULL);

    work->dirty[i] = true;
}


static void
commerce_ledger_add(commerce_ledger_t *ledger, const commerce_count_op_t *ops, unsigned count,
    int sign)
{
    unsigned  i;

    for (i = 0; i < count; i++) {
        commerce_txn_add(ledger->txn, ops[i].key, sign * ops[i].n, ops[i].cap, ops[i].reason);
    }
}


void
commerce_ledger_coupon_event(commerce_ledger_work_t *work, unsigned i, const char *type,
    commerce_coupon_state_t from, commerce_coupon_state_t to, commerce_reason_t reason)
{
    char                           *buffer;
    size_t                          size;
    commerce_str_t                  seller, group;
    commerce_write_t                w;
    commerce_order_t               *order = work->order;
    commerce_ledger_t              *ledger = work->ledger;
    const commerce_credit_t        *winner;
    const commerce_order_coupon_t  *use = &order->coupons[i];

    winner = commerce_order_winner(order);
    seller = winner != NULL ? winner->seller_id : commerce_string("");
    group = winner != NULL ? winner->group_id : commerce_string("");

    size = COMMERCE_LEDGER_COUPON_EVENT
           + COMMERCE_LEDGER_ESCAPE * (use->campaign_id.len + order->key.len
                                       + order->pseudonym.len + seller.len + group.len);

    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        work->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, type, ledger->reader->shop,
                         ledger->now_us);
    commerce_write_text(&w, "campaign", use->campaign_id);
    commerce_write_int(&w, "serial", use->serial);
    commerce_write_text(&w, "order_key", order->key);
    commerce_write_optional(&w, "buyer", order->pseudonym);
    commerce_write_optional(&w, "seller", seller);
    commerce_write_optional(&w, "group", group);

    if (use->discount < 0) {
        commerce_write_null(&w, "discount");

    } else {
        commerce_write_int(&w, "discount", use->discount);
    }

    commerce_write_text(&w, "from", commerce_cstr(commerce_coupon_state_name(from)));
    commerce_write_text(&w, "to", commerce_cstr(commerce_coupon_state_name(to)));

    /* what a store that is restored needs to know of an order whose record is lost */

    if (to == COMMERCE_COUPON_RESERVED) {
        commerce_write_text(&w, "redeem_on", order->redeem_on_paid ? commerce_string("paid")
                                                                   : commerce_string("order"));

        if (order->shop_key) {
            commerce_write_text(&w, "scope", commerce_string("shop"));
        }

        if (order->deadline != COMMERCE_FOREVER) {
            commerce_write_int(&w, "deadline", order->deadline);
        }
    }

    if (reason != COMMERCE_R(OK)) {
        commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    }

    commerce_ledger_add_event(work, &w);
}


void
commerce_ledger_add_event(commerce_ledger_work_t *work, commerce_write_t *w)
{
    commerce_str_t  body;

    body = commerce_event_finish(w);

    if (body.len == 0) {
        work->failed = true;
        return;
    }

    commerce_txn_event(work->ledger->txn, body);
}
