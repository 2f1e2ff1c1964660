/*
 * How a command ended: its exit status.  Below 90 as curl's, so that scripts
 * need not learn new ones.
 */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_FAILED = 1,
    OUTCOME_USAGE = 2,
    OUTCOME_RESOLVE = 6,
    OUTCOME_CONNECT = 7,
    OUTCOME_PARTIAL = 18, /* the transfer ended too early */
    OUTCOME_HTTP = 22,    /* an HTTP status that is no file */
    OUTCOME_WRITE = 23,
    OUTCOME_MEMORY = 27,
    OUTCOME_TIMEOUT = 28,
    OUTCOME_PROTOCOL = 56,
    OUTCOME_TLS = 60,
    OUTCOME_REFUSED = 91,  /* the manifest, or the keys for it */
    OUTCOME_CHANGED = 92,  /* the file kept changing at the origin */
    OUTCOME_CHECKSUM = 93, /* the whole file is not what was signed */
    OUTCOME_INTERRUPTED = 130,
};

#endif
