/*
 * Copyright (C) ngx_commerce authors
 *
 * The core module: configuration, and the start and end of a worker.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_write.h"


static ngx_int_t ngx_commerce_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_commerce_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_commerce_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_commerce_init_process(ngx_cycle_t *cycle);
static void ngx_commerce_open_store(ngx_cycle_t *cycle);
static void ngx_commerce_exit_process(ngx_cycle_t *cycle);

/* the table that feature modules call */
static ngx_int_t ngx_commerce_api_stage(ngx_conf_t *cf, ngx_commerce_stage_e stage,
    ngx_commerce_stage_pt handler);
static void ngx_commerce_api_exempt(ngx_conf_t *cf);
static char *ngx_commerce_api_needs_order(ngx_conf_t *cf);
static ngx_int_t ngx_commerce_api_status_members(ngx_conf_t *cf, ngx_commerce_status_pt handler);
static commerce_person_t *ngx_commerce_api_person(ngx_commerce_case_t *c, uint64_t number);
static commerce_keyring_t *ngx_commerce_api_keyring(ngx_commerce_case_t *c);
static commerce_reason_t ngx_commerce_api_attribute(ngx_commerce_case_t *c);
static void ngx_commerce_api_ledger(ngx_commerce_case_t *c, commerce_ledger_t *ledger);
static ngx_int_t ngx_commerce_api_event_start(ngx_commerce_case_t *c, commerce_write_t *w,
    const char *type);
static void ngx_commerce_api_event_money(ngx_commerce_case_t *c, commerce_write_t *w);
static commerce_str_t ngx_commerce_api_event_plain(ngx_commerce_case_t *c, commerce_write_t *w);


