/* Sizes and times as people read them. */
#include "client/progress.c"

#include "tap.h"

static void
is_bytes(double bytes, const char *want)
{
    char text[16];

    progress_bytes_text(text, sizeof(text), bytes);
    is_str(text, want, "%.0f bytes are %s", bytes, want);
}

static void
is_time(double seconds, const char *want)
{
    char text[16];

    progress_time_text(text, sizeof(text), seconds);
    is_str(text, want, "%.1f s are %s", seconds, want);
}

int
main(void)
{
    is_bytes(0, "0 B");
    is_bytes(999, "999 B");
    is_bytes(1000, "1.0 kB");
    is_bytes(99949, "99.9 kB");
    is_bytes(99950, "100 kB");
    is_bytes(999499, "999 kB");
    is_bytes(999500, "1.0 MB");
    is_bytes(2500000000.0, "2.5 GB");
    is_bytes(4e15, "4000 TB");
    is_time(0, "0:00");
    is_time(59.4, "0:59");
    is_time(60, "1:00");
    is_time(3599.6, "1:00:00");
    is_time(359999, "99:59:59");
    is_time(360000, "--:--");
    is_time(-1, "--:--");
    return tap_done();
}
