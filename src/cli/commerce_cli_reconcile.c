/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce coupon reconcile: what the backend has, as CSV, against what the gateway has.  Orders in doubt are
 * settled by it; whatever differs otherwise is said, line by line, and left alone.
 */

#include <csv.h>
#include <stdarg.h>

#include "commerce_cli_doubt.h"

#define RECONCILE_FILE_MAX  (256 * 1024 * 1024)


typedef enum {
    COLUMN_KEY,
    COLUMN_USER,
    COLUMN_ID,
    COLUMN_STATE,
    COLUMN_AMOUNT,
    COLUMN_COUPONS,
    COLUMNS
} reconcile_column_t;

typedef struct {
    commerce_cli_t           *cli;
    const char               *path;
    commerce_unit_t           unit;
    bool                      dry;
    commerce_time_t           now;
    commerce_event_source_t   events;

    unsigned                  line;         /* of the record, which may span several */
    unsigned                  lines;
    int                       columns[COLUMNS];     /* place of each; -1 = not there */
    bool                      header;
    commerce_str_t            fields[COLUMNS];
    unsigned                  count;        /* fields of this record so far */
    int                       failed;       /* a COMMERCE_CLI_ code that ends it */

    unsigned                  settled, agreed, differing, left;
} reconcile_t;


static int reconcile_file(reconcile_t *r, commerce_str_t data);
static void reconcile_field(void *field, size_t len, void *data);
static void reconcile_record(int terminator, void *data);
static void reconcile_header(reconcile_t *r, commerce_str_t name);
static int reconcile_row(reconcile_t *r);
static int reconcile_find(reconcile_t *r, commerce_order_t *order, bool *found);
static int reconcile_order(reconcile_t *r, const commerce_order_t *order);
static int reconcile_compare(reconcile_t *r, const commerce_order_t *order, commerce_fen_t amount);
static int reconcile_settle(reconcile_t *r, const commerce_order_t *order, commerce_fen_t amount);
static int reconcile_step(reconcile_t *r, commerce_cli_settle_t *settle, commerce_step_t step);
static bool reconcile_coupons(reconcile_t *r, const commerce_order_t *order);
static bool reconcile_coupon(reconcile_t *r, const commerce_order_t *order, commerce_str_t text,
    unsigned *set);
static bool reconcile_amount(reconcile_t *r, commerce_fen_t *amount);
static int reconcile_left(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int reconcile_say(reconcile_t *r, unsigned *counter, const char *format, ...)
    __attribute__((format(printf, 3, 4)));


static const char *const  reconcile_names[COLUMNS] = {
    "key", "user", "id", "state", "amount", "coupons"
};


int
commerce_cli_coupon_reconcile(commerce_cli_t *cli, int argc, char **argv)
{
    int             c, rc, dry_run;
    reconcile_t     r;
    commerce_str_t  data;
    struct option   options[] = {
        { "dry-run", no_argument, &dry_run, 1 },
        { "unit", required_argument, NULL, 'u' },
        { NULL, 0, NULL, 0 }
    };

    memset(&r, 0, sizeof(reconcile_t));
    dry_run = 0;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'u' && strcmp(optarg, "yuan") == 0) {
            r.unit = COMMERCE_UNIT_YUAN;

        } else if (c != 0 && (c != 'u' || strcmp(optarg, "fen") != 0)) {
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    r.cli = cli;
    r.path = argv[optind];
    r.dry = dry_run != 0;

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &r.now) != COMMERCE_CLI_OK
        || commerce_cli_file(cli, r.path, RECONCILE_FILE_MAX, &data) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = reconcile_file(&r, data);

    if (rc != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || commerce_cli_scan(cli, 'o', reconcile_left, &r) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%ssettled %u, agree %u, differ %u; still in doubt %u\n",
            r.dry ? "nothing is written, it would be: " : "", r.settled, r.agreed, r.differing, r.left);

    return r.differing != 0 ? COMMERCE_CLI_FAILED : COMMERCE_CLI_OK;
}


