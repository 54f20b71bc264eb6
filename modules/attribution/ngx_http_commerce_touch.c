/*
 * Copyright (C) ngx_commerce authors
 *
 * Touches: what a request says about who brought its buyer.
 */

#include "ngx_http_commerce_attribution.h"


/* tokens that were verified lately: a token is clicked by thousands, its MAC need not be made each time */
typedef struct {
    u_char      raw[COMMERCE_TOKEN_SIZE];
    u_char      shop[COMMERCE_SHOP_MAX];
    uint8_t     shop_len;                           /* 0 = empty slot */
    uint8_t     reason;                             /* OK or TOKEN_BAD_MAC */
} ngx_http_commerce_verified_t;


#define NGX_HTTP_COMMERCE_VERIFIED     4096
#define NGX_HTTP_COMMERCE_LOOKBACK     (7 * 86400)
#define NGX_HTTP_COMMERCE_CONTENT      (14 * 86400)
#define NGX_HTTP_COMMERCE_GROUP        (30 * 86400)
#define NGX_HTTP_COMMERCE_CHANNEL      (30 * 86400)
#define NGX_HTTP_COMMERCE_LIVE_CLICK   (7 * 86400)


static ngx_http_commerce_verified_t   *ngx_http_commerce_verified;  /* per worker, made at first use */
static commerce_keyring_t             *ngx_http_commerce_verified_ring;


static commerce_reason_t ngx_http_commerce_touch_text(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, commerce_str_t *text);
static void ngx_http_commerce_collect_share(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, commerce_str_t text);
static commerce_reason_t ngx_http_commerce_verify(ngx_commerce_case_t *c, commerce_token_t *token);
static commerce_reason_t ngx_http_commerce_token_touch(ngx_http_commerce_attribution_t *a,
    commerce_token_t *token, time_t lookback, ngx_http_commerce_touch_t *t);


commerce_reason_t
ngx_http_commerce_collect(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                       i;
    commerce_str_t                   text;
    commerce_reason_t                reason;
    ngx_commerce_case_t             *c;
    ngx_http_commerce_touch_conf_t  *tc;

    c = a->c;

    if (a->conf->touches == NULL) {
        return COMMERCE_R(OK);
    }

    tc = a->conf->touches->elts;

    for (i = 0; i < a->conf->touches->nelts && a->ntouches < COMMERCE_TOUCHES_MAX; i++) {

        reason = ngx_http_commerce_touch_text(a, &tc[i], &text);

        if (reason == COMMERCE_R(INTERNAL)) {
            return reason;
        }

        if (reason != COMMERCE_R(OK)) {
            ngx_http_commerce_core->note_reason(c, reason);
            continue;
        }

        if (text.len == 0) {
            continue;
        }

        if (tc[i].type == NGX_HTTP_COMMERCE_TOUCH_SHARE) {
            ngx_http_commerce_collect_share(a, &tc[i], text);

        } else {
            ngx_http_commerce_collect_name(a, &tc[i], text);
        }
    }

    return COMMERCE_R(OK);
}


/* what of the source's text is the touch; empty: there is none */

static commerce_reason_t
ngx_http_commerce_touch_text(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t *text)
{
    int                rc;
    commerce_str_t     found;
    commerce_reason_t  reason;

    reason = ngx_http_commerce_core->read(a->c, &tc->source, text);

    if (reason != COMMERCE_R(OK) || text->len == 0) {
        return reason;
    }

    if (tc->decode && commerce_scene_decode(&a->c->arena, *text, text) != COMMERCE_OK) {
        return COMMERCE_R(TOKEN_MALFORMED);
    }

    if (tc->member.len) {
        rc = commerce_scene_member(*text, tc->member, &found);

        if (rc == COMMERCE_ERROR) {
            return COMMERCE_R(TOKEN_DUPLICATE_PARAM);
        }

        *text = found;
    }

    if (tc->pattern && text->len) {
        rc = commerce_pattern_find(tc->pattern, *text, &found);

        if (rc == COMMERCE_ERROR) {
            return COMMERCE_R(TOKEN_MALFORMED);
        }

        *text = found;
    }

    return COMMERCE_R(OK);
}


static void
ngx_http_commerce_collect_share(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t text)
{
    commerce_token_t            token;
    commerce_reason_t           reason;
    ngx_http_commerce_touch_t  *t;

    t = &a->touches[a->ntouches++];
    ngx_memzero(t, sizeof(ngx_http_commerce_touch_t));
    t->binds = tc->binds;
    t->wins = tc->wins;
    t->platform = tc->platform;

    reason = commerce_token_parse(text, &token);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_verify(a->c, &token);
    }

    if (reason == COMMERCE_R(OK) && commerce_token_expired(&token, a->c->now)) {
        reason = COMMERCE_R(TOKEN_EXPIRED);
    }

    if (reason == COMMERCE_R(OK) && (token.flags & COMMERCE_TOKEN_TEST)) {
        reason = COMMERCE_R(TOKEN_SCOPE);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_token_touch(a, &token, tc->lookback, t);
    }

    if (reason == COMMERCE_R(OK) && (token.flags & COMMERCE_TOKEN_REWARD)) {
        t->conduct |= COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_SHARE_INCENTIVE);

        if (ngx_http_commerce_core->flag(a->c, COMMERCE_CONDUCT_SHARE_INCENTIVE)) {
            reason = COMMERCE_R(SHARE_INCENTIVE);
        }
    }

    if (tc->field) {
        t->touch.field = tc->field;
    }

    if (tc->origin) {
        t->touch.origin = tc->origin;
    }

    t->reason = reason;
    ngx_http_commerce_core->note_reason(a->c, reason);
}


