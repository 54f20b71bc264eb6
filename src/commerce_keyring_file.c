/*
 * Copyright (C) ngx_commerce authors
 */

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "commerce_file.h"
#include "commerce_mac.h"
#include "commerce_write.h"


#define COMMERCE_KEYRING_FILE_MAX  131072
#define COMMERCE_KEYRING_MODE      0600
#define COMMERCE_KEYRING_ENTRY     192          /* more than any key takes in the file */
#define COMMERCE_KEYRING_BASE64    44           /* 32 bytes in padded base64 */
#define COMMERCE_KEYRING_TIME_MAX  253402300799 /* the last second of the year 9999 */


typedef struct {
    const char  *path;
    char        *text;
    size_t       size;
} commerce_keyring_error_t;


static int commerce_keyring_fail(const commerce_keyring_error_t *error, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int commerce_keyring_parse(commerce_keyring_t *ring, const char *text, size_t len,
    const commerce_keyring_error_t *error);
static int commerce_keyring_parse_root(commerce_keyring_t *ring, const cJSON *root,
    const commerce_keyring_error_t *error);
static int commerce_keyring_parse_keys(commerce_keyring_t *ring, const cJSON *keys,
    const commerce_keyring_error_t *error);
static const char *commerce_keyring_parse_key(commerce_keyring_t *ring, const cJSON *item);
static const char *commerce_keyring_members(const cJSON *object, const char *const *names,
    const cJSON **values, size_t n);
static bool commerce_keyring_parse_number(const cJSON *item, int64_t max, int64_t *n);
static bool commerce_keyring_parse_uuid(const cJSON *item, commerce_keyring_t *ring);
static bool commerce_keyring_parse_secret(const cJSON *item, uint8_t secret[COMMERCE_KEY_SECRET]);
static int commerce_keyring_parse_state(const cJSON *item, commerce_key_state_t *state);
static void commerce_keyring_cleanse(cJSON *item);

static int64_t commerce_keyring_print(const commerce_keyring_t *ring, char *buffer, size_t size);
static int commerce_keyring_replace(const commerce_keyring_error_t *error, const char *text,
    size_t len);
static int commerce_keyring_fill_fd(int fd, const char *path, const char *text, size_t len);
static int commerce_keyring_sync_directory(const char *path);


commerce_keyring_t *
commerce_keyring_load(const char *path, char *error, size_t error_size)
{
    int                       rc;
    char                      problem[256];
    commerce_file_t           file;
    commerce_keyring_t       *ring;
    commerce_keyring_error_t  err = { path, error, error_size };

    if (commerce_file_read(path, COMMERCE_KEYRING_FILE_MAX, &file, problem, sizeof(problem)) != COMMERCE_OK
        || commerce_file_private(&file, problem, sizeof(problem)) != COMMERCE_OK)
    {
        commerce_file_free(&file);
        commerce_keyring_fail(&err, "%s", problem);
        return NULL;
    }

    ring = commerce_keyring_alloc();

    if (ring == NULL) {
        rc = commerce_keyring_fail(&err, "cannot be loaded: no memory, or no HMAC-SHA256 and "
                                   "HKDF in the cryptographic library");
    } else {
        rc = commerce_keyring_parse(ring, file.text, file.len, &err);
    }

    commerce_file_free(&file);

    if (rc != COMMERCE_OK) {
        commerce_keyring_free(ring);
        return NULL;
    }

    return ring;
}


int
commerce_keyring_save(const commerce_keyring_t *ring, const char *path, char *error,
    size_t error_size)
{
    int                       rc;
    char                     *text;
    size_t                    size;
    int64_t                   len;
    commerce_keyring_error_t  err = { path, error, error_size };

    size = (ring->count + 1) * COMMERCE_KEYRING_ENTRY;

    text = malloc(size);
    if (text == NULL) {
        return commerce_keyring_fail(&err, "cannot be written: no memory");
    }

    len = commerce_keyring_print(ring, text, size);

    if (len < 0) {
        rc = commerce_keyring_fail(&err, "cannot be written: a key does not fit the format");
    } else {
        rc = commerce_keyring_replace(&err, text, (size_t) len);
    }

    OPENSSL_cleanse(text, size);
    free(text);

    return rc;
}


static int
commerce_keyring_fail(const commerce_keyring_error_t *error, const char *fmt, ...)
{
    int      n;
    va_list  args;

    n = snprintf(error->text, error->size, "keyring \"%s\" ", error->path);

    if (n > 0 && (size_t) n < error->size) {
        va_start(args, fmt);
        vsnprintf(error->text + n, error->size - (size_t) n, fmt, args);
        va_end(args);
    }

    return COMMERCE_ERROR;
}


static int
commerce_keyring_parse(commerce_keyring_t *ring, const char *text, size_t len,
    const commerce_keyring_error_t *error)
{
    int     rc;
    cJSON  *root;

    /* cJSON's strings end at a NUL, so what follows one would be read as if it were not there */

    if (memchr(text, '\0', len) != NULL || strstr(text, "\\u0000") != NULL) {
        return commerce_keyring_fail(error, "has a NUL in it");
    }

    root = cJSON_ParseWithLengthOpts(text, len + 1, NULL, 1);
    if (root == NULL) {
        return commerce_keyring_fail(error, "is not JSON");
    }

    rc = commerce_keyring_parse_root(ring, root, error);

    commerce_keyring_cleanse(root);
    cJSON_Delete(root);

    return rc;
}


static int
commerce_keyring_parse_root(commerce_keyring_t *ring, const cJSON *root,
    const commerce_keyring_error_t *error)
{
    int           purpose;
    int64_t       version;
    const char   *problem;
    const cJSON  *values[3];

    static const char *const  names[] = { "v", "id_space", "keys" };

    problem = commerce_keyring_members(root, names, values, 3);
    if (problem != NULL) {
        return commerce_keyring_fail(error, "has %s", problem);
    }

    if (!commerce_keyring_parse_number(values[0], 1, &version) || version != 1) {
        return commerce_keyring_fail(error, "has a \"v\" other than 1");
    }

    if (!commerce_keyring_parse_uuid(values[1], ring)) {
        return commerce_keyring_fail(error, "has an \"id_space\" that is no UUID in lower case");
    }

    if (commerce_keyring_parse_keys(ring, values[2], error) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    for (purpose = 0; purpose < COMMERCE_KEY_PURPOSES; purpose++) {
        if (ring->signing[purpose] == NULL) {
            return commerce_keyring_fail(error, "has no signing key for \"%s\"",
                       commerce_key_purpose_name((commerce_key_purpose_t) purpose));
        }
    }

    return COMMERCE_OK;
}


static int
commerce_keyring_parse_keys(commerce_keyring_t *ring, const cJSON *keys,
    const commerce_keyring_error_t *error)
{
    const char   *problem;
    const cJSON  *item;

    if (!cJSON_IsArray(keys)) {
        return commerce_keyring_fail(error, "has \"keys\" that are no array");
    }

    cJSON_ArrayForEach(item, keys) {
        problem = commerce_keyring_parse_key(ring, item);

        if (problem != NULL) {
            return commerce_keyring_fail(error, "has %s in key number %zu", problem,
                                         ring->count + 1);
        }
    }

    return COMMERCE_OK;
}


static const char *
commerce_keyring_parse_key(commerce_keyring_t *ring, const cJSON *item)
{
    int64_t          id;
    const char      *problem;
    const cJSON     *values[5];
    commerce_key_t   key, *added;

    static const char *const  names[] = { "purpose", "id", "state", "created", "secret" };

    problem = commerce_keyring_members(item, names, values, 5);
    if (problem != NULL) {
        return problem;
    }

    if (!cJSON_IsString(values[0])
        || commerce_key_purpose_parse(commerce_cstr(values[0]->valuestring), &key.purpose)
           != COMMERCE_OK)
    {
        return "an unknown purpose";
    }

    if (!commerce_keyring_parse_number(values[1], commerce_keyring_ids(key.purpose) - 1, &id)) {
        return "an id out of range";
    }

    key.id = (unsigned) id;

    if (ring->index[key.purpose][key.id] != NULL) {
        return "an id that an earlier key of its purpose has";
    }

    if (commerce_keyring_parse_state(values[2], &key.state) != COMMERCE_OK) {
        return "an unknown state";
    }

    if (key.state == COMMERCE_KEY_SIGN && ring->signing[key.purpose] != NULL) {
        return "a second signing key of its purpose";
    }

    if (!commerce_keyring_parse_number(values[3], COMMERCE_KEYRING_TIME_MAX, &key.created)) {
        return "a creation time that is no number of seconds";
    }

    if (!commerce_keyring_parse_secret(values[4], key.secret)) {
        return "a secret that is not 32 bytes in base64";
    }

    added = commerce_keyring_add(ring, &key);
    OPENSSL_cleanse(&key, sizeof(key));

    if (added->state == COMMERCE_KEY_SIGN) {
        ring->signing[added->purpose] = added;
    }

    return NULL;
}


/* an object of exactly these members; what is wrong with it otherwise */

static const char *
commerce_keyring_members(const cJSON *object, const char *const *names, const cJSON **values,
    size_t n)
{
    size_t        i;
    const cJSON  *member;

    if (!cJSON_IsObject(object)) {
        return "something else where an object should be";
    }

    memset(values, 0, n * sizeof(cJSON *));

    cJSON_ArrayForEach(member, object) {

        for (i = 0; i < n; i++) {
            if (strcmp(member->string, names[i]) == 0) {
                break;
            }
        }

        if (i == n) {
            return "an unknown member";
        }

        if (values[i] != NULL) {
            return "a duplicate member";
        }

        values[i] = member;
    }

    for (i = 0; i < n; i++) {
        if (values[i] == NULL) {
            return "a missing member";
        }
    }

    return NULL;
}


static bool
commerce_keyring_parse_number(const cJSON *item, int64_t max, int64_t *n)
{
    double  value;

    value = item->valuedouble;

    if (!cJSON_IsNumber(item) || !(value >= 0 && value <= (double) max)) {
        return false;
    }

    *n = (int64_t) value;

    return (double) *n == value;
}


/* only the spelling that print_uuid() makes, so that the text compares as well as the bytes */

static bool
commerce_keyring_parse_uuid(const cJSON *item, commerce_keyring_t *ring)
{
    char         c;
    size_t       i, n;
    unsigned     nibble;
    const char  *p;

    if (!cJSON_IsString(item) || strlen(item->valuestring) != COMMERCE_UUID_TEXT) {
        return false;
    }

    n = 0;

    for (p = item->valuestring, i = 0; i < COMMERCE_UUID_TEXT; i++) {
        c = p[i];

        if (c == '-') {
            continue;
        }

        if (c >= '0' && c <= '9') {
            nibble = (unsigned) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            nibble = (unsigned) (c - 'a') + 10;

        } else {
            return false;
        }

        if (n == COMMERCE_KEYRING_SALT * 2) {
            return false;
        }

        ring->salt[n / 2] = (uint8_t) (ring->salt[n / 2] << 4 | nibble);
        n++;
    }

    commerce_keyring_print_uuid(ring->salt, ring->id_space);

    return strcmp(ring->id_space, p) == 0;
}


/* EVP_DecodeBlock() is lenient with blanks and padding: its bytes must give the same text again */

static bool
commerce_keyring_parse_secret(const cJSON *item, uint8_t secret[COMMERCE_KEY_SECRET])
{
    int      n;
    bool     same;
    uint8_t  bytes[COMMERCE_KEY_SECRET + 1], text[COMMERCE_KEYRING_BASE64 + 1];

    if (!cJSON_IsString(item) || strlen(item->valuestring) != COMMERCE_KEYRING_BASE64) {
        return false;
    }

    n = EVP_DecodeBlock(bytes, (const uint8_t *) item->valuestring, COMMERCE_KEYRING_BASE64);
    if (n != sizeof(bytes)) {
        return false;
    }

    EVP_EncodeBlock(text, bytes, COMMERCE_KEY_SECRET);
    same = CRYPTO_memcmp(text, item->valuestring, COMMERCE_KEYRING_BASE64) == 0;

    if (same) {
        memcpy(secret, bytes, COMMERCE_KEY_SECRET);
    }

    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));

    return same;
}


