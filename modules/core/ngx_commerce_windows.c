/*
 * Copyright (C) ngx_commerce authors
 *
 * Where windows (src/commerce_window.h) are kept for feature modules: a tree and a queue of least recently used
 * entries in shared memory.  Every look-up is one descent; an entry is made by what is counted only.
 */

#include "ngx_commerce_core.h"

#include <openssl/rand.h>


#define NGX_COMMERCE_WINDOWS_SECRET  32

/* secret, kind, limit, period, the shop behind its length, and what the kind is counted by */
#define NGX_COMMERCE_WINDOWS_KEY                                                \
    (NGX_COMMERCE_WINDOWS_SECRET + 1 + 4 + 4 + 1 + COMMERCE_SHOP_MAX + COMMERCE_ID_MAX)


/* 128 bytes, which the slab hands out without loss: kind and expires stand in the tree node's padding */

typedef struct {
    u_char                       color;     /* these two are the tree node's own */
    u_char                       dummy;
    u_char                       kind;
    u_char                       unused;
    uint32_t                     expires;   /* UTC seconds: nobody asks for it any more */
    ngx_queue_t                  queue;
    commerce_window_t            window;
} ngx_commerce_windows_node_t;

typedef struct {
    ngx_commerce_windows_stat_t  stat;      /* first: it is what others see of the zone */
    ngx_rbtree_t                 tree;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  queue;
    u_char                       secret[NGX_COMMERCE_WINDOWS_SECRET];
} ngx_commerce_windows_t;


static ngx_shm_zone_t *ngx_commerce_windows_zone(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag);
static ngx_int_t ngx_commerce_windows_init(ngx_shm_zone_t *zone, void *data);
static void ngx_commerce_windows_lock(ngx_shm_zone_t *zone);
static void ngx_commerce_windows_unlock(ngx_shm_zone_t *zone);
static ngx_int_t ngx_commerce_windows_key(ngx_shm_zone_t *zone, ngx_uint_t kind, const commerce_rate_t *rate,
    commerce_str_t shop, commerce_str_t data, ngx_rbtree_key_t *key);
static ngx_rbtree_node_t *ngx_commerce_windows_descend(ngx_commerce_windows_t *windows, ngx_rbtree_key_t key);
static commerce_window_t *ngx_commerce_windows_find(ngx_shm_zone_t *zone, ngx_rbtree_key_t key);
static void ngx_commerce_windows_add(ngx_shm_zone_t *zone, ngx_uint_t kind, ngx_rbtree_key_t key,
    const commerce_rate_t *rate, int64_t keep, int64_t now);
static ngx_rbtree_node_t *ngx_commerce_windows_make(ngx_shm_zone_t *zone, ngx_uint_t kind, ngx_rbtree_key_t key,
    int64_t now);
static ngx_uint_t ngx_commerce_windows_remove(ngx_shm_zone_t *zone, int64_t now, ngx_uint_t force);


const ngx_commerce_windows_api_t  ngx_commerce_windows_api = {
    ngx_commerce_windows_zone,
    ngx_commerce_windows_lock,
    ngx_commerce_windows_unlock,
    ngx_commerce_windows_key,
    ngx_commerce_windows_find,
    ngx_commerce_windows_add
};


static ngx_shm_zone_t *
ngx_commerce_windows_zone(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, tag);

    if (zone) {
        zone->init = ngx_commerce_windows_init;
    }

    return zone;
}


static ngx_int_t
ngx_commerce_windows_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t         *pool;
    ngx_commerce_windows_t  *windows;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    windows = ngx_slab_calloc(pool, sizeof(ngx_commerce_windows_t));

    if (windows == NULL || RAND_bytes(windows->secret, NGX_COMMERCE_WINDOWS_SECRET) != 1) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "commerce: the zone \"%V\" cannot be made",
                      &zone->shm.name);
        return NGX_ERROR;
    }

    ngx_rbtree_init(&windows->tree, &windows->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&windows->queue);

    pool->data = windows;
    pool->log_nomem = 0;
    zone->data = windows;

    return NGX_OK;
}


static void
ngx_commerce_windows_lock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_lock(&((ngx_slab_pool_t *) zone->shm.addr)->mutex);
}


static void
ngx_commerce_windows_unlock(ngx_shm_zone_t *zone)
{
    ngx_shmtx_unlock(&((ngx_slab_pool_t *) zone->shm.addr)->mutex);
}


/* a window is that of a rate: after a reload with another limit it begins anew, and nothing is misread */

