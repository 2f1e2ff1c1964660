/*
 * The heads of answers: what a content may be taken for, and by whom.
 *
 * Bytes that strangers signed are served from this node's name, so nothing in
 * them may run in a browser as if it were the node's own page.
 */
#ifndef NODE_HEAD_H
#define NODE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "node/contents.h"
#include "node/range.h"
#include "offload/sri.h"

#define HEAD_CACHE "Cache-Control: public, max-age=31536000, immutable"
#define HEAD_NO_STORE "Cache-Control: no-store"
#define HEAD_CORS "Access-Control-Allow-Origin: *"
#define HEAD_EXPOSE                                                            \
    "Access-Control-Expose-Headers: Content-Range, ETag, Offload-Have, "       \
    "Repr-Digest, Retry-After"
#define HEAD_NOSNIFF "X-Content-Type-Options: nosniff"
#define HEAD_POLICY "Cross-Origin-Resource-Policy: cross-origin"
#define HEAD_SANDBOX "Content-Security-Policy: sandbox; default-src 'none'"

struct head {
    const char *lines[16]; /* "Name: value", NULL-terminated */
    char etag[OL_ROOT_HEX + 16];
    char type[192];
    char range[96];
    char digest[96];
    char sri[3][OL_SRI_LINE_MAX + 24];
};

/*
 * Of an open content; range->kind decides which headers there are.  name: in
 * the path asked for, still encoded; "" if none.  now: in seconds, by which a
 * signature for browsers may have expired.
 */
void head_fill(struct head *head, const struct content *content,
               const struct range *range, const char *name, int64_t now);

/* Whether a type is passed on; else it becomes application/octet-stream. */
bool head_type_ok(const char *type);

#endif
