/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_campaign.h"


#define ERROR  2048


static commerce_heap_t  *heap;


/* all sentences, " | " between them */

static void
say(void *data, const char *sentence)
{
    size_t  n;
    char   *error = data;

    n = strlen(error);
    snprintf(error + n, ERROR - n, "%s%s", n != 0 ? " | " : "", sentence);
}


/* a zone with summer time: +01:00, from 2026-03-29 to 2026-10-25 +02:00 */

static int
nowhere(commerce_arena_t *arena, commerce_str_t name, commerce_zone_t *zone)
{
    static commerce_zone_change_t  changes[2] = { { 1774746000, 7200 }, { 1792890000, 3600 } };

    if (!commerce_equal(name, commerce_string("Europe/Nowhere"))) {
        return COMMERCE_ABSENT;
    }

    *zone = (commerce_zone_t) { name, 3600, changes, 2 };

    return COMMERCE_OK;
}


static int
parse(const char *json, commerce_campaign_t *campaign, char error[ERROR])
{
    error[0] = '\0';
    return commerce_campaign_parse(commerce_heap_arena(heap), commerce_cstr(json), nowhere,
                                   campaign, say, error);
}


static void
refused(const char *json, const char *sentence)
{
    char                 error[ERROR];
    commerce_campaign_t  campaign;

    ok(parse(json, &campaign, error) == COMMERCE_ERROR, "refused: %s", sentence);
    ok(strstr(error, sentence) != NULL, "... and told so (%s)", error);
}


#define CAMPAIGN(members)  "{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1}" members "}"


static void
test_complete(void)
{
    char                 error[ERROR];
    commerce_campaign_t  c;

    is_int(parse("{\"v\":1, \"id\":\"autumn\", \"discount\":{\"percent\":1500,\"cap\":5000},"
                 "\"from\":\"2026-11-01T00:00:00+08:00\", \"until\":\"2026-12-01T00:00:00+08:00\","
                 "\"minimum_spend\":9900, \"skus\":[\"A-1\",\"A-2\"],"
                 "\"limits\":{\"total\":1000,\"user\":1}, \"promoter\":\"p-7\","
                 "\"holder\":\"required\", \"enabled\":false}", &c, error),
           COMMERCE_OK, "a complete campaign");

    is_str(c.id, "autumn", "id");
    is_int(c.fixed, 0, "no fixed discount");
    is_int(c.percent, 1500, "percent");
    is_int(c.cap, 5000, "cap");
    is_int(c.from, 1793462400, "from");
    is_int(c.until, 1796054400, "until");
    is_int(c.minimum_spend, 9900, "minimum spend");
    is_int(c.scopes[COMMERCE_SCOPE_SKU].count, 2, "SKUs");
    is_str(c.scopes[COMMERCE_SCOPE_SKU].ids[1], "A-2", "second SKU");
    is_int(c.limits[COMMERCE_COUNT_TOTAL], 1000, "total limit");
    is_int(c.limits[COMMERCE_COUNT_USER], 1, "user limit");
    is_str(c.promoter_id, "p-7", "promoter");
    ok(c.holder_required, "holder required");
    ok(!c.enabled, "not enabled");
    is_int(c.number, 0, "the number is not the file's");
    is_int(c.minted, 0, "nor is what was minted");

    is_int(parse(CAMPAIGN(""), &c, error), COMMERCE_OK, "the least campaign");
    is_int(c.fixed, 1, "fixed");
    is_int(c.from, 0, "from the start");
    ok(c.until == COMMERCE_FOREVER, "without end");
    ok(c.limits[0] == 0 && c.limits[1] == 0, "no limits");
    is_int(c.scopes[COMMERCE_SCOPE_SKU].count, 0, "all SKUs");
    ok(!c.holder_required && c.enabled, "anyone, enabled");
}


