/*
 * Copyright (C) ngx_commerce authors
 *
 * Money, done again: what payments brought to orders, and what refunds gave back.
 *
 * A payment's record only grows, and so does each list in its event: what the copy has is added to, never taken
 * away.  A receipt is as the later of record and event has it.  A refund whose number is known was added before.
 */

#include "commerce_cli_replay_event.h"

#define SALE_POINTER  64
#define SALE_PROBLEM  384


static void sale_receipt(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_order_t *order,
    const commerce_receipt_t *told);
static void sale_alone(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_order_t *order, const commerce_receipt_t *told);
static void sale_cover(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    const commerce_order_t *order);
static void sale_refund(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_order_t *order);
static bool sale_refund_told(commerce_cli_t *cli, commerce_cli_replay_run_t *r, const commerce_order_t *order,
    commerce_refund_t *refund);
static const char *sale_refund_problem(commerce_cli_t *cli, commerce_cli_replay_run_t *r,
    const commerce_refund_t *refund, const char *why);
static unsigned sale_covered(const commerce_payment_t *payment);
static bool sale_transactions(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_payment_t *payment);
static bool sale_transaction(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_payment_t *payment,
    unsigned i);
static bool sale_transaction_owners(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_payment_t *payment);
static bool sale_orders(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_payment_t *payment, bool latest);
static bool sale_order(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_payment_t *payment, unsigned i, bool latest);
static void sale_withdraw(commerce_cli_t *cli, const commerce_payment_t *payment, commerce_order_t *order);
static bool sale_same(const commerce_order_t *a, const commerce_order_t *b);
static unsigned sale_count(commerce_cli_replay_run_t *r, const char *pointer);
static int64_t sale_number(commerce_cli_replay_run_t *r, const char *list, unsigned i, const char *member);
static commerce_str_t sale_text(commerce_cli_replay_run_t *r, const char *list, unsigned i, const char *member);
static bool sale_received(commerce_cli_replay_run_t *r, unsigned i);


void
commerce_cli_replay_sale(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_order_t *order)
{
    int64_t             number;
    unsigned            i, count;
    commerce_str_t      payment;
    commerce_receipt_t  told;

    number = commerce_cli_replay_fen(r, "/freight");
    order->freight = number > 0 ? number : order->freight;
    number = commerce_cli_replay_fen(r, "/freeze_after");
    order->freeze_after = number > 0 ? number : order->freeze_after;
    number = commerce_cli_replay_fen(r, "/freeze");
    order->freeze = number > 0 ? number : order->freeze;
    number = commerce_cli_replay_fen(r, "/settled");
    order->settled = number > 0 ? number : order->settled;

    if (commerce_cli_replay_text(r, "/payment", &payment) && payment.len != 0) {
        order->payment = payment;
        sale_cover(cli, txn, r, order);
    }

    count = sale_count(r, "/payments");

    for (i = 0; i < count && i < COMMERCE_RECEIPTS_MAX && r->problem == NULL; i++) {
        told.payment = sale_text(r, "/payments", i, "payment");
        told.transaction = sale_text(r, "/payments", i, "transaction");
        told.amount = sale_number(r, "/payments", i, "amount");
        told.time = r->time;

        if (told.payment.len == 0) {
            sale_alone(cli, txn, r, order, &told);

        } else {
            sale_receipt(cli, r, order, &told);
        }
    }

    if (r->problem == NULL && commerce_equal(r->event->type, commerce_string("refund"))) {
        sale_refund(cli, txn, r, order);
    }
}


static void
sale_receipt(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_order_t *order,
    const commerce_receipt_t *told)
{
    unsigned             i;
    commerce_receipt_t  *receipts;

    receipts = commerce_alloc(cli->reader.arena, (order->receipt_count + 1) * sizeof(commerce_receipt_t));

    if (receipts == NULL) {
        r->problem = "memory ran out";
        return;
    }

    if (order->receipt_count != 0) {
        memcpy(receipts, order->receipts, order->receipt_count * sizeof(commerce_receipt_t));
    }

    order->receipts = receipts;

    for (i = 0; i < order->receipt_count; i++) {
        if (commerce_equal(receipts[i].payment, told->payment)
            && (told->payment.len != 0 || commerce_equal(receipts[i].transaction, told->transaction)))
        {
            break;
        }
    }

    if (i == order->receipt_count) {
        if (i == COMMERCE_RECEIPTS_MAX) {
            r->problem = "its order has more payments than any can have";
            return;
        }

        receipts[i] = *told;
        order->receipt_count++;
        return;
    }

    if (receipts[i].time > told->time) {
        return;
    }

    receipts[i].transaction = told->transaction;

    if (receipts[i].amount != told->amount) {
        receipts[i].amount = told->amount;
        receipts[i].time = told->time;
    }
}


