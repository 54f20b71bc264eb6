/*
 * Copyright (C) ngx_commerce authors
 *
 * Reading event logs: plain or gzip, rotated in any order, as commerce_log.h writes them.
 *
 * Files are read in the order of their first line's time.  Every line is looked at: is it whole, does its
 * writer's sequence have gaps, does its chain hold.  Money events are handed on, each once: after a crash one may
 * be in the log twice, with one id.
 */

#ifndef COMMERCE_CLI_LOG_H
#define COMMERCE_CLI_LOG_H

#include "../commerce_json.h"
#include "commerce_cli.h"

typedef struct {
    const char       *path;
    uint64_t          number;       /* of the line in its file */
    commerce_str_t    id, type, shop;
    int64_t           us;
    commerce_str_t    body;         /* as it was in the store */
    commerce_json_t  *root;
} commerce_cli_event_t;

typedef struct {
    uint64_t  lines, events;        /* whole lines; money events among them, each once */
    uint64_t  repeated;             /* money lines of an event that was seen before */
    uint64_t  torn;                 /* lines that are not whole: a crash, or a full disk */
    uint64_t  broken;               /* money lines whose chain does not fit the line before */
    uint64_t  missing;              /* gaps in the sequences of writers, other than: */
    uint64_t  lost;                 /* lines of which the log tells that they were lost; no money events */
    uint64_t  headless;             /* writers whose first line is not there: their log begins earlier */
    int64_t   first_us, last_us;    /* of the money events */
} commerce_cli_log_report_t;

/* a visit that does not return COMMERCE_CLI_OK ends the reading; the event lives until it returns */
typedef int (*commerce_cli_event_visit_t)(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data);

typedef struct {
    const char  *path;
    int          fd;
    int64_t      first_us;          /* of its first line; equal ones are put in order by their last change */
    int64_t      changed_ns;
} commerce_cli_log_t;

/* before the store is opened, as whoever runs the tool; they are put in order, and stay open */
int commerce_cli_logs_open(commerce_cli_t *cli, char **paths, unsigned count, commerce_cli_log_t **logs);

/* says what is wrong with single lines in out, at most a few of each kind */
int commerce_cli_log_read(commerce_cli_t *cli, const commerce_cli_log_t *logs, unsigned count, FILE *out,
    commerce_cli_event_visit_t visit, void *data, commerce_cli_log_report_t *report);

/* a sentence about lost lines, where there are any */
void commerce_cli_log_lost(FILE *out, const commerce_cli_log_report_t *report);

/* root, id, type, shop and us, from the body; false: it is no event */
bool commerce_cli_event_parse(commerce_arena_t *arena, commerce_cli_event_t *event);

/* members of an event: absent = empty, -1; false when there is something else than expected */
bool commerce_cli_event_text(const commerce_cli_event_t *event, const char *pointer, commerce_str_t *text);
bool commerce_cli_event_number(const commerce_cli_event_t *event, const char *pointer, int64_t *number);

#endif
