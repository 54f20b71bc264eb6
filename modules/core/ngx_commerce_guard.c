/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_guard: what the configured locations leave open.
 */

#include "ngx_commerce_core.h"


static ngx_uint_t ngx_commerce_method_overridden(ngx_http_request_t *r);
static ngx_uint_t ngx_commerce_method_argument(ngx_http_request_t *r);


/* what the configured locations leave open */

ngx_int_t
ngx_commerce_guarded(ngx_http_request_t *r)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);

    if (lcf->guard != 1) {
        return NGX_OK;
    }

    if (ngx_commerce_method_overridden(r)) {
        return NGX_DECLINED;
    }

    if (ngx_commerce_counts(r)) {
        return (lcf->action || (lcf->order && lcf->mode != NGX_COMMERCE_OFF)) ? NGX_OK : NGX_DECLINED;
    }

    /* an error page's path is the operator's, whatever came with the request that failed */

    if (r->error_page || r->err_status) {
        return NGX_OK;
    }

    /* a body where none belongs may still be read by a backend */

    return (r->headers_in.content_length_n > 0 || r->headers_in.chunked) ? NGX_DECLINED : NGX_OK;
}


static ngx_uint_t
ngx_commerce_method_overridden(ngx_http_request_t *r)
{
    ngx_uint_t               i, k;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    static const ngx_str_t   names[] = {
        ngx_string("x-http-method-override"), ngx_string("x-http-method"), ngx_string("x-method-override"),
        ngx_null_string
    };

    if (ngx_commerce_method_argument(r)) {
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
ngx_commerce_method_argument(ngx_http_request_t *r)
{
    u_char  *p, *end, *src, *dst, name[sizeof("%5f%6d%65%74%68%6f%64") - 1];
    size_t   len;

    p = r->args.data;
    end = p + r->args.len;

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
