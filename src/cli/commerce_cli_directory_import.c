/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce directory import: JSON lines of all kinds, as commerce directory export writes them.
 *
 * The file is read once, line by line; only what the plan needs of a line is kept.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "commerce_cli_import.h"

#define READ_LINE_MAX  COMMERCE_DIRECTORY_JSON_MAX
#define READ_TOLD      4096             /* lines between two looks at the clock */


typedef struct {
    commerce_cli_people_t  *people;
    FILE                   *file;
    commerce_cli_pool_t    *scratch;    /* one line's */
    char                   *line;
    size_t                  len;
    unsigned                number;
    uint64_t                taken;      /* bytes */
} import_read_t;


static int import_options(commerce_cli_people_t *people, int argc, char **argv);
static int import_read(commerce_cli_people_t *people);
static int import_read_file(commerce_cli_people_t *people, FILE *file);
static int import_read_all(import_read_t *in);
static bool import_read_next(import_read_t *in, bool *whole);
static bool import_read_blank(const import_read_t *in);
static int import_read_line(import_read_t *in);
static int import_read_person(import_read_t *in, const commerce_directory_entry_t *entry, bool right);
static int import_read_place(import_read_t *in, const commerce_directory_entry_t *entry, bool right);
static void import_read_wrong(void *data, const char *sentence);


int
commerce_cli_directory_import(commerce_cli_t *cli, int argc, char **argv)
{
    int                    rc;
    commerce_cli_people_t  people;

    if (commerce_cli_people_begin(&people, cli, NULL) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = import_options(&people, argc, argv);

    if (rc == COMMERCE_CLI_OK
        && (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_keys(cli) != COMMERCE_CLI_OK))
    {
        rc = COMMERCE_CLI_FAILED;
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = import_read(&people);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_open(cli, !people.dry_run);
    }

    if (rc == COMMERCE_CLI_OK) {
        commerce_cli_progress_start(&people.progress, "writing", "records", 0, people.count + people.place_count);
        people.told = people.told && !people.dry_run;
        rc = commerce_cli_people_apply(&people);
        commerce_cli_progress_clear(&people.progress);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_people_summary(&people);
    }

    commerce_cli_people_end(&people);

    return rc;
}


static int
import_options(commerce_cli_people_t *people, int argc, char **argv)
{
    int            c;
    uint64_t       errors;
    const char    *tiers;
    struct option  options[] = {
        { "dry-run", no_argument, NULL, 'n' },
        { "diff", no_argument, NULL, 'd' },
        { "tiers", required_argument, NULL, 't' },
        { "errors", required_argument, NULL, 'e' },
        { "progress", no_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 }
    };

    tiers = "strict";

    commerce_cli_progress_start(&people->progress, "reading", "bytes", 0, 0);
    people->told = people->progress.terminal;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            people->diff = true;
            people->dry_run = true;
            break;
        case 'n':
            people->dry_run = true;
            break;
        case 't':
            tiers = optarg;
            break;
        case 'p':
            people->told = true;
            break;
        case 'e':
            if (commerce_parse_uint(commerce_cstr(optarg), 1000000, &errors) != COMMERCE_OK || errors == 0) {
                return commerce_cli_fail(people->cli, "--errors takes a number from 1 to 1000000");
            }

            people->errors_shown = errors;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    people->path = argv[optind];

    return commerce_cli_people_tiers(people, tiers);
}


static int
import_read(commerce_cli_people_t *people)
{
    int          rc;
    FILE        *file;
    struct stat  st;

    if (strcmp(people->path, "-") == 0) {
        return import_read_file(people, stdin);
    }

    file = fopen(people->path, "re");

    if (file == NULL) {
        return commerce_cli_fail(people->cli, "cannot open \"%s\": %s", people->path, strerror(errno));
    }

    if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = commerce_cli_fail(people->cli, "\"%s\" is a directory: name a file", people->path);

    } else {
        people->progress.total = S_ISREG(st.st_mode) ? (uint64_t) st.st_size : 0;
        rc = import_read_file(people, file);
    }

    fclose(file);

    return rc;
}


static int
import_read_file(commerce_cli_people_t *people, FILE *file)
{
    int            rc;
    import_read_t  in = { .people = people, .file = file };

    in.scratch = commerce_cli_pool_create();
    in.line = malloc(READ_LINE_MAX);

    rc = in.scratch != NULL && in.line != NULL ? import_read_all(&in)
                                               : commerce_cli_fail(people->cli, "out of memory");

    if (rc == COMMERCE_CLI_OK && ferror(file)) {
        rc = commerce_cli_fail(people->cli, "reading \"%s\" failed: %s", people->path, strerror(errno));
    }

    commerce_cli_progress_clear(&people->progress);
    commerce_cli_pool_destroy(in.scratch);
    free(in.line);

    return rc;
}


/* only memory stops it: whatever is wrong in the file is counted, so that all of it is told */
static int
import_read_all(import_read_t *in)
{
    int   rc;
    bool  whole;

    for (rc = COMMERCE_CLI_OK; rc == COMMERCE_CLI_OK && import_read_next(in, &whole); /* void */ ) {

        if (!whole) {
            commerce_cli_people_error(in->people, in->number, "the line is longer than %d bytes: one record stands on"
                                      " one line", READ_LINE_MAX);

        } else if (!import_read_blank(in)) {
            rc = import_read_line(in);
        }

        if (in->people->told && in->people->progress.total != 0 && in->number % READ_TOLD == 0) {
            commerce_cli_progress_show(&in->people->progress, in->taken);
        }
    }

    if (rc == COMMERCE_CLI_OK && in->people->count + in->people->place_count + in->people->errors == 0) {
        commerce_cli_people_error(in->people, 0, "the file is empty: each line is a record, as \"commerce directory"
                                  " export\" writes them");
    }

    return rc;
}


