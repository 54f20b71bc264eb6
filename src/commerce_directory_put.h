/*
 * Copyright (C) ngx_commerce authors
 *
 * An entry (commerce_directory_json.h) becomes a record: names become numbers, and what it says is judged.  Who is
 * named must be there, uplines must not lead back, no tree may be deeper than allowed, one name is one person.
 *
 * The transaction compares whatever the judgement rests on: applied, it still holds.  This is for entries one by one;
 * an import of many (cli/commerce_cli_import.h) judges all of them together by the same rules.
 *
 * Retail stores are named freely: one that is named need not be there.
 */

#ifndef COMMERCE_DIRECTORY_PUT_H
#define COMMERCE_DIRECTORY_PUT_H

#include "commerce_directory_entry.h"
#include "commerce_lineage.h"

typedef struct {
    commerce_reader_t         *reader;
    commerce_txn_t            *txn;
    commerce_tiers_t           tiers;
    commerce_time_t            now;
    commerce_campaign_say_pt   say;         /* a sentence for everything that is wrong */
    void                      *data;
} commerce_directory_put_t;

typedef enum {
    COMMERCE_DIRECTORY_UNCHANGED,           /* the record says this already: nothing to write */
    COMMERCE_DIRECTORY_CREATED,
    COMMERCE_DIRECTORY_CHANGED,
    COMMERCE_DIRECTORY_REMOVED,
    COMMERCE_DIRECTORY_REFUSED,             /* said */
    COMMERCE_DIRECTORY_ABSENT,              /* remove: there is none */
    COMMERCE_DIRECTORY_FULL,                /* all numbers are given out */
    COMMERCE_DIRECTORY_FAILED               /* a record cannot be read, or memory ran out */
} commerce_directory_outcome_t;

/*
 * *number (may be NULL): the record's.  A person's entry->since is completed: a status that changes without it does so
 * now, and of the active it is not kept unless it is said.
 */
commerce_directory_outcome_t commerce_directory_put(const commerce_directory_put_t *put,
    commerce_directory_entry_t *entry, uint64_t *number);

/*
 * Only landings and retail stores: nothing leads to a retail store but its name, and nothing but tokens to a landing.
 * Persons, groups, rooms and channels stand in orders, bindings and tokens for ever: REFUSED, said.
 */
commerce_directory_outcome_t commerce_directory_remove(const commerce_directory_put_t *put,
    commerce_directory_kind_t kind, commerce_str_t id);

/* since when the status is what it is; before: NULL when new; said: by the entry, 0 = it does not say */
commerce_time_t commerce_directory_since(commerce_person_status_t status, commerce_time_t said,
    const commerce_person_t *before, commerce_time_t now);

#endif
