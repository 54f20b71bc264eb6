/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_split.h"


typedef struct {
    commerce_split_t        *split;
    const commerce_splits_t *splits;
    commerce_fen_t           amount;        /* of this and the others */
    const commerce_order_t  *order;
    commerce_order_t         payable;       /* the order, without the tier 2 of suspended sellers */
    commerce_balance_t       balance;
    commerce_person_get_t    get;
    void                    *data;
} commerce_split_check_t;


static commerce_reason_t commerce_split_freeze(commerce_split_check_t *check);
static commerce_reason_t commerce_split_payees(commerce_split_check_t *check);
static bool commerce_split_repeated(const commerce_split_t *split, unsigned i);
static commerce_reason_t commerce_split_payee(commerce_split_check_t *check,
    const commerce_split_receiver_t *receiver);
static bool commerce_split_is_tier(const commerce_order_t *order, uint64_t person);
static commerce_reason_t commerce_split_above(commerce_split_check_t *check, uint64_t person);
static bool commerce_split_role(commerce_str_t role);
static commerce_reason_t commerce_split_sums(commerce_split_check_t *check);
static commerce_reason_t commerce_split_shares(commerce_split_check_t *check);
static commerce_fen_t commerce_split_earlier(const commerce_split_check_t *check, uint64_t person);
static commerce_fen_t commerce_split_earlier_tiers(const commerce_split_check_t *check);
static commerce_fen_t commerce_split_due(const commerce_payee_t *payees, unsigned count, uint64_t person);
static commerce_fen_t commerce_split_net(const commerce_split_check_t *check, bool credited);
static bool commerce_split_line_credited(const commerce_order_t *order, int credit);


commerce_reason_t
commerce_split_judge(commerce_split_t *split, const uint8_t content[COMMERCE_FINGERPRINT],
    const commerce_splits_t *splits, const commerce_order_t *order, bool pay_frozen, commerce_person_get_t get, void *data)
{
    unsigned                      i;
    commerce_reason_t             reason;
    commerce_split_check_t        check;
    const commerce_split_past_t  *known;

    check.split = split;
    check.splits = splits;
    check.amount = split->amount;
    check.order = order;
    check.payable = *order;
    check.get = get;
    check.data = data;

    split->receiver = 0;
    known = commerce_splits_find(splits, split->number);

    if (known != NULL && memcmp(known->content, content, COMMERCE_FINGERPRINT) != 0) {
        return COMMERCE_R(SPLIT_KEY_REUSED);
    }

    if (known == NULL && splits->count == COMMERCE_SPLITS_MAX) {
        return COMMERCE_R(SPLIT_LIMIT);
    }

    for (i = 0; i < splits->count; i++) {
        if (&splits->past[i] != known) {
            check.amount += splits->past[i].amount;     /* 51 of at most COMMERCE_FEN_MAX fit */
        }
    }

    reason = pay_frozen ? COMMERCE_R(OK) : commerce_split_freeze(&check);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_split_payees(&check);
    }

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    split->receiver = 0;

    if (!order->paid) {
        return COMMERCE_R(SPLIT_NOT_PAID);
    }

    commerce_refund_balance(order, &check.balance);

    reason = commerce_split_sums(&check);

    if (reason == COMMERCE_R(OK)) {
        reason = commerce_split_shares(&check);
    }

    return reason == COMMERCE_R(OK) && known != NULL ? COMMERCE_R(SPLIT_REPLAY) : reason;
}


/* a suspended seller earns nothing, and nobody earns by him */

