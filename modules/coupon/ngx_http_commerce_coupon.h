/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the coupon module: how its files meet.
 *
 *   ngx_http_commerce_coupon_module.c   the module, coupons of orders
 *   ngx_http_commerce_coupon_guess.c    who has tried too many wrong codes (_guess_conf.c: limits)
 */

#ifndef NGX_HTTP_COMMERCE_COUPON_H
#define NGX_HTTP_COMMERCE_COUPON_H

#include "../core/ngx_commerce.h"


extern ngx_module_t               ngx_http_commerce_coupon_module;
extern const ngx_commerce_api_t  *ngx_http_commerce_coupon_core;

#endif
