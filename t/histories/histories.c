/*
 * Copyright (C) ngx_commerce authors
 *
 * The rules of src/ on histories from stdin; t/histories/Oracle/World.pm says the same by rules of its own.
 *
 * One step a line, numbers are decimals or "forever"; each but H is answered by one line:
 *
 *   H                              another history: nobody is known, nothing is bound
 *   P validity protect order_extend renew new_only self_purchase priority wins binds leaver transfer_wait
 *     frozen_grace strict          the policy.  priority: a preset, or classes with commas
 *   D number role status since upline successor transfer names broken    a person; role "-": gone.
 *                                  names: numbers with commas, the first is the user, 0 = none
 *   B number                       the buyer is this person, too
 *   T now digest source strength seller lookback     a touch
 *   O now lines promoters          an order.  promoters: 0, or seller:mask,... with a 1 for each line it admits
 *   Y ordered now                  the order of then is paid
 *   R now seller                   an operator's rebinding; 0 = the house
 *   M now seller since             the buyer is one with another, who was bound to the seller then; 0 = to nobody
 *   J person parent                may he join under him?  person 0: somebody new
 *   L seller buyer                 who is paid
 *   A tier1 tier2 cap net          what they are paid
 *   S now                          how the binding stands
 *
 * What lies between the rules (which touches may bind, who is a candidate, on which binding an order is decided) is
 * done here as modules/attribution does it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "commerce_attribution.h"
#include "commerce_commission.h"
#include "commerce_lineage.h"
#include "commerce_owner.h"

#define LINE_MAX_BYTES  4096
#define WORDS_MAX         16
#define PEOPLE           160
#define NAMES_MAX          3
#define PROMOTERS_MAX      4
#define LINES              8

static struct {
    commerce_binding_policy_t  binding;
    commerce_owner_policy_t    owner;
    commerce_source_t          order[COMMERCE_SOURCES];
    commerce_tiers_t           tiers;
    bool                       wins, binds, leaver;
} policy;

static struct {
    commerce_person_t  person;                  /* number 0: nobody */
    char               text[NAMES_MAX][24];
    commerce_str_t     names[NAMES_MAX];
    bool               broken;
} people[PEOPLE];

static commerce_buyer_t      buyer;
static uint64_t              buyer_person;
static bool                  customer;

static commerce_candidate_t  candidates[COMMERCE_CANDIDATES_MAX];
static uint8_t               admits[PROMOTERS_MAX][LINES];
static unsigned              candidate_count;


static void
fail(const char *what, const char *word)
{
    fprintf(stderr, "histories: %s: %s\n", what, word);
    exit(2);
}


static int64_t
number(const char *word)
{
    char     *end;
    int64_t   n;

    if (strcmp(word, "forever") == 0) {
        return COMMERCE_FOREVER;
    }

    n = strtoll(word, &end, 10);

    if (end == word || *end != '\0') {
        fail("no number", word);
    }

    return n;
}


static unsigned
named(const char *word, const char *(*name)(unsigned n), unsigned count)
{
    unsigned  n;

    for (n = 0; n < count; n++) {
        if (strcmp(word, name(n)) == 0) {
            return n;
        }
    }

    fail("no such name", word);

    return 0;
}


static const char *
source_name(unsigned n)
{
    return commerce_source_name((commerce_source_t) n);
}


static const char *
strength_name(unsigned n)
{
    return commerce_strength_name((commerce_strength_t) n);
}


static const char *
priority_name(unsigned n)
{
    return commerce_priority_name((commerce_priority_t) n);
}


static const char *
self_name(unsigned n)
{
    static const char *const  names[] = { "house", "upline", "self" };

    return names[n];
}


static const char *
said(commerce_reason_t reason)
{
    return commerce_reason(reason)->name.data;
}


static int
get(void *data, uint64_t n, commerce_person_t *person)
{
    if (n >= PEOPLE || people[n].person.number == 0) {
        return COMMERCE_ABSENT;
    }

    if (people[n].broken) {
        return COMMERCE_ERROR;
    }

    *person = people[n].person;

    return COMMERCE_OK;
}


/* NULL: nobody, or nobody who can be read */

