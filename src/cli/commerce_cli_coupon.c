/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce coupon: minting codes, and looking at one.
 */

#include "../commerce_imported.h"
#include "../commerce_rules.h"
#include "commerce_cli.h"

#define COUPON_MINT_EVENT  2048
#define COUPON_COUNT_MAX  1000000   /* of one run: its codes wait in memory until they are out */


typedef struct {
    commerce_str_t       campaign_id, holder;
    uint64_t             count;         /* still to be minted */
    uint64_t             piece;         /* minted by the transaction at hand */
    commerce_time_t      now;
    commerce_campaign_t  campaign;      /* number, and its first new serial in minted */
    commerce_event_source_t  events;
} coupon_mint_t;


static int coupon_mint_arguments(commerce_cli_t *cli, int argc, char **argv, coupon_mint_t *mint);
static int coupon_mint(commerce_cli_t *cli, coupon_mint_t *mint);
static int coupon_mint_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void coupon_mint_holder(commerce_cli_t *cli, commerce_txn_t *txn, const coupon_mint_t *mint);
static int coupon_mint_event(commerce_cli_t *cli, commerce_txn_t *txn, coupon_mint_t *mint);
static int coupon_mint_print(commerce_cli_t *cli, const coupon_mint_t *mint, bool header);
static int coupon_code(commerce_cli_t *cli, commerce_str_t text, commerce_code_t *code);
static int coupon_imported(commerce_cli_t *cli, commerce_str_t text, commerce_code_t *code);
static int coupon_serial(commerce_cli_t *cli, commerce_str_t text, commerce_str_t *campaign,
    uint32_t *serial);
static int coupon_show(commerce_cli_t *cli, const commerce_campaign_t *campaign, uint32_t serial,
    commerce_time_t now);
static void coupon_print(commerce_cli_t *cli, const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, bool known, commerce_time_t now);
static const char *coupon_usable(const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, commerce_time_t now, commerce_reason_t *reason);


int
commerce_cli_coupon_mint(commerce_cli_t *cli, int argc, char **argv)
{
    int            rc;
    coupon_mint_t  mint;

    memset(&mint, 0, sizeof(coupon_mint_t));

    rc = coupon_mint_arguments(cli, argc, argv, &mint);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &mint.now) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, true) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return coupon_mint(cli, &mint);
}


static int
coupon_mint_arguments(commerce_cli_t *cli, int argc, char **argv, coupon_mint_t *mint)
{
    int                         c;
    static const struct option  options[] = {
        { "holder", required_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'h') {
            return COMMERCE_CLI_USAGE;
        }

        if (commerce_cli_id(cli, "user", optarg, &mint->holder) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    if (argc - optind != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_id(cli, "campaign's id", argv[optind], &mint->campaign_id)
        != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_parse_uint(commerce_cstr(argv[optind + 1]), COUPON_COUNT_MAX, &mint->count)
            != COMMERCE_OK
        || mint->count == 0)
    {
        return commerce_cli_fail(cli, "\"%s\" is no count: it is a number from 1 to %d, mint more"
                                 " in several runs",
                                 commerce_cli_text(cli, commerce_cstr(argv[optind + 1])),
                                 COUPON_COUNT_MAX);
    }

    return COMMERCE_CLI_OK;
}


/*
 * Serials first become the campaign's, durably, and then codes: a code that was printed is never
 * unknown, and no two runs print the same one.
 */
static int
coupon_mint(commerce_cli_t *cli, coupon_mint_t *mint)
{
    uint64_t  minted;

    for (minted = 0; mint->count != 0; minted += mint->piece, mint->count -= mint->piece) {
        if (commerce_cli_transact(cli, coupon_mint_work, mint) != COMMERCE_CLI_OK
            || coupon_mint_print(cli, mint, minted == 0) != COMMERCE_CLI_OK
            || commerce_cli_flush(cli) != COMMERCE_CLI_OK)
        {
            return minted == 0 ? COMMERCE_CLI_FAILED
                   : commerce_cli_fail(cli, "%llu codes were minted and printed: mint the rest when"
                                       " the cause is gone", (unsigned long long) minted);
        }
    }

    return COMMERCE_CLI_OK;
}


static int
coupon_mint_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    uint64_t              version, room;
    coupon_mint_t        *mint = data;
    commerce_campaign_t   campaign;

    rc = commerce_campaign_find(&cli->reader, mint->campaign_id, &campaign, &version);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no campaign \"%.*s\" in shop \"%.*s\": make it with"
                                 " \"commerce campaign put\"", commerce_cli_arg(mint->campaign_id),
                                 commerce_cli_arg(cli->shop));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign", mint->campaign_id);
    }

    if (campaign.closed != 0) {
        return commerce_cli_fail(cli, "campaign \"%.*s\" is closed, its coupons cannot be used any more: make another"
                                 " campaign", commerce_cli_arg(mint->campaign_id));
    }

    if (campaign.imported) {
        return commerce_cli_fail(cli, "the codes of campaign \"%.*s\" are made elsewhere: bring them in with"
                                 " \"commerce coupon import\"", commerce_cli_arg(mint->campaign_id));
    }

    if (campaign.holder_required && mint->holder.len == 0) {
        return commerce_cli_fail(cli, "campaign \"%.*s\" requires a holder, a code without one"
                                 " could not be used: add --holder USER",
                                 commerce_cli_arg(mint->campaign_id));
    }

    room = (uint64_t) COMMERCE_CODE_MINTED_MAX + 1 - campaign.minted;

    if (campaign.minted > COMMERCE_CODE_MINTED_MAX || room < mint->count) {
        return commerce_cli_fail(cli, "campaign \"%.*s\" has room for %llu more codes: make another"
                                 " campaign", commerce_cli_arg(mint->campaign_id),
                                 campaign.minted > COMMERCE_CODE_MINTED_MAX
                                 ? 0 : (unsigned long long) room);
    }

    mint->campaign = campaign;
    mint->piece = mint->count;

    if (mint->holder.len != 0 && mint->piece > (COMMERCE_CLI_PIECE - 1) / 2) {
        mint->piece = (COMMERCE_CLI_PIECE - 1) / 2;
    }

    campaign.minted += (uint32_t) mint->piece;
    commerce_campaign_write(txn, cli->shop, &campaign, version);

    if (mint->holder.len != 0) {
        coupon_mint_holder(cli, txn, mint);
    }

    return coupon_mint_event(cli, txn, mint);
}


