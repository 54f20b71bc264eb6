/*
 * Copyright (C) ngx_commerce authors
 *
 * An import's plan; for commerce_cli_import*.c only.
 */

#ifndef COMMERCE_CLI_IMPORT_H
#define COMMERCE_CLI_IMPORT_H

#include "commerce_cli_people.h"

#define COMMERCE_CLI_IMPORT_PAUSE  2000000      /* nanoseconds between pieces: others want to write, too */

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
    bool                 held;              /* his succession is written when the successor has a number */
};

typedef struct {
    commerce_cli_people_t  *people;
    commerce_cli_t         *cli;
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

/* commerce_cli_import_tree.c: uplines become nodes; then how deep everybody stands.  Says what is wrong. */
void commerce_cli_import_tree(commerce_cli_import_t *plan);
void commerce_cli_import_depths(commerce_cli_import_t *plan);

/*
 * commerce_cli_import_person.c: what a row says of names, of a leaver's succession, and since when.  Says what is wrong.
 * names: one name is one person, also between persons that change in this import.  COMMERCE_CLI_FAILED: memory ran out.
 */
int commerce_cli_import_names(commerce_cli_import_t *plan);
void commerce_cli_import_successions(commerce_cli_import_t *plan);
bool commerce_cli_import_same_names(const commerce_person_t *a, const commerce_person_t *b);
/* into the plan's memory; COMMERCE_ERROR: none is left */
int commerce_cli_import_keep(commerce_cli_import_t *plan, commerce_person_t *person);

/* commerce_cli_import_write.c: what is to be done with each row and in which order; then doing it */
void commerce_cli_import_work(commerce_cli_import_t *plan);
int commerce_cli_import_write(commerce_cli_import_t *plan, bool *progress);

/* commerce_cli_import_look.c: what writing would do: sets outcomes and, with a diff asked for, prints it */
int commerce_cli_import_look(commerce_cli_import_t *plan);

/*
 * commerce_cli_import_place.c: groups, rooms, channels, landings and retail stores.  check: under the open view, says
 * what is wrong; write: by kind, so that groups are there before the channels that name them.
 */
int commerce_cli_import_places_check(commerce_cli_import_t *plan);
int commerce_cli_import_places_write(commerce_cli_import_t *plan, bool *progress);
/* before row i is read: no view stays open for long, and what was said goes out while none is */
int commerce_cli_import_renew(commerce_cli_import_t *plan, size_t i, commerce_arena_t *arena);
/* the entry that a row was; said again by nobody: it was read before.  COMMERCE_CLI_FAILED: memory ran out */
int commerce_cli_import_place_parse(commerce_cli_import_t *plan, const commerce_cli_place_t *place,
    commerce_arena_t *arena, commerce_directory_entry_t *entry);

#endif
