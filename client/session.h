/*
 * What every command that talks to servers has: a loop, a fetcher, signals;
 * and a way to ask one thing and wait for the answer.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "client/outcome.h"
#include "net/fetch.h"
#include "offload/error.h"

#define SESSION_STALL_MS 4000 /* silent servers are given up after this */

struct session {
    uv_loop_t loop;
    struct fetcher *fetcher;
    bool interrupted; /* SIGINT or SIGTERM came */
    uv_signal_t sigint, sigterm;
    uv_prepare_t before_sleep;
    const bool *awaited; /* what session_wait waits for, or NULL */
};

int session_open(struct session *session);
void session_close(struct session *session);
/* Turns the loop until *done or a signal comes. */
void session_wait(struct session *session, const bool *done);
/* Turns it for that long. */
void session_pause(struct session *session, unsigned ms);

struct answer {
    int error; /* as in struct fetch_result */
    int status;
    int64_t date;
    char *type; /* Content-Type, never NULL */
    char *body; /* NUL-terminated, never NULL */
    size_t body_len;
    char *redirect; /* absolute, or "" */
    char text[400]; /* what went wrong, for people */
};

/*
 * GET url and wait; other requests on the loop go on meanwhile.  OUTCOME_OK:
 * an answer of any status is in *ret; else err says why not.  The caller
 * clears *ret in both cases.
 */
enum outcome session_ask(struct session *session, const char *url,
                         const char *const *headers, size_t max_body,
                         struct answer *ret, struct ol_error *err);
/* The same for any request; its call-backs are the session's. */
enum outcome session_request(struct session *session,
                             const struct fetch_request *request,
                             struct answer *ret, struct ol_error *err);
void answer_clear(struct answer *answer);

/* The outcome that stands for a fetch_result's error. */
enum outcome outcome_of_error(int error);

#endif
