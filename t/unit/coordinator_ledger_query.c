/* Periods, formats and cursors of the ledger: taken, refused, and printed. */
#include "coordinator/ledger/query.c"

#include "tap.h"

#define NODE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TODAY 20779 /* 2026-11-22 */

static struct ledger_query query;
static struct ol_error err;

static void
takes(const char *text, const char *from, const char *to)
{
    char date[LEDGER_DATE + 1];

    is_int(ledger_query_parse(text, TODAY, &query, &err), 0, "\"%s\"",
           text == NULL ? "" : text);
    ledger_date(query.from, date);
    is_str(date, from, "from %s", from);
    ledger_date(query.to, date);
    is_str(date, to, "to %s", to);
}

static void
refuses(const char *text, const char *why)
{
    is_int(ledger_query_parse(text, TODAY, &query, &err), -EINVAL,
           "\"%.60s\" is refused", text);
    is_str(err.text, why, "%s", why);
}

static void
test_periods(void)
{
    takes(NULL, "2026-11-01", "2026-11-22");
    takes("", "2026-11-01", "2026-11-22");
    takes("to=2026-02-28", "2026-02-01", "2026-02-28");
    takes("from=2024-02-29&to=2024-02-29", "2024-02-29", "2024-02-29");
    takes("from=2025-10-19", "2025-10-19", "2026-11-22");
    refuses("from=2025-10-18", "from, to: more than 400 days");
    refuses("from=2026-11-23", "from: after the last day");
    refuses("from=2026-02-29", "from: not a day, as 2026-11-30");
    refuses("from=2026-13-01", "from: not a day, as 2026-11-30");
    refuses("from=2026-00-01", "from: not a day, as 2026-11-30");
    refuses("to=0000-01-01", "to: not a day, as 2026-11-30");
    refuses("to=2026-1-1", "to: not a day, as 2026-11-30");
    refuses("to=2026-11-011", "to: not a day, as 2026-11-30");
    refuses("to=", "to: not a day, as 2026-11-30");
    refuses("to", "\"to\" has no value");
    refuses("until=1", "\"until\" is none of from, to, format, after");
    refuses("format=xml", "format: none of json, csv, jsonl");
    refuses(
        "a=0123456789012345678901234567890123456789012345678901234567890123"
        "456789012345678901234567890123456789012345678901234567890123456789",
        "the query has a long member");
}

static void
test_cursor(void)
{
    struct ledger_cursor cursor = {.node = NODE, .day = TODAY, .place = 4096};
    char text[LEDGER_CURSOR_MAX], member[LEDGER_CURSOR_MAX + 8];

    ledger_cursor_text(&cursor, text);
    is_str(text, NODE ".20261122.4096", "a cursor");
    snprintf(member, sizeof(member), "after=%s", text);
    is_int(ledger_query_parse(member, TODAY, &query, &err), 0, "is taken back");
    ok(query.resumed && query.after.day == TODAY && query.after.place == 4096 &&
           strcmp(query.after.node, NODE) == 0,
       "as it was");
    refuses("after=" NODE ".20261122.", "after: not what a page named");
    refuses("after=" NODE ".20261122.1x", "after: not what a page named");
    refuses("after=" NODE ".20261322.1", "after: not what a page named");
    refuses("after=" NODE, "after: not what a page named");
    refuses("after=x.20261122.1", "after: not what a page named");
}

static void
prints(enum ledger_format format, const char *iss, const char *want,
       const char *name)
{
    const struct store_ledger_line line = {
        .day = TODAY,
        .place = 1,
        .iss = iss,
        .sums = {.confirmed = 3, .claimed = 2, .credited = 1}};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    ledger_print(out, format, "N", "S", &line);
    fclose(out);
    is_str(text, want, "%s", name);
    free(text);
}

int
main(void)
{
    test_periods();
    test_cursor();
    prints(LEDGER_CSV, "https://a", "2026-11-22,N,S,https://a,3,2,1\r\n",
           "a line of CSV");
    prints(LEDGER_CSV, "a\",b", "2026-11-22,N,S,\"a\"\",b\",3,2,1\r\n",
           "with what needs quotes");
    prints(LEDGER_JSONL, "https://a",
           "{\"day\":\"2026-11-22\",\"node\":\"N\",\"site\":\"S\",\"iss\":"
           "\"https://a\",\"confirmed\":3,\"claimed\":2,\"credited\":1}\n",
           "a line of JSON");
    return tap_done();
}
