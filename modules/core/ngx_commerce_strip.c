/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_strip_args: parameters that are ours do not reach the backend, which may refuse what it does not
 * know.  They are taken out once the request is decided, so that the verdict is about what goes upstream.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_STRIP_NAME  64         /* bytes of an argument's name */


static ngx_uint_t ngx_commerce_strip_names(ngx_array_t *names, u_char *p, size_t len);
static ngx_int_t ngx_commerce_strip_uri(ngx_http_request_t *r);


ngx_int_t
ngx_commerce_strip(ngx_http_request_t *r)
{
    u_char                   *p, *end, *next, *dst, *start;
    ngx_uint_t                kept;
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);

    if (lcf->strip == NULL || r->args.len == 0) {
        return NGX_OK;
    }

    start = ngx_pnalloc(r->pool, r->args.len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = r->args.data;
    end = p + r->args.len;
    dst = start;
    kept = 0;

    while (p <= end) {
        next = p < end ? ngx_strlchr(p, end, '&') : NULL;
        next = next ? next : end;

        if (!ngx_commerce_strip_names(lcf->strip, p, next - p)) {

            if (kept++) {
                *dst++ = '&';
            }

            dst = ngx_cpymem(dst, p, next - p);
        }

        p = next + 1;
    }

    if ((size_t) (dst - start) == r->args.len) {
        return NGX_OK;              /* nothing of ours */
    }

    r->args.data = start;
    r->args.len = dst - start;

    return ngx_commerce_strip_uri(r);
}


/* is it one of ours?  Its name may be escaped */

static ngx_uint_t
ngx_commerce_strip_names(ngx_array_t *names, u_char *p, size_t len)
{
    size_t       n, k;
    u_char      *src, plain[NGX_COMMERCE_STRIP_NAME];
    ngx_int_t    ch;
    ngx_str_t   *name;
    ngx_uint_t   i;

    for (n = 0; n < len && p[n] != '='; n++) { /* void */ }

    for (src = p, k = 0; src < p + n; k++) {

        if (k == sizeof(plain)) {
            return 0;               /* longer than any of the names */
        }

        ch = *src == '%' && src + 2 < p + n ? ngx_hextoi(src + 1, 2) : NGX_ERROR;

        plain[k] = ch != NGX_ERROR ? (u_char) ch : *src;
        src += ch != NGX_ERROR ? 3 : 1;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (k == name[i].len && ngx_strncasecmp(plain, name[i].data, k) == 0) {
            return 1;
        }
    }

    return 0;
}


/* proxy_pass without a URI sends the request line's, as the client wrote it: only its query changes */

static ngx_int_t
ngx_commerce_strip_uri(ngx_http_request_t *r)
{
    size_t   len;
    u_char  *p, *mark;

    mark = ngx_strlchr(r->unparsed_uri.data, r->unparsed_uri.data + r->unparsed_uri.len, '?');
    len = mark ? (size_t) (mark - r->unparsed_uri.data) : r->unparsed_uri.len;

    p = ngx_pnalloc(r->pool, len + 1 + r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, r->unparsed_uri.data, len);
    r->unparsed_uri.data = p;

    if (r->args.len) {
        p[len++] = '?';
        ngx_memcpy(p + len, r->args.data, r->args.len);
        len += r->args.len;
    }

    r->unparsed_uri.len = len;

    return NGX_OK;
}


char *
ngx_commerce_strip_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t                    k;
    u_char                    ch;
    ngx_str_t                *value, *name;
    ngx_uint_t                i;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->strip != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        lcf->strip = NULL;
        return NGX_CONF_OK;
    }

    lcf->strip = ngx_array_create(cf->pool, cf->args->nelts - 1, sizeof(ngx_str_t));
    if (lcf->strip == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < value[i].len; k++) {
            ch = value[i].data[k];

            if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9')
                  || ch == '_' || ch == '-' || ch == '.'))
            {
                break;
            }
        }

        if (value[i].len == 0 || k < value[i].len || k > NGX_COMMERCE_STRIP_NAME) {
            return ngx_commerce_invalid(cf, &value[i],
                                        "names of arguments (letters, digits, \"_\", \"-\", \".\"), or off");
        }

        name = ngx_array_push(lcf->strip);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}
