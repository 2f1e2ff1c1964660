/*
 * Notices connections whose client will send nothing more, and makes sure that
 * the reader of the connection notices, too.
 *
 * libmicrohttpd's edge-triggered epoll overlooks an end that comes together
 * with a part of a request: the read that takes the part is short, so it waits
 * for another event, and none comes.  shutdown() for reading makes one; what
 * has been received is still read, and an answer under way is still sent.
 */
#ifndef NET_HANGUP_H
#define NET_HANGUP_H

#include <uv.h>

struct hangups; /* all of a server */
struct hangup;  /* one connection */

/* read_all: reads what has arrived on the connections, as far as it likes. */
int hangups_create(uv_loop_t *loop, void (*read_all)(void *arg), void *arg,
                   struct hangups **ret);
/* The loop must run once more.  NULL is legal. */
void hangups_free(struct hangups *hangups);

/* NULL without memory: then only a time-out ends such a connection. */
struct hangup *hangups_add(struct hangups *hangups, int fd);
/* Before or right after the fd is closed.  NULL is legal. */
void hangups_remove(struct hangups *hangups, struct hangup *hangup);

#endif
