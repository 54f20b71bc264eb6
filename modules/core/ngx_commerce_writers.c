/*
 * Copyright (C) ngx_commerce authors
 *
 * Lines that have a number and are in no file: those that a worker had in its memory when it was killed, and those
 * that could not be written.  Each worker counts them in shared memory, so that the log can tell of them afterwards:
 * the event "lost" says whose sequence lacks how many numbers, and that no money was in them, as money events go
 * through the store.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


static ngx_uint_t ngx_commerce_writer_gone(ngx_commerce_writer_t *writer);
static ngx_int_t ngx_commerce_writer_tell(ngx_commerce_writer_t *writer, const char *reason, ngx_uint_t lines);


/* where no place is free, the counts are of this process alone, and nobody tells of them */

ngx_commerce_writer_t *
ngx_commerce_writer_take(void)
{
    ngx_uint_t              i;
    ngx_commerce_writer_t  *writer;

    static ngx_commerce_writer_t  ngx_commerce_writer_alone;

    writer = ngx_commerce_worker->metrics->writers;

    for (i = 0; i < NGX_COMMERCE_WRITERS; i++, writer++) {
        if (writer->pid == 0 && ngx_atomic_cmp_set(&writer->pid, 0, ngx_pid)) {
            break;
        }
    }

    if (i == NGX_COMMERCE_WRITERS) {
        writer = &ngx_commerce_writer_alone;
    }

    writer->epoch = ngx_commerce_worker->epoch;
    writer->worker = ngx_worker;
    writer->waiting = 0;
    writer->unwritten = 0;

    return writer;
}


/* a place with something to tell stays: whoever starts next finds it */

void
ngx_commerce_writer_leave(ngx_commerce_writer_t *writer)
{
    if (writer->waiting == 0 && writer->unwritten == 0) {
        writer->pid = 0;
    }
}


/* what this worker could not write, now that it can */

void
ngx_commerce_writer_tell_own(ngx_commerce_writer_t *writer)
{
    ngx_uint_t  lines = writer->unwritten;

    if (lines != 0 && ngx_commerce_writer_tell(writer, "unwritten", lines) == NGX_OK) {
        writer->unwritten -= lines;
    }
}


/*
 * What workers that are gone have left.  While another process has the number of one of them, it is not seen
 * to be gone: its turn comes later.
 */

void
ngx_commerce_writer_tell_gone(void)
{
    ngx_uint_t              i, lines;
    ngx_atomic_uint_t       pid;
    ngx_commerce_writer_t  *writer;

    writer = ngx_commerce_worker->metrics->writers;

    for (i = 0; i < NGX_COMMERCE_WRITERS; i++, writer++) {
        pid = writer->pid;

        if (!ngx_commerce_writer_gone(writer) || !ngx_atomic_cmp_set(&writer->pid, pid, ngx_pid)) {
            continue;
        }

        lines = writer->waiting + writer->unwritten;

        if (lines != 0
            && ngx_commerce_writer_tell(writer, writer->waiting ? "killed" : "unwritten", lines) != NGX_OK)
        {
            writer->pid = pid;
            continue;
        }

        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->log_dropped, writer->waiting);
        writer->pid = 0;
    }
}


static ngx_uint_t
ngx_commerce_writer_gone(ngx_commerce_writer_t *writer)
{
    ngx_pid_t  pid = (ngx_pid_t) writer->pid;

    return pid != 0 && pid != ngx_pid && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


static ngx_int_t
ngx_commerce_writer_tell(ngx_commerce_writer_t *writer, const char *reason, ngx_uint_t lines)
{
    char              buffer[1024];
    commerce_write_t  w;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &ngx_commerce_worker->events, "lost",
                             commerce_string(""), ngx_commerce_now_us())
        != COMMERCE_OK)
    {
        return NGX_ERROR;
    }

    commerce_write_int(&w, "writer_epoch", (int64_t) writer->epoch);
    commerce_write_int(&w, "writer_worker", (int64_t) writer->worker);
    commerce_write_int(&w, "lines", (int64_t) lines);
    commerce_write_text(&w, "reason", commerce_cstr(reason));

    return ngx_commerce_journal_event_now(commerce_event_finish(&w));
}
