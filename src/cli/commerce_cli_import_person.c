/*
 * Copyright (C) ngx_commerce authors
 *
 * People import: names under which a person buys, since when the status is what it is, and who succeeds a leaver.
 */

#include <stdlib.h>

#include "commerce_cli_import.h"


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;

typedef struct {
    commerce_str_t  name;
    import_node_t  *node;
    bool            before;             /* he has it in the store */
} import_name_t;


static unsigned import_names_of(import_name_t *names, import_node_t *node, const commerce_person_t *person,
    bool before);
static void import_names_compare(import_t *plan, const import_name_t *names, size_t count);
static void import_since(import_t *plan, import_node_t *node);
static int import_compare_name(const void *a, const void *b);


int
commerce_cli_import_keep(commerce_cli_import_t *plan, commerce_person_t *person)
{
    unsigned         i;
    commerce_str_t  *names;

    person->id = commerce_copy(plan->arena, person->id);
    person->user = commerce_copy(plan->arena, person->user);
    person->store = commerce_copy(plan->arena, person->store);

    names = commerce_alloc(plan->arena, (person->identity_count + 1) * sizeof(commerce_str_t));

    if (names == NULL || person->id.data == NULL || person->user.data == NULL || person->store.data == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < person->identity_count; i++) {
        names[i] = commerce_copy(plan->arena, person->identities[i]);

        if (names[i].data == NULL) {
            return COMMERCE_ERROR;
        }
    }

    person->identities = names;

    return COMMERCE_OK;
}


bool
commerce_cli_import_same_names(const commerce_person_t *a, const commerce_person_t *b)
{
    unsigned  i;

    if (!commerce_equal(a->user, b->user) || a->identity_count != b->identity_count) {
        return false;
    }

    for (i = 0; i < a->identity_count; i++) {
        if (!commerce_equal(a->identities[i], b->identities[i])) {
            return false;
        }
    }

    return true;
}


/*
 * Of users the rows were compared already: this is about all names, and about those that one person has in the
 * store and another gets: two persons that are written one after the other cannot change places.
 */
int
commerce_cli_import_names(commerce_cli_import_t *plan)
{
    size_t          i, count;
    import_name_t  *names;

    count = 0;

    for (i = 0; i < plan->count; i++) {
        count += 2 + plan->nodes[i].person.identity_count + plan->nodes[i].before.identity_count;
    }

    names = malloc((count + 1) * sizeof(import_name_t));
    if (names == NULL) {
        return commerce_cli_fail(plan->cli, "out of memory");
    }

    count = 0;

    for (i = 0; i < plan->count; i++) {
        count += import_names_of(names + count, &plan->nodes[i], &plan->nodes[i].before, true);
        count += import_names_of(names + count, &plan->nodes[i], &plan->nodes[i].person, false);
    }

    qsort(names, count, sizeof(import_name_t), import_compare_name);
    import_names_compare(plan, names, count);
    free(names);

    return COMMERCE_CLI_OK;
}


static unsigned
import_names_of(import_name_t *names, import_node_t *node, const commerce_person_t *person, bool before)
{
    unsigned  i, n;

    n = 0;

    if (person->user.len != 0) {
        names[n++] = (import_name_t) { person->user, node, before };
    }

    for (i = 0; i < person->identity_count; i++) {
        names[n++] = (import_name_t) { person->identities[i], node, before };
    }

    return n;
}


static void
import_names_compare(import_t *plan, const import_name_t *names, size_t count)
{
    size_t                i;
    const import_name_t  *left, *right;

    for (i = 1; i < count; i++) {
        left = &names[i - 1];
        right = &names[i];

        if (!commerce_equal(left->name, right->name) || (left->node == right->node && left->before != right->before)
            || (left->before && right->before) || right->node->row == NULL)
        {
            continue;
        }

        /* users against users were said */

        if (left->node != right->node && commerce_equal(left->node->person.user, left->name)
            && commerce_equal(right->node->person.user, right->name))
        {
            continue;
        }

        if (left->node == right->node) {
            commerce_cli_people_error(plan->people, right->node->row->line, "name \"%s\" of person \"%s\" stands there"
                                      " twice: keep one", commerce_cli_text(plan->cli, right->name),
                                      commerce_cli_text(plan->cli, right->node->row->id));

        } else if (left->before && commerce_equal(left->node->before.user, left->name)
                   && commerce_equal(right->node->person.user, right->name))
        {
            continue;

        } else {
            commerce_cli_people_error(plan->people, right->node->row->line, "name \"%s\" is person \"%s\"%s: one name"
                                      " is one person", commerce_cli_text(plan->cli, right->name),
                                      commerce_cli_text(plan->cli, left->node->person.id),
                                      left->before ? " in the store; take it off that one first, in an import of its own"
                                                   : "");
        }
    }
}


/* who is in the store comes first, and among equals the one that stands first in the file */
static int
import_compare_name(const void *a, const void *b)
{
    int                   order;
    size_t                len;
    unsigned              left_line, right_line;
    const import_name_t  *left = a, *right = b;

    len = left->name.len < right->name.len ? left->name.len : right->name.len;
    order = memcmp(left->name.data, right->name.data, len);

    if (order != 0) {
        return order;
    }

    if (left->name.len != right->name.len) {
        return left->name.len < right->name.len ? -1 : 1;
    }

    if (left->node != right->node && left->before != right->before) {
        return left->before ? -1 : 1;
    }

    left_line = left->node->row != NULL ? left->node->row->line : 0;
    right_line = right->node->row != NULL ? right->node->row->line : 0;

    if (left_line != right_line) {
        return left_line < right_line ? -1 : 1;
    }

    return (right->before > left->before) - (right->before < left->before);
}


void
commerce_cli_import_successions(commerce_cli_import_t *plan)
{
    size_t               i;
    import_node_t       *node;
    commerce_cli_row_t  *row;

    for (i = 0; i < plan->count; i++) {
        node = &plan->nodes[i];
        row = node->row;

        if (row == NULL) {
            continue;
        }

        if (node->before.successor != 0 && !row->has[COMMERCE_CLI_COLUMN_SUCCESSOR]) {
            node->successor = commerce_cli_import_numbered(plan, node->before.successor);
        }

        if (row->has[COMMERCE_CLI_COLUMN_SUCCESSOR] && row->successor.len != 0) {
            node->successor = commerce_cli_import_find(plan, row->successor);

            if (node->successor == NULL) {
                commerce_cli_people_error(plan->people, row->line, "successor \"%s\" of person \"%s\" is neither in the"
                                          " file nor in the store", commerce_cli_text(plan->cli, row->successor),
                                          commerce_cli_text(plan->cli, row->id));

            } else if (node->successor == node) {
                commerce_cli_people_error(plan->people, row->line, "person \"%s\" succeeds himself",
                                          commerce_cli_text(plan->cli, row->id));
            }
        }

        import_since(plan, node);
    }
}


/* a status that changes does so now, unless the file knows better; of those who are active it is not kept */
static void
import_since(import_t *plan, import_node_t *node)
{
    node->person.since = commerce_directory_since(node->person.status, node->row->since,
                                                  node->stored ? &node->before : NULL, plan->now);
}
