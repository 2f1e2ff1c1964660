/*
 * A swarm as one process knows it: a bounded sample of its peers, in four sets
 * (seeds and leechers, IPv4 and IPv6), and how many there are in all.
 *
 * A set is a table of slots in buckets of eight.  A peer lies in the bucket of
 * its network (/24, /48), which is how near peers are found, or if that is
 * full in one of its own, by hash.  A handout starts at a random bucket and
 * walks on, so each peer's chance is about the same, and the work is bounded.
 * Pure: time and randomness are passed in.
 */
#ifndef COORDINATOR_TRACKER_SWARM_H
#define COORDINATOR_TRACKER_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWARM_HASH_BYTES 20
#define SWARM_V4_BYTES 6 /* address and port */
#define SWARM_V6_BYTES 18
#define SWARM_WAYS 8
#define SWARM_SET_MAX 1024 /* slots of one set: the sample's bound */

/* In Redis: s4, l4, s6, l6. */
enum swarm_kind { SWARM_S4, SWARM_L4, SWARM_S6, SWARM_L6, SWARM_KINDS };

static inline size_t
swarm_member_bytes(enum swarm_kind kind)
{
    return kind < SWARM_S6 ? SWARM_V4_BYTES : SWARM_V6_BYTES;
}

/* The same peer as a leecher, or as a seed. */
static inline enum swarm_kind
swarm_other(enum swarm_kind kind)
{
    return (enum swarm_kind)(kind ^ 1);
}

struct swarm_set {
    uint8_t *slots;
    uint16_t buckets, used; /* used: slots that are taken, expired ones too */
    bool full;              /* others had to go: the count is Redis's */
    uint32_t base;          /* how many Redis had, when it was asked */
    int32_t delta;          /* came and went here since then */
    int32_t since;          /* the same since it is being asked */
    uint32_t key_until_s;   /* when the key in Redis ends */
};

struct swarm {
    uint8_t infohash[SWARM_HASH_BYTES];
    char hex[2 * SWARM_HASH_BYTES + 1];
    struct swarm_set sets[SWARM_KINDS];
    uint32_t downloaded;
};

/* Shared by all swarms of a process: what their sets may take. */
struct swarm_memory {
    uint64_t seed;      /* nobody can choose who shares a bucket */
    size_t used, limit; /* bytes of slots; at the limit no set grows */
    size_t peers;       /* slots that are taken */
};

/* A peer in one set, as looked for, found or put. */
enum swarm_flag {
    SWARM_UNWRITTEN = 1, /* Redis has not been told */
    SWARM_COMPLETED = 2, /* it has to be told as completed */
    SWARM_LEARNT = 4     /* Redis told of it: it is in its count already */
};
struct swarm_peer {
    const uint8_t *member;
    uint32_t expires_s;
    unsigned flags;
    uint8_t zone; /* a number for its country; 0: not known */
};

/* It will be asked soon: fetches the first of its peers into the cache. */
void swarm_expect(const struct swarm *swarm);

/* True if it is there; then *ret tells when it expires and its flags. */
bool swarm_find(const struct swarm *swarm, const struct swarm_memory *memory,
                enum swarm_kind kind, const uint8_t *member,
                struct swarm_peer *ret);
/*
 * Adds or renews it.  If there is no room, one whose end is near goes.
 * 1: it is new here, 0: known, -ENOMEM.
 */
int swarm_put(struct swarm *swarm, struct swarm_memory *memory,
              enum swarm_kind kind, const struct swarm_peer *peer,
              uint32_t now_s);
/* True if it was there. */
bool swarm_remove(struct swarm *swarm, struct swarm_memory *memory,
                  enum swarm_kind kind, const uint8_t *member);
/*
 * After all that Redis has were put as SWARM_LEARNT: drops those that were not
 * and end before before_s, but for unwritten ones.
 */
void swarm_sweep(struct swarm *swarm, struct swarm_memory *memory,
                 enum swarm_kind kind, uint32_t before_s);
void swarm_clear(struct swarm *swarm, struct swarm_memory *memory);

/* Visits all of a set. */
typedef void swarm_visit_fn(void *arg, const struct swarm_peer *peer);
void swarm_visit(const struct swarm *swarm, enum swarm_kind kind,
                 swarm_visit_fn *visit, void *arg);

struct swarm_asker {
    const uint8_t *member; /* of the sets' family, or NULL: of the other */
    uint32_t now_s;
    uint64_t random;
    uint8_t zone;
};
/* Writes at most max members, never the asker's own; returns how many. */
size_t swarm_hand(const struct swarm *swarm, const struct swarm_memory *memory,
                  enum swarm_kind kind, const struct swarm_asker *asker,
                  uint8_t *ret, size_t max);

/* How many there are, in all processes, as far as this one knows. */
uint32_t swarm_count(const struct swarm *swarm, enum swarm_kind kind);

#endif
