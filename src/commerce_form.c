/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "commerce_form.h"


static int commerce_form_decode(commerce_arena_t *arena, commerce_str_t text,
    commerce_str_t *decoded);
static int commerce_form_digit(char c);
static bool commerce_form_utf8(commerce_str_t text);
static int commerce_form_compare(const void *one, const void *two);
static bool commerce_form_same(commerce_str_t a, commerce_str_t b);
static char *commerce_form_encode(char *p, commerce_str_t text);


commerce_reason_t
commerce_form_parse(commerce_arena_t *arena, commerce_str_t text, commerce_form_t *form)
{
    unsigned                i, k;
    const char             *p, *end, *stop, *equal;
    commerce_str_t          name, value;
    commerce_form_field_t  *field;

    form->count = 0;
    form->fields = commerce_alloc(arena, COMMERCE_FORM_FIELDS * sizeof(commerce_form_field_t));

    if (form->fields == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (p = text.data, end = p + text.len; p < end; p = stop + 1) {
        stop = memchr(p, '&', (size_t) (end - p));
        stop = stop != NULL ? stop : end;

        equal = memchr(p, '=', (size_t) (stop - p));
        equal = equal != NULL ? equal : stop;

        name = (commerce_str_t) { p, (size_t) (equal - p) };
        value = (commerce_str_t) { equal < stop ? equal + 1 : stop,
                                   equal < stop ? (size_t) (stop - equal - 1) : 0 };

        if (name.len == 0 || form->count == COMMERCE_FORM_FIELDS || stop == end - 1) {
            return COMMERCE_R(BODY_MALFORMED);
        }

        field = &form->fields[form->count++];

        if (commerce_form_decode(arena, name, &field->name) != COMMERCE_OK
            || commerce_form_decode(arena, value, &field->value) != COMMERCE_OK)
        {
            return COMMERCE_R(BODY_MALFORMED);
        }
    }

    for (i = 1; i < form->count; i++) {
        for (k = 0; k < i; k++) {
            if (commerce_form_same(form->fields[i].name, form->fields[k].name)) {
                return COMMERCE_R(BODY_DUPLICATE_MEMBER);
            }
        }
    }

    qsort(form->fields, form->count, sizeof(commerce_form_field_t), commerce_form_compare);

    return COMMERCE_R(OK);
}


static int
commerce_form_decode(commerce_arena_t *arena, commerce_str_t text, commerce_str_t *decoded)
{
    int     high, low;
    char   *p;
    size_t  i;

    *decoded = commerce_string("");

    if (text.len == 0) {
        return COMMERCE_OK;
    }

    p = commerce_alloc(arena, text.len);
    if (p == NULL) {
        return COMMERCE_ERROR;
    }

    decoded->data = p;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '+') {
            *p++ = ' ';

        } else if (text.data[i] != '%') {
            *p++ = text.data[i];

        } else {
            high = text.len - i > 2 ? commerce_form_digit(text.data[i + 1]) : -1;
            low = text.len - i > 2 ? commerce_form_digit(text.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return COMMERCE_ERROR;
            }

            *p++ = (char) (high << 4 | low);
            i += 2;
        }
    }

    decoded->len = (size_t) (p - decoded->data);

    return commerce_form_utf8(*decoded) ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_form_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;
}


/* and no NUL */

static bool
commerce_form_utf8(commerce_str_t text)
{
    size_t          len;
    const uint8_t  *p, *end;

    p = (const uint8_t *) text.data;

    for (end = p + text.len; p < end; p += len) {
        len = *p != 0 ? commerce_utf8_length(p, end) : 0;

        if (len == 0) {
            return false;
        }
    }

    return true;
}


static int
commerce_form_compare(const void *one, const void *two)
{
    int                           rc;
    const commerce_form_field_t  *a = one, *b = two;

    rc = memcmp(a->name.data, b->name.data,
                a->name.len < b->name.len ? a->name.len : b->name.len);

    return rc != 0 ? rc : a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
}


/* without regard to the case of letters: some backends have none */

static bool
commerce_form_same(commerce_str_t a, commerce_str_t b)
{
    char    x, y;
    size_t  i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        x = a.data[i];
        y = b.data[i];

        x = (x >= 'A' && x <= 'Z') ? (char) (x | 0x20) : x;
        y = (y >= 'A' && y <= 'Z') ? (char) (y | 0x20) : y;

        if (x != y) {
            return false;
        }
    }

    return true;
}


const commerce_str_t *
commerce_form_find(const commerce_form_t *form, commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i < form->count; i++) {
        if (commerce_equal(form->fields[i].name, name)) {
            return &form->fields[i].value;
        }
    }

    return NULL;
}


commerce_str_t
commerce_form_canonical(commerce_arena_t *arena, const commerce_form_t *form,
    commerce_str_t except)
{
    char            *p;
    size_t           size;
    unsigned         i;
    commerce_str_t   text;

    for (i = 0, size = 1; i < form->count; i++) {
        size += 3 * (form->fields[i].name.len + form->fields[i].value.len) + 2;
    }

    text.data = p = commerce_alloc(arena, size);
    text.len = 0;

    if (p == NULL) {
        return text;
    }

    for (i = 0; i < form->count; i++) {
        if (commerce_equal(form->fields[i].name, except)) {
            continue;
        }

        if (p != text.data) {
            *p++ = '&';
        }

        p = commerce_form_encode(p, form->fields[i].name);
        *p++ = '=';
        p = commerce_form_encode(p, form->fields[i].value);
    }

    text.len = (size_t) (p - text.data);

    return text;
}


static char *
commerce_form_encode(char *p, commerce_str_t text)
{
    size_t                   i;
    uint8_t                  c;
    static const char *const hex = "0123456789ABCDEF";

    for (i = 0; i < text.len; i++) {
        c = (uint8_t) text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            *p++ = (char) c;

        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }

    return p;
}
