/*
 * Copyright (C) ngx_commerce authors
 *
 * What came after an order was made: payments, refunds, its freeze date, and notices that wait for it.
 */

#include "../commerce_write.h"
#include "commerce_cli.h"


static int sale_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static void sale_write_payments(commerce_write_t *w, const commerce_order_t *order);
static int sale_write_refunds(commerce_cli_t *cli, commerce_write_t *w,
    const commerce_order_t *order);
static int sale_write_splits(commerce_cli_t *cli, commerce_write_t *w,
    const commerce_order_t *order);
static int sale_write_waiting(commerce_cli_t *cli, commerce_write_t *w,
    const commerce_order_t *order);


int
commerce_cli_order_sales(commerce_cli_t *cli, bool refunded)
{
    return commerce_cli_scan(cli, 'o', sale_visit, &refunded);
}


/* key, user, the backend's id, and how much of what is due came, or of what was paid went back */
static int
sale_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    bool                *refunded = data;
    commerce_fen_t       part, whole;
    commerce_str_t       none;
    commerce_order_t     order;
    commerce_balance_t   balance;

    if (commerce_order_decode(cli->reader.arena, record->value, &order) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", record->name);
    }

    if (*refunded ? order.refund_count == 0
                  : order.state != COMMERCE_ORDER_PLACED || order.receipt_count == 0)
    {
        return COMMERCE_CLI_OK;
    }

    commerce_refund_balance(&order, &balance);

    part = *refunded ? balance.refunded_goods + balance.refunded_rest
                     : commerce_payment_received(&order);
    whole = *refunded ? balance.total : commerce_payment_due(&order);
    none = commerce_string("-");

    fprintf(cli->out, "%.*s\t%.*s\t%.*s\t%lld of %lld\n", commerce_cli_arg(order.key),
            commerce_cli_arg(order.user.len != 0 ? order.user : none),
            commerce_cli_arg(order.id.len != 0 ? order.id : none), (long long) part,
            (long long) whole);

    return COMMERCE_CLI_OK;
}


int
commerce_cli_order_sale(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order)
{
    commerce_balance_t  balance;

    commerce_write_text(w, "payment", order->payment);
    commerce_cli_write_fen(w, "freight", order->freight);
    commerce_cli_write_fen(w, "due", commerce_payment_due(order));
    commerce_cli_write_fen(w, "received", commerce_payment_received(order));
    sale_write_payments(w, order);

    commerce_cli_write_time(w, "freeze", order->freeze != 0 ? order->freeze : COMMERCE_FOREVER);
    commerce_cli_write_time(w, "settled", order->settled != 0 ? order->settled : COMMERCE_FOREVER);

    commerce_refund_balance(order, &balance);
    commerce_write_int(w, "refunded", balance.refunded_goods + balance.refunded_rest);

    if (sale_write_refunds(cli, w, order) != COMMERCE_CLI_OK
        || sale_write_splits(cli, w, order) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return sale_write_waiting(cli, w, order);
}


static void
sale_write_payments(commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                   i;
    const commerce_receipt_t  *receipt;

    commerce_write_open(w, "payments", '[');

    for (i = 0; i < order->receipt_count; i++) {
        receipt = &order->receipts[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_optional(w, "payment", receipt->payment);
        commerce_write_optional(w, "transaction", receipt->transaction);
        commerce_cli_write_fen(w, "amount", receipt->amount);
        commerce_cli_write_time(w, "time", receipt->time);
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


static int
sale_write_refunds(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order)
{
    int                            rc;
    unsigned                       i;
    commerce_refund_t              refund;
    const commerce_refund_line_t  *line;

    commerce_write_open(w, "refunds", '[');
    refund.number = commerce_string("");

    for ( ;; ) {
        rc = commerce_refund_next(&cli->reader, order->user, order->key, refund.number, &refund);
        if (rc != COMMERCE_OK) {
            break;
        }

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "number", refund.number);
        commerce_cli_write_fen(w, "amount", refund.amount);
        commerce_cli_write_fen(w, "freight", refund.freight);
        commerce_cli_write_time(w, "time", refund.time);
        commerce_write_bool(w, "after_settle", refund.late);
        commerce_write_open(w, "lines", '[');

        for (i = 0; i < refund.line_count; i++) {
            line = &refund.lines[i];

            commerce_write_open(w, NULL, '{');
            commerce_write_int(w, "line", line->line);
            commerce_write_optional(w, "sku", line->sku);
            commerce_cli_write_fen(w, "amount", line->amount);
            commerce_write_int(w, "quantity", line->quantity);
            commerce_write_close(w, '}');
        }

        commerce_write_close(w, ']');
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return rc == COMMERCE_ABSENT ? COMMERCE_CLI_OK
                                 : commerce_cli_unreadable(cli, "a refund of order", order->key);
}


static int
sale_write_splits(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                      i, k;
    commerce_person_t             person;
    commerce_splits_t             splits;
    const commerce_split_past_t  *past;

    if (commerce_splits_read(&cli->reader, order->user, order->key, &splits, NULL) == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "splits of order", order->key);
    }

    commerce_write_open(w, "splits", '[');

    for (i = 0; i < splits.count; i++) {
        past = &splits.past[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "number", past->number);
        commerce_write_int(w, "amount", past->amount);
        commerce_cli_write_time(w, "time", past->time);
        commerce_write_int(w, "tries", past->tries);
        commerce_write_open(w, "tiers", '[');

        for (k = 0; k < past->share_count; k++) {
            commerce_write_open(w, NULL, '{');

            if (commerce_person_read(&cli->reader, past->shares[k].person, &person, NULL) == COMMERCE_OK) {
                commerce_write_text(w, "seller", person.id);
            }

            commerce_write_int(w, "amount", past->shares[k].amount);
            commerce_write_close(w, '}');
        }

        commerce_write_close(w, ']');
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return COMMERCE_CLI_OK;
}


static int
sale_write_waiting(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                  i;
    commerce_parked_t         parked;
    commerce_parked_for_t     what;
    const commerce_notice_t  *notice;

    what = (commerce_parked_for_t) { COMMERCE_PARKED_ORDER, order->key, order->user };

    if (commerce_parked_read(&cli->reader, &what, &parked, NULL) == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "notices for order", order->key);
    }

    commerce_write_open(w, "waiting", '[');

    for (i = 0; i < parked.count; i++) {
        notice = &parked.notices[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "notice", commerce_cstr(commerce_step_name(notice->kind)));
        commerce_cli_write_time(w, "time", notice->time);
        commerce_write_optional(w, "payment", notice->payment);
        commerce_write_optional(w, "transaction", notice->transaction);
        commerce_write_optional(w, "refund", notice->refund);
        commerce_cli_write_fen(w, "amount", notice->amount);
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return COMMERCE_CLI_OK;
}


void
commerce_cli_write_fen(commerce_write_t *w, const char *name, commerce_fen_t fen)
{
    if (fen < 0) {
        commerce_write_null(w, name);
        return;
    }

    commerce_write_int(w, name, fen);
}


void
commerce_cli_write_time(commerce_write_t *w, const char *name, commerce_time_t when)
{
    char  text[32];

    if (when == COMMERCE_FOREVER) {
        commerce_write_null(w, name);
        return;
    }

    commerce_time_format(when, text);
    commerce_write_text(w, name, commerce_cstr(text));
}
