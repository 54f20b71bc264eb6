/*
 * Copyright (C) ngx_commerce authors
 *
 * Dynamic QR tokens: what parses has a canonical text that parses to the same, and nobody forges one.
 */

#include <stdlib.h>

#include "commerce_code.h"
#include "commerce_qr.h"


static void fuzz_check(bool good);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static commerce_keyring_t  *ring;       /* random keys, id 0 */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             text[COMMERCE_QR_TEXT];
    int64_t          now;
    commerce_qr_t    qr, again;
    commerce_str_t   shop = commerce_string("demo");
    commerce_time_t  until;

    if (ring == NULL) {
        ring = commerce_keyring_create(0);
        fuzz_check(ring != NULL);
    }

    if (commerce_qr_parse((commerce_str_t) { (const char *) data, size }, &qr) != COMMERCE_R(OK)) {
        return 0;
    }

    fuzz_check(size >= COMMERCE_QR_TEXT && qr.key_id < 16 && qr.step < 1 << 15);
    fuzz_check(qr.campaign != 0 && qr.campaign <= COMMERCE_CODE_CAMPAIGN_MAX);
    fuzz_check(qr.serial <= COMMERCE_CODE_SERIAL_MAX);

    now = (int64_t) qr.step * COMMERCE_QR_STEP + (int64_t) (qr.mac % 2000000000);
    fuzz_check(commerce_qr_verify(ring, shop, &qr, now) == COMMERCE_R(COUPON_BAD_SIGNATURE));

    /* what parses can be issued, and is then itself */

    fuzz_check(commerce_qr_issue(ring, shop, qr.campaign, qr.serial, now, text, &until)
               == COMMERCE_OK);
    fuzz_check(commerce_qr_parse((commerce_str_t) { text, sizeof(text) }, &again)
               == COMMERCE_R(OK));
    fuzz_check(again.campaign == qr.campaign && again.serial == qr.serial);
    fuzz_check(commerce_qr_verify(ring, shop, &again, now) == COMMERCE_R(OK));
    fuzz_check(commerce_qr_verify(ring, shop, &again, until - 1) == COMMERCE_R(OK));
    fuzz_check(commerce_qr_verify(ring, shop, &again, until) == COMMERCE_R(COUPON_QR_EXPIRED));

    return 0;
}


static void
fuzz_check(bool good)
{
    if (!good) {
        abort();
    }
}
