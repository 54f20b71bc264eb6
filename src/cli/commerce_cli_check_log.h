/*
 * Copyright (C) ngx_commerce authors
 *
 * The event log against the store.
 */

#ifndef COMMERCE_CLI_CHECK_LOG_H
#define COMMERCE_CLI_CHECK_LOG_H

#include "commerce_cli_log.h"

/*
 * Each coupon is in the state, and with the order, that the log (and what waits for it) told last; of each coupon that
 * became reserved or redeemed since the log began it tells so; and no log tells of two redemptions without a rollback.
 * Adds to *violations, missing lines and broken chains, too.
 */
int commerce_cli_check_log(commerce_cli_t *cli, const commerce_cli_log_t *logs, unsigned count, FILE *out,
    uint64_t *violations);

#endif
