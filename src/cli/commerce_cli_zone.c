/*
 * Copyright (C) ngx_commerce authors
 *
 * Time zones by name, from the C library and its files (the package tzdata).  The library takes an unknown
 * name for UTC without a word, so that the file is looked for first.
 */

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "commerce_cli.h"

#define ZONE_DIRECTORY  "/usr/share/zoneinfo"
#define ZONE_STEP       (7 * COMMERCE_DAY)      /* no two changes are nearer: Morocco's are a month apart */


static bool zone_file(commerce_str_t name);
static int zone_load(commerce_arena_t *arena, commerce_zone_t *zone);
static int zone_offset(commerce_time_t when, int32_t *offset);
static int zone_change(commerce_time_t before, commerce_time_t after, int32_t offset,
    commerce_time_t *change);


int
commerce_cli_zone(commerce_arena_t *arena, commerce_str_t name, commerce_zone_t *zone)
{
    int          rc;
    char         text[COMMERCE_ZONE_MAX + 2];
    const char  *found;
    char        *before;

    if (!zone_file(name)) {
        return COMMERCE_ABSENT;
    }

    found = getenv("TZ");
    before = found != NULL ? strdup(found) : NULL;

    if (found != NULL && before == NULL) {
        return COMMERCE_ERROR;
    }

    snprintf(text, sizeof(text), ":%.*s", (int) name.len, name.data);

    zone->name = name;
    rc = setenv("TZ", text, 1) == 0 ? zone_load(arena, zone) : COMMERCE_ERROR;

    if (before != NULL) {
        (void) setenv("TZ", before, 1);
        free(before);

    } else {
        (void) unsetenv("TZ");
    }

    tzset();

    return rc;
}


/* a name of the zone files, and of nothing else on this machine */
static bool
zone_file(commerce_str_t name)
{
    char         path[512];
    char         magic[4];
    FILE        *file;
    size_t       i;
    const char  *directory;
    struct stat  st;

    for (i = 0; i < name.len; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-",
                   name.data[i]) == NULL)
        {
            return false;
        }
    }

    if (name.len == 0 || name.len > COMMERCE_ZONE_MAX || name.data[0] == '/') {
        return false;
    }

    directory = getenv("TZDIR");

    snprintf(path, sizeof(path), "%s/%.*s",
             directory != NULL && *directory != '\0' ? directory : ZONE_DIRECTORY,
             (int) name.len, name.data);

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return false;
    }

    file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }

    i = fread(magic, 1, sizeof(magic), file);
    fclose(file);

    return i == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
}


static int
zone_load(commerce_arena_t *arena, commerce_zone_t *zone)
{
    int32_t          offset, next;
    commerce_time_t  when, change;

    tzset();

    zone->count = 0;
    zone->changes = commerce_alloc(arena, COMMERCE_ZONE_CHANGES * sizeof(commerce_zone_change_t));

    if (zone->changes == NULL || zone_offset(COMMERCE_ZONE_FIRST, &zone->offset) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    offset = zone->offset;

    for (when = COMMERCE_ZONE_FIRST; when < COMMERCE_ZONE_LAST; when += ZONE_STEP) {
        if (zone_offset(when + ZONE_STEP, &next) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        if (next == offset) {
            continue;
        }

        if (zone->count == COMMERCE_ZONE_CHANGES
            || zone_change(when, when + ZONE_STEP, next, &change) != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }

        zone->changes[zone->count++] = (commerce_zone_change_t) { change, next };
        offset = next;
    }

    return COMMERCE_OK;
}


static int
zone_offset(commerce_time_t when, int32_t *offset)
{
    time_t     t = (time_t) when;
    struct tm  tm;

    if (localtime_r(&t, &tm) == NULL
        || tm.tm_gmtoff < -COMMERCE_ZONE_OFFSET || tm.tm_gmtoff > COMMERCE_ZONE_OFFSET)
    {
        return COMMERCE_ERROR;
    }

    *offset = (int32_t) tm.tm_gmtoff;

    return COMMERCE_OK;
}


/* the first second of the new offset: it is not in force at before, but at after */
static int
zone_change(commerce_time_t before, commerce_time_t after, int32_t offset,
    commerce_time_t *change)
{
    int32_t          found;
    commerce_time_t  middle;

    while (after - before > 1) {
        middle = before + (after - before) / 2;

        if (zone_offset(middle, &found) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        if (found == offset) {
            after = middle;

        } else {
            before = middle;
        }
    }

    *change = after;

    return COMMERCE_OK;
}
