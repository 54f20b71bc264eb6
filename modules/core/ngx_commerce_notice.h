/*
 * Copyright (C) ngx_commerce authors
 *
 * Notice locations, for the ngx_commerce_notice*.c files only.
 */

#ifndef NGX_COMMERCE_NOTICE_H
#define NGX_COMMERCE_NOTICE_H

#include "ngx_commerce_core.h"

typedef struct {                            /* commerce_order_confirm, _cancel, _refund, _settle */
    commerce_step_t         step;
    commerce_str_t          name;           /* confirm, cancel, refund, settle: what a signature names */
    ngx_commerce_source_t   id, key, user, payment, transaction;
    ngx_commerce_source_t   refund, amount, freight;
    commerce_str_t          lines;          /* refunds: pointer into the body; data NULL = none */
    commerce_str_t          line_sku, line_number, line_amount, line_quantity;
    commerce_unit_t         unit;
} ngx_commerce_notice_conf_t;

/* ngx_commerce_notice.c */
commerce_reason_t ngx_commerce_notice(ngx_commerce_case_t *c, void *conf);

/* ngx_commerce_notice_facts.c: what the request says */
commerce_reason_t ngx_commerce_notice_facts(ngx_commerce_case_t *c, ngx_commerce_notice_conf_t *nc,
    commerce_notice_t *notice);

/* ngx_commerce_notice_key.c: OK, NOTICE_BAD_SIGNATURE, CLOCK_SKEW, INTERNAL */
commerce_reason_t ngx_commerce_notice_signed(ngx_commerce_case_t *c, commerce_str_t name);

#endif
