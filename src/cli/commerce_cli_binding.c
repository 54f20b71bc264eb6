/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce buyer show | rebind | merge: whose buyer somebody is, and since when.
 *
 * A rebind and a merge are written as nginx writes what a touch does: the record, the history and a bind event in
 * one transaction.  Orders that were placed before keep their seller.
 */

#include "commerce_cli.h"

#define BINDING_VALIDITY   30           /* days, as commerce_binding's defaults */
#define BINDING_PROTECT    15
#define BINDING_DAYS_MAX   36500
#define BINDING_EVENT      4096
#define BINDING_DAY        86400
#define BINDING_TEXT_MAX   1048576


typedef struct {
    commerce_str_t              user;       /* under which the record stands */
    commerce_str_t              seller;     /* empty: the house */
    commerce_binding_policy_t   policy;
    commerce_event_source_t     events;
    commerce_time_t             now;
    commerce_binding_t          binding;    /* what became of it */
} rebind_t;

typedef struct {
    commerce_str_t           kept, other;   /* as they were given */
    commerce_event_source_t  events;
    commerce_time_t          now;
    commerce_reason_t        reason;
    commerce_str_t           seller;        /* the owner then */
} merge_t;


static int rebind_options(commerce_cli_t *cli, int argc, char **argv, rebind_t *rebind);
static int binding_days(commerce_cli_t *cli, const char *text, int64_t *seconds);
static int rebind_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int merge_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static void merge_touches(commerce_buyer_t *kept, const commerce_buyer_t *other);
static int binding_resolve(commerce_cli_t *cli, commerce_str_t *user, commerce_buyer_t *buyer, uint64_t *version);
static int binding_tell(commerce_cli_t *cli, commerce_txn_t *txn, commerce_event_source_t *events,
    commerce_str_t user, const commerce_buyer_t *buyer, const commerce_binding_t *before, commerce_reason_t reason,
    commerce_time_t now);
static int binding_id(commerce_cli_t *cli, uint64_t number, commerce_str_t *id);
static int show_buyer(commerce_cli_t *cli, commerce_write_t *w, commerce_str_t user, commerce_time_t now);
static int show_binding(commerce_cli_t *cli, commerce_write_t *w, const commerce_binding_t *binding,
    commerce_time_t now);
static int show_touches(commerce_cli_t *cli, commerce_write_t *w, const commerce_buyer_t *buyer,
    commerce_time_t now);
static int show_history(commerce_cli_t *cli, commerce_write_t *w, commerce_str_t user);
static int show_person(commerce_cli_t *cli, commerce_write_t *w, const char *name, uint64_t number);


int
commerce_cli_buyer_show(commerce_cli_t *cli, int argc, char **argv)
{
    char              *buffer;
    int64_t            len;
    commerce_str_t     user;
    commerce_time_t    now;
    commerce_write_t   w;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_id(cli, "user", argv[1], &user) != COMMERCE_CLI_OK
        || commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_now(cli, &now) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    buffer = commerce_alloc(cli->arena, BINDING_TEXT_MAX);
    if (buffer == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    commerce_write_start(&w, buffer, BINDING_TEXT_MAX);
    commerce_write_open(&w, NULL, '{');

    if (show_buyer(cli, &w, user, now) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    commerce_write_close(&w, '}');
    len = commerce_write_finish(&w);

    if (len < 0) {
        return commerce_cli_fail(cli, "this buyer's history is too long to be shown");
    }

    fprintf(cli->out, "%.*s\n", (int) len, buffer);

    return COMMERCE_CLI_OK;
}


static int
show_buyer(commerce_cli_t *cli, commerce_write_t *w, commerce_str_t user, commerce_time_t now)
{
    int               rc;
    commerce_str_t    first;
    commerce_buyer_t  buyer;

    first = user;
    rc = commerce_buyer_resolve(&cli->reader, &first, &buyer, NULL);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "buyer", first);
    }

    commerce_write_text(w, "user", user);

    if (!commerce_equal(first, user)) {
        commerce_write_text(w, "canonical", first);
    }

    rc = show_binding(cli, w, &buyer.binding, now);

    if (rc == COMMERCE_CLI_OK) {
        rc = show_touches(cli, w, &buyer, now);
    }

    return rc == COMMERCE_CLI_OK ? show_history(cli, w, first) : rc;
}


