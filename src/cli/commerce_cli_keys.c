/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce keys: the keyring file.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "commerce_cli.h"


static int keys_lock(commerce_cli_t *cli);
static int keys_purpose(commerce_cli_t *cli, const char *name, commerce_key_purpose_t *purpose);
static int keys_save(commerce_cli_t *cli);
static int keys_export_one(commerce_cli_t *cli, const commerce_key_t *key);


int
commerce_cli_keys_init(commerce_cli_t *cli, int argc, char **argv)
{
    struct stat      st;
    commerce_time_t  now;

    if (argc != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_now(cli, &now) != COMMERCE_CLI_OK || keys_lock(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (lstat(cli->keys_path, &st) == 0) {
        return commerce_cli_fail(cli, "\"%s\" exists and is left as it is: a new keyring would make"
                                 " every token and coupon invalid; name another file with --keys",
                                 cli->keys_path);
    }

    cli->ring = commerce_keyring_create(now);
    if (cli->ring == NULL) {
        return commerce_cli_fail(cli, "the system gave no random bytes: try again later");
    }

    if (keys_save(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s: id space %s, one key for each purpose\n", cli->keys_path,
            commerce_keyring_id_space(cli->ring));

    return COMMERCE_CLI_OK;
}


int
commerce_cli_keys_list(commerce_cli_t *cli, int argc, char **argv)
{
    size_t                 i;
    const commerce_key_t  *key;

    if (argc != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_keys(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "id space %s\n", commerce_keyring_id_space(cli->ring));

    for (i = 0; i < commerce_keyring_count(cli->ring); i++) {
        key = commerce_keyring_key(cli->ring, i);

        fprintf(cli->out, "%-9s %2u  %-7s  %s\n", commerce_key_purpose_name(key->purpose), key->id,
                commerce_key_state_name(key->state), commerce_cli_time(cli, key->created));
    }

    return COMMERCE_CLI_OK;
}


int
commerce_cli_keys_rotate(commerce_cli_t *cli, int argc, char **argv)
{
    unsigned                old;
    commerce_time_t         now;
    commerce_key_purpose_t  purpose;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (keys_purpose(cli, argv[1], &purpose) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || keys_lock(cli) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    old = commerce_keyring_signing_id(cli->ring, purpose);

    if (commerce_keyring_rotate(cli->ring, purpose, now) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "no %s key could be added: every id has been given out, and"
                                 " none is given out twice", argv[1]);
    }

    if (keys_save(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s: key %u signs, key %u verifies; reload nginx before using the new key\n",
            argv[1], commerce_keyring_signing_id(cli->ring, purpose), old);

    return COMMERCE_CLI_OK;
}


int
commerce_cli_keys_retire(commerce_cli_t *cli, int argc, char **argv)
{
    int                     rc;
    uint64_t                id;
    commerce_key_purpose_t  purpose;

    if (argc != 3) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_parse_uint(commerce_cstr(argv[2]), COMMERCE_KEY_IDS - 1, &id) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no key id: it is a number from 0 to %d, see"
                                 " \"commerce keys list\"",
                                 commerce_cli_text(cli, commerce_cstr(argv[2])),
                                 COMMERCE_KEY_IDS - 1);
    }

    if (keys_purpose(cli, argv[1], &purpose) != COMMERCE_CLI_OK
        || keys_lock(cli) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_keyring_retire(cli->ring, purpose, (unsigned) id);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no %s key %s: see \"commerce keys list\"", argv[1],
                                 argv[2]);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_fail(cli, "%s key %s is the one that signs: run \"commerce keys rotate"
                                 " %s\" first", argv[1], argv[2], argv[1]);
    }

    if (keys_save(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%s: key %s is retired; reload nginx\n", argv[1], argv[2]);

    return COMMERCE_CLI_OK;
}


int
commerce_cli_keys_export(commerce_cli_t *cli, int argc, char **argv)
{
    size_t                 i;
    const commerce_key_t  *key;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (strcmp(argv[1], "verdict") != 0) {
        return commerce_cli_fail(cli, "only verdict keys leave the keyring, for the shop's backend:"
                                 " run \"commerce keys export verdict\"");
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_keys(cli) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    for (i = 0; i < commerce_keyring_count(cli->ring); i++) {
        key = commerce_keyring_key(cli->ring, i);

        if (key->purpose == COMMERCE_KEY_VERDICT && key->state != COMMERCE_KEY_RETIRED
            && keys_export_one(cli, key) != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }
    }

    return COMMERCE_CLI_OK;
}


static int
keys_export_one(commerce_cli_t *cli, const commerce_key_t *key)
{
    int      rc;
    char     text[COMMERCE_MAC_SIZE * 2];
    size_t   len;
    uint8_t  subkey[COMMERCE_MAC_SIZE];

    rc = commerce_keyring_subkey(cli->ring, COMMERCE_KEY_VERDICT, key->id, cli->shop, 0, subkey);

    if (rc != COMMERCE_OK) {
        return commerce_cli_fail(cli, "the subkey of verdict key %u cannot be derived: check the"
                                 " OpenSSL installation", key->id);
    }

    len = commerce_base64url(subkey, sizeof(subkey), text);

    fprintf(cli->out, "{\"kid\":\"%u\",\"key\":\"%.*s\"}\n", key->id, (int) len, text);

    OPENSSL_cleanse(subkey, sizeof(subkey));
    OPENSSL_cleanse(text, sizeof(text));

    return COMMERCE_CLI_OK;
}


/*
 * One tool at a time changes keyrings in a directory: the file itself is replaced by each of them,
 * so the lock is the directory's.  It ends with the process.
 */
static int
keys_lock(commerce_cli_t *cli)
{
    int          fd;
    char        *directory;
    const char  *slash;

    slash = strrchr(cli->keys_path, '/');

    directory = slash == NULL ? strdup(".")
                : strndup(cli->keys_path, slash == cli->keys_path ? 1
                                          : (size_t) (slash - cli->keys_path));
    if (directory == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    fd = open(directory, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        commerce_cli_fail(cli, "cannot open the directory \"%s\": %s; make it with \"mkdir -p -m"
                          " 0700 %s\"", directory, strerror(errno), directory);

    } else if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        commerce_cli_fail(cli, "another tool is changing the keyrings in \"%s\": try again when it"
                          " has ended", directory);
        close(fd);
        fd = -1;
    }

    free(directory);

    return fd != -1 ? COMMERCE_CLI_OK : COMMERCE_CLI_FAILED;
}


static int
keys_purpose(commerce_cli_t *cli, const char *name, commerce_key_purpose_t *purpose)
{
    if (commerce_key_purpose_parse(commerce_cstr(name), purpose) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no purpose of a key: share, coupon, verdict or"
                                 " pseudonym", commerce_cli_text(cli, commerce_cstr(name)));
    }

    return COMMERCE_CLI_OK;
}


static int
keys_save(commerce_cli_t *cli)
{
    char  error[512];

    if (commerce_keyring_save(cli->ring, cli->keys_path, error, sizeof(error)) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "%s", error);
    }

    return COMMERCE_CLI_OK;
}
