/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce coupon list: a user's coupons.
 */

#include "commerce_cli.h"


static int coupon_list(commerce_cli_t *cli, commerce_str_t user);
static int coupon_list_one(commerce_cli_t *cli, const commerce_claim_t *claim);


int
commerce_cli_coupon_list(commerce_cli_t *cli, int argc, char **argv)
{
    int             c;
    commerce_str_t  user;

    static const struct option  options[] = {
        { "user", required_argument, NULL, 'u' },
        { NULL, 0, NULL, 0 }
    };

    user = commerce_string("");

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'u') {
            return COMMERCE_CLI_USAGE;
        }

        if (commerce_cli_id(cli, "user", optarg, &user) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    if (argc != optind || user.len == 0) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    return coupon_list(cli, user);
}


static int
coupon_list(commerce_cli_t *cli, commerce_str_t user)
{
    int               rc;
    commerce_str_t    slot;
    commerce_claim_t  claim;

    slot = commerce_string("");

    while ((rc = commerce_claim_next(&cli->reader, user, &slot, &claim)) == COMMERCE_OK) {
        if (coupon_list_one(cli, &claim) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }

    return rc == COMMERCE_ABSENT ? COMMERCE_CLI_OK : commerce_cli_unreadable(cli, "claims of", user);
}


/* by campaign and serial: codes are for their holder only */
static int
coupon_list_one(commerce_cli_t *cli, const commerce_claim_t *claim)
{
    commerce_coupon_t    coupon;
    commerce_campaign_t  campaign;

    if (commerce_campaign_read(&cli->reader, claim->campaign, &campaign, NULL) != COMMERCE_OK
        || commerce_coupon_read(&cli->reader, claim->campaign, claim->serial, &coupon, NULL)
           == COMMERCE_ERROR)
    {
        return commerce_cli_fail(cli, "serial %u of campaign number %u cannot be read: run"
                                 " \"commerce store check\"", claim->serial, claim->campaign);
    }

    fprintf(cli->out, "%.*s/%u\t%s\t%s\t%s\n", commerce_cli_arg(campaign.id), claim->serial,
            commerce_coupon_state_name(coupon.state), commerce_cli_time(cli, claim->time),
            commerce_cli_time(cli, commerce_coupon_end(&campaign, &coupon)));

    return COMMERCE_CLI_OK;
}
