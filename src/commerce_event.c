/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/rand.h>

#include "commerce_conduct.h"
#include "commerce_event.h"
#include "commerce_payment.h"


#define COMMERCE_EVENT_HEAD      512    /* id, type, time, shop, fp and punctuation */
#define COMMERCE_EVENT_NUMBERS   640    /* an order's own members but its texts */
#define COMMERCE_EVENT_PART      256    /* the same of a line, a credit, a coupon */
#define COMMERCE_EVENT_CONDUCT   448    /* all flags, twice */


static int commerce_event_random(commerce_event_source_t *source, uint8_t *out, size_t len);
static uint64_t commerce_event_mix(uint64_t hash, uint64_t word);
static inline void commerce_event_write_fen(commerce_write_t *w, const char *name,
    commerce_fen_t fen);
static void commerce_event_write_met(commerce_write_t *w, const commerce_credit_t *credit);
static const commerce_credit_t *commerce_event_credit(const commerce_order_t *order,
    int index);
static void commerce_event_write_lines(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance);
static void commerce_event_write_sale(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance);
static void commerce_event_write_coupons(commerce_write_t *w, const commerce_order_t *order);
static void commerce_event_write_doubt(commerce_write_t *w, unsigned doubt);
static size_t commerce_event_texts(size_t a, size_t b, size_t c, size_t d);


/*
 * RFC 9562, version 7: milliseconds, then the microseconds within them as a fraction of 4096, so
 * that ids of one process sort by time; 62 random bits.
 */

int
commerce_event_id(commerce_event_source_t *source, int64_t now_us, char out[COMMERCE_EVENT_ID])
{
    char      hex[32];
    uint8_t   id[16];
    uint64_t  ms, fraction, head;

    if (now_us < 0 || commerce_event_random(source, id + 8, 8) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    ms = (uint64_t) now_us / 1000;
    fraction = (uint64_t) now_us % 1000 * 4096 / 1000;

    head = htobe64(ms << 16 | 0x7000 | fraction);
    memcpy(id, &head, 8);
    id[8] = (uint8_t) (0x80 | (id[8] & 0x3f));

    commerce_hex(id, sizeof(id), hex);

    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';

    return COMMERCE_OK;
}


int
commerce_event_start(commerce_write_t *w, char *buffer, size_t size,
    commerce_event_source_t *source, const char *type, commerce_str_t shop, int64_t now_us)
{
    char  id[COMMERCE_EVENT_ID];

    commerce_write_start(w, buffer, size);

    if (commerce_event_id(source, now_us, id) != COMMERCE_OK) {
        w->failed = true;
        return COMMERCE_ERROR;
    }

    commerce_write_open(w, NULL, '{');
    commerce_write_raw(w, "v", commerce_string("1"));
    commerce_write_text(w, "id", (commerce_str_t) { id, sizeof(id) });
    commerce_write_text(w, "type", commerce_cstr(type));
    commerce_write_int(w, "ts", now_us);
    commerce_write_text(w, "shop", shop);

    w->mark = w->pos;

    return w->failed ? COMMERCE_ERROR : COMMERCE_OK;
}


commerce_str_t
commerce_event_finish(commerce_write_t *w)
{
    int64_t         len;
    uint64_t        fp;
    commerce_str_t  members;

    if (w->failed) {
        return commerce_string("");
    }

    /* behind the comma that follows the shop, if a member does */

    members.data = w->mark + (w->mark < w->pos ? 1 : 0);
    members.len = (size_t) (w->pos - members.data);

    fp = htobe64(commerce_event_fp(members));

    commerce_write_hex(w, "fp", (const uint8_t *) &fp, sizeof(fp));
    commerce_write_close(w, '}');

    len = commerce_write_finish(w);

    return len < 0 ? commerce_string("") : (commerce_str_t) { w->start, (size_t) len };
}


uint64_t
commerce_event_fp(commerce_str_t members)
{
    size_t       left;
    uint64_t     hash, word;
    const char  *p;

    hash = COMMERCE_HASH_START;

    for (p = members.data, left = members.len; left >= 8; p += 8, left -= 8) {
        hash = commerce_event_mix(hash, commerce_word(p));
    }

    if (left != 0) {
        word = 0;
        memcpy(&word, p, left);
        hash = commerce_event_mix(hash, le64toh(word));
    }

    return commerce_event_mix(hash, members.len);
}


size_t
commerce_event_order_size(const commerce_order_t *order)
{
    size_t                          size;
    unsigned                        i;
    const commerce_credit_t        *credit;
    const commerce_order_coupon_t  *coupon;

    size = COMMERCE_EVENT_HEAD + COMMERCE_EVENT_NUMBERS
           + commerce_event_texts(order->key.len, order->id.len, order->pseudonym.len,
                                  order->payment.len)
           + commerce_event_commission_size(order) + (order->conduct ? COMMERCE_EVENT_CONDUCT : 0);

    credit = commerce_order_winner(order);

    if (credit != NULL) {
        size += COMMERCE_EVENT_PART
                + commerce_event_texts(credit->seller_id.len, credit->tier2_id.len,
                                       credit->group_id.len, credit->room_id.len)
                + commerce_event_texts(credit->channel_id.len, credit->platform.len, 0, 0);
    }

    for (i = 0; i < order->line_count; i++) {
        size += COMMERCE_EVENT_PART + commerce_event_texts(order->lines[i].sku.len, 0, 0, 0);
        credit = commerce_event_credit(order, order->lines[i].credit);

        if (credit != NULL) {
            size += commerce_event_texts(credit->seller_id.len, credit->tier2_id.len, 0, 0);
        }
    }

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];
        size += COMMERCE_EVENT_PART + commerce_event_texts(credit->seller_id.len, 0, 0, 0);

        if (credit->assist) {
            size += commerce_event_texts(credit->group_id.len, credit->room_id.len,
                                         credit->channel_id.len, credit->platform.len);
        }
    }

    for (i = 0; i < order->coupon_count; i++) {
        coupon = &order->coupons[i];
        size += COMMERCE_EVENT_PART + commerce_event_texts(coupon->campaign_id.len, 0, 0, 0);
    }

    for (i = 0; i < order->receipt_count; i++) {
        size += COMMERCE_EVENT_PART
                + commerce_event_texts(order->receipts[i].payment.len,
                                       order->receipts[i].transaction.len, 0, 0);
    }

    return size;
}


