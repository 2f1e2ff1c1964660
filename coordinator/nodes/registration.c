/*
 * POST /v1/nodes: take a place, decode, ask whether the operator admits the
 * node, check seq, URL and bans in the store, call the node back with a nonce,
 * register it.
 * Nothing is kept of a node whose call-back fails.
 *
 * Must not know what a node is used for.
 */
#include "coordinator/nodes/registration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "coordinator/call.h"
#include "coordinator/nodes/admission.h"
#include "coordinator/nodes/geo.h"
#include "coordinator/nodes/heartbeat.h"
#include "coordinator/nodes/message.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/status/metrics.h"
#include "net/log.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/jws.h"
#include "offload/manifest.h"

#define NONCE_BYTES 16

struct registration {
    struct call call;
    int place; /* of app->callbacks, until it has been called back; or -1 */
    char id[OL_KEY_CHARS + 1];
    struct ol_key *key;
    struct ol_jws jws; /* what message borrows from */
    struct message_register message;
    bool by_invitation;                /* it is not on the list */
    struct admission_token invitation; /* uses 0: it brought none */
    char *cidrs;         /* JSON of those that hold an address it was seen at */
    char *sites;         /* JSON of those it serves, "" if all */
    char zone[GEO_ZONE]; /* by the database */
    char nonce[OL_BASE64URL_LEN(NONCE_BYTES) + 1];
    struct ol_addr seen, called;
    char address[OL_ADDR_TEXT];
};

static void
place_give(struct registration *r)
{
    if (r->place >= 0)
        places_give(&r->call.app->callbacks, r->place, app_ticks_ms());
    r->place = -1;
}

static void
registration_release(struct call *call)
{
    struct registration *r = (struct registration *)call;

    place_give(r);
    ol_key_free(r->key);
    ol_jws_clear(&r->jws);
    free(r->cidrs);
    free(r->sites);
}

/* Ends it with a reason that its operator can act upon. */
static void
refuse(struct registration *r, int status, const char *what, const char *why)
{
    metrics_add(M_REGISTRATIONS_REFUSED, 1);
    call_error(&r->call, status, "%s: %s", what, why);
    call_end(&r->call);
}

static void
admission_refuse(struct registration *r, const char *why)
{
    static struct log_kind refused = {.name = "nodes that are not admitted"};

    metrics_add(M_ADMISSIONS_REFUSED, 1);
    log_limited(&refused, LOG_INFO_, "node %s is not admitted: %s", r->id, why);
    refuse(r, 403, "not admitted", why);
}

static void
store_refused(struct registration *r, int rc, uint64_t value)
{
    if (rc == -ESTALE)
        call_json(&r->call, 409,
                  json_pack("{s:s, s:I}", "error",
                            "seq: not above the last one, go on from there",
                            "seq", (json_int_t)value));
    else if (rc == -EEXIST)
        call_error(&r->call, 409,
                   "url: %.200s is registered by another node; it is free a "
                   "day after that node was last registered",
                   r->message.url);
    else if (rc == -ENOSPC)
        call_error(&r->call, 403, "no node number is left");
    else if (rc == -EPERM)
        call_error(&r->call, 403, "this node is excluded");
    else
        call_busy(&r->call, "the store is away");
    call_end(&r->call);
}

/* 3: it is a node. */

static void
on_registered(void *arg, int rc, uint64_t number)
{
    static struct log_kind registered = {.name = "registrations"};
    struct registration *r = arg;
    struct app *app = r->call.app;
    struct node *node;

    if (rc == -EDQUOT) {
        admission_refuse(r, "the invitation is used up: ask for another one");
        return;
    }
    if (rc != 0) {
        store_refused(r, rc, number);
        return;
    }
    node = nodes_intern(app->nodes, r->id);
    if (node == NULL) {
        call_busy(&r->call, "too many nodes are known");
        call_end(&r->call);
        return;
    }
    metrics_add(M_REGISTRATIONS, 1);
    store_announce(app->store, STORE_NODE, r->id);
    log_limited(&registered, LOG_INFO_, "node %s is registered as %llu at %s",
                r->id, (unsigned long long)number, r->message.url);
    call_json(&r->call, 200,
              json_pack("{s:s, s:I, s:s, s:i, s:s, s:o}", "id", r->id, "n",
                        (json_int_t)number, "address", r->address, "heartbeat",
                        HEARTBEAT_MS / 1000, "store", store_id(app->store),
                        "cidrs", json_loads(r->cidrs, 0, NULL)));
    call_end(&r->call);
}

