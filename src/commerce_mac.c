/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "commerce_mac.h"
#include "commerce_write.h"


#define COMMERCE_MAC_PSEUDONYM   16

/* a length byte before each of: a purpose's name, a shop, a campaign in decimal, a use */
#define COMMERCE_MAC_INFO_MAX    (1 + 16 + 1 + COMMERCE_SHOP_MAX + 1 + 10 + 1 + 2)


static int commerce_mac_compute(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    const void *data, size_t len, uint8_t mac[COMMERCE_MAC_SIZE]);
static void commerce_mac_key_fill(commerce_key_purpose_t purpose, unsigned id, commerce_str_t shop,
    unsigned campaign, commerce_mac_key_t *key);
static int commerce_mac_slot(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    commerce_mac_slot_t **slot);
static int commerce_mac_slot_fill(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    commerce_mac_slot_t *slot);
static int commerce_mac_key(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, commerce_mac_key_t *key);
static int commerce_mac_derive(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    uint8_t subkey[COMMERCE_MAC_SIZE]);
static size_t commerce_mac_info(const commerce_mac_key_t *key,
    uint8_t info[COMMERCE_MAC_INFO_MAX]);
static uint8_t *commerce_mac_info_part(uint8_t *p, const char *part, size_t len);
static size_t commerce_mac_decimal(unsigned n, char out[10]);


