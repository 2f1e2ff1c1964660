/*
 * The bodies of a sync and of its answer (doc/protocol.md section 4) as JSON.
 * Pure: no keys, no clock, no network.
 */
#ifndef COORDINATOR_SYNC_CODEC_H
#define COORDINATOR_SYNC_CODEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"

#define SYNC_EPOCH_BYTES 16
#define SYNC_CANDIDATES 24 /* of one content */
#define SYNC_NODES 16      /* in one body */
#define SYNC_GONE 256      /* in one body */
#define SYNC_CONTENTS 128  /* in one body; all of these fit into 48 KiB */
#define SYNC_CIDRS 8       /* told of one node */
#define SYNC_ANSWER_ENTRIES 1024
#define SYNC_ANSWER_ACCOUNTS 64

enum { SYNC_HOLDS_ALL = 1, SYNC_ASSIGNED = 2 };

struct sync_node {
    uint32_t number;
    const char *id, *url, *zone;
    const char *cidrs; /* JSON array */
    uint32_t spare;    /* spare.h */
};

struct sync_content {
    const char *root;           /* hex */
    const uint32_t *candidates; /* flags << 24 | number */
    size_t count;
};

struct sync_body {
    const char *iss, *aud;
    int64_t iat, exp;
    uint64_t seq, base, ack;
    unsigned wait_ms;
    const uint8_t *epoch; /* NULL: not known */
    unsigned part, parts; /* part 0: not a full state */
    size_t node_count, gone_count, content_count;
    struct sync_node nodes[SYNC_NODES];
    uint32_t gone[SYNC_GONE];
    struct sync_content contents[SYNC_CONTENTS];
};

/* A new reference, NULL without memory. */
json_t *sync_encode(const struct sync_body *body);

struct sync_entry {
    uint8_t root[OL_HASH_BYTES];
    const char *sub; /* if gone perhaps "": all of that root */
    uint64_t size;
    uint64_t demand; /* requests, in all of this epoch */
    uint8_t infohash[OL_SHA1_BYTES];
    bool gone, has_infohash;
};

/* What receipts say of a node, in one account (protocol section 4). */
struct sync_account {
    const char *node; /* its id */
    uint64_t serial, bytes, failed;
};

/* Strings are borrowed from the payload. */
struct sync_answer {
    uint64_t seq, clock;
    uint8_t epoch[SYNC_EPOCH_BYTES];
    const char *epoch_text;
    bool need_full, more;
    size_t count, account_count;
    struct sync_account accounts[SYNC_ANSWER_ACCOUNTS];
    struct sync_entry entries[SYNC_ANSWER_ENTRIES];
};

/* Everything but signature, iss, aud and time.  -EBADMSG: err says why. */
int sync_decode(const json_t *payload, struct sync_answer *ret,
                struct ol_error *err);

#endif
