/*
 * Copyright (C) ngx_commerce authors
 *
 * Splits, done again: each try of one counts, and a release takes it away.
 */

#include <stdlib.h>

#include "commerce_cli_replay_event.h"


#define SPLIT_POINTER  64


static bool split_read(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_split_past_t *past);
static bool split_content(commerce_str_t text, uint8_t content[COMMERCE_FINGERPRINT]);
static bool split_shares(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_split_past_t *past);
static bool split_add(commerce_cli_t *cli, commerce_splits_t *splits, const commerce_split_past_t *told);


int
commerce_cli_replay_split(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    bool                        release, changed;
    uint64_t                    version, order_version;
    commerce_str_t              reason;
    commerce_order_t            order;
    commerce_splits_t           splits;
    commerce_split_past_t       told;
    commerce_cli_replay_run_t  *r = data;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;
    release = commerce_equal(r->event->type, commerce_string("split_release"));

    if (!release
        && commerce_cli_replay_text(r, "/reason", &reason)
        && !commerce_equal(reason, commerce_string("OK")) && !commerce_equal(reason, commerce_string("SPLIT_REPLAY")))
    {
        return COMMERCE_CLI_OK;         /* it was refused */
    }

    memset(&told, 0, sizeof(commerce_split_past_t));

    if (!commerce_cli_replay_text(r, "/order_key", &r->key) || r->key.len == 0
        || commerce_cli_replay_user(cli, r) != COMMERCE_CLI_OK
        || !commerce_cli_replay_text(r, "/number", &told.number) || told.number.len == 0
        || (!release && !split_read(cli, r, &told)))
    {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    if (commerce_cli_replay_find(cli, r, &order, &order_version) == COMMERCE_ERROR || order_version == 0
        || commerce_splits_read(&cli->reader, order.user, order.key, &splits, &version) == COMMERCE_ERROR)
    {
        r->problem = "its order is not there, or cannot be read";
        return COMMERCE_CLI_OK;
    }

    changed = release ? commerce_splits_release(&splits, told.number) : split_add(cli, &splits, &told);

    if (changed) {
        commerce_splits_write(txn, cli->shop, order.user, order.key, &splits, version);
    }

    r->changed = txn->count != 0;

    return COMMERCE_CLI_OK;
}


static bool
split_read(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_split_past_t *past)
{
    commerce_fen_t  tries;
    commerce_str_t  content;

    past->time = r->time;
    past->amount = commerce_cli_replay_fen(r, "/amount");
    tries = commerce_cli_replay_fen(r, "/try");

    if (past->amount < 0 || tries <= 0 || tries > UINT32_MAX
        || !commerce_cli_replay_text(r, "/content", &content) || !split_content(content, past->content))
    {
        return false;
    }

    past->tries = (unsigned) tries;

    return split_shares(cli, r, past);
}


static bool
split_content(commerce_str_t text, uint8_t content[COMMERCE_FINGERPRINT])
{
    char        *end, digits[3];
    unsigned     i;

    if (text.len != 2 * COMMERCE_FINGERPRINT) {
        return false;
    }

    digits[2] = '\0';

    for (i = 0; i < COMMERCE_FINGERPRINT; i++) {
        memcpy(digits, text.data + 2 * i, 2);
        content[i] = (uint8_t) strtoul(digits, &end, 16);

        if (*end != '\0' || digits[0] == '-' || digits[0] == '+' || digits[0] == ' ') {
            return false;
        }
    }

    return true;
}


/* what a seller got whom the copy does not know cannot be kept by his number: somebody has to look at it */

static bool
split_shares(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_split_past_t *past)
{
    char               pointer[SPLIT_POINTER];
    unsigned           i;
    commerce_str_t     seller;
    commerce_json_t   *node;
    commerce_person_t  person;

    past->shares = commerce_alloc(cli->reader.arena, COMMERCE_SPLIT_RECEIVERS_MAX * sizeof(commerce_split_share_t));
    if (past->shares == NULL) {
        return false;
    }

    for (i = 0; i < COMMERCE_SPLIT_RECEIVERS_MAX; i++) {
        snprintf(pointer, sizeof(pointer), "/tiers/%u", i);

        if (commerce_json_find(r->event->root, commerce_cstr(pointer), &node) != COMMERCE_R(OK)) {
            return false;
        }

        if (node == NULL) {
            break;
        }

        snprintf(pointer, sizeof(pointer), "/tiers/%u/seller", i);

        if (!commerce_cli_replay_text(r, pointer, &seller)) {
            return false;
        }

        snprintf(pointer, sizeof(pointer), "/tiers/%u/amount", i);

        if (commerce_person_find(&cli->reader, seller, &person, NULL) != COMMERCE_OK) {
            r->problem = "the backup does not know a seller whom it paid: what he got is not counted for him";
            continue;
        }

        past->shares[past->share_count++] = (commerce_split_share_t) {
            .person = person.number, .amount = commerce_cli_replay_fen(r, pointer)
        };
    }

    return true;
}


/* tries only grow: what the copy has may be later than this event */

static bool
split_add(commerce_cli_t *cli, commerce_splits_t *splits, const commerce_split_past_t *told)
{
    commerce_split_past_t  *past;

    past = commerce_splits_find(splits, told->number);

    if (past != NULL) {
        if (past->tries >= told->tries) {
            return false;
        }

        past->tries = told->tries;
        return true;
    }

    if (splits->count == COMMERCE_SPLITS_MAX) {
        return false;
    }

    past = commerce_alloc(cli->reader.arena, (splits->count + 1) * sizeof(commerce_split_past_t));
    if (past == NULL) {
        return false;
    }

    if (splits->count != 0) {
        memcpy(past, splits->past, splits->count * sizeof(commerce_split_past_t));
    }

    past[splits->count++] = *told;
    splits->past = past;

    return true;
}
