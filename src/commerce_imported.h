/*
 * Copyright (C) ngx_commerce authors
 *
 * Codes made elsewhere: whatever another system printed, imported as a table.
 *
 * 4 to 64 letters and digits, "_" and "."; "-" and spaces are skipped, lower case is upper case.  Letters that look
 * alike stay different: nobody knows which ones the other system uses.
 *
 * The store holds a keyed hash of each code, not the code: who steals the store's file without the keyring cannot
 * read or try out codes.  The key is that of commerce_keyring_hash(), which lasts as long as the keyring.
 * A found record names the coupon, a campaign's serial as any other; what it lives through is commerce_coupon.h's.
 */

#ifndef COMMERCE_IMPORTED_H
#define COMMERCE_IMPORTED_H

#include "commerce_record.h"
#include "commerce_keyring.h"

#define COMMERCE_IMPORTED_MIN   4
#define COMMERCE_IMPORTED_MAX   64
#define COMMERCE_IMPORTED_HASH  12      /* bytes: by chance two of 10^8 codes meet once in 10^13 stores */

typedef struct {
    char      text[COMMERCE_IMPORTED_MAX];
    unsigned  len;
} commerce_imported_code_t;

/* NULL, or why this can be no code: a piece of a sentence */
const char *commerce_imported_parse(commerce_str_t text, commerce_imported_code_t *code);

int commerce_imported_hash(commerce_keyring_t *ring, commerce_str_t shop, const commerce_imported_code_t *code,
    uint8_t hash[COMMERCE_IMPORTED_HASH]);

/* the coupon behind a code */
typedef struct {
    unsigned  campaign;
    uint32_t  serial;
} commerce_imported_t;

int commerce_imported_read(commerce_reader_t *reader, const uint8_t hash[COMMERCE_IMPORTED_HASH],
    commerce_imported_t *coupon);
/* the transaction applies only while nobody has this code */
void commerce_imported_write(commerce_txn_t *txn, commerce_str_t shop, const uint8_t hash[COMMERCE_IMPORTED_HASH],
    const commerce_imported_t *coupon);
int commerce_imported_decode(commerce_str_t value, commerce_imported_t *coupon);

/* hash, then read */
int commerce_imported_find(commerce_reader_t *reader, commerce_keyring_t *ring, const commerce_imported_code_t *code,
    commerce_imported_t *coupon);

/*
 * How far the import of a file into a campaign has come.  Rows are dealt with in the order of their hashes, which is
 * the same whenever the same file is read: the n-th one has serial first + n, whether it becomes a coupon or repeats
 * one.  So a store that was restored from before the import, and told of it by the log, gives each code the coupon
 * that it had.
 */
typedef struct {
    uint8_t          digest[32];        /* SHA-256 of the file */
    uint32_t         first;
    uint64_t         rows;              /* usable ones in the file */
    uint64_t         done;              /* dealt with, durably */
    uint64_t         added;             /* of those, became coupons; the others repeat one, or were there already */
    commerce_time_t  started;
} commerce_import_t;

/* import->digest says which file */
int commerce_import_read(commerce_reader_t *reader, unsigned campaign, commerce_import_t *import, uint64_t *version);
void commerce_import_write(commerce_txn_t *txn, commerce_str_t shop, unsigned campaign,
    const commerce_import_t *import, uint64_t version);
/* one that is not finished, of whatever file */
int commerce_import_unfinished(commerce_reader_t *reader, unsigned campaign, commerce_import_t *import);
int commerce_import_decode(commerce_str_t value, commerce_import_t *import);

#endif
