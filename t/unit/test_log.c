/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "store/commerce_log.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDS  8192

typedef struct {
    unsigned  lines, empty, bad;            /* bad: not JSON */
    unsigned  ids[IDS];                     /* how often an event's n was met */
    unsigned  seqs[IDS * 2];
    unsigned  last_seq;
    unsigned  chained, broken;              /* broken: another chain than recomputed */
    char      chain[33];
} reading_t;

static char       base[256];
static reading_t  reading;
static commerce_log_origin_t  origin = {
    { "edge-1", 6 }, 1700000000123, 2, { "c0ffee", 6 }
};


static const char  *intruder;      /* another writer's bytes */
static unsigned     intrusions;    /* how many appends they come before */


/* stands in for libc's: between the log's look at the file's end and its append, others write */

ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    if (intrusions > 0) {
        intrusions--;

        if (write(fd, intruder, strlen(intruder)) != (ssize_t) strlen(intruder)) {
            return -1;
        }
    }

    return syscall(SYS_writev, fd, iov, count);
}


static void
erase(const char *path)
{
    DIR            *dir;
    char            name[1024];
    struct stat     st;
    struct dirent  *entry;

    dir = opendir(path);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }

        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);

        if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
            erase(name);
        } else {
            unlink(name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }

    rmdir(path);
}


static commerce_store_t *
open_store(char *path, size_t size, const char *name)
{
    char                       error[512];
    commerce_store_t          *store;
    commerce_store_options_t   options = { path, NULL, (size_t) 1 << 28, COMMERCE_STORE_CREATE };

    snprintf(path, size, "%s/%s", base, name);
    mkdir(path, 0700);
    store = commerce_store_open(&options, error, sizeof(error));

    if (store == NULL) {
        ok(false, "open: %s", error);
        exit(1);
    }

    return store;
}


static int
open_log(char *path, size_t size, const char *name, int mode)
{
    snprintf(path, size, "%s/%s", base, name);

    return open(path, mode|O_APPEND|O_CREAT|O_CLOEXEC, 0600);
}


static bool
events(commerce_store_t *store, unsigned from, unsigned to, size_t padding)
{
    char             *body;
    bool              good;
    unsigned          i;
    commerce_txn_t   *txns[64], txn[64];
    commerce_heap_t  *heap;

    for (good = true; from <= to; /* void */) {
        heap = commerce_heap_create();

        for (i = 0; i < 64 && from <= to; i++, from++) {
            body = commerce_alloc(commerce_heap_arena(heap), padding + 64);
            sprintf(body, "{\"n\":%u,\"type\":\"order\",\"pad\":\"", from);
            memset(body + strlen(body), 'p', padding);
            strcat(body, "\"}");

            txns[i] = &txn[i];
            commerce_txn_init(&txn[i], commerce_heap_arena(heap));
            commerce_txn_event(&txn[i], commerce_cstr(body));
        }

        good &= commerce_store_apply(store, txns, i) == i;
        commerce_heap_destroy(heap);
    }

    return good;
}


static uint64_t
waiting(commerce_store_t *store)
{
    commerce_store_stat_t  figures;

    return commerce_store_stat(store, &figures) == COMMERCE_OK ? figures.outbox : UINT64_MAX;
}


/* the body is what stands before the line's own members */

static void
read_chain(const char *line, const char *chain)
{
    char           text[33], *body;
    unsigned       i;
    uint8_t        hash[EVP_MAX_MD_SIZE];
    const char    *end;

    end = strstr(line, ",\"node\":");
    if (end == NULL) {
        reading.broken++;
        return;
    }

    body = malloc(32 + (size_t) (end - line) + 2);
    memcpy(body, reading.chain, 32);
    memcpy(body + 32, line, (size_t) (end - line));
    body[32 + (end - line)] = '}';
    EVP_Digest(body, 32 + (size_t) (end - line) + 1, hash, NULL, EVP_blake2b512(), NULL);
    free(body);

    for (i = 0; i < 16; i++) {
        sprintf(text + 2 * i, "%02x", hash[i]);
    }

    reading.chained++;
    reading.broken += strcmp(text, chain) != 0;
    strcpy(reading.chain, chain);
}


