/*
 * Copyright (C) ngx_commerce authors
 *
 * How far a long work has come, on stderr: a bar that moves on a terminal, elsewhere a line for each tenth.
 */

#ifndef COMMERCE_CLI_PROGRESS_H
#define COMMERCE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct {
    const char       *what;         /* "reading", "writing" */
    const char       *unit;         /* "bytes", "codes" */
    uint64_t          total;        /* 0: nobody knows */
    uint64_t          from;         /* where this run began */
    unsigned          tenth;        /* the last one that was told */
    bool              terminal;
    bool              shown;
    struct timespec   started, told;
} commerce_cli_progress_t;

void commerce_cli_progress_start(commerce_cli_progress_t *progress, const char *what, const char *unit,
    uint64_t from, uint64_t total);
void commerce_cli_progress_show(commerce_cli_progress_t *progress, uint64_t done);

/* before anything else is said on stderr: the bar makes room, and comes again with the next show() */
void commerce_cli_progress_clear(commerce_cli_progress_t *progress);

#endif
