/*
 * Copyright (C) ngx_commerce authors
 *
 * Conduct: where a request's flags are raised, and what a denied one takes from it.  The rules are
 * src/commerce_conduct.h and src/platform/commerce_mini_program.h; commerce_conduct is the core's.
 */

#include "ngx_http_commerce_attribution.h"
#include "../../src/commerce_file.h"


#define NGX_HTTP_COMMERCE_CRAWLER_TOKEN  128


static commerce_str_t ngx_http_commerce_conduct_header(ngx_http_request_t *r, const char *name, size_t len);
static void ngx_http_commerce_conduct_flood(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t);
static void ngx_http_commerce_conduct_crowd(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_conduct_drop(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t,
    commerce_reason_t reason);
static void ngx_http_commerce_conduct_unbind(ngx_http_commerce_attribution_t *a);
static ngx_uint_t ngx_http_commerce_conduct_same(ngx_http_commerce_attribution_t *a, const commerce_person_t *seller);
static ngx_uint_t ngx_http_commerce_conduct_reciprocal(ngx_http_commerce_attribution_t *a,
    commerce_person_t *seller);
static int ngx_http_commerce_conduct_person(void *data, uint64_t number, commerce_person_t *person);
static uint64_t ngx_http_commerce_conduct_owner(void *data, const commerce_person_t *person);
static uint64_t ngx_http_commerce_conduct_owner_of(ngx_commerce_case_t *c, commerce_str_t user);


/*
 * OK, or why touches of this client are not remembered: a robot that says so, or one that only says so.  Referer
 * and User-Agent that contradict each other are told, and lose their touches where that is denied.
 */

commerce_reason_t
ngx_http_commerce_conduct_robot(ngx_commerce_case_t *c)
{
    bool                                   forged;
    ngx_uint_t                             denied;
    commerce_reason_t                      reason;
    ngx_http_request_t                    *r;
    commerce_mini_program_client_t         client;
    ngx_http_commerce_attribution_conf_t  *conf;

    r = c->request;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_commerce_attribution_module);

    client.agent = r->headers_in.user_agent ? ngx_commerce_str(r->headers_in.user_agent->value)
                                            : commerce_string("");
    client.referer = r->headers_in.referer ? ngx_commerce_str(r->headers_in.referer->value)
                                           : commerce_string("");
    client.timestamp = commerce_string("");
    client.nonce = commerce_string("");
    client.signature = commerce_string("");

    if (conf->crawler.len) {
        client.timestamp = ngx_http_commerce_conduct_header(r, "x-wxapp-crawler-timestamp", 25);
        client.nonce = ngx_http_commerce_conduct_header(r, "x-wxapp-crawler-nonce", 21);
        client.signature = ngx_http_commerce_conduct_header(r, "x-wxapp-crawler-signature", 25);
    }

    reason = commerce_mini_program_robot(&client, conf->crawler, &forged);

    if (reason == COMMERCE_R(OK)) {
        return reason;
    }

    denied = ngx_http_commerce_core->flag(c, reason == COMMERCE_R(CRAWLER) ? COMMERCE_CONDUCT_CRAWLER
                                                                           : COMMERCE_CONDUCT_BOT_SUSPECT);

    return reason == COMMERCE_R(CRAWLER) || forged || denied ? reason : COMMERCE_R(OK);
}


/* empty if it is not there, or twice */

static commerce_str_t
ngx_http_commerce_conduct_header(ngx_http_request_t *r, const char *name, size_t len)
{
    ngx_uint_t        i, n;
    commerce_str_t    value;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    value = commerce_string("");

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len && ngx_strncmp(h[i].lowcase_key, name, len) == 0) {
                value = ngx_commerce_str(h[i].value);
                n++;
            }
        }
    }

    return n == 1 ? value : commerce_string("");
}


/* what a client brings that is denied counts for nothing; whom the buyer belonged to before is as it was */

