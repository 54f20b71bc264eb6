/*
 * Copyright (C) ngx_commerce authors
 *
 * The store in trouble: replaced files, other processes, kills, root, full disks and maps.
 */

#include "store_kit.h"


static void
test_replaced(void)
{
    char              path[512], data[600], away[600];
    commerce_store_t *store;

    store = make_store(path, sizeof(path), "replaced");
    put(store, "a", "1");
    ok(!commerce_store_replaced(store), "not replaced");

    snprintf(data, sizeof(data), "%s/data.mdb", path);
    snprintf(away, sizeof(away), "%s/data.old", path);
    rename(data, away);
    is_int(put(store, "a", "2"), COMMERCE_TXN_UNAVAILABLE, "data.mdb is gone");
    ok(commerce_store_replaced(store), "noticed");
    ok(strstr(commerce_store_error(store), "replaced") != NULL, "%s", commerce_store_error(store));
    rename(away, data);
    is_int(put(store, "a", "3"), COMMERCE_TXN_UNAVAILABLE, "for ever");
    is_int(commerce_store_outbox_trim(store, 1), COMMERCE_ERROR, "no trimming either");
    is_str(commerce_cstr(value_of(store, "a")), "(no view)", "nor reading");
    commerce_store_close(store);

    store = open_store(path, 0);
    is_str(commerce_cstr(value_of(store, "a")), "1", "not written");
    is_int(put(store, "a", "4"), COMMERCE_TXN_APPLIED, "opened again");
    snprintf(data, sizeof(data), "%s/lock.mdb", path);
    rename(data, away);
    close(open(data, O_CREAT|O_RDWR, 0600));
    is_int(put(store, "a", "5"), COMMERCE_TXN_UNAVAILABLE, "lock.mdb was replaced");
    ok(commerce_store_replaced(store), "noticed");
    commerce_store_close(store);

    store = make_store(path, sizeof(path), "moved");
    snprintf(away, sizeof(away), "%s/moved.old", base);
    rename(path, away);
    mkdir(path, 0700);
    is_int(put(store, "a", "1"), COMMERCE_TXN_UNAVAILABLE, "the directory was replaced");
    ok(commerce_store_replaced(store), "noticed");
    commerce_store_close(store);
}


/* two processes, each with its own store, take serials under versions: every serial once */

static unsigned
take_serials(const char *path, unsigned serials)
{
    char              key[32];
    unsigned          i, taken;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;
    commerce_store_t *store;

    store = open_store(path, 0);
    if (store == NULL) {
        return 0;
    }

    for (taken = 0, i = 0; i < serials; i++) {
        heap = commerce_heap_create();
        snprintf(key, sizeof(key), "serial%u", i);
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_compare(&txn, commerce_cstr(key), 0);
        commerce_txn_put(&txn, commerce_cstr(key), commerce_string("taken"));
        commerce_txn_add(&txn, commerce_string("taken"), 1, INT64_MAX, 0);
        commerce_txn_event(&txn, commerce_string("{\"type\":\"taken\"}"));
        taken += apply_one(store, &txn) == COMMERCE_TXN_APPLIED;
        commerce_heap_destroy(heap);
    }

    commerce_store_close(store);

    return taken;
}


static void
test_processes(void)
{
    int               pipes[2], i, status;
    char              path[512];
    pid_t             pids[2];
    uint64_t          first, last;
    unsigned          taken[2], total;
    commerce_store_t *store;

    store = make_store(path, sizeof(path), "processes");
    commerce_store_close(store);

    if (pipe(pipes) != 0) {
        return;
    }

    fflush(stdout);

    for (i = 0; i < 2; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            total = take_serials(path, 500);
            _exit(write(pipes[1], &total, sizeof(total)) != sizeof(total));
        }
    }

    for (total = 0, i = 0; i < 2; i++) {
        if (read(pipes[0], &taken[i], sizeof(taken[i])) == sizeof(taken[i])) {
            total += taken[i];
        }
    }

    for (i = 0; i < 2; i++) {
        waitpid(pids[i], &status, 0);
    }

    close(pipes[0]);
    close(pipes[1]);

    store = open_store(path, 0);
    is_int(total, 500, "every serial was taken once (%u and %u)", taken[0], taken[1]);
    is_int(counter_of(store, "taken"), 500, "counted");
    is_int(outbox_count(store, &first, &last), 500, "told");
    is_int(last, 500, "in one sequence");
    commerce_store_close(store);
}


