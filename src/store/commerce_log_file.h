/*
 * Copyright (C) ngx_commerce authors
 *
 * Appending to the log's file.  Private to the log.
 *
 * The descriptor may be one for writing only, shared with other processes (nginx's logs are): its
 * offset means nothing, and to look at the file's end it is opened again for reading by way of
 * /proc/self/fd.  Where that is not allowed, only torn lines of our own are known and closed.
 */

#ifndef COMMERCE_LOG_FILE_H
#define COMMERCE_LOG_FILE_H

#include "../commerce.h"

#include <stdatomic.h>

typedef struct {
    atomic_bool  torn;          /* the last append of this process stopped in the middle */
} commerce_log_file_t;

void commerce_log_file_init(commerce_log_file_t *file);

/* whole lines; COMMERCE_ERROR with errno, `written` tells how much of them is in the file */
int commerce_log_file_append(commerce_log_file_t *file, int fd, commerce_str_t lines,
    size_t *written);

/* the same, and makes sure that the first line did not land behind somebody's torn one */
int commerce_log_file_append_checked(commerce_log_file_t *file, int fd, commerce_str_t lines,
    size_t *written);

/* fdatasync; 0 or errno.  What cannot be synced (a pipe) needs not be. */
int commerce_log_file_sync(int fd);

#endif
