/*
 * Copyright (C) ngx_commerce authors
 *
 * Import: what differs is written in pieces, uplines before downlines.
 *
 * A successor who is new has no number yet while his turn has not come.  Whoever he succeeds is then written without
 * the succession first, a new leaver without a successor, somebody known with the status that he has, and once more
 * when all have their numbers: at no time does a record name one who is not there.
 */

#include <stdlib.h>
#include <time.h>

#include "commerce_cli_import.h"

#define IMPORT_RECORDS     12       /* written for one person, at most */
#define IMPORT_PIECE       (COMMERCE_CLI_PIECE / IMPORT_RECORDS)
#define IMPORT_NUMBER_MAX  COMMERCE_TOKEN_SELLER_MAX
#define IMPORT_ATTEMPTS    8        /* of one piece */


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;


static bool import_changed(const import_node_t *node);
static int import_write_all(import_t *plan, bool late, bool *progress);
static void import_reopen(import_t *plan, size_t first, bool late);
static int import_piece(import_t *plan, bool late, size_t first, size_t last);
static int import_piece_once(import_t *plan, bool late, size_t first, size_t last, bool *stale);
static int import_piece_txn(import_t *plan, commerce_txn_t *txn, bool late, size_t first, size_t last);
static int import_person(import_t *plan, commerce_txn_t *txn, import_node_t *node);
static void import_hold(import_node_t *node, commerce_person_t *person);
static int import_succession(import_t *plan, commerce_txn_t *txn, import_node_t *node);
static int import_guard_upline(import_t *plan, commerce_txn_t *txn, const import_node_t *upline);
static int import_guard_downlines(import_t *plan, commerce_txn_t *txn, const import_node_t *node);
static int import_compare_work(const void *a, const void *b);


/* decides what is to be done with each row, and in which order */
void
commerce_cli_import_work(import_t *plan)
{
    size_t          i;
    import_node_t  *node;

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];

        if (node->row == NULL || node->row->outcome == COMMERCE_CLI_ROW_IMPORTED
            || node->row->outcome == COMMERCE_CLI_ROW_CHANGED)
        {
            continue;
        }

        node->row->outcome = !node->stored ? COMMERCE_CLI_ROW_IMPORTED
                             : import_changed(node) ? COMMERCE_CLI_ROW_CHANGED
                             : COMMERCE_CLI_ROW_UNCHANGED;

        if (node->row->outcome != COMMERCE_CLI_ROW_UNCHANGED) {
            plan->work[plan->work_count++] = node;
        }
    }

    plan->people->done = plan->people->count - plan->work_count;

    qsort(plan->work, plan->work_count, sizeof(import_node_t *), import_compare_work);
}


static bool
import_changed(const import_node_t *node)
{
    return !node->stored
           || node->person.role != node->before.role
           || node->person.status != node->before.status
           || node->upline != node->upline_before
           || node->person.since != node->before.since
           || node->person.transfer != node->before.transfer
           || (node->successor != NULL ? node->successor->person.number : 0) != node->before.successor
           || (node->successor != NULL && !node->successor->stored)
           || !commerce_cli_import_same_names(&node->person, &node->before)
           || !commerce_equal(node->person.store, node->before.store);
}


int
commerce_cli_import_write(import_t *plan, bool *progress)
{
    int     rc;
    size_t  i, held;

    rc = import_write_all(plan, false, progress);

    for (i = 0, held = 0; rc == COMMERCE_CLI_OK && i < plan->work_count; i++) {
        if (plan->work[i]->held) {
            plan->work[held++] = plan->work[i];
        }
    }

    if (rc == COMMERCE_CLI_OK) {
        plan->work_count = held;
        rc = import_write_all(plan, true, progress);
    }

    return rc == COMMERCE_CLI_OK ? commerce_cli_import_places_write(plan, progress) : rc;
}


/* late: the successions that were held back */
static int
import_write_all(import_t *plan, bool late, bool *progress)
{
    int              rc;
    size_t           first, last;
    struct timespec  pause = { 0, COMMERCE_CLI_IMPORT_PAUSE };

    for (first = 0; first < plan->work_count; first = last) {
        last = first + IMPORT_PIECE < plan->work_count ? first + IMPORT_PIECE : plan->work_count;
        plan->piece++;

        rc = import_piece(plan, late, first, last);

        if (rc != COMMERCE_CLI_OK) {
            import_reopen(plan, first, late);

            if (rc == COMMERCE_CLI_FAILED && (first != 0 || late)) {
                commerce_cli_fail(plan->cli, "a part of the file was written: import it again when the cause is gone");
            }

            return rc;
        }

        *progress = true;
        commerce_cli_people_progress(plan->people, late ? 0 : last - first);

        if (last < plan->work_count) {
            nanosleep(&pause, NULL);
        }
    }

    return COMMERCE_CLI_OK;
}


/* what was not written, or not all of it */
static void
import_reopen(import_t *plan, size_t first, bool late)
{
    size_t  i;

    for (i = 0; i < plan->work_count; i++) {
        if (i >= first || (!late && plan->work[i]->held)) {
            plan->work[i]->row->outcome = COMMERCE_CLI_ROW_OPEN;
        }
    }
}


/*
 * Whoever else takes numbers makes it a conflict: a million persons are not planned anew for that.  What has really
 * changed conflicts again, or is seen by the guards.
 */
