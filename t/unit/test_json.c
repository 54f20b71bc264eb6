/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_json.h"

#define OK_        COMMERCE_R(OK)
#define MALFORMED  COMMERCE_R(BODY_MALFORMED)
#define DUPLICATE  COMMERCE_R(BODY_DUPLICATE_MEMBER)

typedef struct {
    const char      *name;
    commerce_str_t   text;
} text_case_t;

typedef struct {
    const char         *text;
    const char         *pointer;
    commerce_reason_t   reason;
    const char         *want;       /* NULL: absent */
} find_case_t;

#define T(name, literal)  { name, { literal, sizeof(literal) - 1 } }

static const text_case_t  refused[] = {
    T("nothing", ""),
    T("white space", " \n"),
    T("a NUL byte", "\0"),
    T("NUL behind", "{}\0"),
    T("NUL and more behind", "{}\0{}"),
    T("NUL in a string", "\"a\0b\""),
    T("NUL between", "[1,\0 2]"),
    T("\\u0000", "\"a\\u0000b\""),
    T("\\u0000 in a name", "{\"a\\u0000b\":1}"),
    T("\\u0000 alone", "\"\\u0000\""),
    T("byte order mark", "\xef\xbb\xbf{}"),
    T("UTF-16", "{\0}\0"),

    T("tab in a string", "\"a\tb\""),
    T("line end in a string", "\"a\nb\""),
    T("0x01 in a string", "\"\x01\""),
    T("0x1f in a string", "\"\x1f\""),
    T("raw mark", "\"\b12\""),
    T("escaped mark", "\"\\b12\""),
    T("mark by code", "\"\\u000812\""),
    T("mark in a name", "{\"\\ba\":1}"),
    T("0x01 outside", "[\x01]"),
    T("vertical tab outside", "[\v]"),
    T("form feed outside", "\f[]"),
    T("0x1f behind", "[]\x1f"),
    T("no-break space outside", "[]\xc2\xa0"),

    T("unknown escape", "\"\\x41\""),
    T("escaped apostrophe", "\"\\'\""),
    T("upper case \\U", "\"\\U0041\""),
    T("upper case \\N", "\"\\N\""),
    T("short \\u", "\"\\u12\""),
    T("\\u without hex", "\"\\uzzzz\""),
    T("\\u with a sign", "\"\\u+123\""),
    T("\\u with one wrong digit", "\"\\u123g\""),
    T("\\u at the end", "\"\\u123"),
    T("\\u without digits at the end", "\"\\u"),
    T("backslash at the end", "\"\\"),
    T("escaped quote at the end", "\"\\\""),
    T("lone high surrogate", "\"\\ud83d\""),
    T("lone high surrogate and text", "\"\\ud83dabcdef\""),
    T("lone low surrogate", "\"\\ude00\""),
    T("two high surrogates", "\"\\ud83d\\ud83d\""),
    T("surrogates in the wrong order", "\"\\ude00\\ud83d\""),
    T("high surrogate and another escape", "\"\\ud83d\\u0041\""),
    T("lone surrogate in a name", "{\"\\ud83d\":1}"),

    T("raw surrogate", "\"\xed\xa0\x80\""),
    T("overlong slash", "\"\xc0\xaf\""),
    T("overlong NUL", "\"\xc0\x80\""),
    T("overlong in three", "\"\xe0\x80\xaf\""),
    T("overlong in four", "\"\xf0\x80\x80\xaf\""),
    T("beyond U+10FFFF", "\"\xf4\x90\x80\x80\""),
    T("lead byte f5", "\"\xf5\x80\x80\x80\""),
    T("byte ff", "\"\xff\""),
    T("lone continuation", "\"\x80\""),
    T("cut in two", "\"\xc3\""),
    T("cut in three", "\"\xe4\xb8\""),
    T("cut in four", "\"\xf0\x9f\x98\""),
    T("cut at the end", "\"\xe4\xb8"),
    T("GBK", "\"\xd6\xd0\xce\xc4\""),
    T("not UTF-8 in a name", "{\"\xff\":1}"),

    T("leading zero", "01"),
    T("two zeros", "00"),
    T("many zeros", "00000000000000000000000000000000000000000000000000000000000000000000"),
    T("zeros in an array", "[0000000000000000000000000000000000]"),
    T("negative leading zero", "-01"),
    T("plus", "+1"),
    T("no whole part", ".5"),
    T("no fraction", "1."),
    T("no fraction but exponent", "1.e5"),
    T("no exponent", "1e"),
    T("no exponent but sign", "1e+"),
    T("two signs", "1e+-1"),
    T("minus", "-"),
    T("minus and point", "-.5"),
    T("two minuses", "--1"),
    T("difference", "1-1"),
    T("differences", "[0-0-0-0-0-0-0-0-0-0-0-0]"),
    T("hex", "0x10"),
    T("NaN", "NaN"),
    T("nan", "nan"),
    T("Infinity", "-Infinity"),
    T("two points", "1.2.3"),
    T("grouping", "[1_000]"),
    T("65 digits", "12345678901234567890123456789012345678901234567890123456789012345"),
    T("number for a name", "{1:2}"),
    T("number and space for a name", "{1 \n:2}"),
    T("number for a second name", "{\"a\":1,2:3}"),
    T("two numbers", "1 2"),
    T("two numbers in an array", "[1 2]"),
    T("number and literal", "[1true]"),
    T("number and string", "[1\"a\"]"),
    T("literal and number", "[true1]"),

    T("text behind", "{}x"),
    T("bracket behind", "{}}"),
    T("value behind", "{} {}"),
    T("comma behind", "{},"),
    T("comment", "{} /* */"),
    T("truncated object", "{\"a\":1"),
    T("truncated member", "{\"a\":"),
    T("truncated name", "{\"a"),
    T("truncated array", "[1,"),
    T("open brace", "{"),
    T("close brace", "}"),
    T("crossed brackets", "[{]}"),
    T("wrong bracket", "[}"),
    T("comma before a bracket", "[1,]"),
    T("comma before a brace", "{\"a\":1,}"),
    T("comma first", "[,1]"),
    T("two commas", "[1,,2]"),
    T("two colons", "{\"a\"::1}"),
    T("no value", "{\"a\"}"),
    T("name without quotes", "{a:1}"),
    T("apostrophes", "{'a':1}"),
    T("upper case literal", "TRUE"),
    T("long literal", "[truex]"),
    T("short literal", "[nul]"),
    T("two literals", "[truefalse]"),
    T("literal behind", "true false"),
};

