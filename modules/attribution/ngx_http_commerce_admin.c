/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_admin: records of the directory, one by one: GET, PUT and DELETE of <location>/<kind>/<id>.
 *
 * The ETag is a hash of the record's text and not the store's version of it, which is known only once the record is
 * written: so the answer to a PUT has the one that the next PUT needs.  What the client saw is what the transaction
 * compares: the record's version as it was read for this request.
 */

#include "ngx_http_commerce_attribution.h"
#include "../../src/commerce_directory_put.h"


#define NGX_HTTP_COMMERCE_ADMIN_ERRORS  8192        /* bytes of the sentences of a refusal */


typedef struct {
    ngx_str_t                    prefix;            /* the location's */
    commerce_tiers_t             tiers;
    ngx_commerce_source_t        by;
    ngx_commerce_source_t        body;              /* never read: it makes the core parse the body */
    unsigned                     any:1;
    unsigned                     from_set:1;
    unsigned                     tiers_set:1;
} ngx_http_commerce_admin_conf_t;

typedef struct {                                    /* one evaluation */
    ngx_commerce_case_t              *c;
    ngx_http_commerce_admin_conf_t   *conf;
    commerce_directory_kind_t         kind;
    commerce_str_t                    id;
    commerce_str_t                    before;       /* the record's text; empty: there is none */
    commerce_str_t                    etag;         /* ... and its hash */
    commerce_write_t                  errors;
    ngx_uint_t                        nerrors;
} ngx_http_commerce_admin_t;


static commerce_reason_t ngx_http_commerce_admin(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_admin_place(ngx_http_commerce_admin_t *a);
static commerce_reason_t ngx_http_commerce_admin_read(ngx_http_commerce_admin_t *a);
static commerce_reason_t ngx_http_commerce_admin_condition(ngx_http_commerce_admin_t *a);
static ngx_uint_t ngx_http_commerce_admin_matches(ngx_http_commerce_admin_t *a, ngx_table_elt_t *h);
static commerce_reason_t ngx_http_commerce_admin_put(ngx_http_commerce_admin_t *a);
static commerce_reason_t ngx_http_commerce_admin_entry(ngx_http_commerce_admin_t *a,
    commerce_directory_entry_t *entry);
static commerce_reason_t ngx_http_commerce_admin_delete(ngx_http_commerce_admin_t *a);
static commerce_reason_t ngx_http_commerce_admin_failed(ngx_http_commerce_admin_t *a,
    commerce_directory_outcome_t outcome);
static void ngx_http_commerce_admin_say(void *data, const char *sentence);
static commerce_str_t ngx_http_commerce_admin_text(ngx_http_commerce_admin_t *a,
    const commerce_directory_entry_t *entry);
static commerce_reason_t ngx_http_commerce_admin_answer(ngx_http_commerce_admin_t *a, ngx_uint_t status,
    commerce_str_t text);
static commerce_reason_t ngx_http_commerce_admin_etag(ngx_http_commerce_admin_t *a, commerce_str_t text,
    commerce_str_t *etag);
static commerce_reason_t ngx_http_commerce_admin_tell(ngx_http_commerce_admin_t *a, const char *change,
    const commerce_directory_entry_t *entry, commerce_str_t after);
static void ngx_http_commerce_admin_members(commerce_write_t *w, commerce_str_t before, commerce_str_t after);
static ngx_uint_t ngx_http_commerce_admin_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value);
static char *ngx_http_commerce_admin_word(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_admin_conf_t *ac);


static commerce_reason_t
ngx_http_commerce_admin(ngx_commerce_case_t *c, void *conf)
{
    char                       *buffer;
    int64_t                     len;
    commerce_reason_t           reason;
    ngx_http_commerce_admin_t   a;

    ngx_memzero(&a, sizeof(ngx_http_commerce_admin_t));
    a.c = c;
    a.conf = conf;

    if (!a.conf->any && !ngx_commerce_local(c->request)) {
        return COMMERCE_R(ADMIN_NOT_LOCAL);
    }

    buffer = commerce_alloc(&c->arena, NGX_HTTP_COMMERCE_ADMIN_ERRORS);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&a.errors, buffer, NGX_HTTP_COMMERCE_ADMIN_ERRORS);
    commerce_write_open(&a.errors, NULL, '[');

    reason = ngx_http_commerce_admin_place(&a);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_admin_read(&a);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = c->request->method == NGX_HTTP_PUT ? ngx_http_commerce_admin_put(&a)
                 : c->request->method == NGX_HTTP_DELETE ? ngx_http_commerce_admin_delete(&a)
                 : a.before.len ? ngx_http_commerce_admin_answer(&a, NGX_HTTP_OK, a.before)
                 : COMMERCE_R(DIRECTORY_UNKNOWN);
    }

    commerce_write_close(&a.errors, ']');
    len = commerce_write_finish(&a.errors);

    if (a.nerrors && len > 0) {
        c->errors = (commerce_str_t) { buffer, (size_t) len };
    }

    return reason;
}