void
commerce_event_write_order(commerce_write_t *w, const commerce_order_t *order)
{
    uint8_t              policy[8];
    unsigned             i;
    commerce_balance_t   paid, *balance;

    balance = NULL;

    if (order->paid || order->refund_count != 0) {
        commerce_refund_balance(order, &paid);
        balance = &paid;
    }

    commerce_write_text(w, "order_key", order->key);
    commerce_write_optional(w, "order_id", order->id);
    commerce_write_text(w, "state", commerce_cstr(commerce_order_state_name(order->state)));
    commerce_write_optional(w, "buyer", order->pseudonym);

    commerce_event_write_fen(w, "claimed", order->claimed);
    commerce_event_write_fen(w, "discount", order->discount);
    commerce_event_write_fen(w, "payable", order->payable);

    commerce_event_write_sale(w, order, balance);
    commerce_event_write_lines(w, order, balance);
    commerce_event_write_credits(w, order);
    commerce_event_write_commission(w, order, balance);
    commerce_event_write_coupons(w, order);
    commerce_event_write_doubt(w, order->doubt);
    commerce_conduct_write(w, "conduct", order->conduct);
    commerce_conduct_write(w, "conduct_denied", order->conduct_denied);

    if (order->conduct_denied) {
        commerce_write_bool(w, "hold", true);
    }

    for (i = 0; i < sizeof(policy); i++) {
        policy[i] = (uint8_t) (order->policy >> (56 - 8 * i));
    }

    commerce_write_text(w, "attribution", commerce_reason(order->reason)->name);

    if (order->revision != 0) {
        commerce_write_int(w, "revision", order->revision);
    }

    commerce_write_hex(w, "policy", policy, sizeof(policy));
}


