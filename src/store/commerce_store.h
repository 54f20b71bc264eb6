/*
 * Copyright (C) ngx_commerce authors
 *
 * The store: durable records under minitransactions.
 *
 * A transaction is a list of operations that applies whole or not at all, and is durable when
 * commerce_store_apply() returns: versions to compare, records to put or delete, bounded counters to
 * add to, events for the outbox.  Callers read through a view, decide with pure rules, and compare the
 * versions they read; a conflict means "read again and decide again".  Nothing in this interface is
 * LMDB's: another engine can evaluate the same lists.
 *
 * Keys and values are bytes.  A record's version is 0 while it is absent and changes with every write;
 * it never comes back, also not after a delete.
 *
 * Threads: a view is for one thread (in a worker: the event loop).  apply() and the outbox calls block
 * and sync, in a worker they run on pool threads; they may run at once, and beside views: writers wait
 * for each other inside.
 *
 * Formats: the store remembers the newest format of any record in it, and whoever does not know that one
 * cannot open it.  It is raised by the transaction that brings the first record of a newer format, which
 * is refused (UPGRADING) for as long as a process that only knows older ones has the store open: so both
 * generations of a binary upgrade can read whatever either meets.
 *
 * Files in the store's directory: data.mdb, lock.mdb (LMDB's), store.lock (held by everyone who has the
 * store open, in a way that tells the newest format he knows; exclusively by restore and compact), log.lock
 * (the one writer of the event log).
 */

#ifndef COMMERCE_STORE_H
#define COMMERCE_STORE_H

#include "../commerce.h"

#define COMMERCE_KEY_MAX    480
#define COMMERCE_VALUE_MAX  (256 * 1024)

typedef struct commerce_store_s  commerce_store_t;
typedef struct commerce_view_s   commerce_view_t;

typedef enum {
    COMMERCE_OP_COMPARE,    /* the record's version is still `version` (0 = absent) */
    COMMERCE_OP_PUT,
    COMMERCE_OP_DELETE,     /* of an absent record: nothing happens */
    COMMERCE_OP_ADD,        /* counter += n; LIMIT if the sum of n > 0 would pass cap; never below 0 */
    COMMERCE_OP_EVENT       /* value joins the outbox, in commit order */
} commerce_op_kind_t;

typedef struct {
    commerce_op_kind_t  kind;
    commerce_str_t      key;
    commerce_str_t      value;
    uint64_t            version;
    int64_t             n, cap;
    int                 tag;        /* the caller's: which operation failed (a commerce_reason_t for ADD) */
    int64_t             found;      /* apply's own: the counter as ADD's check found it */
} commerce_op_t;

typedef enum {
    COMMERCE_TXN_APPLIED,
    COMMERCE_TXN_CONFLICT,      /* a compared version differs: not applied */
    COMMERCE_TXN_LIMIT,         /* a counter is at its cap: not applied; failed_tag is that operation's */
    COMMERCE_TXN_UNAVAILABLE,   /* disk full, map full, store gone or replaced: not applied */
    COMMERCE_TXN_UNKNOWN,       /* set by executors only: the batch was running when its deadline passed */
    COMMERCE_TXN_UPGRADING      /* needs a format that a process which has the store open does not know:
                                   not applied, and will be once that one is gone */
} commerce_txn_result_t;

typedef struct {
    commerce_arena_t       *arena;      /* owns ops, keys and values until apply() returned */
    commerce_op_t          *ops;
    unsigned                count, room;
    unsigned                format;     /* the newest among its records; 0 and 1 = the oldest there is */
    bool                    failed;     /* an append ran out of memory or broke a limit: do not apply */
    commerce_txn_result_t   result;
    int                     failed_tag;
} commerce_txn_t;

/* building; key and value must live in the arena (or longer).  Errors are remembered in txn->failed. */
void commerce_txn_init(commerce_txn_t *txn, commerce_arena_t *arena);
void commerce_txn_compare(commerce_txn_t *txn, commerce_str_t key, uint64_t version);
void commerce_txn_put(commerce_txn_t *txn, commerce_str_t key, commerce_str_t value);
void commerce_txn_delete(commerce_txn_t *txn, commerce_str_t key);
void commerce_txn_format(commerce_txn_t *txn, unsigned format);     /* one of its records is of this format */
void commerce_txn_add(commerce_txn_t *txn, commerce_str_t key, int64_t n, int64_t cap, int tag);  /* same key twice: merged */
void commerce_txn_event(commerce_txn_t *txn, commerce_str_t body);     /* a JSON object with members, on one line */

typedef enum {
    COMMERCE_STORE_CREATE = 1,  /* make directory content that is missing (the directory itself must exist) */
    COMMERCE_STORE_TOOL = 2,    /* a command-line tool: as root, become the directory's owner before opening */
    COMMERCE_STORE_ALONE = 4,   /* nobody else may have it open, now and until it is closed */
    COMMERCE_STORE_PRIVATE = 8  /* a copy that nobody else knows of: durable only after commerce_store_sync() */
} commerce_store_flags_t;

