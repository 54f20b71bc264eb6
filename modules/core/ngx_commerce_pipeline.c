/*
 * Copyright (C) ngx_commerce authors
 *
 * A request's way: read the body where a location asked for it, evaluate; then ngx_commerce_commit.c has it.
 *
 *   START -> BODY -> (evaluate) -> COMMIT -> DECIDED
 *
 * PRECONTENT phase of the main request, after limit_* and auth_*.  The phase handler may be entered again at
 * any point (resumed after a wait, redirected): what was decided stays decided.
 */

#include "ngx_commerce_core.h"


static ngx_int_t ngx_commerce_subrequest(ngx_http_request_t *r, ngx_commerce_loc_conf_t *lcf);
static ngx_uint_t ngx_commerce_redirected(ngx_commerce_ctx_t *ctx, ngx_commerce_loc_conf_t *lcf);
static ngx_int_t ngx_commerce_start(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
static ngx_commerce_body_e ngx_commerce_body_kind(ngx_commerce_loc_conf_t *lcf);
static ngx_int_t ngx_commerce_read_body(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx, size_t limit);
static void ngx_commerce_body_handler(ngx_http_request_t *r);
static commerce_reason_t ngx_commerce_judge(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_judge_check(ngx_commerce_ctx_t *ctx);


ngx_int_t
ngx_commerce_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);

    if (r != r->main) {
        return ngx_commerce_subrequest(r, lcf);
    }

    ctx = ngx_commerce_get_ctx(r);

    if (ctx && ctx->phase == NGX_COMMERCE_PHASE_COMMIT) {
        return ctx->query == NGX_COMMERCE_QUERY_ANSWERED ? ngx_commerce_asked(ctx) : NGX_DONE;
    }

    if (ctx && ctx->phase == NGX_COMMERCE_PHASE_BODY) {

        /* nginx refused the body while it was read: this is the error page's way */

        ctx->phase = NGX_COMMERCE_PHASE_DECIDED;
        ctx->c.reason = COMMERCE_R(BODY_MALFORMED);
        ctx->c.denied = 1;
    }

    if (ctx && ctx->phase == NGX_COMMERCE_PHASE_DECIDED && !ngx_commerce_redirected(ctx, lcf)) {

        if (ctx->c.denied && ctx->rc != NGX_DECLINED) {
            rc = ctx->rc;
            ctx->rc = NGX_DECLINED;     /* an error_page of ours goes on */
            return rc == NGX_DONE ? ngx_commerce_answer_denied(r, ctx->c.reason) : rc;
        }

        return NGX_DECLINED;
    }

    if (lcf->mode == NGX_COMMERCE_OFF && lcf->action == NULL && lcf->guard != 1) {
        return ngx_commerce_strip(r) == NGX_OK ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_commerce_worker == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx == NULL) {
        ctx = ngx_commerce_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_commerce_start(r, ctx);

    return rc == NGX_AGAIN ? NGX_DONE : rc;
}


/*
 * mirror (background) and auth_request (waited for, header only) copies of a request are harmless and count
 * nothing; any other sub-request would take an order past its own location's rules
 */

static ngx_int_t
ngx_commerce_subrequest(ngx_http_request_t *r, ngx_commerce_loc_conf_t *lcf)
{
    if ((lcf->order == NULL && lcf->action == NULL && lcf->check == NULL)
        || lcf->mode != NGX_COMMERCE_ENFORCE
        || r->background
        || (r->waited && r->header_only))
    {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "commerce: a sub-request into an order or split location is refused: \"%V\"", &r->uri);

    if (ngx_commerce_worker) {
        ngx_commerce_count(COMMERCE_R(SUBREQUEST_REFUSED));
    }

    return NGX_HTTP_FORBIDDEN;
}


/* a redirect into a location whose settings ask for more than what was done */

static ngx_uint_t
ngx_commerce_redirected(ngx_commerce_ctx_t *ctx, ngx_commerce_loc_conf_t *lcf)
{
    if (ctx->conf == lcf || ctx->c.denied || ctx->outcome != NGX_COMMERCE_OUTCOME_NONE) {
        return 0;
    }

    return (lcf->order != NULL && ctx->c.order == NULL)
           || (lcf->action != NULL && ctx->c.answer.len == 0)
           || (lcf->check != NULL && !ctx->checked)
           || (lcf->mode != NGX_COMMERCE_OFF && !ctx->c.touched)
           || (lcf->guard == 1 && ctx->conf->guard != 1);
}


static ngx_int_t
ngx_commerce_start(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    size_t                    limit;
    commerce_reason_t         reason;
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);

    ctx->conf = lcf;
    ctx->c.mode = lcf->mode;
    ctx->c.reason = COMMERCE_R(OK);

    if (lcf->action) {
        ctx->c.mode = NGX_COMMERCE_ENFORCE;     /* there is no backend to observe */

        if (!(r->method & lcf->action_methods)) {
            return ngx_commerce_refuse(ctx, COMMERCE_R(METHOD_NOT_ALLOWED));
        }
    }

    if (ngx_commerce_guarded(r) != NGX_OK) {

        if (ctx->c.mode != NGX_COMMERCE_OBSERVE) {
            return ngx_commerce_refuse(ctx, COMMERCE_R(GUARD_REFUSED));
        }

        ngx_commerce_object(ctx, COMMERCE_R(GUARD_REFUSED));
    }

    if (ctx->c.mode == NGX_COMMERCE_OFF) {
        ctx->phase = NGX_COMMERCE_PHASE_DECIDED;
        ctx->rc = NGX_DECLINED;
        return ngx_commerce_strip(r) == NGX_OK ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->body_read
        && ((lcf->order && ngx_commerce_counts(r)) || lcf->action_body || (lcf->check && ngx_commerce_checks(r))))
    {
        limit = lcf->order ? lcf->order->body : 65536;
        reason = ngx_commerce_body_check(r, limit, ngx_commerce_body_kind(lcf));

        if (reason == COMMERCE_R(OK)) {
            return ngx_commerce_read_body(r, ctx, limit);
        }

        if (ctx->c.mode != NGX_COMMERCE_OBSERVE) {
            return ngx_commerce_refuse(ctx, reason);
        }

        ctx->unreadable = reason;
    }

    return ngx_commerce_evaluate(ctx);
}