void
commerce_event_write_credits(commerce_write_t *w, const commerce_order_t *order)
{
    bool                      open;
    unsigned                  i;
    const commerce_credit_t  *credit, *assist;

    assist = NULL;
    credit = commerce_order_winner(order);

    if (credit != NULL) {
        commerce_write_optional(w, "seller", credit->seller_id);
        commerce_write_optional(w, "tier2", credit->tier2_id);
        commerce_event_write_met(w, credit);
    }

    commerce_write_text(w, "source", commerce_cstr(commerce_source_name(
        credit != NULL ? credit->source : COMMERCE_SOURCE_NONE)));

    open = false;

    for (i = 0; i < order->credit_count && i < COMMERCE_CREDITS_MAX; i++) {
        credit = &order->credits[i];

        if (credit->assist) {
            assist = credit;
            continue;
        }

        if (!credit->contributor) {
            continue;
        }

        if (!open) {
            commerce_write_open(w, "contributors", '[');
            open = true;
        }

        commerce_write_open(w, NULL, '{');
        commerce_write_optional(w, "seller", credit->seller_id);
        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(credit->source)));
        commerce_write_close(w, '}');
    }

    if (open) {
        commerce_write_close(w, ']');
    }

    if (assist != NULL) {
        commerce_write_open(w, "assist", '{');
        commerce_write_optional(w, "seller", assist->seller_id);
        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(assist->source)));
        commerce_event_write_met(w, assist);
        commerce_write_int(w, "touched", assist->touched);
        commerce_write_close(w, '}');
    }
}


void
commerce_event_write_told(commerce_write_t *w, const commerce_credit_t *credit)
{
    commerce_write_open(w, "told", '{');
    commerce_write_optional(w, "seller", credit->seller_id);
    commerce_write_optional(w, "tier2", credit->tier2_id);
    commerce_write_text(w, "source", commerce_cstr(commerce_source_name(credit->source)));
    commerce_event_write_met(w, credit);
    commerce_write_close(w, '}');
}


/* by whom and where the buyer was met */

static void
commerce_event_write_met(commerce_write_t *w, const commerce_credit_t *credit)
{
    char               channel[20], *digits;
    commerce_touch_t   touch;

    commerce_write_optional(w, "group", credit->group_id);
    commerce_write_optional(w, "room", credit->room_id);

    if (credit->channel_id.len != 0) {
        commerce_write_text(w, "channel", credit->channel_id);

    } else if (credit->channel != 0) {
        digits = commerce_digits(channel + sizeof(channel), credit->channel);
        commerce_write_text(w, "channel", (commerce_str_t) {
            digits, (size_t) (channel + sizeof(channel) - digits) });
    }

    memset(&touch, 0, sizeof(commerce_touch_t));
    touch.source = credit->source;
    touch.field = credit->field;
    touch.origin = credit->origin;

    commerce_write_optional(w, "field", commerce_cstr(commerce_field_name(commerce_touch_field(&touch))));
    commerce_write_optional(w, "origin", commerce_cstr(commerce_origin_name(commerce_touch_origin(&touch))));
    commerce_write_optional(w, "platform", credit->platform);
}


static int
commerce_event_random(commerce_event_source_t *source, uint8_t *out, size_t len)
{
    if (!source->ready || source->random_used + len > sizeof(source->random)) {
        if (RAND_bytes(source->random, sizeof(source->random)) != 1) {
            source->ready = false;
            return COMMERCE_ERROR;
        }

        source->random_used = 0;
        source->ready = true;
    }

    memcpy(out, source->random + source->random_used, len);
    source->random_used += len;

    return COMMERCE_OK;
}


static uint64_t
commerce_event_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;

    return hash ^ hash >> 32;
}


static inline void
commerce_event_write_fen(commerce_write_t *w, const char *name, commerce_fen_t fen)
{
    if (fen < 0) {
        commerce_write_null(w, name);

    } else {
        commerce_write_int(w, name, fen);
    }
}


static const commerce_credit_t *
commerce_event_credit(const commerce_order_t *order, int index)
{
    return (index >= 0 && index < (int) order->credit_count && index < COMMERCE_CREDITS_MAX)
           ? &order->credits[index] : NULL;
}


