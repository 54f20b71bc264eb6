/*
 * Copyright (C) ngx_commerce authors
 *
 * The transaction of a request, and the verdict: what was judged is written before the request goes on, or it is
 * evaluated once more, or refused.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_BUSY  20               /* ms until a cart is looked at again */


static void ngx_commerce_committed(ngx_commerce_job_t *job);
static void ngx_commerce_go_on(ngx_commerce_ctx_t *ctx, ngx_int_t rc);
static void ngx_commerce_busy_timer(ngx_event_t *ev);
static void ngx_commerce_committed_late(ngx_commerce_job_t *job);
static ngx_int_t ngx_commerce_result(ngx_commerce_ctx_t *ctx, commerce_txn_result_t result,
    commerce_reason_t failed);
static void ngx_commerce_wait(ngx_http_request_t *r);
static void ngx_commerce_resume(ngx_http_request_t *r);


ngx_int_t
ngx_commerce_commit(ngx_commerce_ctx_t *ctx)
{
    ngx_commerce_job_t   *job;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    job = ctx->job;

    job->data = ctx;
    job->done = ngx_commerce_committed;
    job->late = ngx_commerce_committed_late;

    if (c->undo.handler) {
        job->shop = commerce_copy(&job->arena, c->shop);
        ngx_commerce_undo_keep(&job->arena, &c->undo, &job->undo);
    }

    if (c->order && c->arrival == COMMERCE_ARRIVAL_NEW) {
        job->shop = commerce_copy(&job->arena, c->shop);
        job->user = commerce_copy(&job->arena, c->order->user);
        job->key = commerce_copy(&job->arena, c->order->key);
        job->attempt = c->order->in_flight_until;
        job->cart = c->cart;
        job->named = ngx_commerce_cart_copy(&job->arena, ctx->named, ctx->nnamed);
        job->nnamed = job->named ? ctx->nnamed : 0;
    }

    if (ngx_commerce_job_submit(job) != NGX_OK) {
        ctx->job = NULL;
        ngx_commerce_job_free(job);

        return ngx_commerce_without_store(ctx, COMMERCE_R(STORE_UNAVAILABLE));
    }

    ctx->phase = NGX_COMMERCE_PHASE_COMMIT;
    ngx_commerce_wait(c->request);

    return NGX_AGAIN;
}


static void
ngx_commerce_committed(ngx_commerce_job_t *job)
{
    ngx_int_t               rc;
    commerce_reason_t       failed;
    ngx_commerce_ctx_t     *ctx;
    commerce_txn_result_t   result;

    ctx = job->data;

    /* once answered by the deadline the transaction is still the thread's: not to be looked at */

    result = job->answered ? COMMERCE_TXN_UNKNOWN : job->txn.result;
    failed = result == COMMERCE_TXN_LIMIT ? (commerce_reason_t) job->txn.failed_tag : COMMERCE_R(OK);

    job->data = NULL;
    ctx->job = NULL;
    ctx->phase = NGX_COMMERCE_PHASE_START;

    ctx->resuming = 1;
    rc = ngx_commerce_result(ctx, result, failed);
    ctx->resuming = 0;

    if (rc == NGX_AGAIN) {
        ngx_http_run_posted_requests(ctx->c.request->connection);   /* a query, perhaps */
        return;
    }

    if (job->answered && rc == NGX_DECLINED) {
        job->undo.handler = NULL;
        job->key.len = 0;           /* it goes to the backend all the same: not to be let go */
    }

    ngx_commerce_go_on(ctx, rc);
}


/* out of a wait, with what came of it */

static void
ngx_commerce_go_on(ngx_commerce_ctx_t *ctx, ngx_int_t rc)
{
    if (rc != NGX_DECLINED && ctx->phase != NGX_COMMERCE_PHASE_DECIDED) {
        ctx->phase = NGX_COMMERCE_PHASE_DECIDED;
        ctx->c.denied = 1;
        ctx->rc = rc;
    }

    ngx_commerce_resume(ctx->c.request);
}


/*
 * A cart takes one request at a time, and an answer reaches the client a moment before it is written down: the
 * next request waits for that instead of failing.
 */