/* A node may only claim networks that it was seen in. */
static int
cidrs_keep(struct registration *r)
{
    json_t *list = json_array();
    struct ol_cidr cidr;

    for (size_t i = 0; i < r->message.cidr_count; i++) {
        if (ol_cidr_parse(r->message.cidrs[i], &cidr, NULL) == 0 &&
            (ol_cidr_contains(&cidr, &r->seen) ||
             ol_cidr_contains(&cidr, &r->called)))
            json_array_append_new(list, json_string(r->message.cidrs[i]));
    }
    r->cidrs = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return r->cidrs == NULL ? -ENOMEM : 0;
}

/* Which sites it serves, as the store keeps them. */
static int
sites_keep(struct registration *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->message.site_count; i++)
        json_array_append_new(list, json_string(r->message.sites[i]));
    r->sites = r->message.site_count == 0 ? strdup("")
                                          : json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return r->sites == NULL ? -ENOMEM : 0;
}

/* What the database says counts before what the node says. */
static const char *
zone_keep(struct registration *r)
{
    const struct geo *geo = r->call.app->geo;
    const char *zone = geo_zone(geo, &r->called, r->zone);

    if (zone == NULL)
        zone = geo_zone(geo, &r->seen, r->zone);
    return zone != NULL ? zone : r->message.zone;
}

static void
registration_store(struct registration *r)
{
    const struct store_node record = {.id = r->id,
                                      .key = r->message.key,
                                      .url = r->message.url,
                                      .zone = zone_keep(r),
                                      .cidrs = r->cidrs,
                                      .sites = r->sites,
                                      .invite = r->invitation.hash,
                                      .invite_uses = r->invitation.uses,
                                      .seq = r->message.seq,
                                      .weight = r->message.weight,
                                      .capacity = r->message.capacity,
                                      .rate = r->message.rate};

    if (store_node_register(r->call.app->store, &record, app_now(),
                            on_registered, r) != 0)
        store_refused(r, -ENOTCONN, 0);
}

/* 2: the call-back. */

static int
callback_check(struct registration *r, const struct fetch_result *result,
               struct ol_error *err)
{
    const char *id = app_id(r->call.app);
    struct ol_jws jws;
    int rc;

    if (result->error != 0)
        return ol_error_set(err, EPROTO, "%s", result->text);
    if (result->status != 200)
        return ol_error_set(err, EPROTO, "status %d", result->status);
    rc = ol_jws_parse(result->body, result->body_len, OL_TYP_CALLBACK, &jws,
                      err);
    if (rc != 0)
        return rc;
    rc = ol_jws_verify(&jws, r->key, err);
    if (rc == 0)
        rc = message_claims(jws.payload, r->id, id, app_now(), err);
    if (rc == 0)
        rc = ol_claims_check_string(jws.payload, "nonce", r->nonce, err);
    if (rc == 0)
        rc = ol_claims_check_string(jws.payload, "url", r->message.url, err);
    ol_jws_clear(&jws);
    return rc;
}

static void
on_callback(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct registration *r = arg;
    struct ol_error err = {""};

    (void)fetch;
    r->call.fetch = NULL;
    place_give(r);
    if (callback_check(r, result, &err) != 0) {
        refuse(r, 403, "call-back", err.text);
        return;
    }
    r->called = r->seen;
    (void)ol_addr_parse(result->address, &r->called);
    if (cidrs_keep(r) != 0 || sites_keep(r) != 0) {
        call_busy(&r->call, "no memory");
        call_end(&r->call);
        return;
    }
    registration_store(r);
}

static void
callback_start(struct registration *r)
{
    char url[OL_URL_MAX + 160];
    const struct fetch_request request = {.url = url,
                                          .total_ms = REGISTRATION_CALLBACK_MS,
                                          .on_done = on_callback,
                                          .arg = r};
    struct app *app = r->call.app;
    uint8_t nonce[NONCE_BYTES];
    int rc;

    if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
        call_busy(&r->call, "no random numbers");
        call_end(&r->call);
        return;
    }
    if (r->call.request != NULL &&
        !app_may_call(app, r->call.request, r->message.url)) {
        call_slow(&r->call, "too many registrations from there or of that url");
        call_end(&r->call);
        return;
    }
    ol_base64url_encode(r->nonce, nonce, sizeof(nonce));
    snprintf(url, sizeof(url), "%s/.well-known/offload-node?nonce=%s&aud=%s",
             r->message.url, r->nonce, app_id(app));
    rc = fetch_start(app->control, &request, &r->call.fetch);
    if (rc == 0)
        return;
    if (rc == -EAGAIN)
        call_busy(&r->call, "too many registrations at once");
    else
        call_error(&r->call, 403, "call-back: %.200s cannot be fetched", url);
    call_end(&r->call);
}

