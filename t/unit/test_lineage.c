/*
 * Copyright (C) ngx_commerce authors
 *
 * Two tiers at most: who is paid, who may join, and trees that are deep, circular or broken.
 */

#include "tap.h"
#include "commerce_lineage.h"

#define R       COMMERCE_R
#define STRICT  COMMERCE_TIERS_STRICT
#define PAY     COMMERCE_TIERS_PAY
#define PEOPLE  256

typedef struct {
    commerce_person_t  people[PEOPLE];
    uint64_t           broken;          /* reading this person fails */
    unsigned           gets;
} directory_t;

static directory_t  dir;


static int
get(void *data, uint64_t number, commerce_person_t *person)
{
    directory_t  *d = data;

    d->gets++;

    if (number == d->broken) {
        return COMMERCE_ERROR;
    }

    if (number >= PEOPLE || d->people[number].number == 0) {
        return COMMERCE_ABSENT;
    }

    *person = d->people[number];

    return COMMERCE_OK;
}


static commerce_person_t *
add(uint64_t number, uint64_t upline)
{
    commerce_person_t  *person = &dir.people[number];

    memset(person, 0, sizeof(*person));
    person->number = number;
    person->upline = upline;
    person->role = COMMERCE_ROLE_CUSTOMER;
    person->id = commerce_string("somebody");

    return person;
}


/* 1 is the root, n was recruited by n - 1 */

static void
chain(unsigned depth)
{
    unsigned  n;

    memset(&dir, 0, sizeof(dir));

    for (n = 1; n <= depth; n++) {
        add(n, n - 1);
    }
}


static commerce_lineage_t
of(uint64_t seller, uint64_t buyer)
{
    commerce_lineage_t  lineage;

    memset(&lineage, 0xa5, sizeof(lineage));
    dir.gets = 0;
    commerce_lineage_of(&dir.people[seller], buyer, get, &dir, &lineage);

    return lineage;
}


static void
expect(commerce_lineage_t l, uint64_t tier2, unsigned depth, commerce_reason_t reason,
    const char *what)
{
    is_int(l.tier2, tier2, "%s: tier 2", what);
    is_int(l.depth, depth, "%s: depth", what);
    is_int(l.reason, reason, "%s: %s", what, commerce_reason(l.reason)->name.data);
    ok((l.tier2 == 0) == (l.tier2_id.len == 0), "%s: id of tier 2 goes with it", what);
}


static void
test_of(void)
{
    commerce_lineage_t  l;

    chain(3);

    memset(&l, 0xa5, sizeof(l));
    commerce_lineage_of(NULL, 0, get, &dir, &l);
    is_int(l.seller, 0, "house: nobody");
    expect(l, 0, 0, R(OK), "house");
    expect(of(0, 0), 0, 0, R(OK), "person 0");

    dir.people[2].id = commerce_string("boris");
    l = of(3, 0);
    is_int(l.seller, 3, "tier 1 is the seller");
    is_str(l.tier2_id, "boris", "tier 2 by id");

    expect(of(1, 0), 0, 1, R(OK), "a root");
    expect(of(2, 0), 1, 2, R(OK), "depth 2");
    expect(of(3, 0), 2, 3, R(LINEAGE_TRUNCATED), "depth 3 is cut");
    expect(of(2, 1), 0, 2, R(OK), "the buyer is tier 2");
    expect(of(2, 2), 1, 2, R(OK), "the buyer is tier 1");
    expect(of(3, 1), 2, 3, R(LINEAGE_TRUNCATED), "the buyer is further up");
    expect(of(3, 2), 0, 3, R(LINEAGE_TRUNCATED), "tier 2 buys: the next one is not paid instead");

    dir.people[1].status = COMMERCE_PERSON_SUSPENDED;
    expect(of(2, 0), 0, 2, R(OK), "tier 2 is suspended");
    expect(of(3, 0), 2, 3, R(LINEAGE_TRUNCATED), "suspended further up");
    dir.people[1].status = COMMERCE_PERSON_LEFT;
    expect(of(2, 0), 0, 2, R(OK), "tier 2 has left");
    dir.people[1].status = COMMERCE_PERSON_ACTIVE;
    dir.people[2].status = COMMERCE_PERSON_SUSPENDED;
    expect(of(2, 0), 0, 2, R(OK), "tier 1 is suspended: nothing for tier 2");
    expect(of(3, 0), 0, 3, R(LINEAGE_TRUNCATED), "suspended tier 2 is not skipped to the next");
    dir.people[2].status = COMMERCE_PERSON_ACTIVE;

    dir.people[2].user = dir.people[1].user = commerce_string("u-7");
    expect(of(2, 0), 0, 2, R(OK), "one human with two numbers is paid once");
    dir.people[2].user = commerce_string("u-8");
    expect(of(2, 0), 1, 2, R(OK), "two humans are two");
}


