/*
 * Copyright (C) ngx_commerce authors
 *
 * Keyring: the secrets behind share tokens, coupon codes, verdicts and buyer pseudonyms.
 *
 * File (JSON, mode 0600 or stricter, made by "commerce keys"):
 *   {"v":1, "id_space":"<uuid>", "keys":[
 *     {"purpose":"share","id":0,"state":"sign","created":1767225600,"secret":"<base64, 32 bytes>"}, ...]}
 * purposes  share (ids 0-63), coupon (0-15), verdict (0-63), pseudonym (0-63)
 * states    sign    makes and checks; exactly one per purpose
 *           verify  checks only (before and after its turn to sign)
 *           retired kept so that its id is not given out again; checks nothing
 *
 * Subkeys: HKDF-SHA256, salt = the id space's 16 bytes, info = purpose, shop and campaign, each
 * behind one length byte, and then the use, unless it is the purpose itself.  So a token of another store (id space) or shop fails as forged.
 *
 * A ring belongs to one process: MACs go through reusable EVP_MAC contexts kept in a table of fixed
 * size inside the ring, so a warm call fetches no algorithm, schedules no key and allocates nothing
 * (OpenSSL 3.0 itself takes and returns a small block or two).  Not for two threads at once.
 */

#ifndef COMMERCE_KEYRING_H
#define COMMERCE_KEYRING_H

#include "commerce_reason.h"

typedef enum {
    COMMERCE_KEY_SHARE,
    COMMERCE_KEY_COUPON,
    COMMERCE_KEY_VERDICT,
    COMMERCE_KEY_PSEUDONYM,
    COMMERCE_KEY_PURPOSES
} commerce_key_purpose_t;

typedef enum {
    COMMERCE_KEY_SIGN,
    COMMERCE_KEY_VERIFY,
    COMMERCE_KEY_RETIRED
} commerce_key_state_t;

#define COMMERCE_KEY_IDS        64      /* ids per purpose (coupon: 16) */
#define COMMERCE_KEY_SECRET     32
#define COMMERCE_MAC_SIZE       32
#define COMMERCE_UUID_TEXT      36

typedef struct commerce_keyring_s  commerce_keyring_t;

/* what the tool lists and writes; secret is cleared by commerce_keyring_free() */
typedef struct {
    commerce_key_purpose_t  purpose;
    unsigned                id;
    commerce_key_state_t    state;
    commerce_time_t         created;
    uint8_t                 secret[COMMERCE_KEY_SECRET];
} commerce_key_t;

/*
 * Reads and checks a keyring file.  On failure returns NULL and a sentence in error (never a secret):
 * missing file, mode wider than 0600, JSON, unknown purpose or state, duplicate or out-of-range id,
 * no or two signing keys of a purpose.
 */
commerce_keyring_t *commerce_keyring_load(const char *path, char *error, size_t error_size);
void commerce_keyring_free(commerce_keyring_t *ring);

/* a fresh ring: random id space, one signing key (id 0) for each purpose; NULL if no randomness */
commerce_keyring_t *commerce_keyring_create(commerce_time_t now);

/* writes to a temporary file beside path (0600, synced) and renames it; COMMERCE_ERROR and a sentence otherwise */
int commerce_keyring_save(const commerce_keyring_t *ring, const char *path, char *error, size_t error_size);

/* adds a key with the lowest free id as the signing one and turns the old one to verify; COMMERCE_ERROR if no id is free */
int commerce_keyring_rotate(commerce_keyring_t *ring, commerce_key_purpose_t purpose, commerce_time_t now);

/* COMMERCE_ABSENT if there is no such key, COMMERCE_ERROR if it is the signing one */
int commerce_keyring_retire(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id);

size_t commerce_keyring_count(const commerce_keyring_t *ring);
const commerce_key_t *commerce_keyring_key(const commerce_keyring_t *ring, size_t i);
const char *commerce_keyring_id_space(const commerce_keyring_t *ring);     /* 36 characters, NUL */

const char *commerce_key_purpose_name(commerce_key_purpose_t purpose);
int commerce_key_purpose_parse(commerce_str_t name, commerce_key_purpose_t *purpose);
const char *commerce_key_state_name(commerce_key_state_t state);

unsigned commerce_keyring_signing_id(const commerce_keyring_t *ring, commerce_key_purpose_t purpose);

/*
 * HMAC-SHA256 under the subkey of (purpose, id, shop, campaign); campaign is 0 but for coupons.
 * COMMERCE_ABSENT: no such key, or retired.  COMMERCE_ERROR: the library failed.
 */
int commerce_keyring_mac(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, const void *data, size_t len, uint8_t mac[COMMERCE_MAC_SIZE]);

/* what a key's subkeys are for beside what its purpose says; stands in the info of HKDF */
typedef enum {
    COMMERCE_KEY_USE_ITSELF,
    COMMERCE_KEY_USE_QR,        /* coupon: dynamic QR tokens */
    COMMERCE_KEY_USE_LOOKUP     /* coupon, campaign 0: commerce_keyring_hash() */
} commerce_key_use_t;

/* the same under the subkey for this use */
int commerce_keyring_mac_for(commerce_keyring_t *ring, commerce_key_use_t use, commerce_key_purpose_t purpose,
    unsigned id, commerce_str_t shop, unsigned campaign, const void *data, size_t len,
    uint8_t mac[COMMERCE_MAC_SIZE]);

/*
 * A hash to find things by, never to trust them: HMAC-SHA256 under a subkey for that use, of the first coupon key in
 * the ring, whatever its state.  New keys come behind it and none is ever taken out: it is the same for ever.
 */
int commerce_keyring_hash(commerce_keyring_t *ring, commerce_str_t shop, const void *data, size_t len,
    uint8_t mac[COMMERCE_MAC_SIZE]);

/* the raw subkey itself, for "commerce keys export verdict": what a backend needs to check verdicts */
int commerce_keyring_subkey(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, uint8_t subkey[COMMERCE_MAC_SIZE]);

/*
 * A buyer's id in the log: "<key id>:<first 16 bytes of the MAC over the user id, base64url>" under
 * the signing pseudonym key.  25 characters and a NUL at most.
 */
#define COMMERCE_PSEUDONYM_SIZE  28
int commerce_keyring_pseudonym(commerce_keyring_t *ring, commerce_str_t shop, commerce_str_t user,
    char out[COMMERCE_PSEUDONYM_SIZE]);

/* SHA-256 through a digest context kept in the ring: order fingerprints, body and query hashes */
int commerce_keyring_sha256(commerce_keyring_t *ring, const void *data, size_t len, uint8_t digest[32]);

#endif
