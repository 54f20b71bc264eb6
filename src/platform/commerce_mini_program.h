/*
 * Copyright (C) ngx_commerce authors
 *
 * Which mini program a request comes from, told by what its client sends.  All of it can be forged:
 * it serves to route, to count and to keep robots and previews from binding, never to authenticate.
 *
 * A WeChat client sets the Referer of wx.request itself, a page cannot:
 *
 *   https://servicewechat.com/{appid}/{version}/page-frame.html
 *
 * appid is "wx" and 16 lower-case hex digits.  version is the number of the released build, 1 to 6
 * digits; 0 for development, trial and review builds; "devtools" in the developer tool.  Images and
 * videos may come without a Referer: its absence proves nothing.
 */

#ifndef COMMERCE_MINI_PROGRAM_H
#define COMMERCE_MINI_PROGRAM_H

#include "commerce_reason.h"

typedef enum {
    COMMERCE_PLATFORM_NONE,
    COMMERCE_PLATFORM_WECHAT
} commerce_platform_t;

typedef struct {
    commerce_platform_t  platform;
    commerce_str_t       appid;         /* a part of the Referer, as version; both empty for none */
    commerce_str_t       version;
    bool                 released;      /* false for none */
} commerce_mini_program_t;

typedef enum {
    COMMERCE_SCENE_ORDINARY,            /* also absent, unknown or not a number */
    COMMERCE_SCENE_CRAWLER,             /* 1129: WeChat's indexing robot */
    COMMERCE_SCENE_SINGLE_PAGE          /* 1154, 1155: a preview out of Moments, without a login */
} commerce_scene_t;

/* fills all of *program; what is not spelled exactly as above is COMMERCE_PLATFORM_NONE */
void commerce_mini_program_recognise(commerce_str_t referer, commerce_mini_program_t *program);

/* the client's scene value, a decimal's text */
commerce_scene_t commerce_mini_program_scene(commerce_str_t scene);

/*
 * May a touch in this request bind?  OK, or CRAWLER, DEV_VERSION (a recognised mini program, not
 * released), SCENE_NOT_BINDABLE, in this order.  What is unknown or absent may bind: a forger could
 * leave it out as well.
 */
commerce_reason_t commerce_mini_program_bindable(const commerce_mini_program_t *program,
    commerce_str_t scene);

/*
 * WeChat's indexing robot names itself "mpcrawler" in its User-Agent and signs: X-WXApp-Crawler-Signature is the
 * lower-case hex SHA-1 of the operator's token, X-WXApp-Crawler-Timestamp and X-WXApp-Crawler-Nonce, sorted as
 * bytes and put together.
 */
typedef struct {                        /* headers; empty: not there, or there twice */
    commerce_str_t  agent, referer;
    commerce_str_t  timestamp, nonce, signature;
} commerce_mini_program_client_t;

/*
 * Is this client what it says?  OK; CRAWLER: WeChat's, as far as anybody can tell without a token (empty);
 * BOT_SUSPECT: its signature is not WeChat's, or (*forged, to be told apart) Referer and User-Agent contradict each other:
 * a mini program's Referer from outside WeChat ("MicroMessenger"), or WeChat's mini program runtime
 * ("MiniProgramEnv/", desktop) with a Referer from elsewhere that is no web page in it ("miniProgram/").
 */
commerce_reason_t commerce_mini_program_robot(const commerce_mini_program_client_t *client,
    commerce_str_t token, bool *forged);

#endif
