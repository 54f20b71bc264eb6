/*
 * Copyright (C) ngx_commerce authors
 *
 * Writing: a batch is one write transaction of LMDB.  Each of its transactions is first checked as
 * a whole against the state that the earlier ones left, and only then written, so a refused one
 * leaves no trace.  An error of LMDB ends the batch, and nothing of it is applied.
 */

#include "../commerce_codec.h"
#include "commerce_store_lmdb.h"

#include <errno.h>


#define COMMERCE_BATCH_COUNTERS  16         /* a power of two */


/* a counter that this batch has added to and not yet written */
typedef struct {
    commerce_str_t     key;                 /* the operation's; empty = none */
    int64_t            value;
} commerce_batch_counter_t;

typedef struct {
    commerce_store_t  *store;
    MDB_txn           *txn;
    uint64_t           version;         /* given to what this batch writes; 0 = not known yet */
    uint64_t           sequence;        /* last in the outbox */
    bool               sequenced;       /* sequence is known */
    unsigned           raised;          /* the store's format is being raised to this; 0 = it is not */
    bool               changed;
    bool               refused;         /* a transaction was malformed */
    bool               held_back;       /* one needs a format that not everyone knows */

    /* what a campaign has given out changes with each of its coupons: it is written once a batch */
    commerce_batch_counter_t  counters[COMMERCE_BATCH_COUNTERS];
} commerce_batch_t;


static void commerce_batch_results(commerce_txn_t **txns, unsigned n, commerce_txn_result_t result);
static bool commerce_store_usable(commerce_store_t *store);
static int commerce_batch_begin(commerce_store_t *store, commerce_batch_t *batch);
static int commerce_batch_end(commerce_batch_t *batch, int rc);
static void commerce_batch_failed(commerce_store_t *store, int rc);
static int commerce_batch_run(commerce_batch_t *batch, commerce_txn_t *txn);
static commerce_batch_counter_t *commerce_batch_counter(commerce_batch_t *batch, commerce_str_t key);
static int commerce_batch_settle(commerce_batch_t *batch, commerce_batch_counter_t *counter);
static int commerce_batch_settle_key(commerce_batch_t *batch, commerce_str_t key);
static int commerce_batch_settle_all(commerce_batch_t *batch);
static int commerce_batch_format(commerce_batch_t *batch, commerce_txn_t *txn);
static int commerce_batch_check(commerce_batch_t *batch, commerce_txn_t *txn);
static int commerce_batch_check_add(commerce_batch_t *batch, commerce_txn_t *txn,
    commerce_op_t *op);
static int commerce_batch_read(commerce_batch_t *batch, commerce_str_t key, MDB_val *data);
static bool commerce_batch_below_cap(const commerce_op_t *op);
static bool commerce_batch_op_valid(const commerce_op_t *op);
static int commerce_batch_write(commerce_batch_t *batch, const commerce_op_t *op);
static int commerce_batch_put(commerce_batch_t *batch, MDB_val key, commerce_str_t value,
    unsigned flags);
static int commerce_batch_delete(commerce_batch_t *batch, const commerce_op_t *op);
static int commerce_batch_add(commerce_batch_t *batch, const commerce_op_t *op);
static int commerce_batch_event(commerce_batch_t *batch, const commerce_op_t *op);
static int commerce_batch_version(commerce_batch_t *batch);
static int commerce_batch_sequence(commerce_batch_t *batch);
static int commerce_batch_trim(commerce_batch_t *batch, uint64_t through);


unsigned
commerce_store_apply(commerce_store_t *store, commerce_txn_t **txns, unsigned n)
{
    int               rc;
    unsigned          i, applied;
    commerce_batch_t  batch;

    commerce_batch_results(txns, n, COMMERCE_TXN_UNAVAILABLE);

    if (n == 0 || !commerce_store_usable(store)) {
        return 0;
    }

    rc = commerce_batch_begin(store, &batch);

    if (rc == 0) {
        for (i = 0; rc == 0 && i < n; i++) {
            rc = commerce_batch_run(&batch, txns[i]);
        }

        if (rc == 0) {
            rc = commerce_batch_settle_all(&batch);
        }

        rc = commerce_batch_end(&batch, rc);
    }

    if (rc != 0) {
        commerce_batch_results(txns, n, COMMERCE_TXN_UNAVAILABLE);
        commerce_batch_failed(store, rc);
        return 0;
    }

    if (batch.refused) {
        commerce_store_fail(store, "a transaction was malformed and not applied");

    } else if (batch.held_back) {
        commerce_store_fail(store, "a process of an older version has the store in %s open: what "
                            "that one could not read is not written until it is gone",
                            store->files.path);
    } else {
        atomic_store_explicit(&store->error, "", memory_order_release);
    }

    for (applied = 0, i = 0; i < n; i++) {
        applied += txns[i]->result == COMMERCE_TXN_APPLIED;
    }

    return applied;
}


