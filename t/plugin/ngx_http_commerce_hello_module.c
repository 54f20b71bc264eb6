/*
 * Copyright (C) ngx_commerce authors
 *
 * The least feature module, to start one's own from: a stage that refuses listed users.
 *
 *     commerce_hello_refuse  user ...;    http, server, location; an inner list replaces the outer
 *
 * It needs ngx_commerce.h (the interface, with its comments) and the headers in src/ that this one
 * includes.  Nothing of ngx_commerce is linked: all calls go through the core module's table.
 */

#include <ngx_commerce.h>


typedef struct {
    ngx_array_t  *users;        /* of ngx_str_t */
} ngx_http_commerce_hello_conf_t;


static ngx_int_t ngx_http_commerce_hello_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_commerce_hello_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_commerce_hello_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_http_commerce_hello_refuse(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static commerce_reason_t ngx_http_commerce_hello_stage(ngx_commerce_case_t *c);


static const ngx_commerce_api_t  *ngx_http_commerce_core;


static ngx_command_t  ngx_http_commerce_hello_commands[] = {

    { ngx_string("commerce_hello_refuse"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_hello_refuse,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_hello_module_ctx = {
    ngx_http_commerce_hello_preconfiguration,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_hello_create_loc_conf,    /* create location configuration */
    ngx_http_commerce_hello_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_hello_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_hello_module_ctx,   /* module context */
    ngx_http_commerce_hello_commands,      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * The judgement.  The case tells who it is; OK lets the request go on to the next stage, a reason of
 * class deny refuses it in enforce mode and is logged as would_deny in observe mode.
 */

static commerce_reason_t
ngx_http_commerce_hello_stage(ngx_commerce_case_t *c)
{
    ngx_str_t                       *user;
    ngx_uint_t                       i;
    ngx_http_commerce_hello_conf_t  *hcf;

    hcf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_hello_module);

    if (hcf->users == NULL || c->user.len == 0) {
        return COMMERCE_R(OK);
    }

    user = hcf->users->elts;

    for (i = 0; i < hcf->users->nelts; i++) {

        if (commerce_equal(ngx_commerce_str(user[i]), c->user)) {
            ngx_str_set(&c->detail, "commerce_hello_refuse");   /* for the event log */
            return COMMERCE_R(NOT_A_SELLER);
        }
    }

    return COMMERCE_R(OK);
}


/* the core's table is looked up anew at every configuration, and the stages are registered */

static ngx_int_t
ngx_http_commerce_hello_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_core = ngx_commerce_core(cf, "ngx_http_commerce_hello_module");

    if (ngx_http_commerce_core == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_commerce_core->stage(cf, NGX_COMMERCE_STAGE_CLIENT,
                                         ngx_http_commerce_hello_stage);
}


static void *
ngx_http_commerce_hello_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_hello_conf_t));
}


static char *
ngx_http_commerce_hello_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_commerce_hello_conf_t  *prev = parent;
    ngx_http_commerce_hello_conf_t  *conf = child;

    if (conf->users == NULL) {
        conf->users = prev->users;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_hello_refuse(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                       *value, *user;
    ngx_uint_t                       i;
    ngx_http_commerce_hello_conf_t  *hcf = conf;

    if (hcf->users) {
        return "is duplicate";
    }

    ngx_http_commerce_core->note(cf);       /* part of the hash that events carry */

    hcf->users = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_str_t));
    if (hcf->users == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        user = ngx_array_push(hcf->users);
        if (user == NULL) {
            return NGX_CONF_ERROR;
        }

        *user = value[i];
    }

    return NGX_CONF_OK;
}
