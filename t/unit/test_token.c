/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"
#include "commerce_token.h"
#include "commerce_write.h"

#define DAY  86400

#define NOW  (COMMERCE_TOKEN_EPOCH + 10 * DAY)


static void test_known(commerce_keyring_t *ring);
static void test_issue_known(commerce_keyring_t *ring, const commerce_token_t *fields,
    const char *want, const char *title);
static void test_fields(void);
static void test_malformed(void);
static void test_shape(commerce_keyring_t *ring);
static void test_verify(commerce_keyring_t *ring);
static void test_expiry(commerce_keyring_t *ring);
static void test_expiry_day(void);
static bool test_malformed_bits(unsigned byte, uint8_t mask, uint8_t bits);


static const commerce_str_t  demo = { "demo", 4 };

/* share keys of ring.h, shop demo: computed by python's hmac and an HKDF of its own */

#define TOKEN       "QQAAAAPpAAAAA-ggAAAqAH7KhRdFyBTl"
#define TOKEN_MAX   "Qf____________-________wiC20tSKd"
#define TOKEN_GROUP "QQAAAAAAAAAAAABgAABNAAA7iUfhdXUW"
#define TOKEN_OLD   "QAAAAAAFAAAAAAAAAAAAAAGfa-6RQajb"     /* by key 0: verify */
#define TOKEN_DEAD  "QgAAAAAFAAAAAAAAAAAAAADWn89SbAWM"     /* by key 2: retired */
#define TOKEN_ZERO  "QQAAAAAAAAAAAAAAAAAAAAAFalQHLIQ9"


int
main(void)
{
    commerce_keyring_t  *ring;

    ring = ring_known();

    test_known(ring);
    test_fields();
    test_malformed();
    test_shape(ring);
    test_verify(ring);
    test_expiry(ring);
    test_expiry_day();

    commerce_keyring_free(ring);

    return done_testing();
}


static void
test_known(commerce_keyring_t *ring)
{
    commerce_token_t  fields;

    fields = (commerce_token_t) { .seller = 1001, .upline = 1000, .expiry_day = 31,
                                  .context = COMMERCE_CONTEXT_PRODUCT, .context_id = 42,
                                  .flags = COMMERCE_TOKEN_REWARD };
    test_issue_known(ring, &fields, TOKEN, "a product");

    fields = (commerce_token_t) { .seller = COMMERCE_TOKEN_SELLER_MAX,
                                  .upline = COMMERCE_TOKEN_SELLER_MAX,
                                  .context = COMMERCE_CONTEXT_CHANNEL,
                                  .context_id = COMMERCE_TOKEN_CONTEXT_MAX,
                                  .expiry_day = COMMERCE_TOKEN_DAY_MAX, .flags = 3 };
    test_issue_known(ring, &fields, TOKEN_MAX, "the largest values");

    fields = (commerce_token_t) { .context = COMMERCE_CONTEXT_GROUP, .context_id = 77 };
    test_issue_known(ring, &fields, TOKEN_GROUP, "a group without a seller");

    fields = (commerce_token_t) { .seller = 0 };
    test_issue_known(ring, &fields, TOKEN_ZERO, "nothing at all");
}


static void
test_issue_known(commerce_keyring_t *ring, const commerce_token_t *fields, const char *want,
    const char *title)
{
    char              out[COMMERCE_TOKEN_TEXT];
    commerce_token_t  issued, parsed;

    issued = *fields;
    issued.key_id = 99;

    is_int(commerce_token_issue(ring, demo, &issued, out), COMMERCE_OK, "%s: issue", title);
    is_str(((commerce_str_t) { out, sizeof(out) }), want, "%s: known answer", title);
    is_int(issued.key_id, 1, "%s: by the signing key", title);

    is_int(commerce_token_parse(commerce_cstr(want), &parsed), COMMERCE_R(OK), "%s: parse", title);

    ok(parsed.seller == fields->seller && parsed.upline == fields->upline
       && parsed.context == fields->context && parsed.context_id == fields->context_id
       && parsed.expiry_day == fields->expiry_day && parsed.flags == fields->flags
       && parsed.key_id == 1, "%s: parse gives the fields back", title);

    ok(parsed.digest == issued.digest && memcmp(parsed.raw, issued.raw, sizeof(issued.raw)) == 0,
       "%s: digest and raw bytes agree", title);

    is_int(commerce_token_verify(ring, demo, &parsed, NOW), COMMERCE_R(OK), "%s: verify", title);
}


