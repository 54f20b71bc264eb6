/*
 * Copyright (C) ngx_commerce authors
 *
 * Counters in shared memory (they may be lost), and the status as one JSON object.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


#define NGX_COMMERCE_STATUS_SIZE  20480
#define NGX_COMMERCE_STATUS_SHOP  (512 + NGX_COMMERCE_EVENT_SIZE)     /* an explanation is an event */


static ngx_int_t ngx_commerce_metrics_init_zone(ngx_shm_zone_t *zone, void *data);
static void ngx_commerce_status_store(commerce_write_t *w);
static void ngx_commerce_status_log(commerce_write_t *w, ngx_commerce_metrics_t *m);
static void ngx_commerce_status_shops(ngx_http_request_t *r, commerce_write_t *w);
static void ngx_commerce_status_members(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop);
static void ngx_commerce_status_counters(commerce_write_t *w, ngx_commerce_metrics_t *m);
static void ngx_commerce_shop_oldest(commerce_write_t *w, commerce_view_t *view, ngx_pool_t *pool, ngx_str_t *shop);
static int64_t ngx_commerce_shop_doubt(commerce_view_t *view, ngx_pool_t *pool, ngx_str_t *shop);


ngx_int_t
ngx_commerce_metrics_zone(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf)
{
    size_t     size;
    ngx_str_t  name = ngx_string("ngx_commerce");

    size = ngx_align(sizeof(ngx_commerce_metrics_t), ngx_pagesize) + 8 * ngx_pagesize;

    mcf->zone = ngx_shared_memory_add(cf, &name, size, &ngx_commerce_module);
    if (mcf->zone == NULL) {
        return NGX_ERROR;
    }

    mcf->zone->init = ngx_commerce_metrics_init_zone;

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_metrics_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(shpool, sizeof(ngx_commerce_metrics_t));
    if (zone->data == NULL) {
        return NGX_ERROR;
    }

    shpool->data = zone->data;

    return NGX_OK;
}


void
ngx_commerce_count(commerce_reason_t reason)
{
    if (reason != COMMERCE_R(OK)) {
        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->reasons[reason], 1);
    }
}


ngx_int_t
ngx_commerce_status(ngx_http_request_t *r, ngx_str_t *json)
{
    size_t                     size;
    int64_t                    len;
    commerce_write_t           w;
    ngx_commerce_metrics_t    *m;
    ngx_commerce_main_conf_t  *mcf;

    if (ngx_commerce_worker == NULL) {
        return NGX_DECLINED;
    }

    mcf = ngx_commerce_worker->conf;
    m = ngx_commerce_worker->metrics;

    size = NGX_COMMERCE_STATUS_SIZE + mcf->shops.nelts * NGX_COMMERCE_STATUS_SHOP;

    json->data = ngx_palloc(r->pool, size);
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    commerce_write_start(&w, (char *) json->data, size);
    commerce_write_open(&w, NULL, '{');

    commerce_write_open(&w, "build", '{');
    commerce_write_text(&w, "version", commerce_string(NGX_COMMERCE_VERSION));
    commerce_write_int(&w, "abi", NGX_COMMERCE_ABI);
    commerce_write_text(&w, "nginx", commerce_string(NGINX_VERSION));
    commerce_write_close(&w, '}');

    commerce_write_text(&w, "node", ngx_commerce_str(mcf->node));
    commerce_write_int(&w, "epoch", (int64_t) ngx_commerce_worker->epoch);
    commerce_write_int(&w, "worker", (int64_t) ngx_worker);
    commerce_write_int(&w, "pid", (int64_t) ngx_pid);
    commerce_write_text(&w, "config", (commerce_str_t) { (char *) mcf->config_text, 16 });

    ngx_commerce_status_store(&w);
    ngx_commerce_status_log(&w, m);

    ngx_commerce_status_shops(r, &w);
    ngx_commerce_status_members(r, &w, commerce_string(""));
    ngx_commerce_conduct_status(&w);
    ngx_commerce_status_counters(&w, m);

    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "commerce: the status did not fit");
        return NGX_ERROR;
    }

    json->len = (size_t) len;

    return NGX_OK;
}


static void
ngx_commerce_status_store(commerce_write_t *w)
{
    static const commerce_str_t  states[] = {
        commerce_string("ok"), commerce_string("unavailable"), commerce_string("replaced")
    };

    ngx_uint_t                failed;
    commerce_store_t         *store;
    commerce_store_stat_t     stat;
    ngx_commerce_metrics_t   *m;

    store = ngx_commerce_worker->store;
    m = ngx_commerce_worker->metrics;
    failed = store == NULL ? 1 : ngx_min(m->store_failed, 2);

    commerce_write_open(w, "store", '{');
    commerce_write_text(w, "state", states[failed]);

    if (store) {
        commerce_write_optional(w, "error", commerce_cstr(commerce_store_error(store)));

        if (commerce_store_stat(store, &stat) == COMMERCE_OK) {
            commerce_write_int(w, "records", (int64_t) stat.records);
            commerce_write_int(w, "outbox", (int64_t) stat.outbox);
            commerce_write_int(w, "bytes_used", (int64_t) stat.bytes_used);
            commerce_write_int(w, "bytes_map", (int64_t) stat.bytes_map);
            commerce_write_text(w, "id_space", commerce_cstr(stat.id_space));
            commerce_write_int(w, "format", stat.format);
        }
    }

    commerce_write_int(w, "in_flight", (int64_t) ngx_commerce_executor_in_flight());
    commerce_write_int(w, "batches", (int64_t) m->batches);
    commerce_write_int(w, "transactions", (int64_t) m->jobs);
    commerce_write_int(w, "conflicts", (int64_t) m->conflicts);
    commerce_write_int(w, "shed", (int64_t) m->shed);
    commerce_write_int(w, "held_back", (int64_t) m->held_back);
    commerce_write_int(w, "collected", (int64_t) m->collected);
    commerce_write_close(w, '}');
}


