/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_base64.h"


#define BAD  0x80


static const uint8_t  base64_values[256] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,  62, BAD, BAD,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, BAD, BAD, BAD, BAD,  63,
    BAD,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD
};


int
commerce_base64url_decode(commerce_str_t text, uint8_t *out, size_t *len)
{
    size_t          i, rest;
    uint8_t         bad;
    uint32_t        n;
    const uint8_t  *p;

    bad = 0;
    rest = text.len % 4;
    p = (const uint8_t *) text.data;

    for (i = text.len / 4; i != 0; i--, p += 4) {
        bad |= base64_values[p[0]] | base64_values[p[1]] | base64_values[p[2]] | base64_values[p[3]];

        n = (uint32_t) base64_values[p[0]] << 18
            | (uint32_t) base64_values[p[1]] << 12
            | (uint32_t) base64_values[p[2]] << 6
            | base64_values[p[3]];

        *out++ = (uint8_t) (n >> 16);
        *out++ = (uint8_t) (n >> 8);
        *out++ = (uint8_t) n;
    }

    *len = text.len / 4 * 3;

    if (rest == 1) {
        return COMMERCE_ERROR;
    }

    if (rest != 0) {
        bad |= base64_values[p[0]] | base64_values[p[1]];
        n = (uint32_t) base64_values[p[0]] << 18 | (uint32_t) base64_values[p[1]] << 12;

        if (rest == 3) {
            bad |= base64_values[p[2]];
            n |= (uint32_t) base64_values[p[2]] << 6;
        }

        *out++ = (uint8_t) (n >> 16);

        if (rest == 3) {
            *out++ = (uint8_t) (n >> 8);
        }

        *len += rest - 1;

        if ((n & (rest == 3 ? 0xff : 0xffff)) != 0) {
            return COMMERCE_ERROR;
        }
    }

    return (bad & BAD) == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}
