/*
 * Copyright (C) ngx_commerce authors
 *
 * The command-line tool: what its subjects (keys, people, directory, campaign, coupon, token,
 * order, store) share.
 *
 * A handler checks its arguments, reads every file it needs, and only then opens the store: as
 * root the tool becomes the store directory's owner there, for good.  Everything it says goes to
 * cli->out, a buffer in memory that reaches stdout when the store is closed (or through
 * commerce_cli_flush() between transactions), so that a reader that stops never keeps a view of
 * the store open.
 */

#ifndef COMMERCE_CLI_H
#define COMMERCE_CLI_H

#include <getopt.h>
#include <stdio.h>

#include "../commerce_code.h"
#include "../commerce_ledger.h"
#include "../commerce_lineage.h"
#include "../commerce_token.h"

#ifndef COMMERCE_VERSION
#define COMMERCE_VERSION  "0.1.0"
#endif

#define COMMERCE_CLI_TIMEOUT   30       /* seconds that one step in the store may take */
#define COMMERCE_CLI_ATTEMPTS  50       /* transactions tried again after a conflict */
#define COMMERCE_CLI_PIECE     1000     /* records in one transaction */
#define COMMERCE_CLI_RENEW     10000    /* records read under one view */

/* results of handlers; the first four are exit codes */
typedef enum {
    COMMERCE_CLI_OK,
    COMMERCE_CLI_FAILED,
    COMMERCE_CLI_USAGE,
    COMMERCE_CLI_FOUND,         /* done: what was looked for is there, a difference, something suspicious */
    COMMERCE_CLI_AGAIN          /* a conflict: read again and decide again */
} commerce_cli_result_t;

typedef struct commerce_cli_s  commerce_cli_t;

typedef struct {
    const char  *subject, *verb;
    int        (*run)(commerce_cli_t *cli, int argc, char **argv);
    const char  *arguments;
    const char  *summary;
} commerce_cli_command_t;

struct commerce_cli_s {
    const char          *keys_path, *store_path, *shop_name, *clock_path;
    unsigned             timeout;

    const commerce_cli_command_t  *command;

    commerce_heap_t     *heap;
    commerce_arena_t    *arena;         /* lives as long as the tool */
    FILE                *out;
    char                *out_data;
    size_t               out_size;

    commerce_str_t       shop;
    commerce_keyring_t  *ring;
    commerce_store_t    *store;
    commerce_reader_t    reader;        /* reader.view is NULL while no view is open */
    uint64_t             visited;       /* records since the view began */
};

