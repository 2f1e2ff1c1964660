/*
 * The story of a download: ask the origin; check its manifest and fetch the
 * content from the peers, or take the plain file as it comes; start over with
 * a version that is gone.
 *
 * Owns the order of things, how often each is tried, and the session.
 */
#include "client/download.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/offer.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/receipt.h"
#include "client/seen.h"
#include "client/session.h"
#include "client/site.h"
#include "client/swarm.h"
#include "client/verify.h"
#include "offload/encoding.h"

#define VERSIONS_MAX 3
#define SAME_MAX 5 /* times that the manifest may still be the old one */
#define SAME_PAUSE_MS 1000
#define REDIRECTS_MAX 5
#define STREAM_TRIES 5 /* in a row without a byte */
#define STREAM_PAUSE_MS 500

struct download {
    const struct download_options *options;
    struct report *report;
    struct ol_error *err; /* the report's */
    struct session session;
    struct output *output;
    struct progress progress;
    struct offer_stream stream;
    struct site site;
    char *url;           /* after redirects */
    struct swarm *swarm; /* NULL: none */
    struct receipts receipts;
    char gone[OL_ROOT_HEX + 1]; /* root that the origin has no more */
};

static void
on_output(void *arg)
{
    struct download *d = arg;

    if (d->swarm != NULL)
        swarm_poke(d->swarm);
}

static enum outcome
set_url(struct download *d, const char *url)
{
    struct ol_origin origin;
    struct ol_error why;
    char *copy;

    if (ol_origin_parse(url, strlen(url), &origin, &why) != 0) {
        ol_error_set(d->err, EINVAL, "%s: %s", url, why.text);
        return OUTCOME_USAGE;
    }
    copy = strdup(url);
    if (copy == NULL) {
        ol_error_set(d->err, ENOMEM, "no memory");
        return OUTCOME_MEMORY;
    }
    copy[strcspn(copy, "#")] = '\0';
    free(d->url);
    d->url = copy;
    site_clear(&d->site);
    d->site.origin = origin;
    return OUTCOME_OK;
}

static enum outcome
follow_redirect(struct download *d, const char *to)
{
    char text[160];
    bool https = d->site.origin.https;
    enum outcome outcome;

    snprintf(text, sizeof(text), "redirect to %s", to);
    outcome = set_url(d, to);
    if (outcome == OUTCOME_OK && https && !d->site.origin.https) {
        ol_error_set(d->err, EPROTO, "%s: refused, from https to http", text);
        return OUTCOME_PROTOCOL;
    }
    return outcome;
}

/* Asks the origin, through redirects. */
static enum outcome
ask_origin(struct download *d, const char *mode, bool file, struct offer *ret)
{
    enum outcome outcome;

    for (int i = 0;; i++) {
        struct offer_task task = {.session = &d->session,
                                  .url = d->url,
                                  .origin = d->site.origin.text,
                                  .mode = mode,
                                  .output = file ? d->output : NULL,
                                  .report = d->report,
                                  .progress = &d->progress,
                                  .stream = &d->stream};

        outcome = offer_fetch(&task, ret, d->err);
        if (outcome != OUTCOME_OK || ret->kind != OFFER_REDIRECT)
            return outcome;
        outcome = i == REDIRECTS_MAX ? OUTCOME_HTTP
                                     : follow_redirect(d, ret->redirect);
        if (i == REDIRECTS_MAX)
            ol_error_set(d->err, EPROTO, "%s: more than %d redirects", d->url,
                         REDIRECTS_MAX);
        if (outcome != OUTCOME_OK)
            return outcome;
        offer_clear(ret);
    }
}

/* The plain file */

static bool
worth_resuming(enum outcome outcome)
{
    return outcome == OUTCOME_PARTIAL || outcome == OUTCOME_TIMEOUT ||
           outcome == OUTCOME_CONNECT;
}

/* A stream that broke off goes on where it was, as long as it gets on. */
static enum outcome
resume_stream(struct download *d, enum outcome outcome)
{
    int tries = 0;

    while (worth_resuming(outcome) && d->stream.received > 0 &&
           d->stream.etag[0] != '\0' && tries < STREAM_TRIES) {
        uint64_t before = d->stream.received;
        struct offer offer;

        session_pause(&d->session, STREAM_PAUSE_MS);
        outcome = ask_origin(d, "direct", true, &offer);
        offer_clear(&offer);
        tries = d->stream.received > before ? 0 : tries + 1;
    }
    return outcome;
}

