/*
 * One file that is indexed: hashed, unless what is kept of it is still right,
 * and kept.
 */
#ifndef CLIENT_HASHING_H
#define CLIENT_HASHING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "offload/error.h"

enum hashing {
    HASHING_DONE,
    HASHING_KEPT,    /* it was already */
    HASHING_GONE,    /* vanished, or too small by now */
    HASHING_CHANGED, /* whenever it was read */
    HASHING_UNREADABLE,
    HASHING_UNKEPT, /* the state folder failed */
    HASHING_STOPPED,
};

struct hashing_job {
    const char *state;
    const char *path;
    uint64_t min_length;
    bool spread;           /* over two threads: there are CPUs to spare */
    uint64_t size;         /* as far as known; then: as it was */
    atomic_ullong *hashed; /* bytes, of all threads */
    const atomic_bool *stop;
};

/* err says why, if it is CHANGED, UNREADABLE or UNKEPT. */
enum hashing hashing_run(struct hashing_job *job, struct ol_error *err);

#endif
