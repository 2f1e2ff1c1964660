/*
 * Heartbeats to a coordinator and what comes back (link.h).
 *
 * Owns: the message, and the order in which its answer is believed.  Must not
 * know how assignments are carried out (intake.c) nor what is told of contents
 * (beat.c).
 */
#include "node/link.h"

#include <errno.h>
#include <string.h>

#include "node/intake.h"
#include "node/rate.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"

#define USELESS_MS 2000 /* after assignments none of which can be taken */
#define KEYS_AGAIN_MS 60000

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
        else if (rc == -EBADMSG || rc == -EACCES)
            link_complain(link, "assignment", why.text);
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
        rc = ol_claims_check_time(answer, link_clock(link), why);
    if (rc == 0)
        rc = ol_json_uint(answer, "seq", SEQ_MAX, &echo, why);
    if (rc == 0 && echo != seq)
        rc = ol_error_set(why, EBADMSG, "seq: not that of the heartbeat");
    if (rc == 0)
        rc = ol_json_string(answer, "store", STORE_MAX, &store, why);
    if (rc != 0)
        return rc;
    link_set_store(link, store);
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
        link_now_ms(link) - link->keys_ms >= KEYS_AGAIN_MS &&
        link->fetch == NULL)
        link_get_key(link);
    if (rc != 0)
        return rc;
    rc = take_answer(link, jws.payload, seq, ret_useless, why);
    ol_jws_clear(&jws);
    return rc;
}

/* It is to be said again. */
static void
beat_unheard(struct call *call)
{
    struct link *link = call->link;
    struct node *node = link->links->node;

    beat_undo(&call->beat, node->contents, link->number, &link->dropped);
    wrong_undo(&node->wrong, link->number, &call->wrong);
}

static void
beat_failed(struct call *call, struct fetch *fetch,
            const struct fetch_result *result, const char *why)
{
    struct link *link = call->link;

    beat_unheard(call);
    if (result->error == 0 && result->status == 404) {
        link->registered = false; /* it has forgotten this node */
        link_again_in(link, SPACE_MS);
        return;
    }
    if (result->error == 0 &&
        (result->status == 401 || result->status == 409) &&
        link->failures == 0) {
        link->failures++; /* once, with what was learnt */
        link_again_in(link, SPACE_MS);
        return;
    }
    if (result->error == 0 && result->status == 403) {
        link_again_in(link, link_refused(link, "has excluded this node", why));
        return;
    }
    link_complain(link, "heartbeat", why);
    link_again_in(link, link_backoff(link, fetch));
}

/* What the coordinator now knows need not be told again. */
static void
beat_heard(struct call *call)
{
    struct link *link = call->link;

    if (strcmp(call->store, link->store) == 0)
        served_heard(link->links->node->served, link->number, &call->served);
    if (call->drain)
        link->drain_heard = true;
    link->failures = 0;
}

static void
on_beat(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct call *call = arg;
    struct link *link = call->link;
    uint64_t now = link_now_ms(link);
    struct ol_error why = {""};
    bool useless = false;
    int rc = -EPROTO;

    call->fetch = NULL;
    if (result->error == 0 && result->status == 200)
        rc = open_answer(link, result, call->seq, &useless, &why);
    else
        link_learn(link, result, &why);
    if (rc != 0) {
        beat_failed(call, fetch, result, why.text);
        return;
    }
    beat_heard(call);
    if (useless)
        link_again_in(link, USELESS_MS);
    else if (now - link->begun_ms >= SPACE_MS)
        link_again_in(link, 0);
    else
        link_again_in(link, SPACE_MS - (now - link->begun_ms));
}

/* What there is to say beside holdings. */
static int
add_news(struct link *link, struct call *call, bool round, json_t *message)
{
    struct node *node = link->links->node;
    int rc =
        served_fill(node->served, link->number, round, &call->served, message);

    call->drain = link->links->draining;
    memcpy(call->store, link->store, sizeof(call->store));
    if (rc == 0 && call->drain)
        rc = json_object_set_new(message, "drain", json_true());
    return rc;
}

static json_t *
heartbeat(struct link *link, struct call *call)
{
    const struct node *node = link->links->node;
    uint64_t now = link_now_ms(link), total = rate_total(node->rate);
    uint64_t past = now - link->sent_ms;
    bool round = link->round_ms == 0 || now - link->round_ms >= HEARTBEAT_MS;
    json_t *message = link_envelope(link);
    int rc;

    if (message == NULL)
        return NULL;
    call->seq = link_next_seq(link);
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
        rc = add_news(link, call, round, message);
    if (rc == 0)
        rc = beat_fill(&call->beat, node->contents, link->number,
                       round ? &link->cursor : NULL, &link->dropped, message);
    if (rc == 0 && wrong_fill(&link->links->node->wrong, link->number,
                              &call->wrong, message) != 0) {
        beat_undo(&call->beat, node->contents, link->number, &link->dropped);
        rc = -ENOMEM;
    }
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

void
link_beat(struct link *link)
{
    struct call *call = &link->calls[0];
    struct fetch_request request = {.on_done = on_beat};
    json_t *message;

    if (call->fetch != NULL)
        call = &link->calls[1];
    message = heartbeat(link, call);
    link->begun_ms = link_now_ms(link);
    request.arg = call;
    if (message == NULL) {
        link_again_in(link, link_backoff(link, NULL));
        return;
    }
    if (link_post(link, "/v1/nodes/heartbeat", OL_TYP_HEARTBEAT, message,
                  link->wait_ms, &request, &call->fetch) != 0) {
        beat_unheard(call);
        link_again_in(link, link_backoff(link, NULL));
    }
}
