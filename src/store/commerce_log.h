/*
 * Copyright (C) ngx_commerce authors
 *
 * The event log's file side: lines, sequence, chain, and the outbox's way to disk.
 *
 * A line is an event body (a JSON object made by commerce_event.h) with the line's own members added:
 *   node, epoch (writer's start, ms), worker, seq (from 1, without gaps per node/epoch/worker),
 *   config (hash of the commerce configuration)
 * and for money lines also chain: the first 16 bytes, hex, of BLAKE2b-512 over the previous chain value
 * of this writer (32 hex characters; 32 zeros at the start) and the event body.  The hash is most of what
 * a line costs: BLAKE2b takes less than half of what SHA-256 does where the processor has no
 * instructions for it, and whoever has b2sum or OpenSSL can check it.
 *
 * Every process that writes has one commerce_log_t.  Money events are appended by one process at a time
 * (whoever holds the lock file), synced, and only then taken out of the outbox; after a crash the same
 * event, with the same id, may be written again.  Other lines are appended by anyone.  All appends are
 * O_APPEND; a torn line (disk full, crash) is closed with a newline before the next line, and a money
 * chunk that landed behind another writer's torn line is written again.
 */

#ifndef COMMERCE_LOG_H
#define COMMERCE_LOG_H

#include "commerce_store.h"

typedef struct {
    commerce_str_t  node;
    uint64_t        epoch;          /* milliseconds */
    unsigned        worker;
    commerce_str_t  config;         /* of this process: a reload starts new processes */
} commerce_log_origin_t;

typedef struct commerce_log_s  commerce_log_t;

/* OpenSSL's name; events of the type config tell it, as earlier builds' chains were SHA-256 */
#define COMMERCE_LOG_CHAIN_HASH  "BLAKE2B-512"

/* NULL: out of memory, or node and config too long to fit in COMMERCE_LOG_LINE_EXTRA once escaped */
commerce_log_t *commerce_log_create(const commerce_log_origin_t *origin);
void commerce_log_destroy(commerce_log_t *log);

/*
 * Takes the writer lock at path without waiting: true when this log holds it (now or already).  It is
 * let go by destroy, or with the process.
 */
bool commerce_log_elect(commerce_log_t *log, const char *lock_path);
bool commerce_log_elected(const commerce_log_t *log);

/*
 * Turns a body into a complete line with newline in out (size >= body.len + COMMERCE_LOG_LINE_EXTRA):
 * takes the next seq.  For events that do not go through the outbox.  Returns the line's length, 0 (and
 * no seq is taken) if the body is no object with members or out is too small.  May run while another
 * thread drains.
 */
#define COMMERCE_LOG_LINE_EXTRA  400
size_t commerce_log_line(commerce_log_t *log, commerce_str_t body, char *out, size_t size);

/*
 * Appends whole lines to fd.  COMMERCE_ERROR (errno set) when not everything was written; the torn
 * rest is closed by the next append.  Event loop or thread, not both at once for one fd and log.
 */
int commerce_log_append(commerce_log_t *log, int fd, commerce_str_t lines);

typedef struct {
    uint64_t  written;          /* events */
    uint64_t  bytes;
    bool      more;             /* the outbox held more than one call takes */
    int       error;            /* errno, 0 = none; ENOSPC: nothing is lost, try later */
} commerce_log_drain_t;

/*
 * On a pool thread, elected only: moves up to `limit` events from the outbox to fd: append, fdatasync,
 * trim.  fd is the caller's (a dup that lives during the call).
 */
int commerce_log_drain(commerce_log_t *log, commerce_store_t *store, int fd, unsigned limit,
    commerce_log_drain_t *result);

#endif
