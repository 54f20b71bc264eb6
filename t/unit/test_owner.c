/*
 * Copyright (C) ngx_commerce authors
 *
 * Who serves a buyer when the seller is suspended, left, has a successor; names and schedules of the directory.
 */

#include "tap.h"
#include "commerce_owner.h"

#define T0    INT64_C(1790000000)
#define WAIT  INT64_C(86400)
#define R     COMMERCE_R

#define PEOPLE  16


static commerce_person_t  people[PEOPLE];
static int                broken;           /* reading this person fails */


static int
get(void *data, uint64_t number, commerce_person_t *person)
{
    if (broken != 0 && number == (uint64_t) broken) {
        return COMMERCE_ERROR;
    }

    if (number >= PEOPLE || people[number].number == 0) {
        return COMMERCE_ABSENT;
    }

    *person = people[number];

    return COMMERCE_OK;
}


static void
person(uint64_t number, commerce_person_status_t status, uint64_t successor, commerce_transfer_t transfer)
{
    memset(&people[number], 0, sizeof(commerce_person_t));
    people[number].number = number;
    people[number].status = status;
    people[number].since = T0;
    people[number].successor = successor;
    people[number].transfer = transfer;
}


static commerce_owner_t
find(uint64_t number, commerce_time_t now, int rc, const char *what)
{
    commerce_owner_t                      owner;
    static const commerce_owner_policy_t  policy = { WAIT, 7 * WAIT };

    is_int(commerce_owner_find(&policy, number, now, get, NULL, &owner), rc, "%s: found", what);

    return owner;
}


static void
is_owner(uint64_t number, commerce_time_t now, commerce_owner_state_t state, uint64_t who, commerce_reason_t reason,
    const char *what)
{
    commerce_owner_t  owner = find(number, now, COMMERCE_OK, what);

    is_int(owner.state, state, "%s: state", what);
    is_int(owner.reason, reason, "%s: reason %s", what, commerce_reason(owner.reason)->name.data);

    if (state != COMMERCE_OWNER_FREE) {
        is_int(owner.person.number, who, "%s: who", what);
    }
}


static void
test_owner(void)
{
    commerce_owner_t                      owner;
    static const commerce_owner_policy_t  patient = { COMMERCE_FOREVER, COMMERCE_FOREVER };

    person(1, COMMERCE_PERSON_ACTIVE, 0, 0);
    person(2, COMMERCE_PERSON_SUSPENDED, 0, 0);
    person(3, COMMERCE_PERSON_LEFT, 0, 0);
    person(4, COMMERCE_PERSON_LEFT, 1, COMMERCE_TRANSFER_PENDING);
    person(5, COMMERCE_PERSON_LEFT, 1, COMMERCE_TRANSFER_ACCEPTED);
    person(6, COMMERCE_PERSON_LEFT, 1, COMMERCE_TRANSFER_REFUSED);
    person(7, COMMERCE_PERSON_LEFT, 1, COMMERCE_TRANSFER_FULL);
    person(8, COMMERCE_PERSON_CLEARED, 1, COMMERCE_TRANSFER_ACCEPTED);
    person(9, COMMERCE_PERSON_LEFT, 2, COMMERCE_TRANSFER_ACCEPTED);
    person(10, COMMERCE_PERSON_LEFT, 5, COMMERCE_TRANSFER_ACCEPTED);
    person(11, COMMERCE_PERSON_LEFT, 4, COMMERCE_TRANSFER_ACCEPTED);
    person(12, COMMERCE_PERSON_LEFT, 12, COMMERCE_TRANSFER_ACCEPTED);
    person(13, COMMERCE_PERSON_LEFT, 15, COMMERCE_TRANSFER_ACCEPTED);
    person(14, (commerce_person_status_t) 77, 1, COMMERCE_TRANSFER_ACCEPTED);

    is_owner(0, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_UNKNOWN), "nobody");
    is_owner(15, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_UNKNOWN), "unknown");
    is_owner(1, T0, COMMERCE_OWNER_ACTIVE, 1, R(OK), "active");
    is_owner(2, T0, COMMERCE_OWNER_FROZEN, 2, R(OWNER_FROZEN), "suspended");
    is_owner(2, T0 + 7 * WAIT - 1, COMMERCE_OWNER_FROZEN, 2, R(OWNER_FROZEN), "last second of grace");
    is_owner(2, T0 + 7 * WAIT, COMMERCE_OWNER_LAPSED, 2, R(OWNER_FROZEN), "grace is over");
    is_owner(3, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "left, no successor");
    is_owner(4, T0, COMMERCE_OWNER_WAITING, 4, R(TRANSFER_WAIT), "left, asked");
    is_owner(4, T0 + WAIT - 1, COMMERCE_OWNER_WAITING, 4, R(TRANSFER_WAIT), "last second of waiting");
    is_owner(4, T0 + WAIT, COMMERCE_OWNER_ACTIVE, 1, R(OK), "silence is consent");
    is_owner(5, T0, COMMERCE_OWNER_ACTIVE, 1, R(OK), "accepted");
    is_owner(6, T0 + 9 * WAIT, COMMERCE_OWNER_FREE, 0, R(TRANSFER_REFUSED), "refused");
    is_owner(7, T0, COMMERCE_OWNER_FREE, 0, R(TRANSFER_FULL), "full");
    is_owner(8, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "cleared: no successor is heard");
    is_owner(9, T0, COMMERCE_OWNER_FROZEN, 2, R(OWNER_FROZEN), "the successor is suspended");
    is_owner(10, T0, COMMERCE_OWNER_ACTIVE, 1, R(OK), "the successor's successor");
    is_owner(11, T0, COMMERCE_OWNER_WAITING, 4, R(TRANSFER_WAIT), "the successor left, his was asked");
    is_owner(12, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "his own successor");
    is_owner(13, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_UNKNOWN), "the successor is unknown");
    is_owner(14, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "a status of the future");

    broken = 1;
    owner = find(5, T0, COMMERCE_ERROR, "unreadable");
    is_int(owner.state, COMMERCE_OWNER_FREE, "unreadable: nobody");
    is_int(owner.person.number, 0, "unreadable: nobody's number");
    broken = 0;

    is_int(commerce_owner_find(&patient, 2, COMMERCE_FOREVER, get, NULL, &owner), COMMERCE_OK, "for ever");
    is_int(owner.state, COMMERCE_OWNER_FROZEN, "for ever: frozen");
}


