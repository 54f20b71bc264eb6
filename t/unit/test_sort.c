/*
 * Copyright (C) ngx_commerce authors
 *
 * The tool's sort on disk: many runs, one order.
 */

#include <unistd.h>

#include "tap.h"
#include "cli/commerce_cli_sort.c"


static void test_sort(size_t run, uint32_t rows);
static void test_no_folder(void);


int
main(void)
{
    test_sort(100, 0);
    test_sort(100, 1);
    test_sort(100, 99);
    test_sort(100, 100);
    test_sort(100, 101);
    test_sort(100, 5000);
    test_sort(3000, 9001);          /* runs longer than the part of them that is in memory */
    test_no_folder();

    return done_testing();
}


/* hashes of which each is there three times, in the order of lines */

static void
test_sort(size_t run, uint32_t rows)
{
    bool                      ordered;
    uint64_t                  seen, lines;
    uint32_t                  i, seed;
    commerce_cli_sort_t      *sort;
    commerce_cli_sort_row_t   row, last;

    sort = commerce_cli_sort_create(run);
    ok(sort != NULL, "made");

    for (i = 0; i < rows; i++) {
        seed = (i / 3) * 2654435761U;

        memset(&row, 0, sizeof(row));
        memcpy(row.hash, &seed, sizeof(seed));
        row.line = i + 1;
        row.extra = 7ULL * i;

        if (commerce_cli_sort_add(sort, &row) != COMMERCE_OK) {
            break;
        }
    }

    is_int(i, rows, "%u rows, runs of %zu: added", rows, run);
    is_int((int64_t) commerce_cli_sort_count(sort), rows, "counted");
    is_int(commerce_cli_sort_start(sort), COMMERCE_OK, "started");

    ordered = true;
    lines = 0;

    for (seen = 0; commerce_cli_sort_next(sort, &row) == COMMERCE_OK; seen++) {
        ordered = ordered && (seen == 0 || sort_compare(&last, &row) < 0) && row.extra == 7ULL * (row.line - 1);
        lines += row.line;
        last = row;
    }

    is_int((int64_t) seen, rows, "all of them come");
    is_int((int64_t) lines, (int64_t) rows * (rows + 1) / 2, "each once");
    ok(ordered, "by hash, then by line, as they were");
    is_int(commerce_cli_sort_next(sort, &row), COMMERCE_ABSENT, "and no more");

    commerce_cli_sort_destroy(sort);
}


static void
test_no_folder(void)
{
    uint32_t                  i;
    commerce_cli_sort_t      *sort;
    commerce_cli_sort_row_t   row = { .line = 1 };

    setenv("TMPDIR", "/nonexistent", 1);
    sort = commerce_cli_sort_create(10);

    for (i = 0; i < 20 && commerce_cli_sort_add(sort, &row) == COMMERCE_OK; i++) { /* void */ }

    is_int(i, 10, "no folder for the file: the first run fits, the next row is an error");
    is_int(errno, ENOENT, "errno says why");

    commerce_cli_sort_destroy(sort);
    unsetenv("TMPDIR");
}
