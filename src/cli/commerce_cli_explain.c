/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce explain order | event: why a sale is whose it is, in sentences, from the log's line about the order ("attribution").
 */

#include <stdlib.h>
#include <zlib.h>

#include "../commerce_attribution.h"
#include "../commerce_json.h"
#include "commerce_cli_log.h"

#define EXPLAIN_LINE     262144
#define EXPLAIN_POINTER  64
#define EXPLAIN_LOGS     256


enum {                                  /* sentences, in the order of explain_english and explain_chinese */
    EXPLAIN_SALE,
    EXPLAIN_HOUSE,
    EXPLAIN_BINDING,
    EXPLAIN_UNBOUND,
    EXPLAIN_PRIORITY,
    EXPLAIN_TOUCH,
    EXPLAIN_WON,
    EXPLAIN_UPLINE_WON,
    EXPLAIN_OUTRANKED,
    EXPLAIN_PROTECTED,
    EXPLAIN_NOT_RANKED,
    EXPLAIN_LATE,
    EXPLAIN_EXPIRED,
    EXPLAIN_SUPERSEDED,
    EXPLAIN_SELF,
    EXPLAIN_INACTIVE,
    EXPLAIN_REASON,
    EXPLAIN_NOBODY,
    EXPLAIN_FOREVER,
    EXPLAIN_SENTENCES
};

typedef struct {
    commerce_cli_t            *cli;
    const char                *order, *event;       /* what is looked for */
    const char *const         *sentences;
    char                      *paths[EXPLAIN_LOGS];
    unsigned                   path_count;
    bool                       json;
    char                      *line;                /* as it was found */
    size_t                     len;
} explain_t;


static int explain_run(commerce_cli_t *cli, int argc, char **argv, bool by_event);
static int explain_options(commerce_cli_t *cli, int argc, char **argv, explain_t *explain, bool by_event);
static int explain_find(explain_t *explain, bool event);
static int explain_file(explain_t *explain, const char *path, bool event);
static bool explain_wanted(explain_t *explain, commerce_str_t line, bool event);
static int explain_say(explain_t *explain, const commerce_cli_event_t *event);
static void explain_candidate(explain_t *explain, const commerce_cli_event_t *event, unsigned i);
static void explain_outcome(explain_t *explain, const commerce_cli_event_t *event, commerce_str_t outcome,
    int64_t until);
static const char *explain_time(explain_t *explain, int64_t seconds, char *room);
static commerce_str_t explain_text(const commerce_cli_event_t *event, const char *format, unsigned i);
static int64_t explain_number(const commerce_cli_event_t *event, const char *format, unsigned i);


static const char *const  explain_english[EXPLAIN_SENTENCES] = {
    [EXPLAIN_SALE] = "Order %.*s: the sale is %.*s's, by %.*s (%.*s).\n",
    [EXPLAIN_HOUSE] = "Order %.*s: the sale is the house's (%.*s).\n",
    [EXPLAIN_BINDING] = "The buyer's binding: %.*s's, %.*s, since %s; protected until %s, valid until %s.\n",
    [EXPLAIN_UNBOUND] = "The buyer was bound to nobody.\n",
    [EXPLAIN_PRIORITY] = "Who wins, first to last: ",
    [EXPLAIN_TOUCH] = "- %.*s, %.*s%s%s: ",
    [EXPLAIN_WON] = "won.\n",
    [EXPLAIN_UPLINE_WON] = "is the buyer himself; who recruited him won (self_purchase=upline).\n",
    [EXPLAIN_OUTRANKED] = "stands behind what won. It needed that not to be there, or an order of classes in which it comes first.\n",
    [EXPLAIN_PROTECTED] = "stands behind the protected binding. It needed a first sight after the protection (%s), or no binding.\n",
    [EXPLAIN_NOT_RANKED] = "its class wins nothing here. It needed to be named in commerce_priority.\n",
    [EXPLAIN_LATE] = "came less than 10 seconds before the order and from a rival (LATE_TOUCH). It needed a first sight before %s.\n",
    [EXPLAIN_EXPIRED] = "could win until %s (ATTR_LOOKBACK_EXCEEDED). It needed an earlier order, or a new link.\n",
    [EXPLAIN_SUPERSEDED] = "a later touch of its class counts instead. It needed to be the last one.\n",
    [EXPLAIN_SELF] = "the buyer is a seller himself, and his own sale goes to the house (self_purchase=house).\n",
    [EXPLAIN_INACTIVE] = "cannot be credited (%.*s). It needed an active seller.\n",
    [EXPLAIN_REASON] = "counts for nothing (%.*s).\n",
    [EXPLAIN_NOBODY] = "nobody",
    [EXPLAIN_FOREVER] = "for ever",
};