static void
read_line(const char *line)
{
    cJSON     *json, *n, *seq, *chain;
    unsigned   value;

    reading.lines++;

    if (line[0] == '\0') {
        reading.empty++;
        return;
    }

    json = cJSON_Parse(line);
    n = cJSON_GetObjectItemCaseSensitive(json, "n");
    seq = cJSON_GetObjectItemCaseSensitive(json, "seq");
    chain = cJSON_GetObjectItemCaseSensitive(json, "chain");

    if (n == NULL || seq == NULL) {
        reading.bad++;
        cJSON_Delete(json);
        return;
    }

    reading.ids[n->valueint % IDS]++;
    value = (unsigned) seq->valueint;
    reading.seqs[value % (IDS * 2)]++;
    reading.last_seq = value > reading.last_seq ? value : reading.last_seq;

    if (chain != NULL) {
        read_chain(line, chain->valuestring);
    }

    cJSON_Delete(json);
}


static void
read_log(const char *path)
{
    FILE    *f;
    char    *line = NULL;
    size_t   size = 0;
    ssize_t  n;

    memset(&reading, 0, sizeof(reading));
    memset(reading.chain, '0', 32);

    f = fopen(path, "r");

    while (f != NULL && (n = getline(&line, &size, f)) > 0) {
        if (line[n - 1] != '\n') {
            reading.bad++;
        } else {
            line[n - 1] = '\0';
        }

        read_line(line);
    }

    free(line);

    if (f != NULL) {
        fclose(f);
    }
}


static unsigned
ids_missing(unsigned from, unsigned to)
{
    unsigned  missing;

    for (missing = 0; from <= to; from++) {
        missing += reading.ids[from % IDS] == 0;
    }

    return missing;
}


static unsigned
seq_faults(void)
{
    unsigned  i, faults;

    for (faults = reading.seqs[0], i = 1; i <= reading.last_seq; i++) {
        faults += reading.seqs[i] != 1;
    }

    return faults;
}


static void
test_lines(void)
{
    char                    out[2048];
    size_t                  n;
    commerce_log_t         *log;
    commerce_log_origin_t   odd = { { "a\"b\n", 4 }, 1, 0, { "", 0 } };

    static char  long_name[300];

    log = commerce_log_create(&origin);
    n = commerce_log_line(log, commerce_string("{\"type\":\"visit\"}"), out, sizeof(out));
    is_str(((commerce_str_t) { out, n }), "{\"type\":\"visit\",\"node\":\"edge-1\","
           "\"epoch\":1700000000123,\"worker\":2,\"seq\":1,\"config\":\"c0ffee\"}\n", "a line");

    is_int(commerce_log_line(log, commerce_string("{}"), out, sizeof(out)), 0, "an empty object");
    is_int(commerce_log_line(log, commerce_string(""), out, sizeof(out)), 0, "nothing");
    is_int(commerce_log_line(log, commerce_string("[1]"), out, sizeof(out)), 0, "an array");
    is_int(commerce_log_line(log, commerce_string("{\"a\":1}"), out, COMMERCE_LOG_LINE_EXTRA + 6),
           0, "too little room");
    is_int(commerce_log_line(log, commerce_string("{\"a\":1}"), out, 6), 0, "less than the body");

    n = commerce_log_line(log, commerce_string("{\"a\":1}"), out, 7 + COMMERCE_LOG_LINE_EXTRA);
    out[n] = '\0';
    ok(strstr(out, "\"seq\":2,") != NULL, "refusals took no seq");
    commerce_log_destroy(log);

    log = commerce_log_create(&odd);
    n = commerce_log_line(log, commerce_string("{\"n\":1}"), out, sizeof(out));
    out[n - 1] = '\0';
    memset(&reading, 0, sizeof(reading));
    read_line(out);
    ok(reading.bad == 0 && reading.last_seq == 1, "a node with odd characters is escaped");
    commerce_log_destroy(log);

    memset(long_name, 'n', sizeof(long_name));
    odd.node = (commerce_str_t) { long_name, sizeof(long_name) };
    ok(commerce_log_create(&odd) == NULL, "a node that is too long is refused");
    odd.node.len = 264;
    odd.epoch = INT64_MAX;
    odd.worker = UINT32_MAX;
    log = commerce_log_create(&odd);
    ok(log == NULL, "so is one that would only fit a small seq");
    odd.node.len = 200;
    log = commerce_log_create(&odd);
    ok(log != NULL, "200 characters fit");
    commerce_log_destroy(log);
}


