/*
 * Copyright (C) ngx_commerce authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memrchr(), memmem() */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "../store/commerce_log.h"
#include "commerce_cli_log.h"
#include "commerce_cli_writers.h"

#define LOG_LINE    (512 * 1024)        /* the longest body, and the line's own members */
#define LOG_SAID    5                   /* remarks of one kind */
#define LOG_BUFFER  (256 * 1024)


typedef struct {
    commerce_str_t  body, writer, chain;    /* chain: empty, or 32 characters */
    uint64_t        seq;
} log_line_t;

typedef struct {
    commerce_cli_t              *cli;
    FILE                        *out;
    commerce_cli_event_visit_t   visit;
    void                        *data;
    commerce_cli_log_report_t   *report;
    commerce_cli_writers_t       writers;
    uint64_t                    *ids;       /* an open hash of what was seen */
    size_t                       id_count, id_room;
    char                        *line;
    const char                  *path;
    uint64_t                     number;
} log_reader_t;

typedef int (*log_use_t)(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line);


static int log_first(commerce_cli_t *cli, commerce_cli_log_t *log);
static int log_compare(const void *a, const void *b);
static int log_run(log_reader_t *reader, const commerce_cli_log_t *logs, unsigned count);
static int log_file(log_reader_t *reader, const commerce_cli_log_t *log);
static gzFile log_start(commerce_cli_t *cli, const commerce_cli_log_t *log);
static int log_get(log_reader_t *reader, gzFile file, size_t *len);
static int log_take(log_reader_t *reader, size_t len);
static bool log_parse(commerce_str_t text, log_line_t *line);
static bool log_member(commerce_str_t *rest, const char *name, commerce_str_t *value);
static int log_chain(log_reader_t *reader, commerce_cli_writer_t *writer, const log_line_t *line);
static bool log_is_lost(const log_line_t *line);
static int log_lost(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line);
static int log_read(log_reader_t *reader, const log_line_t *line, log_use_t use);
static int log_event(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line);
static int log_body(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line, commerce_cli_event_t *event);
static int log_once(log_reader_t *reader, commerce_str_t id, bool *again);
static int log_grow(log_reader_t *reader);
static void log_say(log_reader_t *reader, uint64_t count, const char *what);
static void log_done(log_reader_t *reader);


