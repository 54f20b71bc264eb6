/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "temp_store.h"
#include "commerce_conduct.h"
#include "commerce_path.h"
#include "commerce_codec.h"


#define S  commerce_string

static const commerce_str_t  shop = { "demo", 4 };

static commerce_heap_t    *heap;
static commerce_view_t    *view;
static commerce_txn_t      txn;
static commerce_reader_t   reader;
static uint64_t            sum;         /* of everything read: no result may go unused */


static void
begin(void)
{
    heap = commerce_heap_create();
    commerce_view_begin(temp_store, &view);
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };
}


static commerce_txn_result_t
apply(void)
{
    commerce_view_end(view);
    temp_store_apply(&txn);
    commerce_view_begin(temp_store, &view);
    reader.view = view;

    return txn.result;
}


static commerce_str_t
last_put(const char *prefix)
{
    unsigned  i;

    for (i = 0; i < txn.count; i++) {
        if (txn.ops[i].kind == COMMERCE_OP_PUT
            && strncmp(txn.ops[i].key.data, prefix, strlen(prefix)) == 0)
        {
            return txn.ops[i].value;
        }
    }

    return commerce_string("");
}


static void
end(void)
{
    commerce_view_end(view);
    commerce_heap_destroy(heap);
}


static void
restart(void)
{
    end();
    begin();
}


static bool
stored(char kind, const char *rest)
{
    int              rc;
    char             key[256];
    uint64_t         version;
    commerce_str_t   value;

    snprintf(key, sizeof(key), "demo/%c/%s", kind, rest);
    rc = commerce_view_get(view, commerce_cstr(key), &value, &version);

    return rc == COMMERCE_OK;
}


static int64_t
counter(commerce_str_t key)
{
    int64_t  value;

    return commerce_view_counter(view, key, &value) == COMMERCE_OK ? value : INT64_MIN;
}


static void
touch(commerce_str_t s)
{
    sum = commerce_hash(sum, s.data, s.len);
}