/* a restored store must not give these serials out again */
static int
coupon_mint_event(commerce_cli_t *cli, commerce_txn_t *txn, coupon_mint_t *mint)
{
    char               pseudonym[COMMERCE_PSEUDONYM_SIZE];
    char               buffer[COUPON_MINT_EVENT];
    commerce_write_t   w;

    pseudonym[0] = '\0';

    if (mint->holder.len != 0
        && commerce_keyring_pseudonym(cli->ring, cli->shop, mint->holder, pseudonym) != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "the holder's pseudonym cannot be made");
    }

    if (commerce_event_start(&w, buffer, sizeof(buffer), &mint->events, "mint", cli->shop,
                             (int64_t) mint->now * 1000000)
        == COMMERCE_OK)
    {
        commerce_write_text(&w, "campaign", mint->campaign.id);
        commerce_write_int(&w, "first", mint->campaign.minted);
        commerce_write_int(&w, "count", (int64_t) mint->piece);
        commerce_write_optional(&w, "buyer", commerce_cstr(pseudonym));
    }

    commerce_txn_event(txn, commerce_copy(txn->arena, commerce_event_finish(&w)));

    return COMMERCE_CLI_OK;
}


static void
coupon_mint_holder(commerce_cli_t *cli, commerce_txn_t *txn, const coupon_mint_t *mint)
{
    char               slot[32];
    uint64_t           i;
    commerce_claim_t   claim;
    commerce_coupon_t  coupon;

    for (i = 0; i < mint->piece; i++) {
        memset(&coupon, 0, sizeof(commerce_coupon_t));

        coupon.campaign = mint->campaign.number;
        coupon.serial = mint->campaign.minted + (uint32_t) i;
        coupon.state = COMMERCE_COUPON_ISSUED;
        coupon.holder = mint->holder;
        coupon.changed = mint->now;

        commerce_coupon_write(txn, cli->shop, &coupon, 0);

        /* his list of coupons has those that were given to him, too */

        claim = (commerce_claim_t) { coupon.campaign, coupon.serial, mint->now };
        snprintf(slot, sizeof(slot), "each/%04x/%08x", coupon.campaign, coupon.serial);
        commerce_claim_write(txn, cli->shop, mint->holder, commerce_cstr(slot), &claim);
    }
}


