/*
 * Copyright (C) ngx_commerce authors
 */

#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "commerce_pattern.h"


#define COMMERCE_PATTERN_STEPS  10000       /* of backtracking */
#define COMMERCE_PATTERN_DEPTH  256
#define COMMERCE_PATTERN_HEAP   256         /* KiB; without the compiler */


struct commerce_pattern_s {
    pcre2_code           *code;
    pcre2_match_data     *match;
    pcre2_match_context  *limits;
};


int
commerce_pattern_compile(commerce_str_t text, commerce_pattern_t **pattern, char *error, size_t size)
{
    int                  code;
    size_t               offset;
    uint8_t              message[128];
    commerce_pattern_t  *p;

    p = calloc(1, sizeof(commerce_pattern_t));

    if (p == NULL) {
        snprintf(error, size, "out of memory");
        return COMMERCE_ERROR;
    }

    p->code = pcre2_compile((PCRE2_SPTR) text.data, text.len, 0, &code, &offset, NULL);

    if (p->code == NULL) {
        pcre2_get_error_message(code, message, sizeof(message));
        snprintf(error, size, "%s at offset %zu", (char *) message, offset);
        commerce_pattern_free(p);
        return COMMERCE_ERROR;
    }

    p->match = pcre2_match_data_create(2, NULL);
    p->limits = pcre2_match_context_create(NULL);

    if (p->match == NULL || p->limits == NULL) {
        snprintf(error, size, "out of memory");
        commerce_pattern_free(p);
        return COMMERCE_ERROR;
    }

    pcre2_set_match_limit(p->limits, COMMERCE_PATTERN_STEPS);
    pcre2_set_depth_limit(p->limits, COMMERCE_PATTERN_DEPTH);
    pcre2_set_heap_limit(p->limits, COMMERCE_PATTERN_HEAP);

    /* without the compiler, where memory may not be executed, the same is found more slowly */

    (void) pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);

    *pattern = p;

    return COMMERCE_OK;
}


int
commerce_pattern_find(const commerce_pattern_t *pattern, commerce_str_t subject, commerce_str_t *found)
{
    int                rc;
    uint32_t           groups;
    const PCRE2_SIZE  *bounds;

    *found = commerce_string("");

    if (subject.len > COMMERCE_PATTERN_SUBJECT_MAX) {
        return COMMERCE_ABSENT;
    }

    rc = pcre2_match(pattern->code, (PCRE2_SPTR) subject.data, subject.len, 0, 0, pattern->match,
                     pattern->limits);

    if (rc < 0) {
        return rc == PCRE2_ERROR_NOMATCH ? COMMERCE_ABSENT : COMMERCE_ERROR;
    }

    if (pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &groups) != 0) {
        return COMMERCE_ERROR;
    }

    bounds = pcre2_get_ovector_pointer(pattern->match);

    if (groups > 0) {
        bounds += 2;

        if (rc == 1 || bounds[0] == PCRE2_UNSET) {
            return COMMERCE_ABSENT;
        }
    }

    /* \K may put the start behind the end */

    if (bounds[0] >= bounds[1]) {
        return COMMERCE_ABSENT;
    }

    *found = (commerce_str_t) { subject.data + bounds[0], bounds[1] - bounds[0] };

    return COMMERCE_OK;
}


void
commerce_pattern_free(commerce_pattern_t *pattern)
{
    if (pattern == NULL) {
        return;
    }

    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    free(pattern);
}
