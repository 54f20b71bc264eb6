/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_code.h"
#include "commerce_codec.h"
#include "commerce_imported.h"
#include "commerce_path.h"
#include "commerce_write.h"


static char commerce_imported_character(char c);
static void commerce_imported_path(commerce_path_t *key, commerce_str_t shop,
    const uint8_t hash[COMMERCE_IMPORTED_HASH]);
static void commerce_import_path(commerce_path_t *key, commerce_str_t shop, unsigned campaign,
    const uint8_t digest[32]);


const char *
commerce_imported_parse(commerce_str_t text, commerce_imported_code_t *code)
{
    char    c;
    size_t  i;

    code->len = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == '-' || text.data[i] == ' ') {
            continue;
        }

        c = commerce_imported_character(text.data[i]);

        if (c == '\0') {
            return "has a character other than letters, digits, \"_\", \".\", \"-\" and spaces";
        }

        if (code->len == COMMERCE_IMPORTED_MAX) {
            return "is longer than 64 characters";
        }

        code->text[code->len++] = c;
    }

    if (code->len == 0) {
        return "is empty";
    }

    return code->len < COMMERCE_IMPORTED_MIN ? "is shorter than 4 characters" : NULL;
}


/* upper case; '\0': none that a code may have */

static char
commerce_imported_character(char c)
{
    if (c >= 'a' && c <= 'z') {
        return (char) (c - 'a' + 'A');
    }

    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ? c : '\0';
}


int
commerce_imported_hash(commerce_keyring_t *ring, commerce_str_t shop, const commerce_imported_code_t *code,
    uint8_t hash[COMMERCE_IMPORTED_HASH])
{
    uint8_t  mac[COMMERCE_MAC_SIZE];

    if (commerce_keyring_hash(ring, shop, code->text, code->len, mac) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    memcpy(hash, mac, COMMERCE_IMPORTED_HASH);

    return COMMERCE_OK;
}


int
commerce_imported_find(commerce_reader_t *reader, commerce_keyring_t *ring, const commerce_imported_code_t *code,
    commerce_imported_t *coupon)
{
    uint8_t  hash[COMMERCE_IMPORTED_HASH];

    if (commerce_imported_hash(ring, reader->shop, code, hash) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    return commerce_imported_read(reader, hash, coupon);
}


int
commerce_imported_read(commerce_reader_t *reader, const uint8_t hash[COMMERCE_IMPORTED_HASH],
    commerce_imported_t *coupon)
{
    int              rc;
    commerce_str_t   value;
    commerce_path_t  key;

    memset(coupon, 0, sizeof(commerce_imported_t));

    commerce_imported_path(&key, reader->shop, hash);
    rc = commerce_path_get(reader, &key, &value, NULL);

    return rc == COMMERCE_OK ? commerce_imported_decode(value, coupon) : rc;
}


int
commerce_imported_decode(commerce_str_t value, commerce_imported_t *coupon)
{
    commerce_decoder_t  d;

    commerce_decode_start(&d, value);

    coupon->campaign = (unsigned) commerce_decode_varint(&d, COMMERCE_CODE_CAMPAIGN_MAX);
    coupon->serial = (uint32_t) commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);

    return coupon->campaign != 0 ? commerce_decode_finish(&d) : COMMERCE_ERROR;
}


void
commerce_imported_write(commerce_txn_t *txn, commerce_str_t shop, const uint8_t hash[COMMERCE_IMPORTED_HASH],
    const commerce_imported_t *coupon)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    if (coupon->campaign == 0 || coupon->campaign > COMMERCE_CODE_CAMPAIGN_MAX
        || coupon->serial > COMMERCE_CODE_SERIAL_MAX)
    {
        txn->failed = true;
        return;
    }

    commerce_encode_start(&e, txn->arena, 1 + 2 * COMMERCE_CODEC_VARINT);
    commerce_encode_varint(&e, coupon->campaign);
    commerce_encode_varint(&e, coupon->serial);

    commerce_imported_path(&key, shop, hash);
    commerce_path_put(txn, &key, 0, commerce_encode_finish(&e));
}


