/*
 * Copyright (C) ngx_commerce authors
 */

#include "temp_store.h"
#include "commerce_directory_entry.h"


#define S(s)  commerce_string(s)

static const commerce_str_t  shop = { "demo", 4 };

static commerce_heap_t    *heap;
static commerce_view_t    *view;
static commerce_txn_t      txn;
static commerce_reader_t   reader;


static void
write_all(void)
{
    commerce_str_t           names[2] = { S("spread:77"), S("wx") };
    commerce_shift_t         shifts[1] = { { 3600, 7200, 1 } }, nobodys[1] = { { 3600, 7200, 99 } };
    commerce_person_t        rosa = { .number = 1, .id = S("rosa"), .role = COMMERCE_ROLE_KOC };
    commerce_person_t        anna = {
        .number = 2, .id = S("anna"), .role = COMMERCE_ROLE_CUSTOMER, .status = COMMERCE_PERSON_LEFT, .since = 86400,
        .upline = 1, .successor = 1, .transfer = COMMERCE_TRANSFER_FULL, .user = S("u-anna"), .identities = names,
        .identity_count = 2, .store = S("s1")
    };
    commerce_person_t        stray = { .number = 3, .id = S("stray"), .upline = 99 };
    commerce_person_t        heirless = { .number = 4, .id = S("heirless"), .successor = 99 };
    commerce_group_t         group = { .number = 1, .id = S("g1"), .leader = 1, .store = S("s1") };
    commerce_group_t         headless = { .number = 2, .id = S("g2"), .leader = 99 };
    commerce_room_t          room = { .number = 1, .id = S("r1"), .host = 2, .shifts = shifts, .shift_count = 1 };
    commerce_room_t          haunted = { .number = 2, .id = S("r2"), .shifts = nobodys, .shift_count = 1 };
    commerce_channel_t       channel = {
        .number = 1, .id = S("c1"), .seller = 2, .group = 1, .field = COMMERCE_FIELD_MESSAGE,
        .origin = COMMERCE_ORIGIN_PUBLIC, .platform = S("wecom")
    };
    commerce_channel_t       lost = { .number = 2, .id = S("c2"), .group = 99 };
    commerce_landing_t       landing = { .number = 1, .id = S("autumn"), .path = S("/p?a=b") };
    commerce_retail_store_t  store = { .id = S("s/1"), .name = S("Nanjing Road"), .closed = true };

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_person_write(&txn, shop, &rosa, 0, NULL);
    commerce_person_write(&txn, shop, &anna, 0, NULL);
    commerce_person_write(&txn, shop, &stray, 0, NULL);
    commerce_person_write(&txn, shop, &heirless, 0, NULL);
    commerce_group_write(&txn, shop, &group, 0);
    commerce_group_write(&txn, shop, &headless, 0);
    commerce_room_write(&txn, shop, &room, 0);
    commerce_room_write(&txn, shop, &haunted, 0);
    commerce_channel_write(&txn, shop, &channel, 0);
    commerce_channel_write(&txn, shop, &lost, 0);
    commerce_landing_write(&txn, shop, &landing, 0);
    commerce_retail_store_write(&txn, shop, &store, 0);
    temp_store_apply(&txn);
    is_int(txn.result, COMMERCE_TXN_APPLIED, "a directory");
}


static commerce_str_t
read_text(commerce_directory_kind_t kind, const char *id)
{
    int64_t                      n;
    uint64_t                     version;
    commerce_write_t             w;
    commerce_directory_entry_t   entry;
    static char                  out[COMMERCE_DIRECTORY_JSON_MAX];

    switch (commerce_directory_entry_read(&reader, kind, commerce_cstr(id), &entry, &version)) {
    case COMMERCE_OK:
        break;
    case COMMERCE_ABSENT:
        return S("absent");
    default:
        return S("unreadable");
    }

    ok(version != 0, "%s has a version", id);

    commerce_write_start(&w, out, sizeof(out));
    commerce_directory_write(&w, &entry);
    n = commerce_write_finish(&w);

    return (commerce_str_t) { out, n < 0 ? 0 : (size_t) n };
}


static void
test_read(void)
{
    is_str(read_text(COMMERCE_DIRECTORY_PERSON, "rosa"),
           "{\"kind\":\"person\",\"id\":\"rosa\",\"role\":\"koc\",\"status\":\"active\"}", "a person");
    is_str(read_text(COMMERCE_DIRECTORY_PERSON, "anna"),
           "{\"kind\":\"person\",\"id\":\"anna\",\"role\":\"customer\",\"status\":\"left\","
           "\"since\":\"1970-01-02T00:00:00Z\",\"upline\":\"rosa\",\"successor\":\"rosa\",\"transfer\":\"full\","
           "\"user\":\"u-anna\",\"identities\":[\"spread:77\",\"wx\"],\"store\":\"s1\"}", "one with everything");
    is_str(read_text(COMMERCE_DIRECTORY_GROUP, "g1"),
           "{\"kind\":\"group\",\"id\":\"g1\",\"leader\":\"rosa\",\"store\":\"s1\"}", "a group");
    is_str(read_text(COMMERCE_DIRECTORY_ROOM, "r1"),
           "{\"kind\":\"room\",\"id\":\"r1\",\"host\":\"anna\",\"schedule\":[{\"start\":\"1970-01-01T01:00:00Z\","
           "\"end\":\"1970-01-01T02:00:00Z\",\"host\":\"rosa\"}]}", "a room");
    is_str(read_text(COMMERCE_DIRECTORY_CHANNEL, "c1"),
           "{\"kind\":\"channel\",\"id\":\"c1\",\"seller\":\"anna\",\"group\":\"g1\",\"field\":\"message\","
           "\"origin\":\"public\",\"platform\":\"wecom\"}", "a channel");
    is_str(read_text(COMMERCE_DIRECTORY_LANDING, "autumn"),
           "{\"kind\":\"landing\",\"id\":\"autumn\",\"path\":\"/p?a=b\"}", "a landing");
    is_str(read_text(COMMERCE_DIRECTORY_RETAIL_STORE, "s/1"),
           "{\"kind\":\"retail_store\",\"id\":\"s/1\",\"name\":\"Nanjing Road\",\"closed\":true}", "a retail store");
}


/* who is named and is not there: half of a record is not handed out as the whole */

static void
test_unreadable(void)
{
    unsigned  kind;

    is_str(read_text(COMMERCE_DIRECTORY_PERSON, "stray"), "unreadable", "an upline who is not there");
    is_str(read_text(COMMERCE_DIRECTORY_PERSON, "heirless"), "unreadable", "a successor who is not there");
    is_str(read_text(COMMERCE_DIRECTORY_GROUP, "g2"), "unreadable", "a leader who is not there");
    is_str(read_text(COMMERCE_DIRECTORY_ROOM, "r2"), "unreadable", "a shift's host who is not there");
    is_str(read_text(COMMERCE_DIRECTORY_CHANNEL, "c2"), "unreadable", "a group that is not there");

    for (kind = 0; kind < COMMERCE_DIRECTORY_KINDS; kind++) {
        is_str(read_text(kind, "zed"), "absent", "no %s of this id", commerce_directory_kind_name(kind));
    }
}


int
main(void)
{
    temp_store_open();
    heap = commerce_heap_create();

    write_all();

    commerce_view_begin(temp_store, &view);
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };

    test_read();
    test_unreadable();

    commerce_view_end(view);
    commerce_heap_destroy(heap);
    temp_store_close();

    return done_testing();
}