/* python3: c = "0" * 32; for each body: c = hashlib.blake2b((c + body).encode()).hexdigest()[:32] */

static void
test_drain(int mode, const char *name)
{
    int                    fd;
    char                   path[512], file[512];
    FILE                  *f;
    char                   line[1024];
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    static const char  *chains[] = {
        "\"chain\":\"f0f5eb25cb8a8bd47e92e7cfb38837ac\"}\n",
        "\"chain\":\"a79dc801fcd212137877c9391cac30c0\"}\n"
    };

    store = open_store(path, sizeof(path), name);
    fd = open_log(file, sizeof(file), "drain.log", mode);
    log = commerce_log_create(&origin);

    events(store, 1, 2, 0);
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_ERROR, "not elected");
    is_int(result.error, EPERM, "not permitted");
    ok(commerce_log_elect(log, commerce_store_log_lock(store)), "elected");
    ok(commerce_log_elect(log, commerce_store_log_lock(store)), "already");

    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "drained");
    is_int(result.written, 2, "two events");
    ok(!result.more && result.error == 0, "that is all");
    is_int(waiting(store), 0, "the outbox is empty");
    is_int(lseek(fd, 0, SEEK_END), (int64_t) result.bytes, "bytes");

    f = fopen(file, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        ok(strstr(line, chains[strstr(line, "\"n\":1,") == NULL]) != NULL, "known chain");
    }
    fclose(f);

    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "nothing to do");
    is_int(result.written, 0, "is done");

    events(store, 3, 30, 100);
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "a part");
    ok(result.written == 10 && result.more, "ten, and there are more");
    is_int(commerce_log_drain(log, store, fd, 0, &result), COMMERCE_OK, "no events asked for");
    ok(result.written == 0 && result.more, "none moved");
    is_int(commerce_log_drain(log, store, fd, 18, &result), COMMERCE_OK, "the rest");
    ok(result.written == 18 && !result.more, "18");

    read_log(file);
    is_int(reading.lines, 30, "30 lines");
    is_int(reading.bad + reading.empty, 0, "all are JSON");
    is_int(ids_missing(1, 30), 0, "all events");
    is_int(seq_faults(), 0, "seq without gaps");
    is_int(reading.chained, 30, "chained");
    is_int(reading.broken, 0, "the chain holds");

    ok(write(fd, "{\"torn\":", 8) == 8, "somebody tears a line");
    events(store, 31, 31, 0);
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "drained");
    ok(commerce_log_append(log, fd, commerce_string("{\"n\":32,\"seq\":32}\n")) == COMMERCE_OK,
       "appended");
    ok(write(fd, "x", 1) == 1, "torn again");
    ok(commerce_log_append(log, fd, commerce_string("{\"n\":33,\"seq\":33}\n")) == COMMERCE_OK,
       "appended");
    read_log(file);
    is_int(reading.bad, 2, "only the torn lines are bad");
    is_int(ids_missing(1, 33), 0, "all others are whole");
    is_int(reading.empty, 0, "no empty line");

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
    unlink(file);
}


static void
test_large(void)
{
    int                    fd;
    char                   path[512], file[512];
    unsigned               calls;
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    store = open_store(path, sizeof(path), "large");
    fd = open_log(file, sizeof(file), "large.log", O_WRONLY);
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));

    events(store, 1, 3000, 2000);
    events(store, 3001, 3004, COMMERCE_VALUE_MAX - 64);

    for (calls = 0; calls < 20; calls++) {
        if (commerce_log_drain(log, store, fd, 100000, &result) != COMMERCE_OK || !result.more) {
            break;
        }
    }

    is_int(result.error, 0, "no error");
    ok(calls >= 1 && calls < 10, "7 MB in %u pieces", calls + 1);
    read_log(file);
    is_int(reading.lines, 3004, "all lines");
    is_int(ids_missing(1, 3004) + reading.bad + reading.empty + seq_faults() + reading.broken, 0,
           "whole, in order and chained");

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
}