static void
test_salaried(void)
{
    unsigned  role;

    for (role = 0; role < COMMERCE_ROLES; role++) {
        chain(3);
        dir.people[2].role = role;

        if (role <= COMMERCE_ROLE_STAFF) {
            expect(of(2, 0), 0, 1, R(OK), commerce_role_name(role));
            expect(of(3, 0), 2, 2, R(OK), "recruited by the salaried");

        } else {
            expect(of(2, 0), 1, 2, R(OK), commerce_role_name(role));
            expect(of(3, 0), 2, 3, R(LINEAGE_TRUNCATED), "recruited by the recruited");
        }
    }
}


static void
test_broken(void)
{
    chain(3);
    dir.people[3].upline = 200;
    expect(of(3, 0), 0, 1, R(TIER_UNVERIFIED), "the recruiter is missing");

    chain(3);
    dir.people[1].number = 0;
    expect(of(2, 0), 0, 1, R(TIER_UNVERIFIED), "the root is missing");
    expect(of(3, 0), 2, 2, R(TIER_UNVERIFIED), "missing above tier 2");

    chain(3);
    dir.broken = 2;
    expect(of(3, 0), 0, 1, R(TIER_UNVERIFIED), "the recruiter cannot be read");
    dir.broken = 1;
    expect(of(3, 0), 2, 2, R(TIER_UNVERIFIED), "unreadable above tier 2");

    chain(3);
    dir.people[2].number = 9;
    expect(of(3, 0), 0, 1, R(TIER_UNVERIFIED), "somebody else's record");
}


static void
test_deep(void)
{
    commerce_lineage_t  l;

    chain(51);
    expect(of(51, 0), 50, 51, R(LINEAGE_TRUNCATED), "51 deep");

    chain(66);
    expect(of(65, 0), 64, 65, R(LINEAGE_TRUNCATED), "64 steps");
    is_int(dir.gets, 64, "64 steps: all read");
    l = of(66, 0);
    is_int(l.tier2, 0, "65 steps: a loop, no tier 2");
    is_int(l.reason, R(TIER_UNVERIFIED), "65 steps: unverified");
    is_int(dir.gets, 64, "65 steps: not all read");

    chain(3);
    dir.people[1].upline = 3;
    l = of(3, 0);
    is_int(l.tier2, 0, "circle: no tier 2");
    is_int(l.reason, R(TIER_UNVERIFIED), "circle: unverified");

    add(9, 3);
    l = of(9, 0);
    is_int(l.tier2, 0, "circle further up: no tier 2");
    is_int(l.reason, R(TIER_UNVERIFIED), "circle further up: unverified");
    ok(dir.gets <= COMMERCE_LINEAGE_WALK, "circle: the walk is bounded");

    add(5, 5);
    l = of(5, 0);
    is_int(l.tier2, 0, "his own recruiter is not paid twice");
    is_int(l.reason, R(TIER_UNVERIFIED), "his own recruiter: unverified");
}


