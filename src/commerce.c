/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "commerce.h"


typedef struct commerce_heap_block_s  commerce_heap_block_t;

/* data is a block of its own, so that a sanitizer sees an overrun on either side */
struct commerce_heap_block_s {
    commerce_heap_block_t  *next;
    void                   *data;
};

struct commerce_heap_s {
    commerce_arena_t        arena;
    commerce_heap_block_t  *blocks;
};


static void *commerce_heap_alloc(void *owner, size_t size);
static bool commerce_utf8_tail(const uint8_t *p, size_t len);


void *
commerce_alloc(commerce_arena_t *arena, size_t size)
{
    void  *p;

    p = arena->alloc(arena->owner, size);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


commerce_str_t
commerce_copy(commerce_arena_t *arena, commerce_str_t s)
{
    char  *p;

    if (s.len == 0) {
        return commerce_string("");
    }

    p = arena->alloc(arena->owner, s.len);
    if (p == NULL) {
        return (commerce_str_t) { NULL, 0 };
    }

    memcpy(p, s.data, s.len);

    return (commerce_str_t) { p, s.len };
}


commerce_heap_t *
commerce_heap_create(void)
{
    commerce_heap_t  *heap;

    heap = calloc(1, sizeof(commerce_heap_t));
    if (heap == NULL) {
        return NULL;
    }

    heap->arena.alloc = commerce_heap_alloc;
    heap->arena.owner = heap;

    return heap;
}


commerce_arena_t *
commerce_heap_arena(commerce_heap_t *heap)
{
    return &heap->arena;
}


void
commerce_heap_destroy(commerce_heap_t *heap)
{
    commerce_heap_block_t  *block, *next;

    if (heap == NULL) {
        return;
    }

    for (block = heap->blocks; block != NULL; block = next) {
        next = block->next;
        free(block->data);
        free(block);
    }

    free(heap);
}


static void *
commerce_heap_alloc(void *owner, size_t size)
{
    commerce_heap_t        *heap = owner;
    commerce_heap_block_t  *block;

    block = malloc(sizeof(commerce_heap_block_t));
    if (block == NULL) {
        return NULL;
    }

    if (posix_memalign(&block->data, 16, size != 0 ? size : 1) != 0) {
        free(block);
        return NULL;
    }

    block->next = heap->blocks;
    heap->blocks = block;

    return block->data;
}


bool
commerce_id_valid(commerce_str_t id)
{
    size_t          len;
    const uint8_t  *p, *end;

    if (id.len == 0 || id.len > COMMERCE_ID_MAX) {
        return false;
    }

    p = (const uint8_t *) id.data;
    end = p + id.len;

    while (p < end) {
        if (end - p >= 8 && commerce_word_ascii(commerce_word(p))) {
            p += 8;
            continue;
        }

        if (*p >= 0x20 && *p < 0x7f) {
            p++;
            continue;
        }

        len = commerce_utf8_length(p, end);

        if (len == 0) {
            return false;
        }

        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) {
            return false;
        }

        p += len;
    }

    return true;
}


bool
commerce_shop_valid(commerce_str_t shop)
{
    char    c;
    size_t  i;

    if (shop.len == 0 || shop.len > COMMERCE_SHOP_MAX) {
        return false;
    }

    for (i = 0; i < shop.len; i++) {
        c = shop.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            return false;
        }
    }

    return true;
}


size_t
commerce_utf8_length(const uint8_t *p, const uint8_t *end)
{
    size_t   len;
    uint8_t  c, low, high;

    c = *p;
    low = 0x80;
    high = 0xbf;

    if (c < 0x80) {
        return 1;
    }

    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }

    len = (c < 0xe0) ? 2 : (c < 0xf0) ? 3 : 4;

    if ((size_t) (end - p) < len) {
        return 0;
    }

    /* the second byte rules out overlong forms, surrogates and what is beyond U+10FFFF */

    switch (c) {
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    default:
        break;
    }

    if (p[1] < low || p[1] > high) {
        return 0;
    }

    return commerce_utf8_tail(p + 2, len - 2) ? len : 0;
}


static bool
commerce_utf8_tail(const uint8_t *p, size_t len)
{
    while (len-- != 0) {
        if ((*p++ & 0xc0) != 0x80) {
            return false;
        }
    }

    return true;
}


uint64_t
commerce_hash(uint64_t hash, const void *data, size_t len)
{
    const uint8_t  *p = data;

    while (len-- != 0) {
        hash = (hash ^ *p++) * 0x100000001b3ULL;
    }

    return hash;
}


int
commerce_parse_uint(commerce_str_t text, uint64_t max, uint64_t *value)
{
    size_t    i;
    uint64_t  n, digit;

    if (text.len == 0 || (text.data[0] == '0' && text.len > 1)) {
        return COMMERCE_ERROR;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return COMMERCE_ERROR;
        }

        digit = (uint64_t) (text.data[i] - '0');

        if (digit > max || n > (max - digit) / 10) {
            return COMMERCE_ERROR;
        }

        n = n * 10 + digit;
    }

    *value = n;

    return COMMERCE_OK;
}
