/*
 * Copyright (C) ngx_commerce authors
 *
 * The latest explanations, for the status: what commerce explain finds in the log for any order, here for as many of
 * the last ones as a zone of shared memory holds.  They may be lost.
 *
 * The zone has two halves.  One is filled; when it is full, the other one, which is older, is emptied and filled.
 */

#include "ngx_http_commerce_attribution.h"


#define NGX_HTTP_COMMERCE_RECENT_SIZE  (1024 * 1024)
#define NGX_HTTP_COMMERCE_RECENT_MIN   (64 * 1024)
#define NGX_HTTP_COMMERCE_RECENT_TAKEN  (16 * 1024)     /* of a zone, by the allocator */

typedef struct {
    uint32_t                 length;        /* of the JSON behind the names */
    uint16_t                 shop, key;     /* lengths of the names */
} ngx_http_commerce_recent_entry_t;

typedef struct {
    size_t                   size;          /* of a half */
    size_t                   used[2];
    ngx_uint_t               filling;
    u_char                  *halves[2];
} ngx_http_commerce_recent_t;


static ngx_int_t ngx_http_commerce_recent_init(ngx_shm_zone_t *zone, void *data);
static ngx_uint_t ngx_http_commerce_recent_find(ngx_http_commerce_recent_t *recent, ngx_uint_t half,
    commerce_str_t shop, commerce_str_t key, commerce_str_t *found);
static ngx_int_t ngx_http_commerce_recent_key(ngx_http_request_t *r, commerce_str_t *key);


/* of an order that is being decided; too long to be kept, or no zone: it stands in the log alone */

void
ngx_http_commerce_recent_add(ngx_commerce_case_t *c, commerce_str_t json)
{
    u_char                                *p;
    size_t                                 size;
    commerce_str_t                         key;
    ngx_shm_zone_t                        *zone;
    ngx_slab_pool_t                       *pool;
    ngx_http_commerce_recent_t            *recent;
    ngx_http_commerce_recent_entry_t       entry;
    ngx_http_commerce_explain_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(c->request, ngx_http_commerce_attribution_module);
    zone = mcf->recent;

    if (zone == NULL || json.len == 0) {
        return;
    }

    key = c->order->key;
    recent = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;

    entry.length = (uint32_t) json.len;
    entry.shop = (uint16_t) c->shop.len;
    entry.key = (uint16_t) key.len;
    size = sizeof(ngx_http_commerce_recent_entry_t) + c->shop.len + key.len + json.len;

    if (size > recent->size) {
        return;
    }

    ngx_shmtx_lock(&pool->mutex);

    if (size > recent->size - recent->used[recent->filling]) {
        recent->filling = !recent->filling;
        recent->used[recent->filling] = 0;
    }

    p = recent->halves[recent->filling] + recent->used[recent->filling];
    p = ngx_cpymem(p, &entry, sizeof(ngx_http_commerce_recent_entry_t));
    p = ngx_cpymem(p, c->shop.data, c->shop.len);
    p = ngx_cpymem(p, key.data, key.len);
    ngx_memcpy(p, json.data, json.len);

    recent->used[recent->filling] += size;

    ngx_shmtx_unlock(&pool->mutex);
}


/* the status' member explanation: of ?order=KEY, in each shop that has one */

void
ngx_http_commerce_recent_status(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop, int64_t now_us)
{
    ngx_uint_t                              found;
    commerce_str_t                          key, json;
    ngx_slab_pool_t                        *pool;
    ngx_http_commerce_recent_t             *recent;
    ngx_http_commerce_explain_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_commerce_attribution_module);

    if (shop.len == 0 || mcf->recent == NULL || ngx_http_commerce_recent_key(r, &key) != NGX_OK) {
        return;
    }

    recent = mcf->recent->data;
    pool = (ngx_slab_pool_t *) mcf->recent->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    found = ngx_http_commerce_recent_find(recent, recent->filling, shop, key, &json)
            || ngx_http_commerce_recent_find(recent, !recent->filling, shop, key, &json);

    if (found) {
        commerce_write_name(w, "explanation");
        commerce_write_json_value(w, json);
    }

    ngx_shmtx_unlock(&pool->mutex);
}


