/*
 * Requests at a steady rate, whatever the answers: a machine with its own load,
 * as a site's visitors are.  pace PORT PATH RATE SECONDS CONNECTIONS
 *
 * Prints how many requests there were a second, and of their times (from when
 * they were due, so that a stall counts for all whom it kept waiting) the
 * median and the 99th percentile, in microseconds.  All answers have to be as
 * long as the first one.  It spins: it wants a core of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define SAMPLES_MAX 10000000
#define BUFFER (256u << 10)

struct connection {
    int fd;
    uint64_t due_ns; /* of the request under way; 0: none */
    size_t got;
};

static struct connection connections[CONNECTIONS_MAX];
static char request[1024], buffer[BUFFER];
static size_t answer_len;

static void
die(const char *what)
{
    fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int
connect_to(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void
ask(struct connection *c, uint64_t due_ns)
{
    size_t len = strlen(request);

    if (write(c->fd, request, len) != (ssize_t)len)
        die("write");
    c->due_ns = due_ns;
    c->got = 0;
}

/* How long an answer is, head and body. */
static size_t
measure(struct connection *c)
{
    size_t got = 0;

    ask(c, 1);
    for (;;) {
        ssize_t n = read(c->fd, buffer + got, BUFFER - 1 - got);
        const char *end, *length;

        if (n <= 0)
            die("the first answer");
        got += (size_t)n;
        buffer[got] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        length = strstr(buffer, "Content-Length: ");
        if (end != NULL && length != NULL) {
            size_t all =
                (size_t)(end + 4 - buffer) + strtoul(length + 16, NULL, 10);

            if (strncmp(buffer, "HTTP/1.1 200", 12) != 0 || all >= BUFFER)
                die("the first answer is no short 200");
            if (got >= all) {
                c->due_ns = 0;
                return all;
            }
        }
    }
}

/* True: the answer is whole. */
static bool
take(struct connection *c)
{
    ssize_t n = read(c->fd, buffer, BUFFER);

    if (n <= 0)
        die("read");
    c->got += (size_t)n;
    return c->got >= answer_len;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Times in 1/10 us; ret: how many. */
static size_t
run(int poll, unsigned count, double rate, double seconds, uint32_t *samples)
{
    uint64_t start = now_ns(), due = start,
             end = start + (uint64_t)(seconds * 1e9);
    struct connection *idle[CONNECTIONS_MAX];
    unsigned idle_count = 0;
    size_t done = 0;

    for (unsigned i = 0; i < count; i++)
        idle[idle_count++] = &connections[i];
    while (due < end || idle_count < count) {
        struct epoll_event events[64];
        int n;

        while (idle_count > 0 && due < end && due <= now_ns()) {
            ask(idle[--idle_count], due);
            due += (uint64_t)(-log(1 - drand48()) * 1e9 / rate) + 1;
        }
        n = epoll_wait(poll, events, 64, 0);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (!take(c))
                continue;
            if (done < SAMPLES_MAX)
                samples[done++] = (uint32_t)((now_ns() - c->due_ns) / 100);
            idle[idle_count++] = c;
        }
    }
    return done;
}

int
main(int argc, char **argv)
{
    unsigned count = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
    int poll = epoll_create1(0);
    uint32_t *samples = calloc(SAMPLES_MAX, sizeof(*samples));
    size_t done;

    if (count == 0 || count > CONNECTIONS_MAX || poll < 0 || samples == NULL)
        die("usage: pace PORT PATH RATE SECONDS CONNECTIONS");
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", argv[2]);
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->fd = connect_to((uint16_t)atoi(argv[1]));
        answer_len = measure(c);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event) < 0)
            die("epoll_ctl");
    }
    done = run(poll, count, atof(argv[3]), atof(argv[4]), samples);
    if (done == 0)
        die("no answers");
    qsort(samples, done, sizeof(*samples), by_value);
    printf("%.0f %.1f %.1f\n", (double)done / atof(argv[4]),
           samples[done / 2] / 10.0, samples[done * 99 / 100] / 10.0);
    free(samples);
    return 0;
}
