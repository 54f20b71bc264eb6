/*
 * Copyright (C) ngx_commerce authors
 *
 * Share tokens: whatever parses has exactly one spelling, and nobody forges one.
 */

#include <stdlib.h>

#include "commerce_token.h"
#include "commerce_write.h"


static void fuzz_pack(const commerce_token_t *token, uint8_t raw[COMMERCE_TOKEN_SIZE]);
static void fuzz_put(uint8_t *raw, unsigned *at, unsigned width, uint64_t value);
static void fuzz_check(bool good);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static commerce_keyring_t  *ring;       /* random keys, ids 0 and 1 */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               text[COMMERCE_TOKEN_TEXT];
    uint8_t            raw[COMMERCE_TOKEN_SIZE];
    commerce_token_t   token;
    commerce_reason_t  reason;

    if (ring == NULL) {
        ring = commerce_keyring_create(0);
        fuzz_check(ring != NULL
                   && commerce_keyring_rotate(ring, COMMERCE_KEY_SHARE, 0) == COMMERCE_OK);
    }

    if (commerce_token_parse((commerce_str_t) { (const char *) data, size }, &token)
        != COMMERCE_R(OK))
    {
        return 0;
    }

    fuzz_check(size == COMMERCE_TOKEN_TEXT);

    fuzz_pack(&token, raw);
    fuzz_check(memcmp(raw, token.raw, sizeof(raw)) == 0);

    fuzz_check(commerce_base64url(raw, sizeof(raw), text) == sizeof(text));
    fuzz_check(memcmp(text, data, sizeof(text)) == 0);

    reason = commerce_token_verify(ring, commerce_string("demo"), &token, COMMERCE_TOKEN_EPOCH);
    fuzz_check(reason == (token.key_id < 2 ? COMMERCE_R(TOKEN_BAD_MAC)
                                           : COMMERCE_R(TOKEN_KID_UNKNOWN)));

    /* what parses can also be issued, and then verifies */

    fuzz_check(commerce_token_issue(ring, commerce_string("demo"), &token, text) == COMMERCE_OK);
    fuzz_check(commerce_token_verify(ring, commerce_string("demo"), &token, COMMERCE_TOKEN_EPOCH)
               == COMMERCE_R(OK));

    return 0;
}


/* the layout of commerce_token.h once more, bit by bit */

static void
fuzz_pack(const commerce_token_t *token, uint8_t raw[COMMERCE_TOKEN_SIZE])
{
    unsigned  at;

    at = 0;
    memset(raw, 0, COMMERCE_TOKEN_SIZE);

    fuzz_put(raw, &at, 2, 1);
    fuzz_put(raw, &at, 6, token->key_id);
    fuzz_put(raw, &at, 40, token->seller);
    fuzz_put(raw, &at, 40, token->upline);
    fuzz_put(raw, &at, 3, token->context);
    fuzz_put(raw, &at, 29, token->context_id);
    fuzz_put(raw, &at, 14, token->expiry_day);
    fuzz_put(raw, &at, 2, token->flags);
    fuzz_put(raw, &at, 56, token->digest);
}


static void
fuzz_put(uint8_t *raw, unsigned *at, unsigned width, uint64_t value)
{
    while (width-- != 0) {
        raw[*at / 8] |= (uint8_t) ((value >> width & 1) << (7 - *at % 8));
        (*at)++;
    }
}


static void
fuzz_check(bool good)
{
    if (!good) {
        abort();
    }
}
