/*
 * The sockets of one coordinator, and how they are handed on.
 *
 * Must not know who serves on them.
 */
#include "coordinator/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"

static const char *const names[SOCKETS_KINDS] = {"listen", "tls", "udp"};

static const char *
where_wanted(enum sockets_kind kind, const struct options *o)
{
    const char *where = kind == SOCKETS_TLS ? o->listen_tls : o->listen;

    return where == NULL || (kind == SOCKETS_UDP && !o->tracker) ? "" : where;
}

static void
kind_close(struct sockets *s, enum sockets_kind kind)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->where[kind][0] != '\0')
            close(s->fds[kind][i]);
    s->where[kind][0] = '\0';
}

static int
kind_open(struct sockets *s, enum sockets_kind kind, const char *where,
          unsigned count, struct ol_error *err)
{
    unsigned have = 0;
    int rc;

    if (strcmp(s->where[kind], where) == 0)
        have = s->count;
    else
        kind_close(s, kind);
    if (*where == '\0') {
        memset(s->fds[kind], -1, sizeof(s->fds[kind]));
        return 0;
    }
    if (strlen(where) >= sizeof(s->where[kind]))
        return ol_error_set(err, EINVAL, "listen: \"%s\" is too long", where);
    rc = listen_share(where, kind == SOCKETS_UDP ? SOCK_DGRAM : SOCK_STREAM,
                      s->fds[kind], have, count, err);
    if (rc == 0)
        strcpy(s->where[kind], where);
    return rc;
}

int
sockets_open(struct sockets *s, const struct options *o, struct ol_error *err)
{
    unsigned count = o->workers > s->count ? o->workers : s->count;
    int rc = 0;

    for (unsigned kind = 0; rc == 0 && kind < SOCKETS_KINDS; kind++)
        rc = kind_open(s, (enum sockets_kind)kind,
                       where_wanted((enum sockets_kind)kind, o), count, err);
    if (rc == 0)
        s->count = count;
    return rc;
}

void
sockets_only(struct sockets *s, unsigned keep)
{
    for (unsigned kind = 0; kind < SOCKETS_KINDS; kind++)
        for (unsigned i = 0; i < s->count; i++)
            if (i != keep && s->where[kind][0] != '\0')
                close(s->fds[kind][i]);
}

void
sockets_keep(const struct sockets *s, bool keep)
{
    for (unsigned kind = 0; kind < SOCKETS_KINDS; kind++)
        for (unsigned i = 0; i < s->count; i++)
            if (s->where[kind][0] != '\0')
                fcntl(s->fds[kind][i], F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* "pid=7;listen=127.0.0.1:80,3,4;udp=127.0.0.1:80,5,6;old=,8,9" */
void
sockets_text(const struct sockets *s, pid_t pid, char text[SOCKETS_TEXT])
{
    size_t at = (size_t)snprintf(text, SOCKETS_TEXT, "pid=,%d", (int)pid);

    for (unsigned kind = 0; kind < SOCKETS_KINDS; kind++) {
        if (s->where[kind][0] == '\0')
            continue;
        at += (size_t)snprintf(text + at, SOCKETS_TEXT - at, ";%s=%s",
                               names[kind], s->where[kind]);
        for (unsigned i = 0; i < s->count; i++)
            at += (size_t)snprintf(text + at, SOCKETS_TEXT - at, ",%d",
                                   s->fds[kind][i]);
    }
    at += (size_t)snprintf(text + at, SOCKETS_TEXT - at, ";old=");
    for (unsigned i = 0; i < s->old_count; i++)
        at += (size_t)snprintf(text + at, SOCKETS_TEXT - at, ",%d",
                               (int)s->old[i]);
}

/* ",3,4": how many numbers, -1 for anything else. */
static int
numbers_parse(const char *p, int ret[METRICS_WORKERS])
{
    int count = 0;
    char *end;
    long n;

    for (; *p != '\0'; p = end) {
        if (*p != ',' || p[1] < '0' || p[1] > '9' || count == METRICS_WORKERS)
            return -1;
        n = strtol(p + 1, &end, 10);
        if (n > INT32_MAX)
            return -1;
        ret[count++] = (int)n;
    }
    return count;
}

/* "listen=127.0.0.1:80,3,4" */
static int
part_parse(char *part, pid_t pid, struct sockets *s)
{
    char *value = strchr(part, '='), *list;
    int numbers[METRICS_WORKERS], count;

    if (value == NULL)
        return -EINVAL;
    *value++ = '\0';
    list = value + strcspn(value, ",");
    count = numbers_parse(list, numbers);
    *list = '\0';
    if (count < 0)
        return -EINVAL;
    if (strcmp(part, "pid") == 0)
        return count == 1 && numbers[0] == (int)pid ? 0 : -EINVAL;
    if (strcmp(part, "old") == 0) {
        memcpy(s->old, numbers, (size_t)count * sizeof(numbers[0]));
        s->old_count = (unsigned)count;
        return 0;
    }
    for (unsigned kind = 0; kind < SOCKETS_KINDS; kind++) {
        if (strcmp(part, names[kind]) != 0)
            continue;
        if (strlen(value) >= sizeof(s->where[kind]) || count == 0 ||
            (s->count != 0 && s->count != (unsigned)count))
            return -EINVAL;
        strcpy(s->where[kind], value);
        memcpy(s->fds[kind], numbers, (size_t)count * sizeof(numbers[0]));
        s->count = (unsigned)count;
        return 0;
    }
    return -EINVAL;
}

int
sockets_parse(const char *text, pid_t pid, struct sockets *ret)
{
    struct sockets s = {0};
    char copy[SOCKETS_TEXT], *part, *rest = copy;
    int rc = 0;

    if (strlen(text) >= sizeof(copy) || strncmp(text, "pid=", 4) != 0)
        return -EINVAL;
    strcpy(copy, text);
    while (rc == 0 && (part = strsep(&rest, ";")) != NULL)
        rc = part_parse(part, pid, &s);
    if (rc == 0)
        *ret = s;
    return rc;
}