static commerce_person_t *
person_of(uint64_t n)
{
    commerce_person_t  person;

    return get(NULL, n, &person) == COMMERCE_OK ? &people[n].person : NULL;
}


static void
start(void)
{
    memset(&policy, 0, sizeof(policy));
    memset(people, 0, sizeof(people));
    memset(&buyer, 0, sizeof(buyer));
    buyer_person = 0;
    customer = false;
}


static void
set_order(char *word)
{
    char                     *class, *rest;
    commerce_priority_t       preset;
    const commerce_source_t  *order;

    memset(policy.order, 0, sizeof(policy.order));

    if (strchr(word, '_') != NULL && strstr(word, "_first") != NULL) {
        preset = (commerce_priority_t) named(word, priority_name, COMMERCE_PRIORITIES);

        for (order = commerce_priority_order(preset); *order != COMMERCE_SOURCE_NONE; order++) {
            policy.order[order - commerce_priority_order(preset)] = *order;
        }

        return;
    }

    for (class = strtok_r(word, ",", &rest); class != NULL; class = strtok_r(NULL, ",", &rest)) {
        if (commerce_priority_add(policy.order, commerce_cstr(class)) != COMMERCE_OK) {
            fail("no such class", class);
        }
    }
}


static void
step_policy(char **words)
{
    policy.binding.validity = number(words[0]);
    policy.binding.protect = number(words[1]);
    policy.binding.order_extend = number(words[2]);
    policy.binding.renew = number(words[3]);
    policy.binding.new_only = number(words[4]);
    policy.binding.self_purchase = (commerce_self_purchase_t) named(words[5], self_name, 3);
    set_order(words[6]);
    policy.wins = number(words[7]);
    policy.binds = number(words[8]);
    policy.leaver = number(words[9]);
    policy.owner.transfer_wait = number(words[10]);
    policy.owner.frozen_grace = number(words[11]);
    policy.tiers = number(words[12]) ? COMMERCE_TIERS_STRICT : COMMERCE_TIERS_PAY;

    puts(commerce_binding_policy_valid(&policy.binding) ? "policy" : "invalid");
}


static void
set_names(unsigned n, char *word)
{
    char      *name, *rest;
    unsigned   i = 0;

    for (name = strtok_r(word, ",", &rest); name != NULL && i < NAMES_MAX; name = strtok_r(NULL, ",", &rest), i++) {
        people[n].text[i][0] = '\0';

        if (number(name) != 0) {
            snprintf(people[n].text[i], sizeof(people[n].text[i]), "u%" PRId64, number(name));
        }

        people[n].names[i] = commerce_cstr(people[n].text[i]);
    }

    people[n].person.user = people[n].names[0];
    people[n].person.identities = &people[n].names[1];
    people[n].person.identity_count = i - 1;
}


static void
step_person(char **words)
{
    uint64_t            n = number(words[0]);
    commerce_person_t  *person;

    if (n == 0 || n >= PEOPLE) {
        fail("no person's number", words[0]);
    }

    person = &people[n].person;
    memset(&people[n], 0, sizeof(people[n]));

    if (strcmp(words[1], "-") == 0) {
        puts("gone");
        return;
    }

    person->number = n;
    person->since = number(words[3]);
    person->upline = number(words[4]);
    person->successor = number(words[5]);

    if (commerce_role_parse(commerce_cstr(words[1]), &person->role) != COMMERCE_OK
        || commerce_person_status_parse(commerce_cstr(words[2]), &person->status) != COMMERCE_OK
        || commerce_transfer_parse(commerce_cstr(words[6]), &person->transfer) != COMMERCE_OK)
    {
        fail("no person", words[1]);
    }

    set_names(n, words[7]);
    people[n].broken = number(words[8]);

    puts("person");
}


static void
step_buyer(char **words)
{
    buyer_person = number(words[0]);
    puts("buyer");
}


static commerce_owner_t
owner_of(const commerce_binding_t *binding, commerce_time_t now)
{
    commerce_owner_t  owner;

    if (commerce_owner_find(&policy.owner, binding->owner, now, get, NULL, &owner) != COMMERCE_OK) {
        fail("a person cannot be read", "owner");
    }

    return owner;
}


static commerce_reason_t
inherit(commerce_time_t now)
{
    commerce_owner_t  owner = owner_of(&buyer.binding, now);

    return commerce_binding_inherit(&buyer.binding, &owner, now);
}


