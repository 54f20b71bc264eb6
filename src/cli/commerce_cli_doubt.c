/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce order list --in-doubt, and the commands that end a doubt: confirm, cancel, refuse, approve.
 */

#include <stdlib.h>

#include "commerce_cli_doubt.h"


typedef struct {
    commerce_order_t  *orders;
    size_t             count, room;
} doubt_list_t;


static int doubt_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int doubt_older(const void *a, const void *b);
static void doubt_print(commerce_cli_t *cli, const commerce_order_t *order, commerce_time_t now);
static void doubt_words(const commerce_order_t *order, char *out, size_t size);
static void doubt_what(const commerce_order_t *order, char *out, size_t size);
static void doubt_until(commerce_cli_t *cli, const commerce_order_t *order);
static const char *doubt_advice(const commerce_order_t *order);
static void doubt_age(commerce_time_t seconds, char *out, size_t size);
static int doubt_command(commerce_cli_t *cli, int argc, char **argv, commerce_step_t step);
static int doubt_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static commerce_reason_t doubt_step(commerce_ledger_t *ledger, commerce_order_t *order,
    uint64_t version, const commerce_cli_settle_t *settle);
static commerce_reason_t doubt_refuse_cart(commerce_ledger_t *ledger, commerce_order_t *order,
    uint64_t version, commerce_str_t by);


int
commerce_cli_order_list(commerce_cli_t *cli, int argc, char **argv)
{
    int              c, rc, what;
    size_t           i;
    doubt_list_t     list;
    commerce_time_t  now;
    struct option    options[] = {
        { "in-doubt", no_argument, NULL, 'd' },
        { "partly-paid", no_argument, NULL, 'p' },
        { "refunded", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 }
    };

    what = 0;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?' || what != 0) {
            return COMMERCE_CLI_USAGE;
        }

        what = c;
    }

    if (what == 0 || argc != optind) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (what != 'd') {
        return commerce_cli_order_sales(cli, what == 'r');
    }

    memset(&list, 0, sizeof(doubt_list_t));

    rc = commerce_cli_scan(cli, 'o', doubt_visit, &list);

    if (rc == COMMERCE_CLI_OK && list.count != 0) {
        qsort(list.orders, list.count, sizeof(commerce_order_t), doubt_older);

        for (i = 0; i < list.count; i++) {
            doubt_print(cli, &list.orders[i], now);
        }
    }

    free(list.orders);

    return rc;
}


static int
doubt_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    size_t             room;
    doubt_list_t      *list = data;
    commerce_order_t   order, *more;

    if (commerce_order_decode(cli->reader.arena, record->value, &order) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", record->name);
    }

    if (order.doubt == 0) {
        return COMMERCE_CLI_OK;
    }

    /* once more, to be kept */

    if (commerce_order_decode(cli->arena, record->value, &order) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "out of memory");
    }

    if (list->count == list->room) {
        room = list->room != 0 ? 2 * list->room : 16;
        more = realloc(list->orders, room * sizeof(commerce_order_t));

        if (more == NULL) {
            return commerce_cli_fail(cli, "out of memory");
        }

        list->orders = more;
        list->room = room;
    }

    list->orders[list->count++] = order;

    return COMMERCE_CLI_OK;
}


static int
doubt_older(const void *a, const void *b)
{
    const commerce_order_t  *x = a, *y = b;

    return x->created < y->created ? -1 : x->created > y->created;
}


/* key, user, the backend's id, age, what is in doubt, what of it, until when, and what to do */
static void
doubt_print(commerce_cli_t *cli, const commerce_order_t *order, commerce_time_t now)
{
    char            age[32], words[32], what[160];
    commerce_str_t  none;

    none = commerce_string("-");

    doubt_age(now - order->created, age, sizeof(age));
    doubt_words(order, words, sizeof(words));
    doubt_what(order, what, sizeof(what));

    fprintf(cli->out, "%.*s\t%.*s\t%.*s\t%s\t%s\t%s\t", commerce_cli_arg(order->key),
            commerce_cli_arg(order->user.len != 0 ? order->user : none),
            commerce_cli_arg(order->id.len != 0 ? order->id : none), age, words, what);
    doubt_until(cli, order);
    fprintf(cli->out, "\t%s\n", doubt_advice(order));
}


