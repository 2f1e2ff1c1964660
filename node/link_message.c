/*
 * Messages to a coordinator (link.h).
 *
 * Owns: the envelope, seq, the clock's offset, and the pause after a failure.
 * Must not know what the messages say.
 */
#include "node/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/log.h"
#include "offload/json.h"
#include "offload/jws.h"

#define ANSWER_MS 5000 /* for an answer, beyond being held */
#define LIFE_S 60      /* of a signed message */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define REFUSED_MAX_MS 600000
#define REFUSED_SAID_MS 60000
#define RETRY_MAX_S 60 /* of a Retry-After */

int64_t
link_clock(const struct link *link)
{
    return time(NULL) + link->offset_s;
}

const char *
link_id(const struct link *link)
{
    return link->keys.count == 0 ? NULL : ol_key_id(link->keys.keys[0]);
}

static unsigned
retry_after(struct fetch *fetch)
{
    const char *text =
        fetch == NULL ? NULL : fetch_header(fetch, "Retry-After");
    unsigned long seconds = text == NULL ? 0 : strtoul(text, NULL, 10);

    return seconds < RETRY_MAX_S ? (unsigned)seconds : RETRY_MAX_S;
}

/* Half to all of what doubles with each failure, from `least` to `bound`. */
static uint64_t
pause_next(struct link *link, uint64_t least, uint64_t bound)
{
    uint64_t most = BACKOFF_MIN_MS
                    << (link->failures < 10 ? link->failures : 10);
    uint32_t random = 0;

    if (most > bound)
        most = bound;
    if (most < least)
        most = least;
    link->failures++;
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    return most / 2 + random % (most / 2 + 1);
}

uint64_t
link_backoff(struct link *link, struct fetch *fetch)
{
    return pause_next(link, 2 * (uint64_t)retry_after(fetch) * 1000,
                      BACKOFF_MAX_MS);
}

uint64_t
link_refused(struct link *link, const char *what, const char *why)
{
    uint64_t now = link_now_ms(link);

    if (link->refused_ms == 0 || now - link->refused_ms >= REFUSED_SAID_MS) {
        log_warn("coordinator %s %s: %s", link->url, what, why);
        link->refused_ms = now;
    }
    return pause_next(link, 0, REFUSED_MAX_MS);
}

void
link_complain(struct link *link, const char *what, const char *why)
{
    static struct log_kind kind = {.name = "coordinator"};

    log_limited(&kind, LOG_WARN_, "coordinator %s: %s: %s", link->url, what,
                why);
}

uint64_t
link_next_seq(struct link *link)
{
    struct timespec now;
    uint64_t ms;

    clock_gettime(CLOCK_REALTIME, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    link->seq = ms > link->seq ? ms : link->seq + 1;
    return link->seq;
}

json_t *
link_envelope(const struct link *link)
{
    int64_t now = link_clock(link);

    return json_pack("{s:s, s:s, s:I, s:I}", "iss",
                     ol_key_id(link->links->node->key), "aud", link_id(link),
                     "iat", (json_int_t)now, "exp", (json_int_t)now + LIFE_S);
}

int
link_post(struct link *link, const char *path, const char *typ, json_t *message,
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

void
link_learn(struct link *link, const struct fetch_result *result,
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
