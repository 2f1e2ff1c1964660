/*
 * GET /metrics: what the coordinators of one Redis share, each with the same
 * value, then the counters of this one.  Labels are words of ours only.
 *
 * Must not know where the numbers are from.
 */
#include "coordinator/status/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/status/metrics.h"

static void
put_head(FILE *out, const char *name, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void
put_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void
put_states(FILE *out, const struct view *v)
{
    put_head(out, "offload_nodes", "Nodes that are known, by state");
    for (size_t i = 0; i < VIEW_STATES; i++)
        fprintf(out, "offload_nodes{state=\"%s\"} %zu\n", view_states[i],
                v->node_states[i]);
    fprintf(out, "offload_nodes{state=\"excluded\"} %" PRIu64 "\n",
            v->excluded_total);
}

/* Contents of the page's list only, since others are asked for less. */
static uint64_t
short_count(const struct view_stored *s)
{
    uint64_t count = 0;

    for (size_t i = 0; i < s->hot_count; i++)
        count += s->hot[i].holders < s->hot[i].wanted;
    return count;
}

static uint64_t
oldest_sync_s(const struct view *v)
{
    uint64_t oldest = 0, age, now = (uint64_t)v->now_s;

    for (size_t i = 0; i < v->stored->site_count; i++) {
        const struct view_site *site = &v->stored->sites[i];
        uint64_t last = site->synced != 0 ? site->synced : site->joined;

        age = now > last ? now - last : 0;
        if (age > oldest)
            oldest = age;
    }
    return oldest;
}

static void
put_stored(FILE *out, const struct view *v)
{
    const struct view_stored *s = v->stored;

    put_gauge(out, "offload_sites", "Sites that have joined", s->site_total);
    put_gauge(out, "offload_contents", "Contents that sites offer",
              s->contents);
    put_gauge(out, "offload_contents_short",
              "Of the 50 most wanted contents, those with too few holders",
              short_count(s));
    put_gauge(out, "offload_sync_age_seconds",
              "Of the first 100 sites, how long ago the slowest last answered",
              oldest_sync_s(v));
    put_gauge(out, "offload_redis_memory_bytes", "Memory that Redis uses",
              s->memory);
    put_gauge(out, "offload_redis_memory_max_bytes",
              "Memory that Redis may use, 0 if there is no limit",
              s->memory_max);
    put_gauge(out, "offload_redis_aof",
              "Whether Redis keeps an append-only file", s->aof);
}

char *
exposition_render(const struct view *v, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);

    if (out == NULL)
        return NULL;
    put_head(out, "offload_build_info", "The version that runs");
    fprintf(out, "offload_build_info{version=\"%s\"} 1\n", v->version);
    put_gauge(out, "offload_start_time_seconds", "When it was started",
              (uint64_t)v->started_s);
    put_gauge(out, "offload_workers", "Processes of this coordinator",
              v->workers);
    put_gauge(out, "offload_redis_up", "Whether Redis answers", !v->stale);
    put_states(out, v);
    put_gauge(out, "offload_nodes_bytes_per_second",
              "What the nodes that are there send", v->rate);
    if (v->stored->taken_s != 0)
        put_stored(out, v);
    metrics_write(out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
