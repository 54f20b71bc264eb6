/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce store backup and compact: copies of the store, beside its users and in its place.
 *
 * The backup's folder is made as whoever runs the tool, the store is read as its owner: so a child, which
 * gets the open files, does the reading, and a signal can end it wherever it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commerce_cli_backup.h"

#define BACKUP_SPEED  (4 * 1024 * 1024)     /* bytes in a second that any disk can write */
#define BACKUP_JSON   2048


typedef struct {
    const char  *target;
    char         partial[COMMERCE_CLI_PATH], data_path[COMMERCE_CLI_PATH];
    char         manifest_path[COMMERCE_CLI_PATH];
    int          data, manifest;            /* open files */
} backup_t;


static int backup_prepare(commerce_cli_t *cli, backup_t *backup);
static int backup_file(commerce_cli_t *cli, const char *path, int *fd);
static int backup_child(commerce_cli_t *cli, backup_t *backup);
static int backup_copy(commerce_cli_t *cli, int fd, const commerce_store_stat_t *figures);
static int backup_last_event(commerce_cli_t *cli, char id[COMMERCE_EVENT_ID + 1]);
static int backup_manifest(commerce_cli_t *cli, backup_t *backup, commerce_time_t now,
    const commerce_store_stat_t *figures, const char *last_event);
static int backup_wait(commerce_cli_t *cli, pid_t pid);
static int backup_finish(commerce_cli_t *cli, backup_t *backup);
static void backup_end(backup_t *backup, int rc);
static int compact_copy(commerce_cli_t *cli, const char *path, const char *fresh);


int
commerce_cli_store_backup(commerce_cli_t *cli, int argc, char **argv)
{
    int       rc;
    pid_t     pid;
    backup_t  backup;

    if (argc != 2 || *argv[1] == '\0') {
        return COMMERCE_CLI_USAGE;
    }

    memset(&backup, 0, sizeof(backup_t));
    backup.target = argv[1];
    backup.data = -1;
    backup.manifest = -1;

    rc = backup_prepare(cli, &backup);

    if (rc == COMMERCE_CLI_OK) {
        pid = fork();

        if (pid == 0) {
            _exit(backup_child(cli, &backup));
        }

        rc = pid == -1 ? commerce_cli_fail(cli, "cannot start a process: %s", strerror(errno))
                       : backup_wait(cli, pid);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = backup_finish(cli, &backup);
    }

    backup_end(&backup, rc);

    return rc;
}


static int
backup_prepare(commerce_cli_t *cli, backup_t *backup)
{
    size_t       len;
    struct stat  st;

    if (lstat(backup->target, &st) == 0) {
        return commerce_cli_fail(cli, "\"%s\" exists: name a folder that does not, nothing is"
                                 " overwritten", backup->target);
    }

    len = strlen(backup->target);

    while (len > 1 && backup->target[len - 1] == '/') {
        len--;
    }

    if (snprintf(backup->partial, sizeof(backup->partial), "%.*s.partial", (int) len,
                 backup->target)
        >= (int) sizeof(backup->partial) - 64)
    {
        backup->partial[0] = '\0';
        return commerce_cli_fail(cli, "\"%s\" is too long", backup->target);
    }

    if (mkdir(backup->partial, 0700) == -1) {
        commerce_cli_fail(cli, "cannot make the folder \"%s\": %s%s", backup->partial, strerror(errno),
                          errno == EEXIST ? ": a backup that did not end, remove it" : "");
        backup->partial[0] = '\0';
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_cli_path(cli, backup->data_path, backup->partial, "data.mdb") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, backup->manifest_path, backup->partial, "manifest.json")
           != COMMERCE_CLI_OK
        || backup_file(cli, backup->data_path, &backup->data) != COMMERCE_CLI_OK
        || backup_file(cli, backup->manifest_path, &backup->manifest) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return COMMERCE_CLI_OK;
}


