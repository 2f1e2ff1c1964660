/*
 * Where Redis is: "unix:/path" or "redis://[:password@]host[:port][/db]".
 */
#include "coordinator/store/redis_url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_PORT 6379

/* Digits up to max from *p on, which is moved behind them. */
static int
number_parse(const char **p, unsigned max, unsigned *ret)
{
    char *end;
    unsigned long value;

    if (**p < '0' || **p > '9')
        return -EINVAL;
    value = strtoul(*p, &end, 10);
    if (value > max)
        return -EINVAL;
    *p = end;
    *ret = (unsigned)value;
    return 0;
}

static int
address_parse(const char *p, struct redis_url *url)
{
    const char *end = strrchr(p, '@');
    unsigned port = REDIS_PORT;
    size_t len;

    if (end != NULL) {
        if (*p != ':')
            return -EINVAL;
        url->password = strndup(p + 1, (size_t)(end - p - 1));
        p = end + 1;
    }
    len = strcspn(p, ":/");
    url->host = strndup(p, len);
    if (len == 0 || url->host == NULL || (end != NULL && url->password == NULL))
        return -EINVAL;
    p += len;
    if (*p == ':' && (p++, number_parse(&p, 65535, &port)) != 0)
        return -EINVAL;
    if (*p == '/' && (p++, number_parse(&p, 65535, &url->db)) != 0)
        return -EINVAL;
    url->port = (int)port;
    return *p == '\0' && port != 0 ? 0 : -EINVAL;
}

int
redis_url_parse(const char *url, struct redis_url *ret, struct ol_error *err)
{
    struct redis_url parsed = {.port = REDIS_PORT};
    int rc = -EINVAL;

    if (strncmp(url, "unix:/", 6) == 0) {
        parsed.path = strdup(url + 5);
        rc = parsed.path == NULL ? -ENOMEM : 0;
    } else if (strncmp(url, "redis://", 8) == 0) {
        rc = address_parse(url + 8, &parsed);
    }
    if (rc != 0) {
        redis_url_clear(&parsed);
        return ol_error_set(err, -rc,
                            "redis: \"%.100s\" is not unix:/path or "
                            "redis://[:password@]host[:port][/db]",
                            url);
    }
    *ret = parsed;
    return 0;
}

void
redis_url_clear(struct redis_url *url)
{
    free(url->path);
    free(url->host);
    free(url->password);
}
