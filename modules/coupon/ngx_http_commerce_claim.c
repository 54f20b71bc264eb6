/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_coupon_claim: a user takes a coupon of his own.  The rules are src/commerce_claim.h.
 * commerce_coupon_list: what he has taken.
 */

#include <openssl/rand.h>

#include "ngx_http_commerce_coupon.h"
#include "../../src/commerce_rules.h"


typedef struct {                                    /* commerce_coupon_claim */
    ngx_commerce_source_t  campaign, key;
} ngx_http_commerce_claim_conf_t;


#define NGX_HTTP_COMMERCE_CLAIM_DRAWS   8           /* blocks that may turn out to be used */
#define NGX_HTTP_COMMERCE_CLAIM_ANSWER  2048
#define NGX_HTTP_COMMERCE_LIST_MAX      100         /* coupons in one answer */
#define NGX_HTTP_COMMERCE_LIST_ANSWER   (NGX_HTTP_COMMERCE_LIST_MAX * NGX_HTTP_COMMERCE_CLAIM_ANSWER)


static commerce_reason_t ngx_http_commerce_claim(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_claim_campaign(ngx_commerce_case_t *c,
    ngx_http_commerce_claim_conf_t *cc, commerce_campaign_t *campaign);
static commerce_reason_t ngx_http_commerce_claim_request(ngx_commerce_case_t *c,
    ngx_http_commerce_claim_conf_t *cc, commerce_claim_request_t *request);
static commerce_reason_t ngx_http_commerce_claim_serial(ngx_commerce_case_t *c, unsigned campaign,
    uint32_t *serial);
static commerce_reason_t ngx_http_commerce_claim_answer(ngx_commerce_case_t *c,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon, ngx_uint_t replay);
static commerce_reason_t ngx_http_commerce_list(ngx_commerce_case_t *c, void *conf);


static commerce_claim_serials_t  ngx_http_commerce_claim_serials;   /* of this worker */


static commerce_reason_t
ngx_http_commerce_claim(ngx_commerce_case_t *c, void *conf)
{
    uint32_t                         serial;
    commerce_coupon_t                coupon;
    commerce_ledger_t                ledger;
    commerce_reason_t                reason;
    commerce_campaign_t              campaign;
    commerce_claim_request_t         request;
    ngx_http_commerce_claim_conf_t  *cc = conf;

    serial = 0;

    if (!c->verified) {
        return COMMERCE_R(COUPON_CUSTOMER_REQUIRED);
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    reason = ngx_http_commerce_claim_campaign(c, cc, &campaign);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_claim_request(c, cc, &request);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_claim_serial(c, campaign.number, &serial);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_http_commerce_coupon_core->ledger(c, &ledger);

    reason = commerce_ledger_claim(&ledger, &campaign, &request, serial, &coupon);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)) {
        return reason;
    }

    ngx_http_commerce_coupon_core->note_reason(c, reason);

    return ngx_http_commerce_claim_answer(c, &campaign, &coupon,
                                          reason == COMMERCE_R(COUPON_IDEMPOTENT_REPLAY));
}


/* a campaign that cannot be claimed from is none, to whoever asks; about one that can he may know why not now */

