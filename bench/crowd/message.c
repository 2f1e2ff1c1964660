/*
 * What the nodes of the crowd say, and what they make of answers.
 */
#include "bench/crowd/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "offload/json.h"
#include "offload/jws.h"

#define HOLDINGS_MAX 4096 /* of one node */
#define TOLD_MAX 512      /* in one heartbeat */
#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 5000

/* Messages. */

static json_t *
message_begin(struct node *node)
{
    int64_t now = time(NULL) + crowd.o.skew_s + node->offset_s;
    uint64_t floor = (uint64_t)time(NULL) * 1000;

    node->seq = node->seq + 1 > floor ? node->seq + 1 : floor;
    return json_pack("{s:s, s:s, s:I, s:I, s:I}", "iss", ol_key_id(node->key),
                     "aud", crowd.ids[node->coordinator], "iat",
                     (json_int_t)now, "exp", (json_int_t)(now + CROWD_LIFE_S),
                     "seq", (json_int_t)node->seq);
}

static json_t *
register_message(struct node *node)
{
    json_t *message = message_begin(node);

    json_object_set_new(message, "key", json_string(ol_key_x(node->key)));
    json_object_set_new(message, "url", json_string(node->url));
    json_object_set_new(message, "zone", json_string(""));
    json_object_set_new(message, "cidrs", json_array());
    json_object_set_new(message, "capacity",
                        json_integer((json_int_t)crowd.o.capacity));
    json_object_set_new(message, "rate",
                        json_integer((json_int_t)crowd.o.rate));
    return message;
}

static json_t *
beat_message(struct node *node)
{
    json_t *message = message_begin(node), *holdings = json_array();
    char hex[OL_HEX_LEN(OL_HASH_BYTES) + 1];

    for (size_t i = 0; i < TOLD_MAX && node->holding_told < node->holding_count;
         i++) {
        ol_hex_encode(hex, node->holdings[node->holding_told++], OL_HASH_BYTES);
        json_array_append_new(holdings, json_pack("{s:s}", "root", hex));
    }
    json_object_set_new(message, "store", json_string(node->store));
    json_object_set_new(message, "wait",
                        json_integer((json_int_t)crowd.o.wait_ms));
    json_object_set_new(message, "load",
                        json_pack("{s:i, s:i, s:I}", "rate", 0, "connections",
                                  0, "free", (json_int_t)crowd.o.capacity));
    json_object_set_new(message, "holdings", holdings);
    json_object_set_new(message, "dropped", json_array());
    if (crowd.o.site != NULL) {
        if (!crowd.quiet)
            node->served += crowd.o.serve;
        json_object_set_new(message, "epoch", json_string(node->epoch));
        json_object_set_new(message, "served",
                            json_pack("[{s:s, s:I}]", "iss", crowd.o.site,
                                      "bytes", (json_int_t)node->served));
    }
    return message;
}

