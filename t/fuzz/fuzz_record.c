/*
 * Copyright (C) ngx_commerce authors
 *
 * libFuzzer target: a broken record.  The first byte says of which kind; what of an order's life can be read can be
 * written, and is the same then.
 */

#include <stdlib.h>

#include "commerce_record.h"

static commerce_str_t fuzz_again(commerce_arena_t *arena, commerce_txn_t *txn, uint8_t kind,
    commerce_str_t value);
static void fuzz_check(bool condition);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    commerce_str_t     value, once, twice;
    commerce_txn_t     txn;
    commerce_heap_t   *heap;
    commerce_arena_t  *arena;

    heap = commerce_heap_create();

    if (heap == NULL || size == 0) {
        commerce_heap_destroy(heap);
        return 0;
    }

    arena = commerce_heap_arena(heap);
    value = (commerce_str_t) { (const char *) data + 1, size - 1 };

    commerce_txn_init(&txn, arena);
    once = fuzz_again(arena, &txn, data[0], value);

    if (once.len != 0) {
        commerce_txn_init(&txn, arena);
        twice = fuzz_again(arena, &txn, data[0], once);
        fuzz_check(commerce_equal(once, twice));
    }

    commerce_heap_destroy(heap);

    return 0;
}


/* the first record that was written; empty: it cannot be read, or not be a key */

static commerce_str_t
fuzz_again(commerce_arena_t *arena, commerce_txn_t *txn, uint8_t kind, commerce_str_t value)
{
    bool                 read;
    unsigned             i;
    commerce_order_t     order;
    commerce_coupon_t    coupon;
    commerce_refund_t    refund;
    commerce_splits_t    splits;
    commerce_campaign_t  campaign;

    read = false;

    switch (kind % 5) {

    case 0:
        read = commerce_order_decode(arena, value, &order) == COMMERCE_OK;

        if (read) {
            commerce_order_write(txn, commerce_string("s"), &order, 0, NULL);
        }

        break;

    case 1:
        read = commerce_coupon_decode(arena, value, &coupon) == COMMERCE_OK;

        if (read) {
            commerce_coupon_write(txn, commerce_string("s"), &coupon, 0);
        }

        break;

    case 2:
        read = commerce_refund_decode(arena, value, &refund) == COMMERCE_OK;

        if (read) {
            commerce_refund_write(txn, commerce_string("s"), &refund, 0);
        }

        break;

    case 3:
        read = commerce_splits_decode(arena, value, &splits) == COMMERCE_OK && splits.count != 0;

        if (read) {
            commerce_splits_write(txn, commerce_string("s"), commerce_string("u"), commerce_string("k"), &splits, 0);
        }

        break;

    default:
        (void) commerce_campaign_decode(arena, value, &campaign);
    }

    for (i = 0; read && !txn->failed && i < txn->count; i++) {
        if (txn->ops[i].kind == COMMERCE_OP_PUT) {
            return txn->ops[i].value;
        }
    }

    return commerce_string("");
}


static void
fuzz_check(bool condition)
{
    if (!condition) {
        abort();
    }
}
