/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "commerce_mac.h"


static int commerce_keyring_randomize(commerce_keyring_t *ring);


static const char *const  commerce_key_purposes[COMMERCE_KEY_PURPOSES] = {
    "share", "coupon", "verdict", "pseudonym"
};

static const char *const  commerce_key_states[COMMERCE_KEYRING_STATES] = {
    "sign", "verify", "retired"
};


void
commerce_keyring_free(commerce_keyring_t *ring)
{
    if (ring == NULL) {
        return;
    }

    commerce_mac_done(ring);
    OPENSSL_cleanse(ring, sizeof(commerce_keyring_t));
    free(ring);
}


commerce_keyring_t *
commerce_keyring_create(commerce_time_t now)
{
    int                  purpose;
    commerce_keyring_t  *ring;

    ring = commerce_keyring_alloc();
    if (ring == NULL) {
        return NULL;
    }

    if (commerce_keyring_randomize(ring) != COMMERCE_OK) {
        commerce_keyring_free(ring);
        return NULL;
    }

    for (purpose = 0; purpose < COMMERCE_KEY_PURPOSES; purpose++) {
        if (commerce_keyring_rotate(ring, (commerce_key_purpose_t) purpose, now) != COMMERCE_OK) {
            commerce_keyring_free(ring);
            return NULL;
        }
    }

    return ring;
}


int
commerce_keyring_rotate(commerce_keyring_t *ring, commerce_key_purpose_t purpose,
    commerce_time_t now)
{
    unsigned        id;
    commerce_key_t  key, *old;

    if ((unsigned) purpose >= COMMERCE_KEY_PURPOSES) {
        return COMMERCE_ERROR;
    }

    for (id = 0; id < commerce_keyring_ids(purpose); id++) {
        if (ring->index[purpose][id] == NULL) {
            break;
        }
    }

    if (id == commerce_keyring_ids(purpose)) {
        return COMMERCE_ERROR;
    }

    key.purpose = purpose;
    key.id = id;
    key.state = COMMERCE_KEY_SIGN;
    key.created = now;

    if (RAND_priv_bytes(key.secret, sizeof(key.secret)) != 1) {
        return COMMERCE_ERROR;
    }

    old = ring->signing[purpose];
    if (old != NULL) {
        old->state = COMMERCE_KEY_VERIFY;
    }

    ring->signing[purpose] = commerce_keyring_add(ring, &key);

    OPENSSL_cleanse(&key, sizeof(key));

    return COMMERCE_OK;
}


int
commerce_keyring_retire(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id)
{
    commerce_key_t  *key;

    if ((unsigned) purpose >= COMMERCE_KEY_PURPOSES || id >= COMMERCE_KEY_IDS) {
        return COMMERCE_ABSENT;
    }

    key = ring->index[purpose][id];

    if (key == NULL) {
        return COMMERCE_ABSENT;
    }

    if (key->state == COMMERCE_KEY_SIGN) {
        return COMMERCE_ERROR;
    }

    key->state = COMMERCE_KEY_RETIRED;

    return COMMERCE_OK;
}


size_t
commerce_keyring_count(const commerce_keyring_t *ring)
{
    return ring->count;
}


const commerce_key_t *
commerce_keyring_key(const commerce_keyring_t *ring, size_t i)
{
    return i < ring->count ? &ring->keys[i] : NULL;
}


const char *
commerce_keyring_id_space(const commerce_keyring_t *ring)
{
    return ring->id_space;
}


const char *
commerce_key_purpose_name(commerce_key_purpose_t purpose)
{
    return (unsigned) purpose < COMMERCE_KEY_PURPOSES ? commerce_key_purposes[purpose] : "unknown";
}


int
commerce_key_purpose_parse(commerce_str_t name, commerce_key_purpose_t *purpose)
{
    int  i;

    for (i = 0; i < COMMERCE_KEY_PURPOSES; i++) {
        if (commerce_equal(name, commerce_cstr(commerce_key_purposes[i]))) {
            *purpose = (commerce_key_purpose_t) i;
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


const char *
commerce_key_state_name(commerce_key_state_t state)
{
    return (unsigned) state < COMMERCE_KEYRING_STATES ? commerce_key_states[state] : "unknown";
}


unsigned
commerce_keyring_signing_id(const commerce_keyring_t *ring, commerce_key_purpose_t purpose)
{
    return ring->signing[purpose]->id;
}


commerce_keyring_t *
commerce_keyring_alloc(void)
{
    commerce_keyring_t  *ring;

    ring = calloc(1, sizeof(commerce_keyring_t));
    if (ring == NULL) {
        return NULL;
    }

    if (commerce_mac_init(ring) != COMMERCE_OK) {
        commerce_keyring_free(ring);
        return NULL;
    }

    return ring;
}


/* a version 4 UUID (RFC 9562) */

static int
commerce_keyring_randomize(commerce_keyring_t *ring)
{
    if (RAND_bytes(ring->salt, sizeof(ring->salt)) != 1) {
        return COMMERCE_ERROR;
    }

    ring->salt[6] = (uint8_t) ((ring->salt[6] & 0x0f) | 0x40);
    ring->salt[8] = (uint8_t) ((ring->salt[8] & 0x3f) | 0x80);

    commerce_keyring_print_uuid(ring->salt, ring->id_space);

    return COMMERCE_OK;
}


void
commerce_keyring_print_uuid(const uint8_t bytes[COMMERCE_KEYRING_SALT],
    char out[COMMERCE_UUID_TEXT + 1])
{
    size_t  i;

    for (i = 0; i < COMMERCE_KEYRING_SALT; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }

        *out++ = "0123456789abcdef"[bytes[i] >> 4];
        *out++ = "0123456789abcdef"[bytes[i] & 15];
    }

    *out = '\0';
}


unsigned
commerce_keyring_ids(commerce_key_purpose_t purpose)
{
    return purpose == COMMERCE_KEY_COUPON ? COMMERCE_KEYRING_COUPON_IDS : COMMERCE_KEY_IDS;
}


commerce_key_t *
commerce_keyring_add(commerce_keyring_t *ring, const commerce_key_t *key)
{
    commerce_key_t  *slot;

    slot = &ring->keys[ring->count++];
    *slot = *key;
    ring->index[key->purpose][key->id] = slot;

    return slot;
}
