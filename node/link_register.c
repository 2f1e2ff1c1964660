/*
 * Registration with a coordinator (link.h).
 *
 * Owns: the coordinator's key, what this node says of itself, and the line
 * that tells its owner whether it can be reached.
 */
#include "node/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/log.h"
#include "offload/json.h"
#include "offload/jws.h"

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
        link_learn(link, result, &why);
    if (rc != 0 || result->status != 200) {
        link_complain(link, "no key", why.text);
        link_again_in(link, link_backoff(link, NULL));
        return;
    }
    ol_keyset_clear(&link->keys);
    link->keys = keys;
    link_again_in(link, 0);
}

void
link_get_key(struct link *link)
{
    char url[OL_ORIGIN_MAX + 32];
    struct fetch_request request = {
        .url = url, .total_ms = 10000, .on_done = on_key, .arg = link};

    snprintf(url, sizeof(url), "%s/v1/key", link->url);
    link->keys_tried = true;
    link->keys_ms = link_now_ms(link);
    if (fetch_start(link->links->node->trusted, &request, &link->fetch) != 0)
        link_again_in(link, link_backoff(link, NULL));
}

/* Registration */

void
link_set_store(struct link *link, const char *store)
{
    struct contents *contents = link->links->node->contents;

    if (strcmp(link->store, store) == 0)
        return;
    snprintf(link->store, sizeof(link->store), "%s", store);
    link->drain_heard = false;
    served_forget(link->links->node->served, link->number);
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
        link_set_store(link, store);
    }
    json_decref(json);
    return rc;
}

/* Returns the pause before the next attempt. */
static uint64_t
register_failed(struct link *link, struct fetch *fetch,
                const struct fetch_result *result, const char *why)
{
    char text[640];

    link->complained = true;
    if (result->error == 0 && result->status == 403) {
        snprintf(text, sizeof(text),
                 "%.200s; if that is because it cannot be reached at %.255s, "
                 "see that --url leads here from outside and that its port is "
                 "open and forwarded",
                 why, link->links->node->options.url.text);
        return link_refused(link, "does not take this node", text);
    }
    link_complain(link, "cannot register", why);
    return link_backoff(link, fetch);
}

static void
on_registered(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct link *link = arg;
    struct ol_error why = {""};
    int64_t offset_s = link->offset_s;
    int rc = -EPROTO;

    link->fetch = NULL;
    if (result->error == 0 && result->status == 200)
        rc = read_registered(link, result, &why);
    else
        link_learn(link, result, &why);
    if (rc == 0) {
        link->registered = true;
        link->complained = false;
        link->registered_ms = link_now_ms(link);
        link->failures = 0;
        link_again_in(link, 0);
        return;
    }
    if (result->status == 401 && link->offset_s != offset_s &&
        link->failures == 0) { /* now with its time */
        link->failures++;
        link_again_in(link, 0);
        return;
    }
    link_again_in(link, register_failed(link, fetch, result, why.text));
}

/* What is not as usual: which sites, how much, by whose invitation. */
static int
add_terms(json_t *message, const struct options *o)
{
    json_t *sites = json_array();
    int rc = sites == NULL;

    for (size_t i = 0; i < o->site_count && rc == 0; i++)
        rc = json_array_append_new(sites, json_string(o->sites[i].text));
    if (rc == 0 && o->site_count > 0)
        rc = json_object_set(message, "sites", sites);
    if (rc == 0 && o->invitation[0] != '\0')
        rc = json_object_set_new(message, "invitation",
                                 json_string(o->invitation));
    json_decref(sites);
    return rc;
}

static json_t *
registration(struct link *link)
{
    const struct node *node = link->links->node;
    const struct options *o = &node->options;
    json_t *message = link_envelope(link), *cidrs = json_array();
    int rc = message == NULL || cidrs == NULL;

    for (size_t i = 0; i < o->cidr_count && rc == 0; i++)
        rc = json_array_append_new(cidrs, json_string(o->cidrs[i]));
    if (rc == 0)
        rc = json_object_update_new(
            message,
            json_pack("{s:I, s:s, s:s, s:s, s:O, s:I, s:I, s:i}", "seq",
                      (json_int_t)link_next_seq(link), "key",
                      ol_key_x(node->key), "url", o->url.text, "zone", o->zone,
                      "cidrs", cidrs, "capacity", (json_int_t)o->size, "rate",
                      (json_int_t)o->rate, "weight", (int)o->weight));
    if (rc == 0)
        rc = add_terms(message, o);
    json_decref(cidrs);
    if (rc != 0) {
        json_decref(message);
        return NULL;
    }
    return message;
}

void
link_register(struct link *link)
{
    struct fetch_request request = {.on_done = on_registered, .arg = link};

    /* The coordinator calls back before it answers. */
    if (link_post(link, "/v1/nodes", OL_TYP_REGISTER, registration(link),
                  HEARTBEAT_MS, &request, &link->fetch) != 0)
        link_again_in(link, link_backoff(link, NULL));
}