static void
test_refused(void)
{
    refused("", "not valid JSON");
    refused("{", "not valid JSON");
    refused("[]", "not a JSON object");
    refused("{}", "\"v\" is missing");
    refused("{\"v\":1,\"id\":\"a\"}", "\"discount\" is missing");
    refused("{\"v\":1,\"discount\":{\"fixed\":1}}", "\"id\" is missing");
    refused("{\"v\":3,\"id\":\"a\",\"discount\":{\"fixed\":1}}", "\"v\" is 3; allowed is");
    refused("{\"v\":\"1\",\"id\":\"a\",\"discount\":{\"fixed\":1}}",
            "\"v\" is \"1\"; allowed is");
    refused(CAMPAIGN(",\"limit\":{\"total\":1}"), "\"limit\" is unknown");
    refused(CAMPAIGN(",\"Enabled\":true"), "\"Enabled\" is unknown");
    refused(CAMPAIGN(",\"limits\":{\"totl\":1}"), "\"limits/totl\" is unknown");
    refused(CAMPAIGN(",\"limits\":{\"user\":1,\"user\":2}"), "\"limits/user\" stands there twice");
    refused(CAMPAIGN(",\"id\":\"b\""), "\"id\" stands there twice");
    refused(CAMPAIGN(",\"limits\":[1]"), "\"limits\" is a list of 1");
    refused(CAMPAIGN(",\"limits\":{\"total\":0}"), "\"limits/total\" is 0");
    refused(CAMPAIGN(",\"limits\":{\"total\":1e3}"), "\"limits/total\" is 1e3");
    refused(CAMPAIGN(",\"limits\":{\"total\":1.0}"), "\"limits/total\" is 1.0");
    refused(CAMPAIGN(",\"limits\":{\"total\":-1}"), "\"limits/total\" is -1");
    refused(CAMPAIGN(",\"limits\":{\"total\":null}"), "\"limits/total\" is null");
    refused(CAMPAIGN(",\"limits\":{\"total\":1000000000001}"), "\"limits/total\" is 1000000000001");
    refused(CAMPAIGN(",\"minimum_spend\":\"99\""), "\"minimum_spend\" is \"99\"");
    refused(CAMPAIGN(",\"minimum_spend\":99.5"), "\"minimum_spend\" is 99.5");
    refused(CAMPAIGN(",\"minimum_spend\":100000000000001"), "is 100000000000001");
    refused(CAMPAIGN(",\"skus\":[]"), "\"skus\" is a list of 0");
    refused(CAMPAIGN(",\"skus\":[\"a\",7]"), "\"skus\" is 7");
    refused(CAMPAIGN(",\"skus\":[\"\"]"), "\"skus\" is \"\"");
    refused(CAMPAIGN(",\"skus\":\"a\""), "\"skus\" is \"a\"");
    refused(CAMPAIGN(",\"promoter\":12"), "\"promoter\" is 12");
    refused(CAMPAIGN(",\"promoter\":\"a\\nb\""), "\"promoter\" is \"a?b\"");
    refused(CAMPAIGN(",\"holder\":\"optional\""), "allowed is \"required\"");
    refused(CAMPAIGN(",\"holder\":true"), "\"holder\" is true");
    refused(CAMPAIGN(",\"enabled\":\"true\""), "\"enabled\" is \"true\"; allowed is true or false");
    refused(CAMPAIGN(",\"enabled\":1"), "\"enabled\" is 1");
    refused(CAMPAIGN(",\"enabled\":null"), "\"enabled\" is null");
    refused(CAMPAIGN(",\"from\":\"2026-11-01\""), "\"from\" is \"2026-11-01\"");
    refused(CAMPAIGN(",\"from\":1793462400"), "\"from\" is 1793462400");
    refused(CAMPAIGN(",\"from\":\"2026-11-01T00:00:00Z\",\"until\":\"2026-11-01T08:00:00+08:00\""),
            "\"until\" is 2026-11-01T00:00:00Z; allowed is a time after \"from\"");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{}}", "\"thresholds\" and \"every\", not none");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1,\"percent\":1}}", "not several");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1,\"cap\":1}}", "discount/cap");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":10001}}", "is 10001");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":0}}", "is 0");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":0}}", "is 0");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":1000}", "\"discount\" is 1000");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":100000000000001}}", "discount/fixed");
    refused("{\"v\":1,\"id\":{},\"discount\":{\"fixed\":1}}", "\"id\" is an object");
}


