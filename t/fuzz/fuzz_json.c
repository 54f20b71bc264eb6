/*
 * Copyright (C) ngx_commerce authors
 *
 * libFuzzer target: a hostile body.  A first line that begins with '/' is a pointer.
 */

#include <stdlib.h>

#include "commerce_amount.h"
#include "commerce_json.h"

static void fuzz_check(bool condition);
static void fuzz_node(commerce_json_t *node, unsigned depth);
static void fuzz_find(commerce_json_t *root, commerce_str_t pointer);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                rounded;
    size_t              i;
    commerce_fen_t      fen;
    commerce_str_t      text, pointer;
    commerce_heap_t    *heap;
    commerce_json_t    *root;
    commerce_reason_t   reason;

    static const char *pointers[] = {
        "", "/a", "/a/b", "/a/0/b", "/items/0/sku_id", "/~0~1", "/-"
    };

    text = (commerce_str_t) { (const char *) data, size };
    pointer = commerce_string("");

    if (size > 0 && data[0] == '/') {
        for (i = 0; i < size && data[i] != '\n'; i++) { /* void */ }

        pointer.data = text.data;
        pointer.len = i;
        text.data += i;
        text.len -= i;
    }

    (void) commerce_amount_parse(text, COMMERCE_UNIT_YUAN, &fen, &rounded);

    heap = commerce_heap_create();
    if (heap == NULL) {
        return 0;
    }

    reason = commerce_json_parse(commerce_heap_arena(heap), text, &root);

    if (reason == COMMERCE_R(OK)) {
        fuzz_node(root, 0);
        fuzz_find(root, pointer);

        for (i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
            fuzz_find(root, commerce_cstr(pointers[i]));
        }

    } else {
        fuzz_check(reason == COMMERCE_R(BODY_MALFORMED) && root == NULL);
    }

    commerce_heap_destroy(heap);

    return 0;
}


static void
fuzz_node(commerce_json_t *node, unsigned depth)
{
    bool              rounded;
    unsigned          count;
    commerce_fen_t    fen;
    commerce_str_t    text, name;
    commerce_json_t  *child;

    fuzz_check(depth <= COMMERCE_JSON_DEPTH);

    if (commerce_json_text(node, &text) == COMMERCE_R(OK)) {
        fuzz_check(commerce_json_is(node, text));
        fuzz_check(memchr(text.data, '\0', text.len) == NULL);

        if (commerce_json_is_number(node)) {
            fuzz_check(text.len >= 1 && text.len <= 64);
        }

        if (commerce_amount_parse(text, COMMERCE_UNIT_FEN, &fen, &rounded) == COMMERCE_OK) {
            fuzz_check(fen >= 0 && fen <= COMMERCE_FEN_MAX);
        }
    }

    count = 0;

    for (child = commerce_json_first(node); child; child = commerce_json_next(child)) {
        name = commerce_json_name(child);
        fuzz_check(name.len == 0 || commerce_json_is_object(node));
        fuzz_check(name.len == 0 || name.data[0] != '\b');
        fuzz_node(child, depth + 1);
        count++;
    }

    fuzz_check(count == commerce_json_count(node));
}


static void
fuzz_find(commerce_json_t *root, commerce_str_t pointer)
{
    bool                valid;
    commerce_json_t    *found;
    commerce_reason_t   reason;

    valid = commerce_json_pointer_valid(pointer);
    reason = commerce_json_find(root, pointer, &found);

    fuzz_check(!valid || reason != COMMERCE_R(INTERNAL));
    fuzz_check(reason == COMMERCE_R(OK) || found == NULL);
}


static void
fuzz_check(bool condition)
{
    if (!condition) {
        abort();
    }
}
