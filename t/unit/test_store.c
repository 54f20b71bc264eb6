/*
 * Copyright (C) ngx_commerce authors
 */

#include "store_kit.h"


static void
test_open(void)
{
    int                        fd;
    char                       path[512], name[600];
    commerce_store_t          *store;
    commerce_store_stat_t      stat_;
    commerce_store_options_t   options = { path, NULL, 0, 0 };

    snprintf(path, sizeof(path), "%s/missing", base);
    ok(open_store(path, COMMERCE_STORE_CREATE) == NULL && strstr(error, "does not exist"),
       "a missing directory: %s", error);

    directory(path, sizeof(path), "open");
    ok(open_store(path, 0) == NULL && strstr(error, "no store"), "an empty one: %s", error);
    snprintf(name, sizeof(name), "%s/store.lock", path);
    ok(access(name, F_OK) != 0, "looking leaves nothing behind");

    chmod(path, 0770);
    ok(open_store(path, COMMERCE_STORE_CREATE) == NULL && strstr(error, "writable by others"),
       "a group writable one: %s", error);
    chmod(path, 0702);
    ok(open_store(path, COMMERCE_STORE_CREATE) == NULL && strstr(error, "writable by others"),
       "a world writable one: %s", error);
    chmod(path, 0700);

    store = open_store(path, COMMERCE_STORE_CREATE);
    ok(store != NULL, "created %s", error);
    is_int(commerce_store_stat(store, &stat_), COMMERCE_OK, "figures");
    is_int(stat_.records, 0, "no records");
    is_int(stat_.outbox, 0, "no events");
    is_int(stat_.bytes_map, (int64_t) 1 << 30, "map size");
    is_int(stat_.format, 1, "format");
    is_str(commerce_cstr(stat_.id_space), ID_SPACE, "id space");
    is_str(commerce_cstr(commerce_store_error(store)), "", "no error");
    snprintf(name, sizeof(name), "%s/log.lock", path);
    is_str(commerce_cstr(commerce_store_log_lock(store)), name, "log.lock's path");

    snprintf(name, sizeof(name), "%s/store.lock", path);
    fd = open(name, O_RDWR|O_CLOEXEC);
    ok(lock_all(fd, F_WRLCK) != 0, "store.lock is held shared");
    commerce_store_close(store);
    ok(lock_all(fd, F_WRLCK) == 0, "and let go");

    ok(open_store(path, 0) == NULL && strstr(error, "restored or compacted"), "in restore: %s",
       error);
    close(fd);

    store = commerce_store_open(&options, error, sizeof(error));
    ok(store != NULL, "opens with any id space and the size as created");
    commerce_store_stat(store, &stat_);
    is_int(stat_.bytes_map, (int64_t) 1 << 30, "map size as created");
    commerce_store_close(store);

    options.id_space = OTHER_ID;
    ok(commerce_store_open(&options, error, sizeof(error)) == NULL && strstr(error, "id space"),
       "other id space: %s", error);

    options.id_space = NULL;
    options.path = "";
    ok(commerce_store_open(&options, error, sizeof(error)) == NULL, "no path: %s", error);

    snprintf(name, sizeof(name), "%s/store.lock", path);
    options.path = name;
    ok(commerce_store_open(&options, error, sizeof(error)) == NULL, "a file: %s", error);
}


static void
test_foreign(void)
{
    char      path[512];
    MDB_env  *env;
    MDB_txn  *txn;
    MDB_dbi   dbi;
    MDB_val   key = { 1, (void *) "k" };

    directory(path, sizeof(path), "foreign");
    mdb_env_create(&env);
    mdb_env_open(env, path, MDB_NOTLS, 0600);
    mdb_txn_begin(env, NULL, 0, &txn);
    mdb_dbi_open(txn, NULL, 0, &dbi);
    mdb_put(txn, dbi, &key, &key, 0);
    mdb_txn_commit(txn);
    mdb_env_close(env);

    ok(open_store(path, COMMERCE_STORE_CREATE) == NULL && strstr(error, "not a commerce store"),
       "another program's database: %s", error);
}


