/*
 * The tracker over UDP: packets in batches from the socket to the tracker and
 * back.
 *
 * An answer to an address that has not proved itself by a connection id is
 * never larger than what it answers.  Must not know the packets' form, or what
 * a swarm is.
 */
#include "coordinator/tracker/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coordinator/status/metrics.h"
#include "coordinator/tracker/tracker.h"
#include "coordinator/tracker/udp_connection.h"
#include "coordinator/tracker/udp_packet.h"

#define BATCH 64    /* packets of one system call */
#define BATCHES 4   /* in one turn of the loop; others come next */
#define WAITS 1024  /* announces and scrapes that wait for Redis */
#define IN_MAX 1500 /* a scrape of 74 has 1496 bytes */
#define RECEIVE                                                                \
    (4u << 20) /* bytes the kernel may queue, as far as it lets us */

_Static_assert(TRACKER_SCRAPE_MAX >= UDP_HASHES_MAX, "a scrape is one scrape");
_Static_assert(SWARM_HASH_BYTES == UDP_HASH_BYTES, "a hash is a hash");

/* Whom to answer, and from which of the addresses of a wildcard socket. */
struct client {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr;
    socklen_t addr_len;
    _Alignas(
        struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    size_t control_len;
};

struct answer {
    struct client *client;
    size_t len;
    uint8_t packet[UDP_PACKET_MAX];
};

struct udp {
    struct app *app;
    struct udp_connections *ids;
    uv_poll_t poll;
    int fd;
    bool closing;
    unsigned refs; /* the handle's, and of each that waits */
    TAILQ_HEAD(wait_list, wait) waits;
    unsigned wait_count;

    uint8_t in[BATCH][IN_MAX];
    struct client clients[BATCH];
    struct answer out[BATCH];
};

struct wait {                    /* an announce that is made again */
    struct tracker_wait tracked; /* first */
    struct udp *udp;
    struct announce announce;
    uint32_t transaction;
    struct client client;
    TAILQ_ENTRY(wait) link;
};

struct counting {         /* a scrape */
    struct scrape scrape; /* first */
    bool answered;
    struct udp *udp;
    uint32_t transaction;
    struct client client;
};

static void
udp_unref(struct udp *udp)
{
    if (--udp->refs > 0)
        return;
    udp_connections_free(udp->ids);
    close(udp->fd);
    free(udp);
}

/* Sending. */

static void
message_set(struct mmsghdr *message, struct iovec *iov, struct answer *answer)
{
    struct client *client = answer->client;

    *iov = (struct iovec){answer->packet, answer->len};
    *message = (struct mmsghdr){
        .msg_hdr = {.msg_name = &client->addr,
                    .msg_namelen = client->addr_len,
                    .msg_iov = iov,
                    .msg_iovlen = 1,
                    .msg_control =
                        client->control_len == 0 ? NULL : client->control,
                    .msg_controllen = client->control_len}};
}

/* One that cannot be sent is lost, as any packet may be. */
static void
answers_send(const struct udp *udp, struct answer *answers, unsigned count)
{
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    unsigned sent = 0;
    int n;

    for (unsigned i = 0; i < count; i++)
        message_set(&messages[i], &iov[i], &answers[i]);
    while (sent < count) {
        n = sendmmsg(udp->fd, messages + sent, count - sent, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        sent += n < 1 ? 1 : (unsigned)n;
    }
}

static bool
is_v4(const struct ol_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr->bytes);
}

/* Announces. */

static void
announce_read(const struct udp_request *request, const struct ol_addr *addr,
              struct announce *ret)
{
    static const enum announce_event events[] = {
        [UDP_EVENT_NONE] = ANNOUNCE_NONE,
        [UDP_EVENT_COMPLETED] = ANNOUNCE_COMPLETED,
        [UDP_EVENT_STARTED] = ANNOUNCE_STARTED,
        [UDP_EVENT_STOPPED] = ANNOUNCE_STOPPED};

