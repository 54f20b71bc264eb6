/*
 * Copyright (C) ngx_commerce authors
 */

#include "record_kit.h"


/* reads everything that a decoder gave: a sanitizer sees strings that lead nowhere */

static void
use_order(const commerce_order_t *o)
{
    unsigned  i;

    touch(o->user);
    touch(o->key);
    touch(o->id);
    touch(o->pseudonym);

    for (i = 0; i < o->line_count; i++) {
        touch(o->lines[i].sku);

        if (o->lines[i].credit >= 0) {
            touch(o->credits[o->lines[i].credit].seller_id);
        }
    }

    for (i = 0; i < o->credit_count; i++) {
        touch(o->credits[i].tier2_id);
        touch(o->credits[i].room_id);
        touch(commerce_cstr(commerce_source_name(o->credits[i].source)));
    }

    for (i = 0; i < o->coupon_count; i++) {
        touch(o->coupons[i].campaign_id);
    }
}


static int
decode(char kind, commerce_str_t value)
{
    int                  rc;
    unsigned             i;
    commerce_order_t     o;
    commerce_person_t    p;
    commerce_coupon_t    k;
    commerce_campaign_t  c;
    commerce_heap_t     *scratch;

    scratch = commerce_heap_create();

    switch (kind) {

    case 'p':
        rc = commerce_person_decode(commerce_heap_arena(scratch), value, &p);
        touch(p.id);
        touch(p.user);
        touch(commerce_cstr(commerce_role_name(p.role)));
        break;

    case 'c':
        rc = commerce_coupon_decode(commerce_heap_arena(scratch), value, &k);
        touch(k.holder);
        touch(k.order_key);
        touch(commerce_cstr(commerce_coupon_state_name(k.state)));
        break;

    case 'k':
        rc = commerce_campaign_decode(commerce_heap_arena(scratch), value, &c);

        for (i = 0; i < c.scopes[COMMERCE_SCOPE_SKU].count; i++) {
            touch(c.scopes[COMMERCE_SCOPE_SKU].ids[i]);
        }

        break;

    default:
        rc = commerce_order_decode(commerce_heap_arena(scratch), value, &o);
        use_order(&o);
    }

    commerce_heap_destroy(scratch);

    return rc;
}


static void
corrupt(char kind, commerce_str_t value, const char *name)
{
    char      *copy;
    size_t     i, n;
    unsigned   truncated, accepted, wrong;

    truncated = accepted = wrong = 0;

    is_int(decode(kind, value), COMMERCE_OK, "%s, %zu bytes", name, value.len);

    /* a block of exactly this size: a sanitizer sees a byte read too much */

    for (n = 0; n < value.len; n++) {
        copy = malloc(n + 1);
        memcpy(copy, value.data, n);
        truncated += decode(kind, (commerce_str_t) { copy, n }) == COMMERCE_ERROR;
        free(copy);
    }

    is_int(truncated, (int64_t) value.len, "%s: every truncation is seen", name);

    copy = malloc(value.len + 1);
    memcpy(copy, value.data, value.len);
    copy[value.len] = 0;
    is_int(decode(kind, (commerce_str_t) { copy, value.len + 1 }), COMMERCE_ERROR,
           "%s: so is a byte more", name);
    free(copy);

    for (i = 0; i < value.len; i++) {
        for (n = 1; n < 256; n++) {
            copy = malloc(value.len);
            memcpy(copy, value.data, value.len);
            copy[i] = (char) ((uint8_t) copy[i] ^ n);

            switch (decode(kind, (commerce_str_t) { copy, value.len })) {
            case COMMERCE_OK:
                accepted++;
                break;
            case COMMERCE_ERROR:
                break;
            default:
                wrong++;
            }

            free(copy);
        }
    }

    is_int(wrong, 0, "%s: every byte changed in every way is read or refused (%u read)", name,
           accepted);
}


