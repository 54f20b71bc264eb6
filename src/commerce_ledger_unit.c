/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_unit.h"


static void commerce_ledger_finish_order(commerce_ledger_work_t *work);
static void commerce_ledger_finish_parked(commerce_ledger_unit_t *unit,
    commerce_ledger_parked_t *parked);
static void *commerce_ledger_alloc(commerce_ledger_unit_t *unit, size_t size);


void
commerce_ledger_start(commerce_ledger_unit_t *unit, commerce_ledger_t *ledger)
{
    memset(unit, 0, sizeof(commerce_ledger_unit_t));
    unit->ledger = ledger;
}


void
commerce_ledger_attend(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    commerce_order_t *order, commerce_order_t *before, uint64_t version)
{
    memset(work, 0, sizeof(commerce_ledger_work_t));

    *before = *order;

    work->ledger = unit->ledger;
    work->order = order;
    work->before = before;
    work->version = version;
    work->reason = COMMERCE_R(ORDER_REPLAY);
    work->next = unit->works;
    work->all = &unit->works;

    unit->works = work;
}


commerce_ledger_work_t *
commerce_ledger_order(commerce_ledger_unit_t *unit, commerce_str_t user, commerce_str_t key)
{
    int                      rc;
    uint64_t                 version;
    commerce_order_t        *order;
    commerce_ledger_work_t  *work;

    for (work = unit->works; work != NULL; work = work->next) {
        if (commerce_equal(work->order->user, user) && commerce_equal(work->order->key, key)) {
            return work;
        }
    }

    order = commerce_ledger_alloc(unit, 2 * sizeof(commerce_order_t));
    work = commerce_ledger_alloc(unit, sizeof(commerce_ledger_work_t));

    if (order == NULL || work == NULL) {
        return NULL;
    }

    rc = commerce_order_read(unit->ledger->reader, user, key, order, &version);

    if (rc != COMMERCE_OK) {
        unit->failed = unit->failed || rc == COMMERCE_ERROR;
        return NULL;
    }

    commerce_ledger_attend(unit, work, order, order + 1, version);

    return work;
}


commerce_ledger_payment_t *
commerce_ledger_payment(commerce_ledger_unit_t *unit, commerce_str_t id)
{
    int                         rc;
    commerce_ledger_payment_t  *p;

    for (p = unit->payments; p != NULL; p = p->next) {
        if (commerce_equal(p->payment.id, id)) {
            return p;
        }
    }

    p = commerce_ledger_alloc(unit, sizeof(commerce_ledger_payment_t));
    if (p == NULL) {
        return NULL;
    }

    rc = commerce_payment_read(unit->ledger->reader, id, &p->payment, &p->version);

    if (rc == COMMERCE_ERROR) {
        unit->failed = true;
        return NULL;
    }

    p->payment.id = id;
    p->next = unit->payments;
    unit->payments = p;

    return p;
}


commerce_ledger_transaction_t *
commerce_ledger_transaction(commerce_ledger_unit_t *unit, commerce_str_t id)
{
    int                             rc;
    commerce_ledger_transaction_t  *t;

    for (t = unit->transactions; t != NULL; t = t->next) {
        if (commerce_equal(t->id, id)) {
            return t;
        }
    }

    t = commerce_ledger_alloc(unit, sizeof(commerce_ledger_transaction_t));
    if (t == NULL) {
        return NULL;
    }

    rc = commerce_transaction_read(unit->ledger->reader, id, &t->owner, &t->version);

    if (rc == COMMERCE_ERROR) {
        unit->failed = true;
        return NULL;
    }

    t->id = id;
    t->known = (rc == COMMERCE_OK);
    t->next = unit->transactions;
    unit->transactions = t;

    return t;
}


commerce_ledger_parked_t *
commerce_ledger_parked(commerce_ledger_unit_t *unit, const commerce_parked_for_t *what)
{
    int                        rc;
    commerce_ledger_parked_t  *p;

    for (p = unit->parked; p != NULL; p = p->next) {
        if (p->what.kind == what->kind && commerce_equal(p->what.name, what->name)
            && commerce_equal(p->what.user, what->user))
        {
            return p;
        }
    }

    p = commerce_ledger_alloc(unit, sizeof(commerce_ledger_parked_t));
    if (p == NULL) {
        return NULL;
    }

    rc = commerce_parked_read(unit->ledger->reader, what, &p->parked, &p->version);

    if (rc == COMMERCE_ERROR) {
        unit->failed = true;
        return NULL;
    }

    p->what = *what;
    p->next = unit->parked;
    unit->parked = p;

    return p;
}


void
commerce_ledger_note(commerce_ledger_work_t *work, commerce_reason_t reason)
{
    if (work->reason == COMMERCE_R(ORDER_REPLAY)
        || (work->reason == COMMERCE_R(OK) && reason != COMMERCE_R(ORDER_REPLAY)))
    {
        work->reason = reason;
    }
}