void
ngx_http_commerce_conduct_client(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t         i;
    commerce_reason_t  client;

    client = a->c->client;

    if (!((client == COMMERCE_R(CRAWLER) && ngx_http_commerce_core->denies(a->c, COMMERCE_CONDUCT_CRAWLER))
          || (client == COMMERCE_R(DEV_VERSION)
              && ngx_http_commerce_core->denies(a->c, COMMERCE_CONDUCT_DEV_VERSION))
          || (client == COMMERCE_R(BOT_SUSPECT)
              && ngx_http_commerce_core->denies(a->c, COMMERCE_CONDUCT_BOT_SUSPECT))))
    {
        return;
    }

    for (i = 0; i < a->ntouches; i++) {
        if (a->touches[i].reason == COMMERCE_R(OK)) {
            a->touches[i].reason = client;
        }
    }
}


/* of a buyer who is remembered: fresh and late are known */

void
ngx_http_commerce_conduct_touches(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                  i;
    ngx_http_commerce_touch_t  *t;

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->late) {
            t->conduct |= COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_LATE_TOUCH);
            (void) ngx_http_commerce_core->flag(a->c, COMMERCE_CONDUCT_LATE_TOUCH);
        }

        if (t->fresh && t->touch.seller && t->touch.source != COMMERCE_SOURCE_LIVE_ROOM) {
            ngx_http_commerce_conduct_flood(a, t);
        }
    }

    if (a->c->order) {
        ngx_http_commerce_conduct_crowd(a);
    }
}


static void
ngx_http_commerce_conduct_flood(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t)
{
    uint32_t                          touches, orders;
    ngx_commerce_case_t              *c;
    const commerce_conduct_policy_t  *policy;

    c = a->c;
    policy = ngx_http_commerce_core->conduct_policy(c);

    if (policy->actions[COMMERCE_CONDUCT_TOUCH_FLOOD] == COMMERCE_CONDUCT_OFF) {
        return;
    }

    touches = ngx_http_commerce_core->rate(c, NGX_COMMERCE_RATE_TOUCHES, t->touch.seller, 1);

    if (!commerce_conduct_too_many(&policy->touches, touches)) {
        return;
    }

    orders = ngx_http_commerce_core->rate(c, NGX_COMMERCE_RATE_ORDERS, t->touch.seller, 0);

    if (!commerce_conduct_flood(policy, touches, orders)) {
        return;
    }

    t->conduct |= COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_TOUCH_FLOOD);

    if (ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_TOUCH_FLOOD)) {
        ngx_http_commerce_conduct_drop(a, t, COMMERCE_R(TOUCH_FLOOD));
    }
}


/* many touches for one buyer just before his order: whoever sent them, what they say decides nothing */

static void
ngx_http_commerce_conduct_crowd(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                        i;
    ngx_commerce_case_t              *c;
    const commerce_conduct_policy_t  *policy;

    c = a->c;
    policy = ngx_http_commerce_core->conduct_policy(c);

    if (!commerce_conduct_crowd(policy, a->buyer, c->now)
        || !ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_TOUCH_FLOOD))
    {
        return;
    }

    a->crowd = c->now - policy->buyer.period / 1000;
    ngx_http_commerce_conduct_unbind(a);

    for (i = 0; i < a->ntouches; i++) {
        if (a->touches[i].reason == COMMERCE_R(OK)
            && ngx_http_commerce_conduct_crowded(a, &a->touches[i].touch))
        {
            a->touches[i].conduct |= COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_TOUCH_FLOOD);
            ngx_http_commerce_conduct_drop(a, &a->touches[i], COMMERCE_R(TOUCH_FLOOD));
        }
    }
}


/* ... a binding that one of them made, no more than the touch itself: the order is decided on the one before */

static void
ngx_http_commerce_conduct_unbind(ngx_http_commerce_attribution_t *a)
{
    commerce_touch_t          *room;
    commerce_binding_t         before;
    commerce_binding_state_t   state;

    room = &a->buyer->last[COMMERCE_SOURCE_LIVE_ROOM];

    if (a->decided.owner == 0 || a->decided.changed <= a->crowd
        || (room->strength == COMMERCE_STRENGTH_ATTESTED && room->seller == a->decided.owner
            && room->first == a->decided.changed))
    {
        return;
    }

    before = commerce_binding_before(&a->decided);
    state = commerce_binding_state(&before, a->c->now);

    if (state == COMMERCE_BINDING_NONE || state == COMMERCE_BINDING_EXPIRED
        || ngx_http_commerce_find_owner(a, &before, &a->decided_owner) != NGX_OK)
    {
        ngx_memzero(&before, sizeof(commerce_binding_t));
        ngx_memzero(&a->decided_owner, sizeof(commerce_owner_t));
    }

    a->decided = before;
}