static const text_case_t  accepted[] = {
    T("empty object", "{}"),
    T("empty array", "[]"),
    T("white space around", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n"),
    T("string", "\"\""),
    T("literal", "null"),
    T("number", "0"),
    T("negative zero", "-0"),
    T("exponents", "[1e5,1E5,1e+5,1e-5,0e0,1.5e3]"),
    T("64 digits", "1234567890123456789012345678901234567890123456789012345678901234"),
    T("as many numbers as there can be", "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]"),
    T("DEL in a string", "\"\x7f\""),
    T("all escapes", "\"\\\"\\\\\\/\\f\\n\\r\\t\\u00e9\\b\""),
    T("mark not at the start", "\"a\\b\\u0008\""),
    T("surrogate pair", "\"\\ud83d\\ude00\""),
    T("limits of UTF-8", "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
      "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    T("duplicates nobody asks for", "{\"a\":1,\"a\":2}"),
};

#define TREE  "{\"a\":{\"b\":[10,{\"c\":\"x\"},[true,false,null]],\"n\":null,\"\":\"empty\"},"  \
              "\"m~n\":\"tilde\",\"k/l\":\"slash\",\"~1\":\"tilde one\",\"0\":\"zero\","        \
              "\"s\":\"\",\"t\":\"\\u4e2d\\ud83d\\ude00\",\"01\":\"name\",\"-\":\"minus\"}"

static const find_case_t  find_cases[] = {
    { "5", "", OK_, "5" },
    { "null", "", OK_, NULL },
    { "null", "/a", OK_, NULL },
    { TREE, "/a/b/0", OK_, "10" },
    { TREE, "/a/b/1/c", OK_, "x" },
    { TREE, "/a/b/3", OK_, NULL },
    { TREE, "/a/b/3/c", OK_, NULL },
    { TREE, "/a/b/999999999", OK_, NULL },
    { TREE, "/a/b/18446744073709551616", OK_, NULL },
    { TREE, "/a/b/4294967296", OK_, NULL },
    { TREE, "/a/b/-", OK_, NULL },
    { TREE, "/a/b/-1", MALFORMED, NULL },
    { TREE, "/a/b/+0", MALFORMED, NULL },
    { TREE, "/a/b/00", MALFORMED, NULL },
    { TREE, "/a/b/01", MALFORMED, NULL },
    { TREE, "/a/b/0x", MALFORMED, NULL },
    { TREE, "/a/b/1e0", MALFORMED, NULL },
    { TREE, "/a/b/9999999999x", MALFORMED, NULL },
    { TREE, "/a/b/ 0", MALFORMED, NULL },
    { TREE, "/a/b/", MALFORMED, NULL },
    { TREE, "/a/b/c", MALFORMED, NULL },
    { TREE, "/a/b/0/c", MALFORMED, NULL },
    { TREE, "/a/b/1/c/d", MALFORMED, NULL },
    { TREE, "/a/b/2/0/d", MALFORMED, NULL },
    { TREE, "/a/b/2/2", OK_, NULL },
    { TREE, "/a/b/2/2/d", OK_, NULL },
    { TREE, "/a/n", OK_, NULL },
    { TREE, "/a/n/b", OK_, NULL },
    { TREE, "/a/x", OK_, NULL },
    { TREE, "/a/x/y/z", OK_, NULL },
    { TREE, "/a/", OK_, "empty" },
    { TREE, "/", OK_, NULL },
    { TREE, "/m~0n", OK_, "tilde" },
    { TREE, "/k~1l", OK_, "slash" },
    { TREE, "/~01", OK_, "tilde one" },
    { TREE, "/k/l", OK_, NULL },
    { TREE, "/0", OK_, "zero" },
    { TREE, "/01", OK_, "name" },
    { TREE, "/-", OK_, "minus" },
    { TREE, "/s", OK_, "" },
    { TREE, "/t", OK_, "\xe4\xb8\xad\xf0\x9f\x98\x80" },
    { TREE, "/mm", OK_, NULL },

    { "{\"id\":9007199254740993}", "/id", OK_, "9007199254740993" },
    { "{\"id\":18446744073709551617}", "/id", OK_, "18446744073709551617" },
    { "{\"id\":3705115058471208928123456789}", "/id", OK_, "3705115058471208928123456789" },
    { "{\"id\":-0.10e+05}", "/id", OK_, "-0.10e+05" },
    { "{\"id\":1.0}", "/id", OK_, "1.0" },
    { "{\"id\":1e400}", "/id", OK_, "1e400" },
    { "[9007199254740993]", "/0", OK_, "9007199254740993" },
    { "{\"id\" : 9007199254740993 , \"b\":1}", "/id", OK_, "9007199254740993" },

    { "{\"a\":1,\"a\":2}", "/a", DUPLICATE, NULL },
    { "{\"a\":1,\"a\":1}", "/a", DUPLICATE, NULL },
    { "{\"a\":1,\"b\":0,\"a\":null}", "/a", DUPLICATE, NULL },
    { "{\"a\":null,\"a\":2}", "/a", DUPLICATE, NULL },
    { "{\"a\":1,\"A\":2}", "/a", DUPLICATE, NULL },
    { "{\"A\":1,\"a\":2}", "/a", DUPLICATE, NULL },
    { "{\"A\":1}", "/a", DUPLICATE, NULL },
    { "{\"a\":1}", "/A", DUPLICATE, NULL },
    { "{\"s\":1,\"\xc5\xbf\":2}", "/s", DUPLICATE, NULL },
    { "{\"\xc5\xbf\":2}", "/s", DUPLICATE, NULL },
    { "{\"item\xc5\xbf\":2,\"items\":1}", "/items", DUPLICATE, NULL },
    { "{\"\\u0131tems\":1}", "/items", DUPLICATE, NULL },
    { "{\"\xc4\xb0TEM\xc5\xbf\":1}", "/items", DUPLICATE, NULL },
    { "{\"\xe2\x84\xaa\":1}", "/k", DUPLICATE, NULL },
    { "{\"\\u212aey\":1,\"key\":2}", "/key", DUPLICATE, NULL },
    { "{\"\xc5\xbf\":1}", "/\xc5\xbf", OK_, "1" },
    { "{\"\xc5\xbe\":1,\"s\":2}", "/s", OK_, "2" },
    { "{\"\xc5\xbf\":1,\"k\":2}", "/k", OK_, "2" },
    { "{\"key\xc5\xbf\":1,\"key\":2}", "/key", OK_, "2" },
    { "{\"A\":1,\"A\":2}", "/a", DUPLICATE, NULL },
    { "{\"a\":1,\"\\u0061\":2}", "/a", DUPLICATE, NULL },
    { "{\"a\":1,\"\\u0041\":2}", "/a", DUPLICATE, NULL },
    { "{\"\\u0061\":2}", "/a", OK_, "2" },
    { "{\"payAmount\":1,\"payamount\":2}", "/payAmount", DUPLICATE, NULL },
    { "{\"a\":{\"b\":1,\"B\":2}}", "/a/b", DUPLICATE, NULL },
    { "{\"a\":{\"b\":1},\"a\":{\"b\":1}}", "/a/b", DUPLICATE, NULL },
    { "{\"a\":{\"b\":1},\"A\":{\"b\":1}}", "/a/b", DUPLICATE, NULL },
    { "{\"a\":[{\"b\":{\"c\":1,\"c\":2}}]}", "/a/0/b/c", DUPLICATE, NULL },
    { "{\"a\":[{\"b\":1,\"b\":2}]}", "/a/0/b", DUPLICATE, NULL },
    { "{\"a\":1,\"b\":2,\"b\":3}", "/a", OK_, "1" },
    { "{\"ab\":1,\"a\":2,\"abc\":3}", "/a", OK_, "2" },
    { "{\"k[\":1,\"k{\":2}", "/k[", OK_, "1" },
    { "{\"k@\":1,\"k`\":2}", "/k@", OK_, "1" },
    { "{\"\xc3\xa9\":1,\"\xc3\x89\":2}", "/\xc3\xa9", OK_, "1" },
    { "{\"~\":1}", "/~0", OK_, "1" },
    { "{\"\":1,\"\":2}", "/", DUPLICATE, NULL },
    { "{\"X~1y\":1}", "/x~01Y", DUPLICATE, NULL },

    { "\"abc\"", "/a", MALFORMED, NULL },
    { "7", "/a", MALFORMED, NULL },
    { "true", "/a", MALFORMED, NULL },
    { "{}", "a", COMMERCE_R(INTERNAL), NULL },
    { "{\"~2\":1,\"2\":2}", "/~2", OK_, NULL },
    { "{\"~\":1,\"\":2}", "/~", OK_, NULL },
};


/* the text in a block of its exact size, so that a sanitizer sees a read past the end */
static commerce_reason_t
parse(commerce_heap_t *heap, commerce_str_t text, commerce_json_t **root)
{
    char               *copy;
    commerce_reason_t   reason;

    if (text.len == 0) {
        return commerce_json_parse(commerce_heap_arena(heap), text, root);
    }

    copy = malloc(text.len);
    memcpy(copy, text.data, text.len);

    reason = commerce_json_parse(commerce_heap_arena(heap), (commerce_str_t) { copy, text.len },
                                 root);

    /* the tree owns its bytes */
    free(copy);

    return reason;
}


static void
test_grammar(void)
{
    size_t            i;
    commerce_heap_t  *heap;
    commerce_json_t  *root;

    heap = commerce_heap_create();

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        root = (commerce_json_t *) &heap;
        is_int(parse(heap, refused[i].text, &root), MALFORMED, "refused: %s", refused[i].name);
        ok(root == NULL, "refused: %s: no tree", refused[i].name);
    }

    for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        is_int(parse(heap, accepted[i].text, &root), OK_, "accepted: %s", accepted[i].name);
        ok(root != NULL, "accepted: %s: a tree", accepted[i].name);
    }

    is_int(commerce_json_parse(commerce_heap_arena(heap), commerce_cstr(NULL), &root), MALFORMED,
           "refused: NULL");

    commerce_heap_destroy(heap);
}


