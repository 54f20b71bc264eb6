/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce store: its figures, and whether everything in it agrees.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"
#include "commerce_cli_check_log.h"

#define STORE_CHECKS  3         /* readings while others write, until one is taken as it is */


typedef struct {
    uint64_t  records, violations;
    FILE     *out;
} store_check_t;


static void store_size(char *out, size_t size, uint64_t bytes);
static int store_stat_shop(commerce_cli_t *cli, void *data);
static int store_check_options(commerce_cli_t *cli, int argc, char **argv, commerce_cli_log_t **logs,
    unsigned *count);
static int store_check_once(commerce_cli_t *cli, store_check_t *check, const commerce_cli_log_t *logs,
    unsigned count, char **text, uint64_t *commits);
static int store_check_shop(commerce_cli_t *cli, void *data);
static int store_check_run(commerce_cli_check_t *check);
static int store_commits(commerce_cli_t *cli, uint64_t *commits);


int
commerce_cli_store_stat(commerce_cli_t *cli, int argc, char **argv)
{
    char                   used[32], map[32];
    commerce_store_stat_t  stat;

    if (argc != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_open(cli, false) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_store_stat(cli->store, &stat) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }

    store_size(used, sizeof(used), stat.bytes_used);
    store_size(map, sizeof(map), stat.bytes_map);

    fprintf(cli->out, "store     %s\n", cli->store_path);
    fprintf(cli->out, "id space  %s\n", stat.id_space[0] != '\0' ? stat.id_space : "-");
    fprintf(cli->out, "format    %u\n", stat.format);
    fprintf(cli->out, "records   %llu\n", (unsigned long long) stat.records);
    fprintf(cli->out, "outbox    %llu\n", (unsigned long long) stat.outbox);
    fprintf(cli->out, "used      %s of %s\n", used, map);
    fprintf(cli->out, "commits   %llu\n", (unsigned long long) stat.last_txn);
    fprintf(cli->out, "readers   %u\n", stat.readers);

    return commerce_cli_each_shop(cli, store_stat_shop, NULL);
}


static void
store_size(char *out, size_t size, uint64_t bytes)
{
    if (bytes >= 1024 * 1024) {
        snprintf(out, size, "%llu MiB", (unsigned long long) bytes / 1024 / 1024);

    } else {
        snprintf(out, size, "%llu KiB", (unsigned long long) bytes / 1024);
    }
}


static int
store_stat_shop(commerce_cli_t *cli, void *data)
{
    int64_t         doubt;
    commerce_str_t  key;

    if (commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    key = commerce_counter_doubt(cli->arena, cli->shop);

    if (commerce_view_counter(cli->reader.view, key, &doubt) != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "counter of orders in doubt of shop", cli->shop);
    }

    commerce_cli_view_end(cli);

    fprintf(cli->out, "shop      %.*s, %lld order%s in doubt\n", commerce_cli_arg(cli->shop),
            (long long) doubt, doubt == 1 ? "" : "s");

    return COMMERCE_CLI_OK;
}


/*
 * A large store is read under more than one view.  What others write between two of them looks like
 * a violation, so a reading that found some is believed only if nobody wrote meanwhile.
 */
int
commerce_cli_store_check(commerce_cli_t *cli, int argc, char **argv)
{
    int             rc;
    char           *text;
    uint64_t        commits;
    unsigned        reading, count;
    store_check_t   check;
    commerce_cli_log_t  *logs;

    rc = store_check_options(cli, argc, argv, &logs, &count);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_open(cli, false) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    for (reading = 1; /* void */ ; reading++) {
        rc = store_check_once(cli, &check, logs, count, &text, &commits);

        if (rc != COMMERCE_CLI_OK || check.violations == 0 || commits == 0
            || reading == STORE_CHECKS)
        {
            break;
        }

        free(text);
    }

    if (rc == COMMERCE_CLI_OK) {
        fputs(text, cli->out);
        fprintf(cli->out, "%llu records, %llu violation%s\n", (unsigned long long) check.records,
                (unsigned long long) check.violations, check.violations == 1 ? "" : "s");
    }

    free(text);

    if (rc != COMMERCE_CLI_OK || check.violations == 0) {
        return rc;
    }

    if (commits != 0 && check.records > COMMERCE_CLI_RENEW) {
        return commerce_cli_fail(cli, "the store may be damaged, but was written to %llu times"
                                 " while it was read: check again when it is quiet, or check a"
                                 " copy",
                                 (unsigned long long) commits);
    }

    return commerce_cli_fail(cli, "the store is damaged: stop taking orders, keep a copy of %s, and"
                             " report what was found", cli->store_path);
}


static int
store_check_options(commerce_cli_t *cli, int argc, char **argv, commerce_cli_log_t **logs, unsigned *count)
{
    int    c, rc;
    char **paths;

    static const struct option  options[] = {
        { "log", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 }
    };

    *count = 0;
    *logs = NULL;

    paths = calloc((size_t) argc, sizeof(char *));
    if (paths == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = COMMERCE_CLI_OK;

    while (rc == COMMERCE_CLI_OK && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'l') {
            paths[(*count)++] = optarg;

        } else {
            rc = COMMERCE_CLI_USAGE;
        }
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = argc != optind ? COMMERCE_CLI_USAGE : commerce_cli_logs_open(cli, paths, *count, logs);
    }

    free(paths);

    return rc;
}


/* commits: how many there were meanwhile */
static int
store_check_once(commerce_cli_t *cli, store_check_t *check, const commerce_cli_log_t *logs, unsigned count,
    char **text, uint64_t *commits)
{
    int       rc;
    size_t    size;
    uint64_t  before;

    before = 0;
    *commits = 0;
    memset(check, 0, sizeof(store_check_t));
    *text = NULL;

    check->out = open_memstream(text, &size);
    if (check->out == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = store_commits(cli, &before);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_each_shop(cli, store_check_shop, check);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_check_outbox(cli, check->out, &check->violations);
    }

    if (rc == COMMERCE_CLI_OK && count != 0) {
        rc = commerce_cli_check_log(cli, logs, count, check->out, &check->violations);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = store_commits(cli, commits);
        *commits -= before;
    }

    if (fclose(check->out) != 0 && rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_fail(cli, "out of memory");
    }

    return rc;
}


static int
store_commits(commerce_cli_t *cli, uint64_t *commits)
{
    commerce_store_stat_t  stat;

    if (commerce_store_stat(cli->store, &stat) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }

    *commits = stat.last_txn;

    return COMMERCE_CLI_OK;
}


static int
store_check_shop(commerce_cli_t *cli, void *data)
{
    int                    rc;
    store_check_t         *sum = data;
    commerce_cli_check_t  *check;

    check = calloc(1, sizeof(commerce_cli_check_t));
    if (check == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    check->cli = cli;
    check->out = sum->out;

    rc = store_check_run(check);

    sum->records += check->records;
    sum->violations += check->violations;

    commerce_cli_tally_done(check);
    free(check);

    return rc;
}


static int
store_check_run(commerce_cli_check_t *check)
{
    int  rc;

    commerce_cli_alive(check->cli);

    rc = commerce_cli_view(check->cli, NULL);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_check_records(check);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_tally(check);
    }

    commerce_cli_view_end(check->cli);

    return rc;
}
