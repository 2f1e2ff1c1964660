/*
 * Answers of the tracker in bencode (BEP 3), keys in order.  Pure.
 */
#ifndef COORDINATOR_TRACKER_BENCODE_H
#define COORDINATOR_TRACKER_BENCODE_H

#include "coordinator/tracker/tracker.h"

/* Seven keys with numbers of ten digits: less than 200 bytes without peers. */
#define BENCODE_ANNOUNCE_MAX (256 + TRACKER_WANT_MAX * SWARM_V6_BYTES)
/* Each: a hash and three such numbers. */
#define BENCODE_SCRAPE_MAX (128 + TRACKER_SCRAPE_MAX * 112)

/* They return how long the answer is. */
size_t bencode_announce(const struct announce_answer *answer,
                        char dst[BENCODE_ANNOUNCE_MAX]);
/* Each infohash once, in order, as keys of a dictionary are. */
size_t bencode_scrape(const struct scrape *scrape,
                      char dst[BENCODE_SCRAPE_MAX]);
size_t bencode_failure(const char *reason, char dst[BENCODE_ANNOUNCE_MAX]);

#endif
