/*
 * Copyright (C) ngx_commerce authors
 *
 * Lines are made of the event body, whose last brace is taken off, and three strings that are put
 * together once: before the seq, after it, and before the chain.
 *
 * Seqs: lines and drains take them from one atomic counter, a drain takes a block.  What a failed
 * drain did not get onto the disk stays its spare block, which the next drain uses up before it
 * takes new ones: so there is no gap, whatever lines were made in between.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memrchr() */
#endif

#include "commerce_log.h"
#include "commerce_log_file.h"
#include "../commerce_write.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>


#define COMMERCE_LOG_CHAIN       32
#define COMMERCE_LOG_CHAIN_NAME  ",\"chain\":\""
#define COMMERCE_LOG_EVENTS      4096               /* in one drain */
#define COMMERCE_LOG_BYTES       (4 * 1024 * 1024)  /* in one drain, unless one event is larger */
#define COMMERCE_LOG_CHUNK       (1024 * 1024)      /* in one write() */


struct commerce_log_s {
    char                  before[COMMERCE_LOG_LINE_EXTRA];
    char                  after[COMMERCE_LOG_LINE_EXTRA];
    size_t                before_len, after_len;

    _Atomic uint64_t      seq;              /* last one taken */
    uint64_t              spare, spares;    /* first and number of seqs that a failed drain left */
    uint64_t              synced;           /* outbox sequence on disk, but not yet trimmed */

    char                  chain[COMMERCE_LOG_CHAIN];
    EVP_MD               *hash;
    EVP_MD_CTX           *digest;

    int                   lock;             /* the elected one's, or -1 */
    commerce_log_file_t   file;
};


typedef struct {
    commerce_str_t  *bodies;        /* in the store, until the view ends */
    uint64_t         count;
    uint64_t         last;          /* outbox sequence of the last one */
    size_t           size;
    uint64_t         first_seq;
    bool             spare;
    bool             more;
    char            *lines;
    size_t           len;
    char             chain[COMMERCE_LOG_CHAIN];     /* after the last line */
} commerce_log_batch_t;


static int commerce_log_strings(commerce_log_t *log, const commerce_log_origin_t *origin);
static bool commerce_log_body_valid(commerce_str_t body);
static char *commerce_log_write_line(const commerce_log_t *log, char *p, commerce_str_t body,
    uint64_t seq, const char *chain);
static int commerce_log_run(commerce_log_t *log, commerce_store_t *store, int fd, unsigned limit,
    commerce_log_drain_t *result);
static int commerce_log_trim(commerce_log_t *log, commerce_store_t *store);
static int commerce_log_collect(commerce_log_t *log, commerce_store_t *store, unsigned limit,
    commerce_log_batch_t *batch);
static int commerce_log_list(commerce_view_t *view, uint64_t limit, commerce_log_batch_t *batch);
static void commerce_log_take(commerce_log_t *log, commerce_log_batch_t *batch);
static void commerce_log_settle(commerce_log_t *log, const commerce_log_batch_t *batch,
    uint64_t landed);
static int commerce_log_format(commerce_log_t *log, commerce_log_batch_t *batch);
static int commerce_log_chain(commerce_log_t *log, char chain[COMMERCE_LOG_CHAIN],
    commerce_str_t body);
static int commerce_log_write(commerce_log_t *log, int fd, const commerce_log_batch_t *batch,
    size_t *written);
static uint64_t commerce_log_landed(commerce_log_t *log, const commerce_log_batch_t *batch,
    size_t written);


commerce_log_t *
commerce_log_create(const commerce_log_origin_t *origin)
{
    commerce_log_t  *log;

    log = calloc(1, sizeof(commerce_log_t));
    if (log == NULL) {
        return NULL;
    }

    log->lock = -1;
    atomic_init(&log->seq, 0);
    commerce_log_file_init(&log->file);
    memset(log->chain, '0', COMMERCE_LOG_CHAIN);

    log->hash = EVP_MD_fetch(NULL, COMMERCE_LOG_CHAIN_HASH, NULL);
    log->digest = EVP_MD_CTX_new();

    if (log->hash == NULL || log->digest == NULL
        || commerce_log_strings(log, origin) != COMMERCE_OK)
    {
        commerce_log_destroy(log);
        return NULL;
    }

    return log;
}


