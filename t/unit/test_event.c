/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_conduct.h"
#include "commerce_event.h"
#include "store/commerce_store.h"


#define S  commerce_string

static commerce_event_source_t  source;


static void
test_id(void)
{
    char      id[COMMERCE_EVENT_ID], seen[2000][COMMERCE_EVENT_ID];
    bool      well;
    unsigned  i, j, same;

    /* 1780000000123456 us: 0x019e7044887b ms, 456 us = 0x74b of 4096 */

    is_int(commerce_event_id(&source, 1780000000123456, id), COMMERCE_OK, "an id");
    is_str(((commerce_str_t) { id, 18 }), "019e7044-887b-774b", "time and version 7");
    ok(strchr("89ab", id[19]) != NULL && id[18] == '-' && id[23] == '-', "variant");

    commerce_event_id(&source, 0, id);
    is_str(((commerce_str_t) { id, 18 }), "00000000-0000-7000", "the first moment");
    commerce_event_id(&source, 999, id);
    is_str(((commerce_str_t) { id, 18 }), "00000000-0000-7ffb", "the last one of its millisecond");
    is_int(commerce_event_id(&source, -1, id), COMMERCE_ERROR, "before 1970");

    for (i = 0, well = true, same = 0; i < 2000; i++) {
        well = well && commerce_event_id(&source, 1780000000123456, seen[i]) == COMMERCE_OK;

        for (j = 0; j < i; j++) {
            same += memcmp(seen[i], seen[j], COMMERCE_EVENT_ID) == 0;
        }

        for (j = 0; j < COMMERCE_EVENT_ID; j++) {
            well = well && strchr("0123456789abcdef-", seen[i][j]) != NULL;
        }
    }

    ok(well, "2000 ids are well formed");
    is_int(same, 0, "and distinct");
}


static void
test_body(void)
{
    char              buffer[512] = { 0 }, small[64], expect[512] = { 0 };
    commerce_str_t    body, again;
    commerce_write_t  w;

    commerce_event_start(&w, buffer, sizeof(buffer), &source, "order", S("demo"),
                         1780000000123456);
    commerce_write_text(&w, "order_key", S("k1"));
    commerce_write_text(&w, "state", S("placed"));
    body = commerce_event_finish(&w);

    snprintf(expect, sizeof(expect),
             "{\"v\":1,\"id\":\"%.36s\",\"type\":\"order\",\"ts\":1780000000123456,"
             "\"shop\":\"demo\",\"order_key\":\"k1\",\"state\":\"placed\","
             "\"fp\":\"4d4eab75899d87f8\"}", buffer + 13);
    is_str(body, expect, "a body");

    commerce_event_start(&w, expect, sizeof(expect), &source, "order", S("demo"), 1);
    commerce_write_text(&w, "order_key", S("k1"));
    commerce_write_text(&w, "state", S("placed"));
    again = commerce_event_finish(&w);
    ok(memcmp(body.data + body.len - 18, again.data + again.len - 18, 18) == 0,
       "said at another time: the same fp");

    commerce_event_start(&w, buffer, sizeof(buffer), &source, "config", S("demo"), 1);
    body = commerce_event_finish(&w);
    ok(strstr(buffer, "\"shop\":\"demo\",\"fp\":\"f8bb92c91b3f5cc0\"}") != NULL,
       "no members: the hash of nothing");

    /* a value must not be able to move the place where the members begin */

    commerce_event_start(&w, buffer, sizeof(buffer), &source, "visit", S("demo"), 1);
    commerce_write_text(&w, "uri", S(",\"shop\":\"x\""));
    body = commerce_event_finish(&w);
    ok(body.len != 0 && strstr(buffer, ",\\\"shop\\\"") != NULL, "a hostile value");

    commerce_event_start(&w, small, sizeof(small), &source, "visit", S("demo"), 1);
    is_int((int64_t) commerce_event_finish(&w).len, 0, "does not fit");
    commerce_event_start(&w, buffer, sizeof(buffer), &source, "visit", S("demo"), 1);
    commerce_write_open(&w, "list", '[');
    is_int((int64_t) commerce_event_finish(&w).len, 0, "not closed");
    is_int(commerce_event_start(&w, buffer, sizeof(buffer), &source, "visit", S("demo"), -1),
           COMMERCE_ERROR, "no time");
    is_int((int64_t) commerce_event_finish(&w).len, 0, "no body");
}


