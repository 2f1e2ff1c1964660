/*
 * Connection ids of the tracker over UDP: a keyed hash of the client's address
 * and of the time, so that nothing is remembered of strangers.  All processes
 * with one key give and take the same ones.
 *
 * Pure: the time is passed in.  Must not know packets or sockets.
 */
#ifndef COORDINATOR_TRACKER_UDP_CONNECTION_H
#define COORDINATOR_TRACKER_UDP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/key.h"
#include "offload/netaddr.h"

/*
 * One is good in the slot it was given in and in the next, so for two minutes
 * at least, as BEP 15 has it; and in the one before, since the clocks of
 * several coordinators are not alike.
 */
#define UDP_CONNECTION_SLOT_S 128

struct udp_connections;

/* -EIO: no key could be derived; -ENOMEM. */
int udp_connections_create(const struct ol_key *key,
                           struct udp_connections **ret);
void udp_connections_free(struct udp_connections *ids); /* NULL is legal */
/* Never 0, so that 0 may stand for failure. */
uint64_t udp_connection_make(struct udp_connections *ids,
                             const struct ol_addr *addr, int64_t now_s);
bool udp_connection_is_good(struct udp_connections *ids, uint64_t id,
                            const struct ol_addr *addr, int64_t now_s);

#endif
