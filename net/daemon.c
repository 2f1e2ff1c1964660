/*
 * What the daemons share when they start and stop: process limits, their key
 * file, sizes on the command line, and the signals that end them.
 *
 * Must not know what a daemon does.
 */
#include "net/daemon.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define DAEMON_SIZE_MAX ((UINT64_C(1) << 53) - 1)

void
daemon_init(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct rlimit files;

    sigaction(SIGPIPE, &ignore, NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int
daemon_key_open(const char *path, struct ol_key **ret, bool *ret_made,
                struct ol_error *err)
{
    struct ol_key *key;
    int rc;

    rc = ol_key_load(path, ret, err);
    if (rc != -ENOENT) {
        if (rc == 0)
            *ret_made = false;
        return rc;
    }
    rc = ol_key_generate(&key);
    if (rc != 0)
        return ol_error_set(err, -rc, "cannot make a key: %s", strerror(-rc));
    rc = ol_key_save(key, path, err);
    if (rc != 0) {
        ol_key_free(key);
        return rc;
    }
    *ret = key;
    *ret_made = true;
    return 0;
}

int
daemon_size_parse(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    const char *p = text, *unit;
    uint64_t value = 0;
    unsigned shift = 0;

    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p); p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > DAEMON_SIZE_MAX)
            return -ERANGE;
    }
    if (*p != '\0') {
        unit = strchr(units, toupper((unsigned char)*p));
        if (unit == NULL || p[1] != '\0')
            return -EINVAL;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (value > DAEMON_SIZE_MAX >> shift)
        return -ERANGE;
    *ret = value << shift;
    return 0;
}

static void
on_signal(uv_signal_t *handle, int signum)
{
    struct daemon_signals *s = handle->data;

    (void)signum;
    uv_signal_stop(&s->term);
    uv_signal_stop(&s->interrupt);
    s->stop(s->arg);
}

int
daemon_signals_start(struct daemon_signals *s, uv_loop_t *loop,
                     void (*stop)(void *arg), void *arg)
{
    int rc;

    s->stop = stop;
    s->arg = arg;
    s->term.data = s;
    s->interrupt.data = s;
    uv_signal_init(loop, &s->term);
    uv_signal_init(loop, &s->interrupt);
    rc = uv_signal_start(&s->term, on_signal, SIGTERM);
    if (rc == 0)
        rc = uv_signal_start(&s->interrupt, on_signal, SIGINT);
    return rc;
}

void
daemon_signals_stop(struct daemon_signals *s)
{
    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->interrupt, NULL);
}
