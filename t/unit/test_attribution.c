/*
 * Copyright (C) ngx_commerce authors
 *
 * Whose sale is it: memory of touches, the presets in full, promoters per line, a buyer's own
 * sales, late touches.
 */

#include "tap.h"
#include "commerce_attribution.h"

#define DAY  INT64_C(86400)
#define T0   INT64_C(1790000000)
#define R    COMMERCE_R

#define PROTECTED  COMMERCE_SOURCE_PROTECTED
#define LIVE_ROOM  COMMERCE_SOURCE_LIVE_ROOM
#define SHARE      COMMERCE_SOURCE_SHARE
#define PROMOTER   COMMERCE_SOURCE_PROMOTER
#define GROUP      COMMERCE_SOURCE_GROUP
#define OPEN       COMMERCE_SOURCE_OPEN
#define CHANNEL    COMMERCE_SOURCE_CHANNEL
#define PLAIN      COMMERCE_SOURCE_PLAIN

#define PROTECT_FIRST  COMMERCE_PRIORITY_PROTECT_FIRST
#define TOUCH_FIRST    COMMERCE_PRIORITY_TOUCH_FIRST
#define LIVE_FIRST     COMMERCE_PRIORITY_LIVE_FIRST

#define HOUSE    COMMERCE_SELF_HOUSE
#define UPLINE   COMMERCE_SELF_UPLINE
#define ALLOWED  COMMERCE_SELF_ALLOWED

/* the design's text, written down once more */
static const struct {
    commerce_priority_t  priority;
    const char          *name;
    commerce_source_t    order[8];
} presets[] = {
    { PROTECT_FIRST, "protect_first",
      { PROTECTED, LIVE_ROOM, SHARE, PROMOTER, GROUP, OPEN, CHANNEL, PLAIN } },
    { TOUCH_FIRST, "touch_first",
      { LIVE_ROOM, SHARE, PROMOTER, GROUP, PROTECTED, OPEN, CHANNEL, PLAIN } },
    { LIVE_FIRST, "live_first",
      { LIVE_ROOM, PROTECTED, SHARE, PROMOTER, GROUP, OPEN, CHANNEL, PLAIN } },
};


static commerce_candidate_t
candidate(commerce_source_t source, uint64_t seller)
{
    commerce_candidate_t  c;

    memset(&c, 0, sizeof(c));
    c.source = source;
    c.seller.number = seller;
    c.seller.role = COMMERCE_ROLE_CUSTOMER;

    return c;
}


static commerce_winner_t
decide(commerce_priority_t priority, commerce_self_purchase_t self, uint64_t buyer,
    const commerce_candidate_t *c, unsigned count, unsigned line)
{
    commerce_winner_t  w;

    memset(&w, 0xa5, sizeof(w));
    commerce_attribution_winner(commerce_priority_order(priority), self, buyer, c, count, line, &w);

    return w;
}


static void
contributors(const commerce_winner_t *w, int a, int b, int c, const char *what)
{
    ok(w->contributors[0] == a && w->contributors[1] == b && w->contributors[2] == c,
       "%s: contributors %d %d %d", what, w->contributors[0], w->contributors[1],
       w->contributors[2]);
}


/* every class has a candidate, in an order unlike any preset's; the winners go one by one */

