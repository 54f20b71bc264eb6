/*
 * Copyright (C) ngx_commerce authors
 *
 * An import's plan: everybody in the store and in the file, as they will be.  It is checked as a
 * whole; then the rows are written in pieces, uplines before downlines.  A conflict makes a new
 * plan from a new reading: rows that are written already then have nothing to change.
 */

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../commerce_path.h"
#include "commerce_cli_import.h"

#define IMPORT_RECORDS     12       /* written for one person, at most */
#define IMPORT_PIECE       (COMMERCE_CLI_PIECE / IMPORT_RECORDS)
#define IMPORT_PAUSE       2000000  /* nanoseconds between pieces: others want to write, too */
#define IMPORT_NUMBER_MAX  COMMERCE_TOKEN_SELLER_MAX


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;


static int import_once(commerce_cli_people_t *people, bool dry_run, bool *progress);
static int import_plan(import_t *plan);
static int import_load(import_t *plan);
static int import_load_one(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int import_arrays(import_t *plan);
static void import_duplicates(import_t *plan, commerce_cli_row_t **rows, bool users);
static int import_rows(import_t *plan);
static void import_fields(import_t *plan);
static void import_uplines(import_t *plan);
static void import_users(import_t *plan);
static void import_walk(import_t *plan, import_node_t *node);
static void import_loop(import_t *plan, size_t from, size_t to);
static void import_depths(import_t *plan);
static void import_work(import_t *plan);
static int import_refuse(import_t *plan);
static int import_write(import_t *plan, bool *progress);
static int import_piece(import_t *plan, size_t first, size_t last);
static int import_piece_txn(import_t *plan, commerce_txn_t *txn, size_t first, size_t last);
static int import_person(import_t *plan, commerce_txn_t *txn, import_node_t *node);
static int import_guard_upline(import_t *plan, commerce_txn_t *txn, const import_node_t *upline);
static int import_guard_downlines(import_t *plan, commerce_txn_t *txn, const import_node_t *node);
static bool import_changed(const import_node_t *node);
static int import_compare(commerce_str_t a, commerce_str_t b);
static int import_compare_id(const void *a, const void *b);
static int import_compare_user(const void *a, const void *b);
static int import_compare_row_id(const void *a, const void *b);
static int import_compare_row_user(const void *a, const void *b);
static int import_compare_number(const void *key, const void *node);
static bool import_awaits(const import_node_t *node);
static int import_compare_work(const void *a, const void *b);


int
commerce_cli_people_apply(commerce_cli_people_t *people, bool dry_run)
{
    int              rc;
    bool             progress;
    unsigned         attempt;
    struct timespec  pause = { 0, IMPORT_PAUSE };

    for (attempt = 0; attempt < COMMERCE_CLI_ATTEMPTS; attempt++) {
        progress = false;
        rc = import_once(people, dry_run, &progress);

        if (rc != COMMERCE_CLI_AGAIN) {
            return rc;
        }

        if (progress) {
            attempt = 0;
        }

        nanosleep(&pause, NULL);
    }

    return commerce_cli_fail(people->cli, "other writers changed the same records %d times in a"
                             " row: import the file again, what is written stays as it is",
                             COMMERCE_CLI_ATTEMPTS);
}


static int
import_once(commerce_cli_people_t *people, bool dry_run, bool *progress)
{
    int       rc;
    import_t  plan;

    memset(&plan, 0, sizeof(import_t));
    plan.people = people;
    plan.cli = people->cli;

    if (commerce_cli_now(plan.cli, &plan.now) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    plan.heap = commerce_heap_create();
    if (plan.heap == NULL) {
        return commerce_cli_fail(people->cli, "out of memory");
    }

    plan.arena = commerce_heap_arena(plan.heap);

    rc = import_plan(&plan);
    commerce_cli_view_end(people->cli);

    if (rc == COMMERCE_CLI_OK && people->errors != 0) {
        rc = import_refuse(&plan);
    }

    if (rc == COMMERCE_CLI_OK) {
        import_work(&plan);

        if (!dry_run) {
            rc = import_write(&plan, progress);
        }
    }

    free(plan.nodes);
    free(plan.by_id);
    free(plan.by_user);
    free(plan.path);
    free(plan.work);
    commerce_heap_destroy(plan.heap);

    return rc;
}


static int
import_plan(import_t *plan)
{
    int     rc;
    size_t  i;

    rc = import_load(plan);

    if (rc == COMMERCE_CLI_OK) {
        rc = import_arrays(plan);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = import_rows(plan);
    }

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    import_fields(plan);
    import_uplines(plan);
    import_users(plan);
    commerce_cli_import_successions(plan);

    if (commerce_cli_import_names(plan) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    for (i = 0; i < plan->count; i++) {
        import_walk(plan, &plan->nodes[i]);
    }

    import_depths(plan);

    return COMMERCE_CLI_OK;
}


static int
import_load(import_t *plan)
{
    int  rc;

    commerce_cli_alive(plan->cli);

    rc = commerce_cli_view(plan->cli, NULL);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(plan->cli, 'p', import_load_one, plan);
    }

    plan->stored = plan->count;

    return rc;
}


static int
import_load_one(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    size_t              room;
    import_t           *plan = data;
    import_node_t      *node, *nodes;
    commerce_person_t   person;

    if (commerce_person_decode(cli->reader.arena, record->value, &person) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "person number", record->name);
    }

    if (plan->count == plan->room) {
        room = plan->room == 0 ? 1024 : plan->room * 2;
        nodes = realloc(plan->nodes, room * sizeof(import_node_t));

        if (nodes == NULL) {
            return commerce_cli_fail(cli, "out of memory");
        }

        plan->nodes = nodes;
        plan->room = room;
    }

    node = &plan->nodes[plan->count++];
    memset(node, 0, sizeof(import_node_t));

    if (commerce_cli_import_keep(plan, &person) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "out of memory");
    }

    node->before = person;
    node->person = person;
    node->version = record->version;
    node->stored = true;

    return COMMERCE_CLI_OK;
}


