/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_split: a request that tells a platform to pay people out of an order is judged before the platform sees
 * it.  The rules are src/commerce_split.h.
 */

#include "ngx_http_commerce_distribution.h"
#include "../../src/commerce_split.h"
#include "../../src/commerce_write.h"


typedef struct {
    ngx_commerce_source_t  order, transaction;  /* one of them */
    commerce_split_map_t   map;
    ngx_uint_t             pay_frozen;
    unsigned               order_set:1;         /* one of both is configured */
    unsigned               unit_set:1;
    unsigned               frozen_set:1;
} ngx_http_commerce_split_conf_t;

typedef struct {
    size_t                 len;
    char                   data[COMMERCE_ID_MAX];
} ngx_http_commerce_split_name_t;

typedef struct {                            /* which split, for later */
    ngx_http_commerce_split_name_t  user, key, number;
} ngx_http_commerce_split_undo_t;


static commerce_reason_t ngx_http_commerce_split(ngx_commerce_case_t *c, void *conf);
static commerce_reason_t ngx_http_commerce_split_verdict(ngx_commerce_case_t *c,
    ngx_http_commerce_split_conf_t *sc, commerce_split_t *split, commerce_order_t *order);
static commerce_reason_t ngx_http_commerce_split_order(ngx_commerce_case_t *c,
    ngx_http_commerce_split_conf_t *sc, commerce_order_t *order, uint64_t *version);
static int ngx_http_commerce_split_paid(ngx_commerce_case_t *c, commerce_str_t transaction, commerce_order_t *order,
    uint64_t *version, ngx_uint_t *several);
static commerce_reason_t ngx_http_commerce_split_people(ngx_commerce_case_t *c, commerce_split_t *split);
static commerce_reason_t ngx_http_commerce_split_person(ngx_commerce_case_t *c,
    commerce_split_receiver_t *receiver);
static commerce_reason_t ngx_http_commerce_split_content(ngx_commerce_case_t *c, commerce_split_t *split,
    uint8_t content[32]);
static commerce_reason_t ngx_http_commerce_split_undo(ngx_commerce_case_t *c, commerce_split_t *split,
    commerce_order_t *order);
static void ngx_http_commerce_split_name(ngx_http_commerce_split_name_t *name, commerce_str_t text);
static commerce_reason_t ngx_http_commerce_split_release(commerce_ledger_t *ledger, void *data);
static void ngx_http_commerce_split_refused(ngx_commerce_case_t *c, commerce_split_t *split,
    commerce_order_t *order, commerce_reason_t reason);

static char *ngx_http_commerce_split_word(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_split_conf_t *sc);
static char *ngx_http_commerce_split_source(ngx_conf_t *cf, ngx_str_t *word, size_t prefix,
    ngx_commerce_source_t *source);
static char *ngx_http_commerce_split_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_uint_t many,
    commerce_str_t *pointer);
static char *ngx_http_commerce_split_complete(ngx_conf_t *cf, ngx_http_commerce_split_conf_t *sc);


#define NGX_HTTP_COMMERCE_SPLIT_WORDS                                                                              \
    "order=, transaction=, receivers=, account=, amount=, role=, number=, third=, unit=fen, unit=yuan, "           \
    "frozen_tier2=deny, frozen_tier2=pay"


/* commerce_split's check: a split that goes on is told of by the ledger, a refused one here */

