/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"
#include "commerce_code.h"


static void test_known(commerce_keyring_t *ring);
static void test_one_known(commerce_keyring_t *ring, unsigned campaign, uint32_t serial,
    const char *want, uint64_t mac);
static void test_spelling(commerce_keyring_t *ring);
static void test_malformed(void);
static void test_range(commerce_keyring_t *ring);
static void test_verify(commerce_keyring_t *ring);


static const commerce_str_t  demo = { "demo", 4 };

/* coupon keys of ring.h, shop demo: computed by python's hmac and an HKDF of its own */

#define CODE          "9G07000C1SZNMDXYNG9K"      /* campaign 7, serial 12345 */
#define CODE_MAX      "9ZZZZZZZZZ155VH5Y7QC"      /* campaign 16383, serial 2^30 - 1 */
#define CODE_OLD      "FG0100000047X068Q3KK"      /* key 15 verifies; campaign 1, serial 0 */
#define CODE_NO_KEY   "AG01000000Z5B05H8KG8"      /* by a key 5 that the ring has not */
#define CODE_ALIAS    "9G0100000V25FFK1099D"      /* campaign 1, serial 27 */


int
main(void)
{
    commerce_keyring_t  *ring;

    ring = ring_known();

    test_known(ring);
    test_spelling(ring);
    test_malformed();
    test_range(ring);
    test_verify(ring);

    commerce_keyring_free(ring);

    return done_testing();
}


static void
test_known(commerce_keyring_t *ring)
{
    commerce_code_t  code;

    test_one_known(ring, 7, 12345, CODE, 1114507437588787);
    test_one_known(ring, 16383, COMMERCE_CODE_SERIAL_MAX, CODE_MAX, 40883296607980);

    commerce_code_parse(commerce_string(CODE), &code);
    ok(memcmp(code.payload, "\x4c\x00\x70\x00\x0c\x0e\x40", 7) == 0, "payload, left aligned");
}


static void
test_one_known(commerce_keyring_t *ring, unsigned campaign, uint32_t serial, const char *want,
    uint64_t mac)
{
    char             out[COMMERCE_CODE_TEXT];
    commerce_code_t  issued, parsed;

    issued = (commerce_code_t) { .key_id = 99, .campaign = campaign, .serial = serial };

    is_int(commerce_code_issue(ring, demo, &issued, out), COMMERCE_OK, "%s: issue", want);
    is_str(((commerce_str_t) { out, sizeof(out) }), want, "%s: known answer", want);
    ok(issued.key_id == 3 && issued.mac == mac, "%s: key and MAC", want);

    is_int(commerce_code_parse(commerce_cstr(want), &parsed), COMMERCE_R(OK), "%s: parse", want);
    ok(parsed.key_id == 3 && parsed.campaign == campaign && parsed.serial == serial
       && parsed.mac == mac && memcmp(parsed.payload, issued.payload, 7) == 0,
       "%s: parse gives the fields back", want);
    is_int(commerce_code_verify(ring, demo, &parsed), COMMERCE_R(OK), "%s: verify", want);
}


static void
test_spelling(commerce_keyring_t *ring)
{
    size_t           i;
    commerce_code_t  code;

    static const char *const  spellings[] = {
        CODE_ALIAS,
        "9G01-0000-0V25-FFK1-099D",
        "9g01-0000-0v25-ffk1-099d",
        "9GoIOOoOOv25FFKlo99D",
        "9goL00000v25ffki099d",
        "----9G0100000V25FFK1099D-",
    };

    for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        is_int(commerce_code_parse(commerce_cstr(spellings[i]), &code), COMMERCE_R(OK),
               "%s is read", spellings[i]);
        ok(code.campaign == 1 && code.serial == 27
           && commerce_code_verify(ring, demo, &code) == COMMERCE_R(OK),
           "%s is the same coupon", spellings[i]);
    }
}


