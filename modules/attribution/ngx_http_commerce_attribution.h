/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the attribution module: how its files meet.
 *
 *   ngx_http_commerce_attribution_module.c  the module, its stages
 *   ngx_http_commerce_attribution_conf.c    directives
 *   ngx_http_commerce_touch_conf.c          commerce_touch
 *   ngx_http_commerce_touch.c               touches of the request: where they stand, share tokens
 *   ngx_http_commerce_touch_name.c          ... rooms, groups, channels and persons by their names
 *   ngx_http_commerce_binding.c             the buyer's record
 *   ngx_http_commerce_conduct.c             what platforms forbid: where the core's flags are raised
 *   ngx_http_commerce_winner.c              candidates, winners, credits
 *   ngx_http_commerce_explain.c             the event that tells why
 *   ngx_http_commerce_explain_recent.c      ... and the latest of them for the status
 *   ngx_http_commerce_share.c               commerce_share
 *   ngx_http_commerce_revise.c              commerce_order_revise
 *   ngx_http_commerce_admin.c               commerce_admin
 */

#ifndef NGX_HTTP_COMMERCE_ATTRIBUTION_H
#define NGX_HTTP_COMMERCE_ATTRIBUTION_H

#include "../core/ngx_commerce.h"
#include "../../src/commerce_pattern.h"
#include "../../src/commerce_scene.h"
#include "../../src/platform/commerce_mini_program.h"


typedef enum {
    NGX_HTTP_COMMERCE_TOUCH_SHARE,
    NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM,
    NGX_HTTP_COMMERCE_TOUCH_SHARER,
    NGX_HTTP_COMMERCE_TOUCH_GROUP,
    NGX_HTTP_COMMERCE_TOUCH_CHANNEL,
    NGX_HTTP_COMMERCE_TOUCH_PLAIN,
    NGX_HTTP_COMMERCE_TOUCHES
} ngx_http_commerce_touch_type_e;

typedef struct {
    ngx_http_commerce_touch_type_e  type;
    ngx_commerce_source_t           source;
    commerce_pattern_t             *pattern;        /* what of the source's text; NULL = all */
    commerce_str_t                  member;         /* ... of "a=1&b=2"; empty = all */
    commerce_str_t                  as;             /* names of another tool: looked up as "<as>:<name>" */
    time_t                          lookback;       /* 0 = the type's own */
    commerce_field_t                field;
    commerce_origin_t               origin;
    commerce_str_t                  platform;
    unsigned                        attested:1;
    unsigned                        decode:1;
    unsigned                        binds:1;
    unsigned                        wins:1;
} ngx_http_commerce_touch_conf_t;

typedef struct {
    ngx_array_t                *touches;            /* of ngx_http_commerce_touch_conf_t */
    commerce_binding_policy_t   binding;
    commerce_owner_policy_t     owner;
    ngx_flag_t                  leaver;             /* credited until his customers are handed over */
    const commerce_source_t    *priority;           /* NULL until it is given */
    ngx_array_t                *appids;             /* of ngx_str_t; NULL = any */
    ngx_commerce_source_t       scene;
    ngx_flag_t                  mini_program;
    ngx_flag_t                  explain;
    commerce_str_t              crawler;            /* WeChat's token for its robot; empty = signatures are not checked */
    unsigned                    binding_set:1;
} ngx_http_commerce_attribution_conf_t;

typedef struct {
    size_t                      size;
    ngx_shm_zone_t             *recent;             /* NULL: explanations stand in the log alone */
} ngx_http_commerce_explain_main_conf_t;

/* the binding, one touch of each class, a promoter for each coupon */
#define NGX_HTTP_COMMERCE_CANDIDATES  (1 + 5 + COMMERCE_COUPONS_MAX)

/* a touch of this request on its way to the verdict */
typedef struct {
    commerce_touch_t            touch;
    commerce_reason_t           reason;             /* OK, or why it counts for nothing */
    commerce_str_t              platform;           /* where it was met; empty = as the request */
    commerce_str_t              name;               /* a plain one, as it was sent */
    unsigned                    binds:1;
    unsigned                    wins:1;
    unsigned                    fresh:1;            /* first sight */
    unsigned                    late:1;
    unsigned                    conduct;            /* flags of its own */
} ngx_http_commerce_touch_t;

