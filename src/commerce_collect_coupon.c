/*
 * Copyright (C) ngx_commerce authors
 *
 * Retention of coupons: a campaign is closed, and then what it gave out is let go.
 */

#include "commerce_collect_kinds.h"
#include "commerce_path.h"


#define COMMERCE_COLLECT_DIGITS  4      /* of a campaign's number in a key */
#define COMMERCE_COLLECT_EVENT   512    /* bytes of an event but its texts */
#define COMMERCE_COLLECT_ESCAPE  6      /* what one byte of a text can become */


static bool commerce_collect_given_out(commerce_reader_t *reader, unsigned campaign);
static void commerce_collect_close_event(commerce_ledger_t *ledger, const commerce_campaign_t *campaign);
static int commerce_collect_closed(commerce_reader_t *reader, unsigned number, commerce_collect_campaign_t *campaign);
static bool commerce_collect_coupon_over(const commerce_coupon_t *coupon, int64_t kept, commerce_time_t now);
static void commerce_collect_delete(commerce_txn_t *txn, commerce_str_t key, uint64_t version);


/*
 * The mark is durable before the first coupon goes: nothing else joins its transaction, and what follows is decided on
 * a view that shows it.
 */

int
commerce_collect_campaign(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    bool *closed)
{
    commerce_reader_t    *reader = ledger->reader;
    commerce_campaign_t   campaign;

    if (commerce_campaign_decode(reader->arena, record->value, &campaign) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (campaign.closed != 0) {
        *closed = true;
        return COMMERCE_ABSENT;
    }

    if (campaign.until == COMMERCE_FOREVER || !commerce_collect_over(campaign.until, kept, ledger->now)
        || !commerce_collect_given_out(reader, campaign.number))
    {
        return COMMERCE_ABSENT;
    }

    /* a process of an older version holds this back, and should hold back nothing else */

    if (ledger->txn->count != 0) {
        return COMMERCE_COLLECT_LATER;
    }

    campaign.closed = ledger->now;
    *closed = true;

    commerce_campaign_write(ledger->txn, reader->shop, &campaign, record->version);
    commerce_collect_close_event(ledger, &campaign);

    return COMMERCE_COLLECT_LAST;
}


/* one that has no coupon records has nothing to let go: it may be opened again */

static bool
commerce_collect_given_out(commerce_reader_t *reader, unsigned campaign)
{
    uint64_t         version;
    commerce_str_t   key, value;
    commerce_path_t  prefix;

    commerce_path_number(&prefix, reader->shop, 'c', campaign, COMMERCE_COLLECT_DIGITS);

    return commerce_view_next(reader->view, commerce_path_str(&prefix), commerce_string(""), &key, &value, &version)
           == COMMERCE_OK;
}


static void
commerce_collect_close_event(commerce_ledger_t *ledger, const commerce_campaign_t *campaign)
{
    char              *buffer;
    size_t             size;
    commerce_write_t   w;

    size = COMMERCE_COLLECT_EVENT + COMMERCE_COLLECT_ESCAPE * campaign->id.len;
    buffer = commerce_alloc(ledger->txn->arena, size);

    if (buffer == NULL) {
        ledger->txn->failed = true;
        return;
    }

    commerce_event_start(&w, buffer, size, ledger->events, "campaign_close", ledger->reader->shop, ledger->now_us);
    commerce_write_text(&w, "campaign", campaign->id);
    commerce_txn_event(ledger->txn, commerce_event_finish(&w));
}


/* a claim goes before its coupon, or with it: never is there one that leads nowhere */

int
commerce_collect_claim(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign)
{
    int                rc;
    commerce_claim_t   claim;
    commerce_coupon_t  coupon;

    if (commerce_claim_decode(record->value, &claim) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    rc = commerce_collect_closed(ledger->reader, claim.campaign, campaign);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_coupon_read(ledger->reader, claim.campaign, claim.serial, &coupon, NULL);

    if (rc != COMMERCE_OK || !commerce_collect_coupon_over(&coupon, kept, ledger->now)) {
        return rc == COMMERCE_ERROR ? rc : COMMERCE_ABSENT;
    }

    commerce_collect_delete(ledger->txn, record->key, record->version);

    return COMMERCE_OK;
}


int
commerce_collect_coupon(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign)
{
    int                     rc;
    uint64_t                version;
    commerce_path_t         path;
    commerce_coupon_t       coupon;
    commerce_redemption_t   redemption;

    if (commerce_coupon_decode(ledger->reader->arena, record->value, &coupon) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    rc = commerce_collect_closed(ledger->reader, coupon.campaign, campaign);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_COLLECT_SKIP : rc;
    }

    if (!commerce_collect_coupon_over(&coupon, kept, ledger->now)) {
        return COMMERCE_ABSENT;
    }

    if (coupon.request.len != 0) {
        rc = commerce_redemption_read(ledger->reader, coupon.request, &redemption, &version);

        if (rc != COMMERCE_OK) {
            return rc;
        }

        commerce_path_text(&path, ledger->reader->shop, 'w', coupon.request);
        commerce_collect_delete(ledger->txn, commerce_path_str(&path), version);
    }

    commerce_collect_delete(ledger->txn, record->key, record->version);

    return COMMERCE_OK;
}


/* one that was taken back; any other goes with its coupon */

int
commerce_collect_redemption(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign)
{
    int                    rc;
    commerce_redemption_t  redemption;

    if (commerce_redemption_decode(ledger->reader->arena, record->value, &redemption) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    rc = commerce_collect_closed(ledger->reader, redemption.campaign, campaign);

    if (rc != COMMERCE_OK) {
        return rc;
    }

    if (redemption.rolled_back == 0 || !commerce_collect_over(redemption.rolled_back, kept, ledger->now)) {
        return COMMERCE_ABSENT;
    }

    commerce_collect_delete(ledger->txn, record->key, record->version);

    return COMMERCE_OK;
}


/* what a campaign gave out in all stays known */

int
commerce_collect_counter(commerce_ledger_t *ledger, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign)
{
    int       rc;
    size_t    end;
    unsigned  number;

    end = commerce_collect_campaign_end(record, &number);

    if (end == 0) {
        return COMMERCE_ABSENT;         /* none of a campaign's */
    }

    rc = commerce_collect_closed(ledger->reader, number, campaign);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_COLLECT_SKIP : rc;
    }

    if (end == record->name.len) {
        return COMMERCE_ABSENT;
    }

    commerce_collect_delete(ledger->txn, record->key, record->version);

    return COMMERCE_OK;
}


/* "<campaign>/<serial>", "<letters>/<campaign>" and what may follow */

size_t
commerce_collect_campaign_end(const commerce_collect_record_t *record, unsigned *number)
{
    size_t          i, start;
    const char     *found;
    commerce_str_t  name = record->name;

    static const char  digits[] = "0123456789abcdef";

    start = 0;

    if (record->kind == 'n') {
        found = memchr(name.data, '/', name.len);
        start = found != NULL ? (size_t) (found - name.data) + 1 : name.len;
    }

    *number = 0;

    for (i = start; i < start + COMMERCE_COLLECT_DIGITS; i++) {
        found = i < name.len ? memchr(digits, name.data[i], sizeof(digits) - 1) : NULL;

        if (found == NULL) {
            return 0;
        }

        *number = *number << 4 | (unsigned) (found - digits);
    }

    return i;
}


/* COMMERCE_OK: it is; COMMERCE_ABSENT: it is open, or there is none, which is for the check to tell */

static int
commerce_collect_closed(commerce_reader_t *reader, unsigned number, commerce_collect_campaign_t *campaign)
{
    int                  rc;
    commerce_campaign_t  found;

    if (campaign->number != number) {
        rc = commerce_campaign_read(reader, number, &found, NULL);

        if (rc != COMMERCE_OK) {
            return rc;
        }

        campaign->number = number;
        campaign->closed = found.closed != 0;
    }

    return campaign->closed ? COMMERCE_OK : COMMERCE_ABSENT;
}


/*
 * Reserved ones never, and one that names an order goes after that: letting an order go takes its name away.  What
 * changed lately may be in the hands of an order that had it.
 */

static bool
commerce_collect_coupon_over(const commerce_coupon_t *coupon, int64_t kept, commerce_time_t now)
{
    return coupon->state != COMMERCE_COUPON_RESERVED && coupon->order_key.len == 0
           && commerce_collect_over(coupon->changed, kept, now);
}


static void
commerce_collect_delete(commerce_txn_t *txn, commerce_str_t key, uint64_t version)
{
    key = commerce_copy(txn->arena, key);

    commerce_txn_compare(txn, key, version);
    commerce_txn_delete(txn, key);
}