static void
test_codec(void)
{
    unsigned            i;
    commerce_str_t      bytes;
    commerce_encoder_t  e;
    commerce_decoder_t  d;

    static const int64_t  numbers[] = {
        0, 1, -1, 63, 64, -64, -65, 127, 128, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
    };

    commerce_encode_start(&e, commerce_heap_arena(heap), 512);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        commerce_encode_signed(&e, numbers[i]);
        commerce_encode_varint(&e, (uint64_t) numbers[i]);
        commerce_encode_u64(&e, (uint64_t) numbers[i]);
    }

    commerce_encode_text(&e, S("text"));
    bytes = commerce_encode_finish(&e);
    commerce_decode_start(&d, bytes);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ok(commerce_decode_signed(&d) == numbers[i]
           && commerce_decode_varint(&d, UINT64_MAX) == (uint64_t) numbers[i]
           && commerce_load_u64(commerce_decode_bytes(&d, 8)) == (uint64_t) numbers[i],
           "%" PRId64, numbers[i]);
    }

    is_str(commerce_decode_text(&d), "text", "text");
    is_int(commerce_decode_finish(&d), COMMERCE_OK, "all of it");

    /* format 1, 300 as 0xac 0x02, -1 as 1: these bytes are the contract between generations */

    commerce_decode_start(&d, S("\1\254\2\1\2ab"));
    is_int((int64_t) commerce_decode_varint(&d, 300), 300, "300");
    is_int(commerce_decode_signed(&d), -1, "-1");
    is_str(commerce_decode_text(&d), "ab", "ab");
    is_int(commerce_decode_finish(&d), COMMERCE_OK, "well formed");

    commerce_decode_start(&d, S("\2\1"));
    is_int(d.format, 2, "a newer format");
    is_int((int64_t) commerce_decode_varint(&d, 1), 1, "is read");
    commerce_decode_start(&d, S("\3\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "a format that is too new");
    commerce_decode_start(&d, S("\0\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "no format");
    commerce_decode_start(&d, S(""));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "nothing");
    commerce_decode_start(&d, (commerce_str_t) { NULL, 0 });
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "no record");
    commerce_decode_start(&d, S("\1\377\377\377\377\377\377\377\377\377\2"));
    is_int((int64_t) commerce_decode_varint(&d, UINT64_MAX), 0, "a varint beyond 64 bits");
    ok(d.failed, "fails");
    commerce_decode_start(&d, S("\1\200\200\200\200\200\200\200\200\200\200\0"));
    commerce_decode_varint(&d, UINT64_MAX);
    ok(d.failed, "a varint without end");
    commerce_decode_start(&d, S("\1\254\2"));
    commerce_decode_varint(&d, 299);
    ok(d.failed, "a varint above its maximum");
    commerce_decode_start(&d, S("\1\5abcd"));
    is_str(commerce_decode_text(&d), "", "a text beyond the end");
    ok(d.failed && commerce_decode_signed(&d) == 0, "fails, and gives zeros from there");
    commerce_decode_start(&d, S("\1\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "bytes left over");

    commerce_encode_start(&e, commerce_heap_arena(heap), 8);
    commerce_encode_varint(&e, 1);
    commerce_encode_format(&e, 2);
    commerce_encode_format(&e, 1);
    commerce_encode_varint(&e, 2);
    bytes = commerce_encode_finish(&e);
    ok(bytes.len == 3 && memcmp(bytes.data, "\2\1\2", 3) == 0, "the format that its fields need");

    commerce_encode_start(&e, commerce_heap_arena(heap), 3);
    commerce_encode_u32(&e, 1);
    ok(commerce_encode_finish(&e).data == NULL, "no room");
}


static void
test_keys(void)
{
    char             user[COMMERCE_ID_MAX], key[COMMERCE_ID_MAX], expect[600];
    commerce_path_t  a, b;

    commerce_path_number(&a, shop, 'p', 0x1234567890, 10);
    is_str(commerce_path_str(&a), "demo/p/1234567890", "person");
    commerce_path_number(&a, shop, 'p', 0x12345678901, 10);
    ok(a.bad, "a number that does not fit");
    commerce_path_coupon(&a, shop, 5, 0x3fffffff);
    is_str(commerce_path_str(&a), "demo/c/0005/3fffffff", "coupon");
    commerce_path_order(&a, shop, S("u"), S("k"));
    is_str(commerce_path_str(&a), "demo/o/u\x1fk", "order");
    commerce_path_order(&a, shop, S(""), S("k"));
    is_str(commerce_path_str(&a), "demo/o/\x1fk", "order of nobody");
    commerce_path_order(&a, shop, S("u"), S(""));
    ok(a.bad, "no key");
    commerce_path_order(&a, shop, S("u\x1fk"), S("x"));
    ok(a.bad, "a separator in the user");
    commerce_path_order(&a, shop, S("u"), S("k\x1fx"));
    ok(a.bad, "a separator in the key");
    commerce_path_order(&a, shop, S("a"), S("bc"));
    commerce_path_order(&b, shop, S("ab"), S("c"));
    ok(!commerce_equal(commerce_path_str(&a), commerce_path_str(&b)), "parts stay apart");
    commerce_path_due(&a, shop, 255, S("u"), S("k"));
    is_str(commerce_path_str(&a), "demo/d/00000000000000ff/u\x1fk", "due");
    commerce_path_counter(&a, shop, 10, COMMERCE_COUNT_USER, false, 0, S("u"));
    is_str(commerce_path_str(&a), "demo/n/v/000a/u", "uses of a user");
    is_str(commerce_counter_total(reader.arena, shop, 10), "demo/n/t/000a", "uses");
    is_str(commerce_counter_doubt(reader.arena, shop), "demo/n/doubt", "in doubt");
    is_str(commerce_record_prefix(reader.arena, shop, 'o'), "demo/o/", "prefix");

    memset(user, 'u', sizeof(user));
    memset(key, 'k', sizeof(key));
    snprintf(expect, sizeof(expect), "%.*s/d/7fffffffffffffff/%.*s\x1f%.*s", 32,
             "0123456789abcdef0123456789abcdef", 128, user, 128, key);
    commerce_path_due(&a, S("0123456789abcdef0123456789abcdef"), INT64_MAX,
                      (commerce_str_t) { user, 128 }, (commerce_str_t) { key, 128 });
    ok(!a.bad && commerce_equal(commerce_path_str(&a), commerce_cstr(expect)), "the longest key");
    commerce_path_text(&a, shop, 'P', (commerce_str_t) { expect, 474 });
    ok(a.bad, "a part that is too long");
}


static commerce_person_t
person(uint64_t number, const char *id)
{
    return (commerce_person_t) {
        .number = number, .id = commerce_cstr(id), .role = COMMERCE_ROLE_KOC,
        .status = COMMERCE_PERSON_SUSPENDED, .upline = 3, .user = commerce_string("buyer-1"),
        .store = commerce_string("store 7")
    };
}


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


static commerce_buyer_t
full_buyer(void)
{
    unsigned          i;
    commerce_buyer_t  b;

    memset(&b, 0, sizeof(b));

    b.pseudonym = S("k1:0123456789abcdef");
    b.binding = (commerce_binding_t) {
        1, 2, 3, 100, COMMERCE_FOREVER, -5, 7, 8, 9, 2592000, COMMERCE_FOREVER, 86400, 10
    };

    for (i = 1; i < COMMERCE_SOURCES; i++) {
        b.last[i] = (commerce_touch_t) {
            (commerce_source_t) i, i % 3, 0xfedcba9876543210ULL + i, (1ULL << 40) - i, i, 1 + i,
            2 + i, UINT32_MAX - i, 4 + i, 1000 + i, 604800 * (int64_t) i, i % COMMERCE_FIELDS, i % COMMERCE_ORIGINS
        };
    }

    for (i = 0; i < COMMERCE_SEEN_MAX; i++) {
        b.seen[i] = (commerce_seen_t) { UINT64_MAX - i, 5000 + i };
    }

    b.seen_count = COMMERCE_SEEN_MAX;

    return b;
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


static commerce_campaign_t
campaign(void)
{
    static commerce_str_t  skus[2] = { { "A", 1 }, { "B-2", 3 } };

    return (commerce_campaign_t) {
        .number = 16383, .id = S("autumn"), .percent = 1500, .cap = 5000, .from = -7,
        .until = COMMERCE_FOREVER, .minimum_spend = 9900, .scopes = { { skus, 2 } },
        .limits = { 1000 }, .promoter = 1099511627775,
        .promoter_id = S("amy"), .holder_required = true, .enabled = true, .minted = 1 << 30
    };
}


static void
test_campaign_coupon(void)
{
    uint64_t             version;
    commerce_coupon_t    k, l;
    commerce_campaign_t  c, d;

    c = campaign();
    k = (commerce_coupon_t) {
        16383, (1 << 30) - 1, COMMERCE_COUPON_REDEEMED, S("holder"), S("u"), S("key"), S("by"),
        12345, 3, { 0 }, 1800000000, 1800604800, 1099511627775, S("till 4/17")
    };

    restart();
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign and a coupon");

    is_int(commerce_campaign_find(&reader, S("autumn"), &d, &version), COMMERCE_OK, "campaign");
    ok(d.number == 16383 && d.percent == 1500 && d.fixed == 0 && d.cap == 5000 && d.from == -7
       && d.until == COMMERCE_FOREVER && d.minimum_spend == 9900 && d.limits[0] == 1000
       && d.limits[1] == 0 && d.promoter == 1099511627775 && d.holder_required
       && d.enabled && d.minted == 1U << 30 && d.scopes[COMMERCE_SCOPE_SKU].count == 2, "its numbers");
    is_str(d.scopes[COMMERCE_SCOPE_SKU].ids[1], "B-2", "its SKUs");
    is_str(d.promoter_id, "amy", "its promoter");

    is_int(commerce_coupon_read(&reader, 16383, (1 << 30) - 1, &l, &version), COMMERCE_OK,
           "coupon");
    ok(l.state == k.state && l.changed == 12345 && l.cycles == 3 && l.campaign == 16383, "numbers");
    is_str(l.holder, "holder", "holder");
    is_str(l.order_user, "u", "order's user");
    is_str(l.order_key, "key", "order's key");
    is_str(l.used_by, "by", "used by");
    ok(l.claimed == k.claimed && l.expires == k.expires && l.seller == k.seller, "claim");
    is_str(l.request, "till 4/17", "redeemed in a shop");
    is_int(commerce_coupon_read(&reader, 16383, 1, &l, &version), COMMERCE_ABSENT, "untouched");
    ok(l.campaign == 16383 && l.serial == 1 && l.state == COMMERCE_COUPON_ISSUED && version == 0,
       "is an issued one");

    restart();
    c.number = 16384;
    commerce_campaign_write(&txn, shop, &c, 0);
    ok(txn.failed, "a number of 15 bits");
    restart();
    k.holder.len = COMMERCE_ID_MAX + 1;
    k.holder.data = commerce_alloc(reader.arena, k.holder.len);
    commerce_coupon_write(&txn, shop, &k, 0);
    ok(txn.failed, "a text that no reader would take");
}


static void
fill_rules(commerce_campaign_t *c)
{
    unsigned  i, k;

    static commerce_step_off_t  steps[2] = { { 1, 1 }, { COMMERCE_FEN_MAX, 2 } };
    static commerce_hours_t     hours[2] = { { 0x7f, 0, 1 }, { 0x41, 1, 1440 } };
    static commerce_str_t       ids[COMMERCE_SCOPES][COMMERCE_SCOPES];

    c->steps = steps;
    c->step_count = 2;
    c->every = (commerce_step_off_t) { 3, 4 };
    c->hours = hours;
    c->hours_count = 2;
    c->minimum_quantity = 1000000;
    c->new_customers = c->base_initial = true;
    c->stack = COMMERCE_STACK_CLASS;
    c->stack_class = S("red");
    c->stack_limit = 8;

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        for (k = 0; k <= i; k++) {
            ids[i][k] = k == i ? S("last") : S("x");
        }

        c->scopes[i] = (commerce_ids_t) { ids[i], i + 1 };
    }
}


static void
clear_rules(commerce_campaign_t *c)
{
    commerce_campaign_t  plain = campaign();

    memcpy(c->scopes, plain.scopes, sizeof(plain.scopes));
    memset(&c->every, 0, sizeof(c->every));
    c->step_count = c->hours_count = c->stack_limit = 0;
    c->minimum_quantity = 0;
    c->new_customers = c->base_initial = false;
    c->stack = COMMERCE_STACK_ANY;
    c->stack_class = S("");
}


/* what format 2 added: only where it says something */

static void
test_counts(void)
{
    unsigned             i;
    uint64_t             version;
    commerce_str_t       key, value;
    commerce_coupon_t    k, l;
    commerce_campaign_t  c, d;

    static commerce_zone_change_t  changes[2] = { { 1800000000, 7200 }, { 1900000000, -3600 } };

    c = campaign();
    c.number = 77;
    c.id = S("counted");
    c.zone = (commerce_zone_t) { S("Europe/Nowhere"), 3600, changes, 2 };

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        c.limits[i] = i + 1;
        c.budgets[i] = INT64_MAX - i;
    }

    memset(&k, 0, sizeof(k));
    k.campaign = 77;
    k.state = COMMERCE_COUPON_RESERVED;
    k.counted = (commerce_counted_t) {
        1U << COMMERCE_COUNT_DAY, 1U << COMMERCE_COUNT_SELLER, -1, S("g"), S("s"), 12345
    };

    restart();
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign with every limit, a use counted by some");

    is_int(commerce_campaign_read(&reader, 77, &d, &version), COMMERCE_OK, "the campaign");
    ok(memcmp(d.limits, c.limits, sizeof(c.limits)) == 0, "its limits");
    ok(memcmp(d.budgets, c.budgets, sizeof(c.budgets)) == 0, "its budgets");
    is_str(d.zone.name, "Europe/Nowhere", "its zone");
    ok(d.zone.offset == 3600 && d.zone.count == 2, "offset and changes");
    ok(d.zone.changes[1].from == 1900000000 && d.zone.changes[1].offset == -3600, "the last one");

    is_int(commerce_coupon_read(&reader, 77, 0, &l, &version), COMMERCE_OK, "the coupon");
    ok(l.counted.uses == k.counted.uses && l.counted.money == k.counted.money
       && l.counted.day == -1 && l.counted.discount == 12345, "what it was counted against");
    is_str(l.counted.group, "g", "group");
    is_str(l.counted.seller, "s", "seller");

    restart();
    fill_rules(&c);
    c.number = 79;
    c.id = S("rules");
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign with every rule");
    is_int(commerce_campaign_read(&reader, 79, &d, &version), COMMERCE_OK, "read again");
    ok(d.step_count == 2 && d.steps[1].minimum == COMMERCE_FEN_MAX && d.steps[1].off == 2, "steps");
    ok(d.every.minimum == 3 && d.every.off == 4, "every");
    ok(d.hours_count == 2 && d.hours[1].days == 0x41 && d.hours[1].from == 1 && d.hours[1].until == 1440,
       "hours");
    ok(d.minimum_quantity == 1000000 && d.new_customers && d.base_initial && d.stack_limit == 8
       && d.stack == COMMERCE_STACK_CLASS, "numbers");
    is_str(d.stack_class, "red", "class");

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        ok(d.scopes[i].count == i + 1, "%s: how many", commerce_scope_name(i));
        is_str(d.scopes[i].ids[i], "last", "the last one");
    }

    restart();
    c.number = 80;
    c.every.minimum = 0;
    c.id = S("divides");
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "one that would divide by zero");
    is_int(commerce_campaign_read(&reader, 80, &d, &version), COMMERCE_ERROR, "is not read");
    restart();
    c.step_count = COMMERCE_CAMPAIGN_STEPS + 1;
    commerce_campaign_write(&txn, shop, &c, 0);
    ok(txn.failed, "too many steps are not written");

    restart();
    clear_rules(&c);
    memset(c.budgets, 0, sizeof(c.budgets));
    memset(&c.limits[COMMERCE_COUNT_DAY], 0, sizeof(c.limits) - 2 * sizeof(c.limits[0]));
    memset(&c.zone, 0, sizeof(c.zone));
    c.number = 78;
    c.id = S("plain");
    k.serial = 1;
    memset(&k.counted, 0, sizeof(k.counted));
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the same without");

    key = S("demo/k/004e");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 1, "a campaign of total and user limits is of format 1");

    restart();
    c.number = 81;
    c.id = S("closed");
    c.closed = 1800000000;
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the same, closed");
    is_int(commerce_campaign_read(&reader, 81, &d, &version), COMMERCE_OK, "read again");
    ok(d.closed == 1800000000 && d.limits[COMMERCE_COUNT_USER] == c.limits[COMMERCE_COUNT_USER], "and still so");
    key = S("demo/k/0051");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 3, "is of format 3: who does not know of it must not read it");
    key = S("demo/c/004d/00000001");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 1, "so is a coupon that is counted by them");
    key = S("demo/c/004d/00000000");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 2, "the other one is of format 2");
}