commerce_effect_t
commerce_ledger_move(commerce_ledger_work_t *work, commerce_step_t step,
    const commerce_answer_t *answer, bool taken)
{
    bool               lost;
    commerce_str_t     by;
    commerce_effect_t  effect;
    commerce_reason_t  reason;

    work->doubt = work->order->doubt;
    effect = commerce_order_step(work->order, step, answer, work->ledger->now);

    commerce_ledger_note(work, effect.reason);

    if (!effect.changed) {
        return effect;
    }

    work->changed = true;
    work->removed = effect.removed;

    reason = (step == COMMERCE_STEP_REFUSED) ? COMMERCE_R(COUPON_UPSTREAM_REJECTED)
             : (step == COMMERCE_STEP_DUE) ? COMMERCE_R(ORDER_DEADLINE) : COMMERCE_R(OK);

    by = work->by;

    if (by.len == 0) {
        work->by = (step == COMMERCE_STEP_DUE) ? commerce_string("deadline")
                   : (step == COMMERCE_STEP_ACCEPTED || step == COMMERCE_STEP_REFUSED
                      || step == COMMERCE_STEP_UNKNOWN)
                     ? commerce_string("answer") : commerce_string("notice");
    }

    lost = work->lost;
    work->lost = false;
    commerce_ledger_coupons(work, effect.coupons, reason);

    reason = work->lost ? COMMERCE_R(COUPON_RESERVATION_LOST) : effect.reason;
    work->lost = work->lost || lost;

    if (taken && reason == COMMERCE_R(OK)) {
        reason = COMMERCE_R(ORDER_REPLAY);
    }

    commerce_ledger_order_event(work, step == COMMERCE_STEP_PAID ? "paid" : "order", reason);
    work->by = by;

    return effect;
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
commerce_ledger_finish(commerce_ledger_unit_t *unit)
{
    commerce_txn_t                 *txn = unit->ledger->txn;
    commerce_str_t                  shop = unit->ledger->reader->shop;
    commerce_ledger_work_t         *work;
    commerce_ledger_parked_t       *parked;
    commerce_ledger_payment_t      *payment;
    commerce_ledger_transaction_t  *transaction;

    commerce_ledger_bindings(unit);

    for (work = unit->works; work != NULL; work = work->next) {
        commerce_ledger_finish_order(work);
        unit->failed = unit->failed || work->failed;
    }

    for (payment = unit->payments; payment != NULL; payment = payment->next) {
        if (payment->dirty) {
            commerce_ledger_payment_event(unit, &payment->payment);
            commerce_payment_write(txn, shop, &payment->payment, payment->version);
        }
    }

    for (transaction = unit->transactions; transaction != NULL; transaction = transaction->next) {
        if (transaction->dirty) {
            commerce_transaction_write(txn, shop, transaction->id, &transaction->owner,
                                       transaction->version);
        }
    }

    for (parked = unit->parked; parked != NULL; parked = parked->next) {
        commerce_ledger_finish_parked(unit, parked);
    }

    if (unit->failed || txn->failed) {
        txn->failed = true;
        return COMMERCE_R(INTERNAL);
    }

    return COMMERCE_R(OK);
}


static void
commerce_ledger_finish_order(commerce_ledger_work_t *work)
{
    commerce_ledger_t  *ledger = work->ledger;

    if (!work->changed) {
        return;
    }

    if (work->removed) {
        commerce_order_remove(ledger->txn, ledger->reader->shop, work->before, work->version);

    } else {
        commerce_order_write(ledger->txn, ledger->reader->shop, work->order, work->version,
                             work->before);
    }

    commerce_ledger_doubt(ledger, work->before, work->order);
    commerce_ledger_store(work);
}


/*
 * What was looked at and not there must still not be there when this is applied: a notice that is being parked
 * now conflicts
 */

static void
commerce_ledger_finish_parked(commerce_ledger_unit_t *unit, commerce_ledger_parked_t *parked)
{
    commerce_txn_t  *txn = unit->ledger->txn;
    commerce_str_t   shop = unit->ledger->reader->shop;

    if (!parked->dirty) {
        if (parked->version == 0 && txn->count != 0) {
            commerce_parked_vacant(txn, shop, &parked->what);
        }

        return;
    }

    if (parked->parked.count != 0) {
        commerce_parked_write(txn, shop, &parked->what, &parked->parked, parked->version);

    } else if (parked->version != 0) {
        commerce_parked_remove(txn, shop, &parked->what, parked->version);

    } else {
        commerce_parked_vacant(txn, shop, &parked->what);
    }
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


static void *
commerce_ledger_alloc(commerce_ledger_unit_t *unit, size_t size)
{
    void  *p;

    p = commerce_alloc(unit->ledger->txn->arena, size);
    unit->failed = unit->failed || p == NULL;

    return p;
}
