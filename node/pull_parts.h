/*
 * What the files behind pull.h share: pull.c the queue and who wants what,
 * pull_source.c one pull's way from source to source, pull_ticket.c the ticket
 * for other nodes, pull_switch.c the way from one site to another.  Nobody
 * else includes this.
 */
#ifndef NODE_PULL_PARTS_H
#define NODE_PULL_PARTS_H

#include "node/latest.h"
#include "node/node.h"
#include "node/pull.h"
#include "node/pull_plan.h"

enum step {
    STEP_QUEUED,
    STEP_BEGUN,
    STEP_CHECK,   /* a job looks at what is on disk */
    STEP_REFRESH, /* a manifest is on its way */
    STEP_FETCH,
    STEP_WRITE, /* a job checks and writes it */
    STEP_DONE
};

TAILQ_HEAD(pull_queue, pull);

struct pull {
    TAILQ_ENTRY(pull) link;   /* in one of the puller's lists */
    LIST_ENTRY(pull) sibling; /* in content->pulls */
    struct puller *puller;
    struct content *content; /* held */
    uint32_t index, len;
    TAILQ_HEAD(, want) wants;
    enum step step;
    bool background; /* nobody but prefetching wants it */
    bool hop;        /* a node wants it: the origin only */
    bool reserved;   /* room on disk */
    bool patient;    /* the plan stops short of what may be asked */
    struct assignment *assignment;
    struct site *site;
    uint8_t plan[PULL_PLAN_MAX];
    size_t plan_len, plan_next;
    uint8_t source; /* the place being asked */
    char *data;
    uint32_t got;
    struct fetch *fetch;
    int status; /* of an answer that is not wanted */
    unsigned retry_s;
    struct job job;
    int job_error;
};

struct refresh { /* a manifest on its way, for all pulls of a content */
    struct puller *puller;
    struct content *content; /* held */
    struct latest *latest;
    struct assignment *next; /* of a switch: what is in force if it is good */
    bool lost;               /* the first site is out in any case */
    const char *why;
    TAILQ_ENTRY(refresh) link;
};

struct puller {
    struct node *node;
    struct pull_queue demand, background, active;
    TAILQ_HEAD(, refresh) refreshes;
    unsigned count; /* all pulls */
    unsigned active_count, background_count;
    size_t memory;          /* bytes of the active ones' buffers */
    uint32_t disk_failures; /* writes that failed, in a row */
    uint64_t disk_after;    /* loop ms: nothing is fetched before */
    uv_timer_t kick;
    bool stopping;
};

/* pull.c */
/* The wants are told; the pull is gone. */
void pull_finish(struct pull *p, int error);
/* A piece could be written, or not: what cannot be kept is not fetched. */
void puller_disk_works(struct puller *puller);
void puller_disk_failed(struct puller *puller);

/* pull_source.c */
/* Room, plan, ticket, then source after source. */
void pull_fetch(struct pull *p);
void pull_next_source(struct pull *p);

/* pull_ticket.c */
/* Whether p, about to ask a node, has to wait for a fresh ticket. */
bool pull_needs_ticket(struct pull *p);
/* pull_next_source is called once it is there, or cannot be had. */
int pull_get_ticket(struct pull *p);
/* A manifest is asked for, in place of one under way. */
int pull_refresh(struct puller *puller, struct content *content,
                 struct assignment *next,
                 void (*done)(void *arg, struct latest_result *result),
                 struct refresh **ret);
void pull_refresh_free(struct refresh *refresh);
/* The manifest has come, or not: those who waited for it go on. */
void pull_resume(struct refresh *refresh);

/* pull_switch.c */
/*
 * The origin that p asked does not have the content (lost), or does not give
 * it.  True: p waits for another site, or has ended.  False: there is no other.
 */
bool pull_switch(struct pull *p, bool lost, const char *why);
/* The same, when it is the first site's manifest that says so. */
void content_lose_site(struct puller *puller, struct content *content,
                       const char *why);

#endif
