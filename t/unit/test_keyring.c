/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "ring.h"

#include <dirent.h>


static void test_known(commerce_keyring_t *ring);
static void test_mac(commerce_keyring_t *ring, commerce_str_t shop, commerce_str_t data,
    const char *want, const char *title);
static void test_subkey(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, const char *want);
static void test_absent(commerce_keyring_t *ring);
static void test_table(commerce_keyring_t *ring);
static void test_listing(commerce_keyring_t *ring);
static void test_names(void);
static void test_refused(void);
static void test_refuse(const char *text, size_t len, int mode, const char *word,
    const char *title);
static void test_paths(void);
static void test_rotate(void);
static void test_save(void);
static int test_entries(const char *directory);
static bool test_is_hex(const uint8_t *bytes, const char *want);


static const commerce_str_t  demo = { "demo", 4 };


int
main(void)
{
    commerce_keyring_t  *ring;

    ring = ring_known();

    test_known(ring);
    test_absent(ring);
    test_table(ring);
    test_listing(ring);
    test_names();
    test_refused();
    test_paths();
    test_rotate();
    test_save();

    commerce_keyring_free(ring);
    commerce_keyring_free(NULL);

    return done_testing();
}


/* all by python: hashlib, hmac, and an HKDF of its own */

static void
test_known(commerce_keyring_t *ring)
{
    char            text[1000], pseudonym[COMMERCE_PSEUDONYM_SIZE];
    uint8_t         digest[32];
    commerce_str_t  longest = commerce_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

    test_subkey(ring, COMMERCE_KEY_SHARE, 1, demo, 0,
                "77ccb0021c0ba268a05ebeb498e7dfee7d71d33431efdb23d99d3f9d37f68db7");
    test_subkey(ring, COMMERCE_KEY_SHARE, 0, demo, 0,
                "f2417c9a76a1cafb1f2db85d2ad20698312e43cb9648a18b405b42b260fd4d25");
    test_subkey(ring, COMMERCE_KEY_COUPON, 3, demo, 7,
                "435d502c0ba767bc1987666b30c4ee3c565f05176eb9d7917ba94863bb2e175b");
    test_subkey(ring, COMMERCE_KEY_COUPON, 3, longest, 16383,
                "68db3a5e433c3a4ad317f22624041a7bf576ddd1d959849494c2e5c50305aff8");
    test_subkey(ring, COMMERCE_KEY_COUPON, 15, demo, 4294967295U,
                "8b9918fd52e6dac1cf4cc8b5e623792539d79efc06d17d8f9435522627180b49");
    test_subkey(ring, COMMERCE_KEY_VERDICT, 12, demo, 0,
                "e2e536e9a93c499b2b056624bab09735a88e1b6756e830fffad41a50dc159e65");

    test_mac(ring, demo, commerce_string("abc"),
             "8149534aa0127276798df909fc893ba068e40657af321bdf479597bf1113c8f6", "cold");
    test_mac(ring, demo, commerce_string("abc"),
             "8149534aa0127276798df909fc893ba068e40657af321bdf479597bf1113c8f6", "warm");
    test_mac(ring, demo, (commerce_str_t) { NULL, 0 },
             "225808564c8a4fd233f64bc487db23c67cfb5437d18cf6f7ea6a6612d2a3878b", "of nothing");
    test_mac(ring, commerce_string("other"), commerce_string("abc"),
             "523374a3ab4f686e8d9a7511a7e2f59d195ead850bde7a739a295df9bcdf96cc", "another shop");

    memset(text, 'x', sizeof(text));
    test_mac(ring, demo, (commerce_str_t) { text, sizeof(text) },
             "254ddea09aad9121439a1f66ff6f9072bfe48300e1b0177ee9806fa55f9b81c8", "1000 bytes");

    is_int(commerce_keyring_pseudonym(ring, demo, commerce_string("买家-1"), pseudonym),
           COMMERCE_OK, "pseudonym");
    is_str(commerce_cstr(pseudonym), "63:dUw3ku_Sz0NeGvtfkPHY8Q", "pseudonym: known answer");
    is_int(commerce_keyring_pseudonym(ring, demo, (commerce_str_t) { NULL, 0 }, pseudonym),
           COMMERCE_OK, "pseudonym of nobody");

    ok(commerce_keyring_sha256(ring, "abc", 3, digest) == COMMERCE_OK
       && test_is_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
       "SHA-256 of abc");
    ok(commerce_keyring_sha256(ring, NULL, 0, digest) == COMMERCE_OK
       && test_is_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
       "SHA-256 of nothing, in the same context");
}