static int
commerce_keyring_parse_state(const cJSON *item, commerce_key_state_t *state)
{
    int  i;

    for (i = 0; cJSON_IsString(item) && i < COMMERCE_KEYRING_STATES; i++) {
        *state = (commerce_key_state_t) i;

        if (strcmp(item->valuestring, commerce_key_state_name(*state)) == 0) {
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


/* every string: a secret may stand where it should not */

static void
commerce_keyring_cleanse(cJSON *item)
{
    cJSON  *child;

    if (cJSON_IsString(item)) {
        OPENSSL_cleanse(item->valuestring, strlen(item->valuestring));
    }

    cJSON_ArrayForEach(child, item) {
        commerce_keyring_cleanse(child);
    }
}


static int64_t
commerce_keyring_print(const commerce_keyring_t *ring, char *buffer, size_t size)
{
    size_t                 i;
    uint8_t                secret[COMMERCE_KEYRING_BASE64 + 1];
    commerce_write_t       w;
    const commerce_key_t  *key;

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '{');
    commerce_write_int(&w, "v", 1);
    commerce_write_text(&w, "id_space", commerce_cstr(ring->id_space));
    commerce_write_open(&w, "keys", '[');

    for (i = 0; i < ring->count; i++) {
        key = &ring->keys[i];
        EVP_EncodeBlock(secret, key->secret, COMMERCE_KEY_SECRET);

        commerce_write_open(&w, NULL, '{');
        commerce_write_text(&w, "purpose", commerce_cstr(commerce_key_purpose_name(key->purpose)));
        commerce_write_int(&w, "id", key->id);
        commerce_write_text(&w, "state", commerce_cstr(commerce_key_state_name(key->state)));
        commerce_write_int(&w, "created", key->created);
        commerce_write_text(&w, "secret", commerce_cstr((char *) secret));
        commerce_write_close(&w, '}');
    }

    OPENSSL_cleanse(secret, sizeof(secret));

    commerce_write_close(&w, ']');
    commerce_write_close(&w, '}');

    return commerce_write_finish(&w);
}


static int
commerce_keyring_replace(const commerce_keyring_error_t *error, const char *text, size_t len)
{
    int   fd, rc, err;
    char  name[PATH_MAX];

    if ((size_t) snprintf(name, sizeof(name), "%s.XXXXXX", error->path) >= sizeof(name)) {
        return commerce_keyring_fail(error, "cannot be written: its name is too long");
    }

    fd = mkstemp(name);
    if (fd == -1) {
        return commerce_keyring_fail(error, "cannot be written: no temporary file beside it: %s",
                                     strerror(errno));
    }

    rc = commerce_keyring_fill_fd(fd, error->path, text, len);
    err = errno;

    if (close(fd) == -1 && rc == COMMERCE_OK) {
        rc = COMMERCE_ERROR;
        err = errno;
    }

    if (rc == COMMERCE_OK && rename(name, error->path) == -1) {
        rc = COMMERCE_ERROR;
        err = errno;
    }

    if (rc != COMMERCE_OK) {
        unlink(name);
        return commerce_keyring_fail(error, "cannot be written: %s", strerror(err));
    }

    if (commerce_keyring_sync_directory(error->path) != COMMERCE_OK) {
        return commerce_keyring_fail(error, "is written, but its directory cannot be synced: %s",
                                     strerror(errno));
    }

    return COMMERCE_OK;
}


static int
commerce_keyring_fill_fd(int fd, const char *path, const char *text, size_t len)
{
    size_t       done;
    ssize_t      n;
    struct stat  old;

    if (fchmod(fd, COMMERCE_KEYRING_MODE) == -1) {
        return COMMERCE_ERROR;
    }

    /* root rotates the keys of an nginx that runs as somebody else: they stay that user's */

    if (geteuid() == 0 && stat(path, &old) == 0 && fchown(fd, old.st_uid, old.st_gid) == -1) {
        return COMMERCE_ERROR;
    }

    for (done = 0; done < len; done += (n > 0) ? (size_t) n : 0) {
        n = write(fd, text + done, len - done);

        if (n == -1 && errno != EINTR) {
            return COMMERCE_ERROR;
        }
    }

    return fsync(fd) == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_keyring_sync_directory(const char *path)
{
    int          fd, rc;
    char         name[PATH_MAX];
    size_t       len;
    const char  *slash;

    slash = strrchr(path, '/');
    len = (slash == NULL) ? 0 : (size_t) (slash - path) + 1;

    if (len + 2 > sizeof(name)) {
        return COMMERCE_ERROR;
    }

    /* "/." also names the directory that a path without a slash stands in */

    memcpy(name, path, len);
    memcpy(name + len, ".", 2);

    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return COMMERCE_ERROR;
    }

    rc = fsync(fd) == 0 ? COMMERCE_OK : COMMERCE_ERROR;
    close(fd);

    return rc;
}
