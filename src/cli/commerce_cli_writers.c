/*
 * Copyright (C) ngx_commerce authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memmem() */
#endif

#include <stdlib.h>

#include "../store/commerce_log.h"
#include "commerce_cli_writers.h"


struct commerce_cli_writer_s {
    char      *name;
    size_t     name_len;
    char       chain[COMMERCE_CLI_CHAIN];
    bool       chained;                 /* chain is known */
    bool       older;                   /* its chain is of SHA-256, as builds before BLAKE2b made them */
    bool       sure;                    /* which of both it is: a line has fitted */
    uint64_t   last, lines, lost;
    uint8_t   *seen;                    /* a bit for each seq */
    size_t     seen_size;
};


static int writer_fits(commerce_cli_writers_t *writers, const commerce_cli_writer_t *writer, commerce_str_t body,
    commerce_str_t chain);
static uint64_t writer_missing(const commerce_cli_writer_t *writer, uint64_t *first);


int
commerce_cli_writers_open(commerce_cli_t *cli, commerce_cli_writers_t *writers)
{
    memset(writers, 0, sizeof(commerce_cli_writers_t));

    writers->cli = cli;
    writers->digest = EVP_MD_CTX_new();

    return writers->digest != NULL ? COMMERCE_CLI_OK : commerce_cli_fail(cli, "out of memory");
}


void
commerce_cli_writers_close(commerce_cli_writers_t *writers)
{
    size_t  i;

    for (i = 0; i < writers->count; i++) {
        free(writers->list[i].name);
        free(writers->list[i].seen);
    }

    free(writers->list);
    EVP_MD_CTX_free(writers->digest);
}


commerce_cli_writer_t *
commerce_cli_writer(commerce_cli_writers_t *writers, commerce_str_t name)
{
    size_t                  i, room;
    commerce_cli_writer_t  *list, *writer;

    for (i = 0; i < writers->count; i++) {
        writer = &writers->list[(writers->current + i) % writers->count];

        if (writer->name_len == name.len && memcmp(writer->name, name.data, name.len) == 0) {
            writers->current = (size_t) (writer - writers->list);
            return writer;
        }
    }

    if (writers->count == writers->room) {
        room = writers->room == 0 ? 16 : writers->room * 2;
        list = realloc(writers->list, room * sizeof(commerce_cli_writer_t));

        if (list == NULL) {
            commerce_cli_fail(writers->cli, "out of memory");
            return NULL;
        }

        writers->list = list;
        writers->room = room;
    }

    writer = &writers->list[writers->count];
    memset(writer, 0, sizeof(commerce_cli_writer_t));

    writer->name = malloc(name.len);

    if (writer->name == NULL) {
        commerce_cli_fail(writers->cli, "out of memory");
        return NULL;
    }

    memcpy(writer->name, name.data, name.len);
    writer->name_len = name.len;
    writers->current = writers->count++;

    return writer;
}


int
commerce_cli_writer_sequence(commerce_cli_writers_t *writers, commerce_cli_writer_t *writer, uint64_t seq, bool *again)
{
    size_t    size;
    uint8_t  *seen;

    if (seq / 8 >= writer->seen_size) {
        size = seq / 8 * 2 + 1024;
        seen = seq / 8 < SIZE_MAX / 4 ? realloc(writer->seen, size) : NULL;

        if (seen == NULL) {
            return commerce_cli_fail(writers->cli, "out of memory");
        }

        memset(seen + writer->seen_size, 0, size - writer->seen_size);
        writer->seen = seen;
        writer->seen_size = size;
    }

    *again = (writer->seen[seq / 8] & 1 << seq % 8) != 0;
    writer->seen[seq / 8] |= (uint8_t) (1 << seq % 8);

    if (!*again) {
        writer->lines++;
    }

    if (seq > writer->last) {
        writer->last = seq;
    }

    return COMMERCE_CLI_OK;
}


