/*
 * Copyright (C) ngx_commerce authors
 *
 * An import: the file becomes rows, CSV of persons (commerce_cli_people.c) or JSON lines of all kinds
 * (commerce_cli_directory_import.c).  Rows and store become a plan that is checked as a whole and written in pieces
 * (commerce_cli_import.h).
 */

#ifndef COMMERCE_CLI_PEOPLE_H
#define COMMERCE_CLI_PEOPLE_H

#include "../commerce_directory_put.h"
#include "commerce_cli.h"
#include "commerce_cli_pool.h"
#include "commerce_cli_progress.h"

#define COMMERCE_CLI_ERRORS_SHOWN  20

typedef enum {
    COMMERCE_CLI_COLUMN_ID,
    COMMERCE_CLI_COLUMN_ROLE,
    COMMERCE_CLI_COLUMN_STATUS,
    COMMERCE_CLI_COLUMN_UPLINE,
    COMMERCE_CLI_COLUMN_USER,
    COMMERCE_CLI_COLUMN_STORE,
    COMMERCE_CLI_COLUMN_SINCE,
    COMMERCE_CLI_COLUMN_SUCCESSOR,
    COMMERCE_CLI_COLUMN_TRANSFER,
    COMMERCE_CLI_COLUMN_IDENTITIES,
    COMMERCE_CLI_COLUMNS
} commerce_cli_column_t;

typedef enum {
    COMMERCE_CLI_ROW_OPEN,          /* not written yet */
    COMMERCE_CLI_ROW_IMPORTED,
    COMMERCE_CLI_ROW_CHANGED,
    COMMERCE_CLI_ROW_UNCHANGED,
    COMMERCE_CLI_ROW_OUTCOMES
} commerce_cli_outcome_t;

/* has: whether the row says something about this column; else the person keeps what he has */
typedef struct {
    unsigned                  line;
    bool                      has[COMMERCE_CLI_COLUMNS];
    bool                      duplicate;    /* an earlier row has its id */
    commerce_str_t            id, upline, user, store, successor;
    commerce_time_t           since;
    commerce_transfer_t       transfer;
    commerce_str_t           *identities;
    unsigned                  identity_count;
    commerce_role_t           role;
    commerce_person_status_t  status;
    commerce_cli_outcome_t    outcome;
} commerce_cli_row_t;

/* a group, room, channel, landing or retail store: its line is read again when it is its turn */
typedef struct {
    unsigned                   line;
    commerce_directory_kind_t  kind;
    bool                       wrong;           /* said; it is here for those who name it */
    commerce_cli_outcome_t     outcome;
    commerce_str_t             id, json;
} commerce_cli_place_t;

typedef struct {
    commerce_cli_t           *cli;
    const char               *path;
    commerce_cli_pool_t      *pool;             /* what rows consist of */
    commerce_cli_row_t       *rows;
    size_t                    count, room;
    commerce_cli_place_t     *places;
    size_t                    place_count, place_room;
    size_t                    errors, errors_shown;
    commerce_tiers_t          tiers;
    bool                      dry_run, diff;    /* a diff is a dry run, too */
    bool                      told;             /* progress is shown */
    commerce_cli_progress_t   progress;
    uint64_t                  done;
} commerce_cli_people_t;

/* an import's state; end() frees what begin() and reading made */
int commerce_cli_people_begin(commerce_cli_people_t *people, commerce_cli_t *cli, const char *path);
void commerce_cli_people_end(commerce_cli_people_t *people);
/* zeroed; NULL: no memory */
commerce_cli_row_t *commerce_cli_people_row(commerce_cli_people_t *people);

/* "strict" or "pay" of --tiers; COMMERCE_CLI_FAILED: said */
int commerce_cli_people_tiers(commerce_cli_people_t *people, const char *word);

/* says what is wrong on a line (0: in the whole file), at most errors_shown times */
void commerce_cli_people_error(commerce_cli_people_t *people, unsigned line, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* n more are written */
void commerce_cli_people_progress(commerce_cli_people_t *people, size_t n);

/*
 * Checks all rows against each other and the store and, unless it is a dry run, writes them; the
 * rows' outcomes are set.  COMMERCE_CLI_FAILED: said.
 */
int commerce_cli_people_apply(commerce_cli_people_t *people);

/* imported, changed, unchanged; COMMERCE_CLI_FOUND: a diff that has found something */
int commerce_cli_people_summary(commerce_cli_people_t *people);

#endif
