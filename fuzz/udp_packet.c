/*
 * A packet to the tracker over UDP (BEP 15), and what it would be answered.
 */
#include "coordinator/tracker/udp_packet.h"

#include <string.h>

#include "target.h"

static void
check_answers(const struct udp_request *request, size_t cap)
{
    struct udp_swarm swarms[UDP_HASHES_MAX];
    uint8_t out[UDP_PACKET_MAX];

    memset(swarms, 0xff, sizeof(swarms));
    MUST(udp_connect_answer(request->transaction, request->connection, out) ==
         UDP_CONNECT_BYTES);
    udp_announce_head(request->transaction, 1, 2, 3, out);
    MUST(udp_scrape_answer(request->transaction, swarms, request->hash_count,
                           out, cap) <= cap);
    MUST(udp_error_answer(request->transaction, "what is wrong", out, cap) <=
         cap);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct udp_request request;
    /* Of its own length, so that a read beyond it is noticed. */
    uint8_t *packet = malloc(len > 0 ? len : 1);

    memcpy(packet, data, len);
    if (udp_request_parse(packet, len, &request) == 0) {
        MUST(request.action < UDP_ERROR);
        MUST(request.hash_count <= UDP_HASHES_MAX);
        if (request.action != UDP_CONNECT && request.hash_count > 0) {
            size_t bytes = (size_t)request.hash_count * UDP_HASH_BYTES;
            size_t at = (size_t)(request.hashes - packet);

            MUST(at + bytes <= len);
        }
        if (request.action == UDP_ANNOUNCE)
            MUST(request.hash_count == 1 && len >= UDP_ANNOUNCE_BYTES);
        check_answers(&request, 8 + len % (UDP_PACKET_MAX - 7));
    }
    free(packet);
    return 0;
}
