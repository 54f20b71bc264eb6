/*
 * Copyright (C) ngx_commerce authors
 *
 * What retention does to a record of one kind; for commerce_collect*.c only.
 *
 * Each of these appends what lets the record go.  COMMERCE_OK: it goes; COMMERCE_ABSENT: it stays; COMMERCE_ERROR: it
 * cannot be read, and stays; or one of those below.
 */

#ifndef COMMERCE_COLLECT_KINDS_H
#define COMMERCE_COLLECT_KINDS_H

#include "commerce_collect.h"

#define COMMERCE_COLLECT_LATER  1       /* beside what it shares a record with: in a transaction of its own */
#define COMMERCE_COLLECT_LAST   2       /* done, and nothing may follow in this transaction */
#define COMMERCE_COLLECT_SKIP   3       /* it stays, and so do all of its campaign that follow */

typedef struct {
    char            kind;
    commerce_str_t  key, name, value;   /* in the store; name: the key behind shop and kind */
    uint64_t        version;
} commerce_collect_record_t;

/* is what ended then older than this? */
static inline bool
commerce_collect_over(commerce_time_t since, int64_t kept, commerce_time_t now)
{
    return kept != COMMERCE_FOREVER && since < now && now - since > kept;
}

/* commerce_collect_order.c */
int commerce_collect_order(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    commerce_str_t value, uint64_t version);
int commerce_collect_parked(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    char kind, commerce_str_t name);
int commerce_collect_unnamed(commerce_reader_t *reader, commerce_txn_t *txn, int64_t kept, commerce_time_t now,
    commerce_str_t id);

/*
 * commerce_collect_coupon.c.  The first closes a campaign; the others are about those that are closed: what was
 * found out about the campaign looked at last is remembered (zeroed at first), records of one stand together.
 */
typedef struct {
    unsigned  number;                   /* 0 = none */
    bool      closed;
} commerce_collect_campaign_t;
int commerce_collect_campaign(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    bool *closed);
int commerce_collect_claim(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign);
int commerce_collect_coupon(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign);
int commerce_collect_redemption(commerce_ledger_t *ledger, int64_t kept, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign);
int commerce_collect_counter(commerce_ledger_t *ledger, const commerce_collect_record_t *record,
    commerce_collect_campaign_t *campaign);

/* up to the end of the number of a coupon's or counter's campaign in its name; 0: it has none */
size_t commerce_collect_campaign_end(const commerce_collect_record_t *record, unsigned *number);

#endif
