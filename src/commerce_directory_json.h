/*
 * Copyright (C) ngx_commerce authors
 *
 * The directory as text: one JSON object for each record, the same in exports, imports and answers.
 *
 *   {"kind":"person", "id":"anna", "role":"koc", "status":"active", "upline":"rosa", "user":"u-anna",
 *    "identities":["spread:77"], "store":"s1", "since":"2026-11-01T00:00:00Z", "successor":"lina",
 *    "transfer":"pending"}
 *   {"kind":"group", "id":"g1", "leader":"rosa", "store":"s1"}
 *   {"kind":"room", "id":"live1", "host":"lina",
 *    "schedule":[{"start":"2026-11-01T12:00:00Z", "end":"2026-11-01T14:00:00Z", "host":"anna"}]}
 *   {"kind":"channel", "id":"poster", "seller":"anna", "group":"g1", "field":"offline", "origin":"private",
 *    "platform":"wecom"}
 *   {"kind":"landing", "id":"autumn", "path":"/pages/autumn"}
 *   {"kind":"retail_store", "id":"s1", "name":"Nanjing Road", "closed":false}
 *
 * Others are named by their external ids, never by numbers: those are one store's own.  The text says all of a record:
 * a member that is not there is empty, nobody, or what a new record has (role customer, status active, transfer
 * pending, open).  Only "kind" and "id" must be there; null and "" are wrong, not empty.
 */

#ifndef COMMERCE_DIRECTORY_JSON_H
#define COMMERCE_DIRECTORY_JSON_H

#include "commerce_campaign.h"
#include "commerce_directory.h"
#include "commerce_write.h"

/* in the order in which an export has them: what others name comes first (but leaders and hosts are persons) */
typedef enum {
    COMMERCE_DIRECTORY_RETAIL_STORE,
    COMMERCE_DIRECTORY_PERSON,
    COMMERCE_DIRECTORY_GROUP,
    COMMERCE_DIRECTORY_ROOM,
    COMMERCE_DIRECTORY_CHANNEL,
    COMMERCE_DIRECTORY_LANDING,
    COMMERCE_DIRECTORY_KINDS
} commerce_directory_kind_t;

typedef struct {
    commerce_time_t  start, end;
    commerce_str_t   host;
} commerce_directory_shift_t;

/* a record whose references are ids; each kind uses the members that its text has, the others are zero */
typedef struct {
    commerce_directory_kind_t    kind;
    commerce_str_t               id;
    commerce_role_t              role;
    commerce_person_status_t     status;
    commerce_time_t              since;         /* 0 = not said */
    commerce_transfer_t          transfer;
    commerce_str_t               upline, successor;
    commerce_str_t               user;
    commerce_str_t               identities[COMMERCE_IDENTITIES_MAX];
    unsigned                     identity_count;
    commerce_str_t               store;         /* person, group */
    commerce_str_t               person;        /* a group's leader, a room's host, a channel's seller */
    commerce_directory_shift_t  *shifts;
    unsigned                     shift_count;
    commerce_str_t               group;
    commerce_field_t             field;
    commerce_origin_t            origin;
    commerce_str_t               platform;
    commerce_str_t               path;
    commerce_str_t               name;
    bool                         closed;
} commerce_directory_entry_t;

const char *commerce_directory_kind_name(commerce_directory_kind_t kind);
int commerce_directory_kind_parse(commerce_str_t name, commerce_directory_kind_t *kind);

/*
 * COMMERCE_OK, or COMMERCE_ERROR after say() was called with a sentence for everything that is wrong, each naming its
 * member.  Whether those exist who are named is not looked at.  Texts live in the arena.
 */
int commerce_directory_parse(commerce_arena_t *arena, commerce_str_t json, commerce_directory_entry_t *entry,
    commerce_campaign_say_pt say, void *data);
/* the same of a text that was parsed already */
int commerce_directory_read(commerce_arena_t *arena, commerce_json_t *root, commerce_directory_entry_t *entry,
    commerce_campaign_say_pt say, void *data);

/* bytes of the longest text; a room's with all of its shifts */
#define COMMERCE_DIRECTORY_JSON_MAX  65536

/* as a value at the top or in an array: parse() reads it back to the same entry; without line feeds */
void commerce_directory_write(commerce_write_t *w, const commerce_directory_entry_t *entry);

bool commerce_directory_same(const commerce_directory_entry_t *a, const commerce_directory_entry_t *b);

/*
 * The members of a text that commerce_directory_write() made, one by one: *rest is the text at first.  value is its
 * JSON.  false at the end.
 */
bool commerce_directory_member(commerce_str_t *rest, commerce_str_t *name, commerce_str_t *value);

#endif