static void
test_late_id_space(void)
{
    char                       path[512];
    commerce_store_t          *store;
    commerce_store_stat_t      stat_;
    commerce_store_options_t   options = { path, NULL, 1 << 20, COMMERCE_STORE_CREATE };

    directory(path, sizeof(path), "late");
    store = commerce_store_open(&options, error, sizeof(error));
    commerce_store_close(store);

    store = open_store(path, COMMERCE_STORE_CREATE);
    ok(store != NULL && commerce_store_stat(store, &stat_) == COMMERCE_OK,
       "opened with an id space");
    is_str(commerce_cstr(stat_.id_space), ID_SPACE, "which is recorded now");
    commerce_store_close(store);
}


static void
test_build(void)
{
    char              key[COMMERCE_KEY_MAX + 1];
    unsigned          i;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;
    commerce_str_t    big = { NULL, COMMERCE_VALUE_MAX + 1 };

    static const struct {
        const char      *name;
        commerce_str_t   key;
    } keys[] = {
        { "empty", { "", 0 } },
        { "internal", { "\0meta", 5 } },
        { "outbox", { "\xff\0\0\0\0\0\0\0\1", 9 } }
    };

    heap = commerce_heap_create();
    memset(key, 'k', sizeof(key));

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_put(&txn, keys[i].key, commerce_string("v"));
        ok(txn.failed && txn.count == 0, "put of a key that is %s is refused", keys[i].name);
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_add(&txn, keys[i].key, 1, 1, 0);
        ok(txn.failed, "add too");
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        commerce_txn_compare(&txn, keys[i].key, 0);
        ok(txn.failed, "compare too");
    }

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, (commerce_str_t) { key, COMMERCE_KEY_MAX }, commerce_string(""));
    ok(!txn.failed, "the longest key");
    commerce_txn_delete(&txn, (commerce_str_t) { key, COMMERCE_KEY_MAX + 1 });
    ok(txn.failed, "a longer one is refused");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_string("k"), big);
    ok(txn.failed, "a value that is too large is refused");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_event(&txn, commerce_string("{\"a\":1}"));
    ok(!txn.failed && txn.count == 1, "an event");
    commerce_txn_event(&txn, commerce_string("{}"));
    ok(txn.failed, "an empty object is none");
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_event(&txn, commerce_string("{\"a\":\n1}"));
    ok(txn.failed, "two lines are none");
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_event(&txn, commerce_string("[1,2]"));
    ok(txn.failed, "an array is none");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_add(&txn, commerce_string("c"), 1, 9, 1);
    commerce_txn_add(&txn, commerce_string("d"), 1, 9, 1);
    commerce_txn_add(&txn, commerce_string("c"), 2, 5, 2);
    is_int(txn.count, 2, "one key is one addition");
    is_int(txn.ops[0].n, 3, "of the sum");
    is_int(txn.ops[0].cap, 5, "under the smaller cap");
    is_int(txn.ops[0].tag, 2, "and its tag");
    commerce_txn_add(&txn, commerce_string("c"), INT64_MAX, 9, 1);
    ok(txn.failed, "an overflow is refused");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_string("c"), commerce_string("v"));
    commerce_txn_add(&txn, commerce_string("c"), 1, 9, 1);
    ok(txn.failed, "put and add of one key are refused");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    for (i = 0; i < 1000; i++) {
        commerce_txn_put(&txn, commerce_string("k"), commerce_string("v"));
    }
    ok(!txn.failed && txn.count == 1000, "a long list");

    commerce_heap_destroy(heap);
}


