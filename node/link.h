/*
 * One coordinator as the files behind links.h share it: links.c what is to be
 * done next, link_message.c how a message is signed, sent and refused,
 * link_register.c key and registration, link_beat.c heartbeats and their
 * answers.  Nobody else includes this.
 */
#ifndef NODE_LINK_H
#define NODE_LINK_H

#include "node/beat.h"
#include "node/links.h"
#include "node/node.h"
#include "node/served.h"

#define STORE_MAX 64
#define SEQ_MAX ((UINT64_C(1) << 53) - 1)
#define BEATS 2            /* one that is held, and one with news */
#define HEARTBEAT_MS 10000 /* how long one may be held */
#define SPACE_MS 500       /* between the starts of two */

struct call { /* a heartbeat under way */
    struct link *link;
    struct fetch *fetch; /* NULL: none */
    uint64_t seq, started_ms;
    struct beat beat;
    struct served_report served;
    struct wrong_report wrong;
    char store[STORE_MAX + 1]; /* that it was said to */
    bool drain;                /* it said that the node is going to stop */
};

struct link {
    struct links *links;
    unsigned number;
    const char *url;
    bool pinned;
    struct ol_keyset keys; /* the coordinator's; the first names it */
    uint64_t keys_ms;
    bool keys_tried;
    uint64_t refused_ms; /* when it was last said */
    bool registered, complained;
    bool drain_heard;
    uint64_t registered_ms;
    int64_t offset_s; /* its clock minus ours */
    uint64_t seq;
    uint32_t failures;
    char store[STORE_MAX + 1];
    unsigned wait_ms;
    uint32_t cursor;
    uint64_t round_ms; /* of the last sixtieth */
    uint64_t sent, sent_ms;
    struct dropped dropped;
    struct fetch *fetch; /* key or registration */
    struct call calls[BEATS];
    uint64_t begun_ms; /* of the last heartbeat */
    uv_timer_t timer;
};

struct links {
    struct node *node;
    size_t count;
    bool stopped, draining;
    struct link list[OPTIONS_COORDINATORS];
};

/* links.c */
/* Does the next step then. */
void link_again_in(struct link *link, uint64_t ms);
uint64_t link_now_ms(const struct link *link);

/* link_message.c */
const char *link_id(const struct link *link); /* NULL: not known yet */
int64_t link_clock(const struct link *link);  /* the coordinator's, about */
uint64_t link_next_seq(struct link *link);
/* iss, aud, iat, exp; NULL without memory. */
json_t *link_envelope(const struct link *link);
/* Takes the message (NULL: -ENOMEM).  held_ms: how long it may be held. */
int link_post(struct link *link, const char *path, const char *typ,
              json_t *message, unsigned held_ms, struct fetch_request *request,
              struct fetch **ret);
/*
 * What a refusal teaches: the clock (401), the next seq (409).  Fills the
 * reason.
 */
void link_learn(struct link *link, const struct fetch_result *result,
                struct ol_error *why);
/* Half to all of a pause that doubles, so that nodes do not come in step. */
uint64_t link_backoff(struct link *link, struct fetch *fetch);
void link_complain(struct link *link, const char *what, const char *why);
/*
 * It does not want this node (403): says so, once a minute at most, and returns
 * a pause that grows to some minutes.
 */
uint64_t link_refused(struct link *link, const char *what, const char *why);

/* link_register.c */
void link_get_key(struct link *link);
void link_register(struct link *link);
/* Another store: everything is to be told again. */
void link_set_store(struct link *link, const char *store);

/* link_beat.c */
void link_beat(struct link *link);

#endif
