/*
 * The nodes that this process knows: who they are, whether they are alive, and
 * in which order that has changed.  Follows the index in Redis, so that nodes
 * which talk to other processes are known too.
 */
#ifndef COORDINATOR_NODES_H
#define COORDINATOR_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "coordinator/app.h"
#include "coordinator/nodes/trust.h"
#include "offload/content.h"
#include "offload/encoding.h"

#define NODES_MAX 16384
#define NODES_TICK_MS 1000   /* deaths are seen */
#define NODES_FOLLOW_MS 5000 /* the index is read */
#define NODES_FORGET_MS 3600000
#define NODES_RETURN_MS 10000 /* to an empty store */
#define NODES_SPARE_MS 5000   /* changes of it are told no faster */

struct beat;

typedef char node_site[OL_HEX_LEN(OL_HASH_BYTES) + 1]; /* a site's id */

/* standing.c's: what its conclusions are drawn from. */
struct node_standing {
    char *ban;              /* why it is banned, or NULL */
    char *zone;             /* as registered, or NULL */
    bool invited;           /* came by an invitation */
    bool refused;           /* the operator does not admit it */
    bool drained, draining; /* by the operator, by itself */
    bool unlisted;
    bool sites_changed;
    unsigned percent; /* of its worth, as it says */
    uint64_t wrong;   /* audits */
    struct trust_facts facts;
};

struct node {
    char id[OL_KEY_CHARS + 1];
    uint8_t raw[OL_KEY_BYTES];
    uint32_t number; /* 0: not loaded yet */
    char *url, *zone, *cidrs;
    struct ol_key *key;
    uint64_t capacity, rate; /* as registered */
    uint64_t load_rate, load_connections, load_free;
    size_t site_count; /* 0: it serves all */
    node_site *sites;  /* in order */
    double weight, trust;
    uint32_t spare;         /* as sites are told; SPARE_UNKNOWN */
    int64_t spare_ms;       /* when that last changed */
    int64_t alive_until_ms; /* by app_ticks_ms */
    int64_t beat_ms;        /* the last heartbeat to this process */
    bool alive;
    bool excluded; /* banned: it is as if it were not there */
    bool unlisted; /* not named to anyone until an audit succeeds */
    bool draining; /* nothing new is placed on it */
    bool loading, load_again;
    struct node_standing standing;
    bool audit_due;        /* as soon as may be */
    int64_t audit_next_ms; /* audit.c's: not before, here */
    uint64_t version;      /* of its last change */
    struct beat *held;     /* heartbeat.c's */
    /* contents/'s: bytes that it is to take and has not; how often contents
     * refer to it; when it last came or went, 0: never. */
    uint64_t promised, moved;
    unsigned users;
    TAILQ_ENTRY(node) moved_link;
    TAILQ_ENTRY(node) link;
};

struct nodes_events {
    /* It came, went, or has another URL, zone, capacity. */
    void (*on_changed)(void *arg, struct node *node);
    /* Its memory is about to be freed. */
    void (*on_forget)(void *arg, struct node *node);
    void *arg;
};

/* Whether anything of that site may be placed on it. */
bool node_takes(const struct node *node, const char *site_id);
/* Whether it may be named to clients, sites and other nodes. */
static inline bool
node_is_listed(const struct node *node)
{
    return node->alive && !node->excluded && !node->unlisted;
}

int nodes_create(struct app *app, const struct nodes_events *events,
                 struct nodes **ret);
void nodes_free(struct nodes *nodes);
/* The store is up (again): read all; fresh: numbers are other ones. */
void nodes_refresh(struct nodes *nodes, bool fresh);
/* The index was read, and if the store has lost it, nine of ten that were alive
 * are back, or NODES_RETURN_MS have passed: what is placed now stays there. */
bool nodes_are_known(struct nodes *nodes);

struct node *nodes_find(struct nodes *nodes, const char *id);
/* Finds or adds it, and loads it if it is new; NULL: no room, bad id. */
struct node *nodes_intern(struct nodes *nodes, const char *id);
/* Reads it again from the store. */
void nodes_load(struct nodes *nodes, const char *id);
/* Takes all that was read; update: but whether it is alive. */
void nodes_loaded(struct nodes *nodes, struct node *node,
                  const struct store_node *from);
void nodes_update(struct nodes *nodes, struct node *node,
                  const struct store_node *from);
/* It has just been heard here. */
void nodes_beat(struct nodes *nodes, struct node *node,
                const struct store_node *load);

/* It wants to drain, or no longer. */
void nodes_drain(struct nodes *nodes, struct node *node, bool drain);
/* Looks at the operator's files; if they say something else, all nodes are
 * judged again. */
void nodes_reload(struct nodes *nodes);

/* Of the last change of any; nodes are listed from the oldest change on. */
uint64_t nodes_version(const struct nodes *nodes);
struct node *nodes_first(const struct nodes *nodes);
/* The first one that has changed after `version`, or NULL. */
struct node *nodes_changed_after(const struct nodes *nodes, uint64_t version);
static inline struct node *
nodes_next(const struct node *node)
{
    return TAILQ_NEXT(node, link);
}

#endif
