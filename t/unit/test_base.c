/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_reason.h"


static void test_arena(void);
static void *test_exhausted(void *owner, size_t size);
static void test_ids(void);
static void test_utf8(void);
static void test_shops(void);
static void test_number(const char *text, uint64_t max, int64_t want);
static void test_numbers(void);
static void test_hash(void);
static void test_reasons(void);


int
main(void)
{
    test_arena();
    test_ids();
    test_utf8();
    test_shops();
    test_numbers();
    test_hash();
    test_reasons();

    return done_testing();
}


static void
test_arena(void)
{
    int                i, aligned, zeroed, j;
    uint8_t           *p;
    commerce_str_t     s;
    commerce_heap_t   *heap;
    commerce_arena_t  *arena, empty;

    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    aligned = 0;
    zeroed = 0;

    for (i = 0; i < 100; i++) {
        p = commerce_alloc(arena, (size_t) i);
        aligned += p != NULL && ((uintptr_t) p & 15) == 0;

        for (j = 0; j < i && p[j] == 0; j++) { /* void */ }
        zeroed += j == i;
        memset(p, 0xff, (size_t) i);
    }

    is_int(aligned, 100, "blocks are aligned to 16 bytes, empty ones too");
    is_int(zeroed, 100, "blocks are zeroed");

    s = commerce_copy(arena, commerce_string("abc"));
    is_str(s, "abc", "copy");
    s = commerce_copy(arena, (commerce_str_t) { NULL, 0 });
    ok(s.data != NULL && s.len == 0, "the copy of an empty string is not a failure");

    empty.alloc = test_exhausted;
    empty.owner = NULL;
    ok(commerce_alloc(&empty, 1) == NULL, "alloc: exhausted");
    s = commerce_copy(&empty, commerce_string("abc"));
    ok(s.data == NULL && s.len == 0, "copy: exhausted");

    commerce_heap_destroy(heap);
    commerce_heap_destroy(NULL);
}


static void *
test_exhausted(void *owner, size_t size)
{
    return NULL;
}


static void
test_ids(void)
{
    int       c;
    char      id[COMMERCE_ID_MAX + 1];
    size_t    len, at;
    unsigned  wrong;

    memset(id, 'x', sizeof(id));

    ok(commerce_id_valid((commerce_str_t) { id, 1 }), "id of 1 byte");
    ok(commerce_id_valid((commerce_str_t) { id, COMMERCE_ID_MAX }), "id of 128 bytes");
    ok(!commerce_id_valid((commerce_str_t) { id, COMMERCE_ID_MAX + 1 }), "id of 129 bytes");
    ok(!commerce_id_valid((commerce_str_t) { NULL, 0 }), "empty id");
    ok(commerce_id_valid(commerce_string("买家 \"1\"\\/~")), "id of any printable UTF-8");
    ok(!commerce_id_valid(commerce_string("a\nb")), "id with a newline");
    ok(!commerce_id_valid(commerce_string("a\0b")), "id with a NUL");
    ok(!commerce_id_valid(commerce_string("a\x7f")), "id with DEL");
    ok(!commerce_id_valid(commerce_string("\xc2\x80")), "id with U+0080");
    ok(!commerce_id_valid(commerce_string("\xc2\x9f")), "id with U+009F");
    ok(commerce_id_valid(commerce_string("\xc2\xa0")), "id with U+00A0");
    ok(commerce_id_valid(commerce_string("\xc3\x80")), "id with U+00C0");
    ok(!commerce_id_valid(commerce_string("ok\xe4\xb9")), "id cut inside a character");

    /* they are looked at in words */

    wrong = 0;

    for (len = 1; len <= 24; len++) {
        for (at = 0; at < len; at++) {
            memset(id, '~', len);

            for (c = 0; c < 256; c++) {
                id[at] = (char) c;
                wrong += commerce_id_valid((commerce_str_t) { id, len }) != (c >= 0x20 && c < 0x7f);
            }
        }
    }

    is_int(wrong, 0, "ids: every byte at every place");
}