static void
test_mac(commerce_keyring_t *ring, commerce_str_t shop, commerce_str_t data, const char *want,
    const char *title)
{
    uint8_t  mac[COMMERCE_MAC_SIZE];

    ok(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 1, shop, 0, data.data, data.len, mac)
       == COMMERCE_OK && test_is_hex(mac, want), "MAC: %s", title);
}


static void
test_subkey(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, const char *want)
{
    uint8_t  subkey[COMMERCE_MAC_SIZE];

    ok(commerce_keyring_subkey(ring, purpose, id, shop, campaign, subkey) == COMMERCE_OK
       && test_is_hex(subkey, want), "subkey of %s %u, campaign %u",
       commerce_key_purpose_name(purpose), id, campaign);
}


static void
test_absent(commerce_keyring_t *ring)
{
    uint8_t         mac[COMMERCE_MAC_SIZE];
    commerce_str_t  large = commerce_string("0123456789abcdef0123456789abcdef0");

    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 2, demo, 0, "", 0, mac),
           COMMERCE_ABSENT, "a retired key");
    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 3, demo, 0, "", 0, mac),
           COMMERCE_ABSENT, "a key that is not there");
    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 64, demo, 0, "", 0, mac),
           COMMERCE_ABSENT, "a key beyond the table");
    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_PURPOSES, 0, demo, 0, "", 0, mac),
           COMMERCE_ABSENT, "a purpose beyond the table");
    is_int(commerce_keyring_subkey(ring, COMMERCE_KEY_SHARE, 2, demo, 0, mac),
           COMMERCE_ABSENT, "subkey of a retired key");
    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 1, large, 0, "", 0, mac),
           COMMERCE_ERROR, "a shop of 33 bytes");
    is_int(commerce_keyring_subkey(ring, COMMERCE_KEY_SHARE, 1, large, 0, mac),
           COMMERCE_ERROR, "subkey for a shop of 33 bytes");
}


/* far more keys than slots: whoever shares a slot must get its own MAC all the same */

static void
test_table(commerce_keyring_t *ring)
{
    int              round, same;
    uint8_t          mac[COMMERCE_MAC_SIZE];
    unsigned         i;

    static uint8_t   first[1000][COMMERCE_MAC_SIZE];

    same = 0;

    for (round = 0; round < 2; round++) {
        for (i = 0; i < 1000; i++) {
            commerce_keyring_mac(ring, COMMERCE_KEY_COUPON, i % 2 ? 3 : 15, demo, 1 + i / 2, "x",
                                 1, mac);

            if (round == 0) {
                memcpy(first[i], mac, sizeof(mac));

            } else {
                same += memcmp(first[i], mac, sizeof(mac)) == 0;
            }
        }
    }

    is_int(same, 1000, "1000 keys in 256 slots");

    same = 0;

    for (i = 1; i < 1000; i++) {
        same += memcmp(first[i], first[i - 1], sizeof(mac)) == 0;
    }

    is_int(same, 0, "and each has a MAC of its own");
}


static void
test_listing(commerce_keyring_t *ring)
{
    const commerce_key_t  *key;

    is_str(commerce_cstr(commerce_keyring_id_space(ring)), RING_SPACE, "id space");
    is_int((int64_t) commerce_keyring_count(ring), 8, "count");

    key = commerce_keyring_key(ring, 2);
    ok(key->purpose == COMMERCE_KEY_SHARE && key->id == 2 && key->state == COMMERCE_KEY_RETIRED
       && key->created == 1767225602 && key->secret[0] == 64 && key->secret[31] == 95,
       "a key's facts");
    ok(commerce_keyring_key(ring, 8) == NULL, "no key behind the last");

    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_SHARE), 1, "signing share key");
    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON), 3, "signing coupon key");
    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_PSEUDONYM), 63, "signing pseudonym key");
}


static void
test_names(void)
{
    int                     i, same;
    commerce_key_purpose_t  purpose;

    same = 0;

    for (i = 0; i < COMMERCE_KEY_PURPOSES; i++) {
        same += commerce_key_purpose_parse(
                    commerce_cstr(commerce_key_purpose_name((commerce_key_purpose_t) i)), &purpose)
                == COMMERCE_OK && (int) purpose == i;
    }

    is_int(same, COMMERCE_KEY_PURPOSES, "purposes by name");
    is_int(commerce_key_purpose_parse(commerce_string("Share"), &purpose), COMMERCE_ERROR,
           "an unknown purpose");
    is_int(commerce_key_purpose_parse(commerce_string(""), &purpose), COMMERCE_ERROR,
           "an empty purpose");
    is_str(commerce_cstr(commerce_key_state_name(COMMERCE_KEY_VERIFY)), "verify", "a state");
    is_str(commerce_cstr(commerce_key_state_name((commerce_key_state_t) 9)), "unknown",
           "an unknown state");
}


