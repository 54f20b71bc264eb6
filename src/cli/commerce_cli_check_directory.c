/*
 * Copyright (C) ngx_commerce authors
 *
 * store check: persons, groups, live rooms, channels, landings, stores, and the indexes by which they are found.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"


/* what groups, rooms, channels and landings have in common */
typedef struct {
    uint32_t        number;
    commerce_str_t  id;
    uint64_t        persons[1 + COMMERCE_SHIFTS_MAX];
    unsigned        count;
    uint32_t        group;
} check_place_t;

typedef struct {
    char         kind, index;
    const char  *name;
    unsigned     numbers;
    int        (*read)(commerce_reader_t *reader, uint32_t number, check_place_t *place);
    int        (*find)(commerce_reader_t *reader, commerce_str_t id, check_place_t *place);
} check_place_kind_t;


static void check_person_links(commerce_cli_check_t *check, const commerce_person_t *person);
static void check_person_user(commerce_cli_check_t *check, const commerce_person_t *person, const char *id,
    commerce_str_t user);
static const check_place_kind_t *check_place_kind(char kind);
static int check_group_read(commerce_reader_t *reader, uint32_t number, check_place_t *place);
static int check_group_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place);
static int check_room_read(commerce_reader_t *reader, uint32_t number, check_place_t *place);
static int check_room_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place);
static int check_channel_read(commerce_reader_t *reader, uint32_t number, check_place_t *place);
static int check_channel_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place);
static int check_landing_read(commerce_reader_t *reader, uint32_t number, check_place_t *place);
static int check_landing_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place);


static const check_place_kind_t  check_place_kinds[] = {
    { 'g', 'G', "group", COMMERCE_CLI_CHECK_GROUP, check_group_read, check_group_find },
    { 'l', 'L', "room", COMMERCE_CLI_CHECK_ROOM, check_room_read, check_room_find },
    { 'a', 'A', "channel", COMMERCE_CLI_CHECK_CHANNEL, check_channel_read, check_channel_find },
    { 'j', 'J', "landing", COMMERCE_CLI_CHECK_LANDING, check_landing_read, check_landing_find },
};


int
commerce_cli_check_person(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t    path;
    commerce_person_t  person;

    if (commerce_person_decode(check->cli->reader.arena, record->value, &person) != COMMERCE_OK) {
        commerce_cli_check_say(check, "person %s: unreadable", name);
        return COMMERCE_CLI_OK;
    }

    commerce_path_number(&path, check->cli->shop, 'p', person.number, 10);

    if (!commerce_cli_check_key(record, &path)) {
        commerce_cli_check_say(check, "person %s: says that it is number %llu", name,
                               (unsigned long long) person.number);
        return COMMERCE_CLI_OK;
    }

    commerce_cli_check_highest(check, COMMERCE_CLI_CHECK_PERSON, person.number);
    check_person_links(check, &person);

    return commerce_cli_tally_person(check, &person);
}


static void
check_person_links(commerce_cli_check_t *check, const commerce_person_t *person)
{
    unsigned            i;
    const char         *id;
    commerce_person_t   found;
    commerce_reader_t  *reader;

    reader = &check->cli->reader;
    id = commerce_cli_text(check->cli, person->id);

    if (commerce_person_find(reader, person->id, &found, NULL) != COMMERCE_OK
        || found.number != person->number)
    {
        commerce_cli_check_say(check, "person \"%s\": the index of ids does not lead here", id);
    }

    if (person->user.len != 0) {
        check_person_user(check, person, id, person->user);
    }

    for (i = 0; i < person->identity_count; i++) {
        check_person_user(check, person, id, person->identities[i]);
    }

    commerce_cli_check_named(check, "person", id, person->upline);
    commerce_cli_check_named(check, "person", id, person->successor);
}


static void
check_person_user(commerce_cli_check_t *check, const commerce_person_t *person, const char *id, commerce_str_t user)
{
    commerce_person_t  found;

    if (commerce_person_of_user(&check->cli->reader, user, &found, NULL) != COMMERCE_OK
        || found.number != person->number)
    {
        commerce_cli_check_say(check, "person \"%s\": the index of users does not lead here", id);
    }
}


void
commerce_cli_check_person_index(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    int                rc;
    bool               users;
    commerce_person_t  person;

    users = record->name.data[-2] == 'u';

    rc = users ? commerce_person_of_user(&check->cli->reader, record->name, &person, NULL)
               : commerce_person_find(&check->cli->reader, record->name, &person, NULL);

    if (rc != COMMERCE_OK
        || !(users ? commerce_person_is(&person, record->name) : commerce_equal(person.id, record->name)))
    {
        commerce_cli_check_say(check, "index of %s, entry \"%s\": leads to no such person",
                               users ? "users" : "persons", name);
    }
}


