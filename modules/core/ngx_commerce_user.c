/*
 * Copyright (C) ngx_commerce authors
 *
 * Who the user is: what commerce_user names, or what a JSON Web Token says (commerce_user_jwt; src/commerce_jwt.h).
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_jwt.h"


struct ngx_commerce_user_jwt_s {
    commerce_jwt_policy_t  policy;
};


static commerce_reason_t ngx_commerce_user_token(ngx_commerce_ctx_t *ctx, commerce_str_t value, commerce_str_t *user);
static char *ngx_commerce_user_jwt_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_user_jwt_t *jwt,
    ngx_str_t *keys, unsigned *algs);
static char *ngx_commerce_user_jwt_load(ngx_conf_t *cf, ngx_commerce_user_jwt_t *jwt, ngx_str_t *name, unsigned algs);
static void ngx_commerce_user_jwt_free(void *data);


commerce_reason_t
ngx_commerce_who(ngx_commerce_ctx_t *ctx)
{
    commerce_str_t        user, value;
    commerce_reason_t     reason;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    user = commerce_string("");
    value = commerce_string("");
    ctx->identified = 1;

    if (ctx->conf->user.type) {
        reason = ngx_commerce_source_read(c, &ctx->conf->user, &value);

        if (reason == COMMERCE_R(INTERNAL)) {
            return reason;
        }

        if (reason != COMMERCE_R(OK)) {
            value = commerce_string("");
        }
    }

    if (ctx->conf->user_jwt) {
        reason = ngx_commerce_user_token(ctx, value, &user);

        if (reason == COMMERCE_R(INTERNAL)) {
            return reason;
        }

        ngx_commerce_note_reason(c, reason);

    } else {
        ctx->token = commerce_string("");

        if (commerce_id_valid(value)) {
            user = value;
        }
    }

    if (!commerce_equal(user, c->user)) {
        c->canonical = commerce_string("");
        c->pseudonym = commerce_string("");     /* another location's view of who it is */
    }

    c->user = user;
    c->verified = user.len && ctx->conf->user_verified;

    return COMMERCE_R(OK);
}


/* judged once: a token that expires while its request waits signs nobody out between two evaluations */

static commerce_reason_t
ngx_commerce_user_token(ngx_commerce_ctx_t *ctx, commerce_str_t value, commerce_str_t *user)
{
    commerce_jwt_t            jwt;
    commerce_reason_t         reason;
    ngx_commerce_user_jwt_t  *conf;

    conf = ctx->conf->user_jwt;
    value = commerce_jwt_bearer(value);

    if (value.len == 0) {
        ctx->token = value;
        return COMMERCE_R(OK);
    }

    if (ctx->token_conf != conf || !commerce_equal(ctx->token, value)) {
        reason = commerce_jwt_check(&conf->policy, &ctx->c.arena, value, ctx->c.now, &jwt);

        if (reason == COMMERCE_R(INTERNAL)) {
            ctx->token = commerce_string("");
            return reason;
        }

        ctx->token_conf = conf;
        ctx->token = value;
        ctx->token_reason = reason;
        ctx->token_user = reason == COMMERCE_R(OK) ? jwt.user : commerce_string("");
    }

    *user = ctx->token_user;

    return ctx->token_reason;
}


/* for variables: who, and nothing else; once the pipeline has found out, what it found */

ngx_int_t
ngx_commerce_identify(ngx_http_request_t *r, ngx_commerce_ctx_t **pctx)
{
    ngx_commerce_ctx_t       *ctx;
    ngx_commerce_srv_conf_t  *scf;

    r = r->main;
    ctx = ngx_commerce_get_ctx(r);

    if (ctx == NULL) {
        scf = ngx_http_get_module_srv_conf(r, ngx_commerce_module);

        if (scf->shop.len == 0) {
            return NGX_DECLINED;
        }

        ctx = ngx_commerce_ctx_create(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    *pctx = ctx;

    /* a preview, a job: the evaluation itself asks, through a map that is one of its sources */

    if (ctx->c.preview || ctx->job || (ctx->identified && ctx->phase != NGX_COMMERCE_PHASE_START)) {
        return NGX_OK;
    }

    if (ctx->phase == NGX_COMMERCE_PHASE_START) {
        ctx->conf = ngx_http_get_module_loc_conf(r, ngx_commerce_module);
    }

    ctx->c.now = ngx_commerce_now_us() / 1000000;
    ctx->c.preview = 1;

    (void) ngx_commerce_who(ctx);

    ctx->c.preview = 0;

    return NGX_OK;
}


char *
ngx_commerce_user_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    if (lcf->user.type) {
        return lcf->user_jwt ? "cannot stand beside \"commerce_user_jwt\"" : "is duplicate";
    }

    value = cf->args->elts;
    lcf->user_verified = 0;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "verified") == 0) {
            lcf->user_verified = 1;

        } else if (ngx_strcmp(value[2].data, "claimed") != 0) {
            return ngx_commerce_invalid(cf, &value[2], "verified, claimed");
        }
    }

    return ngx_commerce_source_compile(cf, &value[1], NGX_COMMERCE_SOURCE_VALUE, &lcf->user);
}


