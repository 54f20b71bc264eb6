/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_directory_json.h"


static commerce_heap_t   *heap;
static commerce_arena_t  *arena;
static char               said[4096];


static void
hear(void *data, const char *sentence)
{
    strncat(said, sentence, sizeof(said) - strlen(said) - 2);
    strncat(said, "\n", 2);
}


static int
parse(const char *json, commerce_directory_entry_t *entry)
{
    said[0] = '\0';
    return commerce_directory_parse(arena, commerce_cstr(json), entry, hear, NULL);
}


static const char *
written(const commerce_directory_entry_t *entry)
{
    int64_t           n;
    commerce_write_t  w;
    static char       out[COMMERCE_DIRECTORY_JSON_MAX + 1];

    commerce_write_start(&w, out, COMMERCE_DIRECTORY_JSON_MAX);
    commerce_directory_write(&w, entry);
    n = commerce_write_finish(&w);
    out[n < 0 ? 0 : n] = '\0';

    return out;
}


/* what is written is what was read */

static void
test_round_trips(void)
{
    unsigned                    i;
    commerce_directory_entry_t  entry;

    static const char *const  texts[] = {
        "{\"kind\":\"person\",\"id\":\"anna\",\"role\":\"koc\",\"status\":\"cleared\",\"since\":\"2026-11-01T00:00:00Z\","
        "\"upline\":\"rosa\",\"successor\":\"lina\",\"transfer\":\"refused\",\"user\":\"u-anna\","
        "\"identities\":[\"spread:77\",\"o\\\"1\"],\"store\":\"s1\"}",
        "{\"kind\":\"person\",\"id\":\"anna\",\"role\":\"guide\",\"status\":\"active\"}",
        "{\"kind\":\"group\",\"id\":\"g1\",\"leader\":\"rosa\",\"store\":\"s1\"}",
        "{\"kind\":\"group\",\"id\":\"\xe7\xbe\xa4\"}",
        "{\"kind\":\"room\",\"id\":\"live1\",\"host\":\"lina\",\"schedule\":["
        "{\"start\":\"2026-11-01T12:00:00Z\",\"end\":\"2026-11-01T14:00:00Z\",\"host\":\"anna\"},"
        "{\"start\":\"2026-11-01T14:00:00Z\",\"end\":\"2026-11-01T15:00:00Z\",\"host\":\"rosa\"}]}",
        "{\"kind\":\"room\",\"id\":\"live1\"}",
        ("{\"kind\":\"channel\",\"id\":\"poster\",\"seller\":\"anna\",\"group\":\"g1\",\"field\":\"public_commerce\","
         "\"origin\":\"private\",\"platform\":\"wecom\"}"),
        "{\"kind\":\"channel\",\"id\":\"poster\"}",
        "{\"kind\":\"landing\",\"id\":\"autumn\",\"path\":\"/pages/autumn?a=1\"}",
        "{\"kind\":\"landing\",\"id\":\"autumn\"}",
        "{\"kind\":\"retail_store\",\"id\":\"s1\",\"name\":\"Nanjing Road\",\"closed\":true}",
        "{\"kind\":\"retail_store\",\"id\":\"s1\",\"closed\":false}"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is_int(parse(texts[i], &entry), COMMERCE_OK, "taken: %s", texts[i]);
        is_str(commerce_cstr(said), "", "and nothing is said");
        is_str(commerce_cstr(written(&entry)), texts[i], "and written as it was");
    }
}


