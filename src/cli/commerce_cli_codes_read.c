/*
 * Copyright (C) ngx_commerce authors
 *
 * The file of codes: one record on each line, read in blocks; each usable one becomes a row of the sort.
 */

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "commerce_cli_codes.h"

#define READ_BLOCK    (256 * 1024)
#define READ_LINE     4096              /* bytes of the longest line that is looked at */
#define READ_FIELDS   2
#define READ_ALIVE    65536             /* lines between two signs of life */

typedef enum {
    READ_CODE,
    READ_HOLDER,
    READ_COLUMNS
} read_column_t;

typedef struct {
    commerce_cli_codes_t  *codes;
    struct csv_parser      parser;
    EVP_MD_CTX            *digest;
    char                  *block;
    size_t                 start, len;          /* what of the block was not read yet */
    bool                   ended;               /* of the file */
    uint64_t               taken;               /* bytes */
    uint64_t               line;
    bool                   header;              /* has been read */
    bool                   failed;              /* said */
    int                    columns[READ_FIELDS];
    unsigned               column_count;
    char                   text[READ_FIELDS][READ_LINE];
    size_t                 lens[READ_FIELDS];
    unsigned               count;               /* of fields, also beyond READ_FIELDS */
} read_t;


static int read_start(read_t *in);
static int read_all(read_t *in);
static int read_line(read_t *in, commerce_str_t *line, bool *whole);
static int read_fill(read_t *in);
static int read_parse(read_t *in, commerce_str_t line);
static bool read_blank(commerce_str_t line);
static void read_field(void *field, size_t len, void *data);
static void read_record(int terminator, void *data);
static void read_header(read_t *in);
static void read_row(read_t *in);
static const char *read_code(read_t *in, commerce_str_t text, commerce_cli_sort_row_t *row);
static const char *read_holder(read_t *in, commerce_str_t text, commerce_cli_sort_row_t *row);
static void read_strength(commerce_cli_codes_t *codes, const commerce_imported_code_t *code);


static const char *const  read_columns[READ_COLUMNS] = { "code", "holder" };


int
commerce_cli_codes_read(commerce_cli_codes_t *codes)
{
    int      rc;
    read_t  *in;

    in = calloc(1, sizeof(read_t));
    if (in == NULL) {
        return commerce_cli_fail(codes->cli, "out of memory");
    }

    in->codes = codes;

    rc = read_start(in);

    if (rc == COMMERCE_CLI_OK) {
        rc = read_all(in);
        csv_free(&in->parser);
    }

    if (rc == COMMERCE_CLI_OK && EVP_DigestFinal_ex(in->digest, codes->digest, NULL) != 1) {
        rc = commerce_cli_fail(codes->cli, "the file's digest cannot be computed");
    }

    EVP_MD_CTX_free(in->digest);
    free(in->block);
    free(in);

    return rc;
}


static int
read_start(read_t *in)
{
    in->block = malloc(READ_BLOCK);
    in->digest = EVP_MD_CTX_new();
    in->codes->sort = commerce_cli_sort_create(COMMERCE_CLI_SORT_RUN);

    if (in->block == NULL || in->digest == NULL || in->codes->sort == NULL
        || EVP_DigestInit_ex(in->digest, EVP_sha256(), NULL) != 1
        || csv_init(&in->parser, CSV_STRICT|CSV_STRICT_FINI) != 0)
    {
        return commerce_cli_fail(in->codes->cli, "out of memory");
    }

    commerce_cli_progress_start(&in->codes->progress, "reading", "bytes", 0, in->codes->size);

    return COMMERCE_CLI_OK;
}


static int
read_all(read_t *in)
{
    int              rc;
    bool             whole;
    commerce_str_t   line;

    while ((rc = read_line(in, &line, &whole)) == COMMERCE_CLI_OK && line.data != NULL) {

        if (in->line++ == 0 && line.len >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0) {
            line.data += 3;
            line.len -= 3;
        }

        if (in->line > UINT32_MAX) {
            return commerce_cli_fail(in->codes->cli, "\"%s\" has too many lines: split it", in->codes->path);
        }

        if (in->line % READ_ALIVE == 0) {
            commerce_cli_alive(in->codes->cli);
        }

        if (!whole) {
            commerce_cli_codes_reject(in->codes, &in->codes->bad, (uint32_t) in->line, "is longer than %d bytes",
                                      READ_LINE);

        } else if (!read_blank(line)) {
            rc = read_parse(in, line);
        }

        if (rc != COMMERCE_CLI_OK) {
            return rc;
        }
    }

    if (rc != COMMERCE_CLI_OK) {
        return rc;
    }

    if (!in->header) {
        return commerce_cli_fail(in->codes->cli, "\"%s\" is empty: its first line names the columns, code or"
                                 " code,holder", in->codes->path);
    }

    if (in->codes->size != 0 && in->taken != in->codes->size) {
        return commerce_cli_fail(in->codes->cli, "\"%s\" changed while it was read: nothing was written, import it"
                                 " when it is complete", in->codes->path);
    }

    return COMMERCE_CLI_OK;
}


