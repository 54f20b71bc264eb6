/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce store restore: a backup takes the store's place, with what the event log tells since.
 *
 * Everything is done to a copy in a folder of its own, while the store's lock keeps everybody out.  Only when all is
 * well and on disk does the copy take the place of data.mdb, in one rename; what was there keeps another name.  At no
 * moment is there no store, which a worker would take for a new one.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../commerce_codec.h"
#include "../commerce_path.h"
#include "../store/commerce_store_files.h"
#include "commerce_cli_replay.h"
#include "commerce_cli_salvage.h"

#define RESTORE_BUFFER  (256 * 1024)
#define RESTORE_EVENT   1024


typedef struct {
    const char               *backup;
    char                    **paths;            /* of logs */
    unsigned                  count;
    bool                      incomplete;       /* --incomplete */
    commerce_cli_log_t       *logs;
    commerce_cli_manifest_t   manifest;
    commerce_cli_replay_t     replay;
    int                       data;             /* the backup's file */
    commerce_store_files_t    files;            /* the store's, alone */
    char                      folder[COMMERCE_CLI_PATH], copy[COMMERCE_CLI_PATH], lock[COMMERCE_CLI_PATH];
    char                      data_path[COMMERCE_CLI_PATH], store_lock[COMMERCE_CLI_PATH];
    char                      kept[COMMERCE_CLI_PATH];
    commerce_event_source_t   events;
    commerce_time_t           now;
    char                     *outbox;           /* of what is replaced; NULL: none */
    size_t                    outbox_len;
} restore_t;


static int restore_options(restore_t *restore, int argc, char **argv);
static int restore_judge(commerce_cli_t *cli, restore_t *restore);
static int restore_alone(commerce_cli_t *cli, restore_t *restore);
static int restore_run(commerce_cli_t *cli, restore_t *restore);
static int restore_salvage(commerce_cli_t *cli, restore_t *restore);
static int restore_copy(commerce_cli_t *cli, restore_t *restore);
static int restore_change(commerce_cli_t *cli, restore_t *restore);
static int restore_shop(commerce_cli_t *cli, void *data);
static int restore_shop_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void restore_number(commerce_cli_t *cli, commerce_txn_t *txn, const char *kind, uint64_t skip,
    uint64_t max);
static int restore_install(commerce_cli_t *cli, restore_t *restore);
static void restore_report(commerce_cli_t *cli, restore_t *restore);
static void restore_clean(restore_t *restore);


