/*
 * Copyright (C) ngx_commerce authors
 *
 * The buyer's record: first sights, the binding, the last touch of each class; one write.
 */

#include "ngx_http_commerce_attribution.h"


static ngx_uint_t ngx_http_commerce_see(ngx_http_commerce_attribution_t *a);
static int ngx_http_commerce_get_person(void *data, uint64_t number, commerce_person_t *person);
static ngx_uint_t ngx_http_commerce_inherit(ngx_http_commerce_attribution_t *a);
static ngx_uint_t ngx_http_commerce_bind(ngx_http_commerce_attribution_t *a);
static ngx_uint_t ngx_http_commerce_customer(ngx_http_commerce_attribution_t *a);
static ngx_http_commerce_touch_t *ngx_http_commerce_binding_touch(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_late_binding(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_event_touch(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t);
static void ngx_http_commerce_event_bind(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    ngx_http_commerce_touch_t *t, commerce_reason_t reason);
static void ngx_http_commerce_history(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    commerce_event_binding_t *event);


commerce_reason_t
ngx_http_commerce_read_buyer(ngx_http_commerce_attribution_t *a)
{
    int                   rc;
    size_t                i;
    unsigned              kid;
    commerce_str_t        pseudonym;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (c->reader.view == NULL || !c->verified || c->user.len == 0) {
        return COMMERCE_R(OK);
    }

    a->buyer = &a->record;

    a->user = c->user;
    rc = commerce_buyer_resolve(&c->reader, &a->user, a->buyer, &a->version);

    if (!commerce_equal(a->user, c->user)) {
        c->canonical = a->user;
    }

    if (rc == COMMERCE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0, "commerce: a buyer's record is not readable");
        a->buyer = NULL;
        return COMMERCE_R(OK);
    }

    if (ngx_http_commerce_find_owner(a, &a->buyer->binding, &a->owner) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0, "commerce: a seller's record is not readable");
        a->buyer = NULL;
        return COMMERCE_R(OK);
    }

    a->decided = a->buyer->binding;
    a->decided_owner = a->owner;

    /* the cached pseudonym ("<key id>:...") serves as long as its key signs */

    pseudonym = a->buyer->pseudonym;

    for (kid = 0, i = 0; i < pseudonym.len && pseudonym.data[i] >= '0' && pseudonym.data[i] <= '9'; i++) {
        kid = kid * 10 + (pseudonym.data[i] - '0');
    }

    if (i < pseudonym.len
        && kid == commerce_keyring_signing_id(ngx_http_commerce_core->keyring(c), COMMERCE_KEY_PSEUDONYM))
    {
        c->pseudonym = pseudonym;
    }

    return COMMERCE_R(OK);
}


ngx_int_t
ngx_http_commerce_find_owner(ngx_http_commerce_attribution_t *a, commerce_binding_t *binding,
    commerce_owner_t *owner)
{
    return commerce_owner_find(&a->conf->owner, binding->owner, a->c->now, ngx_http_commerce_get_person, a->c,
                               owner) == COMMERCE_OK ? NGX_OK : NGX_ERROR;
}


static int
ngx_http_commerce_get_person(void *data, uint64_t number, commerce_person_t *person)
{
    commerce_person_t    *found;
    ngx_commerce_case_t  *c = data;

    found = ngx_http_commerce_core->person(c, number);

    if (found == NULL) {
        return commerce_person_read(&c->reader, number, person, NULL);
    }

    *person = *found;

    return COMMERCE_OK;
}


/* first sights, the binding, the last touch of each class: one write of the buyer's record */

void
ngx_http_commerce_remember(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                  i, changed;
    ngx_commerce_case_t        *c;
    ngx_http_commerce_touch_t  *t;

    c = a->c;

    if (c->order) {
        ngx_http_commerce_late_binding(a);
    }

    changed = ngx_http_commerce_see(a);
    ngx_http_commerce_conduct_touches(a);

    /* an order makes an heir's customer his for good, a page view that writes nothing else does not */

    if (changed || c->order) {
        changed |= ngx_http_commerce_inherit(a);
    }

    if (changed) {
        changed |= ngx_http_commerce_bind(a);
    }

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->fresh && t->wins) {
            commerce_buyer_remember(a->buyer, &t->touch);
        }

        if (t->fresh || t->reason != COMMERCE_R(OK)) {
            ngx_http_commerce_event_touch(a, t);
        }
    }

    if (changed && !c->preview) {
        a->buyer->pseudonym = ngx_http_commerce_core->pseudonym(c);
        commerce_buyer_write(c->txn, c->shop, a->user, a->buyer, a->version);
    }
}


/*
 * When was each touch first seen?  Known tokens are looked up whatever the client is, or an old one would count
 * as new; but only a client that may bind is remembered.  True: the record is another one.
 */