/* the next line without its end, in the block; data NULL: there is none; not whole: its end was skipped */

static int
read_line(read_t *in, commerce_str_t *line, bool *whole)
{
    char  *end;

    line->data = NULL;
    *whole = true;

    for ( ;; ) {
        end = memchr(in->block + in->start, '\n', in->len);

        if (end != NULL || (in->ended && in->len != 0)) {
            line->data = in->block + in->start;
            line->len = end != NULL ? (size_t) (end - line->data) : in->len;

            in->start += line->len + (end != NULL);
            in->len -= line->len + (end != NULL);
            *whole = *whole && line->len <= READ_LINE;

            return COMMERCE_CLI_OK;
        }

        if (in->ended) {
            if (!*whole) {              /* the last one was too long and has no end */
                line->data = in->block;
                line->len = 0;
            }

            return COMMERCE_CLI_OK;
        }

        if (in->len > READ_LINE) {
            *whole = false;
            in->len = 0;
        }

        if (read_fill(in) != COMMERCE_CLI_OK) {
            return COMMERCE_CLI_FAILED;
        }
    }
}


static int
read_fill(read_t *in)
{
    ssize_t  n;

    memmove(in->block, in->block + in->start, in->len);
    in->start = 0;

    do {
        n = read(in->codes->fd, in->block + in->len, READ_BLOCK - in->len);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return commerce_cli_fail(in->codes->cli, "reading \"%s\" failed: %s", in->codes->path, strerror(errno));
    }

    if (n == 0) {
        in->ended = true;
        return COMMERCE_CLI_OK;
    }

    if (EVP_DigestUpdate(in->digest, in->block + in->len, (size_t) n) != 1) {
        return commerce_cli_fail(in->codes->cli, "the file's digest cannot be computed");
    }

    in->len += (size_t) n;
    in->taken += (uint64_t) n;

    commerce_cli_progress_show(&in->codes->progress, in->taken);

    return COMMERCE_CLI_OK;
}


/* each line is a file of its own to the parser: a quote that goes wrong takes no other line along */

static int
read_parse(read_t *in, commerce_str_t line)
{
    in->count = 0;

    if (csv_parse(&in->parser, line.data, line.len, read_field, read_record, in) == line.len
        && csv_fini(&in->parser, read_field, read_record, in) == 0)
    {
        return in->failed ? COMMERCE_CLI_FAILED : COMMERCE_CLI_OK;
    }

    if (csv_error(&in->parser) != CSV_EPARSE) {
        return commerce_cli_fail(in->codes->cli, "out of memory");
    }

    csv_free(&in->parser);

    if (csv_init(&in->parser, CSV_STRICT|CSV_STRICT_FINI) != 0) {
        return commerce_cli_fail(in->codes->cli, "out of memory");
    }

    if (!in->header) {
        return commerce_cli_fail(in->codes->cli, "\"%s\": the first line has a quote where none may be: it names"
                                 " the columns, code or code,holder", in->codes->path);
    }

    commerce_cli_codes_reject(in->codes, &in->codes->bad, (uint32_t) in->line, "has a quote where none may be");

    return COMMERCE_CLI_OK;
}


static bool
read_blank(commerce_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') {
            return false;
        }
    }

    return true;
}


static void
read_field(void *field, size_t len, void *data)
{
    read_t  *in = data;

    if (in->count < READ_FIELDS) {
        memcpy(in->text[in->count], field, len);        /* no longer than its line */
        in->lens[in->count] = len;
    }

    in->count++;
}


static void
read_record(int terminator, void *data)
{
    read_t  *in = data;

    if (in->failed) {
        return;
    }

    if (in->header) {
        read_row(in);

    } else {
        read_header(in);
    }

    in->count = 0;
}