char *
ngx_commerce_user_jwt_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    unsigned                  algs;
    ngx_str_t                *value, keys;
    ngx_uint_t                i;
    ngx_commerce_loc_conf_t  *lcf = conf;
    ngx_commerce_user_jwt_t  *jwt;

    ngx_commerce_note(cf);

    if (lcf->user.type) {
        return lcf->user_jwt ? "is duplicate" : "cannot stand beside \"commerce_user\"";
    }

    jwt = ngx_pcalloc(cf->pool, sizeof(ngx_commerce_user_jwt_t));
    if (jwt == NULL) {
        return NGX_CONF_ERROR;
    }

    jwt->policy.claim = commerce_string("/sub");
    jwt->policy.skew = 30;

    algs = COMMERCE_JWT_ANY;
    ngx_str_null(&keys);
    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_commerce_user_jwt_param(cf, &value[i], jwt, &keys, &algs) != NGX_CONF_OK) {
            return ngx_commerce_invalid(cf, &value[i], "keys=FILE, alg=HS256|RS256, claim=/pointer, iss=TEXT, "
                                        "aud=TEXT, skew=time (up to 10m)");
        }
    }

    if (keys.len == 0) {
        return "needs keys=FILE";
    }

    lcf->user_jwt = jwt;
    lcf->user_verified = 1;

    if (ngx_commerce_source_compile(cf, &value[1], NGX_COMMERCE_SOURCE_VALUE, &lcf->user) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_commerce_user_jwt_load(cf, jwt, &keys, algs);
}


static char *
ngx_commerce_user_jwt_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_user_jwt_t *jwt, ngx_str_t *keys,
    unsigned *algs)
{
    ngx_str_t           name;
    commerce_str_t      value;
    commerce_jwt_alg_t  alg;

    name.data = word->data;
    name.len = 0;

    while (name.len < word->len && word->data[name.len] != '=') {
        name.len++;
    }

    if (word->len < name.len + 2) {
        return NGX_CONF_ERROR;
    }

    value.data = (char *) word->data + name.len + 1;
    value.len = word->len - name.len - 1;

    if (name.len == 4 && ngx_strncmp(name.data, "keys", 4) == 0 && keys->len == 0) {
        keys->data = (u_char *) value.data;
        keys->len = value.len;
        return NGX_CONF_OK;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "alg", 3) == 0
        && commerce_jwt_alg_parse(value, &alg) == COMMERCE_OK)
    {
        *algs = 1u << alg;
        return NGX_CONF_OK;
    }

    if (name.len == 5 && ngx_strncmp(name.data, "claim", 5) == 0 && commerce_json_pointer_valid(value)) {
        jwt->policy.claim = value;
        return NGX_CONF_OK;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "iss", 3) == 0) {
        jwt->policy.issuer = value;
        return NGX_CONF_OK;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "aud", 3) == 0) {
        jwt->policy.audience = value;
        return NGX_CONF_OK;
    }

    if (name.len == 4 && ngx_strncmp(name.data, "skew", 4) == 0) {
        name.data = (u_char *) value.data;
        name.len = value.len;
        jwt->policy.skew = ngx_parse_time(&name, 1);

        if (jwt->policy.skew != NGX_ERROR && jwt->policy.skew >= 0 && jwt->policy.skew <= 600) {
            return NGX_CONF_OK;
        }
    }

    return NGX_CONF_ERROR;
}


/* by the master, at start and reload: a new file's keys begin with new workers, whose memory is empty */

static char *
ngx_commerce_user_jwt_load(ngx_conf_t *cf, ngx_commerce_user_jwt_t *jwt, ngx_str_t *name, unsigned algs)
{
    char                 error[256];
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_commerce_user_jwt_free;
    cln->data = jwt;

    jwt->policy.keys = commerce_jwt_keys_load((char *) name->data, algs, error, sizeof(error));

    if (jwt->policy.keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"commerce_user_jwt\" keys file \"%V\" %s", name, error);
        return NGX_CONF_ERROR;
    }

    jwt->policy.memory = commerce_jwt_memory_create();

    return jwt->policy.memory ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static void
ngx_commerce_user_jwt_free(void *data)
{
    ngx_commerce_user_jwt_t *jwt = data;

    commerce_jwt_memory_free(jwt->policy.memory);
    commerce_jwt_keys_free(jwt->policy.keys);
}
