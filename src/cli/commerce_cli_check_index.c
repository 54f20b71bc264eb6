/*
 * Copyright (C) ngx_commerce authors
 *
 * Indexes of orders by due time, by doubt and by the shop's keys, against their orders; the outbox.
 */

#include "../commerce_json.h"
#include "commerce_cli_check.h"

#define CHECK_TIME_DIGITS  16


static int check_timed(commerce_cli_check_t *check, const commerce_cli_record_t *record, commerce_order_t *order);


/* the entry must be the one that its order would write */
void
commerce_cli_check_due(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t   path;
    commerce_order_t  order;

    if (check_timed(check, record, &order) == COMMERCE_OK && order.due != COMMERCE_FOREVER) {
        commerce_path_due(&path, check->cli->shop, order.due, order.user, order.key);

        if (commerce_cli_check_key(record, &path)) {
            return;
        }
    }

    commerce_cli_check_say(check, "index of due orders, entry \"%s\": no order is due so", name);
}


void
commerce_cli_check_doubt(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_path_t   path;
    commerce_order_t  order;

    if (check_timed(check, record, &order) == COMMERCE_OK && order.doubt != 0) {
        commerce_path_doubt(&path, check->cli->shop, order.created, order.user, order.key);

        if (commerce_cli_check_key(record, &path)) {
            return;
        }
    }

    commerce_cli_check_say(check, "index of orders in doubt, entry \"%s\": no order is in doubt so", name);
}


/* the order of an entry "<time, 16 hex>/<user> 1f <key>" */
static int
check_timed(commerce_cli_check_t *check, const commerce_cli_record_t *record, commerce_order_t *order)
{
    const char      *separator;
    commerce_str_t   user, key;

    separator = memchr(record->name.data, COMMERCE_PATH_SEPARATOR, record->name.len);

    if (separator == NULL || separator - record->name.data <= CHECK_TIME_DIGITS) {
        return COMMERCE_ERROR;
    }

    user.data = record->name.data + CHECK_TIME_DIGITS + 1;
    user.len = (size_t) (separator - user.data);
    key.data = separator + 1;
    key.len = record->name.len - (size_t) (key.data - record->name.data);

    return commerce_order_read(&check->cli->reader, user, key, order, NULL);
}


/* one that an older version wrote gets its entry from the collector: a remark, no violation */
void
commerce_cli_check_in_doubt(commerce_cli_check_t *check, const commerce_order_t *order, const char *name)
{
    commerce_path_t  path;
    commerce_str_t   value;

    commerce_path_doubt(&path, check->cli->shop, order->created, order->user, order->key);

    if (commerce_path_get(&check->cli->reader, &path, &value, NULL) != COMMERCE_OK) {
        commerce_cli_check_note(check, "order \"%s\": in doubt, but not yet in the index of those", name);
    }
}


void
commerce_cli_check_shop_key(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    commerce_str_t    user;
    commerce_order_t  order;

    if (commerce_order_key_user(&check->cli->reader, record->name, &user) != COMMERCE_OK
        || commerce_order_read(&check->cli->reader, user, record->name, &order, NULL) != COMMERCE_OK
        || !order.shop_key)
    {
        commerce_cli_check_say(check, "index of the shop's keys, entry \"%s\": leads to no such order", name);
    }
}


/* what waits for the log must be events, or the log would stop at it */
int
commerce_cli_check_outbox(commerce_cli_t *cli, FILE *out, uint64_t *violations)
{
    int               rc;
    uint64_t          sequence;
    commerce_str_t    body, text;
    commerce_heap_t  *heap;
    commerce_view_t  *view;
    commerce_json_t  *root, *node;

    sequence = 0;

    if (commerce_store_thread_view(cli->store, &view) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }

    while ((rc = commerce_view_outbox(view, sequence, &sequence, &body)) == COMMERCE_OK) {
        heap = commerce_heap_create();

        if (heap == NULL) {
            commerce_view_end(view);
            return commerce_cli_fail(cli, "out of memory");
        }

        if (commerce_json_parse(commerce_heap_arena(heap), body, &root) != COMMERCE_R(OK)
            || commerce_json_find(root, commerce_string("/id"), &node) != COMMERCE_R(OK) || node == NULL
            || commerce_json_text(node, &text) != COMMERCE_R(OK) || text.len != COMMERCE_EVENT_ID
            || memchr(body.data, '\n', body.len) != NULL)
        {
            fprintf(out, "event %llu of the outbox: is none\n", (unsigned long long) sequence);
            (*violations)++;
        }

        commerce_heap_destroy(heap);
    }

    commerce_view_end(view);

    return rc == COMMERCE_ABSENT ? COMMERCE_CLI_OK
           : commerce_cli_fail(cli, "the outbox of %s cannot be read", cli->store_path);
}
