/*
 * Copyright (C) ngx_commerce authors
 *
 * One transaction of the ledger in the making; for the commerce_ledger*.c files only.
 *
 * A notice may move several orders (a payment covers them), and what was parked may move each of them further,
 * while the view still shows what was before.  So every record is read once, changed in here, and written once,
 * at the end.
 */

#ifndef COMMERCE_LEDGER_UNIT_H
#define COMMERCE_LEDGER_UNIT_H

#include "commerce_ledger_coupons.h"

typedef struct commerce_ledger_payment_s      commerce_ledger_payment_t;
typedef struct commerce_ledger_transaction_s  commerce_ledger_transaction_t;
typedef struct commerce_ledger_parked_s       commerce_ledger_parked_t;
typedef struct commerce_ledger_number_s       commerce_ledger_number_t;

struct commerce_ledger_payment_s {
    commerce_payment_t          payment;
    uint64_t                    version;
    bool                        dirty;
    commerce_ledger_payment_t  *next;
};

struct commerce_ledger_transaction_s {
    commerce_str_t                  id;
    commerce_transaction_owner_t    owner;
    uint64_t                        version;
    bool                            known;
    bool                            dirty;
    commerce_ledger_transaction_t  *next;
};

struct commerce_ledger_parked_s {
    commerce_parked_for_t      what;
    commerce_parked_t          parked;
    uint64_t                   version;
    bool                       dirty;
    commerce_ledger_parked_t  *next;
};

struct commerce_ledger_number_s {           /* a refund that is written in this unit */
    const commerce_refund_t   *refund;
    commerce_ledger_number_t  *next;
};

typedef struct commerce_ledger_unit_s {
    commerce_ledger_t              *ledger;
    commerce_ledger_work_t         *works;          /* the latest first */
    commerce_ledger_payment_t      *payments;
    commerce_ledger_transaction_t  *transactions;
    commerce_ledger_parked_t       *parked;
    commerce_ledger_number_t       *refunds;
    bool                            failed;         /* INTERNAL: nothing may be applied */
} commerce_ledger_unit_t;

/* commerce_ledger_unit.c: what is read, and the writing of it */

void commerce_ledger_start(commerce_ledger_unit_t *unit, commerce_ledger_t *ledger);

/* an order that the caller has read: order is changed in place; work and before are the caller's memory */
void commerce_ledger_attend(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work, commerce_order_t *order,
    commerce_order_t *before, uint64_t version);

/* this order's work; NULL: there is none, or it failed */
commerce_ledger_work_t *commerce_ledger_order(commerce_ledger_unit_t *unit, commerce_str_t user, commerce_str_t key);

/* NULL: it failed; a payment that nobody told of is empty */
commerce_ledger_payment_t *commerce_ledger_payment(commerce_ledger_unit_t *unit, commerce_str_t id);
commerce_ledger_transaction_t *commerce_ledger_transaction(commerce_ledger_unit_t *unit, commerce_str_t id);
commerce_ledger_parked_t *commerce_ledger_parked(commerce_ledger_unit_t *unit, const commerce_parked_for_t *what);

/* what became of the order, for whoever asks: the first thing that is more than "done before", and not plain OK */
void commerce_ledger_note(commerce_ledger_work_t *work, commerce_reason_t reason);

/* one step with its coupons and event */
commerce_effect_t commerce_ledger_move(commerce_ledger_work_t *work, commerce_step_t step,
    const commerce_answer_t *answer, bool taken);

/* all that changed; OK or INTERNAL */
commerce_reason_t commerce_ledger_finish(commerce_ledger_unit_t *unit);


/* commerce_ledger_payment.c: money */

/* a PAID notice; work: the order that it names, or NULL.  OK, ORDER_REPLAY, or a refusal (deny) */
commerce_reason_t commerce_ledger_receive(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice);

/* the order's answer names its payment */
void commerce_ledger_cover(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work, commerce_str_t payment);

/* the payment as it is now, once money came: no single order's event tells of all of it */
void commerce_ledger_payment_event(commerce_ledger_unit_t *unit, const commerce_payment_t *payment);

/* the order's receipts changed, or what it has to bring did */
void commerce_ledger_pay(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work);


/* commerce_ledger_refund.c: a REFUNDED notice about an order that was paid.  OK, ORDER_REPLAY, or a refusal */
commerce_reason_t commerce_ledger_refund(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work,
    const commerce_notice_t *notice);


/* commerce_ledger_parked.c: what became of a notice (NULL: of all that waited for this); buyer: of an order */
typedef enum {
    COMMERCE_LEDGER_PARKED,
    COMMERCE_LEDGER_JOINED,
    COMMERCE_LEDGER_DROPPED
} commerce_ledger_waiting_t;
void commerce_ledger_parked_event(commerce_ledger_unit_t *unit, const commerce_parked_for_t *what, commerce_str_t buyer,
    const commerce_notice_t *notice, commerce_ledger_waiting_t state);


/* commerce_ledger_binding.c: orders that are paid now make their buyers' bindings longer */
void commerce_ledger_bindings(commerce_ledger_unit_t *unit);


/* commerce_ledger_terms.c: the rates of the order's lines, by this version of the plan; 0 = the one in force */
void commerce_ledger_terms(commerce_ledger_t *ledger, commerce_order_t *order, uint32_t plan);


/* commerce_ledger_notice.c: what waits */

/* all that waits for this is told to the order */
void commerce_ledger_join(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work, const commerce_parked_for_t *what);

/* ... for the order's payment */
void commerce_ledger_join_order(commerce_ledger_unit_t *unit, commerce_ledger_work_t *work);

#endif
