/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_write.h"


#define COMMERCE_WRITE_DEPTH  32


/* sixteen bytes of less than 128, at once */
typedef int8_t commerce_vector_t __attribute__((vector_size(16)));
typedef uint64_t commerce_halves_t __attribute__((vector_size(16)));


static bool commerce_write_room(commerce_write_t *w, size_t size);
static void commerce_write_sextets(const uint8_t *in, char *out);
static uint64_t commerce_write_spread(const uint8_t *six);
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
commerce_write_bracket(commerce_write_t *w, char bracket)
{
    uint32_t  bit;

    if ((bracket != '{' && bracket != '[') || w->depth == COMMERCE_WRITE_DEPTH
        || !commerce_write_room(w, 1))
    {
        commerce_write_fail(w);
        return;
    }

    *w->pos++ = bracket;

    bit = (uint32_t) 1 << w->depth++;
    w->members = (bracket == '{');
    w->arrays = w->members ? w->arrays & ~bit : w->arrays | bit;
    w->comma = false;
}


void
commerce_write_close(commerce_write_t *w, char bracket)
{
    if (w->depth == 0 || bracket != (w->members ? '}' : ']')) {
        commerce_write_fail(w);
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
commerce_write_text_value(commerce_write_t *w, commerce_str_t value)
{
    char           *p;
    const uint8_t  *text;

    if (!commerce_write_room(w, value.len + 2)) {
        return;
    }

    p = w->pos;
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
commerce_write_int_value(commerce_write_t *w, int64_t value)
{
    char       digits[20], *end, *p;
    uint64_t   n;

    end = digits + sizeof(digits);
    n = (value < 0) ? 0 - (uint64_t) value : (uint64_t) value;
    p = commerce_digits(end, n);

    if (value < 0) {
        *--p = '-';
    }

    if (commerce_write_room(w, (size_t) (end - p))) {
        w->pos = commerce_write_copy(w->pos, p, (size_t) (end - p));
    }
}


void
commerce_write_hex_value(commerce_write_t *w, const uint8_t *bytes, size_t len)
{
    if (!commerce_write_room(w, len * 2 + 2)) {
        return;
    }

    *w->pos++ = '"';
    commerce_hex(bytes, len, w->pos);
    w->pos += len * 2;
    *w->pos++ = '"';
}


void
commerce_write_json_value(commerce_write_t *w, commerce_str_t json)
{
    if (json.len == 0) {
        commerce_write_fail(w);

    } else if (commerce_write_room(w, json.len)) {
        w->pos = commerce_write_copy(w->pos, json.data, json.len);
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

    p = out;

    /* twelve bytes at a time, of the fourteen that are read */

    for ( /* void */ ; len >= 14; in += 12, len -= 12, p += 16) {
        commerce_write_sextets(in, p);
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


/*
 * Twelve bytes as sixteen characters: spread to six bits in each byte, which are then moved on to their
 * characters all at once: 'A' to all, and another step to those behind 25, 51, 61 and 62.
 */

static void
commerce_write_sextets(const uint8_t *in, char *out)
{
    commerce_halves_t  halves = { commerce_write_spread(in), commerce_write_spread(in + 6) };
    commerce_vector_t  v = (commerce_vector_t) halves;

    v += 'A' + ((v > 25) & ('a' - 26 - 'A'))
             - ((v > 51) & ('a' - 26 - ('0' - 52)))
             - ((v > 61) & ('0' - 52 - ('-' - 62)))
             + ((v > 62) & ('_' - 63 - ('-' - 62)));

    memcpy(out, &v, sizeof(v));
}


static uint64_t
commerce_write_spread(const uint8_t *six)
{
    uint64_t  bits;

    memcpy(&bits, six, 8);
    bits = be64toh(bits) >> 16;

    bits = (bits & 0xffffff000000) << 8 | (bits & 0xffffff);
    bits = (bits & 0x00fff00000fff000) << 4 | (bits & 0x00000fff00000fff);
    bits = (bits & 0x0fc00fc00fc00fc0) << 2 | (bits & 0x003f003f003f003f);

    return htobe64(bits);
}


void
commerce_hex(const uint8_t *in, size_t len, char *out)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        memcpy(out + 2 * i, commerce_write_bytes + 2 * in[i], 2);
    }
}


/* from here on there is no room: whatever follows stays unwritten */

void
commerce_write_fail(commerce_write_t *w)
{
    w->failed = true;
    w->end = w->pos;
}


static bool
commerce_write_room(commerce_write_t *w, size_t size)
{
    if ((size_t) (w->end - w->pos) < size) {
        commerce_write_fail(w);
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


/* numbers and words are short: less than a call of memcpy() for most */

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
