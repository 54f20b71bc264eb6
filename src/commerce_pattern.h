/*
 * Copyright (C) ngx_commerce authors
 *
 * A regular expression of an operator's that looks for a name in what a client sent.  PCRE2 with its
 * compiler; what one search may cost is limited, whatever the expression and the client's text are.
 *
 * A pattern is made once and used by one thread at a time: it holds the room its matches need.
 */

#ifndef COMMERCE_PATTERN_H
#define COMMERCE_PATTERN_H

#include "commerce.h"

#define COMMERCE_PATTERN_SUBJECT_MAX  4096      /* bytes; nothing is found in longer texts */

typedef struct commerce_pattern_s  commerce_pattern_t;

/* COMMERCE_ERROR: `error` says what is wrong and where */
int commerce_pattern_compile(commerce_str_t text, commerce_pattern_t **pattern, char *error, size_t size);

/*
 * *found: the first group, or, where the pattern has none, all that matched; points into subject.
 * COMMERCE_OK, COMMERCE_ABSENT (also for an empty or unset group), COMMERCE_ERROR (a limit was met).
 */
int commerce_pattern_find(const commerce_pattern_t *pattern, commerce_str_t subject, commerce_str_t *found);

void commerce_pattern_free(commerce_pattern_t *pattern);

#endif
