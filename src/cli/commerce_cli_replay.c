/*
 * Copyright (C) ngx_commerce authors
 *
 * From where the log is replayed, who its buyers are, and which of its events the store has in its outbox.
 * What single events do to records is in commerce_cli_replay_event.c.
 */

#include <stdlib.h>

#include "commerce_cli_replay_event.h"

#define REPLAY_MARGIN  60           /* seconds: clocks of workers, and the time a commit takes */


static int replay_look(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data);
static int replay_take(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data);
static int replay_start(commerce_cli_replay_work_t *work);
static int replay_buyers(commerce_cli_t *cli, void *data);
static int replay_buyer(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int replay_order_buyer(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int replay_name(commerce_cli_replay_work_t *work, commerce_str_t pseudonym, commerce_str_t user);
static int replay_outbox(commerce_cli_replay_work_t *work);
static uint64_t replay_body_hash(commerce_str_t body);
static int replay_salvage_list(commerce_cli_replay_work_t *work);
static void replay_salvage_known(commerce_cli_replay_work_t *work, uint64_t hash);
static bool replay_line(commerce_str_t *rest, commerce_str_t *line);
static int replay_salvage(commerce_cli_replay_work_t *work);
static int replay_salvage_event(commerce_cli_replay_work_t *work, commerce_heap_t *heap, commerce_str_t body,
    uint64_t number);
static int replay_salvage_keep(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int replay_trim(commerce_cli_replay_work_t *work);
static int64_t replay_id_us(commerce_str_t id);


int
commerce_cli_replay(commerce_cli_t *cli, const commerce_cli_manifest_t *manifest,
    const commerce_cli_log_t *logs, unsigned count, commerce_str_t outbox, FILE *out,
    commerce_cli_replay_t *replay)
{
    int                          rc;
    FILE                        *quiet;
    commerce_cli_replay_work_t   work;

    memset(replay, 0, sizeof(commerce_cli_replay_t));
    memset(&work, 0, sizeof(commerce_cli_replay_work_t));

    work.cli = cli;
    work.replay = replay;
    work.manifest = manifest;
    work.outbox = outbox;
    work.out = out;

    quiet = fopen("/dev/null", "w");
    if (quiet == NULL) {
        return commerce_cli_fail(cli, "cannot open /dev/null");
    }

    rc = commerce_cli_each_shop(cli, replay_buyers, &work);

    if (work.name_count != 0) {
        qsort(work.names, work.name_count, sizeof(commerce_cli_replay_name_t), commerce_cli_replay_compare);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = replay_outbox(&work);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = replay_salvage_list(&work);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_log_read(cli, logs, count, quiet, replay_look, &work, &replay->log);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = replay_start(&work);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = replay_trim(&work);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_log_read(cli, logs, count, out, replay_take, &work, &replay->log);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = replay_salvage(&work);
    }

    fclose(quiet);
    free(work.salvage);
    free(work.names);
    free(work.waiting);

    return rc;
}


/* is the last event that the copy knows in the log? */
static int
replay_look(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data)
{
    uint64_t                      hash;
    commerce_cli_replay_work_t   *work = data;
    commerce_cli_replay_event_t  *waiting;

    if (commerce_equal(event->id, work->manifest->last_event)) {
        work->found = true;
    }

    hash = replay_body_hash(event->body);
    replay_salvage_known(work, hash);

    waiting = work->waiting_count == 0 ? NULL
              : bsearch(&hash, work->waiting, work->waiting_count,
                        sizeof(commerce_cli_replay_event_t), commerce_cli_replay_compare);

    if (waiting != NULL && waiting->sequence > work->trim) {
        work->trim = waiting->sequence;
    }

    return COMMERCE_CLI_OK;
}


/*
 * Everything up to the last event that the copy knows is in the copy.  Where that one is not in the log, its
 * time tells: the log ends before it, or begins after it, and then nobody knows what is missing.
 */
static int
replay_start(commerce_cli_replay_work_t *work)
{
    int64_t                     us;
    commerce_cli_replay_t      *replay = work->replay;
    commerce_cli_log_report_t  *log = &replay->log;

    us = work->manifest->last_event.len != 0 ? replay_id_us(work->manifest->last_event)
                                             : work->manifest->time * 1000000;

    if (work->found) {
        return COMMERCE_CLI_OK;
    }

    work->started = true;
    work->from_us = us - (int64_t) REPLAY_MARGIN * 1000000;

    if (log->events == 0 || log->last_us < us) {
        fprintf(work->out, "the log ends before the backup: nothing came after it\n");

    } else if (work->manifest->last_event.len != 0 && log->first_us > us) {
        fprintf(work->out, "the log begins at %s, after the backup's last event (%.*s): what happened"
                " between them is not known, add the older log files\n",
                commerce_cli_time(work->cli, log->first_us / 1000000),
                commerce_cli_arg(work->manifest->last_event));
        replay->failed++;
    }

    return COMMERCE_CLI_OK;
}


static int
replay_take(commerce_cli_t *cli, const commerce_cli_event_t *event, void *data)
{
    commerce_cli_replay_work_t  *work = data;

    if (!work->started) {
        work->started = commerce_equal(event->id, work->manifest->last_event);
        return COMMERCE_CLI_OK;
    }

    if (event->us < work->from_us) {
        return COMMERCE_CLI_OK;
    }

    commerce_cli_alive(cli);

    return commerce_cli_replay_event(work, event);
}


static int
replay_buyers(commerce_cli_t *cli, void *data)
{
    int  rc;

    rc = commerce_cli_view(cli, NULL);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(cli, 'b', replay_buyer, data);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(cli, 'o', replay_order_buyer, data);
    }

    commerce_cli_view_end(cli);

    return rc;
}


static int
replay_buyer(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    char  pseudonym[COMMERCE_PSEUDONYM_SIZE];

    if (commerce_keyring_pseudonym(cli->ring, cli->shop, record->name, pseudonym) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "a pseudonym cannot be made: the keyring has no key for them");
    }

    return replay_name(data, commerce_cstr(pseudonym), record->name);
}


static int
replay_order_buyer(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    commerce_order_t  order;

    if (commerce_order_decode(cli->reader.arena, record->value, &order) != COMMERCE_OK
        || order.pseudonym.len == 0 || order.user.len == 0)
    {
        return COMMERCE_CLI_OK;         /* nobody's, or for the check to complain of */
    }

    return replay_name(data, order.pseudonym, order.user);
}


static int
replay_name(commerce_cli_replay_work_t *work, commerce_str_t pseudonym, commerce_str_t user)
{
    size_t                       room;
    commerce_cli_replay_name_t  *names;

    if (work->name_count == work->name_room) {
        room = work->name_room == 0 ? 1024 : work->name_room * 2;
        names = realloc(work->names, room * sizeof(commerce_cli_replay_name_t));

        if (names == NULL) {
            return commerce_cli_fail(work->cli, "out of memory");
        }

        work->names = names;
        work->name_room = room;
    }

    names = &work->names[work->name_count];

    names->hash = commerce_cli_replay_hash(work->cli->shop, pseudonym);
    names->user = commerce_copy(work->cli->arena, user);

    if (names->user.data == NULL) {
        return commerce_cli_fail(work->cli, "out of memory");
    }

    work->name_count++;

    return COMMERCE_CLI_OK;
}


uint64_t
commerce_cli_replay_hash(commerce_str_t shop, commerce_str_t pseudonym)
{
    uint64_t  hash;

    hash = commerce_hash(COMMERCE_HASH_START, shop.data, shop.len);
    hash = commerce_hash(hash, "/", 1);

    return commerce_hash(hash, pseudonym.data, pseudonym.len);
}


/* the events that the copy still has for the log, by id */
static int
replay_outbox(commerce_cli_replay_work_t *work)
{
    int                           rc;
    size_t                        room;
    uint64_t                      sequence;
    commerce_str_t                body;
    commerce_view_t              *view;
    commerce_cli_replay_event_t  *waiting;

    if (commerce_store_thread_view(work->cli->store, &view) != COMMERCE_OK) {
        return commerce_cli_fail(work->cli, "the copy cannot be read: %s",
                                 commerce_store_error(work->cli->store));
    }

    room = 0;
    sequence = 0;

    while ((rc = commerce_view_outbox(view, sequence, &sequence, &body)) == COMMERCE_OK) {
        if (work->waiting_count == room) {
            room = room == 0 ? 256 : room * 2;
            waiting = realloc(work->waiting, room * sizeof(commerce_cli_replay_event_t));

            if (waiting == NULL) {
                commerce_view_end(view);
                return commerce_cli_fail(work->cli, "out of memory");
            }

            work->waiting = waiting;
        }

        work->waiting[work->waiting_count].hash = replay_body_hash(body);
        work->waiting[work->waiting_count++].sequence = sequence;
    }

    commerce_view_end(view);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_fail(work->cli, "the copy cannot be read");
    }

    if (work->waiting_count != 0) {
        qsort(work->waiting, work->waiting_count, sizeof(commerce_cli_replay_event_t), commerce_cli_replay_compare);
    }

    return COMMERCE_CLI_OK;
}


