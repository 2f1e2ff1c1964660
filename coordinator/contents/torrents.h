/*
 * The torrents of one content: one for each name that its site offers it by,
 * as the site tells their infohashes.  What is in the store of them makes
 * trackers serve them.
 */
#ifndef COORDINATOR_CONTENTS_TORRENTS_H
#define COORDINATOR_CONTENTS_TORRENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/sites/sync_codec.h"
#include "coordinator/store/store.h"

#define TORRENTS_MAX 4 /* of one content; the one told first goes */

struct torrent {
    uint8_t infohash[OL_SHA1_BYTES];
    char *name; /* the last segment of its path */
};
struct torrents {
    size_t count;
    struct torrent *list;
};

/* True if it is a new one, so that the store has to be told. */
bool torrents_add(struct torrents *torrents, const struct sync_entry *entry);
/* Tells the store of all; site: its id, root: hex. */
void torrents_put(const struct torrents *torrents, struct store *store,
                  const char *site, const char *root, uint64_t size);
/* The site offers none of them any more. */
void torrents_gone(const struct torrents *torrents, struct store *store,
                   const char *site);
void torrents_clear(struct torrents *torrents);

#endif
