/*
 * Copyright (C) ngx_commerce authors
 *
 * store check: commission plans.
 */

#include "commerce_cli_check.h"


void
commerce_cli_check_commission(commerce_cli_check_t *check, const commerce_cli_record_t *record, const char *name)
{
    bool                         now;
    char                         digits[16];
    commerce_commission_plan_t   plan, copy;

    now = commerce_equal(record->name, commerce_string("now"));

    if (commerce_commission_decode(check->cli->reader.arena, record->value, &plan) != COMMERCE_OK) {
        commerce_cli_check_say(check, "commission plan %s: unreadable", name);
        return;
    }

    if (!now) {
        snprintf(digits, sizeof(digits), "%08x", plan.version);

        if (!commerce_equal(record->name, commerce_cstr(digits))) {
            commerce_cli_check_say(check, "commission plan %s: says that it is version %u", name, plan.version);
        }

        return;
    }

    if (commerce_commission_read(&check->cli->reader, plan.version, &copy, NULL) != COMMERCE_OK
        || !commerce_commission_equal(&plan, &copy))
    {
        commerce_cli_check_say(check, "the commission plan in force is version %u, which is not there or says"
                               " something else", plan.version);
    }
}
