/*
 * Copyright (C) ngx_commerce authors
 *
 * Replay: what became of coupons, and the orders that had them.
 */

#include "../commerce_imported.h"
#include "commerce_cli_replay_event.h"

#define REPLAY_CAMPAIGN   "its campaign is not in the backup: one that is put again has another number, and its" \
                          " codes are not the old ones"


typedef commerce_cli_replay_run_t  replay_t;


static void replay_import(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r, unsigned campaign,
    commerce_str_t file, int64_t first, int64_t count);
static bool replay_states(replay_t *r, commerce_coupon_state_t *to);
static void replay_shop(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon, uint64_t version,
    commerce_coupon_state_t to);
static void replay_move(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon, uint64_t version,
    commerce_coupon_state_t to);
static void replay_count(commerce_cli_t *cli, commerce_txn_t *txn, const commerce_coupon_t *coupon, int sign);
static void replay_coupon_order(commerce_cli_t *cli, commerce_txn_t *txn, replay_t *r,
    const commerce_campaign_t *campaign, const commerce_coupon_t *coupon);


/*
 * Serials that were given out stay given out.  Whose they are is written down, be it by a pseudonym: then nobody can
 * use them, which is better than that anybody can.
 */
int
commerce_cli_replay_mint(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
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
        || first + count > (int64_t) COMMERCE_CODE_SERIAL_MAX + 1 || commerce_cli_replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
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
            r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
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


/* what was closed stays so: of the coupons that came back with the copy all is known, of others it need not be */
int
commerce_cli_replay_close(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    uint64_t              version;
    replay_t             *r = data;
    commerce_str_t        id;
    commerce_campaign_t   campaign;

    r->problem = NULL;
    r->changed = r->fresh_coupon = r->fresh_order = false;

    if (!commerce_cli_replay_text(r, "/campaign", &id) || id.len == 0) {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
        return COMMERCE_CLI_OK;
    }

    rc = commerce_campaign_find(&cli->reader, id, &campaign, &version);

    if (rc == COMMERCE_ERROR) {
        r->problem = "the campaign's record cannot be read";

    } else if (rc == COMMERCE_OK && campaign.closed == 0) {
        campaign.closed = r->time;
        commerce_campaign_write(txn, cli->shop, &campaign, version);
        r->changed = true;
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_replay_claim(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
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
        || commerce_cli_replay_user(cli, r) != COMMERCE_CLI_OK || r->user.len == 0)
    {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
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


int
commerce_cli_replay_coupon(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
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
        || commerce_cli_replay_user(cli, r) != COMMERCE_CLI_OK)
    {
        r->problem = COMMERCE_CLI_REPLAY_MALFORMED;
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

    commerce_cli_replay_due(&order);
    commerce_cli_replay_store(cli, txn, &order, version, &before);
    r->fresh_order = version == 0;
}
