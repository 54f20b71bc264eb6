/*
 * Copyright (C) ngx_commerce authors
 *
 * Do the coupons of an order apply?  The rules are the core's (src/commerce_rules.h); here they get their facts.
 */

#include "ngx_http_commerce_coupon.h"
#include "ngx_http_commerce_coupon_guess.h"
#include "../../src/commerce_imported.h"


static commerce_reason_t ngx_http_commerce_coupon_facts(ngx_commerce_case_t *c, commerce_facts_t *facts);
static commerce_reason_t ngx_http_commerce_coupon_fact(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_str_t *value);
static commerce_reason_t ngx_http_commerce_coupon_record(ngx_commerce_case_t *c, ngx_commerce_coupon_t *coupon,
    commerce_facts_t *facts);
static ngx_uint_t ngx_http_commerce_coupon_carried(ngx_commerce_case_t *c, ngx_uint_t n);
static commerce_reason_t ngx_http_commerce_coupon_find(ngx_commerce_case_t *c, ngx_uint_t n);
static void ngx_http_commerce_coupon_winner(ngx_commerce_case_t *c, commerce_facts_t *facts);
static void ngx_http_commerce_coupon_failed(ngx_commerce_case_t *c, ngx_uint_t i);
static char *ngx_http_commerce_coupon_trusted(ngx_conf_t *cf, ngx_str_t *word);


/* each coupon gets its reason here; the core refuses the order, or in observe mode leaves the coupon out */

