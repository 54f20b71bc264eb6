/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdarg.h>
#include <stdio.h>

#include "commerce_directory_put.h"

#define COMMERCE_DIRECTORY_SENTENCE  512


/* how one entry fares */
typedef struct {
    const commerce_directory_put_t  *put;
    bool                             wrong;     /* something was said */
    bool                             failed;
} commerce_directory_work_t;


static commerce_directory_outcome_t commerce_directory_put_person(commerce_directory_work_t *work,
    commerce_directory_entry_t *entry, uint64_t *number);
static void commerce_directory_person_names(commerce_directory_work_t *work, const commerce_person_t *person);
static void commerce_directory_person_tree(commerce_directory_work_t *work, const commerce_person_t *person,
    const commerce_person_t *before);
static unsigned commerce_directory_depth(commerce_directory_work_t *work, const commerce_person_t *person,
    bool judged);
static bool commerce_directory_same_person(const commerce_person_t *a, const commerce_person_t *b);
static commerce_directory_outcome_t commerce_directory_put_place(commerce_directory_work_t *work,
    const commerce_directory_entry_t *entry, uint64_t *number);
static void commerce_directory_write_place(commerce_directory_work_t *work,
    const commerce_directory_entry_t *entry, uint32_t number, uint64_t version);
static void commerce_directory_write_room(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint32_t number, uint64_t version);
static void commerce_directory_write_channel(commerce_directory_work_t *work,
    const commerce_directory_entry_t *entry, uint32_t number, uint64_t version);
static int commerce_directory_number(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint32_t *number);
static uint64_t commerce_directory_person(commerce_directory_work_t *work, const char *member, commerce_str_t id);
static void commerce_directory_say(commerce_directory_work_t *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define commerce_directory_arg(s)  (int) (s).len, (s).len != 0 ? (s).data : ""


commerce_directory_outcome_t
commerce_directory_put(const commerce_directory_put_t *put, commerce_directory_entry_t *entry, uint64_t *number)
{
    uint64_t                       unused;
    commerce_directory_work_t      work = { .put = put };
    commerce_directory_outcome_t   outcome;

    if (number == NULL) {
        number = &unused;
    }

    *number = 0;

    outcome = entry->kind == COMMERCE_DIRECTORY_PERSON ? commerce_directory_put_person(&work, entry, number)
                                                       : commerce_directory_put_place(&work, entry, number);

    return work.failed ? COMMERCE_DIRECTORY_FAILED : work.wrong ? COMMERCE_DIRECTORY_REFUSED : outcome;
}


static commerce_directory_outcome_t
commerce_directory_put_person(commerce_directory_work_t *work, commerce_directory_entry_t *entry, uint64_t *number)
{
    int                              rc;
    uint64_t                         version;
    commerce_person_t                before, person;
    const commerce_directory_put_t  *put = work->put;

    rc = commerce_person_find(put->reader, entry->id, &before, &version);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_DIRECTORY_FAILED;
    }

    entry->since = commerce_directory_since(entry->status, entry->since, rc == COMMERCE_OK ? &before : NULL, put->now);

    person = (commerce_person_t) {
        .number = before.number, .id = entry->id, .role = entry->role, .status = entry->status,
        .since = entry->since, .transfer = entry->transfer, .user = entry->user, .store = entry->store,
        .identities = entry->identities, .identity_count = entry->identity_count
    };

    person.upline = commerce_directory_person(work, "upline", entry->upline);
    person.successor = commerce_directory_person(work, "successor", entry->successor);
    *number = person.number;

    if (rc == COMMERCE_OK && !work->wrong && commerce_directory_same_person(&person, &before)) {
        return COMMERCE_DIRECTORY_UNCHANGED;
    }

    if (commerce_equal(entry->successor, entry->id)) {
        commerce_directory_say(work, "member \"successor\" is the person himself");
    }

    commerce_directory_person_names(work, &person);
    commerce_directory_person_tree(work, &person, rc == COMMERCE_OK ? &before : NULL);

    if (work->wrong || work->failed) {
        return COMMERCE_DIRECTORY_REFUSED;
    }

    if (rc == COMMERCE_ABSENT) {
        rc = commerce_number_take(put->reader, put->txn, "person", COMMERCE_PERSON_MAX, &person.number);

        if (rc != COMMERCE_OK) {
            return rc == COMMERCE_ABSENT ? COMMERCE_DIRECTORY_FULL : COMMERCE_DIRECTORY_FAILED;
        }

        *number = person.number;
        commerce_person_write(put->txn, put->reader->shop, &person, 0, NULL);

        return COMMERCE_DIRECTORY_CREATED;
    }

    commerce_person_write(put->txn, put->reader->shop, &person, version, &before);

    return COMMERCE_DIRECTORY_CHANGED;
}


