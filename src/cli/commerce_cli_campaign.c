/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce campaign: JSON files in, and out again in the same form.
 */

#include "../commerce_write.h"
#include "commerce_cli.h"

#define CAMPAIGN_FILE_MAX  (512 * 1024)
#define CAMPAIGN_TEXT_MAX  (512 * 1024)


typedef struct {
    commerce_campaign_t  file;
    const char          *path;
    unsigned             number;
    const char          *outcome;
} campaign_put_t;


static int campaign_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int campaign_promoter(commerce_cli_t *cli, const campaign_put_t *put, uint64_t *number);
static int campaign_text(commerce_cli_t *cli, const commerce_campaign_t *campaign,
    commerce_arena_t *arena, commerce_str_t *text);
static void campaign_write(commerce_write_t *w, const commerce_campaign_t *campaign);
static void campaign_write_claim(commerce_write_t *w, const commerce_claim_rules_t *claim);
static void campaign_write_time(commerce_write_t *w, const char *name, commerce_time_t when);
static int campaign_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);


int
commerce_cli_campaign_put(commerce_cli_t *cli, int argc, char **argv)
{
    char            error[512];
    campaign_put_t  put;
    commerce_str_t  json;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    put.path = argv[1];

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_file(cli, put.path, CAMPAIGN_FILE_MAX, &json) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_campaign_parse(cli->arena, json, &put.file, error, sizeof(error)) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "%s: %s: nothing was changed, correct the file", put.path,
                                 error);
    }

    if (commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, true) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, campaign_put_work, &put) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "campaign %.*s: number %u, %s\n", commerce_cli_arg(put.file.id), put.number,
            put.outcome);

    return COMMERCE_CLI_OK;
}


/* number and minted are the store's: codes in customers' hands depend on them */
static int
campaign_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    uint64_t              version, number;
    campaign_put_t       *put = data;
    commerce_str_t        before, after;
    commerce_campaign_t   campaign, existing;

    campaign = put->file;

    if (campaign_promoter(cli, put, &campaign.promoter) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_campaign_find(&cli->reader, campaign.id, &existing, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "campaign", campaign.id);
    }

    put->outcome = rc == COMMERCE_OK ? "replaced" : "created";

    if (rc == COMMERCE_OK) {
        campaign.number = existing.number;
        campaign.minted = existing.minted;

        if (campaign.imported != existing.imported && (existing.minted != 0 || existing.claim.open)) {
            return commerce_cli_fail(cli, "%s: the codes of campaign \"%.*s\" are %s: \"codes\" of a campaign"
                                     " that has some cannot change, make another campaign", put->path,
                                     commerce_cli_arg(campaign.id),
                                     existing.imported ? "imported" : "signed");
        }

        put->number = existing.number;

        if (campaign_text(cli, &existing, txn->arena, &before) != COMMERCE_CLI_OK
            || campaign_text(cli, &campaign, txn->arena, &after) != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }

        if (commerce_equal(before, after) && existing.promoter == campaign.promoter) {
            put->outcome = "unchanged";
            return COMMERCE_CLI_OK;
        }

    } else if (commerce_number_take(&cli->reader, txn, "campaign", COMMERCE_CODE_CAMPAIGN_MAX,
                                    &number)
               == COMMERCE_OK)
    {
        campaign.number = (unsigned) number;
        put->number = campaign.number;

    } else {
        return commerce_cli_fail(cli, "no number could be taken for campaign \"%.*s\": all %u are"
                                 " given out, or the store is damaged (run \"commerce store"
                                 " check\")", commerce_cli_arg(campaign.id),
                                 COMMERCE_CODE_CAMPAIGN_MAX);
    }

    commerce_campaign_write(txn, cli->shop, &campaign, version);

    return COMMERCE_CLI_OK;
}


static int
campaign_promoter(commerce_cli_t *cli, const campaign_put_t *put, uint64_t *number)
{
    int                rc;
    commerce_person_t  person;

    *number = 0;

    if (put->file.promoter_id.len == 0) {
        return COMMERCE_CLI_OK;
    }

    rc = commerce_person_find(&cli->reader, put->file.promoter_id, &person, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "%s: there is no person \"%.*s\" to be the promoter: import"
                                 " that person first", put->path,
                                 commerce_cli_arg(put->file.promoter_id));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "person", put->file.promoter_id);
    }

    *number = person.number;

    return COMMERCE_CLI_OK;
}


static int
campaign_text(commerce_cli_t *cli, const commerce_campaign_t *campaign, commerce_arena_t *arena,
    commerce_str_t *text)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = commerce_alloc(arena, CAMPAIGN_TEXT_MAX);
    if (buffer == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    commerce_write_start(&w, buffer, CAMPAIGN_TEXT_MAX);
    campaign_write(&w, campaign);
    len = commerce_write_finish(&w);

    if (len < 0) {
        return commerce_cli_fail(cli, "campaign \"%.*s\" is too long to be shown",
                                 commerce_cli_arg(campaign->id));
    }

    *text = (commerce_str_t) { buffer, (size_t) len };

    return COMMERCE_CLI_OK;
}