    *ret = (struct announce){.protocol = ANNOUNCE_UDP,
                             .event = events[request->event],
                             .addr = *addr,
                             .port = request->port,
                             .want = request->num_want,
                             .left = request->left};
    memcpy(ret->infohash, request->hashes, sizeof(ret->infohash));
}

static size_t
failure_write(uint32_t transaction, const char *text, uint8_t *dst)
{
    return udp_error_answer(transaction, text, dst, UDP_PACKET_MAX);
}

static size_t
announce_write(const struct announce_answer *answer, bool v4,
               uint32_t transaction, uint8_t dst[UDP_PACKET_MAX])
{
    const size_t size = v4 ? SWARM_V4_BYTES : SWARM_V6_BYTES;
    const size_t room = (UDP_PACKET_MAX - UDP_ANSWER_HEAD) / size;
    size_t count = v4 ? answer->count4 : answer->count6;

    if (answer->failure != NULL)
        return failure_write(transaction, answer->failure, dst);
    udp_announce_head(transaction, answer->interval, answer->leechers,
                      answer->seeds, dst);
    if (count > room)
        count = room;
    memcpy(dst + UDP_ANSWER_HEAD, v4 ? answer->peers4 : answer->peers6,
           count * size);
    return UDP_ANSWER_HEAD + count * size;
}

static void
on_wait(struct tracker_wait *tracked, int rc)
{
    struct wait *wait = (struct wait *)tracked;
    struct udp *udp = wait->udp;
    struct tracker *tracker = udp->app->tracker;
    struct answer answer = {.client = &wait->client};
    struct announce_answer said;

    wait->announce.looked = true;
    if (rc == 0)
        rc = tracker_announce(tracker, &wait->announce, &said);
    if (rc == -EINPROGRESS) { /* forgotten again already */
        tracker_wait(tracker, wait->announce.infohash, tracked);
        return;
    }
    answer.len =
        rc == 0 ? announce_write(&said, is_v4(&wait->announce.addr),
                                 wait->transaction, answer.packet)
                : failure_write(wait->transaction,
                                tracker_failure(tracker, &wait->announce, rc),
                                answer.packet);
    answers_send(udp, &answer, 1);
    TAILQ_REMOVE(&udp->waits, wait, link);
    udp->wait_count--;
    free(wait);
    udp_unref(udp);
}

/* Without room for it the client hears nothing, and asks again. */
static void
announce_wait(struct udp *udp, const struct announce *announce,
              uint32_t transaction, const struct client *client)
{
    struct wait *wait;

    if (udp->wait_count >= WAITS || (wait = calloc(1, sizeof(*wait))) == NULL)
        return;
    wait->tracked.done = on_wait;
    wait->udp = udp;
    wait->announce = *announce;
    wait->transaction = transaction;
    wait->client = *client;
    TAILQ_INSERT_TAIL(&udp->waits, wait, link);
    udp->wait_count++;
    udp->refs++;
    tracker_wait(udp->app->tracker, announce->infohash, &wait->tracked);
}

static size_t
announce_handle(struct udp *udp, const struct udp_request *request,
                const struct ol_addr *addr, struct answer *answer)
{
    struct announce_answer said;
    struct announce announce;

    announce_read(request, addr, &announce);
    if (tracker_announce(udp->app->tracker, &announce, &said) == -EINPROGRESS) {
        announce_wait(udp, &announce, request->transaction, answer->client);
        return 0;
    }
    return announce_write(&said, is_v4(addr), request->transaction,
                          answer->packet);
}

/* Scrapes. */

static size_t
scrape_write(const struct scrape *scrape, uint32_t transaction,
             uint8_t dst[UDP_PACKET_MAX])
{
    struct udp_swarm swarms[UDP_HASHES_MAX];

    for (size_t i = 0; i < scrape->count; i++)
        swarms[i] = (struct udp_swarm){scrape->counts[i].seeds,
                                       scrape->counts[i].downloaded,
                                       scrape->counts[i].leechers};
    return udp_scrape_answer(transaction, swarms, (unsigned)scrape->count, dst,
                             UDP_PACKET_MAX);
}

static void
on_scraped(struct scrape *scrape, bool last)
{
    struct counting *counting = (struct counting *)scrape;
    struct udp *udp = counting->udp;
    struct answer answer = {.client = &counting->client};

    if (!udp->closing && !counting->answered) {
        answer.len = scrape_write(scrape, counting->transaction, answer.packet);
        answers_send(udp, &answer, 1);
    }
    counting->answered = true;
    if (!last)
        return;
    udp->wait_count--;
    free(counting);
    udp_unref(udp);
}

static size_t
scrape_handle(struct udp *udp, const struct udp_request *request,
              struct answer *answer)
{
    struct counting *counting;
    size_t len = 0;

    if (udp->wait_count >= WAITS ||
        (counting = calloc(1, sizeof(*counting))) == NULL)
        return 0;
    counting->scrape.protocol = ANNOUNCE_UDP;
    counting->scrape.count = request->hash_count;
    memcpy(counting->scrape.infohash, request->hashes,
           (size_t)request->hash_count * UDP_HASH_BYTES);
    counting->scrape.done = on_scraped;
    counting->udp = udp;
    counting->transaction = request->transaction;
    counting->client = *answer->client;
    if (tracker_scrape(udp->app->tracker, &counting->scrape) == -EINPROGRESS) {
        udp->wait_count++;
        udp->refs++;
        return 0;
    }
    len = scrape_write(&counting->scrape, request->transaction, answer->packet);
    free(counting);
    return len;
}

/* Receiving. */

/* Writes the answer; returns its length, 0: there is none (yet). */
static size_t
packet_handle(struct udp *udp, const uint8_t *data, size_t len,
              struct answer *answer)
{
    const int64_t now = app_now();
    struct udp_request request;
    struct ol_addr addr;

