/*
 * Copyright (C) ngx_commerce authors
 *
 * Coupons of an order request: which codes it names, whether they are genuine.  Whether they apply:
 * ngx_http_commerce_coupon_rules.c.  Spending them is the ledger's (src/commerce_ledger.h); refusing the order is the
 * core's.
 */

#include "ngx_http_commerce_coupon.h"
#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_imported.h"


static ngx_int_t ngx_http_commerce_coupon_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_commerce_coupon_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_commerce_coupon_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_commerce_coupon_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_commerce_coupon_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_http_commerce_coupon_code(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_coupon_redeem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_coupon_policy(ngx_conf_t *cf, ngx_str_t *word, size_t prefix,
    commerce_deadline_policy_t *policy);

static commerce_reason_t ngx_http_commerce_coupon_codes(ngx_commerce_case_t *c);
static commerce_reason_t ngx_http_commerce_coupon_members(ngx_commerce_case_t *c,
    ngx_http_commerce_coupon_conf_t *ccf);
static commerce_reason_t ngx_http_commerce_coupon_text(ngx_commerce_case_t *c,
    ngx_http_commerce_coupon_conf_t *ccf);
static commerce_reason_t ngx_http_commerce_coupon_add(ngx_commerce_case_t *c,
    ngx_http_commerce_coupon_conf_t *ccf, commerce_str_t text);
static commerce_reason_t ngx_http_commerce_coupon_genuine(ngx_commerce_case_t *c,
    ngx_http_commerce_coupon_conf_t *ccf, ngx_commerce_coupon_t *coupon);


const ngx_commerce_api_t  *ngx_http_commerce_coupon_core;


static ngx_command_t  ngx_http_commerce_coupon_commands[] = {

    { ngx_string("commerce_coupon_code"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_commerce_coupon_code,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_facts"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_coupon_facts_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_redeem"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_coupon_redeem,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_guess"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_guess_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_claim"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_commerce_claim_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_list"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_commerce_list_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_check"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_commerce_check_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_qr"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_commerce_qr_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_redeem_shop"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_redeem_shop_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_coupon_rollback_shop"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_rollback_shop_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_coupon_module_ctx = {
    ngx_http_commerce_coupon_preconfiguration,  /* preconfiguration */
    ngx_http_commerce_coupon_postconfiguration, /* postconfiguration */

    ngx_http_commerce_coupon_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_coupon_create_loc_conf,   /* create location configuration */
    ngx_http_commerce_coupon_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_coupon_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_coupon_module_ctx,  /* module context */
    ngx_http_commerce_coupon_commands,     /* module directives */
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


/* which codes does the request name, and did we sign them?  No look-up: a guess costs at most one MAC */

static commerce_reason_t
ngx_http_commerce_coupon_codes(ngx_commerce_case_t *c)
{
    commerce_reason_t                 reason;
    ngx_http_commerce_coupon_conf_t  *ccf;

    ccf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_coupon_module);

    c->ncoupons = 0;
    c->redeem_on_paid = ccf->on_paid;
    c->deadline = ccf->deadline;
    c->unpaid = ccf->unpaid;
    c->in_doubt = ccf->in_doubt;

    if (ccf->code.type == 0 || c->order == NULL) {
        return COMMERCE_R(OK);
    }

    reason = ccf->code.type == NGX_COMMERCE_SOURCE_BODY ? ngx_http_commerce_coupon_members(c, ccf)
                                                        : ngx_http_commerce_coupon_text(c, ccf);

    return reason;
}


/* a string, or an array of strings */

static commerce_reason_t
ngx_http_commerce_coupon_members(ngx_commerce_case_t *c, ngx_http_commerce_coupon_conf_t *ccf)
{
    commerce_str_t      text;
    commerce_json_t    *node;
    commerce_reason_t   reason;

    if (c->body == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(c->body, ccf->code.pointer, &node);

    if (reason != COMMERCE_R(OK) || node == NULL) {
        return reason;
    }

    if (!commerce_json_is_array(node)) {
        reason = commerce_json_text(node, &text);
        return reason == COMMERCE_R(OK) ? ngx_http_commerce_coupon_add(c, ccf, text) : reason;
    }

    for (node = commerce_json_first(node); node; node = commerce_json_next(node)) {

        reason = commerce_json_text(node, &text);

        if (reason == COMMERCE_R(OK)) {
            reason = ngx_http_commerce_coupon_add(c, ccf, text);
        }

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


/* one code, or several behind commas */

static commerce_reason_t
ngx_http_commerce_coupon_text(ngx_commerce_case_t *c, ngx_http_commerce_coupon_conf_t *ccf)
{
    size_t              n;
    commerce_str_t      text, one;
    commerce_reason_t   reason;

    reason = ngx_http_commerce_coupon_core->read(c, &ccf->code, &text);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)) {
        return COMMERCE_R(COUPON_DUPLICATE);
    }

    while (reason == COMMERCE_R(OK) && text.len) {

        for (n = 0; n < text.len && text.data[n] != ','; n++) { /* void */ }

        one = (commerce_str_t) { text.data, n };
        n += (n < text.len);
        text.data += n;
        text.len -= n;

        reason = ngx_http_commerce_coupon_add(c, ccf, one);
    }

    return reason;
}


static commerce_reason_t
ngx_http_commerce_coupon_add(ngx_commerce_case_t *c, ngx_http_commerce_coupon_conf_t *ccf,
    commerce_str_t text)
{
    ngx_uint_t              i;
    ngx_commerce_coupon_t  *coupon;

    if (text.len == 0) {
        return COMMERCE_R(OK);
    }

    if (c->ncoupons == ccf->max) {
        return COMMERCE_R(COUPON_STACK_LIMIT);
    }

    if (c->coupons == NULL) {
        c->coupons = c->arena.alloc(c->arena.owner, COMMERCE_COUPONS_MAX * sizeof(ngx_commerce_coupon_t));
        if (c->coupons == NULL) {
            return COMMERCE_R(INTERNAL);
        }
    }

    coupon = &c->coupons[c->ncoupons];
    ngx_memzero(coupon, sizeof(ngx_commerce_coupon_t));

    coupon->text = text;
    coupon->use.discount = -1;

    coupon->reason = ngx_http_commerce_coupon_genuine(c, ccf, coupon);

    if (coupon->reason == COMMERCE_R(OK) && !coupon->imported) {
        coupon->genuine = 1;

        for (i = 0; i < c->ncoupons; i++) {
            if (c->coupons[i].code.campaign == coupon->code.campaign
                && c->coupons[i].code.serial == coupon->code.serial)
            {
                return COMMERCE_R(COUPON_DUPLICATE);
            }
        }
    }

    c->ncoupons++;

    return COMMERCE_R(OK);
}


/* nothing is told about a code to somebody who could not use it, or who has tried too many wrong ones */

static commerce_reason_t
ngx_http_commerce_coupon_genuine(ngx_commerce_case_t *c, ngx_http_commerce_coupon_conf_t *ccf,
    ngx_commerce_coupon_t *coupon)
{
    unsigned                  counted, elsewhere;
    commerce_reason_t         parsed, reason;
    commerce_imported_code_t  code;

    parsed = coupon->text.len <= 64 ? commerce_code_parse(coupon->text, &coupon->code)
                                    : COMMERCE_R(COUPON_MALFORMED);

    elsewhere = ccf->imported && coupon->text.len <= COMMERCE_ID_MAX
                && commerce_imported_parse(coupon->text, &code) == NULL;

    if (parsed != COMMERCE_R(OK)) {
        ngx_memzero(&coupon->code, sizeof(commerce_code_t));

        if (elsewhere) {
            coupon->imported = 1;           /* if it is a code at all: the store knows, and is asked with the rules */
            coupon->plain = commerce_copy(&c->arena, (commerce_str_t) { code.text, code.len });

            if (coupon->plain.data == NULL) {
                return COMMERCE_R(INTERNAL);
            }
        }
    }

    if (!c->verified) {
        return COMMERCE_R(COUPON_CUSTOMER_REQUIRED);
    }

    counted = c->failed & (1U << c->ncoupons);      /* by an earlier evaluation of this request */
    reason = counted ? COMMERCE_R(OK) : ngx_http_commerce_guess_allowed(c, coupon->code.campaign);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (parsed != COMMERCE_R(OK)) {
        return coupon->imported ? COMMERCE_R(OK) : parsed;
    }

    reason = commerce_code_verify(ngx_http_commerce_coupon_core->keyring(c), c->shop, &coupon->code);

    if (elsewhere && reason == COMMERCE_R(COUPON_BAD_SIGNATURE)) {
        coupon->imported = 1;               /* it looks like one of ours */
        return COMMERCE_R(OK);
    }

    return reason;
}


static ngx_int_t
ngx_http_commerce_coupon_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_coupon_core = ngx_commerce_core(cf, "ngx_http_commerce_coupon_module");

    if (ngx_http_commerce_coupon_core == NULL
        || ngx_http_commerce_coupon_core->stage(cf, NGX_COMMERCE_STAGE_CODES, ngx_http_commerce_coupon_codes)
           != NGX_OK
        || ngx_http_commerce_coupon_core->stage(cf, NGX_COMMERCE_STAGE_COUPONS, ngx_http_commerce_coupon_records)
           != NGX_OK
        || ngx_http_commerce_coupon_core->stage(cf, NGX_COMMERCE_STAGE_RULES, ngx_http_commerce_coupon_rules)
           != NGX_OK
        || ngx_http_commerce_coupon_core->status_members(cf, ngx_http_commerce_guess_status) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the guessing limits' zone: wherever codes are taken, unless somebody said off */

static ngx_int_t
ngx_http_commerce_coupon_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                              name = ngx_string("ngx_commerce_guess");
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_commerce_coupon_module);

    if (mcf->guess.off || !mcf->guess.needed) {
        return NGX_OK;
    }

    mcf->guess.zone = ngx_http_commerce_coupon_core->windows->zone(cf, &name, mcf->guess.size,
                                                                   &ngx_http_commerce_coupon_module);

    return mcf->guess.zone ? NGX_OK : NGX_ERROR;
}


static void *
ngx_http_commerce_coupon_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_coupon_main_conf_t));

    if (mcf) {
        ngx_http_commerce_guess_create(&mcf->guess);
    }

    return mcf;
}


