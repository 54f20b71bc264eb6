/*
 * Copyright (C) ngx_commerce authors
 *
 * Memory for small texts by the million: cut from large pieces and given back at once, where a commerce_heap_t would
 * spend more on each text than it is long.
 */

#ifndef COMMERCE_CLI_POOL_H
#define COMMERCE_CLI_POOL_H

#include "../commerce.h"

typedef struct commerce_cli_pool_s  commerce_cli_pool_t;

commerce_cli_pool_t *commerce_cli_pool_create(void);
commerce_arena_t *commerce_cli_pool_arena(commerce_cli_pool_t *pool);
void commerce_cli_pool_clear(commerce_cli_pool_t *pool);        /* all that came from it is void */
void commerce_cli_pool_destroy(commerce_cli_pool_t *pool);

#endif
