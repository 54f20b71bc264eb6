/*
 * Copyright (C) ngx_commerce authors
 *
 * The rules of src/, asked line by line, for t/oracle/Rules.pm to be compared with.  Numbers, separated by spaces;
 * -1 stands for COMMERCE_FOREVER.  Every line but H, P and p is answered by one.
 *
 *   H                                    a history begins: nobody is known, two buyers are bound to nobody
 *   P validity protect extend renew new_only self wait grace      the policies
 *   p number role status since upline successor transfer user     a person, new or changed
 *   t buyer time seller number customer  a touch: seller is whose it is, number the buyer's own as a person
 *   x buyer ordered                      an order that was placed then is paid
 *   r buyer seller time                  an operator gives the buyer away
 *   m time                               both buyers are one: the first one keeps what comes of it
 *   q buyer time                         how things stand
 *   e buyer time seller strength first   is this touch late?
 *   w self preset number line n (source seller leaving admits)*   who wins; admits: a bit for each line, -1 = all
 *   l seller number                      who is tier 2
 *   j tiers person downline parent       may he join?  one who is not known: new
 *   c cap tier1 tier2 net                amounts
 *   v time digest lookback attested      has the first buyer seen this touch?
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "commerce_commission.h"
#include "commerce_lineage.h"


#define ORACLE_PEOPLE    128
#define ORACLE_NUMBERS   128            /* on one line */


typedef struct {
    commerce_binding_policy_t  policy;
    commerce_owner_policy_t    owner;
    commerce_person_t          people[ORACLE_PEOPLE];       /* by number */
    char                       names[ORACLE_PEOPLE][2][24];
    commerce_binding_t         bindings[2];
    commerce_buyer_t           memory;
} oracle_t;

static oracle_t  oracle;
static int64_t   numbers[ORACLE_NUMBERS];
static unsigned  number_count;


static int64_t
number(unsigned i)
{
    return i < number_count ? numbers[i] : 0;
}


static int64_t
duration(unsigned i)
{
    return number(i) < 0 ? COMMERCE_FOREVER : number(i);
}


static int64_t
shown(int64_t time)
{
    return time == COMMERCE_FOREVER ? -1 : time;
}


static int
get(void *data, uint64_t n, commerce_person_t *person)
{
    if (n == 0 || n >= ORACLE_PEOPLE || oracle.people[n].number == 0) {
        memset(person, 0, sizeof(commerce_person_t));
        return COMMERCE_ABSENT;
    }

    *person = oracle.people[n];

    return COMMERCE_OK;
}


static commerce_binding_t *
binding(void)
{
    return &oracle.bindings[number(0) == 1];
}


static const char *
reason(commerce_reason_t r)
{
    return commerce_reason(r)->name.data;
}


static void
person(void)
{
    uint64_t            n = (uint64_t) number(0);
    commerce_person_t  *p;

    if (n == 0 || n >= ORACLE_PEOPLE) {
        return;
    }

    p = &oracle.people[n];
    memset(p, 0, sizeof(commerce_person_t));

    snprintf(oracle.names[n][0], sizeof(oracle.names[n][0]), "p%" PRIu64, n);
    snprintf(oracle.names[n][1], sizeof(oracle.names[n][1]), "u%" PRId64, number(7));

    p->number = n;
    p->id = commerce_cstr(oracle.names[n][0]);
    p->role = (commerce_role_t) number(1);
    p->status = (commerce_person_status_t) number(2);
    p->since = number(3);
    p->upline = (uint64_t) number(4);
    p->successor = (uint64_t) number(5);
    p->transfer = (commerce_transfer_t) number(6);
    p->user = number(7) != 0 ? commerce_cstr(oracle.names[n][1]) : commerce_string("");
}


