/*
 * Copyright (C) ngx_commerce authors
 *
 * A campaign as JSON: its members in the order in which people think of them.
 */

#include <stdio.h>

#include "commerce_campaign.h"


typedef bool (*commerce_campaign_write_pt)(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);

typedef struct {
    const char                  *name;
    commerce_campaign_write_pt   write;     /* false: it says nothing and nothing was written; w NULL: would it? */
} commerce_campaign_writer_t;


static bool commerce_campaign_write_v(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);
static bool commerce_campaign_write_id(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);
static bool commerce_campaign_write_discount(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_zone(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);
static bool commerce_campaign_write_from(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);
static bool commerce_campaign_write_until(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_hours(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_spend(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_quantity(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_scope(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_new(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name);
static bool commerce_campaign_write_limits(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_budgets(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_stacking(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_promoter(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_holder(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_claim(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_redeem(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_codes(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);
static bool commerce_campaign_write_enabled(commerce_write_t *w,
    const commerce_campaign_t *campaign, const char *name);

static void commerce_campaign_write_off(commerce_write_t *w, const char *name,
    const commerce_step_off_t *step);
static void commerce_campaign_write_moment(commerce_write_t *w, const char *name,
    const commerce_campaign_t *campaign, commerce_time_t when, int days);
static void commerce_campaign_write_minute(commerce_write_t *w, const char *name,
    unsigned minute);
static bool commerce_campaign_write_counts(commerce_write_t *w,
    const int64_t counts[COMMERCE_COUNTS]);


static const commerce_campaign_writer_t  commerce_campaign_writers[] = {
    { "v", commerce_campaign_write_v },
    { "id", commerce_campaign_write_id },
    { "discount", commerce_campaign_write_discount },
    { "zone", commerce_campaign_write_zone },
    { "from", commerce_campaign_write_from },
    { "until", commerce_campaign_write_until },
    { "hours", commerce_campaign_write_hours },
    { "minimum_spend", commerce_campaign_write_spend },
    { "minimum_quantity", commerce_campaign_write_quantity },
    { "skus", commerce_campaign_write_scope },
    { "categories", commerce_campaign_write_scope },
    { "stores", commerce_campaign_write_scope },
    { "channels", commerce_campaign_write_scope },
    { "rooms", commerce_campaign_write_scope },
    { "groups", commerce_campaign_write_scope },
    { "sellers", commerce_campaign_write_scope },
    { "levels", commerce_campaign_write_scope },
    { "new_customers", commerce_campaign_write_new },
    { "limits", commerce_campaign_write_limits },
    { "budgets", commerce_campaign_write_budgets },
    { "stacking", commerce_campaign_write_stacking },
    { "promoter", commerce_campaign_write_promoter },
    { "holder", commerce_campaign_write_holder },
    { "claim", commerce_campaign_write_claim },
    { "redeem", commerce_campaign_write_redeem },
    { "codes", commerce_campaign_write_codes },
    { "enabled", commerce_campaign_write_enabled }
};

#define COMMERCE_CAMPAIGN_WRITERS                                               \
    (sizeof(commerce_campaign_writers) / sizeof(commerce_campaign_writers[0]))


unsigned
commerce_campaign_member_count(const commerce_campaign_t *campaign)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < COMMERCE_CAMPAIGN_WRITERS; i++) {
        n += commerce_campaign_writers[i].write(NULL, campaign,
                                                commerce_campaign_writers[i].name);
    }

    return n;
}


const char *
commerce_campaign_member_write(commerce_write_t *w, const commerce_campaign_t *campaign,
    unsigned n)
{
    unsigned                           i;
    const commerce_campaign_writer_t  *writer;

    for (i = 0; i < COMMERCE_CAMPAIGN_WRITERS; i++) {
        writer = &commerce_campaign_writers[i];

        if (writer->write(NULL, campaign, writer->name) && n-- == 0) {
            (void) writer->write(w, campaign, writer->name);
            return writer->name;
        }
    }

    return NULL;
}


static bool
commerce_campaign_write_v(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_int(w, NULL, commerce_campaign_is_new(campaign) ? 2 : 1);
    }

    return true;
}


static bool
commerce_campaign_write_id(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_text(w, NULL, campaign->id);
    }

    return true;
}


static bool
commerce_campaign_write_discount(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_campaign_write_worth(w, NULL, campaign);
    }

    return true;
}


void
commerce_campaign_write_worth(commerce_write_t *w, const char *name,
    const commerce_campaign_t *campaign)
{
    unsigned  i;

    commerce_write_open(w, name, '{');

    if (campaign->fixed > 0) {
        commerce_write_int(w, "fixed", campaign->fixed);

    } else if (campaign->percent > 0) {
        commerce_write_int(w, "percent", campaign->percent);

    } else if (campaign->every.off > 0) {
        commerce_campaign_write_off(w, "every", &campaign->every);

    } else {
        commerce_write_open(w, "thresholds", '[');

        for (i = 0; i < campaign->step_count; i++) {
            commerce_campaign_write_off(w, NULL, &campaign->steps[i]);
        }

        commerce_write_close(w, ']');
    }

    if (campaign->cap > 0) {
        commerce_write_int(w, "cap", campaign->cap);
    }

    commerce_write_close(w, '}');
}


static void
commerce_campaign_write_off(commerce_write_t *w, const char *name,
    const commerce_step_off_t *step)
{
    commerce_write_open(w, name, '{');
    commerce_write_int(w, "minimum", step->minimum);
    commerce_write_int(w, "off", step->off);
    commerce_write_close(w, '}');
}


static bool
commerce_campaign_write_zone(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_text(w, NULL, campaign->zone.name);
    }

    return campaign->zone.name.len != 0;
}


static bool
commerce_campaign_write_from(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_campaign_write_moment(w, NULL, campaign, campaign->from, 0);
    }

    return campaign->from != 0;
}


static bool
commerce_campaign_write_until(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_campaign_write_moment(w, NULL, campaign, campaign->until, 1);
    }

    return campaign->until != COMMERCE_FOREVER;
}


/* what begins with a day of the zone is written as a date, whichever way it was said */

static void
commerce_campaign_write_moment(commerce_write_t *w, const char *name,
    const commerce_campaign_t *campaign, commerce_time_t when, int days)
{
    char     text[32];
    int32_t  day;

    day = commerce_zone_day(&campaign->zone, when);

    if (campaign->zone.name.len != 0
        && commerce_zone_day_start(&campaign->zone, day) == when)
    {
        commerce_date_format(day - days, text);

    } else {
        commerce_time_format(when, text);
    }

    commerce_write_text(w, name, commerce_cstr(text));
}


static bool
commerce_campaign_write_hours(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    unsigned                 i, k;
    const commerce_hours_t  *hours;

    static const char *const  days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

    if (w == NULL || campaign->hours_count == 0) {
        return campaign->hours_count != 0;
    }

    commerce_write_open(w, NULL, '[');

    for (i = 0; i < campaign->hours_count; i++) {
        hours = &campaign->hours[i];

        commerce_write_open(w, NULL, '{');

        if (hours->days != 0x7f) {
            commerce_write_open(w, "days", '[');

            for (k = 0; k < 7; k++) {
                if (hours->days & 1U << k) {
                    commerce_write_text(w, NULL, commerce_cstr(days[k]));
                }
            }

            commerce_write_close(w, ']');
        }

        commerce_campaign_write_minute(w, "from", hours->from);
        commerce_campaign_write_minute(w, "until", hours->until);
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return true;
}


static void
commerce_campaign_write_minute(commerce_write_t *w, const char *name, unsigned minute)
{
    char  text[32];

    snprintf(text, sizeof(text), "%02u:%02u", minute / 60, minute % 60);
    commerce_write_text(w, name, commerce_cstr(text));
}


static bool
commerce_campaign_write_spend(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_int(w, NULL, campaign->minimum_spend);
    }

    return campaign->minimum_spend > 0;
}


static bool
commerce_campaign_write_quantity(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_int(w, NULL, campaign->minimum_quantity);
    }

    return campaign->minimum_quantity > 0;
}


static bool
commerce_campaign_write_scope(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    unsigned               i;
    const commerce_ids_t  *ids;

    for (i = 0; strcmp(commerce_scope_name(i), name) != 0; i++) { /* void */ }

    ids = &campaign->scopes[i];

    if (w == NULL || ids->count == 0) {
        return ids->count != 0;
    }

    commerce_write_open(w, NULL, '[');

    for (i = 0; i < ids->count; i++) {
        commerce_write_text(w, NULL, ids->ids[i]);
    }

    commerce_write_close(w, ']');

    return true;
}


static bool
commerce_campaign_write_new(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_bool(w, NULL, campaign->new_customers);
    }

    return campaign->new_customers;
}


static bool
commerce_campaign_write_limits(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    return commerce_campaign_write_counts(w, campaign->limits);
}


static bool
commerce_campaign_write_budgets(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    return commerce_campaign_write_counts(w, campaign->budgets);
}


static bool
commerce_campaign_write_counts(commerce_write_t *w, const int64_t counts[COMMERCE_COUNTS])
{
    bool      any;
    unsigned  i;

    for (i = 0, any = false; i < COMMERCE_COUNTS; i++) {
        any = any || counts[i] != 0;
    }

    if (w == NULL || !any) {
        return any;
    }

    commerce_write_open(w, NULL, '{');

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        if (counts[i] != 0) {
            commerce_write_int(w, commerce_count_name(i), counts[i]);
        }
    }

    commerce_write_close(w, '}');

    return true;
}


static bool
commerce_campaign_write_stacking(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (campaign->stack == COMMERCE_STACK_ANY && campaign->stack_limit == 0
        && !campaign->base_initial)
    {
        return false;
    }

    if (w == NULL) {
        return true;
    }

    commerce_write_open(w, NULL, '{');

    if (campaign->stack != COMMERCE_STACK_ANY) {
        commerce_write_text(w, "class", campaign->stack == COMMERCE_STACK_EXCLUSIVE
                                        ? commerce_string("exclusive") : campaign->stack_class);
    }

    if (campaign->base_initial) {
        commerce_write_text(w, "base", commerce_string("initial"));
    }

    if (campaign->stack_limit != 0) {
        commerce_write_int(w, "limit", campaign->stack_limit);
    }

    commerce_write_close(w, '}');

    return true;
}


static bool
commerce_campaign_write_promoter(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_text(w, NULL, campaign->promoter_id);
    }

    return campaign->promoter_id.len != 0;
}


static bool
commerce_campaign_write_holder(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_text(w, NULL, commerce_string("required"));
    }

    return campaign->holder_required;
}


