/*
 * Copyright (C) ngx_commerce authors
 *
 * Import: what writing would do, for --dry-run and --diff.
 *
 *   + {"kind":"group","id":"g2"}             a new one
 *   ~ person "anna"                          one that changes, and by which members:
 *       - "store":"s1"
 *       + "user":"u-anna"
 *       ~ "role":"koc" -> "guide"
 *
 * Nothing is removed by an import: whoever is not in the file stays as he is, and is not shown.
 */

#include <stdlib.h>

#include "commerce_cli_import.h"


typedef commerce_cli_import_node_t  import_node_t;
typedef commerce_cli_import_t       import_t;

typedef struct {
    import_t                    *plan;
    commerce_cli_pool_t         *pool;          /* one row's */
    char                        *before, *after;
} import_look_t;


static int import_look_persons(import_look_t *look);
static void import_look_person(import_look_t *look, const import_node_t *node);
static void import_look_entry(const commerce_person_t *person, const import_node_t *upline,
    const import_node_t *successor, commerce_directory_entry_t *entry);
static int import_look_places(import_look_t *look);
static int import_look_place(import_look_t *look, commerce_cli_place_t *place);
static void import_look_print(import_look_t *look, const commerce_directory_entry_t *before,
    const commerce_directory_entry_t *after);
static commerce_str_t import_look_text(char *buffer, const commerce_directory_entry_t *entry);
static void import_look_members(FILE *out, commerce_str_t before, commerce_str_t after);
static bool import_look_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value);


int
commerce_cli_import_look(import_t *plan)
{
    int            rc;
    import_look_t  look = { .plan = plan };

    look.pool = commerce_cli_pool_create();
    look.before = malloc(COMMERCE_DIRECTORY_JSON_MAX);
    look.after = malloc(COMMERCE_DIRECTORY_JSON_MAX);

    rc = look.pool != NULL && look.before != NULL && look.after != NULL
         ? COMMERCE_CLI_OK : commerce_cli_fail(plan->cli, "out of memory");

    if (rc == COMMERCE_CLI_OK && plan->people->diff) {
        rc = import_look_persons(&look);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = import_look_places(&look);
    }

    free(look.before);
    free(look.after);
    commerce_cli_pool_destroy(look.pool);

    return rc;
}