void
commerce_cli_check_place(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    unsigned                   i;
    check_place_t              place, found;
    commerce_group_t           group;
    commerce_reader_t         *reader;
    const check_place_kind_t  *kind;

    reader = &check->cli->reader;
    kind = check_place_kind(record->name.data[-2]);

    if (kind->read(reader, (uint32_t) strtoull(name, NULL, 16), &place) != COMMERCE_OK) {
        commerce_cli_check_say(check, "%s %s: unreadable", kind->name, name);
        return;
    }

    if (kind->find(reader, place.id, &found) != COMMERCE_OK || found.number != place.number) {
        commerce_cli_check_say(check, "%s %s: the index of ids does not lead here", kind->name, name);
        return;
    }

    commerce_cli_check_highest(check, kind->numbers, place.number);

    for (i = 0; i < place.count; i++) {
        commerce_cli_check_named(check, kind->name, name, place.persons[i]);
    }

    if (place.group != 0 && commerce_group_read(reader, place.group, &group, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "%s %s: names group number %u, which is not there or cannot be read",
                               kind->name, name, place.group);
    }
}


void
commerce_cli_check_place_index(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    check_place_t              place;
    const check_place_kind_t  *kind;

    kind = check_place_kind(record->name.data[-2]);

    if (kind->find(&check->cli->reader, record->name, &place) != COMMERCE_OK
        || !commerce_equal(place.id, record->name))
    {
        commerce_cli_check_say(check, "index of %ss, entry \"%s\": leads to no such %s", kind->name, name,
                               kind->name);
    }
}


void
commerce_cli_check_retail_store(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_retail_store_t  store;

    if (commerce_retail_store_read(&check->cli->reader, record->name, &store, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "store \"%s\": unreadable", name);
    }
}


static const check_place_kind_t *
check_place_kind(char kind)
{
    unsigned  i;

    for (i = 0; check_place_kinds[i].kind != kind && check_place_kinds[i].index != kind; i++) {
        /* void */
    }

    return &check_place_kinds[i];
}


static int
check_group_read(commerce_reader_t *reader, uint32_t number, check_place_t *place)
{
    int  rc;
    commerce_group_t  group;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_group_read(reader, number, &group, NULL);

    place->number = group.number;
    place->id = group.id;
    place->persons[place->count++] = group.leader;

    return rc;
}


static int
check_group_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place)
{
    int  rc;
    commerce_group_t  group;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_group_find(reader, id, &group, NULL);

    place->number = group.number;
    place->id = group.id;

    return rc;
}


static int
check_room_read(commerce_reader_t *reader, uint32_t number, check_place_t *place)
{
    int  rc;
    unsigned  i;
    commerce_room_t  room;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_room_read(reader, number, &room, NULL);

    place->number = room.number;
    place->id = room.id;
    place->persons[place->count++] = room.host;

    for (i = 0; i < room.shift_count; i++) {
        place->persons[place->count++] = room.shifts[i].host;
    }


    return rc;
}


static int
check_room_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place)
{
    int  rc;
    commerce_room_t  room;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_room_find(reader, id, &room, NULL);

    place->number = room.number;
    place->id = room.id;

    return rc;
}


static int
check_channel_read(commerce_reader_t *reader, uint32_t number, check_place_t *place)
{
    int  rc;
    commerce_channel_t  channel;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_channel_read(reader, number, &channel, NULL);

    place->number = channel.number;
    place->id = channel.id;
    place->persons[place->count++] = channel.seller;
    place->group = channel.group;

    return rc;
}


static int
check_channel_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place)
{
    int  rc;
    commerce_channel_t  channel;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_channel_find(reader, id, &channel, NULL);

    place->number = channel.number;
    place->id = channel.id;

    return rc;
}


static int
check_landing_read(commerce_reader_t *reader, uint32_t number, check_place_t *place)
{
    int  rc;
    commerce_landing_t  landing;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_landing_read(reader, number, &landing, NULL);

    place->number = landing.number;
    place->id = landing.id;

    return rc;
}


static int
check_landing_find(commerce_reader_t *reader, commerce_str_t id, check_place_t *place)
{
    int  rc;
    commerce_landing_t  landing;

    memset(place, 0, sizeof(check_place_t));

    rc = commerce_landing_find(reader, id, &landing, NULL);

    place->number = landing.number;
    place->id = landing.id;

    return rc;
}
