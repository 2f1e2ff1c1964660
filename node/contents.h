/*
 * The contents that this node keeps: what is known of each in memory, and the
 * jobs that carry it to and from the store.
 *
 * A content is known by root, size and bitmaps only (some 300 bytes).  While
 * used it is also open: data file, table, manifest, assignment; at most
 * OPEN_MAX are, the least recently used are closed first.  All functions run
 * in the loop's thread; "held" is what a user calls content_hold for, and what
 * is held stays where it is.
 */
#ifndef NODE_CONTENTS_H
#define NODE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "node/assignment.h"
#include "node/job.h"
#include "node/quota.h"
#include "node/store.h"
#include "offload/bitmap.h"
#include "offload/manifest.h"

#define CONTENTS_MAX 100000
#define CONTENT_OVERHEAD 16384 /* bytes on disk beside data and table */

struct contents;
struct pull;
struct refresh;

/* What is in memory while a content is open. */
struct opened {
    struct store_file file;
    struct ol_manifest manifest; /* json in it is never changed */
    struct assignment *assignment;
    uint64_t avoid;                     /* bits: nodes that gave wrong bytes */
    uint64_t slow_until[OL_OWNERS_MAX]; /* loop ms: nodes that failed */
    struct refresh *refresh;            /* pull.c's: manifest on its way */
    uint64_t refresh_after;             /* loop ms */
    uint64_t renew_after;               /* loop ms: pull_ticket.c's */
    uint64_t switch_after;              /* loop ms: pull_switch.c's */
    TAILQ_ENTRY(opened) link;           /* contents.c's, while unused */
    struct content *content;
};
TAILQ_HEAD(opened_list, opened);

struct content_waiter {
    TAILQ_ENTRY(content_waiter) link;
    /* error: 0, or -errno and the content is not open. */
    void (*done)(struct content_waiter *waiter, int error);
    bool waiting;
};
TAILQ_HEAD(content_waiters, content_waiter);

struct content {
    uint8_t root[OL_HASH_BYTES];
    char hex[OL_ROOT_HEX + 1];
    uint64_t size;
    struct ol_bitmap have; /* written; announced */
    struct ol_bitmap sure; /* of those, what was checked: may be served */

    /* Coordinators by bit: who assigned it, who is told of it, who is to be
     * told soon. */
    uint16_t assigned, told, dirty;

    uint8_t heat[ASSIGNMENT_COORDINATORS]; /* as each said last */

    struct quota_item quota;
    struct opened *open; /* NULL: call content_open */
    struct content_waiters waiters;
    LIST_HEAD(, pull) pulls; /* pull.c's */

    /* prefetch.c's */
    TAILQ_ENTRY(content) lacking_link;
    bool lacking; /* in the list of those with pieces to fetch */
    uint32_t next_own, next_any;
    uint64_t next_round; /* loop ms */
    uint32_t rounds;     /* in vain */

    /* withdrawal.c's */
    TAILQ_ENTRY(content) question_link;
    bool questioned;     /* in the list of those to ask the sites about */
    bool expired;        /* asked for, and so was its manifest */
    uint64_t look_after; /* loop ms */
    uint8_t refusals, failures;

    /* contents.c's */
    LIST_ENTRY(content) hash_link;
    TAILQ_ENTRY(content) unsynced_link;
    uint32_t slot; /* place in the array of all */
    bool gone;     /* no longer found; freed with its last user */
    bool opening, unsynced, syncing;
};
TAILQ_HEAD(content_list, content);

struct contents_options {
    struct store *store;
    struct jobs *jobs;
    uint64_t limit; /* bytes on disk */
    /* Told after a change that coordinators should hear of.  dropped: it is
     * gone; content->told says who knew it. */
    void (*changed)(void *arg, struct content *content, bool dropped);
    /* Those coordinators as text (free()), NULL without memory. */
    char *(*dump_released)(void *arg, uint16_t coordinators);
    void *arg;
};
int contents_create(uv_loop_t *loop, const struct contents_options *options,
                    struct contents **ret);
