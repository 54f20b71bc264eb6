/*
 * Copyright (C) ngx_commerce authors
 *
 * The verdict's way to the backend: request headers, so that no proxy_set_header is needed and FastCGI gets
 * them too.  Whatever the client sent under these names is taken out first, in every spelling that a backend
 * could fold into them.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_verdict.h"


typedef ngx_uint_t (*ngx_commerce_header_pt)(ngx_table_elt_t *h);

typedef enum {
    NGX_COMMERCE_HEADER_DECISION,
    NGX_COMMERCE_HEADER_REASON,
    NGX_COMMERCE_HEADER_SELLER,
    NGX_COMMERCE_HEADER_TIER2,
    NGX_COMMERCE_HEADER_GROUP,
    NGX_COMMERCE_HEADER_ROOM,
    NGX_COMMERCE_HEADER_CHANNEL,
    NGX_COMMERCE_HEADER_DEGRADED,
    NGX_COMMERCE_HEADER_ORDER_KEY,
    NGX_COMMERCE_HEADER_COUPON,
    NGX_COMMERCE_HEADER_VERDICT,
    NGX_COMMERCE_HEADER_IDEMPOTENCY_KEY
} ngx_commerce_header_e;

static ngx_uint_t ngx_commerce_header_is_verdict(ngx_table_elt_t *h);
static ngx_uint_t ngx_commerce_header_is_accept_encoding(ngx_table_elt_t *h);
static ngx_uint_t ngx_commerce_header_is_idempotency_key(ngx_table_elt_t *h);
static ngx_uint_t ngx_commerce_header_begins(ngx_table_elt_t *h, const char *name, size_t len);
static ngx_int_t ngx_commerce_headers_take(ngx_http_request_t *r, ngx_commerce_header_pt match);
static ngx_int_t ngx_commerce_headers_add(ngx_http_request_t *r, ngx_commerce_header_e header,
    commerce_str_t value);
static ngx_int_t ngx_commerce_headers_credit(ngx_commerce_ctx_t *ctx);
static ngx_int_t ngx_commerce_headers_order(ngx_commerce_ctx_t *ctx);
static size_t ngx_commerce_verdict_coupons(ngx_commerce_case_t *c, commerce_verdict_coupon_t *coupons);


#define ngx_commerce_header(name, lowcase)  { ngx_string(name), (u_char *) lowcase, 0 }

/* in the order of the enum; the hashes are made once */

static struct {
    ngx_str_t    name;
    u_char      *lowcase;
    ngx_uint_t   hash;
} ngx_commerce_header_names[] = {
    ngx_commerce_header("X-Commerce-Decision", "x-commerce-decision"),
    ngx_commerce_header("X-Commerce-Reason", "x-commerce-reason"),
    ngx_commerce_header("X-Commerce-Seller", "x-commerce-seller"),
    ngx_commerce_header("X-Commerce-Tier2", "x-commerce-tier2"),
    ngx_commerce_header("X-Commerce-Group", "x-commerce-group"),
    ngx_commerce_header("X-Commerce-Room", "x-commerce-room"),
    ngx_commerce_header("X-Commerce-Channel", "x-commerce-channel"),
    ngx_commerce_header("X-Commerce-Degraded", "x-commerce-degraded"),
    ngx_commerce_header("X-Commerce-Order-Key", "x-commerce-order-key"),
    ngx_commerce_header("X-Commerce-Coupon", "x-commerce-coupon"),
    ngx_commerce_header("X-Commerce-Verdict", "x-commerce-verdict"),
    ngx_commerce_header("Idempotency-Key", "idempotency-key")
};


void
ngx_commerce_headers_init(void)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_commerce_header_names) / sizeof(ngx_commerce_header_names[0]); i++) {
        ngx_commerce_header_names[i].hash = ngx_hash_key(ngx_commerce_header_names[i].lowcase,
                                                         ngx_commerce_header_names[i].name.len);
    }
}


/*
 * SERVER_REWRITE: before any sub-request could forward a client's copy.  REWRITE: a bad request's error_page
 * may lead into a named location without having passed there.
 */