/* which record is meant: what of the path stands behind the location's */

static commerce_reason_t
ngx_http_commerce_admin_place(ngx_http_commerce_admin_t *a)
{
    u_char     *slash, *end;
    ngx_str_t  *uri, *prefix;

    uri = &a->c->request->uri;
    prefix = &a->conf->prefix;

    if (uri->len <= prefix->len) {
        return COMMERCE_R(DIRECTORY_UNKNOWN);
    }

    end = uri->data + uri->len;
    slash = ngx_strlchr(uri->data + prefix->len, end, '/');

    if (slash == NULL
        || commerce_directory_kind_parse((commerce_str_t) { (char *) uri->data + prefix->len,
                                                            slash - uri->data - prefix->len }, &a->kind)
           != COMMERCE_OK)
    {
        return COMMERCE_R(DIRECTORY_UNKNOWN);
    }

    a->id = (commerce_str_t) { (char *) slash + 1, end - slash - 1 };

    return commerce_id_valid(a->id) ? COMMERCE_R(OK) : COMMERCE_R(DIRECTORY_UNKNOWN);
}


static commerce_reason_t
ngx_http_commerce_admin_read(ngx_http_commerce_admin_t *a)
{
    int                         rc;
    commerce_directory_entry_t  entry;

    if (a->c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    rc = commerce_directory_entry_read(&a->c->reader, a->kind, a->id, &entry, NULL);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(OK);
    }

    if (rc != COMMERCE_OK) {
        ngx_log_error(NGX_LOG_ERR, a->c->request->connection->log, 0,
                      "commerce: a record of the directory cannot be read");
        return COMMERCE_R(INTERNAL);
    }

    a->before = ngx_http_commerce_admin_text(a, &entry);

    return a->before.len ? ngx_http_commerce_admin_etag(a, a->before, &a->etag) : COMMERCE_R(INTERNAL);
}


/* a change says what it changes: a record that is there as the client saw it, or one that is not there yet */

static commerce_reason_t
ngx_http_commerce_admin_condition(ngx_http_commerce_admin_t *a)
{
    ngx_table_elt_t     *match, *none;
    ngx_http_request_t  *r;

    r = a->c->request;
    match = r->headers_in.if_match;
    none = r->headers_in.if_none_match;

    r->disable_not_modified = 1;        /* nginx would compare the answer's ETag, which is the next one */

    if (match == NULL && none == NULL) {
        return COMMERCE_R(DIRECTORY_UNCONDITIONAL);
    }

    if ((match && (a->before.len == 0 || !ngx_http_commerce_admin_matches(a, match)))
        || (none && a->before.len && ngx_http_commerce_admin_matches(a, none)))
    {
        return COMMERCE_R(DIRECTORY_CHANGED);
    }

    return COMMERCE_R(OK);
}


/* "*", or one of a list; the mark of a weak one is nginx's own, that of its gzip filter */

static ngx_uint_t
ngx_http_commerce_admin_matches(ngx_http_commerce_admin_t *a, ngx_table_elt_t *h)
{
    u_char  *p, *end;

    p = h->value.data;
    end = p + h->value.len;

    if (h->value.len == 1 && *p == '*') {
        return 1;
    }

    while (p < end) {

        if (end - p >= 2 && p[0] == 'W' && p[1] == '/') {
            p += 2;
        }

        if ((size_t) (end - p) >= a->etag.len && ngx_strncmp(p, a->etag.data, a->etag.len) == 0) {
            p += a->etag.len;

            while (p < end && (*p == ' ' || *p == '\t')) {
                p++;
            }

            if (p == end || *p == ',') {
                return 1;
            }
        }

        while (p < end && *p != ',') {
            p++;
        }

        while (p < end && (*p == ',' || *p == ' ' || *p == '\t')) {
            p++;
        }
    }

    return 0;
}


static commerce_reason_t
ngx_http_commerce_admin_put(ngx_http_commerce_admin_t *a)
{
    commerce_str_t                 after;
    commerce_reason_t              reason;
    commerce_directory_put_t       put;
    commerce_directory_entry_t     entry;
    commerce_directory_outcome_t   outcome;

    reason = ngx_http_commerce_admin_condition(a);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_admin_entry(a, &entry);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    put.reader = &a->c->reader;
    put.txn = a->c->txn;
    put.tiers = a->conf->tiers;
    put.now = a->c->now;
    put.say = ngx_http_commerce_admin_say;
    put.data = a;

    outcome = commerce_directory_put(&put, &entry, NULL);

    if (outcome > COMMERCE_DIRECTORY_CHANGED) {
        return ngx_http_commerce_admin_failed(a, outcome);
    }

    after = ngx_http_commerce_admin_text(a, &entry);

    if (after.len == 0) {
        return COMMERCE_R(INTERNAL);
    }

    if (outcome != COMMERCE_DIRECTORY_UNCHANGED) {
        reason = ngx_http_commerce_admin_tell(a, outcome == COMMERCE_DIRECTORY_CREATED ? "created" : "changed",
                                              &entry, after);
    }

    return reason == COMMERCE_R(OK)
           ? ngx_http_commerce_admin_answer(a, outcome == COMMERCE_DIRECTORY_CREATED ? NGX_HTTP_CREATED : NGX_HTTP_OK,
                                            after)
           : reason;
}