/* by the clock: what the owner is doing depends on commerce_binding, and stands beside it */
static int
show_binding(commerce_cli_t *cli, commerce_write_t *w, const commerce_binding_t *binding, commerce_time_t now)
{
    commerce_person_t  owner;

    commerce_write_open(w, "binding", '{');
    commerce_write_text(w, "state", commerce_cstr(commerce_binding_state_name(commerce_binding_state(binding, now))));

    if (binding->owner != 0) {

        if (show_person(cli, w, "owner", binding->owner) != COMMERCE_CLI_OK
            || commerce_person_read(&cli->reader, binding->owner, &owner, NULL) != COMMERCE_OK)
        {
            return COMMERCE_CLI_FAILED;
        }

        commerce_write_text(w, "owner_status", commerce_cstr(commerce_person_status_name(owner.status)));
        commerce_cli_write_time(w, "start", binding->start);
        commerce_cli_write_time(w, "protected_until", commerce_binding_protected_until(binding));
        commerce_cli_write_time(w, "end", commerce_binding_end(binding));
    }

    if (binding->renewed > binding->start) {
        commerce_cli_write_time(w, "renewed", binding->renewed);
    }

    if (binding->extended != 0) {
        commerce_cli_write_time(w, "extended_until", binding->extended);
    }

    if (show_person(cli, w, "origin", binding->origin) != COMMERCE_CLI_OK
        || show_person(cli, w, "previous", binding->previous) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    commerce_write_close(w, '}');

    return COMMERCE_CLI_OK;
}


static int
show_touches(commerce_cli_t *cli, commerce_write_t *w, const commerce_buyer_t *buyer, commerce_time_t now)
{
    unsigned                 i;
    commerce_time_t          until;
    const commerce_touch_t  *touch;

    commerce_write_open(w, "touches", '[');

    for (i = COMMERCE_SOURCE_NONE + 1; i < COMMERCE_SOURCES; i++) {
        touch = &buyer->last[i];

        if (touch->source == COMMERCE_SOURCE_NONE) {
            continue;
        }

        commerce_write_open(w, NULL, '{');
        commerce_write_text(w, "source", commerce_cstr(commerce_source_name(touch->source)));
        commerce_write_text(w, "strength", commerce_cstr(commerce_strength_name(touch->strength)));

        if (show_person(cli, w, "seller", touch->seller) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }

        commerce_cli_write_time(w, "first", touch->first);

        if (touch->lookback == COMMERCE_FOREVER || __builtin_add_overflow(touch->first, touch->lookback, &until)) {
            until = COMMERCE_FOREVER;
        }

        commerce_cli_write_time(w, "wins_until", until);
        commerce_write_bool(w, "live", commerce_touch_live(touch, now));
        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return COMMERCE_CLI_OK;
}


static int
show_history(commerce_cli_t *cli, commerce_write_t *w, commerce_str_t user)
{
    int                 rc;
    commerce_time_t     after;
    commerce_history_t  entry;

    commerce_write_open(w, "history", '[');

    for (after = -1; (rc = commerce_history_next(&cli->reader, user, after, &entry)) == COMMERCE_OK; after = entry.at) {

        commerce_write_open(w, NULL, '{');
        commerce_cli_write_time(w, "at", entry.at);

        if (show_person(cli, w, "owner", entry.owner) != COMMERCE_CLI_OK
            || show_person(cli, w, "previous", entry.previous) != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }

        commerce_write_text(w, "reason", commerce_reason(entry.reason)->name);

        if (entry.source != COMMERCE_SOURCE_NONE) {
            commerce_write_text(w, "source", commerce_cstr(commerce_source_name(entry.source)));
        }

        if (entry.owner != 0) {
            commerce_cli_write_time(w, "start", entry.start);
            commerce_cli_write_time(w, "end", entry.end);
        }

        commerce_write_close(w, '}');
    }

    commerce_write_close(w, ']');

    return rc == COMMERCE_ABSENT ? COMMERCE_CLI_OK : commerce_cli_unreadable(cli, "history of buyer", user);
}


/* nobody: no member */
static int
show_person(commerce_cli_t *cli, commerce_write_t *w, const char *name, uint64_t number)
{
    commerce_str_t  id;

    if (number == 0) {
        return COMMERCE_CLI_OK;
    }

    if (binding_id(cli, number, &id) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    commerce_write_text(w, name, id);

    return COMMERCE_CLI_OK;
}


int
commerce_cli_buyer_rebind(commerce_cli_t *cli, int argc, char **argv)
{
    int       rc;
    rebind_t  rebind;

    memset(&rebind, 0, sizeof(rebind_t));
    rebind.policy.validity = BINDING_VALIDITY * BINDING_DAY;
    rebind.policy.protect = BINDING_PROTECT * BINDING_DAY;

    rc = rebind_options(cli, argc, argv, &rebind);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &rebind.now) != COMMERCE_CLI_OK || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, rebind_work, &rebind) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    if (rebind.seller.len == 0) {
        fprintf(cli->out, "%.*s is the house's\n", commerce_cli_arg(rebind.user));
        return COMMERCE_CLI_OK;
    }

    fprintf(cli->out, "%.*s is %.*s's until %s", commerce_cli_arg(rebind.user), commerce_cli_arg(rebind.seller),
            commerce_cli_time(cli, commerce_binding_end(&rebind.binding)));
    fprintf(cli->out, ", protected until %s\n",
            commerce_cli_time(cli, commerce_binding_protected_until(&rebind.binding)));

    return COMMERCE_CLI_OK;
}


static int
rebind_options(commerce_cli_t *cli, int argc, char **argv, rebind_t *rebind)
{
    int            c;
    struct option  options[] = {
        { "validity", required_argument, NULL, 'v' },
        { "protect", required_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        if (c != 'v' && c != 'p') {
            return COMMERCE_CLI_USAGE;
        }

        if (binding_days(cli, optarg, c == 'v' ? &rebind->policy.validity : &rebind->policy.protect)
            != COMMERCE_CLI_OK)
        {
            return COMMERCE_CLI_FAILED;
        }
    }

    if (argc - optind != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (!commerce_binding_policy_valid(&rebind->policy)) {
        return commerce_cli_fail(cli, "a binding of no days, or one that is protected longer than it is valid: --protect"
                                 " must not be above --validity (default 15 and 30)");
    }

    if (commerce_cli_id(cli, "user", argv[optind], &rebind->user) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (strcmp(argv[optind + 1], "-") == 0) {
        return COMMERCE_CLI_OK;
    }

    return commerce_cli_id(cli, "person's id", argv[optind + 1], &rebind->seller);
}


static int
binding_days(commerce_cli_t *cli, const char *text, int64_t *seconds)
{
    uint64_t  days;

    if (strcmp(text, "forever") == 0) {
        *seconds = COMMERCE_FOREVER;
        return COMMERCE_CLI_OK;
    }

    if (commerce_parse_uint(commerce_cstr(text), BINDING_DAYS_MAX, &days) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no number of days: give 0 to %d, or \"forever\"",
                                 commerce_cli_text(cli, commerce_cstr(text)), BINDING_DAYS_MAX);
    }

    *seconds = (int64_t) days * BINDING_DAY;

    return COMMERCE_CLI_OK;
}


static int
rebind_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                 rc;
    uint64_t            version;
    rebind_t           *rebind = data;
    commerce_buyer_t    buyer;
    commerce_person_t   seller;
    commerce_binding_t  before;

    memset(&seller, 0, sizeof(commerce_person_t));

    if (rebind->seller.len != 0) {
        rc = commerce_person_find(&cli->reader, rebind->seller, &seller, NULL);

        if (rc == COMMERCE_ABSENT) {
            return commerce_cli_fail(cli, "there is no person \"%s\" in shop \"%s\"",
                                     commerce_cli_text(cli, rebind->seller), cli->shop_name);
        }

        if (rc != COMMERCE_OK) {
            return commerce_cli_unreadable(cli, "person", rebind->seller);
        }

        if (commerce_person_judge(&seller) != COMMERCE_R(OK)) {
            return commerce_cli_fail(cli, "person \"%.*s\" is %s: nobody is bound to somebody who cannot be credited",
                                     commerce_cli_arg(seller.id), commerce_person_status_name(seller.status));
        }
    }

    rc = binding_resolve(cli, &rebind->user, &buyer, &version);

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_person_is(&seller, rebind->user)) {
        return commerce_cli_fail(cli, "person \"%.*s\" is this user: nobody is bound to himself",
                                 commerce_cli_arg(seller.id));
    }

    before = buyer.binding;
    (void) commerce_binding_rebind(&rebind->policy, &buyer.binding, seller.number, rebind->now);
    rebind->user = commerce_copy(cli->arena, rebind->user);
    rebind->binding = buyer.binding;

    rc = binding_tell(cli, txn, &rebind->events, rebind->user, &buyer, &before, COMMERCE_R(BIND_ADMIN), rebind->now);

    if (rc == COMMERCE_CLI_OK) {
        commerce_buyer_write(txn, cli->shop, rebind->user, &buyer, version);
    }

    return rc;
}


int
commerce_cli_buyer_merge(commerce_cli_t *cli, int argc, char **argv)
{
    merge_t  merge;

    memset(&merge, 0, sizeof(merge_t));

    if (argc != 3) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_id(cli, "user", argv[1], &merge.kept) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "user", argv[2], &merge.other) != COMMERCE_CLI_OK
        || commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_keys(cli) != COMMERCE_CLI_OK
        || commerce_cli_now(cli, &merge.now) != COMMERCE_CLI_OK || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, merge_work, &merge) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "%.*s is another name of %.*s, who is %s%.*s%s\n", commerce_cli_arg(merge.other),
            commerce_cli_arg(merge.kept), merge.seller.len != 0 ? "" : "nobody's", commerce_cli_arg(merge.seller),
            merge.seller.len != 0 ? "'s" : "");

    if (merge.reason == COMMERCE_R(MERGE_CONFLICT)) {
        fprintf(cli->out, "both were bound, to different sellers: the older binding stays (MERGE_CONFLICT)\n");
    }

    return COMMERCE_CLI_OK;
}


