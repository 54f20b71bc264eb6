/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_json.h"

#include <cjson/cJSON.h>

/*
 * A number reaches cJSON as a string that begins with a backspace, so that its text survives.  The
 * mark is short in valid JSON (two bytes, "\b") and begins no text in earnest; a string in the
 * input that begins with it, however spelled, is refused, lest it pass for a number.
 */
#define JSON_MARK           '\b'
#define JSON_NUMBER_EXTRA   4       /* two quotes and the escaped mark */
#define JSON_NUMBER_MAX     64
#define JSON_INDEX_DIGITS   9
#define JSON_SLAB           1024    /* least bytes taken from the arena at once */

/* what a byte means outside strings; 0 is refused */
enum {
    JSON_COPY = 1,      /* white space, separators, letters of literals: cJSON judges their order */
    JSON_OPEN,
    JSON_CLOSE,
    JSON_QUOTE,
    JSON_NUMBER
};

typedef enum {
    JSON_DIFFERENT,
    JSON_VARIANT,       /* equal but for case */
    JSON_EXACT
} json_match_t;

typedef struct {
    const uint8_t  *pos, *end;
    const uint8_t  *copied;         /* input up to here is in out */
    char           *out;
} json_rewrite_t;

static bool json_rewrite(json_rewrite_t *r);
static bool json_rewrite_string(json_rewrite_t *r);
static size_t json_escape_len(const uint8_t *p, const uint8_t *end, bool first);
static int json_hex4(const uint8_t *p);
static bool json_rewrite_number(json_rewrite_t *r);
static const uint8_t *json_digits(const uint8_t *p, const uint8_t *end);
static const uint8_t *json_number_end(const uint8_t *p, const uint8_t *end);
static void json_copy_run(json_rewrite_t *r);
static commerce_reason_t json_parse_text(commerce_arena_t *arena, const char *text, size_t size,
    commerce_json_t **root);
static void *json_alloc(size_t size);
static void json_free(void *p);
static commerce_reason_t json_step(commerce_json_t **node, commerce_str_t token);
static commerce_reason_t json_member(commerce_json_t **node, commerce_str_t token);
static commerce_reason_t json_element(commerce_json_t **node, commerce_str_t token);
static json_match_t json_match(const char *name, commerce_str_t token);
static char json_letter(const char **name);
static char json_lower(char c);

static const uint8_t  json_outside[256] = {
    ['\t'] = JSON_COPY, ['\n'] = JSON_COPY, ['\r'] = JSON_COPY, [' '] = JSON_COPY,
    [','] = JSON_COPY, [':'] = JSON_COPY, ['a' ... 'z'] = JSON_COPY,
    ['['] = JSON_OPEN, ['{'] = JSON_OPEN, [']'] = JSON_CLOSE, ['}'] = JSON_CLOSE,
    ['"'] = JSON_QUOTE, ['-'] = JSON_NUMBER, ['0' ... '9'] = JSON_NUMBER
};

/* bytes that stand for themselves inside a string */
static const bool  json_plain[256] = {
    [0x20 ... 0x21] = true, [0x23 ... 0x5b] = true, [0x5d ... 0x7f] = true
};

/*
 * cJSON's hooks carry no context: set during commerce_json_parse() only.  It asks for two blocks or
 * three per member: they are cut from slabs.
 */
static struct {
    commerce_arena_t  *arena;
    char              *pos, *end;
    size_t             slab;
    bool               exhausted;
} json_memory;


