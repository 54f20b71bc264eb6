/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_coupons.h"


#define COMMERCE_LEDGER_COUPON_EVENT  1024      /* bytes of a coupon event but its texts */
#define COMMERCE_LEDGER_ESCAPE        6         /* what one byte of a text can become */


static void commerce_ledger_give_back(commerce_ledger_work_t *work, unsigned i,
    commerce_reason_t reason);
static void commerce_ledger_redeem(commerce_ledger_work_t *work, unsigned i);
static commerce_reason_t commerce_ledger_take_again(commerce_ledger_work_t *work, unsigned i);
static bool commerce_ledger_full(commerce_ledger_t *ledger, commerce_str_t counter,
    int64_t limit);


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


static void
commerce_ledger_give_back(commerce_ledger_work_t *work, unsigned i, commerce_reason_t reason)
{
    bool                      redeemed;
    commerce_str_t            used_by;
    commerce_coupon_t        *coupon;
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
    used_by = coupon->used_by;

    done = redeemed ? commerce_coupon_rollback(coupon, work->order->user, work->order->key,
                                               work->ledger->now)
                    : commerce_coupon_release(coupon, work->order->user, work->order->key,
                                              work->ledger->now);

    use->use = redeemed ? COMMERCE_USE_ROLLED_BACK : COMMERCE_USE_RELEASED;

    if (done != COMMERCE_R(OK)) {
        return;
    }

    work->dirty[i] = true;
    commerce_ledger_count(work->ledger, use->campaign, used_by, -1, COMMERCE_FOREVER,
                          COMMERCE_FOREVER);

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

static commerce_reason_t
commerce_ledger_take_again(commerce_ledger_work_t *work, unsigned i)
{
    int                   rc;
    bool                  full;
    commerce_coupon_t    *coupon = &work->coupons[i];
    commerce_ledger_t    *ledger = work->ledger;
    commerce_campaign_t   campaign;

    if (commerce_coupon_reserve(coupon, work->order->user, work->order->key, ledger->now)
        != COMMERCE_R(OK))
    {
        return COMMERCE_R(OK);
    }

    rc = commerce_campaign_read(ledger->reader, coupon->campaign, &campaign, NULL);

    if (rc == COMMERCE_ERROR) {
        work->failed = true;
    }

    full = rc == COMMERCE_OK
           && (commerce_ledger_full(ledger,
                                    commerce_counter_total(ledger->reader->arena,
                                                           ledger->reader->shop,
                                                           coupon->campaign),
                                    campaign.total_limit)
               || commerce_ledger_full(ledger,
                                       commerce_counter_user(ledger->reader->arena,
                                                             ledger->reader->shop,
                                                             coupon->campaign, coupon->used_by),
                                       campaign.user_limit));

    commerce_ledger_count(ledger, coupon->campaign, coupon->used_by, 1, COMMERCE_FOREVER,
                          COMMERCE_FOREVER);

    if (full) {
        return COMMERCE_R(BUDGET_EXCEEDED_BY_NOTICE);
    }

    return (rc == COMMERCE_OK && ledger->now >= campaign.until) ? COMMERCE_R(COUPON_EXPIRED)
                                                                : COMMERCE_R(OK);
}


/* is the counter at its limit, with what this transaction adds? */

static bool
commerce_ledger_full(commerce_ledger_t *ledger, commerce_str_t counter, int64_t limit)
{
    int64_t         value;
    unsigned        i;
    commerce_op_t  *op;

    if (limit == COMMERCE_FOREVER
        || commerce_view_counter(ledger->reader->view, counter, &value) != COMMERCE_OK)
    {
        return false;
    }

    for (i = 0; i < ledger->txn->count; i++) {
        op = &ledger->txn->ops[i];

        if (op->kind == COMMERCE_OP_ADD && commerce_equal(op->key, counter)) {
            value += op->n;
        }
    }

    return value >= limit;
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

    rc = commerce_coupon_read(work->ledger->reader, use->campaign, use->serial, coupon,
                              &work->versions[i]);

    if (rc == COMMERCE_ERROR) {
        work->failed = true;
        return NULL;
    }

    work->loaded[i] = true;

    return coupon;
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


void
commerce_ledger_count(commerce_ledger_t *ledger, unsigned campaign, commerce_str_t user,
    int64_t n, int64_t total_limit, int64_t user_limit)
{
    commerce_str_t     shop = ledger->reader->shop;
    commerce_arena_t  *arena = ledger->txn->arena;

    commerce_txn_add(ledger->txn, commerce_counter_total(arena, shop, campaign), n, total_limit,
                     COMMERCE_R(COUPON_TOTAL_LIMIT));
    commerce_txn_add(ledger->txn, commerce_counter_user(arena, shop, campaign, user), n,
                     user_limit, COMMERCE_R(COUPON_CUSTOMER_LIMIT));
}


void
commerce_ledger_coupon_event(commerce_ledger_work_t *work, unsigned i, const char *type,
    commerce_coupon_state_t from, commerce_coupon_state_t to, commerce_reason_t reason)
{
    int                             credit;
    char                           *buffer;
    size_t                          size;
    commerce_str_t                  seller;
    commerce_write_t                w;
    commerce_order_t               *order = work->order;
    commerce_ledger_t              *ledger = work->ledger;
    const commerce_order_coupon_t  *use = &order->coupons[i];

    credit = order->line_count != 0 ? order->lines[0].credit : -1;
    seller = (credit >= 0 && credit < (int) order->credit_count)
             ? order->credits[credit].seller_id : commerce_string("");

    size = COMMERCE_LEDGER_COUPON_EVENT
           + COMMERCE_LEDGER_ESCAPE * (use->campaign_id.len + order->key.len
                                       + order->pseudonym.len + seller.len);

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

    if (use->discount < 0) {
        commerce_write_null(&w, "discount");

    } else {
        commerce_write_int(&w, "discount", use->discount);
    }

    commerce_write_text(&w, "from", commerce_cstr(commerce_coupon_state_name(from)));
    commerce_write_text(&w, "to", commerce_cstr(commerce_coupon_state_name(to)));

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
