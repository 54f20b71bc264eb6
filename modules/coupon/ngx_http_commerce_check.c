/*
 * Copyright (C) ngx_commerce authors
 *
 * For holders: commerce_coupon_check tells whether a coupon could be used now, and uses nothing;
 * commerce_coupon_qr gives a dynamic QR token to show at the counter.
 */

#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_count.h"
#include "../../src/commerce_rules.h"


typedef struct {                                    /* commerce_coupon_check, commerce_coupon_qr */
    ngx_commerce_source_t  code;
} ngx_http_commerce_check_conf_t;


#define NGX_HTTP_COMMERCE_CHECK_ANSWER  2048


static commerce_reason_t ngx_http_commerce_check(ngx_commerce_case_t *c, void *conf);
static void ngx_http_commerce_check_event(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    ngx_http_commerce_named_t *named, commerce_reason_t reason);
static commerce_reason_t ngx_http_commerce_qr(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_check_own(ngx_commerce_case_t *c,
    ngx_http_commerce_check_conf_t *cc, ngx_http_commerce_named_t *named, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon);
static commerce_reason_t ngx_http_commerce_check_usable(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon);
static commerce_reason_t ngx_http_commerce_check_limits(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon);
static char *ngx_http_commerce_check_action(ngx_conf_t *cf, ngx_commerce_action_pt handler);


static commerce_reason_t
ngx_http_commerce_check(ngx_commerce_case_t *c, void *conf)
{
    commerce_write_t           w;
    commerce_coupon_t          coupon;
    commerce_reason_t          reason;
    commerce_campaign_t        campaign;
    ngx_http_commerce_named_t  named;

    reason = ngx_http_commerce_check_own(c, conf, &named, &campaign, &coupon);

    if (named.campaign && campaign.number) {
        ngx_http_commerce_check_event(c, &campaign, &named, reason);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (ngx_http_commerce_coupon_start(c, &w, NGX_HTTP_COMMERCE_CHECK_ANSWER) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_bool(&w, "usable", true);

    if (ngx_http_commerce_coupon_write(c, &w, &campaign, &coupon) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    return ngx_http_commerce_coupon_answer(c, &w, NGX_HTTP_OK);
}


static void
ngx_http_commerce_check_event(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    ngx_http_commerce_named_t *named, commerce_reason_t reason)
{
    commerce_write_t  w;

    if (reason == COMMERCE_R(OK)) {
        reason = COMMERCE_R(COUPON_OK);
    }

    if (ngx_http_commerce_coupon_core->event_start(c, &w, "coupon_check") != NGX_OK) {
        return;
    }

    commerce_write_text(&w, "campaign", campaign->id);
    commerce_write_int(&w, "serial", named->serial);
    commerce_write_optional(&w, "buyer", ngx_http_commerce_coupon_core->pseudonym(c));
    commerce_write_text(&w, "reason", commerce_reason(reason)->name);

    ngx_http_commerce_coupon_core->event_plain(c, &w);
}


static commerce_reason_t
ngx_http_commerce_qr(ngx_commerce_case_t *c, void *conf)
{
    char                       text[COMMERCE_QR_TEXT], date[32];
    commerce_write_t           w;
    commerce_time_t            until;
    commerce_coupon_t          coupon;
    commerce_reason_t          reason;
    commerce_campaign_t        campaign;
    ngx_http_commerce_named_t  named;

    reason = ngx_http_commerce_check_own(c, conf, &named, &campaign, &coupon);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (commerce_qr_issue(ngx_http_commerce_coupon_core->keyring(c), c->shop, coupon.campaign, coupon.serial,
                          c->now, text, &until)
            != COMMERCE_OK
        || ngx_http_commerce_coupon_start(c, &w, NGX_HTTP_COMMERCE_CHECK_ANSWER) != NGX_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    commerce_time_format(until, date);

    commerce_write_text(&w, "qr", (commerce_str_t) { text, sizeof(text) });
    commerce_write_text(&w, "until", commerce_cstr(date));
    commerce_write_int(&w, "refresh", COMMERCE_QR_STEP - c->now % COMMERCE_QR_STEP);

    return ngx_http_commerce_coupon_answer(c, &w, NGX_HTTP_OK);
}


/* a coupon that this user could use now; only about his own he is told why not */

static commerce_reason_t
ngx_http_commerce_check_own(ngx_commerce_case_t *c, ngx_http_commerce_check_conf_t *cc,
    ngx_http_commerce_named_t *named, commerce_campaign_t *campaign, commerce_coupon_t *coupon)
{
    commerce_reason_t  reason;

    ngx_memzero(named, sizeof(ngx_http_commerce_named_t));
    ngx_memzero(campaign, sizeof(commerce_campaign_t));

    if (!c->verified) {
        return COMMERCE_R(COUPON_CUSTOMER_REQUIRED);
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    reason = ngx_http_commerce_coupon_named(c, &cc->code, 0, named);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_found(c, named, campaign, coupon, NULL);
    }

    if (reason != COMMERCE_R(OK)) {
        return ngx_http_commerce_coupon_wrong(c, named, reason);
    }

    reason = ngx_http_commerce_check_usable(c, campaign, coupon);

    if (reason == COMMERCE_R(OK)) {
        return reason;
    }

    if ((coupon->holder.len && commerce_equal(coupon->holder, c->user))
        || (coupon->used_by.len && commerce_equal(coupon->used_by, c->user)))
    {
        c->candid = 1;
        return reason;
    }

    return ngx_http_commerce_coupon_wrong(c, named, reason);
}


static commerce_reason_t
ngx_http_commerce_check_usable(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon)
{
    commerce_reason_t  reason;

    switch (coupon->state) {

    case COMMERCE_COUPON_REDEEMED:
        return COMMERCE_R(COUPON_ALREADY_REDEEMED);

    case COMMERCE_COUPON_RESERVED:
        return COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER);

    case COMMERCE_COUPON_STATE_VOID:
        return COMMERCE_R(COUPON_VOID);

    default:
        break;
    }

    reason = commerce_coupon_open(campaign, coupon, c->user, c->now);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_rules_on(campaign, c->now)) {
        return COMMERCE_R(COUPON_DAY_NOT_ELIGIBLE);
    }

    return ngx_http_commerce_check_limits(c, campaign, coupon);
}


/* the limits that do not depend on the order: of campaign and user */

static commerce_reason_t
ngx_http_commerce_check_limits(ngx_commerce_case_t *c, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon)
{
    int64_t               value;
    unsigned              i, n;
    commerce_coupon_t     use;
    commerce_count_op_t   ops[COMMERCE_COUNT_OPS];
    commerce_count_for_t  what = { commerce_string(""), commerce_string(""), 0 };

    use = *coupon;
    use.used_by = c->user;

    if (commerce_count_begin(&use, campaign, &what, c->now) != COMMERCE_R(OK)) {
        return COMMERCE_R(OK);
    }

    n = commerce_count_ops(&c->arena, c->shop, &use, campaign, ops);

    for (i = 0; i < n; i++) {

        if (ops[i].cap == COMMERCE_FOREVER
            || ops[i].reason == COMMERCE_R(COUPON_GROUP_LIMIT)
            || ops[i].reason == COMMERCE_R(COUPON_SELLER_LIMIT))
        {
            continue;
        }

        if (commerce_view_counter(c->reader.view, ops[i].key, &value) != COMMERCE_OK) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        if (value >= ops[i].cap) {
            return ops[i].reason;
        }
    }

    return COMMERCE_R(OK);
}


char *
ngx_http_commerce_check_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_commerce_check_action(cf, ngx_http_commerce_check);
}


char *
ngx_http_commerce_qr_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_commerce_check_action(cf, ngx_http_commerce_qr);
}


static char *
ngx_http_commerce_check_action(ngx_conf_t *cf, ngx_commerce_action_pt handler)
{
    ngx_http_commerce_check_conf_t  *cc;

    cc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_check_conf_t));
    if (cc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_parameter_t  parameters[] = {
        { "code=", 5, &cc->code },
        { NULL, 0, NULL }
    };

    if (ngx_http_commerce_coupon_parameters(cf, parameters, "code=") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_guess_needed(cf);

    return ngx_http_commerce_coupon_core->action(cf, NGX_HTTP_GET|NGX_HTTP_POST, handler, cc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
