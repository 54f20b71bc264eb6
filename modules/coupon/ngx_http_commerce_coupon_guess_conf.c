/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_coupon_guess: the limits, and their defaults where nobody wrote any.
 */

#include "ngx_http_commerce_coupon_guess.h"


static char *ngx_http_commerce_guess_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_http_commerce_guess_conf_t *gcf);
static char *ngx_http_commerce_guess_rate(ngx_conf_t *cf, ngx_str_t *word, size_t prefix,
    commerce_rate_t *rate);
static char *ngx_http_commerce_guess_size(ngx_conf_t *cf, ngx_str_t *word, size_t *size);


/* what a buyer mistypes in a minute passes; what a carrier's whole gateway mistypes, too */

static const commerce_guess_limits_t  ngx_http_commerce_guess_limits = {
    .rates = {
        [COMMERCE_GUESS_USER]     = { 5, 60000 },
        [COMMERCE_GUESS_SESSION]  = { 5, 60000 },
        [COMMERCE_GUESS_ADDRESS]  = { 60, 60000 },
        [COMMERCE_GUESS_CAMPAIGN] = { 300, 60000 },
        [COMMERCE_GUESS_BREAKER]  = { 1000, 60000 },
        [COMMERCE_GUESS_SOFT]     = { 20, 60000 }
    }
};


void
ngx_http_commerce_guess_create(ngx_http_commerce_guess_conf_t *gcf)
{
    gcf->limits = ngx_http_commerce_guess_limits;
    gcf->size = NGX_HTTP_COMMERCE_GUESS_ZONE;
}


void
ngx_http_commerce_guess_needed(ngx_conf_t *cf)
{
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_commerce_coupon_module);
    mcf->guess.needed = 1;
}


char *
ngx_http_commerce_guess_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_commerce_guess_conf_t  *gcf;

    gcf = &((ngx_http_commerce_coupon_main_conf_t *) conf)->guess;

    ngx_http_commerce_coupon_core->note(cf);

    if (gcf->set) {
        return "is duplicate";
    }

    gcf->set = 1;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gcf->off = 1;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_commerce_guess_word(cf, &value[i], gcf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_guess_word(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_guess_conf_t *gcf)
{
    size_t       n;
    ngx_str_t    source;
    ngx_uint_t   kind;
    const char  *name;

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        name = commerce_guess_kind_name(kind);
        n = ngx_strlen(name);

        if (word->len > n && ngx_strncmp(word->data, name, n) == 0 && word->data[n] == '=') {
            return ngx_http_commerce_guess_rate(cf, word, n + 1, &gcf->limits.rates[kind]);
        }
    }

    if (ngx_strncmp(word->data, "zone=", 5) == 0) {
        return ngx_http_commerce_guess_size(cf, word, &gcf->size);
    }

    if (ngx_strncmp(word->data, "session_key=", 12) == 0 && word->len > 12 && gcf->session.type == 0) {
        source.data = word->data + 12;
        source.len = word->len - 12;

        return ngx_http_commerce_coupon_core->source(cf, &source, NGX_COMMERCE_SOURCE_VALUE, &gcf->session);
    }

    return ngx_http_commerce_coupon_core->invalid(cf, word,
               "off, or zone=size, user=, address=, session=, campaign=, breaker=, soft= with a rate such as "
               "5/1m or off, session_key=text with variables");
}


static char *
ngx_http_commerce_guess_rate(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_rate_t *rate)
{
    time_t      seconds;
    u_char     *p, *last;
    ngx_int_t   n;
    ngx_str_t   s;

    last = word->data + word->len;

    if (ngx_strcmp(word->data + prefix, "off") == 0) {
        rate->limit = 0;
        return NGX_CONF_OK;
    }

    p = ngx_strlchr(word->data + prefix, last, '/');

    if (p != NULL) {
        n = ngx_atoi(word->data + prefix, p - word->data - prefix);
        s.data = p + 1;
        s.len = last - s.data;
        seconds = s.len ? ngx_parse_time(&s, 1) : NGX_ERROR;

        if (n > 0 && n <= COMMERCE_WINDOW_LIMIT
            && seconds > 0 && seconds <= COMMERCE_WINDOW_PERIOD / 1000)
        {
            rate->limit = (uint32_t) n;
            rate->period = (uint32_t) seconds * 1000;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_commerce_coupon_core->invalid(cf, word,
               "a rate such as 5/1m (1..1000000 failures in 1s..1d), or off");
}


static char *
ngx_http_commerce_guess_size(ngx_conf_t *cf, ngx_str_t *word, size_t *size)
{
    off_t      n;
    ngx_str_t  s;

    s.data = word->data + 5;
    s.len = word->len - 5;
    n = s.len ? ngx_parse_offset(&s) : NGX_ERROR;

    if (n == NGX_ERROR || n < 65536 || n > 16LL * 1024 * 1024 * 1024) {
        return ngx_http_commerce_coupon_core->invalid(cf, word, "zone=64k..16g, for example zone=10m");
    }

    *size = (size_t) n;

    return NGX_CONF_OK;
}