static void
doubt_words(const commerce_order_t *order, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", order->doubt & COMMERCE_DOUBT_UNKNOWN ? "unknown" : "",
             order->doubt == (COMMERCE_DOUBT_UNKNOWN|COMMERCE_DOUBT_AMOUNT) ? "," : "",
             order->doubt & COMMERCE_DOUBT_AMOUNT ? "amount" : "");
}


static void
doubt_what(const commerce_order_t *order, char *out, size_t size)
{
    unsigned  i, held;

    held = 0;

    for (i = 0; i < order->coupon_count; i++) {
        held += order->coupons[i].use == COMMERCE_USE_RESERVED;
    }

    if (order->doubt & COMMERCE_DOUBT_AMOUNT) {
        if (order->payable >= 0 && order->claimed >= 0 && order->discount >= 0) {
            snprintf(out, size, "the backend asks %lld fen, goods less discount are %lld; %u coupons held",
                     (long long) order->payable, (long long) (order->claimed - order->discount), held);
        } else {
            snprintf(out, size, "the backend honoured what the rules do not allow; %u coupons held", held);
        }

        return;
    }

    snprintf(out, size, "%s; %u coupons held",
             order->state != COMMERCE_ORDER_CART ? "no certain answer to the order"
             : order->fresh != 0 ? "no certain answer when a coupon was applied to the cart"
                                 : "no certain answer when a coupon was removed from the cart", held);
}


static void
doubt_until(commerce_cli_t *cli, const commerce_order_t *order)
{
    if (order->in_doubt == COMMERCE_POLICY_HOLD || order->deadline == COMMERCE_FOREVER
        || (order->state != COMMERCE_ORDER_UNKNOWN && order->state != COMMERCE_ORDER_CART
            && order->state != COMMERCE_ORDER_PLACED))
    {
        fprintf(cli->out, "until somebody tells");
        return;
    }

    fprintf(cli->out, "until %s", commerce_cli_time(cli, order->deadline));
}


static const char *
doubt_advice(const commerce_order_t *order)
{
    if (order->doubt & COMMERCE_DOUBT_AMOUNT) {
        return "look at it: order approve, or order cancel";
    }

    return order->state == COMMERCE_ORDER_CART
           ? "does the backend's cart have the coupon?  order approve, or order refuse"
           : "does the backend have the order?  order approve, confirm (it is paid), cancel, or refuse";
}


static void
doubt_age(commerce_time_t seconds, char *out, size_t size)
{
    if (seconds < 0) {
        seconds = 0;
    }

    if (seconds >= 86400) {
        snprintf(out, size, "%lldd%lldh", (long long) seconds / 86400,
                 (long long) seconds % 86400 / 3600);

    } else if (seconds >= 3600) {
        snprintf(out, size, "%lldh%lldm", (long long) seconds / 3600,
                 (long long) seconds % 3600 / 60);

    } else {
        snprintf(out, size, "%lldm%llds", (long long) seconds / 60, (long long) seconds % 60);
    }
}


int
commerce_cli_order_confirm(commerce_cli_t *cli, int argc, char **argv)
{
    return doubt_command(cli, argc, argv, COMMERCE_STEP_PAID);
}


int
commerce_cli_order_cancel(commerce_cli_t *cli, int argc, char **argv)
{
    return doubt_command(cli, argc, argv, COMMERCE_STEP_CANCELLED);
}


int
commerce_cli_order_refuse(commerce_cli_t *cli, int argc, char **argv)
{
    return doubt_command(cli, argc, argv, COMMERCE_STEP_REFUSED);
}


int
commerce_cli_order_approve(commerce_cli_t *cli, int argc, char **argv)
{
    return doubt_command(cli, argc, argv, COMMERCE_STEP_APPROVED);
}


