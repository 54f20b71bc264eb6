/*
 * Copyright (C) ngx_commerce authors
 *
 * Notices that wait, done again: each joins those that wait for the same, and all of them go when the log tells that
 * they were joined.  One that was dropped waits nowhere.
 */

#include "commerce_cli_replay_event.h"

#define NOTICE_POINTER  64


static bool notice_for(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_parked_for_t *what);
static bool notice_told(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_notice_t *notice);
static bool notice_lines(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_notice_t *notice);
static int64_t notice_number(commerce_cli_replay_run_t *r, unsigned line, const char *member);


int
commerce_cli_replay_notice(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                         rc;
    uint64_t                    version;
    commerce_str_t              state;
    commerce_reason_t           reason;
    commerce_notice_t           notice;
    commerce_parked_t           parked;
    commerce_parked_for_t       what;
    commerce_cli_replay_run_t  *r = data;

    r->changed = false;

    if (!notice_for(cli, r, &what) || !commerce_cli_replay_text(r, "/state", &state)) {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    rc = commerce_parked_read(&cli->reader, &what, &parked, &version);

    if (rc == COMMERCE_ERROR) {
        r->problem = "what waits there already cannot be read";
        return COMMERCE_CLI_OK;
    }

    if (commerce_equal(state, commerce_string("joined"))) {

        if (rc == COMMERCE_OK) {
            commerce_parked_remove(txn, cli->shop, &what, version);
            r->changed = true;
        }

        return COMMERCE_CLI_OK;
    }

    if (commerce_equal(state, commerce_string("dropped"))) {
        return COMMERCE_CLI_OK;
    }

    if (!notice_told(cli, r, &notice)) {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    reason = commerce_notice_park(cli->reader.arena, &parked, &notice);

    if (reason == COMMERCE_R(OK)) {
        commerce_parked_write(txn, cli->shop, &what, &parked, version);
        r->changed = true;

    } else if (reason != COMMERCE_R(ORDER_REPLAY)) {
        r->problem = "it does not go with what waits there already";
    }

    return COMMERCE_CLI_OK;
}


static bool
notice_for(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_parked_for_t *what)
{
    char            pointer[NOTICE_POINTER];
    unsigned        i;
    commerce_str_t  name;

    static const char *const  kinds[] = {
        [COMMERCE_PARKED_ID] = "order_id",
        [COMMERCE_PARKED_PAYMENT] = "payment",
        [COMMERCE_PARKED_TRANSACTION] = "transaction",
        [COMMERCE_PARKED_ORDER] = "order_key",
    };

    memset(what, 0, sizeof(commerce_parked_for_t));

    if (!commerce_cli_replay_text(r, "/waits_for", &name)) {
        return false;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (commerce_equal(name, commerce_cstr(kinds[i]))) {
            break;
        }
    }

    if (i == sizeof(kinds) / sizeof(kinds[0])) {
        return false;
    }

    snprintf(pointer, sizeof(pointer), "/%s", kinds[i]);
    what->kind = i;

    if (!commerce_cli_replay_text(r, pointer, &what->name) || what->name.len == 0) {
        return false;
    }

    if (what->kind == COMMERCE_PARKED_ORDER) {
        if (!commerce_cli_replay_text(r, "/buyer", &r->buyer)
            || commerce_cli_replay_scope(cli, r) != COMMERCE_CLI_OK)
        {
            return false;
        }

        what->user = r->user;
    }

    return true;
}


static bool
notice_told(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_notice_t *notice)
{
    int64_t         number;
    commerce_str_t  step;

    memset(notice, 0, sizeof(commerce_notice_t));

    if (!commerce_cli_replay_text(r, "/told/step", &step) || commerce_notice_parse(step, &notice->kind) != COMMERCE_OK
        || !commerce_cli_replay_text(r, "/told/order_id", &notice->id)
        || !commerce_cli_replay_text(r, "/told/payment", &notice->payment)
        || !commerce_cli_replay_text(r, "/told/transaction", &notice->transaction)
        || !commerce_cli_replay_text(r, "/told/refund", &notice->refund)
        || !commerce_cli_event_number(r->event, "/told/time", &notice->time))
    {
        return false;
    }

    notice->amount = commerce_cli_replay_fen(r, "/told/amount");
    number = commerce_cli_replay_fen(r, "/told/freight");
    notice->freight = number > 0 ? number : 0;

    return notice_lines(cli, r, notice);
}


static bool
notice_lines(commerce_cli_t *cli, commerce_cli_replay_run_t *r, commerce_notice_t *notice)
{
    char              pointer[NOTICE_POINTER];
    unsigned          i, count;
    commerce_json_t  *lines;

    if (commerce_json_find(r->event->root, commerce_string("/told/lines"), &lines) != COMMERCE_R(OK)
        || lines == NULL)
    {
        return true;
    }

    count = commerce_json_count(lines);

    if (count > COMMERCE_LINES_MAX) {
        return false;
    }

    notice->lines = commerce_alloc(cli->reader.arena, (count + 1) * sizeof(commerce_refund_line_t));

    if (notice->lines == NULL) {
        return false;
    }

    for (i = 0; i < count; i++) {
        snprintf(pointer, sizeof(pointer), "/told/lines/%u/sku", i);
        (void) commerce_cli_replay_text(r, pointer, &notice->lines[i].sku);

        notice->lines[i].line = (unsigned) notice_number(r, i, "line");
        notice->lines[i].amount = notice_number(r, i, "amount");
        notice->lines[i].quantity = notice_number(r, i, "quantity");
    }

    notice->line_count = count;

    return true;
}


static int64_t
notice_number(commerce_cli_replay_run_t *r, unsigned line, const char *member)
{
    char     pointer[NOTICE_POINTER];
    int64_t  number;

    snprintf(pointer, sizeof(pointer), "/told/lines/%u/%s", line, member);
    (void) commerce_cli_event_number(r->event, pointer, &number);

    return number;
}
