/*
 * The lists of nodes and of invitations: line by line into tables that are
 * searched by bisection.
 *
 * Pure: must not know files, the clock or who asks.
 */
#include "coordinator/nodes/admission_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLANKS " \t\r"
#define WORDS 4 /* of a line, one more than any may have */
#define LINE_CHARS 512

/* The words of one line, without its comment. */
struct line {
    char text[LINE_CHARS];
    char *words[WORDS];
    size_t count;
    unsigned number;
};

static int
line_bad(const struct line *line, struct ol_error *err, const char *why)
{
    return ol_error_set(err, EINVAL, "line %u: %s", line->number, why);
}

static int
line_split(struct line *line, const char *text, size_t len,
           struct ol_error *err)
{
    char *rest = line->text, *word, *comment;

    line->count = 0;
    if (len >= sizeof(line->text))
        return line_bad(line, err, "it is too long");
    if (memchr(text, '\0', len) != NULL)
        return line_bad(line, err, "it has a NUL");
    memcpy(line->text, text, len);
    line->text[len] = '\0';
    comment = strchr(line->text, '#');
    if (comment != NULL)
        *comment = '\0';
    while ((word = strsep(&rest, BLANKS)) != NULL) {
        if (*word == '\0')
            continue;
        if (line->count == WORDS)
            return line_bad(line, err, "there are too many words");
        line->words[line->count++] = word;
    }
    return 0;
}

/* What follows "name=", or NULL. */
static const char *
word_value(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1
                                                             : NULL;
}

static bool
number_parse(const char *text, unsigned max, unsigned *ret)
{
    unsigned value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (!isdigit((unsigned char)*text))
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > max)
            return false;
    }
    *ret = value;
    return value != 0;
}

static int
node_line(const struct line *line, struct admission_node *ret,
          struct ol_error *err)
{
    uint8_t raw[OL_KEY_BYTES];
    const char *value;

    if (ol_base64url_decode_exact(raw, sizeof(raw), line->words[0],
                                  strlen(line->words[0])) != 0)
        return line_bad(line, err, "it does not begin with a node's id");
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->id, line->words[0], OL_KEY_CHARS);
    ret->weight = 100;
    for (size_t i = 1; i < line->count; i++) {
        if ((value = word_value(line->words[i], "weight")) != NULL) {
            if (!number_parse(value, ADMISSION_WEIGHT_MAX, &ret->weight))
                return line_bad(line, err, "weight: from 1 to 1000 percent");
        } else if ((value = word_value(line->words[i], "zone")) != NULL) {
            if (*value == '\0' || strlen(value) >= sizeof(ret->zone))
                return line_bad(line, err, "zone: from 1 to 7 characters");
            memcpy(ret->zone, value, strlen(value) + 1);
        } else {
            return line_bad(line, err, "only weight= and zone= may follow");
        }
    }
    return 0;
}

