/*
 * Copyright (C) ngx_commerce authors
 *
 *   churn DIRECTORY OTHER
 *
 * Writes orders into a store at full rate, batches of 64 under one commit, as another worker would; into the
 * store of OTHER, for the same work on the same disk without the store that is looked at.  Holds the writer
 * locks of both logs from its start, so that nobody else drains what it writes.
 *
 * Reads from its standard input what to do: "+" write into DIRECTORY, "=" into OTHER, "-" rest; to each it
 * answers with a line, the number of orders written before.  Ends with its input.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "entry.h"


#define MAP    ((size_t) 4 << 30)
#define BATCH  64
#define FIRST  100000000                /* beyond the orders and coupons that others make */

#define S  commerce_string


typedef struct {
    commerce_store_t  *store;
    commerce_log_t    *log;
    int                fd;
    unsigned           next, undrained;
} side_t;


static void side_open(side_t *side, const char *directory);
static void side_write(side_t *side);
static void side_drain(side_t *side);
static void apply(side_t *side, commerce_txn_t **txns);


int
main(int argc, char **argv)
{
    char           command;
    side_t         sides[2], *side;
    unsigned       written;
    struct pollfd  in = { STDIN_FILENO, POLLIN, 0 };

    if (argc != 3) {
        fprintf(stderr, "usage: churn DIRECTORY OTHER\n");
        return 2;
    }

    setvbuf(stdout, NULL, _IONBF, 0);

    side_open(&sides[0], argv[1]);
    side_open(&sides[1], argv[2]);
    printf("0\n");

    side = NULL;
    written = 0;

    for ( ;; ) {
        if (poll(&in, 1, side == NULL ? -1 : 0) == 1) {

            if (read(STDIN_FILENO, &command, 1) != 1) {
                return 0;
            }

            if (command == '\n') {
                continue;
            }

            if (side != NULL) {
                side_drain(side);
            }

            printf("%u\n", written);
            side = command == '+' ? &sides[0] : command == '=' ? &sides[1] : NULL;
            written = 0;
            continue;
        }

        side_write(side);
        written += BATCH;
    }
}


static void
side_open(side_t *side, const char *directory)
{
    char                      error[512], file[4096];
    commerce_log_origin_t     origin = { S("churn"), 1, 0, S("0000000000000000") };
    commerce_store_options_t  options = { directory, NULL, MAP, COMMERCE_STORE_CREATE };

    side->store = commerce_store_open(&options, error, sizeof(error));

    if (side->store == NULL) {
        entry_fail(error);
    }

    snprintf(file, sizeof(file), "%s/churn.jsonl", directory);

    side->fd = open(file, O_WRONLY|O_CREAT|O_APPEND, 0600);
    side->log = commerce_log_create(&origin);
    side->next = FIRST;
    side->undrained = 0;

    if (side->fd == -1 || side->log == NULL
        || !commerce_log_elect(side->log, commerce_store_log_lock(side->store)))
    {
        entry_fail("cannot start");
    }

    entry_seed(side->store);
}


static void
side_write(side_t *side)
{
    unsigned         i;
    entry_t          entries[BATCH];
    commerce_txn_t  *txns[BATCH];

    for (i = 0; i < BATCH; i++) {
        entry_open(side->store, &entries[i], side->next + i);
        txns[i] = &entries[i].open;
    }

    apply(side, txns);

    for (i = 0; i < BATCH; i++) {
        entry_accept(side->store, &entries[i], side->next + i);
        txns[i] = &entries[i].accept;
    }

    apply(side, txns);

    for (i = 0; i < BATCH; i++) {
        commerce_heap_destroy(entries[i].heap);
    }

    side->next += BATCH;
    side->undrained += BATCH;

    if (side->undrained >= 1365) {
        side_drain(side);
    }
}


static void
apply(side_t *side, commerce_txn_t **txns)
{
    if (commerce_store_apply(side->store, txns, BATCH) != BATCH) {
        entry_fail(commerce_store_error(side->store));
    }
}


static void
side_drain(side_t *side)
{
    commerce_log_drain_t  result;

    do {
        if (commerce_log_drain(side->log, side->store, side->fd, 4096, &result) != COMMERCE_OK) {
            entry_fail("cannot drain");
        }
    } while (result.more);

    side->undrained = 0;
}