commerce_reason_t
ngx_http_commerce_coupon_records(ngx_commerce_case_t *c)
{
    ngx_uint_t              i;
    commerce_facts_t        facts;
    commerce_reason_t       reason;
    ngx_commerce_coupon_t  *coupon;

    if (c->ncoupons == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_http_commerce_coupon_facts(c, &facts);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    for (i = 0; i < c->ncoupons; i++) {
        coupon = &c->coupons[i];

        if (c->cart == COMMERCE_CART_APPLY && commerce_reason(coupon->reason)->status == NGX_HTTP_TOO_MANY_REQUESTS
            && ngx_http_commerce_coupon_carried(c, i))
        {
            coupon->reason = COMMERCE_R(OK);
        }

        if (coupon->reason == COMMERCE_R(OK) && coupon->imported) {
            coupon->reason = ngx_http_commerce_coupon_find(c, i);
        }

        if (coupon->reason == COMMERCE_R(OK)) {
            coupon->reason = ngx_http_commerce_coupon_record(c, coupon, &facts);
        }

        if (coupon->reason == COMMERCE_R(STORE_UNAVAILABLE) || coupon->reason == COMMERCE_R(INTERNAL)) {
            return coupon->reason;
        }

        if (coupon->reason != COMMERCE_R(OK)) {
            ngx_http_commerce_coupon_failed(c, i);
        }
    }

    return COMMERCE_R(OK);
}


/* in the request's order: a later coupon sees what earlier ones left, and whether it may stand beside them */

commerce_reason_t
ngx_http_commerce_coupon_rules(ngx_commerce_case_t *c)
{
    unsigned                    n;
    ngx_uint_t                  i;
    commerce_facts_t            facts;
    commerce_reason_t           reason;
    ngx_commerce_coupon_t      *coupon;
    const commerce_campaign_t  *earlier[COMMERCE_COUPONS_MAX];

    if (c->ncoupons == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_http_commerce_coupon_facts(c, &facts);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_http_commerce_coupon_winner(c, &facts);

    for (i = 0; i < c->order->line_count; i++) {
        c->order->lines[i].discount = 0;
    }

    for (i = 0, n = 0; i < c->ncoupons; i++) {
        coupon = &c->coupons[i];

        if (coupon->reason != COMMERCE_R(OK)) {
            continue;
        }

        coupon->reason = commerce_rules_stack(&coupon->use.campaign, earlier, n);

        if (coupon->reason == COMMERCE_R(OK)) {
            coupon->reason = commerce_rules_judge(&coupon->use.campaign, &facts, c->order->lines,
                                                  c->order->line_count, coupon->admits,
                                                  &coupon->use.discount);
        }

        if (coupon->reason == COMMERCE_R(INTERNAL)) {
            return coupon->reason;
        }

        if (coupon->reason != COMMERCE_R(OK)) {
            ngx_http_commerce_coupon_failed(c, i);
            continue;
        }

        earlier[n++] = &coupon->use.campaign;
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_coupon_facts(ngx_commerce_case_t *c, commerce_facts_t *facts)
{
    commerce_str_t                     text;
    commerce_reason_t                  reason;
    ngx_http_commerce_coupon_facts_t  *sources;

    sources = &((ngx_http_commerce_coupon_conf_t *)
                ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_coupon_module))->facts;

    ngx_memzero(facts, sizeof(commerce_facts_t));

    facts->user = c->user;
    facts->now = c->now;
    facts->categories = c->categories;

    reason = ngx_http_commerce_coupon_fact(c, &sources->store, &facts->store);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_fact(c, &sources->level, &facts->level);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_coupon_fact(c, &sources->new_customer, &text);

        facts->new_customer = commerce_equal(text, commerce_string("1"))
                              || commerce_equal(text, commerce_string("true"));
    }

    return reason;
}


/* what is no id is not known */

static commerce_reason_t
ngx_http_commerce_coupon_fact(ngx_commerce_case_t *c, ngx_commerce_source_t *source, commerce_str_t *value)
{
    commerce_reason_t  reason;

    *value = commerce_string("");

    if (source->type == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_http_commerce_coupon_core->read(c, source, value);

    if (reason != COMMERCE_R(OK) || !commerce_id_valid(*value)) {
        *value = commerce_string("");
    }

    return reason == COMMERCE_R(INTERNAL) ? reason : COMMERCE_R(OK);
}


/* a coupon that this very cart has already is no guess, however many there were before */

static ngx_uint_t
ngx_http_commerce_coupon_carried(ngx_commerce_case_t *c, ngx_uint_t n)
{
    commerce_coupon_t       record;
    ngx_commerce_coupon_t  *coupon;

    coupon = &c->coupons[n];

    if (coupon->imported && ngx_http_commerce_coupon_find(c, n) != COMMERCE_R(OK)) {
        return 0;
    }

    coupon->genuine = coupon->code.campaign
                      && commerce_coupon_read(&c->reader, coupon->code.campaign, coupon->code.serial, &record, NULL)
                         == COMMERCE_OK
                      && record.state == COMMERCE_COUPON_RESERVED
                      && commerce_equal(record.order_user, c->order->user)
                      && commerce_equal(record.order_key, c->order->key);

    return coupon->genuine;
}


/* which coupon is behind a code made elsewhere? */

static commerce_reason_t
ngx_http_commerce_coupon_find(ngx_commerce_case_t *c, ngx_uint_t n)
{
    int                        rc;
    ngx_uint_t                 i;
    commerce_imported_t        found;
    ngx_commerce_coupon_t     *coupon;
    commerce_imported_code_t   code;

    coupon = &c->coupons[n];

    if (commerce_imported_parse(coupon->text, &code) != NULL) {
        return COMMERCE_R(INTERNAL);
    }

    rc = commerce_imported_find(&c->reader, ngx_http_commerce_coupon_core->keyring(c), &code, &found);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (rc == COMMERCE_ABSENT) {
        return coupon->code.campaign ? COMMERCE_R(COUPON_BAD_SIGNATURE) : COMMERCE_R(COUPON_NOT_FOUND);
    }

    coupon->code.campaign = found.campaign;
    coupon->code.serial = found.serial;
    coupon->genuine = 1;

    for (i = 0; i < n; i++) {
        if (c->coupons[i].genuine && c->coupons[i].code.campaign == found.campaign
            && c->coupons[i].code.serial == found.serial)
        {
            return COMMERCE_R(COUPON_DUPLICATE);
        }
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_coupon_record(ngx_commerce_case_t *c, ngx_commerce_coupon_t *coupon, commerce_facts_t *facts)
{
    unsigned                 n;
    commerce_reason_t        reason;
    commerce_use_request_t  *use;

    use = &coupon->use;

    reason = ngx_http_commerce_coupon_read(c, coupon->code.campaign, coupon->code.serial, &use->campaign,
                                           &use->coupon, &use->version);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (use->campaign.imported != coupon->imported) {
        return COMMERCE_R(COUPON_NOT_FOUND);        /* signed by our keys, and yet we never made it */
    }

    n = c->order->line_count;

    coupon->admits = commerce_alloc(&c->arena, n ? n : 1);
    if (coupon->admits == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = commerce_rules_admit(&use->campaign, &use->coupon, facts, c->order->lines, n, coupon->admits);

    if (c->cart == COMMERCE_CART_APPLY) {

        /* what depends on the lines is judged when they are known: in the answer that completes the cart */

        if (reason == COMMERCE_R(COUPON_SKU_NOT_ELIGIBLE)) {
            reason = COMMERCE_R(OK);
        }

        if (commerce_equal(use->coupon.order_user, c->order->user)
            && commerce_equal(use->coupon.order_key, c->order->key)
            && use->coupon.state == COMMERCE_COUPON_RESERVED)
        {
            return reason;          /* applied again */
        }
    }

    if (reason == COMMERCE_R(OK) && use->coupon.state == COMMERCE_COUPON_REDEEMED) {
        return COMMERCE_R(COUPON_ALREADY_REDEEMED);
    }

    if (reason == COMMERCE_R(OK) && use->coupon.state == COMMERCE_COUPON_RESERVED) {
        return COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER);
    }

    return reason;
}


static void
ngx_http_commerce_coupon_winner(ngx_commerce_case_t *c, commerce_facts_t *facts)
{
    commerce_credit_t  *winner;

    winner = ngx_http_commerce_coupon_core->credit(c);

    if (winner) {
        facts->seller = winner->seller_id;
        facts->group = winner->group_id;
        facts->room = winner->room_id;
        facts->channel = winner->channel;
    }
}


/* only here, where the order is known to be new: a retry is never a guess */

static void
ngx_http_commerce_coupon_failed(ngx_commerce_case_t *c, ngx_uint_t i)
{
    ngx_commerce_coupon_t  *coupon;

    coupon = &c->coupons[i];

    if (c->failed & (1U << i)) {
        return;
    }

    if ((coupon->reason == COMMERCE_R(COUPON_ALREADY_REDEEMED)
         || coupon->reason == COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER))
        && commerce_equal(coupon->use.coupon.used_by, c->user))
    {
        return;                     /* another order of his own has it: he knows the code */
    }

    if (commerce_guess_class(coupon->reason) != COMMERCE_GUESS_NONE) {
        c->failed |= 1U << i;
        coupon->reason = ngx_http_commerce_guess_failed(c, coupon->code.campaign, coupon->reason);
    }
}


char *
ngx_http_commerce_coupon_facts_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value, word;
    ngx_uint_t                         i, k;
    ngx_commerce_source_t             *source;
    ngx_http_commerce_coupon_facts_t  *facts;

    static const struct {
        const char  *name;
        size_t       len;
        size_t       offset;
    } names[] = {
        { "store=", 6, offsetof(ngx_http_commerce_coupon_facts_t, store) },
        { "level=", 6, offsetof(ngx_http_commerce_coupon_facts_t, level) },
        { "new_customer=", 13, offsetof(ngx_http_commerce_coupon_facts_t, new_customer) }
    };

    facts = &((ngx_http_commerce_coupon_conf_t *) conf)->facts;

    ngx_http_commerce_coupon_core->note(cf);

    if (facts->set) {
        return "is duplicate";
    }

    if (ngx_http_commerce_coupon_core->needs_order(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    facts->set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        source = NULL;

        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (ngx_strncmp(value[i].data, names[k].name, names[k].len) == 0) {
                source = (ngx_commerce_source_t *) ((u_char *) facts + names[k].offset);
                break;
            }
        }

        if (source == NULL || source->type) {
            return ngx_http_commerce_coupon_core->invalid(cf, &value[i],
                       "store=, level= and new_customer=, once each, with text with variables");
        }

        word.data = value[i].data + names[k].len;
        word.len = value[i].len - names[k].len;

        if (ngx_http_commerce_coupon_trusted(cf, &value[i]) != NGX_CONF_OK
            || ngx_http_commerce_coupon_core->source(cf, &word, NGX_COMMERCE_SOURCE_VALUE, source) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* a client who may say which store he is in, or that he is new, may say anything */

static char *
ngx_http_commerce_coupon_trusted(ngx_conf_t *cf, ngx_str_t *word)
{
    size_t      i;
    u_char     *p, *end;
    ngx_uint_t  k;

    static const ngx_str_t  said[] = {
        ngx_string("arg_"), ngx_string("args"), ngx_string("cookie_"), ngx_string("query_string"),
        ngx_string("request_body"), ngx_string("request_uri")
    };

    end = word->data + word->len;

    for (i = 0; i + 1 < word->len; i++) {

        if (word->data[i] != '$') {
            continue;
        }

        p = word->data + i + 1;
        p += (*p == '{');

        for (k = 0; k < sizeof(said) / sizeof(said[0]); k++) {
            if ((size_t) (end - p) >= said[k].len && ngx_strncmp(p, said[k].data, said[k].len) == 0) {
                return ngx_http_commerce_coupon_core->invalid(cf, word,
                           "variables that nginx can trust, such as those of auth_request_set; "
                           "this one is whatever the client says");
            }
        }

        if (end - p >= 5 && ngx_strncmp(p, "http_", 5) == 0) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"commerce_coupon_facts\" takes a request header: see to it that no client can "
                               "send it (\"%V\")", word);
        }
    }

    return NGX_CONF_OK;
}
