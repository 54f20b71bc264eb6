/*
 * Copyright (C) ngx_commerce authors
 *
 * For staff at the counter: commerce_coupon_redeem_shop spends a coupon that a holder shows,
 * commerce_coupon_rollback_shop takes that back.  The rules are src/commerce_redemption.h.
 *
 * Staff are told the exact reason of a refusal, and never who the holder is.
 */

#include "ngx_http_commerce_coupon_guess.h"


typedef struct {                                    /* commerce_coupon_redeem_shop, commerce_coupon_rollback_shop */
    ngx_commerce_source_t  code, request, store, amount, sku;
    commerce_unit_t        unit;
    time_t                 window;
} ngx_http_commerce_shop_conf_t;


#define NGX_HTTP_COMMERCE_SHOP_ANSWER  2048
#define NGX_HTTP_COMMERCE_SHOP_WINDOW  3600


static commerce_reason_t ngx_http_commerce_shop_redeem(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_shop_wrong(ngx_commerce_case_t *c,
    ngx_http_commerce_named_t *named, commerce_reason_t reason);
static commerce_reason_t ngx_http_commerce_shop_rollback(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_shop_verifier(ngx_commerce_case_t *c,
    ngx_http_commerce_shop_conf_t *sc, commerce_person_t *verifier, commerce_redemption_request_t *request);
static commerce_reason_t ngx_http_commerce_shop_goods(ngx_commerce_case_t *c,
    ngx_http_commerce_shop_conf_t *sc, commerce_redemption_request_t *request);
static commerce_reason_t ngx_http_commerce_shop_holder(ngx_commerce_case_t *c,
    commerce_use_request_t *use, commerce_redemption_request_t *request);
static commerce_reason_t ngx_http_commerce_shop_answer(ngx_commerce_case_t *c, commerce_use_request_t *use,
    commerce_redemption_t *redemption, ngx_uint_t replay);
static char *ngx_http_commerce_shop_words(ngx_conf_t *cf, ngx_http_commerce_shop_conf_t *sc,
    ngx_http_commerce_parameter_t *parameters, const char *allowed);


static commerce_reason_t
ngx_http_commerce_shop_redeem(ngx_commerce_case_t *c, void *conf)
{
    commerce_ledger_t               ledger;
    commerce_person_t               verifier;
    commerce_reason_t               reason;
    commerce_redemption_t           redemption;
    commerce_use_request_t          use;
    ngx_http_commerce_named_t       named;
    ngx_http_commerce_shop_conf_t  *sc = conf;
    commerce_redemption_request_t   request;

    reason = ngx_http_commerce_shop_verifier(c, sc, &verifier, &request);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_shop_goods(c, sc, &request);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = ngx_http_commerce_coupon_named(c, &sc->code, 1, &named);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_found(c, &named, &use.campaign, &use.coupon, &use.version);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_shop_holder(c, &use, &request);
    }

    if (reason != COMMERCE_R(OK)) {
        return ngx_http_commerce_shop_wrong(c, &named, reason);
    }

    request.dynamic = named.dynamic;
    request.stale = named.stale;

    ngx_http_commerce_coupon_core->ledger(c, &ledger);
    reason = commerce_ledger_redeem_shop(&ledger, &use, &request, &redemption);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)) {
        return ngx_http_commerce_shop_wrong(c, &named, reason);
    }

    if (reason == COMMERCE_R(OK) && commerce_equal(request.seller, verifier.id)) {
        ngx_http_commerce_coupon_core->note_reason(c, COMMERCE_R(COUPON_VERIFIER_IS_SELLER));
    }

    return ngx_http_commerce_shop_answer(c, &use, &redemption, reason != COMMERCE_R(OK));
}


/* a genuine coupon that cannot be used is no guess of whoever works at the counter */

static commerce_reason_t
ngx_http_commerce_shop_wrong(ngx_commerce_case_t *c, ngx_http_commerce_named_t *named,
    commerce_reason_t reason)
{
    return reason == COMMERCE_R(COUPON_MALFORMED) || commerce_guess_class(reason) == COMMERCE_GUESS_WRONG
           ? ngx_http_commerce_coupon_wrong(c, named, reason) : reason;
}


