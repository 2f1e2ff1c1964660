/*
 * Announces to a BitTorrent tracker, as many as it takes, by HTTP or UDP:
 * announce http|udp PORT [options], announce hashes [options]
 *
 *   --first N, --hashes N   the swarms: N of them, from number `first`
 *   --seconds S             for so long; every announce is a random swarm's,
 *                           and another peer's
 *   --count N               or so many, the swarms in turn: fills a tracker
 *   --want N                peers to ask for
 *   --sources N             connections, each from an address of its own
 *   --window N              announces under way on one of them (UDP)
 *
 * A connection has one request under way, and is used again if the tracker lets
 * it; else the time of a request has its connecting in it.  Prints one line:
 * announces answered and a second, microseconds of the median and of the 99th
 * percentile, peers in an answer, refusals, and how many were lost.  `hashes`
 * prints the swarms' hashes in hex.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SOURCES_MAX 1024
#define WINDOW_MAX 64
#define SAMPLES_MAX 20000000
#define ANSWER_MAX 4096
#define EVENTS 64
#define LOST_NS UINT64_C(1000000000)
#define RENEW_NS UINT64_C(50000000000) /* connection ids live for a minute */
#define TRIES 20
#define HASH_BYTES 20
#define CONNECT_BYTES 16
#define ANNOUNCE_BYTES 98

struct slot { /* an announce under way, by UDP */
    uint64_t sent_ns;
    uint32_t transaction;
};

struct source {
    int fd;
    uint64_t since_ns; /* when the request under way, by HTTP, began */
    size_t got;
    char answer[ANSWER_MAX];
    uint64_t id, id_ns; /* by UDP: the connection id, and since when */
    struct slot slots[WINDOW_MAX];
    unsigned busy;
};

static struct {
    unsigned first, hashes, sources, window;
    int want;
    double seconds;
    uint64_t count;
} o = {0, 65536, 64, 2, 50, 3, 0};

static struct sockaddr_in server = {.sin_family = AF_INET};
static struct source sources[SOURCES_MAX];
static uint32_t *samples; /* in units of 100 ns */
static uint64_t answered, asked, peers, failed, lost, end_ns, seed;
static bool keeps = true; /* the tracker, its HTTP connections */

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "announce: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* splitmix64: numbers that look random, by their place. */
static uint64_t
mix(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

static void
hash_make(uint64_t n, uint8_t hash[HASH_BYTES + 4])
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t part = htobe64(mix(n * 3 + i));

        memcpy(hash + 8 * i, &part, 8);
    }
}

/* Which swarm and port the next announce has; false: there is none. */
static bool
next(uint8_t hash[HASH_BYTES + 4], uint16_t *port)
{
    uint64_t n = asked, random = mix(seed + n);

    if (o.count != 0 ? n >= o.count : now_ns() >= end_ns)
        return false;
    asked++;
    if (o.count != 0) {
        hash_make(o.first + n % o.hashes, hash);
        *port = (uint16_t)(1024 + n / o.hashes % 64000);
    } else {
        hash_make(o.first + random % o.hashes, hash);
        *port = (uint16_t)(1024 + (random >> 32) % 64000);
    }
    return true;
}

static void
count(uint64_t since_ns, size_t got)
{
    if (answered < SAMPLES_MAX)
        samples[answered] = (uint32_t)((now_ns() - since_ns) / 100);
    answered++;
    peers += got;
}

static int
source_open(unsigned i, int type)
{
    /* Each in a network of its own, as clients are. */
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(0x7f010101 + (i << 8))}};
    int fd = socket(AF_INET, type, 0), on = 1;

    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
        die("bind");
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
        die("connect");
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* HTTP. */

