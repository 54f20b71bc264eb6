/*
 * Copyright (C) ngx_commerce authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memmem() */
#endif

#include "commerce_log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define COMMERCE_LOG_NAPS    4
#define COMMERCE_LOG_NAP     (250 * 1000)       /* nanoseconds */
#define COMMERCE_LOG_TRIES   3
#define COMMERCE_LOG_HEAD    256                /* enough to know a line again: it has an id */
#define COMMERCE_LOG_WINDOW  (16 * 1024 * 1024)


typedef enum {
    COMMERCE_LOG_CLOSED,        /* the file ends with a newline, or is empty */
    COMMERCE_LOG_TORN,
    COMMERCE_LOG_UNKNOWN
} commerce_log_end_t;


static int commerce_log_file_reader(int fd, off_t *size);
static commerce_log_end_t commerce_log_file_end(int reader, off_t *size);
static int commerce_log_file_write(commerce_log_file_t *file, int fd, commerce_str_t lines,
    bool newline, size_t *written);
static bool commerce_log_file_close_line(commerce_log_file_t *file, int reader, off_t *size);
static bool commerce_log_file_landed_well(int reader, off_t from, commerce_str_t lines);
static bool commerce_log_file_search(int reader, off_t from, size_t window, commerce_str_t head);


void
commerce_log_file_init(commerce_log_file_t *file)
{
    atomic_init(&file->torn, false);
}


int
commerce_log_file_append(commerce_log_file_t *file, int fd, commerce_str_t lines, size_t *written)
{
    int    reader;
    bool   newline;
    off_t  size;

    reader = commerce_log_file_reader(fd, &size);
    newline = commerce_log_file_close_line(file, reader, &size);

    if (reader != -1) {
        close(reader);
    }

    return commerce_log_file_write(file, fd, lines, newline, written);
}


int
commerce_log_file_append_checked(commerce_log_file_t *file, int fd, commerce_str_t lines,
    size_t *written)
{
    int       rc, reader, error;
    off_t     size;
    bool      newline;
    unsigned  try;

    reader = commerce_log_file_reader(fd, &size);

    for (try = 0; /* void */; try++) {
        newline = commerce_log_file_close_line(file, reader, &size);
        rc = commerce_log_file_write(file, fd, lines, newline, written);

        if (rc != COMMERCE_OK || newline || reader == -1 || try == COMMERCE_LOG_TRIES
            || commerce_log_file_landed_well(reader, size, lines))
        {
            break;
        }
    }

    error = errno;

    if (reader != -1) {
        close(reader);
    }

    errno = error;

    return rc;
}


int
commerce_log_file_sync(int fd)
{
    while (fdatasync(fd) != 0) {
        if (errno == EINVAL || errno == EROFS) {
            return 0;
        }

        if (errno != EINTR) {
            return errno;
        }
    }

    return 0;
}


/* -1: no regular file, or it may not be read */

static int
commerce_log_file_reader(int fd, off_t *size)
{
    char         path[32];
    struct stat  st;

    *size = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return -1;
    }

    *size = st.st_size;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    return open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
}


/*
 * Must the next append begin with a newline?  A file that does not end with one is either torn, or
 * another process is in the middle of a write() and its size still grows.
 */

static bool
commerce_log_file_close_line(commerce_log_file_t *file, int reader, off_t *size)
{
    off_t               before;
    unsigned            nap;
    struct timespec     pause;
    commerce_log_end_t  end;

    end = reader == -1 ? COMMERCE_LOG_UNKNOWN : commerce_log_file_end(reader, size);

    for (nap = 0; end == COMMERCE_LOG_TORN && nap < COMMERCE_LOG_NAPS; nap++) {
        before = *size;
        pause = (struct timespec) { 0, COMMERCE_LOG_NAP };
        nanosleep(&pause, NULL);

        end = commerce_log_file_end(reader, size);

        if (end == COMMERCE_LOG_TORN && *size == before && atomic_load(&file->torn)) {
            break;
        }
    }

    if (end == COMMERCE_LOG_UNKNOWN) {
        return atomic_load(&file->torn);
    }

    return end == COMMERCE_LOG_TORN;
}


static commerce_log_end_t
commerce_log_file_end(int reader, off_t *size)
{
    char         last;
    struct stat  st;

    if (fstat(reader, &st) != 0) {
        return COMMERCE_LOG_UNKNOWN;
    }

    *size = st.st_size;

    if (st.st_size == 0) {
        return COMMERCE_LOG_CLOSED;
    }

    if (pread(reader, &last, 1, st.st_size - 1) != 1) {
        return COMMERCE_LOG_UNKNOWN;
    }

    return last == '\n' ? COMMERCE_LOG_CLOSED : COMMERCE_LOG_TORN;
}


/* one call, so that other writers' lines stay outside; a short one means: there is no more room */

static int
commerce_log_file_write(commerce_log_file_t *file, int fd, commerce_str_t lines, bool newline,
    size_t *written)
{
    int           error;
    ssize_t       n;
    struct iovec  iov[2];

    *written = 0;
    iov[0] = (struct iovec) { (void *) "\n", 1 };
    iov[1] = (struct iovec) { (void *) lines.data, lines.len };

    do {
        n = writev(fd, newline ? iov : iov + 1, newline ? 2 : 1);
    } while (n == -1 && errno == EINTR);

    error = n == -1 ? errno : ENOSPC;

    if (n > 0) {
        *written = (size_t) n - (newline ? 1 : 0);
    }

    if (*written == lines.len) {
        atomic_store(&file->torn, false);
        return COMMERCE_OK;
    }

    if (n > 0) {
        atomic_store(&file->torn, *written > 0 && lines.data[*written - 1] != '\n');
    }

    errno = error;

    return COMMERCE_ERROR;
}


/*
 * The file ended with a newline at `from` when we looked.  If nobody came in between, our lines are
 * right there; otherwise they are further on, and what stands before them must end a line too.
 */

static bool
commerce_log_file_landed_well(int reader, off_t from, commerce_str_t lines)
{
    char         head[COMMERCE_LOG_HEAD];
    size_t       len;
    struct stat  st;

    len = lines.len < sizeof(head) ? lines.len : sizeof(head);

    if (pread(reader, head, len, from) == (ssize_t) len && memcmp(head, lines.data, len) == 0) {
        return true;
    }

    if (fstat(reader, &st) != 0 || st.st_size <= from || st.st_size - from > COMMERCE_LOG_WINDOW) {
        return false;
    }

    return commerce_log_file_search(reader, from, (size_t) (st.st_size - from),
                                    (commerce_str_t) { lines.data, len });
}


static bool
commerce_log_file_search(int reader, off_t from, size_t window, commerce_str_t head)
{
    bool      well;
    char     *buffer, *p;
    ssize_t   n;

    buffer = malloc(window);
    if (buffer == NULL) {
        return false;
    }

    well = false;
    n = pread(reader, buffer, window, from);

    if (n > 0) {
        p = memmem(buffer, (size_t) n, head.data, head.len);
        well = p != NULL && p > buffer && p[-1] == '\n';
    }

    free(buffer);

    return well;
}
