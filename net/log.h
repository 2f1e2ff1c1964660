/*
 * Log lines of the programs, to stderr: "2026-11-22T10:00:00Z level: text".
 *
 * Owns: the level and the rate limit.  What strangers can provoke goes through
 * log_limited: one line a second per kind, with a count of those suppressed.
 * Control characters in the text become '?'.  Not thread-safe: the loop's
 * thread logs.
 */
#ifndef NET_LOG_H
#define NET_LOG_H

enum log_level { LOG_ERROR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

void log_set_level(enum log_level level); /* default: info */
int log_level_parse(const char *name, enum log_level *ret);

void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR_, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN_, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO_, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG_, __VA_ARGS__)

/*
 * One static struct per kind of event:
 *   static struct log_kind bad_jws = {"bad message"};
 *   log_limited(&bad_jws, LOG_WARN_, "%s: %s", addr, err.text);
 */
struct log_kind {
    const char *name;
    long long last_ms;
    unsigned long suppressed;
};
void log_limited(struct log_kind *kind, enum log_level level, const char *fmt,
                 ...) __attribute__((format(printf, 3, 4)));

#endif
