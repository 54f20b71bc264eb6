/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_codec.h"


static uint8_t *commerce_encode_take(commerce_encoder_t *e, size_t len);


void
commerce_encode_start(commerce_encoder_t *e, commerce_arena_t *arena, size_t room)
{
    e->start = arena->alloc(arena->owner, room);
    e->pos = e->start;
    e->failed = (e->start == NULL);
    e->end = e->failed ? NULL : e->start + room;

    commerce_encode_u8(e, 1);
}


void
commerce_encode_format(commerce_encoder_t *e, unsigned format)
{
    if (format > COMMERCE_CODEC_FORMAT) {
        e->failed = true;
    }

    if (!e->failed && *e->start < format) {
        *e->start = (uint8_t) format;
    }
}


void
commerce_encode_u8(commerce_encoder_t *e, unsigned value)
{
    uint8_t  *p;

    p = commerce_encode_take(e, 1);

    if (p != NULL) {
        *p = (uint8_t) value;
    }
}


void
commerce_encode_u32(commerce_encoder_t *e, uint32_t value)
{
    value = htole32(value);
    commerce_encode_bytes(e, (const uint8_t *) &value, sizeof(value));
}


void
commerce_encode_u64(commerce_encoder_t *e, uint64_t value)
{
    value = htole64(value);
    commerce_encode_bytes(e, (const uint8_t *) &value, sizeof(value));
}


void
commerce_encode_varint(commerce_encoder_t *e, uint64_t value)
{
    uint8_t  *p, *last;

    /* as many bytes as seven bits each take: at most ten, and one for zero */

    for (p = e->pos, last = e->end; p < last && value >= 0x80; value >>= 7) {
        *p++ = (uint8_t) (value | 0x80);
    }

    if (e->failed || p == last) {
        e->failed = true;
        return;
    }

    *p++ = (uint8_t) value;
    e->pos = p;
}


void
commerce_encode_signed(commerce_encoder_t *e, int64_t value)
{
    commerce_encode_varint(e, ((uint64_t) value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}


void
commerce_encode_text(commerce_encoder_t *e, commerce_str_t text)
{
    /* what the other side would refuse must not be written */

    if (text.len > COMMERCE_ID_MAX) {
        e->failed = true;
        return;
    }

    commerce_encode_varint(e, text.len);
    commerce_encode_bytes(e, (const uint8_t *) text.data, text.len);
}


void
commerce_encode_bytes(commerce_encoder_t *e, const uint8_t *bytes, size_t len)
{
    uint8_t  *p;

    p = commerce_encode_take(e, len);

    if (p != NULL && len != 0) {
        memcpy(p, bytes, len);
    }
}


commerce_str_t
commerce_encode_finish(commerce_encoder_t *e)
{
    if (e->failed) {
        return (commerce_str_t) { NULL, 0 };
    }

    return (commerce_str_t) { (const char *) e->start, (size_t) (e->pos - e->start) };
}


void
commerce_decode_start(commerce_decoder_t *d, commerce_str_t value)
{
    d->pos = (const uint8_t *) value.data;
    d->end = value.len != 0 ? d->pos + value.len : d->pos;
    d->format = value.len != 0 ? *d->pos : 0;
    d->failed = (d->format == 0 || d->format > COMMERCE_CODEC_FORMAT);

    if (!d->failed) {
        d->pos++;
    }
}


uint64_t
commerce_decode_varint(commerce_decoder_t *d, uint64_t max)
{
    uint8_t   byte;
    unsigned  shift;
    uint64_t  value;

    value = 0;

    for (shift = 0; shift < 64 && !d->failed && d->pos < d->end; shift += 7) {
        byte = *d->pos++;

        /* the tenth byte has room for one bit */

        if (shift == 63 && byte > 1) {
            break;
        }

        value |= (uint64_t) (byte & 0x7f) << shift;

        if (byte < 0x80) {
            if (value > max) {
                break;
            }

            return value;
        }
    }

    d->failed = true;

    return 0;
}


int64_t
commerce_decode_signed(commerce_decoder_t *d)
{
    uint64_t  value;

    value = commerce_decode_varint(d, UINT64_MAX);

    return (int64_t) (value >> 1 ^ (0 - (value & 1)));
}


commerce_str_t
commerce_decode_text(commerce_decoder_t *d)
{
    size_t          len;
    const uint8_t  *p;

    len = (size_t) commerce_decode_varint(d, COMMERCE_ID_MAX);
    p = commerce_decode_bytes(d, len);

    if (p == NULL || len == 0) {
        return commerce_string("");
    }

    return (commerce_str_t) { (const char *) p, len };
}


int
commerce_decode_finish(const commerce_decoder_t *d)
{
    return d->failed || d->pos != d->end ? COMMERCE_ERROR : COMMERCE_OK;
}


static uint8_t *
commerce_encode_take(commerce_encoder_t *e, size_t len)
{
    uint8_t  *p;

    if (e->failed || (size_t) (e->end - e->pos) < len) {
        e->failed = true;
        return NULL;
    }

    p = e->pos;
    e->pos += len;

    return p;
}
