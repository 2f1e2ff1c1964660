/*
 * Log lines to stderr, one write(2) a line, so that lines of processes that
 * share a terminal or a file do not mix.
 *
 * Owns the level and the rate limit.  Knows nothing of what is logged.
 */
#include "net/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* longer lines are cut */
#define LIMIT_MS 1000       /* log_limited: one line per kind and second */

static enum log_level threshold = LOG_INFO_;
static const char *const names[] = {"error", "warn", "info", "debug"};

void
log_set_level(enum log_level level)
{
    threshold = level;
}

int
log_level_parse(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

static void __attribute__((format(printf, 3, 0)))
write_line(enum log_level level, unsigned long suppressed, const char *fmt,
           va_list args)
{
    char line[LINE_MAX_BYTES];
    time_t now = time(NULL);
    struct tm tm;
    size_t used, cap = sizeof(line) - 1; /* one byte for the newline */
    int n;

    gmtime_r(&now, &tm);
    used = strftime(line, cap, "%Y-%m-%dT%H:%M:%SZ ", &tm);
    n = snprintf(line + used, cap - used, "%s: ", names[level]);
    used += (size_t)n;
    n = vsnprintf(line + used, cap - used, fmt, args);
    if (n > 0)
        used += (size_t)n < cap - used ? (size_t)n : cap - used - 1;
    if (suppressed > 0) {
        n = snprintf(line + used, cap - used, " (%lu more not shown)",
                     suppressed);
        used += (size_t)n < cap - used ? (size_t)n : cap - used - 1;
    }
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[used++] = '\n';
    while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
        ;
}

void
log_line(enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (level > threshold)
        return;
    va_start(args, fmt);
    write_line(level, 0, fmt, args);
    va_end(args);
}

void
log_limited(struct log_kind *kind, enum log_level level, const char *fmt, ...)
{
    struct timespec ts;
    long long now_ms;
    va_list args;

    if (level > threshold)
        return;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now_ms = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
    if (kind->last_ms != 0 && now_ms - kind->last_ms < LIMIT_MS) {
        kind->suppressed++;
        return;
    }
    va_start(args, fmt);
    write_line(level, kind->suppressed, fmt, args);
    va_end(args);
    kind->last_ms = now_ms;
    kind->suppressed = 0;
}
