/*
 * Copyright (C) ngx_commerce authors
 *
 * Who may win, and who does: candidates, winners per line, credits.
 */

#include "ngx_http_commerce_attribution.h"


static void ngx_http_commerce_came_by(ngx_commerce_case_t *c, commerce_touch_t *touch, commerce_time_t *group,
    commerce_time_t *room);
static void ngx_http_commerce_candidate(ngx_http_commerce_attribution_t *a, commerce_source_t source,
    uint64_t seller, commerce_touch_t *touch, const uint8_t *lines);
static ngx_uint_t ngx_http_commerce_bound_candidate(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_buyer_person(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_compare_upline(ngx_http_commerce_attribution_t *a);
static commerce_touch_t *ngx_http_commerce_latest(ngx_http_commerce_attribution_t *a,
    commerce_source_t source);
static void ngx_http_commerce_met(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch,
    commerce_credit_t *credit);
static void ngx_http_commerce_assist(ngx_http_commerce_attribution_t *a);
static int ngx_http_commerce_credit(ngx_http_commerce_attribution_t *a, commerce_winner_t *winner,
    int candidate, ngx_uint_t contributor);


/* everybody who may win, in no particular order: the preset is the rule's */

void
ngx_http_commerce_candidates(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                 i, bound;
    commerce_time_t            group, room;
    commerce_touch_t          *touch;
    ngx_commerce_case_t       *c;
    static commerce_source_t   classes[] = {
        COMMERCE_SOURCE_LIVE_ROOM, COMMERCE_SOURCE_SHARE, COMMERCE_SOURCE_GROUP, COMMERCE_SOURCE_CHANNEL,
        COMMERCE_SOURCE_PLAIN
    };

    c = a->c;
    c->group = 0;
    c->room = 0;
    group = 0;
    room = 0;

    bound = ngx_http_commerce_bound_candidate(a);

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        touch = ngx_http_commerce_latest(a, classes[i]);

        if (touch) {
            ngx_http_commerce_came_by(c, touch, &group, &room);
            ngx_http_commerce_candidate(a, classes[i], touch->seller, touch, NULL);

            /* a binding keeps the dimensions of its owner's latest touch */

            if (bound && touch->seller && touch->seller == a->candidates[0].seller.number
                && touch->first >= a->candidates[0].touch.first)
            {
                a->candidates[0].touch = *touch;
            }
        }
    }

    if (c->order) {
        for (i = 0; i < c->ncoupons; i++) {
            if (c->coupons[i].reason == COMMERCE_R(OK) && c->coupons[i].use.campaign.promoter) {
                ngx_http_commerce_candidate(a, COMMERCE_SOURCE_PROMOTER,
                                            c->coupons[i].use.campaign.promoter, NULL,
                                            c->order->line_count ? c->coupons[i].admits : NULL);
            }
        }
    }
}


/* who serves the buyer; a leaver does, where configured, until his customers are his successor's */

static ngx_uint_t
ngx_http_commerce_bound_candidate(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                 leaving;
    ngx_commerce_case_t       *c;
    commerce_binding_state_t   state;

    c = a->c;
    leaving = 0;
    state = commerce_binding_held(&a->decided, &a->decided_owner, c->now);

    if (a->decided.owner && c->order && state != COMMERCE_BINDING_EXPIRED) {
        ngx_http_commerce_core->note_reason(c, a->decided_owner.reason);
    }

    if (state == COMMERCE_BINDING_TRANSFER_PENDING && a->conf->leaver) {
        leaving = 1;
        state = commerce_binding_state(&a->decided, c->now);
    }

    if (state != COMMERCE_BINDING_PROTECTED && state != COMMERCE_BINDING_OPEN) {
        return 0;
    }

    ngx_http_commerce_candidate(a, state == COMMERCE_BINDING_PROTECTED ? COMMERCE_SOURCE_PROTECTED
                                                                       : COMMERCE_SOURCE_OPEN,
                                a->decided_owner.person.number, NULL, NULL);

    a->candidates[0].leaving = leaving;

    return 1;
}


/* by the latest touch that names one, whoever wins */

static void
ngx_http_commerce_came_by(ngx_commerce_case_t *c, commerce_touch_t *touch, commerce_time_t *group,
    commerce_time_t *room)
{
    if (touch->group && touch->first > *group) {
        c->group = touch->group;
        *group = touch->first;
    }

    if (touch->room && touch->first > *room) {
        c->room = touch->room;
        *room = touch->first;
    }
}


static void
ngx_http_commerce_candidate(ngx_http_commerce_attribution_t *a, commerce_source_t source,
    uint64_t seller, commerce_touch_t *touch, const uint8_t *lines)
{
    u_char                *p;
    commerce_person_t     *person;
    commerce_candidate_t  *candidate;

    candidate = &a->candidates[a->ncandidates++];
    ngx_memzero(candidate, sizeof(commerce_candidate_t));
    candidate->source = source;
    candidate->lines = lines;

    if (touch) {
        candidate->touch = *touch;
    }

    person = ngx_http_commerce_core->person(a->c, seller);

    if (person) {
        candidate->seller = *person;
        return;
    }

    if (a->c->reader.view || seller == 0) {
        return;                     /* unknown: gives no candidate */
    }

    /* no store: the token's word is taken, under its number */

    candidate->seller.number = seller;
    p = commerce_alloc(&a->c->arena, NGX_INT64_LEN + 1);

    if (p) {
        candidate->seller.id.data = (char *) p;
        candidate->seller.id.len = ngx_sprintf(p, "#%uL", seller) - p;
    }
}


/* the latest live touch of a class: this request's, or the remembered one */

static commerce_touch_t *
ngx_http_commerce_latest(ngx_http_commerce_attribution_t *a, commerce_source_t source)
{
    ngx_uint_t                  i;
    commerce_touch_t           *latest, *remembered;
    ngx_http_commerce_touch_t  *t;

    latest = NULL;

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->reason == COMMERCE_R(OK) && t->wins && t->touch.source == source && !t->late
            && (latest == NULL || t->touch.first >= latest->first))
        {
            latest = &t->touch;
        }
    }

    if (latest && !commerce_touch_live(latest, a->c->now)) {
        ngx_http_commerce_core->note_reason(a->c, COMMERCE_R(ATTR_LOOKBACK_EXCEEDED));
    }

    remembered = a->buyer ? &a->buyer->last[source] : NULL;

    if (remembered
        && remembered->source == source
        && (latest == NULL || remembered->first > latest->first)
        && !ngx_http_commerce_conduct_crowded(a, remembered)
        && !(a->c->order && commerce_attribution_late(&a->decided, &a->decided_owner, remembered, a->c->now)))
    {
        latest = remembered;
    }

    return latest && commerce_touch_live(latest, a->c->now) ? latest : NULL;
}


