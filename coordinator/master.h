/*
 * The first process of a coordinator: it serves nobody, and sees to it that
 * `workers` processes do.
 */
#ifndef COORDINATOR_MASTER_H
#define COORDINATOR_MASTER_H

#include "coordinator/options.h"

/* What a worker is given. */
struct master_worker {
    unsigned number;             /* 0 .. */
    int listen, listen_tls, udp; /* its sockets; -1: none */
    int ready;                   /* where it tells that it serves */
    int argc;
    char **argv; /* to read the options again */
};

/*
 * Runs until it is told to stop; the exit status.  In each new process it calls
 * `serve`, whose result is that process's exit status.
 */
int master_run(int argc, char **argv, struct options *o,
               int (*serve)(const struct master_worker *worker,
                            struct options *o));
/* In a worker: signals wait until it has its handlers. */
void master_signals_allow(void);
/* Once it serves. */
void master_tell_ready(const struct master_worker *worker);

#endif
