/*
 * The ledger over HTTP (show.h).
 *
 * Owns: who may see it, and a page as an answer.  Must not know Redis.
 */
#include "coordinator/ledger/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/ledger/walk.h"
#include "coordinator/options.h"
#include "coordinator/sites/sites.h"
#include "offload/encoding.h"

#define DAY_S 86400

struct show {
    struct call call;
    char node[OL_KEY_CHARS + 1]; /* "": all */
    struct ledger_query query;
    struct ledger_walk *walk;
    FILE *out; /* the answer's body */
    char *text;
    size_t len, lines;
};

static void
show_release(struct call *call)
{
    struct show *show = (struct show *)call;

    if (show->out != NULL)
        fclose(show->out);
    free(show->text);
    ledger_walk_free(show->walk);
}

static void
on_line(void *arg, const char *node, const struct store_ledger_line *line)
{
    char site[SITE_ID_CHARS + 1];
    struct show *show = arg;

    site_id(line->iss, site);
    if (show->query.format == LEDGER_JSON && show->lines++ > 0)
        fputc(',', show->out);
    ledger_print(show->out, show->query.format, node, site, line);
}

static void
json_begin(struct show *show)
{
    char from[LEDGER_DATE + 1], to[LEDGER_DATE + 1];

    ledger_date(show->query.from, from);
    ledger_date(show->query.to, to);
    fprintf(show->out, "{\"from\":\"%s\",\"to\":\"%s\",\"lines\":[", from, to);
}

static void
json_end(struct show *show, const struct ledger_cursor *next,
         const struct store_ledger_sums *sums)
{
    char cursor[LEDGER_CURSOR_MAX];

    fputc(']', show->out);
    if (show->node[0] != '\0')
        fprintf(show->out,
                ",\"ever\":{\"confirmed\":%llu,\"claimed\":%llu,"
                "\"credited\":%llu,\"failed\":%llu}",
                (unsigned long long)sums->confirmed,
                (unsigned long long)sums->claimed,
                (unsigned long long)sums->credited,
                (unsigned long long)sums->failed);
    if (next != NULL) {
        ledger_cursor_text(next, cursor);
        fprintf(show->out, ",\"next\":\"%s\"", cursor);
    }
    fputs("}\n", show->out);
}

static void
link_header(const struct show *show, const struct ledger_cursor *next,
            char *ret, size_t cap)
{
    static const char *const formats[] = {"json", "csv", "jsonl"};
    char from[LEDGER_DATE + 1], to[LEDGER_DATE + 1], cursor[LEDGER_CURSOR_MAX];
    bool one = show->node[0] != '\0';

    ledger_date(show->query.from, from);
    ledger_date(show->query.to, to);
    ledger_cursor_text(next, cursor);
    snprintf(ret, cap,
             "Link: </v1/%s%s%sledger?from=%s&to=%s&format=%s&after=%s>; "
             "rel=\"next\"",
             one ? "nodes/" : "", show->node, one ? "/" : "", from, to,
             formats[show->query.format], cursor);
}

static void
show_answer(struct show *show, const struct ledger_cursor *next)
{
    static const char *const types[] = {
        "Content-Type: application/json",
        "Content-Type: text/csv; charset=utf-8",
        "Content-Type: application/jsonl",
    };
    char link[512];
    const char *headers[] = {types[show->query.format],
                             "Cache-Control: no-store", NULL, NULL};
    struct http_request *request = show->call.request;

    if (next != NULL) {
        link_header(show, next, link, sizeof(link));
        headers[2] = link;
    }
    show->call.request = NULL;
    http_reply(request, 200, headers, show->text, show->len);
}

static void
on_done(void *arg, int rc, const struct ledger_cursor *next,
        const struct store_ledger_sums *sums)
{
    struct show *show = arg;
    bool whole;

    if (show->query.format == LEDGER_JSON)
        json_end(show, next, sums);
    whole = fclose(show->out) == 0;
    show->out = NULL;
    if (rc != 0 || !whole)
        call_busy(&show->call, rc != 0 ? "the store is away" : "no memory");
    else if (show->call.request != NULL)
        show_answer(show, next);
    call_end(&show->call);
}

static void
show_begin(struct app *app, struct http_request *request, const char *node)
{
    struct ledger_query query;
    struct ledger_visitor visitor = {on_line, on_done, NULL};
    struct ol_error err = {""};
    struct show *show;
    int rc;

    if (ledger_query_parse(http_query(request), app_now() / DAY_S, &query,
                           &err) != 0) {
        reply_error(request, 400, "query: %s", err.text);
        return;
    }
    show = call_begin(app, request, sizeof(*show));
    if (show == NULL)
        return;
    visitor.arg = show;
    show->call.release = show_release;
    show->query = query;
    if (node != NULL)
        strcpy(show->node, node);
    show->out = open_memstream(&show->text, &show->len);
    if (show->out == NULL || ledger_walk_create(app->store, node, &query,
                                                &visitor, &show->walk) != 0) {
        call_busy(&show->call, "no memory");
        call_end(&show->call);
        return;
    }
    if (query.format == LEDGER_JSON)
        json_begin(show);
    else if (!query.resumed)
        ledger_print_head(show->out, query.format);
    rc = ledger_walk_page(show->walk);
    if (rc == -EINVAL)
        call_error(&show->call, 400, "query: after: beyond the period");
    else if (rc != 0)
        call_busy(&show->call, "the store is away");
    if (rc != 0)
        call_end(&show->call);
}

void
ledger_node_request(struct app *app, struct http_request *request,
                    const char *id, size_t id_len)
{
    char node[OL_KEY_CHARS + 1];
    uint8_t raw[OL_KEY_BYTES];

    if (ol_base64url_decode_exact(raw, sizeof(raw), id, id_len) != 0) {
        reply_error(request, 400, "node: not an id of %d characters",
                    OL_KEY_CHARS);
        return;
    }
    memcpy(node, id, OL_KEY_CHARS);
    node[OL_KEY_CHARS] = '\0';
    show_begin(app, request, node);
}

void
ledger_request(struct app *app, struct http_request *request)
{
    struct ol_addr client;

    http_client(request, &client);
    if (!ol_cidrs_contain(&app->options->admins, &client)) {
        reply_error(request, 403,
                    "the ledger of all nodes is for the operator's networks "
                    "(--admin-net)");
        return;
    }
    show_begin(app, request, NULL);
}