ngx_uint_t
ngx_commerce_busy(ngx_commerce_ctx_t *ctx)
{
    if (!ngx_commerce_may_wait(ctx)) {
        return 0;
    }

    ngx_commerce_look_again(ctx);

    return 1;
}


ngx_uint_t
ngx_commerce_may_wait(ngx_commerce_ctx_t *ctx)
{
    return ctx->conf->order && ctx->conf->order->cart_set && ctx->waited < ctx->conf->order->cart_wait;
}


void
ngx_commerce_look_again(ngx_commerce_ctx_t *ctx)
{
    ngx_event_t  *ev;

    ev = &ctx->busy;
    ev->handler = ngx_commerce_busy_timer;
    ev->data = ctx;
    ev->log = ctx->c.request->connection->log;

    ctx->waited += NGX_COMMERCE_BUSY;
    ctx->phase = NGX_COMMERCE_PHASE_COMMIT;

    ngx_add_timer(ev, NGX_COMMERCE_BUSY);
    ngx_commerce_wait(ctx->c.request);
}


static void
ngx_commerce_busy_timer(ngx_event_t *ev)
{
    ngx_int_t            rc;
    ngx_commerce_ctx_t  *ctx = ev->data;

    if (ngx_commerce_may_wait(ctx) && ngx_commerce_cart_in_flight(ctx)) {
        ngx_commerce_look_again(ctx);
        return;
    }

    ctx->phase = NGX_COMMERCE_PHASE_START;

    ctx->resuming = 1;
    rc = ngx_commerce_evaluate(ctx);
    ctx->resuming = 0;

    if (rc != NGX_AGAIN) {
        ngx_commerce_go_on(ctx, rc);
        return;
    }

    ngx_http_run_posted_requests(ctx->c.request->connection);
}


/* the backend was asked about an order in doubt: once what it said is written, or at once, all is evaluated again */

ngx_int_t
ngx_commerce_asked(ngx_commerce_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ngx_commerce_query_answered(ctx) == NGX_AGAIN) {
        return NGX_DONE;
    }

    ctx->phase = NGX_COMMERCE_PHASE_START;
    rc = ngx_commerce_evaluate(ctx);

    return rc == NGX_AGAIN ? NGX_DONE : rc;
}


/* nobody forwarded this request: what its order reserved is let go, and so is what a check has written */

static void
ngx_commerce_committed_late(ngx_commerce_job_t *job)
{
    ngx_commerce_step_t  step;

    if (job->txn.result != COMMERCE_TXN_APPLIED) {
        return;
    }

    if (job->undo.handler) {
        ngx_commerce_undo_run(job->shop, &job->undo);
    }

    if (job->key.len == 0) {
        return;
    }

    ngx_memzero(&step, sizeof(ngx_commerce_step_t));
    step.shop = job->shop;
    step.user = job->user;
    step.key = job->key;
    step.attempt = job->attempt;
    step.cart = job->cart;
    step.named = job->named;
    step.nnamed = job->nnamed;
    step.step = COMMERCE_STEP_REFUSED;

    (void) ngx_commerce_order_step(&step);
}


static ngx_int_t
ngx_commerce_result(ngx_commerce_ctx_t *ctx, commerce_txn_result_t result, commerce_reason_t failed)
{
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    switch (result) {

    case COMMERCE_TXN_APPLIED:
        return ngx_commerce_decide(ctx);

    case COMMERCE_TXN_CONFLICT:

        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->conflicts, 1);

        if (++ctx->attempts < (ctx->conf->action ? NGX_COMMERCE_ACTION_ATTEMPTS : NGX_COMMERCE_ATTEMPTS)) {
            return ngx_commerce_evaluate(ctx);
        }

        ngx_log_error(NGX_LOG_WARN, c->request->connection->log, 0,
                      "commerce: a transaction met conflicts %ui times", ctx->attempts);

        return ngx_commerce_without_store(ctx, COMMERCE_R(STORE_UNAVAILABLE));

    case COMMERCE_TXN_LIMIT:

        if (c->mode == NGX_COMMERCE_ENFORCE || ++ctx->attempts >= NGX_COMMERCE_ATTEMPTS) {
            return ngx_commerce_refuse(ctx, failed);
        }

        /* observed: noted, and evaluated again without the coupons */

        ctx->over_limit = failed;

        return ngx_commerce_evaluate(ctx);

    case COMMERCE_TXN_UNKNOWN:
        return ngx_commerce_without_store(ctx, COMMERCE_R(STORE_UNKNOWN));

    case COMMERCE_TXN_UPGRADING:
        return ngx_commerce_without_store(ctx, COMMERCE_R(STORE_UPGRADING));

    default:
        return ngx_commerce_without_store(ctx, COMMERCE_R(STORE_UNAVAILABLE));
    }
}