/* of no payment; one that turned out to be a payment's is there already */
static void
sale_alone(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r, commerce_order_t *order,
    const commerce_receipt_t *told)
{
    int                           rc;
    uint64_t                      version;
    commerce_transaction_owner_t  owner;

    if (told->transaction.len == 0) {
        sale_receipt(cli, r, order, told);
        return;
    }

    rc = commerce_transaction_read(&cli->reader, told->transaction, &owner, &version);

    if (rc == COMMERCE_ERROR) {
        r->problem = "the record of its transaction cannot be read";
        return;
    }

    if (rc == COMMERCE_OK && owner.payment.len != 0) {
        return;
    }

    if (rc == COMMERCE_ABSENT) {
        owner.user = order->user;
        owner.key = order->key;
        commerce_transaction_write(txn, cli->shop, told->transaction, &owner, version);
    }

    sale_receipt(cli, r, order, told);
}


/* the answer named its payment: the payment covers it, be it before any money came */
static void
sale_cover(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r, const commerce_order_t *order)
{
    uint64_t            version;
    commerce_payment_t  payment;

    if (commerce_payment_read(&cli->reader, order->payment, &payment, &version) == COMMERCE_ERROR) {
        r->problem = "the record of its payment cannot be read";
        return;
    }

    if (commerce_payment_covers(&payment, order->user, order->key) != NULL
        || payment.order_count == COMMERCE_PAYMENT_ORDERS_MAX)
    {
        return;
    }

    payment.id = order->payment;

    if (commerce_payment_cover(cli->reader.arena, &payment, order->user, order->key) == NULL) {
        r->problem = "memory ran out";
        return;
    }

    commerce_payment_write(txn, cli->shop, &payment, version);
}


static void
sale_refund(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r, commerce_order_t *order)
{
    int                 rc;
    unsigned            i;
    commerce_refund_t   refund, known;

    memset(&refund, 0, sizeof(commerce_refund_t));

    if (!commerce_cli_replay_text(r, "/refund/number", &refund.number) || refund.number.len == 0) {
        r->problem = "it names no number";
        return;
    }

    rc = commerce_refund_read(&cli->reader, refund.number, &known, NULL);

    if (rc == COMMERCE_OK) {
        return;
    }

    if (rc == COMMERCE_ERROR) {
        r->problem = sale_refund_problem(cli, r, &refund, "the record of this number cannot be read");
        return;
    }

    if (!sale_refund_told(cli, r, order, &refund)) {
        r->problem = sale_refund_problem(cli, r, &refund, "what its notice told is not in it: send it again");
        return;
    }

    if (commerce_refund_add(cli->reader.arena, order, &refund) != COMMERCE_R(OK)) {
        r->problem = sale_refund_problem(cli, r, &refund, "more than the order's record says was paid");
        return;
    }

    /* what each line brought was settled with the first refund, by what was known at that time */

    for (i = 0; i < order->line_count; i++) {
        order->sale[i].paid = sale_number(r, "/lines", i, "paid");
    }

    commerce_refund_write(txn, cli->shop, &refund, 0);
}


static bool
sale_refund_told(commerce_cli_t *cli, commerce_cli_replay_run_t *r, const commerce_order_t *order,
    commerce_refund_t *refund)
{
    unsigned                 i, count;
    commerce_str_t           reason;
    commerce_json_t         *told;
    commerce_refund_line_t  *line;

    if (commerce_json_find(r->event->root, commerce_string("/refund/told"), &told) != COMMERCE_R(OK)
        || told == NULL || !commerce_cli_replay_text(r, "/reason", &reason))
    {
        return false;
    }

    count = sale_count(r, "/refund/told/lines");
    refund->lines = commerce_alloc(cli->reader.arena, (count + 1) * sizeof(commerce_refund_line_t));

    if (refund->lines == NULL || count > 2 * order->line_count) {
        return false;
    }

    for (i = 0; i < count; i++) {
        line = &refund->lines[i];

        line->line = (unsigned) sale_number(r, "/refund/told/lines", i, "line");
        line->sku = sale_text(r, "/refund/told/lines", i, "sku");
        line->amount = sale_number(r, "/refund/told/lines", i, "amount");
        line->quantity = sale_number(r, "/refund/told/lines", i, "quantity");

        if (line->line < 1 || line->line > order->line_count || line->amount < 0 || line->quantity < 0) {
            return false;
        }
    }

    refund->line_count = count;
    refund->amount = commerce_cli_replay_fen(r, "/refund/told/amount");
    refund->freight = commerce_cli_replay_fen(r, "/refund/told/freight");
    refund->user = order->user;
    refund->key = order->key;
    refund->time = r->time;
    refund->late = commerce_equal(reason, commerce_reason(COMMERCE_R(REFUND_AFTER_SETTLE))->name);

    return refund->freight >= 0;
}


