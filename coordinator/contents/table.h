/*
 * The tables behind contents.h, shared by contents.c (which contents there
 * are), work.c (the queue), holders.c (who is to hold one, and who does),
 * crowd.c (how many should), sweep.c (nodes that come and go), told.c (what the
 * instances have been told) and catalog.c.  For these alone.
 */
#ifndef COORDINATOR_CONTENTS_TABLE_H
#define COORDINATOR_CONTENTS_TABLE_H

#include <sys/queue.h>

#include "coordinator/contents/contents.h"
#include "coordinator/contents/demand.h"
#include "coordinator/contents/placement.h"
#include "coordinator/contents/torrents.h"

enum {
    WORK_META = 1,
    WORK_READ = 2,
    WORK_PLACE = 4,
    WORK_WANT = 8,
    WORK_GONE = 16, /* unless it is offered again meanwhile */
    WORK_TELL = 32  /* its nodes are told again */
};

/* A file with these bytes at one instance. */
struct offer {
    uint64_t name; /* hash of its path */
    uint64_t demand;
    uint8_t instance;
};

struct holder {
    struct node *node;
    bool complete;
};

struct content {
    struct contents *site;
    struct content *chain; /* catalog.c's */
    uint8_t root[OL_HASH_BYTES];
    char hex[OL_ROOT_HEX + 1];
    char *sub;
    int64_t sub_ms; /* when sub was last named */
    uint64_t size;
    struct offer *offers; /* at most CONTENTS_OFFERS_MAX */
    uint8_t offer_count;
    uint8_t offered, unsent; /* a bit for each instance */
    uint8_t work;
    uint8_t heat; /* as nodes were told */
    bool idle;    /* none offered it when it was last to be renewed */
    bool assigned;
    bool renew;   /* once its holders are read: who lacks it is told again */
    bool watched; /* in `watched` */
    bool crowded; /* fewer hold it than should, for want of room */
    size_t at;    /* among `listed` */
    size_t placed_count, holder_count, candidate_count;
    struct node *placed[PLACEMENT_HOLDERS_MAX]; /* best first */
    double placed_min;
    uint32_t promised; /* the bits of those in `placed` that still need room */
    struct holder *holders;
    struct torrents torrents;
    struct demand demand;
    uint32_t candidates[SYNC_CANDIDATES];
    int64_t yielded_ms; /* another one gave up room to it */
    TAILQ_ENTRY(content) link, work_link, unsent_link, watched_link, crowd_link;
};
TAILQ_HEAD(content_list, content);

struct contents {
    struct app *app;
    char *iss, *id;
    struct contents_events events;
    struct content_list all, work, unsent;
    struct content_list watched; /* more nodes than the least, or crowded */
    struct content **listed;     /* in any order, to sample them */
    size_t count, reads, listed_size;
    size_t unsent_count[SITE_INSTANCES];
    struct content *full[SITE_INSTANCES]; /* where a full state goes on */
    struct content *renew, *sweep;
    size_t renew_due;         /* in parts of a round */
    uint64_t swept, sweeping; /* moves of nodes that are seen to, to be so */
    uv_timer_t pump, renewal, watch;
    unsigned handles, watches;
    bool dead; /* freed once handles are closed and reads are back */
    struct placement_node *scratch; /* of the nodes that take it */
    struct node **scratch_nodes;
    size_t scratch_size;
};

/* contents.c */
bool content_is_holder(const struct content *c, const struct node *node);
bool content_is_placed(const struct content *c, const struct node *node);
/* No instance offers it: the store and its nodes hear of it, and it is freed.
 */
void content_release(struct contents *contents, struct content *c);
/* Frees what contents_free has left, once nothing refers to it. */
void contents_destroy(struct contents *contents);

/* work.c */
void work_add(struct contents *contents, struct content *c, uint8_t work);
/* There is something to do that is not in the queue. */
void work_wake(struct contents *contents);
void work_pump(uv_timer_t *timer);

/* holders.c */
/* Returns how many hashes it took. */
size_t content_place(struct contents *contents, struct content *c);
void holders_set(struct contents *contents, struct content *c,
                 const struct store_holder *list, size_t count);
/* As many as there should be, each with all of it, or just with a part. */
bool content_is_held(const struct contents *contents, const struct content *c,
                     bool whole);
/* Wants it of all that are to hold it, and tells those that do not, or all. */
void content_want(struct contents *contents, struct content *c, bool all);
/* Wants it no more of a node. */
void content_unwant(struct contents *contents, const struct content *c,
                    const struct node *node);
/* What its nodes have promised, and that it refers to them: to be undone before
 * `placed` or `holders` change, and done again afterwards. */
void content_refer(struct content *c);
void content_unrefer(struct content *c);

/* crowd.c */
struct demand_offer crowd_offer(const struct contents *contents);
/* Its demand may be another one: places it anew, or tells its nodes. */
void crowd_update(struct contents *contents, struct content *c);
/* It was placed on fewer nodes than it should be, for want of room, or on all
 * of them. */
void crowd_placed(struct contents *contents, struct content *c, bool crowded);
void crowd_forget(struct contents *contents, struct content *c);
void crowd_watch(uv_timer_t *timer);

/* hottest.c */
/* The store hears which contents of the site are asked for most. */
void hottest_tell(const struct contents *contents);

/* sweep.c */
/* A slice of what is to be looked at since nodes moved; returns its cost, 0:
 * nothing is left. */
size_t sweep_step(struct contents *contents);

/* told.c */
void unsent_set(struct contents *contents, struct content *c, uint8_t mask);
void unsent_clear(struct contents *contents, struct content *c, uint8_t mask);
/* Computes the candidates anew; if they are others, they are unsent. */
void candidates_update(struct contents *contents, struct content *c);

#endif
