/*
 * Copyright (C) ngx_commerce authors
 *
 * Configuration: binding, priority, mini programs.
 */

#include "ngx_http_commerce_attribution.h"


static char *ngx_http_commerce_binding_param(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_commerce_attribution_conf_t *acf);
static ngx_int_t ngx_http_commerce_binding_word(ngx_str_t *word, ngx_http_commerce_attribution_conf_t *acf);
static ngx_int_t ngx_http_commerce_binding_time(ngx_str_t *word, ngx_http_commerce_attribution_conf_t *acf);


/* times of commerce_binding, and which besides a time they may be */
static struct {
    ngx_str_t    name;
    size_t       offset;
    unsigned     zero:1;
    unsigned     forever:1;
} ngx_http_commerce_binding_times[] = {
    { ngx_string("validity="), offsetof(ngx_http_commerce_attribution_conf_t, binding.validity), 0, 1 },
    { ngx_string("protect="), offsetof(ngx_http_commerce_attribution_conf_t, binding.protect), 1, 1 },
    { ngx_string("order_extend="), offsetof(ngx_http_commerce_attribution_conf_t, binding.order_extend), 1, 0 },
    { ngx_string("transfer_wait="), offsetof(ngx_http_commerce_attribution_conf_t, owner.transfer_wait), 1, 0 },
    { ngx_string("frozen_grace="), offsetof(ngx_http_commerce_attribution_conf_t, owner.frozen_grace), 1, 1 },
    { ngx_null_string, 0, 0, 0 }
};


void *
ngx_http_commerce_attribution_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_attribution_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_attribution_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mini_program = NGX_CONF_UNSET;
    conf->explain = NGX_CONF_UNSET;

    conf->binding.validity = 30 * 86400;
    conf->binding.protect = 15 * 86400;
    conf->binding.renew = true;
    conf->binding.self_purchase = COMMERCE_SELF_HOUSE;
    conf->owner.transfer_wait = 86400;
    conf->owner.frozen_grace = COMMERCE_FOREVER;

    return conf;
}