static void
test_presets(void)
{
    int                   want;
    unsigned              p, round, i, n;
    commerce_winner_t     w;
    commerce_candidate_t  c[8];

    static const commerce_source_t  scattered[] = {
        PLAIN, CHANNEL, GROUP, OPEN, SHARE, PROTECTED, PROMOTER, LIVE_ROOM
    };

    for (p = 0; p < 3; p++) {
        is_str(commerce_cstr(commerce_priority_name(presets[p].priority)), presets[p].name,
               "name of preset %u", p);

        for (i = 0; i < 8; i++) {
            is_int(commerce_priority_order(presets[p].priority)[i], presets[p].order[i],
                   "%s: place %u", presets[p].name, i);
        }

        is_int(commerce_priority_order(presets[p].priority)[8], COMMERCE_SOURCE_NONE,
               "%s: house last", presets[p].name);

        for (i = 0; i < 8; i++) {
            c[i] = candidate(scattered[i], 100 + i);
        }

        for (round = 0; round <= 8; round++) {
            w = decide(presets[p].priority, HOUSE, 0, c, 8, 0);

            if (round == 8) {
                is_int(w.winner, -1, "%s: house comes last", presets[p].name);
                is_int(w.reason, R(ATTR_DIRECT), "%s: direct", presets[p].name);
                contributors(&w, -1, -1, -1, presets[p].name);
                break;
            }

            ok(w.winner >= 0 && c[w.winner].source == presets[p].order[round],
               "%s: %s wins in round %u", presets[p].name,
               commerce_source_name(presets[p].order[round]), round);
            is_int(w.reason, R(ATTR_OK), "%s: ATTR_OK", presets[p].name);
            ok(!w.self && !w.upline, "%s: nobody's own sale", presets[p].name);

            for (n = 0; n < COMMERCE_CONTRIBUTORS; n++) {
                want = round + 1 + n < 8 ? (int) presets[p].order[round + 1 + n] : -1;
                is_int(w.contributors[n] < 0 ? -1 : (int) c[w.contributors[n]].source, want,
                       "%s: round %u, contributor %u", presets[p].name, round, n);
            }

            /* unknown, suspended, left: each gives no candidate */

            if (w.winner < 0) {
                break;
            }

            if (round % 3 == 0) {
                c[w.winner].seller.number = 0;

            } else {
                c[w.winner].seller.status = round % 3 == 1 ? COMMERCE_PERSON_SUSPENDED
                                                           : COMMERCE_PERSON_LEFT;
            }
        }
    }

    w = decide(PROTECT_FIRST, HOUSE, 0, NULL, 0, 0);
    is_int(w.winner, -1, "no candidates");
    is_int(w.reason, R(ATTR_DIRECT), "no candidates: direct");
    is_int(commerce_priority_order((commerce_priority_t) 77)[0], PROTECTED,
           "a preset out of range is the default");
    is_str(commerce_cstr(commerce_priority_name((commerce_priority_t) 77)), "unknown",
           "... without a name");
}


static void
test_custom(void)
{
    unsigned                  i;
    commerce_winner_t         w;
    commerce_source_t         order[COMMERCE_SOURCES] = { COMMERCE_SOURCE_NONE };
    commerce_candidate_t      c[3];
    static const char *const  all[] = {
        "plain", "group", "share", "channel", "open", "promoter", "live_room", "protected"
    };

    c[0] = candidate(PROTECTED, 1);
    c[1] = candidate(SHARE, 2);
    c[2] = candidate(GROUP, 3);

    commerce_attribution_winner(order, HOUSE, 0, c, 3, 0, &w);
    is_int(w.winner, -1, "an empty order: the house");

    is_int(commerce_priority_add(order, commerce_string("group")), COMMERCE_OK, "group");
    is_int(commerce_priority_add(order, commerce_string("protected")), COMMERCE_OK, "then protected");
    is_int(commerce_priority_add(order, commerce_string("group")), COMMERCE_ABSENT, "not twice");
    is_int(commerce_priority_add(order, commerce_string("house")), COMMERCE_ERROR, "the house comes last by itself");
    is_int(commerce_priority_add(order, commerce_string("shares")), COMMERCE_ERROR, "no class");

    commerce_attribution_winner(order, HOUSE, 0, c, 3, 0, &w);
    is_int(w.winner, 2, "the group wins");
    contributors(&w, 0, -1, -1, "who is not in the order does not even contribute");
    commerce_attribution_winner(order, HOUSE, 0, c + 1, 1, 0, &w);
    is_int(w.winner, -1, "... nor win alone");

    order[0] = COMMERCE_SOURCE_NONE;

    for (i = 0; i < 8; i++) {
        is_int(commerce_priority_add(order, commerce_cstr(all[i])), COMMERCE_OK, "all of them: %s", all[i]);
    }

    is_int(order[8], COMMERCE_SOURCE_NONE, "and an end");
}


static void
test_contributors(void)
{
    commerce_winner_t     w;
    commerce_candidate_t  c[7];

    c[0] = candidate(SHARE, 1);
    c[1] = candidate(PROMOTER, 1);      /* the winner again */
    c[2] = candidate(PROMOTER, 2);
    c[3] = candidate(GROUP, 2);         /* a contributor again */
    c[4] = candidate(OPEN, 3);
    c[5] = candidate(CHANNEL, 4);
    c[6] = candidate(PLAIN, 5);

    w = decide(PROTECT_FIRST, HOUSE, 0, c, 7, 0);
    is_int(w.winner, 0, "the share wins");
    contributors(&w, 2, 4, 5, "distinct sellers");

    c[4].seller.status = COMMERCE_PERSON_SUSPENDED;
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 7, 0);
    contributors(&w, 2, 5, 6, "the suspended do not contribute");
}


