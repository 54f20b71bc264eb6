/*
 * Copyright (C) ngx_commerce authors
 *
 * Replay: what became of orders.
 */

#include <stdlib.h>

#include "../commerce_revision.h"
#include "commerce_cli_replay_event.h"
#include "commerce_conduct.h"


typedef commerce_cli_replay_run_t  replay_t;


static bool replay_order_state(replay_t *r, commerce_order_t *order, bool known);
static unsigned replay_order_rank(commerce_order_state_t state);
static bool replay_order_parts(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static bool replay_order_lines(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static unsigned replay_conduct(replay_t *r, const char *member);
static void replay_terms(replay_t *r, commerce_order_t *order);
static void replay_rates(replay_t *r, const char *part, commerce_rates_t *rates);
static int replay_credit(commerce_cli_t *cli, replay_t *r, commerce_order_t *order, const char *pointer);
static void replay_met(commerce_cli_t *cli, replay_t *r, commerce_credit_t *credit);
static void replay_order_id(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static void replay_order_uses(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);


int
commerce_cli_replay_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    uint64_t           version;
    replay_t          *r = data;
    commerce_order_t   order, before;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/order_key", &r->key) || r->key.len == 0
        || commerce_cli_replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    if (commerce_cli_replay_find(cli, r, &order, &version) == COMMERCE_ERROR) {
        r->problem = "the order's record cannot be read";
        return COMMERCE_CLI_OK;
    }

    before = order;

    if (!replay_order_state(r, &order, version != 0)) {
        return COMMERCE_CLI_OK;
    }

    if (order.state == COMMERCE_ORDER_FAILED) {
        if (version != 0) {
            commerce_order_remove(txn, cli->shop, &before, version);

            if (before.doubt != 0) {
                commerce_txn_add(txn, commerce_counter_doubt(txn->arena, cli->shop), -1, COMMERCE_FOREVER, 0);
            }
        }

        r->changed = txn->count != 0;
        return COMMERCE_CLI_OK;
    }

    if (!replay_order_parts(cli, r, &order)) {
        r->problem = "memory ran out";
        return COMMERCE_CLI_OK;
    }

    commerce_cli_replay_sale(cli, txn, r, &order);

    if (r->problem != NULL) {
        commerce_txn_init(txn, txn->arena);
        return COMMERCE_CLI_OK;
    }

    replay_order_id(cli, r, &order);
    replay_order_uses(cli, r, &order);
    commerce_cli_replay_due(&order);
    commerce_cli_replay_store(cli, txn, &order, version, &before);

    r->fresh_order = version == 0;
    r->changed = txn->count != 0;

    return COMMERCE_CLI_OK;
}


/* state, doubt and what was paid; false: the record is further than this event, or this is no event of an order */
static bool
replay_order_state(replay_t *r, commerce_order_t *order, bool known)
{
    unsigned        state;
    commerce_str_t  name, doubt;

    if (!commerce_cli_replay_text(r, "/state", &name)) {
        r->problem = "it names no state";
        return false;
    }

    for (state = 0; state < COMMERCE_ORDER_STATES; state++) {
        if (commerce_equal(name, commerce_cstr(commerce_order_state_name(state)))) {
            break;
        }
    }

    if (state == COMMERCE_ORDER_STATES) {
        r->problem = "this version knows no such state";
        return false;
    }

    /* an order does not go back; whoever refuses one does so before it was placed */

    if (known && (state == COMMERCE_ORDER_FAILED
                  ? replay_order_rank(order->state) > replay_order_rank(COMMERCE_ORDER_UNKNOWN)
                  : replay_order_rank(order->state) > replay_order_rank(state)))
    {
        return false;
    }

    order->state = state;
    order->paid = order->paid || state == COMMERCE_ORDER_PAID || state == COMMERCE_ORDER_SETTLED
                  || state == COMMERCE_ORDER_REFUNDED
                  || commerce_equal(r->event->type, commerce_string("paid"));
    order->doubt = 0;

    if (!commerce_cli_event_text(r->event, "/doubt/0", &doubt)) {
        doubt = commerce_string("");
    }

    if (commerce_equal(doubt, commerce_string("unknown"))) {
        order->doubt |= COMMERCE_DOUBT_UNKNOWN;
        (void) commerce_cli_event_text(r->event, "/doubt/1", &doubt);
    }

    if (commerce_equal(doubt, commerce_string("amount"))) {
        order->doubt |= COMMERCE_DOUBT_AMOUNT;
    }

    return true;
}


static unsigned
replay_order_rank(commerce_order_state_t state)
{
    switch (state) {

    case COMMERCE_ORDER_CART:
    case COMMERCE_ORDER_PENDING:
        return 0;

    case COMMERCE_ORDER_UNKNOWN:
        return 1;

    case COMMERCE_ORDER_PLACED:
        return 2;

    case COMMERCE_ORDER_PAID:
        return 3;

    case COMMERCE_ORDER_SETTLED:
        return 4;

    default:
        return 5;
    }
}


/* amounts; who is credited and the lines only where the record has none of its own */
static bool
replay_order_parts(commerce_cli_t *cli, replay_t *r, commerce_order_t *order)
{
    int64_t         revision;
    unsigned        i;
    commerce_str_t  text;

    order->claimed = commerce_cli_replay_fen(r, "/claimed");
    order->discount = commerce_cli_replay_fen(r, "/discount");
    order->payable = commerce_cli_replay_fen(r, "/payable");

    (void) commerce_cli_event_number(r->event, "/revision", &revision);

    if ((order->line_count != 0 || order->credit_count != 0) && revision <= (int64_t) order->revision) {
        return true;
    }

    /* its winners are as this event tells; contributors that it names are nobody's payees */

    order->credit_count = 0;
    order->revision = revision > 0 && revision <= COMMERCE_REVISIONS_MAX ? (unsigned) revision : 0;

    if (commerce_cli_replay_text(r, "/attribution", &text)) {
        for (i = 0; i < COMMERCE_REASON_COUNT; i++) {
            if (commerce_equal(commerce_reason(i)->name, text)) {
                order->reason = i;
            }
        }
    }

    if (commerce_cli_replay_text(r, "/policy", &text) && text.len == 16) {
        char  hex[17];

        memcpy(hex, text.data, 16);
        hex[16] = '\0';
        order->policy = strtoull(hex, NULL, 16);
    }

    order->conduct = replay_conduct(r, "/conduct");
    order->conduct_denied = replay_conduct(r, "/conduct_denied");
    replay_terms(r, order);

    return replay_order_lines(cli, r, order);
}


/* a flag that this version does not know is left out */
static unsigned
replay_conduct(replay_t *r, const char *member)
{
    char                pointer[64];
    unsigned            i, set;
    commerce_str_t      name;
    commerce_conduct_t  flag;

    set = 0;

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        snprintf(pointer, sizeof(pointer), "%s/%u", member, i);

        if (!commerce_cli_replay_text(r, pointer, &name)) {
            break;
        }

        if (commerce_conduct_parse(name, &flag) == COMMERCE_OK) {
            set |= COMMERCE_CONDUCT_BIT(flag);
        }
    }

    return set;
}


/* what commissions follow from; the rates of lines stand with them */
static void
replay_terms(replay_t *r, commerce_order_t *order)
{
    int64_t            number;
    commerce_str_t     text;
    commerce_terms_t  *terms = &order->terms;

    if (commerce_cli_event_number(r->event, "/commission/plan", &number) && number > 0 && number <= UINT32_MAX) {
        terms->plan = (uint32_t) number;
    }

    if (commerce_cli_event_number(r->event, "/commission/cap", &number) && number >= 0 && number <= 10000) {
        terms->cap = (unsigned) number;
    }

    terms->cap_all = commerce_cli_replay_text(r, "/commission/cap_over", &text)
                     && commerce_equal(text, commerce_string("all"));
    terms->double_pay = commerce_cli_replay_text(r, "/commission/double_pay", &text)
                        && commerce_equal(text, commerce_string("allow"));

    (void) commerce_cli_replay_text(r, "/commission/platform", &terms->platform);
    replay_rates(r, "/commission", &terms->rates);
}


static void
replay_rates(replay_t *r, const char *part, commerce_rates_t *rates)
{
    char     pointer[64];
    int64_t  number;

    snprintf(pointer, sizeof(pointer), "%s/rate1", part);

    if (commerce_cli_event_number(r->event, pointer, &number) && number >= 0 && number <= 10000) {
        rates->tier1 = (unsigned) number;
    }

    snprintf(pointer, sizeof(pointer), "%s/rate2", part);

    if (commerce_cli_event_number(r->event, pointer, &number) && number >= 0 && number <= 10000) {
        rates->tier2 = (unsigned) number;
    }
}


static bool
replay_order_lines(commerce_cli_t *cli, replay_t *r, commerce_order_t *order)
{
    char               pointer[32];
    int64_t            number;
    unsigned           i, count;
    commerce_json_t   *lines;
    commerce_line_t   *line;

    if (commerce_json_find(r->event->root, commerce_string("/lines"), &lines) != COMMERCE_R(OK)
        || lines == NULL)
    {
        (void) replay_credit(cli, r, order, "");
        return true;
    }

    count = commerce_json_count(lines);
    count = count < COMMERCE_LINES_MAX ? count : COMMERCE_LINES_MAX;

    order->lines = commerce_alloc(cli->reader.arena, (count + 1) * sizeof(commerce_line_t));
    if (order->lines == NULL) {
        return false;
    }

    for (i = 0; i < count; i++) {
        line = &order->lines[i];

        snprintf(pointer, sizeof(pointer), "/lines/%u/sku", i);
        (void) commerce_cli_replay_text(r, pointer, &line->sku);
        snprintf(pointer, sizeof(pointer), "/lines/%u/quantity", i);
        (void) commerce_cli_event_number(r->event, pointer, &number);
        line->quantity = number;
        snprintf(pointer, sizeof(pointer), "/lines/%u/amount", i);
        line->amount = commerce_cli_replay_fen(r, pointer);
        snprintf(pointer, sizeof(pointer), "/lines/%u/discount", i);
        line->discount = commerce_cli_replay_fen(r, pointer);
        snprintf(pointer, sizeof(pointer), "/lines/%u", i);
        line->credit = replay_credit(cli, r, order, pointer);
        replay_rates(r, pointer, &line->rates);
    }

    order->line_count = count;

    return true;
}


/* the index of a credit as the part tells it: seller, tier2, source; group and room are told once, of the winner */
static int
replay_credit(commerce_cli_t *cli, replay_t *r, commerce_order_t *order, const char *part)
{
    char                pointer[64];
    unsigned            i, source;
    commerce_str_t      seller, tier2, name;
    commerce_credit_t  *credit;
    commerce_person_t   person;

    snprintf(pointer, sizeof(pointer), "%s/seller", part);
    (void) commerce_cli_replay_text(r, pointer, &seller);
    snprintf(pointer, sizeof(pointer), "%s/tier2", part);
    (void) commerce_cli_replay_text(r, pointer, &tier2);
    snprintf(pointer, sizeof(pointer), "%s/source", part);
    (void) commerce_cli_replay_text(r, pointer, &name);

    for (source = 0; source < COMMERCE_SOURCES; source++) {
        if (commerce_equal(name, commerce_cstr(commerce_source_name(source)))) {
            break;
        }
    }

    if (source == COMMERCE_SOURCES || (seller.len == 0 && source == COMMERCE_SOURCE_NONE)) {
        return -1;
    }

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        if (credit->source == source && commerce_equal(credit->seller_id, seller)) {
            return (int) i;
        }
    }

    if (i == COMMERCE_CREDITS_MAX) {
        return -1;
    }

    credit = &order->credits[order->credit_count++];
    memset(credit, 0, sizeof(commerce_credit_t));

    credit->source = source;
    credit->seller_id = seller;
    credit->tier2_id = tier2;

    if (seller.len != 0 && commerce_person_find(&cli->reader, seller, &person, NULL) == COMMERCE_OK) {
        credit->seller = person.number;
    }

    if (tier2.len != 0 && commerce_person_find(&cli->reader, tier2, &person, NULL) == COMMERCE_OK) {
        credit->tier2 = person.number;
    }

    if (i == 0) {
        (void) commerce_cli_replay_text(r, "/group", &credit->group_id);
        (void) commerce_cli_replay_text(r, "/room", &credit->room_id);
        replay_met(cli, r, credit);
    }

    return (int) i;
}


