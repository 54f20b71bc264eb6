/*
 * Copyright (C) ngx_commerce authors
 *
 * Files of keys and the like, read whole.
 *
 * What is wrong is told as the end of a sentence that begins with the file's name: "cannot be opened: Permission
 * denied".  It never holds anything of what stands in the file.  error may be NULL with size 0.
 */

#ifndef COMMERCE_FILE_H
#define COMMERCE_FILE_H

#include "commerce.h"

typedef struct {
    char      *text;        /* a NUL follows */
    size_t     len;
    unsigned   mode;        /* permission bits */
} commerce_file_t;

/* a regular file of at most max bytes; COMMERCE_ERROR and an empty file otherwise */
int commerce_file_read(const char *path, size_t max, commerce_file_t *file, char *error, size_t size);

/* COMMERCE_ERROR where its group or others have any access */
int commerce_file_private(const commerce_file_t *file, char *error, size_t size);

/* wipes it first */
void commerce_file_free(commerce_file_t *file);

#endif
