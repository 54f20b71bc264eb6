/*
 * Copyright (C) ngx_commerce authors
 *
 * Persons, groups, live rooms, and the numbers they get.
 */

#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_PERSON_MAX  ((1ULL << 40) - 1)
#define COMMERCE_NUMBER_MAX  ((1U << 29) - 1)


static int commerce_person_get(commerce_reader_t *reader, uint64_t number,
    commerce_person_t *person, uint64_t *version);
static void commerce_person_reindex(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_person_t *person, const commerce_person_t *before);
static void commerce_person_count(commerce_txn_t *txn, commerce_str_t shop, uint64_t upline,
    int64_t n);
static int commerce_place_get(commerce_reader_t *reader, char kind, uint64_t number,
    commerce_str_t *id, uint64_t *person, uint64_t *version);
static void commerce_place_put(commerce_txn_t *txn, commerce_str_t shop, char kind, char index,
    uint32_t number, commerce_str_t id, uint64_t person, uint64_t version);
static commerce_op_t *commerce_number_taken(commerce_txn_t *txn, commerce_str_t key);


int
commerce_person_read(commerce_reader_t *reader, uint64_t number, commerce_person_t *person,
    uint64_t *version)
{
    int       rc;
    uint64_t  unused;

    rc = commerce_person_get(reader, number, person, version != NULL ? version : &unused);

    if (rc != COMMERCE_OK) {
        memset(person, 0, sizeof(commerce_person_t));
    }

    return rc;
}


static int
commerce_person_get(commerce_reader_t *reader, uint64_t number, commerce_person_t *person,
    uint64_t *version)
{
    int             rc;
    commerce_path_t  key;
    commerce_str_t  value;

    commerce_path_number(&key, reader->shop, 'p', number, 10);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_person_decode(reader->arena, value, person);

    return (rc == COMMERCE_OK && person->number != number) ? COMMERCE_ERROR : rc;
}


int
commerce_person_find(commerce_reader_t *reader, commerce_str_t id, commerce_person_t *person,
    uint64_t *version)
{
    int       rc;
    uint64_t  number;

    memset(person, 0, sizeof(commerce_person_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, 'P', id, &number);

    return rc == COMMERCE_OK ? commerce_person_read(reader, number, person, version) : rc;
}


int
commerce_person_of_user(commerce_reader_t *reader, commerce_str_t user,
    commerce_person_t *person, uint64_t *version)
{
    int       rc;
    uint64_t  number;

    memset(person, 0, sizeof(commerce_person_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, 'u', user, &number);

    return rc == COMMERCE_OK ? commerce_person_read(reader, number, person, version) : rc;
}


int64_t
commerce_person_downlines(commerce_reader_t *reader, uint64_t number)
{
    int64_t         value;
    commerce_path_t  key;

    commerce_path_number(&key, reader->shop, 'r', number, 10);

    if (key.bad
        || commerce_view_counter(reader->view, commerce_path_str(&key), &value) != COMMERCE_OK)
    {
        return 0;
    }

    return value;
}


int
commerce_person_decode(commerce_arena_t *arena, commerce_str_t value, commerce_person_t *person)
{
    commerce_decoder_t  d;

    memset(person, 0, sizeof(commerce_person_t));

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    person->number = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
    person->id = commerce_decode_text(&d);
    person->role = commerce_decode_u8(&d, COMMERCE_ROLES - 1);
    person->status = commerce_decode_u8(&d, COMMERCE_PERSON_STATUSES - 1);
    person->upline = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);
    person->user = commerce_decode_text(&d);

    if (d.format >= 2) {
        person->store = commerce_decode_text(&d);
    }

    return commerce_decode_finish(&d);
}


void
commerce_person_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_person_t *person,
    uint64_t version, const commerce_person_t *before)
{
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (person->number == 0 || person->number > COMMERCE_PERSON_MAX
        || person->upline > COMMERCE_PERSON_MAX || person->id.len == 0)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena,
                          3 + 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(person->id)
                          + commerce_codec_room(person->user)
                          + commerce_codec_room(person->store));

    commerce_encode_varint(&e, person->number);
    commerce_encode_text(&e, person->id);
    commerce_encode_u8(&e, person->role);
    commerce_encode_u8(&e, person->status);
    commerce_encode_varint(&e, person->upline);
    commerce_encode_text(&e, person->user);

    if (person->store.len != 0) {
        commerce_encode_format(&e, 2);
        commerce_encode_text(&e, person->store);
    }

    commerce_path_number(&key, shop, 'p', person->number, 10);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));

    commerce_person_reindex(txn, shop, person, before);
}


