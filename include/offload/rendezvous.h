/*
 * Rendezvous (highest random weight) hashing: who holds a content, and who
 * owns a piece.  Every party computes the same from the same arguments.
 */
#ifndef OL_RENDEZVOUS_H
#define OL_RENDEZVOUS_H

#include <stddef.h>
#include <stdint.h>

#define OL_SALT_BYTES 16

/*
 * Placement: -w / ln((x + 1/2) / 2^64), x = the first 8 bytes, big-endian, of
 * SHA-256(salt || root || id).  Higher wins; ties go to the smaller id.
 * root and id are 32 raw bytes; weight > 0.
 */
double ol_rendezvous_score(const uint8_t salt[OL_SALT_BYTES],
                           const uint8_t *root, const uint8_t *id,
                           double weight);
/* The same of an x from another hash, uniform in 64 bits. */
double ol_rendezvous_score_of(uint64_t x, double weight);

/*
 * Owners of piece `index`: writes to order[] the positions 0 .. count-1 of
 * ids[], sorted by descending SHA-256(salt || root || u32be index || id).
 * count <= OL_OWNERS_MAX.
 */
#define OL_OWNERS_MAX 64
void ol_owner_order(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
                    uint32_t index, const uint8_t (*ids)[32], size_t count,
                    uint8_t *order);

#endif