static int
reconcile_file(reconcile_t *r, commerce_str_t data)
{
    size_t             n;
    const char        *end;
    struct csv_parser  parser;

    if (csv_init(&parser, CSV_STRICT|CSV_STRICT_FINI) != 0) {
        return commerce_cli_fail(r->cli, "out of memory");
    }

    if (data.len >= 3 && memcmp(data.data, "\xef\xbb\xbf", 3) == 0) {
        data.data += 3;
        data.len -= 3;
    }

    r->line = 1;

    /* line by line, or nobody would know where a record stands */

    while (data.len != 0 && r->failed == COMMERCE_CLI_OK) {
        end = memchr(data.data, '\n', data.len);
        n = end != NULL ? (size_t) (end - data.data) + 1 : data.len;

        r->lines++;

        if (csv_parse(&parser, data.data, n, reconcile_field, reconcile_record, r) != n
            && r->failed == COMMERCE_CLI_OK)
        {
            r->failed = commerce_cli_fail(r->cli, "%s:%u: a quote stands where none may be: put the whole field"
                                          " into quotes, and write a quote inside as \"\"", r->path, r->lines);
        }

        data.data += n;
        data.len -= n;
    }

    if (r->failed == COMMERCE_CLI_OK
        && csv_fini(&parser, reconcile_field, reconcile_record, r) != 0)
    {
        r->failed = commerce_cli_fail(r->cli, "%s:%u: a quoted field begins here and does not end", r->path, r->line);
    }

    csv_free(&parser);

    if (r->failed == COMMERCE_CLI_OK && !r->header) {
        r->failed = commerce_cli_fail(r->cli, "%s: the file is empty: its first line names the columns,"
                                      " key,user,id,state,amount,coupons", r->path);
    }

    return r->failed;
}


static void
reconcile_field(void *field, size_t len, void *data)
{
    unsigned        i;
    reconcile_t    *r = data;
    commerce_str_t  text;

    if (r->failed != COMMERCE_CLI_OK) {
        return;
    }

    text = commerce_copy(r->cli->arena, (commerce_str_t) { field, len });

    if (len != 0 && text.data == NULL) {
        r->failed = commerce_cli_fail(r->cli, "out of memory");
        return;
    }

    if (!r->header) {
        reconcile_header(r, text);

    } else {
        for (i = 0; i < COLUMNS; i++) {
            if (r->columns[i] == (int) r->count) {
                r->fields[i] = text;
            }
        }
    }

    r->count++;
}


static void
reconcile_header(reconcile_t *r, commerce_str_t name)
{
    unsigned  i;

    if (r->count == 0) {
        for (i = 0; i < COLUMNS; i++) {
            r->columns[i] = -1;
        }
    }

    for (i = 0; i < COLUMNS; i++) {
        if (commerce_equal(name, commerce_cstr(reconcile_names[i]))) {
            r->columns[i] = (int) r->count;
            return;
        }
    }

    r->failed = commerce_cli_fail(r->cli, "%s:1: no column \"%s\": there are key, user, id, state, amount, coupons",
                                  r->path, commerce_cli_text(r->cli, name));
}


static void
reconcile_record(int terminator, void *data)
{
    reconcile_t  *r = data;

    if (r->failed == COMMERCE_CLI_OK && r->count != 0) {

        if (r->header) {
            r->failed = reconcile_row(r);

        } else if (r->columns[COLUMN_STATE] < 0
                   || (r->columns[COLUMN_KEY] < 0 && r->columns[COLUMN_ID] < 0))
        {
            r->failed = commerce_cli_fail(r->cli, "%s:1: the columns state, and key or id, must be there", r->path);
        }

        r->header = true;
    }

    memset(r->fields, 0, sizeof(r->fields));
    r->count = 0;
    r->line = r->lines + 1;
}


static int
reconcile_row(reconcile_t *r)
{
    int               rc;
    bool              found;
    commerce_order_t  order;

    commerce_cli_alive(r->cli);

    if (r->fields[COLUMN_KEY].len == 0 && r->fields[COLUMN_ID].len == 0) {
        return reconcile_say(r, &r->differing, "neither key nor id");
    }

    found = false;
    found = false;
    rc = reconcile_find(r, &order, &found);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (found) {
        return reconcile_order(r, &order);
    }

    if (commerce_equal(r->fields[COLUMN_STATE], commerce_string("absent"))) {
        r->agreed++;
        return COMMERCE_CLI_OK;
    }

    return reconcile_say(r, &r->differing, "the gateway does not know this order");
}


