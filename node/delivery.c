/*
 * The answer to one request for the bytes of a content (delivery.h).
 *
 * Owns: the way of a request: open, decide the range, ticket, first missing
 * piece, answer; and the pieces wanted ahead of the reader.  Must not know
 * where pieces come from.
 */
#include "node/delivery.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node/head.h"
#include "node/node.h"
#include "node/pull.h"
#include "node/range.h"
#include "node/rate.h"
#include "node/served.h"
#include "node/tickets.h"
#include "node/withdrawal.h"

#define AHEAD_MAX 8            /* pieces wanted ahead of the reader */
#define AHEAD_BYTES (8u << 20) /* but no more than these, or one piece */
#define HAVE_TEXT_MAX 1024     /* characters of Offload-Have */
#define SRI_SPARE_S 302400     /* half a week: then a newer one is fetched */

struct ahead {
    struct delivery *delivery;
    struct want want;
    uint32_t index;
};

struct delivery {
    struct node *node;
    struct http_request *request;
    struct content *content; /* held */
    bool table;              /* the piece table is asked for */
    struct range range;
    struct content_waiter opening;
    struct site *site; /* whose ticket it may be */
    size_t sites_asked;
    struct site_waiter keys;
    bool ticket;   /* it is `site`'s */
    bool may_pull; /* so is the ticket, and the content is assigned */
    bool hop;
    bool streaming; /* the head has gone */
    int error;      /* why no more pieces come */
    struct ahead ahead[AHEAD_MAX];
    struct rate_waiter rate;
    uint32_t payer; /* place of the site for which it is sent, SERVED_NONE */
};

static void deliver(struct delivery *d);

static void
delivery_free(struct delivery *d)
{
    content_open_cancel(d->content, &d->opening);
    site_cancel(&d->keys);
    site_release(d->site);
    for (size_t i = 0; i < AHEAD_MAX; i++)
        pull_unwant(&d->ahead[i].want);
    rate_cancel(d->node->rate, &d->rate);
    content_release(d->node->contents, d->content);
    d->node->requests--;
    free(d);
}

static void
on_client_gone(struct http_request *request, void *context)
{
    (void)request;
    delivery_free(context);
}

/* Refusals */

static void
refuse(struct delivery *d, int status, const char *text)
{
    http_reply_error(d->request, status, "%s", text);
    delivery_free(d);
}

/* 503 with what is here, so that the client asks for that, or elsewhere. */
static void
refuse_lacking(struct delivery *d, const char *text)
{
    static const char json[] = "{\"error\":\"%s\"}";
    char have[HAVE_TEXT_MAX + 32] = "", body[256];
    const char *headers[] = {"Content-Type: application/json",
                             HEAD_NO_STORE,
                             "Retry-After: 2",
                             HEAD_CORS,
                             HEAD_EXPOSE,
                             NULL,
                             NULL};
    char *bitmap = ol_bitmap_dump(&d->content->have);

    if (bitmap != NULL && strlen(bitmap) <= HAVE_TEXT_MAX) {
        snprintf(have, sizeof(have), "Offload-Have: %s", bitmap);
        headers[5] = have;
    }
    free(bitmap);
    snprintf(body, sizeof(body), json, text);
    http_reply(d->request, 503, headers, body, strlen(body));
    delivery_free(d);
}

static void
refuse_error(struct delivery *d, int error)
{
    if (error == -ESTALE)
        refuse(d, 410,
               "this content has changed at its site; ask the site "
               "for a new manifest");
    else if (error == -ENOSPC)
        refuse_lacking(d, "no room for more pieces");
    else if (error == -EBUSY)
        refuse_lacking(d, "too many pieces are being fetched");
    else
        refuse_lacking(d, "pieces are missing and cannot be fetched now");
}

/* Pieces ahead of the reader */

static uint32_t
piece_at(const struct delivery *d, uint64_t offset)
{
    return (uint32_t)(offset / ol_piece_size(d->content->size));
}

static void
on_piece(struct want *want, int error)
{
    struct ahead *ahead =
        (struct ahead *)(void *)((char *)want - offsetof(struct ahead, want));
    struct delivery *d = ahead->delivery;

    if (error != 0 && d->error == 0)
        d->error = error;
    if (d->streaming)
        http_stream_wake(d->request);
    else
        deliver(d); /* look again */
}

static bool
is_wanted(const struct delivery *d, uint32_t index)
{
    for (size_t i = 0; i < AHEAD_MAX; i++)
        if (d->ahead[i].want.pull != NULL && d->ahead[i].index == index)
            return true;
    return false;
}

