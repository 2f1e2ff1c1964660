/*
 * A connection to Redis, shared by link.c (connecting, commands, time-outs),
 * setup.c (what is done first) and changes.c (the stream of changes).  For
 * these alone.
 */
#ifndef COORDINATOR_STORE_LINK_PARTS_H
#define COORDINATOR_STORE_LINK_PARTS_H

#include <hiredis/hiredis.h>

#include <hiredis/async.h>
#include <sys/queue.h>

#include "coordinator/store/link.h"
#include "coordinator/store/redis_url.h"
#include "net/log.h"

#define LINK_RETRY_MIN_MS 100
#define LINK_RETRY_MAX_MS 5000

struct link_op;
struct redis_address;
struct soft;

struct store {
    uv_loop_t *loop;
    struct store_events events;
    struct redis_url url;

    redisAsyncContext *redis; /* NULL: waiting for the retry */
    bool up, closing;
    uint64_t connect_ms, tick_ms; /* tick_ms: of the last watch over it */
    unsigned retry_ms;
    TAILQ_HEAD(link_ops, link_op) ops; /* oldest first */
    unsigned op_count;
    uv_timer_t retry, tick;
    uv_prepare_t prepare;
    unsigned handles;
    struct soft *soft; /* NULL: not connected */
    unsigned soft_opens;
    struct redis_address *address; /* being looked up, or NULL */
    unsigned tries;                /* so many addresses have been tried */

    char process[STORE_ID_CHARS + 1];
    char id[STORE_ID_CHARS + 1];
    bool fresh; /* the id has changed at this set-up */
    uint8_t salt[OL_SALT_BYTES];
    bool salted;
    char last_change[48];
    bool polling; /* the stream is being read */
};

extern struct log_kind link_errors;

/* Gives up the connection; its call-backs run before the next one is made. */
void link_lost(struct store *store, const char *why);
/* Before it is up: takes error replies as replies. */
void link_send_setup(struct store *store, link_reply_fn *fn, const char *format,
                     ...);

/* setup.c: begins; sets `up` and tells so at its end, or loses the link. */
void setup_start(struct store *store);
/* changes.c: asks for what is new, unless that is being done. */
void changes_read(struct store *store);

#endif
