/*
 * Copyright (C) ngx_commerce authors
 *
 * Steps that orders make without any request waiting: outcomes, the sweep, orders nobody forwarded.
 */

#include "ngx_commerce_core.h"


typedef struct {                            /* a step on its way */
    ngx_commerce_step_t     step;
    ngx_commerce_job_t     *job;
    ngx_queue_t             held;
} ngx_commerce_step_job_t;


#define NGX_COMMERCE_STEPS_HELD  4096
#define NGX_COMMERCE_STEP_PAUSE  500


static ngx_commerce_step_job_t *ngx_commerce_order_step_create(ngx_commerce_step_t *step);
static ngx_int_t ngx_commerce_order_step_copy(commerce_arena_t *arena, ngx_commerce_step_t *step);
static commerce_reason_t ngx_commerce_order_step_ledger(commerce_ledger_t *ledger, commerce_order_t *order,
    uint64_t version, ngx_commerce_step_t *step);
static ngx_int_t ngx_commerce_order_step_run(ngx_commerce_step_job_t *sj);
static ngx_uint_t ngx_commerce_order_step_passed(ngx_commerce_step_t *step, commerce_order_t *order);
static void ngx_commerce_order_step_done(ngx_commerce_job_t *job);
static ngx_int_t ngx_commerce_order_step_hold(ngx_commerce_step_t *step);
static void ngx_commerce_order_step_again(ngx_event_t *ev);


static ngx_queue_t       ngx_commerce_steps_held;
static ngx_uint_t        ngx_commerce_nsteps_held;
static ngx_event_t       ngx_commerce_step_event;
static ngx_connection_t  ngx_commerce_step_dummy;


void
ngx_commerce_step_init(void)
{
    ngx_event_t  *ev;

    ngx_queue_init(&ngx_commerce_steps_held);
    ngx_commerce_nsteps_held = 0;

    ev = &ngx_commerce_step_event;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ngx_commerce_step_dummy.fd = (ngx_socket_t) -1;

    ev->handler = ngx_commerce_order_step_again;
    ev->data = &ngx_commerce_step_dummy;
    ev->log = ngx_commerce_worker->cycle->log;
    ev->cancelable = 1;
}


/* a step that no request waits for; strings are copied */

ngx_int_t
ngx_commerce_order_step(ngx_commerce_step_t *step)
{
    ngx_commerce_step_job_t  *sj;

    sj = ngx_commerce_order_step_create(step);

    return sj ? ngx_commerce_order_step_run(sj) : NGX_ERROR;
}


static ngx_commerce_step_job_t *
ngx_commerce_order_step_create(ngx_commerce_step_t *step)
{
    ngx_commerce_job_t       *job;
    ngx_commerce_step_job_t  *sj;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return NULL;
    }

    sj = commerce_alloc(&job->arena, sizeof(ngx_commerce_step_job_t));
    if (sj == NULL) {
        ngx_commerce_job_free(job);
        return NULL;
    }

    sj->step = *step;
    sj->step.shop = commerce_copy(&job->arena, step->shop);
    sj->step.user = commerce_copy(&job->arena, step->user);
    sj->step.key = commerce_copy(&job->arena, step->key);
    sj->step.answer.id = commerce_copy(&job->arena, step->answer.id);
    sj->step.answer.payment = commerce_copy(&job->arena, step->answer.payment);
    sj->job = job;

    if (step->cart != COMMERCE_CART_NONE && ngx_commerce_order_step_copy(&job->arena, &sj->step) != NGX_OK) {
        ngx_commerce_job_free(job);
        return NULL;
    }

    return sj;
}


/* a cart's: what its request named, and what the answer lists */

