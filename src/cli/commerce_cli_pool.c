/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "commerce_cli_pool.h"

#define POOL_PIECE  (256 * 1024)
#define POOL_ALIGN  16              /* as any arena's */
#define POOL_LARGE  (POOL_PIECE / 8)


typedef struct pool_piece_s  pool_piece_t;

struct pool_piece_s {
    pool_piece_t  *next;
};

struct commerce_cli_pool_s {
    commerce_arena_t  arena;
    pool_piece_t     *pieces;       /* the first is being cut */
    pool_piece_t     *large;        /* for one text each */
    size_t            used;         /* of the first */
};


static void *pool_alloc(void *owner, size_t size);
static void *pool_large(commerce_cli_pool_t *pool, size_t size);
static void pool_free(pool_piece_t *piece);


commerce_cli_pool_t *
commerce_cli_pool_create(void)
{
    commerce_cli_pool_t  *pool;

    pool = calloc(1, sizeof(commerce_cli_pool_t));

    if (pool != NULL) {
        pool->arena.alloc = pool_alloc;
        pool->arena.owner = pool;
    }

    return pool;
}


commerce_arena_t *
commerce_cli_pool_arena(commerce_cli_pool_t *pool)
{
    return &pool->arena;
}


void
commerce_cli_pool_clear(commerce_cli_pool_t *pool)
{
    pool_free(pool->large);
    pool->large = NULL;

    if (pool->pieces != NULL) {
        pool_free(pool->pieces->next);
        pool->pieces->next = NULL;
        pool->used = POOL_ALIGN;
    }
}


void
commerce_cli_pool_destroy(commerce_cli_pool_t *pool)
{
    if (pool != NULL) {
        pool_free(pool->large);
        pool_free(pool->pieces);
        free(pool);
    }
}


static void *
pool_alloc(void *owner, size_t size)
{
    char                 *p;
    pool_piece_t         *piece;
    commerce_cli_pool_t  *pool = owner;

    if (size > POOL_LARGE) {
        return pool_large(pool, size);
    }

    size = (size + POOL_ALIGN - 1) & ~(size_t) (POOL_ALIGN - 1);

    if (pool->pieces == NULL || size > POOL_PIECE - pool->used) {
        piece = malloc(POOL_PIECE);

        if (piece == NULL) {
            return NULL;
        }

        piece->next = pool->pieces;
        pool->pieces = piece;
        pool->used = POOL_ALIGN;
    }

    p = (char *) pool->pieces + pool->used;
    pool->used += size;

    return p;
}


static void *
pool_large(commerce_cli_pool_t *pool, size_t size)
{
    pool_piece_t  *piece;

    piece = size <= SIZE_MAX - POOL_ALIGN ? malloc(POOL_ALIGN + size) : NULL;

    if (piece == NULL) {
        return NULL;
    }

    piece->next = pool->large;
    pool->large = piece;

    return (char *) piece + POOL_ALIGN;
}


static void
pool_free(pool_piece_t *piece)
{
    pool_piece_t  *next;

    for ( /* void */ ; piece != NULL; piece = next) {
        next = piece->next;
        free(piece);
    }
}