static struct ahead *
free_ahead(struct delivery *d)
{
    for (size_t i = 0; i < AHEAD_MAX; i++)
        if (d->ahead[i].want.pull == NULL)
            return &d->ahead[i];
    return NULL;
}

static int
want_piece(struct delivery *d, uint32_t index)
{
    struct ahead *ahead = free_ahead(d);

    if (ahead == NULL)
        return -EBUSY;
    ahead->delivery = d;
    ahead->index = index;
    ahead->want.done = on_piece;
    ahead->want.kind = !d->may_pull ? WANT_CHECK
                       : d->hop     ? WANT_HOP
                                    : WANT_DEMAND;
    return pull_want(d->node->puller, d->content, index, &ahead->want);
}

/* Wants what the reader will need next; -errno: not even `first` will come. */
static int
want_ahead(struct delivery *d, uint32_t first)
{
    uint32_t last = piece_at(d, d->range.last);
    uint32_t window = AHEAD_BYTES / ol_piece_size(d->content->size);
    int rc = 0;

    if (window > AHEAD_MAX)
        window = AHEAD_MAX;
    if (window == 0)
        window = 1;
    if (last - first >= window)
        last = first + window - 1;
    for (uint32_t i = first; i <= last; i++) {
        if (content_ready(d->content, i) || is_wanted(d, i))
            continue;
        rc = want_piece(d, i);
        if (rc != 0)
            return i == first ? rc : 0;
    }
    return 0;
}

/* The body */

static ssize_t
read_body(void *arg, uint64_t pos, char *dst, size_t max)
{
    struct delivery *d = arg;
    uint64_t offset = d->range.first + pos;
    uint32_t index = piece_at(d, offset);
    uint64_t end = (uint64_t)index * ol_piece_size(d->content->size) +
                   ol_piece_length(d->content->size, index);
    ssize_t n;

    if (!content_ready(d->content, index)) {
        if (is_wanted(d, index))
            return 0;
        if (d->error != 0 || want_ahead(d, index) != 0)
            return -1;
        return 0;
    }
    if (offset % ol_piece_size(d->content->size) == 0 && d->error == 0)
        want_ahead(d, index);
    if (max > end - offset)
        max = (size_t)(end - offset);
    max = rate_take(d->node->rate, max, &d->rate);
    if (max == 0)
        return 0;
    n = pread(d->content->open->file.fd, dst, max, (off_t)offset);
    if (n > 0) {
        served_add(d->node->served, d->payer, (uint64_t)n);
        return n;
    }
    content_doubt(d->content, index); /* 0: somebody has cut the file */
    return -1;
}

static void
on_rate(struct rate_waiter *waiter)
{
    struct delivery *d =
        (struct delivery *)(void *)((char *)waiter -
                                    offsetof(struct delivery, rate));

    http_stream_wake(d->request);
}

static void
close_body(void *arg)
{
    delivery_free(arg);
}

/* The decision */

/* The name in the path, still encoded; "": none. */
static const char *
name_of(const struct delivery *d)
{
    const char *name = http_path(d->request) + 3 + OL_ROOT_HEX;

    return *name == '/' ? name + 1 : name;
}

/* A browser that wants a signature comes again, or another one does. */
static void
renew_signature(struct delivery *d)
{
    const char *asked = http_header(d->request, "Accept-Signature");
    const struct ol_manifest *m = &d->content->open->manifest;

    if (asked == NULL || d->range.kind != RANGE_WHOLE || *name_of(d) == '\0' ||
        !ol_sri_type(m->type, strlen(m->type)))
        return;
    if (m->sri_name == NULL ||
        (strcmp(m->sri_name, name_of(d)) == 0 &&
         (m->sri.expires < time(NULL) + SRI_SPARE_S ||
          !ol_sri_asks(asked, strlen(asked), m->sri.key))))
        pull_renew(d->node->puller, d->content);
}

/* Whether it is that site's ticket, as far as its keys are known. */
static bool
ticket_known(struct delivery *d, const char *iss)
{
    struct site *site = site_hold(d->node->sites, iss);
    bool good = site != NULL && site->keys.count > 0 &&
                tickets_check(d->node->tickets, site, d->content->root,
                              http_query(d->request), time(NULL));

    site_release(site);
    return good;
}

