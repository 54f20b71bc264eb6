/*
 * Copyright (C) ngx_commerce authors
 *
 * Attribution: collects the touches of a request, binds the buyer, finds the winner of every order line, and
 * issues share tokens.  The rules are src/commerce_binding.h and src/commerce_attribution.h.
 */

#include "../core/ngx_commerce.h"
#include "../../src/platform/commerce_mini_program.h"


typedef enum {
    NGX_HTTP_COMMERCE_TOUCH_SHARE,
    NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM,
    NGX_HTTP_COMMERCE_TOUCH_PLAIN
} ngx_http_commerce_touch_type_e;

typedef struct {
    ngx_http_commerce_touch_type_e  type;
    ngx_commerce_source_t           source;
    time_t                          lookback;       /* 0 = the type's own */
    unsigned                        attested:1;
} ngx_http_commerce_touch_conf_t;

typedef struct {
    ngx_array_t                *touches;            /* of ngx_http_commerce_touch_conf_t */
    commerce_binding_policy_t   binding;
    ngx_uint_t                  priority;
    ngx_array_t                *appids;             /* of ngx_str_t; NULL = any */
    ngx_commerce_source_t       scene;
    ngx_flag_t                  mini_program;
    unsigned                    binding_set:1;
} ngx_http_commerce_attribution_conf_t;

typedef struct {                                    /* commerce_share */
    ngx_commerce_source_t       group, room;
    time_t                      validity;           /* 0 = never expires */
} ngx_http_commerce_share_conf_t;

/* a touch of this request on its way to the verdict */
typedef struct {
    commerce_touch_t            touch;
    commerce_reason_t           reason;             /* OK, or why it counts for nothing */
    unsigned                    fresh:1;            /* first sight */
    unsigned                    late:1;
} ngx_http_commerce_touch_t;

typedef struct {
    ngx_commerce_case_t                   *c;
    ngx_http_commerce_attribution_conf_t  *conf;
    ngx_http_commerce_touch_t              touches[COMMERCE_TOUCHES_MAX];
    ngx_uint_t                             ntouches;
    commerce_buyer_t                      *buyer;       /* NULL: nobody verified, or no store */
    uint64_t                               version;
    commerce_binding_t                     decided;     /* the binding that this request is decided on */
    commerce_reason_t                      client;      /* may this client bind? */
    commerce_person_t                      people[6];   /* read once */
    ngx_uint_t                             npeople;
    commerce_candidate_t                  *candidates;
    ngx_uint_t                             ncandidates;
} ngx_http_commerce_attribution_t;

/* tokens that were verified lately: a token is clicked by thousands, its MAC need not be made each time */
typedef struct {
    u_char      raw[COMMERCE_TOKEN_SIZE];
    u_char      shop[COMMERCE_SHOP_MAX];
    uint8_t     shop_len;                           /* 0 = empty slot */
    uint8_t     reason;                             /* OK or TOKEN_BAD_MAC */
} ngx_http_commerce_verified_t;


#define NGX_HTTP_COMMERCE_VERIFIED     4096
#define NGX_HTTP_COMMERCE_LOOKBACK     (7 * 86400)
#define NGX_HTTP_COMMERCE_CONTENT      (14 * 86400)
#define NGX_HTTP_COMMERCE_GROUP        (30 * 86400)
#define NGX_HTTP_COMMERCE_LIVE_VIEW    86400
#define NGX_HTTP_COMMERCE_LIVE_CLICK   (7 * 86400)


