/*
 * Copyright (C) ngx_commerce authors
 */

#include "record_kit.h"


static void
test_person(void)
{
    uint64_t           version;
    commerce_person_t  p, q;

    is_int(commerce_person_read(&reader, 7, &q, &version), COMMERCE_ABSENT, "no person yet");
    is_int((int64_t) version, 0, "version 0");

    p = person((1ULL << 40) - 1, "amy");
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "written");

    is_int(commerce_person_find(&reader, S("amy"), &q, &version), COMMERCE_OK, "found by id");
    ok(version != 0, "version");
    ok(q.number == p.number && q.role == p.role && q.status == p.status && q.upline == 3,
       "numbers");
    is_str(q.id, "amy", "id");
    is_str(q.user, "buyer-1", "user");
    is_str(q.store, "store 7", "store");
    is_int(commerce_person_of_user(&reader, S("buyer-1"), &q, NULL), COMMERCE_OK, "by buyer");
    is_int(commerce_person_of_user(&reader, S(""), &q, NULL), COMMERCE_ABSENT, "by no buyer");
    is_int(q.number == 0, 1, "zeroed");
    is_int(commerce_person_downlines(&reader, 3), 1, "the upline has one");
    is_int(commerce_person_downlines(&reader, 4), 0, "another none");

    restart();
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "not twice");

    restart();
    commerce_person_find(&reader, S("amy"), &q, &version);
    p = q;
    p.upline = 4;
    p.user = S("buyer-2");
    p.id = S("amy2");
    commerce_person_write(&txn, shop, &p, version, &q);
    is_int(apply(), COMMERCE_TXN_APPLIED, "changed");
    is_int(commerce_person_downlines(&reader, 3), 0, "the old upline lost him");
    is_int(commerce_person_downlines(&reader, 4), 1, "the new one has him");
    is_int(commerce_person_of_user(&reader, S("buyer-1"), &q, NULL), COMMERCE_ABSENT, "old buyer");
    is_int(commerce_person_of_user(&reader, S("buyer-2"), &q, NULL), COMMERCE_OK, "new buyer");
    is_int(commerce_person_find(&reader, S("amy"), &q, NULL), COMMERCE_ABSENT, "old id");
    is_int(commerce_person_find(&reader, S("amy2"), &q, NULL), COMMERCE_OK, "new id");

    restart();
    p = person(9, "amy2");
    p.user = S("");
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "somebody else's id");

    restart();
    p = person(9, "bob");
    p.user = S("buyer-2");
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "somebody else's buyer");

    restart();
    p = person(0, "bob");
    commerce_person_write(&txn, shop, &p, 0, NULL);
    ok(txn.failed, "number 0");

    restart();
    p = person(1ULL << 40, "bob");
    commerce_person_write(&txn, shop, &p, 0, NULL);
    ok(txn.failed, "a number of 41 bits");
}


