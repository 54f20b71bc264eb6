/*
 * Copyright (C) ngx_commerce authors
 *
 * Tokens signed here, for the tests and the fuzzer of JSON Web Tokens: header and payload as they are to stand there.
 */

#ifndef TEST_JWT_KIT_H
#define TEST_JWT_KIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "commerce_jwt.h"
#include "commerce_write.h"

#define JWT_KIT_SIZE  16384

/* RFC 7515 A.1 and A.2: the keys, and the tokens by them */

#define JWT_RFC_SECRET  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

#define JWT_RFC_N                                                                                                       \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"    \
    "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2C"      \
    "apHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb"     \
    "54h4FRWyuXpoQ"

#define JWT_RFC_PAYLOAD                                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

#define JWT_RFC_HS256                                                                                                   \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JWT_RFC_PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

#define JWT_RFC_RS256                                                                                                   \
    "eyJhbGciOiJSUzI1NiJ9." JWT_RFC_PAYLOAD "."                                                                         \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"    \
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12"      \
    "jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"    \
    "Ge77Rw"


/* base64url(header).base64url(payload); the length */

static inline size_t
jwt_kit_text(char out[JWT_KIT_SIZE], commerce_str_t header, commerce_str_t payload)
{
    size_t  n;

    if ((header.len + payload.len) * 4 / 3 + 16 > JWT_KIT_SIZE / 2) {
        printf("Bail out! a token too long for the kit\n");
        exit(1);
    }

    n = commerce_base64url((const uint8_t *) header.data, header.len, out);
    out[n++] = '.';

    return n + commerce_base64url((const uint8_t *) payload.data, payload.len, out + n);
}


static inline commerce_str_t
jwt_kit_append(char *out, size_t n, const uint8_t *signature, size_t len)
{
    out[n++] = '.';
    n += commerce_base64url(signature, len, out + n);

    return (commerce_str_t) { out, n };
}


static inline commerce_str_t
jwt_kit_hs256(char out[JWT_KIT_SIZE], commerce_str_t secret, commerce_str_t header, commerce_str_t payload)
{
    size_t   n, len;
    uint8_t  mac[EVP_MAX_MD_SIZE];

    n = jwt_kit_text(out, header, payload);

    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.data, secret.len, (uint8_t *) out, n, mac, sizeof(mac),
                  &len)
        == NULL)
    {
        printf("Bail out! no HMAC\n");
        exit(1);
    }

    return jwt_kit_append(out, n, mac, len);
}


static inline commerce_str_t
jwt_kit_rs256(char out[JWT_KIT_SIZE], EVP_PKEY *rsa, const char *digest, commerce_str_t header, commerce_str_t payload)
{
    size_t       n, len;
    uint8_t      signature[COMMERCE_JWT_SIGNATURE];
    EVP_MD_CTX  *ctx;

    n = jwt_kit_text(out, header, payload);
    len = sizeof(signature);
    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, rsa, NULL) != 1
        || EVP_DigestSign(ctx, signature, &len, (uint8_t *) out, n) != 1)
    {
        printf("Bail out! no RSA signature\n");
        exit(1);
    }

    EVP_MD_CTX_free(ctx);

    return jwt_kit_append(out, n, signature, len);
}

#endif
