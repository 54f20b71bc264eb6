/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce campaign: JSON files in, and out again in the same form; what they change, and what is wrong about them.
 */

#include <stdlib.h>

#include "commerce_cli.h"

#define CAMPAIGN_FILE_MAX  (512 * 1024)


typedef struct {
    commerce_campaign_t  file;
    const char          *path;
    unsigned             number;
    const char          *outcome;
} campaign_put_t;

/* a campaign's members, each as JSON */
typedef struct {
    const char      *name;
    commerce_str_t   json;
} campaign_member_t;

typedef struct {
    campaign_member_t  *members;
    unsigned            count;
} campaign_text_t;

static int campaign_file(commerce_cli_t *cli, const char *path, commerce_campaign_t *campaign);
static int campaign_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int campaign_promoter(commerce_cli_t *cli, const campaign_put_t *put, uint64_t *number);
static int campaign_find(commerce_cli_t *cli, commerce_str_t id, commerce_campaign_t *campaign);
static int campaign_members(commerce_cli_t *cli, const commerce_campaign_t *campaign,
    commerce_arena_t *arena, campaign_text_t *text);
static bool campaign_same(const campaign_text_t *a, const campaign_text_t *b);
static const campaign_member_t *campaign_member(const campaign_text_t *text, const char *name);
static void campaign_print(commerce_cli_t *cli, const campaign_text_t *text);
static bool campaign_print_diff(commerce_cli_t *cli, const campaign_text_t *file,
    const campaign_text_t *stored);
static int campaign_visit(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);


