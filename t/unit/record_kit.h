/*
 * Copyright (C) ngx_commerce authors
 *
 * What the unit tests of records share: a store with a view and a transaction, and whole records to write.
 */

#ifndef RECORD_KIT_H
#define RECORD_KIT_H

#include "tap.h"
#include "temp_store.h"
#include "commerce_conduct.h"
#include "commerce_path.h"
#include "commerce_codec.h"


#define S  commerce_string

static const commerce_str_t  shop = { "demo", 4 };

static commerce_heap_t    *heap;
static commerce_view_t    *view;
static commerce_txn_t      txn;
static commerce_reader_t   reader;
static uint64_t            sum;         /* of everything read: no result may go unused */


static inline void
begin(void)
{
    heap = commerce_heap_create();
    commerce_view_begin(temp_store, &view);
    commerce_txn_init(&txn, commerce_heap_arena(heap));
    reader = (commerce_reader_t) { view, commerce_heap_arena(heap), shop };
}


static inline commerce_txn_result_t
apply(void)
{
    commerce_view_end(view);
    temp_store_apply(&txn);
    commerce_view_begin(temp_store, &view);
    reader.view = view;

    return txn.result;
}


static inline commerce_str_t
last_put(const char *prefix)
{
    unsigned  i;

    for (i = 0; i < txn.count; i++) {
        if (txn.ops[i].kind == COMMERCE_OP_PUT
            && strncmp(txn.ops[i].key.data, prefix, strlen(prefix)) == 0)
        {
            return txn.ops[i].value;
        }
    }

    return commerce_string("");
}


static inline void
end(void)
{
    commerce_view_end(view);
    commerce_heap_destroy(heap);
}


static inline void
restart(void)
{
    end();
    begin();
}


static inline bool
stored(char kind, const char *rest)
{
    int              rc;
    char             key[256];
    uint64_t         version;
    commerce_str_t   value;

    snprintf(key, sizeof(key), "demo/%c/%s", kind, rest);
    rc = commerce_view_get(view, commerce_cstr(key), &value, &version);

    return rc == COMMERCE_OK;
}


static inline int64_t
counter(commerce_str_t key)
{
    int64_t  value;

    return commerce_view_counter(view, key, &value) == COMMERCE_OK ? value : INT64_MIN;
}


static inline void
touch(commerce_str_t s)
{
    sum = commerce_hash(sum, s.data, s.len);
}


static inline commerce_person_t
person(uint64_t number, const char *id)
{
    return (commerce_person_t) {
        .number = number, .id = commerce_cstr(id), .role = COMMERCE_ROLE_KOC,
        .status = COMMERCE_PERSON_SUSPENDED, .upline = 3, .user = commerce_string("buyer-1"),
        .store = commerce_string("store 7")
    };
}


static inline commerce_buyer_t
full_buyer(void)
{
    unsigned          i;
    commerce_buyer_t  b;

    memset(&b, 0, sizeof(b));

    b.pseudonym = S("k1:0123456789abcdef");
    b.binding = (commerce_binding_t) {
        1, 2, 3, 100, COMMERCE_FOREVER, -5, 7, 8, 9, 2592000, COMMERCE_FOREVER, 86400, 10
    };

    for (i = 1; i < COMMERCE_SOURCES; i++) {
        b.last[i] = (commerce_touch_t) {
            (commerce_source_t) i, i % 3, 0xfedcba9876543210ULL + i, (1ULL << 40) - i, i, 1 + i,
            2 + i, UINT32_MAX - i, 4 + i, 1000 + i, 604800 * (int64_t) i, i % COMMERCE_FIELDS, i % COMMERCE_ORIGINS
        };
    }

    for (i = 0; i < COMMERCE_SEEN_MAX; i++) {
        b.seen[i] = (commerce_seen_t) { UINT64_MAX - i, 5000 + i };
    }

    b.seen_count = COMMERCE_SEEN_MAX;

    return b;
}


