/*
 * Copyright (C) ngx_commerce authors
 *
 * Commission: what tiers 1 and 2 get of a sale.
 *
 * A shop has one plan, kept by operators as reviewable JSON; its members are described in
 * modules/distribution/README.md:
 *
 *   {"v":1,
 *    "cap":3000,                 basis points of a line that tiers 1 and 2 get together at most; absent: 3000
 *    "cap_over":"tiers",         or "all": what a split pays to anybody counts against it; absent: "tiers"
 *    "rules":[{"sku":["A-1"],"campaign":["autumn"],"group":["g1"],"person":["anna"],"role":["guide"],
 *              "tier1":1000,"tier2":500}, ...]}
 *
 * Of a rule, lists that are there must all hold; within a list one id is enough.  person and role are the credited
 * seller's, group is the one by which the buyer came, campaign one of the order's coupons'.  The first rule that
 * matches a line gives its rates; no rule, no commission.  Rates are written out, both of them; together they are
 * at most the cap.  There is no member for a third tier.
 *
 * The rates that a line had when its order was made stay with the order.  Amounts follow from them and from what the
 * line has brought until now, so that any order of refunds ends in the same amounts:
 *
 *   most  = net * cap / 10000, rounded down: a limit
 *   tier1 = the smaller of net * rate / 10000, rounded half up, and most
 *   tier2 = the smaller of its own, rounded half up, and what tier1 leaves of most
 *
 * where net is what was paid for the line less what was given back.
 */

#ifndef COMMERCE_COMMISSION_H
#define COMMERCE_COMMISSION_H

#include "commerce_refund.h"

#define COMMERCE_COMMISSION_CAP    3000     /* bp, where a plan names none */
#define COMMERCE_COMMISSION_RULES   512
#define COMMERCE_COMMISSION_IDS     256     /* in one list */
#define COMMERCE_COMMISSION_ALL_IDS  1024   /* in all lists: a record must hold them */
#define COMMERCE_COMMISSION_TEXT  (2 * 1024 * 1024)     /* bytes that hold any plan as JSON */

/* what a rule asks about; stored in this order */
typedef enum {
    COMMERCE_COMMISSION_SKU,
    COMMERCE_COMMISSION_CAMPAIGN,
    COMMERCE_COMMISSION_GROUP,
    COMMERCE_COMMISSION_PERSON,
    COMMERCE_COMMISSION_ROLE,               /* names of commerce_role_t */
    COMMERCE_COMMISSION_LISTS
} commerce_commission_list_t;

typedef struct {
    commerce_ids_t    lists[COMMERCE_COMMISSION_LISTS];     /* count 0: not asked */
    commerce_rates_t  rates;
} commerce_commission_rule_t;

typedef struct {
    uint32_t                     version;   /* the store's, from 1; 0 = of no store */
    unsigned                     cap;       /* bp */
    bool                         cap_all;
    commerce_commission_rule_t  *rules;
    unsigned                     rule_count;
} commerce_commission_plan_t;

/*
 * Reads a plan's file.  Every sentence about what is wrong with it is said; COMMERCE_ERROR after at least one.
 * Strings point into json or into the arena.
 */
int commerce_commission_parse(commerce_arena_t *arena, commerce_str_t json, commerce_commission_plan_t *plan,
    commerce_campaign_say_pt say, void *data);

/* the same as JSON, a rule on each line */
void commerce_commission_write_rule(commerce_write_t *w, const commerce_commission_rule_t *rule);

/* what it says but hardly means: sentences said */
unsigned commerce_commission_lint(const commerce_commission_plan_t *plan, commerce_campaign_say_pt say, void *data);

/* is this id one that the list asks for? */
bool commerce_commission_listed(const commerce_ids_t *ids, commerce_str_t id);

bool commerce_commission_rule_equal(const commerce_commission_rule_t *a, const commerce_commission_rule_t *b);
bool commerce_commission_equal(const commerce_commission_plan_t *a, const commerce_commission_plan_t *b);

/* does any rule ask about roles? only then a seller's record has to be read */
bool commerce_commission_needs_role(const commerce_commission_plan_t *plan);

/* what the rules look at, beside the order itself */
typedef struct {
    commerce_str_t  roles[COMMERCE_CREDITS_MAX];    /* of each credit's seller; empty = not known */
} commerce_commission_facts_t;

/*
 * Gives every line of the order (an order without lines: the order) its rates, and the order the plan's version and
 * cap.  Lines of the house have none.  platform, double_pay of the order are set before: a commission that a platform
 * pays, and is not to be paid twice, leaves ours at 0.
 */
void commerce_commission_snapshot(const commerce_commission_plan_t *plan, const commerce_commission_facts_t *facts,
    commerce_order_t *order);

/* has the order anything to do with commissions? */
bool commerce_commission_told(const commerce_order_t *order);

/* of one line: net >= 0 */
void commerce_commission_amounts(const commerce_rates_t *rates, unsigned cap, commerce_fen_t net,
    commerce_fen_t *tier1, commerce_fen_t *tier2);

/* what somebody gets of an order as a tier */
typedef struct {
    uint64_t         person;
    commerce_str_t   id;
    unsigned         tier;              /* 1 or 2 */
    commerce_fen_t   amount;            /* -1 = not known: a line does not say what it brought */
} commerce_payee_t;

#define COMMERCE_PAYEES_MAX  (2 * COMMERCE_CREDITS_MAX)

/*
 * Everybody who is tier 1 or 2 of some line, by the order's snapshot, with his amount as the order stands now; who is
 * both, twice.  Returns how many.
 */
unsigned commerce_commission_payees(const commerce_order_t *order, const commerce_balance_t *balance,
    commerce_payee_t payees[COMMERCE_PAYEES_MAX]);

#endif
