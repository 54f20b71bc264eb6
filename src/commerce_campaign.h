/*
 * Copyright (C) ngx_commerce authors
 *
 * Campaign: what its coupons are worth and when they apply.  Kept by operators as reviewable JSON; the members
 * are described in modules/coupon/README.md, t/campaign.schema.json is their schema.
 *
 *   {"v":2, "id":"autumn",
 *    "discount": {"fixed":1000}                                      fen
 *              | {"percent":1500, "cap":5000}                        basis points, fen; cap may be absent
 *              | {"thresholds":[{"minimum":10000,"off":1000}, ...]}  the last one that is reached
 *              | {"every":{"minimum":10000,"off":1000}, "cap":5000}  for each full minimum; cap may be absent
 *    "zone":"Asia/Shanghai",                                         of dates, hours and days
 *    "from":"2026-11-01", "until":"2026-11-30",                      dates are inclusive; or times with zone,
 *                                                                    until is then the first dead second
 *    "hours":[{"days":["sat","sun"],"from":"10:00","until":"22:00"}],
 *    "minimum_spend":9900, "minimum_quantity":2,                     fen, pieces; on the admitted lines
 *    "skus":[...], "categories":[...],                               which lines are admitted
 *    "stores", "channels", "rooms", "groups", "sellers", "levels":   whose order it may be; absent: all
 *    "new_customers":true,
 *    "limits":{"total":1000,"user":1,"day":..,"user_day":..,"group":..,"seller":..},
 *    "budgets": the same, in fen of discount
 *    "stacking":{"class":"exclusive","base":"initial","limit":2},
 *    "promoter":"<person id>",                                       credited through the coupon
 *    "holder":"required",                                            absent: anyone may use a code
 *    "claim":{"stock":10000, "day":500, "user":1, "user_day":1, "group":50,       coupons that users take themselves
 *             "from":..., "until":..., "valid_for":"7d"},            times; only stock is needed
 *    "redeem":{"qr":"required"},                                     in shops: no static codes
 *    "codes":"imported",                                             absent: "signed", minted here
 *    "enabled":true}
 *
 * Version 1 knows id, discount (fixed, percent, cap), from and until as times, minimum_spend, skus, limits (total,
 * user), promoter, holder and enabled.  Unknown members are errors: a misspelt limit must not become "no limit".
 */

#ifndef COMMERCE_CAMPAIGN_H
#define COMMERCE_CAMPAIGN_H

#include "commerce_json.h"
#include "commerce_amount.h"
#include "commerce_write.h"
#include "commerce_zone.h"

#define COMMERCE_CAMPAIGN_IDS    256    /* in one list */
#define COMMERCE_CAMPAIGN_ALL_IDS  1024 /* in all lists: a record must hold them */
#define COMMERCE_CAMPAIGN_STEPS   16
#define COMMERCE_CAMPAIGN_HOURS   32
#define COMMERCE_CAMPAIGN_STACK    8    /* coupons in one order at most, whoever configures it */
#define COMMERCE_CAMPAIGN_TEXT  (2 * 1024 * 1024)   /* bytes that hold any campaign as JSON */

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

/* what a list of ids is about; stored in this order */
typedef enum {
    COMMERCE_SCOPE_SKU,                 /* these two admit lines ... */
    COMMERCE_SCOPE_CATEGORY,
    COMMERCE_SCOPE_STORE,               /* ... the others orders */
    COMMERCE_SCOPE_CHANNEL,             /* as decimals */
    COMMERCE_SCOPE_ROOM,
    COMMERCE_SCOPE_GROUP,
    COMMERCE_SCOPE_SELLER,
    COMMERCE_SCOPE_LEVEL,
    COMMERCE_SCOPES
} commerce_scope_t;

typedef struct {
    commerce_str_t  *ids;
    unsigned         count;             /* 0 = all */
} commerce_ids_t;

typedef struct {
    commerce_fen_t  minimum, off;
} commerce_step_off_t;

typedef struct {
    unsigned  days;                     /* bit 0 = Monday ... bit 6 = Sunday */
    unsigned  from, until;              /* minutes of the day, until is the first dead one; at most 1440 */
} commerce_hours_t;

typedef enum {                          /* stored */
    COMMERCE_STACK_ANY,                 /* with any coupon that is not exclusive */
    COMMERCE_STACK_EXCLUSIVE,           /* with none */
    COMMERCE_STACK_CLASS                /* one of its class in an order */
} commerce_stack_t;

/* what users may take of the campaign themselves (commerce_claim.h) */
typedef struct {
    bool             open;              /* the campaign has a "claim" */
    int64_t          limits[COMMERCE_COUNTS];   /* claims, total = stock; 0 = none; sellers have none */
    commerce_time_t  from, until;       /* COMMERCE_FOREVER */
    int64_t          valid_for;         /* seconds from the claim; 0 = as long as the campaign */
} commerce_claim_rules_t;

