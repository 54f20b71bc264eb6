/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce buyer erase: a buyer is forgotten, what finance needs stays.
 *
 * His orders and the coupons that he spent go to a scope that was drawn at random, and so does what they are counted
 * against; binding, touches, claims and the rest of his counters are deleted; coupons that he holds are nobody's
 * any more.  Nothing is done while one of his orders is open.  A run that was broken off is finished by another.
 */

#include <stdlib.h>

#include "../commerce_count.h"
#include "../commerce_path.h"
#include "commerce_cli.h"

#define ERASE_SCOPE  64
#define ERASE_EVENT  1024
#define ERASE_KEYS   256                /* keys found in one scan */


typedef struct {
    commerce_str_t           user, pseudonym, scope;
    char                     scope_text[ERASE_SCOPE], pseudonym_text[COMMERCE_PSEUDONYM_SIZE];
    commerce_event_source_t  events;
    commerce_time_t          now;
    commerce_str_t           keys[ERASE_KEYS];  /* found by a scan, to be worked on one by one */
    unsigned                 key_count, key;
    uint64_t                 orders, coupons, others;
    char                     open[COMMERCE_ID_MAX + 1];     /* key of an order that is not settled; or empty */
} erase_t;


static int erase_run(commerce_cli_t *cli, erase_t *erase);
static int erase_kind(commerce_cli_t *cli, erase_t *erase, char kind, commerce_cli_visit_t find,
    commerce_cli_work_t work);