int
commerce_store_outbox_trim(commerce_store_t *store, uint64_t through)
{
    int               rc;
    commerce_batch_t  batch;

    if (!commerce_store_usable(store)) {
        errno = EIO;
        return COMMERCE_ERROR;
    }

    rc = commerce_batch_begin(store, &batch);

    if (rc == 0) {
        rc = commerce_batch_trim(&batch, through);
        rc = commerce_batch_end(&batch, rc);
    }

    if (rc != 0) {
        commerce_batch_failed(store, rc);
        errno = rc == MDB_MAP_FULL ? ENOSPC : rc > 0 ? rc : EIO;
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static void
commerce_batch_results(commerce_txn_t **txns, unsigned n, commerce_txn_result_t result)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        txns[i]->result = result;
        txns[i]->failed_tag = 0;
    }
}


/*
 * Are these still the files at the path?  A worker that goes on writing to a deleted file spends
 * coupons which the file that took its place still holds.
 */

static bool
commerce_store_usable(commerce_store_t *store)
{
    int  fd;

    if (atomic_load(&store->broken)) {
        commerce_store_fail(store, "the store in %s broke: it must be closed and opened again",
                            store->files.path);
        return false;
    }

    if (!atomic_load(&store->replaced)) {
        if (mdb_env_get_fd(store->env, &fd) != 0) {
            return false;
        }

        switch (commerce_store_files_check(&store->files, fd)) {

        case COMMERCE_FILES_SAME:
            return true;

        case COMMERCE_FILES_ERROR:
            commerce_store_fail(store, "cannot look at the files in %s: %s", store->files.path,
                                strerror(errno));
            return false;

        default:
            atomic_store(&store->replaced, true);
        }
    }

    commerce_store_fail(store, "the files in %s were replaced or removed while in use: nothing is "
                        "written any more, restart nginx", store->files.path);
    return false;
}


static int
commerce_batch_begin(commerce_store_t *store, commerce_batch_t *batch)
{
    memset(batch, 0, sizeof(commerce_batch_t));
    batch->store = store;

    return commerce_store_begin(store, 0, &batch->txn);
}


static int
commerce_batch_end(commerce_batch_t *batch, int rc)
{
    if (rc != 0 || !batch->changed) {
        mdb_txn_abort(batch->txn);
    } else {
        rc = mdb_txn_commit(batch->txn);
    }

    if (batch->raised != 0) {
        commerce_store_files_release(&batch->store->files, batch->raised);
    }

    commerce_store_leave(batch->store);

    return rc;
}


static void
commerce_batch_failed(commerce_store_t *store, int rc)
{
    if (rc == MDB_PANIC || rc == MDB_BAD_TXN) {
        atomic_store(&store->broken, true);
    }

    commerce_store_fail(store, "cannot write to the store in %s: %s", store->files.path,
                        mdb_strerror(rc));
}


