/*
 * Copyright (C) ngx_commerce authors
 *
 * Names out of scenes, states and paths: decoded once, doubled never, patterns within their limits.
 */

#include <stdlib.h>

#include "tap.h"
#include "commerce_pattern.h"
#include "commerce_scene.h"

#define S  commerce_string


static commerce_arena_t  *arena;


static void
test_decode(void)
{
    size_t          i;
    commerce_str_t  decoded;

    static const struct {
        const char  *text, *decoded;        /* NULL: refused */
    } cases[] = {
        { "", "" },
        { "plain", "plain" },
        { "a%3D1%26b%3d2", "a=1&b=2" },
        { "a%253D1", "a%3D1" },
        { "a+b", "a+b" },
        { "%E4%B8%AD", "\xe4\xb8\xad" },
        { "%", NULL },
        { "%4", NULL },
        { "a%4", NULL },
        { "%zz", NULL },
        { "%3g", NULL },
        { "100%", NULL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(commerce_scene_decode(arena, commerce_cstr(cases[i].text), &decoded),
               cases[i].decoded != NULL ? COMMERCE_OK : COMMERCE_ERROR, "decode \"%s\"", cases[i].text);

        if (cases[i].decoded != NULL) {
            is_str(decoded, cases[i].decoded, "decode \"%s\": once", cases[i].text);
        }
    }
}


static void
test_member(void)
{
    size_t          i;
    commerce_str_t  value;

    static const struct {
        const char  *text, *name;
        int          rc;
        const char  *value;
    } cases[] = {
        { "a=1&b=2", "a", COMMERCE_OK, "1" },
        { "a=1&b=2", "b", COMMERCE_OK, "2" },
        { "a=1&b=2", "c", COMMERCE_ABSENT, "" },
        { "a=&b=2", "a", COMMERCE_OK, "" },
        { "a&b=2", "a", COMMERCE_ABSENT, "" },
        { "ab=1", "a", COMMERCE_ABSENT, "" },
        { "b=a=1", "a", COMMERCE_ABSENT, "" },
        { "a=1&a=2", "a", COMMERCE_ERROR, "" },
        { "a=1&a=1", "a", COMMERCE_ERROR, "" },
        { "a=1&&b=2&", "b", COMMERCE_OK, "2" },
        { "&", "a", COMMERCE_ABSENT, "" },
        { "", "a", COMMERCE_ABSENT, "" },
        { "a=b=c", "a", COMMERCE_OK, "b=c" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(commerce_scene_member(commerce_cstr(cases[i].text), commerce_cstr(cases[i].name), &value),
               cases[i].rc, "member %s of \"%s\"", cases[i].name, cases[i].text);
        is_str(value, cases[i].value, "member %s of \"%s\": value", cases[i].name, cases[i].text);
    }
}


static void
test_pattern(void)
{
    size_t               i;
    char                 error[128], *many;
    commerce_str_t       found;
    commerce_pattern_t  *p;

    static const struct {
        const char  *pattern, *subject;
        int          rc;
        const char  *found;
    } cases[] = {
        { "^/g/([^/]+)/", "/g/group-7/page", COMMERCE_OK, "group-7" },
        { "^/g/([^/]+)/", "/h/group-7/page", COMMERCE_ABSENT, "" },
        { "[0-9]+", "page 42 of 7", COMMERCE_OK, "42" },
        { "(a)?b", "b", COMMERCE_ABSENT, "" },
        { "x(y*)", "x", COMMERCE_ABSENT, "" },
        { "a|(b)", "a", COMMERCE_ABSENT, "" },
        { "(one)(two)", "onetwo", COMMERCE_OK, "one" },
        { "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", COMMERCE_ERROR, "" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (commerce_pattern_compile(commerce_cstr(cases[i].pattern), &p, error, sizeof(error)) != COMMERCE_OK) {
            ok(cases[i].rc == COMMERCE_ERROR, "pattern %s does not compile: %s", cases[i].pattern, error);
            continue;
        }

        is_int(commerce_pattern_find(p, commerce_cstr(cases[i].subject), &found), cases[i].rc, "pattern %s",
               cases[i].pattern);
        is_str(found, cases[i].found, "pattern %s: found", cases[i].pattern);
        commerce_pattern_free(p);
    }

    is_int(commerce_pattern_compile(S("a(b"), &p, error, sizeof(error)), COMMERCE_ERROR, "a broken one");
    ok(strstr(error, "offset 3") != NULL, "... says where: %s", error);

    commerce_pattern_compile(S("a+"), &p, error, sizeof(error));
    many = malloc(COMMERCE_PATTERN_SUBJECT_MAX + 1);
    memset(many, 'a', COMMERCE_PATTERN_SUBJECT_MAX + 1);
    is_int(commerce_pattern_find(p, (commerce_str_t) { many, COMMERCE_PATTERN_SUBJECT_MAX }, &found), COMMERCE_OK,
           "as long as it may be");
    is_int(commerce_pattern_find(p, (commerce_str_t) { many, COMMERCE_PATTERN_SUBJECT_MAX + 1 }, &found),
           COMMERCE_ABSENT, "longer: nothing is found");
    is_int(commerce_pattern_find(p, S(""), &found), COMMERCE_ABSENT, "in nothing neither");
    free(many);
    commerce_pattern_free(p);
    commerce_pattern_free(NULL);
}


int
main(void)
{
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    arena = commerce_heap_arena(heap);

    test_decode();
    test_member();
    test_pattern();

    commerce_heap_destroy(heap);

    return done_testing();
}