static void
test_corrupt(void)
{
    commerce_line_t      lines[3];
    commerce_order_t     o;
    commerce_person_t    p = person(300, "amy");
    commerce_campaign_t  c = campaign();

    commerce_coupon_t  k = {
        .campaign = 5, .serial = 300, .holder = S("h"), .order_key = S("k")
    };

    restart();
    fill_order(&o, lines, 3);
    commerce_order_write(&txn, shop, &o, 0, NULL);
    commerce_coupon_write(&txn, shop, &k, 0);
    commerce_person_write(&txn, shop, &p, 0, NULL);
    commerce_campaign_write(&txn, shop, &c, 0);

    corrupt('p', last_put("demo/p/"), "person");
    corrupt('c', last_put("demo/c/"), "coupon");
    corrupt('k', last_put("demo/k/"), "campaign");
    corrupt('o', last_put("demo/o/"), "order");
}


/* the records without a public decoder: through the store, many in one transaction */

static void
mutate(const char *prefix, commerce_str_t value, unsigned digits, unsigned *count)
{
    char      key[64], *copy;
    size_t    i, len;
    unsigned  n;

    n = 0;

    for (len = 0; len < value.len; len++) {
        snprintf(key, sizeof(key), "%s%0*x", prefix, (int) digits, n++);
        commerce_txn_put(&txn, commerce_copy(reader.arena, commerce_cstr(key)),
                         (commerce_str_t) { value.data, len });
    }

    for (i = 0; i < value.len * 4; i++) {
        copy = commerce_alloc(reader.arena, value.len);
        memcpy(copy, value.data, value.len);
        copy[i / 4] = (char) ((uint8_t) copy[i / 4] ^ "\1\200\377\17"[i % 4]);
        snprintf(key, sizeof(key), "%s%0*x", prefix, (int) digits, n++);
        commerce_txn_put(&txn, commerce_copy(reader.arena, commerce_cstr(key)),
                         (commerce_str_t) { copy, value.len });
    }

    *count = n;
}


static void
test_corrupt_stored(void)
{
    int                rc;
    char               name[32];
    size_t             length;
    unsigned           i, count, refused;
    uint64_t           version;
    commerce_str_t     value;
    commerce_room_t    room = { .number = 0x80, .id = S("r"), .host = 300 };
    commerce_buyer_t   b;
    commerce_parked_t  parked;
    commerce_notice_t  notice = {
        .kind = COMMERCE_STEP_PAID, .time = 99, .id = S("p"), .payment = S("p"), .amount = 5
    };
    commerce_parked_for_t  what = { COMMERCE_PARKED_ID, S("p"), S("") };

    restart();
    b = full_buyer();
    commerce_buyer_write(&txn, shop, S("whole"), &b, 0);
    value = last_put("demo/b/");
    length = value.len;
    mutate("demo/b/x", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u buyers that are not whole", count);

    for (i = 0, refused = 0; i < count; i++) {
        snprintf(name, sizeof(name), "x%08x", i);
        rc = commerce_buyer_read(&reader, commerce_cstr(name), &b, &version);
        touch(b.pseudonym);

        if (rc == COMMERCE_ERROR) {
            refused += i < length;

            if (b.seen_count != 0 || b.binding.owner != 0) {
                ok(false, "a refused buyer is zeroed");
            }
        }
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");

    restart();
    commerce_room_write(&txn, shop, &room, 0);
    value = last_put("demo/l/");
    length = value.len;
    mutate("demo/l/", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u rooms", count);

    for (i = 0, refused = 0; i < length; i++) {
        refused += commerce_room_read(&reader, i, &room, NULL) == COMMERCE_ERROR;
    }

    for (i = 0; i < count; i++) {
        rc = commerce_room_read(&reader, i, &room, NULL);
        touch(room.id);
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");

    restart();
    parked = (commerce_parked_t) { &notice, 1 };
    commerce_parked_write(&txn, shop, &what, &parked, 0);
    value = last_put("demo/q/");
    length = value.len;
    mutate("demo/q/", value, 8, &count);
    is_int(apply(), COMMERCE_TXN_APPLIED, "%u parked notices", count);

    for (i = 0, refused = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%08x", i);
        what.name = commerce_cstr(name);
        rc = commerce_parked_read(&reader, &what, &parked, NULL);
        refused += (i < length && rc == COMMERCE_ERROR);

        if (rc == COMMERCE_OK && parked.count > COMMERCE_PARKED_MAX) {
            ok(false, "more parked notices than there can be");
        }
    }

    is_int(refused, (int64_t) length, "every truncated one is refused");
}


int
main(void)
{
    static void (*const  tests[])(void) = {
        test_corrupt,
        test_corrupt_stored
    };

    return record_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
