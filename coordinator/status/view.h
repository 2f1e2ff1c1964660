/*
 * What the status page says, as plain values: filled by reading.c and status.c,
 * written by page.c as HTML and by document.c as JSON.  Each list is bounded
 * and says how many there are in all.
 */
#ifndef COORDINATOR_STATUS_VIEW_H
#define COORDINATOR_STATUS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/store/history.h"
#include "offload/content.h"
#include "offload/key.h"
#include "offload/origin.h"

#define VIEW_SITES 100
#define VIEW_NODES 200
#define VIEW_EXCLUDED 64
#define VIEW_PATH 256 /* a longer one is cut */

struct view_site {
    char origin[OL_ORIGIN_MAX];
    uint64_t joined, synced, contents; /* synced 0: not yet */
};

struct view_content {
    char root[OL_ROOT_HEX + 1];
    char origin[OL_ORIGIN_MAX];
    char path[VIEW_PATH];
    double demand; /* requests per hour */
    unsigned wanted;
    uint64_t size, holders, incomplete;
};

struct view_ban {
    char id[OL_KEY_CHARS + 1];
    char reason[VIEW_PATH];
    char by[16];
    uint64_t since;
};

/* "serving", "trial", "draining", "away": of nodes that are not excluded. */
enum view_state {
    VIEW_SERVING,
    VIEW_TRIAL,
    VIEW_DRAINING,
    VIEW_AWAY,
    VIEW_STATES
};
extern const char *const view_states[VIEW_STATES];

/* Strings are the tables' own: for one rendering only. */
struct view_node {
    const char *id, *url, *zone;
    enum view_state state;
    const char *reason; /* why it is trusted less, or "" */
    uint64_t rate, rate_max, connections, free, capacity; /* rate_max 0: none */
    unsigned weight, trust;                               /* percent */
    uint64_t audits_passed, audits_wrong;
};

struct view_excluded {
    const char *id, *url; /* url "": not known here */
    const char *reason, *by;
    uint64_t since; /* 0: not known */
};

/* What Redis says. */
struct view_stored {
    int64_t taken_s; /* 0: it was never read */
    struct view_site sites[VIEW_SITES];
    size_t site_count;
    uint64_t site_total,
        contents; /* that all sites offer, some of them twice */
    struct view_content hot[HOT_PAGE];
    size_t hot_count;
    uint64_t hot_total;
    struct view_ban bans[VIEW_EXCLUDED]; /* the latest first */
    size_t ban_count;
    uint64_t ban_total;
    struct store_history history;
    uint64_t memory, memory_max;
    bool aof;
    char redis_version[32];
};

struct view {
    int64_t now_s, started_s;
    const char *version, *id, *key, *store;
    unsigned workers;
    bool redis_up, stale; /* stale: `stored` is not what Redis says now */
    const struct view_stored *stored;
    struct view_node nodes[VIEW_NODES]; /* the busiest first */
    size_t node_count, node_total, node_alive, node_states[VIEW_STATES];
    struct view_excluded excluded[VIEW_EXCLUDED];
    size_t excluded_count;
    uint64_t excluded_total;
    uint64_t rate; /* bytes per second that nodes that are alive send */
};

#endif
