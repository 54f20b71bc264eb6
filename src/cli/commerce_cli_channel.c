/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce channel put | show, commerce room schedule: codes that were put up somewhere, and who is on air when.
 */

#include <csv.h>
#include <stdlib.h>

#include "commerce_cli.h"

#define SCHEDULE_FILE_MAX  (256 * 1024)
#define SCHEDULE_FIELDS    3


typedef struct {
    commerce_str_t      id;
    const char         *seller, *group;     /* external ids, "-" = nobody; NULL = leave as it is */
    const char         *field, *origin, *platform;
    commerce_channel_t  channel;
    const char         *outcome;
} channel_put_t;

typedef struct {
    commerce_cli_t    *cli;
    const char        *path;
    commerce_str_t     id;                  /* the room's */
    commerce_str_t     fields[SCHEDULE_FIELDS];
    unsigned           count, line, errors;
    commerce_shift_t   shifts[COMMERCE_SHIFTS_MAX];
    commerce_str_t     hosts[COMMERCE_SHIFTS_MAX];
    unsigned           shift_count;
} schedule_t;


static int channel_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int channel_words(commerce_cli_t *cli, channel_put_t *put, commerce_channel_t *channel);
static int channel_names(commerce_cli_t *cli, channel_put_t *put, commerce_channel_t *channel);
static bool channel_same(const commerce_channel_t *a, const commerce_channel_t *b);
static int schedule_read(schedule_t *schedule, commerce_str_t data);
static void schedule_field(void *field, size_t len, void *data);
static void schedule_line(int terminator, void *data);
static void schedule_wrong(schedule_t *schedule, const char *what);
static int schedule_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data);
static int place_person(commerce_cli_t *cli, const char *text, const char *role, uint64_t *number);


int
commerce_cli_channel_put(commerce_cli_t *cli, int argc, char **argv)
{
    int            c;
    channel_put_t  put;
    struct option  options[] = {
        { "seller", required_argument, NULL, 's' },
        { "group", required_argument, NULL, 'g' },
        { "field", required_argument, NULL, 'f' },
        { "origin", required_argument, NULL, 'o' },
        { "platform", required_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 }
    };

    memset(&put, 0, sizeof(channel_put_t));

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        switch (c) {
        case 's':
            put.seller = optarg;
            break;
        case 'g':
            put.group = optarg;
            break;
        case 'f':
            put.field = optarg;
            break;
        case 'o':
            put.origin = optarg;
            break;
        case 'p':
            put.platform = optarg;
            break;
        default:
            return COMMERCE_CLI_USAGE;
        }
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "id", argv[optind], &put.id) != COMMERCE_CLI_OK
        || channel_words(cli, &put, &put.channel) != COMMERCE_CLI_OK
        || commerce_cli_keys(cli) != COMMERCE_CLI_OK || commerce_cli_open(cli, true) != COMMERCE_CLI_OK
        || commerce_cli_transact(cli, channel_work, &put) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    fprintf(cli->out, "channel %.*s: number %u, %s\n", commerce_cli_arg(put.id), put.channel.number, put.outcome);

    return COMMERCE_CLI_OK;
}


static int
channel_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int                  rc;
    uint64_t             number, version;
    channel_put_t       *put = data;
    commerce_channel_t   before, channel;

    rc = commerce_channel_find(&cli->reader, put->id, &before, &version);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "channel", put->id);
    }

    channel = before;
    channel.id = put->id;

    if (channel_words(cli, put, &channel) != COMMERCE_CLI_OK || channel_names(cli, put, &channel) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    put->channel = channel;
    put->outcome = "unchanged";

    if (rc == COMMERCE_OK && channel_same(&before, &channel)) {
        return COMMERCE_CLI_OK;
    }

    put->outcome = rc == COMMERCE_OK ? "changed" : "created";

    if (rc == COMMERCE_ABSENT) {

        if (commerce_number_take(&cli->reader, txn, "channel", COMMERCE_NUMBER_MAX, &number) != COMMERCE_OK) {
            return commerce_cli_fail(cli, "no number could be taken for channel \"%.*s\": all are given out, or the store"
                                     " is damaged (run \"commerce store check\")", commerce_cli_arg(put->id));
        }

        channel.number = (uint32_t) number;
        put->channel.number = channel.number;
    }

    commerce_channel_write(txn, cli->shop, &channel, version);

    return COMMERCE_CLI_OK;
}


