/*
 * Copyright (C) ngx_commerce authors
 *
 * The event log against the store: what it tells of a coupon last is what the coupon is, and of each coupon that is
 * reserved or redeemed it tells so.  Coupons that the log tells of are kept in memory, about 100 bytes each; of the
 * store's coupons only those that seem to be missing in it.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"
#include "commerce_cli_check_log.h"

#define LOG_SUSPECTS  4096              /* remembered; of more there is no need to know each */


typedef struct {
    uint64_t                 hash;          /* of shop, campaign and serial; 0 = free */
    commerce_str_t           shop, campaign;
    uint32_t                 serial;
    commerce_coupon_state_t  state;
    uint64_t                 order;         /* hash of the order's key, or of the number in a shop */
    int                      redeemed;      /* redemptions less rollbacks */
    int64_t                  us;
} log_coupon_t;

/* a coupon of the store whose last step the log does not tell of, as it seems */
typedef struct {
    uint64_t  hash;
    int64_t   changed;
    char      shop[COMMERCE_SHOP_MAX + 1];
    unsigned  campaign;
    uint32_t  serial;
} log_suspect_t;

typedef struct {
    commerce_cli_t  *cli;
    FILE            *out;
    uint64_t         violations;
    log_coupon_t    *coupons;
    size_t           count, room;
    bool             late;                  /* events of the outbox: the log may have them already */

    int64_t          first;                 /* second of the log's first line */
    log_suspect_t   *suspects;
    size_t           suspect_count;
    uint64_t         suspect_more;          /* beyond LOG_SUSPECTS */
    uint64_t         earlier;               /* not compared: changed before the log begins */
} log_check_t;


static int log_missing(log_check_t *check, const commerce_cli_log_t *logs, unsigned count);
static int log_scan_shop(commerce_cli_t *cli, void *data);
static int log_scan(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static void log_missing_say(log_check_t *check, const log_check_t *again, const log_suspect_t *suspect);
static uint64_t log_hash(commerce_str_t shop, commerce_str_t campaign, uint32_t serial);
static const log_coupon_t *log_told(const log_check_t *check, uint64_t hash);
static void log_done(log_check_t *check);
static int log_take(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data);
static int log_outbox(log_check_t *check);
static log_coupon_t *log_coupon(log_check_t *check, commerce_str_t shop, commerce_str_t campaign, uint32_t serial);
static int log_room(log_check_t *check);
static void log_compare(log_check_t *check, const log_coupon_t *told);
static void log_say(log_check_t *check, const log_coupon_t *told, const char *what);


int
commerce_cli_check_log(commerce_cli_t *cli, const commerce_cli_log_t *logs, unsigned count, FILE *out,
    uint64_t *violations)
{
    int                         rc;
    size_t                      i;
    log_check_t                 check;
    commerce_cli_log_report_t   report;

    memset(&check, 0, sizeof(log_check_t));
    check.cli = cli;
    check.out = out;

    rc = commerce_cli_log_read(cli, logs, count, out, log_take, &check, &report);

    /* what the log does not have yet, and then the store: both of one view */

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_view(cli, NULL);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = log_outbox(&check);

        for (i = 0; rc == COMMERCE_CLI_OK && i < check.room; i++) {
            if (check.coupons[i].hash != 0) {
                log_compare(&check, &check.coupons[i]);
            }
        }
    }

    commerce_cli_view_end(cli);

    check.first = logs[0].first_us / 1000000;       /* they are in order */

    if (rc == COMMERCE_CLI_OK) {
        rc = log_missing(&check, logs, count);
    }

    if (rc == COMMERCE_CLI_OK) {
        fprintf(out, "log: %llu lines, %llu money events of %zu coupons, %llu torn, %llu missing, %llu with a broken"
                " chain\n", (unsigned long long) report.lines, (unsigned long long) report.events, check.count,
                (unsigned long long) report.torn, (unsigned long long) report.missing,
                (unsigned long long) report.broken);
        commerce_cli_log_lost(out, &report);
        *violations += check.violations + report.broken + report.missing;
    }

    log_done(&check);

    return rc;
}


static void
log_done(log_check_t *check)
{
    size_t  i;

    for (i = 0; i < check->room; i++) {
        free((char *) check->coupons[i].shop.data);
    }

    free(check->coupons);
    free(check->suspects);
}