static ngx_commerce_body_e
ngx_commerce_body_kind(ngx_commerce_loc_conf_t *lcf)
{
    if (lcf->uses_form) {
        return NGX_COMMERCE_BODY_FORM;
    }

    return lcf->uses_body || lcf->check || (lcf->order && lcf->order->parses_body) ? NGX_COMMERCE_BODY_JSON
                                                                     : NGX_COMMERCE_BODY_ANY;
}


/* an order location's pages are not orders: safe methods are page views */

ngx_uint_t
ngx_commerce_counts(ngx_http_request_t *r)
{
    return !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS));
}


/* ... but whatever brings a body along may be taken for what it is not */

ngx_uint_t
ngx_commerce_checks(ngx_http_request_t *r)
{
    return ngx_commerce_counts(r) || r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}


static ngx_int_t
ngx_commerce_read_body(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx, size_t limit)
{
    ngx_int_t  rc;

    ctx->phase = NGX_COMMERCE_PHASE_BODY;

    rc = ngx_http_read_client_request_body(r, ngx_commerce_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_commerce_body_handler(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t  *ctx;

    ctx = ngx_commerce_get_ctx(r);

    ctx->body_read = 1;
    ctx->phase = NGX_COMMERCE_PHASE_START;

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


/* NGX_DECLINED, NGX_AGAIN (waits for the store), or a status */

ngx_int_t
ngx_commerce_evaluate(ngx_commerce_ctx_t *ctx)
{
    ngx_int_t             rc;
    commerce_reason_t     reason;
    ngx_commerce_job_t   *job;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->job = job;
    c->txn = &job->txn;
    c->now_us = ngx_commerce_now_us();
    c->now = c->now_us / 1000000;
    c->reader.arena = &c->arena;
    c->reader.view = NULL;
    c->npeople = 0;
    c->degraded = 0;

    if (ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &c->reader.view) != COMMERCE_OK)
    {
        c->reader.view = NULL;
        c->degraded = 1;
    }

    reason = ngx_commerce_judge(ctx);

    if (c->reader.view) {
        commerce_view_end(c->reader.view);
        c->reader.view = NULL;
    }

    if (reason == COMMERCE_R(OK) && job->txn.failed) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0,
                      "commerce: the transaction could not be built");
        reason = COMMERCE_R(INTERNAL);
    }

    if (reason == COMMERCE_R(OK) && job->txn.count) {
        return ngx_commerce_commit(ctx);
    }

    ctx->job = NULL;
    ngx_commerce_job_free(job);

    if (reason == COMMERCE_R(STORE_UNAVAILABLE)) {
        rc = ngx_commerce_without_store(ctx, reason);

    } else if ((reason == COMMERCE_R(ORDER_IN_FLIGHT) && ngx_commerce_busy(ctx))
               || (reason == COMMERCE_R(COUPON_IN_DOUBT) && ngx_commerce_query(ctx)))
    {
        rc = NGX_AGAIN;

    } else if (reason != COMMERCE_R(OK)) {
        rc = ngx_commerce_refuse(ctx, reason);

    } else {
        rc = ngx_commerce_decide(ctx);
    }

    return rc;
}


/* OK, or why not; in observe mode the order code has already turned refusals into notes */

