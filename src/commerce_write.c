/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_write.h"


#define COMMERCE_WRITE_DEPTH  32


static char *commerce_write_lead(commerce_write_t *w, commerce_str_t name, size_t size);
static bool commerce_write_room(commerce_write_t *w, size_t size);
static char *commerce_write_plain_text(char *out, commerce_str_t text);
static void commerce_write_string(commerce_write_t *w, const uint8_t *p, const uint8_t *end)
    __attribute__((noinline));      /* seldom needed: not in the way of plain texts */
static const uint8_t *commerce_write_run(const uint8_t *p, const uint8_t *end);
static void commerce_write_escape(commerce_write_t *w, uint8_t c);
static char *commerce_write_copy(char *out, const char *text, size_t len);


static const char  commerce_write_hexes[] = "0123456789abcdef";

static const char  commerce_write_bytes[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
    "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

static const char  commerce_write_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char  commerce_write_pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* what a string may hold as it is: printable ASCII but the quote and the backslash */
static const uint8_t  commerce_write_plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0
};


void
commerce_write_start(commerce_write_t *w, char *buffer, size_t size)
{
    w->start = buffer;
    w->pos = buffer;
    w->end = (size != 0) ? buffer + size : buffer;
    w->mark = buffer;
    w->depth = 0;
    w->arrays = 0;
    w->members = false;
    w->comma = false;
    w->failed = false;
}


void
commerce_write_open_named(commerce_write_t *w, commerce_str_t name, char bracket)
{
    char      *p;
    uint32_t   bit;

    if ((bracket != '{' && bracket != '[') || w->depth == COMMERCE_WRITE_DEPTH) {
        w->failed = true;
        return;
    }

    p = commerce_write_lead(w, name, 1);

    if (p == NULL) {
        return;
    }

    *p++ = bracket;
    w->pos = p;

    bit = (uint32_t) 1 << w->depth++;
    w->members = (bracket == '{');
    w->arrays = w->members ? w->arrays & ~bit : w->arrays | bit;
    w->comma = false;
}


void
commerce_write_close(commerce_write_t *w, char bracket)
{
    if (w->depth == 0 || bracket != (w->members ? '}' : ']')) {
        w->failed = true;
        return;
    }

    w->depth--;
    w->members = w->depth != 0 && ((w->arrays >> (w->depth - 1)) & 1) == 0;
    w->comma = true;

    if (commerce_write_room(w, 1)) {
        *w->pos++ = bracket;
    }
}


void
commerce_write_text_named(commerce_write_t *w, commerce_str_t name, commerce_str_t value)
{
    char           *p;
    const uint8_t  *text;

    p = commerce_write_lead(w, name, value.len + 2);

    if (p == NULL) {
        return;
    }

    *p++ = '"';
    w->pos = p;

    p = commerce_write_plain_text(p, value);

    if (p == NULL) {
        text = (const uint8_t *) value.data;
        commerce_write_string(w, text, text + value.len);

        if (!commerce_write_room(w, 1)) {
            return;
        }

        p = w->pos;
    }

    *p++ = '"';
    w->pos = p;
}


void
commerce_write_int_named(commerce_write_t *w, commerce_str_t name, int64_t value)
{
    char       digits[20], *end, *p, *out;
    uint64_t   n;

    end = digits + sizeof(digits);
    n = (value < 0) ? 0 - (uint64_t) value : (uint64_t) value;
    p = commerce_digits(end, n);

    if (value < 0) {
        *--p = '-';
    }

    out = commerce_write_lead(w, name, (size_t) (end - p));

    if (out != NULL) {
        w->pos = commerce_write_copy(out, p, (size_t) (end - p));
    }
}


void
commerce_write_hex_named(commerce_write_t *w, commerce_str_t name, const uint8_t *bytes,
    size_t len)
{
    char  *p;

    p = commerce_write_lead(w, name, len * 2 + 2);

    if (p == NULL) {
        return;
    }

    *p++ = '"';
    commerce_hex(bytes, len, p);
    p += len * 2;
    *p++ = '"';

    w->pos = p;
}


