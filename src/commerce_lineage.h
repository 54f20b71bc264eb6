/*
 * Copyright (C) ngx_commerce authors
 *
 * Two tiers at most.  Tier of a payee = 1 + the recruitment edges from the credited seller up to him:
 * the seller is tier 1, who recruited the seller tier 2, nobody further up is paid.  Depth of a person
 * = persons on the way to the root, himself included; the salaried (commerce_role_salaried) are roots:
 * their upline, if recorded, is organisation and not recruitment.
 *
 * The rules walk through a callback, so that they need no store; at most COMMERCE_LINEAGE_WALK steps,
 * longer or circular ways are a loop.
 */

#ifndef COMMERCE_LINEAGE_H
#define COMMERCE_LINEAGE_H

#include "commerce_directory.h"

#define COMMERCE_TIERS         2
#define COMMERCE_LINEAGE_WALK  64

typedef enum {
    COMMERCE_TIERS_STRICT,      /* no person deeper than 2 can join */
    COMMERCE_TIERS_PAY          /* trees may be deeper, two are paid */
} commerce_tiers_t;

typedef struct {
    uint64_t           seller;      /* tier 1; 0 = house */
    uint64_t           tier2;       /* paid second tier; 0 = none */
    unsigned           depth;       /* of the seller; 0 = house */
    commerce_reason_t  reason;      /* OK, LINEAGE_TRUNCATED (ancestors beyond tier 2), TIER_UNVERIFIED (unreadable) */
    commerce_str_t     tier2_id;
} commerce_lineage_t;

/*
 * Who is paid when this seller is credited.  The recruiter is tier 2 only if active, not the buyer
 * (buyer = the buyer's own person number, 0 = none), not the seller again under another number (same
 * user), and the seller himself may be credited.  A missing ancestor is unreadable, too; so is a loop,
 * and it gives no tier 2.  Strings that get() hands out must live as long as the lineage is used.
 */
void commerce_lineage_of(const commerce_person_t *seller, uint64_t buyer, commerce_person_get_t get, void *data,
    commerce_lineage_t *lineage);

/*
 * May `person` (number 0: new) be recruited by `parent`?  OK, LINEAGE_UNKNOWN (no such parent),
 * OWNER_INACTIVE, OWNER_FROZEN, TIER_SELF, LINEAGE_LOOP, ALREADY_JOINED (has an upline or is salaried),
 * TIER_DEPTH_EXCEEDED (strict: the parent's depth is 2 or more, or person has downlines of his own:
 * has_downline), INTERNAL (unreadable: refused, closed).
 */
commerce_reason_t commerce_lineage_join(commerce_tiers_t tiers, const commerce_person_t *person, bool has_downline,
    const commerce_person_t *parent, commerce_person_get_t get, void *data);

#endif
