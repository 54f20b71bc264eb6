/*
 * Copyright (C) ngx_commerce authors
 *
 *   replay DIRECTORY ORDERS BATCH SECONDS [claims]
 *
 * What the disk and LMDB alone make of the gateway's transactions.  The ledger makes those of
 * ORDERS orders with one coupon each: opened with the coupon reserved, then accepted with the
 * coupon redeemed, three events.  A batch holds BATCH new orders and the accepted step of as many
 * earlier ones, as when requests and outcomes queue side by side; with "claims" it holds claims of as
 * many users instead.  Each batch is written twice, and
 * only the writing is timed:
 *
 *   store  commerce_store_apply(), and the outbox drained to a log
 *   raw    the same records put by plain mdb_put() in the same batches, and trimmed; no versions
 *          are compared, no limits checked, no log written
 *
 * BATCH 0: every transaction under a commit of its own.  Ends after SECONDS of timed work at the
 * latest.  Prints: orders, orders per second of each, and microseconds of CPU per order.
 */

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"


#define MAP           ((size_t) 4 << 30)
#define DRAIN_EVERY   1365              /* orders: as many events as the gateway drains at once */
#define CLAIM_DRAIN   4096              /* claims: the same */

#define S  commerce_string


static unsigned replay(unsigned orders, unsigned batch, double limit);
static unsigned replay_claims(unsigned claims, unsigned batch, double limit);
static void replay_batch(unsigned first, unsigned opened, unsigned accepted);
static void drain(void);
static void raw_open(void);
static void raw_batch(unsigned n);
static void raw_txn(MDB_txn *txn, const commerce_txn_t *list);
static void raw_put(MDB_txn *txn, commerce_str_t key, commerce_str_t value, unsigned flags);
static void raw_trim(void);
static double cpu_now(void);


static commerce_store_t         *store;
static commerce_log_t           *journal;
static int                       journal_fd;
static entry_t                  *entries;
static commerce_txn_t          **txns;
static MDB_env                  *env;
static MDB_dbi                   dbi;
static uint64_t                  raw_sequence;
static double                    store_time, raw_time;
static double                    store_cpu, raw_cpu;


int
main(int argc, char **argv)
{
    char                      error[512], path[4096];
    unsigned                  orders, batch;
    commerce_log_origin_t     origin = { S("replay"), 1, 0, S("0000000000000000") };
    commerce_store_options_t  options = { NULL, NULL, MAP, COMMERCE_STORE_CREATE };

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: replay DIRECTORY ORDERS BATCH SECONDS [claims]\n");
        return 2;
    }

    orders = (unsigned) atoi(argv[2]);
    batch = (unsigned) atoi(argv[3]);

    if (chdir(argv[1]) == -1 || mkdir("store", 0700) == -1 || mkdir("raw", 0700) == -1) {
        entry_fail(argv[1]);
    }

    if (getcwd(path, sizeof(path) - 8) == NULL) {
        entry_fail(argv[1]);
    }

    strcat(path, "/store");
    options.path = path;
    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL) {
        entry_fail(error);
    }

    journal = commerce_log_create(&origin);
    journal_fd = open("events.jsonl", O_WRONLY|O_CREAT|O_APPEND, 0600);
    entries = calloc(orders + 1, sizeof(entry_t));
    txns = calloc(2 * (batch + 1), sizeof(commerce_txn_t *));

    if (journal == NULL || journal_fd == -1 || entries == NULL || txns == NULL
        || !commerce_log_elect(journal, commerce_store_log_lock(store)))
    {
        entry_fail("cannot start");
    }

    entry_seed(store);
    raw_open();
    orders = argc == 6 ? replay_claims(orders, batch, atof(argv[4])) : replay(orders, batch, atof(argv[4]));

    printf("orders=%u store=%.0f raw=%.0f store_cpu=%.1f raw_cpu=%.1f\n", orders, orders / store_time,
           orders / raw_time, store_cpu * 1e6 / orders, raw_cpu * 1e6 / orders);

    return 0;
}


/* returns the number of orders that were done when the time was over */

static unsigned
replay(unsigned orders, unsigned batch, double limit)
{
    unsigned  i, n, first, drained;

    n = batch ? batch : 1;
    orders -= orders % n;
    drained = 0;

    for (first = 0; first < orders && store_time < limit && raw_time < limit; first += n) {

        for (i = first; i < first + n; i++) {
            entry_open(store, &entries[i], i);
        }

        for (i = first ? first - n : 0; i < first; i++) {
            entry_accept(store, &entries[i], i);
        }

        if (batch == 0) {
            replay_batch(first, 1, 0);
            replay_batch(first, 0, first ? 1 : 0);

        } else {
            replay_batch(first, n, first ? n : 0);
        }

        for (i = first ? first - n : 0; i < first; i++) {
            commerce_heap_destroy(entries[i].heap);
        }

        if (first - drained >= DRAIN_EVERY) {
            drain();
            drained = first;
        }
    }

    for (i = first - n; i < first; i++) {
        entry_accept(store, &entries[i], i);
    }

    replay_batch(first, 0, n);
    drain();

    return first;
}


static unsigned
replay_claims(unsigned claims, unsigned batch, double limit)
{
    unsigned  i, first, drained;

    drained = 0;

    for (first = 0; first + batch <= claims && store_time < limit && raw_time < limit; first += batch) {

        for (i = first; i < first + batch; i++) {
            entry_claim(store, &entries[i], i);
        }

        replay_batch(first, batch, 0);

        for (i = first; i < first + batch; i++) {
            commerce_heap_destroy(entries[i].heap);
        }

        if (first - drained >= CLAIM_DRAIN) {
            drain();
            drained = first;
        }
    }

    drain();

    return first;
}


