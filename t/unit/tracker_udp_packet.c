/*
 * BEP 15 byte by byte: requests whole, cut short and foreign; answers that are
 * cut to their room.
 */
#include "../../coordinator/tracker/udp_packet.c"

#include "tap.h"

#define ANY UINT64_C(0x1122334455667788)

static uint8_t packet[2048];

static size_t
head(uint64_t connection, uint32_t action)
{
    memset(packet, 0, sizeof(packet));
    put32(packet, (uint32_t)(connection >> 32));
    put32(packet + 4, (uint32_t)connection);
    put32(packet + 8, action);
    put32(packet + 12, 0xcafe);
    return 16;
}

/* With left = 2^32 + 7, event 2, num_want -1, port 6881. */
static size_t
announce(void)
{
    head(ANY, 1);
    memset(packet + 16, 'h', 20);
    memset(packet + 36, 'p', 20);
    packet[67] = 1;
    packet[71] = 7;
    packet[83] = 2;
    memset(packet + 92, 0xff, 4);
    packet[96] = 0x1a;
    packet[97] = 0xe1;
    return 98;
}

static void
test_connect(void)
{
    struct udp_request r;

    is_int(udp_request_parse(packet, head(MAGIC, 0), &r), 0, "a connect");
    is_int(r.action, UDP_CONNECT, "is one");
    is_int(r.transaction, 0xcafe, "with its transaction");
    is_int(udp_request_parse(packet, head(MAGIC + 1, 0), &r), -EBADMSG,
           "without the protocol's id it is none");
    is_int(udp_request_parse(packet, head(ANY, 3), &r), -EBADMSG,
           "an error is no request");
    is_int(udp_request_parse(packet, head(ANY, 4), &r), -EBADMSG,
           "nor is another action");
}

static void
test_announce(void)
{
    struct udp_request r = {0};
    size_t len = announce();

    is_int(udp_request_parse(packet, len, &r), 0, "an announce");
    ok(r.connection == ANY, "its connection id");
    is_int(r.hash_count, 1, "one hash");
    is_mem(r.hashes, "hhhhhhhhhhhhhhhhhhhh", 20, "which is this");
    ok(r.left == (UINT64_C(1) << 32) + 7, "left has 64 bits");
    is_int(r.event, UDP_EVENT_STARTED, "event");
    is_int(r.num_want, -1, "num_want is signed");
    is_int(r.port, 6881, "port");
    ok(udp_request_peek(packet, len) == r.hashes, "whose hash is seen at once");
    ok(udp_request_peek(packet, len - 1) == NULL, "if there is one");
    packet[98] = 2; /* BEP 41: URL data, longer than what is there */
    packet[99] = 255;
    is_int(udp_request_parse(packet, 100, &r), 0, "options are ignored");
    packet[83] = 4;
    is_int(udp_request_parse(packet, len, &r), -EBADMSG, "no such event");
}

static void
test_short(void)
{
    struct udp_request r = {.transaction = 1};
    size_t len = announce();
    int bad = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t *copy = malloc(i + 1); /* sanitizers see a read beyond */

        memcpy(copy, packet, i);
        bad += udp_request_parse(copy, i, &r) != -EBADMSG;
        free(copy);
    }
    is_int(bad, 0, "no part of an announce is one");
    is_int(r.transaction, 1, "what is refused writes nothing");
}

static void
test_scrape(void)
{
    struct udp_request r;

    head(ANY, 2);
    is_int(udp_request_parse(packet, 16, &r), -EBADMSG, "a scrape of nothing");
    is_int(udp_request_parse(packet, 35, &r), -EBADMSG, "of half a hash");
    is_int(udp_request_parse(packet, 36, &r), 0, "of one");
    is_int(r.hash_count, 1, "is of one");
    is_int(udp_request_parse(packet, 16 + 20 * 74 + 19, &r), 0, "of 74");
    is_int(r.hash_count, 74, "and a half is of 74");
    is_int(udp_request_parse(packet, 16 + 20 * 90, &r), 0, "of more");
    is_int(r.hash_count, 74, "is of 74");
    ok(r.hashes == packet + 16, "which are in the packet");
}

static void
test_answers(void)
{
    struct udp_swarm swarms[3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
    uint8_t dst[64] = {0};

    is_int(udp_connect_answer(7, ANY, dst), 16, "a connect's answer");
    is_mem(dst, "\0\0\0\0\0\0\0\7\x11\x22\x33\x44\x55\x66\x77\x88", 16,
           "is as BEP 15 has it");
    udp_announce_head(7, 1800, 2, 3, dst);
    is_mem(dst, "\0\0\0\1\0\0\0\7\0\0\7\x08\0\0\0\2\0\0\0\3", 20,
           "an announce's: interval, leechers, seeders");
    is_int(udp_scrape_answer(7, swarms, 3, dst, 64), 44, "a scrape's");
    is_mem(dst, "\0\0\0\2\0\0\0\7\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 24,
           "seeders, completed, leechers");
    is_int(udp_scrape_answer(7, swarms, 3, dst, 43), 32, "whole swarms only");
    is_int(udp_error_answer(7, "no", dst, 64), 10, "an error");
    is_mem(dst, "\0\0\0\3\0\0\0\7no", 10, "has its text");
    is_int(udp_error_answer(7, "a long text", dst, 16), 16,
           "which is cut to its room");
    is_int(udp_error_answer(7, "text", dst, 8), 8, "or left out");
}

int
main(void)
{
    test_connect();
    test_announce();
    test_short();
    test_scrape();
    test_answers();
    return tap_done();
}
