/*
 * The coordinators that this node was told to use (links.h).
 *
 * Owns: registration, the rhythm of heartbeats, clock offset, seq and
 * back-off, all per coordinator.  Must not know how assignments are carried
 * out (intake.c) nor what a heartbeat says of contents (beat.c).
 */
#include "node/links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/log.h"
#include "node/beat.h"
#include "node/intake.h"
#include "node/node.h"
#include "node/rate.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"

#define REGISTER_MS 600000
#define HEARTBEAT_MS 10000 /* how long one may be held */
#define ANSWER_MS 5000     /* beyond that */
#define SPACE_MS 500       /* between the starts of two */
#define USELESS_MS 5000    /* after assignments none of which can be taken */
#define LIFE_S 60          /* of a signed message */
#define KEYS_AGAIN_MS 60000
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define STORE_MAX 64
#define SEQ_MAX ((UINT64_C(1) << 53) - 1)
#define BEATS 2 /* one that is held, and one with news */

struct call { /* a heartbeat under way */
    struct link *link;
    struct fetch *fetch; /* NULL: none */
    uint64_t seq, started_ms;
    struct beat beat;
};

struct link {
    struct links *links;
    unsigned number;
    const char *url;
    bool pinned;
    struct ol_keyset keys; /* the coordinator's; the first names it */
    uint64_t keys_ms;
    bool keys_tried;
    bool registered, complained;
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
    bool stopped;
    struct link list[OPTIONS_COORDINATORS];
};

static void on_timer(uv_timer_t *timer);

static uint64_t
now_ms(const struct link *link)
{
    return uv_now(link->links->node->loop);
}

static int64_t
clock_of(const struct link *link)
{
    return time(NULL) + link->offset_s;
}

static const char *
id_of(const struct link *link)
{
    return link->keys.count == 0 ? NULL : ol_key_id(link->keys.keys[0]);
}

/* Time */

static void
again_in(struct link *link, uint64_t ms)
{
    if (!link->links->stopped)
        uv_timer_start(&link->timer, on_timer, ms, 0);
}

/* Half to all of a pause that doubles, so that nodes do not come in step. */
static uint64_t
backoff(struct link *link, unsigned retry_s)
{
    uint64_t most = BACKOFF_MIN_MS << (link->failures < 6 ? link->failures : 6);
    uint32_t random = 0;

    if (most > BACKOFF_MAX_MS)
        most = BACKOFF_MAX_MS;
    if (retry_s > 0 && most < (uint64_t)retry_s * 1000)
        most = (uint64_t)retry_s * 2000;
    if (most > 2 * BACKOFF_MAX_MS)
        most = 2 * BACKOFF_MAX_MS;
    link->failures++;
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    return most / 2 + random % (most / 2 + 1);
}

static void
complain(struct link *link, const char *what, const char *why)
{
    static struct log_kind kind = {.name = "coordinator"};

    log_limited(&kind, LOG_WARN_, "coordinator %s: %s: %s", link->url, what,
                why);
}

/* Messages */

