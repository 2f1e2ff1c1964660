/*
 * libcurl's multi_socket on libuv's polls and timers.
 *
 * Owns the multi handle, its sockets, the stall clock.  What curl forbids in
 * its call-backs, adding and removing handles, is noted in the fetcher's lists
 * and done in settle().  Knows nothing of URLs, addresses or headers.
 */
#include "net/fetch_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ACTIVE 256
#define SWEEP_MS 100 /* how often stalls are looked for */
/* Later than this we were stopped or busy, which is not the peers' fault. */
#define LATE_MS 1000
#define IDLE_CONNECTIONS 64 /* kept for reuse */

struct watch { /* a socket of curl's */
    uv_poll_t poll;
    struct fetcher *fetcher;
    curl_socket_t fd;
};

static void settle(struct fetcher *fetcher);
static void fetcher_close(struct fetcher *fetcher);

void
fetch_list_move(struct fetch *f, struct fetch_list *to)
{
    if (f->list != NULL)
        TAILQ_REMOVE(f->list, f, link);
    f->list = to;
    if (to != NULL)
        TAILQ_INSERT_TAIL(to, f, link);
}

/* libcurl's call-backs for sockets and time */

static void
on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    free(watch);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct fetcher *fetcher = watch->fetcher;
    int flags = 0, running;

    /* An error is found by reading: a connection that the server had closed
       is then replaced, where CURL_CSELECT_ERR would end the request. */
    if (status < 0)
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    fetcher->in_curl = true;
    curl_multi_socket_action(fetcher->multi, watch->fd, flags, &running);
    fetcher->in_curl = false;
    settle(fetcher);
}

