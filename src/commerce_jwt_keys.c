/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "commerce_jwt_keys.h"


typedef struct {
    commerce_jwt_alg_t   alg;
    size_t               kid_len;       /* 0: it has none */
    char                 kid[COMMERCE_JWT_KID_MAX];
    EVP_MAC_CTX         *mac;           /* HS256: keyed */
    EVP_PKEY_CTX        *rsa;           /* RS256: ready to verify */
} commerce_jwt_key_t;


struct commerce_jwt_keys_s {
    EVP_MD              *sha256;
    EVP_MD_CTX          *digest;
    EVP_MAC             *hmac;
    unsigned             count;
    commerce_jwt_key_t   keys[COMMERCE_JWT_KEYS_MAX];
};


static const char *jwt_keys_slot(commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg, commerce_str_t kid,
    commerce_jwt_key_t **slot);
static const char *jwt_keys_rsa_fault(EVP_PKEY *rsa);
static const commerce_jwt_key_t *jwt_keys_find(const commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg,
    commerce_str_t kid);
static commerce_reason_t jwt_keys_verify_mac(EVP_MAC_CTX *ctx, commerce_str_t text, const uint8_t *signature,
    size_t len);
static commerce_reason_t jwt_keys_verify_rsa(commerce_jwt_keys_t *keys, EVP_PKEY_CTX *ctx, commerce_str_t text,
    const uint8_t *signature, size_t len);


static const char *const  jwt_alg_names[COMMERCE_JWT_ALGS] = { "HS256", "RS256" };


commerce_jwt_keys_t *
commerce_jwt_keys_create(void)
{
    commerce_jwt_keys_t  *keys;

    keys = calloc(1, sizeof(commerce_jwt_keys_t));
    if (keys == NULL) {
        return NULL;
    }

    keys->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    keys->digest = EVP_MD_CTX_new();
    keys->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (keys->sha256 == NULL || keys->digest == NULL || keys->hmac == NULL) {
        ERR_clear_error();
        commerce_jwt_keys_free(keys);
        return NULL;
    }

    return keys;
}


void
commerce_jwt_keys_free(commerce_jwt_keys_t *keys)
{
    unsigned  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->count; i++) {
        EVP_MAC_CTX_free(keys->keys[i].mac);
        EVP_PKEY_CTX_free(keys->keys[i].rsa);
    }

    EVP_MAC_free(keys->hmac);
    EVP_MD_CTX_free(keys->digest);
    EVP_MD_free(keys->sha256);
    free(keys);
}


const char *
commerce_jwt_keys_add_secret(commerce_jwt_keys_t *keys, commerce_str_t kid, const uint8_t *secret, size_t len)
{
    const char          *fault;
    OSSL_PARAM           params[2];
    commerce_jwt_key_t  *key;

    if (len < COMMERCE_JWT_SECRET_MIN) {
        return "a secret of less than 32 bytes";
    }

    if (len > COMMERCE_JWT_SECRET_MAX) {
        return "a secret of more than 1024 bytes";
    }

    fault = jwt_keys_slot(keys, COMMERCE_JWT_HS256, kid, &key);
    if (fault != NULL) {
        return fault;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    key->mac = EVP_MAC_CTX_new(keys->hmac);

    if (key->mac == NULL || EVP_MAC_init(key->mac, secret, len, params) != 1) {
        ERR_clear_error();
        EVP_MAC_CTX_free(key->mac);
        key->mac = NULL;
        return "a secret that OpenSSL cannot take";
    }

    keys->count++;

    return NULL;
}


const char *
commerce_jwt_keys_add_rsa(commerce_jwt_keys_t *keys, commerce_str_t kid, EVP_PKEY *rsa)
{
    const char          *fault;
    commerce_jwt_key_t  *key;

    fault = jwt_keys_rsa_fault(rsa);
    if (fault != NULL) {
        return fault;
    }

    fault = jwt_keys_slot(keys, COMMERCE_JWT_RS256, kid, &key);
    if (fault != NULL) {
        return fault;
    }

    key->rsa = EVP_PKEY_CTX_new_from_pkey(NULL, rsa, NULL);

    if (key->rsa == NULL
        || EVP_PKEY_verify_init(key->rsa) != 1
        || EVP_PKEY_CTX_set_rsa_padding(key->rsa, RSA_PKCS1_PADDING) != 1
        || EVP_PKEY_CTX_set_signature_md(key->rsa, keys->sha256) != 1)
    {
        ERR_clear_error();
        EVP_PKEY_CTX_free(key->rsa);
        key->rsa = NULL;
        return "an RSA key that OpenSSL cannot take";
    }

    keys->count++;

    return NULL;
}


/* the next free place, if a key of this name may stand there; it is taken by counting it */

static const char *
jwt_keys_slot(commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg, commerce_str_t kid, commerce_jwt_key_t **slot)
{
    unsigned             i;
    commerce_jwt_key_t  *key;

    if (kid.len > COMMERCE_JWT_KID_MAX) {
        return "a kid of more than 128 bytes";
    }

    for (i = 0; i < keys->count; i++) {
        key = &keys->keys[i];

        if (key->alg != alg) {
            continue;
        }

        if (kid.len == 0 || key->kid_len == 0) {
            return "an algorithm of which there are several keys, and not all of them have a kid";
        }

        if (commerce_equal(kid, (commerce_str_t) { key->kid, key->kid_len })) {
            return "the kid of an earlier key of its algorithm";
        }
    }

    if (keys->count == COMMERCE_JWT_KEYS_MAX) {
        return "a place behind the 64 keys that there can be";
    }

    key = &keys->keys[keys->count];
    key->alg = alg;
    key->kid_len = kid.len;

    if (kid.len != 0) {
        memcpy(key->kid, kid.data, kid.len);
    }

    *slot = key;

    return NULL;
}


/* an exponent of 1 would make every padded digest its own signature */

static const char *
jwt_keys_rsa_fault(EVP_PKEY *rsa)
{
    int          bits;
    BIGNUM      *n, *e;
    const char  *fault;

    if (!EVP_PKEY_is_a(rsa, "RSA")) {
        return "a type other than RSA";
    }

    bits = EVP_PKEY_get_bits(rsa);

    if (bits < COMMERCE_JWT_RSA_MIN) {
        return "an RSA modulus of less than 2048 bits";
    }

    if (bits > COMMERCE_JWT_RSA_MAX) {
        return "an RSA modulus of more than 8192 bits";
    }

    n = NULL;
    e = NULL;
    fault = NULL;

    if (EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &n) != 1
        || EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
    {
        ERR_clear_error();
        fault = "an RSA key that OpenSSL cannot take";

    } else if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > 64) {
        fault = "an even RSA modulus, or a public exponent that is even, 1 or longer than 64 bits";
    }

    BN_free(n);
    BN_free(e);

    return fault;
}