static void
test_lengths(void)
{
    char                 json[8192], error[ERROR];
    size_t               n;
    unsigned             i, count;
    commerce_campaign_t  c;

    for (count = 256; count <= 257; count++) {
        n = (size_t) snprintf(json, sizeof(json),
                              "{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1},\"skus\":[");

        for (i = 0; i < count; i++) {
            n += (size_t) snprintf(json + n, sizeof(json) - n, "%s\"s%u\"", i ? "," : "", i);
        }

        snprintf(json + n, sizeof(json) - n, "]}");
        is_int(parse(json, &c, error), count == 256 ? COMMERCE_OK : COMMERCE_ERROR,
               "%u SKUs", count);
    }

    is_str(commerce_cstr(error),
           "member \"skus\" is a list of 257; allowed is a list of 1 to 256 ids", "told");

    memset(json, 'x', 200);
    memcpy(json, "{\"v\":1,\"id\":\"", 13);
    memcpy(json + 200, "\",\"discount\":{\"fixed\":1}}", sizeof("\",\"discount\":{\"fixed\":1}}"));
    is_int(parse(json, &c, error), COMMERCE_ERROR, "an id of 187 bytes");
    ok(strstr(error, "x...\"; allowed") != NULL, "is shown in part");
}


/* everything that version 2 added, and what is refused of it */

#define NEWER(members)  "{\"v\":2,\"id\":\"a\",\"discount\":{\"fixed\":1}" members "}"
#define DISCOUNT(members)  "{\"v\":2,\"id\":\"a\",\"discount\":{" members "}}"
#define ZONED(members)  NEWER(",\"zone\":\"Asia/Shanghai\"" members)


