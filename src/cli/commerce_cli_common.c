/*
 * Copyright (C) ngx_commerce authors
 *
 * What all subjects share: messages, the guard, views, transactions, scans.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commerce_cli.h"

#define CLI_TEXT_MAX  80


static commerce_arena_t *cli_arena(commerce_cli_t *cli);
static int cli_try(commerce_cli_t *cli, unsigned flags, char *error, size_t size);
static void cli_guard(int signo);
static int cli_guard_start(commerce_cli_t *cli);
static int cli_read_all(commerce_cli_t *cli, int fd, size_t max, commerce_str_t *data);
static int cli_transact_once(commerce_cli_t *cli, commerce_cli_work_t work, void *data);
static void cli_pause(unsigned attempt);
static int cli_scan_records(commerce_cli_t *cli, commerce_str_t prefix, commerce_cli_visit_t visit,
    void *data, commerce_heap_t **heap);
static int cli_scan_renew(commerce_cli_t *cli, commerce_heap_t **heap);
static int cli_next_shop(commerce_cli_t *cli, commerce_str_t *shop);


int
commerce_cli_fail(commerce_cli_t *cli, const char *format, ...)
{
    va_list  args;

    alarm(0);       /* stderr may be a pipe that nobody reads */

    fputs("commerce: ", stderr);

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fputc('\n', stderr);

    return COMMERCE_CLI_FAILED;
}


const char *
commerce_cli_text(commerce_cli_t *cli, commerce_str_t text)
{
    char    *copy;
    size_t   i, len;

    len = text.len < CLI_TEXT_MAX ? text.len : CLI_TEXT_MAX;
    copy = commerce_alloc(cli_arena(cli), CLI_TEXT_MAX + sizeof("..."));

    if (copy == NULL) {
        return "?";
    }

    for (i = 0; i < len; i++) {
        copy[i] = (unsigned char) text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i];
    }

    if (len < text.len) {
        memcpy(copy + len, "...", 3);
    }

    return copy;
}


/* texts that are printed at once: in a scan they go when the view is renewed */
static commerce_arena_t *
cli_arena(commerce_cli_t *cli)
{
    return cli->reader.arena != NULL ? cli->reader.arena : cli->arena;
}