ngx_uint_t
ngx_http_commerce_conduct_crowded(ngx_http_commerce_attribution_t *a, const commerce_touch_t *touch)
{
    return a->crowd && touch->first > a->crowd && touch->strength != COMMERCE_STRENGTH_ATTESTED;
}


/* neither binds nor wins, now or later */

static void
ngx_http_commerce_conduct_drop(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t,
    commerce_reason_t reason)
{
    t->reason = reason;
    t->fresh = 0;
    ngx_http_commerce_core->note_reason(a->c, reason);
}


/* the binding that a touch has just made, or why there is none: then it is as it was before */

commerce_reason_t
ngx_http_commerce_conduct_bind(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t,
    commerce_person_t *seller, commerce_binding_t *before, commerce_reason_t reason)
{
    ngx_commerce_case_t              *c;
    const commerce_conduct_policy_t  *policy;

    c = a->c;
    policy = ngx_http_commerce_core->conduct_policy(c);

    if (!commerce_conduct_binds(reason)) {
        return reason;
    }

    if (t->late && ngx_http_commerce_core->denies(c, COMMERCE_CONDUCT_LATE_TOUCH)) {
        reason = COMMERCE_R(LATE_TOUCH);

    } else if (ngx_http_commerce_conduct_reciprocal(a, seller)
               && ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_RECIPROCAL))
    {
        reason = COMMERCE_R(RECIPROCAL);

    } else if (t->touch.source == COMMERCE_SOURCE_LIVE_ROOM) {
        return reason;

    } else if (commerce_conduct_too_many(&policy->binds,
                   ngx_http_commerce_core->rate(c, NGX_COMMERCE_RATE_BINDS, seller->number, 0))
               && ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_BIND_VELOCITY))
    {
        reason = COMMERCE_R(BIND_VELOCITY);

    } else {
        (void) ngx_http_commerce_core->rate(c, NGX_COMMERCE_RATE_BINDS, seller->number, 1);
        return reason;
    }

    a->buyer->binding = *before;

    return reason;
}


static ngx_uint_t
ngx_http_commerce_conduct_reciprocal(ngx_http_commerce_attribution_t *a, commerce_person_t *seller)
{
    commerce_person_t                 buyer;
    ngx_commerce_case_t              *c;
    const commerce_conduct_policy_t  *policy;

    c = a->c;
    policy = ngx_http_commerce_core->conduct_policy(c);

    if (policy->actions[COMMERCE_CONDUCT_RECIPROCAL] == COMMERCE_CONDUCT_OFF
        || a->buyer == NULL
        || (commerce_person_of_user(&c->reader, c->user, &buyer, NULL) != COMMERCE_OK
            && (c->canonical.len == 0
                || commerce_person_of_user(&c->reader, c->canonical, &buyer, NULL) != COMMERCE_OK)))
    {
        return 0;
    }

    return commerce_conduct_reciprocal(seller, buyer.number, ngx_http_commerce_conduct_person,
                                       ngx_http_commerce_conduct_owner, c);
}


static int
ngx_http_commerce_conduct_person(void *data, uint64_t number, commerce_person_t *person)
{
    commerce_person_t  *found;

    found = ngx_http_commerce_core->person(data, number);

    if (found == NULL) {
        return COMMERCE_ABSENT;
    }

    *person = *found;

    return COMMERCE_OK;
}


static uint64_t
ngx_http_commerce_conduct_owner(void *data, const commerce_person_t *person)
{
    unsigned  i;
    uint64_t  owner;

    owner = ngx_http_commerce_conduct_owner_of(data, person->user);

    for (i = 0; owner == 0 && i < person->identity_count; i++) {
        owner = ngx_http_commerce_conduct_owner_of(data, person->identities[i]);
    }

    return owner;
}


