/*
 * Copyright (C) ngx_commerce authors
 *
 * Notices: what somebody tells of an order after it was made.  A notice that comes before what it tells of is
 * kept with all its facts, and joined when that turns up.
 *
 *   PAID       money came; without payment, transaction and amount: the order is paid
 *   CANCELLED  the order does not stand any more
 *   REFUNDED   a refund happened
 *   SETTLED    after-sale time is over
 *
 * Which order: by the backend's id, by user and key, by payment or by transaction.  A PAID notice that names an
 * order and a payment ties them together.
 */

#ifndef COMMERCE_NOTICE_H
#define COMMERCE_NOTICE_H

#include "commerce_refund.h"

typedef struct {
    commerce_step_t          kind;          /* COMMERCE_STEP_PAID, _CANCELLED, _REFUNDED, _SETTLED */
    commerce_time_t          time;          /* when it came */
    commerce_str_t           id;            /* all texts: empty = not named */
    commerce_str_t           user, key;
    commerce_str_t           payment, transaction;
    commerce_fen_t           amount;        /* PAID, REFUNDED; -1 = not named */
    commerce_str_t           refund;        /* REFUNDED: its number */
    commerce_fen_t           freight;       /* REFUNDED: of the amount */
    commerce_refund_line_t  *lines;         /* REFUNDED: as told */
    unsigned                 line_count;
} commerce_notice_t;

/* paid, cancelled, refunded, settled; NULL: no notice tells of such a step */
const char *commerce_notice_name(commerce_step_t kind);
int commerce_notice_parse(commerce_str_t name, commerce_step_t *kind);

/* notices that wait for one thing */
#define COMMERCE_PARKED_MAX  64

typedef struct {
    commerce_notice_t  *notices;            /* in the order in which they are joined */
    unsigned            count;
} commerce_parked_t;

/*
 * Keeps one more, where joining goes: cancellations, then payments, refunds, settlements, each as they came.
 * OK; ORDER_REPLAY: it is kept already; REFUND_KEY_REUSED, TRANSACTION_REUSED: as one of that number, with other
 * content; NOTICE_LIMIT; INTERNAL.
 */
commerce_reason_t commerce_notice_park(commerce_arena_t *arena, commerce_parked_t *parked,
    const commerce_notice_t *notice);

#endif
