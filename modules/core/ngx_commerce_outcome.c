/*
 * Copyright (C) ngx_commerce authors
 *
 * What became of the order: read from the upstream's status and a copy of its JSON, never from what the
 * client got to see.  The filters copy and hold nothing.
 *
 *   refused   no byte was sent on any try; 3xx or 4xx (not 408, 409, 425, 429); JSON that was read whole and
 *             fails json=
 *   accepted  the status of commerce_order_success, and its JSON condition if there is one
 *   unknown   everything else: 5xx, time-out, early close, client gone, encoded or oversize JSON
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_SUCCESS_LIST  256      /* places that a pointer with "*" may lead to */


static ngx_int_t ngx_commerce_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_commerce_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
static ngx_uint_t ngx_commerce_outcome_first(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
static void ngx_commerce_outcome_warn(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
static void ngx_commerce_outcome_collect(ngx_commerce_ctx_t *ctx, ngx_buf_t *b);
static void ngx_commerce_outcome_step(ngx_commerce_ctx_t *ctx, ngx_commerce_step_t *step);
static commerce_step_t ngx_commerce_outcome_answered(ngx_commerce_ctx_t *ctx, ngx_commerce_step_t *step);
static commerce_step_t ngx_commerce_outcome_unanswered(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx);
static commerce_fen_t ngx_commerce_outcome_amount(ngx_commerce_order_conf_t *oc, commerce_json_t *root,
    commerce_str_t pointer);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_commerce_outcome_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_commerce_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_commerce_body_filter;
}


/* from here on the order is with the upstream */

void
ngx_commerce_outcome_open(ngx_commerce_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->c.request;

    ctx->outcome = NGX_COMMERCE_OUTCOME_OPEN;
    ctx->upstream_base = r->upstream_states ? r->upstream_states->nelts : 0;
}


static ngx_int_t
ngx_commerce_header_filter(ngx_http_request_t *r)
{
    ngx_commerce_ctx_t         *ctx;
    ngx_commerce_order_conf_t  *oc;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_commerce_get_ctx(r);

    /* an upstream without a cleanup is done: what goes out now is a file or a page in its place */

    if (ctx == NULL
        || ctx->outcome != NGX_COMMERCE_OUTCOME_OPEN
        || ctx->responded
        || r->upstream == NULL
        || r->upstream->cleanup == NULL
        || r->upstream->headers_in.status_n == 0
        || !ngx_commerce_outcome_first(r, ctx))
    {
        return ngx_http_next_header_filter(r);
    }

    ctx->responded = 1;
    ctx->upstream_status = r->upstream->headers_in.status_n;

    oc = ctx->conf->order;

    if ((oc->success_pointer.len || oc->id.len || oc->payment.len || oc->payable.len || oc->cart_coupons.len
         || oc->lines_answered)
        && !r->header_only
        && (r->headers_out.content_encoding == NULL || r->headers_out.content_encoding->value.len == 0)
        && r->headers_out.content_length_n <= (off_t) oc->answer)
    {
        ctx->collecting = 1;
        r->filter_need_in_memory = 1;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * Is this the answer of the upstream that got the order?  After error_page has replaced it, a redirect may ask
 * another one: its states stand behind an empty one.  It got the order in the first one's place if the method is
 * still the order's and the first one got nothing.
 */

static ngx_uint_t
ngx_commerce_outcome_first(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t                  i, tries, sent;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = ctx->upstream_base, tries = 0, sent = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer) {
            tries++;
            sent |= state[i].bytes_sent > 0;

        } else if (tries && (sent || !ngx_commerce_counts(r))) {
            return 0;
        }
    }

    return tries != 0;
}


static ngx_int_t
ngx_commerce_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_uint_t           last;
    ngx_chain_t         *cl;
    ngx_commerce_ctx_t  *ctx;

    if (r != r->main || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_commerce_get_ctx(r);

    if (ctx == NULL || ctx->outcome != NGX_COMMERCE_OUTCOME_OPEN || !ctx->responded) {
        return ngx_http_next_body_filter(r, in);
    }

    last = 0;

    for (cl = in; cl; cl = cl->next) {

        if (ctx->collecting) {
            ngx_commerce_outcome_collect(ctx, cl->buf);
        }

        last |= cl->buf->last_buf;
    }

    if (last) {
        ctx->collected_all = ctx->collecting;
        ngx_commerce_outcome_finish(r, ctx);
    }

    return ngx_http_next_body_filter(r, in);
}


static void
ngx_commerce_outcome_collect(ngx_commerce_ctx_t *ctx, ngx_buf_t *b)
{
    size_t               size, limit;
    ngx_http_request_t  *r;

    size = b->last - b->pos;

    if (!ngx_buf_in_memory(b) || size == 0) {
        ctx->collecting = ngx_buf_special(b) || size == 0;
        return;
    }

    limit = ctx->conf->order->answer;

    if (size > limit - ctx->collected_len) {
        ctx->collecting = 0;
        return;
    }

    r = ctx->c.request;

    if (ctx->collected == NULL) {
        ctx->collected_size = r->headers_out.content_length_n > 0
                              ? (size_t) r->headers_out.content_length_n : 4096;
        ctx->collected_size = ngx_max(ctx->collected_size, size);
        ctx->collected = ngx_pnalloc(r->pool, ctx->collected_size);

    } else if (ctx->collected_size - ctx->collected_len < size) {
        u_char  *p;

        ctx->collected_size = limit;
        p = ngx_pnalloc(r->pool, ctx->collected_size);

        if (p) {
            ngx_memcpy(p, ctx->collected, ctx->collected_len);
        }

        ctx->collected = p;
    }

    if (ctx->collected == NULL) {
        ctx->collecting = 0;
        return;
    }

    ngx_memcpy(ctx->collected + ctx->collected_len, b->pos, size);
    ctx->collected_len += size;
}


/* at the end of the answer, or of the request: whichever comes first */

void
ngx_commerce_outcome_finish(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    ngx_commerce_step_t  s;

    if (ctx->outcome != NGX_COMMERCE_OUTCOME_OPEN) {
        return;
    }

    ctx->outcome = NGX_COMMERCE_OUTCOME_KNOWN;
    ngx_commerce_outcome_warn(r, ctx);

    ngx_memzero(&s, sizeof(ngx_commerce_step_t));
    s.answer.payable = -1;

    s.step = ctx->responded ? ngx_commerce_outcome_answered(ctx, &s)
                            : ngx_commerce_outcome_unanswered(r, ctx);

    ngx_commerce_outcome_step(ctx, &s);
}


/* the upstream's configuration is known only now, once there is one */

static void
ngx_commerce_outcome_warn(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    if (r->upstream == NULL
        || r->upstream->conf == NULL
        || !(r->upstream->conf->next_upstream & NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT)
        || ctx->main->next_upstream_warned)
    {
        return;
    }

    ctx->main->next_upstream_warned = 1;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "commerce: proxy_next_upstream allows non_idempotent in an order location: "
                  "an order may reach two backends");
}


