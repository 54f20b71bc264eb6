/*
 * Copyright (C) ngx_commerce authors
 */

#include "record_kit.h"


static void
test_codec(void)
{
    unsigned            i;
    commerce_str_t      bytes;
    commerce_encoder_t  e;
    commerce_decoder_t  d;

    static const int64_t  numbers[] = {
        0, 1, -1, 63, 64, -64, -65, 127, 128, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
    };

    commerce_encode_start(&e, commerce_heap_arena(heap), 512);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        commerce_encode_signed(&e, numbers[i]);
        commerce_encode_varint(&e, (uint64_t) numbers[i]);
        commerce_encode_u64(&e, (uint64_t) numbers[i]);
    }

    commerce_encode_text(&e, S("text"));
    bytes = commerce_encode_finish(&e);
    commerce_decode_start(&d, bytes);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ok(commerce_decode_signed(&d) == numbers[i]
           && commerce_decode_varint(&d, UINT64_MAX) == (uint64_t) numbers[i]
           && commerce_load_u64(commerce_decode_bytes(&d, 8)) == (uint64_t) numbers[i],
           "%" PRId64, numbers[i]);
    }

    is_str(commerce_decode_text(&d), "text", "text");
    is_int(commerce_decode_finish(&d), COMMERCE_OK, "all of it");

    /* format 1, 300 as 0xac 0x02, -1 as 1: these bytes are the contract between generations */

    commerce_decode_start(&d, S("\1\254\2\1\2ab"));
    is_int((int64_t) commerce_decode_varint(&d, 300), 300, "300");
    is_int(commerce_decode_signed(&d), -1, "-1");
    is_str(commerce_decode_text(&d), "ab", "ab");
    is_int(commerce_decode_finish(&d), COMMERCE_OK, "well formed");

    commerce_decode_start(&d, S("\2\1"));
    is_int(d.format, 2, "a newer format");
    is_int((int64_t) commerce_decode_varint(&d, 1), 1, "is read");
    commerce_decode_start(&d, S("\3\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "a format that is too new");
    commerce_decode_start(&d, S("\0\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "no format");
    commerce_decode_start(&d, S(""));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "nothing");
    commerce_decode_start(&d, (commerce_str_t) { NULL, 0 });
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "no record");
    commerce_decode_start(&d, S("\1\377\377\377\377\377\377\377\377\377\2"));
    is_int((int64_t) commerce_decode_varint(&d, UINT64_MAX), 0, "a varint beyond 64 bits");
    ok(d.failed, "fails");
    commerce_decode_start(&d, S("\1\200\200\200\200\200\200\200\200\200\200\0"));
    commerce_decode_varint(&d, UINT64_MAX);
    ok(d.failed, "a varint without end");
    commerce_decode_start(&d, S("\1\254\2"));
    commerce_decode_varint(&d, 299);
    ok(d.failed, "a varint above its maximum");
    commerce_decode_start(&d, S("\1\5abcd"));
    is_str(commerce_decode_text(&d), "", "a text beyond the end");
    ok(d.failed && commerce_decode_signed(&d) == 0, "fails, and gives zeros from there");
    commerce_decode_start(&d, S("\1\1"));
    is_int(commerce_decode_finish(&d), COMMERCE_ERROR, "bytes left over");

    commerce_encode_start(&e, commerce_heap_arena(heap), 8);
    commerce_encode_varint(&e, 1);
    commerce_encode_format(&e, 2);
    commerce_encode_format(&e, 1);
    commerce_encode_varint(&e, 2);
    bytes = commerce_encode_finish(&e);
    ok(bytes.len == 3 && memcmp(bytes.data, "\2\1\2", 3) == 0, "the format that its fields need");

    commerce_encode_start(&e, commerce_heap_arena(heap), 3);
    commerce_encode_u32(&e, 1);
    ok(commerce_encode_finish(&e).data == NULL, "no room");
}


static void
test_keys(void)
{
    char             user[COMMERCE_ID_MAX], key[COMMERCE_ID_MAX], expect[600];
    commerce_path_t  a, b;

    commerce_path_number(&a, shop, 'p', 0x1234567890, 10);
    is_str(commerce_path_str(&a), "demo/p/1234567890", "person");
    commerce_path_number(&a, shop, 'p', 0x12345678901, 10);
    ok(a.bad, "a number that does not fit");
    commerce_path_coupon(&a, shop, 5, 0x3fffffff);
    is_str(commerce_path_str(&a), "demo/c/0005/3fffffff", "coupon");
    commerce_path_order(&a, shop, S("u"), S("k"));
    is_str(commerce_path_str(&a), "demo/o/u\x1fk", "order");
    commerce_path_order(&a, shop, S(""), S("k"));
    is_str(commerce_path_str(&a), "demo/o/\x1fk", "order of nobody");
    commerce_path_order(&a, shop, S("u"), S(""));
    ok(a.bad, "no key");
    commerce_path_order(&a, shop, S("u\x1fk"), S("x"));
    ok(a.bad, "a separator in the user");
    commerce_path_order(&a, shop, S("u"), S("k\x1fx"));
    ok(a.bad, "a separator in the key");
    commerce_path_order(&a, shop, S("a"), S("bc"));
    commerce_path_order(&b, shop, S("ab"), S("c"));
    ok(!commerce_equal(commerce_path_str(&a), commerce_path_str(&b)), "parts stay apart");
    commerce_path_due(&a, shop, 255, S("u"), S("k"));
    is_str(commerce_path_str(&a), "demo/d/00000000000000ff/u\x1fk", "due");
    commerce_path_counter(&a, shop, 10, COMMERCE_COUNT_USER, false, 0, S("u"));
    is_str(commerce_path_str(&a), "demo/n/v/000a/u", "uses of a user");
    is_str(commerce_counter_total(reader.arena, shop, 10), "demo/n/t/000a", "uses");
    is_str(commerce_counter_doubt(reader.arena, shop), "demo/n/doubt", "in doubt");
    is_str(commerce_record_prefix(reader.arena, shop, 'o'), "demo/o/", "prefix");

    memset(user, 'u', sizeof(user));
    memset(key, 'k', sizeof(key));
    snprintf(expect, sizeof(expect), "%.*s/d/7fffffffffffffff/%.*s\x1f%.*s", 32,
             "0123456789abcdef0123456789abcdef", 128, user, 128, key);
    commerce_path_due(&a, S("0123456789abcdef0123456789abcdef"), INT64_MAX,
                      (commerce_str_t) { user, 128 }, (commerce_str_t) { key, 128 });
    ok(!a.bad && commerce_equal(commerce_path_str(&a), commerce_cstr(expect)), "the longest key");
    commerce_path_text(&a, shop, 'P', (commerce_str_t) { expect, 474 });
    ok(a.bad, "a part that is too long");
}


static void
test_campaign_coupon(void)
{
    uint64_t             version;
    commerce_coupon_t    k, l;
    commerce_campaign_t  c, d;

    c = campaign();
    k = (commerce_coupon_t) {
        16383, (1 << 30) - 1, COMMERCE_COUPON_REDEEMED, S("holder"), S("u"), S("key"), S("by"),
        12345, 3, { 0 }, 1800000000, 1800604800, 1099511627775, S("till 4/17")
    };

    restart();
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign and a coupon");

    is_int(commerce_campaign_find(&reader, S("autumn"), &d, &version), COMMERCE_OK, "campaign");
    ok(d.number == 16383 && d.percent == 1500 && d.fixed == 0 && d.cap == 5000 && d.from == -7
       && d.until == COMMERCE_FOREVER && d.minimum_spend == 9900 && d.limits[0] == 1000
       && d.limits[1] == 0 && d.promoter == 1099511627775 && d.holder_required
       && d.enabled && d.minted == 1U << 30 && d.scopes[COMMERCE_SCOPE_SKU].count == 2, "its numbers");
    is_str(d.scopes[COMMERCE_SCOPE_SKU].ids[1], "B-2", "its SKUs");
    is_str(d.promoter_id, "amy", "its promoter");

    is_int(commerce_coupon_read(&reader, 16383, (1 << 30) - 1, &l, &version), COMMERCE_OK,
           "coupon");
    ok(l.state == k.state && l.changed == 12345 && l.cycles == 3 && l.campaign == 16383, "numbers");
    is_str(l.holder, "holder", "holder");
    is_str(l.order_user, "u", "order's user");
    is_str(l.order_key, "key", "order's key");
    is_str(l.used_by, "by", "used by");
    ok(l.claimed == k.claimed && l.expires == k.expires && l.seller == k.seller, "claim");
    is_str(l.request, "till 4/17", "redeemed in a shop");
    is_int(commerce_coupon_read(&reader, 16383, 1, &l, &version), COMMERCE_ABSENT, "untouched");
    ok(l.campaign == 16383 && l.serial == 1 && l.state == COMMERCE_COUPON_ISSUED && version == 0,
       "is an issued one");

    restart();
    c.number = 16384;
    commerce_campaign_write(&txn, shop, &c, 0);
    ok(txn.failed, "a number of 15 bits");
    restart();
    k.holder.len = COMMERCE_ID_MAX + 1;
    k.holder.data = commerce_alloc(reader.arena, k.holder.len);
    commerce_coupon_write(&txn, shop, &k, 0);
    ok(txn.failed, "a text that no reader would take");
}


static void
clear_rules(commerce_campaign_t *c)
{
    commerce_campaign_t  plain = campaign();

    memcpy(c->scopes, plain.scopes, sizeof(plain.scopes));
    memset(&c->every, 0, sizeof(c->every));
    c->step_count = c->hours_count = c->stack_limit = 0;
    c->minimum_quantity = 0;
    c->new_customers = c->base_initial = false;
    c->stack = COMMERCE_STACK_ANY;
    c->stack_class = S("");
}


/* what format 2 added: only where it says something */

static void
test_counts(void)
{
    unsigned             i;
    uint64_t             version;
    commerce_str_t       key, value;
    commerce_coupon_t    k, l;
    commerce_campaign_t  c, d;

    static commerce_zone_change_t  changes[2] = { { 1800000000, 7200 }, { 1900000000, -3600 } };

    c = campaign();
    c.number = 77;
    c.id = S("counted");
    c.zone = (commerce_zone_t) { S("Europe/Nowhere"), 3600, changes, 2 };

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        c.limits[i] = i + 1;
        c.budgets[i] = INT64_MAX - i;
    }

    memset(&k, 0, sizeof(k));
    k.campaign = 77;
    k.state = COMMERCE_COUPON_RESERVED;
    k.counted = (commerce_counted_t) {
        1U << COMMERCE_COUNT_DAY, 1U << COMMERCE_COUNT_SELLER, -1, S("g"), S("s"), 12345
    };

    restart();
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign with every limit, a use counted by some");

    is_int(commerce_campaign_read(&reader, 77, &d, &version), COMMERCE_OK, "the campaign");
    ok(memcmp(d.limits, c.limits, sizeof(c.limits)) == 0, "its limits");
    ok(memcmp(d.budgets, c.budgets, sizeof(c.budgets)) == 0, "its budgets");
    is_str(d.zone.name, "Europe/Nowhere", "its zone");
    ok(d.zone.offset == 3600 && d.zone.count == 2, "offset and changes");
    ok(d.zone.changes[1].from == 1900000000 && d.zone.changes[1].offset == -3600, "the last one");

    is_int(commerce_coupon_read(&reader, 77, 0, &l, &version), COMMERCE_OK, "the coupon");
    ok(l.counted.uses == k.counted.uses && l.counted.money == k.counted.money
       && l.counted.day == -1 && l.counted.discount == 12345, "what it was counted against");
    is_str(l.counted.group, "g", "group");
    is_str(l.counted.seller, "s", "seller");

    restart();
    fill_rules(&c);
    c.number = 79;
    c.id = S("rules");
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "a campaign with every rule");
    is_int(commerce_campaign_read(&reader, 79, &d, &version), COMMERCE_OK, "read again");
    ok(d.step_count == 2 && d.steps[1].minimum == COMMERCE_FEN_MAX && d.steps[1].off == 2, "steps");
    ok(d.every.minimum == 3 && d.every.off == 4, "every");
    ok(d.hours_count == 2 && d.hours[1].days == 0x41 && d.hours[1].from == 1 && d.hours[1].until == 1440,
       "hours");
    ok(d.minimum_quantity == 1000000 && d.new_customers && d.base_initial && d.stack_limit == 8
       && d.stack == COMMERCE_STACK_CLASS, "numbers");
    is_str(d.stack_class, "red", "class");

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        ok(d.scopes[i].count == i + 1, "%s: how many", commerce_scope_name(i));
        is_str(d.scopes[i].ids[i], "last", "the last one");
    }

    restart();
    c.number = 80;
    c.every.minimum = 0;
    c.id = S("divides");
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "one that would divide by zero");
    is_int(commerce_campaign_read(&reader, 80, &d, &version), COMMERCE_ERROR, "is not read");
    restart();
    c.step_count = COMMERCE_CAMPAIGN_STEPS + 1;
    commerce_campaign_write(&txn, shop, &c, 0);
    ok(txn.failed, "too many steps are not written");

    restart();
    clear_rules(&c);
    memset(c.budgets, 0, sizeof(c.budgets));
    memset(&c.limits[COMMERCE_COUNT_DAY], 0, sizeof(c.limits) - 2 * sizeof(c.limits[0]));
    memset(&c.zone, 0, sizeof(c.zone));
    c.number = 78;
    c.id = S("plain");
    k.serial = 1;
    memset(&k.counted, 0, sizeof(k.counted));
    commerce_campaign_write(&txn, shop, &c, 0);
    commerce_coupon_write(&txn, shop, &k, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the same without");

    key = S("demo/k/004e");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 1, "a campaign of total and user limits is of format 1");

    restart();
    c.number = 81;
    c.id = S("closed");
    c.closed = 1800000000;
    commerce_campaign_write(&txn, shop, &c, 0);
    is_int(apply(), COMMERCE_TXN_APPLIED, "the same, closed");
    is_int(commerce_campaign_read(&reader, 81, &d, &version), COMMERCE_OK, "read again");
    ok(d.closed == 1800000000 && d.limits[COMMERCE_COUNT_USER] == c.limits[COMMERCE_COUNT_USER], "and still so");
    key = S("demo/k/0051");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 3, "is of format 3: who does not know of it must not read it");
    key = S("demo/c/004d/00000001");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 1, "so is a coupon that is counted by them");
    key = S("demo/c/004d/00000000");
    commerce_view_get(reader.view, key, &value, &version);
    is_int(value.data[0], 2, "the other one is of format 2");
}


int
main(void)
{
    static void (*const  tests[])(void) = {
        test_codec,
        test_keys,
        test_campaign_coupon,
        test_counts
    };

    return record_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
