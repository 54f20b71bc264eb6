/*
 * Copyright (C) ngx_commerce authors
 *
 * What the LMDB engine's files share.  Private to the store.
 *
 * Everything lives in LMDB's unnamed database, which a read transaction can always open:
 *
 *   00 "meta"           commerce_meta_t, encoded
 *   00 "trimmed"        the last outbox sequence that was trimmed, 8 bytes
 *   00 "last"           the beginning of that event
 *   01..fe ...          records and counters
 *   ff + 8 bytes        outbox, by sequence, big endian: always the end of the tree
 *
 * meta.format is the newest format of any record: written before the first one of it, never lowered.
 *
 * Every value begins with its version (8 bytes, little endian), numbers in payloads are little
 * endian.  A counter is a record with 8 bytes of payload.
 *
 * A version is base + LMDB's number of the writing transaction.  Compaction makes LMDB count from 1
 * again: then the next writer finds a number that is not above `origin`, and takes `ceiling`, above
 * which no version was ever given out, as the new base.
 */

#ifndef COMMERCE_STORE_LMDB_H
#define COMMERCE_STORE_LMDB_H

#include "commerce_store_files.h"

#include <endian.h>
#include <lmdb.h>
#include <stdatomic.h>

#define COMMERCE_STORE_FORMAT   1       /* of a store without records */
#define COMMERCE_STORE_READERS  512
#define COMMERCE_STORE_MAP      ((size_t) 64 << 30)
#define COMMERCE_VERSION_SIZE   8
#define COMMERCE_CEILING_STEP   ((uint64_t) 1 << 20)

#define COMMERCE_OUTBOX_MARK    0xff
#define COMMERCE_OUTBOX_KEY     9

#define commerce_meta_key       ((MDB_val) { 5, (void *) "\0meta" })
#define commerce_trimmed_key    ((MDB_val) { 8, (void *) "\0trimmed" })
#define commerce_last_key       ((MDB_val) { 5, (void *) "\0last" })

typedef struct {
    uint64_t  format, base, origin, ceiling, created;
    char      id_space[40];
} commerce_meta_t;

struct commerce_view_s {
    commerce_store_t  *store;
    MDB_txn           *txn;
    MDB_cursor        *cursor;
    bool               live;
    bool               positioned;      /* the cursor belongs to this snapshot */
    int                code;            /* why the last begin failed */
};

struct commerce_store_s {
    MDB_env                *env;
    MDB_dbi                 dbi;
    commerce_store_files_t  files;
    commerce_view_t         view, thread_view;
    bool                    alone;          /* nobody else can have it open: no need to look who is there */

    /* transactions alive in this process; -1 while the map is moved, which must meet none */
    atomic_int              users;

    atomic_bool             replaced, broken;
    _Atomic(const char *)   error;          /* one of the texts, or "" */
    unsigned                text;
    char                    texts[4][512];
};

/* commerce_store_lmdb.c */
bool commerce_store_enter(commerce_store_t *store);
void commerce_store_leave(commerce_store_t *store);
int commerce_store_begin(commerce_store_t *store, unsigned flags, MDB_txn **txn);
int commerce_store_grown(commerce_store_t *store);
void commerce_store_fail(commerce_store_t *store, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int commerce_store_meta_get(commerce_store_t *store, MDB_txn *txn, commerce_meta_t *meta);
int commerce_store_meta_put(commerce_store_t *store, MDB_txn *txn, const commerce_meta_t *meta,
    uint64_t version);

/* commerce_store_view.c */
void commerce_view_init(commerce_view_t *view, commerce_store_t *store);
void commerce_view_destroy(commerce_view_t *view);

static inline uint64_t
commerce_store_load(const void *from)
{
    uint64_t  value;

    memcpy(&value, from, sizeof(value));

    return le64toh(value);
}

static inline void
commerce_store_save(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
}

static inline void
commerce_outbox_key(uint8_t key[COMMERCE_OUTBOX_KEY], uint64_t sequence)
{
    key[0] = COMMERCE_OUTBOX_MARK;

    sequence = htobe64(sequence);
    memcpy(key + 1, &sequence, sizeof(sequence));
}

static inline bool
commerce_outbox_sequence(const MDB_val *key, uint64_t *sequence)
{
    const uint8_t  *p = key->mv_data;

    if (key->mv_size != COMMERCE_OUTBOX_KEY || p[0] != COMMERCE_OUTBOX_MARK) {
        return false;
    }

    memcpy(sequence, p + 1, sizeof(*sequence));
    *sequence = be64toh(*sequence);

    return true;
}

/* false: shorter than a version, which no record is */
static inline bool
commerce_store_split(const MDB_val *data, commerce_str_t *value, uint64_t *version)
{
    if (data->mv_size < COMMERCE_VERSION_SIZE) {
        return false;
    }

    *version = commerce_store_load(data->mv_data);
    value->data = (const char *) data->mv_data + COMMERCE_VERSION_SIZE;
    value->len = data->mv_size - COMMERCE_VERSION_SIZE;

    return true;
}

static inline bool
commerce_store_key_valid(commerce_str_t key)
{
    return key.len > 0 && key.len <= COMMERCE_KEY_MAX
           && key.data[0] != '\0' && (uint8_t) key.data[0] != COMMERCE_OUTBOX_MARK;
}

#endif
