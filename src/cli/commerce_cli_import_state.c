/*
 * Copyright (C) ngx_commerce authors
 *
 * Import: what reading, checking and writing share: rows, sentences about lines, progress, the last line.
 */

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "commerce_cli_import.h"


int
commerce_cli_people_begin(commerce_cli_people_t *people, commerce_cli_t *cli, const char *path)
{
    memset(people, 0, sizeof(commerce_cli_people_t));

    people->cli = cli;
    people->path = path;
    people->errors_shown = COMMERCE_CLI_ERRORS_SHOWN;
    people->pool = commerce_cli_pool_create();

    return people->pool != NULL ? COMMERCE_CLI_OK : commerce_cli_fail(cli, "out of memory");
}


void
commerce_cli_people_end(commerce_cli_people_t *people)
{
    free(people->rows);
    free(people->places);
    commerce_cli_pool_destroy(people->pool);
}


commerce_cli_row_t *
commerce_cli_people_row(commerce_cli_people_t *people)
{
    size_t               room;
    commerce_cli_row_t  *rows;

    if (people->count == people->room) {
        room = people->room == 0 ? 256 : people->room * 2;
        rows = realloc(people->rows, room * sizeof(commerce_cli_row_t));

        if (rows == NULL) {
            return NULL;
        }

        people->rows = rows;
        people->room = room;
    }

    rows = &people->rows[people->count++];
    memset(rows, 0, sizeof(commerce_cli_row_t));

    return rows;
}


int
commerce_cli_people_tiers(commerce_cli_people_t *people, const char *word)
{
    if (strcmp(word, "strict") == 0) {
        people->tiers = COMMERCE_TIERS_STRICT;

    } else if (strcmp(word, "pay") == 0) {
        people->tiers = COMMERCE_TIERS_PAY;

    } else {
        return commerce_cli_fail(people->cli, "--tiers takes strict or pay, as commerce_tiers, not \"%s\"",
                                 commerce_cli_text(people->cli, commerce_cstr(word)));
    }

    return COMMERCE_CLI_OK;
}


void
commerce_cli_people_error(commerce_cli_people_t *people, unsigned line, const char *format, ...)
{
    va_list  args;

    if (people->errors++ >= people->errors_shown) {
        return;
    }

    alarm(0);
    commerce_cli_progress_clear(&people->progress);

    if (line == 0) {
        fprintf(stderr, "%s: ", people->path);
    } else {
        fprintf(stderr, "%s:%u: ", people->path, line);
    }

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fputc('\n', stderr);
}


void
commerce_cli_people_progress(commerce_cli_people_t *people, size_t n)
{
    people->done += n;

    if (people->told) {
        commerce_cli_progress_show(&people->progress, people->done);
    }
}


int
commerce_cli_people_summary(commerce_cli_people_t *people)
{
    size_t  i, counts[COMMERCE_CLI_ROW_OUTCOMES];

    memset(counts, 0, sizeof(counts));

    for (i = 0; i < people->count; i++) {
        counts[people->rows[i].outcome]++;
    }

    for (i = 0; i < people->place_count; i++) {
        counts[people->places[i].outcome]++;
    }

    fprintf(people->cli->out, "%simported %zu, changed %zu, unchanged %zu\n",
            people->dry_run ? "nothing is written, it would be: " : "",
            counts[COMMERCE_CLI_ROW_IMPORTED], counts[COMMERCE_CLI_ROW_CHANGED],
            counts[COMMERCE_CLI_ROW_UNCHANGED]);

    return people->diff && counts[COMMERCE_CLI_ROW_IMPORTED] + counts[COMMERCE_CLI_ROW_CHANGED] != 0
           ? COMMERCE_CLI_FOUND : COMMERCE_CLI_OK;
}
