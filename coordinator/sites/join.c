/*
 * Sites join: canonical origin, its keys and document, then the store.
 *
 * Must not know how a site is pushed to.
 */
#include "coordinator/sites/join.h"

#include <errno.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/sites/site_document.h"
#include "coordinator/sites/sites.h"
#include "net/log.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/origin.h"

struct join {
    struct call call;
    bool counted; /* among app->joins */
    struct site_fetch *fetch;
    char origin[OL_ORIGIN_MAX];
    char id[SITE_ID_CHARS + 1];
    json_t *keys; /* their ids */
};

static void
join_release(struct call *call)
{
    struct join *join = (struct join *)call;

    if (join->counted)
        call->app->joins--;
    site_fetch_cancel(join->fetch);
    json_decref(join->keys);
}

static void
on_put(void *arg, int rc, uint64_t is_new)
{
    static struct log_kind joined = {.name = "joins"};
    struct join *join = arg;

    if (rc != 0) {
        call_busy(&join->call, "the store is away");
    } else {
        log_limited(&joined, LOG_INFO_, "site %s joined%s", join->origin,
                    is_new ? "" : " again");
        call_json(&join->call, is_new ? 201 : 200,
                  json_pack("{s:s, s:s, s:O}", "id", join->id, "origin",
                            join->origin, "keys", join->keys));
    }
    call_end(&join->call);
}

static void
on_document(void *arg, int rc, struct site_document *document, const char *why)
{
    struct join *join = arg;

    join->fetch = NULL;
    join->keys = json_array();
    for (size_t i = 0; rc == 0 && i < document->keys.count; i++)
        json_array_append_new(join->keys,
                              json_string(ol_key_id(document->keys.keys[i])));
    if (rc == 0) {
        site_document_clear(document);
        rc = store_site_put(join->call.app->store, join->id, join->origin,
                            app_now(), on_put, join);
        if (rc == 0)
            return;
        call_busy(&join->call, "the store is away");
    } else if (rc == -EAGAIN) {
        call_busy(&join->call, "too many sites join at once");
    } else {
        call_error(&join->call, 403, "%.100s: %s", join->origin, why);
    }
    call_end(&join->call);
}

/* {"origin": "https://example.org"} in its canonical form. */
static int
origin_decode(struct http_request *request, struct ol_origin *ret,
              struct ol_error *err)
{
    const char *body, *text;
    json_t *json;
    size_t len;
    int rc;

    body = http_body(request, &len);
    if (len > JOIN_MAX)
        return ol_error_set(err, EBADMSG, "a request may have %d bytes",
                            JOIN_MAX);
    json = ol_json_parse(body, len, err);
    if (json == NULL)
        return -EBADMSG;
    rc = ol_json_string(json, "origin", OL_ORIGIN_MAX, &text, err);
    if (rc == 0)
        rc = ol_origin_parse_bare(text, strlen(text), ret, err);
    if (rc == 0 && !ol_origin_port_ok(ret))
        rc = ol_error_set(err, EBADMSG,
                          "origin: port %u, only 80, 443 and from 1024 on",
                          ret->port);
    json_decref(json);
    return rc;
}

void
join_request(struct app *app, struct http_request *request)
{
    struct ol_error err = {""};
    struct ol_origin origin;
    struct join *join;
    int rc;

    if (origin_decode(request, &origin, &err) != 0) {
        reply_error(request, 400, "%s", err.text);
        return;
    }
    if (app->joins >= JOIN_ACTIVE || !store_is_up(app->store) ||
        !sites_have_room(app->sites)) {
        reply_busy(request, store_is_up(app->store)
                                ? "no more sites can join now"
                                : "the store is away");
        return;
    }
    if (!app_may_call(app, request, origin.text)) {
        reply_slow(request, "too many sites from there, or of that name");
        return;
    }
    join = call_begin(app, request, sizeof(*join));
    if (join == NULL)
        return;
    join->call.release = join_release;
    join->counted = true;
    app->joins++;
    memcpy(join->origin, origin.text, sizeof(join->origin));
    site_id(join->origin, join->id);
    rc = site_fetch_start(app, join->origin, on_document, join, &join->fetch);
    if (rc == 0)
        return;
    if (rc == -EAGAIN)
        call_busy(&join->call, "too many sites join at once");
    else
        call_error(&join->call, 400, "%.100s cannot be fetched", join->origin);
    call_end(&join->call);
}

/* GET /v1/sites/{id} */

struct show {
    struct call call;
    char id[SITE_ID_CHARS + 1];
};

static void
on_site(void *arg, int rc, const struct store_site *site)
{
    struct show *show = arg;

    if (rc == 0)
        call_json(&show->call, 200,
                  json_pack("{s:s, s:s, s:I, s:I, s:s, s:I}", "id", show->id,
                            "origin", site->iss, "joined",
                            (json_int_t)site->joined, "synced",
                            (json_int_t)site->synced, "epoch", site->epoch,
                            "contents", (json_int_t)site->contents));
    else if (rc == -ENOENT)
        call_error(&show->call, 404, "no such site has joined");
    else
        call_busy(&show->call, "the store is away");
    call_end(&show->call);
}

void
site_show(struct app *app, struct http_request *request, const char *id)
{
    uint8_t raw[OL_HASH_BYTES];
    struct show *show;

    if (ol_hex_decode(raw, sizeof(raw), id, strlen(id)) != 0) {
        reply_error(request, 404, "site: not %d lower-case hex characters",
                    SITE_ID_CHARS);
        return;
    }
    show = call_begin(app, request, sizeof(*show));
    if (show == NULL)
        return;
    memcpy(show->id, id, sizeof(show->id));
    if (store_site_get(app->store, show->id, on_site, show) != 0) {
        call_busy(&show->call, "the store is away");
        call_end(&show->call);
    }
}