/* the body is the whole record, and of the path's name */

static commerce_reason_t
ngx_http_commerce_admin_entry(ngx_http_commerce_admin_t *a, commerce_directory_entry_t *entry)
{
    if (a->c->body == NULL) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    if (commerce_directory_read(&a->c->arena, a->c->body, entry, ngx_http_commerce_admin_say, a) != COMMERCE_OK) {
        return COMMERCE_R(DIRECTORY_REFUSED);
    }

    if (entry->kind != a->kind) {
        ngx_http_commerce_admin_say(a, "member \"kind\" is not the path's");
    }

    if (!commerce_equal(entry->id, a->id)) {
        ngx_http_commerce_admin_say(a, "member \"id\" is not the path's");
    }

    return a->nerrors ? COMMERCE_R(DIRECTORY_REFUSED) : COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_admin_delete(ngx_http_commerce_admin_t *a)
{
    commerce_reason_t              reason;
    commerce_directory_put_t       put;
    commerce_directory_outcome_t   outcome;

    put.reader = &a->c->reader;
    put.txn = a->c->txn;
    put.tiers = a->conf->tiers;
    put.now = a->c->now;
    put.say = ngx_http_commerce_admin_say;
    put.data = a;

    /* what is never removed needs no condition to be told so */

    outcome = commerce_directory_remove(&put, a->kind, a->id);

    if (outcome == COMMERCE_DIRECTORY_REFUSED) {
        return COMMERCE_R(DIRECTORY_KEPT);
    }

    reason = ngx_http_commerce_admin_condition(a);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (outcome != COMMERCE_DIRECTORY_REMOVED) {
        return ngx_http_commerce_admin_failed(a, outcome);
    }

    reason = ngx_http_commerce_admin_tell(a, "removed", NULL, commerce_string(""));

    if (reason == COMMERCE_R(OK)) {
        a->c->answer = a->before;
        a->c->status = NGX_HTTP_OK;
    }

    return reason;
}


static commerce_reason_t
ngx_http_commerce_admin_failed(ngx_http_commerce_admin_t *a, commerce_directory_outcome_t outcome)
{
    switch (outcome) {

    case COMMERCE_DIRECTORY_REFUSED:
        return COMMERCE_R(DIRECTORY_REFUSED);

    case COMMERCE_DIRECTORY_ABSENT:
        return COMMERCE_R(DIRECTORY_UNKNOWN);

    default:
        ngx_log_error(NGX_LOG_ERR, a->c->request->connection->log, 0, "commerce: a record of the directory cannot be %s",
                      outcome == COMMERCE_DIRECTORY_FULL ? "made: all numbers are given out" : "read");
        return COMMERCE_R(INTERNAL);
    }
}


static void
ngx_http_commerce_admin_say(void *data, const char *sentence)
{
    commerce_write_t            before;
    ngx_http_commerce_admin_t  *a = data;

    before = a->errors;
    commerce_write_text(&a->errors, NULL, commerce_cstr(sentence));

    /* with room for the bracket */

    if (a->errors.failed || a->errors.end - a->errors.pos < 2) {
        a->errors = before;
        return;
    }

    a->nerrors++;
}


/* empty: out of memory */

static commerce_str_t
ngx_http_commerce_admin_text(ngx_http_commerce_admin_t *a, const commerce_directory_entry_t *entry)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = commerce_alloc(&a->c->arena, COMMERCE_DIRECTORY_JSON_MAX);

    if (buffer == NULL) {
        return commerce_string("");
    }

    commerce_write_start(&w, buffer, COMMERCE_DIRECTORY_JSON_MAX);
    commerce_directory_write(&w, entry);
    len = commerce_write_finish(&w);

    return (commerce_str_t) { buffer, len > 0 ? (size_t) len : 0 };
}


static commerce_reason_t
ngx_http_commerce_admin_answer(ngx_http_commerce_admin_t *a, ngx_uint_t status, commerce_str_t text)
{
    a->c->answer = text;
    a->c->status = status;

    return ngx_http_commerce_admin_etag(a, text, &a->c->etag);
}


