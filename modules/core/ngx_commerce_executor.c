/*
 * Copyright (C) ngx_commerce authors
 *
 * Transactions on the thread pool.  What requests queued while the last batch ran goes out as the next one:
 * one commit, one pair of syncs.  The event loop never waits for the store's writer lock.
 *
 * A deadline rules it.  A job still queued then has a definite no; a job in the running batch is unknown; while
 * the running batch is overdue, or the queue full, new jobs are shed at the door.
 */

#include "ngx_commerce_core.h"


typedef struct {
    ngx_queue_t            waiting;
    ngx_uint_t             nwaiting;
    ngx_commerce_job_t   **batch;           /* of the running batch */
    commerce_txn_t       **txns;
    ngx_uint_t             nbatch;
    ngx_msec_t             started;
    ngx_thread_pool_t     *threads;
    ngx_thread_task_t     *task;
    ngx_event_t            guard;
    ngx_connection_t       dummy;           /* what debug logging of a timer looks at */
    ngx_queue_t            spare;           /* jobs whose pools are used again */
    ngx_uint_t             nspare;
    unsigned               running:1;
} ngx_commerce_executor_t;

typedef struct {
    commerce_store_t      *store;
    commerce_txn_t       **txns;
    ngx_uint_t             n;
} ngx_commerce_batch_t;


#define NGX_COMMERCE_SPARE_JOBS    1024
#define NGX_COMMERCE_SPARE_BLOCKS  4        /* of 8 KB: a spare is to be as small as most transactions are */


static ngx_uint_t ngx_commerce_job_small(ngx_commerce_job_t *job);
static void ngx_commerce_executor_start(void);
static void ngx_commerce_executor_thread(void *data, ngx_log_t *log);
static void ngx_commerce_executor_finished(ngx_event_t *ev);
static void ngx_commerce_executor_guard(ngx_event_t *ev);
static void ngx_commerce_executor_expire_waiting(ngx_msec_t deadline);
static void ngx_commerce_executor_expire_running(ngx_msec_t deadline);
static void ngx_commerce_executor_answer_all(ngx_queue_t *jobs, ngx_uint_t refused);
static void ngx_commerce_executor_answer(ngx_commerce_job_t *job, commerce_txn_result_t result);
static void ngx_commerce_executor_report(ngx_uint_t failed);
static void ngx_commerce_executor_held_back(ngx_uint_t n);
static ngx_uint_t ngx_commerce_executor_overdue(void);


static ngx_commerce_executor_t  ngx_commerce_executor;


ngx_int_t
ngx_commerce_executor_init(ngx_cycle_t *cycle)
{
    ngx_commerce_batch_t      *batch;
    ngx_commerce_executor_t   *ex;
    ngx_commerce_main_conf_t  *mcf;

    ex = &ngx_commerce_executor;
    mcf = ngx_commerce_worker->conf;

    ngx_memzero(ex, sizeof(ngx_commerce_executor_t));
    ngx_queue_init(&ex->waiting);
    ngx_queue_init(&ex->spare);

    ex->batch = ngx_alloc(mcf->batch * sizeof(ngx_commerce_job_t *), cycle->log);
    ex->txns = ngx_alloc(mcf->batch * sizeof(commerce_txn_t *), cycle->log);

    ex->threads = ngx_thread_pool_get(cycle, &mcf->threads);
    ex->task = ngx_thread_task_alloc(cycle->pool, sizeof(ngx_commerce_batch_t));

    if (ex->batch == NULL || ex->txns == NULL || ex->threads == NULL || ex->task == NULL) {
        return NGX_ERROR;
    }

    batch = ex->task->ctx;
    batch->txns = ex->txns;

    ex->task->handler = ngx_commerce_executor_thread;
    ex->task->event.handler = ngx_commerce_executor_finished;
    ex->task->event.data = ex;
    ex->task->event.log = cycle->log;

    /* not cancelable: an old worker must not leave while a request of its own waits for the store */

    ex->dummy.fd = (ngx_socket_t) -1;
    ex->guard.handler = ngx_commerce_executor_guard;
    ex->guard.data = &ex->dummy;
    ex->guard.log = cycle->log;

    return NGX_OK;
}