/* strings are looked at in words: any byte at any place */

static void
test_strings(void)
{
    int                c;
    bool               good;
    char               text[32];
    size_t             len, at;
    unsigned           wrong;
    commerce_heap_t   *heap;
    commerce_json_t   *root;
    commerce_reason_t  reason;

    wrong = 0;

    for (len = 1; len <= 20; len++) {
        heap = commerce_heap_create();

        for (at = 1; at <= len; at++) {
            memset(text, 'x', sizeof(text));
            text[0] = text[len + 1] = '"';

            for (c = 0; c < 256; c++) {
                text[at] = (char) c;
                good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                reason = parse(heap, (commerce_str_t) { text, len + 2 }, &root);
                wrong += reason != (good ? OK_ : MALFORMED);
            }
        }

        commerce_heap_destroy(heap);
    }

    is_int(wrong, 0, "strings: every byte at every place");
}


static void
test_truncated(void)
{
    bool               all;
    size_t             len;
    commerce_str_t     text;
    commerce_heap_t   *heap;
    commerce_json_t   *root;

    heap = commerce_heap_create();
    text = commerce_string(TREE);
    all = true;

    for (len = 0; len < text.len; len++) {
        all = all && parse(heap, (commerce_str_t) { text.data, len }, &root) == MALFORMED;
    }

    ok(all, "refused at every length but the whole");
    is_int(parse(heap, text, &root), OK_, "the whole is accepted");

    commerce_heap_destroy(heap);
}


