/*
 * Copyright (C) ngx_commerce authors
 *
 * Inside the core module: how its files meet.
 *
 *   ngx_commerce_module.c     the module, its table for plugins, process start and end
 *   ngx_commerce_conf.c       directives, ngx_commerce_order_conf.c those of orders
 *   ngx_commerce_pipeline.c   a request's way: body, evaluation
 *   ngx_commerce_commit.c     ... transaction, verdict
 *   ngx_commerce_case.c       what is known about a request
 *   ngx_commerce_user.c       who it comes from
 *   ngx_commerce_guard.c      what the configured locations leave open
 *   ngx_commerce_order.c      order requests
 *   ngx_commerce_cart.c       carts: coupons applied and removed by earlier requests
 *   ngx_commerce_query.c      asks the backend about an order in doubt
 *   ngx_commerce_strip.c      our parameters out of what the backend gets
 *   ngx_commerce_notice.c     confirm and cancel calls
 *   ngx_commerce_step.c       steps of orders that no request waits for
 *   ngx_commerce_undo.c       what was written for a request that was not carried out
 *   ngx_commerce_outcome.c    what the upstream answered; filters
 *   ngx_commerce_response.c   JSON answers that a plugin looks at
 *   ngx_commerce_headers.c    verdict headers in, client copies out
 *   ngx_commerce_source.c     facts of the request
 *   ngx_commerce_executor.c   transactions on the thread pool: group commit, deadline
 *   ngx_commerce_journal.c    events: buffer, writer election, drain of the outbox
 *   ngx_commerce_writers.c    lines that were lost, and the event that tells of them
 *   ngx_commerce_sweep.c      orders that are due
 *   ngx_commerce_collect.c    records that nobody needs any more
 *   ngx_commerce_answer.c     problem+json and action answers
 *   ngx_commerce_visit.c      the end of a request
 *   ngx_commerce_variable.c   $commerce_*
 *   ngx_commerce_windows.c    counts of what happens too often, in shared memory
 *   ngx_commerce_conduct.c    commerce_conduct: flags of what platforms forbid
 *   ngx_commerce_metrics.c    counters in shared memory, status JSON
 */

#ifndef NGX_COMMERCE_CORE_H
#define NGX_COMMERCE_CORE_H

#include "ngx_commerce.h"
#include "../../src/commerce_collect.h"
#include "../../src/store/commerce_log.h"

#define NGX_COMMERCE_ATTEMPTS  4            /* evaluations of one request before a conflict is a 503 */
#define NGX_COMMERCE_ACTION_ATTEMPTS  32    /* of an action: people who join share one counter */
#define NGX_COMMERCE_PEOPLE    8            /* persons kept during one evaluation */
#define NGX_COMMERCE_ANSWER_MAX  65536      /* bytes of an upstream's JSON that are read, by default */
#define NGX_COMMERCE_EVENT_SIZE  4096       /* an event's body, but those of orders */

typedef struct ngx_commerce_job_s  ngx_commerce_job_t;
typedef struct ngx_commerce_notice_key_s  ngx_commerce_notice_key_t;
typedef struct ngx_commerce_user_jwt_s  ngx_commerce_user_jwt_t;

typedef enum {                              /* what a request's body has to be */
    NGX_COMMERCE_BODY_ANY,
    NGX_COMMERCE_BODY_JSON,
    NGX_COMMERCE_BODY_FORM
} ngx_commerce_body_e;

typedef struct {                            /* where a directive stands, for errors that are found later */
    u_char                   *file;         /* NULL: nowhere */
    ngx_uint_t                line;
    ngx_str_t                 directive;
} ngx_commerce_place_t;