int
commerce_cli_store_restore(commerce_cli_t *cli, int argc, char **argv)
{
    int         rc;
    restore_t  *restore;

    restore = calloc(1, sizeof(restore_t));
    if (restore == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    restore->data = -1;
    restore->files.store_lock = -1;
    rc = restore_options(restore, argc, argv);

    if (rc == COMMERCE_CLI_OK) {
        rc = restore_judge(cli, restore);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = restore_alone(cli, restore);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = restore_run(cli, restore);
    }

    commerce_store_files_close(&restore->files);

    if (restore->data != -1) {
        close(restore->data);
    }

    free(restore->outbox);
    free(restore->paths);
    free(restore);

    return rc;
}


static int
restore_options(restore_t *restore, int argc, char **argv)
{
    int  c;

    static const struct option  options[] = {
        { "replay", required_argument, NULL, 'r' },
        { "incomplete", no_argument, NULL, 'i' },
        { NULL, 0, NULL, 0 }
    };

    restore->paths = calloc((size_t) argc, sizeof(char *));
    if (restore->paths == NULL) {
        return COMMERCE_CLI_FAILED;
    }

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            restore->paths[restore->count++] = optarg;
            break;
        case 'i':
            restore->incomplete = true;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    restore->backup = argv[optind];

    return COMMERCE_CLI_OK;
}


/* what can be told before anything is touched; files are opened as whoever runs the tool */
static int
restore_judge(commerce_cli_t *cli, restore_t *restore)
{
    char         path[COMMERCE_CLI_PATH], digest[COMMERCE_CLI_DIGEST];
    struct stat  st;

    if (commerce_cli_now(cli, &restore->now) != COMMERCE_CLI_OK || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_manifest_read(cli, restore->backup, &restore->manifest) != COMMERCE_CLI_OK
        || commerce_cli_path(cli, path, restore->backup, "data.mdb") != COMMERCE_CLI_OK
        || commerce_cli_logs_open(cli, restore->paths, restore->count, &restore->logs) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (!commerce_equal(restore->manifest.id_space, commerce_cstr(commerce_keyring_id_space(cli->ring)))) {
        return commerce_cli_fail(cli, "the backup belongs to id space %.*s, the keys to %s: this is another"
                                 " shop's backup or another shop's keys",
                                 commerce_cli_arg(restore->manifest.id_space),
                                 commerce_keyring_id_space(cli->ring));
    }

    if (restore->manifest.format > COMMERCE_CODEC_FORMAT) {
        return commerce_cli_fail(cli, "the backup has format %llu, this program knows %d: use the version that"
                                 " wrote it", (unsigned long long) restore->manifest.format,
                                 COMMERCE_CODEC_FORMAT);
    }

    restore->data = open(path, O_RDONLY|O_CLOEXEC);

    if (restore->data == -1 || fstat(restore->data, &st) == -1) {
        return commerce_cli_fail(cli, "cannot open \"%s\": %s", path, strerror(errno));
    }

    if (commerce_cli_digest(cli, restore->data, digest) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if ((uint64_t) st.st_size != restore->manifest.bytes
        || !commerce_equal(restore->manifest.sha256, commerce_cstr(digest)))
    {
        return commerce_cli_fail(cli, "\"%s\" is not what was written: its SHA-256 is %s, the manifest says"
                                 " %.*s", path, digest, commerce_cli_arg(restore->manifest.sha256));
    }

    return COMMERCE_CLI_OK;
}


/* from here on as the directory's owner */
static int
restore_alone(commerce_cli_t *cli, restore_t *restore)
{
    char  error[512];

    if (commerce_cli_path(cli, restore->folder, cli->store_path, "restore.new") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, restore->data_path, cli->store_path, "data.mdb") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, restore->copy, restore->folder, "data.mdb") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, restore->lock, restore->folder, "lock.mdb") != COMMERCE_CLI_OK
        || commerce_cli_path(cli, restore->store_lock, restore->folder, "store.lock") != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_store_files_open(&restore->files, cli->store_path,
                                  COMMERCE_STORE_TOOL|COMMERCE_STORE_ALONE|COMMERCE_STORE_CREATE, error,
                                  sizeof(error))
        != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "%s", error);
    }

    return COMMERCE_CLI_OK;
}


static int
restore_run(commerce_cli_t *cli, restore_t *restore)
{
    int          rc;
    const char  *path;

    restore_clean(restore);

    rc = restore_salvage(cli, restore);

    if (rc == COMMERCE_CLI_OK) {
        rc = restore_copy(cli, restore);
    }

    if (rc == COMMERCE_CLI_OK) {
        path = cli->store_path;
        cli->store_path = restore->folder;
        cli->shop_name = NULL;

        rc = restore_change(cli, restore);

        commerce_cli_view_end(cli);
        commerce_store_close(cli->store);
        cli->store = NULL;
        cli->store_path = path;
    }

    restore_report(cli, restore);

    if (rc == COMMERCE_CLI_OK && restore->replay.failed != 0 && !restore->incomplete) {
        rc = commerce_cli_fail(cli, "%llu events could not be replayed: nothing was changed; what they spent"
                               " could be spent again (--incomplete restores all the same)",
                               (unsigned long long) restore->replay.failed);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = restore_install(cli, restore);
    }

    restore_clean(restore);

    return rc;
}


/* what the replaced store did not tell the log any more: by a second name of its file, which is not written to */
static int
restore_salvage(commerce_cli_t *cli, restore_t *restore)
{
    if (!restore->files.exists || restore->count == 0) {
        return COMMERCE_CLI_OK;
    }

    if (mkdir(restore->folder, 0700) == -1) {
        return commerce_cli_fail(cli, "cannot make \"%s\": %s", restore->folder, strerror(errno));
    }

    if (link(restore->data_path, restore->copy) == -1
        || commerce_cli_salvage(cli, restore->folder, &restore->outbox, &restore->outbox_len) != COMMERCE_CLI_OK)
    {
        fprintf(cli->out, "what is replaced cannot be read: money events that it did not write to the log yet are"
                " lost\n");
    }

    restore_clean(restore);

    return COMMERCE_CLI_OK;
}