static commerce_reason_t ngx_http_commerce_client(ngx_commerce_case_t *c);
static commerce_reason_t ngx_http_commerce_touches(ngx_commerce_case_t *c);
static commerce_reason_t ngx_http_commerce_collect(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_collect_share(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, commerce_str_t text);
static commerce_reason_t ngx_http_commerce_verify(ngx_commerce_case_t *c, commerce_token_t *token);
static commerce_reason_t ngx_http_commerce_token_touch(ngx_http_commerce_attribution_t *a,
    commerce_token_t *token, time_t lookback, commerce_touch_t *touch);
static void ngx_http_commerce_collect_room(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, commerce_str_t text);
static commerce_reason_t ngx_http_commerce_read_buyer(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_remember(ngx_http_commerce_attribution_t *a);
static ngx_uint_t ngx_http_commerce_bind(ngx_http_commerce_attribution_t *a);
static ngx_http_commerce_touch_t *ngx_http_commerce_binding_touch(ngx_http_commerce_attribution_t *a);
static commerce_person_t *ngx_http_commerce_person(ngx_http_commerce_attribution_t *a, uint64_t number);
static commerce_reason_t ngx_http_commerce_candidates(ngx_http_commerce_attribution_t *a);
static void ngx_http_commerce_candidate(ngx_http_commerce_attribution_t *a, commerce_source_t source,
    uint64_t seller, commerce_touch_t *touch, const uint8_t *lines);
static commerce_touch_t *ngx_http_commerce_latest(ngx_http_commerce_attribution_t *a,
    commerce_source_t source);
static commerce_reason_t ngx_http_commerce_winners(ngx_http_commerce_attribution_t *a);
static int ngx_http_commerce_credit(ngx_http_commerce_attribution_t *a, commerce_winner_t *winner,
    int candidate, ngx_uint_t contributor);
static void ngx_http_commerce_dimensions(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch,
    commerce_credit_t *credit);
static void ngx_http_commerce_event_touch(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t);
static void ngx_http_commerce_event_bind(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    ngx_http_commerce_touch_t *t, commerce_reason_t reason);
static commerce_reason_t ngx_http_commerce_share(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_share_context(ngx_commerce_case_t *c,
    ngx_http_commerce_share_conf_t *sc, commerce_token_t *token, commerce_str_t *group,
    commerce_str_t *room);
static commerce_reason_t ngx_http_commerce_share_answer(ngx_commerce_case_t *c, commerce_person_t *seller,
    commerce_str_t token, commerce_time_t expires, commerce_str_t group, commerce_str_t room);

static ngx_int_t ngx_http_commerce_attribution_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_commerce_attribution_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_commerce_attribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_http_commerce_touch_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_binding_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_binding_param(ngx_conf_t *cf, ngx_str_t *word,
    commerce_binding_policy_t *policy);
static char *ngx_http_commerce_priority_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_mini_program_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_share_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed);


static const ngx_commerce_api_t       *ngx_http_commerce_core;
static ngx_http_commerce_verified_t   *ngx_http_commerce_verified;  /* per worker, made at first use */
static commerce_keyring_t             *ngx_http_commerce_verified_ring;


static ngx_command_t  ngx_http_commerce_attribution_commands[] = {

    { ngx_string("commerce_touch"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_http_commerce_touch_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_binding"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_binding_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_priority"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_commerce_priority_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_mini_program"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_commerce_mini_program_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_share"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_commerce_share_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_attribution_module_ctx = {
    ngx_http_commerce_attribution_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_attribution_create_loc_conf,   /* create location configuration */
    ngx_http_commerce_attribution_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_attribution_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_attribution_module_ctx,  /* module context */
    ngx_http_commerce_attribution_commands,     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* which app and build sent this?  A hint, but enough not to bind a robot or a preview */

static commerce_reason_t
ngx_http_commerce_client(ngx_commerce_case_t *c)
{
    ngx_str_t                             *appid;
    ngx_uint_t                             i;
    commerce_str_t                         scene, referer;
    commerce_mini_program_t                program;
    ngx_http_commerce_attribution_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_attribution_module);

    if (conf->mini_program != 1) {
        return COMMERCE_R(OK);
    }

    scene = commerce_string("");
    referer = c->request->headers_in.referer ? ngx_commerce_str(c->request->headers_in.referer->value)
                                             : commerce_string("");

    if (conf->scene.type
        && ngx_http_commerce_core->read(c, &conf->scene, &scene) != COMMERCE_R(OK))
    {
        scene = commerce_string("");
    }

    commerce_mini_program_recognise(referer, &program);

    if (program.platform == COMMERCE_PLATFORM_WECHAT && conf->appids) {
        appid = conf->appids->elts;

        for (i = 0; i < conf->appids->nelts; i++) {
            if (commerce_equal(ngx_commerce_str(appid[i]), program.appid)) {
                break;
            }
        }

        if (i == conf->appids->nelts) {
            ngx_memzero(&program, sizeof(commerce_mini_program_t));
        }
    }

    if (program.platform == COMMERCE_PLATFORM_WECHAT) {
        ngx_str_set(&c->platform, "wechat");
        c->appid.data = (u_char *) program.appid.data;
        c->appid.len = program.appid.len;
    }

    c->scene.data = (u_char *) scene.data;
    c->scene.len = scene.len;

    ngx_http_commerce_core->note_reason(c, commerce_mini_program_bindable(&program, scene));

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_touches(ngx_commerce_case_t *c)
{
    commerce_reason_t                 reason;
    ngx_http_commerce_attribution_t   a;

    a.c = c;
    a.conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_attribution_module);
    a.ntouches = 0;
    a.npeople = 0;
    a.ncandidates = 0;
    a.buyer = NULL;
    a.version = 0;
    ngx_memzero(&a.decided, sizeof(commerce_binding_t));

    c->touched = 1;
    c->ncredits = 0;
    c->attribution = COMMERCE_R(ATTR_DIRECT);
    ngx_memzero(&c->buyer_person, sizeof(commerce_person_t));

    a.client = (c->noted == COMMERCE_R(CRAWLER) || c->noted == COMMERCE_R(DEV_VERSION)
                || c->noted == COMMERCE_R(SCENE_NOT_BINDABLE)) ? c->noted : COMMERCE_R(OK);

    reason = ngx_http_commerce_read_buyer(&a);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_collect(&a);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (a.buyer) {
        ngx_http_commerce_remember(&a);
    }

    reason = ngx_http_commerce_candidates(&a);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    return ngx_http_commerce_winners(&a);
}


static commerce_reason_t
ngx_http_commerce_read_buyer(ngx_http_commerce_attribution_t *a)
{
    int                   rc;
    unsigned              kid;
    u_char                prefix[NGX_INT_T_LEN], *p;
    commerce_str_t        pseudonym;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (c->reader.view == NULL || !c->verified || c->user.len == 0) {
        return COMMERCE_R(OK);
    }

    a->buyer = commerce_alloc(&c->arena, sizeof(commerce_buyer_t));
    if (a->buyer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    rc = commerce_buyer_read(&c->reader, c->user, a->buyer, &a->version);

    if (rc == COMMERCE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, c->request->connection->log, 0, "commerce: a buyer's record is not readable");
        a->buyer = NULL;
        return COMMERCE_R(OK);
    }

    a->decided = a->buyer->binding;

    /* the cached pseudonym serves as long as its key signs */

    pseudonym = a->buyer->pseudonym;
    kid = commerce_keyring_signing_id(ngx_http_commerce_core->keyring(c), COMMERCE_KEY_PSEUDONYM);
    p = ngx_sprintf(prefix, "%ui:", (ngx_uint_t) kid);

    if (pseudonym.len > (size_t) (p - prefix) && ngx_memcmp(pseudonym.data, prefix, p - prefix) == 0) {
        c->pseudonym = pseudonym;
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_collect(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                       i;
    commerce_str_t                   text;
    commerce_reason_t                reason;
    ngx_commerce_case_t             *c;
    ngx_http_commerce_touch_conf_t  *tc;

    c = a->c;

    if (a->conf->touches == NULL) {
        return COMMERCE_R(OK);
    }

    tc = a->conf->touches->elts;

    for (i = 0; i < a->conf->touches->nelts && a->ntouches < COMMERCE_TOUCHES_MAX; i++) {

        reason = ngx_http_commerce_core->read(c, &tc[i].source, &text);

        if (reason == COMMERCE_R(INTERNAL)) {
            return reason;
        }

        if (reason != COMMERCE_R(OK)) {
            ngx_http_commerce_core->note_reason(c, reason);
            continue;
        }

        if (text.len == 0) {
            continue;
        }

        switch (tc[i].type) {

        case NGX_HTTP_COMMERCE_TOUCH_SHARE:
            ngx_http_commerce_collect_share(a, &tc[i], text);
            break;

        case NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM:
            ngx_http_commerce_collect_room(a, &tc[i], text);
            break;

        default: /* plain: reported only */
            ngx_memzero(&a->touches[a->ntouches], sizeof(ngx_http_commerce_touch_t));
            a->touches[a->ntouches].touch.source = COMMERCE_SOURCE_PLAIN;
            a->touches[a->ntouches].touch.first = c->now;
            a->touches[a->ntouches].reason = COMMERCE_R(TOKEN_SCOPE);
            a->ntouches++;
            break;
        }
    }

    return COMMERCE_R(OK);
}


static void
ngx_http_commerce_collect_share(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t text)
{
    commerce_token_t            token;
    commerce_reason_t           reason;
    ngx_http_commerce_touch_t  *t;

    t = &a->touches[a->ntouches++];
    ngx_memzero(t, sizeof(ngx_http_commerce_touch_t));

    reason = commerce_token_parse(text, &token);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_verify(a->c, &token);
    }

    if (reason == COMMERCE_R(OK) && commerce_token_expired(&token, a->c->now)) {
        reason = COMMERCE_R(TOKEN_EXPIRED);
    }

    if (reason == COMMERCE_R(OK) && (token.flags & COMMERCE_TOKEN_TEST)) {
        reason = COMMERCE_R(TOKEN_SCOPE);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_token_touch(a, &token, tc->lookback, &t->touch);
    }

    t->reason = reason;
    ngx_http_commerce_core->note_reason(a->c, reason);
}


/* the MAC, or what it was a moment ago; time is no part of it */

static commerce_reason_t
ngx_http_commerce_verify(ngx_commerce_case_t *c, commerce_token_t *token)
{
    uint64_t                       slot;
    commerce_reason_t              reason;
    commerce_keyring_t            *ring;
    ngx_http_commerce_verified_t  *v;

    ring = ngx_http_commerce_core->keyring(c);

    if (ngx_http_commerce_verified_ring != ring) {

        if (ngx_http_commerce_verified == NULL) {
            ngx_http_commerce_verified = ngx_alloc(NGX_HTTP_COMMERCE_VERIFIED
                                                   * sizeof(ngx_http_commerce_verified_t),
                                                   c->request->connection->log);
        }

        if (ngx_http_commerce_verified == NULL) {
            return commerce_token_verify(ring, c->shop, token, c->now);
        }

        ngx_memzero(ngx_http_commerce_verified,
                    NGX_HTTP_COMMERCE_VERIFIED * sizeof(ngx_http_commerce_verified_t));
        ngx_http_commerce_verified_ring = ring;
    }

    /* the digest is the MAC itself: as good as random for genuine tokens */

    slot = token->digest & (NGX_HTTP_COMMERCE_VERIFIED - 1);
    v = &ngx_http_commerce_verified[slot];

    if (v->shop_len == c->shop.len
        && ngx_memcmp(v->raw, token->raw, COMMERCE_TOKEN_SIZE) == 0
        && ngx_memcmp(v->shop, c->shop.data, c->shop.len) == 0)
    {
        return COMMERCE_R(OK);
    }

    reason = commerce_token_verify(ring, c->shop, token, c->now);

    if (reason == COMMERCE_R(OK)) {
        ngx_memcpy(v->raw, token->raw, COMMERCE_TOKEN_SIZE);
        ngx_memcpy(v->shop, c->shop.data, c->shop.len);
        v->shop_len = (uint8_t) c->shop.len;
    }

    return reason;
}


/* what the token says; group leaders and hosts come from the store, without it only the seller is known */

static commerce_reason_t
ngx_http_commerce_token_touch(ngx_http_commerce_attribution_t *a, commerce_token_t *token,
    time_t lookback, commerce_touch_t *touch)
{
    int                rc;
    commerce_room_t    room;
    commerce_group_t   group;

    touch->strength = COMMERCE_STRENGTH_SIGNED;
    touch->digest = token->digest;
    touch->first = a->c->now;
    touch->seller = token->seller;
    touch->upline = token->upline;

    switch (token->context) {

    case COMMERCE_CONTEXT_GROUP:
        touch->group = token->context_id;
        break;

    case COMMERCE_CONTEXT_LIVE_ROOM:
        touch->room = token->context_id;
        break;

    case COMMERCE_CONTEXT_CHANNEL:
        touch->channel = token->context_id;
        break;

    default:
        touch->landing = token->context_id;
        break;
    }

    if (token->seller) {
        touch->source = COMMERCE_SOURCE_SHARE;
        touch->lookback = lookback ? lookback
                          : token->context == COMMERCE_CONTEXT_CONTENT ? NGX_HTTP_COMMERCE_CONTENT
                          : NGX_HTTP_COMMERCE_LOOKBACK;
        return COMMERCE_R(OK);
    }

    if (a->c->reader.view == NULL) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    if (touch->group) {
        touch->source = COMMERCE_SOURCE_GROUP;
        touch->lookback = lookback ? lookback : NGX_HTTP_COMMERCE_GROUP;

        rc = commerce_group_read(&a->c->reader, touch->group, &group, NULL);
        touch->seller = rc == COMMERCE_OK ? group.leader : 0;

        return rc == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(GROUP_UNKNOWN);
    }

    if (touch->room) {
        touch->source = COMMERCE_SOURCE_LIVE_ROOM;
        touch->lookback = lookback ? lookback : NGX_HTTP_COMMERCE_LIVE_CLICK;

        rc = commerce_room_read(&a->c->reader, touch->room, &room, NULL);
        touch->seller = rc == COMMERCE_OK ? room.host : 0;

        return rc == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(LIVE_ROOM_UNKNOWN);
    }

    touch->source = COMMERCE_SOURCE_CHANNEL;

    return COMMERCE_R(OWNER_UNKNOWN);
}


static void
ngx_http_commerce_collect_room(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t text)
{
    int                         rc;
    commerce_room_t             room;
    ngx_http_commerce_touch_t  *t;

    t = &a->touches[a->ntouches++];
    ngx_memzero(t, sizeof(ngx_http_commerce_touch_t));

    t->touch.source = COMMERCE_SOURCE_LIVE_ROOM;
    t->touch.strength = tc->attested ? COMMERCE_STRENGTH_ATTESTED : COMMERCE_STRENGTH_PLAIN;
    t->touch.first = a->c->now;
    t->touch.lookback = tc->lookback ? tc->lookback : NGX_HTTP_COMMERCE_LIVE_VIEW;
    t->reason = tc->attested ? COMMERCE_R(OK) : COMMERCE_R(LIVE_NOT_ATTESTED);

    if (t->reason == COMMERCE_R(OK)) {

        rc = a->c->reader.view && commerce_id_valid(text)
             ? commerce_room_find(&a->c->reader, text, &room, NULL) : COMMERCE_ABSENT;

        if (rc != COMMERCE_OK) {
            t->reason = COMMERCE_R(LIVE_ROOM_UNKNOWN);

        } else {
            t->touch.room = room.number;
            t->touch.seller = room.host;

            /* the same room under another host is another touch */
            t->touch.digest = commerce_hash(commerce_hash(COMMERCE_HASH_START, &room.number,
                                            sizeof(room.number)), &room.host, sizeof(room.host));
        }
    }

    ngx_http_commerce_core->note_reason(a->c, t->reason);
}


/* first sights, the binding, the last touch of each class: one write of the buyer's record */

static void
ngx_http_commerce_remember(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                  i, changed;
    ngx_commerce_case_t        *c;
    ngx_http_commerce_touch_t  *t;

    c = a->c;
    changed = 0;

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->reason != COMMERCE_R(OK) || a->client != COMMERCE_R(OK)) {
            continue;
        }

        t->fresh = commerce_buyer_sees(a->buyer, &t->touch, c->now);
        changed |= t->fresh;

        if (c->order && commerce_attribution_late(&a->decided, &t->touch, c->now)) {
            t->late = 1;
            ngx_http_commerce_core->note_reason(c, COMMERCE_R(LATE_TOUCH));
        }
    }

    if (changed && !(c->request->method & (NGX_HTTP_HEAD|NGX_HTTP_OPTIONS))) {
        changed |= ngx_http_commerce_bind(a);
    }

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->fresh) {
            commerce_buyer_remember(a->buyer, &t->touch);
        }

        if (t->fresh || t->reason != COMMERCE_R(OK)) {
            ngx_http_commerce_event_touch(a, t);
        }
    }

    /* a binding changed a moment ago by a rival's touch does not decide this order either */

    if (c->order
        && a->buyer->binding.owner
        && a->buyer->binding.previous
        && c->now - a->buyer->binding.changed < COMMERCE_LATE_TOUCH
        && commerce_binding_state(&a->decided, c->now) != COMMERCE_BINDING_NONE
        && a->decided.owner == a->buyer->binding.owner)
    {
        a->decided = commerce_binding_before(&a->buyer->binding);
    }

    if (!c->order) {
        a->decided = a->buyer->binding;
    }

    if (changed && !c->preview) {
        a->buyer->pseudonym = ngx_http_commerce_core->pseudonym(c);
        commerce_buyer_write(c->txn, c->shop, c->user, a->buyer, a->version);
    }
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

    person = ngx_http_commerce_person(a, t->touch.seller);
    reason = commerce_person_judge(person);

    if (reason != COMMERCE_R(OK)) {
        ngx_http_commerce_core->note_reason(c, reason);
        return 0;
    }

    before = a->buyer->binding;

    (void) commerce_person_of_user(&c->reader, c->user, &c->buyer_person, NULL);

    reason = commerce_binding_touch(&a->conf->binding, &a->buyer->binding, t->touch.seller,
                                    c->buyer_person.number, c->now);

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
    }

    return 1;
}


static ngx_http_commerce_touch_t *
ngx_http_commerce_binding_touch(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                 i, k;
    static commerce_source_t   order[] = {
        COMMERCE_SOURCE_LIVE_ROOM, COMMERCE_SOURCE_SHARE, COMMERCE_SOURCE_GROUP, COMMERCE_SOURCE_CHANNEL
    };

    for (k = 0; k < sizeof(order) / sizeof(order[0]); k++) {

        for (i = a->ntouches; i-- > 0; /* void */ ) {

            if (a->touches[i].fresh
                && a->touches[i].touch.source == order[k]
                && a->touches[i].touch.seller)
            {
                return &a->touches[i];
            }
        }
    }

    return NULL;
}


/* each person is read once per request; number 0 in the result: unknown */

static commerce_person_t *
ngx_http_commerce_person(ngx_http_commerce_attribution_t *a, uint64_t number)
{
    ngx_uint_t           i;
    commerce_person_t   *person;

    for (i = 0; i < a->npeople; i++) {
        if (a->people[i].number == number) {
            return &a->people[i];
        }
    }

    if (a->npeople == sizeof(a->people) / sizeof(a->people[0])) {
        a->npeople--;
    }

    person = &a->people[a->npeople];

    if (number == 0 || a->c->reader.view == NULL
        || commerce_person_read(&a->c->reader, number, person, NULL) != COMMERCE_OK)
    {
        return NULL;
    }

    a->npeople++;

    return person;
}


/* everybody who may win, in no particular order: the preset is the rule's */

static commerce_reason_t
ngx_http_commerce_candidates(ngx_http_commerce_attribution_t *a)
{
    ngx_uint_t                 i;
    commerce_touch_t          *touch;
    ngx_commerce_case_t       *c;
    commerce_binding_state_t   state;
    static commerce_source_t   classes[] = {
        COMMERCE_SOURCE_LIVE_ROOM, COMMERCE_SOURCE_SHARE, COMMERCE_SOURCE_GROUP, COMMERCE_SOURCE_CHANNEL
    };

    c = a->c;

    a->candidates = commerce_alloc(&c->arena, (sizeof(classes) / sizeof(classes[0]) + 1 + c->ncoupons)
                                              * sizeof(commerce_candidate_t));
    if (a->candidates == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    state = commerce_binding_state(&a->decided, c->now);

    if (state == COMMERCE_BINDING_PROTECTED || state == COMMERCE_BINDING_OPEN) {
        ngx_http_commerce_candidate(a, state == COMMERCE_BINDING_PROTECTED ? COMMERCE_SOURCE_PROTECTED
                                                                           : COMMERCE_SOURCE_OPEN,
                                    a->decided.owner, NULL, NULL);
    }

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        touch = ngx_http_commerce_latest(a, classes[i]);

        if (touch) {
            ngx_http_commerce_candidate(a, classes[i], touch->seller, touch, NULL);

            /* a binding keeps the dimensions of its owner's latest touch */

            if (touch->seller && touch->seller == a->candidates[0].seller.number
                && (state == COMMERCE_BINDING_PROTECTED || state == COMMERCE_BINDING_OPEN)
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

    return COMMERCE_R(OK);
}


static void
ngx_http_commerce_candidate(ngx_http_commerce_attribution_t *a, commerce_source_t source,
    uint64_t seller, commerce_touch_t *touch, const uint8_t *lines)
{
    u_char                *p;
    commerce_person_t     *person;
    commerce_candidate_t  *candidate;

    candidate = &a->candidates[a->ncandidates++];
    candidate->source = source;
    candidate->lines = lines;

    if (touch) {
        candidate->touch = *touch;
    }

    person = ngx_http_commerce_person(a, seller);

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
    commerce_touch_t           *latest;
    ngx_http_commerce_touch_t  *t;

    latest = NULL;

    for (i = 0; i < a->ntouches; i++) {
        t = &a->touches[i];

        if (t->reason == COMMERCE_R(OK) && t->touch.source == source && !t->late
            && (latest == NULL || t->touch.first >= latest->first))
        {
            latest = &t->touch;
        }
    }

    if (a->buyer
        && a->buyer->last[source].source == source
        && (latest == NULL || a->buyer->last[source].first > latest->first)
        && !(a->c->order && commerce_attribution_late(&a->decided, &a->buyer->last[source], a->c->now)
             && source != COMMERCE_SOURCE_NONE))
    {
        latest = &a->buyer->last[source];
    }

    if (latest && !commerce_touch_live(latest, a->c->now)) {
        ngx_http_commerce_core->note_reason(a->c, COMMERCE_R(ATTR_LOOKBACK_EXCEEDED));
        return NULL;
    }

    return latest;
}


static commerce_reason_t
ngx_http_commerce_winners(ngx_http_commerce_attribution_t *a)
{
    int                   first;
    ngx_uint_t            i, k;
    commerce_winner_t     winner;
    ngx_commerce_case_t  *c;

    c = a->c;

    if (a->ncandidates == 0) {
        ngx_memzero(&c->winner, sizeof(commerce_winner_t));
        c->winner.winner = -1;
        c->winner.reason = COMMERCE_R(ATTR_DIRECT);
        return COMMERCE_R(OK);
    }

    if (c->buyer_person.number == 0 && c->verified && c->reader.view) {
        (void) commerce_person_of_user(&c->reader, c->user, &c->buyer_person, NULL);
    }

    commerce_attribution_winner(a->conf->priority, a->conf->binding.self_purchase,
                                c->buyer_person.number, a->candidates, a->ncandidates, 0, &c->winner);

    c->attribution = c->winner.reason;
    first = ngx_http_commerce_credit(a, &c->winner, c->winner.winner, 0);

    if (c->order) {

        for (i = 0; i < c->order->line_count; i++) {

            if (i == 0) {
                c->order->lines[i].credit = first;
                continue;
            }

            commerce_attribution_winner(a->conf->priority, a->conf->binding.self_purchase,
                                        c->buyer_person.number, a->candidates, a->ncandidates, i, &winner);
            c->order->lines[i].credit = ngx_http_commerce_credit(a, &winner, winner.winner, 0);
        }

        for (k = 0; k < COMMERCE_CONTRIBUTORS; k++) {
            (void) ngx_http_commerce_credit(a, &c->winner, c->winner.contributors[k], 1);
        }
    }

    return COMMERCE_R(OK);
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
        seller = ngx_http_commerce_person(a, seller->upline);

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

    if (c->ncredits == COMMERCE_CREDITS_MAX) {
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

    return (int) c->ncredits++;
}


static void
ngx_http_commerce_dimensions(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch,
    commerce_credit_t *credit)
{
    commerce_room_t    room;
    commerce_group_t   group;
    commerce_reader_t  *reader;

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

    person = ngx_http_commerce_person(a, t->touch.seller);

    commerce_write_optional(&w, "buyer", ngx_http_commerce_core->pseudonym(c));
    commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(t->touch.source)));
    commerce_write_text(&w, "strength", commerce_cstr(commerce_strength_name(t->touch.strength)));
    commerce_write_optional(&w, "seller", person ? person->id : commerce_string(""));
    commerce_write_optional(&w, "group", dimensions.group_id);
    commerce_write_optional(&w, "room", dimensions.room_id);
    commerce_write_text(&w, "reason", commerce_reason(t->late ? COMMERCE_R(LATE_TOUCH) : t->reason)->name);

    ngx_http_commerce_core->event_plain(c, &w);
}


static void
ngx_http_commerce_event_bind(ngx_http_commerce_attribution_t *a, commerce_binding_t *before,
    ngx_http_commerce_touch_t *t, commerce_reason_t reason)
{
    commerce_time_t       end;
    commerce_write_t      w;
    commerce_person_t    *person, *previous;
    commerce_binding_t   *binding;
    ngx_commerce_case_t  *c;

    c = a->c;
    binding = &a->buyer->binding;

    if (ngx_http_commerce_core->event_start(c, &w, "bind") != NGX_OK) {
        return;
    }

    person = ngx_http_commerce_person(a, binding->owner);
    previous = before->owner && before->owner != binding->owner
               ? ngx_http_commerce_person(a, before->owner) : NULL;

    commerce_write_text(&w, "buyer", ngx_http_commerce_core->pseudonym(c));
    commerce_write_text(&w, "seller", person ? person->id : commerce_string(""));
    commerce_write_optional(&w, "previous", previous ? previous->id : commerce_string(""));
    commerce_write_text(&w, "from", commerce_cstr(commerce_binding_state_name(
                                        commerce_binding_state(before, c->now))));
    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    commerce_write_text(&w, "source", commerce_cstr(commerce_source_name(t->touch.source)));
    commerce_write_int(&w, "start", binding->start);

    end = commerce_binding_end(binding);
    if (end != COMMERCE_FOREVER) {
        commerce_write_int(&w, "end", end);
    }

    end = commerce_binding_protected_until(binding);
    if (end != COMMERCE_FOREVER) {
        commerce_write_int(&w, "protected_until", end);
    }

    ngx_http_commerce_core->event_money(c, &w);
}


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
    token.upline = seller.upline;

    reason = ngx_http_commerce_share_context(c, sc, &token, &group, &room);
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


/* configuration */

static ngx_int_t
ngx_http_commerce_attribution_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_core = ngx_commerce_core(cf, "ngx_http_commerce_attribution_module");

    if (ngx_http_commerce_core == NULL
        || ngx_http_commerce_core->stage(cf, NGX_COMMERCE_STAGE_CLIENT, ngx_http_commerce_client) != NGX_OK
        || ngx_http_commerce_core->stage(cf, NGX_COMMERCE_STAGE_TOUCHES, ngx_http_commerce_touches) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_commerce_attribution_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_attribution_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_attribution_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->priority = NGX_CONF_UNSET_UINT;
    conf->mini_program = NGX_CONF_UNSET;

    conf->binding.validity = 30 * 86400;
    conf->binding.protect = 15 * 86400;
    conf->binding.renew = true;
    conf->binding.self_purchase = COMMERCE_SELF_HOUSE;

    return conf;
}


static char *
ngx_http_commerce_attribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_commerce_attribution_conf_t *prev = parent;
    ngx_http_commerce_attribution_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->priority, prev->priority, COMMERCE_PRIORITY_PROTECT_FIRST);

    if (conf->touches == NULL) {
        conf->touches = prev->touches;
    }

    if (!conf->binding_set) {
        conf->binding = prev->binding;
        conf->binding_set = prev->binding_set;
    }

    if (conf->mini_program == NGX_CONF_UNSET) {
        conf->mini_program = prev->mini_program;
        conf->appids = prev->appids;
        conf->scene = prev->scene;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_touch_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                             *value, s;
    ngx_uint_t                             i;
    ngx_http_commerce_touch_conf_t        *tc;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->touches == NULL) {
        acf->touches = ngx_array_create(cf->pool, 4, sizeof(ngx_http_commerce_touch_conf_t));
        if (acf->touches == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (acf->touches->nelts == COMMERCE_TOUCHES_MAX) {
        return "is given more than 8 times";
    }

    tc = ngx_array_push(acf->touches);
    if (tc == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(tc, sizeof(ngx_http_commerce_touch_conf_t));
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "share") == 0) {
        tc->type = NGX_HTTP_COMMERCE_TOUCH_SHARE;

    } else if (ngx_strcmp(value[1].data, "live_room") == 0) {
        tc->type = NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM;

    } else if (ngx_strcmp(value[1].data, "plain") == 0) {
        tc->type = NGX_HTTP_COMMERCE_TOUCH_PLAIN;

    } else {
        return ngx_http_commerce_invalid(cf, &value[1], "share, live_room, plain");
    }

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "lookback=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;
            tc->lookback = ngx_parse_time(&s, 1);

            if (tc->lookback != (time_t) NGX_ERROR && tc->lookback > 0) {
                continue;
            }

        } else if (ngx_strcmp(value[i].data, "attested") == 0
                   && tc->type == NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM)
        {
            tc->attested = 1;
            continue;
        }

        return ngx_http_commerce_invalid(cf, &value[i],
                                         tc->type == NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM
                                         ? "attested, lookback=time" : "lookback=time");
    }

    return ngx_http_commerce_core->source(cf, &value[2], NGX_COMMERCE_SOURCE_VALUE, &tc->source);
}


