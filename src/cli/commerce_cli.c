/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce: keys, people, campaigns, coupons, tokens, orders and the store, from the shell.
 */

#include <stdlib.h>

#include "commerce_cli.h"


static int cli_options(commerce_cli_t *cli, int argc, char **argv);
static int cli_timeout(commerce_cli_t *cli, const char *text);
static const char *cli_default(const char *variable, const char *value);
static const commerce_cli_command_t *cli_command(int argc, char **argv);
static int cli_start(commerce_cli_t *cli);
static int cli_finish(commerce_cli_t *cli, int result);
static void cli_help(FILE *to);
static int cli_usage(const commerce_cli_t *cli);


static const commerce_cli_command_t  cli_commands[] = {
    { "keys", "init", commerce_cli_keys_init, "",
      "make a keyring" },
    { "keys", "list", commerce_cli_keys_list, "",
      "keys by purpose, without their secrets" },
    { "keys", "rotate", commerce_cli_keys_rotate, "PURPOSE",
      "a new key signs, the old one still verifies" },
    { "keys", "retire", commerce_cli_keys_retire, "PURPOSE ID",
      "what this key signed is valid no more" },
    { "keys", "export", commerce_cli_keys_export, "verdict",
      "the shop's verdict keys for its backend" },
    { "people", "import", commerce_cli_people_import, "FILE.csv [--dry-run] [--tiers strict|pay]",
      "persons from id,role,status,upline,user,store,since,successor,transfer,identities" },
    { "people", "show", commerce_cli_people_show, "ID",
      "one person" },
    { "group", "put", commerce_cli_group_put, "ID [--leader PERSON|-] [--store STORE|-]",
      "make or change a group" },
    { "group", "show", commerce_cli_group_show, "ID",
      "one group" },
    { "room", "put", commerce_cli_room_put, "ID [--host PERSON|-]",
      "make or change a live room" },
    { "room", "show", commerce_cli_room_show, "ID",
      "one live room" },
    { "room", "schedule", commerce_cli_room_schedule, "ID FILE.csv",
      "who is on air when, from start,end,host; at other times its host is" },
    { "channel", "put", commerce_cli_channel_put,
      "ID [--seller PERSON|-] [--group ID|-] [--field FIELD] [--origin public|private] [--platform NAME]",
      "make or change a channel: a code that was put up somewhere" },
    { "channel", "show", commerce_cli_channel_show, "ID",
      "one channel" },
    { "landing", "put", commerce_cli_landing_put, "ID [--path PATH|-]",
      "make or change a landing: what a product or content token leads to" },
    { "landing", "show", commerce_cli_landing_show, "ID",
      "one landing" },
    { "retail_store", "put", commerce_cli_retail_store_put, "ID [--name NAME|-] [--open | --closed]",
      "make or change a shop that people walk into" },
    { "retail_store", "show", commerce_cli_retail_store_show, "ID",
      "one such shop" },
    { "directory", "import", commerce_cli_directory_import,
      "FILE.jsonl [--dry-run] [--diff] [--tiers strict|pay] [--errors N] [--progress]",
      "records of all kinds, as export writes them; the file as a whole or nothing of it" },
    { "directory", "export", commerce_cli_directory_export, "[--kind KIND]",
      "persons, groups, rooms, channels, landings and retail stores as JSON lines" },
    { "campaign", "put", commerce_cli_campaign_put, "FILE.json",
      "make or replace a campaign" },
    { "campaign", "get", commerce_cli_campaign_get, "ID",
      "a campaign as its JSON file" },
    { "campaign", "diff", commerce_cli_campaign_diff, "FILE.json",
      "what putting the file would change" },
    { "campaign", "lint", commerce_cli_campaign_lint, "FILE.json",
      "what is wrong or suspicious about it; needs no store" },
    { "campaign", "list", commerce_cli_campaign_list, "",
      "number, id, state, from, until, minted, used" },
    { "commission", "put", commerce_cli_commission_put, "FILE.json",
      "make or replace the commission plan" },
    { "commission", "get", commerce_cli_commission_get, "[VERSION]",
      "the plan in force, or an earlier one, as its JSON file" },
    { "commission", "diff", commerce_cli_commission_diff, "FILE.json",
      "what putting the file would change" },
    { "commission", "lint", commerce_cli_commission_lint, "FILE.json",
      "what is wrong or suspicious about it; needs no store" },
    { "coupon", "mint", commerce_cli_coupon_mint, "CAMPAIGN COUNT [--holder USER]",
      "new codes as CSV" },
    { "coupon", "import", commerce_cli_coupon_import,
      "CAMPAIGN FILE.csv [--dry-run] [--anew] [--errors N] [--rejects FILE]",
      "codes made elsewhere, from code[,holder]" },
    { "coupon", "show", commerce_cli_coupon_show, "CODE|CAMPAIGN/SERIAL",
      "one coupon's state" },
    { "coupon", "reconcile", commerce_cli_coupon_reconcile, "FILE.csv [--unit fen|yuan] [--dry-run]",
      "settles orders in doubt by what the backend has, says what differs" },
    { "coupon", "list", commerce_cli_coupon_list, "--user USER",
      "coupons that a user claimed or was given" },
    { "token", "inspect", commerce_cli_token_inspect, "TOKEN",
      "what a share token says" },
    { "token", "issue", commerce_cli_token_issue,
      "SELLER|- [--group ID | --room ID | --channel ID] [--days N|forever]",
      "a share token (-: of a group, room or channel alone)" },
    { "order", "show", commerce_cli_order_show, "KEY [--user USER] | --id ID",
      "one order as JSON" },
    { "order", "list", commerce_cli_order_list, "--in-doubt | --partly-paid | --refunded",
      "orders that wait for a decision (the oldest first, and what to do), for money, or gave some back" },
    { "order", "confirm", commerce_cli_order_confirm, "KEY [--user USER] | --id ID",
      "the order is paid" },
    { "order", "cancel", commerce_cli_order_cancel, "KEY [--user USER] | --id ID",
      "the order is cancelled, its coupons are free" },
    { "order", "refuse", commerce_cli_order_refuse, "KEY [--user USER] | --id ID",
      "in doubt: the backend does not have it, its coupons are free" },
    { "order", "approve", commerce_cli_order_approve, "KEY [--user USER] | --id ID",
      "in doubt: it stands as the backend has it, amount and all" },
    { "split", "release", commerce_cli_split_release, "NUMBER KEY [--user USER] | NUMBER --id ID",
      "a split that was not carried out: it does not count any more (\"order show\" lists them)" },
    { "explain", "order", commerce_cli_explain_order, "KEY --log LOG... [--language en|zh] [--json]",
      "why an order's sale is whose it is, and what everybody else would have needed" },
    { "explain", "event", commerce_cli_explain_event, "ID --log LOG... [--language en|zh] [--json]",
      "the same, of the order that an event of the log is about" },
    { "buyer", "show", commerce_cli_buyer_show, "USER",
      "whose buyer somebody is, what touched him, and who had him before, as JSON" },
    { "buyer", "rebind", commerce_cli_buyer_rebind, "USER SELLER|- [--validity DAYS|forever] [--protect DAYS|forever]",
      "gives a buyer to another seller, or to the house (-)" },
    { "buyer", "merge", commerce_cli_buyer_merge, "KEPT OTHER",
      "OTHER is another name of KEPT from now on; the older binding stays" },
    { "buyer", "erase", commerce_cli_buyer_erase, "USER",
      "forgets a buyer; orders stay without him" },
    { "store", "stat", commerce_cli_store_stat, "",
      "figures of the store" },
    { "store", "check", commerce_cli_store_check, "[--log LOG]...",
      "does everything in the store agree?" },
    { "store", "backup", commerce_cli_store_backup, "FOLDER",
      "a copy, beside everyone who uses the store" },
    { "store", "restore", commerce_cli_store_restore, "FOLDER [--replay LOG]... [--incomplete]",
      "a backup takes the store's place; nginx must be stopped" },
    { "store", "collect", commerce_cli_store_collect, "[--orders DAYS] [--parked DAYS] [--buyers DAYS] [--coupons DAYS]",
      "lets go what nobody needs any more" },
    { "store", "compact", commerce_cli_store_compact, "",
      "without its free pages; nginx must be stopped" },
    { NULL, NULL, NULL, NULL, NULL }
};


