
/*
 * What the workers share: the zone's header, the files that are offered, the
 * contents behind them, the nodes and the coordinators.  Everything here lives
 * in one slab pool under its mutex; nothing in it points out of the pool, and
 * nothing outside keeps a pointer into it once the mutex is released.
 */


#ifndef _NGX_HTTP_OFFLOAD_ZONE_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "offload/content.h"
#include "offload/key.h"
#include "offload/manifest.h"
#include "offload/traffic.h"
#include "ngx_http_offload_receipts.h"
#include "offload/netaddr.h"
#include "offload/selection.h"
#include "offload/state.h"
#include "offload/ticket.h"


#define NGX_HTTP_OFFLOAD_SITE_LEN      16    /* of a hash of the site's name */
#define NGX_HTTP_OFFLOAD_EPOCH_LEN     16
#define NGX_HTTP_OFFLOAD_TYPE_LEN      255
#define NGX_HTTP_OFFLOAD_ETAG_LEN      128
#define NGX_HTTP_OFFLOAD_CANDIDATES    24    /* of one content, from one */
                                             /* coordinator */
#define NGX_HTTP_OFFLOAD_CIDRS         8     /* of one node */
#define NGX_HTTP_OFFLOAD_ZONES         14    /* of a content's candidates, */
#define NGX_HTTP_OFFLOAD_NETWORKS      24    /* so that both take 512 bytes */
#define NGX_HTTP_OFFLOAD_COORDINATORS  64    /* records in a zone; one bit */
                                             /* of a uint64_t each */
#define NGX_HTTP_OFFLOAD_FRESH         60    /* seconds after a sync */
#define NGX_HTTP_OFFLOAD_REVOKED       60    /* seconds after a private one */
#define NGX_HTTP_OFFLOAD_UNUSED        10    /* seconds, then another path */
                                             /* may take a subject over */
#define NGX_HTTP_OFFLOAD_GONE          600   /* seconds that "gone" is told */
#define NGX_HTTP_OFFLOAD_LOST          60    /* seconds between two full */
                                             /* states for what was lost */
#define NGX_HTTP_OFFLOAD_ZONE_MIN      (256 * 1024)
#define NGX_HTTP_OFFLOAD_SAMPLES       8     /* of egress, in turn; a power */
                                             /* of two */
#define NGX_HTTP_OFFLOAD_BUDGETS       64    /* sites with a limit for nodes */
#define NGX_HTTP_OFFLOAD_NAMESAKES     256   /* files of one content, among */
                                             /* which a name is looked up */

#define NGX_HTTP_OFFLOAD_HELD          1     /* flags of a candidate */
#define NGX_HTTP_OFFLOAD_ASSIGNED      2


typedef enum {
    NGX_HTTP_OFFLOAD_QUEUED = 0,             /* waits for a worker */
    NGX_HTTP_OFFLOAD_HASHING,                /* leased to one */
    NGX_HTTP_OFFLOAD_FAILED,                 /* until "retry" */
    NGX_HTTP_OFFLOAD_READY,
    NGX_HTTP_OFFLOAD_STATES
} ngx_http_offload_state_e;


typedef enum {
    NGX_HTTP_OFFLOAD_DIRECT = 0,
    NGX_HTTP_OFFLOAD_MANIFEST,
    NGX_HTTP_OFFLOAD_REDIRECT,
    NGX_HTTP_OFFLOAD_BYPASS,
    NGX_HTTP_OFFLOAD_INDEXING,
    NGX_HTTP_OFFLOAD_NOPEERS,
    NGX_HTTP_OFFLOAD_INELIGIBLE,
    NGX_HTTP_OFFLOAD_IDLE,                   /* below offload_above */
    NGX_HTTP_OFFLOAD_OUTCOMES
} ngx_http_offload_outcome_e;


/*
 * Whether a time has come that was "max" seconds ahead at most when it was set.
 * If it is more than that now, the clock was set back meanwhile
 */

#define ngx_http_offload_due(when, max)                                       \
    ((when) <= ngx_time() || (when) - (max) > ngx_time())

/* whether something was "max" seconds ago at most, likewise */

#define ngx_http_offload_within(when, max)                                    \
    ((when) + (max) >= ngx_time() && (when) - (max) <= ngx_time())


typedef struct ol_version  ngx_http_offload_ident_t;


