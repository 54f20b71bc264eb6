/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdlib.h>

#include "../commerce_imported.h"
#include "commerce_cli_replay_event.h"

#define REPLAY_SAID       20        /* events that could not be replayed, told one by one */
#define REPLAY_MALFORMED  "it is not what this version knows of such an event"
#define REPLAY_CAMPAIGN   "its campaign is not in the backup: one that is put again has another number, and its" \
                          " codes are not the old ones"


typedef commerce_cli_replay_run_t  replay_t;


static int replay_erased(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event);
static int replay_mint(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void replay_import(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, unsigned campaign,
    commerce_str_t file, int64_t first, int64_t count);
static int replay_claim(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int replay_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void replay_shop(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon, uint64_t version,
    commerce_coupon_state_t to);
static bool replay_states(replay_t *r, commerce_coupon_state_t *to);
static void replay_move(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon, uint64_t version,
    commerce_coupon_state_t to);
static void replay_count(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_coupon_t *coupon, int sign);
static void replay_coupon_order(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon);
static int replay_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static bool replay_order_state(replay_t *r, commerce_order_t *order, bool known);
static unsigned replay_order_rank(commerce_order_state_t state);
static bool replay_order_parts(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static bool replay_order_lines(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static int replay_credit(commerce_cli_t *cli, replay_t *r, commerce_order_t *order, const char *pointer);
static void replay_order_id(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static void replay_order_uses(commerce_cli_t *cli, replay_t *r, commerce_order_t *order);
static void replay_order_due(commerce_order_t *order);
static int replay_user(commerce_cli_t *cli, replay_t *r);


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
        { "mint", replay_mint },
        { "coupon_claim", replay_claim },
        { "coupon_reserve", replay_coupon },
        { "coupon_redeem", replay_coupon },
        { "coupon_release", replay_coupon },
        { "coupon_rollback", replay_coupon },
        { "order", replay_order },
        { "paid", replay_order },
        { "refund", replay_order },
        { "payment", commerce_cli_replay_payment }
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
    rc = replay_user(work->cli, &r);
    work->cli->shop = shop;

    if (rc == COMMERCE_CLI_OK && r.user.len != 0 && !r.stranger) {
        fprintf(work->out, "buyer \"%.*s\" of shop \"%.*s\" was erased after the backup, which has him:"
                " run \"commerce buyer erase\" again\n", commerce_cli_arg(r.user), commerce_cli_arg(event->shop));
    }

    return rc;
}


/*
 * Serials that were given out stay given out.  Whose they are is written down, be it by a pseudonym: then nobody can
 * use them, which is better than that anybody can.
 */
static int
replay_mint(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    int64_t               first, count, serial;
    uint64_t              version;
    replay_t             *r = data;
    commerce_str_t        id, file;
    commerce_coupon_t     coupon;
    commerce_campaign_t   campaign;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/campaign", &id) || !commerce_cli_event_number(r->event, "/first", &first)
        || !commerce_cli_event_number(r->event, "/count", &count) || first < 0 || count < 1
        || first + count > (int64_t) COMMERCE_CODE_SERIAL_MAX + 1 || replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    if (commerce_campaign_find(&cli->reader, id, &campaign, &version) != COMMERCE_OK) {
        r->problem = REPLAY_CAMPAIGN;
        return COMMERCE_CLI_OK;
    }

    if (commerce_cli_event_text(r->event, "/file", &file) && file.len != 0) {
        replay_import(cli, txn, r, campaign.number, file, first, count);
    }

    if (r->problem != NULL || campaign.minted >= first + count) {
        return COMMERCE_CLI_OK;
    }

    campaign.minted = (uint32_t) (first + count);
    commerce_campaign_write(txn, cli->shop, &campaign, version);
    r->changed = true;

    for (serial = first; r->user.len != 0 && count <= COMMERCE_CLI_PIECE && serial < first + count; serial++) {
        rc = commerce_coupon_read(&cli->reader, campaign.number, (uint32_t) serial, &coupon, NULL);

        if (rc == COMMERCE_ABSENT) {
            coupon.holder = r->user;
            coupon.changed = r->time;
            commerce_coupon_write(txn, cli->shop, &coupon, 0);
        }
    }

    return COMMERCE_CLI_OK;
}


/* codes made elsewhere are not in the log: whoever imports their file again gives each the serial that it had */
static void
replay_import(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, unsigned campaign, commerce_str_t file,
    int64_t first, int64_t count)
{
    int                rc;
    size_t             i;
    unsigned           byte;
    uint64_t           version;
    commerce_import_t  import;

    memset(&import, 0, sizeof(commerce_import_t));

    for (i = 0; i < sizeof(import.digest); i++) {

        if (file.len != 2 * sizeof(import.digest) || sscanf(file.data + 2 * i, "%2x", &byte) != 1) {
            r->problem = REPLAY_MALFORMED;
            return;
        }

        import.digest[i] = (uint8_t) byte;
    }

    rc = commerce_import_read(&cli->reader, campaign, &import, &version);

    if (rc == COMMERCE_ERROR) {
        r->problem = "the import's record cannot be read";

    } else if (rc == COMMERCE_ABSENT) {
        import.first = (uint32_t) first;
        import.rows = (uint64_t) count;
        import.started = r->time;
        commerce_import_write(txn, cli->shop, campaign, &import, 0);
        r->changed = true;
    }
}


static int
replay_claim(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                        rc;
    int64_t                    serial, until;
    replay_t                  *r = data;
    commerce_str_t             id;
    commerce_coupon_t          coupon;
    commerce_person_t          seller;
    commerce_campaign_t        campaign;
    commerce_claim_request_t   request;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;
    memset(&request, 0, sizeof(commerce_claim_request_t));

    if (!commerce_cli_replay_text(r, "/campaign", &id) || !commerce_cli_event_number(r->event, "/serial", &serial)
        || serial < 0 || serial > (int64_t) COMMERCE_CODE_SERIAL_MAX
        || !commerce_cli_event_number(r->event, "/until", &until)
        || replay_user(cli, r) != COMMERCE_CLI_OK || r->user.len == 0)
    {
        r->problem = REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    if (commerce_campaign_find(&cli->reader, id, &campaign, NULL) != COMMERCE_OK) {
        r->problem = REPLAY_CAMPAIGN;
        return COMMERCE_CLI_OK;
    }

    rc = commerce_coupon_read(&cli->reader, campaign.number, (uint32_t) serial, &coupon, NULL);

    if (rc != COMMERCE_ABSENT) {
        r->problem = rc == COMMERCE_ERROR ? "the coupon's record cannot be read" : NULL;
        return COMMERCE_CLI_OK;
    }

    request.user = r->user;
    request.pseudonym = r->buyer;
    (void) commerce_cli_replay_text(r, "/group", &request.group_id);
    (void) commerce_cli_replay_text(r, "/seller", &request.seller_id);
    (void) commerce_cli_replay_text(r, "/key", &request.key);

    coupon.holder = r->user;
    coupon.changed = coupon.claimed = r->time;
    coupon.expires = until > 0 && until != campaign.until ? until : 0;

    if (request.seller_id.len != 0
        && commerce_person_find(&cli->reader, request.seller_id, &seller, NULL) == COMMERCE_OK)
    {
        coupon.seller = seller.number;
    }

    commerce_claim_restore(txn, cli->shop, &campaign, &request, &coupon);
    r->changed = r->fresh_coupon = true;

    return COMMERCE_CLI_OK;
}


static int
replay_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                       rc;
    int64_t                   serial;
    uint64_t                  version, campaign_version;
    replay_t                 *r = data;
    commerce_str_t            id;
    commerce_coupon_t         coupon;
    commerce_campaign_t       campaign;
    commerce_coupon_state_t   to;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/campaign", &id) || !commerce_cli_event_number(r->event, "/serial", &serial)
        || serial < 0 || serial > (int64_t) COMMERCE_CODE_SERIAL_MAX || !replay_states(r, &to)
        || replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    rc = commerce_campaign_find(&cli->reader, id, &campaign, &campaign_version);

    if (rc != COMMERCE_OK) {
        r->problem = REPLAY_CAMPAIGN;
        return COMMERCE_CLI_OK;
    }

    if (commerce_coupon_read(&cli->reader, campaign.number, (uint32_t) serial, &coupon, &version)
        == COMMERCE_ERROR)
    {
        r->problem = "the coupon's record cannot be read";
        return COMMERCE_CLI_OK;
    }

    if (r->time < coupon.changed) {
        return COMMERCE_CLI_OK;             /* the copy knows what came later */
    }

    if (r->request.len != 0) {
        replay_shop(cli, txn, r, &campaign, &coupon, version, to);
        return COMMERCE_CLI_OK;
    }

    /* codes that were given out after the backup must not be given out again */

    if (!commerce_claim_serial_is((uint32_t) serial) && serial >= (int64_t) campaign.minted) {
        campaign.minted = (uint32_t) serial + 1;
        commerce_campaign_write(txn, cli->shop, &campaign, campaign_version);
    }

    if (coupon.state != to
        || !commerce_equal(coupon.order_key, to == COMMERCE_COUPON_ISSUED ? commerce_string("") : r->key))
    {
        replay_move(cli, txn, r, &campaign, &coupon, version, to);
        r->fresh_coupon = true;
    }

    replay_coupon_order(cli, txn, r, &campaign, &coupon);
    r->changed = txn->count != 0;

    return COMMERCE_CLI_OK;
}


static bool
replay_states(replay_t *r, commerce_coupon_state_t *to)
{
    unsigned        i;
    commerce_str_t  name;

    if (!commerce_cli_replay_text(r, "/to", &name) || !commerce_cli_replay_text(r, "/order_key", &r->key)
        || !commerce_cli_replay_text(r, "/request", &r->request))
    {
        return false;
    }

    for (i = 0; i < COMMERCE_COUPON_STATES; i++) {
        if (commerce_equal(name, commerce_cstr(commerce_coupon_state_name(i)))) {
            *to = i;
            return r->key.len != 0 || r->request.len != 0;
        }
    }

    return false;
}


/* redeemed in a shop, or taken back there: the request's number stands for the order */
static void
replay_shop(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, uint64_t version, commerce_coupon_state_t to)
{
    int                    rc;
    bool                   redeemed;
    uint64_t               redemption_version;
    commerce_coupon_t      moved;
    commerce_count_for_t   what;
    commerce_redemption_t  redemption;

    redeemed = to == COMMERCE_COUPON_REDEEMED;
    rc = commerce_redemption_read(&cli->reader, r->request, &redemption, &redemption_version);

    if (rc == COMMERCE_ERROR || (rc == COMMERCE_ABSENT && !redeemed)) {
        r->problem = "its redemption is not there or cannot be read";
        return;
    }

    if (redeemed ? rc == COMMERCE_OK : redemption.rolled_back != 0) {
        return;
    }

    moved = *coupon;
    moved.state = to;
    moved.changed = r->time;
    moved.order_user = moved.order_key = commerce_string("");

    if (coupon->state == COMMERCE_COUPON_RESERVED || coupon->state == COMMERCE_COUPON_REDEEMED) {
        replay_count(cli, txn, coupon, -1);
    }

    if (redeemed) {
        memset(&redemption, 0, sizeof(commerce_redemption_t));
        redemption.request = r->request;
        redemption.campaign = coupon->campaign;
        redemption.serial = coupon->serial;
        redemption.time = r->time;
        redemption.amount = commerce_cli_replay_fen(r, "/amount");
        redemption.discount = commerce_cli_replay_fen(r, "/discount");
        (void) commerce_cli_replay_text(r, "/verifier", &redemption.verifier);
        (void) commerce_cli_replay_text(r, "/store", &redemption.store);
        (void) commerce_cli_replay_text(r, "/seller", &what.seller);

        what.group = commerce_string("");
        what.discount = redemption.discount;
        moved.request = r->request;
        moved.used_by = coupon->holder;

        (void) commerce_count_begin(&moved, campaign, &what, r->time);
        replay_count(cli, txn, &moved, 1);

    } else {
        redemption.rolled_back = r->time;
        moved.request = moved.used_by = commerce_string("");
        moved.cycles++;
        memset(&moved.counted, 0, sizeof(commerce_counted_t));
    }

    commerce_coupon_write(txn, cli->shop, &moved, version);
    commerce_redemption_write(txn, cli->shop, &redemption, redemption_version);
    r->changed = r->fresh_coupon = true;
}


static void
replay_move(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, uint64_t version, commerce_coupon_state_t to)
{
    bool                  used, uses, same;
    commerce_coupon_t     moved;
    commerce_count_for_t  what;

    moved = *coupon;
    moved.state = to;
    moved.changed = r->time;

    used = coupon->state == COMMERCE_COUPON_RESERVED || coupon->state == COMMERCE_COUPON_REDEEMED;
    uses = to == COMMERCE_COUPON_RESERVED || to == COMMERCE_COUPON_REDEEMED;
    same = used && uses && commerce_equal(coupon->order_key, r->key);

    if (used && !same) {
        replay_count(cli, txn, coupon, -1);
    }

    if (!uses) {
        moved.cycles += coupon->state == COMMERCE_COUPON_REDEEMED;
        moved.order_user = moved.order_key = moved.used_by = moved.request = commerce_string("");
        memset(&moved.counted, 0, sizeof(commerce_counted_t));

    } else if (!same) {
        moved.order_user = moved.used_by = r->user;
        moved.order_key = r->key;

        (void) commerce_cli_replay_text(r, "/group", &what.group);
        (void) commerce_cli_replay_text(r, "/seller", &what.seller);
        what.discount = commerce_cli_replay_fen(r, "/discount");

        /* spent is spent: what it may cost counts where that is known */

        (void) commerce_count_begin(&moved, campaign, &what, r->time);
        replay_count(cli, txn, &moved, 1);
    }

    commerce_coupon_write(txn, cli->shop, &moved, version);
}


static void
replay_count(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_coupon_t *coupon, int sign)
{
    unsigned             i, count;
    commerce_count_op_t  ops[COMMERCE_COUNT_OPS];

    count = commerce_count_ops(txn->arena, cli->shop, coupon, NULL, ops);

    for (i = 0; i < count; i++) {
        commerce_txn_add(txn, ops[i].key, sign * ops[i].n, COMMERCE_FOREVER, 0);
    }
}


/* the order's side of the coupon's step; one that nobody knows is in doubt until somebody tells */
static void
replay_coupon_order(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon)
{
    unsigned                  i;
    uint64_t                  version;
    int64_t                   deadline;
    commerce_str_t            redeem_on, scope;
    commerce_use_t            use;
    commerce_order_t          order, before;
    commerce_order_coupon_t  *mine;

    use = commerce_equal(r->event->type, commerce_string("coupon_reserve")) ? COMMERCE_USE_RESERVED
          : commerce_equal(r->event->type, commerce_string("coupon_redeem")) ? COMMERCE_USE_REDEEMED
          : commerce_equal(r->event->type, commerce_string("coupon_release")) ? COMMERCE_USE_RELEASED
          : COMMERCE_USE_ROLLED_BACK;

    if (commerce_cli_replay_find(cli, r, &order, &version) == COMMERCE_ERROR) {
        r->problem = "its order's record cannot be read";
        return;
    }

    if (version == 0 && use != COMMERCE_USE_RESERVED && use != COMMERCE_USE_REDEEMED) {
        return;                             /* an order that was refused: gone, as it should be */
    }

    before = order;

    for (i = 0; i < order.coupon_count; i++) {
        if (order.coupons[i].campaign == campaign->number && order.coupons[i].serial == coupon->serial) {
            break;
        }
    }

    if (i == COMMERCE_COUPONS_MAX) {
        r->problem = "its order has more coupons than any can have";
        return;
    }

    mine = &order.coupons[i];

    if (i < order.coupon_count && version != 0 && mine->use == use) {
        return;
    }

    if (i == order.coupon_count) {
        order.coupon_count++;
        mine->campaign = campaign->number;
        mine->serial = coupon->serial;
        mine->campaign_id = campaign->id;
        mine->discount = commerce_cli_replay_fen(r, "/discount");
    }

    mine->use = use;

    if (use == COMMERCE_USE_RESERVED && version == 0) {
        (void) commerce_cli_replay_text(r, "/redeem_on", &redeem_on);
        (void) commerce_cli_replay_text(r, "/scope", &scope);
        (void) commerce_cli_event_number(r->event, "/deadline", &deadline);

        order.shop_key = commerce_equal(scope, commerce_string("shop"));

        order.redeem_on_paid = commerce_equal(redeem_on, commerce_string("paid"));
        order.deadline = deadline > 0 ? deadline : COMMERCE_FOREVER;
    }

    replay_order_due(&order);
    commerce_cli_replay_store(cli, txn, &order, version, &before);
    r->fresh_order = version == 0;
}


static int
replay_order(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    uint64_t           version;
    replay_t          *r = data;
    commerce_order_t   order, before;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/order_key", &r->key) || r->key.len == 0
        || replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = REPLAY_MALFORMED;
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
    replay_order_due(&order);
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
    unsigned        i;
    commerce_str_t  text;

    order->claimed = commerce_cli_replay_fen(r, "/claimed");
    order->discount = commerce_cli_replay_fen(r, "/discount");
    order->payable = commerce_cli_replay_fen(r, "/payable");

    if (order->line_count != 0 || order->credit_count != 0) {
        return true;
    }

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

    return replay_order_lines(cli, r, order);
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
    }

    return (int) i;
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
static void
replay_order_due(commerce_order_t *order)
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


static int
replay_user(commerce_cli_t *cli, replay_t *r)
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