static void
test_promoters(void)
{
    commerce_winner_t     w;
    commerce_candidate_t  c[4];

    static const uint8_t  first[] = { 1, 0, 0, 1 };
    static const uint8_t  second[] = { 1, 1, 0, 1 };

    c[0] = candidate(GROUP, 1);
    c[1] = candidate(PROMOTER, 2);
    c[2] = candidate(PROMOTER, 3);
    c[1].lines = first;
    c[2].lines = second;

    w = decide(PROTECT_FIRST, HOUSE, 0, c, 3, 0);
    is_int(w.winner, 1, "both admit line 0: the first coupon");
    contributors(&w, 2, 0, -1, "line 0");
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 3, 1);
    is_int(w.winner, 2, "only the second admits line 1");
    contributors(&w, 0, -1, -1, "line 1");
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 3, 2);
    is_int(w.winner, 0, "none admits line 2: the group");
    contributors(&w, -1, -1, -1, "line 2");

    c[1].seller.status = COMMERCE_PERSON_SUSPENDED;
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 3, 3);
    is_int(w.winner, 2, "a suspended promoter gives way to the next coupon");

    c[1].seller.status = COMMERCE_PERSON_ACTIVE;
    c[1].lines = NULL;
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 3, 2);
    is_int(w.winner, 1, "no lines: all of them");

    c[0].lines = first;
    w = decide(PROTECT_FIRST, HOUSE, 0, c, 1, 2);
    is_int(w.winner, 0, "touches apply to all lines");
}


static void
test_self(void)
{
    unsigned              role;
    commerce_winner_t     w;
    commerce_candidate_t  c[4];

    c[0] = candidate(PROTECTED, 5);     /* the buyer himself */
    c[1] = candidate(SHARE, 6);
    c[2] = candidate(GROUP, 7);         /* his recruiter */
    c[3] = candidate(CHANNEL, 8);
    c[0].seller.upline = 7;

    w = decide(PROTECT_FIRST, HOUSE, 5, c, 4, 0);
    is_int(w.winner, -1, "house: the search ends there");
    ok(w.self && !w.upline, "house: his own sale");
    is_int(w.reason, R(SELF_PURCHASE), "house: SELF_PURCHASE");
    contributors(&w, -1, -1, -1, "house");

    w = decide(PROTECT_FIRST, UPLINE, 5, c, 4, 0);
    is_int(w.winner, 0, "upline: his candidate");
    ok(w.self && w.upline, "upline: credits the recruiter");
    is_int(w.reason, R(SELF_PURCHASE), "upline: SELF_PURCHASE");
    contributors(&w, 1, 3, -1, "upline: the recruiter does not contribute to his own");

    w = decide(PROTECT_FIRST, ALLOWED, 5, c, 4, 0);
    is_int(w.winner, 0, "self: allowed");
    ok(w.self && !w.upline, "self: known as his own sale");
    is_int(w.reason, R(ATTR_OK), "self: ATTR_OK");
    contributors(&w, 1, 2, 3, "self");

    w = decide(TOUCH_FIRST, HOUSE, 5, c, 4, 0);
    is_int(w.winner, 1, "another seller came before him");
    ok(!w.self, "... so it is not his own sale");

    w = decide(PROTECT_FIRST, HOUSE, 0, c, 4, 0);
    is_int(w.winner, 0, "a buyer who is no person");
    ok(!w.self, "... has no own sale");

    c[0].seller.upline = 0;
    w = decide(PROTECT_FIRST, UPLINE, 5, c, 4, 0);
    is_int(w.winner, -1, "upline: nobody recruited him");
    ok(w.self && !w.upline, "... the house");
    is_int(w.reason, R(SELF_PURCHASE), "... SELF_PURCHASE");
    contributors(&w, -1, -1, -1, "upline, none");

    c[0].seller.upline = 5;
    w = decide(PROTECT_FIRST, UPLINE, 5, c, 4, 0);
    is_int(w.winner, -1, "upline: his own recruiter is nobody");

    c[0].seller.upline = 7;

    for (role = 0; role < COMMERCE_ROLES; role++) {
        c[0].seller.role = role;
        w = decide(PROTECT_FIRST, UPLINE, 5, c, 4, 0);
        is_int(w.winner, role <= COMMERCE_ROLE_STAFF ? -1 : 0,
               "upline: %s", commerce_role_name(role));
    }

    c[0].seller.status = COMMERCE_PERSON_SUSPENDED;
    w = decide(PROTECT_FIRST, HOUSE, 5, c, 4, 0);
    is_int(w.winner, 1, "a buyer who is suspended gives no candidate");
    ok(!w.self, "... and no own sale");
}