#define SHARE           RING_KEY("share", "1", "sign", "1", RING_S1)
#define ENTRY(id, state, created, secret)  RING_KEY("share", id, state, created, secret)
#define refuse(text, word, title)  test_refuse(text, sizeof(text) - 1, 0600, word, title)
#define refuse_key(key, word, title)  refuse(RING_FILE(key "," RING_OTHERS), word, title)


static void
test_refused(void)
{
    static char  large[131073];

    test_refuse(RING_KNOWN, sizeof(RING_KNOWN) - 1, 0640, "mode 0640", "the group may read");
    test_refuse(RING_KNOWN, sizeof(RING_KNOWN) - 1, 0604, "mode 0604", "others may read");
    test_refuse(RING_KNOWN, sizeof(RING_KNOWN) - 1, 0610, "mode 0610", "the group may execute");

    memset(large, ' ', sizeof(large));
    test_refuse(large, sizeof(large), 0600, "longer than 131072", "128 KiB and a byte");
    test_refuse(large, sizeof(large) - 1, 0600, "not JSON", "128 KiB of blanks");

    refuse("", "not JSON", "empty");
    refuse("{", "not JSON", "cut");
    refuse(RING_FILE(SHARE "," RING_OTHERS) "x", "not JSON", "something behind");
    refuse("[]", "something else", "an array");
    refuse("{\"v\":1,\"v\":1}", "duplicate member", "v twice");
    refuse("{\"v\":1,\"x\":1}", "unknown member", "an unknown member");
    refuse("{\"v\":1}", "missing member", "members missing");
    refuse("{\"v\":2,\"id_space\":\"" RING_SPACE "\",\"keys\":[]}", "other than 1", "v 2");
    refuse("{\"v\":\"1\",\"id_space\":\"" RING_SPACE "\",\"keys\":[]}", "other than 1", "v a text");
    refuse("{\"v\":1,\"id_space\":\"" RING_SPACE "\",\"keys\":{}}", "no array", "keys no array");
    refuse("{\"v\":1,\"id_space\":\"0f8fad5b-d9cb-469f-a165-70867728950E\",\"keys\":[]}", "UUID",
           "upper case UUID");
    refuse("{\"v\":1,\"id_space\":\"0f8fad5bd-9cb-469f-a165-70867728950e\",\"keys\":[]}", "UUID",
           "hyphens elsewhere");
    refuse("{\"v\":1,\"id_space\":\"0f8fad5b0d9cb0469f0a165070867728950e\",\"keys\":[]}", "UUID",
           "no hyphens");
    refuse("{\"v\":1,\"id_space\":\"------------------------------------\",\"keys\":[]}", "UUID",
           "only hyphens");
    refuse("{\"v\":1,\"id_space\":7,\"keys\":[]}", "UUID", "UUID no text");

    refuse_key(RING_KEY("shared", "1", "sign", "1", RING_S1), "unknown purpose", "purpose");
    refuse_key(RING_KEY("share\\u0000", "1", "sign", "1", RING_S1), "NUL", "escaped NUL");
    refuse("{\"v\":1\0}", "NUL", "NUL");
    refuse_key(ENTRY("64", "sign", "1", RING_S1), "id out of range", "id 64");
    refuse_key(ENTRY("-1", "sign", "1", RING_S1), "id out of range", "id -1");
    refuse_key(ENTRY("0.5", "sign", "1", RING_S1), "id out of range", "id 0.5");
    refuse_key(ENTRY("\"0\"", "sign", "1", RING_S1), "id out of range", "id a text");
    refuse_key(ENTRY("1e400", "sign", "1", RING_S1), "id out of range", "id without end");
    refuse(RING_FILE(SHARE "," RING_KEY("coupon", "16", "sign", "1", RING_S3)), "id out of range",
           "coupon id 16");
    refuse_key(SHARE "," ENTRY("1", "verify", "1", RING_S1), "in key number 2", "id twice");
    refuse_key(ENTRY("1", "signs", "1", RING_S1), "unknown state", "state");
    refuse_key(SHARE "," ENTRY("2", "sign", "1", RING_S1), "second signing key", "two sign");
    refuse(RING_FILE(SHARE), "no signing key for \"coupon\"", "none signs");
    refuse_key(ENTRY("1", "verify", "1", RING_S1), "no signing key for \"share\"", "none signs");
    refuse(RING_FILE(""), "no signing key", "no keys");
    refuse_key(ENTRY("1", "sign", "-1", RING_S1), "creation time", "time -1");
    refuse_key(ENTRY("1", "sign", "1e18", RING_S1), "creation time", "time too late");
    refuse_key(ENTRY("1", "sign", "1", ""), "secret", "no secret");
    refuse_key(ENTRY("1", "sign", "1", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pg=="), "secret",
               "31 bytes");
    refuse_key(ENTRY("1", "sign", "1", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9A"), "secret",
               "33 bytes");
    refuse_key(ENTRY("1", "sign", "1", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9="), "secret",
               "bits behind the end");
    refuse_key(ENTRY("1", "sign", "1", " CEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="), "secret",
               "a blank");
    refuse_key(ENTRY("1", "sign", "1", "_CEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="), "secret",
               "base64url");
    refuse_key("{\"purpose\":\"share\",\"id\":1,\"state\":\"sign\",\"created\":1}",
               "missing member", "a key without a secret");
    refuse_key("7", "something else", "a number for a key");
}


static void
test_refuse(const char *text, size_t len, int mode, const char *word, const char *title)
{
    char                 error[256];
    commerce_keyring_t  *ring;

    error[0] = '\0';
    ring = ring_load(text, len, mode, error, sizeof(error));

    ok(ring == NULL && strstr(error, word) != NULL && strstr(error, RING_S1) == NULL,
       "refused: %s (%s)", title, error);

    commerce_keyring_free(ring);
}


static void
test_paths(void)
{
    char  error[256];

    ok(commerce_keyring_load("/nonexistent/keys.json", error, sizeof(error)) == NULL
       && strstr(error, "/nonexistent/keys.json") != NULL && strstr(error, "No such file") != NULL,
       "no file: %s", error);
    ok(commerce_keyring_load("/tmp", error, sizeof(error)) == NULL
       && strstr(error, "not a regular file") != NULL, "a directory: %s", error);
    ok(commerce_keyring_load("/nonexistent/keys.json", error, 10) == NULL && strlen(error) == 9,
       "a short error buffer");
    ok(commerce_keyring_load("/nonexistent/keys.json", NULL, 0) == NULL, "no error buffer");
}


static void
test_rotate(void)
{
    unsigned             id;
    uint8_t              old[COMMERCE_MAC_SIZE], new[COMMERCE_MAC_SIZE];
    commerce_keyring_t  *ring, *other;

    ring = commerce_keyring_create(1767225600);
    other = commerce_keyring_create(1767225600);

    is_int((int64_t) commerce_keyring_count(ring), COMMERCE_KEY_PURPOSES, "one key per purpose");
    ok(strlen(commerce_keyring_id_space(ring)) == COMMERCE_UUID_TEXT
       && commerce_keyring_id_space(ring)[14] == '4'
       && strchr("89ab", commerce_keyring_id_space(ring)[19]) != NULL, "a version 4 UUID");
    ok(strcmp(commerce_keyring_id_space(ring), commerce_keyring_id_space(other)) != 0,
       "two id spaces differ");
    ok(memcmp(commerce_keyring_key(ring, 0)->secret, commerce_keyring_key(ring, 1)->secret, 32) != 0
       && memcmp(commerce_keyring_key(ring, 0)->secret, commerce_keyring_key(other, 0)->secret, 32)
          != 0, "secrets differ");

    commerce_keyring_free(other);

    is_int(commerce_keyring_retire(ring, COMMERCE_KEY_SHARE, 0), COMMERCE_ERROR,
           "the signing key cannot be retired");
    is_int(commerce_keyring_retire(ring, COMMERCE_KEY_SHARE, 1), COMMERCE_ABSENT,
           "a key that is not there");
    is_int(commerce_keyring_retire(ring, COMMERCE_KEY_SHARE, 64), COMMERCE_ABSENT, "id 64");
    is_int(commerce_keyring_retire(ring, COMMERCE_KEY_PURPOSES, 0), COMMERCE_ABSENT, "no purpose");

    commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 0, demo, 0, "x", 1, old);
    is_int(commerce_keyring_rotate(ring, COMMERCE_KEY_SHARE, 1767225700), COMMERCE_OK, "rotate");
    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_SHARE), 1, "the new key signs");
    ok(commerce_keyring_key(ring, 0)->state == COMMERCE_KEY_VERIFY
       && commerce_keyring_key(ring, 4)->created == 1767225700, "the old one verifies");
    ok(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 0, demo, 0, "x", 1, new) == COMMERCE_OK
       && memcmp(old, new, sizeof(old)) == 0, "and gives the same MACs");

    is_int(commerce_keyring_retire(ring, COMMERCE_KEY_SHARE, 0), COMMERCE_OK, "retire");
    is_int(commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, 0, demo, 0, "x", 1, new),
           COMMERCE_ABSENT, "no MAC any more");
    is_int(commerce_keyring_rotate(ring, COMMERCE_KEY_SHARE, 1), COMMERCE_OK, "rotate again");
    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_SHARE), 2,
           "the retired key's id is not given out");

    for (id = 1; id < 16; id++) {
        commerce_keyring_rotate(ring, COMMERCE_KEY_COUPON, 1);
    }

    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON), 15, "16 coupon keys");
    is_int(commerce_keyring_rotate(ring, COMMERCE_KEY_COUPON, 1), COMMERCE_ERROR, "but no 17th");
    is_int(commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON), 15, "and nothing has changed");
    is_int(commerce_keyring_rotate(ring, COMMERCE_KEY_PURPOSES, 1), COMMERCE_ERROR, "no purpose");

    commerce_keyring_free(ring);
}


