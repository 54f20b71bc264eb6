/*
 * Copyright (C) ngx_commerce authors
 *
 * A store in a directory of its own, gone at the end.
 */

#ifndef TEMP_STORE_H
#define TEMP_STORE_H

#include <unistd.h>

#include "tap.h"
#include "store/commerce_store.h"

static char               temp_path[256];
static commerce_store_t  *temp_store;


static inline void
temp_store_open(void)
{
    char         error[512];
    const char  *base;

    commerce_store_options_t  options = {
        temp_path, NULL, (size_t) 1 << 28, COMMERCE_STORE_CREATE
    };

    base = getenv("TMPDIR");
    snprintf(temp_path, sizeof(temp_path), "%s/commerce_test_XXXXXX", base ? base : "/tmp");

    if (mkdtemp(temp_path) == NULL) {
        printf("Bail out! no directory %s\n", temp_path);
        exit(1);
    }

    temp_store = commerce_store_open(&options, error, sizeof(error));

    if (temp_store == NULL) {
        printf("Bail out! no store: %s\n", error);
        exit(1);
    }
}


static inline void
temp_store_close(void)
{
    char                      name[320];
    unsigned                  i;
    static const char *const  files[] = { "data.mdb", "lock.mdb", "store.lock", "log.lock" };

    commerce_store_close(temp_store);

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", temp_path, files[i]);
        unlink(name);
    }

    rmdir(temp_path);
}


static inline commerce_txn_result_t
temp_store_apply(commerce_txn_t *txn)
{
    commerce_store_apply(temp_store, &txn, 1);

    return txn->result;
}

#endif