static int
commerce_batch_run(commerce_batch_t *batch, commerce_txn_t *txn)
{
    int       rc;
    unsigned  i;

    txn->result = COMMERCE_TXN_APPLIED;

    rc = commerce_batch_check(batch, txn);

    if (rc == 0 && txn->result == COMMERCE_TXN_APPLIED && txn->format > COMMERCE_STORE_FORMAT) {
        rc = commerce_batch_format(batch, txn);
    }

    if (rc != 0 || txn->result != COMMERCE_TXN_APPLIED) {
        return rc;
    }

    for (i = 0; i < txn->count; i++) {
        rc = commerce_batch_write(batch, &txn->ops[i]);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}


/*
 * Once the store has a format, nobody can open it who does not know it.  Before, nobody may have it open:
 * those are kept out from here until the commit.
 */

static int
commerce_batch_format(commerce_batch_t *batch, commerce_txn_t *txn)
{
    int              rc;
    commerce_meta_t  meta;

    rc = commerce_store_meta_get(batch->store, batch->txn, &meta);

    if (rc != 0 || txn->format <= meta.format) {
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    }

    if (txn->format > COMMERCE_CODEC_FORMAT) {
        txn->result = COMMERCE_TXN_UNAVAILABLE;
        batch->refused = true;
        return 0;
    }

    if (!batch->store->alone) {
        batch->raised = txn->format;
    }

    if (!batch->store->alone
        && (batch->held_back || !commerce_store_files_hold(&batch->store->files, txn->format)))
    {
        txn->result = COMMERCE_TXN_UPGRADING;
        batch->held_back = true;
        return 0;
    }

    rc = commerce_batch_version(batch);
    if (rc != 0) {
        return rc;
    }

    rc = commerce_store_meta_get(batch->store, batch->txn, &meta);
    if (rc != 0) {
        return rc;
    }

    meta.format = txn->format;
    batch->changed = true;

    return commerce_store_meta_put(batch->store, batch->txn, &meta, batch->version);
}


/*
 * Counters that this batch adds to wait here, one in each place: the next in the same place writes the one
 * before.  Whatever else looks at a counter's record has it written first.
 */

static commerce_batch_counter_t *
commerce_batch_counter(commerce_batch_t *batch, commerce_str_t key)
{
    size_t    len;
    uint64_t  word;

    /* what tells keys apart stands at their end */

    word = key.len;
    len = key.len < sizeof(word) ? key.len : sizeof(word);
    memcpy(&word, key.data + key.len - len, len);
    word = (word ^ key.len) * 0x9e3779b97f4a7c15ULL;

    return &batch->counters[word >> 60 & (COMMERCE_BATCH_COUNTERS - 1)];
}


static int
commerce_batch_settle(commerce_batch_t *batch, commerce_batch_counter_t *counter)
{
    int      rc;
    char     payload[8];
    MDB_val  key;

    if (counter->key.len == 0) {
        return 0;
    }

    commerce_store_save(payload, (uint64_t) counter->value);
    key = (MDB_val) { counter->key.len, (void *) counter->key.data };

    rc = commerce_batch_put(batch, key, (commerce_str_t) { payload, sizeof(payload) }, 0);

    counter->key.len = 0;

    return rc;
}


static int
commerce_batch_settle_key(commerce_batch_t *batch, commerce_str_t key)
{
    commerce_batch_counter_t  *counter;

    counter = commerce_batch_counter(batch, key);

    return commerce_equal(counter->key, key) ? commerce_batch_settle(batch, counter) : 0;
}


static int
commerce_batch_settle_all(commerce_batch_t *batch)
{
    int       rc;
    unsigned  i;

    for (i = 0; i < COMMERCE_BATCH_COUNTERS; i++) {
        rc = commerce_batch_settle(batch, &batch->counters[i]);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}


/* a conflict outweighs a limit: the limit was met by a decision that has to be made again anyway */

static int
commerce_batch_check(commerce_batch_t *batch, commerce_txn_t *txn)
{
    int             rc;
    MDB_val         data;
    unsigned        i;
    uint64_t        version;
    commerce_op_t  *op;
    commerce_str_t  value;

    for (i = 0; i < txn->count && !txn->failed; i++) {
        op = &txn->ops[i];

        if (!commerce_batch_op_valid(op)) {
            break;
        }

        if (op->kind == COMMERCE_OP_ADD) {
            rc = commerce_batch_check_add(batch, txn, op);

            if (rc == MDB_INCOMPATIBLE) {
                break;
            }

            if (rc != 0) {
                return rc;
            }
        }

        if (op->kind != COMMERCE_OP_COMPARE) {
            continue;
        }

        version = 0;
        rc = commerce_batch_settle_key(batch, op->key);

        if (rc == 0) {
            rc = commerce_batch_read(batch, op->key, &data);
        }

        if (rc != 0 && rc != MDB_NOTFOUND) {
            return rc;
        }

        if (rc == 0 && !commerce_store_split(&data, &value, &version)) {
            return MDB_CORRUPTED;
        }

        if (version != op->version) {
            txn->result = COMMERCE_TXN_CONFLICT;
            txn->failed_tag = op->tag;
            return 0;
        }
    }

    if (i < txn->count || txn->failed) {
        txn->result = COMMERCE_TXN_UNAVAILABLE;
        txn->failed_tag = 0;
        batch->refused = true;
    }

    return 0;
}


static int
commerce_batch_read(commerce_batch_t *batch, commerce_str_t key, MDB_val *data)
{
    MDB_val  name;

    name = (MDB_val) { key.len, (void *) key.data };

    return mdb_get(batch->txn, batch->store->dbi, &name, data);
}


/* MDB_INCOMPATIBLE: the record is no counter */

static int
commerce_batch_check_add(commerce_batch_t *batch, commerce_txn_t *txn, commerce_op_t *op)
{
    int                        rc;
    MDB_val                    data;
    commerce_batch_counter_t  *counter;

    counter = commerce_batch_counter(batch, op->key);
    op->found = 0;

    if (commerce_equal(counter->key, op->key)) {
        op->found = counter->value;

    } else {
        rc = commerce_batch_read(batch, op->key, &data);

        if (rc == 0 && data.mv_size < COMMERCE_VERSION_SIZE) {
            return MDB_CORRUPTED;
        }

        if (rc == 0 && data.mv_size != COMMERCE_VERSION_SIZE + 8) {
            return MDB_INCOMPATIBLE;
        }

        if (rc == 0) {
            op->found = (int64_t) commerce_store_load((uint8_t *) data.mv_data
                                                      + COMMERCE_VERSION_SIZE);

        } else if (rc != MDB_NOTFOUND) {
            return rc;
        }
    }

    if (txn->result == COMMERCE_TXN_APPLIED && !commerce_batch_below_cap(op)) {
        txn->result = COMMERCE_TXN_LIMIT;
        txn->failed_tag = op->tag;
    }

    return 0;
}


static bool
commerce_batch_below_cap(const commerce_op_t *op)
{
    int64_t  sum;

    return op->n <= 0
           || (!__builtin_add_overflow(op->found, op->n, &sum) && sum <= op->cap);
}


static bool
commerce_batch_op_valid(const commerce_op_t *op)
{
    if (op->value.len > COMMERCE_VALUE_MAX) {
        return false;
    }

    return op->kind == COMMERCE_OP_EVENT ? op->value.len > 0 : commerce_store_key_valid(op->key);
}


static int
commerce_batch_write(commerce_batch_t *batch, const commerce_op_t *op)
{
    int      rc;
    MDB_val  key;

    switch (op->kind) {

    case COMMERCE_OP_PUT:
        rc = commerce_batch_settle_key(batch, op->key);

        if (rc == 0) {
            key = (MDB_val) { op->key.len, (void *) op->key.data };
            rc = commerce_batch_put(batch, key, op->value, 0);
        }

        return rc;

    case COMMERCE_OP_DELETE:
        return commerce_batch_delete(batch, op);

    case COMMERCE_OP_ADD:
        return commerce_batch_add(batch, op);

    case COMMERCE_OP_EVENT:
        return commerce_batch_event(batch, op);

    default:
        return 0;
    }
}


static int
commerce_batch_put(commerce_batch_t *batch, MDB_val key, commerce_str_t value, unsigned flags)
{
    int       rc;
    MDB_val   data;
    uint8_t  *p;

    rc = commerce_batch_version(batch);
    if (rc != 0) {
        return rc;
    }

    data = (MDB_val) { COMMERCE_VERSION_SIZE + value.len, NULL };

    rc = mdb_put(batch->txn, batch->store->dbi, &key, &data, flags|MDB_RESERVE);
    if (rc != 0) {
        return rc;
    }

    p = data.mv_data;
    commerce_store_save(p, batch->version);

    if (value.len > 0) {
        memcpy(p + COMMERCE_VERSION_SIZE, value.data, value.len);
    }

    batch->changed = true;

    return 0;
}


static int
commerce_batch_delete(commerce_batch_t *batch, const commerce_op_t *op)
{
    int      rc;
    MDB_val  key;

    rc = commerce_batch_settle_key(batch, op->key);
    if (rc != 0) {
        return rc;
    }

    key = (MDB_val) { op->key.len, (void *) op->key.data };

    rc = mdb_del(batch->txn, batch->store->dbi, &key, NULL);

    if (rc == MDB_NOTFOUND) {
        return 0;
    }

    batch->changed = true;

    return rc;
}


/* nothing in the transaction has written this counter since the check: commerce_txn_add() sees to that */

static int
commerce_batch_add(commerce_batch_t *batch, const commerce_op_t *op)
{
    int                        rc;
    int64_t                    sum;
    commerce_batch_counter_t  *counter;

    if (__builtin_add_overflow(op->found, op->n, &sum)) {
        sum = op->n > 0 ? INT64_MAX : 0;
    }

    if (sum < 0) {
        sum = 0;
    }

    if (sum == op->found) {
        return 0;
    }

    counter = commerce_batch_counter(batch, op->key);

    if (!commerce_equal(counter->key, op->key)) {
        rc = commerce_batch_settle(batch, counter);
        if (rc != 0) {
            return rc;
        }

        counter->key = op->key;
    }

    counter->value = sum;

    return 0;
}


static int
commerce_batch_event(commerce_batch_t *batch, const commerce_op_t *op)
{
    int      rc;
    uint8_t  key[COMMERCE_OUTBOX_KEY];

    rc = commerce_batch_sequence(batch);
    if (rc != 0) {
        return rc;
    }

    commerce_outbox_key(key, ++batch->sequence);

    return commerce_batch_put(batch, (MDB_val) { sizeof(key), key }, op->value, MDB_APPEND);
}


static int
commerce_batch_version(commerce_batch_t *batch)
{
    int              rc;
    uint64_t         number;
    commerce_meta_t  meta;

    if (batch->version != 0) {
        return 0;
    }

    rc = commerce_store_meta_get(batch->store, batch->txn, &meta);
    if (rc != 0) {
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    }

    number = mdb_txn_id(batch->txn);

    if (number <= meta.origin) {
        meta.base = meta.ceiling;
        meta.origin = number;
    }

    batch->version = meta.base + number;

    if (batch->version <= meta.ceiling) {
        return 0;
    }

    meta.ceiling = batch->version + COMMERCE_CEILING_STEP;

    return commerce_store_meta_put(batch->store, batch->txn, &meta, batch->version);
}


/* a sequence is never given out again, also not after the outbox was trimmed to nothing */

static int
commerce_batch_sequence(commerce_batch_t *batch)
{
    int          rc;
    MDB_val      key, data;
    MDB_cursor  *cursor;

    if (batch->sequenced) {
        return 0;
    }

    rc = mdb_cursor_open(batch->txn, batch->store->dbi, &cursor);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_cursor_get(cursor, &key, &data, MDB_LAST);

    batch->sequenced = rc == 0 && commerce_outbox_sequence(&key, &batch->sequence);
    mdb_cursor_close(cursor);

    if (rc != 0 || batch->sequenced) {
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    }

    key = commerce_trimmed_key;
    rc = mdb_get(batch->txn, batch->store->dbi, &key, &data);

    if (rc == MDB_NOTFOUND) {
        batch->sequence = 0;

    } else if (rc != 0) {
        return rc;

    } else if (data.mv_size != COMMERCE_VERSION_SIZE + 8) {
        return MDB_CORRUPTED;

    } else {
        batch->sequence = commerce_store_load((uint8_t *) data.mv_data + COMMERCE_VERSION_SIZE);
    }

    batch->sequenced = true;

    return 0;
}


static int
commerce_batch_trim(commerce_batch_t *batch, uint64_t through)
{
    int             rc;
    char            payload[8], head[COMMERCE_EVENT_HEAD_MAX];
    size_t          len;
    MDB_val         key, data;
    uint8_t         first[COMMERCE_OUTBOX_KEY];
    uint64_t        sequence, last, version;
    MDB_cursor     *cursor;
    commerce_str_t  body;

    rc = mdb_cursor_open(batch->txn, batch->store->dbi, &cursor);
    if (rc != 0) {
        return rc;
    }

    len = 0;
    last = 0;
    commerce_outbox_key(first, 0);
    key = (MDB_val) { sizeof(first), first };

    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);

    while (rc == 0 && commerce_outbox_sequence(&key, &sequence) && sequence <= through) {
        last = sequence;

        if (commerce_store_split(&data, &body, &version)) {
            len = body.len < sizeof(head) ? body.len : sizeof(head);
            memcpy(head, body.data, len);
        }

        rc = mdb_cursor_del(cursor, 0);

        if (rc == 0) {
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }

    mdb_cursor_close(cursor);

    if ((rc != 0 && rc != MDB_NOTFOUND) || last == 0) {
        return rc == MDB_NOTFOUND ? 0 : rc;
    }

    commerce_store_save(payload, last);

    rc = commerce_batch_put(batch, commerce_trimmed_key,
                            (commerce_str_t) { payload, sizeof(payload) }, 0);
    if (rc != 0) {
        return rc;
    }

    return commerce_batch_put(batch, commerce_last_key, (commerce_str_t) { head, len }, 0);
}
