/*
 * Copyright (C) ngx_commerce authors
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commerce_cli_sort.h"

#define SORT_BUFFER  1024       /* rows of a run in memory while it is merged */


/* a sorted run: what was not read yet, and its part in memory */
typedef struct {
    uint64_t                  next, end;        /* rows in the file */
    size_t                    first, count;     /* rows in the buffer */
    commerce_cli_sort_row_t  *buffer;
} sort_run_t;

struct commerce_cli_sort_s {
    int                        fd;              /* -1: none was needed */
    size_t                     size;            /* rows of a run */
    commerce_cli_sort_row_t   *rows;            /* of the run at hand */
    size_t                     count, next;     /* next: to be given out, where one run is all */
    uint64_t                   total;
    sort_run_t                *runs;
    size_t                     run_count;
    size_t                    *heap;            /* runs, the one with the smallest row first */
    size_t                     heap_count;
};


static int sort_compare(const void *a, const void *b);
static int sort_spill(commerce_cli_sort_t *sort);
static int sort_write(int fd, const void *data, size_t size);
static int sort_load(commerce_cli_sort_t *sort, sort_run_t *run);
static const commerce_cli_sort_row_t *sort_first(const commerce_cli_sort_t *sort, size_t place);
static void sort_sink(commerce_cli_sort_t *sort, size_t place);


commerce_cli_sort_t *
commerce_cli_sort_create(size_t run)
{
    commerce_cli_sort_t  *sort;

    sort = calloc(1, sizeof(commerce_cli_sort_t));
    if (sort == NULL) {
        return NULL;
    }

    sort->fd = -1;
    sort->size = run;
    sort->rows = malloc(run * sizeof(commerce_cli_sort_row_t));

    if (sort->rows == NULL) {
        free(sort);
        return NULL;
    }

    return sort;
}


void
commerce_cli_sort_destroy(commerce_cli_sort_t *sort)
{
    size_t  i;

    if (sort == NULL) {
        return;
    }

    for (i = 0; i < sort->run_count; i++) {
        free(sort->runs[i].buffer);
    }

    if (sort->fd != -1) {
        close(sort->fd);
    }

    free(sort->runs);
    free(sort->heap);
    free(sort->rows);
    free(sort);
}


uint64_t
commerce_cli_sort_count(const commerce_cli_sort_t *sort)
{
    return sort->total;
}