static void
test_fields(void)
{
    commerce_token_t  token;

    commerce_token_parse(commerce_string(TOKEN), &token);

    is_int((int64_t) token.seller, 1001, "seller");
    is_int((int64_t) token.upline, 1000, "upline");
    is_int(token.context, COMMERCE_CONTEXT_PRODUCT, "context");
    is_int(token.context_id, 42, "context id");
    is_int(token.expiry_day, 31, "expiry day");
    is_int(token.flags, COMMERCE_TOKEN_REWARD, "flags");
    ok(token.digest == 0xca851745c814e5ULL, "digest");
}


static void
test_malformed(void)
{
    int               i, c, refused, legal;
    char              text[COMMERCE_TOKEN_TEXT + 2];
    commerce_token_t  token;

    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    memcpy(text, TOKEN "A", sizeof(text));

    ok(commerce_token_parse((commerce_str_t) { NULL, 0 }, &token) == COMMERCE_R(TOKEN_MALFORMED),
       "empty");
    ok(commerce_token_parse((commerce_str_t) { text, 31 }, &token) == COMMERCE_R(TOKEN_MALFORMED),
       "31 characters");
    ok(commerce_token_parse((commerce_str_t) { text, 33 }, &token) == COMMERCE_R(TOKEN_MALFORMED),
       "33 characters");
    ok(commerce_token_parse(commerce_string(TOKEN "="), &token) == COMMERCE_R(TOKEN_MALFORMED),
       "padding");

    for (i = 0; i < COMMERCE_TOKEN_TEXT; i++) {
        refused = 0;
        legal = 0;

        for (c = 0; c < 256; c++) {
            memcpy(text, TOKEN, COMMERCE_TOKEN_TEXT);
            text[i] = (char) c;

            if (c == 0 || strchr(alphabet, c) == NULL) {
                refused += commerce_token_parse((commerce_str_t) { text, COMMERCE_TOKEN_TEXT },
                                                &token) == COMMERCE_R(TOKEN_MALFORMED);
            } else {
                legal++;
            }
        }

        ok(refused == 192 && legal == 64, "192 bytes are refused at position %d", i);
    }

    ok(test_malformed_bits(0, 0xc0, 0x00), "version 0");
    ok(test_malformed_bits(0, 0xc0, 0x80), "version 2");
    ok(test_malformed_bits(0, 0xc0, 0xc0), "version 3");
    ok(!test_malformed_bits(0, 0x3f, 0x3f), "any key id can be read");
    ok(test_malformed_bits(11, 0xe0, 0xc0), "context type 6");
    ok(test_malformed_bits(11, 0xe0, 0xe0), "context type 7");
    ok(!test_malformed_bits(11, 0xe0, 0xa0), "context type 5");
    ok(test_malformed_bits(11, 0xe0, 0x00), "type none with an id");
}


/* TOKEN with some bits of a byte replaced */

static bool
test_malformed_bits(unsigned byte, uint8_t mask, uint8_t bits)
{
    char              text[COMMERCE_TOKEN_TEXT];
    commerce_token_t  token;

    commerce_token_parse(commerce_string(TOKEN), &token);
    token.raw[byte] = (uint8_t) ((token.raw[byte] & ~mask) | bits);
    commerce_base64url(token.raw, COMMERCE_TOKEN_SIZE, text);

    return commerce_token_parse((commerce_str_t) { text, sizeof(text) }, &token)
           == COMMERCE_R(TOKEN_MALFORMED);
}


static void
test_shape(commerce_keyring_t *ring)
{
    char              out[COMMERCE_TOKEN_TEXT], text[COMMERCE_TOKEN_TEXT];
    size_t            i;
    commerce_token_t  token;

    static const commerce_token_t  wrong[] = {
        { .seller = COMMERCE_TOKEN_SELLER_MAX + 1 },
        { .seller = 1, .upline = COMMERCE_TOKEN_SELLER_MAX + 1 },
        { .seller = 0, .upline = 1 },
        { .seller = 1, .context = COMMERCE_CONTEXT_NONE, .context_id = 1 },
        { .seller = 1, .context = (commerce_context_t) 6 },
        { .seller = 1, .context = (commerce_context_t) -1 },
        { .seller = 1, .context = COMMERCE_CONTEXT_GROUP,
          .context_id = COMMERCE_TOKEN_CONTEXT_MAX + 1 },
        { .seller = 1, .expiry_day = COMMERCE_TOKEN_DAY_MAX + 1 },
        { .seller = 1, .flags = 4 },
    };

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        token = wrong[i];
        is_int(commerce_token_issue(ring, demo, &token, out), COMMERCE_ERROR,
               "wrong shape %zu is not issued", i);
    }

    commerce_token_parse(commerce_string(TOKEN), &token);
    memset(token.raw + 1, 0, 5);
    commerce_base64url(token.raw, COMMERCE_TOKEN_SIZE, text);
    ok(commerce_token_parse((commerce_str_t) { text, sizeof(text) }, &token)
       == COMMERCE_R(TOKEN_MALFORMED), "an upline without a seller is malformed");

    token = (commerce_token_t) { .seller = 1 };
    is_int(commerce_token_issue(ring, commerce_string("0123456789abcdef0123456789abcdef0"), &token,
                                out), COMMERCE_ERROR, "a shop of 33 bytes");
}


