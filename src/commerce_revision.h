/*
 * Copyright (C) ngx_commerce authors
 *
 * A revision: whose sale it was is told after the order was made (a platform's attribution of a live room or a
 * sharer may come an hour later).  What is told is judged as if it had come with the order: it wins the lines whose
 * winner stands behind it in the order of classes; nothing else of the order is evaluated again.  From the freeze date
 * on, and when after-sale time is over, it changes nobody's commission any more.
 */

#ifndef COMMERCE_REVISION_H
#define COMMERCE_REVISION_H

#include "commerce_order.h"

#define COMMERCE_REVISIONS_MAX  1000        /* of one order */

/*
 * credit: whom the touch credits, with its tier 2.  classes: the order of classes (commerce_priority_order()).
 * Changes *order, whose revision is one more, and returns
 *   ATTR_LATE_REVISION  it won some line
 *   ATTR_ASSIST_ONLY    it won none, and is a contributor now
 * changes nothing and returns
 *   ORDER_REPLAY        it has the lines that it can win, or contributes already
 *   ATTR_AFTER_FREEZE   too late
 *   SELF_PURCHASE       the seller is the buyer (buyer: his number as a person; 0 = none)
 *   NOTICE_LIMIT        no place for one seller, or revision, more
 *   ORDER_CLOSED        the order is cancelled, or none yet (a cart, in flight)
 */
commerce_reason_t commerce_revision_apply(const commerce_source_t *classes, commerce_order_t *order,
    const commerce_credit_t *credit, uint64_t buyer, commerce_time_t now);

#endif