typedef struct {                             /* names a file in the zone */
    u_char                     *site;        /* NGX_HTTP_OFFLOAD_SITE_LEN */
    ngx_str_t                   sub;
    ngx_str_t                   path;
    uint64_t                    hash;
} ngx_http_offload_name_t;


typedef struct {                             /* what a direct answer tells */
    off_t                       size;
    time_t                      mtime;
    ngx_str_t                   etag;
    ngx_str_t                   type;
} ngx_http_offload_version_t;


typedef struct ngx_http_offload_file_s     ngx_http_offload_file_t;
typedef struct ngx_http_offload_content_s  ngx_http_offload_content_t;
typedef struct ngx_http_offload_list_s     ngx_http_offload_list_t;


typedef struct {                             /* who a manifest is for */
    struct ol_addr              addr;
    ngx_str_t                   locality;    /* empty: not known */
    unsigned                    addressed:1;
    unsigned                    https:1;
} ngx_http_offload_client_t;


typedef struct {                             /* clients that get the same */
    uint32_t                    near;        /* bits: candidates, a network */
                                             /* of which contains them */
    uint32_t                    locality;    /* a hash; 0: none */
    uint8_t                     variant;
    uint8_t                     https;
} ngx_http_offload_audience_t;


#define NGX_HTTP_OFFLOAD_VARIANTS  8         /* of manifests with peers */
#define NGX_HTTP_OFFLOAD_PEERLESS  8         /* one without */
#define NGX_HTTP_OFFLOAD_LINKS     9         /* lines of a direct answer */
#define NGX_HTTP_OFFLOAD_HOLDERS   10        /* for clients that verify */
#define NGX_HTTP_OFFLOAD_SRI       11        /* signatures for browsers */


typedef struct ngx_http_offload_manifest_s  ngx_http_offload_manifest_t;


struct ngx_http_offload_manifest_s {         /* or what else is made for an */
                                             /* audience and kept a while */
    ngx_queue_t                 queue;       /* in sh->manifests */
    ngx_queue_t                 sibling;     /* in file->manifests */
    ngx_http_offload_manifest_t
                               *next;        /* in a bucket */
    ngx_http_offload_file_t    *file;
    ngx_http_offload_audience_t
                                audience;
    time_t                      refresh;     /* when half its life is over */
    time_t                      exp;
    time_t                      used;        /* last */
    uint64_t                    coordinators;  /* whose word it rests on */
    uint32_t                    version;     /* of the candidates */
    u_char                      signer[8];   /* the key's id, its beginning */
    ngx_uint_t                  npeers;
    size_t                      len;

    struct {
        uint32_t                slot;
        uint32_t                generation;
        u_char                  id[OL_RECEIPT_PEER_CHARS];
    } peers[1];                              /* npeers, then the text */
};


struct ngx_http_offload_file_s {
    ngx_rbtree_node_t           change;      /* in sh->changes; key: clock */
    ngx_queue_t                 queue;       /* in sh->files or sh->gone */
    ngx_queue_t                 job;         /* in sh->jobs while QUEUED, */
                                             /* sh->hashing while HASHING */
    ngx_http_offload_file_t    *next;        /* in a bucket */
    uint64_t                    hash;
    uint64_t                    serial;      /* unique within the epoch */

    ngx_http_offload_content_t   *content;   /* once READY, and since */
    ngx_queue_t                 same;        /* in content->files, unless */
                                             /* gone */
    ngx_queue_t                 manifests;   /* latest used first */
    ngx_uint_t                  nmanifests;

    ngx_http_offload_ident_t    ident;       /* whole once READY */
    uint64_t                    demand;      /* only grows */
    time_t                      used;        /* last */
    time_t                      checked;     /* identity, last */
    ngx_uint_t                  generation;  /* of the configuration that */
                                             /* it was last judged under */
    time_t                      revoked;     /* for so long at least; 0: is */
                                             /* not */
    time_t                      retry;       /* FAILED, and jobs too young */
    time_t                      lease;       /* HASHING: when it runs out */
    time_t                      left;        /* when it went, if gone */

    time_t                      second;      /* that "hits" are of */
    uint32_t                    hits;        /* demand, in that second */
    uint32_t                    rate;        /* and in the one before */
    uint32_t                    turn;        /* of the variants */

    u_char                      infohash[OL_SHA1_BYTES];  /* if torrent */

