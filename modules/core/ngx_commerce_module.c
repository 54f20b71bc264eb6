/*
 * Copyright (C) ngx_commerce authors
 *
 * The core module: configuration, and the start and end of a worker.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


static void *ngx_commerce_create_main_conf(ngx_conf_t *cf);
static char *ngx_commerce_init_main_conf(ngx_conf_t *cf, void *conf);
static char *ngx_commerce_init_shops(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf);
static void *ngx_commerce_create_srv_conf(ngx_conf_t *cf);
static char *ngx_commerce_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child);
static void *ngx_commerce_create_loc_conf(ngx_conf_t *cf);
static char *ngx_commerce_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_commerce_merge_order(ngx_conf_t *cf, ngx_commerce_loc_conf_t *prev,
    ngx_commerce_loc_conf_t *conf);
static char *ngx_commerce_store_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_keys_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_event_log_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_node_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_clock_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_mode_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_user_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_guard_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_commerce_msec_param(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_msec_t *msec);
static char *ngx_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed);
static ngx_int_t ngx_commerce_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_commerce_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_commerce_log_handler(ngx_http_request_t *r);
static void ngx_commerce_log_visit(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
static ngx_int_t ngx_commerce_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_commerce_init_process(ngx_cycle_t *cycle);
static void ngx_commerce_open_store(ngx_cycle_t *cycle);
static void ngx_commerce_exit_process(ngx_cycle_t *cycle);

/* the table that feature modules call */
static ngx_int_t ngx_commerce_api_stage(ngx_conf_t *cf, ngx_commerce_stage_e stage,
    ngx_commerce_stage_pt handler);
static char *ngx_commerce_api_needs_order(ngx_conf_t *cf);
static commerce_keyring_t *ngx_commerce_api_keyring(ngx_commerce_case_t *c);
static commerce_str_t ngx_commerce_api_pseudonym(ngx_commerce_case_t *c);
static ngx_int_t ngx_commerce_api_event_start(ngx_commerce_case_t *c, commerce_write_t *w,
    const char *type);
static void ngx_commerce_api_event_money(ngx_commerce_case_t *c, commerce_write_t *w);
static void ngx_commerce_api_event_plain(ngx_commerce_case_t *c, commerce_write_t *w);


#define NGX_COMMERCE_EVENT_SIZE  4096