static int
coupon_mint_print(commerce_cli_t *cli, const coupon_mint_t *mint, bool header)
{
    char             text[COMMERCE_CODE_TEXT];
    uint64_t         i;
    commerce_code_t  code;

    if (header) {
        fprintf(cli->out, "code,campaign,serial,holder\n");
    }

    for (i = 0; i < mint->piece; i++) {
        memset(&code, 0, sizeof(commerce_code_t));

        code.campaign = mint->campaign.number;
        code.serial = mint->campaign.minted + (uint32_t) i;

        if (commerce_code_issue(cli->ring, cli->shop, &code, text) != COMMERCE_OK) {
            return commerce_cli_fail(cli, "serial %u could not be signed: check the OpenSSL"
                                     " installation", code.serial);
        }

        fprintf(cli->out, "%.*s,", COMMERCE_CODE_TEXT, text);
        commerce_cli_csv(cli->out, mint->campaign_id);
        fprintf(cli->out, ",%u,", code.serial);
        commerce_cli_csv(cli->out, mint->holder);
        fputc('\n', cli->out);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_coupon_show(commerce_cli_t *cli, int argc, char **argv)
{
    int                  rc;
    uint32_t             serial;
    commerce_str_t       text, id;
    commerce_code_t      code;
    commerce_time_t      now;
    commerce_campaign_t  campaign;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    text = commerce_cstr(argv[1]);
    id = commerce_string("");
    memset(&code, 0, sizeof(commerce_code_t));

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = strchr(argv[1], '/') != NULL ? coupon_serial(cli, text, &id, &serial)
                                      : coupon_code(cli, text, &code);

    if (rc != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (id.len == 0 && code.campaign == 0 && coupon_imported(cli, text, &code) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (id.len != 0) {
        rc = commerce_campaign_find(&cli->reader, id, &campaign, NULL);

    } else {
        rc = commerce_campaign_read(&cli->reader, code.campaign, &campaign, NULL);
        serial = code.serial;
    }

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "the campaign of coupon \"%s\" is not in the store: see"
                                 " \"commerce campaign list\"", commerce_cli_text(cli, text));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign of coupon", text);
    }

    return coupon_show(cli, &campaign, serial, now);
}


static int
coupon_code(commerce_cli_t *cli, commerce_str_t text, commerce_code_t *code)
{
    commerce_reason_t          parsed, reason;
    commerce_imported_code_t   imported;

    parsed = commerce_code_parse(text, code);

    if (parsed != COMMERCE_R(OK) && commerce_imported_parse(text, &imported) != NULL) {
        return commerce_cli_fail(cli, "\"%s\" is no coupon (COUPON_MALFORMED): give a code, or"
                                 " campaign/serial", commerce_cli_text(cli, text));
    }

    if (commerce_cli_keys(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    reason = parsed == COMMERCE_R(OK) ? commerce_code_verify(cli->ring, cli->shop, code) : parsed;

    if (reason != COMMERCE_R(OK)) {
        memset(code, 0, sizeof(commerce_code_t));       /* made elsewhere, if it is one */
    }

    return COMMERCE_CLI_OK;
}


/* a code that was not signed here: is it one that was imported? */
static int
coupon_imported(commerce_cli_t *cli, commerce_str_t text, commerce_code_t *code)
{
    int                        rc;
    commerce_imported_t        found;
    commerce_imported_code_t   imported;

    rc = commerce_imported_parse(text, &imported) == NULL
         ? commerce_imported_find(&cli->reader, cli->ring, &imported, &found) : COMMERCE_ABSENT;

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "coupon", text);
    }

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "this code was neither signed by a key of this keyring for shop \"%s\""
                                 " (COUPON_BAD_SIGNATURE) nor imported (COUPON_NOT_FOUND): it is mistyped,"
                                 " forged, another shop's, or its key is retired", cli->shop_name);
    }

    code->campaign = found.campaign;
    code->serial = found.serial;

    return COMMERCE_CLI_OK;
}


/* "campaign/serial": the id may hold slashes itself */
static int
coupon_serial(commerce_cli_t *cli, commerce_str_t text, commerce_str_t *campaign, uint32_t *serial)
{
    uint64_t         number;
    const char      *slash;
    commerce_str_t   rest;

    slash = strrchr(text.data, '/');
    rest = commerce_cstr(slash + 1);

    if (slash == text.data
        || commerce_parse_uint(rest, COMMERCE_CODE_SERIAL_MAX, &number) != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "\"%s\" is no coupon: give a code, or campaign/serial, the"
                                 " serial being a number from 0", commerce_cli_text(cli, text));
    }

    *campaign = (commerce_str_t) { text.data, (size_t) (slash - text.data) };
    *serial = (uint32_t) number;

    return COMMERCE_CLI_OK;
}