    unsigned                    state:2;     /* ngx_http_offload_state_e */
    unsigned                    torrent:1;   /* once READY, if it has one */
    unsigned                    gone:1;      /* no longer in a bucket */
    unsigned                    altered:1;   /* on its way out, by a module */
    unsigned                    sri:1;       /* signed for browsers, too */
    unsigned                    pinned:1;    /* not to be evicted just now */

    u_char                      site[NGX_HTTP_OFFLOAD_SITE_LEN];
    uint16_t                    sub_len;
    uint16_t                    path_len;
    uint16_t                    type_len;
    uint16_t                    etag_len;
    u_char                      data[1];     /* sub, path, type, etag */
};


struct ngx_http_offload_list_s {             /* candidates by a coordinator */
    ngx_http_offload_list_t    *next;
    uint32_t                    coordinator;
    uint32_t                    count;
    uint64_t                    generation;
    uint32_t                    list[1];     /* flags << 24 | n, best first */
};


typedef struct {
    uint32_t                    window;      /* whose ticket it is */
    u_char                      signer[4];   /* the key's id, its beginning */
    char                        query[OL_TICKET_MAX];
} ngx_http_offload_ticket_t;


typedef struct {                             /* where the candidates of a */
                                             /* content are: as much of it */
                                             /* as tells clients apart */
    uint32_t                    nzones;
    uint32_t                    nnetworks;
    uint32_t                    zones[NGX_HTTP_OFFLOAD_ZONES];  /* hashes */

    struct {
        struct ol_cidr          cidr;
        uint8_t                 bit;         /* of its node, in "near" */
    } networks[1];
} ngx_http_offload_networks_t;


struct ngx_http_offload_content_s {
    ngx_queue_t                 queue;       /* in sh->spare while unused */
    ngx_http_offload_content_t *next;        /* in a bucket */
    uint64_t                    hash;
    ngx_http_offload_list_t    *candidates;
    ngx_http_offload_networks_t
                               *networks;    /* NULL: no client is nearer */
                                             /* than another */
    ngx_http_offload_ticket_t  *ticket;      /* the last one signed */
    uint32_t                    version;     /* of the candidates */
    ngx_queue_t                 files;       /* latest hashed first */
    uint32_t                    uses;        /* by files */
    uint32_t                    gone;        /* how many of these are */
    uint64_t                    size;        /* 0: not known yet */
    uint32_t                    table_len;   /* 0: only in the state folder */
    u_char                     *table;

    u_char                      site[NGX_HTTP_OFFLOAD_SITE_LEN];
    u_char                      root[OL_HASH_BYTES];
    u_char                      sha256[OL_HASH_BYTES];
    time_t                      revoked;     /* likewise, with a file */
    ngx_uint_t                  generation;  /* likewise */
    unsigned                    lost:1;      /* its table, on the disk */
    unsigned                    pinned:1;
};


typedef struct ngx_http_offload_node_s  ngx_http_offload_node_t;


struct ngx_http_offload_node_s {
    ngx_rbtree_node_t           node;        /* in sh->nodes */
    ngx_queue_t                 queue;       /* in its coordinator's */
    ngx_http_offload_node_t    *next;        /* in a bucket, by id */
    uint64_t                    generation;  /* of the coordinator */
    time_t                      failed;      /* last */
    double                      failures;    /* as of then */
    uint32_t                    coordinator;
    uint32_t                    slot;
    uint32_t                    spare;       /* KiB a second, or unknown */
    uint32_t                    locality;    /* a hash of zone; 0: none */
    unsigned                    https:1;
    u_char                      id[OL_KEY_CHARS];
    uint8_t                     ncidrs;
    uint16_t                    url_len;
    uint16_t                    zone_len;
    u_char                      data[1];     /* url, zone, CIDRs */
};


typedef struct {                             /* one site's, in one zone */
    u_char                      kid[OL_KEY_CHARS];
    u_char                      site[NGX_HTTP_OFFLOAD_SITE_LEN];
    unsigned                    used:1;
    unsigned                    lost:1;      /* some of what it said */

    uint64_t                    seq;         /* last one seen */
    uint64_t                    applied;     /* last one applied */
    uint64_t                    acked;       /* clock that it knows of */
    uint64_t                    generation;  /* of full states */
    uint64_t                    valid;       /* oldest one that counts */
    ngx_uint_t                  part;        /* of a full state; 0: none */
    ngx_uint_t                  parts;       /* is under way */
    time_t                      synced;      /* when last applied */
    time_t                      asked;       /* for a full state, when last */
                                             /* something was lost */
    u_char                      addr[16];    /* whence the last good one */
    ngx_queue_t                 nodes;       /* longest unconfirmed first */
    ngx_uint_t                  nnodes;
} ngx_http_offload_coordinator_t;