/* The site for which it is sent: the ticket's, else the content's first. */
static uint32_t
payer_of(struct delivery *d)
{
    const struct assignment *a = d->content->open->assignment;
    const char *iss = d->ticket ? d->site->iss : a->iss;

    if (d->hop)
        return SERVED_NONE;
    for (size_t i = 0;
         !d->ticket && http_query(d->request) != NULL && i < a->other_count;
         i++)
        if (ticket_known(d, a->others[i].iss))
            iss = a->others[i].iss;
    return served_place(d->node->served, iss);
}

/* Bytes that the system sends from the file. */
struct sending {
    struct served *served;
    uint32_t payer;
    uint64_t len;
};

/* What was cut short is not counted: nobody knows how much of it went. */
static void
on_sent(void *arg, bool whole)
{
    struct sending *sending = arg;

    if (whole)
        served_add(sending->served, sending->payer, sending->len);
    free(sending);
}

static void
count_sending(struct delivery *d, uint64_t len)
{
    struct sending *sending = malloc(sizeof(*sending));

    rate_count(d->node->rate, len);
    if (sending == NULL)
        return;
    *sending = (struct sending){d->node->served, d->payer, len};
    http_set_sent(d->request, on_sent, sending);
}

/* stream: pieces are still to come. */
static void
answer(struct delivery *d, bool stream)
{
    struct node *node = d->node;
    struct http_stream body = {read_body, close_body, d};
    struct head head;
    uint64_t len = d->range.last - d->range.first + 1;
    int status = d->range.kind == RANGE_PART ? 206 : 200;
    bool head_only = strcmp(http_method(d->request), "HEAD") == 0;

    head_fill(&head, d->content, &d->range, name_of(d), time(NULL));
    renew_signature(d);
    if (!head_only)
        d->payer = payer_of(d);
    if (!head_only && (stream || rate_limited(node->rate))) {
        d->streaming = true;
        d->rate.wake = on_rate;
        http_reply_stream(d->request, status, head.lines, len, &body);
        return;
    }
    if (!head_only)
        count_sending(d, len);
    http_reply_fd(d->request, status, head.lines, d->content->open->file.fd,
                  d->range.first, len);
    delivery_free(d);
}

static bool
all_here(const struct delivery *d)
{
    uint32_t last = piece_at(d, d->range.last);

    return content_first_lacking(d->content, piece_at(d, d->range.first),
                                 last) > last;
}

/* Whether some piece of the range is not even on disk. */
static bool
lacks_some(const struct delivery *d)
{
    uint32_t first = piece_at(d, d->range.first);

    return ol_bitmap_find(&d->content->have, first, false) <=
           piece_at(d, d->range.last);
}

/* All that is needed to decide is known. */
static void
deliver(struct delivery *d)
{
    uint32_t first = piece_at(d, d->range.first);
    uint32_t last = piece_at(d, d->range.last);
    uint32_t lacking = content_first_lacking(d->content, first, last);
    int rc;

    if (lacking > last || strcmp(http_method(d->request), "HEAD") == 0) {
        answer(d, false);
    } else if (is_wanted(d, first)) {
        return; /* what became of a later one does not matter yet */
    } else if (d->error != 0) {
        refuse_error(d, d->error);
    } else if (!d->may_pull && lacks_some(d)) {
        refuse_lacking(d, "pieces are missing; without a valid ticket they "
                          "are not fetched");
    } else if (lacking > first) {
        answer(d, true); /* the rest comes while this goes out */
    } else {
        rc = want_ahead(d, lacking);
        if (rc != 0)
            refuse_error(d, rc);
    }
}

static void ask_keys(struct delivery *d);

/* The ticket is judged: of no site of this content, if it is not good. */
static void
judged(struct delivery *d, bool good)
{
    if (!good && d->node->options.require_tickets) {
        refuse(d, 403, "the ticket is not valid; get a new manifest");
        return;
    }
    d->ticket = good;
    d->may_pull = good && d->content->assigned != 0;
    deliver(d);
}

static void
judge_ticket(struct delivery *d)
{
    if (tickets_check(d->node->tickets, d->site, d->content->root,
                      http_query(d->request), time(NULL)))
        judged(d, true);
    else
        ask_keys(d); /* the next site's */
}

static void
on_keys(struct site_waiter *waiter, int error)
{
    struct delivery *d =
        (struct delivery *)(void *)((char *)waiter -
                                    offsetof(struct delivery, keys));

    (void)error; /* without keys no ticket is good */
    judge_ticket(d);
}

