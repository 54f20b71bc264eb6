/*
 * Copyright (C) ngx_commerce authors
 *
 * What a code that was scanned says: mini programs and mini apps get it as one parameter, percent-encoded,
 * in which operators put either a name alone or several as in a query (wxacode.getUnlimited's "scene",
 * WeCom's "state").
 */

#ifndef COMMERCE_SCENE_H
#define COMMERCE_SCENE_H

#include "commerce.h"

/*
 * Takes percent-encoding off once: what is encoded twice stays encoded once, so nothing hides behind a
 * second decoding.  COMMERCE_ERROR: no hex digits behind a percent sign, or no memory.
 */
int commerce_scene_decode(commerce_arena_t *arena, commerce_str_t text, commerce_str_t *decoded);

/*
 * The value of `name` in "a=1&b=2".  COMMERCE_OK, COMMERCE_ABSENT, COMMERCE_ERROR: it stands there twice,
 * and who reads the other one would credit somebody else.
 */
int commerce_scene_member(commerce_str_t text, commerce_str_t name, commerce_str_t *value);

#endif
