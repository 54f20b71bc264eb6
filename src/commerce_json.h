/*
 * Copyright (C) ngx_commerce authors
 *
 * Reading JSON bodies from clients and backends, through cJSON, without its three traps:
 *   - numbers become doubles there, and platform ids pass 2^53: every number is kept as its own text;
 *   - it decodes \u0000 into a string's end: such an escape, and any NUL byte, is refused;
 *   - it takes the first of duplicate members, others take the last: a look-up that meets two members
 *     of one name, or one that differs in case only (some backends ignore case, and take letters such
 *     as U+017F and U+212A for "s" and "k"), is refused.
 * Nesting is bounded before cJSON sees the text (its size by the caller).  Refused, too: anything
 * behind the value, a byte order mark, bytes that are not UTF-8, numbers longer than 64 characters,
 * and strings that begin with a backspace, which is how numbers are marked inside the tree.
 */

#ifndef COMMERCE_JSON_H
#define COMMERCE_JSON_H

#include "commerce_reason.h"

typedef struct cJSON  commerce_json_t;      /* a node; owned by the tree's arena */

#define COMMERCE_JSON_DEPTH  32

/*
 * OK or BODY_MALFORMED, INTERNAL when memory ran out.  The tree lives in the arena.  cJSON's allocator
 * is switched to the arena during the call and back to malloc: call it from one thread only.
 */
commerce_reason_t commerce_json_parse(commerce_arena_t *arena, commerce_str_t text, commerce_json_t **root);

/*
 * RFC 6901 pointer ("" is the node itself; /a/0/b; ~0 ~1).  OK with *found = NULL when something on
 * the way is absent or null; BODY_DUPLICATE_MEMBER; BODY_MALFORMED when the way leads through a scalar
 * or takes what is no index into an array ("-" is absent, "01" is no index).  The pointer was found valid
 * at configuration: one that is not finds nothing (INTERNAL if it does not begin with a slash).
 */
commerce_reason_t commerce_json_find(commerce_json_t *node, commerce_str_t pointer, commerce_json_t **found);

/*
 * The same for a pointer in which "*" stands for every element or member: found (at most max) gets what it
 * leads to, in the document's order; what is absent or null adds nothing.  *told: the list itself is there,
 * that is, what stands before the first "*" (without one: the node itself).
 * Also: BODY_MALFORMED where "*" meets a scalar, BODY_TOO_LARGE when max is not enough.
 */
commerce_reason_t commerce_json_each(commerce_json_t *node, commerce_str_t pointer, commerce_json_t **found,
    unsigned max, unsigned *count, bool *told);

/* has the pointer a "*"? */
bool commerce_json_pointer_many(commerce_str_t pointer);

/* is the pointer's syntax right? for configuration */
bool commerce_json_pointer_valid(commerce_str_t pointer);

/* a string's bytes, or a number's exact text; BODY_MALFORMED for other types */
commerce_reason_t commerce_json_text(commerce_json_t *node, commerce_str_t *text);

/*
 * true | false | null | number or string text, for comparing with a configured word ("/code:0").
 * NULL, what find() gives for an absent member, is null.
 */
bool commerce_json_is(commerce_json_t *node, commerce_str_t word);

bool commerce_json_is_array(const commerce_json_t *node);
bool commerce_json_is_object(const commerce_json_t *node);
bool commerce_json_is_number(const commerce_json_t *node);
commerce_json_t *commerce_json_first(const commerce_json_t *node);      /* first element or member, NULL at the end */
commerce_json_t *commerce_json_next(const commerce_json_t *node);
commerce_str_t commerce_json_name(const commerce_json_t *member);
unsigned commerce_json_count(const commerce_json_t *node);

#endif
