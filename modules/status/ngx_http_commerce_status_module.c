/*
 * Copyright (C) ngx_commerce authors
 *
 * A location that answers the gateway's status as JSON.  Loopback and unix sockets only, unless public.
 */

#include "../core/ngx_commerce.h"


static ngx_int_t ngx_http_commerce_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_commerce_status_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_commerce_status_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_commerce_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


typedef struct {
    ngx_uint_t  public;
} ngx_http_commerce_status_conf_t;


static const ngx_commerce_api_t  *ngx_http_commerce_core;


static ngx_command_t  ngx_http_commerce_status_commands[] = {

    { ngx_string("commerce_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_commerce_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_status_module_ctx = {
    ngx_http_commerce_status_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_status_create_loc_conf,   /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_status_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_status_module_ctx,  /* module context */
    ngx_http_commerce_status_commands,     /* module directives */
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


static ngx_int_t
ngx_http_commerce_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_str_t                         type = ngx_string("application/json");
    ngx_http_complex_value_t          cv;
    ngx_http_commerce_status_conf_t  *scf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    scf = ngx_http_get_module_loc_conf(r, ngx_http_commerce_status_module);

    if (!scf->public && !ngx_commerce_local(r)) {
        return NGX_HTTP_FORBIDDEN;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    rc = ngx_http_commerce_core->status(r, &cv.value);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


static ngx_int_t
ngx_http_commerce_status_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_core = ngx_commerce_core(cf, "ngx_http_commerce_status_module");

    return ngx_http_commerce_core ? NGX_OK : NGX_ERROR;
}


static void *
ngx_http_commerce_status_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_status_conf_t));
}


static char *
ngx_http_commerce_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                        *value;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_commerce_status_conf_t  *scf = conf;

    ngx_http_commerce_core->note(cf);
    ngx_http_commerce_core->exempt(cf);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_commerce_status_handler) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "public") != 0) {
            return ngx_http_commerce_core->invalid(cf, &value[1], "public");
        }

        scf->public = 1;
    }

    clcf->handler = ngx_http_commerce_status_handler;

    return NGX_CONF_OK;
}
