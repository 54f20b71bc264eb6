/*
 * Copyright (C) ngx_commerce authors
 *
 * $commerce_*: usable everywhere, also before the pipeline has run (map, if, limit_req_zone): then who and
 * touches are evaluated without writing anything.
 */

#include "ngx_commerce_core.h"


typedef commerce_str_t (*ngx_commerce_variable_pt)(ngx_commerce_ctx_t *ctx);

static ngx_int_t ngx_commerce_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data);
static commerce_str_t ngx_commerce_variable_user(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_user_reason(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_decision(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_reason(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_seller(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_tier2(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_group(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_room(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_channel(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_coupon(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_order_key(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_degraded(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_platform(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_appid(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_conduct(ngx_commerce_ctx_t *ctx);
static commerce_str_t ngx_commerce_variable_verdict(ngx_commerce_ctx_t *ctx);


static struct {
    ngx_str_t                  name;
    ngx_commerce_variable_pt   get;
} ngx_commerce_variables[] = {
    { ngx_string("commerce_user"), ngx_commerce_variable_user },
    { ngx_string("commerce_user_reason"), ngx_commerce_variable_user_reason },
    { ngx_string("commerce_decision"), ngx_commerce_variable_decision },
    { ngx_string("commerce_reason"), ngx_commerce_variable_reason },
    { ngx_string("commerce_seller"), ngx_commerce_variable_seller },
    { ngx_string("commerce_tier2"), ngx_commerce_variable_tier2 },
    { ngx_string("commerce_group"), ngx_commerce_variable_group },
    { ngx_string("commerce_room"), ngx_commerce_variable_room },
    { ngx_string("commerce_channel"), ngx_commerce_variable_channel },
    { ngx_string("commerce_coupon"), ngx_commerce_variable_coupon },
    { ngx_string("commerce_order_key"), ngx_commerce_variable_order_key },
    { ngx_string("commerce_degraded"), ngx_commerce_variable_degraded },
    { ngx_string("commerce_platform"), ngx_commerce_variable_platform },
    { ngx_string("commerce_appid"), ngx_commerce_variable_appid },
    { ngx_string("commerce_conduct"), ngx_commerce_variable_conduct },
    { ngx_string("commerce_verdict"), ngx_commerce_variable_verdict },
    { ngx_null_string, NULL }
};


ngx_int_t
ngx_commerce_variables_add(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0; ngx_commerce_variables[i].name.len; i++) {

        var = ngx_http_add_variable(cf, &ngx_commerce_variables[i].name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_commerce_variable;
        var->data = i;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                 rc;
    commerce_str_t            value;
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_variable_pt  get;

    ctx = NULL;
    get = ngx_commerce_variables[data].get;

    if (ngx_commerce_worker == NULL) {
        rc = NGX_DECLINED;

    } else if (get == ngx_commerce_variable_user || get == ngx_commerce_variable_user_reason) {
        rc = ngx_commerce_identify(r, &ctx);

    } else {
        rc = ngx_commerce_preview(r, &ctx);
    }

    if (rc != NGX_OK) {
        v->not_found = 1;
        return NGX_OK;
    }

    value = get(ctx);

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static commerce_str_t
ngx_commerce_variable_user(ngx_commerce_ctx_t *ctx)
{
    return ctx->c.verified ? ctx->c.user : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_user_reason(ngx_commerce_ctx_t *ctx)
{
    return ctx->token.len ? commerce_reason(ctx->token_reason)->name : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_decision(ngx_commerce_ctx_t *ctx)
{
    if (ctx->phase != NGX_COMMERCE_PHASE_DECIDED) {
        return commerce_string("");
    }

    return ctx->c.denied ? commerce_string("deny")
           : ctx->c.would_deny ? commerce_string("would_deny")
           : commerce_string("pass");
}


static commerce_str_t
ngx_commerce_variable_reason(ngx_commerce_ctx_t *ctx)
{
    return ctx->phase == NGX_COMMERCE_PHASE_DECIDED ? commerce_reason(ctx->c.reason)->name
                                                    : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_seller(ngx_commerce_ctx_t *ctx)
{
    commerce_credit_t  *credit;

    credit = ngx_commerce_credit(&ctx->c);

    return credit ? credit->seller_id : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_tier2(ngx_commerce_ctx_t *ctx)
{
    commerce_credit_t  *credit;

    credit = ngx_commerce_credit(&ctx->c);

    return credit ? credit->tier2_id : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_group(ngx_commerce_ctx_t *ctx)
{
    commerce_credit_t  *credit;

    credit = ngx_commerce_credit(&ctx->c);

    return credit ? credit->group_id : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_room(ngx_commerce_ctx_t *ctx)
{
    commerce_credit_t  *credit;

    credit = ngx_commerce_credit(&ctx->c);

    return credit ? credit->room_id : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_channel(ngx_commerce_ctx_t *ctx)
{
    return ngx_commerce_channel(ctx);
}


static commerce_str_t
ngx_commerce_variable_coupon(ngx_commerce_ctx_t *ctx)
{
    return ctx->codes;
}


static commerce_str_t
ngx_commerce_variable_order_key(ngx_commerce_ctx_t *ctx)
{
    return ctx->c.order ? ctx->c.order->key : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_degraded(ngx_commerce_ctx_t *ctx)
{
    return ctx->c.degraded ? commerce_string("store") : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_platform(ngx_commerce_ctx_t *ctx)
{
    return ngx_commerce_str(ctx->c.platform);
}


static commerce_str_t
ngx_commerce_variable_appid(ngx_commerce_ctx_t *ctx)
{
    return ngx_commerce_str(ctx->c.appid);
}


static commerce_str_t
ngx_commerce_variable_conduct(ngx_commerce_ctx_t *ctx)
{
    char  *text;

    text = ctx->c.conduct ? commerce_alloc(&ctx->c.arena, COMMERCE_CONDUCT_TEXT) : NULL;

    return text ? commerce_conduct_text(ctx->c.conduct, text) : commerce_string("");
}


static commerce_str_t
ngx_commerce_variable_verdict(ngx_commerce_ctx_t *ctx)
{
    return ngx_commerce_str(ctx->verdict);
}