static int
backup_file(commerce_cli_t *cli, const char *path, int *fd)
{
    *fd = open(path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (*fd == -1) {
        return commerce_cli_fail(cli, "cannot make \"%s\": %s", path, strerror(errno));
    }

    return COMMERCE_CLI_OK;
}


static int
backup_child(commerce_cli_t *cli, backup_t *backup)
{
    int                    rc;
    char                   last_event[COMMERCE_EVENT_ID + 1];
    commerce_time_t        now;
    commerce_store_stat_t  figures;

    if (commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = COMMERCE_CLI_FAILED;

    if (commerce_store_stat(cli->store, &figures) != COMMERCE_OK) {
        commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                          commerce_store_error(cli->store));

    /* the event first: what is written between it and the copy is in the copy and behind it in the log */

    } else if (backup_last_event(cli, last_event) == COMMERCE_CLI_OK
               && backup_copy(cli, backup->data, &figures) == COMMERCE_CLI_OK)
    {
        rc = backup_manifest(cli, backup, now, &figures, last_event);
    }

    commerce_store_close(cli->store);

    return rc;
}


static int
backup_copy(commerce_cli_t *cli, int fd, const commerce_store_stat_t *figures)
{
    uint64_t  seconds;

    seconds = cli->timeout + figures->bytes_used / BACKUP_SPEED;
    alarm(seconds < 86400 ? (unsigned) seconds : 86400);

    if (commerce_store_copy(cli->store, fd) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "%s", commerce_store_error(cli->store));
    }

    if (fsync(fd) == -1) {
        return commerce_cli_fail(cli, "writing the copy failed: %s", strerror(errno));
    }

    return COMMERCE_CLI_OK;
}


/* empty: none is known; else what stands in every event: {"v":1,"id":"... */
static int
backup_last_event(commerce_cli_t *cli, char id[COMMERCE_EVENT_ID + 1])
{
    int                    rc;
    commerce_str_t         head;
    static const char      start[] = "{\"v\":1,\"id\":\"";

    id[0] = '\0';

    if (commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_view_last_event(cli->reader.view, &head);

    if (rc == COMMERCE_OK && head.len >= sizeof(start) - 1 + COMMERCE_EVENT_ID
        && memcmp(head.data, start, sizeof(start) - 1) == 0)
    {
        memcpy(id, head.data + sizeof(start) - 1, COMMERCE_EVENT_ID);
        id[COMMERCE_EVENT_ID] = '\0';
    }

    commerce_cli_view_end(cli);

    return rc != COMMERCE_ERROR ? COMMERCE_CLI_OK
           : commerce_cli_fail(cli, "the store at %s cannot be read", cli->store_path);
}


static int
backup_manifest(commerce_cli_t *cli, backup_t *backup, commerce_time_t now,
    const commerce_store_stat_t *figures, const char *last_event)
{
    char              json[BACKUP_JSON], digest[COMMERCE_CLI_DIGEST];
    int64_t           len;
    struct stat       st;
    commerce_write_t  w;

    if (commerce_cli_digest(cli, backup->data, digest) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (fstat(backup->data, &st) == -1) {
        return commerce_cli_fail(cli, "cannot look at the copy: %s", strerror(errno));
    }

    commerce_write_start(&w, json, sizeof(json));
    commerce_write_open(&w, NULL, '{');
    commerce_write_int(&w, "backup", 1);
    commerce_write_text(&w, "tool", commerce_string(COMMERCE_VERSION));
    commerce_write_int(&w, "time", now);
    commerce_write_text(&w, "id_space", commerce_cstr(figures->id_space));
    commerce_write_int(&w, "format", figures->format);
    commerce_write_int(&w, "records", (int64_t) figures->records);
    commerce_write_int(&w, "outbox", (int64_t) figures->outbox);
    commerce_write_int(&w, "commits", (int64_t) figures->last_txn);
    commerce_write_text(&w, "last_event", commerce_cstr(last_event));
    commerce_write_int(&w, "bytes", st.st_size);
    commerce_write_text(&w, "sha256", commerce_cstr(digest));
    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0 || (size_t) len == sizeof(json)) {
        return commerce_cli_fail(cli, "the manifest is too long");
    }

    json[len++] = '\n';

    if (write(backup->manifest, json, (size_t) len) != len || fsync(backup->manifest) == -1) {
        return commerce_cli_fail(cli, "writing the manifest failed: %s", strerror(errno));
    }

    return COMMERCE_CLI_OK;
}


static int
backup_wait(commerce_cli_t *cli, pid_t pid)
{
    int  status;

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return commerce_cli_fail(cli, "the copying process was lost: %s", strerror(errno));
        }
    }

    if (WIFSIGNALED(status)) {
        return commerce_cli_fail(cli, "the copying process was ended by signal %d",
                                 WTERMSIG(status));
    }

    return WEXITSTATUS(status) == COMMERCE_CLI_OK ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


