/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce coupon import: codes made elsewhere become coupons (../commerce_imported.h).
 *
 *   commerce_cli_codes.c        the command: what is imported, into what, how it ends
 *   commerce_cli_codes_read.c   the file: lines, columns, hashes, sorted (commerce_cli_sort.h)
 *   commerce_cli_codes_write.c  the store: pieces in the order of hashes, each with how far it has come
 *
 * The whole file is read before anything is written, so a file that cannot be read changes nothing.  Memory does not
 * grow with it.  Nothing that this prints holds a code.
 */

#ifndef COMMERCE_CLI_CODES_H
#define COMMERCE_CLI_CODES_H

#include "commerce_cli.h"
#include "commerce_cli_progress.h"
#include "commerce_cli_sort.h"

typedef struct {
    commerce_cli_t           *cli;
    const char               *path;
    int                       fd;
    uint64_t                  size;             /* of the file; 0 = not known */
    commerce_str_t            campaign_id;
    commerce_campaign_t       campaign;
    bool                      dry_run;
    bool                      anew;             /* another file's unfinished import is given up */
    commerce_time_t           now;

    uint64_t                  shown, show;      /* messages about lines, and how many there may be */
    FILE                     *rejects;          /* all of them; NULL: nowhere */
    commerce_cli_progress_t   progress;

    commerce_cli_sort_t      *sort;             /* extra: where the holder stands in holders, plus one; 0: none */
    FILE                     *holders;          /* a length byte, then the user */
    uint64_t                  holders_size;
    uint8_t                   digest[32];       /* of the whole file */
    unsigned                  shortest;         /* characters of the shortest code */
    bool                      letters;          /* some code has one */

    uint64_t                  bad, repeated, present;   /* lines that are not imported, and why */
    uint64_t                  added;
    uint64_t                  before;           /* dealt with by an earlier run */
} commerce_cli_codes_t;

/* one line that is not imported: counted in *count, shown and written to the rejects */
void commerce_cli_codes_reject(commerce_cli_codes_t *codes, uint64_t *count, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int commerce_cli_codes_read(commerce_cli_codes_t *codes);
int commerce_cli_codes_write(commerce_cli_codes_t *codes);

#endif
