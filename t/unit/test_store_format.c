/*
 * Copyright (C) ngx_commerce authors
 *
 * The store's format: raised with the first record that needs it, and only while nobody has the store open
 * who could not read that.
 */

#include "store_kit.h"

#include "commerce_codec.h"
#include "store/commerce_store_files.h"


static commerce_txn_result_t
put_format(commerce_store_t *store, const char *key, unsigned format)
{
    commerce_txn_t          txn;
    commerce_heap_t        *heap;
    commerce_txn_result_t   result;

    heap = commerce_heap_create();
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_cstr(key), commerce_string("value"));
    commerce_txn_format(&txn, format);
    commerce_txn_format(&txn, 1);
    result = apply_one(store, &txn);
    commerce_heap_destroy(heap);

    return result;
}


static unsigned
format_of(commerce_store_t *store)
{
    commerce_store_stat_t  stat_;

    return commerce_store_stat(store, &stat_) == COMMERCE_OK ? stat_.format : 0;
}


/* a process of the first generation, as the store sees it, until it is killed; 0: it was kept out */

static pid_t
older_process(const char *path)
{
    int     fd, said[2];
    char    name[600], answer;
    pid_t   pid;

    if (pipe(said) != 0) {
        return -1;
    }

    pid = fork();

    if (pid == 0) {
        snprintf(name, sizeof(name), "%s/store.lock", path);
        fd = open(name, O_RDWR|O_CLOEXEC);
        answer = flock(fd, LOCK_SH|LOCK_NB) == 0 ? 'y' : 'n';

        if (write(said[1], &answer, 1) == 1 && answer == 'y') {
            pause();
        }

        _exit(0);
    }

    answer = 'n';

    if (read(said[0], &answer, 1) != 1 || answer != 'y') {
        waitpid(pid, NULL, 0);
        pid = 0;
    }

    close(said[0]);
    close(said[1]);

    return pid;
}


static void
end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}


static void
test_raised(void)
{
    char               path[512];
    commerce_store_t  *store;

    store = make_store(path, sizeof(path), "raised");
    is_int(format_of(store), 1, "a new store can be read by every generation");

    is_int(put_format(store, "a", 1), COMMERCE_TXN_APPLIED, "an old record");
    is_int(format_of(store), 1, "changes nothing");

    is_int(put_format(store, "b", 2), COMMERCE_TXN_APPLIED, "a new record");
    is_int(format_of(store), 2, "raises the format");
    is_int(put_format(store, "c", 1), COMMERCE_TXN_APPLIED, "an old record after it");
    is_int(format_of(store), 2, "does not lower it");

    is_int(put_format(store, "d", 99), COMMERCE_TXN_UNAVAILABLE, "nobody writes what he cannot read");
    is_int(format_of(store), 2, "nor raises to it");
    commerce_store_close(store);

    store = open_store(path, 0);
    ok(store != NULL && format_of(store) == 2, "and so it is found again %s", error);
    commerce_store_close(store);
}


