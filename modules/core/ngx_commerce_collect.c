/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention: the worker that writes the money events goes through the store, a few records a second, and lets go what
 * nobody needs any more.  A step is one small transaction; one that meets a conflict is left to the next pass.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_COLLECT        64          /* records looked at in one step */
#define NGX_COMMERCE_COLLECT_STEP   1000        /* between steps of a pass */
#define NGX_COMMERCE_COLLECT_FIRST  60000       /* at most, from the worker's start */


typedef struct {                                /* of the pass at hand */
    ngx_uint_t                 shop;
    commerce_collect_place_t   place;
    commerce_collected_t       sum;             /* of the shop */
    unsigned                   waiting:1;       /* a step is with the executor */
    unsigned                   told:1;          /* ... with the event that has its sum already */
} ngx_commerce_collect_t;


static char *ngx_commerce_retention_word(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_main_conf_t *mcf);
static void ngx_commerce_collect_timer(ngx_event_t *ev);
static ngx_int_t ngx_commerce_collect_step(void);
static ngx_int_t ngx_commerce_collect_fill(ngx_commerce_job_t *job, commerce_collected_t *collected);
static void ngx_commerce_collect_done(ngx_commerce_job_t *job);


static ngx_event_t             ngx_commerce_collect_event;
static ngx_connection_t        ngx_commerce_collect_dummy;
static ngx_commerce_collect_t  ngx_commerce_collect_pass;


char *
ngx_commerce_retention_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_commerce_main_conf_t  *mcf = conf;

    if (mcf->retention_set) {
        return "is duplicate";
    }

    mcf->retention_set = 1;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mcf->retention.orders = COMMERCE_FOREVER;
        mcf->retention.parked = COMMERCE_FOREVER;
        mcf->retention.buyers = COMMERCE_FOREVER;
        mcf->retention.coupons = COMMERCE_FOREVER;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_commerce_retention_word(cf, &value[i], mcf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_commerce_retention_word(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_main_conf_t *mcf)
{
    time_t      t;
    size_t      len;
    ngx_str_t   s;
    ngx_uint_t  i;

    struct {
        ngx_str_t    name;
        int64_t     *kept;
        time_t       least;
        const char  *allowed;
    } words[] = {
        { ngx_string("orders="), &mcf->retention.orders, COMMERCE_RETENTION_ORDERS_MIN,
          "orders=forever or at least 30d" },
        { ngx_string("parked="), &mcf->retention.parked, COMMERCE_RETENTION_PARKED_MIN,
          "parked=forever or at least 1d" },
        { ngx_string("buyers="), &mcf->retention.buyers, COMMERCE_RETENTION_BUYERS_MIN,
          "buyers=forever or at least 400d" },
        { ngx_string("coupons="), &mcf->retention.coupons, COMMERCE_RETENTION_COUPONS_MIN,
          "coupons=forever or at least 366d" },
        { ngx_string("every="), NULL, 1, "every=1s or more, for example every=1h" }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        len = words[i].name.len;

        if (word->len <= len || ngx_strncmp(word->data, words[i].name.data, len) != 0) {
            continue;
        }

        s.data = word->data + len;
        s.len = word->len - len;

        if (words[i].kept && s.len == 7 && ngx_strncmp(s.data, "forever", 7) == 0) {
            *words[i].kept = COMMERCE_FOREVER;
            return NGX_CONF_OK;
        }

        t = ngx_parse_time(&s, 1);

        if (t == (time_t) NGX_ERROR || t < words[i].least || t > NGX_MAX_INT32_VALUE) {
            return ngx_commerce_invalid(cf, word, words[i].allowed);
        }

        if (words[i].kept) {
            *words[i].kept = t;

        } else {
            mcf->collect = (ngx_msec_t) t * 1000;
        }

        return NGX_CONF_OK;
    }

    return ngx_commerce_invalid(cf, word, "off, orders=, parked=, buyers=, coupons=, every=");
}


void
ngx_commerce_collect_init(void)
{
    ngx_event_t  *ev;

    ngx_memzero(&ngx_commerce_collect_pass, sizeof(ngx_commerce_collect_t));

    ev = &ngx_commerce_collect_event;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ngx_commerce_collect_dummy.fd = (ngx_socket_t) -1;

    ev->handler = ngx_commerce_collect_timer;
    ev->data = &ngx_commerce_collect_dummy;
    ev->log = ngx_commerce_worker->cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, ngx_min(ngx_commerce_worker->conf->collect, NGX_COMMERCE_COLLECT_FIRST));
}


