/*
 * The signed manifest (application/offload+jwt; doc/protocol.md): which bytes
 * a path of a site stands for, and which peers have them.
 */
#ifndef OL_MANIFEST_H
#define OL_MANIFEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/error.h"
#include "offload/key.h"
#include "offload/sri.h"

#define OL_MANIFEST_TYPE "application/offload+jwt"
#define OL_MANIFEST_PEERS 32
#define OL_MANIFEST_TRACKERS 8
#define OL_TABLE_INLINE 1024 /* larger tables are fetched apart */
#define OL_SUB_MAX 4096
#define OL_URL_MAX 512
#define OL_ZONE_MAX 64

struct ol_peer {
    const char *id;   /* thumbprint */
    const char *url;  /* http(s)://host[:port], without a final slash */
    const char *zone; /* "" if none */
};

struct ol_manifest {
    const char *iss, *sub;
    int64_t iat, exp;
    uint64_t size;
    uint32_t piece_size;
    uint8_t root[OL_HASH_BYTES];
    uint8_t sha256[OL_HASH_BYTES];
    const char *type;     /* MIME type, "" if unknown */
    const char *etag;     /* strong, with quotes */
    const uint8_t *table; /* NULL unless inline */
    const char *path;     /* "/c/<root>?e=...&s=..." */
    const char *sri_name; /* NULL: no signature for browsers */
    struct ol_sri sri;    /* over "/c/<root>/<sri_name>" */
    size_t peer_count;
    struct ol_peer peers[OL_MANIFEST_PEERS];
    size_t tracker_count;
    const char *trackers[OL_MANIFEST_TRACKERS];
    /* Private to lib/manifest.c: what the pointers above point into. */
    json_t *json;
    uint8_t *table_bytes;
};

/* The JSON payload: a new reference, NULL without memory.  m->json unused. */
json_t *ol_manifest_to_json(const struct ol_manifest *m);

/* Reads and checks everything but time and signature.  Keeps a reference. */
int ol_manifest_from_json(json_t *payload, struct ol_manifest *ret,
                          struct ol_error *err);
void ol_manifest_clear(struct ol_manifest *m);

/*
 * The whole check that a receiver makes: JWS form, typ, kid among keys,
 * signature, iat/exp against now, fields.  -ENOKEY: unknown kid (refetch the
 * keys); -ETIME: expired or in the future; -EKEYREJECTED: bad signature;
 * -EBADMSG: anything else.
 */
int ol_manifest_open(const char *token, size_t len,
                     const struct ol_keyset *keys, int64_t now,
                     struct ol_manifest *ret, struct ol_error *err);

#endif
