/*
 * Calls of the store about a node's standing: bans, what audits and reports
 * say of it, the operator's drain.  Rules and call-backs are as in store.h;
 * what others should hear of is announced as a change of the node.
 */
#ifndef COORDINATOR_STORE_STANDING_H
#define COORDINATOR_STORE_STANDING_H

#include "coordinator/store/store.h"

#define STORE_AUDIT_PAUSE_S 60 /* between two audits of one node */
#define STORE_REASON_MAX 200   /* characters of a reason, and of details */
#define STORE_BANS_PAGE 64

struct store_ban {
    const char *id, *reason;
    const char *by;      /* "operator" or "audit" */
    const char *details; /* "" if there are none */
    uint64_t since_s;
};
/* value: 1 if it was not banned before. [log n] */
int store_ban(struct store *store, const struct store_ban *ban,
              store_value_fn *done, void *arg);
/* value: 1 if it was banned. [log n] */
int store_unban(struct store *store, const char *id, store_value_fn *done,
                void *arg);
typedef void store_bans_fn(void *arg, int rc, const struct store_ban *list,
                           size_t count);
/* The latest first, at most STORE_BANS_PAGE from position `offset`; two round
 * trips. [log n + page] */
int store_bans(struct store *store, size_t offset, store_bans_fn *done,
               void *arg);

/* By the operator.  value: 1, or 0 if there is no such node. [1] */
int store_node_drain(struct store *store, const char *id, bool drain,
                     store_value_fn *done, void *arg);

/* value: 1 if this process may audit it now, and nobody else within
 * STORE_AUDIT_PAUSE_S. [1] */
int store_audit_begin(struct store *store, const char *id, store_value_fn *done,
                      void *arg);
/* rate: that of the bytes that came, per second. [1] */
void store_audit_passed(struct store *store, const char *id, uint64_t rate);
/* It is not named to anyone until an audit or a call-back succeeds. [1] */
void store_audit_failed(struct store *store, const char *id, const char *why);
/* value: how often it was wrong in the last 7 days, this time too. [1] */
int store_audit_wrong(struct store *store, const char *id, int64_t now_s,
                      store_value_fn *done, void *arg);
/* The pieces that it has, "have/count bitmap", or "". [1] */
typedef void store_text_fn(void *arg, int rc, const char *text);
int store_bitmap(struct store *store, const char *root, const char *id,
                 store_text_fn *done, void *arg);

/* A site's receipts tell of `count` more downloads that failed: STORE_FAILED
 * of one site within a day lower the node's weight. [1] */
#define STORE_FAILED 3
void store_node_failed(struct store *store, const char *id, const char *site,
                       uint64_t count, int64_t now_s);
/* Another node was sent wrong bytes: two such lower its weight. [1] */
void store_node_accused(struct store *store, const char *id, const char *by,
                        int64_t now_s);

#endif
