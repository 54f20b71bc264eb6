/*
 * Copyright (C) ngx_commerce authors
 *
 * The LMDB engine: opening, shared transaction plumbing, figures.  Applying is in
 * commerce_store_apply.c, reading in commerce_store_view.c.
 */

#include "../commerce_codec.h"
#include "commerce_store_lmdb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define COMMERCE_META_SIZE  (5 * 8 + 40)


static int commerce_store_open_env(commerce_store_t *store, const commerce_store_options_t *options,
    char *error, size_t size);
static int commerce_store_create(commerce_store_t *store, const commerce_store_options_t *options,
    char *error, size_t size);
static int commerce_store_create_meta(commerce_store_t *store, MDB_txn *txn, const char *id_space);
static int commerce_store_open_meta(commerce_store_t *store, commerce_meta_t *meta);
static int commerce_store_check_meta(commerce_store_t *store,
    const commerce_store_options_t *options, char *error, size_t size);
static int commerce_store_count(commerce_store_t *store, MDB_txn *txn, commerce_store_stat_t *stat);


commerce_store_t *
commerce_store_open(const commerce_store_options_t *options, char *error, size_t error_size)
{
    commerce_store_t  *store;

    if (options->id_space != NULL
        && strlen(options->id_space) >= sizeof(((commerce_meta_t *) 0)->id_space))
    {
        snprintf(error, error_size, "\"%s\" is no id space", options->id_space);
        return NULL;
    }

    store = calloc(1, sizeof(commerce_store_t));
    if (store == NULL) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }

    store->alone = (options->flags & COMMERCE_STORE_ALONE) != 0;

    atomic_init(&store->users, 0);
    atomic_init(&store->replaced, false);
    atomic_init(&store->broken, false);
    atomic_init(&store->error, "");

    commerce_view_init(&store->view, store);
    commerce_view_init(&store->thread_view, store);

    if (commerce_store_files_open(&store->files, options->path, options->flags, error, error_size)
            != COMMERCE_OK
        || commerce_store_open_env(store, options, error, error_size) != COMMERCE_OK
        || commerce_store_check_meta(store, options, error, error_size) != COMMERCE_OK)
    {
        commerce_store_close(store);
        return NULL;
    }

    commerce_store_reap(store);

    return store;
}


void
commerce_store_close(commerce_store_t *store)
{
    if (store == NULL) {
        return;
    }

    commerce_view_destroy(&store->view);
    commerce_view_destroy(&store->thread_view);

    if (store->env != NULL) {
        mdb_env_close(store->env);
    }

    commerce_store_files_close(&store->files);
    free(store);
}


const char *
commerce_store_error(const commerce_store_t *store)
{
    const char  *error;

    error = atomic_load_explicit(&store->error, memory_order_acquire);

    if (error[0] == '\0' && commerce_store_replaced(store)) {
        return "the files of the store were replaced or removed while in use: nothing is written "
               "any more, restart nginx";
    }

    if (error[0] == '\0' && store->view.code != 0) {
        return mdb_strerror(store->view.code);
    }

    return error;
}


bool
commerce_store_replaced(const commerce_store_t *store)
{
    return atomic_load_explicit(&store->replaced, memory_order_relaxed);
}


bool
commerce_store_look(commerce_store_t *store)
{
    int  fd;

    if (!commerce_store_replaced(store)
        && mdb_env_get_fd(store->env, &fd) == 0
        && commerce_store_files_check(&store->files, fd) == COMMERCE_FILES_REPLACED)
    {
        atomic_store(&store->replaced, true);
    }

    return commerce_store_replaced(store);
}


bool
commerce_store_broken(const commerce_store_t *store)
{
    return atomic_load_explicit(&store->broken, memory_order_relaxed);
}


void
commerce_store_reap(commerce_store_t *store)
{
    int  dead;

    (void) mdb_reader_check(store->env, &dead);
}


const char *
commerce_store_log_lock(const commerce_store_t *store)
{
    return store->files.log_lock;
}


