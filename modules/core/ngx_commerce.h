/*
 * Copyright (C) ngx_commerce authors
 *
 * The plugin interface: what a feature module sees of the core module.
 *
 * The core owns the pipeline, the store, the keyring, the event log and the verdict; a feature module
 * registers stages (judgements about a request) and actions (locations that answer by themselves), and
 * reaches the core through the table below.  No symbol is shared between the .so files: the table is
 * found in cycle->modules[] by name, and checked by magic and ABI number, so load order does not matter.
 *
 * Everything here runs on a worker's event loop.
 */

#ifndef NGX_COMMERCE_H
#define NGX_COMMERCE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../../src/commerce_conduct.h"
#include "../../src/commerce_form.h"
#include "../../src/commerce_ledger.h"
#include "../../src/commerce_lineage.h"
#include "../../src/commerce_rules.h"
#include "../../src/commerce_token.h"
#include "../../src/commerce_code.h"
#include "../../src/commerce_window.h"

#define NGX_COMMERCE_VERSION  "0.1.0"
#define NGX_COMMERCE_MAGIC    0x4e434f4d
#define NGX_COMMERCE_ABI      6             /* changes whenever this header or a struct below it does */

typedef struct ngx_commerce_case_s  ngx_commerce_case_t;

typedef enum {
    NGX_COMMERCE_OFF,
    NGX_COMMERCE_OBSERVE,       /* everything is evaluated, nothing illegal is refused, only logged */
    NGX_COMMERCE_ENFORCE
} ngx_commerce_mode_e;

/* where a fact of the request (or of the backend's answer) stands */
typedef enum {
    NGX_COMMERCE_SOURCE_VALUE = 1,      /* text with $variables */
    NGX_COMMERCE_SOURCE_BODY = 2,       /* json:/pointer into the request body */
    NGX_COMMERCE_SOURCE_RESPONSE = 4,   /* response:/pointer into the upstream's JSON */
    NGX_COMMERCE_SOURCE_FORM = 8        /* form:NAME of the request body; only notices take it */
} ngx_commerce_source_type_e;

typedef struct {
    ngx_uint_t                 type;    /* 0 = not configured */
    ngx_http_complex_value_t  *value;   /* NULL: the text is one variable, that of index */
    ngx_int_t                  index;
    commerce_str_t             pointer; /* or a form field's name */
    ngx_str_t                  argument;    /* of "$arg_name": to notice a parameter sent twice */
} ngx_commerce_source_t;

/* a coupon that the request names */
typedef struct {
    commerce_str_t          text;       /* as the request wrote it */
    commerce_code_t         code;
    commerce_use_request_t  use;        /* records, set when reason is OK */
    uint8_t                *admits;     /* per line */
    commerce_reason_t       reason;     /* OK, or why it cannot be used */
    commerce_str_t          plain;      /* set where it can only have been made elsewhere: one spelling for all */
    unsigned                genuine:1;  /* we made the code, or have its record: campaign and serial may be told */
    unsigned                imported:1; /* it is looked up: made elsewhere */
    unsigned                told:1;     /* that it is refused; in observe mode the order went on */
} ngx_commerce_coupon_t;

/* what sellers do too often */
typedef enum {
    NGX_COMMERCE_RATE_TOUCHES,  /* first sights */
    NGX_COMMERCE_RATE_ORDERS,   /* in the period of touches */
    NGX_COMMERCE_RATE_BINDS,
    NGX_COMMERCE_RATE_RECRUITS,
    NGX_COMMERCE_RATES
} ngx_commerce_rate_e;

#define NGX_COMMERCE_RATED  12

typedef struct {
    ngx_commerce_rate_e       rate;
    uint64_t                  seller;
    uint32_t                  before;           /* how many there were without this request's own */
} ngx_commerce_rated_t;

/*
 * Undoes what was written for a request that then was not carried out: appends to ledger->txn.  May be run again on a
 * conflict.  STORE_UNAVAILABLE, INTERNAL: it could not be; any other reason: it was, or there is nothing to be undone.
 */
typedef commerce_reason_t (*ngx_commerce_undo_pt)(commerce_ledger_t *ledger, void *data);

typedef struct {
    ngx_commerce_undo_pt      handler;          /* NULL: nothing is to be undone */
    void                     *data;
    size_t                    size;
} ngx_commerce_undo_t;

/* what the core knows about one request.  Stages read and complete it; memory is the request's pool. */
struct ngx_commerce_case_s {
    ngx_http_request_t       *request;          /* the main request */
    commerce_arena_t          arena;
    ngx_commerce_mode_e       mode;
    commerce_str_t            shop;
    commerce_time_t           now;
    int64_t                   now_us;
    commerce_reader_t         reader;           /* reader.view is NULL when the store cannot be read */
    commerce_txn_t           *txn;              /* what this evaluation will write */

