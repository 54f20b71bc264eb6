/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_verdict.h"
#include "commerce_write.h"


#define COMMERCE_VERDICT_HEADER    128      /* more than the header, its key id at its longest */
#define COMMERCE_VERDICT_FIXED     768      /* more than names, numbers, hashes and brackets */
#define COMMERCE_VERDICT_COUPON    96       /* the same for each coupon */
#define COMMERCE_VERDICT_ESCAPE    6        /* what one byte of text may become */

#define commerce_verdict_encoded(len)  (((len) * 4 + 2) / 3)


static size_t commerce_verdict_bound(const commerce_verdict_t *verdict);
static int64_t commerce_verdict_header(unsigned key_id, char *buffer, size_t size);
static int64_t commerce_verdict_payload(const commerce_verdict_t *verdict, char *buffer,
    size_t size);
static void commerce_verdict_coupons(const commerce_verdict_t *verdict, commerce_write_t *w);


int
commerce_verdict_sign(commerce_keyring_t *ring, const commerce_verdict_t *verdict,
    commerce_arena_t *arena, commerce_str_t *jws)
{
    char      header[COMMERCE_VERDICT_HEADER], *payload, *out, *p;
    size_t    bound;
    int64_t   header_len, payload_len;
    uint8_t   mac[COMMERCE_MAC_SIZE];
    unsigned  id;

    id = commerce_keyring_signing_id(ring, COMMERCE_KEY_VERDICT);

    bound = commerce_verdict_bound(verdict);
    payload = arena->alloc(arena->owner, bound);
    if (payload == NULL) {
        return COMMERCE_ERROR;
    }

    header_len = commerce_verdict_header(id, header, sizeof(header));
    payload_len = commerce_verdict_payload(verdict, payload, bound);

    if (header_len < 0 || payload_len < 0) {
        return COMMERCE_ERROR;
    }

    out = arena->alloc(arena->owner,
                       commerce_verdict_encoded((size_t) header_len) + 1
                       + commerce_verdict_encoded((size_t) payload_len) + 1
                       + commerce_verdict_encoded(sizeof(mac)));
    if (out == NULL) {
        return COMMERCE_ERROR;
    }

    p = out;
    p += commerce_base64url((uint8_t *) header, (size_t) header_len, p);
    *p++ = '.';
    p += commerce_base64url((uint8_t *) payload, (size_t) payload_len, p);

    if (commerce_keyring_mac(ring, COMMERCE_KEY_VERDICT, id, verdict->shop, 0, out,
                             (size_t) (p - out), mac)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    *p++ = '.';
    p += commerce_base64url(mac, sizeof(mac), p);

    *jws = (commerce_str_t) { out, (size_t) (p - out) };

    return COMMERCE_OK;
}


static size_t
commerce_verdict_bound(const commerce_verdict_t *verdict)
{
    size_t  i, text, fixed;

    text = verdict->issuer.len + verdict->shop.len + verdict->id.len + verdict->mode.len
           + verdict->key.len + verdict->method.len + verdict->path.len + verdict->user.len
           + verdict->seller.len + verdict->tier2.len + verdict->group.len + verdict->room.len
           + verdict->channel.len + verdict->reason.len;

    fixed = COMMERCE_VERDICT_FIXED;

    for (i = 0; i < verdict->coupon_count; i++) {
        text += verdict->coupons[i].code.len + verdict->coupons[i].campaign.len;
        fixed += COMMERCE_VERDICT_COUPON;
    }

    return text * COMMERCE_VERDICT_ESCAPE + fixed;
}


static int64_t
commerce_verdict_header(unsigned key_id, char *buffer, size_t size)
{
    char              kid[2];
    size_t            len;
    commerce_write_t  w;

    len = 0;

    if (key_id >= 10) {
        kid[len++] = (char) ('0' + key_id / 10 % 10);
    }

    kid[len++] = (char) ('0' + key_id % 10);

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "alg", commerce_string("HS256"));
    commerce_write_text(&w, "kid", (commerce_str_t) { kid, len });
    commerce_write_text(&w, "typ", commerce_string("commerce-verdict+jwt"));
    commerce_write_close(&w, '}');

    return commerce_write_finish(&w);
}


static int64_t
commerce_verdict_payload(const commerce_verdict_t *verdict, char *buffer, size_t size)
{
    commerce_write_t  w;

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '{');

    commerce_write_int(&w, "v", 1);
    commerce_write_text(&w, "iss", verdict->issuer);
    commerce_write_text(&w, "shop", verdict->shop);
    commerce_write_int(&w, "iat", verdict->issued);
    commerce_write_int(&w, "exp", verdict->issued + COMMERCE_VERDICT_LIFE);
    commerce_write_text(&w, "jti", verdict->id);
    commerce_write_text(&w, "mode", verdict->mode);
    commerce_write_text(&w, "key", verdict->key);
    commerce_write_bool(&w, "replay", verdict->replay);
    commerce_write_text(&w, "method", verdict->method);
    commerce_write_text(&w, "path", verdict->path);
    commerce_write_hex(&w, "query_sha256", verdict->query_sha256, sizeof(verdict->query_sha256));
    commerce_write_hex(&w, "body_sha256", verdict->body_sha256, sizeof(verdict->body_sha256));
    commerce_write_optional(&w, "sub", verdict->user);
    commerce_write_optional(&w, "seller", verdict->seller);
    commerce_write_optional(&w, "tier2", verdict->tier2);
    commerce_write_optional(&w, "group", verdict->group);
    commerce_write_optional(&w, "room", verdict->room);
    commerce_write_optional(&w, "channel", verdict->channel);
    commerce_write_text(&w, "reason", verdict->reason);
    commerce_verdict_coupons(verdict, &w);

    commerce_write_close(&w, '}');

    return commerce_write_finish(&w);
}


static void
commerce_verdict_coupons(const commerce_verdict_t *verdict, commerce_write_t *w)
{
    size_t                            i;
    const commerce_verdict_coupon_t  *coupon;

    commerce_write_open(w, "coupons", '[');

    for (i = 0; i < verdict->coupon_count; i++) {
        coupon = &verdict->coupons[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "code", coupon->code);
        commerce_write_text(w, "campaign", coupon->campaign);

        if (coupon->discount < 0) {
            commerce_write_null(w, "discount");

        } else {
            commerce_write_int(w, "discount", coupon->discount);
        }

        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}