static void
tell_time(commerce_time_t time)
{
    if (time == COMMERCE_FOREVER) {
        printf(" forever");
    } else {
        printf(" %" PRId64, time);
    }
}


static void
tell_clock(const commerce_binding_t *binding, commerce_time_t now)
{
    if (binding->owner == 0) {
        printf("none");
        return;
    }

    printf("%" PRIu64 " %s", binding->owner, commerce_binding_state_name(commerce_binding_state(binding, now)));
    tell_time(commerce_binding_end(binding));
    tell_time(commerce_binding_protected_until(binding));
}


/* ends the line */

static void
tell_binding(commerce_time_t now)
{
    commerce_owner_t    owner = owner_of(&buyer.binding, now);
    commerce_binding_t  before = commerce_binding_before(&buyer.binding);

    printf(" %" PRIu64 " %" PRIu64 " %s ", buyer.binding.owner, buyer.binding.origin,
           commerce_binding_state_name(commerce_binding_held(&buyer.binding, &owner, now)));
    tell_clock(&buyer.binding, now);
    printf(" before ");
    tell_clock(&before, now);
    printf("\n");
}


static const char *
bind_by(const commerce_touch_t *touch, commerce_time_t now)
{
    commerce_owner_t    owner = owner_of(&buyer.binding, now);
    commerce_reason_t   reason;
    commerce_person_t  *seller;

    if (touch->source == COMMERCE_SOURCE_PLAIN && !policy.binds) {
        return "none";
    }

    seller = person_of(touch->seller);
    reason = commerce_person_judge(seller);

    if (reason != COMMERCE_R(OK)) {
        return said(reason);
    }

    reason = commerce_binding_touch(&policy.binding, &buyer.binding, &owner, seller->number, buyer_person, customer, now);

    if (reason == COMMERCE_R(BIND_STOLEN) && touch->strength == COMMERCE_STRENGTH_ATTESTED) {
        commerce_binding_attested(&buyer.binding, now);
    }

    return said(reason);
}


static void
step_touch(char **words)
{
    bool               first;
    const char        *reason;
    commerce_time_t    now = number(words[0]);
    commerce_touch_t   touch;
    commerce_reason_t  inherited;

    memset(&touch, 0, sizeof(touch));
    touch.digest = number(words[1]);
    touch.source = (commerce_source_t) named(words[2], source_name, COMMERCE_SOURCES);
    touch.strength = (commerce_strength_t) named(words[3], strength_name, 3);
    touch.seller = number(words[4]);
    touch.lookback = number(words[5]);

    first = commerce_buyer_sees(&buyer, &touch, now);
    inherited = inherit(now);

    if (!first) {
        printf("touch again %" PRId64 " %s\n", touch.first, said(inherited));
        return;
    }

    commerce_buyer_remember(&buyer, &touch);
    reason = bind_by(&touch, now);
    printf("touch %s %" PRId64 " %s", reason, touch.first, said(inherited));
    tell_binding(now);
}


/* on which binding is the order decided?  A rival's touch that took the buyer over a moment ago does not count yet */

static commerce_binding_t
decided_on(commerce_time_t now)
{
    commerce_owner_t          owner;
    commerce_binding_t        before, *binding = &buyer.binding;
    commerce_binding_state_t  state;

    if (binding->previous == 0 || now - binding->changed >= COMMERCE_LATE_TOUCH) {
        return *binding;
    }

    before = commerce_binding_before(binding);
    owner = owner_of(&before, now);
    state = commerce_binding_held(&before, &owner, now);

    return state == COMMERCE_BINDING_NONE || state == COMMERCE_BINDING_EXPIRED ? *binding : before;
}


static void
add_candidate(commerce_source_t source, uint64_t seller, const uint8_t *lines, bool leaving)
{
    commerce_person_t     *person = person_of(seller);
    commerce_candidate_t  *candidate = &candidates[candidate_count++];

    memset(candidate, 0, sizeof(commerce_candidate_t));
    candidate->source = source;
    candidate->lines = lines;
    candidate->leaving = leaving;

    if (person != NULL) {
        candidate->seller = *person;
    }
}