    metrics_add(M_UDP_PACKETS, 1);
    if (udp_request_parse(data, len, &request) != 0 ||
        ol_addr_from_sockaddr(&answer->client->addr.any, &addr) != 0) {
        metrics_add(M_UDP_REFUSED, 1);
        return 0;
    }
    if (request.action == UDP_CONNECT)
        return udp_connect_answer(request.transaction,
                                  udp_connection_make(udp->ids, &addr, now),
                                  answer->packet);
    if (!udp_connection_is_good(udp->ids, request.connection, &addr, now)) {
        metrics_add(M_UDP_REFUSED, 1);
        return udp_error_answer(request.transaction, "connection id expired",
                                answer->packet,
                                len < UDP_PACKET_MAX ? len : UDP_PACKET_MAX);
    }
    return request.action == UDP_ANNOUNCE
               ? announce_handle(udp, &request, &addr, answer)
               : scrape_handle(udp, &request, answer);
}

/* The address it came to is answered from, by whatever way leads there. */
static void
control_turn(struct msghdr *message)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(message);

    if (c == NULL)
        return;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
        ((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
    else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(c);

        if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
            info->ipi6_ifindex = 0;
    }
}

static int
batch_receive(struct udp *udp, size_t lengths[BATCH])
{
    struct mmsghdr messages[BATCH];
    struct iovec iov[BATCH];
    int n;

    for (unsigned i = 0; i < BATCH; i++) {
        struct client *client = &udp->clients[i];

        iov[i] = (struct iovec){udp->in[i], IN_MAX};
        messages[i] = (struct mmsghdr){
            .msg_hdr = {.msg_name = &client->addr,
                        .msg_namelen = sizeof(client->addr),
                        .msg_iov = &iov[i],
                        .msg_iovlen = 1,
                        .msg_control = client->control,
                        .msg_controllen = sizeof(client->control)}};
    }
    n = recvmmsg(udp->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        control_turn(&messages[i].msg_hdr);
        udp->clients[i].addr_len = messages[i].msg_hdr.msg_namelen;
        udp->clients[i].control_len = messages[i].msg_hdr.msg_controllen;
        lengths[i] = messages[i].msg_len;
    }
    return n;
}

static void
batch_expect(const struct udp *udp, const size_t lengths[BATCH], int n)
{
    const uint8_t *hashes[BATCH], *hash;
    size_t count = 0;

    for (int i = 0; i < n; i++) {
        hash = udp_request_peek(udp->in[i], lengths[i]);
        if (hash != NULL)
            hashes[count++] = hash;
    }
    tracker_expect(udp->app->tracker, hashes, count);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp *udp = poll->data;
    size_t lengths[BATCH];
    unsigned count;
    int n;

    (void)status; /* an error is one of a packet sent, and now read */
    (void)events;
    for (unsigned i = 0; i < BATCHES; i++) {
        n = batch_receive(udp, lengths);
        batch_expect(udp, lengths, n);
        count = 0;
        for (int j = 0; j < n; j++) {
            struct answer *answer = &udp->out[count];

            answer->client = &udp->clients[j];
            answer->len = packet_handle(udp, udp->in[j], lengths[j], answer);
            count += answer->len > 0;
        }
        answers_send(udp, udp->out, count);
        if (n < BATCH)
            break;
    }
}

/* Creation. */

/* A socket of one address has its answers leave from there anyway. */
static void
socket_prepare(int fd)
{
    const int on = 1, size = RECEIVE;
    struct sockaddr_in6 bound = {0};
    socklen_t len = sizeof(bound);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return;
    if (bound.sin6_family == AF_INET &&
        ((struct sockaddr_in *)(void *)&bound)->sin_addr.s_addr == INADDR_ANY)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    else if (bound.sin6_family == AF_INET6 &&
             IN6_IS_ADDR_UNSPECIFIED(&bound.sin6_addr))
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

int
udp_create(struct app *app, int fd, struct udp **ret)
{
    struct udp *udp = calloc(1, sizeof(*udp));
    int rc = -ENOMEM;

    if (udp != NULL)
        rc = udp_connections_create(app->key, &udp->ids);
    if (rc == 0)
        rc = uv_poll_init(app->loop, &udp->poll, fd);
    if (rc != 0) {
        if (udp != NULL)
            udp_connections_free(udp->ids);
        free(udp);
        return rc;
    }
    udp->app = app;
    udp->fd = fd;
    udp->refs = 1;
    udp->poll.data = udp;
    TAILQ_INIT(&udp->waits);
    socket_prepare(fd);
    uv_poll_start(&udp->poll, UV_READABLE, on_readable);
    *ret = udp;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    udp_unref(handle->data);
}

void
udp_free(struct udp *udp)
{
    struct wait *wait;

    if (udp == NULL)
        return;
    udp->closing = true;
    while ((wait = TAILQ_FIRST(&udp->waits)) != NULL) {
        tracker_wait_cancel(udp->app->tracker, &wait->tracked);
        TAILQ_REMOVE(&udp->waits, wait, link);
        free(wait);
        udp->refs--;
    }
    uv_close((uv_handle_t *)&udp->poll, on_closed);
}
