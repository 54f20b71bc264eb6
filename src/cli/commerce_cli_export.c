/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce directory export: everybody and every place as JSON lines, by kind and id.
 *
 * What was read goes out after each COMMERCE_CLI_RENEW records, while no view is open: a reader that is slow, or a
 * directory of millions, neither fills the memory nor keeps pages of the store from being used again.  So a
 * record that is changed meanwhile may be there as it was or as it is.
 */

#include "../commerce_directory_entry.h"
#include "commerce_cli.h"


typedef struct {
    commerce_directory_kind_t  kind;
    char                       key[COMMERCE_KEY_MAX];   /* of the last one */
    commerce_str_t             after;
    bool                       ended;
    char                       line[COMMERCE_DIRECTORY_JSON_MAX];
} export_t;


static int export_kind(commerce_cli_t *cli, export_t *export);
static int export_piece(commerce_cli_t *cli, export_t *export, commerce_str_t prefix);
static int export_record(commerce_cli_t *cli, export_t *export, commerce_str_t id);


int
commerce_cli_directory_export(commerce_cli_t *cli, int argc, char **argv)
{
    int                        c, rc;
    export_t                  *export;
    const char                *word;
    commerce_directory_kind_t  kind, only;
    struct option              options[] = {
        { "kind", required_argument, NULL, 'k' },
        { NULL, 0, NULL, 0 }
    };

    word = NULL;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'k') {
            return COMMERCE_CLI_USAGE;
        }

        word = optarg;
    }

    if (argc - optind != 0) {
        return COMMERCE_CLI_USAGE;
    }

    only = COMMERCE_DIRECTORY_KINDS;

    if (word != NULL && commerce_directory_kind_parse(commerce_cstr(word), &only) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no kind: it is one of retail_store, person, group, room, channel,"
                                 " landing", commerce_cli_text(cli, commerce_cstr(word)));
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_open(cli, false) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    export = commerce_alloc(cli->arena, sizeof(export_t));

    if (export == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = COMMERCE_CLI_OK;

    for (kind = 0; kind < COMMERCE_DIRECTORY_KINDS && rc == COMMERCE_CLI_OK; kind++) {
        if (only == COMMERCE_DIRECTORY_KINDS || only == kind) {
            export->kind = kind;
            rc = export_kind(cli, export);
        }
    }

    return rc;
}


static int
export_kind(commerce_cli_t *cli, export_t *export)
{
    int               rc;
    commerce_str_t    prefix;
    commerce_heap_t  *heap;

    prefix = commerce_record_prefix(cli->arena, cli->shop, commerce_directory_entry_index(export->kind));

    if (prefix.data == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    export->after = (commerce_str_t) { export->key, 0 };
    export->ended = false;
    rc = COMMERCE_CLI_OK;

    while (rc == COMMERCE_CLI_OK && !export->ended) {
        heap = commerce_heap_create();

        if (heap == NULL) {
            return commerce_cli_fail(cli, "out of memory");
        }

        rc = commerce_cli_view(cli, commerce_heap_arena(heap));

        if (rc == COMMERCE_CLI_OK) {
            rc = export_piece(cli, export, prefix);
        }

        commerce_cli_view_end(cli);
        cli->reader.arena = cli->arena;
        commerce_heap_destroy(heap);

        if (rc == COMMERCE_CLI_OK) {
            rc = commerce_cli_flush(cli);
        }
    }

    return rc;
}


static int
export_piece(commerce_cli_t *cli, export_t *export, commerce_str_t prefix)
{
    int             rc;
    unsigned        n;
    uint64_t        version;
    commerce_str_t  key, value;

    for (n = 0; n < COMMERCE_CLI_RENEW; n++) {
        rc = commerce_view_next(cli->reader.view, prefix, export->after, &key, &value, &version);

        if (rc == COMMERCE_ABSENT) {
            export->ended = true;
            return COMMERCE_CLI_OK;
        }

        if (rc != COMMERCE_OK || key.len > sizeof(export->key)) {
            return commerce_cli_fail(cli, "the store at %s cannot be read", cli->store_path);
        }

        memcpy(export->key, key.data, key.len);
        export->after.len = key.len;

        rc = export_record(cli, export, (commerce_str_t) { export->key + prefix.len, key.len - prefix.len });

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
export_record(commerce_cli_t *cli, export_t *export, commerce_str_t id)
{
    int64_t                      n;
    commerce_write_t             w;
    commerce_directory_entry_t   entry;

    if (commerce_directory_entry_read(&cli->reader, export->kind, id, &entry, NULL) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, commerce_directory_kind_name(export->kind), id);
    }

    commerce_write_start(&w, export->line, sizeof(export->line));
    commerce_directory_write(&w, &entry);
    n = commerce_write_finish(&w);

    if (n < 0) {
        return commerce_cli_unreadable(cli, commerce_directory_kind_name(export->kind), id);
    }

    fprintf(cli->out, "%.*s\n", (int) n, export->line);

    return COMMERCE_CLI_OK;
}
