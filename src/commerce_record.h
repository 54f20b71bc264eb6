/*
 * Copyright (C) ngx_commerce authors
 *
 * Records: the keys and bytes under which the rules' structs live in the store.
 *
 * Every key starts with the shop: "<shop>/<kind>/..." where parts that may hold any character (user,
 * order key) are separated by a byte that ids cannot contain (0x1f).
 *   p/<number, 10 hex>   person          P/<id>   person's number by external id
 *   u/<user>             person's number by buyer identity
 *   r/<upline, 10 hex>   counter of direct downlines
 *   g/<number, 8 hex>    group           G/<id>   its number
 *   l/<number, 8 hex>    live room       L/<id>   its number
 *   a/<number, 8 hex>    channel         A/<id>   its number
 *   j/<number, 8 hex>    landing         J/<id>   its number
 *   S/<id>               store
 *   b/<user>             buyer
 *   B/<user> 1f <time, 16 hex>  who became the owner of a buyer, and how
 *   k/<number, 4 hex>    campaign        K/<id>   its number
 *   c/<campaign, 4 hex>/<serial, 8 hex>  coupon
 *   n/<name>             counters: doubt, and of a campaign
 *                          t/<campaign> uses          d/<campaign>/<day, 8 hex> of a day
 *                          v/<campaign>/<user>        w/<campaign>/<day, 8 hex>/<user>
 *                          g/<campaign>/<group>       s/<campaign>/<seller>
 *                        and the same in capitals: fen of discount
 *   y/<user> 1f <slot>   claim: which coupon (commerce_claim.h says what a slot is); n/y and a letter: claims,
 *                        as n/ and the letter counts uses
 *   w/<request>          redemption in a shop
 *   o/<user> 1f <key>    order           i/<id>   order's user and key by the backend's id
 *   d/<time, 16 hex>/<user> 1f <key>     orders by due time
 *   e/<time, 16 hex>/<user> 1f <key>     orders in doubt, by when they were made
 *   h/<key>              whose the order is that has a key of the shop's (scope=shop)
 *   q/<id>               parked notices for an order id nobody knows yet
 *   Q/p/<payment>, Q/t/<transaction>    for a payment that no order has named, a transaction nobody told of
 *   Q/o/<user> 1f <key>  for an order that is not paid yet
 *   m/<payment>          payment         M/<transaction>  its payment or order
 *   F/<number>           refund          f/<user> 1f <key> 1f <number>  refunds of an order
 *   t/<user> 1f <key>    what was split of an order
 *   x/<hash, 12 bytes>   coupon by a code made elsewhere (commerce_imported.h)
 *   X/<campaign, 4 hex>/<file, 16 hex>  how far the import of such codes has come
 *   z/now, z/<version, 8 hex>   commission plan in force, and each that was
 *   s/<kind>             next free number of persons, groups, rooms, channels, landings, campaigns
 * Each value starts with a format byte; a decoder refuses formats it does not know (COMMERCE_ERROR).
 * Enumerations are stored as their numbers, so that a released enumeration only grows at its end; reasons are
 * stored by name.
 *
 * get: COMMERCE_OK, COMMERCE_ABSENT (the struct is zeroed), COMMERCE_ERROR; strings are copied into the
 * arena; *version (may be NULL) is what a later compare needs.  put and delete append to a transaction.
 * Texts in records are at most COMMERCE_ID_MAX bytes: writing a longer one fails the transaction.
 */

#ifndef COMMERCE_RECORD_H
#define COMMERCE_RECORD_H

#include "commerce_commission.h"
#include "commerce_notice.h"
#include "commerce_payment.h"
#include "commerce_split.h"
#include "store/commerce_store.h"

/* a view with the shop and the arena that results live in */
typedef struct {
    commerce_view_t   *view;
    commerce_arena_t  *arena;
    commerce_str_t     shop;
} commerce_reader_t;