/* room for everybody: nodes do not move from here on */
static int
import_arrays(import_t *plan)
{
    size_t          i, most;
    import_node_t  *nodes;

    most = plan->count + plan->people->count + 1;

    nodes = realloc(plan->nodes, most * sizeof(import_node_t));
    plan->by_id = calloc(most, sizeof(import_node_t *));
    plan->by_user = calloc(most, sizeof(import_node_t *));
    plan->path = calloc(most, sizeof(import_node_t *));
    plan->work = calloc(most, sizeof(import_node_t *));

    if (nodes != NULL) {
        plan->nodes = nodes;
    }

    if (nodes == NULL || plan->by_id == NULL || plan->by_user == NULL || plan->path == NULL
        || plan->work == NULL)
    {
        return commerce_cli_fail(plan->cli, "out of memory");
    }

    for (i = 0; i < plan->count; i++) {
        plan->by_id[i] = &plan->nodes[i];
        plan->by_user[i] = &plan->nodes[i];
    }

    qsort(plan->by_id, plan->count, sizeof(import_node_t *), import_compare_id);
    qsort(plan->by_user, plan->count, sizeof(import_node_t *), import_compare_user);

    return COMMERCE_CLI_OK;
}


/* finds each row's node or makes one */
static int
import_rows(import_t *plan)
{
    size_t                i;
    import_node_t        *node;
    commerce_cli_row_t   *row, **rows;

    rows = calloc(plan->people->count + 1, sizeof(commerce_cli_row_t *));
    if (rows == NULL) {
        return commerce_cli_fail(plan->cli, "out of memory");
    }

    for (i = 0; i < plan->people->count; i++) {
        rows[i] = &plan->people->rows[i];
    }

    import_duplicates(plan, rows, false);
    import_duplicates(plan, rows, true);
    free(rows);

    for (i = 0; i < plan->people->count; i++) {
        row = &plan->people->rows[i];

        if (row->duplicate) {
            continue;
        }

        node = commerce_cli_import_find(plan, row->id);

        if (node == NULL) {
            node = &plan->nodes[plan->count++];
            memset(node, 0, sizeof(import_node_t));
            node->person.id = row->id;
            node->person.role = COMMERCE_ROLE_CUSTOMER;
            node->person.status = COMMERCE_PERSON_ACTIVE;
        }

        node->row = row;
    }

    for (i = plan->stored; i < plan->count; i++) {
        plan->by_id[i] = &plan->nodes[i];
    }

    qsort(plan->by_id, plan->count, sizeof(import_node_t *), import_compare_id);

    return COMMERCE_CLI_OK;
}


static void
import_duplicates(import_t *plan, commerce_cli_row_t **rows, bool users)
{
    size_t               i;
    commerce_str_t       text;
    commerce_cli_row_t  *first, *row;

    qsort(rows, plan->people->count, sizeof(commerce_cli_row_t *),
          users ? import_compare_row_user : import_compare_row_id);

    first = NULL;

    for (i = 0; i < plan->people->count; i++) {
        row = rows[i];
        text = users ? row->user : row->id;

        if (first == NULL || !commerce_equal(text, users ? first->user : first->id)) {
            first = row;

        } else if (!users) {
            row->duplicate = true;
            commerce_cli_people_error(plan->people, row->line, "person \"%s\" stands on line %u"
                                      " already: keep one", commerce_cli_text(plan->cli, text),
                                      first->line);

        } else if (text.len != 0) {
            commerce_cli_people_error(plan->people, row->line, "user \"%s\" is person \"%s\" on"
                                      " line %u: one user is one person",
                                      commerce_cli_text(plan->cli, text),
                                      commerce_cli_text(plan->cli, first->id), first->line);
        }
    }
}


