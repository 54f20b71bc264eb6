/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce store collect: what nobody needs any more, at once; the workers do it little by little.
 */

#include <stdlib.h>
#include <time.h>

#include "../commerce_collect.h"
#include "commerce_cli.h"

#define COLLECT_PIECE  256              /* records looked at in one transaction */
#define COLLECT_PAUSE  1000000          /* ns between two that deleted something: others write, too */


typedef struct {
    commerce_retention_t      retention;
    commerce_time_t           now;
    commerce_collect_place_t  place, next;
    commerce_collected_t      step, sum, total;
    commerce_event_source_t   events;
    bool                      over;
} collect_t;


static void collect_print(commerce_cli_t *cli, const commerce_collected_t *total);
static int collect_options(commerce_cli_t *cli, collect_t *collect, int argc, char **argv);
static int collect_days(commerce_cli_t *cli, const char *text, int64_t least, int64_t *kept);
static int collect_shop(commerce_cli_t *cli, void *data);
static int collect_step(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int collect_tell(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void collect_ledger(commerce_cli_t *cli, commerce_txn_t *txn, collect_t *collect, commerce_ledger_t *ledger);


int
commerce_cli_store_collect(commerce_cli_t *cli, int argc, char **argv)
{
    int         rc;
    collect_t  *collect;

    collect = calloc(1, sizeof(collect_t));
    if (collect == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = collect_options(cli, collect, argc, argv);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_now(cli, &collect->now);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_open(cli, false);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_each_shop(cli, collect_shop, collect);
    }

    if (rc == COMMERCE_CLI_OK) {
        collect_print(cli, &collect->total);

        if (collect->total.unreadable != 0) {
            rc = commerce_cli_fail(cli, "%llu records cannot be read and stay: run \"commerce store check\"",
                                   (unsigned long long) collect->total.unreadable);
        }
    }

    free(collect);

    return rc;
}


static void
collect_print(commerce_cli_t *cli, const commerce_collected_t *total)
{
    fprintf(cli->out, "%llu records, %llu orders, %llu parked notices and %llu buyers let go\n",
            (unsigned long long) total->looked, (unsigned long long) total->orders,
            (unsigned long long) total->parked, (unsigned long long) total->buyers);

    if (total->campaigns + total->coupons + total->claims + total->redemptions + total->counters != 0) {
        fprintf(cli->out, "%llu campaigns closed, %llu coupons, %llu claims, %llu redemptions taken back and %llu"
                " counters let go\n", (unsigned long long) total->campaigns, (unsigned long long) total->coupons,
                (unsigned long long) total->claims, (unsigned long long) total->redemptions,
                (unsigned long long) total->counters);
    }
}


static int
collect_options(commerce_cli_t *cli, collect_t *collect, int argc, char **argv)
{
    int  c, rc;

    static const struct option  options[] = {
        { "orders", required_argument, NULL, 'o' },
        { "parked", required_argument, NULL, 'p' },
        { "buyers", required_argument, NULL, 'b' },
        { "coupons", required_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 }
    };

    collect->retention.orders = COMMERCE_RETENTION_ORDERS;
    collect->retention.parked = COMMERCE_RETENTION_PARKED;
    collect->retention.buyers = COMMERCE_RETENTION_BUYERS;
    collect->retention.coupons = COMMERCE_RETENTION_COUPONS;

    rc = COMMERCE_CLI_OK;

    while (rc == COMMERCE_CLI_OK && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            rc = collect_days(cli, optarg, COMMERCE_RETENTION_ORDERS_MIN, &collect->retention.orders);
            break;
        case 'p':
            rc = collect_days(cli, optarg, COMMERCE_RETENTION_PARKED_MIN, &collect->retention.parked);
            break;
        case 'b':
            rc = collect_days(cli, optarg, COMMERCE_RETENTION_BUYERS_MIN, &collect->retention.buyers);
            break;
        case 'c':
            rc = collect_days(cli, optarg, COMMERCE_RETENTION_COUPONS_MIN, &collect->retention.coupons);
            break;
        default:
            rc = COMMERCE_CLI_USAGE;
        }
    }

    return rc == COMMERCE_CLI_OK && argc != optind ? COMMERCE_CLI_USAGE : rc;
}


static int
collect_days(commerce_cli_t *cli, const char *text, int64_t least, int64_t *kept)
{
    uint64_t  days;

    if (strcmp(text, "forever") == 0) {
        *kept = COMMERCE_FOREVER;
        return COMMERCE_CLI_OK;
    }

    if (commerce_parse_uint(commerce_cstr(text), 36500, &days) != COMMERCE_OK
        || (int64_t) days * COMMERCE_RETENTION_DAY < least)
    {
        return commerce_cli_fail(cli, "\"%s\" is no retention: days, at least %lld here, or forever", text,
                                 (long long) least / COMMERCE_RETENTION_DAY);
    }

    *kept = (int64_t) days * COMMERCE_RETENTION_DAY;

    return COMMERCE_CLI_OK;
}


static int
collect_shop(commerce_cli_t *cli, void *data)
{
    int         rc;
    collect_t  *collect = data;

    static const struct timespec  pause = { 0, COLLECT_PAUSE };

    memset(&collect->place, 0, sizeof(commerce_collect_place_t));
    memset(&collect->sum, 0, sizeof(commerce_collected_t));
    collect->over = false;

    while (!collect->over) {
        rc = commerce_cli_transact(cli, collect_step, collect);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }

        collect->place = collect->next;
        commerce_collect_add(&collect->sum, &collect->step);

        if (commerce_collect_sum(&collect->step) != 0) {
            nanosleep(&pause, NULL);
        }
    }

    commerce_collect_add(&collect->total, &collect->sum);

    return commerce_collect_sum(&collect->sum) == 0 ? COMMERCE_CLI_OK
           : commerce_cli_transact(cli, collect_tell, collect);
}


static int
collect_step(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                 rc;
    collect_t          *collect = data;
    commerce_ledger_t   ledger;

    collect_ledger(cli, txn, collect, &ledger);
    collect->next = collect->place;

    rc = commerce_collect(&ledger, &collect->retention, COLLECT_PIECE, &collect->next, &collect->step);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_fail(cli, "the store at %s cannot be read", cli->store_path);
    }

    collect->over = rc == COMMERCE_ABSENT;

    return COMMERCE_CLI_OK;
}


static int
collect_tell(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    collect_t          *collect = data;
    commerce_ledger_t   ledger;

    collect_ledger(cli, txn, collect, &ledger);
    commerce_collect_event(&ledger, &collect->sum);

    return COMMERCE_CLI_OK;
}


static void
collect_ledger(commerce_cli_t *cli, commerce_txn_t *txn, collect_t *collect, commerce_ledger_t *ledger)
{
    ledger->reader = &cli->reader;
    ledger->txn = txn;
    ledger->events = &collect->events;
    ledger->now = collect->now;
    ledger->now_us = (int64_t) collect->now * 1000000;
}
