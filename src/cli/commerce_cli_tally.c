/*
 * Copyright (C) ngx_commerce authors
 *
 * The sums of the store: recruitment, uses of coupons, orders in doubt, numbers given out.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"


static void tally_walk(commerce_cli_check_t *check, commerce_cli_check_person_t **path,
    commerce_cli_check_person_t *person);
static int tally_persons(commerce_cli_check_t *check);
static commerce_cli_check_person_t *tally_find(const commerce_cli_check_t *check, uint64_t number);
static int tally_downlines(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int tally_counter(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data);
static int64_t tally_expected(const commerce_cli_check_t *check, commerce_str_t name, bool *known, bool *closed);
static int64_t tally_uses(const commerce_cli_check_t *check, uint64_t counter);
static void tally_missing(commerce_cli_check_t *check);
static void tally_numbers(commerce_cli_check_t *check);
static commerce_str_t tally_name(const commerce_cli_check_t *check, commerce_str_t key);
static uint64_t tally_hash(commerce_str_t name);
static int tally_hex(commerce_str_t text, size_t digits, uint64_t *number);
static int tally_compare_person(const void *a, const void *b);
static int tally_compare_hash(const void *a, const void *b);


int
commerce_cli_tally_person(commerce_cli_check_t *check, const commerce_person_t *person)
{
    size_t                        room;
    commerce_cli_check_person_t  *persons;

    if (check->person_count == check->person_room) {
        room = check->person_room == 0 ? 1024 : check->person_room * 2;
        persons = realloc(check->persons, room * sizeof(commerce_cli_check_person_t));

        if (persons == NULL) {
            return commerce_cli_fail(check->cli, "out of memory");
        }

        check->persons = persons;
        check->person_room = room;
    }

    persons = &check->persons[check->person_count++];
    memset(persons, 0, sizeof(commerce_cli_check_person_t));

    persons->number = person->number;
    persons->upline = person->upline;
    persons->salaried = commerce_role_salaried(person->role);

    return COMMERCE_CLI_OK;
}


/* a coupon that is reserved or redeemed */
int
commerce_cli_tally_use(commerce_cli_check_t *check, const commerce_coupon_t *coupon)
{
    size_t                     room;
    unsigned                   i, count;
    commerce_count_op_t        ops[COMMERCE_COUNT_OPS];
    commerce_cli_check_use_t  *uses;

    check->totals[coupon->campaign]++;

    if (check->use_count + COMMERCE_COUNT_OPS > check->use_room) {
        room = check->use_room == 0 ? 1024 : check->use_room * 2;
        uses = realloc(check->uses, room * sizeof(commerce_cli_check_use_t));

        if (uses == NULL) {
            return commerce_cli_fail(check->cli, "out of memory");
        }

        check->uses = uses;
        check->use_room = room;
    }

    count = commerce_count_ops(check->cli->reader.arena, check->cli->shop, coupon, NULL, ops);

    for (i = 0; i < count; i++) {
        check->uses[check->use_count].counter = tally_hash(tally_name(check, ops[i].key));
        check->uses[check->use_count++].n = ops[i].n;
    }

    return COMMERCE_CLI_OK;
}


/* of a counter: what stands behind the shop and the kind of record */
static commerce_str_t
tally_name(const commerce_cli_check_t *check, commerce_str_t key)
{
    size_t  prefix;

    prefix = check->cli->shop.len + 3;

    return key.len > prefix ? (commerce_str_t) { key.data + prefix, key.len - prefix }
                            : commerce_string("");
}


void
commerce_cli_tally_done(commerce_cli_check_t *check)
{
    free(check->persons);
    free(check->uses);
}


int
commerce_cli_tally(commerce_cli_check_t *check)
{
    int  rc;

    if (check->use_count != 0) {
        qsort(check->uses, check->use_count, sizeof(commerce_cli_check_use_t),
              tally_compare_hash);
    }

    rc = tally_persons(check);

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(check->cli, 'r', tally_downlines, check);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_scan(check->cli, 'n', tally_counter, check);
    }

    if (rc == COMMERCE_CLI_OK) {
        tally_missing(check);
        tally_numbers(check);
    }

    return rc;
}


static int
tally_persons(commerce_cli_check_t *check)
{
    size_t                         i;
    commerce_cli_check_person_t   *up, **path;

    path = calloc(check->person_count + 1, sizeof(commerce_cli_check_person_t *));
    if (path == NULL) {
        return commerce_cli_fail(check->cli, "out of memory");
    }

    for (i = 0; i < check->person_count; i++) {
        up = tally_find(check, check->persons[i].upline);

        if (up != NULL) {
            up->downlines++;
        }
    }

    for (i = 0; i < check->person_count; i++) {
        tally_walk(check, path, &check->persons[i]);
    }

    free(path);

    return COMMERCE_CLI_OK;
}


