/*
 * Copyright (C) ngx_commerce authors
 */

#include <stdio.h>

#include "commerce_campaign_parse.h"


#define COMMERCE_CAMPAIGN_FEN_RANGE    "a whole number of fen from 1 to 100000000000000"
#define COMMERCE_CAMPAIGN_SHOWN        60       /* bytes of a wrong value in the sentence */


static const commerce_campaign_member_t *commerce_campaign_known(
    const commerce_campaign_member_t *members, unsigned count, commerce_str_t name);
static int commerce_campaign_sensible(commerce_campaign_parser_t *parser);

static int commerce_campaign_version(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_id(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_discount(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_fixed(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_percent(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_cap(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_from(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_until(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_minimum_spend(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_skus(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_limits(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_total_limit(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_user_limit(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_promoter(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_holder(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_codes(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);
static int commerce_campaign_enabled(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node);

static int commerce_campaign_read_id(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_str_t *value);
static void commerce_campaign_show(commerce_json_t *node, char out[COMMERCE_CAMPAIGN_SHOWN + 8]);
static void commerce_campaign_print(commerce_str_t text, char out[COMMERCE_CAMPAIGN_SHOWN + 8]);


static const commerce_campaign_member_t  commerce_campaign_members[] = {
    { "v", "v", commerce_campaign_version, true },
    { "id", "id", commerce_campaign_id, true },
    { "discount", "discount", commerce_campaign_discount, true },
    { "from", "from", commerce_campaign_from, false },
    { "until", "until", commerce_campaign_until, false },
    { "minimum_spend", "minimum_spend", commerce_campaign_minimum_spend, false },
    { "skus", "skus", commerce_campaign_skus, false },
    { "limits", "limits", commerce_campaign_limits, false },
    { "promoter", "promoter", commerce_campaign_promoter, false },
    { "holder", "holder", commerce_campaign_holder, false },
    { "enabled", "enabled", commerce_campaign_enabled, false },
    { "claim", "claim", commerce_campaign_claim, false },
    { "redeem", "redeem", commerce_campaign_redeem, false },
    { "codes", "codes", commerce_campaign_codes, false }
};

static const commerce_campaign_member_t  commerce_campaign_discount_members[] = {
    { "fixed", "discount/fixed", commerce_campaign_fixed, false },
    { "percent", "discount/percent", commerce_campaign_percent, false },
    { "cap", "discount/cap", commerce_campaign_cap, false }
};

static const commerce_campaign_member_t  commerce_campaign_limit_members[] = {
    { "total", "limits/total", commerce_campaign_total_limit, false },
    { "user", "limits/user", commerce_campaign_user_limit, false }
};


int
commerce_campaign_parse(commerce_arena_t *arena, commerce_str_t json,
    commerce_campaign_t *campaign, char *error, size_t error_size)
{
    commerce_json_t             *root;
    commerce_reason_t            reason;
    commerce_campaign_parser_t   parser = { arena, campaign, error, error_size };

    memset(campaign, 0, sizeof(commerce_campaign_t));

    campaign->until = COMMERCE_FOREVER;
    campaign->enabled = true;

    reason = commerce_json_parse(arena, json, &root);

    if (reason != COMMERCE_R(OK)) {
        snprintf(error, error_size, "%s", reason == COMMERCE_R(INTERNAL)
                 ? "out of memory" : "the campaign is not valid JSON");
        return COMMERCE_ERROR;
    }

    if (!commerce_json_is_object(root)) {
        snprintf(error, error_size, "the campaign is not a JSON object");
        return COMMERCE_ERROR;
    }

    if (commerce_campaign_object(&parser, root, NULL, commerce_campaign_members,
                                 COMMERCE_CAMPAIGN_COUNT(commerce_campaign_members))
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    return commerce_campaign_sensible(&parser);
}


commerce_fen_t
commerce_campaign_maximum(const commerce_campaign_t *campaign)
{
    if (campaign->fixed > 0) {
        return campaign->fixed;
    }

    return campaign->cap > 0 ? campaign->cap : -1;
}


int
commerce_campaign_object(commerce_campaign_parser_t *parser, commerce_json_t *object,
    const char *path, const commerce_campaign_member_t *members, unsigned count)
{
    char                               name[COMMERCE_CAMPAIGN_SHOWN + 8];
    uint32_t                           seen, bit;
    unsigned                           i;
    commerce_json_t                   *node;
    const commerce_campaign_member_t  *member;

    seen = 0;

    for (node = commerce_json_first(object); node != NULL; node = commerce_json_next(node)) {
        member = commerce_campaign_known(members, count, commerce_json_name(node));

        if (member == NULL) {
            commerce_campaign_print(commerce_json_name(node), name);
            snprintf(parser->error, parser->error_size,
                     "member \"%s%s%s\" is unknown; a misspelt rule must not become no rule",
                     path != NULL ? path : "", path != NULL ? "/" : "", name);
            return COMMERCE_ERROR;
        }

        bit = (uint32_t) 1 << (member - members);

        if (seen & bit) {
            return commerce_campaign_say(parser, member->path, "stands there twice");
        }

        seen |= bit;

        if (member->read(parser, member->path, node) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }
    }

    for (i = 0; i < count; i++) {
        if (members[i].required && (seen & ((uint32_t) 1 << i)) == 0) {
            return commerce_campaign_say(parser, members[i].path, "is missing");
        }
    }

    return COMMERCE_OK;
}


static const commerce_campaign_member_t *
commerce_campaign_known(const commerce_campaign_member_t *members, unsigned count,
    commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i < count; i++) {
        if (commerce_equal(commerce_cstr(members[i].name), name)) {
            return &members[i];
        }
    }

    return NULL;
}


/* what no member tells alone */

static int
commerce_campaign_sensible(commerce_campaign_parser_t *parser)
{
    char                        from[32], until[32];
    const commerce_campaign_t  *campaign = parser->campaign;

    if ((campaign->fixed > 0) == (campaign->percent > 0)) {
        return commerce_campaign_say(parser, "discount",
                                     "must have one of \"fixed\" and \"percent\", not both");
    }

    if (campaign->fixed > 0 && campaign->cap > 0) {
        return commerce_campaign_say(parser, "discount/cap", "goes with \"percent\" only");
    }

    if (campaign->imported && campaign->claim.open) {
        return commerce_campaign_say(parser, "claim", "does not go with \"codes\":\"imported\": what users claim"
                                     " is signed");
    }

    if (campaign->until <= campaign->from) {
        commerce_time_format(campaign->from, from);
        commerce_time_format(campaign->until, until);
        snprintf(parser->error, parser->error_size,
                 "member \"until\" is %s; allowed is a time after \"from\", which is %s",
                 until, from);
        return COMMERCE_ERROR;
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_version(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    return commerce_campaign_read_uint(parser, path, node, 1, 1, "1", &value);
}


static int
commerce_campaign_id(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node)
{
    return commerce_campaign_read_id(parser, path, node, &parser->campaign->id);
}


static int
commerce_campaign_discount(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, path, node,
                                       "{\"fixed\":fen} or {\"percent\":basis points}");
    }

    return commerce_campaign_object(parser, node, path, commerce_campaign_discount_members,
                                    COMMERCE_CAMPAIGN_COUNT(commerce_campaign_discount_members));
}


static int
commerce_campaign_fixed(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 1, COMMERCE_FEN_MAX,
                                    COMMERCE_CAMPAIGN_FEN_RANGE, &value) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->fixed = (commerce_fen_t) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_percent(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 1, 10000,
                                    "a whole number of basis points from 1 to 10000", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->percent = (unsigned) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_cap(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 1, COMMERCE_FEN_MAX,
                                    COMMERCE_CAMPAIGN_FEN_RANGE, &value) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->cap = (commerce_fen_t) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_from(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node)
{
    return commerce_campaign_read_time(parser, path, node, &parser->campaign->from);
}


static int
commerce_campaign_until(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    return commerce_campaign_read_time(parser, path, node, &parser->campaign->until);
}


static int
commerce_campaign_minimum_spend(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 0, COMMERCE_FEN_MAX,
                                    "a whole number of fen from 0 to 100000000000000", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->minimum_spend = (commerce_fen_t) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_skus(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    unsigned              count;
    commerce_json_t      *element;
    commerce_campaign_t  *campaign = parser->campaign;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : 0;

    if (count == 0 || count > COMMERCE_CAMPAIGN_SKUS) {
        return commerce_campaign_wrong(parser, path, node, "a list of 1 to 256 SKUs");
    }

    campaign->skus = commerce_alloc(parser->arena, count * sizeof(commerce_str_t));

    if (campaign->skus == NULL) {
        return commerce_campaign_say(parser, path, "does not fit into memory");
    }

    for (element = commerce_json_first(node);
         element != NULL;
         element = commerce_json_next(element))
    {
        if (commerce_campaign_read_id(parser, path, element,
                                      &campaign->skus[campaign->sku_count]) != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }

        campaign->sku_count++;
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_limits(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, path, node, "{\"total\":uses, \"user\":uses}");
    }

    return commerce_campaign_object(parser, node, path, commerce_campaign_limit_members,
                                    COMMERCE_CAMPAIGN_COUNT(commerce_campaign_limit_members));
}


static int
commerce_campaign_total_limit(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 1, COMMERCE_CAMPAIGN_LIMIT_MAX,
                                    COMMERCE_CAMPAIGN_LIMIT_RANGE, &value) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->limits[COMMERCE_COUNT_TOTAL] = (int64_t) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_user_limit(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    uint64_t  value;

    if (commerce_campaign_read_uint(parser, path, node, 1, COMMERCE_CAMPAIGN_LIMIT_MAX,
                                    COMMERCE_CAMPAIGN_LIMIT_RANGE, &value) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->limits[COMMERCE_COUNT_USER] = (int64_t) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_promoter(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    return commerce_campaign_read_id(parser, path, node, &parser->campaign->promoter_id);
}


static int
commerce_campaign_holder(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    commerce_str_t  value;

    if (commerce_campaign_read_text(parser, path, node, "\"required\"", &value) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (!commerce_equal(value, commerce_string("required"))) {
        return commerce_campaign_wrong(parser, path, node, "\"required\"");
    }

    parser->campaign->holder_required = true;

    return COMMERCE_OK;
}


static int
commerce_campaign_codes(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    commerce_str_t  value;

    if (commerce_campaign_read_text(parser, path, node, "\"signed\" or \"imported\"", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->imported = commerce_equal(value, commerce_string("imported"));

    return parser->campaign->imported || commerce_equal(value, commerce_string("signed"))
           ? COMMERCE_OK
           : commerce_campaign_wrong(parser, path, node, "\"signed\" or \"imported\"");
}


static int
commerce_campaign_enabled(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node)
{
    commerce_str_t  text;

    /* a string "true" is none */

    if (commerce_json_text(node, &text) == COMMERCE_R(OK)
        || (!commerce_json_is(node, commerce_string("true"))
            && !commerce_json_is(node, commerce_string("false"))))
    {
        return commerce_campaign_wrong(parser, path, node, "true or false");
    }

    parser->campaign->enabled = commerce_json_is(node, commerce_string("true"));

    return COMMERCE_OK;
}


int
commerce_campaign_read_uint(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, uint64_t min, uint64_t max, const char *allowed, uint64_t *value)
{
    commerce_str_t  text;

    if (!commerce_json_is_number(node)
        || commerce_json_text(node, &text) != COMMERCE_R(OK)
        || commerce_parse_uint(text, max, value) != COMMERCE_OK
        || *value < min)
    {
        return commerce_campaign_wrong(parser, path, node, allowed);
    }

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


static int
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
commerce_campaign_read_time(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_time_t *value)
{
    commerce_str_t     text;
    static const char  allowed[] = "a time like \"2026-11-01T00:00:00+08:00\"";

    if (commerce_campaign_read_text(parser, path, node, allowed, &text) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    return commerce_time_parse(text, value) == COMMERCE_OK
           ? COMMERCE_OK : commerce_campaign_wrong(parser, path, node, allowed);
}


int
commerce_campaign_wrong(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, const char *allowed)
{
    char  value[COMMERCE_CAMPAIGN_SHOWN + 8];

    commerce_campaign_show(node, value);
    snprintf(parser->error, parser->error_size, "member \"%s\" is %s; allowed is %s",
             path, value, allowed);

    return COMMERCE_ERROR;
}


int
commerce_campaign_say(commerce_campaign_parser_t *parser, const char *path, const char *what)
{
    snprintf(parser->error, parser->error_size, "member \"%s\" %s", path, what);

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

static void
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
