/*
 * Copyright (C) ngx_commerce authors
 *
 * Orders, and the ways to them: by the backend's id, by due time.
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_conduct.h"
#include "commerce_path.h"
#include "commerce_record_sale.h"


#define COMMERCE_ORDER_REDEEM_ON_PAID  1        /* bits of the flags byte */
#define COMMERCE_ORDER_PAID_SEEN       2
#define COMMERCE_ORDER_UNPAID_HOLD     4
#define COMMERCE_ORDER_DOUBT_HOLD      8
#define COMMERCE_ORDER_FLAGS          15

#define COMMERCE_ORDER_CAP_ALL         1        /* bits of the terms' flags */
#define COMMERCE_ORDER_DOUBLE_PAY      2

#define COMMERCE_DUE_DIGITS           16


static int commerce_order_get(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version);
static void commerce_order_decode_head(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_lines(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_order_t *order);
static void commerce_order_decode_credits(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_coupons(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_cart(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_terms(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_rates(commerce_decoder_t *d, commerce_rates_t *rates);
static void commerce_order_decode_met(commerce_decoder_t *d, commerce_order_t *order);
static commerce_reason_t commerce_order_reason(commerce_str_t name);
static bool commerce_order_storable(const commerce_order_t *order);
static commerce_str_t commerce_order_encode(commerce_arena_t *arena,
    const commerce_order_t *order);
static size_t commerce_order_room(const commerce_order_t *order);
static void commerce_order_encode_head(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_parts(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_cart(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_terms(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_decode_conduct(commerce_decoder_t *d, commerce_order_t *order);
static bool commerce_order_met(const commerce_order_t *order);
static void commerce_order_encode_met(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_move_due(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
static void commerce_order_move_doubt(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
static void commerce_order_move_key(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
static void commerce_order_repoint(commerce_txn_t *txn, commerce_str_t shop, char kind,
    commerce_str_t name, commerce_str_t value);
static void commerce_order_move_id(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_order_t *before, const commerce_order_t *order);
static void commerce_order_delete(commerce_txn_t *txn, const commerce_path_t *key);
static int commerce_order_due_from(commerce_reader_t *reader, commerce_time_t now,
    commerce_str_t after, commerce_order_t *order, uint64_t *version);
static int commerce_order_due_parse(commerce_str_t rest, commerce_time_t *due,
    commerce_str_t *user, commerce_str_t *key);


int
commerce_order_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version)
{
    int  rc;

    rc = commerce_order_get(reader, user, key, order, version);

    if (rc != COMMERCE_OK) {
        memset(order, 0, sizeof(commerce_order_t));
    }

    return rc;
}


static int
commerce_order_get(commerce_reader_t *reader, commerce_str_t user, commerce_str_t key,
    commerce_order_t *order, uint64_t *version)
{
    int             rc;
    commerce_path_t  record;
    commerce_str_t  value;

    commerce_path_order(&record, reader->shop, user, key);

    rc = commerce_path_get(reader, &record, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_order_decode(reader->arena, value, order);

    if (rc == COMMERCE_OK
        && (!commerce_equal(order->user, user) || !commerce_equal(order->key, key)))
    {
        return COMMERCE_ERROR;
    }

    return rc;
}


int
commerce_order_find(commerce_reader_t *reader, commerce_str_t id, commerce_order_t *order,
    uint64_t *version)
{
    int             rc;
    commerce_str_t  user, key;

    memset(order, 0, sizeof(commerce_order_t));

    if (version != NULL) {
        *version = 0;
    }

    rc = commerce_order_owner(reader, id, &user, &key);

    return rc == COMMERCE_OK ? commerce_order_read(reader, user, key, order, version) : rc;
}


int
commerce_order_owner(commerce_reader_t *reader, commerce_str_t id, commerce_str_t *user,
    commerce_str_t *key)
{
    int                 rc;
    commerce_path_t      record;
    commerce_str_t      value;
    commerce_decoder_t  d;

    *user = commerce_string("");
    *key = commerce_string("");

    if (id.len == 0) {
        return COMMERCE_ABSENT;
    }

    commerce_path_text(&record, reader->shop, 'i', id);

    rc = commerce_path_get(reader, &record, &value, NULL);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    value = commerce_copy(reader->arena, value);
    commerce_decode_start(&d, value);

    *user = commerce_decode_text(&d);
    *key = commerce_decode_text(&d);

    return commerce_decode_finish(&d);
}


void
commerce_order_vacant(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t id)
{
    commerce_path_t  record;
    commerce_str_t  kept;

    commerce_path_text(&record, shop, 'i', id);
    kept = commerce_path_keep(txn, &record);

    if (kept.len != 0) {
        commerce_txn_compare(txn, kept, 0);
    }
}


int
commerce_order_decode(commerce_arena_t *arena, commerce_str_t value, commerce_order_t *order)
{
    commerce_decoder_t  d;

    memset(order, 0, sizeof(commerce_order_t));

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    commerce_order_decode_head(&d, order);
    commerce_order_decode_credits(&d, order);
    commerce_order_decode_lines(&d, arena, order);
    commerce_order_decode_coupons(&d, order);

    if (d.format >= 2) {
        commerce_order_decode_cart(&d, order);
        commerce_order_decode_sale(&d, arena, order);
    }

    if (d.format >= 3) {
        commerce_order_decode_terms(&d, order);
        commerce_order_decode_met(&d, order);
        commerce_order_decode_conduct(&d, order);
    }

    return commerce_decode_finish(&d);
}


static void
commerce_order_decode_head(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned        flags;
    const uint8_t  *fingerprint;

    order->user = commerce_decode_text(d);
    order->key = commerce_decode_text(d);

    fingerprint = commerce_decode_bytes(d, COMMERCE_FINGERPRINT);
    if (fingerprint != NULL) {
        memcpy(order->fingerprint, fingerprint, COMMERCE_FINGERPRINT);
    }

    order->state = commerce_decode_u8(d, COMMERCE_ORDER_STATES - 1);
    d->failed = d->failed || order->state == COMMERCE_ORDER_FAILED;
    order->doubt = commerce_decode_u8(d, COMMERCE_DOUBT_UNKNOWN | COMMERCE_DOUBT_AMOUNT);

    flags = commerce_decode_u8(d, COMMERCE_ORDER_FLAGS);
    order->redeem_on_paid = (flags & COMMERCE_ORDER_REDEEM_ON_PAID) != 0;
    order->paid = (flags & COMMERCE_ORDER_PAID_SEEN) != 0;
    order->unpaid = (flags & COMMERCE_ORDER_UNPAID_HOLD) ? COMMERCE_POLICY_HOLD
                                                         : COMMERCE_POLICY_RELEASE;
    order->in_doubt = (flags & COMMERCE_ORDER_DOUBT_HOLD) ? COMMERCE_POLICY_HOLD
                                                          : COMMERCE_POLICY_RELEASE;

    order->created = commerce_decode_signed(d);
    order->in_flight_until = commerce_decode_signed(d);
    order->deadline = commerce_decode_signed(d);
    order->due = commerce_decode_signed(d);
    order->id = commerce_decode_text(d);
    order->claimed = commerce_decode_signed(d);
    order->discount = commerce_decode_signed(d);
    order->payable = commerce_decode_signed(d);
    order->pseudonym = commerce_decode_text(d);
    order->policy = commerce_decode_varint(d, UINT64_MAX);
    order->reason = commerce_order_reason(commerce_decode_text(d));
}


static void
commerce_order_decode_lines(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_order_t *order)
{
    unsigned          i, count;
    commerce_line_t  *line;

    count = (unsigned) commerce_decode_varint(d, COMMERCE_LINES_MAX);

    if (count == 0) {
        return;
    }

    order->lines = commerce_alloc(arena, count * sizeof(commerce_line_t));

    if (order->lines == NULL) {
        d->failed = true;
        return;
    }

    for (i = 0; i < count; i++) {
        line = &order->lines[i];

        line->sku = commerce_decode_text(d);
        line->quantity = commerce_decode_signed(d);
        line->amount = commerce_decode_signed(d);
        line->discount = commerce_decode_signed(d);
        line->credit = (int) commerce_decode_u8(d, order->credit_count) - 1;
    }

    order->line_count = count;
}


static void
commerce_order_decode_credits(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned            i, count;
    commerce_credit_t  *credit;

    count = commerce_decode_u8(d, COMMERCE_CREDITS_MAX);

    for (i = 0; i < count; i++) {
        credit = &order->credits[i];

        credit->source = commerce_decode_u8(d, COMMERCE_SOURCES - 1);
        credit->contributor = commerce_decode_u8(d, 1) != 0;
        credit->seller = commerce_decode_varint(d, UINT64_MAX);
        credit->tier2 = commerce_decode_varint(d, UINT64_MAX);
        credit->seller_id = commerce_decode_text(d);
        credit->tier2_id = commerce_decode_text(d);
        credit->group_id = commerce_decode_text(d);
        credit->room_id = commerce_decode_text(d);
        credit->channel = (uint32_t) commerce_decode_varint(d, UINT32_MAX);
        credit->touched = commerce_decode_signed(d);
    }

    order->credit_count = count;
}


static void
commerce_order_decode_coupons(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned                  i, count;
    commerce_order_coupon_t  *coupon;

    count = commerce_decode_u8(d, COMMERCE_COUPONS_MAX);

    for (i = 0; i < count; i++) {
        coupon = &order->coupons[i];

        coupon->campaign = (unsigned) commerce_decode_varint(d, COMMERCE_CODE_CAMPAIGN_MAX);
        coupon->serial = (uint32_t) commerce_decode_varint(d, COMMERCE_CODE_SERIAL_MAX);
        coupon->campaign_id = commerce_decode_text(d);
        coupon->discount = commerce_decode_signed(d);
        coupon->use = commerce_decode_u8(d, COMMERCE_USES - 1);
    }

    order->coupon_count = count;
}


static void
commerce_order_decode_cart(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned  i;

    order->cart = commerce_decode_u8(d, COMMERCE_CART_STEPS - 1);
    order->shop_key = commerce_decode_u8(d, 1) != 0;
    order->fresh = commerce_decode_u8(d, UINT8_MAX);
    order->open = commerce_decode_u8(d, UINT8_MAX);

    for (i = 0; i < order->coupon_count; i++) {
        order->coupons[i].code = commerce_decode_text(d);
    }
}


static void
commerce_order_decode_terms(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned           i, flags;
    commerce_terms_t  *terms = &order->terms;

    terms->plan = (uint32_t) commerce_decode_varint(d, UINT32_MAX);
    terms->platform = commerce_decode_text(d);

    flags = commerce_decode_u8(d, COMMERCE_ORDER_CAP_ALL | COMMERCE_ORDER_DOUBLE_PAY);
    terms->cap_all = (flags & COMMERCE_ORDER_CAP_ALL) != 0;
    terms->double_pay = (flags & COMMERCE_ORDER_DOUBLE_PAY) != 0;

    terms->cap = (unsigned) commerce_decode_varint(d, 10000);
    commerce_order_decode_rates(d, &terms->rates);

    for (i = 0; i < order->line_count; i++) {
        commerce_order_decode_rates(d, &order->lines[i].rates);
    }
}


static void
commerce_order_decode_rates(commerce_decoder_t *d, commerce_rates_t *rates)
{
    rates->tier1 = (unsigned) commerce_decode_varint(d, 10000);
    rates->tier2 = (unsigned) commerce_decode_varint(d, 10000);
}


/* where the buyers of credits were met: of each credit, as they stand */

static void
commerce_order_decode_met(commerce_decoder_t *d, commerce_order_t *order)
{
    unsigned            i;
    commerce_credit_t  *credit;

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        credit->assist = commerce_decode_u8(d, 1) != 0;
        credit->field = commerce_decode_u8(d, COMMERCE_FIELDS - 1);
        credit->origin = commerce_decode_u8(d, COMMERCE_ORIGINS - 1);
        credit->channel_id = commerce_decode_text(d);
        credit->platform = commerce_decode_text(d);
    }
}


static void
commerce_order_decode_conduct(commerce_decoder_t *d, commerce_order_t *order)
{
    order->conduct = (unsigned) commerce_decode_varint(d, COMMERCE_CONDUCT_ALL);
    order->conduct_denied = (unsigned) commerce_decode_varint(d, COMMERCE_CONDUCT_ALL);
}


/* a name that only a newer generation knows is nothing that this one could act upon */

static commerce_reason_t
commerce_order_reason(commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_REASON_COUNT; i++) {
        if (commerce_equal(commerce_reason(i)->name, name)) {
            return i;
        }
    }

    return COMMERCE_R(OK);
}


void
commerce_order_write(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *order,
    uint64_t version, const commerce_order_t *before)
{
    commerce_path_t  record;

    if (!commerce_order_storable(order)
        || (before != NULL && (!commerce_equal(before->user, order->user)
                               || !commerce_equal(before->key, order->key))))
    {
        txn->failed = true;
        return;
    }

    commerce_path_order(&record, shop, order->user, order->key);
    commerce_path_put(txn, &record, version, commerce_order_encode(txn->arena, order));

    commerce_order_move_due(txn, shop, before, order);
    commerce_order_move_doubt(txn, shop, before, order);
    commerce_order_move_id(txn, shop, before, order);
    commerce_order_move_key(txn, shop, before, order);
}


void
commerce_order_rename(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    uint64_t version, commerce_str_t user)
{
    commerce_path_t      record;
    commerce_order_t     order;
    commerce_encoder_t   e;

    if (before->due != COMMERCE_FOREVER || before->doubt != 0) {
        txn->failed = true;             /* its other indexes would have to move, too */
        return;
    }

    order = *before;
    order.user = user;

    commerce_path_order(&record, shop, order.user, order.key);
    commerce_path_put(txn, &record, 0, commerce_order_encode(txn->arena, &order));

    commerce_path_order(&record, shop, before->user, before->key);
    commerce_txn_compare(txn, commerce_path_keep(txn, &record), version);
    commerce_order_delete(txn, &record);

    if (order.id.len != 0) {
        commerce_encode_start(&e, txn->arena,
                              1 + commerce_codec_room(order.user) + commerce_codec_room(order.key));
        commerce_encode_text(&e, order.user);
        commerce_encode_text(&e, order.key);
        commerce_order_repoint(txn, shop, 'i', order.id, commerce_encode_finish(&e));
    }

    if (order.shop_key) {
        commerce_encode_start(&e, txn->arena, 1 + commerce_codec_room(order.user));
        commerce_encode_text(&e, order.user);
        commerce_order_repoint(txn, shop, 'h', order.key, commerce_encode_finish(&e));
    }
}


static void
commerce_order_repoint(commerce_txn_t *txn, commerce_str_t shop, char kind, commerce_str_t name,
    commerce_str_t value)
{
    commerce_path_t  index;
    commerce_str_t   kept;

    commerce_path_text(&index, shop, kind, name);
    kept = commerce_path_keep(txn, &index);

    if (kept.len == 0 || value.data == NULL) {
        txn->failed = true;
        return;
    }

    commerce_txn_put(txn, kept, value);
}


void
commerce_order_remove(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    uint64_t version)
{
    commerce_path_t  record;
    commerce_str_t  kept;

    commerce_path_order(&record, shop, before->user, before->key);
    kept = commerce_path_keep(txn, &record);

    if (kept.len == 0) {
        return;
    }

    commerce_txn_compare(txn, kept, version);
    commerce_txn_delete(txn, kept);

    commerce_order_move_due(txn, shop, before, NULL);
    commerce_order_move_doubt(txn, shop, before, NULL);
    commerce_order_move_id(txn, shop, before, NULL);
    commerce_order_move_key(txn, shop, before, NULL);
}


/* what the decoder would refuse must not be written */

static bool
commerce_order_storable(const commerce_order_t *order)
{
    unsigned  i;

    if ((unsigned) order->state >= COMMERCE_ORDER_STATES
        || order->state == COMMERCE_ORDER_FAILED
        || order->receipt_count > COMMERCE_RECEIPTS_MAX
        || (order->refund_count != 0 && order->sale == NULL)
        || order->line_count > COMMERCE_LINES_MAX || order->credit_count > COMMERCE_CREDITS_MAX
        || order->coupon_count > COMMERCE_COUPONS_MAX)
    {
        return false;
    }

    for (i = 0; i < order->line_count; i++) {
        if (order->lines[i].credit < -1 || order->lines[i].credit >= (int) order->credit_count) {
            return false;
        }
    }

    return true;
}


static commerce_str_t
commerce_order_encode(commerce_arena_t *arena, const commerce_order_t *order)
{
    bool                third;
    commerce_encoder_t  e;

    third = commerce_commission_told(order) || commerce_order_met(order) || order->conduct != 0;

    commerce_encode_start(&e, arena, commerce_order_room(order));
    commerce_order_encode_head(&e, order);
    commerce_order_encode_parts(&e, order);

    if (order->cart != COMMERCE_CART_NONE || order->shop_key
        || order->state > COMMERCE_ORDER_FAILED || commerce_order_sale_set(order)
        || third)
    {
        commerce_encode_format(&e, 2);
        commerce_order_encode_cart(&e, order);
        commerce_order_encode_sale(&e, order);
    }

    if (third) {
        commerce_encode_format(&e, 3);
        commerce_order_encode_terms(&e, order);
        commerce_order_encode_met(&e, order);
        commerce_encode_varint(&e, order->conduct);
        commerce_encode_varint(&e, order->conduct_denied);
    }

    return commerce_encode_finish(&e);
}


static size_t
commerce_order_room(const commerce_order_t *order)
{
    size_t                    room;
    unsigned                  i;
    const commerce_credit_t  *credit;

    room = 1 + COMMERCE_FINGERPRINT + 10 + 9 * COMMERCE_CODEC_VARINT
           + commerce_codec_room(order->user) + commerce_codec_room(order->key)
           + commerce_codec_room(order->id) + commerce_codec_room(order->pseudonym)
           + commerce_codec_room(commerce_reason(order->reason)->name);

    for (i = 0; i < order->line_count; i++) {
        room += 1 + 3 * COMMERCE_CODEC_VARINT + commerce_codec_room(order->lines[i].sku);
    }

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];
        room += 2 + 4 * COMMERCE_CODEC_VARINT + commerce_codec_room(credit->seller_id)
                + commerce_codec_room(credit->tier2_id) + commerce_codec_room(credit->group_id)
                + commerce_codec_room(credit->room_id) + 3 + commerce_codec_room(credit->channel_id)
                + commerce_codec_room(credit->platform);
    }

    for (i = 0; i < order->coupon_count; i++) {
        room += 1 + 3 * COMMERCE_CODEC_VARINT
                + commerce_codec_room(order->coupons[i].campaign_id)
                + commerce_codec_room(order->coupons[i].code);
    }

    room += commerce_order_sale_room(order) + commerce_codec_room(order->terms.platform)
            + (6 + 2 * order->line_count) * COMMERCE_CODEC_VARINT + 1;

    return room;
}


static void
commerce_order_encode_head(commerce_encoder_t *e, const commerce_order_t *order)
{
    commerce_encode_text(e, order->user);
    commerce_encode_text(e, order->key);
    commerce_encode_bytes(e, order->fingerprint, COMMERCE_FINGERPRINT);
    commerce_encode_u8(e, order->state);
    commerce_encode_u8(e, order->doubt);
    commerce_encode_u8(e, (order->redeem_on_paid ? COMMERCE_ORDER_REDEEM_ON_PAID : 0)
                          | (order->paid ? COMMERCE_ORDER_PAID_SEEN : 0)
                          | (order->unpaid == COMMERCE_POLICY_HOLD
                             ? COMMERCE_ORDER_UNPAID_HOLD : 0)
                          | (order->in_doubt == COMMERCE_POLICY_HOLD
                             ? COMMERCE_ORDER_DOUBT_HOLD : 0));
    commerce_encode_signed(e, order->created);
    commerce_encode_signed(e, order->in_flight_until);
    commerce_encode_signed(e, order->deadline);
    commerce_encode_signed(e, order->due);
    commerce_encode_text(e, order->id);
    commerce_encode_signed(e, order->claimed);
    commerce_encode_signed(e, order->discount);
    commerce_encode_signed(e, order->payable);
    commerce_encode_text(e, order->pseudonym);
    commerce_encode_varint(e, order->policy);
    commerce_encode_text(e, commerce_reason(order->reason)->name);
}


static void
commerce_order_encode_parts(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned                        i;
    const commerce_line_t          *line;
    const commerce_credit_t        *credit;
    const commerce_order_coupon_t  *coupon;

    /* credits first: the lines point to them */

    commerce_encode_u8(e, order->credit_count);

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        commerce_encode_u8(e, credit->source);
        commerce_encode_u8(e, credit->contributor);
        commerce_encode_varint(e, credit->seller);
        commerce_encode_varint(e, credit->tier2);
        commerce_encode_text(e, credit->seller_id);
        commerce_encode_text(e, credit->tier2_id);
        commerce_encode_text(e, credit->group_id);
        commerce_encode_text(e, credit->room_id);
        commerce_encode_varint(e, credit->channel);
        commerce_encode_signed(e, credit->touched);
    }

    commerce_encode_varint(e, order->line_count);

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];

        commerce_encode_text(e, line->sku);
        commerce_encode_signed(e, line->quantity);
        commerce_encode_signed(e, line->amount);
        commerce_encode_signed(e, line->discount);
        commerce_encode_u8(e, (unsigned) (line->credit + 1));
    }

    commerce_encode_u8(e, order->coupon_count);

    for (i = 0; i < order->coupon_count; i++) {
        coupon = &order->coupons[i];

        commerce_encode_varint(e, coupon->campaign);
        commerce_encode_varint(e, coupon->serial);
        commerce_encode_text(e, coupon->campaign_id);
        commerce_encode_signed(e, coupon->discount);
        commerce_encode_u8(e, coupon->use);
    }
}


static void
commerce_order_encode_cart(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned  i;

    commerce_encode_u8(e, order->cart);
    commerce_encode_u8(e, order->shop_key);
    commerce_encode_u8(e, order->fresh);
    commerce_encode_u8(e, order->open);

    for (i = 0; i < order->coupon_count; i++) {
        commerce_encode_text(e, order->coupons[i].code);
    }
}


static bool
commerce_order_met(const commerce_order_t *order)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        if (credit->assist || credit->field != COMMERCE_FIELD_NONE
            || credit->origin != COMMERCE_ORIGIN_NONE || credit->channel_id.len != 0
            || credit->platform.len != 0)
        {
            return true;
        }
    }

    return false;
}


static void
commerce_order_encode_met(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        commerce_encode_u8(e, credit->assist);
        commerce_encode_u8(e, credit->field);
        commerce_encode_u8(e, credit->origin);
        commerce_encode_text(e, credit->channel_id);
        commerce_encode_text(e, credit->platform);
    }
}


static void
commerce_order_encode_terms(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned                 i;
    const commerce_terms_t  *terms = &order->terms;

    commerce_encode_varint(e, terms->plan);
    commerce_encode_text(e, terms->platform);
    commerce_encode_u8(e, (terms->cap_all ? COMMERCE_ORDER_CAP_ALL : 0)
                          | (terms->double_pay ? COMMERCE_ORDER_DOUBLE_PAY : 0));
    commerce_encode_varint(e, terms->cap);
    commerce_encode_varint(e, terms->rates.tier1);
    commerce_encode_varint(e, terms->rates.tier2);

    for (i = 0; i < order->line_count; i++) {
        commerce_encode_varint(e, order->lines[i].rates.tier1);
        commerce_encode_varint(e, order->lines[i].rates.tier2);
    }
}


static void
commerce_order_move_due(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t   index;
    commerce_str_t   kept;
    commerce_time_t  from, to;

    from = before != NULL ? before->due : COMMERCE_FOREVER;
    to = order != NULL ? order->due : COMMERCE_FOREVER;

    if (from == to) {
        return;
    }

    if (from != COMMERCE_FOREVER) {
        commerce_path_due(&index, shop, from, before->user, before->key);
        commerce_order_delete(txn, &index);
    }

    if (to != COMMERCE_FOREVER) {
        commerce_path_due(&index, shop, to, order->user, order->key);
        kept = commerce_path_keep(txn, &index);

        if (kept.len != 0) {
            commerce_txn_put(txn, kept, commerce_string("\1"));
        }
    }
}


static void
commerce_order_move_doubt(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t  index;
    commerce_str_t   kept;
    commerce_time_t  from, to;

    from = (before != NULL && before->doubt != 0) ? before->created : COMMERCE_FOREVER;
    to = (order != NULL && order->doubt != 0) ? order->created : COMMERCE_FOREVER;

    if (from == to) {
        return;
    }

    if (from != COMMERCE_FOREVER) {
        commerce_path_doubt(&index, shop, from, before->user, before->key);
        commerce_order_delete(txn, &index);
    }

    if (to != COMMERCE_FOREVER) {
        commerce_path_doubt(&index, shop, to, order->user, order->key);
        kept = commerce_path_keep(txn, &index);

        if (kept.len != 0) {
            commerce_txn_put(txn, kept, commerce_string("\1"));
        }
    }
}


/* a key of the shop's is the first user's who comes with it */

static void
commerce_order_move_key(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    bool                from, to;
    commerce_path_t     index;
    commerce_encoder_t  e;

    from = before != NULL && before->shop_key;
    to = order != NULL && order->shop_key;

    if (from == to) {
        return;
    }

    commerce_path_text(&index, shop, 'h', from ? before->key : order->key);

    if (from) {
        commerce_order_delete(txn, &index);
        return;
    }

    commerce_encode_start(&e, txn->arena, 1 + commerce_codec_room(order->user));
    commerce_encode_text(&e, order->user);
    commerce_path_put(txn, &index, 0, commerce_encode_finish(&e));
}


void
commerce_order_list(commerce_reader_t *reader, commerce_txn_t *txn, const commerce_order_t *order,
    uint64_t version)
{
    commerce_path_t  record, index;
    commerce_str_t   value;

    commerce_path_doubt(&index, reader->shop, order->created, order->user, order->key);

    if (order->doubt == 0 || commerce_path_get(reader, &index, &value, NULL) != COMMERCE_ABSENT) {
        return;
    }

    commerce_path_order(&record, reader->shop, order->user, order->key);
    commerce_txn_compare(txn, commerce_path_keep(txn, &record), version);
    commerce_txn_put(txn, commerce_path_keep(txn, &index), commerce_string("\1"));
}


int
commerce_order_key_user(commerce_reader_t *reader, commerce_str_t key, commerce_str_t *user)
{
    int                 rc;
    commerce_path_t     index;
    commerce_str_t      value;
    commerce_decoder_t  d;

    *user = commerce_string("");
    commerce_path_text(&index, reader->shop, 'h', key);

    rc = commerce_path_get(reader, &index, &value, NULL);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    value = commerce_copy(reader->arena, value);
    commerce_decode_start(&d, value);
    *user = commerce_decode_text(&d);

    return commerce_decode_finish(&d);
}


int
commerce_order_doubted(commerce_reader_t *reader, commerce_str_t after, commerce_str_t *place,
    commerce_time_t *since, commerce_str_t *user, commerce_str_t *key)
{
    int              rc;
    uint64_t         version;
    commerce_path_t  prefix;
    commerce_str_t   entry, rest, value;

    commerce_path_text(&prefix, reader->shop, 'e', commerce_string(""));

    for ( ;; ) {
        rc = commerce_view_next(reader->view, commerce_path_str(&prefix), after, &entry, &value,
                                &version);
        if (rc != COMMERCE_OK) {
            return rc;
        }

        rest.data = entry.data + prefix.len;
        rest.len = entry.len - prefix.len;
        after = entry;

        if (commerce_order_due_parse(rest, since, user, key) == COMMERCE_OK) {
            *place = entry;
            return COMMERCE_OK;
        }
    }
}


/* an id that is new to the order must be new to the shop: two orders cannot share one */

static void
commerce_order_move_id(commerce_txn_t *txn, commerce_str_t shop, const commerce_order_t *before,
    const commerce_order_t *order)
{
    commerce_path_t      index;
    commerce_str_t      from, to;
    commerce_encoder_t  e;

    from = before != NULL ? before->id : commerce_string("");
    to = order != NULL ? order->id : commerce_string("");

    if (commerce_equal(from, to)) {
        return;
    }

    if (from.len != 0) {
        commerce_path_text(&index, shop, 'i', from);
        commerce_order_delete(txn, &index);
    }

    if (to.len != 0) {
        commerce_encode_start(&e, txn->arena,
                              1 + commerce_codec_room(order->user)
                              + commerce_codec_room(order->key));
        commerce_encode_text(&e, order->user);
        commerce_encode_text(&e, order->key);

        commerce_path_text(&index, shop, 'i', to);
        commerce_path_put(txn, &index, 0, commerce_encode_finish(&e));
    }
}


static void
commerce_order_delete(commerce_txn_t *txn, const commerce_path_t *key)
{
    commerce_str_t  kept;

    kept = commerce_path_keep(txn, key);

    if (kept.len != 0) {
        commerce_txn_delete(txn, kept);
    }
}


int
commerce_order_due(commerce_reader_t *reader, commerce_time_t now, commerce_order_t *order,
    uint64_t *version)
{
    return commerce_order_due_from(reader, now, commerce_string(""), order, version);
}


int
commerce_order_due_after(commerce_reader_t *reader, commerce_time_t now,
    const commerce_order_t *after, commerce_order_t *order, uint64_t *version)
{
    commerce_path_t  index;

    commerce_path_due(&index, reader->shop, after->due, after->user, after->key);

    if (index.bad) {
        return COMMERCE_ERROR;
    }

    return commerce_order_due_from(reader, now, commerce_path_str(&index), order, version);
}


static int
commerce_order_due_from(commerce_reader_t *reader, commerce_time_t now, commerce_str_t after,
    commerce_order_t *order, uint64_t *version)
{
    int              rc;
    uint64_t         found;
    commerce_path_t   prefix;
    commerce_str_t   entry, rest, value, user, key;
    commerce_time_t  due;

    commerce_path_text(&prefix, reader->shop, 'd', commerce_string(""));

    for ( ;; ) {
        rc = commerce_view_next(reader->view, commerce_path_str(&prefix), after, &entry, &value,
                                &found);
        if (rc != COMMERCE_OK) {
            break;
        }

        rest.data = entry.data + prefix.len;
        rest.len = entry.len - prefix.len;

        /* an entry that leads nowhere must not hide those behind it */

        after = entry;

        if (commerce_order_due_parse(rest, &due, &user, &key) != COMMERCE_OK) {
            continue;
        }

        if (due > now) {
            rc = COMMERCE_ABSENT;
            break;
        }

        rc = commerce_order_read(reader, user, key, order, version);

        if (rc == COMMERCE_OK && (order->due > 0 ? order->due : 0) == due) {
            return COMMERCE_OK;
        }

        if (rc == COMMERCE_ERROR) {
            order->due = due;
            order->user = commerce_copy(reader->arena, user);
            order->key = commerce_copy(reader->arena, key);
            return COMMERCE_ERROR;
        }
    }

    memset(order, 0, sizeof(commerce_order_t));

    return rc;
}


static int
commerce_order_due_parse(commerce_str_t rest, commerce_time_t *due, commerce_str_t *user,
    commerce_str_t *key)
{
    char         c;
    size_t       i;
    uint64_t     time;
    const char  *separator;

    if (rest.len <= COMMERCE_DUE_DIGITS + 1 || rest.data[COMMERCE_DUE_DIGITS] != '/') {
        return COMMERCE_ERROR;
    }

    time = 0;

    for (i = 0; i < COMMERCE_DUE_DIGITS; i++) {
        c = rest.data[i];

        if (c >= '0' && c <= '9') {
            time = time << 4 | (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            time = time << 4 | (uint64_t) (c - 'a' + 10);

        } else {
            return COMMERCE_ERROR;
        }
    }

    rest.data += COMMERCE_DUE_DIGITS + 1;
    rest.len -= COMMERCE_DUE_DIGITS + 1;

    separator = memchr(rest.data, COMMERCE_PATH_SEPARATOR, rest.len);

    if (separator == NULL || time > INT64_MAX) {
        return COMMERCE_ERROR;
    }

    *due = (commerce_time_t) time;
    *user = (commerce_str_t) { rest.data, (size_t) (separator - rest.data) };
    *key = (commerce_str_t) { separator + 1, rest.len - user->len - 1 };

    return COMMERCE_OK;
}