static void
test_newer(void)
{
    char                 error[ERROR];
    commerce_campaign_t  c;

    is_int(parse("{\"v\":2,\"id\":\"a\",\"discount\":{\"thresholds\":[{\"minimum\":10000,\"off\":1000},"
                 "{\"off\":2500,\"minimum\":20000}]},\"hours\":[{\"days\":[\"sat\",\"sun\"],"
                 "\"from\":\"10:00\",\"until\":\"22:30\"},{\"until\":\"24:00\",\"from\":\"23:59\"}],"
                 "\"zone\":\"+08:00\",\"minimum_quantity\":2,\"categories\":[\"c\"],"
                 "\"stores\":[\"s\"],\"channels\":[\"7\"],\"rooms\":[\"r\"],\"groups\":[\"g\"],"
                 "\"sellers\":[\"x\",\"y\"],\"levels\":[\"gold\"],\"new_customers\":true,"
                 "\"limits\":{\"total\":1,\"user\":2,\"day\":3,\"user_day\":4,\"group\":5,\"seller\":6},"
                 "\"budgets\":{\"total\":7,\"user\":8,\"day\":9,\"user_day\":10,\"group\":11,"
                 "\"seller\":12},\"stacking\":{\"class\":\"red\",\"base\":\"initial\",\"limit\":3}}",
                 &c, error), COMMERCE_OK, "a file of version 2 (%s)", error);

    ok(c.step_count == 2 && c.steps[1].minimum == 20000 && c.steps[1].off == 2500, "thresholds");
    ok(c.hours_count == 2 && c.hours[0].days == 0x60 && c.hours[0].from == 600
       && c.hours[0].until == 1350, "hours of the weekend");
    ok(c.hours[1].days == 0x7f && c.hours[1].from == 1439 && c.hours[1].until == 1440,
       "a minute of each day");
    is_int(c.zone.offset, 28800, "zone");
    is_int(c.minimum_quantity, 2, "minimum quantity");
    is_str(c.scopes[COMMERCE_SCOPE_SELLER].ids[1], "y", "sellers");
    is_str(c.scopes[COMMERCE_SCOPE_LEVEL].ids[0], "gold", "levels");
    ok(c.new_customers, "new customers");
    ok(c.limits[5] == 6 && c.limits[0] == 1 && c.budgets[0] == 7 && c.budgets[5] == 12, "counts");
    ok(c.stack == COMMERCE_STACK_CLASS && c.base_initial && c.stack_limit == 3, "stacking");
    is_str(c.stack_class, "red", "class");

    is_int(parse(DISCOUNT("\"every\":{\"minimum\":100,\"off\":10},\"cap\":50"), &c, error),
           COMMERCE_OK, "every");
    ok(c.every.minimum == 100 && c.every.off == 10 && c.cap == 50, "its numbers");

    refused(CAMPAIGN(",\"zone\":\"UTC\""), "\"zone\" is unknown in version 1; it needs \"v\":2");
    refused(CAMPAIGN(",\"limits\":{\"day\":1}"), "\"limits/day\" is unknown in version 1");
    refused(CAMPAIGN(",\"until\":\"2026-11-01\""), "\"until\" is \"2026-11-01\"; allowed is a time");
    refused(NEWER(",\"zone\":\"Mars/Base\""), "not known here");
    refused(NEWER(",\"zone\":\"\""), "\"zone\" is \"\"");
    refused(NEWER(",\"zone\":\"+24:00\""), "not known here");
    refused(NEWER(",\"until\":\"2026-11-01\""), "\"zone\" is missing: dates");
    refused(NEWER(",\"hours\":[{}]"), "\"zone\" is missing: hours");
    refused(NEWER(",\"limits\":{\"day\":1}"), "\"zone\" is missing: limits by day");
    refused(NEWER(",\"budgets\":{\"user_day\":1}"), "\"zone\" is missing: limits by day");
    refused(ZONED(",\"from\":\"2026-11-02\",\"until\":\"2026-11-01\""), "allowed is a time after");
    refused(ZONED(",\"from\":\"2026-11-31\""), "or a date");
    refused(ZONED(",\"hours\":[]"), "\"hours\" is a list of 0");
    refused(ZONED(",\"hours\":[{\"days\":[]}]"), "\"hours/days\" is a list of 0");
    refused(ZONED(",\"hours\":[{\"days\":[\"Mon\"]}]"), "\"hours/days\" is \"Mon\"");
    refused(ZONED(",\"hours\":[{\"from\":\"24:01\"}]"), "\"hours/from\" is \"24:01\"");
    refused(ZONED(",\"hours\":[{\"from\":\"9:00\"}]"), "\"hours/from\" is \"9:00\"");
    refused(ZONED(",\"hours\":[{\"from\":\"22:00\",\"until\":\"02:00\"}]"), "a night is two windows");
    refused(ZONED(",\"hours\":[{\"from\":\"10:00\",\"until\":\"10:00\"}]"), "after \"from\"");
    refused(ZONED(",\"hours\":[{\"form\":\"10:00\"}]"), "nothing else");
    refused(NEWER(",\"channels\":[\"x\"]"), "a channel's number");
    refused(NEWER(",\"channels\":[7]"), "\"channels\" is 7");
    refused(NEWER(",\"minimum_quantity\":0"), "\"minimum_quantity\" is 0");
    refused(NEWER(",\"stacking\":{\"base\":\"first\"}"), "\"stacking/base\" is \"first\"");
    refused(NEWER(",\"stacking\":{\"limit\":9}"), "\"stacking/limit\" is 9");
    refused(NEWER(",\"budgets\":{\"total\":0}"), "\"budgets/total\" is 0");
    refused(DISCOUNT("\"thresholds\":[]"), "a list of 0");
    refused(DISCOUNT("\"thresholds\":[{\"minimum\":1}]"), "needs both");
    refused(DISCOUNT("\"thresholds\":[{\"minimum\":2,\"off\":1},{\"minimum\":2,\"off\":2}]"),
            "step 2 does not");
    refused(DISCOUNT("\"thresholds\":[{\"minimum\":2,\"off\":1},{\"minimum\":3,\"off\":1}]"),
            "step 2 does not");
    refused(DISCOUNT("\"every\":{\"minimum\":0,\"off\":1}"), "discount/every/minimum\" is 0");
    refused(DISCOUNT("\"every\":{\"minimum\":1,\"off\":1},\"fixed\":1"), "not several");
    refused(DISCOUNT("\"thresholds\":[{\"minimum\":2,\"off\":1}],\"cap\":1"), "discount/cap");

    is_int(parse(NEWER(",\"limit\":1,\"minimum_spend\":-1,\"enabled\":0"), &c, error), COMMERCE_ERROR,
           "three things are wrong");
    ok(strstr(error, "\"limit\" is unknown") != NULL && strstr(error, "\"minimum_spend\" is -1") != NULL
       && strstr(error, "\"enabled\" is 0") != NULL, "and all are told (%s)", error);
}