ngx_commerce_job_t *
ngx_commerce_job_create(void)
{
    ngx_pool_t               *pool;
    ngx_queue_t              *q;
    ngx_commerce_job_t       *job;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    if (ex->nspare) {
        q = ngx_queue_head(&ex->spare);
        ngx_queue_remove(q);
        ex->nspare--;

        job = ngx_queue_data(q, ngx_commerce_job_t, queue);
        pool = job->pool;

    } else {
        pool = ngx_create_pool(8192, ngx_commerce_worker->cycle->log);
        if (pool == NULL) {
            return NULL;
        }
    }

    job = ngx_pcalloc(pool, sizeof(ngx_commerce_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->arena.alloc = (void *(*)(void *, size_t)) ngx_palloc;
    job->arena.owner = pool;

    commerce_txn_init(&job->txn, &job->arena);

    return job;
}


void
ngx_commerce_job_free(ngx_commerce_job_t *job)
{
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    if (ex->nspare >= NGX_COMMERCE_SPARE_JOBS || !ngx_commerce_job_small(job)) {
        ngx_destroy_pool(job->pool);
        return;
    }

    /* the job itself stands in its pool, and is not written over before it is taken */

    ngx_reset_pool(job->pool);
    ngx_queue_insert_head(&ex->spare, &job->queue);
    ex->nspare++;
}


/* a worker that wrote a cart of thousands of refunds once must not keep their megabytes for ever */

static ngx_uint_t
ngx_commerce_job_small(ngx_commerce_job_t *job)
{
    ngx_uint_t   n;
    ngx_pool_t  *block;

    for (n = 1, block = job->pool->d.next; block; block = block->d.next) {
        n++;
    }

    return n <= NGX_COMMERCE_SPARE_BLOCKS;
}


/* no thread looks at a spare: also one that is in a batch while the worker ends does not */

void
ngx_commerce_executor_exit(void)
{
    ngx_queue_t              *q;
    ngx_commerce_job_t       *job;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    while (ex->nspare) {
        q = ngx_queue_head(&ex->spare);
        ngx_queue_remove(q);
        ex->nspare--;

        job = ngx_queue_data(q, ngx_commerce_job_t, queue);
        ngx_destroy_pool(job->pool);
    }
}


ngx_int_t
ngx_commerce_job_submit(ngx_commerce_job_t *job)
{
    ngx_uint_t                 room;
    ngx_commerce_executor_t   *ex;
    ngx_commerce_main_conf_t  *mcf;

    ex = &ngx_commerce_executor;
    mcf = ngx_commerce_worker->conf;

    /* outcomes of orders may wait longer and crowd more than requests */
    room = job->patient ? mcf->queue * 2 : mcf->queue;

    if (ngx_commerce_worker->store == NULL
        || ex->nwaiting >= room
        || (!job->patient && ngx_commerce_executor_overdue()))
    {
        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->shed, 1);
        return NGX_DECLINED;
    }

    job->queued = ngx_current_msec;
    ngx_queue_insert_tail(&ex->waiting, &job->queue);
    ex->nwaiting++;

    if (!ex->guard.timer_set) {
        ngx_add_timer(&ex->guard, ngx_min(mcf->deadline / 4 + 1, 100));
    }

    if (!ex->running) {
        ngx_commerce_executor_start();
    }

    return NGX_OK;
}


ngx_uint_t
ngx_commerce_executor_in_flight(void)
{
    return ngx_commerce_executor.nwaiting
           + (ngx_commerce_executor.running ? ngx_commerce_executor.nbatch : 0);
}


static ngx_uint_t
ngx_commerce_executor_overdue(void)
{
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    return ex->running && ngx_current_msec - ex->started > ngx_commerce_worker->conf->deadline;
}


static void
ngx_commerce_executor_start(void)
{
    ngx_uint_t                i;
    ngx_queue_t               refused;
    ngx_queue_t              *q;
    ngx_commerce_job_t       *job;
    ngx_commerce_batch_t     *batch;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    for (ex->nbatch = 0;
         ex->nbatch < ngx_commerce_worker->conf->batch && !ngx_queue_empty(&ex->waiting);
         ex->nbatch++)
    {
        q = ngx_queue_head(&ex->waiting);
        ngx_queue_remove(q);
        ex->nwaiting--;

        job = ngx_queue_data(q, ngx_commerce_job_t, queue);
        job->running = 1;

        ex->batch[ex->nbatch] = job;
        ex->txns[ex->nbatch] = &job->txn;
    }

    if (ex->nbatch == 0) {
        return;
    }

    batch = ex->task->ctx;
    batch->store = ngx_commerce_worker->store;
    batch->n = ex->nbatch;

    ex->started = ngx_current_msec;
    ex->running = 1;
    ex->task->event.complete = 0;

    if (ngx_thread_task_post(ex->threads, ex->task) != NGX_OK) {

        /* the pool's queue is full: a definite no */

        ngx_queue_init(&refused);

        for (i = 0; i < ex->nbatch; i++) {
            ngx_queue_insert_tail(&refused, &ex->batch[i]->queue);
        }

        ex->running = 0;
        ngx_commerce_executor_answer_all(&refused, 1);
    }
}


static void
ngx_commerce_executor_thread(void *data, ngx_log_t *log)
{
    ngx_commerce_batch_t  *batch = data;

    (void) commerce_store_apply(batch->store, batch->txns, batch->n);
}


static void
ngx_commerce_executor_finished(ngx_event_t *ev)
{
    ngx_uint_t                i, n, failed, held;
    ngx_queue_t               done;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    /* detach the finished batch and start the next one before anybody is resumed */

    ngx_queue_init(&done);
    failed = 0;
    held = 0;
    n = ex->nbatch;

    for (i = 0; i < n; i++) {
        ngx_queue_insert_tail(&done, &ex->batch[i]->queue);
        failed |= (ex->batch[i]->txn.result == COMMERCE_TXN_UNAVAILABLE);
        held += (ex->batch[i]->txn.result == COMMERCE_TXN_UPGRADING);
    }

    ngx_commerce_executor_report(failed);
    ngx_commerce_executor_held_back(held);

    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->batches, 1);
    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->jobs, n);

    ex->running = 0;
    ngx_commerce_executor_start();

    ngx_commerce_executor_answer_all(&done, 0);
}


