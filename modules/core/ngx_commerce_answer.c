/*
 * Copyright (C) ngx_commerce authors
 *
 * What the gateway itself says: refusals as application/problem+json (RFC 9457), actions as JSON.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


static ngx_int_t ngx_commerce_answer_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t type,
    ngx_str_t body);
static ngx_uint_t ngx_commerce_answer_error_page(ngx_http_request_t *r, ngx_uint_t status);
static ngx_int_t ngx_commerce_answer_retry_after(ngx_http_request_t *r, time_t seconds);
static ngx_int_t ngx_commerce_answer_etag(ngx_http_request_t *r, commerce_str_t etag);
static ngx_int_t ngx_commerce_answer_allow(ngx_http_request_t *r, commerce_reason_t reason);
static commerce_str_t ngx_commerce_answer_title(ngx_uint_t status);


/* finalizes the request, or returns the status for the operator's error_page */

ngx_int_t
ngx_commerce_answer_denied(ngx_http_request_t *r, commerce_reason_t reason)
{
    char                          *buffer;
    size_t                         size;
    int64_t                        len;
    ngx_str_t                      body, type = ngx_string("application/problem+json");
    commerce_write_t               w;
    ngx_commerce_ctx_t            *ctx;
    const commerce_reason_info_t  *info;

    ctx = ngx_commerce_get_ctx(r);
    info = commerce_reason(reason);

    if (info->status == NGX_HTTP_SERVICE_UNAVAILABLE || info->status == NGX_HTTP_TOO_MANY_REQUESTS
        || reason == COMMERCE_R(ORDER_IN_FLIGHT))
    {
        ctx = ngx_commerce_get_ctx(r);

        if (ngx_commerce_answer_retry_after(r, ctx && ctx->c.retry_after ? ctx->c.retry_after : 2) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (info->status == NGX_HTTP_NOT_ALLOWED && ngx_commerce_answer_allow(r, reason) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_commerce_answer_error_page(r, info->status)) {
        return info->status;
    }

    size = 512 + (ctx ? ctx->c.errors.len : 0);

    buffer = ngx_palloc(r->pool, size);
    if (buffer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "type", commerce_string("about:blank"));
    commerce_write_text(&w, "title", ngx_commerce_answer_title(info->status));
    commerce_write_int(&w, "status", info->status);
    commerce_write_text(&w, "code", ctx && ctx->c.candid ? info->name : info->public_code);

    if (ctx && ctx->c.errors.len) {
        commerce_write_raw(&w, "errors", ctx->c.errors);
    }

    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = (u_char *) buffer;
    body.len = (size_t) len;

    ngx_http_finalize_request(r, ngx_commerce_answer_send(r, info->status, type, body));

    return NGX_DONE;
}


/* content handler of the locations that are actions */

ngx_int_t
ngx_commerce_answer_handler(ngx_http_request_t *r)
{
    ngx_str_t            body, type = ngx_string("application/json");
    ngx_commerce_ctx_t  *ctx;

    ctx = ngx_commerce_get_ctx(r);

    if (ctx == NULL || ctx->c.answer.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "commerce: an action's location was reached without its action");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->c.etag.len && ngx_commerce_answer_etag(r, ctx->c.etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = (u_char *) ctx->c.answer.data;
    body.len = ctx->c.answer.len;

    return ngx_commerce_answer_send(r, ctx->c.status, type, body);
}


static ngx_int_t
ngx_commerce_answer_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t type, ngx_str_t body)
{
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = body;

    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_response(r, status, &type, &cv);
}


static ngx_uint_t
ngx_commerce_answer_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_commerce_answer_retry_after(ngx_http_request_t *r, time_t seconds)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    ngx_str_set(&h->key, "Retry-After");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%T", seconds) - p;

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_answer_etag(ngx_http_request_t *r, commerce_str_t etag)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    ngx_str_set(&h->key, "ETag");
    h->value.data = (u_char *) etag.data;
    h->value.len = etag.len;

    r->headers_out.etag = h;

    return NGX_OK;
}


/* a 405 says what would be taken (RFC 9110, 15.5.6) */

static ngx_int_t
ngx_commerce_answer_allow(ngx_http_request_t *r, commerce_reason_t reason)
{
    u_char                   *p;
    ngx_uint_t                i, methods;
    ngx_table_elt_t          *h;
    ngx_commerce_loc_conf_t  *lcf;

    static const struct {
        ngx_uint_t   method;
        const char  *name;
    } names[] = {
        { NGX_HTTP_GET, "GET" }, { NGX_HTTP_HEAD, "HEAD" }, { NGX_HTTP_POST, "POST" }, { NGX_HTTP_PUT, "PUT" },
        { NGX_HTTP_PATCH, "PATCH" }, { NGX_HTTP_DELETE, "DELETE" }
    };

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);
    methods = lcf->action ? lcf->action_methods : 0;

    for (i = 0; lcf->order && i < COMMERCE_CART_STEPS; i++) {
        methods |= lcf->order->cart[i];
    }

    if (reason != COMMERCE_R(METHOD_NOT_ALLOWED)) {
        methods &= ~r->method;              /* of this resource, not of the location */
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.data = ngx_pnalloc(r->pool, sizeof("GET, HEAD, POST, PUT, PATCH, DELETE"));
    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    for (i = 0, p = h->value.data; i < sizeof(names) / sizeof(names[0]); i++) {
        if (methods & names[i].method) {
            p = ngx_sprintf(p, "%s%s", p == h->value.data ? "" : ", ", names[i].name);
        }
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    ngx_str_set(&h->key, "Allow");
    h->value.len = p - h->value.data;

    return NGX_OK;
}


static commerce_str_t
ngx_commerce_answer_title(ngx_uint_t status)
{
    switch (status) {
    case 401: return commerce_string("Unauthorized");
    case 403: return commerce_string("Forbidden");
    case 404: return commerce_string("Not Found");
    case 405: return commerce_string("Method Not Allowed");
    case 409: return commerce_string("Conflict");
    case 412: return commerce_string("Precondition Failed");
    case 413: return commerce_string("Content Too Large");
    case 415: return commerce_string("Unsupported Media Type");
    case 422: return commerce_string("Unprocessable Content");
    case 428: return commerce_string("Precondition Required");
    case 429: return commerce_string("Too Many Requests");
    case 503: return commerce_string("Service Unavailable");
    default:  return commerce_string("Internal Server Error");
    }
}