static void
test_apply(void)
{
    char              path[512];
    uint64_t          one, two, three;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;
    commerce_view_t  *view, *again;
    commerce_store_t *store;
    commerce_str_t    value;

    heap = commerce_heap_create();
    store = make_store(path, sizeof(path), "apply");

    is_int(version_of(store, "a"), 0, "an absent record has version 0");
    is_int(put(store, "a", "1"), COMMERCE_TXN_APPLIED, "put");
    one = version_of(store, "a");
    ok(one > 0, "it has a version");
    is_str(commerce_cstr(value_of(store, "a")), "1", "and the value");

    put(store, "a", "1");
    two = version_of(store, "a");
    ok(two > one, "a write of the same value changes the version");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_compare(&txn, commerce_string("a"), two);
    commerce_txn_compare(&txn, commerce_string("b"), 0);
    commerce_txn_delete(&txn, commerce_string("a"));
    commerce_txn_put(&txn, commerce_string("b"), commerce_string(""));
    is_int(apply_one(store, &txn), COMMERCE_TXN_APPLIED, "right versions");
    is_int(version_of(store, "a"), 0, "deleted");
    is_str(commerce_cstr(value_of(store, "b")), "", "an empty value is a value");
    ok(version_of(store, "b") > two, "with a version");

    is_int(apply_one(store, &txn), COMMERCE_TXN_CONFLICT, "the same again is a conflict");

    put(store, "a", "1");
    three = version_of(store, "a");
    ok(three > two, "a version does not come back after a delete");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_string("x"), commerce_string("x"));
    commerce_txn_event(&txn, commerce_string("{\"e\":1}"));
    commerce_txn_add(&txn, commerce_string("n"), 1, 10, 0);
    commerce_txn_compare(&txn, commerce_string("a"), two);
    is_int(apply_one(store, &txn), COMMERCE_TXN_CONFLICT, "a stale version is a conflict");
    is_int(version_of(store, "x"), 0, "nothing of it was put");
    is_int(counter_of(store, "n"), 0, "nothing counted");
    ok(outbox_count(store, &one, &two) == 0, "no event");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_delete(&txn, commerce_string("nothing"));
    is_int(apply_one(store, &txn), COMMERCE_TXN_APPLIED, "deleting what is absent");
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    is_int(apply_one(store, &txn), COMMERCE_TXN_APPLIED, "an empty transaction");
    is_int(version_of(store, "a"), three, "nobody's version changed");

    is_int(commerce_view_begin(store, &view), COMMERCE_OK, "a view");
    is_int(commerce_view_begin(store, &again), COMMERCE_ERROR, "begun twice is an error");
    put(store, "a", "new");
    commerce_view_get(view, commerce_string("a"), &value, &one);
    is_str(value, "1", "a view sees the state of its begin");
    is_int(commerce_view_get(view, commerce_string("\0meta"), &value, &one), COMMERCE_ERROR,
           "internal keys cannot be read");
    is_int(commerce_view_get(view, commerce_string(""), &value, &one), COMMERCE_ERROR,
           "nor no key");
    commerce_view_end(view);
    commerce_view_end(view);
    is_int(commerce_view_get(view, commerce_string("a"), &value, &one), COMMERCE_ERROR,
           "an ended view reads nothing");
    is_str(commerce_cstr(value_of(store, "a")), "new", "the next one sees the new value");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_string("y"), commerce_string("y"));
    commerce_txn_put(&txn, commerce_string(""), commerce_string("y"));
    is_int(apply_one(store, &txn), COMMERCE_TXN_UNAVAILABLE, "a failed transaction is not applied");
    is_int(version_of(store, "y"), 0, "at all");
    ok(commerce_store_error(store)[0] != '\0', "%s", commerce_store_error(store));
    put(store, "y", "y");
    is_str(commerce_cstr(commerce_store_error(store)), "", "the error is over");

    commerce_store_close(store);

    store = open_store(path, 0);
    is_str(commerce_cstr(value_of(store, "a")), "new", "still there after opening again");
    commerce_store_close(store);
    commerce_heap_destroy(heap);
}


static commerce_txn_result_t
add(commerce_store_t *store, const char *key, int64_t n, int64_t cap, int tag, int *failed_tag)
{
    commerce_txn_t    txn;
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_add(&txn, commerce_cstr(key), n, cap, tag);
    apply_one(store, &txn);
    commerce_heap_destroy(heap);

    if (failed_tag != NULL) {
        *failed_tag = txn.failed_tag;
    }

    return txn.result;
}


