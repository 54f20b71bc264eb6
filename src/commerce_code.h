/*
 * Copyright (C) ngx_commerce authors
 *
 * Coupon code: 20 characters of Crockford base32, printed upper case in fours.
 *
 *   version 2 (=1) | key id 4 | campaign 14 | serial 30 | MAC 50      = 100 bits
 *
 * The MAC is the first 50 bits of HMAC-SHA256 (subkey of shop and campaign) over the 50 payload
 * bits, left aligned in 7 bytes.  I, L and O read as 1, 1 and 0, lower case as upper case, "-" is
 * skipped; U and everything else is malformed.  A valid MAC does not make a coupon: the serial must
 * also be below the number minted, which is the campaign's to say.
 */

#ifndef COMMERCE_CODE_H
#define COMMERCE_CODE_H

#include "commerce_keyring.h"

#define COMMERCE_CODE_TEXT          20
#define COMMERCE_CODE_CAMPAIGN_MAX  ((1U << 14) - 1)
#define COMMERCE_CODE_SERIAL_MAX    ((1U << 30) - 1)
#define COMMERCE_CODE_MINTED_MAX    ((1U << 29) - 1)    /* serials above are of claimed coupons */

typedef struct {
    unsigned  key_id;
    unsigned  campaign;         /* 1..COMMERCE_CODE_CAMPAIGN_MAX; 0 is malformed */
    uint32_t  serial;           /* from 0 */
    uint8_t   payload[7];       /* set by parse and issue */
    uint64_t  mac;              /* 50 bits */
} commerce_code_t;

#define COMMERCE_CODE_NO_DIGIT  0xff

/* the value of a character, 0..31, or NO_DIGIT; and back */
uint8_t commerce_code_value(char c);
char commerce_code_digit(unsigned value);

/* OK or COUPON_MALFORMED */
commerce_reason_t commerce_code_parse(commerce_str_t text, commerce_code_t *code);

/* OK, COUPON_BAD_SIGNATURE (also for an unknown or retired key), INTERNAL */
commerce_reason_t commerce_code_verify(commerce_keyring_t *ring, commerce_str_t shop, const commerce_code_t *code);

/* signs campaign and serial with the ring's signing coupon key; 20 characters, no NUL; COMMERCE_ERROR if out of range */
int commerce_code_issue(commerce_keyring_t *ring, commerce_str_t shop, commerce_code_t *code,
    char out[COMMERCE_CODE_TEXT]);

#endif