static ngx_command_t  ngx_commerce_commands[] = {

    { ngx_string("commerce_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_commerce_store_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_keys_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_event_log"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_commerce_event_log_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_node_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_clock"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_clock_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_commerce_mode_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_shop"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_commerce_shop_directive,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_user_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_guard"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_commerce_guard_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_line"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_line_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_success"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_order_success_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_confirm"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_cancel"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static const ngx_commerce_api_t  ngx_commerce_api = {
    NGX_COMMERCE_ABI,
    ngx_commerce_api_stage,
    ngx_commerce_action,
    ngx_commerce_note,
    ngx_commerce_source_compile,
    ngx_commerce_api_needs_order,
    ngx_commerce_source_read,
    ngx_commerce_api_keyring,
    ngx_commerce_api_pseudonym,
    ngx_commerce_note_reason,
    ngx_commerce_api_event_start,
    ngx_commerce_api_event_money,
    ngx_commerce_api_event_plain,
    ngx_commerce_status
};


static ngx_commerce_module_ctx_t  ngx_commerce_module_ctx = {
    {
        ngx_commerce_preconfiguration,         /* preconfiguration */
        ngx_commerce_postconfiguration,        /* postconfiguration */

        ngx_commerce_create_main_conf,         /* create main configuration */
        ngx_commerce_init_main_conf,           /* init main configuration */

        ngx_commerce_create_srv_conf,          /* create server configuration */
        ngx_commerce_merge_srv_conf,           /* merge server configuration */

        ngx_commerce_create_loc_conf,          /* create location configuration */
        ngx_commerce_merge_loc_conf            /* merge location configuration */
    },
    NGX_COMMERCE_MAGIC,
    &ngx_commerce_api
};


ngx_module_t  ngx_commerce_module = {
    NGX_MODULE_V1,
    &ngx_commerce_module_ctx,              /* module context */
    ngx_commerce_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_commerce_init_module,              /* init module */
    ngx_commerce_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_commerce_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_commerce_worker_t  *ngx_commerce_worker;


/* microseconds, UTC; from the test clock if one is configured */

int64_t
ngx_commerce_now_us(void)
{
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_int_t    seconds;
    ngx_time_t  *tp;
    u_char       text[32];

    tp = ngx_timeofday();

    if (ngx_commerce_worker == NULL || ngx_commerce_worker->conf->clock.len == 0) {
        return (int64_t) tp->sec * 1000000 + (int64_t) tp->msec * 1000;
    }

    /* opened at every use: whoever sets the clock replaces the file */

    n = 0;
    fd = ngx_open_file(ngx_commerce_worker->conf->clock.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = read(fd, text, sizeof(text));
        (void) ngx_close_file(fd);
    }

    while (n > 0 && (text[n - 1] < '0' || text[n - 1] > '9')) {
        n--;
    }

    seconds = n > 0 ? ngx_atoi(text, n) : NGX_ERROR;

    if (seconds == NGX_ERROR) {
        seconds = tp->sec;
    }

    return (int64_t) seconds * 1000000 + (int64_t) tp->msec * 1000;
}


void
ngx_commerce_complain(const char *what)
{
    ngx_commerce_worker_t  *w;

    w = ngx_commerce_worker;
    w->complaints++;

    if (ngx_time() - w->complained < 60) {
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, w->cycle->log, 0, "commerce: %s (%ui times since the last such line)",
                  what, w->complaints);

    w->complained = ngx_time();
    w->complaints = 0;
}


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


static void *
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
    mcf->batch = 512;
    mcf->queue = 8192;
    mcf->flush = 1000;
    mcf->buffer = 65536;
    mcf->config = COMMERCE_HASH_START;
    ngx_str_set(&mcf->threads, "default");

    return mcf;
}


static char *
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

    return mcf->shops.nelts ? ngx_commerce_init_shops(cf, mcf) : NGX_CONF_OK;
}


/* what a shop cannot do without */

static char *
ngx_commerce_init_shops(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf)
{
    char         error[512];
    const char  *missing;

    missing = mcf->store.len == 0 ? "commerce_store lmdb:/var/lib/nginx/commerce"
              : mcf->keys.len == 0 ? "commerce_keys /etc/nginx/commerce/keys.json"
              : mcf->log == NULL ? "commerce_event_log /var/log/nginx/commerce.jsonl"
              : NULL;

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"commerce_shop\" requires a store, keys and an event log: add \"%s;\" to http in %s:%ui",
                      missing, mcf->first_file, mcf->first_line);
        return NGX_CONF_ERROR;
    }

    mcf->ring = commerce_keyring_load((char *) mcf->keys.data, error, sizeof(error));

    if (mcf->ring == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"commerce_keys\" %s; \"commerce --keys %V keys init\" makes a new file",
                      error, &mcf->keys);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_commerce_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_commerce_srv_conf_t));
}


static char *
ngx_commerce_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_commerce_srv_conf_t *conf = child;

    conf->strip = (conf->shop.len != 0);

    return NGX_CONF_OK;
}


static void *
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

    return lcf;
}