static commerce_reason_t
ngx_http_commerce_admin_etag(ngx_http_commerce_admin_t *a, commerce_str_t text, commerce_str_t *etag)
{
    u_char  *p;

    p = commerce_alloc(&a->c->arena, sizeof("\"0123456789abcdef\""));
    if (p == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    etag->data = (char *) p;
    etag->len = ngx_sprintf(p, "\"%016xL\"", commerce_hash(COMMERCE_HASH_START, text.data, text.len)) - p;

    return COMMERCE_R(OK);
}


/* users stay out of the log, and a schedule may be longer than an event; that they changed is told */

static commerce_reason_t
ngx_http_commerce_admin_tell(ngx_http_commerce_admin_t *a, const char *change,
    const commerce_directory_entry_t *entry, commerce_str_t after)
{
    commerce_str_t               by;
    commerce_write_t             w;
    commerce_reason_t            reason;
    commerce_directory_entry_t   shown;

    by = commerce_string("");

    if (a->conf->by.type) {
        reason = ngx_http_commerce_core->read(a->c, &a->conf->by, &by);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        by.len = ngx_min(by.len, COMMERCE_ID_MAX);
    }

    if (ngx_http_commerce_core->event_start(a->c, &w, "directory") != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_text(&w, "kind", commerce_cstr(commerce_directory_kind_name(a->kind)));
    commerce_write_text(&w, "entry", a->id);
    commerce_write_text(&w, "change", commerce_cstr(change));

    if (entry) {
        ngx_http_commerce_admin_members(&w, a->before, after);

        shown = *entry;
        shown.user = commerce_string("");
        shown.identity_count = 0;
        shown.shift_count = 0;

        commerce_write_raw(&w, "record", ngx_http_commerce_admin_text(a, &shown));
    }

    commerce_write_optional(&w, "by", by);
    ngx_http_commerce_core->event_money(a->c, &w);

    return COMMERCE_R(OK);
}


/* names of the members that came, went, or say something else */

static void
ngx_http_commerce_admin_members(commerce_write_t *w, commerce_str_t before, commerce_str_t after)
{
    commerce_str_t  rest, name, value, other;

    commerce_write_open(w, "members", '[');

    for (rest = after; commerce_directory_member(&rest, &name, &value); /* void */ ) {

        if (!ngx_http_commerce_admin_member(before, name, &other) || !commerce_equal(value, other)) {
            commerce_write_text(w, NULL, name);
        }
    }

    for (rest = before; commerce_directory_member(&rest, &name, &value); /* void */ ) {

        if (!ngx_http_commerce_admin_member(after, name, &other)) {
            commerce_write_text(w, NULL, name);
        }
    }

    commerce_write_close(w, ']');
}


static ngx_uint_t
ngx_http_commerce_admin_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value)
{
    commerce_str_t  found;

    while (commerce_directory_member(&text, &found, value)) {
        if (commerce_equal(found, name)) {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_commerce_admin_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value, pointer = ngx_string("json:/kind");
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_commerce_admin_conf_t  *ac;

    ac = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_admin_conf_t));
    if (ac == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named || clcf->name.len == 0 || clcf->name.data[clcf->name.len - 1] != '/'
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a location that is a prefix and ends with \"/\", as /commerce/admin/";
    }

    ac->prefix = clcf->name;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_commerce_admin_word(cf, &value[i], ac);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_commerce_core->source(cf, &pointer, NGX_COMMERCE_SOURCE_BODY, &ac->body);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_commerce_core->action(cf, NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_PUT|NGX_HTTP_DELETE,
                                          ngx_http_commerce_admin, ac)
           == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_commerce_admin_word(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_admin_conf_t *ac)
{
    ngx_str_t  s;

    if (ngx_strncmp(word->data, "from=", 5) == 0) {

        ac->any = ngx_strcmp(word->data + 5, "any") == 0;

        if (ac->from_set++ || (!ac->any && ngx_strcmp(word->data + 5, "local") != 0)) {
            return ngx_http_commerce_core->invalid(cf, word, "from=local or from=any, once");
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "tiers=", 6) == 0) {

        ac->tiers = ngx_strcmp(word->data + 6, "pay") == 0 ? COMMERCE_TIERS_PAY : COMMERCE_TIERS_STRICT;

        if (ac->tiers_set++ || (ac->tiers == COMMERCE_TIERS_STRICT && ngx_strcmp(word->data + 6, "strict") != 0)) {
            return ngx_http_commerce_core->invalid(cf, word, "tiers=strict or tiers=pay, once");
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "by=", 3) == 0 && word->len > 3 && ac->by.type == 0) {
        s.data = word->data + 3;
        s.len = word->len - 3;

        return ngx_http_commerce_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE, &ac->by);
    }

    return ngx_http_commerce_core->invalid(cf, word, "from=local|any, tiers=strict|pay, by=text with $variables");
}
