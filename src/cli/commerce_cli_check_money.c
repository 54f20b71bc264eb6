/*
 * Copyright (C) ngx_commerce authors
 *
 * Payments against the orders that they cover, refunds against their sums, and what waits.
 */

#include "commerce_cli_check.h"


static void money_parked(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static bool money_parked_known(commerce_cli_check_t *check, const commerce_parked_for_t *what);
static void money_payment(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void money_payment_order(commerce_cli_check_t *check, const commerce_payment_t *payment,
    const commerce_payment_order_t *place, const char *name);
static void money_transaction(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void money_refund(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void money_refund_index(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void money_splits(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
static const commerce_receipt_t *money_receipt(const commerce_order_t *order,
    commerce_str_t payment, commerce_str_t transaction);
static void money_refunds(commerce_cli_check_t *check, const commerce_order_t *order,
    const char *name);


void
commerce_cli_check_money(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    switch (record->name.data[-2]) {
    case 'm':
        money_payment(check, record, name);
        break;
    case 'M':
        money_transaction(check, record, name);
        break;
    case 'F':
        money_refund(check, record, name);
        break;
    case 'f':
        money_refund_index(check, record, name);
        break;
    case 't':
        money_splits(check, record, name);
        break;
    default:
        money_parked(check, record, name);
    }
}


static void
money_parked(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_parked_t      parked;
    commerce_parked_for_t  what;

    if (record->name.data[-2] == 'q') {
        what = (commerce_parked_for_t) { COMMERCE_PARKED_ID, record->name, commerce_string("") };

    } else if (commerce_parked_parse(record->name, &what) != COMMERCE_OK) {
        commerce_cli_check_say(check, "parked notice \"%s\": waits for nothing that can be", name);
        return;
    }

    if (commerce_parked_read(&check->cli->reader, &what, &parked, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "parked notice \"%s\": unreadable", name);
        return;
    }

    if (money_parked_known(check, &what)) {
        commerce_cli_check_say(check, "parked notice \"%s\": its order is there, but was not told",
                               name);
    }
}


/* is that there for which these notices wait?  An order's own wait on after a refusal */
static bool
money_parked_known(commerce_cli_check_t *check, const commerce_parked_for_t *what)
{
    commerce_str_t                 user, key;
    commerce_order_t               order;
    commerce_payment_t             payment;
    commerce_reader_t             *reader = &check->cli->reader;
    commerce_transaction_owner_t   owner;

    switch (what->kind) {
    case COMMERCE_PARKED_ID:
        return commerce_order_owner(reader, what->name, &user, &key) != COMMERCE_ABSENT;
    case COMMERCE_PARKED_PAYMENT:
        return commerce_payment_read(reader, what->name, &payment, NULL) == COMMERCE_OK
               && payment.order_count != 0;
    case COMMERCE_PARKED_TRANSACTION:
        return commerce_transaction_read(reader, what->name, &owner, NULL) == COMMERCE_OK
               && owner.key.len != 0;
    default:
        if (commerce_order_read(reader, what->user, what->name, &order, NULL) != COMMERCE_OK) {
            return true;
        }

        return false;
    }
}


static void
money_payment(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    unsigned                       i;
    commerce_fen_t                 given, brought;
    commerce_payment_t             payment;
    commerce_transaction_owner_t   owner;

    if (commerce_payment_read(&check->cli->reader, record->name, &payment, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "payment \"%s\": unreadable", name);
        return;
    }

    for (i = 0; i < payment.transaction_count; i++) {
        if (payment.transactions[i].id.len != 0
            && (commerce_transaction_read(&check->cli->reader, payment.transactions[i].id, &owner,
                                          NULL) != COMMERCE_OK
                || !commerce_equal(owner.payment, payment.id)))
        {
            commerce_cli_check_say(check, "payment \"%s\": its transaction \"%s\" is not its own",
                                   name, commerce_cli_text(check->cli,
                                                           payment.transactions[i].id));
        }
    }

    for (i = 0, given = 0; i < payment.order_count; i++) {
        given += payment.orders[i].given;
        money_payment_order(check, &payment, &payment.orders[i], name);
    }

    brought = commerce_payment_brought(&payment);

    if (brought >= 0 && given > brought) {
        commerce_cli_check_say(check, "payment \"%s\": brought %lld fen, and gave %lld", name,
                               (long long) brought, (long long) given);
    }
}


/* an order may have been forgotten since */
static void
money_payment_order(commerce_cli_check_t *check, const commerce_payment_t *payment,
    const commerce_payment_order_t *place, const char *name)
{
    commerce_order_t           order;
    const commerce_receipt_t  *receipt;

    if (payment->transaction_count == 0
        || commerce_order_read(&check->cli->reader, place->user, place->key, &order, NULL)
           != COMMERCE_OK)
    {
        return;
    }

    receipt = money_receipt(&order, payment->id, commerce_string(""));

    if (receipt == NULL || (receipt->amount >= 0 && receipt->amount < place->given)) {
        commerce_cli_check_say(check, "payment \"%s\": order \"%s\" does not have what it was"
                               " given", name, commerce_cli_text(check->cli, place->key));
    }
}


static void
money_transaction(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    bool                           found;
    unsigned                       i;
    commerce_order_t               order;
    commerce_payment_t             payment;
    commerce_reader_t             *reader = &check->cli->reader;
    commerce_transaction_owner_t   owner;

    if (commerce_transaction_read(reader, record->name, &owner, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "transaction \"%s\": unreadable", name);
        return;
    }

    if (owner.payment.len == 0) {
        found = commerce_order_read(reader, owner.user, owner.key, &order, NULL) != COMMERCE_OK
                || money_receipt(&order, commerce_string(""), record->name) != NULL;

    } else {
        found = false;

        if (commerce_payment_read(reader, owner.payment, &payment, NULL) == COMMERCE_OK) {
            for (i = 0; i < payment.transaction_count; i++) {
                found = found || commerce_equal(payment.transactions[i].id, record->name);
            }
        }
    }

    if (!found) {
        commerce_cli_check_say(check, "transaction \"%s\": whom it names does not know it", name);
    }
}


static void
money_refund(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t    path;
    commerce_str_t     value;
    commerce_refund_t  refund;

    if (commerce_refund_read(&check->cli->reader, record->name, &refund, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "refund \"%s\": unreadable", name);
        return;
    }

    commerce_path_refund(&path, check->cli->shop, refund.user, refund.key, refund.number);

    if (commerce_path_get(&check->cli->reader, &path, &value, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "refund \"%s\": is not in its order's list", name);
    }
}


static void
money_refund_index(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    const char         *p, *last;
    commerce_path_t     path;
    commerce_str_t      number;
    commerce_refund_t   refund;

    last = record->name.data;

    for (p = last; p < record->name.data + record->name.len; p++) {
        if (*p == COMMERCE_PATH_SEPARATOR) {
            last = p + 1;
        }
    }

    number.data = last;
    number.len = record->name.len - (size_t) (last - record->name.data);

    if (commerce_refund_read(&check->cli->reader, number, &refund, NULL) == COMMERCE_OK) {
        commerce_path_refund(&path, check->cli->shop, refund.user, refund.key, refund.number);

        if (!path.bad && commerce_equal(record->key, commerce_path_str(&path))) {
            return;
        }
    }

    commerce_cli_check_say(check, "list of refunds, entry \"%s\": leads to no such refund", name);
}


/* whose amounts are sound; they may be above what the order has now: refunds came later */
static void
money_splits(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    unsigned                      i, k;
    const char                   *separator;
    commerce_fen_t                shares;
    commerce_str_t                user, key;
    commerce_order_t              order;
    commerce_splits_t             splits;
    const commerce_split_past_t  *past;

    if (commerce_splits_decode(check->cli->reader.arena, record->value, &splits) != COMMERCE_OK || splits.count == 0) {
        commerce_cli_check_say(check, "splits of order \"%s\": unreadable", name);
        return;
    }

    separator = memchr(record->name.data, COMMERCE_PATH_SEPARATOR, record->name.len);
    user = record->name;
    user.len = separator != NULL ? (size_t) (separator - record->name.data) : 0;
    key.data = separator != NULL ? separator + 1 : record->name.data;
    key.len = (size_t) (record->name.data + record->name.len - key.data);

    if (commerce_order_read(&check->cli->reader, user, key, &order, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "splits of order \"%s\": there is no such order", name);
    }

    for (i = 0; i < splits.count; i++) {
        past = &splits.past[i];

        for (k = 0, shares = 0; k < past->share_count; k++) {
            shares += past->shares[k].amount;
        }

        if (past->amount < shares || past->amount > COMMERCE_FEN_MAX || past->tries == 0
            || commerce_splits_find(&splits, past->number) != past)
        {
            commerce_cli_check_say(check, "splits of order \"%s\": number %u of them does not add up", name, i + 1);
        }
    }
}


static const commerce_receipt_t *
money_receipt(const commerce_order_t *order, commerce_str_t payment, commerce_str_t transaction)
{
    unsigned  i;

    for (i = 0; i < order->receipt_count; i++) {
        if (commerce_equal(order->receipts[i].payment, payment)
            && (payment.len != 0
                || commerce_equal(order->receipts[i].transaction, transaction)))
        {
            return &order->receipts[i];
        }
    }

    return NULL;
}


void
commerce_cli_check_sale(commerce_cli_check_t *check, const commerce_order_t *order,
    const char *name)
{
    unsigned                       i;
    commerce_payment_t             payment;
    const commerce_receipt_t      *receipt;
    commerce_transaction_owner_t   owner;

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];

        if (receipt->payment.len != 0
            ? (commerce_payment_read(&check->cli->reader, receipt->payment, &payment, NULL)
                   != COMMERCE_OK
               || commerce_payment_covers(&payment, order->user, order->key) == NULL)
            : (commerce_transaction_read(&check->cli->reader, receipt->transaction, &owner, NULL)
                   != COMMERCE_OK
               || !commerce_equal(owner.user, order->user)
               || !commerce_equal(owner.key, order->key)))
        {
            commerce_cli_check_say(check, "order \"%s\": has money of \"%s\", which does not know"
                                   " it", name,
                                   commerce_cli_text(check->cli, receipt->payment.len != 0
                                                     ? receipt->payment : receipt->transaction));
        }
    }

    if (order->refund_count != 0) {
        money_refunds(check, order, name);
    }
}


/* the order's sums are those of its refunds, added up again in another order */
static void
money_refunds(commerce_cli_check_t *check, const commerce_order_t *order, const char *name)
{
    unsigned            i;
    commerce_order_t    again;
    commerce_refund_t   refund;
    commerce_sale_t    *sale;
    commerce_arena_t   *arena = check->cli->reader.arena;

    again = *order;
    again.refund_count = 0;
    again.refund_whole = false;
    again.refund_lineless = 0;
    again.refund_rest = 0;

    sale = commerce_alloc(arena, (order->line_count + 1) * sizeof(commerce_sale_t));
    if (sale == NULL) {
        return;
    }

    for (i = 0; i < order->line_count; i++) {
        sale[i].paid = order->sale[i].paid;
    }

    again.sale = sale;
    refund.number = commerce_string("");

    while (commerce_refund_next(&check->cli->reader, order->user, order->key, refund.number,
                                &refund) == COMMERCE_OK)
    {
        if (commerce_refund_add(arena, &again, &refund) != COMMERCE_R(OK)) {
            commerce_cli_check_say(check, "order \"%s\": refund \"%s\" is above what was paid", name,
                                   commerce_cli_text(check->cli, refund.number));
        }
    }

    if (again.refund_count != order->refund_count || again.refund_whole != order->refund_whole
        || again.refund_lineless != order->refund_lineless
        || again.refund_rest != order->refund_rest
        || memcmp(again.sale, order->sale, order->line_count * sizeof(commerce_sale_t)) != 0)
    {
        commerce_cli_check_say(check, "order \"%s\": its refunds do not add up to its sums", name);
    }
}
