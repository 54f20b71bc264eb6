/*
 * Copyright (C) ngx_commerce authors
 *
 * Values of a campaign's file, and what to say about wrong ones.
 */

#include <stdarg.h>
#include <stdio.h>

#include "commerce_campaign_parse.h"


#define COMMERCE_CAMPAIGN_SENTENCE  512


static void commerce_campaign_show(commerce_json_t *node, char out[COMMERCE_CAMPAIGN_SHOWN + 8]);


int
commerce_campaign_read_uint(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, int64_t min, int64_t max, const char *unit, int64_t *value)
{
    char            allowed[96];
    uint64_t        number;
    commerce_str_t  text;

    if (!commerce_json_is_number(node)
        || commerce_json_text(node, &text) != COMMERCE_R(OK)
        || commerce_parse_uint(text, (uint64_t) max, &number) != COMMERCE_OK
        || (int64_t) number < min)
    {
        snprintf(allowed, sizeof(allowed), "a whole number of %s from %lld to %lld", unit,
                 (long long) min, (long long) max);
        return commerce_campaign_wrong(parser, path, node, allowed);
    }

    *value = (int64_t) number;

    return COMMERCE_OK;
}


int
commerce_campaign_read_text(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, const char *allowed, commerce_str_t *value)
{
    if (commerce_json_is_number(node) || commerce_json_text(node, value) != COMMERCE_R(OK)) {
        return commerce_campaign_wrong(parser, path, node, allowed);
    }

    return COMMERCE_OK;
}


int
commerce_campaign_read_id(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_str_t *value)
{
    static const char  allowed[] = "a string of 1 to 128 bytes without control characters";

    if (commerce_campaign_read_text(parser, path, node, allowed, value) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    return commerce_id_valid(*value) ? COMMERCE_OK
                                     : commerce_campaign_wrong(parser, path, node, allowed);
}


int
commerce_campaign_read_bool(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, bool *value)
{
    commerce_str_t  text;

    /* a string "true" is none */

    if (commerce_json_text(node, &text) == COMMERCE_R(OK)
        || (!commerce_json_is(node, commerce_string("true"))
            && !commerce_json_is(node, commerce_string("false"))))
    {
        return commerce_campaign_wrong(parser, path, node, "true or false");
    }

    *value = commerce_json_is(node, commerce_string("true"));

    return COMMERCE_OK;
}


int
commerce_campaign_read_word(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, const char *const *words, const char *allowed, unsigned *which)
{
    commerce_str_t  text;

    if (commerce_campaign_read_text(parser, path, node, allowed, &text) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    for (*which = 0; words[*which] != NULL; (*which)++) {
        if (commerce_equal(text, commerce_cstr(words[*which]))) {
            return COMMERCE_OK;
        }
    }

    return commerce_campaign_wrong(parser, path, node, allowed);
}


int
commerce_campaign_wrong(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, const char *allowed)
{
    char  value[COMMERCE_CAMPAIGN_SHOWN + 8];

    commerce_campaign_show(node, value);

    return commerce_campaign_say(parser, path, "is %s; allowed is %s", value, allowed);
}


/* a sentence about a member; path NULL: about the whole */

int
commerce_campaign_say(commerce_campaign_parser_t *parser, const char *path, const char *format,
    ...)
{
    int      n;
    char     sentence[COMMERCE_CAMPAIGN_SENTENCE];
    va_list  args;

    n = path != NULL ? snprintf(sentence, sizeof(sentence), "member \"%s\" ", path) : 0;

    va_start(args, format);
    vsnprintf(sentence + n, sizeof(sentence) - (size_t) n, format, args);
    va_end(args);

    parser->wrong++;
    parser->say(parser->data, sentence);

    return COMMERCE_ERROR;
}


static void
commerce_campaign_show(commerce_json_t *node, char out[COMMERCE_CAMPAIGN_SHOWN + 8])
{
    char            text[COMMERCE_CAMPAIGN_SHOWN + 8];
    commerce_str_t  value;

    if (commerce_json_is_object(node)) {
        snprintf(out, COMMERCE_CAMPAIGN_SHOWN + 8, "an object");

    } else if (commerce_json_is_array(node)) {
        snprintf(out, COMMERCE_CAMPAIGN_SHOWN + 8, "a list of %u", commerce_json_count(node));

    } else if (commerce_json_text(node, &value) != COMMERCE_R(OK)) {
        snprintf(out, COMMERCE_CAMPAIGN_SHOWN + 8, "%s",
                 commerce_json_is(node, commerce_string("true")) ? "true"
                 : commerce_json_is(node, commerce_string("false")) ? "false" : "null");

    } else if (commerce_json_is_number(node)) {
        commerce_campaign_print(value, out);

    } else {
        commerce_campaign_print(value, text);
        out[0] = '"';
        memcpy(out + 1, text, strlen(text));
        memcpy(out + 1 + strlen(text), "\"", 2);
    }
}


/* a sentence goes to a terminal or a log: no control characters, no end in sight */

void
commerce_campaign_print(commerce_str_t text, char out[COMMERCE_CAMPAIGN_SHOWN + 8])
{
    size_t  i, len;

    len = text.len <= COMMERCE_CAMPAIGN_SHOWN ? text.len : COMMERCE_CAMPAIGN_SHOWN;

    for (i = 0; i < len; i++) {
        out[i] = ((uint8_t) text.data[i] >= 0x20 && (uint8_t) text.data[i] < 0x7f)
                 ? text.data[i] : '?';
    }

    memcpy(out + len, text.len > len ? "..." : "", text.len > len ? 4 : 1);
}
