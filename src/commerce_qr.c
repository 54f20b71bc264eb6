/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/crypto.h>

#include "commerce_code.h"
#include "commerce_qr.h"


#define COMMERCE_QR_VERSION  2
#define COMMERCE_QR_HEAD     10     /* characters of version, key, campaign and serial */
#define COMMERCE_QR_STEPS    3      /* ... of the step */
#define COMMERCE_QR_CYCLE    (1 << 15)
#define COMMERCE_QR_MESSAGE  14


static int commerce_qr_mac(commerce_keyring_t *ring, commerce_str_t shop, const commerce_qr_t *qr,
    int64_t step, uint64_t *mac);
static void commerce_qr_store(uint8_t *p, uint64_t value, unsigned bytes);
static void commerce_qr_print(uint64_t bits, unsigned digits, char *out);


commerce_reason_t
commerce_qr_parse(commerce_str_t text, commerce_qr_t *qr)
{
    size_t    i, n;
    uint8_t   values[COMMERCE_QR_TEXT];
    uint64_t  head;

    memset(qr, 0, sizeof(commerce_qr_t));
    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '-') {
            continue;
        }

        if (n == COMMERCE_QR_TEXT) {
            return COMMERCE_R(COUPON_MALFORMED);
        }

        values[n] = commerce_code_value(text.data[i]);

        if (values[n++] == COMMERCE_CODE_NO_DIGIT) {
            return COMMERCE_R(COUPON_MALFORMED);
        }
    }

    /* the last bit is of no use: a token has one spelling */

    if (n != COMMERCE_QR_TEXT || (values[n - 1] & 1) != 0) {
        return COMMERCE_R(COUPON_MALFORMED);
    }

    for (head = 0, i = 0; i < COMMERCE_QR_HEAD; i++) {
        head = head << 5 | values[i];
    }

    for ( /* void */ ; i < COMMERCE_QR_HEAD + COMMERCE_QR_STEPS; i++) {
        qr->step = qr->step << 5 | values[i];
    }

    for ( /* void */ ; i < COMMERCE_QR_TEXT - 1; i++) {
        qr->mac = qr->mac << 5 | values[i];
    }

    qr->mac = qr->mac << 4 | values[i] >> 1;

    qr->key_id = head >> 44 & 15;
    qr->campaign = head >> 30 & COMMERCE_CODE_CAMPAIGN_MAX;
    qr->serial = head & COMMERCE_CODE_SERIAL_MAX;

    return head >> 48 == COMMERCE_QR_VERSION && qr->campaign != 0 ? COMMERCE_R(OK)
                                                                  : COMMERCE_R(COUPON_MALFORMED);
}


commerce_reason_t
commerce_qr_verify(commerce_keyring_t *ring, commerce_str_t shop, const commerce_qr_t *qr,
    commerce_time_t now)
{
    int       rc;
    int64_t   step, ahead;
    uint64_t  mac;

    /* of all steps that end so, the one nearest to now */

    step = now / COMMERCE_QR_STEP;
    ahead = (qr->step - step) & (COMMERCE_QR_CYCLE - 1);

    if (ahead >= COMMERCE_QR_CYCLE / 2) {
        ahead -= COMMERCE_QR_CYCLE;
    }

    rc = commerce_qr_mac(ring, shop, qr, step + ahead, &mac);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (CRYPTO_memcmp(&mac, &qr->mac, sizeof(mac)) != 0) {
        return COMMERCE_R(COUPON_BAD_SIGNATURE);
    }

    return ahead >= -COMMERCE_QR_SKEW && ahead <= COMMERCE_QR_SKEW ? COMMERCE_R(OK)
                                                                   : COMMERCE_R(COUPON_QR_EXPIRED);
}


int
commerce_qr_issue(commerce_keyring_t *ring, commerce_str_t shop, unsigned campaign,
    uint32_t serial, commerce_time_t now, char out[COMMERCE_QR_TEXT], commerce_time_t *until)
{
    int64_t        step;
    uint64_t       mac;
    commerce_qr_t  qr = { .campaign = campaign, .serial = serial };

    qr.key_id = commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON);

    if (qr.key_id > 15 || now < 0 || campaign == 0 || campaign > COMMERCE_CODE_CAMPAIGN_MAX
        || serial > COMMERCE_CODE_SERIAL_MAX)
    {
        return COMMERCE_ERROR;
    }

    step = now / COMMERCE_QR_STEP;

    if (commerce_qr_mac(ring, shop, &qr, step, &mac) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    commerce_qr_print((uint64_t) COMMERCE_QR_VERSION << 48 | (uint64_t) qr.key_id << 44
                      | (uint64_t) campaign << 30 | serial, COMMERCE_QR_HEAD, out);
    out += COMMERCE_QR_HEAD;

    commerce_qr_print((uint64_t) step, COMMERCE_QR_STEPS, out);
    out += COMMERCE_QR_STEPS;

    commerce_qr_print(mac >> 4, COMMERCE_QR_TEXT - COMMERCE_QR_HEAD - COMMERCE_QR_STEPS - 1, out);
    out[COMMERCE_QR_TEXT - COMMERCE_QR_HEAD - COMMERCE_QR_STEPS - 1]
        = commerce_code_digit((unsigned) (mac & 15) << 1);

    *until = (step + 1 + COMMERCE_QR_SKEW) * COMMERCE_QR_STEP;

    return COMMERCE_OK;
}


static int
commerce_qr_mac(commerce_keyring_t *ring, commerce_str_t shop, const commerce_qr_t *qr,
    int64_t step, uint64_t *mac)
{
    int       rc;
    uint8_t   message[COMMERCE_QR_MESSAGE], full[COMMERCE_MAC_SIZE];
    unsigned  i;

    commerce_qr_store(message, qr->campaign, 2);
    commerce_qr_store(message + 2, qr->serial, 4);
    commerce_qr_store(message + 6, (uint64_t) step, 8);

    rc = commerce_keyring_mac_for(ring, COMMERCE_KEY_USE_QR, COMMERCE_KEY_COUPON, qr->key_id, shop,
                                  qr->campaign, message, sizeof(message), full);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    for (*mac = 0, i = 0; i < 8; i++) {
        *mac = *mac << 8 | full[i];
    }

    return COMMERCE_OK;
}


/* the most significant byte first */

static void
commerce_qr_store(uint8_t *p, uint64_t value, unsigned bytes)
{
    unsigned  i;

    for (i = bytes; i != 0; i--) {
        p[i - 1] = (uint8_t) value;
        value >>= 8;
    }
}


static void
commerce_qr_print(uint64_t bits, unsigned digits, char *out)
{
    unsigned  i;

    for (i = digits; i != 0; i--) {
        out[i - 1] = commerce_code_digit((unsigned) (bits & 31));
        bits >>= 5;
    }
}