static void
fill_order(commerce_order_t *o, commerce_line_t *lines, unsigned count)
{
    unsigned  i;

    memset(o, 0, sizeof(*o));

    o->user = S("user");
    o->key = S("key-1");
    memset(o->fingerprint, 0xab, sizeof(o->fingerprint));
    o->state = COMMERCE_ORDER_PLACED;
    o->doubt = COMMERCE_DOUBT_AMOUNT;
    o->redeem_on_paid = true;
    o->paid = true;
    o->in_doubt = COMMERCE_POLICY_HOLD;
    o->created = 1000;
    o->in_flight_until = 1075;
    o->deadline = 1960;
    o->due = 1960;
    o->id = S("2026-1");
    o->claimed = 123456789012;
    o->discount = -1;
    o->payable = 0;
    o->pseudonym = S("k1:aa");
    o->policy = UINT64_MAX;
    o->reason = COMMERCE_R(SELF_PURCHASE);
    o->conduct = COMMERCE_CONDUCT_ALL;
    o->conduct_denied = COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_BOT_SUSPECT);
    o->lines = lines;
    o->line_count = count;

    for (i = 0; i < count; i++) {
        lines[i] = (commerce_line_t) {
            S("SKU"), i + 1, 100 * (int64_t) i - 1, i, (int) (i % 9) - 1, { 0, 0 }
        };
    }

    o->credit_count = 8;

    for (i = 0; i < 8; i++) {
        o->credits[i] = (commerce_credit_t) {
            .source = (commerce_source_t) i, .seller = i + 1, .tier2 = i, .seller_id = S("amy"),
            .tier2_id = S("bob"), .group_id = S("g"), .room_id = S("r"), .channel = UINT32_MAX,
            .channel_id = S("state"), .field = COMMERCE_FIELD_MESSAGE, .origin = COMMERCE_ORIGIN_PRIVATE,
            .platform = S("wecom"), .touched = -3, .contributor = i > 5, .assist = i == 7
        };
    }

    o->coupon_count = 5;

    for (i = 0; i < 5; i++) {
        o->coupons[i] = (commerce_order_coupon_t) {
            .campaign = i + 1, .serial = i, .campaign_id = S("autumn"), .discount = (int64_t) i - 1,
            .use = (commerce_use_t) i
        };
    }
}


