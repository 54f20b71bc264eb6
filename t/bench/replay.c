/*
 * Copyright (C) ngx_commerce authors
 *
 *   replay DIRECTORY ORDERS BATCH SECONDS
 *
 * What the disk and LMDB alone make of the gateway's transactions.  The ledger makes those of
 * ORDERS orders with one coupon each: opened with the coupon reserved, then accepted with the
 * coupon redeemed, three events.  A batch holds BATCH new orders and the accepted step of as many
 * earlier ones, as when requests and outcomes queue side by side.  Each batch is written twice, and
 * only the writing is timed:
 *
 *   store  commerce_store_apply(), and the outbox drained to a log
 *   raw    the same records put by plain mdb_put() in the same batches, and trimmed; no versions
 *          are compared, no limits checked, no log written
 *
 * BATCH 0: every transaction under a commit of its own.  Ends after SECONDS of timed work at the
 * latest.  Prints: orders, and orders per second of each.
 */

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commerce_ledger.h"
#include "store/commerce_log.h"


#define MAP           ((size_t) 4 << 30)
#define DRAIN_EVERY   1365              /* orders: as many events as the gateway drains at once */
#define CAMPAIGN      1
#define USERS         400

#define S  commerce_string


typedef struct {
    commerce_heap_t  *heap;
    commerce_txn_t    open, accept;
} entry_t;


static void seed(void);
static void entry_open(entry_t *entry, unsigned i);
static void entry_accept(entry_t *entry, unsigned i);
static void order_names(unsigned i, char user[32], char key[64]);
static commerce_ledger_t *ledger_start(commerce_heap_t *heap, commerce_txn_t *txn);
static unsigned replay(unsigned orders, unsigned batch, double limit);
static void replay_batch(unsigned first, unsigned opened, unsigned accepted);
static void drain(void);
static void raw_open(void);
static void raw_batch(unsigned n);
static void raw_txn(MDB_txn *txn, const commerce_txn_t *list);
static void raw_put(MDB_txn *txn, commerce_str_t key, commerce_str_t value, unsigned flags);
static void raw_trim(void);
static double now(void);
static void fail(const char *what) __attribute__((noreturn));


static const commerce_str_t  shop = { "demo", 4 };

static commerce_store_t         *store;
static commerce_log_t           *journal;
static int                       journal_fd;
static commerce_event_source_t   events;
static entry_t                  *entries;
static commerce_txn_t          **txns;
static MDB_env                  *env;
static MDB_dbi                   dbi;
static uint64_t                  raw_sequence;
static double                    store_time, raw_time;


int
main(int argc, char **argv)
{
    char                      error[512], path[4096];
    unsigned                  orders, batch;
    commerce_log_origin_t     origin = { S("replay"), 1, 0, S("0000000000000000") };
    commerce_store_options_t  options = { NULL, NULL, MAP, COMMERCE_STORE_CREATE };

    if (argc != 5) {
        fprintf(stderr, "usage: replay DIRECTORY ORDERS BATCH SECONDS\n");
        return 2;
    }

    orders = (unsigned) atoi(argv[2]);
    batch = (unsigned) atoi(argv[3]);

    if (chdir(argv[1]) == -1 || mkdir("store", 0700) == -1 || mkdir("raw", 0700) == -1) {
        fail(argv[1]);
    }

    if (getcwd(path, sizeof(path) - 8) == NULL) {
        fail(argv[1]);
    }

    strcat(path, "/store");
    options.path = path;
    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL) {
        fail(error);
    }

    journal = commerce_log_create(&origin);
    journal_fd = open("events.jsonl", O_WRONLY|O_CREAT|O_APPEND, 0600);
    entries = calloc(orders + 1, sizeof(entry_t));
    txns = calloc(2 * (batch + 1), sizeof(commerce_txn_t *));

    if (journal == NULL || journal_fd == -1 || entries == NULL || txns == NULL
        || !commerce_log_elect(journal, commerce_store_log_lock(store)))
    {
        fail("cannot start");
    }

    seed();
    raw_open();
    orders = replay(orders, batch, atof(argv[4]));

    printf("orders=%u store=%.0f raw=%.0f\n", orders, orders / store_time, orders / raw_time);

    return 0;
}


static void
seed(void)
{
    commerce_txn_t       txn, *list;
    commerce_heap_t     *heap;
    commerce_campaign_t  campaign = {
        .number = CAMPAIGN, .id = S("bench"), .fixed = 1000, .until = COMMERCE_FOREVER,
        .limits = { 10000000, 10000000 }, .enabled = true, .minted = 10000000
    };

    heap = commerce_heap_create();
    list = &txn;

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_campaign_write(&txn, shop, &campaign, 0);

    if (commerce_store_apply(store, &list, 1) != 1) {
        fail(commerce_store_error(store));
    }

    commerce_heap_destroy(heap);
}


static void
order_names(unsigned i, char user[32], char key[64])
{
    snprintf(user, 32, "buyer-%05u", i % USERS);
    snprintf(key, 64, "order-%024u", i);
}