typedef struct {
    ngx_array_t              *stages[NGX_COMMERCE_STAGES];  /* of ngx_commerce_stage_pt */
    ngx_array_t              *status;       /* of ngx_commerce_status_pt */
    ngx_array_t               shops;        /* of ngx_str_t */
    ngx_str_t                 store;        /* directory */
    ngx_msec_t                deadline;
    ngx_msec_t                sweep;
    ngx_msec_t                collect;      /* between passes of the collector */
    commerce_retention_t      retention;
    ngx_uint_t                batch, queue;
    size_t                    map_size;
    ngx_str_t                 threads;
    ngx_str_t                 keys;
    commerce_keyring_t       *ring;
    ngx_open_file_t          *log;
    ngx_msec_t                flush;
    size_t                    buffer;
    ngx_str_t                 node;
    ngx_str_t                 clock;
    uint64_t                  config;       /* hash of the commerce directives */
    u_char                    config_text[16];
    ngx_shm_zone_t           *zone;
    ngx_shm_zone_t           *rates;        /* NULL without a shop */
    size_t                    rates_size;
    ngx_commerce_place_t      shop_place;   /* of the first commerce_shop */
    ngx_commerce_place_t      keys_place;
    ngx_uint_t                next_upstream_warned;
    unsigned                  retention_set:1;
} ngx_commerce_main_conf_t;

typedef struct {
    ngx_str_t                 shop;
    unsigned                  strip:1;      /* verdict headers of the client are taken out */
} ngx_commerce_srv_conf_t;

typedef struct ngx_commerce_order_conf_s  ngx_commerce_order_conf_t;

struct ngx_commerce_order_conf_s {          /* commerce_order, commerce_order_line, commerce_order_success, ... */
    ngx_commerce_source_t     key;
    commerce_str_t            lines;        /* pointer into the body, or (carts) into the answer; data NULL = none */
    ngx_commerce_source_t     amount;
    commerce_str_t            id, payment, payable, freight;    /* pointers into the answer */
    commerce_unit_t           unit;
    time_t                    in_flight;
    size_t                    body;
    size_t                    answer;       /* bytes of the upstream's JSON that are read */
    ngx_uint_t                cart[COMMERCE_CART_STEPS];    /* methods of the step */
    commerce_str_t            cart_coupons, cart_code, cart_amount;     /* pointers into the answer, into an entry */
    ngx_msec_t                cart_wait;
    commerce_str_t            line_id, line_quantity, line_price, line_amount, line_category;
    ngx_uint_t                success_status;
    commerce_str_t            success_pointer, success_word;
    unsigned                  parses_body:1;    /* some source is a member of the body */
    unsigned                  lines_answered:1; /* lines are a member of the answer */
    unsigned                  shop_key:1;       /* scope=shop */
    unsigned                  cart_set:1;
    unsigned                  success_set:1;
    unsigned                  line_set:1;
    unsigned                  order_set:1;
    ngx_commerce_order_conf_t  *query;      /* commerce_order_query: success and pointers of its answer */
    ngx_str_t                 query_uri;
};

typedef struct {
    ngx_uint_t                mode;         /* ngx_commerce_mode_e */
    ngx_commerce_source_t     user;
    ngx_uint_t                user_verified;
    ngx_commerce_user_jwt_t  *user_jwt;     /* NULL: user is the user, not a token */
    ngx_flag_t                guard;
    commerce_conduct_policy_t  conduct;
    unsigned                  conduct_set;  /* set of flags that are named here, or further out */
    unsigned                  conduct_limits;   /* ... and of limits */
    ngx_array_t              *strip;        /* of ngx_str_t: arguments that the backend does not get */
    ngx_commerce_order_conf_t  *order;      /* NULL = not an order location; never inherited */
    ngx_commerce_action_pt    action;       /* never inherited */
    void                     *action_conf;
    ngx_uint_t                action_methods;   /* NGX_HTTP_POST, ...; others get a 405 */
    unsigned                  action_body:1;    /* the action reads the body */
    ngx_commerce_response_pt  response;     /* looks at answers; NULL: nobody does */
    void                     *response_conf;
    ngx_commerce_check_pt     check;        /* never inherited; beside an order or an action: none */
    void                     *check_conf;
    unsigned                  exempt:1;     /* answers by itself and is not judged: the status */
    unsigned                  uses_body:1;  /* some source of this location reads the body */
    unsigned                  uses_form:1;  /* ... as a form */
    unsigned                  notice:1;     /* the action is a notice */
    ngx_commerce_notice_key_t  *notice_key; /* NULL: notices are not signed */
    time_t                    freeze;       /* seconds from payment to the freeze date; 0 = none */
    ngx_commerce_place_t      check_place;  /* of the directive that set the check */
    ngx_commerce_place_t      order_place;  /* of the location's first order directive */
    ngx_commerce_place_t      needs_order;  /* who has asked for commerce_order */
    ngx_commerce_place_t      needs_shop;   /* ... and for a shop */
} ngx_commerce_loc_conf_t;