static void
test_verify(commerce_keyring_t *ring)
{
    int                  i, bad, all;
    commerce_token_t     token, forged;
    commerce_keyring_t  *other;

    ok(commerce_token_parse(commerce_string(TOKEN_OLD), &token) == COMMERCE_R(OK)
       && commerce_token_verify(ring, demo, &token, NOW) == COMMERCE_R(OK),
       "a key that only verifies does");

    ok(commerce_token_parse(commerce_string(TOKEN_DEAD), &token) == COMMERCE_R(OK)
       && commerce_token_verify(ring, demo, &token, NOW) == COMMERCE_R(TOKEN_KID_UNKNOWN),
       "a retired key is unknown");

    commerce_token_parse(commerce_string(TOKEN), &token);

    is_int(commerce_token_verify(ring, commerce_string("demo2"), &token, NOW),
           COMMERCE_R(TOKEN_BAD_MAC), "another shop's token is forged");

    other = commerce_keyring_create(NOW);
    commerce_keyring_rotate(other, COMMERCE_KEY_SHARE, NOW);
    is_int(commerce_token_verify(other, demo, &token, NOW), COMMERCE_R(TOKEN_BAD_MAC),
           "another store's token is forged");
    commerce_keyring_free(other);

    bad = 0;
    all = 0;

    for (i = 6; i < COMMERCE_TOKEN_SIZE * 8; i++) {
        forged = token;
        forged.raw[i / 8] ^= (uint8_t) (1 << (i % 8));
        all += i / 8 != 0;
        bad += i / 8 != 0
               && commerce_token_verify(ring, demo, &forged, NOW) == COMMERCE_R(TOKEN_BAD_MAC);
    }

    is_int(bad, all, "each of %d single bits counts", all);

    token.key_id = 5;
    is_int(commerce_token_verify(ring, demo, &token, NOW), COMMERCE_R(TOKEN_KID_UNKNOWN),
           "a key that never was");
}


static void
test_expiry(commerce_keyring_t *ring)
{
    commerce_token_t  token;
    commerce_time_t   dead;

    commerce_token_parse(commerce_string(TOKEN), &token);
    dead = COMMERCE_TOKEN_EPOCH + 31 * DAY;

    is_int(commerce_token_verify(ring, demo, &token, dead - 1), COMMERCE_R(OK),
           "the last second");
    is_int(commerce_token_verify(ring, demo, &token, dead), COMMERCE_R(TOKEN_EXPIRED),
           "the first dead second");
    is_int(commerce_token_verify(ring, commerce_string("x"), &token, dead),
           COMMERCE_R(TOKEN_BAD_MAC), "forged comes before expired");
    ok(!commerce_token_expired(&token, 0) && commerce_token_expired(&token, INT64_MAX),
       "the ends of time");

    commerce_token_parse(commerce_string(TOKEN_GROUP), &token);
    ok(!commerce_token_expired(&token, INT64_MAX), "day 0 never comes");
}


static void
test_expiry_day(void)
{
    size_t    i;
    unsigned  day;

    static const struct {
        commerce_time_t  until;
        int64_t          want;      /* -1 = refused */
    } cases[] = {
        { INT64_MIN, 1 },
        { 0, 1 },
        { COMMERCE_TOKEN_EPOCH, 1 },
        { COMMERCE_TOKEN_EPOCH + 1, 1 },
        { COMMERCE_TOKEN_EPOCH + DAY, 1 },
        { COMMERCE_TOKEN_EPOCH + DAY + 1, 2 },
        { COMMERCE_TOKEN_EPOCH + (commerce_time_t) 16383 * DAY, 16383 },
        { COMMERCE_TOKEN_EPOCH + (commerce_time_t) 16383 * DAY + 1, -1 },
        { INT64_MAX - 1, -1 },
        { COMMERCE_FOREVER, 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].want < 0) {
            is_int(commerce_token_expiry_day(cases[i].until, &day), COMMERCE_ERROR,
                   "until %" PRId64 " is too late", cases[i].until);
            continue;
        }

        ok(commerce_token_expiry_day(cases[i].until, &day) == COMMERCE_OK
           && day == cases[i].want, "until %" PRId64, cases[i].until);
    }
}