/* which one it is: whoever reads this has to find its notice */
static const char *
sale_refund_problem(commerce_cli_t *cli, commerce_cli_replay_run_t *r, const commerce_refund_t *refund,
    const char *why)
{
    char  *text;

    text = commerce_alloc(cli->arena, SALE_PROBLEM);

    if (text == NULL) {
        return why;
    }

    snprintf(text, SALE_PROBLEM, "refund \"%.*s\" of order \"%.*s\": %s", commerce_cli_arg(refund->number),
             commerce_cli_arg(r->key), why);

    return text;
}


int
commerce_cli_replay_payment(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    bool                        latest;
    uint64_t                    version;
    commerce_str_t              id;
    commerce_payment_t          payment;
    commerce_cli_replay_run_t  *r = data;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/payment", &id) || id.len == 0 || sale_count(r, "/transactions") == 0) {
        r->problem = "it is not what this version knows of such an event";
        return COMMERCE_CLI_OK;
    }

    if (commerce_payment_read(&cli->reader, id, &payment, &version) == COMMERCE_ERROR) {
        r->problem = "the payment's record cannot be read";
        return COMMERCE_CLI_OK;
    }

    payment.id = id;
    latest = sale_count(r, "/transactions") >= payment.transaction_count
             && sale_count(r, "/orders") >= sale_covered(&payment);

    if (!sale_transactions(cli, r, &payment) || !sale_orders(cli, txn, r, &payment, latest)
        || !sale_transaction_owners(cli, txn, &payment))
    {
        r->problem = r->problem != NULL ? r->problem : "its records cannot be read or made";
        commerce_txn_init(txn, txn->arena);
        return COMMERCE_CLI_OK;
    }

    if (r->changed) {
        commerce_payment_write(txn, cli->shop, &payment, version);
    }

    r->changed = txn->count != 0;

    return COMMERCE_CLI_OK;
}


/* how many orders it names: those that were let go are not told of */
static unsigned
sale_covered(const commerce_payment_t *payment)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < payment->order_count; i++) {
        n += payment->orders[i].key.len != 0;
    }

    return n;
}


static bool
sale_transactions(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_payment_t *payment)
{
    unsigned  i, count;

    count = sale_count(r, "/transactions");

    for (i = 0; i < count; i++) {
        if (!sale_transaction(cli, r, payment, i)) {
            return false;
        }
    }

    return true;
}


/* each keeps its place; a number or an amount may have come later */
static bool
sale_transaction(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_payment_t *payment, unsigned i)
{
    commerce_str_t           id;
    commerce_fen_t           amount;
    commerce_transaction_t  *transactions;

    id = sale_text(r, "/transactions", i, "transaction");
    amount = sale_number(r, "/transactions", i, "amount");

    if (i >= COMMERCE_TRANSACTIONS_MAX) {
        r->problem = "it has more transactions than any payment can have";
        return false;
    }

    if (i < payment->transaction_count) {
        transactions = &payment->transactions[i];

        if (transactions->id.len == 0 && id.len != 0) {
            transactions->id = id;
            r->changed = true;
        }

        if (transactions->amount < 0 && amount >= 0) {
            transactions->amount = amount;
            r->changed = true;
        }

        return true;
    }

    transactions = commerce_alloc(cli->reader.arena, (i + 1) * sizeof(commerce_transaction_t));

    if (transactions == NULL) {
        return false;
    }

    if (i != 0) {
        memcpy(transactions, payment->transactions, i * sizeof(commerce_transaction_t));
    }

    transactions[i] = (commerce_transaction_t) { id, amount, sale_number(r, "/transactions", i, "time") };
    payment->transactions = transactions;
    payment->transaction_count = i + 1;
    r->changed = true;

    return true;
}


static bool
sale_transaction_owners(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_payment_t *payment)
{
    int                           rc;
    unsigned                      i;
    uint64_t                      version;
    commerce_transaction_owner_t  owner;

    for (i = 0; i < payment->transaction_count; i++) {
        if (payment->transactions[i].id.len == 0) {
            continue;
        }

        rc = commerce_transaction_read(&cli->reader, payment->transactions[i].id, &owner, &version);

        if (rc == COMMERCE_ERROR) {
            return false;
        }

        if (rc == COMMERCE_ABSENT || owner.payment.len == 0) {
            memset(&owner, 0, sizeof(commerce_transaction_owner_t));
            owner.payment = payment->id;
            commerce_transaction_write(txn, cli->shop, payment->transactions[i].id, &owner, version);
        }
    }

    return true;
}


