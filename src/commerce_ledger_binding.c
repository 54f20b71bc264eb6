/*
 * Copyright (C) ngx_commerce authors
 *
 * What payment does to the binding of the order's buyer (order_extend=).
 */

#include "commerce_ledger_unit.h"

#define COMMERCE_LEDGER_BIND_EVENT  2048


static void commerce_ledger_extend(commerce_ledger_work_t *work);
static void commerce_ledger_bind_event(commerce_ledger_work_t *work, const commerce_binding_t *before,
    const commerce_buyer_t *buyer, commerce_reason_t reason);


/* of several orders of one buyer, all paid at once, the latest counts: the others' ends come before */

void
commerce_ledger_bindings(commerce_ledger_unit_t *unit)
{
    commerce_ledger_work_t  *work, *other;

    for (work = unit->works; work != NULL; work = work->next) {

        if (!work->order->paid || work->before == NULL || work->before->paid || work->removed) {
            continue;
        }

        for (other = unit->works; other != NULL; other = other->next) {
            if (other != work && other->order->paid && other->before != NULL && !other->before->paid
                && commerce_equal(other->order->user, work->order->user)
                && (other->order->created > work->order->created
                    || (other->order->created == work->order->created && other < work)))
            {
                break;
            }
        }

        if (other == NULL) {
            commerce_ledger_extend(work);
        }
    }
}


static void
commerce_ledger_extend(commerce_ledger_work_t *work)
{
    int                 rc;
    uint64_t            version;
    commerce_str_t      user;
    commerce_buyer_t   *buyer;
    commerce_binding_t  before;
    commerce_ledger_t  *ledger = work->ledger;

    buyer = commerce_alloc(ledger->txn->arena, sizeof(commerce_buyer_t));

    if (buyer == NULL) {
        work->failed = true;
        return;
    }

    user = work->order->user;
    rc = commerce_buyer_resolve(ledger->reader, &user, buyer, &version);

    /* money is noted also when his binding cannot be read: "store check" tells of that */

    if (rc != COMMERCE_OK) {
        return;
    }

    before = buyer->binding;

    if (commerce_binding_extend(&buyer->binding, work->order->created) == COMMERCE_R(OK)) {
        return;
    }

    commerce_ledger_bind_event(work, &before, buyer, COMMERCE_R(BIND_ORDER_EXTEND));
    commerce_buyer_write(ledger->txn, ledger->reader->shop, user, buyer, version);
}


static void
commerce_ledger_bind_event(commerce_ledger_work_t *work, const commerce_binding_t *before,
    const commerce_buyer_t *buyer, commerce_reason_t reason)
{
    char                      *buffer;
    commerce_write_t           w;
    commerce_ledger_t         *ledger = work->ledger;
    commerce_person_t          owner;
    commerce_event_binding_t   event;

    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, COMMERCE_LEDGER_BIND_EVENT);

    if (buffer == NULL) {
        work->failed = true;
        return;
    }

    (void) commerce_person_read(ledger->reader, buyer->binding.owner, &owner, NULL);

    memset(&event, 0, sizeof(commerce_event_binding_t));
    event.buyer = buyer->pseudonym.len != 0 ? buyer->pseudonym : work->order->pseudonym;
    event.seller = owner.id;
    event.from = commerce_binding_state(before, ledger->now);
    event.reason = reason;
    event.binding = &buyer->binding;

    commerce_event_start(&w, buffer, COMMERCE_LEDGER_BIND_EVENT, ledger->events, "bind",
                         ledger->reader->shop, ledger->now_us);
    commerce_event_write_binding(&w, &event);
    commerce_ledger_add_event(work, &w);
}
