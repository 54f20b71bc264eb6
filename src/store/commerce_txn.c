/*
 * Copyright (C) ngx_commerce authors
 *
 * Building a transaction: a growing list of operations in an arena.  Mistakes are remembered in
 * txn->failed, so that rules can append without looking at each result.
 */

#include "commerce_store.h"


#define COMMERCE_TXN_ROOM  16


static commerce_op_t *commerce_txn_append(commerce_txn_t *txn, commerce_op_kind_t kind);
static commerce_op_t *commerce_txn_keyed(commerce_txn_t *txn, commerce_op_kind_t kind,
    commerce_str_t key);
static bool commerce_txn_key_valid(commerce_str_t key);
static bool commerce_txn_add_merge(commerce_txn_t *txn, commerce_str_t key, int64_t n, int64_t cap,
    int tag);


void
commerce_txn_init(commerce_txn_t *txn, commerce_arena_t *arena)
{
    memset(txn, 0, sizeof(commerce_txn_t));

    txn->arena = arena;
    txn->result = COMMERCE_TXN_UNAVAILABLE;
}


void
commerce_txn_compare(commerce_txn_t *txn, commerce_str_t key, uint64_t version)
{
    commerce_op_t  *op;

    op = commerce_txn_keyed(txn, COMMERCE_OP_COMPARE, key);

    if (op != NULL) {
        op->version = version;
    }
}


void
commerce_txn_put(commerce_txn_t *txn, commerce_str_t key, commerce_str_t value)
{
    commerce_op_t  *op;

    if (value.len > COMMERCE_VALUE_MAX) {
        txn->failed = true;
        return;
    }

    op = commerce_txn_keyed(txn, COMMERCE_OP_PUT, key);

    if (op != NULL) {
        op->value = value;
    }
}


void
commerce_txn_format(commerce_txn_t *txn, unsigned format)
{
    if (format > txn->format) {
        txn->format = format;
    }
}


void
commerce_txn_delete(commerce_txn_t *txn, commerce_str_t key)
{
    (void) commerce_txn_keyed(txn, COMMERCE_OP_DELETE, key);
}


void
commerce_txn_add(commerce_txn_t *txn, commerce_str_t key, int64_t n, int64_t cap, int tag)
{
    commerce_op_t  *op;

    if (commerce_txn_add_merge(txn, key, n, cap, tag)) {
        return;
    }

    op = commerce_txn_keyed(txn, COMMERCE_OP_ADD, key);

    if (op != NULL) {
        op->n = n;
        op->cap = cap;
        op->tag = tag;
    }
}


void
commerce_txn_event(commerce_txn_t *txn, commerce_str_t body)
{
    commerce_op_t  *op;

    /* the log adds members before the last brace: another body than an object would block it */

    if (body.len < 3 || body.len > COMMERCE_VALUE_MAX
        || body.data[0] != '{' || body.data[body.len - 1] != '}'
        || memchr(body.data, '\n', body.len) != NULL)
    {
        txn->failed = true;
        return;
    }

    op = commerce_txn_append(txn, COMMERCE_OP_EVENT);

    if (op != NULL) {
        op->value = body;
    }
}


static commerce_op_t *
commerce_txn_keyed(commerce_txn_t *txn, commerce_op_kind_t kind, commerce_str_t key)
{
    commerce_op_t  *op;

    if (!commerce_txn_key_valid(key)) {
        txn->failed = true;
        return NULL;
    }

    op = commerce_txn_append(txn, kind);

    if (op != NULL) {
        op->key = key;
    }

    return op;
}


static commerce_op_t *
commerce_txn_append(commerce_txn_t *txn, commerce_op_kind_t kind)
{
    unsigned        room;
    commerce_op_t  *ops;

    if (txn->count == txn->room) {
        room = txn->room == 0 ? COMMERCE_TXN_ROOM : txn->room * 2;
        ops = room > txn->room ? commerce_alloc(txn->arena, room * sizeof(commerce_op_t)) : NULL;

        if (ops == NULL) {
            txn->failed = true;
            return NULL;
        }

        if (txn->count > 0) {
            memcpy(ops, txn->ops, txn->count * sizeof(commerce_op_t));
        }

        txn->ops = ops;
        txn->room = room;
    }

    ops = &txn->ops[txn->count++];
    memset(ops, 0, sizeof(commerce_op_t));
    ops->kind = kind;

    return ops;
}


static bool
commerce_txn_key_valid(commerce_str_t key)
{
    /* 0x00 and 0xff begin the store's own keys */

    return key.len > 0 && key.len <= COMMERCE_KEY_MAX
           && key.data[0] != '\0' && (uint8_t) key.data[0] != 0xff;
}


/*
 * One key is counted once per transaction, or two additions would each pass a cap that they exceed
 * together.  A record that this transaction also puts or deletes is no counter: refused.
 */

static bool
commerce_txn_add_merge(commerce_txn_t *txn, commerce_str_t key, int64_t n, int64_t cap, int tag)
{
    unsigned        i;
    commerce_op_t  *op;

    for (i = 0; i < txn->count; i++) {
        op = &txn->ops[i];

        if (op->kind == COMMERCE_OP_COMPARE || op->kind == COMMERCE_OP_EVENT
            || !commerce_equal(op->key, key))
        {
            continue;
        }

        if (op->kind != COMMERCE_OP_ADD || __builtin_add_overflow(op->n, n, &op->n)) {
            txn->failed = true;

        } else if (cap < op->cap) {
            op->cap = cap;
            op->tag = tag;
        }

        return true;
    }

    return false;
}
