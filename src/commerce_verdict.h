/*
 * Copyright (C) ngx_commerce authors
 *
 * The verdict as one signed compact JWS (RFC 7515), for order locations: what the edge decided about
 * exactly this request, so that a backend can check it and a stolen copy fits no other request.
 *
 *   header   {"alg":"HS256","kid":"<n>","typ":"commerce-verdict+jwt"}
 *   payload  v iss shop iat exp jti mode key replay method path query_sha256 body_sha256 sub
 *            seller tier2 group room channel reason coupons[{code,campaign,discount}]
 *
 * The key is the verdict subkey of the shop ("commerce keys export verdict").  exp is at most 60 s
 * after iat.  path is nginx's normalised URI, the query as it goes upstream.  The backend honours only
 * the coupons listed here; discount is null where the request named no amounts.  v is 1, ids are text,
 * hashes lower case hex; sub, seller, tier2, group, room and channel are left out when there is none.
 */

#ifndef COMMERCE_VERDICT_H
#define COMMERCE_VERDICT_H

#include "commerce_keyring.h"

#define COMMERCE_VERDICT_LIFE  60

typedef struct {
    commerce_str_t  code;           /* as the request wrote it: the backend looks for it there */
    commerce_str_t  campaign;
    int64_t         discount;       /* fen; -1 = not known */
} commerce_verdict_coupon_t;

typedef struct {
    commerce_str_t   issuer;        /* the node */
    commerce_str_t   shop;
    commerce_time_t  issued;
    commerce_str_t   id;            /* jti */
    commerce_str_t   mode;          /* observe | enforce */
    commerce_str_t   key;           /* the order's key */
    bool             replay;
    commerce_str_t   method, path;
    uint8_t          query_sha256[32], body_sha256[32];
    commerce_str_t   user;          /* verified; empty otherwise */
    commerce_str_t   seller, tier2, group, room, channel;   /* empty = none */
    commerce_str_t   reason;
    const commerce_verdict_coupon_t  *coupons;
    size_t           coupon_count;
} commerce_verdict_t;

/* the JWS in the arena; COMMERCE_ERROR: no memory, no key */
int commerce_verdict_sign(commerce_keyring_t *ring, const commerce_verdict_t *verdict,
    commerce_arena_t *arena, commerce_str_t *jws);

#endif