static commerce_reason_t
ngx_http_commerce_shop_rollback(ngx_commerce_case_t *c, void *conf)
{
    int                             rc;
    uint64_t                        version;
    commerce_ledger_t               ledger;
    commerce_person_t               verifier;
    commerce_reason_t               reason;
    commerce_redemption_t           redemption;
    commerce_use_request_t          use;
    ngx_http_commerce_shop_conf_t  *sc = conf;
    commerce_redemption_request_t   request;

    reason = ngx_http_commerce_shop_verifier(c, sc, &verifier, &request);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    rc = commerce_redemption_read(&c->reader, request.number, &redemption, &version);

    if (rc != COMMERCE_OK) {
        return rc == COMMERCE_ABSENT ? COMMERCE_R(COUPON_NOT_FOUND) : COMMERCE_R(STORE_UNAVAILABLE);
    }

    reason = ngx_http_commerce_coupon_read(c, redemption.campaign, redemption.serial, &use.campaign,
                                           &use.coupon, &use.version);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_shop_holder(c, &use, &request);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_http_commerce_coupon_core->ledger(c, &ledger);
    reason = commerce_ledger_rollback_shop(&ledger, &use, &request, sc->window, &redemption, version);

    return reason == COMMERCE_R(OK) || reason == COMMERCE_R(COUPON_IDEMPOTENT_REPLAY)
           ? ngx_http_commerce_shop_answer(c, &use, &redemption, reason != COMMERCE_R(OK)) : reason;
}


/* who asks, where, and under which number */

static commerce_reason_t
ngx_http_commerce_shop_verifier(ngx_commerce_case_t *c, ngx_http_commerce_shop_conf_t *sc,
    commerce_person_t *verifier, commerce_redemption_request_t *request)
{
    int                rc;
    commerce_str_t     told;
    commerce_reason_t  reason;

    ngx_memzero(request, sizeof(commerce_redemption_request_t));

    if (!c->verified) {
        return COMMERCE_R(USER_NOT_VERIFIED);
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    rc = commerce_person_of_user(&c->reader, c->user, verifier, NULL);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    reason = ngx_http_commerce_coupon_id(c, &sc->store, COMMERCE_R(OK), &told);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_verifier_judge(rc == COMMERCE_OK ? verifier : NULL, told, &request->store);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    c->candid = 1;
    request->verifier = verifier;

    return ngx_http_commerce_coupon_id(c, &sc->request, COMMERCE_R(ORDER_KEY_MALFORMED), &request->number);
}


/* what the coupon is used for, as far as the app tells */

static commerce_reason_t
ngx_http_commerce_shop_goods(ngx_commerce_case_t *c, ngx_http_commerce_shop_conf_t *sc,
    commerce_redemption_request_t *request)
{
    bool               rounded;
    commerce_str_t     text;
    commerce_reason_t  reason;

    request->amount = -1;

    reason = ngx_http_commerce_coupon_id(c, &sc->sku, COMMERCE_R(OK), &request->sku);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_id(c, &sc->amount, COMMERCE_R(OK), &text);
    }

    if (reason != COMMERCE_R(OK) || text.len == 0) {
        return reason;
    }

    return commerce_amount_parse(text, sc->unit, &request->amount, &rounded) == COMMERCE_OK
           ? COMMERCE_R(OK) : COMMERCE_R(ORDER_MALFORMED);
}


/* whose coupon it is, and who is credited with it: for the log alone */

