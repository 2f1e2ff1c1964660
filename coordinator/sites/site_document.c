/*
 * What a site says of itself: fetches its keys, then its signed document, and
 * checks that it names this coordinator.
 *
 * Must not know who asks, nor Redis.
 */
#include "coordinator/sites/site_document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/json.h"
#include "offload/jws.h"
#include "offload/manifest.h"
#include "offload/origin.h"

#define FETCH_MS 5000
#define NAMES_MAX 64
#define COORDINATORS_MAX 16
#define WELL_KNOWN "/.well-known/offload/"

void
site_document_clear(struct site_document *document)
{
    ol_keyset_clear(&document->keys);
    for (size_t i = 0; i < document->sync_count; i++)
        free(document->sync[i]);
    document->sync_count = 0;
}

static int
names_check(const json_t *payload, const char *origin, struct ol_error *err)
{
    json_t *names;
    const char *first;

    if (ol_claims_check_string(payload, "iss", origin, err) != 0)
        return -EBADMSG;
    if (ol_json_array(payload, "names", NAMES_MAX, &names, err) != 0)
        return -EBADMSG;
    first = json_string_value(json_array_get(names, 0));
    if (first == NULL || strcmp(first, origin) != 0)
        return ol_error_set(err, EBADMSG,
                            "names: the site names \"%.100s\" first",
                            first == NULL ? "" : first);
    return 0;
}

static int
coordinators_check(const json_t *payload, const char *id, struct ol_error *err)
{
    json_t *list, *entry;
    const char *named;
    size_t i;

    if (ol_json_array(payload, "coordinators", COORDINATORS_MAX, &list, err) !=
        0)
        return -EBADMSG;
    json_array_foreach(list, i, entry)
    {
        named = json_string_value(json_object_get(entry, "id"));
        if (named != NULL && strcmp(named, id) == 0)
            return 0;
    }
    return ol_error_set(
        err, EBADMSG, "coordinators: the site does not name this one, %s", id);
}

static int
sync_read(const json_t *payload, struct site_document *ret,
          struct ol_error *err)
{
    struct ol_origin origin;
    json_t *list, *entry;
    const char *url;
    size_t i;

    if (ol_json_array(payload, "sync", SITE_INSTANCES, &list, err) != 0)
        return -EBADMSG;
    json_array_foreach(list, i, entry)
    {
        url = json_string_value(entry);
        if (url == NULL || strlen(url) > OL_URL_MAX ||
            ol_origin_parse(url, strlen(url), &origin, err) != 0)
            return ol_error_set(err, EBADMSG, "sync: not an http(s) URL");
        ret->sync[i] = strdup(url);
        if (ret->sync[i] == NULL)
            return -ENOMEM;
        ret->sync_count++;
    }
    if (ret->sync_count == 0)
        return ol_error_set(err, EBADMSG, "sync: no URL");
    return 0;
}

int
site_document_parse(const char *token, size_t len, const struct ol_keyset *keys,
                    const char *origin, const char *id, int64_t now,
                    struct site_document *ret, struct ol_error *err)
{
    struct site_document document = {.sync_count = 0};
    struct ol_jws jws;
    int rc;

    rc = ol_jws_open(token, len, OL_TYP_SITE, keys, &jws, err);
    if (rc != 0)
        return rc;
    rc = ol_claims_check_time(jws.payload, now, err);
    if (rc == 0)
        rc = names_check(jws.payload, origin, err);
    if (rc == 0)
        rc = coordinators_check(jws.payload, id, err);
    if (rc == 0)
        rc = sync_read(jws.payload, &document, err);
    document.exp = json_integer_value(json_object_get(jws.payload, "exp"));
    ol_jws_clear(&jws);
    if (rc == 0)
        *ret = document;
    else
        site_document_clear(&document);
    return rc;
}

/* Fetching. */

struct site_fetch {
    struct app *app;
    struct fetch *fetch;
    char origin[OL_ORIGIN_MAX];
    struct ol_keyset keys;
    site_fetch_fn *done;
    void *arg;
};

static void on_key(struct fetch *fetch, const struct fetch_result *result,
                   void *arg);
static void on_site(struct fetch *fetch, const struct fetch_result *result,
                    void *arg);

static int
part_fetch(struct site_fetch *f, const char *part,
           void (*done)(struct fetch *fetch, const struct fetch_result *result,
                        void *arg))
{
    char url[OL_ORIGIN_MAX + 64];
    const struct fetch_request request = {
        .url = url, .total_ms = FETCH_MS, .on_done = done, .arg = f};

    snprintf(url, sizeof(url), "%s" WELL_KNOWN "%s", f->origin, part);
    return fetch_start(f->app->control, &request, &f->fetch);
}

static void
site_fetch_free(struct site_fetch *f)
{
    ol_keyset_clear(&f->keys);
    free(f);
}

static void
site_fetch_end(struct site_fetch *f, int rc, struct site_document *document,
               const char *why)
{
    f->done(f->arg, rc, document, why);
    site_fetch_free(f);
}

/* 0, or -EIO with the reason. */
static int
answer_check(const struct fetch_result *result, const char *part,
             struct ol_error *err)
{
    if (result->error != 0)
        return ol_error_set(err, EIO, "%s: %s", part, result->text);
    if (result->status != 200)
        return ol_error_set(err, EIO, "%s: status %d", part, result->status);
    return 0;
}

static void
on_site(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct site_fetch *f = arg;
    struct site_document document;
    struct ol_error err = {""};
    int rc;

    (void)fetch;
    f->fetch = NULL;
    rc = answer_check(result, WELL_KNOWN "site", &err);
    if (rc == 0 &&
        site_document_parse(result->body, result->body_len, &f->keys, f->origin,
                            app_id(f->app), app_now(), &document, &err) != 0)
        rc = -EBADMSG;
    if (rc != 0) {
        site_fetch_end(f, rc, NULL, err.text);
        return;
    }
    document.keys = f->keys;
    f->keys.count = 0;
    site_fetch_end(f, 0, &document, "");
}

static void
on_key(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct site_fetch *f = arg;
    struct ol_error err = {""};
    int rc;

    (void)fetch;
    f->fetch = NULL;
    rc = answer_check(result, WELL_KNOWN "key", &err);
    if (rc == 0)
        rc = ol_keyset_parse(result->body, result->body_len, &f->keys, &err);
    if (rc == 0)
        rc = part_fetch(f, "site", on_site);
    if (rc != 0)
        site_fetch_end(f, rc, NULL, err.text);
}

int
site_fetch_start(struct app *app, const char *origin, site_fetch_fn *done,
                 void *arg, struct site_fetch **ret)
{
    struct site_fetch *f = calloc(1, sizeof(*f));
    int rc;

    if (f == NULL)
        return -EAGAIN;
    f->app = app;
    f->done = done;
    f->arg = arg;
    snprintf(f->origin, sizeof(f->origin), "%s", origin);
    rc = part_fetch(f, "key", on_key);
    if (rc != 0)
        site_fetch_free(f);
    else
        *ret = f;
    return rc;
}

void
site_fetch_cancel(struct site_fetch *f)
{
    if (f == NULL)
        return;
    if (f->fetch != NULL)
        fetch_cancel(f->fetch);
    site_fetch_free(f);
}
