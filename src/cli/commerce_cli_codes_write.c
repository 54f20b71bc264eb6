/*
 * Copyright (C) ngx_commerce authors
 *
 * Pieces of an import: at most COMMERCE_CLI_PIECE records in a transaction, and how far that brings it in the same
 * one.  So whenever it is killed, the same command goes on where it was.
 */

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "../commerce_event.h"
#include "../commerce_write.h"
#include "commerce_cli_codes.h"

#define WRITE_COMMON  5             /* records of the first piece: campaign and its index, how far, event; one to spare */
#define WRITE_EVENT   1024
#define WRITE_ROWS    (COMMERCE_CLI_PIECE - WRITE_COMMON)
#define WRITE_PAUSE   2000000       /* nanoseconds between pieces, at least and at most */
#define WRITE_PATIENCE  50000000


typedef struct {
    commerce_cli_sort_row_t  row;
    uint64_t                 index;             /* in the order of hashes */
    commerce_str_t           holder;
    char                     user[COMMERCE_ID_MAX];
    unsigned                 campaign;          /* that has it already; 0: none */
} write_row_t;

typedef struct {
    commerce_cli_codes_t     *codes;
    commerce_import_t         import;           /* as it stands, durably */
    bool                      begun;            /* the store has it so */
    commerce_import_t         next;             /* as the piece at hand will leave it */
    commerce_cli_sort_row_t   last;             /* the row before, to find repeated ones */
    bool                      has_last;
    uint64_t                  read;             /* rows of the sort */
    write_row_t               rows[WRITE_ROWS];
    unsigned                  count;
    commerce_event_source_t   events;
} write_t;