static char *
ngx_commerce_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_commerce_loc_conf_t *prev = parent;
    ngx_commerce_loc_conf_t *conf = child;

    ngx_commerce_srv_conf_t   *scf;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_COMMERCE_OFF);
    ngx_conf_merge_value(conf->guard, prev->guard, 0);

    if (conf->user.type == 0) {
        conf->user = prev->user;
        conf->user_verified = prev->user_verified;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and limit_except blocks belong to their location */

    if (clcf->noname) {

        if (conf->order == NULL) {
            conf->order = prev->order;
        }

        if (conf->action == NULL) {
            conf->action = prev->action;
            conf->action_conf = prev->action_conf;
            conf->action_body = prev->action_body;
        }
    }

    if (ngx_commerce_merge_order(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_commerce_module);

    if (scf->shop.len == 0) {

        if (conf->order || conf->action || conf->guard == 1) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "location \"%V\" has commerce directives, but its server has no \"commerce_shop\"",
                          &clcf->name);
            return NGX_CONF_ERROR;
        }

        conf->mode = NGX_COMMERCE_OFF;
    }

    return NGX_CONF_OK;
}


static char *
ngx_commerce_merge_order(ngx_conf_t *cf, ngx_commerce_loc_conf_t *prev, ngx_commerce_loc_conf_t *conf)
{
    ngx_commerce_order_conf_t  *oc;

    oc = conf->order;

    if (conf->needs_order && (oc == NULL || !oc->order_set)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" requires \"commerce_order\" in the same location in %s:%ui",
                      &conf->needs_order_directive, conf->needs_order_file, conf->needs_order_line);
        return NGX_CONF_ERROR;
    }

    if (oc == NULL) {
        return NGX_CONF_OK;
    }

    if (!oc->order_set || (oc->lines.data && !oc->line_set)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      !oc->order_set
                      ? "\"commerce_order_line\" and \"commerce_order_success\" require \"commerce_order\" "
                        "in the same location in %s:%ui"
                      : "\"commerce_order\" with lines= requires \"commerce_order_line id=/pointer ...\" "
                        "in the same location in %s:%ui",
                      conf->order_file, conf->order_line);
        return NGX_CONF_ERROR;
    }

    if (conf->uses_body) {
        oc->reads_body = 1;
    }

    return NGX_CONF_OK;
}


static char *
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


static char *
ngx_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"%V\", allowed: %s", word,
                       &((ngx_str_t *) cf->args->elts)[0], allowed);
    return NGX_CONF_ERROR;
}


static char *
ngx_commerce_keys_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_commerce_main_conf_t  *mcf = conf;

    ngx_commerce_note(cf);

    if (mcf->keys.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mcf->keys = value[1];

    return ngx_conf_full_name(cf->cycle, &mcf->keys, 1) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
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


static char *
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


static char *
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


static char *
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


static char *
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

    if (mcf->first_file == NULL) {
        mcf->first_file = cf->conf_file->file.name.data;
        mcf->first_line = cf->conf_file->line;
    }

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


static char *
ngx_commerce_user_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->user.type) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lcf->user_verified = 0;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "verified") == 0) {
            lcf->user_verified = 1;

        } else if (ngx_strcmp(value[2].data, "claimed") != 0) {
            return ngx_commerce_invalid(cf, &value[2], "verified, claimed");
        }
    }

    return ngx_commerce_source_compile(cf, &value[1], NGX_COMMERCE_SOURCE_VALUE, &lcf->user);
}


static char *
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

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->guard = 0;

    } else {
        return ngx_commerce_invalid(cf, &value[1], "on, off");
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_commerce_preconfiguration(ngx_conf_t *cf)
{
    return ngx_commerce_variables_add(cf);
}


static ngx_int_t
ngx_commerce_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static const struct {
        ngx_uint_t           phase;
        ngx_http_handler_pt  handler;
    } handlers[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_commerce_headers_strip_handler },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_commerce_precontent_handler },
        { NGX_HTTP_LOG_PHASE, ngx_commerce_log_handler }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    ngx_commerce_outcome_init();

    return NGX_OK;
}


/* the end of a request: an order without an answer, and the visit */

