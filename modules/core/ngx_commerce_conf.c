/*
 * Copyright (C) ngx_commerce authors
 *
 * Configuration: the core's directives but those of orders, merging, and what a shop cannot do without.
 */

#include "ngx_commerce_core.h"


static char *ngx_commerce_init_shops(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf);
static void ngx_commerce_free_keys(void *data);
static char *ngx_commerce_merge_check(ngx_conf_t *cf, ngx_commerce_loc_conf_t *outer,
    ngx_commerce_loc_conf_t *conf);
static char *ngx_commerce_merge_order(ngx_conf_t *cf, ngx_commerce_loc_conf_t *prev,
    ngx_commerce_loc_conf_t *conf);
static char *ngx_commerce_msec_param(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_msec_t *msec);


/* every commerce directive is part of what a verdict was decided by */

void
ngx_commerce_note(ngx_conf_t *cf)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);
    value = cf->args->elts;

    for (i = 0; i < cf->args->nelts; i++) {
        mcf->config = commerce_hash(mcf->config, value[i].data, value[i].len + 1);
    }
}


void
ngx_commerce_place(ngx_conf_t *cf, ngx_commerce_place_t *place)
{
    if (place->file == NULL) {
        place->file = cf->conf_file->file.name.data;
        place->line = cf->conf_file->line;
        place->directive = ((ngx_str_t *) cf->args->elts)[0];
    }
}


void *
ngx_commerce_create_main_conf(ngx_conf_t *cf)
{
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->shops, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NULL;
    }

    mcf->deadline = 2000;
    mcf->sweep = 1000;
    mcf->collect = 3600 * 1000;
    mcf->retention.orders = COMMERCE_RETENTION_ORDERS;
    mcf->retention.parked = COMMERCE_RETENTION_PARKED;
    mcf->retention.buyers = COMMERCE_RETENTION_BUYERS;
    mcf->retention.coupons = COMMERCE_RETENTION_COUPONS;
    mcf->batch = 512;
    mcf->queue = 8192;
    mcf->flush = 1000;
    mcf->buffer = 65536;
    mcf->config = COMMERCE_HASH_START;
    ngx_str_set(&mcf->threads, "default");

    return mcf;
}


char *
ngx_commerce_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_commerce_main_conf_t *mcf = conf;

    if (mcf->node.len == 0) {
        mcf->node = cf->cycle->hostname;
    }

    (void) ngx_sprintf(mcf->config_text, "%016xL", mcf->config);

    if (ngx_commerce_metrics_zone(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_thread_pool_add(cf, mcf->threads.len ? &mcf->threads : NULL) == NULL) {
        return NGX_CONF_ERROR;
    }

    if (mcf->shops.nelts == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_commerce_conduct_zone(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_commerce_init_shops(cf, mcf);
}


/* what a shop cannot do without */

static char *
ngx_commerce_init_shops(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf)
{
    char                 error[512];
    const char          *missing;
    ngx_pool_cleanup_t  *cln;

    missing = mcf->store.len == 0 ? "commerce_store lmdb:/var/lib/nginx/commerce"
              : mcf->keys.len == 0 ? "commerce_keys /etc/nginx/commerce/keys.json"
              : mcf->log == NULL ? "commerce_event_log /var/log/nginx/commerce.jsonl"
              : NULL;

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"commerce_shop\" requires a store, keys and an event log: add \"%s;\" to http in %s:%ui",
                      missing, mcf->shop_place.file, mcf->shop_place.line);
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->ring = commerce_keyring_load((char *) mcf->keys.data, error, sizeof(error));

    if (mcf->ring == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"commerce_keys\" %s; \"commerce --keys %V keys init\" makes a new file in %s:%ui",
                      error, &mcf->keys, mcf->keys_place.file, mcf->keys_place.line);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_commerce_free_keys;
    cln->data = mcf->ring;

    return NGX_CONF_OK;
}


/* a reload leaves no key of the configuration before in the master's memory */

static void
ngx_commerce_free_keys(void *data)
{
    commerce_keyring_free(data);
}


void *
ngx_commerce_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_commerce_srv_conf_t));
}


char *
ngx_commerce_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_commerce_srv_conf_t *conf = child;

    conf->strip = (conf->shop.len != 0);

    return NGX_CONF_OK;
}


