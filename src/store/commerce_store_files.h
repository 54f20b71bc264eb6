/*
 * Copyright (C) ngx_commerce authors
 *
 * The store's directory: is it fit to hold money, are we its owner, is nobody restoring it, and are
 * the files that we hold open still the ones at the path.  Private to the store.
 *
 * store.lock tells who is there.  A process that knows formats up to N holds a shared lock, of the open
 * file, on byte N; the first generation, N = 1, holds a shared flock instead.  Each kind excludes its own
 * exclusive lock only, so that those who know format N can see whether anybody is there who does not, and
 * keep such ones out for the moment that it takes to change the store's format.  All of these locks end
 * with their process, however it ends.
 *
 * lock.mdb is only ever looked at with stat(): opening and closing it anywhere in a process drops
 * the locks by which LMDB knows that the process lives.
 */

#ifndef COMMERCE_STORE_FILES_H
#define COMMERCE_STORE_FILES_H

#include "commerce_store.h"

#include <limits.h>
#include <sys/stat.h>

typedef struct {
    char   path[PATH_MAX];
    char   data[PATH_MAX];
    char   lock[PATH_MAX];
    char   log_lock[PATH_MAX];
    int    store_lock;          /* store.lock, in which our lock is; -1 = none */
    bool   exists;              /* data.mdb was there before we came */
    dev_t  data_dev, lock_dev;
    ino_t  data_ino, lock_ino;
} commerce_store_files_t;

/* checks the directory, becomes its owner (tool as root), takes store.lock; or says why not */
int commerce_store_files_open(commerce_store_files_t *files, const char *path, unsigned flags,
    char *error, size_t error_size);
void commerce_store_files_close(commerce_store_files_t *files);

/*
 * True: nobody who does not know this format has the store open, and nobody can open it until
 * release(), which is also due after false.  Waits for nobody.
 */
bool commerce_store_files_hold(const commerce_store_files_t *files, unsigned format);
void commerce_store_files_release(const commerce_store_files_t *files, unsigned format);

/* remembers which files are open; data_fd is LMDB's */
int commerce_store_files_remember(commerce_store_files_t *files, int data_fd);

typedef enum {
    COMMERCE_FILES_SAME,
    COMMERCE_FILES_REPLACED,
    COMMERCE_FILES_ERROR        /* errno: cannot tell now */
} commerce_files_check_t;

commerce_files_check_t commerce_store_files_check(const commerce_store_files_t *files, int data_fd);

#endif