static bool
same_order(const commerce_order_t *a, const commerce_order_t *b)
{
    unsigned  i;
    bool      same;

    same = commerce_equal(a->user, b->user) && commerce_equal(a->key, b->key)
           && memcmp(a->fingerprint, b->fingerprint, 16) == 0 && a->state == b->state
           && a->doubt == b->doubt && a->redeem_on_paid == b->redeem_on_paid
           && a->paid == b->paid && a->unpaid == b->unpaid && a->in_doubt == b->in_doubt
           && a->created == b->created && a->in_flight_until == b->in_flight_until
           && a->deadline == b->deadline && a->due == b->due && commerce_equal(a->id, b->id)
           && a->claimed == b->claimed && a->discount == b->discount && a->payable == b->payable
           && commerce_equal(a->pseudonym, b->pseudonym) && a->policy == b->policy
           && a->reason == b->reason && a->line_count == b->line_count
           && a->credit_count == b->credit_count && a->coupon_count == b->coupon_count
           && a->cart == b->cart && a->shop_key == b->shop_key && a->fresh == b->fresh
           && a->open == b->open && a->conduct == b->conduct
           && a->conduct_denied == b->conduct_denied;

    for (i = 0; same && i < a->line_count; i++) {
        same = commerce_equal(a->lines[i].sku, b->lines[i].sku)
               && a->lines[i].quantity == b->lines[i].quantity
               && a->lines[i].amount == b->lines[i].amount
               && a->lines[i].discount == b->lines[i].discount
               && a->lines[i].credit == b->lines[i].credit;
    }

    for (i = 0; same && i < a->credit_count; i++) {
        same = a->credits[i].source == b->credits[i].source
               && a->credits[i].seller == b->credits[i].seller
               && a->credits[i].tier2 == b->credits[i].tier2
               && commerce_equal(a->credits[i].seller_id, b->credits[i].seller_id)
               && commerce_equal(a->credits[i].tier2_id, b->credits[i].tier2_id)
               && commerce_equal(a->credits[i].group_id, b->credits[i].group_id)
               && commerce_equal(a->credits[i].room_id, b->credits[i].room_id)
               && a->credits[i].channel == b->credits[i].channel
               && a->credits[i].touched == b->credits[i].touched
               && a->credits[i].contributor == b->credits[i].contributor;
    }

    for (i = 0; same && i < a->coupon_count; i++) {
        same = a->coupons[i].campaign == b->coupons[i].campaign
               && a->coupons[i].serial == b->coupons[i].serial
               && commerce_equal(a->coupons[i].campaign_id, b->coupons[i].campaign_id)
               && a->coupons[i].discount == b->coupons[i].discount
               && a->coupons[i].use == b->coupons[i].use
               && commerce_equal(a->coupons[i].code, b->coupons[i].code);
    }

    return same;
}


