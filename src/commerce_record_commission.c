/*
 * Copyright (C) ngx_commerce authors
 *
 * Commission plans: the one in force, and every version that there was.
 */

#include "commerce_codec.h"
#include "commerce_commission.h"
#include "commerce_path.h"


#define COMMERCE_COMMISSION_CAP_ALL  1      /* bits of the flags byte */


static commerce_str_t commerce_commission_encode(commerce_arena_t *arena,
    const commerce_commission_plan_t *plan);
static void commerce_commission_decode_rule(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_commission_rule_t *rule);
static void commerce_commission_key(commerce_path_t *key, commerce_str_t shop, uint32_t plan);


int
commerce_commission_read(commerce_reader_t *reader, uint32_t plan, commerce_commission_plan_t *found,
    uint64_t *version)
{
    int              rc;
    commerce_path_t  key;
    commerce_str_t   value;

    commerce_commission_key(&key, reader->shop, plan);

    rc = commerce_path_get(reader, &key, &value, version);

    if (rc == COMMERCE_OK) {
        rc = commerce_commission_decode(reader->arena, value, found);

        if (rc == COMMERCE_OK && plan != 0 && found->version != plan) {
            rc = COMMERCE_ERROR;
        }
    }

    if (rc != COMMERCE_OK) {
        memset(found, 0, sizeof(commerce_commission_plan_t));
    }

    return rc;
}


void
commerce_commission_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_commission_plan_t *plan, uint64_t version)
{
    commerce_path_t  key;
    commerce_str_t   value;

    value = commerce_commission_encode(txn->arena, plan);

    commerce_commission_key(&key, shop, 0);
    commerce_path_put(txn, &key, version, value);

    commerce_commission_key(&key, shop, plan->version);
    commerce_path_put(txn, &key, 0, value);
}


static void
commerce_commission_key(commerce_path_t *key, commerce_str_t shop, uint32_t plan)
{
    if (plan == 0) {
        commerce_path_text(key, shop, 'z', commerce_string("now"));

    } else {
        commerce_path_number(key, shop, 'z', plan, 8);
    }
}


static commerce_str_t
commerce_commission_encode(commerce_arena_t *arena, const commerce_commission_plan_t *plan)
{
    size_t                             room;
    unsigned                           i, k, n;
    commerce_encoder_t                 e;
    const commerce_ids_t              *ids;
    const commerce_commission_rule_t  *rule;

    room = 2 + 3 * COMMERCE_CODEC_VARINT;

    for (i = 0; i < plan->rule_count; i++) {
        room += (2 + COMMERCE_COMMISSION_LISTS) * COMMERCE_CODEC_VARINT;

        for (k = 0; k < COMMERCE_COMMISSION_LISTS; k++) {
            for (n = 0; n < plan->rules[i].lists[k].count; n++) {
                room += commerce_codec_room(plan->rules[i].lists[k].ids[n]);
            }
        }
    }

    commerce_encode_start(&e, arena, room);
    commerce_encode_format(&e, 3);
    commerce_encode_varint(&e, plan->version);
    commerce_encode_varint(&e, plan->cap);
    commerce_encode_u8(&e, plan->cap_all ? COMMERCE_COMMISSION_CAP_ALL : 0);
    commerce_encode_varint(&e, plan->rule_count);

    for (i = 0; i < plan->rule_count; i++) {
        rule = &plan->rules[i];

        commerce_encode_varint(&e, rule->rates.tier1);
        commerce_encode_varint(&e, rule->rates.tier2);

        for (k = 0; k < COMMERCE_COMMISSION_LISTS; k++) {
            ids = &rule->lists[k];
            commerce_encode_varint(&e, ids->count);

            for (n = 0; n < ids->count; n++) {
                commerce_encode_text(&e, ids->ids[n]);
            }
        }
    }

    return commerce_encode_finish(&e);
}


int
commerce_commission_decode(commerce_arena_t *arena, commerce_str_t value,
    commerce_commission_plan_t *plan)
{
    unsigned            i, count;
    commerce_decoder_t  d;

    memset(plan, 0, sizeof(commerce_commission_plan_t));

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    plan->version = (uint32_t) commerce_decode_varint(&d, UINT32_MAX);
    plan->cap = (unsigned) commerce_decode_varint(&d, 10000);
    plan->cap_all = commerce_decode_u8(&d, COMMERCE_COMMISSION_CAP_ALL) != 0;

    count = (unsigned) commerce_decode_varint(&d, COMMERCE_COMMISSION_RULES);

    plan->rules = commerce_alloc(arena, (count + 1) * sizeof(commerce_commission_rule_t));
    if (plan->rules == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < count && !d.failed; i++) {
        commerce_commission_decode_rule(&d, arena, &plan->rules[i]);

        /* what a record says that no file could is not believed */

        if (plan->rules[i].rates.tier1 + plan->rules[i].rates.tier2 > plan->cap) {
            return COMMERCE_ERROR;
        }
    }

    plan->rule_count = count;

    return plan->version == 0 ? COMMERCE_ERROR : commerce_decode_finish(&d);
}


static void
commerce_commission_decode_rule(commerce_decoder_t *d, commerce_arena_t *arena,
    commerce_commission_rule_t *rule)
{
    unsigned         i, k, count;
    commerce_ids_t  *ids;

    rule->rates.tier1 = (unsigned) commerce_decode_varint(d, 10000);
    rule->rates.tier2 = (unsigned) commerce_decode_varint(d, 10000);

    for (i = 0; i < COMMERCE_COMMISSION_LISTS; i++) {
        ids = &rule->lists[i];
        count = (unsigned) commerce_decode_varint(d, COMMERCE_COMMISSION_IDS);

        if (count == 0) {
            continue;
        }

        ids->ids = commerce_alloc(arena, count * sizeof(commerce_str_t));

        if (ids->ids == NULL) {
            d->failed = true;
            return;
        }

        for (k = 0; k < count; k++) {
            ids->ids[k] = commerce_decode_text(d);
        }

        ids->count = count;
    }
}
