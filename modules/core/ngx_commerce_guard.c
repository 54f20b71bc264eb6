/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_guard: what the configured locations leave open.
 *
 * Outside order locations, whatever could carry an order.  Inside them, a coupon that stands where the
 * configuration does not look: some backend would find it there, and nobody would have reserved it.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_GUARD_CODES  1024      /* words of one request that may look like a code */
#define NGX_COMMERCE_GUARD_TWICE  2         /* times that a backend may unescape a text */

typedef struct {
    ngx_commerce_ctx_t  *ctx;
    ngx_uint_t           looked;
} ngx_commerce_guard_t;


static ngx_uint_t ngx_commerce_hidden_member(ngx_commerce_guard_t *g, commerce_json_t *node);
static ngx_uint_t ngx_commerce_hidden_text(ngx_commerce_guard_t *g, commerce_str_t text);
static ngx_uint_t ngx_commerce_hidden_word(ngx_commerce_guard_t *g, commerce_str_t word);
static ngx_uint_t ngx_commerce_code_symbol(char ch);
static ngx_uint_t ngx_commerce_method_overridden(ngx_http_request_t *r);
static ngx_uint_t ngx_commerce_method_argument(ngx_str_t query);
static ngx_str_t ngx_commerce_sent_query(ngx_http_request_t *r);


/* what the configured locations leave open */

ngx_int_t
ngx_commerce_guarded(ngx_http_request_t *r)
{
    ngx_commerce_loc_conf_t   *lcf;
    ngx_http_core_loc_conf_t  *clcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (lcf->guard != 1) {
        return NGX_OK;
    }

    if (ngx_commerce_method_overridden(r)) {
        return NGX_DECLINED;
    }

    if (ngx_commerce_counts(r)) {
        return (lcf->action || ((lcf->order || lcf->check) && lcf->mode != NGX_COMMERCE_OFF)) ? NGX_OK : NGX_DECLINED;
    }

    /* an error page's path is the operator's, whatever came with the request that failed; a named location has none */

    if ((r->error_page || r->err_status) && !clcf->named) {
        return NGX_OK;
    }

    /* a body where none belongs may still be read by a backend */

    return (r->headers_in.content_length_n > 0 || r->headers_in.chunked) ? NGX_DECLINED : NGX_OK;
}


/*
 * An order location's request: does a coupon of this shop stand anywhere but where it was looked for?  The address as it
 * was sent goes to the backend, with what nginx took out of it: segments before "..", all behind a "#".
 */

ngx_uint_t
ngx_commerce_hides_coupon(ngx_commerce_ctx_t *ctx)
{
    ngx_http_request_t    *r;
    ngx_commerce_guard_t   g;

    if (ctx->conf->guard != 1 || ctx->conf->order == NULL) {
        return 0;
    }

    g.ctx = ctx;
    g.looked = 0;
    r = ctx->c.request;

    return ngx_commerce_hidden_text(&g, ngx_commerce_str(r->args))
           || ngx_commerce_hidden_text(&g, ngx_commerce_str(r->uri))
           || ngx_commerce_hidden_text(&g, ngx_commerce_str(r->unparsed_uri))
           || (ctx->c.body ? ngx_commerce_hidden_member(&g, ctx->c.body)
                           : ngx_commerce_hidden_text(&g, ctx->body_text));
}


/* names and texts, as the parser unescaped them; it has bounded the depth */

static ngx_uint_t
ngx_commerce_hidden_member(ngx_commerce_guard_t *g, commerce_json_t *node)
{
    commerce_str_t    text;
    commerce_json_t  *child;

    if (!commerce_json_is_array(node) && !commerce_json_is_object(node)) {
        return commerce_json_text(node, &text) == COMMERCE_R(OK) && ngx_commerce_hidden_text(g, text);
    }

    for (child = commerce_json_first(node); child; child = commerce_json_next(child)) {

        if (commerce_json_is_object(node) && ngx_commerce_hidden_text(g, commerce_json_name(child))) {
            return 1;
        }

        if (ngx_commerce_hidden_member(g, child)) {
            return 1;
        }
    }

    return 0;
}


/* as it is, and unescaped once and twice */

