/*
 * Copyright (C) ngx_commerce authors
 *
 *   tokens KEYS SHOP COUNT
 *   tokens KEYS SHOP keys
 *
 * Share tokens of the sellers numbered 1 to COUNT, one a line: the tool signs one at a time.  With "keys" the
 * keys themselves, in hex: that of share tokens, and that of the codes of campaign 1.  A peer that verifies the
 * same tokens and codes needs them.
 */

#include <stdio.h>
#include <stdlib.h>

#include "commerce_token.h"


static int print_keys(commerce_keyring_t *ring, const char *shop);


int
main(int argc, char **argv)
{
    char                 error[256], text[COMMERCE_TOKEN_TEXT];
    uint64_t             i, n;
    commerce_token_t     token;
    commerce_keyring_t  *ring;

    if (argc != 4) {
        fprintf(stderr, "usage: tokens KEYS SHOP COUNT | keys\n");
        return 2;
    }

    ring = commerce_keyring_load(argv[1], error, sizeof(error));

    if (ring == NULL) {
        fprintf(stderr, "tokens: %s\n", error);
        return 1;
    }

    if (strcmp(argv[3], "keys") == 0) {
        return print_keys(ring, argv[2]);
    }

    n = strtoull(argv[3], NULL, 10);

    for (i = 1; i <= n; i++) {
        memset(&token, 0, sizeof(token));
        token.seller = i;

        if (commerce_token_issue(ring, commerce_cstr(argv[2]), &token, text) != COMMERCE_OK) {
            fprintf(stderr, "tokens: cannot sign\n");
            return 1;
        }

        printf("%.*s\n", COMMERCE_TOKEN_TEXT, text);
    }

    commerce_keyring_free(ring);

    return 0;
}


static int
print_keys(commerce_keyring_t *ring, const char *shop)
{
    size_t    i;
    uint8_t   share[COMMERCE_MAC_SIZE], coupon[COMMERCE_MAC_SIZE];

    if (commerce_keyring_subkey(ring, COMMERCE_KEY_SHARE,
                                commerce_keyring_signing_id(ring, COMMERCE_KEY_SHARE),
                                commerce_cstr(shop), 0, share)
        != COMMERCE_OK
        || commerce_keyring_subkey(ring, COMMERCE_KEY_COUPON,
                                   commerce_keyring_signing_id(ring, COMMERCE_KEY_COUPON),
                                   commerce_cstr(shop), 1, coupon)
           != COMMERCE_OK)
    {
        fprintf(stderr, "tokens: no keys\n");
        return 1;
    }

    for (i = 0; i < COMMERCE_MAC_SIZE; i++) {
        printf("%02x", share[i]);
    }

    printf("\n");

    for (i = 0; i < COMMERCE_MAC_SIZE; i++) {
        printf("%02x", coupon[i]);
    }

    printf("\n");
    commerce_keyring_free(ring);

    return 0;
}
