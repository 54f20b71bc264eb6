/*
 * Copyright (C) ngx_commerce authors
 *
 * Confirm and cancel calls: the backend tells what became of an order, by its own id or by our key.
 */

#include "ngx_commerce_core.h"


typedef struct {                            /* commerce_order_confirm, commerce_order_cancel */
    commerce_step_t         step;
    ngx_commerce_source_t   id, key, user;
} ngx_commerce_notice_conf_t;


static commerce_reason_t ngx_commerce_notice(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_commerce_notice_read(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    ngx_uint_t optional, commerce_str_t *value);
static commerce_reason_t ngx_commerce_notice_find(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc,
    commerce_order_t *order, uint64_t *version, commerce_str_t *id);
static commerce_reason_t ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_order_t *order,
    commerce_reason_t reason);


/* confirm and cancel: the backend's own calls, by its order id or our key */

static commerce_reason_t
ngx_commerce_notice(ngx_commerce_case_t *c, void *conf)
{
    uint64_t                     version;
    commerce_str_t               id;
    commerce_order_t            *order;
    commerce_reason_t            reason;
    commerce_ledger_t            ledger;
    ngx_commerce_notice_conf_t  *nc = conf;

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    order = commerce_alloc(&c->arena, sizeof(commerce_order_t));
    if (order == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = ngx_commerce_notice_find(c, nc, order, &version, &id);

    ledger.reader = &c->reader;
    ledger.txn = c->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = c->now;
    ledger.now_us = c->now_us;

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_ledger_step(&ledger, order, version, nc->step, NULL);

    } else if (reason == COMMERCE_R(ORDER_UNKNOWN)) {
        reason = commerce_ledger_park(&ledger, id, nc->step);
        return reason == COMMERCE_R(INTERNAL)
               ? reason : ngx_commerce_notice_answer(c, NULL, COMMERCE_R(ORDER_UNKNOWN));
    }

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        return reason;
    }

    if (reason == COMMERCE_R(COUPON_RESERVATION_LOST)) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "commerce: a paid order's coupon had been released and is taken: order key \"%*s\"",
                      order->key.len, order->key.data);
    }

    return ngx_commerce_notice_answer(c, order, reason);
}


static commerce_reason_t
ngx_commerce_notice_find(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc, commerce_order_t *order,
    uint64_t *version, commerce_str_t *id)
{
    int                rc;
    commerce_str_t     key, user;
    commerce_reason_t  reason;

    *id = commerce_string("");
    user = commerce_string("");

    if (nc->id.type) {
        reason = ngx_commerce_notice_read(c, &nc->id, 0, id);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        rc = commerce_order_find(&c->reader, *id, order, version);

    } else {
        reason = ngx_commerce_notice_read(c, &nc->key, 0, &key);

        if (reason == COMMERCE_R(OK) && nc->user.type) {
            reason = ngx_commerce_notice_read(c, &nc->user, 1, &user);
        }

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        rc = commerce_order_read(&c->reader, user, key, order, version);
    }

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (rc == COMMERCE_OK) {
        return COMMERCE_R(OK);
    }

    /* an id may be on its way to us; a key is known before the backend can name it */

    return nc->id.type ? COMMERCE_R(ORDER_UNKNOWN) : COMMERCE_R(ORDER_NOT_FOUND);
}


/* an id, a key, a user (an order may be nobody's): one value, and a sound one */

static commerce_reason_t
ngx_commerce_notice_read(ngx_commerce_case_t *c, ngx_commerce_source_t *source, ngx_uint_t optional,
    commerce_str_t *value)
{
    commerce_reason_t  reason;

    reason = ngx_commerce_source_read(c, source, value);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)
        || (reason == COMMERCE_R(OK) && !commerce_id_valid(*value) && (value->len || !optional)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    return reason;
}


static commerce_reason_t
ngx_commerce_notice_answer(ngx_commerce_case_t *c, commerce_order_t *order, commerce_reason_t reason)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = commerce_alloc(&c->arena, 2048);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, 2048);
    commerce_write_open(&w, NULL, '{');

    if (order) {
        commerce_write_text(&w, "order", order->key);
        commerce_write_text(&w, "state", commerce_cstr(commerce_order_state_name(order->state)));
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


char *
ngx_commerce_order_notice_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    size_t                       prefix;
    ngx_str_t                   *value, s;
    ngx_uint_t                   i;
    ngx_commerce_source_t       *source;
    ngx_commerce_notice_conf_t  *nc;

    nc = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_notice_conf_t));
    if (nc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    nc->step = ngx_strcmp(value[0].data, "commerce_order_confirm") == 0
               ? COMMERCE_STEP_PAID : COMMERCE_STEP_CANCELLED;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "id=", 3) == 0) {
            source = &nc->id;
            prefix = 3;

        } else if (ngx_strncmp(value[i].data, "key=", 4) == 0) {
            source = &nc->key;
            prefix = 4;

        } else if (ngx_strncmp(value[i].data, "user=", 5) == 0) {
            source = &nc->user;
            prefix = 5;

        } else {
            return ngx_commerce_invalid(cf, &value[i], "id=, or key= with user=");
        }

        s.data = value[i].data + prefix;
        s.len = value[i].len - prefix;

        rv = ngx_commerce_source_compile(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                         source);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if ((nc->id.type == 0) == (nc->key.type == 0)) {
        return "needs either id= or key=";
    }

    return ngx_commerce_action(cf, NGX_HTTP_POST, ngx_commerce_notice, nc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