static commerce_reason_t
join(commerce_tiers_t tiers, uint64_t person, bool has_downline, uint64_t parent)
{
    commerce_person_t  nobody, new;

    memset(&nobody, 0, sizeof(nobody));
    memset(&new, 0, sizeof(new));
    new.role = COMMERCE_ROLE_CUSTOMER;

    return commerce_lineage_join(tiers, person != 0 ? &dir.people[person] : &new, has_downline,
                                 parent != 0 ? &dir.people[parent] : &nobody, get, &dir);
}


static void
test_join(void)
{
    commerce_person_t  person;

    chain(3);
    add(10, 0);

    is_int(join(STRICT, 0, false, 1), R(OK), "a new person under a root");
    is_int(join(STRICT, 10, false, 1), R(OK), "a known person under a root");
    is_int(join(STRICT, 0, false, 2), R(TIER_DEPTH_EXCEEDED), "under depth 2");
    is_int(join(STRICT, 0, false, 3), R(TIER_DEPTH_EXCEEDED), "under depth 3");
    is_int(join(STRICT, 10, true, 1), R(TIER_DEPTH_EXCEEDED), "with downlines under a root");
    is_int(join(PAY, 0, false, 2), R(OK), "pay: under depth 2");
    is_int(join(PAY, 10, true, 3), R(OK), "pay: with downlines");

    is_int(join(STRICT, 0, false, 0), R(LINEAGE_UNKNOWN), "no parent");
    is_int(join(STRICT, 0, false, 100), R(LINEAGE_UNKNOWN), "an empty parent");
    memset(&person, 0, sizeof(person));
    is_int(commerce_lineage_join(STRICT, &person, false, NULL, get, &dir), R(LINEAGE_UNKNOWN),
           "NULL parent");

    dir.people[1].status = COMMERCE_PERSON_SUSPENDED;
    is_int(join(STRICT, 0, false, 1), R(OWNER_FROZEN), "under a suspended one");
    is_int(join(PAY, 0, false, 1), R(OWNER_FROZEN), "pay: under a suspended one");
    dir.people[1].status = COMMERCE_PERSON_LEFT;
    is_int(join(PAY, 0, false, 1), R(OWNER_INACTIVE), "under one who left");
    dir.people[1].status = COMMERCE_PERSON_ACTIVE;

    is_int(join(STRICT, 10, false, 10), R(TIER_SELF), "under himself");
    is_int(join(PAY, 10, false, 10), R(TIER_SELF), "pay: under himself");
    person.user = dir.people[1].user = commerce_string("u-1");
    is_int(commerce_lineage_join(PAY, &person, false, &dir.people[1], get, &dir), R(TIER_SELF),
           "the same user");
    person.user = commerce_string("u-2");
    is_int(commerce_lineage_join(PAY, &person, false, &dir.people[1], get, &dir), R(OK),
           "another user");

    is_int(join(STRICT, 3, false, 10), R(ALREADY_JOINED), "has an upline");
    is_int(join(PAY, 3, false, 10), R(ALREADY_JOINED), "pay: has an upline");
    dir.people[10].role = COMMERCE_ROLE_GUIDE;
    is_int(join(STRICT, 10, false, 1), R(ALREADY_JOINED), "is salaried");

    dir.people[2].role = COMMERCE_ROLE_CLERK;
    is_int(join(STRICT, 0, false, 2), R(OK), "under a salaried one with an upline");
    is_int(join(STRICT, 0, false, 3), R(TIER_DEPTH_EXCEEDED), "under his recruit");
}


