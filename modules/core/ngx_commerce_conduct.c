/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce_conduct: flags of what platforms forbid, whether they are only told or also denied, and the counts of
 * what sellers do too often.  The rules are src/commerce_conduct.h; feature modules see where they apply.
 */

#include "ngx_commerce_core.h"


#define NGX_COMMERCE_CONDUCT_ZONE      (4 * 1024 * 1024)

#define NGX_COMMERCE_CONDUCT_RECRUITS  1    /* limits that are given */
#define NGX_COMMERCE_CONDUCT_TOTAL     2
#define NGX_COMMERCE_CONDUCT_BINDS     4
#define NGX_COMMERCE_CONDUCT_TOUCHES   8
#define NGX_COMMERCE_CONDUCT_BUYER     16


static char *ngx_commerce_conduct_word(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_loc_conf_t *lcf,
    unsigned *flags, ngx_uint_t *action);
static char *ngx_commerce_conduct_limit(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, unsigned flags,
    ngx_commerce_loc_conf_t *lcf);
static char *ngx_commerce_conduct_total(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, unsigned flags,
    ngx_commerce_loc_conf_t *lcf);
static char *ngx_commerce_conduct_size(ngx_conf_t *cf, ngx_str_t *word, size_t prefix);
static ngx_int_t ngx_commerce_conduct_parse_rate(ngx_str_t *word, size_t prefix, ngx_int_t max,
    commerce_rate_t *rate);
static ngx_rbtree_key_t ngx_commerce_conduct_key(commerce_str_t shop, ngx_commerce_rate_e rate,
    const commerce_rate_t *limit, uint64_t seller);
static commerce_rate_t ngx_commerce_conduct_rate_of(const commerce_conduct_policy_t *policy,
    ngx_commerce_rate_e rate);


const commerce_conduct_policy_t *
ngx_commerce_conduct_policy(ngx_commerce_case_t *c)
{
    ngx_commerce_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(c->request, ngx_commerce_module);

    return &lcf->conduct;
}


ngx_uint_t
ngx_commerce_conduct_denies(ngx_commerce_case_t *c, commerce_conduct_t flag)
{
    return ngx_commerce_conduct_policy(c)->actions[flag] == COMMERCE_CONDUCT_DENY
           && c->mode == NGX_COMMERCE_ENFORCE;
}


ngx_uint_t
ngx_commerce_conduct_flag(ngx_commerce_case_t *c, commerce_conduct_t flag)
{
    unsigned                   bit;
    commerce_conduct_action_t  action;

    bit = COMMERCE_CONDUCT_BIT(flag);
    action = ngx_commerce_conduct_policy(c)->actions[flag];

    if (action == COMMERCE_CONDUCT_OFF) {
        return 0;
    }

    c->conduct |= bit;

    if (action == COMMERCE_CONDUCT_DENY) {
        c->conduct_denied |= bit;
    }

    if (!c->preview && !(c->conduct_counted & bit)) {
        c->conduct_counted |= bit;
        (void) ngx_atomic_fetch_add(&ngx_commerce_worker->metrics->conduct[flag], 1);
    }

    return ngx_commerce_conduct_denies(c, flag);
}


/* a request that is evaluated again finds what it found, and counts once */

uint32_t
ngx_commerce_conduct_rate(ngx_commerce_case_t *c, ngx_commerce_rate_e rate, uint64_t seller, ngx_uint_t add)
{
    int64_t                 now;
    uint32_t                before;
    ngx_uint_t              i;
    ngx_shm_zone_t         *zone;
    commerce_rate_t         limit;
    ngx_rbtree_key_t        key;
    commerce_window_t      *window;
    ngx_commerce_rated_t   *rated;

    for (i = 0; i < c->nrated; i++) {
        if (c->rated[i].rate == rate && c->rated[i].seller == seller) {
            return c->rated[i].before;
        }
    }

    zone = ngx_commerce_worker->conf->rates;
    limit = ngx_commerce_conduct_rate_of(ngx_commerce_conduct_policy(c), rate);

    if (limit.period == 0) {
        return 0;
    }

    key = ngx_commerce_conduct_key(c->shop, rate, &limit, seller);
    now = c->now * 1000;

    ngx_commerce_windows_api.lock(zone);

    window = ngx_commerce_windows_api.find(zone, key);
    before = commerce_window_count(window, &limit, now);
    add = add && !c->preview && c->nrated < NGX_COMMERCE_RATED;

    if (add) {
        ngx_commerce_windows_api.add(zone, rate, key, &limit, 2 * (int64_t) limit.period, now);
    }

    ngx_commerce_windows_api.unlock(zone);

    if (add) {
        rated = &c->rated[c->nrated++];
        rated->rate = rate;
        rated->seller = seller;
        rated->before = before;
    }

    return before;
}


