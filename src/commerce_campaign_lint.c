/*
 * Copyright (C) ngx_commerce authors
 *
 * What a campaign may say, but hardly means.
 */

#include <stdarg.h>
#include <stdio.h>

#include "commerce_rules.h"


#define COMMERCE_LINT_SENTENCE  512
#define COMMERCE_LINT_STEP      (15 * 60)       /* seconds; hours are looked for this closely ... */
#define COMMERCE_LINT_DAYS      8               /* ... in campaigns of at most so many days */


typedef struct {
    const commerce_campaign_t  *campaign;
    commerce_campaign_say_pt    say;
    void                       *data;
    unsigned                    count;
} commerce_lint_t;


static void commerce_lint_time(commerce_lint_t *lint, commerce_time_t now);
static bool commerce_lint_never_on(const commerce_campaign_t *campaign);
static void commerce_lint_discount(commerce_lint_t *lint);
static void commerce_lint_steps(commerce_lint_t *lint);
static void commerce_lint_counts(commerce_lint_t *lint);
static void commerce_lint_order(commerce_lint_t *lint, const char *what,
    const int64_t counts[COMMERCE_COUNTS]);
static void commerce_lint_money(commerce_lint_t *lint);
static void commerce_lint_scope(commerce_lint_t *lint);
static void commerce_lint_stacking(commerce_lint_t *lint);
static void commerce_lint_say(commerce_lint_t *lint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


unsigned
commerce_campaign_lint(const commerce_campaign_t *campaign, commerce_time_t now,
    commerce_campaign_say_pt say, void *data)
{
    commerce_lint_t  lint = { .campaign = campaign, .say = say, .data = data };

    if (!campaign->enabled) {
        commerce_lint_say(&lint, "\"enabled\" is false: no coupon of it can be used");
    }

    commerce_lint_time(&lint, now);
    commerce_lint_discount(&lint);
    commerce_lint_steps(&lint);
    commerce_lint_counts(&lint);
    commerce_lint_money(&lint);
    commerce_lint_scope(&lint);
    commerce_lint_stacking(&lint);

    return lint.count;
}


static void
commerce_lint_time(commerce_lint_t *lint, commerce_time_t now)
{
    char                        text[32];
    const commerce_campaign_t  *campaign = lint->campaign;

    commerce_time_format(campaign->until, text);

    if (campaign->until == COMMERCE_FOREVER) {
        commerce_lint_say(lint, "\"until\" is missing: the campaign never ends");

    } else if (campaign->until <= now) {
        commerce_lint_say(lint, "\"until\": the campaign has ended already, at %s", text);
    }

    if (campaign->zone.count != 0 && campaign->until != COMMERCE_FOREVER
        && campaign->until > COMMERCE_ZONE_LAST)
    {
        commerce_lint_say(lint, "\"until\" is after 2050: changes of the clock in \"%.*s\" are not"
                          " known so far ahead", (int) campaign->zone.name.len,
                          campaign->zone.name.data);
    }

    if (campaign->hours_count != 0 && commerce_lint_never_on(campaign)) {
        commerce_lint_say(lint, "\"hours\": none of them comes between \"from\" and \"until\"");
    }
}


static bool
commerce_lint_never_on(const commerce_campaign_t *campaign)
{
    commerce_time_t  when;

    if (campaign->until == COMMERCE_FOREVER
        || campaign->until - campaign->from > COMMERCE_LINT_DAYS * COMMERCE_DAY)
    {
        return false;
    }

    for (when = campaign->from; when < campaign->until; when += COMMERCE_LINT_STEP) {
        if (commerce_rules_on(campaign, when)) {
            return false;
        }
    }

    return !commerce_rules_on(campaign, campaign->until - 1);
}


static void
commerce_lint_discount(commerce_lint_t *lint)
{
    const commerce_campaign_t  *campaign = lint->campaign;

    if (campaign->percent > 0 && campaign->cap == 0) {
        commerce_lint_say(lint, "\"discount\" is a percentage without \"cap\": a large order gets a"
                          " large discount");
    }

    if (campaign->every.off > 0 && campaign->cap == 0) {
        commerce_lint_say(lint, "\"discount/every\" has no \"cap\": a large order gets a large"
                          " discount");
    }

    if (campaign->percent == 10000) {
        commerce_lint_say(lint, "\"discount/percent\" is 10000: the goods are free");
    }

    if (campaign->fixed > 0 && campaign->fixed >= campaign->minimum_spend) {
        commerce_lint_say(lint, "\"discount/fixed\" is not below \"minimum_spend\": an order can"
                          " become free");
    }

    if (campaign->every.off > 0 && campaign->every.off >= campaign->every.minimum) {
        commerce_lint_say(lint, "\"discount/every\": \"off\" is not below \"minimum\": an order"
                          " becomes free");
    }

    if (campaign->cap > 0 && campaign->every.off > campaign->cap) {
        commerce_lint_say(lint, "\"discount/cap\" is below \"off\": more than one \"minimum\" gives"
                          " nothing more");
    }
}


static void
commerce_lint_steps(commerce_lint_t *lint)
{
    unsigned                    i;
    const commerce_campaign_t  *campaign = lint->campaign;

    for (i = 0; i < campaign->step_count; i++) {
        if (campaign->steps[i].off >= campaign->steps[i].minimum) {
            commerce_lint_say(lint, "\"discount/thresholds\": in step %u \"off\" is not below"
                              " \"minimum\": an order can become free", i + 1);
        }

        if (i != 0 && campaign->steps[i].minimum <= campaign->minimum_spend) {
            commerce_lint_say(lint, "\"discount/thresholds\": step %u has no effect,"
                              " \"minimum_spend\" is not below step %u", i, i + 1);
        }
    }

    if ((campaign->step_count > 0 && campaign->minimum_spend > 0
         && campaign->minimum_spend <= campaign->steps[0].minimum)
        || (campaign->every.off > 0 && campaign->minimum_spend > 0
            && campaign->minimum_spend <= campaign->every.minimum))
    {
        commerce_lint_say(lint, "\"minimum_spend\" has no effect: the discount begins later");
    }
}


static void
commerce_lint_counts(commerce_lint_t *lint)
{
    const commerce_campaign_t  *campaign = lint->campaign;

    commerce_lint_order(lint, "limits", campaign->limits);
    commerce_lint_order(lint, "budgets", campaign->budgets);

    if (campaign->new_customers && campaign->limits[COMMERCE_COUNT_USER] != 1) {
        commerce_lint_say(lint, "\"new_customers\" without a limit of 1 by user: orders that come"
                          " before the first is known all count as a new customer's");
    }
}


/* a limit that a wider one reaches first */

static void
commerce_lint_order(commerce_lint_t *lint, const char *what,
    const int64_t counts[COMMERCE_COUNTS])
{
    unsigned  i, k;

    /* which sets hold which: a day's uses are some of all uses, and so on */

    static const bool  within[COMMERCE_COUNTS][COMMERCE_COUNTS] = {
        [COMMERCE_COUNT_USER] = { [COMMERCE_COUNT_TOTAL] = true },
        [COMMERCE_COUNT_DAY] = { [COMMERCE_COUNT_TOTAL] = true },
        [COMMERCE_COUNT_USER_DAY] = { [COMMERCE_COUNT_TOTAL] = true,
                                      [COMMERCE_COUNT_USER] = true,
                                      [COMMERCE_COUNT_DAY] = true },
        [COMMERCE_COUNT_GROUP] = { [COMMERCE_COUNT_TOTAL] = true },
        [COMMERCE_COUNT_SELLER] = { [COMMERCE_COUNT_TOTAL] = true }
    };

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        for (k = 0; k < COMMERCE_COUNTS; k++) {
            if (within[i][k] && counts[i] != 0 && counts[k] != 0 && counts[i] >= counts[k]) {
                commerce_lint_say(lint, "\"%s/%s\" has no effect: \"%s\" is not above it", what,
                                  commerce_count_name(i), commerce_count_name(k));
            }
        }
    }
}


