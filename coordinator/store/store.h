/*
 * What the coordinators of one Redis share.  Only this folder
 * knows Redis; no reply leaves it.  Any number of coordinator processes use one
 * Redis.
 *
 * Keys.  N: a node's id, S: a site's id, R: a content's root, all as in the
 * protocol; U: hex SHA-256 of a URL.  Every call below is one round trip of at
 * most two commands; its complexity is in brackets.
 *
 *   store          string  random id of this Redis, told to nodes
 *   salt           string  16 bytes in base64url, for placement
 *   node-number    counter the last node number given
 *   nodes          zset    N -> ms until which it is alive       [log n]
 *   sites          zset    S -> when it joined; at most STORE_SITES_MAX
 *   offered        counter the contents of all sites: site:{S}'s offered
 *   changes        stream  at most STORE_CHANGES_MAX: "k" kind, "v" id,
 *                          "p" process; read by all every STORE_POLL_MS
 *   key:{N}        hash    seq n u key url zone cidrs capacity rate weight
 *                          sites (JSON) born invite (T) drained; 90 days
 *   invite:{T}     set     N: who came by this invitation, at most as many as
 *                          it admits; T: hex SHA-256 of the token
 *   ban:{N}        hash    reason since by details; for ever
 *   bans           zset    N -> since; at most 65536
 *   rep:{N}        hash    passed wrong wrong_s low low_s peak due: what audits
 *                          and reports say (standing.h); 90 days
 *   told:{N}       hash    who reported the node, at most 256; a day
 *   audit:{N}      string  the process that audits it; a minute
 *   u:{U}          string  N, the one id of a URL; a day
 *   node:{N}       hash    rate connections free drain unlisted (why); 30 s:
 *                          liveness
 *   a:{N}          zset    R -> ms when to offer it: assignments not yet
 *                          acknowledged, at most 4096; an hour
 *   ad:{N}         hash    R -> {S: "-" or, if offered, "+", and the
 *                          assignment in JSON}, at most 8; an hour
 *   r:{N}          set     R: releases to tell, at most 4096; an hour.  A
 *                          hint: c:{R}:w:N decides, so each is told again
 *                          when the node lists the content again
 *   site:{S}       hash    iss joined seen seq synced epoch contents; seen:
 *                          when it joined last; offered: contents, as they
 *                          are counted in all sites'
 *   lease:{S}      string  the process that pushes to the site; some seconds
 *   c:{R}:meta     hash    iss sub size until; two hours, renewed by the
 *                          pusher of the first site; of another after `until`
 *   c:{R}:s        zset    S -> s until which it offers the content, renewed
 *                          with meta.  When the last one does so no more,
 *                          meta, holders and bitmaps go with it
 *   c:{R}:w:N      zset    S -> s until which the site wants N to hold it, at
 *                          most STORE_SITES_MAX; two hours, renewed by
 *                          pushers.  None: N is no holder, and is released
 *   c:{R}:h        zset    N -> s until which it holds; 15 min
 *   c:{R}:b        hash    N -> "have/count bitmap" of incomplete holders
 *   t:{I}:m        hash    I: an infohash, hex.  site root name size
 *                          downloaded; two hours, renewed with the content
 *   t:{I}:o        zset    S -> s until which it offers the torrent.  When the
 *                          last one does so no more, t:{I}:m goes with it
 *   t:{I}:s4 l4 s6 l6      zset: seeds and leechers, 6 or 18 bytes of address
 *                          and port -> s until which it is alive: two announce
 *                          intervals.  Ends somewhat after its last peer; up
 *                          to 128 expired ones of all are dropped at each look
 *   t:probe        string  to see whether Redis takes writes; a minute
 *   {hist}:m:{H}   hash    bytes by minute of hour H (since 1970), c0 .. c59
 *                          claimed, p0 .. p59 credited; three hours
 *   {hist}:t:{D}   hash    the same by ten minutes of day D; three days
 *   {hist}:d       hash    the same by day: 400 of them
 *   {hot}:demand   zset    R -> requests per hour, the 256 hottest
 *   {hot}:at       zset    R -> s when its pusher said so; ten minutes
 *   {hot}:wanted   hash    R -> how many nodes are to hold it
 *   ledger:{N}     hash    what N is owed: "sum" of all and S -> sums; "n"
 *                          sites, at most 4096, "#1".."#n" -> their iss; 400
 *                          days after the last change (30 while the node has
 *                          not registered), as the next three
 *   la:{N}:S       hash    the site's accounts -> bytes failed time, at most
 *                          256; beyond 64 those go that have not changed for
 *                          30 days
 *   lc:{N}:S       hash    the same of the node's epochs
 *   ld:{N}:D       hash    sums of day D (YYYYMMDD) by the site's place
 *   ledgers        zset    N, by name: registered nodes with a ledger
 *   ledgers-new    zset    N -> s: others that a site told of, at most 16384
 *
 * Connection: reconnects by itself with a growing, jittered pause.  While it
 * is away, and while more than STORE_PENDING_MAX commands are unanswered,
 * calls fail at once; an answer that takes more than STORE_ANSWER_MS counts as
 * a lost connection.  Peers of swarms are written by a second connection, on
 * which nothing is answered (soft.h).
 */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "offload/error.h"