static const char *const  explain_chinese[EXPLAIN_SENTENCES] = {
    [EXPLAIN_SALE] = "订单 %.*s：归属 %.*s，依据 %.*s（%.*s）。\n",
    [EXPLAIN_HOUSE] = "订单 %.*s：归商家，没有可归属的销售（%.*s）。\n",
    [EXPLAIN_BINDING] = "客户关系：属于 %.*s，状态 %.*s，自 %s；保护期至 %s，有效期至 %s。\n",
    [EXPLAIN_UNBOUND] = "客户当时没有绑定任何销售。\n",
    [EXPLAIN_PRIORITY] = "优先级，从先到后：",
    [EXPLAIN_TOUCH] = "- %.*s，%.*s%s%s：",
    [EXPLAIN_WON] = "胜出。\n",
    [EXPLAIN_UPLINE_WON] = "就是买家本人；归其上级（self_purchase=upline）。\n",
    [EXPLAIN_OUTRANKED] = "排在胜出者之后。除非胜出者不存在，或优先级把它排在前面，才能胜出。\n",
    [EXPLAIN_PROTECTED] = "排在保护期内的客户关系之后。需要在保护期（%s）之后首次触达，或客户没有绑定。\n",
    [EXPLAIN_NOT_RANKED] = "这一类不参与归属。需要写进 commerce_priority。\n",
    [EXPLAIN_LATE] = "下单前 10 秒内由他人抢先触达（LATE_TOUCH）。需要在 %s 之前首次触达。\n",
    [EXPLAIN_EXPIRED] = "归因期至 %s，已过（ATTR_LOOKBACK_EXCEEDED）。需要更早下单，或一次新的触达。\n",
    [EXPLAIN_SUPERSEDED] = "同类中有更晚的触达，以更晚的为准。\n",
    [EXPLAIN_SELF] = "买家本人就是销售，自购归商家（self_purchase=house）。\n",
    [EXPLAIN_INACTIVE] = "不能计入（%.*s）。需要是在职的销售。\n",
    [EXPLAIN_REASON] = "无效（%.*s）。\n",
    [EXPLAIN_NOBODY] = "无人",
    [EXPLAIN_FOREVER] = "永久",
};


int
commerce_cli_explain_order(commerce_cli_t *cli, int argc, char **argv)
{
    return explain_run(cli, argc, argv, false);
}


int
commerce_cli_explain_event(commerce_cli_t *cli, int argc, char **argv)
{
    return explain_run(cli, argc, argv, true);
}


