/*
 * What net/fetch.c (one request) and net/fetcher.c (curl on the loop) share.
 * For those two only.
 */
#ifndef NET_FETCH_PRIVATE_H
#define NET_FETCH_PRIVATE_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "net/fetch.h"
#include "offload/origin.h"

#define FETCH_TEXT_MAX 400

TAILQ_HEAD(fetch_list, fetch);

struct fetch {
    TAILQ_ENTRY(fetch) link;
    struct fetch_list *list; /* the one of the fetcher's that it is in */
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers;
    struct fetch_request request; /* pointers in it are not kept */
    char origin[OL_ORIGIN_MAX];

    bool cancelled; /* no more call-backs */
    bool paused;    /* the user's wish */
    bool held;      /* curl was told to hold the body back */
    bool resuming;
    bool head_seen;
    CURLcode code;    /* once ripe */
    int error;        /* -errno decided here, overrides code */
    uint64_t seen_ms; /* last sign of life; 0: not connected yet */
    size_t header_bytes;

    char *body;
    size_t body_len, body_cap;
    char text[FETCH_TEXT_MAX];
    char curl_text[CURL_ERROR_SIZE];
};

struct fetcher {
    uv_loop_t *loop;
    CURLM *multi;
    struct fetcher_options options;
    char user_agent[128];
    uv_timer_t timer; /* curl's own */
    uv_timer_t sweep; /* stalls */
    uint64_t swept_ms;
    uv_timer_t kick; /* settle() soon, from outside of any call-back */
    unsigned open_handles;
    unsigned active;
    bool in_curl; /* curl's functions must not be called */
    bool closing;
    struct fetch_list fresh;   /* started, not yet curl's */
    struct fetch_list running; /* curl's */
    struct fetch_list ripe;    /* ended or cancelled, to be settled */
};

/* fetcher.c: to another list of its fetcher's, or to none. */
void fetch_list_move(struct fetch *f, struct fetch_list *to);
/* From now on, until removed, it counts as active. */
void fetcher_add(struct fetch *f);
void fetcher_remove(struct fetch *f);
/* Has fresh, resuming and ripe fetches looked at soon. */
void fetcher_kick(struct fetcher *fetcher);

/* fetch.c: tells the user how it ended, and frees it. */
void fetch_finish(struct fetch *f);
void fetch_destroy(struct fetch *f);

#endif
