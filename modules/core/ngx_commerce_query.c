/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_order_query: a buyer comes with a new key for a coupon that his own order in doubt holds.  The
 * backend is asked about that order, by a sub-request, while the buyer waits; its answer resolves the doubt by
 * the rules of any answer, and the request is evaluated again.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_QUERY_WAIT  2000       /* ms until the answer is written down */
#define NGX_COMMERCE_QUERY_GONE  410


static ngx_int_t ngx_commerce_query_start(ngx_commerce_ctx_t *ctx);
static ngx_int_t ngx_commerce_query_args(ngx_commerce_ctx_t *ctx, ngx_str_t *args);
static ngx_int_t ngx_commerce_query_done(ngx_http_request_t *sr, void *data, ngx_int_t rc);
static commerce_step_t ngx_commerce_query_said(ngx_http_request_t *sr, ngx_commerce_ctx_t *ctx, ngx_int_t rc);


/* the order that holds this coupon, if it is the buyer's own and in doubt: he may know, and so may the backend */

commerce_reason_t
ngx_commerce_query_own(ngx_commerce_ctx_t *ctx, ngx_commerce_coupon_t *coupon)
{
    commerce_order_t     *order;
    commerce_coupon_t    *held;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    held = &coupon->use.coupon;

    if (coupon->reason != COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER)
        || !c->verified
        || !commerce_equal(held->order_user, c->user))
    {
        return coupon->reason;
    }

    order = commerce_alloc(&c->arena, sizeof(commerce_order_t));

    if (order == NULL
        || commerce_order_read(&c->reader, held->order_user, held->order_key, order, NULL) != COMMERCE_OK
        || (order->doubt == 0
            && !(order->state == COMMERCE_ORDER_PENDING && c->now >= order->in_flight_until)))
    {
        return coupon->reason;
    }

    ctx->asked = order;

    return COMMERCE_R(COUPON_IN_DOUBT);
}


/* 1: the request waits, for the backend's word or for that to be written down */

ngx_uint_t
ngx_commerce_query(ngx_commerce_ctx_t *ctx)
{
    if (ctx->c.mode != NGX_COMMERCE_ENFORCE
        || ctx->conf->order == NULL
        || ctx->conf->order->query == NULL
        || ctx->asked == NULL
        || ctx->asked->state == COMMERCE_ORDER_CART)
    {
        return 0;
    }

    if (ctx->query == NGX_COMMERCE_QUERY_WRITTEN && ctx->waited < NGX_COMMERCE_QUERY_WAIT) {
        ngx_commerce_look_again(ctx);
        return 1;
    }

    return ctx->query == NGX_COMMERCE_QUERY_NONE && ngx_commerce_query_start(ctx) == NGX_OK;
}


