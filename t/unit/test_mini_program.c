/*
 * Copyright (C) ngx_commerce authors
 */

#include "tap.h"
#include "commerce_reason.h"
#include "platform/commerce_mini_program.h"

typedef struct {
    const char  *name;
    const char  *referer;
    const char  *appid;         /* NULL: not recognised */
    const char  *version;
    bool         released;
} recognise_case_t;

#define WX      "https://servicewechat.com/"
#define APPID   "wxefc15bc9d0cb36b1"

static const recognise_case_t  recognise_cases[] = {
    { "release", WX APPID "/217/page-frame.html", APPID, "217", true },
    { "desktop", WX "wxa1f1fa3785a47c7d/55/page-frame.html", "wxa1f1fa3785a47c7d", "55", true },
    { "trial", WX APPID "/0/page-frame.html", APPID, "0", false },
    { "developer tool", WX APPID "/devtools/page-frame.html", APPID, "devtools", false },
    { "six digits", WX APPID "/999999/page-frame.html", APPID, "999999", true },
    { "one digit", WX APPID "/1/page-frame.html", APPID, "1", true },
    { "ends in zero", WX APPID "/10/page-frame.html", APPID, "10", true },
    { "zeros", WX APPID "/000/page-frame.html", APPID, "000", false },

    { "longer host", "https://servicewechat.com.evil.example/" APPID "/217/page-frame.html",
      NULL, NULL, false },
    { "plain http", "http://servicewechat.com/" APPID "/217/page-frame.html", NULL, NULL, false },
    { "inside a query", "https://evil.example/?r=" WX APPID "/217/page-frame.html",
      NULL, NULL, false },
    { "longer file", WX APPID "/217/page-frame.html.evil", NULL, NULL, false },
    { "upper case", WX "WXEFC15BC9D0CB36B1/217/page-frame.html", NULL, NULL, false },
    { "negative version", WX APPID "/-1/page-frame.html", NULL, NULL, false },
    { "user part", "https://servicewechat.com@evil.example/" APPID "/217/page-frame.html",
      NULL, NULL, false },

    { "upper case hex", WX "wxEFC15BC9D0CB36B1/217/page-frame.html", NULL, NULL, false },
    { "upper case host", "https://ServiceWeChat.com/" APPID "/217/page-frame.html",
      NULL, NULL, false },
    { "not hex", WX "wxgfc15bc9d0cb36b1/217/page-frame.html", NULL, NULL, false },
    { "short appid", WX "wxefc15bc9d0cb36b/217/page-frame.html", NULL, NULL, false },
    { "long appid", WX "wxefc15bc9d0cb36b11/217/page-frame.html", NULL, NULL, false },
    { "seven digits", WX APPID "/1000000/page-frame.html", NULL, NULL, false },
    { "no version", WX APPID "//page-frame.html", NULL, NULL, false },
    { "devtools and more", WX APPID "/devtools1/page-frame.html", NULL, NULL, false },
    { "digit and devtools", WX APPID "/1devtools/page-frame.html", NULL, NULL, false },
    { "short devtools", WX APPID "/devtool/page-frame.html", NULL, NULL, false },
    { "query", WX APPID "/217/page-frame.html?x=1", NULL, NULL, false },
    { "line end", WX APPID "/217/page-frame.html\n", NULL, NULL, false },
    { "leading space", " " WX APPID "/217/page-frame.html", NULL, NULL, false },
    { "host only", WX, NULL, NULL, false },
    { "half", WX APPID, NULL, NULL, false },
    { "other platform", "https://tmaservice.developer.toutiao.com/?appid=ttca16bcab552fe68201&"
      "version=2.0.0", NULL, NULL, false },
    { "another platform", "https://smartapps.cn/4VvF29wlVg61mjRYCp4tY5dqkBgOyoYN/2.1.13/"
      "page-frame.html", NULL, NULL, false },
    { "empty", "", NULL, NULL, false },
    { "absent", NULL, NULL, NULL, false },
};


