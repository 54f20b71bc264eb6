/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce coupon import.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commerce_cli_codes.h"

#define CODES_SHOWN   20
#define CODES_TRIES   10000000.0    /* a guess in fewer tries than this hits: a warning */


static int codes_arguments(commerce_cli_codes_t *codes, int argc, char **argv, const char **rejects);
static int codes_open(commerce_cli_codes_t *codes, const char *rejects);
static int codes_campaign(commerce_cli_codes_t *codes);
static int codes_import(commerce_cli_codes_t *codes);
static int codes_summary(commerce_cli_codes_t *codes);
static void codes_strength(commerce_cli_codes_t *codes);


int
commerce_cli_coupon_import(commerce_cli_t *cli, int argc, char **argv)
{
    int                   rc;
    const char           *rejects;
    commerce_cli_codes_t  codes;

    memset(&codes, 0, sizeof(commerce_cli_codes_t));
    codes.cli = cli;
    codes.fd = -1;
    codes.show = CODES_SHOWN;
    rejects = NULL;

    rc = codes_arguments(&codes, argc, argv, &rejects);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &codes.now) != COMMERCE_CLI_OK
        || codes_open(&codes, rejects) != COMMERCE_CLI_OK)
    {
        rc = COMMERCE_CLI_FAILED;

    } else {
        rc = codes_import(&codes);
    }

    if (codes.rejects != NULL && fclose(codes.rejects) != 0 && rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_fail(cli, "writing \"%s\" failed: %s", rejects, strerror(errno));
    }

    if (codes.holders != NULL) {
        fclose(codes.holders);
    }

    if (codes.fd > STDIN_FILENO) {
        close(codes.fd);
    }

    commerce_cli_sort_destroy(codes.sort);

    return rc;
}


