/*
 * Copyright (C) ngx_commerce authors
 *
 * Reading: a view is one read-only transaction of LMDB, renewed at begin and reset at end, so that
 * no snapshot outlives the call that needed it (pages that a snapshot sees cannot be used again).
 */

#include "commerce_store_lmdb.h"

#include <errno.h>


static int commerce_view_start(commerce_view_t *view);
static int commerce_view_renew(commerce_view_t *view);
static int commerce_view_cursor(commerce_view_t *view);
static bool commerce_view_before(commerce_str_t a, commerce_str_t b);
static bool commerce_view_user_key(const MDB_val *key, commerce_str_t prefix);


void
commerce_view_init(commerce_view_t *view, commerce_store_t *store)
{
    memset(view, 0, sizeof(commerce_view_t));
    view->store = store;
}


void
commerce_view_destroy(commerce_view_t *view)
{
    if (view->cursor != NULL) {
        mdb_cursor_close(view->cursor);
        view->cursor = NULL;
    }

    if (view->txn != NULL) {
        mdb_txn_abort(view->txn);
        view->txn = NULL;
    }
}


int
commerce_view_begin(commerce_store_t *store, commerce_view_t **view)
{
    *view = &store->view;

    return commerce_view_start(&store->view);
}


int
commerce_store_thread_view(commerce_store_t *store, commerce_view_t **view)
{
    *view = &store->thread_view;

    return commerce_view_start(&store->thread_view);
}


void
commerce_view_end(commerce_view_t *view)
{
    if (view == NULL || !view->live) {
        return;
    }

    mdb_txn_reset(view->txn);
    view->live = false;
    view->positioned = false;

    commerce_store_leave(view->store);
}


static int
commerce_view_start(commerce_view_t *view)
{
    int  rc;

    if (view->live || commerce_store_replaced(view->store)) {
        return COMMERCE_ERROR;
    }

    rc = commerce_view_renew(view);

    if (rc == MDB_MAP_RESIZED) {
        rc = commerce_store_grown(view->store);

        if (rc == 0) {
            rc = commerce_view_renew(view);
        }
    }

    view->code = rc;

    if (rc != 0) {
        return COMMERCE_ERROR;
    }

    view->live = true;

    return COMMERCE_OK;
}


static int
commerce_view_renew(commerce_view_t *view)
{
    int  rc;

    if (!commerce_store_enter(view->store)) {
        return EAGAIN;
    }

    if (view->txn != NULL) {
        rc = mdb_txn_renew(view->txn);
    } else {
        rc = mdb_txn_begin(view->store->env, NULL, MDB_RDONLY, &view->txn);
    }

    if (rc != 0) {
        commerce_store_leave(view->store);
    }

    return rc;
}


