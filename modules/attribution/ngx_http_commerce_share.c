/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_share: issues share tokens to verified sellers.
 */

#include "ngx_http_commerce_attribution.h"


typedef struct {                                    /* commerce_share */
    ngx_commerce_source_t       group, room, reward;
    time_t                      validity;           /* 0 = never expires */
} ngx_http_commerce_share_conf_t;


#define NGX_HTTP_COMMERCE_SHARE_VALIDITY  (20 * 366 * 86400L)   /* a token's days end in 2070 */


static commerce_reason_t ngx_http_commerce_share(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_share_context(ngx_commerce_case_t *c,
    ngx_http_commerce_share_conf_t *sc, commerce_token_t *token, commerce_str_t *group,
    commerce_str_t *room);
static commerce_reason_t ngx_http_commerce_share_reward(ngx_commerce_case_t *c,
    ngx_http_commerce_share_conf_t *sc, commerce_token_t *token);
static commerce_reason_t ngx_http_commerce_share_answer(ngx_commerce_case_t *c, commerce_person_t *seller,
    commerce_str_t token, commerce_time_t expires, commerce_str_t group, commerce_str_t room);


/* commerce_share: a token for the seller who asks */

static commerce_reason_t
ngx_http_commerce_share(ngx_commerce_case_t *c, void *conf)
{
    int                              rc;
    char                            *text;
    commerce_str_t                   group, room;
    commerce_time_t                  expires;
    commerce_token_t                 token;
    commerce_person_t                seller;
    commerce_reason_t                reason;
    ngx_http_commerce_share_conf_t  *sc = conf;

    if (!c->verified || c->user.len == 0) {
        return COMMERCE_R(USER_NOT_VERIFIED);
    }

    reason = ngx_http_commerce_core->client(c);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    rc = commerce_person_of_user(&c->reader, c->user, &seller, NULL);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (rc == COMMERCE_ABSENT || commerce_person_judge(&seller) != COMMERCE_R(OK)) {
        return COMMERCE_R(NOT_A_SELLER);
    }

    ngx_memzero(&token, sizeof(commerce_token_t));
    token.seller = seller.number;
    token.upline = commerce_role_salaried(seller.role) ? 0 : seller.upline;

    reason = ngx_http_commerce_share_context(c, sc, &token, &group, &room);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_share_reward(c, sc, &token);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    expires = 0;

    if (sc->validity) {
        if (commerce_token_expiry_day(c->now + sc->validity, &token.expiry_day) != COMMERCE_OK) {
            return COMMERCE_R(INTERNAL);
        }

        expires = COMMERCE_TOKEN_EPOCH + (commerce_time_t) token.expiry_day * 86400;
    }

    text = commerce_alloc(&c->arena, COMMERCE_TOKEN_TEXT);

    if (text == NULL
        || commerce_token_issue(ngx_http_commerce_core->keyring(c), c->shop, &token, text) != COMMERCE_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    return ngx_http_commerce_share_answer(c, &seller, (commerce_str_t) { text, COMMERCE_TOKEN_TEXT },
                                          expires, group, room);
}


static commerce_reason_t
ngx_http_commerce_share_context(ngx_commerce_case_t *c, ngx_http_commerce_share_conf_t *sc,
    commerce_token_t *token, commerce_str_t *group, commerce_str_t *room)
{
    commerce_room_t    r;
    commerce_group_t   g;
    commerce_reason_t  reason;

    *group = commerce_string("");
    *room = commerce_string("");

    if (sc->group.type) {
        reason = ngx_http_commerce_core->read(c, &sc->group, group);
        if (reason != COMMERCE_R(OK)) {
            return COMMERCE_R(ORDER_MALFORMED);
        }
    }

    if (sc->room.type) {
        reason = ngx_http_commerce_core->read(c, &sc->room, room);
        if (reason != COMMERCE_R(OK)) {
            return COMMERCE_R(ORDER_MALFORMED);
        }
    }

    if (group->len) {
        if (!commerce_id_valid(*group) || commerce_group_find(&c->reader, *group, &g, NULL) != COMMERCE_OK) {
            return COMMERCE_R(CONTEXT_UNKNOWN);
        }

        token->context = COMMERCE_CONTEXT_GROUP;
        token->context_id = g.number;
        *room = commerce_string("");

    } else if (room->len) {
        if (!commerce_id_valid(*room) || commerce_room_find(&c->reader, *room, &r, NULL) != COMMERCE_OK) {
            return COMMERCE_R(CONTEXT_UNKNOWN);
        }

        token->context = COMMERCE_CONTEXT_LIVE_ROOM;
        token->context_id = r.number;
    }

    return COMMERCE_R(OK);
}


/* does the page pay for sharing?  Then the token says so, wherever it goes */

static commerce_reason_t
ngx_http_commerce_share_reward(ngx_commerce_case_t *c, ngx_http_commerce_share_conf_t *sc,
    commerce_token_t *token)
{
    ngx_uint_t      i;
    commerce_str_t  reward;

    static const commerce_str_t  none[] = {
        commerce_string(""), commerce_string("0"), commerce_string("false"), commerce_string("none")
    };

    if (sc->reward.type == 0) {
        return COMMERCE_R(OK);
    }

    if (ngx_http_commerce_core->read(c, &sc->reward, &reward) != COMMERCE_R(OK)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        if (commerce_equal(reward, none[i])) {
            return COMMERCE_R(OK);
        }
    }

    token->flags |= COMMERCE_TOKEN_REWARD;

    return ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_SHARE_INCENTIVE) ? COMMERCE_R(SHARE_INCENTIVE)
                                                                             : COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_share_answer(ngx_commerce_case_t *c, commerce_person_t *seller, commerce_str_t token,
    commerce_time_t expires, commerce_str_t group, commerce_str_t room)
{
    char              *buffer, date[32];
    int64_t            len;
    commerce_write_t   w;

    if (ngx_http_commerce_core->event_start(c, &w, "share") == NGX_OK) {
        commerce_write_text(&w, "seller", seller->id);
        commerce_write_optional(&w, "group", group);
        commerce_write_optional(&w, "room", room);

        if (expires) {
            commerce_write_int(&w, "expires", expires);
        }

        ngx_http_commerce_core->conduct_write(c, &w, COMMERCE_CONDUCT_ALL);
        ngx_http_commerce_core->event_plain(c, &w);
    }

    buffer = commerce_alloc(&c->arena, 2048);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, 2048);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "token", token);
    commerce_write_text(&w, "seller", seller->id);
    commerce_write_optional(&w, "group", group);
    commerce_write_optional(&w, "room", room);

    if (expires) {
        commerce_time_format(expires, date);
        commerce_write_text(&w, "expires", commerce_cstr(date));

    } else {
        commerce_write_null(&w, "expires");
    }

    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return COMMERCE_R(INTERNAL);
    }

    c->answer = (commerce_str_t) { buffer, (size_t) len };
    c->status = NGX_HTTP_OK;

    return COMMERCE_R(OK);
}