commerce_time_t
commerce_directory_since(commerce_person_status_t status, commerce_time_t said, const commerce_person_t *before,
    commerce_time_t now)
{
    if (said != 0 || status == COMMERCE_PERSON_ACTIVE) {
        return said;
    }

    return before != NULL && before->status == status ? before->since : now;
}


/* whose they are already: the record's indexes are compared when it is written */

static void
commerce_directory_person_names(commerce_directory_work_t *work, const commerce_person_t *person)
{
    int                rc;
    unsigned           i;
    commerce_str_t     name;
    commerce_person_t  other;

    for (i = 0; i <= person->identity_count; i++) {
        name = i == 0 ? person->user : person->identities[i - 1];
        rc = name.len != 0 ? commerce_person_of_user(work->put->reader, name, &other, NULL) : COMMERCE_ABSENT;

        if (rc == COMMERCE_ERROR) {
            work->failed = true;

        } else if (rc == COMMERCE_OK && other.number != person->number) {
            commerce_directory_say(work, "name \"%.*s\" is person \"%.*s\": one name is one person",
                                   commerce_directory_arg(name), commerce_directory_arg(other.id));
        }
    }
}


/* where the person will stand; before: NULL when new */

static void
commerce_directory_person_tree(commerce_directory_work_t *work, const commerce_person_t *person,
    const commerce_person_t *before)
{
    int64_t                          downlines;
    unsigned                         depth;
    const commerce_directory_put_t  *put = work->put;

    if (person->upline == 0
        || (before != NULL && before->upline == person->upline && before->role == person->role))
    {
        return;
    }

    depth = commerce_directory_depth(work, person, true);

    if (put->tiers == COMMERCE_TIERS_PAY || work->wrong || work->failed) {
        return;
    }

    if (depth > COMMERCE_TIERS) {
        commerce_directory_say(work, "member \"upline\" would make the person %u deep: %d are allowed", depth, COMMERCE_TIERS);
        return;
    }

    /* whoever stood as deep before pushes nobody down */

    if (before == NULL || depth < COMMERCE_TIERS || depth <= commerce_directory_depth(work, before, false)) {
        return;
    }

    if (commerce_person_downlines_compare(put->reader, put->txn, person->number, &downlines) != COMMERCE_OK) {
        work->failed = true;

    } else if (downlines > 0) {
        commerce_directory_say(work, "member \"upline\" would make those whom the person recruited %d deep: %d are allowed",
                               COMMERCE_TIERS + 1, COMMERCE_TIERS);
    }
}


/*
 * Persons from the root down to this one.  What stands above the salaried is organisation: it counts for no depth,
 * but it must not lead back either.  judged: what is found must still be so when the transaction applies.
 */

static unsigned
commerce_directory_depth(commerce_directory_work_t *work, const commerce_person_t *person, bool judged)
{
    bool                             counts;
    uint64_t                         number, version;
    unsigned                         depth, steps;
    commerce_person_t                above;
    const commerce_directory_put_t  *put = work->put;

    depth = 1;
    counts = !commerce_role_salaried(person->role);
    number = person->upline;

    for (steps = 1; number != 0; steps++) {

        if (number == person->number || steps > COMMERCE_LINEAGE_WALK) {
            if (judged) {
                commerce_directory_say(work, number == person->number
                                       ? "member \"upline\" leads back to the person after %u step%s"
                                       : "member \"upline\" leads up for more than %u step%s", number == person->number
                                       ? steps : COMMERCE_LINEAGE_WALK, steps == 1 ? "" : "s");
            }

            break;
        }

        if (commerce_person_read(put->reader, number, &above, &version) != COMMERCE_OK) {
            work->failed = true;
            break;
        }

        if (judged) {
            commerce_person_compare(put->txn, put->reader->shop, number, version);
        }

        depth += counts;
        counts = counts && !commerce_role_salaried(above.role);
        number = above.upline;
    }

    return depth;
}