typedef enum {
    NGX_COMMERCE_PHASE_START,
    NGX_COMMERCE_PHASE_BODY,        /* reading the request body */
    NGX_COMMERCE_PHASE_COMMIT,      /* the transaction is with the executor, or the cart is busy */
    NGX_COMMERCE_PHASE_DECIDED
} ngx_commerce_phase_e;

typedef enum {
    NGX_COMMERCE_OUTCOME_NONE,      /* nothing of this request is in flight */
    NGX_COMMERCE_OUTCOME_OPEN,      /* an order is with the upstream */
    NGX_COMMERCE_OUTCOME_KNOWN      /* its step was handed on */
} ngx_commerce_outcome_e;

typedef enum {
    NGX_COMMERCE_QUERY_NONE,
    NGX_COMMERCE_QUERY_ASKED,       /* the sub-request is under way */
    NGX_COMMERCE_QUERY_ANSWERED,
    NGX_COMMERCE_QUERY_WRITTEN,     /* handed on as a step of the order in doubt */
    NGX_COMMERCE_QUERY_DONE
} ngx_commerce_query_e;

typedef struct ngx_commerce_ctx_s  ngx_commerce_ctx_t;

/* a step that an order has to make without any request waiting for it */
typedef struct {
    commerce_str_t            shop, user, key;
    commerce_step_t           step;
    commerce_answer_t         answer;
    commerce_cart_step_t      cart;         /* NONE: not of a cart */
    commerce_cart_coupon_t   *named;        /* APPLY, REMOVE: the request's coupons */
    ngx_uint_t                nnamed;
    commerce_cart_answer_t    listed;       /* what the answer says of the cart */
    commerce_str_t            by;           /* commerce_ledger_resolve() */
    commerce_time_t           attempt;      /* REFUSED: the in_flight_until of the try that failed */
    ngx_uint_t                attempts;
} ngx_commerce_step_t;

/* the core's own part of a case */
struct ngx_commerce_ctx_s {
    ngx_commerce_case_t       c;            /* first: stages get a pointer to it */
    ngx_commerce_phase_e      phase;
    ngx_commerce_outcome_e    outcome;
    ngx_commerce_job_t       *job;          /* while phase is COMMIT */
    ngx_commerce_loc_conf_t  *conf;         /* of the location that is being (or was) decided */
    ngx_commerce_main_conf_t *main;
    ngx_uint_t                attempts;
    ngx_uint_t                upstream_base;    /* upstream_states before the order's own */
    ngx_int_t                 rc;           /* of the decision: NGX_DECLINED or a status */
    commerce_str_t            body_text;
    u_char                   *collected;    /* start of the upstream's answer */
    size_t                    collected_len, collected_size;
    u_char                   *answer;       /* what of it a plugin looks at; NULL: nothing */
    size_t                    answer_len, answer_size;
    unsigned                  collecting:1;
    unsigned                  collected_all:1;
    unsigned                  responded:1;  /* the upstream's own header came by */
    unsigned                  visited:1;    /* the visit event was written */
    unsigned                  body_read:1;
    unsigned                  resuming:1;   /* it has waited: the phase handler will be entered again */
    unsigned                  previewed:1;
    unsigned                  checked:1;    /* by its location's check */
    unsigned                  pushed:1;     /* verdict headers are in the request */
    unsigned                  keyless:1;    /* the order's key is ours: the request named none */
    unsigned                  identified:1; /* c.user is known */
    ngx_commerce_user_jwt_t  *token_conf;   /* by which the token was judged */
    commerce_str_t            token, token_user;    /* empty: there is none; it signs nobody in */
    commerce_reason_t         token_reason;
    commerce_reason_t         objected;     /* observe mode: the last would_deny that was logged */
    commerce_reason_t         unreadable;   /* observe mode: why the body was not read */
    commerce_str_t            order_key;    /* as the request named it */
    commerce_reason_t         over_limit;   /* observe mode: a limit that would have refused the coupons */
    ngx_uint_t                upstream_status;
    commerce_cart_coupon_t   *named;        /* carts: the coupons that this request is about */
    ngx_uint_t                nnamed;
    ngx_event_t               busy;         /* carts: looks again whether the request before is through */
    ngx_msec_t                waited;
    ngx_commerce_query_e      query;
    commerce_order_t         *asked;        /* the buyer's own order in doubt that has one of the coupons */
    ngx_commerce_step_t       answered;     /* what the backend said about it */
    commerce_str_t            codes;        /* coupons that the backend may honour, comma separated */
    ngx_str_t                 verdict;      /* JWS */
};