typedef struct {                             /* a quarter of a second */
    ngx_atomic_t                tick;        /* which one */
    ngx_atomic_t                bytes;       /* sent by all workers */
} ngx_http_offload_sample_t;


typedef struct {                             /* of what nodes may pull */
    u_char                      site[NGX_HTTP_OFFLOAD_SITE_LEN];
    struct ol_budget            nodes;       /* that coordinators named */
    struct ol_budget            others;      /* who may be named soon, or */
                                             /* just say that they are nodes */
} ngx_http_offload_budget_t;


typedef struct {
    ngx_uint_t                  dirty;       /* someone was writing */

    u_char                      epoch[NGX_HTTP_OFFLOAD_EPOCH_LEN];
    u_char                      seed[16];    /* of the hash tables */
    uint64_t                    clock;       /* orders the changes */
    uint64_t                    reported;    /* highest clock told */
    uint64_t                    serial;
    uint32_t                    valids;      /* changes of any "valid" */

    ngx_rbtree_t                changes;     /* files, by clock */
    ngx_rbtree_node_t           changes_sentinel;
    ngx_rbtree_t                nodes;       /* by coordinator << 24 | n */
    ngx_rbtree_node_t           nodes_sentinel;

    ngx_http_offload_file_t   **file_buckets;
    ngx_http_offload_content_t **content_buckets;
    ngx_http_offload_manifest_t **manifest_buckets;
    ngx_uint_t                  mask;        /* of each */
    ngx_http_offload_node_t   **node_buckets;  /* nslots of them */

    uint32_t                   *slots;       /* generations */
    uint32_t                   *free_slots;  /* a stack */
    ngx_uint_t                  nslots;
    ngx_uint_t                  nfree;

    ngx_queue_t                 files;       /* most recently used first */
    ngx_queue_t                 manifests;   /* latest signed first */
    ngx_queue_t                 gone;        /* most recent first */
    ngx_queue_t                 spare;       /* contents without a file */
    ngx_queue_t                 jobs;        /* first come, first served */
    ngx_queue_t                 hashing;     /* one for each worker or so */
    time_t                      collect;     /* the state folder, when next */

    ngx_uint_t                  nfiles;
    ngx_uint_t                  states[NGX_HTTP_OFFLOAD_STATES];  /* of them */
    ngx_uint_t                  ncontents;
    ngx_uint_t                  nnodes;
    ngx_uint_t                  njobs;
    time_t                      nomem;       /* when that was logged */
    uint64_t                    evictions;   /* for want of memory */

    ngx_atomic_t                outcomes[NGX_HTTP_OFFLOAD_OUTCOMES];
    ngx_atomic_t                signatures;
    ngx_atomic_t                hashed;      /* files */
    ngx_atomic_t                bytes_direct;  /* of files, sent here */
    ngx_atomic_t                bytes_pulled;  /* among these, to nodes */
    ngx_atomic_t                bytes_offered;  /* left to nodes */
    ngx_atomic_t                deferred;    /* nodes' requests, to later */

    ngx_http_offload_sample_t   samples[NGX_HTTP_OFFLOAD_SAMPLES];
    ngx_http_offload_budget_t   budgets[NGX_HTTP_OFFLOAD_BUDGETS];

    ngx_http_offload_receipts_t receipts;

    ngx_http_offload_coordinator_t
                                coordinators[NGX_HTTP_OFFLOAD_COORDINATORS];
} ngx_http_offload_sh_t;


typedef struct {
    ngx_slab_pool_t            *shpool;
    ngx_log_t                  *log;
    ngx_uint_t                  generation;  /* of the configuration */
} ngx_http_offload_zone_t;


/* ngx_http_offload_zone.c: the pool, its lock, its reset, what it evicts */

