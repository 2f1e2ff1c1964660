/*
 * Packets of the BitTorrent tracker protocol over UDP (BEP 15): requests taken
 * apart, answers put together.
 *
 * Pure: must not know sockets, swarms, or which connection ids are good.
 * Numbers on the wire are big-endian.
 */
#ifndef COORDINATOR_TRACKER_UDP_PACKET_H
#define COORDINATOR_TRACKER_UDP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define UDP_HASH_BYTES 20
#define UDP_HASHES_MAX 74 /* in one scrape (BEP 15) */
#define UDP_CONNECT_BYTES 16
#define UDP_ANNOUNCE_BYTES 98 /* without the options of BEP 41 */
#define UDP_ANSWER_HEAD 20    /* of an announce, before its peers */
/* What no packet is fragmented by: IPv6's least MTU less both headers. */
#define UDP_PACKET_MAX 1232

enum udp_action {
    UDP_CONNECT = 0,
    UDP_ANNOUNCE = 1,
    UDP_SCRAPE = 2,
    UDP_ERROR = 3
};
enum udp_event {
    UDP_EVENT_NONE = 0,
    UDP_EVENT_COMPLETED = 1,
    UDP_EVENT_STARTED = 2,
    UDP_EVENT_STOPPED = 3
};

struct udp_request {
    enum udp_action action; /* one of the first three */
    uint64_t connection;    /* not of a connect */
    uint32_t transaction;
    const uint8_t *hashes; /* in the packet; one if it is an announce */
    unsigned hash_count;
    /* Of an announce. */
    uint64_t left;
    uint32_t event;
    int32_t num_want; /* < 0: as many as is usual */
    uint16_t port;
};

struct udp_swarm {
    uint32_t seeders, completed, leechers;
};

/*
 * 0; -EBADMSG: no request of this protocol, to be left unanswered.  A scrape's
 * hashes beyond UDP_HASHES_MAX, half ones, and what follows an announce (the
 * options of BEP 41, which name the URL's path) are ignored.
 */
int udp_request_parse(const uint8_t *data, size_t len, struct udp_request *ret);

/* The hash, if it may be an announce; else NULL. */
const uint8_t *udp_request_peek(const uint8_t *data, size_t len);

/*
 * Answers.  Each returns the packet's length, which is cap at most: what does
 * not fit is left out, whole peers or swarms at a time.
 */
size_t udp_connect_answer(uint32_t transaction, uint64_t connection,
                          uint8_t dst[UDP_CONNECT_BYTES]);
/* The peers, of 6 bytes or of 18, are to be put at dst + UDP_ANSWER_HEAD. */
void udp_announce_head(uint32_t transaction, uint32_t interval,
                       uint32_t leechers, uint32_t seeders,
                       uint8_t dst[UDP_ANSWER_HEAD]);
size_t udp_scrape_answer(uint32_t transaction, const struct udp_swarm *swarms,
                         unsigned count, uint8_t *dst, size_t cap);
/* cap: 8 or more. */
size_t udp_error_answer(uint32_t transaction, const char *text, uint8_t *dst,
                        size_t cap);

#endif