/* a writer keeps to one hash; of a log that begins in the middle of a chain, the first line cannot be judged */
int
commerce_cli_writer_chain(commerce_cli_writers_t *writers, commerce_cli_writer_t *writer, commerce_str_t body,
    commerce_str_t chain, commerce_cli_chain_t *result)
{
    int  rc;

    if (!writer->chained) {
        memset(writer->chain, '0', COMMERCE_CLI_CHAIN);
    }

    rc = writer_fits(writers, writer, body, chain);

    if (rc == COMMERCE_ABSENT && !writer->chained) {
        writer->older = true;
        rc = writer_fits(writers, writer, body, chain);
    }

    if (rc == COMMERCE_ABSENT && writer->chained && !writer->sure) {
        writer->older = !writer->older;
        rc = writer_fits(writers, writer, body, chain);
    }

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_fail(writers->cli, "the log's hash failed");
    }

    if (rc == COMMERCE_OK) {
        writer->sure = true;
        *result = COMMERCE_CLI_CHAIN_HOLDS;

    } else {
        *result = writer->chained ? COMMERCE_CLI_CHAIN_BREAKS : COMMERCE_CLI_CHAIN_BEGINS;
    }

    memcpy(writer->chain, chain.data, COMMERCE_CLI_CHAIN);
    writer->chained = true;

    return COMMERCE_CLI_OK;
}


static int
writer_fits(commerce_cli_writers_t *writers, const commerce_cli_writer_t *writer, commerce_str_t body,
    commerce_str_t chain)
{
    char           hex[COMMERCE_CLI_CHAIN];
    uint8_t        digest[EVP_MAX_MD_SIZE];
    const EVP_MD  *hash;

    hash = EVP_get_digestbyname(writer->older ? "SHA256" : COMMERCE_LOG_CHAIN_HASH);

    if (hash == NULL
        || EVP_DigestInit_ex(writers->digest, hash, NULL) != 1
        || EVP_DigestUpdate(writers->digest, writer->chain, COMMERCE_CLI_CHAIN) != 1
        || EVP_DigestUpdate(writers->digest, body.data, body.len) != 1
        || EVP_DigestUpdate(writers->digest, "}", 1) != 1
        || EVP_DigestFinal_ex(writers->digest, digest, NULL) != 1)
    {
        return COMMERCE_ERROR;
    }

    commerce_hex(digest, COMMERCE_CLI_CHAIN / 2, hex);

    return memcmp(hex, chain.data, COMMERCE_CLI_CHAIN) == 0 ? COMMERCE_OK : COMMERCE_ABSENT;
}


int
commerce_cli_writer_lost(commerce_cli_writers_t *writers, commerce_str_t teller, int64_t epoch, int64_t worker,
    uint64_t lines)
{
    int                     len;
    char                    name[COMMERCE_LOG_LINE_EXTRA];
    const char             *end;
    commerce_cli_writer_t  *writer;
    static const char       mark[] = "\",\"epoch\":";

    end = memmem(teller.data, teller.len, mark, sizeof(mark) - 1);
    len = snprintf(name, sizeof(name), "%.*s%s%lld,\"worker\":%lld", (int) (end != NULL ? end - teller.data : 0),
                   teller.data, mark, (long long) epoch, (long long) worker);

    if (len < 0 || (size_t) len >= sizeof(name)) {
        return COMMERCE_CLI_OK;         /* nobody has such a name */
    }

    writer = commerce_cli_writer(writers, (commerce_str_t) { name, (size_t) len });

    if (writer == NULL) {
        return COMMERCE_CLI_FAILED;
    }

    writer->lost += lines;

    return COMMERCE_CLI_OK;
}


uint64_t
commerce_cli_writers_missing(const commerce_cli_writers_t *writers, FILE *out)
{
    size_t                        i;
    uint64_t                      first, missing, all;
    const commerce_cli_writer_t  *writer;

    all = 0;

    for (i = 0; i < writers->count; i++) {
        writer = &writers->list[i];
        missing = writer_missing(writer, &first);

        if (missing != 0) {
            fprintf(out, "writer \"node\":\"%.*s: %llu of the lines %llu to %llu are missing\n",
                    (int) writer->name_len, writer->name, (unsigned long long) missing,
                    (unsigned long long) first, (unsigned long long) writer->last);
        }

        all += missing;
    }

    return all;
}


/* a writer's lines are 1, 2, 3, ...; what is missing before the first one is in a file that was not given */
static uint64_t
writer_missing(const commerce_cli_writer_t *writer, uint64_t *first)
{
    uint64_t  missing;

    if (writer->lines == 0) {
        return 0;                       /* the log only tells of it */
    }

    for (*first = 1; (writer->seen[*first / 8] & 1 << *first % 8) == 0; (*first)++) { /* void */ }

    missing = writer->last - *first + 1 - writer->lines;

    return missing > writer->lost ? missing - writer->lost : 0;
}