static char *
ngx_http_commerce_binding_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                  *rv;
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->binding_set) {
        return "is duplicate";
    }

    acf->binding_set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_commerce_binding_param(cf, &value[i], &acf->binding);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (!commerce_binding_policy_valid(&acf->binding)) {
        return "protects longer than it is valid: protect= must not be above validity= (default 15d and 30d)";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_binding_param(ngx_conf_t *cf, ngx_str_t *word, commerce_binding_policy_t *policy)
{
    time_t      t;
    int64_t    *duration;
    ngx_str_t   s;

    if (ngx_strcmp(word->data, "renew=on") == 0) {
        policy->renew = true;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "renew=off") == 0) {
        policy->renew = false;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "self_purchase=house") == 0) {
        policy->self_purchase = COMMERCE_SELF_HOUSE;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "self_purchase=upline") == 0) {
        policy->self_purchase = COMMERCE_SELF_UPLINE;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "self_purchase=self") == 0) {
        policy->self_purchase = COMMERCE_SELF_ALLOWED;
        return NGX_CONF_OK;
    }

    s.data = (u_char *) ngx_strchr(word->data, '=');

    if (s.data) {
        s.data++;
        s.len = word->data + word->len - s.data;

        duration = ngx_strncmp(word->data, "validity=", 9) == 0 ? &policy->validity
                   : ngx_strncmp(word->data, "protect=", 8) == 0 ? &policy->protect
                   : NULL;

        if (duration && s.len == 7 && ngx_strncmp(s.data, "forever", 7) == 0) {
            *duration = COMMERCE_FOREVER;
            return NGX_CONF_OK;
        }

        t = duration ? ngx_parse_time(&s, 1) : (time_t) NGX_ERROR;

        if (t != (time_t) NGX_ERROR && (t > 0 || duration == &policy->protect)) {
            *duration = t;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_commerce_invalid(cf, word,
        "validity=time|forever, protect=time|0|forever, renew=on|off, self_purchase=house|upline|self");
}


static char *
ngx_http_commerce_priority_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                             *value;
    ngx_uint_t                             i;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->priority != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < COMMERCE_PRIORITIES; i++) {
        if (ngx_strcmp(value[1].data, commerce_priority_name(i)) == 0) {
            acf->priority = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_commerce_invalid(cf, &value[1], "protect_first, touch_first, live_first");
}


static char *
ngx_http_commerce_mini_program_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                  *rv;
    ngx_str_t                             *value, *appid, s;
    ngx_uint_t                             i;
    ngx_http_commerce_attribution_conf_t  *acf = conf;

    ngx_http_commerce_core->note(cf);

    if (acf->mini_program != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    acf->mini_program = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "appid=", 6) == 0 && value[i].len > 6) {

            if (acf->appids == NULL) {
                acf->appids = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
                if (acf->appids == NULL) {
                    return NGX_CONF_ERROR;
                }
            }

            appid = ngx_array_push(acf->appids);
            if (appid == NULL) {
                return NGX_CONF_ERROR;
            }

            appid->data = value[i].data + 6;
            appid->len = value[i].len - 6;
            continue;
        }

        if (ngx_strncmp(value[i].data, "scene=", 6) == 0) {
            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            rv = ngx_http_commerce_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE, &acf->scene);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        return ngx_http_commerce_invalid(cf, &value[i], "appid=id, scene=$variable");
    }

    return NGX_CONF_OK;
}


static char *
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

        } else if (ngx_strcmp(value[i].data, "validity=forever") == 0) {
            sc->validity = 0;

        } else if (ngx_strncmp(value[i].data, "validity=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;
            sc->validity = ngx_parse_time(&s, 1);

            if (sc->validity == (time_t) NGX_ERROR || sc->validity < 1) {
                rv = ngx_http_commerce_invalid(cf, &value[i], "validity=time|forever");
            }

        } else {
            rv = ngx_http_commerce_invalid(cf, &value[i], "group=, room=, validity=time|forever");
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_commerce_core->action(cf, ngx_http_commerce_share, sc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"%V\", allowed: %s", word,
                       &((ngx_str_t *) cf->args->elts)[0], allowed);
    return NGX_CONF_ERROR;
}