/* says one sentence on stderr; COMMERCE_CLI_FAILED */
int commerce_cli_fail(commerce_cli_t *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* an operator's or a file's text, shortened, without control characters; print it now */
const char *commerce_cli_text(commerce_cli_t *cli, commerce_str_t text);

/*
 * Steps before the work, each COMMERCE_CLI_OK or a result to return.
 *   shop   the shop's name is given and valid
 *   keys   reads the keyring into cli->ring
 *   open   opens the store; create: makes missing files (the keyring must have been read)
 *   open_flags  open with COMMERCE_STORE_ALONE and such
 *   try    open that leaves the sentence to the caller
 */
int commerce_cli_shop(commerce_cli_t *cli);
int commerce_cli_keys(commerce_cli_t *cli);
int commerce_cli_open(commerce_cli_t *cli, bool create);
int commerce_cli_open_flags(commerce_cli_t *cli, unsigned flags);
int commerce_cli_try(commerce_cli_t *cli, bool create, char *error, size_t size);

/* reads a whole file ("-": standard input) of at most max bytes */
int commerce_cli_file(commerce_cli_t *cli, const char *path, size_t max, commerce_str_t *data);

/* the clock, or what --clock says */
int commerce_cli_now(commerce_cli_t *cli, commerce_time_t *now);

/* an external id given as an argument */
int commerce_cli_id(commerce_cli_t *cli, const char *what, const char *argument,
    commerce_str_t *id);

/* the guard's time starts again: after every step of a long work */
void commerce_cli_alive(commerce_cli_t *cli);

/* a view into cli->reader, whose results live in arena (NULL: cli->arena) */
int commerce_cli_view(commerce_cli_t *cli, commerce_arena_t *arena);
void commerce_cli_view_end(commerce_cli_t *cli);

/*
 * Applies, with the view ended.  COMMERCE_CLI_OK, COMMERCE_CLI_AGAIN, COMMERCE_CLI_FAILED (said).
 * An empty transaction is applied at once.
 */
int commerce_cli_apply(commerce_cli_t *cli, commerce_txn_t *txn);

/*
 * Runs a piece of work under a fresh view until it meets no conflict.  The work reads, fills the
 * transaction (its arena is one attempt's) and returns COMMERCE_CLI_OK to have it applied.
 */
typedef int (*commerce_cli_work_t)(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
int commerce_cli_transact(commerce_cli_t *cli, commerce_cli_work_t work, void *data);

/* what has been said so far to stdout, while the guard sleeps */
int commerce_cli_flush(commerce_cli_t *cli);

/*
 * Visits every record of a kind of cli->shop, in order, under the open view, which is renewed
 * every COMMERCE_CLI_RENEW records: nothing from the store may be kept.  cli->reader.arena is
 * emptied with it.  A visit that does not return COMMERCE_CLI_OK ends the scan.
 */
typedef struct {
    commerce_str_t  key;        /* whole */
    commerce_str_t  name;       /* behind the prefix */
    commerce_str_t  value;
    uint64_t        version;
} commerce_cli_record_t;

typedef int (*commerce_cli_visit_t)(commerce_cli_t *cli, const commerce_cli_record_t *record,
    void *data);
int commerce_cli_scan(commerce_cli_t *cli, char kind, commerce_cli_visit_t visit, void *data);

/* a zone of this machine's zone files: a commerce_zone_find_pt */
int commerce_cli_zone(commerce_arena_t *arena, commerce_str_t name, commerce_zone_t *zone);

/* calls work once for cli->shop, or, if none was given, for each shop found in the store */
typedef int (*commerce_cli_shop_work_t)(commerce_cli_t *cli, void *data);
int commerce_cli_each_shop(commerce_cli_t *cli, commerce_cli_shop_work_t work, void *data);

/* about a file of an operator's (data: commerce_cli_sentences_t): what is wrong, on stderr; what is suspicious */
typedef struct {
    commerce_cli_t  *cli;
    const char      *path;
} commerce_cli_sentences_t;

void commerce_cli_wrong(void *data, const char *sentence);
void commerce_cli_suspicious(void *data, const char *sentence);

/* a broken or unreadable record */
int commerce_cli_unreadable(commerce_cli_t *cli, const char *what, commerce_str_t id);

/* a time as "2026-11-01T00:00:00Z", "never" for COMMERCE_FOREVER; print it now */
const char *commerce_cli_time(commerce_cli_t *cli, commerce_time_t time);

/* a field of a CSV line, quoted where it must be */
void commerce_cli_csv(FILE *out, commerce_str_t field);

/* a person's external id by number, "-" for nobody; in the reader's arena */
int commerce_cli_person_name(commerce_cli_t *cli, uint64_t number, commerce_str_t *id);

/* for "%.*s" */
#define commerce_cli_arg(s)  (int) (s).len, (s).len != 0 ? (s).data : ""

int commerce_cli_keys_init(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_keys_list(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_keys_rotate(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_keys_retire(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_keys_export(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_people_import(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_people_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_group_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_group_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_room_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_room_schedule(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_channel_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_channel_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_room_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_landing_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_landing_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_retail_store_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_retail_store_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_directory_import(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_directory_export(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_campaign_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_campaign_diff(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_campaign_get(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_campaign_lint(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_commission_put(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_commission_get(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_commission_diff(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_commission_lint(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_campaign_list(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_coupon_mint(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_coupon_list(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_coupon_import(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_coupon_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_token_inspect(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_token_issue(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_list(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_confirm(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_cancel(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_split_release(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_refuse(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_order_approve(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_coupon_reconcile(commerce_cli_t *cli, int argc, char **argv);

/* an order's JSON: payments, refunds, freeze date, and what waits for it */
int commerce_cli_order_sale(commerce_cli_t *cli, commerce_write_t *w, const commerce_order_t *order);
/* lists orders that are partly paid, or that gave something back */
int commerce_cli_order_sales(commerce_cli_t *cli, bool refunded);
void commerce_cli_write_fen(commerce_write_t *w, const char *name, commerce_fen_t fen);         /* -1: null */
void commerce_cli_write_time(commerce_write_t *w, const char *name, commerce_time_t when);      /* forever: null */
int commerce_cli_store_stat(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_store_check(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_store_backup(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_store_restore(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_store_collect(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_explain_order(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_explain_event(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_buyer_show(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_buyer_rebind(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_buyer_merge(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_buyer_erase(commerce_cli_t *cli, int argc, char **argv);
int commerce_cli_store_compact(commerce_cli_t *cli, int argc, char **argv);

#endif
