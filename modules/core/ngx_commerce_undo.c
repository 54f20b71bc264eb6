/*
 * Copyright (C) ngx_commerce authors
 *
 * What a check has written for a request that was to go on, and then did not: nobody was told, or the backend
 * definitely refused it.  A plugin says with undo() what has to be done then, in a transaction of its own.
 */

#include "ngx_commerce_core.h"


typedef struct {
    commerce_str_t         shop;
    ngx_commerce_undo_t    undo;
} ngx_commerce_undo_job_t;


static ngx_uint_t ngx_commerce_undo_due(ngx_http_request_t *r);
static void ngx_commerce_undo_done(ngx_commerce_job_t *job);


/* the plugin's call: data is copied, and must hold no pointers */

ngx_int_t
ngx_commerce_undo(ngx_commerce_case_t *c, ngx_commerce_undo_pt handler, const void *data, size_t size)
{
    c->undo.handler = NULL;
    c->undo.data = ngx_palloc(c->request->pool, size);

    if (c->undo.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(c->undo.data, data, size);
    c->undo.size = size;
    c->undo.handler = handler;

    return NGX_OK;
}


/* for a job that may outlive the request; without memory it cannot be undone: it stays, as if it had been told */

void
ngx_commerce_undo_keep(commerce_arena_t *arena, const ngx_commerce_undo_t *undo, ngx_commerce_undo_t *kept)
{
    kept->handler = NULL;

    if (undo->handler == NULL) {
        return;
    }

    kept->data = commerce_alloc(arena, undo->size);

    if (kept->data) {
        ngx_memcpy(kept->data, undo->data, undo->size);
        kept->size = undo->size;
        kept->handler = undo->handler;
    }
}


/* at the end of a request that a check let go on */

void
ngx_commerce_undo_finish(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    if (ctx->c.undo.handler && !ctx->c.denied && ngx_commerce_undo_due(r)) {
        ngx_commerce_undo_run(ctx->c.shop, &ctx->c.undo);
    }

    ctx->c.undo.handler = NULL;
}


/*
 * One upstream was asked, once: it got nothing, or answered that it did not do it.  A request without an upstream was
 * perhaps carried out by something else.
 */

static ngx_uint_t
ngx_commerce_undo_due(ngx_http_request_t *r)
{
    ngx_uint_t                  i, tries;
    ngx_http_upstream_state_t  *state, *last;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;
    last = NULL;

    for (i = 0, tries = 0; i < r->upstream_states->nelts; i++) {
        if (state[i].peer) {
            last = &state[i];
            tries++;
        }
    }

    return tries == 1
           && (ngx_commerce_outcome_status(last->status) == COMMERCE_STEP_REFUSED || last->bytes_sent == 0);
}


void
ngx_commerce_undo_run(commerce_str_t shop, const ngx_commerce_undo_t *undo)
{
    int64_t                   now_us;
    commerce_reader_t         reader;
    commerce_ledger_t         ledger;
    commerce_reason_t         reason;
    ngx_commerce_job_t       *job;
    ngx_commerce_undo_job_t  *uj;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        goto failed;
    }

    uj = commerce_alloc(&job->arena, sizeof(ngx_commerce_undo_job_t));

    if (uj == NULL
        || ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK)
    {
        ngx_commerce_job_free(job);
        goto failed;
    }

    uj->shop = commerce_copy(&job->arena, shop);
    ngx_commerce_undo_keep(&job->arena, undo, &uj->undo);

    now_us = ngx_commerce_now_us();

    reader.arena = &job->arena;
    reader.shop = uj->shop;

    ledger.reader = &reader;
    ledger.txn = &job->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now = now_us / 1000000;
    ledger.now_us = now_us;

    reason = uj->undo.handler ? uj->undo.handler(&ledger, uj->undo.data) : COMMERCE_R(INTERNAL);

    commerce_view_end(reader.view);

    if (reason == COMMERCE_R(STORE_UNAVAILABLE) || reason == COMMERCE_R(INTERNAL) || job->txn.failed) {
        ngx_commerce_job_free(job);
        goto failed;
    }

    if (job->txn.count == 0) {
        ngx_commerce_job_free(job);
        return;
    }

    job->data = uj;
    job->patient = 1;
    job->done = ngx_commerce_undo_done;

    if (ngx_commerce_job_submit(job) == NGX_OK) {
        return;
    }

    ngx_commerce_job_free(job);

failed:

    ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                  "commerce: what was written for a request that was not carried out could not be undone");
}


/* a conflict: somebody else has written meanwhile, and it is looked at again */

static void
ngx_commerce_undo_done(ngx_commerce_job_t *job)
{
    ngx_commerce_undo_job_t  *uj = job->data;

    if (job->txn.result == COMMERCE_TXN_APPLIED) {
        return;
    }

    if (job->txn.result == COMMERCE_TXN_CONFLICT) {
        ngx_commerce_undo_run(uj->shop, &uj->undo);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                  "commerce: what was written for a request that was not carried out could not be undone");
}
