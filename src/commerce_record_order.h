/*
 * Copyright (C) ngx_commerce authors
 *
 * An order's record and its indexes; for commerce_record_order*.c only.
 */

#ifndef COMMERCE_RECORD_ORDER_H
#define COMMERCE_RECORD_ORDER_H

#include "commerce_codec.h"
#include "commerce_path.h"

/* commerce_record_order_codec.c: could this order be read again as it is? */
bool commerce_order_storable(const commerce_order_t *order);
commerce_str_t commerce_order_encode(commerce_arena_t *arena,
    const commerce_order_t *order);

/* commerce_record_order_index.c: from what led to `before` (NULL: nothing) to what leads to `order` (NULL: nothing) */
void commerce_order_move_due(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
void commerce_order_move_doubt(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
void commerce_order_move_key(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
void commerce_order_move_id(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);

/* an index's entry that leads to another place now */
void commerce_order_repoint(commerce_txn_t *txn, commerce_str_t shop, char kind,
    commerce_str_t name, commerce_str_t value);

/* a key that goes; nothing is compared */
void commerce_order_delete(commerce_txn_t *txn, const commerce_path_t *key);

#endif