static int erase_keep(commerce_cli_t *cli, erase_t *erase, commerce_str_t name);
static int erase_seller(commerce_cli_t *cli, erase_t *erase);
static bool erase_scoped(const erase_t *erase, commerce_str_t name);
static int erase_alias(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int erase_open(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static bool erase_is_open(const commerce_order_t *order);
static int erase_find_order(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int erase_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int erase_find_coupon(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int erase_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int erase_coupon_change(commerce_cli_t *cli, commerce_txn_t *txn, erase_t *erase, unsigned campaign,
    uint32_t serial);
static int erase_find_scoped(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int erase_record(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int erase_find_counter(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int erase_counter(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int erase_buyer(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int erase_tell(commerce_cli_t *cli, commerce_txn_t *txn, void *data);


int
commerce_cli_buyer_erase(commerce_cli_t *cli, int argc, char **argv)
{
    int       rc;
    char      id[COMMERCE_EVENT_ID];
    erase_t  *erase;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    erase = calloc(1, sizeof(erase_t));
    if (erase == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = COMMERCE_CLI_FAILED;

    if (commerce_cli_id(cli, "user", argv[1], &erase->user) == COMMERCE_CLI_OK
        && commerce_cli_shop(cli) == COMMERCE_CLI_OK && commerce_cli_keys(cli) == COMMERCE_CLI_OK
        && commerce_cli_now(cli, &erase->now) == COMMERCE_CLI_OK
        && commerce_cli_open(cli, false) == COMMERCE_CLI_OK)
    {
        if (commerce_event_id(&erase->events, (int64_t) erase->now * 1000000, id) != COMMERCE_OK
            || commerce_keyring_pseudonym(cli->ring, cli->shop, erase->user, erase->pseudonym_text)
               != COMMERCE_OK)
        {
            rc = commerce_cli_fail(cli, "the system gave no random bytes: try again later");

        } else {

            /* of the id only what is random */

            snprintf(erase->scope_text, sizeof(erase->scope_text), "erased %.17s", id + 19);
            erase->scope = commerce_cstr(erase->scope_text);
            erase->pseudonym = commerce_cstr(erase->pseudonym_text);

            rc = erase_run(cli, erase);
        }
    }

    free(erase);

    return rc;
}


static int
erase_run(commerce_cli_t *cli, erase_t *erase)
{
    int  rc;

    rc = erase_seller(cli, erase);

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'b', erase_alias, NULL);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'o', erase_open, NULL);
    }

    if (rc == COMMERCE_CLI_OK && erase->open[0] != '\0') {
        rc = commerce_cli_fail(cli, "order \"%s\" of this user is open (not settled, in doubt, or holding a"
                               " coupon): nothing was erased, try again when it is settled",
                               commerce_cli_text(cli, commerce_cstr(erase->open)));
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_transact(cli, erase_buyer, erase);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'o', erase_find_order, erase_order);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'B', erase_find_scoped, erase_record);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'y', erase_find_scoped, erase_record);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'c', erase_find_coupon, erase_coupon);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = erase_kind(cli, erase, 'n', erase_find_counter, erase_counter);
    }

    if (rc == COMMERCE_CLI_OK && erase->orders + erase->coupons + erase->others != 0) {
        rc = commerce_cli_transact(cli, erase_tell, erase);
    }

    if (rc == COMMERCE_CLI_OK) {
        fprintf(cli->out, "%llu orders and %llu coupons without their buyer, %llu other records deleted\n",
                (unsigned long long) erase->orders, (unsigned long long) erase->coupons,
                (unsigned long long) erase->others);
    }

    return rc;
}


/* scans, works on what was found, and scans again until nothing is */
static int
erase_kind(commerce_cli_t *cli, erase_t *erase, char kind, commerce_cli_visit_t find, commerce_cli_work_t work)
{
    int  rc;

    do {
        erase->key_count = 0;

        rc = commerce_cli_view(cli, NULL);

        if (rc == COMMERCE_CLI_OK) {
            rc = commerce_cli_scan(cli, kind, find, erase);
        }

        commerce_cli_view_end(cli);

        if (rc == COMMERCE_CLI_AGAIN) {
            rc = COMMERCE_CLI_OK;           /* as many as there is room for */
        }

        for (erase->key = 0; rc == COMMERCE_CLI_OK && erase->key < erase->key_count; erase->key++) {
            rc = commerce_cli_transact(cli, work, erase);
        }

    } while (rc == COMMERCE_CLI_OK && erase->key_count == ERASE_KEYS);

    return rc;
}


static int
erase_keep(commerce_cli_t *cli, erase_t *erase, commerce_str_t name)
{
    commerce_str_t  *key;

    key = &erase->keys[erase->key_count];
    *key = commerce_copy(cli->arena, name);

    if (key->data == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    return ++erase->key_count == ERASE_KEYS ? COMMERCE_CLI_AGAIN : COMMERCE_CLI_OK;
}


static int
erase_seller(commerce_cli_t *cli, erase_t *erase)
{
    int                rc;
    commerce_person_t  person;

    rc = commerce_cli_view(cli, NULL);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_person_of_user(&cli->reader, erase->user, &person, NULL) != COMMERCE_ABSENT) {
        rc = commerce_cli_fail(cli, "this user is person \"%.*s\": take the user off that record first"
                               " (people import, an empty user)", commerce_cli_arg(person.id));
    }

    commerce_cli_view_end(cli);

    return rc;
}


/* orders and coupons stand under each name of a buyer's: whoever forgets the first one would forget the others */
static int
erase_alias(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    erase_t           *erase = data;
    commerce_buyer_t   buyer;

    if (commerce_buyer_read(&cli->reader, record->name, &buyer, NULL) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "buyer", record->name);
    }

    if (!commerce_equal(buyer.canonical, erase->user)) {
        return COMMERCE_CLI_OK;
    }

    return commerce_cli_fail(cli, "\"%s\" is another name of this user: erase that one first",
                             commerce_cli_text(cli, record->name));
}


/* "<user> 1f ..." */
static bool
erase_scoped(const erase_t *erase, commerce_str_t name)
{
    return name.len > erase->user.len && memcmp(name.data, erase->user.data, erase->user.len) == 0
           && name.data[erase->user.len] == COMMERCE_PATH_SEPARATOR;
}


static int
erase_open(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    erase_t           *erase = data;
    commerce_order_t   order;

    if (!erase_scoped(erase, record->name)) {
        return COMMERCE_CLI_OK;
    }

    if (commerce_order_decode(cli->reader.arena, record->value, &order) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", record->name);
    }

    if (erase_is_open(&order)) {
        memcpy(erase->open, order.key.data, order.key.len);
        erase->open[order.key.len] = '\0';
    }

    return COMMERCE_CLI_OK;
}


/* a cart that nobody came back to is not: it holds nothing, and nothing will become of it */
static bool
erase_is_open(const commerce_order_t *order)
{
    unsigned  i;

    if (order->doubt != 0 || order->due != COMMERCE_FOREVER || order->state == COMMERCE_ORDER_PENDING
        || order->state == COMMERCE_ORDER_UNKNOWN)
    {
        return true;
    }

    for (i = 0; i < order->coupon_count; i++) {
        if (order->coupons[i].use == COMMERCE_USE_RESERVED) {
            return true;
        }
    }

    return false;
}


static int
erase_find_order(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    erase_t  *erase = data;

    if (!erase_scoped(erase, record->name)) {
        return COMMERCE_CLI_OK;
    }

    return erase_keep(cli, erase, (commerce_str_t) { record->name.data + erase->user.len + 1,
                                                     record->name.len - erase->user.len - 1 });
}


/* the order and the coupons that it spent, together: each names the other */
static int
erase_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                rc;
    unsigned           i;
    uint64_t           version;
    erase_t           *erase = data;
    commerce_order_t   order;

    rc = commerce_order_read(&cli->reader, erase->user, erase->keys[erase->key], &order, &version);

    if (rc == COMMERCE_ABSENT) {
        return COMMERCE_CLI_OK;
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", erase->keys[erase->key]);
    }

    if (erase_is_open(&order)) {
        return commerce_cli_fail(cli, "order \"%s\" of this user was opened meanwhile: try again when it is settled",
                                 commerce_cli_text(cli, order.key));
    }

    if (order.state == COMMERCE_ORDER_CART && order.receipt_count == 0) {
        commerce_order_remove(txn, cli->shop, &order, version);
        erase->others++;
        return COMMERCE_CLI_OK;
    }

    for (i = 0; i < order.coupon_count; i++) {
        if (order.coupons[i].use == COMMERCE_USE_REDEEMED) {
            rc = erase_coupon_change(cli, txn, erase, order.coupons[i].campaign, order.coupons[i].serial);

            if (rc != COMMERCE_CLI_OK) {
                return rc;
            }
        }
    }

    if (commerce_order_rename_sale(&cli->reader, txn, &order, erase->scope) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "payments or refunds of order", order.key);
    }

    commerce_order_rename(txn, cli->shop, &order, version, erase->scope);
    erase->orders++;

    return COMMERCE_CLI_OK;
}