int
main(int argc, char **argv)
{
    int             rc;
    commerce_cli_t  cli;

    memset(&cli, 0, sizeof(commerce_cli_t));

    rc = cli_options(&cli, argc, argv);
    if (rc != COMMERCE_CLI_AGAIN) {
        return rc;
    }

    argc -= optind;
    argv += optind;

    cli.command = cli_command(argc, argv);
    if (cli.command == NULL) {
        return COMMERCE_CLI_USAGE;
    }

    rc = cli_start(&cli);

    if (rc == COMMERCE_CLI_OK) {
        optind = 0;     /* a new argument vector, whose first word is skipped */
        rc = cli.command->run(&cli, argc - 1, argv + 1);
    }

    return cli_finish(&cli, rc);
}


/* COMMERCE_CLI_AGAIN: go on; anything else is the exit code */
static int
cli_options(commerce_cli_t *cli, int argc, char **argv)
{
    int  c;

    static const struct option  options[] = {
        { "keys", required_argument, NULL, 'k' },
        { "store", required_argument, NULL, 's' },
        { "shop", required_argument, NULL, 'S' },
        { "clock", required_argument, NULL, 'c' },
        { "timeout", required_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 }
    };

    cli->keys_path = cli_default("COMMERCE_KEYS", "/etc/nginx/commerce/keys.json");
    cli->store_path = cli_default("COMMERCE_STORE", "/var/lib/nginx/commerce");
    cli->shop_name = cli_default("COMMERCE_SHOP", NULL);
    cli->clock_path = cli_default("COMMERCE_CLOCK", NULL);
    cli->timeout = COMMERCE_CLI_TIMEOUT;

    while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        switch (c) {
        case 'k':
            cli->keys_path = optarg;
            break;
        case 's':
            cli->store_path = optarg;
            break;
        case 'S':
            cli->shop_name = optarg;
            break;
        case 'c':
            cli->clock_path = optarg;
            break;
        case 't':
            if (cli_timeout(cli, optarg) != COMMERCE_CLI_OK) {
                return COMMERCE_CLI_USAGE;
            }
            break;
        case 'h':
            cli_help(stdout);
            return fflush(stdout) == 0 ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
        case 'v':
            printf("commerce %s\n", COMMERCE_VERSION);
            return fflush(stdout) == 0 ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
        default:
            fprintf(stderr, "commerce: see \"commerce --help\"\n");
            return COMMERCE_CLI_USAGE;
        }
    }

    return COMMERCE_CLI_AGAIN;
}


