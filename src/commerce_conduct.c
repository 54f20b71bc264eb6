/*
 * Copyright (C) ngx_commerce authors
 */

#include "commerce_conduct.h"


static const commerce_reason_t  commerce_conduct_reasons[COMMERCE_CONDUCTS] = {
    COMMERCE_R(SHARE_INCENTIVE), COMMERCE_R(RECRUIT_VELOCITY), COMMERCE_R(BIND_VELOCITY),
    COMMERCE_R(TOUCH_FLOOD), COMMERCE_R(LATE_TOUCH), COMMERCE_R(RECIPROCAL), COMMERCE_R(SELF_PURCHASE),
    COMMERCE_R(DEV_VERSION), COMMERCE_R(CRAWLER), COMMERCE_R(BOT_SUSPECT)
};


const commerce_conduct_policy_t  commerce_conduct_defaults = {
    .actions = {
        COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE,
        COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE,
        COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE, COMMERCE_CONDUCT_OBSERVE,
        COMMERCE_CONDUCT_OBSERVE
    },
    .recruits = { 50, 86400000 },
    .downlines = 5000,
    .binds = { 150, 86400000 },
    .touches = { 600, 60000 },
    .buyer = { 10, 60000 }
};


commerce_reason_t
commerce_conduct_reason(commerce_conduct_t flag)
{
    return commerce_conduct_reasons[flag];
}


int
commerce_conduct_parse(commerce_str_t name, commerce_conduct_t *flag)
{
    char            c;
    size_t          n;
    unsigned        i;
    commerce_str_t  known;

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        known = commerce_reason(commerce_conduct_reasons[i])->name;

        if (name.len != known.len) {
            continue;
        }

        for (n = 0; n < name.len; n++) {
            c = name.data[n];

            if (c >= 'a' && c <= 'z') {
                c = (char) (c - 'a' + 'A');
            }

            if (c != known.data[n]) {
                break;
            }
        }

        if (n == name.len) {
            *flag = i;
            return COMMERCE_OK;
        }
    }

    return COMMERCE_ERROR;
}


void
commerce_conduct_write(commerce_write_t *w, const char *name, unsigned set)
{
    unsigned  i;

    if ((set & COMMERCE_CONDUCT_ALL) == 0) {
        return;
    }

    commerce_write_open(w, name, '[');

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        if (set & COMMERCE_CONDUCT_BIT(i)) {
            commerce_write_text(w, NULL, commerce_reason(commerce_conduct_reasons[i])->name);
        }
    }

    commerce_write_close(w, ']');
}


commerce_str_t
commerce_conduct_text(unsigned set, char out[COMMERCE_CONDUCT_TEXT])
{
    size_t          len;
    unsigned        i;
    commerce_str_t  name;

    len = 0;

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {

        if (!(set & COMMERCE_CONDUCT_BIT(i))) {
            continue;
        }

        name = commerce_reason(commerce_conduct_reasons[i])->name;

        if (len != 0) {
            out[len++] = ',';
        }

        memcpy(out + len, name.data, name.len);
        len += name.len;
    }

    return (commerce_str_t) { out, len };
}


bool
commerce_conduct_too_many(const commerce_rate_t *rate, uint32_t lately)
{
    return rate->limit != 0 && lately >= rate->limit;
}


bool
commerce_conduct_flood(const commerce_conduct_policy_t *policy, uint32_t touches, uint32_t orders)
{
    return orders == 0 && commerce_conduct_too_many(&policy->touches, touches);
}


bool
commerce_conduct_recruits(const commerce_conduct_policy_t *policy, uint32_t lately, int64_t downlines)
{
    return commerce_conduct_too_many(&policy->recruits, lately)
           || (policy->downlines != 0 && downlines >= (int64_t) policy->downlines);
}


bool
commerce_conduct_crowd(const commerce_conduct_policy_t *policy, const commerce_buyer_t *buyer,
    commerce_time_t now)
{
    unsigned         i;
    uint32_t         lately;
    commerce_time_t  since;

    lately = 0;
    since = now - (commerce_time_t) (policy->buyer.period / 1000);

    for (i = 0; i < buyer->seen_count; i++) {
        lately += buyer->seen[i].first > since;
    }

    return commerce_conduct_too_many(&policy->buyer, lately);
}


bool
commerce_conduct_binds(commerce_reason_t reason)
{
    return reason == COMMERCE_R(BIND_NEW) || reason == COMMERCE_R(BIND_STOLEN)
           || reason == COMMERCE_R(BIND_NEW_AFTER_EXPIRY);
}


bool
commerce_conduct_reciprocal(const commerce_person_t *seller, uint64_t buyer, commerce_person_get_t get,
    commerce_conduct_owner_t owner, void *data)
{
    unsigned           i;
    commerce_person_t  person;

    if (buyer == 0 || seller->number == buyer) {
        return false;                   /* who buys from himself is another flag */
    }

    person = *seller;

    for (i = 0; i < COMMERCE_CONDUCT_WALK; i++) {

        if (person.number == buyer || owner(data, &person) == buyer) {
            return true;
        }

        if (person.upline == 0 || commerce_role_salaried(person.role)
            || get(data, person.upline, &person) != COMMERCE_OK)
        {
            return false;
        }
    }

    return false;
}
