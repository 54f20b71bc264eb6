/*
 * Copyright (C) ngx_commerce authors
 *
 * Reading a campaign's file: the walk over its members (commerce_campaign_parse.c), those that say when it runs
 * (commerce_campaign_when.c), and values with the sentences that say what is wrong about them
 * (commerce_campaign_value.c).  For these only, and for commerce_commission_parse.c and commerce_directory_json.c,
 * whose texts are read by the same walk: there campaign is NULL and subject is the plan or the record.
 *
 * Every reader returns COMMERCE_ERROR after it has said why; the walk goes on, so that all is told at once.
 */

#ifndef COMMERCE_CAMPAIGN_PARSE_H
#define COMMERCE_CAMPAIGN_PARSE_H

#include "commerce_campaign.h"

#define COMMERCE_CAMPAIGN_LIMIT_MAX  1000000000000LL

typedef struct {
    commerce_arena_t          *arena;
    commerce_zone_find_pt      zones;
    commerce_campaign_t       *campaign;
    void                      *subject;         /* another file's */
    commerce_campaign_say_pt   say;
    void                      *data;
    unsigned                   version;         /* the file's */
    unsigned                   wrong;           /* sentences said */
    commerce_str_t             from, until;     /* as they stand there: a date needs the zone */
    commerce_str_t             claim_from, claim_until;
} commerce_campaign_parser_t;

typedef struct commerce_campaign_member_s  commerce_campaign_member_t;

struct commerce_campaign_member_s {
    const char  *name;          /* within its object */
    const char  *path;          /* as the sentence names it */
    int        (*read)(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
                       commerce_json_t *node);
    unsigned     since;         /* the first version that has it */
    bool         required;
    unsigned     which;         /* the reader's: a count, a scope */
};

#define COMMERCE_CAMPAIGN_COUNT(members)  (sizeof(members) / sizeof(members[0]))

/* the members of an object, each by its reader; at most 32, path NULL for the whole */
int commerce_campaign_object(commerce_campaign_parser_t *parser, commerce_json_t *object, const char *path,
    const commerce_campaign_member_t *members, unsigned count);

int commerce_campaign_read_uint(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    int64_t min, int64_t max, const char *unit, int64_t *value);
int commerce_campaign_read_text(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    const char *allowed, commerce_str_t *value);
int commerce_campaign_read_id(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    commerce_str_t *value);
int commerce_campaign_read_bool(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    bool *value);
/* which of the words (NULL at the end) the string is; allowed: the same for a reader */
int commerce_campaign_read_word(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    const char *const *words, const char *allowed, unsigned *which);

/* members that say when (commerce_campaign_when.c); times() makes them the campaign's when all were read */
int commerce_campaign_zone(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
int commerce_campaign_from(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
int commerce_campaign_until(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
int commerce_campaign_hours(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
int commerce_campaign_times(commerce_campaign_parser_t *parser);

/* a time, or a date, which is one only when the zone is known */
int commerce_campaign_moment(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    commerce_str_t *text);

/* members "claim" and "redeem" (commerce_campaign_claim.c) */
int commerce_campaign_claim(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);
int commerce_campaign_redeem(commerce_campaign_parser_t *parser, const commerce_campaign_member_t *member,
    commerce_json_t *node);

/* both return COMMERCE_ERROR */
int commerce_campaign_wrong(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    const char *allowed);
int commerce_campaign_say(commerce_campaign_parser_t *parser, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define COMMERCE_CAMPAIGN_SHOWN  60     /* bytes of a wrong value in the sentence */

/* text without control characters, cut */
void commerce_campaign_print(commerce_str_t text, char out[COMMERCE_CAMPAIGN_SHOWN + 8]);

#endif
