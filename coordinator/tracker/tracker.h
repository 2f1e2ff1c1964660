/*
 * The BitTorrent tracker of one coordinator process: decides what is answered
 * to an announce or a scrape, whatever it came by (http.c, udp.c).
 *
 * Only registered infohashes have a swarm.  What is known of a swarm is in
 * Redis, shared by all processes; each keeps a bounded sample of its own, from
 * which it answers without asking anybody.  Redis is asked when an infohash is
 * seen for the first time, and now and then for what others have heard.
 */
#ifndef COORDINATOR_TRACKER_H
#define COORDINATOR_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "coordinator/app.h"
#include "coordinator/tracker/swarm.h"
#include "offload/netaddr.h"

#define TRACKER_WANT_DEFAULT 50 /* peers, if it is not said how many */
#define TRACKER_WANT_MAX 80
#define TRACKER_SCRAPE_MAX 100 /* infohashes of one scrape */
/* Announces and scrapes that wait for Redis at a time; more are refused. */
#define TRACKER_WAITS_MAX 4096
#define TRACKER_LATE_MS 1250 /* so long at most, a tick more or less */

struct tracker;

enum announce_event {
    ANNOUNCE_NONE, /* anything unknown, too */
    ANNOUNCE_COMPLETED,
    ANNOUNCE_STARTED,
    ANNOUNCE_STOPPED,
    ANNOUNCE_PAUSED /* BEP 21; not over UDP */
};
enum announce_protocol { ANNOUNCE_HTTP, ANNOUNCE_UDP };

struct announce {
    enum announce_protocol protocol;
    enum announce_event event;
    uint8_t infohash[SWARM_HASH_BYTES];
    struct ol_addr addr; /* of the connection; IPv4 is mapped */
    uint16_t port;       /* 0: none, then the peer is not stored */
    int32_t want;        /* peers; negative: the default */
    uint64_t left;       /* bytes; not said: UINT64_MAX, a leecher */
    bool looked;         /* Redis has been asked for it; it is made again */
};

/* Peers as they go out: 6 or 18 bytes each, in network order. */
struct announce_answer {
    const char *failure; /* the reason, static; nothing else is set then */
    uint32_t interval, min_interval; /* seconds */
    uint32_t seeds, leechers, downloaded;
    /* At most TRACKER_WANT_MAX together.  Over UDP: of the asker's family. */
    size_t count4, count6;
    uint8_t peers4[TRACKER_WANT_MAX * SWARM_V4_BYTES];
    uint8_t peers6[TRACKER_WANT_MAX * SWARM_V6_BYTES];
};

/*
 * One that waits for Redis; lies in what the caller keeps of the request.
 * done runs once, unless it is cancelled; then the caller announces again,
 * if rc is 0, else answers with tracker_failure(rc).
 */
struct tracker_wait {
    void (*done)(struct tracker_wait *wait, int rc);
    bool waiting;
    LIST_ENTRY(tracker_wait) link;
};

/*
 * 0: *ret is the answer, a refusal included.  -EINPROGRESS: Redis is asked
 * about the infohash; keep the announce and call tracker_wait.  Counts the
 * announce in the metrics when it is answered.
 */
int tracker_announce(struct tracker *tracker, const struct announce *announce,
                     struct announce_answer *ret);
/*
 * Each of these will be announced now: memory is slow, and what they need is
 * fetched while others are answered.
 */
void tracker_expect(const struct tracker *tracker,
                    const uint8_t *const *infohashes, size_t count);
/* After -EINPROGRESS only, at once.  done never runs before it returns. */
void tracker_wait(struct tracker *tracker,
                  const uint8_t infohash[SWARM_HASH_BYTES],
                  struct tracker_wait *wait);
void tracker_wait_cancel(struct tracker *tracker, struct tracker_wait *wait);
/* What to tell the client; counts the announce as refused. */
const char *tracker_failure(struct tracker *tracker,
                            const struct announce *announce, int rc);

struct scrape_counts {
    uint32_t seeds, downloaded, leechers; /* all 0: not known */
};
/* Filled in by the caller, but for what is said. */
struct scrape {
    enum announce_protocol protocol;
    size_t count; /* at most TRACKER_SCRAPE_MAX */
    uint8_t infohash[TRACKER_SCRAPE_MAX][SWARM_HASH_BYTES];
    /*
     * The counts are there to be answered with; at the last call the struct
     * is the caller's again.  The first one comes within TRACKER_LATE_MS, from
     * the sample if Redis is slow; if Redis is not, it is the last one, too.
     */
    void (*done)(struct scrape *scrape, bool last);
    struct scrape_counts counts[TRACKER_SCRAPE_MAX]; /* the tracker's, as */
    struct tracker *tracker;                         /* all from here on */
    size_t asked;
    bool late;
    int64_t since_ms;
    TAILQ_ENTRY(scrape) link;
};
/*
 * 0: counts are there, done will not run.  -EINPROGRESS: done runs later;
 * until its last call the struct must stay, even if its client has gone.
 */
int tracker_scrape(struct tracker *tracker, struct scrape *scrape);

int tracker_create(struct app *app, struct tracker **ret);
/* After the store is freed: all that waits has ended then. NULL is legal. */
void tracker_free(struct tracker *tracker);
/* The store is up (again), and is told the sample; fresh: it is another one. */
void tracker_refresh(struct tracker *tracker, bool fresh);

/* GET /announce and /scrape: http.c */
void tracker_http_announce(struct app *app, struct http_request *request);
void tracker_http_scrape(struct app *app, struct http_request *request);

#endif
