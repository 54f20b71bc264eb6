/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention's way through the store; what it does to a record of one kind is in commerce_collect_*.c.
 */

#include "commerce_collect_kinds.h"


#define COMMERCE_COLLECT_EVENT  1024


/* coupons after the orders that name them and after their campaigns; of the kinds from there on: claims first */

static const char  commerce_collect_kinds[] = "oqQmbkycwn";


static int commerce_collect_record(commerce_ledger_t *ledger, const commerce_retention_t *retention,
    const commerce_collect_record_t *record, commerce_collect_place_t *place, commerce_collect_campaign_t *campaign,
    commerce_collected_t *collected);
static bool commerce_collect_wanted(const commerce_collect_place_t *place, const commerce_retention_t *retention);
static int commerce_collect_buyer(commerce_ledger_t *ledger, int64_t kept, commerce_str_t user);
static bool commerce_collect_buyer_over(const commerce_buyer_t *buyer, int64_t kept, commerce_time_t now);
static void commerce_collect_move(commerce_collect_place_t *place, const commerce_collect_record_t *record, bool skip);


int
commerce_collect(commerce_ledger_t *ledger, const commerce_retention_t *retention, unsigned limit,
    commerce_collect_place_t *place, commerce_collected_t *collected)
{
    int                           rc;
    commerce_str_t                prefix;
    commerce_reader_t            *reader = ledger->reader;
    commerce_collect_record_t     record;
    commerce_collect_campaign_t   campaign = { 0, false };

    memset(collected, 0, sizeof(commerce_collected_t));

    while (collected->looked < limit) {
        record.kind = commerce_collect_kinds[place->kind];

        if (record.kind == '\0' || !commerce_collect_wanted(place, retention)) {
            return COMMERCE_ABSENT;
        }

        prefix = commerce_record_prefix(reader->arena, reader->shop, record.kind);

        if (prefix.data == NULL) {
            return COMMERCE_ERROR;
        }

        rc = commerce_view_next(reader->view, prefix, (commerce_str_t) { place->after, place->len }, &record.key,
                                &record.value, &record.version);

        if (rc == COMMERCE_ERROR || (rc == COMMERCE_OK && record.key.len > COMMERCE_KEY_MAX)) {
            return COMMERCE_ERROR;
        }

        if (rc == COMMERCE_ABSENT) {
            place->kind++;
            place->len = 0;
            continue;
        }

        record.name = (commerce_str_t) { record.key.data + prefix.len, record.key.len - prefix.len };

        rc = commerce_collect_record(ledger, retention, &record, place, &campaign, collected);

        if (rc == COMMERCE_COLLECT_LATER) {
            return COMMERCE_OK;
        }

        commerce_collect_move(place, &record, rc == COMMERCE_COLLECT_SKIP);
        collected->looked++;

        if (rc == COMMERCE_COLLECT_LAST) {
            return COMMERCE_OK;
        }
    }

    return COMMERCE_OK;
}


/* coupons only where a campaign is closed: most of them are of those that are not */

static bool
commerce_collect_wanted(const commerce_collect_place_t *place, const commerce_retention_t *retention)
{
    char  kind;

    kind = commerce_collect_kinds[place->kind];

    return strchr("kycwn", kind) == NULL
           || (retention->coupons != COMMERCE_FOREVER && (kind == 'k' || place->closed));
}


static int
commerce_collect_record(commerce_ledger_t *ledger, const commerce_retention_t *retention,
    const commerce_collect_record_t *record, commerce_collect_place_t *place, commerce_collect_campaign_t *campaign,
    commerce_collected_t *collected)
{
    int                 rc;
    uint64_t           *count;
    commerce_str_t      name;
    commerce_txn_t     *txn = ledger->txn;
    commerce_reader_t  *reader = ledger->reader;

    switch (record->kind) {

    case 'o':
        count = &collected->orders;
        rc = commerce_collect_order(reader, txn, retention->orders, ledger->now, record->value, record->version);
        break;

    case 'q':
    case 'Q':
        count = &collected->parked;
        name = commerce_copy(txn->arena, record->name);
        rc = commerce_collect_parked(reader, txn, retention->parked, ledger->now, record->kind, name);
        break;

    case 'm':
        count = &collected->parked;
        name = commerce_copy(txn->arena, record->name);
        rc = commerce_collect_unnamed(reader, txn, retention->parked, ledger->now, name);
        break;

    case 'b':
        count = &collected->buyers;
        rc = commerce_collect_buyer(ledger, retention->buyers, record->name);
        break;

    case 'k':
        count = &collected->campaigns;
        rc = commerce_collect_campaign(ledger, retention->coupons, record, &place->closed);
        break;

    case 'y':
        count = &collected->claims;
        rc = commerce_collect_claim(ledger, retention->coupons, record, campaign);
        break;

    case 'c':
        count = &collected->coupons;
        rc = commerce_collect_coupon(ledger, retention->coupons, record, campaign);
        break;

    case 'w':
        count = &collected->redemptions;
        rc = commerce_collect_redemption(ledger, retention->coupons, record, campaign);
        break;

    default:
        count = &collected->counters;
        rc = commerce_collect_counter(ledger, record, campaign);
    }

    *count += rc == COMMERCE_OK || rc == COMMERCE_COLLECT_LAST;
    collected->unreadable += rc == COMMERCE_ERROR;

    return rc;
}