static inline commerce_campaign_t
campaign(void)
{
    static commerce_str_t  skus[2] = { { "A", 1 }, { "B-2", 3 } };

    return (commerce_campaign_t) {
        .number = 16383, .id = S("autumn"), .percent = 1500, .cap = 5000, .from = -7,
        .until = COMMERCE_FOREVER, .minimum_spend = 9900, .scopes = { { skus, 2 } },
        .limits = { 1000 }, .promoter = 1099511627775,
        .promoter_id = S("amy"), .holder_required = true, .enabled = true, .minted = 1 << 30
    };
}


static inline void
fill_rules(commerce_campaign_t *c)
{
    unsigned  i, k;

    static commerce_step_off_t  steps[2] = { { 1, 1 }, { COMMERCE_FEN_MAX, 2 } };
    static commerce_hours_t     hours[2] = { { 0x7f, 0, 1 }, { 0x41, 1, 1440 } };
    static commerce_str_t       ids[COMMERCE_SCOPES][COMMERCE_SCOPES];

    c->steps = steps;
    c->step_count = 2;
    c->every = (commerce_step_off_t) { 3, 4 };
    c->hours = hours;
    c->hours_count = 2;
    c->minimum_quantity = 1000000;
    c->new_customers = c->base_initial = true;
    c->stack = COMMERCE_STACK_CLASS;
    c->stack_class = S("red");
    c->stack_limit = 8;

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        for (k = 0; k <= i; k++) {
            ids[i][k] = k == i ? S("last") : S("x");
        }

        c->scopes[i] = (commerce_ids_t) { ids[i], i + 1 };
    }
}


static inline void
fill_order(commerce_order_t *o, commerce_line_t *lines, unsigned count)
{
    unsigned  i;

    memset(o, 0, sizeof(*o));

    o->user = S("user");
    o->key = S("key-1");
    memset(o->fingerprint, 0xab, sizeof(o->fingerprint));
    o->state = COMMERCE_ORDER_PLACED;
    o->doubt = COMMERCE_DOUBT_AMOUNT;
    o->redeem_on_paid = true;
    o->paid = true;
    o->in_doubt = COMMERCE_POLICY_HOLD;
    o->created = 1000;
    o->in_flight_until = 1075;
    o->deadline = 1960;
    o->due = 1960;
    o->id = S("2026-1");
    o->claimed = 123456789012;
    o->discount = -1;
    o->payable = 0;
    o->pseudonym = S("k1:aa");
    o->policy = UINT64_MAX;
    o->reason = COMMERCE_R(SELF_PURCHASE);
    o->conduct = COMMERCE_CONDUCT_ALL;
    o->conduct_denied = COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_BOT_SUSPECT);
    o->lines = lines;
    o->line_count = count;

    for (i = 0; i < count; i++) {
        lines[i] = (commerce_line_t) {
            S("SKU"), i + 1, 100 * (int64_t) i - 1, i, (int) (i % 9) - 1, { 0, 0 }
        };
    }

    o->credit_count = 8;

    for (i = 0; i < 8; i++) {
        o->credits[i] = (commerce_credit_t) {
            .source = (commerce_source_t) i, .seller = i + 1, .tier2 = i, .seller_id = S("amy"),
            .tier2_id = S("bob"), .group_id = S("g"), .room_id = S("r"), .channel = UINT32_MAX,
            .channel_id = S("state"), .field = COMMERCE_FIELD_MESSAGE, .origin = COMMERCE_ORIGIN_PRIVATE,
            .platform = S("wecom"), .touched = -3, .contributor = i > 5, .assist = i == 7
        };
    }

    o->coupon_count = 5;

    for (i = 0; i < 5; i++) {
        o->coupons[i] = (commerce_order_coupon_t) {
            .campaign = i + 1, .serial = i, .campaign_id = S("autumn"), .discount = (int64_t) i - 1,
            .use = (commerce_use_t) i
        };
    }
}


static inline int
record_tests(void (*const *tests)(void), unsigned count)
{
    unsigned  i;

    temp_store_open();
    begin();

    for (i = 0; i < count; i++) {
        tests[i]();
    }

    end();
    temp_store_close();

    printf("# %" PRIx64 "\n", sum);

    return done_testing();
}

#endif