static void
ngx_commerce_outcome_step(ngx_commerce_ctx_t *ctx, ngx_commerce_step_t *step)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->c.request->connection->log, 0,
                   "commerce: outcome \"%s\"", commerce_step_name(step->step));

    step->shop = ctx->c.shop;
    step->user = ctx->c.order->user;
    step->key = ctx->c.order->key;
    step->attempt = ctx->c.order->in_flight_until;
    step->cart = ctx->c.cart;
    step->named = ctx->named;
    step->nnamed = ctx->nnamed;

    if (ngx_commerce_order_step(step) != NGX_OK) {
        ngx_commerce_complain("an order's outcome was not written, the sweep will look at it");
    }
}


static commerce_step_t
ngx_commerce_outcome_answered(ngx_commerce_ctx_t *ctx, ngx_commerce_step_t *step)
{
    commerce_step_t             said;
    commerce_json_t            *root;
    ngx_commerce_order_conf_t  *oc;

    oc = ctx->conf->order;

    if (ctx->upstream_status != oc->success_status) {
        return ngx_commerce_outcome_status(ctx->upstream_status);
    }

    root = NULL;

    if (ctx->collected_all
        && commerce_json_parse(&ctx->c.arena,
                               (commerce_str_t) { (char *) ctx->collected, ctx->collected_len }, &root)
           != COMMERCE_R(OK))
    {
        root = NULL;
    }

    said = ngx_commerce_outcome_success(oc, root);

    if (said != COMMERCE_STEP_ACCEPTED) {
        return said;
    }

    if (root) {
        ngx_commerce_outcome_facts(ctx, oc, root, &step->answer);
    }

    if (ctx->c.cart != COMMERCE_CART_NONE && (oc->cart_coupons.len || oc->lines_answered)
        && (root == NULL || ngx_commerce_cart_answer(ctx, root, &step->listed) != COMMERCE_R(OK)))
    {
        ngx_log_error(NGX_LOG_ERR, ctx->c.request->connection->log, 0,
                      "commerce: the upstream's answer does not tell the cart's coupons or the order's lines");
        return COMMERCE_STEP_UNKNOWN;
    }

    return COMMERCE_STEP_ACCEPTED;
}


/* the JSON condition; root NULL: not read, or not read whole */

