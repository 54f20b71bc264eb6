/*
 * Copyright (C) ngx_commerce authors
 *
 * The directory's records as JSON: in and out again.
 */

#include <stdio.h>

#include "commerce_campaign_parse.h"
#include "commerce_directory_json.h"

#define COMMERCE_DIRECTORY_PATH  32     /* bytes of "schedule/63/start" and the like */
#define COMMERCE_DIRECTORY_SHIFT_MEMBERS  3


typedef struct {
    const commerce_campaign_member_t  *members;
    unsigned                           count;
} commerce_directory_members_t;

typedef struct {
    commerce_directory_entry_t  *entry;
    commerce_directory_shift_t  *shift;         /* that is being read */
} commerce_directory_text_t;

typedef enum {                                  /* a member's .which: where its id goes */
    COMMERCE_DIRECTORY_ID,
    COMMERCE_DIRECTORY_UPLINE,
    COMMERCE_DIRECTORY_SUCCESSOR,
    COMMERCE_DIRECTORY_USER,
    COMMERCE_DIRECTORY_STORE,
    COMMERCE_DIRECTORY_WHO,
    COMMERCE_DIRECTORY_WHICH_GROUP,
    COMMERCE_DIRECTORY_PLATFORM,
    COMMERCE_DIRECTORY_WAY,
    COMMERCE_DIRECTORY_NAME,
    COMMERCE_DIRECTORY_HOST
} commerce_directory_which_t;

typedef enum {                                  /* ... or which word it is */
    COMMERCE_DIRECTORY_ROLE,
    COMMERCE_DIRECTORY_STATUS,
    COMMERCE_DIRECTORY_TRANSFER,
    COMMERCE_DIRECTORY_FIELD,
    COMMERCE_DIRECTORY_ORIGIN
} commerce_directory_word_t;


static int commerce_directory_kind(commerce_campaign_parser_t *parser, commerce_json_t *root,
    commerce_directory_kind_t *kind);
static int commerce_directory_passed(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
static int commerce_directory_read_id(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
static int commerce_directory_read_word(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
static int commerce_directory_read_time(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
static int commerce_directory_read_closed(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
static int commerce_directory_read_identities(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_directory_read_schedule(commerce_campaign_parser_t *parser,
    const commerce_campaign_member_t *member, commerce_json_t *node);
static int commerce_directory_read_shift(commerce_campaign_parser_t *parser, unsigned i, commerce_json_t *node);
static void commerce_directory_names(commerce_campaign_parser_t *parser);
static void commerce_directory_order(commerce_campaign_parser_t *parser);
static void commerce_directory_write_person(commerce_write_t *w, const commerce_directory_entry_t *entry);
static void commerce_directory_write_schedule(commerce_write_t *w, const commerce_directory_entry_t *entry);
static void commerce_directory_write_time(commerce_write_t *w, const char *name, commerce_time_t time);


static const char *const  commerce_directory_kinds[COMMERCE_DIRECTORY_KINDS + 1] = {
    [COMMERCE_DIRECTORY_RETAIL_STORE] = "retail_store",
    [COMMERCE_DIRECTORY_PERSON] = "person",
    [COMMERCE_DIRECTORY_GROUP] = "group",
    [COMMERCE_DIRECTORY_ROOM] = "room",
    [COMMERCE_DIRECTORY_CHANNEL] = "channel",
    [COMMERCE_DIRECTORY_LANDING] = "landing",
    [COMMERCE_DIRECTORY_KINDS] = NULL
};

#define COMMERCE_DIRECTORY_COMMON                                                                                     \
    { "kind", "kind", commerce_directory_passed, 1, true, 0 },                                                        \
    { "id", "id", commerce_directory_read_id, 1, true, COMMERCE_DIRECTORY_ID }

static const commerce_campaign_member_t  commerce_directory_person_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "role", "role", commerce_directory_read_word, 1, false, COMMERCE_DIRECTORY_ROLE },
    { "status", "status", commerce_directory_read_word, 1, false, COMMERCE_DIRECTORY_STATUS },
    { "since", "since", commerce_directory_read_time, 1, false, 0 },
    { "upline", "upline", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_UPLINE },
    { "successor", "successor", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_SUCCESSOR },
    { "transfer", "transfer", commerce_directory_read_word, 1, false, COMMERCE_DIRECTORY_TRANSFER },
    { "user", "user", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_USER },
    { "identities", "identities", commerce_directory_read_identities, 1, false, 0 },
    { "store", "store", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_STORE }
};

static const commerce_campaign_member_t  commerce_directory_group_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "leader", "leader", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_WHO },
    { "store", "store", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_STORE }
};

static const commerce_campaign_member_t  commerce_directory_room_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "host", "host", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_WHO },
    { "schedule", "schedule", commerce_directory_read_schedule, 1, false, 0 }
};

