/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_write.h"


#define COMMERCE_WRITE_DEPTH  32


static bool commerce_write_room(commerce_write_t *w, size_t size);
static bool commerce_write_lead(commerce_write_t *w, const char *name);
static void commerce_write_word(commerce_write_t *w, const char *name, commerce_str_t word);
static void commerce_write_string(commerce_write_t *w, const uint8_t *p, const uint8_t *end);
static const uint8_t *commerce_write_run(const uint8_t *p, const uint8_t *end);
static void commerce_write_escape(commerce_write_t *w, uint8_t c);
static char *commerce_write_digits(char *end, uint64_t n);


static const char  commerce_write_hexes[] = "0123456789abcdef";

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
    w->depth = 0;
    w->arrays = 0;
    w->comma = false;
    w->failed = false;
}


void
commerce_write_open(commerce_write_t *w, const char *name, char bracket)
{
    uint32_t  bit;

    if ((bracket != '{' && bracket != '[') || w->depth == COMMERCE_WRITE_DEPTH) {
        w->failed = true;
        return;
    }

    if (!commerce_write_lead(w, name) || !commerce_write_room(w, 1)) {
        return;
    }

    bit = (uint32_t) 1 << w->depth++;

    if (bracket == '[') {
        w->arrays |= bit;

    } else {
        w->arrays &= ~bit;
    }

    *w->pos++ = bracket;
    w->comma = false;
}


void
commerce_write_close(commerce_write_t *w, char bracket)
{
    if (w->depth == 0 || bracket != ((w->arrays >> (w->depth - 1)) & 1 ? ']' : '}')) {
        w->failed = true;
        return;
    }

    w->depth--;
    w->comma = true;

    if (commerce_write_room(w, 1)) {
        *w->pos++ = bracket;
    }
}


void
commerce_write_text(commerce_write_t *w, const char *name, commerce_str_t value)
{
    const uint8_t  *p;

    if (!commerce_write_lead(w, name) || !commerce_write_room(w, value.len + 2)) {
        return;
    }

    *w->pos++ = '"';

    if (value.len != 0) {
        p = (const uint8_t *) value.data;
        commerce_write_string(w, p, p + value.len);
    }

    if (commerce_write_room(w, 1)) {
        *w->pos++ = '"';
    }
}


void
commerce_write_optional(commerce_write_t *w, const char *name, commerce_str_t value)
{
    if (value.len != 0) {
        commerce_write_text(w, name, value);
    }
}


void
commerce_write_int(commerce_write_t *w, const char *name, int64_t value)
{
    char      digits[20], *end, *p;
    size_t    len;
    uint64_t  n;

    end = digits + sizeof(digits);
    n = (value < 0) ? 0 - (uint64_t) value : (uint64_t) value;
    p = commerce_write_digits(end, n);

    if (value < 0) {
        *--p = '-';
    }

    len = (size_t) (end - p);

    if (commerce_write_lead(w, name) && commerce_write_room(w, len)) {
        memcpy(w->pos, p, len);
        w->pos += len;
    }
}


void
commerce_write_hex(commerce_write_t *w, const char *name, const uint8_t *bytes, size_t len)
{
    size_t  i;

    if (!commerce_write_lead(w, name) || !commerce_write_room(w, len * 2 + 2)) {
        return;
    }

    *w->pos++ = '"';

    for (i = 0; i < len; i++) {
        *w->pos++ = commerce_write_hexes[bytes[i] >> 4];
        *w->pos++ = commerce_write_hexes[bytes[i] & 15];
    }

    *w->pos++ = '"';
}


void
commerce_write_bool(commerce_write_t *w, const char *name, bool value)
{
    commerce_write_word(w, name, value ? commerce_string("true") : commerce_string("false"));
}


void
commerce_write_null(commerce_write_t *w, const char *name)
{
    commerce_write_word(w, name, commerce_string("null"));
}


void
commerce_write_raw(commerce_write_t *w, const char *name, commerce_str_t json)
{
    if (json.len == 0) {
        w->failed = true;
        return;
    }

    commerce_write_word(w, name, json);
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

    for ( /* void */ ; len >= 3; in += 3, len -= 3) {
        n = (uint32_t) in[0] << 16 | (uint32_t) in[1] << 8 | in[2];
        *p++ = commerce_write_base64[n >> 18];
        *p++ = commerce_write_base64[n >> 12 & 63];
        *p++ = commerce_write_base64[n >> 6 & 63];
        *p++ = commerce_write_base64[n & 63];
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


/* what stands before a value: a comma where one is due, and the member's name */

static bool
commerce_write_lead(commerce_write_t *w, const char *name)
{
    bool    member;
    size_t  len;

    member = w->depth != 0 && ((w->arrays >> (w->depth - 1)) & 1) == 0;

    if (member != (name != NULL) || (w->depth == 0 && w->comma)) {
        w->failed = true;
        return false;
    }

    len = member ? strlen(name) : 0;

    if (!commerce_write_room(w, (w->comma ? 1 : 0) + (member ? len + 3 : 0))) {
        return false;
    }

    if (w->comma) {
        *w->pos++ = ',';
    }

    if (member) {
        *w->pos++ = '"';
        memcpy(w->pos, name, len);
        w->pos += len;
        *w->pos++ = '"';
        *w->pos++ = ':';
    }

    w->comma = true;

    return true;
}


static void
commerce_write_word(commerce_write_t *w, const char *name, commerce_str_t word)
{
    if (commerce_write_lead(w, name) && commerce_write_room(w, word.len)) {
        memcpy(w->pos, word.data, word.len);
        w->pos += word.len;
    }
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


static char *
commerce_write_digits(char *end, uint64_t n)
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