static void
test_order(void)
{
    uint64_t          version;
    commerce_line_t   lines[COMMERCE_LINES_MAX];
    commerce_order_t  o, r, moved;

    fill_order(&o, lines, COMMERCE_LINES_MAX);

    restart();
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the largest order");
    is_int(commerce_order_read(&reader, S("user"), S("key-1"), &r, &version), COMMERCE_OK, "read");
    ok(same_order(&o, &r), "as it was");
    is_int(commerce_order_find(&reader, S("2026-1"), &r, &version), COMMERCE_OK, "found by id");
    ok(same_order(&o, &r), "the same");
    is_int(commerce_order_find(&reader, S("2026-2"), &r, NULL), COMMERCE_ABSENT, "another id");
    is_int(commerce_order_find(&reader, S(""), &r, NULL), COMMERCE_ABSENT, "no id");
    is_int(commerce_order_read(&reader, S("user2"), S("key-1"), &r, NULL), COMMERCE_ABSENT,
           "another user's key");
    ok(stored('d', "00000000000007a8/user\x1fkey-1"), "due entry");

    restart();
    commerce_order_find(&reader, S("2026-1"), &r, &version);
    moved = r;
    moved.due = 3000;
    moved.id = S("2026-9");
    commerce_order_write(&txn, shop, &moved, version, &r);
    is_int(apply(), COMMERCE_TXN_APPLIED, "moved");
    ok(!stored('d', "00000000000007a8/user\x1fkey-1"), "old due entry is gone");
    ok(stored('d', "0000000000000bb8/user\x1fkey-1"), "new one is there");
    ok(!stored('i', "2026-1") && stored('i', "2026-9"), "so are the ids");

    restart();
    commerce_order_write(&txn, shop, &o, version, &o);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "a lost update is refused");

    restart();
    fill_order(&o, lines, 1);
    o.key = S("key-2");
    o.id = S("2026-9");
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "two orders cannot share an id");

    restart();
    o.lines[0].credit = 8;
    commerce_order_write(&txn, shop, &o, 0, NULL);
    ok(txn.failed, "a line's credit that is not there");

    restart();
    o.lines[0].credit = -1;
    o.state = COMMERCE_ORDER_FAILED;
    commerce_order_write(&txn, shop, &o, 0, NULL);
    ok(txn.failed, "a failed order is not kept");

    restart();
    commerce_order_find(&reader, S("2026-9"), &r, &version);
    commerce_order_remove(&txn, shop, &r, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "removed");
    ok(!stored('i', "2026-9") && !stored('d', "0000000000000bb8/user\x1fkey-1")
       && !stored('o', "user\x1fkey-1"), "nothing is left");
}


/* carts, keys of the shop's, and the index of orders in doubt */

