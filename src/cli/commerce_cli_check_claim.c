/*
 * Copyright (C) ngx_commerce authors
 *
 * Claims and redemptions in shops, against the coupons that they tell of.
 */

#include <stdlib.h>

#include "commerce_cli_check.h"


/* "<user> 1f <slot>" */
void
commerce_cli_check_claim(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    int                rc;
    commerce_claim_t   claim;
    commerce_coupon_t  coupon;

    if (commerce_claim_decode(record->value, &claim) != COMMERCE_OK) {
        commerce_cli_check_say(check, "claim \"%s\": unreadable", name);
        return;
    }

    rc = commerce_coupon_read(&check->cli->reader, claim.campaign, claim.serial, &coupon, NULL);

    if (rc != COMMERCE_OK || coupon.holder.len >= record->name.len
        || memcmp(coupon.holder.data, record->name.data, coupon.holder.len) != 0
        || record->name.data[coupon.holder.len] != COMMERCE_PATH_SEPARATOR)
    {
        commerce_cli_check_say(check, "claim \"%s\": serial %u of campaign number %u is not this"
                               " user's", name, claim.serial, claim.campaign);
    }
}


void
commerce_cli_check_redemption(commerce_cli_check_t *check, const commerce_cli_record_t *record,
    const char *name)
{
    commerce_coupon_t      coupon;
    commerce_redemption_t  redemption;

    if (commerce_redemption_decode(check->cli->reader.arena, record->value, &redemption)
            != COMMERCE_OK
        || !commerce_equal(redemption.request, record->name))
    {
        commerce_cli_check_say(check, "redemption \"%s\": unreadable, or under another's number",
                               name);
        return;
    }

    if (redemption.rolled_back != 0) {
        return;
    }

    if (commerce_coupon_read(&check->cli->reader, redemption.campaign, redemption.serial, &coupon,
                             NULL)
            != COMMERCE_OK
        || coupon.state != COMMERCE_COUPON_REDEEMED
        || !commerce_equal(coupon.request, redemption.request))
    {
        commerce_cli_check_say(check, "redemption \"%s\": serial %u of campaign number %u is not"
                               " redeemed by it", name, redemption.serial, redemption.campaign);
    }
}


/* a coupon that says it was redeemed in a shop */
void
commerce_cli_check_redeemed(commerce_cli_check_t *check, const commerce_coupon_t *coupon,
    const char *name)
{
    int                    rc;
    commerce_redemption_t  redemption;

    rc = commerce_redemption_read(&check->cli->reader, coupon->request, &redemption, NULL);

    if (rc != COMMERCE_OK || redemption.rolled_back != 0 || redemption.campaign != coupon->campaign
        || redemption.serial != coupon->serial)
    {
        commerce_cli_check_say(check, "coupon %s: redeemed in a shop, but redemption \"%s\" does"
                               " not tell of it", name,
                               commerce_cli_text(check->cli, coupon->request));
    }
}


/* counters of claims, "y" and what is counted: the stock's is the number of claimed coupons */
bool
commerce_cli_check_claims(commerce_cli_check_t *check, commerce_str_t name, int64_t value)
{
    char    digits[5];
    size_t  campaign;

    if (name.len < 7 || name.data[0] != 'y' || strchr("tvdwg", name.data[1]) == NULL
        || name.data[2] != '/')
    {
        return false;
    }

    memcpy(digits, name.data + 3, 4);
    digits[4] = '\0';
    campaign = strtoul(digits, NULL, 16);

    if (name.data[1] == 't' && campaign <= COMMERCE_CODE_CAMPAIGN_MAX
        && (check->closed[campaign] ? value < check->claims[campaign] : value != check->claims[campaign]))
    {
        commerce_cli_check_say(check, "counter of claims of campaign number %zu: %lld where there"
                               " are %lld", campaign, (long long) value,
                               (long long) check->claims[campaign]);
    }

    return true;
}