void
commerce_write_word_named(commerce_write_t *w, commerce_str_t name, commerce_str_t json)
{
    char  *p;

    if (json.len == 0) {
        w->failed = true;
        return;
    }

    p = commerce_write_lead(w, name, json.len);

    if (p != NULL) {
        w->pos = commerce_write_copy(p, json.data, json.len);
    }
}


int64_t
commerce_write_finish(commerce_write_t *w)
{
    if (w->failed || w->depth != 0 || w->pos == w->start) {
        return -1;
    }

    return w->pos - w->start;
}


size_t
commerce_base64url(const uint8_t *in, size_t len, char *out)
{
    char      *p;
    uint32_t   n;
    uint64_t   word;

    p = out;

    /* six bytes at a time, of the eight that are read */

    for ( /* void */ ; len >= 8; in += 6, len -= 6, p += 8) {
        memcpy(&word, in, 8);
        word = be64toh(word);

        p[0] = commerce_write_base64[word >> 58];
        p[1] = commerce_write_base64[word >> 52 & 63];
        p[2] = commerce_write_base64[word >> 46 & 63];
        p[3] = commerce_write_base64[word >> 40 & 63];
        p[4] = commerce_write_base64[word >> 34 & 63];
        p[5] = commerce_write_base64[word >> 28 & 63];
        p[6] = commerce_write_base64[word >> 22 & 63];
        p[7] = commerce_write_base64[word >> 16 & 63];
    }

    for ( /* void */ ; len >= 3; in += 3, len -= 3, p += 4) {
        n = (uint32_t) in[0] << 16 | (uint32_t) in[1] << 8 | in[2];
        p[0] = commerce_write_base64[n >> 18];
        p[1] = commerce_write_base64[n >> 12 & 63];
        p[2] = commerce_write_base64[n >> 6 & 63];
        p[3] = commerce_write_base64[n & 63];
    }

    if (len == 1) {
        *p++ = commerce_write_base64[in[0] >> 2];
        *p++ = commerce_write_base64[(in[0] & 3) << 4];

    } else if (len == 2) {
        *p++ = commerce_write_base64[in[0] >> 2];
        *p++ = commerce_write_base64[(in[0] & 3) << 4 | in[1] >> 4];
        *p++ = commerce_write_base64[(in[1] & 15) << 2];
    }

    return (size_t) (p - out);
}


void
commerce_hex(const uint8_t *in, size_t len, char *out)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        memcpy(out + 2 * i, commerce_write_bytes + 2 * in[i], 2);
    }
}


/*
 * What stands before a value: a comma where one is due, and the member's name.  Where the value goes,
 * with room for size bytes (at least one); NULL when there is none, or no value may stand here.
 */

static char *
commerce_write_lead(commerce_write_t *w, commerce_str_t name, size_t size)
{
    char  *p;

    if (w->members != (name.data != NULL) || (w->depth == 0 && w->comma)) {
        w->failed = true;
        return NULL;
    }

    if (!commerce_write_room(w, size + w->comma + (w->members ? name.len + 3 : 0))) {
        return NULL;
    }

    p = w->pos;

    if (w->comma) {
        *p++ = ',';
    }

    if (w->members) {
        *p++ = '"';
        p = commerce_write_copy(p, name.data, name.len);
        *p++ = '"';
        *p++ = ':';
    }

    w->comma = true;

    return p;
}


/* a failed writer has no room: whatever follows an overrun stays unwritten */

static bool
commerce_write_room(commerce_write_t *w, size_t size)
{
    if (w->failed || (size_t) (w->end - w->pos) < size) {
        w->failed = true;
        return false;
    }

    return true;
}


/*
 * Nearly every text needs no escape: eight bytes at a time are looked at and copied, the last ones
 * together with some before them.  NULL: this one needs a closer look.
 */

