/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce order show: one order as it stands.
 */

#include "commerce_conduct.h"
#include "../commerce_path.h"
#include "../commerce_write.h"
#include "commerce_cli_doubt.h"

#define ORDER_TEXT_MAX  (1024 * 1024)


typedef struct {
    commerce_str_t    key;
    unsigned          found;
    commerce_order_t  order;
} order_search_t;


static int order_by_id(commerce_cli_t *cli, const char *argument, commerce_order_t *order);
static int order_by_key(commerce_cli_t *cli, const char *argument, const char *user,
    commerce_order_t *order);
static int order_search(commerce_cli_t *cli, commerce_str_t key, commerce_order_t *order);
static int order_search_visit(commerce_cli_t *cli, const commerce_cli_record_t *record,
    void *data);
static int order_print(commerce_cli_t *cli, const commerce_order_t *order);
static int order_write(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order);
static void order_write_policies(commerce_write_t *w, const commerce_order_t *order);
static void order_write_lines(commerce_write_t *w, const commerce_order_t *order);
static void order_write_credits(commerce_write_t *w, const commerce_order_t *order);
static void order_write_coupons(commerce_write_t *w, const commerce_order_t *order);


int
commerce_cli_order_show(commerce_cli_t *cli, int argc, char **argv)
{
    int                   rc;
    commerce_order_t      order;
    commerce_cli_which_t  which;

    if (commerce_cli_order_which(argc, argv, 0, &which) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_cli_order_get(cli, &which, &order);

    return rc == COMMERCE_CLI_OK ? order_print(cli, &order) : rc;
}


int
commerce_cli_order_which(int argc, char **argv, int before, commerce_cli_which_t *which)
{
    int                         c;
    static const struct option  options[] = {
        { "user", required_argument, NULL, 'u' },
        { "id", required_argument, NULL, 'i' },
        { NULL, 0, NULL, 0 }
    };

    memset(which, 0, sizeof(commerce_cli_which_t));

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'u':
            which->user = optarg;
            break;
        case 'i':
            which->id = optarg;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != before + (which->id == NULL) || (which->user != NULL && which->id != NULL)) {
        return COMMERCE_CLI_USAGE;
    }

    which->key = which->id == NULL ? argv[optind + before] : NULL;

    return COMMERCE_CLI_OK;
}


int
commerce_cli_order_get(commerce_cli_t *cli, const commerce_cli_which_t *which, commerce_order_t *order)
{
    return which->id != NULL ? order_by_id(cli, which->id, order) : order_by_key(cli, which->key, which->user, order);
}


static int
order_by_id(commerce_cli_t *cli, const char *argument, commerce_order_t *order)
{
    int                    rc;
    const char            *shown;
    commerce_str_t         id;
    commerce_parked_t      parked;
    commerce_parked_for_t  what;

    id = commerce_cstr(argument);
    shown = commerce_cli_text(cli, id);

    rc = commerce_order_find(&cli->reader, id, order, NULL);

    if (rc == COMMERCE_OK) {
        return COMMERCE_CLI_OK;
    }

    if (rc != COMMERCE_ABSENT) {
        return commerce_cli_unreadable(cli, "order with id", id);
    }

    what = (commerce_parked_for_t) { COMMERCE_PARKED_ID, id, commerce_string("") };

    if (commerce_parked_read(&cli->reader, &what, &parked, NULL) == COMMERCE_OK
        && parked.count != 0)
    {
        if (parked.count > 1) {
            return commerce_cli_fail(cli, "no order has the id \"%s\" yet: %u notices are parked"
                                     " for it and will be joined when the order's answer comes",
                                     shown, parked.count);
        }

        return commerce_cli_fail(cli, "no order has the id \"%s\" yet: a notice (%s) is parked for"
                                 " it since %s and will be joined when the order's answer comes",
                                 shown, commerce_step_name(parked.notices[0].kind),
                                 commerce_cli_time(cli, parked.notices[0].time));
    }

    return commerce_cli_fail(cli, "no order has the id \"%s\" in shop \"%s\": look for it by its"
                             " key", shown, cli->shop_name);
}