static void
test_malformed(void)
{
    int              c, read;
    char             text[COMMERCE_CODE_TEXT];
    size_t           i;
    commerce_code_t  code;

    static const char *const  wrong[] = {
        "", "-", "9", "9G07000C1SZNMDXYNG9", "9G07000C1SZNMDXYNG9K0", "9G07000C1SZNMDXYNG9K-0",
        "9G07 000C 1SZN MDXY NG9K", "9G07000C1SZNMDXYNG9U", "9G07000C1SZNMDXYNG9u",
        "9G07000C1SZNMDXYNG9*", "9G07000C1SZNMDXYNG9\xff", "9G07000C1SZNMDXYNG9\xb0",
        "1G07000C1SZNMDXYNG9K",         /* version 0 */
        "JG07000C1SZNMDXYNG9K",         /* version 2 */
        "ZG07000C1SZNMDXYNG9K",         /* version 3 */
        "9G00000C1SZNMDXYNG9K",         /* campaign 0 */
    };

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        is_int(commerce_code_parse(commerce_cstr(wrong[i]), &code), COMMERCE_R(COUPON_MALFORMED),
               "\"%s\" is malformed", wrong[i]);
    }

    ok(commerce_code_parse((commerce_str_t) { NULL, 0 }, &code) == COMMERCE_R(COUPON_MALFORMED),
       "no text at all");

    read = 0;

    for (c = 0; c < 256; c++) {
        memcpy(text, CODE, sizeof(text));
        text[19] = (char) c;
        read += commerce_code_parse((commerce_str_t) { text, sizeof(text) }, &code)
                == COMMERCE_R(OK);
    }

    is_int(read, 10 + 25 * 2, "ten digits and all letters but U can be read");
}


static void
test_range(commerce_keyring_t *ring)
{
    char             out[COMMERCE_CODE_TEXT];
    commerce_code_t  code;

    code = (commerce_code_t) { .campaign = 0 };
    is_int(commerce_code_issue(ring, demo, &code, out), COMMERCE_ERROR, "campaign 0");

    code = (commerce_code_t) { .campaign = COMMERCE_CODE_CAMPAIGN_MAX + 1 };
    is_int(commerce_code_issue(ring, demo, &code, out), COMMERCE_ERROR, "campaign 16384");

    code = (commerce_code_t) { .campaign = 1, .serial = COMMERCE_CODE_SERIAL_MAX + 1 };
    is_int(commerce_code_issue(ring, demo, &code, out), COMMERCE_ERROR, "serial 2^30");
}


static void
test_verify(commerce_keyring_t *ring)
{
    int              i, bad;
    commerce_code_t  code, forged;

    commerce_code_parse(commerce_string(CODE_OLD), &code);
    is_int(commerce_code_verify(ring, demo, &code), COMMERCE_R(OK), "a key that only verifies");

    commerce_keyring_retire(ring, COMMERCE_KEY_COUPON, 15);
    is_int(commerce_code_verify(ring, demo, &code), COMMERCE_R(COUPON_BAD_SIGNATURE),
           "and when it is retired, warm as its context is");

    ok(commerce_code_parse(commerce_string(CODE_NO_KEY), &code) == COMMERCE_R(OK)
       && commerce_code_verify(ring, demo, &code) == COMMERCE_R(COUPON_BAD_SIGNATURE),
       "an unknown key");

    commerce_code_parse(commerce_string(CODE), &code);
    is_int(commerce_code_verify(ring, commerce_string("demo2"), &code),
           COMMERCE_R(COUPON_BAD_SIGNATURE), "another shop");

    bad = 0;

    for (i = 0; i < 50; i++) {
        forged = code;
        forged.mac ^= 1ULL << i;
        bad += commerce_code_verify(ring, demo, &forged) == COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    is_int(bad, 50, "each bit of the MAC counts");

    bad = 0;

    for (i = 0; i < 30; i++) {
        forged = code;
        forged.payload[6 - (i + 6) / 8] ^= (uint8_t) (1 << (i + 6) % 8);
        bad += commerce_code_verify(ring, demo, &forged) == COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    is_int(bad, 30, "each bit of the serial counts");
}