static commerce_reason_t
ngx_http_commerce_split(ngx_commerce_case_t *c, void *conf)
{
    commerce_order_t   order;
    commerce_split_t  *split;
    commerce_reason_t  reason;

    split = commerce_alloc(&c->arena, sizeof(commerce_split_t));
    if (split == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    ngx_memzero(split, sizeof(commerce_split_t));
    ngx_memzero(&order, sizeof(commerce_order_t));

    reason = ngx_http_commerce_split_verdict(c, conf, split, &order);

    if (commerce_reason(reason)->class == COMMERCE_CLASS_DENY) {
        ngx_http_commerce_split_refused(c, split, &order, reason);

    } else {
        ngx_http_commerce_distribution_core->note_reason(c, reason);
    }

    return reason;
}


static commerce_reason_t
ngx_http_commerce_split_verdict(ngx_commerce_case_t *c, ngx_http_commerce_split_conf_t *sc, commerce_split_t *split,
    commerce_order_t *order)
{
    uint64_t           version = 0;
    uint8_t            content[32];
    commerce_ledger_t  ledger;
    commerce_reason_t  reason;

    if (c->body == NULL) {
        return COMMERCE_R(SPLIT_MALFORMED);
    }

    reason = commerce_split_read(c->body, &sc->map, split);

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_split_order(c, sc, order, &version);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_split_people(c, split);
    }

    if (reason == COMMERCE_R(OK)) {
        reason = ngx_http_commerce_split_content(c, split, content);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    ngx_http_commerce_distribution_core->ledger(c, &ledger);

    reason = commerce_ledger_split(&ledger, order, version, split, content, sc->pay_frozen,
                                   ngx_http_commerce_get_person, c);

    return reason == COMMERCE_R(OK) ? ngx_http_commerce_split_undo(c, split, order) : reason;
}


/* the same number again has to pay the same people the same */

static commerce_reason_t
ngx_http_commerce_split_content(ngx_commerce_case_t *c, commerce_split_t *split, uint8_t content[32])
{
    u_char                     *text, *p;
    size_t                      size;
    ngx_uint_t                  i;
    commerce_split_receiver_t  *receiver;

    size = split->count * (2 * COMMERCE_ID_MAX + NGX_INT64_LEN + 3);

    text = commerce_alloc(&c->arena, size);
    if (text == NULL) {
        return COMMERCE_R(INTERNAL);
    }

    p = text;

    for (i = 0; i < split->count; i++) {
        receiver = &split->receivers[i];

        p = ngx_slprintf(p, text + size, "%*s\x1f%*s\x1f%L\n", receiver->account.len, receiver->account.data,
                         ngx_min(receiver->role.len, COMMERCE_ID_MAX), receiver->role.data, receiver->amount);
    }

    return commerce_keyring_sha256(ngx_http_commerce_distribution_core->keyring(c), text, p - text, content)
           == COMMERCE_OK ? COMMERCE_R(OK) : COMMERCE_R(INTERNAL);
}


/* its first try: if nobody gets it, or the platform refuses it, it does not count */

static commerce_reason_t
ngx_http_commerce_split_undo(ngx_commerce_case_t *c, commerce_split_t *split, commerce_order_t *order)
{
    ngx_http_commerce_split_undo_t  undo;

    ngx_http_commerce_split_name(&undo.user, order->user);
    ngx_http_commerce_split_name(&undo.key, order->key);
    ngx_http_commerce_split_name(&undo.number, split->number);

    return ngx_http_commerce_distribution_core->undo(c, ngx_http_commerce_split_release, &undo, sizeof(undo)) == NGX_OK
           ? COMMERCE_R(OK) : COMMERCE_R(INTERNAL);
}


static void
ngx_http_commerce_split_name(ngx_http_commerce_split_name_t *name, commerce_str_t text)
{
    name->len = ngx_min(text.len, COMMERCE_ID_MAX);
    ngx_memcpy(name->data, text.data, name->len);
}


/* a second try that began meanwhile may have reached the platform: then it counts */

static commerce_reason_t
ngx_http_commerce_split_release(commerce_ledger_t *ledger, void *data)
{
    ngx_http_commerce_split_undo_t  *undo = data;

    return commerce_ledger_split_release(ledger, (commerce_str_t) { undo->user.data, undo->user.len },
                                         (commerce_str_t) { undo->key.data, undo->key.len },
                                         (commerce_str_t) { undo->number.data, undo->number.len }, 1,
                                         commerce_string("answer"));
}


static commerce_reason_t
ngx_http_commerce_split_order(ngx_commerce_case_t *c, ngx_http_commerce_split_conf_t *sc, commerce_order_t *order,
    uint64_t *version)
{
    int                     rc;
    ngx_uint_t              several;
    commerce_str_t          number;
    commerce_reason_t       reason;
    ngx_commerce_source_t  *source;

    source = sc->order.type ? &sc->order : &sc->transaction;
    reason = ngx_http_commerce_distribution_core->read(c, source, &number);

    if (reason == COMMERCE_R(TOKEN_DUPLICATE_PARAM)
        || (reason == COMMERCE_R(OK) && !commerce_id_valid(number)))
    {
        return COMMERCE_R(ORDER_KEY_MALFORMED);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    if (c->reader.view == NULL) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    several = 0;

    rc = sc->order.type ? commerce_order_find(&c->reader, number, order, version)
                        : ngx_http_commerce_split_paid(c, number, order, version, &several);

    return several ? COMMERCE_R(ORDER_AMBIGUOUS)
           : rc == COMMERCE_OK ? COMMERCE_R(OK)
           : rc == COMMERCE_ABSENT ? COMMERCE_R(ORDER_NOT_FOUND)
           : COMMERCE_R(STORE_UNAVAILABLE);
}


/* the order that this transaction paid: one that paid several is not known to be split for which */

static int
ngx_http_commerce_split_paid(ngx_commerce_case_t *c, commerce_str_t transaction, commerce_order_t *order,
    uint64_t *version, ngx_uint_t *several)
{
    int                           rc;
    commerce_payment_t            payment;
    commerce_transaction_owner_t  owner;

    rc = commerce_transaction_read(&c->reader, transaction, &owner, NULL);

    if (rc != COMMERCE_OK || owner.payment.len == 0) {
        return rc == COMMERCE_OK ? commerce_order_read(&c->reader, owner.user, owner.key, order, version) : rc;
    }

    rc = commerce_payment_read(&c->reader, owner.payment, &payment, NULL);

    if (rc != COMMERCE_OK || payment.order_count == 0) {
        return rc == COMMERCE_OK ? COMMERCE_ABSENT : rc;
    }

    *several = payment.order_count > 1;

    return commerce_order_read(&c->reader, payment.orders[0].user, payment.orders[0].key, order, version);
}


static commerce_reason_t
ngx_http_commerce_split_people(ngx_commerce_case_t *c, commerce_split_t *split)
{
    ngx_uint_t         i;
    commerce_reason_t  reason;

    for (i = 0; i < split->count; i++) {

        reason = ngx_http_commerce_split_person(c, &split->receivers[i]);

        if (reason != COMMERCE_R(OK)) {
            split->receiver = i + 1;
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


/* an account is a buyer's identity, or a seller's id; of two different people it is nobody's */

static commerce_reason_t
ngx_http_commerce_split_person(ngx_commerce_case_t *c, commerce_split_receiver_t *receiver)
{
    int                by_user, by_id;
    commerce_person_t  other;

    by_user = commerce_person_of_user(&c->reader, receiver->account, &receiver->person, NULL);
    by_id = commerce_person_find(&c->reader, receiver->account, &other, NULL);

    if (by_user == COMMERCE_ERROR || by_id == COMMERCE_ERROR) {
        return COMMERCE_R(STORE_UNAVAILABLE);
    }

    if (by_user == COMMERCE_OK && by_id == COMMERCE_OK && receiver->person.number != other.number) {
        return COMMERCE_R(SPLIT_PAYEE_UNDECLARED);
    }

    if (by_user != COMMERCE_OK && by_id == COMMERCE_OK) {
        receiver->person = other;
    }

    receiver->known = by_user == COMMERCE_OK || by_id == COMMERCE_OK;

    return COMMERCE_R(OK);
}


/* a refused one changes nothing; receivers are told by their place: accounts are openids */

static void
ngx_http_commerce_split_refused(ngx_commerce_case_t *c, commerce_split_t *split, commerce_order_t *order,
    commerce_reason_t reason)
{
    commerce_write_t            w;
    commerce_split_receiver_t  *receiver;

    if (ngx_http_commerce_distribution_core->event_start(c, &w, "split_check") != NGX_OK) {
        return;
    }

    commerce_write_optional(&w, "order_key", order->key);
    commerce_write_optional(&w, "order_id", order->id);
    commerce_write_optional(&w, "number", split->number);

    if (split->count) {
        commerce_write_int(&w, "receivers", split->count);
        commerce_write_int(&w, "amount", split->amount);
    }

    if (split->receiver) {
        receiver = &split->receivers[split->receiver - 1];

        commerce_write_int(&w, "receiver", split->receiver);
        commerce_write_optional(&w, "seller", receiver->known ? receiver->person.id : commerce_string(""));
    }

    commerce_write_text(&w, "reason", commerce_reason(reason)->name);
    (void) ngx_http_commerce_distribution_core->event_plain(c, &w);
}


/* configuration */

char *
ngx_http_commerce_split_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_commerce_split_conf_t  *sc;

    sc = ngx_pcalloc(cf->pool, sizeof(ngx_http_commerce_split_conf_t));
    if (sc == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "wechat") == 0) {
        sc->map.wechat = 1;
        sc->map.receivers = commerce_string("/receivers");
        sc->map.account = commerce_string("/account");
        sc->map.amount = commerce_string("/amount");
        sc->map.number = commerce_string("/out_order_no");

    } else if (ngx_strcmp(value[1].data, "json") != 0) {
        return ngx_http_commerce_distribution_core->invalid(cf, &value[1], "wechat, json");
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_commerce_split_word(cf, &value[i], sc);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_commerce_split_complete(cf, sc);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_commerce_distribution_core->check(cf, ngx_http_commerce_split, sc) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_commerce_split_word(ngx_conf_t *cf, ngx_str_t *word, ngx_http_commerce_split_conf_t *sc)
{
    size_t      len;
    ngx_uint_t  i;

    struct {
        const char      *name;
        commerce_str_t  *pointer;
    } pointers[] = {
        { "receivers=", &sc->map.receivers },
        { "account=", &sc->map.account },
        { "amount=", &sc->map.amount },
        { "role=", &sc->map.role },
        { "number=", &sc->map.number }
    };

    if (ngx_strncmp(word->data, "order=", 6) == 0 || ngx_strncmp(word->data, "transaction=", 12) == 0) {

        if (sc->order_set) {
            return "takes one of order= and transaction=, once";
        }

        sc->order_set = 1;

        return word->data[0] == 'o' ? ngx_http_commerce_split_source(cf, word, 6, &sc->order)
                                    : ngx_http_commerce_split_source(cf, word, 12, &sc->transaction);
    }

    if (ngx_strncmp(word->data, "third=", 6) == 0) {

        if (sc->map.third_count == COMMERCE_SPLIT_THIRD_MAX) {
            return "takes at most 4 third=";
        }

        return ngx_http_commerce_split_pointer(cf, word, 6, 1, &sc->map.third[sc->map.third_count++]);
    }

    if (ngx_strncmp(word->data, "unit=", 5) == 0 && !sc->unit_set && !sc->map.wechat) {
        sc->unit_set = 1;

        if (ngx_strcmp(word->data + 5, "yuan") == 0) {
            sc->map.unit = COMMERCE_UNIT_YUAN;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(word->data + 5, "fen") == 0) {
            return NGX_CONF_OK;
        }
    }

    if (ngx_strncmp(word->data, "frozen_tier2=", 13) == 0 && !sc->frozen_set) {
        sc->frozen_set = 1;

        if (ngx_strcmp(word->data + 13, "pay") == 0) {
            sc->pay_frozen = 1;
            return NGX_CONF_OK;
        }

        if (ngx_strcmp(word->data + 13, "deny") == 0) {
            return NGX_CONF_OK;
        }
    }

    for (i = 0; i < sizeof(pointers) / sizeof(pointers[0]) && !sc->map.wechat; i++) {
        len = ngx_strlen(pointers[i].name);

        if (ngx_strncmp(word->data, pointers[i].name, len) == 0 && pointers[i].pointer->len == 0) {
            return ngx_http_commerce_split_pointer(cf, word, len, 0, pointers[i].pointer);
        }
    }

    return ngx_http_commerce_distribution_core->invalid(cf, word,
               sc->map.wechat ? "order=, transaction=, third=, frozen_tier2=deny, frozen_tier2=pay"
                              : NGX_HTTP_COMMERCE_SPLIT_WORDS);
}


static char *
ngx_http_commerce_split_source(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_commerce_source_t *source)
{
    ngx_str_t  s;

    s.data = word->data + prefix;
    s.len = word->len - prefix;

    return ngx_http_commerce_distribution_core->source(cf, &s, NGX_COMMERCE_SOURCE_VALUE|NGX_COMMERCE_SOURCE_BODY,
                                                       source);
}


static char *
ngx_http_commerce_split_pointer(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, ngx_uint_t many,
    commerce_str_t *pointer)
{
    pointer->data = (char *) word->data + prefix;
    pointer->len = word->len - prefix;

    if (pointer->len == 0 || !commerce_json_pointer_valid(*pointer)
        || (!many && commerce_json_pointer_many(*pointer)))
    {
        return ngx_http_commerce_distribution_core->invalid(cf, word,
                   many ? "a JSON pointer such as third=/receivers/*/third_leader"
                        : "a JSON pointer such as account=/openid");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_commerce_split_complete(ngx_conf_t *cf, ngx_http_commerce_split_conf_t *sc)
{
    ngx_str_t  word = ngx_string("transaction=json:/transaction_id");

    if (sc->map.wechat && !sc->order_set) {
        return ngx_http_commerce_split_source(cf, &word, sizeof("transaction=") - 1, &sc->transaction);
    }

    if (!sc->order_set) {
        return "needs order= or transaction=, for example order=json:/order_no";
    }

    return sc->map.receivers.len && sc->map.account.len && sc->map.amount.len && sc->map.number.len
           ? NGX_CONF_OK
           : "json needs receivers=, account=, amount= and number=, for example receivers=/receivers account=/openid "
             "amount=/fen number=/split_no";
}