static void
test_loops(void)
{
    /* A(1) -> B(2) -> C(3); A may not join under his own people */

    chain(3);
    is_int(join(STRICT, 1, true, 3), R(LINEAGE_LOOP), "A->B->C->A");
    is_int(join(PAY, 1, true, 3), R(LINEAGE_LOOP), "pay: A->B->C->A");
    is_int(join(PAY, 1, true, 2), R(LINEAGE_LOOP), "pay: A->B->A");

    chain(51);
    is_int(join(PAY, 1, true, 51), R(LINEAGE_LOOP), "51 deep: the root under the last");
    is_int(join(PAY, 0, false, 51), R(OK), "51 deep: one more");
    is_int(join(STRICT, 0, false, 51), R(TIER_DEPTH_EXCEEDED), "51 deep: strict");

    chain(66);
    is_int(join(PAY, 0, false, 65), R(OK), "64 steps");
    is_int(join(PAY, 0, false, 66), R(LINEAGE_LOOP), "65 steps are a loop");

    chain(3);
    dir.people[1].upline = 3;
    dir.gets = 0;
    is_int(join(PAY, 0, false, 2), R(LINEAGE_LOOP), "a circle above the parent");
    ok(dir.gets <= COMMERCE_LINEAGE_WALK, "... the walk is bounded");

    chain(3);
    dir.people[1].number = 0;
    is_int(join(STRICT, 0, false, 2), R(INTERNAL), "a missing ancestor");
    is_int(join(PAY, 0, false, 3), R(INTERNAL), "pay: a missing ancestor");

    chain(3);
    dir.broken = 1;
    is_int(join(STRICT, 0, false, 2), R(INTERNAL), "an unreadable ancestor");
    is_int(join(PAY, 0, false, 3), R(INTERNAL), "pay: an unreadable ancestor");
}


static void
test_directory(void)
{
    unsigned                  n;
    commerce_role_t           role;
    commerce_person_t         person;
    commerce_person_status_t  status;

    for (n = 0; n < COMMERCE_ROLES; n++) {
        role = COMMERCE_ROLES;
        is_int(commerce_role_parse(commerce_cstr(commerce_role_name(n)), &role), COMMERCE_OK,
               "role %s is read", commerce_role_name(n));
        is_int(role, n, "... as itself");
        is_int(commerce_role_salaried(n), n <= COMMERCE_ROLE_STAFF, "... salaried or not");
    }

    for (n = 0; n < COMMERCE_PERSON_STATUSES; n++) {
        status = COMMERCE_PERSON_STATUSES;
        is_int(commerce_person_status_parse(commerce_cstr(commerce_person_status_name(n)),
                                            &status), COMMERCE_OK, "status %u is read", n);
        is_int(status, n, "... as itself");
    }

    is_int(commerce_role_parse(commerce_string("Guide"), &role), COMMERCE_ERROR, "upper case");
    is_int(commerce_role_parse(commerce_string("guid"), &role), COMMERCE_ERROR, "a part");
    is_int(commerce_role_parse(commerce_string("guides"), &role), COMMERCE_ERROR, "more");
    is_int(commerce_role_parse(commerce_string("guide\0"), &role), COMMERCE_ERROR, "a NUL");
    is_int(commerce_role_parse(commerce_cstr(NULL), &role), COMMERCE_ERROR, "nothing");
    is_int(commerce_person_status_parse(commerce_string("frozen"), &status), COMMERCE_ERROR,
           "no such status");
    is_str(commerce_cstr(commerce_role_name(COMMERCE_ROLES)), "unknown", "role out of range");
    is_str(commerce_cstr(commerce_person_status_name(COMMERCE_PERSON_STATUSES)), "unknown",
           "status out of range");

    memset(&person, 0, sizeof(person));
    is_int(commerce_person_judge(NULL), R(OWNER_UNKNOWN), "NULL is unknown");
    is_int(commerce_person_judge(&person), R(OWNER_UNKNOWN), "number 0 is unknown");
    person.number = 1;
    is_int(commerce_person_judge(&person), R(OK), "active");
    person.status = COMMERCE_PERSON_SUSPENDED;
    is_int(commerce_person_judge(&person), R(OWNER_FROZEN), "suspended");
    person.status = COMMERCE_PERSON_LEFT;
    is_int(commerce_person_judge(&person), R(OWNER_INACTIVE), "left");
    person.status = COMMERCE_PERSON_STATUSES;
    is_int(commerce_person_judge(&person), R(OWNER_INACTIVE), "a status of the future");
}


int
main(void)
{
    test_of();
    test_salaried();
    test_broken();
    test_deep();
    test_join();
    test_loops();
    test_directory();

    return done_testing();
}