static bool
commerce_directory_same_person(const commerce_person_t *a, const commerce_person_t *b)
{
    unsigned  i;

    if (a->role != b->role || a->status != b->status || a->since != b->since || a->upline != b->upline
        || a->successor != b->successor || a->transfer != b->transfer || !commerce_equal(a->user, b->user)
        || !commerce_equal(a->store, b->store) || a->identity_count != b->identity_count)
    {
        return false;
    }

    for (i = 0; i < a->identity_count; i++) {
        if (!commerce_equal(a->identities[i], b->identities[i])) {
            return false;
        }
    }

    return true;
}


static commerce_directory_outcome_t
commerce_directory_put_place(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint64_t *number)
{
    int                              rc;
    uint32_t                         own;
    uint64_t                         version;
    commerce_directory_entry_t       before;
    const commerce_directory_put_t  *put = work->put;

    rc = commerce_directory_entry_read(put->reader, entry->kind, entry->id, &before, &version);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_DIRECTORY_FAILED;
    }

    own = 0;

    if (rc == COMMERCE_OK && commerce_directory_number(work, entry, &own) != COMMERCE_OK) {
        return COMMERCE_DIRECTORY_FAILED;
    }

    *number = own;

    if (rc == COMMERCE_OK && commerce_directory_same(entry, &before)) {
        return COMMERCE_DIRECTORY_UNCHANGED;
    }

    if (rc == COMMERCE_ABSENT && entry->kind != COMMERCE_DIRECTORY_RETAIL_STORE) {

        /* the kinds' names are those of their numbers */

        rc = commerce_number_take(put->reader, put->txn, commerce_directory_kind_name(entry->kind),
                                  COMMERCE_NUMBER_MAX, number);

        if (rc != COMMERCE_OK) {
            return rc == COMMERCE_ABSENT ? COMMERCE_DIRECTORY_FULL : COMMERCE_DIRECTORY_FAILED;
        }
    }

    commerce_directory_write_place(work, entry, (uint32_t) *number, version);

    return version != 0 ? COMMERCE_DIRECTORY_CHANGED : COMMERCE_DIRECTORY_CREATED;
}


static void
commerce_directory_write_place(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint32_t number, uint64_t version)
{
    commerce_str_t           shop;
    commerce_txn_t          *txn;
    commerce_group_t         group;
    commerce_landing_t       landing;
    commerce_retail_store_t  store;

    shop = work->put->reader->shop;
    txn = work->put->txn;

    switch (entry->kind) {
    case COMMERCE_DIRECTORY_GROUP:
        group = (commerce_group_t) { .number = number, .id = entry->id, .store = entry->store };
        group.leader = commerce_directory_person(work, "leader", entry->person);
        commerce_group_write(txn, shop, &group, version);
        return;

    case COMMERCE_DIRECTORY_ROOM:
        commerce_directory_write_room(work, entry, number, version);
        return;

    case COMMERCE_DIRECTORY_CHANNEL:
        commerce_directory_write_channel(work, entry, number, version);
        return;

    case COMMERCE_DIRECTORY_LANDING:
        landing = (commerce_landing_t) { .number = number, .id = entry->id, .path = entry->path };
        commerce_landing_write(txn, shop, &landing, version);
        return;

    default:
        store = (commerce_retail_store_t) { .id = entry->id, .name = entry->name, .closed = entry->closed };
        commerce_retail_store_write(txn, shop, &store, version);
    }
}


static void
commerce_directory_write_room(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint32_t number, uint64_t version)
{
    char              member[32];
    unsigned          i;
    commerce_room_t   room = { .number = number, .id = entry->id, .shift_count = entry->shift_count };

    room.host = commerce_directory_person(work, "host", entry->person);
    room.shifts = commerce_alloc(work->put->txn->arena, (entry->shift_count + 1) * sizeof(commerce_shift_t));

    if (room.shifts == NULL) {
        work->failed = true;
        return;
    }

    for (i = 0; i < entry->shift_count; i++) {
        snprintf(member, sizeof(member), "schedule/%u/host", i);
        room.shifts[i].start = entry->shifts[i].start;
        room.shifts[i].end = entry->shifts[i].end;
        room.shifts[i].host = commerce_directory_person(work, member, entry->shifts[i].host);
    }

    /* a host who is not there has no number, and a shift without one cannot be written */

    if (!work->wrong && !work->failed) {
        commerce_room_write(work->put->txn, work->put->reader->shop, &room, version);
    }
}


