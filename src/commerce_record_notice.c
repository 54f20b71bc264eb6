/*
 * Copyright (C) ngx_commerce authors
 *
 * Parked notices.
 */

#include "commerce_codec.h"
#include "commerce_path.h"


#define COMMERCE_PARKED_ROOM  (128 * 1024)      /* bytes of one record, well below what the store takes */


static void commerce_parked_path(commerce_path_t *key, commerce_str_t shop,
    const commerce_parked_for_t *what);
static void commerce_parked_decode(commerce_decoder_t *d, commerce_arena_t *arena,
    const commerce_parked_for_t *what, commerce_parked_t *parked);
static void commerce_parked_decode_notice(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_notice_t *notice);
static commerce_step_t commerce_parked_kind(commerce_decoder_t *d);
static void commerce_parked_encode(commerce_encoder_t *e, const commerce_notice_t *notice);
static bool commerce_parked_plain(const commerce_parked_for_t *what,
    const commerce_parked_t *parked);
static size_t commerce_parked_room(const commerce_parked_t *parked);


int
commerce_parked_read(commerce_reader_t *reader, const commerce_parked_for_t *what,
    commerce_parked_t *parked, uint64_t *version)
{
    int                 rc;
    commerce_path_t     key;
    commerce_str_t      value;
    commerce_decoder_t  d;

    memset(parked, 0, sizeof(commerce_parked_t));

    commerce_parked_path(&key, reader->shop, what);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    commerce_decode_start(&d, commerce_copy(reader->arena, value));
    commerce_parked_decode(&d, reader->arena, what, parked);

    if (commerce_decode_finish(&d) != COMMERCE_OK) {
        memset(parked, 0, sizeof(commerce_parked_t));
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


/* the first format held one notice that named nothing but the order's id: its kind and time still come first */

static void
commerce_parked_decode(commerce_decoder_t *d, commerce_arena_t *arena,
    const commerce_parked_for_t *what, commerce_parked_t *parked)
{
    unsigned           i;
    commerce_notice_t  first;

    memset(&first, 0, sizeof(commerce_notice_t));

    first.kind = commerce_parked_kind(d);
    first.time = commerce_decode_signed(d);
    first.id = commerce_copy(arena, what->name);
    first.amount = -1;

    parked->count = 1;

    if (d->format >= 2) {
        parked->count = (unsigned) commerce_decode_varint(d, COMMERCE_PARKED_MAX);
    }

    parked->notices = commerce_alloc(arena, (parked->count + 1) * sizeof(commerce_notice_t));

    if (parked->notices == NULL) {
        d->failed = true;
        return;
    }

    parked->notices[0] = first;

    for (i = 0; d->format >= 2 && i < parked->count && !d->failed; i++) {
        commerce_parked_decode_notice(d, arena, &parked->notices[i]);
    }
}


static void
commerce_parked_decode_notice(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_notice_t *notice)
{
    unsigned                 i;
    commerce_refund_line_t  *line;

    memset(notice, 0, sizeof(commerce_notice_t));

    notice->kind = commerce_parked_kind(d);
    notice->time = commerce_decode_signed(d);
    notice->id = commerce_decode_text(d);
    notice->payment = commerce_decode_text(d);
    notice->transaction = commerce_decode_text(d);
    notice->amount = commerce_decode_signed(d);
    notice->refund = commerce_decode_text(d);
    notice->freight = commerce_decode_signed(d);
    notice->line_count = (unsigned) commerce_decode_varint(d, COMMERCE_LINES_MAX);

    if (notice->line_count == 0) {
        return;
    }

    notice->lines = commerce_alloc(arena, notice->line_count * sizeof(commerce_refund_line_t));

    if (notice->lines == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < notice->line_count; i++) {
        line = &notice->lines[i];

        line->sku = commerce_decode_text(d);
        line->line = (unsigned) commerce_decode_varint(d, COMMERCE_LINES_MAX);
        line->amount = commerce_decode_signed(d);
        line->quantity = commerce_decode_signed(d);
    }
}


static commerce_step_t
commerce_parked_kind(commerce_decoder_t *d)
{
    unsigned  kind;

    kind = commerce_decode_u8(d, COMMERCE_STEPS - 1);

    if (kind != COMMERCE_STEP_PAID && kind != COMMERCE_STEP_CANCELLED
        && kind != COMMERCE_STEP_REFUNDED && kind != COMMERCE_STEP_SETTLED)
    {
        d->failed = true;
    }

    return (commerce_step_t) kind;
}


bool
commerce_parked_fits(const commerce_parked_t *parked)
{
    return parked->count <= COMMERCE_PARKED_MAX
           && commerce_parked_room(parked) <= COMMERCE_PARKED_ROOM;
}


void
commerce_parked_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_parked_for_t *what, const commerce_parked_t *parked, uint64_t version)
{
    unsigned            i;
    commerce_path_t     key;
    commerce_encoder_t  e;

    if (parked->count == 0 || !commerce_parked_fits(parked)) {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena, commerce_parked_room(parked));
    commerce_encode_u8(&e, parked->notices[0].kind);
    commerce_encode_signed(&e, parked->notices[0].time);

    if (!commerce_parked_plain(what, parked)) {
        commerce_encode_format(&e, 2);
        commerce_encode_varint(&e, parked->count);

        for (i = 0; i < parked->count; i++) {
            commerce_parked_encode(&e, &parked->notices[i]);
        }
    }

    commerce_parked_path(&key, shop, what);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


static void
commerce_parked_encode(commerce_encoder_t *e, const commerce_notice_t *notice)
{
    unsigned  i;

    commerce_encode_u8(e, notice->kind);
    commerce_encode_signed(e, notice->time);
    commerce_encode_text(e, notice->id);
    commerce_encode_text(e, notice->payment);
    commerce_encode_text(e, notice->transaction);
    commerce_encode_signed(e, notice->amount);
    commerce_encode_text(e, notice->refund);
    commerce_encode_signed(e, notice->freight);
    commerce_encode_varint(e, notice->line_count);

    for (i = 0; i < notice->line_count; i++) {
        commerce_encode_text(e, notice->lines[i].sku);
        commerce_encode_varint(e, notice->lines[i].line);
        commerce_encode_signed(e, notice->lines[i].amount);
        commerce_encode_signed(e, notice->lines[i].quantity);
    }
}


static bool
commerce_parked_plain(const commerce_parked_for_t *what, const commerce_parked_t *parked)
{
    const commerce_notice_t  *notice = &parked->notices[0];

    return what->kind == COMMERCE_PARKED_ID && parked->count == 1
           && (notice->kind == COMMERCE_STEP_PAID || notice->kind == COMMERCE_STEP_CANCELLED)
           && notice->payment.len == 0 && notice->transaction.len == 0 && notice->amount < 0;
}


static size_t
commerce_parked_room(const commerce_parked_t *parked)
{
    size_t                    room;
    unsigned                  i, k;
    const commerce_notice_t  *notice;

    room = 2 + 2 * COMMERCE_CODEC_VARINT;

    for (i = 0; i < parked->count; i++) {
        notice = &parked->notices[i];

        room += 1 + 4 * COMMERCE_CODEC_VARINT + commerce_codec_room(notice->id)
                + commerce_codec_room(notice->payment) + commerce_codec_room(notice->transaction)
                + commerce_codec_room(notice->refund);

        for (k = 0; k < notice->line_count; k++) {
            room += 3 * COMMERCE_CODEC_VARINT + commerce_codec_room(notice->lines[k].sku);
        }
    }

    return room;
}


void
commerce_parked_remove(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_parked_for_t *what, uint64_t version)
{
    commerce_path_t  key;
    commerce_str_t   kept;

    commerce_parked_path(&key, shop, what);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, version);
        commerce_txn_delete(txn, kept);
    }
}


