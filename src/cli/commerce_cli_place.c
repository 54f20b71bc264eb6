/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce landing put | show, commerce retail_store put | show.
 */

#include "../commerce_directory_put.h"
#include "commerce_cli.h"


typedef struct {
    commerce_directory_kind_t   kind;
    commerce_str_t              id;
    const char                 *text;           /* path or name, "-" = none; NULL = leave as it is */
    int                         closed;         /* -1 = leave as it is */
    uint64_t                    number;
    const char                 *outcome;
} place_put_t;


static int place_put(commerce_cli_t *cli, int argc, char **argv, place_put_t *put);
static int place_options(int argc, char **argv, place_put_t *put);
static int place_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int place_change(commerce_cli_t *cli, const place_put_t *put, commerce_directory_entry_t *entry);
static void place_say(void *data, const char *sentence);
static int place_show(commerce_cli_t *cli, int argc, char **argv, commerce_directory_kind_t kind);
static int place_number(commerce_cli_t *cli, commerce_str_t id);


int
commerce_cli_landing_put(commerce_cli_t *cli, int argc, char **argv)
{
    place_put_t  put = { .kind = COMMERCE_DIRECTORY_LANDING };

    return place_put(cli, argc, argv, &put);
}


int
commerce_cli_retail_store_put(commerce_cli_t *cli, int argc, char **argv)
{
    place_put_t  put = { .kind = COMMERCE_DIRECTORY_RETAIL_STORE };

    return place_put(cli, argc, argv, &put);
}


int
commerce_cli_landing_show(commerce_cli_t *cli, int argc, char **argv)
{
    return place_show(cli, argc, argv, COMMERCE_DIRECTORY_LANDING);
}


int
commerce_cli_retail_store_show(commerce_cli_t *cli, int argc, char **argv)
{
    return place_show(cli, argc, argv, COMMERCE_DIRECTORY_RETAIL_STORE);
}


static int
place_put(commerce_cli_t *cli, int argc, char **argv, place_put_t *put)
{
    put->closed = -1;

    if (place_options(argc, argv, put) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "id", argv[optind], &put->id) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, true) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, place_work, put) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s %.*s: ", commerce_directory_kind_name(put->kind), commerce_cli_arg(put->id));

    if (put->number != 0) {
        fprintf(cli->out, "number %llu, ", (unsigned long long) put->number);
    }

    fprintf(cli->out, "%s\n", put->outcome);

    return COMMERCE_CLI_OK;
}


static int
place_options(int argc, char **argv, place_put_t *put)
{
    int            c;
    bool           landing;
    struct option  options[] = {
        { NULL, required_argument, NULL, 't' },
        { "open", no_argument, NULL, 'o' },
        { "closed", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 }
    };

    landing = put->kind == COMMERCE_DIRECTORY_LANDING;
    options[0].name = landing ? "path" : "name";
    options[1].name = landing ? NULL : "open";      /* a landing has but one */

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 't':
            put->text = optarg;
            break;
        case 'o':
        case 'c':
            if (put->closed != -1 && put->closed != (c == 'c')) {
                return COMMERCE_CLI_USAGE;
            }

            put->closed = c == 'c';
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    return argc - optind == 1 ? COMMERCE_CLI_OK : COMMERCE_CLI_USAGE;
}


static int
place_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    place_put_t                 *put = data;
    commerce_directory_put_t     work = { .reader = &cli->reader, .txn = txn, .say = place_say, .data = cli };
    commerce_directory_entry_t   entry;

    if (commerce_directory_entry_read(&cli->reader, put->kind, put->id, &entry, NULL) == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, commerce_directory_kind_name(put->kind), put->id);
    }

    entry.id = put->id;

    if (place_change(cli, put, &entry) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    switch (commerce_directory_put(&work, &entry, &put->number)) {
    case COMMERCE_DIRECTORY_UNCHANGED:
        put->outcome = "unchanged";
        return COMMERCE_CLI_OK;
    case COMMERCE_DIRECTORY_CREATED:
        put->outcome = "created";
        return COMMERCE_CLI_OK;
    case COMMERCE_DIRECTORY_CHANGED:
        put->outcome = "changed";
        return COMMERCE_CLI_OK;
    case COMMERCE_DIRECTORY_REFUSED:
        return COMMERCE_CLI_FAILED;
    default:
        return commerce_cli_fail(cli, "no number could be taken for %s \"%.*s\": all are given out, or the store is"
                                 " damaged (run \"commerce store check\")", commerce_directory_kind_name(put->kind),
                                 commerce_cli_arg(put->id));
    }
}


static int
place_change(commerce_cli_t *cli, const place_put_t *put, commerce_directory_entry_t *entry)
{
    bool             landing;
    commerce_str_t  *text;

    landing = put->kind == COMMERCE_DIRECTORY_LANDING;
    text = landing ? &entry->path : &entry->name;

    if (put->closed != -1) {
        entry->closed = put->closed;
    }

    if (put->text == NULL) {
        return COMMERCE_CLI_OK;
    }

    if (strcmp(put->text, "-") == 0) {
        *text = commerce_string("");
        return COMMERCE_CLI_OK;
    }

    return commerce_cli_id(cli, landing ? "path" : "name", put->text, text);
}


static void
place_say(void *data, const char *sentence)
{
    (void) commerce_cli_fail(data, "%s", sentence);
}


static int
place_show(commerce_cli_t *cli, int argc, char **argv, commerce_directory_kind_t kind)
{
    int                         rc;
    const char                 *name;
    commerce_str_t              id, none;
    commerce_directory_entry_t  entry;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_id(cli, "id", argv[1], &id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    name = commerce_directory_kind_name(kind);
    rc = commerce_directory_entry_read(&cli->reader, kind, id, &entry, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no %s \"%.*s\" in shop \"%.*s\": make it with \"commerce %s put\"", name,
                                 commerce_cli_arg(id), commerce_cli_arg(cli->shop), name);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, name, id);
    }

    none = commerce_string("-");

    if (kind == COMMERCE_DIRECTORY_RETAIL_STORE) {
        fprintf(cli->out, "retail_store  %.*s\nname          %.*s\nstate         %s\n", commerce_cli_arg(id),
                commerce_cli_arg(entry.name.len != 0 ? entry.name : none), entry.closed ? "closed" : "open");
        return COMMERCE_CLI_OK;
    }

    fprintf(cli->out, "landing   %.*s\nnumber    %d\npath      %.*s\n", commerce_cli_arg(id), place_number(cli, id),
            commerce_cli_arg(entry.path.len != 0 ? entry.path : none));

    return COMMERCE_CLI_OK;
}


static int
place_number(commerce_cli_t *cli, commerce_str_t id)
{
    commerce_landing_t  landing;

    return commerce_landing_find(&cli->reader, id, &landing, NULL) == COMMERCE_OK ? (int) landing.number : 0;
}
