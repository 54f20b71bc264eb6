/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_mini_program.h"

#define WECHAT_APPID_LEN     18
#define WECHAT_VERSION_MAX   6

static bool mini_program_take(commerce_str_t *rest, commerce_str_t literal);
static bool mini_program_appid(commerce_str_t *rest, commerce_str_t *appid);
static bool mini_program_version(commerce_str_t *rest, commerce_str_t *version, bool *released);
static void mini_program_skip(commerce_str_t *s, size_t len);


void
commerce_mini_program_recognise(commerce_str_t referer, commerce_mini_program_t *program)
{
    bool            released;
    commerce_str_t  rest, appid, version;

    memset(program, 0, sizeof(commerce_mini_program_t));

    rest = referer;

    if (!mini_program_take(&rest, commerce_string("https://servicewechat.com/"))
        || !mini_program_appid(&rest, &appid)
        || !mini_program_take(&rest, commerce_string("/"))
        || !mini_program_version(&rest, &version, &released)
        || !commerce_equal(rest, commerce_string("/page-frame.html")))
    {
        return;
    }

    program->platform = COMMERCE_PLATFORM_WECHAT;
    program->appid = appid;
    program->version = version;
    program->released = released;
}


static bool
mini_program_take(commerce_str_t *rest, commerce_str_t literal)
{
    if (rest->len < literal.len || memcmp(rest->data, literal.data, literal.len) != 0) {
        return false;
    }

    mini_program_skip(rest, literal.len);

    return true;
}


static bool
mini_program_appid(commerce_str_t *rest, commerce_str_t *appid)
{
    char    c;
    size_t  i;

    if (rest->len < WECHAT_APPID_LEN || rest->data[0] != 'w' || rest->data[1] != 'x') {
        return false;
    }

    for (i = 2; i < WECHAT_APPID_LEN; i++) {
        c = rest->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
    }

    appid->data = rest->data;
    appid->len = WECHAT_APPID_LEN;

    mini_program_skip(rest, WECHAT_APPID_LEN);

    return true;
}


static bool
mini_program_version(commerce_str_t *rest, commerce_str_t *version, bool *released)
{
    size_t  len;

    *version = *rest;
    *released = false;

    if (mini_program_take(rest, commerce_string("devtools"))) {
        version->len = sizeof("devtools") - 1;
        return true;
    }

    for (len = 0; len < rest->len; len++) {
        if (rest->data[len] < '0' || rest->data[len] > '9') {
            break;
        }

        /* zero, however long, is no released build */
        *released = *released || rest->data[len] != '0';
    }

    if (len == 0 || len > WECHAT_VERSION_MAX) {
        return false;
    }

    version->len = len;
    mini_program_skip(rest, len);

    return true;
}


static void
mini_program_skip(commerce_str_t *s, size_t len)
{
    s->data += len;
    s->len -= len;
}


commerce_scene_t
commerce_mini_program_scene(commerce_str_t scene)
{
    if (commerce_equal(scene, commerce_string("1129"))) {
        return COMMERCE_SCENE_CRAWLER;
    }

    if (commerce_equal(scene, commerce_string("1154"))
        || commerce_equal(scene, commerce_string("1155")))
    {
        return COMMERCE_SCENE_SINGLE_PAGE;
    }

    return COMMERCE_SCENE_ORDINARY;
}


commerce_reason_t
commerce_mini_program_bindable(const commerce_mini_program_t *program, commerce_str_t scene)
{
    commerce_scene_t  kind;

    kind = commerce_mini_program_scene(scene);

    if (kind == COMMERCE_SCENE_CRAWLER) {
        return COMMERCE_R(CRAWLER);
    }

    if (program->platform != COMMERCE_PLATFORM_NONE && !program->released) {
        return COMMERCE_R(DEV_VERSION);
    }

    if (kind == COMMERCE_SCENE_SINGLE_PAGE) {
        return COMMERCE_R(SCENE_NOT_BINDABLE);
    }

    return COMMERCE_R(OK);
}