static void
add_bound(const commerce_binding_t *binding, const commerce_owner_t *owner, commerce_time_t now)
{
    bool                      leaving = false;
    commerce_binding_state_t  state;

    state = commerce_binding_held(binding, owner, now);

    if (state == COMMERCE_BINDING_TRANSFER_PENDING && policy.leaver) {
        leaving = true;
        state = commerce_binding_state(binding, now);
    }

    if (state == COMMERCE_BINDING_PROTECTED) {
        add_candidate(COMMERCE_SOURCE_PROTECTED, owner->person.number, NULL, leaving);
    } else if (state == COMMERCE_BINDING_OPEN) {
        add_candidate(COMMERCE_SOURCE_OPEN, owner->person.number, NULL, leaving);
    }
}


static void
add_touches(const commerce_binding_t *binding, const commerce_owner_t *owner, commerce_time_t now)
{
    unsigned           i;
    commerce_touch_t  *touch;

    for (i = 0; i < COMMERCE_SOURCES; i++) {
        touch = &buyer.last[i];

        if (touch->source == COMMERCE_SOURCE_NONE || !commerce_touch_live(touch, now)
            || (touch->source == COMMERCE_SOURCE_PLAIN && !policy.wins)
            || commerce_attribution_late(binding, owner, touch, now))
        {
            continue;
        }

        add_candidate(touch->source, touch->seller, NULL, false);
    }
}


static void
add_promoters(char *word)
{
    char      *promoter, *mask, *rest;
    unsigned   i, n = 0;

    if (strcmp(word, "0") == 0) {
        return;
    }

    for (promoter = strtok_r(word, ",", &rest); promoter != NULL && n < PROMOTERS_MAX;
         promoter = strtok_r(NULL, ",", &rest), n++)
    {
        mask = strchr(promoter, ':');
        *mask++ = '\0';

        for (i = 0; i < LINES; i++) {
            admits[n][i] = *mask != '\0' && *mask++ == '1';
        }

        add_candidate(COMMERCE_SOURCE_PROMOTER, number(promoter), admits[n], false);
    }
}


static void
tell_lineage(const commerce_person_t *seller, uint64_t without)
{
    commerce_lineage_t  lineage;

    commerce_lineage_of(seller, without, get, NULL, &lineage);
    printf("%" PRIu64, lineage.tier2);

    /* whose way up nobody knows has no depth */

    if (lineage.reason == COMMERCE_R(TIER_UNVERIFIED)) {
        printf(" -");
    } else {
        printf(" %u", lineage.depth);
    }

    printf(" %s", said(lineage.reason));
}


static void
tell_contributors(const commerce_winner_t *winner)
{
    unsigned  i;

    printf(" [");

    for (i = 0; i < COMMERCE_CONTRIBUTORS && winner->contributors[i] >= 0; i++) {
        printf("%s%s:%" PRIu64, i ? "," : "", commerce_source_name(candidates[winner->contributors[i]].source),
               candidates[winner->contributors[i]].seller.number);
    }

    printf("]");
}


static void
tell_line(unsigned line)
{
    commerce_winner_t   winner;
    commerce_person_t  *seller = NULL;

    commerce_attribution_winner(policy.order, policy.binding.self_purchase, buyer_person, candidates, candidate_count,
                                line, &winner);

    if (winner.winner >= 0) {
        seller = &candidates[winner.winner].seller;

        if (winner.upline) {
            seller = person_of(seller->upline);
            seller = commerce_person_judge(seller) == COMMERCE_R(OK) ? seller : NULL;
        }
    }

    if (seller == NULL) {
        printf("house %s", said(winner.reason));
    } else {
        printf("%s %s %" PRIu64 " ", commerce_source_name(candidates[winner.winner].source), said(winner.reason),
               seller->number);
        tell_lineage(seller, buyer_person);
    }

    tell_contributors(&winner);
}


static void
step_order(char **words)
{
    unsigned            i, lines = number(words[1]);
    commerce_time_t     now = number(words[0]);
    commerce_owner_t    owner;
    commerce_binding_t  binding;

    if (lines > LINES) {
        fail("too many lines", words[1]);
    }

    binding = decided_on(now);
    owner = owner_of(&binding, now);
    printf("order %s ", said(inherit(now)));

    candidate_count = 0;
    add_bound(&binding, &owner, now);
    add_touches(&binding, &owner, now);
    add_promoters(words[2]);

    for (i = 0; i < lines; i++) {
        printf("%s", i ? " | " : "");
        tell_line(i);
    }

    printf("\n");
    customer = true;
}


