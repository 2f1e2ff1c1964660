/*
 * What a download came to: which source gave how much, who misbehaved, how it
 * ended; as JSON for programs and in words for people.
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/outcome.h"
#include "offload/content.h"
#include "offload/error.h"
#include "offload/key.h"
#include "offload/manifest.h"

#define REPORT_SOURCES 128 /* beyond, peers share one, and origins another */
#define REPORT_OTHERS "(others)" /* the URL of such a one; it has no id */

struct report_source {
    char id[OL_KEY_CHARS + 1]; /* "" for the origin */
    char url[OL_URL_MAX + 1];
    bool origin;
    uint64_t bytes; /* of pieces that were right, or of the plain file */
    uint32_t pieces;
    uint32_t failed;  /* times that it did not do what was asked */
    char reason[256]; /* the gravest failure, "" if none */
    bool lied;        /* sent wrong bytes */
};

enum told { TOLD_NOT, TOLD, TOLD_FAILED };

struct report {
    char url[4096];
    char root[OL_ROOT_HEX + 1], sha256[OL_ROOT_HEX + 1]; /* "" if unknown */
    uint64_t size;
    uint64_t resumed; /* bytes that were there from an earlier time */
    double seconds;
    bool verified; /* against a manifest of the site's */
    unsigned restarts;
    enum outcome outcome;
    struct ol_error error;
    enum told told; /* the origin, who sent how much */
    struct ol_error told_why;
    unsigned source_count;
    struct report_source sources[REPORT_SOURCES + 2];
};

/* The source of this URL, added if it is new. */
struct report_source *report_source(struct report *report, const char *id,
                                    const char *url, bool origin);
void report_failure(struct report_source *source, bool lied,
                    const char *reason);
/* A new version: what was had so far does not count. */
void report_restart(struct report *report);
/* Bytes had from peers, or from the origin. */
uint64_t report_bytes(const struct report *report, bool origin);

void report_write_json(const struct report *report, FILE *to);
void report_write_text(const struct report *report, FILE *to);

#endif