static void
policy(void)
{
    oracle.policy = (commerce_binding_policy_t) {
        .validity = duration(0), .protect = duration(1), .order_extend = number(2), .renew = number(3) != 0,
        .new_only = number(4) != 0, .self_purchase = (commerce_self_purchase_t) number(5)
    };

    oracle.owner = (commerce_owner_policy_t) { .transfer_wait = number(6), .frozen_grace = duration(7) };
}


/* how a binding stands: who, since when, until when, and what that means now */

static void
tell(const commerce_binding_t *b, const char *said, commerce_time_t now)
{
    commerce_owner_t  owner;

    (void) commerce_owner_find(&oracle.owner, b->owner, now, get, NULL, &owner);

    printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %s %s\n", said, b->owner,
           b->origin, b->previous, b->start, shown(commerce_binding_end(b)), shown(commerce_binding_protected_until(b)),
           commerce_binding_state_name(commerce_binding_state(b, now)),
           commerce_binding_state_name(commerce_binding_held(b, &owner, now)));
}


static void
touch(void)
{
    char                 said[128];
    commerce_time_t      now = number(1);
    commerce_owner_t     owner;
    commerce_person_t    seller;
    commerce_reason_t    first, second;
    commerce_binding_t  *b = binding();

    (void) commerce_owner_find(&oracle.owner, b->owner, now, get, NULL, &owner);

    first = commerce_binding_inherit(b, &owner, now);

    second = get(NULL, (uint64_t) number(2), &seller) == COMMERCE_OK ? commerce_person_judge(&seller)
                                                                      : commerce_person_judge(NULL);

    if (second == COMMERCE_R(OK)) {
        second = commerce_binding_touch(&oracle.policy, b, &owner, (uint64_t) number(2), (uint64_t) number(3),
                                        number(4) != 0, now);
    }

    snprintf(said, sizeof(said), "%s %s", reason(first), reason(second));
    tell(b, said, now);
}


static void
late(void)
{
    commerce_touch_t  t;
    commerce_owner_t  owner;

    memset(&t, 0, sizeof(commerce_touch_t));
    t.source = COMMERCE_SOURCE_SHARE;
    t.seller = (uint64_t) number(2);
    t.strength = (commerce_strength_t) number(3);
    t.first = number(4);

    (void) commerce_owner_find(&oracle.owner, binding()->owner, number(1), get, NULL, &owner);

    printf("%d\n", commerce_attribution_late(binding(), &owner, &t, number(1)));
}


static void
winner(void)
{
    static uint8_t        lines[COMMERCE_CANDIDATES_MAX][8];
    unsigned              i, k, n;
    commerce_winner_t     w;
    commerce_candidate_t  candidates[COMMERCE_CANDIDATES_MAX];

    memset(candidates, 0, sizeof(candidates));

    n = (unsigned) number(4);
    n = n > COMMERCE_CANDIDATES_MAX ? COMMERCE_CANDIDATES_MAX : n;

    for (i = 0; i < n; i++) {
        candidates[i].source = (commerce_source_t) number(5 + 4 * i);
        (void) get(NULL, (uint64_t) number(6 + 4 * i), &candidates[i].seller);
        candidates[i].leaving = number(7 + 4 * i) != 0 && candidates[i].seller.number != 0;

        for (k = 0; k < 8; k++) {
            lines[i][k] = (number(8 + 4 * i) >> k) & 1;
        }

        candidates[i].lines = number(8 + 4 * i) < 0 ? NULL : lines[i];
    }

    commerce_attribution_winner(commerce_priority_order((commerce_priority_t) number(1)),
                                (commerce_self_purchase_t) number(0), (uint64_t) number(2), candidates, n,
                                (unsigned) number(3), &w);

    printf("%d %d %d %s %d %d %d\n", w.winner, w.self, w.upline, reason(w.reason), w.contributors[0],
           w.contributors[1], w.contributors[2]);
}