#include "offload/key.h"
#include "offload/rendezvous.h"

#define STORE_PENDING_MAX 16384
#define STORE_ANSWER_MS 1200 /* no request waits for two seconds */
#define STORE_POLL_MS 500
#define STORE_CHANGES_MAX 65536
#define STORE_SITES_MAX 4096
#define STORE_NODE_LIFE_MS 30000
#define STORE_HOLDING_LIFE_S 900
#define STORE_CONTENT_LIFE_S 7200
#define STORE_CONTENT_LAPSE_S 1800 /* not renewed: another site's */
#define STORE_ID_CHARS 22

struct store;

enum store_change {
    STORE_NODE = 'n',     /* a node registered, or came alive */
    STORE_SITE = 's',     /* a site joined */
    STORE_ASSIGNED = 'a', /* a node has new assignments */
    STORE_HELD = 'h',     /* a content's holders have changed */
};

struct store_events {
    /* After each connect; fresh: this Redis is another than before. */
    void (*on_up)(void *arg, bool fresh);
    /* By any process, this one included (then before the call returns). */
    void (*on_change)(void *arg, enum store_change what, const char *id);
    void *arg;
};

/* "unix:/path[?db=N]" or "redis://[[user]:password@]host[:port][/db]". */
int store_url_check(const char *url, struct ol_error *err);
int store_create(uv_loop_t *loop, const char *url,
                 const struct store_events *events, struct store **ret,
                 struct ol_error *err);
/* Calls back all that is open with -ECANCELED.  NULL is legal. */
void store_free(struct store *store);
bool store_is_up(const struct store *store);
/* Up, and less than half of what may be pending is. */
bool store_has_room(const struct store *store);
const char *store_id(const struct store *store); /* "" before the first one */
const uint8_t *store_salt(const struct store *store);

/* Tells all processes; lost without harm while Redis is away. */
void store_announce(struct store *store, enum store_change what,
                    const char *id);

/*
 * Calls.  Each returns 0 and calls back later, once; or -ENOTCONN (Redis is
 * away) or -EAGAIN (too much is pending) and does not.  Call-backs get rc: 0,
 * -EIO (Redis failed meanwhile), -ECANCELED, or what is noted.  What they are
 * given is theirs for the call only.
 */

/* rc -ESTALE: value is the last seq; -EEXIST: the URL is another node's;
 * -ENOENT: unknown; -ENOSPC: no number is left; -EPERM: it is banned; -EDQUOT:
 * its invitation is used up. */
typedef void store_value_fn(void *arg, int rc, uint64_t value);

/* invited: it came by an invitation once; reason: of its ban, with -EPERM. */
typedef void store_check_fn(void *arg, int rc, uint64_t value, bool invited,
                            const char *reason);
/* [log n] */
int store_node_check(struct store *store, const char *id, const char *url,
                     uint64_t seq, store_check_fn *done, void *arg);

/* What audits and reports say of a node. */
struct store_standing {
    const char *ban;                 /* why it is banned, or "" */
    uint64_t passed, wrong, wrong_s; /* audits */
    uint64_t low, low_s; /* halvings of its weight, the last one when */
    uint64_t peak;       /* bytes per second, the fastest audits */
    bool due;            /* to be audited as soon as may be */
};
struct store_node {
    const char *id, *key, *url, *zone;
    const char *cidrs; /* JSON array of strings */
    uint64_t number, seq, capacity, rate;
    const char *sites;    /* JSON array of origins; "": all */
    const char *invite;   /* T of the invitation that it came by, or "" */
    uint64_t invite_uses; /* when it registers: how many that admits */
    uint64_t weight;      /* percent */
    uint64_t born_s;      /* when it first registered */
    bool drained;         /* by the operator */
    uint64_t load_rate, load_connections, load_free;
    bool load_drain;      /* by itself */
    const char *unlisted; /* why, or "" */
    uint64_t life_ms;     /* left; 0: not alive */
    struct store_standing standing;
};
/* value: its number. [log n] */
int store_node_register(struct store *store, const struct store_node *node,
                        int64_t now_s, store_value_fn *done, void *arg);
/* Compares and stores seq and renews its life. [log n] */
int store_node_beat(struct store *store, const struct store_node *node,
                    store_value_fn *done, void *arg);
