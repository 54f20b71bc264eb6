/*
 * Copyright (C) ngx_commerce authors
 *
 * Distribution: who is paid besides the credited seller (never more than two tiers), and the location where
 * people join.  The rules are src/commerce_lineage.h.
 */

#include "ngx_http_commerce_distribution.h"


typedef struct {                            /* commerce_join */
    ngx_commerce_source_t  token, id, fee;
} ngx_http_commerce_join_conf_t;


static commerce_reason_t ngx_http_commerce_lineage(ngx_commerce_case_t *c);
static int ngx_http_commerce_get_ancestor(void *data, uint64_t number, commerce_person_t *person);
static commerce_reason_t ngx_http_commerce_join(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_join_parent(ngx_commerce_case_t *c,
    ngx_http_commerce_join_conf_t *jc, commerce_person_t *parent);
static commerce_reason_t ngx_http_commerce_join_person(ngx_commerce_case_t *c,
    ngx_http_commerce_join_conf_t *jc, commerce_person_t *person, uint64_t *version);
static commerce_reason_t ngx_http_commerce_join_fee(ngx_commerce_case_t *c, ngx_http_commerce_join_conf_t *jc);
static commerce_reason_t ngx_http_commerce_join_velocity(ngx_commerce_case_t *c, commerce_person_t *parent);
static commerce_reason_t ngx_http_commerce_join_answer(ngx_commerce_case_t *c, commerce_person_t *person,
    commerce_person_t *parent);

static ngx_int_t ngx_http_commerce_distribution_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_commerce_distribution_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_commerce_distribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_http_commerce_tiers_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_commerce_join_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


const ngx_commerce_api_t  *ngx_http_commerce_distribution_core;


static ngx_command_t  ngx_http_commerce_distribution_commands[] = {

    { ngx_string("commerce_tiers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_commerce_tiers_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_commission"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_commerce_commission_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_split"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_split_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_third_tier"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_commerce_third_tier_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_join"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_commerce_join_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_commerce_distribution_module_ctx = {
    ngx_http_commerce_distribution_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_commerce_distribution_create_loc_conf,   /* create location configuration */
    ngx_http_commerce_distribution_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_commerce_distribution_module = {
    NGX_MODULE_V1,
    &ngx_http_commerce_distribution_module_ctx,  /* module context */
    ngx_http_commerce_distribution_commands,     /* module directives */
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


/* the second tier of every credit; the buyer is never stopped by it */

static commerce_reason_t
ngx_http_commerce_lineage(ngx_commerce_case_t *c)
{
    uint64_t                                buyer;
    ngx_uint_t                              i;
    commerce_person_t                      *seller, *recruiter;
    commerce_lineage_t                      lineage;
    ngx_http_commerce_distribution_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_distribution_module);

    if (c->reader.view == NULL || conf->max < 2) {
        return COMMERCE_R(OK);
    }

    for (i = 0; i < c->ncredits; i++) {

        seller = c->credits[i].contributor ? NULL
                 : ngx_http_commerce_distribution_core->person(c, c->credits[i].seller);

        if (seller == NULL) {
            continue;
        }

        recruiter = ngx_http_commerce_distribution_core->person(c, seller->upline);

        buyer = recruiter && c->verified && commerce_person_is(recruiter, c->user)
                ? recruiter->number : c->buyer_person.number;

        commerce_lineage_of(seller, buyer, ngx_http_commerce_get_person, c, &lineage);

        c->credits[i].tier2 = lineage.tier2;
        c->credits[i].tier2_id = lineage.tier2 ? lineage.tier2_id : commerce_string("");

        ngx_http_commerce_distribution_core->note_reason(c, lineage.reason);
    }

    return COMMERCE_R(OK);
}


int
ngx_http_commerce_get_person(void *data, uint64_t number, commerce_person_t *person)
{
    commerce_person_t    *found;
    ngx_commerce_case_t  *c = data;

    found = ngx_http_commerce_distribution_core->person(c, number);

    if (found == NULL) {
        return COMMERCE_ABSENT;
    }

    *person = *found;

    return COMMERCE_OK;
}


/* the judgement about a join holds only while nobody above has moved */

static int
ngx_http_commerce_get_ancestor(void *data, uint64_t number, commerce_person_t *person)
{
    int                   rc;
    uint64_t              version;
    ngx_commerce_case_t  *c = data;

    rc = commerce_person_read(&c->reader, number, person, &version);

    if (rc == COMMERCE_OK) {
        commerce_person_compare(c->txn, c->shop, number, version);
    }

    return rc;
}


/* commerce_join: the verified user becomes a seller, recruited by the token's seller */

static commerce_reason_t
ngx_http_commerce_join(ngx_commerce_case_t *c, void *conf)
{
    bool                                    downline;
    uint64_t                                version;
    commerce_person_t                       parent, person, before;
    commerce_reason_t                       reason;
    ngx_http_commerce_join_conf_t          *jc = conf;
    ngx_http_commerce_distribution_conf_t  *dcf;

    dcf = ngx_http_get_module_loc_conf(c->request, ngx_http_commerce_distribution_module);

    if (!c->verified || c->user.len == 0) {
        return COMMERCE_R(USER_NOT_VERIFIED);
    }

    reason = ngx_http_commerce_distribution_core->client(c);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    reason = ngx_http_commerce_join_fee(c, jc);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    version = 0;
    ngx_memzero(&person, sizeof(commerce_person_t));

    reason = ngx_http_commerce_join_parent(c, jc, &parent);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_join_person(c, jc, &person, &version);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    before = person;
    downline = person.number && commerce_person_downlines(&c->reader, person.number) > 0;

    reason = commerce_lineage_join(dcf->tiers, &person, downline, &parent, ngx_http_commerce_get_ancestor, c);

    if (reason == COMMERCE_R(OWNER_INACTIVE) || reason == COMMERCE_R(OWNER_FROZEN)) {
        reason = COMMERCE_R(LINEAGE_UNKNOWN);       /* not told apart towards the client */
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_join_velocity(c, &parent);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (person.number == 0
        && commerce_number_take(&c->reader, c->txn, "person", COMMERCE_TOKEN_SELLER_MAX, &person.number)
           != COMMERCE_OK)
    {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    person.upline = parent.number;

    /* the parent's own place is part of the judgement: it must not have moved meanwhile */
    commerce_person_write(c->txn, c->shop, &parent, c->parent_version, &parent);
    commerce_person_write(c->txn, c->shop, &person, version, before.number ? &before : NULL);

    return ngx_http_commerce_join_answer(c, &person, &parent);
}


/* who pays to become a seller pays for a place in a pyramid: the law calls it an entry fee (入门费) */

static commerce_reason_t
ngx_http_commerce_join_fee(ngx_commerce_case_t *c, ngx_http_commerce_join_conf_t *jc)
{
    bool               rounded;
    commerce_fen_t     fee;
    commerce_str_t     text;
    commerce_reason_t  reason;

    if (jc->fee.type == 0) {
        return COMMERCE_R(OK);
    }

    reason = ngx_http_commerce_distribution_core->read(c, &jc->fee, &text);

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        return reason;
    }

    if (reason == COMMERCE_R(OK)
        && (ngx_http_commerce_nothing(text)
            || (commerce_amount_parse(text, COMMERCE_UNIT_YUAN, &fee, &rounded) == COMMERCE_OK && fee == 0
                && !rounded)))
    {
        return COMMERCE_R(OK);
    }

    return COMMERCE_R(ENTRY_FEE);
}


static commerce_reason_t
ngx_http_commerce_join_parent(ngx_commerce_case_t *c, ngx_http_commerce_join_conf_t *jc,
    commerce_person_t *parent)
{
    int                rc;
    commerce_str_t     text;
    commerce_token_t   token;
    commerce_reason_t  reason;

    reason = ngx_http_commerce_distribution_core->read(c, &jc->token, &text);

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        return reason;
    }

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_token_parse(text, &token);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_token_verify(ngx_http_commerce_distribution_core->keyring(c), c->shop, &token, c->now);
    }

    if (reason != COMMERCE_R(OK) || token.seller == 0) {
        ngx_http_commerce_distribution_core->note_reason(c, reason);
        return COMMERCE_R(LINEAGE_UNKNOWN);
    }

    rc = commerce_person_read(&c->reader, token.seller, parent, &c->parent_version);

    return rc == COMMERCE_OK ? COMMERCE_R(OK)
           : rc == COMMERCE_ABSENT ? COMMERCE_R(LINEAGE_UNKNOWN)
           : COMMERCE_R(STORE_UNAVAILABLE);
}


/* number 0: a person to be made */

static commerce_reason_t
ngx_http_commerce_join_person(ngx_commerce_case_t *c, ngx_http_commerce_join_conf_t *jc,
    commerce_person_t *person, uint64_t *version)
{
    int                rc;
    commerce_str_t     id;
    commerce_person_t  other;
    commerce_reason_t  reason;

    rc = commerce_person_of_user(&c->reader, c->user, person, version);

    if (rc != COMMERCE_ABSENT) {
        return rc == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(STORE_UNAVAILABLE);
    }

    id = c->user;

    reason = jc->id.type ? ngx_http_commerce_distribution_core->read(c, &jc->id, &id) : COMMERCE_R(OK);

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        return reason;
    }

    if (reason != COMMERCE_R(OK) || !commerce_id_valid(id)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    rc = commerce_person_find(&c->reader, id, &other, NULL);

    if (rc != COMMERCE_ABSENT) {
        return rc == COMMERCE_OK ? COMMERCE_R(ALREADY_JOINED) : COMMERCE_R(STORE_UNAVAILABLE);
    }

    ngx_memzero(person, sizeof(commerce_person_t));
    person->id = id;
    person->role = COMMERCE_ROLE_CUSTOMER;
    person->status = COMMERCE_PERSON_ACTIVE;
    person->user = c->user;
    *version = 0;

    return COMMERCE_R(OK);
}


/* does he recruit faster, or more, than a person does?  Who is refused does not count */

static commerce_reason_t
ngx_http_commerce_join_velocity(ngx_commerce_case_t *c, commerce_person_t *parent)
{
    uint32_t                          lately;
    const commerce_conduct_policy_t  *policy;

    policy = ngx_http_commerce_distribution_core->conduct_policy(c);
    lately = ngx_http_commerce_distribution_core->rate(c, NGX_COMMERCE_RATE_RECRUITS, parent->number, 0);

    if (commerce_conduct_recruits(policy, lately, commerce_person_downlines(&c->reader, parent->number))
        && ngx_http_commerce_distribution_core->flag(c, COMMERCE_CONDUCT_RECRUIT_VELOCITY))
    {
        return COMMERCE_R(RECRUIT_VELOCITY);
    }

    (void) ngx_http_commerce_distribution_core->rate(c, NGX_COMMERCE_RATE_RECRUITS, parent->number, 1);

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_join_answer(ngx_commerce_case_t *c, commerce_person_t *person, commerce_person_t *parent)
{
    char                *buffer;
    int64_t              len;
    unsigned             depth;
    commerce_write_t     w;
    commerce_lineage_t   lineage;

    commerce_lineage_of(parent, 0, ngx_http_commerce_get_person, c, &lineage);
    depth = lineage.depth + 1;

    if (ngx_http_commerce_distribution_core->event_start(c, &w, "join") != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_text(&w, "seller", person->id);
    commerce_write_text(&w, "upline", parent->id);
    commerce_write_int(&w, "depth", depth);
    commerce_write_text(&w, "buyer", ngx_http_commerce_distribution_core->pseudonym(c));
    ngx_http_commerce_distribution_core->conduct_write(c, &w, COMMERCE_CONDUCT_ALL);
    ngx_http_commerce_distribution_core->event_money(c, &w);

    buffer = commerce_alloc(&c->arena, 2048);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, 2048);
    commerce_write_open(&w, NULL, '{');
    commerce_write_text(&w, "seller", person->id);
    commerce_write_text(&w, "upline", parent->id);
    commerce_write_int(&w, "depth", depth);
    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return COMMERCE_R(INTERNAL);
    }

    c->answer = (commerce_str_t) { buffer, (size_t) len };
    c->status = NGX_HTTP_CREATED;

    return COMMERCE_R(OK);
}


/* configuration */

static ngx_int_t
ngx_http_commerce_distribution_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_commerce_distribution_core = ngx_commerce_core(cf, "ngx_http_commerce_distribution_module");

    if (ngx_http_commerce_distribution_core == NULL
        || ngx_http_commerce_distribution_core->stage(cf, NGX_COMMERCE_STAGE_LINEAGE, ngx_http_commerce_lineage)
           != NGX_OK
        || ngx_http_commerce_distribution_core->stage(cf, NGX_COMMERCE_STAGE_LINEAGE, ngx_http_commerce_commission)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_commerce_distribution_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_commerce_distribution_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_distribution_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->tiers = NGX_CONF_UNSET_UINT;
    conf->max = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_commerce_distribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_commerce_distribution_conf_t *prev = parent;
    ngx_http_commerce_distribution_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->tiers, prev->tiers, COMMERCE_TIERS_STRICT);
    ngx_conf_merge_uint_value(conf->max, prev->max, COMMERCE_TIERS);

    if (conf->platform.type == 0) {
        conf->platform = prev->platform;
        conf->double_pay = prev->double_pay;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_tiers_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                              *value;
    ngx_http_commerce_distribution_conf_t  *dcf = conf;

    ngx_http_commerce_distribution_core->note(cf);

    if (dcf->tiers != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "strict") == 0) {
        dcf->tiers = COMMERCE_TIERS_STRICT;

    } else if (ngx_strcmp(value[1].data, "pay") == 0) {
        dcf->tiers = COMMERCE_TIERS_PAY;

    } else {
        return ngx_http_commerce_distribution_core->invalid(cf, &value[1], "strict, pay");
    }

    dcf->max = COMMERCE_TIERS;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "max=1") == 0) {
            dcf->max = 1;

        } else if (ngx_strcmp(value[2].data, "max=2") != 0) {
            return ngx_http_commerce_distribution_core->invalid(cf, &value[2],
                                             "max=1, max=2 (more than two tiers are against the law)");
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_join_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    size_t                          prefix;
    ngx_str_t                      *value, s;
    ngx_uint_t                      i;
    ngx_commerce_source_t          *source;
    ngx_http_commerce_join_conf_t  *jc;

    jc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_join_conf_t));
    if (jc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "token=", 6) == 0) {
            source = &jc->token;
            prefix = 6;

        } else if (ngx_strncmp(value[i].data, "id=", 3) == 0) {
            source = &jc->id;
            prefix = 3;

        } else if (ngx_strncmp(value[i].data, "fee=", 4) == 0) {
            source = &jc->fee;
            prefix = 4;

        } else {
            return ngx_http_commerce_distribution_core->invalid(cf, &value[i], "token=, id=, fee=");
        }

        s.data = value[i].data + prefix;
        s.len = value[i].len - prefix;

        rv = ngx_http_commerce_distribution_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                            source);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (jc->token.type == 0) {
        return "needs token=, for example token=$arg_st";
    }

    return ngx_http_commerce_distribution_core->action(cf, NGX_HTTP_POST, ngx_http_commerce_join, jc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