void
commerce_person_compare(commerce_txn_t *txn, commerce_str_t shop, uint64_t number, uint64_t version)
{
    commerce_str_t   kept;
    commerce_path_t  key;

    commerce_path_number(&key, shop, 'p', number, 10);
    kept = commerce_path_keep(txn, &key);

    if (kept.len == 0) {
        txn->failed = true;
        return;
    }

    commerce_txn_compare(txn, kept, version);
}


/* a fresh index entry must not be another person's: commerce_path_index() compares */

static void
commerce_person_reindex(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_person_t *person, const commerce_person_t *before)
{
    commerce_str_t  id, user;
    uint64_t        upline;

    id = before != NULL ? before->id : commerce_string("");
    user = before != NULL ? before->user : commerce_string("");
    upline = before != NULL ? before->upline : 0;

    if (!commerce_equal(id, person->id)) {
        if (id.len != 0) {
            commerce_path_unindex(txn, shop, 'P', id);
        }

        commerce_path_index(txn, shop, 'P', person->id, person->number, true);
    }

    if (!commerce_equal(user, person->user)) {
        if (user.len != 0) {
            commerce_path_unindex(txn, shop, 'u', user);
        }

        if (person->user.len != 0) {
            commerce_path_index(txn, shop, 'u', person->user, person->number, true);
        }
    }

    if (upline != person->upline) {
        commerce_person_count(txn, shop, upline, -1);
        commerce_person_count(txn, shop, person->upline, 1);
    }
}


static void
commerce_person_count(commerce_txn_t *txn, commerce_str_t shop, uint64_t upline, int64_t n)
{
    commerce_path_t  key;
    commerce_str_t  kept;

    if (upline == 0) {
        return;
    }

    commerce_path_number(&key, shop, 'r', upline, 10);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_add(txn, kept, n, COMMERCE_FOREVER, 0);
    }
}


int
commerce_group_read(commerce_reader_t *reader, uint32_t number, commerce_group_t *group,
    uint64_t *version)
{
    int  rc;

    memset(group, 0, sizeof(commerce_group_t));

    rc = commerce_place_get(reader, 'g', number, &group->id, &group->leader, version);

    if (rc == COMMERCE_OK) {
        group->number = number;
    }

    return rc;
}


int
commerce_group_find(commerce_reader_t *reader, commerce_str_t id, commerce_group_t *group,
    uint64_t *version)
{
    int       rc;
    uint64_t  number;

    memset(group, 0, sizeof(commerce_group_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, 'G', id, &number);

    if (rc == COMMERCE_OK) {
        rc = number <= COMMERCE_NUMBER_MAX
             ? commerce_group_read(reader, (uint32_t) number, group, version) : COMMERCE_ERROR;
    }

    return rc;
}


void
commerce_group_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_group_t *group,
    uint64_t version)
{
    commerce_place_put(txn, shop, 'g', 'G', group->number, group->id, group->leader, version);
}


int
commerce_room_read(commerce_reader_t *reader, uint32_t number, commerce_room_t *room,
    uint64_t *version)
{
    int  rc;

    memset(room, 0, sizeof(commerce_room_t));

    rc = commerce_place_get(reader, 'l', number, &room->id, &room->host, version);

    if (rc == COMMERCE_OK) {
        room->number = number;
    }

    return rc;
}


