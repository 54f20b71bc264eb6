/*
 * Copyright (C) ngx_commerce authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "commerce_file.h"


static int commerce_file_read_fd(int fd, size_t max, commerce_file_t *file, char *error, size_t size);


int
commerce_file_read(const char *path, size_t max, commerce_file_t *file, char *error, size_t size)
{
    int  fd, rc;

    memset(file, 0, sizeof(commerce_file_t));

    /* not to hang on a pipe that stands in the file's place */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        snprintf(error, size, "cannot be opened: %s", strerror(errno));
        return COMMERCE_ERROR;
    }

    rc = commerce_file_read_fd(fd, max, file, error, size);
    close(fd);

    if (rc != COMMERCE_OK) {
        commerce_file_free(file);
    }

    return rc;
}


static int
commerce_file_read_fd(int fd, size_t max, commerce_file_t *file, char *error, size_t size)
{
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        snprintf(error, size, "is not a regular file");
        return COMMERCE_ERROR;
    }

    file->mode = (unsigned) st.st_mode & 07777;

    if ((uint64_t) st.st_size > max) {
        snprintf(error, size, "is longer than %zu bytes", max);
        return COMMERCE_ERROR;
    }

    file->text = calloc(1, max + 1);
    if (file->text == NULL) {
        snprintf(error, size, "cannot be read: no memory");
        return COMMERCE_ERROR;
    }

    do {
        n = read(fd, file->text + file->len, max - file->len);

        if (n == -1 && errno != EINTR) {
            snprintf(error, size, "cannot be read: %s", strerror(errno));
            return COMMERCE_ERROR;
        }

        file->len += (n > 0) ? (size_t) n : 0;

    } while (n != 0);

    return COMMERCE_OK;
}


int
commerce_file_private(const commerce_file_t *file, char *error, size_t size)
{
    if ((file->mode & 077) == 0) {
        return COMMERCE_OK;
    }

    snprintf(error, size, "has mode %04o: its group and others must have no access (chmod 600)",
             file->mode);

    return COMMERCE_ERROR;
}


void
commerce_file_free(commerce_file_t *file)
{
    if (file->text != NULL) {
        OPENSSL_cleanse(file->text, file->len);
        free(file->text);
        file->text = NULL;
        file->len = 0;
    }
}
