/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"
#include "commerce_imported.h"


static void test_spelling(void);
static void test_malformed(void);
static void test_hash(void);
static void test_decode(void);


int
main(void)
{
    test_spelling();
    test_malformed();
    test_hash();
    test_decode();

    return done_testing();
}


static void
test_spelling(void)
{
    char                      text[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
    commerce_imported_code_t  code;

    ok(commerce_imported_parse(commerce_cstr(text), &code) == NULL, "every character");
    is_str(((commerce_str_t) { code.text, code.len }), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", "in upper case");

    ok(commerce_imported_parse(commerce_string("  -aB-c 1--"), &code) == NULL, "dashes and spaces");
    is_str(((commerce_str_t) { code.text, code.len }), "ABC1", "are skipped");

    ok(commerce_imported_parse(commerce_string("O0I1"), &code) == NULL, "look-alikes");
    is_str(((commerce_str_t) { code.text, code.len }), "O0I1", "stay what they are");
}


static void
test_malformed(void)
{
    int                       c;
    char                      text[66], one[4] = { 'A', 'A', 'A', '?' };
    unsigned                  valid;
    commerce_imported_code_t  code;

    memset(text, 'x', sizeof(text));

    ok(commerce_imported_parse((commerce_str_t) { text, 3 }, &code) != NULL, "three characters");
    ok(commerce_imported_parse((commerce_str_t) { text, 4 }, &code) == NULL, "four");
    ok(commerce_imported_parse((commerce_str_t) { text, 64 }, &code) == NULL, "sixty-four");
    ok(commerce_imported_parse((commerce_str_t) { text, 65 }, &code) != NULL, "sixty-five");
    ok(commerce_imported_parse(commerce_string(""), &code) != NULL, "none");
    ok(commerce_imported_parse(commerce_string("----"), &code) != NULL, "dashes alone");

    for (c = 0, valid = 0; c < 256; c++) {
        one[3] = (char) c;
        valid += commerce_imported_parse((commerce_str_t) { one, 4 }, &code) == NULL;
    }

    is_int(valid, 2 * 26 + 10 + 2, "no other byte is allowed");
}


static void
test_hash(void)
{
    uint8_t                    one[COMMERCE_IMPORTED_HASH], two[COMMERCE_IMPORTED_HASH], mac[COMMERCE_MAC_SIZE];
    commerce_str_t             demo = commerce_string("demo");
    size_t                     i;
    commerce_keyring_t        *ring;
    const commerce_key_t      *key;
    commerce_imported_code_t   code;

    ring = ring_known();

    ok(commerce_imported_parse(commerce_string("abcd-1234"), &code) == NULL
       && commerce_imported_hash(ring, demo, &code, one) == COMMERCE_OK, "hashed");
    ok(commerce_imported_parse(commerce_string("ABCD 1234"), &code) == NULL
       && commerce_imported_hash(ring, demo, &code, two) == COMMERCE_OK, "another spelling");
    ok(memcmp(one, two, sizeof(one)) == 0, "has the same hash");

    ok(commerce_imported_hash(ring, commerce_string("other"), &code, two) == COMMERCE_OK
       && memcmp(one, two, sizeof(one)) != 0, "another shop has another");
    ok(commerce_keyring_mac(ring, COMMERCE_KEY_COUPON, 0, demo, 0, code.text, code.len, mac) != COMMERCE_OK
       || memcmp(one, mac, sizeof(one)) != 0, "it is no signature");

    ok(commerce_imported_parse(commerce_string("ABCD1235"), &code) == NULL
       && commerce_imported_hash(ring, demo, &code, two) == COMMERCE_OK
       && memcmp(one, two, sizeof(one)) != 0, "so has another code");

    /* a new key signs, the old one is retired: what was imported is still found */

    ok(commerce_keyring_rotate(ring, COMMERCE_KEY_COUPON, 0) == COMMERCE_OK, "rotated");

    for (i = 0; i < commerce_keyring_count(ring); i++) {
        key = commerce_keyring_key(ring, i);

        if (key->purpose == COMMERCE_KEY_COUPON && key->state == COMMERCE_KEY_VERIFY) {
            ok(commerce_keyring_retire(ring, COMMERCE_KEY_COUPON, key->id) == COMMERCE_OK, "retired");
        }
    }

    ok(commerce_imported_parse(commerce_string("ABCD1234"), &code) == NULL
       && commerce_imported_hash(ring, demo, &code, two) == COMMERCE_OK
       && memcmp(one, two, sizeof(one)) == 0, "the hash outlives rotations");

    commerce_keyring_free(ring);
}


static void
test_decode(void)
{
    commerce_import_t    import;
    commerce_imported_t  coupon;

    ok(commerce_imported_decode(commerce_string("\x01\x05\x07"), &coupon) == COMMERCE_OK
       && coupon.campaign == 5 && coupon.serial == 7, "a record");
    ok(commerce_imported_decode(commerce_string("\x01\x00\x07"), &coupon) != COMMERCE_OK, "campaign 0");
    ok(commerce_imported_decode(commerce_string("\x01\x05"), &coupon) != COMMERCE_OK, "cut off");
    ok(commerce_imported_decode(commerce_string("\x01\x05\x07\x00"), &coupon) != COMMERCE_OK, "bytes left over");
    ok(commerce_imported_decode(commerce_string("\x63\x05\x07"), &coupon) != COMMERCE_OK, "another format");
    ok(commerce_import_decode(commerce_string("\x01 too short"), &import) != COMMERCE_OK, "an import, cut off");
}