static uint64_t
next_seq(struct link *link)
{
    struct timespec now;
    uint64_t ms;

    clock_gettime(CLOCK_REALTIME, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    link->seq = ms > link->seq ? ms : link->seq + 1;
    return link->seq;
}

/* iss, aud, iat, exp; NULL without memory. */
static json_t *
envelope(const struct link *link)
{
    int64_t now = clock_of(link);

    return json_pack("{s:s, s:s, s:I, s:I}", "iss",
                     ol_key_id(link->links->node->key), "aud", id_of(link),
                     "iat", (json_int_t)now, "exp", (json_int_t)now + LIFE_S);
}

static int
post(struct link *link, const char *path, const char *typ, json_t *message,
     unsigned held_ms, struct fetch_request *request, struct fetch **ret)
{
    static const char *const headers[] = {"Content-Type: application/jwt",
                                          NULL};
    char url[OL_ORIGIN_MAX + 32];
    char *token;
    size_t len;
    int rc = message == NULL ? -ENOMEM
                             : ol_jws_sign(link->links->node->key, typ, message,
                                           &token, &len);

    json_decref(message);
    if (rc != 0)
        return rc;
    snprintf(url, sizeof(url), "%s%s", link->url, path);
    request->url = url;
    request->method = "POST";
    request->headers = headers;
    request->body = token;
    request->body_len = len;
    request->max_body = OL_JWS_MAX;
    request->stall_ms = held_ms + ANSWER_MS;
    request->total_ms = held_ms + 2 * ANSWER_MS;
    rc = fetch_start(link->links->node->trusted, request, ret);
    free(token);
    return rc;
}

/*
 * What a refusal teaches: the clock (401), the next seq (409), to register
 * again (404).  Fills the reason.
 */
static void
learn(struct link *link, const struct fetch_result *result,
      struct ol_error *why)
{
    json_t *json = NULL;
    const char *text = NULL;
    uint64_t seq;

    if (result->error != 0) {
        ol_error_set(why, -result->error, "%s", result->text);
        return;
    }
    json = ol_json_parse(result->body, result->body_len, NULL);
    if (json != NULL)
        ol_json_string(json, "error", 200, &text, NULL);
    ol_error_set(why, EPROTO, "status %d%s%s", result->status,
                 text != NULL ? ", " : "", text != NULL ? text : "");
    if (result->status == 401 && result->date != 0)
        link->offset_s = result->date - time(NULL);
    if (result->status == 409 && json != NULL &&
        ol_json_uint(json, "seq", SEQ_MAX, &seq, NULL) == 0 && seq > link->seq)
        link->seq = seq;
    json_decref(json);
}

/* The coordinator's key */

static void
on_key(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct link *link = arg;
    struct ol_keyset keys;
    struct ol_error why;
    int rc = result->error;

    (void)fetch;
    link->fetch = NULL;
    if (rc == 0 && result->status == 200)
        rc = ol_keyset_parse(result->body, result->body_len, &keys, &why);
    else
        learn(link, result, &why);
    if (rc != 0 || result->status != 200) {
        complain(link, "no key", why.text);
        again_in(link, backoff(link, 0));
        return;
    }
    ol_keyset_clear(&link->keys);
    link->keys = keys;
    again_in(link, 0);
}

static void
get_key(struct link *link)
{
    char url[OL_ORIGIN_MAX + 32];
    struct fetch_request request = {
        .url = url, .total_ms = 10000, .on_done = on_key, .arg = link};

    snprintf(url, sizeof(url), "%s/v1/key", link->url);
    link->keys_tried = true;
    link->keys_ms = now_ms(link);
    if (fetch_start(link->links->node->trusted, &request, &link->fetch) != 0)
        again_in(link, backoff(link, 0));
}

/* Registration */

static void
set_store(struct link *link, const char *store)
{
    struct contents *contents = link->links->node->contents;

    if (strcmp(link->store, store) == 0)
        return;
    snprintf(link->store, sizeof(link->store), "%s", store);
    for (uint32_t i = 0; i < contents_count(contents); i++) {
        struct content *content = contents_at(contents, i);

        content->dirty |= content->told & (uint16_t)(1u << link->number);
    }
}

static int
read_registered(struct link *link, const struct fetch_result *result,
                struct ol_error *why)
{
    json_t *json = ol_json_parse(result->body, result->body_len, why);
    const char *address = "?", *store;
    uint64_t n = 0;
    int rc;

    if (json == NULL)
        return -EBADMSG;
    rc = ol_json_string(json, "store", STORE_MAX, &store, why);
    if (rc == 0)
        rc = ol_json_uint(json, "n", SEQ_MAX, &n, why);
    if (rc == 0) {
        ol_json_string(json, "address", OL_ADDR_TEXT, &address, NULL);
        if (!link->registered || link->complained)
            log_info("coordinator %s: registered as node %llu; reachable at "
                     "%s, seen as %s; nothing to do",
                     link->url, (unsigned long long)n,
                     link->links->node->options.url.text, address);
        set_store(link, store);
    }
    json_decref(json);
    return rc;
}

static void
register_failed(struct link *link, const struct fetch_result *result,
                const char *why)
{
    const char *url = link->links->node->options.url.text;

    link->complained = true;
    if (result->status == 403)
        log_warn("coordinator %s: this node is not reachable at %s: %s; see "
                 "that --url leads here from outside and that its port is "
                 "open and forwarded",
                 link->url, url, why);
    else
        complain(link, "cannot register", why);
}

static void
on_registered(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct link *link = arg;
    const char *retry = fetch_header(fetch, "Retry-After");
    struct ol_error why = {""};
    int64_t offset_s = link->offset_s;
    int rc = -EPROTO;

    link->fetch = NULL;
    if (result->error == 0 && result->status == 200)
        rc = read_registered(link, result, &why);
    else
        learn(link, result, &why);
    if (rc == 0) {
        link->registered = true;
        link->complained = false;
        link->registered_ms = now_ms(link);
        link->failures = 0;
        again_in(link, 0);
        return;
    }
    if (result->status == 401 && link->offset_s != offset_s &&
        link->failures == 0) { /* now with its time */
        link->failures++;
        again_in(link, 0);
        return;
    }
    register_failed(link, result, why.text);
    again_in(link, backoff(link, retry != NULL
                                     ? (unsigned)strtoul(retry, NULL, 10) % 3600
                                     : 0));
}

static json_t *
registration(struct link *link)
{
    const struct node *node = link->links->node;
    const struct options *o = &node->options;
    json_t *message = envelope(link), *cidrs = json_array();
    int rc = message == NULL || cidrs == NULL;

    for (size_t i = 0; i < o->cidr_count && rc == 0; i++)
        rc = json_array_append_new(cidrs, json_string(o->cidrs[i]));
    if (rc == 0)
        rc = json_object_update_new(
            message,
            json_pack("{s:I, s:s, s:s, s:s, s:O, s:I, s:I}", "seq",
                      (json_int_t)next_seq(link), "key", ol_key_x(node->key),
                      "url", o->url.text, "zone", o->zone, "cidrs", cidrs,
                      "capacity", (json_int_t)o->size, "rate",
                      (json_int_t)o->rate));
    json_decref(cidrs);
    if (rc != 0) {
        json_decref(message);
        return NULL;
    }
    return message;
}

static void
register_node(struct link *link)
{
    struct fetch_request request = {.on_done = on_registered, .arg = link};

    /* The coordinator calls back before it answers. */
    if (post(link, "/v1/nodes", OL_TYP_REGISTER, registration(link),
             HEARTBEAT_MS, &request, &link->fetch) != 0)
        again_in(link, backoff(link, 0));
}

/* Heartbeats */

static bool
has_news(const struct link *link)
{
    struct contents *contents = link->links->node->contents;

    if (link->dropped.count > 0)
        return true;
    for (uint32_t i = 0; i < contents_count(contents); i++)
        if ((contents_at(contents, i)->dirty & 1u << link->number) != 0)
            return true;
    return false;
}

static unsigned
under_way(const struct link *link)
{
    unsigned n = 0;

    for (size_t i = 0; i < BEATS; i++)
        n += link->calls[i].fetch != NULL;
    return n;
}

/* Returns how many entries were taken. */
static unsigned
take_assignments(struct link *link, json_t *list)
{
    struct intake *intake = link->links->node->intake;
    unsigned taken = 0;
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        struct ol_error why;
        int rc = intake_offer(intake, link->number, entry, &why);

        if (rc == 0)
            taken++;
        else if (rc == -EBADMSG)
            complain(link, "malformed assignment", why.text);
    }
    return taken;
}