static void
test_recognise(void)
{
    size_t                   i;
    const recognise_case_t  *c;
    commerce_mini_program_t  p;

    for (i = 0; i < sizeof(recognise_cases) / sizeof(recognise_cases[0]); i++) {
        c = &recognise_cases[i];

        memset(&p, 0xa5, sizeof(p));
        commerce_mini_program_recognise(commerce_cstr(c->referer), &p);

        is_int(p.platform, c->appid ? COMMERCE_PLATFORM_WECHAT : COMMERCE_PLATFORM_NONE,
               "%s: platform", c->name);
        is_str(p.appid, c->appid, "%s: appid", c->name);
        is_str(p.version, c->version, "%s: version", c->name);
        ok(p.released == c->released, "%s: released", c->name);
    }
}


/* exact-size blocks, so that a sanitizer sees a read past the end */
static void
test_truncated(void)
{
    char                    *copy;
    size_t                   len, full;
    bool                     none;
    commerce_mini_program_t  p;
    static const char        referer[] = WX APPID "/217/page-frame.html";

    full = sizeof(referer) - 1;
    none = true;

    for (len = 1; len < full; len++) {
        copy = malloc(len);
        memcpy(copy, referer, len);

        commerce_mini_program_recognise((commerce_str_t) { copy, len }, &p);
        none = none && p.platform == COMMERCE_PLATFORM_NONE;

        free(copy);
    }

    ok(none, "no truncated Referer is recognised");
}


static void
test_nul(void)
{
    commerce_mini_program_t  p;

    commerce_mini_program_recognise(commerce_string(WX APPID "/217/page-frame.html\0"), &p);
    is_int(p.platform, COMMERCE_PLATFORM_NONE, "a NUL byte behind");

    commerce_mini_program_recognise(commerce_string(WX APPID "/2\0007/page-frame.html"), &p);
    is_int(p.platform, COMMERCE_PLATFORM_NONE, "a NUL byte in the version");
}


static void
test_bindable(void)
{
    size_t                   i;
    commerce_str_t           none;
    commerce_mini_program_t  released, trial, unknown;
    static const char       *ordinary[] = {
        "1007", "1047", "1128", "1130", "1153", "1156", "1177", "-1", "0", "", "11290", "01129",
        "1129 ", "abc", "99999999999999999999"
    };

    none = commerce_cstr(NULL);

    commerce_mini_program_recognise(commerce_string(WX APPID "/217/page-frame.html"), &released);
    commerce_mini_program_recognise(commerce_string(WX APPID "/0/page-frame.html"), &trial);
    commerce_mini_program_recognise(none, &unknown);

    for (i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
        is_int(commerce_mini_program_scene(commerce_cstr(ordinary[i])), COMMERCE_SCENE_ORDINARY,
               "scene \"%s\" is ordinary", ordinary[i]);
        is_int(commerce_mini_program_bindable(&released, commerce_cstr(ordinary[i])),
               COMMERCE_R(OK), "scene \"%s\" may bind", ordinary[i]);
    }

    is_int(commerce_mini_program_scene(commerce_string("1129")), COMMERCE_SCENE_CRAWLER, "1129");
    is_int(commerce_mini_program_scene(commerce_string("1154")), COMMERCE_SCENE_SINGLE_PAGE,
           "1154");
    is_int(commerce_mini_program_scene(commerce_string("1155")), COMMERCE_SCENE_SINGLE_PAGE,
           "1155");

    is_int(commerce_mini_program_bindable(&released, commerce_string("1129")),
           COMMERCE_R(CRAWLER), "the crawler does not bind");
    is_int(commerce_mini_program_bindable(&unknown, commerce_string("1129")),
           COMMERCE_R(CRAWLER), "nor without a Referer");
    is_int(commerce_mini_program_bindable(&trial, commerce_string("1129")),
           COMMERCE_R(CRAWLER), "the crawler comes before the version");
    is_int(commerce_mini_program_bindable(&released, commerce_string("1154")),
           COMMERCE_R(SCENE_NOT_BINDABLE), "single page does not bind");
    is_int(commerce_mini_program_bindable(&released, commerce_string("1155")),
           COMMERCE_R(SCENE_NOT_BINDABLE), "nor opened out of it");
    is_int(commerce_mini_program_bindable(&trial, commerce_string("1154")),
           COMMERCE_R(DEV_VERSION), "the version comes before single page");
    is_int(commerce_mini_program_bindable(&trial, none), COMMERCE_R(DEV_VERSION),
           "a trial version does not bind");
    is_int(commerce_mini_program_bindable(&unknown, none), COMMERCE_R(OK),
           "no mini program, no scene");
    is_int(commerce_mini_program_bindable(&unknown, commerce_string("1154")),
           COMMERCE_R(SCENE_NOT_BINDABLE), "single page without a Referer");
}


