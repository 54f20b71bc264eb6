/*
 * Copyright (C) ngx_commerce authors
 *
 * The directory: who sells.  Each record has an external id (the operator's, clear in the log) and a
 * number (what fits into a token), allocated once per shop and never given out again.
 */

#ifndef COMMERCE_DIRECTORY_H
#define COMMERCE_DIRECTORY_H

#include "commerce_reason.h"

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
    COMMERCE_PERSON_LEFT,
    COMMERCE_PERSON_STATUSES
} commerce_person_status_t;

typedef struct {
    uint64_t                  number;       /* 1..2^40-1; 0 = the house */
    commerce_str_t            id;
    commerce_role_t           role;
    commerce_person_status_t  status;
    uint64_t                  upline;       /* who recruited this person; 0 = nobody */
    commerce_str_t            user;         /* the same human as a buyer; empty = none */
    commerce_str_t            store;        /* where this person redeems coupons; empty = anywhere */
} commerce_person_t;

typedef struct {
    uint32_t        number;                 /* 1..2^29-1 */
    commerce_str_t  id;
    uint64_t        leader;                 /* person; 0 = nobody */
} commerce_group_t;

typedef struct {
    uint32_t        number;                 /* 1..2^29-1 */
    commerce_str_t  id;
    uint64_t        host;                   /* person on air; 0 = nobody */
} commerce_room_t;

const char *commerce_role_name(commerce_role_t role);
int commerce_role_parse(commerce_str_t name, commerce_role_t *role);
bool commerce_role_salaried(commerce_role_t role);
const char *commerce_person_status_name(commerce_person_status_t status);
int commerce_person_status_parse(commerce_str_t name, commerce_person_status_t *status);

/* may this person be credited?  OK, OWNER_UNKNOWN (NULL), OWNER_INACTIVE (left), OWNER_FROZEN */
commerce_reason_t commerce_person_judge(const commerce_person_t *person);

#endif