static void
order(commerce_order_t *o, commerce_line_t *lines)
{
    memset(o, 0, sizeof(*o));

    lines[0] = (commerce_line_t) { S("A"), 1, 9999, 1500, 0, { 0, 0 } };
    lines[1] = (commerce_line_t) { S("B"), 2, -1, 500, -1, { 0, 0 } };

    o->user = S("openid-of-somebody");
    o->key = S("k\"1");
    o->state = COMMERCE_ORDER_PLACED;
    o->pseudonym = S("k1:aa");
    o->claimed = 13333;
    o->discount = 2000;
    o->payable = -1;
    o->reason = COMMERCE_R(ATTR_OK);
    o->policy = 255;
    o->doubt = COMMERCE_DOUBT_UNKNOWN | COMMERCE_DOUBT_AMOUNT;
    o->lines = lines;
    o->line_count = 2;
    o->credits[0] = (commerce_credit_t) {
        .source = COMMERCE_SOURCE_SHARE, .seller = 1, .tier2 = 2, .seller_id = S("amy"), .tier2_id = S("bob"),
        .group_id = S("g1"), .room_id = S("r1"), .channel = 12, .touched = 5
    };
    o->credits[1] = (commerce_credit_t) { .source = COMMERCE_SOURCE_GROUP, .seller = 3,
        .seller_id = S("carl"), .contributor = true };
    o->credit_count = 2;
    o->coupons[0] = (commerce_order_coupon_t) {
        .campaign = 1, .serial = 7, .campaign_id = S("autumn"), .discount = 2000, .use = COMMERCE_USE_RESERVED
    };
    o->coupon_count = 1;
}


static void
test_order(void)
{
    char              buffer[4096] = { 0 };
    size_t            size;
    const char       *members;
    commerce_str_t    body;
    commerce_line_t   lines[2];
    commerce_order_t  o;
    commerce_write_t  w;

    order(&o, lines);
    size = commerce_event_order_size(&o);
    ok(size < sizeof(buffer), "%zu bytes for a small order", size);

    commerce_event_start(&w, buffer, size, &source, "order", S("demo"), 1780000000123456);
    commerce_event_write_order(&w, &o);
    body = commerce_event_finish(&w);
    members = strstr(buffer, "\"shop\":\"demo\",") + strlen("\"shop\":\"demo\",");

    is_str(((commerce_str_t) { members, body.len - (size_t) (members - buffer) }),
        "\"order_key\":\"k\\\"1\",\"state\":\"placed\",\"buyer\":\"k1:aa\",\"claimed\":13333,"
        "\"discount\":2000,\"payable\":null,\"lines\":[{\"sku\":\"A\",\"quantity\":1,"
        "\"amount\":9999,\"discount\":1500,\"seller\":\"amy\",\"tier2\":\"bob\","
        "\"source\":\"share\"},{\"sku\":\"B\",\"quantity\":2,\"amount\":null,\"discount\":500,"
        "\"source\":\"house\"}],\"seller\":\"amy\",\"tier2\":\"bob\",\"group\":\"g1\","
        "\"room\":\"r1\",\"channel\":\"12\",\"field\":\"private\",\"origin\":\"private\",\"source\":\"share\",\"contributors\":"
        "[{\"seller\":\"carl\",\"source\":\"group\"}],\"coupons\":[{\"campaign\":\"autumn\","
        "\"serial\":7,\"discount\":2000,\"use\":\"reserved\"}],\"doubt\":[\"unknown\",\"amount\"],"
        "\"attribution\":\"ATTR_OK\",\"policy\":\"00000000000000ff\","
        "\"fp\":\"905ce2706f6e3c1d\"}", "an order's members");
    ok(strstr(buffer, "openid") == NULL, "no user");

    memset(&o, 0, sizeof(o));
    o.key = S("k");
    o.payable = o.claimed = -1;
    commerce_event_start(&w, buffer, commerce_event_order_size(&o), &source, "order", S("demo"), 1);
    commerce_event_write_order(&w, &o);
    body = commerce_event_finish(&w);
    members = strstr(buffer, "\"order_key\"");
    ok(strncmp(members, "\"order_key\":\"k\",\"state\":\"pending\",\"claimed\":null,"
               "\"discount\":0,\"payable\":null,\"source\":\"house\",", 90) == 0,
       "an order of the house without lines");
}