/* what needs no store */
static int
channel_words(commerce_cli_t *cli, channel_put_t *put, commerce_channel_t *channel)
{
    if (put->field != NULL && commerce_field_parse(commerce_cstr(put->field), &channel->field) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no field: it is one of offline, public_commerce, social_media, private,"
                                 " message", commerce_cli_text(cli, commerce_cstr(put->field)));
    }

    if (put->origin != NULL && commerce_origin_parse(commerce_cstr(put->origin), &channel->origin) != COMMERCE_OK) {
        return commerce_cli_fail(cli, "\"%s\" is no origin: it is public or private",
                                 commerce_cli_text(cli, commerce_cstr(put->origin)));
    }

    return put->platform == NULL ? COMMERCE_CLI_OK : commerce_cli_id(cli, "platform", put->platform, &channel->platform);
}


static int
channel_names(commerce_cli_t *cli, channel_put_t *put, commerce_channel_t *channel)
{
    int               rc;
    commerce_group_t  group;

    if (put->seller != NULL && place_person(cli, put->seller, "seller", &channel->seller) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (put->group == NULL) {
        return COMMERCE_CLI_OK;
    }

    channel->group = 0;

    if (strcmp(put->group, "-") == 0) {
        return COMMERCE_CLI_OK;
    }

    rc = commerce_group_find(&cli->reader, commerce_cstr(put->group), &group, NULL);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "group", commerce_cstr(put->group));
    }

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no group \"%s\": make it with \"commerce group put\"",
                                 commerce_cli_text(cli, commerce_cstr(put->group)));
    }

    channel->group = group.number;

    return COMMERCE_CLI_OK;
}


static bool
channel_same(const commerce_channel_t *a, const commerce_channel_t *b)
{
    return a->seller == b->seller && a->group == b->group && a->field == b->field && a->origin == b->origin
           && commerce_equal(a->platform, b->platform);
}


int
commerce_cli_channel_show(commerce_cli_t *cli, int argc, char **argv)
{
    int                  rc;
    commerce_str_t       id, person, none;
    commerce_group_t     group;
    commerce_channel_t   channel;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK || commerce_cli_id(cli, "id", argv[1], &id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_channel_find(&cli->reader, id, &channel, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no channel \"%.*s\" in shop \"%.*s\": make it with \"commerce channel"
                                 " put\"", commerce_cli_arg(id), commerce_cli_arg(cli->shop));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "channel", id);
    }

    none = commerce_string("-");

    if (commerce_cli_person_name(cli, channel.seller, &person) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    if (channel.group == 0 || commerce_group_read(&cli->reader, channel.group, &group, NULL) != COMMERCE_OK) {
        group.id = none;
    }

    fprintf(cli->out, "channel   %.*s\nnumber    %u\nseller    %.*s\ngroup     %.*s\nfield     %s\norigin    %s\n"
            "platform  %.*s\n", commerce_cli_arg(id), channel.number, commerce_cli_arg(person),
            commerce_cli_arg(group.id), channel.field != COMMERCE_FIELD_NONE ? commerce_field_name(channel.field) : "-",
            channel.origin != COMMERCE_ORIGIN_NONE ? commerce_origin_name(channel.origin) : "-",
            commerce_cli_arg(channel.platform.len != 0 ? channel.platform : none));

    return COMMERCE_CLI_OK;
}


/* the file is the whole schedule; one without lines ends it */
int
commerce_cli_room_schedule(commerce_cli_t *cli, int argc, char **argv)
{
    int              rc;
    schedule_t      *schedule;
    commerce_str_t   data;

    if (argc != 3) {
        return COMMERCE_CLI_USAGE;
    }

    schedule = calloc(1, sizeof(schedule_t));
    if (schedule == NULL) {
        return commerce_cli_fail(cli, "out of memory");
    }

    schedule->cli = cli;
    schedule->path = argv[2];
    rc = COMMERCE_CLI_FAILED;

    if (commerce_cli_shop(cli) == COMMERCE_CLI_OK
        && commerce_cli_id(cli, "id", argv[1], &schedule->id) == COMMERCE_CLI_OK
        && commerce_cli_file(cli, argv[2], SCHEDULE_FILE_MAX, &data) == COMMERCE_CLI_OK
        && schedule_read(schedule, data) == COMMERCE_CLI_OK && commerce_cli_keys(cli) == COMMERCE_CLI_OK
        && commerce_cli_open(cli, true) == COMMERCE_CLI_OK
        && commerce_cli_transact(cli, schedule_work, schedule) == COMMERCE_CLI_OK)
    {
        fprintf(cli->out, "room %.*s: %u shifts\n", commerce_cli_arg(schedule->id), schedule->shift_count);
        rc = COMMERCE_CLI_OK;
    }

    free(schedule);

    return rc;
}


