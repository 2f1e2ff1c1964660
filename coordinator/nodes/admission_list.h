/*
 * The two files by which an operator chooses who may help: nodes, and
 * invitations.  Pure: texts in, sorted tables out.
 *
 *   <id> [weight=1..1000] [zone=XX]  # comment
 *   <token> [uses=N] [until=YYYY-MM-DD]  # comment
 */
#ifndef COORDINATOR_ADMISSION_LIST_H
#define COORDINATOR_ADMISSION_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/encoding.h"
#include "offload/error.h"
#include "offload/key.h"

#define ADMISSION_FILE_MAX (4u << 20) /* bytes */
#define ADMISSION_LINES 65536
#define ADMISSION_WEIGHT_MAX 1000 /* percent */
#define ADMISSION_ZONE 8          /* with the NUL */
#define ADMISSION_TOKEN_MIN 16    /* characters: nobody guesses it */
#define ADMISSION_TOKEN_MAX 128
#define ADMISSION_USES_MAX 10000

struct admission_node {
    char id[OL_KEY_CHARS + 1];
    char zone[ADMISSION_ZONE]; /* "": as the node says */
    unsigned weight;           /* percent, 100 if not said */
};

struct admission_token {
    char hash[OL_HEX_LEN(OL_HASH_BYTES) + 1]; /* SHA-256 of the token */
    unsigned uses;   /* how many nodes, 1 if not said */
    int64_t until_s; /* INT64_MAX if not said */
};

struct admission_list {
    size_t node_count, token_count;
    struct admission_node *nodes;   /* by id */
    struct admission_token *tokens; /* by hash */
};

/* Adds to the list.  -EINVAL: err says which line and why; -ENOMEM. */
int admission_nodes_parse(const char *text, size_t len,
                          struct admission_list *list, struct ol_error *err);
int admission_tokens_parse(const char *text, size_t len,
                           struct admission_list *list, struct ol_error *err);
void admission_list_clear(struct admission_list *list);

/* NULL: not there. */
const struct admission_node *
admission_node_find(const struct admission_list *list, const char *id);
/* NULL: not there, or no longer good. */
const struct admission_token *
admission_token_find(const struct admission_list *list, const char *token,
                     int64_t now_s);

#endif
