/*
 * The questions of an audit, one after another, and what the last answer shows.
 *
 * Asks as `offload get` does, so that a node cannot tell by the request.  Must
 * not know the store, nor what becomes of the node.
 */
#include "coordinator/nodes/audit_probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "coordinator/nodes/audit.h"
#include "offload/encoding.h"
#include "offload/origin.h"
#include "offload/ticket.h"

#define MANIFEST_MAX (256u << 10)
#define MANIFEST_MS 10000
#define TABLE_MS 30000
#define URL_CAP (OL_ORIGIN_MAX + 3 * OL_SUB_MAX + 1)

struct audit_probe {
    struct fetcher *fetcher;
    struct audit_cache *cache;
    struct fetch *fetch; /* under way, or NULL */
    audit_probe_fn *done;
    void *arg;

    char iss[OL_ORIGIN_MAX];
    char sub[OL_SUB_MAX + 1];
    char url[OL_URL_MAX + 1];
    char hex[OL_ROOT_HEX + 1];
    uint8_t root[OL_HASH_BYTES];
    uint64_t size;
    struct ol_keyset keys;
    struct ol_bitmap pieces; /* count 0: all */

    char path[AUDIT_CACHE_PATH];
    uint8_t *table;
    int64_t now; /* when it began, for the manifest's times */
    uint32_t random, piece;
    uint64_t told; /* its size, by the node; 0: it did not say */
    uint64_t started_ns, rate;
    char why[160];
};

uint32_t
audit_pick(const struct ol_bitmap *pieces, uint32_t count, uint32_t random)
{
    uint32_t at, steps;

    if (count == 0)
        return UINT32_MAX;
    if (pieces == NULL)
        return random % count;
    if (pieces->set == 0)
        return UINT32_MAX;
    at = ol_bitmap_find(pieces, 0, true);
    for (steps = random % pieces->set; steps > 0; steps--)
        at = ol_bitmap_find(pieces, at + 1, true);
    return at;
}

/* Outcome. */

static void
probe_end(struct audit_probe *p, enum audit_result result, const char *why)
{
    snprintf(p->why, sizeof(p->why), "%s", why);
    p->done(p->arg, result);
}

static void
probe_fetch(struct audit_probe *p, const struct fetch_request *request)
{
    int rc = fetch_start(p->fetcher, request, &p->fetch);

    if (rc != 0)
        probe_end(p, rc == -EINVAL ? AUDIT_FAILED : AUDIT_UNKNOWN,
                  "it cannot be asked");
}

/* 3: the piece. */

static const struct ol_bitmap *
probe_pieces(const struct audit_probe *p)
{
    return p->pieces.count == 0 ? NULL : &p->pieces;
}

/* The total, at the end of "bytes 0-1/2". */
static int
on_piece_head(struct fetch *fetch, int status, void *arg)
{
    const char *range = fetch_header(fetch, "Content-Range");
    const char *slash = range == NULL ? NULL : strchr(range, '/');
    struct audit_probe *p = arg;

    (void)status;
    p->told = slash == NULL ? 0 : strtoull(slash + 1, NULL, 10);
    return 0;
}

/*
 * A site may say that the content has another size, or give a ticket that the
 * node has no reason to take: of that nothing follows for the node.
 */
static bool
piece_is_disputed(const struct audit_probe *p, int status)
{
    return status == 403 || ((status == 206 || status == 416) && p->told != 0 &&
                             p->told != p->size);
}

static enum audit_result
piece_judge(struct audit_probe *p, const struct fetch_result *result)
{
    if (result->error != 0)
        snprintf(p->why, sizeof(p->why), "%s", result->text);
    else
        snprintf(p->why, sizeof(p->why), "it answers a range with status %d",
                 result->status);
    if (piece_is_disputed(p, result->status))
        return AUDIT_UNKNOWN;
    if (result->error == -EMSGSIZE)
        return AUDIT_FAILED;
    if (result->error == -EAGAIN || result->error == -ENOMEM ||
        result->status == 503 || result->status == 429)
        return AUDIT_UNKNOWN; /* it is busy, and says so; or this process is */
    if (result->error != 0)
        return AUDIT_FAILED;
    if (result->status == 404 || result->status == 410)
        return AUDIT_GONE;
    if (result->status != 206 ||
        result->body_len != ol_piece_length(p->size, p->piece))
        return AUDIT_FAILED;
    return ol_piece_check(p->table, p->size, p->piece, result->body,
                          result->body_len) == 0
               ? AUDIT_PASSED
               : AUDIT_WRONG_BYTES;
}