static commerce_touch_t
touch(commerce_source_t source, commerce_strength_t strength, uint64_t digest, int64_t lookback)
{
    commerce_touch_t  t;

    memset(&t, 0, sizeof(t));
    t.source = source;
    t.strength = strength;
    t.digest = digest;
    t.lookback = lookback;
    t.first = -77;

    return t;
}


static bool
sees(commerce_buyer_t *buyer, uint64_t digest, commerce_time_t now, commerce_time_t *first)
{
    bool              new;
    commerce_touch_t  t = touch(SHARE, COMMERCE_STRENGTH_SIGNED, digest, DAY);

    new = commerce_buyer_sees(buyer, &t, now);
    *first = t.first;

    return new;
}


static void
test_seen(void)
{
    bool              all;
    unsigned          i;
    commerce_time_t   first;
    commerce_buyer_t  buyer;

    memset(&buyer, 0, sizeof(buyer));

    ok(sees(&buyer, 1, T0, &first), "first sight");
    is_int(first, T0, "... is now");
    ok(!sees(&buyer, 1, T0 + 100 * DAY, &first), "a signed one is never new again");
    is_int(first, T0, "... its time is remembered");
    ok(!sees(&buyer, 1, T0 - 5, &first), "a clock that goes back");
    is_int(first, T0, "... changes nothing");
    is_int(buyer.seen_count, 1, "one token is remembered once");

    for (i = 2; i <= COMMERCE_SEEN_MAX; i++) {
        sees(&buyer, i, T0 + i, &first);
    }

    is_int(buyer.seen_count, 16, "16 tokens");
    all = true;

    for (i = 1; i <= COMMERCE_SEEN_MAX; i++) {
        all = all && !sees(&buyer, i, T0 + 50, &first) && first == (i == 1 ? T0 : T0 + i);
    }

    ok(all, "16 tokens are all known with their times");
    ok(!sees(&buyer, 1, T0 + 60, &first), "the oldest is sent again");
    ok(sees(&buyer, 17, T0 + 70, &first), "the 17th is new");
    is_int(buyer.seen_count, 16, "... still 16");
    is_int(buyer.seen[15].digest, 17, "... the 17th is last");
    ok(!sees(&buyer, 1, T0 + 80, &first), "what was sent lately is kept");
    is_int(first, T0, "... with its time");
    ok(!sees(&buyer, 3, T0 + 90, &first), "the third is kept");
    ok(sees(&buyer, 2, T0 + 90, &first), "what was not sent for longest is forgotten");
    is_int(first, T0 + 90, "... and new");

    for (i = 100; i < 200; i++) {
        sees(&buyer, i, T0 + i, &first);
    }

    is_int(buyer.seen_count, 16, "after a hundred more: 16");
    is_int(buyer.seen[0].digest, 184, "... the last ones");

    buyer.seen_count = 4000000000U;
    ok(!sees(&buyer, 199, T0 + 300, &first), "a broken count is cut");
    is_int(buyer.seen_count, 16, "... to 16");
}


static void
test_attested(void)
{
    commerce_touch_t  t;
    commerce_buyer_t  buyer;

    memset(&buyer, 0, sizeof(buyer));

    t = touch(LIVE_ROOM, COMMERCE_STRENGTH_ATTESTED, 9, DAY);
    ok(commerce_buyer_sees(&buyer, &t, T0), "attested: first sight");
    ok(!commerce_buyer_sees(&buyer, &t, T0 + DAY - 1), "attested: within its lookback");
    is_int(t.first, T0, "... the first time counts");
    ok(commerce_buyer_sees(&buyer, &t, T0 + DAY), "attested: after its lookback it is new");
    is_int(t.first, T0 + DAY, "... from now");
    is_int(buyer.seen_count, 1, "... in its old place");
    is_int(buyer.seen[0].first, T0 + DAY, "... with the new time");
    ok(!commerce_buyer_sees(&buyer, &t, T0 + DAY + 1), "attested: and known again");
    is_int(t.first, T0 + DAY, "... since then");

    t = touch(LIVE_ROOM, COMMERCE_STRENGTH_SIGNED, 9, DAY);
    ok(!commerce_buyer_sees(&buyer, &t, T0 + 9 * DAY), "signed: old and no new touch");
    is_int(t.first, T0 + DAY, "... its time stays");
    ok(!commerce_touch_live(&t, T0 + 9 * DAY), "... so that it does not win");
}