/* the other's record says nothing but who he is from now on; his history stays where it was */
static int
merge_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                 rc;
    uint64_t            version, other_version;
    merge_t            *merge = data;
    commerce_str_t      user, name;
    commerce_buyer_t    buyer, other, alias;
    commerce_binding_t  before;

    user = merge->kept;
    name = merge->other;

    rc = binding_resolve(cli, &user, &buyer, &version);

    if (rc == COMMERCE_CLI_OK) {
        rc = binding_resolve(cli, &name, &other, &other_version);
    }

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (commerce_equal(user, name)) {
        return commerce_cli_fail(cli, "\"%s\" and \"%s\" are one buyer already",
                                 commerce_cli_text(cli, merge->kept), commerce_cli_text(cli, merge->other));
    }

    before = buyer.binding;
    merge->reason = commerce_binding_merge(&before, &other.binding, merge->now, &buyer.binding);
    merge_touches(&buyer, &other);

    if (binding_id(cli, buyer.binding.owner, &merge->seller) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    merge->seller = commerce_copy(cli->arena, merge->seller);       /* it is told when this attempt is over */

    memset(&alias, 0, sizeof(commerce_buyer_t));
    alias.canonical = user;

    commerce_buyer_write(txn, cli->shop, name, &alias, other_version);

    rc = binding_tell(cli, txn, &merge->events, user, &buyer, &before, merge->reason == COMMERCE_R(OK)
                      ? COMMERCE_R(BIND_MERGED) : merge->reason, merge->now);

    if (rc == COMMERCE_CLI_OK) {
        commerce_buyer_write(txn, cli->shop, user, &buyer, version);
    }

    return rc;
}


