/*
 * Copyright (C) ngx_commerce authors
 *
 * Splits: what the body says, read for certain.
 */

#include "commerce_split.h"


static commerce_reason_t commerce_split_third(commerce_json_t *body, const commerce_split_map_t *map);
static commerce_reason_t commerce_split_receiver(commerce_json_t *node, const commerce_split_map_t *map,
    commerce_split_receiver_t *receiver);
static commerce_reason_t commerce_split_amount(commerce_str_t text, commerce_unit_t unit,
    commerce_fen_t *amount);
static commerce_reason_t commerce_split_wechat_role(commerce_json_t *node, commerce_str_t *role);
static commerce_reason_t commerce_split_text(commerce_json_t *node, commerce_str_t pointer,
    commerce_str_t *text);


commerce_reason_t
commerce_split_read(commerce_json_t *body, const commerce_split_map_t *map, commerce_split_t *split)
{
    commerce_json_t            *list = NULL, *node;
    commerce_reason_t           reason;
    commerce_split_receiver_t  *receiver;

    split->number = commerce_string("");
    split->count = 0;
    split->amount = 0;
    split->receiver = 0;

    reason = commerce_split_text(body, map->number, &split->number);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_split_third(body, map);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_json_find(body, map->receivers, &list);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason == COMMERCE_R(BODY_MALFORMED) ? COMMERCE_R(SPLIT_MALFORMED) : reason;
    }

    if (!commerce_id_valid(split->number)) {
        split->number = commerce_string("");        /* it is told of in the log */
        return COMMERCE_R(SPLIT_MALFORMED);
    }

    if (list == NULL || !commerce_json_is_array(list) || commerce_json_first(list) == NULL) {
        return COMMERCE_R(SPLIT_MALFORMED);
    }

    if (commerce_json_count(list) > COMMERCE_SPLIT_RECEIVERS_MAX) {
        return COMMERCE_R(SPLIT_TOO_MANY_RECEIVERS);
    }

    for (node = commerce_json_first(list); node != NULL; node = commerce_json_next(node)) {
        receiver = &split->receivers[split->count];

        split->receiver = ++split->count;

        reason = commerce_split_receiver(node, map, receiver);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        split->amount += receiver->amount;      /* 50 of at most COMMERCE_FEN_MAX fit */
    }

    split->receiver = 0;

    return split->amount > COMMERCE_FEN_MAX ? COMMERCE_R(SPLIT_OVERFLOW) : COMMERCE_R(OK);
}


/* whoever has a column for a third tier pays it one day: an amount of 0 is no excuse */

static commerce_reason_t
commerce_split_third(commerce_json_t *body, const commerce_split_map_t *map)
{
    bool                told;
    unsigned            i, count;
    commerce_json_t    *found[COMMERCE_SPLIT_RECEIVERS_MAX + 1];
    commerce_reason_t   reason;

    for (i = 0; i < map->third_count; i++) {

        reason = commerce_json_each(body, map->third[i], found, COMMERCE_SPLIT_RECEIVERS_MAX + 1,
                                    &count, &told);

        if (reason == COMMERCE_R(BODY_TOO_LARGE) || (reason == COMMERCE_R(OK) && count != 0)) {
            return COMMERCE_R(TIER3_PRESENT);
        }

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
commerce_split_receiver(commerce_json_t *node, const commerce_split_map_t *map,
    commerce_split_receiver_t *receiver)
{
    commerce_str_t     amount;
    commerce_reason_t  reason;

    memset(receiver, 0, sizeof(commerce_split_receiver_t));
    amount = commerce_string("");

    if (!commerce_json_is_object(node)) {
        return COMMERCE_R(SPLIT_MALFORMED);
    }

    reason = commerce_split_text(node, map->account, &receiver->account);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_split_text(node, map->amount, &amount);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = map->wechat ? commerce_split_wechat_role(node, &receiver->role)
                             : commerce_split_text(node, map->role, &receiver->role);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_id_valid(receiver->account)) {
        return COMMERCE_R(SPLIT_MALFORMED);
    }

    return commerce_split_amount(amount, map->unit, &receiver->amount);
}


static commerce_reason_t
commerce_split_amount(commerce_str_t text, commerce_unit_t unit, commerce_fen_t *amount)
{
    bool    rounded;
    size_t  i;

    if (commerce_amount_parse(text, unit, amount, &rounded) == COMMERCE_OK) {
        return rounded ? COMMERCE_R(SPLIT_MALFORMED) : COMMERCE_R(OK);
    }

    *amount = 0;

    for (i = 0; i < text.len; i++) {
        if (strchr("+-.eE0123456789", text.data[i]) == NULL || text.data[i] == '\0') {
            return COMMERCE_R(SPLIT_MALFORMED);
        }
    }

    return text.len == 0 ? COMMERCE_R(SPLIT_MALFORMED)
           : text.data[0] == '-' ? COMMERCE_R(SPLIT_NEGATIVE)
           : COMMERCE_R(SPLIT_OVERFLOW);
}


/*
 * POST /v3/profitsharing/orders: MERCHANT_ID is another merchant's number, PERSONAL_OPENID and PERSONAL_SUB_OPENID
 * are people
 */

static commerce_reason_t
commerce_split_wechat_role(commerce_json_t *node, commerce_str_t *role)
{
    commerce_str_t     type = commerce_string("");
    commerce_reason_t  reason;

    reason = commerce_split_text(node, commerce_string("/type"), &type);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (commerce_equal(type, commerce_string("MERCHANT_ID"))) {
        *role = commerce_string("merchant");
        return COMMERCE_R(OK);
    }

    return commerce_equal(type, commerce_string("PERSONAL_OPENID"))
           || commerce_equal(type, commerce_string("PERSONAL_SUB_OPENID"))
           ? COMMERCE_R(OK) : COMMERCE_R(SPLIT_MALFORMED);
}


/* empty when it is not there, or not configured */

static commerce_reason_t
commerce_split_text(commerce_json_t *node, commerce_str_t pointer, commerce_str_t *text)
{
    commerce_json_t    *found;
    commerce_reason_t   reason;

    *text = commerce_string("");

    if (pointer.len == 0) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, pointer, &found);

    if (reason == COMMERCE_R(OK) && found != NULL) {
        reason = commerce_json_text(found, text);
    }

    return reason == COMMERCE_R(BODY_MALFORMED) ? COMMERCE_R(SPLIT_MALFORMED) : reason;
}