/* the size is a bound whatever the texts are */

static void
test_largest(void)
{
    char             *buffer, text[COMMERCE_ID_MAX];
    unsigned          i, kind;
    size_t            size;
    commerce_str_t    id = { text, sizeof(text) }, body;
    commerce_line_t   lines[COMMERCE_LINES_MAX];
    commerce_order_t  o;
    commerce_write_t  w;

    for (kind = 0; kind < 3; kind++) {
        memset(text, "\"\1\377"[kind], sizeof(text));
        memset(&o, 0, sizeof(o));

        o.key = o.id = o.pseudonym = id;
        o.claimed = o.discount = o.payable = INT64_MAX;
        o.policy = UINT64_MAX;
        o.doubt = 3;
        o.conduct = o.conduct_denied = COMMERCE_CONDUCT_ALL;
        o.reason = COMMERCE_R(BUDGET_EXCEEDED_BY_NOTICE);
        o.lines = lines;
        o.line_count = COMMERCE_LINES_MAX;
        o.credit_count = COMMERCE_CREDITS_MAX;
        o.coupon_count = COMMERCE_COUPONS_MAX;

        for (i = 0; i < COMMERCE_LINES_MAX; i++) {
            lines[i] = (commerce_line_t) { id, INT64_MIN, INT64_MAX, INT64_MIN, (int) i % 8, { 0, 0 } };
        }

        for (i = 0; i < COMMERCE_CREDITS_MAX; i++) {
            o.credits[i] = (commerce_credit_t) {
                .source = COMMERCE_SOURCE_PROTECTED, .seller = 1, .tier2 = 1, .seller_id = id, .tier2_id = id,
                .group_id = id, .room_id = id, .channel = UINT32_MAX, .channel_id = id, .platform = id,
                .field = COMMERCE_FIELD_PUBLIC_COMMERCE, .origin = COMMERCE_ORIGIN_PRIVATE, .touched = INT64_MIN,
                .contributor = i != 0, .assist = i == 1
            };
        }

        for (i = 0; i < COMMERCE_COUPONS_MAX; i++) {
            o.coupons[i] = (commerce_order_coupon_t) {
                .campaign = 1, .serial = UINT32_MAX, .campaign_id = id, .discount = INT64_MAX,
                .use = COMMERCE_USE_ROLLED_BACK
            };
        }

        size = commerce_event_order_size(&o);
        buffer = malloc(size);
        commerce_event_start(&w, buffer, size, &source, "order",
                             S("0123456789abcdef0123456789abcdef"), INT64_MAX);
        commerce_event_write_order(&w, &o);
        commerce_write_text(&w, "reason", commerce_reason(o.reason)->name);
        body = commerce_event_finish(&w);
        ok(body.len != 0, "an order of the largest kind: %zu of %zu bytes", body.len, size);
        ok(kind != 0 || body.len < COMMERCE_VALUE_MAX, "of ids: goes through the outbox");
        free(buffer);
    }
}


int
main(void)
{
    test_id();
    test_body();
    test_order();
    test_largest();

    return done_testing();
}