static int
import_look_persons(import_look_t *look)
{
    size_t     i;
    import_t  *plan = look->plan;

    for (i = 0; i < plan->work_count; i++) {
        import_look_person(look, plan->work[i]);

        if (i % COMMERCE_CLI_RENEW == 0 && commerce_cli_flush(plan->cli) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    return COMMERCE_CLI_OK;
}


static void
import_look_person(import_look_t *look, const import_node_t *node)
{
    commerce_directory_entry_t  before, after;

    import_look_entry(&node->person, node->upline, node->successor, &after);

    if (!node->stored) {
        import_look_print(look, NULL, &after);
        return;
    }

    import_look_entry(&node->before, node->upline_before,
                      node->before.successor == 0 ? NULL
                      : commerce_cli_import_numbered(look->plan, node->before.successor), &before);
    import_look_print(look, &before, &after);
}


static void
import_look_entry(const commerce_person_t *person, const import_node_t *upline, const import_node_t *successor,
    commerce_directory_entry_t *entry)
{
    unsigned  i;

    memset(entry, 0, sizeof(commerce_directory_entry_t));

    entry->kind = COMMERCE_DIRECTORY_PERSON;
    entry->id = person->id;
    entry->role = person->role;
    entry->status = person->status;
    entry->since = person->since;
    entry->transfer = person->transfer;
    entry->user = person->user;
    entry->store = person->store;
    entry->upline = upline != NULL ? upline->person.id : commerce_string("");
    entry->successor = successor != NULL ? successor->person.id : commerce_string("");
    entry->identity_count = person->identity_count;

    for (i = 0; i < person->identity_count; i++) {
        entry->identities[i] = person->identities[i];
    }
}


static int
import_look_places(import_look_t *look)
{
    int                     rc;
    size_t                  i;
    commerce_cli_people_t  *people = look->plan->people;

    rc = COMMERCE_CLI_OK;

    for (i = 0; i < people->place_count && rc == COMMERCE_CLI_OK; i++) {
        rc = commerce_cli_import_renew(look->plan, i, commerce_cli_pool_arena(look->pool));

        if (rc == COMMERCE_CLI_OK) {
            commerce_cli_pool_clear(look->pool);
            rc = import_look_place(look, &people->places[i]);
        }
    }

    commerce_cli_view_end(look->plan->cli);
    look->plan->cli->reader.arena = look->plan->cli->arena;

    return rc;
}


static int
import_look_place(import_look_t *look, commerce_cli_place_t *place)
{
    int                          rc;
    commerce_arena_t            *arena;
    commerce_directory_entry_t   before, after;

    arena = commerce_cli_pool_arena(look->pool);

    if (commerce_cli_import_place_parse(look->plan, place, arena, &after) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_directory_entry_read(&look->plan->cli->reader, place->kind, place->id, &before, NULL);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(look->plan->cli, commerce_directory_kind_name(place->kind), place->id);
    }

    place->outcome = rc == COMMERCE_ABSENT ? COMMERCE_CLI_ROW_IMPORTED
                     : commerce_directory_same(&before, &after) ? COMMERCE_CLI_ROW_UNCHANGED
                     : COMMERCE_CLI_ROW_CHANGED;

    if (look->plan->people->diff && place->outcome != COMMERCE_CLI_ROW_UNCHANGED) {
        import_look_print(look, rc == COMMERCE_OK ? &before : NULL, &after);
    }

    return COMMERCE_CLI_OK;
}


/* before: NULL when new */
static void
import_look_print(import_look_t *look, const commerce_directory_entry_t *before,
    const commerce_directory_entry_t *after)
{
    FILE            *out;
    commerce_str_t   text, id;

    out = look->plan->cli->out;
    text = import_look_text(look->after, after);

    if (before == NULL) {
        fprintf(out, "+ %.*s\n", commerce_cli_arg(text));
        return;
    }

    id = commerce_string("");
    (void) import_look_member(text, commerce_string("id"), &id);

    fprintf(out, "~ %s %.*s\n", commerce_directory_kind_name(after->kind), commerce_cli_arg(id));
    import_look_members(out, import_look_text(look->before, before), text);
}


static commerce_str_t
import_look_text(char *buffer, const commerce_directory_entry_t *entry)
{
    int64_t           n;
    commerce_write_t  w;

    commerce_write_start(&w, buffer, COMMERCE_DIRECTORY_JSON_MAX);
    commerce_directory_write(&w, entry);
    n = commerce_write_finish(&w);

    return (commerce_str_t) { buffer, n > 0 ? (size_t) n : 0 };
}


static void
import_look_members(FILE *out, commerce_str_t before, commerce_str_t after)
{
    commerce_str_t  rest, name, value, other;

    for (rest = before; commerce_directory_member(&rest, &name, &value); /* void */ ) {

        if (!import_look_member(after, name, &other)) {
            fprintf(out, "    - \"%.*s\":%.*s\n", commerce_cli_arg(name), commerce_cli_arg(value));

        } else if (!commerce_equal(value, other)) {
            fprintf(out, "    ~ \"%.*s\":%.*s -> %.*s\n", commerce_cli_arg(name), commerce_cli_arg(value),
                    commerce_cli_arg(other));
        }
    }

    for (rest = after; commerce_directory_member(&rest, &name, &value); /* void */ ) {

        if (!import_look_member(before, name, &other)) {
            fprintf(out, "    + \"%.*s\":%.*s\n", commerce_cli_arg(name), commerce_cli_arg(value));
        }
    }
}


static bool
import_look_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value)
{
    commerce_str_t  found;

    while (commerce_directory_member(&text, &found, value)) {
        if (commerce_equal(found, name)) {
            return true;
        }
    }

    return false;
}