static ngx_command_t  ngx_commerce_commands[] = {

    { ngx_string("commerce_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_commerce_store_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_keys_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_event_log"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_commerce_event_log_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_node_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_retention"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_commerce_retention_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_clock"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_commerce_clock_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_commerce_mode_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_shop"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_commerce_shop_directive,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_user_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_user_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_commerce_user_jwt_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_conduct"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_conduct_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_guard"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_commerce_guard_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_line"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_line_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_query"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_query_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_cart"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_cart_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_strip_args"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_strip_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_success"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_commerce_order_success_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_confirm"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_cancel"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_refund"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_settle"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_order_notice_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_order_freeze"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_commerce_order_freeze_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("commerce_notice_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_commerce_notice_key_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static const ngx_commerce_api_t  ngx_commerce_api = {
    NGX_COMMERCE_ABI,
    ngx_commerce_api_stage,
    ngx_commerce_action,
    ngx_commerce_check,
    ngx_commerce_response,
    ngx_commerce_note,
    ngx_commerce_source_compile,
    ngx_commerce_invalid,
    ngx_commerce_api_exempt,
    ngx_commerce_api_needs_order,
    ngx_commerce_api_status_members,
    ngx_commerce_source_read,
    ngx_commerce_api_person,
    ngx_commerce_api_keyring,
    ngx_commerce_api_pseudonym,
    ngx_commerce_credit,
    ngx_commerce_note_reason,
    ngx_commerce_api_object,
    ngx_commerce_api_attribute,
    ngx_commerce_api_ledger,
    ngx_commerce_undo,
    ngx_commerce_conduct_policy,
    ngx_commerce_conduct_flag,
    ngx_commerce_conduct_denies,
    ngx_commerce_conduct_rate,
    ngx_commerce_conduct_client,
    ngx_commerce_conduct_write,
    ngx_commerce_api_event_start,
    ngx_commerce_api_event_money,
    ngx_commerce_api_event_plain,
    &ngx_commerce_windows_api,
    ngx_commerce_status
};


static ngx_commerce_module_ctx_t  ngx_commerce_module_ctx = {
    {
        ngx_commerce_preconfiguration,         /* preconfiguration */
        ngx_commerce_postconfiguration,        /* postconfiguration */

        ngx_commerce_create_main_conf,         /* create main configuration */
        ngx_commerce_init_main_conf,           /* init main configuration */

        ngx_commerce_create_srv_conf,          /* create server configuration */
        ngx_commerce_merge_srv_conf,           /* merge server configuration */

        ngx_commerce_create_loc_conf,          /* create location configuration */
        ngx_commerce_merge_loc_conf            /* merge location configuration */
    },
    NGX_COMMERCE_MAGIC,
    &ngx_commerce_api
};


ngx_module_t  ngx_commerce_module = {
    NGX_MODULE_V1,
    &ngx_commerce_module_ctx,              /* module context */
    ngx_commerce_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_commerce_init_module,              /* init module */
    ngx_commerce_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_commerce_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_commerce_worker_t  *ngx_commerce_worker;


/* microseconds, UTC; from the test clock if one is configured */

int64_t
ngx_commerce_now_us(void)
{
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_int_t    seconds;
    ngx_time_t  *tp;
    u_char       text[32];

    tp = ngx_timeofday();

    if (ngx_commerce_worker == NULL || ngx_commerce_worker->conf->clock.len == 0) {
        return (int64_t) tp->sec * 1000000 + (int64_t) tp->msec * 1000;
    }

    /* opened at every use: whoever sets the clock replaces the file */

    n = 0;
    fd = ngx_open_file(ngx_commerce_worker->conf->clock.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = read(fd, text, sizeof(text));
        (void) ngx_close_file(fd);
    }

    while (n > 0 && (text[n - 1] < '0' || text[n - 1] > '9')) {
        n--;
    }

    seconds = n > 0 ? ngx_atoi(text, n) : NGX_ERROR;

    if (seconds == NGX_ERROR) {
        seconds = tp->sec;
    }

    return (int64_t) seconds * 1000000 + (int64_t) tp->msec * 1000;
}


void
ngx_commerce_complain(const char *what)
{
    ngx_commerce_worker_t  *w;

    w = ngx_commerce_worker;
    w->complaints++;

    if (ngx_time() - w->complained < 60) {
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, w->cycle->log, 0, "commerce: %s (%ui times since the last such line)",
                  what, w->complaints);

    w->complained = ngx_time();
    w->complaints = 0;
}


static ngx_int_t
ngx_commerce_preconfiguration(ngx_conf_t *cf)
{
    return ngx_commerce_variables_add(cf);
}


static ngx_int_t
ngx_commerce_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static const struct {
        ngx_uint_t           phase;
        ngx_http_handler_pt  handler;
    } handlers[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_commerce_headers_strip_handler },
        { NGX_HTTP_REWRITE_PHASE, ngx_commerce_headers_strip_handler },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_commerce_precontent_handler },
        { NGX_HTTP_LOG_PHASE, ngx_commerce_log_handler }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    ngx_commerce_headers_init();
    ngx_commerce_outcome_init();
    ngx_commerce_response_init();

    return NGX_OK;
}


/*
 * The store's directory belongs to the workers.  Runs also under "nginx -t" and before the daemon's fork:
 * nothing is opened here.
 */

static ngx_int_t
ngx_commerce_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t           *ccf;
    ngx_commerce_main_conf_t  *mcf;

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_commerce_module);

    if (mcf == NULL || mcf->shops.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_create_dir(mcf->store.data, 0700) == NGX_FILE_ERROR) {

        if (ngx_errno == NGX_EEXIST) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      ngx_create_dir_n " \"%V\" failed, make its parent directory", &mcf->store);
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() == 0
        && chown((const char *) mcf->store.data, ccf->user, ccf->group) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "chown(\"%V\") failed", &mcf->store);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_commerce_init_process(ngx_cycle_t *cycle)
{
    ngx_time_t                *tp;
    ngx_commerce_worker_t     *w;
    ngx_commerce_main_conf_t  *mcf;

    /* cache manager and loader come by here too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_commerce_module);

    if (mcf == NULL || mcf->shops.nelts == 0) {
        return NGX_OK;
    }

    w = ngx_calloc(sizeof(ngx_commerce_worker_t), cycle->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    w->cycle = cycle;
    w->conf = mcf;
    w->metrics = mcf->zone->data;
    w->epoch = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_commerce_worker = w;

    ngx_commerce_open_store(cycle);

    if (ngx_commerce_executor_init(cycle) != NGX_OK || ngx_commerce_journal_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_commerce_step_init();
    ngx_commerce_sweep_init();
    ngx_commerce_collect_init();

    return NGX_OK;
}


/* without a store the worker serves pages, and refuses money */

static void
ngx_commerce_open_store(ngx_cycle_t *cycle)
{
    char                       error[512];
    commerce_store_options_t   options;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_commerce_worker->conf;

    ngx_memzero(&options, sizeof(commerce_store_options_t));
    options.path = (char *) mcf->store.data;
    options.id_space = commerce_keyring_id_space(mcf->ring);
    options.map_size = mcf->map_size;
    options.flags = COMMERCE_STORE_CREATE;

    ngx_commerce_worker->store = commerce_store_open(&options, error, sizeof(error));

    if (ngx_commerce_worker->store == NULL) {
        ngx_commerce_worker->metrics->store_failed = 1;
        ngx_commerce_complain(error);
        return;
    }

    ngx_commerce_worker->metrics->store_failed = 0;     /* what a previous worker met is over */
}


/*
 * A store that could not be opened (being restored, a directory without rights), or that only closing and
 * opening again can mend: tried by the sweep's timer while no thread is in it.  A replaced store stays refused.
 */

void
ngx_commerce_mend_store(void)
{
    ngx_commerce_worker_t  *w;

    w = ngx_commerce_worker;

    if ((w->store && !commerce_store_broken(w->store))
        || ngx_commerce_executor_in_flight()
        || ngx_commerce_journal_draining())
    {
        return;
    }

    if (w->store) {
        commerce_store_close(w->store);
        w->store = NULL;
    }

    ngx_commerce_open_store(w->cycle);

    if (w->store) {
        ngx_log_error(NGX_LOG_NOTICE, w->cycle->log, 0, "commerce: the store is open again");
    }
}


static void
ngx_commerce_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_commerce_worker == NULL) {
        return;
    }

    ngx_commerce_journal_exit();
    ngx_commerce_executor_exit();

    /* a thread may still be in a batch when the worker was told to stop at once: the store stays open */
}


