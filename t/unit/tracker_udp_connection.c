/*
 * Connection ids: good for their address and for two to six minutes; the same
 * for all who have the key, and others for others.
 */
#include "../../coordinator/tracker/udp_connection.c"

#include "tap.h"

#define NOW 1790000000 /* the beginning of a slot */

static struct udp_connections *ids, *twin, *other;
static struct ol_addr a, b;

static void
test_time(void)
{
    uint64_t id = udp_connection_make(ids, &a, NOW);
    int bad = 0;

    ok(NOW % UDP_CONNECTION_SLOT_S == 0, "a slot begins now");
    ok(id != 0 && id == udp_connection_make(ids, &a, NOW + 127),
       "one id for a slot");
    ok(id != udp_connection_make(ids, &a, NOW + 128), "another for the next");
    id = udp_connection_make(ids, &a, NOW + 127);
    for (int64_t s = 127; s < 127 + 120; s++)
        bad += !udp_connection_is_good(ids, id, &a, NOW + s);
    is_int(bad, 0, "it is good for two minutes");
    ok(!udp_connection_is_good(ids, id, &a, NOW + 256), "and not for long");
    ok(udp_connection_is_good(ids, id, &a, NOW - 1),
       "a coordinator whose clock is behind takes it");
    ok(!udp_connection_is_good(ids, id, &a, NOW - 129), "unless it is far");
}

static void
test_others(void)
{
    uint64_t id = udp_connection_make(ids, &a, NOW);
    int bad = 0;

    ok(!udp_connection_is_good(ids, id, &b, NOW), "not for another address");
    ok(!udp_connection_is_good(other, id, &a, NOW), "nor with another key");
    ok(udp_connection_is_good(twin, id, &a, NOW), "but with the same key");
    ok(!udp_connection_is_good(ids, 0, &a, NOW), "0 is never good");
    for (int i = 0; i < 64; i++)
        bad += udp_connection_is_good(ids, id ^ UINT64_C(1) << i, &a, NOW);
    is_int(bad, 0, "nor is one with a bit changed");
}

int
main(void)
{
    struct ol_key *key, *another;

    must(ol_addr_parse("192.0.2.1", &a) == 0);
    must(ol_addr_parse("2001:db8::1", &b) == 0);
    must(ol_key_generate(&key) == 0 && ol_key_generate(&another) == 0);
    must(udp_connections_create(key, &ids) == 0);
    must(udp_connections_create(key, &twin) == 0);
    must(udp_connections_create(another, &other) == 0);
    test_time();
    test_others();
    udp_connections_free(ids);
    udp_connections_free(twin);
    udp_connections_free(other);
    udp_connections_free(NULL);
    ol_key_free(key);
    ol_key_free(another);
    return tap_done();
}