char *
request_make(struct node *node)
{
    const char *path =
        node->task == TASK_BEAT ? "/v1/nodes/heartbeat" : "/v1/nodes";
    char *token = NULL, *text = NULL;
    json_t *message;
    size_t len = 0;

    if (node->task == TASK_KEY)
        return strdup("GET /v1/key HTTP/1.1\r\nHost: coordinator\r\n\r\n");
    message =
        node->task == TASK_BEAT ? beat_message(node) : register_message(node);
    if (ol_jws_sign(node->key,
                    node->task == TASK_BEAT ? OL_TYP_HEARTBEAT
                                            : OL_TYP_REGISTER,
                    message, &token, &len) == 0 &&
        asprintf(&text,
                 "POST %s HTTP/1.1\r\nHost: coordinator\r\n"
                 "Content-Type: application/jwt\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 path, len, token) < 0)
        text = NULL;
    free(token);
    json_decref(message);
    return text;
}

/* Answers. */

static void
key_take(struct node *node, const json_t *json)
{
    const json_t *key = json_array_get(json_object_get(json, "keys"), 0);
    const char *x = json_string_value(json_object_get(key, "x"));
    struct ol_key *parsed;

    if (x != NULL && ol_key_from_x(x, strlen(x), &parsed, NULL) == 0) {
        memcpy(crowd.ids[node->coordinator], ol_key_id(parsed),
               OL_KEY_CHARS + 1);
        ol_key_free(parsed);
    }
}

static void
store_take(struct node *node, const char *store)
{
    if (store == NULL || strcmp(node->store, store) == 0)
        return;
    snprintf(node->store, sizeof(node->store), "%s", store);
    node->holding_told = 0;
}

static size_t
holding_find(const struct node *node, const uint8_t root[OL_HASH_BYTES])
{
    size_t i = 0;

    while (i < node->holding_count &&
           memcmp(node->holdings[i], root, OL_HASH_BYTES) != 0)
        i++;
    return i;
}

static void
assignment_take(struct node *node, const json_t *entry)
{
    const char *hex = json_string_value(json_object_get(entry, "root"));
    uint8_t root[OL_HASH_BYTES];
    size_t at;

    if (hex == NULL || ol_hex_decode(root, sizeof(root), hex, strlen(hex)) != 0)
        return;
    crowd.assigned++;
    at = holding_find(node, root);
    if (at == node->holding_count && at < HOLDINGS_MAX) {
        void *more = realloc(node->holdings, (at + 1) * OL_HASH_BYTES);

        if (more == NULL)
            return;
        node->holdings = more;
        memcpy(node->holdings[at], root, OL_HASH_BYTES);
        node->holding_count++;
    } else if (at < node->holding_told) { /* told again: tells again */
        memcpy(node->holdings[at], node->holdings[--node->holding_told],
               OL_HASH_BYTES);
        memcpy(node->holdings[node->holding_told], root, OL_HASH_BYTES);
    }
}

static void
release_take(struct node *node, const char *hex)
{
    uint8_t root[OL_HASH_BYTES];
    size_t at;

    if (ol_hex_decode(root, sizeof(root), hex, strlen(hex)) != 0)
        return;
    at = holding_find(node, root);
    if (at == node->holding_count)
        return;
    crowd.released++;
    memmove(node->holdings + at, node->holdings + at + 1,
            (node->holding_count - at - 1) * OL_HASH_BYTES);
    node->holding_count--;
    if (at < node->holding_told)
        node->holding_told--;
}

static void
beat_take(struct node *node, const char *body, size_t len)
{
    struct ol_jws jws;
    const json_t *list;

    if (ol_jws_parse(body, len, OL_TYP_ASSIGN, &jws, NULL) != 0) {
        crowd.broken++;
        return;
    }
    crowd.beats++;
    node->served_told = node->served;
    store_take(node, json_string_value(json_object_get(jws.payload, "store")));
    list = json_object_get(jws.payload, "assign");
    for (size_t i = 0; i < json_array_size(list); i++)
        assignment_take(node, json_array_get(list, i));
    list = json_object_get(jws.payload, "release");
    for (size_t i = 0; i < json_array_size(list); i++)
        release_take(node, json_string_value(json_array_get(list, i)));
    ol_jws_clear(&jws);
}

/* 401 has a Date, 409 a seq, 404 says: register again; the rest: later. */
static void
refusal_take(struct node *node, int status, const json_t *json, int64_t date)
{
    const char *why = json_string_value(json_object_get(json, "error"));
    const json_t *seq = json_object_get(json, "seq");

    if (status == 503 || status == 429)
        crowd.busy++;
    else
        crowd.refused++;
    if (why != NULL)
        snprintf(crowd.reason, sizeof(crowd.reason), "%d: %.120s", status, why);
    if (status == 401 && date != 0)
        node->offset_s = date - time(NULL) - crowd.o.skew_s;
    if (status == 409 && seq != NULL)
        node->seq = (uint64_t)json_integer_value(seq);
    if (status == 404 && node->registered) {
        node->registered = false;
        crowd.registered--;
        crowd.forgotten++;
    }
}

uint64_t
pause_ms(struct node *node, unsigned retry_after_s)
{
    unsigned pause = PAUSE_MIN_MS << (node->failures < 5 ? node->failures : 5);

    node->failures++;
    if (pause > PAUSE_MAX_MS)
        pause = PAUSE_MAX_MS;
    return (uint64_t)retry_after_s * 1000 + pause / 2 + random_below(pause);
}

void
answer_take(struct node *node, int status, const char *body, size_t len,
            unsigned retry_after_s, int64_t date)
{
    uint64_t took = now_ms() - node->sent_ms, next = 0;
    unsigned held = node->task == TASK_BEAT ? crowd.o.wait_ms : 0;
    json_t *json;

    node->busy = false;
    took = took > held ? took - held : 0;
    if (took > crowd.slowest_ms)
        crowd.slowest_ms = took;
    crowd.slow += took > 2000;
    if (status == 200 && node->task == TASK_BEAT) {
        beat_take(node, body, len);
        node->failures = 0;
        node_next(node, crowd.o.beat_ms);
        return;
    }
    json = ol_json_parse(body, len, NULL);
    if (status == 200 && node->task == TASK_KEY) {
        key_take(node, json);
    } else if (status == 200) {
        node->registered = true;
        crowd.registered++;
        node->failures = 0;
        store_take(node, json_string_value(json_object_get(json, "store")));
    } else {
        refusal_take(node, status, json, date);
        next =
            status == 409 || status == 404 ? 0 : pause_ms(node, retry_after_s);
    }
    json_decref(json);
    node_next(node, next);
}
