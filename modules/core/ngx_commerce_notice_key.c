/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_notice_key: who may send notices.  The signature's bytes: src/commerce_signature.h.
 */

#include "ngx_commerce_notice.h"
#include "../../src/commerce_signature.h"


#define NGX_COMMERCE_NOTICE_KEY_FILE  4096      /* bytes */


struct ngx_commerce_notice_key_s {
    commerce_secrets_t      secrets;
    commerce_str_t          sign, timestamp;    /* names of a form's fields */
    time_t                  skew;
};


static char *ngx_commerce_notice_key_read(ngx_conf_t *cf, ngx_str_t *name, commerce_secrets_t *secrets);
static commerce_str_t ngx_commerce_notice_header(ngx_http_request_t *r, const char *name, size_t len);


/*
 * Forms carry signature and timestamp as fields, other bodies as headers.  A second header, or one of several
 * values, is no signature.
 */

commerce_reason_t
ngx_commerce_notice_signed(ngx_commerce_case_t *c, commerce_str_t name)
{
    uint64_t                    seconds;
    commerce_str_t              sign, timestamp, payload, text;
    const commerce_str_t       *field;
    ngx_http_request_t         *r;
    ngx_commerce_ctx_t         *ctx;
    ngx_commerce_notice_key_t  *key;

    r = c->request;
    ctx = ngx_commerce_get_ctx(r);
    key = ctx->conf->notice_key;

    if (key == NULL) {
        return COMMERCE_R(OK);
    }

    if (ctx->conf->uses_form) {

        if (c->form == NULL) {
            return COMMERCE_R(NOTICE_BAD_SIGNATURE);
        }

        field = commerce_form_find(c->form, key->sign);
        sign = field ? *field : commerce_string("");

        field = commerce_form_find(c->form, key->timestamp);
        timestamp = field ? *field : commerce_string("");

        payload = commerce_form_canonical(&c->arena, c->form, key->sign);
        if (payload.data == NULL) {
            return COMMERCE_R(INTERNAL);
        }

    } else {
        sign = ngx_commerce_notice_header(r, "notice-signature", sizeof("notice-signature") - 1);
        timestamp = ngx_commerce_notice_header(r, "notice-timestamp", sizeof("notice-timestamp") - 1);
        payload = ctx->body_text;
    }

    text = commerce_signature_text(&c->arena, c->shop, name, ngx_commerce_str(r->args), timestamp, payload);
    if (text.data == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    /* the signature first: only whoever has a key is told that his clock is wrong */

    if (!commerce_signature_verify(&key->secrets, text, sign)) {
        return COMMERCE_R(NOTICE_BAD_SIGNATURE);
    }

    if (commerce_parse_uint(timestamp, INT64_MAX / 2, &seconds) != COMMERCE_OK
        || (int64_t) seconds > c->now + key->skew || (int64_t) seconds < c->now - key->skew)
    {
        return COMMERCE_R(CLOCK_SKEW);
    }

    return COMMERCE_R(OK);
}


static commerce_str_t
ngx_commerce_notice_header(ngx_http_request_t *r, const char *name, size_t len)
{
    ngx_uint_t        i, n;
    commerce_str_t    value;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    value = commerce_string("");

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_commerce_header_named(&h[i], name, len)) {
                value = ngx_commerce_str(h[i].value);
                n++;
            }
        }
    }

    return n == 1 ? value : commerce_string("");
}


char *
ngx_commerce_notice_key_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value, s;
    ngx_uint_t                  i;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_notice_key_t  *key;

    ngx_commerce_note(cf);

    if (lcf->notice_key != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lcf->notice_key = NULL;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    key = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_notice_key_t));
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    lcf->notice_key = key;

    key->sign = commerce_string("sign");
    key->timestamp = commerce_string("timestamp");
    key->skew = 300;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "sign=", 5) == 0 && value[i].len > 5) {
            key->sign = (commerce_str_t) { (char *) value[i].data + 5, value[i].len - 5 };
            continue;
        }

        if (ngx_strncmp(value[i].data, "timestamp=", 10) == 0 && value[i].len > 10) {
            key->timestamp = (commerce_str_t) { (char *) value[i].data + 10, value[i].len - 10 };
            continue;
        }

        if (ngx_strncmp(value[i].data, "skew=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;
            key->skew = ngx_parse_time(&s, 1);

            if (key->skew != (time_t) NGX_ERROR && key->skew > 0 && key->skew <= 604800) {
                continue;
            }
        }

        return ngx_commerce_invalid(cf, &value[i], "sign=NAME, timestamp=NAME, skew=time (up to 7d)");
    }

    rv = ngx_commerce_notice_key_read(cf, &value[1], &key->secrets);

    return rv;
}


static char *
ngx_commerce_notice_key_read(ngx_conf_t *cf, ngx_str_t *name, commerce_secrets_t *secrets)
{
    char             error[128];
    u_char           text[NGX_COMMERCE_NOTICE_KEY_FILE + 1];
    ssize_t          n;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, ngx_open_file_n " \"%V\" failed", name);
        return NGX_CONF_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a regular file", name);

    } else if (ngx_file_access(&fi) & 077) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has mode 0%ui%ui%ui: its group and others must have no access (chmod 600)",
                           name, (ngx_uint_t) (fi.st_mode >> 6 & 7), (ngx_uint_t) (fi.st_mode >> 3 & 7),
                           (ngx_uint_t) (fi.st_mode & 7));

    } else {
        n = ngx_read_file(&file, text, sizeof(text), 0);
    }

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno, ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (n > NGX_COMMERCE_NOTICE_KEY_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is longer than %d bytes", name,
                           NGX_COMMERCE_NOTICE_KEY_FILE);
        return NGX_CONF_ERROR;
    }

    if (commerce_secrets_parse((commerce_str_t) { (char *) text, (size_t) n }, secrets, error, sizeof(error))
        != COMMERCE_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", name, error);
        return NGX_CONF_ERROR;
    }

    ngx_explicit_memzero(text, sizeof(text));

    return NGX_CONF_OK;
}