static void
test_utf8(void)
{
    size_t          i;
    const uint8_t  *p;

    static const struct {
        const char  *bytes;
        size_t       len, want;
    } cases[] = {
        { "\x00", 1, 1 },                 { "\x7f", 1, 1 },
        { "\x80", 1, 0 },                 { "\xbf", 1, 0 },
        { "\xc0\x80", 2, 0 },             { "\xc1\xbf", 2, 0 },
        { "\xc2\x80", 2, 2 },             { "\xdf\xbf", 2, 2 },
        { "\xdf\xc0", 2, 0 },             { "\xdf", 1, 0 },
        { "\xe0\x9f\xbf", 3, 0 },         { "\xe0\xa0\x80", 3, 3 },
        { "\xed\x9f\xbf", 3, 3 },         { "\xed\xa0\x80", 3, 0 },
        { "\xee\x80\x80", 3, 3 },         { "\xef\xbf\xbf", 3, 3 },
        { "\xef\xbf", 2, 0 },             { "\xef\xbf\x7f", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 },     { "\xf0\x90\x80\x80", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 },     { "\xf4\x90\x80\x80", 4, 0 },
        { "\xf1\x80\x80\xc0", 4, 0 },     { "\xf1\x80\xc0\x80", 4, 0 },
        { "\xf5\x80\x80\x80", 4, 0 },     { "\xff", 1, 0 },
        { "\xf1\x80\x80", 3, 0 },         { "a\xff", 2, 1 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p = (const uint8_t *) cases[i].bytes;
        is_int((int64_t) commerce_utf8_length(p, p + cases[i].len), (int64_t) cases[i].want,
               "utf8 %02x, %zu bytes", p[0], cases[i].len);
    }
}


static void
test_shops(void)
{
    ok(commerce_shop_valid(commerce_string("demo-shop_09az")), "shop");
    ok(commerce_shop_valid(commerce_string("0123456789abcdef0123456789abcdef")),
       "shop of 32 bytes");
    ok(!commerce_shop_valid(commerce_string("0123456789abcdef0123456789abcdef0")),
       "shop of 33 bytes");
    ok(!commerce_shop_valid(commerce_string("")), "empty shop");
    ok(!commerce_shop_valid(commerce_string("Demo")), "upper case");
    ok(!commerce_shop_valid(commerce_string("a/b")), "slash");
    ok(!commerce_shop_valid(commerce_string("a.b")), "dot");
    ok(!commerce_shop_valid(commerce_string("a\0b")), "NUL");
    ok(!commerce_shop_valid(commerce_string("店")), "no ASCII");
}


static void
test_number(const char *text, uint64_t max, int64_t want)
{
    int       rc;
    uint64_t  n;

    n = 7777;
    rc = commerce_parse_uint(commerce_cstr(text), max, &n);

    if (want < 0) {
        ok(rc == COMMERCE_ERROR && n == 7777, "\"%s\" is refused", text);
        return;
    }

    ok(rc == COMMERCE_OK && n == (uint64_t) want, "\"%s\" is read", text);
}


static void
test_numbers(void)
{
    uint64_t  n;

    test_number("0", 0, 0);
    test_number("0", 9, 0);
    test_number("1", 0, -1);
    test_number("9", 9, 9);
    test_number("10", 9, -1);
    test_number("16383", 16383, 16383);
    test_number("16384", 16383, -1);
    test_number("00", 9, -1);
    test_number("01", 9, -1);
    test_number("", 9, -1);
    test_number("-1", 9, -1);
    test_number("+1", 9, -1);
    test_number(" 1", 9, -1);
    test_number("1 ", 9, -1);
    test_number("1.0", 99, -1);
    test_number("0x1", 99, -1);
    test_number("9223372036854775807", INT64_MAX, INT64_MAX);
    test_number("9223372036854775808", INT64_MAX, -1);
    test_number("18446744073709551616", UINT64_MAX, -1);
    test_number("99999999999999999999999999", UINT64_MAX, -1);

    ok(commerce_parse_uint(commerce_string("18446744073709551615"), UINT64_MAX, &n) == COMMERCE_OK
       && n == UINT64_MAX, "the largest of all is read");
    ok(commerce_parse_uint(commerce_string("1\0"), 99, &n) == COMMERCE_ERROR,
       "a NUL is no digit");
}


static void
test_hash(void)
{
    uint64_t  hash;

    hash = commerce_hash(COMMERCE_HASH_START, "foobar", 6);
    ok(hash == 0x85944171f73967e8ULL, "the published value of FNV-1a for foobar");
    ok(commerce_hash(commerce_hash(COMMERCE_HASH_START, "foo", 3), "bar", 3) == hash,
       "in two pieces");
    ok(commerce_hash(COMMERCE_HASH_START, NULL, 0) == COMMERCE_HASH_START, "of nothing");
}


static void
test_reasons(void)
{
    int                            i, sane;
    const commerce_reason_info_t  *info, *internal;

    info = commerce_reason(COMMERCE_R(COUPON_HOLDER_MISMATCH));
    is_str(info->name, "COUPON_HOLDER_MISMATCH", "name");
    is_str(info->public_code, "COUPON_NOT_USABLE", "public code of its own");
    is_int(info->class, COMMERCE_CLASS_DENY, "class");
    is_int(info->status, 422, "status");

    info = commerce_reason(COMMERCE_R(TOKEN_EXPIRED));
    is_str(info->name, "TOKEN_EXPIRED", "name");
    is_str(info->public_code, "TOKEN_EXPIRED", "the public code is the name otherwise");
    is_int(info->class, COMMERCE_CLASS_SOFT, "class");

    is_int(commerce_reason(COMMERCE_R(OK))->class, COMMERCE_CLASS_OK, "OK is fine");
    is_int(commerce_reason(COMMERCE_R(ORDER_UNKNOWN))->class, COMMERCE_CLASS_HOLD, "hold");

    internal = commerce_reason(COMMERCE_R(INTERNAL));
    is_str(internal->name, "INTERNAL", "the last one");
    ok(commerce_reason(COMMERCE_REASON_COUNT) == internal, "one too many");
    ok(commerce_reason((commerce_reason_t) -1) == internal, "a negative number");

    sane = 0;

    for (i = 0; i < COMMERCE_REASON_COUNT; i++) {
        info = commerce_reason((commerce_reason_t) i);
        sane += info->name.len != 0 && info->public_code.len != 0
                && strlen(info->name.data) == info->name.len
                && strlen(info->public_code.data) == info->public_code.len
                && (info->class == COMMERCE_CLASS_DENY) <= (info->status >= 400);
    }

    is_int(sane, COMMERCE_REASON_COUNT, "all have a name, a code and a status");
}