/* what a limit or a full disk cuts off is written again, and no seq is lost over it */

static void
check_after_full(const char *file, commerce_store_t *store, unsigned last)
{
    unsigned  i, gaps;

    is_int(waiting(store), 0, "the outbox is empty");
    read_log(file);

    for (gaps = 0, i = 1; i <= reading.last_seq; i++) {
        gaps += reading.seqs[i] == 0;
    }

    is_int(ids_missing(1, last), 0, "no event is lost");
    is_int(gaps, 0, "no seq is lost");
    is_int(reading.broken, 0, "the chain holds");
    ok(reading.bad <= 2 && reading.empty == 0, "%u torn, %u empty lines", reading.bad,
       reading.empty);
}


static void
test_limit(void)
{
    int                    fd;
    char                   path[512], file[512], line[1024];
    size_t                 n;
    struct rlimit          limit, old;
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);

    store = open_store(path, sizeof(path), "limit");
    fd = open_log(file, sizeof(file), "limit.log", O_WRONLY);
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));
    events(store, 1, 100, 500);

    limit = (struct rlimit) { 20000, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &limit);
    is_int(commerce_log_drain(log, store, fd, 1000, &result), COMMERCE_ERROR, "too large");
    is_int(result.error, ENOSPC, "no room: %s", strerror(result.error));
    is_int(result.written, 0, "nothing moved");
    ok(result.more, "all there is to move");
    is_int(waiting(store), 100, "the outbox keeps everything");
    is_int(commerce_log_drain(log, store, fd, 1000, &result), COMMERCE_ERROR, "still too large");
    ok(result.error != 0, "%s", strerror(result.error));
    setrlimit(RLIMIT_FSIZE, &old);

    n = commerce_log_line(log, commerce_string("{\"n\":101}"), line, sizeof(line));
    is_int(commerce_log_append(log, fd, (commerce_str_t) { line, n }), COMMERCE_OK,
           "a line in between");

    while (commerce_log_drain(log, store, fd, 1000, &result) == COMMERCE_OK && result.more) {
        /* the spare seqs first */
    }

    is_int(result.error, 0, "drained");
    check_after_full(file, store, 101);

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
}


static void
test_full(void)
{
    int                    fd;
    char                   path[512], dir[512], file[512];
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    snprintf(dir, sizeof(dir), "%s/disk", base);
    mkdir(dir, 0700);

    if (geteuid() != 0 || mount("tmpfs", dir, "tmpfs", 0, "size=64k") != 0) {
        ok(true, "# SKIP needs root and mount()");
        return;
    }

    store = open_store(path, sizeof(path), "full");
    fd = open_log(file, sizeof(file), "disk/full.log", O_WRONLY);
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));
    events(store, 1, 200, 500);

    is_int(commerce_log_drain(log, store, fd, 1000, &result), COMMERCE_ERROR, "a full disk");
    is_int(result.error, ENOSPC, "says so");
    is_int(commerce_log_drain(log, store, fd, 1000, &result), COMMERCE_ERROR, "and again");
    is_int(result.error, ENOSPC, "says so");
    is_int(waiting(store), 200, "the outbox keeps everything");

    ok(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=2m") == 0, "there is room again");

    while (commerce_log_drain(log, store, fd, 1000, &result) == COMMERCE_OK && result.more) {
        /* the spare seqs first */
    }

    is_int(result.error, 0, "drained");
    check_after_full(file, store, 200);

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
    umount(dir);
}


static void
test_election(void)
{
    int                pipes[2], status;
    char               path[512], answer;
    pid_t              pid;
    commerce_log_t    *log;

    snprintf(path, sizeof(path), "%s/log.lock", base);
    log = commerce_log_create(&origin);

    if (pipe(pipes) != 0) {
        return;
    }

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        close(pipes[0]);
        if (write(pipes[1], commerce_log_elect(log, path) ? "y" : "n", 1) == 1) {
            pause();
        }
        _exit(0);
    }

    close(pipes[1]);
    ok(read(pipes[0], &answer, 1) == 1 && answer == 'y', "the other process is elected");
    ok(!commerce_log_elect(log, path), "so we are not");
    ok(!commerce_log_elected(log), "we know");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ok(commerce_log_elect(log, path) && commerce_log_elected(log), "its death elects us");
    close(pipes[0]);
    commerce_log_destroy(log);

    log = commerce_log_create(&origin);
    ok(commerce_log_elect(log, path), "destroy lets go");
    commerce_log_destroy(log);

    log = commerce_log_create(&origin);
    ok(!commerce_log_elect(log, "/nonexistent/log.lock"), "no directory, no election");
    commerce_log_destroy(log);
}


