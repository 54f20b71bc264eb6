/*
 * Copyright (C) ngx_commerce authors
 *
 * Forms, and the signatures of notices.
 */

#include "tap.h"
#include "commerce_form.h"
#include "commerce_signature.h"


#define S  commerce_string

#define README_SIGNATURE  "dc2e2e49cd88c9f370acdde963a4f4a19dcf4ea81e66eae53a37521effc29d03"

#define is_reason(got, want, ...)                                               \
    is_str(commerce_reason(got)->name, #want, __VA_ARGS__)

static commerce_heap_t   *heap;
static commerce_arena_t  *arena;


/* exactly as long as it is, so that a sanitizer sees every look past the end */

static commerce_reason_t
parse(const char *text, commerce_form_t *form)
{
    return commerce_form_parse(arena, commerce_copy(arena, commerce_cstr(text)), form);
}


static void
test_fields(void)
{
    commerce_form_t  f;

    is_reason(parse("", &f), OK, "an empty body");
    is_int(f.count, 0, "has no fields");
    is_reason(parse("b=2&a=1+%2b%20%E4%BD%A0&c&d=", &f), OK, "four fields");
    is_int(f.count, 4, "are four");
    is_str(f.fields[0].name, "a", "by name");
    is_str(*commerce_form_find(&f, S("a")), "1 + 你", "decoded");
    is_str(*commerce_form_find(&f, S("c")), "", "without a value");
    is_str(*commerce_form_find(&f, S("d")), "", "with an empty one");
    ok(commerce_form_find(&f, S("A")) == NULL, "look-ups are case sensitive");
    is_reason(parse("a=b=c", &f), OK, "the first equals sign");
    is_str(*commerce_form_find(&f, S("a")), "b=c", "separates");
    is_reason(parse("a=%2526", &f), OK, "an escape of an escape");
    is_str(*commerce_form_find(&f, S("a")), "%26", "is decoded once");
}


static void
test_refused(void)
{
    char             long_one[3 * (COMMERCE_FORM_FIELDS + 2) * 2];
    size_t           n;
    unsigned         i;
    commerce_form_t  f;
    static const char *const  bad[] = {
        "&", "a=1&", "&a=1", "a=1&&b=2", "=1", "a=%", "a=%4", "a=%zz", "a=%00", "a=%ff", "a=%C3", "%=1", "a=1&=2"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_reason(parse(bad[i], &f), BODY_MALFORMED, "%s", bad[i]);
    }

    is_reason(parse("a=1&b=2&a=1", &f), BODY_DUPLICATE_MEMBER, "a name twice");
    is_reason(parse("a=1&A=2", &f), BODY_DUPLICATE_MEMBER, "in two cases");
    is_reason(parse("a=1&%61=2", &f), BODY_DUPLICATE_MEMBER, "in two spellings");

    for (i = 0, n = 0; i <= COMMERCE_FORM_FIELDS; i++) {
        n += (size_t) snprintf(long_one + n, sizeof(long_one) - n, "%sx%u", i ? "&" : "", i);
    }

    is_reason(parse(long_one, &f), BODY_MALFORMED, "too many fields");
}


static void
test_canonical(void)
{
    commerce_form_t  f;

    parse("b=%7e%2f&sign=x&a=1+2&c=%E4%BD%A0&B-._~=&empty", &f);
    is_str(commerce_form_canonical(arena, &f, S("sign")), "B-._~=&a=1%202&b=~%2F&c=%E4%BD%A0&empty=", "one spelling");
    parse("a=1%26b%3D2", &f);
    is_str(commerce_form_canonical(arena, &f, S("sign")), "a=1%26b%3D2", "no value passes for two fields");
    parse("sign=x", &f);
    is_str(commerce_form_canonical(arena, &f, S("sign")), "", "nothing but the signature");
}


static void
test_signature(void)
{
    char                error[128];
    commerce_str_t      text;
    commerce_secrets_t  s;

    is_int(commerce_secrets_parse(S("# old\n000102030405060708090a0b0c0d0e0f\r\n\n"
                                    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                                  &s, error, sizeof(error)),
           COMMERCE_OK, "two keys");
    is_int(s.count, 2, "are two");
    is_int((int64_t) s.len[0], 16, "one of 16 bytes");
    is_int(s.bytes[1][31], 31, "one of 32");

    /* as the README of the core shows it */

    text = commerce_signature_text(arena, S("demo"), S("confirm"), S(""), S("1800000000"),
                                   S("out_trade_no=P%201&timestamp=1800000000&total_amount=88.80&trade_no=T1"));
    is_str(text, "demo\nconfirm\n\n1800000000\nout_trade_no=P%201&timestamp=1800000000&total_amount=88.80&trade_no=T1",
           "what is signed");
    ok(commerce_signature_verify(&s, text, S(README_SIGNATURE)), "the second key's signature");
    ok(!commerce_signature_verify(&s, S("x"), S(README_SIGNATURE)), "of another text");
    ok(!commerce_signature_verify(&s, text, S("")), "none");
    s.count = 1;
    ok(!commerce_signature_verify(&s, text, S(README_SIGNATURE)), "of a key that is gone");

    is_int(commerce_secrets_parse(S(""), &s, error, sizeof(error)), COMMERCE_ERROR, "no key");
    is_int(commerce_secrets_parse(S("0001\n"), &s, error, sizeof(error)), COMMERCE_ERROR, "a short key");
    ok(strstr(error, "line 1") != NULL, "its line is named");
    is_int(commerce_secrets_parse(S("#\n00010203040506070809xx0b0c0d0e0f\n"), &s, error, sizeof(error)),
           COMMERCE_ERROR, "no hex");
    ok(strstr(error, "line 2") != NULL && strstr(error, "0607") == NULL, "its line is named, and nothing of it shown");
}


int
main(void)
{
    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_fields();
    test_refused();
    test_canonical();
    test_signature();

    commerce_heap_destroy(heap);

    return done_testing();
}