static int
backup_finish(commerce_cli_t *cli, backup_t *backup)
{
    commerce_cli_manifest_t  manifest;

    if (commerce_cli_sync_folder(cli, backup->partial) != COMMERCE_CLI_OK
        || commerce_cli_manifest_read(cli, backup->partial, &manifest) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    /* an empty folder that somebody has made meanwhile is replaced, anything else is an error */

    if (rename(backup->partial, backup->target) == -1) {
        return commerce_cli_fail(cli, "cannot rename \"%s\" to \"%s\": %s", backup->partial,
                                 backup->target, strerror(errno));
    }

    backup->partial[0] = '\0';

    fprintf(cli->out, "%s: %llu records, %llu events for the log, format %llu, %llu KiB, %s\n",
            backup->target, (unsigned long long) manifest.records,
            (unsigned long long) manifest.outbox, (unsigned long long) manifest.format,
            (unsigned long long) manifest.bytes / 1024, commerce_cli_time(cli, manifest.time));

    return COMMERCE_CLI_OK;
}


/* what is not whole does not stay */
static void
backup_end(backup_t *backup, int rc)
{
    if (rc != COMMERCE_CLI_OK && backup->partial[0] != '\0') {
        (void) unlink(backup->data_path);
        (void) unlink(backup->manifest_path);
        (void) rmdir(backup->partial);
    }

    if (backup->data != -1) {
        close(backup->data);
    }

    if (backup->manifest != -1) {
        close(backup->manifest);
    }
}


/*
 * The copy takes the place of the file while nobody has the store open: whoever had would go on with a
 * file that is gone, and spend again what the new one holds.
 */
int
commerce_cli_store_compact(commerce_cli_t *cli, int argc, char **argv)
{
    int          rc;
    char         path[COMMERCE_CLI_PATH], fresh[COMMERCE_CLI_PATH];
    struct stat  before, after;

    if (argc != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_path(cli, path, cli->store_path, "data.mdb") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, fresh, cli->store_path, "data.mdb.compact") != COMMERCE_CLI_OK
        || commerce_cli_open_flags(cli, COMMERCE_STORE_ALONE) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = stat(path, &before) == 0 ? compact_copy(cli, path, fresh)
         : commerce_cli_fail(cli, "cannot look at \"%s\": %s", path, strerror(errno));

    if (rc != COMMERCE_CLI_OK) {
        (void) unlink(fresh);
        return rc;
    }

    if (stat(path, &after) == -1) {
        return commerce_cli_fail(cli, "cannot look at \"%s\": %s", path, strerror(errno));
    }

    fprintf(cli->out, "%s: %llu KiB before, %llu KiB now\n", path,
            (unsigned long long) before.st_size / 1024, (unsigned long long) after.st_size / 1024);

    return COMMERCE_CLI_OK;
}


static int
compact_copy(commerce_cli_t *cli, const char *path, const char *fresh)
{
    int                    fd, rc;
    commerce_store_stat_t  figures;

    if (commerce_store_stat(cli->store, &figures) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the store at %s cannot be read: %s", cli->store_path,
                                 commerce_store_error(cli->store));
    }

    if (unlink(fresh) == -1 && errno != ENOENT) {
        return commerce_cli_fail(cli, "cannot remove \"%s\": %s", fresh, strerror(errno));
    }

    if (backup_file(cli, fresh, &fd) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = backup_copy(cli, fd, &figures);
    close(fd);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (rename(fresh, path) == -1) {
        return commerce_cli_fail(cli, "cannot rename \"%s\": %s", fresh, strerror(errno));
    }

    return commerce_cli_sync_folder(cli, cli->store_path);
}