static ngx_int_t
ngx_commerce_log_handler(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t  *ctx;

    ctx = ngx_commerce_get_ctx(r);

    if (ctx == NULL || ngx_commerce_worker == NULL || r != r->main) {
        return NGX_OK;
    }

    ngx_commerce_outcome_finish(r, ctx);

    if (!ctx->visited
        && ctx->phase == NGX_COMMERCE_PHASE_DECIDED
        && ctx->conf->mode != NGX_COMMERCE_OFF
        && ctx->conf->action == NULL
        && ctx->outcome == NGX_COMMERCE_OUTCOME_NONE
        && !ctx->c.denied)
    {
        ctx->visited = 1;
        ngx_commerce_log_visit(r, ctx);
    }

    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->requests, 1);

    return NGX_OK;
}


static void
ngx_commerce_log_visit(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    char                  buffer[2048];
    commerce_write_t      w;
    commerce_credit_t    *credit;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "visit", c->shop,
                             c->now_us)
        != COMMERCE_OK)
    {
        return;
    }

    if (c->user.len) {
        commerce_write_optional(&w, "buyer", ngx_commerce_api_pseudonym(c));
        commerce_write_bool(&w, "verified", c->verified);
    }

    commerce_write_text(&w, "method", ngx_commerce_str(r->method_name));
    commerce_write_text(&w, "uri", (commerce_str_t) { (char *) r->uri.data, ngx_min(r->uri.len, 256) });
    commerce_write_int(&w, "status", (int64_t) (r->err_status ? r->err_status : r->headers_out.status));

    if (c->ncredits) {
        credit = &c->credits[0];
        commerce_write_optional(&w, "seller", credit->seller_id);
        commerce_write_optional(&w, "tier2", credit->tier2_id);
        commerce_write_optional(&w, "group", credit->group_id);
        commerce_write_optional(&w, "room", credit->room_id);
        commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(credit->source)));
    }

    commerce_write_text(&w, "reason", commerce_reason(c->reason)->name);
    commerce_write_optional(&w, "platform", ngx_commerce_str(c->platform));
    commerce_write_optional(&w, "appid", ngx_commerce_str(c->appid));

    if (c->scene.len <= 16) {
        commerce_write_optional(&w, "scene", ngx_commerce_str(c->scene));
    }

    if (c->degraded) {
        commerce_write_bool(&w, "degraded", true);
    }

    ngx_commerce_journal_event(commerce_event_finish(&w));
}


/*
 * The store's directory belongs to the workers.  Runs also under "nginx -t" and before the daemon's fork:
 * nothing is opened here.
 */

static ngx_int_t
ngx_commerce_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t           *ccf;
    ngx_commerce_main_conf_t  *mcf;

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_commerce_module);

    if (mcf == NULL || mcf->shops.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_create_dir(mcf->store.data, 0700) == NGX_FILE_ERROR) {

        if (ngx_errno == NGX_EEXIST) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_create_dir_n " \"%V\" failed, make its parent directory", &mcf->store);
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() == 0
        && chown((const char *) mcf->store.data, ccf->user, ccf->group) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "chown(\"%V\") failed", &mcf->store);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_init_process(ngx_cycle_t *cycle)
{
    ngx_time_t                *tp;
    ngx_commerce_worker_t     *w;
    ngx_commerce_main_conf_t  *mcf;

    /* cache manager and loader come by here too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_commerce_module);

    if (mcf == NULL || mcf->shops.nelts == 0) {
        return NGX_OK;
    }

    w = ngx_calloc(sizeof(ngx_commerce_worker_t), cycle->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    w->cycle = cycle;
    w->conf = mcf;
    w->metrics = mcf->zone->data;
    w->epoch = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_commerce_worker = w;

    ngx_commerce_open_store(cycle);

    if (ngx_commerce_executor_init(cycle) != NGX_OK || ngx_commerce_journal_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_commerce_sweep_init();

    return NGX_OK;
}


/* without a store the worker serves pages, and refuses money */

static void
ngx_commerce_open_store(ngx_cycle_t *cycle)
{
    char                       error[512];
    commerce_store_options_t   options;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_commerce_worker->conf;

    ngx_memzero(&options, sizeof(commerce_store_options_t));
    options.path = (char *) mcf->store.data;
    options.id_space = commerce_keyring_id_space(mcf->ring);
    options.map_size = mcf->map_size;
    options.flags = COMMERCE_STORE_CREATE;

    ngx_commerce_worker->store = commerce_store_open(&options, error, sizeof(error));

    if (ngx_commerce_worker->store == NULL) {
        ngx_commerce_worker->metrics->store_failed = 1;
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0, "commerce: %s", error);
    }
}


