/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_third_tier: a storefront's own answers that have a place for a third tier.
 */

#include "ngx_http_commerce_distribution.h"


static void ngx_http_commerce_third_tier(ngx_commerce_case_t *c, commerce_json_t *root, void *conf);


/* null is nobody; anything else is somebody, be it for nothing */

static void
ngx_http_commerce_third_tier(ngx_commerce_case_t *c, commerce_json_t *root, void *conf)
{
    bool              told;
    unsigned          count;
    ngx_uint_t        i;
    ngx_array_t      *pointers = conf;
    commerce_str_t   *pointer;
    commerce_json_t  *found[1];

    pointer = pointers->elts;

    for (i = 0; i < pointers->nelts; i++) {

        /* more than one: too many for the list, which is enough */

        if (commerce_json_each(root, pointer[i], found, 1, &count, &told) == COMMERCE_R(BODY_TOO_LARGE) || count) {
            c->detail.data = (u_char *) pointer[i].data;
            c->detail.len = pointer[i].len;

            ngx_log_error(NGX_LOG_WARN, c->request->connection->log, 0,
                          "commerce: an answer of the backend has a third tier in \"%V\"", &c->detail);

            ngx_http_commerce_distribution_core->object(c, COMMERCE_R(TIER3_PRESENT));
            return;
        }
    }
}


char *
ngx_http_commerce_third_tier_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t       *value;
    ngx_uint_t       i;
    ngx_array_t     *pointers;
    commerce_str_t  *pointer;

    value = cf->args->elts;

    pointers = ngx_array_create(cf->pool, cf->args->nelts, sizeof(commerce_str_t));
    if (pointers == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        pointer = ngx_array_push(pointers);
        if (pointer == NULL) {
            return NGX_CONF_ERROR;
        }

        pointer->data = (char *) value[i].data + 9;
        pointer->len = value[i].len - 9;

        if (ngx_strncmp(value[i].data, "response:", 9) != 0 || pointer->len == 0
            || !commerce_json_pointer_valid(*pointer))
        {
            return ngx_http_commerce_distribution_core->invalid(cf, &value[i],
                       "pointers into the answer such as response:/data/third_leader, with * for every element");
        }
    }

    return ngx_http_commerce_distribution_core->response(cf, ngx_http_commerce_third_tier, pointers) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