/* one transaction on its way: owned by the executor, outlives the request */
struct ngx_commerce_job_s {
    ngx_queue_t               queue;
    ngx_pool_t               *pool;         /* of the transaction; goes back to the executor's list */
    commerce_arena_t          arena;
    commerce_txn_t            txn;
    ngx_msec_t                queued;
    unsigned                  running:1;
    unsigned                  answered:1;   /* the deadline spoke first */
    unsigned                  patient:1;    /* has no deadline: outcomes and sweeps */
    void                     *data;         /* NULL: whoever waited is gone */
    /* called once, on the event loop.  The result is txn.result, or UNKNOWN while `answered` is set */
    void                    (*done)(ngx_commerce_job_t *job);
    /* when the deadline spoke or the waiter left (answered): called with the late result; may be NULL */
    void                    (*late)(ngx_commerce_job_t *job);
    ngx_commerce_undo_t       undo;         /* ... of a request that a check let go on, if nobody forwards it */
    commerce_str_t            shop, user, key;  /* an order that must be let go if nobody forwards it */
    commerce_time_t           attempt;      /* its in_flight_until */
    commerce_cart_step_t      cart;         /* ... of a cart: what was to be done, to which coupons */
    commerce_cart_coupon_t   *named;
    ngx_uint_t                nnamed;
};

#define NGX_COMMERCE_WRITERS  128           /* of the event log: workers of all generations */

typedef struct {                            /* a worker's lines that no file has */
    ngx_atomic_t              pid;          /* 0: nobody's */
    ngx_atomic_t              epoch, worker;
    ngx_atomic_t              waiting;      /* in its memory */
    ngx_atomic_t              unwritten;    /* could not be written, and the log does not tell of them yet */
} ngx_commerce_writer_t;

typedef struct {                            /* shared memory; all may be lost */
    ngx_atomic_t              requests;
    ngx_atomic_t              reasons[COMMERCE_REASON_COUNT];
    ngx_atomic_t              conduct[COMMERCE_CONDUCTS];   /* requests that have the flag */
    ngx_atomic_t              log_written, log_bytes, log_dropped, log_errors;
    ngx_atomic_t              log_elected_pid;
    ngx_atomic_t              shed, batches, jobs, conflicts;
    ngx_atomic_t              collected;    /* records that were let go */
    ngx_atomic_t              held_back;    /* transactions that an older generation could not read */
    ngx_atomic_t              store_failed; /* 0 ok, 1 unavailable, 2 replaced */
    ngx_commerce_writer_t     writers[NGX_COMMERCE_WRITERS];
} ngx_commerce_metrics_t;

/* per worker; set by init_process, NULL elsewhere */
typedef struct {
    ngx_cycle_t              *cycle;
    ngx_commerce_main_conf_t *conf;
    commerce_store_t         *store;        /* NULL: could not be opened */
    commerce_event_source_t   events;
    ngx_commerce_metrics_t   *metrics;
    uint64_t                  epoch;
    time_t                    complained;   /* last crit about the store, for the rate limit */
    ngx_uint_t                complaints;
} ngx_commerce_worker_t;

extern ngx_module_t            ngx_commerce_module;
extern ngx_commerce_worker_t  *ngx_commerce_worker;

/* ngx_commerce_module.c */
commerce_str_t ngx_commerce_api_pseudonym(ngx_commerce_case_t *c);
char *ngx_commerce_mode_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_store_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_commerce_guard_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_clock_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_keys_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void *ngx_commerce_create_main_conf(ngx_conf_t *cf);
char *ngx_commerce_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child);
void *ngx_commerce_create_loc_conf(ngx_conf_t *cf);
char *ngx_commerce_event_log_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_shop_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_commerce_log_handler(ngx_http_request_t *r);
void *ngx_commerce_create_srv_conf(ngx_conf_t *cf);
char *ngx_commerce_init_main_conf(ngx_conf_t *cf, void *conf);
char *ngx_commerce_node_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
int64_t ngx_commerce_now_us(void);
void ngx_commerce_mend_store(void);                 /* tries again what could not be opened */
void ngx_commerce_complain(const char *what);       /* crit about the store, once a minute with a count */