static void
commerce_imported_path(commerce_path_t *key, commerce_str_t shop, const uint8_t hash[COMMERCE_IMPORTED_HASH])
{
    commerce_path_text(key, shop, 'x', (commerce_str_t) { (const char *) hash, COMMERCE_IMPORTED_HASH });
}


int
commerce_import_read(commerce_reader_t *reader, unsigned campaign, commerce_import_t *import, uint64_t *version)
{
    int              rc;
    commerce_str_t   value;
    commerce_path_t  key;

    commerce_import_path(&key, reader->shop, campaign, import->digest);
    rc = commerce_path_get(reader, &key, &value, version);

    return rc == COMMERCE_OK ? commerce_import_decode(value, import) : rc;
}


int
commerce_import_unfinished(commerce_reader_t *reader, unsigned campaign, commerce_import_t *import)
{
    int              rc;
    uint64_t         version;
    commerce_str_t   key, value;
    commerce_path_t  prefix, after;

    commerce_path_number(&prefix, reader->shop, 'X', campaign, 4);
    after.len = 0;

    for ( ;; ) {
        rc = commerce_view_next(reader->view, commerce_path_str(&prefix), commerce_path_str(&after), &key, &value,
                                &version);

        if (rc == COMMERCE_OK && (key.len > COMMERCE_KEY_MAX || commerce_import_decode(value, import) != COMMERCE_OK)) {
            rc = COMMERCE_ERROR;
        }

        if (rc != COMMERCE_OK || import->done != import->rows) {
            return rc;
        }

        memcpy(after.data, key.data, key.len);
        after.len = key.len;
    }
}


int
commerce_import_decode(commerce_str_t value, commerce_import_t *import)
{
    const uint8_t       *digest;
    commerce_decoder_t   d;

    memset(import, 0, sizeof(commerce_import_t));
    commerce_decode_start(&d, value);

    digest = commerce_decode_bytes(&d, sizeof(import->digest));

    if (digest != NULL) {
        memcpy(import->digest, digest, sizeof(import->digest));
    }

    import->first = (uint32_t) commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);
    import->rows = commerce_decode_varint(&d, COMMERCE_CODE_SERIAL_MAX);
    import->done = commerce_decode_varint(&d, import->rows);
    import->added = commerce_decode_varint(&d, import->done);
    import->started = commerce_decode_signed(&d);

    return commerce_decode_finish(&d);
}


void
commerce_import_write(commerce_txn_t *txn, commerce_str_t shop, unsigned campaign, const commerce_import_t *import,
    uint64_t version)
{
    commerce_path_t     key;
    commerce_encoder_t  e;

    commerce_encode_start(&e, txn->arena, 1 + sizeof(import->digest) + 5 * COMMERCE_CODEC_VARINT);
    commerce_encode_bytes(&e, import->digest, sizeof(import->digest));
    commerce_encode_varint(&e, import->first);
    commerce_encode_varint(&e, import->rows);
    commerce_encode_varint(&e, import->done);
    commerce_encode_varint(&e, import->added);
    commerce_encode_signed(&e, import->started);

    commerce_import_path(&key, shop, campaign, import->digest);
    commerce_path_put(txn, &key, version, commerce_encode_finish(&e));
}


static void
commerce_import_path(commerce_path_t *key, commerce_str_t shop, unsigned campaign, const uint8_t digest[32])
{
    char  text[4 + 1 + 16];

    commerce_path_number(key, shop, 'X', campaign, 4);

    memcpy(text, key->bad ? "0000" : key->data + key->len - 4, 4);
    text[4] = '/';
    commerce_hex(digest, 8, text + 5);

    commerce_path_text(key, shop, 'X', (commerce_str_t) { text, sizeof(text) });
}