/* As real clients ask. */
static size_t
http_request(const uint8_t hash[HASH_BYTES], uint16_t port, char text[1024])
{
    char hex[3 * HASH_BYTES + 1];

    for (unsigned i = 0; i < HASH_BYTES; i++)
        sprintf(hex + 3 * i, "%%%02x", hash[i]);
    return (size_t)snprintf(
        text, 1024,
        "GET /announce?info_hash=%s&peer_id=-BN0100-abcdefghijkl&port=%u"
        "&uploaded=0&downloaded=0&left=1048576&corrupt=0&key=1A2B3C4D"
        "&numwant=%d&compact=1&no_peer_id=1&supportcrypto=1 HTTP/1.1\r\n"
        "Host: 127.0.0.1:%u\r\nUser-Agent: announce/1.0\r\n"
        "Accept-Encoding: gzip\r\n\r\n",
        hex, port, o.want, ntohs(server.sin_port));
}

static void
http_send(struct source *s, int epoll)
{
    uint8_t hash[HASH_BYTES + 4];
    uint16_t port;
    char text[1024];
    size_t len;

    if (!next(hash, &port)) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        return;
    }
    s->since_ns = now_ns();
    s->got = 0;
    if (s->fd < 0) {
        struct epoll_event event = {EPOLLIN, {.ptr = s}};

        s->fd = source_open((unsigned)(s - sources), SOCK_STREAM);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
            die("epoll_ctl");
    }
    len = http_request(hash, port, text);
    if (write(s->fd, text, len) != (ssize_t)len)
        die("write");
}

/* How many bytes the whole answer has; 0: not to be told yet. */
static size_t
http_length(const struct source *s)
{
    const char *end = strstr(s->answer, "\r\n\r\n");
    const char *length = strcasestr(s->answer, "\r\nContent-Length:");

    if (end == NULL)
        return 0;
    if (length == NULL || length > end) {
        errno = EBADMSG;
        die("an answer without its length");
    }
    return (size_t)(end + 4 - s->answer) + strtoul(length + 17, NULL, 10);
}

static void
http_count(const struct source *s, size_t len)
{
    const char *at = memmem(s->answer, len, "5:peers", 7);

    if (at == NULL)
        failed++;
    else
        count(s->since_ns, strtoul(at + 7, NULL, 10) / 6);
}

static void
http_read(struct source *s, int epoll)
{
    ssize_t n = read(s->fd, s->answer + s->got, ANSWER_MAX - 1 - s->got);
    size_t len;

    if (n <= 0) { /* one that was used before: some close without a word */
        keeps = false;
        lost++;
        close(s->fd);
        s->fd = -1;
        http_send(s, epoll);
        return;
    }
    s->got += (size_t)n;
    s->answer[s->got] = '\0';
    len = http_length(s);
    if (len == 0 || s->got < len) {
        if (s->got == ANSWER_MAX - 1)
            die("an answer is too long");
        return;
    }
    http_count(s, s->got);
    if (!keeps) {
        close(s->fd);
        s->fd = -1;
    }
    http_send(s, epoll);
}

static void
http_run(int epoll)
{
    struct epoll_event events[EVENTS];
    unsigned open;
    int n;

    for (unsigned i = 0; i < o.sources; i++) {
        sources[i].fd = -1;
        http_send(&sources[i], epoll);
    }
    do {
        n = epoll_wait(epoll, events, EVENTS, 2000);
        if (n == 0) {
            errno = ETIMEDOUT;
            die("no answers");
        }
        for (int i = 0; i < n; i++)
            http_read(events[i].data.ptr, epoll);
        open = 0;
        for (unsigned i = 0; i < o.sources; i++)
            open += sources[i].fd >= 0;
    } while (open > 0);
}

/* UDP. */

static void
put32(uint8_t *at, uint32_t n)
{
    n = htobe32(n);
    memcpy(at, &n, 4);
}

static uint32_t
get32(const uint8_t *at)
{
    uint32_t n;

    memcpy(&n, at, 4);
    return be32toh(n);
}

static void
udp_connect(struct source *s)
{
    uint8_t packet[CONNECT_BYTES] = {0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80};

    s->id_ns = now_ns();
    if (send(s->fd, packet, sizeof(packet), 0) < 0)
        die("send");
}

