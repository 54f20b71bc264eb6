/*
 * Copyright (C) ngx_commerce authors
 *
 * Carts: requests that apply and remove coupons, and the completion that makes the order of them.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_imported.h"


#define NGX_COMMERCE_CART_LIST  256         /* entries of an answer's list of coupons */


static commerce_cart_step_t ngx_commerce_cart_step(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_cart_bodiless(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_cart_apply(ngx_commerce_ctx_t *ctx, commerce_order_t *order,
    commerce_order_t *cart, uint64_t version);
static commerce_reason_t ngx_commerce_cart_remove(ngx_commerce_ctx_t *ctx, commerce_order_t *cart,
    uint64_t version);
static commerce_reason_t ngx_commerce_cart_pass(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_cart_name(ngx_commerce_ctx_t *ctx);
static commerce_reason_t ngx_commerce_cart_complete(ngx_commerce_ctx_t *ctx, commerce_order_t *order,
    commerce_order_t *cart, uint64_t version);
static commerce_reason_t ngx_commerce_cart_carried(ngx_commerce_ctx_t *ctx, commerce_order_t *cart);
static void ngx_commerce_cart_elsewhere(ngx_commerce_ctx_t *ctx, commerce_cart_answer_t *answer);
static commerce_reason_t ngx_commerce_cart_entries(ngx_commerce_ctx_t *ctx, commerce_json_t *root,
    commerce_cart_answer_t *answer);
static commerce_reason_t ngx_commerce_cart_entry(ngx_commerce_ctx_t *ctx, commerce_json_t *node,
    commerce_cart_coupon_t *coupon);
static commerce_reason_t ngx_commerce_cart_answered_lines(ngx_commerce_ctx_t *ctx, commerce_json_t *root,
    commerce_cart_answer_t *answer);
static commerce_reason_t ngx_commerce_cart_list(commerce_json_t *root, commerce_str_t pointer,
    commerce_json_t **nodes, unsigned max, unsigned *count, bool *told);
static ngx_int_t ngx_commerce_cart_param(ngx_commerce_order_conf_t *oc, ngx_str_t *word);
static ngx_uint_t ngx_commerce_cart_word(ngx_str_t *word, ngx_str_t *name, ngx_str_t *rest);
static ngx_uint_t ngx_commerce_cart_methods(ngx_str_t *word);


commerce_reason_t
ngx_commerce_cart_evaluate(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    int                   rc;
    uint64_t              version;
    commerce_order_t     *cart;
    commerce_reason_t     reason;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    c->cart = ngx_commerce_cart_step(ctx);

    if (c->cart == COMMERCE_CART_NONE) {
        return COMMERCE_R(METHOD_NOT_ALLOWED);
    }

    if (ctx->keyless) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (c->cart == COMMERCE_CART_COMPLETE) {
        reason = ngx_commerce_cart_bodiless(ctx);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    /* what the cart carries is in the store: without it nothing is certain */

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    c->order = order;           /* coupon codes need to know that there is one */
    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CODES, NGX_COMMERCE_STAGE_CODES);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_owned(ctx, order);
    }

    if (reason != COMMERCE_R(OK)) {
        c->order = NULL;
        return reason;
    }

    cart = commerce_alloc(&c->arena, sizeof(commerce_order_t));
    if (cart == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    rc = commerce_order_read(&c->reader, order->user, order->key, cart, &version);
    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    cart = rc == COMMERCE_OK ? cart : NULL;

    c->order_version = version;
    c->arrival = commerce_cart_arrive(cart, c->cart, c->now, &reason);

    if (c->arrival == COMMERCE_ARRIVAL_REFUSED) {
        c->order = NULL;
        return reason;
    }

    ngx_commerce_note_reason(c, reason);

    switch (c->cart) {

    case COMMERCE_CART_APPLY:
        return ngx_commerce_cart_apply(ctx, order, cart, version);

    case COMMERCE_CART_REMOVE:
        return ngx_commerce_cart_remove(ctx, cart, version);

    default:
        return ngx_commerce_cart_complete(ctx, order, cart, version);
    }
}


/*
 * For whoever waits and looks again: with memory of its own, since what an evaluation takes from the request's pool stays
 * there until the request is over.
 */

ngx_uint_t
ngx_commerce_cart_in_flight(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t            busy;
    commerce_order_t      cart;
    commerce_reader_t     reader;
    commerce_reason_t     reason;
    ngx_commerce_job_t   *job;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    job = ngx_commerce_job_create();
    if (job == NULL) {
        return 0;
    }

    busy = 0;
    reader.arena = &job->arena;
    reader.shop = c->shop;

    if (ngx_commerce_worker->store
        && commerce_view_begin(ngx_commerce_worker->store, &reader.view) == COMMERCE_OK)
    {
        if (commerce_order_read(&reader, c->verified ? c->user : commerce_string(""), ctx->order_key, &cart, NULL)
            == COMMERCE_OK)
        {
            (void) commerce_cart_arrive(&cart, c->cart, ngx_commerce_now_us() / 1000000, &reason);
            busy = (reason == COMMERCE_R(ORDER_IN_FLIGHT));
        }

        commerce_view_end(reader.view);
    }

    ngx_commerce_job_free(job);

    return busy;
}


static commerce_cart_step_t
ngx_commerce_cart_step(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = COMMERCE_CART_APPLY; i < COMMERCE_CART_STEPS; i++) {
        if (ctx->c.request->method & ctx->conf->order->cart[i]) {
            return i;
        }
    }

    return COMMERCE_CART_NONE;
}


/* a completion says nothing by itself; what else stands in its body, some backend would read */

static commerce_reason_t
ngx_commerce_cart_bodiless(ngx_commerce_ctx_t *ctx)
{
    if (ctx->body_text.len == 0 || ctx->conf->uses_body) {
        return COMMERCE_R(OK);
    }

    return ctx->c.body && commerce_json_is_object(ctx->c.body) && commerce_json_first(ctx->c.body) == NULL
           ? COMMERCE_R(OK) : COMMERCE_R(BODY_MALFORMED);
}


static commerce_reason_t
ngx_commerce_cart_apply(ngx_commerce_ctx_t *ctx, commerce_order_t *order, commerce_order_t *cart,
    uint64_t version)
{
    unsigned                 refused, n;
    ngx_uint_t               i;
    commerce_str_t           codes[COMMERCE_COUPONS_MAX];
    commerce_reason_t        reason;
    commerce_ledger_t        ledger;
    ngx_commerce_case_t     *c;
    commerce_use_request_t  *uses;

    c = &ctx->c;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_COUPONS, NGX_COMMERCE_STAGE_COUPONS);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_coupons_judge(ctx);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_cart_name(ctx);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_cart_pass(ctx);
    }

    uses = commerce_alloc(&c->arena, COMMERCE_COUPONS_MAX * sizeof(commerce_use_request_t));

    if (reason != COMMERCE_R(OK) || uses == NULL) {
        return reason != COMMERCE_R(OK) ? reason : COMMERCE_R(INTERNAL);
    }

    for (i = 0, n = 0; i < c->ncoupons; i++) {
        if (c->coupons[i].reason == COMMERCE_R(OK)) {
            codes[n] = c->coupons[i].text;
            uses[n++] = c->coupons[i].use;
        }
    }

    if (n == 0) {
        return COMMERCE_R(OK);
    }

    if (cart == NULL) {

        /* limits count on who would get the sale by now; it is decided when the cart is completed */

        ngx_commerce_order_snapshot(ctx, order);

        reason = ngx_commerce_order_fingerprint(ctx, order);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        cart = order;
    }

    cart->in_flight_until = c->now + ctx->conf->order->in_flight;
    c->order = cart;

    ngx_commerce_order_ledger(c, &ledger);

    return commerce_ledger_cart_apply(&ledger, cart, version, uses, codes, n, &refused);
}