/* new orders from `first`, and the steps of those right before it: in the store, then raw */

static void
replay_batch(unsigned first, unsigned opened, unsigned accepted)
{
    double    start, cpu;
    unsigned  i, n;

    if (opened + accepted == 0) {
        return;
    }

    n = 0;

    for (i = first; i < first + opened; i++) {
        txns[n++] = &entries[i].open;
    }

    for (i = first - accepted; i < first; i++) {
        txns[n++] = &entries[i].accept;
    }

    start = entry_now();
    cpu = cpu_now();

    if (commerce_store_apply(store, txns, n) != n) {
        entry_fail(commerce_store_error(store));
    }

    store_time += entry_now() - start;
    store_cpu += cpu_now() - cpu;
    start = entry_now();
    cpu = cpu_now();

    raw_batch(n);

    raw_time += entry_now() - start;
    raw_cpu += cpu_now() - cpu;
}


static void
drain(void)
{
    double                start, cpu;
    commerce_log_drain_t  result;

    start = entry_now();
    cpu = cpu_now();

    do {
        if (commerce_log_drain(journal, store, journal_fd, 4096, &result) != COMMERCE_OK) {
            entry_fail("cannot drain");
        }
    } while (result.more);

    store_time += entry_now() - start;
    store_cpu += cpu_now() - cpu;
    start = entry_now();
    cpu = cpu_now();

    raw_trim();

    raw_time += entry_now() - start;
    raw_cpu += cpu_now() - cpu;
}


static void
raw_open(void)
{
    MDB_txn  *txn;

    if (mdb_env_create(&env) != 0
        || mdb_env_set_mapsize(env, MAP) != 0
        || mdb_env_open(env, "raw", MDB_NOTLS, 0600) != 0
        || mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0
        || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
    {
        entry_fail("cannot open the raw database");
    }

    mdb_txn_abort(txn);
}


static void
raw_batch(unsigned n)
{
    MDB_txn   *txn;
    unsigned   i;

    if (mdb_txn_begin(env, NULL, 0, &txn) != 0) {
        entry_fail("mdb_txn_begin");
    }

    for (i = 0; i < n; i++) {
        raw_txn(txn, txns[i]);
    }

    if (mdb_txn_commit(txn) != 0) {
        entry_fail("mdb_txn_commit");
    }
}


static void
raw_txn(MDB_txn *txn, const commerce_txn_t *list)
{
    int                   rc;
    char                  key[9];
    int64_t               value;
    MDB_val               name, data;
    unsigned              i, k;
    const commerce_op_t  *op;

    for (i = 0; i < list->count; i++) {
        op = &list->ops[i];
        name = (MDB_val) { op->key.len, (void *) op->key.data };

        switch (op->kind) {

        case COMMERCE_OP_PUT:
            raw_put(txn, op->key, op->value, 0);
            break;

        case COMMERCE_OP_DELETE:
            rc = mdb_del(txn, dbi, &name, NULL);

            if (rc != 0 && rc != MDB_NOTFOUND) {
                entry_fail("mdb_del");
            }

            break;

        case COMMERCE_OP_ADD:
            value = 0;

            if (mdb_get(txn, dbi, &name, &data) == 0) {
                memcpy(&value, (char *) data.mv_data + 8, sizeof(value));
            }

            value += op->n;
            raw_put(txn, op->key, (commerce_str_t) { (char *) &value, sizeof(value) }, 0);
            break;

        case COMMERCE_OP_EVENT:
            raw_sequence++;
            key[0] = (char) 0xff;

            for (k = 0; k < 8; k++) {
                key[1 + k] = (char) (raw_sequence >> (56 - 8 * k));
            }

            raw_put(txn, (commerce_str_t) { key, sizeof(key) }, op->value, MDB_APPEND);
            break;

        default:        /* a compare writes nothing */
            break;
        }
    }
}


/* with eight bytes in front, as the store's records have them */

static void
raw_put(MDB_txn *txn, commerce_str_t key, commerce_str_t value, unsigned flags)
{
    MDB_val  name, data;

    name = (MDB_val) { key.len, (void *) key.data };
    data = (MDB_val) { 8 + value.len, NULL };

    if (mdb_put(txn, dbi, &name, &data, flags|MDB_RESERVE) != 0) {
        entry_fail("mdb_put");
    }

    memcpy(data.mv_data, &raw_sequence, 8);
    memcpy((char *) data.mv_data + 8, value.data, value.len);
}


static void
raw_trim(void)
{
    int          rc;
    char         mark[9] = { (char) 0xff };
    MDB_txn     *txn;
    MDB_val      key, data;
    MDB_cursor  *cursor;

    key = (MDB_val) { sizeof(mark), mark };

    if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_cursor_open(txn, dbi, &cursor) != 0) {
        entry_fail("mdb_txn_begin");
    }

    for (rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
         rc == 0;
         rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT))
    {
        if (mdb_cursor_del(cursor, 0) != 0) {
            entry_fail("mdb_cursor_del");
        }
    }

    mdb_cursor_close(cursor);

    if (mdb_txn_commit(txn) != 0) {
        entry_fail("mdb_txn_commit");
    }
}


static double
cpu_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}
