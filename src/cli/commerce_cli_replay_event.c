/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "commerce_cli_replay_event.h"

#define REPLAY_SAID       20        /* events that could not be replayed, told one by one */


typedef commerce_cli_replay_run_t  replay_t;


static int replay_erased(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event);


int
commerce_cli_replay_event(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event)
{
    int                     rc;
    size_t                  i;
    commerce_str_t          shop;
    commerce_cli_work_t     run;
    commerce_cli_replay_t  *replay = work->replay;
    replay_t                r;

    static const struct {
        const char           *type;
        commerce_cli_work_t   run;
    } types[] = {
        { "mint", commerce_cli_replay_mint },
        { "campaign_close", commerce_cli_replay_close },
        { "coupon_claim", commerce_cli_replay_claim },
        { "coupon_reserve", commerce_cli_replay_coupon },
        { "coupon_redeem", commerce_cli_replay_coupon },
        { "coupon_release", commerce_cli_replay_coupon },
        { "coupon_rollback", commerce_cli_replay_coupon },
        { "order", commerce_cli_replay_order },
        { "paid", commerce_cli_replay_order },
        { "refund", commerce_cli_replay_order },
        { "attr_revision", commerce_cli_replay_order },
        { "payment", commerce_cli_replay_payment },
        { "notice", commerce_cli_replay_notice },
        { "split_check", commerce_cli_replay_split },
        { "split_release", commerce_cli_replay_split }
    };

    run = NULL;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (commerce_equal(event->type, commerce_cstr(types[i].type))) {
            run = types[i].run;
        }
    }

    if (run == NULL) {
        replay->others++;
        replay->bindings += commerce_equal(event->type, commerce_string("bind"));
        replay->joins += commerce_equal(event->type, commerce_string("join"));
        replay->directory += commerce_equal(event->type, commerce_string("directory"));
        return commerce_equal(event->type, commerce_string("erase")) ? replay_erased(work, event) : COMMERCE_CLI_OK;
    }

    memset(&r, 0, sizeof(replay_t));
    r.work = work;
    r.event = event;
    r.time = event->us / 1000000;

    shop = work->cli->shop;
    work->cli->shop = event->shop;
    rc = commerce_cli_transact(work->cli, run, &r);
    work->cli->shop = shop;

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (r.problem != NULL) {
        if (++replay->failed <= REPLAY_SAID) {
            fprintf(work->out, "%s:%llu: %.*s was not replayed: %s\n", event->path,
                    (unsigned long long) event->number, commerce_cli_arg(event->type), r.problem);
        }

        return COMMERCE_CLI_OK;
    }

    replay->applied += r.changed;
    replay->known += !r.changed;
    replay->coupons += r.fresh_coupon;
    replay->orders += r.fresh_order;
    replay->unknown_buyers += r.fresh_order && r.stranger;

    return COMMERCE_CLI_OK;
}


/* whom the copy names again had asked not to be named */
static int
replay_erased(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event)
{
    int             rc;
    commerce_str_t  shop;
    replay_t        r;

    memset(&r, 0, sizeof(replay_t));
    r.work = work;
    r.event = event;

    shop = work->cli->shop;
    work->cli->shop = event->shop;
    rc = commerce_cli_replay_user(work->cli, &r);
    work->cli->shop = shop;

    if (rc == COMMERCE_CLI_OK && r.user.len != 0 && !r.stranger) {
        fprintf(work->out, "buyer \"%.*s\" of shop \"%.*s\" was erased after the backup, which has him:"
                " run \"commerce buyer erase\" again\n", commerce_cli_arg(r.user), commerce_cli_arg(event->shop));
    }

    return rc;
}


