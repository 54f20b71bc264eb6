/*
 * Copyright (C) ngx_commerce authors
 *
 * Share token: who shared, recruited by whom, in which context, until when.
 *
 * Exactly 32 base64url characters, because a WeChat mini-program code carries a "scene" of at most
 * 32 characters out of digits, letters and !#$&'()*+,/:;=?@-._~ (wxacode.getUnlimited).
 * 24 bytes, most significant bit first:
 *
 *   version 2 (=1) | key id 6 | seller 40 | upline 40 | context type 3 | context id 29 |
 *   expiry day 14 | flags 2 | MAC 56 (HMAC-SHA256 over the 17 bytes before it, first 7 bytes)
 *
 * Two sellers fit; a third has no place to be written.  Both ids can be read by anyone.  The upline
 * is a hint for degraded mode: orders take the store's.  There is one encoding per token; every other
 * spelling (length, alphabet, version, context types 6 and 7, type none with an id, seller 0 with an
 * upline) is malformed.
 *
 * expiry day: days from 2026-01-01 UTC, the first day on which the token is dead; 0 = never.
 */

#ifndef COMMERCE_TOKEN_H
#define COMMERCE_TOKEN_H

#include "commerce_keyring.h"

#define COMMERCE_TOKEN_TEXT    32
#define COMMERCE_TOKEN_SIZE    24
#define COMMERCE_TOKEN_EPOCH   1767225600       /* 2026-01-01 00:00:00 UTC */
#define COMMERCE_TOKEN_SELLER_MAX   ((1ULL << 40) - 1)
#define COMMERCE_TOKEN_CONTEXT_MAX  ((1U << 29) - 1)
#define COMMERCE_TOKEN_DAY_MAX      ((1U << 14) - 1)

typedef enum {
    COMMERCE_CONTEXT_NONE,
    COMMERCE_CONTEXT_PRODUCT,       /* id of a landing record, as for content */
    COMMERCE_CONTEXT_CONTENT,
    COMMERCE_CONTEXT_GROUP,
    COMMERCE_CONTEXT_LIVE_ROOM,
    COMMERCE_CONTEXT_CHANNEL
} commerce_context_t;

#define COMMERCE_TOKEN_REWARD  2        /* the act of sharing was rewarded */
#define COMMERCE_TOKEN_TEST    1        /* made for a test; never binds */

typedef struct {
    unsigned            key_id;
    uint64_t            seller;         /* 0 = nobody: a group, live room or channel token */
    uint64_t            upline;         /* 0 = none */
    commerce_context_t  context;
    uint32_t            context_id;
    unsigned            expiry_day;
    unsigned            flags;
    uint64_t            digest;         /* the 56 MAC bits: names the token in a buyer's memory; set by parse and issue */
    uint8_t             raw[COMMERCE_TOKEN_SIZE];   /* set by parse and issue */
} commerce_token_t;

/* OK or TOKEN_MALFORMED; looks at the text only */
commerce_reason_t commerce_token_parse(commerce_str_t text, commerce_token_t *token);

/* OK, TOKEN_KID_UNKNOWN, TOKEN_BAD_MAC, TOKEN_EXPIRED (in this order), INTERNAL */
commerce_reason_t commerce_token_verify(commerce_keyring_t *ring, commerce_str_t shop,
    const commerce_token_t *token, commerce_time_t now);

/* the part of verify that depends on the clock alone */
bool commerce_token_expired(const commerce_token_t *token, commerce_time_t now);

/*
 * The first dead day for a token to be valid at least until a moment (at least 1, as 0 never dies;
 * 0 for COMMERCE_FOREVER); COMMERCE_ERROR beyond the 14 bits.
 */
int commerce_token_expiry_day(commerce_time_t until, unsigned *day);

/*
 * Signs with the ring's signing share key (token->key_id is set) and writes 32 characters, no NUL.
 * COMMERCE_ERROR for ids out of range or a shape that parse would refuse.
 */
int commerce_token_issue(commerce_keyring_t *ring, commerce_str_t shop, commerce_token_t *token,
    char out[COMMERCE_TOKEN_TEXT]);

#endif
