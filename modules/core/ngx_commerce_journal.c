/*
 * Copyright (C) ngx_commerce authors
 *
 * The event log in a worker.  Plain events are buffered and written by every worker; money events reach the
 * log through the store's outbox, which one elected worker drains on a pool thread.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_DRAIN      4096        /* events a turn */
#define NGX_COMMERCE_HEARTBEAT    60        /* seconds */


typedef struct {
    commerce_log_t        *log;
    u_char                *start, *pos, *end;
    ngx_commerce_writer_t *writer;          /* how many lines are in the buffer */
    ngx_event_t            timer;           /* flush; election; drain */
    ngx_connection_t       dummy;
    ngx_thread_task_t     *task;
    ngx_thread_pool_t     *threads;
    time_t                 heartbeat;       /* when the last one was written */
    time_t                 tried;           /* when lost lines were last to be told of */
    unsigned               draining:1;
} ngx_commerce_journal_t;

typedef struct {
    commerce_log_t        *log;
    commerce_store_t      *store;
    ngx_fd_t               fd;
    commerce_log_drain_t   result;
    int                    rc;
} ngx_commerce_drain_t;


static void ngx_commerce_journal_timer(ngx_event_t *ev);
static void ngx_commerce_journal_heartbeat(void);
static void ngx_commerce_journal_flush(void);
static ngx_int_t ngx_commerce_journal_empty(ngx_commerce_journal_t *j);
static void ngx_commerce_journal_elect(void);
static void ngx_commerce_journal_drain(void);
static ngx_fd_t ngx_commerce_journal_file(ngx_open_file_t *file);
static ngx_uint_t ngx_commerce_journal_pending(void);
static void ngx_commerce_journal_thread(void *data, ngx_log_t *log);
static void ngx_commerce_journal_drained(ngx_event_t *ev);
static void ngx_commerce_journal_started(void);


static ngx_commerce_journal_t  ngx_commerce_journal;


ngx_int_t
ngx_commerce_journal_init(ngx_cycle_t *cycle)
{
    ngx_commerce_journal_t    *j;
    commerce_log_origin_t      origin;
    ngx_commerce_main_conf_t  *mcf;

    j = &ngx_commerce_journal;
    mcf = ngx_commerce_worker->conf;

    ngx_memzero(j, sizeof(ngx_commerce_journal_t));

    if (mcf->log == NULL) {
        return NGX_OK;
    }

    origin.node = ngx_commerce_str(mcf->node);
    origin.epoch = ngx_commerce_worker->epoch;
    origin.worker = ngx_worker;
    origin.config = (commerce_str_t) { (char *) mcf->config_text, 16 };

    j->log = commerce_log_create(&origin);
    j->start = ngx_alloc(mcf->buffer, cycle->log);
    j->threads = ngx_thread_pool_get(cycle, &mcf->threads);
    j->task = ngx_thread_task_alloc(cycle->pool, sizeof(ngx_commerce_drain_t));

    if (j->log == NULL || j->start == NULL || j->threads == NULL || j->task == NULL) {
        return NGX_ERROR;
    }

    j->pos = j->start;
    j->end = j->start + mcf->buffer;

    j->task->handler = ngx_commerce_journal_thread;
    j->task->event.handler = ngx_commerce_journal_drained;
    j->task->event.data = j;
    j->task->event.log = cycle->log;

    j->dummy.fd = (ngx_socket_t) -1;
    j->timer.handler = ngx_commerce_journal_timer;
    j->timer.data = &j->dummy;
    j->timer.log = cycle->log;
    j->timer.cancelable = 1;

    ngx_add_timer(&j->timer, mcf->flush);

    j->writer = ngx_commerce_writer_take();

    ngx_commerce_journal_started();
    ngx_commerce_journal_flush();
    ngx_commerce_writer_tell_gone();

    return NGX_OK;
}


/* an event for the buffer; the body is copied */

void
ngx_commerce_journal_event(commerce_str_t body)
{
    size_t                   need;
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;
    need = body.len + COMMERCE_LOG_LINE_EXTRA;

    if (j->log == NULL || body.len == 0) {
        return;
    }

    if ((size_t) (j->end - j->pos) < need) {
        ngx_commerce_journal_flush();
    }

    if ((size_t) (j->end - j->pos) < need) {
        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->log_dropped, 1);
        return;
    }

    j->pos += commerce_log_line(j->log, body, (char *) j->pos, j->end - j->pos);
    j->writer->waiting++;
}


/* for what must not be told twice, and not be forgotten either */