static int
explain_run(commerce_cli_t *cli, int argc, char **argv, bool by_event)
{
    int                    rc;
    explain_t             *explain;
    commerce_cli_event_t   event;

    explain = calloc(1, sizeof(explain_t));
    if (explain == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    explain->cli = cli;
    rc = explain_options(cli, argc, argv, explain, by_event);

    /* of an event: which order is it about? */

    if (rc == COMMERCE_CLI_OK && explain->event != NULL) {
        rc = explain_find(explain, true);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = explain_find(explain, false);
    }

    if (rc == COMMERCE_CLI_OK && explain->json) {
        fprintf(cli->out, "%.*s\n", (int) explain->len, explain->line);

    } else if (rc == COMMERCE_CLI_OK) {
        memset(&event, 0, sizeof(commerce_cli_event_t));

        if (commerce_json_parse(cli->arena, (commerce_str_t) { explain->line, explain->len }, &event.root)
            != COMMERCE_R(OK))
        {
            rc = commerce_cli_fail(cli, "the log's line about this order is no JSON");

        } else {
            rc = explain_say(explain, &event);
        }
    }

    free(explain->line);
    free(explain);

    return rc;
}


static int
explain_options(commerce_cli_t *cli, int argc, char **argv, explain_t *explain, bool by_event)
{
    int            c;
    struct option  options[] = {
        { "log", required_argument, NULL, 'l' },
        { "language", required_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 }
    };

    explain->sentences = explain_english;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        switch (c) {
        case 'l':
            if (explain->path_count == EXPLAIN_LOGS) {
                return commerce_cli_fail(cli, "more than %d logs: name those of the order's day", EXPLAIN_LOGS);
            }

            explain->paths[explain->path_count++] = optarg;
            break;
        case 'a':
            if (strcmp(optarg, "zh") == 0) {
                explain->sentences = explain_chinese;

            } else if (strcmp(optarg, "en") != 0) {
                return commerce_cli_fail(cli, "\"%s\" is no language: it is en or zh",
                                         commerce_cli_text(cli, commerce_cstr(optarg)));
            }
            break;
        case 'j':
            explain->json = true;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1 || explain->path_count == 0) {
        return COMMERCE_CLI_USAGE;
    }

    *(by_event ? &explain->event : &explain->order) = argv[optind];

    return COMMERCE_CLI_OK;
}


/* the last line that there is: an order that was refused may have come again under its key */
static int
explain_find(explain_t *explain, bool event)
{
    int       rc;
    unsigned  i;

    rc = COMMERCE_CLI_OK;

    for (i = 0; rc == COMMERCE_CLI_OK && i < explain->path_count; i++) {
        rc = explain_file(explain, explain->paths[i], event);
    }

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (event && explain->order == NULL) {
        return commerce_cli_fail(explain->cli, "there is no event \"%s\" of an order in these logs",
                                 commerce_cli_text(explain->cli, commerce_cstr(explain->event)));
    }

    if (!event && explain->line == NULL) {
        return commerce_cli_fail(explain->cli, "the logs do not tell why order \"%s\" is whose it is: give the log of the"
                                 " time at which it was made (commerce_explain must have been on)",
                                 commerce_cli_text(explain->cli, commerce_cstr(explain->order)));
    }

    return COMMERCE_CLI_OK;
}


static int
explain_file(explain_t *explain, const char *path, bool event)
{
    char    *line;
    gzFile   file;

    file = gzopen(path, "rb");
    line = malloc(EXPLAIN_LINE);

    if (file == NULL || line == NULL) {
        free(line);

        if (file != NULL) {
            gzclose(file);
        }

        return commerce_cli_fail(explain->cli, "%s cannot be read", path);
    }

    while (gzgets(file, line, EXPLAIN_LINE) != NULL) {

        if (!explain_wanted(explain, commerce_cstr(line), event)) {
            continue;
        }

        if (!event) {
            free(explain->line);
            explain->line = strdup(line);
            explain->len = explain->line != NULL ? strcspn(explain->line, "\n") : 0;
        }
    }

    gzclose(file);
    free(line);

    return COMMERCE_CLI_OK;
}


static bool
explain_wanted(explain_t *explain, commerce_str_t line, bool event)
{
    char                  *order;
    bool                   wanted;
    commerce_str_t         text;
    commerce_heap_t       *heap;
    commerce_cli_event_t   found;

    /* a look at the bytes first: a day's log is long */

    if (strstr(line.data, event ? explain->event : "\"type\":\"attribution\"") == NULL) {
        return false;
    }

    heap = commerce_heap_create();
    if (heap == NULL) {
        return false;
    }

    memset(&found, 0, sizeof(commerce_cli_event_t));
    line.len = strcspn(line.data, "\n");
    wanted = false;

    if (commerce_json_parse(commerce_heap_arena(heap), line, &found.root) == COMMERCE_R(OK)
        && (explain->cli->shop_name == NULL || (commerce_cli_event_text(&found, "/shop", &text)
                                                && commerce_equal(text, commerce_cstr(explain->cli->shop_name)))))
    {
        if (event) {
            wanted = commerce_cli_event_text(&found, "/id", &text) && commerce_equal(text, commerce_cstr(explain->event))
                     && commerce_cli_event_text(&found, "/order_key", &text) && text.len != 0;

            if (wanted) {
                order = commerce_alloc(explain->cli->arena, text.len + 1);
                wanted = order != NULL;
            }

            if (wanted) {
                memcpy(order, text.data, text.len);
                explain->order = order;
            }

        } else {
            wanted = commerce_cli_event_text(&found, "/type", &text)
                     && commerce_equal(text, commerce_string("attribution"))
                     && commerce_cli_event_text(&found, "/order_key", &text)
                     && commerce_equal(text, commerce_cstr(explain->order));
        }
    }

    commerce_heap_destroy(heap);

    return wanted;
}


static int
explain_say(explain_t *explain, const commerce_cli_event_t *event)
{
    char               start[32], protected_until[32], end[32];
    FILE              *out = explain->cli->out;
    unsigned           i;
    commerce_str_t     key, seller, source, reason, text;
    const char *const *say = explain->sentences;

    key = explain_text(event, "/order_key", 0);
    seller = explain_text(event, "/seller", 0);
    source = explain_text(event, "/source", 0);
    reason = explain_text(event, "/reason", 0);

    if (seller.len != 0) {
        fprintf(out, say[EXPLAIN_SALE], commerce_cli_arg(key), commerce_cli_arg(seller), commerce_cli_arg(source),
                commerce_cli_arg(reason));

    } else {
        fprintf(out, say[EXPLAIN_HOUSE], commerce_cli_arg(key), commerce_cli_arg(reason));
    }

    text = explain_text(event, "/binding/state", 0);

    if (text.len != 0) {
        seller = explain_text(event, "/binding/seller", 0);
        fprintf(out, say[EXPLAIN_BINDING], commerce_cli_arg(seller), commerce_cli_arg(text),
                explain_time(explain, explain_number(event, "/binding/start", 0), start),
                explain_time(explain, explain_number(event, "/binding/protected_until", 0), protected_until),
                explain_time(explain, explain_number(event, "/binding/end", 0), end));

    } else {
        fputs(say[EXPLAIN_UNBOUND], out);
    }

    fputs(say[EXPLAIN_PRIORITY], out);

    for (i = 0; (text = explain_text(event, "/priority/%u", i)).len != 0; i++) {
        fprintf(out, "%s%.*s", i == 0 ? "" : " > ", commerce_cli_arg(text));
    }

    fputc('\n', out);

    for (i = 0; explain_text(event, "/candidates/%u/outcome", i).len != 0; i++) {
        explain_candidate(explain, event, i);
    }

    return COMMERCE_CLI_OK;
}


static void
explain_candidate(explain_t *explain, const commerce_cli_event_t *event, unsigned i)
{
    char            first[32];
    int64_t         seen;
    commerce_str_t  seller, source;

    seller = explain_text(event, "/candidates/%u/seller", i);
    source = explain_text(event, "/candidates/%u/source", i);
    seen = explain_number(event, "/candidates/%u/first", i);

    if (seller.len == 0) {
        seller = commerce_cstr(explain->sentences[EXPLAIN_NOBODY]);
    }

    fprintf(explain->cli->out, explain->sentences[EXPLAIN_TOUCH], commerce_cli_arg(seller), commerce_cli_arg(source),
            seen >= 0 ? " " : "", seen >= 0 ? explain_time(explain, seen, first) : "");

    explain_outcome(explain, event, explain_text(event, "/candidates/%u/outcome", i),
                    explain_number(event, "/candidates/%u/until", i));
}


static void
explain_outcome(explain_t *explain, const commerce_cli_event_t *event, commerce_str_t outcome, int64_t until)
{
    char               room[32];
    FILE              *out = explain->cli->out;
    unsigned           i;
    commerce_str_t     winner;
    const char *const *say = explain->sentences;

    static const struct {
        const char  *outcome;
        unsigned     sentence;
    } plain[] = {
        { "won", EXPLAIN_WON },
        { "upline_won", EXPLAIN_UPLINE_WON },
        { "not_ranked", EXPLAIN_NOT_RANKED },
        { "superseded", EXPLAIN_SUPERSEDED },
        { "self_purchase", EXPLAIN_SELF }
    };

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (commerce_equal(outcome, commerce_cstr(plain[i].outcome))) {
            fputs(say[plain[i].sentence], out);
            return;
        }
    }

    if (commerce_equal(outcome, commerce_string("outranked"))) {
        winner = explain_text(event, "/source", 0);

        if (commerce_equal(winner, commerce_string("protected"))) {
            fprintf(out, say[EXPLAIN_PROTECTED],
                    explain_time(explain, explain_number(event, "/binding/protected_until", 0), room));

        } else {
            fputs(say[EXPLAIN_OUTRANKED], out);
        }

    } else if (commerce_equal(outcome, commerce_string("LATE_TOUCH"))) {
        fprintf(out, say[EXPLAIN_LATE],
                explain_time(explain, explain_number(event, "/ts", 0) / 1000000 - COMMERCE_LATE_TOUCH, room));

    } else if (commerce_equal(outcome, commerce_string("ATTR_LOOKBACK_EXCEEDED"))) {
        fprintf(out, say[EXPLAIN_EXPIRED], explain_time(explain, until, room));

    } else if (outcome.len > 6 && memcmp(outcome.data, "OWNER_", 6) == 0) {
        fprintf(out, say[EXPLAIN_INACTIVE], commerce_cli_arg(outcome));

    } else {
        fprintf(out, say[EXPLAIN_REASON], commerce_cli_arg(outcome));
    }
}


/* absent (-1): for ever */
static const char *
explain_time(explain_t *explain, int64_t seconds, char *room)
{
    if (seconds < 0) {
        return explain->sentences[EXPLAIN_FOREVER];
    }

    commerce_time_format(seconds, room);

    return room;
}


static commerce_str_t
explain_text(const commerce_cli_event_t *event, const char *format, unsigned i)
{
    char            pointer[EXPLAIN_POINTER];
    commerce_str_t  text;

    snprintf(pointer, sizeof(pointer), format, i);

    return commerce_cli_event_text(event, pointer, &text) ? text : commerce_string("");
}


static int64_t
explain_number(const commerce_cli_event_t *event, const char *format, unsigned i)
{
    char     pointer[EXPLAIN_POINTER];
    int64_t  number;

    snprintf(pointer, sizeof(pointer), format, i);

    return commerce_cli_event_number(event, pointer, &number) ? number : -1;
}