commerce_reason_t
commerce_json_parse(commerce_arena_t *arena, commerce_str_t text, commerce_json_t **root)
{
    char            *copy;
    json_rewrite_t   r;

    *root = NULL;

    if (text.len == 0 || text.len > SIZE_MAX / (JSON_NUMBER_EXTRA + 1)) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    /* no number directly follows another, so at most every other byte begins one */
    copy = arena->alloc(arena->owner, text.len + (text.len / 2 + 1) * JSON_NUMBER_EXTRA + 1);
    if (copy == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    r.pos = (const uint8_t *) text.data;
    r.end = r.pos + text.len;
    r.copied = r.pos;
    r.out = copy;

    if (!json_rewrite(&r)) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    *r.out++ = '\0';

    return json_parse_text(arena, copy, (size_t) (r.out - copy), root);
}


static bool
json_rewrite(json_rewrite_t *r)
{
    unsigned  depth;

    depth = 0;

    while (r->pos < r->end) {
        switch (json_outside[*r->pos]) {
        case JSON_COPY:
            r->pos++;
            break;

        case JSON_OPEN:
            if (++depth > COMMERCE_JSON_DEPTH) {
                return false;
            }
            r->pos++;
            break;

        case JSON_CLOSE:
            if (depth-- == 0) {
                return false;
            }
            r->pos++;
            break;

        case JSON_QUOTE:
            if (!json_rewrite_string(r)) {
                return false;
            }
            break;

        case JSON_NUMBER:
            if (!json_rewrite_number(r)) {
                return false;
            }
            break;

        default:
            return false;
        }
    }

    json_copy_run(r);

    return depth == 0;
}


static bool
json_rewrite_string(json_rewrite_t *r)
{
    size_t          len;
    const uint8_t  *p, *start;

    start = r->pos + 1;
    p = start;

    for ( ;; ) {
        do {
            len = (r->end - p >= 8) ? commerce_word_plain(commerce_word(p)) : 0;
            p += len;
        } while (len == 8);

        while (p < r->end && json_plain[*p]) {
            p++;
        }

        if (p == r->end || *p < 0x20) {
            return false;
        }

        if (*p == '"') {
            r->pos = p + 1;
            return true;
        }

        len = *p == '\\' ? json_escape_len(p, r->end, p == start)
                          : commerce_utf8_length(p, r->end);
        if (len == 0) {
            return false;
        }

        p += len;
    }
}


/* lone surrogates are left to cJSON, which refuses them; digits that are not hex it would not */
static size_t
json_escape_len(const uint8_t *p, const uint8_t *end, bool first)
{
    int  code;

    if (end - p < 2) {
        return 0;
    }

    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;

    case 'b':
        return first ? 0 : 2;

    case 'u':
        code = end - p < 6 ? -1 : json_hex4(p + 2);
        if (code <= 0 || (first && code == JSON_MARK)) {
            return 0;
        }
        return 6;

    default:
        return 0;
    }
}


static int
json_hex4(const uint8_t *p)
{
    int       value;
    uint8_t   c;
    unsigned  i;

    value = 0;

    for (i = 0; i < 4; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
            continue;
        }

        c |= 0x20;
        if (c < 'a' || c > 'f') {
            return -1;
        }

        value = value * 16 + (c - 'a' + 10);
    }

    return value;
}


static bool
json_rewrite_number(json_rewrite_t *r)
{
    size_t          len;
    const uint8_t  *p, *end;

    end = json_number_end(r->pos, r->end);
    if (end == NULL) {
        return false;
    }

    len = (size_t) (end - r->pos);
    if (len > JSON_NUMBER_MAX) {
        return false;
    }

    /* "01", "1-1": the size of the copy counts on a byte between two numbers */
    if (end < r->end && json_outside[*end] == JSON_NUMBER) {
        return false;
    }

    /* now that it looks like a string, cJSON would take it for a member's name */
    for (p = end; p < r->end && json_outside[*p] == JSON_COPY; p++) {
        if (*p == ':') {
            return false;
        }
    }

    json_copy_run(r);

    memcpy(r->out, "\"\\b", 3);
    memcpy(r->out + 3, r->pos, len);
    r->out[3 + len] = '"';

    r->out += len + JSON_NUMBER_EXTRA;
    r->pos = end;
    r->copied = end;

    return true;
}