/* Site after site: any that signed this content can have given the ticket. */
static void
ask_keys(struct delivery *d)
{
    const struct assignment *a = d->content->open->assignment;
    size_t i = d->sites_asked++;

    site_release(d->site);
    d->site = NULL;
    if (i > a->other_count) {
        judged(d, false);
        return;
    }
    d->site = site_hold(d->node->sites, i == 0 ? a->iss : a->others[i - 1].iss);
    if (d->site == NULL) {
        refuse_lacking(d, "too many sites at a time");
        return;
    }
    d->keys.done = on_keys;
    if (site_want_keys(d->site, false, &d->keys) != -EINPROGRESS)
        judge_ticket(d);
}

/* Asks for keys only if a ticket matters. */
static void
check_ticket(struct delivery *d)
{
    struct node *node = d->node;

    if (!node->options.require_tickets && all_here(d)) {
        deliver(d);
        return;
    }
    if (http_query(d->request) == NULL) {
        if (node->options.require_tickets)
            refuse(d, 403,
                   "this node wants a ticket: use the path of a "
                   "manifest");
        else
            deliver(d);
        return;
    }
    ask_keys(d);
}

static void
not_content(struct delivery *d)
{
    struct head head;
    int status = d->range.kind == RANGE_NOT_MODIFIED ? 304
                 : d->range.kind == RANGE_UNMATCHED  ? 412
                                                     : 416;

    head_fill(&head, d->content, &d->range, name_of(d), time(NULL));
    http_reply(d->request, status, head.lines, NULL, 0);
    delivery_free(d);
}

/* The piece table */

static ssize_t
read_table(void *arg, uint64_t pos, char *dst, size_t max)
{
    struct delivery *d = arg;

    max = rate_take(d->node->rate, max, &d->rate);
    memcpy(dst, d->content->open->file.table + pos, max);
    return (ssize_t)max;
}

static void
answer_table(struct delivery *d)
{
    static const char *const headers[] = {
        "Content-Type: application/octet-stream",
        HEAD_CACHE,
        HEAD_CORS,
        HEAD_NOSNIFF,
        HEAD_POLICY,
        HEAD_SANDBOX,
        NULL};
    struct http_stream stream = {read_table, close_body, d};

    d->streaming = true;
    d->rate.wake = on_rate;
    http_reply_stream(d->request, 200, headers,
                      (uint64_t)d->content->have.count * OL_HASH_BYTES,
                      &stream);
}

/* The way of a request */

static void
begin(struct delivery *d)
{
    struct range_headers headers = {
        http_header(d->request, "Range"),
        http_header(d->request, "If-Range"),
        http_header(d->request, "If-None-Match"),
        http_header(d->request, "If-Match"),
    };
    char etag[OL_ROOT_HEX + 3];

    withdrawal_requested(d->node->withdrawals, d->content);
    if (d->table) {
        answer_table(d);
        return;
    }
    snprintf(etag, sizeof(etag), "\"%s\"", d->content->hex);
    d->range = range_decide(&headers, etag, d->content->size);
    if (d->range.kind != RANGE_WHOLE && d->range.kind != RANGE_PART)
        not_content(d);
    else
        check_ticket(d);
}

static void
on_opened(struct content_waiter *waiter, int error)
{
    struct delivery *d =
        (struct delivery *)(void *)((char *)waiter -
                                    offsetof(struct delivery, opening));

    if (error == -ESTALE)
        refuse_error(d, error);
    else if (error != 0)
        refuse_lacking(d, "the storage cannot be read");
    else
        begin(d);
}

static void
start(struct node *node, struct http_request *request, struct content *content,
      bool table)
{
    struct delivery *d = calloc(1, sizeof(*d));
    const char *hop = http_header(request, "Offload-Hop");

    if (d == NULL) {
        http_reply_error(request, 503, "out of memory");
        return;
    }
    d->node = node;
    d->request = request;
    d->content = content;
    d->table = table;
    d->hop = hop != NULL && strcmp(hop, "1") == 0;
    node->requests++;
    content_hold(node->contents, content);
    http_set_context(request, d, on_client_gone);
    if (!table)
        content_touch(node->contents, content);
    d->opening.done = on_opened;
    if (content->open != NULL)
        begin(d);
    else
        content_open(node->contents, content, &d->opening);
}

void
delivery_start(struct node *node, struct http_request *request,
               struct content *content)
{
    start(node, request, content, false);
}

void
delivery_table(struct node *node, struct http_request *request,
               struct content *content)
{
    start(node, request, content, true);
}
