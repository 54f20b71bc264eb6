/*
 * Copyright (C) ngx_commerce authors
 *
 * Reads unpadded base64url (RFC 4648 5, RFC 7515 2); commerce_write.h has what writes it.
 */

#ifndef COMMERCE_BASE64_H
#define COMMERCE_BASE64_H

#include "commerce.h"

/* the most bytes that this many characters stand for */
#define commerce_base64url_room(len)  ((len) / 4 * 3 + 2)

/*
 * COMMERCE_ERROR when the text is not what commerce_base64url() writes of some bytes: another character, padding, a
 * length that no bytes have, or bits at the end that stand for nothing and are not zero.  So every value has one
 * spelling.  The length of the text alone decides how long it takes: it may be a secret.
 */
int commerce_base64url_decode(commerce_str_t text, uint8_t *out, size_t *len);

#endif
