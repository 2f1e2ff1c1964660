/*
 * GET /announce and /scrape: always status 200, text/plain and bencode.
 *
 * Must not know swarms or Redis: it takes a request apart, asks the tracker,
 * and puts the answer together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/status/metrics.h"
#include "coordinator/tracker/bencode.h"
#include "coordinator/tracker/query.h"
#include "coordinator/tracker/tracker.h"

static const char *const headers[] = {"Content-Type: text/plain", NULL};

static void
failure_reply(struct http_request *request, const char *why)
{
    char text[BENCODE_ANNOUNCE_MAX];

    http_reply(request, 200, headers, text, bencode_failure(why, text));
}

static void
answer_reply(struct http_request *request, const struct announce_answer *answer)
{
    char text[BENCODE_ANNOUNCE_MAX];

    http_reply(request, 200, headers, text, bencode_announce(answer, text));
}

/* False if there is no tracker; then that is answered. */
static bool
tracker_is_on(const struct app *app, struct http_request *request)
{
    if (app->tracker == NULL)
        reply_error(request, 404,
                    "the BitTorrent tracker is switched off here");
    return app->tracker != NULL;
}

/* Announces that wait. */

struct pending {
    struct tracker_wait wait; /* first */
    struct tracker *tracker;
    struct http_request *request;
    struct announce announce;
};

static void
on_close(struct http_request *request, void *context)
{
    struct pending *pending = context;

    (void)request;
    tracker_wait_cancel(pending->tracker, &pending->wait);
    free(pending);
}

/* It is answered now, whatever happens: nobody waits twice. */
static void
on_looked(struct tracker_wait *wait, int rc)
{
    struct pending *pending = (struct pending *)wait;
    struct announce_answer answer;

    pending->announce.looked = true;
    if (rc == 0)
        rc = tracker_announce(pending->tracker, &pending->announce, &answer);
    if (rc == 0)
        answer_reply(pending->request, &answer);
    else
        failure_reply(pending->request,
                      tracker_failure(pending->tracker, &pending->announce,
                                      rc == -EINPROGRESS ? -EAGAIN : rc));
    free(pending);
}

static void
announce_wait(struct app *app, struct http_request *request,
              const struct announce *announce)
{
    struct pending *pending = malloc(sizeof(*pending));

    if (pending == NULL) {
        failure_reply(request,
                      tracker_failure(app->tracker, announce, -EAGAIN));
        return;
    }
    pending->tracker = app->tracker;
    pending->request = request;
    pending->announce = *announce;
    pending->wait.done = on_looked;
    http_set_context(request, pending, on_close);
    tracker_wait(app->tracker, announce->infohash, &pending->wait);
}

void
tracker_http_announce(struct app *app, struct http_request *request)
{
    struct announce announce = {.protocol = ANNOUNCE_HTTP};
    struct announce_answer answer;
    const char *why;

    if (!tracker_is_on(app, request))
        return;
    why = query_announce(http_query(request), &announce);
    if (why != NULL) {
        metrics_add(M_ANNOUNCES_HTTP_REFUSED, 1);
        failure_reply(request, why);
        return;
    }
    http_client(request, &announce.addr);
    if (tracker_announce(app->tracker, &announce, &answer) == 0)
        answer_reply(request, &answer);
    else
        announce_wait(app, request, &announce);
}

/* Scrapes. */

struct scraping {
    struct scrape scrape;         /* first */
    struct http_request *request; /* NULL: answered, or its client has gone */
};

static void
scrape_reply(struct http_request *request, const struct scrape *scrape)
{
    char text[BENCODE_SCRAPE_MAX];

    http_reply(request, 200, headers, text, bencode_scrape(scrape, text));
}

static void
on_scrape_close(struct http_request *request, void *context)
{
    struct scraping *scraping = context;

    (void)request;
    scraping->request = NULL;
}

static void
on_scraped(struct scrape *scrape, bool last)
{
    struct scraping *scraping = (struct scraping *)scrape;

    if (scraping->request != NULL)
        scrape_reply(scraping->request, scrape);
    scraping->request = NULL;
    if (last)
        free(scraping);
}

void
tracker_http_scrape(struct app *app, struct http_request *request)
{
    struct scraping *scraping;
    const char *why;

    if (!tracker_is_on(app, request))
        return;
    scraping = malloc(sizeof(*scraping));
    if (scraping == NULL) {
        failure_reply(request, "no memory, try again later");
        return;
    }
    scraping->scrape.protocol = ANNOUNCE_HTTP;
    scraping->scrape.done = on_scraped;
    scraping->request = request;
    why = query_scrape(http_query(request), &scraping->scrape);
    if (why != NULL) {
        failure_reply(request, why);
    } else if (tracker_scrape(app->tracker, &scraping->scrape) != 0) {
        http_set_context(request, scraping, on_scrape_close);
        return;
    } else {
        scrape_reply(request, &scraping->scrape);
    }
    free(scraping);
}