/* After contents_flush, when no jobs are under way; then run the loop once. */
void contents_free(struct contents *contents);

/* Coordinators by bit: of an assignment, and of what dump_released wrote. */
struct contents_loader {
    uint16_t (*told)(void *arg, const struct assignment *a);
    uint16_t (*released)(void *arg, const char *text);
    void *arg;
};
/* Reads the store, and evicts what is over the limit. */
int contents_load(struct contents *contents,
                  const struct contents_loader *loader);

/* NULL: not here. */
struct content *contents_find(struct contents *contents,
                              const uint8_t root[OL_HASH_BYTES]);
/* It is here, or not yet removed from the disk. */
bool contents_known(struct contents *contents,
                    const uint8_t root[OL_HASH_BYTES]);
uint32_t contents_count(const struct contents *contents);
struct content *contents_at(struct contents *contents, uint32_t slot);
uint64_t contents_free_bytes(const struct contents *contents);

/*
 * Room for a new content: evicts released ones.  -ENOSPC: the table or the
 * disk budget is full; -EFBIG: it could never fit.
 */
int contents_make_room(struct contents *contents, uint64_t size);
/* One that store_add has just made. */
int contents_insert(struct contents *contents, const struct assignment *a,
                    uint16_t coordinator, struct content **ret);
/*
 * The bytes are not what the site now has, or not worth the room: removes it
 * from memory and disk, and tells the coordinators.
 */
void contents_drop(struct contents *contents, struct content *content,
                   const char *why);

void content_hold(struct contents *contents, struct content *content);
void content_release(struct contents *contents, struct content *content);
/* A request has come for it. */
void content_touch(struct contents *contents, struct content *content);
/* How much it is asked for everywhere, as those coordinators say. */
void content_set_heat(struct contents *contents, struct content *content,
                      uint16_t coordinators, uint64_t heat);
/* Coordinators by bit: who wants it kept. */
void content_assign(struct contents *contents, struct content *content,
                    uint16_t coordinators);

/* Asked for, though its manifest has expired; or it is a fresh one now. */
void content_set_expired(struct contents *contents, struct content *content,
                         bool expired);

/* Held and not yet open: calls back later. */
void content_open(struct contents *contents, struct content *content,
                  struct content_waiter *waiter);
void content_open_cancel(struct content *content,
                         struct content_waiter *waiter);

/* Open and held: replaced in memory; the store follows by itself. */
void content_set_assignment(struct contents *contents, struct content *content,
                            struct assignment *a,
                            const char *const *coordinators, size_t count);
/* Takes the manifest.  The token is copied. */
void content_set_manifest(struct contents *contents, struct content *content,
                          struct ol_manifest *manifest, const char *token,
                          size_t len);

/* The piece may be served. */
static inline bool
content_ready(const struct content *content, uint32_t index)
{
    return ol_bitmap_get(&content->sure, index);
}
/* First piece in first..last that may not be served; last + 1 if all may. */
uint32_t content_first_lacking(const struct content *content, uint32_t first,
                               uint32_t last);

/* Room for a piece; evict: even contents that are still assigned, but none that
 * are hotter. */
int content_reserve(struct contents *contents, struct content *content,
                    uint32_t bytes, bool evict);
void content_return(struct contents *contents, struct content *content,
                    uint32_t bytes);
/* The piece was written and checked. */
void content_put(struct contents *contents, struct content *content,
                 uint32_t index);
/* What is on disk is as it should be (good), or must be fetched again. */
void content_checked(struct contents *contents, struct content *content,
                     uint32_t index, bool good);

/* A ready piece could not be read: it is checked before it is served again. */
void content_doubt(struct content *content, uint32_t index);

/* Contents with pieces to fetch, for prefetch.c. */
struct content_list *contents_lacking(struct contents *contents);
/* Released or expired ones, for withdrawal.c. */
struct content_list *contents_questioned(struct contents *contents);

/*
 * The end: writes down all that is not yet on disk, then calls back once, not
 * before it returns.  ok: all of it is there.
 */
void contents_flush(struct contents *contents, void (*done)(void *arg, bool ok),
                    void *arg);

#endif
