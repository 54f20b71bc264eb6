/*
 * Copyright (C) ngx_commerce authors
 *
 * Guessing limits at work: what failures are counted by, in windows of a zone that the core keeps for us.  What
 * the counts mean: src/commerce_guess.h.
 */

#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_write.h"


/* the keys of one try; 0 = none of this kind */
typedef struct {
    ngx_rbtree_key_t                   keys[COMMERCE_GUESS_KINDS];
    const ngx_commerce_windows_api_t  *windows;
    ngx_http_commerce_guess_conf_t    *conf;
    int64_t                            now;         /* ms */
} ngx_http_commerce_guess_t;


static ngx_int_t ngx_http_commerce_guess_start(ngx_http_commerce_guess_t *g, ngx_commerce_case_t *c,
    unsigned campaign, ngx_uint_t counts);
static ngx_int_t ngx_http_commerce_guess_key(ngx_http_commerce_guess_t *g, commerce_str_t shop,
    commerce_guess_kind_t kind, commerce_str_t data);
static commerce_str_t ngx_http_commerce_guess_address(ngx_connection_t *c);
static commerce_window_t *ngx_http_commerce_guess_find(ngx_http_commerce_guess_t *g,
    commerce_guess_kind_t kind);
static void ngx_http_commerce_guess_view(ngx_http_commerce_guess_t *g, commerce_guess_view_t *view);
static void ngx_http_commerce_guess_add(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind);
static void ngx_http_commerce_guess_status_zone(ngx_http_commerce_guess_t *g, commerce_write_t *w);
static void ngx_http_commerce_guess_status_shop(ngx_http_commerce_guess_t *g, commerce_write_t *w);


commerce_reason_t
ngx_http_commerce_guess_allowed(ngx_commerce_case_t *c, unsigned campaign)
{
    int64_t                    wait;
    ngx_int_t                  rc;
    commerce_reason_t          reason;
    commerce_guess_view_t      view;
    ngx_http_commerce_guess_t  g;

    rc = ngx_http_commerce_guess_start(&g, c, campaign, 0);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? COMMERCE_R(OK) : COMMERCE_R(INTERNAL);
    }

    g.windows->lock(g.conf->zone);

    ngx_http_commerce_guess_view(&g, &view);
    reason = commerce_guess_allowed(&g.conf->limits, &view, g.now, &wait);

    g.windows->unlock(g.conf->zone);

    if (reason != COMMERCE_R(OK)) {
        c->retry_after = (time_t) wait;
    }

    return reason;
}


commerce_reason_t
ngx_http_commerce_guess_failed(ngx_commerce_case_t *c, unsigned campaign, commerce_reason_t reason)
{
    int64_t                    wait;
    unsigned                   kinds;
    ngx_int_t                  rc;
    ngx_uint_t                 kind;
    commerce_reason_t          over;
    commerce_guess_view_t      view;
    commerce_guess_class_t     class;
    ngx_http_commerce_guess_t  g;

    class = commerce_guess_class(reason);

    if (class == COMMERCE_GUESS_NONE) {
        return reason;
    }

    rc = ngx_http_commerce_guess_start(&g, c, campaign, 1);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? reason : COMMERCE_R(INTERNAL);
    }

    g.windows->lock(g.conf->zone);

    ngx_http_commerce_guess_view(&g, &view);
    over = commerce_guess_allowed(&g.conf->limits, &view, g.now, &wait);
    kinds = commerce_guess_counts(&g.conf->limits, &view, class, g.now);

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        if (g.keys[kind] && (kinds & (1U << kind))) {
            ngx_http_commerce_guess_add(&g, kind);
        }
    }

    ((ngx_commerce_windows_stat_t *) g.conf->zone->data)->tallies[class]++;

    g.windows->unlock(g.conf->zone);

    if (over == COMMERCE_R(RATE_USER) || over == COMMERCE_R(RATE_SESSION)) {
        c->retry_after = (time_t) wait;
        return over;
    }

    return reason;
}


/*
 * NGX_DECLINED: nothing is limited here.  Keys are hashes, and each costs more than a look-up does: who only asks
 * needs none of a kind of which the zone holds no entry, as is the rule where nobody guesses.
 */

static ngx_int_t
ngx_http_commerce_guess_start(ngx_http_commerce_guess_t *g, ngx_commerce_case_t *c, unsigned campaign,
    ngx_uint_t counts)
{
    u_char                        number[2];
    ngx_uint_t                    kind;
    commerce_str_t                session, keys[COMMERCE_GUESS_KINDS];
    commerce_reason_t             reason;
    ngx_commerce_windows_stat_t  *stat;

    ngx_memzero(g, sizeof(ngx_http_commerce_guess_t));

    g->conf = &((ngx_http_commerce_coupon_main_conf_t *)
                ngx_http_get_module_main_conf(c->request, ngx_http_commerce_coupon_module))->guess;

    if (g->conf->zone == NULL || !c->verified) {
        return NGX_DECLINED;
    }

    stat = g->conf->zone->data;
    g->windows = ngx_http_commerce_coupon_core->windows;
    g->now = c->now * 1000;             /* whole seconds, as everywhere where time decides */

    session = commerce_string("");

    if (g->conf->session.type) {
        reason = ngx_http_commerce_coupon_core->read(c, &g->conf->session, &session);

        if (reason == COMMERCE_R(INTERNAL)) {
            return NGX_ERROR;
        }

        if (reason != COMMERCE_R(OK) || session.len > COMMERCE_ID_MAX) {
            session = commerce_string("");
        }
    }

    number[0] = (u_char) (campaign >> 8);
    number[1] = (u_char) campaign;

    keys[COMMERCE_GUESS_USER] = c->user;
    keys[COMMERCE_GUESS_SESSION] = session;
    keys[COMMERCE_GUESS_ADDRESS] = ngx_http_commerce_guess_address(c->request->connection);
    keys[COMMERCE_GUESS_CAMPAIGN] = (commerce_str_t) { (char *) number, campaign ? 2 : 0 };
    keys[COMMERCE_GUESS_BREAKER] = commerce_string("-");
    keys[COMMERCE_GUESS_SOFT] = c->user;

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {

        if (!counts && stat->entries[kind] == 0) {
            continue;
        }

        if (ngx_http_commerce_guess_key(g, c->shop, kind, keys[kind]) == NGX_OK) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0, "commerce: a guess could not be judged");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_commerce_guess_key(ngx_http_commerce_guess_t *g, commerce_str_t shop, commerce_guess_kind_t kind,
    commerce_str_t data)
{
    if (data.len == 0) {
        return NGX_OK;
    }

    return g->windows->key(g->conf->zone, kind, &g->conf->limits.rates[kind], shop, data, &g->keys[kind]);
}


/* as nginx knows it, realip's work included; of IPv6 the network, for whoever has one address has 2^64 */

static commerce_str_t
ngx_http_commerce_guess_address(ngx_connection_t *c)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) c->sockaddr;
        return (commerce_str_t) { (char *) &sin->sin_addr, 4 };

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) c->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return (commerce_str_t) { (char *) sin6->sin6_addr.s6_addr + 12, 4 };
        }

        return (commerce_str_t) { (char *) sin6->sin6_addr.s6_addr, 8 };