static ngx_int_t
ngx_commerce_api_stage(ngx_conf_t *cf, ngx_commerce_stage_e stage, ngx_commerce_stage_pt handler)
{
    ngx_commerce_stage_pt     *p;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);

    if (mcf->stages[stage] == NULL) {
        mcf->stages[stage] = ngx_array_create(cf->pool, 2, sizeof(ngx_commerce_stage_pt));
        if (mcf->stages[stage] == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_array_push(mcf->stages[stage]);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = handler;

    return NGX_OK;
}


static void
ngx_commerce_api_exempt(ngx_conf_t *cf)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);
    lcf->exempt = 1;
}


static char *
ngx_commerce_api_needs_order(ngx_conf_t *cf)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_commerce_module);

    ngx_commerce_place(cf, &lcf->needs_order);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_commerce_api_status_members(ngx_conf_t *cf, ngx_commerce_status_pt handler)
{
    ngx_commerce_status_pt    *p;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);

    if (mcf->status == NULL) {
        mcf->status = ngx_array_create(cf->pool, 2, sizeof(ngx_commerce_status_pt));
        if (mcf->status == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_array_push(mcf->status);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = handler;

    return NGX_OK;
}


static commerce_person_t *
ngx_commerce_api_person(ngx_commerce_case_t *c, uint64_t number)
{
    ngx_uint_t          i;
    commerce_person_t  *person;

    if (number == 0 || c->reader.view == NULL) {
        return NULL;
    }

    for (i = 0; i < c->npeople; i++) {
        if (c->people[i].number == number) {
            return &c->people[i];
        }
    }

    if (c->people == NULL) {
        c->people = commerce_alloc(&c->arena, NGX_COMMERCE_PEOPLE * sizeof(commerce_person_t));
    }

    /* more than fit are read again: pointers that were given out stay good */

    person = c->people == NULL ? NULL
             : c->npeople < NGX_COMMERCE_PEOPLE ? &c->people[c->npeople]
             : commerce_alloc(&c->arena, sizeof(commerce_person_t));

    if (person == NULL || commerce_person_read(&c->reader, number, person, NULL) != COMMERCE_OK) {
        return NULL;
    }

    if (c->npeople < NGX_COMMERCE_PEOPLE) {
        c->npeople++;
    }

    return person;
}


static commerce_keyring_t *
ngx_commerce_api_keyring(ngx_commerce_case_t *c)
{
    return ngx_commerce_worker->conf->ring;
}


commerce_str_t
ngx_commerce_api_pseudonym(ngx_commerce_case_t *c)
{
    char  *text;

    if (c->pseudonym.len || c->user.len == 0) {
        return c->pseudonym;
    }

    text = commerce_alloc(&c->arena, COMMERCE_PSEUDONYM_SIZE);

    if (text
        && commerce_keyring_pseudonym(ngx_commerce_worker->conf->ring, c->shop,
                                      c->canonical.len ? c->canonical : c->user, text) == COMMERCE_OK)
    {
        c->pseudonym = commerce_cstr(text);
    }

    return c->pseudonym;
}


/* who comes, by whom, and in whose second tier: the stages of a page view but the coupons' */

static commerce_reason_t
ngx_commerce_api_attribute(ngx_commerce_case_t *c)
{
    commerce_reason_t  reason;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CLIENT, NGX_COMMERCE_STAGE_CLIENT);

    return reason == COMMERCE_R(OK)
           ? ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE) : reason;
}


static void
ngx_commerce_api_ledger(ngx_commerce_case_t *c, commerce_ledger_t *ledger)
{
    ngx_memzero(ledger, sizeof(commerce_ledger_t));

    ledger->reader = &c->reader;
    ledger->txn = c->txn;
    ledger->events = &ngx_commerce_worker->events;
    ledger->now = c->now;
    ledger->now_us = c->now_us;
}


static ngx_int_t
ngx_commerce_api_event_start(ngx_commerce_case_t *c, commerce_write_t *w, const char *type)
{
    char  *buffer;

    /* an event of the transaction must live as long as it does */

    buffer = c->txn->arena->alloc(c->txn->arena->owner, NGX_COMMERCE_EVENT_SIZE);

    if (buffer == NULL
        || commerce_event_start(w, buffer, NGX_COMMERCE_EVENT_SIZE, &ngx_commerce_worker->events, type,
                                c->shop, c->now_us)
           != COMMERCE_OK)
    {
        c->txn->failed = true;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_commerce_api_event_money(ngx_commerce_case_t *c, commerce_write_t *w)
{
    commerce_str_t  body;

    body = commerce_event_finish(w);

    if (body.len == 0) {
        c->txn->failed = true;
        return;
    }

    commerce_txn_event(c->txn, body);
}


static commerce_str_t
ngx_commerce_api_event_plain(ngx_commerce_case_t *c, commerce_write_t *w)
{
    commerce_str_t  body;

    if (c->preview || c->again) {
        return commerce_string("");
    }

    body = commerce_event_finish(w);
    ngx_commerce_journal_event(body);

    return body;
}