static void
commerce_directory_write_channel(commerce_directory_work_t *work, const commerce_directory_entry_t *entry,
    uint32_t number, uint64_t version)
{
    int                  rc;
    commerce_group_t     group;
    commerce_channel_t   channel = {
        .number = number, .id = entry->id, .field = entry->field, .origin = entry->origin,
        .platform = entry->platform
    };

    channel.seller = commerce_directory_person(work, "seller", entry->person);

    if (entry->group.len != 0) {
        rc = commerce_group_find(work->put->reader, entry->group, &group, NULL);
        channel.group = group.number;

        if (rc == COMMERCE_ABSENT) {
            commerce_directory_say(work, "member \"group\" is \"%.*s\", and there is no such group",
                                   commerce_directory_arg(entry->group));
        }

        work->failed = work->failed || rc == COMMERCE_ERROR;
    }

    commerce_channel_write(work->put->txn, work->put->reader->shop, &channel, version);
}


commerce_directory_outcome_t
commerce_directory_remove(const commerce_directory_put_t *put, commerce_directory_kind_t kind, commerce_str_t id)
{
    int                          rc;
    uint64_t                     version;
    commerce_landing_t           landing;
    commerce_retail_store_t      store;
    commerce_directory_work_t    work = { .put = put };

    switch (kind) {
    case COMMERCE_DIRECTORY_RETAIL_STORE:
        rc = commerce_retail_store_read(put->reader, id, &store, &version);

        if (rc == COMMERCE_OK) {
            commerce_retail_store_remove(put->txn, put->reader->shop, id, version);
        }

        break;

    case COMMERCE_DIRECTORY_LANDING:
        rc = commerce_landing_find(put->reader, id, &landing, &version);

        if (rc == COMMERCE_OK) {
            commerce_landing_remove(put->txn, put->reader->shop, &landing, version);
        }

        break;

    case COMMERCE_DIRECTORY_PERSON:
        commerce_directory_say(&work, "a person is not removed: set \"status\" to \"left\" or \"cleared\"");
        return COMMERCE_DIRECTORY_REFUSED;

    default:
        commerce_directory_say(&work, "a %s is not removed, tokens and orders name it: take its person off it",
                               commerce_directory_kind_name(kind));
        return COMMERCE_DIRECTORY_REFUSED;
    }

    return rc == COMMERCE_OK ? COMMERCE_DIRECTORY_REMOVED
           : rc == COMMERCE_ABSENT ? COMMERCE_DIRECTORY_ABSENT : COMMERCE_DIRECTORY_FAILED;
}


static int
commerce_directory_number(commerce_directory_work_t *work, const commerce_directory_entry_t *entry, uint32_t *number)
{
    int                  rc;
    commerce_room_t      room;
    commerce_group_t     group;
    commerce_channel_t   channel;
    commerce_landing_t   landing;
    commerce_reader_t   *reader = work->put->reader;

    switch (entry->kind) {
    case COMMERCE_DIRECTORY_GROUP:
        rc = commerce_group_find(reader, entry->id, &group, NULL);
        *number = group.number;
        return rc;
    case COMMERCE_DIRECTORY_ROOM:
        rc = commerce_room_find(reader, entry->id, &room, NULL);
        *number = room.number;
        return rc;
    case COMMERCE_DIRECTORY_CHANNEL:
        rc = commerce_channel_find(reader, entry->id, &channel, NULL);
        *number = channel.number;
        return rc;
    case COMMERCE_DIRECTORY_LANDING:
        rc = commerce_landing_find(reader, entry->id, &landing, NULL);
        *number = landing.number;
        return rc;
    default:
        return COMMERCE_OK;
    }
}


/* 0: nobody is named, or (said) it is nobody whom the store knows */

static uint64_t
commerce_directory_person(commerce_directory_work_t *work, const char *member, commerce_str_t id)
{
    int                rc;
    commerce_person_t  person;

    if (id.len == 0) {
        return 0;
    }

    rc = commerce_person_find(work->put->reader, id, &person, NULL);

    if (rc == COMMERCE_ERROR) {
        work->failed = true;

    } else if (rc == COMMERCE_ABSENT) {
        commerce_directory_say(work, "member \"%s\" is \"%.*s\", and there is no such person", member,
                               commerce_directory_arg(id));
    }

    return person.number;
}


static void
commerce_directory_say(commerce_directory_work_t *work, const char *format, ...)
{
    char     sentence[COMMERCE_DIRECTORY_SENTENCE];
    va_list  args;

    work->wrong = true;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);

    work->put->say(work->put->data, sentence);
}