static void
commerce_event_write_lines(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance)
{
    unsigned                  i;
    const commerce_line_t    *line;
    const commerce_credit_t  *credit;

    if (order->line_count == 0) {
        return;
    }

    commerce_write_open(w, "lines", '[');

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];
        credit = commerce_event_credit(order, line->credit);

        commerce_write_open(w, NULL, '{');
        commerce_write_optional(w, "sku", line->sku);
        commerce_write_int(w, "quantity", line->quantity);
        commerce_event_write_fen(w, "amount", line->amount);
        commerce_write_int(w, "discount", line->discount);

        if (balance != NULL) {
            commerce_event_write_fen(w, "paid", balance->paid[i]);
            commerce_event_write_fen(w, "refunded", balance->refunded[i]);
            commerce_event_write_fen(w, "net", balance->net[i]);
        }

        if (credit != NULL) {
            commerce_write_optional(w, "seller", credit->seller_id);
            commerce_write_optional(w, "tier2", credit->tier2_id);
            commerce_event_write_rates(w, order, &line->rates);
        }

        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(
            credit != NULL ? credit->source : COMMERCE_SOURCE_NONE)));
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


/* money that came, and went back; nothing of it before the first notice of either */

static void
commerce_event_write_sale(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance)
{
    unsigned                   i;
    const commerce_receipt_t  *receipt;

    if (order->freight != 0) {
        commerce_write_int(w, "freight", order->freight);
    }

    commerce_write_optional(w, "payment", order->payment);

    if (order->receipt_count != 0) {
        commerce_event_write_fen(w, "due", commerce_payment_due(order));
        commerce_event_write_fen(w, "received", commerce_payment_received(order));
        commerce_write_open(w, "payments", '[');

        for (i = 0; i < order->receipt_count; i++) {
            receipt = &order->receipts[i];

            commerce_write_open(w, NULL, '{');
            commerce_write_optional(w, "payment", receipt->payment);
            commerce_write_optional(w, "transaction", receipt->transaction);
            commerce_event_write_fen(w, "amount", receipt->amount);
            commerce_write_close(w, '}');
        }

        commerce_write_close(w, ']');
    }

    if (order->freeze_after != 0) {
        commerce_write_int(w, "freeze_after", order->freeze_after);
    }

    if (order->freeze != 0) {
        commerce_write_int(w, "freeze", order->freeze);
    }

    if (order->settled != 0) {
        commerce_write_int(w, "settled", order->settled);
    }

    if (balance != NULL && order->refund_count != 0) {
        commerce_write_int(w, "refunds", order->refund_count);
        commerce_write_int(w, "refunded", balance->refunded_goods + balance->refunded_rest);
    }
}


static void
commerce_event_write_coupons(commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                        i;
    const commerce_order_coupon_t  *coupon;

    if (order->coupon_count == 0) {
        return;
    }

    commerce_write_open(w, "coupons", '[');

    for (i = 0; i < order->coupon_count; i++) {
        coupon = &order->coupons[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "campaign", coupon->campaign_id);
        commerce_write_int(w, "serial", coupon->serial);
        commerce_event_write_fen(w, "discount", coupon->discount);
        commerce_write_text(w, "use", commerce_cstr(commerce_use_name(coupon->use)));
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


static void
commerce_event_write_doubt(commerce_write_t *w, unsigned doubt)
{
    if (doubt == 0) {
        return;
    }

    commerce_write_open(w, "doubt", '[');

    if (doubt & COMMERCE_DOUBT_UNKNOWN) {
        commerce_write_text(w, NULL, commerce_string("unknown"));
    }

    if (doubt & COMMERCE_DOUBT_AMOUNT) {
        commerce_write_text(w, NULL, commerce_string("amount"));
    }

    commerce_write_close(w, ']');
}


static size_t
commerce_event_texts(size_t a, size_t b, size_t c, size_t d)
{
    return (a + b + c + d) * COMMERCE_EVENT_ESCAPE;
}