static void
take_releases(struct link *link, json_t *list)
{
    struct contents *contents = link->links->node->contents;
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *hex = json_string_value(entry);
        uint8_t root[OL_HASH_BYTES];
        struct content *content;

        if (hex == NULL ||
            ol_hex_decode(root, sizeof(root), hex, strlen(hex)) != 0)
            continue;
        content = contents_find(contents, root);
        if (content != NULL)
            content_assign(contents, content,
                           content->assigned &
                               (uint16_t) ~(1u << link->number));
    }
}

/* *ret_useless: it assigned something, but nothing that can be taken. */
static int
take_answer(struct link *link, const json_t *answer, uint64_t seq,
            bool *ret_useless, struct ol_error *why)
{
    json_t *list;
    const char *store;
    uint64_t echo, next;
    int rc;

    rc = ol_claims_check_string(answer, "aud",
                                ol_key_id(link->links->node->key), why);
    if (rc == 0)
        rc = ol_claims_check_time(answer, clock_of(link), why);
    if (rc == 0)
        rc = ol_json_uint(answer, "seq", SEQ_MAX, &echo, why);
    if (rc == 0 && echo != seq)
        rc = ol_error_set(why, EBADMSG, "seq: not that of the heartbeat");
    if (rc == 0)
        rc = ol_json_string(answer, "store", STORE_MAX, &store, why);
    if (rc != 0)
        return rc;
    set_store(link, store);
    if (ol_json_uint(answer, "next", HEARTBEAT_MS, &next, NULL) == 0)
        link->wait_ms = (unsigned)next;
    if (ol_json_array(answer, "release", 1024, &list, NULL) == 0)
        take_releases(link, list);
    *ret_useless = ol_json_array(answer, "assign", 64, &list, NULL) == 0 &&
                   json_array_size(list) > 0 &&
                   take_assignments(link, list) == 0;
    return 0;
}