commerce_reason_t
ngx_http_commerce_winners(ngx_http_commerce_attribution_t *a)
{
    int                       first;
    ngx_uint_t                i, k;
    commerce_winner_t         winner;
    ngx_commerce_case_t      *c;
    commerce_self_purchase_t  self;

    c = a->c;

    if (a->ncandidates == 0) {
        ngx_memzero(&c->winner, sizeof(commerce_winner_t));
        c->winner.winner = -1;
        c->winner.reason = COMMERCE_R(ATTR_DIRECT);
        return COMMERCE_R(OK);
    }

    c->credits = c->arena.alloc(c->arena.owner, ngx_min(a->ncandidates + 1, COMMERCE_CREDITS_MAX)
                                                * sizeof(commerce_credit_t));
    if (c->credits == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    ngx_http_commerce_buyer_person(a);
    self = ngx_http_commerce_conduct_self(a);

    commerce_attribution_winner(a->conf->priority, self,
                                c->buyer_person.number, a->candidates, a->ncandidates, 0, &c->winner);

    c->attribution = c->winner.reason;
    ngx_http_commerce_compare_upline(a);
    first = ngx_http_commerce_credit(a, &c->winner, c->winner.winner, 0);
    ngx_http_commerce_conduct_winner(a, first);

    if (c->order) {

        for (i = 0; i < c->order->line_count; i++) {

            if (i == 0) {
                c->order->lines[i].credit = first;
                continue;
            }

            commerce_attribution_winner(a->conf->priority, self,
                                        c->buyer_person.number, a->candidates, a->ncandidates, i, &winner);
            c->order->lines[i].credit = ngx_http_commerce_credit(a, &winner, winner.winner, 0);
        }

        /* where the house gets it, because the recruiter may not have it, nobody contributes */

        for (k = 0; first >= 0 && k < COMMERCE_CONTRIBUTORS; k++) {
            (void) ngx_http_commerce_credit(a, &c->winner, c->winner.contributors[k], 1);
        }

        if (first >= 0) {
            ngx_http_commerce_assist(a);
        }
    }

    return COMMERCE_R(OK);
}


/* is one of the candidates the buyer himself? */

static void
ngx_http_commerce_buyer_person(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t            i;
    ngx_commerce_case_t  *c;

    c = a->c;

    for (i = 0; c->verified && i < a->ncandidates; i++) {
        if (commerce_person_is(&a->candidates[i].seller, c->user)
            || (a->buyer && commerce_person_is(&a->candidates[i].seller, a->user)))
        {
            c->buyer_person = a->candidates[i].seller;
            return;
        }
    }
}


/* the token's upline is a hint, the store's is what counts; that they differ is worth a note */

static void
ngx_http_commerce_compare_upline(ngx_http_commerce_attribution_t *a)
{
    uint64_t               upline;
    commerce_candidate_t  *candidate;

    if (a->c->winner.winner < 0 || a->c->reader.view == NULL) {
        return;
    }

    candidate = &a->candidates[a->c->winner.winner];
    upline = commerce_role_salaried(candidate->seller.role) ? 0 : candidate->seller.upline;

    if (candidate->source == COMMERCE_SOURCE_SHARE && candidate->touch.upline != upline) {
        ngx_http_commerce_core->note_reason(a->c, COMMERCE_R(LINEAGE_MISMATCH));
    }
}


/* the credit of a candidate, made once; -1 = house */

static int
ngx_http_commerce_credit(ngx_http_commerce_attribution_t *a, commerce_winner_t *winner, int index,
    ngx_uint_t contributor)
{
    ngx_uint_t             i;
    commerce_person_t     *seller;
    commerce_credit_t     *credit;
    ngx_commerce_case_t   *c;
    commerce_candidate_t  *candidate;

    c = a->c;

    if (index < 0) {
        return -1;
    }

    candidate = &a->candidates[index];
    seller = &candidate->seller;

    if (winner->upline && !contributor) {
        seller = ngx_http_commerce_core->person(a->c, seller->upline);

        if (commerce_person_judge(seller) != COMMERCE_R(OK)) {
            return -1;
        }
    }

    for (i = 0; i < c->ncredits; i++) {

        if (c->credits[i].seller == seller->number && c->credits[i].source == candidate->source) {

            if (!contributor) {
                c->credits[i].contributor = false;
            }

            return (int) i;
        }
    }

    if (c->ncredits == ngx_min(a->ncandidates + 1, COMMERCE_CREDITS_MAX)) {
        return -1;
    }

    credit = &c->credits[c->ncredits];
    ngx_memzero(credit, sizeof(commerce_credit_t));

    credit->source = candidate->source;
    credit->seller = seller->number;
    credit->seller_id = seller->id;
    credit->channel = candidate->touch.channel;
    credit->touched = candidate->touch.first;
    credit->contributor = contributor;

    ngx_http_commerce_dimensions(a, &candidate->touch, credit);
    ngx_http_commerce_met(a, &candidate->touch, credit);

    return (int) c->ncredits++;
}


/* where the buyer was met, as far as somebody said so */

static void
ngx_http_commerce_met(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch, commerce_credit_t *credit)
{
    ngx_uint_t  i;

    credit->field = touch->field;
    credit->origin = touch->origin;

    for (i = 0; i < a->ntouches && touch->digest && credit->platform.len == 0; i++) {
        if (a->touches[i].touch.digest == touch->digest) {
            credit->platform = a->touches[i].platform;
        }
    }
}


/*
 * A private lead into a live room: the merchant's own traffic that a public touch then won stays visible, also
 * where both name the same seller or where the lead names none.
 */

static void
ngx_http_commerce_assist(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                i;
    commerce_touch_t         *lead, *touch, *won;
    commerce_person_t        *person;
    commerce_credit_t        *credit;
    ngx_commerce_case_t      *c;
    static commerce_source_t  classes[] = {
        COMMERCE_SOURCE_SHARE, COMMERCE_SOURCE_GROUP, COMMERCE_SOURCE_CHANNEL, COMMERCE_SOURCE_PLAIN
    };

    c = a->c;
    won = &a->candidates[c->winner.winner].touch;

    if (won->source == COMMERCE_SOURCE_NONE || commerce_touch_origin(won) != COMMERCE_ORIGIN_PUBLIC
        || c->ncredits == ngx_min(a->ncandidates + 1, COMMERCE_CREDITS_MAX))
    {
        return;
    }

    lead = NULL;

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        touch = ngx_http_commerce_latest(a, classes[i]);

        if (touch && commerce_touch_origin(touch) == COMMERCE_ORIGIN_PRIVATE && touch->first <= won->first
            && (lead == NULL || touch->first > lead->first))
        {
            lead = touch;
        }
    }

    if (lead == NULL) {
        return;
    }

    credit = &c->credits[c->ncredits++];
    ngx_memzero(credit, sizeof(commerce_credit_t));
    person = ngx_http_commerce_core->person(c, lead->seller);

    credit->source = lead->source;
    credit->seller = person ? person->number : 0;
    credit->seller_id = person ? person->id : commerce_string("");
    credit->channel = lead->channel;
    credit->touched = lead->first;
    credit->contributor = true;
    credit->assist = true;

    ngx_http_commerce_dimensions(a, lead, credit);
    ngx_http_commerce_met(a, lead, credit);
}


void
ngx_http_commerce_dimensions(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch,
    commerce_credit_t *credit)
{
    commerce_room_t     room;
    commerce_group_t    group;
    commerce_reader_t  *reader;
    commerce_channel_t  channel;

    reader = &a->c->reader;

    if (reader->view == NULL) {
        return;
    }

    if (touch->group && commerce_group_read(reader, touch->group, &group, NULL) == COMMERCE_OK) {
        credit->group_id = group.id;
    }

    if (touch->room && commerce_room_read(reader, touch->room, &room, NULL) == COMMERCE_OK) {
        credit->room_id = room.id;
    }

    if (touch->channel && commerce_channel_read(reader, touch->channel, &channel, NULL) == COMMERCE_OK) {
        credit->channel_id = channel.id;
        credit->platform = channel.platform;
    }
}
