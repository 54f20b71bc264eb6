/*
 * Copyright (C) ngx_commerce authors
 *
 * Keys of records, as commerce_record.h lists them.  A key is built on the caller's stack: a
 * look-up allocates nothing.  A part that is too long, or that holds the separator where one is
 * needed, makes the key bad: no record can have it.
 */

#ifndef COMMERCE_PATH_H
#define COMMERCE_PATH_H

#include "commerce_record.h"

#define COMMERCE_PATH_SEPARATOR  '\x1f'

typedef struct {
    char    data[COMMERCE_KEY_MAX];
    size_t  len;
    bool    bad;
} commerce_path_t;

void commerce_path_number(commerce_path_t *key, commerce_str_t shop, char kind, uint64_t number,
    unsigned digits);
void commerce_path_text(commerce_path_t *key, commerce_str_t shop, char kind, commerce_str_t text);
void commerce_path_coupon(commerce_path_t *key, commerce_str_t shop, unsigned campaign,
    uint32_t serial);
/* a campaign's counter, of uses or of fen; day and name only where this one has them */
void commerce_path_counter(commerce_path_t *key, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, bool money, int32_t day, commerce_str_t name);
/* the same for claims */
void commerce_path_claims(commerce_path_t *key, commerce_str_t shop, unsigned campaign, commerce_count_t which,
    int32_t day, commerce_str_t name);
/* slot empty: what all of the user's claims begin with */
void commerce_path_claim(commerce_path_t *key, commerce_str_t shop, commerce_str_t user, commerce_str_t slot);
void commerce_path_order(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key);
void commerce_path_splits(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key);
/* what all records of this kind begin with that begin with this user: kinds o, y, B */
void commerce_path_user(commerce_path_t *key, commerce_str_t shop, char kind, commerce_str_t user);
void commerce_path_history(commerce_path_t *key, commerce_str_t shop, commerce_str_t user, commerce_time_t at);
void commerce_path_due(commerce_path_t *key, commerce_str_t shop, commerce_time_t due,
    commerce_str_t user, commerce_str_t order_key);

void commerce_path_doubt(commerce_path_t *key, commerce_str_t shop, commerce_time_t since,
    commerce_str_t user, commerce_str_t order_key);
/* number empty: the prefix of the order's refunds */
void commerce_path_refund(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key, commerce_str_t number);
/* for whom notices wait: 'p'ayment, 't'ransaction; an order */
void commerce_path_waiting(commerce_path_t *key, commerce_str_t shop, char what,
    commerce_str_t name);
void commerce_path_waiting_order(commerce_path_t *key, commerce_str_t shop, commerce_str_t user,
    commerce_str_t order_key);

static inline commerce_str_t
commerce_path_str(const commerce_path_t *key)
{
    return (commerce_str_t) { key->data, key->len };
}

/* the key in the transaction's arena; marks the transaction failed when there is none */
commerce_str_t commerce_path_keep(commerce_txn_t *txn, const commerce_path_t *key);

/* COMMERCE_ABSENT also for a bad key; version may be NULL */
int commerce_path_get(commerce_reader_t *reader, const commerce_path_t *key, commerce_str_t *value,
    uint64_t *version);

/* compare with version, then put */
void commerce_path_put(commerce_txn_t *txn, const commerce_path_t *key, uint64_t version,
    commerce_str_t value);

/* index of directory records: an id's number */
int commerce_path_find(commerce_reader_t *reader, char kind, commerce_str_t id, uint64_t *number);
void commerce_path_index(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t id,
    uint64_t number, bool fresh);       /* fresh: nothing may be there yet */
void commerce_path_unindex(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t id);

#endif