/* dates in their zone: the first second, and the first dead one */

static void
test_dates(void)
{
    char                 error[ERROR];
    unsigned             i;
    commerce_campaign_t  c;

    static const struct {
        const char  *zone, *from, *until;
        int64_t      first, dead;
    } cases[] = {
        /* the last day counts to its end: 2026-11-11T16:00:00Z is the first dead second */
        { "Asia/Shanghai", "2026-11-11", "2026-11-11", 1794326400, 1794412800 },
        { "+08:00", "2026-11-01", "2026-11-30", 1793462400, 1796054400 },
        { "UTC", "2026-11-01", "2026-11-01", 1793491200, 1793577600 },
        { "-03:30", "2026-11-01", "2026-11-01", 1793503800, 1793590200 },
        /* a day of 23 hours, and one of 25 */
        { "Europe/Nowhere", "2026-03-29", "2026-03-29", 1774738800, 1774821600 },
        { "Europe/Nowhere", "2026-10-25", "2026-10-25", 1792879200, 1792969200 },
        { "Europe/Nowhere", "2026-12-31", "2026-12-31", 1798671600, 1798758000 },
        { "Asia/Shanghai", "2028-02-29", "2028-02-29", 1835366400, 1835452800 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char  json[256];

        snprintf(json, sizeof(json), "{\"from\":\"%s\",\"until\":\"%s\",\"zone\":\"%s\",\"v\":2,"
                 "\"id\":\"a\",\"discount\":{\"fixed\":1}}", cases[i].from, cases[i].until,
                 cases[i].zone);

        is_int(parse(json, &c, error), COMMERCE_OK, "%s %s (%s)", cases[i].zone, cases[i].from,
               error);
        is_int(c.from, cases[i].first, "its first second");
        is_int(c.until, cases[i].dead, "the first dead one");
    }
}


/* what is written is read again, and gives the same */

static void
test_written(void)
{
    char                 error[ERROR], text[4096];
    unsigned             i;
    commerce_campaign_t  c;

    static const char *const  files[] = {
        "{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1000},\"enabled\":true}",
        "{\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":1500,\"cap\":5000},"
            "\"from\":\"2026-10-31T16:00:00Z\",\"until\":\"2026-11-30T16:00:00Z\","
            "\"minimum_spend\":9900,\"skus\":[\"A\",\"B\"],\"limits\":{\"total\":3,\"user\":1},"
            "\"promoter\":\"p\",\"holder\":\"required\",\"enabled\":false}",
        "{\"v\":2,\"id\":\"a\",\"discount\":{\"thresholds\":[{\"minimum\":100,\"off\":10},"
            "{\"minimum\":200,\"off\":25}]},\"zone\":\"Asia/Shanghai\",\"from\":\"2026-11-01\","
            "\"until\":\"2026-11-11\",\"hours\":[{\"days\":[\"tue\",\"sun\"],\"from\":\"08:05\","
            "\"until\":\"24:00\"},{\"from\":\"00:00\",\"until\":\"00:01\"}],\"minimum_spend\":1,"
            "\"minimum_quantity\":2,\"skus\":[\"1\"],\"categories\":[\"2\"],\"stores\":[\"3\"],"
            "\"channels\":[\"4\"],\"rooms\":[\"5\"],\"groups\":[\"6\"],\"sellers\":[\"7\"],"
            "\"levels\":[\"8\"],\"new_customers\":true,\"limits\":{\"day\":1,\"seller\":2},"
            "\"budgets\":{\"total\":1,\"user_day\":2},\"stacking\":{\"class\":\"x\",\"base\":\"initial\","
            "\"limit\":2},\"enabled\":true}",
        "{\"v\":2,\"id\":\"a\",\"discount\":{\"every\":{\"minimum\":100,\"off\":10},\"cap\":50},"
            "\"stacking\":{\"class\":\"exclusive\"},\"enabled\":true}",
        /* a time that is no midnight of the zone stays one; seconds that are, are dates */
        "{\"v\":2,\"id\":\"a\",\"discount\":{\"fixed\":1},\"zone\":\"Europe/Nowhere\","
            "\"from\":\"2026-03-29T00:00:00Z\",\"until\":\"2026-03-29\",\"enabled\":true}"
    };

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unsigned          n;
        int64_t           len;
        const char       *name;
        commerce_write_t  w;

        is_int(parse(files[i], &c, error), COMMERCE_OK, "file %u (%s)", i, error);

        snprintf(text, sizeof(text), "{");

        for (n = 0; n < commerce_campaign_member_count(&c); n++) {
            char  json[2048];

            commerce_write_start(&w, json, sizeof(json));
            name = commerce_campaign_member_write(&w, &c, n);
            len = commerce_write_finish(&w);
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"%s\":%.*s",
                     n ? "," : "", name, (int) len, json);
        }

        snprintf(text + strlen(text), sizeof(text) - strlen(text), "}");
        is_str(commerce_cstr(text), files[i], "and back");
        ok(commerce_campaign_member_write(&w, &c, n) == NULL, "and no more");
    }
}