int commerce_person_read(commerce_reader_t *reader, uint64_t number, commerce_person_t *person, uint64_t *version);
int commerce_person_find(commerce_reader_t *reader, commerce_str_t id, commerce_person_t *person, uint64_t *version);
int commerce_person_of_user(commerce_reader_t *reader, commerce_str_t user, commerce_person_t *person, uint64_t *version);
int64_t commerce_person_downlines(commerce_reader_t *reader, uint64_t number);
/* ... and the transaction applies only while nobody joins or leaves them; COMMERCE_OK, COMMERCE_ERROR */
int commerce_person_downlines_compare(commerce_reader_t *reader, commerce_txn_t *txn, uint64_t number, int64_t *count);
int commerce_group_read(commerce_reader_t *reader, uint32_t number, commerce_group_t *group, uint64_t *version);
int commerce_group_find(commerce_reader_t *reader, commerce_str_t id, commerce_group_t *group, uint64_t *version);
int commerce_room_read(commerce_reader_t *reader, uint32_t number, commerce_room_t *room, uint64_t *version);
int commerce_room_find(commerce_reader_t *reader, commerce_str_t id, commerce_room_t *room, uint64_t *version);
int commerce_channel_read(commerce_reader_t *reader, uint32_t number, commerce_channel_t *channel, uint64_t *version);
int commerce_channel_find(commerce_reader_t *reader, commerce_str_t id, commerce_channel_t *channel, uint64_t *version);
int commerce_landing_read(commerce_reader_t *reader, uint32_t number, commerce_landing_t *landing, uint64_t *version);
int commerce_landing_find(commerce_reader_t *reader, commerce_str_t id, commerce_landing_t *landing, uint64_t *version);
int commerce_retail_store_read(commerce_reader_t *reader, commerce_str_t id, commerce_retail_store_t *store, uint64_t *version);
int commerce_buyer_read(commerce_reader_t *reader, commerce_str_t user, commerce_buyer_t *buyer, uint64_t *version);
/*
 * The buyer whom this user is: follows other names (canonical), COMMERCE_ALIASES_MAX at most, a longer or circular way
 * is COMMERCE_ERROR.  *user becomes the name under which the record stands, and a new one has to be written.
 */
#define COMMERCE_ALIASES_MAX  8
int commerce_buyer_resolve(commerce_reader_t *reader, commerce_str_t *user, commerce_buyer_t *buyer, uint64_t *version);

/* has this user an order on record?  COMMERCE_OK, COMMERCE_ABSENT, COMMERCE_ERROR */
int commerce_buyer_ordered(commerce_reader_t *reader, commerce_str_t user);
int commerce_campaign_read(commerce_reader_t *reader, unsigned number, commerce_campaign_t *campaign, uint64_t *version);
int commerce_campaign_find(commerce_reader_t *reader, commerce_str_t id, commerce_campaign_t *campaign, uint64_t *version);
/* COMMERCE_ABSENT: a coupon that was never touched; issued, campaign and serial are set */
int commerce_coupon_read(commerce_reader_t *reader, unsigned campaign, uint32_t serial, commerce_coupon_t *coupon, uint64_t *version);
int commerce_order_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key, commerce_order_t *order, uint64_t *version);
int commerce_order_find(commerce_reader_t *reader, commerce_str_t id, commerce_order_t *order, uint64_t *version);

/*
 * A buyer's history: one entry for each change of owner, never changed afterwards.  Two changes in one second are
 * one entry, the later one.
 */
typedef struct {
    commerce_time_t    at;
    uint64_t           owner;           /* 0 = the house */
    uint64_t           previous;        /* until then; 0 = nobody */
    commerce_reason_t  reason;          /* BIND_* */
    commerce_source_t  source;          /* of the touch; NONE: there was none */
    commerce_time_t    start, end;      /* of the binding that began; COMMERCE_FOREVER */
} commerce_history_t;
/* the first entry later than `after`; COMMERCE_ABSENT: none */
int commerce_history_next(commerce_reader_t *reader, commerce_str_t user, commerce_time_t after, commerce_history_t *entry);
void commerce_history_add(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, const commerce_history_t *entry);
/* *whole: false when there is more of it than one transaction should delete */
int commerce_history_remove(commerce_reader_t *reader, commerce_txn_t *txn, commerce_str_t user, bool *whole);

/* in the transaction's arena; each also compares `version` (what get said), so a lost update cannot happen */
void commerce_person_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_person_t *person, uint64_t version,
    const commerce_person_t *before);   /* before: NULL when new; indexes and downline counters follow the difference */
void commerce_person_compare(commerce_txn_t *txn, commerce_str_t shop, uint64_t number, uint64_t version);  /* a conflict if written meanwhile */
void commerce_group_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_group_t *group, uint64_t version);
void commerce_room_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_room_t *room, uint64_t version);
void commerce_channel_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_channel_t *channel, uint64_t version);
void commerce_landing_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_landing_t *landing, uint64_t version);
void commerce_retail_store_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_retail_store_t *store, uint64_t version);
/* numbers are not given out again */
void commerce_landing_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_landing_t *landing, uint64_t version);
void commerce_retail_store_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, uint64_t version);
void commerce_buyer_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, const commerce_buyer_t *buyer, uint64_t version);
void commerce_buyer_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, uint64_t version);
void commerce_campaign_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_campaign_t *campaign, uint64_t version);
void commerce_coupon_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_coupon_t *coupon, uint64_t version);
/* moves the due and id indexes along with it; before: the order as read, NULL when new */
void commerce_order_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *order, uint64_t version,
    const commerce_order_t *before);
