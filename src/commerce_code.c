/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/crypto.h>

#include "commerce_code.h"


#define COMMERCE_CODE_VERSION   1
#define COMMERCE_CODE_KEYS      16
#define COMMERCE_CODE_HALF      (COMMERCE_CODE_TEXT / 2)    /* 10 characters are 50 bits */
#define COMMERCE_CODE_PAYLOAD   7

#define BAD  COMMERCE_CODE_NO_DIGIT


static int commerce_code_mac(commerce_keyring_t *ring, commerce_str_t shop,
    const commerce_code_t *code, uint64_t *mac);
static uint64_t commerce_code_pack(const commerce_code_t *code);
static void commerce_code_align(uint64_t bits, uint8_t out[COMMERCE_CODE_PAYLOAD]);
static void commerce_code_print(uint64_t bits, char *out);


static const char  commerce_code_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static const uint8_t  commerce_code_values[128] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
      0,   1,   2,   3,   4,   5,   6,   7,   8,   9, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD,  10,  11,  12,  13,  14,  15,  16,  17,   1,  18,  19,   1,  20,  21,   0,
     22,  23,  24,  25,  26, BAD,  27,  28,  29,  30,  31, BAD, BAD, BAD, BAD, BAD,
    BAD,  10,  11,  12,  13,  14,  15,  16,  17,   1,  18,  19,   1,  20,  21,   0,
     22,  23,  24,  25,  26, BAD,  27,  28,  29,  30,  31, BAD, BAD, BAD, BAD, BAD
};


uint8_t
commerce_code_value(char c)
{
    return (uint8_t) c < 128 ? commerce_code_values[(uint8_t) c] : BAD;
}


char
commerce_code_digit(unsigned value)
{
    return commerce_code_digits[value & 31];
}


commerce_reason_t
commerce_code_parse(commerce_str_t text, commerce_code_t *code)
{
    size_t    i, n;
    uint8_t   value;
    uint64_t  half[2];

    half[0] = 0;
    half[1] = 0;
    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '-') {
            continue;
        }

        value = commerce_code_value(text.data[i]);

        if (value == BAD || n == COMMERCE_CODE_TEXT) {
            return COMMERCE_R(COUPON_MALFORMED);
        }

        half[n / COMMERCE_CODE_HALF] = half[n / COMMERCE_CODE_HALF] << 5 | value;
        n++;
    }

    if (n != COMMERCE_CODE_TEXT || half[0] >> 48 != COMMERCE_CODE_VERSION) {
        return COMMERCE_R(COUPON_MALFORMED);
    }

    code->key_id = half[0] >> 44 & (COMMERCE_CODE_KEYS - 1);
    code->campaign = half[0] >> 30 & COMMERCE_CODE_CAMPAIGN_MAX;
    code->serial = half[0] & COMMERCE_CODE_SERIAL_MAX;
    code->mac = half[1];
    commerce_code_align(half[0], code->payload);

    return code->campaign != 0 ? COMMERCE_R(OK) : COMMERCE_R(COUPON_MALFORMED);
}


commerce_reason_t
commerce_code_verify(commerce_keyring_t *ring, commerce_str_t shop, const commerce_code_t *code)
{
    int       rc;
    uint64_t  mac;

    rc = commerce_code_mac(ring, shop, code, &mac);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (CRYPTO_memcmp(&mac, &code->mac, sizeof(mac)) != 0) {
        return COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    return COMMERCE_R(OK);
}


int
commerce_code_issue(commerce_keyring_t *ring, commerce_str_t shop, commerce_code_t *code,
    char out[COMMERCE_CODE_TEXT])
{
    uint64_t  bits;

    code->key_id = commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON);

    if (code->key_id >= COMMERCE_CODE_KEYS
        || code->campaign == 0 || code->campaign > COMMERCE_CODE_CAMPAIGN_MAX
        || code->serial > COMMERCE_CODE_SERIAL_MAX)
    {
        return COMMERCE_ERROR;
    }

    bits = commerce_code_pack(code);
    commerce_code_align(bits, code->payload);

    if (commerce_code_mac(ring, shop, code, &code->mac) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    commerce_code_print(bits, out);
    commerce_code_print(code->mac, out + COMMERCE_CODE_HALF);

    return COMMERCE_OK;
}


static int
commerce_code_mac(commerce_keyring_t *ring, commerce_str_t shop, const commerce_code_t *code,
    uint64_t *mac)
{
    int      rc;
    size_t   i;
    uint8_t  full[COMMERCE_MAC_SIZE];

    rc = commerce_keyring_mac(ring, COMMERCE_KEY_COUPON, code->key_id, shop, code->campaign,
                              code->payload, COMMERCE_CODE_PAYLOAD, full);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    *mac = 0;

    for (i = 0; i < COMMERCE_CODE_PAYLOAD; i++) {
        *mac = *mac << 8 | full[i];
    }

    *mac >>= 6;

    return COMMERCE_OK;
}


static uint64_t
commerce_code_pack(const commerce_code_t *code)
{
    return (uint64_t) COMMERCE_CODE_VERSION << 48 | (uint64_t) code->key_id << 44
           | (uint64_t) code->campaign << 30 | code->serial;
}


/* 50 bits, left aligned in 7 bytes */

static void
commerce_code_align(uint64_t bits, uint8_t out[COMMERCE_CODE_PAYLOAD])
{
    size_t  i;

    bits <<= 6;

    for (i = COMMERCE_CODE_PAYLOAD; i != 0; i--) {
        out[i - 1] = (uint8_t) bits;
        bits >>= 8;
    }
}


static void
commerce_code_print(uint64_t bits, char *out)
{
    size_t  i;

    for (i = COMMERCE_CODE_HALF; i != 0; i--) {
        out[i - 1] = commerce_code_digits[bits & 31];
        bits >>= 5;
    }
}
