/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce token: share tokens, made and read.
 */

#include "commerce_cli.h"

#define TOKEN_DAY           86400
#define TOKEN_DAYS_DEFAULT  30          /* as commerce_share */
#define TOKEN_DAYS_MAX      16383


typedef struct {
    const char       *seller, *group, *room, *channel;
    uint64_t          days;             /* 0: forever */
    commerce_token_t  token;
} token_issue_t;


static int token_issue_arguments(commerce_cli_t *cli, int argc, char **argv, token_issue_t *issue);
static int token_issue_days(commerce_cli_t *cli, const char *text, uint64_t *days);
static int token_issue_seller(commerce_cli_t *cli, token_issue_t *issue);
static int token_issue_place(commerce_cli_t *cli, token_issue_t *issue);
static int token_issue_absent(commerce_cli_t *cli, int rc, const char *what, commerce_str_t id);
static void token_print(commerce_cli_t *cli, const commerce_token_t *token);
static void token_print_person(commerce_cli_t *cli, const char *name, uint64_t number);
static void token_print_context(commerce_cli_t *cli, const commerce_token_t *token);
static void token_names(commerce_cli_t *cli);


int
commerce_cli_token_issue(commerce_cli_t *cli, int argc, char **argv)
{
    int              rc;
    char             text[COMMERCE_TOKEN_TEXT];
    token_issue_t    issue;
    commerce_time_t  now, until;

    memset(&issue, 0, sizeof(token_issue_t));

    rc = token_issue_arguments(cli, argc, argv, &issue);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    until = issue.days != 0 ? now + (commerce_time_t) issue.days * TOKEN_DAY : COMMERCE_FOREVER;

    if (commerce_token_expiry_day(until, &issue.token.expiry_day) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "a token cannot live %llu days: give fewer --days, or"
                                 " \"forever\"", (unsigned long long) issue.days);
    }

    if (commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || token_issue_seller(cli, &issue) != COMMERCE_CLI_OK
        || token_issue_place(cli, &issue) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_token_issue(cli->ring, cli->shop, &issue.token, text) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the token could not be signed: check the OpenSSL"
                                 " installation");
    }

    fprintf(cli->out, "%.*s\n", COMMERCE_TOKEN_TEXT, text);

    return COMMERCE_CLI_OK;
}


static int
token_issue_arguments(commerce_cli_t *cli, int argc, char **argv, token_issue_t *issue)
{
    int                         c;
    static const struct option  options[] = {
        { "group", required_argument, NULL, 'g' },
        { "room", required_argument, NULL, 'r' },
        { "channel", required_argument, NULL, 'c' },
        { "days", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 }
    };

    issue->days = TOKEN_DAYS_DEFAULT;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'g':
            issue->group = optarg;
            break;
        case 'r':
            issue->room = optarg;
            break;
        case 'c':
            issue->channel = optarg;
            break;
        case 'd':
            if (token_issue_days(cli, optarg, &issue->days) != COMMERCE_CLI_OK) {
                return COMMERCE_CLI_FAILED;
            }
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1
        || (issue->group != NULL) + (issue->room != NULL) + (issue->channel != NULL) > 1)
    {
        return COMMERCE_CLI_USAGE;
    }

    issue->seller = argv[optind];

    if (strcmp(issue->seller, "-") != 0) {
        return COMMERCE_CLI_OK;
    }

    issue->seller = NULL;

    if (issue->group == NULL && issue->room == NULL && issue->channel == NULL) {
        return commerce_cli_fail(cli, "a token without a seller names a group, a room or a channel:"
                                 " add --group ID, --room ID or --channel ID");
    }

    return COMMERCE_CLI_OK;
}


static int
token_issue_days(commerce_cli_t *cli, const char *text, uint64_t *days)
{
    if (strcmp(text, "forever") == 0) {
        *days = 0;
        return COMMERCE_CLI_OK;
    }

    if (commerce_parse_uint(commerce_cstr(text), TOKEN_DAYS_MAX, days) != COMMERCE_OK || *days == 0)
    {
        return commerce_cli_fail(cli, "\"%s\" is no number of days: give 1 to %d, or \"forever\"",
                                 commerce_cli_text(cli, commerce_cstr(text)), TOKEN_DAYS_MAX);
    }

    return COMMERCE_CLI_OK;
}


static int
token_issue_seller(commerce_cli_t *cli, token_issue_t *issue)
{
    int                rc;
    commerce_str_t     id;
    commerce_person_t  person;
    commerce_reason_t  reason;

    if (issue->seller == NULL) {
        return COMMERCE_CLI_OK;
    }

    id = commerce_cstr(issue->seller);

    rc = commerce_person_find(&cli->reader, id, &person, NULL);

    if (rc != COMMERCE_OK) {
        return token_issue_absent(cli, rc, "person", id);
    }

    reason = commerce_person_judge(&person);

    if (reason != COMMERCE_R(OK)) {
        return commerce_cli_fail(cli, "person \"%.*s\" is %s and cannot be credited (%.*s): make"
                                 " the person active first", commerce_cli_arg(id),
                                 commerce_person_status_name(person.status),
                                 commerce_cli_arg(commerce_reason(reason)->name));
    }

    issue->token.seller = person.number;
    issue->token.upline = commerce_role_salaried(person.role) ? 0 : person.upline;

    return COMMERCE_CLI_OK;
}


