/*
 * Queries of announces and scrapes: infohashes as raw bytes, numbers at their
 * edges, what is passed over, and random bytes.
 */
#include "../../coordinator/tracker/query.c"

#include "tap.h"

#define HASH "%00%01+-._~%7e%7Eabcdefgh%ff%FFZ"
static const uint8_t hash[] = "\0\1+-._~~~abcdefgh\xff\xffZ";

static struct announce a;
static struct scrape s;

static const char *
announce(const char *query)
{
    memset(&a, 0x55, sizeof(a));
    return query_announce(query, &a);
}

static void
test_hash(void)
{
    static const char *const bad[] = {
        "info_hash=",
        "info_hash=1234567890123456789",
        "info_hash=123456789012345678901",
        "info_hash=1234567890123456789%",
        "info_hash=1234567890123456789%0",
        "info_hash=1234567890123456789%0g",
        "info_hash=1234567890123456789%%30",
        "info_hash=%31%32%33%34%35%36%37%38%39%30%31%32%33%34%35%36%37%38%39",
        "info_hash"};
    unsigned taken = 0;

    must(sizeof(hash) == SWARM_HASH_BYTES + 1);
    ok(announce("info_hash=" HASH "&port=1") == NULL, "a hash");
    is_mem(a.infohash, hash, SWARM_HASH_BYTES,
           "of 20 bytes: zeros stay, '+' is a plus");
    ok(announce("port=1&info_hash=" HASH) == NULL, "at the end");
    is_mem(a.infohash, hash, SWARM_HASH_BYTES, "the same");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        taken += announce(bad[i]) == NULL;
    is_int(taken, 0, "nothing but 20 bytes");
    has_str(announce(bad[0]), "info_hash", "and the refusal says so");
    ok(announce(NULL) != NULL && announce("") != NULL && announce("&") != NULL,
       "there has to be one");
    ok(announce("info_hash=" HASH "&info_hash=" HASH) != NULL, "just one");
    ok(announce("Info_hash=" HASH) != NULL, "of that very name");
}

static void
test_rest(void)
{
    ok(announce("info_hash=" HASH) == NULL, "nothing else is needed");
    is_int(a.port, 0, "no port");
    is_int(a.want, -1, "the usual number of peers");
    ok(a.left == UINT64_MAX, "a leecher");
    is_int(a.event, ANNOUNCE_NONE, "no event");
    ok(announce("info_hash=" HASH
                "&peer_id=%00&ip=10.0.0.1&port=65535&uploaded=1&downloaded=2"
                "&left=18446744073709551614&compact=0&no_peer_id=1&key=9"
                "&event=completed&numwant=80&supportcrypto=1&x&=&==") == NULL,
       "all that clients send");
    is_int(a.port, 65535, "the port");
    ok(a.left == UINT64_MAX - 1, "left has 64 bits");
    is_int(a.want, 80, "numwant");
    is_int(a.event, ANNOUNCE_COMPLETED, "completed");
    announce("info_hash=" HASH "&left=18446744073709551616&numwant=-1");
    ok(a.left == UINT64_MAX, "left too big: a leecher");
    ok(a.want < 0, "numwant -1: as many as is usual");
    announce("info_hash=" HASH "&left=&numwant=99999999999&port=0");
    ok(a.left == UINT64_MAX, "left empty: a leecher");
    is_int(a.want, TRACKER_WANT_MAX, "numwant is capped");
    announce("info_hash=" HASH "&left=0&numwant=0");
    ok(a.left == 0 && a.want == 0, "zeros");
    has_str(announce("info_hash=" HASH "&port=65536"), "port", "no such port");
    ok(announce("info_hash=" HASH "&port=-1") != NULL, "nor that");
    ok(announce("info_hash=" HASH "&port=") != NULL, "nor none at all");
}

static void
test_event(void)
{
    announce("info_hash=" HASH "&event=started");
    is_int(a.event, ANNOUNCE_STARTED, "started");
    announce("info_hash=" HASH "&event=stopped");
    is_int(a.event, ANNOUNCE_STOPPED, "stopped");
    announce("info_hash=" HASH "&event=paused");
    is_int(a.event, ANNOUNCE_PAUSED, "paused (BEP 21)");
    announce("info_hash=" HASH "&event=");
    is_int(a.event, ANNOUNCE_NONE, "empty");
    announce("info_hash=" HASH "&event=stoppedx");
    is_int(a.event, ANNOUNCE_NONE, "unknown");
}

static void
test_scrape(void)
{
    char query[TRACKER_SCRAPE_MAX * 80 * 2], *to = query;

    for (int i = 0; i < TRACKER_SCRAPE_MAX + 20; i++)
        to += sprintf(to, "info_hash=%%00%%01%%%02x.................&", i);
    ok(query_scrape(query, &s) == NULL, "many hashes");
    is_int(s.count, TRACKER_SCRAPE_MAX, "as many as there is room for");
    is_int(s.infohash[99][2], 99, "in their order");
    ok(query_scrape("info_hash=" HASH "&x=1&info_hash=" HASH, &s) == NULL &&
           s.count == 2,
       "two of them");
    has_str(query_scrape(NULL, &s), "info_hash", "none: refused");
    has_str(query_scrape("x", &s), "info_hash", "none at all");
    has_str(query_scrape("info_hash=" HASH "&info_hash=1", &s), "20",
            "a short one: refused");
}

/* Whatever comes, what is taken keeps its bounds; hashes survive encoding. */
static void
test_random(void)
{
    static const char bits[] = "info_hash=&port=&left=&event=stopped%0%%00&&==";
    unsigned wrong = 0, taken = 0;
    uint8_t want[SWARM_HASH_BYTES];
    char query[400];

    srand(1);
    for (int i = 0; i < 200000; i++) {
        size_t len = 0, pieces = (size_t)rand() % 20;

        for (size_t k = 0; k < pieces; k++) {
            size_t at = (size_t)rand() % (sizeof(bits) - 1);
            size_t part = 1 + (size_t)rand() % 12;

            if (at + part > sizeof(bits) - 1)
                part = sizeof(bits) - 1 - at;
            memcpy(query + len, bits + at, part);
            len += part;
        }
        query[len] = '\0';
        taken += announce(query) == NULL;
        wrong += query_scrape(query, &s) == NULL && s.count == 0;
    }
    for (int i = 0; i < 20000; i++) {
        char *to = query + sprintf(query, "info_hash=");

        for (size_t k = 0; k < sizeof(want); k++) {
            want[k] = (uint8_t)rand();
            if (want[k] > ' ' && strchr("%&#", want[k]) == NULL &&
                want[k] < 127 && rand() % 2 == 0)
                *to++ = (char)want[k];
            else
                to += sprintf(to, rand() % 2 ? "%%%02x" : "%%%02X", want[k]);
        }
        *to = '\0';
        wrong += announce(query) != NULL ||
                 memcmp(a.infohash, want, sizeof(want)) != 0;
    }
    is_int(wrong, 0, "random hashes come out as they went in");
    ok(taken < 100, "and next to no garbage is an announce");
}

int
main(void)
{
    test_hash();
    test_rest();
    test_event();
    test_scrape();
    test_random();
    return tap_done();
}
