/*
 * Copyright (C) ngx_commerce authors
 *
 * A backup's manifest, and small matters of files that backup and restore share.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "commerce_cli_backup.h"

#define MANIFEST_MAX     65536
#define MANIFEST_BUFFER  65536


static int manifest_number(commerce_json_t *root, const char *pointer, uint64_t *number);
static int manifest_text(commerce_json_t *root, const char *pointer, commerce_str_t *text);


int
commerce_cli_manifest_read(commerce_cli_t *cli, const char *folder, commerce_cli_manifest_t *manifest)
{
    char              path[COMMERCE_CLI_PATH];
    uint64_t          version, seconds;
    commerce_str_t    text;
    commerce_json_t  *root;

    memset(manifest, 0, sizeof(commerce_cli_manifest_t));

    if (commerce_cli_path(cli, path, folder, "manifest.json") != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (access(path, F_OK) != 0) {
        return commerce_cli_fail(cli, "\"%s\" holds no whole backup: there is no manifest.json in it",
                                 folder);
    }

    if (commerce_cli_file(cli, path, MANIFEST_MAX, &text) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_json_parse(cli->arena, text, &root) != COMMERCE_R(OK)
        || manifest_number(root, "/backup", &version) != COMMERCE_OK
        || manifest_number(root, "/time", &seconds) != COMMERCE_OK
        || manifest_text(root, "/id_space", &manifest->id_space) != COMMERCE_OK
        || manifest_number(root, "/format", &manifest->format) != COMMERCE_OK
        || manifest_number(root, "/records", &manifest->records) != COMMERCE_OK
        || manifest_number(root, "/outbox", &manifest->outbox) != COMMERCE_OK
        || manifest_number(root, "/commits", &manifest->commits) != COMMERCE_OK
        || manifest_text(root, "/last_event", &manifest->last_event) != COMMERCE_OK
        || manifest_number(root, "/bytes", &manifest->bytes) != COMMERCE_OK
        || manifest_text(root, "/sha256", &manifest->sha256) != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "\"%s\" is no backup's manifest", path);
    }

    if (version != 1) {
        return commerce_cli_fail(cli, "\"%s\" is of version %llu, this program knows 1", path,
                                 (unsigned long long) version);
    }

    manifest->time = (commerce_time_t) seconds;

    return COMMERCE_CLI_OK;
}


static int
manifest_number(commerce_json_t *root, const char *pointer, uint64_t *number)
{
    commerce_str_t  text;

    return manifest_text(root, pointer, &text) == COMMERCE_OK
           ? commerce_parse_uint(text, INT64_MAX / 2, number) : COMMERCE_ERROR;
}


static int
manifest_text(commerce_json_t *root, const char *pointer, commerce_str_t *text)
{
    commerce_json_t  *node;

    if (commerce_json_find(root, commerce_cstr(pointer), &node) != COMMERCE_R(OK) || node == NULL
        || commerce_json_text(node, text) != COMMERCE_R(OK))
    {
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


int
commerce_cli_path(commerce_cli_t *cli, char path[COMMERCE_CLI_PATH], const char *folder, const char *name)
{
    if (snprintf(path, COMMERCE_CLI_PATH, "%s/%s", folder, name) >= COMMERCE_CLI_PATH) {
        return commerce_cli_fail(cli, "the path \"%s\" is too long", folder);
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_digest(commerce_cli_t *cli, int fd, char hex[COMMERCE_CLI_DIGEST])
{
    off_t         offset;
    ssize_t       n;
    uint8_t       digest[EVP_MAX_MD_SIZE];
    unsigned      len;
    EVP_MD_CTX   *ctx;
    static char   buffer[MANIFEST_BUFFER];

    len = 0;
    n = -1;
    ctx = EVP_MD_CTX_new();

    if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1) {
        for (offset = 0; (n = pread(fd, buffer, sizeof(buffer), offset)) > 0; offset += n) {
            if (EVP_DigestUpdate(ctx, buffer, (size_t) n) != 1) {
                break;
            }
        }

        if (n == 0 && EVP_DigestFinal_ex(ctx, digest, &len) != 1) {
            n = -1;
        }
    }

    EVP_MD_CTX_free(ctx);

    if (n != 0 || len != 32) {
        return commerce_cli_fail(cli, "the copy cannot be read: %s", strerror(errno));
    }

    commerce_hex(digest, len, hex);
    hex[2 * len] = '\0';

    return COMMERCE_CLI_OK;
}


int
commerce_cli_sync_folder(commerce_cli_t *cli, const char *folder)
{
    int  fd, rc;

    fd = open(folder, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    rc = fd == -1 ? -1 : fsync(fd);

    if (fd != -1) {
        close(fd);
    }

    return rc == 0 ? COMMERCE_CLI_OK
           : commerce_cli_fail(cli, "cannot sync \"%s\": %s", folder, strerror(errno));
}
