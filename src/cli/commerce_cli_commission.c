/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce commission: the plan, a JSON file in, and out again in the same form; what it changes, and what is wrong
 * about it.
 */

#include <stdlib.h>

#include "commerce_cli.h"

#define COMMISSION_FILE_MAX  (512 * 1024)


typedef struct {
    commerce_commission_plan_t   file;
    const char                  *path;
    const char                  *outcome;
} commission_put_t;


static int commission_file(commerce_cli_t *cli, const char *path, commerce_commission_plan_t *plan);
static int commission_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int commission_find(commerce_cli_t *cli, uint32_t number, commerce_commission_plan_t *plan);
static int commission_print(commerce_cli_t *cli, const commerce_commission_plan_t *plan);
static int commission_print_rule(commerce_cli_t *cli, const char *before, const commerce_commission_rule_t *rule,
    const char *behind);
static int commission_print_diff(commerce_cli_t *cli, const commerce_commission_plan_t *file,
    const commerce_commission_plan_t *stored, bool *found);
static void commission_print_cap(commerce_cli_t *cli, const char *before, const commerce_commission_plan_t *plan,
    const char *behind);


int
commerce_cli_commission_put(commerce_cli_t *cli, int argc, char **argv)
{
    commission_put_t  put;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    put.path = argv[1];

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (commission_file(cli, put.path, &put.file) != COMMERCE_CLI_OK) {
        return commerce_cli_fail(cli, "%s: nothing was changed, correct the file", put.path);
    }

    if (commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, true) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, commission_put_work, &put) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "commission plan: version %u, %s\n", put.file.version, put.outcome);

    return COMMERCE_CLI_OK;
}


static int
commission_file(commerce_cli_t *cli, const char *path, commerce_commission_plan_t *plan)
{
    commerce_str_t             json;
    commerce_cli_sentences_t   sentences = { cli, path };

    if (commerce_cli_file(cli, path, COMMISSION_FILE_MAX, &json) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    return commerce_commission_parse(cli->arena, json, plan, commerce_cli_wrong, &sentences) == COMMERCE_OK
           ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


/* versions are the store's: orders remember theirs */
static int
commission_put_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                          rc;
    uint64_t                     version;
    commission_put_t            *put = data;
    commerce_commission_plan_t   existing;

    rc = commerce_commission_read(&cli->reader, 0, &existing, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "commission plan", cli->shop);
    }

    if (rc == COMMERCE_OK && commerce_commission_equal(&existing, &put->file)) {
        put->file.version = existing.version;
        put->outcome = "unchanged";
        return COMMERCE_CLI_OK;
    }

    if (existing.version == UINT32_MAX) {
        return commerce_cli_fail(cli, "there were too many versions of the commission plan");
    }

    put->file.version = existing.version + 1;
    put->outcome = rc == COMMERCE_OK ? "replaced" : "created";

    commerce_commission_write(txn, cli->shop, &put->file, version);

    return COMMERCE_CLI_OK;
}


/* number 0: the plan in force */
static int
commission_find(commerce_cli_t *cli, uint32_t number, commerce_commission_plan_t *plan)
{
    int  rc;

    rc = commerce_commission_read(&cli->reader, number, plan, NULL);

    if (rc == COMMERCE_OK) {
        return COMMERCE_CLI_OK;
    }

    if (rc != COMMERCE_ABSENT) {
        return commerce_cli_unreadable(cli, "commission plan", cli->shop);
    }

    return number == 0
           ? commerce_cli_fail(cli, "shop \"%s\" has no commission plan: nobody gets any commission",
                               cli->shop_name)
           : commerce_cli_fail(cli, "shop \"%s\" has no version %u of its commission plan", cli->shop_name, number);
}


