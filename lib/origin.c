/*
 * Origins: the one spelling of scheme, host and port by which sites and nodes
 * are known.  Owns: which hosts are well formed.  Looks nothing up; which
 * addresses may be called is netaddr.c's and the fetcher's.
 */
#include "offload/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 /* RFC 1035, in text */
#define LABEL_MAX 63

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Letters, digits, '-' and '_', no '-' at either end. */
static bool
label_ok(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    }
    return true;
}

/*
 * Resolvers take "127.1", "2130706433" and "0x7f.1" for addresses.  A host
 * whose last label looks like a number must be a plain dotted quad.
 */
static bool
label_numeric(const char *label)
{
    size_t n = strspn(label, "0123456789");

    if (label[n] == '\0')
        return true;
    return label[0] == '0' && (label[1] == 'x' || label[1] == 'X') &&
           label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
}

/* dst holds HOST_MAX + 1. */
static bool
name_parse(const char *host, size_t len, char *dst)
{
    const char *label = dst;
    struct in_addr quad;

    if (len == 0 || len > HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        dst[i] = to_lower(host[i]);
    dst[len] = '\0';

    for (;;) {
        const char *dot = strchr(label, '.');
        size_t n = dot != NULL ? (size_t)(dot - label) : strlen(label);

        if (!label_ok(label, n))
            return false;
        if (dot == NULL)
            break;
        label = dot + 1;
    }
    /* A NUL in host would have ended the last label early. */
    if (strlen(dst) != len)
        return false;
    return !label_numeric(label) || inet_pton(AF_INET, dst, &quad) == 1;
}

/* What stands between the brackets; zone ids are refused. */
static bool
literal_parse(const char *host, size_t len, char *dst, size_t cap)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (len >= sizeof(text) || memchr(host, '\0', len) != NULL)
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &addr) == 1 &&
           inet_ntop(AF_INET6, &addr, dst, (socklen_t)cap) != NULL;
}

/* ":8080"; 0 if it is no port. */
static uint16_t
port_parse(const char *text, size_t len)
{
    unsigned port = 0;

    if (len < 2 || len > 6 || text[0] != ':')
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!is_digit(text[i]))
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool
has_blank_or_control(const char *url, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] <= 0x20 || url[i] == 0x7f)
            return true;
    }
    return false;
}

/* Host and port, from url + at; sets consumed. */
static int
authority_parse(const char *url, size_t len, size_t at, struct ol_origin *o,
                struct ol_error *err)
{
    const char *host = url + at, *host_end, *end = url + at;
    bool literal;

    while (end < url + len && strchr("/?#\\", *end) == NULL)
        end++;
    if (end < url + len && *end == '\\')
        return ol_error_set(err, EINVAL, "URL: has a backslash");
    if (memchr(host, '@', (size_t)(end - host)) != NULL)
        return ol_error_set(err, EINVAL, "URL: has a user name");

    literal = host < end && *host == '[';
    host_end = memchr(host, literal ? ']' : ':', (size_t)(end - host));
    if (literal) {
        if (host_end == NULL ||
            !literal_parse(host + 1, (size_t)(host_end - host - 1), o->host,
                           sizeof(o->host)))
            return ol_error_set(err, EINVAL, "URL: malformed IPv6 address");
        host_end++;
    } else {
        if (host_end == NULL)
            host_end = end;
        if (!name_parse(host, (size_t)(host_end - host), o->host))
            return ol_error_set(err, EINVAL, "URL: empty or malformed host");
    }
    if (host_end < end) {
        o->port = port_parse(host_end, (size_t)(end - host_end));
        if (o->port == 0)
            return ol_error_set(err, EINVAL,
                                "URL: port is no number within 1 and 65535");
    }
    o->consumed = (size_t)(end - url);
    return 0;
}

int
ol_origin_parse(const char *url, size_t len, struct ol_origin *ret,
                struct ol_error *err)
{
    struct ol_origin o = {0};
    const char *open, *close;
    uint16_t port;
    size_t at;
    int n, rc;

    if (has_blank_or_control(url, len))
        return ol_error_set(err, EINVAL,
                            "URL: has a blank or a control character");
    if (len >= 8 && strncasecmp(url, "https://", 8) == 0) {
        o.https = true;
        at = 8;
    } else if (len >= 7 && strncasecmp(url, "http://", 7) == 0) {
        at = 7;
    } else {
        return ol_error_set(err, EINVAL, "URL: neither http:// nor https://");
    }
    port = o.https ? 443 : 80;
    o.port = port;
    rc = authority_parse(url, len, at, &o, err);
    if (rc < 0)
        return rc;

    open = strchr(o.host, ':') != NULL ? "[" : "";
    close = *open != '\0' ? "]" : "";
    n = snprintf(o.text, sizeof(o.text), "%s://%s%s%s",
                 o.https ? "https" : "http", open, o.host, close);
    if (o.port != port)
        snprintf(o.text + n, sizeof(o.text) - (size_t)n, ":%u", o.port);
    *ret = o;
    return 0;
}

int
ol_origin_parse_bare(const char *url, size_t len, struct ol_origin *ret,
                     struct ol_error *err)
{
    struct ol_origin o;
    int rc = ol_origin_parse(url, len, &o, err);

    if (rc < 0)
        return rc;
    if (len > o.consumed && (len != o.consumed + 1 || url[o.consumed] != '/'))
        return ol_error_set(err, EINVAL,
                            "URL: has more than scheme, host and port");
    *ret = o;
    return 0;
}

bool
ol_origin_port_ok(const struct ol_origin *origin)
{
    return origin->port == 80 || origin->port == 443 || origin->port >= 1024;
}
