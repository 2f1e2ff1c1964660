/*
 * A site's present manifest for a path (latest.h).
 *
 * Owns: the request, and the order key set, signature, time, names.  Must not
 * know what the manifest is wanted for.
 */
#include "node/latest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "offload/jws.h"

struct latest {
    struct site *site;
    struct site_waiter waiter;
    struct fetch *fetch;
    char sub[OL_SUB_MAX + 1];
    char *token;
    size_t token_len;
    int64_t date;    /* by the origin's clock */
    int early;       /* -errno known from the head of the answer */
    bool keys_again; /* fetched once more for an unknown kid */
    void (*done)(void *arg, struct latest_result *result);
    void *arg;
};

int
latest_url(const char *iss, const char *sub, char *dst, size_t cap)
{
    size_t len = strlen(iss);

    if (len >= cap)
        return -ENAMETOOLONG;
    memcpy(dst, iss, len);
    return ol_subject_encode(sub, strlen(sub), dst + len, cap - len);
}

static void
latest_free(struct latest *l)
{
    site_release(l->site);
    free(l->token);
    free(l);
}

static void
finish(struct latest *l, struct latest_result *result)
{
    result->token = l->token;
    result->token_len = l->token_len;
    l->done(l->arg, result);
    ol_manifest_clear(&result->manifest);
    latest_free(l);
}

static void verify(struct latest *l);

static void
on_keys(struct site_waiter *waiter, int error)
{
    struct latest *l =
        (struct latest *)(void *)((char *)waiter -
                                  offsetof(struct latest, waiter));
    struct latest_result result = {.error = error};

    if (error == 0) {
        verify(l);
        return;
    }
    ol_error_set(&result.text, -error, "%s: its keys cannot be fetched",
                 l->site->iss);
    finish(l, &result);
}

static int
check(struct latest *l, struct latest_result *result)
{
    int rc = ol_manifest_open(l->token, l->token_len, &l->site->keys, l->date,
                              &result->manifest, &result->text);

    if (rc != 0)
        return rc;
    if (strcmp(result->manifest.iss, l->site->iss) != 0)
        return ol_error_set(&result->text, EBADMSG, "manifest: iss is %s",
                            result->manifest.iss);
    if (strcmp(result->manifest.sub, l->sub) != 0)
        return ol_error_set(&result->text, EBADMSG, "manifest: sub is %s",
                            result->manifest.sub);
    return 0;
}

static void
verify(struct latest *l)
{
    struct latest_result result = {0};
    int rc = site_want_keys(l->site, false, &l->waiter);

    if (rc == 0) {
        rc = check(l, &result);
        if (rc == -ENOKEY && !l->keys_again) {
            l->keys_again = true;
            if (site_want_keys(l->site, true, &l->waiter) == -EINPROGRESS)
                return;
        }
    } else if (rc != -EINPROGRESS) {
        ol_error_set(&result.text, -rc, "%s: its keys could not be fetched",
                     l->site->iss);
        rc = -EHOSTUNREACH;
    }
    if (rc == -EINPROGRESS)
        return;
    result.error = rc;
    finish(l, &result);
}

static bool
is_manifest(const char *type)
{
    size_t len = strlen(OL_MANIFEST_TYPE);

    return type != NULL && strncasecmp(type, OL_MANIFEST_TYPE, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* A file in place of a manifest is not read. */
static int
on_head(struct fetch *fetch, int status, void *arg)
{
    struct latest *l = arg;
    const char *why = fetch_header(fetch, "Offload-Status");

    if (status == 200 && is_manifest(fetch_header(fetch, "Content-Type")))
        return 0;
    if (status == 200 && why != NULL)
        l->early = -EAGAIN;
    else if (status < 500 && status != 429)
        l->early = -ENOENT;
    else
        l->early = -EHOSTUNREACH;
    fetch_set_text(fetch, "%s%s: status %d, %s", l->site->iss, l->sub, status,
                   l->early == -EAGAIN ? "no manifest yet" : "no manifest");
    return -1;
}

static void
on_done(struct fetch *fetch, const struct fetch_result *fetched, void *arg)
{
    struct latest *l = arg;
    struct latest_result result = {0};

    (void)fetch;
    l->fetch = NULL;
    result.error = l->early != 0 ? l->early : fetched->error;
    if (result.error == 0) {
        l->token = malloc(fetched->body_len + 1);
        if (l->token == NULL)
            result.error = -ENOMEM;
    }
    if (result.error != 0) {
        ol_error_set(&result.text, -result.error, "%s", fetched->text);
        finish(l, &result);
        return;
    }
    memcpy(l->token, fetched->body, fetched->body_len + 1);
    l->token_len = fetched->body_len;
    l->date = fetched->date != 0 ? fetched->date : time(NULL);
    verify(l);
}

int
latest_start(struct fetcher *fetcher, struct site *site, const char *sub,
             void (*done)(void *arg, struct latest_result *result), void *arg,
             struct latest **ret)
{
    static const char *const headers[] = {"Offload-Fetch: manifest",
                                          "Accept: " OL_MANIFEST_TYPE, NULL};
    char url[LATEST_URL_MAX];
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .max_body = OL_JWS_MAX,
                                    .total_ms = 15000,
                                    .on_head = on_head,
                                    .on_done = on_done};
    struct latest *l;
    int rc = latest_url(site->iss, sub, url, sizeof(url));

    if (rc < 0)
        return rc;
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    request.arg = l;
    rc = fetch_start(fetcher, &request, &l->fetch);
    if (rc != 0) {
        free(l);
        return rc;
    }
    snprintf(l->sub, sizeof(l->sub), "%s", sub);
    l->site = site;
    site->users++;
    l->waiter.done = on_keys;
    l->done = done;
    l->arg = arg;
    *ret = l;
    return 0;
}

void
latest_cancel(struct latest *l)
{
    if (l == NULL)
        return;
    if (l->fetch != NULL)
        fetch_cancel(l->fetch);
    site_cancel(&l->waiter);
    latest_free(l);
}