#endif

    default:
        return commerce_string("");
    }
}


static commerce_window_t *
ngx_http_commerce_guess_find(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind)
{
    return g->keys[kind] ? g->windows->find(g->conf->zone, g->keys[kind]) : NULL;
}


static void
ngx_http_commerce_guess_view(ngx_http_commerce_guess_t *g, commerce_guess_view_t *view)
{
    ngx_uint_t  kind;

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        view->windows[kind] = ngx_http_commerce_guess_find(g, kind);
    }
}


static void
ngx_http_commerce_guess_add(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind)
{
    int64_t           keep;
    commerce_rate_t  *rate;

    rate = &g->conf->limits.rates[kind];

    /* two periods hold whatever counts; a user's record is asked whether it is clean */

    keep = (kind == COMMERCE_GUESS_USER ? COMMERCE_GUESS_CLEAN : 2) * (int64_t) rate->period;

    g->windows->add(g->conf->zone, kind, g->keys[kind], rate, keep, g->now);
}


void
ngx_http_commerce_guess_status(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop, int64_t now_us)
{
    ngx_http_commerce_guess_t              g;
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_commerce_coupon_module);

    if (mcf->guess.zone == NULL) {
        return;
    }

    ngx_memzero(&g, sizeof(ngx_http_commerce_guess_t));
    g.conf = &mcf->guess;
    g.windows = ngx_http_commerce_coupon_core->windows;
    g.now = now_us / 1000000 * 1000;

    if (shop.len == 0) {
        ngx_http_commerce_guess_status_zone(&g, w);

    } else if (ngx_http_commerce_guess_key(&g, shop, COMMERCE_GUESS_BREAKER, commerce_string("-")) == NGX_OK)
    {
        ngx_http_commerce_guess_status_shop(&g, w);
    }
}


static void
ngx_http_commerce_guess_status_zone(ngx_http_commerce_guess_t *g, commerce_write_t *w)
{
    ngx_uint_t                    kind;
    ngx_commerce_windows_stat_t  *stat;

    stat = g->conf->zone->data;

    commerce_write_open(w, "guessing", '{');

    g->windows->lock(g->conf->zone);

    commerce_write_int(w, "bytes", (int64_t) g->conf->zone->shm.size);
    commerce_write_int(w, "bytes_free", (int64_t) (((ngx_slab_pool_t *) g->conf->zone->shm.addr)->pfree * ngx_pagesize));
    commerce_write_int(w, "evicted", (int64_t) stat->evicted);
    commerce_write_int(w, "lost", (int64_t) stat->lost);
    commerce_write_int(w, "wrong", (int64_t) stat->tallies[COMMERCE_GUESS_WRONG]);
    commerce_write_int(w, "others", (int64_t) stat->tallies[COMMERCE_GUESS_OTHERS]);
    commerce_write_int(w, "typing", (int64_t) stat->tallies[COMMERCE_GUESS_TYPING]);
    commerce_write_open(w, "entries", '{');

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        commerce_write_int(w, commerce_guess_kind_name(kind), (int64_t) stat->entries[kind]);
    }

    g->windows->unlock(g->conf->zone);

    commerce_write_close(w, '}');
    commerce_write_close(w, '}');
}


/* the breaker: of this shop's failures */

static void
ngx_http_commerce_guess_status_shop(ngx_http_commerce_guess_t *g, commerce_write_t *w)
{
    int64_t             wait;
    uint32_t            count, since;
    commerce_rate_t    *rate;
    commerce_window_t  *window;

    rate = &g->conf->limits.rates[COMMERCE_GUESS_BREAKER];

    g->windows->lock(g->conf->zone);

    window = ngx_http_commerce_guess_find(g, COMMERCE_GUESS_BREAKER);
    count = commerce_window_count(window, rate, g->now);
    wait = commerce_window_wait(window, rate, g->now);
    since = window ? window->since : 0;

    g->windows->unlock(g->conf->zone);

    commerce_write_open(w, "guessing", '{');
    commerce_write_int(w, "wrong", count);
    commerce_write_bool(w, "breaker", wait != 0);

    if (wait != 0) {
        commerce_write_int(w, "since", since);
    }

    commerce_write_close(w, '}');
}
