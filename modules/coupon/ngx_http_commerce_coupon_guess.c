/*
 * Copyright (C) ngx_commerce authors
 *
 * Where the windows of failures are kept (what they mean: src/commerce_guess.h): a tree and a queue of least
 * recently used entries in shared memory.  Every look-up is one descent; an entry is made by a failure only.
 */

#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_write.h"

#include <openssl/rand.h>


#define NGX_HTTP_COMMERCE_GUESS_SECRET  32

/* secret, kind, limit, period, the shop behind its length, and what the kind is counted by */
#define NGX_HTTP_COMMERCE_GUESS_KEY                                             \
    (NGX_HTTP_COMMERCE_GUESS_SECRET + 1 + 4 + 4 + 1 + COMMERCE_SHOP_MAX + COMMERCE_ID_MAX)


/* 128 bytes, which the slab hands out without loss: kind and expires stand in the tree node's padding */

typedef struct {
    u_char                   color;     /* these two are the tree node's own */
    u_char                   dummy;
    u_char                   kind;
    u_char                   unused;
    uint32_t                 expires;   /* UTC seconds: nobody asks for it any more */
    ngx_queue_t              queue;
    commerce_window_t        window;
} ngx_http_commerce_guess_node_t;

typedef struct {
    ngx_rbtree_t             tree;
    ngx_rbtree_node_t        sentinel;
    ngx_queue_t              queue;
    u_char                   secret[NGX_HTTP_COMMERCE_GUESS_SECRET];
    ngx_uint_t               entries[COMMERCE_GUESS_KINDS];
    ngx_uint_t               evicted;   /* before their time: the zone was full */
    ngx_uint_t               lost;      /* failures that could not be counted at all */
    ngx_uint_t               failures[COMMERCE_GUESS_WRONG + 1];    /* by class */
} ngx_http_commerce_guess_zone_t;

/* the keys of one try; 0 = none of this kind */
typedef struct {
    ngx_rbtree_key_t         keys[COMMERCE_GUESS_KINDS];
    ngx_slab_pool_t         *pool;
    ngx_http_commerce_guess_zone_t  *zone;
    ngx_http_commerce_guess_conf_t  *conf;
    int64_t                  now;       /* ms */
} ngx_http_commerce_guess_t;


static ngx_int_t ngx_http_commerce_guess_start(ngx_http_commerce_guess_t *g, ngx_commerce_case_t *c,
    unsigned campaign, ngx_uint_t counts);
static ngx_int_t ngx_http_commerce_guess_key(ngx_http_commerce_guess_t *g, commerce_keyring_t *ring,
    commerce_str_t shop, commerce_guess_kind_t kind, commerce_str_t data);
static commerce_str_t ngx_http_commerce_guess_address(ngx_connection_t *c);
static ngx_rbtree_node_t *ngx_http_commerce_guess_descend(ngx_http_commerce_guess_t *g,
    ngx_rbtree_key_t key);
static commerce_window_t *ngx_http_commerce_guess_find(ngx_http_commerce_guess_t *g,
    commerce_guess_kind_t kind);
static void ngx_http_commerce_guess_view(ngx_http_commerce_guess_t *g, commerce_guess_view_t *view);
static void ngx_http_commerce_guess_add(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind);
static ngx_rbtree_node_t *ngx_http_commerce_guess_make(ngx_http_commerce_guess_t *g,
    commerce_guess_kind_t kind);
static void ngx_http_commerce_guess_expire(ngx_http_commerce_guess_t *g);
static ngx_uint_t ngx_http_commerce_guess_remove(ngx_http_commerce_guess_t *g, ngx_uint_t force);
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

    ngx_shmtx_lock(&g.pool->mutex);

    ngx_http_commerce_guess_view(&g, &view);
    reason = commerce_guess_allowed(&g.conf->limits, &view, g.now, &wait);

    ngx_shmtx_unlock(&g.pool->mutex);

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

    ngx_shmtx_lock(&g.pool->mutex);

    ngx_http_commerce_guess_view(&g, &view);
    over = commerce_guess_allowed(&g.conf->limits, &view, g.now, &wait);
    kinds = commerce_guess_counts(&g.conf->limits, &view, class, g.now);

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        if (g.keys[kind] && (kinds & (1U << kind))) {
            ngx_http_commerce_guess_add(&g, kind);
        }
    }

    g.zone->failures[class]++;

    ngx_shmtx_unlock(&g.pool->mutex);

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
    u_char               number[2];
    ngx_uint_t           kind;
    commerce_str_t       session, keys[COMMERCE_GUESS_KINDS];
    commerce_reason_t    reason;
    commerce_keyring_t  *ring;

    ngx_memzero(g, sizeof(ngx_http_commerce_guess_t));

    g->conf = &((ngx_http_commerce_coupon_main_conf_t *)
                ngx_http_get_module_main_conf(c->request, ngx_http_commerce_coupon_module))->guess;

    if (g->conf->zone == NULL || !c->verified) {
        return NGX_DECLINED;
    }

    g->zone = g->conf->zone->data;
    g->pool = (ngx_slab_pool_t *) g->conf->zone->shm.addr;
    g->now = c->now * 1000;             /* whole seconds, as everywhere where time decides */

    ring = ngx_http_commerce_coupon_core->keyring(c);
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

        if (!counts && g->zone->entries[kind] == 0) {
            continue;
        }

        if (ngx_http_commerce_guess_key(g, ring, c->shop, kind, keys[kind]) == NGX_OK) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0, "commerce: a guess could not be judged");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a window is that of a rate: after a reload with another limit it begins anew, and nothing is misread */

