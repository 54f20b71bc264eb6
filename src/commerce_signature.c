/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "commerce_signature.h"


static int commerce_secret_line(commerce_str_t line, commerce_secrets_t *secrets);
static int commerce_secret_hex(commerce_str_t text, uint8_t *out);


int
commerce_secrets_parse(commerce_str_t text, commerce_secrets_t *secrets, char *error, size_t size)
{
    unsigned        n;
    const char     *p, *end, *stop;
    commerce_str_t  line;

    memset(secrets, 0, sizeof(commerce_secrets_t));

    for (p = text.data, end = p + text.len, n = 1; p < end; p = stop + 1, n++) {
        stop = memchr(p, '\n', (size_t) (end - p));
        stop = stop != NULL ? stop : end;

        line = (commerce_str_t) { p, (size_t) (stop - p) };

        while (line.len != 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' ')) {
            line.len--;
        }

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        if (commerce_secret_line(line, secrets) != COMMERCE_OK) {
            snprintf(error, size, "line %u is no key of %u to %u hex digits, or above the %u keys"
                     " that there can be", n, 2 * COMMERCE_SECRET_MIN, 2 * COMMERCE_SECRET_MAX,
                     COMMERCE_SECRETS);
            return COMMERCE_ERROR;
        }
    }

    if (secrets->count == 0) {
        snprintf(error, size, "there is no key in it");
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_secret_line(commerce_str_t line, commerce_secrets_t *secrets)
{
    unsigned  n;

    n = secrets->count;

    if (n == COMMERCE_SECRETS || line.len < 2 * COMMERCE_SECRET_MIN
        || line.len > 2 * COMMERCE_SECRET_MAX
        || commerce_secret_hex(line, secrets->bytes[n]) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    secrets->len[n] = line.len / 2;
    secrets->count = n + 1;

    return COMMERCE_OK;
}


static int
commerce_secret_hex(commerce_str_t text, uint8_t *out)
{
    int     value;
    char    c;
    size_t  i;

    if (text.len % 2 != 0) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        value = (c >= '0' && c <= '9') ? c - '0'
                : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                : (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;

        if (value < 0) {
            return COMMERCE_ERROR;
        }

        out[i / 2] = (uint8_t) (i % 2 == 0 ? value << 4 : out[i / 2] | value);
    }

    return COMMERCE_OK;
}


commerce_str_t
commerce_signature_text(commerce_arena_t *arena, commerce_str_t shop, commerce_str_t notice,
    commerce_str_t query, commerce_str_t timestamp, commerce_str_t payload)
{
    char            *p;
    size_t           i, size;
    commerce_str_t   text, parts[] = { shop, notice, query, timestamp, payload };

    for (i = 0, size = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size += parts[i].len + 1;
    }

    text.data = p = commerce_alloc(arena, size);
    text.len = 0;

    if (p == NULL) {
        return text;
    }

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (i != 0) {
            *p++ = '\n';
        }

        if (parts[i].len != 0) {
            memcpy(p, parts[i].data, parts[i].len);
            p += parts[i].len;
        }
    }

    text.len = (size_t) (p - text.data);

    return text;
}


bool
commerce_signature_verify(const commerce_secrets_t *secrets, commerce_str_t text,
    commerce_str_t signature)
{
    bool      good;
    size_t    len;
    uint8_t   given[COMMERCE_SIGNATURE_HEX / 2], mac[EVP_MAX_MD_SIZE];
    unsigned  i;

    if (signature.len != COMMERCE_SIGNATURE_HEX
        || commerce_secret_hex(signature, given) != COMMERCE_OK)
    {
        return false;
    }

    good = false;

    for (i = 0; i < secrets->count; i++) {
        len = 0;

        if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secrets->bytes[i], secrets->len[i],
                      (const uint8_t *) text.data, text.len, mac, sizeof(mac), &len) == NULL
            || len != sizeof(given))
        {
            return false;
        }

        good |= CRYPTO_memcmp(mac, given, sizeof(given)) == 0;
    }

    return good;
}