int
commerce_cli_replay_find(commerce_cli_t *cli, replay_t *r, commerce_order_t *order, uint64_t *version)
{
    int  rc;

    rc = commerce_order_read(&cli->reader, r->user, r->key, order, version);

    if (rc == COMMERCE_ABSENT && r->user.len != 0) {
        rc = commerce_order_read(&cli->reader, commerce_string(""), r->key, order, version);

        if (rc == COMMERCE_OK && !commerce_equal(order->pseudonym, r->buyer)) {
            rc = COMMERCE_ABSENT;
        }
    }

    if (rc != COMMERCE_ABSENT) {
        return rc;
    }

    memset(order, 0, sizeof(commerce_order_t));
    *version = 0;

    order->user = r->user;
    order->key = r->key;
    order->pseudonym = r->buyer;
    order->state = COMMERCE_ORDER_UNKNOWN;
    order->doubt = COMMERCE_DOUBT_UNKNOWN;
    order->unpaid = COMMERCE_POLICY_RELEASE;
    order->in_doubt = COMMERCE_POLICY_HOLD;
    order->created = r->time;
    order->deadline = COMMERCE_FOREVER;
    order->due = COMMERCE_FOREVER;
    order->claimed = order->discount = order->payable = -1;

    return COMMERCE_ABSENT;
}


void
commerce_cli_replay_store(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_order_t *order, uint64_t version,
    const commerce_order_t *before)
{
    int64_t  doubt;

    doubt = (order->doubt != 0) - (version != 0 && before->doubt != 0);

    if (doubt != 0) {
        commerce_txn_add(txn, commerce_counter_doubt(txn->arena, cli->shop), doubt, COMMERCE_FOREVER, 0);
    }

    commerce_order_write(txn, cli->shop, order, version, version != 0 ? before : NULL);
}


/* as the steps of an order would have set it */
void
commerce_cli_replay_due(commerce_order_t *order)
{
    bool      reserved;
    unsigned  i;

    for (i = 0, reserved = false; i < order->coupon_count; i++) {
        reserved = reserved || order->coupons[i].use == COMMERCE_USE_RESERVED;
    }

    if (order->state == COMMERCE_ORDER_PENDING) {
        order->due = order->in_flight_until;

    } else if (order->state == COMMERCE_ORDER_PAID && order->freeze != 0) {
        order->due = order->freeze;

    } else if (!reserved || order->receipt_count != 0
               || (order->doubt != 0 ? order->in_doubt : order->unpaid) == COMMERCE_POLICY_HOLD
               || (order->doubt == 0 && order->state != COMMERCE_ORDER_PLACED))
    {
        order->due = COMMERCE_FOREVER;

    } else {
        order->due = order->deadline;
    }
}


int
commerce_cli_replay_user(commerce_cli_t *cli, replay_t *r)
{
    return commerce_cli_replay_text(r, "/buyer", &r->buyer) ? commerce_cli_replay_scope(cli, r)
                                                            : COMMERCE_CLI_FAILED;
}


int
commerce_cli_replay_scope(commerce_cli_t *cli, replay_t *r)
{
    char                        *text;
    uint64_t                     hash;
    commerce_cli_replay_name_t  *name;

    static const char  prefix[] = COMMERCE_CLI_PSEUDONYM;

    r->user = commerce_string("");
    r->stranger = false;

    if (r->buyer.len == 0) {
        return COMMERCE_CLI_OK;
    }

    hash = commerce_cli_replay_hash(cli->shop, r->buyer);
    name = r->work->name_count == 0 ? NULL
           : bsearch(&hash, r->work->names, r->work->name_count, sizeof(commerce_cli_replay_name_t),
                     commerce_cli_replay_compare);

    if (name != NULL) {
        r->user = name->user;
        return COMMERCE_CLI_OK;
    }

    text = commerce_alloc(cli->reader.arena, sizeof(prefix) + r->buyer.len);
    if (text == NULL) {
        return COMMERCE_CLI_FAILED;
    }

    memcpy(text, prefix, sizeof(prefix) - 1);
    memcpy(text + sizeof(prefix) - 1, r->buyer.data, r->buyer.len);
    r->user = (commerce_str_t) { text, sizeof(prefix) - 1 + r->buyer.len };
    r->stranger = true;

    return COMMERCE_CLI_OK;
}


bool
commerce_cli_replay_text(replay_t *r, const char *pointer, commerce_str_t *text)
{
    if (!commerce_cli_event_text(r->event, pointer, text) || text->len > COMMERCE_ID_MAX) {
        *text = commerce_string("");
        return false;
    }

    return true;
}


commerce_fen_t
commerce_cli_replay_fen(replay_t *r, const char *pointer)
{
    int64_t  fen;

    return commerce_cli_event_number(r->event, pointer, &fen) ? fen : -1;
}
