/*
 * Addresses: CIDRs, and which addresses a foreign URL may lead to.
 */
#ifndef OL_NETADDR_H
#define OL_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "offload/error.h"

#define OL_CIDRS_MAX 64
#define OL_ADDR_TEXT 64 /* "[v6]:port" with the NUL */

struct ol_addr { /* IPv4 is kept mapped (::ffff:a.b.c.d), so all are alike */
    uint8_t bytes[16];
};
struct ol_cidr {
    struct ol_addr addr; /* host bits zero */
    uint8_t bits;        /* 0..128, of the mapped form */
};
struct ol_cidrs {
    size_t count;
    struct ol_cidr list[OL_CIDRS_MAX];
};

/* AF_INET, AF_INET6; -EAFNOSUPPORT else. */
int ol_addr_from_sockaddr(const struct sockaddr *sa, struct ol_addr *ret);
/* "192.0.2.1" or "2001:db8::1", canonical (RFC 5952); cap >= 46. */
void ol_addr_text(const struct ol_addr *addr, char *dst, size_t cap);
int ol_addr_parse(const char *text, struct ol_addr *ret);

/* The /24 or /48 that it is in: what one party is taken to have. */
void ol_addr_network(const struct ol_addr *addr, struct ol_addr *ret);

/* "192.0.2.0/24", "2001:db8::/32", or a bare address. */
int ol_cidr_parse(const char *text, struct ol_cidr *ret, struct ol_error *err);
int ol_cidrs_add(struct ol_cidrs *set, const char *text, struct ol_error *err);
bool ol_cidr_contains(const struct ol_cidr *cidr, const struct ol_addr *addr);
bool ol_cidrs_contain(const struct ol_cidrs *set, const struct ol_addr *addr);

/*
 * Globally reachable by the IANA special-purpose registries (RFC 6890): no
 * loopback, private, link-local, shared (100.64/10), documentation, benchmark,
 * multicast, reserved, unspecified, ULA; nor NAT64, 6to4 or Teredo forms of
 * such addresses.
 */
bool ol_addr_is_public(const struct ol_addr *addr);

#endif
