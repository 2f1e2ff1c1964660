/*
 * What is asked of the ledger: a period of whole days (UTC), a format, where to
 * go on; and its lines in that format.  Pure.
 */
#ifndef COORDINATOR_LEDGER_QUERY_H
#define COORDINATOR_LEDGER_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "coordinator/store/ledger.h"
#include "offload/error.h"
#include "offload/key.h"

#define LEDGER_DATE 10       /* characters: "2026-11-30" */
#define LEDGER_DAYS_MAX 400  /* of one period; older ones are not kept */
#define LEDGER_CURSOR_MAX 96 /* characters */

enum ledger_format { LEDGER_JSON, LEDGER_CSV, LEDGER_JSONL };

/* The next line is that of this place or a later one. */
struct ledger_cursor {
    char node[OL_KEY_CHARS + 1]; /* "": before the first node */
    int64_t day;
    uint64_t place;
};

struct ledger_query {
    int64_t from, to; /* days since 1970, both included */
    enum ledger_format format;
    bool resumed; /* `after` was there */
    struct ledger_cursor after;
};

/* -EINVAL: err says what is wrong.  Absent: to is today, from the first day of
 * its month. */
int ledger_query_parse(const char *text, int64_t today,
                       struct ledger_query *ret, struct ol_error *err);
/* One member of it: "from", "to", "format" or "after". */
int ledger_query_set(struct ledger_query *query, const char *name,
                     const char *value, struct ol_error *err);
/* Defaults, and whether it makes sense. */
void ledger_query_init(struct ledger_query *query);
int ledger_query_check(struct ledger_query *query, int64_t today,
                       struct ol_error *err);

void ledger_date(int64_t day, char ret[LEDGER_DATE + 1]);
void ledger_cursor_text(const struct ledger_cursor *cursor,
                        char ret[LEDGER_CURSOR_MAX]);

/* The first line of CSV; nothing in the other formats. */
void ledger_print_head(FILE *out, enum ledger_format format);
/* One line, with its end: CSV as in RFC 4180, or JSON.  site: its id. */
void ledger_print(FILE *out, enum ledger_format format, const char *node,
                  const char *site, const struct store_ledger_line *line);

#endif
