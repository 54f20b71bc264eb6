/*
 * Copyright (C) ngx_commerce authors
 *
 * Import: who recruited whom, as it will be; loops, and trees that are too deep.
 */

#include "commerce_cli_import.h"


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;


static void import_walk(import_t *plan, import_node_t *node);
static void import_loop(import_t *plan, size_t from, size_t to);
static void import_deep(import_t *plan, const import_node_t *node, unsigned most);


void
commerce_cli_import_tree(import_t *plan)
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


void
commerce_cli_import_depths(import_t *plan)
{
    size_t    i;
    unsigned  most;

    for (i = 0; i < plan->count; i++) {
        import_walk(plan, &plan->nodes[i]);
    }

    if (plan->people->errors != 0) {
        return;     /* a loop or a missing upline makes depths that are none */
    }

    /* who is deeper than a walk is long cannot be told from a loop */

    most = plan->people->tiers == COMMERCE_TIERS_PAY ? COMMERCE_LINEAGE_WALK : COMMERCE_TIERS;

    for (i = 0; i < plan->count; i++) {
        if (plan->nodes[i].depth > most) {
            import_deep(plan, &plan->nodes[i], most);
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
import_deep(import_t *plan, const import_node_t *node, unsigned most)
{
    commerce_cli_row_t   *row;
    const import_node_t  *up;

    row = node->row;

    /* who is not in the file is deeper by it if it moved somebody above */

    for (up = node; row == NULL && up != NULL; up = up->upline) {
        if (up->row != NULL
            && (!up->stored || up->upline != up->upline_before || up->person.role != up->before.role))
        {
            row = up->row;
        }
    }

    if (row != NULL) {
        commerce_cli_people_error(plan->people, row->line, "person \"%s\" would be %u deep, under \"%s\" under"
                                  " \"%s\": %u are allowed", commerce_cli_text(plan->cli, node->person.id),
                                  node->depth, commerce_cli_text(plan->cli, node->upline->person.id),
                                  commerce_cli_text(plan->cli, node->upline->upline->person.id), most);
    }
}