/* the MAC, or what it was a moment ago; time is no part of it */

static commerce_reason_t
ngx_http_commerce_verify(ngx_commerce_case_t *c, commerce_token_t *token)
{
    uint64_t                       slot;
    commerce_reason_t              reason;
    commerce_keyring_t            *ring;
    ngx_http_commerce_verified_t  *v;

    ring = ngx_http_commerce_core->keyring(c);

    if (ngx_http_commerce_verified_ring != ring) {

        if (ngx_http_commerce_verified == NULL) {
            ngx_http_commerce_verified = ngx_alloc(NGX_HTTP_COMMERCE_VERIFIED
                                                   * sizeof(ngx_http_commerce_verified_t),
                                                   c->request->connection->log);
        }

        if (ngx_http_commerce_verified == NULL) {
            return commerce_token_verify(ring, c->shop, token, c->now);
        }

        ngx_memzero(ngx_http_commerce_verified,
                    NGX_HTTP_COMMERCE_VERIFIED * sizeof(ngx_http_commerce_verified_t));
        ngx_http_commerce_verified_ring = ring;
    }

    /* the digest is the MAC itself: as good as random for genuine tokens */

    slot = token->digest & (NGX_HTTP_COMMERCE_VERIFIED - 1);
    v = &ngx_http_commerce_verified[slot];

    if (v->shop_len == c->shop.len
        && ngx_memcmp(v->raw, token->raw, COMMERCE_TOKEN_SIZE) == 0
        && ngx_memcmp(v->shop, c->shop.data, c->shop.len) == 0)
    {
        return COMMERCE_R(OK);
    }

    reason = commerce_token_verify(ring, c->shop, token, c->now);

    if (reason == COMMERCE_R(OK)) {
        ngx_memcpy(v->raw, token->raw, COMMERCE_TOKEN_SIZE);
        ngx_memcpy(v->shop, c->shop.data, c->shop.len);
        v->shop_len = (uint8_t) c->shop.len;
    }

    return reason;
}


/* what the token says; group leaders and hosts come from the store, without it only the seller is known */

static commerce_reason_t
ngx_http_commerce_token_touch(ngx_http_commerce_attribution_t *a, commerce_token_t *token,
    time_t lookback, ngx_http_commerce_touch_t *t)
{
    commerce_touch_t  *touch;

    touch = &t->touch;
    touch->strength = COMMERCE_STRENGTH_SIGNED;
    touch->digest = token->digest;
    touch->first = a->c->now;
    touch->seller = token->seller;
    touch->upline = token->upline;

    switch (token->context) {

    case COMMERCE_CONTEXT_GROUP:
        touch->group = token->context_id;
        break;

    case COMMERCE_CONTEXT_LIVE_ROOM:
        touch->room = token->context_id;
        break;

    case COMMERCE_CONTEXT_CHANNEL:
        touch->channel = token->context_id;
        break;

    default:
        touch->landing = token->context_id;
        break;
    }

    if (token->seller) {
        touch->source = COMMERCE_SOURCE_SHARE;
        touch->lookback = lookback ? lookback
                          : token->context == COMMERCE_CONTEXT_CONTENT ? NGX_HTTP_COMMERCE_CONTENT
                          : NGX_HTTP_COMMERCE_LOOKBACK;
        return COMMERCE_R(OK);
    }

    if (a->c->reader.view == NULL) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    if (touch->group) {
        touch->source = COMMERCE_SOURCE_GROUP;
        touch->lookback = lookback ? lookback : NGX_HTTP_COMMERCE_GROUP;

        return ngx_http_commerce_touch_group(a, touch);
    }

    if (touch->room) {
        touch->source = COMMERCE_SOURCE_LIVE_ROOM;
        touch->lookback = lookback ? lookback : NGX_HTTP_COMMERCE_LIVE_CLICK;

        return ngx_http_commerce_touch_room(a, touch);
    }

    touch->source = COMMERCE_SOURCE_CHANNEL;

    touch->lookback = lookback ? lookback : NGX_HTTP_COMMERCE_CHANNEL;

    return touch->channel ? ngx_http_commerce_touch_channel(a, t) : COMMERCE_R(OWNER_UNKNOWN);
}
