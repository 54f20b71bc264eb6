/*
 * Copyright (C) ngx_commerce authors
 *
 *   grow load DIRECTORY COUPONS
 *   grow spend DIRECTORY COUPONS FIRST COUNT BATCH
 *
 * What a store of many coupons costs.  load writes COUPONS redeemed coupons into an empty directory, and then
 * the placed order of each with its backend's number and its buyer's counter: as records, in bulk, for it is
 * the store and not the way there that is measured.  Ten orders share a buyer.  Of four
 * serials one is left out.  Prints the pages that each of the two took:
 *
 *   coupon  bytes of a coupon
 *   order   bytes of an order, its index and its share of a counter
 *   depth   pages between root and leaf
 *   file    bytes of the file
 *
 * spend opens and accepts COUNT orders with coupons out of the gaps, all over the store, the FIRST such orders
 * apart, BATCH at a time under one commit and the accepted ones under the next, and drains the outbox: what the gateway's threads do.
 * Prints: us, microseconds per order with its two commits; written, bytes written per order, log lines included;
 * rss, bytes of private memory at the end.
 */

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "entry.h"


#define MAP       ((size_t) 32 << 30)
#define TXNS      8192                  /* transactions under one commit */
#define RECORDS   8                     /* in one transaction */
#define WINDOW    65536                 /* records come in any order within it */
#define GAP       4                     /* of so many serials the first one is left out */

#define S  commerce_string


typedef void (*record_t)(commerce_txn_t *txn, unsigned i);


static void load(unsigned coupons);
static void load_records(unsigned coupons, record_t record);
static void load_coupon(commerce_txn_t *txn, unsigned i);
static void load_order(commerce_txn_t *txn, unsigned i);
static void load_names(commerce_txn_t *txn, unsigned i, commerce_str_t *user, commerce_str_t *key);
static void spend(unsigned coupons, unsigned first, unsigned count, unsigned batch);
static unsigned spend_serial(unsigned coupons, unsigned i);
static void spend_apply(commerce_txn_t **txns, unsigned n);
static void drain(commerce_log_t *log, int fd);
static MDB_stat tree(void);
static size_t pages(void);
static unsigned long long figure(const char *file, const char *name);


static const commerce_str_t  shop = { "demo", 4 };

static commerce_store_t  *store;
static char               path[4096];


int
main(int argc, char **argv)
{
    char                      error[512];
    unsigned                  coupons;
    commerce_store_options_t  options = { path, NULL, MAP, COMMERCE_STORE_CREATE };

    if (argc < 4 || (strcmp(argv[1], "load") != 0 && argc != 7)) {
        fprintf(stderr, "usage: grow load DIRECTORY COUPONS | spend DIRECTORY COUPONS FIRST COUNT BATCH\n");
        return 2;
    }

    if (realpath(argv[2], path) == NULL) {
        entry_fail(argv[2]);
    }

    coupons = (unsigned) atoi(argv[3]) / (GAP - 1) * GAP;
    entry_users = coupons / 10 > ENTRY_USERS ? coupons / 10 : ENTRY_USERS;

    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL) {
        entry_fail(error);
    }

    if (argc == 4) {
        load(coupons);

    } else {
        spend(coupons, (unsigned) atoi(argv[4]), (unsigned) atoi(argv[5]), (unsigned) atoi(argv[6]));
    }

    commerce_store_close(store);

    return 0;
}


static void
load(unsigned coupons)
{
    size_t        before, between, after;
    double        records;
    char          file[4200];
    struct stat   st;

    entry_seed(store);
    records = (double) (coupons - coupons / GAP);

    before = pages();
    load_records(coupons, load_coupon);
    between = pages();
    load_records(coupons, load_order);
    after = pages();

    snprintf(file, sizeof(file), "%s/data.mdb", path);

    if (stat(file, &st) == -1) {
        entry_fail(file);
    }

    printf("coupon=%.1f order=%.1f depth=%u file=%lld\n", (double) (between - before) / records,
           (double) (after - between) / records, tree().ms_depth, (long long) st.st_size);
}


static void
load_records(unsigned coupons, record_t record)
{
    unsigned                i, k, n, room, serial;
    commerce_heap_t        *heap;
    static commerce_txn_t   list[TXNS], *txns[TXNS];

    for (i = 0; i < coupons; /* void */) {
        heap = entry_heap();

        for (n = 0; n < TXNS && i < coupons; n++) {
            txns[n] = &list[n];
            commerce_txn_init(txns[n], commerce_heap_arena(heap));

            for (k = 0; k < RECORDS && i < coupons; k++, i++) {
                room = coupons - i / WINDOW * WINDOW;
                serial = i / WINDOW * WINDOW
                         + (room < WINDOW ? i % WINDOW : i % WINDOW * 40503U % WINDOW);

                if (serial % GAP != 0) {
                    record(txns[n], serial);
                }
            }
        }

        spend_apply(txns, n);
        commerce_heap_destroy(heap);
    }
}


static void
load_names(commerce_txn_t *txn, unsigned i, commerce_str_t *user, commerce_str_t *key)
{
    char  user_name[32], key_name[64];

    entry_names(i, user_name, key_name);

    *user = commerce_copy(txn->arena, commerce_cstr(user_name));
    *key = commerce_copy(txn->arena, commerce_cstr(key_name));
}


static void
load_coupon(commerce_txn_t *txn, unsigned i)
{
    commerce_coupon_t  coupon;

    memset(&coupon, 0, sizeof(coupon));

    load_names(txn, i, &coupon.order_user, &coupon.order_key);
    coupon.campaign = ENTRY_CAMPAIGN;
    coupon.serial = i;
    coupon.state = COMMERCE_COUPON_REDEEMED;
    coupon.used_by = coupon.order_user;
    coupon.changed = 1790000000;

    commerce_coupon_write(txn, shop, &coupon, 0);
}