/* operations on forty counters, some of which are records to others, the same for each seed */

static void
random_txn(commerce_txn_t *txn, commerce_arena_t *arena, unsigned *seed)
{
    char            name[16];
    unsigned        i, count;
    commerce_str_t  key;

    commerce_txn_init(txn, arena);
    count = 1 + (unsigned) rand_r(seed) % 4;

    for (i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "counter/%u", (unsigned) rand_r(seed) % 40);
        key = commerce_copy(arena, commerce_cstr(name));

        switch (rand_r(seed) % 12) {

        case 0:
            commerce_txn_put(txn, key, commerce_string("\3\0\0\0\0\0\0"));
            break;

        case 1:
            commerce_txn_put(txn, key, (commerce_str_t) { "\3\0\0\0\0\0\0\0", 8 });
            break;

        case 2:
            commerce_txn_delete(txn, key);
            break;

        case 3:
            commerce_txn_compare(txn, key, 0);
            break;

        default:
            commerce_txn_add(txn, key, rand_r(seed) % 9 - 3, 20, (int) i + 1);
        }
    }
}


/* what a batch leaves is what its transactions leave one after the other */

static void
test_counters_in_batches(void)
{
    char               path[512], other_path[512], name[16];
    unsigned           i, n, batch, seed, again, results, tags, values;
    commerce_txn_t     together[24], apart, *list[24];
    commerce_heap_t   *heap;
    commerce_store_t  *store, *other;

    store = make_store(path, sizeof(path), "together");
    other = make_store(other_path, sizeof(other_path), "apart");
    results = tags = values = 0;
    seed = 7;

    for (batch = 0; batch < 100; batch++) {
        heap = commerce_heap_create();
        n = 1 + batch % 24;
        again = seed;

        for (i = 0; i < n; i++) {
            random_txn(&together[i], commerce_heap_arena(heap), &seed);
            list[i] = &together[i];
        }

        commerce_store_apply(store, list, n);

        for (i = 0; i < n; i++) {
            random_txn(&apart, commerce_heap_arena(heap), &again);
            apply_one(other, &apart);
            results += apart.result != together[i].result;
            tags += apart.failed_tag != together[i].failed_tag;
        }

        for (i = 0; i < 40; i++) {
            snprintf(name, sizeof(name), "counter/%u", i);
            values += counter_of(store, name) != counter_of(other, name);
        }

        commerce_heap_destroy(heap);
    }

    is_int(results, 0, "counters in batches: the same results");
    is_int(tags, 0, "the same tags");
    is_int(values, 0, "the same values after each batch");

    commerce_store_close(store);
    commerce_store_close(other);
}