commerce_step_t
ngx_commerce_outcome_success(ngx_commerce_order_conf_t *oc, commerce_json_t *root)
{
    bool              told;
    unsigned          i, n;
    commerce_json_t  *nodes[NGX_COMMERCE_SUCCESS_LIST];

    if (oc->success_pointer.len == 0) {
        return COMMERCE_STEP_ACCEPTED;
    }

    if (root == NULL
        || commerce_json_each(root, oc->success_pointer, nodes, NGX_COMMERCE_SUCCESS_LIST, &n, &told)
           != COMMERCE_R(OK))
    {
        return COMMERCE_STEP_UNKNOWN;
    }

    if (n == 0) {
        return commerce_json_is(NULL, oc->success_word) ? COMMERCE_STEP_ACCEPTED : COMMERCE_STEP_REFUSED;
    }

    for (i = 0; i < n; i++) {
        if (commerce_json_is(nodes[i], oc->success_word)) {
            return COMMERCE_STEP_ACCEPTED;
        }
    }

    return COMMERCE_STEP_REFUSED;
}


commerce_step_t
ngx_commerce_outcome_status(ngx_uint_t status)
{
    if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425
        || status == 429)
    {
        return COMMERCE_STEP_UNKNOWN;
    }

    return COMMERCE_STEP_REFUSED;
}


/* the request ended without an answer of the order's own upstream reaching the filters */

static commerce_step_t
ngx_commerce_outcome_unanswered(ngx_http_request_t *r, ngx_commerce_ctx_t *ctx)
{
    ngx_uint_t                  i, tries, status, sent, another;
    ngx_http_upstream_state_t  *state;

    if (r->upstream && r->upstream->state) {
        r->upstream->state->bytes_sent = r->upstream->peer.connection
                                         ? r->upstream->peer.connection->sent
                                         : r->upstream->state->bytes_sent;
    }

    tries = 0;
    sent = 0;
    status = 0;
    another = 0;

    if (r->upstream_states) {
        state = r->upstream_states->elts;

        for (i = ctx->upstream_base; i < r->upstream_states->nelts; i++) {

            if (state[i].peer == NULL) {
                another |= (tries != 0);    /* what follows is a redirect's */
                continue;
            }

            tries++;

            if (!another) {
                sent |= state[i].bytes_sent > 0;
                status = state[i].status;

            } else if (state[i].bytes_sent > 0 && ngx_commerce_counts(r)) {
                return COMMERCE_STEP_UNKNOWN;   /* a fallback got the order, too */
            }
        }
    }

    /* that a retry was not sent says nothing about the try before it, which may have been */

    if (!sent) {
        return ctx->c.arrival == COMMERCE_ARRIVAL_RETRY ? COMMERCE_STEP_UNKNOWN : COMMERCE_STEP_REFUSED;
    }

    /* an answer that error_page or X-Accel-Redirect replaced: its status is known, its JSON is not */

    return status >= 300 ? ngx_commerce_outcome_status(status) : COMMERCE_STEP_UNKNOWN;
}


void
ngx_commerce_outcome_facts(ngx_commerce_ctx_t *ctx, ngx_commerce_order_conf_t *oc, commerce_json_t *root,
    commerce_answer_t *answer)
{
    commerce_fen_t    freight;
    commerce_json_t  *node;

    if (oc->id.len
        && commerce_json_find(root, oc->id, &node) == COMMERCE_R(OK) && node
        && (commerce_json_text(node, &answer->id) != COMMERCE_R(OK) || !commerce_id_valid(answer->id)))
    {
        ngx_log_error(NGX_LOG_ERR, ctx->c.request->connection->log, 0,
                      "commerce: the upstream's order id is not usable");
        answer->id = commerce_string("");
    }

    if (oc->payment.len
        && commerce_json_find(root, oc->payment, &node) == COMMERCE_R(OK) && node
        && (commerce_json_text(node, &answer->payment) != COMMERCE_R(OK)
            || !commerce_id_valid(answer->payment)))
    {
        ngx_log_error(NGX_LOG_ERR, ctx->c.request->connection->log, 0,
                      "commerce: the upstream's payment id is not usable");
        answer->payment = commerce_string("");
    }

    answer->payable = ngx_commerce_outcome_amount(oc, root, oc->payable);

    if (answer->payable >= 0 && oc->freight.len) {
        freight = ngx_commerce_outcome_amount(oc, root, oc->freight);

        if (freight > 0) {
            answer->freight = ngx_min(freight, answer->payable);
            answer->payable -= answer->freight;
        }
    }
}


static commerce_fen_t
ngx_commerce_outcome_amount(ngx_commerce_order_conf_t *oc, commerce_json_t *root, commerce_str_t pointer)
{
    bool              rounded;
    commerce_fen_t    fen;
    commerce_str_t    text;
    commerce_json_t  *node;

    rounded = false;

    if (pointer.len == 0
        || commerce_json_find(root, pointer, &node) != COMMERCE_R(OK)
        || node == NULL
        || commerce_json_text(node, &text) != COMMERCE_R(OK)
        || commerce_amount_parse(text, oc->unit, &fen, &rounded) != COMMERCE_OK)
    {
        return -1;
    }

    return fen;
}
