/*
 * Copyright (C) ngx_commerce authors
 *
 * Groups, live rooms, channels, landings and stores.
 */

#include "commerce_codec.h"
#include "commerce_path.h"

/*
 * All but stores have a number and an id, by which the number is found:
 *
 *   group    number | id | leader | format 3: store
 *   room     number | id | host   | format 3: n, n * (start, end, host)
 *   channel  number | id | seller | group | field | origin | platform
 *   landing  number | id | path
 *   store    id | name | closed
 *
 * Channels, landings and stores came with format 3.
 */


static int commerce_place_start(commerce_reader_t *reader, char kind, uint64_t number,
    commerce_decoder_t *d, commerce_str_t *id, uint64_t *version);
static int commerce_place_find(commerce_reader_t *reader, char kind, commerce_str_t id,
    uint32_t *number, uint64_t *version);
static void commerce_place_encode(commerce_txn_t *txn, commerce_encoder_t *e, uint32_t number,
    commerce_str_t id, size_t room);
static void commerce_place_put(commerce_txn_t *txn, commerce_str_t shop, char kind, char index,
    uint32_t number, commerce_str_t id, uint64_t version, commerce_encoder_t *e);
static void commerce_place_delete(commerce_txn_t *txn, const commerce_path_t *key, uint64_t version);
static void commerce_room_decode_schedule(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_room_t *room);


int
commerce_group_read(commerce_reader_t *reader, uint32_t number, commerce_group_t *group,
    uint64_t *version)
{
    int                 rc;
    commerce_decoder_t  d;

    memset(group, 0, sizeof(commerce_group_t));

    rc = commerce_place_start(reader, 'g', number, &d, &group->id, version);

    if (rc == COMMERCE_OK) {
        group->number = number;
        group->leader = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);

        if (d.format >= 3) {
            group->store = commerce_decode_text(&d);
        }

        rc = commerce_decode_finish(&d);
    }

    if (rc != COMMERCE_OK) {
        memset(group, 0, sizeof(commerce_group_t));
    }

    return rc;
}


int
commerce_group_find(commerce_reader_t *reader, commerce_str_t id, commerce_group_t *group,
    uint64_t *version)
{
    int       rc;
    uint32_t  number;

    memset(group, 0, sizeof(commerce_group_t));

    rc = commerce_place_find(reader, 'G', id, &number, version);

    return rc == COMMERCE_OK ? commerce_group_read(reader, number, group, version) : rc;
}


void
commerce_group_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_group_t *group,
    uint64_t version)
{
    commerce_encoder_t  e;

    if (group->leader > COMMERCE_PERSON_MAX) {
        txn->failed = true;
        return;
    }

    commerce_place_encode(txn, &e, group->number, group->id,
                          COMMERCE_CODEC_VARINT + commerce_codec_room(group->store));
    commerce_encode_varint(&e, group->leader);

    if (group->store.len != 0) {
        commerce_encode_format(&e, 3);
        commerce_encode_text(&e, group->store);
    }

    commerce_place_put(txn, shop, 'g', 'G', group->number, group->id, version, &e);
}


int
commerce_room_read(commerce_reader_t *reader, uint32_t number, commerce_room_t *room,
    uint64_t *version)
{
    int                 rc;
    commerce_decoder_t  d;

    memset(room, 0, sizeof(commerce_room_t));

    rc = commerce_place_start(reader, 'l', number, &d, &room->id, version);

    if (rc == COMMERCE_OK) {
        room->number = number;
        room->host = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);

        if (d.format >= 3) {
            commerce_room_decode_schedule(&d, reader->arena, room);
        }

        rc = commerce_decode_finish(&d);
    }

    if (rc != COMMERCE_OK) {
        memset(room, 0, sizeof(commerce_room_t));
    }

    return rc;
}


int
commerce_room_find(commerce_reader_t *reader, commerce_str_t id, commerce_room_t *room,
    uint64_t *version)
{
    int       rc;
    uint32_t  number;

    memset(room, 0, sizeof(commerce_room_t));

    rc = commerce_place_find(reader, 'L', id, &number, version);

    return rc == COMMERCE_OK ? commerce_room_read(reader, number, room, version) : rc;
}