static void
test_counters(void)
{
    int               tag;
    char              path[512];
    commerce_txn_t    txn;
    commerce_heap_t  *heap;
    commerce_store_t *store;

    heap = commerce_heap_create();
    store = make_store(path, sizeof(path), "counters");

    is_int(counter_of(store, "c"), 0, "an absent counter is 0");
    is_int(add(store, "c", 3, 3, 7, NULL), COMMERCE_TXN_APPLIED, "up to the cap");
    is_int(add(store, "c", 1, 3, 7, &tag), COMMERCE_TXN_LIMIT, "not above");
    is_int(tag, 7, "and the tag says which");
    is_int(counter_of(store, "c"), 3, "unchanged");
    is_int(add(store, "c", -1, 0, 7, NULL), COMMERCE_TXN_APPLIED, "down is never limited");
    is_int(counter_of(store, "c"), 2, "2");
    is_int(add(store, "c", -5, 0, 7, NULL), COMMERCE_TXN_APPLIED, "below 0");
    is_int(counter_of(store, "c"), 0, "is 0");
    is_int(add(store, "c", -5, 0, 7, NULL), COMMERCE_TXN_APPLIED, "again");
    is_int(add(store, "c", 1, 0, 7, NULL), COMMERCE_TXN_LIMIT, "a cap of 0");
    is_int(add(store, "c", 1, -1, 7, NULL), COMMERCE_TXN_LIMIT, "a negative cap");
    is_int(add(store, "c", INT64_MAX, INT64_MAX, 7, NULL), COMMERCE_TXN_APPLIED, "the largest");
    is_int(add(store, "c", 1, INT64_MAX, 7, NULL), COMMERCE_TXN_LIMIT, "no overflow");
    is_int(add(store, "c", INT64_MIN, 0, 7, NULL), COMMERCE_TXN_APPLIED, "the smallest");
    is_int(counter_of(store, "c"), 0, "is 0");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_add(&txn, commerce_string("d"), 2, 3, 1);
    commerce_txn_add(&txn, commerce_string("d"), 2, 3, 1);
    is_int(apply_one(store, &txn), COMMERCE_TXN_LIMIT, "two additions to one key count together");

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_add(&txn, commerce_string("d"), 1, 1, 1);
    commerce_txn_add(&txn, commerce_string("e"), 1, 0, 2);
    commerce_txn_add(&txn, commerce_string("f"), 1, 0, 3);
    commerce_txn_put(&txn, commerce_string("x"), commerce_string("x"));
    is_int(apply_one(store, &txn), COMMERCE_TXN_LIMIT, "one of several");
    is_int(txn.failed_tag, 2, "the first that fails is told");
    is_int(counter_of(store, "d"), 0, "the others are not counted");
    is_int(version_of(store, "x"), 0, "nothing put");

    commerce_txn_compare(&txn, commerce_string("x"), 99);
    is_int(apply_one(store, &txn), COMMERCE_TXN_CONFLICT, "a conflict outweighs a limit");

    put(store, "text", "no counter");
    is_int(add(store, "text", 1, 9, 1, NULL), COMMERCE_TXN_UNAVAILABLE, "a text is no counter");
    is_int(counter_of(store, "text"), INT64_MIN, "when read either");
    is_str(commerce_cstr(value_of(store, "text")), "no counter", "and stays");

    commerce_store_close(store);
    commerce_heap_destroy(heap);
}


static void
test_batch(void)
{
    char              path[512];
    unsigned          i;
    uint64_t          first, last;
    commerce_txn_t    txn[5], *txns[5];
    commerce_heap_t  *heap;
    commerce_store_t *store;
    commerce_store_stat_t  before, after;

    heap = commerce_heap_create();
    store = make_store(path, sizeof(path), "batch");
    put(store, "serial", "free");

    for (i = 0; i < 5; i++) {
        txns[i] = &txn[i];
        commerce_txn_init(&txn[i], commerce_heap_arena(heap));
    }

    for (i = 0; i < 2; i++) {
        commerce_txn_compare(&txn[i], commerce_string("serial"), version_of(store, "serial"));
        commerce_txn_put(&txn[i], commerce_string("serial"), commerce_string("spent"));
        commerce_txn_event(&txn[i], commerce_string("{\"t\":1}"));
    }

    for (i = 2; i < 5; i++) {
        commerce_txn_add(&txn[i], commerce_string("budget"), 1, 2, 5);
        commerce_txn_event(&txn[i], commerce_string("{\"t\":2}"));
    }

    is_int(commerce_store_apply(store, txns, 5), 3, "three of five");
    is_int(txn[0].result, COMMERCE_TXN_APPLIED, "the first takes the serial");
    is_int(txn[1].result, COMMERCE_TXN_CONFLICT, "the second sees that");
    is_int(txn[2].result, COMMERCE_TXN_APPLIED, "one of two");
    is_int(txn[3].result, COMMERCE_TXN_APPLIED, "two of two");
    is_int(txn[4].result, COMMERCE_TXN_LIMIT, "three of two");
    is_int(txn[4].failed_tag, 5, "tag");
    is_int(outbox_count(store, &first, &last), 3, "three events");
    is_int(last, 3, "without holes");

    commerce_store_stat(store, &before);
    is_int(commerce_store_apply(store, txns, 2), 0, "nothing applied");
    commerce_store_stat(store, &after);
    is_int((int64_t) (after.last_txn - before.last_txn), 0, "nothing committed");
    is_int(commerce_store_apply(store, NULL, 0), 0, "nothing asked");
    is_int(after.records, 2, "records");
    is_int(after.outbox, 3, "outbox");
    ok(after.bytes_used >= 4096 && after.bytes_used <= 65536, "bytes used");

    commerce_store_close(store);
    commerce_heap_destroy(heap);
}