int
commerce_cli_sort_add(commerce_cli_sort_t *sort, const commerce_cli_sort_row_t *row)
{
    if (sort->count == sort->size && sort_spill(sort) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    sort->rows[sort->count++] = *row;
    sort->total++;

    return COMMERCE_OK;
}


int
commerce_cli_sort_start(commerce_cli_sort_t *sort)
{
    size_t  i;

    if (sort->run_count == 0) {
        qsort(sort->rows, sort->count, sizeof(commerce_cli_sort_row_t), sort_compare);
        return COMMERCE_OK;
    }

    if (sort->count != 0 && sort_spill(sort) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    free(sort->rows);
    sort->rows = NULL;

    sort->heap = malloc(sort->run_count * sizeof(size_t));
    if (sort->heap == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < sort->run_count; i++) {
        sort->runs[i].buffer = malloc(SORT_BUFFER * sizeof(commerce_cli_sort_row_t));

        if (sort->runs[i].buffer == NULL || sort_load(sort, &sort->runs[i]) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        sort->heap[i] = i;
    }

    sort->heap_count = sort->run_count;

    for (i = sort->heap_count / 2; i != 0; i--) {
        sort_sink(sort, i - 1);
    }

    return COMMERCE_OK;
}


int
commerce_cli_sort_next(commerce_cli_sort_t *sort, commerce_cli_sort_row_t *row)
{
    sort_run_t  *run;

    if (sort->run_count == 0) {
        if (sort->next == sort->count) {
            return COMMERCE_ABSENT;
        }

        *row = sort->rows[sort->next++];

        return COMMERCE_OK;
    }

    if (sort->heap_count == 0) {
        return COMMERCE_ABSENT;
    }

    run = &sort->runs[sort->heap[0]];
    *row = run->buffer[run->first++];

    if (run->first == run->count && run->next != run->end && sort_load(sort, run) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (run->first == run->count) {
        sort->heap[0] = sort->heap[--sort->heap_count];
    }

    sort_sink(sort, 0);

    return COMMERCE_OK;
}


static int
sort_compare(const void *a, const void *b)
{
    int                             rc;
    const commerce_cli_sort_row_t  *x = a, *y = b;

    rc = memcmp(x->hash, y->hash, COMMERCE_IMPORTED_HASH);

    return rc != 0 ? rc : (x->line > y->line) - (x->line < y->line);
}


/* the rows in memory become a run in the file */

static int
sort_spill(commerce_cli_sort_t *sort)
{
    sort_run_t  *runs;

    if (sort->fd == -1) {
        sort->fd = commerce_cli_sort_file();
        if (sort->fd == -1) {
            return COMMERCE_ERROR;
        }
    }

    runs = realloc(sort->runs, (sort->run_count + 1) * sizeof(sort_run_t));
    if (runs == NULL) {
        return COMMERCE_ERROR;
    }

    sort->runs = runs;
    runs += sort->run_count++;
    memset(runs, 0, sizeof(sort_run_t));

    runs->end = sort->total;
    runs->next = sort->total - sort->count;

    qsort(sort->rows, sort->count, sizeof(commerce_cli_sort_row_t), sort_compare);

    if (sort_write(sort->fd, sort->rows, sort->count * sizeof(commerce_cli_sort_row_t)) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    sort->count = 0;

    return COMMERCE_OK;
}


static int
sort_write(int fd, const void *data, size_t size)
{
    ssize_t      n;
    const char  *p = data;

    while (size != 0) {
        n = write(fd, p, size);

        if (n > 0) {
            p += n;
            size -= (size_t) n;

        } else if (n == -1 && errno != EINTR) {
            return COMMERCE_ERROR;
        }
    }

    return COMMERCE_OK;
}


static int
sort_load(commerce_cli_sort_t *sort, sort_run_t *run)
{
    char     *p;
    size_t    size;
    ssize_t   n;
    off_t     offset;

    run->first = 0;
    run->count = run->end - run->next < SORT_BUFFER ? (size_t) (run->end - run->next) : SORT_BUFFER;

    p = (char *) run->buffer;
    size = run->count * sizeof(commerce_cli_sort_row_t);
    offset = (off_t) (run->next * sizeof(commerce_cli_sort_row_t));

    while (size != 0) {
        n = pread(sort->fd, p, size, offset);

        if (n > 0) {
            p += n;
            size -= (size_t) n;
            offset += n;

        } else if (n == 0 || errno != EINTR) {
            errno = n == 0 ? EIO : errno;
            return COMMERCE_ERROR;
        }
    }

    run->next += run->count;

    return COMMERCE_OK;
}


static const commerce_cli_sort_row_t *
sort_first(const commerce_cli_sort_t *sort, size_t place)
{
    const sort_run_t  *run;

    run = &sort->runs[sort->heap[place]];

    return &run->buffer[run->first];
}


static void
sort_sink(commerce_cli_sort_t *sort, size_t place)
{
    size_t  child, run;

    for ( ;; ) {
        child = 2 * place + 1;

        if (child >= sort->heap_count) {
            return;
        }

        if (child + 1 < sort->heap_count
            && sort_compare(sort_first(sort, child + 1), sort_first(sort, child)) < 0)
        {
            child++;
        }

        if (sort_compare(sort_first(sort, place), sort_first(sort, child)) <= 0) {
            return;
        }

        run = sort->heap[place];
        sort->heap[place] = sort->heap[child];
        sort->heap[child] = run;
        place = child;
    }
}


int
commerce_cli_sort_file(void)
{
    int          fd;
    char         path[PATH_MAX];
    const char  *folder;

    folder = getenv("TMPDIR");

    if (folder == NULL || *folder == '\0') {
        folder = "/var/tmp";
    }

    if (snprintf(path, sizeof(path), "%s/commerce-XXXXXX", folder) >= (int) sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    fd = mkstemp(path);

    if (fd != -1) {
        (void) unlink(path);
    }

    return fd;
}