static void
lineage(void)
{
    commerce_person_t   seller;
    commerce_lineage_t  found;

    (void) get(NULL, (uint64_t) number(0), &seller);
    commerce_lineage_of(&seller, (uint64_t) number(1), get, NULL, &found);

    /* how deep somebody stands who has no root, nobody says */

    printf("%" PRIu64 " %" PRIu64 " %u %s\n", found.seller, found.tier2,
           found.reason == COMMERCE_R(TIER_UNVERIFIED) ? 0 : found.depth, reason(found.reason));
}


static void
join(void)
{
    commerce_person_t  who, parent;

    (void) get(NULL, (uint64_t) number(1), &who);
    (void) get(NULL, (uint64_t) number(3), &parent);

    if (who.number == 0) {
        who.role = COMMERCE_ROLE_CUSTOMER;
        who.user = commerce_string("nobody yet");
    }

    printf("%s\n", reason(commerce_lineage_join((commerce_tiers_t) number(0), &who, number(2) != 0,
                                                parent.number != 0 ? &parent : NULL, get, NULL)));
}


static void
commission(void)
{
    commerce_fen_t    tier1, tier2;
    commerce_rates_t  rates = { .tier1 = (unsigned) number(1), .tier2 = (unsigned) number(2) };

    commerce_commission_amounts(&rates, (unsigned) number(0), number(3), &tier1, &tier2);

    printf("%" PRId64 " %" PRId64 "\n", tier1, tier2);
}


static void
memory(void)
{
    bool              fresh;
    commerce_touch_t  t;

    memset(&t, 0, sizeof(commerce_touch_t));
    t.source = COMMERCE_SOURCE_SHARE;
    t.digest = (uint64_t) number(1);
    t.lookback = number(2);
    t.strength = number(3) != 0 ? COMMERCE_STRENGTH_ATTESTED : COMMERCE_STRENGTH_SIGNED;

    fresh = commerce_buyer_sees(&oracle.memory, &t, number(0));

    printf("%d %" PRId64 " %d\n", fresh, t.first, commerce_touch_live(&t, number(0)));
}


static void
answer(char kind)
{
    commerce_owner_t     owner;
    commerce_binding_t   b;

    switch (kind) {
    case 'H':
        memset(&oracle, 0, sizeof(oracle_t));
        break;
    case 'P':
        policy();
        break;
    case 'p':
        person();
        break;
    case 't':
        touch();
        break;
    case 'x':
        tell(binding(), reason(commerce_binding_extend(binding(), number(1))), number(1));
        break;
    case 'r':
        tell(binding(), reason(commerce_binding_rebind(&oracle.policy, binding(), (uint64_t) number(1), number(2))),
             number(2));
        break;
    case 'm':
        printf("%s ", reason(commerce_binding_merge(&oracle.bindings[0], &oracle.bindings[1], number(0), &b)));
        oracle.bindings[0] = b;
        tell(&b, "", number(0));
        break;
    case 'q':
        (void) commerce_owner_find(&oracle.owner, binding()->owner, number(1), get, NULL, &owner);
        printf("%d %" PRIu64 " %s ", owner.state, owner.state == COMMERCE_OWNER_FREE ? 0 : owner.person.number,
               reason(owner.reason));
        tell(binding(), "", number(1));
        break;
    case 'e':
        late();
        break;
    case 'w':
        winner();
        break;
    case 'l':
        lineage();
        break;
    case 'j':
        join();
        break;
    case 'c':
        commission();
        break;
    case 'v':
        memory();
        break;
    default:
        printf("?\n");
    }
}


int
main(void)
{
    char    line[4096], *p, *end;

    while (fgets(line, sizeof(line), stdin) != NULL) {

        for (p = line + 1, number_count = 0; number_count < ORACLE_NUMBERS; p = end) {
            numbers[number_count] = strtoll(p, &end, 10);

            if (end == p) {
                break;
            }

            number_count++;
        }

        answer(line[0]);
    }

    return 0;
}
