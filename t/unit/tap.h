/*
 * Copyright (C) ngx_commerce authors
 *
 * Test Anything Protocol for the unit tests: each program prints "ok"/"not ok" lines for prove.
 */

#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commerce.h"

static int  tap_count, tap_failed;


static inline bool
tap_result(bool passed, const char *file, int line, const char *fmt, va_list args)
{
    printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
    vprintf(fmt, args);
    printf("\n");

    if (!passed) {
        tap_failed++;
        printf("#   failed at %s line %d\n", file, line);
    }

    return passed;
}


static inline bool
tap_ok(bool passed, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    passed = tap_result(passed, file, line, fmt, args);
    va_end(args);

    return passed;
}


static inline bool
tap_is_int(int64_t got, int64_t want, const char *file, int line, const char *fmt, ...)
{
    bool     passed;
    va_list  args;

    va_start(args, fmt);
    passed = tap_result(got == want, file, line, fmt, args);
    va_end(args);

    if (!passed) {
        printf("#   got %" PRId64 ", want %" PRId64 "\n", got, want);
    }

    return passed;
}


static inline bool
tap_is_str(commerce_str_t got, const char *want, const char *file, int line, const char *fmt, ...)
{
    bool     passed;
    va_list  args;

    va_start(args, fmt);
    passed = tap_result(commerce_equal(got, commerce_cstr(want)), file, line, fmt, args);
    va_end(args);

    if (!passed) {
        printf("#   got \"%.*s\", want \"%s\"\n", (int) got.len, got.data ? got.data : "", want);
    }

    return passed;
}

#define ok(cond, ...)           tap_ok(cond, __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...)  tap_is_int(got, want, __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...)  tap_is_str(got, want, __FILE__, __LINE__, __VA_ARGS__)


static inline int
done_testing(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

#endif
