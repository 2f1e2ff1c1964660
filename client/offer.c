/*
 * The first request: manifest, file, or redirect.
 *
 * Owns the negotiation headers and the unverified stream.  Knows nothing of
 * what a manifest says.
 */
#include "client/offer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "offload/jws.h"
#include "offload/manifest.h"

#define HEAD_STALL_MS 10000 /* an origin in need of help may be slow */
#define RESUME_POLL_MS 50
#define MANIFEST_TOTAL_MS 15000 /* where nothing but a manifest is wanted */

struct request {
    const struct offer_task *task;
    struct offer *offer;
    struct fetch *fetch;
    struct report_source *source;
    uv_timer_t poll; /* while paused: has the output room again? */
    bool done, closed;
    bool ranged; /* asked for the rest of the file */
    bool again;  /* there is no such rest: to be asked for the whole */
    int status;
    uint64_t total; /* of the file, 0: unknown */
    enum outcome outcome;
    struct ol_error *err;
};

static int
refuse(struct request *request, enum outcome outcome, const char *text)
{
    request->outcome = outcome;
    ol_error_set(request->err, EPROTO, "%s: %s", request->task->url, text);
    return -1;
}

static bool
is_manifest(const char *type)
{
    size_t len = strlen(OL_MANIFEST_TYPE);

    return type != NULL && strncasecmp(type, OL_MANIFEST_TYPE, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* Where a 206 begins and how long the whole is. */
static bool
parse_range(const char *text, uint64_t *ret_from, uint64_t *ret_total)
{
    uint64_t from, to, total;

    if (text == NULL ||
        sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &from, &to,
               &total) != 3 ||
        to + 1 != total)
        return false;
    *ret_from = from;
    *ret_total = total;
    return true;
}

static int
begin_file(struct request *request, struct fetch *fetch)
{
    const struct offer_task *task = request->task;
    struct offer_stream *stream = task->stream;
    const char *etag = fetch_header(fetch, "ETag");
    const char *length = fetch_header(fetch, "Content-Length");
    uint64_t offset = 0;

    if (task->output == NULL)
        return refuse(request, OUTCOME_REFUSED,
                      "the origin gives no manifest for it");
    if (request->status == 206) {
        if (!parse_range(fetch_header(fetch, "Content-Range"), &offset,
                         &request->total) ||
            offset != stream->received)
            return refuse(request, OUTCOME_PROTOCOL,
                          "not the range that was asked for");
        return 0;
    }
    if (length != NULL)
        request->total = strtoull(length, NULL, 10);
    if (!output_is_untouched(task->output))
        return refuse(request, OUTCOME_PARTIAL,
                      "the transfer broke off and cannot be resumed");
    stream->received = 0;
    snprintf(stream->etag, sizeof(stream->etag), "%s",
             etag != NULL && etag[0] == '"' &&
                     strlen(etag) < sizeof(stream->etag)
                 ? etag
                 : "");
    return 0;
}

static int
on_head(struct fetch *fetch, int status, void *arg)
{
    struct request *request = arg;
    const struct offer_task *task = request->task;
    const char *note = fetch_header(fetch, "Offload-Status");
    char text[32];

    request->status = status;
    snprintf(request->offer->status, sizeof(request->offer->status), "%s",
             note != NULL ? note : "");
    if (status >= 300 && status < 400) {
        request->offer->kind = OFFER_REDIRECT;
        return 0;
    }
    request->again = status == 416 && request->ranged;
    if (status != 200 && status != 206) {
        snprintf(text, sizeof(text), "HTTP status %d", status);
        return refuse(request, OUTCOME_HTTP, text);
    }
    if (status == 200 && is_manifest(fetch_header(fetch, "Content-Type"))) {
        request->offer->kind = OFFER_MANIFEST;
        note = fetch_header(fetch, "Offload-Receipt");
        if (note != NULL && strlen(note) <= OL_RECEIPT_MAX)
            strcpy(request->offer->receipt, note);
        return 0;
    }
    request->offer->kind = OFFER_FILE;
    if (begin_file(request, fetch) != 0)
        return -1;
    request->source = report_source(task->report, "", task->origin, true);
    if (output_begin_stream(task->output, task->stream->received, task->url,
                            task->stream->etag, request->err) != 0) {
        request->outcome = OUTCOME_WRITE;
        return -1;
    }
    return 0;
}

static int
take_manifest(struct request *request, const void *data, size_t len)
{
    struct offer *offer = request->offer;
    char *token;

    if (offer->kind == OFFER_REDIRECT)
        return 0;
    if (len > OL_JWS_MAX - offer->token_len)
        return refuse(request, OUTCOME_REFUSED, "manifest above 256 KiB");
    token = realloc(offer->token, offer->token_len + len + 1);
    if (token == NULL)
        return refuse(request, OUTCOME_MEMORY, "no memory");
    memcpy(token + offer->token_len, data, len);
    offer->token = token;
    offer->token_len += len;
    token[offer->token_len] = '\0';
    return 0;
}

static void
show(const struct request *request)
{
    const struct offer_task *task = request->task;
    struct progress_state state = {.size = request->total,
                                   .done = task->stream->received,
                                   .from_origin = task->stream->received};

    progress_show(task->progress, &state, uv_now(&task->session->loop));
}

static void
on_poll(uv_timer_t *timer)
{
    struct request *request = timer->data;

    if (output_is_full(request->task->output))
        return;
    uv_timer_stop(timer);
    fetch_resume(request->fetch);
}

static int
on_data(struct fetch *fetch, const void *data, size_t len, void *arg)
{
    struct request *request = arg;
    const struct offer_task *task = request->task;
    int rc;

    if (request->offer->kind != OFFER_FILE)
        return take_manifest(request, data, len);
    rc = output_error(task->output);
    if (rc == 0)
        rc = output_append(task->output, data, len);
    if (rc != 0)
        return refuse(request, OUTCOME_WRITE, strerror(-rc));
    task->stream->received += len;
    request->source->bytes += len;
    show(request);
    if (output_is_full(task->output)) {
        fetch_pause(fetch);
        uv_timer_start(&request->poll, on_poll, RESUME_POLL_MS, RESUME_POLL_MS);
    }
    return 0;
}

static void
on_done(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct request *request = arg;
    struct offer *offer = request->offer;

    (void)fetch;
    uv_timer_stop(&request->poll);
    request->done = true;
    request->fetch = NULL;
    offer->date = result->date != 0 ? result->date : (int64_t)time(NULL);
    if (request->outcome != OUTCOME_OK)
        return;
    if (result->error != 0) {
        request->outcome = outcome_of_error(result->error);
        ol_error_set(request->err, EIO, "%s", result->text);
        return;
    }
    if (offer->kind == OFFER_MANIFEST && offer->token == NULL)
        refuse(request, OUTCOME_REFUSED, "an empty manifest");
    if (offer->kind == OFFER_FILE && request->total > 0 &&
        request->task->stream->received != request->total)
        refuse(request, OUTCOME_PARTIAL, "the answer is shorter than the file");
    if (offer->kind == OFFER_REDIRECT)
        offer->redirect = strdup(result->redirect);
    if (offer->kind == OFFER_REDIRECT &&
        (offer->redirect == NULL || offer->redirect[0] == '\0'))
        refuse(request, OUTCOME_HTTP, "a redirect that leads nowhere");
}

static void
on_poll_closed(uv_handle_t *handle)
{
    struct request *request = handle->data;

    request->closed = true;
}

static int
start(struct request *request)
{
    const struct offer_task *task = request->task;
    char mode[64], range[64], if_range[OFFER_ETAG_MAX + 16];
    const char *headers[5] = {NULL};
    struct fetch_request asked = {
        .url = task->url,
        .headers = headers,
        .max_body = OL_CONTENT_MAX,
        .stall_ms = HEAD_STALL_MS,
        .connect_ms = HEAD_STALL_MS,
        .total_ms = task->output == NULL ? MANIFEST_TOTAL_MS : 0,
        .on_head = on_head,
        .on_data = on_data,
        .on_done = on_done,
        .arg = request};
    unsigned n = 0;

    headers[n++] = task->mode != NULL && strcmp(task->mode, "direct") == 0
                       ? "Accept: */*"
                       : "Accept: " OL_MANIFEST_TYPE ", */*;q=0.1";
    if (task->mode != NULL) {
        snprintf(mode, sizeof(mode), "Offload-Fetch: %s", task->mode);
        headers[n++] = mode;
    }
    request->ranged = task->output != NULL && task->stream->received > 0 &&
                      task->stream->etag[0] != '\0';
    if (request->ranged) {
        snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-",
                 task->stream->received);
        snprintf(if_range, sizeof(if_range), "If-Range: %s",
                 task->stream->etag);
        headers[n++] = range;
        headers[n++] = if_range;
    }
    return fetch_start(task->session->fetcher, &asked, &request->fetch);
}

