/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_touch: where a touch stands in the request, and what it may do.
 */

#include "ngx_http_commerce_attribution.h"


#define NGX_HTTP_COMMERCE_NAMED  (NGX_HTTP_COMMERCE_ATTESTED|NGX_HTTP_COMMERCE_TEXT)

/* which parameters a type takes, besides lookback=, field=, origin= and platform= */
#define NGX_HTTP_COMMERCE_ATTESTED  1       /* attested */
#define NGX_HTTP_COMMERCE_TEXT      2       /* pattern=, member=, decode */
#define NGX_HTTP_COMMERCE_AS        4       /* as= */
#define NGX_HTTP_COMMERCE_EFFECT    8       /* binds, wins */


static char *ngx_http_commerce_touch_param(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc);
static ngx_int_t ngx_http_commerce_touch_flag(ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc);
static char *ngx_http_commerce_touch_pattern(ngx_conf_t *cf, ngx_str_t *word, commerce_str_t text,
    ngx_http_commerce_touch_conf_t *tc);
static void ngx_http_commerce_touch_cleanup(void *data);
static ngx_uint_t ngx_http_commerce_param(ngx_str_t *word, const char *name, commerce_str_t *value);
static char *ngx_http_commerce_touch_refuse(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc);


static struct {
    ngx_str_t     name;
    ngx_uint_t    params;
    char         *allowed;
} ngx_http_commerce_touch_types[NGX_HTTP_COMMERCE_TOUCHES] = {
    { ngx_string("share"), NGX_HTTP_COMMERCE_TEXT,
      "lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
    { ngx_string("live_room"), NGX_HTTP_COMMERCE_NAMED,
      "attested, lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
    { ngx_string("sharer"), NGX_HTTP_COMMERCE_NAMED|NGX_HTTP_COMMERCE_AS,
      "attested, as=prefix, lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
    { ngx_string("group"), NGX_HTTP_COMMERCE_NAMED,
      "attested, lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
    { ngx_string("channel"), NGX_HTTP_COMMERCE_NAMED,
      "attested, lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
    { ngx_string("plain"), NGX_HTTP_COMMERCE_TEXT|NGX_HTTP_COMMERCE_AS|NGX_HTTP_COMMERCE_EFFECT,
      "wins, binds, as=prefix, lookback=time, decode, member=name, pattern=regex, field=, origin=, platform=" },
};


char *
ngx_http_commerce_touch_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                  *rv;
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    ngx_http_commerce_touch_conf_t        *tc;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->touches == NULL) {
        acf->touches = ngx_array_create(cf->pool, 4, sizeof(ngx_http_commerce_touch_conf_t));
        if (acf->touches == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (acf->touches->nelts == COMMERCE_TOUCHES_MAX) {
        return "is given more than 8 times";
    }

    tc = ngx_array_push(acf->touches);
    if (tc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(tc, sizeof(ngx_http_commerce_touch_conf_t));
    value = cf->args->elts;

    for (i = 0; i < NGX_HTTP_COMMERCE_TOUCHES; i++) {
        if (ngx_strcmp(value[1].data, ngx_http_commerce_touch_types[i].name.data) == 0) {
            break;
        }
    }

    if (i == NGX_HTTP_COMMERCE_TOUCHES) {
        return ngx_http_commerce_core->invalid(cf, &value[1], "share, live_room, sharer, group, channel, plain");
    }

    tc->type = i;
    tc->binds = (i != NGX_HTTP_COMMERCE_TOUCH_PLAIN);
    tc->wins = tc->binds;

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_commerce_touch_param(cf, &value[i], tc);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_commerce_core->source(cf, &value[2], NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                          &tc->source);
}


static char *
ngx_http_commerce_touch_param(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc)
{
    ngx_str_t       s;
    ngx_uint_t      params;
    commerce_str_t  value;

    params = ngx_http_commerce_touch_types[tc->type].params;

    if (ngx_http_commerce_touch_flag(word, tc) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_http_commerce_param(word, "lookback=", &value)) {
        s.data = (u_char *) value.data;
        s.len = value.len;
        tc->lookback = ngx_parse_time(&s, 1);

        if (tc->lookback != (time_t) NGX_ERROR && tc->lookback > 0) {
            return NGX_CONF_OK;
        }

        return ngx_http_commerce_touch_refuse(cf, word, tc);
    }

    if (ngx_http_commerce_param(word, "field=", &value)) {
        return commerce_field_parse(value, &tc->field) == COMMERCE_OK ? NGX_CONF_OK
               : ngx_http_commerce_core->invalid(cf, word,
                     "field=offline|public_commerce|social_media|private|message");
    }

    if (ngx_http_commerce_param(word, "origin=", &value)) {
        return commerce_origin_parse(value, &tc->origin) == COMMERCE_OK ? NGX_CONF_OK
               : ngx_http_commerce_core->invalid(cf, word, "origin=public|private");
    }

    if (ngx_http_commerce_param(word, "platform=", &value) && commerce_id_valid(value)) {
        tc->platform = value;
        return NGX_CONF_OK;
    }

    if ((params & NGX_HTTP_COMMERCE_AS) && ngx_http_commerce_param(word, "as=", &value)
        && commerce_id_valid(value))
    {
        tc->as = value;
        return NGX_CONF_OK;
    }

    if (ngx_http_commerce_param(word, "member=", &value)) {
        tc->member = value;
        return NGX_CONF_OK;
    }

    if (ngx_http_commerce_param(word, "pattern=", &value)) {
        return ngx_http_commerce_touch_pattern(cf, word, value, tc);
    }

    return ngx_http_commerce_touch_refuse(cf, word, tc);
}


static ngx_int_t
ngx_http_commerce_touch_flag(ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc)
{
    ngx_uint_t  params;

    params = ngx_http_commerce_touch_types[tc->type].params;

    if ((params & NGX_HTTP_COMMERCE_ATTESTED) && ngx_strcmp(word->data, "attested") == 0) {
        tc->attested = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(word->data, "decode") == 0) {
        tc->decode = 1;
        return NGX_OK;
    }

    if ((params & NGX_HTTP_COMMERCE_EFFECT) && ngx_strcmp(word->data, "wins") == 0) {
        tc->wins = 1;
        return NGX_OK;
    }

    if ((params & NGX_HTTP_COMMERCE_EFFECT) && ngx_strcmp(word->data, "binds") == 0) {
        tc->binds = 1;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static char *
ngx_http_commerce_touch_pattern(ngx_conf_t *cf, ngx_str_t *word, commerce_str_t text,
    ngx_http_commerce_touch_conf_t *tc)
{
    char                 error[NGX_MAX_CONF_ERRSTR];
    ngx_pool_cleanup_t  *cln;

    if (tc->pattern || text.len == 0) {
        return ngx_http_commerce_touch_refuse(cf, word, tc);
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (commerce_pattern_compile(text, &tc->pattern, error, sizeof(error)) != COMMERCE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"commerce_touch\": %s", word, error);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_commerce_touch_cleanup;
    cln->data = tc->pattern;

    return NGX_CONF_OK;
}


static void
ngx_http_commerce_touch_cleanup(void *data)
{
    commerce_pattern_free(data);
}


static ngx_uint_t
ngx_http_commerce_param(ngx_str_t *word, const char *name, commerce_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (word->len <= len || ngx_strncmp(word->data, name, len) != 0) {
        return 0;
    }

    value->data = (char *) word->data + len;
    value->len = word->len - len;

    return 1;
}


static char *
ngx_http_commerce_touch_refuse(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_touch_conf_t *tc)
{
    return ngx_http_commerce_core->invalid(cf, word, ngx_http_commerce_touch_types[tc->type].allowed);
}
