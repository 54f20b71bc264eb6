/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_amount.h"

typedef struct {
    const char      *text;
    commerce_fen_t   fen;           /* -1: refused */
    bool             rounded;
} parse_case_t;

/* computed with python3's decimal, ROUND_HALF_EVEN */
static const parse_case_t  yuan_cases[] = {
    { "0", 0, false },
    { "0.00", 0, false },
    { "0e5", 0, false },
    { "0.000e-999999999999999999999999", 0, false },
    { "0e999999999999999999999999", 0, false },
    { "-0", 0, false },
    { "-0.00e1", 0, false },
    { "1", 100, false },
    { "9.9", 990, false },
    { "19.99", 1999, false },
    { "0.29", 29, false },
    { "1.15", 115, false },
    { "1e2", 10000, false },
    { "1E+2", 10000, false },
    { "1.5E-1", 15, false },
    { "0.00015e3", 15, false },
    { "15000e-5", 15, false },
    { "0.1e-1", 1, false },
    { "1e-2", 1, false },
    { "1.230000000000000000000000000000000000000000", 123, false },
    { "0.000000000000000000000000000000000000000001e40", 1, false },
    { "10000000000000000000000000000000000000000e-40", 100, false },
    { "0.005", 0, true },
    { "0.015", 2, true },
    { "0.025", 2, true },
    { "0.0250000000000000000001", 3, true },
    { "0.0249999999999999999999", 2, true },
    { "0.00500000000000000000001", 1, true },
    { "0.004", 0, true },
    { "0.0051", 1, true },
    { "0.0005", 0, true },
    { "1e-300", 0, true },
    { "1e-999999999999999999999999", 0, true },
    { "1.999", 200, true },
    { "9.995", 1000, true },
    { "0.995", 100, true },
    { "0.985", 98, true },
    { "1000000000000", 100000000000000, false },
    { "1e12", 100000000000000, false },
    { "999999999999.99", 99999999999999, false },
    { "999999999999.995", 100000000000000, true },
    { "1000000000000.004", 100000000000000, true },
    { "1000000000000.005", 100000000000000, true },
    { "1000000000000.0051", -1, false },
    { "1000000000000.01", -1, false },
    { "1000000000001", -1, false },
    { "1e13", -1, false },
    { "9223372036854775808", -1, false },
    { "99999999999999999999999999999999999999", -1, false },
    { "1e999999999999999999999999", -1, false },
    { "1e-18446744073709551615", 0, true },
    { "1e18446744073709551616", -1, false },
    { "1e4294967298", -1, false },
    { "-1", -1, false },
    { "-0.001", -1, false },
    { "-1e-300", -1, false },
    { "", -1, false },
    { "-", -1, false },
    { "+1", -1, false },
    { "01", -1, false },
    { "00", -1, false },
    { "-01", -1, false },
    { ".5", -1, false },
    { "1.", -1, false },
    { "1.e2", -1, false },
    { "1e", -1, false },
    { "1e+", -1, false },
    { "1e-", -1, false },
    { "1e1.5", -1, false },
    { "1e+-1", -1, false },
    { "1.2.3", -1, false },
    { "1,000", -1, false },
    { " 1", -1, false },
    { "1 ", -1, false },
    { "0x10", -1, false },
    { "NaN", -1, false },
    { "Infinity", -1, false },
    { "--1", -1, false },
    { "\xef\xbc\x91", -1, false },
};

static const parse_case_t  fen_cases[] = {
    { "0", 0, false },
    { "1999", 1999, false },
    { "1999.00", 1999, false },
    { "1999.5", 2000, true },
    { "1998.5", 1998, true },
    { "0.5", 0, true },
    { "1.5", 2, true },
    { "0.51", 1, true },
    { "0.05", 0, true },
    { "1e2", 100, false },
    { "1.5E-1", 0, true },
    { "5e-1", 0, true },
    { "15e-1", 2, true },
    { "100000000000000", 100000000000000, false },
    { "100000000000000.5", 100000000000000, true },
    { "100000000000001", -1, false },
    { "99999999999999.5", 100000000000000, true },
    { "1e14", 100000000000000, false },
    { "1e15", -1, false },
};