static int
doubt_command(commerce_cli_t *cli, int argc, char **argv, commerce_step_t step)
{
    int                      rc;
    commerce_order_t         order;
    commerce_cli_which_t     which;
    commerce_cli_settle_t    settle;
    commerce_event_source_t  events;

    if (commerce_cli_order_which(argc, argv, 0, &which) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_USAGE;
    }

    memset(&settle, 0, sizeof(commerce_cli_settle_t));
    memset(&events, 0, sizeof(commerce_event_source_t));

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &settle.now) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_cli_order_get(cli, &which, &order);
    commerce_cli_view_end(cli);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    settle.user = order.user;
    settle.key = order.key;
    settle.step = step;
    settle.by = commerce_string("tool");
    settle.events = &events;

    if (commerce_cli_settle(cli, &settle) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (settle.reason == COMMERCE_R(ORDER_CLOSED)) {
        return commerce_cli_fail(cli, "order \"%s\" was cancelled before: nothing is changed but that its payment is"
                                 " noted", commerce_cli_text(cli, order.key));
    }

    fprintf(cli->out, "order %s: %s%s%s\n", commerce_cli_text(cli, order.key),
            settle.reason == COMMERCE_R(ORDER_REPLAY) ? "nothing to do, it is " : "",
            commerce_order_state_name(settle.state), settle.doubt != 0 ? ", still in doubt" : "");

    return COMMERCE_CLI_OK;
}


int
commerce_cli_settle(commerce_cli_t *cli, commerce_cli_settle_t *settle)
{
    return commerce_cli_transact(cli, doubt_work, settle);
}


static int
doubt_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                     rc;
    uint64_t                version;
    commerce_order_t        order;
    commerce_ledger_t       ledger;
    commerce_cli_settle_t  *settle = data;

    rc = commerce_order_read(&cli->reader, settle->user, settle->key, &order, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "order", settle->key);
    }

    settle->found = rc == COMMERCE_OK;

    if (!settle->found) {
        return COMMERCE_CLI_OK;
    }

    ledger.reader = &cli->reader;
    ledger.txn = txn;
    ledger.events = settle->events;
    ledger.now = settle->now;
    ledger.now_us = settle->now * 1000000;

    settle->reason = doubt_step(&ledger, &order, version, settle);
    settle->state = order.state;
    settle->doubt = order.doubt;

    if (settle->reason == COMMERCE_R(INTERNAL)) {
        return commerce_cli_fail(cli, "order \"%s\" or one of its coupons cannot be read: \"commerce store check\""
                                 " says more", commerce_cli_text(cli, settle->key));
    }

    if (settle->dry) {
        commerce_txn_init(txn, txn->arena);
    }

    return COMMERCE_CLI_OK;
}


static commerce_reason_t
doubt_step(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    const commerce_cli_settle_t *settle)
{
    commerce_cart_answer_t  nothing;

    memset(&nothing, 0, sizeof(commerce_cart_answer_t));

    if (order->state == COMMERCE_ORDER_CART && settle->step == COMMERCE_STEP_REFUSED) {
        return doubt_refuse_cart(ledger, order, version, settle->by);
    }

    /* nobody judged a cart's coupons on its lines yet, and nobody names them now */

    if (order->cart != COMMERCE_CART_NONE && settle->step == COMMERCE_STEP_ACCEPTED) {
        return commerce_ledger_cart_complete(ledger, order, version, &settle->answer, &nothing, settle->by);
    }

    return commerce_ledger_resolve(ledger, order, version, settle->step, &settle->answer, settle->by);
}


/* the backend's cart has none of the coupons that nobody is certain of */

static commerce_reason_t
doubt_refuse_cart(commerce_ledger_t *ledger, commerce_order_t *order, uint64_t version,
    commerce_str_t by)
{
    unsigned                i, count;
    commerce_cart_answer_t  nothing;
    commerce_cart_coupon_t  named[COMMERCE_COUPONS_MAX];

    memset(&nothing, 0, sizeof(commerce_cart_answer_t));
    memset(named, 0, sizeof(named));

    for (i = 0, count = 0; i < order->coupon_count; i++) {
        if (order->open & (1U << i)) {
            named[count].campaign = order->coupons[i].campaign;
            named[count++].serial = order->coupons[i].serial;
        }
    }

    return count == 0 ? COMMERCE_R(ORDER_REPLAY)
                      : commerce_ledger_cart_settle(ledger, order, version, COMMERCE_CART_REMOVE,
                                                    COMMERCE_STEP_ACCEPTED, named, count, &nothing, by);
}


bool
commerce_cli_in_doubt(const commerce_order_t *order, commerce_time_t now)
{
    return order->doubt != 0
           || (order->state == COMMERCE_ORDER_PENDING && now >= order->in_flight_until);
}
