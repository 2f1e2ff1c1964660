/*
 * Where Redis is: "unix:/path[?db=N]" or
 * "redis://[[user]:password@]host[:port][/db]".
 */
#include "coordinator/store/redis_url.h"

#include <ctype.h>
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
hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* The text percent-decoded, NULL if it is not well-formed or has a NUL. */
static char *
text_decode(const char *text, size_t len)
{
    char *decoded = malloc(len + 1), *to = decoded;
    int high, low;

    if (decoded == NULL)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
        low = len - i > 2 ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            free(decoded);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = '\0';
    return decoded;
}

/* "[user]:password" or, as redis-cli takes it, "user:password". */
static int
user_parse(const char *p, size_t len, struct redis_url *url)
{
    const char *colon = memchr(p, ':', len);

    if (colon == NULL)
        return -EINVAL;
    if (colon > p) {
        url->user = text_decode(p, (size_t)(colon - p));
        if (url->user == NULL)
            return -EINVAL;
    }
    url->password = text_decode(colon + 1, len - (size_t)(colon + 1 - p));
    return url->password == NULL ? -EINVAL : 0;
}

/* A name, an IPv4 address, or an IPv6 one in brackets; *p moves behind it. */
static int
host_parse(const char **p, struct redis_url *url)
{
    const char *begin = *p;
    size_t len;

    if (*begin == '[') {
        len = strcspn(++begin, "]");
        if (begin[len] != ']' || memchr(begin, ':', len) == NULL)
            return -EINVAL;
        *p = begin + len + 1;
    } else {
        len = strcspn(begin, ":/");
        *p = begin + len;
    }
    url->host = strndup(begin, len);
    return len == 0 || url->host == NULL ? -EINVAL : 0;
}

static int
address_parse(const char *p, struct redis_url *url)
{
    const char *end = strrchr(p, '@');
    unsigned port = REDIS_PORT;

    if (end != NULL) {
        if (user_parse(p, (size_t)(end - p), url) != 0)
            return -EINVAL;
        p = end + 1;
    }
    if (host_parse(&p, url) != 0)
        return -EINVAL;
    if (*p == ':' && (p++, number_parse(&p, 65535, &port)) != 0)
        return -EINVAL;
    if (*p == '/' && (p++, number_parse(&p, 65535, &url->db)) != 0)
        return -EINVAL;
    url->port = (int)port;
    return *p == '\0' && port != 0 ? 0 : -EINVAL;
}

static int
path_parse(const char *p, struct redis_url *url)
{
    const char *mark = strstr(p, "?db=");
    size_t len = mark == NULL ? strlen(p) : (size_t)(mark - p);

    if (mark != NULL) {
        mark += 4;
        if (number_parse(&mark, 65535, &url->db) != 0 || *mark != '\0')
            return -EINVAL;
    }
    url->path = text_decode(p, len);
    return url->path == NULL ? -EINVAL : 0;
}

int
redis_url_parse(const char *url, struct redis_url *ret, struct ol_error *err)
{
    struct redis_url parsed = {.port = REDIS_PORT};
    int rc = -EINVAL;

    if (strncmp(url, "rediss://", 9) == 0)
        return ol_error_set(err, EINVAL,
                            "redis: TLS (rediss://) is not spoken here: put "
                            "stunnel between, or use a socket, unix:/path");
    if (strncmp(url, "unix:/", 6) == 0)
        rc = path_parse(url + 5, &parsed);
    else if (strncmp(url, "redis://", 8) == 0)
        rc = address_parse(url + 8, &parsed);
    if (rc != 0) {
        redis_url_clear(&parsed);
        return ol_error_set(err, EINVAL,
                            "redis: the URL is not unix:/path[?db=N] or "
                            "redis://[[user]:password@]host[:port][/db]");
    }
    *ret = parsed;
    return 0;
}

void
redis_url_clear(struct redis_url *url)
{
    free(url->path);
    free(url->host);
    free(url->user);
    free(url->password);
}
