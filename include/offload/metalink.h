/*
 * Metalink 4 (RFC 5854) of one content, in the form that every reader takes:
 * one file, one hash of the whole, at most one list of pieces, absolute URLs.
 *
 * The list of pieces is long and never changes, so it is made once and kept in
 * a file: a document is what comes before and what comes behind it.
 */
#ifndef OL_METALINK_H
#define OL_METALINK_H

#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"

#define OL_METALINK_TYPE "application/metalink4+xml"
/* One reader asks a GET per piece: no list at all beyond so many. */
#define OL_METALINK_PIECES 400

struct ol_metalink_url {
    const char *url;      /* absolute, percent-encoded */
    const char *location; /* a zone; told if it is two letters; may be NULL */
};

struct ol_metalink {
    const char *name; /* basename: UTF-8, no slash, not "." or ".." */
    uint64_t size;
    uint8_t sha256[OL_HASH_BYTES];
    const char *publisher; /* name and URL of the site */
    const char *publisher_url;
    /*
     * Best first; the last one is the origin and always named.  Of several
     * on one host name only the first is (or the origin, if it is one).
     */
    size_t url_count;
    const struct ol_metalink_url *urls;
};

/*
 * The <pieces> element, whole; empty above OL_METALINK_PIECES.  As with the
 * other two, *text is the caller's to free.  -ENOMEM.
 */
int ol_metalink_pieces(const struct ol_digest *digest, char **text,
                       size_t *len);

/*
 * All up to <pieces>, and all behind it.  -EINVAL: name or size, or a
 * character that XML cannot say; -ENOMEM.
 */
int ol_metalink_head(const struct ol_metalink *metalink, char **text,
                     size_t *len);
int ol_metalink_tail(const struct ol_metalink *metalink, char **text,
                     size_t *len);

#endif
