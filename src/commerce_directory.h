/*
 * Copyright (C) ngx_commerce authors
 *
 * The directory: who sells.  Each record has an external id (the operator's, clear in the log) and a
 * number (what fits into a token), allocated once per shop and never given out again.
 */

#ifndef COMMERCE_DIRECTORY_H
#define COMMERCE_DIRECTORY_H

#include "commerce_reason.h"

#define COMMERCE_PERSON_MAX  ((1ULL << 40) - 1)     /* numbers fit into a share token */
#define COMMERCE_NUMBER_MAX  ((1U << 29) - 1)

typedef enum {
    COMMERCE_ROLE_EMPLOYEE,     /* employee, guide (导购), clerk and staff are salaried: roots of depth 1 */
    COMMERCE_ROLE_GUIDE,
    COMMERCE_ROLE_CLERK,
    COMMERCE_ROLE_STAFF,
    COMMERCE_ROLE_CUSTOMER,     /* a customer who sells */
    COMMERCE_ROLE_KOC,
    COMMERCE_ROLE_LEADER,       /* 团长 */
    COMMERCE_ROLE_AGENCY,
    COMMERCE_ROLE_DEALER,
    COMMERCE_ROLES
} commerce_role_t;

typedef enum {
    COMMERCE_PERSON_ACTIVE,
    COMMERCE_PERSON_SUSPENDED,  /* frozen: keeps customers, earns nothing */
    COMMERCE_PERSON_LEFT,       /* customers go to the successor, or to the house */
    COMMERCE_PERSON_CLEARED,    /* 清退: customers are anybody's, a successor is not heard */
    COMMERCE_PERSON_STATUSES
} commerce_person_status_t;

typedef enum {                  /* what became of handing a leaver's customers to the successor */
    COMMERCE_TRANSFER_PENDING,  /* asked; silence is consent (commerce_owner.h) */
    COMMERCE_TRANSFER_ACCEPTED,
    COMMERCE_TRANSFER_REFUSED,
    COMMERCE_TRANSFER_FULL,     /* the successor cannot take more */
    COMMERCE_TRANSFERS
} commerce_transfer_t;

#define COMMERCE_IDENTITIES_MAX  7      /* besides the person's user */

typedef struct {
    uint64_t                  number;       /* 1..2^40-1; 0 = the house */
    commerce_str_t            id;
    commerce_role_t           role;
    commerce_person_status_t  status;
    commerce_time_t           since;        /* when the status became what it is; 0 = not known */
    uint64_t                  upline;       /* who recruited this person; 0 = nobody */
    uint64_t                  successor;    /* of one who left; 0 = nobody */
    commerce_transfer_t       transfer;
    commerce_str_t            user;         /* the same human as a buyer; empty = none */
    commerce_str_t           *identities;   /* ... and the other names of that human */
    unsigned                  identity_count;
    commerce_str_t            store;        /* where this person redeems coupons; empty = anywhere */
} commerce_person_t;

typedef struct {
    uint32_t        number;                 /* 1..2^29-1 */
    commerce_str_t  id;
    uint64_t        leader;                 /* person; 0 = nobody */
    commerce_str_t  store;                  /* empty = none */
} commerce_group_t;

typedef struct {
    commerce_time_t  start, end;            /* on air while start <= t < end */
    uint64_t         host;
} commerce_shift_t;

#define COMMERCE_SHIFTS_MAX  64

typedef struct {
    uint32_t          number;               /* 1..2^29-1 */
    commerce_str_t    id;
    uint64_t          host;                 /* person on air outside of the schedule; 0 = nobody */
    commerce_shift_t *shifts;               /* by start, not overlapping */
    unsigned          shift_count;
} commerce_room_t;

/* where a buyer was met (场): the five fields */
typedef enum {
    COMMERCE_FIELD_NONE,                    /* nobody said */
    COMMERCE_FIELD_OFFLINE,                 /* shops, parcels, posters */
    COMMERCE_FIELD_PUBLIC_COMMERCE,         /* marketplaces */
    COMMERCE_FIELD_SOCIAL_MEDIA,
    COMMERCE_FIELD_PRIVATE,                 /* groups, moments, chats with a guide */
    COMMERCE_FIELD_MESSAGE,                 /* SMS, mail, subscription messages */
    COMMERCE_FIELDS
} commerce_field_t;

/* whose traffic brought him: a platform's, or the merchant's own */
typedef enum {
    COMMERCE_ORIGIN_NONE,
    COMMERCE_ORIGIN_PUBLIC,
    COMMERCE_ORIGIN_PRIVATE,
    COMMERCE_ORIGINS
} commerce_origin_t;

/* a code that was put up somewhere (渠道活码): a QR code's scene, a WeCom state */
typedef struct {
    uint32_t           number;              /* 1..2^29-1 */
    commerce_str_t     id;
    uint64_t           seller;              /* person; 0 = nobody */
    uint32_t           group;               /* 0 = none */
    commerce_field_t   field;
    commerce_origin_t  origin;
    commerce_str_t     platform;            /* empty = none */
} commerce_channel_t;

/* what a product or content token leads to */
typedef struct {
    uint32_t        number;                 /* 1..2^29-1 */
    commerce_str_t  id;
    commerce_str_t  path;                   /* empty = none */
} commerce_landing_t;

/* a shop that people walk into */
typedef struct {
    commerce_str_t  id;
    commerce_str_t  name;                   /* for reports; empty = none */
    bool            closed;
} commerce_retail_store_t;

/* fills *person; COMMERCE_OK, COMMERCE_ABSENT, COMMERCE_ERROR */
typedef int (*commerce_person_get_t)(void *data, uint64_t number, commerce_person_t *person);

const char *commerce_role_name(commerce_role_t role);
int commerce_role_parse(commerce_str_t name, commerce_role_t *role);
bool commerce_role_salaried(commerce_role_t role);
const char *commerce_person_status_name(commerce_person_status_t status);
int commerce_person_status_parse(commerce_str_t name, commerce_person_status_t *status);
const char *commerce_transfer_name(commerce_transfer_t transfer);
int commerce_transfer_parse(commerce_str_t name, commerce_transfer_t *transfer);
const char *commerce_field_name(commerce_field_t field);            /* NONE: "" */
int commerce_field_parse(commerce_str_t name, commerce_field_t *field);
const char *commerce_origin_name(commerce_origin_t origin);         /* NONE: "" */
int commerce_origin_parse(commerce_str_t name, commerce_origin_t *origin);

/* is this user the person, under any of his names? */
bool commerce_person_is(const commerce_person_t *person, commerce_str_t user);

/* the person on air: the shift's host, or the room's; 0 = nobody */
uint64_t commerce_room_host(const commerce_room_t *room, commerce_time_t now);

/* every shift has a host and ends after its start, none begins before the one before it has ended */
bool commerce_schedule_valid(const commerce_shift_t *shifts, unsigned count);

/* may this person be credited?  OK, OWNER_UNKNOWN (NULL), OWNER_INACTIVE (left, cleared), OWNER_FROZEN */
commerce_reason_t commerce_person_judge(const commerce_person_t *person);

#endif
