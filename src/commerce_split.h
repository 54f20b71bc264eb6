/*
 * Copyright (C) ngx_commerce authors
 *
 * Splits (分账): may a platform be told to pay these receivers out of this order?  Judged by the order's snapshot,
 * before the request goes on: what was split to a person cannot be taken back (WeChat Pay, "split returns").
 *
 * A receiver is paid
 *   as a tier   he is the credited seller of some line, or that line's tier 2, in the order's snapshot
 *   as a role   somebody who is no tier: by the directory salaried, agency or dealer; or, if the directory does not
 *               know him, by what the request declares (COMMERCE_SPLIT_ROLES).  Who stands above a credited seller is
 *               never a role: he would be a third tier.
 * Tiers get at most what the order's commission plan gave them (commerce_commission.h); without a plan, all tiers
 * together COMMERCE_COMMISSION_CAP of what their lines have brought.  All receivers together get at most what was
 * paid less what was given back, and where the plan says cap_over "all", at most the cap.
 *
 * All of that over all splits of the order: each has a number, by which it is known again.  What was told to a platform
 * counts from then on, whether it answered or not, until it is known that it was refused.
 */

#ifndef COMMERCE_SPLIT_H
#define COMMERCE_SPLIT_H

#include "commerce_commission.h"
#include "commerce_json.h"
#include "commerce_lineage.h"

#define COMMERCE_SPLIT_RECEIVERS_MAX  50    /* in one request: WeChat Pay's limit */
#define COMMERCE_SPLIT_THIRD_MAX       4
#define COMMERCE_SPLITS_MAX           50    /* of one order: as well */

/* roles that a request may declare */
#define COMMERCE_SPLIT_ROLES  "platform, merchant, agency, dealer, staff, service_provider"

/* where the body has what; pointers into the body, or (account, amount, role) into a receiver */
typedef struct {
    commerce_str_t   receivers;
    commerce_str_t   account, amount;
    commerce_str_t   role;                  /* empty: roles are not declared */
    commerce_str_t   number;                /* the split's own number */
    commerce_str_t   third[COMMERCE_SPLIT_THIRD_MAX];   /* members that only a third tier has; "*" is allowed */
    unsigned         third_count;
    commerce_unit_t  unit;
    bool             wechat;                /* WeChat Pay v3: a receiver's type tells merchants from persons */
} commerce_split_map_t;

typedef struct {
    commerce_str_t            account;
    commerce_fen_t            amount;
    commerce_str_t            role;         /* declared; empty = none */
    bool                      known;        /* the directory has him: */
    commerce_person_t         person;
} commerce_split_receiver_t;

typedef struct {
    commerce_str_t             number;
    commerce_split_receiver_t  receivers[COMMERCE_SPLIT_RECEIVERS_MAX];
    unsigned                   count;
    commerce_fen_t             amount;      /* of all receivers that were read */
    unsigned                   receiver;    /* whom the reason is about, from 1; 0 = nobody, or all of them */
} commerce_split_t;

/* what an earlier split of the order paid to one of its tiers */
typedef struct {
    uint64_t                   person;
    commerce_fen_t             amount;
} commerce_split_share_t;

/* a split that went on */
typedef struct {
    commerce_str_t             number;
    uint8_t                    content[COMMERCE_FINGERPRINT];
    commerce_time_t            time;        /* of the first try */
    unsigned                   tries;
    commerce_fen_t             amount;      /* of all receivers */
    commerce_split_share_t    *shares;
    unsigned                   share_count;
} commerce_split_past_t;

/* those of one order, oldest first */
typedef struct {
    commerce_split_past_t     *past;
    unsigned                   count;
} commerce_splits_t;

/*
 * Reads the body.  OK; SPLIT_MALFORMED (a member is missing or of the wrong kind, an amount finer than a fen),
 * SPLIT_TOO_MANY_RECEIVERS, SPLIT_NEGATIVE, SPLIT_OVERFLOW, TIER3_PRESENT (a member of a third tier is there,
 * whatever its value, but null), BODY_DUPLICATE_MEMBER.  Strings point into the tree.
 */
commerce_reason_t commerce_split_read(commerce_json_t *body, const commerce_split_map_t *map, commerce_split_t *split);

/*
 * Judges it beside the order's others; known and person of each receiver are set.  get() is asked for sellers, and for
 * everybody above them.  pay_frozen: tier 2 is paid also where tier 1 is suspended.  content: a hash of the receivers.
 * OK; SPLIT_REPLAY: it went on before, and is judged as if it had not; TIER3_PRESENT, TIER_DUPLICATE_PAYEE,
 * TIER_FROZEN, SPLIT_PAYEE_UNDECLARED; SPLIT_NOT_PAID (not yet, or not wholly), SPLIT_AFTER_REFUND,
 * SPLIT_SUM_EXCEEDS_ORDER (also: nobody knows what was paid), SPLIT_SUM_EXCEEDS_CAP; SPLIT_KEY_REUSED (another content
 * under this number), SPLIT_LIMIT; STORE_UNAVAILABLE (get() failed).
 */
commerce_reason_t commerce_split_judge(commerce_split_t *split, const uint8_t content[COMMERCE_FINGERPRINT],
    const commerce_splits_t *splits, const commerce_order_t *order, bool pay_frozen, commerce_person_get_t get, void *data);

/* the one of this number; NULL: there is none */
commerce_split_past_t *commerce_splits_find(const commerce_splits_t *splits, commerce_str_t number);

/* it goes on: one more, or one more try.  COMMERCE_ERROR: memory ran out */
int commerce_splits_add(commerce_arena_t *arena, commerce_splits_t *splits, const commerce_split_t *split,
    const uint8_t content[COMMERCE_FINGERPRINT], const commerce_order_t *order, commerce_time_t now);

/* it was not carried out: forgotten.  false: there is none */
bool commerce_splits_release(commerce_splits_t *splits, commerce_str_t number);

#endif
