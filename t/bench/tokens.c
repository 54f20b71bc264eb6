/*
 * Copyright (C) ngx_commerce authors
 *
 *   tokens KEYS SHOP COUNT
 *
 * Share tokens of the sellers numbered 1 to COUNT, one a line: the tool signs one at a time.
 */

#include <stdio.h>
#include <stdlib.h>

#include "commerce_token.h"


int
main(int argc, char **argv)
{
    char                 error[256], text[COMMERCE_TOKEN_TEXT];
    uint64_t             i, n;
    commerce_token_t     token;
    commerce_keyring_t  *ring;

    if (argc != 4) {
        fprintf(stderr, "usage: tokens KEYS SHOP COUNT\n");
        return 2;
    }

    ring = commerce_keyring_load(argv[1], error, sizeof(error));

    if (ring == NULL) {
        fprintf(stderr, "tokens: %s\n", error);
        return 1;
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