static void
test_succession(void)
{
    uint64_t  i;

    for (i = 1; i < PEOPLE; i++) {
        person(i, COMMERCE_PERSON_LEFT, i + 1, COMMERCE_TRANSFER_ACCEPTED);
    }

    person(PEOPLE - 1, COMMERCE_PERSON_ACTIVE, 0, 0);

    is_owner(PEOPLE - COMMERCE_SUCCESSION, T0, COMMERCE_OWNER_ACTIVE, PEOPLE - 1, R(OK), "as long as it may be");
    is_owner(PEOPLE - COMMERCE_SUCCESSION - 1, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "longer");

    person(2, COMMERCE_PERSON_LEFT, 1, COMMERCE_TRANSFER_ACCEPTED);
    is_owner(1, T0, COMMERCE_OWNER_FREE, 0, R(OWNER_INACTIVE), "in a circle");
}


static void
test_person(void)
{
    unsigned             i;
    commerce_person_t    p;
    commerce_str_t       names[2] = { commerce_string("union-1"), commerce_string("openid@wx1") };
    commerce_transfer_t  transfer;

    static const char *const  transfers[] = { "pending", "accepted", "refused", "full" };

    memset(&p, 0, sizeof(p));
    p.user = commerce_string("anna");
    p.identities = names;
    p.identity_count = 2;

    ok(!commerce_person_is(&p, commerce_string("anna")), "nobody is no user");
    p.number = 1;
    ok(commerce_person_is(&p, commerce_string("anna")), "by user");
    ok(commerce_person_is(&p, commerce_string("openid@wx1")), "by another name");
    ok(!commerce_person_is(&p, commerce_string("openid@wx2")), "somebody else");
    ok(!commerce_person_is(&p, commerce_string("")), "no user is nobody");
    p.user = commerce_string("");
    ok(!commerce_person_is(&p, commerce_string("")), "... also when he has no name as a buyer");

    for (i = 0; i < COMMERCE_TRANSFERS; i++) {
        is_str(commerce_cstr(commerce_transfer_name(i)), transfers[i], "transfer %u", i);
        is_int(commerce_transfer_parse(commerce_cstr(transfers[i]), &transfer), COMMERCE_OK, "transfer %u parses", i);
        is_int(transfer, i, "transfer %u is itself", i);
    }

    is_int(commerce_transfer_parse(commerce_string("gone"), &transfer), COMMERCE_ERROR, "no transfer");
    is_str(commerce_cstr(commerce_transfer_name((commerce_transfer_t) 9)), "unknown", "out of range");
}


static void
test_schedule(void)
{
    commerce_room_t   room;
    commerce_shift_t  shifts[3] = { { T0, T0 + 10, 1 }, { T0 + 10, T0 + 20, 2 }, { T0 + 30, T0 + 40, 3 } };

    memset(&room, 0, sizeof(room));
    room.host = 9;
    is_int(commerce_room_host(&room, T0), 9, "no schedule");

    room.shifts = shifts;
    room.shift_count = 3;
    is_int(commerce_room_host(&room, T0 - 1), 9, "before the first shift");
    is_int(commerce_room_host(&room, T0), 1, "its first second");
    is_int(commerce_room_host(&room, T0 + 9), 1, "its last second");
    is_int(commerce_room_host(&room, T0 + 10), 2, "the next shift");
    is_int(commerce_room_host(&room, T0 + 20), 9, "between shifts");
    is_int(commerce_room_host(&room, T0 + 39), 3, "the last shift");
    is_int(commerce_room_host(&room, T0 + 40), 9, "after it");

    ok(commerce_schedule_valid(shifts, 3), "valid");
    ok(commerce_schedule_valid(NULL, 0), "none is");
    ok(!commerce_schedule_valid(shifts, COMMERCE_SHIFTS_MAX + 1), "too many");
    shifts[1].start--;
    ok(!commerce_schedule_valid(shifts, 3), "overlapping");
    shifts[1] = (commerce_shift_t) { T0 + 20, T0 + 20, 2 };
    ok(!commerce_schedule_valid(shifts, 3), "empty");
    shifts[1] = (commerce_shift_t) { T0 + 10, T0 + 20, 0 };
    ok(!commerce_schedule_valid(shifts, 3), "nobody on air");
    shifts[1] = (commerce_shift_t) { T0 + 50, T0 + 60, 2 };
    ok(!commerce_schedule_valid(shifts, 3), "out of order");
}


int
main(void)
{
    test_owner();
    test_succession();
    test_person();
    test_schedule();

    return done_testing();
}