static int write_begin(write_t *out);
static int write_other(commerce_cli_codes_t *codes, const commerce_import_t *other);
static int write_skip(write_t *out);
static int write_fill(write_t *out, bool *more);
static int write_next(write_t *out, commerce_cli_sort_row_t *row);
static int write_holder(write_t *out, write_row_t *row);
static int write_piece(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int write_import(write_t *out, commerce_txn_t *txn);
static int write_serials(write_t *out, commerce_txn_t *txn, commerce_campaign_t *campaign, uint64_t version);
static int write_rows(write_t *out, commerce_txn_t *txn);
static int write_coupon(write_t *out, commerce_txn_t *txn, write_row_t *row);
static int write_look(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void write_told(write_t *out);
static void write_pause(const struct timespec *started);


int
commerce_cli_codes_write(commerce_cli_codes_t *codes)
{
    int              rc;
    bool             more;
    static write_t   out;       /* too large for the stack, and there is one */
    struct timespec  started;

    memset(&out, 0, sizeof(write_t));
    out.codes = codes;

    rc = write_begin(&out);

    if (rc == COMMERCE_CLI_OK && commerce_cli_sort_start(codes->sort) != COMMERCE_OK) {
        rc = commerce_cli_fail(codes->cli, "the temporary file cannot be read: %s", strerror(errno));
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = write_skip(&out);
    }

    commerce_cli_progress_start(&codes->progress, codes->dry_run ? "checking" : "writing", "codes", out.read,
                                out.import.rows);

    for (more = true; rc == COMMERCE_CLI_OK; ) {
        commerce_cli_alive(codes->cli);

        rc = write_fill(&out, &more);

        if (rc != COMMERCE_CLI_OK || (out.read == out.import.done && !more)) {
            break;
        }

        clock_gettime(CLOCK_MONOTONIC, &started);
        rc = commerce_cli_transact(codes->cli, codes->dry_run ? write_look : write_piece, &out);

        if (rc == COMMERCE_CLI_OK) {
            write_told(&out);
            commerce_cli_progress_show(&codes->progress, out.read);

            if (!codes->dry_run) {
                write_pause(&started);
            }
        }
    }

    commerce_cli_progress_clear(&codes->progress);

    return rc;
}


static int
write_begin(write_t *out)
{
    int                    rc;
    commerce_import_t      other;
    commerce_cli_codes_t  *codes;

    codes = out->codes;

    memcpy(out->import.digest, codes->digest, sizeof(codes->digest));

    rc = commerce_cli_view(codes->cli, NULL);
    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    rc = commerce_import_read(&codes->cli->reader, codes->campaign.number, &out->import, NULL);

    if (rc == COMMERCE_OK) {
        out->begun = true;
        codes->before = out->import.added;

    } else if (rc == COMMERCE_ABSENT) {
        out->import.rows = commerce_cli_sort_count(codes->sort);
        out->import.started = codes->now;
        rc = commerce_import_unfinished(&codes->cli->reader, codes->campaign.number, &other);
    }

    commerce_cli_view_end(codes->cli);

    if (rc == COMMERCE_ERROR || (out->begun && out->import.rows != commerce_cli_sort_count(codes->sort))) {
        return commerce_cli_unreadable(codes->cli, "an import into campaign", codes->campaign_id);
    }

    return rc == COMMERCE_ABSENT || out->begun || codes->anew || codes->dry_run ? COMMERCE_CLI_OK
                                                                                : write_other(codes, &other);
}


/* the same file goes on where it was; another one has to wait for the end, or to be told */

static int
write_other(commerce_cli_codes_t *codes, const commerce_import_t *other)
{
    return commerce_cli_fail(codes->cli, "campaign \"%.*s\" has an import that is not finished: %llu of %llu codes of"
                             " another file, begun at %s: import that file again to finish it (if \"%s\" is that"
                             " file, it was changed), or leave it with --anew: what it imported stays",
                             commerce_cli_arg(codes->campaign_id), (unsigned long long) other->done,
                             (unsigned long long) other->rows, commerce_cli_time(codes->cli, other->started),
                             codes->path);
}


/* what an earlier run has dealt with; its repeated lines are told again */

static int
write_skip(write_t *out)
{
    int                      rc;
    commerce_cli_sort_row_t  row;

    while (out->read < out->import.done) {
        rc = write_next(out, &row);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


/* rows for one piece; a row with a holder makes two records */

static int
write_fill(write_t *out, bool *more)
{
    int           rc;
    unsigned      records;
    uint64_t      repeated;
    write_row_t  *row;

    out->count = 0;
    records = 0;

    while (records + 2 <= WRITE_ROWS) {
        *more = out->read < out->import.rows;

        if (!*more) {
            break;
        }

        row = &out->rows[out->count];
        repeated = out->codes->repeated;

        rc = write_next(out, &row->row);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }

        if (out->codes->repeated != repeated) {
            continue;
        }

        row->index = out->read - 1;

        if (write_holder(out, row) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }

        records += row->holder.len != 0 ? 2 : 1;
        out->count++;
    }

    return COMMERCE_CLI_OK;
}


/* the next row in the order of hashes, counted as repeated if the one before has the same */

static int
write_next(write_t *out, commerce_cli_sort_row_t *row)
{
    commerce_cli_codes_t  *codes;

    codes = out->codes;

    if (commerce_cli_sort_next(codes->sort, row) != COMMERCE_OK) {
        return commerce_cli_fail(codes->cli, "the temporary file cannot be read: %s", strerror(errno));
    }

    out->read++;

    if (out->has_last && memcmp(out->last.hash, row->hash, COMMERCE_IMPORTED_HASH) == 0) {
        commerce_cli_codes_reject(codes, &codes->repeated, row->line, "has the code of line %u", out->last.line);

    } else {
        out->last = *row;
        out->has_last = true;
    }

    return COMMERCE_CLI_OK;
}


static int
write_holder(write_t *out, write_row_t *row)
{
    int            fd;
    off_t          offset;
    unsigned char  len;

    row->holder = commerce_string("");

    if (row->row.extra == 0) {
        return COMMERCE_CLI_OK;
    }

    fd = fileno(out->codes->holders);
    offset = (off_t) row->row.extra - 1;

    if (pread(fd, &len, 1, offset) != 1 || len > COMMERCE_ID_MAX || pread(fd, row->user, len, offset + 1) != len) {
        return commerce_cli_fail(out->codes->cli, "the temporary file cannot be read: %s", strerror(errno));
    }

    row->holder = (commerce_str_t) { row->user, len };

    return COMMERCE_CLI_OK;
}


static int
write_piece(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                   rc;
    uint64_t              version;
    write_t              *out = data;
    commerce_campaign_t   campaign;

    rc = commerce_campaign_read(&cli->reader, out->codes->campaign.number, &campaign, &version);

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "campaign", out->codes->campaign_id);
    }

    if (!campaign.imported) {
        return commerce_cli_fail(cli, "campaign \"%.*s\" was replaced by one whose codes are signed",
                                 commerce_cli_arg(out->codes->campaign_id));
    }

    out->next = out->import;
    out->next.done = out->read;

    rc = write_serials(out, txn, &campaign, version);

    if (rc == COMMERCE_CLI_OK) {
        rc = write_rows(out, txn);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = write_import(out, txn);
    }

    return rc;
}


/* a file takes serials for all its rows at once, and the log remembers which */

static int
write_serials(write_t *out, commerce_txn_t *txn, commerce_campaign_t *campaign, uint64_t version)
{
    char               buffer[WRITE_EVENT];
    commerce_cli_t    *cli;
    commerce_write_t   w;

    cli = out->codes->cli;

    if (!out->begun) {
        out->next.first = campaign->minted;

        if (campaign->closed != 0) {
            return commerce_cli_fail(cli, "campaign \"%.*s\" is closed, its coupons cannot be used any more: make"
                                     " another campaign", commerce_cli_arg(campaign->id));
        }

        if (campaign->minted + out->next.rows > (uint64_t) COMMERCE_CODE_MINTED_MAX + 1) {
            return commerce_cli_fail(cli, "campaign \"%.*s\" has no room for so many codes: make another campaign",
                                     commerce_cli_arg(campaign->id));
        }

        if (commerce_event_start(&w, buffer, sizeof(buffer), &out->events, "mint", cli->shop,
                                 (int64_t) out->codes->now * 1000000)
            == COMMERCE_OK)
        {
            commerce_write_text(&w, "campaign", campaign->id);
            commerce_write_int(&w, "first", out->next.first);
            commerce_write_int(&w, "count", (int64_t) out->next.rows);
            commerce_write_hex(&w, "file", out->next.digest, sizeof(out->next.digest));
        }

        commerce_txn_event(txn, commerce_copy(txn->arena, commerce_event_finish(&w)));
    }

    if (campaign->minted < out->next.first + out->next.rows) {
        campaign->minted = (uint32_t) (out->next.first + out->next.rows);
        commerce_campaign_write(txn, cli->shop, campaign, version);
    }

    return COMMERCE_CLI_OK;
}


/* nobody else may have moved it: two runs of one file would tell each other's lines as present */

static int
write_import(write_t *out, commerce_txn_t *txn)
{
    int                 rc;
    uint64_t            version;
    commerce_cli_t     *cli;
    commerce_import_t   found;

    cli = out->codes->cli;
    found = out->import;

    rc = commerce_import_read(&cli->reader, out->codes->campaign.number, &found, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "an import into campaign", out->codes->campaign_id);
    }

    if (out->begun ? found.done != out->import.done : rc == COMMERCE_OK) {
        return commerce_cli_fail(cli, "another run imports this file into campaign \"%.*s\" at the same time: let it"
                                 " finish", commerce_cli_arg(out->codes->campaign_id));
    }

    commerce_import_write(txn, cli->shop, out->codes->campaign.number, &out->next, version);

    return COMMERCE_CLI_OK;
}


