/*
 * Copyright (C) ngx_commerce authors
 *
 * The event log against the store: what it tells of a coupon last is what the coupon is.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"
#include "commerce_cli_check_log.h"


typedef struct {
    uint64_t                 hash;          /* of shop, campaign and serial; 0 = free */
    commerce_str_t           shop, campaign;
    uint32_t                 serial;
    commerce_coupon_state_t  state;
    uint64_t                 order;         /* hash of the order's key, or of the number in a shop */
    int                      redeemed;      /* redemptions less rollbacks */
    int64_t                  us;
} log_coupon_t;

typedef struct {
    commerce_cli_t  *cli;
    FILE            *out;
    uint64_t         violations;
    log_coupon_t    *coupons;
    size_t           count, room;
    bool             late;                  /* events of the outbox: the log may have them already */
} log_check_t;


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

    if (rc == COMMERCE_CLI_OK) {
        fprintf(out, "log: %llu lines, %llu money events of %zu coupons, %llu torn, %llu missing, %llu with a broken"
                " chain\n", (unsigned long long) report.lines, (unsigned long long) report.events, check.count,
                (unsigned long long) report.torn, (unsigned long long) report.missing,
                (unsigned long long) report.broken);
        *violations += check.violations + report.broken + report.missing;
    }

    for (i = 0; i < check.room; i++) {
        free((char *) check.coupons[i].shop.data);
    }

    free(check.coupons);

    return rc;
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

    hash = commerce_hash(COMMERCE_HASH_START, shop.data, shop.len);
    hash = commerce_hash(hash, "/", 1);
    hash = commerce_hash(hash, campaign.data, campaign.len);
    hash = commerce_hash(hash, &serial, sizeof(serial)) | 1;

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