static ngx_uint_t
ngx_commerce_hidden_text(ngx_commerce_guard_t *g, commerce_str_t text)
{
    u_char      *src, *dst;
    size_t       i, start;
    ngx_uint_t   turn;

    for (turn = 0; turn <= NGX_COMMERCE_GUARD_TWICE && text.len >= COMMERCE_CODE_TEXT; turn++) {

        for (i = 0; i < text.len; i++) {

            for (start = i; i < text.len && ngx_commerce_code_symbol(text.data[i]); i++) { /* void */ }

            if (i - start >= COMMERCE_CODE_TEXT
                && ngx_commerce_hidden_word(g, (commerce_str_t) { text.data + start, i - start }))
            {
                return 1;
            }
        }

        if (memchr(text.data, '%', text.len) == NULL) {
            break;
        }

        src = (u_char *) text.data;
        dst = ngx_pnalloc(g->ctx->c.request->pool, text.len);

        if (dst == NULL) {
            return 1;               /* what cannot be looked at is refused */
        }

        text.data = (char *) dst;
        ngx_unescape_uri(&dst, &src, text.len, 0);
        text.len = dst - (u_char *) text.data;
    }

    return 0;
}


/* a word that is a genuine code, and none of those that the request is judged by */

static ngx_uint_t
ngx_commerce_hidden_word(ngx_commerce_guard_t *g, commerce_str_t word)
{
    ngx_uint_t            i;
    commerce_code_t       code;
    ngx_commerce_ctx_t   *ctx;
    ngx_commerce_case_t  *c;

    ctx = g->ctx;
    c = &ctx->c;

    if (commerce_code_parse(word, &code) != COMMERCE_R(OK)) {
        return 0;
    }

    if (++g->looked > NGX_COMMERCE_GUARD_CODES) {
        return 1;
    }

    if (commerce_code_verify(ctx->main->ring, c->shop, &code) != COMMERCE_R(OK)) {
        return 0;
    }

    for (i = 0; i < c->ncoupons; i++) {
        if (c->coupons[i].code.campaign == code.campaign && c->coupons[i].code.serial == code.serial) {
            return 0;
        }
    }

    for (i = 0; i < ctx->nnamed; i++) {
        if (ctx->named[i].campaign == code.campaign && ctx->named[i].serial == code.serial) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_commerce_code_symbol(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || ch == '-';
}


static ngx_uint_t
ngx_commerce_method_overridden(ngx_http_request_t *r)
{
    ngx_uint_t               i, k;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    static const ngx_str_t   names[] = {
        ngx_string("x-http-method-override"), ngx_string("x-http-method"), ngx_string("x-method-override"),
        ngx_string("x-original-url"), ngx_string("x-rewrite-url"),
        ngx_null_string
    };

    if (ngx_commerce_method_argument(r->args) || ngx_commerce_method_argument(ngx_commerce_sent_query(r))) {
        return 1;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; names[k].len; k++) {
                if (ngx_commerce_header_named(&h[i], (char *) names[k].data, names[k].len)) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


/* "_method" in the query, also with some of its letters escaped */

static ngx_uint_t
ngx_commerce_method_argument(ngx_str_t query)
{
    u_char  *p, *end, *src, *dst, name[sizeof("%5f%6d%65%74%68%6f%64") - 1];
    size_t   len;

    if (query.len == 0) {
        return 0;                           /* after try_files the data is not even set */
    }

    p = query.data;
    end = p + query.len;

    while (p < end) {

        for (len = 0; p < end && *p != '&' && *p != ';' && *p != '=' && len < sizeof(name); len++) {
            name[len] = *p++;
        }

        src = name;
        dst = name;
        ngx_unescape_uri(&dst, &src, len, 0);

        if (dst - name == 7 && ngx_strncasecmp(name, (u_char *) "_method", 7) == 0
            && (p == end || *p == '=' || *p == '&' || *p == ';'))
        {
            return 1;
        }

        while (p < end && *p != '&' && *p != ';') {
            p++;
        }

        p++;
    }

    return 0;
}


/* nginx ends the query before a "#", but hands on all of it */

static ngx_str_t
ngx_commerce_sent_query(ngx_http_request_t *r)
{
    u_char     *mark, *end;
    ngx_str_t   query;

    end = r->unparsed_uri.data + r->unparsed_uri.len;
    mark = ngx_strlchr(r->unparsed_uri.data, end, '?');

    query.data = mark ? mark + 1 : end;
    query.len = end - query.data;

    return query;
}
