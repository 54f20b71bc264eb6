/*
 * Copyright (C) ngx_commerce authors
 *
 * A time zone as rules need it: which day, weekday and second of the day is it there?  A worker reads no zone
 * files: whoever reads a campaign's file finds the zone once, and what it says of the years from
 * COMMERCE_ZONE_FIRST to COMMERCE_ZONE_LAST goes into the record.  Later the last offset holds.
 */

#ifndef COMMERCE_ZONE_H
#define COMMERCE_ZONE_H

#include "commerce.h"

#define COMMERCE_ZONE_FIRST    1577836800LL     /* 2020-01-01T00:00:00Z */
#define COMMERCE_ZONE_LAST     2524608000LL     /* 2050-01-01T00:00:00Z */
#define COMMERCE_ZONE_CHANGES  128              /* Morocco changes four times in some years */
#define COMMERCE_ZONE_MAX      64               /* bytes in a name */
#define COMMERCE_ZONE_OFFSET   86399            /* seconds, either way */

#define COMMERCE_DAY           86400

typedef struct {
    commerce_time_t  from;              /* its first second */
    int32_t          offset;            /* from then on */
} commerce_zone_change_t;

typedef struct {
    commerce_str_t           name;      /* as the file has it; empty = none, which is UTC */
    int32_t                  offset;    /* seconds east of UTC, before the first change */
    commerce_zone_change_t  *changes;   /* ascending */
    unsigned                 count;
} commerce_zone_t;

/*
 * Zones that need no files: "+08:00", "-03:30", "UTC", and the places in East Asia whose offset has not changed
 * for thirty years.  COMMERCE_ABSENT: not one of them.  name is not copied.
 */
int commerce_zone_fixed(commerce_str_t name, commerce_zone_t *zone);

int32_t commerce_zone_offset(const commerce_zone_t *zone, commerce_time_t time);

/* days since 1970-01-01 in the zone; days before are negative */
int32_t commerce_zone_day(const commerce_zone_t *zone, commerce_time_t time);

/* 0 = Monday ... 6 = Sunday */
unsigned commerce_zone_weekday(const commerce_zone_t *zone, commerce_time_t time);

/* seconds since midnight by the clock on the wall */
unsigned commerce_zone_second(const commerce_zone_t *zone, commerce_time_t time);

/*
 * When does this day begin?  The first second whose day it is: midnight, or what comes after a midnight that
 * the change to summer time left out.
 */
commerce_time_t commerce_zone_day_start(const commerce_zone_t *zone, int32_t day);

#endif
