/*
 * A report: what a client says about the peers of one manifest when it is
 * done, and the receipt that it spends for that.
 *
 *   {"receipt": "1.<epoch>.<lane>-<counter>.<exp>.<peers>.<mac>", "root": "…",
 *    "peers": [{"id": "…", "bytes": 1048576, "failed": false}]}
 *
 * Form only: whether a receipt is genuine, and what the rest of it is worth,
 * only the origin that gave it can tell.
 */
#ifndef OL_REPORT_H
#define OL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"
#include "offload/key.h"
#include "offload/manifest.h"

#define OL_REPORT_MAX 4096 /* bytes of a report */
#define OL_RECEIPT_EPOCH_BYTES 16
#define OL_RECEIPT_MAC_BYTES 16
#define OL_RECEIPT_PEER_CHARS 12 /* of each peer's id, from its beginning */
#define OL_RECEIPT_LANES 256
/* Characters: numbers of 3, 10 and 16 digits, five full stops and a hyphen. */
#define OL_RECEIPT_MAX                                                         \
    (1 + 22 + 3 + 10 + 16 + OL_RECEIPT_PEER_CHARS * OL_MANIFEST_PEERS + 22 + 6)

struct ol_receipt { /* borrowed from the text that was parsed */
    uint8_t epoch[OL_RECEIPT_EPOCH_BYTES];
    unsigned lane;    /* < OL_RECEIPT_LANES */
    uint32_t counter; /* in its lane */
    uint64_t exp;     /* s */
    const char *peers;
    size_t peer_count; /* <= OL_MANIFEST_PEERS, and at least one */
    const char *text;
    size_t sealed_len; /* of the text before ".<mac>" */
    uint8_t mac[OL_RECEIPT_MAC_BYTES];
};

struct ol_report_peer {
    const char *id; /* OL_KEY_CHARS, NUL-terminated */
    uint64_t bytes;
    bool failed;
};

struct ol_report {
    json_t *json; /* owns every text in here */
    struct ol_receipt receipt;
    uint8_t root[OL_HASH_BYTES];
    size_t peer_count; /* at least one */
    struct ol_report_peer peers[OL_MANIFEST_PEERS];
    uint64_t bytes; /* of all peers */
};

/* -EBADMSG: not of that form, or not the one spelling of what it says. */
int ol_receipt_parse(const char *text, size_t len, struct ol_receipt *ret,
                     struct ol_error *err);

/*
 * -EBADMSG: form; a peer named twice is one.  Whether the peers are the
 * receipt's is asked separately.  On success the caller clears *ret.
 */
int ol_report_parse(const char *text, size_t len, struct ol_report *ret,
                    struct ol_error *err);
/* Each peer is one that the receipt names? */
bool ol_report_peers_ok(const struct ol_report *report);
void ol_report_clear(struct ol_report *report);

#endif
