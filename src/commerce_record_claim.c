/*
 * Copyright (C) ngx_commerce authors
 *
 * Claims of coupons, and redemptions in shops.
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_path.h"


int
commerce_claim_read(commerce_reader_t *reader, commerce_str_t user, commerce_str_t slot,
    commerce_claim_t *claim)
{
    int              rc;
    commerce_str_t   value;
    commerce_path_t  key;

    memset(claim, 0, sizeof(commerce_claim_t));

    commerce_path_claim(&key, reader->shop, user, slot);

    rc = commerce_path_get(reader, &key, &value, NULL);

    return rc == COMMERCE_OK ? commerce_claim_decode(value, claim) : rc;
}


void
commerce_claim_write(commerce_txn_t *txn, commerce_str_t shop, commerce_str_t user,
    commerce_str_t slot, const commerce_claim_t *claim)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    commerce_encode_start(&e, txn->arena, 1 + 3 * COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, claim->campaign);
    commerce_encode_varint(&e, claim->serial);
    commerce_encode_signed(&e, claim->time);

    commerce_path_claim(&key, shop, user, slot);
    commerce_path_put(txn, &key, 0, commerce_encode_finish(&e));
}


int
commerce_claim_next(commerce_reader_t *reader, commerce_str_t user, commerce_str_t *slot,
    commerce_claim_t *claim)
{
    int              rc;
    uint64_t         version;
    commerce_str_t   value, found;
    commerce_path_t  prefix, after;

    memset(claim, 0, sizeof(commerce_claim_t));

    commerce_path_claim(&prefix, reader->shop, user, commerce_string(""));
    commerce_path_claim(&after, reader->shop, user, *slot);

    if (prefix.bad || after.bad) {
        return COMMERCE_ABSENT;
    }

    rc = commerce_view_next(reader->view, commerce_path_str(&prefix), commerce_path_str(&after),
                            &found, &value, &version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    found.data += prefix.len;
    found.len -= prefix.len;
    *slot = commerce_copy(reader->arena, found);

    return slot->data != NULL ? commerce_claim_decode(value, claim) : COMMERCE_ERROR;
}


int
commerce_claim_decode(commerce_str_t value, commerce_claim_t *claim)
{
    commerce_decoder_t  d;

    commerce_decode_start(&d, value);

    claim->campaign = (unsigned) commerce_decode_varint(&d, COMMERCE_CODE_CAMPAIGN_MAX);
    claim->serial = (uint32_t) commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);
    claim->time = commerce_decode_signed(&d);

    return commerce_decode_finish(&d);
}


commerce_str_t
commerce_counter_claims(commerce_arena_t *arena, commerce_str_t shop, unsigned campaign,
    commerce_count_t which, int32_t day, commerce_str_t name)
{
    commerce_path_t  key;

    commerce_path_claims(&key, shop, campaign, which, day, name);

    return key.bad ? commerce_string("") : commerce_copy(arena, commerce_path_str(&key));
}


int
commerce_redemption_read(commerce_reader_t *reader, commerce_str_t request,
    commerce_redemption_t *redemption, uint64_t *version)
{
    int              rc;
    commerce_str_t   value;
    commerce_path_t  key;

    memset(redemption, 0, sizeof(commerce_redemption_t));

    commerce_path_text(&key, reader->shop, 'w', request);

    rc = commerce_path_get(reader, &key, &value, version);
    if (rc != COMMERCE_OK) {
        return rc;
    }

    rc = commerce_redemption_decode(reader->arena, value, redemption);

    return rc == COMMERCE_OK && !commerce_equal(redemption->request, request) ? COMMERCE_ERROR
                                                                             : rc;
}


int
commerce_redemption_decode(commerce_arena_t *arena, commerce_str_t value,
    commerce_redemption_t *redemption)
{
    commerce_decoder_t  d;

    value = commerce_copy(arena, value);
    commerce_decode_start(&d, value);

    redemption->request = commerce_decode_text(&d);
    redemption->campaign = (unsigned) commerce_decode_varint(&d, COMMERCE_CODE_CAMPAIGN_MAX);
    redemption->serial = (uint32_t) commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);
    redemption->verifier = commerce_decode_text(&d);
    redemption->store = commerce_decode_text(&d);
    redemption->amount = commerce_decode_signed(&d);
    redemption->discount = commerce_decode_signed(&d);
    redemption->time = commerce_decode_signed(&d);
    redemption->rolled_back = commerce_decode_signed(&d);

    return commerce_decode_finish(&d);
}


void
commerce_redemption_write(commerce_txn_t *txn, commerce_str_t shop,
    const commerce_redemption_t *redemption, uint64_t version)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    commerce_encode_start(&e, txn->arena,
                          1 + 6 * COMMERCE_CODEC_VARINT + commerce_codec_room(redemption->request)
                          + commerce_codec_room(redemption->verifier)
                          + commerce_codec_room(redemption->store));

    commerce_encode_text(&e, redemption->request);
    commerce_encode_varint(&e, redemption->campaign);
    commerce_encode_varint(&e, redemption->serial);
    commerce_encode_text(&e, redemption->verifier);
    commerce_encode_text(&e, redemption->store);
    commerce_encode_signed(&e, redemption->amount);
    commerce_encode_signed(&e, redemption->discount);
    commerce_encode_signed(&e, redemption->time);
    commerce_encode_signed(&e, redemption->rolled_back);

    commerce_path_text(&key, shop, 'w', redemption->request);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}