/* the writer counts in three places at once and acknowledges what is durable */

static void
storm_writer(const char *path, int ack)
{
    char              key[32], value[32], body[64];
    int64_t           n;
    unsigned          i;
    commerce_txn_t    txn[3], *txns[3];
    commerce_heap_t  *heap;
    commerce_store_t *store;

    store = open_store(path, 0);
    if (store == NULL) {
        _exit(1);
    }

    for (n = counter_of(store, "n"); /* void */; n += 3) {
        heap = commerce_heap_create();

        for (i = 0; i < 3; i++) {
            txns[i] = &txn[i];
            snprintf(key, sizeof(key), "k%d", (int) ((n + i + 1) % 17));
            snprintf(value, sizeof(value), "%d", (int) (n + i + 1));
            snprintf(body, sizeof(body), "{\"n\":%d}", (int) (n + i + 1));

            commerce_txn_init(&txn[i], commerce_heap_arena(heap));
            commerce_txn_put(&txn[i], commerce_copy(txn[i].arena, commerce_cstr(key)),
                             commerce_copy(txn[i].arena, commerce_cstr(value)));
            commerce_txn_add(&txn[i], commerce_string("n"), 1, INT64_MAX, 0);
            commerce_txn_event(&txn[i], commerce_copy(txn[i].arena, commerce_cstr(body)));
        }

        if (commerce_store_apply(store, txns, 3) != 3) {
            _exit(2);
        }

        commerce_heap_destroy(heap);
        i = (unsigned) n + 3;

        if (write(ack, &i, sizeof(i)) != sizeof(i)) {
            _exit(3);
        }
    }
}


static bool
storm_check(commerce_store_t *store, unsigned acked)
{
    int64_t   n;
    char      key[32];
    unsigned  i;
    uint64_t  first, last, count;

    n = counter_of(store, "n");
    count = outbox_count(store, &first, &last);

    if (n < acked || n > acked + 3 || n % 3 != 0 || last != (uint64_t) n
        || count != last - first + 1)
    {
        printf("# acked %u, counted %d, outbox to %d\n", acked, (int) n, (int) last);
        return false;
    }

    for (i = 0; i < 17 && (int64_t) i < n; i++) {
        snprintf(key, sizeof(key), "k%d", (int) ((n - i) % 17));

        if (atoi(value_of(store, key)) != (int) n - (int) i) {
            printf("# %s is %s at %d\n", key, value_of(store, key), (int) n);
            return false;
        }
    }

    return true;
}


static void
test_storm(void)
{
    int               pipes[2], status;
    char              path[512];
    pid_t             pid;
    unsigned          round, acked, got, died, good, started;
    uint64_t          first, last;
    struct timespec   pause;
    commerce_store_t *store;

    store = make_store(path, sizeof(path), "storm");
    commerce_store_close(store);

    acked = died = good = started = 0;

    for (round = 0; round < ROUNDS && pipe(pipes) == 0; round++) {
        fflush(stdout);
        pid = fork();

        if (pid == 0) {
            close(pipes[0]);
            storm_writer(path, pipes[1]);
        }

        close(pipes[1]);

        if (read(pipes[0], &got, sizeof(got)) == sizeof(got)) {
            acked = got;
            started++;
        }

        pause = (struct timespec) { 0, (round * 7919 % 20000) * 1000L };
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);

        while (read(pipes[0], &got, sizeof(got)) == sizeof(got)) {
            acked = got;
        }

        close(pipes[0]);
        waitpid(pid, &status, 0);
        died += WIFSIGNALED(status);

        store = open_store(path, 0);
        if (store == NULL) {
            break;
        }

        good += storm_check(store, acked);
        acked = (unsigned) counter_of(store, "n");
        outbox_count(store, &first, &last);
        commerce_store_outbox_trim(store, last > 40 ? last - 40 : 0);
        commerce_store_close(store);
    }

    is_int(started, ROUNDS, "every writer got to work");
    is_int(died, ROUNDS, "every writer was killed");
    is_int(good, ROUNDS, "whole and complete after every kill (%u transactions)", acked);
}