/* pages and plain orders go on from what the request itself proves; coupons and actions do not */

ngx_int_t
ngx_commerce_without_store(ngx_commerce_ctx_t *ctx, commerce_reason_t reason)
{
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    c->degraded = 1;
    c->order = NULL;
    ngx_commerce_count(reason);

    if (c->mode == NGX_COMMERCE_ENFORCE
        && (c->ncoupons || ctx->conf->action || ctx->checked || c->cart != COMMERCE_CART_NONE))
    {
        return ngx_commerce_refuse(ctx, reason);
    }

    ngx_log_error(NGX_LOG_WARN, c->request->connection->log, 0,
                  "commerce: decided without the store: %s", commerce_reason(reason)->name.data);

    c->reason = reason;

    return ngx_commerce_decide(ctx);
}


ngx_int_t
ngx_commerce_refuse(ngx_commerce_ctx_t *ctx, commerce_reason_t reason)
{
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (c->mode == NGX_COMMERCE_OBSERVE) {
        c->order = NULL;
        ngx_commerce_object(ctx, reason);
        return ngx_commerce_decide(ctx);
    }

    ngx_commerce_count(reason);

    c->reason = reason;
    c->denied = 1;
    c->order = NULL;
    ngx_commerce_event_deny(ctx);

    ngx_log_error(NGX_LOG_INFO, c->request->connection->log, 0,
                  "commerce: refused: %s", commerce_reason(reason)->name.data);

    ctx->phase = NGX_COMMERCE_PHASE_DECIDED;
    ctx->rc = NGX_DONE;

    if (ctx->resuming) {
        return NGX_DONE;            /* the phase handler is entered once more and answers */
    }

    ctx->rc = NGX_DECLINED;

    return ngx_commerce_answer_denied(c->request, reason);
}


ngx_int_t
ngx_commerce_decide(ngx_commerce_ctx_t *ctx)
{
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (c->reason == COMMERCE_R(OK)) {
        c->reason = c->noted != COMMERCE_R(OK) ? c->noted : c->attribution;
    }

    ngx_commerce_count(c->reason);

    ctx->phase = NGX_COMMERCE_PHASE_DECIDED;
    ctx->rc = NGX_DECLINED;

    if (ctx->conf->action) {
        return NGX_DECLINED;
    }

    if (ngx_commerce_strip(c->request) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* whoever gets what was checked is no backend of the shop's, perhaps: it goes on as it came */

    if (!ctx->checked && ngx_commerce_headers_push(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (c->order) {
        ngx_commerce_outcome_open(ctx);
    }

    return NGX_DECLINED;
}


static void
ngx_commerce_wait(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}


static void
ngx_commerce_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


void
ngx_commerce_event_deny(ngx_commerce_ctx_t *ctx)
{
    char                  buffer[NGX_COMMERCE_EVENT_SIZE];
    commerce_write_t      w;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "deny", c->shop,
                             c->now_us ? c->now_us : ngx_commerce_now_us())
        != COMMERCE_OK)
    {
        return;
    }

    commerce_write_text(&w, "decision", c->denied ? commerce_string("deny")
                                                  : commerce_string("would_deny"));
    commerce_write_text(&w, "reason", commerce_reason(c->reason)->name);
    commerce_write_optional(&w, "detail", ngx_commerce_str(c->detail));
    ngx_commerce_write_request(&w, c->request);
    commerce_write_optional(&w, "buyer", ngx_commerce_api_pseudonym(c));
    commerce_write_optional(&w, "order_key", ctx->order_key);

    ngx_commerce_journal_event(commerce_event_finish(&w));
}
