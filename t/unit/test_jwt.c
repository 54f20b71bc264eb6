/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tap.h"
#include "jwt_kit.h"

#define NOW  1800000000

#define HS      "{\"alg\":\"HS256\",\"kid\":\"a\"}"
#define RS      "{\"alg\":\"RS256\",\"kid\":\"r\"}"
#define GOOD    "{\"sub\":\"u-1\",\"exp\":1800000600}"
#define CLAIM(members)  "{\"sub\":\"u-1\",\"exp\":1800000600," members "}"


static void test_published(void);
static void test_shape(void);
static void test_header(void);
static void test_confusion(void);
static void test_kid(void);
static void test_tampered(void);
static void test_times(void);
static void test_issuer_audience(void);
static void test_user(void);
static void test_bearer(void);
static void test_memory(void);

static commerce_reason_t check(commerce_str_t text);
static void want(commerce_str_t text, commerce_reason_t reason, const char *title);
static commerce_str_t hs(const char *header, const char *payload);
static commerce_str_t rs(const char *header, const char *payload);
static commerce_jwt_keys_t *keys_of(const char *text);
static EVP_PKEY *rsa_new(void);
static void add_rsa(commerce_jwt_keys_t *keys, const char *kid, EVP_PKEY *rsa);


static const commerce_str_t   secret = { "0123456789abcdef0123456789abcdef", 32 };
static const commerce_str_t   other = { "another secret, also of 32 bytes", 32 };

static commerce_jwt_policy_t  policy;
static commerce_jwt_t         jwt;          /* of the last check */
static commerce_heap_t       *heap;
static EVP_PKEY              *rsa;
static char                   token[JWT_KIT_SIZE];


int
main(void)
{
    heap = commerce_heap_create();
    rsa = rsa_new();

    test_published();

    policy.claim = commerce_string("/sub");
    policy.skew = 30;
    policy.keys = commerce_jwt_keys_create();

    commerce_jwt_keys_add_secret(policy.keys, commerce_string("a"), (const uint8_t *) secret.data, secret.len);
    commerce_jwt_keys_add_secret(policy.keys, commerce_string("b"), (const uint8_t *) other.data, other.len);
    add_rsa(policy.keys, "r", rsa);

    is_int(commerce_jwt_keys_count(policy.keys), 3, "three keys");

    test_shape();
    test_header();
    test_confusion();
    test_kid();
    test_tampered();
    test_times();
    test_issuer_audience();
    test_user();
    test_bearer();
    test_memory();

    commerce_jwt_keys_free(policy.keys);
    EVP_PKEY_free(rsa);
    commerce_heap_destroy(heap);

    return done_testing();
}


static void
test_published(void)
{
    policy.claim = commerce_string("/iss");

    policy.keys = keys_of("{\"keys\":[{\"kty\":\"oct\",\"k\":\"" JWT_RFC_SECRET "\"},"
                          "{\"kty\":\"RSA\",\"n\":\"" JWT_RFC_N "\",\"e\":\"AQAB\"}]}");

    ok(commerce_jwt_check(&policy, commerce_heap_arena(heap), commerce_string(JWT_RFC_HS256), 1300819379, &jwt)
       == COMMERCE_R(OK), "RFC 7515 A.1");
    is_str(jwt.user, "joe", "its issuer");
    is_int(jwt.until, 1300819380, "its end");

    ok(commerce_jwt_check(&policy, commerce_heap_arena(heap), commerce_string(JWT_RFC_RS256), 1300819379, &jwt)
       == COMMERCE_R(OK), "RFC 7515 A.2");
    is_str(jwt.user, "joe", "its issuer");

    ok(commerce_jwt_check(&policy, commerce_heap_arena(heap), commerce_string(JWT_RFC_RS256), 1300819380, &jwt)
       == COMMERCE_R(JWT_EXPIRED), "a second later");
    is_int((int64_t) jwt.user.len, 0, "nobody");

    commerce_jwt_keys_free(policy.keys);
}