static ngx_int_t
ngx_http_commerce_guess_key(ngx_http_commerce_guess_t *g, commerce_keyring_t *ring, commerce_str_t shop,
    commerce_guess_kind_t kind, commerce_str_t data)
{
    u_char            *p, text[NGX_HTTP_COMMERCE_GUESS_KEY];
    uint8_t            digest[32];
    commerce_rate_t   *rate;

    if (data.len == 0) {
        return NGX_OK;
    }

    rate = &g->conf->limits.rates[kind];

    p = ngx_cpymem(text, g->zone->secret, NGX_HTTP_COMMERCE_GUESS_SECRET);
    *p++ = (u_char) kind;
    p = ngx_cpymem(p, &rate->limit, 4);
    p = ngx_cpymem(p, &rate->period, 4);
    *p++ = (u_char) shop.len;
    p = ngx_cpymem(p, shop.data, shop.len);
    p = ngx_cpymem(p, data.data, data.len);

    if (commerce_keyring_sha256(ring, text, p - text, digest) != COMMERCE_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(&g->keys[kind], digest, sizeof(ngx_rbtree_key_t));
    g->keys[kind] |= g->keys[kind] == 0;

    return NGX_OK;
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


static ngx_rbtree_node_t *
ngx_http_commerce_guess_descend(ngx_http_commerce_guess_t *g, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t  *node;

    node = g->zone->tree.root;

    while (node != g->zone->tree.sentinel) {

        if (key == node->key) {
            return node;
        }

        node = key < node->key ? node->left : node->right;
    }

    return NULL;
}


static commerce_window_t *
ngx_http_commerce_guess_find(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind)
{
    ngx_rbtree_node_t  *node;

    node = g->keys[kind] ? ngx_http_commerce_guess_descend(g, g->keys[kind]) : NULL;

    return node ? &((ngx_http_commerce_guess_node_t *) &node->color)->window : NULL;
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
    int64_t                          keep;
    commerce_rate_t                 *rate;
    ngx_rbtree_node_t               *node;
    ngx_http_commerce_guess_node_t  *gn;

    node = ngx_http_commerce_guess_descend(g, g->keys[kind]);

    if (node == NULL) {
        node = ngx_http_commerce_guess_make(g, kind);

        if (node == NULL) {
            g->zone->lost++;
            return;
        }
    }

    gn = (ngx_http_commerce_guess_node_t *) &node->color;
    rate = &g->conf->limits.rates[kind];

    /* two periods hold whatever counts; a user's record is asked whether it is clean */

    keep = (kind == COMMERCE_GUESS_USER ? COMMERCE_GUESS_CLEAN : 2) * (int64_t) rate->period;
    gn->expires = (uint32_t) ((g->now + keep) / 1000 + 1);

    (void) commerce_window_add(&gn->window, rate, g->now);

    ngx_queue_remove(&gn->queue);
    ngx_queue_insert_head(&g->zone->queue, &gn->queue);
}


static ngx_rbtree_node_t *
ngx_http_commerce_guess_make(ngx_http_commerce_guess_t *g, commerce_guess_kind_t kind)
{
    size_t                           size;
    ngx_rbtree_node_t               *node;
    ngx_http_commerce_guess_node_t  *gn;

    size = offsetof(ngx_rbtree_node_t, color) + sizeof(ngx_http_commerce_guess_node_t);

    ngx_http_commerce_guess_expire(g);

    node = ngx_slab_alloc_locked(g->pool, size);

    while (node == NULL && ngx_http_commerce_guess_remove(g, 1)) {
        node = ngx_slab_alloc_locked(g->pool, size);
    }

    if (node == NULL) {
        return NULL;
    }

    gn = (ngx_http_commerce_guess_node_t *) &node->color;
    ngx_memzero(gn, sizeof(ngx_http_commerce_guess_node_t));

    node->key = g->keys[kind];
    gn->kind = (u_char) kind;

    ngx_rbtree_insert(&g->zone->tree, node);
    ngx_queue_insert_head(&g->zone->queue, &gn->queue);
    g->zone->entries[kind]++;

    return node;
}


/* two are looked at for each one that is made: the zone cleans itself */

static void
ngx_http_commerce_guess_expire(ngx_http_commerce_guess_t *g)
{
    if (ngx_http_commerce_guess_remove(g, 0)) {
        (void) ngx_http_commerce_guess_remove(g, 0);
    }
}


static ngx_uint_t
ngx_http_commerce_guess_remove(ngx_http_commerce_guess_t *g, ngx_uint_t force)
{
    ngx_queue_t                     *q;
    ngx_rbtree_node_t               *node;
    ngx_http_commerce_guess_node_t  *gn;

    if (ngx_queue_empty(&g->zone->queue)) {
        return 0;
    }

    q = ngx_queue_last(&g->zone->queue);
    gn = ngx_queue_data(q, ngx_http_commerce_guess_node_t, queue);

    if (gn->expires > g->now / 1000) {

        if (!force) {
            return 0;
        }

        g->zone->evicted++;
    }

    node = (ngx_rbtree_node_t *) ((u_char *) gn - offsetof(ngx_rbtree_node_t, color));

    g->zone->entries[gn->kind]--;
    ngx_queue_remove(q);
    ngx_rbtree_delete(&g->zone->tree, node);
    ngx_slab_free_locked(g->pool, node);

    return 1;
}


ngx_int_t
ngx_http_commerce_guess_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t                 *pool;
    ngx_http_commerce_guess_zone_t  *gz;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    gz = ngx_slab_calloc(pool, sizeof(ngx_http_commerce_guess_zone_t));

    if (gz == NULL || RAND_bytes(gz->secret, NGX_HTTP_COMMERCE_GUESS_SECRET) != 1) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "commerce: the guessing limits' zone cannot be made");
        return NGX_ERROR;
    }

    ngx_rbtree_init(&gz->tree, &gz->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&gz->queue);

    pool->data = gz;
    pool->log_nomem = 0;
    zone->data = gz;

    return NGX_OK;
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
    g.zone = g.conf->zone->data;
    g.pool = (ngx_slab_pool_t *) g.conf->zone->shm.addr;
    g.now = now_us / 1000000 * 1000;

    if (shop.len == 0) {
        ngx_http_commerce_guess_status_zone(&g, w);

    } else if (ngx_http_commerce_guess_key(&g, ngx_http_commerce_coupon_core->keyring(NULL), shop,
                                           COMMERCE_GUESS_BREAKER, commerce_string("-"))
               == NGX_OK)
    {
        ngx_http_commerce_guess_status_shop(&g, w);
    }
}