/* behind the record, or behind all records of its kind and campaign */

static void
commerce_collect_move(commerce_collect_place_t *place, const commerce_collect_record_t *record, bool skip)
{
    size_t    len;
    unsigned  number;

    len = record->key.len;

    if (skip) {
        len -= record->name.len - commerce_collect_campaign_end(record, &number);
    }

    memcpy(place->after, record->key.data, len);

    if (skip) {
        place->after[len++] = (char) 0xff;
    }

    place->len = len;
}


static int
commerce_collect_buyer(commerce_ledger_t *ledger, int64_t kept, commerce_str_t user)
{
    int               rc;
    bool              whole;
    uint64_t          version;
    commerce_buyer_t  buyer;

    user = commerce_copy(ledger->txn->arena, user);
    rc = commerce_buyer_read(ledger->reader, user, &buyer, &version);

    if (rc != COMMERCE_OK || !commerce_collect_buyer_over(&buyer, kept, ledger->now)) {
        return rc == COMMERCE_ERROR ? rc : COMMERCE_ABSENT;
    }

    rc = commerce_history_remove(ledger->reader, ledger->txn, user, &whole);

    if (rc != COMMERCE_OK || !whole) {
        return rc;              /* the buyer goes with the last of it */
    }

    commerce_buyer_remove(ledger->txn, ledger->reader->shop, user, version);

    return COMMERCE_OK;
}


static bool
commerce_collect_buyer_over(const commerce_buyer_t *buyer, int64_t kept, commerce_time_t now)
{
    unsigned         i;
    commerce_time_t  last, end;

    /* he would be a stranger under his other name */

    if (buyer->canonical.len != 0) {
        return false;
    }

    last = buyer->binding.changed > buyer->binding.renewed ? buyer->binding.changed : buyer->binding.renewed;

    if (buyer->binding.owner != 0) {
        end = commerce_binding_end(&buyer->binding);

        if (end == COMMERCE_FOREVER) {
            return false;
        }

        last = end > last ? end : last;
    }

    for (i = 0; i < COMMERCE_SOURCES; i++) {
        last = buyer->last[i].first > last ? buyer->last[i].first : last;
    }

    for (i = 0; i < buyer->seen_count; i++) {
        last = buyer->seen[i].first > last ? buyer->seen[i].first : last;
    }

    return commerce_collect_over(last, kept, now);
}


void
commerce_collect_add(commerce_collected_t *sum, const commerce_collected_t *collected)
{
    sum->looked += collected->looked;
    sum->orders += collected->orders;
    sum->parked += collected->parked;
    sum->buyers += collected->buyers;
    sum->campaigns += collected->campaigns;
    sum->coupons += collected->coupons;
    sum->claims += collected->claims;
    sum->redemptions += collected->redemptions;
    sum->counters += collected->counters;
    sum->unreadable += collected->unreadable;
}


uint64_t
commerce_collect_sum(const commerce_collected_t *collected)
{
    return collected->orders + collected->parked + collected->buyers + collected->campaigns + collected->coupons
           + collected->claims + collected->redemptions + collected->counters;
}


void
commerce_collect_event(commerce_ledger_t *ledger, const commerce_collected_t *sum)
{
    char              buffer[COMMERCE_COLLECT_EVENT];
    commerce_write_t  w;

    if (commerce_event_start(&w, buffer, sizeof(buffer), ledger->events, "collect", ledger->reader->shop,
                             ledger->now_us)
        == COMMERCE_OK)
    {
        commerce_write_int(&w, "orders", (int64_t) sum->orders);
        commerce_write_int(&w, "parked", (int64_t) sum->parked);
        commerce_write_int(&w, "buyers", (int64_t) sum->buyers);
        commerce_write_int(&w, "campaigns", (int64_t) sum->campaigns);
        commerce_write_int(&w, "coupons", (int64_t) sum->coupons);
        commerce_write_int(&w, "claims", (int64_t) sum->claims);
        commerce_write_int(&w, "redemptions", (int64_t) sum->redemptions);
        commerce_write_int(&w, "counters", (int64_t) sum->counters);
    }

    commerce_txn_event(ledger->txn, commerce_copy(ledger->txn->arena, commerce_event_finish(&w)));
}