int
commerce_cli_campaign_put(commerce_cli_t *cli, int argc, char **argv)
{
    campaign_put_t  put;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    put.path = argv[1];

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (campaign_file(cli, put.path, &put.file) != COMMERCE_CLI_OK) {
        return commerce_cli_fail(cli, "%s: nothing was changed, correct the file", put.path);
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


/* every sentence about what is wrong is said */
static int
campaign_file(commerce_cli_t *cli, const char *path, commerce_campaign_t *campaign)
{
    commerce_str_t            json;
    commerce_cli_sentences_t  sentences = { cli, path };

    if (commerce_cli_file(cli, path, CAMPAIGN_FILE_MAX, &json) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    return commerce_campaign_parse(cli->arena, json, commerce_cli_zone, campaign, commerce_cli_wrong,
                                   &sentences) == COMMERCE_OK
           ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


/* number and minted are the store's: codes in customers' hands depend on them */
static int
campaign_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    uint64_t              version, number;
    campaign_put_t       *put = data;
    campaign_text_t       before, after;
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

        campaign.closed = existing.closed;
        put->number = existing.number;

        if (campaign_members(cli, &existing, txn->arena, &before) != COMMERCE_CLI_OK
            || campaign_members(cli, &campaign, txn->arena, &after) != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }

        if (campaign_same(&before, &after) && existing.promoter == campaign.promoter) {
            put->outcome = "unchanged";
            return COMMERCE_CLI_OK;
        }

        if (existing.closed != 0) {
            return commerce_cli_fail(cli, "%s: campaign \"%.*s\" is closed since %s: which of its coupons were spent"
                                     " is let go, so that it cannot be opened or changed any more, make another"
                                     " campaign", put->path, commerce_cli_arg(campaign.id),
                                     commerce_cli_time(cli, existing.closed));
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


/* the record under this id, its promoter by today's name */
static int
campaign_find(commerce_cli_t *cli, commerce_str_t id, commerce_campaign_t *campaign)
{
    int  rc;

    rc = commerce_campaign_find(&cli->reader, id, campaign, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no campaign \"%.*s\" in shop \"%s\": see \"commerce"
                                 " campaign list\"", commerce_cli_arg(id), cli->shop_name);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign", id);
    }

    return campaign->promoter == 0
           ? COMMERCE_CLI_OK
           : commerce_cli_person_name(cli, campaign->promoter, &campaign->promoter_id);
}


static int
campaign_members(commerce_cli_t *cli, const commerce_campaign_t *campaign,
    commerce_arena_t *arena, campaign_text_t *text)
{
    char              *buffer;
    int64_t            len;
    unsigned           i;
    commerce_write_t   w;

    text->count = commerce_campaign_member_count(campaign);
    text->members = commerce_alloc(arena, text->count * sizeof(campaign_member_t));
    buffer = malloc(COMMERCE_CAMPAIGN_TEXT);

    if (text->members == NULL || buffer == NULL) {
        free(buffer);
        return commerce_cli_fail(cli, "out of memory");
    }

    for (i = 0; i < text->count; i++) {
        commerce_write_start(&w, buffer, COMMERCE_CAMPAIGN_TEXT);
        text->members[i].name = commerce_campaign_member_write(&w, campaign, i);
        len = commerce_write_finish(&w);

        if (len > 0) {
            text->members[i].json = commerce_copy(arena,
                                                  (commerce_str_t) { buffer, (size_t) len });
        }

        if (text->members[i].json.data == NULL) {
            free(buffer);
            return commerce_cli_fail(cli, "campaign \"%.*s\" does not fit into memory",
                                     commerce_cli_arg(campaign->id));
        }
    }

    free(buffer);

    return COMMERCE_CLI_OK;
}


static bool
campaign_same(const campaign_text_t *a, const campaign_text_t *b)
{
    unsigned                  i;
    const campaign_member_t  *other;

    for (i = 0; i < a->count; i++) {
        other = campaign_member(b, a->members[i].name);

        if (other == NULL || !commerce_equal(other->json, a->members[i].json)) {
            return false;
        }
    }

    return a->count == b->count;
}


static const campaign_member_t *
campaign_member(const campaign_text_t *text, const char *name)
{
    unsigned  i;

    for (i = 0; i < text->count; i++) {
        if (strcmp(text->members[i].name, name) == 0) {
            return &text->members[i];
        }
    }

    return NULL;
}


/* a member on each line, so that a review shows which of them changed */
static void
campaign_print(commerce_cli_t *cli, const campaign_text_t *text)
{
    unsigned  i;

    for (i = 0; i < text->count; i++) {
        fprintf(cli->out, "%s\"%s\":%.*s%s\n", i == 0 ? "{" : " ", text->members[i].name,
                commerce_cli_arg(text->members[i].json), i + 1 == text->count ? "}" : ",");
    }
}


int
commerce_cli_campaign_get(commerce_cli_t *cli, int argc, char **argv)
{
    commerce_str_t       id;
    campaign_text_t      text;
    commerce_campaign_t  campaign;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "campaign's id", argv[1], &id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || campaign_find(cli, id, &campaign) != COMMERCE_CLI_OK
        || campaign_members(cli, &campaign, cli->arena, &text) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    campaign_print(cli, &text);

    return COMMERCE_CLI_OK;
}


int
commerce_cli_campaign_diff(commerce_cli_t *cli, int argc, char **argv)
{
    campaign_text_t      ours, theirs;
    commerce_campaign_t  file, stored;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || campaign_file(cli, argv[1], &file) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || campaign_find(cli, file.id, &stored) != COMMERCE_CLI_OK
        || campaign_members(cli, &file, cli->arena, &ours) != COMMERCE_CLI_OK
        || campaign_members(cli, &stored, cli->arena, &theirs) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return campaign_print_diff(cli, &ours, &theirs) ? COMMERCE_CLI_FOUND : COMMERCE_CLI_OK;
}


/* "-" is what the store has, "+" what the file would make of it; the version follows from the others */
static bool
campaign_print_diff(commerce_cli_t *cli, const campaign_text_t *file,
    const campaign_text_t *stored)
{
    bool                      found;
    unsigned                  i;
    const campaign_member_t  *member, *other;

    found = false;

    for (i = 0; i < stored->count; i++) {
        member = &stored->members[i];
        other = campaign_member(file, member->name);

        if (other != NULL && commerce_equal(other->json, member->json)) {
            continue;
        }

        found = true;
        fprintf(cli->out, "-\"%s\":%.*s\n", member->name, commerce_cli_arg(member->json));

        if (other != NULL) {
            fprintf(cli->out, "+\"%s\":%.*s\n", other->name, commerce_cli_arg(other->json));
        }
    }

    for (i = 0; i < file->count; i++) {
        member = &file->members[i];

        if (campaign_member(stored, member->name) == NULL) {
            found = true;
            fprintf(cli->out, "+\"%s\":%.*s\n", member->name, commerce_cli_arg(member->json));
        }
    }

    return found;
}


/* without a store: for reviews and hooks */
int
commerce_cli_campaign_lint(commerce_cli_t *cli, int argc, char **argv)
{
    commerce_time_t           now;
    commerce_campaign_t       campaign;
    commerce_cli_sentences_t  sentences;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || campaign_file(cli, argv[1], &campaign) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    sentences = (commerce_cli_sentences_t) { cli, argv[1] };

    return commerce_campaign_lint(&campaign, now, commerce_cli_suspicious, &sentences) == 0
           ? COMMERCE_CLI_OK : COMMERCE_CLI_FOUND;
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
            commerce_cli_arg(campaign.id),
            campaign.closed != 0 ? "closed" : campaign.enabled ? "enabled" : "disabled",
            campaign.from == 0 ? "always" : commerce_cli_time(cli, campaign.from),
            commerce_cli_time(cli, campaign.until), campaign.minted, (long long) used);

    return COMMERCE_CLI_OK;
}