static void
import_fields(import_t *plan)
{
    size_t               i;
    import_node_t       *node;
    commerce_cli_row_t  *row;

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];
        row = node->row;

        if (node->stored && node->before.upline != 0) {
            node->upline_before = commerce_cli_import_numbered(plan, node->before.upline);
            node->upline = node->upline_before;
        }

        if (row == NULL) {
            continue;
        }

        if (row->has[COMMERCE_CLI_COLUMN_ROLE]) {
            node->person.role = row->role;
        }

        if (row->has[COMMERCE_CLI_COLUMN_STATUS]) {
            node->person.status = row->status;
        }

        if (row->has[COMMERCE_CLI_COLUMN_TRANSFER]) {
            node->person.transfer = row->transfer;
        }

        if (row->has[COMMERCE_CLI_COLUMN_IDENTITIES]) {
            node->person.identities = row->identities;
            node->person.identity_count = row->identity_count;
        }

        if (row->has[COMMERCE_CLI_COLUMN_USER]) {
            node->person.user = row->user;
        }

        if (row->has[COMMERCE_CLI_COLUMN_STORE]) {
            node->person.store = row->store;
        }
    }
}


static void
import_uplines(import_t *plan)
{
    size_t               i;
    import_node_t       *node;
    commerce_cli_row_t  *row;

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];
        row = node->row;

        if (row != NULL && row->has[COMMERCE_CLI_COLUMN_UPLINE]) {
            node->upline = row->upline.len != 0 ? commerce_cli_import_find(plan, row->upline) : NULL;

            if (row->upline.len != 0 && node->upline == NULL) {
                commerce_cli_people_error(plan->people, row->line, "upline \"%s\" of person \"%s\""
                                          " is neither in the file nor in the store",
                                          commerce_cli_text(plan->cli, row->upline),
                                          commerce_cli_text(plan->cli, row->id));
            }
        }

        if (node->upline != NULL) {
            node->upline->known++;
        }

        if (node->upline_before != NULL && node->upline_before != node->upline) {
            node->upline_before->known++;
        }
    }
}


/*
 * A user who moves from one person to another would need both written in one order: refused, also
 * when the file gives the other person a new user.
 */
static void
import_users(import_t *plan)
{
    size_t           i;
    import_node_t   *node, **found, wanted, *key;

    memset(&wanted, 0, sizeof(import_node_t));
    key = &wanted;

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];

        if (node->row == NULL || node->person.user.len == 0
            || commerce_equal(node->person.user, node->before.user))
        {
            continue;
        }

        wanted.before.user = node->person.user;
        found = bsearch(&key, plan->by_user, plan->stored, sizeof(import_node_t *),
                        import_compare_user);

        if (found != NULL) {
            commerce_cli_people_error(plan->people, node->row->line, "user \"%s\" is person \"%s\""
                                      " in the store: give that person another user first, in an"
                                      " import of its own",
                                      commerce_cli_text(plan->cli, node->person.user),
                                      commerce_cli_text(plan->cli, (*found)->before.id));
        }
    }
}


/* depth and level of a node and of everybody above him */
static void
import_walk(import_t *plan, import_node_t *node)
{
    size_t           n, i;
    import_node_t   *up;

    n = 0;

    for (up = node; up != NULL && !up->walked; up = up->upline) {
        up->walked = true;
        up->looping = true;         /* until the walk is over: meeting such a node closes a loop */
        plan->path[n++] = up;
    }

    if (up != NULL && up->looping) {
        for (i = 0; plan->path[i] != up; i++) { /* void */ }
        import_loop(plan, i, n);
    }

    while (n != 0) {
        node = plan->path[--n];
        node->looping = false;
        up = node->upline;

        node->level = up != NULL ? up->level + 1 : 0;
        node->depth = up != NULL && !commerce_role_salaried(node->person.role) ? up->depth + 1 : 1;
    }
}