void *
ngx_commerce_create_loc_conf(ngx_conf_t *cf)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->mode = NGX_CONF_UNSET_UINT;
    lcf->user_verified = NGX_CONF_UNSET_UINT;
    lcf->guard = NGX_CONF_UNSET;
    lcf->strip = NGX_CONF_UNSET_PTR;
    lcf->notice_key = NGX_CONF_UNSET_PTR;
    lcf->freeze = NGX_CONF_UNSET;

    return lcf;
}


char *
ngx_commerce_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_commerce_loc_conf_t *prev = parent;
    ngx_commerce_loc_conf_t *conf = child;

    ngx_commerce_srv_conf_t   *scf;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_COMMERCE_OFF);

    if (conf->exempt) {
        conf->mode = NGX_COMMERCE_OFF;
    }

    ngx_conf_merge_value(conf->guard, prev->guard, 0);
    ngx_commerce_conduct_merge(prev, conf);
    ngx_conf_merge_ptr_value(conf->strip, prev->strip, NULL);

    if (conf->response == NULL) {
        conf->response = prev->response;
        conf->response_conf = prev->response_conf;
    }

    if (conf->user.type == 0) {
        conf->user = prev->user;
        conf->user_verified = prev->user_verified;
        conf->user_jwt = prev->user_jwt;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and limit_except blocks belong to their location */

    if (clcf->noname) {

        if (conf->order == NULL) {
            conf->order = prev->order;
        }

        if (conf->action == NULL && prev->action) {
            clcf->handler = ngx_commerce_answer_handler;    /* limit_except has its own */

            conf->action = prev->action;
            conf->action_conf = prev->action_conf;
            conf->action_methods = prev->action_methods;
            conf->action_body = prev->action_body;
            conf->uses_body = prev->uses_body;
            conf->uses_form = prev->uses_form;
            conf->notice = prev->notice;
        }
    }

    if (ngx_commerce_merge_check(cf, clcf->noname ? prev : NULL, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_ptr_value(conf->notice_key, prev->notice_key, NULL);
    ngx_conf_merge_sec_value(conf->freeze, prev->freeze, 0);

    /* whatever a signature stands for is read, also where no fact comes from it */

    if (conf->notice && conf->notice_key) {
        conf->action_body = 1;
    }

    if (ngx_commerce_merge_order(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_commerce_module);

    if (scf->shop.len == 0) {

        if (conf->needs_shop.file) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%V\" requires a shop, but its server has no \"commerce_shop\" in %s:%ui",
                          &conf->needs_shop.directive, conf->needs_shop.file, conf->needs_shop.line);
            return NGX_CONF_ERROR;
        }

        conf->mode = NGX_COMMERCE_OFF;
    }

    return NGX_CONF_OK;
}


/* outer: of the location that the block belongs to; NULL: it is a location of its own */

static char *
ngx_commerce_merge_check(ngx_conf_t *cf, ngx_commerce_loc_conf_t *outer, ngx_commerce_loc_conf_t *conf)
{
    if (conf->check == NULL && outer && outer->check) {
        conf->check = outer->check;
        conf->check_conf = outer->check_conf;
        conf->check_place = outer->check_place;
    }

    if (conf->check && (conf->order || conf->action)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" cannot share its location with an order or with a directive that answers by itself "
                      "in %s:%ui", &conf->check_place.directive, conf->check_place.file, conf->check_place.line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_commerce_merge_order(ngx_conf_t *cf, ngx_commerce_loc_conf_t *prev, ngx_commerce_loc_conf_t *conf)
{
    ngx_commerce_order_conf_t  *oc;

    oc = conf->order;

    if (conf->needs_order.file && (oc == NULL || !oc->order_set)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" requires \"commerce_order\" in the same location in %s:%ui",
                      &conf->needs_order.directive, conf->needs_order.file, conf->needs_order.line);
        return NGX_CONF_ERROR;
    }

    if (oc == NULL) {
        return NGX_CONF_OK;
    }

    if (!oc->order_set || (oc->lines.data && !oc->line_set)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      !oc->order_set
                      ? "\"commerce_order_line\", \"commerce_order_success\", \"commerce_cart\" and "
                        "\"commerce_order_query\" require \"commerce_order\" "
                        "in the same location in %s:%ui"
                      : "\"commerce_order\" with lines= requires \"commerce_order_line id=/pointer ...\" "
                        "in the same location in %s:%ui",
                      conf->order_place.file, conf->order_place.line);
        return NGX_CONF_ERROR;
    }

    if (oc->lines_answered && oc->cart[COMMERCE_CART_COMPLETE] == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"commerce_order\" with lines=response: requires \"commerce_cart complete=POST\" "
                      "in the same location in %s:%ui",
                      conf->order_place.file, conf->order_place.line);
        return NGX_CONF_ERROR;
    }

    if (conf->uses_body) {
        oc->parses_body = 1;
    }

    if (oc->query) {
        ngx_commerce_query_merge(oc);
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_store_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ssize_t                    size;
    ngx_int_t                  n;
    ngx_str_t                 *value, s;
    ngx_uint_t                 i;
    ngx_commerce_main_conf_t  *mcf = conf;

    ngx_commerce_note(cf);

    if (mcf->store.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len <= 5 || ngx_strncmp(value[1].data, "lmdb:", 5) != 0) {
        return ngx_commerce_invalid(cf, &value[1], "lmdb:/path/of/a/directory");
    }

    mcf->store.data = value[1].data + 5;
    mcf->store.len = value[1].len - 5;

    if (ngx_conf_full_name(cf->cycle, &mcf->store, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = NGX_CONF_OK;

        if (ngx_strncmp(value[i].data, "deadline=", 9) == 0) {
            rv = ngx_commerce_msec_param(cf, &value[i], 9, &mcf->deadline);

        } else if (ngx_strncmp(value[i].data, "sweep=", 6) == 0) {
            rv = ngx_commerce_msec_param(cf, &value[i], 6, &mcf->sweep);

        } else if (ngx_strncmp(value[i].data, "batch=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);
            if (n < 1 || n > 4096) {
                return ngx_commerce_invalid(cf, &value[i], "batch=1..4096");
            }
            mcf->batch = n;

        } else if (ngx_strncmp(value[i].data, "queue=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);
            if (n < 1 || n > 1000000) {
                return ngx_commerce_invalid(cf, &value[i], "queue=1..1000000");
            }
            mcf->queue = n;

        } else if (ngx_strncmp(value[i].data, "threads=", 8) == 0 && value[i].len > 8) {
            mcf->threads.data = value[i].data + 8;
            mcf->threads.len = value[i].len - 8;

        } else if (ngx_strncmp(value[i].data, "map=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;
            size = ngx_parse_offset(&s);
            if (size == NGX_ERROR || size < 1048576) {
                return ngx_commerce_invalid(cf, &value[i], "map=1m or more, for example map=64g");
            }
            mcf->map_size = size;

        } else {
            return ngx_commerce_invalid(cf, &value[i],
                                        "deadline=, batch=, queue=, threads=, map=, sweep=");
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_commerce_msec_param(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_msec_t *msec)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = word->data + prefix;
    s.len = word->len - prefix;
    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n < 1) {
        return ngx_commerce_invalid(cf, word, "a time such as 500ms or 2s");
    }

    *msec = (ngx_msec_t) n;

    return NGX_CONF_OK;
}


/* the one sentence of a wrong word: directive, word, what is allowed; nginx adds file and line */

char *
ngx_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"%V\", allowed: %s", word,
                       &((ngx_str_t *) cf->args->elts)[0], allowed);
    return NGX_CONF_ERROR;
}


char *
ngx_commerce_keys_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_commerce_main_conf_t  *mcf = conf;

    ngx_commerce_note(cf);

    if (mcf->keys.len) {
        return "is duplicate";
    }

    ngx_commerce_place(cf, &mcf->keys_place);

    value = cf->args->elts;
    mcf->keys = value[1];

    return ngx_conf_full_name(cf->cycle, &mcf->keys, 1) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_commerce_event_log_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ssize_t                    size;
    ngx_str_t                 *value, s;
    ngx_uint_t                 i;
    ngx_commerce_main_conf_t  *mcf = conf;

    ngx_commerce_note(cf);

    if (mcf->log) {
        return "is duplicate";
    }

    value = cf->args->elts;

    mcf->log = ngx_conf_open_file(cf->cycle, &value[1]);
    if (mcf->log == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "flush=", 6) == 0) {
            rv = ngx_commerce_msec_param(cf, &value[i], 6, &mcf->flush);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "buffer=", 7) == 0) {
            s.data = value[i].data + 7;
            s.len = value[i].len - 7;
            size = ngx_parse_size(&s);

            if (size != NGX_ERROR && size >= 8192 && size <= 16777216) {
                mcf->buffer = size;
                continue;
            }
        }

        return ngx_commerce_invalid(cf, &value[i], "flush=time, buffer=size (8k to 16m)");
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_node_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_commerce_main_conf_t  *mcf = conf;

    ngx_commerce_note(cf);

    if (mcf->node.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len > 64 || !commerce_id_valid(ngx_commerce_str(value[1]))) {
        return ngx_commerce_invalid(cf, &value[1], "a name of 1 to 64 characters");
    }

    mcf->node = value[1];

    return NGX_CONF_OK;
}


char *
ngx_commerce_clock_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_commerce_main_conf_t  *mcf = conf;

    if (mcf->clock.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->clock = value[1];

    if (ngx_conf_full_name(cf->cycle, &mcf->clock, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"commerce_clock\" replaces the time of every decision: for tests only");

    return NGX_CONF_OK;
}


char *
ngx_commerce_mode_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->mode = NGX_COMMERCE_OFF;

    } else if (ngx_strcmp(value[1].data, "observe") == 0) {
        lcf->mode = NGX_COMMERCE_OBSERVE;

    } else if (ngx_strcmp(value[1].data, "enforce") == 0) {
        lcf->mode = NGX_COMMERCE_ENFORCE;

    } else {
        return ngx_commerce_invalid(cf, &value[1], "off, observe, enforce");
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value, *shop;
    ngx_uint_t                 i;
    ngx_commerce_srv_conf_t   *scf = conf;
    ngx_commerce_main_conf_t  *mcf;

    ngx_commerce_note(cf);

    if (scf->shop.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!commerce_shop_valid(ngx_commerce_str(value[1]))) {
        return ngx_commerce_invalid(cf, &value[1], "1 to 32 of a-z, 0-9, \"_\" and \"-\"");
    }

    scf->shop = value[1];
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);

    ngx_commerce_place(cf, &mcf->shop_place);

    shop = mcf->shops.elts;

    for (i = 0; i < mcf->shops.nelts; i++) {
        if (shop[i].len == value[1].len && ngx_strcmp(shop[i].data, value[1].data) == 0) {
            return NGX_CONF_OK;
        }
    }

    shop = ngx_array_push(&mcf->shops);
    if (shop == NULL) {
        return NGX_CONF_ERROR;
    }

    *shop = value[1];

    return NGX_CONF_OK;
}