/* lines are on disk, the trim fails: the same writer knows, the next one writes them again */

static void
test_crash(void)
{
    int                    fd;
    char                   path[512], file[512], data[600], away[600];
    unsigned               i, twice;
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    store = open_store(path, sizeof(path), "crash");
    fd = open_log(file, sizeof(file), "crash.log", O_WRONLY);
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));
    events(store, 1, 20, 0);

    snprintf(data, sizeof(data), "%s/data.mdb", path);
    snprintf(away, sizeof(away), "%s/data.old", path);
    rename(data, away);
    is_int(commerce_log_drain(log, store, fd, 100, &result), COMMERCE_ERROR, "cannot trim");
    is_int(result.written, 20, "but written");
    ok(result.error != 0, "an error is told");
    is_int(commerce_log_drain(log, store, fd, 100, &result), COMMERCE_ERROR, "again");
    is_int(result.written, 0, "nothing written again");
    rename(away, data);
    read_log(file);
    is_int(reading.lines, 20, "once");

    commerce_log_destroy(log);
    commerce_store_close(store);

    store = open_store(path, sizeof(path), "crash");
    is_int(waiting(store), 20, "the outbox still has them");
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));
    is_int(commerce_log_drain(log, store, fd, 100, &result), COMMERCE_OK, "the next writer");
    read_log(file);

    for (twice = 0, i = 1; i <= 20; i++) {
        twice += reading.ids[i] == 2;
    }

    is_int(twice, 20, "writes the same events again");
    is_int(reading.bad + reading.empty, 0, "whole");

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
}


/* the event loop's lines, a draining thread, and another process that tears lines: all at once */

typedef struct {
    commerce_log_t    *log;
    commerce_store_t  *store;
    int                fd;
    unsigned           limit, written, errors;
} drainer_t;


static void *
drainer(void *data)
{
    drainer_t             *d = data;
    commerce_log_drain_t   result;

    while (d->written < 2000) {
        if (commerce_log_drain(d->log, d->store, d->fd, d->limit, &result) != COMMERCE_OK) {
            d->errors++;
            break;
        }

        d->written += (unsigned) result.written;
    }

    return NULL;
}


/* whenever the file ends with a whole line, tears one a random moment later */

static void
tear_lines(const char *file)
{
    int       fd;
    char      last;
    off_t     size;
    unsigned  spin, n;

    fd = open(file, O_RDWR|O_APPEND);

    for (n = 1; n != 0; n = n * 1103515245 + 12345) {
        do {
            size = lseek(fd, 0, SEEK_END);
        } while (size == 0 || pread(fd, &last, 1, size - 1) != 1 || last != '\n');

        for (spin = n >> 16 & 255; spin > 0; spin--) {
            (void) lseek(fd, 0, SEEK_END);
        }

        if (write(fd, "{\"torn\":", 8) != 8) {
            _exit(1);
        }
    }

    _exit(0);
}


