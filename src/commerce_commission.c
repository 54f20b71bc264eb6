/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_commission.h"


static void commerce_commission_match(const commerce_commission_plan_t *plan,
    const commerce_commission_facts_t *facts, const commerce_order_t *order,
    const commerce_line_t *line, commerce_rates_t *rates);
static bool commerce_commission_rule_matches(const commerce_commission_rule_t *rule,
    const commerce_order_t *order, const commerce_credit_t *credit, commerce_str_t role,
    commerce_str_t sku);
static bool commerce_commission_campaign(const commerce_ids_t *ids, const commerce_order_t *order);
static const commerce_credit_t *commerce_commission_credit(const commerce_order_t *order, int index);
static unsigned commerce_commission_add(commerce_payee_t *payees, unsigned count,
    const commerce_order_t *order, const commerce_credit_t *credit, const commerce_rates_t *rates,
    commerce_fen_t net);
static unsigned commerce_commission_owe(commerce_payee_t *payees, unsigned count, unsigned tier,
    uint64_t person, commerce_str_t id, commerce_fen_t amount);


bool
commerce_commission_needs_role(const commerce_commission_plan_t *plan)
{
    unsigned  i;

    for (i = 0; i < plan->rule_count; i++) {
        if (plan->rules[i].lists[COMMERCE_COMMISSION_ROLE].count != 0) {
            return true;
        }
    }

    return false;
}


void
commerce_commission_snapshot(const commerce_commission_plan_t *plan,
    const commerce_commission_facts_t *facts, commerce_order_t *order)
{
    unsigned             i;
    commerce_line_t      whole;
    commerce_terms_t    *terms = &order->terms;

    terms->plan = plan->version;
    terms->cap = plan->cap;
    terms->cap_all = plan->cap_all;

    memset(&terms->rates, 0, sizeof(commerce_rates_t));

    for (i = 0; i < order->line_count; i++) {
        commerce_commission_match(plan, facts, order, &order->lines[i], &order->lines[i].rates);
    }

    if (order->line_count == 0) {
        memset(&whole, 0, sizeof(commerce_line_t));
        whole.credit = commerce_order_winner(order) != NULL ? 0 : -1;

        commerce_commission_match(plan, facts, order, &whole, &terms->rates);
    }
}


bool
commerce_commission_told(const commerce_order_t *order)
{
    return order->terms.plan != 0 || order->terms.platform.len != 0;
}


static void
commerce_commission_match(const commerce_commission_plan_t *plan,
    const commerce_commission_facts_t *facts, const commerce_order_t *order,
    const commerce_line_t *line, commerce_rates_t *rates)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    memset(rates, 0, sizeof(commerce_rates_t));

    credit = commerce_commission_credit(order, line->credit);

    if (credit == NULL || (order->terms.platform.len != 0 && !order->terms.double_pay)) {
        return;
    }

    for (i = 0; i < plan->rule_count; i++) {

        if (commerce_commission_rule_matches(&plan->rules[i], order, credit,
                                             facts->roles[line->credit], line->sku))
        {
            *rates = plan->rules[i].rates;
            return;
        }
    }
}


static bool
commerce_commission_rule_matches(const commerce_commission_rule_t *rule,
    const commerce_order_t *order, const commerce_credit_t *credit, commerce_str_t role,
    commerce_str_t sku)
{
    const commerce_ids_t  *lists = rule->lists;

    return commerce_commission_listed(&lists[COMMERCE_COMMISSION_SKU], sku)
           && commerce_commission_listed(&lists[COMMERCE_COMMISSION_GROUP], credit->group_id)
           && commerce_commission_listed(&lists[COMMERCE_COMMISSION_PERSON], credit->seller_id)
           && commerce_commission_listed(&lists[COMMERCE_COMMISSION_ROLE], role)
           && commerce_commission_campaign(&lists[COMMERCE_COMMISSION_CAMPAIGN], order);
}


bool
commerce_commission_listed(const commerce_ids_t *ids, commerce_str_t id)
{
    unsigned  i;

    for (i = 0; i < ids->count; i++) {
        if (commerce_equal(ids->ids[i], id)) {
            return true;
        }
    }

    return ids->count == 0;
}


static bool
commerce_commission_campaign(const commerce_ids_t *ids, const commerce_order_t *order)
{
    unsigned  i;

    for (i = 0; i < order->coupon_count; i++) {

        if (order->coupons[i].use != COMMERCE_USE_RELEASED
            && commerce_commission_listed(ids, order->coupons[i].campaign_id))
        {
            return true;
        }
    }

    return ids->count == 0;
}


