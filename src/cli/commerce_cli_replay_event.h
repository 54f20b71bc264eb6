/*
 * Copyright (C) ngx_commerce authors
 *
 * One event of the log, done again.  Private to the replay.
 */

#ifndef COMMERCE_CLI_REPLAY_EVENT_H
#define COMMERCE_CLI_REPLAY_EVENT_H

#include "../commerce_claim.h"
#include "../commerce_count.h"
#include "commerce_cli_replay.h"

#define COMMERCE_CLI_REPLAY_MALFORMED  "it is not what this version knows of such an event"

typedef struct {
    uint64_t        hash;           /* first: of shop and pseudonym */
    commerce_str_t  user;
} commerce_cli_replay_name_t;

typedef struct {
    uint64_t  hash;                 /* first: of the body */
    uint64_t  sequence;
} commerce_cli_replay_event_t;

typedef struct {
    commerce_cli_t                 *cli;
    commerce_cli_replay_t          *replay;
    const commerce_cli_manifest_t  *manifest;
    FILE                           *out;
    commerce_cli_replay_name_t     *names;      /* who a pseudonym is, by hash */
    size_t                          name_count, name_room;
    commerce_cli_replay_event_t    *waiting;    /* in the copy's outbox, by hash */
    size_t                          waiting_count;
    commerce_str_t                  outbox;     /* of the replaced store, one event a line */
    commerce_cli_replay_event_t    *salvage;    /* its events, by hash; sequence 0: the log or the copy has it */
    size_t                          salvage_count;
    uint64_t                        trim;       /* the log has the outbox up to here */
    bool                            found;      /* the log has the last event that the copy knows */
    bool                            started;    /* ... and it went by */
    int64_t                         from_us;
    uint64_t                        said;
} commerce_cli_replay_work_t;

/* one event on its way into the store; problem: why it cannot be done, NULL: nothing stands against it */
typedef struct {
    commerce_cli_replay_work_t  *work;
    const commerce_cli_event_t  *event;
    commerce_time_t              time;
    commerce_str_t               key, buyer, user;
    commerce_str_t               request;       /* of a redemption in a shop */
    bool                         changed;       /* the transaction is not empty */
    bool                         fresh_coupon, fresh_order;
    bool                         stranger;      /* the copy does not know the buyer */
    const char                  *problem;
} commerce_cli_replay_run_t;

/* COMMERCE_CLI_FAILED only when the copy cannot be written */
int commerce_cli_replay_event(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event);

/* of the hash that each of these begins with */
int commerce_cli_replay_compare(const void *a, const void *b);

uint64_t commerce_cli_replay_hash(commerce_str_t shop, commerce_str_t pseudonym);

/* r->buyer and r->user from the event */
int commerce_cli_replay_user(commerce_cli_t *cli, commerce_cli_replay_run_t *r);

/* r->user of the event's r->buyer (empty: nobody's); COMMERCE_CLI_FAILED: memory ran out */
int commerce_cli_replay_scope(commerce_cli_t *cli, commerce_cli_replay_run_t *r);

/*
 * The order of r->key and r->user, or under the key alone (a cart's, whose buyer the record names).  version 0: there
 * is none; then order is a new one, in doubt.
 */
int commerce_cli_replay_find(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_order_t *order,
    uint64_t *version);

/* absent: empty; false: of another type, or longer than any text in a record */
bool commerce_cli_replay_text(commerce_cli_replay_run_t *r, const char *pointer, commerce_str_t *text);

/* -1: not named */
commerce_fen_t commerce_cli_replay_fen(commerce_cli_replay_run_t *r, const char *pointer);

/* when the order is due, as its steps would have set it */
void commerce_cli_replay_due(commerce_order_t *order);

/* writes the order, doubts are counted; before: as it was read with version */
void commerce_cli_replay_store(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_order_t *order,
    uint64_t version, const commerce_order_t *before);


/* commerce_cli_replay_coupon.c, commerce_cli_replay_order.c: of commerce_cli_work_t, for one event each */

int commerce_cli_replay_mint(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
int commerce_cli_replay_close(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
int commerce_cli_replay_claim(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
int commerce_cli_replay_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
int commerce_cli_replay_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data);


/* commerce_cli_replay_sale.c: money that came and went back */

/* an order's event: payment, receipts, freight and dates; with a refund's, the refund is added.  r->problem on failure */
void commerce_cli_replay_sale(commerce_cli_t *cli, commerce_txn_t *txn, commerce_cli_replay_run_t *r,
    commerce_order_t *order);

/* a payment's event: its record, its transactions, and what its orders have of it */
int commerce_cli_replay_payment(commerce_cli_t *cli, commerce_txn_t *txn, void *data);

/* commerce_cli_replay_split.c: a split that went on, or that was not carried out */
int commerce_cli_replay_split(commerce_cli_t *cli, commerce_txn_t *txn, void *data);

/* commerce_cli_replay_notice.c: one that waits, or that all are joined that waited for this */
int commerce_cli_replay_notice(commerce_cli_t *cli, commerce_txn_t *txn, void *data);

#endif