void
commerce_log_destroy(commerce_log_t *log)
{
    if (log == NULL) {
        return;
    }

    if (log->lock != -1) {
        close(log->lock);
    }

    EVP_MD_CTX_free(log->digest);
    EVP_MD_free(log->hash);
    free(log);
}


static int
commerce_log_strings(commerce_log_t *log, const commerce_log_origin_t *origin)
{
    int64_t           n;
    commerce_write_t  w;

    /* both are written as an object of their own; its braces give way to a comma and a colon */

    commerce_write_start(&w, log->before, sizeof(log->before));
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "node", origin->node);
    commerce_write_int(&w, "epoch", (int64_t) origin->epoch);
    commerce_write_int(&w, "worker", (int64_t) origin->worker);
    commerce_write_raw(&w, "seq", commerce_string("0"));
    commerce_write_close(&w, '}');

    n = commerce_write_finish(&w);
    if (n < 0) {
        return COMMERCE_ERROR;
    }

    log->before[0] = ',';
    log->before_len = (size_t) n - 2;

    commerce_write_start(&w, log->after, sizeof(log->after));
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "config", origin->config);
    commerce_write_close(&w, '}');

    n = commerce_write_finish(&w);
    if (n < 0) {
        return COMMERCE_ERROR;
    }

    log->after[0] = ',';
    log->after_len = (size_t) n - 1;

    return log->before_len + 20 + log->after_len + sizeof(COMMERCE_LOG_CHAIN_NAME)
           + COMMERCE_LOG_CHAIN + sizeof("\"}\n") <= COMMERCE_LOG_LINE_EXTRA
           ? COMMERCE_OK : COMMERCE_ERROR;
}


bool
commerce_log_elect(commerce_log_t *log, const char *lock_path)
{
    int          fd;
    struct stat  locked, named;

    if (log->lock != -1) {
        return true;
    }

    fd = open(lock_path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);
    if (fd == -1) {
        return false;
    }

    /* a lock on a file that is no longer at the path would not keep the others out */

    if (flock(fd, LOCK_EX|LOCK_NB) != 0 || fstat(fd, &locked) != 0 || stat(lock_path, &named) != 0
        || locked.st_dev != named.st_dev || locked.st_ino != named.st_ino)
    {
        close(fd);
        return false;
    }

    log->lock = fd;

    return true;
}


bool
commerce_log_elected(const commerce_log_t *log)
{
    return log->lock != -1;
}


size_t
commerce_log_line(commerce_log_t *log, commerce_str_t body, char *out, size_t size)
{
    char      *last;
    uint64_t   seq;

    if (!commerce_log_body_valid(body) || size < COMMERCE_LOG_LINE_EXTRA
        || size - COMMERCE_LOG_LINE_EXTRA < body.len)
    {
        return 0;
    }

    seq = atomic_fetch_add_explicit(&log->seq, 1, memory_order_relaxed) + 1;
    last = commerce_log_write_line(log, out, body, seq, NULL);

    return (size_t) (last - out);
}


int
commerce_log_append(commerce_log_t *log, int fd, commerce_str_t lines)
{
    size_t  written;

    return commerce_log_file_append(&log->file, fd, lines, &written);
}


static bool
commerce_log_body_valid(commerce_str_t body)
{
    return body.len >= 3 && body.data[0] == '{' && body.data[body.len - 1] == '}';
}


static char *
commerce_log_write_line(const commerce_log_t *log, char *p, commerce_str_t body, uint64_t seq,
    const char *chain)
{
    char  digits[20], *digit;

    memcpy(p, body.data, body.len - 1);
    p += body.len - 1;

    memcpy(p, log->before, log->before_len);
    p += log->before_len;

    digit = commerce_digits(digits + sizeof(digits), seq);
    memcpy(p, digit, (size_t) (digits + sizeof(digits) - digit));
    p += digits + sizeof(digits) - digit;

    memcpy(p, log->after, log->after_len);
    p += log->after_len;

    if (chain != NULL) {
        memcpy(p, COMMERCE_LOG_CHAIN_NAME, sizeof(COMMERCE_LOG_CHAIN_NAME) - 1);
        p += sizeof(COMMERCE_LOG_CHAIN_NAME) - 1;

        memcpy(p, chain, COMMERCE_LOG_CHAIN);
        p += COMMERCE_LOG_CHAIN;
        *p++ = '"';
    }

    *p++ = '}';
    *p++ = '\n';

    return p;
}


