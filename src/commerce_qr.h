/*
 * Copyright (C) ngx_commerce authors
 *
 * Dynamic QR: what a holder's phone shows at the counter instead of the coupon's code.  A photograph of it is
 * worthless a minute later.
 *
 *   26 characters of Crockford base32, upper case: in a QR code's alphanumeric set, and no code's length
 *   version 2 (=2) | key id 4 | campaign 14 | serial 30 | step 15 (low bits) | MAC 64 | zero 1     = 130 bits
 *
 * A step is COMMERCE_QR_STEP seconds since 1970.  The token is made for the step at hand and accepted in that
 * step, the one before and the one after: so it is good for 30 to 60 seconds, and a clock may be half a minute
 * off.  The MAC is the first 64 bits of HMAC-SHA256 over campaign, serial and the whole step, under a subkey of the
 * coupon key that signs nothing else (COMMERCE_KEY_USE_QR): a code proves no token and a token no code.
 */

#ifndef COMMERCE_QR_H
#define COMMERCE_QR_H

#include "commerce_keyring.h"

#define COMMERCE_QR_TEXT  26
#define COMMERCE_QR_STEP  30        /* seconds */
#define COMMERCE_QR_SKEW  1         /* steps, either way */

typedef struct {
    unsigned  key_id;
    unsigned  campaign;             /* 1..2^14-1 */
    uint32_t  serial;
    unsigned  step;                 /* low 15 bits */
    uint64_t  mac;
} commerce_qr_t;

/* OK or COUPON_MALFORMED; letters and "-" as in codes (commerce_code.h) */
commerce_reason_t commerce_qr_parse(commerce_str_t text, commerce_qr_t *qr);

/*
 * OK; COUPON_BAD_SIGNATURE (also for an unknown or retired key, and for one that is days old); COUPON_QR_EXPIRED:
 * genuine, but its time is over, or has not come; INTERNAL.
 */
commerce_reason_t commerce_qr_verify(commerce_keyring_t *ring, commerce_str_t shop, const commerce_qr_t *qr,
    commerce_time_t now);

/* 26 characters, no NUL; *until: the first second in which it is not accepted any more.  COMMERCE_ERROR if out of range */
int commerce_qr_issue(commerce_keyring_t *ring, commerce_str_t shop, unsigned campaign, uint32_t serial,
    commerce_time_t now, char out[COMMERCE_QR_TEXT], commerce_time_t *until);

#endif