static int
erase_find_coupon(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    erase_t            *erase = data;
    commerce_coupon_t   coupon;

    if (commerce_coupon_decode(cli->reader.arena, record->value, &coupon) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "coupon", record->name);
    }

    if (!commerce_equal(coupon.holder, erase->user) && !commerce_equal(coupon.used_by, erase->user)
        && !commerce_equal(coupon.order_user, erase->user))
    {
        return COMMERCE_CLI_OK;
    }

    return erase_keep(cli, erase, record->name);
}


/* "<campaign, 4 hex>/<serial, 8 hex>" */
static int
erase_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    erase_t         *erase = data;
    commerce_str_t   name = erase->keys[erase->key];
    char             hex[9];
    unsigned         campaign;

    memcpy(hex, name.data, 4);
    hex[4] = '\0';
    campaign = (unsigned) strtoul(hex, NULL, 16);

    memcpy(hex, name.data + 5, 8);
    hex[8] = '\0';

    return erase_coupon_change(cli, txn, erase, campaign, (uint32_t) strtoul(hex, NULL, 16));
}


/* what it is counted against follows, so that limits of the campaign hold on */
static int
erase_coupon_change(commerce_cli_t *cli, commerce_txn_t *txn, erase_t *erase, unsigned campaign, uint32_t serial)
{
    bool                 used;
    unsigned             i, count;
    uint64_t             version;
    commerce_coupon_t    coupon;
    commerce_count_op_t  ops[COMMERCE_COUNT_OPS];

    if (commerce_coupon_read(&cli->reader, campaign, serial, &coupon, &version) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "serial %u of campaign number %u cannot be read: run \"commerce store"
                                 " check\"", serial, campaign);
    }

    used = (coupon.state == COMMERCE_COUPON_RESERVED || coupon.state == COMMERCE_COUPON_REDEEMED)
           && commerce_equal(coupon.used_by, erase->user);

    if (used) {
        count = commerce_count_ops(txn->arena, cli->shop, &coupon, NULL, ops);

        for (i = 0; i < count; i++) {
            commerce_txn_add(txn, ops[i].key, -ops[i].n, COMMERCE_FOREVER, 0);
        }
    }

    coupon.holder = commerce_equal(coupon.holder, erase->user) ? erase->scope : coupon.holder;
    coupon.used_by = commerce_equal(coupon.used_by, erase->user) ? erase->scope : coupon.used_by;
    coupon.order_user = commerce_equal(coupon.order_user, erase->user) ? erase->scope : coupon.order_user;

    if (used) {
        count = commerce_count_ops(txn->arena, cli->shop, &coupon, NULL, ops);

        for (i = 0; i < count; i++) {
            commerce_txn_add(txn, ops[i].key, ops[i].n, COMMERCE_FOREVER, 0);
        }
    }

    commerce_coupon_write(txn, cli->shop, &coupon, version);
    erase->coupons++;

    return COMMERCE_CLI_OK;
}