/* NULL: the house's */

static const commerce_credit_t *
commerce_commission_credit(const commerce_order_t *order, int index)
{
    return (index >= 0 && index < (int) order->credit_count && order->credits[index].seller_id.len != 0)
           ? &order->credits[index] : NULL;
}


void
commerce_commission_amounts(const commerce_rates_t *rates, unsigned cap, commerce_fen_t net,
    commerce_fen_t *tier1, commerce_fen_t *tier2)
{
    commerce_fen_t  most;

    most = (commerce_fen_t) ((__int128) net * cap / 10000);

    *tier1 = commerce_amount_share(net, rates->tier1);

    if (*tier1 > most) {
        *tier1 = most;
    }

    *tier2 = commerce_amount_share(net, rates->tier2);

    if (*tier2 > most - *tier1) {
        *tier2 = most - *tier1;
    }
}


unsigned
commerce_commission_payees(const commerce_order_t *order, const commerce_balance_t *balance,
    commerce_payee_t payees[COMMERCE_PAYEES_MAX])
{
    unsigned                  i, count;
    commerce_fen_t            net;
    const commerce_line_t    *line;
    const commerce_credit_t  *credit;

    count = 0;

    for (i = 0; i < order->line_count; i++) {
        line = &order->lines[i];
        credit = commerce_commission_credit(order, line->credit);

        if (credit != NULL) {
            count = commerce_commission_add(payees, count, order, credit, &line->rates,
                                            balance->net[i]);
        }
    }

    if (order->line_count == 0) {
        credit = commerce_commission_credit(order, commerce_order_winner(order) != NULL ? 0 : -1);

        if (credit != NULL) {
            net = order->state == COMMERCE_ORDER_CANCELLED ? 0
                  : balance->goods < 0 ? -1 : balance->goods - balance->refunded_goods;

            count = commerce_commission_add(payees, count, order, credit, &order->terms.rates, net);
        }
    }

    return count;
}


static unsigned
commerce_commission_add(commerce_payee_t *payees, unsigned count, const commerce_order_t *order,
    const commerce_credit_t *credit, const commerce_rates_t *rates, commerce_fen_t net)
{
    commerce_fen_t  tier1, tier2;

    tier1 = rates->tier1 != 0 ? -1 : 0;
    tier2 = rates->tier2 != 0 ? -1 : 0;

    if (net >= 0) {
        commerce_commission_amounts(rates, order->terms.cap, net, &tier1, &tier2);
    }

    count = commerce_commission_owe(payees, count, 1, credit->seller, credit->seller_id, tier1);

    return credit->tier2_id.len == 0
           ? count
           : commerce_commission_owe(payees, count, 2, credit->tier2, credit->tier2_id, tier2);
}


/* an unknown amount makes the sum unknown; sums of lines cannot overflow, each is at most COMMERCE_FEN_MAX */

static unsigned
commerce_commission_owe(commerce_payee_t *payees, unsigned count, unsigned tier, uint64_t person,
    commerce_str_t id, commerce_fen_t amount)
{
    unsigned           i;
    commerce_payee_t  *payee;

    for (i = 0; i < count; i++) {
        payee = &payees[i];

        if (payee->tier == tier && commerce_equal(payee->id, id)) {
            payee->amount = payee->amount < 0 || amount < 0 ? -1 : payee->amount + amount;
            return count;
        }
    }

    payees[count] = (commerce_payee_t) {
        .person = person, .id = id, .tier = tier, .amount = amount
    };

    return count + 1;
}


bool
commerce_commission_rule_equal(const commerce_commission_rule_t *a,
    const commerce_commission_rule_t *b)
{
    unsigned  i, k;

    if (a->rates.tier1 != b->rates.tier1 || a->rates.tier2 != b->rates.tier2) {
        return false;
    }

    for (i = 0; i < COMMERCE_COMMISSION_LISTS; i++) {

        if (a->lists[i].count != b->lists[i].count) {
            return false;
        }

        for (k = 0; k < a->lists[i].count; k++) {
            if (!commerce_equal(a->lists[i].ids[k], b->lists[i].ids[k])) {
                return false;
            }
        }
    }

    return true;
}


bool
commerce_commission_equal(const commerce_commission_plan_t *a, const commerce_commission_plan_t *b)
{
    unsigned  i;

    if (a->cap != b->cap || a->cap_all != b->cap_all || a->rule_count != b->rule_count) {
        return false;
    }

    for (i = 0; i < a->rule_count; i++) {
        if (!commerce_commission_rule_equal(&a->rules[i], &b->rules[i])) {
            return false;
        }
    }

    return true;
}