/* the later touch of each class; of the first sights the last ones that there is room for */
static void
merge_touches(commerce_buyer_t *kept, const commerce_buyer_t *other)
{
    unsigned            i, k, n;
    commerce_seen_t     seen[2 * COMMERCE_SEEN_MAX], swap;

    for (i = 0; i < COMMERCE_SOURCES; i++) {
        if (other->last[i].source != COMMERCE_SOURCE_NONE) {
            commerce_buyer_remember(kept, &other->last[i]);
        }
    }

    memcpy(seen, kept->seen, kept->seen_count * sizeof(commerce_seen_t));
    n = kept->seen_count;

    for (i = 0; i < other->seen_count; i++) {

        for (k = 0; k < n && seen[k].digest != other->seen[i].digest; k++) {
            /* void */
        }

        if (k == n) {
            seen[n++] = other->seen[i];

        } else if (other->seen[i].first < seen[k].first) {
            seen[k].first = other->seen[i].first;
        }
    }

    for (i = 1; i < n; i++) {
        for (k = i; k > 0 && seen[k].first < seen[k - 1].first; k--) {
            swap = seen[k];
            seen[k] = seen[k - 1];
            seen[k - 1] = swap;
        }
    }

    k = n > COMMERCE_SEEN_MAX ? n - COMMERCE_SEEN_MAX : 0;
    memcpy(kept->seen, seen + k, (n - k) * sizeof(commerce_seen_t));
    kept->seen_count = n - k;
}


