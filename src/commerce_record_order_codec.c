/*
 * Copyright (C) ngx_commerce authors
 *
 * The bytes of an order.
 */

#include "commerce_code.h"
#include "commerce_conduct.h"
#include "commerce_record_order.h"
#include "commerce_record_sale.h"
#include "commerce_revision.h"


#define COMMERCE_ORDER_REDEEM_ON_PAID  1        /* bits of the flags byte */
#define COMMERCE_ORDER_PAID_SEEN       2
#define COMMERCE_ORDER_UNPAID_HOLD     4
#define COMMERCE_ORDER_DOUBT_HOLD      8
#define COMMERCE_ORDER_FLAGS          15

#define COMMERCE_ORDER_CAP_ALL         1        /* bits of the terms' flags */
#define COMMERCE_ORDER_DOUBLE_PAY      2


static void commerce_order_decode_head(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_lines(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_order_t *order);
static void commerce_order_decode_credits(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_coupons(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_cart(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_terms(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_rates(commerce_decoder_t *d, commerce_rates_t *rates);
static void commerce_order_decode_met(commerce_decoder_t *d, commerce_order_t *order);
static void commerce_order_decode_conduct(commerce_decoder_t *d, commerce_order_t *order);
static size_t commerce_order_room(const commerce_order_t *order);
static void commerce_order_encode_head(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_parts(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_cart(commerce_encoder_t *e, const commerce_order_t *order);
static bool commerce_order_met(const commerce_order_t *order);
static void commerce_order_encode_met(commerce_encoder_t *e, const commerce_order_t *order);
static void commerce_order_encode_terms(commerce_encoder_t *e, const commerce_order_t *order);


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
    order->reason = commerce_reason_find(commerce_decode_text(d));
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

    order->revision = (unsigned) commerce_decode_varint(d, COMMERCE_REVISIONS_MAX);

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


/* what the decoder would refuse must not be written */

bool
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


commerce_str_t
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

    return order->revision != 0;
}


static void
commerce_order_encode_met(commerce_encoder_t *e, const commerce_order_t *order)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    commerce_encode_varint(e, order->revision);

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