static char *
commerce_write_plain_text(char *out, commerce_str_t text)
{
    size_t       left;
    uint32_t     head, tail;
    uint64_t     word;
    const char  *p;

    p = text.data;

    for (left = text.len; left >= 8; left -= 8, p += 8, out += 8) {
        memcpy(&word, p, 8);

        if (commerce_word_plain(word) != 8) {
            return NULL;
        }

        memcpy(out, &word, 8);
    }

    if (left == 0) {
        return out;
    }

    if (text.len >= 8) {
        memcpy(&word, p + left - 8, 8);
        memcpy(out + left - 8, &word, 8);

    } else if (left >= 4) {
        memcpy(&head, p, 4);
        memcpy(&tail, p + left - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + left - 4, &tail, 4);
        word = (uint64_t) head << 32 | tail;

    } else {
        out[0] = p[0];
        out[left / 2] = p[left / 2];
        out[left - 1] = p[left - 1];
        word = COMMERCE_EACH * ' ' << 24 | (uint64_t) (uint8_t) p[0] << 16
               | (uint64_t) (uint8_t) p[left / 2] << 8 | (uint8_t) p[left - 1];
    }

    return commerce_word_plain(word) == 8 ? out + left : NULL;
}


static void
commerce_write_string(commerce_write_t *w, const uint8_t *p, const uint8_t *end)
{
    size_t          len;
    const uint8_t  *run;

    for ( ;; ) {
        run = p;
        p = commerce_write_run(p, end);
        len = (size_t) (p - run);

        if (!commerce_write_room(w, len)) {
            return;
        }

        memcpy(w->pos, run, len);
        w->pos += len;

        if (p == end) {
            return;
        }

        commerce_write_escape(w, *p++);
    }
}


/* the end of what can be copied as it is */

static const uint8_t *
commerce_write_run(const uint8_t *p, const uint8_t *end)
{
    size_t  len;

    for ( ;; ) {
        while (p < end && commerce_write_plain[*p]) {
            p++;
        }

        if (p == end || *p < 0x80) {
            return p;
        }

        len = commerce_utf8_length(p, end);
        if (len == 0) {
            return p;
        }

        p += len;
    }
}


static void
commerce_write_escape(commerce_write_t *w, uint8_t c)
{
    char    out[6];
    size_t  len;

    out[0] = '\\';
    len = 2;

    switch (c) {
    case '"':
    case '\\':
        out[1] = (char) c;
        break;
    case '\b':
        out[1] = 'b';
        break;
    case '\f':
        out[1] = 'f';
        break;
    case '\n':
        out[1] = 'n';
        break;
    case '\r':
        out[1] = 'r';
        break;
    case '\t':
        out[1] = 't';
        break;
    default:
        out[1] = 'u';
        out[2] = (c < 0x80) ? '0' : 'f';
        out[3] = (c < 0x80) ? '0' : 'f';
        out[4] = (c < 0x80) ? commerce_write_hexes[c >> 4] : 'f';
        out[5] = (c < 0x80) ? commerce_write_hexes[c & 15] : 'd';
        len = 6;
    }

    if (commerce_write_room(w, len)) {
        memcpy(w->pos, out, len);
        w->pos += len;
    }
}


char *
commerce_digits(char *end, uint64_t n)
{
    const char  *pair;

    while (n >= 100) {
        pair = &commerce_write_pairs[n % 100 * 2];
        n /= 100;
        *--end = pair[1];
        *--end = pair[0];
    }

    pair = &commerce_write_pairs[n * 2];
    *--end = pair[1];

    if (n >= 10) {
        *--end = pair[0];
    }

    return end;
}


/* names and numbers are short: less than a call of memcpy() for most */

static char *
commerce_write_copy(char *out, const char *text, size_t len)
{
    if (len > 16) {
        memcpy(out, text, len);

    } else if (len >= 8) {
        memcpy(out, text, 8);
        memcpy(out + len - 8, text + len - 8, 8);

    } else if (len >= 4) {
        memcpy(out, text, 4);
        memcpy(out + len - 4, text + len - 4, 4);

    } else if (len != 0) {
        out[0] = text[0];
        out[len / 2] = text[len / 2];
        out[len - 1] = text[len - 1];
    }

    return out + len;
}
