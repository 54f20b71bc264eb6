/*
 * Copyright (C) ngx_commerce authors
 *
 * Calendar arithmetic of its own: the C library's depends on the time zone of the environment.
 * Proleptic Gregorian calendar, years 0000 to 9999.
 */

#include "commerce_campaign.h"


#define COMMERCE_TIME_FIRST   -62167219200LL      /* 0000-01-01T00:00:00Z */
#define COMMERCE_TIME_LAST    253402300799LL      /* 9999-12-31T23:59:59Z */


static bool commerce_time_digits(const char *p, unsigned n, unsigned max, unsigned *value);
static int64_t commerce_time_days(unsigned year, unsigned month, unsigned day);
static unsigned commerce_time_month_length(unsigned year, unsigned month);
static void commerce_time_put(char *p, unsigned n, unsigned value);


/*
 * 0         1         2
 * 0123456789012345678901234
 * 2026-11-01T00:00:00+08:00
 */

int
commerce_time_parse(commerce_str_t text, commerce_time_t *time)
{
    bool         zulu;
    int32_t      day;
    unsigned     hour, minute, second, offset_hour, offset_minute;
    const char  *p;
    int64_t      offset;

    p = text.data;
    zulu = (text.len == 20 && p[19] == 'Z');
    offset_hour = offset_minute = 0;

    if (!zulu && (text.len != 25 || (p[19] != '+' && p[19] != '-'))) {
        return COMMERCE_ERROR;
    }

    if (commerce_date_parse((commerce_str_t) { p, 10 }, &day) != COMMERCE_OK
        || p[10] != 'T' || p[13] != ':' || p[16] != ':'
        || !commerce_time_digits(p + 11, 2, 23, &hour)
        || !commerce_time_digits(p + 14, 2, 59, &minute)
        || !commerce_time_digits(p + 17, 2, 59, &second))
    {
        return COMMERCE_ERROR;
    }

    if (!zulu
        && (p[22] != ':'
            || !commerce_time_digits(p + 20, 2, 23, &offset_hour)
            || !commerce_time_digits(p + 23, 2, 59, &offset_minute)))
    {
        return COMMERCE_ERROR;
    }

    offset = (int64_t) (offset_hour * 3600 + offset_minute * 60);

    /* RFC 3339: -00:00 says that the local offset is not known */

    if (!zulu && p[19] == '-') {
        if (offset == 0) {
            return COMMERCE_ERROR;
        }

        offset = -offset;
    }

    *time = (commerce_time_t) day * COMMERCE_DAY
            + (int64_t) (hour * 3600 + minute * 60 + second) - offset;

    return COMMERCE_OK;
}


int
commerce_date_parse(commerce_str_t text, int32_t *day)
{
    unsigned     year, month, number;
    const char  *p;

    p = text.data;

    if (text.len != 10 || p[4] != '-' || p[7] != '-'
        || !commerce_time_digits(p, 4, 9999, &year)
        || !commerce_time_digits(p + 5, 2, 12, &month)
        || !commerce_time_digits(p + 8, 2, 31, &number)
        || month == 0 || number == 0 || number > commerce_time_month_length(year, month))
    {
        return COMMERCE_ERROR;
    }

    *day = (int32_t) commerce_time_days(year, month, number);

    return COMMERCE_OK;
}


void
commerce_time_format(commerce_time_t time, char out[32])
{
    int32_t   day;
    unsigned  rest;

    if (time < COMMERCE_TIME_FIRST) {
        time = COMMERCE_TIME_FIRST;
    }

    if (time > COMMERCE_TIME_LAST) {
        time = COMMERCE_TIME_LAST;
    }

    time -= COMMERCE_TIME_FIRST;
    day = (int32_t) (time / COMMERCE_DAY + COMMERCE_TIME_FIRST / COMMERCE_DAY);
    rest = (unsigned) (time % COMMERCE_DAY);

    commerce_date_format(day, out);
    memcpy(out + 10, "T00:00:00Z", sizeof("T00:00:00Z"));

    commerce_time_put(out + 11, 2, rest / 3600);
    commerce_time_put(out + 14, 2, rest / 60 % 60);
    commerce_time_put(out + 17, 2, rest % 60);
}


void
commerce_date_format(int32_t day, char out[32])
{
    int64_t   days;
    unsigned  year, month;

    days = day;

    if (days < COMMERCE_TIME_FIRST / COMMERCE_DAY) {
        days = COMMERCE_TIME_FIRST / COMMERCE_DAY;
    }

    if (days > COMMERCE_TIME_LAST / COMMERCE_DAY) {
        days = COMMERCE_TIME_LAST / COMMERCE_DAY;
    }

    /* 146097 days are 400 years: a guess that is at most one year too high */

    year = (unsigned) (((days - COMMERCE_TIME_FIRST / COMMERCE_DAY) * 400) / 146097) + 1;

    while (commerce_time_days(year, 1, 1) > days) {
        year--;
    }

    days -= commerce_time_days(year, 1, 1);

    for (month = 1; days >= commerce_time_month_length(year, month); month++) {
        days -= commerce_time_month_length(year, month);
    }

    memcpy(out, "0000-00-00", sizeof("0000-00-00"));

    commerce_time_put(out, 4, year);
    commerce_time_put(out + 5, 2, month);
    commerce_time_put(out + 8, 2, (unsigned) days + 1);
}


static bool
commerce_time_digits(const char *p, unsigned n, unsigned max, unsigned *value)
{
    unsigned  i;

    *value = 0;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }

        *value = *value * 10 + (unsigned) (p[i] - '0');
    }

    return *value <= max;
}


/* days since 1970-01-01; the year starts in March here, so that the leap day is its last */

static int64_t
commerce_time_days(unsigned year, unsigned month, unsigned day)
{
    int64_t  y, era, day_of_year, year_of_era;

    y = (int64_t) year - (month <= 2 ? 1 : 0);
    era = (y >= 0 ? y : y - 399) / 400;
    year_of_era = y - era * 400;
    day_of_year = (153 * ((int64_t) month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
           - 719468;
}


static unsigned
commerce_time_month_length(unsigned year, unsigned month)
{
    static const uint8_t  lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return lengths[month - 1];
}


static void
commerce_time_put(char *p, unsigned n, unsigned value)
{
    while (n-- > 0) {
        p[n] = (char) ('0' + value % 10);
        value /= 10;
    }
}
