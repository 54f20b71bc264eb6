/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/crypto.h>

#include "commerce_base64.h"
#include "commerce_token.h"
#include "commerce_write.h"


#define COMMERCE_TOKEN_VERSION   1
#define COMMERCE_TOKEN_PAYLOAD   17
#define COMMERCE_TOKEN_MAC       (COMMERCE_TOKEN_SIZE - COMMERCE_TOKEN_PAYLOAD)
#define COMMERCE_TOKEN_FLAGS     (COMMERCE_TOKEN_REWARD | COMMERCE_TOKEN_TEST)
#define COMMERCE_TOKEN_DAY       86400


static bool commerce_token_shape(const commerce_token_t *token);
static void commerce_token_pack(const commerce_token_t *token, uint8_t *raw);
static uint64_t commerce_token_get(const uint8_t *p, size_t len);
static void commerce_token_put(uint8_t *p, size_t len, uint64_t n);


commerce_reason_t
commerce_token_parse(commerce_str_t text, commerce_token_t *token)
{
    size_t    len;
    uint64_t  context, expiry;

    if (text.len != COMMERCE_TOKEN_TEXT
        || commerce_base64url_decode(text, token->raw, &len) != COMMERCE_OK)
    {
        return COMMERCE_R(TOKEN_MALFORMED);
    }

    if (token->raw[0] >> 6 != COMMERCE_TOKEN_VERSION) {
        return COMMERCE_R(TOKEN_MALFORMED);
    }

    context = commerce_token_get(token->raw + 11, 4);
    expiry = commerce_token_get(token->raw + 15, 2);

    token->key_id = token->raw[0] & 63;
    token->seller = commerce_token_get(token->raw + 1, 5);
    token->upline = commerce_token_get(token->raw + 6, 5);
    token->context = (commerce_context_t) (context >> 29);
    token->context_id = context & COMMERCE_TOKEN_CONTEXT_MAX;
    token->expiry_day = (unsigned) (expiry >> 2);
    token->flags = expiry & COMMERCE_TOKEN_FLAGS;
    token->digest = commerce_token_get(token->raw + COMMERCE_TOKEN_PAYLOAD, COMMERCE_TOKEN_MAC);

    return commerce_token_shape(token) ? COMMERCE_R(OK) : COMMERCE_R(TOKEN_MALFORMED);
}


commerce_reason_t
commerce_token_verify(commerce_keyring_t *ring, commerce_str_t shop, const commerce_token_t *token,
    commerce_time_t now)
{
    int      rc;
    uint8_t  mac[COMMERCE_MAC_SIZE];

    rc = commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, token->key_id, shop, 0, token->raw,
                              COMMERCE_TOKEN_PAYLOAD, mac);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_R(TOKEN_KID_UNKNOWN);
    }

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(INTERNAL);
    }

    if (CRYPTO_memcmp(mac, token->raw + COMMERCE_TOKEN_PAYLOAD, COMMERCE_TOKEN_MAC) != 0) {
        return COMMERCE_R(TOKEN_BAD_MAC);
    }

    if (commerce_token_expired(token, now)) {
        return COMMERCE_R(TOKEN_EXPIRED);
    }

    return COMMERCE_R(OK);
}


bool
commerce_token_expired(const commerce_token_t *token, commerce_time_t now)
{
    commerce_time_t  dead;

    if (token->expiry_day == 0) {
        return false;
    }

    dead = COMMERCE_TOKEN_EPOCH + (commerce_time_t) token->expiry_day * COMMERCE_TOKEN_DAY;

    return now >= dead;
}


int
commerce_token_expiry_day(commerce_time_t until, unsigned *day)
{
    commerce_time_t  n, left;

    if (until == COMMERCE_FOREVER) {
        *day = 0;
        return COMMERCE_OK;
    }

    if (until <= COMMERCE_TOKEN_EPOCH) {
        *day = 1;
        return COMMERCE_OK;
    }

    left = until - COMMERCE_TOKEN_EPOCH;
    n = left / COMMERCE_TOKEN_DAY + (left % COMMERCE_TOKEN_DAY != 0);

    if (n > COMMERCE_TOKEN_DAY_MAX) {
        return COMMERCE_ERROR;
    }

    *day = (unsigned) n;

    return COMMERCE_OK;
}


int
commerce_token_issue(commerce_keyring_t *ring, commerce_str_t shop, commerce_token_t *token,
    char out[COMMERCE_TOKEN_TEXT])
{
    uint8_t  mac[COMMERCE_MAC_SIZE];

    token->key_id = commerce_keyring_signing_id(ring, COMMERCE_KEY_SHARE);

    if (!commerce_token_shape(token)) {
        return COMMERCE_ERROR;
    }

    commerce_token_pack(token, token->raw);

    if (commerce_keyring_mac(ring, COMMERCE_KEY_SHARE, token->key_id, shop, 0, token->raw,
                             COMMERCE_TOKEN_PAYLOAD, mac)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    memcpy(token->raw + COMMERCE_TOKEN_PAYLOAD, mac, COMMERCE_TOKEN_MAC);
    token->digest = commerce_token_get(mac, COMMERCE_TOKEN_MAC);

    commerce_base64url(token->raw, COMMERCE_TOKEN_SIZE, out);

    return COMMERCE_OK;
}


/* what both a token that comes in and one that goes out must keep */

static bool
commerce_token_shape(const commerce_token_t *token)
{
    if (token->key_id >= COMMERCE_KEY_IDS
        || token->seller > COMMERCE_TOKEN_SELLER_MAX
        || token->upline > COMMERCE_TOKEN_SELLER_MAX
        || (unsigned) token->context > COMMERCE_CONTEXT_CHANNEL
        || token->context_id > COMMERCE_TOKEN_CONTEXT_MAX
        || token->expiry_day > COMMERCE_TOKEN_DAY_MAX
        || token->flags > COMMERCE_TOKEN_FLAGS)
    {
        return false;
    }

    if (token->context == COMMERCE_CONTEXT_NONE && token->context_id != 0) {
        return false;
    }

    return token->seller != 0 || token->upline == 0;
}


static void
commerce_token_pack(const commerce_token_t *token, uint8_t *raw)
{
    raw[0] = (uint8_t) (COMMERCE_TOKEN_VERSION << 6 | token->key_id);

    commerce_token_put(raw + 1, 5, token->seller);
    commerce_token_put(raw + 6, 5, token->upline);
    commerce_token_put(raw + 11, 4, (uint64_t) token->context << 29 | token->context_id);
    commerce_token_put(raw + 15, 2, (uint64_t) token->expiry_day << 2 | token->flags);
}


static uint64_t
commerce_token_get(const uint8_t *p, size_t len)
{
    uint64_t  n;

    for (n = 0; len != 0; len--) {
        n = n << 8 | *p++;
    }

    return n;
}


static void
commerce_token_put(uint8_t *p, size_t len, uint64_t n)
{
    while (len-- != 0) {
        p[len] = (uint8_t) n;
        n >>= 8;
    }
}
