/*
 * Copyright (C) ngx_commerce authors
 *
 * commerce people: reading the CSV file, and showing a person.
 */

#include <csv.h>
#include <stdlib.h>

#include "commerce_cli_people.h"

#define PEOPLE_FILE_MAX  (256 * 1024 * 1024)
#define PEOPLE_FIELDS    16


typedef struct {
    commerce_cli_people_t  *people;
    unsigned                line;           /* being read */
    unsigned                start;          /* where the record began */
    bool                    ended;          /* a record ended on this line */
    bool                    header;         /* has been read */
    bool                    failed;         /* out of memory */
    int                     columns[PEOPLE_FIELDS];     /* commerce_cli_column_t */
    unsigned                column_count;
    commerce_str_t          fields[PEOPLE_FIELDS];
    unsigned                count;          /* of fields, also beyond PEOPLE_FIELDS */
} people_csv_t;


static int people_read(commerce_cli_people_t *people, commerce_str_t data);
static void people_read_lines(people_csv_t *csv, struct csv_parser *parser, commerce_str_t data);
static void people_read_error(people_csv_t *csv, struct csv_parser *parser);
static bool people_blank(commerce_str_t line);
static void people_field(void *field, size_t len, void *data);
static void people_record(int terminator, void *data);
static void people_header(people_csv_t *csv);
static int people_column(commerce_str_t name);
static void people_row(people_csv_t *csv);
static void people_cell(people_csv_t *csv, commerce_cli_row_t *row, commerce_cli_column_t column,
    commerce_str_t text);
static int people_identities(people_csv_t *csv, commerce_cli_row_t *row, commerce_str_t text);
static void people_words(char *out, size_t size, int count, const char *(*name)(int));
static const char *people_role(int i);
static const char *people_status(int i);
static const char *people_transfer(int i);
static int people_show(commerce_cli_t *cli, const commerce_person_t *person);
static int people_get(void *data, uint64_t number, commerce_person_t *person);


static const char *const  people_columns[] = {
    "id", "role", "status", "upline", "user", "store", "since", "successor", "transfer", "identities"
};


int
commerce_cli_people_import(commerce_cli_t *cli, int argc, char **argv)
{
    int                    c, rc, dry_run;
    const char            *tiers;
    commerce_str_t         data;
    commerce_cli_people_t  people;
    struct option          options[] = {
        { "dry-run", no_argument, &dry_run, 1 },
        { "tiers", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 }
    };

    dry_run = 0;
    tiers = "strict";

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 0 && c != 't') {
            return COMMERCE_CLI_USAGE;
        }

        tiers = c == 't' ? optarg : tiers;
    }

    if (argc - optind != 1) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_people_begin(&people, cli, argv[optind]) != COMMERCE_CLI_OK) {
        return COMMERCE_CLI_FAILED;
    }

    people.dry_run = dry_run;
    rc = COMMERCE_CLI_FAILED;

    if (commerce_cli_people_tiers(&people, tiers) == COMMERCE_CLI_OK
        && commerce_cli_shop(cli) == COMMERCE_CLI_OK
        && commerce_cli_file(cli, people.path, PEOPLE_FILE_MAX, &data) == COMMERCE_CLI_OK
        && commerce_cli_keys(cli) == COMMERCE_CLI_OK
        && people_read(&people, data) == COMMERCE_CLI_OK
        && commerce_cli_open(cli, !dry_run) == COMMERCE_CLI_OK)
    {
        rc = commerce_cli_people_apply(&people);
    }

    if (rc == COMMERCE_CLI_OK) {
        rc = commerce_cli_people_summary(&people);
    }

    commerce_cli_people_end(&people);

    return rc;
}


/* only memory stops it: whatever is wrong in the file is counted, so that all of it is shown */
static int
people_read(commerce_cli_people_t *people, commerce_str_t data)
{
    people_csv_t       csv;
    struct csv_parser  parser;

    memset(&csv, 0, sizeof(people_csv_t));
    csv.people = people;

    if (csv_init(&parser, CSV_STRICT|CSV_STRICT_FINI) != 0) {
        return commerce_cli_fail(people->cli, "out of memory");
    }

    if (data.len >= 3 && memcmp(data.data, "\xef\xbb\xbf", 3) == 0) {
        data.data += 3;
        data.len -= 3;
    }

    people_read_lines(&csv, &parser, data);
    csv_free(&parser);

    if (csv.failed) {
        return commerce_cli_fail(people->cli, "out of memory");
    }

    if (!csv.header && people->errors == 0) {
        commerce_cli_people_error(people, 0, "the file is empty: its first line names the columns,"
                                  " id,role,status,upline,user");
    }

    return COMMERCE_CLI_OK;
}


