/*
 * Copyright (C) ngx_commerce authors
 *
 * A backup is a folder with two files: data.mdb, the copy of the store, and manifest.json, which says what it
 * is and is written last: without it the copy is not whole.
 */

#ifndef COMMERCE_CLI_BACKUP_H
#define COMMERCE_CLI_BACKUP_H

#include "../commerce_json.h"
#include "commerce_cli.h"

#define COMMERCE_CLI_PATH    4096
#define COMMERCE_CLI_DIGEST  65         /* SHA-256 in hex, and a NUL */

typedef struct {
    commerce_time_t  time;              /* when it was begun */
    commerce_str_t   id_space;
    uint64_t         format, records, outbox, commits, bytes;
    commerce_str_t   sha256;            /* of data.mdb */
    commerce_str_t   last_event;        /* id; everything up to it is in the copy; empty: not known */
    int64_t          last_event_us;
} commerce_cli_manifest_t;

/* checks that the folder holds a whole backup */
int commerce_cli_manifest_read(commerce_cli_t *cli, const char *folder, commerce_cli_manifest_t *manifest);

/* FOLDER/NAME; COMMERCE_CLI_FAILED (said) when it is too long */
int commerce_cli_path(commerce_cli_t *cli, char path[COMMERCE_CLI_PATH], const char *folder, const char *name);

/* of everything in the file */
int commerce_cli_digest(commerce_cli_t *cli, int fd, char hex[COMMERCE_CLI_DIGEST]);

/* the folder's entries on disk */
int commerce_cli_sync_folder(commerce_cli_t *cli, const char *folder);

#endif
