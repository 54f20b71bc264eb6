/*
 * Copyright (C) ngx_commerce authors
 *
 * JSON answers that a plugin looks at: copied on their way to the client, parsed when they are whole.  Nothing is
 * held and nothing changed; an answer that is encoded, longer than the limit or cut off is not looked at.
 */

#include "ngx_commerce_core.h"


static ngx_int_t ngx_commerce_response_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_commerce_response_readable(ngx_http_request_t *r);
static ngx_int_t ngx_commerce_response_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
static ngx_uint_t ngx_commerce_response_copy(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx, ngx_buf_t *b);
static void ngx_commerce_response_look(ngx_commerce_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_commerce_response_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_commerce_response_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_commerce_response_body_filter;
}


static ngx_int_t
ngx_commerce_response_header_filter(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t  *ctx;

    ctx = r == r->main ? ngx_commerce_get_ctx(r) : NULL;

    if (ctx && ctx->phase == NGX_COMMERCE_PHASE_DECIDED && !ctx->c.denied && ctx->conf->response
        && ngx_commerce_response_readable(r))
    {
        ctx->answer_size = r->headers_out.content_length_n >= 0 ? (size_t) r->headers_out.content_length_n
                                                                : NGX_COMMERCE_ANSWER_MAX;
        ctx->answer = ngx_pnalloc(r->pool, ctx->answer_size);
        ctx->answer_len = 0;

        if (ctx->answer) {
            r->filter_need_in_memory = 1;
        }
    }

    return ngx_http_next_header_filter(r);
}


/* an upstream's JSON, as it came */

static ngx_uint_t
ngx_commerce_response_readable(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    type = &r->headers_out.content_type;

    return r->upstream != NULL
           && !r->header_only
           && type->len >= sizeof("application/json") - 1
           && ngx_strncasecmp(type->data, (u_char *) "application/json", sizeof("application/json") - 1) == 0
           && (r->headers_out.content_encoding == NULL || r->headers_out.content_encoding->value.len == 0)
           && r->headers_out.content_length_n <= NGX_COMMERCE_ANSWER_MAX;
}


static ngx_int_t
ngx_commerce_response_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t         *cl;
    ngx_commerce_ctx_t  *ctx;

    ctx = r == r->main && in ? ngx_commerce_get_ctx(r) : NULL;

    if (ctx && ctx->answer) {

        for (cl = in; cl && ctx->answer; cl = cl->next) {

            if (!ngx_commerce_response_copy(r, ctx, cl->buf)) {
                ctx->answer = NULL;

            } else if (cl->buf->last_buf) {
                ngx_commerce_response_look(ctx);
                ctx->answer = NULL;
            }
        }
    }

    return ngx_http_next_body_filter(r, in);
}


static ngx_uint_t
ngx_commerce_response_copy(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx, ngx_buf_t *b)
{
    size_t  size;

    if (!ngx_buf_in_memory(b)) {
        return ngx_buf_special(b);
    }

    size = b->last - b->pos;

    if (size > ctx->answer_size - ctx->answer_len) {
        return 0;
    }

    ngx_memcpy(ctx->answer + ctx->answer_len, b->pos, size);
    ctx->answer_len += size;

    return 1;
}


static void
ngx_commerce_response_look(ngx_commerce_ctx_t *ctx)
{
    commerce_str_t    text;
    commerce_json_t  *root;

    text.data = (char *) ctx->answer;
    text.len = ctx->answer_len;

    if (commerce_json_parse(&ctx->c.arena, text, &root) == COMMERCE_R(OK)) {
        ctx->conf->response(&ctx->c, root, ctx->conf->response_conf);
    }
}


/* what would be refused if it still could be: the client has most of the answer */

void
ngx_commerce_api_object(ngx_commerce_case_t *c, commerce_reason_t reason)
{
    ngx_commerce_object((ngx_commerce_ctx_t *) c, reason);
}


/* configuration */

ngx_int_t
ngx_commerce_response(ngx_conf_t *cf, ngx_commerce_response_pt handler, void *conf)
{
    ngx_commerce_loc_conf_t  *lcf;

    ngx_commerce_note(cf);

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);

    if (lcf->response) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive is duplicate",
                           &((ngx_str_t *) cf->args->elts)[0]);
        return NGX_ERROR;
    }

    lcf->response = handler;
    lcf->response_conf = conf;

    return NGX_OK;
}
