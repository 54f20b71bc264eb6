/*
 * Copyright (C) ngx_commerce authors
 *
 * bind: a buyer has another owner, or the same for longer.
 */

#include "commerce_event.h"


static void commerce_event_write_until(commerce_write_t *w, const char *name, commerce_time_t time);


void
commerce_event_write_binding(commerce_write_t *w, const commerce_event_binding_t *event)
{
    commerce_write_text(w, "buyer", event->buyer);
    commerce_write_optional(w, "seller", event->seller);
    commerce_write_optional(w, "previous", event->previous);
    commerce_write_text(w, "from", commerce_cstr(commerce_binding_state_name(event->from)));
    commerce_write_text(w, "reason", commerce_reason(event->reason)->name);

    if (event->source != COMMERCE_SOURCE_NONE) {
        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(event->source)));
    }

    if (event->binding->owner == 0) {
        return;
    }

    commerce_write_int(w, "start", event->binding->start);
    commerce_event_write_until(w, "end", commerce_binding_end(event->binding));
    commerce_event_write_until(w, "protected_until", commerce_binding_protected_until(event->binding));
}


/* for ever: absent */

static void
commerce_event_write_until(commerce_write_t *w, const char *name, commerce_time_t time)
{
    if (time != COMMERCE_FOREVER) {
        commerce_write_int(w, name, time);
    }
}