static void
test_lookback(void)
{
    commerce_touch_t  t = touch(SHARE, COMMERCE_STRENGTH_SIGNED, 1, 14 * DAY);

    t.first = T0;
    ok(commerce_touch_live(&t, T0), "at once");
    ok(commerce_touch_live(&t, T0 - 3), "a clock behind");
    ok(commerce_touch_live(&t, T0 + 14 * DAY - 1), "the last second");
    ok(!commerce_touch_live(&t, T0 + 14 * DAY), "over");
    ok(!commerce_touch_live(&t, COMMERCE_FOREVER), "long over");

    t.lookback = COMMERCE_FOREVER;
    ok(commerce_touch_live(&t, COMMERCE_FOREVER), "for ever");
    t.first = INT64_MIN;
    ok(commerce_touch_live(&t, COMMERCE_FOREVER), "for ever, from a broken record");
    t.lookback = COMMERCE_FOREVER - 1;
    ok(!commerce_touch_live(&t, COMMERCE_FOREVER), "an age beyond the range");
    t.first = T0;
    t.lookback = 0;
    ok(!commerce_touch_live(&t, T0), "no lookback");
    t.first = T0 + 5;
    ok(!commerce_touch_live(&t, T0), "no lookback, a clock behind");
    t.lookback = -1;
    ok(!commerce_touch_live(&t, T0), "a broken lookback");
}


static void
test_remember(void)
{
    unsigned          source;
    commerce_touch_t  t;
    commerce_buyer_t  buyer;

    memset(&buyer, 0, sizeof(buyer));

    t = touch(SHARE, COMMERCE_STRENGTH_SIGNED, 1, DAY);
    t.first = T0;
    commerce_buyer_remember(&buyer, &t);
    is_int(buyer.last[SHARE].digest, 1, "the first of its class");
    is_int(buyer.last[GROUP].source, COMMERCE_SOURCE_NONE, "other classes: never");

    t.digest = 2;
    t.first = T0 - 1;
    commerce_buyer_remember(&buyer, &t);
    is_int(buyer.last[SHARE].digest, 1, "an earlier one does not count");

    t.digest = 3;
    t.first = T0;
    commerce_buyer_remember(&buyer, &t);
    is_int(buyer.last[SHARE].digest, 3, "at the same time: the new one");

    t.digest = 4;
    t.first = T0 + 1;
    commerce_buyer_remember(&buyer, &t);
    is_int(buyer.last[SHARE].digest, 4, "the latest counts");

    memset(&buyer, 0, sizeof(buyer));
    t.first = -5;

    for (source = 0; source <= COMMERCE_SOURCES; source++) {
        t.source = source;
        commerce_buyer_remember(&buyer, &t);

        if (source < COMMERCE_SOURCES) {
            is_int(buyer.last[source].digest,
                   source == LIVE_ROOM || source == SHARE || source == GROUP || source == CHANNEL
                   || source == PLAIN ? 4 : 0,
                   "%s: remembered or not", commerce_source_name(source));
        }
    }

    is_int(buyer.seen_count, 0, "a source out of range is not written past the table");
}


