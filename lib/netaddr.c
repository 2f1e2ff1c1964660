/*
 * Addresses and CIDRs, and the table of those that no stranger's URL may lead
 * to.  Opens no socket, resolves no name.
 */
#include "offload/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96
#define NETWORK_V4_BYTES 15 /* mapped: a /24 */
#define NETWORK_V6_BYTES 6  /* a /48 */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xff, 0xff};

static bool
is_mapped(const struct ol_addr *addr)
{
    return memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void
addr_from_ipv4(const void *four, struct ol_addr *ret)
{
    memcpy(ret->bytes, mapped_prefix, sizeof(mapped_prefix));
    memcpy(ret->bytes + sizeof(mapped_prefix), four, 4);
}

int
ol_addr_from_sockaddr(const struct sockaddr *sa, struct ol_addr *ret)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (sa->sa_family) {
    case AF_INET:
        memcpy(&v4, sa, sizeof(v4));
        addr_from_ipv4(&v4.sin_addr, ret);
        return 0;
    case AF_INET6:
        memcpy(&v6, sa, sizeof(v6));
        memcpy(ret->bytes, &v6.sin6_addr, sizeof(ret->bytes));
        return 0;
    default:
        return -EAFNOSUPPORT;
    }
}

void
ol_addr_network(const struct ol_addr *addr, struct ol_addr *ret)
{
    struct ol_addr network = {{0}};

    memcpy(network.bytes, addr->bytes,
           is_mapped(addr) ? NETWORK_V4_BYTES : NETWORK_V6_BYTES);
    *ret = network;
}

void
ol_addr_text(const struct ol_addr *addr, char *dst, size_t cap)
{
    const char *text;

    if (is_mapped(addr))
        text = inet_ntop(AF_INET, addr->bytes + sizeof(mapped_prefix), dst,
                         (socklen_t)cap);
    else
        text = inet_ntop(AF_INET6, addr->bytes, dst, (socklen_t)cap);
    if (text == NULL && cap > 0)
        dst[0] = '\0';
}

int
ol_addr_parse(const char *text, struct ol_addr *ret)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1)
        addr_from_ipv4(&v4, ret);
    else if (inet_pton(AF_INET6, text, &v6) == 1)
        memcpy(ret->bytes, &v6, sizeof(ret->bytes));
    else
        return -EINVAL;
    return 0;
}

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) & 0xff00 >> rest & 0xff) == 0;
}

/* All bits of addr from `bits` on are zero. */
static bool
host_bits_zero(const struct ol_addr *addr, unsigned bits)
{
    for (unsigned i = bits; i < 128; i++) {
        if ((addr->bytes[i / 8] & 0x80 >> i % 8) != 0)
            return false;
    }
    return true;
}

/* "0" .. "128" without a leading zero, or -1. */
static int
bits_parse(const char *text, int max)
{
    int bits = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 3 || (text[0] == '0' && len > 1))
        return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        bits = bits * 10 + (*text - '0');
    }
    return bits <= max ? bits : -1;
}

int
ol_cidr_parse(const char *text, struct ol_cidr *ret, struct ol_error *err)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    bool v4 = strchr(text, ':') == NULL;
    struct ol_cidr cidr;
    int max = v4 ? 32 : 128, bits = max;

    if (len >= sizeof(host))
        return ol_error_set(err, EINVAL, "\"%.64s\": no address", text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (ol_addr_parse(host, &cidr.addr) < 0)
        return ol_error_set(err, EINVAL, "\"%.64s\": no address", text);
    if (slash != NULL)
        bits = bits_parse(slash + 1, max);
    if (bits < 0)
        return ol_error_set(err, EINVAL,
                            "\"%.64s\": the prefix is not within 0 and %d",
                            text, max);
    if (v4)
        bits += MAPPED_BITS;
    if (!host_bits_zero(&cidr.addr, (unsigned)bits))
        return ol_error_set(err, EINVAL,
                            "\"%.64s\": bits are set beyond the prefix", text);
    cidr.bits = (uint8_t)bits;
    *ret = cidr;
    return 0;
}

int
ol_cidrs_add(struct ol_cidrs *set, const char *text, struct ol_error *err)
{
    int rc;

    if (set->count == OL_CIDRS_MAX)
        return ol_error_set(err, ENOSPC, "more than %d networks", OL_CIDRS_MAX);
    rc = ol_cidr_parse(text, &set->list[set->count], err);
    if (rc == 0)
        set->count++;
    return rc;
}

bool
ol_cidr_contains(const struct ol_cidr *cidr, const struct ol_addr *addr)
{
    /* "::/0" is all of IPv6; that IPv4 is kept inside is our own affair. */
    if (cidr->bits < MAPPED_BITS && is_mapped(addr))
        return false;
    return bits_equal(cidr->addr.bytes, addr->bytes, cidr->bits);
}

bool
ol_cidrs_contain(const struct ol_cidrs *set, const struct ol_addr *addr)
{
    for (size_t i = 0; i < set->count; i++) {
        if (ol_cidr_contains(&set->list[i], addr))
            return true;
    }
    return false;
}

struct prefix {
    uint8_t bytes[6];
    uint8_t bits;
};

/* IANA IPv4 special-purpose registry, what is not globally reachable. */
static const struct prefix special_v4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared, RFC 6598 */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays, withdrawn */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, broadcast */
};

/*
 * IANA IPv6 special-purpose registry, within 2000::/3; what is outside is
 * loopback, local, multicast or not allocated.  2001::/23 holds Teredo, ORCHID
 * and benchmarks; nobody serves files from there.
 */
static const struct prefix special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};

static bool
is_special(const struct prefix *table, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (bits_equal(table[i].bytes, bytes, table[i].bits))
            return true;
    }
    return false;
}

static bool
ipv4_is_public(const uint8_t *bytes)
{
    return !is_special(special_v4, sizeof(special_v4) / sizeof(special_v4[0]),
                       bytes);
}

bool
ol_addr_is_public(const struct ol_addr *addr)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    const uint8_t *bytes = addr->bytes;

    if (is_mapped(addr))
        return ipv4_is_public(bytes + 12);
    if (memcmp(bytes, nat64, sizeof(nat64)) == 0)
        return ipv4_is_public(bytes + 12);
    if (bytes[0] == 0x20 && bytes[1] == 0x02) /* 6to4 */
        return ipv4_is_public(bytes + 2);
    return bytes[0] >> 5 == 1 &&
           !is_special(special_v6, sizeof(special_v6) / sizeof(special_v6[0]),
                       bytes);
}