static void
on_piece(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct audit_probe *p = arg;
    uint64_t ns = uv_hrtime() - p->started_ns;
    enum audit_result outcome = piece_judge(p, result);

    (void)fetch;
    p->fetch = NULL;
    if (outcome == AUDIT_FAILED && ns / 1000000 >= AUDIT_TOTAL_MS)
        outcome = AUDIT_UNKNOWN; /* it is slow, but not silent */
    if (outcome == AUDIT_PASSED)
        p->rate = (uint64_t)result->body_len * 1000000 / (ns / 1000 + 1);
    p->done(p->arg, outcome);
}

static void
piece_ask(struct audit_probe *p)
{
    char url[OL_URL_MAX + sizeof(p->path)], range[64];
    const char *const headers[] = {range, NULL};
    uint64_t from;
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .total_ms = AUDIT_TOTAL_MS,
                                    .on_head = on_piece_head,
                                    .on_done = on_piece,
                                    .arg = p};

    p->piece = audit_pick(probe_pieces(p), ol_piece_count(p->size), p->random);
    from = (uint64_t)p->piece * ol_piece_size(p->size);
    request.max_body = ol_piece_length(p->size, p->piece);
    snprintf(url, sizeof(url), "%s%s", p->url, p->path);
    snprintf(range, sizeof(range), "Range: bytes=%llu-%llu",
             (unsigned long long)from,
             (unsigned long long)(from + request.max_body - 1));
    p->told = 0;
    p->started_ns = uv_hrtime();
    probe_fetch(p, &request);
}

void
audit_probe_again(struct audit_probe *p, uint32_t random)
{
    p->random = random;
    piece_ask(p);
}

/* 2: the table, if the manifest is too small for it. */

static int
table_take(struct audit_probe *p, const void *table, size_t len)
{
    if (ol_table_check(table, len, p->size, p->root, NULL) != 0)
        return -EBADMSG;
    p->table = malloc(len);
    if (p->table == NULL)
        return -ENOMEM;
    memcpy(p->table, table, len);
    audit_cache_put(p->cache, p->iss, p->root, p->path, p->table, len, p->now);
    return 0;
}

static void
on_table(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct audit_probe *p = arg;

    (void)fetch;
    p->fetch = NULL;
    if (result->error == 0 && result->status == 200 &&
        table_take(p, result->body, result->body_len) == 0)
        piece_ask(p);
    else
        probe_end(p, AUDIT_UNKNOWN, "its site gives no table");
}

static void
table_ask(struct audit_probe *p)
{
    char url[OL_ORIGIN_MAX + 128];
    const struct fetch_request request = {
        .url = url,
        .max_body = (size_t)ol_piece_count(p->size) * OL_HASH_BYTES,
        .total_ms = TABLE_MS,
        .on_done = on_table,
        .arg = p};

    snprintf(url, sizeof(url), "%s/.well-known/offload/pieces/%s", p->iss,
             p->hex);
    probe_fetch(p, &request);
}

/* 1: the manifest. */

/* A node may refuse what has no good ticket of the site. */
static int
path_check(const struct audit_probe *p, int64_t now)
{
    const char *query = strchr(p->path, '?');

    return query == NULL ? -EBADMSG
                         : ol_ticket_check(&p->keys, p->root, query + 1,
                                           strlen(query + 1), now, NULL);
}

static int
manifest_take(struct audit_probe *p, const struct ol_manifest *m)
{
    if (memcmp(m->root, p->root, sizeof(p->root)) != 0 || m->size != p->size ||
        strlen(m->path) >= sizeof(p->path))
        return -ESTALE; /* the file is another one now */
    memcpy(p->path, m->path, strlen(m->path) + 1);
    if (path_check(p, p->now) != 0)
        return -EBADMSG;
    return m->table == NULL
               ? 0
               : table_take(p, m->table,
                            (size_t)ol_piece_count(m->size) * OL_HASH_BYTES);
}