static void
test_late(void)
{
    size_t              i;
    commerce_touch_t    t;
    commerce_owner_t    anna, nobody;
    commerce_binding_t  b, none;

    static const struct {
        commerce_strength_t  strength;
        uint64_t             seller;
        commerce_time_t      first, now;
        bool                 late;
    } cases[] = {
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 100, T0 + 100, true },
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 91, T0 + 100, true },
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 90, T0 + 100, false },
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 101, T0 + 100, true },      /* clocks differ */
        { COMMERCE_STRENGTH_SIGNED, 2, INT64_MIN, T0 + 100, false },
        { COMMERCE_STRENGTH_PLAIN, 2, T0 + 91, T0 + 100, true },
        { COMMERCE_STRENGTH_PLAIN, 2, T0 + 90, T0 + 100, false },
        { COMMERCE_STRENGTH_ATTESTED, 2, T0 + 100, T0 + 100, false },
        { COMMERCE_STRENGTH_SIGNED, 1, T0 + 100, T0 + 100, false },     /* the owner */
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 499, T0 + 499, true },      /* protected */
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 500, T0 + 500, true },      /* open */
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 999, T0 + 999, true },
        { COMMERCE_STRENGTH_SIGNED, 2, T0 + 995, T0 + 1000, false },    /* expired */
    };

    memset(&none, 0, sizeof(none));
    memset(&nobody, 0, sizeof(nobody));
    anna = nobody;
    anna.state = COMMERCE_OWNER_ACTIVE;
    anna.person.number = 1;
    b = none;
    b.owner = b.origin = 1;
    b.changed = b.start = b.renewed = T0;
    b.validity = 1000;
    b.protect = 500;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        t = touch(SHARE, cases[i].strength, 1, DAY);
        t.seller = cases[i].seller;
        t.first = cases[i].first;
        is_int(commerce_attribution_late(&b, &anna, &t, cases[i].now), cases[i].late,
               "late, case %zu", i);
        ok(!commerce_attribution_late(&none, &nobody, &t, cases[i].now),
           "late, case %zu: without a binding nobody is a rival", i);
        ok(!commerce_attribution_late(&b, &nobody, &t, cases[i].now),
           "late, case %zu: nor when nobody serves the buyer", i);
    }

    t = touch(SHARE, COMMERCE_STRENGTH_SIGNED, 1, DAY);
    t.seller = 2;
    t.first = T0 + 100;
    anna.state = COMMERCE_OWNER_FROZEN;
    ok(commerce_attribution_late(&b, &anna, &t, T0 + 100), "late: a frozen owner's customer, too");
    anna.state = COMMERCE_OWNER_ACTIVE;
    anna.person.number = 2;
    ok(!commerce_attribution_late(&b, &anna, &t, T0 + 100), "late: the heir is no rival");
}


/* a rival's share ten seconds before the order binds, but the order is decided without it */

static void
test_late_order(void)
{
    commerce_touch_t           t;
    commerce_buyer_t           buyer;
    commerce_owner_t           owner;
    commerce_binding_t         before;
    commerce_binding_policy_t  p = { .validity = 30 * DAY, .protect = 7 * DAY, .renew = true };

    memset(&buyer, 0, sizeof(buyer));
    memset(&owner, 0, sizeof(owner));
    owner.state = COMMERCE_OWNER_ACTIVE;
    owner.person.number = 1;
    commerce_binding_touch(&p, &buyer.binding, &owner, 1, 0, false, T0);

    t = touch(SHARE, COMMERCE_STRENGTH_SIGNED, 5, 7 * DAY);
    t.seller = 2;
    ok(commerce_buyer_sees(&buyer, &t, T0 + 8 * DAY), "a rival's share is new");
    is_int(commerce_binding_touch(&p, &buyer.binding, &owner, 2, 0, false, t.first), R(BIND_STOLEN),
           "it steals by the ordinary rules");

    before = commerce_binding_before(&buyer.binding);
    is_int(before.owner, 1, "the order sees the owner before");
    ok(commerce_attribution_late(&before, &owner, &t, T0 + 8 * DAY + 9), "9 s later: late");
    ok(!commerce_attribution_late(&before, &owner, &t, T0 + 8 * DAY + 10), "10 s later: a touch");

    ok(!commerce_buyer_sees(&buyer, &t, T0 + 30 * DAY), "the old link again is no new touch");
    is_int(t.first, T0 + 8 * DAY, "... and has its old time");
}


static void
test_names(void)
{
    unsigned  n;

    static const char *const  sources[] = {
        "house", "protected", "live_room", "share", "promoter", "group", "open", "channel", "plain"
    };
    static const char *const  strengths[] = { "plain", "signed", "attested" };

    for (n = 0; n < COMMERCE_SOURCES; n++) {
        is_str(commerce_cstr(commerce_source_name(n)), sources[n], "source %u", n);
    }

    for (n = 0; n < 3; n++) {
        is_str(commerce_cstr(commerce_strength_name(n)), strengths[n], "strength %u", n);
    }

    is_str(commerce_cstr(commerce_source_name(n + 60)), "unknown", "source out of range");
    is_str(commerce_cstr(commerce_strength_name(n + 60)), "unknown", "strength out of range");
}


int
main(void)
{
    test_presets();
    test_custom();
    test_contributors();
    test_promoters();
    test_self();
    test_seen();
    test_attested();
    test_lookback();
    test_remember();
    test_late();
    test_late_order();
    test_names();

    return done_testing();
}
