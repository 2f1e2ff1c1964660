/*
 * Where Redis is: "unix:/path" or "redis://[:password@]host[:port][/db]".
 */
#ifndef COORDINATOR_REDIS_URL_H
#define COORDINATOR_REDIS_URL_H

#include "offload/error.h"

struct redis_url {
    char *path;     /* of a unix socket, or NULL */
    char *host;     /* else */
    char *password; /* or NULL */
    int port;
    unsigned db;
};

int redis_url_parse(const char *url, struct redis_url *ret,
                    struct ol_error *err);
void redis_url_clear(struct redis_url *url);

#endif
