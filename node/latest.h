/*
 * A site's present manifest for a path: fetched from the site itself and
 * verified with the keys that the site itself publishes.
 */
#ifndef NODE_LATEST_H
#define NODE_LATEST_H

#include <stddef.h>

#include "net/fetch.h"
#include "node/site.h"
#include "offload/error.h"
#include "offload/manifest.h"

struct latest; /* one under way */

struct latest_result {
    /*
     * 0; -ENOENT: the site gives no manifest for it; -EAGAIN: not yet, says
     * its Offload-Status; -EBADMSG, -EKEYREJECTED, -ENOKEY, -ETIME: a manifest
     * that does not verify; else the site could not be asked.
     */
    int error;
    struct ol_error text;        /* why, for people */
    struct ol_manifest manifest; /* the call-back may take it (and zero it) */
    const char *token;           /* borrowed */
    size_t token_len;
};

/*
 * The site is held meanwhile.  Calls back once, later, unless cancelled.
 * -errno: could not even begin.
 */
int latest_start(struct fetcher *fetcher, struct site *site, const char *sub,
                 void (*done)(void *arg, struct latest_result *result),
                 void *arg, struct latest **ret);
void latest_cancel(struct latest *latest);

/* The URL of a file: iss + encoded sub.  cap: OL_ORIGIN_MAX + 3 * OL_SUB_MAX */
#define LATEST_URL_MAX (OL_ORIGIN_MAX + 3 * OL_SUB_MAX + 1)
int latest_url(const char *iss, const char *sub, char *dst, size_t cap);

#endif