static void
test_defaults(void)
{
    commerce_directory_entry_t  entry;

    is_int(parse("{\"kind\":\"person\",\"id\":\"anna\"}", &entry), COMMERCE_OK, "an id is enough for a person");
    is_int(entry.kind, COMMERCE_DIRECTORY_PERSON, "person");
    is_int(entry.role, COMMERCE_ROLE_CUSTOMER, "a customer");
    is_int(entry.status, COMMERCE_PERSON_ACTIVE, "who is active");
    is_int(entry.transfer, COMMERCE_TRANSFER_PENDING, "transfer pending");
    is_int(entry.since, 0, "nobody knows since when");
    ok(entry.upline.len == 0 && entry.user.len == 0 && entry.identity_count == 0, "nobody's recruit, no buyer");

    is_int(parse("{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[]}", &entry), COMMERCE_OK, "a schedule without shifts");
    is_str(commerce_cstr(written(&entry)), "{\"kind\":\"room\",\"id\":\"r\"}", "is none");

    is_int(parse("{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"2026-11-01T20:00:00+08:00\","
                 "\"end\":\"2026-11-01T22:00:00+08:00\",\"host\":\"h\"}]}", &entry), COMMERCE_OK, "another zone's times");
    is_int(entry.shifts[0].end - entry.shifts[0].start, 7200, "two hours");
    ok(strstr(written(&entry), "\"start\":\"2026-11-01T12:00:00Z\"") != NULL, "are written in UTC");
}


#define SHIFT(start, end)  "{\"start\":\"2026-11-01T" start ":00:00Z\",\"end\":\"2026-11-01T" end ":00:00Z\",\"host\":\"h\"}"

