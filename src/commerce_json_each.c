/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_json.h"

#include <cjson/cJSON.h>


typedef struct {
    commerce_json_t  **found;
    unsigned           max, count;
} json_each_t;


static commerce_reason_t json_each(json_each_t *each, commerce_json_t *node, commerce_str_t pointer);
static bool json_star(commerce_str_t pointer, commerce_str_t *before, commerce_str_t *behind);


bool
commerce_json_pointer_many(commerce_str_t pointer)
{
    commerce_str_t  before, behind;

    return json_star(pointer, &before, &behind);
}


commerce_reason_t
commerce_json_each(commerce_json_t *node, commerce_str_t pointer, commerce_json_t **found,
    unsigned max, unsigned *count, bool *told)
{
    json_each_t         each = { .found = found, .max = max };
    commerce_str_t      before, behind;
    commerce_json_t    *list;
    commerce_reason_t   reason;

    *count = 0;
    *told = false;

    if (!json_star(pointer, &before, &behind)) {
        before = pointer;
        behind = commerce_string("");
    }

    reason = commerce_json_find(node, before, &list);

    if (reason != COMMERCE_R(OK) || list == NULL) {
        return reason;
    }

    *told = true;
    reason = json_each(&each, node, pointer);
    *count = each.count;

    return reason;
}


static commerce_reason_t
json_each(json_each_t *each, commerce_json_t *node, commerce_str_t pointer)
{
    commerce_str_t      before, behind;
    commerce_json_t    *found;
    commerce_reason_t   reason;

    if (!json_star(pointer, &before, &behind)) {
        reason = commerce_json_find(node, pointer, &found);

        if (reason != COMMERCE_R(OK) || found == NULL) {
            return reason;
        }

        if (each->count == each->max) {
            return COMMERCE_R(BODY_TOO_LARGE);
        }

        each->found[each->count++] = found;

        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, before, &found);

    if (reason != COMMERCE_R(OK) || found == NULL) {
        return reason;
    }

    if (!commerce_json_is_array(found) && !commerce_json_is_object(found)) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    for (found = commerce_json_first(found); found != NULL; found = commerce_json_next(found)) {
        reason = json_each(each, found, behind);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


/* splits at the first "*" that stands for a whole token */

static bool
json_star(commerce_str_t pointer, commerce_str_t *before, commerce_str_t *behind)
{
    size_t  i;

    for (i = 0; i + 1 < pointer.len; i++) {

        if (pointer.data[i] == '/' && pointer.data[i + 1] == '*'
            && (i + 2 == pointer.len || pointer.data[i + 2] == '/'))
        {
            *before = (commerce_str_t) { pointer.data, i };
            *behind = (commerce_str_t) { pointer.data + i + 2, pointer.len - i - 2 };
            return true;
        }
    }

    return false;
}
