/*
 * Copyright (C) ngx_commerce authors
 *
 * When a campaign runs: zone, from, until, hours.
 */

#include <stdio.h>

#include "commerce_campaign_parse.h"


static int commerce_campaign_needs_zone(commerce_campaign_parser_t *parser);
static void commerce_campaign_when(const commerce_campaign_t *campaign, commerce_str_t text,
    int days, commerce_time_t *when);
static int commerce_campaign_window(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_hours_t *hours);
static int commerce_campaign_days(commerce_campaign_parser_t *parser, commerce_json_t *node,
    unsigned *days);
static int commerce_campaign_minute(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, unsigned *minute);
static bool commerce_campaign_two(const char *p, unsigned max, unsigned *value);


int
commerce_campaign_times(commerce_campaign_parser_t *parser)
{
    char                  from[32], until[32];
    commerce_campaign_t  *campaign = parser->campaign;

    if (commerce_campaign_needs_zone(parser) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    commerce_campaign_when(campaign, parser->from, 0, &campaign->from);
    commerce_campaign_when(campaign, parser->until, 1, &campaign->until);

    if (campaign->until <= campaign->from) {
        commerce_time_format(campaign->from, from);
        commerce_time_format(campaign->until, until);
        return commerce_campaign_say(parser, "until", "is %s; allowed is a time after \"from\","
                                     " which is %s", until, from);
    }

    commerce_campaign_when(campaign, parser->claim_from, 0, &campaign->claim.from);
    commerce_campaign_when(campaign, parser->claim_until, 1, &campaign->claim.until);

    return !campaign->claim.open || campaign->claim.from < campaign->claim.until ? COMMERCE_OK
           : commerce_campaign_say(parser, "claim/until", "must be after \"claim/from\"");
}


/* a time as it stands, or a date: its first second, or that of days later, for a last day that counts */

static void
commerce_campaign_when(const commerce_campaign_t *campaign, commerce_str_t text, int days,
    commerce_time_t *when)
{
    int32_t  day;

    if (commerce_date_parse(text, &day) == COMMERCE_OK) {
        *when = commerce_zone_day_start(&campaign->zone, day + days);

    } else if (text.len != 0) {
        (void) commerce_time_parse(text, when);
    }
}


static int
commerce_campaign_needs_zone(commerce_campaign_parser_t *parser)
{
    unsigned                    i;
    const char                 *why;
    const commerce_campaign_t  *campaign = parser->campaign;

    if (campaign->zone.name.len != 0) {
        return COMMERCE_OK;
    }

    why = NULL;

    for (i = COMMERCE_COUNT_DAY; i <= COMMERCE_COUNT_USER_DAY; i++) {
        if (campaign->limits[i] != 0 || campaign->budgets[i] != 0
            || campaign->claim.limits[i] != 0)
        {
            why = "limits by day";
        }
    }

    if (campaign->hours_count != 0) {
        why = "hours";
    }

    if (parser->from.len == 10 || parser->until.len == 10 || parser->claim_from.len == 10
        || parser->claim_until.len == 10)
    {
        why = "dates";
    }

    return why == NULL ? COMMERCE_OK
           : commerce_campaign_say(parser, "zone", "is missing: %s are those of a place, such as"
                                   " \"Asia/Shanghai\" or \"+08:00\"", why);
}


int
commerce_campaign_zone(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    char              shown[COMMERCE_CAMPAIGN_SHOWN + 8];
    commerce_str_t    name;
    commerce_zone_t  *zone = &parser->campaign->zone;

    static const char  allowed[] = "a place like \"Asia/Shanghai\" or an offset like \"+08:00\"";

    if (commerce_campaign_read_text(parser, member->path, node, allowed, &name) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (name.len == 0 || name.len > COMMERCE_ZONE_MAX || !commerce_id_valid(name)) {
        return commerce_campaign_wrong(parser, member->path, node, allowed);
    }

    if (commerce_zone_fixed(name, zone) == COMMERCE_OK
        || (parser->zones != NULL
            && parser->zones(parser->arena, name, zone) == COMMERCE_OK))
    {
        return COMMERCE_OK;
    }

    commerce_campaign_print(name, shown);

    /* so that nobody says that it is missing, too */

    memset(zone, 0, sizeof(commerce_zone_t));
    zone->name = name;

    return commerce_campaign_say(parser, member->path, "is \"%s\", which is not known here;"
                                 " allowed is %s (other places need the package tzdata)", shown,
                                 allowed);
}


int
commerce_campaign_from(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_moment(parser, member->path, node, &parser->from);
}


int
commerce_campaign_until(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_moment(parser, member->path, node, &parser->until);
}


int
commerce_campaign_moment(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_str_t *text)
{
    int32_t          day;
    commerce_time_t  when;

    static const char  times[] = "a time like \"2026-11-01T00:00:00+08:00\"";
    static const char  both[] = "a time like \"2026-11-01T00:00:00+08:00\" or a date like"
                                " \"2026-11-01\"";

    if (commerce_campaign_read_text(parser, path, node, parser->version > 1 ? both : times, text)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    if (commerce_time_parse(*text, &when) == COMMERCE_OK
        || (parser->version > 1 && commerce_date_parse(*text, &day) == COMMERCE_OK))
    {
        return COMMERCE_OK;
    }

    *text = commerce_string("");

    return commerce_campaign_wrong(parser, path, node, parser->version > 1 ? both : times);
}


int
commerce_campaign_hours(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned              i, count;
    commerce_json_t      *element;
    commerce_campaign_t  *campaign = parser->campaign;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : 0;

    if (count == 0 || count > COMMERCE_CAMPAIGN_HOURS) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of 1 to 32"
            " {\"days\":[\"mon\", ...], \"from\":\"10:00\", \"until\":\"22:00\"}");
    }

    campaign->hours = commerce_alloc(parser->arena, count * sizeof(commerce_hours_t));

    if (campaign->hours == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    for (i = 0, element = commerce_json_first(node); element != NULL;
         i++, element = commerce_json_next(element))
    {
        if (commerce_campaign_window(parser, member->path, element, &campaign->hours[i])
            != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }
    }

    campaign->hours_count = count;

    return COMMERCE_OK;
}


static int
commerce_campaign_window(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_hours_t *hours)
{
    int               rc;
    unsigned          seen, which;
    commerce_json_t  *child;

    static const char *const  names[] = { "days", "from", "until" };

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, path, node, "an object of \"days\", \"from\" and"
                                       " \"until\"");
    }

    *hours = (commerce_hours_t) { 0x7f, 0, 24 * 60 };
    seen = 0;

    for (child = commerce_json_first(node); child != NULL; child = commerce_json_next(child)) {

        for (which = 0; which < 3; which++) {
            if (commerce_equal(commerce_json_name(child), commerce_cstr(names[which]))) {
                break;
            }
        }

        if (which == 3 || (seen & 1U << which)) {
            return commerce_campaign_say(parser, path, "may hold \"days\", \"from\" and"
                                         " \"until\", once each, and nothing else");
        }

        seen |= 1U << which;

        rc = which == 0 ? commerce_campaign_days(parser, child, &hours->days)
             : which == 1 ? commerce_campaign_minute(parser, "hours/from", child, &hours->from)
                          : commerce_campaign_minute(parser, "hours/until", child, &hours->until);

        if (rc != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }
    }

    return hours->from < hours->until ? COMMERCE_OK
           : commerce_campaign_say(parser, path, "must have \"until\" after \"from\"; a night is"
                                   " two windows, until \"24:00\" and from \"00:00\"");
}


