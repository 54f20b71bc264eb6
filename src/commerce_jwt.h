/*
 * Copyright (C) ngx_commerce authors
 *
 * Who a JSON Web Token (RFC 7519) says that the user is.
 *
 * A token is a compact JWS (RFC 7515 7.1), header.payload.signature, of at most COMMERCE_JWT_MAX bytes.  In this order:
 *
 *   shape      three parts in unpadded base64url, none of them empty; the header an object             JWT_MALFORMED
 *   header     "alg" and, if it is there, "kid" are text.  A "typ" is JWT or at+jwt (RFC 9068; any case, also behind
 *              "application/"): tokens made for something else sign nobody in (RFC 8725 3.11).  No "crit" (4.1.11:
 *              we understand no extension) and no "b64" (RFC 7797).  What names keys of its own (jku, jwk, x5u, x5c)
 *              is not looked at (RFC 8725 3.10)                                                        JWT_MALFORMED
 *   key        one of ours checks this "alg" and "kid", see commerce_jwt_keys.h; "none" finds none   JWT_KEY_UNKNOWN
 *   signature                                                                                      JWT_BAD_SIGNATURE
 *   payload    an object; it is not read before its signature is good                                  JWT_MALFORMED
 *   "iss"      the policy's issuer, where it names one                                                    JWT_CLAIMS
 *   "aud"      a text or a list of texts: the policy's audience is among them.  Where the policy has none the token
 *              must not have one either: it is for somebody else (RFC 7519 4.1.3)                         JWT_CLAIMS
 *   "exp"      must be there: now is before it and the skew                                  JWT_CLAIMS, JWT_EXPIRED
 *   "nbf"      may be there: now, with the skew, is not before it                            JWT_CLAIMS, JWT_NOT_YET
 *   user       the claim: text, or a non-negative integer, which keeps its text: ids pass 2^53.  Afterwards both are
 *              the same.  As any external id 1 to 128 bytes of UTF-8 without control characters           JWT_CLAIMS
 *
 * Times are numbers of seconds, with decimals if need be, up to the year 9999: milliseconds, text and exponents are
 * none.  "iat" and "jti" are not looked at.  A member that is looked at and stands there twice, or in another case,
 * refuses the token.  JSON is read as commerce_json.h says; it is nested 32 deep at most.
 *
 * A token that was found good is remembered by its SHA-256, with user and times, where the policy has a memory: a check
 * costs an RSA operation, and every page view carries the same token.  A memory belongs to one policy and one process.
 */

#ifndef COMMERCE_JWT_H
#define COMMERCE_JWT_H

#include "commerce_jwt_keys.h"

#define COMMERCE_JWT_MAX     8192           /* bytes of a token */
#define COMMERCE_JWT_SLOTS   4096           /* tokens that a memory holds; a new one takes its slot from an older one */

typedef struct commerce_jwt_memory_s  commerce_jwt_memory_t;

typedef struct {
    commerce_jwt_keys_t    *keys;
    commerce_jwt_memory_t  *memory;         /* NULL: none */
    commerce_str_t          claim;          /* JSON pointer of the user: /sub */
    commerce_str_t          issuer;         /* data NULL: any */
    commerce_str_t          audience;       /* data NULL: none */
    commerce_time_t         skew;           /* seconds by which clocks may differ */
} commerce_jwt_policy_t;

/* of a good token: it is as long as from <= now < until, skew included */
typedef struct {
    commerce_str_t   user;                  /* in the arena */
    commerce_time_t  from, until;
} commerce_jwt_t;

/* OK, a JWT_* reason, or INTERNAL: no memory, or OpenSSL failed.  text is what commerce_jwt_bearer() gave */
commerce_reason_t commerce_jwt_check(const commerce_jwt_policy_t *policy, commerce_arena_t *arena, commerce_str_t text,
    commerce_time_t now, commerce_jwt_t *jwt);

/*
 * What stands behind "Bearer" and spaces (RFC 6750 2.1; the scheme in any case) in an Authorization header's value, so
 * that header, cookie and argument are read alike.  Any other value is itself.
 */
commerce_str_t commerce_jwt_bearer(commerce_str_t value);

/* NULL: no memory.  Its pages are taken as they are used */
commerce_jwt_memory_t *commerce_jwt_memory_create(void);
void commerce_jwt_memory_free(commerce_jwt_memory_t *memory);

/* the token of this digest, if it was remembered and its time is now; the user is the memory's own: copy it */
bool commerce_jwt_recall(const commerce_jwt_memory_t *memory, const uint8_t digest[COMMERCE_JWT_DIGEST],
    commerce_time_t now, commerce_jwt_t *jwt);
void commerce_jwt_remember(commerce_jwt_memory_t *memory, const uint8_t digest[COMMERCE_JWT_DIGEST],
    const commerce_jwt_t *jwt);

#endif
