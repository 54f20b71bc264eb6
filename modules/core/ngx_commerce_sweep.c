/*
 * Copyright (C) ngx_commerce authors
 *
 * Orders whose time has come: in-flight time over, deadline over.  The worker that writes the money events
 * does it, by timer; expiry is written with its event like any other step.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_SWEEP  64              /* orders per shop and turn */


static void ngx_commerce_sweep_timer(ngx_event_t *ev);
static void ngx_commerce_sweep_shop(commerce_str_t shop, ngx_pool_t *pool);


static ngx_event_t       ngx_commerce_sweep_event;
static ngx_connection_t  ngx_commerce_sweep_dummy;


void
ngx_commerce_sweep_init(void)
{
    ngx_event_t  *ev;

    ev = &ngx_commerce_sweep_event;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ngx_commerce_sweep_dummy.fd = (ngx_socket_t) -1;

    ev->handler = ngx_commerce_sweep_timer;
    ev->data = &ngx_commerce_sweep_dummy;
    ev->log = ngx_commerce_worker->cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, ngx_commerce_worker->conf->sweep);
}


static void
ngx_commerce_sweep_timer(ngx_event_t *ev)
{
    ngx_str_t   *shop;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    ngx_add_timer(ev, ngx_commerce_worker->conf->sweep);

    ngx_commerce_mend_store();
    ngx_commerce_executor_look();

    if (!ngx_commerce_journal_elected() || ngx_commerce_worker->store == NULL) {
        return;
    }

    pool = ngx_create_pool(4096, ev->log);
    if (pool == NULL) {
        return;
    }

    shop = ngx_commerce_worker->conf->shops.elts;

    for (i = 0; i < ngx_commerce_worker->conf->shops.nelts; i++) {
        ngx_commerce_sweep_shop(ngx_commerce_str(shop[i]), pool);
    }

    ngx_destroy_pool(pool);
}


/* collects first, steps then: a step opens the view itself */

static void
ngx_commerce_sweep_shop(commerce_str_t shop, ngx_pool_t *pool)
{
    int                   rc;
    ngx_uint_t            i, n, turn;
    commerce_time_t       now;
    commerce_arena_t      arena;
    commerce_order_t      due[2], *order, *last;
    commerce_reader_t     reader;
    ngx_commerce_step_t   steps[NGX_COMMERCE_SWEEP];

    arena.alloc = (void *(*)(void *, size_t)) ngx_palloc;
    arena.owner = pool;

    if (commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK) {
        return;
    }

    reader.arena = &arena;
    reader.shop = shop;

    now = ngx_commerce_now_us() / 1000000;
    last = NULL;

    for (turn = 0, n = 0; turn < NGX_COMMERCE_SWEEP; turn++) {
        order = &due[turn & 1];

        rc = last == NULL ? commerce_order_due(&reader, now, order, NULL)
                          : commerce_order_due_after(&reader, now, last, order, NULL);
        if (rc == COMMERCE_ERROR && order->key.len) {

            /* one record that cannot be read must not hold up all that are due after it */

            ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                          "commerce: a due order cannot be read: key \"%*s\"", order->key.len,
                          order->key.data);
            last = order;
            continue;
        }

        if (rc != COMMERCE_OK) {
            break;
        }

        ngx_memzero(&steps[n], sizeof(ngx_commerce_step_t));
        steps[n].shop = shop;
        steps[n].user = order->user;
        steps[n].key = order->key;
        steps[n].step = COMMERCE_STEP_DUE;

        last = order;
        n++;
    }

    commerce_view_end(reader.view);

    for (i = 0; i < n; i++) {
        if (ngx_commerce_order_step(&steps[i]) != NGX_OK) {
            break;
        }
    }
}