static bool
commerce_campaign_write_claim(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    char                           text[32];
    unsigned                       i;
    const commerce_claim_rules_t  *claim = &campaign->claim;

    if (w == NULL || !claim->open) {
        return claim->open;
    }

    commerce_write_open(w, NULL, '{');

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        if (claim->limits[i] != 0) {
            commerce_write_int(w, i == COMMERCE_COUNT_TOTAL ? "stock" : commerce_count_name(i),
                               claim->limits[i]);
        }
    }

    if (claim->from != 0) {
        commerce_campaign_write_moment(w, "from", campaign, claim->from, 0);
    }

    if (claim->until != COMMERCE_FOREVER) {
        commerce_campaign_write_moment(w, "until", campaign, claim->until, 1);
    }

    if (claim->valid_for != 0) {
        snprintf(text, sizeof(text), "%llds", (long long) claim->valid_for);
        commerce_write_text(w, "valid_for", commerce_cstr(text));
    }

    commerce_write_close(w, '}');

    return true;
}


static bool
commerce_campaign_write_redeem(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w == NULL || !campaign->qr_required) {
        return campaign->qr_required;
    }

    commerce_write_open(w, NULL, '{');
    commerce_write_text(w, "qr", commerce_string("required"));
    commerce_write_close(w, '}');

    return true;
}


static bool
commerce_campaign_write_codes(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_text(w, NULL, commerce_string("imported"));
    }

    return campaign->imported;
}


static bool
commerce_campaign_write_enabled(commerce_write_t *w, const commerce_campaign_t *campaign,
    const char *name)
{
    if (w != NULL) {
        commerce_write_bool(w, NULL, campaign->enabled);
    }

    return true;
}
