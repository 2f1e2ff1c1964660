/*
 * Listening sockets of the daemons: "ADDR:PORT" to a bound, listening fd.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdint.h>

#include "offload/error.h"

/*
 * "127.0.0.1:8090", "[::1]:8090", "*:8090" (all addresses, both families);
 * port 0: any, told in *ret_port.  The fd is non-blocking.  -EINVAL: not of
 * that form; -EADDRINUSE: another instance has it.
 */
int listen_open(const char *text, int *ret_fd, uint16_t *ret_port,
                struct ol_error *err);

#endif