static int
tool_child(const char *path)
{
    int                rc;
    char               name[600];
    struct stat        st;
    commerce_store_t  *store;

    if (open_store(path, COMMERCE_STORE_CREATE) != NULL
        || strstr(error, "belongs to uid") == NULL)
    {
        return 1;
    }

    store = open_store(path, COMMERCE_STORE_CREATE|COMMERCE_STORE_TOOL);
    if (store == NULL) {
        return 2;
    }

    rc = put(store, "a", "1") == COMMERCE_TXN_APPLIED ? 0 : 3;
    snprintf(name, sizeof(name), "%s/lock.mdb", path);
    rc = rc ? rc : stat(name, &st) == 0 && st.st_uid == 65534 ? 0 : 4;
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    rc = rc ? rc : stat(name, &st) == 0 && st.st_uid == 65534 && (st.st_mode & 077) == 0 ? 0 : 5;
    rc = rc ? rc : geteuid() == 65534 && getegid() == 65534 ? 0 : 6;
    commerce_store_close(store);

    return rc;
}


static void
test_tool(void)
{
    int    status;
    char   path[512];
    pid_t  pid;

    if (geteuid() != 0) {
        ok(true, "# SKIP needs root");
        return;
    }

    chmod(base, 0755);
    directory(path, sizeof(path), "tool");

    if (chown(path, 65534, 65534) != 0) {
        ok(true, "# SKIP cannot chown");
        return;
    }

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        _exit(tool_child(path));
    }

    waitpid(pid, &status, 0);
    is_int(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0, "a tool run as root becomes the owner");
}


/* a full disk: nothing half applied, reads go on, and writing goes on when there is room again */

static void
test_full(void)
{
    int               fd;
    char              path[512], dir[600], fill[600], *big;
    unsigned          i, applied, refused;
    ssize_t           n;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;
    commerce_store_t *store;

    directory(path, sizeof(path), "full");

    if (geteuid() != 0 || mount("tmpfs", path, "tmpfs", 0, "size=2m,mode=0700") != 0) {
        ok(true, "# SKIP needs root and mount()");
        return;
    }

    snprintf(dir, sizeof(dir), "%s/store", path);
    mkdir(dir, 0700);
    store = open_store(dir, COMMERCE_STORE_CREATE);
    big = calloc(1, 16384);
    put(store, "a", "1");

    snprintf(fill, sizeof(fill), "%s/fill", path);
    fd = open(fill, O_CREAT|O_WRONLY, 0600);
    do {
        n = write(fd, big, 4096);
    } while (n == 4096);

    for (applied = refused = 0, i = 0; i < 100 && refused < 3; i++) {
        heap = commerce_heap_create();
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_put(&txn, commerce_string("big"), (commerce_str_t) { big, 16384 });
        commerce_txn_add(&txn, commerce_string("n"), 1, 1000, 0);

        if (apply_one(store, &txn) == COMMERCE_TXN_APPLIED) {
            applied++;
        } else {
            refused++;
        }

        commerce_heap_destroy(heap);
    }

    ok(refused > 0, "a full disk refuses: %s", commerce_store_error(store));
    ok(commerce_store_error(store)[0] != '\0' && !commerce_store_broken(store)
       && !commerce_store_replaced(store), "and nothing else is wrong");
    is_int(counter_of(store, "n"), applied, "the counter is what was acknowledged");
    is_str(commerce_cstr(value_of(store, "a")), "1", "reads go on");

    close(fd);
    unlink(fill);
    is_int(put(store, "a", "2"), COMMERCE_TXN_APPLIED, "there is room again");
    is_str(commerce_cstr(commerce_store_error(store)), "", "no error");

    commerce_store_close(store);
    free(big);
    umount(path);
}


