/*
 * Copyright (C) ngx_commerce authors
 *
 * The case of a request: made once, found again after redirects, evaluated early for variables.
 */

#include "ngx_commerce_core.h"


static void ngx_commerce_cleanup(void *data);


/* the request is over: whatever is still on its way goes on alone */

static void
ngx_commerce_cleanup(void *data)
{
    ngx_commerce_ctx_t  *ctx = data;

    if (ctx->job) {
        ctx->job->data = NULL;
        ctx->job->answered = 1;
        ctx->job = NULL;
    }

    if (ctx->busy.timer_set) {
        ngx_del_timer(&ctx->busy);
    }
}


ngx_commerce_ctx_t *
ngx_commerce_ctx_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_srv_conf_t  *scf;

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_commerce_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_commerce_ctx_t));

    scf = ngx_http_get_module_srv_conf(r, ngx_commerce_module);

    ctx->main = ngx_http_get_module_main_conf(r, ngx_commerce_module);
    ctx->c.request = r;
    ctx->c.shop = ngx_commerce_str(scf->shop);
    ctx->c.reader.shop = ctx->c.shop;
    ctx->c.arena.alloc = (void *(*)(void *, size_t)) ngx_palloc;
    ctx->c.arena.owner = r->pool;
    ctx->rc = NGX_DECLINED;

    cln->handler = ngx_commerce_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_commerce_module);

    return ctx;
}


/* r->ctx is wiped by internal redirects; the pool's cleanup list is not */

ngx_commerce_ctx_t *
ngx_commerce_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_commerce_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_commerce_module);

    if (ctx == NULL && (r->internal || r->filter_finalize || r->error_page)) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_commerce_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_commerce_module);
                break;
            }
        }
    }

    return ctx;
}


/* for variables: what is known, or who and touches evaluated without writing */

ngx_int_t
ngx_commerce_preview(ngx_http_request_t *r, ngx_commerce_ctx_t **pctx)
{
    ngx_commerce_job_t       *job;
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_case_t      *c;
    ngx_commerce_srv_conf_t  *scf;

    r = r->main;
    ctx = ngx_commerce_get_ctx(r);

    /* a job: the evaluation itself asks, through a map that is one of its sources */

    if (ctx && (ctx->phase != NGX_COMMERCE_PHASE_START || ctx->previewed || ctx->c.preview || ctx->job)) {
        *pctx = ctx;
        return NGX_OK;
    }

    scf = ngx_http_get_module_srv_conf(r, ngx_commerce_module);

    if (scf->shop.len == 0) {
        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        ctx = ngx_commerce_ctx_create(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return NGX_ERROR;
    }

    c = &ctx->c;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);
    c->mode = ctx->conf->mode;
    c->txn = &job->txn;
    c->now_us = ngx_commerce_now_us();
    c->now = c->now_us / 1000000;
    c->reader.arena = &c->arena;
    c->reader.view = NULL;
    c->npeople = 0;
    c->preview = 1;
    c->client = COMMERCE_R(OK);
    c->conduct = 0;
    c->conduct_denied = 0;

    if (ngx_commerce_worker->store
        && commerce_view_begin(ngx_commerce_worker->store, &c->reader.view) != COMMERCE_OK)
    {
        c->reader.view = NULL;
    }

    if (ngx_commerce_who(ctx) == COMMERCE_R(OK)) {
        (void) ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CLIENT, NGX_COMMERCE_STAGE_CLIENT);
        (void) ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    }

    if (c->reader.view) {
        commerce_view_end(c->reader.view);
        c->reader.view = NULL;
    }

    ngx_commerce_job_free(job);

    c->preview = 0;
    c->touched = 0;
    ctx->previewed = (ctx->conf->mode != NGX_COMMERCE_OFF);
    *pctx = ctx;

    return NGX_OK;
}


void
ngx_commerce_note_reason(ngx_commerce_case_t *c, commerce_reason_t reason)
{
    if (c->preview || reason == COMMERCE_R(OK)) {
        return;
    }

    if (c->noted == COMMERCE_R(OK)) {
        c->noted = reason;
    }
}


/* of an order's first line, or of the page view; NULL = house */

commerce_credit_t *
ngx_commerce_credit(ngx_commerce_case_t *c)
{
    int  i;

    i = c->order && c->order->line_count ? c->order->lines[0].credit : 0;

    return i >= 0 && (ngx_uint_t) i < c->ncredits && !c->credits[i].contributor ? &c->credits[i] : NULL;
}
