/*
 * Copyright (C) ngx_commerce authors
 *
 * Money arithmetic: exact, in fen, never through a double.
 */

#ifndef COMMERCE_AMOUNT_H
#define COMMERCE_AMOUNT_H

#include "commerce.h"

typedef enum {
    COMMERCE_UNIT_FEN,
    COMMERCE_UNIT_YUAN
} commerce_unit_t;

#define COMMERCE_FEN_MAX  100000000000000LL     /* 1e12 yuan: sums of 256 lines cannot overflow */

/*
 * A decimal's text (JSON number grammar, exponents included) in fen.  What is finer than a fen is
 * rounded half even and *rounded set.  COMMERCE_ERROR, with both results untouched: not a number,
 * negative ("-0" is 0), above COMMERCE_FEN_MAX.
 */
int commerce_amount_parse(commerce_str_t text, commerce_unit_t unit, commerce_fen_t *fen, bool *rounded);

/* amount * bp / 10000, half up, at most INT64_MAX; amount >= 0 */
commerce_fen_t commerce_amount_share(commerce_fen_t amount, unsigned bp);

#define COMMERCE_SPREAD_MAX  256

/*
 * Spreads total over n weights by largest remainder, ties to the earlier; the parts sum to total and
 * none is above its weight when total <= sum of weights.  All zero weights: everything to none, parts
 * are 0 (COMMERCE_ERROR unless total is 0).  Anything negative, n above COMMERCE_SPREAD_MAX:
 * COMMERCE_ERROR, parts are 0.
 */
int commerce_amount_spread(commerce_fen_t total, const commerce_fen_t *weights, commerce_fen_t *parts, size_t n);

#endif
