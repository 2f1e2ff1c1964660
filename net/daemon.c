/*
 * What the daemons share when they start and stop: process limits, their key
 * file, sizes on the command line, the signals that end them, and what systemd
 * is told.
 *
 * Must not know what a daemon does.
 */
#include "net/daemon.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

void
daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    socklen_t len;
    int fd;

    if (path == NULL || strlen(path) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (to.sun_path[0] == '@') /* an abstract one */
        to.sun_path[0] = '\0';
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (struct sockaddr *)&to, len);
    close(fd);
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
