/*
 * Copyright (C) ngx_commerce authors
 */

#include "temp_store.h"
#include "commerce_directory_put.h"


#define S(s)     commerce_string(s)
#define NOW      1800000000
#define CREATED  COMMERCE_DIRECTORY_CREATED
#define CHANGED  COMMERCE_DIRECTORY_CHANGED
#define SAME     COMMERCE_DIRECTORY_UNCHANGED
#define REFUSED  COMMERCE_DIRECTORY_REFUSED

static const commerce_str_t  shop = { "demo", 4 };

static commerce_heap_t   *heap;
static char               said[4096];
static commerce_tiers_t   tiers;
static uint64_t           number;


static void
say(void *data, const char *sentence)
{
    size_t  used = strlen(said);

    (void) data;
    snprintf(said + used, sizeof(said) - used, "%s%s", used != 0 ? "; " : "", sentence);
}


/* judged by what the store has now, and not applied */

static commerce_directory_outcome_t
judge(commerce_txn_t *txn, commerce_view_t **view, const char *json)
{
    commerce_reader_t             reader;
    commerce_directory_put_t      put = { .reader = &reader, .txn = txn, .tiers = tiers, .now = NOW, .say = say };
    commerce_directory_entry_t    entry;
    commerce_directory_outcome_t  outcome;

    said[0] = '\0';
    commerce_txn_init(txn, commerce_heap_arena(heap));

    if (commerce_directory_parse(commerce_heap_arena(heap), commerce_cstr(json), &entry, say, NULL) != COMMERCE_OK) {
        return COMMERCE_DIRECTORY_FAILED;
    }

    commerce_view_begin(temp_store, view);
    reader = (commerce_reader_t) { *view, commerce_heap_arena(heap), shop };
    outcome = commerce_directory_put(&put, &entry, &number);
    commerce_view_end(*view);

    return outcome;
}


static commerce_directory_outcome_t
put(const char *json)
{
    commerce_txn_t                txn;
    commerce_view_t              *view;
    commerce_directory_outcome_t  outcome;

    outcome = judge(&txn, &view, json);

    if (outcome == CREATED || outcome == CHANGED) {
        is_int(temp_store_apply(&txn), COMMERCE_TXN_APPLIED, "applied: %s", json);
    }

    return outcome;
}


static commerce_directory_outcome_t
drop(commerce_directory_kind_t kind, const char *id)
{
    commerce_txn_t                txn;
    commerce_view_t              *view;
    commerce_reader_t             reader;
    commerce_directory_put_t      work = { .reader = &reader, .txn = &txn, .now = NOW, .say = say };
    commerce_directory_outcome_t  outcome;

    said[0] = '\0';
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_view_begin(temp_store, &view);
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };
    outcome = commerce_directory_remove(&work, kind, commerce_cstr(id));
    commerce_view_end(view);

    if (outcome == COMMERCE_DIRECTORY_REMOVED) {
        is_int(temp_store_apply(&txn), COMMERCE_TXN_APPLIED, "removed: %s", id);
    }

    return outcome;
}


static void
test_kinds(void)
{
    unsigned     i;
    uint64_t     first;

    static const struct {
        const char  *json, *other;
    } kinds[] = {
        { "{\"kind\":\"person\",\"id\":\"rosa\",\"role\":\"koc\",\"user\":\"u\",\"identities\":[\"a\",\"b\"]}",
          "{\"kind\":\"person\",\"id\":\"rosa\",\"role\":\"koc\",\"user\":\"u\",\"identities\":[\"b\",\"a\"]}" },
        { "{\"kind\":\"group\",\"id\":\"g\",\"leader\":\"rosa\"}", "{\"kind\":\"group\",\"id\":\"g\",\"store\":\"s\"}" },
        { "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"2027-01-01T00:00:00Z\",\"end\":\"2027-01-02T00:00:00Z\","
          "\"host\":\"rosa\"}]}",
          "{\"kind\":\"room\",\"id\":\"r\",\"schedule\":[{\"start\":\"2027-01-01T00:00:00Z\",\"end\":\"2027-01-03T00:00:00Z\","
          "\"host\":\"rosa\"}]}" },
        { "{\"kind\":\"channel\",\"id\":\"c\",\"seller\":\"rosa\",\"group\":\"g\",\"field\":\"offline\"}",
          "{\"kind\":\"channel\",\"id\":\"c\",\"seller\":\"rosa\",\"group\":\"g\",\"origin\":\"public\"}" },
        { "{\"kind\":\"landing\",\"id\":\"l\",\"path\":\"/p\"}", "{\"kind\":\"landing\",\"id\":\"l\"}" },
        { "{\"kind\":\"retail_store\",\"id\":\"s\",\"name\":\"n\"}", "{\"kind\":\"retail_store\",\"id\":\"s\",\"closed\":true}" },
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        is_int(put(kinds[i].json), CREATED, "a new one");
        first = number;
        is_int(put(kinds[i].json), SAME, "the same");
        is_int(put(kinds[i].other), CHANGED, "another");
        is_int(number, first, "... under its number");
        is_int(put(kinds[i].json), CHANGED, "and back");
        is_int(first != 0, i != 5, "all but retail stores have a number");
    }
}


