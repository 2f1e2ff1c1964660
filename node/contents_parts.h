/*
 * What the files that make up the contents (contents.h) share: contents.c the
 * table and the life of a content, opened.c what is open and its small files,
 * pieces.c which pieces are written down.  Nobody else includes this.
 */
#ifndef NODE_CONTENTS_PARTS_H
#define NODE_CONTENTS_PARTS_H

#include "node/contents.h"

#define CONTENTS_BUCKETS (1u << 15)

LIST_HEAD(bucket, content);
TAILQ_HEAD(replace_list, replace);

struct contents {
    uv_loop_t *loop;
    struct contents_options options;
    struct quota quota;
    struct bucket buckets[CONTENTS_BUCKETS];
    struct content **all;
    uint32_t count, cap;
    uint32_t leaving;        /* gone, not yet removed from the disk */
    struct opened_list idle; /* open and unused, latest first */
    uint32_t idle_count;
    struct content_list lacking, questioned;

    struct content_list unsynced; /* held */
    unsigned syncs;               /* jobs under way */
    uv_timer_t timer;             /* the next batch, or the end of a flush */
    struct replace_list replaces; /* the first one is under way */
    unsigned replace_count;
    bool failed; /* something could not be written down */
    void (*flushed)(void *arg, bool ok);
    void *flushed_arg;
};

struct content_job { /* opens, syncs or removes one content */
    struct job job;
    struct contents *contents;
    struct content *content; /* held, but by a removal */
    struct opened *open;     /* made by an opening */
    struct ol_bitmap have;   /* of a sync, a copy */
    bool sure;
    int error;
};

struct replace { /* of a small file of a content */
    TAILQ_ENTRY(replace) link;
    struct job job;
    struct contents *contents;
    struct content *content; /* held */
    const char *name;
    char *data;
    size_t len;
    int error;
};

/* contents.c */
struct content_job *content_job_create(struct contents *c,
                                       struct content *content);
/* Keeps the list of those with pieces to fetch up to date. */
void content_update_lacking(struct contents *c, struct content *content);
/* Coordinators are to hear of it. */
void content_notify(struct contents *c, struct content *content);

/* opened.c */
void opened_free(struct opened *open); /* NULL is legal */
/* Who released it is written down. */
void opened_write_released(struct contents *c, struct content *content);
/* The last user has gone; the first one comes. */
void opened_idle(struct contents *c, struct content *content);
void opened_busy(struct contents *c, struct content *content);

/* pieces.c: begins what can be begun, and ends a flush. */
void pieces_sync(struct contents *c);

#endif