static uint64_t
ngx_http_commerce_conduct_owner_of(ngx_commerce_case_t *c, commerce_str_t user)
{
    uint64_t                  version;
    commerce_buyer_t          record;
    commerce_binding_state_t  state;

    if (user.len == 0 || commerce_buyer_resolve(&c->reader, &user, &record, &version) != COMMERCE_OK) {
        return 0;
    }

    state = commerce_binding_state(&record.binding, c->now);

    return state == COMMERCE_BINDING_PROTECTED || state == COMMERCE_BINDING_OPEN ? record.binding.owner : 0;
}


/* is the buyer this seller, under a name that only a merge has told? */

static ngx_uint_t
ngx_http_commerce_conduct_same(ngx_http_commerce_attribution_t *a, const commerce_person_t *seller)
{
    unsigned          i;
    uint64_t          version;
    commerce_str_t    name;
    commerce_buyer_t  record;

    for (i = 0; i <= seller->identity_count; i++) {
        name = i ? seller->identities[i - 1] : seller->user;

        if (name.len && commerce_buyer_resolve(&a->c->reader, &name, &record, &version) == COMMERCE_OK
            && commerce_equal(name, a->user))
        {
            return 1;
        }
    }

    return 0;
}


/* denied: who buys from himself is credited to the house, whatever self_purchase= says */

commerce_self_purchase_t
ngx_http_commerce_conduct_self(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t  i;

    for (i = 0; a->c->order && a->buyer && a->c->buyer_person.number == 0 && i < a->ncandidates; i++) {

        /* a binding and its owner's link are most often one after the other */

        if ((i == 0 || a->candidates[i].seller.number != a->candidates[i - 1].seller.number)
            && ngx_http_commerce_conduct_same(a, &a->candidates[i].seller))
        {
            a->c->buyer_person = a->candidates[i].seller;
        }
    }

    return ngx_http_commerce_core->denies(a->c, COMMERCE_CONDUCT_SELF_PURCHASE) ? COMMERCE_SELF_HOUSE
                                                                                : a->conf->binding.self_purchase;
}


void
ngx_http_commerce_conduct_winner(ngx_http_commerce_attribution_t *a, int first)
{
    commerce_person_t    *seller;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (c->winner.self) {
        (void) ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_SELF_PURCHASE);
    }

    seller = c->order && first >= 0 ? ngx_http_commerce_core->person(c, c->credits[first].seller) : NULL;

    if (seller == NULL) {
        return;
    }

    /* his touches brought something */

    (void) ngx_http_commerce_core->rate(c, NGX_COMMERCE_RATE_ORDERS, seller->number, 1);

    if (ngx_http_commerce_conduct_reciprocal(a, seller)) {
        (void) ngx_http_commerce_core->flag(c, COMMERCE_CONDUCT_RECIPROCAL);
    }
}


/* a file of its own, which nobody else may read: one line */

char *
ngx_http_commerce_crawler_token(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *token)
{
    char             error[256];
    ngx_str_t        name;
    commerce_file_t  file;

    name.data = word->data + prefix;
    name.len = word->len - prefix;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (commerce_file_read((char *) name.data, NGX_HTTP_COMMERCE_CRAWLER_TOKEN, &file, error, sizeof(error))
        != COMMERCE_OK
        || commerce_file_private(&file, error, sizeof(error)) != COMMERCE_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"commerce_mini_program\": crawler_token: \"%V\" %s",
                           &name, error);
        commerce_file_free(&file);
        return NGX_CONF_ERROR;
    }

    while (file.len && (file.text[file.len - 1] == '\n' || file.text[file.len - 1] == '\r')) {
        file.len--;
    }

    if (file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"commerce_mini_program\": crawler_token: \"%V\" is empty, it must hold one line", &name);
        commerce_file_free(&file);
        return NGX_CONF_ERROR;
    }

    token->data = ngx_pnalloc(cf->pool, file.len);
    token->len = file.len;

    if (token->data == NULL) {
        commerce_file_free(&file);
        return NGX_CONF_ERROR;
    }

    ngx_memcpy((char *) token->data, file.text, file.len);
    commerce_file_free(&file);

    return NGX_CONF_OK;
}