/*
 * Of what happened while the log was read it cannot have told: who seems to be missing is looked for once more, in the
 * log as it is by then, and in the outbox before it.
 */
static int
log_missing(log_check_t *check, const commerce_cli_log_t *logs, unsigned count)
{
    int                         rc;
    FILE                       *nowhere;
    size_t                      i;
    log_check_t                 again;
    commerce_cli_log_report_t   report;

    check->suspects = calloc(LOG_SUSPECTS, sizeof(log_suspect_t));
    if (check->suspects == NULL) {
        return commerce_cli_fail(check->cli, "out of memory");
    }

    rc = commerce_cli_each_shop(check->cli, log_scan_shop, check);

    if (check->earlier != 0 && rc == COMMERCE_CLI_OK) {
        fprintf(check->out, "log: %llu coupons were reserved or redeemed before the log begins: not compared\n",
                (unsigned long long) check->earlier);
    }

    if (rc != COMMERCE_CLI_OK || check->suspect_count == 0) {
        return rc;
    }

    memset(&again, 0, sizeof(log_check_t));
    again.cli = check->cli;
    again.out = nowhere = fopen("/dev/null", "w");      /* what is wrong with lines was said */

    if (nowhere == NULL) {
        return commerce_cli_fail(check->cli, "/dev/null cannot be opened");
    }

    rc = commerce_cli_view(check->cli, NULL);

    if (rc == COMMERCE_CLI_OK) {
        rc = log_outbox(&again);
        again.late = true;
    }

    commerce_cli_view_end(check->cli);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_log_read(check->cli, logs, count, nowhere, log_take, &again, &report);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_view(check->cli, NULL);
    }

    for (i = 0; rc == COMMERCE_CLI_OK && i < check->suspect_count; i++) {
        log_missing_say(check, &again, &check->suspects[i]);
    }

    commerce_cli_view_end(check->cli);

    if (check->suspect_more != 0) {
        check->violations += check->suspect_more;
        fprintf(check->out, "log: %llu coupons more seem to be missing in it\n",
                (unsigned long long) check->suspect_more);
    }

    fclose(nowhere);
    log_done(&again);

    return rc;
}


static int
log_scan_shop(commerce_cli_t *cli, void *data)
{
    int  rc;

    commerce_cli_alive(cli);

    rc = commerce_cli_view(cli, NULL);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(cli, 'c', log_scan, data);
    }

    commerce_cli_view_end(cli);

    return rc;
}


static int
log_scan(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    uint64_t              hash;
    log_check_t          *check = data;
    log_suspect_t        *suspect;
    const log_coupon_t   *told;
    commerce_coupon_t     coupon;
    commerce_campaign_t   campaign;

    if (commerce_coupon_decode(cli->reader.arena, record->value, &coupon) != COMMERCE_OK
        || (coupon.state != COMMERCE_COUPON_RESERVED && coupon.state != COMMERCE_COUPON_REDEEMED))
    {
        return COMMERCE_CLI_OK;             /* unreadable: that was said of the record itself */
    }

    if (coupon.changed <= check->first) {
        check->earlier++;
        return COMMERCE_CLI_OK;
    }

    if (commerce_campaign_read(&cli->reader, coupon.campaign, &campaign, NULL) != COMMERCE_OK) {
        return COMMERCE_CLI_OK;
    }

    hash = log_hash(cli->shop, campaign.id, coupon.serial);
    told = log_told(check, hash);

    if (told != NULL && told->us / 1000000 >= coupon.changed) {
        return COMMERCE_CLI_OK;
    }

    if (check->suspect_count == LOG_SUSPECTS) {
        check->suspect_more++;
        return COMMERCE_CLI_OK;
    }

    suspect = &check->suspects[check->suspect_count++];
    suspect->hash = hash;
    suspect->changed = coupon.changed;
    suspect->campaign = coupon.campaign;
    suspect->serial = coupon.serial;
    snprintf(suspect->shop, sizeof(suspect->shop), "%.*s", commerce_cli_arg(cli->shop));

    return COMMERCE_CLI_OK;
}


