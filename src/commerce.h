/*
 * Copyright (C) ngx_commerce authors
 *
 * Base types shared by every rule.  Nothing here knows nginx, files or clocks:
 * time, memory and randomness are always handed in by the caller.
 *
 * Units, everywhere in this project:
 *   money        commerce_fen_t, integer fen (0.01 yuan), never a double
 *   rates        basis points (1 bp = 0.01 %)
 *   time         commerce_time_t, whole seconds, UTC; intervals are half open
 *   event time   microseconds, UTC
 * Strings are counted, not terminated; they may be empty, data may then be NULL.
 */

#ifndef COMMERCE_H
#define COMMERCE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* results of functions that can fail for technical reasons; judgements return a commerce_reason_t */
#define COMMERCE_OK        0
#define COMMERCE_ERROR    -1    /* out of memory, or an argument that breaks the function's contract */
#define COMMERCE_ABSENT   -2    /* no such record or member */

#define COMMERCE_SHOP_MAX  32   /* bytes in a shop's name: [a-z0-9_-] */
#define COMMERCE_ID_MAX   128   /* bytes in any external id: user, person, group, order key, SKU */

typedef int64_t  commerce_time_t;
typedef int64_t  commerce_fen_t;

#define COMMERCE_FOREVER  INT64_MAX     /* a duration or an end that never comes */

typedef struct {
    const char  *data;
    size_t       len;
} commerce_str_t;

#define commerce_string(literal)  ((commerce_str_t) { literal, sizeof(literal) - 1 })

/*
 * Memory for results.  alloc() returns 16-byte aligned memory that lives as long as the arena's
 * owner decides, or NULL.  In a worker it is the request's pool; in tools, tests and fuzzers a list
 * of malloc'ed blocks (commerce_heap_arena), so that sanitizers see every overrun.
 */
typedef struct {
    void  *(*alloc)(void *owner, size_t size);
    void   *owner;
} commerce_arena_t;

void *commerce_alloc(commerce_arena_t *arena, size_t size);     /* zeroed; NULL when exhausted */
commerce_str_t commerce_copy(commerce_arena_t *arena, commerce_str_t s);   /* data is NULL when exhausted */

typedef struct commerce_heap_s  commerce_heap_t;
commerce_heap_t *commerce_heap_create(void);
commerce_arena_t *commerce_heap_arena(commerce_heap_t *heap);
void commerce_heap_destroy(commerce_heap_t *heap);

static inline bool
commerce_equal(commerce_str_t a, commerce_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline commerce_str_t
commerce_cstr(const char *s)
{
    return (commerce_str_t) { s, s == NULL ? 0 : strlen(s) };
}

/* 1..COMMERCE_ID_MAX bytes of valid UTF-8 without control characters: safe in keys, logs and headers */
bool commerce_id_valid(commerce_str_t id);

/* [a-z0-9_-], 1..COMMERCE_SHOP_MAX */
bool commerce_shop_valid(commerce_str_t shop);

/* length of the valid UTF-8 sequence at p (1..4; p < end), 0 if there is none */
size_t commerce_utf8_length(const uint8_t *p, const uint8_t *end);

/*
 * Eight bytes at once, the first one lowest.  ascii: all are printable ASCII.  plain: how many of the first
 * ones are, and neither quotes nor backslashes, so that a JSON string may hold them as they are.
 * In what is not, the lowest such byte has its top bit set in one of the terms: nothing was borrowed or
 * carried below it.
 */
#define COMMERCE_EACH  0x0101010101010101ULL    /* times a byte: that byte eight times */

static inline uint64_t
commerce_word(const void *p)
{
    uint64_t  word;

    memcpy(&word, p, sizeof(word));

    return le64toh(word);
}

static inline uint64_t
commerce_word_odd(uint64_t word)
{
    return word | (word - COMMERCE_EACH * ' ') | (word + COMMERCE_EACH);
}

static inline bool
commerce_word_ascii(uint64_t word)
{
    return (commerce_word_odd(word) & COMMERCE_EACH << 7) == 0;
}

static inline unsigned
commerce_word_plain(uint64_t word)
{
    uint64_t  odd;

    odd = commerce_word_odd(word)
          | ((word ^ COMMERCE_EACH * '"') - COMMERCE_EACH)
          | ((word ^ COMMERCE_EACH * '\\') - COMMERCE_EACH);
    odd &= COMMERCE_EACH << 7;

    return odd == 0 ? 8 : (unsigned) __builtin_ctzll(odd) / 8;
}

/* FNV-1a, 64 bits: table slots and other small matters; not a defence against anyone */
#define COMMERCE_HASH_START  0xcbf29ce484222325ULL
uint64_t commerce_hash(uint64_t hash, const void *data, size_t len);

/* a decimal without sign or leading zeros (but "0"), at most max; COMMERCE_ERROR otherwise */
int commerce_parse_uint(commerce_str_t text, uint64_t max, uint64_t *value);

#endif