enum outcome
offer_fetch(const struct offer_task *task, struct offer *ret,
            struct ol_error *err)
{
    struct request request = {.task = task, .offer = ret, .err = err};
    int rc;

    memset(ret, 0, sizeof(*ret));
    rc = start(&request);
    if (rc != 0) {
        refuse(&request, rc == -EINVAL ? OUTCOME_USAGE : OUTCOME_MEMORY,
               rc == -EINVAL ? "not a good http or https URL" : strerror(-rc));
        return request.outcome;
    }
    uv_timer_init(&task->session->loop, &request.poll);
    request.poll.data = &request;
    session_wait(task->session, &request.done);
    if (!request.done) {
        fetch_cancel(request.fetch);
        request.outcome = OUTCOME_INTERRUPTED;
        ol_error_set(err, EINTR, "interrupted");
    }
    uv_close((uv_handle_t *)&request.poll, on_poll_closed);
    while (!request.closed)
        uv_run(&task->session->loop, UV_RUN_NOWAIT);
    if (request.again) {
        *task->stream = (struct offer_stream){.received = 0};
        return offer_fetch(task, ret, err); /* once: now without a Range */
    }
    if (request.total > 0 && task->report != NULL)
        task->report->size = request.total;
    return request.outcome;
}

void
offer_clear(struct offer *offer)
{
    free(offer->token);
    free(offer->redirect);
    memset(offer, 0, sizeof(*offer));
}
