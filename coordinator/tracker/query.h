/*
 * The queries of /announce and /scrape (BEP 3, 7, 23, 48), taken apart raw:
 * infohashes are bytes, zeros included, and '+' is a plus.  Pure.
 */
#ifndef COORDINATOR_TRACKER_QUERY_H
#define COORDINATOR_TRACKER_QUERY_H

#include "coordinator/tracker/tracker.h"

/*
 * Fills in all but protocol and addr.  `ip`, `peer_id`, `key`, `compact`,
 * `no_peer_id` and anything unknown are passed over: an address is the
 * connection's, and answers are compact.  Returns NULL, or what is wrong with
 * it.  query: as sent, or NULL.
 */
const char *query_announce(const char *query, struct announce *ret);
/* Its infohashes, at most TRACKER_SCRAPE_MAX: further ones are passed over. */
const char *query_scrape(const char *query, struct scrape *ret);

#endif
