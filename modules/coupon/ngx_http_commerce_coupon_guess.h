/*
 * Copyright (C) ngx_commerce authors
 *
 * Guessing limits, for everything in this module that takes a coupon code from outside.
 *
 *   configuration   ngx_http_commerce_guess_needed(cf)      in the directive's handler
 *   before          reason = ngx_http_commerce_guess_allowed(c, campaign)
 *   after           reason = ngx_http_commerce_guess_failed(c, campaign, reason)
 *
 * Counts are in shared memory, under keyed hashes: neither users nor codes stand there.  They may be lost.
 */

#ifndef NGX_HTTP_COMMERCE_COUPON_GUESS_H
#define NGX_HTTP_COMMERCE_COUPON_GUESS_H

#include "ngx_http_commerce_coupon.h"
#include "../../src/commerce_guess.h"

#define NGX_HTTP_COMMERCE_GUESS_ZONE  (10 * 1024 * 1024)

typedef struct {
    commerce_guess_limits_t   limits;
    ngx_uint_t                off;
    ngx_uint_t                needed;           /* some location takes codes */
    size_t                    size;             /* of the zone */
    ngx_commerce_source_t     session;
    ngx_shm_zone_t           *zone;             /* NULL: nothing is limited */
    unsigned                  set:1;
} ngx_http_commerce_guess_conf_t;

/*
 * May this request try a code?  To be asked before the code's MAC is computed and before the store is asked for
 * it.  campaign: the one that the code names, 0 if it names none.  OK, or RATE_* or GLOBAL_BREAKER, with
 * c->retry_after set.  OK when there is no verified user: who cannot use a code must not be told about one, so
 * the caller refuses such a request whatever its code is.
 */
commerce_reason_t ngx_http_commerce_guess_allowed(ngx_commerce_case_t *c, unsigned campaign);

/*
 * A code was refused for `reason`: counted if that says that it may have been guessed.  Returns what to refuse
 * with: the same, or, if others of his tries have used up his limit meanwhile, RATE_USER or RATE_SESSION.
 * To be called once for a code of a request, also when the request is evaluated again (c->failed).
 */
commerce_reason_t ngx_http_commerce_guess_failed(ngx_commerce_case_t *c, unsigned campaign,
    commerce_reason_t reason);

void ngx_http_commerce_guess_needed(ngx_conf_t *cf);

/* the module's own */
void ngx_http_commerce_guess_create(ngx_http_commerce_guess_conf_t *gcf);
char *ngx_http_commerce_guess_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_commerce_guess_status(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop,
    int64_t now_us);

/* the main configuration of the module */
typedef struct {
    ngx_http_commerce_guess_conf_t  guess;
    ngx_uint_t                      imported;   /* some order location takes codes made elsewhere */
} ngx_http_commerce_coupon_main_conf_t;

#endif