static void
ngx_commerce_status_log(commerce_write_t *w, ngx_commerce_metrics_t *m)
{
    commerce_write_open(w, "log", '{');
    commerce_write_int(w, "written", (int64_t) m->log_written);
    commerce_write_int(w, "bytes", (int64_t) m->log_bytes);
    commerce_write_int(w, "dropped", (int64_t) m->log_dropped);
    commerce_write_int(w, "errors", (int64_t) m->log_errors);
    commerce_write_int(w, "writer_pid", (int64_t) m->log_elected_pid);
    commerce_write_close(w, '}');
}


static void
ngx_commerce_status_shops(ngx_http_request_t *r, commerce_write_t *w)
{
    ngx_str_t        *shop;
    ngx_uint_t        i;
    commerce_view_t  *view;

    if (ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &view) != COMMERCE_OK)
    {
        view = NULL;
    }

    shop = ngx_commerce_worker->conf->shops.elts;

    commerce_write_open(w, "shops", '{');

    for (i = 0; i < ngx_commerce_worker->conf->shops.nelts; i++) {

        /* shop[i] is NUL terminated by the configuration parser */
        commerce_write_open(w, (char *) shop[i].data, '{');

        if (view) {
            commerce_write_int(w, "in_doubt", ngx_commerce_shop_doubt(view, r->pool, &shop[i]));
            ngx_commerce_shop_oldest(w, view, r->pool, &shop[i]);
        }

        ngx_commerce_status_members(r, w, ngx_commerce_str(shop[i]));
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, '}');

    if (view) {
        commerce_view_end(view);
    }
}


/* what feature modules have to say */

static void
ngx_commerce_status_members(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop)
{
    int64_t                  now_us;
    ngx_uint_t               i;
    ngx_commerce_status_pt  *handler;

    if (ngx_commerce_worker->conf->status == NULL) {
        return;
    }

    now_us = ngx_commerce_now_us();
    handler = ngx_commerce_worker->conf->status->elts;

    for (i = 0; i < ngx_commerce_worker->conf->status->nelts; i++) {
        handler[i](r, w, shop, now_us);
    }
}


static int64_t
ngx_commerce_shop_doubt(commerce_view_t *view, ngx_pool_t *pool, ngx_str_t *shop)
{
    int64_t           doubt;
    commerce_arena_t  arena;

    arena.alloc = (void *(*)(void *, size_t)) ngx_palloc;
    arena.owner = pool;
    doubt = 0;

    (void) commerce_view_counter(view, commerce_counter_doubt(&arena, ngx_commerce_str(*shop)), &doubt);

    return doubt;
}


/* for how long the oldest of them has been waiting */

static void
ngx_commerce_shop_oldest(commerce_write_t *w, commerce_view_t *view, ngx_pool_t *pool, ngx_str_t *shop)
{
    commerce_str_t     place, user, key;
    commerce_time_t    since, now;
    commerce_arena_t   arena;
    commerce_reader_t  reader;

    arena.alloc = (void *(*)(void *, size_t)) ngx_palloc;
    arena.owner = pool;

    reader.view = view;
    reader.arena = &arena;
    reader.shop = ngx_commerce_str(*shop);

    if (commerce_order_doubted(&reader, commerce_string(""), &place, &since, &user, &key) == COMMERCE_OK) {
        now = ngx_commerce_now_us() / 1000000;
        commerce_write_int(w, "in_doubt_oldest", now > since ? now - since : 0);
    }
}


/* orders in doubt of all shops together */

int64_t
ngx_commerce_in_doubt(ngx_pool_t *pool)
{
    int64_t           sum;
    ngx_str_t        *shop;
    ngx_uint_t        i;
    commerce_view_t  *view;

    if (ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &view) != COMMERCE_OK)
    {
        return 0;
    }

    shop = ngx_commerce_worker->conf->shops.elts;

    for (i = 0, sum = 0; i < ngx_commerce_worker->conf->shops.nelts; i++) {
        sum += ngx_commerce_shop_doubt(view, pool, &shop[i]);
    }

    commerce_view_end(view);

    return sum;
}


static void
ngx_commerce_status_counters(commerce_write_t *w, ngx_commerce_metrics_t *m)
{
    ngx_uint_t                     i;
    const commerce_reason_info_t  *info;

    commerce_write_open(w, "counters", '{');
    commerce_write_int(w, "requests", (int64_t) m->requests);

    for (i = 0; i < COMMERCE_REASON_COUNT; i++) {
        if (m->reasons[i]) {
            info = commerce_reason(i);
            commerce_write_int(w, info->name.data, (int64_t) m->reasons[i]);
        }
    }

    commerce_write_close(w, '}');
}