    commerce_str_t            user;             /* empty = nobody */
    commerce_str_t            pseudonym;        /* of user */
    commerce_str_t            canonical;        /* the buyer's first name, where the user is another of his; empty = none */
    commerce_person_t         buyer_person;     /* the same human as a seller; number 0 = none */
    commerce_person_t        *people;           /* read in this evaluation: each once, through api->person() */
    ngx_uint_t                npeople;
    uint64_t                  parent_version;   /* of the recruiter's record, in a join */
    commerce_json_t          *body;             /* parsed request body; NULL if not read */
    commerce_form_t          *form;             /* the same where the body is a form */

    commerce_order_t         *order;            /* NULL: not an order request, or one not kept track of */
    uint64_t                  order_version;
    commerce_arrival_t        arrival;
    commerce_cart_step_t      cart;             /* APPLY, REMOVE: lines and amounts are not known yet */
    commerce_str_t           *categories;       /* of the order's lines; NULL: not configured */
    ngx_commerce_coupon_t    *coupons;          /* room for COMMERCE_COUPONS_MAX, made with the first one */
    ngx_uint_t                ncoupons;
    unsigned                  redeem_on_paid:1;
    int64_t                   deadline;         /* seconds a reservation lasts */
    commerce_deadline_policy_t  unpaid, in_doubt;
    commerce_str_t            payer;            /* a platform that pays a commission of its own; empty = none */
    unsigned                  double_pay:1;     /* ... and so does the shop */

    commerce_winner_t         winner;           /* of the first line, or of the page view */
    commerce_reason_t         attribution;      /* ATTR_OK, ATTR_DIRECT, SELF_PURCHASE */
    commerce_credit_t        *credits;          /* lines name theirs; made when somebody may win */
    ngx_uint_t                ncredits;
    commerce_reason_t         noted;            /* the first soft reason on the way: a bad token, a hold, ... */
    uint32_t                  group, room;      /* by which the user came: of the latest live touch; 0 = none */
    ngx_str_t                 platform, appid, version, scene;  /* of a recognised mini program */
    commerce_reason_t         client;           /* OK, or why touches of this client are not remembered */

    unsigned                  conduct;          /* flags (src/commerce_conduct.h) of this evaluation */
    unsigned                  conduct_denied;   /* ... that the configuration denies, in observe mode too */
    unsigned                  conduct_counted;  /* ... of the request, in the status */
    ngx_commerce_rated_t      rated[NGX_COMMERCE_RATED];    /* what was counted for it, once */
    ngx_uint_t                nrated;

    commerce_reason_t         reason;           /* the verdict's */
    ngx_str_t                 detail;           /* for the log: which coupon, which member */
    time_t                    retry_after;      /* seconds, for a refusal with 429 or 503; 0 = the core's own */

    ngx_commerce_undo_t       undo;             /* of what a check has written */

    commerce_str_t            answer;           /* an action's JSON */
    ngx_uint_t                status;           /* ... and its HTTP status */
    commerce_str_t            etag;             /* ... and its ETag, quotes included; empty = none */
    commerce_str_t            errors;           /* of a refusal: a JSON array of sentences; empty = none */

    unsigned                  verified:1;       /* user is */
    unsigned                  touched:1;        /* touches were collected */
    unsigned                  denied:1;         /* refused: the request ends here */
    unsigned                  would_deny:1;     /* observe mode: it would have been */
    unsigned                  degraded:1;       /* decided without the store */
    unsigned                  preview:1;        /* evaluated for a variable: nothing is written */
    unsigned                  again:1;          /* stages run once more: what they said, they said */
    unsigned                  candid:1;         /* a refusal names the reason itself, not its public code */
    unsigned                  failed:COMMERCE_COUPONS_MAX;  /* coupons whose failure was counted as a wrong try */
};

/* stages run in this order */
typedef enum {
    NGX_COMMERCE_STAGE_CLIENT,      /* which app and build; may it bind? */
    NGX_COMMERCE_STAGE_CODES,       /* coupons parsed and verified; pure */
    NGX_COMMERCE_STAGE_COUPONS,     /* their records, the lines they admit; reads */
    NGX_COMMERCE_STAGE_TOUCHES,     /* touches bound, winners found; reads */
    NGX_COMMERCE_STAGE_LINEAGE,     /* second tiers; reads */
    NGX_COMMERCE_STAGE_RULES,       /* coupon rules, which may depend on the winner; pure */
    NGX_COMMERCE_STAGES
} ngx_commerce_stage_e;

/*
 * A stage judges the case: OK, or a reason of class deny, with which the core refuses the request in enforce
 * mode.  It may be run again for the same request (conflict, internal redirect, a coupon whose promoter fell out):
 * it starts from the facts.
 */
