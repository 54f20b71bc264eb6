/*
 * Copyright (C) ngx_commerce authors
 *
 * libFuzzer target: a hostile split's body, in WeChat Pay's form and in one of a configuration's own.
 */

#include <stdlib.h>

#include "commerce_split.h"

static void fuzz_read(commerce_json_t *body, const commerce_split_map_t *map);
static void fuzz_check(bool condition);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    commerce_str_t    text;
    commerce_heap_t  *heap;
    commerce_json_t  *body;

    static const commerce_split_map_t  wechat = {
        .receivers = commerce_string("/receivers"), .account = commerce_string("/account"),
        .amount = commerce_string("/amount"), .number = commerce_string("/out_order_no"), .wechat = true
    };

    static const commerce_split_map_t  own = {
        .receivers = commerce_string("/d/0/pay"), .account = commerce_string("/w"), .amount = commerce_string("/y/a"),
        .role = commerce_string("/r"), .number = commerce_string("/n"), .unit = COMMERCE_UNIT_YUAN,
        .third = { commerce_string("/t"), commerce_string("/d/0/pay/*/t") }, .third_count = 2
    };

    text = (commerce_str_t) { (const char *) data, size };

    heap = commerce_heap_create();
    if (heap == NULL) {
        return 0;
    }

    if (commerce_json_parse(commerce_heap_arena(heap), text, &body) == COMMERCE_R(OK)) {
        fuzz_read(body, &wechat);
        fuzz_read(body, &own);
    }

    commerce_heap_destroy(heap);

    return 0;
}


static void
fuzz_read(commerce_json_t *body, const commerce_split_map_t *map)
{
    unsigned                    i;
    commerce_fen_t              sum;
    commerce_split_t            split;
    commerce_reason_t           reason;
    commerce_split_receiver_t  *receiver;

    reason = commerce_split_read(body, map, &split);

    fuzz_check(split.count <= COMMERCE_SPLIT_RECEIVERS_MAX && split.receiver <= split.count);

    if (reason != COMMERCE_R(OK)) {
        fuzz_check(commerce_reason(reason)->class == COMMERCE_CLASS_DENY && reason != COMMERCE_R(INTERNAL));
        return;
    }

    fuzz_check(split.count != 0 && split.receiver == 0 && commerce_id_valid(split.number));

    for (i = 0, sum = 0; i < split.count; i++) {
        receiver = &split.receivers[i];

        fuzz_check(commerce_id_valid(receiver->account) && !receiver->known);
        fuzz_check(receiver->amount >= 0 && receiver->amount <= COMMERCE_FEN_MAX);
        sum += receiver->amount;
    }

    fuzz_check(sum == split.amount && sum <= COMMERCE_FEN_MAX);
}


static void
fuzz_check(bool condition)
{
    if (!condition) {
        abort();
    }
}
