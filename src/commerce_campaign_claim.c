/*
 * Copyright (C) ngx_commerce authors
 *
 * Members "claim" and "redeem" of a campaign file.
 */

#include "commerce_campaign_parse.h"


#define COMMERCE_CAMPAIGN_VALID_FOR  "a time like \"7d\", \"12h\", \"30m\" or \"90s\", up to 3650d"
#define COMMERCE_CAMPAIGN_VALID_MAX  (3650 * 86400ULL)


static int commerce_campaign_claim_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_claim_from(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_claim_until(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_claim_valid_for(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_redeem_qr(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);


static const commerce_campaign_member_t  commerce_campaign_claim_members[] = {
    { "stock", "claim/stock", commerce_campaign_claim_limit, 2, true, COMMERCE_COUNT_TOTAL },
    { "day", "claim/day", commerce_campaign_claim_limit, 2, false, COMMERCE_COUNT_DAY },
    { "user", "claim/user", commerce_campaign_claim_limit, 2, false, COMMERCE_COUNT_USER },
    { "user_day", "claim/user_day", commerce_campaign_claim_limit, 2, false, COMMERCE_COUNT_USER_DAY },
    { "group", "claim/group", commerce_campaign_claim_limit, 2, false, COMMERCE_COUNT_GROUP },
    { "from", "claim/from", commerce_campaign_claim_from, 2, false, 0 },
    { "until", "claim/until", commerce_campaign_claim_until, 2, false, 0 },
    { "valid_for", "claim/valid_for", commerce_campaign_claim_valid_for, 2, false, 0 }
};

static const commerce_campaign_member_t  commerce_campaign_redeem_members[] = {
    { "qr", "redeem/qr", commerce_campaign_redeem_qr, 2, true, 0 }
};


int
commerce_campaign_claim(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    commerce_claim_rules_t  *claim = &parser->campaign->claim;

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, member->path, node, "an object, {\"stock\":n, ...}");
    }

    claim->open = true;
    claim->until = COMMERCE_FOREVER;

    return commerce_campaign_object(parser, node, member->path, commerce_campaign_claim_members,
                                    COMMERCE_CAMPAIGN_COUNT(commerce_campaign_claim_members));
}


static int
commerce_campaign_claim_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_CAMPAIGN_LIMIT_MAX,
                                       "claims", &parser->campaign->claim.limits[member->which]);
}


static int
commerce_campaign_claim_from(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_moment(parser, member->path, node, &parser->claim_from);
}


static int
commerce_campaign_claim_until(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_moment(parser, member->path, node, &parser->claim_until);
}


static int
commerce_campaign_claim_valid_for(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    uint64_t        count, unit;
    commerce_str_t  text;

    if (commerce_campaign_read_text(parser, member->path, node, COMMERCE_CAMPAIGN_VALID_FOR, &text)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    unit = 0;

    if (text.len != 0) {
        switch (text.data[--text.len]) {
        case 's':
            unit = 1;
            break;
        case 'm':
            unit = 60;
            break;
        case 'h':
            unit = 3600;
            break;
        case 'd':
            unit = 86400;
            break;
        }
    }

    if (unit == 0
        || commerce_parse_uint(text, COMMERCE_CAMPAIGN_VALID_MAX / unit, &count) != COMMERCE_OK
        || count == 0)
    {
        return commerce_campaign_wrong(parser, member->path, node, COMMERCE_CAMPAIGN_VALID_FOR);
    }

    parser->campaign->claim.valid_for = (int64_t) (count * unit);

    return COMMERCE_OK;
}


int
commerce_campaign_redeem(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, member->path, node, "{\"qr\":\"required\"}");
    }

    return commerce_campaign_object(parser, node, member->path, commerce_campaign_redeem_members,
                                    COMMERCE_CAMPAIGN_COUNT(commerce_campaign_redeem_members));
}


static int
commerce_campaign_redeem_qr(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    commerce_str_t  value;

    if (commerce_campaign_read_text(parser, member->path, node, "\"required\"", &value) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (!commerce_equal(value, commerce_string("required"))) {
        return commerce_campaign_wrong(parser, member->path, node, "\"required\"");
    }

    parser->campaign->qr_required = true;

    return COMMERCE_OK;
}