/* an older version kept no index of orders in doubt: one that is missing there joins it */
void commerce_order_list(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order, uint64_t version);
/* the same order in another user's scope: settled ones only */
void commerce_order_rename(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before, uint64_t version,
    commerce_str_t user);
/* the transaction applies only while the order is as it was read */
void commerce_order_compare(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, commerce_str_t key,
    uint64_t version);
void commerce_order_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before, uint64_t version);

/*
 * Who has this id of the backend's: COMMERCE_OK (user and key in the arena), COMMERCE_ABSENT, COMMERCE_ERROR.
 * vacant: the transaction applies only while no order has it.
 */
int commerce_order_owner(commerce_reader_t *reader, commerce_str_t id, commerce_str_t *user, commerce_str_t *key);
void commerce_order_vacant(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id);

/* whose is this key of the shop's?  COMMERCE_ABSENT: nobody's yet */
int commerce_order_key_user(commerce_reader_t *reader, commerce_str_t key, commerce_str_t *user);

/*
 * The order that has been in doubt longest, after the given place (empty: of all): since when, whose, which.
 * All of them point into the store.  COMMERCE_ABSENT at the end.
 */
int commerce_order_doubted(commerce_reader_t *reader, commerce_str_t after, commerce_str_t *place,
    commerce_time_t *since, commerce_str_t *user, commerce_str_t *key);

/*
 * Next free number ("person" | "group" | "room" | "campaign"): *number is what to use now; the
 * transaction takes it (compare and put), so two takers cannot get the same; several takers in one
 * transaction get consecutive ones.  COMMERCE_ABSENT: all up to max are taken.
 */
int commerce_number_take(commerce_reader_t *reader, commerce_txn_t *txn, const char *kind, uint64_t max, uint64_t *number);

/* counters */
commerce_str_t commerce_counter_total(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign);
commerce_str_t commerce_counter_user(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign, commerce_str_t user);
/* any of a campaign's: see commerce_count.h for who counts what */
commerce_str_t commerce_counter_campaign(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, bool money, int32_t day, commerce_str_t name);
commerce_str_t commerce_counter_doubt(commerce_arena_t *arena, commerce_str_t shop);

/*
 * The order that is due first, at or before now: COMMERCE_ABSENT when none is.  COMMERCE_ERROR with a user
 * and key: this one cannot be read (log it; due_after() goes on behind it); without: the store failed.
 */
int commerce_order_due(commerce_reader_t *reader, commerce_time_t now, commerce_order_t *order, uint64_t *version);

/* like due, for orders after the given one: skips those that could not be handled now */
int commerce_order_due_after(commerce_reader_t *reader, commerce_time_t now, const commerce_order_t *after,
    commerce_order_t *order, uint64_t *version);

/* what parked notices wait for */
typedef struct {
    enum {
        COMMERCE_PARKED_ID,             /* an order of this id */
        COMMERCE_PARKED_PAYMENT,        /* an order that names this payment */
        COMMERCE_PARKED_TRANSACTION,    /* a payment with this transaction */
        COMMERCE_PARKED_ORDER           /* the payment of this order */
    }               kind;
    commerce_str_t  name;               /* ORDER: the key */
    commerce_str_t  user;               /* ORDER: whose */
} commerce_parked_for_t;
int commerce_parked_read(commerce_reader_t *reader, const commerce_parked_for_t *what, commerce_parked_t *parked, uint64_t *version);
void commerce_parked_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_parked_for_t *what, const commerce_parked_t *parked, uint64_t version);
bool commerce_parked_fits(const commerce_parked_t *parked);     /* into one record */
void commerce_parked_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_parked_for_t *what, uint64_t version);
/* the transaction applies only while nothing is parked for this */
void commerce_parked_vacant(commerce_txn_t *txn, commerce_str_t shop, const commerce_parked_for_t *what);
/* what a record of kind Q waits for, from its name; points into it */
int commerce_parked_parse(commerce_str_t name, commerce_parked_for_t *what);

int commerce_payment_read(commerce_reader_t *reader, commerce_str_t id, commerce_payment_t *payment, uint64_t *version);
void commerce_payment_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_payment_t *payment, uint64_t version);

void commerce_payment_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, uint64_t version);