static void
read_header(read_t *in)
{
    int             column;
    bool            seen[READ_COLUMNS];
    unsigned        i;
    commerce_str_t  name;

    memset(seen, 0, sizeof(seen));
    in->header = true;

    for (i = 0; i < in->count && i < READ_FIELDS; i++) {
        name = (commerce_str_t) { in->text[i], in->lens[i] };

        for (column = 0; column < READ_COLUMNS; column++) {
            if (commerce_equal(name, commerce_cstr(read_columns[column])) && !seen[column]) {
                break;
            }
        }

        in->columns[i] = column;
        in->failed = in->failed || column == READ_COLUMNS;

        if (column != READ_COLUMNS) {
            seen[column] = true;
        }
    }

    in->column_count = i;

    if (in->failed || in->count > READ_FIELDS || !seen[READ_CODE]) {
        in->failed = true;
        (void) commerce_cli_fail(in->codes->cli, "\"%s\": the first line must name the columns, code or"
                                 " code,holder, and no others: nothing was imported", in->codes->path);
    }
}


static void
read_row(read_t *in)
{
    unsigned                 i;
    const char              *wrong;
    commerce_str_t           fields[READ_COLUMNS];
    commerce_cli_sort_row_t  row;

    if (in->count != in->column_count) {
        commerce_cli_codes_reject(in->codes, &in->codes->bad, (uint32_t) in->line,
                                  "has %u fields where the first line names %u columns", in->count,
                                  in->column_count);
        return;
    }

    memset(&row, 0, sizeof(row));
    memset(fields, 0, sizeof(fields));
    row.line = (uint32_t) in->line;

    for (i = 0; i < in->column_count; i++) {
        fields[in->columns[i]] = (commerce_str_t) { in->text[i], in->lens[i] };
    }

    wrong = read_code(in, fields[READ_CODE], &row);

    if (wrong == NULL) {
        wrong = read_holder(in, fields[READ_HOLDER], &row);
    }

    if (in->failed) {
        return;
    }

    if (wrong != NULL) {
        commerce_cli_codes_reject(in->codes, &in->codes->bad, row.line, "%s", wrong);
        return;
    }

    if (commerce_cli_sort_add(in->codes->sort, &row) != COMMERCE_OK) {
        in->failed = true;
        (void) commerce_cli_fail(in->codes->cli, "the temporary file cannot be written: %s (TMPDIR names another"
                                 " folder)", strerror(errno));
    }
}


/* NULL, or what is wrong with it */

static const char *
read_code(read_t *in, commerce_str_t text, commerce_cli_sort_row_t *row)
{
    const char                *wrong;
    commerce_cli_t            *cli;
    commerce_code_t            ours;
    commerce_imported_code_t   code;

    cli = in->codes->cli;

    wrong = commerce_imported_parse(text, &code);
    if (wrong != NULL) {
        return wrong;
    }

    /* an order that names it would get that coupon */

    if (commerce_code_parse(text, &ours) == COMMERCE_R(OK)
        && commerce_code_verify(cli->ring, cli->shop, &ours) == COMMERCE_R(OK))
    {
        return "is a code that was signed here";
    }

    if (commerce_imported_hash(cli->ring, cli->shop, &code, row->hash) != COMMERCE_OK) {
        in->failed = true;
        (void) commerce_cli_fail(cli, "a code's hash cannot be computed");
    }

    read_strength(in->codes, &code);

    return NULL;
}


static const char *
read_holder(read_t *in, commerce_str_t text, commerce_cli_sort_row_t *row)
{
    commerce_cli_codes_t  *codes;

    codes = in->codes;

    if (text.len == 0) {
        return codes->campaign.holder_required ? "has no holder, which the campaign requires" : NULL;
    }

    if (!commerce_id_valid(text)) {
        return "has a holder that is no user: 1 to 128 bytes of UTF-8 without control characters";
    }

    row->extra = codes->holders_size + 1;
    codes->holders_size += 1 + text.len;

    if (fputc((int) text.len, codes->holders) == EOF
        || fwrite(text.data, 1, text.len, codes->holders) != text.len)
    {
        in->failed = true;
        (void) commerce_cli_fail(codes->cli, "the temporary file cannot be written: %s (TMPDIR names another"
                                 " folder)", strerror(errno));
    }

    return NULL;
}


static void
read_strength(commerce_cli_codes_t *codes, const commerce_imported_code_t *code)
{
    unsigned  i;

    if (codes->shortest == 0 || code->len < codes->shortest) {
        codes->shortest = code->len;
    }

    for (i = 0; i < code->len && !codes->letters; i++) {
        codes->letters = code->text[i] < '0' || code->text[i] > '9';
    }
}
