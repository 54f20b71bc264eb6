/*
 * Copyright (C) ngx_commerce authors
 *
 * A campaign's file, member by member.
 */

#include <stdio.h>

#include "commerce_campaign_parse.h"


static int commerce_campaign_find_version(commerce_campaign_parser_t *parser,
    commerce_json_t *root);
static const commerce_campaign_member_t *commerce_campaign_known(
    const commerce_campaign_member_t *members, unsigned count, commerce_str_t name);
static int commerce_campaign_sensible(commerce_campaign_parser_t *parser);
static int commerce_campaign_sensible_discount(commerce_campaign_parser_t *parser);

static int commerce_campaign_version(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_id(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_nested(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_fixed(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_percent(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_cap(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_thresholds(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_every(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_step(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_step_off_t *step);
static int commerce_campaign_minimum_spend(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_minimum_quantity(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_ids(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_new_customers(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_budget(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_class(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_base(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_stack_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_promoter(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_holder(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_codes(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_campaign_enabled(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);


enum {
    COMMERCE_NESTED_DISCOUNT,
    COMMERCE_NESTED_LIMITS,
    COMMERCE_NESTED_BUDGETS,
    COMMERCE_NESTED_STACKING
};


static const commerce_campaign_member_t  commerce_campaign_members[] = {
    { "v", "v", commerce_campaign_version, 1, true, 0 },
    { "id", "id", commerce_campaign_id, 1, true, 0 },
    { "discount", "discount", commerce_campaign_nested, 1, true, COMMERCE_NESTED_DISCOUNT },
    { "zone", "zone", commerce_campaign_zone, 2, false, 0 },
    { "from", "from", commerce_campaign_from, 1, false, 0 },
    { "until", "until", commerce_campaign_until, 1, false, 0 },
    { "hours", "hours", commerce_campaign_hours, 2, false, 0 },
    { "minimum_spend", "minimum_spend", commerce_campaign_minimum_spend, 1, false, 0 },
    { "minimum_quantity", "minimum_quantity", commerce_campaign_minimum_quantity, 2, false, 0 },
    { "skus", "skus", commerce_campaign_ids, 1, false, COMMERCE_SCOPE_SKU },
    { "categories", "categories", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_CATEGORY },
    { "stores", "stores", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_STORE },
    { "channels", "channels", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_CHANNEL },
    { "rooms", "rooms", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_ROOM },
    { "groups", "groups", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_GROUP },
    { "sellers", "sellers", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_SELLER },
    { "levels", "levels", commerce_campaign_ids, 2, false, COMMERCE_SCOPE_LEVEL },
    { "new_customers", "new_customers", commerce_campaign_new_customers, 2, false, 0 },
    { "limits", "limits", commerce_campaign_nested, 1, false, COMMERCE_NESTED_LIMITS },
    { "budgets", "budgets", commerce_campaign_nested, 2, false, COMMERCE_NESTED_BUDGETS },
    { "stacking", "stacking", commerce_campaign_nested, 2, false, COMMERCE_NESTED_STACKING },
    { "promoter", "promoter", commerce_campaign_promoter, 1, false, 0 },
    { "holder", "holder", commerce_campaign_holder, 1, false, 0 },
    { "claim", "claim", commerce_campaign_claim, 2, false, 0 },
    { "redeem", "redeem", commerce_campaign_redeem, 2, false, 0 },
    { "codes", "codes", commerce_campaign_codes, 2, false, 0 },
    { "enabled", "enabled", commerce_campaign_enabled, 1, false, 0 }
};

static const commerce_campaign_member_t  commerce_campaign_discount_members[] = {
    { "fixed", "discount/fixed", commerce_campaign_fixed, 1, false, 0 },
    { "percent", "discount/percent", commerce_campaign_percent, 1, false, 0 },
    { "thresholds", "discount/thresholds", commerce_campaign_thresholds, 2, false, 0 },
    { "every", "discount/every", commerce_campaign_every, 2, false, 0 },
    { "cap", "discount/cap", commerce_campaign_cap, 1, false, 0 }
};

static const commerce_campaign_member_t  commerce_campaign_limit_members[] = {
    { "total", "limits/total", commerce_campaign_limit, 1, false, COMMERCE_COUNT_TOTAL },
    { "user", "limits/user", commerce_campaign_limit, 1, false, COMMERCE_COUNT_USER },
    { "day", "limits/day", commerce_campaign_limit, 2, false, COMMERCE_COUNT_DAY },
    { "user_day", "limits/user_day", commerce_campaign_limit, 2, false, COMMERCE_COUNT_USER_DAY },
    { "group", "limits/group", commerce_campaign_limit, 2, false, COMMERCE_COUNT_GROUP },
    { "seller", "limits/seller", commerce_campaign_limit, 2, false, COMMERCE_COUNT_SELLER }
};

static const commerce_campaign_member_t  commerce_campaign_budget_members[] = {
    { "total", "budgets/total", commerce_campaign_budget, 2, false, COMMERCE_COUNT_TOTAL },
    { "user", "budgets/user", commerce_campaign_budget, 2, false, COMMERCE_COUNT_USER },
    { "day", "budgets/day", commerce_campaign_budget, 2, false, COMMERCE_COUNT_DAY },
    { "user_day", "budgets/user_day", commerce_campaign_budget, 2, false,
      COMMERCE_COUNT_USER_DAY },
    { "group", "budgets/group", commerce_campaign_budget, 2, false, COMMERCE_COUNT_GROUP },
    { "seller", "budgets/seller", commerce_campaign_budget, 2, false, COMMERCE_COUNT_SELLER }
};

static const commerce_campaign_member_t  commerce_campaign_stacking_members[] = {
    { "class", "stacking/class", commerce_campaign_class, 2, false, 0 },
    { "base", "stacking/base", commerce_campaign_base, 2, false, 0 },
    { "limit", "stacking/limit", commerce_campaign_stack_limit, 2, false, 0 }
};


int
commerce_campaign_parse(commerce_arena_t *arena, commerce_str_t json, commerce_zone_find_pt zones,
    commerce_campaign_t *campaign, commerce_campaign_say_pt say, void *data)
{
    commerce_json_t             *root;
    commerce_reason_t            reason;
    commerce_campaign_parser_t   parser = {
        .arena = arena, .zones = zones, .campaign = campaign, .say = say, .data = data
    };

    memset(campaign, 0, sizeof(commerce_campaign_t));

    campaign->until = COMMERCE_FOREVER;
    campaign->enabled = true;

    reason = commerce_json_parse(arena, json, &root);

    if (reason != COMMERCE_R(OK)) {
        return commerce_campaign_say(&parser, NULL, "%s", reason == COMMERCE_R(INTERNAL)
                                     ? "out of memory" : "the campaign is not valid JSON");
    }

    if (!commerce_json_is_object(root)) {
        return commerce_campaign_say(&parser, NULL, "the campaign is not a JSON object");
    }

    if (commerce_campaign_find_version(&parser, root) != COMMERCE_OK) {
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


/* it decides which members there are, so that it is read before them, wherever it stands */

static int
commerce_campaign_find_version(commerce_campaign_parser_t *parser, commerce_json_t *root)
{
    int64_t           version;
    commerce_json_t  *node;

    for (node = commerce_json_first(root); node != NULL; node = commerce_json_next(node)) {
        if (!commerce_equal(commerce_json_name(node), commerce_string("v"))) {
            continue;
        }

        if (commerce_campaign_read_uint(parser, "v", node, 1, 2, "the file's version", &version)
            != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }

        parser->version = (unsigned) version;

        return COMMERCE_OK;
    }

    return commerce_campaign_say(parser, "v", "is missing");
}


int
commerce_campaign_object(commerce_campaign_parser_t *parser, commerce_json_t *object,
    const char *path, const commerce_campaign_member_t *members, unsigned count)
{
    char                               name[COMMERCE_CAMPAIGN_SHOWN + 8];
    uint32_t                           seen, bit;
    unsigned                           i, before;
    commerce_json_t                   *node;
    const commerce_campaign_member_t  *member;

    seen = 0;
    before = parser->wrong;

    for (node = commerce_json_first(object); node != NULL; node = commerce_json_next(node)) {
        member = commerce_campaign_known(members, count, commerce_json_name(node));

        if (member == NULL) {
            commerce_campaign_print(commerce_json_name(node), name);
            commerce_campaign_say(parser, NULL, "member \"%s%s%s\" is unknown; a misspelt rule must"
                                  " not become no rule", path != NULL ? path : "",
                                  path != NULL ? "/" : "", name);
            continue;
        }

        bit = (uint32_t) 1 << (member - members);

        if (seen & bit) {
            commerce_campaign_say(parser, member->path, "stands there twice");
            continue;
        }

        seen |= bit;

        if (member->since > parser->version) {
            commerce_campaign_say(parser, member->path, "is unknown in version %u; it needs"
                                  " \"v\":%u", parser->version, member->since);
            continue;
        }

        (void) member->read(parser, member, node);
    }

    for (i = 0; i < count; i++) {
        if (members[i].required && (seen & ((uint32_t) 1 << i)) == 0) {
            commerce_campaign_say(parser, members[i].path, "is missing");
        }
    }

    return parser->wrong == before ? COMMERCE_OK : COMMERCE_ERROR;
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
    unsigned  i, ids, before;

    before = parser->wrong;

    for (i = 0, ids = 0; i < COMMERCE_SCOPES; i++) {
        ids += parser->campaign->scopes[i].count;
    }

    if (ids > COMMERCE_CAMPAIGN_ALL_IDS) {
        commerce_campaign_say(parser, NULL, "the lists hold %u ids together; allowed are %d", ids,
                              COMMERCE_CAMPAIGN_ALL_IDS);
    }

    if (parser->campaign->imported && parser->campaign->claim.open) {
        commerce_campaign_say(parser, "claim", "does not go with \"codes\":\"imported\": what users claim"
                              " is signed");
    }

    (void) commerce_campaign_sensible_discount(parser);
    (void) commerce_campaign_times(parser);

    return parser->wrong == before ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_campaign_sensible_discount(commerce_campaign_parser_t *parser)
{
    unsigned                    forms;
    const commerce_campaign_t  *campaign = parser->campaign;

    forms = (campaign->fixed > 0) + (campaign->percent > 0) + (campaign->every.off > 0)
            + (campaign->step_count > 0);

    if (forms != 1) {
        return commerce_campaign_say(parser, "discount", "must have one of \"fixed\","
                                     " \"percent\", \"thresholds\" and \"every\", not %s",
                                     forms == 0 ? "none" : "several");
    }

    if (campaign->cap > 0 && campaign->percent == 0 && campaign->every.off == 0) {
        return commerce_campaign_say(parser, "discount/cap", "goes with \"percent\" and \"every\""
                                     " only");
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_version(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return COMMERCE_OK;         /* was read first */
}


static int
commerce_campaign_id(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_id(parser, member->path, node, &parser->campaign->id);
}


static int
commerce_campaign_nested(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    static const struct {
        const commerce_campaign_member_t  *members;
        unsigned                           count;
        const char                        *allowed;
    } nested[] = {
        { commerce_campaign_discount_members,
          COMMERCE_CAMPAIGN_COUNT(commerce_campaign_discount_members),
          "{\"fixed\":fen} or {\"percent\":basis points} or {\"thresholds\":[...]} or"
          " {\"every\":{...}}" },
        { commerce_campaign_limit_members,
          COMMERCE_CAMPAIGN_COUNT(commerce_campaign_limit_members),
          "{\"total\":uses, \"user\":uses, ...}" },
        { commerce_campaign_budget_members,
          COMMERCE_CAMPAIGN_COUNT(commerce_campaign_budget_members),
          "{\"total\":fen, \"user\":fen, ...}" },
        { commerce_campaign_stacking_members,
          COMMERCE_CAMPAIGN_COUNT(commerce_campaign_stacking_members),
          "{\"class\":\"exclusive\", \"base\":\"initial\", \"limit\":coupons}" }
    };

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, member->path, node, nested[member->which].allowed);
    }

    return commerce_campaign_object(parser, node, member->path, nested[member->which].members,
                                    nested[member->which].count);
}


static int
commerce_campaign_fixed(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_FEN_MAX, "fen",
                                       &parser->campaign->fixed);
}


static int
commerce_campaign_percent(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    int64_t  value;

    if (commerce_campaign_read_uint(parser, member->path, node, 1, 10000, "basis points", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->percent = (unsigned) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_cap(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_FEN_MAX, "fen",
                                       &parser->campaign->cap);
}


static int
commerce_campaign_thresholds(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned              i, count;
    commerce_json_t      *element;
    commerce_campaign_t  *campaign = parser->campaign;
    commerce_step_off_t  *steps;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : 0;

    if (count == 0 || count > COMMERCE_CAMPAIGN_STEPS) {
        return commerce_campaign_wrong(parser, member->path, node,
                                       "a list of 1 to 16 {\"minimum\":fen, \"off\":fen}");
    }

    steps = commerce_alloc(parser->arena, count * sizeof(commerce_step_off_t));

    if (steps == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    for (i = 0, element = commerce_json_first(node); element != NULL;
         i++, element = commerce_json_next(element))
    {
        if (commerce_campaign_step(parser, member->path, element, &steps[i]) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        if (i != 0 && (steps[i].minimum <= steps[i - 1].minimum
                       || steps[i].off <= steps[i - 1].off))
        {
            return commerce_campaign_say(parser, member->path, "must rise, \"minimum\" and"
                                         " \"off\" alike; step %u does not", i + 1);
        }
    }

    campaign->steps = steps;
    campaign->step_count = count;

    return COMMERCE_OK;
}


static int
commerce_campaign_every(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_step(parser, member->path, node, &parser->campaign->every);
}


static int
commerce_campaign_step(commerce_campaign_parser_t *parser, const char *path,
    commerce_json_t *node, commerce_step_off_t *step)
{
    char              within[64];
    commerce_fen_t   *value;
    commerce_json_t  *child;

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, path, node, "{\"minimum\":fen, \"off\":fen}");
    }

    memset(step, 0, sizeof(commerce_step_off_t));

    for (child = commerce_json_first(node); child != NULL; child = commerce_json_next(child)) {

        value = commerce_equal(commerce_json_name(child), commerce_string("minimum"))
                ? &step->minimum
                : commerce_equal(commerce_json_name(child), commerce_string("off"))
                  ? &step->off : NULL;

        if (value == NULL || *value != 0) {
            return commerce_campaign_say(parser, path, "may hold \"minimum\" and \"off\", once"
                                         " each, and nothing else");
        }

        snprintf(within, sizeof(within), "%s/%s", path, value == &step->off ? "off" : "minimum");

        if (commerce_campaign_read_uint(parser, within, child, 1, COMMERCE_FEN_MAX, "fen", value)
            != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }
    }

    return step->minimum != 0 && step->off != 0
           ? COMMERCE_OK
           : commerce_campaign_say(parser, path, "needs both \"minimum\" and \"off\"");
}


static int
commerce_campaign_minimum_spend(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 0, COMMERCE_FEN_MAX, "fen",
                                       &parser->campaign->minimum_spend);
}


static int
commerce_campaign_minimum_quantity(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, 1000000, "pieces",
                                       &parser->campaign->minimum_quantity);
}


static int
commerce_campaign_ids(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned          count;
    uint64_t          number;
    commerce_ids_t   *ids = &parser->campaign->scopes[member->which];
    commerce_str_t   *id;
    commerce_json_t  *element;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : 0;

    if (count == 0 || count > COMMERCE_CAMPAIGN_IDS) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of 1 to 256 ids");
    }

    ids->ids = commerce_alloc(parser->arena, count * sizeof(commerce_str_t));

    if (ids->ids == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    for (element = commerce_json_first(node); element != NULL;
         element = commerce_json_next(element))
    {
        id = &ids->ids[ids->count];

        if (commerce_campaign_read_id(parser, member->path, element, id) != COMMERCE_OK) {
            return COMMERCE_ERROR;
        }

        if (member->which == COMMERCE_SCOPE_CHANNEL
            && (commerce_parse_uint(*id, UINT32_MAX, &number) != COMMERCE_OK || number == 0))
        {
            return commerce_campaign_wrong(parser, member->path, element,
                                           "a channel's number as a string");
        }

        ids->count++;
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_new_customers(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_bool(parser, member->path, node,
                                       &parser->campaign->new_customers);
}


static int
commerce_campaign_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_CAMPAIGN_LIMIT_MAX,
                                       "uses", &parser->campaign->limits[member->which]);
}


static int
commerce_campaign_budget(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_FEN_MAX, "fen",
                                       &parser->campaign->budgets[member->which]);
}


static int
commerce_campaign_class(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    commerce_campaign_t  *campaign = parser->campaign;

    if (commerce_campaign_read_id(parser, member->path, node, &campaign->stack_class)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    campaign->stack = COMMERCE_STACK_CLASS;

    if (commerce_equal(campaign->stack_class, commerce_string("exclusive"))) {
        campaign->stack = COMMERCE_STACK_EXCLUSIVE;
        campaign->stack_class = commerce_string("");

    } else if (commerce_equal(campaign->stack_class, commerce_string("stackable"))) {
        campaign->stack = COMMERCE_STACK_ANY;
        campaign->stack_class = commerce_string("");
    }

    return COMMERCE_OK;
}


static int
commerce_campaign_base(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned  which;

    static const char *const  names[] = { "remaining", "initial", NULL };

    if (commerce_campaign_read_word(parser, member->path, node, names,
                                    "\"remaining\" or \"initial\"", &which) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->base_initial = (which == 1);

    return COMMERCE_OK;
}


static int
commerce_campaign_stack_limit(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    int64_t  value;

    if (commerce_campaign_read_uint(parser, member->path, node, 1, COMMERCE_CAMPAIGN_STACK,
                                    "coupons", &value) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->stack_limit = (unsigned) value;

    return COMMERCE_OK;
}


static int
commerce_campaign_promoter(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_id(parser, member->path, node, &parser->campaign->promoter_id);
}


static int
commerce_campaign_holder(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned  which;

    static const char *const  names[] = { "required", NULL };

    if (commerce_campaign_read_word(parser, member->path, node, names, "\"required\"", &which)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->holder_required = true;

    return COMMERCE_OK;
}


static int
commerce_campaign_codes(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned  which;

    static const char *const  names[] = { "signed", "imported", NULL };

    if (commerce_campaign_read_word(parser, member->path, node, names,
                                    "\"signed\" or \"imported\"", &which) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    parser->campaign->imported = (which == 1);

    return COMMERCE_OK;
}


static int
commerce_campaign_enabled(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    return commerce_campaign_read_bool(parser, member->path, node, &parser->campaign->enabled);
}