static void
wait_for_pipe(struct download *d)
{
    while (!output_is_drained(d->output) && output_error(d->output) == 0 &&
           !d->session.interrupted)
        uv_run(&d->session.loop, UV_RUN_ONCE);
}

static enum outcome
commit(struct download *d)
{
    int rc = output_error(d->output);

    if (rc != 0) {
        ol_error_set(d->err, -rc, "%s: %s", d->options->output, strerror(-rc));
        return OUTCOME_WRITE;
    }
    return output_commit(d->output, d->err) == 0 ? OUTCOME_OK : OUTCOME_WRITE;
}

static enum outcome
finish_stream(struct download *d)
{
    if (d->report->size == 0)
        d->report->size = d->stream.received;
    wait_for_pipe(d);
    if (d->session.interrupted) {
        ol_error_set(d->err, EINTR, "interrupted");
        return OUTCOME_INTERRUPTED;
    }
    return commit(d);
}

/* A content with a manifest */

static void
use_renewed(struct download *d, const struct ol_manifest *manifest,
            const struct offer *offer)
{
    swarm_merge(d->swarm, manifest, offer->date);
    receipts_note(&d->receipts, manifest->iss, offer->receipt);
}

static void
renew(struct download *d, const uint8_t root[OL_HASH_BYTES])
{
    struct offer offer;
    struct verdict verdict;
    struct ol_error kept = *d->err; /* it is no failure if there is none */

    if (ask_origin(d, "manifest", false, &offer) == OUTCOME_OK) {
        verify_manifest(&d->session, &d->site, d->url, offer.token,
                        offer.token_len, offer.date, &verdict);
        if (verdict.outcome == OUTCOME_OK &&
            memcmp(verdict.manifest.root, root, OL_HASH_BYTES) == 0)
            use_renewed(d, &verdict.manifest, &offer);
        verdict_clear(&verdict);
    }
    offer_clear(&offer);
    *d->err = kept;
}

static enum outcome
check_whole(struct download *d, const struct ol_manifest *manifest)
{
    uint8_t sha256[OL_HASH_BYTES];

    if (output_sha256(d->output, sha256) != 0 ||
        memcmp(sha256, manifest->sha256, OL_HASH_BYTES) != 0) {
        ol_error_set(d->err, EBADMSG,
                     "%s: every piece is right, but the SHA-256 of the whole "
                     "is not the one the site signed",
                     d->url);
        return OUTCOME_CHECKSUM;
    }
    d->report->verified = true;
    return commit(d);
}

static enum outcome
run_swarm(struct download *d, const struct ol_manifest *manifest,
          const uint8_t *table, int64_t date)
{
    struct swarm_options options = {.session = &d->session,
                                    .output = d->output,
                                    .report = d->report,
                                    .progress = &d->progress,
                                    .origin = d->site.origin.text,
                                    .path = d->url + d->site.origin.consumed,
                                    .table = table,
                                    .manifest = manifest,
                                    .date = date};
    enum outcome outcome = swarm_create(&options, &d->swarm, d->err);
    bool again = true;

    if (outcome != OUTCOME_OK)
        return outcome;
    while (outcome == OUTCOME_OK && again) {
        outcome = swarm_run(d->swarm, &again, d->err);
        if (outcome == OUTCOME_OK && again)
            renew(d, manifest->root);
    }
    swarm_free(d->swarm);
    d->swarm = NULL;
    return outcome;
}

/* The thread behind must not be at work when the output begins anew. */
static void
settle_output(struct download *d)
{
    while (output_is_busy(d->output))
        uv_run(&d->session.loop, UV_RUN_ONCE);
}

static enum outcome
fetch_content(struct download *d, const struct ol_manifest *manifest,
              int64_t date)
{
    struct report *report = d->report;
    uint8_t *table = NULL;
    enum outcome outcome =
        site_fetch_table(&d->session, &d->site, manifest, &table, d->err);

    if (outcome != OUTCOME_OK)
        return outcome;
    ol_hex_encode(report->root, manifest->root, OL_HASH_BYTES);
    ol_hex_encode(report->sha256, manifest->sha256, OL_HASH_BYTES);
    report->size = manifest->size;
    report->resumed = 0; /* pieces are looked at anew, and spoil a stream */
    d->stream = (struct offer_stream){.received = 0};
    outcome = run_swarm(d, manifest, table, date);
    free(table);
    if (outcome == OUTCOME_OK)
        return check_whole(d, manifest);
    if (outcome != OUTCOME_CHANGED)
        return outcome;
    memcpy(d->gone, report->root, sizeof(d->gone));
    if (output_is_untouched(d->output)) {
        settle_output(d);
        return OUTCOME_CHANGED;
    }
    ol_error_set(d->err, EIO,
                 "%s: the file changed while it was streamed; nothing of the "
                 "new version was mixed in",
                 d->url);
    return OUTCOME_PARTIAL;
}