static int
reconcile_find(reconcile_t *r, commerce_order_t *order, bool *found)
{
    int              rc;
    commerce_cli_t  *cli = r->cli;
    commerce_str_t   user;

    if (commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = COMMERCE_ABSENT;

    if (r->fields[COLUMN_KEY].len != 0) {
        user = r->fields[COLUMN_USER];

        if (user.len == 0) {
            (void) commerce_order_key_user(&cli->reader, r->fields[COLUMN_KEY], &user);
        }

        rc = commerce_order_read(&cli->reader, user, r->fields[COLUMN_KEY], order, NULL);
    }

    if (rc == COMMERCE_ABSENT && r->fields[COLUMN_ID].len != 0) {
        rc = commerce_order_find(&cli->reader, r->fields[COLUMN_ID], order, NULL);
    }

    commerce_cli_view_end(cli);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "order", r->fields[COLUMN_KEY]);
    }

    *found = rc == COMMERCE_OK;

    return COMMERCE_CLI_OK;
}


static int
reconcile_order(reconcile_t *r, const commerce_order_t *order)
{
    commerce_fen_t  amount;

    if (!reconcile_amount(r, &amount)) {
        return reconcile_say(r, &r->differing, "\"%s\" is no amount",
                             commerce_cli_text(r->cli, r->fields[COLUMN_AMOUNT]));
    }

    if (!reconcile_coupons(r, order)) {
        return reconcile_say(r, &r->differing, "other coupons than the gateway has reserved for it%s",
                             order->doubt != 0 ? ": it stays in doubt" : "");
    }

    return commerce_cli_in_doubt(order, r->now) ? reconcile_settle(r, order, amount)
                                                : reconcile_compare(r, order, amount);
}


/* not in doubt: nothing is changed here, whatever the backend says */

static int
reconcile_compare(reconcile_t *r, const commerce_order_t *order, commerce_fen_t amount)
{
    bool            same;
    commerce_str_t  state = r->fields[COLUMN_STATE];

    if (order->state == COMMERCE_ORDER_PENDING
        || (order->state == COMMERCE_ORDER_CART && order->cart != COMMERCE_CART_IDLE))
    {
        return reconcile_say(r, &r->differing, "it is with the backend right now: run this again later");
    }

    same = commerce_equal(state, commerce_cstr(commerce_order_state_name(order->state)))
           || (commerce_equal(state, commerce_string("absent")) && order->state == COMMERCE_ORDER_CART);

    if (!same) {
        return reconcile_say(r, &r->differing, "the backend has it %s, the gateway %s",
                             commerce_cli_text(r->cli, state), commerce_order_state_name(order->state));
    }

    if (amount >= 0 && order->payable >= 0 && amount != order->payable) {
        return reconcile_say(r, &r->differing, "the backend asks %lld fen, the gateway was told %lld",
                             (long long) amount, (long long) order->payable);
    }

    r->agreed++;

    return COMMERCE_CLI_OK;
}


static int
reconcile_settle(reconcile_t *r, const commerce_order_t *order, commerce_fen_t amount)
{
    int                    rc;
    commerce_str_t         state = r->fields[COLUMN_STATE];
    commerce_cli_settle_t  settle;

    memset(&settle, 0, sizeof(commerce_cli_settle_t));

    settle.user = order->user;
    settle.key = order->key;
    settle.answer.id = r->fields[COLUMN_ID];
    settle.answer.payable = amount;
    settle.by = commerce_string("reconcile");
    settle.events = &r->events;
    settle.now = r->now;
    settle.dry = r->dry;

    if (commerce_equal(state, commerce_string("absent"))) {

        if (order->state != COMMERCE_ORDER_UNKNOWN && order->state != COMMERCE_ORDER_PENDING) {
            return reconcile_say(r, &r->differing, "the backend does not have it, the gateway has it %s: it stays in"
                                 " doubt", commerce_order_state_name(order->state));
        }

        return reconcile_step(r, &settle, COMMERCE_STEP_REFUSED);
    }

    if (commerce_equal(state, commerce_string("cancelled"))) {
        return reconcile_step(r, &settle, COMMERCE_STEP_CANCELLED);
    }

    if (commerce_equal(state, commerce_string("paid"))) {

        /* placed first, so that its amount is looked at */

        settle.step = COMMERCE_STEP_ACCEPTED;
        rc = commerce_cli_settle(r->cli, &settle);

        return rc == COMMERCE_CLI_OK ? reconcile_step(r, &settle, COMMERCE_STEP_PAID) : rc;
    }

    if (commerce_equal(state, commerce_string("placed"))) {
        return reconcile_step(r, &settle, COMMERCE_STEP_ACCEPTED);
    }

    return reconcile_say(r, &r->differing, "\"%s\" is no state: there are placed, paid, cancelled and absent",
                         commerce_cli_text(r->cli, state));
}