char *
ngx_http_commerce_share_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value, s;
    ngx_uint_t                       i;
    ngx_http_commerce_share_conf_t  *sc;

    sc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_share_conf_t));
    if (sc == NULL) {
        return NGX_CONF_ERROR;
    }

    sc->validity = 30 * 86400;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = NGX_CONF_OK;

        if (ngx_strncmp(value[i].data, "group=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;
            rv = ngx_http_commerce_core->source(cf, &s,
                     NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY, &sc->group);

        } else if (ngx_strncmp(value[i].data, "room=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;
            rv = ngx_http_commerce_core->source(cf, &s,
                     NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY, &sc->room);

        } else if (ngx_strncmp(value[i].data, "reward=", 7) == 0) {
            s.data = value[i].data + 7;
            s.len = value[i].len - 7;
            rv = ngx_http_commerce_core->source(cf, &s,
                     NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY, &sc->reward);

        } else if (ngx_strcmp(value[i].data, "validity=forever") == 0) {
            sc->validity = 0;

        } else if (ngx_strncmp(value[i].data, "validity=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;
            sc->validity = ngx_parse_time(&s, 1);

            if (sc->validity < 1 || sc->validity > NGX_HTTP_COMMERCE_SHARE_VALIDITY) {
                rv = ngx_http_commerce_core->invalid(cf, &value[i], "validity=time (up to 20y)|forever");
            }

        } else {
            rv = ngx_http_commerce_core->invalid(cf, &value[i], "group=, room=, reward=, "
                                                 "validity=time (up to 20y)|forever");
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_commerce_core->action(cf, NGX_HTTP_GET|NGX_HTTP_POST, ngx_http_commerce_share, sc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