int
commerce_log_drain(commerce_log_t *log, commerce_store_t *store, int fd, unsigned limit,
    commerce_log_drain_t *result)
{
    memset(result, 0, sizeof(commerce_log_drain_t));

    result->error = commerce_log_elected(log)
                    ? commerce_log_run(log, store, fd, limit, result) : EPERM;

    return result->error == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}


/* 0 or errno */

static int
commerce_log_run(commerce_log_t *log, commerce_store_t *store, int fd, unsigned limit,
    commerce_log_drain_t *result)
{
    int                   error;
    size_t                written;
    commerce_log_batch_t  batch;

    /* what an earlier call wrote but could not trim must not be written again, call after call */

    error = commerce_log_trim(log, store);
    if (error != 0) {
        return error;
    }

    error = commerce_log_collect(log, store, limit, &batch);

    if (error != 0 || batch.count == 0) {
        result->more = batch.more;
        return error;
    }

    error = commerce_log_write(log, fd, &batch, &written);

    if (error == 0) {
        error = commerce_log_file_sync(fd);
    }

    if (error != 0) {
        commerce_log_settle(log, &batch, commerce_log_landed(log, &batch, written));
        free(batch.lines);
        result->more = true;
        return error;
    }

    commerce_log_settle(log, &batch, batch.count);
    memcpy(log->chain, batch.chain, COMMERCE_LOG_CHAIN);
    free(batch.lines);

    result->written = batch.count;
    result->bytes = batch.len;
    result->more = batch.more;

    log->synced = batch.last;

    return commerce_log_trim(log, store);
}


static int
commerce_log_trim(commerce_log_t *log, commerce_store_t *store)
{
    if (log->synced == 0) {
        return 0;
    }

    if (commerce_store_outbox_trim(store, log->synced) != COMMERCE_OK) {
        return errno != 0 ? errno : EIO;
    }

    log->synced = 0;

    return 0;
}


/* the lines are copies: the view has ended before the disk is waited for */

static int
commerce_log_collect(commerce_log_t *log, commerce_store_t *store, unsigned limit,
    commerce_log_batch_t *batch)
{
    int               error;
    uint64_t          most;
    commerce_view_t  *view;

    memset(batch, 0, sizeof(commerce_log_batch_t));

    most = limit < COMMERCE_LOG_EVENTS ? limit : COMMERCE_LOG_EVENTS;

    if (log->spares != 0 && most > log->spares) {
        most = log->spares;
    }

    if (commerce_store_thread_view(store, &view) != COMMERCE_OK) {
        return EIO;
    }

    batch->bodies = malloc((most + 1) * sizeof(commerce_str_t));
    error = batch->bodies == NULL ? ENOMEM : commerce_log_list(view, most, batch);

    if (error == 0 && batch->count > 0) {
        batch->lines = malloc(batch->size);

        if (batch->lines == NULL) {
            error = ENOMEM;

        } else {
            commerce_log_take(log, batch);
            error = commerce_log_format(log, batch);

            if (error != 0) {
                commerce_log_settle(log, batch, 0);
                free(batch->lines);
            }
        }
    }

    commerce_view_end(view);
    free(batch->bodies);
    batch->bodies = NULL;

    return error;
}