ngx_int_t
ngx_commerce_headers_strip_handler(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_srv_conf_t  *scf;

    scf = ngx_http_get_module_srv_conf(r, ngx_commerce_module);

    if (!scf->strip || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_commerce_get_ctx(r);

    if (ctx && ctx->phase == NGX_COMMERCE_PHASE_DECIDED) {
        return NGX_DECLINED;        /* after a redirect these are our own */
    }

    return ngx_commerce_headers_take(r, ngx_commerce_header_is_verdict) == NGX_OK
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * Rebuilds the list without the matching headers, only when there are any.  The old elements stay in memory:
 * nginx's own pointers into them remain good.
 */

static ngx_int_t
ngx_commerce_headers_take(ngx_http_request_t *r, ngx_commerce_header_pt match)
{
    ngx_list_t        kept;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    found = 0;

    for (part = &r->headers_in.headers.part; part && !found; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts && !found; i++) {
            found = match(&h[i]);
        }
    }

    if (!found) {
        return NGX_OK;
    }

    if (ngx_list_init(&kept, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (match(&h[i])) {
                continue;
            }

            copy = ngx_list_push(&kept);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    if (kept.last == &kept.part) {
        kept.last = &r->headers_in.headers.part;    /* the list is copied by value */
    }

    r->headers_in.headers = kept;

    return NGX_OK;
}


static ngx_uint_t
ngx_commerce_header_is_verdict(ngx_table_elt_t *h)
{
    u_char              ch;
    static const char   prefix[] = "x-commerce";

    if (!ngx_commerce_header_begins(h, prefix, sizeof(prefix) - 1)) {
        return 0;
    }

    if (h->key.len == sizeof(prefix) - 1) {
        return 1;
    }

    ch = ngx_tolower(h->key.data[sizeof(prefix) - 1]);

    return !((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'));
}


static ngx_uint_t
ngx_commerce_header_is_accept_encoding(ngx_table_elt_t *h)
{
    return ngx_commerce_header_named(h, "accept-encoding", sizeof("accept-encoding") - 1);
}


static ngx_uint_t
ngx_commerce_header_is_idempotency_key(ngx_table_elt_t *h)
{
    return ngx_commerce_header_named(h, "idempotency-key", sizeof("idempotency-key") - 1);
}


/* would some backend read this header under that name?  The name in lower case, with dashes */

ngx_uint_t
ngx_commerce_header_named(ngx_table_elt_t *h, const char *name, size_t len)
{
    return h->key.len == len && ngx_commerce_header_begins(h, name, len);
}


/* "-", "_", "." and the like all become "_" in some backend: any byte but letters and digits separates */

static ngx_uint_t
ngx_commerce_header_begins(ngx_table_elt_t *h, const char *name, size_t len)
{
    u_char  ch;
    size_t  i;

    if (h->key.len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        ch = ngx_tolower(h->key.data[i]);

        if (name[i] == '-') {
            if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) {
                return 0;
            }

        } else if (ch != (u_char) name[i]) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_commerce_headers_add(ngx_http_request_t *r, ngx_commerce_header_e header, commerce_str_t value)
{
    ngx_table_elt_t  *h;

    if (value.len == 0) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->key = ngx_commerce_header_names[header].name;
    h->lowcase_key = ngx_commerce_header_names[header].lowcase;
    h->hash = ngx_commerce_header_names[header].hash;
    h->value.data = (u_char *) value.data;
    h->value.len = value.len;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


ngx_int_t
ngx_commerce_headers_identity(ngx_http_request_t *r)
{
    return ngx_commerce_headers_take(r, ngx_commerce_header_is_accept_encoding);
}


ngx_int_t
ngx_commerce_headers_push(ngx_commerce_ctx_t *ctx)
{
    ngx_http_request_t             *r;
    ngx_commerce_case_t            *c;
    const commerce_reason_info_t   *info;

    c = &ctx->c;
    r = c->request;
    info = commerce_reason(c->reason);

    /* a second decision, after a redirect, replaces the first one's */

    if ((ctx->pushed && ngx_commerce_headers_take(r, ngx_commerce_header_is_verdict) != NGX_OK)
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_DECISION, c->would_deny
               ? commerce_string("would_deny") : commerce_string("pass")) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_REASON, info->name) != NGX_OK
        || ngx_commerce_headers_credit(ctx) != NGX_OK
        || (c->degraded
            && ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_DEGRADED, commerce_string("store")) != NGX_OK))
    {
        return NGX_ERROR;
    }

    ctx->pushed = 1;

    /* an order that goes on without the store has a verdict too: it honours no coupon */

    return c->order
           || (c->degraded && ctx->conf->order && ctx->order_key.len && ngx_commerce_counts(r))
           ? ngx_commerce_headers_order(ctx) : NGX_OK;
}


static ngx_int_t
ngx_commerce_headers_credit(ngx_commerce_ctx_t *ctx)
{
    commerce_credit_t   *credit;
    ngx_http_request_t  *r;

    r = ctx->c.request;

    credit = ngx_commerce_credit(&ctx->c);

    if (credit == NULL) {
        return NGX_OK;
    }

    if (ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_SELLER, credit->seller_id) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_TIER2, credit->tier2_id) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_GROUP, credit->group_id) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_ROOM, credit->room_id) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_CHANNEL, ngx_commerce_channel(ctx)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


commerce_str_t
ngx_commerce_channel(ngx_commerce_ctx_t *ctx)
{
    u_char             *p;
    uint32_t            channel;
    commerce_credit_t  *credit;

    credit = ngx_commerce_credit(&ctx->c);
    channel = credit ? credit->channel : 0;

    p = channel ? ngx_pnalloc(ctx->c.request->pool, NGX_INT32_LEN) : NULL;

    if (p == NULL) {
        return commerce_string("");
    }

    return (commerce_str_t) { (char *) p, ngx_sprintf(p, "%uD", channel) - p };
}


static ngx_int_t
ngx_commerce_headers_order(ngx_commerce_ctx_t *ctx)
{
    u_char                     *p, *start;
    size_t                      i, n, len;
    commerce_str_t              codes, jws, key;
    ngx_http_request_t         *r;
    ngx_commerce_case_t        *c;
    commerce_verdict_coupon_t   coupons[COMMERCE_COUPONS_MAX];

    c = &ctx->c;
    r = c->request;

    n = ngx_commerce_verdict_coupons(c, coupons);
    len = 0;

    for (i = 0; i < n; i++) {
        len += coupons[i].code.len + 1;
    }

    start = ngx_pnalloc(r->pool, len + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, p = start; i < n; i++) {
        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, coupons[i].code.data, coupons[i].code.len);
    }

    key = c->order ? c->order->key : ctx->order_key;

    codes.data = (char *) start;
    codes.len = p - start;
    ctx->codes = codes;

    /* taking a header out of the list does not change what the client will accept from us */

    if (ngx_commerce_headers_take(r, ngx_commerce_header_is_accept_encoding) != NGX_OK
        || ngx_commerce_headers_take(r, ngx_commerce_header_is_idempotency_key) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_IDEMPOTENCY_KEY, key) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_ORDER_KEY, key) != NGX_OK
        || ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_COUPON, codes) != NGX_OK
        || ngx_commerce_verdict_sign(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    jws = ngx_commerce_str(ctx->verdict);

    return ngx_commerce_headers_add(r, NGX_COMMERCE_HEADER_VERDICT, jws);
}


