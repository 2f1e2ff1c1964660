/*
 * One stream from one source: a Range over a run of pieces, each hashed as it
 * comes and judged when it is whole.
 */
#ifndef CLIENT_TRANSFER_H
#define CLIENT_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plan.h"
#include "net/fetch.h"

struct transfer; /* gone after on_end or transfer_stop */

enum transfer_end {
    TRANSFER_OVER,    /* the run is done, or on_piece said stop */
    TRANSFER_BROKEN,  /* refused, silent or cut off: worth another try */
    TRANSFER_USELESS, /* an answer that another try would not change */
    TRANSFER_CHANGED, /* 412, 410: that version is no more */
};

struct transfer_result {
    enum transfer_end end;
    const char *reason; /* for people, "" if over */
    uint64_t retry_ms;  /* Retry-After, 0 if none */
    const char *have;   /* Offload-Have, or NULL */
};

struct transfer_task {
    const char *url;
    const char *const *headers; /* or NULL */
    uint64_t size;              /* of the content */
    const uint8_t *table;       /* borrowed until the end */
    struct plan_run run;

    /*
     * on_bytes: len bytes of the content at pos, not to be believed yet;
     * false breaks it off.  on_piece: that piece is whole, and right or not;
     * false: no more are wanted (after a wrong one there never are).
     */
    bool (*on_bytes)(void *arg, uint64_t pos, const void *data, size_t len);
    bool (*on_piece)(void *arg, uint32_t piece, bool right);
    void (*on_end)(void *arg, const struct transfer_result *result);
    void *arg;
};

int transfer_start(struct fetcher *fetcher, const struct transfer_task *task,
                   struct transfer **ret);
/* Ends it at once, without call-backs. */
void transfer_stop(struct transfer *transfer);

#endif