static int
order_by_key(commerce_cli_t *cli, const char *argument, const char *user, commerce_order_t *order)
{
    int             rc;
    commerce_str_t  key;

    key = commerce_cstr(argument);

    if (user == NULL) {
        return order_search(cli, key, order);
    }

    rc = commerce_order_read(&cli->reader, commerce_cstr(user), key, order, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "user \"%s\" has no order with the key \"%s\" in shop \"%s\":"
                                 " leave --user out to look for it with all users",
                                 commerce_cli_text(cli, commerce_cstr(user)),
                                 commerce_cli_text(cli, key), cli->shop_name);
    }

    return rc == COMMERCE_OK ? COMMERCE_CLI_OK : commerce_cli_unreadable(cli, "order", key);
}


/* a key belongs to its user: whoever knows the key alone gets the order if there is one only */
static int
order_search(commerce_cli_t *cli, commerce_str_t key, commerce_order_t *order)
{
    int             rc;
    order_search_t  search;

    memset(&search, 0, sizeof(order_search_t));
    search.key = key;

    rc = commerce_cli_scan(cli, 'o', order_search_visit, &search);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (search.found == 0) {
        return commerce_cli_fail(cli, "there is no order with the key \"%s\" in shop \"%s\": look"
                                 " for it by the backend's id with --id",
                                 commerce_cli_text(cli, key), cli->shop_name);
    }

    if (search.found > 1) {
        return commerce_cli_fail(cli, "%u users have an order with the key \"%s\": say which one"
                                 " with --user", search.found, commerce_cli_text(cli, key));
    }

    *order = search.order;

    return COMMERCE_CLI_OK;
}


static int
order_search_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    const char      *separator;
    order_search_t  *search = data;
    commerce_str_t   key;

    separator = memchr(record->name.data, COMMERCE_PATH_SEPARATOR, record->name.len);

    if (separator == NULL) {
        return COMMERCE_CLI_OK;
    }

    key.data = separator + 1;
    key.len = record->name.len - (size_t) (key.data - record->name.data);

    if (!commerce_equal(key, search->key)) {
        return COMMERCE_CLI_OK;
    }

    if (commerce_order_decode(cli->arena, record->value, &search->order) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", key);
    }

    search->found++;

    return COMMERCE_CLI_OK;
}


static int
order_print(commerce_cli_t *cli, const commerce_order_t *order)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = commerce_alloc(cli->arena, ORDER_TEXT_MAX);
    if (buffer == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    commerce_write_start(&w, buffer, ORDER_TEXT_MAX);

    if (order_write(cli, &w, order) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    len = commerce_write_finish(&w);

    if (len < 0) {
        return commerce_cli_fail(cli, "order \"%s\" is too long to be shown",
                                 commerce_cli_text(cli, order->key));
    }

    fprintf(cli->out, "%.*s\n", (int) len, buffer);

    return COMMERCE_CLI_OK;
}


static int
order_write(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order)
{
    int                 rc;
    char                policy[20];
    commerce_balance_t  balance;

    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "key", order->key);
    commerce_write_text(w, "user", order->user);
    commerce_write_text(w, "id", order->id);
    commerce_write_text(w, "state", commerce_cstr(commerce_order_state_name(order->state)));

    commerce_write_open(w, "doubt", '[');

    if (order->doubt & COMMERCE_DOUBT_UNKNOWN) {
        commerce_write_text(w, NULL, commerce_string("unknown"));
    }

    if (order->doubt & COMMERCE_DOUBT_AMOUNT) {
        commerce_write_text(w, NULL, commerce_string("amount"));
    }

    commerce_write_close(w, ']');

    commerce_write_bool(w, "paid", order->paid);
    commerce_write_text(w, "reason", commerce_reason(order->reason)->name);

    if (order->revision != 0) {
        commerce_write_int(w, "revision", order->revision);
    }

    commerce_cli_write_time(w, "created", order->created);
    commerce_cli_write_time(w, "in_flight_until", order->in_flight_until);
    commerce_cli_write_time(w, "deadline", order->deadline);
    commerce_cli_write_time(w, "due_at", order->due);
    commerce_cli_write_fen(w, "claimed", order->claimed);
    commerce_cli_write_fen(w, "discount", order->discount);
    commerce_cli_write_fen(w, "payable", order->payable);

    order_write_policies(w, order);

    commerce_write_text(w, "buyer", order->pseudonym);
    commerce_write_hex(w, "fingerprint", order->fingerprint, COMMERCE_FINGERPRINT);

    snprintf(policy, sizeof(policy), "%016llx", (unsigned long long) order->policy);
    commerce_write_text(w, "policy", commerce_cstr(policy));

    order_write_lines(w, order);
    order_write_credits(w, order);
    order_write_coupons(w, order);
    commerce_conduct_write(w, "conduct", order->conduct);
    commerce_conduct_write(w, "conduct_denied", order->conduct_denied);

    commerce_refund_balance(order, &balance);
    commerce_event_write_commission(w, order, order->paid ? &balance : NULL);

    rc = commerce_cli_order_sale(cli, w, order);
    commerce_write_close(w, '}');

    return rc;
}


