/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_campaign.h"


static commerce_heap_t  *heap;


static int
parse(const char *json, commerce_campaign_t *campaign, char error[256])
{
    error[0] = '\0';
    return commerce_campaign_parse(commerce_heap_arena(heap), commerce_cstr(json), campaign,
                                   error, 256);
}


static void
refused(const char *json, const char *sentence)
{
    char                 error[256];
    commerce_campaign_t  campaign;

    ok(parse(json, &campaign, error) == COMMERCE_ERROR, "refused: %s", sentence);
    ok(strstr(error, sentence) != NULL, "... and told so (%s)", error);
}


#define CAMPAIGN(members)  "{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1}" members "}"


static void
test_complete(void)
{
    char                 error[256];
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
    is_int(c.sku_count, 2, "SKUs");
    is_str(c.skus[1], "A-2", "second SKU");
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
    is_int(c.sku_count, 0, "all SKUs");
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
    refused("{\"v\":2,\"id\":\"a\",\"discount\":{\"fixed\":1}}", "\"v\" is 2; allowed is 1");
    refused("{\"v\":\"1\",\"id\":\"a\",\"discount\":{\"fixed\":1}}",
            "\"v\" is \"1\"; allowed is 1");
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
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{}}", "one of \"fixed\" and \"percent\"");
    refused("{\"v\":1,\"id\":\"a\",\"discount\":{\"fixed\":1,\"percent\":1}}", "not both");
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
    char                 json[8192], error[256], small[16];
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
           "member \"skus\" is a list of 257; allowed is a list of 1 to 256 SKUs", "told");

    memset(json, 'x', 200);
    memcpy(json, "{\"v\":1,\"id\":\"", 13);
    memcpy(json + 200, "\",\"discount\":{\"fixed\":1}}", sizeof("\",\"discount\":{\"fixed\":1}}"));
    is_int(parse(json, &c, error), COMMERCE_ERROR, "an id of 187 bytes");
    ok(strstr(error, "x...\"; allowed") != NULL, "is shown in part");

    is_int(commerce_campaign_parse(commerce_heap_arena(heap), commerce_string("{}"), &c, small,
                                   sizeof(small)), COMMERCE_ERROR, "a small error buffer");
    is_int((int64_t) strlen(small), 15, "is not overrun");
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
    test_time();

    commerce_heap_destroy(heap);

    return done_testing();
}