/* sellers' numbers are no secret, and nobody chooses his: no keyed hash is needed */

static ngx_rbtree_key_t
ngx_commerce_conduct_key(commerce_str_t shop, ngx_commerce_rate_e rate, const commerce_rate_t *limit,
    uint64_t seller)
{
    uint64_t  facts[3];

    facts[0] = rate;
    facts[1] = (uint64_t) limit->limit << 32 | limit->period;
    facts[2] = seller;

    return commerce_hash(commerce_hash(COMMERCE_HASH_START, facts, sizeof(facts)), shop.data, shop.len);
}


/* whether there was an order is all that is asked: no limit */

static commerce_rate_t
ngx_commerce_conduct_rate_of(const commerce_conduct_policy_t *policy, ngx_commerce_rate_e rate)
{
    switch (rate) {

    case NGX_COMMERCE_RATE_TOUCHES:
        return policy->touches;

    case NGX_COMMERCE_RATE_ORDERS:
        return (commerce_rate_t) { 0, policy->touches.limit ? policy->touches.period : 0 };

    case NGX_COMMERCE_RATE_BINDS:
        return policy->binds;

    default:
        return policy->recruits;
    }
}


commerce_reason_t
ngx_commerce_conduct_client(ngx_commerce_case_t *c)
{
    ngx_uint_t         flag;
    commerce_reason_t  reason;

    reason = ngx_commerce_run_stages(c, NGX_COMMERCE_STAGE_CLIENT, NGX_COMMERCE_STAGE_CLIENT);

    if (reason != COMMERCE_R(OK)) {
        return reason;
    }

    for (flag = 0; flag < COMMERCE_CONDUCTS; flag++) {
        if ((COMMERCE_CONDUCT_CLIENT & c->conduct & COMMERCE_CONDUCT_BIT(flag))
            && ngx_commerce_conduct_denies(c, flag))
        {
            return commerce_conduct_reason(flag);
        }
    }

    return COMMERCE_R(OK);
}


void
ngx_commerce_conduct_write(ngx_commerce_case_t *c, commerce_write_t *w, unsigned set)
{
    commerce_conduct_write(w, "conduct", set & c->conduct);
    commerce_conduct_write(w, "conduct_denied", set & c->conduct_denied);
}


void
ngx_commerce_conduct_status(commerce_write_t *w)
{
    ngx_uint_t                    i;
    ngx_shm_zone_t               *zone;
    ngx_commerce_metrics_t       *m;
    ngx_commerce_windows_stat_t  *stat;

    m = ngx_commerce_worker->metrics;
    zone = ngx_commerce_worker->conf->rates;

    commerce_write_open(w, "conduct", '{');

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        if (m->conduct[i]) {
            commerce_write_int(w, commerce_reason(commerce_conduct_reason(i))->name.data,
                               (int64_t) m->conduct[i]);
        }
    }

    if (zone) {
        stat = zone->data;

        ngx_commerce_windows_api.lock(zone);
        commerce_write_int(w, "evicted", (int64_t) stat->evicted);
        commerce_write_int(w, "lost", (int64_t) stat->lost);
        ngx_commerce_windows_api.unlock(zone);
    }

    commerce_write_close(w, '}');
}


/* configuration */

ngx_int_t
ngx_commerce_conduct_zone(ngx_conf_t *cf, ngx_commerce_main_conf_t *mcf)
{
    ngx_str_t  name = ngx_string("ngx_commerce_conduct");

    mcf->rates = ngx_commerce_windows_api.zone(cf, &name, mcf->rates_size ? mcf->rates_size
                                                                          : NGX_COMMERCE_CONDUCT_ZONE,
                                               &ngx_commerce_module);

    return mcf->rates ? NGX_OK : NGX_ERROR;
}


/* flag by flag, limit by limit: what is not named here is as outside */