static void
step_paid(char **words)
{
    printf("paid %s", said(commerce_binding_extend(&buyer.binding, number(words[0]))));
    tell_binding(number(words[1]));
}


static void
step_rebind(char **words)
{
    commerce_time_t  now = number(words[0]);

    printf("rebind %s", said(commerce_binding_rebind(&policy.binding, &buyer.binding, number(words[1]), now)));
    tell_binding(now);
}


static void
step_merge(char **words)
{
    commerce_time_t     now = number(words[0]), since = number(words[2]);
    commerce_owner_t    owner;
    commerce_binding_t  other, kept = buyer.binding;

    memset(&other, 0, sizeof(other));

    if (number(words[1]) != 0) {
        owner = owner_of(&other, since);
        commerce_binding_touch(&policy.binding, &other, &owner, number(words[1]), 0, false, since);
    }

    printf("merge %s", said(commerce_binding_merge(&kept, &other, now, &buyer.binding)));
    tell_binding(now);
}


static void
step_join(char **words)
{
    bool               downline = false;
    uint64_t           n = number(words[0]), i;
    commerce_person_t  nobody, *person;

    memset(&nobody, 0, sizeof(nobody));
    person = person_of(n);

    for (i = 1; n != 0 && i < PEOPLE; i++) {
        downline |= people[i].person.number != 0 && people[i].person.upline == n;
    }

    printf("join %s\n", said(commerce_lineage_join(policy.tiers, person ? person : &nobody, downline,
                                                   person_of(number(words[1])), get, NULL)));
}


static void
step_lineage(char **words)
{
    commerce_person_t  *seller = person_of(number(words[0]));

    printf("lineage ");

    if (seller == NULL) {
        printf("nobody");
    } else {
        tell_lineage(seller, number(words[1]));
    }

    printf("\n");
}


static void
step_amounts(char **words)
{
    commerce_fen_t    tier1, tier2;
    commerce_rates_t  rates = { .tier1 = number(words[0]), .tier2 = number(words[1]) };

    commerce_commission_amounts(&rates, number(words[2]), number(words[3]), &tier1, &tier2);
    printf("amounts %" PRId64 " %" PRId64 "\n", tier1, tier2);
}


static void
step_standing(char **words)
{
    static const char *const  states[] = { "free", "active", "frozen", "lapsed", "waiting" };
    commerce_time_t           now = number(words[0]);
    commerce_owner_t          owner = owner_of(&buyer.binding, now);

    printf("standing %s %" PRIu64 " %s", states[owner.state],
           owner.state == COMMERCE_OWNER_FREE ? 0 : owner.person.number, said(owner.reason));
    tell_binding(now);
}


static const struct {
    char       kind;
    unsigned   words;
    void     (*step)(char **words);
} steps[] = {
    { 'P', 13, step_policy },
    { 'D', 9, step_person },
    { 'B', 1, step_buyer },
    { 'T', 6, step_touch },
    { 'O', 3, step_order },
    { 'Y', 2, step_paid },
    { 'R', 2, step_rebind },
    { 'M', 3, step_merge },
    { 'J', 2, step_join },
    { 'L', 2, step_lineage },
    { 'A', 4, step_amounts },
    { 'S', 1, step_standing },
};


static void
take(char *line)
{
    char     *words[WORDS_MAX], *word, *rest;
    size_t    i;
    unsigned  count = 0;

    for (word = strtok_r(line, " \n", &rest); word != NULL && count < WORDS_MAX; word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }

    if (count == 1 && strcmp(words[0], "H") == 0) {
        start();
        return;
    }

    for (i = 0; count > 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (words[0][0] == steps[i].kind && count == steps[i].words + 1) {
            steps[i].step(&words[1]);
            return;
        }
    }

    fail("no step", count ? words[0] : "an empty line");
}


int
main(void)
{
    char  line[LINE_MAX_BYTES];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        take(line);
    }

    return fflush(stdout) == 0 ? 0 : 2;
}
