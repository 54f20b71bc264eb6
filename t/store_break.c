/*
 * Copyright (C) ngx_commerce authors
 *
 * Breaks a store, for t/store_check.t: store_break DIR get|del KEY, store_break DIR put KEY HEX.  Keys may have
 * \xHH in them; values are whole, with the eight bytes of their version.
 */

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static size_t
bytes(const char *text, unsigned char *out)
{
    size_t    n;
    unsigned  byte;

    for (n = 0; *text != '\0'; n++) {
        if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &byte) == 1) {
            text += 4;

        } else {
            byte = (unsigned char) *text++;
        }

        out[n] = (unsigned char) byte;
    }

    return n;
}


int
main(int argc, char **argv)
{
    int             rc;
    size_t          i;
    MDB_env        *env;
    MDB_txn        *txn;
    MDB_dbi         dbi;
    MDB_val         key, value;
    unsigned        byte;
    unsigned char   name[1024], data[65536];

    if (argc < 4 || strlen(argv[3]) >= sizeof(name) || (argc > 4 && strlen(argv[4]) / 2 > sizeof(data))) {
        return 2;
    }

    if (mdb_env_create(&env) != 0 || mdb_env_open(env, argv[1], MDB_NOTLS, 0600) != 0
        || mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
    {
        return 1;
    }

    key.mv_data = name;
    key.mv_size = bytes(argv[3], name);

    if (strcmp(argv[2], "get") == 0) {
        rc = mdb_get(txn, dbi, &key, &value);

        for (i = 0; rc == 0 && i < value.mv_size; i++) {
            printf("%02x", ((unsigned char *) value.mv_data)[i]);
        }

    } else if (strcmp(argv[2], "del") == 0) {
        rc = mdb_del(txn, dbi, &key, NULL);

    } else if (argc > 4) {
        for (i = 0; sscanf(argv[4] + 2 * i, "%2x", &byte) == 1; i++) {
            data[i] = (unsigned char) byte;
        }

        value.mv_data = data;
        value.mv_size = i;
        rc = mdb_put(txn, dbi, &key, &value, 0);

    } else {
        rc = -1;
    }

    if (rc == 0) {
        rc = mdb_txn_commit(txn);
    }

    mdb_env_close(env);

    return rc != 0;
}