static ngx_uint_t
ngx_http_commerce_see(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                  i, fresh;
    ngx_commerce_case_t        *c;
    commerce_seen_t             seen[COMMERCE_SEEN_MAX];
    ngx_http_commerce_touch_t  *t;

    c = a->c;
    ngx_memcpy(seen, a->buyer->seen, sizeof(seen));

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->reason != COMMERCE_R(OK)) {
            continue;
        }

        fresh = commerce_buyer_sees(a->buyer, &t->touch, c->now);
        t->fresh = fresh && a->client == COMMERCE_R(OK);

        if (c->order && commerce_attribution_late(&a->decided, &a->decided_owner, &t->touch, c->now)) {
            t->late = 1;
            ngx_http_commerce_core->note_reason(c, COMMERCE_R(LATE_TOUCH));
        }
    }

    /* a token that was sent again is among the last again */

    return a->client == COMMERCE_R(OK) && ngx_memcmp(seen, a->buyer->seen, sizeof(seen)) != 0;
}


/* a binding that a rival's touch took over a moment ago does not decide this order either */

static void
ngx_http_commerce_late_binding(ngx_http_commerce_attribution_t *a)
{
    commerce_owner_t           owner;
    commerce_binding_t         before, *binding;
    commerce_binding_state_t   state;

    binding = &a->buyer->binding;

    if (binding->previous == 0 || a->c->now - binding->changed >= COMMERCE_LATE_TOUCH) {
        return;
    }

    before = commerce_binding_before(binding);

    if (ngx_http_commerce_find_owner(a, &before, &owner) != NGX_OK) {
        return;
    }

    state = commerce_binding_held(&before, &owner, a->c->now);

    if (state != COMMERCE_BINDING_NONE && state != COMMERCE_BINDING_EXPIRED) {
        a->decided = before;
        a->decided_owner = owner;
        (void) ngx_http_commerce_core->flag(a->c, COMMERCE_CONDUCT_LATE_TOUCH);
        ngx_http_commerce_core->note_reason(a->c, COMMERCE_R(LATE_TOUCH));
    }
}


static ngx_uint_t
ngx_http_commerce_inherit(ngx_http_commerce_attribution_t *a)
{
    commerce_reason_t   reason;
    commerce_binding_t  before;

    before = a->buyer->binding;
    reason = commerce_binding_inherit(&a->buyer->binding, &a->owner, a->c->now);

    if (reason == COMMERCE_R(OK)) {
        return 0;
    }

    ngx_http_commerce_core->note_reason(a->c, reason);

    if (!a->c->preview) {
        ngx_http_commerce_event_bind(a, &before, NULL, reason);
    }

    return 1;
}


/* the strongest fresh touch of the request may bind */

static ngx_uint_t
ngx_http_commerce_bind(ngx_http_commerce_attribution_t *a)
{
    commerce_person_t          *person;
    commerce_reason_t           reason;
    commerce_binding_t          before;
    ngx_commerce_case_t        *c;
    ngx_http_commerce_touch_t  *t;

    c = a->c;
    t = ngx_http_commerce_binding_touch(a);

    if (t == NULL) {
        return 0;
    }

    person = ngx_http_commerce_core->person(a->c, t->touch.seller);
    reason = commerce_person_judge(person);

    if (reason != COMMERCE_R(OK)) {
        ngx_http_commerce_core->note_reason(c, reason);
        return 0;
    }

    before = a->buyer->binding;

    reason = commerce_binding_touch(&a->conf->binding, &a->buyer->binding, &a->owner, person->number,
                                    (commerce_person_is(person, c->user) || commerce_person_is(person, a->user))
                                    ? person->number : 0,
                                    ngx_http_commerce_customer(a), c->now);
    reason = ngx_http_commerce_conduct_bind(a, t, person, &before, reason);

    if (reason == COMMERCE_R(BIND_STOLEN) && t->touch.strength == COMMERCE_STRENGTH_ATTESTED) {
        commerce_binding_attested(&a->buyer->binding, c->now);
    }

    ngx_http_commerce_core->note_reason(c, reason);

    if (ngx_memcmp(&before, &a->buyer->binding, sizeof(commerce_binding_t)) == 0) {
        return 0;
    }

    if (!c->preview) {
        ngx_http_commerce_event_bind(a, &before, t, reason);
    }

    /* an order is decided on the binding as it was, unless there was none to protect */

    if (!(c->order && t->late)) {
        a->decided = a->buyer->binding;

        if (ngx_http_commerce_find_owner(a, &a->decided, &a->decided_owner) != NGX_OK) {
            ngx_memzero(&a->decided, sizeof(commerce_binding_t));
        }
    }

    return 1;
}


/* has he ordered before?  An answer that the store does not give is yes: nobody is bound against the policy */