/* coupons that the backend may honour: this order has them */

static size_t
ngx_commerce_verdict_coupons(ngx_commerce_case_t *c, commerce_verdict_coupon_t *coupons)
{
    size_t                    n;
    ngx_uint_t                i, k;
    commerce_order_coupon_t  *use;

    n = 0;

    for (i = 0; i < c->ncoupons && c->order; i++) {

        for (k = 0; k < c->order->coupon_count; k++) {
            use = &c->order->coupons[k];

            if (use->campaign != c->coupons[i].code.campaign
                || use->serial != c->coupons[i].code.serial
                || (use->use != COMMERCE_USE_RESERVED && use->use != COMMERCE_USE_REDEEMED))
            {
                continue;
            }

            coupons[n].code = c->coupons[i].text;
            coupons[n].campaign = use->campaign_id;
            coupons[n].discount = use->discount;
            n++;
            break;
        }
    }

    return n;
}


ngx_int_t
ngx_commerce_verdict_sign(ngx_commerce_ctx_t *ctx)
{
    char                       id[COMMERCE_EVENT_ID];
    commerce_str_t             jws;
    commerce_credit_t         *credit;
    commerce_keyring_t        *ring;
    ngx_http_request_t        *r;
    commerce_verdict_t         v;
    ngx_commerce_case_t       *c;
    commerce_verdict_coupon_t  coupons[COMMERCE_COUPONS_MAX];

    c = &ctx->c;
    r = c->request;
    ring = ctx->main->ring;

    ngx_memzero(&v, sizeof(commerce_verdict_t));

    if (commerce_event_id(&ngx_commerce_worker->events, c->now_us, id) != COMMERCE_OK
        || commerce_keyring_sha256(ring, r->args.data, r->args.len, v.query_sha256) != COMMERCE_OK
        || commerce_keyring_sha256(ring, ctx->body_text.data, ctx->body_text.len, v.body_sha256)
           != COMMERCE_OK)
    {
        return NGX_ERROR;
    }

    v.issuer = ngx_commerce_str(ctx->main->node);
    v.shop = c->shop;
    v.issued = c->now;
    v.id = (commerce_str_t) { id, COMMERCE_EVENT_ID };
    v.mode = c->mode == NGX_COMMERCE_ENFORCE ? commerce_string("enforce") : commerce_string("observe");
    v.key = c->order ? c->order->key : ctx->order_key;
    v.replay = c->arrival != COMMERCE_ARRIVAL_NEW;
    v.method = ngx_commerce_str(r->method_name);
    v.path = ngx_commerce_str(r->uri);
    v.user = c->verified ? c->user : commerce_string("");
    v.reason = commerce_reason(c->reason)->name;

    credit = ngx_commerce_credit(c);

    if (credit) {
        v.seller = credit->seller_id;
        v.tier2 = credit->tier2_id;
        v.group = credit->group_id;
        v.room = credit->room_id;
        v.channel = ngx_commerce_channel(ctx);
    }

    v.coupons = coupons;
    v.coupon_count = ngx_commerce_verdict_coupons(c, coupons);

    if (commerce_verdict_sign(ring, &v, &c->arena, &jws) != COMMERCE_OK) {
        return NGX_ERROR;
    }

    ctx->verdict.data = (u_char *) jws.data;
    ctx->verdict.len = jws.len;

    return NGX_OK;
}