/* unless the log tells of it by now, or the coupon has gone on */
static void
log_missing_say(log_check_t *check, const log_check_t *again, const log_suspect_t *suspect)
{
    log_coupon_t          about;
    commerce_heap_t      *heap;
    commerce_reader_t     reader;
    commerce_coupon_t     coupon;
    const log_coupon_t   *told;
    commerce_campaign_t   campaign;

    told = log_told(again, suspect->hash);

    if (told != NULL && told->us / 1000000 >= suspect->changed) {
        return;
    }

    heap = commerce_heap_create();
    if (heap == NULL) {
        return;
    }

    reader.view = check->cli->reader.view;
    reader.arena = commerce_heap_arena(heap);
    reader.shop = commerce_cstr(suspect->shop);

    if (commerce_coupon_read(&reader, suspect->campaign, suspect->serial, &coupon, NULL) == COMMERCE_OK
        && coupon.changed == suspect->changed
        && commerce_campaign_read(&reader, suspect->campaign, &campaign, NULL) == COMMERCE_OK)
    {
        memset(&about, 0, sizeof(log_coupon_t));
        about.shop = reader.shop;
        about.campaign = campaign.id;
        about.serial = suspect->serial;

        log_say(check, &about, coupon.state == COMMERCE_COUPON_REDEEMED
                ? "it is redeemed, and the log does not tell of that"
                : "it is reserved, and the log does not tell of that");
    }

    commerce_heap_destroy(heap);
}