static void
ngx_commerce_collect_timer(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_commerce_collect_t   *pass;

    pass = &ngx_commerce_collect_pass;
    rc = NGX_OK;

    if (!pass->waiting && ngx_commerce_journal_elected() && ngx_commerce_worker->store) {
        rc = ngx_commerce_collect_step();
    }

    ngx_add_timer(ev, rc == NGX_DONE ? ngx_commerce_worker->conf->collect
                                     : ngx_min(ngx_commerce_worker->conf->collect, NGX_COMMERCE_COLLECT_STEP));
}


/* NGX_DONE: the pass is over */

static ngx_int_t
ngx_commerce_collect_step(void)
{
    ngx_int_t                rc;
    ngx_commerce_job_t      *job;
    commerce_collected_t    *collected;
    ngx_commerce_collect_t  *pass;

    pass = &ngx_commerce_collect_pass;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return NGX_OK;
    }

    collected = commerce_alloc(&job->arena, sizeof(commerce_collected_t));

    if (collected == NULL) {
        ngx_commerce_job_free(job);
        return NGX_OK;
    }

    rc = ngx_commerce_collect_fill(job, collected);

    job->data = collected;
    job->patient = 1;
    job->done = ngx_commerce_collect_done;

    if (job->txn.failed || job->txn.count == 0 || ngx_commerce_job_submit(job) != NGX_OK) {
        ngx_commerce_job_free(job);
        pass->told = 0;

    } else {
        pass->waiting = 1;
    }

    return rc;
}


static ngx_int_t
ngx_commerce_collect_fill(ngx_commerce_job_t *job, commerce_collected_t *collected)
{
    int                        rc;
    ngx_str_t                 *shop;
    commerce_reader_t          reader;
    commerce_ledger_t          ledger;
    ngx_commerce_collect_t    *pass;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_commerce_worker->conf;
    pass = &ngx_commerce_collect_pass;

    if (pass->shop >= mcf->shops.nelts) {
        ngx_memzero(pass, sizeof(ngx_commerce_collect_t));
        return NGX_DONE;
    }

    if (commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK) {
        return NGX_OK;
    }

    shop = mcf->shops.elts;

    reader.arena = &job->arena;
    reader.shop = ngx_commerce_str(shop[pass->shop]);

    ledger.reader = &reader;
    ledger.txn = &job->txn;
    ledger.events = &ngx_commerce_worker->events;
    ledger.now_us = ngx_commerce_now_us();
    ledger.now = ledger.now_us / 1000000;

    rc = commerce_collect(&ledger, &mcf->retention, NGX_COMMERCE_COLLECT, &pass->place, collected);

    commerce_view_end(reader.view);

    if (rc == COMMERCE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_commerce_worker->cycle->log, 0,
                      "commerce: what could be let go cannot be read");
    }

    if (rc == COMMERCE_OK) {
        return NGX_OK;
    }

    commerce_collect_add(&pass->sum, collected);

    if (commerce_collect_sum(&pass->sum) != 0) {
        commerce_collect_event(&ledger, &pass->sum);
        pass->told = 1;
    }

    ngx_memzero(&pass->place, sizeof(commerce_collect_place_t));
    ngx_memzero(&pass->sum, sizeof(commerce_collected_t));
    pass->shop++;

    return NGX_OK;
}


static void
ngx_commerce_collect_done(ngx_commerce_job_t *job)
{
    ngx_uint_t               told;
    ngx_commerce_metrics_t  *m;
    commerce_collected_t    *collected = job->data;

    told = ngx_commerce_collect_pass.told;
    ngx_commerce_collect_pass.told = 0;
    ngx_commerce_collect_pass.waiting = 0;

    if (job->txn.result != COMMERCE_TXN_APPLIED) {
        return;                         /* found again by the next pass */
    }

    m = ngx_commerce_worker->metrics;

    if (!told) {
        commerce_collect_add(&ngx_commerce_collect_pass.sum, collected);
    }

    (void) ngx_atomic_fetch_add(&m->collected, (ngx_atomic_int_t) commerce_collect_sum(collected));
}
