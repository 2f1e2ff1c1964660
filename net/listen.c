/*
 * Sockets of the daemons: "ADDR:PORT" to a bound fd, or to several that share
 * one address.
 *
 * Must not know what is served on them.
 */
#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 511

/* Splits "ADDR:PORT"; numeric, so that nothing blocks on a resolver. */
static int
listen_resolve(const char *text, struct addrinfo **ret, struct ol_error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV |
                                               AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':'), *host = text;
    char copy[64], *end;
    size_t len;

    if (colon != NULL && (strtoul(colon + 1, &end, 10) > UINT16_MAX ||
                          *end != '\0')) /* getaddrinfo would cut it */
        colon = NULL;
    len = colon == NULL ? 0 : (size_t)(colon - text);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        len = 0;
    }
    if (len > 0 && len < sizeof(copy)) {
        memcpy(copy, host, len);
        copy[len] = '\0';
        if (strcmp(copy, "*") == 0)
            strcpy(copy, "::");
        if (getaddrinfo(copy, colon + 1, &hints, ret) == 0)
            return 0;
    }
    return ol_error_set(err, EINVAL,
                        "listen: \"%s\" is not ADDR:PORT, such as "
                        "127.0.0.1:8090, [::1]:8090 or *:8090",
                        text);
}

/*
 * SO_REUSEADDR without SO_REUSEPORT: a second instance is refused, a restart
 * is not.  With datagrams SO_REUSEADDR would let it in, and a restart needs it
 * not.
 */
static int
listen_bind(const struct addrinfo *ai, int type, bool shared, int *ret)
{
    const int on = 1, off = 0;
    int fd, rc = 0;

    fd = socket(ai->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
        (type == SOCK_STREAM && listen(fd, LISTEN_BACKLOG) != 0))
        rc = -errno;
    if (rc != 0)
        close(fd);
    else
        *ret = fd;
    return rc;
}

static int
listen_try(const char *text, int type, bool shared, int *ret,
           struct ol_error *err)
{
    struct addrinfo *ai;
    char any[32];
    int rc = listen_resolve(text, &ai, err);

    if (rc != 0)
        return rc;
    rc = listen_bind(ai, type, shared, ret);
    freeaddrinfo(ai);
    if (rc == -EAFNOSUPPORT && text[0] == '*') { /* a host without IPv6 */
        snprintf(any, sizeof(any), "0.0.0.0%s", text + 1);
        return listen_try(any, type, shared, ret, err);
    }
    if (rc != 0)
        return ol_error_set(
            err, -rc, "cannot listen on %s: %s%s", text, strerror(-rc),
            rc == -EADDRINUSE ? " (is it running already?)" : "");
    return 0;
}

uint16_t
listen_port(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);

    getsockname(fd, (struct sockaddr *)&bound, &len);
    return ntohs(bound.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *)&bound)->sin6_port
                     : ((struct sockaddr_in *)&bound)->sin_port);
}

int
listen_open(const char *text, int *ret_fd, uint16_t *ret_port,
            struct ol_error *err)
{
    int fd = -1, rc = listen_try(text, SOCK_STREAM, false, &fd, err);

    if (rc != 0)
        return rc;
    *ret_fd = fd;
    *ret_port = listen_port(fd);
    return 0;
}

int
listen_share(const char *text, int type, int *fds, size_t have, size_t count,
             struct ol_error *err)
{
    size_t i = have;
    int fd = -1, rc = 0;

    if (have == 0) { /* with SO_REUSEPORT nobody is refused */
        rc = listen_try(text, type, false, &fd, err);
        if (rc == 0)
            close(fd);
    }
    for (; rc == 0 && i < count; i += rc == 0)
        rc = listen_try(text, type, true, &fds[i], err);
    while (rc != 0 && i > have)
        close(fds[--i]);
    return rc;
}
