/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_base64.h"
#include "commerce_write.h"


static void test_object(void);
static void test_text(commerce_str_t value, const char *want, const char *title);
static void test_texts(void);
static void test_every_place(void);
static size_t test_expect(char *want, const uint8_t *text, size_t len);
static void test_int(int64_t value, const char *want);
static void test_ints(void);
static void test_nesting(void);
static int64_t test_depth(unsigned depth);
static void test_overrun(void);
static void test_every_size(void);
static int64_t test_sample(char *buffer, size_t size);
static void test_base64url(void);
static void test_base64url_long(void);
static void test_base64url_decode(void);
static void test_hex(void);


static char  buffer[512];


int
main(void)
{
    test_object();
    test_texts();
    test_every_place();
    test_ints();
    test_nesting();
    test_overrun();
    test_every_size();
    test_base64url();
    test_base64url_long();
    test_base64url_decode();
    test_hex();

    return done_testing();
}


static int64_t
test_sample(char *out, size_t size)
{
    commerce_write_t  w;

    commerce_write_start(&w, out, size);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "type", commerce_string("vi\nsit\xff"));
    commerce_write_int(&w, "amount", -990);
    commerce_write_optional(&w, "none", commerce_string(""));
    commerce_write_optional(&w, "some", commerce_string("x"));
    commerce_write_open(&w, "list", '[');
    commerce_write_int(&w, NULL, 1);
    commerce_write_text(&w, NULL, commerce_string("订"));
    commerce_write_open(&w, NULL, '{');
    commerce_write_close(&w, '}');
    commerce_write_open(&w, NULL, '[');
    commerce_write_close(&w, ']');
    commerce_write_null(&w, NULL);
    commerce_write_close(&w, ']');
    commerce_write_hex(&w, "hash", (const uint8_t *) "\x00\x0f\xa5\xff", 4);
    commerce_write_bool(&w, "yes", true);
    commerce_write_bool(&w, "no", false);
    commerce_write_raw(&w, "raw", commerce_string("{\"a\":1}"));
    commerce_write_close(&w, '}');

    return commerce_write_finish(&w);
}


static const char  sample[] =
    "{\"type\":\"vi\\nsit\\ufffd\",\"amount\":-990,\"some\":\"x\",\"list\":[1,\"订\",{},[],null],"
    "\"hash\":\"000fa5ff\",\"yes\":true,\"no\":false,\"raw\":{\"a\":1}}";


static void
test_object(void)
{
    int64_t  n;

    n = test_sample(buffer, sizeof(buffer));
    is_int(n, sizeof(sample) - 1, "length");
    is_str(((commerce_str_t) { buffer, n > 0 ? (size_t) n : 0 }), sample, "all kinds of members");
}


static void
test_text(commerce_str_t value, const char *want, const char *title)
{
    int64_t           n;
    commerce_write_t  w;

    commerce_write_start(&w, buffer, sizeof(buffer));
    commerce_write_text(&w, NULL, value);
    n = commerce_write_finish(&w);

    is_str(((commerce_str_t) { buffer, n > 0 ? (size_t) n : 0 }), want, "text: %s", title);
}