static void
tally_walk(commerce_cli_check_t *check, commerce_cli_check_person_t **path,
    commerce_cli_check_person_t *person)
{
    size_t                        n;
    commerce_cli_check_person_t  *up;

    n = 0;

    for (up = person; up != NULL && !up->walked; up = tally_find(check, up->upline)) {
        up->walked = true;
        up->looping = true;
        path[n++] = up;
    }

    if (up != NULL && up->looping) {
        commerce_cli_check_say(check, "person number %llu: the uplines lead back to this person",
                               (unsigned long long) up->number);
    }

    while (n != 0) {
        person = path[--n];
        person->looping = false;
        up = person->salaried ? NULL : tally_find(check, person->upline);
        person->depth = up != NULL ? up->depth + 1 : 1;

        if (person->depth > COMMERCE_TIERS) {
            commerce_cli_check_note(check, "person number %llu: %u deep, %d are allowed unless"
                                    " \"commerce_tiers pay\" is set",
                                    (unsigned long long) person->number, person->depth,
                                    COMMERCE_TIERS);
        }
    }
}


static commerce_cli_check_person_t *
tally_find(const commerce_cli_check_t *check, uint64_t number)
{
    commerce_cli_check_person_t  wanted;

    if (number == 0 || check->person_count == 0) {
        return NULL;
    }

    wanted.number = number;

    return bsearch(&wanted, check->persons, check->person_count,
                   sizeof(commerce_cli_check_person_t), tally_compare_person);
}


static int
tally_downlines(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    int64_t                       value;
    uint64_t                      number;
    commerce_cli_check_t         *check = data;
    commerce_cli_check_person_t  *person;

    check->records++;
    person = NULL;

    if (tally_hex(record->name, 10, &number) == COMMERCE_OK) {
        person = tally_find(check, number);
    }

    if (person == NULL) {
        commerce_cli_check_say(check, "counter of downlines \"%s\": there is no such person",
                               commerce_cli_text(cli, record->name));
        return COMMERCE_CLI_OK;
    }

    if (commerce_view_counter(cli->reader.view, record->key, &value) != COMMERCE_OK) {
        commerce_cli_check_say(check, "counter of downlines of person number %llu: unreadable",
                               (unsigned long long) number);

    } else if (value != (int64_t) person->downlines) {
        commerce_cli_check_say(check, "counter of downlines of person number %llu: %lld where there"
                               " are %llu", (unsigned long long) number, (long long) value,
                               (unsigned long long) person->downlines);
    }

    person->downlines = 0;      /* seen: what remains has no counter */

    return COMMERCE_CLI_OK;
}


static int
tally_counter(commerce_cli_t *cli, const commerce_cli_record_t *record, void *data)
{
    bool                   known, closed;
    int64_t                value, expected;
    const char            *name;
    commerce_cli_check_t  *check = data;

    check->records++;
    name = commerce_cli_text(cli, record->name);

    if (commerce_view_counter(cli->reader.view, record->key, &value) != COMMERCE_OK) {
        commerce_cli_check_say(check, "counter \"%s\": unreadable", name);
        return COMMERCE_CLI_OK;
    }

    if (commerce_cli_check_claims(check, record->name, value)) {
        return COMMERCE_CLI_OK;
    }

    expected = tally_expected(check, record->name, &known, &closed);

    if (!known) {
        commerce_cli_check_say(check, "counter \"%s\": nothing is counted under this name", name);

    } else if (closed ? value < expected : value != expected) {
        commerce_cli_check_say(check, "counter \"%s\": %lld where there are %lld", name,
                               (long long) value, (long long) expected);
    }

    return COMMERCE_CLI_OK;
}


/*
 * "doubt", or a campaign's: see commerce_record.h; a user may be empty: nobody verified.  closed: the totals count
 * coupons that were let go, too, and the others are nobody's business any more.
 */
static int64_t
tally_expected(const commerce_cli_check_t *check, commerce_str_t name, bool *known, bool *closed)
{
    size_t          whole;
    uint64_t        campaign, day;
    commerce_str_t  digits;

    *known = true;
    *closed = false;

    if (commerce_equal(name, commerce_string("doubt"))) {
        return check->doubt;
    }

    *known = false;

    if (name.len < 6 || name.data[0] == '\0' || name.data[1] != '/') {
        return 0;
    }

    digits = (commerce_str_t) { name.data + 2, 4 };

    if (tally_hex(digits, 4, &campaign) != COMMERCE_OK || campaign > COMMERCE_CODE_CAMPAIGN_MAX) {
        return 0;
    }

    whole = 6;

    if (strchr("dDwW", name.data[0]) != NULL) {
        whole = 6 + 1 + 8;
        digits = (commerce_str_t) { name.data + 7, name.len < whole ? 0 : 8 };

        if (digits.len == 0 || name.data[6] != '/' || tally_hex(digits, 8, &day) != COMMERCE_OK) {
            return 0;
        }
    }

    *known = strchr("tTdD", name.data[0]) != NULL
             ? name.len == whole
             : strchr("vVwWgGsS", name.data[0]) != NULL && name.len > whole
               && name.data[whole] == '/';

    *closed = check->closed[campaign];

    if (!*known || (*closed && strchr("tT", name.data[0]) == NULL)) {
        return 0;
    }

    return tally_uses(check, tally_hash(name));
}