/* coupons that are not (or not any more) the cart's are the backend's business alone */

static commerce_reason_t
ngx_commerce_cart_remove(ngx_commerce_ctx_t *ctx, commerce_order_t *cart, uint64_t version)
{
    unsigned              named;
    commerce_reason_t     reason;
    commerce_ledger_t     ledger;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    reason = ngx_commerce_cart_name(ctx);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_cart_pass(ctx);
    }

    c->ncoupons = 0;

    if (reason != COMMERCE_R(OK) || cart == NULL) {
        return reason;
    }

    named = commerce_cart_set(cart, ctx->named, ctx->nnamed);

    if (named == 0) {
        return COMMERCE_R(OK);
    }

    c->order = cart;
    ngx_commerce_order_ledger(c, &ledger);

    return commerce_ledger_cart_remove(&ledger, cart, version, named, c->now + ctx->conf->order->in_flight);
}


/* for attribution, a cart's request is a page view like any other */

static commerce_reason_t
ngx_commerce_cart_pass(ngx_commerce_ctx_t *ctx)
{
    ctx->c.order = NULL;

    return ngx_commerce_run_stages(&ctx->c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
}


/* the coupons that the request is about, for its answer */

static commerce_reason_t
ngx_commerce_cart_name(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t               i;
    ngx_commerce_case_t     *c;
    commerce_cart_coupon_t  *named;

    c = &ctx->c;
    ctx->nnamed = c->ncoupons;

    ctx->named = commerce_alloc(&c->arena, COMMERCE_COUPONS_MAX * sizeof(commerce_cart_coupon_t));
    if (ctx->named == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < c->ncoupons; i++) {
        named = &ctx->named[i];

        named->code = c->coupons[i].text;
        named->amount = -1;

        if (c->coupons[i].reason != COMMERCE_R(COUPON_MALFORMED)
            && c->coupons[i].reason != COMMERCE_R(COUPON_BAD_SIGNATURE))
        {
            named->campaign = c->coupons[i].code.campaign;
            named->serial = c->coupons[i].code.serial;
        }
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
ngx_commerce_cart_complete(ngx_commerce_ctx_t *ctx, commerce_order_t *order, commerce_order_t *cart,
    uint64_t version)
{
    commerce_time_t       created;
    commerce_reason_t     reason;
    commerce_ledger_t     ledger;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    if (cart == NULL) {
        order->cart = COMMERCE_CART_COMPLETE;
        reason = ngx_commerce_order_fingerprint(ctx, order);

        return reason == COMMERCE_R(OK) ? ngx_commerce_order_new(ctx, order) : reason;
    }

    reason = ngx_commerce_cart_carried(ctx, cart);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (cart->state != COMMERCE_ORDER_CART) {
        return ngx_commerce_order_again(ctx, cart, version);
    }

    c->order = cart;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    created = cart->created;
    ngx_commerce_order_snapshot(ctx, cart);

    /* as the store has it, so that the ledger moves it and its place among those in doubt */

    if (cart->deadline != COMMERCE_FOREVER) {
        cart->deadline -= cart->created - created;
    }

    cart->created = created;

    ngx_commerce_order_ledger(c, &ledger);

    return commerce_ledger_reopen(&ledger, cart, version, c->now + ctx->conf->order->in_flight);
}


/* the cart's coupons are the order's: for their promoters, and for the verdict */

static commerce_reason_t
ngx_commerce_cart_carried(ngx_commerce_ctx_t *ctx, commerce_order_t *cart)
{
    unsigned                  i;
    ngx_commerce_case_t      *c;
    ngx_commerce_coupon_t    *coupon;
    commerce_order_coupon_t  *own;

    c = &ctx->c;

    c->coupons = commerce_alloc(&c->arena, COMMERCE_COUPONS_MAX * sizeof(ngx_commerce_coupon_t));
    if (c->coupons == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < cart->coupon_count; i++) {
        own = &cart->coupons[i];
        coupon = &c->coupons[i];

        coupon->text = own->code;
        coupon->code.campaign = own->campaign;
        coupon->code.serial = own->serial;

        if (commerce_campaign_read(&c->reader, own->campaign, &coupon->use.campaign, NULL) == COMMERCE_ERROR) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }
    }

    c->ncoupons = cart->coupon_count;

    return COMMERCE_R(OK);
}


/* answers */

commerce_reason_t
ngx_commerce_cart_answer(ngx_commerce_ctx_t *ctx, commerce_json_t *root, commerce_cart_answer_t *answer)
{
    commerce_reason_t  reason;

    reason = COMMERCE_R(OK);

    if (ctx->conf->order->cart_coupons.len) {
        reason = ngx_commerce_cart_entries(ctx, root, answer);
    }

    if (reason == COMMERCE_R(OK) && ctx->conf->order->lines_answered) {
        reason = ngx_commerce_cart_answered_lines(ctx, root, answer);
    }

    if (reason == COMMERCE_R(OK) && ctx->c.cart == COMMERCE_CART_COMPLETE) {
        ngx_commerce_cart_elsewhere(ctx, answer);
    }

    return reason;
}


/* codes that we did not sign may be coupons all the same: made elsewhere, and imported */

static void
ngx_commerce_cart_elsewhere(ngx_commerce_ctx_t *ctx, commerce_cart_answer_t *answer)
{
    unsigned                   i;
    commerce_reader_t          reader;
    commerce_imported_t        found;
    commerce_cart_coupon_t    *coupon;
    commerce_imported_code_t   code;

    if (answer->coupon_count == 0
        || ngx_commerce_worker->store == NULL
        || commerce_view_begin(ngx_commerce_worker->store, &reader.view) != COMMERCE_OK)
    {
        return;
    }

    reader.arena = &ctx->c.arena;
    reader.shop = ctx->c.shop;

    for (i = 0; i < answer->coupon_count; i++) {
        coupon = &answer->coupons[i];

        if (coupon->campaign == 0
            && commerce_imported_parse(coupon->code, &code) == NULL
            && commerce_imported_find(&reader, ctx->main->ring, &code, &found) == COMMERCE_OK)
        {
            coupon->campaign = found.campaign;
            coupon->serial = found.serial;
        }
    }

    commerce_view_end(reader.view);
}


static commerce_reason_t
ngx_commerce_cart_entries(ngx_commerce_ctx_t *ctx, commerce_json_t *root, commerce_cart_answer_t *answer)
{
    unsigned            i, n;
    commerce_json_t    *nodes[NGX_COMMERCE_CART_LIST];
    commerce_reason_t   reason;

    reason = ngx_commerce_cart_list(root, ctx->conf->order->cart_coupons, nodes, NGX_COMMERCE_CART_LIST, &n,
                                    &answer->told);

    if (reason == COMMERCE_R(OK) && !answer->told) {
        return COMMERCE_R(BODY_MALFORMED);      /* the answer does not say: nothing is certain */
    }

    if (reason != COMMERCE_R(OK) || n == 0) {
        return reason;
    }

    answer->coupons = commerce_alloc(&ctx->c.arena, n * sizeof(commerce_cart_coupon_t));
    if (answer->coupons == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < n && reason == COMMERCE_R(OK); i++) {
        reason = ngx_commerce_cart_entry(ctx, nodes[i], &answer->coupons[answer->coupon_count]);

        if (answer->coupons[answer->coupon_count].code.len) {
            answer->coupon_count++;
        }
    }

    return reason;
}


/* an entry without a code is a promotion of the backend's own */

static commerce_reason_t
ngx_commerce_cart_entry(ngx_commerce_ctx_t *ctx, commerce_json_t *node, commerce_cart_coupon_t *coupon)
{
    bool                        rounded;
    commerce_str_t              text;
    commerce_code_t             code;
    commerce_json_t            *found;
    commerce_reason_t           reason;
    ngx_commerce_order_conf_t  *oc;

    oc = ctx->conf->order;
    coupon->amount = -1;

    reason = commerce_json_find(node, oc->cart_code, &found);

    if (reason == COMMERCE_R(OK) && found) {
        reason = commerce_json_text(found, &coupon->code);
    }

    if (reason != COMMERCE_R(OK) || coupon->code.len == 0) {
        return reason;
    }

    if (coupon->code.len > COMMERCE_ID_MAX) {
        return COMMERCE_R(BODY_MALFORMED);
    }

    if (commerce_code_parse(coupon->code, &code) == COMMERCE_R(OK)
        && commerce_code_verify(ctx->main->ring, ctx->c.shop, &code) == COMMERCE_R(OK))
    {
        coupon->campaign = code.campaign;
        coupon->serial = code.serial;
    }

    if (oc->cart_amount.len == 0) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, oc->cart_amount, &found);

    if (reason != COMMERCE_R(OK) || found == NULL) {
        return reason;
    }

    reason = commerce_json_text(found, &text);

    if (reason == COMMERCE_R(OK)
        && commerce_amount_parse(text, oc->unit, &coupon->amount, &rounded) != COMMERCE_OK)
    {
        return COMMERCE_R(BODY_MALFORMED);
    }

    return reason;
}


static commerce_reason_t
ngx_commerce_cart_answered_lines(ngx_commerce_ctx_t *ctx, commerce_json_t *root, commerce_cart_answer_t *answer)
{
    bool                told;
    unsigned            i, n;
    commerce_json_t    *nodes[COMMERCE_LINES_MAX];
    commerce_reason_t   reason;

    reason = ngx_commerce_cart_list(root, ctx->conf->order->lines, nodes, COMMERCE_LINES_MAX, &n, &told);

    if (reason != COMMERCE_R(OK) || !told || n == 0) {
        return reason != COMMERCE_R(OK) || told ? reason : COMMERCE_R(BODY_MALFORMED);
    }

    answer->lines = commerce_alloc(&ctx->c.arena, n * sizeof(commerce_line_t));

    if (answer->lines == NULL || ngx_commerce_order_categories(ctx, n, &answer->categories) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    for (i = 0; i < n && reason == COMMERCE_R(OK); i++) {
        reason = ngx_commerce_order_line(ctx, nodes[i], &answer->lines[i],
                                         answer->categories ? &answer->categories[i] : NULL);
    }

    answer->line_count = n;

    return reason;
}


/* what a pointer leads to: with "*" every match, without the elements of an array */

static commerce_reason_t
ngx_commerce_cart_list(commerce_json_t *root, commerce_str_t pointer, commerce_json_t **nodes, unsigned max,
    unsigned *count, bool *told)
{
    commerce_json_t    *node;
    commerce_reason_t   reason;

    reason = commerce_json_each(root, pointer, nodes, max, count, told);

    if (reason != COMMERCE_R(OK) || *count == 0 || commerce_json_pointer_many(pointer)
        || !commerce_json_is_array(nodes[0]))
    {
        return reason;
    }

    node = commerce_json_first(nodes[0]);

    for (*count = 0; node; node = commerce_json_next(node)) {

        if (*count == max) {
            return COMMERCE_R(BODY_TOO_LARGE);
        }

        nodes[(*count)++] = node;
    }

    return COMMERCE_R(OK);
}


commerce_cart_coupon_t *
ngx_commerce_cart_copy(commerce_arena_t *arena, commerce_cart_coupon_t *coupons, ngx_uint_t n)
{
    ngx_uint_t               i;
    commerce_cart_coupon_t  *copy;

    copy = commerce_alloc(arena, (n ? n : 1) * sizeof(commerce_cart_coupon_t));

    for (i = 0; copy && i < n; i++) {
        copy[i] = coupons[i];
        copy[i].code = commerce_copy(arena, coupons[i].code);
    }

    return copy;
}


/* configuration */

char *
ngx_commerce_cart_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i, *cart;
    ngx_commerce_loc_conf_t    *lcf = conf;
    ngx_commerce_order_conf_t  *oc;

    ngx_commerce_note(cf);

    oc = ngx_commerce_order_conf(cf, lcf);
    if (oc == NULL) {
        return NGX_CONF_ERROR;
    }

    if (oc->cart_set) {
        return "is duplicate";
    }

    oc->cart_set = 1;
    oc->parses_body = 1;
    value = cf->args->elts;
    cart = oc->cart;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_commerce_cart_param(oc, &value[i]) != NGX_OK) {
            return ngx_commerce_invalid(cf, &value[i],
                "apply=, remove=, complete= with POST, PUT, PATCH or DELETE, coupons=response:/p, code=/p, amount=/p, "
                "wait=time (up to 60s)");
        }
    }

    if (!(cart[COMMERCE_CART_APPLY] | cart[COMMERCE_CART_REMOVE] | cart[COMMERCE_CART_COMPLETE])) {
        return "needs apply=, remove= or complete=, for example apply=POST remove=DELETE";
    }

    if ((cart[COMMERCE_CART_APPLY] & cart[COMMERCE_CART_REMOVE])
        || ((cart[COMMERCE_CART_APPLY] | cart[COMMERCE_CART_REMOVE]) && cart[COMMERCE_CART_COMPLETE]))
    {
        return "takes one method for one step; complete= has a location of its own";
    }

    if ((oc->cart_code.len || oc->cart_amount.len) && oc->cart_coupons.len == 0) {
        return "needs coupons=response:/pointer for code= and amount=";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_commerce_cart_param(ngx_commerce_order_conf_t *oc, ngx_str_t *word)
{
    ngx_int_t        msec;
    ngx_str_t        s;
    ngx_uint_t       i;
    commerce_str_t  *pointers[] = { &oc->cart_coupons, &oc->cart_code, &oc->cart_amount };

    static ngx_str_t  steps[] = { ngx_string("apply="), ngx_string("remove="), ngx_string("complete=") };
    static ngx_str_t  members[] = { ngx_string("coupons=response:"), ngx_string("code="), ngx_string("amount=") };
    static ngx_str_t  wait = ngx_string("wait=");

    for (i = 0; i < 3; i++) {

        if (ngx_commerce_cart_word(word, &steps[i], &s)) {
            oc->cart[COMMERCE_CART_APPLY + i] = ngx_commerce_cart_methods(&s);
            return oc->cart[COMMERCE_CART_APPLY + i] ? NGX_OK : NGX_ERROR;
        }

        if (ngx_commerce_cart_word(word, &members[i], &s)) {
            *pointers[i] = ngx_commerce_str(s);
            return s.len && commerce_json_pointer_valid(*pointers[i]) ? NGX_OK : NGX_ERROR;
        }
    }

    if (!ngx_commerce_cart_word(word, &wait, &s)) {
        return NGX_ERROR;
    }

    msec = ngx_parse_time(&s, 0);

    if (msec == NGX_ERROR || msec > 60000) {
        return NGX_ERROR;
    }

    oc->cart_wait = (ngx_msec_t) msec;

    return NGX_OK;
}


/* what stands behind the name, if it is this one */

static ngx_uint_t
ngx_commerce_cart_word(ngx_str_t *word, ngx_str_t *name, ngx_str_t *rest)
{
    if (ngx_strncmp(word->data, name->data, name->len) != 0) {
        return 0;
    }

    rest->data = word->data + name->len;
    rest->len = word->len - name->len;

    return 1;
}


static ngx_uint_t
ngx_commerce_cart_methods(ngx_str_t *word)
{
    ngx_uint_t                i;
    static const struct {
        ngx_str_t             name;
        ngx_uint_t            method;
    } methods[] = {
        { ngx_string("POST"), NGX_HTTP_POST },
        { ngx_string("PUT"), NGX_HTTP_PUT },
        { ngx_string("PATCH"), NGX_HTTP_PATCH },
        { ngx_string("DELETE"), NGX_HTTP_DELETE }
    };

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (word->len == methods[i].name.len && ngx_strncmp(word->data, methods[i].name.data, word->len) == 0) {
            return methods[i].method;
        }
    }

    return 0;
}