static int
log_take(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data)
{
    int64_t         serial;
    unsigned        state;
    log_check_t    *check = data;
    log_coupon_t   *coupon;
    commerce_str_t  campaign, to, order, request;

    if (!commerce_cli_event_text(event, "/to", &to) || to.len == 0
        || !commerce_cli_event_text(event, "/campaign", &campaign) || campaign.len == 0
        || !commerce_cli_event_number(event, "/serial", &serial) || serial < 0)
    {
        return COMMERCE_CLI_OK;             /* no step of a coupon */
    }

    for (state = 0; state < COMMERCE_COUPON_STATES; state++) {
        if (commerce_equal(to, commerce_cstr(commerce_coupon_state_name(state)))) {
            break;
        }
    }

    if (state == COMMERCE_COUPON_STATES) {
        return COMMERCE_CLI_OK;
    }

    coupon = log_coupon(check, event->shop, campaign, (uint32_t) serial);
    if (coupon == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    (void) commerce_cli_event_text(event, "/order_key", &order);
    (void) commerce_cli_event_text(event, "/request", &request);
    order = order.len != 0 ? order : request;

    if (state == COMMERCE_COUPON_REDEEMED) {
        coupon->redeemed++;

    } else if (commerce_equal(event->type, commerce_string("coupon_rollback"))) {
        coupon->redeemed--;
    }

    if (check->late && coupon->redeemed > 1) {
        coupon->redeemed = 1;
    }

    if (coupon->redeemed > 1) {
        log_say(check, coupon, "the log tells of two redemptions and no rollback between them");
        coupon->redeemed = 1;
    }

    coupon->state = state;
    coupon->us = event->us;
    coupon->order = commerce_hash(COMMERCE_HASH_START, order.data, order.len);

    return COMMERCE_CLI_OK;
}


/* bodies as the log's reader would hand them on */
static int
log_outbox(log_check_t *check)
{
    int                    rc;
    uint64_t               sequence;
    commerce_heap_t       *heap;
    commerce_cli_event_t   event;

    sequence = 0;
    rc = COMMERCE_CLI_OK;
    check->late = true;

    for ( ;; ) {
        memset(&event, 0, sizeof(commerce_cli_event_t));

        if (commerce_view_outbox(check->cli->reader.view, sequence, &sequence, &event.body) != COMMERCE_OK) {
            return rc;
        }

        heap = commerce_heap_create();
        if (heap == NULL) {
            return commerce_cli_fail(check->cli, "out of memory");
        }

        if (commerce_json_parse(commerce_heap_arena(heap), event.body, &event.root) == COMMERCE_R(OK)
            && commerce_cli_event_text(&event, "/type", &event.type)
            && commerce_cli_event_text(&event, "/shop", &event.shop)
            && commerce_cli_event_number(&event, "/ts", &event.us))
        {
            rc = log_take(check->cli, &event, check);
        }

        commerce_heap_destroy(heap);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }
}


static log_coupon_t *
log_coupon(log_check_t *check, commerce_str_t shop, commerce_str_t campaign, uint32_t serial)
{
    char          *texts;
    size_t         i;
    uint64_t       hash;
    log_coupon_t  *coupon;

    if (check->count * 2 >= check->room && log_room(check) != COMMERCE_OK) {
        return NULL;
    }

    hash = log_hash(shop, campaign, serial);

    for (i = hash >> 1 & (check->room - 1); check->coupons[i].hash != 0; i = (i + 1) & (check->room - 1)) {
        if (check->coupons[i].hash == hash) {
            return &check->coupons[i];
        }
    }

    coupon = &check->coupons[i];
    texts = malloc(shop.len + campaign.len + 1);

    if (texts == NULL) {
        return NULL;
    }

    memcpy(texts, shop.data, shop.len);
    memcpy(texts + shop.len, campaign.data, campaign.len);

    coupon->hash = hash;
    coupon->shop = (commerce_str_t) { texts, shop.len };
    coupon->campaign = (commerce_str_t) { texts + shop.len, campaign.len };
    coupon->serial = serial;
    check->count++;

    return coupon;
}


static uint64_t
log_hash(commerce_str_t shop, commerce_str_t campaign, uint32_t serial)
{
    uint64_t  hash;

    hash = commerce_hash(COMMERCE_HASH_START, shop.data, shop.len);
    hash = commerce_hash(hash, "/", 1);
    hash = commerce_hash(hash, campaign.data, campaign.len);

    return commerce_hash(hash, &serial, sizeof(serial)) | 1;
}


static const log_coupon_t *
log_told(const log_check_t *check, uint64_t hash)
{
    size_t  i;

    if (check->room == 0) {
        return NULL;
    }

    for (i = hash >> 1 & (check->room - 1); check->coupons[i].hash != 0; i = (i + 1) & (check->room - 1)) {
        if (check->coupons[i].hash == hash) {
            return &check->coupons[i];
        }
    }

    return NULL;
}


static int
log_room(log_check_t *check)
{
    size_t         i, at, room;
    log_coupon_t  *coupons;

    room = check->room == 0 ? 1024 : check->room * 2;
    coupons = calloc(room, sizeof(log_coupon_t));

    if (coupons == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < check->room; i++) {
        if (check->coupons[i].hash == 0) {
            continue;
        }

        for (at = check->coupons[i].hash >> 1 & (room - 1); coupons[at].hash != 0; at = (at + 1) & (room - 1)) {
            /* void */
        }

        coupons[at] = check->coupons[i];
    }

    free(check->coupons);
    check->coupons = coupons;
    check->room = room;

    return COMMERCE_OK;
}


/* a coupon that changed after the last line was written while we read: the log was not at its end */
static void
log_compare(log_check_t *check, const log_coupon_t *told)
{
    commerce_str_t        order;
    commerce_heap_t      *heap;
    commerce_reader_t     reader;
    commerce_coupon_t     coupon;
    commerce_campaign_t   campaign;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return;
    }

    reader.view = check->cli->reader.view;
    reader.arena = commerce_heap_arena(heap);
    reader.shop = told->shop;

    if (commerce_campaign_find(&reader, told->campaign, &campaign, NULL) != COMMERCE_OK
        || commerce_coupon_read(&reader, campaign.number, told->serial, &coupon, NULL) == COMMERCE_ERROR)
    {
        log_say(check, told, "the log tells of it, but it cannot be read");

    } else if (coupon.changed > told->us / 1000000 || (coupon.changed == 0 && campaign.closed != 0)) {
        /* changed while the log was read; let go (commerce_collect.h) */

    } else if (coupon.state != told->state) {
        log_say(check, told, "the log tells another state than it has");

    } else if (coupon.state == COMMERCE_COUPON_RESERVED || coupon.state == COMMERCE_COUPON_REDEEMED) {
        order = coupon.request.len != 0 ? coupon.request : coupon.order_key;

        if (order.len != 0 && commerce_hash(COMMERCE_HASH_START, order.data, order.len) != told->order) {
            log_say(check, told, "the log tells of another order than it has");
        }
    }

    commerce_heap_destroy(heap);
}


static void
log_say(log_check_t *check, const log_coupon_t *told, const char *what)
{
    check->violations++;
    fprintf(check->out, "%.*s: coupon %u of campaign \"%.*s\": %s\n", commerce_cli_arg(told->shop), told->serial,
            commerce_cli_arg(told->campaign), what);
}