static int
erase_find_scoped(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    return erase_scoped(data, record->name) ? erase_keep(cli, data, record->key) : COMMERCE_CLI_OK;
}


static int
erase_record(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    erase_t  *erase = data;

    commerce_txn_delete(txn, erase->keys[erase->key]);
    erase->others++;

    return COMMERCE_CLI_OK;
}


/* "<letter>/<campaign>[/<day>]/<user>": what is left of his counters when his coupons are not his any more */
static int
erase_find_counter(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    size_t           i, len;
    erase_t         *erase = data;
    commerce_str_t   name = record->name;

    /* the letters first: another user's id may end like this one's behind what looks like a day */

    static const struct {
        const char  *letters;
        size_t       len;
    } heads[] = {
        { "v", sizeof("v/0001/") - 1 },
        { "V", sizeof("V/0001/") - 1 },
        { "yv", sizeof("yv/0001/") - 1 },
        { "w", sizeof("w/0001/00000001/") - 1 },
        { "W", sizeof("W/0001/00000001/") - 1 },
        { "yw", sizeof("yw/0001/00000001/") - 1 }
    };

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        len = strlen(heads[i].letters);

        if (name.len == heads[i].len + erase->user.len
            && memcmp(name.data, heads[i].letters, len) == 0 && name.data[len] == '/'
            && memcmp(name.data + heads[i].len, erase->user.data, erase->user.len) == 0)
        {
            return erase_keep(cli, erase, record->key);
        }
    }

    return COMMERCE_CLI_OK;
}


static int
erase_counter(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int64_t   value;
    erase_t  *erase = data;

    if (commerce_view_counter(cli->reader.view, erase->keys[erase->key], &value) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "counter", erase->keys[erase->key]);
    }

    commerce_txn_delete(txn, erase->keys[erase->key]);
    erase->others++;

    return COMMERCE_CLI_OK;
}


static int
erase_buyer(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                rc;
    uint64_t           version;
    erase_t           *erase = data;
    commerce_buyer_t   buyer;

    rc = commerce_buyer_read(&cli->reader, erase->user, &buyer, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "buyer", erase->user);
    }

    if (rc == COMMERCE_OK) {
        commerce_buyer_remove(txn, cli->shop, erase->user, version);
        erase->others++;
    }

    return COMMERCE_CLI_OK;
}


static int
erase_tell(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    char              buffer[ERASE_EVENT];
    erase_t          *erase = data;
    commerce_write_t  w;

    if (commerce_event_start(&w, buffer, sizeof(buffer), &erase->events, "erase", cli->shop,
                             (int64_t) erase->now * 1000000)
        == COMMERCE_OK)
    {
        commerce_write_text(&w, "buyer", erase->pseudonym);
        commerce_write_int(&w, "orders", (int64_t) erase->orders);
        commerce_write_int(&w, "coupons", (int64_t) erase->coupons);
    }

    commerce_txn_event(txn, commerce_copy(txn->arena, commerce_event_finish(&w)));

    return COMMERCE_CLI_OK;
}
