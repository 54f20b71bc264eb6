/*
 * Copyright (C) ngx_commerce authors
 *
 * The inside of a keyring, for commerce_keyring.c (keys), commerce_keyring_file.c (load, save) and
 * commerce_mac.c (subkeys, MACs) alone.
 *
 * Subkeys are derived on first use; what stays is a keyed EVP_MAC_CTX in a direct-mapped table.  A
 * coupon code names its campaign, so whoever sends codes chooses slots: coupons have the upper half
 * of the table to themselves and cannot push out the contexts of tokens and verdicts.
 */

#ifndef COMMERCE_MAC_H
#define COMMERCE_MAC_H

#include <openssl/evp.h>

#include "commerce_keyring.h"

#define COMMERCE_KEYRING_SALT        16
#define COMMERCE_KEYRING_COUPON_IDS  16
#define COMMERCE_KEYRING_MAX                                                    \
    ((COMMERCE_KEY_PURPOSES - 1) * COMMERCE_KEY_IDS + COMMERCE_KEYRING_COUPON_IDS)

#define COMMERCE_KEYRING_STATES      (COMMERCE_KEY_RETIRED + 1)

#define COMMERCE_MAC_SLOTS           256

/* compared and hashed as bytes: no padding, unused bytes of shop are zero */
typedef struct {
    uint32_t  campaign;
    uint8_t   purpose;
    uint8_t   id;
    uint8_t   shop_len;
    uint8_t   use;
    char      shop[COMMERCE_SHOP_MAX];
} commerce_mac_key_t;

typedef struct {
    commerce_mac_key_t  key;
    EVP_MAC_CTX        *ctx;        /* NULL = free */
} commerce_mac_slot_t;

struct commerce_keyring_s {
    char                 id_space[COMMERCE_UUID_TEXT + 1];
    uint8_t              salt[COMMERCE_KEYRING_SALT];

    commerce_key_t       keys[COMMERCE_KEYRING_MAX];
    size_t               count;
    commerce_key_t      *index[COMMERCE_KEY_PURPOSES][COMMERCE_KEY_IDS];
    commerce_key_t      *signing[COMMERCE_KEY_PURPOSES];

    EVP_KDF             *hkdf;
    EVP_MAC             *hmac;
    EVP_MD              *sha256;
    EVP_MD_CTX          *digest;
    uint8_t              empty[32];         /* SHA-256 of nothing: of every order without a body */
    commerce_mac_slot_t  slots[COMMERCE_MAC_SLOTS];
};

commerce_keyring_t *commerce_keyring_alloc(void);       /* without keys and id space */

/* the key's id must be in range and free: so there is room, the table holds all ids */
commerce_key_t *commerce_keyring_add(commerce_keyring_t *ring, const commerce_key_t *key);

unsigned commerce_keyring_ids(commerce_key_purpose_t purpose);
void commerce_keyring_print_uuid(const uint8_t bytes[COMMERCE_KEYRING_SALT],
    char out[COMMERCE_UUID_TEXT + 1]);

/* fetches the algorithms, once in a ring's life; commerce_mac_done() also after a failure */
int commerce_mac_init(commerce_keyring_t *ring);
void commerce_mac_done(commerce_keyring_t *ring);

#endif