static int
cli_timeout(commerce_cli_t *cli, const char *text)
{
    uint64_t  seconds;

    if (commerce_parse_uint(commerce_cstr(text), 86400, &seconds) != COMMERCE_OK || seconds == 0) {
        fprintf(stderr, "commerce: --timeout takes seconds from 1 to 86400\n");
        return COMMERCE_CLI_USAGE;
    }

    cli->timeout = (unsigned) seconds;

    return COMMERCE_CLI_OK;
}


static const char *
cli_default(const char *variable, const char *value)
{
    const char  *found;

    found = getenv(variable);

    return found != NULL && *found != '\0' ? found : value;
}


/* NULL when there is no such command: said */
static const commerce_cli_command_t *
cli_command(int argc, char **argv)
{
    const commerce_cli_command_t  *command, *subject;

    if (argc < 1) {
        cli_help(stderr);
        return NULL;
    }

    subject = NULL;

    for (command = cli_commands; command->subject != NULL; command++) {
        if (strcmp(command->subject, argv[0]) != 0) {
            continue;
        }

        if (argc > 1 && strcmp(command->verb, argv[1]) == 0) {
            return command;
        }

        subject = command;
    }

    if (subject == NULL) {
        fprintf(stderr, "commerce: there is no command \"%s\": see \"commerce --help\"\n", argv[0]);
        return NULL;
    }

    fprintf(stderr, "commerce: usage:\n");

    for (command = cli_commands; command->subject != NULL; command++) {
        if (strcmp(command->subject, argv[0]) == 0) {
            fprintf(stderr, "  commerce %s %s%s%s\n", command->subject, command->verb,
                    *command->arguments != '\0' ? " " : "", command->arguments);
        }
    }

    return NULL;
}


