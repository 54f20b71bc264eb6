/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_directory_entry.h"


static int commerce_directory_entry_person(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_group(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_room(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_schedule(commerce_reader_t *reader, const commerce_room_t *room,
    commerce_directory_entry_t *entry);
static int commerce_directory_entry_channel(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_landing(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_retail_store(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);
static int commerce_directory_entry_who(commerce_reader_t *reader, uint64_t number, commerce_str_t *id);


char
commerce_directory_entry_index(commerce_directory_kind_t kind)
{
    switch (kind) {
    case COMMERCE_DIRECTORY_PERSON:
        return 'P';
    case COMMERCE_DIRECTORY_GROUP:
        return 'G';
    case COMMERCE_DIRECTORY_ROOM:
        return 'L';
    case COMMERCE_DIRECTORY_CHANNEL:
        return 'A';
    case COMMERCE_DIRECTORY_LANDING:
        return 'J';
    default:
        return 'S';
    }
}


int
commerce_directory_entry_read(commerce_reader_t *reader, commerce_directory_kind_t kind, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version)
{
    memset(entry, 0, sizeof(commerce_directory_entry_t));
    entry->kind = kind;

    switch (kind) {
    case COMMERCE_DIRECTORY_PERSON:
        return commerce_directory_entry_person(reader, id, entry, version);
    case COMMERCE_DIRECTORY_GROUP:
        return commerce_directory_entry_group(reader, id, entry, version);
    case COMMERCE_DIRECTORY_ROOM:
        return commerce_directory_entry_room(reader, id, entry, version);
    case COMMERCE_DIRECTORY_CHANNEL:
        return commerce_directory_entry_channel(reader, id, entry, version);
    case COMMERCE_DIRECTORY_LANDING:
        return commerce_directory_entry_landing(reader, id, entry, version);
    case COMMERCE_DIRECTORY_RETAIL_STORE:
        return commerce_directory_entry_retail_store(reader, id, entry, version);
    default:
        return COMMERCE_ERROR;
    }
}


static int
commerce_directory_entry_person(commerce_reader_t *reader, commerce_str_t id, commerce_directory_entry_t *entry,
    uint64_t *version)
{
    int                rc;
    unsigned           i;
    commerce_person_t  person;

    rc = commerce_person_find(reader, id, &person, version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    entry->id = person.id;
    entry->role = person.role;
    entry->status = person.status;
    entry->since = person.since;
    entry->transfer = person.transfer;
    entry->user = person.user;
    entry->store = person.store;
    entry->identity_count = person.identity_count;

    for (i = 0; i < person.identity_count; i++) {
        entry->identities[i] = person.identities[i];
    }

    rc = commerce_directory_entry_who(reader, person.upline, &entry->upline);

    return rc == COMMERCE_OK ? commerce_directory_entry_who(reader, person.successor, &entry->successor) : rc;
}


static int
commerce_directory_entry_group(commerce_reader_t *reader, commerce_str_t id, commerce_directory_entry_t *entry,
    uint64_t *version)
{
    int               rc;
    commerce_group_t  group;

    rc = commerce_group_find(reader, id, &group, version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    entry->id = group.id;
    entry->store = group.store;

    return commerce_directory_entry_who(reader, group.leader, &entry->person);
}


static int
commerce_directory_entry_room(commerce_reader_t *reader, commerce_str_t id, commerce_directory_entry_t *entry,
    uint64_t *version)
{
    int              rc;
    commerce_room_t  room;

    rc = commerce_room_find(reader, id, &room, version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    entry->id = room.id;
    rc = commerce_directory_entry_who(reader, room.host, &entry->person);

    return rc == COMMERCE_OK ? commerce_directory_entry_schedule(reader, &room, entry) : rc;
}


static int
commerce_directory_entry_schedule(commerce_reader_t *reader, const commerce_room_t *room,
    commerce_directory_entry_t *entry)
{
    unsigned  i;

    if (room->shift_count == 0) {
        return COMMERCE_OK;
    }

    entry->shifts = commerce_alloc(reader->arena, room->shift_count * sizeof(commerce_directory_shift_t));

    if (entry->shifts == NULL) {
        return COMMERCE_ERROR;
    }

    entry->shift_count = room->shift_count;

    for (i = 0; i < room->shift_count; i++) {
        entry->shifts[i].start = room->shifts[i].start;
        entry->shifts[i].end = room->shifts[i].end;

        if (commerce_directory_entry_who(reader, room->shifts[i].host, &entry->shifts[i].host) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }
    }

    return COMMERCE_OK;
}


static int
commerce_directory_entry_channel(commerce_reader_t *reader, commerce_str_t id, commerce_directory_entry_t *entry,
    uint64_t *version)
{
    int                 rc;
    commerce_group_t    group;
    commerce_channel_t  channel;

    rc = commerce_channel_find(reader, id, &channel, version);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    entry->id = channel.id;
    entry->field = channel.field;
    entry->origin = channel.origin;
    entry->platform = channel.platform;

    if (channel.group != 0) {

        if (commerce_group_read(reader, channel.group, &group, NULL) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        entry->group = group.id;
    }

    return commerce_directory_entry_who(reader, channel.seller, &entry->person);
}


static int
commerce_directory_entry_landing(commerce_reader_t *reader, commerce_str_t id, commerce_directory_entry_t *entry,
    uint64_t *version)
{
    int                 rc;
    commerce_landing_t  landing;

    rc = commerce_landing_find(reader, id, &landing, version);

    entry->id = landing.id;
    entry->path = landing.path;

    return rc;
}


static int
commerce_directory_entry_retail_store(commerce_reader_t *reader, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version)
{
    int                      rc;
    commerce_retail_store_t  store;

    rc = commerce_retail_store_read(reader, id, &store, version);

    entry->id = store.id;
    entry->name = store.name;
    entry->closed = store.closed;

    return rc;
}


/* a number that nobody has is a damaged store */

static int
commerce_directory_entry_who(commerce_reader_t *reader, uint64_t number, commerce_str_t *id)
{
    commerce_person_t  person;

    if (number == 0) {
        return COMMERCE_OK;
    }

    if (commerce_person_read(reader, number, &person, NULL) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    *id = person.id;

    return COMMERCE_OK;
}