ngx_int_t
ngx_commerce_journal_event_now(commerce_str_t body)
{
    char                     buffer[2048];
    commerce_str_t           line;
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    line.data = buffer;
    line.len = commerce_log_line(j->log, body, buffer, sizeof(buffer));

    if (line.len == 0) {
        return NGX_ERROR;
    }

    if (commerce_log_append(j->log, ngx_commerce_worker->conf->log->fd, line) != COMMERCE_OK) {
        j->writer->unwritten++;             /* its number is taken */
        return NGX_ERROR;
    }

    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->log_written, 1);
    (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->log_bytes, line.len);

    return NGX_OK;
}


ngx_uint_t
ngx_commerce_journal_elected(void)
{
    return ngx_commerce_journal.log != NULL && commerce_log_elected(ngx_commerce_journal.log);
}


ngx_uint_t
ngx_commerce_journal_draining(void)
{
    return ngx_commerce_journal.draining;
}


void
ngx_commerce_journal_exit(void)
{
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    if (j->log) {
        ngx_commerce_journal_flush();
        ngx_commerce_writer_leave(j->writer);
        commerce_log_destroy(j->log);
        j->log = NULL;
    }
}


static void
ngx_commerce_journal_timer(ngx_event_t *ev)
{
    ngx_commerce_journal_heartbeat();
    ngx_commerce_journal_flush();
    ngx_commerce_journal_elect();
    ngx_commerce_journal_drain();

    /* also while the worker is leaving: it may have long to wait for its clients, and hold the writer's lock */

    ngx_add_timer(ev, ngx_commerce_worker->conf->flush);
}


/* the writer says that it lives: silence in the log means that nothing happened, or that nobody writes */

static void
ngx_commerce_journal_heartbeat(void)
{
    char                     buffer[1024];
    ngx_pool_t              *pool;
    commerce_write_t         w;
    commerce_store_stat_t    stat;
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    if (!commerce_log_elected(j->log) || ngx_commerce_worker->store == NULL
        || ngx_time() - j->heartbeat < NGX_COMMERCE_HEARTBEAT
        || commerce_store_stat(ngx_commerce_worker->store, &stat) != COMMERCE_OK
        || commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "heartbeat",
                                commerce_string(""), ngx_commerce_now_us())
           != COMMERCE_OK)
    {
        return;
    }

    pool = ngx_create_pool(1024, ngx_commerce_worker->cycle->log);
    if (pool == NULL) {
        return;
    }

    j->heartbeat = ngx_time();

    ngx_commerce_writer_tell_gone();

    commerce_write_int(&w, "outbox", (int64_t) stat.outbox);
    commerce_write_int(&w, "in_doubt", ngx_commerce_in_doubt(pool));

    ngx_commerce_journal_event(commerce_event_finish(&w));

    ngx_destroy_pool(pool);
}


static void
ngx_commerce_journal_flush(void)
{
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    /* without a line to write, room that is there again is found once in a while */

    if (j->pos == j->start ? ngx_time() - j->tried >= NGX_COMMERCE_HEARTBEAT
                           : ngx_commerce_journal_empty(j) == NGX_OK)
    {
        j->tried = ngx_time();
        ngx_commerce_writer_tell_own(j->writer);
    }
}


static ngx_int_t
ngx_commerce_journal_empty(ngx_commerce_journal_t *j)
{
    ngx_uint_t               n;
    commerce_str_t           lines;
    ngx_commerce_metrics_t  *m;

    m = ngx_commerce_worker->metrics;

    lines.data = (char *) j->start;
    lines.len = j->pos - j->start;
    n = j->writer->waiting;

    j->pos = j->start;

    if (commerce_log_append(j->log, ngx_commerce_worker->conf->log->fd, lines) != COMMERCE_OK) {
        j->writer->unwritten += n;
        j->writer->waiting = 0;
        (void) ngx_atomic_fetch_add(&m->log_errors, 1);
        (void) ngx_atomic_fetch_add(&m->log_dropped, n);
        ngx_commerce_complain("the event log cannot be written");
        return NGX_ERROR;
    }

    j->writer->waiting = 0;
    (void) ngx_atomic_fetch_add(&m->log_written, n);
    (void) ngx_atomic_fetch_add(&m->log_bytes, lines.len);

    return NGX_OK;
}


static void
ngx_commerce_journal_elect(void)
{
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    if (ngx_commerce_worker->store == NULL || commerce_log_elected(j->log) || ngx_exiting) {
        return;
    }

    if (commerce_log_elect(j->log, commerce_store_log_lock(ngx_commerce_worker->store))) {
        ngx_commerce_worker->metrics->log_elected_pid = ngx_pid;
        ngx_log_error(NGX_LOG_INFO, ngx_commerce_worker->cycle->log, 0,
                      "commerce: this worker writes the money events");
    }
}