static void
test_save(void)
{
    int                  i;
    char                 directory[] = "/tmp/commerce_ring_XXXXXX", path[64], error[256];
    size_t               n, same;
    struct stat          st;
    commerce_keyring_t  *ring, *loaded;

    ok(mkdtemp(directory) != NULL, "directory");
    snprintf(path, sizeof(path), "%s/keys.json", directory);

    ring = commerce_keyring_create(253402300799);

    for (i = 0; i < 63; i++) {
        commerce_keyring_rotate(ring, COMMERCE_KEY_SHARE, 253402300799);
        commerce_keyring_rotate(ring, COMMERCE_KEY_COUPON, 253402300799);
        commerce_keyring_rotate(ring, COMMERCE_KEY_VERDICT, 253402300799);
        commerce_keyring_rotate(ring, COMMERCE_KEY_PSEUDONYM, 253402300799);
    }

    commerce_keyring_retire(ring, COMMERCE_KEY_PSEUDONYM, 62);

    is_int((int64_t) commerce_keyring_count(ring), 208, "as many keys as there can be");
    is_int(commerce_keyring_save(ring, path, error, sizeof(error)), COMMERCE_OK, "save");
    is_int(commerce_keyring_save(ring, path, error, sizeof(error)), COMMERCE_OK, "save again");
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "mode 0600");
    is_int(test_entries(directory), 1, "no temporary file is left");

    loaded = commerce_keyring_load(path, error, sizeof(error));
    ok(loaded != NULL && commerce_keyring_count(loaded) == 208
       && strcmp(commerce_keyring_id_space(loaded), commerce_keyring_id_space(ring)) == 0,
       "load");

    same = 0;

    for (n = 0; loaded != NULL && n < 208; n++) {
        same += commerce_keyring_key(loaded, n)->purpose == commerce_keyring_key(ring, n)->purpose
                && commerce_keyring_key(loaded, n)->id == commerce_keyring_key(ring, n)->id
                && commerce_keyring_key(loaded, n)->state == commerce_keyring_key(ring, n)->state
                && commerce_keyring_key(loaded, n)->created == 253402300799
                && memcmp(commerce_keyring_key(loaded, n)->secret,
                          commerce_keyring_key(ring, n)->secret, COMMERCE_KEY_SECRET) == 0;
    }

    is_int((int64_t) same, 208, "all keys came back");

    commerce_keyring_free(loaded);
    unlink(path);

    ok(mkdir(path, 0700) == 0
       && commerce_keyring_save(ring, path, error, sizeof(error)) == COMMERCE_ERROR,
       "a directory in the way: %s", error);
    is_int(test_entries(directory), 1, "and no temporary file is left");
    rmdir(path);
    rmdir(directory);

    ok(commerce_keyring_save(ring, "/nonexistent/keys.json", error, sizeof(error)) == COMMERCE_ERROR
       && strstr(error, "No such file") != NULL, "no such directory: %s", error);

    commerce_keyring_free(ring);
}


static int
test_entries(const char *directory)
{
    int             n;
    DIR            *dir;
    struct dirent  *entry;

    n = 0;
    dir = opendir(directory);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }

    if (dir != NULL) {
        closedir(dir);
    }

    return n;
}


static bool
test_is_hex(const uint8_t *bytes, const char *want)
{
    int   i;
    char  text[65];

    for (i = 0; i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }

    return strcmp(text, want) == 0;
}
