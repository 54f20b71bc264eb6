/*
 * Copyright (C) ngx_commerce authors
 *
 * The end of an order's record: payment and what follows; for commerce_record_order.c only.
 */

#ifndef COMMERCE_RECORD_SALE_H
#define COMMERCE_RECORD_SALE_H

#include "commerce_codec.h"
#include "commerce_order.h"

/* has it anything to say? */
bool commerce_order_sale_set(const commerce_order_t *order);

size_t commerce_order_sale_room(const commerce_order_t *order);
void commerce_order_encode_sale(commerce_encoder_t *e, const commerce_order_t *order);
void commerce_order_decode_sale(commerce_decoder_t *d, commerce_arena_t *arena, commerce_order_t *order);

#endif