int
commerce_mac_init(commerce_keyring_t *ring)
{
    ring->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ring->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ring->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ring->digest = EVP_MD_CTX_new();

    if (ring->hkdf == NULL || ring->hmac == NULL || ring->sha256 == NULL || ring->digest == NULL
        || EVP_Digest("", 0, ring->empty, NULL, ring->sha256, NULL) != 1)
    {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


void
commerce_mac_done(commerce_keyring_t *ring)
{
    size_t  i;

    for (i = 0; i < COMMERCE_MAC_SLOTS; i++) {
        EVP_MAC_CTX_free(ring->slots[i].ctx);
    }

    EVP_MD_CTX_free(ring->digest);
    EVP_MD_free(ring->sha256);
    EVP_MAC_free(ring->hmac);
    EVP_KDF_free(ring->hkdf);
}


int
commerce_keyring_mac(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, const void *data, size_t len,
    uint8_t mac[COMMERCE_MAC_SIZE])
{
    return commerce_keyring_mac_for(ring, COMMERCE_KEY_USE_ITSELF, purpose, id, shop, campaign,
                                    data, len, mac);
}


int
commerce_keyring_mac_for(commerce_keyring_t *ring, commerce_key_use_t use,
    commerce_key_purpose_t purpose, unsigned id, commerce_str_t shop, unsigned campaign,
    const void *data, size_t len, uint8_t mac[COMMERCE_MAC_SIZE])
{
    int                 rc;
    commerce_mac_key_t  key;

    rc = commerce_mac_key(ring, purpose, id, shop, campaign, &key);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    key.use = (uint8_t) use;

    return commerce_mac_compute(ring, &key, data, len, mac);
}


int
commerce_keyring_hash(commerce_keyring_t *ring, commerce_str_t shop, const void *data, size_t len,
    uint8_t mac[COMMERCE_MAC_SIZE])
{
    size_t              i;
    commerce_mac_key_t  key;

    for (i = 0; i < ring->count && ring->keys[i].purpose != COMMERCE_KEY_COUPON; i++) { /* void */ }

    if (i == ring->count || shop.len > COMMERCE_SHOP_MAX) {
        return COMMERCE_ERROR;
    }

    commerce_mac_key_fill(COMMERCE_KEY_COUPON, ring->keys[i].id, shop, 0, &key);
    key.use = COMMERCE_KEY_USE_LOOKUP;

    return commerce_mac_compute(ring, &key, data, len, mac);
}


static int
commerce_mac_compute(commerce_keyring_t *ring, const commerce_mac_key_t *key, const void *data,
    size_t len, uint8_t mac[COMMERCE_MAC_SIZE])
{
    size_t                size;
    commerce_mac_slot_t  *slot;

    if (commerce_mac_slot(ring, key, &slot) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (EVP_MAC_init(slot->ctx, NULL, 0, NULL) != 1
        || EVP_MAC_update(slot->ctx, data, len) != 1
        || EVP_MAC_final(slot->ctx, mac, &size, COMMERCE_MAC_SIZE) != 1
        || size != COMMERCE_MAC_SIZE)
    {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


int
commerce_keyring_subkey(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, uint8_t subkey[COMMERCE_MAC_SIZE])
{
    int                 rc;
    commerce_mac_key_t  key;

    rc = commerce_mac_key(ring, purpose, id, shop, campaign, &key);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    return commerce_mac_derive(ring, &key, subkey);
}


int
commerce_keyring_pseudonym(commerce_keyring_t *ring, commerce_str_t shop, commerce_str_t user,
    char out[COMMERCE_PSEUDONYM_SIZE])
{
    size_t    len;
    uint8_t   mac[COMMERCE_MAC_SIZE];
    unsigned  id;

    id = commerce_keyring_signing_id(ring, COMMERCE_KEY_PSEUDONYM);

    if (commerce_keyring_mac(ring, COMMERCE_KEY_PSEUDONYM, id, shop, 0, user.data, user.len, mac)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    len = commerce_mac_decimal(id, out);
    out[len++] = ':';
    len += commerce_base64url(mac, COMMERCE_MAC_PSEUDONYM, out + len);
    out[len] = '\0';

    return COMMERCE_OK;
}


int
commerce_keyring_sha256(commerce_keyring_t *ring, const void *data, size_t len, uint8_t digest[32])
{
    if (len == 0) {
        memcpy(digest, ring->empty, sizeof(ring->empty));
        return COMMERCE_OK;
    }

    if (EVP_DigestInit_ex2(ring->digest, ring->sha256, NULL) != 1
        || EVP_DigestUpdate(ring->digest, data, len) != 1
        || EVP_DigestFinal_ex(ring->digest, digest, NULL) != 1)
    {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_mac_slot(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    commerce_mac_slot_t **slot)
{
    size_t    i;
    uint64_t  hash;

    hash = commerce_hash(COMMERCE_HASH_START, key,
                         offsetof(commerce_mac_key_t, shop) + key->shop_len);

    i = (size_t) (hash ^ hash >> 32) % (COMMERCE_MAC_SLOTS / 2);

    if (key->purpose == COMMERCE_KEY_COUPON) {
        i += COMMERCE_MAC_SLOTS / 2;
    }

    *slot = &ring->slots[i];

    if ((*slot)->ctx != NULL && memcmp(&(*slot)->key, key, sizeof(commerce_mac_key_t)) == 0) {
        return COMMERCE_OK;
    }

    return commerce_mac_slot_fill(ring, key, *slot);
}


static int
commerce_mac_slot_fill(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    commerce_mac_slot_t *slot)
{
    int         rc;
    uint8_t     subkey[COMMERCE_MAC_SIZE];
    OSSL_PARAM  params[2];

    EVP_MAC_CTX_free(slot->ctx);

    slot->ctx = EVP_MAC_CTX_new(ring->hmac);
    if (slot->ctx == NULL) {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    rc = commerce_mac_derive(ring, key, subkey);

    if (rc == COMMERCE_OK && EVP_MAC_init(slot->ctx, subkey, sizeof(subkey), params) != 1) {
        ERR_clear_error();
        rc = COMMERCE_ERROR;
    }

    OPENSSL_cleanse(subkey, sizeof(subkey));

    if (rc != COMMERCE_OK) {
        EVP_MAC_CTX_free(slot->ctx);
        slot->ctx = NULL;
        return COMMERCE_ERROR;
    }

    slot->key = *key;

    return COMMERCE_OK;
}


static int
commerce_mac_key(commerce_keyring_t *ring, commerce_key_purpose_t purpose, unsigned id,
    commerce_str_t shop, unsigned campaign, commerce_mac_key_t *key)
{
    const commerce_key_t  *secret;

    if ((unsigned) purpose >= COMMERCE_KEY_PURPOSES || id >= COMMERCE_KEY_IDS) {
        return COMMERCE_ABSENT;
    }

    secret = ring->index[purpose][id];

    if (secret == NULL || secret->state == COMMERCE_KEY_RETIRED) {
        return COMMERCE_ABSENT;
    }

    if (shop.len > COMMERCE_SHOP_MAX) {
        return COMMERCE_ERROR;
    }

    commerce_mac_key_fill(purpose, id, shop, campaign, key);

    return COMMERCE_OK;
}


static void
commerce_mac_key_fill(commerce_key_purpose_t purpose, unsigned id, commerce_str_t shop,
    unsigned campaign, commerce_mac_key_t *key)
{
    memset(key, 0, sizeof(commerce_mac_key_t));

    key->campaign = campaign;
    key->purpose = (uint8_t) purpose;
    key->id = (uint8_t) id;
    key->shop_len = (uint8_t) shop.len;

    if (shop.len != 0) {
        memcpy(key->shop, shop.data, shop.len);
    }
}


static int
commerce_mac_derive(commerce_keyring_t *ring, const commerce_mac_key_t *key,
    uint8_t subkey[COMMERCE_MAC_SIZE])
{
    int              done;
    uint8_t          info[COMMERCE_MAC_INFO_MAX];
    size_t           len;
    OSSL_PARAM       params[5];
    EVP_KDF_CTX     *ctx;
    commerce_key_t  *secret;

    ctx = EVP_KDF_CTX_new(ring->hkdf);
    if (ctx == NULL) {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    secret = ring->index[key->purpose][key->id];
    len = commerce_mac_info(key, info);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret->secret,
                                                  COMMERCE_KEY_SECRET);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, ring->salt,
                                                  COMMERCE_KEYRING_SALT);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, len);
    params[4] = OSSL_PARAM_construct_end();

    done = EVP_KDF_derive(ctx, subkey, COMMERCE_MAC_SIZE, params);

    EVP_KDF_CTX_free(ctx);

    if (done != 1) {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static size_t
commerce_mac_info(const commerce_mac_key_t *key, uint8_t info[COMMERCE_MAC_INFO_MAX])
{
    char        campaign[10];
    size_t      len;
    uint8_t    *p;
    const char  *purpose;

    purpose = commerce_key_purpose_name(key->purpose);
    len = (key->campaign != 0) ? commerce_mac_decimal(key->campaign, campaign) : 0;

    p = commerce_mac_info_part(info, purpose, strlen(purpose));
    p = commerce_mac_info_part(p, key->shop, key->shop_len);
    p = commerce_mac_info_part(p, campaign, len);

    if (key->use == COMMERCE_KEY_USE_QR) {
        p = commerce_mac_info_part(p, "qr", 2);
    }

    return (size_t) (p - info);
}


static uint8_t *
commerce_mac_info_part(uint8_t *p, const char *part, size_t len)
{
    *p++ = (uint8_t) len;
    memcpy(p, part, len);

    return p + len;
}


static size_t
commerce_mac_decimal(unsigned n, char out[10])
{
    size_t    len, i;
    unsigned  rest;

    len = 1;

    for (rest = n; rest >= 10; rest /= 10) {
        len++;
    }

    for (i = len; i != 0; i--) {
        out[i - 1] = (char) ('0' + n % 10);
        n /= 10;
    }

    return len;
}