int
commerce_cli_commission_get(commerce_cli_t *cli, int argc, char **argv)
{
    uint64_t                     number;
    commerce_commission_plan_t   plan;

    number = 0;

    if (argc > 2
        || (argc == 2 && (commerce_parse_uint(commerce_cstr(argv[1]), UINT32_MAX, &number) != COMMERCE_OK
                          || number == 0)))
    {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || commission_find(cli, (uint32_t) number, &plan) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return commission_print(cli, &plan);
}


/* a rule on each line, so that a review shows which of them changed */
static int
commission_print(commerce_cli_t *cli, const commerce_commission_plan_t *plan)
{
    unsigned  i;

    fprintf(cli->out, "{\"v\":1,\n");
    commission_print_cap(cli, " ", plan, ",\n");
    fprintf(cli->out, " \"rules\":[%s", plan->rule_count != 0 ? "\n" : "");

    for (i = 0; i < plan->rule_count; i++) {
        if (commission_print_rule(cli, "  ", &plan->rules[i], i + 1 < plan->rule_count ? ",\n" : "")
            != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }
    }

    fprintf(cli->out, "]}\n");

    return COMMERCE_CLI_OK;
}


static void
commission_print_cap(commerce_cli_t *cli, const char *before, const commerce_commission_plan_t *plan,
    const char *behind)
{
    fprintf(cli->out, "%s\"cap\":%u%s", before, plan->cap, behind);
    fprintf(cli->out, "%s\"cap_over\":\"%s\"%s", before, plan->cap_all ? "all" : "tiers", behind);
}


static int
commission_print_rule(commerce_cli_t *cli, const char *before, const commerce_commission_rule_t *rule,
    const char *behind)
{
    char              *buffer;
    int64_t            len;
    commerce_write_t   w;

    buffer = malloc(COMMERCE_COMMISSION_TEXT);
    if (buffer == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    commerce_write_start(&w, buffer, COMMERCE_COMMISSION_TEXT);
    commerce_commission_write_rule(&w, rule);
    len = commerce_write_finish(&w);

    if (len > 0) {
        fprintf(cli->out, "%s%.*s%s", before, (int) len, buffer, behind);
    }

    free(buffer);

    return len > 0 ? COMMERCE_CLI_OK : commerce_cli_fail(cli, "a rule does not fit into memory");
}


int
commerce_cli_commission_diff(commerce_cli_t *cli, int argc, char **argv)
{
    bool                         found;
    commerce_commission_plan_t   file, stored;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commission_file(cli, argv[1], &file) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK
        || commission_find(cli, 0, &stored) != COMMERCE_CLI_OK
        || commission_print_diff(cli, &file, &stored, &found) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return found ? COMMERCE_CLI_FOUND : COMMERCE_CLI_OK;
}


/*
 * "-" is what the store has, "+" what the file would make of it.  The order of rules matters: those before the first
 * difference and behind the last one are left out.
 */
static int
commission_print_diff(commerce_cli_t *cli, const commerce_commission_plan_t *file,
    const commerce_commission_plan_t *stored, bool *found)
{
    unsigned  i, first, last;

    *found = !commerce_commission_equal(file, stored);

    if (file->cap != stored->cap || file->cap_all != stored->cap_all) {
        commission_print_cap(cli, "-", stored, "\n");
        commission_print_cap(cli, "+", file, "\n");
    }

    for (first = 0; first < file->rule_count && first < stored->rule_count; first++) {
        if (!commerce_commission_rule_equal(&file->rules[first], &stored->rules[first])) {
            break;
        }
    }

    for (last = 0; first + last < file->rule_count && first + last < stored->rule_count; last++) {
        if (!commerce_commission_rule_equal(&file->rules[file->rule_count - 1 - last],
                                            &stored->rules[stored->rule_count - 1 - last]))
        {
            break;
        }
    }

    for (i = first; i < stored->rule_count - last; i++) {
        if (commission_print_rule(cli, "-", &stored->rules[i], "\n") != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    for (i = first; i < file->rule_count - last; i++) {
        if (commission_print_rule(cli, "+", &file->rules[i], "\n") != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    return COMMERCE_CLI_OK;
}


/* without a store: for reviews and hooks */
int
commerce_cli_commission_lint(commerce_cli_t *cli, int argc, char **argv)
{
    commerce_cli_sentences_t     sentences;
    commerce_commission_plan_t   plan;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commission_file(cli, argv[1], &plan) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    sentences = (commerce_cli_sentences_t) { cli, argv[1] };

    return commerce_commission_lint(&plan, commerce_cli_suspicious, &sentences) == 0
           ? COMMERCE_CLI_OK : COMMERCE_CLI_FOUND;
}
