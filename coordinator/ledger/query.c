/*
 * What is asked of the ledger, and its lines (query.h).
 *
 * Owns: dates, the form of a query and of a line.  Must not know the store.
 */
#include "coordinator/ledger/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "offload/encoding.h"

#define DAY_S 86400
#define VALUE_MAX 128
#define ABSENT INT64_MIN

static void
day_tm(int64_t day, struct tm *ret)
{
    time_t at = (time_t)day * DAY_S;

    gmtime_r(&at, ret);
}

void
ledger_date(int64_t day, char ret[LEDGER_DATE + 1])
{
    struct tm tm;

    day_tm(day, &tm);
    if (strftime(ret, LEDGER_DATE + 1, "%Y-%m-%d", &tm) == 0)
        ret[0] = '\0';
}

/* form: "####-##-##" or "########". */
static int
date_parse(const char *text, const char *form, int64_t *ret)
{
    char digits[9], again[LEDGER_DATE + 1];
    struct tm tm = {0};
    size_t n = 0;
    int date;

    for (size_t i = 0; i < strlen(form); i++) {
        if (form[i] == '#' ? !isdigit((unsigned char)text[i])
                           : text[i] != form[i])
            return -EINVAL;
        if (form[i] == '#')
            digits[n++] = text[i];
    }
    digits[n] = '\0';
    date = atoi(digits);
    tm.tm_year = date / 10000 - 1900;
    tm.tm_mon = date / 100 % 100 - 1;
    tm.tm_mday = date % 100;
    if (date < 19700101)
        return -EINVAL;
    *ret = timegm(&tm) / DAY_S;
    ledger_date(*ret, again); /* no 31st of February */
    return strncmp(again, digits, 4) == 0 &&
                   strncmp(again + 5, digits + 4, 2) == 0 &&
                   strncmp(again + 8, digits + 6, 2) == 0
               ? 0
               : -EINVAL;
}

static int
date_set(const char *name, const char *value, int64_t *ret,
         struct ol_error *err)
{
    if (strlen(value) != LEDGER_DATE ||
        date_parse(value, "####-##-##", ret) != 0)
        return ol_error_set(err, EINVAL, "%s: not a day, as 2026-11-30", name);
    return 0;
}

static int
format_set(const char *value, enum ledger_format *ret, struct ol_error *err)
{
    static const char *const names[] = {"json", "csv", "jsonl"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            *ret = (enum ledger_format)i;
            return 0;
        }
    }
    return ol_error_set(err, EINVAL, "format: none of json, csv, jsonl");
}

void
ledger_cursor_text(const struct ledger_cursor *cursor,
                   char ret[LEDGER_CURSOR_MAX])
{
    char date[LEDGER_DATE + 1];

    ledger_date(cursor->day, date);
    snprintf(ret, LEDGER_CURSOR_MAX, "%s.%.4s%.2s%.2s.%llu", cursor->node, date,
             date + 5, date + 8, (unsigned long long)cursor->place);
}

/* <node>.<day>.<place> */
static int
cursor_set(struct ledger_query *query, const char *value, struct ol_error *err)
{
    struct ledger_cursor *after = &query->after;
    uint8_t raw[OL_KEY_BYTES];
    char *end;

    if (strlen(value) < OL_KEY_CHARS + 11 ||
        ol_base64url_decode_exact(raw, sizeof(raw), value, OL_KEY_CHARS) != 0 ||
        value[OL_KEY_CHARS] != '.' ||
        date_parse(value + OL_KEY_CHARS + 1, "########.", &after->day) != 0 ||
        !isdigit((unsigned char)value[OL_KEY_CHARS + 10]))
        return ol_error_set(err, EINVAL, "after: not what a page named");
    memcpy(after->node, value, OL_KEY_CHARS);
    after->node[OL_KEY_CHARS] = '\0';
    after->place = strtoull(value + OL_KEY_CHARS + 10, &end, 10);
    if (*end != '\0')
        return ol_error_set(err, EINVAL, "after: not what a page named");
    query->resumed = true;
    return 0;
}

void
ledger_query_init(struct ledger_query *query)
{
    *query = (struct ledger_query){.from = ABSENT, .to = ABSENT};
}

int
ledger_query_set(struct ledger_query *query, const char *name,
                 const char *value, struct ol_error *err)
{
    if (strcmp(name, "from") == 0)
        return date_set(name, value, &query->from, err);
    if (strcmp(name, "to") == 0)
        return date_set(name, value, &query->to, err);
    if (strcmp(name, "format") == 0)
        return format_set(value, &query->format, err);
    if (strcmp(name, "after") == 0)
        return cursor_set(query, value, err);
    return ol_error_set(err, EINVAL,
                        "\"%s\" is none of from, to, format, after", name);
}

int
ledger_query_check(struct ledger_query *query, int64_t today,
                   struct ol_error *err)
{
    struct tm tm;

    if (query->to == ABSENT)
        query->to = today;
    day_tm(query->to, &tm);
    if (query->from == ABSENT)
        query->from = query->to - tm.tm_mday + 1;
    if (query->from > query->to)
        return ol_error_set(err, EINVAL, "from: after the last day");
    if (query->to - query->from >= LEDGER_DAYS_MAX)
        return ol_error_set(err, EINVAL, "from, to: more than %d days",
                            LEDGER_DAYS_MAX);
    return 0;
}

int
ledger_query_parse(const char *text, int64_t today, struct ledger_query *ret,
                   struct ol_error *err)
{
    char name[VALUE_MAX], *value;

    ledger_query_init(ret);
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "&");

        if (len >= sizeof(name))
            return ol_error_set(err, EINVAL, "the query has a long member");
        memcpy(name, text, len);
        name[len] = '\0';
        value = strchr(name, '=');
        if (value == NULL)
            return ol_error_set(err, EINVAL, "\"%s\" has no value", name);
        *value++ = '\0';
        if (ledger_query_set(ret, name, value, err) != 0)
            return -EINVAL;
        text += len + (text[len] == '&');
    }
    return ledger_query_check(ret, today, err);
}

/* Lines. */

void
ledger_print_head(FILE *out, enum ledger_format format)
{
    if (format == LEDGER_CSV)
        fputs("day,node,site,iss,confirmed,claimed,credited\r\n", out);
}

static void
print_field(FILE *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void
print_csv(FILE *out, const char *date, const char *node, const char *site,
          const struct store_ledger_line *line)
{
    fprintf(out, "%s,%s,%s,", date, node, site);
    print_field(out, line->iss);
    fprintf(out, ",%llu,%llu,%llu\r\n",
            (unsigned long long)line->sums.confirmed,
            (unsigned long long)line->sums.claimed,
            (unsigned long long)line->sums.credited);
}

void
ledger_print(FILE *out, enum ledger_format format, const char *node,
             const char *site, const struct store_ledger_line *line)
{
    char date[LEDGER_DATE + 1];
    json_t *json;

    ledger_date(line->day, date);
    if (format == LEDGER_CSV) {
        print_csv(out, date, node, site, line);
        return;
    }
    json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "day", date, "node",
                     node, "site", site, "iss", line->iss, "confirmed",
                     (json_int_t)line->sums.confirmed, "claimed",
                     (json_int_t)line->sums.claimed, "credited",
                     (json_int_t)line->sums.credited);
    json_dumpf(json, out, JSON_COMPACT);
    json_decref(json);
    if (format == LEDGER_JSONL)
        fputc('\n', out);
}