static commerce_reason_t
ngx_http_commerce_claim_campaign(ngx_commerce_case_t *c, ngx_http_commerce_claim_conf_t *cc,
    commerce_campaign_t *campaign)
{
    int                rc;
    commerce_str_t     id;
    commerce_reason_t  reason;

    reason = ngx_http_commerce_coupon_id(c, &cc->campaign, COMMERCE_R(COUPON_NOT_FOUND), &id);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    rc = commerce_campaign_find(&c->reader, id, campaign, NULL);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (rc == COMMERCE_ABSENT || !campaign->claim.open) {
        return COMMERCE_R(COUPON_NOT_FOUND);
    }

    c->candid = 1;

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_claim_request(ngx_commerce_case_t *c, ngx_http_commerce_claim_conf_t *cc,
    commerce_claim_request_t *request)
{
    commerce_room_t     room;
    commerce_group_t    group;
    commerce_reason_t   reason;
    commerce_credit_t  *credit;

    ngx_memzero(request, sizeof(commerce_claim_request_t));

    reason = ngx_http_commerce_coupon_core->read(c, &cc->key, &request->key);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_core->attribute(c);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    request->user = c->user;
    request->pseudonym = ngx_http_commerce_coupon_core->pseudonym(c);

    if (c->ncredits && !c->credits[0].contributor) {
        credit = &c->credits[0];
        request->seller = credit->seller;
        request->seller_id = credit->seller_id;
    }

    if (c->group && commerce_group_read(&c->reader, c->group, &group, NULL) == COMMERCE_OK) {
        request->group_id = group.id;
    }

    if (c->room && commerce_room_read(&c->reader, c->room, &room, NULL) == COMMERCE_OK) {
        request->room_id = room.id;
    }

    return COMMERCE_R(OK);
}


/* one that nobody has, as far as can be read; whoever takes it meanwhile is a conflict */

static commerce_reason_t
ngx_http_commerce_claim_serial(ngx_commerce_case_t *c, unsigned campaign, uint32_t *serial)
{
    int                rc;
    uint32_t           random;
    ngx_uint_t         i;
    commerce_coupon_t  coupon;

    for (i = 0; i < NGX_HTTP_COMMERCE_CLAIM_DRAWS; i++) {

        if (RAND_bytes((u_char *) &random, sizeof(random)) != 1) {
            return COMMERCE_R(INTERNAL);
        }

        *serial = commerce_claim_serial(&ngx_http_commerce_claim_serials, c->shop, campaign, random);

        rc = commerce_coupon_read(&c->reader, campaign, *serial, &coupon, NULL);

        if (rc == COMMERCE_ABSENT) {
            return COMMERCE_R(OK);
        }

        if (rc == COMMERCE_ERROR) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        commerce_claim_missed(&ngx_http_commerce_claim_serials, c->shop, campaign);
    }

    return COMMERCE_R(STORE_UNAVAILABLE);
}


static commerce_reason_t
ngx_http_commerce_claim_answer(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon, ngx_uint_t replay)
{
    commerce_write_t  w;

    if (ngx_http_commerce_coupon_start(c, &w, NGX_HTTP_COMMERCE_CLAIM_ANSWER) != NGX_OK
        || ngx_http_commerce_coupon_write(c, &w, campaign, coupon) != NGX_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_bool(&w, "replay", replay);

    return ngx_http_commerce_coupon_answer(c, &w, replay ? NGX_HTTP_OK : NGX_HTTP_CREATED);
}


/* commerce_coupon_list: the coupons that the user has claimed, in no particular order */

static commerce_reason_t
ngx_http_commerce_list(ngx_commerce_case_t *c, void *conf)
{
    int                   rc;
    ngx_uint_t            n;
    commerce_str_t        slot;
    commerce_claim_t      claim;
    commerce_write_t      w;
    commerce_coupon_t     coupon;
    commerce_reason_t     reason;
    commerce_campaign_t   campaign;

    if (!c->verified) {
        return COMMERCE_R(COUPON_CUSTOMER_REQUIRED);
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (ngx_http_commerce_coupon_start(c, &w, NGX_HTTP_COMMERCE_LIST_ANSWER) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_open(&w, "coupons", '[');
    slot = commerce_string("");

    for (n = 0; /* void */ ; n++) {
        rc = commerce_claim_next(&c->reader, c->user, &slot, &claim);

        if (rc != COMMERCE_OK || n == NGX_HTTP_COMMERCE_LIST_MAX) {
            break;
        }

        reason = ngx_http_commerce_coupon_read(c, claim.campaign, claim.serial, &campaign, &coupon, NULL);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        commerce_write_open(&w, NULL, '{');

        if (ngx_http_commerce_coupon_write(c, &w, &campaign, &coupon) != NGX_OK) {
            return COMMERCE_R(INTERNAL);
        }

        commerce_write_text(&w, "state", commerce_cstr(commerce_coupon_state_name(coupon.state)));
        commerce_write_bool(&w, "usable", coupon.state == COMMERCE_COUPON_ISSUED
                            && commerce_coupon_open(&campaign, &coupon, c->user, c->now) == COMMERCE_R(OK)
                            && commerce_rules_on(&campaign, c->now));
        commerce_write_close(&w, '}');
    }

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    commerce_write_close(&w, ']');
    commerce_write_bool(&w, "more", rc == COMMERCE_OK);

    return ngx_http_commerce_coupon_answer(c, &w, NGX_HTTP_OK);
}


char *
ngx_http_commerce_claim_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                        header = ngx_string("$http_idempotency_key");
    ngx_http_commerce_claim_conf_t  *cc;

    cc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_claim_conf_t));
    if (cc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_parameter_t  parameters[] = {
        { "campaign=", 9, &cc->campaign },
        { "key=", 4, &cc->key },
        { NULL, 0, NULL }
    };

    if (ngx_http_commerce_coupon_parameters(cf, parameters, "campaign=, key=") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cc->campaign.type == 0) {
        return "needs campaign=";
    }

    if (cc->key.type == 0
        && ngx_http_commerce_coupon_core->source(cf, &header, NGX_COMMERCE_SOURCE_VALUE, &cc->key)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_commerce_coupon_core->action(cf, NGX_HTTP_POST, ngx_http_commerce_claim, cc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_commerce_list_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_commerce_coupon_core->action(cf, NGX_HTTP_GET, ngx_http_commerce_list, NULL) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
