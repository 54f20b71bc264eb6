/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commerce_cli_progress.h"

#define PROGRESS_WIDTH   30
#define PROGRESS_PERIOD  0.2        /* seconds between two pictures */


static void progress_bar(commerce_cli_progress_t *progress, uint64_t done, double elapsed);
static void progress_line(commerce_cli_progress_t *progress, uint64_t done, double elapsed);
static double progress_since(const struct timespec *then, const struct timespec *now);


void
commerce_cli_progress_start(commerce_cli_progress_t *progress, const char *what, const char *unit,
    uint64_t from, uint64_t total)
{
    memset(progress, 0, sizeof(commerce_cli_progress_t));

    progress->what = what;
    progress->unit = unit;
    progress->from = from;
    progress->total = total;
    progress->tenth = total != 0 ? (unsigned) (from * 10 / total) : 0;
    progress->terminal = isatty(STDERR_FILENO);

    clock_gettime(CLOCK_MONOTONIC, &progress->started);
}


void
commerce_cli_progress_show(commerce_cli_progress_t *progress, uint64_t done)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    if (!progress->terminal) {
        progress_line(progress, done, progress_since(&progress->started, &now));
        return;
    }

    if (!progress->shown || done == progress->total
        || progress_since(&progress->told, &now) >= PROGRESS_PERIOD)
    {
        progress->told = now;
        progress_bar(progress, done, progress_since(&progress->started, &now));
    }

    if (done == progress->total) {
        fputc('\n', stderr);
        progress->shown = false;
    }
}


void
commerce_cli_progress_clear(commerce_cli_progress_t *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        progress->shown = false;
    }
}


static void
progress_bar(commerce_cli_progress_t *progress, uint64_t done, double elapsed)
{
    int       i, filled;
    uint64_t  left;

    progress->shown = true;

    if (progress->total == 0) {
        fprintf(stderr, "\r\033[K%s: %llu %s", progress->what, (unsigned long long) done, progress->unit);
        return;
    }

    filled = (int) (done * PROGRESS_WIDTH / progress->total);

    fprintf(stderr, "\r\033[K%s [", progress->what);

    for (i = 0; i < PROGRESS_WIDTH; i++) {
        fputc(i < filled ? '=' : i == filled ? '>' : ' ', stderr);
    }

    fprintf(stderr, "] %3u %%  %llu of %llu %s", (unsigned) (done * 100 / progress->total),
            (unsigned long long) done, (unsigned long long) progress->total, progress->unit);

    if (done > progress->from && elapsed > 1) {
        left = (uint64_t) (elapsed * (double) (progress->total - done) / (double) (done - progress->from));
        fprintf(stderr, ", %llu:%02llu left", (unsigned long long) left / 60, (unsigned long long) left % 60);
    }
}


static void
progress_line(commerce_cli_progress_t *progress, uint64_t done, double elapsed)
{
    unsigned  tenth;

    if (progress->total == 0) {
        return;
    }

    tenth = (unsigned) (done * 10 / progress->total);

    if (tenth > progress->tenth) {
        progress->tenth = tenth;
        fprintf(stderr, "%s: %u %%, %llu of %llu %s, %.0f s\n", progress->what, tenth * 10,
                (unsigned long long) done, (unsigned long long) progress->total, progress->unit, elapsed);
    }
}


static double
progress_since(const struct timespec *then, const struct timespec *now)
{
    return (double) (now->tv_sec - then->tv_sec) + (double) (now->tv_nsec - then->tv_nsec) / 1e9;
}