int
commerce_view_get(commerce_view_t *view, commerce_str_t key, commerce_str_t *value,
    uint64_t *version)
{
    int      rc;
    MDB_val  name, data;

    *value = (commerce_str_t) { NULL, 0 };
    *version = 0;

    if (!view->live || !commerce_store_key_valid(key)) {
        return COMMERCE_ERROR;
    }

    name = (MDB_val) { key.len, (void *) key.data };

    rc = mdb_get(view->txn, view->store->dbi, &name, &data);

    if (rc == MDB_NOTFOUND) {
        return COMMERCE_ABSENT;
    }

    if (rc != 0 || !commerce_store_split(&data, value, version)) {
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


int
commerce_view_counter(commerce_view_t *view, commerce_str_t key, int64_t *value)
{
    int             rc;
    uint64_t        version;
    commerce_str_t  payload;

    *value = 0;
    rc = commerce_view_get(view, key, &payload, &version);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_OK;
    }

    if (rc != COMMERCE_OK || payload.len != 8) {
        return COMMERCE_ERROR;
    }

    *value = (int64_t) commerce_store_load(payload.data);

    return COMMERCE_OK;
}


int
commerce_view_next(commerce_view_t *view, commerce_str_t prefix, commerce_str_t after,
    commerce_str_t *key, commerce_str_t *value, uint64_t *version)
{
    int             rc;
    MDB_val         name, data;
    commerce_str_t  from;

    from = commerce_view_before(after, prefix) ? prefix : after;

    if (from.len == 0) {
        from = commerce_string("\1");
    }

    if (!view->live || !commerce_store_key_valid(from) || prefix.len > COMMERCE_KEY_MAX
        || commerce_view_cursor(view) != 0)
    {
        return COMMERCE_ERROR;
    }

    name = (MDB_val) { from.len, (void *) from.data };
    rc = mdb_cursor_get(view->cursor, &name, &data, MDB_SET_RANGE);

    if (rc == 0 && after.len > 0
        && commerce_equal((commerce_str_t) { name.mv_data, name.mv_size }, after))
    {
        rc = mdb_cursor_get(view->cursor, &name, &data, MDB_NEXT);
    }

    if (rc == MDB_NOTFOUND || (rc == 0 && !commerce_view_user_key(&name, prefix))) {
        return COMMERCE_ABSENT;
    }

    if (rc != 0 || !commerce_store_split(&data, value, version)) {
        return COMMERCE_ERROR;
    }

    *key = (commerce_str_t) { name.mv_data, name.mv_size };

    return COMMERCE_OK;
}


int
commerce_view_outbox(commerce_view_t *view, uint64_t after, uint64_t *sequence,
    commerce_str_t *body)
{
    int       rc;
    MDB_val   name, data;
    uint8_t   key[COMMERCE_OUTBOX_KEY];
    uint64_t  version;

    if (after == UINT64_MAX) {
        return COMMERCE_ABSENT;
    }

    if (!view->live || commerce_view_cursor(view) != 0) {
        return COMMERCE_ERROR;
    }

    commerce_outbox_key(key, after + 1);
    name = (MDB_val) { sizeof(key), key };

    rc = mdb_cursor_get(view->cursor, &name, &data, MDB_SET_RANGE);

    if (rc == MDB_NOTFOUND) {
        return COMMERCE_ABSENT;
    }

    if (rc != 0 || !commerce_outbox_sequence(&name, sequence)
        || !commerce_store_split(&data, body, &version))
    {
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


int
commerce_view_last_event(commerce_view_t *view, commerce_str_t *head)
{
    int       rc;
    MDB_val   name, data;
    uint64_t  sequence, version;

    if (!view->live || commerce_view_cursor(view) != 0) {
        return COMMERCE_ERROR;
    }

    rc = mdb_cursor_get(view->cursor, &name, &data, MDB_LAST);

    if (rc == 0 && !commerce_outbox_sequence(&name, &sequence)) {
        name = commerce_last_key;
        rc = mdb_get(view->txn, view->store->dbi, &name, &data);
    }

    if (rc == MDB_NOTFOUND) {
        return COMMERCE_ABSENT;
    }

    if (rc != 0 || !commerce_store_split(&data, head, &version)) {
        return COMMERCE_ERROR;
    }

    if (head->len > COMMERCE_EVENT_HEAD_MAX) {
        head->len = COMMERCE_EVENT_HEAD_MAX;
    }

    return COMMERCE_OK;
}


/* the cursor is bound to the snapshot on first use: most views only get */

static int
commerce_view_cursor(commerce_view_t *view)
{
    int  rc;

    if (view->positioned) {
        return 0;
    }

    if (view->cursor != NULL) {
        rc = mdb_cursor_renew(view->txn, view->cursor);
    } else {
        rc = mdb_cursor_open(view->txn, view->store->dbi, &view->cursor);
    }

    view->positioned = rc == 0;

    return rc;
}


static bool
commerce_view_before(commerce_str_t a, commerce_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return order < 0 || (order == 0 && a.len < b.len);
}


static bool
commerce_view_user_key(const MDB_val *key, commerce_str_t prefix)
{
    if (*(const uint8_t *) key->mv_data == COMMERCE_OUTBOX_MARK) {
        return false;
    }

    return key->mv_size >= prefix.len
           && (prefix.len == 0 || memcmp(key->mv_data, prefix.data, prefix.len) == 0);
}