static ngx_int_t
ngx_commerce_query_start(ngx_commerce_ctx_t *ctx)
{
    ngx_str_t                    args;
    ngx_http_request_t          *r, *sr;
    ngx_http_post_subrequest_t  *ps;

    r = ctx->c.request;
    ctx->query = NGX_COMMERCE_QUERY_DONE;       /* once per request */

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));

    if (ps == NULL || ngx_commerce_query_args(ctx, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    ps->handler = ngx_commerce_query_done;
    ps->data = ctx;

    if (ngx_http_subrequest(r, &ctx->conf->order->query_uri, &args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY|NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a body of its own, so that the order's is neither sent nor closed */

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    sr->headers_in.content_length_n = -1;
    sr->headers_in.chunked = 0;

    if (ngx_commerce_headers_identity(sr) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->query = NGX_COMMERCE_QUERY_ASKED;
    ctx->phase = NGX_COMMERCE_PHASE_COMMIT;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    return NGX_OK;
}


/* key=...&user=...&id=..., escaped */

static ngx_int_t
ngx_commerce_query_args(ngx_commerce_ctx_t *ctx, ngx_str_t *args)
{
    u_char            *p;
    size_t             i, len;
    const char        *names[] = { "key=", "&user=", "&id=" };
    commerce_str_t     values[3];

    values[0] = ctx->asked->key;
    values[1] = ctx->asked->user;
    values[2] = ctx->asked->id;

    for (i = 0, len = 0; i < 3; i++) {
        len += ngx_strlen(names[i]) + 3 * values[i].len;
    }

    p = ngx_pnalloc(ctx->c.request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->data = p;

    for (i = 0; i < 3; i++) {
        p = ngx_cpymem(p, names[i], ngx_strlen(names[i]));
        p = (u_char *) ngx_escape_uri(p, (u_char *) values[i].data, values[i].len, NGX_ESCAPE_URI_COMPONENT);
    }

    args->len = p - args->data;

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_query_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_commerce_ctx_t  *ctx = data;

    if (ctx->query != NGX_COMMERCE_QUERY_ASKED) {
        return rc;
    }

    ngx_memzero(&ctx->answered, sizeof(ngx_commerce_step_t));
    ctx->answered.answer.payable = -1;
    ctx->answered.step = ngx_commerce_query_said(sr, ctx, rc);
    ctx->query = NGX_COMMERCE_QUERY_ANSWERED;

    return NGX_OK;
}


/*
 * Only what the backend itself said counts: a page of nginx's is no answer.  That it does not know the order is 404 or
 * 410, or JSON that fails json=; any other refusal is of the question.  The buyer chose the key in it, and would have
 * his coupon twice.
 */

static commerce_step_t
ngx_commerce_query_said(ngx_http_request_t *sr, ngx_commerce_ctx_t *ctx, ngx_int_t rc)
{
    ngx_buf_t                  *b;
    ngx_uint_t                  status;
    commerce_step_t             said;
    commerce_json_t            *root;
    ngx_commerce_order_conf_t  *qc;

    qc = ctx->conf->order->query;
    status = sr->upstream ? sr->upstream->headers_in.status_n : 0;

    if (rc != NGX_OK || status == 0) {
        return COMMERCE_STEP_UNKNOWN;
    }

    if (status != qc->success_status) {
        return status == NGX_HTTP_NOT_FOUND || status == NGX_COMMERCE_QUERY_GONE ? COMMERCE_STEP_REFUSED
                                                                                : COMMERCE_STEP_UNKNOWN;
    }

    b = sr->out ? sr->out->buf : NULL;
    root = NULL;

    if (b && commerce_json_parse(&ctx->c.arena, (commerce_str_t) { (char *) b->pos, b->last - b->pos }, &root)
             != COMMERCE_R(OK))
    {
        root = NULL;
    }

    said = ngx_commerce_outcome_success(qc, root);

    if (said == COMMERCE_STEP_ACCEPTED && root) {
        ngx_commerce_outcome_facts(ctx, qc, root, &ctx->answered.answer);
    }

    return said;
}


/* back in the phase handler: what was said is written, and the request waits for that */

ngx_int_t
ngx_commerce_query_answered(ngx_commerce_ctx_t *ctx)
{
    ngx_commerce_step_t  *step;

    step = &ctx->answered;
    ctx->query = NGX_COMMERCE_QUERY_DONE;

    if (step->step != COMMERCE_STEP_ACCEPTED && step->step != COMMERCE_STEP_REFUSED) {
        return NGX_DECLINED;
    }

    step->shop = ctx->c.shop;
    step->user = ctx->asked->user;
    step->key = ctx->asked->key;
    step->attempt = ctx->asked->in_flight_until;
    step->cart = ctx->asked->cart != COMMERCE_CART_NONE ? COMMERCE_CART_COMPLETE : COMMERCE_CART_NONE;
    step->by = commerce_string("query");

    if (ngx_commerce_order_step(step) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->query = NGX_COMMERCE_QUERY_WRITTEN;
    ctx->waited = 0;
    ngx_commerce_look_again(ctx);

    return NGX_AGAIN;
}


/* configuration */

char *
ngx_commerce_query_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc, *qc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->query) {
        return "is duplicate";
    }

    qc = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_order_conf_t));
    if (qc == NULL) {
        return NGX_CONF_ERROR;
    }

    oc->query = qc;
    value = cf->args->elts;

    if (value[1].data[0] != '/' || ngx_strlchr(value[1].data, value[1].data + value[1].len, '?')) {
        return ngx_commerce_invalid(cf, &value[1], "the URI of an internal location, without arguments");
    }

    oc->query_uri = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "status=", 7) == 0 || ngx_strncmp(value[i].data, "json=", 5) == 0) {
            rv = ngx_commerce_order_success_param(cf, &value[i], qc);
            qc->success_set = 1;

        } else if (ngx_strncmp(value[i].data, "id=response:", 12) == 0) {
            rv = ngx_commerce_order_pointer(cf, &value[i], 12, &qc->id);

        } else if (ngx_strncmp(value[i].data, "payable=response:", 17) == 0) {
            rv = ngx_commerce_order_pointer(cf, &value[i], 17, &qc->payable);

        } else if (ngx_strncmp(value[i].data, "freight=response:", 17) == 0) {
            rv = ngx_commerce_order_pointer(cf, &value[i], 17, &qc->freight);

        } else {
            rv = ngx_commerce_invalid(cf, &value[i],
                     "status=200..299, json=/pointer:word, id=response:/p, payable=response:/p, freight=response:/p");
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* what it does not say itself is as with the order */

void
ngx_commerce_query_merge(ngx_commerce_order_conf_t *oc)
{
    ngx_commerce_order_conf_t  *qc;

    qc = oc->query;

    qc->unit = oc->unit;

    if (!qc->success_set) {
        qc->success_status = oc->success_status;
        qc->success_pointer = oc->success_pointer;
        qc->success_word = oc->success_word;
    }

    if (qc->success_status == 0) {
        qc->success_status = NGX_HTTP_OK;
    }

    if (qc->id.len == 0 && qc->payable.len == 0 && qc->freight.len == 0) {
        qc->id = oc->id;
        qc->payable = oc->payable;
        qc->freight = oc->freight;
    }
}
