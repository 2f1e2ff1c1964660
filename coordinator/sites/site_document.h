/*
 * What a site says of itself: its keys and its signed document, fetched from
 * its own origin (doc/protocol.md section 4).
 */
#ifndef COORDINATOR_SITE_DOCUMENT_H
#define COORDINATOR_SITE_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/app.h"
#include "offload/error.h"
#include "offload/key.h"

#define SITE_INSTANCES 8 /* sync URLs, one for each nginx instance */

struct site_document {
    struct ol_keyset keys;
    size_t sync_count;
    char *sync[SITE_INSTANCES];
    int64_t exp;
};
void site_document_clear(struct site_document *document);

/*
 * Reads a document: by one of the keys, for this origin first, naming the
 * coordinator `id`.  Takes no key.  -EBADMSG and others: err says why.
 */
int site_document_parse(const char *token, size_t len,
                        const struct ol_keyset *keys, const char *origin,
                        const char *id, int64_t now, struct site_document *ret,
                        struct ol_error *err);

/*
 * Fetches both.  rc 0: the call-back owns *document; else why says it:
 * -EAGAIN: no room for another fetch; -EIO: the origin does not answer;
 * -EBADMSG: what it answers is refused.
 */
struct site_fetch;
typedef void site_fetch_fn(void *arg, int rc, struct site_document *document,
                           const char *why);
int site_fetch_start(struct app *app, const char *origin, site_fetch_fn *done,
                     void *arg, struct site_fetch **ret);
void site_fetch_cancel(struct site_fetch *fetch); /* NULL is legal */

#endif