static void
order_write_policies(commerce_write_t *w, const commerce_order_t *order)
{
    commerce_str_t  hold, release;

    hold = commerce_string("hold");
    release = commerce_string("release");

    commerce_write_text(w, "redeem_on", order->redeem_on_paid ? commerce_string("paid")
                                                              : commerce_string("order"));
    commerce_write_text(w, "unpaid", order->unpaid == COMMERCE_POLICY_HOLD ? hold : release);
    commerce_write_text(w, "in_doubt", order->in_doubt == COMMERCE_POLICY_HOLD ? hold : release);
}


static void
order_write_lines(commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                  i;
    commerce_balance_t        balance;
    const commerce_line_t    *line;
    const commerce_credit_t  *credit;

    commerce_refund_balance(order, &balance);
    commerce_write_open(w, "lines", '[');

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "sku", line->sku);
        commerce_write_int(w, "quantity", line->quantity);
        commerce_cli_write_fen(w, "amount", line->amount);
        commerce_cli_write_fen(w, "discount", line->discount);

        if (order->paid) {
            commerce_cli_write_fen(w, "paid", balance.paid[i]);
            commerce_cli_write_fen(w, "refunded", balance.refunded[i]);
            commerce_cli_write_fen(w, "net", balance.net[i]);
        }

        if (line->credit >= 0 && (unsigned) line->credit < order->credit_count) {
            credit = &order->credits[line->credit];
            commerce_write_optional(w, "seller", credit->seller_id);
            commerce_write_optional(w, "tier2", credit->tier2_id);
            commerce_event_write_rates(w, order, &line->rates);
        }

        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


static void
order_write_credits(commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    commerce_write_open(w, "credits", '[');

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(credit->source)));
        commerce_write_optional(w, "seller", credit->seller_id);
        commerce_write_optional(w, "tier2", credit->tier2_id);
        commerce_write_optional(w, "group", credit->group_id);
        commerce_write_optional(w, "room", credit->room_id);

        if (credit->channel_id.len != 0) {
            commerce_write_text(w, "channel", credit->channel_id);

        } else if (credit->channel != 0) {
            commerce_write_int(w, "channel", credit->channel);
        }

        commerce_write_optional(w, "field", commerce_cstr(commerce_field_name(credit->field)));
        commerce_write_optional(w, "origin", commerce_cstr(commerce_origin_name(credit->origin)));
        commerce_write_optional(w, "platform", credit->platform);

        if (credit->assist) {
            commerce_write_bool(w, "assist", true);
        }

        if (credit->touched != 0) {
            commerce_cli_write_time(w, "touched", credit->touched);
        }

        commerce_write_bool(w, "contributor", credit->contributor);
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


static void
order_write_coupons(commerce_write_t *w, const commerce_order_t *order)
{
    unsigned                        i;
    const commerce_order_coupon_t  *coupon;

    commerce_write_open(w, "coupons", '[');

    for (i = 0; i < order->coupon_count; i++) {
        coupon = &order->coupons[i];

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "campaign", coupon->campaign_id);
        commerce_write_int(w, "serial", coupon->serial);
        commerce_cli_write_fen(w, "discount", coupon->discount);
        commerce_write_text(w, "use", commerce_cstr(commerce_use_name(coupon->use)));
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}