int
commerce_store_stat(commerce_store_t *store, commerce_store_stat_t *stat)
{
    int              rc;
    MDB_txn         *txn;
    MDB_envinfo      info;
    commerce_meta_t  meta;

    memset(stat, 0, sizeof(commerce_store_stat_t));

    rc = commerce_store_begin(store, MDB_RDONLY, &txn);
    if (rc != 0) {
        return COMMERCE_ERROR;
    }

    rc = commerce_store_meta_get(store, txn, &meta);

    if (rc == 0) {
        rc = commerce_store_count(store, txn, stat);
    }

    mdb_txn_abort(txn);
    commerce_store_leave(store);

    if (rc != 0 || mdb_env_info(store->env, &info) != 0) {
        return COMMERCE_ERROR;
    }

    stat->bytes_map = info.me_mapsize;
    stat->last_txn = info.me_last_txnid;
    stat->readers = info.me_numreaders;
    stat->format = (unsigned) meta.format;
    memcpy(stat->id_space, meta.id_space, sizeof(stat->id_space));

    return COMMERCE_OK;
}


/* the outbox has no holes: its first and last sequence tell how many there are */

static int
commerce_store_count(commerce_store_t *store, MDB_txn *txn, commerce_store_stat_t *stat)
{
    int          rc;
    MDB_val      key, data;
    uint8_t      name[COMMERCE_OUTBOX_KEY];
    uint64_t     first, last;
    MDB_stat     tree;
    MDB_cursor  *cursor;

    rc = mdb_stat(txn, store->dbi, &tree);
    if (rc != 0) {
        return rc;
    }

    stat->bytes_used = (uint64_t) tree.ms_psize
                       * (tree.ms_branch_pages + tree.ms_leaf_pages + tree.ms_overflow_pages);

    rc = mdb_cursor_open(txn, store->dbi, &cursor);
    if (rc != 0) {
        return rc;
    }

    commerce_outbox_key(name, 0);
    key = (MDB_val) { sizeof(name), name };

    if (mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE) == 0
        && commerce_outbox_sequence(&key, &first)
        && mdb_cursor_get(cursor, &key, &data, MDB_LAST) == 0
        && commerce_outbox_sequence(&key, &last))
    {
        stat->outbox = last - first + 1;
    }

    mdb_cursor_close(cursor);

    stat->records = tree.ms_entries - stat->outbox - 1;
    key = commerce_trimmed_key;

    if (mdb_get(txn, store->dbi, &key, &data) == 0) {
        stat->records--;
    }

    key = commerce_last_key;

    if (mdb_get(txn, store->dbi, &key, &data) == 0) {
        stat->records--;
    }

    return 0;
}


int
commerce_store_sync(commerce_store_t *store)
{
    int  rc;

    rc = mdb_env_sync(store->env, 1);

    return rc < 0 ? EIO : rc;
}


