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
    [COMMERCE_PERSON_CLEARED] = "cleared",
};

static const char *const  commerce_transfers[COMMERCE_TRANSFERS] = {
    [COMMERCE_TRANSFER_PENDING] = "pending",
    [COMMERCE_TRANSFER_ACCEPTED] = "accepted",
    [COMMERCE_TRANSFER_REFUSED] = "refused",
    [COMMERCE_TRANSFER_FULL] = "full",
};

static const char *const  commerce_fields[COMMERCE_FIELDS] = {
    [COMMERCE_FIELD_NONE] = "",
    [COMMERCE_FIELD_OFFLINE] = "offline",
    [COMMERCE_FIELD_PUBLIC_COMMERCE] = "public_commerce",
    [COMMERCE_FIELD_SOCIAL_MEDIA] = "social_media",
    [COMMERCE_FIELD_PRIVATE] = "private",
    [COMMERCE_FIELD_MESSAGE] = "message",
};

static const char *const  commerce_origins[COMMERCE_ORIGINS] = {
    [COMMERCE_ORIGIN_NONE] = "",
    [COMMERCE_ORIGIN_PUBLIC] = "public",
    [COMMERCE_ORIGIN_PRIVATE] = "private",
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


const char *
commerce_transfer_name(commerce_transfer_t transfer)
{
    return (unsigned) transfer < COMMERCE_TRANSFERS ? commerce_transfers[transfer] : "unknown";
}


int
commerce_transfer_parse(commerce_str_t name, commerce_transfer_t *transfer)
{
    int  i;

    i = commerce_name_find(commerce_transfers, COMMERCE_TRANSFERS, name);
    if (i < 0) {
        return COMMERCE_ERROR;
    }

    *transfer = (commerce_transfer_t) i;

    return COMMERCE_OK;
}


const char *
commerce_field_name(commerce_field_t field)
{
    return (unsigned) field < COMMERCE_FIELDS ? commerce_fields[field] : "unknown";
}


int
commerce_field_parse(commerce_str_t name, commerce_field_t *field)
{
    int  i;

    i = commerce_name_find(commerce_fields, COMMERCE_FIELDS, name);
    if (i < 0) {
        return COMMERCE_ERROR;
    }

    *field = (commerce_field_t) i;

    return COMMERCE_OK;
}


const char *
commerce_origin_name(commerce_origin_t origin)
{
    return (unsigned) origin < COMMERCE_ORIGINS ? commerce_origins[origin] : "unknown";
}


int
commerce_origin_parse(commerce_str_t name, commerce_origin_t *origin)
{
    int  i;

    i = commerce_name_find(commerce_origins, COMMERCE_ORIGINS, name);
    if (i < 0) {
        return COMMERCE_ERROR;
    }

    *origin = (commerce_origin_t) i;

    return COMMERCE_OK;
}


bool
commerce_person_is(const commerce_person_t *person, commerce_str_t user)
{
    unsigned  i;

    if (person->number == 0 || user.len == 0) {
        return false;
    }

    if (commerce_equal(person->user, user)) {
        return true;
    }

    for (i = 0; i < person->identity_count; i++) {
        if (commerce_equal(person->identities[i], user)) {
            return true;
        }
    }

    return false;
}


uint64_t
commerce_room_host(const commerce_room_t *room, commerce_time_t now)
{
    unsigned  i;

    for (i = 0; i < room->shift_count && room->shifts[i].start <= now; i++) {
        if (now < room->shifts[i].end) {
            return room->shifts[i].host;
        }
    }

    return room->host;
}


bool
commerce_schedule_valid(const commerce_shift_t *shifts, unsigned count)
{
    unsigned  i;

    if (count > COMMERCE_SHIFTS_MAX) {
        return false;
    }

    for (i = 0; i < count; i++) {
        if (shifts[i].host == 0 || shifts[i].start >= shifts[i].end
            || (i > 0 && shifts[i].start < shifts[i - 1].end))
        {
            return false;
        }
    }

    return true;
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
