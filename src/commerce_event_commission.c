/*
 * Copyright (C) ngx_commerce authors
 *
 * What events tell of commissions: the terms of an order, and who gets how much of it.
 */

#include "commerce_event.h"


#define COMMERCE_EVENT_TERMS   320      /* terms but their text */
#define COMMERCE_EVENT_RATES    48      /* of a line */
#define COMMERCE_EVENT_PAYEE    80      /* but his id */


static void commerce_event_write_payee(commerce_write_t *w, const commerce_payee_t *payee, bool known,
    commerce_fen_t amount);


size_t
commerce_event_commission_size(const commerce_order_t *order)
{
    size_t                    size;
    unsigned                  i;
    const commerce_credit_t  *credit;

    if (!commerce_commission_told(order)) {
        return 0;
    }

    size = COMMERCE_EVENT_TERMS + COMMERCE_EVENT_ESCAPE * order->terms.platform.len
           + COMMERCE_EVENT_RATES * (order->line_count + 1);

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];
        size += 2 * COMMERCE_EVENT_PAYEE
                + COMMERCE_EVENT_ESCAPE * (credit->seller_id.len + credit->tier2_id.len);
    }

    return size;
}


void
commerce_event_write_rates(commerce_write_t *w, const commerce_order_t *order,
    const commerce_rates_t *rates)
{
    if (order->terms.plan != 0) {
        commerce_write_int(w, "rate1", rates->tier1);
        commerce_write_int(w, "rate2", rates->tier2);
    }
}


void
commerce_event_write_commission(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *balance)
{
    bool                     platform;
    unsigned                 i, count;
    commerce_payee_t         payees[COMMERCE_PAYEES_MAX];
    const commerce_terms_t  *terms = &order->terms;

    if (!commerce_commission_told(order)) {
        return;
    }

    platform = (terms->platform.len != 0 && !terms->double_pay);

    commerce_write_open(w, "commission", '{');
    commerce_write_text(w, "ledger", platform ? commerce_string("platform")
                                              : commerce_string("shop"));
    commerce_write_optional(w, "platform", terms->platform);

    if (terms->platform.len != 0) {
        commerce_write_text(w, "double_pay", terms->double_pay ? commerce_string("allow")
                                                               : commerce_string("deny"));
    }

    if (platform) {
        commerce_write_text(w, "reason", commerce_reason(COMMERCE_R(PLATFORM_PAYS))->name);
    }

    if (terms->plan != 0) {
        commerce_write_int(w, "plan", terms->plan);
        commerce_write_int(w, "cap", terms->cap);
        commerce_write_text(w, "cap_over", terms->cap_all ? commerce_string("all")
                                                          : commerce_string("tiers"));
    }

    if (order->line_count == 0) {
        commerce_event_write_rates(w, order, &terms->rates);
    }

    if (balance != NULL && terms->plan != 0) {
        count = commerce_commission_payees(order, balance, payees);
        commerce_write_open(w, "payees", '[');

        for (i = 0; i < count; i++) {
            commerce_event_write_payee(w, &payees[i], payees[i].amount >= 0, payees[i].amount);
        }

        commerce_write_close(w, ']');
    }

    commerce_write_close(w, '}');
}


void
commerce_event_write_reversal(commerce_write_t *w, const commerce_order_t *order,
    const commerce_balance_t *before, const commerce_balance_t *after)
{
    unsigned          i, count;
    commerce_payee_t  was[COMMERCE_PAYEES_MAX], is[COMMERCE_PAYEES_MAX];

    if (order->terms.plan == 0) {
        return;
    }

    /* by the same snapshot: the same people, in the same order */

    count = commerce_commission_payees(order, before, was);
    (void) commerce_commission_payees(order, after, is);

    commerce_write_open(w, "commission", '[');

    for (i = 0; i < count; i++) {
        commerce_event_write_payee(w, &is[i], was[i].amount >= 0 && is[i].amount >= 0,
                                   is[i].amount - was[i].amount);
    }

    commerce_write_close(w, ']');
}


static void
commerce_event_write_payee(commerce_write_t *w, const commerce_payee_t *payee, bool known,
    commerce_fen_t amount)
{
    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "seller", payee->id);
    commerce_write_int(w, "tier", payee->tier);

    if (known) {
        commerce_write_int(w, "amount", amount);

    } else {
        commerce_write_null(w, "amount");
    }

    commerce_write_close(w, '}');
}