static void
import_loop(import_t *plan, size_t from, size_t to)
{
    size_t               i;
    commerce_cli_row_t  *row;

    row = NULL;

    for (i = from; i < to; i++) {
        if (plan->path[i]->row != NULL && (row == NULL || plan->path[i]->row->line < row->line)) {
            row = plan->path[i]->row;
        }
    }

    if (row == NULL) {
        commerce_cli_people_error(plan->people, 0, "in the store the uplines of person \"%s\" lead"
                                  " back to that person: give one of them another upline",
                                  commerce_cli_text(plan->cli, plan->path[from]->person.id));
        return;
    }

    commerce_cli_people_error(plan->people, row->line, "the uplines of person \"%s\" lead back to"
                              " that person after %zu step%s: somebody must have no upline",
                              commerce_cli_text(plan->cli, row->id), to - from,
                              to - from == 1 ? "" : "s");
}


static void
import_depths(import_t *plan)
{
    size_t               i;
    import_node_t       *node, *up;
    commerce_cli_row_t  *row;

    if (plan->people->errors != 0) {
        return;     /* a loop or a missing upline makes depths that are none */
    }

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];

        if (node->depth <= COMMERCE_TIERS) {
            continue;
        }

        row = node->row;

        /* who is not in the file is deeper by it if it moved somebody above */

        for (up = node; row == NULL && up != NULL; up = up->upline) {
            if (up->row != NULL && import_changed(up)) {
                row = up->row;
            }
        }

        if (row != NULL) {
            commerce_cli_people_error(plan->people, row->line, "person \"%s\" would be %u deep,"
                                      " under \"%s\" under \"%s\": %d are allowed",
                                      commerce_cli_text(plan->cli, node->person.id), node->depth,
                                      commerce_cli_text(plan->cli, node->upline->person.id),
                                      commerce_cli_text(plan->cli,
                                                        node->upline->upline->person.id),
                                      COMMERCE_TIERS);
        }
    }
}


static int
import_refuse(import_t *plan)
{
    size_t                  i, written;
    commerce_cli_people_t  *people;

    people = plan->people;

    if (people->errors > COMMERCE_CLI_ERRORS_SHOWN) {
        fprintf(stderr, "%s: and %zu more\n", people->path,
                people->errors - COMMERCE_CLI_ERRORS_SHOWN);
    }

    for (i = 0, written = 0; i < people->count; i++) {
        written += people->rows[i].outcome == COMMERCE_CLI_ROW_IMPORTED
                   || people->rows[i].outcome == COMMERCE_CLI_ROW_CHANGED;
    }

    if (written != 0) {
        return commerce_cli_fail(people->cli, "%zu persons were written before somebody else's"
                                 " change made the rest impossible: correct the file and import it"
                                 " again", written);
    }

    return commerce_cli_fail(people->cli, "nothing was imported, %s has %zu error%s: correct and"
                             " import again", people->path, people->errors,
                             people->errors == 1 ? "" : "s");
}


/* decides what is to be done with each row, and in which order */
static void
import_work(import_t *plan)
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

    qsort(plan->work, plan->work_count, sizeof(import_node_t *), import_compare_work);
}


static int
import_write(import_t *plan, bool *progress)
{
    int              rc;
    size_t           i, first, last;
    struct timespec  pause = { 0, IMPORT_PAUSE };

    for (first = 0; first < plan->work_count; first = last) {
        last = first + IMPORT_PIECE < plan->work_count ? first + IMPORT_PIECE : plan->work_count;
        plan->piece++;

        rc = import_piece(plan, first, last);

        if (rc != COMMERCE_CLI_OK) {
            for (i = first; i < plan->work_count; i++) {
                plan->work[i]->row->outcome = COMMERCE_CLI_ROW_OPEN;
            }

            if (rc == COMMERCE_CLI_FAILED && first != 0) {
                commerce_cli_fail(plan->cli, "%zu persons of the file were written: import it again"
                                  " when the cause is gone", first);
            }

            return rc;
        }

        *progress = true;

        if (last < plan->work_count) {
            nanosleep(&pause, NULL);
        }
    }

    return COMMERCE_CLI_OK;
}


