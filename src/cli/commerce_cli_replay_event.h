/*
 * Copyright (C) ngx_commerce authors
 *
 * One event of the log, done again.  Private to the replay.
 */

#ifndef COMMERCE_CLI_REPLAY_EVENT_H
#define COMMERCE_CLI_REPLAY_EVENT_H

#include "../commerce_claim.h"
#include "../commerce_count.h"
#include "commerce_cli_replay.h"

typedef struct {
    uint64_t        hash;           /* first: of shop and pseudonym */
    commerce_str_t  user;
} commerce_cli_replay_name_t;

typedef struct {
    uint64_t  hash;                 /* first: of the body */
    uint64_t  sequence;
} commerce_cli_replay_event_t;

typedef struct {
    commerce_cli_t                 *cli;
    commerce_cli_replay_t          *replay;
    const commerce_cli_manifest_t  *manifest;
    FILE                           *out;
    commerce_cli_replay_name_t     *names;      /* who a pseudonym is, by hash */
    size_t                          name_count, name_room;
    commerce_cli_replay_event_t    *waiting;    /* in the copy's outbox, by hash */
    size_t                          waiting_count;
    uint64_t                        trim;       /* the log has the outbox up to here */
    bool                            found;      /* the log has the last event that the copy knows */
    bool                            started;    /* ... and it went by */
    int64_t                         from_us;
    uint64_t                        said;
} commerce_cli_replay_work_t;

/* COMMERCE_CLI_FAILED only when the copy cannot be written */
int commerce_cli_replay_event(commerce_cli_replay_work_t *work, const commerce_cli_event_t *event);

/* of the hash that each of these begins with */
int commerce_cli_replay_compare(const void *a, const void *b);

uint64_t commerce_cli_replay_hash(commerce_str_t shop, commerce_str_t pseudonym);

#endif
