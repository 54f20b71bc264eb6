/*
 * Copyright (C) ngx_commerce authors
 *
 * attribution: why an order is whose it is, for commerce explain: everybody who was looked at, in the order of classes or
 * not, and what became of him.
 */

#include "ngx_http_commerce_attribution.h"


static void ngx_http_commerce_explain_priority(ngx_http_commerce_attribution_t *a, commerce_write_t *w);
static void ngx_http_commerce_explain_binding(ngx_http_commerce_attribution_t *a, commerce_write_t *w);
static void ngx_http_commerce_explain_candidates(ngx_http_commerce_attribution_t *a, commerce_write_t *w);
static void ngx_http_commerce_explain_passed(ngx_http_commerce_attribution_t *a, commerce_write_t *w);
static const char *ngx_http_commerce_explain_outcome(ngx_http_commerce_attribution_t *a, ngx_uint_t i);
static void ngx_http_commerce_explain_touch(ngx_http_commerce_attribution_t *a, commerce_write_t *w,
    commerce_source_t source, uint64_t seller, const commerce_touch_t *touch, commerce_str_t outcome);
static ngx_uint_t ngx_http_commerce_explain_candidate(ngx_http_commerce_attribution_t *a,
    const commerce_touch_t *touch);


void
ngx_http_commerce_explain(ngx_http_commerce_attribution_t *a)
{
    commerce_write_t      w;
    commerce_credit_t    *credit;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (!a->conf->explain || c->order == NULL || c->preview || c->order_version != 0
        || ngx_http_commerce_core->event_start(c, &w, "attribution") != NGX_OK)
    {
        return;
    }

    credit = ngx_http_commerce_core->credit(c);

    commerce_write_text(&w, "order_key", c->order->key);
    commerce_write_optional(&w, "buyer", ngx_http_commerce_core->pseudonym(c));
    commerce_write_optional(&w, "seller", credit ? credit->seller_id : commerce_string(""));
    commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(credit ? credit->source
                                                                               : COMMERCE_SOURCE_NONE)));
    commerce_write_text(&w, "reason", commerce_reason(c->attribution)->name);

    ngx_http_commerce_explain_priority(a, &w);
    ngx_http_commerce_explain_binding(a, &w);

    commerce_write_open(&w, "candidates", '[');
    ngx_http_commerce_explain_candidates(a, &w);
    ngx_http_commerce_explain_passed(a, &w);
    commerce_write_close(&w, ']');

    ngx_http_commerce_recent_add(c, ngx_http_commerce_core->event_plain(c, &w));
}


static void
ngx_http_commerce_explain_priority(ngx_http_commerce_attribution_t *a, commerce_write_t *w)
{
    const commerce_source_t  *source;

    commerce_write_open(w, "priority", '[');

    for (source = a->conf->priority; *source != COMMERCE_SOURCE_NONE; source++) {
        commerce_write_text(w, NULL, commerce_cstr(commerce_source_name(*source)));
    }

    commerce_write_close(w, ']');
}


/* the one that decided, which a late touch may have replaced meanwhile */

static void
ngx_http_commerce_explain_binding(ngx_http_commerce_attribution_t *a, commerce_write_t *w)
{
    commerce_time_t     until;
    commerce_person_t  *owner;

    if (a->buyer == NULL || a->decided.owner == 0) {
        return;
    }

    owner = ngx_http_commerce_core->person(a->c, a->decided.owner);

    commerce_write_open(w, "binding", '{');
    commerce_write_optional(w, "seller", owner ? owner->id : commerce_string(""));
    commerce_write_text(w, "state", commerce_cstr(commerce_binding_state_name(
                                        commerce_binding_held(&a->decided, &a->decided_owner, a->c->now))));
    commerce_write_int(w, "start", a->decided.start);

    until = commerce_binding_protected_until(&a->decided);
    if (until != COMMERCE_FOREVER) {
        commerce_write_int(w, "protected_until", until);
    }

    until = commerce_binding_end(&a->decided);
    if (until != COMMERCE_FOREVER) {
        commerce_write_int(w, "end", until);
    }

    commerce_write_close(w, '}');
}


static void
ngx_http_commerce_explain_candidates(ngx_http_commerce_attribution_t *a, commerce_write_t *w)
{
    ngx_uint_t             i;
    commerce_candidate_t  *candidate;

    for (i = 0; i < a->ncandidates; i++) {
        candidate = &a->candidates[i];

        ngx_http_commerce_explain_touch(a, w, candidate->source, candidate->seller.number, &candidate->touch,
                                        commerce_cstr(ngx_http_commerce_explain_outcome(a, i)));
    }
}