/* whole bodies: an event that is written again is the same, byte for byte */
static uint64_t
replay_body_hash(commerce_str_t body)
{
    return commerce_hash(COMMERCE_HASH_START, body.data, body.len);
}


/*
 * The outbox is drained in order: a log that has one of its events has all before it, too.  Those go, or they
 * would be written a second time.
 */
static int
replay_trim(commerce_cli_replay_work_t *work)
{
    size_t  i;

    if (work->trim == 0) {
        return COMMERCE_CLI_OK;
    }

    for (i = 0; i < work->waiting_count; i++) {
        work->replay->trimmed += work->waiting[i].sequence <= work->trim;
    }

    return commerce_store_outbox_trim(work->cli->store, work->trim) == COMMERCE_OK ? COMMERCE_CLI_OK
           : commerce_cli_fail(work->cli, "the copy cannot be written: %s",
                               commerce_store_error(work->cli->store));
}


/* a UUIDv7 begins with its milliseconds */
static int64_t
replay_id_us(commerce_str_t id)
{
    char  hex[13];

    memcpy(hex, id.data, 8);
    memcpy(hex + 8, id.data + 9, 4);
    hex[12] = '\0';

    return (int64_t) strtoull(hex, NULL, 16) * 1000;
}


int
commerce_cli_replay_compare(const void *a, const void *b)
{
    uint64_t  left = *(const uint64_t *) a, right = *(const uint64_t *) b;

    return (left > right) - (left < right);
}