static ngx_int_t
ngx_commerce_order_step_copy(commerce_arena_t *arena, ngx_commerce_step_t *step)
{
    unsigned          i;
    commerce_str_t   *categories;
    commerce_line_t  *lines;

    step->named = ngx_commerce_cart_copy(arena, step->named, step->nnamed);
    step->listed.coupons = ngx_commerce_cart_copy(arena, step->listed.coupons, step->listed.coupon_count);

    lines = commerce_alloc(arena, (step->listed.line_count + 1) * sizeof(commerce_line_t));
    categories = commerce_alloc(arena, (step->listed.line_count + 1) * sizeof(commerce_str_t));

    if (step->named == NULL || step->listed.coupons == NULL || lines == NULL || categories == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < step->listed.line_count; i++) {
        lines[i] = step->listed.lines[i];
        lines[i].sku = commerce_copy(arena, lines[i].sku);

        if (step->listed.categories) {
            categories[i] = commerce_copy(arena, step->listed.categories[i]);
        }
    }

    step->listed.lines = lines;
    step->listed.categories = step->listed.categories ? categories : NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_order_step_run(ngx_commerce_step_job_t *sj)
{
    int                    rc;
    int64_t                now_us;
    uint64_t               version;
    commerce_order_t      *order;
    commerce_reader_t      reader;
    commerce_ledger_t      ledger;
    commerce_reason_t      reason;
    ngx_commerce_job_t    *job;

    job = sj->job;
    commerce_txn_init(&job->txn, &job->arena);

    order = job->arena.alloc(job->arena.owner, sizeof(commerce_order_t));      /* zeroed by reading */

    if (order == NULL
        || ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK)
    {
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    now_us = ngx_commerce_now_us();

    reader.arena = &job->arena;
    reader.shop = sj->step.shop;

    ledger.reader = &reader;
    ledger.txn = &job->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = now_us / 1000000;
    ledger.now_us = now_us;

    rc = commerce_order_read(&reader, sj->step.user, sj->step.key, order, &version);
    reason = COMMERCE_R(ORDER_UNKNOWN);

    if (rc == COMMERCE_OK && ngx_commerce_order_step_passed(&sj->step, order)) {
        reason = COMMERCE_R(ORDER_REPLAY);

    } else if (rc == COMMERCE_OK) {
        reason = ngx_commerce_order_step_ledger(&ledger, order, version, &sj->step);
    }

    commerce_view_end(reader.view);

    if (rc == COMMERCE_ERROR || reason == COMMERCE_R(INTERNAL) || job->txn.failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: step \"%s\" of an order failed", commerce_step_name(sj->step.step));
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    if (reason == COMMERCE_R(AMOUNT_MISMATCH) || reason == COMMERCE_R(COUPON_RESERVATION_LOST)) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: %s: order key \"%*s\"", commerce_reason(reason)->name.data,
                      order->key.len, order->key.data);
    }

    if (rc == COMMERCE_ABSENT && sj->step.step == COMMERCE_STEP_ACCEPTED) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: the upstream accepted an order that is not known any more: key \"%*s\"",
                      sj->step.key.len, sj->step.key.data);
    }

    if (reason != COMMERCE_R(ORDER_REPLAY)) {       /* counted where the request met it */
        ngx_commerce_count(reason);
    }

    if (job->txn.count == 0) {
        ngx_commerce_job_free(job);
        return NGX_OK;
    }

    job->data = sj;
    job->patient = 1;
    job->done = ngx_commerce_order_step_done;

    if (ngx_commerce_job_submit(job) != NGX_OK) {
        ngx_commerce_job_free(job);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static commerce_reason_t
ngx_commerce_order_step_ledger(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    ngx_commerce_step_t *step)
{
    if (step->cart == COMMERCE_CART_APPLY || step->cart == COMMERCE_CART_REMOVE) {
        return commerce_ledger_cart_settle(ledger, order, version, step->cart, step->step, step->named,
                                           step->nnamed, &step->listed, step->by);
    }

    if (step->cart == COMMERCE_CART_COMPLETE && step->step == COMMERCE_STEP_ACCEPTED) {
        return commerce_ledger_cart_complete(ledger, order, version, &step->answer, &step->listed, step->by);
    }

    return commerce_ledger_resolve(ledger, order, version, step->step, &step->answer, step->by);
}


/*
 * The try that failed is no longer the last one: what a later try reserved, or keeps, may be with the upstream
 * by now, and its own outcome decides
 */

static ngx_uint_t
ngx_commerce_order_step_passed(ngx_commerce_step_t *step, commerce_order_t *order)
{
    return (step->step == COMMERCE_STEP_REFUSED
            || step->cart == COMMERCE_CART_APPLY || step->cart == COMMERCE_CART_REMOVE)
           && step->attempt != 0
           && step->attempt != order->in_flight_until;
}


/* what could not be written is found again: the sweep sees the order's in-flight time end */

static void
ngx_commerce_order_step_done(ngx_commerce_job_t *job)
{
    ngx_commerce_step_job_t  *sj = job->data;

    if (job->txn.result == COMMERCE_TXN_CONFLICT && ++sj->step.attempts < NGX_COMMERCE_ATTEMPTS * 2) {
        (void) ngx_commerce_order_step(&sj->step);
        return;
    }

    if (job->txn.result == COMMERCE_TXN_UPGRADING && sj->step.step != COMMERCE_STEP_DUE
        && ngx_commerce_order_step_hold(&sj->step) == NGX_OK)
    {
        return;
    }

    if (job->txn.result != COMMERCE_TXN_APPLIED) {
        ngx_log_error(NGX_LOG_WARN, ngx_commerce_worker->cycle->log, 0,
                      "commerce: step \"%s\" of an order was not written, the sweep will look at it",
                      commerce_step_name(sj->step.step));
    }
}


/*
 * The store keeps this step back while an older generation serves.  It is tried again: what the upstream said
 * is told once, and the order would end in doubt without it.
 */

static ngx_int_t
ngx_commerce_order_step_hold(ngx_commerce_step_t *step)
{
    ngx_commerce_step_job_t  *sj;

    if (ngx_commerce_nsteps_held == NGX_COMMERCE_STEPS_HELD || ngx_exiting) {
        return NGX_DECLINED;
    }

    sj = ngx_commerce_order_step_create(step);
    if (sj == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ngx_commerce_steps_held, &sj->held);
    ngx_commerce_nsteps_held++;

    if (!ngx_commerce_step_event.timer_set) {
        ngx_add_timer(&ngx_commerce_step_event, NGX_COMMERCE_STEP_PAUSE);
    }

    return NGX_OK;
}


static void
ngx_commerce_order_step_again(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_commerce_step_job_t  *sj;

    while (!ngx_queue_empty(&ngx_commerce_steps_held)) {
        q = ngx_queue_head(&ngx_commerce_steps_held);
        ngx_queue_remove(q);
        ngx_commerce_nsteps_held--;

        sj = ngx_queue_data(q, ngx_commerce_step_job_t, held);
        (void) ngx_commerce_order_step_run(sj);
    }
}