static void
test_zone(void)
{
    unsigned         i;
    commerce_zone_t  zone;

    static const struct {
        int64_t   time;
        int32_t   day;
        unsigned  weekday, second;
    } cases[] = {
        { 0, 0, 3, 28800 },                     /* a Thursday, 08:00 */
        { -28801, -1, 2, 86399 },
        { -28800, 0, 3, 0 },
        { 57599, 0, 3, 86399 },
        { 57600, 1, 4, 0 },
        { 1794412799, 20768, 2, 86399 },        /* 2026-11-11, a Wednesday */
        { 1794412800, 20769, 3, 0 }
    };

    is_int(commerce_zone_fixed(commerce_string("Asia/Shanghai"), &zone), COMMERCE_OK, "Shanghai");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(commerce_zone_day(&zone, cases[i].time), cases[i].day, "day of %d", (int) i);
        is_int(commerce_zone_weekday(&zone, cases[i].time), cases[i].weekday, "weekday");
        is_int(commerce_zone_second(&zone, cases[i].time), cases[i].second, "second");
    }

    is_int(commerce_zone_day(&zone, COMMERCE_FOREVER), INT32_MAX, "for ever has no day");
    is_int(commerce_zone_day(&zone, INT64_MIN), INT32_MIN, "nor has what was before everything");

    nowhere(NULL, commerce_string("Europe/Nowhere"), &zone);
    is_int(commerce_zone_offset(&zone, 1774745999), 3600, "winter");
    is_int(commerce_zone_offset(&zone, 1774746000), 7200, "summer");
    is_int(commerce_zone_offset(&zone, 1792889999), 7200, "to its last second");
    is_int(commerce_zone_offset(&zone, 1792890000), 3600, "and winter");

    /* a clock that goes forward at midnight leaves it out: the day begins at one */

    zone = (commerce_zone_t) {
        commerce_string("Nowhere/South"), -10800,
        (commerce_zone_change_t[]) { { 20000 * 86400LL + 10800, -7200 } }, 1
    };
    is_int(commerce_zone_day_start(&zone, 20000), 20000 * 86400LL + 10800, "no midnight");
    is_int(commerce_zone_second(&zone, 20000 * 86400LL + 10800), 3600, "it is one");
    is_int(commerce_zone_day_start(&zone, 20001), 20001 * 86400LL + 7200, "the next day");
    is_int(commerce_zone_day_start(&zone, 19999), 19999 * 86400LL + 10800, "the day before");
}