/* One attempt with whatever version the origin has now. */
static enum outcome
take_version(struct download *d, const struct offer *offer, bool *ret_same)
{
    struct verdict verdict;
    char root[OL_ROOT_HEX + 1];
    struct ol_error why;
    enum outcome outcome;

    verify_manifest(&d->session, &d->site, d->url, offer->token,
                    offer->token_len, offer->date, &verdict);
    outcome = verdict.outcome;
    verdict_explain(&verdict, d->err);
    if (outcome == OUTCOME_OK) {
        int rc = seen_note(d->site.origin.text, &verdict.manifest, &why);

        ol_hex_encode(root, verdict.manifest.root, OL_HASH_BYTES);
        *ret_same = strcmp(root, d->gone) == 0;
        if (rc == -ESTALE) {
            ol_error_set(d->err, ESTALE, "manifest refused: %s", why.text);
            outcome = OUTCOME_REFUSED;
        } else if (rc != 0) {
            progress_say(&d->progress, "cannot remember the manifest: %s",
                         why.text);
        }
    }
    receipts_forget(&d->receipts);
    if (outcome == OUTCOME_OK)
        receipts_note(&d->receipts, verdict.manifest.iss, offer->receipt);
    if (outcome == OUTCOME_OK && !*ret_same)
        outcome = fetch_content(d, &verdict.manifest, offer->date);
    verdict_clear(&verdict);
    return outcome;
}

static enum outcome
next_version(struct download *d)
{
    const char *mode = d->options->direct ? "direct" : NULL;
    enum outcome outcome = OUTCOME_CHANGED;
    bool same = true;

    for (int i = 0; i < SAME_MAX && same; i++) {
        struct offer offer;

        if (i > 0)
            session_pause(&d->session, SAME_PAUSE_MS);
        same = false;
        outcome = ask_origin(d, mode, true, &offer);
        if (outcome == OUTCOME_OK && offer.kind == OFFER_MANIFEST) {
            outcome = take_version(d, &offer, &same);
        } else {
            outcome = resume_stream(d, outcome);
            if (outcome == OUTCOME_OK)
                outcome = finish_stream(d);
        }
        offer_clear(&offer);
    }
    return same ? OUTCOME_CHANGED : outcome;
}

static enum outcome
run(struct download *d)
{
    enum outcome outcome = OUTCOME_CHANGED;

    d->stream.received = output_resume_at(d->output, d->url, d->stream.etag,
                                          sizeof(d->stream.etag));
    d->report->resumed = d->stream.received;
    for (int i = 0; i < VERSIONS_MAX && outcome == OUTCOME_CHANGED; i++) {
        if (i > 0) {
            report_restart(d->report);
            progress_say(&d->progress, "%s: starting over: %s", d->url,
                         d->err->text);
        }
        outcome = next_version(d);
    }
    return outcome;
}

static enum outcome
open_and_run(struct download *d)
{
    enum outcome outcome = set_url(d, d->options->url);
    uint64_t begin;

    if (outcome != OUTCOME_OK)
        return outcome;
    if (output_open(&d->session.loop, d->options->output, on_output, d,
                    &d->output, d->err) != 0)
        return OUTCOME_WRITE;
    begin = uv_hrtime();
    outcome = run(d);
    d->report->seconds = (double)(uv_hrtime() - begin) / 1e9;
    if (outcome == OUTCOME_OK)
        d->err->text[0] = '\0';
    if (outcome == OUTCOME_OK && d->report->verified && !d->options->no_report)
        receipts_spend(&d->receipts, &d->session, d->report);
    return outcome;
}

enum outcome
download(const struct download_options *options, struct report *report)
{
    struct download *d = calloc(1, sizeof(*d));
    enum outcome outcome;

    if (d == NULL || session_open(&d->session) != 0) {
        free(d);
        ol_error_set(&report->error, ENOMEM, "no memory");
        return OUTCOME_MEMORY;
    }
    d->options = options;
    d->report = report;
    d->err = &report->error;
    progress_init(&d->progress, options->quiet, uv_now(&d->session.loop));
    outcome = open_and_run(d);
    progress_end(&d->progress);
    if (d->output != NULL) {
        output_stop(d->output);
        settle_output(d);
    }
    output_close(d->output);
    site_clear(&d->site);
    free(d->url);
    session_close(&d->session);
    free(d);
    return outcome;
}
