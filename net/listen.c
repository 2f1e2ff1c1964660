/*
 * Listening sockets of the daemons: "ADDR:PORT" to a bound, listening fd.
 *
 * Must not know what is served on them.
 */
#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
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
 * is not.
 */
static int
listen_bind(const struct addrinfo *ai, int *ret)
{
    const int on = 1, off = 0;
    int fd, rc = 0;

    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0)
        rc = -errno;
    if (rc != 0)
        close(fd);
    else
        *ret = fd;
    return rc;
}

int
listen_open(const char *text, int *ret_fd, uint16_t *ret_port,
            struct ol_error *err)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    struct addrinfo *ai;
    char any[32];
    int fd = -1, rc;

    rc = listen_resolve(text, &ai, err);
    if (rc != 0)
        return rc;
    rc = listen_bind(ai, &fd);
    freeaddrinfo(ai);
    if (rc == -EAFNOSUPPORT && text[0] == '*') { /* a host without IPv6 */
        snprintf(any, sizeof(any), "0.0.0.0%s", text + 1);
        return listen_open(any, ret_fd, ret_port, err);
    }
    if (rc != 0) {
        return ol_error_set(
            err, -rc, "cannot listen on %s: %s%s", text, strerror(-rc),
            rc == -EADDRINUSE ? " (is it running already?)" : "");
    }
    getsockname(fd, (struct sockaddr *)&bound, &len);
    *ret_fd = fd;
    *ret_port = ntohs(bound.ss_family == AF_INET6
                          ? ((struct sockaddr_in6 *)&bound)->sin6_port
                          : ((struct sockaddr_in *)&bound)->sin_port);
    return 0;
}
