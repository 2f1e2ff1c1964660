/*
 * What part of a content a request asks for: Range, If-Range, If-None-Match,
 * If-Match (RFC 9110 sections 13 and 14) against one strong ETag.  Pure.
 */
#ifndef NODE_RANGE_H
#define NODE_RANGE_H

#include <stdint.h>

enum range_kind {
    RANGE_WHOLE,        /* 200: also for several ranges, or a malformed one */
    RANGE_PART,         /* 206: first..last */
    RANGE_NOT_MODIFIED, /* 304 */
    RANGE_UNMATCHED,    /* 412 */
    RANGE_BEYOND        /* 416 */
};

struct range_headers { /* values, NULL if absent */
    const char *range, *if_range, *if_none_match, *if_match;
};

struct range {
    enum range_kind kind;
    uint64_t first, last; /* inclusive; of the whole too */
};

/* etag with its quotes; size > 0. */
struct range range_decide(const struct range_headers *headers, const char *etag,
                          uint64_t size);

#endif