static const char *
ngx_http_commerce_explain_outcome(ngx_http_commerce_attribution_t *a, ngx_uint_t i)
{
    commerce_reason_t         reason;
    commerce_candidate_t     *candidate;
    const commerce_source_t  *source;

    candidate = &a->candidates[i];

    if ((int) i == a->c->winner.winner) {
        return a->c->winner.upline ? "upline_won" : "won";
    }

    reason = candidate->leaving ? COMMERCE_R(OK) : commerce_person_judge(&candidate->seller);

    if (reason != COMMERCE_R(OK)) {
        return commerce_reason(reason)->name.data;
    }

    for (source = a->conf->priority; *source != COMMERCE_SOURCE_NONE; source++) {
        if (*source == candidate->source) {
            break;
        }
    }

    if (*source == COMMERCE_SOURCE_NONE) {
        return "not_ranked";
    }

    return a->c->winner.self && a->c->winner.winner < 0 ? "self_purchase" : "outranked";
}


/* touches that were no candidates: late, too old, or nothing at all */

static void
ngx_http_commerce_explain_passed(ngx_http_commerce_attribution_t *a, commerce_write_t *w)
{
    ngx_uint_t                  i;
    commerce_touch_t           *touch;
    ngx_http_commerce_touch_t  *t;

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (ngx_http_commerce_explain_candidate(a, &t->touch)) {
            continue;
        }

        ngx_http_commerce_explain_touch(a, w, t->touch.source, t->touch.seller, &t->touch,
                                        t->late ? commerce_string("LATE_TOUCH")
                                        : t->reason != COMMERCE_R(OK) ? commerce_reason(t->reason)->name
                                        : !commerce_touch_live(&t->touch, a->c->now)
                                          ? commerce_string("ATTR_LOOKBACK_EXCEEDED") : commerce_string("superseded"));
    }

    if (a->buyer == NULL) {
        return;
    }

    for (i = COMMERCE_SOURCE_NONE + 1; i < COMMERCE_SOURCES; i++) {
        touch = &a->buyer->last[i];

        if (touch->source == COMMERCE_SOURCE_NONE || ngx_http_commerce_explain_candidate(a, touch)) {
            continue;
        }

        ngx_http_commerce_explain_touch(a, w, touch->source, touch->seller, touch,
                                        !commerce_touch_live(touch, a->c->now)
                                        ? commerce_string("ATTR_LOOKBACK_EXCEEDED")
                                        : commerce_attribution_late(&a->decided, &a->decided_owner, touch, a->c->now)
                                          ? commerce_string("LATE_TOUCH") : commerce_string("superseded"));
    }
}


/* is it told already: as a candidate, or among the request's own? */

static ngx_uint_t
ngx_http_commerce_explain_candidate(ngx_http_commerce_attribution_t *a, const commerce_touch_t *touch)
{
    ngx_uint_t  i;

    for (i = 0; i < a->ncandidates; i++) {
        if (a->candidates[i].source == touch->source && a->candidates[i].touch.digest == touch->digest) {
            return 1;
        }
    }

    for (i = 0; i < a->ntouches; i++) {
        if (&a->touches[i].touch != touch && a->touches[i].touch.source == touch->source
            && a->touches[i].touch.digest == touch->digest)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_commerce_explain_touch(ngx_http_commerce_attribution_t *a, commerce_write_t *w, commerce_source_t source,
    uint64_t seller, const commerce_touch_t *touch, commerce_str_t outcome)
{
    commerce_time_t     until;
    commerce_person_t  *person;

    person = ngx_http_commerce_core->person(a->c, seller);

    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "source", commerce_cstr(commerce_source_name(source)));
    commerce_write_optional(w, "seller", person ? person->id : commerce_string(""));

    if (touch->source == source) {
        commerce_write_text(w, "strength", commerce_cstr(commerce_strength_name(touch->strength)));
        commerce_write_int(w, "first", touch->first);

        if (touch->lookback != COMMERCE_FOREVER && !__builtin_add_overflow(touch->first, touch->lookback, &until)) {
            commerce_write_int(w, "until", until);
        }
    }

    commerce_write_text(w, "outcome", outcome);
    commerce_write_close(w, '}');
}