static void
test_places(void)
{
    uint64_t          version;
    commerce_room_t   room = { .number = 8, .id = S("room-8"), .host = 77 }, other;
    commerce_group_t  group = { .number = (1 << 29) - 1, .id = S("g/1"), .leader = 5 }, found;

    restart();
    commerce_group_write(&txn, shop, &group, 0);
    commerce_room_write(&txn, shop, &room, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a group and a room");

    is_int(commerce_group_find(&reader, S("g/1"), &found, &version), COMMERCE_OK, "group");
    ok(found.number == group.number && found.leader == 5, "its members");
    is_str(found.id, "g/1", "its id");
    is_int(commerce_room_find(&reader, S("room-8"), &other, NULL), COMMERCE_OK, "room");
    ok(other.number == 8 && other.host == 77, "its members");
    is_int(commerce_room_read(&reader, 9, &other, NULL), COMMERCE_ABSENT, "no such room");
    is_int(commerce_group_read(&reader, 8, &found, NULL), COMMERCE_ABSENT, "a room is no group");

    restart();
    commerce_group_find(&reader, S("g/1"), &found, &version);
    found.leader = 0;
    commerce_group_write(&txn, shop, &found, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "changed");
    commerce_group_find(&reader, S("g/1"), &found, NULL);
    is_int((int64_t) found.leader, 0, "no leader");

    restart();
    commerce_group_find(&reader, S("g/1"), &group, &version);
    group.store = S("store-7");
    commerce_group_write(&txn, shop, &group, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "with a store");
    commerce_group_find(&reader, S("g/1"), &found, NULL);
    is_str(found.store, "store-7", "its store");
}


static void
test_schedule(void)
{
    unsigned          i;
    uint64_t          version;
    commerce_room_t   room = { .number = 18, .id = S("room-18"), .host = 77 }, found;
    commerce_shift_t  shifts[COMMERCE_SHIFTS_MAX];

    for (i = 0; i < COMMERCE_SHIFTS_MAX; i++) {
        shifts[i] = (commerce_shift_t) { 100 * (int64_t) i - 50, 100 * (int64_t) i + 50, COMMERCE_PERSON_MAX - i };
    }

    room.shifts = shifts;
    room.shift_count = COMMERCE_SHIFTS_MAX;

    restart();
    commerce_room_write(&txn, shop, &room, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a room with a schedule");
    is_int(commerce_room_find(&reader, S("room-18"), &found, &version), COMMERCE_OK, "found");
    is_int(found.host, 77, "host");
    is_int(found.shift_count, COMMERCE_SHIFTS_MAX, "all shifts");
    is_int(memcmp(found.shifts, shifts, sizeof(shifts)), 0, "as they were");

    restart();
    shifts[3].end = shifts[4].start + 1;
    commerce_room_write(&txn, shop, &room, version);
    ok(txn.failed, "shifts that overlap are not written");
}


static void
test_channels(void)
{
    commerce_channel_t       found, channel = {
        .number = COMMERCE_NUMBER_MAX, .id = S("state-1"), .seller = 7, .group = 9,
        .field = COMMERCE_FIELD_MESSAGE, .origin = COMMERCE_ORIGIN_PRIVATE, .platform = S("wecom")
    };
    commerce_landing_t       led, landing = { .number = 3, .id = S("sku-1"), .path = S("/p/1?a=b") };
    commerce_retail_store_t  shown, store = { .id = S("store/7"), .name = S("Nanjing Road"), .closed = true };

    restart();
    commerce_channel_write(&txn, shop, &channel, 0);
    commerce_landing_write(&txn, shop, &landing, 0);
    commerce_retail_store_write(&txn, shop, &store, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a channel, a landing, a store");

    is_int(commerce_channel_find(&reader, S("state-1"), &found, NULL), COMMERCE_OK, "channel");
    ok(found.number == channel.number && found.seller == 7 && found.group == 9, "its numbers");
    ok(found.field == COMMERCE_FIELD_MESSAGE && found.origin == COMMERCE_ORIGIN_PRIVATE, "its field and origin");
    is_str(found.platform, "wecom", "its platform");
    is_int(commerce_channel_read(&reader, 4, &found, NULL), COMMERCE_ABSENT, "no such channel");
    is_int(found.seller, 0, "... zeroed");

    is_int(commerce_landing_find(&reader, S("sku-1"), &led, NULL), COMMERCE_OK, "landing");
    is_int(led.number, 3, "its number");
    is_str(led.path, "/p/1?a=b", "its path");

    is_int(commerce_retail_store_read(&reader, S("store/7"), &shown, NULL), COMMERCE_OK, "store");
    is_str(shown.name, "Nanjing Road", "its name");
    ok(shown.closed, "closed");
    is_int(commerce_retail_store_read(&reader, S("store/8"), &shown, NULL), COMMERCE_ABSENT, "no such store");
}


static void
test_person_names(void)
{
    uint64_t           version;
    commerce_str_t     names[COMMERCE_IDENTITIES_MAX], fewer[1] = { S("union-new") };
    commerce_person_t  p, found, before;

    static char  text[COMMERCE_IDENTITIES_MAX][8];

    for (version = 0; version < COMMERCE_IDENTITIES_MAX; version++) {
        snprintf(text[version], sizeof(text[version]), "name-%d", (int) version);
        names[version] = commerce_cstr(text[version]);
    }

    p = person(40, "leaver");
    p.user = S("leaver-user");
    p.status = COMMERCE_PERSON_CLEARED;
    p.since = 1790000000;
    p.successor = 41;
    p.transfer = COMMERCE_TRANSFER_FULL;
    p.identities = names;
    p.identity_count = COMMERCE_IDENTITIES_MAX;

    restart();
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a person with names");

    is_int(commerce_person_of_user(&reader, S("name-6"), &found, &version), COMMERCE_OK, "found by the last name");
    is_int(found.number, 40, "he");
    is_int(found.status, COMMERCE_PERSON_CLEARED, "status");
    is_int(found.since, 1790000000, "since");
    is_int(found.successor, 41, "successor");
    is_int(found.transfer, COMMERCE_TRANSFER_FULL, "transfer");
    is_int(found.identity_count, COMMERCE_IDENTITIES_MAX, "names");
    ok(commerce_person_is(&found, S("name-0")) && commerce_person_is(&found, S("leaver-user")), "he is all of them");

    /* a name that is now the user stays in the index, names that went are free */

    restart();
    commerce_person_read(&reader, 40, &before, &version);
    p.user = S("name-2");
    p.identities = fewer;
    p.identity_count = 1;
    commerce_person_write(&txn, shop, &p, version, &before);
    is_int(apply(), COMMERCE_TXN_APPLIED, "other names");
    is_int(commerce_person_of_user(&reader, S("name-2"), &found, NULL), COMMERCE_OK, "the kept one");
    is_int(commerce_person_of_user(&reader, S("union-new"), &found, NULL), COMMERCE_OK, "the new one");
    is_int(commerce_person_of_user(&reader, S("name-3"), &found, NULL), COMMERCE_ABSENT, "one that went");
    is_int(commerce_person_of_user(&reader, S("leaver-user"), &found, NULL), COMMERCE_ABSENT, "the user before");

    p = person(42, "thief");
    p.identities = fewer;
    p.identity_count = 1;
    restart();
    commerce_person_write(&txn, shop, &p, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "somebody else's name");
}


static void
test_numbers(void)
{
    uint64_t          n;
    commerce_txn_t    rival;
    commerce_txn_t   *two[2] = { &txn, &rival };

    restart();
    is_int(commerce_number_take(&reader, &txn, "person", 10, &n), COMMERCE_OK, "first number");
    is_int((int64_t) n, 1, "1");
    commerce_number_take(&reader, &txn, "person", 10, &n);
    commerce_number_take(&reader, &txn, "person", 10, &n);
    is_int((int64_t) n, 3, "the third in one transaction");
    commerce_number_take(&reader, &txn, "group", 10, &n);
    is_int((int64_t) n, 1, "kinds do not mix");

    commerce_txn_init(&rival, reader.arena);
    commerce_number_take(&reader, &rival, "person", 10, &n);
    is_int((int64_t) n, 1, "a rival sees the same");

    commerce_view_end(view);
    commerce_store_apply(temp_store, two, 2);
    commerce_view_begin(temp_store, &view);
    reader.view = view;
    is_int(txn.result, COMMERCE_TXN_APPLIED, "the first gets it");
    is_int(rival.result, COMMERCE_TXN_CONFLICT, "the second does not");

    restart();
    commerce_number_take(&reader, &txn, "person", 4, &n);
    is_int((int64_t) n, 4, "the next");
    apply();
    restart();
    is_int(commerce_number_take(&reader, &txn, "person", 4, &n), COMMERCE_ABSENT, "all are taken");
    is_int(txn.count, 0, "nothing to do");
}


static bool
same_buyer(const commerce_buyer_t *a, const commerce_buyer_t *b)
{
    unsigned                 i;
    const commerce_touch_t  *s, *t;

    if (!commerce_equal(a->pseudonym, b->pseudonym) || a->seen_count != b->seen_count
        || memcmp(&a->binding, &b->binding, sizeof(a->binding)) != 0
        || memcmp(a->seen, b->seen, sizeof(a->seen)) != 0)
    {
        return false;
    }

    for (i = 0; i < COMMERCE_SOURCES; i++) {
        s = &a->last[i];
        t = &b->last[i];

        if (s->source != t->source || s->strength != t->strength || s->digest != t->digest
            || s->seller != t->seller || s->upline != t->upline || s->group != t->group
            || s->room != t->room || s->channel != t->channel || s->landing != t->landing
            || s->first != t->first || s->lookback != t->lookback || s->field != t->field
            || s->origin != t->origin)
        {
            return false;
        }
    }

    return true;
}


static void
test_buyer(void)
{
    uint64_t          version;
    commerce_str_t    value;
    commerce_buyer_t  b, r, small;

    b = full_buyer();
    memset(&small, 0, sizeof(small));
    small.pseudonym = S("p");
    small.binding.owner = 9;
    small.binding.origin = 9;
    small.seen[0].digest = 1;
    small.seen_count = 3;

    restart();
    commerce_buyer_write(&txn, shop, S("full"), &b, 0);
    commerce_buyer_write(&txn, shop, S("small"), &small, 0);
    memset(&r, 0, sizeof(r));
    commerce_buyer_write(&txn, shop, S("empty"), &r, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "three buyers");

    is_int(commerce_buyer_read(&reader, S("full"), &r, &version), COMMERCE_OK, "full");
    ok(version != 0 && same_buyer(&b, &r), "as it was");
    is_int(commerce_buyer_read(&reader, S("small"), &r, NULL), COMMERCE_OK, "small");
    ok(same_buyer(&small, &r), "as it was");
    is_int(commerce_buyer_read(&reader, S("empty"), &r, NULL), COMMERCE_OK, "empty");
    ok(r.seen_count == 0 && r.binding.owner == 0 && r.pseudonym.len == 0, "as it was");
    is_int(commerce_buyer_read(&reader, S("none"), &r, &version), COMMERCE_ABSENT, "none");
    is_int((int64_t) version, 0, "version 0");

    commerce_view_get(view, S("demo/b/small"), &value, &version);
    is_int((int64_t) value.len, 1 + 1 + 2 + 88 + 1 + 1 + 48, "only what was touched is stored");
}


int
main(void)
{
    static void (*const  tests[])(void) = {
        test_person,
        test_places,
        test_schedule,
        test_channels,
        test_person_names,
        test_numbers,
        test_buyer
    };

    return record_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
