/*
 * Copyright (C) ngx_commerce authors
 *
 * A commission plan's file: in, out again, and what is suspicious about it.
 */

#include <stdarg.h>
#include <stdio.h>

#include "commerce_campaign_parse.h"
#include "commerce_commission.h"


#define COMMERCE_COMMISSION_PATH  48        /* bytes of "rules/511/campaign" and the like */
#define COMMERCE_COMMISSION_SENTENCE  512


typedef struct {
    commerce_commission_plan_t  *plan;
    commerce_commission_rule_t  *rule;      /* that is being read */
    unsigned                     ids;       /* in all lists */
} commerce_commission_file_t;

typedef struct {
    const commerce_commission_plan_t  *plan;
    commerce_campaign_say_pt           say;
    void                              *data;
    unsigned                           count;
} commerce_commission_lint_t;


static int commerce_commission_version(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_commission_cap(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_commission_cap_over(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_commission_rules(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_commission_rule(commerce_campaign_parser_t *parser, unsigned i,
    commerce_json_t *node);
static int commerce_commission_list(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_commission_rate(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static void commerce_commission_sensible(commerce_campaign_parser_t *parser);
static bool commerce_commission_covers(const commerce_commission_rule_t *a,
    const commerce_commission_rule_t *b);
static void commerce_commission_lint_rule(commerce_commission_lint_t *lint, unsigned i);
static void commerce_commission_lint_say(commerce_commission_lint_t *lint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


static const commerce_campaign_member_t  commerce_commission_members[] = {
    { "v", "v", commerce_commission_version, 1, true, 0 },
    { "cap", "cap", commerce_commission_cap, 1, false, 0 },
    { "cap_over", "cap_over", commerce_commission_cap_over, 1, false, 0 },
    { "rules", "rules", commerce_commission_rules, 1, true, 0 }
};

/* their paths are made for each rule */

static const commerce_campaign_member_t  commerce_commission_rule_members[] = {
    { "sku", NULL, commerce_commission_list, 1, false, COMMERCE_COMMISSION_SKU },
    { "campaign", NULL, commerce_commission_list, 1, false, COMMERCE_COMMISSION_CAMPAIGN },
    { "group", NULL, commerce_commission_list, 1, false, COMMERCE_COMMISSION_GROUP },
    { "person", NULL, commerce_commission_list, 1, false, COMMERCE_COMMISSION_PERSON },
    { "role", NULL, commerce_commission_list, 1, false, COMMERCE_COMMISSION_ROLE },
    { "tier1", NULL, commerce_commission_rate, 1, true, 1 },
    { "tier2", NULL, commerce_commission_rate, 1, true, 2 }
};

#define COMMERCE_COMMISSION_RULE_MEMBERS  COMMERCE_CAMPAIGN_COUNT(commerce_commission_rule_members)


int
commerce_commission_parse(commerce_arena_t *arena, commerce_str_t json,
    commerce_commission_plan_t *plan, commerce_campaign_say_pt say, void *data)
{
    commerce_json_t             *root;
    commerce_reason_t            reason;
    commerce_commission_file_t   file = { .plan = plan };
    commerce_campaign_parser_t   parser = {
        .arena = arena, .subject = &file, .say = say, .data = data, .version = 1
    };

    memset(plan, 0, sizeof(commerce_commission_plan_t));
    plan->cap = COMMERCE_COMMISSION_CAP;

    reason = commerce_json_parse(arena, json, &root);

    if (reason != COMMERCE_R(OK)) {
        return commerce_campaign_say(&parser, NULL, "%s", reason == COMMERCE_R(INTERNAL)
                                     ? "out of memory" : "the plan is not valid JSON");
    }

    if (!commerce_json_is_object(root)) {
        return commerce_campaign_say(&parser, NULL, "the plan is not a JSON object");
    }

    if (commerce_campaign_object(&parser, root, NULL, commerce_commission_members,
                                 COMMERCE_CAMPAIGN_COUNT(commerce_commission_members))
        == COMMERCE_OK)
    {
        commerce_commission_sensible(&parser);
    }

    return parser.wrong == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_commission_version(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    int64_t  version;

    return commerce_campaign_read_uint(parser, member->path, node, 1, 1, "the file's version",
                                       &version);
}


static int
commerce_commission_cap(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    int64_t                      value;
    commerce_commission_file_t  *file = parser->subject;

    if (commerce_campaign_read_uint(parser, member->path, node, 0, 10000, "basis points", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    file->plan->cap = (unsigned) value;

    return COMMERCE_OK;
}


static int
commerce_commission_cap_over(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned                     which;
    commerce_commission_file_t  *file = parser->subject;

    static const char *const  words[] = { "tiers", "all", NULL };

    if (commerce_campaign_read_word(parser, member->path, node, words, "\"tiers\" or \"all\"",
                                    &which) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    file->plan->cap_all = (which == 1);

    return COMMERCE_OK;
}


static int
commerce_commission_rules(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned                     count;
    commerce_json_t             *element;
    commerce_commission_file_t  *file = parser->subject;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : COMMERCE_COMMISSION_RULES + 1;

    if (count > COMMERCE_COMMISSION_RULES) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of at most 512 rules");
    }

    file->plan->rules = commerce_alloc(parser->arena,
                                       (count + 1) * sizeof(commerce_commission_rule_t));

    if (file->plan->rules == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    for (element = commerce_json_first(node); element != NULL;
         element = commerce_json_next(element))
    {
        file->rule = &file->plan->rules[file->plan->rule_count];
        (void) commerce_commission_rule(parser, file->plan->rule_count++, element);
    }

    return parser->wrong == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_commission_rule(commerce_campaign_parser_t *parser, unsigned i, commerce_json_t *node)
{
    char                        *paths, rule[COMMERCE_COMMISSION_PATH];
    unsigned                     k;
    commerce_campaign_member_t   members[COMMERCE_COMMISSION_RULE_MEMBERS];

    snprintf(rule, sizeof(rule), "rules/%u", i);

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, rule, node, "{\"tier1\":basis points,"
                                       " \"tier2\":basis points, \"sku\":[...], ...}");
    }

    paths = commerce_alloc(parser->arena,
                           COMMERCE_COMMISSION_RULE_MEMBERS * COMMERCE_COMMISSION_PATH);

    if (paths == NULL) {
        return commerce_campaign_say(parser, rule, "does not fit into memory");
    }

    for (k = 0; k < COMMERCE_COMMISSION_RULE_MEMBERS; k++) {
        members[k] = commerce_commission_rule_members[k];
        members[k].path = paths + k * COMMERCE_COMMISSION_PATH;

        snprintf(paths + k * COMMERCE_COMMISSION_PATH, COMMERCE_COMMISSION_PATH, "rules/%u/%s", i,
                 members[k].name);
    }

    return commerce_campaign_object(parser, node, rule, members, COMMERCE_COMMISSION_RULE_MEMBERS);
}


static int
commerce_commission_list(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    unsigned                     count;
    commerce_role_t              role;
    commerce_json_t             *element;
    commerce_commission_file_t  *file = parser->subject;
    commerce_ids_t              *ids = &file->rule->lists[member->which];

    count = commerce_json_is_array(node) ? commerce_json_count(node) : 0;

    if (count == 0 || count > COMMERCE_COMMISSION_IDS) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of 1 to 256 ids");
    }

    ids->ids = commerce_alloc(parser->arena, count * sizeof(commerce_str_t));

    if (ids->ids == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    for (element = commerce_json_first(node); element != NULL;
         element = commerce_json_next(element))
    {
        if (commerce_campaign_read_id(parser, member->path, element, &ids->ids[ids->count])
            != COMMERCE_OK)
        {
            return COMMERCE_ERROR;
        }

        if (member->which == COMMERCE_COMMISSION_ROLE
            && commerce_role_parse(ids->ids[ids->count], &role) != COMMERCE_OK)
        {
            return commerce_campaign_wrong(parser, member->path, element,
                                           "employee, guide, clerk, staff, customer, koc, leader,"
                                           " agency or dealer");
        }

        ids->count++;
    }

    file->ids += ids->count;

    return COMMERCE_OK;
}


static int
commerce_commission_rate(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node)
{
    int64_t                      value;
    commerce_commission_file_t  *file = parser->subject;

    if (commerce_campaign_read_uint(parser, member->path, node, 0, 10000, "basis points", &value)
        != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    if (member->which == 1) {
        file->rule->rates.tier1 = (unsigned) value;

    } else {
        file->rule->rates.tier2 = (unsigned) value;
    }

    return COMMERCE_OK;
}


/* what no member tells alone */

static void
commerce_commission_sensible(commerce_campaign_parser_t *parser)
{
    char                               rule[COMMERCE_COMMISSION_PATH];
    unsigned                           i;
    const commerce_rates_t            *rates;
    const commerce_commission_file_t  *file = parser->subject;

    if (file->ids > COMMERCE_COMMISSION_ALL_IDS) {
        commerce_campaign_say(parser, NULL, "the lists hold %u ids together; allowed are %d",
                              file->ids, COMMERCE_COMMISSION_ALL_IDS);
    }

    for (i = 0; i < file->plan->rule_count; i++) {
        rates = &file->plan->rules[i].rates;

        if (rates->tier1 + rates->tier2 > file->plan->cap) {
            snprintf(rule, sizeof(rule), "rules/%u", i);
            commerce_campaign_say(parser, rule, "pays tiers 1 and 2 %u basis points together; the"
                                  " cap is %u", rates->tier1 + rates->tier2, file->plan->cap);
        }
    }
}


void
commerce_commission_write_rule(commerce_write_t *w, const commerce_commission_rule_t *rule)
{
    unsigned               i, k;
    const commerce_ids_t  *ids;

    commerce_write_open(w, NULL, '{');

    for (i = 0; i < COMMERCE_COMMISSION_LISTS; i++) {
        ids = &rule->lists[i];

        if (ids->count == 0) {
            continue;
        }

        commerce_write_open(w, commerce_commission_rule_members[i].name, '[');

        for (k = 0; k < ids->count; k++) {
            commerce_write_text(w, NULL, ids->ids[k]);
        }

        commerce_write_close(w, ']');
    }

    commerce_write_int(w, "tier1", rule->rates.tier1);
    commerce_write_int(w, "tier2", rule->rates.tier2);
    commerce_write_close(w, '}');
}


unsigned
commerce_commission_lint(const commerce_commission_plan_t *plan, commerce_campaign_say_pt say,
    void *data)
{
    unsigned                    i;
    commerce_commission_lint_t  lint = { .plan = plan, .say = say, .data = data };

    if (plan->cap > COMMERCE_COMMISSION_CAP) {
        commerce_commission_lint_say(&lint, "\"cap\" is %u: payment platforms split %d basis points"
                                     " of an order at most unless they agreed to more", plan->cap,
                                     COMMERCE_COMMISSION_CAP);
    }

    if (plan->rule_count == 0) {
        commerce_commission_lint_say(&lint, "\"rules\" is empty: nobody gets any commission");
    }

    for (i = 0; i < plan->rule_count; i++) {
        commerce_commission_lint_rule(&lint, i);
    }

    return lint.count;
}


static void
commerce_commission_lint_rule(commerce_commission_lint_t *lint, unsigned i)
{
    unsigned                           k;
    const commerce_commission_rule_t  *rule = &lint->plan->rules[i];

    for (k = 0; k < i; k++) {
        if (commerce_commission_covers(&lint->plan->rules[k], rule)) {
            commerce_commission_lint_say(lint, "\"rules/%u\" is never used: \"rules/%u\" matches all"
                                         " that it does", i, k);
            break;
        }
    }

    if (rule->rates.tier2 > rule->rates.tier1) {
        commerce_commission_lint_say(lint, "\"rules/%u\" pays who recruited the seller more than the"
                                     " seller", i);
    }
}


/* whatever b matches, a does */

static bool
commerce_commission_covers(const commerce_commission_rule_t *a,
    const commerce_commission_rule_t *b)
{
    unsigned  i, k;

    for (i = 0; i < COMMERCE_COMMISSION_LISTS; i++) {

        if (a->lists[i].count != 0 && b->lists[i].count == 0) {
            return false;
        }

        for (k = 0; k < b->lists[i].count; k++) {
            if (!commerce_commission_listed(&a->lists[i], b->lists[i].ids[k])) {
                return false;
            }
        }
    }

    return true;
}


static void
commerce_commission_lint_say(commerce_commission_lint_t *lint, const char *format, ...)
{
    char     sentence[COMMERCE_COMMISSION_SENTENCE];
    va_list  args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);

    lint->count++;
    lint->say(lint->data, sentence);
}