/* In the index; after a beat that was accepted. [log n] */
void store_node_alive(struct store *store, const char *id, int64_t now_ms);

typedef void store_node_fn(void *arg, int rc, const struct store_node *node);
/* rc -ENOENT: unknown. [1] */
int store_node_load(struct store *store, const char *id, store_node_fn *done,
                    void *arg);

/* One page of an index, in order of score. */
struct store_entry {
    const char *id;
    double score;
};
typedef void store_page_fn(void *arg, int rc, const struct store_entry *list,
                           size_t count);
#define STORE_PAGE 512
/* Nodes that are alive at now_ms, from position `offset`. [log n + page] */
int store_nodes(struct store *store, int64_t now_ms, size_t offset,
                store_page_fn *done, void *arg);
int store_sites(struct store *store, size_t offset, store_page_fn *done,
                void *arg);

/* What a site wants of a node: to hold one content. */
struct store_want {
    const char *site, *root, *node;
    const char *json; /* the whole assignment as the node gets it */
    bool tell;        /* even if the site has wanted it before */
};
/* Announces the assignment, if there is one. [log n] */
void store_want(struct store *store, const struct store_want *want,
                int64_t now_ms);
/* If no other site wants it, the node is told that it is released, and is no
 * holder any more, which is announced. [log n] */
void store_unwant(struct store *store, const struct store_want *want,
                  int64_t now_s);
/* The node has them: at most STORE_ROOTS_MAX. [count log n] */
#define STORE_ROOTS_MAX 512
void store_settle(struct store *store, const char *id, const char *const *roots,
                  size_t count);

#define STORE_ASSIGN_PAGE 64
typedef void store_texts_fn(void *arg, int rc, const char *const *texts,
                            size_t count);
/*
 * The JSON of what is due now, at most STORE_ASSIGN_PAGE, which is then put
 * off by later_ms. [page log n]
 */
int store_assigned(struct store *store, const char *id, int64_t now_ms,
                   int64_t later_ms, store_texts_fn *done, void *arg);
/* Takes at most STORE_RELEASE_PAGE releases: their roots. [page] */
#define STORE_RELEASE_PAGE 512
int store_released(struct store *store, const char *id, store_texts_fn *done,
                   void *arg);

/* Holdings.  What no site wants the node to hold is released instead. */
/* bitmap: "" or "have/count bitmap".  Announces a change. [log n] */
void store_hold(struct store *store, const char *root, const char *id,
                const char *bitmap, int64_t now_s);
void store_drop(struct store *store, const char *root, const char *id);

struct store_content {
    const char *site, *iss, *sub;
    uint64_t size;
};
/* [1] */
void store_content_put(struct store *store, const char *root,
                       const struct store_content *content, int64_t now_s);
/* The site offers it no more; if no other does, it is not known any more. [1]
 */
void store_content_gone(struct store *store, const char *root, const char *site,
                        const char *iss, int64_t now_s);

struct store_holder {
    const char *id;
    bool complete;
    uint64_t have; /* pieces, if not complete */
};
#define STORE_HOLDERS 256
typedef void store_holders_fn(void *arg, int rc, uint64_t size,
                              const struct store_holder *list, size_t count);
/* At most STORE_HOLDERS, those heard last first; rc -ENOENT: no such content.
 * [log n + holders] */
int store_holders(struct store *store, const char *root, int64_t now_s,
                  store_holders_fn *done, void *arg);

/* Sites. */
struct store_site {
    const char *iss, *epoch;
    uint64_t joined, synced, contents;
};
/* value: 1 if it is new.  Announces it. [log n] */
int store_site_put(struct store *store, const char *id, const char *iss,
                   int64_t now_s, store_value_fn *done, void *arg);
typedef void store_site_fn(void *arg, int rc, const struct store_site *site);
/* rc -ENOENT: unknown. [1] */
int store_site_get(struct store *store, const char *id, store_site_fn *done,
                   void *arg);
/* If it neither joined nor synced since before_s; value: 1 if the store does
 * not know it (any more). [log n] */
int store_site_forget(struct store *store, const char *id, int64_t before_s,
                      store_value_fn *done, void *arg);
void store_site_synced(struct store *store, const char *id,
                       const struct store_site *site);
/* value: the next seq, at least floor.  rc -ENOENT: no such site. [1] */
int store_site_seq(struct store *store, const char *id, uint64_t floor,
                   store_value_fn *done, void *arg);
/* value: 1 if this process has the lease for life_ms from now on. [1] */
int store_lease(struct store *store, const char *id, unsigned life_ms,
                store_value_fn *done, void *arg);
void store_lease_drop(struct store *store, const char *id);

#endif