static void
test_names(void)
{
    is_int(put("{\"kind\":\"person\",\"id\":\"x\",\"user\":\"b\"}"), REFUSED, "another's name");
    is_str(commerce_cstr(said), "name \"b\" is person \"rosa\": one name is one person", "... is said");
    is_int(put("{\"kind\":\"channel\",\"id\":\"x\",\"seller\":\"no\",\"group\":\"no\"}"), REFUSED, "nobody's channel");
    is_str(commerce_cstr(said), "member \"seller\" is \"no\", and there is no such person;"
           " member \"group\" is \"no\", and there is no such group", "... all is said");
    is_int(put("{\"kind\":\"room\",\"id\":\"x\",\"host\":\"no\"}"), REFUSED, "nobody's room");
    is_int(put("{\"kind\":\"person\",\"id\":\"x\",\"store\":\"no\"}"), CREATED, "a store is a name");
}


static void
test_trees(void)
{
    unsigned  i;
    char      json[128];

    is_int(put("{\"kind\":\"person\",\"id\":\"rosa\",\"upline\":\"rosa\"}"), REFUSED, "under himself");
    is_int(put("{\"kind\":\"person\",\"id\":\"d2\",\"upline\":\"rosa\"}"), CREATED, "two deep");
    is_int(put("{\"kind\":\"person\",\"id\":\"d3\",\"upline\":\"d2\"}"), REFUSED, "three deep");
    is_str(commerce_cstr(said), "member \"upline\" would make the person 3 deep: 2 are allowed", "... is said");
    is_int(put("{\"kind\":\"person\",\"id\":\"rosa\",\"upline\":\"x\"}"), REFUSED, "who recruited is not moved down");
    is_int(put("{\"kind\":\"person\",\"id\":\"staff\",\"role\":\"staff\",\"upline\":\"d2\"}"), CREATED, "staff is a root");
    is_int(put("{\"kind\":\"person\",\"id\":\"s2\",\"upline\":\"staff\"}"), CREATED, "... that recruits");
    is_int(put("{\"kind\":\"person\",\"id\":\"rosa\",\"upline\":\"s2\"}"), REFUSED, "a loop over the salaried");
    is_str(commerce_cstr(said), "member \"upline\" leads back to the person after 4 steps", "... is one, too");

    tiers = COMMERCE_TIERS_PAY;

    for (i = 1; i <= COMMERCE_LINEAGE_WALK + 1; i++) {
        snprintf(json, sizeof(json), i == 1 ? "{\"kind\":\"person\",\"id\":\"k%u\"}"
                 : "{\"kind\":\"person\",\"id\":\"k%u\",\"upline\":\"k%u\"}", i, i - 1);
        is_int(put(json), CREATED, "%u deep", i);
    }

    is_int(put("{\"kind\":\"person\",\"id\":\"k66\",\"upline\":\"k65\"}"), REFUSED, "no walk goes up so far");
    is_str(commerce_cstr(said), "member \"upline\" leads up for more than 64 steps", "... is said");
    is_int(put("{\"kind\":\"person\",\"id\":\"k1\",\"upline\":\"k3\"}"), REFUSED, "a loop");

    tiers = COMMERCE_TIERS_STRICT;
    is_int(put("{\"kind\":\"person\",\"id\":\"k40\",\"upline\":\"k39\",\"user\":\"uk\"}"), CHANGED, "who stays where he is");
}


