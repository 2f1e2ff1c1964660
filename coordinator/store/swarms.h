/*
 * BitTorrent swarms in Redis: which infohashes are registered, and their
 * peers.
 *
 * Peers are written by plain commands that nobody waits for: 0, or -ENOTCONN
 * (Redis is away), -EAGAIN (too much waits to be sent).  Rules of calls and
 * call-backs are those of store.h.
 */
#ifndef COORDINATOR_STORE_SWARMS_H
#define COORDINATOR_STORE_SWARMS_H

#include "coordinator/store/store.h"

/* A key ends so long after the last of its peers, so that it is renewed
 * seldom. */
#define SWARM_KEY_SPARE_S 300

/* hex: the infohash; kind: 0 to 3, as the keys s4 l4 s6 l6 stand. */

/* Less than half of what may wait to be sent does. */
bool store_swarm_has_room(const struct store *store);
/* Rises when what was under way may have been lost. */
unsigned store_swarm_breaks(const struct store *store);
/* Writes one that is answered: rc -EIO: Redis takes none, it is full. [1] */
typedef void store_swarm_probe_fn(void *arg, int rc);
int store_swarm_probe(struct store *store, store_swarm_probe_fn *done,
                      void *arg);
/* [log n] */
int store_swarm_put(struct store *store, const char *hex, unsigned kind,
                    const uint8_t *member, uint32_t expires_s);
int store_swarm_remove(struct store *store, const char *hex, unsigned kind,
                       const uint8_t *member);
/* The key of that kind lives so long. [1] */
int store_swarm_renew(struct store *store, const char *hex, unsigned kind,
                      uint32_t life_s);
/* Puts it as a seed; if it was a leecher, that is one more download.
 * [log n] */
int store_swarm_completed(struct store *store, const char *hex, unsigned seeds,
                          const uint8_t *member, uint32_t expires_s,
                          uint32_t life_s);

struct store_swarm_peers {
    uint64_t count; /* alive in all */
    bool whole;     /* the list is all of them */
    size_t listed;  /* member and expiry of each by store_swarm_peer */
    const void *list;
};
struct store_swarm {
    uint64_t downloaded;
    struct store_swarm_peers peers[4];
};
/* False if it is malformed. */
bool store_swarm_peer(const struct store_swarm_peers *peers, size_t i,
                      size_t bytes, const uint8_t **ret_member,
                      uint32_t *ret_expires_s);

typedef void store_swarm_fn(void *arg, int rc, const struct store_swarm *swarm);
/* rc -ENOENT: not registered.  Drops some that have expired; a key without an
 * end has one then, in life_s. [log n + page] */
int store_swarm_look(struct store *store, const char *hex, uint32_t now_s,
                     uint32_t random, uint32_t life_s, store_swarm_fn *done,
                     void *arg);

typedef void store_swarm_counts_fn(void *arg, int rc, uint64_t seeds,
                                   uint64_t leechers, uint64_t downloaded);
/* rc -ENOENT: not registered. [log n] */
int store_swarm_counts(struct store *store, const char *hex, uint32_t now_s,
                       store_swarm_counts_fn *done, void *arg);

struct store_torrent {
    const char *site; /* its id */
    const char *root, *name;
    uint64_t size;
};
/* A site offers it; renewed with its content. [log n] */
void store_swarm_register(struct store *store, const char *hex,
                          const struct store_torrent *torrent, int64_t now_s);
/* If no other site offers it, it is not registered any more. [log n] */
void store_swarm_withdraw(struct store *store, const char *hex,
                          const char *site, int64_t now_s);

#endif