static int
cli_start(commerce_cli_t *cli)
{
    cli->heap = commerce_heap_create();
    cli->out = open_memstream(&cli->out_data, &cli->out_size);

    if (cli->heap == NULL || cli->out == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    cli->arena = commerce_heap_arena(cli->heap);

    return COMMERCE_CLI_OK;
}


static int
cli_finish(commerce_cli_t *cli, int result)
{
    commerce_cli_view_end(cli);

    if (cli->store != NULL) {
        commerce_store_close(cli->store);
        cli->store = NULL;
    }

    if (cli->out != NULL && commerce_cli_flush(cli) != COMMERCE_CLI_OK) {
        result = COMMERCE_CLI_FAILED;
    }

    if (cli->ring != NULL) {
        commerce_keyring_free(cli->ring);
    }

    if (cli->out != NULL) {
        fclose(cli->out);
    }

    free(cli->out_data);
    commerce_heap_destroy(cli->heap);

    if (result == COMMERCE_CLI_USAGE) {
        return cli_usage(cli);
    }

    return result;
}


static int
cli_usage(const commerce_cli_t *cli)
{
    fprintf(stderr, "commerce: usage: commerce %s %s%s%s\n", cli->command->subject,
            cli->command->verb, *cli->command->arguments != '\0' ? " " : "",
            cli->command->arguments);

    return COMMERCE_CLI_USAGE;
}


static void
cli_help(FILE *to)
{
    int                            width;
    const commerce_cli_command_t  *command;

    fprintf(to, "usage: commerce [OPTION]... COMMAND ...\n\n"
            "  --keys FILE        keyring (COMMERCE_KEYS; /etc/nginx/commerce/keys.json)\n"
            "  --store DIR        store (COMMERCE_STORE; /var/lib/nginx/commerce)\n"
            "  --shop NAME        shop (COMMERCE_SHOP)\n"
            "  --clock FILE       time in seconds, for tests (COMMERCE_CLOCK)\n"
            "  --timeout SECONDS  patience with the store, %u\n"
            "  --version\n\n", COMMERCE_CLI_TIMEOUT);

    for (command = cli_commands; command->subject != NULL; command++) {
        width = fprintf(to, "  %s %s %s", command->subject, command->verb, command->arguments);

        if (width < 50) {
            fprintf(to, "%*s%s\n", 50 - width, "", command->summary);

        } else {
            fprintf(to, "\n%50s%s\n", "", command->summary);
        }
    }

    fprintf(to, "\npurposes: share coupon verdict pseudonym\n"
            "people import: columns in any order, id required; an empty role or status and a\n"
            "  column that is missing leave a person as it is (new: customer, active); an empty\n"
            "  upline or user means none\n"
            "directory import: a line says all of its record, and records that are not in the file stay;\n"
            "  --diff writes nothing and shows what would change\n"
            "coupon import: the same file goes on where an earlier run ended; --anew leaves the\n"
            "  unfinished import of another file; --errors shows more than 20 lines\n"
            "coupon reconcile: columns in any order: state (placed, paid, cancelled or absent), key (and its\n"
            "  user) or id; amount, and coupons behind spaces, are compared if they are there; exit\n"
            "  code 1 when something differs\n"
            "exit codes: 0 done, 1 refused or failed, 2 usage, 3 diff or lint found something\n");
}
