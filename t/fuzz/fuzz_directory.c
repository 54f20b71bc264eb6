/*
 * Copyright (C) ngx_commerce authors
 *
 * libFuzzer target: a line of a directory's import, a body of commerce_admin.  What can be read is written, read again
 * as the same, and its members are those of the text.
 */

#include <stdlib.h>

#include "commerce_directory_json.h"

static void fuzz_say(void *data, const char *sentence);
static void fuzz_entry(commerce_arena_t *arena, const commerce_directory_entry_t *entry);
static void fuzz_id(commerce_str_t id, bool optional);
static commerce_str_t fuzz_write(char *buffer, const commerce_directory_entry_t *entry);
static void fuzz_members(commerce_arena_t *arena, commerce_str_t text);
static void fuzz_check(bool condition);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                     said;
    commerce_heap_t             *heap;
    commerce_directory_entry_t   entry;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return 0;
    }

    said = 0;

    if (commerce_directory_parse(commerce_heap_arena(heap), (commerce_str_t) { (const char *) data, size }, &entry,
                                 fuzz_say, &said)
        == COMMERCE_OK)
    {
        fuzz_check(said == 0);
        fuzz_entry(commerce_heap_arena(heap), &entry);

    } else {
        fuzz_check(said != 0);
    }

    commerce_heap_destroy(heap);

    return 0;
}


static void
fuzz_say(void *data, const char *sentence)
{
    unsigned  *said = data;

    fuzz_check(*sentence != '\0' && strchr(sentence, '\n') == NULL);
    (*said)++;
}


static void
fuzz_entry(commerce_arena_t *arena, const commerce_directory_entry_t *entry)
{
    unsigned                     i, said;
    commerce_str_t               once, twice;
    commerce_directory_entry_t   again;
    static char                  first[COMMERCE_DIRECTORY_JSON_MAX], second[COMMERCE_DIRECTORY_JSON_MAX];

    fuzz_id(entry->id, false);
    fuzz_id(entry->upline, true);
    fuzz_id(entry->user, true);
    fuzz_check(entry->identity_count <= COMMERCE_IDENTITIES_MAX && entry->shift_count <= COMMERCE_SHIFTS_MAX);

    for (i = 0; i < entry->shift_count; i++) {
        fuzz_id(entry->shifts[i].host, false);
        fuzz_check(entry->shifts[i].start < entry->shifts[i].end);
        fuzz_check(i == 0 || entry->shifts[i - 1].end <= entry->shifts[i].start);
    }

    said = 0;
    once = fuzz_write(first, entry);

    fuzz_check(commerce_directory_parse(arena, once, &again, fuzz_say, &said) == COMMERCE_OK);
    fuzz_check(commerce_directory_same(entry, &again));

    twice = fuzz_write(second, &again);

    fuzz_check(commerce_equal(once, twice));
    fuzz_members(arena, once);
}


static void
fuzz_id(commerce_str_t id, bool optional)
{
    fuzz_check((optional && id.len == 0) || commerce_id_valid(id));
}


static commerce_str_t
fuzz_write(char *buffer, const commerce_directory_entry_t *entry)
{
    int64_t           n;
    commerce_write_t  w;

    commerce_write_start(&w, buffer, COMMERCE_DIRECTORY_JSON_MAX);
    commerce_directory_write(&w, entry);
    n = commerce_write_finish(&w);

    fuzz_check(n > 0 && memchr(buffer, '\n', (size_t) n) == NULL);

    return (commerce_str_t) { buffer, (size_t) n };
}


static void
fuzz_members(commerce_arena_t *arena, commerce_str_t text)
{
    unsigned          count;
    commerce_str_t    rest, name, value;
    commerce_json_t  *root, *member, *found;

    fuzz_check(commerce_json_parse(arena, text, &root) == COMMERCE_R(OK));

    member = commerce_json_first(root);

    for (rest = text, count = 0; commerce_directory_member(&rest, &name, &value); count++) {
        fuzz_check(member != NULL && commerce_equal(name, commerce_json_name(member)));
        fuzz_check(commerce_json_parse(arena, value, &found) == COMMERCE_R(OK));
        member = commerce_json_next(member);
    }

    fuzz_check(count == commerce_json_count(root));
}


static void
fuzz_check(bool condition)
{
    if (!condition) {
        abort();
    }
}
