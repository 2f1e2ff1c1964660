/*
 * Rendezvous hashing: scores for placement, and the order in which nodes own a
 * piece.  Pure; knows neither nodes nor load but by their weight.
 */
#include "offload/rendezvous.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"

#define ID_BYTES 32

/*
 * -w / ln((x + 1/2) / 2^64), from the other end for large x: a double would
 * round them to 1, whose logarithm is 0, and the best score were infinite.
 */
double
ol_rendezvous_score_of(uint64_t x, double weight)
{
    if (x >> 63 != 0)
        return -weight / log1p(-((double)~x + 0.5) * 0x1p-64);
    return -weight / log(((double)x + 0.5) * 0x1p-64);
}

double
ol_rendezvous_score(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
                    const uint8_t *id, double weight)
{
    uint8_t text[OL_SALT_BYTES + OL_HASH_BYTES + ID_BYTES];
    uint8_t hash[OL_HASH_BYTES];
    uint64_t x = 0;

    memcpy(text, salt, OL_SALT_BYTES);
    memcpy(text + OL_SALT_BYTES, root, OL_HASH_BYTES);
    memcpy(text + OL_SALT_BYTES + OL_HASH_BYTES, id, ID_BYTES);
    ol_sha256(text, sizeof(text), hash);
    for (int i = 0; i < 8; i++)
        x = x << 8 | hash[i];
    return ol_rendezvous_score_of(x, weight);
}

struct owner {
    uint8_t hash[OL_HASH_BYTES];
    uint8_t position;
};

static int
owner_compare(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    int order = memcmp(y->hash, x->hash, OL_HASH_BYTES);

    /* The same id twice: any order will do, but always the same. */
    return order != 0 ? order : x->position - y->position;
}

void
ol_owner_order(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
               uint32_t index, const uint8_t (*ids)[32], size_t count,
               uint8_t *order)
{
    struct owner owners[OL_OWNERS_MAX];
    uint8_t text[OL_SALT_BYTES + OL_HASH_BYTES + 4 + ID_BYTES];
    uint8_t *p = text;

    assert(count <= OL_OWNERS_MAX);
    memcpy(p, salt, OL_SALT_BYTES);
    p += OL_SALT_BYTES;
    memcpy(p, root, OL_HASH_BYTES);
    p += OL_HASH_BYTES;
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(index >> shift);

    for (size_t i = 0; i < count; i++) {
        memcpy(p, ids[i], ID_BYTES);
        ol_sha256(text, sizeof(text), owners[i].hash);
        owners[i].position = (uint8_t)i;
    }
    qsort(owners, count, sizeof(owners[0]), owner_compare);
    for (size_t i = 0; i < count; i++)
        order[i] = owners[i].position;
}