static void
run_cases(const parse_case_t *cases, size_t n, commerce_unit_t unit, const char *name)
{
    int              rc;
    bool             rounded;
    char            *copy;
    size_t           i, len;
    commerce_fen_t   fen;

    for (i = 0; i < n; i++) {
        len = strlen(cases[i].text);
        copy = malloc(len + 1);
        memcpy(copy, cases[i].text, len);

        /* an overread would meet a digit */
        copy[len] = '7';

        fen = -7;
        rounded = true;
        rc = commerce_amount_parse((commerce_str_t) { copy, len }, unit, &fen, &rounded);

        if (cases[i].fen < 0) {
            ok(rc == COMMERCE_ERROR && fen == -7, "%s \"%s\" is refused", name, cases[i].text);

        } else {
            ok(rc == COMMERCE_OK, "%s \"%s\" is read", name, cases[i].text);
            is_int(fen, cases[i].fen, "%s \"%s\" in fen", name, cases[i].text);
            ok(rounded == cases[i].rounded, "%s \"%s\" rounded", name, cases[i].text);
        }

        free(copy);
    }
}


static void
test_parse_long(void)
{
    int              rc;
    bool             rounded;
    char            *text;
    size_t           len;
    commerce_fen_t   fen;

    len = 2000000;
    text = malloc(len);

    /* 0.000...0001e1999992: a million digits and an exponent that brings them back */
    memset(text, '0', len);
    text[1] = '.';
    memcpy(text + len - 9, "1e1999990", 9);

    rc = commerce_amount_parse((commerce_str_t) { text, len }, COMMERCE_UNIT_YUAN, &fen, &rounded);
    ok(rc == COMMERCE_OK && fen == 100 && !rounded, "two million digits");

    memset(text, '9', len);
    rc = commerce_amount_parse((commerce_str_t) { text, len }, COMMERCE_UNIT_YUAN, &fen, &rounded);
    is_int(rc, COMMERCE_ERROR, "two million nines");

    rc = commerce_amount_parse(commerce_string("1\0002"), COMMERCE_UNIT_FEN, &fen, &rounded);
    is_int(rc, COMMERCE_ERROR, "a NUL byte");

    rc = commerce_amount_parse(commerce_cstr(NULL), COMMERCE_UNIT_FEN, &fen, &rounded);
    is_int(rc, COMMERCE_ERROR, "nothing");

    free(text);
}


static void
test_share(void)
{
    is_int(commerce_amount_share(10000, 3000), 3000, "30 %% of 100 yuan");
    is_int(commerce_amount_share(0, 3000), 0, "of nothing");
    is_int(commerce_amount_share(999, 0), 0, "0 %%");
    is_int(commerce_amount_share(999, 10000), 999, "100 %%");
    is_int(commerce_amount_share(1, 4999), 0, "just below a half");
    is_int(commerce_amount_share(1, 5000), 1, "a half goes up");
    is_int(commerce_amount_share(3, 5000), 2, "one and a half");
    is_int(commerce_amount_share(5, 5000), 3, "two and a half");
    is_int(commerce_amount_share(1999, 1250), 250, "249.875");
    is_int(commerce_amount_share(COMMERCE_FEN_MAX, 3000), 30000000000000, "of the largest amount");
    is_int(commerce_amount_share(INT64_MAX, 10000), INT64_MAX, "no overflow");
    is_int(commerce_amount_share(INT64_MAX, 1), 922337203685478, "0.01 %% of INT64_MAX");
    is_int(commerce_amount_share(INT64_MAX, UINT32_MAX), INT64_MAX, "held at INT64_MAX");
}


static void
spread_is(commerce_fen_t total, const commerce_fen_t *weights, const commerce_fen_t *want,
    size_t n, const char *name)
{
    int             rc;
    commerce_fen_t  parts[16];

    memset(parts, 0xa5, sizeof(parts));

    rc = commerce_amount_spread(total, weights, parts, n);
    is_int(rc, COMMERCE_OK, "spread %s", name);
    ok(memcmp(parts, want, n * sizeof(commerce_fen_t)) == 0, "spread %s: parts", name);
    ok(parts[n] == (commerce_fen_t) 0xa5a5a5a5a5a5a5a5ULL, "spread %s: nothing behind", name);
}

