/*
 * Copyright (C) ngx_commerce authors
 *
 * What follows from a campaign alone.
 */

#include "commerce_campaign.h"


bool
commerce_campaign_is_new(const commerce_campaign_t *campaign)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        if ((i > COMMERCE_COUNT_USER && campaign->limits[i] != 0) || campaign->budgets[i] != 0) {
            return true;
        }
    }

    for (i = COMMERCE_SCOPE_SKU + 1; i < COMMERCE_SCOPES; i++) {
        if (campaign->scopes[i].count != 0) {
            return true;
        }
    }

    return campaign->zone.name.len != 0 || campaign->hours_count != 0
           || campaign->step_count != 0 || campaign->every.off != 0
           || campaign->minimum_quantity != 0 || campaign->new_customers
           || campaign->stack != COMMERCE_STACK_ANY || campaign->stack_limit != 0
           || campaign->base_initial || campaign->claim.open || campaign->qr_required
           || campaign->imported;
}


bool
commerce_ids_admit(const commerce_ids_t *ids, commerce_str_t id)
{
    unsigned  i;

    if (ids->count == 0) {
        return true;
    }

    for (i = 0; i < ids->count; i++) {
        if (commerce_equal(ids->ids[i], id)) {
            return true;
        }
    }

    return false;
}


commerce_fen_t
commerce_campaign_maximum(const commerce_campaign_t *campaign)
{
    if (campaign->fixed > 0) {
        return campaign->fixed;
    }

    if (campaign->step_count > 0) {
        return campaign->steps[campaign->step_count - 1].off;
    }

    return campaign->cap > 0 ? campaign->cap : -1;
}


const char *
commerce_count_name(commerce_count_t which)
{
    static const char *const  names[COMMERCE_COUNTS] = {
        "total", "user", "day", "user_day", "group", "seller"
    };

    return (unsigned) which < COMMERCE_COUNTS ? names[which] : "unknown";
}


const char *
commerce_scope_name(commerce_scope_t scope)
{
    static const char *const  names[COMMERCE_SCOPES] = {
        "skus", "categories", "stores", "channels", "rooms", "groups", "sellers", "levels"
    };

    return (unsigned) scope < COMMERCE_SCOPES ? names[scope] : "unknown";
}