static void
test_held_back(void)
{
    char               path[512];
    pid_t              pid;
    unsigned           i;
    commerce_txn_t     txns[3], *list[] = { &txns[0], &txns[1], &txns[2] };
    commerce_heap_t   *heap;
    commerce_store_t  *store;

    store = make_store(path, sizeof(path), "held");
    pid = older_process(path);
    ok(pid > 0, "an older process beside us");

    is_int(put_format(store, "a", 2), COMMERCE_TXN_UPGRADING, "a new record is held back");
    ok(strstr(commerce_store_error(store), "older version") != NULL, "%s", commerce_store_error(store));
    is_str(commerce_cstr(value_of(store, "a")), "(absent)", "not written");
    is_int(format_of(store), 1, "not raised");

    heap = commerce_heap_create();

    for (i = 0; i < 3; i++) {
        commerce_txn_init(&txns[i], commerce_heap_arena(heap));
        commerce_txn_put(&txns[i], commerce_cstr(i == 0 ? "x" : i == 1 ? "y" : "z"), commerce_string("1"));
        commerce_txn_format(&txns[i], i == 1 ? 2 : 1);
    }

    is_int(commerce_store_apply(store, list, 3), 2, "its neighbours in the batch are applied");
    is_int(txns[1].result, COMMERCE_TXN_UPGRADING, "it is not");
    is_str(commerce_cstr(value_of(store, "x")), "1", "the one before");
    is_str(commerce_cstr(value_of(store, "y")), "(absent)", "it");
    is_str(commerce_cstr(value_of(store, "z")), "1", "the one behind");
    commerce_heap_destroy(heap);

    is_int(put(store, "b", "1"), COMMERCE_TXN_APPLIED, "old records go on");
    is_str(commerce_cstr(commerce_store_error(store)), "", "without a complaint");

    kill(pid, SIGSTOP);
    is_int(put_format(store, "a", 2), COMMERCE_TXN_UPGRADING, "one that is stopped may go on");
    end_process(pid);

    is_int(put_format(store, "a", 2), COMMERCE_TXN_APPLIED, "written when it is gone, however it went");
    is_int(format_of(store), 2, "raised");

    pid = older_process(path);
    ok(pid > 0, "an older one that comes later sees the format");
    is_int(put_format(store, "c", 2), COMMERCE_TXN_APPLIED, "and goes: no need to look for it again");
    end_process(pid);

    commerce_store_close(store);
}


/* nobody comes in while the format is raised */

static void
test_kept_out(void)
{
    char                    path[512];
    pid_t                   pid;
    commerce_store_t       *store;
    commerce_store_files_t  files, other;

    store = make_store(path, sizeof(path), "out");

    is_int(commerce_store_files_open(&files, path, 0, error, sizeof(error)), COMMERCE_OK, "one");
    is_int(commerce_store_files_open(&other, path, 0, error, sizeof(error)), COMMERCE_OK, "another");
    ok(commerce_store_files_hold(&files, 2), "nobody is older than 2, though two of 2 are here");
    ok(older_process(path) == 0, "an older one is kept out meanwhile");
    ok(commerce_store_files_hold(&files, COMMERCE_CODEC_FORMAT), "nor than our own");
    commerce_store_files_release(&files, COMMERCE_CODEC_FORMAT);
    ok(!commerce_store_files_hold(&files, COMMERCE_CODEC_FORMAT + 1), "we ourselves are older than the next");
    commerce_store_files_release(&files, COMMERCE_CODEC_FORMAT + 1);

    pid = older_process(path);
    ok(pid > 0, "and comes in afterwards");
    ok(!commerce_store_files_hold(&files, 2), "then it is there");
    commerce_store_files_release(&files, 2);
    end_process(pid);

    commerce_store_files_close(&files);
    commerce_store_files_close(&other);
    commerce_store_close(store);
}


static void
test_newer(void)
{
    char               path[512];
    MDB_env           *env;
    MDB_txn           *txn;
    MDB_dbi            dbi;
    MDB_val            key = { 5, (void *) "\0meta" }, data, copy;
    uint8_t            bytes[256];
    char               said[64];
    commerce_store_t  *store;

    store = make_store(path, sizeof(path), "newer");
    commerce_store_close(store);

    mdb_env_create(&env);
    mdb_env_open(env, path, MDB_NOTLS, 0600);
    mdb_txn_begin(env, NULL, 0, &txn);
    mdb_dbi_open(txn, NULL, 0, &dbi);
    mdb_get(txn, dbi, &key, &data);
    memcpy(bytes, data.mv_data, data.mv_size);
    bytes[8] = COMMERCE_CODEC_FORMAT + 1;
    copy = (MDB_val) { data.mv_size, bytes };
    mdb_put(txn, dbi, &key, &copy, 0);
    mdb_txn_commit(txn);
    mdb_env_close(env);

    snprintf(said, sizeof(said), "has format %d, this program knows %d", COMMERCE_CODEC_FORMAT + 1,
             COMMERCE_CODEC_FORMAT);
    ok(open_store(path, 0) == NULL && strstr(error, said),
       "a store of a later generation: %s", error);
}


int
main(void)
{
    if (!start_tests()) {
        return 1;
    }

    test_raised();
    test_held_back();
    test_kept_out();
    test_newer();

    return end_tests();
}
