/*
 * Copyright (C) ngx_commerce authors
 *
 * Touches by name: the id of a live room, group or channel, or a person by one of his names.  Anybody can
 * write a name, so they count where a trusted hop attests them, and otherwise are reported only; a plain
 * one counts where the directive says so.
 */

#include "ngx_http_commerce_attribution.h"


#define NGX_HTTP_COMMERCE_DAY  86400


static commerce_reason_t ngx_http_commerce_name_room(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_t *t, commerce_str_t name);
static commerce_reason_t ngx_http_commerce_name_group(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_t *t, commerce_str_t name);
static commerce_reason_t ngx_http_commerce_name_channel(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_t *t, commerce_str_t name);
static commerce_reason_t ngx_http_commerce_name_person(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, ngx_http_commerce_touch_t *t, commerce_str_t name);
static commerce_reason_t ngx_http_commerce_name_look_up(ngx_http_commerce_attribution_t *a,
    ngx_http_commerce_touch_conf_t *tc, ngx_http_commerce_touch_t *t, commerce_str_t name);
static void ngx_http_commerce_name_digest(ngx_http_commerce_touch_t *t, const void *place, size_t len);


static struct {
    commerce_source_t   source;
    time_t              lookback;
    commerce_reason_t   unattested;
} ngx_http_commerce_names[NGX_HTTP_COMMERCE_TOUCHES] = {
    [NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM] =
        { COMMERCE_SOURCE_LIVE_ROOM, NGX_HTTP_COMMERCE_DAY, COMMERCE_R(LIVE_NOT_ATTESTED) },
    [NGX_HTTP_COMMERCE_TOUCH_SHARER] =
        { COMMERCE_SOURCE_LIVE_ROOM, 7 * NGX_HTTP_COMMERCE_DAY, COMMERCE_R(LIVE_NOT_ATTESTED) },
    [NGX_HTTP_COMMERCE_TOUCH_GROUP] =
        { COMMERCE_SOURCE_GROUP, 30 * NGX_HTTP_COMMERCE_DAY, COMMERCE_R(TOKEN_SCOPE) },
    [NGX_HTTP_COMMERCE_TOUCH_CHANNEL] =
        { COMMERCE_SOURCE_CHANNEL, 30 * NGX_HTTP_COMMERCE_DAY, COMMERCE_R(TOKEN_SCOPE) },
    [NGX_HTTP_COMMERCE_TOUCH_PLAIN] =
        { COMMERCE_SOURCE_PLAIN, 7 * NGX_HTTP_COMMERCE_DAY, COMMERCE_R(TOKEN_SCOPE) },
};


void
ngx_http_commerce_collect_name(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    commerce_str_t name)
{
    ngx_http_commerce_touch_t  *t;

    t = &a->touches[a->ntouches++];
    ngx_memzero(t, sizeof(ngx_http_commerce_touch_t));

    t->binds = tc->binds;
    t->wins = tc->wins;
    t->platform = tc->platform;
    t->name = name;

    t->touch.source = ngx_http_commerce_names[tc->type].source;
    t->touch.strength = tc->attested ? COMMERCE_STRENGTH_ATTESTED : COMMERCE_STRENGTH_PLAIN;
    t->touch.first = a->c->now;
    t->touch.lookback = tc->lookback ? tc->lookback : ngx_http_commerce_names[tc->type].lookback;

    t->reason = ngx_http_commerce_names[tc->type].unattested;

    if (tc->attested || (tc->type == NGX_HTTP_COMMERCE_TOUCH_PLAIN && (tc->wins || tc->binds))) {
        t->reason = ngx_http_commerce_name_look_up(a, tc, t, name);
    }

    if (tc->field) {
        t->touch.field = tc->field;
    }

    if (tc->origin) {
        t->touch.origin = tc->origin;
    }

    /* nobody has to know of a campaign parameter in every request */

    if (tc->type != NGX_HTTP_COMMERCE_TOUCH_PLAIN || tc->wins || tc->binds) {
        ngx_http_commerce_core->note_reason(a->c, t->reason);
    }
}


static commerce_reason_t
ngx_http_commerce_name_look_up(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    ngx_http_commerce_touch_t *t, commerce_str_t name)
{
    switch (tc->type) {
    case NGX_HTTP_COMMERCE_TOUCH_LIVE_ROOM:
        return ngx_http_commerce_name_room(a, t, name);
    case NGX_HTTP_COMMERCE_TOUCH_GROUP:
        return ngx_http_commerce_name_group(a, t, name);
    case NGX_HTTP_COMMERCE_TOUCH_CHANNEL:
        return ngx_http_commerce_name_channel(a, t, name);
    default:
        return ngx_http_commerce_name_person(a, tc, t, name);
    }
}


