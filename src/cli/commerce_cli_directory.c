/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce group, commerce room: where sellers meet buyers.  Both are a number, an id and a person,
 * so one work serves both; a group may have a store, and a room's schedule has a command of its own
 * (commerce_cli_channel.c).
 */

#include "commerce_cli.h"

#define DIRECTORY_NUMBER_MAX  COMMERCE_TOKEN_CONTEXT_MAX


typedef struct {
    const char      *kind;          /* "group" | "room": also the name of its numbers */
    const char      *role;          /* what its person is called */
    commerce_str_t   id;
    const char      *person;        /* external id, "-" = nobody; NULL = leave as it is */
    const char      *store;         /* a group's, the same */
    uint64_t         number;
    const char      *outcome;
} directory_put_t;

typedef struct {
    uint64_t          number, person, version;
    commerce_group_t  group;        /* of the two the one it is: what is not said stays */
    commerce_room_t   room;
    commerce_str_t    store;
} directory_place_t;


static int directory_put(commerce_cli_t *cli, int argc, char **argv, directory_put_t *put);
static int directory_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int directory_store(commerce_cli_t *cli, const directory_put_t *put, commerce_str_t *store);
static int directory_person(commerce_cli_t *cli, const directory_put_t *put, uint64_t *number);
static int directory_find(commerce_cli_t *cli, const char *kind, commerce_str_t id,
    directory_place_t *place);
static void directory_write(commerce_cli_t *cli, commerce_txn_t *txn, const directory_put_t *put,
    const directory_place_t *place);
static int directory_show(commerce_cli_t *cli, int argc, char **argv, directory_put_t *show);
static int directory_show_rest(commerce_cli_t *cli, const directory_put_t *show, const directory_place_t *place);


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
        { strcmp(put->kind, "group") == 0 ? "store" : NULL, required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'p' && c != 's') {
            return COMMERCE_CLI_USAGE;
        }

        *(c == 'p' ? &put->person : &put->store) = optarg;
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
    commerce_str_t     store;
    directory_put_t   *put = data;
    directory_place_t  place;

    rc = directory_find(cli, put->kind, put->id, &place);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, put->kind, put->id);
    }

    person = place.person;
    store = place.store;

    if ((put->person != NULL && directory_person(cli, put, &person) != COMMERCE_CLI_OK)
        || (put->store != NULL && directory_store(cli, put, &store) != COMMERCE_CLI_OK))
    {
        return COMMERCE_CLI_FAILED;
    }

    if (rc == COMMERCE_OK && person == place.person && commerce_equal(store, place.store)) {
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
    place.store = store;
    put->number = place.number;
    directory_write(cli, txn, put, &place);

    return COMMERCE_CLI_OK;
}


/* a store need not be known: it is a name */
static int
directory_store(commerce_cli_t *cli, const directory_put_t *put, commerce_str_t *store)
{
    *store = commerce_string("");

    return strcmp(put->store, "-") == 0 ? COMMERCE_CLI_OK : commerce_cli_id(cli, "store", put->store, store);
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
        place->store = place->group.store;
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
        group.store = place->store;
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

    return directory_show_rest(cli, show, &place);
}


static int
directory_show_rest(commerce_cli_t *cli, const directory_put_t *show, const directory_place_t *place)
{
    unsigned        i;
    commerce_str_t  host;

    if (strcmp(show->kind, "group") == 0) {
        fprintf(cli->out, "store     %.*s\n",
                commerce_cli_arg(place->store.len != 0 ? place->store : commerce_string("-")));
    }

    for (i = 0; i < place->room.shift_count; i++) {

        if (commerce_cli_person_name(cli, place->room.shifts[i].host, &host) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }

        fprintf(cli->out, "shift     %s", commerce_cli_time(cli, place->room.shifts[i].start));
        fprintf(cli->out, " %s %.*s\n", commerce_cli_time(cli, place->room.shifts[i].end), commerce_cli_arg(host));
    }

    return COMMERCE_CLI_OK;
}
