/*
 * Copyright (C) ngx_commerce authors
 *
 * Sorts more rows than memory should hold: runs of a million are sorted in memory and written to a temporary file,
 * which has no name any more and goes with the process, however it ends; then they are read in one merged order.
 *
 *   create, add ..., start, next ... until COMMERCE_ABSENT, destroy
 *
 * 24 bytes of memory for each row of a run, and a buffer for each run; 24 bytes of disk for each row, in TMPDIR or
 * /var/tmp.  What fits into one run needs no file.
 */

#ifndef COMMERCE_CLI_SORT_H
#define COMMERCE_CLI_SORT_H

#include "../commerce_imported.h"

#define COMMERCE_CLI_SORT_RUN  1000000

/* ordered by hash, equal ones by line */
typedef struct {
    uint8_t   hash[COMMERCE_IMPORTED_HASH];
    uint32_t  line;
    uint64_t  extra;            /* the caller's */
} commerce_cli_sort_row_t;

typedef struct commerce_cli_sort_s  commerce_cli_sort_t;

/* run: rows of one run; NULL when memory is out */
commerce_cli_sort_t *commerce_cli_sort_create(size_t run);
void commerce_cli_sort_destroy(commerce_cli_sort_t *sort);

/* COMMERCE_ERROR: the temporary file could not be made, written or read; errno says why */
int commerce_cli_sort_add(commerce_cli_sort_t *sort, const commerce_cli_sort_row_t *row);
int commerce_cli_sort_start(commerce_cli_sort_t *sort);
int commerce_cli_sort_next(commerce_cli_sort_t *sort, commerce_cli_sort_row_t *row);
uint64_t commerce_cli_sort_count(const commerce_cli_sort_t *sort);

/* a temporary file without a name, open for reading and writing; -1 and errno */
int commerce_cli_sort_file(void);

#endif