static void
test_lint(void)
{
    char                 error[ERROR];
    unsigned             i, n;
    commerce_campaign_t  c;

#define GOOD  "\"v\":2,\"id\":\"a\",\"zone\":\"UTC\",\"until\":\"2030-01-01\""

    static const struct {
        const char  *file, *says;
    } cases[] = {
        { GOOD ",\"discount\":{\"fixed\":1},\"minimum_spend\":2", NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1}", NULL },
        { GOOD ",\"discount\":{\"percent\":1}", "without \"cap\"" },
        { GOOD ",\"discount\":{\"percent\":10000,\"cap\":1}", "free" },
        { GOOD ",\"discount\":{\"fixed\":2},\"minimum_spend\":2", "can become free" },
        { GOOD ",\"discount\":{\"every\":{\"minimum\":10,\"off\":1},\"cap\":9}", NULL },
        { GOOD ",\"discount\":{\"every\":{\"minimum\":10,\"off\":1}}", "has no \"cap\"" },
        { GOOD ",\"discount\":{\"every\":{\"minimum\":10,\"off\":10},\"cap\":99}", "becomes free" },
        { GOOD ",\"discount\":{\"every\":{\"minimum\":10,\"off\":5},\"cap\":4}", "nothing more" },
        { GOOD ",\"discount\":{\"thresholds\":[{\"minimum\":10,\"off\":1}]}", NULL },
        { GOOD ",\"discount\":{\"thresholds\":[{\"minimum\":10,\"off\":10}]}", "become free" },
        { GOOD ",\"discount\":{\"thresholds\":[{\"minimum\":10,\"off\":1},{\"minimum\":20,\"off\":2}]},"
          "\"minimum_spend\":20", "step 1 has no effect" },
        { GOOD ",\"discount\":{\"thresholds\":[{\"minimum\":10,\"off\":1}]},\"minimum_spend\":10",
          "\"minimum_spend\" has no effect" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"enabled\":false", "\"enabled\" is false" },
        { "\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":1,\"cap\":1}", "never ends" },
        { "\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":1,\"cap\":1},"
          "\"until\":\"2026-11-26T00:00:00Z\"", "has ended already" },
        { "\"v\":1,\"id\":\"a\",\"discount\":{\"percent\":1,\"cap\":1},"
          "\"until\":\"2026-11-26T00:00:01Z\"", NULL },
        { "\"v\":2,\"id\":\"a\",\"discount\":{\"percent\":1,\"cap\":1},\"zone\":\"Europe/Nowhere\","
          "\"until\":\"2050-01-01\"", "after 2050" },
        { GOOD ",\"from\":\"2030-01-01\",\"discount\":{\"percent\":1,\"cap\":1},"
          "\"hours\":[{\"days\":[\"wed\"]}]", "none of them comes" },
        { GOOD ",\"from\":\"2030-01-01\",\"discount\":{\"percent\":1,\"cap\":1},"
          "\"hours\":[{\"days\":[\"tue\"]}]", NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"limits\":{\"total\":2,\"user\":1}", NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"limits\":{\"total\":2,\"user\":2}",
          "\"limits/user\" has no effect: \"total\"" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"limits\":{\"day\":2,\"user_day\":3}",
          "\"limits/user_day\" has no effect: \"day\"" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"budgets\":{\"total\":9,\"seller\":9}",
          "\"budgets/seller\" has no effect" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":10},\"budgets\":{\"total\":9}", "below one full" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":10},\"budgets\":{\"total\":20},"
          "\"limits\":{\"total\":2}", "ends it before" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":10},\"budgets\":{\"total\":19},"
          "\"limits\":{\"total\":2}", NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"new_customers\":true", "without a limit of 1" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"new_customers\":true,\"limits\":{\"user\":1}",
          NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"skus\":[\"x\",\"x\"]", "\"x\" twice" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"sellers\":[\"x\"]", "without \"promoter\"" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"sellers\":[\"x\"],\"promoter\":\"y\"",
          "not among" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"sellers\":[\"x\"],\"promoter\":\"x\"", NULL },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"stacking\":{\"class\":\"exclusive\","
          "\"limit\":1}", "stands alone" },
        { GOOD ",\"discount\":{\"percent\":1,\"cap\":1},\"stacking\":{\"limit\":1}", "is what" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char  json[1024];

        snprintf(json, sizeof(json), "{%s}", cases[i].file);
        is_int(parse(json, &c, error), COMMERCE_OK, "lint %u (%s)", i, error);

        n = commerce_campaign_lint(&c, 1795651200, say, error);    /* 2026-11-26T00:00:00Z */

        is_int(n, cases[i].says != NULL, "lint %u: so many sentences (%s)", i, error);
        ok(strstr(error, cases[i].says != NULL ? cases[i].says : "") != NULL, "lint %u: %s", i,
           cases[i].says != NULL ? cases[i].says : "nothing");
    }

    is_int(parse("{" GOOD ",\"discount\":{\"percent\":1},\"budgets\":{\"total\":1}}", &c, error),
           COMMERCE_OK, "is allowed");
    is_int(commerce_campaign_lint(&c, 0, say, error), 2, "but two things are said");
    ok(strstr(error, "name no amounts are refused") != NULL, "one of the budget");
}


