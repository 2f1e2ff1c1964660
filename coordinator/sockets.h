/*
 * The sockets of one coordinator: one set for each worker, on shared
 * addresses.  The master keeps them all, so that what clients have sent waits
 * there while a worker is replaced, and hands them to a new master.
 */
#ifndef COORDINATOR_SOCKETS_H
#define COORDINATOR_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "coordinator/options.h"
#include "coordinator/status/metrics.h"

#define SOCKETS_TEXT (8u << 10) /* bytes of sockets_text */

enum sockets_kind { SOCKETS_LISTEN, SOCKETS_TLS, SOCKETS_UDP, SOCKETS_KINDS };

struct sockets {
    unsigned count;                          /* of sets */
    int fds[SOCKETS_KINDS][METRICS_WORKERS]; /* -1: none of that kind */
    char where[SOCKETS_KINDS][64];           /* ADDR:PORT, "" for none */
    pid_t old[METRICS_WORKERS];              /* workers of the old master */
    unsigned old_count;
};

/*
 * Binds what the options name and `sockets` does not have yet.  A running
 * coordinator never gets fewer sets: clients wait in each.
 */
int sockets_open(struct sockets *sockets, const struct options *o,
                 struct ol_error *err);
/* Closes all sets but this one. */
void sockets_only(struct sockets *sockets, unsigned keep);
/* Whether they stay open in a program that is executed. */
void sockets_keep(const struct sockets *sockets, bool keep);

/*
 * As text for the environment of the new program, which has the same process
 * id; and back: -EINVAL if it is of another process or damaged.
 */
void sockets_text(const struct sockets *sockets, pid_t pid,
                  char text[SOCKETS_TEXT]);
int sockets_parse(const char *text, pid_t pid, struct sockets *ret);

#endif
