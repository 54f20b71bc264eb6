/*
 * Copyright (C) ngx_commerce authors
 *
 * Facts of a request: text with variables, members of its JSON body, fields of its form.
 */

#include "ngx_commerce_core.h"


static ngx_uint_t ngx_commerce_source_variable(ngx_str_t *word);
static char *ngx_commerce_source_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix,
    ngx_uint_t type, ngx_commerce_source_t *source);
static ngx_uint_t ngx_commerce_argument_repeated(ngx_http_request_t *r, ngx_str_t *name);
static commerce_reason_t ngx_commerce_body_typed(ngx_str_t *type, const char *name, size_t len);
static commerce_reason_t ngx_commerce_body_text(ngx_http_request_t *r, size_t limit, commerce_str_t *text);


char *
ngx_commerce_source_compile(ngx_conf_t *cf, ngx_str_t *word, ngx_uint_t allowed,
    ngx_commerce_source_t *source)
{
    ngx_str_t                          name;
    ngx_commerce_loc_conf_t           *lcf;
    ngx_http_compile_complex_value_t   ccv;

    if (word->len >= 5 && ngx_strncmp(word->data, "json:", 5) == 0) {

        if (!(allowed & NGX_COMMERCE_SOURCE_BODY)) {
            goto refused;
        }

        lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);
        lcf->uses_body = 1;

        return ngx_commerce_source_pointer(cf, word, 5, NGX_COMMERCE_SOURCE_BODY, source);
    }

    if (word->len >= 5 && ngx_strncmp(word->data, "form:", 5) == 0) {

        if (!(allowed & NGX_COMMERCE_SOURCE_FORM)) {
            goto refused;
        }

        if (word->len == 5) {
            return ngx_commerce_invalid(cf, word, "form:NAME with the name of a field");
        }

        lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);
        lcf->uses_form = 1;

        source->type = NGX_COMMERCE_SOURCE_FORM;
        source->pointer.data = (char *) word->data + 5;
        source->pointer.len = word->len - 5;

        return NGX_CONF_OK;
    }

    if (word->len >= 9 && ngx_strncmp(word->data, "response:", 9) == 0) {

        if (!(allowed & NGX_COMMERCE_SOURCE_RESPONSE)) {
            goto refused;
        }

        return ngx_commerce_source_pointer(cf, word, 9, NGX_COMMERCE_SOURCE_RESPONSE, source);
    }

    if (!(allowed & NGX_COMMERCE_SOURCE_VALUE)) {
        goto refused;
    }

    source->type = NGX_COMMERCE_SOURCE_VALUE;

    if (ngx_commerce_source_variable(word)) {
        name.data = word->data + 1;
        name.len = word->len - 1;

        source->index = ngx_http_get_variable_index(cf, &name);
        if (source->index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

    } else {
        source->value = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (source->value == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = word;
        ccv.complex_value = source->value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (word->len > 5 && ngx_strncmp(word->data, "$arg_", 5) == 0) {
        source->argument.data = word->data + 5;
        source->argument.len = word->len - 5;
    }

    return NGX_CONF_OK;

refused:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid source \"%V\" in \"%V\", allowed here:%s%s%s%s", word,
                       &((ngx_str_t *) cf->args->elts)[0],
                       (allowed & NGX_COMMERCE_SOURCE_VALUE) ? " text with $variables" : "",
                       (allowed & NGX_COMMERCE_SOURCE_BODY) ? " json:/pointer" : "",
                       (allowed & NGX_COMMERCE_SOURCE_FORM) ? " form:NAME" : "",
                       (allowed & NGX_COMMERCE_SOURCE_RESPONSE) ? " response:/pointer" : "");
    return NGX_CONF_ERROR;
}


static char *
ngx_commerce_source_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_uint_t type,
    ngx_commerce_source_t *source)
{
    source->type = type;
    source->pointer.data = (char *) word->data + prefix;
    source->pointer.len = word->len - prefix;

    if (source->pointer.len == 0 || !commerce_json_pointer_valid(source->pointer)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON pointer in \"%V\", it looks like /member/0/member", word);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "$name" alone: read without a script, and without a copy */

static ngx_uint_t
ngx_commerce_source_variable(ngx_str_t *word)
{
    u_char      ch;
    ngx_uint_t  i;

    if (word->len < 2 || word->data[0] != '$' || (word->data[1] >= '0' && word->data[1] <= '9')) {
        return 0;
    }

    for (i = 1; i < word->len; i++) {
        ch = word->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9')
              || ch == '_'))
        {
            return 0;
        }
    }

    return 1;
}


