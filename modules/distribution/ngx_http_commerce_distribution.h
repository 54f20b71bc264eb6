/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the distribution module: how its files meet.
 *
 *   ngx_http_commerce_distribution_module.c  the module, its stage, commerce_tiers, commerce_join
 *   ngx_http_commerce_commission.c           commerce_commission
 *   ngx_http_commerce_split.c                commerce_split
 *   ngx_http_commerce_third_tier.c           commerce_third_tier
 */

#ifndef NGX_HTTP_COMMERCE_DISTRIBUTION_H
#define NGX_HTTP_COMMERCE_DISTRIBUTION_H

#include "../core/ngx_commerce.h"


typedef struct {
    ngx_uint_t             tiers;           /* commerce_tiers_t */
    ngx_uint_t             max;             /* paid tiers: 1 or 2 */
    ngx_commerce_source_t  platform;        /* commerce_commission: pays a commission of its own */
    ngx_uint_t             double_pay;      /* ... and so does the shop */
} ngx_http_commerce_distribution_conf_t;


extern ngx_module_t               ngx_http_commerce_distribution_module;
extern const ngx_commerce_api_t  *ngx_http_commerce_distribution_core;

/* ngx_http_commerce_distribution_module.c: commerce_person_get_t; data is the case */
int ngx_http_commerce_get_person(void *data, uint64_t number, commerce_person_t *person);

/* ngx_http_commerce_split.c */
char *ngx_http_commerce_split_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_commerce_third_tier.c */
char *ngx_http_commerce_third_tier_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_commerce_commission.c */
ngx_uint_t ngx_http_commerce_nothing(commerce_str_t text);     /* what storefronts write where nothing is paid */
char *ngx_http_commerce_commission_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
commerce_reason_t ngx_http_commerce_commission(ngx_commerce_case_t *c);

#endif
