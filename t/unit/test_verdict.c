/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"
#include "commerce_verdict.h"


static void test_full(commerce_keyring_t *ring, commerce_arena_t *arena);
static void test_empty(commerce_keyring_t *ring, commerce_arena_t *arena);
static void test_hostile(commerce_keyring_t *ring, commerce_arena_t *arena);
static void test_failures(commerce_keyring_t *ring, commerce_arena_t *arena);
static void *test_alloc(void *owner, size_t size);
static size_t test_payload(commerce_str_t jws);


/* by python: hmac, an HKDF of its own, base64, over the texts below */

/*
 * {"v":1,"iss":"edge-1","shop":"demo","iat":1767225600,"exp":1767225660,"jti":"j-1",
 *  "mode":"enforce","key":"K1","replay":false,"method":"POST","path":"/api/\"o\u0001\ufffd订",
 *  "query_sha256":"<of a=1>","body_sha256":"<of nothing>","sub":"u1","seller":"1001",
 *  "tier2":"1000","room":"r9","reason":"ATTR_OK","coupons":[
 *    {"code":"1e3g-0","campaign":"c7","discount":990},
 *    {"code":"X","campaign":"c8","discount":null}]}
 */

#define HEADER  "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEyIiwidHlwIjoiY29tbWVyY2UtdmVyZGljdCtqd3QifQ"

#define FULL                                                                    \
    HEADER "."                                                                  \
    "eyJ2IjoxLCJpc3MiOiJlZGdlLTEiLCJzaG9wIjoiZGVtbyIsImlhdCI6MTc2NzIyNTYwMCwi"  \
    "ZXhwIjoxNzY3MjI1NjYwLCJqdGkiOiJqLTEiLCJtb2RlIjoiZW5mb3JjZSIsImtleSI6Iksx"  \
    "IiwicmVwbGF5IjpmYWxzZSwibWV0aG9kIjoiUE9TVCIsInBhdGgiOiIvYXBpL1wib1x1MDAw"  \
    "MVx1ZmZmZOiuoiIsInF1ZXJ5X3NoYTI1NiI6ImMyMmZlYTVkNzQyOGU1Y2Y0N2VmNjM1NGM5"  \
    "N2M5MjIzYzk1ZDZkY2RjM2UwZDIzMDBmZjc5MDU2YjFmZjNkODUiLCJib2R5X3NoYTI1NiI6"  \
    "ImUzYjBjNDQyOThmYzFjMTQ5YWZiZjRjODk5NmZiOTI0MjdhZTQxZTQ2NDliOTM0Y2E0OTU5"  \
    "OTFiNzg1MmI4NTUiLCJzdWIiOiJ1MSIsInNlbGxlciI6IjEwMDEiLCJ0aWVyMiI6IjEwMDAi"  \
    "LCJyb29tIjoicjkiLCJyZWFzb24iOiJBVFRSX09LIiwiY291cG9ucyI6W3siY29kZSI6IjFl"  \
    "M2ctMCIsImNhbXBhaWduIjoiYzciLCJkaXNjb3VudCI6OTkwfSx7ImNvZGUiOiJYIiwiY2Ft"  \
    "cGFpZ24iOiJjOCIsImRpc2NvdW50IjpudWxsfV19.YFz8YbBMhwFpvjYqtdLLCbeB_up9lX5"  \
    "g5f0_K4RnQ88"

#define EMPTY                                                                   \
    HEADER "."                                                                  \
    "eyJ2IjoxLCJpc3MiOiIiLCJzaG9wIjoiZGVtbyIsImlhdCI6MCwiZXhwIjo2MCwianRpIjoi"  \
    "IiwibW9kZSI6IiIsImtleSI6IiIsInJlcGxheSI6dHJ1ZSwibWV0aG9kIjoiIiwicGF0aCI6"  \
    "IiIsInF1ZXJ5X3NoYTI1NiI6IjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"  \
    "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJib2R5X3NoYTI1NiI6ImZmZmZmZmZm"  \
    "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm"  \
    "ZmYiLCJyZWFzb24iOiIiLCJjb3Vwb25zIjpbXX0._anfloagCOKS0A0sE8Q_NHqwSrz3sXuL"  \
    "66L6DsKnHa4"

#define SHA_QUERY  "\xc2\x2f\xea\x5d\x74\x28\xe5\xcf\x47\xef\x63\x54\xc9\x7c\x92\x23"  \
                   "\xc9\x5d\x6d\xcd\xc3\xe0\xd2\x30\x0f\xf7\x90\x56\xb1\xff\x3d\x85"
#define SHA_BODY   "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"  \
                   "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"