int
commerce_room_find(commerce_reader_t *reader, commerce_str_t id, commerce_room_t *room,
    uint64_t *version)
{
    int       rc;
    uint64_t  number;

    memset(room, 0, sizeof(commerce_room_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_path_find(reader, 'L', id, &number);

    if (rc == COMMERCE_OK) {
        rc = number <= COMMERCE_NUMBER_MAX
             ? commerce_room_read(reader, (uint32_t) number, room, version) : COMMERCE_ERROR;
    }

    return rc;
}


void
commerce_room_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_room_t *room,
    uint64_t version)
{
    commerce_place_put(txn, shop, 'l', 'L', room->number, room->id, room->host, version);
}


/* groups and live rooms have the same shape: an id and a person who is credited for them */

static int
commerce_place_get(commerce_reader_t *reader, char kind, uint64_t number, commerce_str_t *id,
    uint64_t *person, uint64_t *version)
{
    int                 rc;
    uint64_t            stored, holder;
    commerce_path_t      key;
    commerce_str_t      value, name;
    commerce_decoder_t  d;

    commerce_path_number(&key, reader->shop, kind, number, 8);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    value = commerce_copy(reader->arena, value);
    commerce_decode_start(&d, value);

    stored = commerce_decode_varint(&d, COMMERCE_NUMBER_MAX);
    name = commerce_decode_text(&d);
    holder = commerce_decode_varint(&d, COMMERCE_PERSON_MAX);

    if (commerce_decode_finish(&d) != COMMERCE_OK || stored != number) {
        return COMMERCE_ERROR;
    }

    *id = name;
    *person = holder;

    return COMMERCE_OK;
}


static void
commerce_place_put(commerce_txn_t *txn, commerce_str_t shop, char kind, char index,
    uint32_t number, commerce_str_t id, uint64_t person, uint64_t version)
{
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (number == 0 || number > COMMERCE_NUMBER_MAX || person > COMMERCE_PERSON_MAX
        || id.len == 0)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena,
                          1 + 2 * COMMERCE_CODEC_VARINT + commerce_codec_room(id));

    commerce_encode_varint(&e, number);
    commerce_encode_text(&e, id);
    commerce_encode_varint(&e, person);

    commerce_path_number(&key, shop, kind, number, 8);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
    commerce_path_index(txn, shop, index, id, number, version == 0);
}


int
commerce_number_take(commerce_reader_t *reader, commerce_txn_t *txn, const char *kind,
    uint64_t max, uint64_t *number)
{
    int                 rc;
    uint64_t            version;
    commerce_op_t      *taken;
    commerce_path_t      key;
    commerce_str_t      value;
    commerce_decoder_t  d;
    commerce_encoder_t  e;

    *number = 1;

    commerce_path_text(&key, reader->shop, 's', commerce_cstr(kind));

    taken = commerce_number_taken(txn, commerce_path_str(&key));
    version = 0;

    if (taken != NULL) {
        value = taken->value;
        rc = COMMERCE_OK;

    } else {
        rc = commerce_path_get(reader, &key, &value, &version);
    }

    if (rc == COMMERCE_OK) {
        commerce_decode_start(&d, value);
        *number = commerce_decode_varint(&d, UINT64_MAX);
        rc = commerce_decode_finish(&d);
    }

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_ERROR;
    }

    if (*number > max) {
        return COMMERCE_ABSENT;
    }

    commerce_encode_start(&e, txn->arena, 1 + COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, *number + 1);
    value = commerce_encode_finish(&e);

    if (taken != NULL && value.data != NULL) {
        taken->value = value;

    } else {
        commerce_path_put(txn, &key, version, value);
    }

    return txn->failed ? COMMERCE_ERROR : COMMERCE_OK;
}


/* this transaction's own earlier take: the view does not show it yet */

static commerce_op_t *
commerce_number_taken(commerce_txn_t *txn, commerce_str_t key)
{
    unsigned  i;

    for (i = 0; i < txn->count; i++) {
        if (txn->ops[i].kind == COMMERCE_OP_PUT && commerce_equal(txn->ops[i].key, key)) {
            return &txn->ops[i];
        }
    }

    return NULL;
}
