/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_guard: what the configured locations leave open.
 */

#include "ngx_commerce_core.h"


static ngx_uint_t ngx_commerce_method_overridden(ngx_http_request_t *r);


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

    /* a body where none belongs may still be read by a backend */

    return (r->headers_in.content_length_n > 0 || r->headers_in.chunked) ? NGX_DECLINED : NGX_OK;
}


static ngx_uint_t
ngx_commerce_method_overridden(ngx_http_request_t *r)
{
    ngx_str_t                value;
    ngx_uint_t               i, k;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    static const ngx_str_t   names[] = {
        ngx_string("X-HTTP-Method-Override"), ngx_string("X-HTTP-Method"), ngx_string("X-Method-Override"),
        ngx_null_string
    };

    if (ngx_http_arg(r, (u_char *) "_method", 7, &value) == NGX_OK) {
        return 1;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; names[k].len; k++) {
                if (h[i].key.len == names[k].len
                    && ngx_strncasecmp(h[i].key.data, names[k].data, names[k].len) == 0)
                {
                    return 1;
                }
            }
        }
    }

    return 0;
}