static void
test_shape(void)
{
    char            large[COMMERCE_JWT_MAX + 2];
    size_t          i, n;
    commerce_str_t  good, text;
    unsigned        wrong;

    good = hs(HS, GOOD);
    want(good, COMMERCE_R(OK), "a good token");
    is_str(jwt.user, "u-1", "its user");

    want(commerce_string(""), COMMERCE_R(JWT_MALFORMED), "nothing");
    want(commerce_string("."), COMMERCE_R(JWT_MALFORMED), "a dot");
    want(commerce_string(".."), COMMERCE_R(JWT_MALFORMED), "two dots");
    want(commerce_string("e30.e30"), COMMERCE_R(JWT_MALFORMED), "two parts");
    want(commerce_string("e30.e30.e30.e30"), COMMERCE_R(JWT_MALFORMED), "four parts");
    want(commerce_string("e30.e30.e30.e30.e30"), COMMERCE_R(JWT_MALFORMED), "five parts");
    want(commerce_string("Bearer e30.e30.e30"), COMMERCE_R(JWT_MALFORMED), "a blank");
    want(commerce_string("e30.e30.e30"), COMMERCE_R(JWT_MALFORMED), "no alg");
    want(commerce_string("W10.e30.e30"), COMMERCE_R(JWT_MALFORMED), "a header that is a list");
    want(commerce_string("MQ.e30.e30"), COMMERCE_R(JWT_MALFORMED), "a header that is a number");
    want(commerce_string("e30=.e30.e30"), COMMERCE_R(JWT_MALFORMED), "padding");

    memcpy(large, good.data, good.len);
    large[good.len] = '=';
    want((commerce_str_t) { large, good.len + 1 }, COMMERCE_R(JWT_MALFORMED), "padding behind the signature");

    memcpy(large, good.data, good.len);
    large[good.len] = '.';
    want((commerce_str_t) { large, good.len + 1 }, COMMERCE_R(JWT_MALFORMED), "a dot behind the signature");

    /* each cut of it is none */

    for (n = 0, wrong = 0; n < good.len; n++) {
        wrong += check((commerce_str_t) { good.data, n }) == COMMERCE_R(OK);
    }

    is_int(wrong, 0, "no part of it is good");

    /* the last character of a MAC has two bits that stand for nothing: no other one gives the same MAC */

    text = (commerce_str_t) { large, good.len };
    memcpy(large, good.data, good.len);

    for (i = 0, wrong = 0; i < 256; i++) {
        large[good.len - 1] = (char) i;
        wrong += check(text) == COMMERCE_R(OK);
    }

    is_int(wrong, 1, "one spelling of its signature");

    memset(large, 'A', sizeof(large));
    memcpy(large, "e30.e30.", 8);
    want((commerce_str_t) { large, sizeof(large) }, COMMERCE_R(JWT_MALFORMED), "longer than the longest");

    want(hs(HS, "[]"), COMMERCE_R(JWT_MALFORMED), "a payload that is a list");
    want(hs(HS, "joe"), COMMERCE_R(JWT_MALFORMED), "a payload that is no JSON");
    want(hs(HS, GOOD " {}"), COMMERCE_R(JWT_MALFORMED), "something behind the payload");

    memset(large, '[', 64);
    snprintf(large + 64, sizeof(large) - 64, "1");
    memset(large + 65, ']', 64);
    large[129] = '\0';
    memmove(large + 8, large, 130);
    memcpy(large, "{\"a\":   ", 8);
    snprintf(large + 137, 64, ",\"sub\":\"u-1\",\"exp\":1800000600}");
    want(hs(HS, large), COMMERCE_R(JWT_MALFORMED), "a payload nested 65 deep");
}