typedef struct {
    const char  *path;          /* directory */
    const char  *id_space;      /* the keyring's UUID: recorded at creation, another one is refused; NULL = any */
    size_t       map_size;      /* bytes; 0 = as created, or 64 GiB */
    unsigned     flags;
} commerce_store_options_t;

/*
 * Opens; NULL and a sentence in error otherwise (what is wrong and what to do: missing directory, wrong
 * owner, network file system, other id space, being restored).  One open store per path and process.
 * Never before a fork whose child goes on using it.
 */
commerce_store_t *commerce_store_open(const commerce_store_options_t *options, char *error, size_t error_size);
void commerce_store_close(commerce_store_t *store);

/*
 * Applies each of n transactions (in order; later ones see earlier ones), all of them under one commit
 * and one pair of syncs; sets every txn->result.  Before that it makes sure that the files which are
 * open are still the files at the path: after a replacement everything is UNAVAILABLE, for ever, and
 * commerce_store_error() says so.  Returns the number applied.
 */
unsigned commerce_store_apply(commerce_store_t *store, commerce_txn_t **txns, unsigned n);

/* the last failure as a sentence, "" if the last apply worked; and whether the files were replaced */
const char *commerce_store_error(const commerce_store_t *store);
bool commerce_store_replaced(const commerce_store_t *store);

/* looks at the files now, for those who do not apply; true if they were replaced.  Any thread. */
bool commerce_store_look(commerce_store_t *store);

/* after an error that only closing and opening again can mend; until then everything is UNAVAILABLE */
bool commerce_store_broken(const commerce_store_t *store);

/*
 * Views: begin, any number of gets, end.  Values point into the store and die at end: decode or copy.
 * The store has one view, reused; begin while begun is COMMERCE_ERROR, and so is begin once the files are
 * known to be replaced.  Cheap (no lock, no allocation).
 */
int commerce_view_begin(commerce_store_t *store, commerce_view_t **view);
void commerce_view_end(commerce_view_t *view);

/* COMMERCE_OK, COMMERCE_ABSENT (version 0), COMMERCE_ERROR */
int commerce_view_get(commerce_view_t *view, commerce_str_t key, commerce_str_t *value, uint64_t *version);

/* the value of a counter; 0 if absent */
int commerce_view_counter(commerce_view_t *view, commerce_str_t key, int64_t *value);

/*
 * The first record whose key starts with prefix and is greater than after (empty: from the start).
 * COMMERCE_OK, COMMERCE_ABSENT at the end, COMMERCE_ERROR.  key and value point into the store.
 */
int commerce_view_next(commerce_view_t *view, commerce_str_t prefix, commerce_str_t after,
    commerce_str_t *key, commerce_str_t *value, uint64_t *version);

/*
 * Outbox.  read: the oldest event after sequence `after` (0 = from the start); COMMERCE_ABSENT at the
 * end.  trim: durably deletes every event up to and including `through`.
 */
int commerce_view_outbox(commerce_view_t *view, uint64_t after, uint64_t *sequence, commerce_str_t *body);
int commerce_store_outbox_trim(commerce_store_t *store, uint64_t through);

/* a second view for the pool thread that drains the outbox; ended with commerce_view_end() */
int commerce_store_thread_view(commerce_store_t *store, commerce_view_t **view);

typedef struct {
    uint64_t  records, outbox;          /* entries, outbox events waiting */
    uint64_t  bytes_used, bytes_map;    /* pages in use; size of the map */
    uint64_t  last_txn;                 /* commits since creation */
    unsigned  readers;
    char      id_space[40];
    unsigned  format;                   /* the newest of any record; a program must know it to open the store */
} commerce_store_stat_t;

int commerce_store_stat(commerce_store_t *store, commerce_store_stat_t *stat);

/* makes a private store durable; errno of a failure, or 0 */
int commerce_store_sync(commerce_store_t *store);

/*
 * A consistent copy, without free pages, into an empty file, beside readers and writers: it waits for no
 * writer, but while it runs no page that it may read is used again.  Not synced.  COMMERCE_ERROR with a
 * sentence in commerce_store_error().
 */
int commerce_store_copy(commerce_store_t *store, int fd);

/*
 * The newest event that the store ever gave to the log, or will: its body, or only the beginning of it
 * (COMMERCE_EVENT_HEAD_MAX bytes).  After an older generation wrote the log it may be an earlier one.
 * COMMERCE_ABSENT: none is known.
 */
#define COMMERCE_EVENT_HEAD_MAX  128
int commerce_view_last_event(commerce_view_t *view, commerce_str_t *head);

/* frees reader slots of dead processes; at open it happens by itself */
void commerce_store_reap(commerce_store_t *store);

/* the directory's descriptor-free path of log.lock, for the log's writer lock */
const char *commerce_store_log_lock(const commerce_store_t *store);

#endif