char *
ngx_commerce_guard_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->guard != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->guard = 1;
        ngx_commerce_place(cf, &lcf->needs_shop);

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->guard = 0;

    } else {
        return ngx_commerce_invalid(cf, &value[1], "on, off");
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_commerce_action(ngx_conf_t *cf, ngx_uint_t methods, ngx_commerce_action_pt handler, void *conf)
{
    ngx_commerce_loc_conf_t   *lcf;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_commerce_note(cf);

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);

    if (lcf->action) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot share its location with another directive that answers by itself",
                           &((ngx_str_t *) cf->args->elts)[0]);
        return NGX_ERROR;
    }

    ngx_commerce_place(cf, &lcf->needs_shop);

    lcf->action = handler;
    lcf->action_conf = conf;
    lcf->action_methods = methods;
    lcf->action_body = lcf->uses_body || lcf->uses_form;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_commerce_answer_handler;

    return NGX_OK;
}


ngx_int_t
ngx_commerce_check(ngx_conf_t *cf, ngx_commerce_check_pt handler, void *conf)
{
    ngx_commerce_loc_conf_t  *lcf;

    ngx_commerce_note(cf);

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);

    if (lcf->check) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive is duplicate",
                           &((ngx_str_t *) cf->args->elts)[0]);
        return NGX_ERROR;
    }

    ngx_commerce_place(cf, &lcf->needs_shop);
    ngx_commerce_place(cf, &lcf->check_place);

    lcf->check = handler;
    lcf->check_conf = conf;

    return NGX_OK;
}
