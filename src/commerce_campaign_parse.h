/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the reader of campaign files: what its parts share.
 *
 * An object is read by a table of its members.  Each member's function checks and stores the value, or leaves a
 * sentence with the member's path, what stands there and what is allowed, and returns COMMERCE_ERROR.
 */

#ifndef COMMERCE_CAMPAIGN_PARSE_H
#define COMMERCE_CAMPAIGN_PARSE_H

#include "commerce_campaign.h"

#define COMMERCE_CAMPAIGN_LIMIT_RANGE  "a whole number from 1 to 1000000000000"
#define COMMERCE_CAMPAIGN_LIMIT_MAX    1000000000000ULL

typedef struct {
    commerce_arena_t     *arena;
    commerce_campaign_t  *campaign;
    char                 *error;
    size_t                error_size;
} commerce_campaign_parser_t;

typedef struct {
    const char  *name;          /* within its object */
    const char  *path;          /* as the sentence names it */
    int        (*read)(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node);
    bool         required;
} commerce_campaign_member_t;

#define COMMERCE_CAMPAIGN_COUNT(members)  (sizeof(members) / sizeof(members[0]))

/* at most 32 members; path: of the object, NULL for the whole campaign */
int commerce_campaign_object(commerce_campaign_parser_t *parser, commerce_json_t *object, const char *path,
    const commerce_campaign_member_t *members, unsigned count);

int commerce_campaign_read_uint(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    uint64_t min, uint64_t max, const char *allowed, uint64_t *value);
int commerce_campaign_read_text(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    const char *allowed, commerce_str_t *value);
int commerce_campaign_read_time(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    commerce_time_t *value);

/* "member ... is ...; allowed is ..."; "member ... <what>" */
int commerce_campaign_wrong(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node,
    const char *allowed);
int commerce_campaign_say(commerce_campaign_parser_t *parser, const char *path, const char *what);

/* commerce_campaign_claim.c: members "claim" and "redeem" */
int commerce_campaign_claim(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node);
int commerce_campaign_redeem(commerce_campaign_parser_t *parser, const char *path, commerce_json_t *node);

#endif
