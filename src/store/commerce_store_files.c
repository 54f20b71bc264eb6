/*
 * Copyright (C) ngx_commerce authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* locks of open files */
#endif

#include "../commerce_codec.h"
#include "commerce_store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>


#define COMMERCE_FILES_FLOCK  1         /* this format's processes are seen by their flock */


static int commerce_files_name(commerce_store_files_t *files, const char *path);
static int commerce_files_directory(const char *path, struct stat *st, char *error, size_t size);
static bool commerce_files_network(const char *path);
static int commerce_files_owner(const char *path, const struct stat *st, unsigned flags,
    char *error, size_t size);
static int commerce_files_lock(commerce_store_files_t *files, unsigned flags, char *error,
    size_t size);
static int commerce_files_present(int fd);
static int commerce_files_alone(int fd);
static int commerce_files_bytes(int fd, int type, unsigned from, unsigned count);


int
commerce_store_files_open(commerce_store_files_t *files, const char *path, unsigned flags,
    char *error, size_t error_size)
{
    struct stat  st;

    files->store_lock = -1;

    if (commerce_files_name(files, path) != COMMERCE_OK) {
        snprintf(error, error_size, "the store's path is empty or too long");
        return COMMERCE_ERROR;
    }

    if (commerce_files_directory(path, &st, error, error_size) != COMMERCE_OK
        || commerce_files_owner(path, &st, flags, error, error_size) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    files->exists = stat(files->data, &st) == 0;

    if (!files->exists && errno != ENOENT) {
        snprintf(error, error_size, "cannot look at %s: %s", files->data, strerror(errno));
        return COMMERCE_ERROR;
    }

    return commerce_files_lock(files, flags, error, error_size);
}


void
commerce_store_files_close(commerce_store_files_t *files)
{
    if (files->store_lock != -1) {
        close(files->store_lock);
        files->store_lock = -1;
    }
}


bool
commerce_store_files_hold(const commerce_store_files_t *files, unsigned format)
{
    if (format > COMMERCE_FILES_FLOCK && flock(files->store_lock, LOCK_EX|LOCK_NB) != 0) {
        return false;
    }

    if (format > COMMERCE_FILES_FLOCK + 1
        && commerce_files_bytes(files->store_lock, F_WRLCK, COMMERCE_FILES_FLOCK + 1,
                                format - COMMERCE_FILES_FLOCK - 1) != 0)
    {
        return false;
    }

    return true;
}


void
commerce_store_files_release(const commerce_store_files_t *files, unsigned format)
{
    if (format > COMMERCE_FILES_FLOCK + 1) {
        (void) commerce_files_bytes(files->store_lock, F_UNLCK, COMMERCE_FILES_FLOCK + 1,
                                    format - COMMERCE_FILES_FLOCK - 1);
    }

    if (format > COMMERCE_FILES_FLOCK) {
        (void) flock(files->store_lock, LOCK_UN);
    }
}


int
commerce_store_files_remember(commerce_store_files_t *files, int data_fd)
{
    struct stat  data, lock;

    if (fstat(data_fd, &data) != 0 || stat(files->lock, &lock) != 0) {
        return COMMERCE_ERROR;
    }

    files->data_dev = data.st_dev;
    files->data_ino = data.st_ino;
    files->lock_dev = lock.st_dev;
    files->lock_ino = lock.st_ino;

    return commerce_store_files_check(files, data_fd) == COMMERCE_FILES_SAME
           ? COMMERCE_OK : COMMERCE_ERROR;
}


commerce_files_check_t
commerce_store_files_check(const commerce_store_files_t *files, int data_fd)
{
    struct stat  open_data, data, lock;

    if (fstat(data_fd, &open_data) != 0) {
        return COMMERCE_FILES_ERROR;
    }

    if (stat(files->data, &data) != 0 || stat(files->lock, &lock) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? COMMERCE_FILES_REPLACED : COMMERCE_FILES_ERROR;
    }

    if (open_data.st_dev != data.st_dev || open_data.st_ino != data.st_ino
        || data.st_dev != files->data_dev || data.st_ino != files->data_ino
        || lock.st_dev != files->lock_dev || lock.st_ino != files->lock_ino)
    {
        return COMMERCE_FILES_REPLACED;
    }

    return COMMERCE_FILES_SAME;
}


static int
commerce_files_name(commerce_store_files_t *files, const char *path)
{
    size_t  len;

    len = path == NULL ? 0 : strlen(path);

    if (len == 0 || len + sizeof("/store.lock") > PATH_MAX) {
        return COMMERCE_ERROR;
    }

    memcpy(files->path, path, len + 1);

    memcpy(files->data, path, len);
    strcpy(files->data + len, "/data.mdb");

    memcpy(files->lock, path, len);
    strcpy(files->lock + len, "/lock.mdb");

    memcpy(files->log_lock, path, len);
    strcpy(files->log_lock + len, "/log.lock");

    return COMMERCE_OK;
}


static int
commerce_files_directory(const char *path, struct stat *st, char *error, size_t size)
{
    if (stat(path, st) != 0) {
        if (errno == ENOENT) {
            snprintf(error, size, "%s does not exist: make this directory, mode 0700, "
                     "owned by the user that nginx workers run as", path);
        } else {
            snprintf(error, size, "cannot look at %s: %s", path, strerror(errno));
        }

        return COMMERCE_ERROR;
    }

    if (!S_ISDIR(st->st_mode)) {
        snprintf(error, size, "%s is not a directory", path);
        return COMMERCE_ERROR;
    }

    if (st->st_mode & (S_IWGRP|S_IWOTH)) {
        snprintf(error, size, "%s is writable by others than its owner (mode %04o): chmod 0700",
                 path, (unsigned) st->st_mode & 07777);
        return COMMERCE_ERROR;
    }

    if (commerce_files_network(path)) {
        snprintf(error, size, "%s is on a network or user-space file system, where locks and "
                 "memory maps cannot be trusted: use a local disk", path);
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static bool
commerce_files_network(const char *path)
{
    size_t         i;
    struct statfs  fs;

    /* from linux/magic.h and the file systems themselves: NFS, SMB, CIFS, SMB2, FUSE, AFS, Ceph */

    static const uint32_t  magic[] = {
        0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x5346414f, 0x00c36400
    };

    if (statfs(path, &fs) != 0) {
        return false;
    }

    for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
        if ((uint32_t) fs.f_type == magic[i]) {
            return true;
        }
    }

    return false;
}


/*
 * Files made by another user than the workers' lock the workers out: so a tool run as root becomes
 * the directory's owner before it touches anything, and whoever is not the owner is refused.
 */

static int
commerce_files_owner(const char *path, const struct stat *st, unsigned flags, char *error,
    size_t size)
{
    if (flags & COMMERCE_STORE_TOOL) {
        umask(077);

        if (geteuid() == 0 && st->st_uid != 0
            && (setegid(st->st_gid) != 0 || seteuid(st->st_uid) != 0))
        {
            snprintf(error, size, "cannot become the owner of %s (uid %u): %s", path,
                     (unsigned) st->st_uid, strerror(errno));
            return COMMERCE_ERROR;
        }
    }

    if (st->st_uid != geteuid()) {
        snprintf(error, size, "%s belongs to uid %u, but this process runs as uid %u: "
                 "run as its owner, or chown the directory and what is in it", path,
                 (unsigned) st->st_uid, (unsigned) geteuid());
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_files_lock(commerce_store_files_t *files, unsigned flags, char *error, size_t size)
{
    int          fd, create;
    char         name[PATH_MAX];
    struct stat  st;

    snprintf(name, sizeof(name), "%.*s/store.lock", (int) (PATH_MAX - sizeof("/store.lock")),
             files->path);

    create = files->exists || (flags & COMMERCE_STORE_CREATE) ? O_CREAT : 0;
    fd = open(name, O_RDWR|O_CLOEXEC|create, 0600);

    if (fd == -1 && errno == ENOENT && !create) {
        snprintf(error, size, "there is no store in %s: create it first", files->path);
        return COMMERCE_ERROR;
    }

    if (fd == -1) {
        snprintf(error, size, "cannot open %s: %s", name, strerror(errno));
        return COMMERCE_ERROR;
    }

    if ((flags & COMMERCE_STORE_ALONE ? commerce_files_alone(fd) : commerce_files_present(fd)) != 0) {
        if ((errno == EWOULDBLOCK || errno == EACCES) && (flags & COMMERCE_STORE_ALONE)) {
            snprintf(error, size, "the store in %s is in use: stop nginx and every other tool that has "
                     "it open first", files->path);

        } else if (errno == EWOULDBLOCK || errno == EACCES) {
            snprintf(error, size, "the store in %s is being restored or compacted: "
                     "try again when that is done", files->path);
        } else {
            snprintf(error, size, "cannot lock %s: %s", name, strerror(errno));
        }

        close(fd);
        return COMMERCE_ERROR;
    }

    files->store_lock = fd;

    /* a restore may have ended between the first look and the lock */

    files->exists = stat(files->data, &st) == 0;

    if (!files->exists && !(flags & COMMERCE_STORE_CREATE)) {
        snprintf(error, size, "there is no store in %s: create it first", files->path);
        commerce_store_files_close(files);
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


/* says in store.lock that we are here, and what we know */

static int
commerce_files_present(int fd)
{
    return COMMERCE_CODEC_FORMAT == COMMERCE_FILES_FLOCK
           ? flock(fd, LOCK_SH|LOCK_NB)
           : commerce_files_bytes(fd, F_RDLCK, COMMERCE_CODEC_FORMAT, 1);
}


static int
commerce_files_alone(int fd)
{
    return flock(fd, LOCK_EX|LOCK_NB) == 0 ? commerce_files_bytes(fd, F_WRLCK, 0, 0) : -1;
}


/* count 0: to the end.  Unlike a process's locks these survive a close of another descriptor */

static int
commerce_files_bytes(int fd, int type, unsigned from, unsigned count)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));

    lock.l_type = (short) type;
    lock.l_whence = SEEK_SET;
    lock.l_start = from;
    lock.l_len = count;

    return fcntl(fd, F_OFD_SETLK, &lock);
}
