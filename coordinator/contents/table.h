/*
 * The tables behind contents.h, shared by contents.c (which contents there
 * are), work.c (placing and reading them) and told.c (what
 * the instances have been told).  For these alone.
 */
#ifndef COORDINATOR_CONTENTS_TABLE_H
#define COORDINATOR_CONTENTS_TABLE_H

#include <sys/queue.h>

#include "coordinator/contents/contents.h"
#include "coordinator/contents/placement.h"
#include "coordinator/contents/torrents.h"

enum {
    WORK_META = 1,
    WORK_READ = 2,
    WORK_PLACE = 4,
    WORK_WANT = 8,
    WORK_GONE = 16 /* unless it is offered again meanwhile */
};

struct holder {
    struct node *node;
    bool complete;
};

struct content {
    uint8_t root[OL_HASH_BYTES];
    char hex[OL_ROOT_HEX + 1];
    char *sub;
    int64_t sub_ms; /* when sub was last named */
    uint64_t size;
    uint8_t offered, unsent; /* a bit for each instance */
    uint8_t work;
    bool idle; /* none offered it when it was last to be renewed */
    bool assigned;
    bool renew; /* once its holders are read: who lacks it is told again */
    size_t at;  /* among `listed` */
    size_t placed_count, holder_count, candidate_count;
    struct node *placed[PLACEMENT_HOLDERS_MAX];
    double placed_min;
    struct holder *holders;
    struct torrents torrents;
    uint32_t candidates[SYNC_CANDIDATES];
    TAILQ_ENTRY(content) link, work_link, unsent_link;
};
TAILQ_HEAD(content_list, content);

struct contents {
    struct app *app;
    char *iss, *id;
    void *tree;
    struct content_list all, work, unsent;
    struct content **listed; /* in any order, to sample them */
    size_t count, reads, listed_size;
    size_t unsent_count[SITE_INSTANCES];
    struct content *full[SITE_INSTANCES]; /* where a full state goes on */
    struct content *renew;
    uv_timer_t pump, renewal;
    unsigned handles;
    bool dead; /* freed once handles are closed and reads are back */
    struct placement_node *scratch; /* of the nodes that are alive */
    struct node **scratch_nodes;
    size_t scratch_size;
};

/* contents.c */
struct content *content_find(struct contents *contents, const uint8_t *root);
bool content_is_holder(const struct content *c, const struct node *node);
bool content_is_placed(const struct content *c, const struct node *node);
/* No instance offers it: the store and its nodes hear of it, and it is freed.
 */
void content_release(struct contents *contents, struct content *c);
/* Frees what contents_free has left, once nothing refers to it. */
void contents_destroy(struct contents *contents);

/* work.c */
void work_add(struct contents *contents, struct content *c, uint8_t work);
void work_pump(uv_timer_t *timer);
/* Wants it of all that are to hold it, and tells those that do not, or all. */
void content_want(struct contents *contents, struct content *c, bool all);
/* Wants it no more of a node. */
void content_unwant(struct contents *contents, const struct content *c,
                    const struct node *node);

/* told.c */
void unsent_set(struct contents *contents, struct content *c, uint8_t mask);
void unsent_clear(struct contents *contents, struct content *c, uint8_t mask);
/* Computes the candidates anew; if they are others, they are unsent. */
void candidates_update(struct contents *contents, struct content *c);

#endif
