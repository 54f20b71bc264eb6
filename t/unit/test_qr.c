/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"
#include "commerce_code.h"
#include "commerce_qr.h"


#define NOW         1800000000      /* the first second of a step */

/* coupon keys of ring.h, shop demo, this step: computed by python's hmac and an HKDF of its own */

#define QR          "HG07000C1S1R0EN6P7FT1858JA"    /* campaign 7, serial 12345 */
#define QR_MAX      "HZZZZZZZZZ1R02RP93FP0X0EP8"    /* campaign 16383, serial 2^30 - 1 */
#define QR_OLD      "QG010000001R0SZEGN4BB6MFNW"    /* key 15 verifies; campaign 1, serial 0 */
#define QR_NO_KEY   "JG010000001R0A26TX2AMGBZ6G"    /* by a key 5 that the ring has not */


static void test_known(commerce_keyring_t *ring);
static void test_steps(commerce_keyring_t *ring);
static void test_forged(commerce_keyring_t *ring);
static void test_malformed(void);
static void test_range(commerce_keyring_t *ring);
static commerce_reason_t verify(commerce_keyring_t *ring, const char *text, commerce_time_t now);


static const commerce_str_t  demo = { "demo", 4 };


int
main(void)
{
    commerce_keyring_t  *ring;

    ring = ring_known();

    test_known(ring);
    test_steps(ring);
    test_forged(ring);
    test_malformed();
    test_range(ring);

    commerce_keyring_free(ring);

    return done_testing();
}


static void
test_known(commerce_keyring_t *ring)
{
    char             text[COMMERCE_QR_TEXT];
    commerce_qr_t    qr;
    commerce_time_t  until;

    is_int(commerce_qr_issue(ring, demo, 7, 12345, NOW, text, &until), COMMERCE_OK, "issue");
    ok(memcmp(text, QR, sizeof(text)) == 0, "as computed elsewhere");
    is_int(until, NOW + 60, "good for two steps");

    commerce_qr_issue(ring, demo, 7, 12345, NOW + 29, text, &until);
    ok(memcmp(text, QR, sizeof(text)) == 0, "the same within the step");
    is_int(until, NOW + 60, "and its end, too");

    commerce_qr_issue(ring, demo, 7, 12345, NOW + 30, text, &until);
    ok(memcmp(text, QR, sizeof(text)) != 0, "another in the next");

    commerce_qr_issue(ring, demo, 16383, COMMERCE_CODE_SERIAL_MAX, NOW, text, &until);
    ok(memcmp(text, QR_MAX, sizeof(text)) == 0, "the largest");

    is_int(commerce_qr_parse(commerce_string(QR), &qr), COMMERCE_R(OK), "parse");
    ok(qr.key_id == 3 && qr.campaign == 7 && qr.serial == 12345
       && qr.step == (NOW / 30 & 0x7fff), "what it says");

    is_int(commerce_qr_parse(commerce_string("hg07-ooo-cis1r-oen6p7ft1858ja"), &qr),
           COMMERCE_R(OK), "as somebody types it");
    is_int(commerce_qr_verify(ring, demo, &qr, NOW), COMMERCE_R(OK), "is the same");
}


static void
test_steps(commerce_keyring_t *ring)
{
    is_int(verify(ring, QR, NOW), COMMERCE_R(OK), "first second of its step");
    is_int(verify(ring, QR, NOW + 29), COMMERCE_R(OK), "last");
    is_int(verify(ring, QR, NOW + 59), COMMERCE_R(OK), "last of the step after");
    is_int(verify(ring, QR, NOW + 60), COMMERCE_R(COUPON_QR_EXPIRED), "a second later");
    is_int(verify(ring, QR, NOW - 30), COMMERCE_R(OK), "first of the step before");
    is_int(verify(ring, QR, NOW - 31), COMMERCE_R(COUPON_QR_EXPIRED), "a second earlier");
    is_int(verify(ring, QR, NOW + 4 * 86400), COMMERCE_R(COUPON_QR_EXPIRED), "days later");
    is_int(verify(ring, QR, NOW + 32768 * 30), COMMERCE_R(COUPON_BAD_SIGNATURE),
           "when the same low bits come again");
    is_int(verify(ring, QR, 0), COMMERCE_R(COUPON_BAD_SIGNATURE), "in 1970");
    is_int(verify(ring, QR_OLD, NOW), COMMERCE_R(OK), "by a key that only checks");
}