/* the last one that there is: a request that was decided again has several */

static ngx_uint_t
ngx_http_commerce_recent_find(ngx_http_commerce_recent_t *recent, ngx_uint_t half, commerce_str_t shop,
    commerce_str_t key, commerce_str_t *found)
{
    u_char                            *p, *last;
    ngx_uint_t                         any;
    ngx_http_commerce_recent_entry_t   entry;

    any = 0;
    p = recent->halves[half];
    last = p + recent->used[half];

    while (p < last) {
        ngx_memcpy(&entry, p, sizeof(ngx_http_commerce_recent_entry_t));
        p += sizeof(ngx_http_commerce_recent_entry_t);

        if (entry.shop == shop.len && entry.key == key.len
            && ngx_memcmp(p, shop.data, shop.len) == 0
            && ngx_memcmp(p + shop.len, key.data, key.len) == 0)
        {
            found->data = (char *) p + shop.len + key.len;
            found->len = entry.length;
            any = 1;
        }

        p += entry.shop + entry.key + entry.length;
    }

    return any;
}


static ngx_int_t
ngx_http_commerce_recent_key(ngx_http_request_t *r, commerce_str_t *key)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) "order", 5, &value) != NGX_OK || value.len == 0) {
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(r->pool, value.len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    key->data = (char *) dst;
    src = value.data;
    ngx_unescape_uri(&dst, &src, value.len, 0);
    key->len = (size_t) ((char *) dst - key->data);

    return NGX_OK;
}


/* configuration */

void *
ngx_http_commerce_explain_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_explain_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_explain_main_conf_t));

    if (mcf) {
        mcf->size = NGX_CONF_UNSET_SIZE;
    }

    return mcf;
}


char *
ngx_http_commerce_explain_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_str_t                               name = ngx_string("commerce_explain");
    ngx_http_commerce_explain_main_conf_t  *mcf = conf;

    ngx_conf_init_size_value(mcf->size, NGX_HTTP_COMMERCE_RECENT_SIZE);

    if (mcf->size == 0) {
        return NGX_CONF_OK;
    }

    mcf->recent = ngx_shared_memory_add(cf, &name, mcf->size, &ngx_http_commerce_attribution_module);
    if (mcf->recent == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->recent->init = ngx_http_commerce_recent_init;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_commerce_recent_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t             *pool;
    ngx_http_commerce_recent_t  *recent;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    recent = ngx_slab_calloc(pool, sizeof(ngx_http_commerce_recent_t));

    if (recent) {
        recent->size = (zone->shm.size - NGX_HTTP_COMMERCE_RECENT_TAKEN) / 2 / ngx_pagesize * ngx_pagesize;
        recent->halves[0] = ngx_slab_alloc(pool, recent->size);
        recent->halves[1] = ngx_slab_alloc(pool, recent->size);
    }

    if (recent == NULL || recent->halves[0] == NULL || recent->halves[1] == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "commerce: the zone \"%V\" cannot be made",
                      &zone->shm.name);
        return NGX_ERROR;
    }

    pool->data = recent;
    zone->data = recent;

    return NGX_OK;
}


char *
ngx_http_commerce_explain_recent_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                                 size;
    ngx_str_t                              *value;
    ngx_http_commerce_explain_main_conf_t  *mcf = conf;

    if (mcf->size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->size = 0;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[1]);

    if (size < NGX_HTTP_COMMERCE_RECENT_MIN) {
        return ngx_http_commerce_core->invalid(cf, &value[1], "off, or a size of at least 64k");
    }

    mcf->size = (size_t) size;

    return NGX_CONF_OK;
}