/* line by line, or the reader would not know where a record began */
static void
people_read_lines(people_csv_t *csv, struct csv_parser *parser, commerce_str_t data)
{
    const char      *end;
    commerce_str_t   line;

    csv->ended = true;

    while (data.len != 0 && !csv->failed) {
        end = memchr(data.data, '\n', data.len);

        line.data = data.data;
        line.len = end != NULL ? (size_t) (end - data.data) + 1 : data.len;
        data.data += line.len;
        data.len -= line.len;

        csv->line++;

        if (csv->ended) {
            csv->start = csv->line;

            if (people_blank(line)) {
                continue;
            }
        }

        csv->ended = false;

        if (csv_parse(parser, line.data, line.len, people_field, people_record, csv) != line.len) {
            people_read_error(csv, parser);
            return;
        }
    }

    if (csv_fini(parser, people_field, people_record, csv) != 0) {
        commerce_cli_people_error(csv->people, csv->start, "a quoted field begins here and does not"
                                  " end: close the quote, and write a quote inside as \"\"");
    }
}


static void
people_read_error(people_csv_t *csv, struct csv_parser *parser)
{
    if (csv_error(parser) != CSV_EPARSE) {
        csv->failed = true;
        return;
    }

    commerce_cli_people_error(csv->people, csv->line, "a quote stands where none may be: put the"
                              " whole field into quotes, and write a quote inside as \"\" (the rest"
                              " of the file was not read)");
}


static bool
people_blank(commerce_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (strchr(" \t\r\n", line.data[i]) == NULL || line.data[i] == '\0') {
            return false;
        }
    }

    return true;
}


static void
people_field(void *field, size_t len, void *data)
{
    people_csv_t    *csv = data;
    commerce_str_t  *copy;

    if (csv->count < PEOPLE_FIELDS) {
        copy = &csv->fields[csv->count];
        *copy = commerce_copy(commerce_cli_pool_arena(csv->people->pool), (commerce_str_t) { field, len });
        csv->failed = csv->failed || copy->data == NULL;
    }

    csv->count++;
}


static void
people_record(int terminator, void *data)
{
    people_csv_t  *csv = data;

    csv->ended = true;

    if (csv->failed) {
        return;
    }

    if (csv->header) {
        people_row(csv);

    } else {
        people_header(csv);
    }

    csv->count = 0;
}


static void
people_header(people_csv_t *csv)
{
    int       column;
    bool      seen[COMMERCE_CLI_COLUMNS];
    unsigned  i;

    memset(seen, 0, sizeof(seen));
    csv->header = true;

    for (i = 0; i < csv->count && i < PEOPLE_FIELDS; i++) {
        column = people_column(csv->fields[i]);
        csv->columns[i] = column;

        if (column == COMMERCE_CLI_COLUMNS) {
            commerce_cli_people_error(csv->people, csv->start, "there is no column \"%s\": the"
                                      " columns are id, role, status, upline, user, store, since, successor, transfer"
                                      " and identities",
                                      commerce_cli_text(csv->people->cli, csv->fields[i]));

        } else if (seen[column]) {
            commerce_cli_people_error(csv->people, csv->start, "column \"%s\" stands there twice:"
                                      " keep one", people_columns[column]);

        } else {
            seen[column] = true;
        }
    }

    csv->column_count = i;

    if (csv->count > PEOPLE_FIELDS) {
        commerce_cli_people_error(csv->people, csv->start, "%u columns: there are no more than id, role,"
                                  " status, upline, user, store, since, successor, transfer and identities", csv->count);
    }

    if (!seen[COMMERCE_CLI_COLUMN_ID]) {
        commerce_cli_people_error(csv->people, csv->start, "there is no column \"id\": the first"
                                  " line names the columns, id,role,status,upline,user");
    }
}


static int
people_column(commerce_str_t name)
{
    int  column;

    for (column = 0; column < COMMERCE_CLI_COLUMNS; column++) {
        if (commerce_equal(name, commerce_cstr(people_columns[column]))) {
            break;
        }
    }

    return column;
}


