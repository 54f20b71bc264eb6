/*
 * Copyright (C) ngx_commerce authors
 *
 * The store's invariants: records (commerce_cli_check*.c) and what must add up over all of them
 * (commerce_cli_tally.c).
 */

#ifndef COMMERCE_CLI_CHECK_H
#define COMMERCE_CLI_CHECK_H

#include "../commerce_count.h"
#include "../commerce_path.h"
#include "commerce_cli.h"

typedef struct {
    uint64_t  number, upline;
    uint64_t  downlines;            /* counted */
    unsigned  depth;
    bool      salaried;
    bool      walked;
    bool      looping;
} commerce_cli_check_person_t;

typedef struct {
    uint64_t  counter;              /* hash of its name */
    int64_t   n;
} commerce_cli_check_use_t;

/* records that have numbers */
enum {
    COMMERCE_CLI_CHECK_PERSON,
    COMMERCE_CLI_CHECK_GROUP,
    COMMERCE_CLI_CHECK_ROOM,
    COMMERCE_CLI_CHECK_CAMPAIGN,
    COMMERCE_CLI_CHECK_CHANNEL,
    COMMERCE_CLI_CHECK_LANDING,
    COMMERCE_CLI_CHECK_NUMBERS
};

typedef struct {
    commerce_cli_t               *cli;
    FILE                         *out;          /* violations and remarks */
    uint64_t                      violations;
    uint64_t                      records;
    commerce_cli_check_person_t  *persons;      /* by number */
    size_t                        person_count, person_room;
    commerce_cli_check_use_t     *uses;         /* one for each counter that a use stands in */
    size_t                        use_count, use_room;
    int64_t                       totals[COMMERCE_CODE_CAMPAIGN_MAX + 1];
    int64_t                       claims[COMMERCE_CODE_CAMPAIGN_MAX + 1];
    bool                          closed[COMMERCE_CODE_CAMPAIGN_MAX + 1];   /* of which coupons were let go */
    int64_t                       doubt;
    unsigned                      imported_campaign;    /* of the last imported code, and how many it has */
    uint32_t                      imported_minted;
    uint64_t                      highest[COMMERCE_CLI_CHECK_NUMBERS];
} commerce_cli_check_t;

/* one violation, with the shop before it */
void commerce_cli_check_say(commerce_cli_check_t *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* what may be as it is meant: shown, but no violation */
void commerce_cli_check_note(commerce_cli_check_t *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* is this the record's key? */
bool commerce_cli_check_key(const commerce_cli_record_t *record, const commerce_path_t *path);
/* a number that was given out */
void commerce_cli_check_highest(commerce_cli_check_t *check, unsigned kind, uint64_t number);
/* a person that a record names; 0: nobody */
void commerce_cli_check_named(commerce_cli_check_t *check, const char *what, const char *name, uint64_t person);

/* commerce_cli_check_directory.c */
int commerce_cli_check_person(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_person_index(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_place(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_place_index(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_retail_store(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);

/* commerce_cli_check_index.c */
void commerce_cli_check_due(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_doubt(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_in_doubt(commerce_cli_check_t *check, const commerce_order_t *order, const char *name);
void commerce_cli_check_shop_key(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
int commerce_cli_check_outbox(commerce_cli_t *cli, FILE *out, uint64_t *violations);

/* every record of the shop alone and against those it names */
int commerce_cli_check_records(commerce_cli_check_t *check);

/* commerce_cli_check_claim.c */
void commerce_cli_check_claim(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_redemption(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_redeemed(commerce_cli_check_t *check, const commerce_coupon_t *coupon, const char *name);
/* is this a counter of claims?  Then its value was looked at */
bool commerce_cli_check_claims(commerce_cli_check_t *check, commerce_str_t name, int64_t value);

/* of kinds q, Q, m, M, F, f: payments, refunds, and what waits (commerce_cli_check_money.c) */
void commerce_cli_check_money(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);
void commerce_cli_check_sale(commerce_cli_check_t *check, const commerce_order_t *order, const char *name);

/* what was counted meanwhile, against the counters; COMMERCE_CLI_FAILED when memory ran out */
int commerce_cli_tally_person(commerce_cli_check_t *check, const commerce_person_t *person);
int commerce_cli_tally_use(commerce_cli_check_t *check, const commerce_coupon_t *coupon);
int commerce_cli_tally(commerce_cli_check_t *check);
void commerce_cli_tally_done(commerce_cli_check_t *check);

/* commerce_cli_check_commission.c: a record of kind z */
void commerce_cli_check_commission(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name);

#endif