static commerce_reason_t
ngx_http_commerce_name_room(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t, commerce_str_t name)
{
    commerce_room_t  room;

    if (a->c->reader.view == NULL || !commerce_id_valid(name)
        || commerce_room_find(&a->c->reader, name, &room, NULL) != COMMERCE_OK)
    {
        return COMMERCE_R(LIVE_ROOM_UNKNOWN);
    }

    t->touch.room = room.number;
    t->touch.seller = commerce_room_host(&room, a->c->now);
    ngx_http_commerce_name_digest(t, &room.number, sizeof(room.number));

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_name_group(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t, commerce_str_t name)
{
    commerce_group_t  group;

    if (a->c->reader.view == NULL || !commerce_id_valid(name)
        || commerce_group_find(&a->c->reader, name, &group, NULL) != COMMERCE_OK)
    {
        return COMMERCE_R(GROUP_UNKNOWN);
    }

    t->touch.group = group.number;
    t->touch.seller = group.leader;
    ngx_http_commerce_name_digest(t, &group.number, sizeof(group.number));

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_http_commerce_name_channel(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t,
    commerce_str_t name)
{
    commerce_reason_t   reason;
    commerce_channel_t  channel;

    if (a->c->reader.view == NULL || !commerce_id_valid(name)
        || commerce_channel_find(&a->c->reader, name, &channel, NULL) != COMMERCE_OK)
    {
        return COMMERCE_R(CHANNEL_UNKNOWN);
    }

    t->touch.channel = channel.number;
    reason = ngx_http_commerce_touch_channel(a, t);
    ngx_http_commerce_name_digest(t, &channel.number, sizeof(channel.number));

    return reason;
}


/* by external id, or as the tool that he is from calls him */

static commerce_reason_t
ngx_http_commerce_name_person(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_conf_t *tc,
    ngx_http_commerce_touch_t *t, commerce_str_t name)
{
    int                rc;
    char              *p;
    commerce_person_t  person;

    if (tc->as.len) {
        p = commerce_alloc(&a->c->arena, tc->as.len + 1 + name.len);
        if (p == NULL) {
            return COMMERCE_R(INTERNAL);
        }

        ngx_memcpy(p, tc->as.data, tc->as.len);
        p[tc->as.len] = ':';
        ngx_memcpy(p + tc->as.len + 1, name.data, name.len);

        name.data = p;
        name.len += tc->as.len + 1;
    }

    if (a->c->reader.view == NULL || !commerce_id_valid(name)) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    rc = (tc->as.len || tc->type == NGX_HTTP_COMMERCE_TOUCH_SHARER)
         ? commerce_person_of_user(&a->c->reader, name, &person, NULL)
         : commerce_person_find(&a->c->reader, name, &person, NULL);

    if (rc != COMMERCE_OK) {
        return COMMERCE_R(OWNER_UNKNOWN);
    }

    t->touch.seller = person.number;
    ngx_http_commerce_name_digest(t, &tc->type, sizeof(tc->type));

    return COMMERCE_R(OK);
}


/* the same place under another seller is another touch */

static void
ngx_http_commerce_name_digest(ngx_http_commerce_touch_t *t, const void *place, size_t len)
{
    t->touch.digest = commerce_hash(commerce_hash(COMMERCE_HASH_START, place, len), &t->touch.seller,
                                    sizeof(t->touch.seller));
}


/* who is credited for touch->group: its leader */

commerce_reason_t
ngx_http_commerce_touch_group(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch)
{
    commerce_group_t  group;

    if (commerce_group_read(&a->c->reader, touch->group, &group, NULL) != COMMERCE_OK) {
        return COMMERCE_R(GROUP_UNKNOWN);
    }

    touch->seller = group.leader;

    return COMMERCE_R(OK);
}


/* ... for touch->room: who is on air */

commerce_reason_t
ngx_http_commerce_touch_room(ngx_http_commerce_attribution_t *a, commerce_touch_t *touch)
{
    commerce_room_t  room;

    if (commerce_room_read(&a->c->reader, touch->room, &room, NULL) != COMMERCE_OK) {
        return COMMERCE_R(LIVE_ROOM_UNKNOWN);
    }

    touch->seller = commerce_room_host(&room, a->c->now);

    return COMMERCE_R(OK);
}


/* ... for touch.channel: its seller, or its group's leader; what it says about field and platform rides along */

commerce_reason_t
ngx_http_commerce_touch_channel(ngx_http_commerce_attribution_t *a, ngx_http_commerce_touch_t *t)
{
    commerce_channel_t  channel;

    if (commerce_channel_read(&a->c->reader, t->touch.channel, &channel, NULL) != COMMERCE_OK) {
        return COMMERCE_R(CHANNEL_UNKNOWN);
    }

    t->touch.seller = channel.seller;
    t->touch.group = channel.group;
    t->touch.field = channel.field;
    t->touch.origin = channel.origin;

    if (t->platform.len == 0) {
        t->platform = channel.platform;
    }

    if (channel.seller == 0 && channel.group) {
        return ngx_http_commerce_touch_group(a, &t->touch);
    }

    return COMMERCE_R(OK);
}