static void
test_forged(commerce_keyring_t *ring)
{
    char             text[COMMERCE_QR_TEXT + 1], code[COMMERCE_CODE_TEXT];
    unsigned         i, bad;
    commerce_qr_t    qr;
    commerce_code_t  c = { .campaign = 7, .serial = 12345 };

    for (bad = 0, i = 0; i < COMMERCE_QR_TEXT; i++) {
        memcpy(text, QR, sizeof(text));
        text[i] = text[i] == '2' ? '4' : '2';
        bad += verify(ring, text, NOW) != COMMERCE_R(OK);
    }

    is_int(bad, COMMERCE_QR_TEXT, "no character can be changed");
    is_int(verify(ring, QR_NO_KEY, NOW), COMMERCE_R(COUPON_BAD_SIGNATURE), "an unknown key");

    commerce_qr_parse(commerce_string(QR), &qr);
    is_int(commerce_qr_verify(ring, commerce_string("other"), &qr, NOW),
           COMMERCE_R(COUPON_BAD_SIGNATURE), "another shop's");

    /* a code's MAC is made under another subkey */

    commerce_code_issue(ring, demo, &c, code);
    qr.mac = c.mac << 14;
    is_int(commerce_qr_verify(ring, demo, &qr, NOW), COMMERCE_R(COUPON_BAD_SIGNATURE),
           "a code's MAC");
}


static void
test_malformed(void)
{
    unsigned       i;
    commerce_qr_t  qr;

    static const char *const  texts[] = {
        "", "-", "H", "HG07000C1S1R0EN6P7FT1858J", "HG07000C1S1R0EN6P7FT1858JA0",
        "HG07000C1S1R0EN6P7FT1858JU", "HG07000C1S1R0EN6P7FT1858J ", "HG07000C1S1R0EN6P7FT1858JB",
        "9G07000C1S1R0EN6P7FT1858JA", "HG00000C1S1R0EN6P7FT1858JA", "9G07000C1SZNMDXYNG9K",
        "HG07000C1S1R0EN6P7FT1858\xc3\xa9"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is_int(commerce_qr_parse(commerce_cstr(texts[i]), &qr), COMMERCE_R(COUPON_MALFORMED),
               "malformed: \"%s\"", texts[i]);
    }

    is_int(commerce_qr_parse((commerce_str_t) { QR "\0", COMMERCE_QR_TEXT + 1 }, &qr),
           COMMERCE_R(COUPON_MALFORMED), "a NUL");
}


static void
test_range(commerce_keyring_t *ring)
{
    char             text[COMMERCE_QR_TEXT];
    commerce_time_t  until;

    is_int(commerce_qr_issue(ring, demo, 0, 1, NOW, text, &until), COMMERCE_ERROR, "campaign 0");
    is_int(commerce_qr_issue(ring, demo, 16384, 1, NOW, text, &until), COMMERCE_ERROR,
           "campaign 2^14");
    is_int(commerce_qr_issue(ring, demo, 1, COMMERCE_CODE_SERIAL_MAX + 1, NOW, text, &until),
           COMMERCE_ERROR, "serial 2^30");
    is_int(commerce_qr_issue(ring, demo, 1, 1, -1, text, &until), COMMERCE_ERROR, "before 1970");
}


static commerce_reason_t
verify(commerce_keyring_t *ring, const char *text, commerce_time_t now)
{
    commerce_qr_t      qr;
    commerce_reason_t  reason;

    reason = commerce_qr_parse(commerce_cstr(text), &qr);

    return reason == COMMERCE_R(OK) ? commerce_qr_verify(ring, demo, &qr, now) : reason;
}
