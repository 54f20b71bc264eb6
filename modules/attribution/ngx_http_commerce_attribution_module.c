/*
 * Copyright (C) ngx_commerce authors
 *
 * Attribution: collects the touches of a request, binds the buyer, finds the winner of every order line, and
 * issues share tokens.  The rules are src/commerce_binding.h and src/commerce_attribution.h.
 */

#include "ngx_http_commerce_attribution.h"


static commerce_reason_t ngx_http_commerce_client(ngx_commerce_case_t *c);
static ngx_uint_t ngx_http_commerce_prefetch(ngx_http_request_t *r);
static commerce_reason_t ngx_http_commerce_touches(ngx_commerce_case_t *c);

static ngx_int_t ngx_http_commerce_attribution_preconfiguration(ngx_conf_t *cf);


const ngx_commerce_api_t  *ngx_http_commerce_core;


static ngx_command_t  ngx_http_commerce_attribution_commands[] = {

    { ngx_string("commerce_touch"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_commerce_touch_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_binding"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_binding_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_priority"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_priority_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_mini_program"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_commerce_mini_program_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_explain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_commerce_attribution_conf_t, explain),
      NULL },

    { ngx_string("commerce_explain_recent"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_commerce_explain_recent_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_revise"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_commerce_revise_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_share"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_commerce_share_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_admin"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_commerce_admin_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_attribution_module_ctx = {
    ngx_http_commerce_attribution_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_commerce_explain_create_main_conf,      /* create main configuration */
    ngx_http_commerce_explain_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_attribution_create_loc_conf,   /* create location configuration */
    ngx_http_commerce_attribution_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_attribution_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_attribution_module_ctx,  /* module context */
    ngx_http_commerce_attribution_commands,     /* module directives */
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


/* which app and build sent this?  A hint, but enough not to bind a robot or a preview */

static commerce_reason_t
ngx_http_commerce_client(ngx_commerce_case_t *c)
{
    ngx_str_t                             *appid;
    ngx_uint_t                             i;
    commerce_str_t                         scene, referer;
    commerce_mini_program_t                program;
    ngx_http_commerce_attribution_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_attribution_module);

    if (conf->mini_program != 1) {
        return COMMERCE_R(OK);
    }

    scene = commerce_string("");
    referer = c->request->headers_in.referer ? ngx_commerce_str(c->request->headers_in.referer->value)
                                             : commerce_string("");

    if (conf->scene.type
        && ngx_http_commerce_core->read(c, &conf->scene, &scene) != COMMERCE_R(OK))
    {
        scene = commerce_string("");
    }

    commerce_mini_program_recognise(referer, &program);

    if (program.platform == COMMERCE_PLATFORM_WECHAT && conf->appids) {
        appid = conf->appids->elts;

        for (i = 0; i < conf->appids->nelts; i++) {
            if (commerce_equal(ngx_commerce_str(appid[i]), program.appid)) {
                break;
            }
        }

        if (i == conf->appids->nelts) {
            ngx_memzero(&program, sizeof(commerce_mini_program_t));
        }
    }

    if (program.platform == COMMERCE_PLATFORM_WECHAT) {
        ngx_str_set(&c->platform, "wechat");
        c->appid.data = (u_char *) program.appid.data;
        c->appid.len = program.appid.len;
        c->version.data = (u_char *) program.version.data;
        c->version.len = program.version.len;
    }

    c->scene.data = (u_char *) scene.data;
    c->scene.len = scene.len;

    c->client = ngx_http_commerce_conduct_robot(c);

    if (c->client == COMMERCE_R(OK)) {
        c->client = commerce_mini_program_bindable(&program, scene);

        if (c->client == COMMERCE_R(CRAWLER)) {
            (void) ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_CRAWLER);

        } else if (c->client == COMMERCE_R(DEV_VERSION)) {
            (void) ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_DEV_VERSION);
        }
    }

    ngx_http_commerce_core->note_reason(c, c->client);

    return COMMERCE_R(OK);
}


static ngx_uint_t
ngx_http_commerce_prefetch(ngx_http_request_t *r)
{
    ngx_uint_t               i, k;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    static const ngx_str_t   names[] = {
        ngx_string("purpose"), ngx_string("sec-purpose"), ngx_string("x-purpose"), ngx_string("x-moz"),
        ngx_null_string
    };

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != 5 && h[i].key.len != 7 && h[i].key.len != 9 && h[i].key.len != 11) {
                continue;
            }

            for (k = 0; names[k].len; k++) {
                if (h[i].key.len == names[k].len
                    && ngx_strncasecmp(h[i].key.data, names[k].data, names[k].len) == 0
                    && ngx_strcasestrn(h[i].value.data, "prefetch", 8 - 1))
                {
                    return 1;
                }
            }
        }
    }

    return 0;
}


static commerce_reason_t
ngx_http_commerce_touches(ngx_commerce_case_t *c)
{
    commerce_reason_t                 reason;
    ngx_http_commerce_attribution_t   a;

    a.c = c;
    a.conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_attribution_module);
    a.ntouches = 0;
    a.ncandidates = 0;
    a.buyer = NULL;
    a.version = 0;
    ngx_memzero(&a.decided, sizeof(commerce_binding_t));
    ngx_memzero(&a.decided_owner, sizeof(commerce_owner_t));

    c->touched = 1;
    c->ncredits = 0;
    c->attribution = COMMERCE_R(ATTR_DIRECT);
    ngx_memzero(&c->buyer_person, sizeof(commerce_person_t));

    a.client = c->client;
    a.crowd = 0;

    /* nobody looks at what a prefetch or a HEAD brings */

    if ((c->request->method & (NGX_HTTP_HEAD|NGX_HTTP_OPTIONS)) || ngx_http_commerce_prefetch(c->request)) {
        a.client = COMMERCE_R(SCENE_NOT_BINDABLE);
    }

    reason = ngx_http_commerce_read_buyer(&a);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_collect(&a);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_http_commerce_conduct_client(&a);

    if (a.buyer) {
        ngx_http_commerce_remember(&a);
    }

    ngx_http_commerce_candidates(&a);

    reason = ngx_http_commerce_winners(&a);

    if (reason == COMMERCE_R(OK)) {
        ngx_http_commerce_explain(&a);
    }

    return reason;
}


static ngx_int_t
ngx_http_commerce_attribution_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_core = ngx_commerce_core(cf, "ngx_http_commerce_attribution_module");

    if (ngx_http_commerce_core == NULL
        || ngx_http_commerce_core->stage(cf, NGX_COMMERCE_STAGE_CLIENT, ngx_http_commerce_client) != NGX_OK
        || ngx_http_commerce_core->stage(cf, NGX_COMMERCE_STAGE_TOUCHES, ngx_http_commerce_touches) != NGX_OK
        || ngx_http_commerce_core->status_members(cf, ngx_http_commerce_recent_status) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