static void
event(commerce_store_t *store, unsigned n)
{
    char              body[64];
    commerce_txn_t    txn;
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    snprintf(body, sizeof(body), "{\"n\":%u}", n);
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_event(&txn, commerce_cstr(body));
    apply_one(store, &txn);
    commerce_heap_destroy(heap);
}


static void
test_outbox(void)
{
    char              path[512], body_text[64];
    unsigned          i;
    uint64_t          first, last, sequence;
    commerce_str_t    body, key;
    commerce_view_t  *view;
    commerce_store_t *store;
    commerce_store_stat_t  figures;

    store = make_store(path, sizeof(path), "outbox");
    put(store, "zzz", "a record near the outbox");

    for (i = 1; i <= 300; i++) {
        event(store, i);
    }

    is_int(outbox_count(store, &first, &last), 300, "300 events");

    commerce_store_thread_view(store, &view);
    for (i = 1; i <= 300; i++) {
        snprintf(body_text, sizeof(body_text), "{\"n\":%u}", i);
        if (commerce_view_outbox(view, i - 1, &sequence, &body) != COMMERCE_OK || sequence != i
            || !commerce_equal(body, commerce_cstr(body_text)))
        {
            break;
        }
    }
    is_int(i, 301, "in commit order");
    is_int(commerce_view_outbox(view, 300, &sequence, &body), COMMERCE_ABSENT, "the end");
    is_int(commerce_view_outbox(view, UINT64_MAX, &sequence, &body), COMMERCE_ABSENT,
           "the very end");
    is_int(commerce_view_next(view, commerce_string(""), commerce_string("zzz"), &key, &body,
                              &sequence), COMMERCE_ABSENT, "events are no records");
    commerce_view_end(view);

    is_int(commerce_store_outbox_trim(store, 0), COMMERCE_OK, "trim nothing");
    is_int(outbox_count(store, &first, &last), 300, "nothing trimmed");
    is_int(commerce_store_outbox_trim(store, 100), COMMERCE_OK, "trim a part");
    is_int(outbox_count(store, &first, &last), 200, "200 left");
    is_int(first, 101, "the later ones");
    is_int(commerce_store_outbox_trim(store, 100), COMMERCE_OK, "again");
    is_int(commerce_store_outbox_trim(store, UINT64_MAX), COMMERCE_OK, "trim all");
    is_int(outbox_count(store, &first, &last), 0, "empty");
    is_int(commerce_store_outbox_trim(store, UINT64_MAX), COMMERCE_OK, "trim the empty one");
    is_str(commerce_cstr(value_of(store, "zzz")), "a record near the outbox", "records stay");

    commerce_store_stat(store, &figures);
    is_int(figures.records, 1, "one record");
    is_int(figures.outbox, 0, "no event");

    event(store, 301);
    outbox_count(store, &first, &last);
    is_int(first, 301, "sequences go on after trimming");
    commerce_store_outbox_trim(store, 301);
    commerce_store_close(store);

    store = open_store(path, 0);
    event(store, 302);
    outbox_count(store, &first, &last);
    is_int(first, 302, "and after opening again");
    commerce_store_close(store);
}