static const commerce_campaign_member_t  commerce_directory_channel_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "seller", "seller", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_WHO },
    { "group", "group", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_WHICH_GROUP },
    { "field", "field", commerce_directory_read_word, 1, false, COMMERCE_DIRECTORY_FIELD },
    { "origin", "origin", commerce_directory_read_word, 1, false, COMMERCE_DIRECTORY_ORIGIN },
    { "platform", "platform", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_PLATFORM }
};

static const commerce_campaign_member_t  commerce_directory_landing_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "path", "path", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_WAY }
};

static const commerce_campaign_member_t  commerce_directory_retail_store_members[] = {
    COMMERCE_DIRECTORY_COMMON,
    { "name", "name", commerce_directory_read_id, 1, false, COMMERCE_DIRECTORY_NAME },
    { "closed", "closed", commerce_directory_read_closed, 1, false, 0 }
};

/* their paths are made for each shift */

static const commerce_campaign_member_t  commerce_directory_shift_members[COMMERCE_DIRECTORY_SHIFT_MEMBERS] = {
    { "start", NULL, commerce_directory_read_time, 1, true, 1 },
    { "end", NULL, commerce_directory_read_time, 1, true, 2 },
    { "host", NULL, commerce_directory_read_id, 1, true, COMMERCE_DIRECTORY_HOST }
};

#define commerce_directory_list(members)  { members, COMMERCE_CAMPAIGN_COUNT(members) }

static const commerce_directory_members_t  commerce_directory_members[COMMERCE_DIRECTORY_KINDS] = {
    [COMMERCE_DIRECTORY_RETAIL_STORE] = commerce_directory_list(commerce_directory_retail_store_members),
    [COMMERCE_DIRECTORY_PERSON] = commerce_directory_list(commerce_directory_person_members),
    [COMMERCE_DIRECTORY_GROUP] = commerce_directory_list(commerce_directory_group_members),
    [COMMERCE_DIRECTORY_ROOM] = commerce_directory_list(commerce_directory_room_members),
    [COMMERCE_DIRECTORY_CHANNEL] = commerce_directory_list(commerce_directory_channel_members),
    [COMMERCE_DIRECTORY_LANDING] = commerce_directory_list(commerce_directory_landing_members),
};


const char *
commerce_directory_kind_name(commerce_directory_kind_t kind)
{
    return (unsigned) kind < COMMERCE_DIRECTORY_KINDS ? commerce_directory_kinds[kind] : "unknown";
}