static void
people_row(people_csv_t *csv)
{
    unsigned             i;
    commerce_cli_row_t  *row;

    if (csv->count != csv->column_count) {
        commerce_cli_people_error(csv->people, csv->start, "%u fields where the first line names %u"
                                  " columns", csv->count, csv->column_count);
        return;
    }

    row = commerce_cli_people_row(csv->people);
    if (row == NULL) {
        csv->failed = true;
        return;
    }

    row->line = csv->start;

    for (i = 0; i < csv->column_count; i++) {
        if (csv->columns[i] != COMMERCE_CLI_COLUMNS) {
            people_cell(csv, row, (commerce_cli_column_t) csv->columns[i], csv->fields[i]);
        }
    }

    /* a person without an id cannot be looked at any further; others are, for their other faults */

    if (!row->has[COMMERCE_CLI_COLUMN_ID]) {
        csv->people->count--;
    }
}


static void
people_cell(people_csv_t *csv, commerce_cli_row_t *row, commerce_cli_column_t column,
    commerce_str_t text)
{
    int          rc;
    char         words[256];

    rc = COMMERCE_OK;

    switch (column) {
    case COMMERCE_CLI_COLUMN_ROLE:
    case COMMERCE_CLI_COLUMN_STATUS:
    case COMMERCE_CLI_COLUMN_TRANSFER:
        if (text.len == 0) {
            return;
        }

        if (column == COMMERCE_CLI_COLUMN_ROLE) {
            rc = commerce_role_parse(text, &row->role);
            people_words(words, sizeof(words), COMMERCE_ROLES, people_role);

        } else if (column == COMMERCE_CLI_COLUMN_STATUS) {
            rc = commerce_person_status_parse(text, &row->status);
            people_words(words, sizeof(words), COMMERCE_PERSON_STATUSES, people_status);

        } else {
            rc = commerce_transfer_parse(text, &row->transfer);
            people_words(words, sizeof(words), COMMERCE_TRANSFERS, people_transfer);
        }

        if (rc != COMMERCE_OK) {
            commerce_cli_people_error(csv->people, row->line, "\"%s\" is no %s: it is one of %s",
                                      commerce_cli_text(csv->people->cli, text), people_columns[column], words);
        }
        break;

    case COMMERCE_CLI_COLUMN_SINCE:
        if (text.len == 0) {
            return;
        }

        rc = commerce_time_parse(text, &row->since);

        if (rc != COMMERCE_OK) {
            commerce_cli_people_error(csv->people, row->line, "\"%s\" is no time: write it as"
                                      " 2026-11-01T00:00:00Z", commerce_cli_text(csv->people->cli, text));
        }
        break;

    case COMMERCE_CLI_COLUMN_IDENTITIES:
        rc = people_identities(csv, row, text);
        break;

    default:
        if ((text.len != 0 || column == COMMERCE_CLI_COLUMN_ID) && !commerce_id_valid(text)) {
            commerce_cli_people_error(csv->people, row->line, "\"%s\" is no %s: it has 1 to %d"
                                      " bytes of UTF-8 without control characters",
                                      commerce_cli_text(csv->people->cli, text), people_columns[column],
                                      COMMERCE_ID_MAX);
            rc = COMMERCE_ERROR;
        }

        *(column == COMMERCE_CLI_COLUMN_ID ? &row->id
          : column == COMMERCE_CLI_COLUMN_UPLINE ? &row->upline
          : column == COMMERCE_CLI_COLUMN_STORE ? &row->store
          : column == COMMERCE_CLI_COLUMN_SUCCESSOR ? &row->successor : &row->user) = text;
    }

    row->has[column] = rc == COMMERCE_OK;
}


/* names with a space between them */
static int
people_identities(people_csv_t *csv, commerce_cli_row_t *row, commerce_str_t text)
{
    size_t           len;
    commerce_str_t   name;

    row->identities = commerce_alloc(commerce_cli_pool_arena(csv->people->pool),
                                     COMMERCE_IDENTITIES_MAX * sizeof(commerce_str_t));

    if (row->identities == NULL) {
        csv->failed = true;
        return COMMERCE_ERROR;
    }

    while (text.len != 0) {

        for (len = 0; len < text.len && text.data[len] != ' '; len++) {
            /* void */
        }

        name = (commerce_str_t) { text.data, len };
        len += len < text.len;
        text.data += len;
        text.len -= len;

        if (name.len == 0) {
            continue;
        }

        if (row->identity_count == COMMERCE_IDENTITIES_MAX || !commerce_id_valid(name)) {
            commerce_cli_people_error(csv->people, row->line, "\"%s\" is one name too many, or none: a person has"
                                      " up to %d identities of 1 to %d bytes, with a space between them",
                                      commerce_cli_text(csv->people->cli, name), COMMERCE_IDENTITIES_MAX,
                                      COMMERCE_ID_MAX);
            return COMMERCE_ERROR;
        }

        row->identities[row->identity_count++] = name;
    }

    return COMMERCE_OK;
}


