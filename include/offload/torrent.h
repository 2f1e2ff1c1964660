/*
 * Torrents (BitTorrent v1: BEP 3, 12, 19) of one content.
 *
 * The info dictionary is a pure function of basename, size, piece size (which
 * follows from the size) and the pieces' SHA-1, so every maker of a content's
 * torrent gets the same infohash.  The SHA-1s can be long and lie in a file:
 * a torrent is made as what comes before and what comes behind them.
 */
#ifndef OL_TORRENT_H
#define OL_TORRENT_H

#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"

#define OL_TORRENT_TYPE "application/x-bittorrent"

struct ol_torrent {
    const char *name; /* basename: UTF-8, no slash, not "." or ".." */
    uint64_t size;
    int64_t created; /* seconds since 1970; 0: not said */
    /* Announce URLs, each a tier of its own: a swarm meets at the first. */
    size_t tracker_count;
    const char *const *trackers;
    /* Web seeds: URLs of the file itself, which don't end in a slash. */
    size_t seed_count;
    const char *const *seeds;
};

/*
 * All up to the ol_piece_count(size) * OL_SHA1_BYTES bytes of SHA-1s, and all
 * behind them.  *text is the caller's to free.  -EINVAL: name or size;
 * -ENOMEM.
 */
int ol_torrent_head(const struct ol_torrent *torrent, char **text, size_t *len);
int ol_torrent_tail(const struct ol_torrent *torrent, char **text, size_t *len);

/* SHA-1 of the info dictionary; sha1: of all pieces.  Errors as above. */
int ol_torrent_infohash(const char *name, uint64_t size, const uint8_t *sha1,
                        uint8_t ret[OL_SHA1_BYTES]);

#endif