int
commerce_cli_logs_open(commerce_cli_t *cli, char **paths, unsigned count, commerce_cli_log_t **logs)
{
    unsigned             i;
    struct stat          st;
    commerce_cli_log_t  *log;

    *logs = commerce_alloc(cli->arena, (count + 1) * sizeof(commerce_cli_log_t));
    if (*logs == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    for (i = 0; i < count; i++) {
        log = &(*logs)[i];
        log->path = paths[i];
        log->fd = open(paths[i], O_RDONLY|O_CLOEXEC);

        if (log->fd == -1 || fstat(log->fd, &st) == -1) {
            return commerce_cli_fail(cli, "cannot open \"%s\": %s", paths[i], strerror(errno));
        }

        if (S_ISDIR(st.st_mode)) {
            return commerce_cli_fail(cli, "\"%s\" is a directory: name the log's files", paths[i]);
        }

        log->changed_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;

        if (log_first(cli, log) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    qsort(*logs, count, sizeof(commerce_cli_log_t), log_compare);

    return COMMERCE_CLI_OK;
}


/* the first whole line's time; a file without any comes first */
static int
log_first(commerce_cli_t *cli, commerce_cli_log_t *log)
{
    char        *line;
    gzFile       file;
    const char  *ts;

    line = malloc(LOG_LINE);
    file = line != NULL ? log_start(cli, log) : NULL;

    if (file == NULL) {
        free(line);
        return COMMERCE_CLI_FAILED;
    }

    while (log->first_us == 0 && gzgets(file, line, LOG_LINE) != NULL) {
        ts = strstr(line, "\"ts\":");
        log->first_us = ts != NULL ? strtoll(ts + sizeof("\"ts\":") - 1, NULL, 10) : 0;
    }

    gzclose(file);
    free(line);

    return COMMERCE_CLI_OK;
}


/* from the beginning, whatever was read before */
static gzFile
log_start(commerce_cli_t *cli, const commerce_cli_log_t *log)
{
    int     fd;
    gzFile  file;

    fd = dup(log->fd);
    file = fd != -1 && lseek(fd, 0, SEEK_SET) != -1 ? gzdopen(fd, "rb") : NULL;

    if (file == NULL) {
        commerce_cli_fail(cli, "cannot read \"%s\": %s", log->path, strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return NULL;
    }

    gzbuffer(file, LOG_BUFFER);

    return file;
}


static int
log_compare(const void *a, const void *b)
{
    const commerce_cli_log_t  *left = a, *right = b;

    if (left->first_us != right->first_us) {
        return left->first_us > right->first_us ? 1 : -1;
    }

    return (left->changed_ns > right->changed_ns) - (left->changed_ns < right->changed_ns);
}


int
commerce_cli_log_read(commerce_cli_t *cli, const commerce_cli_log_t *logs, unsigned count, FILE *out,
    commerce_cli_event_visit_t visit, void *data, commerce_cli_log_report_t *report)
{
    int           rc;
    log_reader_t  reader;

    memset(report, 0, sizeof(commerce_cli_log_report_t));
    memset(&reader, 0, sizeof(log_reader_t));

    reader.cli = cli;
    reader.out = out;
    reader.visit = visit;
    reader.data = data;
    reader.report = report;
    reader.line = malloc(LOG_LINE);

    rc = reader.line != NULL ? commerce_cli_writers_open(cli, &reader.writers) : commerce_cli_fail(cli, "out of memory");

    if (rc == COMMERCE_CLI_OK) {
        rc = log_run(&reader, logs, count);
    }

    log_done(&reader);

    return rc;
}


static int
log_run(log_reader_t *reader, const commerce_cli_log_t *logs, unsigned count)
{
    int       rc;
    unsigned  i;

    for (i = 0; i < count; i++) {
        rc = log_file(reader, &logs[i]);

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    reader->report->missing = commerce_cli_writers_missing(&reader->writers, reader->out);

    return COMMERCE_CLI_OK;
}


static int
log_file(log_reader_t *reader, const commerce_cli_log_t *log)
{
    int          rc;
    size_t       len;
    gzFile       file;

    file = log_start(reader->cli, log);

    if (file == NULL) {
        return COMMERCE_CLI_FAILED;
    }

    len = 0;
    reader->path = log->path;
    reader->number = 0;

    while ((rc = log_get(reader, file, &len)) == COMMERCE_CLI_AGAIN) {
        rc = log_take(reader, len);

        if (rc != COMMERCE_CLI_OK) {
            break;
        }
    }

    gzclose(file);

    return rc;
}


/* COMMERCE_CLI_AGAIN: a line; COMMERCE_CLI_OK: the end */
static int
log_get(log_reader_t *reader, gzFile file, size_t *len)
{
    int          error;
    const char  *sentence;

    if (gzgets(file, reader->line, LOG_LINE) != NULL) {
        *len = strlen(reader->line);
        reader->number++;

        return COMMERCE_CLI_AGAIN;
    }

    sentence = gzerror(file, &error);

    if (error != Z_OK && error != Z_STREAM_END && error != Z_BUF_ERROR) {
        return commerce_cli_fail(reader->cli, "cannot read \"%s\": %s", reader->path,
                                 error == Z_ERRNO ? strerror(errno) : sentence);
    }

    if (error == Z_BUF_ERROR) {
        log_say(reader, ++reader->report->torn, "the compressed file ends too early");
    }

    return COMMERCE_CLI_OK;
}


static int
log_take(log_reader_t *reader, size_t len)
{
    int                         rc;
    bool                        again;
    log_line_t                  line;
    commerce_str_t              text;
    commerce_cli_writer_t      *writer;
    commerce_cli_log_report_t  *report = reader->report;

    if (len == 1 && reader->line[0] == '\n') {
        return COMMERCE_CLI_OK;             /* two writers have closed one torn line */
    }

    text = (commerce_str_t) { reader->line, len - 1 };

    if (len < 2 || reader->line[len - 1] != '\n' || !log_parse(text, &line)) {
        log_say(reader, ++report->torn, "not a whole line");
        return COMMERCE_CLI_OK;
    }

    again = false;
    report->lines++;

    writer = commerce_cli_writer(&reader->writers, line.writer);

    if (writer == NULL) {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_cli_writer_sequence(&reader->writers, writer, line.seq, &again);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (line.chain.len == 0) {
        return !again && log_is_lost(&line) ? log_read(reader, &line, log_lost) : COMMERCE_CLI_OK;
    }

    if (!again) {
        rc = log_chain(reader, writer, &line);
    }

    return rc == COMMERCE_CLI_OK ? log_read(reader, &line, log_event) : rc;
}


/* what the log adds behind an event: ,"node":"...","epoch":N,"worker":N,"seq":N,"config":"..."[,"chain":"..."]} */
static bool
log_parse(commerce_str_t text, log_line_t *line)
{
    const char      *at, *next;
    uint64_t         skip;
    commerce_str_t   rest, node, epoch, worker, seq, config;
    static const char  mark[] = ",\"node\":\"";

    if (text.len < 3 || text.data[0] != '{' || text.data[text.len - 1] != '}') {
        return false;
    }

    at = NULL;
    rest = text;

    while ((next = memmem(rest.data, rest.len, mark, sizeof(mark) - 1)) != NULL) {
        at = next;
        rest.len -= (size_t) (next + 1 - rest.data);
        rest.data = next + 1;
    }

    if (at == NULL) {
        return false;
    }

    rest = (commerce_str_t) { at, (size_t) (text.data + text.len - 1 - at) };
    memset(line, 0, sizeof(log_line_t));

    if (!log_member(&rest, "node", &node) || !log_member(&rest, "epoch", &epoch)
        || !log_member(&rest, "worker", &worker) || !log_member(&rest, "seq", &seq)
        || !log_member(&rest, "config", &config)
        || commerce_parse_uint(epoch, INT64_MAX, &skip) != COMMERCE_OK
        || commerce_parse_uint(worker, INT64_MAX, &skip) != COMMERCE_OK
        || commerce_parse_uint(seq, INT64_MAX, &line->seq) != COMMERCE_OK || line->seq == 0)
    {
        return false;
    }

    if (rest.len != 0
        && (!log_member(&rest, "chain", &line->chain) || rest.len != 0
            || line->chain.len != COMMERCE_CLI_CHAIN))
    {
        return false;
    }

    line->body = (commerce_str_t) { text.data, (size_t) (at - text.data) };
    line->writer = (commerce_str_t) { node.data, (size_t) (worker.data + worker.len - node.data) };

    return true;
}


/* takes ,"name":value off the front: a string's characters as they stand there, or a number's */
static bool
log_member(commerce_str_t *rest, const char *name, commerce_str_t *value)
{
    size_t       len, i;
    bool         quoted;
    char         start[32];

    len = (size_t) snprintf(start, sizeof(start), ",\"%s\":", name);

    if (rest->len <= len || memcmp(rest->data, start, len) != 0) {
        return false;
    }

    quoted = rest->data[len] == '"';
    i = len += quoted;

    while (i < rest->len && rest->data[i] != (quoted ? '"' : ',')) {
        i += quoted && rest->data[i] == '\\' ? 2 : 1;
    }

    if (i > rest->len || (quoted && i == rest->len)) {
        return false;
    }

    *value = (commerce_str_t) { rest->data + len, i - len };
    i += quoted;
    *rest = (commerce_str_t) { rest->data + i, rest->len - i };

    return true;
}


static int
log_chain(log_reader_t *reader, commerce_cli_writer_t *writer, const log_line_t *line)
{
    int                   rc;
    commerce_cli_chain_t  chain;

    rc = commerce_cli_writer_chain(&reader->writers, writer, line->body, line->chain, &chain);

    if (rc == COMMERCE_CLI_OK && chain == COMMERCE_CLI_CHAIN_BEGINS) {
        reader->report->headless++;
    }

    if (rc == COMMERCE_CLI_OK && chain == COMMERCE_CLI_CHAIN_BREAKS) {
        log_say(reader, ++reader->report->broken, "the chain does not fit the line before");
    }

    return rc;
}


/* an event that tells of lines that are in no file: of plain ones, the only one that is read */
static bool
log_is_lost(const log_line_t *line)
{
    static const char  mark[] = "\"type\":\"lost\"";

    return memmem(line->body.data, line->body.len, mark, sizeof(mark) - 1) != NULL;
}


static int
log_lost(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line)
{
    int                    rc;
    int64_t                epoch, worker, lines;
    commerce_cli_event_t   event;

    rc = log_body(reader, heap, line, &event);

    if (rc != COMMERCE_CLI_OK) {
        return rc == COMMERCE_CLI_AGAIN ? COMMERCE_CLI_OK : rc;
    }

    if (!commerce_cli_event_number(&event, "/writer_epoch", &epoch)
        || !commerce_cli_event_number(&event, "/writer_worker", &worker)
        || !commerce_cli_event_number(&event, "/lines", &lines) || epoch < 0 || worker < 0 || lines < 0)
    {
        log_say(reader, ++reader->report->torn, "not an event");
        return COMMERCE_CLI_OK;
    }

    reader->report->lost += (uint64_t) lines;

    return commerce_cli_writer_lost(&reader->writers, line->writer, epoch, worker, (uint64_t) lines);
}


/* with memory for this event alone */
static int
log_read(log_reader_t *reader, const log_line_t *line, log_use_t use)
{
    int               rc;
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return commerce_cli_fail(reader->cli, "out of memory");
    }

    rc = use(reader, heap, line);
    commerce_heap_destroy(heap);

    return rc;
}


static int
log_event(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line)
{
    int                          rc;
    bool                         again;
    commerce_cli_event_t         event;
    commerce_cli_log_report_t   *report = reader->report;

    rc = log_body(reader, heap, line, &event);

    if (rc != COMMERCE_CLI_OK) {
        return rc == COMMERCE_CLI_AGAIN ? COMMERCE_CLI_OK : rc;
    }

    if (log_once(reader, event.id, &again) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (again) {
        report->repeated++;
        return COMMERCE_CLI_OK;
    }

    if (report->events++ == 0 || event.us < report->first_us) {
        report->first_us = event.us;
    }

    if (event.us > report->last_us) {
        report->last_us = event.us;
    }

    return reader->visit(reader->cli, &event, reader->data);
}


/* the event as it was before the log added its members; COMMERCE_CLI_AGAIN: it is none, go on with the next */
static int
log_body(log_reader_t *reader, commerce_heap_t *heap, const log_line_t *line, commerce_cli_event_t *event)
{
    char              *body;
    commerce_arena_t  *arena = commerce_heap_arena(heap);

    memset(event, 0, sizeof(commerce_cli_event_t));

    body = commerce_alloc(arena, line->body.len + 1);
    if (body == NULL) {
        return commerce_cli_fail(reader->cli, "out of memory");
    }

    memcpy(body, line->body.data, line->body.len);
    body[line->body.len] = '}';

    event->path = reader->path;
    event->number = reader->number;
    event->body = (commerce_str_t) { body, line->body.len + 1 };

    if (!commerce_cli_event_parse(arena, event)) {
        log_say(reader, ++reader->report->torn, "not an event");
        return COMMERCE_CLI_AGAIN;
    }

    return COMMERCE_CLI_OK;
}


/* ids are random: 64 bits of a hash tell them apart */
static int
log_once(log_reader_t *reader, commerce_str_t id, bool *again)
{
    size_t    i;
    uint64_t  hash;

    if (reader->id_count * 2 >= reader->id_room && log_grow(reader) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    hash = commerce_hash(COMMERCE_HASH_START, id.data, id.len) | 1;

    for (i = hash >> 1 & (reader->id_room - 1); reader->ids[i] != 0; i = (i + 1) & (reader->id_room - 1)) {
        if (reader->ids[i] == hash) {
            *again = true;
            return COMMERCE_CLI_OK;
        }
    }

    reader->ids[i] = hash;
    reader->id_count++;
    *again = false;

    return COMMERCE_CLI_OK;
}


static int
log_grow(log_reader_t *reader)
{
    size_t     i, at, room;
    uint64_t  *ids;

    room = reader->id_room == 0 ? 4096 : reader->id_room * 2;
    ids = calloc(room, sizeof(uint64_t));

    if (ids == NULL) {
        return commerce_cli_fail(reader->cli, "out of memory");
    }

    for (i = 0; i < reader->id_room; i++) {
        if (reader->ids[i] == 0) {
            continue;
        }

        for (at = reader->ids[i] >> 1 & (room - 1); ids[at] != 0; at = (at + 1) & (room - 1)) { /* void */ }

        ids[at] = reader->ids[i];
    }

    free(reader->ids);
    reader->ids = ids;
    reader->id_room = room;

    return COMMERCE_CLI_OK;
}


static void
log_say(log_reader_t *reader, uint64_t count, const char *what)
{
    if (count <= LOG_SAID) {
        fprintf(reader->out, "%s:%llu: %s\n", reader->path, (unsigned long long) reader->number,
                what);
    }
}


void
commerce_cli_log_lost(FILE *out, const commerce_cli_log_report_t *report)
{
    if (report->lost != 0) {
        fprintf(out, "log: it tells of %llu lines that were lost with a worker or for want of room: no money events\n",
                (unsigned long long) report->lost);
    }
}


static void
log_done(log_reader_t *reader)
{
    commerce_cli_writers_close(&reader->writers);
    free(reader->ids);
    free(reader->line);
}


bool
commerce_cli_event_parse(commerce_arena_t *arena, commerce_cli_event_t *event)
{
    return commerce_json_parse(arena, event->body, &event->root) == COMMERCE_R(OK)
           && commerce_cli_event_text(event, "/id", &event->id) && event->id.len == COMMERCE_EVENT_ID
           && commerce_cli_event_text(event, "/type", &event->type) && event->type.len != 0
           && commerce_cli_event_text(event, "/shop", &event->shop)
           && commerce_cli_event_number(event, "/ts", &event->us) && event->us >= 0;
}


bool
commerce_cli_event_text(const commerce_cli_event_t *event, const char *pointer, commerce_str_t *text)
{
    commerce_json_t  *node;

    *text = commerce_string("");

    if (commerce_json_find(event->root, commerce_cstr(pointer), &node) != COMMERCE_R(OK)) {
        return false;
    }

    return node == NULL || commerce_json_text(node, text) == COMMERCE_R(OK);
}


bool
commerce_cli_event_number(const commerce_cli_event_t *event, const char *pointer, int64_t *number)
{
    uint64_t        value;
    commerce_str_t  text;

    *number = -1;

    if (!commerce_cli_event_text(event, pointer, &text)) {
        return false;
    }

    if (text.len == 0) {
        return true;
    }

    if (commerce_parse_uint(text, INT64_MAX, &value) != COMMERCE_OK) {
        return false;
    }

    *number = (int64_t) value;

    return true;
}