static void
test_texts(void)
{
    int   c;
    char  byte, want[16];

    test_text((commerce_str_t) { NULL, 0 }, "\"\"", "empty");
    test_text(commerce_string("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"", "quote and backslash");
    test_text(commerce_string("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"", "short escapes");
    test_text(commerce_string("a\0b\x1f\x7f"), "\"a\\u0000b\\u001f\\u007f\"", "control characters");
    test_text(commerce_string("买a\xf0\x9f\x98\x80\xc2\x80"), "\"买a\xf0\x9f\x98\x80\xc2\x80\"",
              "UTF-8 as it is");
    test_text(commerce_string("\xe2\x80\xa8"), "\"\xe2\x80\xa8\"", "U+2028 as it is");
    test_text(commerce_string("\xc0\xafx"), "\"\\ufffd\\ufffdx\"", "overlong");
    test_text(commerce_string("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"", "surrogate");
    test_text(commerce_string("x\xe4\xb9"), "\"x\\ufffd\\ufffd\"", "cut at the end");
    test_text(commerce_string("\xe4\"\xe4\xb9\xb0"), "\"\\ufffd\\\"买\"",
              "a broken character does not swallow the quote behind it");

    for (c = 0; c < 0x20; c++) {
        if (strchr("\b\f\n\r\t", c) != NULL && c != 0) {
            continue;
        }

        byte = (char) c;
        snprintf(want, sizeof(want), "\"\\u%04x\"", (unsigned) c);
        test_text((commerce_str_t) { &byte, 1 }, want, "control");
    }

    for (c = 0x20; c < 0x7f; c++) {
        if (c == '"' || c == '\\') {
            continue;
        }

        byte = (char) c;
        snprintf(want, sizeof(want), "\"%c\"", c);
        test_text((commerce_str_t) { &byte, 1 }, want, "printable");
    }
}


/* texts are looked at in words: any byte, at any place in a text of any length up to three words */

static void
test_every_place(void)
{
    int               c;
    char              want[160];
    size_t            len, at, n;
    uint8_t          *text;
    unsigned          wrong;
    commerce_write_t  w;

    wrong = 0;

    for (len = 1; len <= 24; len++) {
        text = malloc(len);

        for (at = 0; at < len; at++) {
            memset(text, '~', len);

            for (c = 0; c < 256; c++) {
                text[at] = (uint8_t) c;
                n = test_expect(want, text, len);

                commerce_write_start(&w, buffer, n);
                commerce_write_text(&w, NULL, (commerce_str_t) { (char *) text, len });

                wrong += commerce_write_finish(&w) != (int64_t) n || memcmp(buffer, want, n) != 0;
            }
        }

        free(text);
    }

    is_int(wrong, 0, "text: every byte at every place");
}


static size_t
test_expect(char *want, const uint8_t *text, size_t len)
{
    char        *p;
    size_t       i;
    const char  *at;

    static const char  shorts[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

    p = want;
    *p++ = '"';

    for (i = 0; i < len; i++) {
        at = text[i] != 0 ? strchr(shorts, text[i]) : NULL;

        if (at != NULL) {
            p += sprintf(p, "\\%c", letters[at - shorts]);

        } else if (text[i] >= 0x80) {
            p += sprintf(p, "\\ufffd");

        } else if (text[i] < 0x20 || text[i] == 0x7f) {
            p += sprintf(p, "\\u%04x", text[i]);

        } else {
            *p++ = (char) text[i];
        }
    }

    *p++ = '"';

    return (size_t) (p - want);
}


static void
test_int(int64_t value, const char *want)
{
    int64_t           n;
    commerce_write_t  w;

    commerce_write_start(&w, buffer, sizeof(buffer));
    commerce_write_int(&w, NULL, value);
    n = commerce_write_finish(&w);

    is_str(((commerce_str_t) { buffer, n > 0 ? (size_t) n : 0 }), want, "integer %s", want);
}


static void
test_ints(void)
{
    int      i;
    char     want[32];
    int64_t  n;

    test_int(0, "0");
    test_int(9, "9");
    test_int(-1, "-1");
    test_int(INT64_MAX, "9223372036854775807");
    test_int(INT64_MIN, "-9223372036854775808");

    for (n = 10, i = 0; i < 17; i++, n *= 10) {
        snprintf(want, sizeof(want), "%" PRId64, n);
        test_int(n, want);
        snprintf(want, sizeof(want), "%" PRId64, n - 1);
        test_int(n - 1, want);
        snprintf(want, sizeof(want), "%" PRId64, -n - 1);
        test_int(-n - 1, want);
    }
}


static void
test_nesting(void)
{
    commerce_write_t  w;

#define begin()  commerce_write_start(&w, buffer, sizeof(buffer))

    begin();
    is_int(commerce_write_finish(&w), -1, "nothing written");

    begin();
    commerce_write_open(&w, NULL, '{');
    is_int(commerce_write_finish(&w), -1, "not closed");

    begin();
    commerce_write_close(&w, '}');
    is_int(commerce_write_finish(&w), -1, "closed too often");

    begin();
    commerce_write_open(&w, NULL, '{');
    commerce_write_close(&w, ']');
    is_int(commerce_write_finish(&w), -1, "closed by the other bracket");

    begin();
    commerce_write_open(&w, NULL, '(');
    is_int(commerce_write_finish(&w), -1, "no bracket at all");

    begin();
    commerce_write_open(&w, NULL, '{');
    commerce_write_int(&w, NULL, 1);
    commerce_write_close(&w, '}');
    is_int(commerce_write_finish(&w), -1, "a member without a name");

    begin();
    commerce_write_open(&w, NULL, '[');
    commerce_write_int(&w, "a", 1);
    commerce_write_close(&w, ']');
    is_int(commerce_write_finish(&w), -1, "a name in an array");

    begin();
    commerce_write_int(&w, "a", 1);
    is_int(commerce_write_finish(&w), -1, "a name at the top");

    begin();
    commerce_write_int(&w, NULL, 1);
    commerce_write_int(&w, NULL, 2);
    is_int(commerce_write_finish(&w), -1, "two values at the top");

    begin();
    commerce_write_raw(&w, NULL, commerce_string(""));
    is_int(commerce_write_finish(&w), -1, "raw: nothing");

    is_int(test_depth(32), 64, "32 levels");
    is_int(test_depth(33), -1, "33 levels");
}


static int64_t
test_depth(unsigned depth)
{
    unsigned          i;
    commerce_write_t  w;

    commerce_write_start(&w, buffer, sizeof(buffer));

    for (i = 0; i < depth; i++) {
        commerce_write_open(&w, NULL, '[');
    }

    for (i = 0; i < depth; i++) {
        commerce_write_close(&w, ']');
    }

    return commerce_write_finish(&w);
}


static void
test_overrun(void)
{
    commerce_write_t  w;

    commerce_write_start(&w, buffer, 4);
    commerce_write_open(&w, NULL, '[');
    commerce_write_text(&w, NULL, commerce_string("abc"));
    commerce_write_int(&w, NULL, 1);
    commerce_write_close(&w, ']');
    is_int(commerce_write_finish(&w), -1, "what does not fit fails for good");

    commerce_write_start(&w, NULL, 0);
    commerce_write_null(&w, NULL);
    is_int(commerce_write_finish(&w), -1, "no buffer at all");
}


/* buffers of their own, so that a sanitizer sees a byte too many */

static void
test_every_size(void)
{
    int      failed;
    char    *p;
    size_t   size;
    int64_t  n;

    failed = 0;

    for (size = 1; size < sizeof(sample) - 1; size++) {
        p = malloc(size + 1);
        p[size] = '#';
        n = test_sample(p, size);
        failed += n == -1 && p[size] == '#';
        free(p);
    }

    is_int(failed, sizeof(sample) - 2, "every smaller buffer fails without an overrun");

    p = malloc(sizeof(sample) - 1);
    is_int(test_sample(p, sizeof(sample) - 1), sizeof(sample) - 1, "the exact size is enough");
    free(p);
}


static void
test_base64url(void)
{
    char    out[16];
    size_t  i, n;

    static const struct {
        commerce_str_t  in;
        const char     *want;
    } cases[] = {
        { { "", 0 }, "" },
        { { "f", 1 }, "Zg" },
        { { "fo", 2 }, "Zm8" },
        { { "foo", 3 }, "Zm9v" },
        { { "foob", 4 }, "Zm9vYg" },
        { { "fooba", 5 }, "Zm9vYmE" },
        { { "foobar", 6 }, "Zm9vYmFy" },
        { { "\xff\xef\xbe", 3 }, "_---" },
        { { "\xff\xff", 2 }, "__8" },
        { { "\xff", 1 }, "_w" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = commerce_base64url((const uint8_t *) cases[i].in.data, cases[i].in.len, out);
        is_str(((commerce_str_t) { out, n }), cases[i].want, "base64url: \"%s\"", cases[i].want);
        is_int((int64_t) n, (int64_t) (cases[i].in.len * 4 + 2) / 3, "and its length");
    }
}


/* python3: base64.urlsafe_b64encode(bytes(i * 37 + 11 & 255 for i in range(n))) */

static void
test_base64url_long(void)
{
    char     *out;
    size_t    n;
    uint8_t  *in;
    unsigned  i, wrong;

    static const char  want[] = "CzBVep_E6Q4zWH2ix-wRNluApcrvFDle";

    wrong = 0;

    for (n = 0; n <= 24; n++) {
        in = malloc(n + 1);
        out = malloc((n * 4 + 2) / 3 + 1);

        for (i = 0; i < n; i++) {
            in[i] = (uint8_t) (i * 37 + 11);
        }

        wrong += commerce_base64url(in, n, out) != (n * 4 + 2) / 3
                 || memcmp(out, want, n / 3 * 4) != 0;

        free(in);
        free(out);
    }

    is_int(wrong, 0, "base64url: up to 24 bytes");
}


/* what is written is read; of all texts of four characters and less, just what is written */

static void
test_base64url_decode(void)
{
    char       text[8], again[8];
    size_t     n, len, got;
    uint8_t    in[6], out[commerce_base64url_room(8)];
    uint32_t   i;
    unsigned   good[5], wrong;

    static const char  odd[] = "AQZagz09-_+/=. \n";

    wrong = 0;

    for (n = 0; n <= sizeof(in); n++) {

        for (i = 0; i < n; i++) {
            in[i] = (uint8_t) (i * 37 + 11 + n);
        }

        len = commerce_base64url(in, n, text);

        wrong += commerce_base64url_decode((commerce_str_t) { text, len }, out, &got) != COMMERCE_OK
                 || got != n || memcmp(in, out, n) != 0 || commerce_base64url_room(len) < n;
    }

    is_int(wrong, 0, "base64url: what is written is read");

    memset(good, 0, sizeof(good));

    for (len = 0; len <= 4; len++) {
        for (i = 0; i < 1u << 4 * len; i++) {

            for (n = 0; n < len; n++) {
                text[n] = odd[i >> 4 * n & 15];
            }

            if (commerce_base64url_decode((commerce_str_t) { text, len }, out, &got) == COMMERCE_OK) {
                good[len]++;
                wrong += commerce_base64url(out, got, again) != len || memcmp(text, again, len) != 0;
            }
        }
    }

    is_int(wrong, 0, "base64url: each value has one spelling");

    /* 10 of these 16 are of the alphabet: its values 0, 16, 25, 26, 32, 51, 52, 61, 62, 63 */

    is_int(good[0], 1, "base64url: no character");
    is_int(good[1], 0, "base64url: one character");
    is_int(good[2], 10 * 3, "base64url: two characters, A, Q or g at the end");
    is_int(good[3], 10 * 10 * 4, "base64url: three characters, A, Q, g or 0 at the end");
    is_int(good[4], 10 * 10 * 10 * 10, "base64url: four characters of the alphabet");
}


static void
test_hex(void)
{
    char      out[32], want[32];
    uint8_t   bytes[11];
    unsigned  i, k, len, wrong;

    wrong = 0;

    for (i = 0; i < 256; i++) {
        bytes[0] = (uint8_t) i;
        snprintf(want, sizeof(want), "%02x", i);
        commerce_hex(bytes, 1, out);
        wrong += memcmp(out, want, 2) != 0;
    }

    is_int(wrong, 0, "hex: every byte");

    /* at every place of every length, as several bytes are made at once */

    for (i = 0; i < 256; i++) {
        for (len = 0; len <= sizeof(bytes); len++) {

            for (k = 0; k < len; k++) {
                bytes[k] = (uint8_t) (i + k * 37);
                snprintf(want + 2 * k, 3, "%02x", bytes[k]);
            }

            out[2 * len] = '#';
            commerce_hex(bytes, len, out);
            wrong += memcmp(out, want, 2 * len) != 0 || out[2 * len] != '#';
        }
    }

    is_int(wrong, 0, "hex: up to 11 bytes, and nothing behind");

    out[6] = '#';
    commerce_hex((const uint8_t *) "\x01\xfe\x9a", 3, out);
    is_str(((commerce_str_t) { out, 7 }), "01fe9a#", "hex: nothing behind");
}
