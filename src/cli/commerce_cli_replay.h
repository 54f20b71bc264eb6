/*
 * Copyright (C) ngx_commerce authors
 *
 * What the event log tells, done again to a restored store.
 *
 * Events say what a coupon or an order became, so that replaying sets states; counters follow each change.  An
 * event older than the record it is about changes nothing, and repeating all of it changes nothing.
 *
 * The log knows buyers by pseudonym only.  Of those who were in the store when it was copied (as a buyer or with
 * an order) the user is found by making the pseudonyms anew.  Anyone else's orders are kept under the scope
 * "pseudonym <pseudonym>": they are found by the backend's id, and their coupons are theirs; the buyer's own
 * retry with the key of such an order meets COUPON_HELD_BY_OTHER_ORDER.
 *
 * Events that the replaced store still had in its outbox, and that are not in the log, come after it: they are done
 * again, too, and join the copy's outbox as they are, with their ids.
 *
 * An order of which only the reservations are known is in doubt and listed, like any whose answer was lost.
 */

#ifndef COMMERCE_CLI_REPLAY_H
#define COMMERCE_CLI_REPLAY_H

#include "commerce_cli_backup.h"
#include "commerce_cli_log.h"

#define COMMERCE_CLI_PSEUDONYM  "pseudonym "        /* what the scope of an unknown buyer begins with */

typedef struct {
    uint64_t  applied, known;       /* events; known: the copy had them already */
    uint64_t  coupons, orders;      /* records that were changed or made */
    uint64_t  unknown_buyers;       /* orders kept under a pseudonym */
    uint64_t  bindings, joins, directory;   /* told of, and not made again */
    uint64_t  others;               /* money events that tell of nothing that replaying restores */
    uint64_t  trimmed;              /* events for the log which the log has already */
    uint64_t  salvaged;             /* events of the replaced store's outbox that the log does not have */
    uint64_t  failed;               /* events that could not be replayed: said */
    commerce_cli_log_report_t  log;
} commerce_cli_replay_t;

/*
 * cli->store: the copy, cli->ring: its keys.  outbox: of the replaced store, one event a line; may be empty.  out: what deserves a look.  COMMERCE_CLI_FAILED when it could not be
 * carried through; single events that could not be are counted.
 */
int commerce_cli_replay(commerce_cli_t *cli, const commerce_cli_manifest_t *manifest,
    const commerce_cli_log_t *logs, unsigned count, commerce_str_t outbox, FILE *out,
    commerce_cli_replay_t *replay);

#endif