static void
test_refused(void)
{
    unsigned                    i;
    commerce_directory_entry_t  entry;

    static const struct {
        const char  *json, *says;
    } cases[] = {
        { "", "not valid JSON" },
        { "{\"kind\":\"group\",\"id\":\"g\"}{}", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{\"id\":\"g\"}", "member \"kind\" is missing" },
        { "{\"kind\":\"group\"}", "member \"id\" is missing" },
        { "{\"kind\":\"shop\",\"id\":\"g\"}", "member \"kind\" is \"shop\"; allowed is \"retail_store\", \"person\"" },
        { "{\"kind\":7,\"id\":\"g\"}", "member \"kind\" is 7" },
        { "{\"kind\":\"group\",\"kind\":\"group\",\"id\":\"g\"}", "member \"kind\" stands there twice" },
        { "{\"kind\":\"group\",\"id\":\"g\",\"id\":\"g\"}", "member \"id\" stands there twice" },
        { "{\"kind\":\"group\",\"id\":7}", "member \"id\" is 7; allowed is a string of 1 to 128 bytes" },
        { "{\"kind\":\"group\",\"id\":\"\"}", "member \"id\" is \"\"" },
        { "{\"kind\":\"group\",\"id\":\"a\\nb\"}", "member \"id\" is " },
        { "{\"kind\":\"group\",\"id\":\"g\",\"number\":1}", "member \"number\" is unknown" },
        { "{\"kind\":\"group\",\"id\":\"g\",\"host\":\"anna\"}", "member \"host\" is unknown" },
        { "{\"kind\":\"group\",\"id\":\"g\",\"leader\":5}", "member \"leader\" is 5" },
        { "{\"kind\":\"group\",\"id\":\"g\",\"leader\":null}", "member \"leader\" is null" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"role\":\"boss\"}", "member \"role\" is \"boss\"; allowed is employee" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"status\":1}", "member \"status\" is 1; allowed is active" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"transfer\":\"\"}", "member \"transfer\" is \"\"; allowed is pending" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"since\":\"today\"}", "member \"since\" is \"today\"; allowed is a time" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"identities\":\"a\"}", "member \"identities\" is \"a\"; allowed is a list" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"identities\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]}",
          "allowed is a list of at most 7 names" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"identities\":[\"a\",7]}", "member \"identities/1\" is 7" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"identities\":[\"a\",\"b\",\"a\"]}",
          "member \"identities/2\" is a name that this person has already" },
        { "{\"kind\":\"person\",\"id\":\"p\",\"user\":\"a\",\"identities\":[\"a\"]}",
          "member \"identities/0\" is a name that this person has already" },
        { "{\"kind\":\"channel\",\"id\":\"c\",\"field\":\"\"}", "member \"field\" is \"\"; allowed is offline" },
        { "{\"kind\":\"channel\",\"id\":\"c\",\"origin\":\"own\"}", "member \"origin\" is \"own\"; allowed is public" },
        { "{\"kind\":\"retail_store\",\"id\":\"s\",\"closed\":\"true\"}", "member \"closed\" is \"true\"" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":{}}", "allowed is a list of at most 64 shifts" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[\"h\"]}", "member \"schedule/0\" is \"h\"; allowed is {" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"x\",\"end\":\"2026-11-01T01:00:00Z\","
          "\"host\":\"h\"}]}", "member \"schedule/0/start\" is \"x\"" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"2026-11-01T00:00:00Z\",\"host\":\"h\"}]}",
          "member \"schedule/0/end\" is missing" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"2026-11-01T00:00:00Z\","
          "\"end\":\"2026-11-01T01:00:00Z\",\"host\":\"h\",\"number\":1}]}", "member \"schedule/0/number\" is unknown" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[" SHIFT("02", "02") "]}",
          "member \"schedule/0\" does not end after its start" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[" SHIFT("02", "04") "," SHIFT("03", "05") "]}",
          "member \"schedule/1\" begins before the one before it has ended" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(parse(cases[i].json, &entry), COMMERCE_ERROR, "refused: %s", cases[i].json);
        ok(strstr(said, cases[i].says) != NULL, "and says: %s", cases[i].says);
    }

    is_int(parse("{\"kind\":\"person\",\"role\":\"boss\",\"status\":\"ill\",\"number\":3}", &entry), COMMERCE_ERROR,
           "several things are wrong");
    ok(strstr(said, "\"role\"") != NULL && strstr(said, "\"status\"") != NULL && strstr(said, "\"number\"") != NULL
       && strstr(said, "\"id\" is missing") != NULL, "all of them are said");
}


/* the longest record of all fits into what the header promises */

static void
test_longest(void)
{
    char                        quotes[COMMERCE_ID_MAX];
    unsigned                    i;
    commerce_str_t              id = { quotes, sizeof(quotes) };
    commerce_directory_shift_t  shifts[COMMERCE_SHIFTS_MAX];
    commerce_directory_entry_t  entry, again;

    memset(quotes, '"', sizeof(quotes));
    memset(&entry, 0, sizeof(entry));
    entry.kind = COMMERCE_DIRECTORY_ROOM;
    entry.id = id;
    entry.person = id;
    entry.shifts = shifts;
    entry.shift_count = COMMERCE_SHIFTS_MAX;

    for (i = 0; i < COMMERCE_SHIFTS_MAX; i++) {
        shifts[i] = (commerce_directory_shift_t) { i * 3600, (i + 1) * 3600, id };
    }

    is_int(parse(written(&entry), &again), COMMERCE_OK, "the longest room is read back");
    is_int(again.shift_count, COMMERCE_SHIFTS_MAX, "with all shifts");
    ok(commerce_equal(again.shifts[COMMERCE_SHIFTS_MAX - 1].host, id), "and hosts");
}


static void
test_kinds(void)
{
    unsigned                   i;
    commerce_directory_kind_t  kind;

    for (i = 0; i < COMMERCE_DIRECTORY_KINDS; i++) {
        ok(commerce_directory_kind_parse(commerce_cstr(commerce_directory_kind_name(i)), &kind) == COMMERCE_OK
           && kind == i, "kind %s is found by its name", commerce_directory_kind_name(i));
    }

    is_int(commerce_directory_kind_parse(commerce_string("people"), &kind), COMMERCE_ERROR, "people is none");
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_round_trips();
    test_defaults();
    test_refused();
    test_longest();
    test_kinds();

    commerce_heap_destroy(heap);

    return done_testing();
}