static void
test_header(void)
{
    size_t  i;

    static const struct {
        const char         *header;
        commerce_reason_t   reason;
    } cases[] = {
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"JWT\"}", COMMERCE_R(OK) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"jwt\"}", COMMERCE_R(OK) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"at+JWT\"}", COMMERCE_R(OK) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"Application/at+jwt\"}", COMMERCE_R(OK) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"jku\":\"http://127.0.0.1/\",\"jwk\":{\"kty\":\"oct\"}}", COMMERCE_R(OK) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"commerce-verdict+jwt\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"logout+jwt\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"JWTs\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":1}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"crit\":[\"exp\"]}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"crit\":null}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"Crit\":[]}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"b64\":false}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"b64\":true}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"ALG\":\"none\",\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":7}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":\"HS256\",\"kid\":\"a\\u0000\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":256,\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"alg\":[\"HS256\"],\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
        { "{\"Alg\":\"HS256\",\"kid\":\"a\"}", COMMERCE_R(JWT_MALFORMED) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        want(hs(cases[i].header, GOOD), cases[i].reason, cases[i].header);
    }
}


/* whatever a header says: a key checks the algorithm of its own type */

static void
test_confusion(void)
{
    char                  pem[4096], alg[64];
    BIO                  *bio;
    long                  len;
    char                 *data;
    size_t                i;
    commerce_jwt_keys_t  *keys, *both;

    static const char  *const none[] = {
        "none", "None", "NONE", "", "hs256", "HS256 ", "HS384", "HS512", "RS384", "RS512", "PS256", "ES256", "EdDSA",
        "HMAC", "RSA1_5", "dir"
    };

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        snprintf(alg, sizeof(alg), "{\"alg\":\"%s\",\"kid\":\"a\"}", none[i]);
        want(hs(alg, GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), alg);
    }

    want(rs(RS, GOOD), COMMERCE_R(OK), "RS256 by an RSA key");
    want(jwt_kit_rs256(token, rsa, "SHA512", commerce_string(RS), commerce_string(GOOD)),
         COMMERCE_R(JWT_BAD_SIGNATURE), "another digest under RS256");
    want(hs(RS, GOOD), COMMERCE_R(JWT_BAD_SIGNATURE), "an HMAC under RS256");
    want(rs(HS, GOOD), COMMERCE_R(JWT_BAD_SIGNATURE), "an RSA signature under HS256");
    want(rs("{\"alg\":\"RS256\",\"kid\":\"a\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "RS256 with a secret's kid");
    want(hs("{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "HS256 with an RSA key's kid");

    /* the old attack: the public key, which everybody has, as the secret of HS256 */

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, rsa);
    len = BIO_get_mem_data(bio, &data);
    memcpy(pem, data, (size_t) len);
    BIO_free(bio);

    both = policy.keys;
    keys = commerce_jwt_keys_create();
    add_rsa(keys, "", rsa);
    policy.keys = keys;

    for (i = 0; i < 2; i++) {
        want(jwt_kit_hs256(token, (commerce_str_t) { pem, (size_t) len - i }, commerce_string("{\"alg\":\"HS256\"}"),
                           commerce_string(GOOD)),
             COMMERCE_R(JWT_KEY_UNKNOWN), "HS256 by the public key's PEM");
        want(jwt_kit_hs256(token, (commerce_str_t) { pem, (size_t) len - i }, commerce_string("{\"alg\":\"RS256\"}"),
                           commerce_string(GOOD)),
             COMMERCE_R(JWT_BAD_SIGNATURE), "its HMAC called RS256");
    }

    policy.keys = both;
    commerce_jwt_keys_free(keys);
}


static void
test_kid(void)
{
    EVP_PKEY             *second;
    commerce_jwt_keys_t  *both;

    want(jwt_kit_hs256(token, other, commerce_string("{\"alg\":\"HS256\",\"kid\":\"b\"}"), commerce_string(GOOD)),
         COMMERCE_R(OK), "the other key");
    want(hs("{\"alg\":\"HS256\",\"kid\":\"b\"}", GOOD), COMMERCE_R(JWT_BAD_SIGNATURE), "by one key, named another");
    want(hs("{\"alg\":\"HS256\",\"kid\":\"c\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "an unknown kid");
    want(hs("{\"alg\":\"HS256\",\"kid\":\"A\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "case matters");
    want(hs("{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "an empty kid");
    want(hs("{\"alg\":\"HS256\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "no kid, two keys");
    want(rs("{\"alg\":\"RS256\"}", GOOD), COMMERCE_R(OK), "no kid, one key");
    want(rs("{\"alg\":\"RS256\",\"kid\":\"old\"}", GOOD), COMMERCE_R(JWT_KEY_UNKNOWN), "one key, of another kid");

    both = policy.keys;
    policy.keys = commerce_jwt_keys_create();
    add_rsa(policy.keys, "", rsa);
    want(rs("{\"alg\":\"RS256\",\"kid\":\"any\"}", GOOD), COMMERCE_R(OK), "a key without a kid");

    second = rsa_new();
    is_str(commerce_cstr(commerce_jwt_keys_add_rsa(policy.keys, commerce_string("x"), second)),
           "an algorithm of which there are several keys, and not all of them have a kid", "is alone");
    commerce_jwt_keys_free(policy.keys);

    policy.keys = commerce_jwt_keys_create();
    add_rsa(policy.keys, "x", second);
    want(rs("{\"alg\":\"RS256\",\"kid\":\"x\"}", GOOD), COMMERCE_R(JWT_BAD_SIGNATURE), "by another RSA key");
    commerce_jwt_keys_free(policy.keys);

    EVP_PKEY_free(second);
    policy.keys = both;
}


static void
test_tampered(void)
{
    size_t          i, n;
    commerce_str_t  good;
    unsigned        wrong, kind;

    static const char  alphabet[] = "AEIQZaegz09-_.";

    for (kind = 0; kind < 2; kind++) {
        good = kind ? rs(RS, GOOD) : hs(HS, GOOD);

        for (i = 0, wrong = 0; i < good.len; i++) {
            char  was = token[i];

            for (n = 0; n < sizeof(alphabet) - 1; n++) {
                token[i] = alphabet[n];
                wrong += alphabet[n] != was && check(good) == COMMERCE_R(OK);
            }

            token[i] = was;
        }

        is_int(wrong, 0, "%s: no character can be changed", kind ? "RS256" : "HS256");
        want(good, COMMERCE_R(OK), "unchanged it is good");
    }
}


static void
test_times(void)
{
    size_t  i;
    char    title[128];

    static const struct {
        const char         *payload;
        commerce_reason_t   reason;
    } cases[] = {
        { "{\"sub\":\"u\",\"exp\":1800000001}", COMMERCE_R(OK) },
        { "{\"sub\":\"u\",\"exp\":1799999971}", COMMERCE_R(OK) },
        { "{\"sub\":\"u\",\"exp\":1799999970}", COMMERCE_R(JWT_EXPIRED) },
        { "{\"sub\":\"u\",\"exp\":1799999970.9}", COMMERCE_R(JWT_EXPIRED) },
        { "{\"sub\":\"u\",\"exp\":1799999971.0}", COMMERCE_R(OK) },
        { "{\"sub\":\"u\",\"exp\":0}", COMMERCE_R(JWT_EXPIRED) },
        { "{\"sub\":\"u\",\"exp\":253402300799}", COMMERCE_R(OK) },
        { "{\"sub\":\"u\"}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":null}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":\"1800000001\"}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":true}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":1800000001000}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":18446744073709551616}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":1.9e9}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":19e8}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":-1}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":1,\"exp\":1800000001}", COMMERCE_R(JWT_CLAIMS) },
        { "{\"sub\":\"u\",\"exp\":1800000001,\"EXP\":1}", COMMERCE_R(JWT_CLAIMS) },
        { CLAIM("\"nbf\":1800000000"), COMMERCE_R(OK) },
        { CLAIM("\"nbf\":1800000030"), COMMERCE_R(OK) },
        { CLAIM("\"nbf\":1800000030.1"), COMMERCE_R(JWT_NOT_YET) },
        { CLAIM("\"nbf\":1800000031"), COMMERCE_R(JWT_NOT_YET) },
        { CLAIM("\"nbf\":null"), COMMERCE_R(OK) },
        { CLAIM("\"nbf\":\"0\""), COMMERCE_R(JWT_CLAIMS) },
        { CLAIM("\"nbf\":0,\"nbf\":0"), COMMERCE_R(JWT_CLAIMS) },
        { CLAIM("\"iat\":1900000000"), COMMERCE_R(OK) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(title, sizeof(title), "at 1800000000: %s", cases[i].payload);
        want(hs(HS, cases[i].payload), cases[i].reason, title);
    }
}


static void
test_issuer_audience(void)
{
    want(hs(HS, CLAIM("\"iss\":\"anybody\"")), COMMERCE_R(OK), "any issuer, where none is asked for");
    want(hs(HS, CLAIM("\"aud\":\"shop\"")), COMMERCE_R(JWT_CLAIMS), "an audience, where we have none");
    want(hs(HS, CLAIM("\"aud\":[]")), COMMERCE_R(JWT_CLAIMS), "an empty list of them");
    want(hs(HS, CLAIM("\"aud\":null")), COMMERCE_R(OK), "none");

    policy.issuer = commerce_string("https://id.example");

    want(hs(HS, CLAIM("\"iss\":\"https://id.example\"")), COMMERCE_R(OK), "the issuer");
    want(hs(HS, CLAIM("\"iss\":\"https:\\/\\/id.example\"")), COMMERCE_R(OK), "the issuer, escaped");
    want(hs(HS, CLAIM("\"iss\":\"https://id.example/\"")), COMMERCE_R(JWT_CLAIMS), "another one");
    want(hs(HS, CLAIM("\"iss\":[\"https://id.example\"]")), COMMERCE_R(JWT_CLAIMS), "a list");
    want(hs(HS, CLAIM("\"iss\":\"https://id.example\",\"iss\":\"x\"")), COMMERCE_R(JWT_CLAIMS), "two");
    want(hs(HS, GOOD), COMMERCE_R(JWT_CLAIMS), "no issuer");

    policy.issuer.data = NULL;
    policy.issuer.len = 0;
    policy.audience = commerce_string("shop");

    want(hs(HS, CLAIM("\"aud\":\"shop\"")), COMMERCE_R(OK), "the audience");
    want(hs(HS, CLAIM("\"aud\":[\"pay\",\"shop\"]")), COMMERCE_R(OK), "the audience in a list");
    want(hs(HS, CLAIM("\"aud\":[\"pay\"]")), COMMERCE_R(JWT_CLAIMS), "others in a list");
    want(hs(HS, CLAIM("\"aud\":[]")), COMMERCE_R(JWT_CLAIMS), "an empty list");
    want(hs(HS, CLAIM("\"aud\":[\"shop\",1]")), COMMERCE_R(JWT_CLAIMS), "a number in a list");
    want(hs(HS, CLAIM("\"aud\":\"shops\"")), COMMERCE_R(JWT_CLAIMS), "another one");
    want(hs(HS, CLAIM("\"aud\":{\"shop\":\"shop\"}")), COMMERCE_R(JWT_CLAIMS), "an object");
    want(hs(HS, GOOD), COMMERCE_R(JWT_CLAIMS), "no audience");

    policy.audience.data = NULL;
    policy.audience.len = 0;
}


static void
test_user(void)
{
    char  payload[512], id[COMMERCE_ID_MAX + 2];

    want(hs(HS, "{\"sub\":9007199254740993,\"exp\":1800000600}"), COMMERCE_R(OK), "an integer");
    is_str(jwt.user, "9007199254740993", "past 2^53, digit by digit");
    want(hs(HS, "{\"sub\":123456789012345678901234567890,\"exp\":1800000600}"), COMMERCE_R(OK), "a long one");
    is_str(jwt.user, "123456789012345678901234567890", "is kept, too");

    want(hs(HS, "{\"sub\":\"\\u5f20\\u4e09\",\"exp\":1800000600}"), COMMERCE_R(OK), "escapes");
    is_str(jwt.user, "\xe5\xbc\xa0\xe4\xb8\x89", "are decoded");

    want(hs(HS, "{\"sub\":1e3,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "an exponent");
    want(hs(HS, "{\"sub\":1000.0,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "decimals");
    want(hs(HS, "{\"sub\":-1,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "a negative number");
    want(hs(HS, "{\"sub\":\"\",\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "an empty text");
    want(hs(HS, "{\"sub\":null,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "null");
    want(hs(HS, "{\"sub\":true,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "true");
    want(hs(HS, "{\"sub\":[\"u\"],\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "a list");
    want(hs(HS, "{\"sub\":\"a\\nb\",\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "a control character");
    want(hs(HS, "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "two of them");
    want(hs(HS, "{\"sub\":\"a\",\"SUB\":\"b\",\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "in two cases");
    want(hs(HS, "{\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "none");

    memset(id, 'u', sizeof(id));
    id[COMMERCE_ID_MAX] = '\0';
    snprintf(payload, sizeof(payload), "{\"sub\":\"%s\",\"exp\":1800000600}", id);
    want(hs(HS, payload), COMMERCE_R(OK), "128 bytes");
    snprintf(payload, sizeof(payload), "{\"sub\":\"%su\",\"exp\":1800000600}", id);
    want(hs(HS, payload), COMMERCE_R(JWT_CLAIMS), "129 bytes");

    policy.claim = commerce_string("/user/id");
    want(hs(HS, "{\"user\":{\"id\":7},\"exp\":1800000600}"), COMMERCE_R(OK), "a claim inside of another");
    is_str(jwt.user, "7", "its user");
    want(hs(HS, "{\"user\":7,\"exp\":1800000600}"), COMMERCE_R(JWT_CLAIMS), "no way to it");
    policy.claim = commerce_string("/sub");
}


static void
test_bearer(void)
{
    size_t  i;

    static const struct {
        const char  *value, *want;
    } cases[] = {
        { "Bearer a.b.c", "a.b.c" }, { "bearer a.b.c", "a.b.c" }, { "BEARER   a.b.c", "a.b.c" }, { "a.b.c", "a.b.c" },
        { "Bearer", "Bearer" }, { "Bearer ", "" }, { "Bearera.b.c", "Bearera.b.c" }, { "Bearer\ta", "Bearer\ta" },
        { "Basic a.b.c", "Basic a.b.c" }, { "", "" }, { "Bea", "Bea" }, { "Bearer a.b.c ", "a.b.c " }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(commerce_jwt_bearer(commerce_cstr(cases[i].value)), cases[i].want, "bearer: \"%s\"", cases[i].value);
    }

    is_int((int64_t) commerce_jwt_bearer((commerce_str_t) { NULL, 0 }).len, 0, "bearer: nothing");
}


/* a remembered token is judged as one that is not: the same answers at any time, for any token */

static void
test_memory(void)
{
    char                    payload[128], first[JWT_KIT_SIZE];
    uint8_t                 digest[COMMERCE_JWT_DIGEST];
    unsigned                i, wrong, remembered;
    commerce_str_t          text, keep;
    commerce_jwt_t          plain;
    commerce_time_t         now;
    commerce_reason_t       reason;
    commerce_jwt_policy_t   other_policy;

    policy.memory = commerce_jwt_memory_create();
    other_policy = policy;
    other_policy.memory = NULL;

    text = rs(RS, CLAIM("\"nbf\":1800000000"));
    memcpy(first, text.data, text.len);
    keep = (commerce_str_t) { first, text.len };

    for (i = 0, wrong = 0; i < 3; i++) {
        for (now = NOW - 40; now < NOW + 700; now++) {
            reason = commerce_jwt_check(&policy, commerce_heap_arena(heap), keep, now, &jwt);

            wrong += reason != commerce_jwt_check(&other_policy, commerce_heap_arena(heap), keep, now, &plain)
                     || !commerce_equal(jwt.user, plain.user);
        }
    }

    is_int(wrong, 0, "a remembered token: the same at every second");

    commerce_jwt_keys_digest(policy.keys, keep, digest);
    ok(commerce_jwt_recall(policy.memory, digest, NOW, &plain), "it is remembered");
    is_int(plain.until, 1800000630, "until its end and the skew");
    ok(!commerce_jwt_recall(policy.memory, digest, plain.until, &plain), "not at its end");

    digest[31] ^= 1;
    ok(!commerce_jwt_recall(policy.memory, digest, NOW, &plain), "another token is not it");

    /* tampered ones are nothing to remember */

    first[0] ^= 1;
    ok(check(keep) != COMMERCE_R(OK), "tampered");
    ok(check(keep) != COMMERCE_R(OK), "and again");

    /* more tokens than slots */

    wrong = 0;
    remembered = 0;

    for (i = 0; i < 2 * COMMERCE_JWT_SLOTS; i++) {
        snprintf(payload, sizeof(payload), "{\"sub\":%u,\"exp\":1800000600}", i % (COMMERCE_JWT_SLOTS + 500));
        text = hs(HS, payload);
        commerce_jwt_keys_digest(policy.keys, text, digest);
        remembered += commerce_jwt_recall(policy.memory, digest, NOW, &plain);

        snprintf(payload, sizeof(payload), "%u", i % (COMMERCE_JWT_SLOTS + 500));
        wrong += check(text) != COMMERCE_R(OK) || !commerce_equal(jwt.user, commerce_cstr(payload));
    }

    is_int(wrong, 0, "each is its own user, whichever are remembered");
    ok(remembered > 500 && remembered < COMMERCE_JWT_SLOTS - 500, "some of them were (%u)", remembered);

    commerce_jwt_memory_free(policy.memory);
    policy.memory = NULL;
}


static commerce_reason_t
check(commerce_str_t text)
{
    return commerce_jwt_check(&policy, commerce_heap_arena(heap), text, NOW, &jwt);
}


static void
want(commerce_str_t text, commerce_reason_t reason, const char *title)
{
    commerce_reason_t  got;

    got = check(text);

    is_str(commerce_reason(got)->name, commerce_reason(reason)->name.data, "%s", title);

    if (got != COMMERCE_R(OK) && jwt.user.len != 0) {
        ok(false, "%s: nobody is told", title);
    }
}


static commerce_str_t
hs(const char *header, const char *payload)
{
    return jwt_kit_hs256(token, secret, commerce_cstr(header), commerce_cstr(payload));
}


static commerce_str_t
rs(const char *header, const char *payload)
{
    return jwt_kit_rs256(token, rsa, "SHA256", commerce_cstr(header), commerce_cstr(payload));
}


static commerce_jwt_keys_t *
keys_of(const char *text)
{
    bool                  private;
    char                  error[256];
    commerce_jwt_keys_t  *keys;

    keys = commerce_jwt_keys_parse(commerce_cstr(text), COMMERCE_JWT_ANY, &private, error, sizeof(error));

    if (keys == NULL) {
        printf("Bail out! the file %s\n", error);
        exit(1);
    }

    return keys;
}


static EVP_PKEY *
rsa_new(void)
{
    EVP_PKEY  *made;

    made = EVP_RSA_gen(2048);

    if (made == NULL) {
        printf("Bail out! no RSA key\n");
        exit(1);
    }

    return made;
}


static void
add_rsa(commerce_jwt_keys_t *keys, const char *kid, EVP_PKEY *key)
{
    const char  *fault;

    fault = commerce_jwt_keys_add_rsa(keys, commerce_cstr(kid), key);

    if (fault != NULL) {
        printf("Bail out! %s\n", fault);
        exit(1);
    }
}