static int
restore_copy(commerce_cli_t *cli, restore_t *restore)
{
    int      fd;
    char    *buffer;
    off_t    offset;
    ssize_t  n;

    if (mkdir(restore->folder, 0700) == -1) {
        return commerce_cli_fail(cli, "cannot make \"%s\": %s", restore->folder, strerror(errno));
    }

    fd = open(restore->copy, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);
    if (fd == -1) {
        return commerce_cli_fail(cli, "cannot make \"%s\": %s", restore->copy, strerror(errno));
    }

    buffer = malloc(RESTORE_BUFFER);
    n = buffer != NULL ? 1 : -1;

    for (offset = 0; n > 0; offset += n) {
        n = pread(restore->data, buffer, RESTORE_BUFFER, offset);

        if (n > 0 && write(fd, buffer, (size_t) n) != n) {
            n = -1;
        }
    }

    free(buffer);

    if (n == -1 || close(fd) == -1) {
        return commerce_cli_fail(cli, "copying to \"%s\" failed: %s", restore->copy, strerror(errno));
    }

    return COMMERCE_CLI_OK;
}


/* the copy becomes what the store is to be */
static int
restore_change(commerce_cli_t *cli, restore_t *restore)
{
    int  rc, error;

    if (commerce_cli_open_flags(cli, COMMERCE_STORE_PRIVATE) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    rc = COMMERCE_CLI_OK;

    if (restore->count != 0) {
        rc = commerce_cli_replay(cli, &restore->manifest, restore->logs, restore->count,
                                 (commerce_str_t) { restore->outbox, restore->outbox_len }, cli->out,
                                 &restore->replay);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_each_shop(cli, restore_shop, restore);
    }

    if (rc == COMMERCE_CLI_OK) {
        error = commerce_store_sync(cli->store);

        if (error != 0) {
            rc = commerce_cli_fail(cli, "writing \"%s\" failed: %s", restore->copy, strerror(error));
        }
    }

    return rc;
}


static int
restore_shop(commerce_cli_t *cli, void *data)
{
    return commerce_cli_transact(cli, restore_shop_work, data);
}


/*
 * Numbers that were given out after the backup are in tokens and codes, and must not be given out again: those of
 * campaigns would make old codes good for a new campaign.
 */
static int
restore_shop_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    char               buffer[RESTORE_EVENT];
    restore_t         *restore = data;
    commerce_str_t     body;
    commerce_write_t   w;

    restore_number(cli, txn, "person", 1000000, UINT64_C(1) << 40);
    restore_number(cli, txn, "group", 100000, UINT32_MAX);
    restore_number(cli, txn, "room", 100000, UINT32_MAX);
    restore_number(cli, txn, "campaign", 16, COMMERCE_CODE_CAMPAIGN_MAX);

    if (commerce_event_start(&w, buffer, sizeof(buffer), &restore->events, "restore", cli->shop,
                             (int64_t) restore->now * 1000000)
        == COMMERCE_OK)
    {
        commerce_write_int(&w, "backup", restore->manifest.time);
        commerce_write_optional(&w, "last_event", restore->manifest.last_event);
        commerce_write_int(&w, "replayed", (int64_t) restore->replay.applied);
        commerce_write_int(&w, "failed", (int64_t) restore->replay.failed);
    }

    body = commerce_copy(txn->arena, commerce_event_finish(&w));
    commerce_txn_event(txn, body);

    return COMMERCE_CLI_OK;
}


static void
restore_number(commerce_cli_t *cli, commerce_txn_t *txn, const char *kind, uint64_t skip, uint64_t max)
{
    int                 rc;
    uint64_t            version, number;
    commerce_path_t     path;
    commerce_str_t      value;
    commerce_decoder_t  d;
    commerce_encoder_t  e;

    commerce_path_text(&path, cli->shop, 's', commerce_cstr(kind));
    rc = commerce_path_get(&cli->reader, &path, &value, &version);

    if (rc == COMMERCE_ERROR) {
        txn->failed = true;
        return;
    }

    number = 1;

    if (rc == COMMERCE_OK) {
        commerce_decode_start(&d, value);
        number = commerce_decode_varint(&d, UINT64_MAX);
    }

    /* near the end there is nothing to skip: the few that are left are worth more */

    if (number > max / 2) {
        return;
    }

    commerce_encode_start(&e, txn->arena, 1 + COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, number + skip);
    commerce_path_put(txn, &path, version, commerce_encode_finish(&e));
}


