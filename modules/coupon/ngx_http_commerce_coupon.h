/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the coupon module: how its files meet.
 *
 *   ngx_http_commerce_coupon_module.c   the module, codes of orders
 *   ngx_http_commerce_coupon_rules.c    whether an order's coupons apply
 *   ngx_http_commerce_coupon_guess.c    who has tried too many wrong codes (_guess_conf.c: limits)
 *   ngx_http_commerce_claim.c           commerce_coupon_claim, commerce_coupon_list
 *   ngx_http_commerce_check.c           commerce_coupon_check, commerce_coupon_qr: for holders
 *   ngx_http_commerce_shop.c            commerce_coupon_redeem_shop, commerce_coupon_rollback_shop: for staff
 *   ngx_http_commerce_coupon_answer.c   what their answers and sources have in common
 */

#ifndef NGX_HTTP_COMMERCE_COUPON_H
#define NGX_HTTP_COMMERCE_COUPON_H

#include "../core/ngx_commerce.h"
#include "../../src/commerce_claim.h"
#include "../../src/commerce_qr.h"
#include "../../src/commerce_redemption.h"


/* a parameter of an action: "name=SOURCE" */
typedef struct {
    const char             *name;       /* with the "=" */
    size_t                  len;        /* that must agree; with the NUL for a whole word */
    ngx_commerce_source_t  *source;     /* NULL: the caller has read it */
} ngx_http_commerce_parameter_t;


/* what the rules may know, from sources that are no word of the client's */
typedef struct {
    ngx_commerce_source_t        store, level, new_customer;
    unsigned                     set:1;
} ngx_http_commerce_coupon_facts_t;

typedef struct {
    ngx_commerce_source_t             code;
    ngx_uint_t                        max;
    ngx_uint_t                        imported;     /* codes made elsewhere are taken, too */
    ngx_uint_t                        on_paid;
    time_t                            deadline;
    commerce_deadline_policy_t        unpaid, in_doubt;
    ngx_http_commerce_coupon_facts_t  facts;
    unsigned                          redeem_set:1;
} ngx_http_commerce_coupon_conf_t;


extern ngx_module_t               ngx_http_commerce_coupon_module;
extern const ngx_commerce_api_t  *ngx_http_commerce_coupon_core;

char *ngx_http_commerce_coupon_facts_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_claim_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_list_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_check_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_qr_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_redeem_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_commerce_rollback_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* stages: records and admitted lines before the winner is known, the rules behind him */
commerce_reason_t ngx_http_commerce_coupon_records(ngx_commerce_case_t *c);
commerce_reason_t ngx_http_commerce_coupon_rules(ngx_commerce_case_t *c);

/* reads the directive's words: each is one of these; a wrong one is logged */
ngx_int_t ngx_http_commerce_coupon_parameters(ngx_conf_t *cf, ngx_http_commerce_parameter_t *parameters,
    const char *allowed);

/* the source's value.  absent: what to refuse with when it is missing, twice or no id; OK = it may be missing */
commerce_reason_t ngx_http_commerce_coupon_id(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_reason_t absent, commerce_str_t *id);

/* a coupon that an action names */
typedef struct {
    unsigned  campaign;             /* 0: none is named */
    uint32_t  serial;
    unsigned  dynamic:1;            /* by a QR token */
    unsigned  stale:1;              /* ... whose time is over */
    unsigned  imported:1;           /* by a code made elsewhere */
} ngx_http_commerce_named_t;

/*
 * Reads and verifies a code, or a QR token where one may stand, within the guessing limits.  A code made elsewhere is
 * looked up (the caller has a view) where some order location takes those.
 * OK (also for a stale token), COUPON_MALFORMED, COUPON_BAD_SIGNATURE, COUPON_NOT_FOUND, RATE_* and the like, BODY_*,
 * STORE_UNAVAILABLE, INTERNAL.
 */
commerce_reason_t ngx_http_commerce_coupon_named(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    ngx_uint_t qr, ngx_http_commerce_named_t *named);

/* its records, as coupon_read() below */
commerce_reason_t ngx_http_commerce_coupon_found(ngx_commerce_case_t *c, ngx_http_commerce_named_t *named,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon, uint64_t *version);

/* the named coupon is refused: counts it as a wrong try, once, if it is one; what to refuse with */
commerce_reason_t ngx_http_commerce_coupon_wrong(ngx_commerce_case_t *c, ngx_http_commerce_named_t *named,
    commerce_reason_t reason);

/* room for an answer, open for its members; and the end of it */
ngx_int_t ngx_http_commerce_coupon_start(ngx_commerce_case_t *c, commerce_write_t *w, size_t size);
commerce_reason_t ngx_http_commerce_coupon_answer(ngx_commerce_case_t *c, commerce_write_t *w, ngx_uint_t status);

/* members of a coupon for its holder: code (of a signed one), campaign, discount, from, until */
ngx_int_t ngx_http_commerce_coupon_write(ngx_commerce_case_t *c, commerce_write_t *w,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon);

/* a coupon's records.  OK; COUPON_NOT_FOUND (no such campaign), STORE_UNAVAILABLE */
commerce_reason_t ngx_http_commerce_coupon_read(ngx_commerce_case_t *c, unsigned number, uint32_t serial,
    commerce_campaign_t *campaign, commerce_coupon_t *coupon, uint64_t *version);

#endif
