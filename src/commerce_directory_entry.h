/*
 * Copyright (C) ngx_commerce authors
 *
 * Records of the directory as entries (commerce_directory_json.h): numbers become ids.
 */

#ifndef COMMERCE_DIRECTORY_ENTRY_H
#define COMMERCE_DIRECTORY_ENTRY_H

#include "commerce_directory_json.h"
#include "commerce_record.h"

/*
 * The record of this kind and id.  COMMERCE_OK, COMMERCE_ABSENT, COMMERCE_ERROR: it, or one that it names, cannot be
 * read, or is not there.  *version (may be NULL) is what a later compare needs; texts live in the reader's arena.
 */
int commerce_directory_entry_read(commerce_reader_t *reader, commerce_directory_kind_t kind, commerce_str_t id,
    commerce_directory_entry_t *entry, uint64_t *version);

/* the kind of records (commerce_record.h) whose names are the ids of all entries of this kind, in order */
char commerce_directory_entry_index(commerce_directory_kind_t kind);

#endif
