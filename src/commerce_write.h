/*
 * Copyright (C) ngx_commerce authors
 *
 * Writes one JSON text into a buffer of fixed size: event lines, verdicts, answers.  It exists beside
 * cJSON (which reads every JSON body) because a page view writes an event and may allocate nothing.
 * Commas and nesting are its business; an overrun or bad nesting makes finish() fail, nothing is
 * written past the end.  Strings are escaped for JSON; bytes that are not UTF-8 become U+FFFD.
 *
 *   commerce_write_t  w;
 *   commerce_write_start(&w, buffer, sizeof(buffer));
 *   commerce_write_open(&w, NULL, '{');
 *   commerce_write_text(&w, "type", commerce_string("visit"));
 *   commerce_write_int(&w, "amount", 990);
 *   commerce_write_close(&w, '}');
 *   n = commerce_write_finish(&w);              -1 when it did not fit
 *
 * name is the member's name (plain ASCII, not escaped), or NULL inside an array and at the top.
 */

#ifndef COMMERCE_WRITE_H
#define COMMERCE_WRITE_H

#include "commerce.h"

typedef struct {
    char      *start, *pos;
    char      *end;             /* of the room; of the text, once it failed */
    char      *mark;            /* the user's: a place in the text */
    unsigned   depth;           /* at most 32 */
    uint32_t   arrays;          /* bit n: the bracket opened at depth n is '[' */
    bool       members;         /* names are due: the innermost bracket is '{' */
    bool       comma;
    bool       failed;
} commerce_write_t;

void commerce_write_start(commerce_write_t *w, char *buffer, size_t size);
void commerce_write_close(commerce_write_t *w, char bracket);                       /* '}' or ']' */
int64_t commerce_write_finish(commerce_write_t *w);

/* a value, behind commerce_write_name() */
void commerce_write_bracket(commerce_write_t *w, char bracket);
void commerce_write_text_value(commerce_write_t *w, commerce_str_t value);
void commerce_write_int_value(commerce_write_t *w, int64_t value);
void commerce_write_hex_value(commerce_write_t *w, const uint8_t *bytes, size_t len);
void commerce_write_json_value(commerce_write_t *w, commerce_str_t json);
void commerce_write_fail(commerce_write_t *w);

/* unpadded base64url; out holds (len * 4 + 2) / 3 characters; returns how many */
size_t commerce_base64url(const uint8_t *in, size_t len, char *out);

/* the number in decimal, ending before end: where it begins, at most 20 bytes before */
char *commerce_digits(char *end, uint64_t n);

/* two lower case digits for each byte; nothing is terminated */
void commerce_hex(const uint8_t *in, size_t len, char *out);


/*
 * What stands before a value: a comma where one is due, and the member's name.  Inline, because nearly all names
 * are literals: the compiler counts them, and writes them in a move or two.
 */

static inline void
commerce_write_name(commerce_write_t *w, const char *name)
{
    char    *p;
    size_t   len;

    len = (name != NULL) ? strlen(name) : 0;

    if (w->members != (name != NULL)
        || (name == NULL && w->comma && w->depth == 0)
        || (size_t) (w->end - w->pos) < w->comma + (name != NULL ? len + sizeof("\"\":") - 1 : 0))
    {
        commerce_write_fail(w);
        return;
    }

    p = w->pos;

    if (w->comma) {
        *p++ = ',';
    }

    if (name != NULL) {
        *p++ = '"';
        memcpy(p, name, len);
        p += len;
        *p++ = '"';
        *p++ = ':';
    }

    w->pos = p;
    w->comma = true;
}


static inline void
commerce_write_open(commerce_write_t *w, const char *name, char bracket)    /* '{' or '[' */
{
    commerce_write_name(w, name);
    commerce_write_bracket(w, bracket);
}


static inline void
commerce_write_text(commerce_write_t *w, const char *name, commerce_str_t value)
{
    commerce_write_name(w, name);
    commerce_write_text_value(w, value);
}


/* nothing if empty */

static inline void
commerce_write_optional(commerce_write_t *w, const char *name, commerce_str_t value)
{
    if (value.len != 0) {
        commerce_write_text(w, name, value);
    }
}


static inline void
commerce_write_int(commerce_write_t *w, const char *name, int64_t value)
{
    commerce_write_name(w, name);
    commerce_write_int_value(w, value);
}


static inline void
commerce_write_hex(commerce_write_t *w, const char *name, const uint8_t *bytes, size_t len)
{
    commerce_write_name(w, name);
    commerce_write_hex_value(w, bytes, len);
}


/* JSON made by another writer */

static inline void
commerce_write_raw(commerce_write_t *w, const char *name, commerce_str_t json)
{
    commerce_write_name(w, name);
    commerce_write_json_value(w, json);
}


static inline void
commerce_write_bool(commerce_write_t *w, const char *name, bool value)
{
    commerce_write_raw(w, name, value ? commerce_string("true") : commerce_string("false"));
}


static inline void
commerce_write_null(commerce_write_t *w, const char *name)
{
    commerce_write_raw(w, name, commerce_string("null"));
}

#endif