void ngx_commerce_note(ngx_conf_t *cf);
char *ngx_commerce_invalid(ngx_conf_t *cf, ngx_str_t *word, const char *allowed);
void ngx_commerce_place(ngx_conf_t *cf, ngx_commerce_place_t *place);     /* keeps the first */
ngx_int_t ngx_commerce_action(ngx_conf_t *cf, ngx_uint_t methods, ngx_commerce_action_pt handler, void *conf);
ngx_int_t ngx_commerce_check(ngx_conf_t *cf, ngx_commerce_check_pt handler, void *conf);

/* ngx_commerce_user.c */
char *ngx_commerce_user_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_user_jwt_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
commerce_reason_t ngx_commerce_who(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_identify(ngx_http_request_t *r, ngx_commerce_ctx_t **ctx);

/* ngx_commerce_pipeline.c, ngx_commerce_case.c, ngx_commerce_guard.c */
ngx_uint_t ngx_commerce_counts(ngx_http_request_t *r);
ngx_uint_t ngx_commerce_checks(ngx_http_request_t *r);      /* has it to be checked, where there is a check? */
ngx_int_t ngx_commerce_guarded(ngx_http_request_t *r);
ngx_uint_t ngx_commerce_hides_coupon(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_precontent_handler(ngx_http_request_t *r);
ngx_int_t ngx_commerce_evaluate(ngx_commerce_ctx_t *ctx);
ngx_commerce_ctx_t *ngx_commerce_get_ctx(ngx_http_request_t *r);
ngx_commerce_ctx_t *ngx_commerce_ctx_create(ngx_http_request_t *r);
ngx_int_t ngx_commerce_preview(ngx_http_request_t *r, ngx_commerce_ctx_t **ctx);
commerce_reason_t ngx_commerce_run_stages(ngx_commerce_case_t *c, ngx_uint_t first, ngx_uint_t last);
void ngx_commerce_note_reason(ngx_commerce_case_t *c, commerce_reason_t reason);
commerce_credit_t *ngx_commerce_credit(ngx_commerce_case_t *c);     /* the one that the verdict names */
void ngx_commerce_object(ngx_commerce_ctx_t *ctx, commerce_reason_t reason);

/* ngx_commerce_commit.c; what returns ngx_int_t, returns what the phase handler does */
ngx_int_t ngx_commerce_commit(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_decide(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_refuse(ngx_commerce_ctx_t *ctx, commerce_reason_t reason);
ngx_int_t ngx_commerce_without_store(ngx_commerce_ctx_t *ctx, commerce_reason_t reason);
ngx_int_t ngx_commerce_asked(ngx_commerce_ctx_t *ctx);      /* the backend has told of an order in doubt */
ngx_uint_t ngx_commerce_busy(ngx_commerce_ctx_t *ctx);
ngx_uint_t ngx_commerce_may_wait(ngx_commerce_ctx_t *ctx);
void ngx_commerce_look_again(ngx_commerce_ctx_t *ctx);      /* in a moment the request is evaluated once more */
void ngx_commerce_event_deny(ngx_commerce_ctx_t *ctx);

/* ngx_commerce_order.c, ngx_commerce_order_conf.c */
ngx_commerce_order_conf_t *ngx_commerce_order_conf(ngx_conf_t *cf, ngx_commerce_loc_conf_t *lcf);
char *ngx_commerce_order_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, commerce_str_t *pointer);
char *ngx_commerce_order_success_param(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_order_conf_t *oc);
char *ngx_commerce_order_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_order_line_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_order_success_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_order_notice_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_order_freeze_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_commerce_notice_key_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
commerce_reason_t ngx_commerce_order_evaluate(ngx_commerce_ctx_t *ctx);
commerce_reason_t ngx_commerce_order_new(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
commerce_reason_t ngx_commerce_order_again(ngx_commerce_ctx_t *ctx, commerce_order_t *existing, uint64_t version);
commerce_reason_t ngx_commerce_order_fingerprint(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
commerce_reason_t ngx_commerce_order_owned(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
commerce_reason_t ngx_commerce_order_line(ngx_commerce_ctx_t *ctx, commerce_json_t *node, commerce_line_t *line,
    commerce_str_t *category);
ngx_int_t ngx_commerce_order_categories(ngx_commerce_ctx_t *ctx, ngx_uint_t n, commerce_str_t **categories);
void ngx_commerce_order_snapshot(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
void ngx_commerce_order_ledger(ngx_commerce_case_t *c, commerce_ledger_t *ledger);
commerce_reason_t ngx_commerce_coupons_judge(ngx_commerce_ctx_t *ctx);

/* ngx_commerce_step.c */
void ngx_commerce_step_init(void);
ngx_int_t ngx_commerce_order_step(ngx_commerce_step_t *step);

/* ngx_commerce_response.c */
void ngx_commerce_response_init(void);
ngx_int_t ngx_commerce_response(ngx_conf_t *cf, ngx_commerce_response_pt handler, void *conf);
void ngx_commerce_api_object(ngx_commerce_case_t *c, commerce_reason_t reason);

/* ngx_commerce_undo.c */
ngx_int_t ngx_commerce_undo(ngx_commerce_case_t *c, ngx_commerce_undo_pt handler, const void *data, size_t size);
void ngx_commerce_undo_keep(commerce_arena_t *arena, const ngx_commerce_undo_t *undo, ngx_commerce_undo_t *kept);
void ngx_commerce_undo_run(commerce_str_t shop, const ngx_commerce_undo_t *undo);
void ngx_commerce_undo_finish(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);

/* ngx_commerce_cart.c */
char *ngx_commerce_cart_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
commerce_reason_t ngx_commerce_cart_evaluate(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
ngx_uint_t ngx_commerce_cart_in_flight(ngx_commerce_ctx_t *ctx);        /* the request before, for certain */
commerce_reason_t ngx_commerce_cart_answer(ngx_commerce_ctx_t *ctx, commerce_json_t *root,
    commerce_cart_answer_t *answer);       /* OK, or why it cannot be read for certain */
commerce_cart_coupon_t *ngx_commerce_cart_copy(commerce_arena_t *arena, commerce_cart_coupon_t *coupons,
    ngx_uint_t n);

/* ngx_commerce_query.c */
char *ngx_commerce_query_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_commerce_query_merge(ngx_commerce_order_conf_t *oc);
commerce_reason_t ngx_commerce_query_own(ngx_commerce_ctx_t *ctx, ngx_commerce_coupon_t *coupon);
ngx_uint_t ngx_commerce_query(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_query_answered(ngx_commerce_ctx_t *ctx);     /* NGX_AGAIN: waits, NGX_DECLINED: evaluate */

/* ngx_commerce_strip.c */
char *ngx_commerce_strip_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_commerce_strip(ngx_http_request_t *r);

/* ngx_commerce_outcome.c */
void ngx_commerce_outcome_open(ngx_commerce_ctx_t *ctx);
void ngx_commerce_outcome_finish(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
void ngx_commerce_outcome_init(void);
commerce_step_t ngx_commerce_outcome_status(ngx_uint_t status);
commerce_step_t ngx_commerce_outcome_success(ngx_commerce_order_conf_t *oc, commerce_json_t *root);
void ngx_commerce_outcome_facts(ngx_commerce_ctx_t *ctx, ngx_commerce_order_conf_t *oc, commerce_json_t *root,
    commerce_answer_t *answer);

/* ngx_commerce_headers.c */
ngx_int_t ngx_commerce_headers_strip_handler(ngx_http_request_t *r);
void ngx_commerce_headers_init(void);
ngx_int_t ngx_commerce_headers_identity(ngx_http_request_t *r);     /* asks for an answer that is not encoded */
ngx_int_t ngx_commerce_headers_push(ngx_commerce_ctx_t *ctx);
ngx_int_t ngx_commerce_verdict_sign(ngx_commerce_ctx_t *ctx);
ngx_uint_t ngx_commerce_header_named(ngx_table_elt_t *h, const char *name, size_t len);
commerce_str_t ngx_commerce_channel(ngx_commerce_ctx_t *ctx);       /* the credited channel's number, or empty */

/* ngx_commerce_source.c */
char *ngx_commerce_source_compile(ngx_conf_t *cf, ngx_str_t *word, ngx_uint_t allowed,
    ngx_commerce_source_t *source);
commerce_reason_t ngx_commerce_source_read(ngx_commerce_case_t *c, ngx_commerce_source_t *source,
    commerce_str_t *value);
commerce_reason_t ngx_commerce_body_check(ngx_http_request_t *r, size_t limit, ngx_commerce_body_e kind);
commerce_reason_t ngx_commerce_body_parse(ngx_commerce_ctx_t *ctx, size_t limit, ngx_commerce_body_e kind);

/* ngx_commerce_executor.c */
ngx_int_t ngx_commerce_executor_init(ngx_cycle_t *cycle);
void ngx_commerce_executor_exit(void);
ngx_commerce_job_t *ngx_commerce_job_create(void);
void ngx_commerce_job_free(ngx_commerce_job_t *job);
ngx_int_t ngx_commerce_job_submit(ngx_commerce_job_t *job);     /* NGX_DECLINED: shed, nothing was queued */
ngx_uint_t ngx_commerce_executor_in_flight(void);
void ngx_commerce_executor_look(void);      /* is the store still the one at its path? */

/* ngx_commerce_journal.c */
ngx_int_t ngx_commerce_journal_init(ngx_cycle_t *cycle);
void ngx_commerce_journal_exit(void);
void ngx_commerce_journal_event(commerce_str_t body);
ngx_int_t ngx_commerce_journal_event_now(commerce_str_t body);     /* in the file when it returns NGX_OK */
ngx_uint_t ngx_commerce_journal_elected(void);
ngx_uint_t ngx_commerce_journal_draining(void);

/* ngx_commerce_writers.c */
ngx_commerce_writer_t *ngx_commerce_writer_take(void);
void ngx_commerce_writer_leave(ngx_commerce_writer_t *writer);
void ngx_commerce_writer_tell_own(ngx_commerce_writer_t *writer);
void ngx_commerce_writer_tell_gone(void);

/* ngx_commerce_sweep.c */
void ngx_commerce_sweep_init(void);

/* ngx_commerce_collect.c */
char *ngx_commerce_retention_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_commerce_collect_init(void);

/* ngx_commerce_answer.c */
ngx_int_t ngx_commerce_answer_denied(ngx_http_request_t *r, commerce_reason_t reason);
ngx_int_t ngx_commerce_answer_handler(ngx_http_request_t *r);

/* ngx_commerce_visit.c */
void ngx_commerce_write_request(commerce_write_t *w, ngx_http_request_t *r);

/* ngx_commerce_variable.c */
ngx_int_t ngx_commerce_variables_add(ngx_conf_t *cf);

/* ngx_commerce_windows.c */
extern const ngx_commerce_windows_api_t  ngx_commerce_windows_api;

/* ngx_commerce_conduct.c */
char *ngx_commerce_conduct_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_commerce_conduct_merge(ngx_commerce_loc_conf_t *prev, ngx_commerce_loc_conf_t *conf);
ngx_int_t ngx_commerce_conduct_zone(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf);
const commerce_conduct_policy_t *ngx_commerce_conduct_policy(ngx_commerce_case_t *c);
ngx_uint_t ngx_commerce_conduct_flag(ngx_commerce_case_t *c, commerce_conduct_t flag);
ngx_uint_t ngx_commerce_conduct_denies(ngx_commerce_case_t *c, commerce_conduct_t flag);
uint32_t ngx_commerce_conduct_rate(ngx_commerce_case_t *c, ngx_commerce_rate_e rate, uint64_t seller,
    ngx_uint_t add);
commerce_reason_t ngx_commerce_conduct_client(ngx_commerce_case_t *c);
void ngx_commerce_conduct_write(ngx_commerce_case_t *c, commerce_write_t *w, unsigned set);
void ngx_commerce_conduct_status(commerce_write_t *w);

/* ngx_commerce_metrics.c */
ngx_int_t ngx_commerce_metrics_zone(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf);
void ngx_commerce_count(commerce_reason_t reason);
ngx_int_t ngx_commerce_status(ngx_http_request_t *r, ngx_str_t *json);
int64_t ngx_commerce_in_doubt(ngx_pool_t *pool);

#endif
