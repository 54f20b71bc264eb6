/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_order_confirm, commerce_order_cancel, commerce_order_refund, commerce_order_settle.
 */

#include "ngx_commerce_notice.h"


#define NGX_COMMERCE_NOTICE_PAID       1
#define NGX_COMMERCE_NOTICE_CANCELLED  2
#define NGX_COMMERCE_NOTICE_REFUNDED   4
#define NGX_COMMERCE_NOTICE_SETTLED    8
#define NGX_COMMERCE_NOTICE_ANY       15
#define NGX_COMMERCE_NOTICE_MONEY     (NGX_COMMERCE_NOTICE_PAID|NGX_COMMERCE_NOTICE_REFUNDED)


typedef struct {
    const char             *name;
    ngx_uint_t              bit;
    commerce_step_t         step;
    const char             *allowed;
} ngx_commerce_notice_kind_t;

typedef struct {
    ngx_str_t               name;           /* with the equals sign */
    ngx_uint_t              kinds;
    size_t                  offset;         /* of a source, or of a pointer */
    ngx_uint_t              pointer;
} ngx_commerce_notice_param_t;


static char *ngx_commerce_notice_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_notice_conf_t *nc,
    ngx_commerce_notice_kind_t *kind);
static char *ngx_commerce_notice_pointer(ngx_conf_t *cf, ngx_str_t *word, ngx_str_t *s, commerce_str_t *pointer);
static char *ngx_commerce_notice_complete(ngx_commerce_notice_conf_t *nc);


static ngx_commerce_notice_kind_t  ngx_commerce_notice_kinds[] = {
    { "confirm", NGX_COMMERCE_NOTICE_PAID, COMMERCE_STEP_PAID,
      "id=, or key= with user=, payment=, transaction=, amount=, unit=fen|yuan" },
    { "cancel", NGX_COMMERCE_NOTICE_CANCELLED, COMMERCE_STEP_CANCELLED,
      "id=, or key= with user=, payment=, transaction=" },
    { "refund", NGX_COMMERCE_NOTICE_REFUNDED, COMMERCE_STEP_REFUNDED,
      "refund=, id=, or key= with user=, payment=, transaction=, amount=, freight=, unit=fen|yuan, "
      "lines=json:/p, line_sku=/p or line_number=/p, line_amount=/p, line_qty=/p" },
    { "settle", NGX_COMMERCE_NOTICE_SETTLED, COMMERCE_STEP_SETTLED,
      "id=, or key= with user=, payment=, transaction=" }
};


static ngx_commerce_notice_param_t  ngx_commerce_notice_params[] = {
    { ngx_string("id="), NGX_COMMERCE_NOTICE_ANY, offsetof(ngx_commerce_notice_conf_t, id), 0 },
    { ngx_string("key="), NGX_COMMERCE_NOTICE_ANY, offsetof(ngx_commerce_notice_conf_t, key), 0 },
    { ngx_string("user="), NGX_COMMERCE_NOTICE_ANY, offsetof(ngx_commerce_notice_conf_t, user), 0 },
    { ngx_string("payment="), NGX_COMMERCE_NOTICE_ANY, offsetof(ngx_commerce_notice_conf_t, payment), 0 },
    { ngx_string("transaction="), NGX_COMMERCE_NOTICE_ANY,
      offsetof(ngx_commerce_notice_conf_t, transaction), 0 },
    { ngx_string("amount="), NGX_COMMERCE_NOTICE_MONEY, offsetof(ngx_commerce_notice_conf_t, amount), 0 },
    { ngx_string("refund="), NGX_COMMERCE_NOTICE_REFUNDED, offsetof(ngx_commerce_notice_conf_t, refund), 0 },
    { ngx_string("freight="), NGX_COMMERCE_NOTICE_REFUNDED, offsetof(ngx_commerce_notice_conf_t, freight), 0 },
    { ngx_string("lines=json:"), NGX_COMMERCE_NOTICE_REFUNDED, offsetof(ngx_commerce_notice_conf_t, lines), 1 },
    { ngx_string("line_sku="), NGX_COMMERCE_NOTICE_REFUNDED,
      offsetof(ngx_commerce_notice_conf_t, line_sku), 1 },
    { ngx_string("line_number="), NGX_COMMERCE_NOTICE_REFUNDED,
      offsetof(ngx_commerce_notice_conf_t, line_number), 1 },
    { ngx_string("line_amount="), NGX_COMMERCE_NOTICE_REFUNDED,
      offsetof(ngx_commerce_notice_conf_t, line_amount), 1 },
    { ngx_string("line_qty="), NGX_COMMERCE_NOTICE_REFUNDED,
      offsetof(ngx_commerce_notice_conf_t, line_quantity), 1 }
};


