/*
 * Copyright (C) ngx_commerce authors
 *
 * Splits in the ledger: one that goes on is written down, with its event, before a platform sees it.
 */

#include "commerce_ledger.h"
#include "commerce_write.h"


#define COMMERCE_SPLIT_EVENT  2048          /* bytes of its event, but for names that have to be escaped */


static void commerce_ledger_split_event(commerce_ledger_t *ledger, const commerce_order_t *order,
    const commerce_split_t *split, const commerce_split_past_t *past, commerce_reason_t reason);
static char *commerce_ledger_split_event_start(commerce_ledger_t *ledger, commerce_write_t *w, const char *type, size_t more);
static void commerce_ledger_split_finish(commerce_ledger_t *ledger, commerce_write_t *w);


commerce_reason_t
commerce_ledger_split(commerce_ledger_t *ledger, const commerce_order_t *order, uint64_t version,
    commerce_split_t *split, const uint8_t content[COMMERCE_FINGERPRINT], bool pay_frozen,
    commerce_person_get_t get, void *data)
{
    uint64_t            splits_version;
    commerce_splits_t   splits;
    commerce_reason_t   reason;
    commerce_reader_t  *reader = ledger->reader;

    if (commerce_splits_read(reader, order->user, order->key, &splits, &splits_version) == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    reason = commerce_split_judge(split, content, &splits, order, pay_frozen, get, data);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(SPLIT_REPLAY)) {
        return reason;
    }

    if (commerce_splits_add(reader->arena, &splits, split, content, order, ledger->now) != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    /* nothing may have been paid back, or split, meanwhile */

    commerce_order_compare(ledger->txn, reader->shop, order->user, order->key, version);
    commerce_splits_write(ledger->txn, reader->shop, order->user, order->key, &splits, splits_version);

    commerce_ledger_split_event(ledger, order, split, commerce_splits_find(&splits, split->number), reason);

    return reason;
}


commerce_reason_t
commerce_ledger_split_release(commerce_ledger_t *ledger, commerce_str_t user, commerce_str_t key,
    commerce_str_t number, unsigned tries, commerce_str_t by)
{
    int                           rc;
    uint64_t                      version;
    commerce_str_t                copy;
    commerce_order_t             *order;
    commerce_write_t              w;
    commerce_splits_t             splits;
    const commerce_split_past_t  *past;

    rc = commerce_splits_read(ledger->reader, user, key, &splits, &version);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    past = rc == COMMERCE_OK ? commerce_splits_find(&splits, number) : NULL;

    if (past == NULL || (tries != 0 && past->tries != tries)) {
        return COMMERCE_R(ORDER_NOT_FOUND);
    }

    order = commerce_alloc(ledger->reader->arena, sizeof(commerce_order_t));

    if (order == NULL || commerce_order_read(ledger->reader, user, key, order, NULL) == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    copy = past->number;

    if (commerce_ledger_split_event_start(ledger, &w, "split_release", 0) != NULL) {
        commerce_write_text(&w, "order_key", key);
        commerce_write_optional(&w, "buyer", order->pseudonym);
        commerce_write_text(&w, "number", copy);
        commerce_write_int(&w, "amount", past->amount);
        commerce_write_text(&w, "by", by);
        commerce_ledger_split_finish(ledger, &w);
    }

    (void) commerce_splits_release(&splits, copy);
    commerce_splits_write(ledger->txn, ledger->reader->shop, user, key, &splits, version);

    return COMMERCE_R(OK);
}


static void
commerce_ledger_split_event(commerce_ledger_t *ledger, const commerce_order_t *order, const commerce_split_t *split,
    const commerce_split_past_t *past, commerce_reason_t reason)
{
    unsigned                          i, k;
    commerce_write_t                  w;
    const commerce_split_receiver_t  *receiver;

    if (commerce_ledger_split_event_start(ledger, &w, "split_check", past->share_count * (6 * COMMERCE_ID_MAX + 64)) == NULL) {
        return;
    }

    commerce_write_text(&w, "order_key", order->key);
    commerce_write_optional(&w, "order_id", order->id);
    commerce_write_optional(&w, "buyer", order->pseudonym);
    commerce_write_text(&w, "number", split->number);
    commerce_write_hex(&w, "content", past->content, COMMERCE_FINGERPRINT);
    commerce_write_int(&w, "try", past->tries);
    commerce_write_int(&w, "receivers", split->count);
    commerce_write_int(&w, "amount", split->amount);
    commerce_write_open(&w, "tiers", '[');

    for (i = 0, k = 0; i < split->count && k < past->share_count; i++) {
        receiver = &split->receivers[i];

        if (receiver->known && receiver->person.number == past->shares[k].person) {
            commerce_write_open(&w, NULL, '{');
            commerce_write_text(&w, "seller", receiver->person.id);
            commerce_write_int(&w, "amount", receiver->amount);
            commerce_write_close(&w, '}');
            k++;
        }
    }

    commerce_write_close(&w, ']');
    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    commerce_ledger_split_finish(ledger, &w);
}


/* NULL: the transaction has failed */

static char *
commerce_ledger_split_event_start(commerce_ledger_t *ledger, commerce_write_t *w, const char *type, size_t more)
{
    char    *buffer;
    size_t   size;

    size = COMMERCE_SPLIT_EVENT + 6 * 3 * COMMERCE_ID_MAX + more;
    buffer = commerce_alloc(ledger->txn->arena, size);

    if (buffer == NULL
        || commerce_event_start(w, buffer, size, ledger->events, type, ledger->reader->shop, ledger->now_us)
           != COMMERCE_OK)
    {
        ledger->txn->failed = true;
        return NULL;
    }

    return buffer;
}


static void
commerce_ledger_split_finish(commerce_ledger_t *ledger, commerce_write_t *w)
{
    commerce_str_t  body;

    body = commerce_event_finish(w);

    if (body.len == 0) {
        ledger->txn->failed = true;
        return;
    }

    commerce_txn_event(ledger->txn, body);
}