ngx_int_t ngx_http_offload_zone_init(ngx_shm_zone_t *shm_zone, void *data);
ngx_http_offload_sh_t *ngx_http_offload_lock(ngx_http_offload_zone_t *zone);
void ngx_http_offload_unlock(ngx_http_offload_zone_t *zone);
void *ngx_http_offload_alloc(ngx_http_offload_zone_t *zone, size_t size);
void ngx_http_offload_free(ngx_http_offload_zone_t *zone, void *p);
void ngx_http_offload_full(ngx_http_offload_sh_t *sh);

void ngx_http_offload_random(u_char *p, size_t len);

/* for reading and for atomic counters, without the lock */
#define ngx_http_offload_peek(zone)                                           \
    ((ngx_http_offload_sh_t *) (zone)->shpool->data)

/* ngx_http_offload_catalog.c: files */

uint64_t ngx_http_offload_seeded_hash(ngx_http_offload_sh_t *sh, u_char *a,
    size_t alen, u_char *b, size_t blen);

void ngx_http_offload_name_hash(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name);

/* all of the following are called with the zone locked */

ngx_http_offload_file_t *ngx_http_offload_file_find(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name);
ngx_http_offload_file_t *ngx_http_offload_file_of(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name);
ngx_http_offload_file_t *ngx_http_offload_file_create(
    ngx_http_offload_zone_t *zone, ngx_http_offload_name_t *name,
    ngx_http_offload_version_t *version);
ngx_uint_t ngx_http_offload_file_is(ngx_http_offload_file_t *file,
    ngx_http_offload_version_t *version);