typedef commerce_reason_t (*ngx_commerce_stage_pt)(ngx_commerce_case_t *c);

/*
 * An action answers a location by itself: it reads through c->reader, appends to c->txn and sets c->status
 * and c->answer.  It may be run again on a conflict.  A reason of class deny becomes the refusal.
 */
typedef commerce_reason_t (*ngx_commerce_action_pt)(ngx_commerce_case_t *c, void *conf);

/*
 * A check judges what is on its way to a backend, before that sees it: it reads through c->reader and may append
 * to c->txn.  OK: the request goes on, once what was appended is written.  A reason of class deny is the refusal in
 * enforce mode.  Without the store nothing goes on (in enforce mode).  What was written for a request that then was
 * not forwarded, or that the backend definitely refused, is undone as undo() says.
 */
typedef commerce_reason_t (*ngx_commerce_check_pt)(ngx_commerce_case_t *c, void *conf);

/*
 * Looks at an upstream's JSON answer while it goes to the client: in a location, and below, where response() said so.
 * Answers that are encoded, or longer than 64 KB, are not shown.
 */
typedef void (*ngx_commerce_response_pt)(ngx_commerce_case_t *c, commerce_json_t *root, void *conf);

/*
 * Members of a module's own in the status: shop is one of the configured shops (they go into its object), or
 * empty (into the top object).
 */
typedef void (*ngx_commerce_status_pt)(ngx_http_request_t *r, commerce_write_t *w, commerce_str_t shop,
    int64_t now_us);

/*
 * Counts of what happens too often: windows (src/commerce_window.h) in a zone of the caller's own, under keyed
 * hashes, so that neither users nor codes stand there.  They may be lost.  What zone->data points to begins with
 * this; tallies are the caller's.  To be looked at, and all but zone() and key() to be called, under the lock.
 */
#define NGX_COMMERCE_WINDOW_KINDS  8

typedef struct {
    ngx_uint_t           entries[NGX_COMMERCE_WINDOW_KINDS];
    ngx_uint_t           evicted;           /* before their time: the zone was full */
    ngx_uint_t           lost;              /* could not be counted at all */
    ngx_uint_t           tallies[NGX_COMMERCE_WINDOW_KINDS];
} ngx_commerce_windows_stat_t;

typedef struct {
    /* configuration; NULL after an error */
    ngx_shm_zone_t    *(*zone)(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag);

    void               (*lock)(ngx_shm_zone_t *zone);
    void               (*unlock)(ngx_shm_zone_t *zone);
    /* *key: never 0.  data: at most COMMERCE_ID_MAX bytes */
    ngx_int_t          (*key)(ngx_shm_zone_t *zone, ngx_uint_t kind, const commerce_rate_t *rate,
                              commerce_str_t shop, commerce_str_t data, ngx_rbtree_key_t *key);
    commerce_window_t *(*find)(ngx_shm_zone_t *zone, ngx_rbtree_key_t key);    /* NULL: nothing was counted */
    /* one more; keep: ms for which somebody may ask, at least two periods.  now: ms */
    void               (*add)(ngx_shm_zone_t *zone, ngx_uint_t kind, ngx_rbtree_key_t key,
                              const commerce_rate_t *rate, int64_t keep, int64_t now);
} ngx_commerce_windows_api_t;

