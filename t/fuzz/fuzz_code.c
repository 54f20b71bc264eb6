/*
 * Copyright (C) ngx_commerce authors
 *
 * Coupon codes: all spellings of a code lead to one canonical text, and nobody forges one.
 */

#include <stdlib.h>

#include "commerce_code.h"


static void fuzz_print(const commerce_code_t *code, char text[COMMERCE_CODE_TEXT]);
static void fuzz_fold(const uint8_t *data, size_t size, char text[COMMERCE_CODE_TEXT]);
static void fuzz_check(bool good);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static commerce_keyring_t  *ring;       /* random keys, id 0 */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             text[COMMERCE_CODE_TEXT], folded[COMMERCE_CODE_TEXT];
    commerce_str_t   shop = commerce_string("demo");
    commerce_code_t  code, again;

    if (ring == NULL) {
        ring = commerce_keyring_create(0);
        fuzz_check(ring != NULL);
    }

    if (commerce_code_parse((commerce_str_t) { (const char *) data, size }, &code)
        != COMMERCE_R(OK))
    {
        return 0;
    }

    fuzz_check(size >= sizeof(text));
    fuzz_check(code.campaign != 0 && code.campaign <= COMMERCE_CODE_CAMPAIGN_MAX);
    fuzz_check(code.serial <= COMMERCE_CODE_SERIAL_MAX);

    fuzz_print(&code, text);
    fuzz_fold(data, size, folded);
    fuzz_check(memcmp(text, folded, sizeof(text)) == 0);

    fuzz_check(commerce_code_parse((commerce_str_t) { text, sizeof(text) }, &again)
               == COMMERCE_R(OK));
    fuzz_check(again.key_id == code.key_id && again.campaign == code.campaign
               && again.serial == code.serial && again.mac == code.mac
               && memcmp(again.payload, code.payload, sizeof(code.payload)) == 0);

    fuzz_check(commerce_code_verify(ring, shop, &code) == COMMERCE_R(COUPON_BAD_SIGNATURE));

    /* what parses can also be issued, and then verifies */

    fuzz_check(commerce_code_issue(ring, shop, &again, text) == COMMERCE_OK);
    fuzz_check(commerce_code_parse((commerce_str_t) { text, sizeof(text) }, &code)
               == COMMERCE_R(OK));
    fuzz_check(commerce_code_verify(ring, shop, &code) == COMMERCE_R(OK));

    return 0;
}


/* the layout of commerce_code.h once more, bit by bit */

static void
fuzz_print(const commerce_code_t *code, char text[COMMERCE_CODE_TEXT])
{
    unsigned  i, j, at, bit, value;

    for (i = 0; i < COMMERCE_CODE_TEXT; i++) {
        value = 0;

        for (j = 0; j < 5; j++) {
            at = i * 5 + j;

            if (at < 2) {
                bit = at;                                   /* version 1 = 0, 1 */

            } else if (at < 6) {
                bit = code->key_id >> (5 - at) & 1;

            } else if (at < 20) {
                bit = code->campaign >> (19 - at) & 1;

            } else if (at < 50) {
                bit = code->serial >> (49 - at) & 1;

            } else {
                bit = code->mac >> (99 - at) & 1;
            }

            value = value << 1 | bit;
        }

        text[i] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value];
    }
}


static void
fuzz_fold(const uint8_t *data, size_t size, char text[COMMERCE_CODE_TEXT])
{
    char    c;
    size_t  i, n;

    n = 0;

    for (i = 0; i < size; i++) {
        c = (char) data[i];

        if (c == '-') {
            continue;
        }

        if (c >= 'a' && c <= 'z') {
            c = (char) (c - 'a' + 'A');
        }

        if (c == 'I' || c == 'L') {
            c = '1';
        }

        if (c == 'O') {
            c = '0';
        }

        fuzz_check(n < COMMERCE_CODE_TEXT);
        text[n++] = c;
    }

    fuzz_check(n == COMMERCE_CODE_TEXT);
}


static void
fuzz_check(bool good)
{
    if (!good) {
        abort();
    }
}