static void
load_order(commerce_txn_t *txn, unsigned i)
{
    char              id[32];
    commerce_order_t  order;

    snprintf(id, sizeof(id), "N%020u", i);

    entry_order(&order, 1790000000);
    load_names(txn, i, &order.user, &order.key);
    order.id = commerce_copy(txn->arena, commerce_cstr(id));
    order.state = COMMERCE_ORDER_PLACED;
    order.due = COMMERCE_FOREVER;
    order.coupon_count = 1;
    order.coupons[0] = (commerce_order_coupon_t) {
        .campaign = ENTRY_CAMPAIGN, .serial = i, .campaign_id = S("bench"), .discount = -1,
        .use = COMMERCE_USE_REDEEMED
    };

    commerce_order_write(txn, shop, &order, 0, NULL);
    commerce_txn_add(txn, commerce_counter_user(txn->arena, shop, ENTRY_CAMPAIGN, order.user), 1,
                     COMMERCE_FOREVER, COMMERCE_R(COUPON_CUSTOMER_LIMIT));
}


static void
spend(unsigned coupons, unsigned first, unsigned count, unsigned batch)
{
    int                       fd;
    char                      file[4200];
    double                    start, us;
    unsigned                  i, k, n;
    entry_t                  *entries;
    commerce_log_t           *log;
    commerce_txn_t          **txns;
    unsigned long long        written;
    commerce_log_origin_t     origin = { S("grow"), 1, 0, S("0000000000000000") };

    snprintf(file, sizeof(file), "%s/events.jsonl", path);
    fd = open(file, O_WRONLY|O_CREAT|O_APPEND, 0600);
    log = commerce_log_create(&origin);
    entries = calloc(batch, sizeof(entry_t));
    txns = calloc(batch, sizeof(commerce_txn_t *));

    if (fd == -1 || log == NULL || entries == NULL || txns == NULL
        || !commerce_log_elect(log, commerce_store_log_lock(store)))
    {
        entry_fail("cannot start");
    }

    written = figure("/proc/self/io", "wchar:");
    start = entry_now();

    for (i = 0; i < count; i += n) {
        n = count - i < batch ? count - i : batch;

        for (k = 0; k < n; k++) {
            entry_open(store, &entries[k], spend_serial(coupons, first + i + k));
            txns[k] = &entries[k].open;
        }

        spend_apply(txns, n);

        for (k = 0; k < n; k++) {
            entry_accept(store, &entries[k], spend_serial(coupons, first + i + k));
            txns[k] = &entries[k].accept;
        }

        spend_apply(txns, n);

        for (k = 0; k < n; k++) {
            commerce_heap_destroy(entries[k].heap);
        }
    }

    drain(log, fd);

    us = (entry_now() - start) * 1e6 / (count ? count : 1);
    written = figure("/proc/self/io", "wchar:") - written;

    printf("us=%.1f written=%.0f depth=%u rss=%llu\n", us, (double) written / (count ? count : 1),
           tree().ms_depth, figure("/proc/self/status", "RssAnon:") * 1024);

    commerce_log_destroy(log);
    free(entries);
    free(txns);
}


/* a different gap each time, far from the one before */

static unsigned
spend_serial(unsigned coupons, unsigned i)
{
    unsigned  gaps;

    gaps = coupons / GAP;

    return (unsigned) ((i * 2654435761ULL) % gaps) * GAP;
}


static void
spend_apply(commerce_txn_t **txns, unsigned n)
{
    if (commerce_store_apply(store, txns, n) != n) {
        entry_fail(commerce_store_error(store));
    }
}


static void
drain(commerce_log_t *log, int fd)
{
    commerce_log_drain_t  result;

    do {
        if (commerce_log_drain(log, store, fd, 4096, &result) != COMMERCE_OK) {
            entry_fail("cannot drain");
        }
    } while (result.more);

    close(fd);
}


static size_t
pages(void)
{
    MDB_stat  stat;

    stat = tree();

    return stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
}


/* LMDB's own figures, of which the store tells a part: in a process of its own, it is open in this one */

static MDB_stat
tree(void)
{
    int       pipes[2];
    pid_t     pid;
    MDB_env  *env;
    MDB_stat  stat;

    memset(&stat, 0, sizeof(stat));

    if (pipe(pipes) == -1) {
        entry_fail("pipe");
    }

    pid = fork();

    if (pid == 0) {
        if (mdb_env_create(&env) != 0
            || mdb_env_set_maxreaders(env, 512) != 0
            || mdb_env_open(env, path, MDB_RDONLY|MDB_NOTLS, 0600) != 0
            || mdb_env_stat(env, &stat) != 0
            || write(pipes[1], &stat, sizeof(stat)) != (ssize_t) sizeof(stat))
        {
            _exit(1);
        }

        _exit(0);
    }

    close(pipes[1]);

    if (pid == -1 || read(pipes[0], &stat, sizeof(stat)) != (ssize_t) sizeof(stat)) {
        entry_fail("cannot read LMDB's figures");
    }

    close(pipes[0]);
    waitpid(pid, NULL, 0);

    return stat;
}


static unsigned long long
figure(const char *file, const char *name)
{
    FILE                *f;
    char                 line[256];
    unsigned long long   value;

    value = 0;
    f = fopen(file, "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoull(line + strlen(name), NULL, 10);
        }
    }

    if (f != NULL) {
        fclose(f);
    }

    return value;
}