typedef struct {
    ngx_uint_t  abi;

    /* configuration: the ones with ngx_conf_t log their own errors */
    ngx_int_t  (*stage)(ngx_conf_t *cf, ngx_commerce_stage_e stage, ngx_commerce_stage_pt handler);
    ngx_int_t  (*action)(ngx_conf_t *cf, ngx_uint_t methods, ngx_commerce_action_pt handler, void *conf);
    /* of the location in cf: every request with a body, and all but GET, HEAD, OPTIONS */
    ngx_int_t  (*check)(ngx_conf_t *cf, ngx_commerce_check_pt handler, void *conf);
    ngx_int_t  (*response)(ngx_conf_t *cf, ngx_commerce_response_pt handler, void *conf);
    void       (*note)(ngx_conf_t *cf);     /* the directive in cf->args joins the configuration's hash */
    char      *(*source)(ngx_conf_t *cf, ngx_str_t *word, ngx_uint_t allowed, ngx_commerce_source_t *source);
    char      *(*invalid)(ngx_conf_t *cf, ngx_str_t *word, const char *allowed);    /* a wrong word */
    void       (*exempt)(ngx_conf_t *cf);   /* this location answers by itself: nobody visits it */
    char      *(*needs_order)(ngx_conf_t *cf);  /* remembers: this location must have commerce_order */
    ngx_int_t  (*status_members)(ngx_conf_t *cf, ngx_commerce_status_pt handler);

    /* requests */
    /* the source's value; empty when absent.  OK, TOKEN_DUPLICATE_PARAM, BODY_* */
    commerce_reason_t  (*read)(ngx_commerce_case_t *c, ngx_commerce_source_t *source, commerce_str_t *value);
    commerce_person_t  *(*person)(ngx_commerce_case_t *c, uint64_t number);     /* NULL: unknown */
    commerce_keyring_t *(*keyring)(ngx_commerce_case_t *c);    /* c may be NULL */
    commerce_str_t     (*pseudonym)(ngx_commerce_case_t *c);   /* of the user; computed once */
    commerce_credit_t  *(*credit)(ngx_commerce_case_t *c);     /* of the order's or the page's winner; NULL = house */
    void               (*note_reason)(ngx_commerce_case_t *c, commerce_reason_t reason);
    /* what would be refused, but goes on: counted, and told as would_deny; c->detail says more */
    void               (*object)(ngx_commerce_case_t *c, commerce_reason_t reason);
    /* for actions: touches as on a page, bound and credited (c->credits, c->group, c->room) */
    commerce_reason_t  (*attribute)(ngx_commerce_case_t *c);
    void               (*ledger)(ngx_commerce_case_t *c, commerce_ledger_t *ledger);   /* of this case */
    /* for checks; data is copied byte by byte.  NGX_ERROR: memory ran out */
    ngx_int_t          (*undo)(ngx_commerce_case_t *c, ngx_commerce_undo_pt handler, const void *data, size_t size);

    /* conduct (commerce_conduct) */
    const commerce_conduct_policy_t  *(*conduct_policy)(ngx_commerce_case_t *c);
    /* raises the flag, unless it is off; true: what it stands for is refused here */
    ngx_uint_t         (*flag)(ngx_commerce_case_t *c, commerce_conduct_t flag);
    ngx_uint_t         (*denies)(ngx_commerce_case_t *c, commerce_conduct_t flag);     /* would it be? */
    /* how many of the seller's there were in the rate's period, this request's own not among them; add: it counts */
    uint32_t           (*rate)(ngx_commerce_case_t *c, ngx_commerce_rate_e rate, uint64_t seller, ngx_uint_t add);
    /* for actions: which client is it?  OK, or why such a client is refused */
    commerce_reason_t  (*client)(ngx_commerce_case_t *c);
    /* members conduct, conduct_denied of an event: those of the case that are in the set */
    void               (*conduct_write)(ngx_commerce_case_t *c, commerce_write_t *w, unsigned set);

    /* events: start, add members, then into the transaction (money) or the buffer (the rest) */
    ngx_int_t  (*event_start)(ngx_commerce_case_t *c, commerce_write_t *w, const char *type);
    void       (*event_money)(ngx_commerce_case_t *c, commerce_write_t *w);
    /* what was written, as long as w's transaction lasts; empty: nothing was */
    commerce_str_t  (*event_plain)(ngx_commerce_case_t *c, commerce_write_t *w);

    const ngx_commerce_windows_api_t  *windows;

    /* for the status module: the whole JSON object in the pool */
    ngx_int_t  (*status)(ngx_http_request_t *r, ngx_str_t *json);
} ngx_commerce_api_t;

/* the core module's context starts as any HTTP module's */
typedef struct {
    ngx_http_module_t          http;
    ngx_uint_t                 magic;
    const ngx_commerce_api_t  *api;
} ngx_commerce_module_ctx_t;


/*
 * The core's table; NULL after an error that names what to do.  To be called in a feature's
 * preconfiguration, so that the message points into the http block.
 */
static ngx_inline const ngx_commerce_api_t *
ngx_commerce_core(ngx_conf_t *cf, const char *feature)
{
    ngx_uint_t                  i;
    ngx_commerce_module_ctx_t  *ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_commerce_module") != 0) {
            continue;
        }

        ctx = cf->cycle->modules[i]->ctx;

        if (ctx->magic != NGX_COMMERCE_MAGIC || ctx->api->abi != NGX_COMMERCE_ABI) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "module \"%s\" and the loaded ngx_commerce_module are of different "
                               "builds, install both from one version", feature);
            return NULL;
        }

        return ctx->api;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "module \"%s\" requires ngx_commerce_module, "
                       "add \"load_module modules/ngx_commerce_module.so;\"", feature);
    return NULL;
}


static ngx_inline commerce_str_t
ngx_commerce_str(ngx_str_t s)
{
    return (commerce_str_t) { (const char *) s.data, s.len };
}


/* does the request come over loopback or a unix socket?  (An address that realip replaced counts.) */
static ngx_inline ngx_uint_t
ngx_commerce_local(ngx_http_request_t *r)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) && sin6->sin6_addr.s6_addr[12] == 127);
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    default:
        return 0;
    }
}

#endif
