/*
 * Copyright (C) ngx_commerce authors
 *
 * Notices: somebody tells what became of an order.  Payment, cancellation, refund and the end of after-sale
 * time come the same way.
 */

#include "ngx_commerce_notice.h"


#define NGX_COMMERCE_NOTICE_ANSWER  256     /* bytes of an order in the answer, but its key */


static void ngx_commerce_notice_detail(ngx_commerce_case_t *c, commerce_notice_t *notice);
static void ngx_commerce_notice_complain(ngx_commerce_case_t *c, commerce_order_t *order,
    commerce_reason_t reason);
static commerce_reason_t ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_told_t *told,
    unsigned count, commerce_reason_t reason);
static void ngx_commerce_notice_order(commerce_write_t *w, commerce_order_t *order);


commerce_reason_t
ngx_commerce_notice(ngx_commerce_case_t *c, void *conf)
{
    unsigned                     i, count;
    commerce_told_t             *told;
    commerce_ledger_t            ledger;
    commerce_notice_t            notice;
    commerce_reason_t            reason;
    ngx_commerce_notice_conf_t  *nc = conf;

    reason = ngx_commerce_notice_signed(c, nc->name);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_notice_facts(c, nc, &notice);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    ngx_commerce_order_ledger(c, &ledger);

    reason = commerce_ledger_notice(&ledger, &notice, &told, &count);

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        ngx_commerce_notice_detail(c, &notice);
        ngx_commerce_notice_complain(c, NULL, reason);
        return reason;
    }

    for (i = 0; i < count; i++) {
        ngx_commerce_notice_complain(c, told[i].order, told[i].reason);
    }

    return ngx_commerce_notice_answer(c, told, count, reason);
}


/* for the log: the number that the notice is known by */

static void
ngx_commerce_notice_detail(ngx_commerce_case_t *c, commerce_notice_t *notice)
{
    commerce_str_t  *number;

    number = notice->refund.len ? &notice->refund
             : notice->transaction.len ? &notice->transaction : &notice->payment;

    c->detail.data = (u_char *) number->data;
    c->detail.len = number->len;
}


/* what somebody has to look at */

static void
ngx_commerce_notice_complain(ngx_commerce_case_t *c, commerce_order_t *order, commerce_reason_t reason)
{
    switch (reason) {

    case COMMERCE_R(COUPON_RESERVATION_LOST):
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "commerce: a paid order's coupon had been released and is taken: order key \"%*s\"",
                      order->key.len, order->key.data);
        return;

    case COMMERCE_R(TRANSACTION_REUSED):
    case COMMERCE_R(REFUND_KEY_REUSED):
    case COMMERCE_R(REFUND_EXCEEDS_ORDER):
    case COMMERCE_R(NOTICE_LIMIT):
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "commerce: a notice about money was refused: %s \"%V\"",
                      commerce_reason(reason)->name.data, &c->detail);
        return;

    default:
        return;
    }
}


static commerce_reason_t
ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_told_t *told, unsigned count,
    commerce_reason_t reason)
{
    char              *buffer;
    size_t             size;
    int64_t            len;
    unsigned           i;
    commerce_write_t   w;

    size = NGX_COMMERCE_NOTICE_ANSWER;

    for (i = 0; i < count; i++) {
        size += NGX_COMMERCE_NOTICE_ANSWER + 6 * told[i].order->key.len;
    }

    buffer = commerce_alloc(&c->arena, size);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '{');

    if (count == 1) {
        ngx_commerce_notice_order(&w, told[0].order);

    } else if (count > 1) {
        commerce_write_open(&w, "orders", '[');

        for (i = 0; i < count; i++) {
            commerce_write_open(&w, NULL, '{');
            ngx_commerce_notice_order(&w, told[i].order);
            commerce_write_text(&w, "reason", commerce_reason(told[i].reason)->name);
            commerce_write_close(&w, '}');
        }

        commerce_write_close(&w, ']');
    }

    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return COMMERCE_R(INTERNAL);
    }

    c->noted = reason;
    c->answer = (commerce_str_t) { buffer, (size_t) len };
    c->status = commerce_reason(reason)->status;

    return COMMERCE_R(OK);
}


static void
ngx_commerce_notice_order(commerce_write_t *w, commerce_order_t *order)
{
    commerce_fen_t      due, received;
    commerce_balance_t  balance;

    commerce_write_text(w, "order", order->key);
    commerce_write_text(w, "state", commerce_cstr(commerce_order_state_name(order->state)));

    due = commerce_payment_due(order);
    received = commerce_payment_received(order);

    if (order->receipt_count && received >= 0) {
        commerce_write_int(w, "received", received);
    }

    if (order->receipt_count && due >= 0) {
        commerce_write_int(w, "due", due);
    }

    if (order->refund_count) {
        commerce_refund_balance(order, &balance);
        commerce_write_int(w, "refunded", balance.refunded_goods + balance.refunded_rest);
    }
}