static void
ngx_commerce_executor_answer_all(ngx_queue_t *jobs, ngx_uint_t refused)
{
    ngx_queue_t         *q;
    ngx_commerce_job_t  *job;

    while (!ngx_queue_empty(jobs)) {
        q = ngx_queue_head(jobs);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_commerce_job_t, queue);
        job->running = 0;

        ngx_commerce_executor_answer(job, refused ? COMMERCE_TXN_UNAVAILABLE : job->txn.result);
    }
}


/* the job is freed here; whoever resumes may queue new ones */

static void
ngx_commerce_executor_answer(ngx_commerce_job_t *job, commerce_txn_result_t result)
{
    job->txn.result = result;

    if (!job->answered) {
        job->done(job);

    } else if (job->late) {
        job->late(job);
    }

    ngx_commerce_job_free(job);
}


/* on an idle worker no batch finds out */

void
ngx_commerce_executor_look(void)
{
    commerce_store_t  *store;

    store = ngx_commerce_worker->store;

    if (store && !commerce_store_replaced(store) && commerce_store_look(store)) {
        ngx_commerce_executor_report(1);
    }
}


static void
ngx_commerce_executor_report(ngx_uint_t failed)
{
    ngx_commerce_metrics_t  *metrics;

    metrics = ngx_commerce_worker->metrics;

    if (!failed) {
        metrics->store_failed = 0;
        return;
    }

    metrics->store_failed = commerce_store_replaced(ngx_commerce_worker->store) ? 2 : 1;
    ngx_commerce_complain(commerce_store_error(ngx_commerce_worker->store));
}


static void
ngx_commerce_executor_held_back(ngx_uint_t n)
{
    static time_t  told;

    if (n == 0) {
        return;
    }

    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->held_back, n);

    if (ngx_time() - told >= 60) {
        told = ngx_time();
        ngx_log_error(NGX_LOG_WARN, ngx_commerce_worker->cycle->log, 0, "commerce: %s",
                      commerce_store_error(ngx_commerce_worker->store));
    }
}


static void
ngx_commerce_executor_guard(ngx_event_t *ev)
{
    ngx_msec_t                deadline;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;
    deadline = ngx_commerce_worker->conf->deadline;

    ngx_commerce_executor_expire_waiting(deadline);
    ngx_commerce_executor_expire_running(deadline);

    if (!ex->running) {
        ngx_commerce_executor_start();      /* the pool refused the batch before these */
    }

    if (ex->running || ex->nwaiting) {
        if (!ex->guard.timer_set) {
            ngx_add_timer(&ex->guard, ngx_min(deadline / 4 + 1, 100));
        }
    }
}


static void
ngx_commerce_executor_expire_waiting(ngx_msec_t deadline)
{
    ngx_queue_t              *q, *next, expired;
    ngx_commerce_job_t       *job;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;
    ngx_queue_init(&expired);

    for (q = ngx_queue_head(&ex->waiting); q != ngx_queue_sentinel(&ex->waiting); q = next) {
        next = ngx_queue_next(q);
        job = ngx_queue_data(q, ngx_commerce_job_t, queue);

        if (!job->patient && ngx_current_msec - job->queued > deadline) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&expired, q);
            ex->nwaiting--;
        }
    }

    if (!ngx_queue_empty(&expired)) {
        ngx_commerce_complain("transactions wait longer than the deadline");
        ngx_commerce_executor_answer_all(&expired, 1);
    }
}


/*
 * The thread still owns these jobs' transactions: only the waiter is told, through a result that is not the
 * transaction's, and the real one goes to late().
 */

static void
ngx_commerce_executor_expire_running(ngx_msec_t deadline)
{
    ngx_uint_t                i;
    ngx_commerce_job_t       *job;
    ngx_commerce_executor_t  *ex;

    ex = &ngx_commerce_executor;

    if (!ngx_commerce_executor_overdue()) {
        return;
    }

    for (i = 0; i < ex->nbatch; i++) {
        job = ex->batch[i];

        if (job->patient || job->answered) {
            continue;
        }

        ngx_commerce_complain("a batch is running longer than the deadline");

        job->answered = 1;
        job->done(job);
    }
}