static void
test_next(void)
{
    char              path[512];
    unsigned          count;
    uint64_t          version;
    commerce_str_t    key, value, after;
    commerce_view_t  *view;
    commerce_store_t *store;

    store = make_store(path, sizeof(path), "next");
    put(store, "a", "0");
    put(store, "b", "1");
    put(store, "b/1", "2");
    put(store, "b/2", "3");
    put(store, "b0", "4");
    put(store, "\xfe", "5");
    event(store, 1);

    commerce_view_begin(store, &view);

    count = 0;
    after = commerce_string("");
    while (commerce_view_next(view, commerce_string("b/"), after, &key, &value, &version)
           == COMMERCE_OK)
    {
        count++;
        after = key;
    }
    is_int(count, 2, "two with the prefix");
    is_str(after, "b/2", "the last");

    count = 0;
    after = commerce_string("");
    while (commerce_view_next(view, commerce_string(""), after, &key, &value, &version)
           == COMMERCE_OK)
    {
        count++;
        after = key;
    }
    is_int(count, 6, "all records, nothing internal");

    is_int(commerce_view_next(view, commerce_string("b/"), commerce_string("b"), &key, &value,
                              &version), COMMERCE_OK, "after is a beginning of the prefix");
    is_str(key, "b/1", "the first of the prefix");
    is_int(commerce_view_next(view, commerce_string("b/"), commerce_string("a"), &key, &value,
                              &version), COMMERCE_OK, "after is before the prefix");
    is_str(key, "b/1", "the first of the prefix");
    is_int(commerce_view_next(view, commerce_string("b/"), commerce_string("b/1"), &key, &value,
                              &version), COMMERCE_OK, "after is one of them");
    is_str(key, "b/2", "the next");
    is_str(value, "3", "its value");
    is_int(commerce_view_next(view, commerce_string("b/"), commerce_string("b/11"), &key, &value,
                              &version), COMMERCE_OK, "after is none of them");
    is_str(key, "b/2", "the next");
    is_int(commerce_view_next(view, commerce_string("b/"), commerce_string("c"), &key, &value,
                              &version), COMMERCE_ABSENT, "after is behind");
    is_int(commerce_view_next(view, commerce_string("\xff"), commerce_string(""), &key, &value,
                              &version), COMMERCE_ERROR, "internal prefix");
    commerce_view_end(view);
    commerce_store_close(store);
}


/* compaction makes LMDB count transactions from 1 again */

static void
test_compacted(void)
{
    int               rc;
    char              path[512], copy[512], target[32];
    unsigned          i, bad;
    MDB_env          *env;
    uint64_t          version, last, top;
    commerce_store_t *store;

    store = make_store(path, sizeof(path), "compact");
    for (i = 0; i < 40; i++) {
        put(store, "k", "v");
    }
    event(store, 1);
    commerce_store_outbox_trim(store, 1);
    top = version_of(store, "k");
    commerce_store_close(store);

    for (i = 0; i < 3; i++) {
        snprintf(target, sizeof(target), "compact%u", i);
        directory(copy, sizeof(copy), target);
        mdb_env_create(&env);
        rc = mdb_env_open(env, path, MDB_NOTLS, 0600);
        rc = rc ? rc : mdb_env_copy2(env, copy, MDB_CP_COMPACT);
        mdb_env_close(env);
        is_int(rc, 0, "compacted");

        store = open_store(copy, COMMERCE_STORE_CREATE);
        ok(store != NULL && version_of(store, "k") == top, "versions are in the copy %s", error);

        put(store, "k", "v");
        last = version_of(store, "k");
        bad = last <= top;
        for (rc = 0; rc < 60; rc++) {
            put(store, "k", "v");
            version = version_of(store, "k");
            bad += version <= last;
            last = version;
        }
        is_int(bad, 0, "versions only rise, also after compaction %u", i + 1);
        top = last;

        event(store, 2);
        ok(outbox_count(store, &version, &last) == 1 && last == 2 + i, "sequences too");
        commerce_store_outbox_trim(store, 9);
        commerce_store_close(store);
        strcpy(path, copy);
    }
}


int
main(void)
{
    if (!start_tests()) {
        return 2;
    }

    test_open();
    test_foreign();
    test_late_id_space();
    test_build();
    test_apply();
    test_counters();
    test_counters_in_batches();
    test_batch();
    test_outbox();
    test_next();
    test_compacted();

    return end_tests();
}