static commerce_reason_t
commerce_split_freeze(commerce_split_check_t *check)
{
    int                 rc;
    unsigned            i;
    commerce_person_t   seller;
    commerce_credit_t  *credit;

    for (i = 0; i < check->payable.credit_count; i++) {
        credit = &check->payable.credits[i];

        if (credit->contributor || credit->tier2 == 0) {
            continue;
        }

        rc = check->get(check->data, credit->seller, &seller);

        if (rc == COMMERCE_ERROR) {
            return COMMERCE_R(STORE_UNAVAILABLE);
        }

        if (rc == COMMERCE_OK && seller.status == COMMERCE_PERSON_SUSPENDED) {
            credit->tier2 = 0;
            credit->tier2_id = commerce_string("");
        }
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
commerce_split_payees(commerce_split_check_t *check)
{
    unsigned           i;
    commerce_reason_t  reason;
    commerce_split_t  *split = check->split;

    for (i = 0; i < split->count; i++) {
        split->receiver = i + 1;

        if (commerce_split_repeated(split, i)) {
            return COMMERCE_R(TIER_DUPLICATE_PAYEE);
        }

        reason = commerce_split_payee(check, &split->receivers[i]);
        if (reason != COMMERCE_R(OK)) {
            return reason;
        }
    }

    return COMMERCE_R(OK);
}


/* twice in one request: by account, or as one person under two of his names */

static bool
commerce_split_repeated(const commerce_split_t *split, unsigned i)
{
    unsigned                          k;
    const commerce_split_receiver_t  *a, *b;

    a = &split->receivers[i];

    for (k = 0; k < i; k++) {
        b = &split->receivers[k];

        if (commerce_equal(a->account, b->account)
            || (a->known && b->known && a->person.number == b->person.number))
        {
            return true;
        }
    }

    return false;
}


static commerce_reason_t
commerce_split_payee(commerce_split_check_t *check, const commerce_split_receiver_t *receiver)
{
    commerce_reason_t         reason;
    const commerce_person_t  *person = &receiver->person;

    if (!receiver->known) {
        return commerce_split_role(receiver->role) ? COMMERCE_R(OK) : COMMERCE_R(SPLIT_PAYEE_UNDECLARED);
    }

    if (commerce_split_is_tier(check->order, person->number)) {
        return person->status == COMMERCE_PERSON_SUSPENDED
               || !commerce_split_is_tier(&check->payable, person->number)
               ? COMMERCE_R(TIER_FROZEN) : COMMERCE_R(OK);
    }

    reason = commerce_split_above(check, person->number);
    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    /* of people whom the directory knows, it tells the role: a body cannot talk a seller into one */

    return commerce_role_salaried(person->role) || person->role == COMMERCE_ROLE_AGENCY
           || person->role == COMMERCE_ROLE_DEALER
           ? COMMERCE_R(OK) : COMMERCE_R(SPLIT_PAYEE_UNDECLARED);
}


static bool
commerce_split_is_tier(const commerce_order_t *order, uint64_t person)
{
    unsigned                  i;
    const commerce_credit_t  *credit;

    for (i = 0; i < order->credit_count; i++) {
        credit = &order->credits[i];

        if (!credit->contributor && (credit->seller == person || credit->tier2 == person)) {
            return true;
        }
    }

    return false;
}


/*
 * Does he stand above a credited seller, or above his tier 2 of then, who may have moved since?  What is recorded
 * above the salaried is organisation.
 */

static commerce_reason_t
commerce_split_above(commerce_split_check_t *check, uint64_t person)
{
    int                rc;
    unsigned           i, steps;
    uint64_t           number;
    commerce_person_t  p;

    for (i = 0; i < 2 * check->order->credit_count; i++) {

        if (check->order->credits[i / 2].contributor) {
            continue;
        }

        number = i % 2 == 0 ? check->order->credits[i / 2].seller : check->order->credits[i / 2].tier2;

        for (steps = 0; number != 0 && steps < COMMERCE_LINEAGE_WALK; steps++) {

            rc = check->get(check->data, number, &p);

            if (rc == COMMERCE_ERROR) {
                return COMMERCE_R(STORE_UNAVAILABLE);
            }

            number = rc == COMMERCE_OK && !commerce_role_salaried(p.role) ? p.upline : 0;

            if (number == person) {
                return COMMERCE_R(TIER3_PRESENT);
            }
        }
    }

    return COMMERCE_R(OK);
}


static bool
commerce_split_role(commerce_str_t role)
{
    unsigned  i;

    static const char *const  roles[] = {       /* COMMERCE_SPLIT_ROLES */
        "platform", "merchant", "agency", "dealer", "staff", "service_provider"
    };

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (commerce_equal(role, commerce_cstr(roles[i]))) {
            return true;
        }
    }

    return false;
}


/* everybody together, against what the order has brought */

static commerce_reason_t
commerce_split_sums(commerce_split_check_t *check)
{
    commerce_fen_t             left;
    const commerce_balance_t  *balance = &check->balance;

    if (balance->total < 0 || check->amount > balance->total) {
        return COMMERCE_R(SPLIT_SUM_EXCEEDS_ORDER);
    }

    left = balance->total - balance->refunded_goods - balance->refunded_rest;

    if (check->order->state == COMMERCE_ORDER_CANCELLED || check->amount > left) {
        return COMMERCE_R(SPLIT_AFTER_REFUND);
    }

    return COMMERCE_R(OK);
}


static commerce_reason_t
commerce_split_shares(commerce_split_check_t *check)
{
    unsigned                          i, count;
    commerce_fen_t                    tiers, cap;
    commerce_payee_t                  payees[COMMERCE_PAYEES_MAX];
    const commerce_terms_t           *terms = &check->order->terms;
    const commerce_split_receiver_t  *receiver;

    count = commerce_commission_payees(&check->payable, &check->balance, payees);
    tiers = commerce_split_earlier_tiers(check);

    for (i = 0; i < check->split->count; i++) {
        receiver = &check->split->receivers[i];

        if (!receiver->known || !commerce_split_is_tier(check->order, receiver->person.number)) {
            continue;
        }

        tiers += receiver->amount;

        if (terms->plan != 0
            && receiver->amount + commerce_split_earlier(check, receiver->person.number)
               > commerce_split_due(payees, count, receiver->person.number))
        {
            check->split->receiver = i + 1;
            return COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP);
        }
    }

    if (terms->plan == 0) {

        /* a commission that a platform pays is not paid once more, plan or not */

        cap = terms->platform.len != 0 && !terms->double_pay ? 0 : COMMERCE_COMMISSION_CAP;

        return (__int128) tiers * 10000 > (__int128) commerce_split_net(check, true) * cap
               ? COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP) : COMMERCE_R(OK);
    }

    return terms->cap_all
           && (__int128) check->amount * 10000 > (__int128) commerce_split_net(check, false) * terms->cap
           ? COMMERCE_R(SPLIT_SUM_EXCEEDS_CAP) : COMMERCE_R(OK);
}