static commerce_reason_t
ngx_http_commerce_shop_holder(ngx_commerce_case_t *c, commerce_use_request_t *use,
    commerce_redemption_request_t *request)
{
    char               *pseudonym;
    commerce_person_t  *seller;

    seller = ngx_http_commerce_coupon_core->person(c, use->campaign.promoter ? use->campaign.promoter
                                                                             : use->coupon.seller);
    if (seller) {
        request->seller = seller->id;
    }

    if (use->coupon.holder.len == 0) {
        return COMMERCE_R(OK);
    }

    pseudonym = commerce_alloc(&c->arena, COMMERCE_PSEUDONYM_SIZE);

    if (pseudonym == NULL
        || commerce_keyring_pseudonym(ngx_http_commerce_coupon_core->keyring(c), c->shop, use->coupon.holder,
                                      pseudonym)
           != COMMERCE_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    request->pseudonym = commerce_cstr(pseudonym);

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_shop_answer(ngx_commerce_case_t *c, commerce_use_request_t *use,
    commerce_redemption_t *redemption, ngx_uint_t replay)
{
    char              date[32];
    commerce_write_t  w;

    if (ngx_http_commerce_coupon_start(c, &w, NGX_HTTP_COMMERCE_SHOP_ANSWER) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_text(&w, "request", redemption->request);
    commerce_write_text(&w, "state", redemption->rolled_back ? commerce_string("rolled_back")
                                                             : commerce_string("redeemed"));
    commerce_write_text(&w, "campaign", use->campaign.id);
    commerce_write_text(&w, "verifier", redemption->verifier);
    commerce_write_optional(&w, "store", redemption->store);

    if (redemption->discount < 0) {
        commerce_write_null(&w, "discount");

    } else {
        commerce_write_int(&w, "discount", redemption->discount);
    }

    commerce_time_format(redemption->time, date);
    commerce_write_text(&w, "time", commerce_cstr(date));
    commerce_write_bool(&w, "replay", replay);

    return ngx_http_commerce_coupon_answer(c, &w, NGX_HTTP_OK);
}


char *
ngx_http_commerce_redeem_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ngx_http_commerce_shop_conf_t  *sc;

    sc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_shop_conf_t));
    if (sc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_parameter_t  parameters[] = {
        { "code=", 5, &sc->code },
        { "request=", 8, &sc->request },
        { "store=", 6, &sc->store },
        { "amount=", 7, &sc->amount },
        { "sku=", 4, &sc->sku },
        { "unit=fen", 9, NULL },
        { "unit=yuan", 10, NULL },
        { NULL, 0, NULL }
    };

    rv = ngx_http_commerce_shop_words(cf, sc, parameters,
                                      "code=, request=, store=, amount=, sku=, unit=fen|yuan");
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (sc->code.type == 0) {
        return "needs code=";
    }

    ngx_http_commerce_guess_needed(cf);

    return ngx_http_commerce_coupon_core->action(cf, NGX_HTTP_POST, ngx_http_commerce_shop_redeem, sc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_commerce_rollback_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ngx_http_commerce_shop_conf_t  *sc;

    sc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_shop_conf_t));
    if (sc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_commerce_parameter_t  parameters[] = {
        { "request=", 8, &sc->request },
        { "store=", 6, &sc->store },
        { "window=", 7, NULL },
        { NULL, 0, NULL }
    };

    rv = ngx_http_commerce_shop_words(cf, sc, parameters, "request=, store=, window=time");
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_commerce_coupon_core->action(cf, NGX_HTTP_POST, ngx_http_commerce_shop_rollback, sc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* words that are no sources are read here */

static char *
ngx_http_commerce_shop_words(ngx_conf_t *cf, ngx_http_commerce_shop_conf_t *sc,
    ngx_http_commerce_parameter_t *parameters, const char *allowed)
{
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;

    sc->unit = COMMERCE_UNIT_FEN;
    sc->window = NGX_HTTP_COMMERCE_SHOP_WINDOW;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "unit=yuan") == 0) {
            sc->unit = COMMERCE_UNIT_YUAN;

        } else if (ngx_strncmp(value[i].data, "window=", 7) == 0) {
            s.data = value[i].data + 7;
            s.len = value[i].len - 7;
            sc->window = ngx_parse_time(&s, 1);

            if (sc->window == (time_t) NGX_ERROR || sc->window < 1 || sc->window > 366 * 86400) {
                return ngx_http_commerce_coupon_core->invalid(cf, &value[i],
                           "window= a time such as 1h, up to 366d");
            }
        }
    }

    if (ngx_http_commerce_coupon_parameters(cf, parameters, allowed) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return sc->request.type ? NGX_CONF_OK : "needs request=";
}
