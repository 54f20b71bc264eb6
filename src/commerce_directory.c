/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_directory.h"


static int commerce_name_find(const char *const *names, unsigned count, commerce_str_t name);


static const char *const  commerce_roles[COMMERCE_ROLES] = {
    [COMMERCE_ROLE_EMPLOYEE] = "employee",
    [COMMERCE_ROLE_GUIDE] = "guide",
    [COMMERCE_ROLE_CLERK] = "clerk",
    [COMMERCE_ROLE_STAFF] = "staff",
    [COMMERCE_ROLE_CUSTOMER] = "customer",
    [COMMERCE_ROLE_KOC] = "koc",
    [COMMERCE_ROLE_LEADER] = "leader",
    [COMMERCE_ROLE_AGENCY] = "agency",
    [COMMERCE_ROLE_DEALER] = "dealer",
};

static const char *const  commerce_person_statuses[COMMERCE_PERSON_STATUSES] = {
    [COMMERCE_PERSON_ACTIVE] = "active",
    [COMMERCE_PERSON_SUSPENDED] = "suspended",
    [COMMERCE_PERSON_LEFT] = "left",
};


const char *
commerce_role_name(commerce_role_t role)
{
    return (unsigned) role < COMMERCE_ROLES ? commerce_roles[role] : "unknown";
}


int
commerce_role_parse(commerce_str_t name, commerce_role_t *role)
{
    int  i;

    i = commerce_name_find(commerce_roles, COMMERCE_ROLES, name);
    if (i < 0) {
        return COMMERCE_ERROR;
    }

    *role = (commerce_role_t) i;

    return COMMERCE_OK;
}


bool
commerce_role_salaried(commerce_role_t role)
{
    switch (role) {
    case COMMERCE_ROLE_EMPLOYEE:
    case COMMERCE_ROLE_GUIDE:
    case COMMERCE_ROLE_CLERK:
    case COMMERCE_ROLE_STAFF:
        return true;
    default:
        return false;
    }
}


const char *
commerce_person_status_name(commerce_person_status_t status)
{
    return (unsigned) status < COMMERCE_PERSON_STATUSES ? commerce_person_statuses[status]
                                                        : "unknown";
}


int
commerce_person_status_parse(commerce_str_t name, commerce_person_status_t *status)
{
    int  i;

    i = commerce_name_find(commerce_person_statuses, COMMERCE_PERSON_STATUSES, name);
    if (i < 0) {
        return COMMERCE_ERROR;
    }

    *status = (commerce_person_status_t) i;

    return COMMERCE_OK;
}


commerce_reason_t
commerce_person_judge(const commerce_person_t *person)
{
    if (person == NULL || person->number == 0) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    switch (person->status) {
    case COMMERCE_PERSON_ACTIVE:
        return COMMERCE_R(OK);
    case COMMERCE_PERSON_SUSPENDED:
        return COMMERCE_R(OWNER_FROZEN);
    default:
        /* a status that a newer version may have written is not credited either */
        return COMMERCE_R(OWNER_INACTIVE);
    }
}


static int
commerce_name_find(const char *const *names, unsigned count, commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i < count; i++) {
        if (commerce_equal(commerce_cstr(names[i]), name)) {
            return (int) i;
        }
    }

    return -1;
}
