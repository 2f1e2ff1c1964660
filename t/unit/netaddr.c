/*
 * Addresses: spelling, CIDRs, and a table over the special-purpose registries
 * with the first and last address of each block.
 */
#include "../../lib/netaddr.c"

#include "tap.h"

static const char *const not_public[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.88.99.0",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:0:0:1::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:0:808:808::f7f7:f7f7",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002:a00:1::1",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static const char *const public[] = {
    "1.0.0.0",         "8.8.8.8",
    "9.255.255.255",   "11.0.0.0",
    "100.63.255.255",  "100.128.0.0",
    "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0",
    "172.15.255.255",  "172.32.0.0",
    "191.255.255.255", "192.0.1.0",
    "192.0.3.0",       "192.88.98.255",
    "192.88.100.0",    "192.167.255.255",
    "192.169.0.0",     "198.17.255.255",
    "198.20.0.0",      "198.51.99.255",
    "198.51.101.0",    "203.0.112.255",
    "203.0.114.0",     "223.255.255.255",
    "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
    "2001:200::1",     "2001:db7:ffff::1",
    "2001:db9::1",     "2001:4860:4860::8888",
    "2002:808:808::1", "2a00:1450::1",
    "3ffe:ffff::1",    "3fff:1000::1",
};

static struct ol_addr
addr(const char *text)
{
    struct ol_addr a;

    if (ol_addr_parse(text, &a) < 0)
        diag("not an address: %s", text);
    must(ol_addr_parse(text, &a) == 0);
    return a;
}

static void
test_public(void)
{
    for (size_t i = 0; i < sizeof(not_public) / sizeof(not_public[0]); i++) {
        struct ol_addr a = addr(not_public[i]);

        ok(!ol_addr_is_public(&a), "not public: %s", not_public[i]);
    }
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
        struct ol_addr a = addr(public[i]);

        ok(ol_addr_is_public(&a), "public: %s", public[i]);
    }
}

static void
test_text(void)
{
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:C000:201", "192.0.2.1"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"}, /* RFC 5952 */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"::", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
    };
    static const char *const bad[] = {
        "",         "1.2.3",      "1.2.3.4.5", "01.2.3.4",    "1.2.3.4 ",
        " 1.2.3.4", "0x7f.0.0.1", "127.1",     "256.0.0.1",   "::1%lo",
        "[::1]",    ":::",        "1:2",       "example.org", "1.2.3.4/32",
    };
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct ol_addr a;
    char text[OL_ADDR_TEXT];

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        a = addr(pairs[i][0]);
        ol_addr_text(&a, text, sizeof(text));
        is_str(text, pairs[i][1], "%s", pairs[i][0]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_int(ol_addr_parse(bad[i], &a), -EINVAL, "refused: %s", bad[i]);

    v4.sin_addr.s_addr = htonl(0xc0000201);
    is_int(ol_addr_from_sockaddr((struct sockaddr *)&v4, &a), 0, "IPv4");
    ol_addr_text(&a, text, sizeof(text));
    is_str(text, "192.0.2.1", "is mapped");
    v6.sin6_addr = in6addr_loopback;
    is_int(ol_addr_from_sockaddr((struct sockaddr *)&v6, &a), 0, "IPv6");
    ol_addr_text(&a, text, sizeof(text));
    is_str(text, "::1", "is kept");
    is_int(ol_addr_from_sockaddr(&other, &a), -EAFNOSUPPORT, "AF_UNIX");
    ol_addr_text(&a, text, 2);
    is_str(text, "", "too small a buffer gets nothing");
}

static void
test_cidr(void)
{
    static const struct {
        const char *cidr, *in, *out;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
        {"10.0.0.0/9", "10.127.255.255", "10.128.0.0"},
        {"128.0.0.0/1", "255.0.0.1", "127.0.0.1"},
        {"0.0.0.0/0", "203.0.113.7", "2001:db8::1"},
        {"::/0", "2001:db8::1", "203.0.113.7"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::1", "::1", "::2"},
        {"::ffff:127.0.0.0/104", "127.255.0.1", "128.0.0.1"},
    };
    static const char *const bad[] = {
        "",
        "/24",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.1/8",
        "10/8",
        "::/129",
        "::1/127",
        "2001:db8::/x",
        "2001:db8::1/64",
        "a/8",
        "10.0.0.0/00",
        "10.0.0.0/4294967304",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/8",
    };
    struct ol_cidr c;
    struct ol_error err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ol_addr in = addr(cases[i].in), out = addr(cases[i].out);

        is_int(ol_cidr_parse(cases[i].cidr, &c, &err), 0, "%s", cases[i].cidr);
        ok(ol_cidr_contains(&c, &in), "contains %s", cases[i].in);
        ok(!ol_cidr_contains(&c, &out), "not %s", cases[i].out);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_int(ol_cidr_parse(bad[i], &c, &err), -EINVAL, "refused: %s", bad[i]);
    is_int(ol_cidr_parse("10.0.0.1/8", &c, &err), -EINVAL, "host bits");
    is_str(err.text, "\"10.0.0.1/8\": bits are set beyond the prefix", "named");
}

static void
test_set(void)
{
    struct ol_cidrs set = {0};
    struct ol_addr a = addr("10.0.63.1"), b = addr("10.0.64.1");
    struct ol_error err;
    char text[32];
    int bad = 0;

    ok(!ol_cidrs_contain(&set, &a), "none contains nothing");
    is_int(ol_cidrs_add(&set, "nonsense", &err), -EINVAL, "nonsense");
    is_int(set.count, 0, "is not added");
    for (int i = 0; i < OL_CIDRS_MAX; i++) {
        snprintf(text, sizeof(text), "10.0.%d.0/24", i);
        bad += ol_cidrs_add(&set, text, &err) != 0;
    }
    is_int(bad, 0, "64 networks");
    is_int(ol_cidrs_add(&set, "::1", &err), -ENOSPC, "not 65");
    ok(ol_cidrs_contain(&set, &a), "the last one counts");
    ok(!ol_cidrs_contain(&set, &b), "what is in none is not in");
}

static void
test_network(void)
{
    static const struct {
        const char *addr, *network;
    } cases[] = {
        {"192.0.2.77", "192.0.2.0"},
        {"192.0.3.77", "192.0.3.0"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1::"},
        {"::1", "::"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ol_addr a = addr(cases[i].addr), network;
        char text[OL_ADDR_TEXT];

        ol_addr_network(&a, &network);
        ol_addr_text(&network, text, sizeof(text));
        is_str(text, cases[i].network, "the network of %s", cases[i].addr);
    }
}

int
main(void)
{
    test_public();
    test_text();
    test_cidr();
    test_set();
    test_network();
    return tap_done();
}
