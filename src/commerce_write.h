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
    char      *start, *pos, *end;
    unsigned   depth;           /* at most 32 */
    uint32_t   arrays;          /* bit n: the bracket opened at depth n is '[' */
    bool       comma;
    bool       failed;
} commerce_write_t;

void commerce_write_start(commerce_write_t *w, char *buffer, size_t size);
void commerce_write_open(commerce_write_t *w, const char *name, char bracket);      /* '{' or '[' */
void commerce_write_close(commerce_write_t *w, char bracket);                       /* '}' or ']' */
void commerce_write_text(commerce_write_t *w, const char *name, commerce_str_t value);
void commerce_write_optional(commerce_write_t *w, const char *name, commerce_str_t value);  /* nothing if empty */
void commerce_write_int(commerce_write_t *w, const char *name, int64_t value);
void commerce_write_hex(commerce_write_t *w, const char *name, const uint8_t *bytes, size_t len);
void commerce_write_bool(commerce_write_t *w, const char *name, bool value);
void commerce_write_null(commerce_write_t *w, const char *name);
void commerce_write_raw(commerce_write_t *w, const char *name, commerce_str_t json);    /* JSON made by another writer */
int64_t commerce_write_finish(commerce_write_t *w);

/* unpadded base64url; out holds (len * 4 + 2) / 3 characters; returns how many */
size_t commerce_base64url(const uint8_t *in, size_t len, char *out);

#endif