static int
coupon_show(commerce_cli_t *cli, const commerce_campaign_t *campaign, uint32_t serial,
    commerce_time_t now)
{
    int                rc;
    commerce_coupon_t  coupon;

    rc = commerce_coupon_read(&cli->reader, campaign->number, serial, &coupon, NULL);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "a coupon of campaign", campaign->id);
    }

    if (serial >= campaign->minted && coupon.claimed == 0
        && (campaign->closed == 0 || serial <= COMMERCE_CODE_MINTED_MAX))
    {
        return commerce_cli_fail(cli, "serial %u of campaign \"%.*s\" was never minted"
                                 " (COUPON_NOT_FOUND): %u were, counted from 0", serial,
                                 commerce_cli_arg(campaign->id), campaign->minted);
    }

    coupon_print(cli, campaign, &coupon, rc == COMMERCE_OK || campaign->closed == 0, now);

    return COMMERCE_CLI_OK;
}


static void
coupon_print(commerce_cli_t *cli, const commerce_campaign_t *campaign,
    const commerce_coupon_t *coupon, bool known, commerce_time_t now)
{
    const char         *why;
    commerce_str_t      none;
    commerce_reason_t   reason;

    none = commerce_string("-");
    why = coupon_usable(campaign, coupon, now, &reason);

    fprintf(cli->out, "coupon    %.*s/%u\n", commerce_cli_arg(campaign->id), coupon->serial);
    fprintf(cli->out, "state     %s\n", known ? commerce_coupon_state_name(coupon->state) : "unknown");
    fprintf(cli->out, "holder    %.*s\n",
            commerce_cli_arg(coupon->holder.len != 0 ? coupon->holder : none));
    fprintf(cli->out, "order     %.*s\n",
            commerce_cli_arg(coupon->order_key.len != 0 ? coupon->order_key : none));
    fprintf(cli->out, "user      %.*s\n",
            commerce_cli_arg(coupon->order_user.len != 0 ? coupon->order_user : none));
    fprintf(cli->out, "counts    %.*s\n",
            commerce_cli_arg(coupon->used_by.len != 0 ? coupon->used_by : none));
    fprintf(cli->out, "changed   %s\n",
            coupon->changed != 0 ? commerce_cli_time(cli, coupon->changed) : "-");
    fprintf(cli->out, "cycles    %u\n", coupon->cycles);
    fprintf(cli->out, "claimed   %s\n",
            coupon->claimed != 0 ? commerce_cli_time(cli, coupon->claimed) : "-");
    fprintf(cli->out, "until     %s\n", commerce_cli_time(cli, commerce_coupon_end(campaign, coupon)));
    fprintf(cli->out, "in shop   %.*s\n",
            commerce_cli_arg(coupon->request.len != 0 ? coupon->request : none));
    fprintf(cli->out, "reason    %.*s: %s\n", commerce_cli_arg(commerce_reason(reason)->name), why);
}


/* what an order would meet that asks for it now; lines and amounts are the order's to bring */
static const char *
coupon_usable(const commerce_campaign_t *campaign, const commerce_coupon_t *coupon,
    commerce_time_t now, commerce_reason_t *reason)
{
    if (coupon->state == COMMERCE_COUPON_STATE_VOID) {
        *reason = COMMERCE_R(COUPON_VOID);
        return "it was made void";
    }

    if (coupon->state == COMMERCE_COUPON_REDEEMED) {
        *reason = COMMERCE_R(COUPON_ALREADY_REDEEMED);
        return coupon->request.len != 0 ? "it was redeemed in a shop" : "its order has it for good";
    }

    if (coupon->state == COMMERCE_COUPON_RESERVED) {
        *reason = COMMERCE_R(COUPON_HELD_BY_OTHER_ORDER);
        return "its order holds it until that is decided";
    }

    if (campaign->closed != 0) {
        *reason = COMMERCE_R(COUPON_EXPIRED);
        return "its campaign is closed";
    }

    if (!campaign->enabled) {
        *reason = COMMERCE_R(COUPON_DISABLED);
        return "its campaign is disabled";
    }

    if (now < campaign->from) {
        *reason = COMMERCE_R(COUPON_NOT_STARTED);
        return "its campaign has not begun";
    }

    if (now >= campaign->until) {
        *reason = COMMERCE_R(COUPON_EXPIRED);
        return "its campaign is over";
    }

    if (now >= commerce_coupon_end(campaign, coupon)) {
        *reason = COMMERCE_R(COUPON_EXPIRED);
        return "its time after the claim is over";
    }

    if (!commerce_rules_on(campaign, now)) {
        *reason = COMMERCE_R(COUPON_DAY_NOT_ELIGIBLE);
        return "it is outside its campaign's hours";
    }

    *reason = COMMERCE_R(COUPON_OK);

    return coupon->holder.len != 0 ? "its holder may use it" : "whoever has the code may use it";
}