/* txn: NULL in a dry run */

static int
write_rows(write_t *out, commerce_txn_t *txn)
{
    int                   rc;
    unsigned              i;
    write_row_t          *row;
    commerce_cli_t       *cli;
    commerce_imported_t   found;

    cli = out->codes->cli;

    for (i = 0; i < out->count; i++) {
        row = &out->rows[i];

        rc = commerce_imported_read(&cli->reader, row->row.hash, &found);

        if (rc == COMMERCE_ERROR) {
            return commerce_cli_unreadable(cli, "a code like that of a line in", commerce_cstr(out->codes->path));
        }

        row->campaign = found.campaign;

        if (found.campaign != 0) {
            continue;
        }

        if (txn != NULL && write_coupon(out, txn, row) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }

        out->next.added++;
    }

    return COMMERCE_CLI_OK;
}


static int
write_coupon(write_t *out, commerce_txn_t *txn, write_row_t *row)
{
    int                  rc;
    uint64_t             version;
    commerce_cli_t      *cli;
    commerce_coupon_t    coupon;
    commerce_imported_t  code;

    cli = out->codes->cli;
    code.campaign = out->codes->campaign.number;
    code.serial = (uint32_t) (out->next.first + row->index);

    commerce_imported_write(txn, cli->shop, row->row.hash, &code);

    if (row->holder.len == 0) {
        return COMMERCE_CLI_OK;
    }

    /* there is one already if the log told a restored store what became of it */

    rc = commerce_coupon_read(&cli->reader, code.campaign, code.serial, &coupon, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "a coupon of campaign", out->codes->campaign_id);
    }

    if (coupon.holder.len == 0) {
        coupon.holder = row->holder;
        coupon.changed = rc == COMMERCE_OK ? coupon.changed : out->codes->now;
        commerce_coupon_write(txn, cli->shop, &coupon, version);
    }

    return COMMERCE_CLI_OK;
}


/* a dry run: what would be there already */

static int
write_look(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    write_t  *out = data;

    out->next = out->import;
    out->next.done = out->read;

    return write_rows(out, NULL);
}


/* the piece is durable: what there is to say about its lines is said now, and once */

static void
write_told(write_t *out)
{
    unsigned               i;
    commerce_cli_codes_t  *codes;

    codes = out->codes;
    codes->added += out->next.added - out->import.added;

    out->import = out->next;
    out->begun = true;

    for (i = 0; i < out->count; i++) {

        if (out->rows[i].campaign == codes->campaign.number) {
            commerce_cli_codes_reject(codes, &codes->present, out->rows[i].row.line,
                                      "has a code that is in this campaign already");

        } else if (out->rows[i].campaign != 0) {
            commerce_cli_codes_reject(codes, &codes->present, out->rows[i].row.line,
                                      "has a code that is in campaign number %u already", out->rows[i].campaign);
        }
    }
}


/* as long as the piece took, so that others have the store for half of the time */

static void
write_pause(const struct timespec *started)
{
    int64_t          took;
    struct timespec  now, pause;

    clock_gettime(CLOCK_MONOTONIC, &now);

    took = (int64_t) (now.tv_sec - started->tv_sec) * 1000000000 + now.tv_nsec - started->tv_nsec;
    took = took < WRITE_PAUSE ? WRITE_PAUSE : took > WRITE_PATIENCE ? WRITE_PATIENCE : took;

    pause.tv_sec = 0;
    pause.tv_nsec = (long) took;

    nanosleep(&pause, NULL);
}