/* what all uses together add to this counter */
static int64_t
tally_uses(const commerce_cli_check_t *check, uint64_t counter)
{
    size_t   low, high, middle;
    int64_t  n;

    low = 0;
    high = check->use_count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (check->uses[middle].counter < counter) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    for (n = 0; low < check->use_count && check->uses[low].counter == counter; low++) {
        n += check->uses[low].n;
    }

    return n;
}


static void
tally_missing(commerce_cli_check_t *check)
{
    size_t            i;
    int64_t           value;
    commerce_path_t   path;
    commerce_str_t    key;
    commerce_view_t  *view;

    view = check->cli->reader.view;

    for (i = 0; i < check->person_count; i++) {
        if (check->persons[i].downlines != 0) {
            commerce_path_number(&path, check->cli->shop, 'r', check->persons[i].number, 10);

            if (commerce_view_counter(view, commerce_path_str(&path), &value) == COMMERCE_OK
                && value == 0)
            {
                commerce_cli_check_say(check, "counter of downlines of person number %llu: absent"
                                       " where there are %llu",
                                       (unsigned long long) check->persons[i].number,
                                       (unsigned long long) check->persons[i].downlines);
            }
        }
    }

    for (i = 1; i <= COMMERCE_CODE_CAMPAIGN_MAX; i++) {
        if (check->totals[i] != 0) {
            key = commerce_counter_total(check->cli->arena, check->cli->shop, (unsigned) i);

            if (commerce_view_counter(view, key, &value) == COMMERCE_OK && value == 0) {
                commerce_cli_check_say(check, "counter of uses of campaign number %zu: absent where"
                                       " there are %lld", i, (long long) check->totals[i]);
            }
        }
    }

    key = commerce_counter_doubt(check->cli->arena, check->cli->shop);

    if (check->doubt != 0 && commerce_view_counter(view, key, &value) == COMMERCE_OK && value == 0)
    {
        commerce_cli_check_say(check, "counter of orders in doubt: absent where there are %lld",
                               (long long) check->doubt);
    }
}


/* a number that is given out twice would credit somebody else for what was sold before */
static void
tally_numbers(commerce_cli_check_t *check)
{
    int                       rc;
    unsigned                  i;
    uint64_t                  next;
    commerce_txn_t            txn;
    static const char *const  kinds[COMMERCE_CLI_CHECK_NUMBERS] = {
        [COMMERCE_CLI_CHECK_PERSON] = "person",
        [COMMERCE_CLI_CHECK_GROUP] = "group",
        [COMMERCE_CLI_CHECK_ROOM] = "room",
        [COMMERCE_CLI_CHECK_CAMPAIGN] = "campaign",
        [COMMERCE_CLI_CHECK_CHANNEL] = "channel",
        [COMMERCE_CLI_CHECK_LANDING] = "landing",
    };

    for (i = 0; i < COMMERCE_CLI_CHECK_NUMBERS; i++) {
        commerce_txn_init(&txn, check->cli->arena);      /* never applied */

        rc = commerce_number_take(&check->cli->reader, &txn, kinds[i], UINT64_MAX / 2, &next);

        if (rc != COMMERCE_OK) {
            commerce_cli_check_say(check, "next number of kind \"%s\": unreadable", kinds[i]);

        } else if (next <= check->highest[i]) {
            commerce_cli_check_say(check, "next number of kind \"%s\": %llu, but %llu is given out"
                                   " already", kinds[i], (unsigned long long) next,
                                   (unsigned long long) check->highest[i]);
        }
    }
}


static uint64_t
tally_hash(commerce_str_t name)
{
    return commerce_hash(COMMERCE_HASH_START, name.data, name.len);
}


static int
tally_hex(commerce_str_t text, size_t digits, uint64_t *number)
{
    char         c;
    size_t       i;
    const char  *found;

    static const char  figures[] = "0123456789abcdef";

    if (text.len != digits) {
        return COMMERCE_ERROR;
    }

    *number = 0;

    for (i = 0; i < digits; i++) {
        c = text.data[i];
        found = c != '\0' ? strchr(figures, c) : NULL;

        if (found == NULL) {
            return COMMERCE_ERROR;
        }

        *number = *number << 4 | (uint64_t) (found - figures);
    }

    return COMMERCE_OK;
}


static int
tally_compare_person(const void *a, const void *b)
{
    uint64_t  left, right;

    left = ((const commerce_cli_check_person_t *) a)->number;
    right = ((const commerce_cli_check_person_t *) b)->number;

    return (left > right) - (left < right);
}


static int
tally_compare_hash(const void *a, const void *b)
{
    uint64_t  left, right;

    left = ((const commerce_cli_check_use_t *) a)->counter;
    right = ((const commerce_cli_check_use_t *) b)->counter;

    return (left > right) - (left < right);
}