static void
ngx_commerce_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_commerce_worker == NULL) {
        return;
    }

    ngx_commerce_journal_exit();

    /* a thread may still be in a batch when the worker was told to stop at once: the store stays open */
}


static ngx_int_t
ngx_commerce_api_stage(ngx_conf_t *cf, ngx_commerce_stage_e stage, ngx_commerce_stage_pt handler)
{
    ngx_commerce_stage_pt     *p;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);

    if (mcf->stages[stage] == NULL) {
        mcf->stages[stage] = ngx_array_create(cf->pool, 2, sizeof(ngx_commerce_stage_pt));
        if (mcf->stages[stage] == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_array_push(mcf->stages[stage]);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = handler;

    return NGX_OK;
}


ngx_int_t
ngx_commerce_action(ngx_conf_t *cf, ngx_commerce_action_pt handler, void *conf)
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

    lcf->action = handler;
    lcf->action_conf = conf;
    lcf->action_body = lcf->uses_body;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_commerce_answer_handler;

    return NGX_OK;
}


static char *
ngx_commerce_api_needs_order(ngx_conf_t *cf)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);

    lcf->needs_order = 1;
    lcf->needs_order_file = cf->conf_file->file.name.data;
    lcf->needs_order_line = cf->conf_file->line;
    lcf->needs_order_directive = ((ngx_str_t *) cf->args->elts)[0];

    return NGX_CONF_OK;
}


static commerce_keyring_t *
ngx_commerce_api_keyring(ngx_commerce_case_t *c)
{
    return ngx_commerce_worker->conf->ring;
}


static commerce_str_t
ngx_commerce_api_pseudonym(ngx_commerce_case_t *c)
{
    char  *text;

    if (c->pseudonym.len || c->user.len == 0) {
        return c->pseudonym;
    }

    text = commerce_alloc(&c->arena, COMMERCE_PSEUDONYM_SIZE);

    if (text
        && commerce_keyring_pseudonym(ngx_commerce_worker->conf->ring, c->shop, c->user, text) == COMMERCE_OK)
    {
        c->pseudonym = commerce_cstr(text);
    }

    return c->pseudonym;
}


static ngx_int_t
ngx_commerce_api_event_start(ngx_commerce_case_t *c, commerce_write_t *w, const char *type)
{
    char  *buffer;

    /* an event of the transaction must live as long as it does */

    buffer = commerce_alloc(c->txn->arena, NGX_COMMERCE_EVENT_SIZE);

    if (buffer == NULL
        || commerce_event_start(w, buffer, NGX_COMMERCE_EVENT_SIZE, &ngx_commerce_worker->events, type,
                                c->shop, c->now_us)
           != COMMERCE_OK)
    {
        c->txn->failed = true;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_commerce_api_event_money(ngx_commerce_case_t *c, commerce_write_t *w)
{
    commerce_str_t  body;

    body = commerce_event_finish(w);

    if (body.len == 0) {
        c->txn->failed = true;
        return;
    }

    commerce_txn_event(c->txn, body);
}


static void
ngx_commerce_api_event_plain(ngx_commerce_case_t *c, commerce_write_t *w)
{
    if (!c->preview) {
        ngx_commerce_journal_event(commerce_event_finish(w));
    }
}