static void
test_time(void)
{
    char             out[32];
    unsigned         i;
    commerce_time_t  t;

    static const struct {
        const char  *text;
        int64_t      time;
        const char  *back;
    } good[] = {
        { "2026-11-01T00:00:00+08:00", 1793462400, "2026-10-31T16:00:00Z" },
        { "2026-11-11T23:59:59+08:00", 1794412799, "2026-11-11T15:59:59Z" },
        { "2000-02-29T12:34:56Z", 951827696, "2000-02-29T12:34:56Z" },
        { "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z" },
        { "1969-12-31T23:59:59Z", -1, "1969-12-31T23:59:59Z" },
        { "0001-01-01T00:00:00Z", -62135596800, "0001-01-01T00:00:00Z" },
        { "0000-02-29T00:00:00Z", -62162121600, "0000-02-29T00:00:00Z" },
        { "9999-12-31T23:59:59Z", 253402300799, "9999-12-31T23:59:59Z" },
        { "2026-03-01T00:00:00-05:30", 1772343000, "2026-03-01T05:30:00Z" },
        { "2100-03-01T00:00:00Z", 4107542400, "2100-03-01T00:00:00Z" },
        { "2024-12-31T00:00:00+00:00", 1735603200, "2024-12-31T00:00:00Z" }
    };

    static const char *const  bad[] = {
        "", "2026", "2026-11-01", "2026-11-01T00:00:00", "2026-11-01T00:00:00z",
        "2026-11-01t00:00:00Z", "2026-11-01 00:00:00Z", "2026-11-01T00:00:00+0800",
        "2026-11-01T00:00:00+08", "2026-11-01T00:00:00.5Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-31T00:00:00Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-11-01T24:00:00Z",
        "2026-11-01T00:60:00Z", "2026-11-01T00:00:60Z", "2026-11-01T00:00:00+24:00",
        "2026-11-01T00:00:00+08:60", "2026-11-01T00:00:00-00:00", "+026-11-01T00:00:00Z",
        "2026-11-01T00:00:00Z ", " 2026-11-01T00:00:00Z", "2026-11-01T00:00:0aZ",
        "2026-11-01T00:00:00Z08:00", "2026-11-01T00:00:00+-8:00"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        t = 77;
        is_int(commerce_time_parse(commerce_cstr(good[i].text), &t), COMMERCE_OK, "%s",
               good[i].text);
        is_int(t, good[i].time, "its seconds");
        commerce_time_format(t, out);
        is_str(commerce_cstr(out), good[i].back, "and back");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(commerce_time_parse(commerce_cstr(bad[i]), &t), COMMERCE_ERROR, "\"%s\"", bad[i]);
    }

    commerce_time_format(COMMERCE_FOREVER, out);
    is_str(commerce_cstr(out), "9999-12-31T23:59:59Z", "for ever");
    commerce_time_format(INT64_MIN, out);
    is_str(commerce_cstr(out), "0000-01-01T00:00:00Z", "before everything");

    for (i = 0, t = -62167219200LL; t <= 253402300799LL; t += 86399LL * 17, i++) {
        commerce_time_t  back;

        commerce_time_format(t, out);

        if (commerce_time_parse(commerce_cstr(out), &back) != COMMERCE_OK || back != t) {
            break;
        }
    }

    ok(t > 253402300799LL, "%u times come back as they went", i);
}


int
main(void)
{
    heap = commerce_heap_create();

    test_complete();
    test_refused();
    test_lengths();
    test_newer();
    test_dates();
    test_written();
    test_zone();
    test_lint();
    test_time();

    commerce_heap_destroy(heap);

    return done_testing();
}
