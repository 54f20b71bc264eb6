/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_ledger_unit.h"


static void commerce_ledger_roles(commerce_ledger_t *ledger, const commerce_order_t *order,
    commerce_commission_facts_t *facts);


void
commerce_ledger_terms(commerce_ledger_t *ledger, commerce_order_t *order, uint32_t plan)
{
    commerce_commission_plan_t   found;
    commerce_commission_facts_t  facts;

    /* an order does not wait for what nobody can read: it has no commissions, "store check" tells why */

    if (commerce_commission_read(ledger->reader, plan, &found, NULL) != COMMERCE_OK) {
        return;
    }

    memset(&facts, 0, sizeof(commerce_commission_facts_t));

    if (commerce_commission_needs_role(&found)) {
        commerce_ledger_roles(ledger, order, &facts);
    }

    commerce_commission_snapshot(&found, &facts, order);
}


static void
commerce_ledger_roles(commerce_ledger_t *ledger, const commerce_order_t *order,
    commerce_commission_facts_t *facts)
{
    unsigned           i;
    commerce_person_t  person;

    for (i = 0; i < order->credit_count; i++) {

        if (order->credits[i].seller != 0 && !order->credits[i].contributor
            && commerce_person_read(ledger->reader, order->credits[i].seller, &person, NULL)
               == COMMERCE_OK)
        {
            facts->roles[i] = commerce_cstr(commerce_role_name(person.role));
        }
    }
}
