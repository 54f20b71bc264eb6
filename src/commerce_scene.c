/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_scene.h"


static int commerce_scene_digit(char c);


int
commerce_scene_decode(commerce_arena_t *arena, commerce_str_t text, commerce_str_t *decoded)
{
    int     high, low;
    char   *out;
    size_t  i, len;

    *decoded = text;

    if (text.len == 0 || memchr(text.data, '%', text.len) == NULL) {
        return COMMERCE_OK;
    }

    out = commerce_alloc(arena, text.len);
    if (out == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0, len = 0; i < text.len; i++) {

        if (text.data[i] != '%') {
            out[len++] = text.data[i];
            continue;
        }

        if (text.len - i < 3) {
            return COMMERCE_ERROR;
        }

        high = commerce_scene_digit(text.data[i + 1]);
        low = commerce_scene_digit(text.data[i + 2]);

        if (high < 0 || low < 0) {
            return COMMERCE_ERROR;
        }

        out[len++] = (char) (high * 16 + low);
        i += 2;
    }

    *decoded = (commerce_str_t) { out, len };

    return COMMERCE_OK;
}


int
commerce_scene_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value)
{
    bool         found;
    size_t       len;
    const char  *end;

    found = false;
    *value = commerce_string("");

    while (text.len != 0) {
        end = memchr(text.data, '&', text.len);
        len = end != NULL ? (size_t) (end - text.data) : text.len;

        if (len > name.len && text.data[name.len] == '=' && memcmp(text.data, name.data, name.len) == 0) {

            if (found) {
                *value = commerce_string("");
                return COMMERCE_ERROR;
            }

            found = true;
            *value = (commerce_str_t) { text.data + name.len + 1, len - name.len - 1 };
        }

        len += end != NULL;
        text.data += len;
        text.len -= len;
    }

    return found ? COMMERCE_OK : COMMERCE_ABSENT;
}


static int
commerce_scene_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
