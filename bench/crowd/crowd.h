/*
 * What the files of the crowd share: message.c (what nodes say, and what they
 * make of answers), connection.c (one to a coordinator each), callback.c (what
 * coordinators ask of them), main.c (the command line and the report).
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "offload/content.h"
#include "offload/encoding.h"
#include "offload/key.h"

#define NODES_MAX 16384
#define COORDINATORS_MAX 8
#define CROWD_LIFE_S 60 /* of what is signed */

struct options {
    struct sockaddr_in coordinators[COORDINATORS_MAX];
    unsigned coordinator_count;
    unsigned nodes, port, wait_ms, beat_ms, connecting;
    uint64_t capacity, rate, serve;
    int64_t skew_s;
    const char *site; /* iss of which `serve` bytes are claimed each beat */
};

enum task { TASK_KEY, TASK_REGISTER, TASK_BEAT };

struct node {
    unsigned number, coordinator;
    struct ol_key *key;
    struct sockaddr_in addr;
    char url[48];
    int64_t offset_s;
    uint64_t seq;
    bool registered, open, busy;
    unsigned failures;
    enum task task;
    uint64_t sent_ms;

    uint8_t (*holdings)[OL_HASH_BYTES];
    size_t holding_count, holding_told; /* told: up to there */
    char store[64];
    uint64_t served, served_told;
    char epoch[OL_BASE64URL_LEN(16) + 1];

    uv_tcp_t *tcp;
    uv_timer_t timer;
    char *in;
    size_t in_len, in_cap;
};

struct crowd {
    struct options o;
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t report;
    uv_signal_t term, interrupt, hush;
    struct node *nodes;
    char ids[COORDINATORS_MAX][OL_KEY_CHARS + 1];
    bool ending, quiet; /* quiet: claims no more bytes */
    unsigned connecting, callbacks_open, callbacks_waiting, callbacks_most;
    uint64_t started_ms;
    /* What is reported. */
    uint64_t registered, beats, busy, refused, broken, callbacks, assigned,
        released, slowest_ms, slow, forgotten;
    char reason[160]; /* of the last refusal */
};
extern struct crowd crowd;

/* connection.c */
/* Its next message goes out after that pause. */
void node_next(struct node *node, uint64_t pause_ms);
void node_close(struct node *node);
/* Takes the text. */
void text_write(uv_stream_t *stream, char *take, size_t len);
const char *header_find(const char *head, const char *name);

/* message.c */
/* The whole request of node->task; NULL without memory. */
char *request_make(struct node *node);
void answer_take(struct node *node, int status, const char *body, size_t len,
                 unsigned retry_after_s, int64_t date);
/* A pause that doubles with each failure. */
uint64_t pause_ms(struct node *node, unsigned retry_after_s);

/* callback.c */
int callbacks_listen(void);

/* main.c */
uint64_t now_ms(void);
unsigned random_below(unsigned below);

#endif
