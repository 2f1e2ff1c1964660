/*
 * A node's message: a JWS whose fields are decoded and checked before anything
 * is looked up or stored.  Pure.
 */
#ifndef COORDINATOR_MESSAGE_H
#define COORDINATOR_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"
#include "offload/key.h"
#include "offload/netaddr.h"

#define MESSAGE_HOLDINGS 512
#define MESSAGE_PIECES (1u << 18) /* of the largest content */
/* Bitmaps are kept up to this many pieces, of larger ones only the count. */
#define MESSAGE_BITMAP_PIECES 4096
#define MESSAGE_SEQ_MAX ((UINT64_C(1) << 53) - 1)
#define MESSAGE_WAIT_MAX_MS 10000
#define MESSAGE_CIDRS 64
#define MESSAGE_SITES 64
#define MESSAGE_WEIGHT_MAX 100
#define MESSAGE_INVITATION 128
#define MESSAGE_EPOCH 16 /* bytes */
#define MESSAGE_SERVED 64
#define MESSAGE_WRONG 16

/* iss, aud, iat, exp of a message by kid for the recipient `aud`. */
int message_claims(const json_t *payload, const char *kid, const char *aud,
                   int64_t now, struct ol_error *err);

/* Strings are borrowed from the payload. */
struct message_register {
    const char *key, *url, *zone;
    const char *cidrs[MESSAGE_CIDRS];
    size_t cidr_count;
    const char *sites[MESSAGE_SITES]; /* origins; none: it serves all */
    size_t site_count;
    uint64_t seq, capacity, rate;
    uint64_t weight;        /* percent, 1 .. MESSAGE_WEIGHT_MAX */
    const char *invitation; /* "" if it has none */
};
int message_register(const json_t *payload, struct message_register *ret,
                     struct ol_error *err);

struct message_holding {
    const char *root;
    char *bitmap; /* "" if complete, else "have/count bitmap"; owned */
};

/* Bytes sent for a site, in the epoch of the message. */
struct message_served {
    const char *iss;
    uint64_t bytes;
};

/* A node that sent bytes which do not match. */
struct message_wrong {
    const char *id, *root;
};

/* Strings are borrowed from the payload. */
struct message_heartbeat {
    uint64_t seq, wait_ms, rate, connections, free;
    const char *store;
    size_t holding_count, dropped_count, served_count, wrong_count;
    struct message_holding *holdings; /* MESSAGE_HOLDINGS at most */
    const char **dropped;             /* roots, MESSAGE_HOLDINGS at most */
    bool drain;
    uint8_t epoch[MESSAGE_EPOCH];  /* zeros if there is nothing served */
    struct message_served *served; /* MESSAGE_SERVED at most */
    struct message_wrong *wrong;   /* MESSAGE_WRONG at most */
};
/* Allocates no more than came; the caller clears *ret, also if it fails. */
int message_heartbeat(const json_t *payload, struct message_heartbeat *ret,
                      struct ol_error *err);
void message_heartbeat_clear(struct message_heartbeat *m);

#endif