static void
commerce_lint_money(commerce_lint_t *lint)
{
    unsigned                    i;
    commerce_fen_t              maximum;
    const commerce_campaign_t  *campaign = lint->campaign;

    maximum = commerce_campaign_maximum(campaign);

    for (i = 0; i < COMMERCE_COUNTS; i++) {
        if (campaign->budgets[i] == 0) {
            continue;
        }

        if (maximum < 0) {
            commerce_lint_say(lint, "\"budgets/%s\" with a discount that has no bound: orders that"
                              " name no amounts are refused", commerce_count_name(i));

        } else if (campaign->budgets[i] < maximum) {
            commerce_lint_say(lint, "\"budgets/%s\" is below one full discount, which is %lld",
                              commerce_count_name(i), (long long) maximum);

        } else if (campaign->limits[i] != 0
                   && campaign->limits[i] <= campaign->budgets[i] / maximum)
        {
            commerce_lint_say(lint, "\"budgets/%s\" has no effect: \"limits/%s\" ends it before",
                              commerce_count_name(i), commerce_count_name(i));
        }
    }
}


static void
commerce_lint_scope(commerce_lint_t *lint)
{
    unsigned                    i, k, n;
    const commerce_ids_t       *ids;
    const commerce_campaign_t  *campaign = lint->campaign;

    for (i = 0; i < COMMERCE_SCOPES; i++) {
        ids = &campaign->scopes[i];

        for (k = 0; k < ids->count; k++) {
            for (n = 0; n < k; n++) {
                if (commerce_equal(ids->ids[n], ids->ids[k])) {
                    commerce_lint_say(lint, "\"%s\" names \"%.*s\" twice", commerce_scope_name(i),
                                      (int) ids->ids[k].len, ids->ids[k].data);
                    break;
                }
            }
        }
    }

    ids = &campaign->scopes[COMMERCE_SCOPE_SELLER];

    if (ids->count == 0) {
        return;
    }

    if (campaign->promoter_id.len == 0) {
        commerce_lint_say(lint, "\"sellers\" without \"promoter\": only orders that one of them"
                          " wins by a touch or binding can use a coupon");

    } else if (!commerce_ids_admit(ids, campaign->promoter_id)) {
        commerce_lint_say(lint, "\"promoter\" is not among \"sellers\": orders that are the"
                          " promoter's cannot use the coupon");
    }
}


static void
commerce_lint_stacking(commerce_lint_t *lint)
{
    const commerce_campaign_t  *campaign = lint->campaign;

    if (campaign->stack == COMMERCE_STACK_EXCLUSIVE
        && (campaign->stack_limit != 0 || campaign->base_initial))
    {
        commerce_lint_say(lint, "\"stacking\": \"limit\" and \"base\" have no effect, an"
                          " \"exclusive\" coupon stands alone");
    }

    if (campaign->stack != COMMERCE_STACK_EXCLUSIVE && campaign->stack_limit == 1) {
        commerce_lint_say(lint, "\"stacking/limit\" is 1: that is what \"exclusive\" says");
    }
}


static void
commerce_lint_say(commerce_lint_t *lint, const char *format, ...)
{
    char     sentence[COMMERCE_LINT_SENTENCE];
    va_list  args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);

    lint->count++;
    lint->say(lint->data, sentence);
}
