/*
 * What the daemons share when they start and stop: process limits, their key
 * file, sizes on the command line, the signals that end them, and what systemd
 * is told.
 *
 * Must not know what a daemon does.
 */
#ifndef NET_DAEMON_H
#define NET_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "offload/error.h"
#include "offload/key.h"

/* Ignores SIGPIPE, raises the limit of open files to the hard one. */
void daemon_init(void);

/*
 * Loads the key file, or makes it at the first start (*ret_made).  The folder
 * must exist.
 */
int daemon_key_open(const char *path, struct ol_key **ret, bool *ret_made,
                    struct ol_error *err);

/*
 * "4096", "64K", "20G": digits and at most one of K M G T (powers of 1024),
 * either case.  -EINVAL: something else; -ERANGE: above 2^53 - 1.
 */
int daemon_size_parse(const char *text, uint64_t *ret);

/*
 * Tells systemd, if it has started this process with Type=notify: "READY=1",
 * "RELOADING=1", "STOPPING=1" (sd_notify(3)).
 */
void daemon_notify(const char *state);

/* Calls stop once, on the first SIGTERM or SIGINT. */
struct daemon_signals {
    uv_signal_t term, interrupt;
    void (*stop)(void *arg);
    void *arg;
};
int daemon_signals_start(struct daemon_signals *s, uv_loop_t *loop,
                         void (*stop)(void *arg), void *arg);
/* The struct must last until the loop has run once more. */
void daemon_signals_stop(struct daemon_signals *s);

#endif