static void
ngx_http_commerce_guess_status_zone(ngx_http_commerce_guess_t *g, commerce_write_t *w)
{
    ngx_uint_t                       kind;
    ngx_http_commerce_guess_zone_t  *zone;

    zone = g->zone;

    commerce_write_open(w, "guessing", '{');

    ngx_shmtx_lock(&g->pool->mutex);

    commerce_write_int(w, "bytes", (int64_t) g->conf->zone->shm.size);
    commerce_write_int(w, "bytes_free", (int64_t) (g->pool->pfree * ngx_pagesize));
    commerce_write_int(w, "evicted", (int64_t) zone->evicted);
    commerce_write_int(w, "lost", (int64_t) zone->lost);
    commerce_write_int(w, "wrong", (int64_t) zone->failures[COMMERCE_GUESS_WRONG]);
    commerce_write_int(w, "others", (int64_t) zone->failures[COMMERCE_GUESS_OTHERS]);
    commerce_write_int(w, "typing", (int64_t) zone->failures[COMMERCE_GUESS_TYPING]);
    commerce_write_open(w, "entries", '{');

    for (kind = 0; kind < COMMERCE_GUESS_KINDS; kind++) {
        commerce_write_int(w, commerce_guess_kind_name(kind), (int64_t) zone->entries[kind]);
    }

    ngx_shmtx_unlock(&g->pool->mutex);

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

    ngx_shmtx_lock(&g->pool->mutex);

    window = ngx_http_commerce_guess_find(g, COMMERCE_GUESS_BREAKER);
    count = commerce_window_count(window, rate, g->now);
    wait = commerce_window_wait(window, rate, g->now);
    since = window ? window->since : 0;

    ngx_shmtx_unlock(&g->pool->mutex);

    commerce_write_open(w, "guessing", '{');
    commerce_write_int(w, "wrong", count);
    commerce_write_bool(w, "breaker", wait != 0);

    if (wait != 0) {
        commerce_write_int(w, "since", since);
    }

    commerce_write_close(w, '}');
}