static void
test_cart(void)
{
    uint64_t          version;
    commerce_str_t    place, user, key;
    commerce_line_t   lines[1];
    commerce_time_t   since;
    commerce_order_t  o, r, changed;

    fill_order(&o, lines, 1);
    o.key = S("cart-1");
    o.id = S("");
    o.state = COMMERCE_ORDER_CART;
    o.cart = COMMERCE_CART_REMOVE;
    o.shop_key = true;
    o.fresh = 5;
    o.open = 21;
    o.coupons[1].code = S("8001-0000-0000-MNS1-2GS6");

    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_ABSENT, "nobody's key");

    restart();
    commerce_order_write(&txn, shop, &o, 0, NULL);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a cart");
    is_int(commerce_order_read(&reader, o.user, o.key, &r, &version), COMMERCE_OK, "read");
    ok(same_order(&o, &r), "as it was");
    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_OK, "its key is somebody's");
    is_str(user, "user", "its user's");
    is_int(commerce_order_doubted(&reader, S(""), &place, &since, &user, &key), COMMERCE_OK, "in doubt");
    ok(since == 1000 && commerce_equal(key, o.key), "since when, and which");
    is_int(commerce_order_doubted(&reader, place, &place, &since, &user, &key), COMMERCE_ABSENT,
           "no other");

    restart();
    changed = o;
    changed.user = S("other");
    commerce_order_write(&txn, shop, &changed, 0, NULL);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "a second user cannot have the key");

    restart();
    commerce_order_read(&reader, o.user, o.key, &r, &version);
    changed = r;
    changed.doubt = 0;
    commerce_order_write(&txn, shop, &changed, version, &r);
    is_int(apply(), COMMERCE_TXN_APPLIED, "no doubt any more");
    is_int(commerce_order_doubted(&reader, S(""), &place, &since, &user, &key), COMMERCE_ABSENT,
           "nothing in doubt");

    restart();
    commerce_order_read(&reader, o.user, o.key, &r, &version);
    commerce_order_remove(&txn, shop, &r, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "forgotten");
    is_int(commerce_order_key_user(&reader, o.key, &user), COMMERCE_ABSENT, "with its key");
}


static void
put_due(const char *key, commerce_time_t due)
{
    commerce_order_t  o;

    fill_order(&o, NULL, 0);
    o.key = commerce_copy(reader.arena, commerce_cstr(key));
    o.id = S("");
    o.due = due;
    commerce_order_write(&txn, shop, &o, 0, NULL);
}


static void
test_due(void)
{
    uint64_t          version;
    commerce_order_t  o, p;

    restart();
    put_due("c", 300);
    put_due("a", 200);
    put_due("b", 200);
    put_due("never", COMMERCE_FOREVER);
    commerce_txn_put(&txn, S("demo/d/0000000000000001/ghost\x1fx"), S("\1"));
    commerce_txn_put(&txn, S("demo/d/0000000000000002/nonsense"), S("\1"));
    commerce_txn_put(&txn, S("demo/d/zz"), S("\1"));
    commerce_txn_put(&txn, S("demo/o/user\x1f" "broken"), S("\1broken"));
    commerce_txn_put(&txn, S("demo/d/0000000000000fff/user\x1f" "broken"), S("\1"));
    commerce_txn_put(&txn, S("demo2/d/0000000000000001/u\x1fk"), S("\1"));
    is_int(apply(), COMMERCE_TXN_APPLIED, "orders with due times");

    is_int(commerce_order_due(&reader, 199, &o, &version), COMMERCE_ABSENT, "none due yet");
    is_int(commerce_order_due(&reader, 200, &o, &version), COMMERCE_OK, "one is");
    is_str(o.key, "a", "the first");
    is_int(commerce_order_due_after(&reader, 299, &o, &p, &version), COMMERCE_OK, "another");
    is_str(p.key, "b", "the second");
    is_int(commerce_order_due_after(&reader, 299, &p, &o, &version), COMMERCE_ABSENT, "no third");
    is_int(commerce_order_due_after(&reader, 300, &p, &o, &version), COMMERCE_OK, "a second later");
    is_str(o.key, "c", "the third");
    is_int(commerce_order_due_after(&reader, 9999, &o, &p, &version), COMMERCE_ERROR, "unreadable");
    is_str(p.key, "broken", "which one is told");
    is_int(commerce_order_due_after(&reader, 9999, &p, &o, &version), COMMERCE_ABSENT,
           "and what is behind it can be reached");
}