static int
replay_salvage_list(commerce_cli_replay_work_t *work)
{
    size_t           i, count;
    commerce_str_t   rest, line;

    for (rest = work->outbox, count = 0; replay_line(&rest, &line); count++) { /* void */ }

    work->salvage = calloc(count + 1, sizeof(commerce_cli_replay_event_t));

    if (work->salvage == NULL) {
        return commerce_cli_fail(work->cli, "out of memory");
    }

    for (rest = work->outbox; replay_line(&rest, &line); /* void */ ) {
        work->salvage[work->salvage_count].hash = replay_body_hash(line);
        work->salvage[work->salvage_count].sequence = work->salvage_count + 1;
        work->salvage_count++;
    }

    qsort(work->salvage, work->salvage_count, sizeof(commerce_cli_replay_event_t), commerce_cli_replay_compare);

    for (i = 0; i < work->waiting_count; i++) {
        replay_salvage_known(work, work->waiting[i].hash);
    }

    return COMMERCE_CLI_OK;
}


static void
replay_salvage_known(commerce_cli_replay_work_t *work, uint64_t hash)
{
    commerce_cli_replay_event_t  *found;

    found = work->salvage_count == 0 ? NULL
            : bsearch(&hash, work->salvage, work->salvage_count, sizeof(commerce_cli_replay_event_t),
                      commerce_cli_replay_compare);

    if (found != NULL) {
        found->sequence = 0;
    }
}


static bool
replay_line(commerce_str_t *rest, commerce_str_t *line)
{
    const char  *end;

    end = rest->len != 0 ? memchr(rest->data, '\n', rest->len) : NULL;

    if (end == NULL) {
        return false;
    }

    *line = (commerce_str_t) { rest->data, (size_t) (end - rest->data) };
    rest->len -= line->len + 1;
    rest->data = end + 1;

    return true;
}


/* in their order */
static int
replay_salvage(commerce_cli_replay_work_t *work)
{
    int                           rc;
    uint64_t                      hash, number;
    commerce_str_t                rest, line;
    commerce_heap_t              *heap;
    commerce_cli_replay_event_t  *found;

    rest = work->outbox;

    for (number = 1; replay_line(&rest, &line); number++) {
        hash = replay_body_hash(line);
        found = bsearch(&hash, work->salvage, work->salvage_count, sizeof(commerce_cli_replay_event_t),
                        commerce_cli_replay_compare);

        if (found == NULL || found->sequence == 0) {
            continue;
        }

        heap = commerce_heap_create();
        if (heap == NULL) {
            return commerce_cli_fail(work->cli, "out of memory");
        }

        rc = replay_salvage_event(work, heap, line, number);
        commerce_heap_destroy(heap);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
replay_salvage_event(commerce_cli_replay_work_t *work, commerce_heap_t *heap, commerce_str_t body, uint64_t number)
{
    int                   rc;
    commerce_cli_event_t  event;

    memset(&event, 0, sizeof(commerce_cli_event_t));

    event.path = "outbox of what is replaced";
    event.number = number;
    event.body = body;

    if (!commerce_cli_event_parse(commerce_heap_arena(heap), &event)) {
        work->replay->failed++;
        fprintf(work->out, "%s:%llu: not an event\n", event.path, (unsigned long long) number);
        return COMMERCE_CLI_OK;
    }

    work->replay->salvaged++;

    rc = commerce_cli_replay_event(work, &event);

    return rc == COMMERCE_CLI_OK ? commerce_cli_transact(work->cli, replay_salvage_keep, &body) : rc;
}


static int
replay_salvage_keep(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    (void) cli;

    commerce_txn_event(txn, *(commerce_str_t *) data);

    return COMMERCE_CLI_OK;
}