/* The end of that day (UTC). */
static bool
day_parse(const char *text, int64_t *ret)
{
    struct tm tm = {0}, back;
    char again[16];
    time_t at;

    if (strlen(text) != 10 ||
        sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    at = timegm(&tm);
    if (gmtime_r(&at, &back) == NULL ||
        strftime(again, sizeof(again), "%Y-%m-%d", &back) != 10 ||
        strcmp(again, text) != 0)
        return false;
    *ret = (int64_t)at + 86400;
    return true;
}

static void
token_hash(const char *token, char ret[OL_HEX_LEN(OL_HASH_BYTES) + 1])
{
    uint8_t hash[OL_HASH_BYTES];

    ol_sha256(token, strlen(token), hash);
    ol_hex_encode(ret, hash, sizeof(hash));
}

static int
token_line(const struct line *line, struct admission_token *ret,
           struct ol_error *err)
{
    size_t len = strlen(line->words[0]);
    const char *value;

    if (len < ADMISSION_TOKEN_MIN || len > ADMISSION_TOKEN_MAX)
        return line_bad(line, err, "a token has 16 to 128 characters");
    token_hash(line->words[0], ret->hash);
    ret->uses = 1;
    ret->until_s = INT64_MAX;
    for (size_t i = 1; i < line->count; i++) {
        if ((value = word_value(line->words[i], "uses")) != NULL) {
            if (!number_parse(value, ADMISSION_USES_MAX, &ret->uses))
                return line_bad(line, err, "uses: from 1 to 10000");
        } else if ((value = word_value(line->words[i], "until")) != NULL) {
            if (!day_parse(value, &ret->until_s))
                return line_bad(line, err, "until: a day as 2026-12-31");
        } else {
            return line_bad(line, err, "only uses= and until= may follow");
        }
    }
    return 0;
}

/* Tables that grow, and are sorted at the end; both begin with their key. */

static int
entry_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int
key_compare(const void *key, const void *entry)
{
    return strcmp(key, entry);
}

static void *
table_room(void *table, size_t count, size_t size)
{
    if (count != 0 && (count < 16 || (count & (count - 1)) != 0))
        return table;
    return realloc(table, (count == 0 ? 16 : 2 * count) * size);
}

static int
node_add(struct admission_list *list, const struct line *line,
         struct ol_error *err)
{
    struct admission_node *grown =
        table_room(list->nodes, list->node_count, sizeof(*grown));
    int rc;

    if (grown == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    list->nodes = grown;
    rc = node_line(line, &grown[list->node_count], err);
    list->node_count += rc == 0;
    return rc;
}

static int
token_add(struct admission_list *list, const struct line *line,
          struct ol_error *err)
{
    struct admission_token *grown =
        table_room(list->tokens, list->token_count, sizeof(*grown));
    int rc;

    if (grown == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    list->tokens = grown;
    rc = token_line(line, &grown[list->token_count], err);
    list->token_count += rc == 0;
    return rc;
}

static int
lines_parse(const char *text, size_t len, struct admission_list *list,
            int (*add)(struct admission_list *list, const struct line *line,
                       struct ol_error *err),
            struct ol_error *err)
{
    const char *at = text, *end = text + len, *stop;
    struct line line = {.number = 0};
    int rc;

    for (; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        if (++line.number > ADMISSION_LINES)
            return line_bad(&line, err, "there are too many lines");
        rc = line_split(&line, at, (size_t)(stop - at), err);
        if (rc == 0 && line.count > 0)
            rc = add(list, &line, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* An error that names no line: which of two equal ones counts? */
static int
twice_check(const void *table, size_t count, size_t size, const char *what,
            struct ol_error *err)
{
    const char *at = table;

    for (size_t i = 1; i < count; i++)
        if (strcmp(at + i * size, at + (i - 1) * size) == 0)
            return ol_error_set(err, EINVAL, "%s is there twice", what);
    return 0;
}

int
admission_nodes_parse(const char *text, size_t len, struct admission_list *list,
                      struct ol_error *err)
{
    int rc = lines_parse(text, len, list, node_add, err);

    if (rc != 0 || list->node_count == 0)
        return rc;
    qsort(list->nodes, list->node_count, sizeof(*list->nodes), entry_compare);
    return twice_check(list->nodes, list->node_count, sizeof(*list->nodes),
                       "a node", err);
}

int
admission_tokens_parse(const char *text, size_t len,
                       struct admission_list *list, struct ol_error *err)
{
    int rc = lines_parse(text, len, list, token_add, err);

    if (rc != 0 || list->token_count == 0)
        return rc;
    qsort(list->tokens, list->token_count, sizeof(*list->tokens),
          entry_compare);
    return twice_check(list->tokens, list->token_count, sizeof(*list->tokens),
                       "a token", err);
}

void
admission_list_clear(struct admission_list *list)
{
    free(list->nodes);
    free(list->tokens);
    memset(list, 0, sizeof(*list));
}

const struct admission_node *
admission_node_find(const struct admission_list *list, const char *id)
{
    if (list->node_count == 0)
        return NULL;
    return bsearch(id, list->nodes, list->node_count, sizeof(*list->nodes),
                   key_compare);
}

const struct admission_token *
admission_token_find(const struct admission_list *list, const char *token,
                     int64_t now_s)
{
    char hash[OL_HEX_LEN(OL_HASH_BYTES) + 1];
    const struct admission_token *found;

    if (list->token_count == 0)
        return NULL;
    token_hash(token, hash);
    found = bsearch(hash, list->tokens, list->token_count,
                    sizeof(*list->tokens), key_compare);
    return found != NULL && now_s < found->until_s ? found : NULL;
}
