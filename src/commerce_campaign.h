/*
 * Copyright (C) ngx_commerce authors
 *
 * Campaign: what its coupons are worth and when they apply.  Kept by operators as reviewable JSON:
 *
 *   {"v":1, "id":"autumn",
 *    "discount": {"fixed":1000} | {"percent":1500, "cap":5000},     fen; basis points and fen
 *    "from":"2026-11-01T00:00:00+08:00", "until":"2026-12-01T00:00:00+08:00",     until: first dead second
 *    "minimum_spend":9900,                                           fen, on the admitted lines
 *    "skus":["A-1","A-2"],                                           absent: all
 *    "limits":{"total":1000,"user":1},                               absent: none
 *    "promoter":"<person id>",                                       credited through the coupon
 *    "holder":"required",                                            absent: anyone may use a code
 *    "claim":{"stock":10000, "day":500, "user":1, "user_day":1, "group":50,       coupons that users take themselves
 *             "from":..., "until":..., "valid_for":"7d"},            only stock is needed
 *    "redeem":{"qr":"required"},                                     in shops: no static codes
 *    "codes":"imported",                                             absent: "signed", minted here
 *    "enabled":true}
 *
 * Unknown members are errors: a misspelt limit must not become "no limit".
 */

#ifndef COMMERCE_CAMPAIGN_H
#define COMMERCE_CAMPAIGN_H

#include "commerce_json.h"
#include "commerce_amount.h"
#include "commerce_zone.h"

#define COMMERCE_CAMPAIGN_SKUS  256

/* what a use counts against; a stored set of these has bit 1 << n for each, so that it only grows at its end */
typedef enum {
    COMMERCE_COUNT_TOTAL,
    COMMERCE_COUNT_USER,
    COMMERCE_COUNT_DAY,                 /* of the campaign's zone */
    COMMERCE_COUNT_USER_DAY,
    COMMERCE_COUNT_GROUP,               /* of the order's winner; orders without one share one more */
    COMMERCE_COUNT_SELLER,              /* the same */
    COMMERCE_COUNTS
} commerce_count_t;

/* what users may take of the campaign themselves (commerce_claim.h) */
typedef struct {
    bool             open;              /* the campaign has a "claim" */
    int64_t          limits[COMMERCE_COUNTS];   /* claims, total = stock; 0 = none; sellers have none */
    commerce_time_t  from, until;       /* COMMERCE_FOREVER */
    int64_t          valid_for;         /* seconds from the claim; 0 = as long as the campaign */
} commerce_claim_rules_t;

typedef struct {
    unsigned         number;            /* 1..2^14-1: stands in the codes; given by the store */
    commerce_str_t   id;
    commerce_fen_t   fixed;             /* > 0: fixed discount */
    unsigned         percent;           /* > 0: basis points */
    commerce_fen_t   cap;               /* with percent; 0 = none */
    commerce_time_t  from, until;       /* COMMERCE_FOREVER */
    commerce_fen_t   minimum_spend;
    commerce_str_t  *skus;
    unsigned         sku_count;         /* 0 = all */
    int64_t          limits[COMMERCE_COUNTS];   /* uses; 0 = none */
    commerce_fen_t   budgets[COMMERCE_COUNTS];  /* discount given; 0 = none */
    commerce_zone_t  zone;              /* whose days are counted */
    uint64_t         promoter;          /* person number; 0 = none */
    commerce_str_t   promoter_id;
    bool             holder_required;
    bool             qr_required;       /* shops take dynamic QR tokens only */
    bool             imported;          /* its codes were made elsewhere; else they are signed */
    bool             enabled;
    commerce_claim_rules_t  claim;
    uint32_t         minted;            /* serials below this exist, and claimed coupons (commerce_claim.h) */
} commerce_campaign_t;

/*
 * Reads a campaign file.  COMMERCE_ERROR and a sentence naming the member, its value and what is allowed.
 * number, promoter and minted are not the file's: they stay 0.
 */
int commerce_campaign_parse(commerce_arena_t *arena, commerce_str_t json, commerce_campaign_t *campaign,
    char *error, size_t error_size);

/* the most that one of its coupons can take off an order whose amounts are not known; -1: no such bound */
commerce_fen_t commerce_campaign_maximum(const commerce_campaign_t *campaign);

/* "2026-11-01T00:00:00+08:00" or "...Z" to UTC seconds; COMMERCE_ERROR for anything else */
int commerce_time_parse(commerce_str_t text, commerce_time_t *time);

/* the inverse, always with Z: 20 characters and a NUL */
void commerce_time_format(commerce_time_t time, char out[32]);

#endif