static void
test_map(void)
{
    char                       path[512], key[32], *big;
    unsigned                   i;
    commerce_txn_t             txn;
    commerce_heap_t           *heap;
    commerce_view_t           *view;
    commerce_store_t          *store;
    commerce_txn_result_t      result;
    commerce_store_options_t   options = { path, NULL, 1 << 20, COMMERCE_STORE_CREATE };
    int                        pipes[2], status;
    pid_t                      pid;

    directory(path, sizeof(path), "map");
    big = calloc(1, COMMERCE_VALUE_MAX);
    store = commerce_store_open(&options, error, sizeof(error));

    for (result = COMMERCE_TXN_APPLIED, i = 0; i < 64 && result == COMMERCE_TXN_APPLIED; i++) {
        heap = commerce_heap_create();
        snprintf(key, sizeof(key), "k%u", i);
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_put(&txn, commerce_cstr(key), (commerce_str_t) { big, COMMERCE_VALUE_MAX });
        result = apply_one(store, &txn);
        commerce_heap_destroy(heap);
    }

    ok(result == COMMERCE_TXN_UNAVAILABLE, "the map is full: %s", commerce_store_error(store));
    is_int(put(store, "k0", "small"), COMMERCE_TXN_APPLIED, "smaller things still fit");

    /* another process grows the map and fills it; ours follows */

    if (pipe(pipes) != 0) {
        return;
    }

    commerce_store_close(store);
    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        if (read(pipes[0], key, 1) != 1) {
            _exit(1);
        }

        options.map_size = 64 << 20;
        store = commerce_store_open(&options, error, sizeof(error));
        for (i = 0; store != NULL && i < 32; i++) {
            heap = commerce_heap_create();
            snprintf(key, sizeof(key), "big%u", i);
            commerce_txn_init(&txn, commerce_heap_arena(heap));
            commerce_txn_put(&txn, commerce_cstr(key),
                             (commerce_str_t) { big, COMMERCE_VALUE_MAX });
            if (apply_one(store, &txn) != COMMERCE_TXN_APPLIED) {
                _exit(2);
            }
            commerce_heap_destroy(heap);
        }
        commerce_store_close(store);
        _exit(store == NULL);
    }

    options.map_size = 0;
    store = commerce_store_open(&options, error, sizeof(error));
    commerce_view_begin(store, &view);
    ok(write(pipes[1], "x", 1) == 1, "let the other process grow");
    waitpid(pid, &status, 0);
    is_int(status, 0, "it has");
    is_int(put(store, "b", "1"), COMMERCE_TXN_UNAVAILABLE, "no resize under a live view: %s",
           commerce_store_error(store));
    commerce_view_end(view);
    is_int(put(store, "b", "1"), COMMERCE_TXN_APPLIED, "but as soon as it has ended");
    is_str(commerce_cstr(value_of(store, "b")), "1", "and views work");
    ok(version_of(store, "big31") > 0, "they see what the other wrote");

    close(pipes[0]);
    close(pipes[1]);
    commerce_store_close(store);
    free(big);
}


int
main(void)
{
    if (!start_tests()) {
        return 2;
    }

    test_replaced();
    test_processes();
    test_storm();
    test_tool();
    test_full();
    test_map();

    return end_tests();
}