void
commerce_parked_vacant(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_parked_for_t *what)
{
    commerce_path_t  key;
    commerce_str_t   kept;

    commerce_parked_path(&key, shop, what);
    kept = commerce_path_keep(txn, &key);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, 0);
    }
}


static void
commerce_parked_path(commerce_path_t *key, commerce_str_t shop, const commerce_parked_for_t *what)
{
    switch (what->kind) {

    case COMMERCE_PARKED_ID:
        commerce_path_text(key, shop, 'q', what->name);
        break;

    case COMMERCE_PARKED_PAYMENT:
        commerce_path_waiting(key, shop, 'p', what->name);
        break;

    case COMMERCE_PARKED_TRANSACTION:
        commerce_path_waiting(key, shop, 't', what->name);
        break;

    default:
        commerce_path_waiting_order(key, shop, what->user, what->name);
    }
}


int
commerce_parked_parse(commerce_str_t name, commerce_parked_for_t *what)
{
    const char  *separator;

    memset(what, 0, sizeof(commerce_parked_for_t));

    if (name.len < 3 || name.data[1] != '/') {
        return COMMERCE_ERROR;
    }

    what->name = (commerce_str_t) { name.data + 2, name.len - 2 };

    switch (name.data[0]) {

    case 'p':
        what->kind = COMMERCE_PARKED_PAYMENT;
        return COMMERCE_OK;

    case 't':
        what->kind = COMMERCE_PARKED_TRANSACTION;
        return COMMERCE_OK;

    case 'o':
        what->kind = COMMERCE_PARKED_ORDER;
        break;

    default:
        return COMMERCE_ERROR;
    }

    separator = memchr(what->name.data, COMMERCE_PATH_SEPARATOR, what->name.len);

    if (separator == NULL) {
        return COMMERCE_ERROR;
    }

    what->user = (commerce_str_t) { what->name.data, (size_t) (separator - what->name.data) };
    what->name = (commerce_str_t) { separator + 1, what->name.len - what->user.len - 1 };

    return COMMERCE_OK;
}
