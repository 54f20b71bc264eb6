/*
 * Copyright (C) ngx_commerce authors
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "commerce_mini_program.h"
#include "../commerce_write.h"

#define WECHAT_APPID_LEN     18
#define WECHAT_VERSION_MAX   6
#define CRAWLER_SIGNATURE   40          /* hex digits of SHA-1 */

static bool mini_program_take(commerce_str_t *rest, commerce_str_t literal);
static bool mini_program_appid(commerce_str_t *rest, commerce_str_t *appid);
static bool mini_program_version(commerce_str_t *rest, commerce_str_t *version, bool *released);
static void mini_program_skip(commerce_str_t *s, size_t len);
static bool mini_program_has(commerce_str_t text, commerce_str_t word);
static bool mini_program_crawler_signed(const commerce_mini_program_client_t *client,
    commerce_str_t token);
static int mini_program_compare(commerce_str_t a, commerce_str_t b);


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


commerce_reason_t
commerce_mini_program_robot(const commerce_mini_program_client_t *client, commerce_str_t token,
    bool *forged)
{
    bool            inside;
    commerce_str_t  rest;

    *forged = false;

    if (mini_program_has(client->agent, commerce_string("mpcrawler"))) {

        if (token.len == 0 || mini_program_crawler_signed(client, token)) {
            return COMMERCE_R(CRAWLER);
        }

        *forged = true;
        return COMMERCE_R(BOT_SUSPECT);
    }

    rest = client->referer;
    inside = mini_program_take(&rest, commerce_string("https://servicewechat.com/"));

    if (inside && !mini_program_has(client->agent, commerce_string("MicroMessenger/"))) {
        return COMMERCE_R(BOT_SUSPECT);
    }

    if (!inside && client->referer.len != 0
        && mini_program_has(client->agent, commerce_string("MiniProgramEnv/"))
        && !mini_program_has(client->agent, commerce_string("miniProgram/")))
    {
        return COMMERCE_R(BOT_SUSPECT);
    }

    return COMMERCE_R(OK);
}


static bool
mini_program_has(commerce_str_t text, commerce_str_t word)
{
    size_t  i;

    for (i = 0; i + word.len <= text.len; i++) {
        if (memcmp(text.data + i, word.data, word.len) == 0) {
            return true;
        }
    }

    return false;
}


static bool
mini_program_crawler_signed(const commerce_mini_program_client_t *client, commerce_str_t token)
{
    char            hex[CRAWLER_SIGNATURE];
    bool            made;
    uint8_t         digest[EVP_MAX_MD_SIZE];
    unsigned        i, k;
    EVP_MD_CTX     *md;
    commerce_str_t  parts[3], part;

    if (client->signature.len != CRAWLER_SIGNATURE || client->timestamp.len == 0
        || client->nonce.len == 0)
    {
        return false;
    }

    parts[0] = token;
    parts[1] = client->timestamp;
    parts[2] = client->nonce;

    for (i = 1; i < 3; i++) {
        part = parts[i];

        for (k = i; k > 0 && mini_program_compare(parts[k - 1], part) > 0; k--) {
            parts[k] = parts[k - 1];
        }

        parts[k] = part;
    }

    md = EVP_MD_CTX_new();
    made = md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1;

    for (i = 0; i < 3; i++) {
        made = made && EVP_DigestUpdate(md, parts[i].data, parts[i].len) == 1;
    }

    made = made && EVP_DigestFinal_ex(md, digest, NULL) == 1;
    EVP_MD_CTX_free(md);

    if (!made) {
        return false;
    }

    commerce_hex(digest, CRAWLER_SIGNATURE / 2, hex);

    return CRYPTO_memcmp(hex, client->signature.data, CRAWLER_SIGNATURE) == 0;
}


static int
mini_program_compare(commerce_str_t a, commerce_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
