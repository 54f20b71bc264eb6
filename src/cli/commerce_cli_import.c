/*
 * Copyright (C) ngx_commerce authors
 *
 * An import's plan: everybody in the store and in the file, as they will be.  It is checked as a whole
 * (commerce_cli_import_tree.c, commerce_cli_import_person.c, places in commerce_cli_import_place.c); then what
 * differs is written in pieces (commerce_cli_import_write.c).  A conflict makes a new plan from a new reading: rows
 * that are written already then have nothing to change.
 */

#include <stdlib.h>
#include <time.h>

#include "commerce_cli_import.h"


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;


static int import_once(commerce_cli_people_t *people, bool *progress);
static int import_check(import_t *plan);
static int import_plan(import_t *plan);
static int import_load(import_t *plan);
static int import_load_one(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int import_arrays(import_t *plan);
static int import_rows(import_t *plan);
static void import_duplicates(import_t *plan, commerce_cli_row_t **rows, bool users);
static void import_fields(import_t *plan);
static void import_users(import_t *plan);
static int import_refuse(import_t *plan);
static int import_compare(commerce_str_t a, commerce_str_t b);
static int import_compare_id(const void *a, const void *b);
static int import_compare_user(const void *a, const void *b);
static int import_compare_row_id(const void *a, const void *b);
static int import_compare_row_user(const void *a, const void *b);
static int import_compare_number(const void *key, const void *node);


int
commerce_cli_people_apply(commerce_cli_people_t *people)
{
    int              rc;
    bool             progress;
    unsigned         attempt;
    struct timespec  pause = { 0, COMMERCE_CLI_IMPORT_PAUSE };

    for (attempt = 0; attempt < COMMERCE_CLI_ATTEMPTS; attempt++) {
        progress = false;
        rc = import_once(people, &progress);

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
import_once(commerce_cli_people_t *people, bool *progress)
{
    int                   rc;
    import_t              plan;
    commerce_cli_pool_t  *pool;

    memset(&plan, 0, sizeof(import_t));
    plan.people = people;
    plan.cli = people->cli;

    if (commerce_cli_now(plan.cli, &plan.now) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    pool = commerce_cli_pool_create();
    if (pool == NULL) {
        return commerce_cli_fail(people->cli, "out of memory");
    }

    plan.arena = commerce_cli_pool_arena(pool);

    rc = import_check(&plan);

    if (rc == COMMERCE_CLI_OK) {
        commerce_cli_import_work(&plan);
        rc = people->dry_run ? commerce_cli_import_look(&plan) : commerce_cli_import_write(&plan, progress);
    }

    free(plan.nodes);
    free(plan.by_id);
    free(plan.by_user);
    free(plan.path);
    free(plan.work);
    commerce_cli_pool_destroy(pool);

    return rc;
}


/* everything that is wrong is said before the first record is written */
static int
import_check(import_t *plan)
{
    int  rc;

    rc = import_plan(plan);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_import_places_check(plan);
    }

    commerce_cli_view_end(plan->cli);

    return rc == COMMERCE_CLI_OK && plan->people->errors != 0 ? import_refuse(plan) : rc;
}


static int
import_plan(import_t *plan)
{
    int  rc;

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

    /* millions are sorted: each step has the guard's time for itself */

    commerce_cli_alive(plan->cli);
    import_fields(plan);
    commerce_cli_import_tree(plan);
    import_users(plan);
    commerce_cli_import_successions(plan);
    commerce_cli_alive(plan->cli);

    if (commerce_cli_import_names(plan) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    commerce_cli_alive(plan->cli);
    commerce_cli_import_depths(plan);

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


static int
import_refuse(import_t *plan)
{
    size_t                  i, written;
    commerce_cli_people_t  *people;

    people = plan->people;

    if (people->errors > people->errors_shown) {
        fprintf(stderr, "%s: and %zu more\n", people->path, people->errors - people->errors_shown);
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
