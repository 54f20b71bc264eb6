/*
 * Copyright (C) ngx_commerce authors
 *
 * Import: groups, live rooms, channels, landings and retail stores.  What a row says was read when the file was; here
 * its line is read again, a few at a time, so that a million of them need no more memory than their text.
 */

#include <stdlib.h>
#include <time.h>

#include "commerce_cli_import.h"

#define IMPORT_PLACES  (COMMERCE_CLI_PIECE / 4)     /* rows of one transaction: a record, its name, its number */


typedef commerce_cli_import_t  import_t;
typedef commerce_cli_place_t   import_place_t;

typedef struct {
    import_t        *plan;
    import_place_t  *first, *last;      /* behind the last one */
} import_places_t;


static int import_places_sort(import_t *plan);
static void import_place_names(import_t *plan, const import_place_t *place, const commerce_directory_entry_t *entry);
static void import_place_person(import_t *plan, const import_place_t *place, const char *member, commerce_str_t id);
static void import_place_group(import_t *plan, const import_place_t *place, commerce_str_t id);
static int import_places_piece(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int import_place_put(import_t *plan, commerce_txn_t *txn, import_place_t *place);
static void import_place_wrong(void *data, const char *sentence);
static void import_place_quiet(void *data, const char *sentence);
static int import_compare_place(const void *a, const void *b);


int
commerce_cli_import_places_check(import_t *plan)
{
    int                          rc;
    size_t                       i;
    commerce_cli_pool_t         *pool;
    commerce_cli_people_t       *people = plan->people;
    commerce_directory_entry_t   entry;

    if (people->place_count == 0) {
        return COMMERCE_CLI_OK;
    }

    pool = commerce_cli_pool_create();

    if (pool == NULL || import_places_sort(plan) != COMMERCE_CLI_OK) {
        commerce_cli_pool_destroy(pool);
        return commerce_cli_fail(plan->cli, "out of memory");
    }

    rc = COMMERCE_CLI_OK;

    for (i = 0; i < people->place_count && rc == COMMERCE_CLI_OK; i++) {
        rc = commerce_cli_import_renew(plan, i, commerce_cli_pool_arena(pool));

        if (rc == COMMERCE_CLI_OK && !people->places[i].wrong) {
            commerce_cli_pool_clear(pool);
            rc = commerce_cli_import_place_parse(plan, &people->places[i], commerce_cli_pool_arena(pool), &entry);
        }

        if (rc == COMMERCE_CLI_OK && !people->places[i].wrong) {
            import_place_names(plan, &people->places[i], &entry);
        }
    }

    commerce_cli_view_end(plan->cli);
    plan->cli->reader.arena = plan->cli->arena;
    commerce_cli_pool_destroy(pool);

    return rc;
}


/* by kind and id, which is the order in which they are written; of those that are equal the first line counts */
static int
import_places_sort(import_t *plan)
{
    size_t           i;
    import_place_t  *place, *first;

    qsort(plan->people->places, plan->people->place_count, sizeof(import_place_t), import_compare_place);

    first = plan->people->places;

    for (i = 1; i < plan->people->place_count; i++) {
        place = &plan->people->places[i];

        if (place->kind != first->kind || !commerce_equal(place->id, first->id)) {
            first = place;
            continue;
        }

        place->wrong = true;
        commerce_cli_people_error(plan->people, place->line, "%s \"%s\" stands on line %u already: keep one",
                                  commerce_directory_kind_name(place->kind), commerce_cli_text(plan->cli, place->id),
                                  first->line);
    }

    return COMMERCE_CLI_OK;
}


static void
import_place_names(import_t *plan, const import_place_t *place, const commerce_directory_entry_t *entry)
{
    char      member[32];
    unsigned  i;

    switch (entry->kind) {
    case COMMERCE_DIRECTORY_GROUP:
        import_place_person(plan, place, "leader", entry->person);
        return;

    case COMMERCE_DIRECTORY_ROOM:
        import_place_person(plan, place, "host", entry->person);

        for (i = 0; i < entry->shift_count; i++) {
            snprintf(member, sizeof(member), "schedule/%u/host", i);
            import_place_person(plan, place, member, entry->shifts[i].host);
        }

        return;

    case COMMERCE_DIRECTORY_CHANNEL:
        import_place_person(plan, place, "seller", entry->person);
        import_place_group(plan, place, entry->group);
        return;

    default:
        return;
    }
}


static void
import_place_person(import_t *plan, const import_place_t *place, const char *member, commerce_str_t id)
{
    if (id.len != 0 && commerce_cli_import_find(plan, id) == NULL) {
        commerce_cli_people_error(plan->people, place->line, "%s \"%s\" of %s \"%s\" is neither in the file nor in the"
                                  " store", member, commerce_cli_text(plan->cli, id),
                                  commerce_directory_kind_name(place->kind), commerce_cli_text(plan->cli, place->id));
    }
}


static void
import_place_group(import_t *plan, const import_place_t *place, commerce_str_t id)
{
    commerce_group_t  group;
    import_place_t    wanted = { .kind = COMMERCE_DIRECTORY_GROUP, .id = id };
    size_t            low, high, middle;
    int               order;

    if (id.len == 0) {
        return;
    }

    for (low = 0, high = plan->people->place_count; low < high; ) {
        middle = low + (high - low) / 2;
        order = import_compare_place(&wanted, &plan->people->places[middle]);

        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }

    /* lines count from 1, so that the first of this name stands behind what is wanted */

    if (low < plan->people->place_count && plan->people->places[low].kind == COMMERCE_DIRECTORY_GROUP
        && commerce_equal(plan->people->places[low].id, id))
    {
        return;
    }

    if (commerce_group_find(&plan->cli->reader, id, &group, NULL) == COMMERCE_ABSENT) {
        commerce_cli_people_error(plan->people, place->line, "group \"%s\" of channel \"%s\" is neither in the file nor"
                                  " in the store", commerce_cli_text(plan->cli, id),
                                  commerce_cli_text(plan->cli, place->id));
    }
}


int
commerce_cli_import_renew(import_t *plan, size_t i, commerce_arena_t *arena)
{
    if (i % COMMERCE_CLI_RENEW != 0) {
        return COMMERCE_CLI_OK;
    }

    commerce_cli_view_end(plan->cli);

    if (commerce_cli_flush(plan->cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    return commerce_cli_view(plan->cli, arena);
}


int
commerce_cli_import_place_parse(import_t *plan, const import_place_t *place, commerce_arena_t *arena,
    commerce_directory_entry_t *entry)
{
    return commerce_directory_parse(arena, place->json, entry, import_place_quiet, NULL) == COMMERCE_OK
           ? COMMERCE_CLI_OK : commerce_cli_fail(plan->cli, "out of memory");
}


int
commerce_cli_import_places_write(import_t *plan, bool *progress)
{
    int              rc;
    import_place_t  *place, *end;
    import_places_t  piece = { .plan = plan };
    struct timespec  pause = { 0, COMMERCE_CLI_IMPORT_PAUSE };

    place = plan->people->places;
    end = place + plan->people->place_count;
    rc = COMMERCE_CLI_OK;

    while (place < end && rc == COMMERCE_CLI_OK) {
        piece.first = place;

        while (place < end && place->kind == piece.first->kind && place - piece.first < IMPORT_PLACES) {
            place++;
        }

        piece.last = place;
        rc = commerce_cli_transact(plan->cli, import_places_piece, &piece);

        if (rc == COMMERCE_CLI_OK) {
            *progress = true;
            commerce_cli_people_progress(plan->people, (size_t) (piece.last - piece.first));
            nanosleep(&pause, NULL);
        }
    }

    return rc;
}


static int
import_places_piece(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int               rc;
    import_place_t   *place;
    import_places_t  *piece = data;

    (void) cli;

    for (place = piece->first, rc = COMMERCE_CLI_OK; place < piece->last && rc == COMMERCE_CLI_OK; place++) {
        rc = import_place_put(piece->plan, txn, place);
    }

    return rc;
}


static int
import_place_put(import_t *plan, commerce_txn_t *txn, import_place_t *place)
{
    commerce_directory_entry_t  entry;
    commerce_directory_put_t    put = {
        .reader = &plan->cli->reader, .txn = txn, .tiers = plan->people->tiers, .now = plan->now,
        .say = import_place_wrong, .data = plan->cli
    };

    if (commerce_cli_import_place_parse(plan, place, txn->arena, &entry) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    switch (commerce_directory_put(&put, &entry, NULL)) {
    case COMMERCE_DIRECTORY_UNCHANGED:
        place->outcome = COMMERCE_CLI_ROW_UNCHANGED;
        return COMMERCE_CLI_OK;

    case COMMERCE_DIRECTORY_CREATED:
        place->outcome = COMMERCE_CLI_ROW_IMPORTED;
        return COMMERCE_CLI_OK;

    case COMMERCE_DIRECTORY_CHANGED:
        place->outcome = COMMERCE_CLI_ROW_CHANGED;
        return COMMERCE_CLI_OK;

    case COMMERCE_DIRECTORY_FULL:
        return commerce_cli_fail(plan->cli, "no number could be taken for a %s: all are given out",
                                 commerce_directory_kind_name(place->kind));

    case COMMERCE_DIRECTORY_REFUSED:
        return COMMERCE_CLI_FAILED;

    default:
        return commerce_cli_unreadable(plan->cli, commerce_directory_kind_name(place->kind), place->id);
    }
}


static void
import_place_wrong(void *data, const char *sentence)
{
    (void) commerce_cli_fail(data, "%s", sentence);
}


static void
import_place_quiet(void *data, const char *sentence)
{
    (void) data;
    (void) sentence;
}


static int
import_compare_place(const void *a, const void *b)
{
    int                    order;
    size_t                 len;
    const import_place_t  *left = a, *right = b;

    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }

    len = left->id.len < right->id.len ? left->id.len : right->id.len;
    order = memcmp(left->id.data, right->id.data, len);

    if (order != 0) {
        return order;
    }

    if (left->id.len != right->id.len) {
        return left->id.len < right->id.len ? -1 : 1;
    }

    return (left->line > right->line) - (left->line < right->line);
}