static int
reconcile_step(reconcile_t *r, commerce_cli_settle_t *settle, commerce_step_t step)
{
    int  rc;

    settle->step = step;
    rc = commerce_cli_settle(r->cli, settle);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (settle->found && settle->doubt != 0) {
        return reconcile_say(r, &r->differing, "%s: it stays in doubt",
                             settle->doubt & COMMERCE_DOUBT_AMOUNT
                             ? "its amount or coupons are not what the rules give" : "no certain answer");
    }

    return reconcile_say(r, &r->settled, "settled: %s",
                         settle->found ? commerce_order_state_name(settle->state) : "forgotten");
}


/* without the column, or with an empty field, nothing is compared */

static bool
reconcile_coupons(reconcile_t *r, const commerce_order_t *order)
{
    size_t          i, start;
    unsigned        k, set, want;
    commerce_str_t  list = r->fields[COLUMN_COUPONS];

    if (list.len == 0 || commerce_equal(r->fields[COLUMN_STATE], commerce_string("absent"))) {
        return true;
    }

    set = 0;

    for (i = 0; i < list.len; i++) {

        for (start = i; i < list.len && list.data[i] != ' ' && list.data[i] != ';'; i++) { /* void */ }

        if (i > start
            && !reconcile_coupon(r, order, (commerce_str_t) { list.data + start, i - start }, &set))
        {
            return false;
        }
    }

    want = 0;

    for (k = 0; k < order->coupon_count; k++) {
        if (order->coupons[k].use == COMMERCE_USE_RESERVED || order->coupons[k].use == COMMERCE_USE_REDEEMED) {
            want |= 1U << k;
        }
    }

    return set == want;
}


static bool
reconcile_coupon(reconcile_t *r, const commerce_order_t *order, commerce_str_t text, unsigned *set)
{
    int                     found;
    commerce_code_t         code;
    commerce_cart_coupon_t  named = { .code = text };

    if (commerce_code_parse(text, &code) == COMMERCE_R(OK)
        && commerce_code_verify(r->cli->ring, r->cli->shop, &code) == COMMERCE_R(OK))
    {
        named.campaign = code.campaign;
        named.serial = code.serial;
    }

    found = commerce_cart_find(order, &named);

    if (found >= 0) {
        *set |= 1U << found;
    }

    return found >= 0;
}


static bool
reconcile_amount(reconcile_t *r, commerce_fen_t *amount)
{
    bool  rounded;

    *amount = -1;

    return r->fields[COLUMN_AMOUNT].len == 0
           || commerce_amount_parse(r->fields[COLUMN_AMOUNT], r->unit, amount, &rounded) == COMMERCE_OK;
}


static int
reconcile_left(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    reconcile_t       *r = data;
    commerce_order_t   order;

    if (commerce_order_decode(cli->reader.arena, record->value, &order) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "order", record->name);
    }

    r->left += order.doubt != 0;

    return COMMERCE_CLI_OK;
}


static int
reconcile_say(reconcile_t *r, unsigned *counter, const char *format, ...)
{
    va_list          args;
    commerce_cli_t  *cli = r->cli;

    (*counter)++;

    fprintf(cli->out, "%s:%u: ", r->path, r->line);

    if (r->fields[COLUMN_KEY].len != 0) {
        fprintf(cli->out, "order %s: ", commerce_cli_text(cli, r->fields[COLUMN_KEY]));

    } else if (r->fields[COLUMN_ID].len != 0) {
        fprintf(cli->out, "order with id %s: ", commerce_cli_text(cli, r->fields[COLUMN_ID]));
    }

    va_start(args, format);
    vfprintf(cli->out, format, args);
    va_end(args);

    fputc('\n', cli->out);

    return COMMERCE_CLI_OK;
}
