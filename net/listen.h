/*
 * Sockets of the daemons: "ADDR:PORT" to a bound fd, or to several that share
 * one address.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "offload/error.h"

/*
 * "127.0.0.1:8090", "[::1]:8090", "*:8090" (all addresses, both families);
 * port 0: any, told in *ret_port.  The fd is non-blocking.  -EINVAL: not of
 * that form; -EADDRINUSE: another instance has it.
 */
int listen_open(const char *text, int *ret_fd, uint16_t *ret_port,
                struct ol_error *err);
/*
 * `count` sockets on one address, of type SOCK_STREAM (listening) or
 * SOCK_DGRAM, among which the kernel spreads clients (SO_REUSEPORT); the first
 * `have` are there already.  Another process's are not joined: -EADDRINUSE.
 */
int listen_share(const char *text, int type, int *fds, size_t have,
                 size_t count, struct ol_error *err);
/* The port that a socket is bound to. */
uint16_t listen_port(int fd);

#endif
