/*
 * Copyright (C) ngx_commerce authors
 *
 * Commission: does a platform pay one for this order already?  Rates and amounts are src/commerce_commission.h.
 */

#include "ngx_http_commerce_distribution.h"


/* a stage of every order, before its terms are written down */

commerce_reason_t
ngx_http_commerce_commission(ngx_commerce_case_t *c)
{
    commerce_str_t                          platform;
    commerce_reason_t                       reason;
    ngx_http_commerce_distribution_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_distribution_module);

    c->payer = commerce_string("");
    c->double_pay = 0;

    if (conf->platform.type == 0 || c->order == NULL) {
        return COMMERCE_R(OK);
    }

    reason = ngx_http_commerce_distribution_core->read(c, &conf->platform, &platform);

    if (reason == COMMERCE_R(OK) && ngx_http_commerce_nothing(platform)) {
        return COMMERCE_R(OK);
    }

    /* something is said that cannot be written down: the buyer goes on, and nobody is paid twice for it */

    c->payer = reason == COMMERCE_R(OK) && commerce_id_valid(platform) ? platform : commerce_string("unknown");
    c->double_pay = conf->double_pay;

    return COMMERCE_R(OK);
}


ngx_uint_t
ngx_http_commerce_nothing(commerce_str_t text)
{
    return text.len == 0 || commerce_equal(text, commerce_string("0"))
           || commerce_equal(text, commerce_string("false")) || commerce_equal(text, commerce_string("none"));
}


char *
ngx_http_commerce_commission_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                   *rv;
    ngx_str_t                              *value, s;
    ngx_uint_t                              i, allowed;
    ngx_http_commerce_distribution_conf_t  *dcf = conf;

    ngx_http_commerce_distribution_core->note(cf);

    if (dcf->platform.type) {
        return "is duplicate";
    }

    value = cf->args->elts;
    dcf->double_pay = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "platform=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            /* a body is read where its location says so, not everywhere below */

            allowed = NGX_COMMERCE_SOURCE_VALUE;

            if (cf->cmd_type == NGX_HTTP_LOC_CONF) {
                allowed |= NGX_COMMERCE_SOURCE_BODY;
            }

            rv = ngx_http_commerce_distribution_core->source(cf, &s, allowed, &dcf->platform);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

        } else if (ngx_strcmp(value[i].data, "double_pay=allow") == 0) {
            dcf->double_pay = 1;

        } else if (ngx_strcmp(value[i].data, "double_pay=deny") != 0) {
            return ngx_http_commerce_distribution_core->invalid(cf, &value[i],
                                                                "platform=, double_pay=deny, double_pay=allow");
        }
    }

    if (dcf->platform.type == 0) {
        return "needs platform=, for example platform=json:/commission_platform";
    }

    return NGX_CONF_OK;
}