static ngx_int_t
ngx_commerce_windows_key(ngx_shm_zone_t *zone, ngx_uint_t kind, const commerce_rate_t *rate,
    commerce_str_t shop, commerce_str_t data, ngx_rbtree_key_t *key)
{
    u_char                  *p, text[NGX_COMMERCE_WINDOWS_KEY];
    uint8_t                  digest[32];
    ngx_commerce_windows_t  *windows;

    windows = zone->data;

    p = ngx_cpymem(text, windows->secret, NGX_COMMERCE_WINDOWS_SECRET);
    *p++ = (u_char) kind;
    p = ngx_cpymem(p, &rate->limit, 4);
    p = ngx_cpymem(p, &rate->period, 4);
    *p++ = (u_char) shop.len;
    p = ngx_cpymem(p, shop.data, shop.len);
    p = ngx_cpymem(p, data.data, data.len);

    if (commerce_keyring_sha256(ngx_commerce_worker->conf->ring, text, p - text, digest) != COMMERCE_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(key, digest, sizeof(ngx_rbtree_key_t));
    *key |= *key == 0;

    return NGX_OK;
}


static ngx_rbtree_node_t *
ngx_commerce_windows_descend(ngx_commerce_windows_t *windows, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t  *node;

    node = windows->tree.root;

    while (node != windows->tree.sentinel) {

        if (key == node->key) {
            return node;
        }

        node = key < node->key ? node->left : node->right;
    }

    return NULL;
}


static commerce_window_t *
ngx_commerce_windows_find(ngx_shm_zone_t *zone, ngx_rbtree_key_t key)
{
    ngx_rbtree_node_t  *node;

    node = ngx_commerce_windows_descend(zone->data, key);

    return node ? &((ngx_commerce_windows_node_t *) &node->color)->window : NULL;
}


static void
ngx_commerce_windows_add(ngx_shm_zone_t *zone, ngx_uint_t kind, ngx_rbtree_key_t key,
    const commerce_rate_t *rate, int64_t keep, int64_t now)
{
    ngx_rbtree_node_t            *node;
    ngx_commerce_windows_t       *windows;
    ngx_commerce_windows_node_t  *wn;

    windows = zone->data;
    node = ngx_commerce_windows_descend(windows, key);

    if (node == NULL) {
        node = ngx_commerce_windows_make(zone, kind, key, now);

        if (node == NULL) {
            windows->stat.lost++;
            return;
        }
    }

    wn = (ngx_commerce_windows_node_t *) &node->color;
    wn->expires = (uint32_t) ((now + keep) / 1000 + 1);

    (void) commerce_window_add(&wn->window, rate, now);

    ngx_queue_remove(&wn->queue);
    ngx_queue_insert_head(&windows->queue, &wn->queue);
}


static ngx_rbtree_node_t *
ngx_commerce_windows_make(ngx_shm_zone_t *zone, ngx_uint_t kind, ngx_rbtree_key_t key, int64_t now)
{
    size_t                        size;
    ngx_slab_pool_t              *pool;
    ngx_rbtree_node_t            *node;
    ngx_commerce_windows_t       *windows;
    ngx_commerce_windows_node_t  *wn;

    windows = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    size = offsetof(ngx_rbtree_node_t, color) + sizeof(ngx_commerce_windows_node_t);

    /* two are looked at for each one that is made: the zone cleans itself */

    if (ngx_commerce_windows_remove(zone, now, 0)) {
        (void) ngx_commerce_windows_remove(zone, now, 0);
    }

    node = ngx_slab_alloc_locked(pool, size);

    while (node == NULL && ngx_commerce_windows_remove(zone, now, 1)) {
        node = ngx_slab_alloc_locked(pool, size);
    }

    if (node == NULL) {
        return NULL;
    }

    wn = (ngx_commerce_windows_node_t *) &node->color;
    ngx_memzero(wn, sizeof(ngx_commerce_windows_node_t));

    node->key = key;
    wn->kind = (u_char) kind;

    ngx_rbtree_insert(&windows->tree, node);
    ngx_queue_insert_head(&windows->queue, &wn->queue);
    windows->stat.entries[kind]++;

    return node;
}


static ngx_uint_t
ngx_commerce_windows_remove(ngx_shm_zone_t *zone, int64_t now, ngx_uint_t force)
{
    ngx_queue_t                  *q;
    ngx_rbtree_node_t            *node;
    ngx_commerce_windows_t       *windows;
    ngx_commerce_windows_node_t  *wn;

    windows = zone->data;

    if (ngx_queue_empty(&windows->queue)) {
        return 0;
    }

    q = ngx_queue_last(&windows->queue);
    wn = ngx_queue_data(q, ngx_commerce_windows_node_t, queue);

    if (wn->expires > now / 1000) {

        if (!force) {
            return 0;
        }

        windows->stat.evicted++;
    }

    node = (ngx_rbtree_node_t *) ((u_char *) wn - offsetof(ngx_rbtree_node_t, color));

    windows->stat.entries[wn->kind]--;
    ngx_queue_remove(q);
    ngx_rbtree_delete(&windows->tree, node);
    ngx_slab_free_locked((ngx_slab_pool_t *) zone->shm.addr, node);

    return 1;
}