static int
import_piece(import_t *plan, size_t first, size_t last)
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
        rc = import_piece_txn(plan, &txn, first, last);
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
import_piece_txn(import_t *plan, commerce_txn_t *txn, size_t first, size_t last)
{
    int     rc;
    size_t  i;

    for (i = first; i < last; i++) {
        plan->work[i]->piece = plan->piece;
    }

    for (i = first; i < last; i++) {
        rc = import_person(plan, txn, plan->work[i]);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
import_person(import_t *plan, commerce_txn_t *txn, import_node_t *node)
{
    int  rc;

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

    if (node->successor != NULL && node->successor->person.number == 0) {
        return commerce_cli_fail(plan->cli, "the successor \"%.*s\" of person \"%.*s\" is new, and left already:"
                                 " import that person first", commerce_cli_arg(node->successor->person.id),
                                 commerce_cli_arg(node->person.id));
    }

    node->person.upline = node->upline != NULL ? node->upline->person.number : 0;
    node->person.successor = node->successor != NULL ? node->successor->person.number : 0;

    commerce_person_write(txn, plan->cli->shop, &node->person, node->version,
                          node->stored ? &node->before : NULL);

    return COMMERCE_CLI_OK;
}


/* the upline must still be as the plan has him, or the depths are others */
static int
import_guard_upline(import_t *plan, commerce_txn_t *txn, const import_node_t *upline)
{
    uint64_t           version, above;
    commerce_path_t    key;
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

    commerce_path_number(&key, plan->cli->shop, 'p', person.number, 10);
    commerce_txn_compare(txn, commerce_path_keep(txn, &key), version);

    return COMMERCE_CLI_OK;
}


/* nobody may join somebody who is moved down, between the plan and its writing */
static int
import_guard_downlines(import_t *plan, commerce_txn_t *txn, const import_node_t *node)
{
    int             rc;
    int64_t         count;
    uint64_t        version;
    commerce_str_t  value;
    commerce_path_t  key;

    if (node->upline == NULL) {
        return COMMERCE_CLI_OK;
    }

    commerce_path_number(&key, plan->cli->shop, 'r', node->person.number, 10);

    rc = commerce_path_get(&plan->cli->reader, &key, &value, &version);

    if (rc == COMMERCE_ERROR
        || commerce_view_counter(plan->cli->reader.view, commerce_path_str(&key), &count)
           != COMMERCE_OK)
    {
        return commerce_cli_unreadable(plan->cli, "downlines of person", node->person.id);
    }

    if (count > (int64_t) node->known) {
        return COMMERCE_CLI_AGAIN;
    }

    commerce_txn_compare(txn, commerce_path_keep(txn, &key), version);

    return COMMERCE_CLI_OK;
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


import_node_t *
commerce_cli_import_find(const import_t *plan, commerce_str_t id)
{
    size_t           low, high, middle;
    int              order;

    low = 0;
    high = plan->count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (plan->by_id[middle] == NULL) {      /* new ones are sorted in when all are there */
            high = middle;
            continue;
        }

        order = import_compare(id, plan->by_id[middle]->person.id);

        if (order == 0) {
            return plan->by_id[middle];
        }

        if (order < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NULL;
}


import_node_t *
commerce_cli_import_numbered(const import_t *plan, uint64_t number)
{
    return bsearch(&number, plan->nodes, plan->stored, sizeof(import_node_t),
                   import_compare_number);
}


static int
import_compare(commerce_str_t a, commerce_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = len != 0 ? memcmp(a.data, b.data, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}


static int
import_compare_id(const void *a, const void *b)
{
    return import_compare((*(import_node_t *const *) a)->person.id,
                          (*(import_node_t *const *) b)->person.id);
}


static int
import_compare_user(const void *a, const void *b)
{
    return import_compare((*(import_node_t *const *) a)->before.user,
                          (*(import_node_t *const *) b)->before.user);
}


static int
import_compare_row_id(const void *a, const void *b)
{
    int                        order;
    const commerce_cli_row_t  *left, *right;

    left = *(commerce_cli_row_t *const *) a;
    right = *(commerce_cli_row_t *const *) b;
    order = import_compare(left->id, right->id);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}


static int
import_compare_row_user(const void *a, const void *b)
{
    int                        order;
    const commerce_cli_row_t  *left, *right;

    left = *(commerce_cli_row_t *const *) a;
    right = *(commerce_cli_row_t *const *) b;
    order = import_compare(left->user, right->user);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}


static int
import_compare_number(const void *key, const void *node)
{
    uint64_t  left, right;

    left = *(const uint64_t *) key;
    right = ((const import_node_t *) node)->person.number;

    return (left > right) - (left < right);
}


static bool
import_awaits(const import_node_t *node)
{
    return node->successor != NULL && !node->successor->stored;
}


static int
import_compare_work(const void *a, const void *b)
{
    const import_node_t  *left, *right;

    left = *(import_node_t *const *) a;
    right = *(import_node_t *const *) b;

    /* a successor who is new gets his number first */

    if (import_awaits(left) != import_awaits(right)) {
        return import_awaits(left) ? 1 : -1;
    }

    if (left->level != right->level) {
        return left->level < right->level ? -1 : 1;
    }

    return (left->row->line > right->row->line) - (left->row->line < right->row->line);
}
