/*
 * Copyright (C) ngx_commerce authors
 *
 * Signatures of notices: HMAC-SHA256 in lower or upper case hex, over
 *
 *   shop LF notice LF query LF timestamp LF payload
 *
 * notice is what the location takes: confirm, cancel, refund or settle, so that nobody can send the one as the
 * other; query is the query string as it came; timestamp is UTC seconds; payload is the form in its one spelling
 * without the signature's own field (commerce_form_canonical), or any other body as it came.
 */

#ifndef COMMERCE_SIGNATURE_H
#define COMMERCE_SIGNATURE_H

#include "commerce.h"

#define COMMERCE_SECRETS        8
#define COMMERCE_SECRET_MIN    16       /* bytes */
#define COMMERCE_SECRET_MAX    64
#define COMMERCE_SIGNATURE_HEX 64

typedef struct {
    uint8_t   bytes[COMMERCE_SECRETS][COMMERCE_SECRET_MAX];
    size_t    len[COMMERCE_SECRETS];
    unsigned  count;
} commerce_secrets_t;

/*
 * A file's text: a key in hex on each line (32 to 128 digits); empty lines and those that begin with # count for
 * nothing.  COMMERCE_ERROR and a phrase for whoever wrote it, else.
 */
int commerce_secrets_parse(commerce_str_t text, commerce_secrets_t *secrets, char *error, size_t size);

/* the text that is signed; data NULL: no memory */
commerce_str_t commerce_signature_text(commerce_arena_t *arena, commerce_str_t shop, commerce_str_t notice,
    commerce_str_t query, commerce_str_t timestamp, commerce_str_t payload);

/* does one of the keys make this signature of the text?  In constant time; false, too, when OpenSSL fails */
bool commerce_signature_verify(const commerce_secrets_t *secrets, commerce_str_t text, commerce_str_t signature);

#endif