#define spread(total, name, n, ...)                                                       \
    spread_is(total, ((commerce_fen_t[2][n]) { __VA_ARGS__ })[0],                         \
              ((commerce_fen_t[2][n]) { __VA_ARGS__ })[1], n, name)


static void
test_spread(void)
{
    commerce_fen_t  max;

    max = INT64_MAX;

    spread(100, "over equals", 3, { 1, 1, 1 }, { 34, 33, 33 });
    spread(101, "over equals, two left", 3, { 1, 1, 1 }, { 34, 34, 33 });
    spread(1, "one over two", 2, { 5, 5 }, { 1, 0 });
    spread(1, "to the heavier", 2, { 5, 6 }, { 0, 1 });
    spread(10, "of Hamilton", 3, { 1500, 1500, 900 }, { 4, 4, 2 });
    spread(1000, "not to zeros", 4, { 0, 333, 0, 666 }, { 0, 333, 0, 667 });
    spread(999, "the whole", 4, { 0, 333, 0, 666 }, { 0, 333, 0, 666 });
    spread(0, "nothing", 2, { 3, 4 }, { 0, 0 });
    spread(0, "nothing over nothing", 2, { 0, 0 }, { 0, 0 });
    spread(77, "to one", 1, { 1 }, { 77 });
    spread(max, "INT64_MAX over INT64_MAX", 3, { max, max, max },
           { 3074457345618258603, 3074457345618258602, 3074457345618258602 });
    spread(max, "INT64_MAX over 1 and INT64_MAX", 2, { 1, max }, { 1, max - 1 });
}


static void
test_spread_refused(void)
{
    size_t          i;
    bool            cleared;
    commerce_fen_t  weights[COMMERCE_SPREAD_MAX + 1], parts[COMMERCE_SPREAD_MAX + 1], sum;

    for (i = 0; i <= COMMERCE_SPREAD_MAX; i++) {
        weights[i] = INT64_MAX;
        parts[i] = 5;
    }

    is_int(commerce_amount_spread(1000, weights, parts, COMMERCE_SPREAD_MAX), COMMERCE_OK,
           "256 weights");
    is_int(parts[231], 4, "256 weights: the last of the larger parts");
    is_int(parts[232], 3, "256 weights: the first of the smaller parts");

    is_int(commerce_amount_spread(INT64_MAX, weights, parts, COMMERCE_SPREAD_MAX), COMMERCE_OK,
           "256 weights, all at INT64_MAX");

    for (i = 0, sum = 0; i < COMMERCE_SPREAD_MAX; i++) {
        sum += parts[i];
    }

    is_int(sum, INT64_MAX, "256 weights, all at INT64_MAX: the sum");

    is_int(commerce_amount_spread(1000, weights, parts, COMMERCE_SPREAD_MAX + 1), COMMERCE_ERROR,
           "257 weights");

    for (i = 0, cleared = true; i <= COMMERCE_SPREAD_MAX; i++) {
        cleared = cleared && parts[i] == 0;
    }

    ok(cleared, "257 weights: parts are 0");

    parts[0] = parts[1] = 5;
    weights[0] = weights[1] = 0;
    is_int(commerce_amount_spread(1, weights, parts, 2), COMMERCE_ERROR, "1 over zero weights");
    ok(parts[0] == 0 && parts[1] == 0, "1 over zero weights: parts are 0");

    weights[0] = 10;
    weights[1] = -1;
    is_int(commerce_amount_spread(1, weights, parts, 2), COMMERCE_ERROR, "a negative weight");
    weights[1] = -10;
    is_int(commerce_amount_spread(0, weights, parts, 2), COMMERCE_ERROR, "weights that cancel out");
    weights[1] = 1;
    is_int(commerce_amount_spread(-1, weights, parts, 2), COMMERCE_ERROR, "a negative total");
    is_int(commerce_amount_spread(0, weights, parts, 0), COMMERCE_OK, "nothing over nobody");
    is_int(commerce_amount_spread(1, weights, parts, 0), COMMERCE_ERROR, "something over nobody");
}


static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;

    return *state;
}


/*
 * Largest remainder by its definition, a fen at a time: each of what is left goes to the first of
 * the largest remainders not yet served.
 */