unsigned
commerce_jwt_keys_count(const commerce_jwt_keys_t *keys)
{
    return keys->count;
}


const char *
commerce_jwt_alg_name(commerce_jwt_alg_t alg)
{
    return (unsigned) alg < COMMERCE_JWT_ALGS ? jwt_alg_names[alg] : "unknown";
}


int
commerce_jwt_alg_parse(commerce_str_t name, commerce_jwt_alg_t *alg)
{
    int  i;

    for (i = 0; i < COMMERCE_JWT_ALGS; i++) {
        if (commerce_equal(name, commerce_cstr(jwt_alg_names[i]))) {
            *alg = (commerce_jwt_alg_t) i;
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


commerce_reason_t
commerce_jwt_keys_verify(commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg, commerce_str_t kid, commerce_str_t text,
    const uint8_t *signature, size_t len)
{
    const commerce_jwt_key_t  *key;

    key = jwt_keys_find(keys, alg, kid);

    if (key == NULL) {
        return COMMERCE_R(JWT_KEY_UNKNOWN);
    }

    return key->alg == COMMERCE_JWT_HS256 ? jwt_keys_verify_mac(key->mac, text, signature, len)
                                          : jwt_keys_verify_rsa(keys, key->rsa, text, signature, len);
}


static const commerce_jwt_key_t *
jwt_keys_find(const commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg, commerce_str_t kid)
{
    unsigned                   i, n;
    const commerce_jwt_key_t  *key, *last;

    n = 0;
    last = NULL;

    for (i = 0; i < keys->count; i++) {
        key = &keys->keys[i];

        if (key->alg != alg) {
            continue;
        }

        if (kid.data != NULL && commerce_equal(kid, (commerce_str_t) { key->kid, key->kid_len })) {
            return key;
        }

        last = key;
        n++;
    }

    return n == 1 && (kid.data == NULL || last->kid_len == 0) ? last : NULL;
}


static commerce_reason_t
jwt_keys_verify_mac(EVP_MAC_CTX *ctx, commerce_str_t text, const uint8_t *signature, size_t len)
{
    size_t   size;
    uint8_t  mac[COMMERCE_JWT_DIGEST];

    if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1
        || EVP_MAC_update(ctx, (const uint8_t *) text.data, text.len) != 1
        || EVP_MAC_final(ctx, mac, &size, sizeof(mac)) != 1
        || size != sizeof(mac))
    {
        ERR_clear_error();
        return COMMERCE_R(INTERNAL);
    }

    return len == sizeof(mac) && CRYPTO_memcmp(mac, signature, sizeof(mac)) == 0
           ? COMMERCE_R(OK) : COMMERCE_R(JWT_BAD_SIGNATURE);
}


static commerce_reason_t
jwt_keys_verify_rsa(commerce_jwt_keys_t *keys, EVP_PKEY_CTX *ctx, commerce_str_t text, const uint8_t *signature,
    size_t len)
{
    uint8_t  digest[COMMERCE_JWT_DIGEST];

    if (commerce_jwt_keys_digest(keys, text, digest) != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (EVP_PKEY_verify(ctx, signature, len, digest, sizeof(digest)) != 1) {
        ERR_clear_error();
        return COMMERCE_R(JWT_BAD_SIGNATURE);
    }

    return COMMERCE_R(OK);
}


int
commerce_jwt_keys_digest(commerce_jwt_keys_t *keys, commerce_str_t text, uint8_t digest[COMMERCE_JWT_DIGEST])
{
    if (EVP_DigestInit_ex2(keys->digest, keys->sha256, NULL) != 1
        || EVP_DigestUpdate(keys->digest, text.data, text.len) != 1
        || EVP_DigestFinal_ex(keys->digest, digest, NULL) != 1)
    {
        ERR_clear_error();
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}