static void
on_manifest(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct audit_probe *p = arg;
    struct ol_manifest m;
    int rc;

    (void)fetch;
    p->fetch = NULL;
    if (result->error != 0 || result->status != 200 ||
        ol_manifest_open(result->body, result->body_len, &p->keys, p->now, &m,
                         NULL) != 0) {
        probe_end(p, AUDIT_UNKNOWN, "its site gives no manifest");
        return;
    }
    rc = manifest_take(p, &m);
    ol_manifest_clear(&m);
    if (rc != 0)
        probe_end(p, AUDIT_UNKNOWN,
                  "its site has another version now, or no good ticket");
    else if (p->table == NULL)
        table_ask(p);
    else
        piece_ask(p);
}

/* The file itself may come in place of a manifest: it need not be read. */
static int
on_manifest_head(struct fetch *fetch, int status, void *arg)
{
    const char *type = fetch_header(fetch, "Content-Type");

    (void)arg;
    return status == 200 && type != NULL &&
                   strcasecmp(type, OL_MANIFEST_TYPE) == 0
               ? 0
               : -1;
}

void
audit_probe_start(struct audit_probe *p, uint32_t random, int64_t now)
{
    static const char *const headers[] = {"Offload-Fetch: manifest", NULL};
    char url[URL_CAP];
    const struct fetch_request request = {.url = url,
                                          .headers = headers,
                                          .max_body = MANIFEST_MAX,
                                          .total_ms = MANIFEST_MS,
                                          .on_head = on_manifest_head,
                                          .on_done = on_manifest,
                                          .arg = p};
    const struct audit_known *known =
        audit_cache_find(p->cache, p->iss, p->root, now);
    size_t len = strlen(p->iss);

    p->random = random;
    p->now = now;
    if (known != NULL) {
        memcpy(p->path, known->path, sizeof(p->path));
        if (path_check(p, now) == 0 &&
            table_take(p, known->table, known->table_len) == 0) {
            piece_ask(p);
            return;
        }
    }
    memcpy(url, p->iss, len);
    if (ol_subject_encode(p->sub, strlen(p->sub), url + len,
                          sizeof(url) - len) < 0)
        probe_end(p, AUDIT_UNKNOWN, "its path is too long");
    else
        probe_fetch(p, &request);
}

/* Creation. */

static int
keys_copy(const struct ol_keyset *from, struct ol_keyset *to)
{
    int rc = 0;

    for (size_t i = 0; i < from->count && rc == 0; i++) {
        rc = ol_key_from_x(ol_key_x(from->keys[i]), OL_KEY_CHARS, &to->keys[i],
                           NULL);
        to->count += rc == 0;
    }
    return rc;
}

int
audit_probe_create(struct fetcher *fetcher, struct audit_cache *cache,
                   const struct audit_target *t, audit_probe_fn *done,
                   void *arg, struct audit_probe **ret)
{
    struct audit_probe *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return -ENOMEM;
    p->fetcher = fetcher;
    p->cache = cache;
    p->done = done;
    p->arg = arg;
    p->size = t->size;
    if ((size_t)snprintf(p->iss, sizeof(p->iss), "%s", t->iss) >=
            sizeof(p->iss) ||
        (size_t)snprintf(p->sub, sizeof(p->sub), "%s", t->sub) >=
            sizeof(p->sub) ||
        (size_t)snprintf(p->url, sizeof(p->url), "%s", t->url) >=
            sizeof(p->url) ||
        (size_t)snprintf(p->hex, sizeof(p->hex), "%s", t->root) >=
            sizeof(p->hex) ||
        ol_hex_decode(p->root, sizeof(p->root), t->root, OL_ROOT_HEX) != 0 ||
        keys_copy(t->keys, &p->keys) != 0) {
        audit_probe_free(p);
        return -EINVAL;
    }
    *ret = p;
    return 0;
}

void
audit_probe_free(struct audit_probe *p)
{
    if (p == NULL)
        return;
    if (p->fetch != NULL)
        fetch_cancel(p->fetch);
    ol_keyset_clear(&p->keys);
    ol_bitmap_clear(&p->pieces);
    free(p->table);
    free(p);
}

void
audit_probe_pieces(struct audit_probe *p, struct ol_bitmap *take)
{
    p->pieces = *take;
    memset(take, 0, sizeof(*take));
}

uint32_t
audit_probe_piece(const struct audit_probe *p)
{
    return p->piece;
}

uint64_t
audit_probe_rate(const struct audit_probe *p)
{
    return p->rate;
}

const char *
audit_probe_why(const struct audit_probe *p)
{
    return p->why;
}