static void
test_since(void)
{
    commerce_person_t  left = { .status = COMMERCE_PERSON_LEFT, .since = 5 };

    is_int(commerce_directory_since(COMMERCE_PERSON_ACTIVE, 0, &left, NOW), 0, "active");
    is_int(commerce_directory_since(COMMERCE_PERSON_ACTIVE, 7, NULL, NOW), 7, "... as it is said");
    is_int(commerce_directory_since(COMMERCE_PERSON_LEFT, 0, NULL, NOW), NOW, "left now");
    is_int(commerce_directory_since(COMMERCE_PERSON_LEFT, 0, &left, NOW), 5, "left before");
    is_int(commerce_directory_since(COMMERCE_PERSON_LEFT, 7, &left, NOW), 7, "... as it is said");
    is_int(commerce_directory_since(COMMERCE_PERSON_CLEARED, 0, &left, NOW), NOW, "another status");
}


/* two that are right alone, and judged before either is applied */

static void
race(const char *one, const char *other, const char *name)
{
    commerce_txn_t    first, second;
    commerce_view_t  *view;

    ok(judge(&first, &view, one) <= CHANGED, "%s: one", name);
    ok(judge(&second, &view, other) <= CHANGED, "%s: the other", name);
    is_int(temp_store_apply(&first), COMMERCE_TXN_APPLIED, "%s: applied", name);
    is_int(temp_store_apply(&second), COMMERCE_TXN_CONFLICT, "%s: not both", name);
}


static void
test_races(void)
{
    put("{\"kind\":\"person\",\"id\":\"a\"}");
    put("{\"kind\":\"person\",\"id\":\"b\"}");
    put("{\"kind\":\"person\",\"id\":\"c\"}");

    race("{\"kind\":\"person\",\"id\":\"a\",\"upline\":\"b\"}", "{\"kind\":\"person\",\"id\":\"b\",\"upline\":\"a\"}", "a loop");
    put("{\"kind\":\"person\",\"id\":\"a\"}");

    race("{\"kind\":\"person\",\"id\":\"a\",\"upline\":\"b\"}", "{\"kind\":\"person\",\"id\":\"b\",\"upline\":\"c\"}",
         "somebody is recruited by one who is moved down");
    race("{\"kind\":\"person\",\"id\":\"c\",\"user\":\"same\"}", "{\"kind\":\"person\",\"id\":\"new\",\"user\":\"same\"}",
         "one name");
    race("{\"kind\":\"landing\",\"id\":\"n\"}", "{\"kind\":\"landing\",\"id\":\"n\",\"path\":\"/\"}", "two new ones");
}


static void
test_remove(void)
{
    uint64_t  first;

    put("{\"kind\":\"landing\",\"id\":\"gone\"}");
    first = number;

    is_int(drop(COMMERCE_DIRECTORY_LANDING, "gone"), COMMERCE_DIRECTORY_REMOVED, "a landing");
    is_int(drop(COMMERCE_DIRECTORY_LANDING, "gone"), COMMERCE_DIRECTORY_ABSENT, "... is gone");
    is_int(put("{\"kind\":\"landing\",\"id\":\"gone\"}"), CREATED, "... is made again");
    ok(number > first, "... under another number");
    is_int(drop(COMMERCE_DIRECTORY_RETAIL_STORE, "s"), COMMERCE_DIRECTORY_REMOVED, "a retail store");
    is_int(drop(COMMERCE_DIRECTORY_RETAIL_STORE, "s"), COMMERCE_DIRECTORY_ABSENT, "... is gone");
    is_int(drop(COMMERCE_DIRECTORY_PERSON, "a"), REFUSED, "no person");
    is_int(drop(COMMERCE_DIRECTORY_GROUP, "g"), REFUSED, "no group");
    is_int(drop(COMMERCE_DIRECTORY_CHANNEL, "nothing"), REFUSED, "nor a channel that is not there");
}


/* who stands under one who is not there cannot be judged */

static void
test_damaged(void)
{
    commerce_txn_t     txn;
    commerce_person_t  stray = { .number = 1000000, .id = S("stray"), .upline = 999999 };

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_person_write(&txn, shop, &stray, 0, NULL);
    is_int(temp_store_apply(&txn), COMMERCE_TXN_APPLIED, "a stray person");

    is_int(put("{\"kind\":\"person\",\"id\":\"y\",\"upline\":\"stray\"}"), COMMERCE_DIRECTORY_FAILED, "cannot be judged");
}


int
main(void)
{
    temp_store_open();
    heap = commerce_heap_create();

    test_kinds();
    test_names();
    test_trees();
    test_since();
    test_races();
    test_remove();
    test_damaged();

    commerce_heap_destroy(heap);
    temp_store_close();

    return done_testing();
}
