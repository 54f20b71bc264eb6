/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_amount.h"

#define AMOUNT_FEN_DIGITS     15    /* of COMMERCE_FEN_MAX */
#define AMOUNT_EXPONENT_MAX   ((int64_t) 1 << 60)   /* above the length of any text */

typedef struct {
    const char  *whole, *fraction;      /* runs of digits */
    size_t       whole_len, fraction_len;
    bool         negative;
    int64_t      exponent;
} amount_decimal_t;

static int amount_read(commerce_str_t text, amount_decimal_t *d);
static int amount_read_exponent(const char *p, const char *end, int64_t *exponent);
static const char *amount_digits_end(const char *p, const char *end);
static unsigned amount_digit(const amount_decimal_t *d, size_t i);
static commerce_fen_t amount_whole(const amount_decimal_t *d, size_t first, size_t digits);
static int amount_compare_half(const amount_decimal_t *d, size_t first, bool *zero);
static void amount_spread_rest(uint64_t rest, const __int128 *remainders, commerce_fen_t *parts,
    size_t n);


int
commerce_amount_parse(commerce_str_t text, commerce_unit_t unit, commerce_fen_t *fen, bool *rounded)
{
    int               half;
    bool              zero;
    size_t            first, count, kept;
    int64_t           digits;
    commerce_fen_t    value;
    amount_decimal_t  d;

    if (amount_read(text, &d) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    count = d.whole_len + d.fraction_len;

    for (first = 0; first < count && amount_digit(&d, first) == 0; first++) { /* void */ }

    if (first == count) {
        *fen = 0;
        *rounded = false;
        return COMMERCE_OK;
    }

    /* how many digits, from the first that is not zero, stand for whole fen */
    digits = (int64_t) d.whole_len - (int64_t) first + d.exponent
             + (unit == COMMERCE_UNIT_YUAN ? 2 : 0);

    if (d.negative || digits > AMOUNT_FEN_DIGITS) {
        return COMMERCE_ERROR;
    }

    if (digits < 0) {
        *fen = 0;
        *rounded = true;
        return COMMERCE_OK;
    }

    value = amount_whole(&d, first, (size_t) digits);

    kept = first + (size_t) digits;
    half = amount_compare_half(&d, kept, &zero);

    if (half > 0 || (half == 0 && (value & 1))) {
        value++;
    }

    if (value > COMMERCE_FEN_MAX) {
        return COMMERCE_ERROR;
    }

    *fen = value;
    *rounded = !zero;

    return COMMERCE_OK;
}


static int
amount_read(commerce_str_t text, amount_decimal_t *d)
{
    const char  *p, *end, *start;

    if (text.len == 0) {
        return COMMERCE_ERROR;
    }

    p = text.data;
    end = p + text.len;

    d->negative = (*p == '-');
    if (d->negative) {
        p++;
    }

    start = p;
    p = amount_digits_end(p, end);

    d->whole = start;
    d->whole_len = (size_t) (p - start);

    if (d->whole_len == 0 || (d->whole_len > 1 && *start == '0')) {
        return COMMERCE_ERROR;
    }

    d->fraction = p;
    d->fraction_len = 0;

    if (p < end && *p == '.') {
        start = ++p;
        p = amount_digits_end(p, end);

        d->fraction = start;
        d->fraction_len = (size_t) (p - start);

        if (d->fraction_len == 0) {
            return COMMERCE_ERROR;
        }
    }

    return amount_read_exponent(p, end, &d->exponent);
}


/* the rest of the number: nothing, or an exponent, held within bounds that decide the same */
static int
amount_read_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool         negative;
    int64_t      value;
    const char  *start;

    *exponent = 0;

    if (p == end) {
        return COMMERCE_OK;
    }

    if (*p != 'e' && *p != 'E') {
        return COMMERCE_ERROR;
    }

    p++;
    negative = (p < end && *p == '-');

    if (p < end && (*p == '-' || *p == '+')) {
        p++;
    }

    start = p;
    value = 0;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        if (value < AMOUNT_EXPONENT_MAX / 16) {
            value = value * 10 + (*p - '0');
        }
    }

    if (p == start || p != end) {
        return COMMERCE_ERROR;
    }

    *exponent = negative ? -value : value;

    return COMMERCE_OK;
}


static const char *
amount_digits_end(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/* zeros follow the last digit without end */
static unsigned
amount_digit(const amount_decimal_t *d, size_t i)
{
    if (i < d->whole_len) {
        return (unsigned) (d->whole[i] - '0');
    }

    i -= d->whole_len;

    return i < d->fraction_len ? (unsigned) (d->fraction[i] - '0') : 0;
}


static commerce_fen_t
amount_whole(const amount_decimal_t *d, size_t first, size_t digits)
{
    size_t          i;
    commerce_fen_t  value;

    value = 0;

    for (i = 0; i < digits; i++) {
        value = value * 10 + amount_digit(d, first + i);
    }

    return value;
}


/* the digits from first on, as a fraction, against one half: -1, 0, 1 */
static int
amount_compare_half(const amount_decimal_t *d, size_t first, bool *zero)
{
    bool      more;
    size_t    i, count;
    unsigned  lead;

    count = d->whole_len + d->fraction_len;
    lead = amount_digit(d, first);
    more = false;

    for (i = first + 1; i < count && !more; i++) {
        more = amount_digit(d, i) != 0;
    }

    *zero = (lead == 0 && !more);

    if (lead != 5) {
        return lead < 5 ? -1 : 1;
    }

    return more ? 1 : 0;
}


commerce_fen_t
commerce_amount_share(commerce_fen_t amount, unsigned bp)
{
    __int128  share;

    share = ((__int128) amount * bp + 5000) / 10000;

    return share > INT64_MAX ? INT64_MAX : (commerce_fen_t) share;
}


int
commerce_amount_spread(commerce_fen_t total, const commerce_fen_t *weights, commerce_fen_t *parts,
    size_t n)
{
    bool      valid;
    size_t    i;
    __int128  sum, rest, product, remainders[COMMERCE_SPREAD_MAX];

    valid = (total >= 0 && n <= COMMERCE_SPREAD_MAX);
    sum = 0;

    for (i = 0; i < n; i++) {
        valid = valid && weights[i] >= 0;
        sum += weights[i];
    }

    if (!valid || sum == 0) {
        for (i = 0; i < n; i++) {
            parts[i] = 0;
        }

        return valid && total == 0 ? COMMERCE_OK : COMMERCE_ERROR;
    }

    rest = total;

    for (i = 0; i < n; i++) {
        product = (__int128) total * weights[i];
        parts[i] = (commerce_fen_t) (product / sum);
        remainders[i] = product % sum;
        rest -= parts[i];
    }

    amount_spread_rest((uint64_t) rest, remainders, parts, n);

    return COMMERCE_OK;
}


/*
 * The remainders add up to rest times the sum of weights and each is below that sum, so that there
 * are more of them above zero than rest: no part of an exact or zero share is touched.
 */
static void
amount_spread_rest(uint64_t rest, const __int128 *remainders, commerce_fen_t *parts, size_t n)
{
    size_t    i, j;
    uint16_t  order[COMMERCE_SPREAD_MAX];

    if (rest == 0) {
        return;
    }

    /* insertion keeps equal remainders in their order */
    for (i = 0; i < n; i++) {
        for (j = i; j > 0 && remainders[order[j - 1]] < remainders[i]; j--) {
            order[j] = order[j - 1];
        }

        order[j] = (uint16_t) i;
    }

    for (i = 0; i < rest; i++) {
        parts[order[i]]++;
    }
}