static int
codes_arguments(commerce_cli_codes_t *codes, int argc, char **argv, const char **rejects)
{
    int                         c;
    static const struct option  options[] = {
        { "dry-run", no_argument, NULL, 'd' },
        { "anew", no_argument, NULL, 'a' },
        { "errors", required_argument, NULL, 'e' },
        { "rejects", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            codes->dry_run = true;
            break;
        case 'a':
            codes->anew = true;
            break;
        case 'e':
            if (commerce_parse_uint(commerce_cstr(optarg), UINT32_MAX, &codes->show) != COMMERCE_OK) {
                return commerce_cli_fail(codes->cli, "--errors takes a number of lines to show");
            }
            break;
        case 'r':
            *rejects = optarg;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 2) {
        return COMMERCE_CLI_USAGE;
    }

    codes->path = argv[optind + 1];

    return commerce_cli_id(codes->cli, "campaign's id", argv[optind], &codes->campaign_id);
}


/* every file before the store: with it, root is given up */

static int
codes_open(commerce_cli_codes_t *codes, const char *rejects)
{
    int          fd;
    struct stat  st;

    if (commerce_cli_keys(codes->cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    codes->fd = strcmp(codes->path, "-") == 0 ? STDIN_FILENO : open(codes->path, O_RDONLY|O_CLOEXEC);

    if (codes->fd == -1) {
        return commerce_cli_fail(codes->cli, "cannot open \"%s\": %s", codes->path, strerror(errno));
    }

    if (fstat(codes->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            return commerce_cli_fail(codes->cli, "\"%s\" is a directory: name a file", codes->path);
        }

        codes->size = S_ISREG(st.st_mode) ? (uint64_t) st.st_size : 0;
    }

    if (rejects != NULL) {
        codes->rejects = fopen(rejects, "we");

        if (codes->rejects == NULL) {
            return commerce_cli_fail(codes->cli, "cannot write \"%s\": %s", rejects, strerror(errno));
        }

        fprintf(codes->rejects, "line,reason\n");
    }

    fd = commerce_cli_sort_file();
    codes->holders = fd != -1 ? fdopen(fd, "w+") : NULL;

    if (codes->holders == NULL) {
        return commerce_cli_fail(codes->cli, "no temporary file can be made: %s (TMPDIR names another folder)",
                                 strerror(errno));
    }

    return COMMERCE_CLI_OK;
}


static int
codes_import(commerce_cli_codes_t *codes)
{
    int  rc;

    rc = commerce_cli_open(codes->cli, false);

    if (rc == COMMERCE_CLI_OK) {
        rc = codes_campaign(codes);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_codes_read(codes);
        commerce_cli_progress_clear(&codes->progress);
    }

    if (rc == COMMERCE_CLI_OK && fflush(codes->holders) != 0) {
        rc = commerce_cli_fail(codes->cli, "the temporary file cannot be written: %s", strerror(errno));
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_codes_write(codes);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = codes_summary(codes);
    }

    return rc;
}


static int
codes_campaign(commerce_cli_codes_t *codes)
{
    int              rc;
    commerce_cli_t  *cli;

    cli = codes->cli;

    rc = commerce_cli_view(cli, NULL);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    rc = commerce_campaign_find(&cli->reader, codes->campaign_id, &codes->campaign, NULL);
    commerce_cli_view_end(cli);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no campaign \"%.*s\" in shop \"%.*s\": make it with \"commerce"
                                 " campaign put\", with \"codes\":\"imported\"",
                                 commerce_cli_arg(codes->campaign_id), commerce_cli_arg(cli->shop));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign", codes->campaign_id);
    }

    if (!codes->campaign.imported) {
        return commerce_cli_fail(cli, "the codes of campaign \"%.*s\" are signed, made by \"commerce coupon mint\":"
                                 " import into a campaign with \"codes\":\"imported\"",
                                 commerce_cli_arg(codes->campaign_id));
    }

    return COMMERCE_CLI_OK;
}


void
commerce_cli_codes_reject(commerce_cli_codes_t *codes, uint64_t *count, uint32_t line, const char *format, ...)
{
    char     reason[256];
    va_list  args;

    (*count)++;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);

    if (codes->rejects != NULL) {
        fprintf(codes->rejects, "%u,", line);
        commerce_cli_csv(codes->rejects, commerce_cstr(reason));
        fputc('\n', codes->rejects);
    }

    if (codes->shown++ < codes->show) {
        alarm(0);       /* stderr may be a pipe that nobody reads */
        commerce_cli_progress_clear(&codes->progress);
        fprintf(stderr, "%s:%u: %s\n", codes->path, line, reason);
        commerce_cli_alive(codes->cli);
    }
}


static int
codes_summary(commerce_cli_codes_t *codes)
{
    uint64_t  lines;

    lines = codes->bad + codes->repeated + codes->present;

    if (lines > codes->show) {
        fprintf(stderr, "%s: %llu more lines like these%s\n", codes->path, (unsigned long long) (lines - codes->show),
                codes->rejects == NULL ? ": --rejects FILE writes them all" : "");
    }

    codes_strength(codes);

    fprintf(codes->cli->out, "%simported %llu", codes->dry_run ? "nothing is written, it would be: " : "",
            (unsigned long long) codes->added);

    if (codes->before != 0) {
        fprintf(codes->cli->out, " (and %llu by an earlier run)", (unsigned long long) codes->before);
    }

    fprintf(codes->cli->out, ", not imported %llu: %llu bad, %llu twice in the file, %llu in the store already\n",
            (unsigned long long) lines, (unsigned long long) codes->bad, (unsigned long long) codes->repeated,
            (unsigned long long) codes->present);

    return lines == 0 ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


/* codes that are short for their number: the guessing limits are all that protects them */

static void
codes_strength(commerce_cli_codes_t *codes)
{
    double    tries;
    unsigned  i;

    if (codes->added + codes->before == 0) {
        return;
    }

    tries = 1.0 / (double) (codes->added + codes->before);

    for (i = 0; i < codes->shortest; i++) {
        tries *= codes->letters ? 36 : 10;
    }

    if (tries < CODES_TRIES) {
        fprintf(stderr, "commerce: warning: with codes as short as %u %s, one guess in %.0f hits one of these:"
                " keep the guessing limits tight, or use longer codes\n", codes->shortest,
                codes->letters ? "characters" : "digits", tries < 1 ? 1 : tries);
    }
}
