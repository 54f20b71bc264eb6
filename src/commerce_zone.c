/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_zone.h"


static int commerce_zone_digits(const char *p, unsigned max, int32_t *value);
static int64_t commerce_zone_local(const commerce_zone_t *zone, commerce_time_t time);


static const struct {
    const char  *name;
    int32_t      offset;
} commerce_zone_names[] = {
    { "UTC", 0 },
    { "Asia/Chongqing", 8 * 3600 },
    { "Asia/Hong_Kong", 8 * 3600 },
    { "Asia/Kuala_Lumpur", 8 * 3600 },
    { "Asia/Macau", 8 * 3600 },
    { "Asia/Manila", 8 * 3600 },
    { "Asia/Seoul", 9 * 3600 },
    { "Asia/Shanghai", 8 * 3600 },
    { "Asia/Singapore", 8 * 3600 },
    { "Asia/Taipei", 8 * 3600 },
    { "Asia/Tokyo", 9 * 3600 },
    { "Asia/Urumqi", 6 * 3600 }
};


int
commerce_zone_fixed(commerce_str_t name, commerce_zone_t *zone)
{
    size_t   i;
    int32_t  hours, minutes;

    memset(zone, 0, sizeof(commerce_zone_t));

    for (i = 0; i < sizeof(commerce_zone_names) / sizeof(commerce_zone_names[0]); i++) {
        if (commerce_equal(name, commerce_cstr(commerce_zone_names[i].name))) {
            zone->name = name;
            zone->offset = commerce_zone_names[i].offset;
            return COMMERCE_OK;
        }
    }

    if (name.len != 6 || (name.data[0] != '+' && name.data[0] != '-') || name.data[3] != ':'
        || commerce_zone_digits(name.data + 1, 23, &hours) != COMMERCE_OK
        || commerce_zone_digits(name.data + 4, 59, &minutes) != COMMERCE_OK)
    {
        return COMMERCE_ABSENT;
    }

    zone->name = name;
    zone->offset = (hours * 60 + minutes) * 60;

    if (name.data[0] == '-') {
        zone->offset = -zone->offset;
    }

    return COMMERCE_OK;
}


static int
commerce_zone_digits(const char *p, unsigned max, int32_t *value)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') {
        return COMMERCE_ERROR;
    }

    *value = (p[0] - '0') * 10 + (p[1] - '0');

    return *value <= (int32_t) max ? COMMERCE_OK : COMMERCE_ERROR;
}


int32_t
commerce_zone_offset(const commerce_zone_t *zone, commerce_time_t time)
{
    unsigned  low, high, middle;

    low = 0;                /* as many changes as came before or at this time */
    high = zone->count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (zone->changes[middle].from <= time) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low == 0 ? zone->offset : zone->changes[low - 1].offset;
}


/* the clock on the wall, as if it were UTC; times that no clock shows stay what they are */

static int64_t
commerce_zone_local(const commerce_zone_t *zone, commerce_time_t time)
{
    return (time > -COMMERCE_FOREVER / 2 && time < COMMERCE_FOREVER / 2)
           ? time + commerce_zone_offset(zone, time) : time;
}


int32_t
commerce_zone_day(const commerce_zone_t *zone, commerce_time_t time)
{
    int64_t  local, day;

    local = commerce_zone_local(zone, time);
    day = local / COMMERCE_DAY - (local % COMMERCE_DAY < 0);

    return day > INT32_MAX ? INT32_MAX : day < INT32_MIN ? INT32_MIN : (int32_t) day;
}


unsigned
commerce_zone_weekday(const commerce_zone_t *zone, commerce_time_t time)
{
    int64_t  weekday;

    weekday = ((int64_t) commerce_zone_day(zone, time) + 3) % 7;    /* 1970-01-01 was a Thursday */

    return (unsigned) (weekday < 0 ? weekday + 7 : weekday);
}


unsigned
commerce_zone_second(const commerce_zone_t *zone, commerce_time_t time)
{
    int64_t  second;

    second = commerce_zone_local(zone, time) % COMMERCE_DAY;

    return (unsigned) (second < 0 ? second + COMMERCE_DAY : second);
}


/* the day begins at one of the offsets' midnights, or at a change */

commerce_time_t
commerce_zone_day_start(const commerce_zone_t *zone, int32_t day)
{
    unsigned         i;
    commerce_time_t  midnight, candidate, start;

    midnight = (commerce_time_t) day * COMMERCE_DAY;
    start = midnight - zone->offset;

    if (zone->count == 0) {
        return start;
    }

    start = COMMERCE_FOREVER;

    for (i = 0; i <= zone->count; i++) {
        candidate = midnight - (i == 0 ? zone->offset : zone->changes[i - 1].offset);

        if (commerce_zone_day(zone, candidate) == day && candidate < start) {
            start = candidate;
        }

        if (i != 0 && zone->changes[i - 1].from < start
            && commerce_zone_day(zone, zone->changes[i - 1].from) == day
            && commerce_zone_day(zone, zone->changes[i - 1].from - 1) != day)
        {
            start = zone->changes[i - 1].from;
        }
    }

    return start != COMMERCE_FOREVER ? start : midnight - commerce_zone_offset(zone, midnight);
}