char *
ngx_commerce_order_notice_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_uint_t                   i, k;
    ngx_commerce_loc_conf_t     *lcf = conf;
    ngx_commerce_notice_conf_t  *nc;

    nc = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_notice_conf_t));
    if (nc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (k = 0; ngx_strcmp(value[0].data + sizeof("commerce_order_") - 1,
                           ngx_commerce_notice_kinds[k].name) != 0; k++) { /* void */ }

    nc->step = ngx_commerce_notice_kinds[k].step;
    nc->name = commerce_cstr(ngx_commerce_notice_kinds[k].name);
    nc->unit = COMMERCE_UNIT_FEN;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_commerce_notice_param(cf, &value[i], nc, &ngx_commerce_notice_kinds[k]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_commerce_notice_complete(nc);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (lcf->uses_body && lcf->uses_form) {
        return "takes its facts from json: or from form:, not from both";
    }

    if (nc->lines.data) {
        if (lcf->uses_form) {
            return "takes lines= from a JSON body only, but some source is form:";
        }

        lcf->uses_body = 1;
    }

    lcf->notice = 1;

    return ngx_commerce_action(cf, NGX_HTTP_POST, ngx_commerce_notice, nc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_commerce_notice_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_notice_conf_t *nc,
    ngx_commerce_notice_kind_t *kind)
{
    u_char                       *field;
    ngx_str_t                     s;
    ngx_uint_t                    i;
    ngx_commerce_notice_param_t  *p;

    if (kind->bit & NGX_COMMERCE_NOTICE_MONEY) {

        if (ngx_strcmp(word->data, "unit=fen") == 0) {
            nc->unit = COMMERCE_UNIT_FEN;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(word->data, "unit=yuan") == 0) {
            nc->unit = COMMERCE_UNIT_YUAN;
            return NGX_CONF_OK;
        }
    }

    for (i = 0; i < sizeof(ngx_commerce_notice_params) / sizeof(ngx_commerce_notice_params[0]); i++) {
        p = &ngx_commerce_notice_params[i];

        if (!(p->kinds & kind->bit)
            || word->len < p->name.len
            || ngx_strncmp(word->data, p->name.data, p->name.len) != 0)
        {
            continue;
        }

        s.data = word->data + p->name.len;
        s.len = word->len - p->name.len;

        field = (u_char *) nc + p->offset;

        if (p->pointer) {
            return ngx_commerce_notice_pointer(cf, word, &s, (commerce_str_t *) field);
        }

        return ngx_commerce_source_compile(cf, &s,
            NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY|NGX_COMMERCE_SOURCE_FORM,
            (ngx_commerce_source_t *) field);
    }

    return ngx_commerce_invalid(cf, word, kind->allowed);
}


static char *
ngx_commerce_notice_pointer(ngx_conf_t *cf, ngx_str_t *word, ngx_str_t *s, commerce_str_t *pointer)
{
    *pointer = ngx_commerce_str(*s);

    if (pointer->len == 0 || !commerce_json_pointer_valid(*pointer)) {
        return ngx_commerce_invalid(cf, word, "a JSON pointer such as /member/0/member");
    }

    return NGX_CONF_OK;
}


static char *
ngx_commerce_notice_complete(ngx_commerce_notice_conf_t *nc)
{
    if (nc->id.type && nc->key.type) {
        return "needs either id= or key=";
    }

    if (nc->step == COMMERCE_STEP_PAID) {

        if (nc->id.type == 0 && nc->key.type == 0 && nc->payment.type == 0) {
            return "needs either id= or key=, or payment=";
        }

        if (nc->amount.type && nc->payment.type == 0 && nc->transaction.type == 0) {
            return "needs payment= or transaction= with amount=: a repeated notice would pay again";
        }

        return NGX_CONF_OK;
    }

    if (nc->id.type == 0 && nc->key.type == 0 && nc->payment.type == 0 && nc->transaction.type == 0) {
        return "needs either id= or key=, or payment= or transaction=";
    }

    if (nc->step != COMMERCE_STEP_REFUNDED) {
        return NGX_CONF_OK;
    }

    if (nc->refund.type == 0) {
        return "needs refund=, the refund's number";
    }

    if (nc->lines.data && ((nc->line_sku.data == NULL) == (nc->line_number.data == NULL)
                           || nc->line_amount.data == NULL))
    {
        return "needs line_amount= and either line_sku= or line_number= with lines=";
    }

    if (nc->lines.data == NULL
        && (nc->line_sku.data || nc->line_number.data || nc->line_amount.data || nc->line_quantity.data))
    {
        return "needs lines= with line_...=";
    }

    return NGX_CONF_OK;
}
