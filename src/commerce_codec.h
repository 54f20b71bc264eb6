/*
 * Copyright (C) ngx_commerce authors
 *
 * The bytes of records: a format byte, then fields without names in a fixed order.
 *
 * A newer format only adds fields at the end of a record.  A record is written in the oldest format that
 * holds it: fields that a newer one added are written, after commerce_encode_format(), only if one of them
 * has something to say.  Readers take them from d->format on, and give defaults before.  So both
 * generations of a binary upgrade read what either wrote, until something really needs the newer format;
 * the store keeps such records back while an older generation lives (commerce_store.h).
 *
 *   u8, u32, u64   little endian, fixed width
 *   varint         7 bits per byte, low first; signed numbers as zigzag
 *   text           varint length, then the bytes: at most COMMERCE_ID_MAX, on both sides
 *
 * Both sides remember the first failure, so that a codec is a plain list of fields: after it
 * writing adds nothing and reading gives zeros.  A reader never looks past the end, whatever the
 * bytes are; enumerations and counts are checked against what the caller allows.  Strings that
 * are read point into the record.
 */

#ifndef COMMERCE_CODEC_H
#define COMMERCE_CODEC_H

#include "commerce.h"

#ifndef COMMERCE_CODEC_FORMAT           /* ci/build --older: a build of the generation before */
#define COMMERCE_CODEC_FORMAT  3        /* the newest that this build reads and writes */
#endif
#define COMMERCE_CODEC_VARINT  10       /* bytes of the longest one */

/* what a text of this length takes at most */
#define commerce_codec_room(text)  ((text).len + COMMERCE_CODEC_VARINT)

typedef struct {
    uint8_t  *start, *pos, *end;
    bool      failed;
} commerce_encoder_t;

typedef struct {
    const uint8_t  *pos, *end;
    unsigned        format;
    bool            failed;
} commerce_decoder_t;

/* room: an upper bound of the record's bytes, format byte included */
void commerce_encode_start(commerce_encoder_t *e, commerce_arena_t *arena, size_t room);
/* what follows needs this format: the record is of it; one that this build cannot read fails */
void commerce_encode_format(commerce_encoder_t *e, unsigned format);
void commerce_encode_u8(commerce_encoder_t *e, unsigned value);
void commerce_encode_u32(commerce_encoder_t *e, uint32_t value);
void commerce_encode_u64(commerce_encoder_t *e, uint64_t value);
void commerce_encode_varint(commerce_encoder_t *e, uint64_t value);
void commerce_encode_signed(commerce_encoder_t *e, int64_t value);
void commerce_encode_text(commerce_encoder_t *e, commerce_str_t text);
void commerce_encode_bytes(commerce_encoder_t *e, const uint8_t *bytes, size_t len);
/* the record; data is NULL when anything failed */
commerce_str_t commerce_encode_finish(commerce_encoder_t *e);

/* reads the format byte into d->format */
void commerce_decode_start(commerce_decoder_t *d, commerce_str_t value);
uint64_t commerce_decode_varint(commerce_decoder_t *d, uint64_t max);
int64_t commerce_decode_signed(commerce_decoder_t *d);
commerce_str_t commerce_decode_text(commerce_decoder_t *d);
/* COMMERCE_ERROR when anything failed, and when bytes are left over */
int commerce_decode_finish(const commerce_decoder_t *d);


/* a page view decodes a buyer: what that needs is worth a few bytes of code at each use */

static inline const uint8_t *
commerce_decode_bytes(commerce_decoder_t *d, size_t len)
{
    const uint8_t  *p;

    if (d->failed || (size_t) (d->end - d->pos) < len) {
        d->failed = true;
        return NULL;
    }

    p = d->pos;
    d->pos += len;

    return p;
}


static inline uint32_t
commerce_load_u32(const uint8_t *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}


static inline uint64_t
commerce_load_u64(const uint8_t *p)
{
    return commerce_load_u32(p) | (uint64_t) commerce_load_u32(p + 4) << 32;
}


/* 0..max; anything else fails */

static inline unsigned
commerce_decode_u8(commerce_decoder_t *d, unsigned max)
{
    const uint8_t  *p;

    p = commerce_decode_bytes(d, 1);

    if (p == NULL || *p > max) {
        d->failed = true;
        return 0;
    }

    return *p;
}

#endif
