/*
 * The progress bar, on standard error.
 *
 * Owns the terminal's last line and the smoothing of the rate.
 */
#include "client/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_MS 200
#define LINE_MS 5000
#define RATE_MS 500
#define BAR_WIDTH_MAX 30
#define LINE_CAP 256

void
progress_init(struct progress *progress, bool quiet, uint64_t now_ms)
{
    memset(progress, 0, sizeof(*progress));
    progress->quiet = quiet;
    progress->tty = isatty(STDERR_FILENO) == 1;
    progress->started_ms = progress->drawn_ms = progress->rate_ms = now_ms;
}

void
progress_bytes_text(char *dst, unsigned cap, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    unsigned unit = 0;

    while (bytes >= 999.5 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(dst, cap, "%.*f %s", unit > 0 && bytes < 99.95 ? 1 : 0, bytes,
             units[unit]);
}

void
progress_time_text(char *dst, unsigned cap, double seconds)
{
    unsigned long s;

    if (seconds < 0 || seconds > 359999) {
        snprintf(dst, cap, "--:--");
        return;
    }
    s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(dst, cap, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(dst, cap, "%lu:%02lu", s / 60, s % 60);
}

static void
measure(struct progress *progress, uint64_t done, uint64_t now_ms)
{
    uint64_t elapsed = now_ms - progress->rate_ms;
    double rate;

    if (elapsed < RATE_MS)
        return;
    rate = done > progress->rate_bytes
               ? (double)(done - progress->rate_bytes) * 1000 / (double)elapsed
               : 0;
    progress->rate =
        progress->rate > 0 ? 0.7 * progress->rate + 0.3 * rate : rate;
    progress->rate_ms = now_ms;
    progress->rate_bytes = done;
}

static int
terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col < LINE_CAP ? size.ws_col : LINE_CAP - 1;
    return 80;
}

static void
sources_text(const struct progress_state *state, char *dst, size_t cap)
{
    char peers[16], origin[16];

    progress_bytes_text(peers, sizeof(peers), (double)state->from_peers);
    progress_bytes_text(origin, sizeof(origin), (double)state->from_origin);
    snprintf(dst, cap, "peers %s (%u)  origin %s", peers, state->peers, origin);
}

/* "42 %  [####    ]  12.3 MB/s  ETA 0:12  peers 40 MB (3)  origin 0 B" */
static void
compose(const struct progress *progress, const struct progress_state *state,
        char *line, size_t cap)
{
    char rate[16], eta[16], sources[64], bar[BAR_WIDTH_MAX + 1];
    double share =
        state->size > 0 ? (double)state->done / (double)state->size : 0;
    int width = progress->tty ? terminal_width() - 66 : 0;

    if (width > BAR_WIDTH_MAX)
        width = BAR_WIDTH_MAX;
    if (width < 0)
        width = 0;
    for (int i = 0; i < width; i++)
        bar[i] = (double)i < share * width ? '#' : ' ';
    bar[width] = '\0';
    progress_bytes_text(rate, sizeof(rate), progress->rate);
    sources_text(state, sources, sizeof(sources));
    progress_time_text(eta, sizeof(eta),
                       progress->rate > 0 && state->size > 0
                           ? (double)(state->size - state->done) /
                                 progress->rate
                           : -1);
    snprintf(line, cap, "%3d %% %s%s%s %s/s  ETA %s  %s", (int)(share * 100),
             width > 0 ? "[" : "", bar, width > 0 ? "]" : "", rate, eta,
             state->note != NULL ? state->note : sources);
}

void
progress_show(struct progress *progress, const struct progress_state *state,
              uint64_t now_ms)
{
    char line[LINE_CAP];

    measure(progress, state->done, now_ms);
    if (progress->quiet ||
        now_ms - progress->drawn_ms < (progress->tty ? BAR_MS : LINE_MS))
        return;
    progress->drawn_ms = now_ms;
    compose(progress, state, line, sizeof(line));
    if (progress->tty)
        fprintf(stderr, "\r%.*s\033[K", terminal_width() - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    progress->drawn = progress->tty;
}

void
progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void
progress_say(struct progress *progress, const char *fmt, ...)
{
    va_list args;

    if (progress->quiet)
        return;
    progress_end(progress);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}