static const uint8_t *
json_number_end(const uint8_t *p, const uint8_t *end)
{
    if (*p == '-') {
        p++;
    }

    p = p < end && *p == '0' ? p + 1 : json_digits(p, end);
    if (p == NULL) {
        return NULL;
    }

    if (p < end && *p == '.') {
        p = json_digits(p + 1, end);
        if (p == NULL) {
            return NULL;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        return json_digits(p, end);
    }

    return p;
}


/* behind a run of digits; NULL if there is none */
static const uint8_t *
json_digits(const uint8_t *p, const uint8_t *end)
{
    const uint8_t  *start;

    start = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p == start ? NULL : p;
}


static void
json_copy_run(json_rewrite_t *r)
{
    size_t  len;

    len = (size_t) (r->pos - r->copied);
    memcpy(r->out, r->copied, len);

    r->out += len;
    r->copied = r->pos;
}


static commerce_reason_t
json_parse_text(commerce_arena_t *arena, const char *text, size_t size, commerce_json_t **root)
{
    bool         exhausted;
    cJSON_Hooks  hooks;

    hooks.malloc_fn = json_alloc;
    hooks.free_fn = json_free;

    memset(&json_memory, 0, sizeof(json_memory));
    json_memory.arena = arena;
    json_memory.slab = size * 2 > JSON_SLAB ? size * 2 : JSON_SLAB;

    cJSON_InitHooks(&hooks);
    *root = cJSON_ParseWithLengthOpts(text, size, NULL, 1);
    cJSON_InitHooks(NULL);

    exhausted = json_memory.exhausted;
    memset(&json_memory, 0, sizeof(json_memory));

    if (*root != NULL) {
        return COMMERCE_R(OK);
    }

    return exhausted ? COMMERCE_R(INTERNAL) : COMMERCE_R(BODY_MALFORMED);
}


static void *
json_alloc(size_t size)
{
    char    *p;
    size_t   slab;

    size = (size + 15) & ~(size_t) 15;

    if ((size_t) (json_memory.end - json_memory.pos) < size) {
        slab = size > json_memory.slab ? size : json_memory.slab;
        p = json_memory.arena->alloc(json_memory.arena->owner, slab);

        if (p == NULL) {
            json_memory.exhausted = true;
            return NULL;
        }

        json_memory.pos = p;
        json_memory.end = p + slab;
    }

    p = json_memory.pos;
    json_memory.pos += size;

    return p;
}


static void
json_free(void *p)
{
    /* the arena's owner frees */
    (void) p;
}


bool
commerce_json_pointer_valid(commerce_str_t pointer)
{
    char    c;
    size_t  i;

    if (pointer.len == 0) {
        return true;
    }

    if (pointer.data[0] != '/') {
        return false;
    }

    for (i = 1; i < pointer.len; i++) {
        c = pointer.data[i];

        if (c == '\0') {
            return false;
        }

        if (c == '~') {
            i++;
            if (i == pointer.len || (pointer.data[i] != '0' && pointer.data[i] != '1')) {
                return false;
            }
        }
    }

    return true;
}


commerce_reason_t
commerce_json_find(commerce_json_t *node, commerce_str_t pointer, commerce_json_t **found)
{
    size_t             i, start;
    commerce_str_t     token;
    commerce_reason_t  reason;

    *found = NULL;

    if (pointer.len != 0 && pointer.data[0] != '/') {
        return COMMERCE_R(INTERNAL);
    }

    i = 0;

    while (i < pointer.len && node != NULL && !cJSON_IsNull(node)) {
        start = ++i;

        while (i < pointer.len && pointer.data[i] != '/') {
            i++;
        }

        token.data = pointer.data + start;
        token.len = i - start;

        reason = json_step(&node, token);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    if (!cJSON_IsNull(node)) {
        *found = node;
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
json_step(commerce_json_t **node, commerce_str_t token)
{
    if (cJSON_IsObject(*node)) {
        return json_member(node, token);
    }

    if (cJSON_IsArray(*node)) {
        return json_element(node, token);
    }

    return COMMERCE_R(BODY_MALFORMED);
}


static commerce_reason_t
json_member(commerce_json_t **node, commerce_str_t token)
{
    unsigned          alike;
    json_match_t      match;
    commerce_json_t  *member, *exact;

    exact = NULL;
    alike = 0;

    for (member = (*node)->child; member != NULL; member = member->next) {
        match = json_match(member->string, token);

        if (match != JSON_DIFFERENT) {
            alike++;
        }

        if (match == JSON_EXACT) {
            exact = member;
        }
    }

    if (alike > 1 || (alike == 1 && exact == NULL)) {
        return COMMERCE_R(BODY_DUPLICATE_MEMBER);
    }

    *node = exact;

    return COMMERCE_R(OK);
}


static commerce_reason_t
json_element(commerce_json_t **node, commerce_str_t token)
{
    size_t            i;
    uint64_t          index;
    commerce_json_t  *element;

    /* RFC 6901: the element behind the last one, which is never there */
    if (commerce_equal(token, commerce_string("-"))) {
        *node = NULL;
        return COMMERCE_R(OK);
    }

    if (token.len == 0 || (token.len > 1 && token.data[0] == '0')) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    index = 0;

    for (i = 0; i < token.len; i++) {
        if (token.data[i] < '0' || token.data[i] > '9') {
            return COMMERCE_R(BODY_MALFORMED);
        }

        if (i < JSON_INDEX_DIGITS) {
            index = index * 10 + (uint64_t) (token.data[i] - '0');
        }
    }

    if (token.len > JSON_INDEX_DIGITS) {
        *node = NULL;
        return COMMERCE_R(OK);
    }

    element = (*node)->child;

    while (element != NULL && index-- > 0) {
        element = element->next;
    }

    *node = element;

    return COMMERCE_R(OK);
}


/* an escape that is none, or a NUL, matches no name */
static json_match_t
json_match(const char *name, commerce_str_t token)
{
    char          c;
    size_t        i;
    json_match_t  match;

    match = JSON_EXACT;

    for (i = 0; i < token.len; i++, name++) {
        c = token.data[i];

        if (c == '~') {
            if (++i == token.len || (token.data[i] != '0' && token.data[i] != '1')) {
                return JSON_DIFFERENT;
            }

            c = token.data[i] == '0' ? '~' : '/';
        }

        if (*name == '\0') {
            return JSON_DIFFERENT;
        }

        if (*name == c) {
            continue;
        }

        if (json_letter(&name) != json_lower(c)) {
            return JSON_DIFFERENT;
        }

        match = JSON_VARIANT;
    }

    return *name == '\0' ? match : JSON_DIFFERENT;
}


/*
 * The letter that a backend without regard to case takes this one for, in lower case: also what Unicode folds into ASCII
 * (Go), or a change of case does (Java).  name is left on its last byte.
 */
static char
json_letter(const char **name)
{
    size_t    i, len;
    static const struct {
        char  letter;
        char  text[4];
    } folded[] = {
        { 'i', "\xc4\xb0" },            /* U+0130, I with a dot above */
        { 'i', "\xc4\xb1" },            /* U+0131, i without a dot */
        { 's', "\xc5\xbf" },            /* U+017F, long s */
        { 'k', "\xe2\x84\xaa" }         /* U+212A, Kelvin sign */
    };

    if ((**name & 0x80) == 0) {
        return json_lower(**name);
    }

    for (i = 0; i < sizeof(folded) / sizeof(folded[0]); i++) {
        len = strlen(folded[i].text);

        if (strncmp(*name, folded[i].text, len) == 0) {
            *name += len - 1;
            return folded[i].letter;
        }
    }

    return **name;
}


static char
json_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}


commerce_reason_t
commerce_json_text(commerce_json_t *node, commerce_str_t *text)
{
    if (!cJSON_IsString(node)) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    text->data = node->valuestring;

    if (text->data[0] == JSON_MARK) {
        text->data++;
    }

    text->len = strlen(text->data);

    return COMMERCE_R(OK);
}


bool
commerce_json_is(commerce_json_t *node, commerce_str_t word)
{
    commerce_str_t  text;

    if (node == NULL || cJSON_IsNull(node)) {
        return commerce_equal(word, commerce_string("null"));
    }

    if (cJSON_IsTrue(node)) {
        return commerce_equal(word, commerce_string("true"));
    }

    if (cJSON_IsFalse(node)) {
        return commerce_equal(word, commerce_string("false"));
    }

    return commerce_json_text(node, &text) == COMMERCE_R(OK) && commerce_equal(text, word);
}


bool
commerce_json_is_array(const commerce_json_t *node)
{
    return cJSON_IsArray(node);
}


bool
commerce_json_is_object(const commerce_json_t *node)
{
    return cJSON_IsObject(node);
}


bool
commerce_json_is_number(const commerce_json_t *node)
{
    return cJSON_IsString(node) && node->valuestring[0] == JSON_MARK;
}


commerce_json_t *
commerce_json_first(const commerce_json_t *node)
{
    return node == NULL ? NULL : node->child;
}


commerce_json_t *
commerce_json_next(const commerce_json_t *node)
{
    return node == NULL ? NULL : node->next;
}


commerce_str_t
commerce_json_name(const commerce_json_t *member)
{
    return commerce_cstr(member == NULL ? NULL : member->string);
}


unsigned
commerce_json_count(const commerce_json_t *node)
{
    unsigned          count;
    commerce_json_t  *child;

    count = 0;

    for (child = commerce_json_first(node); child != NULL; child = child->next) {
        count++;
    }

    return count;
}
