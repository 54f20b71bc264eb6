/*
 * Copyright (C) ngx_commerce authors
 *
 * Keys that check JSON Web Tokens: HS256 (HMAC-SHA256) and RS256 (RSASSA-PKCS1-v1_5 with SHA-256), RFC 7518 3.
 *
 * A key's type decides what it checks, never a token's header (RFC 8725 3.1): a secret checks HS256, an RSA key RS256,
 * and a token that names the one finds no key among the others.
 *
 * A file holds
 *   a JWK Set (RFC 7517 5)   {"keys":[{"kty":"oct","kid":"a","k":"<base64url>"},
 *                                     {"kty":"RSA","kid":"b","n":"<base64url>","e":"AQAB"}, ...]}
 *                            A key for something else is passed over: another "kty", a "use" other than sig, "key_ops"
 *                            without verify, an "alg" other than the type's own.  What is wrong with one of ours
 *                            refuses the file.
 *   or one RSA public key in PEM (BEGIN PUBLIC KEY, BEGIN RSA PUBLIC KEY), which has no "kid".
 *
 * Refused: secrets of less than 32 bytes, RSA moduli of less than 2048 bits or more than 8192, public exponents that
 * are even, 1 or longer than 64 bits; private RSA keys, which have no business here; a file with a secret, or a
 * private key of any kind, to which group or others have any access, and any file that they may write.  A "kid" (1 to
 * 128 bytes) is that of one key of its algorithm; a key without one must be the only key of its algorithm.
 *
 * Keys belong to one process, as a keyring does: contexts are made when the keys are, so that a check fetches no
 * algorithm and schedules no key.  Not for two threads at once.
 */

#ifndef COMMERCE_JWT_KEYS_H
#define COMMERCE_JWT_KEYS_H

#include <openssl/evp.h>

#include "commerce_reason.h"

typedef enum {
    COMMERCE_JWT_HS256,
    COMMERCE_JWT_RS256,
    COMMERCE_JWT_ALGS
} commerce_jwt_alg_t;

#define COMMERCE_JWT_KEYS_MAX      64
#define COMMERCE_JWT_KEYS_FILE     131072   /* bytes */
#define COMMERCE_JWT_KID_MAX       128
#define COMMERCE_JWT_SECRET_MIN    32       /* bytes */
#define COMMERCE_JWT_SECRET_MAX    1024
#define COMMERCE_JWT_RSA_MIN       2048     /* bits of the modulus */
#define COMMERCE_JWT_RSA_MAX       8192
#define COMMERCE_JWT_SIGNATURE     (COMMERCE_JWT_RSA_MAX / 8)   /* bytes of the longest signature */
#define COMMERCE_JWT_DIGEST        32

/* bits for algorithms */
#define COMMERCE_JWT_ANY           (1u << COMMERCE_JWT_HS256 | 1u << COMMERCE_JWT_RS256)

typedef struct commerce_jwt_keys_s  commerce_jwt_keys_t;

/*
 * Keys of a file, but those whose algorithm is not among algs (bits), which are passed over, too.  NULL and the end of
 * a sentence that begins with the file's name otherwise; nothing of a key is in it but its kid.
 */
commerce_jwt_keys_t *commerce_jwt_keys_load(const char *path, unsigned algs, char *error, size_t size);

/* the same from the text; *secret: there is a secret in it, also when the result is NULL */
commerce_jwt_keys_t *commerce_jwt_keys_parse(commerce_str_t text, unsigned algs, bool *secret, char *error,
    size_t size);

/* without any key; NULL: no memory, or OpenSSL lacks an algorithm */
commerce_jwt_keys_t *commerce_jwt_keys_create(void);
void commerce_jwt_keys_free(commerce_jwt_keys_t *keys);

/* add one; NULL, or what is wrong with it ("a secret of less than 32 bytes").  An empty kid: it has none */
const char *commerce_jwt_keys_add_secret(commerce_jwt_keys_t *keys, commerce_str_t kid, const uint8_t *secret,
    size_t len);
const char *commerce_jwt_keys_add_rsa(commerce_jwt_keys_t *keys, commerce_str_t kid, EVP_PKEY *rsa);

unsigned commerce_jwt_keys_count(const commerce_jwt_keys_t *keys);

/* "HS256", "RS256" */
const char *commerce_jwt_alg_name(commerce_jwt_alg_t alg);

/* case matters; COMMERCE_ERROR: another one, "none" among them */
int commerce_jwt_alg_parse(commerce_str_t name, commerce_jwt_alg_t *alg);

/*
 * Is this the signature of the text?  The key is that of alg and kid.  Without a kid (data NULL), and where the only
 * key of alg has no kid, it is the only key of alg.
 *
 * OK, JWT_KEY_UNKNOWN, JWT_BAD_SIGNATURE; INTERNAL: OpenSSL failed.  A MAC is compared in constant time.
 */
commerce_reason_t commerce_jwt_keys_verify(commerce_jwt_keys_t *keys, commerce_jwt_alg_t alg, commerce_str_t kid,
    commerce_str_t text, const uint8_t *signature, size_t len);

/* SHA-256; COMMERCE_ERROR: OpenSSL failed */
int commerce_jwt_keys_digest(commerce_jwt_keys_t *keys, commerce_str_t text, uint8_t digest[COMMERCE_JWT_DIGEST]);

#endif
