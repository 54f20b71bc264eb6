/*
 * Copyright (C) ngx_commerce authors
 *
 * What the store's unit tests share: a temporary folder, stores in it, and small looks into them.
 */

#ifndef STORE_KIT_H
#define STORE_KIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* locks of open files */
#endif

#include "tap.h"
#include "store/commerce_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS      50
#define ID_SPACE    "0d5f6c1e-7c1b-4b0e-9a55-3f2f3c8f7a10"
#define OTHER_ID    "11111111-2222-4333-8444-555555555555"

static char  base[256];
static char  error[512];


static inline void
directory(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", base, name);
    mkdir(path, 0700);
}


static inline void
erase(const char *path)
{
    DIR            *dir;
    char            name[1024];
    struct stat     st;
    struct dirent  *entry;

    dir = opendir(path);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }

        if ((size_t) snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= sizeof(name)) {
            continue;
        }

        if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
            erase(name);
        } else {
            unlink(name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }

    rmdir(path);
}


static inline commerce_store_t *
open_store(const char *path, unsigned flags)
{
    commerce_store_options_t  options = { path, ID_SPACE, (size_t) 1 << 30, flags };

    error[0] = '\0';

    return commerce_store_open(&options, error, sizeof(error));
}


static inline commerce_store_t *
make_store(char *path, size_t size, const char *name)
{
    directory(path, size, name);

    return open_store(path, COMMERCE_STORE_CREATE);
}


static inline commerce_txn_result_t
apply_one(commerce_store_t *store, commerce_txn_t *txn)
{
    unsigned  applied;

    applied = commerce_store_apply(store, &txn, 1);

    if ((applied == 1) != (txn->result == COMMERCE_TXN_APPLIED)) {
        ok(false, "apply() counts what it applied");
    }

    return txn->result;
}


static inline commerce_txn_result_t
put(commerce_store_t *store, const char *key, const char *value)
{
    commerce_txn_t          txn;
    commerce_heap_t        *heap;
    commerce_txn_result_t   result;

    heap = commerce_heap_create();
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_txn_put(&txn, commerce_cstr(key), commerce_cstr(value));
    result = apply_one(store, &txn);
    commerce_heap_destroy(heap);

    return result;
}


static inline uint64_t
version_of(commerce_store_t *store, const char *key)
{
    uint64_t          version;
    commerce_str_t    value;
    commerce_view_t  *view;

    version = UINT64_MAX;

    if (commerce_view_begin(store, &view) == COMMERCE_OK) {
        (void) commerce_view_get(view, commerce_cstr(key), &value, &version);
        commerce_view_end(view);
    }

    return version;
}


static inline const char *
value_of(commerce_store_t *store, const char *key)
{
    int               rc;
    uint64_t          version;
    commerce_str_t    value;
    commerce_view_t  *view;
    static char       copy[256];

    if (commerce_view_begin(store, &view) != COMMERCE_OK) {
        return "(no view)";
    }

    rc = commerce_view_get(view, commerce_cstr(key), &value, &version);

    snprintf(copy, sizeof(copy), "%.*s", rc == COMMERCE_OK ? (int) value.len : 8,
             rc == COMMERCE_OK ? value.data : rc == COMMERCE_ABSENT ? "(absent)" : "(error!)");
    commerce_view_end(view);

    return copy;
}


static inline int64_t
counter_of(commerce_store_t *store, const char *key)
{
    int64_t           value;
    commerce_view_t  *view;

    value = INT64_MIN;

    if (commerce_view_begin(store, &view) == COMMERCE_OK) {
        if (commerce_view_counter(view, commerce_cstr(key), &value) != COMMERCE_OK) {
            value = INT64_MIN;
        }

        commerce_view_end(view);
    }

    return value;
}


static inline uint64_t
outbox_count(commerce_store_t *store, uint64_t *first, uint64_t *last)
{
    uint64_t          count, sequence;
    commerce_str_t    body;
    commerce_view_t  *view;

    count = 0;
    *first = *last = 0;

    if (commerce_store_thread_view(store, &view) != COMMERCE_OK) {
        return UINT64_MAX;
    }

    while (commerce_view_outbox(view, *last, &sequence, &body) == COMMERCE_OK) {
        *first = count++ == 0 ? sequence : *first;
        *last = sequence;
    }

    commerce_view_end(view);

    return count;
}


/* of all generations but the first: F_WRLCK as restore takes it, F_UNLCK; 0 or -1 */

static inline int
lock_all(int fd, int type)
{
    struct flock  lock = { .l_type = (short) type, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &lock);
}


static inline bool
start_tests(void)
{
    const char  *tmp = getenv("TMPDIR");

    snprintf(base, sizeof(base), "%s/commerce_store_XXXXXX", tmp != NULL ? tmp : "/tmp");

    return mkdtemp(base) != NULL;
}


static inline int
end_tests(void)
{
    erase(base);

    return done_testing();
}

#endif
