/*
 * Copyright (C) ngx_commerce authors
 *
 * An import of persons: the file becomes rows (commerce_cli_people.c), rows and store become a plan
 * that is checked as a whole and written in pieces (commerce_cli_import.c).
 */

#ifndef COMMERCE_CLI_PEOPLE_H
#define COMMERCE_CLI_PEOPLE_H

#include "commerce_cli.h"

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

typedef struct {
    commerce_cli_t      *cli;
    const char          *path;
    commerce_cli_row_t  *rows;
    size_t               count, room;
    size_t               errors;
} commerce_cli_people_t;

/* says what is wrong on a line (0: in the whole file), at most COMMERCE_CLI_ERRORS_SHOWN times */
void commerce_cli_people_error(commerce_cli_people_t *people, unsigned line, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * Checks all rows against each other and the store and, unless it is a dry run, writes them; the
 * rows' outcomes are set.  COMMERCE_CLI_FAILED: said.
 */
int commerce_cli_people_apply(commerce_cli_people_t *people, bool dry_run);

#endif