static void
ngx_commerce_journal_drain(void)
{
    ngx_commerce_drain_t    *drain;
    ngx_commerce_journal_t  *j;

    j = &ngx_commerce_journal;

    if (j->draining || ngx_commerce_worker->store == NULL || !commerce_log_elected(j->log)
        || !ngx_commerce_journal_pending())
    {
        return;
    }

    drain = j->task->ctx;
    drain->log = j->log;
    drain->store = ngx_commerce_worker->store;

    drain->fd = ngx_commerce_journal_file(ngx_commerce_worker->conf->log);

    if (drain->fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_CRIT, ngx_commerce_worker->cycle->log, ngx_errno,
                      "commerce: dup() of the event log failed");
        return;
    }

    j->task->event.complete = 0;

    if (ngx_thread_task_post(j->threads, j->task) != NGX_OK) {
        (void) close(drain->fd);
        return;
    }

    j->draining = 1;
}


/*
 * A descriptor of the drain's own: USR1 closes the worker's while the thread writes.  Money events are in order over
 * a rotation, too: a worker that has not yet got USR1 must not write into the old file what comes after another
 * one's lines in the new file.
 */

static ngx_fd_t
ngx_commerce_journal_file(ngx_open_file_t *file)
{
    ngx_fd_t         fd;
    ngx_file_info_t  mine, named;

    if (ngx_fd_info(file->fd, &mine) != NGX_FILE_ERROR
        && ngx_file_info(file->name.data, &named) != NGX_FILE_ERROR
        && ngx_file_size(&named) != 0
        && (ngx_file_uniq(&mine) != ngx_file_uniq(&named) || mine.st_dev != named.st_dev))
    {
        fd = ngx_open_file(file->name.data, NGX_FILE_APPEND, NGX_FILE_CREATE_OR_OPEN, NGX_FILE_DEFAULT_ACCESS);

        if (fd != NGX_INVALID_FILE) {
            return fd;
        }

        ngx_commerce_complain("the event log was rotated, and its new file cannot be opened");
    }

    return dup(file->fd);
}


static ngx_uint_t
ngx_commerce_journal_pending(void)
{
    int               rc;
    uint64_t          sequence;
    commerce_str_t    body;
    commerce_view_t  *view;

    if (commerce_view_begin(ngx_commerce_worker->store, &view) != COMMERCE_OK) {
        return 0;
    }

    rc = commerce_view_outbox(view, 0, &sequence, &body);
    commerce_view_end(view);

    return rc == COMMERCE_OK;
}


static void
ngx_commerce_journal_thread(void *data, ngx_log_t *log)
{
    ngx_commerce_drain_t  *drain = data;

    drain->rc = commerce_log_drain(drain->log, drain->store, drain->fd, NGX_COMMERCE_DRAIN,
                                   &drain->result);
}


static void
ngx_commerce_journal_drained(ngx_event_t *ev)
{
    ngx_commerce_drain_t    *drain;
    ngx_commerce_journal_t  *j;
    ngx_commerce_metrics_t  *m;

    j = &ngx_commerce_journal;
    m = ngx_commerce_worker->metrics;
    drain = j->task->ctx;

    j->draining = 0;
    (void) close(drain->fd);

    (void) ngx_atomic_fetch_add(&m->log_written, drain->result.written);
    (void) ngx_atomic_fetch_add(&m->log_bytes, drain->result.bytes);

    if (drain->rc != COMMERCE_OK) {
        (void) ngx_atomic_fetch_add(&m->log_errors, 1);
        ngx_commerce_complain("money events wait: the event log cannot be written");
        return;
    }

    if (drain->result.more) {
        ngx_commerce_journal_drain();
    }
}


/* which build and which configuration the following lines come from */

static void
ngx_commerce_journal_started(void)
{
    char              buffer[1024];
    commerce_write_t  w;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "config",
                             commerce_string(""), ngx_commerce_now_us())
        != COMMERCE_OK)
    {
        return;
    }

    commerce_write_text(&w, "build", commerce_string(NGX_COMMERCE_VERSION));
    commerce_write_int(&w, "abi", NGX_COMMERCE_ABI);
    commerce_write_text(&w, "chain_hash", commerce_string(COMMERCE_LOG_CHAIN_HASH));

    ngx_commerce_journal_event(commerce_event_finish(&w));
}