static void
udp_fill(struct source *s, uint32_t transaction, const uint8_t *hash,
         uint16_t port, uint8_t packet[ANNOUNCE_BYTES])
{
    memset(packet, 0, ANNOUNCE_BYTES);
    memcpy(packet, &s->id, 8);
    put32(packet + 8, 1);
    put32(packet + 12, transaction);
    memcpy(packet + 16, hash, HASH_BYTES);
    memcpy(packet + 36, "-BN0100-abcdefghijkl", 20);
    put32(packet + 68, 1048576);
    put32(packet + 92, (uint32_t)o.want);
    packet[96] = (uint8_t)(port >> 8);
    packet[97] = (uint8_t)port;
}

/* Fills the window. */
static void
udp_send(struct source *s)
{
    uint8_t packets[WINDOW_MAX][ANNOUNCE_BYTES], hash[HASH_BYTES + 4];
    struct mmsghdr messages[WINDOW_MAX];
    struct iovec iov[WINDOW_MAX];
    uint64_t now = now_ns();
    unsigned n = 0;
    uint16_t port;

    if (now - s->id_ns > RENEW_NS)
        udp_connect(s);
    for (unsigned i = 0; i < o.window && s->id != 0; i++) {
        if (s->slots[i].sent_ns != 0 || !next(hash, &port))
            continue;
        s->slots[i].sent_ns = now;
        s->slots[i].transaction = (uint32_t)asked << 6 | i;
        s->busy++;
        udp_fill(s, s->slots[i].transaction, hash, port, packets[n]);
        iov[n] = (struct iovec){packets[n], ANNOUNCE_BYTES};
        messages[n] =
            (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[n], .msg_iovlen = 1}};
        n++;
    }
    if (n > 0 && sendmmsg(s->fd, messages, n, 0) < 0)
        die("sendmmsg");
}

static void
udp_answer(struct source *s, const uint8_t *packet, size_t len)
{
    struct slot *slot;

    if (len >= CONNECT_BYTES && get32(packet) == 0) {
        memcpy(&s->id, packet + 8, 8);
        return;
    }
    slot = &s->slots[get32(packet + 4) % WINDOW_MAX];
    if (len < 8 || slot->sent_ns == 0 || slot->transaction != get32(packet + 4))
        return;
    if (get32(packet) == 1 && len >= 20)
        count(slot->sent_ns, (len - 20) / 6);
    else
        failed++;
    slot->sent_ns = 0;
    s->busy--;
}