/* a channel that is not in the directory was told by its number; what the source says by itself is not kept */
static void
replay_met(commerce_cli_t *cli, replay_t *r, commerce_credit_t *credit)
{
    commerce_str_t      text;
    commerce_field_t    field;
    commerce_origin_t   origin;
    commerce_channel_t  channel;

    if (commerce_cli_replay_text(r, "/channel", &text)
        && commerce_channel_find(&cli->reader, text, &channel, NULL) == COMMERCE_OK)
    {
        credit->channel = channel.number;
        credit->channel_id = text;
    }

    if (commerce_cli_replay_text(r, "/field", &text) && commerce_field_parse(text, &field) == COMMERCE_OK
        && field != commerce_source_field(credit->source))
    {
        credit->field = field;
    }

    if (commerce_cli_replay_text(r, "/origin", &text) && commerce_origin_parse(text, &origin) == COMMERCE_OK
        && origin != commerce_source_origin(credit->source))
    {
        credit->origin = origin;
    }

    (void) commerce_cli_replay_text(r, "/platform", &credit->platform);
}


static void
replay_order_id(commerce_cli_t *cli, replay_t *r, commerce_order_t *order)
{
    commerce_str_t  id, user, key;

    if (order->id.len == 0 && commerce_cli_replay_text(r, "/order_id", &id) && id.len != 0
        && commerce_order_owner(&cli->reader, id, &user, &key) == COMMERCE_ABSENT)
    {
        order->id = id;
    }
}


