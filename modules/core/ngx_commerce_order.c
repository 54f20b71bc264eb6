/*
 * Copyright (C) ngx_commerce authors
 *
 * Order requests: key, lines, fingerprint, arrival; then the stages and the ledger.
 */

#include "ngx_commerce_core.h"
#include "../../src/commerce_imported.h"


static commerce_reason_t ngx_commerce_order_key(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static commerce_reason_t ngx_commerce_order_lines(ngx_commerce_ctx_t *ctx, commerce_order_t *order);
static commerce_reason_t ngx_commerce_order_category(ngx_commerce_ctx_t *ctx, commerce_json_t *node,
    commerce_str_t *category);
static commerce_reason_t ngx_commerce_order_number(commerce_json_t *node, commerce_str_t pointer,
    commerce_str_t *text);
static size_t ngx_commerce_order_lines_size(ngx_commerce_case_t *c, commerce_order_t *order);
static void ngx_commerce_order_write_lines(ngx_commerce_case_t *c, commerce_order_t *order, commerce_write_t *w);
static commerce_reason_t ngx_commerce_order_rules(ngx_commerce_ctx_t *ctx);
static ngx_uint_t ngx_commerce_order_usable(ngx_commerce_case_t *c);
static ngx_uint_t ngx_commerce_order_uses(ngx_commerce_ctx_t *ctx, commerce_use_request_t *uses);
static void ngx_commerce_order_coupon_detail(ngx_commerce_case_t *c, ngx_commerce_coupon_t *coupon);
static commerce_reason_t ngx_commerce_order_elsewhere(ngx_commerce_ctx_t *ctx);


commerce_reason_t
ngx_commerce_order_evaluate(ngx_commerce_ctx_t *ctx)
{
    int                   rc;
    uint64_t              version;
    commerce_reason_t     reason;
    commerce_order_t     *order, *existing;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    c->order = NULL;
    c->cart = COMMERCE_CART_NONE;

    if (c->body == NULL) {
        reason = ngx_commerce_body_parse(ctx, ctx->conf->order->body, ctx->conf->order->parses_body);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    order = commerce_alloc(&c->arena, sizeof(commerce_order_t));
    existing = c->arena.alloc(c->arena.owner, sizeof(commerce_order_t));   /* zeroed by reading */

    if (order == NULL || existing == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    reason = ngx_commerce_order_key(ctx, order);

    if (reason == COMMERCE_R(OK) && ctx->conf->order->cart_set) {
        return ngx_commerce_cart_evaluate(ctx, order);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_lines(ctx, order);
    }

    if (reason == COMMERCE_R(OK)) {
        c->order = order;           /* coupon codes need to know that there is one */
        reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CODES, NGX_COMMERCE_STAGE_CODES);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_fingerprint(ctx, order);
    }

    if (reason != COMMERCE_R(OK)) {
        c->order = NULL;
        return reason;
    }

    if (c->reader.view == NULL) {
        c->order = NULL;

        if (c->ncoupons) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        return ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_LINEAGE);
    }

    reason = ngx_commerce_order_owned(ctx, order);
    if (reason != COMMERCE_R(OK)) {
        c->order = NULL;
        return reason;
    }

    rc = commerce_order_read(&c->reader, order->user, order->key, existing, &version);
    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    c->order_version = version;
    c->arrival = commerce_order_arrive(rc == COMMERCE_OK ? existing : NULL, order->fingerprint, c->now,
                                       &reason);

    switch (c->arrival) {

    case COMMERCE_ARRIVAL_REFUSED:
        c->order = NULL;
        return reason;

    case COMMERCE_ARRIVAL_NEW:
        return ngx_commerce_order_new(ctx, order);

    default:
        ngx_commerce_note_reason(c, reason);
        return ngx_commerce_order_again(ctx, existing, version);
    }
}


static commerce_reason_t
ngx_commerce_order_key(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    char                       *id;
    commerce_str_t              key;
    commerce_reason_t           reason;
    ngx_commerce_case_t        *c;
    ngx_commerce_order_conf_t  *oc;

    c = &ctx->c;
    oc = ctx->conf->order;

    order->user = c->verified ? c->user : commerce_string("");
    order->claimed = -1;
    order->payable = -1;
    order->discount = -1;
    order->created = c->now;
    order->in_flight_until = c->now + oc->in_flight;

    reason = ngx_commerce_source_read(c, &oc->key, &key);

    if (reason != COMMERCE_R(OK)) {
        return reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM) ? COMMERCE_R(ORDER_KEY_MALFORMED) : reason;
    }

    if (key.len && !commerce_id_valid(key)) {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (key.len == 0 && ctx->order_key.len == 0) {

        /* no key: followed under one of ours, but a retry cannot be known as one */

        id = commerce_alloc(&c->arena, COMMERCE_EVENT_ID);
        if (id == NULL
            || commerce_event_id(&ngx_commerce_worker->events, c->now_us, id) != COMMERCE_OK)
        {
            return COMMERCE_R(INTERNAL);
        }

        key = (commerce_str_t) { id, COMMERCE_EVENT_ID };
        ctx->keyless = 1;
    }

    if (key.len) {
        ctx->order_key = key;
    }

    order->key = ctx->order_key;

    return COMMERCE_R(OK);
}


/* a key of the shop's is the first user's who came with it */

commerce_reason_t
ngx_commerce_order_owned(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    int             rc;
    commerce_str_t  user;

    if (!ctx->conf->order->shop_key) {
        return COMMERCE_R(OK);
    }

    order->shop_key = true;
    rc = commerce_order_key_user(&ctx->c.reader, order->key, &user);

    if (rc == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    return rc == COMMERCE_ABSENT || commerce_equal(user, order->user) ? COMMERCE_R(OK)
                                                                       : COMMERCE_R(ORDER_KEY_REUSED);
}


static commerce_reason_t
ngx_commerce_order_lines(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    unsigned                    i, n;
    commerce_json_t            *node, *item;
    commerce_reason_t           reason;
    ngx_commerce_case_t        *c;
    ngx_commerce_order_conf_t  *oc;

    c = &ctx->c;
    oc = ctx->conf->order;
    c->categories = NULL;

    if (oc->lines.data == NULL || oc->lines_answered || c->body == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(c->body, oc->lines, &node);
    if (reason != COMMERCE_R(OK) || node == NULL) {
        return reason;
    }

    if (!commerce_json_is_array(node)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    n = commerce_json_count(node);

    if (n > COMMERCE_LINES_MAX) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    order->lines = commerce_alloc(&c->arena, (n ? n : 1) * sizeof(commerce_line_t));

    if (order->lines == NULL || ngx_commerce_order_categories(ctx, n, &c->categories) != NGX_OK) {
        return COMMERCE_R(INTERNAL);
    }

    order->line_count = n;
    order->claimed = n ? 0 : -1;

    for (i = 0, item = commerce_json_first(node); item; item = commerce_json_next(item), i++) {

        reason = ngx_commerce_order_line(ctx, item, &order->lines[i], c->categories ? &c->categories[i] : NULL);

        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        if (order->lines[i].amount < 0) {
            order->claimed = -1;

        } else if (order->claimed >= 0) {
            order->claimed += order->lines[i].amount;
        }
    }

    return COMMERCE_R(OK);
}


commerce_reason_t
ngx_commerce_order_line(ngx_commerce_ctx_t *ctx, commerce_json_t *node, commerce_line_t *line,
    commerce_str_t *category)
{
    bool                        rounded;
    uint64_t                    quantity;
    commerce_fen_t              price;
    commerce_str_t              text;
    commerce_reason_t           reason;
    ngx_commerce_order_conf_t  *oc;

    oc = ctx->conf->order;
    rounded = false;

    line->quantity = 1;
    line->amount = -1;
    line->credit = -1;

    reason = ngx_commerce_order_number(node, oc->line_id, &line->sku);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (!commerce_id_valid(line->sku)) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (category) {
        reason = ngx_commerce_order_category(ctx, node, category);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    if (oc->line_quantity.data) {
        reason = ngx_commerce_order_number(node, oc->line_quantity, &text);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }

        if (text.data) {
            if (commerce_parse_uint(text, 1000000, &quantity) != COMMERCE_OK || quantity == 0) {
                return COMMERCE_R(ORDER_MALFORMED);
            }

            line->quantity = (int64_t) quantity;
        }
    }

    reason = ngx_commerce_order_number(node, oc->line_amount.data ? oc->line_amount : oc->line_price, &text);
    if (reason != COMMERCE_R(OK) || text.data == NULL) {
        return reason;
    }

    if (commerce_amount_parse(text, oc->unit, &price, &rounded) != COMMERCE_OK) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    if (rounded) {
        ngx_commerce_note_reason(&ctx->c, COMMERCE_R(AMOUNT_ROUNDED));
    }

    if (oc->line_amount.data) {
        line->amount = price;
        return COMMERCE_R(OK);
    }

    if (price > COMMERCE_FEN_MAX / line->quantity) {
        return COMMERCE_R(ORDER_MALFORMED);
    }

    line->amount = price * line->quantity;

    return COMMERCE_R(OK);
}


/* room for the categories of n lines; NULL where no category is configured */

ngx_int_t
ngx_commerce_order_categories(ngx_commerce_ctx_t *ctx, ngx_uint_t n, commerce_str_t **categories)
{
    *categories = NULL;

    if (ctx->conf->order->line_category.data == NULL) {
        return NGX_OK;
    }

    *categories = commerce_alloc(&ctx->c.arena, (n ? n : 1) * sizeof(commerce_str_t));

    return *categories ? NGX_OK : NGX_ERROR;
}


/* empty: the line names none */

static commerce_reason_t
ngx_commerce_order_category(ngx_commerce_ctx_t *ctx, commerce_json_t *node, commerce_str_t *category)
{
    commerce_reason_t  reason;

    reason = ngx_commerce_order_number(node, ctx->conf->order->line_category, category);

    if (reason != COMMERCE_R(OK) || category->len == 0) {
        return reason;
    }

    return commerce_id_valid(*category) ? COMMERCE_R(OK) : COMMERCE_R(ORDER_MALFORMED);
}


/* text of a member; data is NULL if it is absent, null or not configured */

static commerce_reason_t
ngx_commerce_order_number(commerce_json_t *node, commerce_str_t pointer, commerce_str_t *text)
{
    commerce_json_t    *found;
    commerce_reason_t   reason;

    text->data = NULL;
    text->len = 0;

    if (pointer.data == NULL) {
        return COMMERCE_R(OK);
    }

    reason = commerce_json_find(node, pointer, &found);

    if (reason != COMMERCE_R(OK) || found == NULL) {
        return reason;
    }

    return commerce_json_text(found, text);
}


/* what the request itself names: user, lines, amounts, coupons */

commerce_reason_t
ngx_commerce_order_fingerprint(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    char                 *buffer;
    size_t                size;
    int64_t               len;
    uint8_t               digest[32];
    unsigned              i;
    commerce_write_t      w;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    size = 256 + 6 * order->user.len + ngx_commerce_order_lines_size(c, order);

    for (i = 0; i < c->ncoupons; i++) {
        size += 64 + 6 * c->coupons[i].text.len;
    }

    buffer = c->arena.alloc(c->arena.owner, size);
    if (buffer == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    commerce_write_start(&w, buffer, size);
    commerce_write_open(&w, NULL, '[');
    commerce_write_text(&w, NULL, order->user);

    ngx_commerce_order_write_lines(c, order, &w);
    commerce_write_bool(&w, NULL, c->cart == COMMERCE_CART_NONE);     /* no order without lines is a cart's */

    for (i = 0; i < c->ncoupons; i++) {

        if (c->coupons[i].plain.len) {
            commerce_write_text(&w, NULL, c->coupons[i].plain);
            continue;
        }

        if (c->coupons[i].code.campaign == 0) {         /* no code */
            commerce_write_text(&w, NULL, c->coupons[i].text);
            continue;
        }

        commerce_write_int(&w, NULL, c->coupons[i].code.campaign);
        commerce_write_int(&w, NULL, c->coupons[i].code.serial);
    }

    commerce_write_close(&w, ']');
    len = commerce_write_finish(&w);

    if (len < 0
        || commerce_keyring_sha256(ctx->main->ring, buffer, (size_t) len, digest) != COMMERCE_OK)
    {
        return COMMERCE_R(INTERNAL);
    }

    ngx_memcpy(order->fingerprint, digest, COMMERCE_FINGERPRINT);

    return COMMERCE_R(OK);
}


static size_t
ngx_commerce_order_lines_size(ngx_commerce_case_t *c, commerce_order_t *order)
{
    size_t    size;
    unsigned  i;

    for (i = 0, size = 0; i < order->line_count; i++) {
        size += 64 + 6 * order->lines[i].sku.len + (c->categories ? 6 * c->categories[i].len + 8 : 0);
    }

    return size;
}


/* a category only where one is named: other orders keep the fingerprints that they have */

static void
ngx_commerce_order_write_lines(ngx_commerce_case_t *c, commerce_order_t *order, commerce_write_t *w)
{
    unsigned  i;

    for (i = 0; i < order->line_count; i++) {
        commerce_write_text(w, NULL, order->lines[i].sku);
        commerce_write_int(w, NULL, order->lines[i].quantity);
        commerce_write_int(w, NULL, order->lines[i].amount);

        if (c->categories && c->categories[i].len) {
            commerce_write_text(w, NULL, c->categories[i]);
        }
    }
}


commerce_reason_t
ngx_commerce_order_new(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    unsigned                  refused;
    ngx_uint_t                n;
    commerce_reason_t         reason;
    commerce_ledger_t         ledger;
    ngx_commerce_case_t      *c;
    commerce_use_request_t   *uses;

    c = &ctx->c;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_COUPONS, NGX_COMMERCE_STAGE_COUPONS);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_coupons_judge(ctx);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_commerce_order_rules(ctx);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_commerce_order_snapshot(ctx, order);

    uses = c->arena.alloc(c->arena.owner, (c->ncoupons + 1) * sizeof(commerce_use_request_t));
    if (uses == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    n = ngx_commerce_order_uses(ctx, uses);

    ngx_commerce_order_ledger(c, &ledger);

    return commerce_ledger_open(&ledger, order, uses, n, &refused);
}


/* what is decided once, when the order is made */

void
ngx_commerce_order_snapshot(ngx_commerce_ctx_t *ctx, commerce_order_t *order)
{
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    order->pseudonym = ngx_commerce_api_pseudonym(c);
    order->policy = ctx->main->config;
    order->reason = c->attribution;
    order->conduct = c->conduct;
    order->conduct_denied = c->conduct_denied;
    order->redeem_on_paid = c->redeem_on_paid;
    order->unpaid = c->unpaid;
    order->in_doubt = c->in_doubt;
    order->freeze_after = ctx->conf->freeze;
    order->terms.platform = c->payer;
    order->terms.double_pay = c->double_pay;
    order->created = c->now;
    order->deadline = c->ncoupons && c->deadline ? c->now + c->deadline : COMMERCE_FOREVER;
    order->credit_count = c->ncredits;

    if (c->ncredits) {
        ngx_memcpy(order->credits, c->credits, c->ncredits * sizeof(commerce_credit_t));
    }
}


void
ngx_commerce_order_ledger(ngx_commerce_case_t *c, commerce_ledger_t *ledger)
{
    ledger->reader = &c->reader;
    ledger->txn = c->txn;
    ledger->events = &ngx_commerce_worker->events;
    ledger->now = c->now;
    ledger->now_us = c->now_us;
}


/*
 * Rules may depend on the winner, and he on the promoters of the coupons that apply.  While one falls out (the order
 * goes on without it in observe mode), both are found again; each turn takes a coupon away, so that it ends.
 */

static commerce_reason_t
ngx_commerce_order_rules(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t            i, usable;
    commerce_reason_t     reason, noted;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    noted = c->noted;

    do {
        usable = ngx_commerce_order_usable(c);

        c->noted = noted;
        commerce_txn_init(c->txn, c->txn->arena);

        for (i = 0; i < c->order->line_count; i++) {
            c->order->lines[i].credit = -1;
        }

        reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_TOUCHES, NGX_COMMERCE_STAGE_RULES);

        if (reason == COMMERCE_R(OK)) {
            reason = ngx_commerce_coupons_judge(ctx);
        }

        c->again = 1;

    } while (reason == COMMERCE_R(OK) && ngx_commerce_order_usable(c) < usable);

    c->again = 0;

    return reason;
}


static ngx_uint_t
ngx_commerce_order_usable(ngx_commerce_case_t *c)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < c->ncoupons; i++) {
        n += c->coupons[i].reason == COMMERCE_R(OK);
    }

    return n;
}


/* the coupons that passed; their discounts make the order's */

static ngx_uint_t
ngx_commerce_order_uses(ngx_commerce_ctx_t *ctx, commerce_use_request_t *uses)
{
    ngx_uint_t            i, n;
    commerce_order_t     *order;
    ngx_commerce_case_t  *c;

    c = &ctx->c;
    order = c->order;
    order->discount = 0;

    for (i = 0, n = 0; i < c->ncoupons; i++) {

        if (c->coupons[i].reason != COMMERCE_R(OK)) {
            continue;
        }

        uses[n++] = c->coupons[i].use;

        if (c->coupons[i].use.discount < 0) {
            order->discount = -1;

        } else if (order->discount >= 0) {
            order->discount += c->coupons[i].use.discount;
        }
    }

    return n;
}


/* enforce: the first refused coupon refuses the order.  observe: noted, and the order goes on without it */

commerce_reason_t
ngx_commerce_coupons_judge(ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t            i;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    for (i = 0; i < c->ncoupons; i++) {

        if (ctx->over_limit != COMMERCE_R(OK)) {
            c->coupons[i].reason = ctx->over_limit;
        }

        if (ctx->keyless && c->coupons[i].reason == COMMERCE_R(OK)) {
            c->coupons[i].reason = COMMERCE_R(COUPON_ORDER_REQUIRED);
        }

        if (c->coupons[i].reason == COMMERCE_R(OK) || c->coupons[i].told) {
            continue;
        }

        c->coupons[i].told = 1;
        c->coupons[i].reason = ngx_commerce_query_own(ctx, &c->coupons[i]);
        ngx_commerce_order_coupon_detail(c, &c->coupons[i]);

        if (c->mode == NGX_COMMERCE_ENFORCE) {
            return c->coupons[i].reason;
        }

        ngx_commerce_object(ctx, c->coupons[i].reason);
    }

    return COMMERCE_R(OK);
}


/* which coupon was refused: its number if it is one of ours, never its code */

static void
ngx_commerce_order_coupon_detail(ngx_commerce_case_t *c, ngx_commerce_coupon_t *coupon)
{
    u_char  *p;

    ngx_str_null(&c->detail);

    if (!coupon->genuine && coupon->reason != COMMERCE_R(RATE_PREFIX)) {
        return;
    }

    p = ngx_pnalloc(c->request->pool, 2 * NGX_INT32_LEN + 1);

    if (p) {
        c->detail.data = p;

        if (!coupon->genuine) {
            c->detail.len = ngx_sprintf(p, "%ui", (ngx_uint_t) coupon->code.campaign) - p;
            return;
        }

        c->detail.len = ngx_sprintf(p, "%ui/%uD", (ngx_uint_t) coupon->code.campaign, coupon->code.serial) - p;
    }
}


/* a retry: the record decides, not the request.  What it snapshotted goes into the verdict. */

commerce_reason_t
ngx_commerce_order_again(ngx_commerce_ctx_t *ctx, commerce_order_t *existing, uint64_t version)
{
    commerce_ledger_t     ledger;
    commerce_reason_t     reason;
    ngx_commerce_case_t  *c;

    c = &ctx->c;

    reason = ngx_commerce_order_elsewhere(ctx);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    c->order = existing;
    c->attribution = existing->reason;
    c->conduct = existing->conduct;
    c->conduct_denied = existing->conduct_denied;
    c->ncredits = existing->credit_count;
    c->credits = existing->credits;

    c->pseudonym = existing->pseudonym;

    if (c->arrival != COMMERCE_ARRIVAL_RETRY) {
        return COMMERCE_R(OK);
    }

    ngx_commerce_order_ledger(c, &ledger);

    return commerce_ledger_reopen(&ledger, existing, version, c->now + ctx->conf->order->in_flight);
}


/* coupons made elsewhere are found by their codes: the verdict names those that the order has, of a retry, too */

static commerce_reason_t
ngx_commerce_order_elsewhere(ngx_commerce_ctx_t *ctx)
{
    int                        rc;
    ngx_uint_t                 i;
    commerce_imported_t        found;
    ngx_commerce_case_t       *c;
    ngx_commerce_coupon_t     *coupon;
    commerce_imported_code_t   code;

    c = &ctx->c;

    for (i = 0; i < c->ncoupons; i++) {
        coupon = &c->coupons[i];

        if (!coupon->imported || commerce_imported_parse(coupon->text, &code) != NULL) {
            continue;
        }

        rc = commerce_imported_find(&c->reader, ctx->main->ring, &code, &found);

        if (rc == COMMERCE_ERROR) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        if (rc == COMMERCE_OK) {
            coupon->code.campaign = found.campaign;
            coupon->code.serial = found.serial;
        }
    }

    return COMMERCE_R(OK);
}
