/*
 * Copyright (C) ngx_commerce authors
 *
 * The tool's orders: which one is meant, and settling one in doubt, for "order confirm" and its like and for
 * "coupon reconcile".
 */

#ifndef COMMERCE_CLI_DOUBT_H
#define COMMERCE_CLI_DOUBT_H

#include "../commerce_ledger.h"
#include "commerce_cli.h"

/* one step of one order; zeroed at first, events may be shared by many */
typedef struct {
    commerce_str_t            user, key;
    commerce_step_t           step;
    commerce_answer_t         answer;       /* ACCEPTED */
    commerce_str_t            by;           /* commerce_ledger_resolve() */
    commerce_event_source_t  *events;
    commerce_time_t           now;
    bool                      dry;          /* nothing is written */

    bool                      found;        /* what came of it: there is such an order, */
    commerce_reason_t         reason;       /* what the ledger said, and what the order is now */
    commerce_order_state_t    state;
    unsigned                  doubt;
} commerce_cli_settle_t;

int commerce_cli_settle(commerce_cli_t *cli, commerce_cli_settle_t *settle);

/* nobody can tell what the backend has, or it has something else */
bool commerce_cli_in_doubt(const commerce_order_t *order, commerce_time_t now);

/* which order: of a key (and a user; NULL: whosever it is), or of the backend's id; key or id is NULL */
typedef struct {
    const char  *key, *user, *id;
} commerce_cli_which_t;

/* "... (KEY [--user USER] | --id ID)" behind `before` other words, whose first is argv[optind] afterwards */
int commerce_cli_order_which(int argc, char **argv, int before, commerce_cli_which_t *which);

int commerce_cli_order_get(commerce_cli_t *cli, const commerce_cli_which_t *which, commerce_order_t *order);

#endif
