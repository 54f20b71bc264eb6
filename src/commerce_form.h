/*
 * Copyright (C) ngx_commerce authors
 *
 * Bodies of the type application/x-www-form-urlencoded, read for certain or not at all.
 *
 * Fields are separated by "&"; name and value by the first "=", a field without one has an empty value; "+" is a
 * space, %XX a byte.  Refused: an empty name (so also "a=1&&b=2"), a broken escape, a NUL byte, what is not UTF-8,
 * more than COMMERCE_FORM_FIELDS fields, and a name that stands there twice, or in two cases.
 */

#ifndef COMMERCE_FORM_H
#define COMMERCE_FORM_H

#include "commerce_reason.h"

#define COMMERCE_FORM_FIELDS  256

typedef struct {
    commerce_str_t  name, value;        /* decoded */
} commerce_form_field_t;

typedef struct {
    commerce_form_field_t  *fields;     /* by name, in byte order */
    unsigned                count;
} commerce_form_t;

/* OK, BODY_MALFORMED, BODY_DUPLICATE_MEMBER, INTERNAL (memory) */
commerce_reason_t commerce_form_parse(commerce_arena_t *arena, commerce_str_t text, commerce_form_t *form);

/* NULL: there is none of this name */
const commerce_str_t *commerce_form_find(const commerce_form_t *form, commerce_str_t name);

/*
 * The one spelling of a form: fields by name in byte order, but the one called except; "name=value" joined by
 * "&"; letters, digits and - . _ ~ as they are, every other byte as %XX in upper case.  data NULL: no memory.
 */
commerce_str_t commerce_form_canonical(commerce_arena_t *arena, const commerce_form_t *form, commerce_str_t except);

#endif