/* what the order's other splits paid him */

static commerce_fen_t
commerce_split_earlier(const commerce_split_check_t *check, uint64_t person)
{
    unsigned                      i, k;
    commerce_fen_t                sum;
    const commerce_split_past_t  *past;

    sum = 0;

    for (i = 0; i < check->splits->count; i++) {
        past = &check->splits->past[i];

        if (commerce_equal(past->number, check->split->number)) {
            continue;
        }

        for (k = 0; k < past->share_count; k++) {
            if (past->shares[k].person == person) {
                sum += past->shares[k].amount;
            }
        }
    }

    return sum;
}


/* ... and to all who were tiers when they went on */

static commerce_fen_t
commerce_split_earlier_tiers(const commerce_split_check_t *check)
{
    unsigned                      i, k;
    commerce_fen_t                sum;
    const commerce_split_past_t  *past;

    sum = 0;

    for (i = 0; i < check->splits->count; i++) {
        past = &check->splits->past[i];

        for (k = 0; k < past->share_count && !commerce_equal(past->number, check->split->number); k++) {
            sum += past->shares[k].amount;
        }
    }

    return sum;
}


/* in both tiers; what nobody knows is nothing */

static commerce_fen_t
commerce_split_due(const commerce_payee_t *payees, unsigned count, uint64_t person)
{
    unsigned        i;
    commerce_fen_t  due;

    due = 0;

    for (i = 0; i < count; i++) {
        if (payees[i].person == person && payees[i].amount > 0) {
            due += payees[i].amount;
        }
    }

    return due;
}


/* what the lines have brought until now: all of them, or those that somebody is credited with */

static commerce_fen_t
commerce_split_net(const commerce_split_check_t *check, bool credited)
{
    unsigned                   i;
    commerce_fen_t             net;
    const commerce_order_t    *order = check->order;
    const commerce_balance_t  *balance = &check->balance;

    if (order->line_count == 0) {
        return balance->goods > balance->refunded_goods ? balance->goods - balance->refunded_goods : 0;
    }

    net = 0;

    for (i = 0; i < order->line_count; i++) {

        if (balance->net[i] > 0 && (!credited || commerce_split_line_credited(order, order->lines[i].credit))) {
            net += balance->net[i];
        }
    }

    return net;
}


static bool
commerce_split_line_credited(const commerce_order_t *order, int credit)
{
    return credit >= 0 && (unsigned) credit < order->credit_count && order->credits[credit].seller != 0;
}


commerce_split_past_t *
commerce_splits_find(const commerce_splits_t *splits, commerce_str_t number)
{
    unsigned  i;

    for (i = 0; i < splits->count; i++) {
        if (commerce_equal(splits->past[i].number, number)) {
            return &splits->past[i];
        }
    }

    return NULL;
}


int
commerce_splits_add(commerce_arena_t *arena, commerce_splits_t *splits, const commerce_split_t *split,
    const uint8_t content[COMMERCE_FINGERPRINT], const commerce_order_t *order, commerce_time_t now)
{
    unsigned                          i;
    commerce_split_past_t            *past;
    const commerce_split_receiver_t  *receiver;

    past = commerce_splits_find(splits, split->number);

    if (past != NULL) {
        past->tries++;
        return COMMERCE_OK;
    }

    past = commerce_alloc(arena, (splits->count + 1) * sizeof(commerce_split_past_t));
    if (past == NULL) {
        return COMMERCE_ERROR;
    }

    if (splits->count != 0) {
        memcpy(past, splits->past, splits->count * sizeof(commerce_split_past_t));
    }

    splits->past = past;
    past += splits->count;

    *past = (commerce_split_past_t) {
        .number = split->number, .time = now, .tries = 1, .amount = split->amount
    };

    memcpy(past->content, content, COMMERCE_FINGERPRINT);

    past->shares = commerce_alloc(arena, (split->count + 1) * sizeof(commerce_split_share_t));
    if (past->shares == NULL) {
        return COMMERCE_ERROR;
    }

    for (i = 0; i < split->count; i++) {
        receiver = &split->receivers[i];

        if (receiver->known && commerce_split_is_tier(order, receiver->person.number)) {
            past->shares[past->share_count++] = (commerce_split_share_t) {
                .person = receiver->person.number, .amount = receiver->amount
            };
        }
    }

    splits->count++;

    return COMMERCE_OK;
}


bool
commerce_splits_release(commerce_splits_t *splits, commerce_str_t number)
{
    size_t                  rest;
    commerce_split_past_t  *past;

    past = commerce_splits_find(splits, number);

    if (past == NULL) {
        return false;
    }

    rest = (size_t) (splits->past + splits->count - (past + 1));
    memmove(past, past + 1, rest * sizeof(commerce_split_past_t));
    splits->count--;

    return true;
}