void
ngx_commerce_conduct_merge(ngx_commerce_loc_conf_t *prev, ngx_commerce_loc_conf_t *conf)
{
    ngx_uint_t                        i;
    const commerce_conduct_policy_t  *outer, *defaults;

    defaults = &commerce_conduct_defaults;
    outer = &prev->conduct;

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        if (!(conf->conduct_set & COMMERCE_CONDUCT_BIT(i))) {
            conf->conduct.actions[i] = (prev->conduct_set & COMMERCE_CONDUCT_BIT(i) ? outer : defaults)->actions[i];
        }
    }

    if (!(conf->conduct_limits & NGX_COMMERCE_CONDUCT_RECRUITS)) {
        conf->conduct.recruits = (prev->conduct_limits & NGX_COMMERCE_CONDUCT_RECRUITS ? outer : defaults)->recruits;
    }

    if (!(conf->conduct_limits & NGX_COMMERCE_CONDUCT_TOTAL)) {
        conf->conduct.downlines = (prev->conduct_limits & NGX_COMMERCE_CONDUCT_TOTAL ? outer : defaults)->downlines;
    }

    if (!(conf->conduct_limits & NGX_COMMERCE_CONDUCT_BINDS)) {
        conf->conduct.binds = (prev->conduct_limits & NGX_COMMERCE_CONDUCT_BINDS ? outer : defaults)->binds;
    }

    if (!(conf->conduct_limits & NGX_COMMERCE_CONDUCT_TOUCHES)) {
        conf->conduct.touches = (prev->conduct_limits & NGX_COMMERCE_CONDUCT_TOUCHES ? outer : defaults)->touches;
    }

    if (!(conf->conduct_limits & NGX_COMMERCE_CONDUCT_BUYER)) {
        conf->conduct.buyer = (prev->conduct_limits & NGX_COMMERCE_CONDUCT_BUYER ? outer : defaults)->buyer;
    }

    conf->conduct_set |= prev->conduct_set;
    conf->conduct_limits |= prev->conduct_limits;
}


char *
ngx_commerce_conduct_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                     *rv;
    unsigned                  flags;
    ngx_str_t                *value;
    ngx_uint_t                i, action;
    ngx_commerce_loc_conf_t  *lcf = conf;

    ngx_commerce_note(cf);

    flags = 0;
    action = COMMERCE_CONDUCT_OBSERVE;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_commerce_conduct_word(cf, &value[i], lcf, &flags, &action);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    for (i = 0; i < COMMERCE_CONDUCTS; i++) {
        if (flags & COMMERCE_CONDUCT_BIT(i)) {
            lcf->conduct.actions[i] = action;
        }
    }

    lcf->conduct_set |= flags;

    return NGX_CONF_OK;
}


/* flags come first: limits belong to the flags before them */

static char *
ngx_commerce_conduct_word(ngx_conf_t *cf, ngx_str_t *word, ngx_commerce_loc_conf_t *lcf, unsigned *flags,
    ngx_uint_t *action)
{
    ngx_uint_t          i;
    commerce_conduct_t  flag;

    static const struct {
        ngx_str_t                  word;
        commerce_conduct_action_t  action;
    } actions[] = {
        { ngx_string("observe"), COMMERCE_CONDUCT_OBSERVE },
        { ngx_string("deny"), COMMERCE_CONDUCT_DENY },
        { ngx_string("off"), COMMERCE_CONDUCT_OFF }
    };

    for (i = 0; i < sizeof(actions) / sizeof(actions[0]) && *flags; i++) {
        if (word->len == actions[i].word.len && ngx_strncmp(word->data, actions[i].word.data, word->len) == 0) {
            *action = actions[i].action;
            return NGX_CONF_OK;
        }
    }

    if (ngx_strncmp(word->data, "rate=", 5) == 0) {
        return ngx_commerce_conduct_limit(cf, word, 5, *flags, lcf);
    }

    if (ngx_strncmp(word->data, "buyer=", 6) == 0) {
        return ngx_commerce_conduct_limit(cf, word, 6, *flags, lcf);
    }

    if (ngx_strncmp(word->data, "total=", 6) == 0) {
        return ngx_commerce_conduct_total(cf, word, 6, *flags, lcf);
    }

    if (ngx_strncmp(word->data, "zone=", 5) == 0) {
        return ngx_commerce_conduct_size(cf, word, 5);
    }

    if (commerce_conduct_parse(ngx_commerce_str(*word), &flag) != COMMERCE_OK
        || word->data[0] < 'a')
    {
        return ngx_commerce_invalid(cf, word,
                   "share_incentive, recruit_velocity, bind_velocity, touch_flood, late_touch, reciprocal, "
                   "self_purchase, dev_version, crawler, bot_suspect, and after them observe, deny or off, "
                   "rate=N/time, buyer=N/time, total=N; in http zone=size");
    }

    if ((lcf->conduct_set | *flags) & COMMERCE_CONDUCT_BIT(flag)) {
        return "has the same flag twice";
    }

    *flags |= COMMERCE_CONDUCT_BIT(flag);

    return NGX_CONF_OK;
}


