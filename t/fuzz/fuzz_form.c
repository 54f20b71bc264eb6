/*
 * Copyright (C) ngx_commerce authors
 *
 * libFuzzer target: a hostile form.  What is taken has one canonical text, which says the same.
 */

#include <stdlib.h>

#include "commerce_form.h"

static void fuzz_check(bool condition);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                i;
    commerce_str_t          text, canonical;
    commerce_form_t         form, again;
    commerce_heap_t        *heap;
    commerce_arena_t       *arena;
    commerce_reason_t       reason;
    const commerce_str_t   *found;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return 0;
    }

    arena = commerce_heap_arena(heap);
    text = (commerce_str_t) { (const char *) data, size };
    reason = commerce_form_parse(arena, text, &form);

    if (reason == COMMERCE_R(OK)) {
        fuzz_check(form.count <= COMMERCE_FORM_FIELDS);

        for (i = 0; i < form.count; i++) {
            found = commerce_form_find(&form, form.fields[i].name);
            fuzz_check(found == &form.fields[i].value);
            fuzz_check(found->len == 0 || memchr(found->data, '\0', found->len) == NULL);
        }

        canonical = commerce_form_canonical(arena, &form, commerce_string(""));
        fuzz_check(commerce_form_parse(arena, canonical, &again) == COMMERCE_R(OK)
                   && again.count == form.count);

        for (i = 0; i < form.count; i++) {
            fuzz_check(commerce_equal(again.fields[i].name, form.fields[i].name)
                       && commerce_equal(again.fields[i].value, form.fields[i].value));
        }

    } else {
        fuzz_check(reason == COMMERCE_R(BODY_MALFORMED) || reason == COMMERCE_R(BODY_DUPLICATE_MEMBER));
    }

    commerce_heap_destroy(heap);

    return 0;
}


static void
fuzz_check(bool condition)
{
    if (!condition) {
        abort();
    }
}