static void
people_words(char *out, size_t size, int count, const char *(*name)(int))
{
    int     i;
    size_t  used;

    used = 0;

    for (i = 0; i < count && used < size; i++) {
        used += (size_t) snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ", name(i));
    }
}


static const char *
people_role(int i)
{
    return commerce_role_name((commerce_role_t) i);
}


static const char *
people_status(int i)
{
    return commerce_person_status_name((commerce_person_status_t) i);
}


static const char *
people_transfer(int i)
{
    return commerce_transfer_name((commerce_transfer_t) i);
}


int
commerce_cli_people_show(commerce_cli_t *cli, int argc, char **argv)
{
    int                rc;
    commerce_str_t     id;
    commerce_person_t  person;

    if (argc != 2) {
        return COMMERCE_CLI_USAGE;
    }

    if (commerce_cli_shop(cli) != COMMERCE_CLI_OK
        || commerce_cli_id(cli, "person's id", argv[1], &id) != COMMERCE_CLI_OK
        || commerce_cli_open(cli, false) != COMMERCE_CLI_OK
        || commerce_cli_view(cli, NULL) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    rc = commerce_person_find(&cli->reader, id, &person, NULL);

    if (rc == COMMERCE_ABSENT) {
        return commerce_cli_fail(cli, "there is no person \"%s\" in shop \"%s\": import that"
                                 " person, or name another shop with --shop", argv[1],
                                 cli->shop_name);
    }

    if (rc != COMMERCE_OK) {
        return commerce_cli_unreadable(cli, "person", id);
    }

    return people_show(cli, &person);
}


static int
people_show(commerce_cli_t *cli, const commerce_person_t *person)
{
    unsigned            i;
    commerce_str_t      upline, successor;
    commerce_lineage_t  lineage;

    if (commerce_cli_person_name(cli, person->upline, &upline) != COMMERCE_CLI_OK
        || commerce_cli_person_name(cli, person->successor, &successor) != COMMERCE_CLI_OK)
    {
        return COMMERCE_CLI_FAILED;
    }

    commerce_lineage_of(person, 0, people_get, cli, &lineage);

    fprintf(cli->out, "person    %.*s\n", commerce_cli_arg(person->id));
    fprintf(cli->out, "number    %llu\n", (unsigned long long) person->number);
    fprintf(cli->out, "role      %s\n", commerce_role_name(person->role));
    fprintf(cli->out, "status    %s\n", commerce_person_status_name(person->status));
    fprintf(cli->out, "upline    %.*s\n", commerce_cli_arg(upline));
    fprintf(cli->out, "depth     %u\n", lineage.depth);
    fprintf(cli->out, "downlines %lld\n",
            (long long) commerce_person_downlines(&cli->reader, person->number));
    fprintf(cli->out, "user      %.*s\n",
            commerce_cli_arg(person->user.len != 0 ? person->user : commerce_string("-")));
    fprintf(cli->out, "store     %.*s\n",
            commerce_cli_arg(person->store.len != 0 ? person->store : commerce_string("-")));

    if (person->since != 0) {
        fprintf(cli->out, "since     %s\n", commerce_cli_time(cli, person->since));
    }

    if (person->successor != 0) {
        fprintf(cli->out, "successor %.*s, %s\n", commerce_cli_arg(successor),
                commerce_transfer_name(person->transfer));
    }

    for (i = 0; i < person->identity_count; i++) {
        fprintf(cli->out, "identity  %.*s\n", commerce_cli_arg(person->identities[i]));
    }

    return COMMERCE_CLI_OK;
}


static int
people_get(void *data, uint64_t number, commerce_person_t *person)
{
    commerce_cli_t  *cli = data;

    return commerce_person_read(&cli->reader, number, person, NULL);
}
