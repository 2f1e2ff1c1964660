/*
 * How far a download is, or whatever else reads many bytes: a bar on a
 * terminal, now and then a line elsewhere.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool quiet, tty;
    bool drawn; /* a bar stands on the last line */
    uint64_t started_ms, drawn_ms, rate_ms;
    uint64_t rate_bytes;
    double rate; /* bytes per s, smoothed */
};

struct progress_state {
    uint64_t size; /* 0: unknown */
    uint64_t done; /* bytes that are right, earlier ones included */
    uint64_t from_peers, from_origin;
    unsigned peers;   /* at work now */
    const char *note; /* in place of the sources, if not NULL */
};

void progress_init(struct progress *progress, bool quiet, uint64_t now_ms);
/* May be called often: it shows something only when it is time. */
void progress_show(struct progress *progress,
                   const struct progress_state *state, uint64_t now_ms);
/* A line for people, above the bar. */
void progress_say(struct progress *progress, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the bar away. */
void progress_end(struct progress *progress);

/* "1.5 MB" and "1:02:03", pure; cap >= 16. */
void progress_bytes_text(char *dst, unsigned cap, double bytes);
void progress_time_text(char *dst, unsigned cap, double seconds);

#endif
