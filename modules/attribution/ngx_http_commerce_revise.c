/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_order_revise: a platform tells of an order that was made already who brought its buyer.
 */

#include "ngx_http_commerce_attribution.h"


#define NGX_HTTP_COMMERCE_REVISE_ANSWER  2048


typedef struct {
    ngx_commerce_source_t       id, key, user;
} ngx_http_commerce_revise_conf_t;


static commerce_reason_t ngx_http_commerce_revise(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_revise_order(ngx_commerce_case_t *c,
    ngx_http_commerce_revise_conf_t *rc, commerce_order_t *order, uint64_t *version);
static commerce_reason_t ngx_http_commerce_revise_answer(ngx_commerce_case_t *c, commerce_order_t *order,
    commerce_reason_t reason);


/* the touches of this location (commerce_touch) are what is told: judged as on any page, by nobody's record */

static commerce_reason_t
ngx_http_commerce_revise(ngx_commerce_case_t *c, void *conf)
{
    uint64_t                               version;
    commerce_order_t                       order;
    commerce_credit_t                     *credit;
    commerce_ledger_t                      ledger;
    commerce_person_t                     *seller;
    commerce_reason_t                      reason;
    ngx_http_commerce_attribution_conf_t  *acf;

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    /* whoever tells of it is not the buyer */

    c->user = commerce_string("");
    c->verified = 0;

    reason = ngx_http_commerce_revise_order(c, conf, &order, &version);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_core->attribute(c);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    credit = ngx_http_commerce_core->credit(c);

    if (credit == NULL) {
        return COMMERCE_R(CONTEXT_UNKNOWN);
    }

    acf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_attribution_module);
    seller = ngx_http_commerce_core->person(c, credit->seller);

    ngx_http_commerce_core->ledger(c, &ledger);

    reason = commerce_ledger_revise(&ledger, &order, version, acf->priority, credit,
                                    seller && commerce_person_is(seller, order.user) ? seller->number : 0);

    return commerce_reason(reason)->class == COMMERCE_CLASS_DENY ? reason
           : ngx_http_commerce_revise_answer(c, &order, reason);
}


static commerce_reason_t
ngx_http_commerce_revise_order(ngx_commerce_case_t *c, ngx_http_commerce_revise_conf_t *rc,
    commerce_order_t *order, uint64_t *version)
{
    int                found;
    commerce_str_t     id, key, user;
    commerce_reason_t  reason;

    id = commerce_string("");
    key = commerce_string("");
    user = commerce_string("");

    reason = rc->id.type ? ngx_http_commerce_core->read(c, &rc->id, &id) : COMMERCE_R(OK);

    if (reason == COMMERCE_R(OK) && rc->key.type) {
        reason = ngx_http_commerce_core->read(c, &rc->key, &key);
    }

    if (reason == COMMERCE_R(OK) && rc->user.type) {
        reason = ngx_http_commerce_core->read(c, &rc->user, &user);
    }

    if (reason == COMMERCE_R(INTERNAL)) {
        return reason;
    }

    if (reason != COMMERCE_R(OK) || !commerce_id_valid(rc->id.type ? id : key)
        || (user.len && !commerce_id_valid(user)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    found = rc->id.type ? commerce_order_find(&c->reader, id, order, version)
                        : commerce_order_read(&c->reader, user, key, order, version);

    return found == COMMERCE_OK ? COMMERCE_R(OK)
           : found == COMMERCE_ABSENT ? COMMERCE_R(ORDER_NOT_FOUND) : COMMERCE_R(STORE_UNAVAILABLE);
}


static commerce_reason_t
ngx_http_commerce_revise_answer(ngx_commerce_case_t *c, commerce_order_t *order, commerce_reason_t reason)
{
    char                     *buffer;
    int64_t                   len;
    commerce_write_t          w;
    const commerce_credit_t  *winner;

    buffer = commerce_alloc(&c->arena, NGX_HTTP_COMMERCE_REVISE_ANSWER);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    winner = commerce_order_winner(order);

    commerce_write_start(&w, buffer, NGX_HTTP_COMMERCE_REVISE_ANSWER);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "order", order->key);
    commerce_write_int(&w, "revision", order->revision);
    commerce_write_optional(&w, "seller", winner ? winner->seller_id : commerce_string(""));
    commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(winner ? winner->source
                                                                               : COMMERCE_SOURCE_NONE)));
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
ngx_http_commerce_revise_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                             *rv;
    ngx_str_t                        *value, s;
    ngx_uint_t                        i;
    ngx_commerce_source_t            *source;
    ngx_http_commerce_revise_conf_t  *rc;

    rc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_revise_conf_t));
    if (rc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        s.data = (u_char *) ngx_strchr(value[i].data, '=');

        if (s.data == NULL) {
            return ngx_http_commerce_core->invalid(cf, &value[i], "id=SOURCE, or key=SOURCE user=SOURCE");
        }

        s.data++;
        s.len = value[i].data + value[i].len - s.data;

        source = ngx_strncmp(value[i].data, "id=", 3) == 0 ? &rc->id
                 : ngx_strncmp(value[i].data, "key=", 4) == 0 ? &rc->key
                 : ngx_strncmp(value[i].data, "user=", 5) == 0 ? &rc->user : NULL;

        if (source == NULL || source->type || s.len == 0) {
            return ngx_http_commerce_core->invalid(cf, &value[i], "id=SOURCE, or key=SOURCE user=SOURCE");
        }

        rv = ngx_http_commerce_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY, source);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (!rc->id.type == !rc->key.type || (rc->id.type && rc->user.type)) {
        return "needs id=, or key= with user=";
    }

    return ngx_http_commerce_core->action(cf, NGX_HTTP_POST, ngx_http_commerce_revise, rc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