static int
open_answer(struct link *link, const struct fetch_result *result, uint64_t seq,
            bool *ret_useless, struct ol_error *why)
{
    struct ol_jws jws;
    int rc = ol_jws_open(result->body, result->body_len, OL_TYP_ASSIGN,
                         &link->keys, &jws, why);

    if (rc == -ENOKEY && !link->pinned &&
        now_ms(link) - link->keys_ms >= KEYS_AGAIN_MS && link->fetch == NULL)
        get_key(link);
    if (rc != 0)
        return rc;
    rc = take_answer(link, jws.payload, seq, ret_useless, why);
    ol_jws_clear(&jws);
    return rc;
}

static void
beat_failed(struct link *link, const struct call *call,
            const struct fetch_result *result, const char *why,
            unsigned retry_s)
{
    beat_undo(&call->beat, link->links->node->contents, link->number,
              &link->dropped);
    if (result->error == 0 && result->status == 404) {
        link->registered = false; /* it has forgotten this node */
        again_in(link, SPACE_MS);
        return;
    }
    if (result->error == 0 &&
        (result->status == 401 || result->status == 409) &&
        link->failures == 0) {
        link->failures++; /* once, with what was learnt */
        again_in(link, SPACE_MS);
        return;
    }
    complain(link, "heartbeat", why);
    again_in(link, backoff(link, retry_s));
}

static void
on_beat(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct call *call = arg;
    struct link *link = call->link;
    const char *retry = fetch_header(fetch, "Retry-After");
    uint64_t now = now_ms(link);
    struct ol_error why = {""};
    bool useless = false;
    int rc = -EPROTO;

    call->fetch = NULL;
    if (result->error == 0 && result->status == 200)
        rc = open_answer(link, result, call->seq, &useless, &why);
    else
        learn(link, result, &why);
    if (rc != 0) {
        beat_failed(link, call, result, why.text,
                    retry != NULL ? (unsigned)strtoul(retry, NULL, 10) % 3600
                                  : 0);
        return;
    }
    link->failures = 0;
    if (useless)
        again_in(link, USELESS_MS);
    else if (now - link->begun_ms >= SPACE_MS)
        again_in(link, 0);
    else
        again_in(link, SPACE_MS - (now - link->begun_ms));
}

static json_t *
heartbeat(struct link *link, struct call *call)
{
    const struct node *node = link->links->node;
    uint64_t now = now_ms(link), total = rate_total(node->rate);
    uint64_t past = now - link->sent_ms;
    bool round = link->round_ms == 0 || now - link->round_ms >= HEARTBEAT_MS;
    json_t *message = envelope(link);
    int rc;

    if (message == NULL)
        return NULL;
    call->seq = next_seq(link);
    rc = json_object_update_new(
        message,
        json_pack(
            "{s:I, s:s, s:I, s:{s:I, s:I, s:I}}", "seq", (json_int_t)call->seq,
            "store", link->store, "wait", (json_int_t)link->wait_ms, "load",
            "rate",
            (json_int_t)((total - link->sent) * 1000 / (past > 0 ? past : 1)),
            "connections", (json_int_t)httpd_connections(node->httpd), "free",
            (json_int_t)contents_free_bytes(node->contents)));
    if (rc == 0)
        rc = beat_fill(&call->beat, node->contents, link->number,
                       round ? &link->cursor : NULL, &link->dropped, message);
    if (rc != 0) {
        json_decref(message);
        return NULL;
    }
    link->sent = total;
    link->sent_ms = now;
    if (round)
        link->round_ms = now;
    return message;
}

static void
send_beat(struct link *link)
{
    struct call *call = &link->calls[0];
    struct fetch_request request = {.on_done = on_beat};
    json_t *message;

    if (call->fetch != NULL)
        call = &link->calls[1];
    message = heartbeat(link, call);
    link->begun_ms = now_ms(link);
    request.arg = call;
    if (message == NULL) {
        again_in(link, backoff(link, 0));
        return;
    }
    if (post(link, "/v1/nodes/heartbeat", OL_TYP_HEARTBEAT, message,
             link->wait_ms, &request, &call->fetch) != 0) {
        beat_undo(&call->beat, link->links->node->contents, link->number,
                  &link->dropped);
        again_in(link, backoff(link, 0));
    }
}

