/*
 * Copyright (C) ngx_commerce authors
 *
 * An import's plan; for commerce_cli_import*.c only.
 */

#ifndef COMMERCE_CLI_IMPORT_H
#define COMMERCE_CLI_IMPORT_H

#include "commerce_cli_people.h"

typedef struct commerce_cli_import_node_s  commerce_cli_import_node_t;

struct commerce_cli_import_node_s {
    commerce_person_t    before, person;    /* before: zeroed when new */
    uint64_t             version;
    bool                 stored;
    bool                 walked;
    bool                 looping;
    commerce_cli_row_t  *row;
    commerce_cli_import_node_t  *upline_before, *upline;
    commerce_cli_import_node_t  *successor;     /* as he will be; NULL: nobody */
    unsigned             known;             /* who is or will be his downline */
    unsigned             depth;             /* 1 = root */
    unsigned             level;             /* edges above, of whatever sort: order of writing */
    size_t               piece;             /* the last piece that wrote him */
};

typedef struct {
    commerce_cli_people_t  *people;
    commerce_cli_t         *cli;
    commerce_heap_t        *heap;
    commerce_arena_t       *arena;
    commerce_cli_import_node_t   *nodes;          /* stored ones by number, then new ones */
    size_t                  stored, count, room;
    commerce_cli_import_node_t  **by_id, **by_user, **path;
    commerce_cli_import_node_t  **work;           /* to be written, in order */
    size_t                  work_count;
    size_t                  piece;          /* number of the current one, from 1 */
    commerce_time_t         now;
} commerce_cli_import_t;

/* a person of the plan by external id, NULL: nobody; also those that are new */
commerce_cli_import_node_t *commerce_cli_import_find(const commerce_cli_import_t *plan, commerce_str_t id);
/* ... by number, of those in the store */
commerce_cli_import_node_t *commerce_cli_import_numbered(const commerce_cli_import_t *plan, uint64_t number);

/*
 * commerce_cli_import_person.c: what a row says of names, of a leaver's succession, and since when.  Says what is wrong.
 * names: one name is one person, also between persons that change in this import.  COMMERCE_CLI_FAILED: memory ran out.
 */
int commerce_cli_import_names(commerce_cli_import_t *plan);
void commerce_cli_import_successions(commerce_cli_import_t *plan);
bool commerce_cli_import_same_names(const commerce_person_t *a, const commerce_person_t *b);
/* into the plan's memory; COMMERCE_ERROR: none is left */
int commerce_cli_import_keep(commerce_cli_import_t *plan, commerce_person_t *person);

#endif