static bool
sale_orders(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r, commerce_payment_t *payment,
    bool latest)
{
    unsigned  i, count;

    count = sale_count(r, "/orders");

    for (i = 0; i < count; i++) {
        if (!sale_order(cli, txn, r, payment, i, latest)) {
            return false;
        }
    }

    return true;
}


/* the order's own events tell what became of it; this, what it has of the money */
static bool
sale_order(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r, commerce_payment_t *payment,
    unsigned i, bool latest)
{
    unsigned                   count;
    uint64_t                   version;
    commerce_fen_t             given;
    commerce_order_t           order, before;
    commerce_receipt_t         told;
    commerce_payment_order_t  *place;

    r->key = sale_text(r, "/orders", i, "order_key");
    r->buyer = sale_text(r, "/orders", i, "buyer");

    if (r->key.len == 0 || commerce_cli_replay_scope(cli, r) != COMMERCE_CLI_OK
        || commerce_cli_replay_find(cli, r, &order, &version) == COMMERCE_ERROR)
    {
        return false;
    }

    before = order;
    count = payment->order_count;
    place = commerce_payment_cover(cli->reader.arena, payment, order.user, order.key);

    if (place == NULL) {
        return false;
    }

    given = sale_number(r, "/orders", i, "given");
    r->changed = r->changed || payment->order_count != count || given > place->given;
    place->given = given > place->given ? given : place->given;

    if (version == 0 || !latest) {
        return true;
    }

    sale_withdraw(cli, payment, &order);

    if (sale_received(r, i)) {
        told.payment = payment->id;
        told.transaction = payment->transactions[payment->transaction_count - 1].id;
        told.amount = sale_number(r, "/orders", i, "received");
        told.time = r->time;

        sale_receipt(cli, r, &order, &told);
    }

    if (r->problem == NULL && !sale_same(&order, &before)) {
        commerce_cli_replay_store(cli, txn, &order, version, &before);
    }

    return r->problem == NULL;
}


/* transactions that were told of without their payment before */
static void
sale_withdraw(commerce_cli_t *cli, const commerce_payment_t *payment, commerce_order_t *order)
{
    unsigned                i;
    commerce_transaction_t  taken;

    for (i = 0; i < payment->transaction_count; i++) {
        if (payment->transactions[i].id.len != 0) {
            (void) commerce_payment_withdraw(cli->reader.arena, order, payment->transactions[i].id, &taken);
        }
    }
}


/* the same receipts? */
static bool
sale_same(const commerce_order_t *a, const commerce_order_t *b)
{
    unsigned                   i;
    const commerce_receipt_t  *p, *q;

    for (i = 0; a->receipt_count == b->receipt_count && i < a->receipt_count; i++) {
        p = &a->receipts[i];
        q = &b->receipts[i];

        if (p->amount != q->amount || p->time != q->time || !commerce_equal(p->payment, q->payment)
            || !commerce_equal(p->transaction, q->transaction))
        {
            return false;
        }
    }

    return a->receipt_count == b->receipt_count;
}


static unsigned
sale_count(commerce_cli_replay_run_t *r, const char *pointer)
{
    commerce_json_t  *list;

    return commerce_json_find(r->event->root, commerce_cstr(pointer), &list) == COMMERCE_R(OK) && list != NULL
           ? commerce_json_count(list) : 0;
}


static int64_t
sale_number(commerce_cli_replay_run_t *r, const char *list, unsigned i, const char *member)
{
    char  pointer[SALE_POINTER];

    snprintf(pointer, sizeof(pointer), "%s/%u/%s", list, i, member);

    return commerce_cli_replay_fen(r, pointer);
}


static commerce_str_t
sale_text(commerce_cli_replay_run_t *r, const char *list, unsigned i, const char *member)
{
    char            pointer[SALE_POINTER];
    commerce_str_t  text;

    snprintf(pointer, sizeof(pointer), "%s/%u/%s", list, i, member);
    (void) commerce_cli_replay_text(r, pointer, &text);

    return text;
}


/* null is an amount that nobody named, absent is no receipt at all */
static bool
sale_received(commerce_cli_replay_run_t *r, unsigned i)
{
    char              pointer[SALE_POINTER];
    commerce_json_t  *order;

    snprintf(pointer, sizeof(pointer), "/orders/%u", i);

    if (commerce_json_find(r->event->root, commerce_cstr(pointer), &order) != COMMERCE_R(OK) || order == NULL) {
        return false;
    }

    for (order = commerce_json_first(order); order != NULL; order = commerce_json_next(order)) {
        if (commerce_equal(commerce_json_name(order), commerce_string("received"))) {
            return true;
        }
    }

    return false;
}
