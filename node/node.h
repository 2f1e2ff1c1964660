/*
 * A running node: its parts, who knows whom.  main.c makes them in this order
 * and ends them in reverse.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <uv.h>

#include "net/daemon.h"
#include "net/fetch.h"
#include "net/httpd.h"
#include "node/contents.h"
#include "node/job.h"
#include "node/options.h"
#include "node/site.h"
#include "node/store.h"
#include "node/wrong.h"
#include "offload/key.h"

struct intake;
struct links;
struct prefetch;
struct puller;
struct rate;
struct served;
struct tickets;
struct withdrawals;

struct node {
    uv_loop_t *loop;
    struct options options;
    struct ol_key *key;
    struct jobs jobs;
    struct store *store;
    struct contents *contents;
    struct fetcher *strangers; /* sites and nodes: guarded addresses */
    struct fetcher *trusted;   /* coordinators: URLs from the command line */
    struct sites *sites;
    struct tickets *tickets;
    struct puller *puller;
    struct prefetch *prefetch;
    struct withdrawals *withdrawals;
    struct intake *intake;
    struct links *links;
    struct rate *rate;
    struct served *served;
    struct wrong wrong;
    struct httpd *httpd;
    unsigned requests; /* for contents, not yet answered to the end */
};

#endif