static void
test_parked(void)
{
    uint64_t                version;
    commerce_parked_t       p, q;
    commerce_notice_t       notices[3];
    commerce_parked_for_t   other, what = { COMMERCE_PARKED_ID, S("77"), S("") };
    commerce_refund_line_t  lines[2] = { { S("A"), 0, 300, 1 }, { S(""), 2, 5, 0 } };

    notices[0] = (commerce_notice_t) { .kind = COMMERCE_STEP_PAID, .time = 1234, .amount = -1 };
    notices[1] = (commerce_notice_t) {
        .kind = COMMERCE_STEP_PAID, .time = 1235, .id = S("77"), .payment = S("p"),
        .transaction = S("t"), .amount = 990
    };
    notices[2] = (commerce_notice_t) {
        .kind = COMMERCE_STEP_REFUNDED, .time = 1236, .amount = 310, .refund = S("r"),
        .freight = 5, .lines = lines, .line_count = 2
    };
    p = (commerce_parked_t) { notices, 1 };

    restart();
    commerce_parked_write(&txn, shop, &what, &p, 0);
    is_int(last_put("demo/q/").data[0], 1, "what names nothing else is of the first format");
    is_int(apply(), COMMERCE_TXN_APPLIED, "parked");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_OK, "read");
    ok(q.count == 1 && q.notices[0].kind == COMMERCE_STEP_PAID && q.notices[0].time == 1234
       && commerce_equal(q.notices[0].id, S("77")) && q.notices[0].amount == -1, "as it was");

    restart();
    commerce_parked_vacant(&txn, shop, &what);
    is_int(apply(), COMMERCE_TXN_CONFLICT, "not vacant");
    restart();
    p.count = 3;
    commerce_parked_write(&txn, shop, &what, &p, version);
    is_int(last_put("demo/q/").data[0], 2, "facts need the second");
    is_int(apply(), COMMERCE_TXN_APPLIED, "three of them");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_OK, "read");
    ok(q.count == 3 && q.notices[1].amount == 990 && commerce_equal(q.notices[1].payment, S("p"))
       && commerce_equal(q.notices[1].transaction, S("t"))
       && commerce_equal(q.notices[2].refund, S("r")) && q.notices[2].freight == 5
       && q.notices[2].line_count == 2 && commerce_equal(q.notices[2].lines[0].sku, S("A"))
       && q.notices[2].lines[1].line == 2 && q.notices[2].lines[0].quantity == 1,
       "with all their facts");

    restart();
    commerce_parked_remove(&txn, shop, &what, version);
    is_int(apply(), COMMERCE_TXN_APPLIED, "removed");
    is_int(commerce_parked_read(&reader, &what, &q, &version), COMMERCE_ABSENT, "gone");
    ok(q.count == 0, "and zeroed");

    is_int(commerce_parked_parse(S("o/u\x1fk"), &other), COMMERCE_OK, "for an order");
    ok(other.kind == COMMERCE_PARKED_ORDER && commerce_equal(other.user, S("u"))
       && commerce_equal(other.name, S("k")), "whose");
    is_int(commerce_parked_parse(S("t/x"), &other), COMMERCE_OK, "for a transaction");
    is_int(commerce_parked_parse(S("x/x"), &other), COMMERCE_ERROR, "for nothing");
    is_int(commerce_parked_parse(S("o/x"), &other), COMMERCE_ERROR, "for no order");
    ok(counter(commerce_counter_doubt(reader.arena, shop)) == 0, "no counter was touched");
}


/* reads everything that a decoder gave: a sanitizer sees strings that lead nowhere */

static void
use_order(const commerce_order_t *o)
{
    unsigned  i;

    touch(o->user);
    touch(o->key);
    touch(o->id);
    touch(o->pseudonym);

    for (i = 0; i < o->line_count; i++) {
        touch(o->lines[i].sku);

        if (o->lines[i].credit >= 0) {
            touch(o->credits[o->lines[i].credit].seller_id);
        }
    }

    for (i = 0; i < o->credit_count; i++) {
        touch(o->credits[i].tier2_id);
        touch(o->credits[i].room_id);
        touch(commerce_cstr(commerce_source_name(o->credits[i].source)));
    }

    for (i = 0; i < o->coupon_count; i++) {
        touch(o->coupons[i].campaign_id);
    }
}


static int
decode(char kind, commerce_str_t value)
{
    int                  rc;
    unsigned             i;
    commerce_order_t     o;
    commerce_person_t    p;
    commerce_coupon_t    k;
    commerce_campaign_t  c;
    commerce_heap_t     *scratch;

    scratch = commerce_heap_create();

    switch (kind) {

    case 'p':
        rc = commerce_person_decode(commerce_heap_arena(scratch), value, &p);
        touch(p.id);
        touch(p.user);
        touch(commerce_cstr(commerce_role_name(p.role)));
        break;

    case 'c':
        rc = commerce_coupon_decode(commerce_heap_arena(scratch), value, &k);
        touch(k.holder);
        touch(k.order_key);
        touch(commerce_cstr(commerce_coupon_state_name(k.state)));
        break;

    case 'k':
        rc = commerce_campaign_decode(commerce_heap_arena(scratch), value, &c);

        for (i = 0; i < c.scopes[COMMERCE_SCOPE_SKU].count; i++) {
            touch(c.scopes[COMMERCE_SCOPE_SKU].ids[i]);
        }

        break;

    default:
        rc = commerce_order_decode(commerce_heap_arena(scratch), value, &o);
        use_order(&o);
    }

    commerce_heap_destroy(scratch);

    return rc;
}


static void
corrupt(char kind, commerce_str_t value, const char *name)
{
    char      *copy;
    size_t     i, n;
    unsigned   truncated, accepted, wrong;

    truncated = accepted = wrong = 0;

    is_int(decode(kind, value), COMMERCE_OK, "%s, %zu bytes", name, value.len);

    /* a block of exactly this size: a sanitizer sees a byte read too much */

    for (n = 0; n < value.len; n++) {
        copy = malloc(n + 1);
        memcpy(copy, value.data, n);
        truncated += decode(kind, (commerce_str_t) { copy, n }) == COMMERCE_ERROR;
        free(copy);
    }

    is_int(truncated, (int64_t) value.len, "%s: every truncation is seen", name);

    copy = malloc(value.len + 1);
    memcpy(copy, value.data, value.len);
    copy[value.len] = 0;
    is_int(decode(kind, (commerce_str_t) { copy, value.len + 1 }), COMMERCE_ERROR,
           "%s: so is a byte more", name);
    free(copy);

    for (i = 0; i < value.len; i++) {
        for (n = 1; n < 256; n++) {
            copy = malloc(value.len);
            memcpy(copy, value.data, value.len);
            copy[i] = (char) ((uint8_t) copy[i] ^ n);

            switch (decode(kind, (commerce_str_t) { copy, value.len })) {
            case COMMERCE_OK:
                accepted++;
                break;
            case COMMERCE_ERROR:
                break;
            default:
                wrong++;
            }

            free(copy);
        }
    }

    is_int(wrong, 0, "%s: every byte changed in every way is read or refused (%u read)", name,
           accepted);
}


