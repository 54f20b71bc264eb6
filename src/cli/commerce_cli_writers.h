/*
 * Copyright (C) ngx_commerce authors
 *
 * Who wrote an event log: a sequence and a chain for each writer (commerce_log.h), as its lines are read one by one.
 *
 * A writer's name is what stands in its lines: NODE","epoch":EPOCH,"worker":WORKER
 */

#ifndef COMMERCE_CLI_WRITERS_H
#define COMMERCE_CLI_WRITERS_H

#include <openssl/evp.h>

#include "commerce_cli.h"

#define COMMERCE_CLI_CHAIN  32      /* hex digits */

typedef struct commerce_cli_writer_s  commerce_cli_writer_t;

typedef struct {
    commerce_cli_t         *cli;
    commerce_cli_writer_t  *list;
    size_t                  count, room, current;
    EVP_MD_CTX             *digest;
} commerce_cli_writers_t;

typedef enum {
    COMMERCE_CLI_CHAIN_HOLDS,
    COMMERCE_CLI_CHAIN_BEGINS,      /* in the middle: this writer's first line is not there */
    COMMERCE_CLI_CHAIN_BREAKS
} commerce_cli_chain_t;

/* these return what commands do (commerce_cli.h), and have said why */
int commerce_cli_writers_open(commerce_cli_t *cli, commerce_cli_writers_t *writers);
void commerce_cli_writers_close(commerce_cli_writers_t *writers);

/* made when it is new; NULL: out of memory; it lives until the next call */
commerce_cli_writer_t *commerce_cli_writer(commerce_cli_writers_t *writers, commerce_str_t name);

/* again: this line was there before */
int commerce_cli_writer_sequence(commerce_cli_writers_t *writers, commerce_cli_writer_t *writer, uint64_t seq,
    bool *again);

/* body as it stands in the line, without the brace that ended it in the store */
int commerce_cli_writer_chain(commerce_cli_writers_t *writers, commerce_cli_writer_t *writer, commerce_str_t body,
    commerce_str_t chain, commerce_cli_chain_t *result);

/* lines of a writer of the same node as `teller` are in no file */
int commerce_cli_writer_lost(commerce_cli_writers_t *writers, commerce_str_t teller, int64_t epoch, int64_t worker,
    uint64_t lines);

/* says in out whose lines are missing, other than lost ones, and returns how many they are */
uint64_t commerce_cli_writers_missing(const commerce_cli_writers_t *writers, FILE *out);

#endif