int
commerce_cli_shop(commerce_cli_t *cli)
{
    if (cli->shop_name == NULL) {
        return commerce_cli_fail(cli, "no shop is named: give --shop NAME or set COMMERCE_SHOP");
    }

    cli->shop = commerce_cstr(cli->shop_name);

    if (!commerce_shop_valid(cli->shop)) {
        return commerce_cli_fail(cli, "\"%s\" is no shop's name: it has 1 to %d of the characters"
                                 " a-z 0-9 _ -", commerce_cli_text(cli, cli->shop),
                                 COMMERCE_SHOP_MAX);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_keys(commerce_cli_t *cli)
{
    char  error[512];

    cli->ring = commerce_keyring_load(cli->keys_path, error, sizeof(error));

    if (cli->ring == NULL) {
        return commerce_cli_fail(cli, "%s%s", error, access(cli->keys_path, F_OK) == 0 ? ""
                                 : ": name it with --keys, or make one with \"commerce keys"
                                   " init\"");
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_open(commerce_cli_t *cli, bool create)
{
    char  error[512];

    if (commerce_cli_try(cli, create, error, sizeof(error)) != COMMERCE_CLI_OK) {
        return commerce_cli_fail(cli, "%s", error);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_open_flags(commerce_cli_t *cli, unsigned flags)
{
    char  error[512];

    if (cli_try(cli, flags, error, sizeof(error)) != COMMERCE_CLI_OK) {
        return commerce_cli_fail(cli, "%s", error);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_try(commerce_cli_t *cli, bool create, char *error, size_t size)
{
    return cli_try(cli, create ? COMMERCE_STORE_CREATE : 0, error, size);
}


static int
cli_try(commerce_cli_t *cli, unsigned flags, char *error, size_t size)
{
    commerce_store_options_t  options;

    memset(&options, 0, sizeof(commerce_store_options_t));

    options.path = cli->store_path;
    options.id_space = cli->ring != NULL ? commerce_keyring_id_space(cli->ring) : NULL;
    options.flags = COMMERCE_STORE_TOOL | flags;

    if (cli_guard_start(cli) != COMMERCE_CLI_OK) {
        snprintf(error, size, "no signal could be caught: %s", strerror(errno));
        return COMMERCE_CLI_FAILED;
    }

    cli->store = commerce_store_open(&options, error, size);

    return cli->store != NULL ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


/*
 * LMDB waits for its writer lock without end, and a stopped process may hold it: the only way out
 * of that wait is to end.
 */
static void
cli_guard(int signo)
{
    static const char  message[] =
        "commerce: the store did not answer in time, its writer lock is held by a process that is"
        " stopped: find it (ps -eo pid,stat,args | grep nginx; stat T), continue or kill -9 it, and"
        " try again\n";

    if (write(STDERR_FILENO, message, sizeof(message) - 1) == -1) {
        _exit(COMMERCE_CLI_FAILED);
    }

    _exit(COMMERCE_CLI_FAILED);
}


static int
cli_guard_start(commerce_cli_t *cli)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = cli_guard;
    sigemptyset(&action.sa_mask);

    if (sigaction(SIGALRM, &action, NULL) == -1) {
        return COMMERCE_CLI_FAILED;
    }

    commerce_cli_alive(cli);

    return COMMERCE_CLI_OK;
}


void
commerce_cli_alive(commerce_cli_t *cli)
{
    alarm(cli->timeout);
}


int
commerce_cli_file(commerce_cli_t *cli, const char *path, size_t max, commerce_str_t *data)
{
    int          fd, rc;
    struct stat  st;

    if (strcmp(path, "-") == 0) {
        return cli_read_all(cli, STDIN_FILENO, max, data);
    }

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return commerce_cli_fail(cli, "cannot open \"%s\": %s", path, strerror(errno));
    }

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return commerce_cli_fail(cli, "\"%s\" is a directory: name a file", path);
    }

    rc = cli_read_all(cli, fd, max, data);
    close(fd);

    return rc;
}


static int
cli_read_all(commerce_cli_t *cli, int fd, size_t max, commerce_str_t *data)
{
    char     *buffer, *grown;
    size_t    used, size;
    ssize_t   n;

    buffer = NULL;
    used = 0;
    size = 0;

    for ( ;; ) {
        if (used == size) {
            size = size == 0 ? 65536 : size * 2;
            grown = realloc(buffer, size);

            if (grown == NULL) {
                free(buffer);
                return commerce_cli_fail(cli, "out of memory");
            }

            buffer = grown;
        }

        n = read(fd, buffer + used, size - used);

        if (n <= 0) {
            break;
        }

        used += (size_t) n;

        if (used > max) {
            free(buffer);
            return commerce_cli_fail(cli, "the file is larger than %zu bytes: split it", max);
        }
    }

    if (n == -1) {
        free(buffer);
        return commerce_cli_fail(cli, "reading failed: %s", strerror(errno));
    }

    *data = commerce_copy(cli->arena, (commerce_str_t) { buffer, used });
    free(buffer);

    return data->data != NULL ? COMMERCE_CLI_OK : commerce_cli_fail(cli, "out of memory");
}


int
commerce_cli_now(commerce_cli_t *cli, commerce_time_t *now)
{
    uint64_t        seconds;
    commerce_str_t  text;

    if (cli->clock_path == NULL) {
        *now = time(NULL);
        return COMMERCE_CLI_OK;
    }

    if (commerce_cli_file(cli, cli->clock_path, 64, &text) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    while (text.len != 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' ')) {
        text.len--;
    }

    if (commerce_parse_uint(text, INT64_MAX / 2, &seconds) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" holds no time: write UTC seconds into it",
                                 cli->clock_path);
    }

    *now = (commerce_time_t) seconds;

    return COMMERCE_CLI_OK;
}


int
commerce_cli_id(commerce_cli_t *cli, const char *what, const char *argument, commerce_str_t *id)
{
    *id = commerce_cstr(argument);

    if (!commerce_id_valid(*id)) {
        return commerce_cli_fail(cli, "\"%s\" is no %s: it has 1 to %d bytes of UTF-8 without"
                                 " control characters", commerce_cli_text(cli, *id), what,
                                 COMMERCE_ID_MAX);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_view(commerce_cli_t *cli, commerce_arena_t *arena)
{
    cli->reader.shop = cli->shop;
    cli->reader.arena = arena != NULL ? arena : cli->arena;
    cli->visited = 0;

    if (commerce_view_begin(cli->store, &cli->reader.view) != COMMERCE_OK) {
        cli->reader.view = NULL;
        return commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }

    return COMMERCE_CLI_OK;
}


void
commerce_cli_view_end(commerce_cli_t *cli)
{
    if (cli->reader.view != NULL) {
        commerce_view_end(cli->reader.view);
        cli->reader.view = NULL;
    }
}


int
commerce_cli_apply(commerce_cli_t *cli, commerce_txn_t *txn)
{
    commerce_cli_view_end(cli);

    if (txn->failed) {
        return commerce_cli_fail(cli, "the transaction cannot be built: a key or value is too long,"
                                 " or memory ran out");
    }

    if (txn->count == 0) {
        return COMMERCE_CLI_OK;
    }

    commerce_cli_alive(cli);

    commerce_store_apply(cli->store, &txn, 1);

    switch (txn->result) {
    case COMMERCE_TXN_APPLIED:
        return COMMERCE_CLI_OK;
    case COMMERCE_TXN_CONFLICT:
        return COMMERCE_CLI_AGAIN;
    default:
        return commerce_cli_fail(cli, "the store at %s refused the change: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }
}


int
commerce_cli_transact(commerce_cli_t *cli, commerce_cli_work_t work, void *data)
{
    int       rc;
    unsigned  attempt;

    for (attempt = 0; attempt < COMMERCE_CLI_ATTEMPTS; attempt++) {
        rc = cli_transact_once(cli, work, data);

        if (rc != COMMERCE_CLI_AGAIN) {
            return rc;
        }

        cli_pause(attempt);
    }

    return commerce_cli_fail(cli, "other writers changed the same records %d times in a row:"
                             " nothing was written, try again", COMMERCE_CLI_ATTEMPTS);
}


static int
cli_transact_once(commerce_cli_t *cli, commerce_cli_work_t work, void *data)
{
    int               rc;
    commerce_txn_t    txn;
    commerce_heap_t  *heap;

    heap = commerce_heap_create();
    if (heap == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    rc = commerce_cli_view(cli, commerce_heap_arena(heap));

    if (rc == COMMERCE_CLI_OK) {
        commerce_txn_init(&txn, commerce_heap_arena(heap));
        rc = work(cli, &txn, data);

        if (rc == COMMERCE_CLI_OK) {
            rc = commerce_cli_apply(cli, &txn);
        }

        commerce_cli_view_end(cli);
    }

    cli->reader.arena = cli->arena;
    commerce_heap_destroy(heap);

    return rc;
}


/* gives the other writer time, not the same to everybody */
static void
cli_pause(unsigned attempt)
{
    struct timespec  pause;

    pause.tv_sec = 0;
    pause.tv_nsec = 1000000L * (1 + attempt) + (long) (getpid() % 7) * 300000L;

    nanosleep(&pause, NULL);
}


int
commerce_cli_flush(commerce_cli_t *cli)
{
    bool  failed;

    alarm(0);

    failed = fclose(cli->out) != 0;
    cli->out = NULL;

    if (!failed) {
        failed = fwrite(cli->out_data, 1, cli->out_size, stdout) != cli->out_size;
        failed = fflush(stdout) != 0 || failed;
    }

    if (failed) {
        return commerce_cli_fail(cli, "writing the output failed: %s", strerror(errno));
    }

    free(cli->out_data);

    cli->out = open_memstream(&cli->out_data, &cli->out_size);
    if (cli->out == NULL) {
        cli->out_data = NULL;
        return commerce_cli_fail(cli, "out of memory");
    }

    if (cli->store != NULL) {
        commerce_cli_alive(cli);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_scan(commerce_cli_t *cli, char kind, commerce_cli_visit_t visit, void *data)
{
    int                rc;
    commerce_str_t     prefix;
    commerce_heap_t   *heap;
    commerce_arena_t  *arena;

    prefix = commerce_record_prefix(cli->arena, cli->shop, kind);
    heap = commerce_heap_create();

    if (prefix.data == NULL || heap == NULL) {
        commerce_heap_destroy(heap);
        return commerce_cli_fail(cli, "out of memory");
    }

    arena = cli->reader.arena;
    cli->reader.arena = commerce_heap_arena(heap);

    rc = cli_scan_records(cli, prefix, visit, data, &heap);

    cli->reader.arena = arena;
    commerce_heap_destroy(heap);

    return rc;
}


static int
cli_scan_records(commerce_cli_t *cli, commerce_str_t prefix, commerce_cli_visit_t visit, void *data,
    commerce_heap_t **heap)
{
    int                    rc;
    char                   last[COMMERCE_KEY_MAX];
    commerce_str_t         after;
    commerce_cli_record_t  record;

    after = (commerce_str_t) { last, 0 };

    for ( ;; ) {
        rc = commerce_view_next(cli->reader.view, prefix, after, &record.key, &record.value,
                                &record.version);

        if (rc == COMMERCE_ABSENT) {
            return COMMERCE_CLI_OK;
        }

        if (rc != COMMERCE_OK || record.key.len > sizeof(last)) {
            return commerce_cli_fail(cli, "the store at %s cannot be read", cli->store_path);
        }

        memcpy(last, record.key.data, record.key.len);
        after.len = record.key.len;

        record.name.data = record.key.data + prefix.len;
        record.name.len = record.key.len - prefix.len;

        rc = visit(cli, &record, data);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }

        if (++cli->visited >= COMMERCE_CLI_RENEW) {
            rc = cli_scan_renew(cli, heap);
            if (rc != COMMERCE_CLI_OK) {
                return rc;
            }
        }
    }
}


static int
cli_scan_renew(commerce_cli_t *cli, commerce_heap_t **heap)
{
    commerce_heap_destroy(*heap);

    *heap = commerce_heap_create();
    if (*heap == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    commerce_cli_view_end(cli);
    commerce_cli_alive(cli);

    return commerce_cli_view(cli, commerce_heap_arena(*heap));
}


int
commerce_cli_each_shop(commerce_cli_t *cli, commerce_cli_shop_work_t work, void *data)
{
    int  rc;

    if (cli->shop_name != NULL) {
        rc = commerce_cli_shop(cli);
        return rc == COMMERCE_CLI_OK ? work(cli, data) : rc;
    }

    cli->shop = commerce_string("");

    while ((rc = cli_next_shop(cli, &cli->shop)) == COMMERCE_CLI_AGAIN) {
        rc = work(cli, data);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    return rc;
}


/* COMMERCE_CLI_AGAIN: *shop is the next; COMMERCE_CLI_OK: there is none */
static int
cli_next_shop(commerce_cli_t *cli, commerce_str_t *shop)
{
    int              rc;
    char             last[COMMERCE_KEY_MAX];
    const char      *slash;
    uint64_t         version;
    commerce_str_t   after, key, value;

    after = (commerce_str_t) { last, 0 };

    if (shop->len != 0) {
        memcpy(last, shop->data, shop->len);
        last[shop->len] = '/';
        last[shop->len + 1] = (char) 0xff;      /* behind all of its kinds, which are letters */
        after.len = shop->len + 2;
    }

    for ( ;; ) {
        rc = commerce_cli_view(cli, NULL);
        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }

        rc = commerce_view_next(cli->reader.view, commerce_string(""), after, &key, &value,
                                &version);
        slash = NULL;

        if (rc == COMMERCE_OK && key.len <= sizeof(last)) {
            memcpy(last, key.data, key.len);
            after.len = key.len;
            slash = memchr(last, '/', key.len);
        }

        commerce_cli_view_end(cli);

        if (rc != COMMERCE_OK) {
            return rc == COMMERCE_ABSENT ? COMMERCE_CLI_OK
                   : commerce_cli_fail(cli, "the store at %s cannot be read", cli->store_path);
        }

        key = (commerce_str_t) { last, slash != NULL ? (size_t) (slash - last) : 0 };

        if (commerce_shop_valid(key)) {
            *shop = commerce_copy(cli->arena, key);
            return shop->data != NULL ? COMMERCE_CLI_AGAIN
                   : commerce_cli_fail(cli, "out of memory");
        }
    }
}


void
commerce_cli_wrong(void *data, const char *sentence)
{
    commerce_cli_sentences_t  *sentences = data;

    (void) commerce_cli_fail(sentences->cli, "%s: %s", sentences->path, sentence);
}


void
commerce_cli_suspicious(void *data, const char *sentence)
{
    commerce_cli_sentences_t  *sentences = data;

    fprintf(sentences->cli->out, "%s: %s\n", sentences->path, sentence);
}


int
commerce_cli_unreadable(commerce_cli_t *cli, const char *what, commerce_str_t id)
{
    return commerce_cli_fail(cli, "the record of %s \"%s\" cannot be read: run \"commerce store"
                             " check\", or use the version that wrote it", what,
                             commerce_cli_text(cli, id));
}


const char *
commerce_cli_time(commerce_cli_t *cli, commerce_time_t when)
{
    char  *text;

    if (when == COMMERCE_FOREVER) {
        return "never";
    }

    text = commerce_alloc(cli_arena(cli), 32);
    if (text == NULL) {
        return "?";
    }

    commerce_time_format(when, text);

    return text;
}


void
commerce_cli_csv(FILE *out, commerce_str_t field)
{
    size_t  i;

    if (field.len == 0) {
        return;
    }

    for (i = 0; i < field.len && strchr(",\" ", field.data[i]) == NULL; i++) { /* void */ }

    if (i == field.len) {
        fwrite(field.data, 1, field.len, out);
        return;
    }

    fputc('"', out);

    for (i = 0; i < field.len; i++) {
        if (field.data[i] == '"') {
            fputc('"', out);
        }

        fputc(field.data[i], out);
    }

    fputc('"', out);
}


int
commerce_cli_person_name(commerce_cli_t *cli, uint64_t number, commerce_str_t *id)
{
    int                rc;
    char               text[40];
    commerce_person_t  person;

    if (number == 0) {
        *id = commerce_string("-");
        return COMMERCE_CLI_OK;
    }

    rc = commerce_person_read(&cli->reader, number, &person, NULL);

    if (rc == COMMERCE_OK) {
        *id = person.id;
        return COMMERCE_CLI_OK;
    }

    snprintf(text, sizeof(text), "number %llu", (unsigned long long) number);

    return commerce_cli_unreadable(cli, "person", commerce_cstr(text));
}