static void
spread_slowly(uint64_t total, const commerce_fen_t *weights, commerce_fen_t *parts, size_t n)
{
    bool      served[8] = { false };
    size_t    i, best;
    uint64_t  sum, rest, remainders[8];

    for (i = 0, sum = 0; i < n; i++) {
        sum += (uint64_t) weights[i];
    }

    for (i = 0, rest = total; i < n; i++) {
        parts[i] = (commerce_fen_t) (total * (uint64_t) weights[i] / sum);
        remainders[i] = total * (uint64_t) weights[i] - (uint64_t) parts[i] * sum;
        rest -= (uint64_t) parts[i];
    }

    for ( /* void */ ; rest > 0; rest--) {
        for (i = 0, best = n; i < n; i++) {
            if (!served[i] && (best == n || remainders[i] > remainders[best])) {
                best = i;
            }
        }

        parts[best]++;
        served[best] = true;
    }
}


static void
test_spread_property(void)
{
    bool            sums, bounded, same, near;
    size_t          i, n, round;
    uint64_t        state;
    commerce_fen_t  weights[8], parts[8], slow[8], total, sum, got;

    state = 88172645463325252ULL;
    sums = bounded = same = near = true;

    for (round = 0; round < 200000; round++) {
        n = 1 + next_random(&state) % 8;

        for (i = 0, sum = 0; i < n; i++) {
            weights[i] = (commerce_fen_t) (next_random(&state) % (round % 2 ? 4 : 100000));
            sum += weights[i];
        }

        if (sum == 0) {
            continue;
        }

        total = (commerce_fen_t) (next_random(&state) % (uint64_t) (sum * (round % 3 ? 1 : 5) + 1));

        if (commerce_amount_spread(total, weights, parts, n) != COMMERCE_OK) {
            sums = false;
            break;
        }

        spread_slowly((uint64_t) total, weights, slow, n);

        for (i = 0, got = 0; i < n; i++) {
            got += parts[i];
            same = same && parts[i] == slow[i];
            bounded = bounded && (total > sum || parts[i] <= weights[i]) && parts[i] >= 0;
            near = near && llabs(parts[i] * sum - total * weights[i]) < sum;
        }

        sums = sums && got == total;
    }

    ok(sums, "random spreads: the parts sum to the total");
    ok(bounded, "random spreads: no part above its weight");
    ok(near, "random spreads: each within one fen of its exact share");
    ok(same, "random spreads: equal to the definition");
}


static void
test_parse_random(void)
{
    int             len;
    bool            same, rounded;
    char            text[64];
    uint64_t        state, value, scale, fraction, twice;
    unsigned        digits, i, round;
    commerce_fen_t  fen, want;

    state = 2463534242ULL;
    same = true;

    /* value / 10^digits yuan, against integer arithmetic */
    for (round = 0; round < 100000; round++) {
        value = next_random(&state) % 1000000000000ULL;
        digits = (unsigned) (3 + next_random(&state) % 6);

        for (i = 0, scale = 1; i < digits - 2; i++) {
            scale *= 10;
        }

        if (round % 4 == 0) {
            value = value / scale * scale + scale / 2;
        }

        len = snprintf(text, sizeof(text), "%" PRIu64 "e-%u", value, digits);

        fraction = value % scale;
        twice = fraction * 2;
        want = (commerce_fen_t) (value / scale);
        want += twice > scale || (twice == scale && (want & 1));

        same = same
               && commerce_amount_parse((commerce_str_t) { text, (size_t) len }, COMMERCE_UNIT_YUAN,
                                        &fen, &rounded) == COMMERCE_OK
               && fen == want && rounded == (fraction != 0);
    }

    ok(same, "random decimals agree with integer arithmetic");
}


int
main(void)
{
    run_cases(yuan_cases, sizeof(yuan_cases) / sizeof(yuan_cases[0]), COMMERCE_UNIT_YUAN, "yuan");
    run_cases(fen_cases, sizeof(fen_cases) / sizeof(fen_cases[0]), COMMERCE_UNIT_FEN, "fen");
    test_parse_long();
    test_parse_random();
    test_share();
    test_spread();
    test_spread_refused();
    test_spread_property();

    return done_testing();
}