static void
test_corrupt(void)
{
    commerce_line_t      lines[3];
    commerce_order_t     o;
    commerce_person_t    p = person(300, "amy");
    commerce_campaign_t  c = campaign();

    commerce_coupon_t  k = {
        .campaign = 5, .serial = 300, .holder = S("h"), .order_key = S("k")
    };

    restart();
    fill_order(&o, lines, 3);
    commerce_order_write(&txn, shop, &o, 0, NULL);
    commerce_coupon_write(&txn, shop, &k, 0);
    commerce_person_write(&txn, shop, &p, 0, NULL);
    commerce_campaign_write(&txn, shop, &c, 0);

    corrupt('p', last_put("demo/p/"), "person");
    corrupt('c', last_put("demo/c/"), "coupon");
    corrupt('k', last_put("demo/k/"), "campaign");
    corrupt('o', last_put("demo/o/"), "order");
}


/* the records without a public decoder: through the store, many in one transaction */

static void
mutate(const char *prefix, commerce_str_t value, unsigned digits, unsigned *count)
{
    char      key[64], *copy;
    size_t    i, len;
    unsigned  n;

    n = 0;

    for (len = 0; len < value.len; len++) {
        snprintf(key, sizeof(key), "%s%0*x", prefix, (int) digits, n++);
        commerce_txn_put(&txn, commerce_copy(reader.arena, commerce_cstr(key)),
                         (commerce_str_t) { value.data, len });
    }

    for (i = 0; i < value.len * 4; i++) {
        copy = commerce_alloc(reader.arena, value.len);
        memcpy(copy, value.data, value.len);
        copy[i / 4] = (char) ((uint8_t) copy[i / 4] ^ "\1\200\377\17"[i % 4]);
        snprintf(key, sizeof(key), "%s%0*x", prefix, (int) digits, n++);
        commerce_txn_put(&txn, commerce_copy(reader.arena, commerce_cstr(key)),
                         (commerce_str_t) { copy, value.len });
    }

    *count = n;
}


static void
test_corrupt_stored(void)
{
    int                rc;
    char               name[32];
    size_t             length;
    unsigned           i, count, refused;
    uint64_t           version;
    commerce_str_t     value;
    commerce_room_t    room = { .number = 0x80, .id = S("r"), .host = 300 };
    commerce_buyer_t   b;
    commerce_parked_t  parked;
    commerce_notice_t  notice = {
        .kind = COMMERCE_STEP_PAID, .time = 99, .id = S("p"), .payment = S("p"), .amount = 5
    };
    commerce_parked_for_t  what = { COMMERCE_PARKED_ID, S("p"), S("") };

    restart();
    b = full_buyer();
    commerce_buyer_write(&txn, shop, S("whole"), &b, 0);
    value = last_put("demo/b/");
    length = value.len;
    mutate("demo/b/x", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u buyers that are not whole", count);

    for (i = 0, refused = 0; i < count; i++) {
        snprintf(name, sizeof(name), "x%08x", i);
        rc = commerce_buyer_read(&reader, commerce_cstr(name), &b, &version);
        touch(b.pseudonym);

        if (rc == COMMERCE_ERROR) {
            refused += i < length;

            if (b.seen_count != 0 || b.binding.owner != 0) {
                ok(false, "a refused buyer is zeroed");
            }
        }
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");

    restart();
    commerce_room_write(&txn, shop, &room, 0);
    value = last_put("demo/l/");
    length = value.len;
    mutate("demo/l/", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u rooms", count);

    for (i = 0, refused = 0; i < length; i++) {
        refused += commerce_room_read(&reader, i, &room, NULL) == COMMERCE_ERROR;
    }

    for (i = 0; i < count; i++) {
        rc = commerce_room_read(&reader, i, &room, NULL);
        touch(room.id);
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");

    restart();
    parked = (commerce_parked_t) { &notice, 1 };
    commerce_parked_write(&txn, shop, &what, &parked, 0);
    value = last_put("demo/q/");
    length = value.len;
    mutate("demo/q/", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u parked notices", count);

    for (i = 0, refused = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%08x", i);
        what.name = commerce_cstr(name);
        rc = commerce_parked_read(&reader, &what, &parked, NULL);
        refused += (i < length && rc == COMMERCE_ERROR);

        if (rc == COMMERCE_OK && parked.count > COMMERCE_PARKED_MAX) {
            ok(false, "more parked notices than there can be");
        }
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");
}


int
main(void)
{
    temp_store_open();
    begin();

    test_codec();
    test_keys();
    test_person();
    test_places();
    test_schedule();
    test_channels();
    test_person_names();
    test_numbers();
    test_buyer();
    test_campaign_coupon();
    test_counts();
    test_order();
    test_cart();
    test_due();
    test_parked();
    test_corrupt();
    test_corrupt_stored();

    end();
    temp_store_close();

    printf("# %" PRIx64 "\n", sum);

    return done_testing();
}
