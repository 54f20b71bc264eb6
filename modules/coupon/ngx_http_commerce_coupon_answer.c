/*
 * Copyright (C) ngx_commerce authors
 *
 * What the coupon module's actions have in common.
 */

#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_imported.h"


static commerce_reason_t ngx_http_commerce_coupon_elsewhere(ngx_commerce_case_t *c, commerce_str_t text,
    ngx_http_commerce_named_t *named, commerce_reason_t reason);
static void ngx_http_commerce_coupon_time(commerce_write_t *w, const char *name, commerce_time_t time,
    commerce_time_t none);


ngx_int_t
ngx_http_commerce_coupon_parameters(ngx_conf_t *cf, ngx_http_commerce_parameter_t *parameters,
    const char *allowed)
{
    ngx_str_t                      *value, s;
    ngx_uint_t                      i;
    ngx_http_commerce_parameter_t  *p;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (p = parameters; p->name; p++) {
            if (ngx_strncmp(value[i].data, p->name, p->len) == 0) {
                break;
            }
        }

        if (p->name == NULL) {
            (void) ngx_http_commerce_coupon_core->invalid(cf, &value[i], allowed);
            return NGX_ERROR;
        }

        if (p->source == NULL) {
            continue;
        }

        s.data = value[i].data + p->len;
        s.len = value[i].len - p->len;

        if (ngx_http_commerce_coupon_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                                  p->source)
            != NGX_CONF_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


commerce_reason_t
ngx_http_commerce_coupon_id(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_reason_t absent, commerce_str_t *id)
{
    commerce_reason_t  reason;

    *id = commerce_string("");

    if (source->type == 0) {
        return absent;
    }

    reason = ngx_http_commerce_coupon_core->read(c, source, id);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)) {
        return absent != COMMERCE_R(OK) ? absent : COMMERCE_R(BODY_DUPLICATE_MEMBER);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (id->len == 0) {
        return absent;
    }

    if (!commerce_id_valid(*id)) {
        return absent != COMMERCE_R(OK) ? absent : COMMERCE_R(BODY_MALFORMED);
    }

    return COMMERCE_R(OK);
}


commerce_reason_t
ngx_http_commerce_coupon_named(ngx_commerce_case_t *c, ngx_commerce_source_t *source, ngx_uint_t qr,
    ngx_http_commerce_named_t *named)
{
    commerce_qr_t        token;
    commerce_str_t       text;
    commerce_code_t      code;
    commerce_reason_t    reason, parsed;
    commerce_keyring_t  *ring;

    ngx_memzero(named, sizeof(ngx_http_commerce_named_t));

    reason = ngx_http_commerce_coupon_id(c, source, COMMERCE_R(COUPON_MALFORMED), &text);

    if (reason != COMMERCE_R(OK) && reason != COMMERCE_R(COUPON_MALFORMED)) {
        return reason;
    }

    parsed = text.len <= 64 ? commerce_code_parse(text, &code) : COMMERCE_R(COUPON_MALFORMED);

    if (parsed == COMMERCE_R(OK)) {
        named->campaign = code.campaign;
        named->serial = code.serial;

    } else if (qr && text.len <= 64 && commerce_qr_parse(text, &token) == COMMERCE_R(OK)) {
        parsed = COMMERCE_R(OK);
        named->campaign = token.campaign;
        named->serial = token.serial;
        named->dynamic = 1;
    }

    reason = c->failed & 1 ? COMMERCE_R(OK)         /* counted by an earlier evaluation of this request */
                           : ngx_http_commerce_guess_allowed(c, named->campaign);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (parsed != COMMERCE_R(OK)) {
        return ngx_http_commerce_coupon_elsewhere(c, text, named, parsed);
    }

    ring = ngx_http_commerce_coupon_core->keyring(c);

    reason = named->dynamic ? commerce_qr_verify(ring, c->shop, &token, c->now)
                            : commerce_code_verify(ring, c->shop, &code);

    if (reason == COMMERCE_R(COUPON_QR_EXPIRED)) {
        named->stale = 1;
        return COMMERCE_R(OK);
    }

    return reason == COMMERCE_R(COUPON_BAD_SIGNATURE)
           ? ngx_http_commerce_coupon_elsewhere(c, text, named, reason) : reason;
}


/* no code of ours: one made elsewhere?  reason: what to say where those are not taken */

