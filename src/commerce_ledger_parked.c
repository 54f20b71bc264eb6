/*
 * Copyright (C) ngx_commerce authors
 *
 * notice: that one waits, with all that it told; that those are joined that waited for something; that one could
 * neither be joined nor go on waiting.  Whoever sent it was told that it arrived, and does not send it again: a restored
 * store makes it anew from the log, and a person the one that was dropped.
 */

#include "commerce_ledger_unit.h"

#define COMMERCE_LEDGER_NOTICE_EVENT  1024      /* but for its texts */
#define COMMERCE_LEDGER_NOTICE_LINE   128


static const char *const  commerce_ledger_waiting[] = {
    [COMMERCE_LEDGER_PARKED] = "parked",
    [COMMERCE_LEDGER_JOINED] = "joined",
    [COMMERCE_LEDGER_DROPPED] = "dropped",
};


static size_t commerce_ledger_parked_size(const commerce_parked_for_t *what, commerce_str_t buyer,
    const commerce_notice_t *notice);
static void commerce_ledger_parked_for(commerce_write_t *w, const commerce_parked_for_t *what, commerce_str_t buyer);
static void commerce_ledger_parked_told(commerce_write_t *w, const commerce_notice_t *notice);


void
commerce_ledger_parked_event(commerce_ledger_unit_t *unit, const commerce_parked_for_t *what, commerce_str_t buyer,
    const commerce_notice_t *notice, commerce_ledger_waiting_t state)
{
    char               *buffer;
    size_t              size;
    commerce_str_t      body;
    commerce_write_t    w;
    commerce_ledger_t  *ledger = unit->ledger;

    size = commerce_ledger_parked_size(what, buyer, notice);
    buffer = ledger->txn->arena->alloc(ledger->txn->arena->owner, size);

    if (buffer == NULL) {
        unit->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "notice", ledger->reader->shop, ledger->now_us);
    commerce_write_text(&w, "state", commerce_cstr(commerce_ledger_waiting[state]));
    commerce_ledger_parked_for(&w, what, buyer);

    if (notice != NULL) {
        commerce_ledger_parked_told(&w, notice);
    }

    body = commerce_event_finish(&w);

    if (body.len == 0) {
        unit->failed = true;
        return;
    }

    commerce_txn_event(ledger->txn, body);
}


static size_t
commerce_ledger_parked_size(const commerce_parked_for_t *what, commerce_str_t buyer, const commerce_notice_t *notice)
{
    size_t    size, texts;
    unsigned  i;

    texts = what->name.len + buyer.len;
    size = COMMERCE_LEDGER_NOTICE_EVENT;

    if (notice != NULL) {
        texts += notice->id.len + notice->payment.len + notice->transaction.len + notice->refund.len;

        for (i = 0; i < notice->line_count; i++) {
            texts += notice->lines[i].sku.len;
            size += COMMERCE_LEDGER_NOTICE_LINE;
        }
    }

    return size + COMMERCE_EVENT_ESCAPE * texts;
}


static void
commerce_ledger_parked_for(commerce_write_t *w, const commerce_parked_for_t *what, commerce_str_t buyer)
{
    const char  *name;

    switch (what->kind) {
    case COMMERCE_PARKED_ID:
        name = "order_id";
        break;
    case COMMERCE_PARKED_PAYMENT:
        name = "payment";
        break;
    case COMMERCE_PARKED_TRANSACTION:
        name = "transaction";
        break;
    default:
        name = "order_key";
    }

    commerce_write_text(w, "waits_for", commerce_cstr(name));
    commerce_write_text(w, name, what->name);

    if (what->kind == COMMERCE_PARKED_ORDER) {
        commerce_write_optional(w, "buyer", buyer);
    }
}


static void
commerce_ledger_parked_told(commerce_write_t *w, const commerce_notice_t *notice)
{
    unsigned                       i;
    const commerce_refund_line_t  *line;

    commerce_write_open(w, "told", '{');
    commerce_write_text(w, "step", commerce_cstr(commerce_notice_name(notice->kind)));
    commerce_write_int(w, "time", notice->time);
    commerce_write_optional(w, "order_id", notice->id);
    commerce_write_optional(w, "payment", notice->payment);
    commerce_write_optional(w, "transaction", notice->transaction);
    commerce_write_optional(w, "refund", notice->refund);

    if (notice->amount >= 0) {
        commerce_write_int(w, "amount", notice->amount);
    }

    if (notice->freight != 0) {
        commerce_write_int(w, "freight", notice->freight);
    }

    if (notice->line_count != 0) {
        commerce_write_open(w, "lines", '[');

        for (i = 0; i < notice->line_count; i++) {
            line = &notice->lines[i];

            commerce_write_open(w, NULL, '{');
            commerce_write_int(w, "line", line->line);
            commerce_write_optional(w, "sku", line->sku);
            commerce_write_int(w, "amount", line->amount);
            commerce_write_int(w, "quantity", line->quantity);
            commerce_write_close(w, '}');
        }

        commerce_write_close(w, ']');
    }

    commerce_write_close(w, '}');
}