/* false at the end.  *whole: it fitted */
static bool
import_read_next(import_read_t *in, bool *whole)
{
    int  c;

    in->len = 0;
    *whole = true;

    for (c = getc_unlocked(in->file); c != EOF && c != '\n'; c = getc_unlocked(in->file)) {
        in->taken++;

        if (in->len == READ_LINE_MAX) {
            *whole = false;

        } else {
            in->line[in->len++] = (char) c;
        }
    }

    if (c == EOF && in->len == 0) {
        return false;
    }

    in->taken++;

    if (in->number++ == 0 && in->len >= 3 && memcmp(in->line, "\xef\xbb\xbf", 3) == 0) {
        in->len -= 3;
        memmove(in->line, in->line + 3, in->len);
    }

    return true;
}


static bool
import_read_blank(const import_read_t *in)
{
    size_t  i;

    for (i = 0; i < in->len && (in->line[i] == ' ' || in->line[i] == '\t' || in->line[i] == '\r'); i++) { /* void */ }

    return i == in->len;
}


static int
import_read_line(import_read_t *in)
{
    bool                        right;
    commerce_directory_entry_t  entry;

    commerce_cli_pool_clear(in->scratch);

    right = commerce_directory_parse(commerce_cli_pool_arena(in->scratch), (commerce_str_t) { in->line, in->len },
                                     &entry, import_read_wrong, in)
            == COMMERCE_OK;

    /* who is known by a line that is wrong otherwise is not missing where others name him */

    if (!right && entry.id.len == 0) {
        return COMMERCE_CLI_OK;
    }

    return entry.kind == COMMERCE_DIRECTORY_PERSON ? import_read_person(in, &entry, right)
                                                   : import_read_place(in, &entry, right);
}


/* a line says all of a person, but since when the status is what it is: only if it knows */
static int
import_read_person(import_read_t *in, const commerce_directory_entry_t *entry, bool right)
{
    bool                 failed;
    unsigned             i;
    commerce_arena_t    *arena;
    commerce_cli_row_t  *row;

    arena = commerce_cli_pool_arena(in->people->pool);
    row = commerce_cli_people_row(in->people);

    if (row == NULL) {
        return commerce_cli_fail(in->people->cli, "out of memory");
    }

    for (i = 0; i < COMMERCE_CLI_COLUMNS; i++) {
        row->has[i] = right && (i != COMMERCE_CLI_COLUMN_SINCE || entry->since != 0);
    }

    row->line = in->number;
    row->role = entry->role;
    row->status = entry->status;
    row->since = entry->since;
    row->transfer = entry->transfer;
    row->id = commerce_copy(arena, entry->id);
    row->upline = commerce_copy(arena, entry->upline);
    row->successor = commerce_copy(arena, entry->successor);
    row->user = commerce_copy(arena, entry->user);
    row->store = commerce_copy(arena, entry->store);

    failed = row->id.data == NULL || row->upline.data == NULL || row->successor.data == NULL
             || row->user.data == NULL || row->store.data == NULL;

    if (entry->identity_count != 0) {
        row->identities = commerce_alloc(arena, entry->identity_count * sizeof(commerce_str_t));
        failed = failed || row->identities == NULL;
    }

    for (i = 0; i < entry->identity_count && !failed; i++) {
        row->identities[i] = commerce_copy(arena, entry->identities[i]);
        failed = row->identities[i].data == NULL;
    }

    row->identity_count = entry->identity_count;

    return failed ? commerce_cli_fail(in->people->cli, "out of memory") : COMMERCE_CLI_OK;
}


static int
import_read_place(import_read_t *in, const commerce_directory_entry_t *entry, bool right)
{
    size_t                  room;
    commerce_arena_t       *arena;
    commerce_cli_place_t   *place;
    commerce_cli_people_t  *people = in->people;

    if (people->place_count == people->place_room) {
        room = people->place_room == 0 ? 256 : people->place_room * 2;
        place = realloc(people->places, room * sizeof(commerce_cli_place_t));

        if (place == NULL) {
            return commerce_cli_fail(people->cli, "out of memory");
        }

        people->places = place;
        people->place_room = room;
    }

    arena = commerce_cli_pool_arena(people->pool);
    place = &people->places[people->place_count++];

    memset(place, 0, sizeof(commerce_cli_place_t));
    place->line = in->number;
    place->kind = entry->kind;
    place->wrong = !right;
    place->id = commerce_copy(arena, entry->id);
    place->json = commerce_copy(arena, (commerce_str_t) { in->line, in->len });

    return place->id.data != NULL && place->json.data != NULL ? COMMERCE_CLI_OK
           : commerce_cli_fail(people->cli, "out of memory");
}


static void
import_read_wrong(void *data, const char *sentence)
{
    import_read_t  *in = data;

    commerce_cli_people_error(in->people, in->number, "%s", sentence);
}