static int
binding_resolve(commerce_cli_t *cli, commerce_str_t *user, commerce_buyer_t *buyer, uint64_t *version)
{
    *version = 0;

    return commerce_buyer_resolve(&cli->reader, user, buyer, version) == COMMERCE_ERROR
           ? commerce_cli_unreadable(cli, "buyer", *user) : COMMERCE_CLI_OK;
}


/* the event and the entry of the history; buyer's pseudonym is set */
static int
binding_tell(commerce_cli_t *cli, commerce_txn_t *txn, commerce_event_source_t *events, commerce_str_t user,
    const commerce_buyer_t *buyer, const commerce_binding_t *before, commerce_reason_t reason, commerce_time_t now)
{
    char                      *buffer, *pseudonym;
    commerce_write_t           w;
    commerce_history_t         entry;
    commerce_event_binding_t   event;

    buffer = commerce_alloc(txn->arena, BINDING_EVENT);
    pseudonym = commerce_alloc(txn->arena, COMMERCE_PSEUDONYM_SIZE);

    if (buffer == NULL || pseudonym == NULL
        || commerce_keyring_pseudonym(cli->ring, cli->shop, user, pseudonym) != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "out of memory");
    }

    memset(&event, 0, sizeof(commerce_event_binding_t));
    event.buyer = commerce_cstr(pseudonym);
    event.from = commerce_binding_state(before, now);
    event.reason = reason;
    event.binding = &buyer->binding;

    if (binding_id(cli, buyer->binding.owner, &event.seller) != COMMERCE_CLI_OK
        || (before->owner != buyer->binding.owner
            && binding_id(cli, before->owner, &event.previous) != COMMERCE_CLI_OK))
    {
        return COMMERCE_CLI_FAILED;
    }

    if (commerce_event_start(&w, buffer, BINDING_EVENT, events, "bind", cli->shop, (int64_t) now * 1000000)
        != COMMERCE_OK)
    {
        return commerce_cli_fail(cli, "the system gave no random bytes: try again later");
    }

    commerce_event_write_binding(&w, &event);
    commerce_txn_event(txn, commerce_event_finish(&w));

    memset(&entry, 0, sizeof(commerce_history_t));
    entry.at = now;
    entry.owner = buyer->binding.owner;
    entry.previous = before->owner;
    entry.reason = reason;
    entry.start = buyer->binding.start;
    entry.end = commerce_binding_end(&buyer->binding);

    commerce_history_add(txn, cli->shop, user, &entry);

    return COMMERCE_CLI_OK;
}


/* empty for nobody */
static int
binding_id(commerce_cli_t *cli, uint64_t number, commerce_str_t *id)
{
    *id = commerce_string("");

    return number == 0 ? COMMERCE_CLI_OK : commerce_cli_person_name(cli, number, id);
}