static void
campaign_write(commerce_write_t *w, const commerce_campaign_t *campaign)
{
    unsigned  i;

    commerce_write_open(w, NULL, '{');
    commerce_write_int(w, "v", 1);
    commerce_write_text(w, "id", campaign->id);

    commerce_write_open(w, "discount", '{');

    if (campaign->fixed > 0) {
        commerce_write_int(w, "fixed", campaign->fixed);

    } else {
        commerce_write_int(w, "percent", campaign->percent);

        if (campaign->cap > 0) {
            commerce_write_int(w, "cap", campaign->cap);
        }
    }

    commerce_write_close(w, '}');

    if (campaign->from != 0) {
        campaign_write_time(w, "from", campaign->from);
    }

    if (campaign->until != COMMERCE_FOREVER) {
        campaign_write_time(w, "until", campaign->until);
    }

    if (campaign->minimum_spend > 0) {
        commerce_write_int(w, "minimum_spend", campaign->minimum_spend);
    }

    if (campaign->sku_count != 0) {
        commerce_write_open(w, "skus", '[');

        for (i = 0; i < campaign->sku_count; i++) {
            commerce_write_text(w, NULL, campaign->skus[i]);
        }

        commerce_write_close(w, ']');
    }

    if (campaign->limits[COMMERCE_COUNT_TOTAL] != 0
        || campaign->limits[COMMERCE_COUNT_USER] != 0)
    {
        commerce_write_open(w, "limits", '{');

        if (campaign->limits[COMMERCE_COUNT_TOTAL] != 0) {
            commerce_write_int(w, "total", campaign->limits[COMMERCE_COUNT_TOTAL]);
        }

        if (campaign->limits[COMMERCE_COUNT_USER] != 0) {
            commerce_write_int(w, "user", campaign->limits[COMMERCE_COUNT_USER]);
        }

        commerce_write_close(w, '}');
    }

    commerce_write_optional(w, "promoter", campaign->promoter_id);

    if (campaign->holder_required) {
        commerce_write_text(w, "holder", commerce_string("required"));
    }

    if (campaign->claim.open) {
        campaign_write_claim(w, &campaign->claim);
    }

    if (campaign->qr_required) {
        commerce_write_open(w, "redeem", '{');
        commerce_write_text(w, "qr", commerce_string("required"));
        commerce_write_close(w, '}');
    }

    if (campaign->imported) {
        commerce_write_text(w, "codes", commerce_string("imported"));
    }

    commerce_write_bool(w, "enabled", campaign->enabled);
    commerce_write_close(w, '}');
}


static void
campaign_write_claim(commerce_write_t *w, const commerce_claim_rules_t *claim)
{
    char      text[32];
    unsigned  i;

    static const struct {
        const char       *name;
        commerce_count_t  which;
    } limits[] = {
        { "stock", COMMERCE_COUNT_TOTAL },
        { "day", COMMERCE_COUNT_DAY },
        { "user", COMMERCE_COUNT_USER },
        { "user_day", COMMERCE_COUNT_USER_DAY },
        { "group", COMMERCE_COUNT_GROUP }
    };

    commerce_write_open(w, "claim", '{');

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (claim->limits[limits[i].which] != 0) {
            commerce_write_int(w, limits[i].name, claim->limits[limits[i].which]);
        }
    }

    if (claim->from != 0) {
        campaign_write_time(w, "from", claim->from);
    }

    if (claim->until != COMMERCE_FOREVER) {
        campaign_write_time(w, "until", claim->until);
    }

    if (claim->valid_for != 0) {
        snprintf(text, sizeof(text), "%llds", (long long) claim->valid_for);
        commerce_write_text(w, "valid_for", commerce_cstr(text));
    }

    commerce_write_close(w, '}');
}


static void
campaign_write_time(commerce_write_t *w, const char *name, commerce_time_t when)
{
    char  text[32];

    commerce_time_format(when, text);
    commerce_write_text(w, name, commerce_cstr(text));
}


int
commerce_cli_campaign_get(commerce_cli_t *cli, int argc, char **argv)
{
    int                  rc;
    commerce_str_t       id, text;
    commerce_campaign_t  campaign;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "campaign's id", argv[1], &id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_campaign_find(&cli->reader, id, &campaign, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no campaign \"%s\" in shop \"%s\": see \"commerce"
                                 " campaign list\"", argv[1], cli->shop_name);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign", id);
    }

    if (campaign.promoter != 0
        && commerce_cli_person_name(cli, campaign.promoter, &campaign.promoter_id)
           != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (campaign_text(cli, &campaign, cli->arena, &text) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%.*s\n", commerce_cli_arg(text));

    return COMMERCE_CLI_OK;
}


int
commerce_cli_campaign_list(commerce_cli_t *cli, int argc, char **argv)
{
    if (argc != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return commerce_cli_scan(cli, 'k', campaign_visit, NULL);
}


static int
campaign_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    int64_t              used;
    commerce_str_t       key;
    commerce_campaign_t  campaign;

    if (commerce_campaign_decode(cli->reader.arena, record->value, &campaign) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign number", record->name);
    }

    key = commerce_counter_total(cli->reader.arena, cli->shop, campaign.number);

    if (key.data == NULL
        || commerce_view_counter(cli->reader.view, key, &used) != COMMERCE_OK)
    {
        return commerce_cli_unreadable(cli, "uses of campaign", campaign.id);
    }

    fprintf(cli->out, "%u\t%.*s\t%s\t%s\t%s\t%u\t%lld\n", campaign.number,
            commerce_cli_arg(campaign.id), campaign.enabled ? "enabled" : "disabled",
            campaign.from == 0 ? "always" : commerce_cli_time(cli, campaign.from),
            commerce_cli_time(cli, campaign.until), campaign.minted, (long long) used);

    return COMMERCE_CLI_OK;
}