static void *
ngx_http_commerce_coupon_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_coupon_conf_t  *ccf;

    ccf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_coupon_conf_t));
    if (ccf == NULL) {
        return NULL;
    }

    ccf->max = 1;
    ccf->deadline = 16 * 60;
    ccf->unpaid = COMMERCE_POLICY_RELEASE;
    ccf->in_doubt = COMMERCE_POLICY_HOLD;

    return ccf;
}


/* belongs to one location, like the order it is part of; "if" blocks are of their location */

static char *
ngx_http_commerce_coupon_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_commerce_coupon_conf_t  *prev = parent;
    ngx_http_commerce_coupon_conf_t  *conf = child;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->code.type == 0) {
        *conf = *prev;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_coupon_code(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                              n;
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    ngx_http_commerce_coupon_conf_t       *ccf = conf;
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    ngx_http_commerce_coupon_core->note(cf);

    if (ccf->code.type) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "max=", 4) == 0) {
            n = ngx_atoi(value[i].data + 4, value[i].len - 4);

            if (n < 1 || n > COMMERCE_COUPONS_MAX) {
                return ngx_http_commerce_coupon_core->invalid(cf, &value[i], "max=1..8");
            }

            ccf->max = n;

        } else if (ngx_strcmp(value[i].data, "imported=on") == 0) {
            mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_commerce_coupon_module);
            mcf->imported = 1;
            ccf->imported = 1;

        } else if (ngx_strcmp(value[i].data, "imported=off") == 0) {
            ccf->imported = 0;

        } else {
            return ngx_http_commerce_coupon_core->invalid(cf, &value[i], "max=1..8, imported=on|off");
        }
    }

    if (ngx_http_commerce_coupon_core->needs_order(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_guess_needed(cf);

    return ngx_http_commerce_coupon_core->source(cf, &value[1],
                                                 NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                                 &ccf->code);
}


static char *
ngx_http_commerce_coupon_redeem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                             *rv;
    ngx_str_t                        *value, s;
    ngx_uint_t                        i, on;
    ngx_http_commerce_coupon_conf_t  *ccf = conf;

    ngx_http_commerce_coupon_core->note(cf);

    if (ccf->redeem_set) {
        return "is duplicate";
    }

    if (ngx_http_commerce_coupon_core->needs_order(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ccf->redeem_set = 1;
    value = cf->args->elts;
    on = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = NGX_CONF_OK;

        if (ngx_strcmp(value[i].data, "on=order") == 0) {
            on = 1;

        } else if (ngx_strcmp(value[i].data, "on=paid") == 0) {
            on = 1;
            ccf->on_paid = 1;

        } else if (ngx_strncmp(value[i].data, "deadline=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;
            ccf->deadline = ngx_parse_time(&s, 1);

            if (ccf->deadline == (time_t) NGX_ERROR || ccf->deadline < 1 || ccf->deadline > 366 * 86400) {
                rv = ngx_http_commerce_coupon_core->invalid(cf, &value[i],
                         "deadline= a time such as 16m, up to 366d");
            }

        } else if (ngx_strncmp(value[i].data, "unpaid=", 7) == 0) {
            rv = ngx_http_commerce_coupon_policy(cf, &value[i], 7, &ccf->unpaid);

        } else if (ngx_strncmp(value[i].data, "in_doubt=", 9) == 0) {
            rv = ngx_http_commerce_coupon_policy(cf, &value[i], 9, &ccf->in_doubt);

        } else {
            rv = ngx_http_commerce_coupon_core->invalid(cf, &value[i],
                     "on=order|paid, deadline=time, unpaid=release|hold, in_doubt=hold|release");
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return on ? NGX_CONF_OK : "needs on=order or on=paid";
}


static char *
ngx_http_commerce_coupon_policy(ngx_conf_t *cf, ngx_str_t *word, size_t prefix,
    commerce_deadline_policy_t *policy)
{
    if (ngx_strcmp(word->data + prefix, "release") == 0) {
        *policy = COMMERCE_POLICY_RELEASE;

    } else if (ngx_strcmp(word->data + prefix, "hold") == 0) {
        *policy = COMMERCE_POLICY_HOLD;

    } else {
        return ngx_http_commerce_coupon_core->invalid(cf, word, "release, hold");
    }

    return NGX_CONF_OK;
}
