/*
 * Copyright (C) ngx_commerce authors
 *
 * Event bodies: one JSON object each, schema version 1 (t/event.schema.json).
 *
 *   v 1 | id UUIDv7 | type | ts microseconds | shop | ... the type's members ... | fp
 *
 * fp: 16 hex digits, commerce_event_fp() of the members between shop and fp, commas between them included:
 * two events of one type that say the same have the same fp.
 * The line's own members (node, epoch, worker, seq, config, chain) are added by store/commerce_log.h.
 * Buyers appear only as pseudonyms ("buyer"), coupons as campaign and serial, never as codes.
 */

#ifndef COMMERCE_EVENT_H
#define COMMERCE_EVENT_H

#include "commerce_commission.h"

#define COMMERCE_EVENT_ESCAPE  6        /* bytes that one byte of a text can become */
#define COMMERCE_EVENT_MAX  65536       /* bytes of one body; an order of the largest kind may take more */

/*
 * Where ids come from; zeroed at first, one per process, owned by the caller: not to be carried through a
 * fork once it was used, or both sides make the same ids.
 */
typedef struct {
    uint8_t   random[512];              /* refilled from the system's generator by commerce_event_id() */
    unsigned  random_used;
    bool      ready;
} commerce_event_source_t;

#define COMMERCE_EVENT_ID  36
/* a UUIDv7 for this moment; COMMERCE_ERROR when there is no randomness */
int commerce_event_id(commerce_event_source_t *source, int64_t now_us, char out[COMMERCE_EVENT_ID]);

/* starts a body in buffer; w is then open for the type's members */
int commerce_event_start(commerce_write_t *w, char *buffer, size_t size, commerce_event_source_t *source,
    const char *type, commerce_str_t shop, int64_t now_us);
/* adds fp and closes; the body, or an empty string when it did not fit */
commerce_str_t commerce_event_finish(commerce_write_t *w);

/*
 * h = 0xcbf29ce484222325; for each 8 bytes, little endian, the last ones filled up with zeros, and then for
 * the number of bytes: h = (h xor it) * 0x9e3779b97f4a7c15 mod 2^64, h = h xor (h >> 32).
 */
uint64_t commerce_event_fp(commerce_str_t members);

/* bytes that an event about this order takes at most: what its buffer must have, often far below EVENT_MAX */
size_t commerce_event_order_size(const commerce_order_t *order);

/* members of an order: key, order id, state, amounts, lines with seller and tier2 each, credits, coupons */
void commerce_event_write_order(commerce_write_t *w, const commerce_order_t *order);

/*
 * Commissions (commerce_event_commission.c): member commission of an order, rates of a line.  balance: NULL before any
 * money came.  reversal: member commission of a refund, what it takes from whom.  size: of all, but the reversal.
 */
size_t commerce_event_commission_size(const commerce_order_t *order);
void commerce_event_write_commission(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance);
void commerce_event_write_rates(commerce_write_t *w, const commerce_order_t *order, const commerce_rates_t *rates);
void commerce_event_write_reversal(commerce_write_t *w, const commerce_order_t *order, const commerce_balance_t *before,
    const commerce_balance_t *after);

/*
 * Members of a bind event (commerce_event_binding.c): who, from whom, from which state, why, by which touch (NONE: by
 * none), and the binding's times.
 */
typedef struct {
    commerce_str_t             buyer;       /* pseudonym */
    commerce_str_t             seller;      /* external ids; empty: the house */
    commerce_str_t             previous;    /* empty: nobody, or the same */
    commerce_binding_state_t   from;
    commerce_reason_t          reason;
    commerce_source_t          source;
    const commerce_binding_t  *binding;
} commerce_event_binding_t;
void commerce_event_write_binding(commerce_write_t *w, const commerce_event_binding_t *event);

/* member told: whom a revision names */
void commerce_event_write_told(commerce_write_t *w, const commerce_credit_t *credit);

/* members seller, tier2, group, room, channel, field, origin, platform, source, contributors[], assist */
void commerce_event_write_credits(commerce_write_t *w, const commerce_order_t *order);

#endif
