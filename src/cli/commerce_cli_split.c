/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce split release: a platform closed a split without paying, which only its own interface tells.
 */

#include "commerce_cli_doubt.h"


typedef struct {
    commerce_order_t         *order;
    commerce_str_t            number;
    commerce_event_source_t  *events;
    commerce_time_t           now;
    commerce_reason_t         reason;
} split_release_t;


static int split_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);


int
commerce_cli_split_release(commerce_cli_t *cli, int argc, char **argv)
{
    int                      rc;
    commerce_order_t         order;
    split_release_t          release;
    commerce_cli_which_t     which;
    commerce_event_source_t  events;

    if (commerce_cli_order_which(argc, argv, 1, &which) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_USAGE;
    }

    memset(&release, 0, sizeof(split_release_t));
    memset(&events, 0, sizeof(commerce_event_source_t));
    release.order = &order;
    release.events = &events;

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "split number", argv[optind], &release.number) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &release.now) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_cli_order_get(cli, &which, &order);
    commerce_cli_view_end(cli);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_transact(cli, split_work, &release) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (release.reason == COMMERCE_R(ORDER_NOT_FOUND)) {
        return commerce_cli_fail(cli, "no split \"%s\" counts for order \"%s\": see its \"splits\" in \"commerce order"
                                 " show\"", argv[optind], commerce_cli_text(cli, order.key));
    }

    fprintf(cli->out, "split %s: released\n", argv[optind]);

    return COMMERCE_CLI_OK;
}


static int
split_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    commerce_ledger_t   ledger;
    split_release_t    *release = data;

    ledger.reader = &cli->reader;
    ledger.txn = txn;
    ledger.events = release->events;
    ledger.now = release->now;
    ledger.now_us = release->now * 1000000;

    release->reason = commerce_ledger_split_release(&ledger, release->order->user, release->order->key,
                                                    release->number, 0, commerce_string("tool"));

    return release->reason == COMMERCE_R(STORE_UNAVAILABLE)
           ? commerce_cli_unreadable(cli, "splits of order", release->order->key) : COMMERCE_CLI_OK;
}
