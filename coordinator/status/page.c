/*
 * The status page as HTML: page.html with its {{names}} replaced.  status.js
 * writes the same words.
 *
 * Must not know where the numbers are from.
 */
#include "coordinator/status/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/status/assets.h"
#include "coordinator/status/plot.h"
#include "offload/text.h"

#define DASH "\xE2\x80\x93"
#define FULL_CIRCLE "\xE2\x97\x8F "
#define HALF_CIRCLE "\xE2\x97\x90 "
#define EMPTY_CIRCLE "\xE2\x97\x8B "
#define TRIANGLE "\xE2\x96\xBD "

/* Text. */

static void
put_text(FILE *out, const char *text)
{
    ol_text_escape(out, text, SIZE_MAX);
}

static void
put_bytes(FILE *out, uint64_t n)
{
    static const char *const units[] = {"B",  "kB", "MB", "GB",
                                        "TB", "PB", "EB"};
    double value = (double)n;
    size_t unit = 0;

    for (; value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        value /= 1000;
    fprintf(out, "%.*f %s", unit > 0 && value < 99.95 ? 1 : 0, value,
            units[unit]);
}

static void
put_span(FILE *out, int64_t s)
{
    if (s < 120)
        fprintf(out, "%" PRId64 " s", s < 0 ? 0 : s);
    else if (s < 7200)
        fprintf(out, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        fprintf(out, "%" PRId64 " h", s / 3600);
    else
        fprintf(out, "%" PRId64 " days", s / 86400);
}

static void
put_ago(FILE *out, int64_t now_s, uint64_t s)
{
    if (s == 0) {
        fputs("not yet", out);
        return;
    }
    put_span(out, now_s - (int64_t)s);
    fputs(" ago", out);
}

static void
put_shown(FILE *out, size_t count, uint64_t total)
{
    fprintf(out, "%zu of %" PRIu64, count, total);
}

/* Cells. */

static void
head_open(FILE *out)
{
    fputs("<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">", out);
}

static void
cell_open(FILE *out, const char *label, bool number)
{
    fprintf(out, "<td role=\"cell\" data-l=\"%s\"%s><span>", label,
            number ? " class=\"n\"" : "");
}

static void
cell_close(FILE *out)
{
    fputs("</span></td>", out);
}

static void
cell_text(FILE *out, const char *label, const char *text)
{
    cell_open(out, label, false);
    put_text(out, text[0] == '\0' ? DASH : text);
    cell_close(out);
}

static void
cell_number(FILE *out, const char *label, uint64_t n, const char *unit)
{
    cell_open(out, label, true);
    fprintf(out, "%" PRIu64 "%s", n, unit);
    cell_close(out);
}

static void
cell_bytes(FILE *out, const char *label, uint64_t n)
{
    cell_open(out, label, true);
    put_bytes(out, n);
    cell_close(out);
}

static void
cell_ago(FILE *out, const char *label, int64_t now_s, uint64_t s)
{
    cell_open(out, label, false);
    put_ago(out, now_s, s);
    cell_close(out);
}

static void
row_none(FILE *out, unsigned columns, const char *text)
{
    fprintf(out,
            "<tr role=\"row\"><td role=\"cell\" class=\"none\" "
            "colspan=\"%u\">%s</td></tr>\n",
            columns, text);
}

/* Nodes. */

static const struct {
    const char *kind, *text;
} states[VIEW_STATES] = {
    [VIEW_SERVING] = {"good", FULL_CIRCLE "serving"},
    [VIEW_TRIAL] = {"warn", HALF_CIRCLE "on trial"},
    [VIEW_DRAINING] = {"warn", TRIANGLE "draining"},
    [VIEW_AWAY] = {"bad", EMPTY_CIRCLE "away"},
};

static void
node_row(FILE *out, const struct view_node *node)
{
    double part =
        node->rate_max == 0 ? 0 : (double)node->rate / (double)node->rate_max;

    head_open(out);
    put_text(out, node->url);
    fputs("<small>", out);
    ol_text_escape(out, node->id, 12);
    fputs("</small></th>", out);
    cell_open(out, "State", false);
    fprintf(out, "<span class=\"%s\">%s</span>", states[node->state].kind,
            states[node->state].text);
    cell_close(out);
    cell_text(out, "Zone", node->zone);
    cell_open(out, "Sends", false);
    put_bytes(out, node->rate);
    fputs("/s", out);
    if (node->rate_max != 0) {
        fputs(" of ", out);
        put_bytes(out, node->rate_max);
        fprintf(out, "/s<meter aria-hidden=\"true\" value=\"%.3f\"></meter>",
                part < 1 ? part : 1);
    }
    cell_close(out);
    cell_number(out, "Connections", node->connections, "");
    cell_bytes(out, "Free space", node->free);
    cell_number(out, "Weight", node->weight, " %");
    cell_open(out, "Trust", false);
    fprintf(out, "%u %%<small>", node->trust);
    if (node->reason[0] != '\0') {
        put_text(out, node->reason);
        fputs("; ", out);
    }
    fprintf(out, "audits: %" PRIu64 " passed, %" PRIu64 " wrong</small>",
            node->audits_passed, node->audits_wrong);
    cell_close(out);
    fputs("</tr>\n", out);
}

static void
put_nodes(FILE *out, const struct view *v)
{
    for (size_t i = 0; i < v->node_count; i++)
        node_row(out, &v->nodes[i]);
    if (v->node_count == 0)
        row_none(out, 8, "No node has registered yet.");
}

static void
put_excluded(FILE *out, const struct view *v)
{
    for (size_t i = 0; i < v->excluded_count; i++) {
        const struct view_excluded *node = &v->excluded[i];

        head_open(out);
        put_text(out, node->url);
        fputs("<small>", out);
        put_text(out, node->id);
        fputs("</small></th>", out);
        cell_text(out, "Reason", node->reason);
        cell_text(out, "By", node->by);
        if (node->since == 0)
            cell_text(out, "Since", "");
        else
            cell_ago(out, "Since", v->now_s, node->since);
        fputs("</tr>\n", out);
    }
    if (v->excluded_count == 0)
        row_none(out, 4, "None.");
}

/* Contents and sites. */

static void
content_holders(FILE *out, const struct view_content *c)
{
    bool missing = c->holders < c->wanted;

    fprintf(out, "<span class=\"%s\">%s%" PRIu64 " of %u",
            missing ? "warn" : "good", missing ? HALF_CIRCLE : FULL_CIRCLE,
            c->holders, c->wanted);
    if (missing)
        fprintf(out, ", %" PRIu64 " missing", c->wanted - c->holders);
    fputs("</span>", out);
    if (c->incomplete > 0)
        fprintf(out, "<small>%" PRIu64 " in part</small>", c->incomplete);
}

static void
put_contents(FILE *out, const struct view *v)
{
    for (size_t i = 0; i < v->stored->hot_count; i++) {
        const struct view_content *c = &v->stored->hot[i];

        head_open(out);
        put_text(out, c->path[0] == '\0' ? c->root : c->path);
        fputs("<small>", out);
        ol_text_escape(out, c->root, 16);
        fputs("</small></th>", out);
        cell_text(out, "Site", c->origin);
        cell_bytes(out, "Size", c->size);
        cell_open(out, "Requests/h", true);
        fprintf(out, "%.*f", c->demand < 10 ? 1 : 0, c->demand);
        cell_close(out);
        cell_open(out, "Holders", false);
        content_holders(out, c);
        cell_close(out);
        fputs("</tr>\n", out);
    }
    if (v->stored->hot_count == 0)
        row_none(out, 5, "Nothing is asked for.");
}

static void
put_sites(FILE *out, const struct view *v)
{
    for (size_t i = 0; i < v->stored->site_count; i++) {
        const struct view_site *site = &v->stored->sites[i];

        head_open(out);
        put_text(out, site->origin);
        fputs("</th>", out);
        cell_number(out, "Contents", site->contents, "");
        cell_ago(out, "Last sync", v->now_s, site->synced);
        cell_ago(out, "Joined", v->now_s, site->joined);
        fputs("</tr>\n", out);
    }
    if (v->stored->site_count == 0)
        row_none(out, 4, "No site has joined yet.");
}

/* Plots. */

struct plot {
    const char *name, *title, *from, *each;
    const struct history_point *points;
    size_t count;
};

static void
put_sums(FILE *out, const struct plot *plot)
{
    uint64_t claimed = 0, credited = 0;

    for (size_t i = 0; i < plot->count; i++) {
        claimed += plot->points[i].claimed;
        credited += plot->points[i].credited;
    }
    put_bytes(out, claimed);
    fputs(" sent, ", out);
    put_bytes(out, credited);
    fputs(" credited", out);
}

static void
put_plot(FILE *out, const struct plot *plot)
{
    uint64_t top = plot_top(plot->points, plot->count);

    fprintf(out,
            "<figure id=\"plot-%s\" data-title=\"%s\" data-each=\"%s\">"
            "<figcaption><b>%s</b> <span class=\"sum\">",
            plot->name, plot->title, plot->each, plot->title);
    put_sums(out, plot);
    fputs("</span></figcaption><div class=\"top\">", out);
    put_bytes(out, top);
    fprintf(out,
            " %s</div><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
            "role=\"img\" aria-label=\"%s: ",
            plot->each, PLOT_WIDTH, PLOT_HEIGHT, plot->title);
    put_sums(out, plot);
    fputs("; the top is ", out);
    put_bytes(out, top);
    fprintf(out, " %s\"><path class=\"claimed\" d=\"", plot->each);
    plot_path(out, plot->points, plot->count, PLOT_CLAIMED, top);
    fputs("\"/><path class=\"credited\" d=\"", out);
    plot_path(out, plot->points, plot->count, PLOT_CREDITED, top);
    fprintf(out,
            "\"/></svg><div class=\"axis\"><span>%s</span><span>now</span>"
            "</div></figure>\n",
            plot->from);
}

static void
put_plots(FILE *out, const struct view *v)
{
    const struct store_history *h = &v->stored->history;
    const struct plot plots[] = {
        {"minutes", "Last hour", "1 h ago", "a minute", h->minutes,
         HISTORY_MINUTES},
        {"slots", "Last 24 hours", "24 h ago", "in 10 min", h->slots,
         HISTORY_SLOTS},
        {"days", "Last 30 days", "30 days ago", "a day", h->days, HISTORY_DAYS},
    };

    for (size_t i = 0; i < sizeof(plots) / sizeof(plots[0]); i++)
        put_plot(out, &plots[i]);
}

/* Single values. */

static void
put_state_class(FILE *out, const struct view *v)
{
    fputs(v->stale ? "stale" : "fresh", out);
}

static void
put_state(FILE *out, const struct view *v)
{
    if (!v->stale) {
        fputs("All is well", out);
        return;
    }
    fputs("Redis does not answer", out);
    if (v->stored->taken_s != 0) {
        fputs(": what it told is ", out);
        put_span(out, v->now_s - v->stored->taken_s);
        fputs(" old", out);
    }
}

static void
put_rate(FILE *out, const struct view *v)
{
    put_bytes(out, v->rate);
    fputs("/s", out);
}

static void
put_day(FILE *out, const struct view *v)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < HISTORY_SLOTS; i++)
        sum += v->stored->history.slots[i].claimed;
    put_bytes(out, sum);
}

static void
put_alive(FILE *out, const struct view *v)
{
    put_shown(out, v->node_alive, v->node_total);
}

static void
put_site_total(FILE *out, const struct view *v)
{
    fprintf(out, "%" PRIu64, v->stored->site_total);
}

static void
put_content_total(FILE *out, const struct view *v)
{
    fprintf(out, "%" PRIu64, v->stored->contents);
}

static void
put_nodes_shown(FILE *out, const struct view *v)
{
    put_shown(out, v->node_count, v->node_total);
}

static void
put_contents_shown(FILE *out, const struct view *v)
{
    put_shown(out, v->stored->hot_count, v->stored->hot_total);
}

static void
put_sites_shown(FILE *out, const struct view *v)
{
    put_shown(out, v->stored->site_count, v->stored->site_total);
}

static void
put_excluded_shown(FILE *out, const struct view *v)
{
    put_shown(out, v->excluded_count, v->excluded_total);
}

static void
put_version(FILE *out, const struct view *v)
{
    put_text(out, v->version);
}

static void
put_uptime(FILE *out, const struct view *v)
{
    put_span(out, v->now_s - v->started_s);
}

static void
put_workers(FILE *out, const struct view *v)
{
    fprintf(out, "%u", v->workers);
}

static void
put_redis(FILE *out, const struct view *v)
{
    put_text(out, v->stored->redis_version);
    fputs(v->redis_up ? ", answers" : ", away", out);
}

static void
put_aof(FILE *out, const struct view *v)
{
    fputs(v->stored->aof ? "on" : "off: the ledger is lost with Redis", out);
}

static void
put_memory(FILE *out, const struct view *v)
{
    put_bytes(out, v->stored->memory);
    if (v->stored->memory_max == 0) {
        fputs(", no limit", out);
        return;
    }
    fputs(" of ", out);
    put_bytes(out, v->stored->memory_max);
}

static void
put_store(FILE *out, const struct view *v)
{
    put_text(out, v->store);
}

static void
put_id(FILE *out, const struct view *v)
{
    put_text(out, v->id);
}

static void
put_key(FILE *out, const struct view *v)
{
    put_text(out, v->key);
}

static const struct {
    const char *name;
    void (*put)(FILE *out, const struct view *view);
} values[] = {
    {"state-class", put_state_class},
    {"state", put_state},
    {"rate", put_rate},
    {"day", put_day},
    {"alive", put_alive},
    {"site-total", put_site_total},
    {"content-total", put_content_total},
    {"plots", put_plots},
    {"nodes-shown", put_nodes_shown},
    {"nodes", put_nodes},
    {"contents-shown", put_contents_shown},
    {"contents", put_contents},
    {"sites-shown", put_sites_shown},
    {"sites", put_sites},
    {"excluded-shown", put_excluded_shown},
    {"excluded", put_excluded},
    {"version", put_version},
    {"uptime", put_uptime},
    {"workers", put_workers},
    {"redis", put_redis},
    {"aof", put_aof},
    {"memory", put_memory},
    {"store", put_store},
    {"id", put_id},
    {"key", put_key},
};

static void
put_value(FILE *out, const struct view *view, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (strlen(values[i].name) == len &&
            memcmp(values[i].name, name, len) == 0)
            values[i].put(out, view);
}

char *
page_render(const struct view *view, size_t *ret_len)
{
    size_t len;
    const char *at = asset_text(ASSET_PAGE, &len), *begin, *end;
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    if (out == NULL)
        return NULL;
    while ((begin = strstr(at, "{{")) != NULL &&
           (end = strstr(begin, "}}")) != NULL) {
        fwrite(at, 1, (size_t)(begin - at), out);
        put_value(out, view, begin + 2, (size_t)(end - begin) - 2);
        at = end + 2;
    }
    fputs(at, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
