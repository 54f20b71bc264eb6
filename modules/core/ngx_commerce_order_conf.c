/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_order, commerce_order_line, commerce_order_success.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_FREEZE_MAX  (10 * 366 * 86400L)


static char *ngx_commerce_order_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc);


/* configuration */

ngx_commerce_order_conf_t *
ngx_commerce_order_conf(ngx_conf_t *cf, ngx_commerce_loc_conf_t *lcf)
{
    if (lcf->order == NULL) {
        lcf->order = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_order_conf_t));
        if (lcf->order == NULL) {
            return NULL;
        }

        ngx_commerce_place(cf, &lcf->order_place);
        ngx_commerce_place(cf, &lcf->needs_shop);

        lcf->order->unit = COMMERCE_UNIT_FEN;
        lcf->order->in_flight = 75;
        lcf->order->body = 65536;
        lcf->order->answer = NGX_COMMERCE_ANSWER_MAX;
        lcf->order->cart_wait = 2000;
        lcf->order->success_status = NGX_HTTP_OK;
    }

    return lcf->order;
}


char *
ngx_commerce_order_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->order_set) {
        return "is duplicate";
    }

    oc->order_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_commerce_order_param(cf, &value[i], oc);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (oc->key.type == 0) {
        return "needs key=, for example key=$http_idempotency_key or key=json:/client_key";
    }

    oc->parses_body |= (oc->key.type == NGX_COMMERCE_SOURCE_BODY || (oc->lines.data && !oc->lines_answered));

    return NGX_CONF_OK;
}


static char *
ngx_commerce_order_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc)
{
    ssize_t    size;
    ngx_str_t  s;

    if (ngx_strncmp(word->data, "key=", 4) == 0) {
        s.data = word->data + 4;
        s.len = word->len - 4;
        return ngx_commerce_source_compile(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                           &oc->key);
    }

    if (ngx_strncmp(word->data, "lines=json:", 11) == 0) {
        return ngx_commerce_order_pointer(cf, word, 11, &oc->lines);
    }

    if (ngx_strncmp(word->data, "lines=response:", 15) == 0) {
        oc->lines_answered = 1;
        return ngx_commerce_order_pointer(cf, word, 15, &oc->lines);
    }

    if (ngx_strcmp(word->data, "scope=user") == 0) {
        oc->shop_key = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "scope=shop") == 0) {
        oc->shop_key = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "id=response:", 12) == 0) {
        return ngx_commerce_order_pointer(cf, word, 12, &oc->id);
    }

    if (ngx_strncmp(word->data, "payment=response:", 17) == 0) {
        return ngx_commerce_order_pointer(cf, word, 17, &oc->payment);
    }

    if (ngx_strncmp(word->data, "payable=response:", 17) == 0) {
        return ngx_commerce_order_pointer(cf, word, 17, &oc->payable);
    }

    if (ngx_strncmp(word->data, "freight=response:", 17) == 0) {
        return ngx_commerce_order_pointer(cf, word, 17, &oc->freight);
    }

    if (ngx_strcmp(word->data, "unit=fen") == 0) {
        oc->unit = COMMERCE_UNIT_FEN;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "unit=yuan") == 0) {
        oc->unit = COMMERCE_UNIT_YUAN;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "in_flight=", 10) == 0) {
        s.data = word->data + 10;
        s.len = word->len - 10;
        oc->in_flight = ngx_parse_time(&s, 1);

        if (oc->in_flight != (time_t) NGX_ERROR && oc->in_flight > 0 && oc->in_flight <= 86400) {
            return NGX_CONF_OK;
        }
    }

    if (ngx_strncmp(word->data, "body=", 5) == 0 || ngx_strncmp(word->data, "answer=", 7) == 0) {
        s.data = (u_char *) ngx_strchr(word->data, '=') + 1;
        s.len = word->data + word->len - s.data;
        size = ngx_parse_size(&s);

        if (size != NGX_ERROR && size >= 1024 && size <= 1048576) {
            *(word->data[0] == 'b' ? &oc->body : &oc->answer) = (size_t) size;
            return NGX_CONF_OK;
        }
    }

    return ngx_commerce_invalid(cf, word,
        "key=, lines=json:/p, lines=response:/p, id=response:/p, payment=response:/p, payable=response:/p, "
        "freight=response:/p, scope=user|shop, unit=fen|yuan, in_flight=time (up to 1d), body=size (1k to 1m), "
        "answer=size (1k to 1m)");
}


char *
ngx_commerce_order_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *pointer)
{
    pointer->data = (char *) word->data + prefix;
    pointer->len = word->len - prefix;

    if (pointer->len == 0 || !commerce_json_pointer_valid(*pointer)) {
        return ngx_commerce_invalid(cf, word, "a JSON pointer such as /member/0/member");
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_line_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    size_t                      prefix;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    commerce_str_t             *pointer;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->line_set) {
        return "is duplicate";
    }

    oc->line_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "id=", 3) == 0) {
            pointer = &oc->line_id;
            prefix = 3;

        } else if (ngx_strncmp(value[i].data, "qty=", 4) == 0) {
            pointer = &oc->line_quantity;
            prefix = 4;

        } else if (ngx_strncmp(value[i].data, "price=", 6) == 0) {
            pointer = &oc->line_price;
            prefix = 6;

        } else if (ngx_strncmp(value[i].data, "amount=", 7) == 0) {
            pointer = &oc->line_amount;
            prefix = 7;

        } else if (ngx_strncmp(value[i].data, "category=", 9) == 0) {
            pointer = &oc->line_category;
            prefix = 9;

        } else {
            return ngx_commerce_invalid(cf, &value[i], "id=/p, qty=/p, price=/p, amount=/p or category=/p");
        }

        rv = ngx_commerce_order_pointer(cf, &value[i], prefix, pointer);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (oc->line_id.data == NULL) {
        return "needs id=/pointer";
    }

    if (oc->line_price.data && oc->line_amount.data) {
        return "takes price= (of one piece) or amount= (of the line), not both";
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_success_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->success_set) {
        return "is duplicate";
    }

    oc->success_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_commerce_order_success_param(cf, &value[i], oc) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_commerce_order_success_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc)
{
    u_char     *colon;
    ngx_int_t   status;

    if (ngx_strncmp(word->data, "status=", 7) == 0) {
        status = ngx_atoi(word->data + 7, word->len - 7);

        if (status >= 200 && status <= 299) {
            oc->success_status = (ngx_uint_t) status;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(word->data, "json=", 5) == 0) {
        colon = (u_char *) ngx_strchr(word->data, ':');

        if (colon) {
            oc->success_pointer.data = (char *) word->data + 5;
            oc->success_pointer.len = colon - word->data - 5;
            oc->success_word.data = (char *) colon + 1;
            oc->success_word.len = word->data + word->len - colon - 1;

            if (oc->success_pointer.len && commerce_json_pointer_valid(oc->success_pointer)) {
                return NGX_CONF_OK;
            }
        }
    }

    return ngx_commerce_invalid(cf, word, "status=200..299, json=/pointer:word");
}


char *
ngx_commerce_order_freeze_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->freeze != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->freeze = 0;
        return NGX_CONF_OK;
    }

    lcf->freeze = ngx_parse_time(&value[1], 1);

    if (lcf->freeze == (time_t) NGX_ERROR || lcf->freeze == 0 || lcf->freeze > NGX_COMMERCE_FREEZE_MAX) {
        return ngx_commerce_invalid(cf, &value[1], "off, or time from payment to the freeze date (up to 10y)");
    }

    return NGX_CONF_OK;
}