void
commerce_room_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_room_t *room,
    uint64_t version)
{
    unsigned            i;
    commerce_encoder_t  e;

    if (room->host > COMMERCE_PERSON_MAX
        || !commerce_schedule_valid(room->shifts, room->shift_count))
    {
        txn->failed = true;
        return;
    }

    commerce_place_encode(txn, &e, room->number, room->id,
                          1 + (1 + 3 * room->shift_count) * COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, room->host);

    if (room->shift_count != 0) {
        commerce_encode_format(&e, 3);
        commerce_encode_u8(&e, room->shift_count);

        for (i = 0; i < room->shift_count; i++) {
            commerce_encode_signed(&e, room->shifts[i].start);
            commerce_encode_signed(&e, room->shifts[i].end);
            commerce_encode_varint(&e, room->shifts[i].host);
        }
    }

    commerce_place_put(txn, shop, 'l', 'L', room->number, room->id, version, &e);
}


static void
commerce_room_decode_schedule(commerce_decoder_t *d, commerce_arena_t *arena, commerce_room_t *room)
{
    unsigned           i, n;
    commerce_shift_t  *shifts;

    n = commerce_decode_u8(d, COMMERCE_SHIFTS_MAX);

    if (n == 0) {
        return;
    }

    shifts = commerce_alloc(arena, n * sizeof(commerce_shift_t));

    if (shifts == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < n; i++) {
        shifts[i].start = commerce_decode_signed(d);
        shifts[i].end = commerce_decode_signed(d);
        shifts[i].host = commerce_decode_varint(d, COMMERCE_PERSON_MAX);
    }

    if (!commerce_schedule_valid(shifts, n)) {
        d->failed = true;
    }

    room->shifts = shifts;
    room->shift_count = n;
}


int
commerce_channel_read(commerce_reader_t *reader, uint32_t number, commerce_channel_t *channel,
    uint64_t *version)
{
    int                 rc;
    commerce_decoder_t  d;

    memset(channel, 0, sizeof(commerce_channel_t));

    rc = commerce_place_start(reader, 'a', number, &d, &channel->id, version);

    if (rc == COMMERCE_OK) {
        channel->number = number;
        channel->seller = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
        channel->group = (uint32_t) commerce_decode_varint(&d, COMMERCE_NUMBER_MAX);
        channel->field = commerce_decode_u8(&d, COMMERCE_FIELDS - 1);
        channel->origin = commerce_decode_u8(&d, COMMERCE_ORIGINS - 1);
        channel->platform = commerce_decode_text(&d);
        rc = commerce_decode_finish(&d);
    }

    if (rc != COMMERCE_OK) {
        memset(channel, 0, sizeof(commerce_channel_t));
    }

    return rc;
}


int
commerce_channel_find(commerce_reader_t *reader, commerce_str_t id, commerce_channel_t *channel,
    uint64_t *version)
{
    int       rc;
    uint32_t  number;

    memset(channel, 0, sizeof(commerce_channel_t));

    rc = commerce_place_find(reader, 'A', id, &number, version);

    return rc == COMMERCE_OK ? commerce_channel_read(reader, number, channel, version) : rc;
}


void
commerce_channel_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_channel_t *channel,
    uint64_t version)
{
    commerce_encoder_t  e;

    if (channel->seller > COMMERCE_PERSON_MAX || channel->group > COMMERCE_NUMBER_MAX) {
        txn->failed = true;
        return;
    }

    commerce_place_encode(txn, &e, channel->number, channel->id,
                          2 + 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(channel->platform));
    commerce_encode_format(&e, 3);
    commerce_encode_varint(&e, channel->seller);
    commerce_encode_varint(&e, channel->group);
    commerce_encode_u8(&e, channel->field);
    commerce_encode_u8(&e, channel->origin);
    commerce_encode_text(&e, channel->platform);

    commerce_place_put(txn, shop, 'a', 'A', channel->number, channel->id, version, &e);
}


int
commerce_landing_read(commerce_reader_t *reader, uint32_t number, commerce_landing_t *landing,
    uint64_t *version)
{
    int                 rc;
    commerce_decoder_t  d;

    memset(landing, 0, sizeof(commerce_landing_t));

    rc = commerce_place_start(reader, 'j', number, &d, &landing->id, version);

    if (rc == COMMERCE_OK) {
        landing->number = number;
        landing->path = commerce_decode_text(&d);
        rc = commerce_decode_finish(&d);
    }

    if (rc != COMMERCE_OK) {
        memset(landing, 0, sizeof(commerce_landing_t));
    }

    return rc;
}


