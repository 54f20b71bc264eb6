/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_reason.h"


#define COMMERCE_REASON_INFO(reason, kind, code, outside)                       \
    {                                                                           \
        { #reason, sizeof(#reason) - 1 },                                       \
        COMMERCE_CLASS_##kind,                                                  \
        code,                                                                   \
        { sizeof(outside) > 1 ? outside : #reason,                              \
          sizeof(outside) > 1 ? sizeof(outside) - 1 : sizeof(#reason) - 1 }     \
    },


static const commerce_reason_info_t  commerce_reasons[] = {
    COMMERCE_REASONS(COMMERCE_REASON_INFO)
};


const commerce_reason_info_t *
commerce_reason(commerce_reason_t reason)
{
    if ((unsigned) reason >= COMMERCE_REASON_COUNT) {
        reason = COMMERCE_R(INTERNAL);
    }

    return &commerce_reasons[reason];
}


commerce_reason_t
commerce_reason_find(commerce_str_t name)
{
    unsigned  i;

    for (i = 0; i < COMMERCE_REASON_COUNT; i++) {
        if (commerce_equal(commerce_reasons[i].name, name)) {
            return (commerce_reason_t) i;
        }
    }

    return COMMERCE_R(OK);
}
