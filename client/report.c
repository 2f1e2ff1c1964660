/*
 * The account of a download.
 *
 * Owns the figures per source and the form they are shown in.
 */
#include "client/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static struct report_source *
source_find(struct report *report, const char *url, bool origin)
{
    for (unsigned i = 0; i < report->source_count; i++)
        if (report->sources[i].origin == origin &&
            strcmp(report->sources[i].url, url) == 0)
            return &report->sources[i];
    return NULL;
}

struct report_source *
report_source(struct report *report, const char *id, const char *url,
              bool origin)
{
    struct report_source *source = source_find(report, url, origin);

    if (source == NULL && report->source_count >= REPORT_SOURCES) {
        id = "";
        url = REPORT_OTHERS;
        source = source_find(report, url, origin);
    }
    if (source != NULL)
        return source;
    source = &report->sources[report->source_count++];
    snprintf(source->id, sizeof(source->id), "%s", id);
    snprintf(source->url, sizeof(source->url), "%s", url);
    source->origin = origin;
    return source;
}

void
report_failure(struct report_source *source, bool lied, const char *reason)
{
    source->failed++;
    if (source->lied)
        return; /* nothing is graver */
    source->lied = lied;
    snprintf(source->reason, sizeof(source->reason), "%s", reason);
}

void
report_restart(struct report *report)
{
    report->restarts++;
    report->resumed = 0;
    for (unsigned i = 0; i < report->source_count; i++)
        report->sources[i].bytes = report->sources[i].pieces = 0;
}

uint64_t
report_bytes(const struct report *report, bool origin)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < report->source_count; i++)
        if (report->sources[i].origin == origin)
            bytes += report->sources[i].bytes;
    return bytes;
}

static json_t *
text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* As typed, but for what is no UTF-8 (or was cut amid a character). */
static json_t *
url_json(const char *url)
{
    struct ol_error clean;
    json_t *json = json_string(url);

    if (json != NULL)
        return json;
    ol_error_set(&clean, EINVAL, "%s", url);
    return json_string(clean.text);
}

static json_t *
source_json(const struct report_source *source)
{
    return json_pack(
        "{s:o, s:s, s:s, s:I, s:I, s:I, s:o}", "id", text_or_null(source->id),
        "url", source->url, "kind", source->origin ? "origin" : "peer", "bytes",
        (json_int_t)source->bytes, "pieces", (json_int_t)source->pieces,
        "failed", (json_int_t)source->failed, "error",
        text_or_null(source->reason));
}

static json_t *
culprit_json(const struct report_source *source)
{
    return json_pack("{s:o, s:s, s:s}", "id", text_or_null(source->id), "url",
                     source->url, "reason", source->reason);
}

static json_t *
told_json(const struct report *report)
{
    switch (report->told) {
    case TOLD:
        return json_true();
    case TOLD_FAILED:
        return json_string(report->told_why.text);
    default:
        return json_null();
    }
}

static json_t *
report_json(const struct report *report)
{
    json_t *sources = json_array(), *culprits = json_array();

    for (unsigned i = 0; i < report->source_count; i++) {
        const struct report_source *source = &report->sources[i];

        json_array_append_new(sources, source_json(source));
        if (source->failed > 0)
            json_array_append_new(culprits, culprit_json(source));
    }
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:I, s:f, s:b, s:o, s:o, s:I, s:o, s:I, s:o}",
        "url", url_json(report->url), "root", text_or_null(report->root),
        "sha256", text_or_null(report->sha256), "size",
        (json_int_t)report->size, "resumed", (json_int_t)report->resumed,
        "seconds", report->seconds, "verified", report->verified, "sources",
        sources, "culprits", culprits, "restarts", (json_int_t)report->restarts,
        "reported", told_json(report), "exit", (json_int_t)report->outcome,
        "error", text_or_null(report->error.text));
}

void
report_write_json(const struct report *report, FILE *to)
{
    json_t *json = report_json(report);

    if (json == NULL) { /* only without memory */
        fputs("{\"error\": \"no memory for the report\"}\n", to);
        return;
    }
    json_dumpf(json, to, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', to);
    json_decref(json);
}

void
report_write_text(const struct report *report, FILE *to)
{
    uint64_t peers = report_bytes(report, false);
    uint64_t origin = report_bytes(report, true);

    for (unsigned i = 0; i < report->source_count; i++) {
        const struct report_source *source = &report->sources[i];

        fprintf(to, "  %-6s %12" PRIu64 " bytes  %s%s%s\n",
                source->origin ? "origin" : "peer", source->bytes, source->url,
                source->failed > 0 ? "  failed: " : "", source->reason);
    }
    fprintf(to,
            "%" PRIu64 " bytes in %.1f s: %" PRIu64 " from peers, %" PRIu64
            " from the origin",
            report->size, report->seconds, peers, origin);
    if (report->resumed > 0)
        fprintf(to, ", %" PRIu64 " from an earlier time", report->resumed);
    fprintf(to, "\n%s\n",
            report->verified
                ? "verified: SHA-256 as the site signed it"
                : "not verified: the site gave no manifest for it");
}
