/*
 * Packets of the BitTorrent tracker protocol over UDP (BEP 15).
 *
 * Pure: must not know sockets, swarms, or which connection ids are good.
 */
#include "coordinator/tracker/udp_packet.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAGIC UINT64_C(0x41727101980) /* in place of an id, in a connect */
#define HEAD 16                       /* connection id, action, transaction */
#define SWARM 12                      /* of a scrape's answer */

/* Where the members of an announce begin. */
enum { AT_HASH = 16, AT_LEFT = 64, AT_EVENT = 80, AT_WANT = 92, AT_PORT = 96 };

static uint64_t
get64(const uint8_t *at)
{
    uint64_t n;

    memcpy(&n, at, sizeof(n));
    return be64toh(n);
}

static uint32_t
get32(const uint8_t *at)
{
    uint32_t n;

    memcpy(&n, at, sizeof(n));
    return be32toh(n);
}

static void
put32(uint8_t *at, uint32_t n)
{
    n = htobe32(n);
    memcpy(at, &n, sizeof(n));
}

static int
announce_parse(const uint8_t *data, size_t len, struct udp_request *request)
{
    uint16_t port;

    if (len < UDP_ANNOUNCE_BYTES)
        return -EBADMSG;
    request->hashes = data + AT_HASH;
    request->hash_count = 1;
    request->left = get64(data + AT_LEFT);
    request->event = get32(data + AT_EVENT);
    request->num_want = (int32_t)get32(data + AT_WANT);
    memcpy(&port, data + AT_PORT, sizeof(port));
    request->port = be16toh(port);
    return request->event > UDP_EVENT_STOPPED ? -EBADMSG : 0;
}

static int
scrape_parse(const uint8_t *data, size_t len, struct udp_request *request)
{
    size_t count = (len - HEAD) / UDP_HASH_BYTES;

    request->hashes = data + HEAD;
    request->hash_count =
        count < UDP_HASHES_MAX ? (unsigned)count : (unsigned)UDP_HASHES_MAX;
    return count == 0 ? -EBADMSG : 0;
}

int
udp_request_parse(const uint8_t *data, size_t len, struct udp_request *ret)
{
    struct udp_request request = {0};
    int rc = -EBADMSG;

    if (len < HEAD)
        return -EBADMSG;
    request.connection = get64(data);
    request.transaction = get32(data + 12);
    switch (get32(data + 8)) {
    case UDP_CONNECT:
        request.action = UDP_CONNECT;
        rc = request.connection == MAGIC ? 0 : -EBADMSG;
        break;
    case UDP_ANNOUNCE:
        request.action = UDP_ANNOUNCE;
        rc = announce_parse(data, len, &request);
        break;
    case UDP_SCRAPE:
        request.action = UDP_SCRAPE;
        rc = scrape_parse(data, len, &request);
        break;
    }
    if (rc == 0)
        *ret = request;
    return rc;
}

const uint8_t *
udp_request_peek(const uint8_t *data, size_t len)
{
    return len >= UDP_ANNOUNCE_BYTES ? data + AT_HASH : NULL;
}

size_t
udp_connect_answer(uint32_t transaction, uint64_t connection,
                   uint8_t dst[UDP_CONNECT_BYTES])
{
    put32(dst, UDP_CONNECT);
    put32(dst + 4, transaction);
    connection = htobe64(connection);
    memcpy(dst + 8, &connection, sizeof(connection));
    return UDP_CONNECT_BYTES;
}

void
udp_announce_head(uint32_t transaction, uint32_t interval, uint32_t leechers,
                  uint32_t seeders, uint8_t dst[UDP_ANSWER_HEAD])
{
    put32(dst, UDP_ANNOUNCE);
    put32(dst + 4, transaction);
    put32(dst + 8, interval);
    put32(dst + 12, leechers);
    put32(dst + 16, seeders);
}

size_t
udp_scrape_answer(uint32_t transaction, const struct udp_swarm *swarms,
                  unsigned count, uint8_t *dst, size_t cap)
{
    size_t len = 8;

    put32(dst, UDP_SCRAPE);
    put32(dst + 4, transaction);
    for (unsigned i = 0; i < count && len + SWARM <= cap; i++) {
        put32(dst + len, swarms[i].seeders);
        put32(dst + len + 4, swarms[i].completed);
        put32(dst + len + 8, swarms[i].leechers);
        len += SWARM;
    }
    return len;
}

size_t
udp_error_answer(uint32_t transaction, const char *text, uint8_t *dst,
                 size_t cap)
{
    size_t len = strlen(text);

    if (len > cap - 8)
        len = cap - 8;
    put32(dst, UDP_ERROR);
    put32(dst + 4, transaction);
    memcpy(dst + 8, text, len);
    return 8 + len;
}