static commerce_reason_t
ngx_http_commerce_coupon_elsewhere(ngx_commerce_case_t *c, commerce_str_t text, ngx_http_commerce_named_t *named,
    commerce_reason_t reason)
{
    int                                    rc;
    commerce_imported_t                    found;
    commerce_imported_code_t               code;
    ngx_http_commerce_coupon_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(c->request, ngx_http_commerce_coupon_module);

    if (!mcf->imported || text.len > COMMERCE_ID_MAX || commerce_imported_parse(text, &code) != NULL) {
        return reason;
    }

    rc = commerce_imported_find(&c->reader, ngx_http_commerce_coupon_core->keyring(c), &code, &found);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (rc == COMMERCE_ABSENT) {
        return named->campaign ? reason : COMMERCE_R(COUPON_NOT_FOUND);
    }

    named->campaign = found.campaign;
    named->serial = found.serial;
    named->dynamic = 0;
    named->imported = 1;

    return COMMERCE_R(OK);
}


commerce_reason_t
ngx_http_commerce_coupon_found(ngx_commerce_case_t *c, ngx_http_commerce_named_t *named,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon, uint64_t *version)
{
    commerce_reason_t  reason;

    reason = ngx_http_commerce_coupon_read(c, named->campaign, named->serial, campaign, coupon, version);

    /* a code signed by our keys that we never made; tokens are made by us, whatever the code was */

    return reason == COMMERCE_R(OK) && !named->dynamic && campaign->imported != named->imported
           ? COMMERCE_R(COUPON_NOT_FOUND) : reason;
}


commerce_reason_t
ngx_http_commerce_coupon_wrong(ngx_commerce_case_t *c, ngx_http_commerce_named_t *named,
    commerce_reason_t reason)
{
    if ((c->failed & 1) || commerce_guess_class(reason) == COMMERCE_GUESS_NONE) {
        return reason;
    }

    c->failed |= 1;

    return ngx_http_commerce_guess_failed(c, named->campaign, reason);
}


ngx_int_t
ngx_http_commerce_coupon_start(ngx_commerce_case_t *c, commerce_write_t *w, size_t size)
{
    char  *buffer;

    buffer = c->arena.alloc(c->arena.owner, size);
    if (buffer == NULL) {
        return NGX_ERROR;
    }

    commerce_write_start(w, buffer, size);
    commerce_write_open(w, NULL, '{');

    return NGX_OK;
}


commerce_reason_t
ngx_http_commerce_coupon_answer(ngx_commerce_case_t *c, commerce_write_t *w, ngx_uint_t status)
{
    int64_t  len;

    commerce_write_close(w, '}');
    len = commerce_write_finish(w);

    if (len < 0) {
        return COMMERCE_R(INTERNAL);
    }

    c->answer = (commerce_str_t) { w->start, (size_t) len };
    c->status = status;

    return COMMERCE_R(OK);
}


ngx_int_t
ngx_http_commerce_coupon_write(ngx_commerce_case_t *c, commerce_write_t *w, commerce_campaign_t *campaign,
    commerce_coupon_t *coupon)
{
    char             text[COMMERCE_CODE_TEXT];
    commerce_code_t  code;

    code.campaign = coupon->campaign;
    code.serial = coupon->serial;

    if (!campaign->imported) {

        if (commerce_code_issue(ngx_http_commerce_coupon_core->keyring(c), c->shop, &code, text) != COMMERCE_OK) {
            return NGX_ERROR;
        }

        commerce_write_text(w, "code", (commerce_str_t) { text, sizeof(text) });
    }

    commerce_write_text(w, "campaign", campaign->id);

    commerce_campaign_write_worth(w, "discount", campaign);

    if (campaign->minimum_spend > 0) {
        commerce_write_int(w, "minimum_spend", campaign->minimum_spend);
    }

    ngx_http_commerce_coupon_time(w, "from", campaign->from, 0);
    ngx_http_commerce_coupon_time(w, "until", commerce_coupon_end(campaign, coupon), COMMERCE_FOREVER);

    return NGX_OK;
}


static void
ngx_http_commerce_coupon_time(commerce_write_t *w, const char *name, commerce_time_t time,
    commerce_time_t none)
{
    char  date[32];

    if (time == none) {
        commerce_write_null(w, name);
        return;
    }

    commerce_time_format(time, date);
    commerce_write_text(w, name, commerce_cstr(date));
}


commerce_reason_t
ngx_http_commerce_coupon_read(ngx_commerce_case_t *c, unsigned number, uint32_t serial,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon, uint64_t *version)
{
    int  rc;

    rc = commerce_campaign_read(&c->reader, number, campaign, NULL);

    if (rc == COMMERCE_OK) {
        rc = commerce_coupon_read(&c->reader, number, serial, coupon, version);

        return rc == COMMERCE_ERROR ? COMMERCE_R(STORE_UNAVAILABLE) : COMMERCE_R(OK);
    }

    return rc == COMMERCE_ABSENT ? COMMERCE_R(COUPON_NOT_FOUND) : COMMERCE_R(STORE_UNAVAILABLE);
}