typedef struct {
    const char         *name;
    const char         *agent, *referer;
    const char         *timestamp, *nonce, *signature;
    const char         *token;
    commerce_reason_t   reason;
    bool                forged;
} robot_case_t;

#define PHONE    "Mozilla/5.0 (iPhone) MicroMessenger/8.0.29(0x18001d38) NetType/WIFI"
#define DESKTOP  "Mozilla/5.0 MicroMessenger/7.0.20.1781(0x6700143B) MiniProgramEnv/Windows WMPF"
#define GOOD     "449579c754d3a9cd0a533e85b3f2926de684f96d"      /* of "1800000000" "99" "token" */

static const robot_case_t  robot_cases[] = {
    { "signed", "x mpcrawler", "", "1800000000", "99", GOOD, "token", COMMERCE_R(CRAWLER), false },
    { "one part begins another", "mpcrawler", "", "abc", "a", "03b91e64d46329ac24f336fea82c0ff5da865173", "ab",
      COMMERCE_R(CRAWLER), false },
    { "no token of ours", "mpcrawler", "", "", "", "", "", COMMERCE_R(CRAWLER), false },
    { "no signature", "mpcrawler", "", "1800000000", "99", "", "token", COMMERCE_R(BOT_SUSPECT), true },
    { "cut", "mpcrawler", "", "1800000000", "99", "449579c754d3a9cd0a533e85b3f2926de684f96", "token", COMMERCE_R(BOT_SUSPECT), true },
    { "another nonce", "mpcrawler", "", "1800000000", "98", GOOD, "token", COMMERCE_R(BOT_SUSPECT), true },
    { "another token", "mpcrawler", "", "1800000000", "99", GOOD, "other", COMMERCE_R(BOT_SUSPECT), true },
    { "no nonce", "mpcrawler", "", "1800000000", "", GOOD, "token", COMMERCE_R(BOT_SUSPECT), true },
    { "a phone", PHONE, WX APPID "/217/page-frame.html", "", "", "", "", COMMERCE_R(OK), false },
    { "a desktop", DESKTOP, WX APPID "/217/page-frame.html", "", "", "", "", COMMERCE_R(OK), false },
    { "no Referer", DESKTOP, "", "", "", "", "", COMMERCE_R(OK), false },
    { "a browser", "Mozilla/5.0 (X11)", "https://shop.example/", "", "", "", "", COMMERCE_R(OK), false },
    { "nothing at all", "", "", "", "", "", "", COMMERCE_R(OK), false },
    { "a page in WeChat", PHONE, "https://shop.example/", "", "", "", "", COMMERCE_R(OK), false },
    { "a web view", DESKTOP " miniProgram/" APPID, "https://shop.example/", "", "", "", "", COMMERCE_R(OK), false },
    { "a browser with a mini program's Referer", "Mozilla/5.0 (X11)", WX APPID "/217/page-frame.html", "", "", "",
      "", COMMERCE_R(BOT_SUSPECT), false },
    { "nobody with it", "", WX APPID "/217/page-frame.html", "", "", "", "", COMMERCE_R(BOT_SUSPECT), false },
    { "a runtime with another Referer", DESKTOP, "https://shop.example/", "", "", "", "",
      COMMERCE_R(BOT_SUSPECT), false }
};


static void
test_robot(void)
{
    bool                            forged;
    size_t                          i;
    const robot_case_t             *c;
    commerce_mini_program_client_t  client;

    for (i = 0; i < sizeof(robot_cases) / sizeof(robot_cases[0]); i++) {
        c = &robot_cases[i];

        client.agent = commerce_cstr(c->agent);
        client.referer = commerce_cstr(c->referer);
        client.timestamp = commerce_cstr(c->timestamp);
        client.nonce = commerce_cstr(c->nonce);
        client.signature = commerce_cstr(c->signature);

        is_int(commerce_mini_program_robot(&client, commerce_cstr(c->token), &forged), c->reason, "robot: %s",
               c->name);
        ok(forged == c->forged, "robot: %s: forged", c->name);
    }
}


int
main(void)
{
    test_recognise();
    test_truncated();
    test_nul();
    test_bindable();
    test_robot();

    return done_testing();
}