static void
udp_read(struct source *s)
{
    static uint8_t packets[WINDOW_MAX][1500];
    struct mmsghdr messages[WINDOW_MAX];
    struct iovec iov[WINDOW_MAX];
    int n;

    for (unsigned i = 0; i < WINDOW_MAX; i++) {
        iov[i] = (struct iovec){packets[i], sizeof(packets[i])};
        messages[i] =
            (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
    }
    n = recvmmsg(s->fd, messages, WINDOW_MAX, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        udp_answer(s, packets[i], messages[i].msg_len);
    udp_send(s);
}

/* What has been under way for too long; returns how many still are. */
static unsigned
udp_expire(void)
{
    uint64_t now = now_ns();
    unsigned busy = 0;

    for (unsigned i = 0; i < o.sources; i++) {
        struct source *s = &sources[i];

        for (unsigned j = 0; j < o.window; j++) {
            if (s->slots[j].sent_ns == 0 || now - s->slots[j].sent_ns < LOST_NS)
                continue;
            s->slots[j].sent_ns = 0;
            s->busy--;
            lost++;
        }
        udp_send(s);
        busy += s->busy;
    }
    return busy;
}

static void
udp_open(int epoll)
{
    unsigned ready = 0;

    for (unsigned i = 0; i < o.sources; i++) {
        struct source *s = &sources[i];
        struct epoll_event event = {EPOLLIN, {.ptr = s}};

        s->fd = source_open(i, SOCK_DGRAM);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
            die("epoll_ctl");
    }
    for (int tries = 0; ready < o.sources; tries++) {
        if (tries == TRIES) {
            errno = ETIMEDOUT;
            die("no connection id");
        }
        for (unsigned i = 0; i < o.sources; i++) {
            uint8_t packet[64];
            ssize_t len;

            if (sources[i].id != 0)
                continue;
            udp_connect(&sources[i]);
            usleep(1000);
            len = recv(sources[i].fd, packet, sizeof(packet), MSG_DONTWAIT);
            if (len > 0)
                udp_answer(&sources[i], packet, (size_t)len);
            ready += sources[i].id != 0;
        }
    }
}

static void
udp_run(int epoll)
{
    struct epoll_event events[EVENTS];
    uint64_t swept_ns = now_ns();
    unsigned busy = 0;
    int n;

    end_ns = swept_ns + (uint64_t)(o.seconds * 1e9);
    for (unsigned i = 0; i < o.sources; i++) {
        udp_send(&sources[i]);
        busy += sources[i].busy;
    }
    while (busy > 0) {
        n = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            udp_read(events[i].data.ptr);
        if (n > 0 && now_ns() - swept_ns < LOST_NS / 10)
            continue;
        swept_ns = now_ns();
        busy = udp_expire();
    }
}

/* The whole. */

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void
print(uint64_t took_ns)
{
    uint64_t n = answered < SAMPLES_MAX ? answered : SAMPLES_MAX;

    qsort(samples, n, sizeof(*samples), by_size);
    printf("answers=%" PRIu64 " rate=%.0f p50=%.1f p99=%.1f peers=%.2f "
           "failed=%" PRIu64 " lost=%" PRIu64 "\n",
           answered, (double)answered / ((double)took_ns / 1e9),
           n == 0 ? 0 : samples[n / 2] / 10.0,
           n == 0 ? 0 : samples[n - 1 - n / 100] / 10.0,
           answered == 0 ? 0 : (double)peers / (double)answered, failed, lost);
}

static void
hashes_print(void)
{
    uint8_t hash[HASH_BYTES + 4];

    for (unsigned i = 0; i < o.hashes; i++) {
        hash_make(o.first + i, hash);
        for (unsigned j = 0; j < HASH_BYTES; j++)
            printf("%02x", hash[j]);
        putchar('\n');
    }
}

static void
options(int argc, char **argv)
{
    static const struct option names[] = {
        {"first", 1, NULL, 'f'},   {"hashes", 1, NULL, 'h'},
        {"seconds", 1, NULL, 's'}, {"count", 1, NULL, 'c'},
        {"want", 1, NULL, 'w'},    {"sources", 1, NULL, 'n'},
        {"window", 1, NULL, 'i'},  {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'f':
            o.first = (unsigned)atoi(optarg);
            break;
        case 'h':
            o.hashes = (unsigned)atoi(optarg);
            break;
        case 's':
            o.seconds = atof(optarg);
            break;
        case 'c':
            o.count = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            o.want = atoi(optarg);
            break;
        case 'n':
            o.sources = (unsigned)atoi(optarg);
            break;
        case 'i':
            o.window = (unsigned)atoi(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (o.hashes == 0 || o.sources == 0 || o.sources > SOURCES_MAX ||
        o.window == 0 || o.window > WINDOW_MAX) {
        errno = EINVAL;
        die("options");
    }
}

int
main(int argc, char **argv)
{
    int epoll = epoll_create1(0);
    const char *mode, *port;
    uint64_t start;

    options(argc, argv);
    mode = optind < argc ? argv[optind] : "";
    port = optind + 1 < argc ? argv[optind + 1] : "0";
    if (strcmp(mode, "hashes") == 0) {
        hashes_print();
        return 0;
    }
    server.sin_port = htons((uint16_t)atoi(port));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    seed = now_ns();
    samples = malloc(SAMPLES_MAX * sizeof(*samples));
    if (samples == NULL)
        die("samples");
    if (strcmp(mode, "udp") == 0)
        udp_open(epoll);
    start = now_ns();
    end_ns = start + (uint64_t)(o.seconds * 1e9);
    if (strcmp(mode, "udp") == 0)
        udp_run(epoll);
    else
        http_run(epoll);
    print(now_ns() - start);
    return 0;
}
