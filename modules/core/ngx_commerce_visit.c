/*
 * Copyright (C) ngx_commerce authors
 *
 * The end of a request: an order without an answer, and the visit's event.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


/* of what a client may make long: these bytes, and six times as many when all have to be escaped */
#define NGX_COMMERCE_METHOD_MAX  32
#define NGX_COMMERCE_URI_MAX  256


static void ngx_commerce_log_visit(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);


/* the end of a request: an order without an answer, and the visit */

ngx_int_t
ngx_commerce_log_handler(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t  *ctx;

    ctx = ngx_commerce_get_ctx(r);

    if (ctx == NULL || ngx_commerce_worker == NULL || r != r->main) {
        return NGX_OK;
    }

    ngx_commerce_outcome_finish(r, ctx);
    ngx_commerce_undo_finish(r, ctx);

    if (!ctx->visited
        && ctx->phase == NGX_COMMERCE_PHASE_DECIDED
        && ctx->conf->mode != NGX_COMMERCE_OFF
        && ctx->conf->action == NULL
        && !ctx->checked
        && ctx->outcome == NGX_COMMERCE_OUTCOME_NONE
        && !ctx->c.denied)
    {
        ctx->visited = 1;
        ngx_commerce_log_visit(r, ctx);
    }

    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->requests, 1);

    return NGX_OK;
}


static void
ngx_commerce_log_visit(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    char                  buffer[NGX_COMMERCE_EVENT_SIZE];
    commerce_write_t      w;
    commerce_credit_t    *credit;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "visit", c->shop,
                             c->now_us)
        != COMMERCE_OK)
    {
        return;
    }

    if (c->user.len) {
        commerce_write_optional(&w, "buyer", ngx_commerce_api_pseudonym(c));
        commerce_write_bool(&w, "verified", c->verified);
    }

    ngx_commerce_write_request(&w, r);
    commerce_write_int(&w, "status", (int64_t) (r->err_status ? r->err_status : r->headers_out.status));

    credit = ngx_commerce_credit(c);

    if (credit) {
        commerce_write_optional(&w, "seller", credit->seller_id);
        commerce_write_optional(&w, "tier2", credit->tier2_id);
        commerce_write_optional(&w, "group", credit->group_id);
        commerce_write_optional(&w, "room", credit->room_id);
        commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(credit->source)));
    }

    commerce_write_text(&w, "reason", commerce_reason(c->reason)->name);
    commerce_write_optional(&w, "platform", ngx_commerce_str(c->platform));
    commerce_write_optional(&w, "appid", ngx_commerce_str(c->appid));
    commerce_write_optional(&w, "version", ngx_commerce_str(c->version));

    if (c->scene.len <= 16) {
        commerce_write_optional(&w, "scene", ngx_commerce_str(c->scene));
    }

    if (c->degraded) {
        commerce_write_bool(&w, "degraded", true);
    }

    ngx_commerce_conduct_write(c, &w, c->conduct);
    ngx_commerce_journal_event(commerce_event_finish(&w));
}


/* members of an event: what was asked for */

void
ngx_commerce_write_request(commerce_write_t *w, ngx_http_request_t *r)
{
    commerce_str_t  method, uri;

    method = ngx_commerce_str(r->method_name);
    method.len = ngx_min(method.len, NGX_COMMERCE_METHOD_MAX);

    uri = ngx_commerce_str(r->uri);
    uri.len = ngx_min(uri.len, NGX_COMMERCE_URI_MAX);

    commerce_write_text(w, "method", method);
    commerce_write_text(w, "uri", uri);
}