void ngx_http_offload_file_used(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file);
void ngx_http_offload_file_demanded(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file);
ngx_uint_t ngx_http_offload_file_variant(ngx_http_offload_file_t *file);
void ngx_http_offload_file_changed(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file);
ngx_uint_t ngx_http_offload_file_judged(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
ngx_uint_t ngx_http_offload_file_public(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
void ngx_http_offload_file_state(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file, ngx_http_offload_state_e state);
ngx_http_offload_file_t *ngx_http_offload_file_offered(
    ngx_http_offload_zone_t *zone, ngx_http_offload_name_t *name);
void ngx_http_offload_file_gone(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
void ngx_http_offload_file_again(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
void ngx_http_offload_file_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
ngx_int_t ngx_http_offload_file_ready(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, struct ol_digest *digest,
    u_char *infohash);

/*
 * Of what is said of a content: rises when that changes, and when a full state
 * leaves something out, whatever it was
 */

#define ngx_http_offload_version(sh, content)                                 \
    ((content)->version + (sh)->valids)

/* ngx_http_offload_cache.c: manifests and the like that are made already */

ngx_http_offload_manifest_t *ngx_http_offload_cache_find(
    ngx_http_offload_sh_t *sh, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience);
ngx_uint_t ngx_http_offload_cache_valid(ngx_http_offload_sh_t *sh,
    ngx_http_offload_manifest_t *manifest, u_char *signer);
void ngx_http_offload_cache_used(ngx_http_offload_sh_t *sh,
    ngx_http_offload_manifest_t *manifest);
ngx_http_offload_manifest_t *ngx_http_offload_cache_add(
    ngx_http_offload_zone_t *zone, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience, ngx_uint_t npeers, size_t len);
ngx_http_offload_manifest_t *ngx_http_offload_cache_keep(
    ngx_http_offload_zone_t *zone, ngx_http_offload_name_t *name,
    uint64_t serial, uint32_t *version, ngx_http_offload_audience_t *audience,
    ngx_uint_t npeers, size_t len);
void ngx_http_offload_cache_drop(ngx_http_offload_zone_t *zone,
    ngx_http_offload_manifest_t *manifest);
void ngx_http_offload_cache_clear(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);

ngx_rbtree_node_t *ngx_http_offload_change_after(ngx_rbtree_t *tree,
    uint64_t clock);

/* ngx_http_offload_receipt.c */

ngx_int_t ngx_http_offload_receipts_init(ngx_http_offload_zone_t *zone);
ngx_int_t ngx_http_offload_receipt_spend(ngx_http_offload_sh_t *sh,
    struct ol_receipt *receipt);

/* ngx_http_offload_tally.c: what receipts say of nodes, likewise */

typedef struct {
    u_char                      id[OL_KEY_BYTES];
    uint64_t                    serial;      /* of the account, in the epoch */
    uint64_t                    bytes;       /* verified by clients */
    uint64_t                    failed;      /* downloads that it failed in */
} ngx_http_offload_tally_item_t;

ngx_int_t ngx_http_offload_tallies_init(ngx_http_offload_zone_t *zone);
ngx_uint_t ngx_http_offload_tally_known(ngx_http_offload_sh_t *sh,
    u_char *site, u_char *id);
ngx_int_t ngx_http_offload_tally_add(ngx_http_offload_zone_t *zone,
    u_char *site, u_char *id, uint64_t bytes, ngx_uint_t failed);
ngx_uint_t ngx_http_offload_tallies_since(ngx_http_offload_sh_t *sh,
    u_char *site, uint64_t ack, ngx_http_offload_tally_item_t *items,
    ngx_uint_t max, uint64_t *clock);

/* ngx_http_offload_content.c: contents and their candidates, likewise */

ngx_http_offload_content_t *ngx_http_offload_content_find(
    ngx_http_offload_sh_t *sh, u_char *site, u_char *root);
ngx_http_offload_file_t *ngx_http_offload_content_file(
    ngx_http_offload_zone_t *zone, ngx_http_offload_content_t *content,
    ngx_str_t *name);
ngx_http_offload_content_t *ngx_http_offload_content_get(
    ngx_http_offload_zone_t *zone, u_char *site, u_char *root);
void ngx_http_offload_content_leave(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content);
void ngx_http_offload_content_evict(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content);
void ngx_http_offload_content_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content);
ngx_int_t ngx_http_offload_candidates_set(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_uint_t coordinator,
    uint32_t *list, ngx_uint_t count);

/* sub, path, type, etag of a file, one after another in its data */
#define ngx_http_offload_file_sub(f)   ((f)->data)
#define ngx_http_offload_file_path(f)  ((f)->data + (f)->sub_len)
#define ngx_http_offload_file_type(f)                                         \
    ((f)->data + (f)->sub_len + (f)->path_len)
#define ngx_http_offload_file_etag(f)                                         \
    ((f)->data + (f)->sub_len + (f)->path_len + (f)->type_len)

#define ngx_http_offload_manifest_text(m)                                     \
    ((u_char *) &(m)->peers[(m)->npeers])


/* ngx_http_offload_nodes.c: nodes and coordinators */

typedef struct {
    uint32_t                    n;
    ngx_str_t                   id;
    ngx_str_t                   url;
    ngx_str_t                   zone;
    uint32_t                    spare;
    unsigned                    https:1;
    ngx_uint_t                  ncidrs;
    struct ol_cidr              cidrs[NGX_HTTP_OFFLOAD_CIDRS];
} ngx_http_offload_node_data_t;

#define ngx_http_offload_node_zone(n)  ((n)->data + (n)->url_len)
#define ngx_http_offload_node_cidrs(n)                                        \
    ((struct ol_cidr *) ((n)->data + (n)->url_len + (n)->zone_len))

ngx_http_offload_coordinator_t *ngx_http_offload_coordinator_find(
    ngx_http_offload_sh_t *sh, u_char *kid, u_char *site);
ngx_http_offload_coordinator_t *ngx_http_offload_coordinator_get(
    ngx_http_offload_zone_t *zone, u_char *kid, u_char *site);
ngx_http_offload_node_t *ngx_http_offload_node_find(ngx_http_offload_sh_t *sh,
    ngx_uint_t coordinator, uint32_t n);
ngx_int_t ngx_http_offload_node_set(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_http_offload_node_data_t *data);
void ngx_http_offload_node_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_node_t *node);
ngx_uint_t ngx_http_offload_nodes_expire(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_uint_t max);

ngx_uint_t ngx_http_offload_node_named(ngx_http_offload_sh_t *sh,
    u_char *site, u_char *id);

/* a client says so: it is named less for a while; its id in base64url */
void ngx_http_offload_node_failed(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *id);

/* ngx_http_offload_select.c: whom to name, and to whom */

uint32_t ngx_http_offload_locality(ngx_http_offload_sh_t *sh, u_char *data,
    size_t len);
void ngx_http_offload_audience(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_audience_t *ret);
ngx_uint_t ngx_http_offload_has_peers(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_uint_t https);

/*
 * May change content->networks, and with it content->version and what an
 * audience is: take both afterwards.  May drop cached manifests.
 */
ngx_uint_t ngx_http_offload_select(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_node_t **peers, ngx_uint_t max);


#endif /* _NGX_HTTP_OFFLOAD_ZONE_H_INCLUDED_ */