/* what became of its coupons that are not its own any more; those that are have told it themselves */
static void
replay_order_uses(commerce_cli_t *cli, replay_t *r, commerce_order_t *order)
{
    char                      pointer[32];
    int64_t                   serial;
    unsigned                  i, k, use;
    commerce_str_t            name, campaign;
    commerce_order_coupon_t  *coupon;

    for (i = 0; i < COMMERCE_COUPONS_MAX; i++) {
        snprintf(pointer, sizeof(pointer), "/coupons/%u/campaign", i);

        if (!commerce_cli_replay_text(r, pointer, &campaign) || campaign.len == 0) {
            return;
        }

        snprintf(pointer, sizeof(pointer), "/coupons/%u/serial", i);
        (void) commerce_cli_event_number(r->event, pointer, &serial);
        snprintf(pointer, sizeof(pointer), "/coupons/%u/use", i);
        (void) commerce_cli_replay_text(r, pointer, &name);

        for (use = 0; use < COMMERCE_USES; use++) {
            if (commerce_equal(name, commerce_cstr(commerce_use_name(use)))) {
                break;
            }
        }

        for (k = 0; k < order->coupon_count; k++) {
            coupon = &order->coupons[k];

            if (use < COMMERCE_USES && coupon->serial == serial
                && commerce_equal(coupon->campaign_id, campaign)
                && (use == COMMERCE_USE_LOST || use == COMMERCE_USE_RELEASED
                    || use == COMMERCE_USE_ROLLED_BACK))
            {
                coupon->use = use;
            }
        }
    }
}