/* 1: what it says. */

static void
on_checked(void *arg, int rc, uint64_t value, bool invited, const char *reason)
{
    struct registration *r = arg;

    if (rc == -EPERM)
        refuse(r, 403, "this node is excluded", reason);
    else if (rc != 0)
        store_refused(r, rc, value);
    else if (r->by_invitation && !invited && r->invitation.uses == 0)
        admission_refuse(r, admission_refusal(r->call.app->admission,
                                              r->message.invitation));
    else
        callback_start(r);
}

/* Whether it may come at all; one that was invited before is only known to the
 * store. */
static bool
admission_check(struct registration *r)
{
    const struct admission *admission = r->call.app->admission;
    const struct admission_token *token;

    if (admission_admits(admission, r->id, false))
        return true;
    r->by_invitation = true;
    token = admission_invitation(admission, r->message.invitation, app_now());
    if (token != NULL)
        r->invitation = *token;
    return admission_admits(admission, r->id, true);
}

static int
registration_check(struct registration *r, struct ol_error *err)
{
    int rc = message_register(r->jws.payload, &r->message, err);

    if (rc == 0)
        rc = ol_key_from_x(r->message.key, strlen(r->message.key), &r->key,
                           err) == 0
                 ? 0
                 : -EBADMSG;
    if (rc == 0 && strcmp(ol_key_id(r->key), r->jws.kid) != 0)
        rc = ol_error_set(err, EBADMSG, "kid: not the thumbprint of \"key\"");
    if (rc == 0)
        rc = ol_jws_verify(&r->jws, r->key, err);
    if (rc == 0)
        rc = message_claims(r->jws.payload, r->jws.kid, app_id(r->call.app),
                            app_now(), err);
    return rc;
}

static void
registration_decide(struct registration *r)
{
    struct ol_error err = {""};
    int rc = registration_check(r, &err);

    if (rc != 0) {
        call_error(&r->call, rc == -ETIME || rc == -EKEYREJECTED ? 401 : 400,
                   "register: %s", err.text);
        call_end(&r->call);
        return;
    }
    if (!admission_check(r)) {
        admission_refuse(r, admission_refusal(r->call.app->admission,
                                              r->message.invitation));
        return;
    }
    if (store_node_check(r->call.app->store, r->id, r->message.url,
                         r->message.seq, on_checked, r) != 0)
        store_refused(r, -ENOTCONN, 0);
}

/* It has a place; whatever is wrong from here on gives that back. */
static void
registration_begin(struct registration *r)
{
    struct ol_error err = {""};
    const char *token;
    size_t len;

    token = http_body(r->call.request, &len);
    if (ol_jws_parse(token, len, OL_TYP_REGISTER, &r->jws, &err) != 0) {
        call_error(&r->call, 400, "register: %s", err.text);
        call_end(&r->call);
        return;
    }
    memcpy(r->id, r->jws.kid, sizeof(r->id));
    ol_addr_text(&r->seen, r->address, sizeof(r->address));
    registration_decide(r);
}

/* Those too many cost nothing: neither a signature nor a look at the store. */
void
registration_request(struct app *app, struct http_request *request)
{
    struct registration *r;
    struct ol_addr seen;
    int64_t now = app_ticks_ms();
    size_t len;
    int place;

    (void)http_body(request, &len);
    if (len > REGISTRATION_MAX) {
        reply_error(request, 413, "a registration may have %d bytes",
                    REGISTRATION_MAX);
        return;
    }
    http_client(request, &seen);
    place = places_take(&app->callbacks, &seen, now);
    if (place < 0) {
        reply_later(request, place == -EDQUOT ? 429 : 503,
                    place == -EDQUOT ? "too many registrations from there"
                                     : "too many registrations at once",
                    places_retry_s(&app->callbacks, now, app_random(0)));
        return;
    }
    r = call_begin(app, request, sizeof(*r));
    if (r == NULL) {
        places_give(&app->callbacks, place, now);
        return;
    }
    r->call.release = registration_release;
    r->place = place;
    r->seen = seen;
    registration_begin(r);
}