int
commerce_directory_kind_parse(commerce_str_t name, commerce_directory_kind_t *kind)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_DIRECTORY_KINDS; i++) {
        if (commerce_equal(name, commerce_cstr(commerce_directory_kinds[i]))) {
            *kind = (commerce_directory_kind_t) i;
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


int
commerce_directory_parse(commerce_arena_t *arena, commerce_str_t json, commerce_directory_entry_t *entry,
    commerce_campaign_say_pt say, void *data)
{
    commerce_json_t             *root;
    commerce_reason_t            reason;
    commerce_campaign_parser_t   parser = { .arena = arena, .say = say, .data = data };

    reason = commerce_json_parse(arena, json, &root);

    if (reason != COMMERCE_R(OK)) {
        memset(entry, 0, sizeof(commerce_directory_entry_t));
        return commerce_campaign_say(&parser, NULL, "%s", reason == COMMERCE_R(INTERNAL)
                                     ? "out of memory" : "the record is not valid JSON");
    }

    return commerce_directory_read(arena, root, entry, say, data);
}


int
commerce_directory_read(commerce_arena_t *arena, commerce_json_t *root, commerce_directory_entry_t *entry,
    commerce_campaign_say_pt say, void *data)
{
    commerce_directory_text_t            text = { .entry = entry };
    const commerce_directory_members_t  *kind;
    commerce_campaign_parser_t           parser = {
        .arena = arena, .subject = &text, .say = say, .data = data, .version = 1
    };

    memset(entry, 0, sizeof(commerce_directory_entry_t));
    entry->role = COMMERCE_ROLE_CUSTOMER;

    if (!commerce_json_is_object(root)) {
        return commerce_campaign_say(&parser, NULL, "the record is not a JSON object");
    }

    /* which members there may be depends on it */

    if (commerce_directory_kind(&parser, root, &entry->kind) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (entry->kind != COMMERCE_DIRECTORY_PERSON) {
        entry->role = 0;
    }

    kind = &commerce_directory_members[entry->kind];

    if (commerce_campaign_object(&parser, root, NULL, kind->members, kind->count) == COMMERCE_OK) {
        commerce_directory_names(&parser);
        commerce_directory_order(&parser);
    }

    return parser.wrong == 0 ? COMMERCE_OK : COMMERCE_ERROR;
}


static int
commerce_directory_kind(commerce_campaign_parser_t *parser, commerce_json_t *root, commerce_directory_kind_t *kind)
{
    unsigned          which;
    commerce_json_t  *node;

    if (commerce_json_find(root, commerce_string("/kind"), &node) != COMMERCE_R(OK)) {
        return commerce_campaign_say(parser, "kind", "stands there twice");
    }

    if (node == NULL) {
        return commerce_campaign_say(parser, "kind", "is missing");
    }

    if (commerce_campaign_read_word(parser, "kind", node, commerce_directory_kinds, "\"retail_store\", \"person\","
                                    " \"group\", \"room\", \"channel\" or \"landing\"", &which) != COMMERCE_OK)
    {
        return COMMERCE_ERROR;
    }

    *kind = (commerce_directory_kind_t) which;

    return COMMERCE_OK;
}


/* "kind" was read before the others */

static int
commerce_directory_passed(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    return COMMERCE_OK;
}


static int
commerce_directory_read_id(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    commerce_str_t              *to;
    commerce_directory_text_t   *text = parser->subject;
    commerce_directory_entry_t  *entry = text->entry;

    switch ((commerce_directory_which_t) member->which) {
    case COMMERCE_DIRECTORY_UPLINE:
        to = &entry->upline;
        break;
    case COMMERCE_DIRECTORY_SUCCESSOR:
        to = &entry->successor;
        break;
    case COMMERCE_DIRECTORY_USER:
        to = &entry->user;
        break;
    case COMMERCE_DIRECTORY_STORE:
        to = &entry->store;
        break;
    case COMMERCE_DIRECTORY_WHO:
        to = &entry->person;
        break;
    case COMMERCE_DIRECTORY_WHICH_GROUP:
        to = &entry->group;
        break;
    case COMMERCE_DIRECTORY_PLATFORM:
        to = &entry->platform;
        break;
    case COMMERCE_DIRECTORY_WAY:
        to = &entry->path;
        break;
    case COMMERCE_DIRECTORY_NAME:
        to = &entry->name;
        break;
    case COMMERCE_DIRECTORY_HOST:
        to = &text->shift->host;
        break;
    default:
        to = &entry->id;
    }

    return commerce_campaign_read_id(parser, member->path, node, to);
}


static int
commerce_directory_read_word(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    int                          rc;
    const char                  *allowed;
    commerce_str_t               word;
    commerce_directory_text_t   *text = parser->subject;
    commerce_directory_entry_t  *entry = text->entry;

    word = commerce_string("");

    if (commerce_json_is_number(node) || commerce_json_text(node, &word) != COMMERCE_R(OK)) {
        word = commerce_string("");
    }

    switch ((commerce_directory_word_t) member->which) {
    case COMMERCE_DIRECTORY_ROLE:
        rc = commerce_role_parse(word, &entry->role);
        allowed = "employee, guide, clerk, staff, customer, koc, leader, agency or dealer";
        break;
    case COMMERCE_DIRECTORY_STATUS:
        rc = commerce_person_status_parse(word, &entry->status);
        allowed = "active, suspended, left or cleared";
        break;
    case COMMERCE_DIRECTORY_TRANSFER:
        rc = commerce_transfer_parse(word, &entry->transfer);
        allowed = "pending, accepted, refused or full";
        break;
    case COMMERCE_DIRECTORY_FIELD:
        rc = commerce_field_parse(word, &entry->field);
        allowed = "offline, public_commerce, social_media, private or message";
        break;
    default:
        rc = commerce_origin_parse(word, &entry->origin);
        allowed = "public or private";
    }

    /* the names of what nobody said are empty: leaving the member out says that */

    return rc == COMMERCE_OK && word.len != 0 ? COMMERCE_OK
                                              : commerce_campaign_wrong(parser, member->path, node, allowed);
}


/* which: 0 since, 1 a shift's start, 2 its end */

static int
commerce_directory_read_time(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    commerce_str_t              word;
    commerce_time_t             time;
    commerce_directory_text_t  *text = parser->subject;

    static const char  allowed[] = "a time as \"2026-11-01T20:00:00+08:00\"";

    if (commerce_campaign_read_text(parser, member->path, node, allowed, &word) != COMMERCE_OK) {
        return COMMERCE_ERROR;
    }

    if (commerce_time_parse(word, &time) != COMMERCE_OK) {
        return commerce_campaign_wrong(parser, member->path, node, allowed);
    }

    switch (member->which) {
    case 1:
        text->shift->start = time;
        break;
    case 2:
        text->shift->end = time;
        break;
    default:
        text->entry->since = time;
    }

    return COMMERCE_OK;
}


static int
commerce_directory_read_closed(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    commerce_directory_text_t  *text = parser->subject;

    return commerce_campaign_read_bool(parser, member->path, node, &text->entry->closed);
}


static int
commerce_directory_read_identities(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    int                          rc;
    char                         path[COMMERCE_DIRECTORY_PATH];
    commerce_json_t             *element;
    commerce_directory_text_t   *text = parser->subject;
    commerce_directory_entry_t  *entry = text->entry;

    if (!commerce_json_is_array(node) || commerce_json_count(node) > COMMERCE_IDENTITIES_MAX) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of at most 7 names");
    }

    rc = COMMERCE_OK;

    for (element = commerce_json_first(node); element != NULL; element = commerce_json_next(element)) {
        snprintf(path, sizeof(path), "identities/%u", entry->identity_count);

        if (commerce_campaign_read_id(parser, path, element, &entry->identities[entry->identity_count++])
            != COMMERCE_OK)
        {
            rc = COMMERCE_ERROR;
        }
    }

    return rc;
}


static int
commerce_directory_read_schedule(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node)
{
    int                          rc;
    unsigned                     count;
    commerce_json_t             *element;
    commerce_directory_text_t   *text = parser->subject;
    commerce_directory_entry_t  *entry = text->entry;

    count = commerce_json_is_array(node) ? commerce_json_count(node) : COMMERCE_SHIFTS_MAX + 1;

    if (count > COMMERCE_SHIFTS_MAX) {
        return commerce_campaign_wrong(parser, member->path, node, "a list of at most 64 shifts");
    }

    if (count == 0) {
        return COMMERCE_OK;
    }

    entry->shifts = commerce_alloc(parser->arena, count * sizeof(commerce_directory_shift_t));

    if (entry->shifts == NULL) {
        return commerce_campaign_say(parser, member->path, "does not fit into memory");
    }

    rc = COMMERCE_OK;

    for (element = commerce_json_first(node); element != NULL; element = commerce_json_next(element)) {
        text->shift = &entry->shifts[entry->shift_count];

        if (commerce_directory_read_shift(parser, entry->shift_count++, element) != COMMERCE_OK) {
            rc = COMMERCE_ERROR;
        }
    }

    return rc;
}


static int
commerce_directory_read_shift(commerce_campaign_parser_t *parser, unsigned i, commerce_json_t *node)
{
    char                         shift[COMMERCE_DIRECTORY_PATH];
    char                         paths[COMMERCE_DIRECTORY_SHIFT_MEMBERS][COMMERCE_DIRECTORY_PATH];
    unsigned                     k;
    commerce_campaign_member_t   members[COMMERCE_DIRECTORY_SHIFT_MEMBERS];

    snprintf(shift, sizeof(shift), "schedule/%u", i);

    if (!commerce_json_is_object(node)) {
        return commerce_campaign_wrong(parser, shift, node, "{\"start\":time, \"end\":time, \"host\":person}");
    }

    for (k = 0; k < COMMERCE_DIRECTORY_SHIFT_MEMBERS; k++) {
        members[k] = commerce_directory_shift_members[k];
        members[k].path = paths[k];
        snprintf(paths[k], sizeof(paths[k]), "schedule/%u/%s", i, members[k].name);
    }

    return commerce_campaign_object(parser, node, shift, members, COMMERCE_DIRECTORY_SHIFT_MEMBERS);
}


/* no name of a person's stands there twice */

static void
commerce_directory_names(commerce_campaign_parser_t *parser)
{
    char                               path[COMMERCE_DIRECTORY_PATH];
    unsigned                           i, k;
    bool                               twice;
    commerce_directory_text_t         *text = parser->subject;
    const commerce_directory_entry_t  *entry = text->entry;

    for (i = 0; i < entry->identity_count; i++) {
        twice = commerce_equal(entry->identities[i], entry->user);

        for (k = 0; k < i; k++) {
            twice = twice || commerce_equal(entry->identities[i], entry->identities[k]);
        }

        if (twice) {
            snprintf(path, sizeof(path), "identities/%u", i);
            commerce_campaign_say(parser, path, "is a name that this person has already");
        }
    }
}


static void
commerce_directory_order(commerce_campaign_parser_t *parser)
{
    char                               path[COMMERCE_DIRECTORY_PATH];
    unsigned                           i;
    commerce_directory_text_t         *text = parser->subject;
    const commerce_directory_shift_t  *shifts = text->entry->shifts;

    for (i = 0; i < text->entry->shift_count; i++) {
        snprintf(path, sizeof(path), "schedule/%u", i);

        if (shifts[i].start >= shifts[i].end) {
            commerce_campaign_say(parser, path, "does not end after its start");

        } else if (i > 0 && shifts[i].start < shifts[i - 1].end) {
            commerce_campaign_say(parser, path, "begins before the one before it has ended");
        }
    }
}


void
commerce_directory_write(commerce_write_t *w, const commerce_directory_entry_t *entry)
{
    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "kind", commerce_cstr(commerce_directory_kind_name(entry->kind)));
    commerce_write_text(w, "id", entry->id);

    switch (entry->kind) {
    case COMMERCE_DIRECTORY_PERSON:
        commerce_directory_write_person(w, entry);
        break;

    case COMMERCE_DIRECTORY_GROUP:
        commerce_write_optional(w, "leader", entry->person);
        commerce_write_optional(w, "store", entry->store);
        break;

    case COMMERCE_DIRECTORY_ROOM:
        commerce_write_optional(w, "host", entry->person);
        commerce_directory_write_schedule(w, entry);
        break;

    case COMMERCE_DIRECTORY_CHANNEL:
        commerce_write_optional(w, "seller", entry->person);
        commerce_write_optional(w, "group", entry->group);
        commerce_write_optional(w, "field", commerce_cstr(commerce_field_name(entry->field)));
        commerce_write_optional(w, "origin", commerce_cstr(commerce_origin_name(entry->origin)));
        commerce_write_optional(w, "platform", entry->platform);
        break;

    case COMMERCE_DIRECTORY_LANDING:
        commerce_write_optional(w, "path", entry->path);
        break;

    case COMMERCE_DIRECTORY_RETAIL_STORE:
        commerce_write_optional(w, "name", entry->name);
        commerce_write_bool(w, "closed", entry->closed);
        break;

    default:
        commerce_write_fail(w);
    }

    commerce_write_close(w, '}');
}


static void
commerce_directory_write_person(commerce_write_t *w, const commerce_directory_entry_t *entry)
{
    unsigned  i;

    commerce_write_text(w, "role", commerce_cstr(commerce_role_name(entry->role)));
    commerce_write_text(w, "status", commerce_cstr(commerce_person_status_name(entry->status)));

    if (entry->since != 0) {
        commerce_directory_write_time(w, "since", entry->since);
    }

    commerce_write_optional(w, "upline", entry->upline);
    commerce_write_optional(w, "successor", entry->successor);

    if (entry->transfer != COMMERCE_TRANSFER_PENDING) {
        commerce_write_text(w, "transfer", commerce_cstr(commerce_transfer_name(entry->transfer)));
    }

    commerce_write_optional(w, "user", entry->user);

    if (entry->identity_count != 0) {
        commerce_write_open(w, "identities", '[');

        for (i = 0; i < entry->identity_count; i++) {
            commerce_write_text(w, NULL, entry->identities[i]);
        }

        commerce_write_close(w, ']');
    }

    commerce_write_optional(w, "store", entry->store);
}


static void
commerce_directory_write_schedule(commerce_write_t *w, const commerce_directory_entry_t *entry)
{
    unsigned  i;

    if (entry->shift_count == 0) {
        return;
    }

    commerce_write_open(w, "schedule", '[');

    for (i = 0; i < entry->shift_count; i++) {
        commerce_write_open(w, NULL, '{');
        commerce_directory_write_time(w, "start", entry->shifts[i].start);
        commerce_directory_write_time(w, "end", entry->shifts[i].end);
        commerce_write_text(w, "host", entry->shifts[i].host);
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');
}


static void
commerce_directory_write_time(commerce_write_t *w, const char *name, commerce_time_t time)
{
    char  text[32];

    commerce_time_format(time, text);
    commerce_write_text(w, name, commerce_cstr(text));
}


bool
commerce_directory_same(const commerce_directory_entry_t *a, const commerce_directory_entry_t *b)
{
    unsigned  i;

    if (a->kind != b->kind || a->role != b->role || a->status != b->status || a->since != b->since
        || a->transfer != b->transfer || a->field != b->field || a->origin != b->origin || a->closed != b->closed
        || a->identity_count != b->identity_count || a->shift_count != b->shift_count
        || !commerce_equal(a->id, b->id) || !commerce_equal(a->upline, b->upline)
        || !commerce_equal(a->successor, b->successor) || !commerce_equal(a->user, b->user)
        || !commerce_equal(a->store, b->store) || !commerce_equal(a->person, b->person)
        || !commerce_equal(a->group, b->group) || !commerce_equal(a->platform, b->platform)
        || !commerce_equal(a->path, b->path) || !commerce_equal(a->name, b->name))
    {
        return false;
    }

    for (i = 0; i < a->identity_count; i++) {
        if (!commerce_equal(a->identities[i], b->identities[i])) {
            return false;
        }
    }

    for (i = 0; i < a->shift_count; i++) {
        if (a->shifts[i].start != b->shifts[i].start || a->shifts[i].end != b->shifts[i].end
            || !commerce_equal(a->shifts[i].host, b->shifts[i].host))
        {
            return false;
        }
    }

    return true;
}


/* names are plain, and values end where a comma or a bracket stands outside of texts and brackets */

bool
commerce_directory_member(commerce_str_t *rest, commerce_str_t *name, commerce_str_t *value)
{
    bool         text;
    unsigned     depth;
    const char  *p, *end, *start;

    end = rest->data + rest->len;
    p = rest->data + 1;                     /* "{" or "," */

    if (rest->len < 2 || *p != '"') {
        return false;
    }

    start = ++p;

    while (p < end && *p != '"') {
        p++;
    }

    *name = (commerce_str_t) { start, (size_t) (p - start) };
    start = p + 2;                          /* the quote and the colon */

    for (p = start, text = false, depth = 0; p < end; p++) {

        if (text) {
            if (*p == '\\') {
                p++;

            } else if (*p == '"') {
                text = false;
            }

        } else if (*p == '"') {
            text = true;

        } else if (*p == '[' || *p == '{') {
            depth++;

        } else if (depth == 0 && (*p == ',' || *p == '}')) {
            break;

        } else if (*p == ']' || *p == '}') {
            depth--;
        }
    }

    if (p >= end) {
        return false;
    }

    *value = (commerce_str_t) { start, (size_t) (p - start) };
    *rest = (commerce_str_t) { p, (size_t) (end - p) };

    return true;
}
