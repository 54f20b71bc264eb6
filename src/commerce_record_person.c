/*
 * Copyright (C) ngx_commerce authors
 *
 * Persons, and by which names they are found.
 */

#include "commerce_codec.h"
#include "commerce_path.h"



static int commerce_person_get(commerce_reader_t *reader, uint64_t number,
    commerce_person_t *person, uint64_t *version);
static void commerce_person_reindex(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_person_t *person, const commerce_person_t *before);
static void commerce_person_count(commerce_txn_t *txn, commerce_str_t shop, uint64_t upline,
    int64_t n);
static void commerce_person_decode_tail(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_person_t *person);
static void commerce_person_encode_tail(commerce_encoder_t *e, const commerce_person_t *person);
static size_t commerce_person_room(const commerce_person_t *person);
static commerce_str_t commerce_person_name(const commerce_person_t *person, unsigned i);
static bool commerce_person_named(const commerce_person_t *person, commerce_str_t name);


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
commerce_person_downlines_compare(commerce_reader_t *reader, commerce_txn_t *txn, uint64_t number, int64_t *count)
{
    uint64_t         version;
    commerce_str_t   value;
    commerce_path_t  key;

    *count = 0;
    commerce_path_number(&key, reader->shop, 'r', number, 10);

    if (commerce_path_get(reader, &key, &value, &version) == COMMERCE_ERROR
        || commerce_view_counter(reader->view, commerce_path_str(&key), count) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    commerce_txn_compare(txn, commerce_path_keep(txn, &key), version);

    return COMMERCE_OK;
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

    if (d.format >= 3) {
        commerce_person_decode_tail(&d, arena, person);
    }

    return commerce_decode_finish(&d);
}


static void
commerce_person_decode_tail(commerce_decoder_t *d, commerce_arena_t *arena, commerce_person_t *person)
{
    unsigned  i, n;

    person->since = commerce_decode_signed(d);
    person->successor = commerce_decode_varint(d, COMMERCE_PERSON_MAX);
    person->transfer = commerce_decode_u8(d, COMMERCE_TRANSFERS - 1);
    n = commerce_decode_u8(d, COMMERCE_IDENTITIES_MAX);

    if (n == 0) {
        return;
    }

    person->identities = commerce_alloc(arena, n * sizeof(commerce_str_t));

    if (person->identities == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < n; i++) {
        person->identities[i] = commerce_decode_text(d);
    }

    person->identity_count = n;
}


void
commerce_person_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_person_t *person,
    uint64_t version, const commerce_person_t *before)
{
    commerce_path_t      key;
    commerce_encoder_t  e;

    if (person->number == 0 || person->number > COMMERCE_PERSON_MAX
        || person->upline > COMMERCE_PERSON_MAX || person->successor > COMMERCE_PERSON_MAX
        || person->id.len == 0 || person->identity_count > COMMERCE_IDENTITIES_MAX)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena, commerce_person_room(person));

    commerce_encode_varint(&e, person->number);
    commerce_encode_text(&e, person->id);
    commerce_encode_u8(&e, person->role);
    commerce_encode_u8(&e, person->status);
    commerce_encode_varint(&e, person->upline);
    commerce_encode_text(&e, person->user);

    commerce_person_encode_tail(&e, person);

    commerce_path_number(&key, shop, 'p', person->number, 10);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));

    commerce_person_reindex(txn, shop, person, before);
}


/* what newer formats added; a status that an older one does not know counts as such, too */

static void
commerce_person_encode_tail(commerce_encoder_t *e, const commerce_person_t *person)
{
    bool      third;
    unsigned  i;

    third = person->since != 0 || person->successor != 0 || person->identity_count != 0
            || person->transfer != COMMERCE_TRANSFER_PENDING
            || person->status > COMMERCE_PERSON_LEFT;

    if (!third && person->store.len == 0) {
        return;
    }

    commerce_encode_format(e, third ? 3 : 2);
    commerce_encode_text(e, person->store);

    if (!third) {
        return;
    }

    commerce_encode_signed(e, person->since);
    commerce_encode_varint(e, person->successor);
    commerce_encode_u8(e, person->transfer);
    commerce_encode_u8(e, person->identity_count);

    for (i = 0; i < person->identity_count; i++) {
        commerce_encode_text(e, person->identities[i]);
    }
}


static size_t
commerce_person_room(const commerce_person_t *person)
{
    size_t    room;
    unsigned  i;

    room = 5 + 4 * COMMERCE_CODEC_VARINT + commerce_codec_room(person->id)
           + commerce_codec_room(person->user) + commerce_codec_room(person->store);

    for (i = 0; i < person->identity_count; i++) {
        room += commerce_codec_room(person->identities[i]);
    }

    return room;
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
    unsigned        i;
    uint64_t        upline;
    commerce_str_t  id, name;

    id = before != NULL ? before->id : commerce_string("");
    upline = before != NULL ? before->upline : 0;

    if (!commerce_equal(id, person->id)) {
        if (id.len != 0) {
            commerce_path_unindex(txn, shop, 'P', id);
        }

        commerce_path_index(txn, shop, 'P', person->id, person->number, true);
    }

    for (i = 0; before != NULL && i <= before->identity_count; i++) {
        name = commerce_person_name(before, i);

        if (name.len != 0 && !commerce_person_named(person, name)) {
            commerce_path_unindex(txn, shop, 'u', name);
        }
    }

    for (i = 0; i <= person->identity_count; i++) {
        name = commerce_person_name(person, i);

        if (name.len != 0 && (before == NULL || !commerce_person_named(before, name))) {
            commerce_path_index(txn, shop, 'u', name, person->number, true);
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


/* 0: the user, then the other names */

static commerce_str_t
commerce_person_name(const commerce_person_t *person, unsigned i)
{
    return i == 0 ? person->user : person->identities[i - 1];
}


static bool
commerce_person_named(const commerce_person_t *person, commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i <= person->identity_count; i++) {
        if (commerce_equal(commerce_person_name(person, i), name)) {
            return true;
        }
    }

    return false;
}
