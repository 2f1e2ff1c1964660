/*
 * The first request of a download: the origin answers with a manifest, with
 * the file itself, or points elsewhere.
 *
 * The file is streamed into the output as it comes.  It is not verified, and
 * what has come of it before a break is gone on with by Range and If-Range.
 */
#ifndef CLIENT_OFFER_H
#define CLIENT_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/output.h"
#include "client/progress.h"
#include "client/report.h"
#include "client/session.h"
#include "offload/report.h"

#define OFFER_ETAG_MAX 300

/* How much of the plain file is in the output, and of which version. */
struct offer_stream {
    char etag[OFFER_ETAG_MAX]; /* strong, or "" */
    uint64_t received;
};

struct offer_task {
    struct session *session;
    const char *url;
    const char *origin; /* of the URL, for the report */
    const char *mode;   /* Offload-Fetch: "manifest", "direct", NULL: none */
    /* For the file; output NULL: only a manifest is wanted. */
    struct output *output;
    struct report *report;
    struct progress *progress;
    struct offer_stream *stream;
};

enum offer_kind { OFFER_MANIFEST, OFFER_FILE, OFFER_REDIRECT };

struct offer {
    enum offer_kind kind;
    int64_t date; /* the origin's clock; the own if it has none */
    char *token;  /* of a manifest */
    size_t token_len;
    char *redirect;                   /* an absolute URL */
    char status[64];                  /* Offload-Status, or "" */
    char receipt[OL_RECEIPT_MAX + 1]; /* Offload-Receipt, or "" */
};

/*
 * OUTCOME_OK: *ret says what came (a file: the whole of it is in the output).
 * The caller clears *ret in any case.
 */
enum outcome offer_fetch(const struct offer_task *task, struct offer *ret,
                         struct ol_error *err);
void offer_clear(struct offer *offer);

#endif