/* a second name for what is there, then one rename: whatever happens between, there is a store */
static int
restore_install(commerce_cli_t *cli, restore_t *restore)
{
    bool      kept;
    char      when[32];
    unsigned  try;

    kept = restore->files.exists;
    commerce_time_format(restore->now, when);

    for (try = 1; kept; try++) {
        if (snprintf(restore->kept, sizeof(restore->kept), try == 1 ? "%s.before-%s" : "%s.before-%s-%u",
                     restore->data_path, when, try)
            >= (int) sizeof(restore->kept))
        {
            return commerce_cli_fail(cli, "the path \"%s\" is too long", cli->store_path);
        }

        if (link(restore->data_path, restore->kept) == 0) {
            break;
        }

        if (errno != EEXIST) {
            return commerce_cli_fail(cli, "cannot keep the old store as \"%s\": %s", restore->kept,
                                     strerror(errno));
        }
    }

    if (rename(restore->copy, restore->data_path) == -1) {
        return commerce_cli_fail(cli, "cannot rename \"%s\": %s", restore->copy, strerror(errno));
    }

    if (commerce_cli_sync_folder(cli, cli->store_path) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s is restored from the backup of %s\n", cli->store_path,
            commerce_cli_time(cli, restore->manifest.time));

    if (kept) {
        fprintf(cli->out, "what was there is kept as %s\n", restore->kept);
    }

    return COMMERCE_CLI_OK;
}


static void
restore_report(commerce_cli_t *cli, restore_t *restore)
{
    commerce_cli_replay_t      *replay = &restore->replay;
    commerce_cli_log_report_t  *log = &replay->log;

    if (restore->count == 0) {
        fprintf(cli->out, "no log was replayed: what was spent since the backup can be spent again\n");
        return;
    }

    fprintf(cli->out, "log: %llu lines, %llu money events, %llu repeated, %llu torn, %llu missing, %llu with a"
            " broken chain\n", (unsigned long long) log->lines, (unsigned long long) log->events,
            (unsigned long long) log->repeated, (unsigned long long) log->torn,
            (unsigned long long) log->missing, (unsigned long long) log->broken);
    commerce_cli_log_lost(cli->out, log);
    fprintf(cli->out, "replayed: %llu events (%llu coupons, %llu orders), %llu that the backup knew, %llu that"
            " change nothing, %llu failed\n", (unsigned long long) replay->applied,
            (unsigned long long) replay->coupons, (unsigned long long) replay->orders,
            (unsigned long long) replay->known, (unsigned long long) replay->others,
            (unsigned long long) replay->failed);

    if (replay->unknown_buyers != 0) {
        fprintf(cli->out, "%llu orders of buyers whom the backup does not know: found by the backend's id"
                " only\n", (unsigned long long) replay->unknown_buyers);
    }

    if (replay->bindings != 0 || replay->joins != 0) {
        fprintf(cli->out, "not made again: %llu bindings of buyers, %llu people who joined\n",
                (unsigned long long) replay->bindings, (unsigned long long) replay->joins);
    }

    if (replay->directory != 0) {
        fprintf(cli->out, "not made again: %llu changes of the directory through commerce_admin: import it\n",
                (unsigned long long) replay->directory);
    }

    if (replay->salvaged != 0) {
        fprintf(cli->out, "%llu events of what is replaced were not in the log yet: they are replayed, and will be"
                " written to it\n", (unsigned long long) replay->salvaged);
    }

    if (replay->trimmed != 0) {
        fprintf(cli->out, "%llu events of the backup were in the log already and are not written again\n",
                (unsigned long long) replay->trimmed);
    }
}


static void
restore_clean(restore_t *restore)
{
    (void) unlink(restore->copy);
    (void) unlink(restore->lock);
    (void) unlink(restore->store_lock);
    (void) rmdir(restore->folder);
}