static commerce_reason_t
ngx_commerce_judge(ngx_commerce_ctx_t *ctx)
{
    commerce_reason_t     reason;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    c->reason = ctx->objected;          /* the guard's, or that of an evaluation before a conflict */
    c->noted = COMMERCE_R(OK);
    c->client = COMMERCE_R(OK);
    c->conduct = 0;
    c->conduct_denied = 0;
    c->candid = 0;
    c->etag = commerce_string("");
    c->errors = commerce_string("");
    c->undo.handler = NULL;

    reason = ngx_commerce_who(ctx);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (ctx->conf->action) {
        reason = COMMERCE_R(OK);

        if (ctx->conf->action_body && c->body == NULL && c->form == NULL) {
            reason = ngx_commerce_body_parse(ctx, 65536, ngx_commerce_body_kind(ctx->conf));
        }

        if (reason == COMMERCE_R(OK)) {
            reason = ctx->conf->action(c, ctx->conf->action_conf);
        }

        return commerce_reason(reason)->class == COMMERCE_CLASS_DENY ? reason : COMMERCE_R(OK);
    }

    if (ctx->conf->check && ngx_commerce_checks(c->request)) {
        return ngx_commerce_judge_check(ctx);
    }

    /* first of all: whatever else is wrong with a request, a robot does not bind */

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CLIENT, NGX_COMMERCE_STAGE_CLIENT);

    if (reason != COMMERCE_R(OK)) {
        /* void */

    } else if (ctx->conf->order == NULL || !ngx_commerce_counts(c->request)) {
        reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CODES, NGX_COMMERCE_STAGES - 1);

    } else if (ctx->unreadable != COMMERCE_R(OK)) {
        reason = ctx->unreadable;

    } else {
        reason = ngx_commerce_order_evaluate(ctx);
    }

    if (reason == COMMERCE_R(OK) && ngx_commerce_hides_coupon(ctx)) {
        reason = COMMERCE_R(GUARD_REFUSED);
    }

    if (reason == COMMERCE_R(STORE_UNAVAILABLE) && c->reader.view == NULL
        && c->mode == NGX_COMMERCE_OBSERVE)
    {
        /* it will pass all the same: attributed by what the request itself proves */
        (void) ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    }

    if (reason == COMMERCE_R(OK) || reason == COMMERCE_R(STORE_UNAVAILABLE)
        || (reason == COMMERCE_R(ORDER_IN_FLIGHT) && ngx_commerce_may_wait(ctx))
        || c->mode != NGX_COMMERCE_OBSERVE)
    {
        return reason;
    }

    /* observed: an order goes on unknown to us, what else is legal is written */

    ngx_commerce_object(ctx, reason);

    c->order = NULL;
    c->ncoupons = 0;
    commerce_txn_init(c->txn, c->txn->arena);

    return ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGES - 1);
}


/* what is on its way to somebody who pays: nobody visits, and nothing is attributed */

static commerce_reason_t
ngx_commerce_judge_check(ngx_commerce_ctx_t *ctx)
{
    commerce_reason_t     reason;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    ctx->checked = 1;
    reason = ctx->unreadable;

    if (reason == COMMERCE_R(OK) && c->body == NULL) {
        reason = ngx_commerce_body_parse(ctx, 65536, NGX_COMMERCE_BODY_JSON);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ctx->conf->check(c, ctx->conf->check_conf);
    }

    if (commerce_reason(reason)->class != COMMERCE_CLASS_DENY) {
        return COMMERCE_R(OK);
    }

    if (reason != COMMERCE_R(STORE_UNAVAILABLE) && c->mode == NGX_COMMERCE_OBSERVE) {
        ngx_commerce_object(ctx, reason);
        commerce_txn_init(c->txn, c->txn->arena);

        return COMMERCE_R(OK);
    }

    return reason;
}


/* observe mode: what would have been refused */

void
ngx_commerce_object(ngx_commerce_ctx_t *ctx, commerce_reason_t reason)
{
    ngx_commerce_count(reason);

    ctx->c.would_deny = 1;
    ctx->c.reason = reason;

    if (ctx->objected != reason) {          /* not again when evaluated again */
        ctx->objected = reason;
        ngx_commerce_event_deny(ctx);
    }
}


commerce_reason_t
ngx_commerce_run_stages(ngx_commerce_case_t *c, ngx_uint_t first, ngx_uint_t last)
{
    ngx_uint_t                 i, k;
    ngx_array_t               *stages;
    commerce_reason_t          reason;
    ngx_commerce_stage_pt     *handler;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(c->request, ngx_commerce_module);

    for (i = first; i <= last; i++) {
        stages = mcf->stages[i];

        if (stages == NULL) {
            continue;
        }

        handler = stages->elts;

        for (k = 0; k < stages->nelts; k++) {
            reason = handler[k](c);

            if (reason != COMMERCE_R(OK)) {
                return reason;
            }
        }
    }

    return COMMERCE_R(OK);
}