static int
commerce_log_list(commerce_view_t *view, uint64_t limit, commerce_log_batch_t *batch)
{
    int             rc;
    uint64_t        sequence;
    commerce_str_t  body;

    for ( ;; ) {
        rc = commerce_view_outbox(view, batch->last, &sequence, &body);

        if (rc == COMMERCE_ABSENT) {
            return 0;
        }

        if (rc != COMMERCE_OK) {
            return EIO;
        }

        if (batch->count == limit
            || (batch->count > 0
                && batch->size + body.len + COMMERCE_LOG_LINE_EXTRA > COMMERCE_LOG_BYTES))
        {
            batch->more = true;
            return 0;
        }

        if (!commerce_log_body_valid(body)) {
            return EBADMSG;
        }

        batch->bodies[batch->count++] = body;
        batch->size += body.len + COMMERCE_LOG_LINE_EXTRA;
        batch->last = sequence;
    }
}


static void
commerce_log_take(commerce_log_t *log, commerce_log_batch_t *batch)
{
    batch->spare = log->spares != 0;

    if (batch->spare) {
        batch->first_seq = log->spare;
        return;
    }

    batch->first_seq = atomic_fetch_add_explicit(&log->seq, batch->count, memory_order_relaxed) + 1;
}


/* the seqs of the first `landed` lines are spent, the others go (back) to the spare block */

static void
commerce_log_settle(commerce_log_t *log, const commerce_log_batch_t *batch, uint64_t landed)
{
    if (batch->spare) {
        log->spare += landed;
        log->spares -= landed;

    } else {
        log->spare = batch->first_seq + landed;
        log->spares = batch->count - landed;
    }
}


static int
commerce_log_format(commerce_log_t *log, commerce_log_batch_t *batch)
{
    char      *p;
    uint64_t   i;

    p = batch->lines;
    memcpy(batch->chain, log->chain, COMMERCE_LOG_CHAIN);

    for (i = 0; i < batch->count; i++) {
        if (commerce_log_chain(log, batch->chain, batch->bodies[i]) != COMMERCE_OK) {
            return EIO;
        }

        p = commerce_log_write_line(log, p, batch->bodies[i], batch->first_seq + i, batch->chain);
    }

    batch->len = (size_t) (p - batch->lines);

    return 0;
}


static int
commerce_log_chain(commerce_log_t *log, char chain[COMMERCE_LOG_CHAIN], commerce_str_t body)
{
    unsigned  size;
    uint8_t   hash[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex2(log->digest, log->hash, NULL) != 1
        || EVP_DigestUpdate(log->digest, chain, COMMERCE_LOG_CHAIN) != 1
        || EVP_DigestUpdate(log->digest, body.data, body.len) != 1
        || EVP_DigestFinal_ex(log->digest, hash, &size) != 1)
    {
        return COMMERCE_ERROR;
    }

    commerce_hex(hash, COMMERCE_LOG_CHAIN / 2, chain);

    return COMMERCE_OK;
}


static int
commerce_log_write(commerce_log_t *log, int fd, const commerce_log_batch_t *batch, size_t *written)
{
    int             rc;
    char           *end;
    size_t          landed;
    commerce_str_t  chunk, rest;

    rest = (commerce_str_t) { batch->lines, batch->len };

    for (*written = 0; rest.len > 0; *written += chunk.len) {
        chunk = rest;

        if (chunk.len > COMMERCE_LOG_CHUNK) {
            end = memrchr(chunk.data, '\n', COMMERCE_LOG_CHUNK);
            chunk.len = (size_t) (end + 1 - chunk.data);
        }

        rc = commerce_log_file_append_checked(&log->file, fd, chunk, &landed);

        if (rc != COMMERCE_OK) {
            *written += landed;
            return errno;
        }

        rest.data += chunk.len;
        rest.len -= chunk.len;
    }

    return 0;
}


/* how many whole lines are in the first `written` bytes; the chain goes on behind the last one */

static uint64_t
commerce_log_landed(commerce_log_t *log, const commerce_log_batch_t *batch, size_t written)
{
    uint64_t     count;
    const char  *p, *end;

    count = 0;
    p = batch->lines;

    while (written > 0 && (end = memchr(p, '\n', written)) != NULL) {
        written -= (size_t) (end + 1 - p);
        p = end + 1;
        count++;
    }

    if (count > 0) {
        memcpy(log->chain, p - sizeof("\"}\n") + 1 - COMMERCE_LOG_CHAIN, COMMERCE_LOG_CHAIN);
    }

    return count;
}