static char *
ngx_commerce_conduct_limit(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, unsigned flags,
    ngx_commerce_loc_conf_t *lcf)
{
    ngx_int_t        max;
    ngx_uint_t       i;
    commerce_rate_t  rate;

    const struct {
        size_t            prefix;
        unsigned          flags;
        ngx_int_t         max;
        commerce_rate_t  *rate;
        unsigned          limit;
    } limits[] = {
        { 5, COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_RECRUIT_VELOCITY), COMMERCE_WINDOW_LIMIT,
          &lcf->conduct.recruits, NGX_COMMERCE_CONDUCT_RECRUITS },
        { 5, COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_BIND_VELOCITY), COMMERCE_WINDOW_LIMIT,
          &lcf->conduct.binds, NGX_COMMERCE_CONDUCT_BINDS },
        { 5, COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_TOUCH_FLOOD), COMMERCE_WINDOW_LIMIT,
          &lcf->conduct.touches, NGX_COMMERCE_CONDUCT_TOUCHES },
        { 6, COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_TOUCH_FLOOD), COMMERCE_SEEN_MAX,
          &lcf->conduct.buyer, NGX_COMMERCE_CONDUCT_BUYER }
    };

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {

        if (limits[i].prefix != prefix || limits[i].flags != flags) {
            continue;
        }

        max = limits[i].max;

        if (ngx_commerce_conduct_parse_rate(word, prefix, max, &rate) != NGX_OK) {
            return ngx_commerce_invalid(cf, word, max == COMMERCE_SEEN_MAX
                                                  ? "a rate such as 10/1m (1..16 touches in 1s..1d), or off"
                                                  : "a rate such as 600/1m (1..1000000 in 1s..1d), or off");
        }

        *limits[i].rate = rate;
        lcf->conduct_limits |= limits[i].limit;

        return NGX_CONF_OK;
    }

    return ngx_commerce_invalid(cf, word, prefix == 6 ? "behind touch_flood alone: buyer=N/time"
               : "behind one of recruit_velocity, bind_velocity, touch_flood alone: rate=N/time");
}


static ngx_int_t
ngx_commerce_conduct_parse_rate(ngx_str_t *word, size_t prefix, ngx_int_t max, commerce_rate_t *rate)
{
    time_t      seconds;
    u_char     *p, *last;
    ngx_int_t   n;
    ngx_str_t   s;

    ngx_memzero(rate, sizeof(commerce_rate_t));

    if (ngx_strcmp(word->data + prefix, "off") == 0) {
        return NGX_OK;
    }

    last = word->data + word->len;
    p = ngx_strlchr(word->data + prefix, last, '/');

    if (p == NULL) {
        return NGX_ERROR;
    }

    n = ngx_atoi(word->data + prefix, p - word->data - prefix);
    s.data = p + 1;
    s.len = last - s.data;
    seconds = s.len ? ngx_parse_time(&s, 1) : NGX_ERROR;

    if (n < 1 || n > max || seconds < 1 || seconds > COMMERCE_WINDOW_PERIOD / 1000) {
        return NGX_ERROR;
    }

    rate->limit = (uint32_t) n;
    rate->period = (uint32_t) seconds * 1000;

    return NGX_OK;
}


static char *
ngx_commerce_conduct_total(ngx_conf_t *cf, ngx_str_t *word, size_t prefix, unsigned flags,
    ngx_commerce_loc_conf_t *lcf)
{
    ngx_int_t  n;

    n = ngx_atoi(word->data + prefix, word->len - prefix);

    if (n == 0) {
        n = NGX_ERROR;

    } else if (ngx_strcmp(word->data + prefix, "off") == 0) {
        n = 0;
    }

    if (flags != COMMERCE_CONDUCT_BIT(COMMERCE_CONDUCT_RECRUIT_VELOCITY)
        || n == NGX_ERROR || n > COMMERCE_WINDOW_LIMIT)
    {
        return ngx_commerce_invalid(cf, word, "behind recruit_velocity alone: total=1..1000000 or total=off");
    }

    lcf->conduct.downlines = (uint32_t) n;
    lcf->conduct_limits |= NGX_COMMERCE_CONDUCT_TOTAL;

    return NGX_CONF_OK;
}


static char *
ngx_commerce_conduct_size(ngx_conf_t *cf, ngx_str_t *word, size_t prefix)
{
    off_t                      n;
    ngx_str_t                  s;
    ngx_commerce_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_commerce_module);

    s.data = word->data + prefix;
    s.len = word->len - prefix;
    n = s.len ? ngx_parse_offset(&s) : NGX_ERROR;

    if (cf->cmd_type != NGX_HTTP_MAIN_CONF || mcf->rates_size
        || n == NGX_ERROR || n < 65536 || n > 16LL * 1024 * 1024 * 1024)
    {
        return ngx_commerce_invalid(cf, word, "once, in http: zone=64k..16g, for example zone=4m");
    }

    mcf->rates_size = (size_t) n;

    return NGX_CONF_OK;
}