commerce_reason_t
ngx_commerce_source_read(ngx_commerce_case_t *c, ngx_commerce_source_t *source, commerce_str_t *value)
{
    ngx_str_t                   text;
    commerce_json_t            *node;
    commerce_reason_t           reason;
    const commerce_str_t       *field;
    ngx_http_variable_value_t  *vv;

    value->data = NULL;
    value->len = 0;

    if (source->type == NGX_COMMERCE_SOURCE_VALUE) {

        if (source->argument.len && ngx_commerce_argument_repeated(c->request, &source->argument)) {
            return COMMERCE_R(TOKEN_DUPLICATE_PARAM);
        }

        if (source->value == NULL) {
            vv = ngx_http_get_flushed_variable(c->request, source->index);

            if (vv && !vv->not_found) {
                value->data = (char *) vv->data;
                value->len = vv->len;
            }

            return COMMERCE_R(OK);
        }

        if (ngx_http_complex_value(c->request, source->value, &text) != NGX_OK) {
            return COMMERCE_R(INTERNAL);
        }

        *value = ngx_commerce_str(text);
        return COMMERCE_R(OK);
    }

    if (source->type == NGX_COMMERCE_SOURCE_FORM && c->form) {
        field = commerce_form_find(c->form, source->pointer);

        if (field) {
            *value = *field;
        }
    }

    if (source->type != NGX_COMMERCE_SOURCE_BODY || c->body == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(c->body, source->pointer, &node);

    if (reason != COMMERCE_R(OK) || node == NULL) {
        return reason;
    }

    return commerce_json_text(node, value);
}


/* as ngx_http_arg() finds the first one: names match without regard to case */

static ngx_uint_t
ngx_commerce_argument_repeated(ngx_http_request_t *r, ngx_str_t *name)
{
    u_char      *p, *last;
    ngx_uint_t   found;

    found = 0;
    p = r->args.data;
    last = p + r->args.len;

    while (p < last) {

        if ((size_t) (last - p) > name->len
            && p[name->len] == '='
            && ngx_strncasecmp(p, name->data, name->len) == 0
            && ++found > 1)
        {
            return 1;
        }

        p = ngx_strlchr(p, last, '&');
        if (p == NULL) {
            break;
        }

        p++;
    }

    return 0;
}


/* may this body be read at all?  Judged by its header, before a byte of it is taken */

commerce_reason_t
ngx_commerce_body_check(ngx_http_request_t *r, size_t limit, ngx_commerce_body_e kind)
{
    ngx_uint_t        i, types;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;
    commerce_reason_t  reason;

    if (r->headers_in.content_length_n > (off_t) limit) {
        return COMMERCE_R(BODY_TOO_LARGE);
    }

    if (kind == NGX_COMMERCE_BODY_ANY || (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked)) {
        return COMMERCE_R(OK);
    }

    if (r->headers_in.content_type == NULL) {
        return COMMERCE_R(BODY_TYPE);
    }

    reason = kind == NGX_COMMERCE_BODY_FORM
             ? ngx_commerce_body_typed(&r->headers_in.content_type->value, "application/x-www-form-urlencoded",
                                       sizeof("application/x-www-form-urlencoded") - 1)
             : ngx_commerce_body_typed(&r->headers_in.content_type->value, "application/json",
                                       sizeof("application/json") - 1);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    /* a second type, or an encoding: some backend would read something else than we do */

    types = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            types += ngx_commerce_header_named(&h[i], "content-type", sizeof("content-type") - 1);

            if (types > 1
                || ngx_commerce_header_named(&h[i], "content-encoding", sizeof("content-encoding") - 1))
            {
                return COMMERCE_R(BODY_TYPE);
            }
        }
    }

    return COMMERCE_R(OK);
}


/* this type; charset=utf-8 is the only parameter that says nothing new */

static commerce_reason_t
ngx_commerce_body_typed(ngx_str_t *type, const char *name, size_t len)
{
    size_t   n;
    u_char  *p, *end;

    if (type->len < len || ngx_strncasecmp(type->data, (u_char *) name, len) != 0) {
        return COMMERCE_R(BODY_TYPE);
    }

    for (p = type->data + len, end = type->data + type->len; p < end && *p == ' '; p++) { /* void */ }

    if (p < end && *p++ != ';') {
        return COMMERCE_R(BODY_TYPE);
    }

    while (p < end && (*p == ' ' || *p == ';')) {
        p++;
    }

    n = sizeof("charset=utf-8") - 1;

    if (p < end && ((size_t) (end - p) != n || ngx_strncasecmp(p, (u_char *) "charset=utf-8", n) != 0)) {
        return COMMERCE_R(BODY_TYPE);
    }

    return COMMERCE_R(OK);
}


/*
 * The body was read: its text is kept for the verdict's hash and for signatures, its tree or its fields for the
 * sources
 */

commerce_reason_t
ngx_commerce_body_parse(ngx_commerce_ctx_t *ctx, size_t limit, ngx_commerce_body_e kind)
{
    commerce_reason_t  reason;

    reason = ngx_commerce_body_text(ctx->c.request, limit, &ctx->body_text);

    if (reason != COMMERCE_R(OK) || ctx->body_text.len == 0 || kind == NGX_COMMERCE_BODY_ANY) {
        return reason;
    }

    if (kind == NGX_COMMERCE_BODY_FORM) {
        ctx->c.form = commerce_alloc(&ctx->c.arena, sizeof(commerce_form_t));

        return ctx->c.form ? commerce_form_parse(&ctx->c.arena, ctx->body_text, ctx->c.form)
                           : COMMERCE_R(INTERNAL);
    }

    return commerce_json_parse(&ctx->c.arena, ctx->body_text, &ctx->c.body);
}


static commerce_reason_t
ngx_commerce_body_text(ngx_http_request_t *r, size_t limit, commerce_str_t *text)
{
    u_char       *p;
    size_t        len, size;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    text->data = NULL;
    text->len = 0;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return COMMERCE_R(OK);
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);

        if (len > limit) {
            return COMMERCE_R(BODY_TOO_LARGE);
        }
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && !cl->buf->in_file) {
        text->data = (char *) cl->buf->pos;
        text->len = len;
        return COMMERCE_R(OK);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    text->data = (char *) p;
    text->len = len;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (size == 0) {
            continue;               /* the mark of a chunked body's end */
        }

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        n = ngx_read_file(b->file, p, size, b->file_pos);
        if (n != (ssize_t) size) {
            return COMMERCE_R(INTERNAL);
        }

        p += n;
    }

    return COMMERCE_R(OK);
}