static ngx_uint_t
ngx_http_commerce_customer(ngx_http_commerce_attribution_t *a)
{
    return a->conf->binding.new_only
           && (commerce_buyer_ordered(&a->c->reader, a->c->user) != COMMERCE_ABSENT
               || commerce_buyer_ordered(&a->c->reader, a->user) != COMMERCE_ABSENT);
}


static ngx_http_commerce_touch_t *
ngx_http_commerce_binding_touch(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                 i, k;
    static commerce_source_t   order[] = {
        COMMERCE_SOURCE_LIVE_ROOM, COMMERCE_SOURCE_SHARE, COMMERCE_SOURCE_GROUP, COMMERCE_SOURCE_CHANNEL,
        COMMERCE_SOURCE_PLAIN
    };

    for (k = 0; k < sizeof(order) / sizeof(order[0]); k++) {

        for (i = a->ntouches; i-- > 0; /* void */ ) {

            if (a->touches[i].fresh && a->touches[i].binds
                && a->touches[i].touch.source == order[k]
                && a->touches[i].touch.seller)
            {
                return &a->touches[i];
            }
        }
    }

    return NULL;
}


static void
ngx_http_commerce_event_touch(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t)
{
    commerce_write_t      w;
    commerce_person_t    *person;
    commerce_credit_t     dimensions;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (c->preview || ngx_http_commerce_core->event_start(c, &w, "touch") != NGX_OK) {
        return;
    }

    ngx_memzero(&dimensions, sizeof(commerce_credit_t));
    ngx_http_commerce_dimensions(a, &t->touch, &dimensions);

    person = ngx_http_commerce_core->person(a->c, t->touch.seller);

    commerce_write_optional(&w, "buyer", ngx_http_commerce_core->pseudonym(c));
    commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(t->touch.source)));
    commerce_write_text(&w, "strength", commerce_cstr(commerce_strength_name(t->touch.strength)));
    commerce_write_optional(&w, "seller", person ? person->id : commerce_string(""));
    commerce_write_optional(&w, "group", dimensions.group_id);
    commerce_write_optional(&w, "room", dimensions.room_id);
    commerce_write_optional(&w, "channel", dimensions.channel_id);
    commerce_write_optional(&w, "field", commerce_cstr(commerce_field_name(commerce_touch_field(&t->touch))));
    commerce_write_optional(&w, "origin", commerce_cstr(commerce_origin_name(commerce_touch_origin(&t->touch))));
    commerce_write_optional(&w, "platform", t->platform);

    if (commerce_id_valid(t->name) && t->touch.source == COMMERCE_SOURCE_PLAIN) {
        commerce_write_text(&w, "name", t->name);
    }

    commerce_write_text(&w, "reason", commerce_reason(t->late ? COMMERCE_R(LATE_TOUCH) : t->reason)->name);
    ngx_http_commerce_core->conduct_write(c, &w, t->conduct | COMMERCE_CONDUCT_CLIENT);

    ngx_http_commerce_core->event_plain(c, &w);
}


static void
ngx_http_commerce_event_bind(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    ngx_http_commerce_touch_t *t, commerce_reason_t reason)
{
    commerce_write_t           w;
    commerce_person_t         *person, *previous;
    commerce_binding_t        *binding;
    ngx_commerce_case_t       *c;
    commerce_event_binding_t   event;

    c = a->c;
    binding = &a->buyer->binding;

    if (ngx_http_commerce_core->event_start(c, &w, "bind") != NGX_OK) {
        return;
    }

    person = ngx_http_commerce_core->person(a->c, binding->owner);
    previous = before->owner && before->owner != binding->owner
               ? ngx_http_commerce_core->person(a->c, before->owner) : NULL;

    event.buyer = ngx_http_commerce_core->pseudonym(c);
    event.seller = person ? person->id : commerce_string("");
    event.previous = previous ? previous->id : commerce_string("");
    event.from = commerce_binding_held(before, &a->owner, c->now);
    event.reason = reason;
    event.source = t ? t->touch.source : COMMERCE_SOURCE_NONE;
    event.binding = binding;

    commerce_event_write_binding(&w, &event);
    ngx_http_commerce_core->conduct_write(c, &w, COMMERCE_CONDUCT_ALL);
    ngx_http_commerce_core->event_money(c, &w);

    ngx_http_commerce_history(a, before, &event);
}


/* a renewal by the same owner is in his binding's own record */

static void
ngx_http_commerce_history(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    commerce_event_binding_t *event)
{
    commerce_history_t  entry;

    if (event->reason == COMMERCE_R(BIND_RENEW)) {
        return;
    }

    entry.at = a->c->now;
    entry.owner = event->binding->owner;
    entry.previous = before->owner;
    entry.reason = event->reason;
    entry.source = event->source;
    entry.start = event->binding->start;
    entry.end = commerce_binding_end(event->binding);

    commerce_history_add(a->c->txn, a->c->shop, a->user, &entry);
}
