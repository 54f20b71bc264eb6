/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include <openssl/crypto.h>

#include "commerce_jwt.h"


typedef struct {
    uint8_t          digest[COMMERCE_JWT_DIGEST];
    commerce_time_t  from, until;                   /* until is 0 in a free slot */
    size_t           len;
    char             user[COMMERCE_ID_MAX];
} commerce_jwt_slot_t;


struct commerce_jwt_memory_s {
    commerce_jwt_slot_t  slots[COMMERCE_JWT_SLOTS];
};


static size_t jwt_memory_slot(const uint8_t digest[COMMERCE_JWT_DIGEST]);


commerce_jwt_memory_t *
commerce_jwt_memory_create(void)
{
    return calloc(1, sizeof(commerce_jwt_memory_t));
}


void
commerce_jwt_memory_free(commerce_jwt_memory_t *memory)
{
    free(memory);
}


bool
commerce_jwt_recall(const commerce_jwt_memory_t *memory, const uint8_t digest[COMMERCE_JWT_DIGEST],
    commerce_time_t now, commerce_jwt_t *jwt)
{
    const commerce_jwt_slot_t  *slot;

    slot = &memory->slots[jwt_memory_slot(digest)];

    if (slot->until == 0 || now < slot->from || now >= slot->until
        || CRYPTO_memcmp(slot->digest, digest, COMMERCE_JWT_DIGEST) != 0)
    {
        return false;
    }

    jwt->user = (commerce_str_t) { slot->user, slot->len };
    jwt->from = slot->from;
    jwt->until = slot->until;

    return true;
}


void
commerce_jwt_remember(commerce_jwt_memory_t *memory, const uint8_t digest[COMMERCE_JWT_DIGEST],
    const commerce_jwt_t *jwt)
{
    commerce_jwt_slot_t  *slot;

    if (jwt->user.len > COMMERCE_ID_MAX) {
        return;
    }

    slot = &memory->slots[jwt_memory_slot(digest)];

    memcpy(slot->digest, digest, COMMERCE_JWT_DIGEST);
    memcpy(slot->user, jwt->user.data, jwt->user.len);
    slot->len = jwt->user.len;
    slot->from = jwt->from;
    slot->until = jwt->until;
}


static size_t
jwt_memory_slot(const uint8_t digest[COMMERCE_JWT_DIGEST])
{
    return (digest[0] | (size_t) digest[1] << 8) % COMMERCE_JWT_SLOTS;
}
