/*
 * Connections whose client will send nothing more: an epoll set of its own
 * with EPOLLRDHUP, polled by libuv.
 *
 * Must not know HTTP.
 */
#include "net/hangup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANGUP_EVENTS 64 /* taken at a time */
/* An end behind more than one read's worth of data is told again. */
#define HANGUP_AGAIN_MS 100

struct hangup {
    int fd;
    bool ended;
    TAILQ_ENTRY(hangup) link; /* if ended */
};
TAILQ_HEAD(hangup_list, hangup);

struct hangups {
    int epoll;
    uv_poll_t poll;
    uv_timer_t again;
    unsigned handles; /* not yet closed; the last one frees the struct */
    struct hangup_list ended;
    void (*read_all)(void *arg);
    void *arg;
};

static void
on_again(uv_timer_t *timer)
{
    struct hangups *hangups = timer->data;
    struct hangup *hangup;

    TAILQ_FOREACH(hangup, &hangups->ended, link)
    {
        shutdown(hangup->fd, SHUT_RD);
    }
    if (TAILQ_EMPTY(&hangups->ended))
        uv_timer_stop(timer);
}

/* What was sent before the end is read first. */
static void
on_hangup(uv_poll_t *poll, int status, int events)
{
    struct hangups *hangups = poll->data;
    struct epoll_event list[HANGUP_EVENTS];
    struct hangup *hangup;
    int count;

    (void)status;
    (void)events;
    count = epoll_wait(hangups->epoll, list, HANGUP_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        hangup = list[i].data.ptr;
        if (!hangup->ended)
            TAILQ_INSERT_TAIL(&hangups->ended, hangup, link);
        hangup->ended = true;
    }
    hangups->read_all(hangups->arg);
    uv_timer_start(&hangups->again, on_again, HANGUP_AGAIN_MS, HANGUP_AGAIN_MS);
    on_again(&hangups->again);
}

struct hangup *
hangups_add(struct hangups *hangups, int fd)
{
    struct hangup *hangup = calloc(1, sizeof(*hangup));
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET,
                                .data.ptr = hangup};

    if (hangup == NULL)
        return NULL;
    hangup->fd = fd;
    if (epoll_ctl(hangups->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(hangup);
        return NULL;
    }
    return hangup;
}

void
hangups_remove(struct hangups *hangups, struct hangup *hangup)
{
    if (hangup == NULL)
        return;
    epoll_ctl(hangups->epoll, EPOLL_CTL_DEL, hangup->fd, NULL);
    if (hangup->ended)
        TAILQ_REMOVE(&hangups->ended, hangup, link);
    free(hangup);
}

int
hangups_create(uv_loop_t *loop, void (*read_all)(void *arg), void *arg,
               struct hangups **ret)
{
    struct hangups *hangups = calloc(1, sizeof(*hangups));

    if (hangups == NULL)
        return -ENOMEM;
    hangups->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (hangups->epoll < 0) {
        free(hangups);
        return -errno;
    }
    hangups->read_all = read_all;
    hangups->arg = arg;
    TAILQ_INIT(&hangups->ended);
    uv_poll_init(loop, &hangups->poll, hangups->epoll);
    uv_timer_init(loop, &hangups->again);
    hangups->poll.data = hangups->again.data = hangups;
    hangups->handles = 2;
    uv_poll_start(&hangups->poll, UV_READABLE, on_hangup);
    *ret = hangups;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    struct hangups *hangups = handle->data;

    if (--hangups->handles > 0)
        return;
    close(hangups->epoll);
    free(hangups);
}

void
hangups_free(struct hangups *hangups)
{
    if (hangups == NULL)
        return;
    uv_close((uv_handle_t *)&hangups->poll, on_closed);
    uv_close((uv_handle_t *)&hangups->again, on_closed);
}
