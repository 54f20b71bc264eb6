/*
 * Copyright (C) ngx_commerce authors
 */

#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define S  commerce_string


static void entry_campaign(commerce_store_t *store, const commerce_campaign_t *campaign);
static commerce_ledger_t *entry_ledger(commerce_store_t *store, commerce_heap_t *heap,
    commerce_txn_t *txn);


unsigned  entry_users = ENTRY_USERS;

static const commerce_str_t  shop = { "demo", 4 };

static commerce_event_source_t   events;


void
entry_seed(commerce_store_t *store)
{
    commerce_campaign_t  campaign = {
        .number = ENTRY_CAMPAIGN, .id = S("bench"), .fixed = 1000, .until = COMMERCE_FOREVER,
        .limits = { 1000000000, 1000000000 }, .enabled = true, .minted = 10000000
    };

    entry_campaign(store, &campaign);

    campaign.number = ENTRY_CLAIMED;
    campaign.id = S("drop");
    campaign.claim = (commerce_claim_rules_t) {
        .open = true, .limits = { 1000000000, 1 }, .until = COMMERCE_FOREVER
    };

    entry_campaign(store, &campaign);
}


static void
entry_campaign(commerce_store_t *store, const commerce_campaign_t *campaign)
{
    commerce_txn_t    txn, *list;
    commerce_heap_t  *heap;

    heap = entry_heap();
    list = &txn;

    commerce_txn_init(&txn, commerce_heap_arena(heap));
    commerce_campaign_write(&txn, shop, campaign, 0);

    /* a conflict: the store has it already */

    if (commerce_store_apply(store, &list, 1) != 1 && txn.result != COMMERCE_TXN_CONFLICT) {
        entry_fail(commerce_store_error(store));
    }

    commerce_heap_destroy(heap);
}


void
entry_names(unsigned i, char user[32], char key[64])
{
    snprintf(user, 32, "buyer-%05u", i % entry_users);
    snprintf(key, 64, "order-%024u", i);
}


static commerce_ledger_t *
entry_ledger(commerce_store_t *store, commerce_heap_t *heap, commerce_txn_t *txn)
{
    struct timespec           ts;
    static commerce_reader_t  reader;
    static commerce_ledger_t  ledger;

    clock_gettime(CLOCK_REALTIME, &ts);

    reader.arena = commerce_heap_arena(heap);
    reader.shop = shop;

    if (commerce_view_begin(store, &reader.view) != COMMERCE_OK) {
        entry_fail(commerce_store_error(store));
    }

    commerce_txn_init(txn, reader.arena);

    ledger = (commerce_ledger_t) { &reader, txn, &events, ts.tv_sec,
                                   (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };

    return &ledger;
}


/* as the gateway makes it of a request without a body, of a bound buyer */

void
entry_order(commerce_order_t *order, commerce_time_t now)
{
    memset(order, 0, sizeof(commerce_order_t));

    order->claimed = order->payable = order->discount = -1;
    order->created = now;
    order->in_flight_until = now + 75;
    order->deadline = now + 960;
    order->pseudonym = S("0:0123456789abcdefghijkl");
    order->reason = COMMERCE_R(ATTR_OK);
    order->unpaid = COMMERCE_POLICY_RELEASE;
    order->in_doubt = COMMERCE_POLICY_HOLD;
    order->credit_count = 1;
    order->credits[0] = (commerce_credit_t) {
        .source = COMMERCE_SOURCE_PROTECTED, .seller = 7, .tier2 = 1,
        .seller_id = S("seller-00007"), .tier2_id = S("seller-00001")
    };
}


void
entry_open(commerce_store_t *store, entry_t *entry, unsigned i)
{
    char                     user[32], key[64];
    commerce_order_t         order;
    commerce_ledger_t       *ledger;
    commerce_use_request_t   use;

    entry_names(i, user, key);

    entry->heap = entry_heap();
    ledger = entry_ledger(store, entry->heap, &entry->open);

    memset(&use, 0, sizeof(use));
    entry_order(&order, ledger->now);

    order.user = commerce_copy(ledger->reader->arena, commerce_cstr(user));
    order.key = commerce_copy(ledger->reader->arena, commerce_cstr(key));

    if (commerce_campaign_read(ledger->reader, ENTRY_CAMPAIGN, &use.campaign, NULL) != COMMERCE_OK
        || commerce_coupon_read(ledger->reader, ENTRY_CAMPAIGN, i, &use.coupon, &use.version)
           == COMMERCE_ERROR)
    {
        entry_fail("no campaign");
    }

    use.discount = -1;

    if (commerce_ledger_open(ledger, &order, &use, 1, NULL) != COMMERCE_R(OK)) {
        entry_fail("an order could not be opened");
    }

    commerce_view_end(ledger->reader->view);
}


void
entry_accept(commerce_store_t *store, entry_t *entry, unsigned i)
{
    char                user[32], key[64];
    uint64_t            version;
    commerce_order_t    order;
    commerce_answer_t   answer;
    commerce_ledger_t  *ledger;

    entry_names(i, user, key);
    ledger = entry_ledger(store, entry->heap, &entry->accept);
    answer = (commerce_answer_t) { .id = S(""), .payable = -1 };

    if (commerce_order_read(ledger->reader, commerce_cstr(user), commerce_cstr(key), &order,
                            &version)
        != COMMERCE_OK
        || commerce_ledger_step(ledger, &order, version, COMMERCE_STEP_ACCEPTED, &answer)
           != COMMERCE_R(OK))
    {
        entry_fail("an order could not be accepted");
    }

    commerce_view_end(ledger->reader->view);
}


void
entry_claim(commerce_store_t *store, entry_t *entry, unsigned i)
{
    char                             user[32];
    commerce_coupon_t                coupon;
    commerce_ledger_t               *ledger;
    commerce_campaign_t              campaign;
    commerce_claim_request_t         request;
    static commerce_claim_serials_t  serials;

    entry->heap = entry_heap();
    ledger = entry_ledger(store, entry->heap, &entry->open);

    snprintf(user, sizeof(user), "claimer-%09u", i);

    memset(&request, 0, sizeof(request));
    request.user = commerce_copy(ledger->reader->arena, commerce_cstr(user));
    request.pseudonym = S("0:0123456789abcdefghijkl");
    request.seller = 7;
    request.seller_id = S("seller-00007");

    if (commerce_campaign_read(ledger->reader, ENTRY_CLAIMED, &campaign, NULL) != COMMERCE_OK
        || commerce_ledger_claim(ledger, &campaign, &request,
                                 commerce_claim_serial(&serials, shop, ENTRY_CLAIMED, (uint32_t) random()),
                                 &coupon)
           != COMMERCE_R(OK))
    {
        entry_fail("a coupon could not be claimed");
    }

    commerce_view_end(ledger->reader->view);
}


commerce_heap_t *
entry_heap(void)
{
    commerce_heap_t  *heap;

    heap = commerce_heap_create();

    if (heap == NULL) {
        entry_fail("out of memory");
    }

    return heap;
}


double
entry_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


void
entry_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}