static void
test_together(bool tear)
{
    int                fd, status;
    char               path[512], file[512], line[1024], body[64];
    pid_t              pid;
    size_t             n;
    unsigned           i, failed;
    pthread_t          thread;
    drainer_t          d;

    d = (drainer_t) { commerce_log_create(&origin), NULL, -1, tear ? 3 : 50, 0, 0 };
    d.store = open_store(path, sizeof(path), tear ? "torn" : "together");
    fd = open_log(file, sizeof(file), tear ? "torn.log" : "together.log", O_WRONLY);
    d.fd = dup(fd);
    commerce_log_elect(d.log, commerce_store_log_lock(d.store));

    pid = -1;
    fflush(stdout);

    if (tear) {
        pid = fork();

        if (pid == 0) {
            tear_lines(file);
        }
    }

    pthread_create(&thread, NULL, drainer, &d);

    for (failed = 0, i = 0; i < 2000; i++) {
        if (i % 50 == 0) {
            failed += !events(d.store, i + 1, i + 50, tear ? 50 : 4000);
        }

        if (tear) {
            continue;
        }

        snprintf(body, sizeof(body), "{\"n\":%u}", 4001 + i);
        n = commerce_log_line(d.log, commerce_cstr(body), line, sizeof(line));
        failed += commerce_log_append(d.log, fd, (commerce_str_t) { line, n }) != COMMERCE_OK;
    }

    pthread_join(thread, NULL);

    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }

    is_int(failed + d.errors, 0, "everything was appended");
    read_log(file);
    is_int(ids_missing(1, 2000), 0, "no money event is lost");

    if (!tear) {
        is_int(ids_missing(4001, 6000), 0, "no other line either");

        /* a writer who was stopped in its write for longer than the other waits looks torn: an empty line */

        is_int(reading.lines - reading.empty, 4000, "4000 lines");
        is_int(reading.bad, 0, "all whole");
        is_int(seq_faults(), 0, "seq without gaps");
        is_int(reading.last_seq, 4000, "and without repetition");
        is_int(reading.broken, 0, "the chain holds");
    } else {
        printf("# %u torn lines among %u\n", reading.bad, reading.lines);
        ok(reading.bad > 10, "lines were torn");
    }

    commerce_log_destroy(d.log);
    commerce_store_close(d.store);
    close(d.fd);
    close(fd);
}


static void
test_intruder(void)
{
    int                    fd;
    char                   path[512], file[512];
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    store = open_store(path, sizeof(path), "intruder");
    fd = open_log(file, sizeof(file), "intruder.log", O_WRONLY);
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));

    events(store, 1, 3, 0);
    intruder = "{\"n\":9,\"seq\":4}\n";
    intrusions = 1;
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "a line before ours");
    read_log(file);
    is_int(reading.lines, 4, "is no reason to write again");
    is_int(reading.bad + reading.empty + ids_missing(1, 3), 0, "all are whole");

    events(store, 4, 6, 0);
    intruder = "{\"torn\":";
    intrusions = 1;
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "a torn line before ours");
    read_log(file);
    is_int(ids_missing(1, 6), 0, "our lines are written again");
    is_int(reading.bad, 1, "one is lost with the torn one");
    is_int(reading.ids[5], 2, "the others are there twice");

    events(store, 7, 8, 0);
    intrusions = 3;
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "torn three times");
    read_log(file);
    is_int(ids_missing(1, 8), 0, "our lines are there");
    is_int(reading.empty, 0, "no empty line");

    commerce_log_destroy(log);
    commerce_store_close(store);
    close(fd);
}


static void
test_devices(void)
{
    int                    fd;
    char                   path[512];
    commerce_log_t        *log;
    commerce_store_t      *store;
    commerce_log_drain_t   result;

    store = open_store(path, sizeof(path), "devices");
    log = commerce_log_create(&origin);
    commerce_log_elect(log, commerce_store_log_lock(store));
    events(store, 1, 3, 0);

    fd = open("/dev/full", O_WRONLY);
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_ERROR, "/dev/full");
    is_int(result.error, ENOSPC, "is full");
    close(fd);

    is_int(commerce_log_drain(log, store, -1, 10, &result), COMMERCE_ERROR, "no descriptor");
    is_int(result.error, EBADF, "is an error");

    fd = open("/dev/null", O_WRONLY);
    is_int(commerce_log_drain(log, store, fd, 10, &result), COMMERCE_OK, "/dev/null");
    is_int(result.written, 3, "takes everything");
    close(fd);

    commerce_log_destroy(log);
    commerce_store_close(store);
}


int
main(void)
{
    const char  *tmp = getenv("TMPDIR");

    snprintf(base, sizeof(base), "%s/commerce_log_XXXXXX", tmp != NULL ? tmp : "/tmp");

    if (mkdtemp(base) == NULL) {
        return 2;
    }

    test_lines();
    test_drain(O_RDWR, "readable");
    test_drain(O_WRONLY, "writable");
    test_large();
    test_limit();
    test_full();
    test_election();
    test_crash();
    test_together(false);
    test_together(true);
    test_intruder();
    test_devices();

    erase(base);

    return done_testing();
}