/* The next step of a link, whatever it is. */
static void
on_timer(uv_timer_t *timer)
{
    struct link *link = timer->data;
    uint64_t past = now_ms(link) - link->begun_ms;

    if (link->fetch != NULL)
        return; /* its call-back goes on */
    if (link->keys.count == 0) {
        get_key(link);
    } else if (!link->registered ||
               now_ms(link) - link->registered_ms >= REGISTER_MS) {
        register_node(link);
    } else if (under_way(link) == 0) {
        send_beat(link);
    } else if (under_way(link) < BEATS && has_news(link)) {
        if (past < SPACE_MS)
            again_in(link, SPACE_MS - past);
        else
            send_beat(link);
    }
}

/* All of them */

void
links_kick(struct links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        struct link *link = &links->list[i];

        /* A link that waits for its back-off to pass goes on waiting. */
        if (link->registered && link->failures == 0 && under_way(link) == 1 &&
            !uv_is_active((uv_handle_t *)&link->timer))
            again_in(link, SPACE_MS);
    }
}

void
links_dropped(struct links *links, const struct content *content)
{
    for (size_t i = 0; i < links->count; i++)
        if ((content->told & 1u << i) != 0)
            dropped_add(&links->list[i].dropped, content->root);
    links_kick(links);
}

size_t
links_urls(const struct links *links, uint16_t bits,
           const char *ret[ASSIGNMENT_COORDINATORS])
{
    size_t n = 0;

    for (size_t i = 0; i < links->count; i++)
        if ((bits & 1u << i) != 0)
            ret[n++] = links->list[i].url;
    return n;
}

uint16_t
links_bits(void *arg, const struct assignment *a)
{
    const struct links *links = arg;
    uint16_t bits = 0;

    for (size_t i = 0; i < links->count; i++)
        for (size_t j = 0; j < a->coordinator_count; j++)
            if (strcmp(links->list[i].url, a->coordinators[j]) == 0)
                bits |= (uint16_t)(1u << i);
    return bits;
}

char *
links_callback(const struct links *links, const char *nonce, const char *aud,
               size_t *ret_len)
{
    const struct node *node = links->node;

    for (size_t i = 0; i < links->count; i++) {
        const struct link *link = &links->list[i];
        json_t *message;
        char *token = NULL;

        if (id_of(link) == NULL || strcmp(id_of(link), aud) != 0)
            continue;
        message = envelope(link);
        if (message != NULL &&
            json_object_set_new(message, "nonce", json_string(nonce)) == 0 &&
            json_object_set_new(message, "url",
                                json_string(node->options.url.text)) == 0)
            ol_jws_sign(node->key, OL_TYP_CALLBACK, message, &token, ret_len);
        json_decref(message);
        return token;
    }
    return NULL;
}

static int
link_init(struct link *link, struct links *links, size_t i)
{
    const struct options *o = &links->node->options;
    const char *x = o->coordinators[i].x;
    int rc = 0;

    link->links = links;
    link->number = (unsigned)i;
    link->url = o->coordinators[i].url.text;
    link->wait_ms = HEARTBEAT_MS;
    for (size_t j = 0; j < BEATS; j++)
        link->calls[j].link = link;
    if (x[0] != '\0') {
        rc = ol_key_from_x(x, strlen(x), &link->keys.keys[0], NULL);
        link->keys.count = rc == 0;
        link->pinned = true;
    }
    uv_timer_init(links->node->loop, &link->timer);
    link->timer.data = link;
    return rc;
}

int
links_create(struct node *node, struct links **ret)
{
    struct links *links = calloc(1, sizeof(*links));
    int rc = 0;

    if (links == NULL)
        return -ENOMEM;
    links->node = node;
    links->count = node->options.coordinator_count;
    for (size_t i = 0; i < links->count; i++)
        if (link_init(&links->list[i], links, i) != 0)
            rc = -ENOMEM;
    *ret = links;
    return rc;
}

void
links_start(struct links *links)
{
    for (size_t i = 0; i < links->count; i++)
        again_in(&links->list[i], 0);
}

void
links_stop(struct links *links)
{
    links->stopped = true;
    for (size_t i = 0; i < links->count; i++) {
        struct link *link = &links->list[i];

        if (link->fetch != NULL)
            fetch_cancel(link->fetch);
        for (size_t j = 0; j < BEATS; j++)
            if (link->calls[j].fetch != NULL)
                fetch_cancel(link->calls[j].fetch);
        uv_close((uv_handle_t *)&link->timer, NULL);
    }
}

void
links_free(struct links *links)
{
    if (links == NULL)
        return;
    for (size_t i = 0; i < links->count; i++)
        ol_keyset_clear(&links->list[i].keys);
    free(links);
}