int
commerce_landing_find(commerce_reader_t *reader, commerce_str_t id, commerce_landing_t *landing,
    uint64_t *version)
{
    int       rc;
    uint32_t  number;

    memset(landing, 0, sizeof(commerce_landing_t));

    rc = commerce_place_find(reader, 'J', id, &number, version);

    return rc == COMMERCE_OK ? commerce_landing_read(reader, number, landing, version) : rc;
}


void
commerce_landing_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_landing_t *landing,
    uint64_t version)
{
    commerce_encoder_t  e;

    commerce_place_encode(txn, &e, landing->number, landing->id, commerce_codec_room(landing->path));
    commerce_encode_format(&e, 3);
    commerce_encode_text(&e, landing->path);

    commerce_place_put(txn, shop, 'j', 'J', landing->number, landing->id, version, &e);
}


int
commerce_retail_store_read(commerce_reader_t *reader, commerce_str_t id,
    commerce_retail_store_t *store, uint64_t *version)
{
    int                 rc;
    commerce_path_t     key;
    commerce_str_t      value;
    commerce_decoder_t  d;

    memset(store, 0, sizeof(commerce_retail_store_t));

    commerce_path_text(&key, reader->shop, 'S', id);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, commerce_copy(reader->arena, value));
    store->id = commerce_decode_text(&d);
    store->name = commerce_decode_text(&d);
    store->closed = commerce_decode_u8(&d, 1);

    if (commerce_decode_finish(&d) != COMMERCE_OK || !commerce_equal(store->id, id)) {
        memset(store, 0, sizeof(commerce_retail_store_t));
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


void
commerce_retail_store_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_retail_store_t *store, uint64_t version)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    if (store->id.len == 0) {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena,
                          2 + commerce_codec_room(store->id) + commerce_codec_room(store->name));
    commerce_encode_format(&e, 3);
    commerce_encode_text(&e, store->id);
    commerce_encode_text(&e, store->name);
    commerce_encode_u8(&e, store->closed);

    commerce_path_text(&key, shop, 'S', store->id);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


void
commerce_landing_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_landing_t *landing,
    uint64_t version)
{
    commerce_path_t  key;

    commerce_path_number(&key, shop, 'j', landing->number, 8);
    commerce_place_delete(txn, &key, version);
    commerce_path_unindex(txn, shop, 'J', landing->id);
}


void
commerce_retail_store_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, uint64_t version)
{
    commerce_path_t  key;

    commerce_path_text(&key, shop, 'S', id);
    commerce_place_delete(txn, &key, version);
}


static void
commerce_place_delete(commerce_txn_t *txn, const commerce_path_t *key, uint64_t version)
{
    commerce_str_t  kept;

    kept = commerce_path_keep(txn, key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


/* the record up to its id; what follows is the kind's own */

static int
commerce_place_start(commerce_reader_t *reader, char kind, uint64_t number, commerce_decoder_t *d,
    commerce_str_t *id, uint64_t *version)
{
    int              rc;
    uint64_t         stored;
    commerce_path_t  key;
    commerce_str_t   value;

    commerce_path_number(&key, reader->shop, kind, number, 8);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(d, commerce_copy(reader->arena, value));

    stored = commerce_decode_varint(d, COMMERCE_NUMBER_MAX);
    *id = commerce_decode_text(d);

    return stored == number ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_place_find(commerce_reader_t *reader, char kind, commerce_str_t id, uint32_t *number,
    uint64_t *version)
{
    int       rc;
    uint64_t  found;

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, kind, id, &found);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    *number = (uint32_t) found;

    return found <= COMMERCE_NUMBER_MAX ? COMMERCE_OK : COMMERCE_ERROR;
}


/* room: for what the kind adds */

static void
commerce_place_encode(commerce_txn_t *txn, commerce_encoder_t *e, uint32_t number,
    commerce_str_t id, size_t room)
{
    commerce_encode_start(e, txn->arena, 1 + COMMERCE_CODEC_VARINT + commerce_codec_room(id) + room);
    commerce_encode_varint(e, number);
    commerce_encode_text(e, id);
}


static void
commerce_place_put(commerce_txn_t *txn, commerce_str_t shop, char kind, char index,
    uint32_t number, commerce_str_t id, uint64_t version, commerce_encoder_t *e)
{
    commerce_path_t  key;

    if (number == 0 || number > COMMERCE_NUMBER_MAX || id.len == 0) {
        txn->failed = true;
        return;
    }

    commerce_path_number(&key, shop, kind, number, 8);
    commerce_path_put(txn, &key, version, commerce_encode_finish(e));
    commerce_path_index(txn, shop, index, id, number, version == 0);
}
