/*
 * What a file is to Offload: its pieces, their table, its root; and the one
 * pass over the bytes that computes them all.
 *
 * piece_size: the smallest power of two from 256 KiB to 16 MiB that gives at
 * most 400 pieces (more only at 16 MiB).  The table is the raw SHA-256 of each
 * piece in order, the root the SHA-256 of the table, and the content's id
 * everywhere.  A content has at least one byte.
 */
#ifndef OL_CONTENT_H
#define OL_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

#define OL_HASH_BYTES 32
#define OL_SHA1_BYTES 20
#define OL_ROOT_HEX 64 /* characters of a root in text, without the NUL */
#define OL_PIECE_MIN (256u << 10)
#define OL_PIECE_MAX (16u << 20)
#define OL_CONTENT_MAX (UINT64_C(1) << 42) /* 4 TiB: a table of 8 MiB */

uint32_t ol_piece_size(uint64_t size);
/* 0 if size is 0 or above OL_CONTENT_MAX. */
uint32_t ol_piece_count(uint64_t size);
/* Bytes in piece `index` (the last one may be short). */
uint32_t ol_piece_length(uint64_t size, uint32_t index);

struct ol_digest {
    uint64_t size;
    uint32_t piece_size;
    uint32_t piece_count;
    uint8_t root[OL_HASH_BYTES];
    uint8_t sha256[OL_HASH_BYTES]; /* of the whole file */
    uint8_t *table;                /* piece_count * OL_HASH_BYTES */
    uint8_t *sha1;                 /* piece_count * OL_SHA1_BYTES */
};
void ol_digest_clear(struct ol_digest *digest);

/* One pass; may be fed from different threads, one at a time. */
struct ol_hasher;
int ol_hasher_create(uint64_t size, struct ol_hasher **ret);
/*
 * From now on a thread of its own hashes the whole, beside the pieces: sooner
 * done, if there is a CPU for it.  -EAGAIN: there is no thread, nothing
 * changes.
 */
int ol_hasher_spread(struct ol_hasher *h);
/* -EFBIG: more than size bytes in all. */
int ol_hasher_update(struct ol_hasher *h, const void *data, size_t len);
/* -EBADMSG: fewer than size bytes.  The caller clears *ret. */
int ol_hasher_finish(struct ol_hasher *h, struct ol_digest *ret);
void ol_hasher_free(struct ol_hasher *h);

void ol_sha256(const void *data, size_t len, uint8_t ret[OL_HASH_BYTES]);

/* The table is count hashes long and hashes to root, else -EBADMSG. */
int ol_table_check(const uint8_t *table, size_t len, uint64_t size,
                   const uint8_t root[OL_HASH_BYTES], struct ol_error *err);
/* data is piece `index`, whole: 0, else -EBADMSG. */
int ol_piece_check(const uint8_t *table, uint64_t size, uint32_t index,
                   const void *data, size_t len);

#endif