int
commerce_store_copy(commerce_store_t *store, int fd)
{
    int  rc;

    rc = mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);

    if (rc != 0) {
        commerce_store_fail(store, "cannot copy the store in %s: %s", store->files.path,
                            mdb_strerror(rc));
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_store_open_env(commerce_store_t *store, const commerce_store_options_t *options,
    char *error, size_t size)
{
    int     rc, fd;
    size_t  map;

    map = options->map_size;

    if (map == 0 && !store->files.exists) {
        map = COMMERCE_STORE_MAP;
    }

    rc = mdb_env_create(&store->env);

    if (rc == 0) {
        rc = mdb_env_set_maxreaders(store->env, COMMERCE_STORE_READERS);
    }

    if (rc == 0 && map != 0) {
        rc = mdb_env_set_mapsize(store->env, map);
    }

    if (rc == 0) {
        rc = mdb_env_open(store->env, store->files.path,
                          options->flags & COMMERCE_STORE_PRIVATE ? MDB_NOTLS|MDB_NOSYNC : MDB_NOTLS,
                          0600);
    }

    if (rc == EACCES || rc == EPERM) {
        snprintf(error, size, "cannot open the store in %s: %s: a file in it belongs to another "
                 "user; stop everything that uses the store, then chown the files to the "
                 "directory's owner", store->files.path, mdb_strerror(rc));
        return COMMERCE_ERROR;
    }

    if (rc != 0) {
        snprintf(error, size, "cannot open the store in %s: %s", store->files.path,
                 mdb_strerror(rc));
        return COMMERCE_ERROR;
    }

    if (mdb_env_get_fd(store->env, &fd) != 0
        || commerce_store_files_remember(&store->files, fd) != COMMERCE_OK)
    {
        snprintf(error, size, "the files in %s were replaced while they were opened",
                 store->files.path);
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


/* a read transaction tells whether there is something to create: opening waits for no writer */

static int
commerce_store_check_meta(commerce_store_t *store, const commerce_store_options_t *options,
    char *error, size_t size)
{
    int              rc;
    bool             create;
    commerce_meta_t  meta;

    create = options->flags & COMMERCE_STORE_CREATE;
    rc = commerce_store_open_meta(store, &meta);

    if (create
        && (rc == MDB_NOTFOUND
            || (rc == 0 && options->id_space != NULL && meta.id_space[0] == '\0')))
    {
        if (commerce_store_create(store, options, error, size) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        rc = commerce_store_open_meta(store, &meta);
    }

    if (rc == MDB_NOTFOUND) {
        snprintf(error, size, "there is no store in %s: create it first", store->files.path);
        return COMMERCE_ERROR;
    }

    if (rc != 0) {
        snprintf(error, size, "cannot read the store in %s: %s", store->files.path,
                 mdb_strerror(rc));
        return COMMERCE_ERROR;
    }

    if (meta.format < COMMERCE_STORE_FORMAT || meta.format > COMMERCE_CODEC_FORMAT) {
        snprintf(error, size, "the store in %s has format %llu, this program knows %d: use the "
                 "version that wrote it", store->files.path, (unsigned long long) meta.format,
                 COMMERCE_CODEC_FORMAT);
        return COMMERCE_ERROR;
    }

    if (options->id_space != NULL && meta.id_space[0] != '\0'
        && strcmp(meta.id_space, options->id_space) != 0)
    {
        snprintf(error, size, "the store in %s belongs to id space %s, the keys to %s: "
                 "this is another shop's store or another shop's keys", store->files.path,
                 meta.id_space, options->id_space);
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_store_open_meta(commerce_store_t *store, commerce_meta_t *meta)
{
    int       rc;
    MDB_txn  *txn;

    rc = commerce_store_begin(store, MDB_RDONLY, &txn);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);

    if (rc == 0) {
        rc = commerce_store_meta_get(store, txn, meta);
    }

    mdb_txn_abort(txn);
    commerce_store_leave(store);

    return rc;
}


static int
commerce_store_create(commerce_store_t *store, const commerce_store_options_t *options, char *error,
    size_t size)
{
    int       rc;
    MDB_txn  *txn;

    rc = commerce_store_begin(store, 0, &txn);

    if (rc == 0) {
        rc = commerce_store_create_meta(store, txn, options->id_space);

        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }

        commerce_store_leave(store);
    }

    if (rc == MDB_INCOMPATIBLE) {
        snprintf(error, size, "%s holds an LMDB database that is not a commerce store",
                 store->files.path);
        return COMMERCE_ERROR;
    }

    if (rc != 0) {
        snprintf(error, size, "cannot create a store in %s: %s", store->files.path,
                 mdb_strerror(rc));
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_store_create_meta(commerce_store_t *store, MDB_txn *txn, const char *id_space)
{
    int              rc;
    MDB_stat         tree;
    commerce_meta_t  meta;

    rc = commerce_store_meta_get(store, txn, &meta);

    if (rc == MDB_NOTFOUND) {
        rc = mdb_stat(txn, store->dbi, &tree);

        if (rc != 0 || tree.ms_entries != 0) {
            return rc != 0 ? rc : MDB_INCOMPATIBLE;
        }

        memset(&meta, 0, sizeof(commerce_meta_t));
        meta.format = COMMERCE_STORE_FORMAT;
        meta.created = (uint64_t) time(NULL);
        meta.ceiling = mdb_txn_id(txn);

        /* the first number after a compaction is 2: it must never pass for a later one */

        meta.origin = mdb_txn_id(txn) < 2 ? 2 : mdb_txn_id(txn);

    } else if (rc != 0) {
        return rc;
    }

    if (id_space != NULL && meta.id_space[0] == '\0') {
        memcpy(meta.id_space, id_space, strlen(id_space) + 1);
    }

    return commerce_store_meta_put(store, txn, &meta, mdb_txn_id(txn));
}


int
commerce_store_meta_get(commerce_store_t *store, MDB_txn *txn, commerce_meta_t *meta)
{
    int             rc;
    MDB_val         key, data;
    const uint8_t  *p;

    key = commerce_meta_key;

    rc = mdb_get(txn, store->dbi, &key, &data);
    if (rc != 0) {
        return rc;
    }

    if (data.mv_size < COMMERCE_VERSION_SIZE + COMMERCE_META_SIZE) {
        return MDB_CORRUPTED;
    }

    p = (const uint8_t *) data.mv_data + COMMERCE_VERSION_SIZE;

    meta->format = commerce_store_load(p);
    meta->base = commerce_store_load(p + 8);
    meta->origin = commerce_store_load(p + 16);
    meta->ceiling = commerce_store_load(p + 24);
    meta->created = commerce_store_load(p + 32);
    memcpy(meta->id_space, p + 40, sizeof(meta->id_space));
    meta->id_space[sizeof(meta->id_space) - 1] = '\0';

    return 0;
}


int
commerce_store_meta_put(commerce_store_t *store, MDB_txn *txn, const commerce_meta_t *meta,
    uint64_t version)
{
    uint8_t  buffer[COMMERCE_VERSION_SIZE + COMMERCE_META_SIZE];
    MDB_val  key, data;

    commerce_store_save(buffer, version);
    commerce_store_save(buffer + 8, meta->format);
    commerce_store_save(buffer + 16, meta->base);
    commerce_store_save(buffer + 24, meta->origin);
    commerce_store_save(buffer + 32, meta->ceiling);
    commerce_store_save(buffer + 40, meta->created);
    memcpy(buffer + 48, meta->id_space, sizeof(meta->id_space));

    key = commerce_meta_key;
    data = (MDB_val) { sizeof(buffer), buffer };

    return mdb_put(txn, store->dbi, &key, &data, 0);
}


/*
 * Begins a transaction, counted in users until commerce_store_leave().  When another process has
 * grown the map, ours follows at a moment when nothing in this process looks into it.
 */

int
commerce_store_begin(commerce_store_t *store, unsigned flags, MDB_txn **txn)
{
    int       rc;
    unsigned  try;

    for (try = 0; /* void */; try++) {
        if (!commerce_store_enter(store)) {
            return EAGAIN;
        }

        rc = mdb_txn_begin(store->env, NULL, flags, txn);
        if (rc == 0) {
            return 0;
        }

        commerce_store_leave(store);

        if (rc != MDB_MAP_RESIZED || try > 0) {
            return rc;
        }

        rc = commerce_store_grown(store);
        if (rc != 0) {
            return rc;
        }
    }
}


bool
commerce_store_enter(commerce_store_t *store)
{
    int  users;

    users = atomic_load_explicit(&store->users, memory_order_relaxed);

    do {
        if (users < 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&store->users, &users, users + 1,
                                                    memory_order_acquire, memory_order_relaxed));

    return true;
}


void
commerce_store_leave(commerce_store_t *store)
{
    atomic_fetch_sub_explicit(&store->users, 1, memory_order_release);
}


int
commerce_store_grown(commerce_store_t *store)
{
    int  rc, none;

    none = 0;

    if (!atomic_compare_exchange_strong(&store->users, &none, -1)) {
        return MDB_MAP_RESIZED;
    }

    rc = mdb_env_set_mapsize(store->env, 0);

    if (rc == 0) {
        atomic_store(&store->users, 0);

    } else {

        /* the old map is gone: users stays -1, nobody may look into it any more */

        atomic_store(&store->broken, true);
    }

    return rc;
}


/* a published text is only overwritten after three others: a reader may still be printing it */

void
commerce_store_fail(commerce_store_t *store, const char *fmt, ...)
{
    char     *text;
    va_list   args;

    text = store->texts[store->text];

    va_start(args, fmt);
    vsnprintf(text, sizeof(store->texts[0]), fmt, args);
    va_end(args);

    if (strcmp(text, atomic_load_explicit(&store->error, memory_order_relaxed)) == 0) {
        return;
    }

    store->text = (store->text + 1) % (sizeof(store->texts) / sizeof(store->texts[0]));
    atomic_store_explicit(&store->error, text, memory_order_release);
}