static commerce_ledger_t *
ledger_start(commerce_heap_t *heap, commerce_txn_t *txn)
{
    struct timespec           ts;
    static commerce_reader_t  reader;
    static commerce_ledger_t  ledger;

    clock_gettime(CLOCK_REALTIME, &ts);

    reader.arena = commerce_heap_arena(heap);
    reader.shop = shop;

    if (commerce_view_begin(store, &reader.view) != COMMERCE_OK) {
        fail(commerce_store_error(store));
    }

    commerce_txn_init(txn, reader.arena);

    ledger = (commerce_ledger_t) { &reader, txn, &events, ts.tv_sec,
                                   (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };

    return &ledger;
}


/* the order that the gateway makes of a request without a body, of a bound buyer */

static void
entry_open(entry_t *entry, unsigned i)
{
    char                     user[32], key[64];
    commerce_order_t         order;
    commerce_ledger_t       *ledger;
    commerce_use_request_t   use;

    order_names(i, user, key);

    entry->heap = commerce_heap_create();
    ledger = ledger_start(entry->heap, &entry->open);

    memset(&order, 0, sizeof(order));
    memset(&use, 0, sizeof(use));

    order.user = commerce_copy(ledger->reader->arena, commerce_cstr(user));
    order.key = commerce_copy(ledger->reader->arena, commerce_cstr(key));
    order.claimed = order.payable = order.discount = -1;
    order.in_flight_until = ledger->now + 75;
    order.deadline = ledger->now + 960;
    order.pseudonym = S("0:0123456789abcdefghijkl");
    order.reason = COMMERCE_R(ATTR_OK);
    order.unpaid = COMMERCE_POLICY_RELEASE;
    order.in_doubt = COMMERCE_POLICY_HOLD;
    order.credit_count = 1;
    order.credits[0] = (commerce_credit_t) {
        .source = COMMERCE_SOURCE_PROTECTED, .seller = 7, .tier2 = 1,
        .seller_id = S("seller-00007"), .tier2_id = S("seller-00001")
    };

    if (commerce_campaign_read(ledger->reader, CAMPAIGN, &use.campaign, NULL) != COMMERCE_OK
        || commerce_coupon_read(ledger->reader, CAMPAIGN, i, &use.coupon, &use.version)
           == COMMERCE_ERROR)
    {
        fail("no campaign");
    }

    use.discount = -1;

    if (commerce_ledger_open(ledger, &order, &use, 1, NULL) != COMMERCE_R(OK)) {
        fail("an order could not be opened");
    }

    commerce_view_end(ledger->reader->view);
}


static void
entry_accept(entry_t *entry, unsigned i)
{
    char                user[32], key[64];
    uint64_t            version;
    commerce_order_t    order;
    commerce_answer_t   answer;
    commerce_ledger_t  *ledger;

    order_names(i, user, key);
    ledger = ledger_start(entry->heap, &entry->accept);
    answer = (commerce_answer_t) { S(""), -1 };

    if (commerce_order_read(ledger->reader, commerce_cstr(user), commerce_cstr(key), &order,
                            &version)
        != COMMERCE_OK
        || commerce_ledger_step(ledger, &order, version, COMMERCE_STEP_ACCEPTED, &answer)
           != COMMERCE_R(OK))
    {
        fail("an order could not be accepted");
    }

    commerce_view_end(ledger->reader->view);
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
            entry_open(&entries[i], i);
        }

        for (i = first ? first - n : 0; i < first; i++) {
            entry_accept(&entries[i], i);
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
        entry_accept(&entries[i], i);
    }

    replay_batch(first, 0, n);
    drain();

    return first;
}


/* new orders from `first`, and the steps of those right before it: in the store, then raw */

static void
replay_batch(unsigned first, unsigned opened, unsigned accepted)
{
    double    start;
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

    start = now();

    if (commerce_store_apply(store, txns, n) != n) {
        fail(commerce_store_error(store));
    }

    store_time += now() - start;
    start = now();

    raw_batch(n);

    raw_time += now() - start;
}


static void
drain(void)
{
    double                start;
    commerce_log_drain_t  result;

    start = now();

    do {
        if (commerce_log_drain(journal, store, journal_fd, 4096, &result) != COMMERCE_OK) {
            fail("cannot drain");
        }
    } while (result.more);

    store_time += now() - start;
    start = now();

    raw_trim();

    raw_time += now() - start;
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
        fail("cannot open the raw database");
    }

    mdb_txn_abort(txn);
}


static void
raw_batch(unsigned n)
{
    MDB_txn   *txn;
    unsigned   i;

    if (mdb_txn_begin(env, NULL, 0, &txn) != 0) {
        fail("mdb_txn_begin");
    }

    for (i = 0; i < n; i++) {
        raw_txn(txn, txns[i]);
    }

    if (mdb_txn_commit(txn) != 0) {
        fail("mdb_txn_commit");
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
                fail("mdb_del");
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
        fail("mdb_put");
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
        fail("mdb_txn_begin");
    }

    for (rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
         rc == 0;
         rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT))
    {
        if (mdb_cursor_del(cursor, 0) != 0) {
            fail("mdb_cursor_del");
        }
    }

    mdb_cursor_close(cursor);

    if (mdb_txn_commit(txn) != 0) {
        fail("mdb_txn_commit");
    }
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void
fail(const char *what)
{
    fprintf(stderr, "replay: %s\n", what);
    exit(1);
}