typedef struct {
    ngx_commerce_case_t                   *c;
    ngx_http_commerce_attribution_conf_t  *conf;
    ngx_http_commerce_touch_t              touches[COMMERCE_TOUCHES_MAX];
    ngx_uint_t                             ntouches;
    commerce_buyer_t                       record;
    commerce_buyer_t                      *buyer;       /* &record, or NULL: nobody verified, or no store */
    uint64_t                               version;
    commerce_str_t                         user;        /* under which the record stands: the buyer's first name */
    commerce_owner_t                       owner;       /* of the record's binding */
    commerce_binding_t                     decided;     /* the binding that this request is decided on */
    commerce_owner_t                       decided_owner;
    commerce_reason_t                      client;      /* may this client bind? */
    commerce_time_t                        crowd;       /* touches first seen later do not count; 0 = all do */
    commerce_candidate_t                   candidates[NGX_HTTP_COMMERCE_CANDIDATES];
    ngx_uint_t                             ncandidates;
} ngx_http_commerce_attribution_t;


extern ngx_module_t               ngx_http_commerce_attribution_module;
extern const ngx_commerce_api_t  *ngx_http_commerce_core;

char *ngx_http_commerce_mini_program_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_commerce_explain(ngx_http_commerce_attribution_t *a);
void ngx_http_commerce_recent_add(ngx_commerce_case_t *c, commerce_str_t json);
void ngx_http_commerce_recent_status(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop, int64_t now_us);
void *ngx_http_commerce_explain_create_main_conf(ngx_conf_t *cf);
char *ngx_http_commerce_explain_init_main_conf(ngx_conf_t *cf, void *conf);
char *ngx_http_commerce_explain_recent_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_commerce_candidates(ngx_http_commerce_attribution_t *a);
char *ngx_http_commerce_binding_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_attribution_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_http_commerce_priority_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_commerce_remember(ngx_http_commerce_attribution_t *a);
void *ngx_http_commerce_attribution_create_loc_conf(ngx_conf_t *cf);
void ngx_http_commerce_collect_name(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t name);
commerce_reason_t ngx_http_commerce_touch_group(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch);
commerce_reason_t ngx_http_commerce_touch_room(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch);
commerce_reason_t ngx_http_commerce_touch_channel(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_t *t);
char *ngx_http_commerce_touch_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
commerce_reason_t ngx_http_commerce_winners(ngx_http_commerce_attribution_t *a);
commerce_reason_t ngx_http_commerce_collect(ngx_http_commerce_attribution_t *a);
void ngx_http_commerce_dimensions(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch,
    commerce_credit_t *credit);
ngx_int_t ngx_http_commerce_find_owner(ngx_http_commerce_attribution_t *a, commerce_binding_t *binding,
    commerce_owner_t *owner);
commerce_reason_t ngx_http_commerce_read_buyer(ngx_http_commerce_attribution_t *a);
commerce_reason_t ngx_http_commerce_conduct_robot(ngx_commerce_case_t *c);
void ngx_http_commerce_conduct_client(ngx_http_commerce_attribution_t *a);
void ngx_http_commerce_conduct_touches(ngx_http_commerce_attribution_t *a);
ngx_uint_t ngx_http_commerce_conduct_crowded(ngx_http_commerce_attribution_t *a, const commerce_touch_t *touch);
commerce_reason_t ngx_http_commerce_conduct_bind(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t,
    commerce_person_t *seller, commerce_binding_t *before, commerce_reason_t reason);
commerce_self_purchase_t ngx_http_commerce_conduct_self(ngx_http_commerce_attribution_t *a);
void ngx_http_commerce_conduct_winner(ngx_http_commerce_attribution_t *a, int first);
char *ngx_http_commerce_crawler_token(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *token);
char *ngx_http_commerce_admin_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_revise_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_share_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#endif