static struct watch *
watch_open(struct fetcher *fetcher, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    if (uv_poll_init_socket(fetcher->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->fetcher = fetcher;
    watch->fd = fd;
    return watch;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct fetcher *fetcher = arg;
    struct watch *watch = assigned;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        curl_multi_assign(fetcher->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        watch = watch_open(fetcher, fd);
        if (watch == NULL)
            return -1;
        curl_multi_assign(fetcher->multi, fd, watch);
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

static void
on_timeout(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    int running;

    fetcher->in_curl = true;
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetcher->in_curl = false;
    settle(fetcher);
}

static int
on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetcher *fetcher = arg;

    (void)multi;
    if (fetcher->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&fetcher->timer);
    else
        uv_timer_start(&fetcher->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}

/* What could not be done inside curl */

static void
ripen(struct fetch *f, CURLcode code)
{
    f->code = code;
    fetch_list_move(f, &f->fetcher->ripe);
}

static void
resume_all(struct fetcher *fetcher)
{
    struct fetch *f, *next;

    for (f = TAILQ_FIRST(&fetcher->running); f != NULL; f = next) {
        CURLcode code;

        next = TAILQ_NEXT(f, link);
        if (!f->resuming)
            continue;
        f->resuming = false;
        if (!f->held || f->paused)
            continue;
        f->held = false;
        fetcher->in_curl = true;
        code = curl_easy_pause(f->easy, CURLPAUSE_CONT);
        fetcher->in_curl = false;
        /* A call-back in there may have moved f, or next, to ripe. */
        if (code != CURLE_OK && f->list == &fetcher->running)
            ripen(f, code);
        next = TAILQ_FIRST(&fetcher->running);
    }
}

static void
add_fresh(struct fetcher *fetcher)
{
    struct fetch *f;

    while ((f = TAILQ_FIRST(&fetcher->fresh)) != NULL) {
        if (curl_multi_add_handle(fetcher->multi, f->easy) == CURLM_OK)
            fetch_list_move(f, &fetcher->running);
        else
            ripen(f, CURLE_OUT_OF_MEMORY);
    }
}

static void
settle(struct fetcher *fetcher)
{
    struct CURLMsg *message;
    struct fetch *f;
    int left;

    if (fetcher->closing) {
        fetcher_close(fetcher);
        return;
    }
    resume_all(fetcher);
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *private = NULL;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        f = (struct fetch *)(void *)private;
        if (f->list == &fetcher->running)
            ripen(f, code);
    }
    add_fresh(fetcher);
    while ((f = TAILQ_FIRST(&fetcher->ripe)) != NULL && !fetcher->closing) {
        if (f->cancelled)
            fetch_destroy(f);
        else {
            fetch_list_move(f, NULL);
            fetch_finish(f);
        }
    }
}

static void
on_kick(uv_timer_t *timer)
{
    settle(timer->data);
}

static void
on_sweep(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    uint64_t now = uv_now(fetcher->loop);
    bool late = now - fetcher->swept_ms > SWEEP_MS + LATE_MS;
    struct fetch *f, *next;

    fetcher->swept_ms = now;
    for (f = TAILQ_FIRST(&fetcher->running); f != NULL; f = next) {
        next = TAILQ_NEXT(f, link);
        if (f->paused || (late && f->seen_ms != 0))
            f->seen_ms = now;
        if (f->seen_ms == 0 || now - f->seen_ms < f->request.stall_ms)
            continue;
        fetch_set_text(f, "%s: no bytes for %u ms", f->origin,
                       f->request.stall_ms);
        f->error = -ETIMEDOUT;
        ripen(f, CURLE_OPERATION_TIMEDOUT);
    }
    settle(fetcher);
}

/* What fetch.c asks for */

void
fetcher_kick(struct fetcher *fetcher)
{
    uv_timer_start(&fetcher->kick, on_kick, 0, 0);
}

void
fetcher_add(struct fetch *f)
{
    struct fetcher *fetcher = f->fetcher;

    fetcher->active++;
    fetch_list_move(f, &fetcher->fresh);
    if (!uv_is_active((uv_handle_t *)&fetcher->sweep)) {
        uv_timer_start(&fetcher->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
        fetcher->swept_ms = uv_now(fetcher->loop);
    }
    fetcher_kick(fetcher);
}

void
fetcher_remove(struct fetch *f)
{
    struct fetcher *fetcher = f->fetcher;

    fetch_list_move(f, NULL);
    curl_multi_remove_handle(fetcher->multi, f->easy);
    if (--fetcher->active == 0 && !fetcher->closing)
        uv_timer_stop(&fetcher->sweep);
}

/* The fetcher */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct fetcher *fetcher = handle->data;

    if (--fetcher->open_handles == 0)
        free(fetcher);
}

static void
fetcher_close(struct fetcher *fetcher)
{
    struct fetch_list *lists[] = {&fetcher->fresh, &fetcher->running,
                                  &fetcher->ripe};

    if (fetcher->multi == NULL)
        return;
    for (size_t i = 0; i < 3; i++)
        while (!TAILQ_EMPTY(lists[i]))
            fetch_destroy(TAILQ_FIRST(lists[i]));
    curl_multi_cleanup(fetcher->multi);
    fetcher->multi = NULL;
    uv_close((uv_handle_t *)&fetcher->timer, on_handle_closed);
    uv_close((uv_handle_t *)&fetcher->sweep, on_handle_closed);
    uv_close((uv_handle_t *)&fetcher->kick, on_handle_closed);
    curl_global_cleanup();
}

static void
timer_open(struct fetcher *fetcher, uv_timer_t *timer)
{
    uv_timer_init(fetcher->loop, timer);
    timer->data = fetcher;
    fetcher->open_handles++;
}

int
fetcher_create(uv_loop_t *loop, const struct fetcher_options *options,
               struct fetcher **ret)
{
    struct fetcher *fetcher;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    fetcher = calloc(1, sizeof(*fetcher));
    if (fetcher == NULL || (fetcher->multi = curl_multi_init()) == NULL) {
        free(fetcher);
        curl_global_cleanup();
        return -ENOMEM;
    }
    fetcher->loop = loop;
    fetcher->options = *options;
    if (fetcher->options.max_active == 0)
        fetcher->options.max_active = DEFAULT_ACTIVE;
    snprintf(fetcher->user_agent, sizeof(fetcher->user_agent), "%s",
             options->user_agent != NULL ? options->user_agent : "offload");
    TAILQ_INIT(&fetcher->fresh);
    TAILQ_INIT(&fetcher->running);
    TAILQ_INIT(&fetcher->ripe);
    timer_open(fetcher, &fetcher->timer);
    timer_open(fetcher, &fetcher->sweep);
    timer_open(fetcher, &fetcher->kick);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS,
                      (long)IDLE_CONNECTIONS);
    *ret = fetcher;
    return 0;
}

void
fetcher_free(struct fetcher *fetcher)
{
    if (fetcher == NULL || fetcher->closing)
        return;
    fetcher->closing = true;
    if (!fetcher->in_curl)
        fetcher_close(fetcher);
}
