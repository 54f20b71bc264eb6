/*
 * Copyright (C) ngx_commerce authors
 *
 * Every record of a shop, alone and against the records it names.
 */

#include <stdarg.h>
#include <stdlib.h>

#include "../commerce_imported.h"
#include "commerce_cli_check.h"



static int check_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static void check_buyer(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_history(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_campaign(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_campaign_index(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static int check_coupon(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_coupon_campaign(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name);
static void check_coupon_order(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name);
static void check_coupon_counter(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name);
static void check_order(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_order_indexes(commerce_cli_check_t *check, const commerce_order_t *order,
    const char *name);
static void check_order_coupons(commerce_cli_check_t *check, const commerce_order_t *order,
    const char *name);
static void check_order_id(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_imported(commerce_cli_check_t *check, const commerce_cli_record_t *record);
static void check_import(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name);
static void check_print(commerce_cli_check_t *check, const char *format, va_list args);


void
commerce_cli_check_say(commerce_cli_check_t *check, const char *format, ...)
{
    va_list  args;

    check->violations++;

    va_start(args, format);
    check_print(check, format, args);
    va_end(args);
}


void
commerce_cli_check_note(commerce_cli_check_t *check, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    check_print(check, format, args);
    va_end(args);
}


static void
check_print(commerce_cli_check_t *check, const char *format, va_list args)
{
    fprintf(check->out, "%.*s: ", commerce_cli_arg(check->cli->shop));
    vfprintf(check->out, format, args);
    fputc('\n', check->out);
}


int
commerce_cli_check_records(commerce_cli_check_t *check)
{
    int          rc;
    const char  *kind;

    for (kind = "pPugGlLaAjJSbBkKcywoidehqQmMFfsxXz"; *kind != '\0'; kind++) {
        rc = commerce_cli_scan(check->cli, *kind, check_visit, check);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
check_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    const char            *name;
    commerce_cli_check_t  *check = data;

    check->records++;
    name = commerce_cli_text(cli, record->name);

    switch (record->name.data[-2]) {        /* the kind: "<shop>/<kind>/<name>" */
    case 'p':
        return commerce_cli_check_person(check, record, name);
    case 'P':
    case 'u':
        commerce_cli_check_person_index(check, record, name);
        break;
    case 'g':
    case 'l':
    case 'a':
    case 'j':
        commerce_cli_check_place(check, record, name);
        break;
    case 'G':
    case 'L':
    case 'A':
    case 'J':
        commerce_cli_check_place_index(check, record, name);
        break;
    case 'S':
        commerce_cli_check_retail_store(check, record, name);
        break;
    case 'b':
        check_buyer(check, record, name);
        break;
    case 'B':
        check_history(check, record, name);
        break;
    case 'k':
        check_campaign(check, record, name);
        break;
    case 'K':
        check_campaign_index(check, record, name);
        break;
    case 'c':
        return check_coupon(check, record, name);
    case 'y':
        commerce_cli_check_claim(check, record, name);
        break;
    case 'w':
        commerce_cli_check_redemption(check, record, name);
        break;
    case 'o':
        check_order(check, record, name);
        break;
    case 'i':
        check_order_id(check, record, name);
        break;
    case 'd':
        commerce_cli_check_due(check, record, name);
        break;
    case 'e':
        commerce_cli_check_doubt(check, record, name);
        break;
    case 'h':
        commerce_cli_check_shop_key(check, record, name);
        break;
    case 'q':
    case 'Q':
    case 'm':
    case 'M':
    case 'F':
    case 'f':
    case 't':
        commerce_cli_check_money(check, record, name);
        break;
    case 'x':
        check_imported(check, record);
        break;
    case 'X':
        check_import(check, record, name);
        break;
    case 'z':
        commerce_cli_check_commission(check, record, name);
        break;
    default:
        break;
    }

    return COMMERCE_CLI_OK;
}


void
commerce_cli_check_named(commerce_cli_check_t *check, const char *what, const char *name, uint64_t number)
{
    commerce_person_t  person;

    if (number != 0
        && commerce_person_read(&check->cli->reader, number, &person, NULL) != COMMERCE_OK)
    {
        commerce_cli_check_say(check, "%s \"%s\": names person number %llu, who is not there or"
                               " cannot be read", what, name, (unsigned long long) number);
    }
}


static void
check_buyer(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_buyer_t  buyer;

    if (commerce_buyer_read(&check->cli->reader, record->name, &buyer, NULL) != COMMERCE_OK) {
        commerce_cli_check_say(check, "buyer \"%s\": unreadable", name);
        return;
    }

    commerce_cli_check_named(check, "buyer", name, buyer.binding.owner);
    commerce_cli_check_named(check, "buyer", name, buyer.binding.origin);
    commerce_cli_check_named(check, "buyer", name, buyer.binding.previous);
}


static void
check_history(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    char                 hex[17];
    commerce_str_t       user;
    commerce_time_t      at;
    commerce_history_t   entry;

    /* "<user> 1f <time, 16 hex>" */

    if (record->name.len < sizeof(hex)) {
        commerce_cli_check_say(check, "history of a buyer, entry \"%s\": no such entry can be", name);
        return;
    }

    user.data = record->name.data;
    user.len = record->name.len - sizeof(hex);
    memcpy(hex, user.data + user.len + 1, sizeof(hex) - 1);
    hex[16] = '\0';
    at = (commerce_time_t) strtoull(hex, NULL, 16);

    if (commerce_history_next(&check->cli->reader, user, at - 1, &entry) != COMMERCE_OK || entry.at != at) {
        commerce_cli_check_say(check, "history of a buyer, entry \"%s\": unreadable", name);
        return;
    }

    commerce_cli_check_named(check, "history of a buyer", name, entry.owner);
    commerce_cli_check_named(check, "history of a buyer", name, entry.previous);
}


static void
check_campaign(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t      path;
    commerce_reader_t   *reader;
    commerce_campaign_t  campaign, found;

    reader = &check->cli->reader;

    if (commerce_campaign_decode(reader->arena, record->value, &campaign) != COMMERCE_OK) {
        commerce_cli_check_say(check, "campaign %s: unreadable", name);
        return;
    }

    commerce_path_number(&path, check->cli->shop, 'k', campaign.number, 4);

    if (!commerce_cli_check_key(record, &path)) {
        commerce_cli_check_say(check, "campaign %s: says that it is number %u", name,
                               campaign.number);
        return;
    }

    if (commerce_campaign_find(reader, campaign.id, &found, NULL) != COMMERCE_OK
        || found.number != campaign.number)
    {
        commerce_cli_check_say(check, "campaign %s: the index of ids does not lead here", name);
    }

    check->closed[campaign.number] = campaign.closed != 0;
    commerce_cli_check_highest(check, COMMERCE_CLI_CHECK_CAMPAIGN, campaign.number);
    commerce_cli_check_named(check, "campaign", name, campaign.promoter);
}


static void
check_campaign_index(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    commerce_campaign_t  campaign;

    if (commerce_campaign_find(&check->cli->reader, record->name, &campaign, NULL) != COMMERCE_OK
        || !commerce_equal(campaign.id, record->name))
    {
        commerce_cli_check_say(check, "index of campaigns, entry \"%s\": leads to no such campaign",
                               name);
    }
}


static int
check_coupon(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t    path;
    commerce_coupon_t  coupon;

    if (commerce_coupon_decode(check->cli->reader.arena, record->value, &coupon) != COMMERCE_OK) {
        commerce_cli_check_say(check, "coupon %s: unreadable", name);
        return COMMERCE_CLI_OK;
    }

    commerce_path_coupon(&path, check->cli->shop, coupon.campaign, coupon.serial);

    if (!commerce_cli_check_key(record, &path)) {
        commerce_cli_check_say(check, "coupon %s: says that it is serial %u of campaign number %u",
                               name, coupon.serial, coupon.campaign);
        return COMMERCE_CLI_OK;
    }

    check_coupon_campaign(check, &coupon, name);

    if (coupon.claimed != 0) {
        check->claims[coupon.campaign]++;
    }

    if (coupon.state != COMMERCE_COUPON_RESERVED && coupon.state != COMMERCE_COUPON_REDEEMED) {
        if (coupon.order_key.len != 0) {
            commerce_cli_check_say(check, "coupon %s: %s, but names an order", name,
                                   commerce_coupon_state_name(coupon.state));
        }

        return COMMERCE_CLI_OK;
    }

    if (coupon.request.len != 0) {
        commerce_cli_check_redeemed(check, &coupon, name);

    } else if (coupon.state == COMMERCE_COUPON_RESERVED || coupon.order_key.len != 0) {
        check_coupon_order(check, &coupon, name);
    }                                       /* else its order was let go (commerce_collect.h) */

    if (!check->closed[coupon.campaign]) {
        check_coupon_counter(check, &coupon, name);
    }

    return commerce_cli_tally_use(check, &coupon);
}


static void
check_coupon_campaign(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name)
{
    commerce_campaign_t  campaign;

    if (commerce_campaign_read(&check->cli->reader, coupon->campaign, &campaign, NULL)
        != COMMERCE_OK)
    {
        commerce_cli_check_say(check, "coupon %s: its campaign is not there or cannot be read",
                               name);
        return;
    }

    if (coupon->serial >= campaign.minted && coupon->claimed == 0) {
        commerce_cli_check_say(check, "coupon %s: its campaign has minted only %u", name,
                               campaign.minted);
    }
}


static void
check_coupon_order(commerce_cli_check_t *check, const commerce_coupon_t *coupon, const char *name)
{
    unsigned          i;
    commerce_use_t    use;
    commerce_order_t  order;

    use = coupon->state == COMMERCE_COUPON_RESERVED ? COMMERCE_USE_RESERVED
                                                    : COMMERCE_USE_REDEEMED;

    if (commerce_order_read(&check->cli->reader, coupon->order_user, coupon->order_key, &order,
                            NULL)
        != COMMERCE_OK)
    {
        commerce_cli_check_say(check, "coupon %s: %s by an order that is not there or cannot be"
                               " read", name, commerce_coupon_state_name(coupon->state));
        return;
    }

    for (i = 0; i < order.coupon_count; i++) {
        if (order.coupons[i].campaign == coupon->campaign
            && order.coupons[i].serial == coupon->serial && order.coupons[i].use == use)
        {
            return;
        }
    }

    commerce_cli_check_say(check, "coupon %s: %s by order \"%s\", which does not name it so", name,
                           commerce_coupon_state_name(coupon->state),
                           commerce_cli_text(check->cli, order.key));
}


static void
check_coupon_counter(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name)
{
    int64_t              value;
    unsigned             i, count;
    commerce_count_op_t  ops[COMMERCE_COUNT_OPS];

    count = commerce_count_ops(check->cli->reader.arena, check->cli->shop, coupon, NULL, ops);

    for (i = 0; i < count; i++) {
        if (commerce_view_counter(check->cli->reader.view, ops[i].key, &value) != COMMERCE_OK
            || value < ops[i].n)
        {
            commerce_cli_check_say(check, "coupon %s: counter \"%s\" does not count it", name,
                                   commerce_cli_text(check->cli, ops[i].key));
        }
    }
}


static void
check_order(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t   path;
    commerce_order_t  order;

    if (commerce_order_decode(check->cli->reader.arena, record->value, &order) != COMMERCE_OK) {
        commerce_cli_check_say(check, "order \"%s\": unreadable", name);
        return;
    }

    commerce_path_order(&path, check->cli->shop, order.user, order.key);

    if (!commerce_cli_check_key(record, &path)) {
        commerce_cli_check_say(check, "order \"%s\": says that its key is \"%s\"", name,
                               commerce_cli_text(check->cli, order.key));
        return;
    }

    if (order.doubt != 0) {
        check->doubt++;
    }

    check_order_indexes(check, &order, name);
    check_order_coupons(check, &order, name);
    commerce_cli_check_sale(check, &order, name);
}


static void
check_order_indexes(commerce_cli_check_t *check, const commerce_order_t *order, const char *name)
{
    commerce_path_t   path;
    commerce_str_t    value;
    commerce_order_t  found;

    if (order->due != COMMERCE_FOREVER) {
        commerce_path_due(&path, check->cli->shop, order->due, order->user, order->key);

        if (commerce_path_get(&check->cli->reader, &path, &value, NULL) != COMMERCE_OK) {
            commerce_cli_check_say(check, "order \"%s\": due, but not in the index of due orders",
                                   name);
        }
    }

    if (order->doubt != 0) {
        commerce_cli_check_in_doubt(check, order, name);
    }

    if (order->shop_key
        && (commerce_order_key_user(&check->cli->reader, order->key, &value) != COMMERCE_OK
            || !commerce_equal(value, order->user)))
    {
        commerce_cli_check_say(check, "order \"%s\": the shop's key is not its user's", name);
    }

    if (order->id.len != 0
        && (commerce_order_find(&check->cli->reader, order->id, &found, NULL) != COMMERCE_OK
            || !commerce_equal(found.user, order->user) || !commerce_equal(found.key, order->key)))
    {
        commerce_cli_check_say(check, "order \"%s\": the index of order ids does not lead here",
                               name);
    }
}


static void
check_order_coupons(commerce_cli_check_t *check, const commerce_order_t *order, const char *name)
{
    unsigned                        i;
    commerce_coupon_t               coupon;
    commerce_coupon_state_t         state;
    const commerce_order_coupon_t  *use;

    for (i = 0; i < order->coupon_count; i++) {
        use = &order->coupons[i];

        if (use->use != COMMERCE_USE_RESERVED && use->use != COMMERCE_USE_REDEEMED) {
            continue;
        }

        state = use->use == COMMERCE_USE_RESERVED ? COMMERCE_COUPON_RESERVED
                                                  : COMMERCE_COUPON_REDEEMED;

        if (commerce_coupon_read(&check->cli->reader, use->campaign, use->serial, &coupon, NULL)
                != COMMERCE_OK
            || coupon.state != state || !commerce_equal(coupon.order_user, order->user)
            || !commerce_equal(coupon.order_key, order->key))
        {
            commerce_cli_check_say(check, "order \"%s\": has serial %u of campaign number %u %s,"
                                   " but that coupon is not its own so", name, use->serial,
                                   use->campaign, commerce_use_name(use->use));
        }
    }
}


static void
check_order_id(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_order_t  order;

    if (commerce_order_find(&check->cli->reader, record->name, &order, NULL) != COMMERCE_OK
        || !commerce_equal(order.id, record->name))
    {
        commerce_cli_check_say(check, "index of order ids, entry \"%s\": leads to no such order",
                               name);
    }
}


/* a code made elsewhere leads to a coupon of a campaign that has such codes */

static void
check_imported(commerce_cli_check_t *check, const commerce_cli_record_t *record)
{
    commerce_campaign_t  campaign;
    commerce_imported_t  coupon;

    if (record->name.len != COMMERCE_IMPORTED_HASH
        || commerce_imported_decode(record->value, &coupon) != COMMERCE_OK)
    {
        commerce_cli_check_say(check, "an imported code is unreadable");
        return;
    }

    /* what is wrong with a campaign is said once, not for each of its codes */

    if (check->imported_campaign != coupon.campaign) {
        check->imported_campaign = coupon.campaign;
        check->imported_minted = UINT32_MAX;

        if (commerce_campaign_read(&check->cli->reader, coupon.campaign, &campaign, NULL) != COMMERCE_OK
            || !campaign.imported)
        {
            commerce_cli_check_say(check, "imported codes lead to campaign number %u, which is not there or whose"
                                   " codes are signed", coupon.campaign);
            return;
        }

        check->imported_minted = campaign.minted;
    }

    if (coupon.serial >= check->imported_minted) {
        commerce_cli_check_say(check, "an imported code leads to serial %u of campaign number %u, which has only %u",
                               coupon.serial, coupon.campaign, check->imported_minted);
    }
}


static void
check_import(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_import_t  import;

    if (commerce_import_decode(record->value, &import) != COMMERCE_OK) {
        commerce_cli_check_say(check, "the import into campaign %s: unreadable", name);

    } else if (import.done != import.rows) {
        commerce_cli_check_note(check, "the import into campaign %s is not finished: %llu of %llu codes", name,
                                (unsigned long long) import.done, (unsigned long long) import.rows);
    }
}


bool
commerce_cli_check_key(const commerce_cli_record_t *record, const commerce_path_t *path)
{
    return !path->bad && commerce_equal(record->key, commerce_path_str(path));
}


void
commerce_cli_check_highest(commerce_cli_check_t *check, unsigned kind, uint64_t number)
{
    if (number > check->highest[kind]) {
        check->highest[kind] = number;
    }
}