typedef struct {
    unsigned              number;       /* 1..2^14-1: stands in the codes; given by the store */
    commerce_str_t        id;

    commerce_fen_t        fixed;        /* > 0: fixed discount */
    unsigned              percent;      /* > 0: basis points */
    commerce_step_off_t   every;        /* off > 0: for each full minimum */
    commerce_step_off_t  *steps;        /* both ascending */
    unsigned              step_count;   /* > 0: the last step that is reached */
    commerce_fen_t        cap;          /* with percent and every; 0 = none */

    commerce_time_t       from, until;  /* COMMERCE_FOREVER */
    commerce_zone_t       zone;         /* of hours and days */
    commerce_hours_t     *hours;
    unsigned              hours_count;  /* 0 = always */

    commerce_fen_t        minimum_spend;
    int64_t               minimum_quantity;
    commerce_ids_t        scopes[COMMERCE_SCOPES];
    bool                  new_customers;
    bool                  holder_required;
    bool                  qr_required;  /* shops take dynamic QR tokens only */
    bool                  imported;     /* its codes were made elsewhere; else they are signed */
    bool                  enabled;

    int64_t               limits[COMMERCE_COUNTS];  /* uses; 0 = none */
    commerce_fen_t        budgets[COMMERCE_COUNTS]; /* discount given; 0 = none */

    commerce_stack_t      stack;
    commerce_str_t        stack_class;  /* COMMERCE_STACK_CLASS */
    unsigned              stack_limit;  /* coupons of an order that has this one; 0 = none of its own */
    bool                  base_initial; /* its sums are of the whole amounts, not of what earlier coupons left */

    uint64_t              promoter;     /* person number; 0 = none */
    commerce_str_t        promoter_id;
    commerce_claim_rules_t  claim;
    uint32_t              minted;       /* serials below this exist, and claimed coupons (commerce_claim.h) */
    commerce_time_t       closed;       /* since when its coupons are let go (commerce_collect.h); 0 = they are not.
                                           For ever: nobody knows any more which of them were spent */
} commerce_campaign_t;

/* finds a zone by name that commerce_zone_fixed() does not know: OK, ABSENT (no such zone, or no zone files) */
typedef int (*commerce_zone_find_pt)(commerce_arena_t *arena, commerce_str_t name, commerce_zone_t *zone);

typedef void (*commerce_campaign_say_pt)(void *data, const char *sentence);

/*
 * Reads a campaign file.  COMMERCE_ERROR and sentences naming the member, its value and what is allowed: each
 * goes to say(data).  zones (may be NULL): zones beside the fixed ones.
 * number, promoter, minted and closed are not the file's: they stay 0.
 */
int commerce_campaign_parse(commerce_arena_t *arena, commerce_str_t json, commerce_zone_find_pt zones,
    commerce_campaign_t *campaign, commerce_campaign_say_pt say, void *data);

/*
 * The same as JSON: parse() reads it and nothing else gives the same text.  Members that say nothing are left
 * out, and the version is the oldest that knows all of them.
 * count: how many members there are for this campaign; write: the n-th one, value only, its name returned.
 */
unsigned commerce_campaign_member_count(const commerce_campaign_t *campaign);
const char *commerce_campaign_member_write(commerce_write_t *w, const commerce_campaign_t *campaign, unsigned n);

/* the discount alone, as in the file */
void commerce_campaign_write_worth(commerce_write_t *w, const char *name, const commerce_campaign_t *campaign);

/* what is allowed but looks wrong: a sentence each to say(data); returns how many */
unsigned commerce_campaign_lint(const commerce_campaign_t *campaign, commerce_time_t now,
    commerce_campaign_say_pt say, void *data);

/* does anything ask for a format-2 record, a version 2 file? */
bool commerce_campaign_is_new(const commerce_campaign_t *campaign);

/* is the id in the list, or the list empty? */
bool commerce_ids_admit(const commerce_ids_t *ids, commerce_str_t id);

/* the most that one of its coupons can take off an order whose amounts are not known; -1: no such bound */
commerce_fen_t commerce_campaign_maximum(const commerce_campaign_t *campaign);

const char *commerce_count_name(commerce_count_t which);    /* "user_day" */
const char *commerce_scope_name(commerce_scope_t scope);    /* "skus" */

/* "2026-11-01T00:00:00+08:00" or "...Z" to UTC seconds; COMMERCE_ERROR for anything else */
int commerce_time_parse(commerce_str_t text, commerce_time_t *time);

/* the inverse, always with Z: 20 characters and a NUL */
void commerce_time_format(commerce_time_t time, char out[32]);

/* "2026-11-01" to days since 1970-01-01, and back: 10 characters and a NUL */
int commerce_date_parse(commerce_str_t text, int32_t *day);
void commerce_date_format(int32_t day, char out[32]);

#endif
