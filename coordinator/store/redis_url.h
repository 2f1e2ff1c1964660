/*
 * Where Redis is: "unix:/path[?db=N]" or
 * "redis://[[user]:password@]host[:port][/db]".
 */
#ifndef COORDINATOR_REDIS_URL_H
#define COORDINATOR_REDIS_URL_H

#include "offload/error.h"

struct redis_url {
    char *path;            /* of a unix socket, or NULL */
    char *host;            /* else: a name or an address, without brackets */
    char *user, *password; /* or NULL */
    int port;
    unsigned db;
};

/* err does not quote the URL, which may hold a password. */
int redis_url_parse(const char *url, struct redis_url *ret,
                    struct ol_error *err);
void redis_url_clear(struct redis_url *url);

#endif