static void
test_depth(void)
{
    char             *text;
    size_t            i, depth;
    commerce_heap_t  *heap;
    commerce_json_t  *root;

    static const struct {
        size_t             depth;
        commerce_reason_t  reason;
    } cases[] = {
        { COMMERCE_JSON_DEPTH, OK_ },
        { COMMERCE_JSON_DEPTH + 1, MALFORMED },
        { 1000, MALFORMED },
        { 1000000, MALFORMED }
    };

    heap = commerce_heap_create();

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        depth = cases[i].depth;
        text = malloc(depth * 6 + 1);

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        is_int(parse(heap, (commerce_str_t) { text, depth * 2 }, &root), cases[i].reason,
               "%zu arrays", depth);
        is_int(parse(heap, (commerce_str_t) { text, depth }, &root), MALFORMED,
               "%zu open brackets", depth);

        for (size_t j = 0; j < depth; j++) {
            memcpy(text + j * 5, "{\"a\":", 5);
        }

        text[depth * 5] = '1';
        memset(text + depth * 5 + 1, '}', depth);
        is_int(parse(heap, (commerce_str_t) { text, depth * 6 + 1 }, &root), cases[i].reason,
               "%zu objects", depth);

        free(text);
    }

    is_int(parse(heap, commerce_string("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                                       "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                 &root), OK_, "siblings are not deep");
    is_int(parse(heap, commerce_string("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""), &root),
           OK_, "brackets in a string are not deep");

    commerce_heap_destroy(heap);
}


static void
test_find(void)
{
    size_t              i;
    commerce_str_t      text;
    commerce_heap_t    *heap;
    commerce_json_t    *root, *found;
    const find_case_t  *c;

    heap = commerce_heap_create();

    for (i = 0; i < sizeof(find_cases) / sizeof(find_cases[0]); i++) {
        c = &find_cases[i];

        if (!ok(parse(heap, commerce_cstr(c->text), &root) == OK_, "find %s: parsed", c->pointer)) {
            continue;
        }

        found = (commerce_json_t *) &heap;
        is_int(commerce_json_find(root, commerce_cstr(c->pointer), &found), c->reason,
               "find %s in %.40s", c->pointer, c->text);

        if (c->want == NULL) {
            ok(found == NULL, "find %s in %.40s: nothing", c->pointer, c->text);
            continue;
        }

        text = commerce_string("?");
        is_int(commerce_json_text(found, &text), OK_, "find %s: text", c->pointer);
        is_str(text, c->want, "find %s in %.40s: the text", c->pointer, c->text);
    }

    commerce_heap_destroy(heap);
}


static void
test_pointer_valid(void)
{
    ok(commerce_json_pointer_valid(commerce_cstr(NULL)), "pointer: nothing");
    ok(commerce_json_pointer_valid(commerce_string("/")), "pointer: the empty name");
    ok(commerce_json_pointer_valid(commerce_string("/a/0/b")), "pointer: a way");
    ok(commerce_json_pointer_valid(commerce_string("/~0~1~01")), "pointer: escapes");
    ok(commerce_json_pointer_valid(commerce_string("//")), "pointer: two empty names");
    ok(!commerce_json_pointer_valid(commerce_string("a")), "pointer: no slash");
    ok(!commerce_json_pointer_valid(commerce_string("#/a")), "pointer: a fragment");
    ok(!commerce_json_pointer_valid(commerce_string("/~")), "pointer: half an escape");
    ok(!commerce_json_pointer_valid(commerce_string("/~/a")), "pointer: half an escape inside");
    ok(!commerce_json_pointer_valid(commerce_string("/a~2")), "pointer: unknown escape");
    ok(!commerce_json_pointer_valid(commerce_string("/~~0")), "pointer: escaped tilde missing");
    ok(!commerce_json_pointer_valid(commerce_string("/a\0b")), "pointer: a NUL byte");
}


static void
test_nodes(void)
{
    commerce_str_t    text;
    commerce_heap_t  *heap;
    commerce_json_t  *root, *node;

    heap = commerce_heap_create();

    is_int(parse(heap, commerce_string("{\"a\":[\"x\",-1.50,true,false,null,{},\"true\",\"\"],"
                                       "\"b\":12}"), &root), OK_, "nodes: parsed");

    ok(commerce_json_is_object(root) && !commerce_json_is_array(root), "nodes: an object");
    is_int(commerce_json_count(root), 2, "nodes: two members");
    is_int(commerce_json_text(root, &text), MALFORMED, "nodes: an object has no text");
    ok(!commerce_json_is(root, commerce_string("")), "nodes: an object is no word");

    node = commerce_json_first(root);
    is_str(commerce_json_name(node), "a", "nodes: first name");
    ok(commerce_json_is_array(node) && !commerce_json_is_object(node), "nodes: an array");
    is_int(commerce_json_count(node), 8, "nodes: eight elements");
    is_int(commerce_json_text(node, &text), MALFORMED, "nodes: an array has no text");

    is_str(commerce_json_name(commerce_json_next(node)), "b", "nodes: second name");
    ok(commerce_json_is_number(commerce_json_next(node)), "nodes: a number");
    ok(commerce_json_next(commerce_json_next(node)) == NULL, "nodes: the end");

    node = commerce_json_first(node);
    ok(commerce_json_is(node, commerce_string("x")), "nodes: string x");
    ok(!commerce_json_is(node, commerce_string("xy")), "nodes: not xy");
    ok(!commerce_json_is_number(node), "nodes: a string is no number");
    is_int((int64_t) commerce_json_name(node).len, 0, "nodes: elements have no name");
    is_int(commerce_json_count(node), 0, "nodes: nothing in a string");
    ok(commerce_json_first(node) == NULL, "nodes: nothing first in a string");

    node = commerce_json_next(node);
    ok(commerce_json_is_number(node), "nodes: -1.50");
    ok(commerce_json_is(node, commerce_string("-1.50")), "nodes: by its text");
    ok(!commerce_json_is(node, commerce_string("-1.5")), "nodes: not by its value");
    ok(!commerce_json_is(node, commerce_string("\b-1.50")), "nodes: the mark does not show");

    node = commerce_json_next(node);
    ok(commerce_json_is(node, commerce_string("true")), "nodes: true");
    ok(!commerce_json_is(node, commerce_string("false")), "nodes: true is not false");
    is_int(commerce_json_text(node, &text), MALFORMED, "nodes: true has no text");

    node = commerce_json_next(node);
    ok(commerce_json_is(node, commerce_string("false")), "nodes: false");
    ok(!commerce_json_is(node, commerce_string("")), "nodes: false is not empty");

    node = commerce_json_next(node);
    ok(commerce_json_is(node, commerce_string("null")), "nodes: null");
    ok(!commerce_json_is(node, commerce_string("0")), "nodes: null is not 0");
    is_int(commerce_json_text(node, &text), MALFORMED, "nodes: null has no text");

    node = commerce_json_next(node);
    ok(commerce_json_is_object(node), "nodes: an empty object");
    is_int(commerce_json_count(node), 0, "nodes: without members");

    node = commerce_json_next(node);
    ok(commerce_json_is(node, commerce_string("true")), "nodes: the string true");

    node = commerce_json_next(node);
    text = commerce_string("?");
    is_int(commerce_json_text(node, &text), OK_, "nodes: the empty string");
    is_int((int64_t) text.len, 0, "nodes: has no length");
    ok(!commerce_json_is_number(node), "nodes: and is no number");
    ok(commerce_json_next(node) == NULL, "nodes: the last element");

    commerce_heap_destroy(heap);
}


static void
test_no_node(void)
{
    commerce_str_t    text;
    commerce_json_t  *found;

    is_int(commerce_json_find(NULL, commerce_string("/a"), &found), OK_, "no node: find");
    ok(found == NULL, "no node: nothing found");
    is_int(commerce_json_text(NULL, &text), MALFORMED, "no node: no text");
    ok(commerce_json_is(NULL, commerce_string("null")), "no node is null");
    ok(!commerce_json_is(NULL, commerce_string("")), "no node is not empty");
    ok(!commerce_json_is_array(NULL), "no node: no array");
    ok(!commerce_json_is_object(NULL), "no node: no object");
    ok(!commerce_json_is_number(NULL), "no node: no number");
    ok(commerce_json_first(NULL) == NULL, "no node: no first");
    ok(commerce_json_next(NULL) == NULL, "no node: no next");
    is_int(commerce_json_count(NULL), 0, "no node: count");
    is_int((int64_t) commerce_json_name(NULL).len, 0, "no node: name");
}


static void
test_large(void)
{
    char             *text;
    size_t            n, len;
    commerce_str_t    value;
    commerce_heap_t  *heap;
    commerce_json_t  *root, *found;

    heap = commerce_heap_create();
    text = malloc(1200000);
    len = 0;

    /* mostly numbers: the copy grows the most */
    text[len++] = '[';
    for (n = 0; n < 40000; n++) {
        len += (size_t) sprintf(text + len, "%s%zu,{\"k\":\"%06zu\"}", n ? "," : "", n % 10, n);
    }
    text[len++] = ']';

    is_int(parse(heap, (commerce_str_t) { text, len }, &root), OK_, "large: %zu bytes", len);
    is_int(commerce_json_count(root), 80000, "large: count");
    is_int(commerce_json_find(root, commerce_string("/79999/k"), &found), OK_, "large: find");
    commerce_json_text(found, &value);
    is_str(value, "039999", "large: the last");

    /* one string of 1 MiB */
    memset(text, 'x', 1048576);
    text[0] = '"';
    text[1048575] = '"';
    is_int(parse(heap, (commerce_str_t) { text, 1048576 }, &root), OK_, "large: a string");
    commerce_json_text(root, &value);
    is_int((int64_t) value.len, 1048574, "large: its length");

    /* digits and commas only, an odd count: as many numbers as there can be */
    for (n = 0; n < 100001; n++) {
        text[n] = n % 2 ? ',' : '7';
    }
    is_int(parse(heap, (commerce_str_t) { text, 100001 }, &root), MALFORMED,
           "large: numbers without an array");

    memset(text, '0', 100001);
    is_int(parse(heap, (commerce_str_t) { text, 100001 }, &root), MALFORMED, "large: zeros");

    free(text);
    commerce_heap_destroy(heap);
}


typedef struct {
    commerce_arena_t  *inner;
    unsigned           left;
} starved_t;


static void *
starved_alloc(void *owner, size_t size)
{
    starved_t  *starved;

    starved = owner;

    if (starved->left == 0) {
        return NULL;
    }

    starved->left--;

    return starved->inner->alloc(starved->inner->owner, size);
}


static void
test_exhausted(void)
{
    bool               internal;
    char               text[2001];
    unsigned           n;
    starved_t          starved;
    commerce_heap_t   *heap;
    commerce_json_t   *root;
    commerce_arena_t   arena;
    commerce_reason_t  reason;

    heap = commerce_heap_create();
    starved.inner = commerce_heap_arena(heap);
    arena.alloc = starved_alloc;
    arena.owner = &starved;
    internal = true;

    text[0] = '[';

    for (n = 0; n < 400; n++) {
        memcpy(text + 1 + n * 5, "null,", 5);
    }

    text[2000] = ']';

    for (n = 0; n < 100; n++) {
        starved.left = n;
        reason = commerce_json_parse(&arena, (commerce_str_t) { text, 2001 }, &root);
        if (reason == OK_) {
            break;
        }

        internal = internal && reason == COMMERCE_R(INTERNAL) && root == NULL;
    }

    ok(internal, "exhausted: INTERNAL and no tree");
    ok(n > 5 && n < 100, "exhausted: until there is enough (%u)", n);

    starved.left = 100;
    is_int(commerce_json_parse(&arena, commerce_string("{"), &root), MALFORMED,
           "exhausted: forgotten in the next call");

    commerce_heap_destroy(heap);
}


int
main(void)
{
    test_grammar();
    test_strings();
    test_truncated();
    test_depth();
    test_find();
    test_pointer_valid();
    test_nodes();
    test_no_node();
    test_large();
    test_exhausted();

    return done_testing();
}
