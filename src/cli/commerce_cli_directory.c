/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce group, commerce room: where sellers meet buyers.  Both are a number, an id and a person,
 * so one work serves both.
 */

#include "commerce_cli.h"

#define DIRECTORY_NUMBER_MAX  COMMERCE_TOKEN_CONTEXT_MAX


typedef struct {
    const char      *kind;          /* "group" | "room": also the name of its numbers */
    const char      *role;          /* what its person is called */
    commerce_str_t   id;
    const char      *person;        /* external id, "-" = nobody; NULL = leave as it is */
    uint64_t         number;
    const char      *outcome;
} directory_put_t;

typedef struct {
    uint64_t          number, person, version;
    commerce_group_t  group;        /* of the two the one it is: what is not said stays */
    commerce_room_t   room;
} directory_place_t;


static int directory_put(commerce_cli_t *cli, int argc, char **argv, directory_put_t *put);
static int directory_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int directory_person(commerce_cli_t *cli, const directory_put_t *put, uint64_t *number);
static int directory_find(commerce_cli_t *cli, const char *kind, commerce_str_t id,
    directory_place_t *place);
static void directory_write(commerce_cli_t *cli, commerce_txn_t *txn, const directory_put_t *put,
    const directory_place_t *place);
static int directory_show(commerce_cli_t *cli, int argc, char **argv, directory_put_t *show);


int
commerce_cli_group_put(commerce_cli_t *cli, int argc, char **argv)
{
    directory_put_t  put = { .kind = "group", .role = "leader" };

    return directory_put(cli, argc, argv, &put);
}


int
commerce_cli_room_put(commerce_cli_t *cli, int argc, char **argv)
{
    directory_put_t  put = { .kind = "room", .role = "host" };

    return directory_put(cli, argc, argv, &put);
}


int
commerce_cli_group_show(commerce_cli_t *cli, int argc, char **argv)
{
    directory_put_t  show = { .kind = "group", .role = "leader" };

    return directory_show(cli, argc, argv, &show);
}


int
commerce_cli_room_show(commerce_cli_t *cli, int argc, char **argv)
{
    directory_put_t  show = { .kind = "room", .role = "host" };

    return directory_show(cli, argc, argv, &show);
}


static int
directory_put(commerce_cli_t *cli, int argc, char **argv, directory_put_t *put)
{
    int            c;
    struct option  options[] = {
        { put->role, required_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'p') {
            return COMMERCE_CLI_USAGE;
        }

        put->person = optarg;
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "id", argv[optind], &put->id) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, true) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, directory_put_work, put) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s %.*s: number %llu, %s\n", put->kind, commerce_cli_arg(put->id),
            (unsigned long long) put->number, put->outcome);

    return COMMERCE_CLI_OK;
}


static int
directory_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                rc;
    uint64_t           person;
    directory_put_t   *put = data;
    directory_place_t  place;

    rc = directory_find(cli, put->kind, put->id, &place);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, put->kind, put->id);
    }

    person = place.person;

    if (put->person != NULL && directory_person(cli, put, &person) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (rc == COMMERCE_OK && person == place.person) {
        put->number = place.number;
        put->outcome = "unchanged";
        return COMMERCE_CLI_OK;
    }

    put->outcome = rc == COMMERCE_OK ? "changed" : "created";

    if (rc == COMMERCE_ABSENT
        && commerce_number_take(&cli->reader, txn, put->kind, DIRECTORY_NUMBER_MAX, &place.number)
           != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "no number could be taken for %s \"%.*s\": all are given out,"
                                 " or the store is damaged (run \"commerce store check\")",
                                 put->kind, commerce_cli_arg(put->id));
    }

    place.person = person;
    put->number = place.number;
    directory_write(cli, txn, put, &place);

    return COMMERCE_CLI_OK;
}


static int
directory_person(commerce_cli_t *cli, const directory_put_t *put, uint64_t *number)
{
    int                rc;
    commerce_str_t     id;
    commerce_person_t  person;

    *number = 0;
    id = commerce_cstr(put->person);

    if (commerce_equal(id, commerce_string("-"))) {
        return COMMERCE_CLI_OK;
    }

    rc = commerce_person_find(&cli->reader, id, &person, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no person \"%s\" to be the %s: import that person"
                                 " first", commerce_cli_text(cli, id), put->role);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "person", id);
    }

    *number = person.number;

    return COMMERCE_CLI_OK;
}


static int
directory_find(commerce_cli_t *cli, const char *kind, commerce_str_t id, directory_place_t *place)
{
    int  rc;

    memset(place, 0, sizeof(directory_place_t));

    if (strcmp(kind, "group") == 0) {
        rc = commerce_group_find(&cli->reader, id, &place->group, &place->version);
        place->number = place->group.number;
        place->person = place->group.leader;
        return rc;
    }

    rc = commerce_room_find(&cli->reader, id, &place->room, &place->version);
    place->number = place->room.number;
    place->person = place->room.host;

    return rc;
}


static void
directory_write(commerce_cli_t *cli, commerce_txn_t *txn, const directory_put_t *put,
    const directory_place_t *place)
{
    commerce_room_t   room;
    commerce_group_t  group;

    if (strcmp(put->kind, "group") == 0) {
        group = place->group;
        group.number = (uint32_t) place->number;
        group.id = put->id;
        group.leader = place->person;
        commerce_group_write(txn, cli->shop, &group, place->version);
        return;
    }

    room = place->room;
    room.number = (uint32_t) place->number;
    room.id = put->id;
    room.host = place->person;
    commerce_room_write(txn, cli->shop, &room, place->version);
}


static int
directory_show(commerce_cli_t *cli, int argc, char **argv, directory_put_t *show)
{
    int                rc;
    commerce_str_t     person;
    directory_place_t  place;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "id", argv[1], &show->id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = directory_find(cli, show->kind, show->id, &place);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no %s \"%.*s\" in shop \"%.*s\": make it with"
                                 " \"commerce %s put\"", show->kind, commerce_cli_arg(show->id),
                                 commerce_cli_arg(cli->shop), show->kind);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, show->kind, show->id);
    }

    if (commerce_cli_person_name(cli, place.person, &person) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%-10s%.*s\n%-10s%llu\n%-10s%.*s\n", show->kind, commerce_cli_arg(show->id),
            "number", (unsigned long long) place.number, show->role, commerce_cli_arg(person));

    return COMMERCE_CLI_OK;
}