static int
commerce_campaign_days(commerce_campaign_parser_t *parser, commerce_json_t *node, unsigned *days)
{
    unsigned          which;
    commerce_json_t  *element;

    static const char         allowed[] = "a list of mon, tue, wed, thu, fri, sat, sun";
    static const char *const  names[] = {
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL
    };

    if (!commerce_json_is_array(node) || commerce_json_count(node) == 0) {
        return commerce_campaign_wrong(parser, "hours/days", node, allowed);
    }

    *days = 0;

    for (element = commerce_json_first(node); element != NULL;
         element = commerce_json_next(element))
    {
        if (commerce_campaign_read_word(parser, "hours/days", element, names, allowed, &which)
            != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }

        *days |= 1U << which;
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_minute(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, unsigned *minute)
{
    unsigned        hours, minutes;
    commerce_str_t  text;

    static const char  allowed[] = "a time of the day from \"00:00\" to \"24:00\"";

    if (commerce_campaign_read_text(parser, path, node, allowed, &text) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (text.len != 5 || text.data[2] != ':'
        || !commerce_campaign_two(text.data, 24, &hours)
        || !commerce_campaign_two(text.data + 3, 59, &minutes)
        || (hours == 24 && minutes != 0))
    {
        return commerce_campaign_wrong(parser, path, node, allowed);
    }

    *minute = hours * 60 + minutes;

    return COMMERCE_OK;
}


static bool
commerce_campaign_two(const char *p, unsigned max, unsigned *value)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') {
        return false;
    }

    *value = (unsigned) ((p[0] - '0') * 10 + (p[1] - '0'));

    return *value <= max;
}