int
main(void)
{
    commerce_heap_t     *heap;
    commerce_arena_t    *arena;
    commerce_keyring_t  *ring;

    ring = ring_known();
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_full(ring, arena);
    test_empty(ring, arena);
    test_hostile(ring, arena);
    test_failures(ring, arena);

    commerce_heap_destroy(heap);
    commerce_keyring_free(ring);

    return done_testing();
}


static void
test_full(commerce_keyring_t *ring, commerce_arena_t *arena)
{
    commerce_str_t      jws;
    commerce_verdict_t  verdict;

    static const commerce_verdict_coupon_t  coupons[] = {
        { { "1e3g-0", 6 }, { "c7", 2 }, 990 },
        { { "X", 1 }, { "c8", 2 }, -1 },
    };

    verdict = (commerce_verdict_t) {
        .issuer = commerce_string("edge-1"),
        .shop = commerce_string("demo"),
        .issued = 1767225600,
        .id = commerce_string("j-1"),
        .mode = commerce_string("enforce"),
        .key = commerce_string("K1"),
        .method = commerce_string("POST"),
        .path = commerce_string("/api/\"o\x01\xff订"),
        .user = commerce_string("u1"),
        .seller = commerce_string("1001"),
        .tier2 = commerce_string("1000"),
        .room = commerce_string("r9"),
        .reason = commerce_string("ATTR_OK"),
        .coupons = coupons,
        .coupon_count = 2,
    };

    memcpy(verdict.query_sha256, SHA_QUERY, 32);
    memcpy(verdict.body_sha256, SHA_BODY, 32);

    is_int(commerce_verdict_sign(ring, &verdict, arena, &jws), COMMERCE_OK, "sign");
    is_str(jws, FULL, "known answer");
}


static void
test_empty(commerce_keyring_t *ring, commerce_arena_t *arena)
{
    commerce_str_t      jws;
    commerce_verdict_t  verdict;

    verdict = (commerce_verdict_t) { .shop = commerce_string("demo"), .replay = true };
    memset(verdict.body_sha256, 0xff, 32);

    is_int(commerce_verdict_sign(ring, &verdict, arena, &jws), COMMERCE_OK, "sign");
    is_str(jws, EMPTY, "a verdict of empty strings");
}


/* every byte becomes six: the buffer must be large enough for the worst */

static void
test_hostile(commerce_keyring_t *ring, commerce_arena_t *arena)
{
    char                       text[2000];
    size_t                     i;
    commerce_str_t             bad, jws;
    commerce_verdict_t         verdict;
    commerce_verdict_coupon_t  coupons[50];

    memset(text, 0xff, sizeof(text));
    bad = (commerce_str_t) { text, sizeof(text) };

    for (i = 0; i < 50; i++) {
        coupons[i] = (commerce_verdict_coupon_t) { bad, bad, INT64_MAX };
    }

    verdict = (commerce_verdict_t) {
        .issuer = bad, .shop = commerce_string("demo"), .issued = INT64_MIN, .id = bad,
        .mode = bad, .key = bad, .method = bad, .path = bad, .user = bad, .seller = bad,
        .tier2 = bad, .group = bad, .room = bad, .channel = bad, .reason = bad,
        .coupons = coupons, .coupon_count = 50,
    };

    ok(commerce_verdict_sign(ring, &verdict, arena, &jws) == COMMERCE_OK
       && test_payload(jws) > (13 + 100) * sizeof(text) * 6 * 4 / 3, "all of it fits");
}


/* characters between the dots */

static size_t
test_payload(commerce_str_t jws)
{
    const char  *first, *second;

    first = memchr(jws.data, '.', jws.len);
    second = memchr(first + 1, '.', jws.len - (size_t) (first + 1 - jws.data));

    return (size_t) (second - first - 1);
}


static void
test_failures(commerce_keyring_t *ring, commerce_arena_t *arena)
{
    int                 left, i;
    commerce_str_t      jws;
    commerce_arena_t    scarce;
    commerce_verdict_t  verdict;

    verdict = (commerce_verdict_t) { .shop = commerce_string("demo") };

    scarce.alloc = test_alloc;
    scarce.owner = &left;

    for (i = 0; i < 2; i++) {
        left = i;
        is_int(commerce_verdict_sign(ring, &verdict, &scarce, &jws), COMMERCE_ERROR,
               "no memory after %d blocks", i);
    }

    verdict.shop = commerce_string("0123456789abcdef0123456789abcdef0");
    is_int(commerce_verdict_sign(ring, &verdict, arena, &jws), COMMERCE_ERROR,
           "a shop of 33 bytes has no key");
}


static void *
test_alloc(void *owner, size_t size)
{
    int  *left = owner;

    static char  block[8192];

    return (*left)-- > 0 && size <= sizeof(block) ? block : NULL;
}