/* whose a transaction is: a payment's, or that of an order alone */
typedef struct {
    commerce_str_t  payment;            /* empty: none */
    commerce_str_t  user, key;          /* the order; key empty: payment */
} commerce_transaction_owner_t;
int commerce_transaction_read(commerce_reader_t *reader, commerce_str_t id, commerce_transaction_owner_t *owner, uint64_t *version);
void commerce_transaction_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, const commerce_transaction_owner_t *owner, uint64_t version);
/* together with the payment or order that has it */
void commerce_transaction_remove(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id);
void commerce_transaction_compare(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id, uint64_t version);

/* a refund is written once, with its entry in the order's list; version: 0, but where its order's user is renamed */
int commerce_refund_read(commerce_reader_t *reader, commerce_str_t number, commerce_refund_t *refund, uint64_t *version);
void commerce_refund_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_refund_t *refund, uint64_t version);
/*
 * The order's user becomes another (commerce_order_rename): so it does in its payments, transactions, refunds and
 * in what waits for it.  COMMERCE_OK or COMMERCE_ERROR: one of them cannot be read.
 */
int commerce_order_rename_sale(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order, commerce_str_t user);
void commerce_refund_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_refund_t *refund);
/* the order's refund whose number follows `after` (empty: the first); COMMERCE_ABSENT at the end */
int commerce_refund_next(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key, commerce_str_t after, commerce_refund_t *refund);

/*
 * What was split of an order.  write: none left: the record goes.  rename: the order's user becomes another;
 * COMMERCE_OK or COMMERCE_ERROR.  remove: together with the order.
 */
int commerce_splits_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key, commerce_splits_t *splits,
    uint64_t *version);
void commerce_splits_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, commerce_str_t key,
    const commerce_splits_t *splits, uint64_t version);
int commerce_splits_rename(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    commerce_str_t user);
void commerce_splits_remove(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order);

/* the coupon that a user's claim was answered with; write: only where there is none */
typedef struct {
    unsigned         campaign;
    uint32_t         serial;
    commerce_time_t  time;
} commerce_claim_t;
int commerce_claim_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t slot, commerce_claim_t *claim);
void commerce_claim_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user, commerce_str_t slot,
    const commerce_claim_t *claim);
/* a user's claims, one by one: *slot is empty at first, and then what the call before set; COMMERCE_ABSENT at the end */
int commerce_claim_next(commerce_reader_t *reader, commerce_str_t user, commerce_str_t *slot, commerce_claim_t *claim);
commerce_str_t commerce_counter_claims(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, int32_t day, commerce_str_t name);

/* what was redeemed in a shop under a request number, which is never given to another redemption */
typedef struct {
    commerce_str_t   request;
    unsigned         campaign;
    uint32_t         serial;
    commerce_str_t   verifier, store;   /* ids; store may be empty */
    commerce_fen_t   amount, discount;  /* -1 = not known */
    commerce_time_t  time;
    commerce_time_t  rolled_back;       /* 0 = not */
} commerce_redemption_t;
int commerce_redemption_read(commerce_reader_t *reader, commerce_str_t request, commerce_redemption_t *redemption,
    uint64_t *version);
void commerce_redemption_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_redemption_t *redemption,
    uint64_t version);

/* plan: its version, 0 = the one in force.  write: plan->version is the next one; version: of the record in force */
int commerce_commission_read(commerce_reader_t *reader, uint32_t plan, commerce_commission_plan_t *found,
    uint64_t *version);
void commerce_commission_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_commission_plan_t *plan,
    uint64_t version);

/* a prefix for scans: "<shop>/<kind>/" */
commerce_str_t commerce_record_prefix(commerce_arena_t *arena, commerce_str_t shop, char kind);
/* decoders for scans (values as commerce_view_next gives them) */
int commerce_person_decode(commerce_arena_t *arena, commerce_str_t value, commerce_person_t *person);
int commerce_coupon_decode(commerce_arena_t *arena, commerce_str_t value, commerce_coupon_t *coupon);
int commerce_refund_decode(commerce_arena_t *arena, commerce_str_t value, commerce_refund_t *refund);
int commerce_order_decode(commerce_arena_t *arena, commerce_str_t value, commerce_order_t *order);
int commerce_campaign_decode(commerce_arena_t *arena, commerce_str_t value, commerce_campaign_t *campaign);
int commerce_commission_decode(commerce_arena_t *arena, commerce_str_t value, commerce_commission_plan_t *plan);
int commerce_splits_decode(commerce_arena_t *arena, commerce_str_t value, commerce_splits_t *splits);
int commerce_claim_decode(commerce_str_t value, commerce_claim_t *claim);
int commerce_redemption_decode(commerce_arena_t *arena, commerce_str_t value, commerce_redemption_t *redemption);

#endif
