/*
 * Copyright (C) ngx_commerce authors
 *
 * attr_revision: the order with its winners and commissions as they are now, and what was told.
 */

#include "commerce_ledger_unit.h"
#include "commerce_revision.h"

#define COMMERCE_LEDGER_TOLD  1024      /* bytes that "told" takes, but for its texts */


static void commerce_ledger_revision_event(commerce_ledger_work_t *work, const commerce_credit_t *told,
    commerce_reason_t reason);


commerce_reason_t
commerce_ledger_revise(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_source_t *classes, const commerce_credit_t *credit, uint64_t buyer)
{
    commerce_order_t        before;
    commerce_reason_t       reason, result;
    commerce_ledger_work_t  work;
    commerce_ledger_unit_t  unit;

    commerce_ledger_start(&unit, ledger);
    commerce_ledger_attend(&unit, &work, order, &before, version);

    /* lines are changed in place, and the work compares with what was */

    if (order->line_count != 0) {
        before.lines = commerce_alloc(ledger->txn->arena, order->line_count * sizeof(commerce_line_t));

        if (before.lines == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        memcpy(before.lines, order->lines, order->line_count * sizeof(commerce_line_t));
    }

    reason = commerce_revision_apply(classes, order, credit, buyer, ledger->now);

    switch (reason) {

    case COMMERCE_R(ATTR_LATE_REVISION):
    case COMMERCE_R(ATTR_ASSIST_ONLY):
        commerce_ledger_terms(ledger, order, order->terms.plan);
        work.changed = true;
        break;

    case COMMERCE_R(ATTR_AFTER_FREEZE):
        break;                          /* told of, and nothing is changed */

    default:
        return reason;
    }

    commerce_ledger_revision_event(&work, credit, reason);

    result = commerce_ledger_finish(&unit);

    return result == COMMERCE_R(OK) ? reason : result;
}


static void
commerce_ledger_revision_event(commerce_ledger_work_t *work, const commerce_credit_t *told,
    commerce_reason_t reason)
{
    char               *buffer;
    size_t              size;
    commerce_write_t    w;
    commerce_ledger_t  *ledger = work->ledger;

    size = commerce_event_order_size(work->order) + COMMERCE_LEDGER_TOLD
           + COMMERCE_EVENT_ESCAPE * (told->seller_id.len + told->tier2_id.len + told->group_id.len
                                      + told->room_id.len + told->channel_id.len + told->platform.len);
    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        work->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "attr_revision", ledger->reader->shop, ledger->now_us);
    commerce_event_write_order(&w, work->order);
    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    commerce_write_bool(&w, "effective", reason == COMMERCE_R(ATTR_LATE_REVISION));
    commerce_event_write_told(&w, told);
    commerce_ledger_add_event(work, &w);
}