static int
import_piece(import_t *plan, bool late, size_t first, size_t last)
{
    int       rc;
    bool      stale;
    unsigned  attempt;

    for (attempt = 0, rc = COMMERCE_CLI_AGAIN, stale = false; rc == COMMERCE_CLI_AGAIN && !stale; attempt++) {
        rc = import_piece_once(plan, late, first, last, &stale);
        stale = stale || attempt == IMPORT_ATTEMPTS;
    }

    return rc;
}


/* *stale: the plan is of a directory that was */
static int
import_piece_once(import_t *plan, bool late, size_t first, size_t last, bool *stale)
{
    int               rc;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return commerce_cli_fail(plan->cli, "out of memory");
    }

    commerce_txn_init(&txn, commerce_heap_arena(heap));

    rc = commerce_cli_view(plan->cli, commerce_heap_arena(heap));

    if (rc == COMMERCE_CLI_OK) {
        rc = import_piece_txn(plan, &txn, late, first, last);
        *stale = rc == COMMERCE_CLI_AGAIN;
    }

    commerce_cli_view_end(plan->cli);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_apply(plan->cli, &txn);
    }

    plan->cli->reader.arena = plan->cli->arena;
    commerce_heap_destroy(heap);

    return rc;
}


static int
import_piece_txn(import_t *plan, commerce_txn_t *txn, bool late, size_t first, size_t last)
{
    int     rc;
    size_t  i;

    for (i = first; i < last && !late; i++) {
        plan->work[i]->piece = plan->piece;
        plan->work[i]->held = false;

        if (!plan->work[i]->stored) {
            plan->work[i]->person.number = 0;       /* what a try before took was not given */
        }
    }

    for (i = first; i < last; i++) {
        rc = late ? import_succession(plan, txn, plan->work[i]) : import_person(plan, txn, plan->work[i]);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
import_person(import_t *plan, commerce_txn_t *txn, import_node_t *node)
{
    int                rc;
    commerce_person_t  person;

    if (node->upline != NULL && node->upline->piece != plan->piece) {
        rc = import_guard_upline(plan, txn, node->upline);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    if (node->stored) {
        rc = import_guard_downlines(plan, txn, node);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }

    } else if (commerce_number_take(&plan->cli->reader, txn, "person", IMPORT_NUMBER_MAX,
                                    &node->person.number)
               != COMMERCE_OK)
    {
        return commerce_cli_fail(plan->cli, "no number could be taken for a person: all are given"
                                 " out, or the store is damaged (run \"commerce store check\")");
    }

    node->person.upline = node->upline != NULL ? node->upline->person.number : 0;
    node->person.successor = node->successor != NULL ? node->successor->person.number : 0;
    person = node->person;

    if (node->successor != NULL && person.successor == 0) {
        import_hold(node, &person);
    }

    commerce_person_write(txn, plan->cli->shop, &person, node->version, node->stored ? &node->before : NULL);

    return COMMERCE_CLI_OK;
}


static void
import_hold(import_node_t *node, commerce_person_t *person)
{
    node->held = true;

    if (node->stored) {
        person->status = node->before.status;
        person->since = node->before.since;
        person->successor = node->before.successor;
        person->transfer = node->before.transfer;
    }
}


/* now that the successor has a number */
static int
import_succession(import_t *plan, commerce_txn_t *txn, import_node_t *node)
{
    uint64_t           version;
    commerce_person_t  before;

    if (commerce_person_read(&plan->cli->reader, node->person.number, &before, &version) != COMMERCE_OK) {
        return commerce_cli_unreadable(plan->cli, "person", node->person.id);
    }

    if (before.role != node->person.role || before.upline != node->person.upline) {
        return COMMERCE_CLI_AGAIN;
    }

    node->person.successor = node->successor->person.number;
    commerce_person_write(txn, plan->cli->shop, &node->person, version, &before);

    return COMMERCE_CLI_OK;
}


/* the upline must still be as the plan has him, or the depths are others */
static int
import_guard_upline(import_t *plan, commerce_txn_t *txn, const import_node_t *upline)
{
    uint64_t           version, above;
    commerce_person_t  person;

    if (commerce_person_read(&plan->cli->reader, upline->person.number, &person, &version)
        != COMMERCE_OK)
    {
        return commerce_cli_unreadable(plan->cli, "person", upline->person.id);
    }

    above = upline->upline != NULL ? upline->upline->person.number : 0;

    if (person.role != upline->person.role || person.upline != above) {
        return COMMERCE_CLI_AGAIN;
    }

    commerce_person_compare(txn, plan->cli->shop, person.number, version);

    return COMMERCE_CLI_OK;
}


/* nobody may join somebody who is moved down, between the plan and its writing */
static int
import_guard_downlines(import_t *plan, commerce_txn_t *txn, const import_node_t *node)
{
    int64_t  count;

    if (node->upline == NULL) {
        return COMMERCE_CLI_OK;
    }

    if (commerce_person_downlines_compare(&plan->cli->reader, txn, node->person.number, &count) != COMMERCE_OK) {
        return commerce_cli_unreadable(plan->cli, "downlines of person", node->person.id);
    }

    return count > (int64_t) node->known ? COMMERCE_CLI_AGAIN : COMMERCE_CLI_OK;
}


static int
import_compare_work(const void *a, const void *b)
{
    const import_node_t  *left, *right;

    left = *(import_node_t *const *) a;
    right = *(import_node_t *const *) b;

    if (left->level != right->level) {
        return left->level < right->level ? -1 : 1;
    }

    return (left->row->line > right->row->line) - (left->row->line < right->row->line);
}