static int
schedule_read(schedule_t *schedule, commerce_str_t data)
{
    struct csv_parser  parser;

    if (csv_init(&parser, CSV_STRICT|CSV_STRICT_FINI) != 0) {
        return commerce_cli_fail(schedule->cli, "out of memory");
    }

    if (csv_parse(&parser, data.data, data.len, schedule_field, schedule_line, schedule) != data.len
        || csv_fini(&parser, schedule_field, schedule_line, schedule) != 0)
    {
        schedule->line++;
        schedule_wrong(schedule, "a quote stands where none may be");
    }

    csv_free(&parser);

    if (schedule->line == 0 && schedule->errors == 0) {
        schedule_wrong(schedule, "the first line names the columns, start,end,host");
    }

    if (schedule->errors != 0) {
        return commerce_cli_fail(schedule->cli, "nothing was changed, correct the file");
    }

    return COMMERCE_CLI_OK;
}


static void
schedule_field(void *field, size_t len, void *data)
{
    schedule_t  *schedule = data;

    if (schedule->count < SCHEDULE_FIELDS) {
        schedule->fields[schedule->count] = commerce_copy(schedule->cli->arena, (commerce_str_t) { field, len });
    }

    schedule->count++;
}


static void
schedule_line(int terminator, void *data)
{
    unsigned           count;
    schedule_t        *schedule = data;
    commerce_shift_t  *shift;
    commerce_str_t    *fields = schedule->fields;

    schedule->line++;
    count = schedule->count;
    schedule->count = 0;

    if (count != SCHEDULE_FIELDS) {
        schedule_wrong(schedule, "three columns, start,end,host");
        return;
    }

    if (schedule->line == 1) {
        if (!commerce_equal(fields[0], commerce_string("start")) || !commerce_equal(fields[1], commerce_string("end"))
            || !commerce_equal(fields[2], commerce_string("host")))
        {
            schedule_wrong(schedule, "the first line names the columns, start,end,host");
        }

        return;
    }

    if (schedule->shift_count == COMMERCE_SHIFTS_MAX) {
        schedule_wrong(schedule, "a room has up to 64 shifts");
        return;
    }

    shift = &schedule->shifts[schedule->shift_count];

    if (commerce_time_parse(fields[0], &shift->start) != COMMERCE_OK
        || commerce_time_parse(fields[1], &shift->end) != COMMERCE_OK)
    {
        schedule_wrong(schedule, "a time is written as 2026-11-01T20:00:00+08:00");
        return;
    }

    if (shift->start >= shift->end || (schedule->shift_count > 0 && shift->start < shift[-1].end)) {
        schedule_wrong(schedule, "a shift ends after its start, and begins when the one before has ended");
        return;
    }

    schedule->hosts[schedule->shift_count++] = fields[2];
}


static void
schedule_wrong(schedule_t *schedule, const char *what)
{
    schedule->errors++;
    fprintf(stderr, "%s:%u: %s\n", schedule->path, schedule->line, what);
}


static int
schedule_work(commerce_cli_t *cli, commerce_txn_t *txn, void *data)
{
    int               rc;
    unsigned          i;
    uint64_t          version;
    schedule_t       *schedule = data;
    commerce_room_t   room;

    rc = commerce_room_find(&cli->reader, schedule->id, &room, &version);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no room \"%.*s\" in shop \"%.*s\": make it with \"commerce room put\"",
                                 commerce_cli_arg(schedule->id), commerce_cli_arg(cli->shop));
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "room", schedule->id);
    }

    for (i = 0; i < schedule->shift_count; i++) {
        rc = place_person(cli, commerce_cli_text(cli, schedule->hosts[i]), "host", &schedule->shifts[i].host);

        if (rc == COMMERCE_CLI_OK && schedule->shifts[i].host == 0) {
            rc = commerce_cli_fail(cli, "a shift without a host: leave its time out, the room's own host is on air then");
        }

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    room.shifts = schedule->shifts;
    room.shift_count = schedule->shift_count;
    commerce_room_write(txn, cli->shop, &room, version);

    return COMMERCE_CLI_OK;
}


/* "-": nobody */
static int
place_person(commerce_cli_t *cli, const char *text, const char *role, uint64_t *number)
{
    int                rc;
    commerce_str_t     id;
    commerce_person_t  person;

    *number = 0;

    if (strcmp(text, "-") == 0) {
        return COMMERCE_CLI_OK;
    }

    id = commerce_cstr(text);
    rc = commerce_person_find(&cli->reader, id, &person, NULL);

    if (rc == COMMERCE_ERROR) {
        return commerce_cli_unreadable(cli, "person", id);
    }

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no person \"%s\" to be the %s: import that person first",
                                 commerce_cli_text(cli, id), role);
    }

    *number = person.number;

    return COMMERCE_CLI_OK;
}