char *
ngx_http_commerce_attribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_commerce_attribution_conf_t *prev = parent;
    ngx_http_commerce_attribution_conf_t *conf = child;

    if (conf->priority == NULL) {
        conf->priority = prev->priority ? prev->priority
                                        : commerce_priority_order(COMMERCE_PRIORITY_PROTECT_FIRST);
    }

    ngx_conf_merge_value(conf->explain, prev->explain, 1);

    if (conf->touches == NULL) {
        conf->touches = prev->touches;
    }

    if (!conf->binding_set) {
        conf->binding = prev->binding;
        conf->owner = prev->owner;
        conf->leaver = prev->leaver;
        conf->binding_set = prev->binding_set;
    }

    if (conf->mini_program == NGX_CONF_UNSET) {
        conf->mini_program = prev->mini_program;
        conf->appids = prev->appids;
        conf->crawler = prev->crawler;
        conf->scene = prev->scene;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_commerce_binding_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                  *rv;
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->binding_set) {
        return "is duplicate";
    }

    acf->binding_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_commerce_binding_param(cf, &value[i], acf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (!commerce_binding_policy_valid(&acf->binding)) {
        return "protects longer than it is valid: protect= must not be above validity= (default 15d and 30d)";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_binding_param(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_attribution_conf_t *acf)
{
    if (ngx_http_commerce_binding_word(word, acf) == NGX_OK
        || ngx_http_commerce_binding_time(word, acf) == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    return ngx_http_commerce_core->invalid(cf, word,
        "validity=time|forever, protect=time|0|forever, order_extend=time|0, renew=on|off, new_only=on|off, "
        "self_purchase=house|upline|self, transfer=house|leaver, transfer_wait=time|0, "
        "frozen_grace=time|0|forever");
}


static ngx_int_t
ngx_http_commerce_binding_word(ngx_str_t *word, ngx_http_commerce_attribution_conf_t *acf)
{
    ngx_uint_t                  i;
    commerce_binding_policy_t  *policy;

    enum { RENEW, NEW_ONLY, SELF_PURCHASE, LEAVER };

    static struct {
        ngx_str_t   word;
        ngx_uint_t  what;
        ngx_uint_t  value;
    } words[] = {
        { ngx_string("renew=on"), RENEW, 1 },
        { ngx_string("renew=off"), RENEW, 0 },
        { ngx_string("new_only=on"), NEW_ONLY, 1 },
        { ngx_string("new_only=off"), NEW_ONLY, 0 },
        { ngx_string("self_purchase=house"), SELF_PURCHASE, COMMERCE_SELF_HOUSE },
        { ngx_string("self_purchase=upline"), SELF_PURCHASE, COMMERCE_SELF_UPLINE },
        { ngx_string("self_purchase=self"), SELF_PURCHASE, COMMERCE_SELF_ALLOWED },
        { ngx_string("transfer=house"), LEAVER, 0 },
        { ngx_string("transfer=leaver"), LEAVER, 1 },
        { ngx_null_string, 0, 0 }
    };

    policy = &acf->binding;

    for (i = 0; words[i].word.len; i++) {

        if (word->len != words[i].word.len || ngx_strncmp(word->data, words[i].word.data, word->len) != 0) {
            continue;
        }

        switch (words[i].what) {
        case RENEW:
            policy->renew = words[i].value;
            return NGX_OK;
        case NEW_ONLY:
            policy->new_only = words[i].value;
            return NGX_OK;
        case SELF_PURCHASE:
            policy->self_purchase = words[i].value;
            return NGX_OK;
        default:
            acf->leaver = words[i].value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_commerce_binding_time(ngx_str_t *word, ngx_http_commerce_attribution_conf_t *acf)
{
    time_t       t;
    int64_t     *seconds;
    ngx_str_t   s, *name;
    ngx_uint_t   i;

    for (i = 0; ngx_http_commerce_binding_times[i].name.len; i++) {

        name = &ngx_http_commerce_binding_times[i].name;

        if (word->len <= name->len || ngx_strncmp(word->data, name->data, name->len) != 0) {
            continue;
        }

        seconds = (int64_t *) ((u_char *) acf + ngx_http_commerce_binding_times[i].offset);
        s.data = word->data + name->len;
        s.len = word->len - name->len;

        if (ngx_http_commerce_binding_times[i].forever && s.len == 7 && ngx_strncmp(s.data, "forever", 7) == 0) {
            *seconds = COMMERCE_FOREVER;
            return NGX_OK;
        }

        t = ngx_parse_time(&s, 1);

        if (t == (time_t) NGX_ERROR || (t == 0 && !ngx_http_commerce_binding_times[i].zero)) {
            return NGX_DECLINED;
        }

        *seconds = t;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


char *
ngx_http_commerce_priority_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    commerce_source_t                     *order;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->priority) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < COMMERCE_PRIORITIES && cf->args->nelts == 2; i++) {
        if (ngx_strcmp(value[1].data, commerce_priority_name(i)) == 0) {
            acf->priority = commerce_priority_order(i);
            return NGX_CONF_OK;
        }
    }

    order = ngx_pcalloc(cf->pool, (COMMERCE_SOURCES + 1) * sizeof(commerce_source_t));
    if (order == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        switch (commerce_priority_add(order, ngx_commerce_str(value[i]))) {

        case COMMERCE_OK:
            break;

        case COMMERCE_ABSENT:
            return "has the same class twice";

        default:
            return ngx_http_commerce_core->invalid(cf, &value[i],
                "protect_first, touch_first, live_first, or classes in order: protected, live_room, share, promoter, "
                "group, open, channel, plain");
        }
    }

    acf->priority = order;

    return NGX_CONF_OK;
}


char *
ngx_http_commerce_mini_program_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                  *rv;
    ngx_str_t                             *value, *appid, s;
    ngx_uint_t                             i;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->mini_program != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    acf->mini_program = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "appid=", 6) == 0 && value[i].len > 6) {

            if (acf->appids == NULL) {
                acf->appids = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
                if (acf->appids == NULL) {
                    return NGX_CONF_ERROR;
                }
            }

            appid = ngx_array_push(acf->appids);
            if (appid == NULL) {
                return NGX_CONF_ERROR;
            }

            appid->data = value[i].data + 6;
            appid->len = value[i].len - 6;
            continue;
        }

        if (ngx_strncmp(value[i].data, "scene=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            rv = ngx_http_commerce_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE, &acf->scene);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "crawler_token=", 14) == 0 && value[i].len > 14) {

            rv = ngx_http_commerce_crawler_token(cf, &value[i], 14, &acf->crawler);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        return ngx_http_commerce_core->invalid(cf, &value[i],
                                               "appid=id, scene=$variable, crawler_token=FILE");
    }

    return NGX_CONF_OK;
}