static int
token_issue_place(commerce_cli_t *cli, token_issue_t *issue)
{
    int               rc;
    commerce_str_t    id;
    commerce_room_t     room;
    commerce_group_t    group;
    commerce_channel_t  channel;

    if (issue->channel != NULL) {
        id = commerce_cstr(issue->channel);
        rc = commerce_channel_find(&cli->reader, id, &channel, NULL);

        if (rc != COMMERCE_OK) {
            return token_issue_absent(cli, rc, "channel", id);
        }

        issue->token.context = COMMERCE_CONTEXT_CHANNEL;
        issue->token.context_id = channel.number;
    }

    if (issue->group != NULL) {
        id = commerce_cstr(issue->group);
        rc = commerce_group_find(&cli->reader, id, &group, NULL);

        if (rc != COMMERCE_OK) {
            return token_issue_absent(cli, rc, "group", id);
        }

        issue->token.context = COMMERCE_CONTEXT_GROUP;
        issue->token.context_id = group.number;
    }

    if (issue->room != NULL) {
        id = commerce_cstr(issue->room);
        rc = commerce_room_find(&cli->reader, id, &room, NULL);

        if (rc != COMMERCE_OK) {
            return token_issue_absent(cli, rc, "room", id);
        }

        issue->token.context = COMMERCE_CONTEXT_LIVE_ROOM;
        issue->token.context_id = room.number;
    }

    return COMMERCE_CLI_OK;
}


static int
token_issue_absent(commerce_cli_t *cli, int rc, const char *what, commerce_str_t id)
{
    if (rc != COMMERCE_ABSENT) {
        return commerce_cli_unreadable(cli, what, id);
    }

    return commerce_cli_fail(cli, "there is no %s \"%s\" in shop \"%s\": %s it first", what,
                             commerce_cli_text(cli, id), cli->shop_name,
                             strcmp(what, "person") == 0 ? "import" : "make");
}


int
commerce_cli_token_inspect(commerce_cli_t *cli, int argc, char **argv)
{
    commerce_str_t     text;
    commerce_time_t    now;
    commerce_token_t   token;
    commerce_reason_t  reason;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    text = commerce_cstr(argv[1]);

    if (commerce_token_parse(text, &token) != COMMERCE_R(OK)) {
        return commerce_cli_fail(cli, "\"%s\" is no share token (TOKEN_MALFORMED): give all of its"
                                 " %d characters", commerce_cli_text(cli, text),
                                 COMMERCE_TOKEN_TEXT);
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    reason = commerce_token_verify(cli->ring, cli->shop, &token, now);

    token_names(cli);
    token_print(cli, &token);
    fprintf(cli->out, "reason    %.*s\n", commerce_cli_arg(commerce_reason(reason)->name));

    if (reason != COMMERCE_R(OK)) {
        return commerce_cli_fail(cli, "shop \"%s\" does not honour this token (%.*s): issue"
                                 " another", cli->shop_name,
                                 commerce_cli_arg(commerce_reason(reason)->name));
    }

    return COMMERCE_CLI_OK;
}


/* a token can be read where there is no store: it is then shown in numbers */
static void
token_names(commerce_cli_t *cli)
{
    char  error[512];

    if (commerce_cli_try(cli, false, error, sizeof(error)) != COMMERCE_CLI_OK) {
        fprintf(stderr, "commerce: numbers are not looked up: %s\n", error);
        return;
    }

    commerce_cli_view(cli, NULL);
}


static void
token_print(commerce_cli_t *cli, const commerce_token_t *token)
{
    fprintf(cli->out, "key       %u\n", token->key_id);

    token_print_person(cli, "seller", token->seller);
    token_print_person(cli, "upline", token->upline);
    token_print_context(cli, token);

    fprintf(cli->out, "expires   %s\n", token->expiry_day == 0 ? "never"
            : commerce_cli_time(cli, COMMERCE_TOKEN_EPOCH
                                     + (commerce_time_t) token->expiry_day * TOKEN_DAY));
    fprintf(cli->out, "flags     %s%s%s\n", token->flags == 0 ? "-" : "",
            token->flags & COMMERCE_TOKEN_REWARD ? "reward " : "",
            token->flags & COMMERCE_TOKEN_TEST ? "test" : "");
}


static void
token_print_person(commerce_cli_t *cli, const char *name, uint64_t number)
{
    commerce_person_t  person;

    if (number == 0) {
        fprintf(cli->out, "%-10s-\n", name);
        return;
    }

    if (cli->reader.view != NULL
        && commerce_person_read(&cli->reader, number, &person, NULL) == COMMERCE_OK)
    {
        fprintf(cli->out, "%-10s%.*s (number %llu)\n", name, commerce_cli_arg(person.id),
                (unsigned long long) number);
        return;
    }

    fprintf(cli->out, "%-10snumber %llu%s\n", name, (unsigned long long) number,
            cli->reader.view != NULL ? ", not in the store" : "");
}


static void
token_print_context(commerce_cli_t *cli, const commerce_token_t *token)
{
    int                       rc;
    commerce_str_t            id;
    commerce_room_t           room;
    commerce_group_t          group;
    static const char *const  names[] = {
        "none", "product", "content", "group", "room", "channel"
    };

    if (token->context == COMMERCE_CONTEXT_NONE) {
        fprintf(cli->out, "context   -\n");
        return;
    }

    rc = COMMERCE_ABSENT;
    id = commerce_string("");

    if (cli->reader.view != NULL && token->context == COMMERCE_CONTEXT_GROUP) {
        rc = commerce_group_read(&cli->reader, token->context_id, &group, NULL);
        id = group.id;

    } else if (cli->reader.view != NULL && token->context == COMMERCE_CONTEXT_LIVE_ROOM) {
        rc = commerce_room_read(&cli->reader, token->context_id, &room, NULL);
        id = room.id;
    }

    fprintf(cli->out, "%-10s", names[token->context]);

    if (rc == COMMERCE_OK) {
        fprintf(cli->out, "%.*s (number %u)\n", commerce_cli_arg(id), token->context_id);

    } else {
        fprintf(cli->out, "number %u\n", token->context_id);
    }
}
